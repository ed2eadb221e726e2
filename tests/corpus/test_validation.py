"""Weights of documents, rows that no table has, and damaged matrices."""

import copy
import pickle
import re
from fractions import Fraction
from unittest import mock

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skembed import (
    CBOWEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    cooccurrence,
    inspection,
)
from skembed._corpus import reader, tokenize, validation
from skembed._counts import ppmi
from skembed._solvers.sampling import Documents
from skembed.pooling import POOLINGS, MeanPooling, Pooling
from tests.helpers import (
    DOCUMENTS,
    EPOCHS,
    ESTIMATORS,
    SAMPLED,
    TOKENISED,
    WORDS,
    assert_same_fit,
    cheap,
    corpus_of,
    learned,
    same,
    sound_strategies,
)

# A row behind the last one, others that are none, and what is no whole number.
WRONG = [len(WORDS), 10**6, 2**40, -1, -5, 1.5, "1", None]


class Sums(Pooling):
    """A pooling of a user, which trusts the matrix that it gets."""

    def pool(self, X, vectors):
        return (X @ vectors).astype(np.float64)


def scanning():
    """Let the kernel scan raw documents, however few."""
    return mock.patch.multiple(tokenize, _MUCH=0, _MUCH_PER_WORD=0)


def edited(estimator, row, **params):
    """Return a fitted estimator whose vocabulary has another row for a word."""
    embedder = cheap(estimator, warm_start=True, **params).fit(DOCUMENTS)
    embedder.vocabulary_ = {**embedder.vocabulary_, "cedar": row}
    return embedder


def refuses(row):
    message = f"vocabulary_ has the row {row!r} for 'cedar', but the vectors have"
    return pytest.raises(ValueError, match=re.escape(message))


@pytest.mark.small
@pytest.mark.parametrize("row", WRONG, ids=repr)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_edited_row(estimator, row):
    embedder = edited(estimator, row)
    words = list(embedder.vocabulary_)
    for documents in (DOCUMENTS, TOKENISED, iter(DOCUMENTS)):
        with refuses(row):
            embedder.transform(documents)
    calls = [
        lambda: embedder.score(DOCUMENTS),
        lambda: embedder.score_pairs(words, "amber"),
        lambda: embedder.score_pairs("amber", "cedar"),
        lambda: embedder.partial_fit(DOCUMENTS),
        lambda: embedder.set_params(new_words="freeze").partial_fit(DOCUMENTS),
        lambda: inspection.self_scores(embedder),
        lambda: inspection.similarity_kind(embedder, DOCUMENTS),
    ]
    if estimator in EPOCHS:
        calls.append(lambda: embedder.set_params(warm_start=True).fit(DOCUMENTS))
    if estimator in SAMPLED:
        calls.append(lambda: inspection.held_out_loss(embedder, DOCUMENTS))
    before = learned(embedder)
    for call in calls:
        with refuses(row):
            call()
    with scanning(), refuses(row):
        embedder.transform(DOCUMENTS)
    assert all(learned(embedder)[name] is value for name, value in before.items())
    # What does not hold the word is not refused.
    assert np.isfinite(embedder.transform(["amber birch", ""])).all()


@pytest.mark.small
@pytest.mark.parametrize("row", [len(WORDS), -1, 1.5])
@pytest.mark.parametrize("pooling", [*POOLINGS, Sums()], ids=str)
@pytest.mark.parametrize("combine", ["word", "context", "sum", "concat"])
def test_poolings_get_no_such_rows(pooling, combine, row):
    embedder = edited(SGNSEmbedder, row, pooling=pooling, combine=combine)
    with refuses(row):
        embedder.transform(["amber cedar"])


@pytest.mark.small
def test_an_edited_row_with_memory(tmp_path, monkeypatch):
    """Look-ups that are remembered know what rows there were."""
    monkeypatch.setattr(reader, "_MUCH", 0)
    monkeypatch.setattr(reader, "_MUCH_PER_WORD", 0)
    embedder = cheap(PPMISVDEmbedder, memory=str(tmp_path)).fit(DOCUMENTS)
    embedder.transform(DOCUMENTS)
    for row in WRONG:
        one = copy.copy(embedder)
        one.vocabulary_ = {**embedder.vocabulary_, "cedar": row}
        with refuses(row):
            one.transform(DOCUMENTS)
    # A table that has lost its last rows since.
    for name in validation.TABLES:
        setattr(embedder, name, getattr(embedder, name)[:-3])
    with pytest.raises(ValueError, match=r"vocabulary_ has the row [567] for"):
        embedder.transform(DOCUMENTS)


