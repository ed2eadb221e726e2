"""What `skembed.metrics` says of PPMI-SVD and SGNS: similarity, analogies, stability.

    python -m tests.benchmarks.intrinsic --data reviews.jsonl.gz --wordsim FOLDER
    python -m tests.benchmarks.intrinsic --data reviews.jsonl.gz --wordsim FOLDER \
        --questions questions-words.txt

Prints Spearman correlations with 95% intervals, the accuracy of analogies, and how much
two seeds of SGNS have in common. All parameters have their defaults.
"""

import argparse

import numpy as np

from skembed import PPMISVDEmbedder, SGNSEmbedder, metrics
from skembed.vectors import WordVectors
from tests.benchmarks.common import (
    describe_machine,
    print_table,
    read_documents,
    read_similarities,
)

MODELS = {
    "PPMI-SVD": PPMISVDEmbedder(random_state=0),
    "SGNS, seed 0": SGNSEmbedder(random_state=0),
    "SGNS, seed 1": SGNSEmbedder(random_state=1),
}


def similarities(vectors, sets):
    """Return one cell for each set: correlation, interval and coverage."""
    for pairs in sets.values():
        found = metrics.word_similarity(vectors, pairs, random_state=0)
        low, high = found.spearman_interval
        yield f"{found.spearman:.3f} [{low:.3f}, {high:.3f}], {found.coverage:.0%}"


def accuracies(vectors, questions):
    """Return one cell for each method: accuracy in total and by kind."""
    for method in ("add", "multiply"):
        found = metrics.analogies(vectors, questions, method=method)
        parts = [found.total, found.semantic, found.syntactic]
        yield " / ".join(f"{part.accuracy:.3f}" for part in parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", required=True, help="folder of .tsv files")
    parser.add_argument("--questions", help="analogies, as questions-words.txt")
    parser.add_argument("--documents", type=int, default=20_000)
    arguments = parser.parse_args()
    documents = read_documents(arguments.data, arguments.documents)
    sets = read_similarities(arguments.wordsim)
    print(describe_machine())
    rows, models = [], []
    for name, embedder in MODELS.items():
        models.append(WordVectors.from_estimator(embedder.fit(documents)))
        row = [name, *similarities(models[-1], sets)]
        if arguments.questions:
            row += accuracies(models[-1], arguments.questions)
        rows.append(row)
    methods = ["3CosAdd", "3CosMul"] if arguments.questions else []
    print_table(["model", *sets, *methods], rows)
    _, first, second = models
    rng = np.random.default_rng(0)
    for n_first in (2000, len(first)):
        rows = rng.choice(n_first, size=2000, replace=False)
        words = [first.words[row] for row in rows]
        found = metrics.neighbor_overlap(first, second, words=words)
        print(
            f"Ten neighbours of {len(found.words)} of the {n_first} most frequent "
            f"words, two seeds of SGNS: overlap {found.overlap:.3f}, Jaccard "
            f"{found.jaccard:.3f}."
        )
    found = metrics.procrustes(first, second)
    print(f"Disparity after rotation: {found.disparity:.3f}.")


if __name__ == "__main__":
    main()
