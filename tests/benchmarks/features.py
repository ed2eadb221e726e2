"""What pooled vectors give beside tf-idf: accuracy with all labels, and with few.

    python -m tests.benchmarks.features
    python -m tests.benchmarks.features --data reviews.jsonl.gz --documents 10000

Without `--data`, the documents are those of `skembed.datasets.load_docstrings`; in a
file, a label of -1 means that there is none. For every seed, a quarter of the labelled
documents are held out, and nothing but the accuracy ever sees them. Whatever needs no
labels is fitted on the text of all other documents, with and without label, once:
vectors, poolings, LSA, scaling, and vocabulary and idf of tf-idf. Then a logistic
regression learns from the features of all labelled documents, or of a stratified
sample. Its C comes from cross-validation on these, from the same grid for all.

Dense features are standardised and divided by the root of their number, so that their
squared norm is 1 on average, as it is for tf-idf: the grid then means the same for all,
and both halves of a union count alike.
"""

import argparse
import gzip
import json
import sys
import time
import warnings
from collections import defaultdict
from itertools import islice
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from skembed import GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed.datasets import load_docstrings
from skembed.pooling import make
from skembed.pooling._features import add_tables
from tests.benchmarks.common import describe_machine, print_table, read_documents

# Numbers of labelled documents, and how many samples of them are drawn for each seed.
DRAWS = {50: 3, 200: 3, 1000: 1}
GRID = (0.1, 1.0, 10.0, 100.0, 1000.0)
N_FOLDS = 3
POOLINGS = ("mean", "tfidf", "sif", "usif", "mean_max")
IN_UNIONS = ("mean", "sif")
EMBEDDERS = {
    "SGNS": SGNSEmbedder(),
    "PPMI-SVD": PPMISVDEmbedder(window=5),
    "GloVe": GloVeEmbedder(),
}
N_COMPONENTS = 100
# More rows than this are left as they are by `compressed`.
MAX_COMPRESSED = 3000


class Rows(NamedTuple):
    """Positions of documents, ascending."""

    known: np.ndarray  # text may be used: all but `test`
    train: np.ndarray  # labelled ones of `known`
    test: np.ndarray  # held out


