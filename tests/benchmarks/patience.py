"""When early stopping ends a fit, for several values of its two parameters.

    python -m tests.benchmarks.patience
    python -m tests.benchmarks.patience --data reviews.jsonl.gz --documents 2000

Without `--data`, the documents are those of `skembed.datasets.load_docstrings`. Every
estimator is fitted once for each `max_iter`, with a part held out and nothing stopped.
From the curve of the validation loss follows in which epoch each pair of
`n_iter_no_change` and `tol` ends the fit, and how far the least loss until then is
above the least of all epochs.
"""

import argparse
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skembed import CBOWEmbedder, GloVeEmbedder, SGNSEmbedder
from skembed.datasets import load_docstrings
from tests.benchmarks.common import describe_machine, print_table, read_documents

EMBEDDERS = {
    "SGNS": SGNSEmbedder(),
    "CBOW": CBOWEmbedder(),
    "GloVe": GloVeEmbedder(),
}
PATIENCES = (1, 2, 3, 5, 10)
TOLERANCES = (1e-4, 1e-3)


def stop(curve, patience, tol):
    """Return the epochs that are made, and the least loss in them."""
    best, n_worse = np.inf, 0
    for epoch, loss in enumerate(curve, start=1):
        n_worse = n_worse + 1 if loss > best - tol else 0
        best = min(best, loss)
        if n_worse > patience:
            return epoch, best
    return len(curve), best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="JSON lines with a field text")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--epochs", type=int, nargs="+", default=[5, 15, 50, 100])
    parser.add_argument(
        "--estimators", nargs="+", choices=EMBEDDERS, default=list(EMBEDDERS)
    )
    parser.add_argument("--curves", action="store_true", help="print the losses, too")
    arguments = parser.parse_args()
    if arguments.data:
        documents = read_documents(arguments.data, arguments.documents)
    else:
        documents = load_docstrings(return_X_y=True)[0]
        drawn = np.random.default_rng(0).permutation(len(documents))
        documents = [documents[i] for i in drawn[: arguments.documents]]
    print(describe_machine())
    print(f"{len(documents)} documents")
    settings = [(p, tol) for tol in TOLERANCES for p in PATIENCES]
    rows = []
    for name in arguments.estimators:
        for n_epochs in arguments.epochs:
            embedder = EMBEDDERS[name].set_params(
                max_iter=n_epochs,
                early_stopping=True,
                n_iter_no_change=10**6,
                random_state=0,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                curve = embedder.fit(documents).validation_loss_curve_
            if arguments.curves:
                print(name, n_epochs, np.round(curve, 4).tolist(), flush=True)
            cells = []
            for patience, tol in settings:
                epoch, best = stop(curve, patience, tol)
                cells.append(f"{epoch} ({best - curve.min():+.3f})")
            rows.append([name, n_epochs, f"{curve.min():.3f}", *cells])
    header = [f"{patience}, {tol:g}" for patience, tol in settings]
    print_table(["estimator", "max_iter", "least", *header], rows)


if __name__ == "__main__":
    main()