@pytest.mark.small
def test_a_row_may_be_any_whole_number():
    """And two words may share one: a synonym needs no vector of its own."""
    embedder = cheap(SGNSEmbedder).fit(DOCUMENTS)
    rows = embedder.vocabulary_
    expected = embedder.transform(["amber cedar"])
    embedder.vocabulary_ = {word: np.int64(row) for word, row in rows.items()}
    embedder.vocabulary_["resin"] = rows["amber"]
    assert same(embedder.transform(["resin cedar", "amber cedar"])[:1], expected)
    assert same(embedder.transform(["resin cedar", "amber cedar"])[1:], expected)
    with scanning():
        assert same(embedder.transform(["resin cedar"]), expected)
    assert same(
        embedder.score_pairs("resin", "cedar"), embedder.score_pairs("amber", "cedar")
    )
    with pytest.raises(ValueError, match="vocabulary_ has 9 words and vectors have 8"):
        embedder.partial_fit(DOCUMENTS)


@pytest.mark.small
def test_rows_in_another_order_cannot_go_on():
    embedder = cheap(SGNSEmbedder).fit(DOCUMENTS)
    embedder.vocabulary_ = dict(reversed(embedder.vocabulary_.items()))
    embedder.transform(DOCUMENTS)
    with pytest.raises(ValueError, match="in another order than a fit sets them"):
        embedder.partial_fit(DOCUMENTS)


@pytest.mark.small
@pytest.mark.filterwarnings("ignore:share_context='three'")
@pytest.mark.parametrize("name", validation.PER_WORD)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_shorter_arrays(estimator, name):
    """As of a pickle that others wrote, or of arrays that were replaced."""
    params = {"warm_start": True}
    if "directional" in estimator._get_param_names():
        params["directional"] = "left" in name or "right" in name
    if "noise" in name and estimator in SAMPLED:
        params["share_context"] = "three"
    if "biases" in name and estimator in SAMPLED:
        params["bias"] = "word"
    embedder = cheap(estimator, **params).fit(DOCUMENTS)
    if not hasattr(embedder, name):
        pytest.skip("it has no such attribute")
    state = embedder.__getstate__()
    state[name] = state[name][:-2]
    embedder = estimator()
    embedder.__setstate__(pickle.loads(pickle.dumps(state)))
    calls = [
        lambda: embedder.score(DOCUMENTS),
        lambda: embedder.score_pairs(WORDS, "amber"),
        lambda: inspection.similarity_kind(embedder, DOCUMENTS),
    ]
    if estimator not in _counting():
        # Pickles leave out what the others need to go on.
        calls.append(lambda: embedder.partial_fit(DOCUMENTS))
    if name in validation.TABLES:
        calls.append(lambda: embedder.transform(DOCUMENTS))
        calls.append(lambda: inspection.vector_cosines(embedder))
    for call in calls:
        with pytest.raises(ValueError, match=r" has [68] rows, but word_vectors_ has"):
            call()


def _counting():
    return [one for one in ESTIMATORS if "_counts" in one._state]


@pytest.mark.small
def test_matrices_of_more_words_than_rows():
    """A text model, and one of a matrix, whose tables are others now."""
    X = np.eye(len(WORDS))
    for documents in (DOCUMENTS, X + X[::-1]):
        embedder = cheap(PPMISVDEmbedder).fit(documents)
        other = cheap(PPMISVDEmbedder).fit(["amber birch cedar"] * 3)
        for name in validation.PER_WORD:
            if hasattr(other, name):
                setattr(embedder, name, getattr(other, name))
        for call in (embedder.transform, embedder.score):
            with pytest.raises(ValueError, match="8 words, but has vectors of 3"):
                call(X)


@pytest.mark.small
@pytest.mark.parametrize("estimator", _counting())
@pytest.mark.parametrize("name", ["indices", "indptr", "shape", "order"])
def test_damaged_counts(estimator, name):
    embedder = cheap(estimator, warm_start=True).fit(DOCUMENTS)
    counts = embedder._counts
    if name == "indices":
        counts.indices[3] = 1000
    elif name == "indptr":
        counts.indptr[2] = 10**6
    elif name == "shape":
        embedder._counts = counts[:5, :5]
    else:
        embedder._counts_order = np.arange(1, len(WORDS) + 1)
    before = embedder.word_vectors_
    with pytest.raises(ValueError, match=r"damaged|counts that partial_fit adds to"):
        embedder.partial_fit(DOCUMENTS)
    assert embedder.word_vectors_ is before


# --- damaged matrices -----------------------------------------------------------------

