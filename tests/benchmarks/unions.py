"""What `TextUnion` gives beside tf-idf alone: paired differences in accuracy.

    python -m tests.benchmarks.unions
    python -m tests.benchmarks.unions --data reviews.jsonl.gz --documents 4000

Without `--data`, the documents are those of `skembed.datasets.load_docstrings`; in a
file, a label of -1 means that there is none. For every split, a quarter of the labelled
documents are held out. Vocabulary, idf, vectors and scale are learned from the text of
all others, with and without label. A logistic regression then learns from all labelled
documents or from stratified samples of them; its C comes from threefold
cross-validation on these.

tf-idf is that of the union: words and pairs, sublinear. Shown are the mean over the
splits of the differences on the same split and sample, in percentage points, and the
standard error of that mean.
"""

import argparse
import sys
import time
from collections import defaultdict

import numpy as np
from scipy import sparse

from skembed import CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed.features import TextUnion
from tests.benchmarks.common import describe_machine, print_table
from tests.benchmarks.features import accuracy, read_labelled, samples, split

EMBEDDERS = {
    "ppmi-svd": PPMISVDEmbedder,
    "sgns": SGNSEmbedder,
    "cbow": CBOWEmbedder,
    "glove": GloVeEmbedder,
}
# Numbers of labelled documents.
LABELS = (50, 200, 500)


def weighted(rows, n_vectors, weight):
    """Return rows of a union of weight 1 as rows of a union of another weight."""
    factors = np.ones(rows.shape[1])
    factors[-n_vectors:] = weight
    return sparse.csr_array(rows @ sparse.diags_array(factors))


def feature_sets(known, test, embedders, weights):
    """Yield name, weight, features of known and of test documents."""
    words = None
    for name, embedder in embedders.items():
        union = TextUnion(embedder, weight=1.0)
        both = [union.fit_transform(known), union.transform(test)]
        n_vectors = len(union.mean_)
        if words is None:
            words = [rows[:, :-n_vectors] for rows in both]
            yield "tf-idf", 0.0, *words
        for weight in weights:
            yield name, weight, *(weighted(rows, n_vectors, weight) for rows in both)


def run(texts, labels, embedders, weights, n_splits, draws):
    """Return {(name, weight): {number of labels: accuracy of each split}}."""
    scores = defaultdict(lambda: defaultdict(list))
    start = time.perf_counter()
    for seed in range(n_splits):
        rows = split(labels, seed)
        known, test = ([texts[i] for i in some] for some in (rows.known, rows.test))
        train = np.searchsorted(rows.known, rows.train)
        drawn = list(samples(labels[rows.train], seed, draws))
        for embedder in embedders.values():
            embedder.set_params(random_state=seed)
        for name, weight, X, Y in feature_sets(known, test, embedders, weights):
            found = defaultdict(list)
            for n_labels, chosen in drawn:
                wanted = labels[rows.train][chosen]
                score, _ = accuracy(
                    X[train[chosen]], wanted, Y, labels[rows.test], seed
                )
                found[n_labels].append(score)
            for n_labels, some in found.items():
                scores[name, weight][n_labels].append(float(np.mean(some)))
            seconds = time.perf_counter() - start
            line = f"split {seed}, {seconds:.0f} s: {name} {weight:g}"
            print(line, file=sys.stderr, flush=True)
    return scores


def differences(found, base):
    """Return mean and standard error of paired differences, in points, as text."""
    gains = 100 * np.subtract(found, base)
    error = np.std(gains, ddof=len(gains) > 1) / np.sqrt(len(gains))
    return f"{np.mean(gains):+.1f} ± {error:.1f}"


def report(scores):
    """Print the accuracies of tf-idf, and what each union gains."""
    base = scores["tf-idf", 0.0]
    sizes = list(base)
    header = [*(f"{size} labels" for size in sizes[:-1]), f"all {sizes[-1]}"]
    rows = [["tf-idf", "", *(f"{np.mean(base[size]):.3f}" for size in sizes)]]
    for (name, weight), found in scores.items():
        if weight:
            gains = (differences(found[size], base[size]) for size in sizes)
            rows.append([name, f"{weight:g}", *gains])
    print_table(["beside tf-idf", "weight", *header], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="JSON lines with fields text and label")
    parser.add_argument("--documents", type=int, default=None)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--embedders", nargs="+", default=["ppmi-svd"])
    parser.add_argument("--window", type=int, help="of the embedders; or their own")
    parser.add_argument("--labels", type=int, nargs="+", default=LABELS)
    parser.add_argument("--draws", type=int, default=2, help="of 200 labels or fewer")
    options = parser.parse_args()
    draws = {n: options.draws if n <= 200 else 1 for n in options.labels}
    print(describe_machine())
    texts, labels = read_labelled(options.data, options.documents)
    print(f"{len(texts)} documents, {options.splits} splits\n")
    given = {} if options.window is None else {"window": options.window}
    embedders = {name: EMBEDDERS[name](**given) for name in options.embedders}
    report(run(texts, labels, embedders, options.weights, options.splits, draws))


if __name__ == "__main__":
    main()
