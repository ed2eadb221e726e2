"""Poolings: document features from word vectors, against slow loops in float64."""

import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.utils._param_validation import InvalidParameterError
from threadpoolctl import threadpool_limits

from skembed import PPMISVDEmbedder, pooling
from skembed.pooling import (
    POOLINGS,
    Pooling,
    SIFPooling,
    TfidfPooling,
    TopicalPooling,
    USIFPooling,
    VLADPooling,
    _features,
    _rows,
    make,
    n_parts,
)
from tests.helpers import DOCUMENTS, ESTIMATORS, PLAIN, TOKENISED, cheap, traced

pytestmark = pytest.mark.small

N_WORDS = 6
NAMES = list(POOLINGS)
PLAIN_NAMES = ["mean", "max", "sum", "mean_max"]
LEARNING = ["tfidf", "sif", "usif", "topical", "vlad"]
# Lists of entries (word, how often); a word may come again, in any order.
entries = st.tuples(
    st.integers(0, N_WORDS - 1), st.sampled_from([0.0, 1.0, 1.0, 2.0, 0.25, 7.0])
)
documents = st.lists(st.lists(entries, max_size=12), max_size=6)
texts = st.lists(st.lists(st.integers(0, N_WORDS - 1), max_size=12), max_size=6)
seeds = st.integers(0, 2**16)


def matrix_of(documents, dtype=np.float64, n_words=N_WORDS):
    """Documents of (word, count) as a CSR array in which nothing is put in order."""
    flat = [entry for document in documents for entry in document]
    offsets = np.cumsum([0, *map(len, documents)]).astype(np.int32)
    words = np.array([word for word, _ in flat], dtype=np.int32)
    counts = np.array([count for _, count in flat], dtype=dtype)
    return sparse.csr_array((counts, words, offsets), shape=(len(documents), n_words))


def text_of(documents, n_words=N_WORDS):
    """Lists of words as the matrix of a text: each token is an entry of 1."""
    ones = [[(word, 1) for word in words] for words in documents]
    return matrix_of(ones, np.float32, n_words)


def draw_vectors(seed, n_features=3, n_words=N_WORDS):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_words, n_features)).astype(np.float32)


def draw_text(seed, n_documents=20, n_words=N_WORDS, longest=12):
    rng = np.random.default_rng(seed)
    # Some words are frequent, some documents empty.
    frequencies = 1 / np.arange(1, n_words + 1)
    frequencies /= frequencies.sum()
    return [
        rng.choice(n_words, size=rng.integers(longest + 1), p=frequencies).tolist()
        for _ in range(n_documents)
    ]


# --- slow twins: dense rows of counts, float64, one step after the other --------------


def twin_mean(counts, vectors, weights=None):
    rows = np.zeros((len(counts), vectors.shape[1]))
    for row, document in enumerate(counts):
        for word, count in enumerate(document):
            if document.sum() > 0:
                weight = 1.0 if weights is None else weights[word]
                rows[row] += count * weight * vectors[word] / document.sum()
    return rows


def twin_max(counts, vectors):
    rows = np.zeros((len(counts), vectors.shape[1]))
    for row, document in enumerate(counts):
        present = [vectors[word] for word, count in enumerate(document) if count > 0]
        if present:
            rows[row] = np.max(present, axis=0)
    return rows


def twin_idf(train, repeats):
    frequencies = (train > 0).astype(np.float64).T @ repeats
    return np.log((1 + repeats.sum()) / (1 + frequencies)) + 1


def twin_tfidf(counts, vectors, train, repeats):
    weighted = counts * twin_idf(train, repeats)
    return twin_mean(weighted, vectors)


def twin_probabilities(train, repeats):
    occurrences = train.T @ repeats
    return occurrences / max(occurrences.sum(), 1e-300)


def twin_removed(rows, train_rows, repeats, n_removed, share):
    """Remove what a dense decomposition of the repeated training rows finds."""
    stacked = np.sqrt(repeats)[:, np.newaxis] * train_rows
    _, values, components = np.linalg.svd(stacked, full_matrices=False)
    found = values[:n_removed] > 1e-5 * max(values[:1], default=0)
    values, components = values[:n_removed][found], components[:n_removed][found]
    for value, component in zip(values, components, strict=True):
        part = share(value, values)
        for row in rows:
            row -= part * (row @ component) * component
    return rows


def twin_sif(counts, vectors, train, repeats, a=1e-3, n_removed=1):
    weights = a / (a + twin_probabilities(train, repeats))
    rows, train_rows = (twin_mean(one, vectors, weights) for one in (counts, train))
    return twin_removed(rows, train_rows, repeats, n_removed, lambda *_: 1.0)


def twin_usif(counts, vectors, train, repeats, n_removed=5):
    probabilities = twin_probabilities(train, repeats)
    lengths = train.sum(axis=1)
    known = probabilities > 0
    n_known = max(1, known.sum())
    n_texts = repeats[lengths > 0].sum()
    length = max(1.0, lengths @ repeats / n_texts) if n_texts else 1.0
    often = probabilities[known] > 1 - (1 - 1 / n_known) ** length + 1e-12
    alpha = often.sum() / n_known
    if alpha:
        a = (1 - alpha) / (alpha * 0.5 * n_known)
        weights = a / (0.5 * a + probabilities)
    else:
        weights = np.full(len(probabilities), 2.0)
    rows, train_rows = (twin_mean(one, vectors, weights) for one in (counts, train))
    return twin_removed(
        rows, train_rows, repeats, n_removed, lambda s, all_s: s**2 / (all_s**2).sum()
    )


def twin_dampened(counts):
    """Return 1 + ln n for counts of at least 1, and counts below 1."""
    dampened = [[1 + math.log(n) if n >= 1 else n for n in row] for row in counts]
    return np.array(dampened).reshape(counts.shape)


def twin_topical(counts, vectors, train, repeats):
    """Directions of documents, added to each of their words one after the other."""
    idf = twin_idf(train, repeats)
    train, counts = twin_dampened(train), twin_dampened(counts)
    rows = twin_mean(train * idf, vectors)
    known = rows.any(axis=1) & (repeats > 0)
    second = np.zeros_like(vectors)
    if known.any():
        directions = rows - np.average(rows[known], axis=0, weights=repeats[known])
        nothing = 1e-5 * np.abs(vectors).max()
        for word in np.flatnonzero(vectors.any(axis=1)):
            n_documents = 0.0
            for document in np.flatnonzero(known & (train[:, word] > 0)):
                n_documents += repeats[document]
                direction = directions[document]
                if np.abs(direction).max() > nothing:
                    length = math.hypot(*direction)
                    share = repeats[document] * train[document, word] / length
                    second[word] += share * direction
            second[word] /= math.sqrt(n_documents or 1.0)
        seen = (train[known] > 0).any(axis=0)
        if second.any():
            sizes = np.linalg.norm(vectors[seen]), np.linalg.norm(second)
            second *= sizes[0] / sizes[1]
    return twin_mean(counts * idf, vectors + second)