FORMATS = ["csr", "csc", "bsr", "coo", "lil"]


def sound(kind):
    """Return the same matrix in a format, of blocks where it has them."""
    X = sparse.csr_array(np.kron(np.eye(4), [[2.0, 1.0], [3.0, 1.0]]))
    return sparse.bsr_array(X, blocksize=(2, 2)) if kind == "bsr" else X.asformat(kind)


def damages(kind):
    """Yield matrices in a format whose parts point out of it."""
    if kind == "lil":
        X = sound(kind)
        X.rows[1][0] = 10**6
        yield X
        return
    names = ("row", "col") if kind == "coo" else ("indices",)
    for name in names:
        for value in (-1, 10**6):
            X = sound(kind)
            getattr(X, name)[1] = value
            yield X
    if kind == "coo":
        return
    for place, value in ((0, 1), (1, 10**6), (1, -3), (2, 0), (-1, 10**6)):
        X = sound(kind)
        X.indptr[place] = value
        yield X
    X = sound(kind)
    X.indices = X.indices[:-1]
    yield X


@pytest.mark.small
@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_matrices(kind):
    """None of them comes as far as to SciPy's compiled code."""
    keeping = {"warm_start": True}
    embedder = cheap(PPMISVDEmbedder, **keeping).fit(sound(kind))
    expected = embedder.transform(sound("csr"))
    assert same(embedder.transform(sound(kind)), expected)
    square = cheap(PPMISVDEmbedder, input="cooccurrence", **keeping).fit(sound(kind))
    text = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    calls = [
        cheap(PPMISVDEmbedder).fit,
        cheap(PPMISVDEmbedder).fit_transform,
        cheap(PPMISVDEmbedder, input="cooccurrence").fit,
        embedder.transform,
        embedder.score,
        embedder.partial_fit,
        square.score,
        square.partial_fit,
        text.transform,
        cooccurrence,
    ]
    for X in damages(kind):
        for call in calls:
            with pytest.raises(ValueError, match="X is a damaged sparse matrix"):
                call(X)


@pytest.mark.small
@pytest.mark.parametrize("name", POOLINGS)
def test_poolings_of_damaged_matrices(name):
    vectors = np.ones((8, 2), dtype=np.float32)
    fitted = POOLINGS[name]().fit(sound("csr"), vectors)
    fitted.pool(sound("csr"), vectors)
    for X in damages("csr"):
        with pytest.raises(ValueError, match="X is a damaged sparse matrix"):
            fitted.pool(X, vectors)
        if name in ("tfidf", "sif", "usif", "topical", "vlad"):
            with pytest.raises(ValueError, match="X is a damaged sparse matrix"):
                POOLINGS[name]().fit(X, vectors)


@pytest.mark.small
def test_room_behind_the_last_entry_is_none_of_a_matrix():
    """SciPy leaves it there in some cases; nobody reads it."""
    X = sound("csr")
    X.indices = np.append(X.indices, 99).astype(X.indices.dtype)
    X.data = np.append(X.data, np.nan)
    vectors = np.random.default_rng(0).random((8, 2), dtype=np.float32)
    rows = sound("csr").toarray()
    expected = rows @ vectors / rows.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(MeanPooling().pool(X, vectors), expected, rtol=1e-6)


WEIGHTS = np.random.default_rng(0).integers(0, 4, size=len(DOCUMENTS))
REPEATED = [text for text, n in zip(DOCUMENTS, WEIGHTS, strict=True) for _ in range(n)]
CASES = [
    pytest.param(estimator, strategy.name, id=f"{estimator.__name__}-{strategy.name}")
    for estimator in ESTIMATORS
    for strategy in sound_strategies(estimator)
]


def counted_alike(embedder):
    """Forget the type of the counts, which tells whether there were weights."""
    embedder.word_counts_ = embedder.word_counts_.astype(np.float64)
    if hasattr(embedder, "_context_totals"):
        embedder._context_totals = embedder._context_totals.astype(np.float64)
    return embedder


@pytest.mark.parametrize(("estimator", "share_context"), CASES)
@pytest.mark.parametrize("pooling", ["mean", "tfidf", "sif", "usif", "topical", "vlad"])
def test_of_text(estimator, share_context, pooling):
    """The same bits, though negative sampling promises that on average only."""
    params = {"share_context": share_context, "min_count": 15, "max_features": 6}
    weighted = cheap(estimator, **params).fit(DOCUMENTS, sample_weight=WEIGHTS)
    assert weighted.word_counts_.dtype == np.float64
    repeated = cheap(estimator, **params).fit(REPEATED)
    assert_same_fit(counted_alike(weighted), counted_alike(repeated))
    assert len(weighted.vocabulary_) == 6
    params["pooling"] = pooling
    weighted = cheap(estimator, **params).fit(DOCUMENTS, sample_weight=list(WEIGHTS))
    repeated = cheap(estimator, **params).fit(REPEATED)
    np.testing.assert_allclose(
        weighted.transform(DOCUMENTS),
        repeated.transform(DOCUMENTS),
        rtol=1e-5,
        atol=1e-7,
    )


