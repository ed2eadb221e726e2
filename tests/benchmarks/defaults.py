"""Which defaults suit what comes after an embedder: accuracy minus that of tf-idf.

    python -m tests.benchmarks.defaults swap
    python -m tests.benchmarks.defaults swap --corpora reviews.jsonl.gz posts.jsonl
    python -m tests.benchmarks.defaults swap --heads boosting --max-features 1000
    python -m tests.benchmarks.defaults few
    python -m tests.benchmarks.defaults scale --estimators PPMI-SVD SGNS
    python -m tests.benchmarks.defaults search --estimators SGNS \\
        --grid "max_iter=5,15,30 learning_rate=0.025,0.05"

Corpora are names of `tests.benchmarks.corpora`, or files. A third of the documents is
held out; seeds draw other documents, another third, and other vectors.

``swap`` puts each estimator with its defaults in the place of ``TfidfVectorizer()``
before classifiers with their defaults. Boosting needs dense features, and
``--max-features`` keeps those of tf-idf few. ``few`` has 10 labels a class: both
transformers learn from all texts that are not held out, the classifier from the
labelled ones, and its C is chosen by cross-validation for either. ``scale`` compares
poolings, scales and lengths of rows, and shows what a scaler behind the features gains.
``search`` and ``few`` vary the parameters of ``--grid``. ``weights`` puts `KLWeighter`
behind tf-idf of words and pairs.
"""

import argparse
import itertools
import sys
import time
import warnings
from collections import defaultdict

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    train_test_split,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
)
from skembed.features import KLWeighter
from skembed.pooling._features import LENGTH
from tests.benchmarks.common import describe_machine, print_table
from tests.benchmarks.corpora import BUILT_IN, load

ESTIMATORS = {
    "PPMI-SVD": PPMISVDEmbedder,
    "SGNS": SGNSEmbedder,
    "CBOW": CBOWEmbedder,
    "Softmax": SoftmaxEmbedder,
    "GloVe": GloVeEmbedder,
}
HEADS = {
    "logistic": LogisticRegression,
    "neighbors": KNeighborsClassifier,
    "SVC": LinearSVC,
    "ridge": RidgeClassifier,
    "boosting": HistGradientBoostingClassifier,
}
LABELS_PER_CLASS = 10
# Samples of labelled documents for each seed.
DRAWS = 3
CS = (0.1, 1.0, 10.0, 100.0, 1000.0)
POOLINGS = ("mean", "tfidf", "sif", "usif")
LENGTHS = (1, 2, 4, 6)
SCALES = (None, "standard", "spherical")
WORDS = {"True": True, "False": False, "None": None}


class Split:
    """Documents to learn from and others, with the features of `TfidfVectorizer`."""

    def __init__(self, name, n_documents, seed, max_features=None):
        texts, labels = load(name, n_documents, seed)
        self.train, self.test, self.known, self.wanted = train_test_split(
            texts, labels, test_size=1 / 3, stratify=labels, random_state=seed
        )
        self.seed = seed
        self.tfidf = features(TfidfVectorizer(max_features=max_features), self)


def features(transformer, split):
    """Return the features of the documents to learn from, and of the others."""
    return transformer.fit_transform(split.train), transformer.transform(split.test)


def score(head, rows, split):
    """Return the accuracy of a classifier with its defaults."""
    model = HEADS[head]()
    if head == "boosting":
        rows = [part.toarray() if hasattr(part, "toarray") else part for part in rows]
        model.set_params(random_state=0)
    return model.fit(rows[0], split.known).score(rows[1], split.wanted)


def swap(arguments, split):
    """Yield (row, column, accuracy minus that of tf-idf)."""
    base = {head: score(head, split.tfidf, split) for head in arguments.heads}
    for head, accuracy in base.items():
        yield "tf-idf itself", head, accuracy
    for name in arguments.estimators:
        rows = features(ESTIMATORS[name](random_state=split.seed), split)
        for head in arguments.heads:
            yield name, head, score(head, rows, split) - base[head]


def few(arguments, split):
    """Yield the same with 10 labels a class, and C chosen for either."""
    places = [_sample(split.known, 1000 * split.seed + draw) for draw in range(DRAWS)]
    base = [_chosen(split.tfidf, some, split) for some in places]
    yield "tf-idf itself", "10 a class", np.mean(base)
    for name, embedder in tried(arguments, split.seed):
        rows = features(embedder, split)
        found = [_chosen(rows, some, split) for some in places]
        yield name, "10 a class", np.mean(np.subtract(found, base))


def tried(arguments, seed):
    """Yield names and estimators: every combination of the grid of parameters."""
    names, values = zip(*arguments.grid, strict=True)
    for name in arguments.estimators:
        for combination in itertools.product(*values):
            params = dict(zip(names, combination, strict=True))
            label = " ".join(f"{key}={value}" for key, value in params.items())
            yield f"{name} {label}", ESTIMATORS[name](random_state=seed, **params)


def _sample(labels, seed):
    random = np.random.default_rng(seed)
    order = random.permutation(len(labels))
    found = [
        order[labels[order] == one][:LABELS_PER_CLASS] for one in np.unique(labels)
    ]
    return np.concatenate(found)