def read_labels(path, limit):
    """Return the field ``label`` of a JSON-lines file (may end in .gz)."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["label"] for line in islice(lines, limit)]


def read_labelled(path, limit):
    """Return texts and labels of a file, or of `load_docstrings` if there is none."""
    if path:
        return read_documents(path, limit), np.array(read_labels(path, limit))
    texts, labels = load_docstrings(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(texts))[:limit]
    return [texts[i] for i in order], labels[order]


def split(labels, seed):
    """Hold out a quarter of the labelled documents; a label of -1 is none."""
    labelled = np.flatnonzero(labels != -1)
    train, test = train_test_split(
        labelled, test_size=0.25, stratify=labels[labelled], random_state=seed
    )
    known = np.setdiff1d(np.arange(len(labels)), test)
    return Rows(known, np.sort(train), np.sort(test))


def scaled(known, others):
    """Standardise columns; rows of `known` get a mean squared norm of 1."""
    scaler = StandardScaler().fit(known)
    return [scaler.transform(X) / np.sqrt(X.shape[1]) for X in (known, *others)]


def pooled(embedder, known, test):
    """Yield a pooling's name and the features of documents, `embedder` being fitted.

    This is what `transform` of an embedder with this pooling returns, but the vectors
    are trained only once for all of them.
    """
    vectors = embedder.word_vectors_
    if embedder.combine == "sum":
        vectors = add_tables(vectors, embedder.context_vectors_)
    counter = CountVectorizer(vocabulary=embedder.vocabulary_, dtype=np.float32)
    counts = [sparse.csr_array(counter.transform(texts)) for texts in (known, test)]
    for name in POOLINGS:
        pooling = make(name).fit(counts[0], vectors)
        yield name, *(pooling.pool(some, vectors) for some in counts)


def feature_sets(texts, rows, seed):
    """Yield name, features of `rows.train` and of `rows.test`, of every way."""
    known, test = ([texts[i] for i in some] for some in (rows.known, rows.test))
    train = np.searchsorted(rows.known, rows.train)
    tfidf = TfidfVectorizer()
    words = [tfidf.fit_transform(known), tfidf.transform(test)]
    yield "tf-idf", words[0][train], words[1]
    more = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    pairs = [more.fit_transform(known), more.transform(test)]
    yield "tf-idf, words and pairs", pairs[0][train], pairs[1]
    svd = TruncatedSVD(N_COMPONENTS, random_state=seed)
    dense = [svd.fit_transform(words[0]), svd.transform(words[1])]
    yield from _with_union("LSA", words, dense, train)
    for name, embedder in EMBEDDERS.items():
        embedder.set_params(n_components=N_COMPONENTS, random_state=seed).fit(known)
        for pooling, *dense in pooled(embedder, known, test):
            title = f"{name}, {pooling}"
            both = _with_union(title, words, dense, train)
            yield from both if pooling in IN_UNIONS else islice(both, 1)


def _with_union(name, words, dense, train):
    """Yield dense features, scaled, then their union with those of words."""
    known, test = scaled(dense[0], dense[1:])
    yield name, known[train], test
    union = [
        sparse.hstack([some, rows], format="csr")
        for some, rows in ((words[0][train], known[train]), (words[1], test))
    ]
    yield f"tf-idf and {name}", *union


def compressed(train, test):
    """Rotate features into the space that the rows of `train` span.

    A classifier with an L2 penalty has its weights in there, so it learns the same,
    from as many columns as there are rows.
    """
    if not MAX_COMPRESSED >= train.shape[0] < train.shape[1]:
        return train, test
    products, others = ((X @ train.T) for X in (train, test))
    if sparse.issparse(products):
        products, others = products.toarray(), others.toarray()
    values, vectors = np.linalg.eigh(products)
    kept = values > 1e-10 * values[-1]
    rotation = vectors[:, kept] / np.sqrt(values[kept])
    return products @ rotation, others @ rotation


def path(train, labels, grid=GRID):
    """Yield the classifier for every C, ascending; it goes on from the one before."""
    model = LogisticRegression(warm_start=True, max_iter=10_000)
    for C in grid:
        yield model.set_params(C=C).fit(train, labels)


def accuracy(train, labels, test, wanted, seed):
    """Return the accuracy on `test`, and the place in the grid of the chosen C."""
    train, test = compressed(train, test)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        # A class may have a single document in a small sample.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        warnings.filterwarnings("ignore", "The number of unique", UserWarning)
        n_right = np.zeros(len(GRID), dtype=int)
        for some, rest in folds.split(np.zeros(len(labels)), labels):
            for place, model in enumerate(path(train[some], labels[some])):
                n_right[place] += np.sum(model.predict(train[rest]) == labels[rest])
        # The first of equals: the strongest penalty.
        best = int(np.argmax(n_right))
        *_, model = path(train, labels, GRID[: best + 1])
    return float(np.mean(model.predict(test) == wanted)), best


def samples(labels, seed, draws=None):
    """Yield number of labels and positions: stratified samples, then everything."""
    everything = np.arange(len(labels))
    for n_labels, n_draws in (draws or DRAWS).items():
        if len(labels) - n_labels < len(np.unique(labels)):
            continue
        for draw in range(n_draws):
            chosen, _ = train_test_split(
                everything,
                train_size=n_labels,
                stratify=labels,
                random_state=1000 * seed + draw,
            )
            yield n_labels, chosen
    yield len(labels), everything


def run(texts, labels, seeds):
    """Return {name: {number of labels: accuracies}} and how often each C was taken."""
    scores = defaultdict(lambda: defaultdict(list))
    taken = defaultdict(lambda: np.zeros(len(GRID), dtype=int))
    for seed in range(seeds):
        rows = split(labels, seed)
        drawn = list(samples(labels[rows.train], seed))
        start = time.perf_counter()
        for name, train, test in feature_sets(texts, rows, seed):
            for n_labels, chosen in drawn:
                wanted = labels[rows.train][chosen]
                result, place = accuracy(
                    train[chosen], wanted, test, labels[rows.test], seed
                )
                scores[name][n_labels].append(result)
                taken[name][place] += 1
            means = ", ".join(f"{np.mean(x):.3f}" for x in scores[name].values())
            seconds = time.perf_counter() - start
            line = f"seed {seed}, {seconds:4.0f} s: {name}: {means}"
            print(line, file=sys.stderr, flush=True)
    return scores, taken


def report(scores, taken):
    """Print the accuracies, and their differences from those of tf-idf."""
    sizes = list(scores["tf-idf"])
    header = [*(f"{size} labels" for size in sizes[:-1]), f"all {sizes[-1]}"]
    rows = [
        [name, *(spread(found[size], "{:.3f}") for size in sizes)]
        for name, found in scores.items()
    ]
    print_table(["features", *header], rows)
    print("\nMinus tf-idf in the same sample, in percentage points:\n")
    rows = []
    for name, found in scores.items():
        pairs = ((found[size], scores["tf-idf"][size]) for size in sizes)
        gains = [100 * np.subtract(*pair) for pair in pairs]
        rows.append([name, *(spread(gain, "{:+.1f}", "{:.1f}") for gain in gains)])
    print_table(["features", *header], rows[1:])
    share = sum(taken.values()) / sum(counts.sum() for counts in taken.values())
    cells = (f"{C:g} {part:.0%}" for C, part in zip(GRID, share, strict=True))
    print(f"\nHow often each C was taken: {', '.join(cells)}")


def spread(values, form, form_of_spread=None):
    """Return mean and standard deviation as text."""
    deviation = (form_of_spread or form).format(np.std(values, ddof=len(values) > 1))
    return f"{form.format(np.mean(values))} ± {deviation}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="JSON lines with fields text and label")
    parser.add_argument("--documents", type=int, default=None)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(describe_machine())
    texts, labels = read_labelled(options.data, options.documents)
    n_labelled = int(np.sum(labels != -1))
    print(
        f"{len(texts)} documents, {n_labelled} of them labelled, "
        f"{len(np.unique(labels[labels != -1]))} classes, {options.seeds} seeds\n"
    )
    report(*run(texts, labels, options.seeds))


if __name__ == "__main__":
    main()