@pytest.mark.parametrize(("estimator", "share_context"), CASES)
def test_of_a_matrix(estimator, share_context):
    counts = CountVectorizer().fit_transform(DOCUMENTS) * 0.7
    params = {"share_context": share_context}
    weighted = cheap(estimator, **params).fit(counts, sample_weight=WEIGHTS)
    repeated = cheap(estimator, **params)
    repeated.fit(counts[np.repeat(np.arange(len(DOCUMENTS)), WEIGHTS)])
    np.testing.assert_allclose(
        weighted.word_vectors_, repeated.word_vectors_, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(weighted.word_counts_, repeated.word_counts_)
    plain = cheap(estimator, **params).fit(counts)
    assert not np.allclose(plain.word_vectors_, weighted.word_vectors_, atol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_weights_of_one_and_of_half(estimator):
    ones = cheap(estimator).fit(DOCUMENTS, sample_weight=np.ones(len(DOCUMENTS)))
    plain = cheap(estimator).fit(DOCUMENTS)
    assert_same_fit(counted_alike(ones), counted_alike(plain))
    halves = np.full(len(DOCUMENTS), 0.5)
    half, _ = cooccurrence(DOCUMENTS, min_count=1, sample_weight=halves)
    whole, _ = cooccurrence(DOCUMENTS, min_count=1)
    np.testing.assert_array_equal(2 * half.toarray(), whole.toarray())


def test_fractions_are_visited_as_often_on_average():
    documents = [[0, 1], [1, 1, 2], [3]]
    weights = np.array([0.25, 1.5, 2.0])
    corpus = corpus_of(documents)._replace(doc_weights=weights)

    class Draws:
        keep = np.full(4, 1.0)
        kept = np.array([0.25, 3.25, 1.5, 2.0])

    source = Documents(corpus, Draws, np.ones(2), np.random.SeedSequence(0))
    assert source.size == 7
    n_epochs = 4000
    visits, sizes = np.zeros(4), set()
    for _ in range(n_epochs):
        (chunk,) = source.chunks()
        np.testing.assert_array_equal(chunk.done, [0, 1])
        starts = chunk.tokens < 0
        words = np.where(starts, ~chunk.tokens, chunk.tokens)
        visits += np.bincount(words, minlength=4)
        sizes.add((int(starts.sum()), words.size))
    np.testing.assert_allclose(visits / n_epochs, Draws.kept, atol=0.05)
    assert sizes == {(3, 5), (4, 7), (4, 8), (5, 10)}


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), "sample_weight"),
        (np.zeros(len(DOCUMENTS)), "Sample weights must contain at least one non-zero"),
        ([-1.0] + [1.0] * (len(DOCUMENTS) - 1), "Negative values"),
        ([np.nan] + [1.0] * (len(DOCUMENTS) - 1), "NaN"),
        (np.ones((len(DOCUMENTS), 2)), "Sample weights must be 1D"),
        (np.full(len(DOCUMENTS), 1e308), "sample_weight holds 1e\\+308, and its sum"),
        (
            [1.0, 1e-310] + [1.0] * (len(DOCUMENTS) - 2),
            "sample_weight of document 1 is 1e-310, which is too small",
        ),
    ],
)
def test_bad_weights(estimator, weights, message):
    for X in (DOCUMENTS, TOKENISED, CountVectorizer().fit_transform(DOCUMENTS)):
        embedder = cheap(estimator)
        for method in (embedder.fit, embedder.fit_transform):
            with pytest.raises(ValueError, match=message):
                method(X, sample_weight=weights)
            assert not learned(embedder)
        with pytest.raises(NotFittedError):
            embedder.transform(DOCUMENTS)


