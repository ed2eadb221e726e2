"""Accuracy with one pooling or another, alone and beside tf-idf of words and pairs.

    python -m tests.benchmarks.poolings
    python -m tests.benchmarks.poolings --data reviews.jsonl.gz --documents 4000

Without `--data`, the documents are those of `skembed.datasets.load_docstrings`; in a
file, a label of -1 means that there is none. Splits and samples are those of
`tests.benchmarks.features`: nothing but the accuracy sees the held-out quarter, and
whatever needs no labels is fitted on the text of all other documents. One fit of the
embedder serves all poolings.

All features are treated alike. Columns of dense ones are centred, and all features are
divided by one number, so that their mean squared norm is 1. Beside tf-idf they are
multiplied by a weight of `WEIGHTS`. C of a logistic regression and this weight come
from cross-validation on the labels of the sample.

Beside the poolings of the package stand small versions of

- SCDV (Mekala et al. 2017): word vectors times their probabilities of the components of
  a Gaussian mixture, side by side, times idf; sums over documents, small entries set to
  0;
- P-SIF (Gupta et al. 2020): word vectors times coefficients of sparse coding, side by
  side, times weights of SIF; means without the first component;
- soft tf-idf (after Sidorov et al. 2014): tf-idf times a sparse matrix of similarities
  of words.
"""

import argparse
import sys
import time
import warnings
from collections import defaultdict

import numpy as np
from scipy import linalg, sparse
from sklearn.decomposition import MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from skembed import PPMISVDEmbedder, SGNSEmbedder
from skembed.datasets import load_docstrings
from skembed.pooling import SIFPooling, make
from tests.benchmarks.common import describe_machine, print_table, read_documents
from tests.benchmarks.features import (
    path,
    read_labels,
    samples,
    split,
    spread,
)

DRAWS = {50: 3, 500: 1}
GRID = (1.0, 10.0, 100.0)
WEIGHTS = (0.25, 1.0)
N_FOLDS = 3
# Components of a mixture, atoms of a dictionary, and how many of these a word has.
N_TOPICS, N_ATOMS = 20, 5
# Nearest words that a word is similar to.
N_SIMILAR = 20
TFIDF = "tf-idf, words and pairs"
EMBEDDERS = {"SGNS": SGNSEmbedder(), "PPMI-SVD": PPMISVDEmbedder(window=5)}
POOLINGS = ("mean", "tfidf", "sif", "vlad")


def idf(counts):
    """Return idf of words, of documents x words."""
    return TfidfTransformer().fit(counts).idf_