def twin_vlad(counts, vectors, train, repeats, centres=None):
    """Rows of one block per centre; one word after the other."""
    idf = twin_idf(train, repeats)
    if centres is None:
        # Of less than 20 words: one cluster, and nine blocks of zeros.
        known = vectors[vectors.any(axis=1)]
        centre = known.mean(axis=0) if len(known) else vectors.sum(axis=0)
        centres = np.array([centre] * 10)
    rows = np.zeros((len(counts), *centres.shape))
    for row, document in zip(rows, counts, strict=True):
        sizes = np.zeros_like(row)
        for word in np.flatnonzero(document * vectors.any(axis=1)):
            n = document[word]
            weight = idf[word] * (1 + math.log(n) if n >= 1 else n)
            cluster = np.argmin([math.dist(vectors[word], one) for one in centres])
            row[cluster] += weight * (vectors[word] - centres[cluster])
            sizes[cluster] += weight * np.abs(vectors[word] - centres[cluster]).max()
        row[np.abs(row) < 1e-9 * sizes] = 0
        if row.any():
            row /= np.abs(row).max()
            row[:] = np.sign(row) * np.sqrt(np.abs(row))
            row /= np.sqrt((row**2).sum())
    return rows.reshape(len(counts), centres.size)


def twin_of(name, X, vectors, train=None, repeats=None):
    counts = X.toarray().astype(np.float64)
    train = counts if train is None else train.toarray().astype(np.float64)
    repeats = np.ones(len(train)) if repeats is None else np.asarray(repeats, float)
    vectors = vectors.astype(np.float64)
    if name in LEARNING:
        twin = globals()[f"twin_{name}"]
        return twin(counts, vectors, train, repeats)
    mean, largest = twin_mean(counts, vectors), twin_max(counts, vectors)
    return {
        "mean": mean,
        "max": largest,
        "sum": counts @ vectors,
        "mean_max": np.hstack([mean, largest]),
    }[name]


def assert_close(features, expected, vectors):
    # Squares of singular values that hardly differ turn components into each other,
    # so tests of components draw vectors for which they differ.
    scale = max(1.0, np.abs(vectors).max(initial=0.0))
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=2e-5 * scale)


def spread_vectors(seed, n_features=3):
    """Vectors whose documents have one direction after the other in common."""
    vectors = draw_vectors(seed, n_features)
    return (vectors + 0.5) * np.float32(0.3) ** np.arange(n_features, dtype=np.float32)


# --- values ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PLAIN_NAMES, "tfidf", "topical", "vlad"])
@given(documents, documents, st.integers(1, 4), seeds)
def test_against_a_loop(name, train, documents, n_features, seed):
    vectors = draw_vectors(seed, n_features)
    X, train = matrix_of(documents), matrix_of(train)
    pool = make(name).fit(train, vectors)
    features = pool.pool(X, vectors)
    assert isinstance(features, np.ndarray)
    assert features.dtype == np.float64
    assert features.shape == (len(documents), n_parts(pool) * n_features)
    assert_close(features, twin_of(name, X, vectors, train), 7 * 12 * vectors)
    empty = X.toarray().sum(axis=1) == 0
    np.testing.assert_array_equal(features[empty], 0.0)


@pytest.mark.parametrize("name", ["sif", "usif"])
@given(documents, documents, st.integers(1, 3), seeds)
def test_components_against_a_dense_decomposition(
    name, train, documents, n_features, seed
):
    vectors = spread_vectors(seed, n_features)
    X, train = matrix_of(documents), matrix_of(train)
    pool = make(name).fit(train, vectors)
    squares = np.zeros(n_features + 1)
    unremoved = make(name).set_params(n_removed=0).fit(train, vectors)
    rows = unremoved.pool(train, vectors)
    values = np.linalg.svd(rows, compute_uv=False)
    squares[: values.size] = values**2
    gaps = -np.diff(squares) / np.maximum(squares[:-1], 1e-300)
    # Where two singular values hardly differ, rounding turns their vectors.
    assume(((gaps > 0.01) | (squares[:-1] < 1e-20))[: pool.n_removed].all())
    assume(((squares > 1e-8 * squares[0]) | (squares < 1e-12 * squares[0])).all())
    features = pool.pool(X, vectors)
    assert features.shape == (len(documents), n_features)
    assert_close(features, twin_of(name, X, vectors, train), 10 * vectors)


@pytest.mark.parametrize("name", NAMES)
def test_against_a_loop_on_more_documents(name):
    vectors = spread_vectors(0, 8)
    train, X = text_of(draw_text(0, 60)), text_of(draw_text(1, 30))
    pool = make(name).fit(train, vectors)
    expected = twin_of(name, X, vectors, train)
    assert expected.any(axis=1).sum() > 20
    assert_close(pool.pool(X, vectors), expected, vectors)
    if name in LEARNING:
        # It must make a difference which documents are the training documents.
        other = clone(pool).fit(X, vectors).pool(X, vectors)
        assert np.abs(other - expected).max() > 1e-3


@given(documents, seeds, st.integers(1, 20))
def test_document_frequencies_are_sums_of_weights(documents, seed, merged):
    """Of documents with a positive count, however many entries a word has."""
    X = matrix_of(documents)
    weights = np.random.default_rng(seed).integers(0, 9, X.shape[0]) / 4
    with mock.patch.object(_rows, "_MERGED", merged):
        found = _rows.document_frequencies(X, weights)
    np.testing.assert_array_equal(found, (X.toarray() > 0).T @ weights)


@pytest.mark.parametrize("name", LEARNING)
def test_what_is_learned_has_the_same_bits_for_any_number_of_threads(name, monkeypatch):
    monkeypatch.setattr(_features, "LEARNED_AT_ONCE", 20)
    monkeypatch.setattr(_features, "n_threads", lambda n_jobs, at_most: n_jobs)
    weights = np.random.default_rng(0).random(len(DOCUMENTS))
    found = [
        vars(
            cheap(PPMISVDEmbedder, pooling=name, n_jobs=n_jobs)
            .fit(DOCUMENTS, sample_weight=weights)
            .pooling_
        )
        for n_jobs in (1, 2, 3, 7)
    ]
    for other in found[1:]:
        for attribute, value in found[0].items():
            np.testing.assert_array_equal(other[attribute], value)