@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder, PPMISVDEmbedder])
def test_metadata_routing(estimator):
    labels = [0, 1] * (len(DOCUMENTS) // 2)
    with config_context(enable_metadata_routing=True):
        embedder = cheap(estimator).set_fit_request(sample_weight=True)
        classifier = LogisticRegression().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(embedder, classifier)
        pipeline.fit(DOCUMENTS, labels, sample_weight=WEIGHTS)
        counts = pipeline[0].word_counts_
    np.testing.assert_array_equal(
        counts, cheap(estimator).fit(REPEATED).word_counts_.astype(np.float64)
    )


@pytest.mark.small
@pytest.mark.parametrize("weight", [1e10, 1e12, 1e40])
def test_heavy_documents_count(weight):
    embedder = cheap(PPMISVDEmbedder)
    weights = np.full(len(DOCUMENTS), weight)
    embedder.fit(DOCUMENTS, sample_weight=weights)
    plain = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    np.testing.assert_allclose(
        embedder.word_counts_, plain.word_counts_ * weight, rtol=1e-15
    )


@pytest.mark.small
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (1e307, "sample_weight holds 1e.307, and its sum is too large"),
        (5e306, "Sums of weights are too large"),
        (1e306, "Counts of words that co-occur become infinite"),
    ],
)
def test_sums_too_large_for_float64(weight, message):
    weights = np.full(len(DOCUMENTS), weight)
    with pytest.raises(ValueError, match=message):
        cheap(PPMISVDEmbedder).fit(DOCUMENTS, sample_weight=weights)


@pytest.mark.small
@pytest.mark.parametrize(
    ("documents", "weight", "message"),
    [
        (DOCUMENTS, 5e305, "Counts of words that co-occur become infinite"),
        (["amber birch"] + ["cedar"] * 19, 4.5e306, "Counts of words become infinite"),
    ],
)
def test_parts_too_large_for_float64(documents, weight, message):
    """Each alone is not; the estimator stays what it was."""
    params = {"vocabulary": WORDS, "window": 1, "warm_start": True}
    embedder = cheap(PPMISVDEmbedder, **params)
    weights = np.full(len(documents), weight)
    embedder.fit(documents, sample_weight=weights)
    before = learned(embedder).copy()
    with pytest.raises(ValueError, match=message):
        embedder.partial_fit(documents, sample_weight=weights)
    assert learned(embedder).keys() == before.keys()
    assert embedder.word_counts_ is before["word_counts_"]


OF_DIFFERENT_SIZES = 10.0 ** np.random.default_rng(1).uniform(-150, 149, len(DOCUMENTS))


@pytest.mark.small
@pytest.mark.parametrize(
    "weights",
    [
        np.random.default_rng(0).random(len(DOCUMENTS)),
        0.5 ** (np.arange(len(DOCUMENTS)) * 10),
        OF_DIFFERENT_SIZES,
    ],
    ids=["uniform", "half-life", "any"],
)
@pytest.mark.parametrize("window_weighting", ["dynamic", "harmonic"])
def test_ppmi_does_not_depend_on_the_scale_of_weights(weights, window_weighting):
    options = {"vocabulary": WORDS, "window_weighting": window_weighting, "window": 40}
    found = []
    for factor in (1.0, 7.0):
        counts, _ = cooccurrence(DOCUMENTS, sample_weight=factor * weights, **options)
        assert (counts != counts.T).nnz == 0
        found.append((counts.toarray(), ppmi.ppmi_inplace(counts, 1.0, 0.75).toarray()))
    (counts, plain), (larger, scaled) = found
    np.testing.assert_allclose(larger, 7 * counts, rtol=1e-12)
    np.testing.assert_allclose(scaled, plain, rtol=0, atol=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("pooling", ["tfidf", "sif", "usif", "topical", "vlad"])
def test_fits_with_weights_of_very_different_sizes(estimator, pooling):
    """Divided by their largest, as negative sampling asks for."""
    weights = OF_DIFFERENT_SIZES / OF_DIFFERENT_SIZES.max()
    weights[:2] = 1.0
    embedder = cheap(estimator, vocabulary=WORDS, pooling=pooling)
    features = embedder.fit_transform(DOCUMENTS, sample_weight=weights)
    assert np.isfinite(features).all()
    exact = dict.fromkeys(WORDS, Fraction())
    for tokens, weight in zip(TOKENISED, weights.tolist(), strict=True):
        for token in tokens:
            exact[token] += Fraction(weight)
    counts = dict(zip(embedder.vocabulary_, embedder.word_counts_, strict=True))
    for word, total in exact.items():
        assert counts[word] == pytest.approx(float(total), rel=1e-15)


def test_weights_beyond_float64():
    for weights in ([10**400] * 20, np.array([1] * 19 + [10**400], dtype=object)):
        with pytest.raises(ValueError, match=r"sample_weight holds .* too large for"):
            cheap(PPMISVDEmbedder).fit(DOCUMENTS, sample_weight=weights)
