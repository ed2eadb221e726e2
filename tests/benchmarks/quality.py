"""Word similarity of the embedders at their defaults, over seeds.

    python -m tests.benchmarks.quality --data reviews.jsonl.gz --wordsim FOLDER
    python -m tests.benchmarks.quality --data reviews.jsonl.gz --wordsim FOLDER \
        --estimators PPMI-SVD GloVe --subsample 0 1e-3 1e-4 1e-5

Prints the Spearman correlation with human scores of every estimator and
`share_context`. All other parameters have their defaults, `combine` among them.
"""

import argparse
import time
import warnings

import numpy as np
from sklearn.base import clone

from skembed import CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed.pooling._features import add_tables
from tests.benchmarks.common import (
    describe_machine,
    print_table,
    read_documents,
    read_similarities,
    similarity,
)

ESTIMATORS = {
    "SGNS": SGNSEmbedder(),
    "CBOW": CBOWEmbedder(),
    "PPMI-SVD": PPMISVDEmbedder(),
    "GloVe": GloVeEmbedder(),
}


def candidates(names, subsamples, window):
    """Yield a name and an estimator without its seed."""
    for share_context in (False, True, "signed"):
        for name in names:
            for subsample in subsamples or [ESTIMATORS[name].subsample]:
                embedder = clone(ESTIMATORS[name])
                embedder.set_params(share_context=share_context, subsample=subsample)
                if window is not None:
                    embedder.set_params(window=window)
                yield name, embedder


def document_table(embedder):
    """Return the vectors that `transform` pools; a default of `combine` is enough."""
    word, context = embedder.word_vectors_, embedder.context_vectors_
    return word if embedder.combine == "word" else add_tables(word, context)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", required=True, help="folder of .tsv files")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--estimators", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS)
    )
    parser.add_argument(
        "--subsample", type=float, nargs="+", help="thresholds; otherwise the defaults"
    )
    parser.add_argument("--window", type=int, help="otherwise the defaults")
    arguments = parser.parse_args()
    documents = read_documents(arguments.data, arguments.documents)
    sets = read_similarities(arguments.wordsim)
    print(describe_machine())
    rows = []
    found = candidates(arguments.estimators, arguments.subsample, arguments.window)
    for name, embedder in found:
        results, seconds = [], []
        for seed in range(arguments.seeds):
            start = time.perf_counter()
            with warnings.catch_warnings():
                # combine="sum" of one table: the warning is about this very choice.
                warnings.simplefilter("ignore", UserWarning)
                embedder.set_params(random_state=seed).fit(documents)
            seconds.append(time.perf_counter() - start)
            table = document_table(embedder)
            results.append(
                [similarity(p, embedder.vocabulary_, table)[0] for p in sets.values()]
            )
        spread = [f"{min(c):.3f}-{max(c):.3f}" for c in zip(*results, strict=True)]
        choice = [name, embedder.share_context, f"{embedder.subsample:g}"]
        rows.append([*choice, *spread, f"{np.median(seconds):.1f}"])
        print(*rows[-1], flush=True)
    header = ["estimator", "share_context", "subsample", *sets, "fit seconds"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