def test_tfidf_against_scikit_learn():
    train = [f"w{' w'.join(map(str, words))} w0" for words in draw_text(0, 40) if words]
    texts = ["w1 w1 w2 unknown", "w3 w0 w0 w0 w5 w4", "w2"]
    vocabulary = [f"w{word}" for word in range(N_WORDS)]
    vectorizer = TfidfVectorizer(norm=None, vocabulary=vocabulary)
    weights = vectorizer.fit(train).transform(texts).toarray()
    vectors = draw_vectors(0)
    expected = weights @ vectors / weights.sum(axis=1, keepdims=True)
    counter = CountVectorizer(vocabulary=vocabulary)
    pool = TfidfPooling().fit(counter.transform(train), vectors)
    np.testing.assert_allclose(pool.idf_, vectorizer.idf_, rtol=1e-12)
    features = pool.pool(counter.transform(texts), vectors)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


def test_sif_by_hand():
    # Word 0 three times in four: weights 1 / (1 + 3) and 1 / (1 + 1).
    vectors = np.array([[4, 0], [0, 2]], dtype=np.float32)
    X = text_of([[0, 0], [0, 1]], n_words=2)
    pool = SIFPooling(a=0.25, n_removed=0).fit(X, vectors)
    np.testing.assert_allclose(pool.word_weights_, [0.25, 0.5])
    np.testing.assert_allclose(pool.pool(X, vectors), [[1, 0], [0.5, 0.5]])
    # All training documents lie on one axis, which goes.
    axis = SIFPooling(a=0.25).fit(text_of([[0], [0, 0]], n_words=2), vectors)
    np.testing.assert_allclose(np.abs(axis.components_), [[1, 0]], atol=1e-12)
    features = axis.pool(X, vectors)
    np.testing.assert_allclose(features, [[0, 0], [0, 1]], atol=1e-7)


def test_usif_by_hand():
    # Lengths 3, 5 and 0: n = 4, and 1 - (1 - 1/2)**4 = 0.9375 exceeds both words'.
    X = text_of([[0, 0, 1], [0, 0, 0, 1, 0], []], n_words=3)
    vectors = draw_vectors(0, n_words=3)
    same = USIFPooling(n_removed=0).fit(X, vectors)
    assert same.a_ == np.inf
    np.testing.assert_array_equal(same.word_weights_, 2.0)
    # n = 1 and four words: more than 1/4 has word 0 alone, so alpha = 1/4, Z = 2.
    pool = USIFPooling().fit(text_of([[0], [0], [0], [1], [2], [3]]), draw_vectors(0))
    a = (1 - 0.25) / (0.25 * 2)
    assert pool.a_ == pytest.approx(a)
    p = np.array([3, 1, 1, 1, 0, 0]) / 6
    np.testing.assert_allclose(pool.word_weights_, a / (a / 2 + p))
    assert pool.component_weights_.sum() == pytest.approx(1)


def test_length_in_usif():
    """Empty documents do not count, and no mean length is below 1."""
    vectors = draw_vectors(0)
    few = USIFPooling().fit(text_of([[0, 0, 0, 1], [], [], []]), vectors)
    assert few.a_ == np.inf
    texts = [[0], [0], [0], [1], [2], [3]]
    tiny = matrix_of([[(word, 0.2) for word in words] for words in texts])
    whole = USIFPooling().fit(text_of(texts), vectors)
    assert USIFPooling().fit(tiny, vectors).a_ == pytest.approx(whole.a_)


def test_equal_words_weigh_the_same():
    """Of words that are equally frequent none is frequent, whatever the rounding."""
    for n_words in range(1, 200):
        X = text_of([[word] for word in range(n_words)], n_words)
        pool = USIFPooling(n_removed=0).fit(X, draw_vectors(0, 1, n_words))
        assert pool.a_ == np.inf


@pytest.mark.parametrize("n_removed", [1, 2, 50])
def test_components_are_removed(n_removed):
    vectors = draw_vectors(0, 4)
    X = text_of(draw_text(0))
    pool = SIFPooling(n_removed=n_removed).fit(X, vectors)
    n_found = min(n_removed, 4)
    assert pool.components_.shape == (n_found, 4)
    products = pool.components_ @ pool.components_.T
    np.testing.assert_allclose(products, np.eye(n_found), atol=1e-12)
    features = pool.pool(X, vectors)
    np.testing.assert_allclose(features @ pool.components_.T, 0, atol=1e-12)
    assert (np.linalg.matrix_rank(features, tol=1e-9)) == 4 - n_found
    largest = np.abs(pool.components_).argmax(axis=1)
    assert (pool.components_[np.arange(n_found), largest] > 0).all()


# --- what a row depends on ------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@given(documents, st.integers(0, 6), st.integers(0, 6), st.integers(1, 3))
def test_a_row_depends_on_its_document_alone(name, documents, first, last, n_features):
    vectors = spread_vectors(0, n_features)
    pool = make(name).fit(text_of(draw_text(0)), vectors)
    whole = pool.pool(matrix_of(documents), vectors)
    part = pool.pool(matrix_of(documents[first:last]), vectors)
    assert whole[first:last].tobytes() == part.tobytes()
    backwards = pool.pool(matrix_of(documents[::-1]), vectors)
    assert whole[::-1].tobytes() == backwards.tobytes()


@pytest.mark.parametrize("n_features", [1, 2, 7, 100])
@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_batch_or_chunk(name, n_features, monkeypatch):
    n_words = 300
    texts = [*draw_text(0, 40, n_words, 30), *draw_text(1, 5, n_words, 1000), []]
    vectors = draw_vectors(0, n_features, n_words)
    X = text_of(texts, n_words)
    pool = make(name).fit(X, vectors)
    whole = pool.pool(X, vectors)
    for row, words in enumerate(texts):
        alone = pool.pool(text_of([words], n_words), vectors)
        assert alone.tobytes() == whole[row].tobytes()
    # As counts in float64, with one document that does not hold whole numbers.
    entries = [[(word, 1) for word in words] for words in texts]
    mixed = pool.pool(matrix_of([*entries, [(0, 0.3)]], n_words=n_words), vectors)
    assert mixed[:-1].tobytes() == whole.tobytes()
    for chunk in (1, 50, 700):
        monkeypatch.setattr(_rows, "CHUNK", chunk)
        assert pool.pool(X, vectors).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", ["max", "mean_max"])
@pytest.mark.parametrize(("short", "copied"), [(1, 1), (1, 7), (5, 5), (20, 40)])
def test_any_way_to_find_maxima(name, short, copied, monkeypatch):
    vectors = draw_vectors(0) * np.float32(-1) - 5  # all negative: zeros would show
    X = text_of(draw_text(0, 50, longest=30))
    expected = twin_of(name, X, vectors)
    monkeypatch.setattr(_rows, "_SHORT", short)
    monkeypatch.setattr(_rows, "_COPIED", copied)
    assert_close(make(name).pool(X, vectors), expected, vectors)