def _chosen(rows, some, split):
    """Return the accuracy of a logistic regression whose C cross-validation chooses."""
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    model = GridSearchCV(LogisticRegression(max_iter=5000), {"C": CS}, cv=folds)
    train, test = rows[0][some], rows[1]
    if sparse.issparse(train):
        train, test = _rotated(train, test)
    return model.fit(train, split.known[some]).score(test, split.wanted)


def _rotated(train, test):
    """Return documents in the space that `train` spans, which has far fewer columns.

    A linear model with an L2 penalty makes the same decisions there, up to rounding.
    """
    products = (train @ train.T).toarray()
    squares, basis = np.linalg.eigh(products)
    kept = squares > 1e-10 * squares[-1]
    basis = basis[:, kept] / np.sqrt(squares[kept])
    return products @ basis, (test @ train.T).toarray() @ basis


def scale(arguments, split):
    """Yield the same for poolings and scales, and scalers behind, with the grid."""
    base = {head: score(head, split.tfidf, split) for head in arguments.heads}
    for name, embedder in tried(arguments, split.seed):
        for pooling, found in itertools.product(POOLINGS, SCALES):
            other = clone(embedder).set_params(pooling=pooling, scale=found)
            rows = features(other, split)
            for head in arguments.heads:
                gain = score(head, rows, split) - base[head]
                yield f"{name}, {pooling}, {found}", head, gain
        rows = features(embedder, split)
        for length in LENGTHS:
            # Rows of the default are `_features.LENGTH` long.
            longer = [part * (length / LENGTH) for part in rows]
            for head in arguments.heads:
                gain = score(head, longer, split) - base[head]
                yield f"{name}, rows of length {length}", head, gain
        for scaler in (StandardScaler(), Normalizer()):
            scaled = scaler.fit_transform(rows[0]), scaler.transform(rows[1])
            for head in arguments.heads:
                gain = score(head, scaled, split) - score(head, rows, split)
                yield f"{name}, {type(scaler).__name__} behind it", head, gain


def search(arguments, split):
    """Yield the same for every combination of a grid of parameters."""
    base = {head: score(head, split.tfidf, split) for head in arguments.heads}
    for name, embedder in tried(arguments, split.seed):
        start = time.process_time()
        rows = features(embedder, split)
        seconds = time.process_time() - start
        for head in arguments.heads:
            yield name, head, score(head, rows, split) - base[head]
        yield name, "seconds", seconds


def weights(arguments, split):
    """Yield what `KLWeighter` adds to tf-idf of words and pairs; folds fit it anew."""
    found = []
    for steps in ([], [KLWeighter()]):
        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        model = make_pipeline(words, *steps, LogisticRegression(max_iter=5000))
        search = GridSearchCV(model, {"logisticregression__C": CS[1:4]}, cv=3)
        search.fit(split.train, split.known)
        found.append(search.score(split.test, split.wanted))
    yield "tf-idf itself", "logistic", found[0]
    yield "KLWeighter", "logistic", found[1] - found[0]


def _grid(text):
    """Return [(parameter, values)] of text such as ``max_iter=5,15 window=5``."""
    grid = []
    for part in text.split():
        name, _, values = part.partition("=")
        grid.append((name, [_value(value) for value in values.split(",")]))
    return grid


def _value(text):
    if text in WORDS:
        return WORDS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


TASKS = {
    "swap": swap,
    "few": few,
    "scale": scale,
    "search": search,
    "weights": weights,
}


def run(arguments):
    """Return {row: {corpus and column: values}}."""
    found = defaultdict(lambda: defaultdict(list))
    for name in arguments.corpora:
        title = name.split("/")[-1].split(".")[0]
        for seed in range(arguments.seeds):
            split = Split(name, arguments.documents, seed, arguments.max_features)
            for row, column, value in TASKS[arguments.task](arguments, split):
                found[row][title, column].append(value)
            print(f"{title}, seed {seed}", file=sys.stderr, flush=True)
    return found


def report(found):
    """Print means and standard deviations over seeds, and means over corpora."""
    columns = list(dict.fromkeys(key for cells in found.values() for key in cells))
    heads = list(dict.fromkeys(head for _, head in columns))
    for head in heads:
        here = [column for column in columns if column[1] == head]
        rows = []
        for row, cells in found.items():
            values = [cells.get(column) for column in here]
            if not any(values):
                continue
            means = [np.mean(value) for value in values if value]
            rows.append([row, *map(_cell, values), f"{np.mean(means):+.3f}"])
        print(f"\n{head}\n")
        print_table(["", *(corpus for corpus, _ in here), "mean"], rows)


def _cell(values):
    if not values:
        return ""
    return f"{np.mean(values):+.3f} ± {np.std(values, ddof=len(values) > 1):.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--corpora", nargs="+", default=BUILT_IN)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-features", type=int, help="of TfidfVectorizer")
    parser.add_argument("--estimators", nargs="+", default=list(ESTIMATORS))
    parser.add_argument("--heads", nargs="+", default=["logistic", "neighbors"])
    parser.add_argument("--grid", type=_grid, default=_grid("scale=spherical"))
    arguments = parser.parse_args()
    print(describe_machine())
    print(f"{arguments.documents} documents, {arguments.seeds} seeds")
    with warnings.catch_warnings():
        # No default may end in one; what a search tries may.
        of_defaults = arguments.task in ("swap", "few")
        action = "error" if of_defaults else "ignore"
        warnings.simplefilter(action, ConvergenceWarning)
        report(run(arguments))


if __name__ == "__main__":
    main()
