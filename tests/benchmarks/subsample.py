"""Accuracy with features of counts, by the threshold of `subsample`.

    python -m tests.benchmarks.subsample --documents 2000
    python -m tests.benchmarks.subsample --data reviews.jsonl.gz --documents 2000

Without `--data`, the documents are those of `skembed.datasets.load_docstrings`; of a
file, those with a label other than -1. For every seed some documents are drawn, vectors
are learned from all of them, without labels, and a logistic regression learns from
their standardised features, in folds. A figure is the mean over seeds of the best mean
accuracy among a few values of C.
"""

import argparse
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skembed import GloVeEmbedder, PPMISVDEmbedder
from skembed.datasets import load_docstrings
from tests.benchmarks.common import describe_machine, print_table, read_documents
from tests.benchmarks.features import pooled, read_labels

ESTIMATORS = {"PPMI-SVD": PPMISVDEmbedder(), "GloVe": GloVeEmbedder()}
POOLINGS = ("mean", "tfidf", "sif")
SHARING = (False, True, "signed")
GRID = (0.003, 0.03, 0.3)


def accuracies(embedder, texts, labels, seed):
    """Return the accuracy with each of the poolings."""
    with warnings.catch_warnings():
        # More components than words, or combine="sum" of one table.
        warnings.simplefilter("ignore", UserWarning)
        embedder = clone(embedder).set_params(random_state=seed).fit(texts)
    found = {}
    for pooling, features, _ in pooled(embedder, texts, texts[:1]):
        if pooling in POOLINGS:
            found[pooling] = max(accuracy(features, labels, C, seed) for C in GRID)
    return [found[pooling] for pooling in POOLINGS]


def accuracy(features, labels, C, seed):
    """Return the mean accuracy of a logistic regression over folds."""
    folds = StratifiedKFold(4, shuffle=True, random_state=seed)
    head = make_pipeline(StandardScaler(), LogisticRegression(C=C))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A class may have a single document in a small sample.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return cross_val_score(head, features, labels, cv=folds).mean()


def table(options, draw):
    """Yield rows of the table; `draw` returns documents and labels for a seed."""
    for share_context in options.sharing:
        for subsample in options.subsample:
            embedder = clone(ESTIMATORS[options.estimator])
            embedder.set_params(share_context=share_context, subsample=subsample)
            results = [
                accuracies(embedder, *draw(seed), seed) for seed in range(options.seeds)
            ]
            means = [f"{mean:.3f}" for mean in np.mean(results, axis=0)]
            yield [share_context, f"{subsample:g}", *means]


def parser():
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="JSON lines with fields text and label")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--estimator", choices=ESTIMATORS, default="PPMI-SVD")
    parser.add_argument("--subsample", type=float, nargs="+", default=[0, 1e-4, 1e-5])
    parser.add_argument(
        "--sharing", nargs="+", default=SHARING, type={str(x): x for x in SHARING}.get
    )
    return parser


def main():
    options = parser().parse_args()
    if options.data:
        texts, labels = read_documents(options.data), read_labels(options.data, None)
    else:
        texts, labels = load_docstrings(return_X_y=True)
    texts, labels = np.array(texts, dtype=object), np.array(labels)
    texts, labels = texts[labels != -1], labels[labels != -1]

    def draw(seed):
        chosen = np.random.default_rng(seed).permutation(len(texts))
        chosen = chosen[: options.documents]
        return texts[chosen].tolist(), labels[chosen]

    print(describe_machine())
    print(f"{min(options.documents, len(texts))} documents, {options.seeds} seeds\n")
    print_table(["share_context", "subsample", *POOLINGS], list(table(options, draw)))


if __name__ == "__main__":
    main()