def test_zeros_have_no_sign():
    """Which of two zeros is found to be the larger one depends on the processor."""
    vectors = np.array([[-0.0], [0.0]], dtype=np.float32)
    X = text_of([[0], [0, 1], [1, 0], [0] * 20], n_words=2)
    for name in NAMES:
        features = make(name).fit(X, vectors).pool(X, vectors)
        assert not np.signbit(features).any()


@pytest.mark.parametrize("name", NAMES)
@given(documents, seeds)
def test_entries_of_a_word_count_together(name, documents, seed):
    vectors = spread_vectors(0)
    train = text_of(draw_text(0))
    X = matrix_of(documents)
    canonical = X.copy()
    canonical.sum_duplicates()
    rng = np.random.default_rng(seed)
    shuffled = matrix_of(
        [[words[i] for i in rng.permutation(len(words))] for words in documents]
    )
    pool = make(name).fit(train, vectors)
    train.sum_duplicates()
    other = make(name).fit(train, vectors)
    features = pool.pool(X, vectors)
    assert_close(pool.pool(canonical, vectors), features, 100 * vectors)
    assert_close(pool.pool(shuffled, vectors), features, 100 * vectors)
    assert_close(other.pool(X, vectors), features, 100 * vectors)


@pytest.mark.parametrize("name", NAMES)
@given(st.lists(st.integers(0, 3), min_size=20, max_size=20))
def test_a_weight_is_a_repetition(name, repeats):
    vectors = spread_vectors(0)
    texts = draw_text(0)
    repeated = [
        words for words, n in zip(texts, repeats, strict=True) for _ in range(n)
    ]
    weighted = make(name).fit(text_of(texts), vectors, sample_weight=repeats)
    again = make(name).fit(text_of(repeated), vectors)
    for attribute, value in vars(again).items():
        if attribute.endswith("_") and not attribute.startswith("component"):
            np.testing.assert_allclose(getattr(weighted, attribute), value, rtol=1e-12)
    X = text_of(draw_text(1))
    assert_close(weighted.pool(X, vectors), again.pool(X, vectors), 10 * vectors)
    expected = twin_of(name, X, vectors, text_of(texts), repeats)
    assert_close(weighted.pool(X, vectors), expected, 10 * vectors)


@pytest.mark.parametrize("name", LEARNING)
def test_order_of_documents(name):
    vectors, texts = spread_vectors(0), draw_text(0)
    pool = make(name).fit(text_of(texts), vectors)
    other = make(name).fit(text_of(texts[::-1]), vectors)
    X = text_of(draw_text(1))
    np.testing.assert_allclose(
        pool.pool(X, vectors), other.pool(X, vectors), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", LEARNING)
def test_fit_in_chunks(name, monkeypatch):
    vectors, X = spread_vectors(0), text_of(draw_text(0, 100))
    whole = make(name).fit(X, vectors, sample_weight=np.arange(100.0))
    monkeypatch.setattr(_rows, "CHUNK", 40)
    parts = make(name).fit(X, vectors, sample_weight=np.arange(100.0))
    np.testing.assert_allclose(
        parts.pool(X, vectors), whole.pool(X, vectors), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", ["sif", "usif", "topical", "vlad"])
def test_bits_do_not_depend_on_threads(name):
    n_words = 2000  # k-means has tasks of 256 each
    vectors = draw_vectors(0, 150, n_words)
    X = text_of(draw_text(0, 300, n_words, 40), n_words)
    pools = []
    for n_threads in (1, 2, 3):
        with threadpool_limits(limits=n_threads):
            pools.append(make(name).fit(X, vectors))
    rows = [pool.pool(X, vectors).tobytes() for pool in pools]
    assert rows[0] == rows[1] == rows[2]
    learned = {"topical": "document_vectors_", "vlad": "cluster_centers_"}
    learned = learned.get(name, "components_")
    assert len({getattr(pool, learned).tobytes() for pool in pools}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_threads_may_share_a_pooling(name):
    vectors, X = spread_vectors(0), text_of(draw_text(0, 200))
    pool = make(name).fit(X, vectors)
    expected = pool.pool(X, vectors).tobytes()
    with ThreadPoolExecutor(4) as executor:
        found = list(executor.map(lambda _: pool.pool(X, vectors).tobytes(), range(20)))
    assert set(found) == {expected}


# --- edge cases -----------------------------------------------------------------------


@pytest.mark.parametrize("n_features", [1, 3])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "train",
    [
        [],
        [[]],
        [[], []],
        [[(0, 1)]],
        [[(0, 1)], [(0, 3)]],
        [[(1, 1), (1, 1)], []],
        [[(0, 0)]],
        [[(0, 0), (1, 2)], [(2, 0)]],
        [[(word, 1)] for word in range(N_WORDS)],
    ],
    ids=str,
)
def test_little_to_learn_from(name, train, n_features):
    texts = [[], [(0, 1)], [(0, 0)], [(5, 0), (2, 1)], [(word, 9) for word in range(6)]]
    X = matrix_of(texts)
    for vectors in (draw_vectors(0, n_features), np.zeros((N_WORDS, n_features), "f4")):
        for weight in (None, np.zeros(len(train))):
            pool = make(name).fit(matrix_of(train), vectors, sample_weight=weight)
            features = pool.pool(X, vectors)
            assert np.isfinite(features).all()
            assert features.shape == (5, n_parts(pool) * n_features)
            np.testing.assert_array_equal(features[[0, 2]], 0.0)
            if not vectors.any():
                assert not features.any()


@pytest.mark.parametrize("name", NAMES)
def test_no_words_at_all(name):
    X, vectors = sparse.csr_array((4, 0)), np.zeros((0, 3), dtype=np.float32)
    features = make(name).fit(X, vectors).pool(X, vectors)
    assert features.shape == (4, n_parts(make(name)) * 3)
    assert not features.any()


@pytest.mark.parametrize("n_words", [100, 20_000, 2_000_000])
@pytest.mark.parametrize("name", ["mean", "sum", "tfidf", "sif"])
def test_precision_does_not_depend_on_the_length(name, n_words):
    """Few bits of a sum would be left if it were formed in one go."""
    rng = np.random.default_rng(0)
    vectors = rng.uniform(1, 2, size=(50, 3)) * [1e-20, 1, 1e20]
    vectors = vectors.astype(np.float32)
    words = rng.integers(50, size=n_words).astype(np.int32)
    # Between two short ones, to which it must not make any difference.
    words = np.concatenate([[7], words, [8]])
    offsets = np.array([0, 1, n_words + 1, n_words + 2], dtype=np.int32)
    X = sparse.csr_array((np.ones(words.size, "f4"), words, offsets), shape=(3, 50))
    pool = make(name)
    if name == "sif":
        pool.set_params(n_removed=0)
    pool.fit(X, vectors)
    weights = {"tfidf": "idf_", "sif": "word_weights_"}.get(name)
    weights = np.ones(50) if weights is None else getattr(pool, weights)
    counts = np.bincount(words[1:-1], minlength=50).astype(np.float64)
    total = {"sum": 1, "tfidf": counts @ weights}.get(name, n_words)
    expected = (counts * weights) @ vectors.astype(np.float64) / total
    features = pool.pool(X, vectors)
    np.testing.assert_allclose(features[1], expected, rtol=1e-6)
    if name in ("mean", "sum"):
        np.testing.assert_array_equal(features[[0, 2]], vectors[[7, 8]])


@pytest.mark.parametrize("scale", [1e-300, 1e-45, 1e-20, 1e20, 1e45, 1e300])
@pytest.mark.parametrize("name", NAMES)
def test_counts_of_any_size(name, scale):
    """Counts that float32 cannot hold, beside some that it can."""
    vectors, X = spread_vectors(0), matrix_of([[(0, 3), (1, 1), (0, 2)], [(2, 1)], []])
    pool = make(name).fit(X, vectors)
    expected = pool.pool(X, vectors)
    scaled = X.copy()
    scaled.data[:3] *= scale
    if name == "sum":
        expected[0] *= scale
    elif name in ("topical", "vlad"):
        expected[0] = twin_of(name, scaled, vectors, X)[0]
    features = pool.pool(scaled, vectors)
    np.testing.assert_allclose(features, expected, rtol=1e-6, atol=0)
    assert features[1:].tobytes() == expected[1:].tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_arrays_stay_as_they_are(name):
    vectors, X = spread_vectors(0), text_of(draw_text(0))
    for array in (vectors, X.data, X.indices, X.indptr):
        array.flags.writeable = False
    pool = make(name).fit(X, vectors)
    features = pool.pool(X, vectors)
    assert features.flags.writeable
    assert not np.shares_memory(features, vectors)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.float32, np.float64, bool])
