"""How much word similarity depends on the learning rate, for one table and for two.

    python -m tests.benchmarks.rates --data reviews.jsonl.gz --wordsim FOLDER

Prints the Spearman correlation with human scores of skip-gram's word vectors for each
way of tying and each learning rate: means over seeds, and the best rate of every row
and similarity set. A comparison at one rate alone can favour either side.
"""

import argparse
import warnings

import numpy as np

from skembed import SGNSEmbedder
from tests.benchmarks.common import (
    describe_machine,
    print_table,
    read_documents,
    read_similarities,
    similarity,
)

STRATEGIES = {
    "separate": {"share_context": False},
    "tied, bias=None": {"share_context": True, "bias": None},
    "tied, bias=exact": {"share_context": True},
    "signed, bias=None": {"share_context": "signed", "bias": None},
    "signed, bias=exact": {"share_context": "signed", "bias": "exact"},
}


def correlations(documents, sets, seed, **parameters):
    """Return the correlation of one fit's word vectors with each set."""
    embedder = SGNSEmbedder(subsample=1e-3, random_state=seed, n_jobs=-1, **parameters)
    with warnings.catch_warnings():
        # The plain table is here to show how it fails.
        warnings.filterwarnings("ignore", message=".*cannot express the negative mean")
        embedder.fit(documents)
    rows, vectors = embedder.vocabulary_, embedder.word_vectors_
    return [similarity(pairs, rows, vectors)[0] for pairs in sets.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", required=True, help="folder of .tsv files")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0.0125, 0.025, 0.05, 0.1]
    )
    parser.add_argument(
        "--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES)
    )
    arguments = parser.parse_args()
    documents = read_documents(arguments.data, arguments.documents)
    sets = read_similarities(arguments.wordsim)
    print(describe_machine())
    rows = []
    for name in arguments.strategies:
        parameters, means = STRATEGIES[name], {}
        for rate in arguments.rates:
            found = [
                correlations(documents, sets, seed, learning_rate=rate, **parameters)
                for seed in range(arguments.seeds)
            ]
            means[rate] = np.mean(found, axis=0)
            shown = [
                f"{m:.3f} ({np.ptp(c):.3f})"
                for m, c in zip(means[rate], zip(*found, strict=True), strict=True)
            ]
            rows.append([name, f"{rate:g}", *shown])
            print(*rows[-1], flush=True)
        best = [
            max(means, key=lambda rate, i=i: means[rate][i]) for i in range(len(sets))
        ]
        shown = [f"{means[rate][i]:.3f} at {rate:g}" for i, rate in enumerate(best)]
        rows.append([name, "best", *shown])
        print(*rows[-1], flush=True)
    print_table(["strategy", "rate", *sets], rows)
    print("Means over seeds, and in brackets the largest minus the smallest.")


if __name__ == "__main__":
    main()