def scdv(known, test, vectors):
    """Return sparse composite document vectors; p = 4 % as in the paper."""
    mixture = GaussianMixture(
        N_TOPICS, covariance_type="tied", max_iter=50, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probabilities = mixture.fit(vectors).predict_proba(vectors)
    table = _products(probabilities, vectors) * idf(known)[:, np.newaxis]
    rows = [normalize(counts @ table) for counts in (known, test)]
    extremes = rows[0].min(axis=1).mean(), rows[0].max(axis=1).mean()
    threshold = 0.04 * np.abs(extremes).mean()
    return [np.where(np.abs(some) < threshold, 0, some) for some in rows]


def p_sif(known, test, vectors):
    """Return partitioned smooth inverse frequency embeddings."""
    coder = MiniBatchDictionaryLearning(
        N_TOPICS,
        batch_size=256,
        max_iter=20,
        transform_algorithm="omp",
        transform_n_nonzero_coefs=N_ATOMS,
        random_state=0,
    )
    table = _products(coder.fit(vectors).transform(vectors), vectors)
    pooling = SIFPooling().fit(known, table)
    return [pooling.pool(counts, table) for counts in (known, test)]


def _products(topics, vectors):
    """Return each word's vector times each of its topics, side by side."""
    table = topics[:, :, np.newaxis] * vectors[:, np.newaxis]
    return table.reshape(len(vectors), -1).astype(np.float32)


def soft_tfidf(known, test, vectors):
    """Return tf-idf times squared cosines of nearest words."""
    vectors = normalize(vectors)
    index = NearestNeighbors(n_neighbors=N_SIMILAR + 1, algorithm="brute").fit(vectors)
    similar = index.kneighbors_graph(mode="distance")
    # Of unit vectors; a word has a distance of 0 from itself.
    similar.data = np.maximum(1 - similar.data**2 / 2, 0) ** 2
    similar.setdiag(1.0)
    transformer = TfidfTransformer(sublinear_tf=True).fit(known)
    return [
        sparse.csr_array(transformer.transform(counts) @ similar)
        for counts in (known, test)
    ]


OTHERS = {"SCDV": scdv, "P-SIF": p_sif, "soft tf-idf": soft_tfidf}


def feature_sets(embedder, known, test):
    """Yield name and features, `embedder` being fitted on `known`."""
    vectors = embedder.word_vectors_
    counter = CountVectorizer(vocabulary=embedder.vocabulary_, dtype=np.float32)
    counts = [sparse.csr_array(counter.transform(texts)) for texts in (known, test)]
    for name in POOLINGS:
        fitted = make(name).fit(counts[0], vectors)
        yield name, [fitted.pool(some, vectors) for some in counts]
    for name, features in OTHERS.items():
        yield name, features(*counts, vectors)


def kernels(known, test, train):
    """Return inner products of training and of test rows with training rows.

    These are all that a classifier with an L2 penalty depends on.
    """
    if not sparse.issparse(known):
        known, test = known - known.mean(axis=0), test - known.mean(axis=0)
    norm = np.sqrt((known**2).sum() / known.shape[0])
    known, test = (rows.astype(np.float64) / norm for rows in (known[train], test))
    products = [rows @ known.T for rows in (known, test)]
    return [X.toarray() if sparse.issparse(X) else X for X in products]


def kernel_sets(texts, rows, embedder):
    """Yield name and kernels, one or more pairs that are to be chosen from."""
    known, test = ([texts[i] for i in some] for some in (rows.known, rows.test))
    train = np.searchsorted(rows.known, rows.train)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    words = [
        sparse.csr_array(X)
        for X in (vectorizer.fit_transform(known), vectorizer.transform(test))
    ]
    words = kernels(*words, train)
    yield TFIDF, [words]
    for name, features in feature_sets(embedder.fit(known), known, test):
        other = kernels(*features, train)
        yield name, [other]
        yield (
            f"with {name}",
            [
                [a + w**2 * b for a, b in zip(words, other, strict=True)]
                for w in WEIGHTS
            ],
        )


def rotated(train, test):
    """Return rows in the coordinates of the space that training rows span."""
    ridge = 1e-9 * np.trace(train)
    factor = linalg.cholesky(train + ridge * np.eye(len(train)), lower=True)
    return factor, linalg.solve_triangular(factor, test.T, lower=True).T


def accuracy(candidates, labels, wanted, seed):
    """Return the accuracy of the candidate and C that cross-validation prefers."""
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    n_right = np.zeros((len(candidates), len(GRID)), dtype=int)
    candidates = [rotated(*kernel) for kernel in candidates]
    with warnings.catch_warnings():
        # A class may have a single document in a small sample.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        warnings.filterwarnings("ignore", "The number of unique", UserWarning)
        for row, (train, _) in zip(n_right, candidates, strict=True):
            for some, rest in folds.split(np.zeros(len(labels)), labels):
                for place, model in enumerate(path(train[some], labels[some], GRID)):
                    row[place] += np.sum(model.predict(train[rest]) == labels[rest])
        # The first of equals: the smallest weight and the strongest penalty.
        best, place = np.unravel_index(np.argmax(n_right), n_right.shape)
        train, test = candidates[best]
        *_, model = path(train, labels, GRID[: place + 1])
    return float(np.mean(model.predict(test) == wanted))


def run(texts, labels, seeds, embedder):
    """Return {name: {number of labels: accuracies}}."""
    scores = defaultdict(lambda: defaultdict(list))
    for seed in range(seeds):
        rows = split(labels, seed)
        drawn = list(samples(labels[rows.train], seed, DRAWS))
        start = time.perf_counter()
        embedder.set_params(random_state=seed)
        for name, candidates in kernel_sets(texts, rows, embedder):
            for n_labels, chosen in drawn:
                some = [
                    (train[np.ix_(chosen, chosen)], test[:, chosen])
                    for train, test in candidates
                ]
                result = accuracy(
                    some, labels[rows.train][chosen], labels[rows.test], seed
                )
                scores[name][n_labels].append(result)
            means = ", ".join(f"{np.mean(x):.3f}" for x in scores[name].values())
            seconds = time.perf_counter() - start
            line = f"seed {seed}, {seconds:4.0f} s: {name}: {means}"
            print(line, file=sys.stderr, flush=True)
    return scores


def report(scores):
    """Print accuracies alone, and what the features add to tf-idf."""
    sizes = list(scores[TFIDF])
    labels = [*(f"{size} labels" for size in sizes[:-1]), f"all {sizes[-1]}"]
    rows = []
    for name, found in scores.items():
        if name.startswith("with "):
            continue
        row = [name, *(spread(found[size], "{:.3f}") for size in sizes)]
        both = scores.get(f"with {name}")
        for size in sizes:
            gain = both and 100 * np.subtract(both[size], scores[TFIDF][size])
            row.append(spread(gain, "{:+.1f}", "{:.1f}") if both else "")
        rows.append(row)
    print_table(["features", *labels, *(f"beside, {size}" for size in labels)], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="JSON lines with fields text and label")
    parser.add_argument("--documents", type=int, default=None)
    parser.add_argument("--embedder", choices=EMBEDDERS, default="PPMI-SVD")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    print(describe_machine())
    if options.data:
        texts = read_documents(options.data, options.documents)
        labels = np.array(read_labels(options.data, options.documents))
    else:
        texts, labels = load_docstrings(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(texts))[: options.documents]
        texts, labels = [texts[i] for i in order], labels[order]
    n_labelled = int(np.sum(labels != -1))
    print(
        f"{options.embedder}; {len(texts)} documents, {n_labelled} of them labelled, "
        f"{len(np.unique(labels[labels != -1]))} classes, {options.seeds} seeds\n"
    )
    report(run(texts, labels, options.seeds, EMBEDDERS[options.embedder]))


if __name__ == "__main__":
    main()