def test_kinds_of_matrices(name, kind):
    """What CountVectorizer puts out: csr_matrix, whole numbers, int64 indices."""
    vectors = spread_vectors(0)
    X = matrix_of([[(0, 1), (3, 1)], [], [(5, 1)]])
    expected = make(name).fit(X, vectors).pool(X, vectors)
    other = sparse.csr_matrix(X.astype(kind))
    other.indices, other.indptr = other.indices.astype("i8"), other.indptr.astype("i8")
    features = make(name).fit(other, vectors).pool(other, vectors.astype(np.float64))
    assert features.tobytes() == expected.tobytes()


# --- memory ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEARNING)
def test_fit_needs_little_memory(name):
    n_documents, n_words = 50_000, 1000
    rng = np.random.default_rng(0)
    offsets = np.arange(0, 20 * n_documents + 1, 20, dtype=np.int32)
    words = rng.integers(n_words, size=offsets[-1], dtype=np.int32)
    shape = n_documents, n_words
    X = sparse.csr_array((np.ones(words.size, "f4"), words, offsets), shape=shape)
    vectors = draw_vectors(0, 50, n_words)
    make(name).fit(X[:100], vectors)
    pool, peak = traced(make(name).fit, X, vectors)
    # All rows of features would take 20 million bytes, all pairs 8 million.
    assert peak < 7e6
    # Of each word its weight, the sum that those of further documents are added to, and
    # its cluster or its second vector; of components or centres 6 or 10.
    size = (2 * 8 + 4) * n_words + 10 * 8 * 50 + 2500
    assert len(pickle.dumps(pool)) < size + (4 * 50 * n_words) * (name == "topical")


def test_many_empty_documents():
    offsets = np.zeros(200_001, dtype=np.int32)
    offsets[100_000:] = 2
    X = sparse.csr_array((np.ones(2, "f4"), np.ones(2, "i4"), offsets))
    vectors = np.ones((2, 3), dtype=np.float32)
    for name in NAMES:
        pool = make(name).fit(X, vectors)
        features, peak = traced(pool.pool, X, vectors)
        assert np.count_nonzero(features.any(axis=1)) <= 1
        assert peak < 2.5 * features.nbytes + 1e6


# --- the interface --------------------------------------------------------------------


class FirstWord(Pooling):
    """A pooling of somebody else: `pool` alone, and a parameter without constraints."""

    parts = ("first", "n")

    def __init__(self, factor=1.0):
        self.factor = factor

    def pool(self, X, vectors):
        rows = np.zeros((X.shape[0], 2 * vectors.shape[1]))
        for row, (first, last) in enumerate(zip(X.indptr, X.indptr[1:], strict=False)):
            if first < last:
                rows[row, : vectors.shape[1]] = self.factor * vectors[X.indices[first]]
                rows[row, vectors.shape[1] :] = last - first
        return rows


class Plain:
    """No base class, no parts."""

    def fit(self, X, vectors, sample_weight=None):
        self.fitted_ = True
        return self

    def pool(self, X, vectors):
        return X @ vectors


def test_poolings_of_somebody_else():
    vectors, X = draw_vectors(0), text_of([[3, 1], [], [2]])
    given_one = FirstWord(factor=2.0)
    pool = make(given_one)
    assert pool is not given_one
    assert pool.get_params() == {"factor": 2.0}
    assert n_parts(pool) == 2
    features = pool.fit(X, vectors).pool(X, vectors)
    np.testing.assert_array_equal(features[0], [*(2 * vectors[3]), 2, 2, 2])
    plain = Plain()
    copy = make(plain)
    assert copy.fit(X, vectors).fitted_
    assert not hasattr(plain, "fitted_")
    assert n_parts(copy) == 1


def test_interface_has_no_pool():
    vectors, X = draw_vectors(0), text_of([[3, 1]])
    with pytest.raises(NotImplementedError, match="Pooling has to define pool"):
        Pooling().fit(X, vectors).pool(X, vectors)


@pytest.mark.parametrize("name", NAMES)
def test_make_pickle_and_clone(name):
    vectors, X = spread_vectors(0), text_of(draw_text(0))
    pool = make(name)
    assert type(pool) is POOLINGS[name]
    assert make(name) is not pool
    pool.fit(X, vectors)
    features = pool.pool(X, vectors)
    again = pickle.loads(pickle.dumps(pool))
    assert again.pool(X, vectors).tobytes() == features.tobytes()
    for copy in (clone(pool), make(pool)):
        assert copy.get_params() == pool.get_params()
        assert not [attribute for attribute in vars(copy) if attribute.endswith("_")]
        assert copy.fit(X, vectors).pool(X, vectors).tobytes() == features.tobytes()
    assert pool.fit(X, vectors) is pool
    assert features.shape[1] == n_parts(pool) * 3
    assert n_parts(pool) == {"mean_max": 2, "vlad": 10}.get(name, 1)


def test_all_poolings_are_tested():
    assert [*PLAIN_NAMES, *LEARNING] == NAMES
    assert set(pooling.__all__) == {
        *(cls.__name__ for cls in POOLINGS.values()),
        *("POOLINGS", "Pooling", "make", "n_parts"),
    }
    # An estimator may spare these the matrix of all documents.
    stateless = {name for name in NAMES if POOLINGS[name].fit is Pooling.fit}
    assert stateless == set(NAMES) - set(LEARNING)


@pytest.mark.parametrize("wrong", ["median", None, 3, SIFPooling, object(), ["mean"]])
def test_not_a_pooling(wrong):
    with pytest.raises(ValueError, match=r"pooling must be one of .*'vlad'") as error:
        make(wrong)
    assert repr(wrong) in str(error.value)


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        (SIFPooling(a=0), "'a' parameter of SIFPooling .* Got 0 "),
        (SIFPooling(a=-1.0), "'a' parameter of SIFPooling .* Got -1.0 "),
        (SIFPooling(a="1"), "'a' parameter of SIFPooling .* Got '1' "),
        (SIFPooling(n_removed=-1), "'n_removed' parameter of SIFPooling .* Got -1 "),
        (USIFPooling(n_removed=1.5), "'n_removed' parameter of USIFPooling .* Got 1.5"),
        (TopicalPooling(weight=-1), "'weight' parameter of TopicalPooling .* Got -1 "),
        (VLADPooling(n_clusters=0), "'n_clusters' parameter of VLADPooling .* Got 0 "),
        (VLADPooling(random_state=-1), "'random_state' parameter of VLADP.* Got -1 "),
    ],
)
def test_parameters_are_checked_in_fit(pool, message):
    with pytest.raises(InvalidParameterError, match=message):
        pool.fit(text_of([[0]]), draw_vectors(0))
    assert not [attribute for attribute in vars(pool) if attribute.endswith("_")]


@pytest.mark.parametrize("name", LEARNING)
def test_not_fitted(name):
    with pytest.raises(NotFittedError, match=type(make(name)).__name__):
        make(name).pool(text_of([[0]]), draw_vectors(0))


@pytest.mark.parametrize("name", NAMES)
def test_shapes_are_checked(name):
    X, vectors = text_of([[0], [1, 2]]), draw_vectors(0)
    pool = make(name).fit(X, vectors)
    with pytest.raises(ValueError, match=r"X has 6 columns, but vectors has shape \(5"):
        pool.pool(X, vectors[:5])
    with pytest.raises(ValueError, match="CSR format, got csc_array"):
        pool.pool(X.tocsc(), vectors)
    with pytest.raises(ValueError, match="CSR format, got ndarray"):
        pool.pool(X.toarray(), vectors)
    if name in LEARNING:
        with pytest.raises(ValueError, match="fitted with vectors of 6 words, got 5"):
            pool.pool(X[:, :5], vectors[:5])
        with pytest.raises(ValueError, match=r"weight has shape \(3,\), but X has 2"):
            make(name).fit(X, vectors, sample_weight=[1, 1, 1])
        with pytest.raises(ValueError, match=r"of document 1 is -1\.0"):
            make(name).fit(X, vectors, sample_weight=[1, -1])
        with pytest.raises(ValueError, match="of document 0 is nan"):
            make(name).fit(X, vectors, sample_weight=[np.nan, 1])
    if name in ("sif", "usif", "vlad"):
        with pytest.raises(ValueError, match="vectors of 3 dimensions, got 2"):
            pool.pool(X, vectors[:, :2])


# --- topics ---------------------------------------------------------------------------


@given(documents, documents, seeds)
def test_topical_without_documents_vectors(train, documents, seed):
    """A weight of 0 leaves the sublinear tf-idf of scikit-learn."""
    # Its logarithm of counts below 1 would be negative.
    train, X = (
        matrix_of([[(word, np.ceil(n)) for word, n in one] for one in some])
        for some in (train, documents)
    )
    vectors = draw_vectors(seed)
    features = TopicalPooling(weight=0).fit(train, vectors).pool(X, vectors)
    for one in (train, X):
        one.sum_duplicates()
        one.eliminate_zeros()
    assume(train.shape[0] and X.shape[0])
    tfidf = TfidfTransformer(norm="l1", sublinear_tf=True).fit(train).transform(X)
    assert_close(features, tfidf @ vectors.astype(np.float64), vectors)


def test_topical_by_hand():
    """Two documents point in opposite directions, and share one word."""
    vectors = np.array([[0, 1], [0, -1], [2, 0], [0, 0], [5, 5]], dtype=np.float32)
    X = text_of([[0, 2, 3], [1, 2, 3], []], 5)
    pool = TopicalPooling(weight=3).fit(X, vectors)
    # The shared word gets both directions, one of the others each. The size is that of
    # the vectors of words that occur (1 + 1 + 4), not of the last one.
    expected = (
        3 * math.sqrt(6 / 2) * np.array([[0, 1], [0, -1], [0, 0], [0, 0], [0, 0]])
    )
    np.testing.assert_allclose(pool.document_vectors_, expected, atol=1e-6)


def test_topical_is_linear_in_its_weight():
    vectors, X = spread_vectors(0), text_of(draw_text(0))
    none, one, four = (
        TopicalPooling(weight).fit(X, vectors).pool(X, vectors) for weight in (0, 1, 4)
    )
    assert not np.allclose(none, one)
    np.testing.assert_allclose(four - none, 4 * (one - none), rtol=1e-5, atol=1e-6)


def test_topical_learns_directions_from_the_last_documents():
    vectors, first = draw_vectors(0), text_of([[0, 1], [2, 3], [1, 4]])
    pool = TopicalPooling().fit(first, vectors)
    assert pool.document_vectors_[:5].any(axis=1).all()
    pool.partial_fit(text_of([[0, 1], [1, 2], [0]]), vectors)
    known = pool.document_vectors_.any(axis=1)
    assert known.tolist() == [True, True, True, False, False, False]


def test_topical_weight_too_large():
    pool = TopicalPooling(weight=1e300)
    with pytest.raises(ValueError, match=r"weight=1e\+300 .* smaller number"):
        pool.fit(text_of([[0, 1], [2]]), draw_vectors(0))
    assert not [attribute for attribute in vars(pool) if attribute.endswith("_")]


# --- clusters -------------------------------------------------------------------------


def draw_clusters(seed, n_words=400, n_clusters=4, n_features=3):
    """Vectors around centres that are far from each other, one group behind another."""
    centres = 20 * draw_vectors(seed, n_features, n_clusters)
    vectors = np.repeat(centres, n_words // n_clusters, axis=0)
    return vectors + draw_vectors(seed + 1, n_features, n_words)


def test_clusters_are_found():
    vectors = draw_clusters(0)
    X = text_of(draw_text(0, n_words=400), 400)
    pool = VLADPooling(n_clusters=4).fit(X, vectors)
    groups = pool.labels_.reshape(4, 100)
    assert (groups == groups[:, :1]).all()
    assert sorted(groups[:, 0]) == [0, 1, 2, 3]
    for label, members in zip(groups[:, 0], vectors.reshape(4, 100, 3), strict=True):
        mean = members.mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(pool.cluster_centers_[label], mean)


@pytest.mark.parametrize("n_clusters", [1, 7, 10])
@pytest.mark.parametrize("n_words", [70, 100, 300])
def test_vlad_against_a_loop(n_clusters, n_words):
    vectors = draw_vectors(0, 5, n_words)
    train = matrix_of(
        [
            [(word, 1 + word % 3) for word in words]
            for words in draw_text(0, 40, n_words)
        ],
        n_words=n_words,
    )
    texts = [[(word, 0.4) for word in words] for words in draw_text(1, 40, n_words, 60)]
    X = matrix_of(texts, n_words=n_words)
    pool = VLADPooling(n_clusters).fit(train, vectors)
    # As many as there are ten times as many words.
    n_found = len(np.unique(pool.cluster_centers_, axis=0))
    assert n_found == len(np.unique(pool.labels_)) == min(n_clusters, n_words // 10)
    expected = twin_vlad(
        X.toarray(), vectors, train.toarray(), np.ones(40), pool.cluster_centers_
    )
    rows = pool.pool(X, vectors)
    assert_close(rows, expected, vectors)
    lengths = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(lengths[X.sum(axis=1) > 0], 1)
    assert len(pool.parts) == n_clusters


def test_vlad_by_hand():
    """Two words on either side of their centre: e and e + 1/2 times, and equal idf."""
    vectors = np.array([[2, 0], [4, 0]], dtype=np.float32)
    pool = VLADPooling().fit(text_of([[0, 1], []], 2), vectors)
    np.testing.assert_array_equal(pool.cluster_centers_, [[3, 0]] * 10)
    idf = math.log(3 / 2) + 1
    np.testing.assert_allclose(pool.idf_, idf)
    # Once and e times: weights of 1 and 2. They cancel each other if they are equal.
    once = [[(0, 1), (1, math.e)], [(0, 0.5), (0, 0.5), (1, 1)], [(0, 0.25), (0, 0.25)]]
    rows = pool.pool(matrix_of(once, n_words=2), vectors)
    np.testing.assert_allclose(rows[:, 0], [1, 0, -1])
    assert not rows[:, 1:].any()


def test_signed_roots():
    rows = np.array([[4.0, -16.0, 0.0], [0.0, 0.0, 0.0], [0, -1e-300, 0]])
    expected = [[2 / 20**0.5, -4 / 20**0.5, 0], [0, 0, 0], [0, -1, 0]]
    np.testing.assert_allclose(_rows.signed_roots(rows), expected)


def test_sums_that_cancel_are_zeros():
    """A square root would make a row of length 1 out of their rounding errors."""
    vectors = draw_vectors(0, 3, 12) + np.float32(1000)
    X = text_of([list(range(12))], 12)
    pool = VLADPooling().fit(X, vectors)
    assert not pool.pool(X, vectors).any()
    assert pool.pool(text_of([list(range(11))], 12), vectors).any()


@pytest.mark.parametrize("seed", [0, 1, None])
def test_random_state_of_clusters(seed):
    vectors, X = draw_vectors(0, 5, 400), text_of(draw_text(0, n_words=400), 400)
    pools = [VLADPooling(random_state=seed).fit(X, vectors) for _ in range(3)]
    found = {pool.cluster_centers_.tobytes() for pool in pools}
    assert len(found) == (3 if seed is None else 1)


def test_centres_stay():
    """Further documents change frequencies; new words go to the nearest centre."""
    vectors = draw_clusters(0)
    texts = draw_text(0, 30, 400)
    pool = VLADPooling(n_clusters=4).fit(text_of(texts[:20], 400), vectors)
    before = pool.cluster_centers_.tobytes()
    # The new words are like some old ones of every cluster.
    moved = np.vstack([vectors + np.float32(0.1), vectors[::100]])
    pool.partial_fit(text_of(texts[20:], 404), moved)
    assert pool.cluster_centers_.tobytes() == before
    assert pool.labels_.tolist() == [*pool.labels_[:400], *pool.labels_[:400:100]]
    whole = TfidfPooling().fit(text_of(texts, 404), moved)
    np.testing.assert_allclose(pool.idf_, whole.idf_, rtol=1e-12)
    # Another fit begins anew, partial_fit on what is not fitted likewise.
    again = clone(pool).partial_fit(text_of(texts, 404), moved)
    assert again.cluster_centers_.tobytes() != before
    assert (
        pool.fit(text_of(texts, 404), moved).cluster_centers_.tobytes()
        == again.cluster_centers_.tobytes()
    )


def test_many_words_are_clustered_by_a_part(monkeypatch):
    """Regular steps through all words, the others being assigned."""
    vectors = draw_clusters(0)
    X = text_of(draw_text(0, n_words=400), 400)
    monkeypatch.setattr(_rows, "MAX_CLUSTERED", 150)
    pool = VLADPooling(n_clusters=4).fit(X, vectors)
    groups = pool.labels_.reshape(4, 100)
    assert (groups == groups[:, :1]).all()
    part = VLADPooling(n_clusters=4).fit(X[:, ::3], vectors[::3])
    assert part.cluster_centers_.tobytes() == pool.cluster_centers_.tobytes()


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((40, 2)),
        np.ones((40, 2)),
        np.repeat(np.eye(2), 20, axis=0),
        np.eye(2)[np.arange(40) % 2] * 1e-40,
        draw_vectors(0, 2, 40) * 1e18,
        draw_vectors(0, 2, 40) * 1e-18,
        np.vstack([np.full((1, 2), 1e15), draw_vectors(0, 2, 39) * 1e-15]),
        np.vstack([np.zeros((10, 2)), draw_vectors(0, 2, 30)]),
    ],
)
def test_clusters_of_any_vectors(vectors):
    """Equal ones, and of any size: no warning, no NaN, no row of rounding errors."""
    vectors = vectors.astype(np.float32)
    texts = draw_text(0, 20, 40)
    X = text_of(texts, 40)
    pool = VLADPooling(n_clusters=3).fit(X, vectors)
    rows = pool.pool(X, vectors)
    expected = twin_vlad(
        X.toarray(),
        vectors.astype(np.float64),
        X.toarray(),
        np.ones(20),
        pool.cluster_centers_,
    )
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    if len(np.unique(vectors, axis=0)) <= 3:
        assert not rows.any()


def test_working_memory_of_many_columns():
    """Documents of a word or two: not all of their rows at once, in float64."""
    embedder = cheap(PPMISVDEmbedder, pooling=VLADPooling(n_clusters=400), scale=None)
    embedder.fit(DOCUMENTS)
    documents = [DOCUMENTS[0].split()[0]] * 20_000
    features, peak = traced(embedder.transform, documents)
    assert features.shape == (20_000, 1200)
    assert features.dtype == np.float32
    assert peak < features.nbytes + 120e6


# --- in an estimator ------------------------------------------------------------------


def twin_sum(word, context):
    """Word vectors plus context vectors of the same length, one word after another."""
    rows = []
    for u, v in zip(word.astype(np.float64), context.astype(np.float64), strict=True):
        length = math.hypot(*v)
        rows.append(u + v * (math.hypot(*u) / length) if length else u)
    return np.array(rows)


def test_sum_weighs_both_vectors_alike():
    random = np.random.default_rng(3)
    word, context = random.normal(size=(2, 5000, 7)).astype(np.float32)
    # Any sizes, beyond those whose squares float32 holds; and no vector at all.
    word *= np.float32(10.0) ** random.uniform(-30, 30, (5000, 1)).astype(np.float32)
    context *= np.float32(10.0) ** random.uniform(-30, 30, (5000, 1)).astype(np.float32)
    word[::7], context[::5] = 0.0, 0.0
    found = _features.add_tables(word, context)
    assert found.dtype == np.float32
    expected = twin_sum(word, context)
    length = np.maximum(np.abs(word).max(axis=1, keepdims=True), 1e-30)
    np.testing.assert_allclose(found / length, expected / length, atol=1e-6)
    assert not found[::7].any()
    np.testing.assert_array_equal(found[::5], word[::5])
    # Scaling a whole table changes nothing, which a plain sum would follow.
    again = _features.add_tables(word, 8 * context)
    np.testing.assert_array_equal(again, found)
    # One table, and one with reversed signs, are not rounded.
    np.testing.assert_array_equal(_features.add_tables(word, word), 2 * word)
    signs = np.array([1, 1, 1, -1, -1, 1, 1], dtype=np.float32)
    np.testing.assert_array_equal(
        _features.add_tables(word, word * signs), word * (1 + signs)
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("combine", ["word", "context", "sum", "concat"])
def test_features_are_means_of_the_chosen_vectors(estimator, combine):
    embedder = cheap(estimator, combine=combine, max_features=5, **PLAIN)
    features = embedder.fit_transform(DOCUMENTS)
    word, context = embedder.word_vectors_, embedder.context_vectors_
    vectors = {
        "word": word,
        "context": context,
        "sum": twin_sum(word, context),
        "concat": np.hstack([word, context]),
    }[combine]
    rows = embedder.vocabulary_
    ids = [[rows[word] for word in tokens if word in rows] for tokens in TOKENISED]
    assert any(
        len(kept) < len(tokens) for kept, tokens in zip(ids, TOKENISED, strict=True)
    )
    expected = twin_mean(text_of(ids, 5).toarray().astype(np.float64), vectors)
    assert features.shape == expected.shape
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("combine", ["word", "context", "sum", "concat"])
def test_features_of_a_document_do_not_depend_on_the_batch(name, combine):
    embedder = cheap(ESTIMATORS[-1], combine=combine, pooling=name).fit(DOCUMENTS)
    documents = [*DOCUMENTS, "", "unknown", " ".join(DOCUMENTS)]
    features = embedder.transform(documents)
    for row, document in enumerate(documents):
        assert embedder.transform([document]).tobytes() == features[row].tobytes()
    assert embedder.transform(documents[::-1]).tobytes() == features[::-1].tobytes()
    assert features.any(axis=1).sum() == len(documents) - 2
    assert not features[-3:-1].any()


class Returns(pooling.Pooling):
    """Gives back whatever it is told."""

    def __init__(self, rows=None, fitted=None):
        self.rows = rows
        self.fitted = fitted

    def fit(self, X, vectors, sample_weight=None):
        return self if self.fitted is None else self.fitted

    def pool(self, X, vectors):
        return self.rows(X, vectors)


@pytest.mark.parametrize(
    "rows",
    [
        lambda X, vectors: np.zeros((X.shape[0], 1)),
        lambda X, vectors: np.zeros(vectors.shape[1]),
        lambda X, vectors: np.zeros((X.shape[0], vectors.shape[1] + 1)),
        lambda X, vectors: np.zeros((X.shape[0], vectors.shape[1])).tolist(),
        lambda X, vectors: sparse.csr_array((X.shape[0], vectors.shape[1])),
    ],
)
def test_rows_of_a_wrong_shape_are_refused(rows):
    embedder = cheap(PPMISVDEmbedder, pooling=Returns(rows), scale=None)
    with pytest.raises(ValueError, match=r"pooling=Returns.* shape \(20, 3\)"):
        embedder.fit(DOCUMENTS).transform(DOCUMENTS)
    # What `scale` learns needs the same.
    embedder.set_params(scale="standard")
    with pytest.raises(ValueError, match=r"pooling=Returns.* shape \(20, 3\)"):
        clone(embedder).fit(DOCUMENTS)


def test_a_fit_that_returns_nothing_of_use_is_refused():
    embedder = cheap(PPMISVDEmbedder, pooling=Returns(fitted=3))
    with pytest.raises(ValueError, match="must return itself"):
        embedder.fit(DOCUMENTS)
    assert not hasattr(embedder, "word_vectors_")


def test_a_pooling_cannot_write_to_the_vectors():
    def overwrite(X, vectors):
        vectors[:] = 0

    embedder = cheap(PPMISVDEmbedder, pooling=Returns(overwrite), scale=None)
    embedder.fit(DOCUMENTS)
    before = embedder.word_vectors_.copy()
    with pytest.raises(ValueError, match="read-only"):
        embedder.transform(DOCUMENTS)
    np.testing.assert_array_equal(embedder.word_vectors_, before)


@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1.0, 1e200])
def test_norm_of_extreme_rows(scale):
    embedder = cheap(PPMISVDEmbedder, pooling="sum", scale=None, norm="l2")
    table = np.random.default_rng(0).integers(1, 5, size=(9, 4)) * 1.0
    rows = embedder.fit(table).transform(table * scale)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0)
    np.testing.assert_allclose(rows, embedder.transform(table), rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("norm", "l1"), ("dtype", int), ("combine", "mean"), ("scale", "l2")],
)
def test_what_was_changed_after_fit_is_checked(name, value):
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{name} must be one of"):
        embedder.transform(DOCUMENTS)
