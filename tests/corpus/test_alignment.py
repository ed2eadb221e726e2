"""Rows that no table has, and sparse matrices that are damaged, are never read."""

import copy
import pickle
import re
from unittest import mock

import numpy as np
import pytest
from scipy import sparse

from skembed import PPMISVDEmbedder, SGNSEmbedder, cooccurrence, inspection
from skembed._corpus import alignment as _rows
from skembed._corpus import reader, tokenize
from skembed.pooling import POOLINGS, MeanPooling, Pooling
from tests.helpers import (
    DOCUMENTS,
    EPOCHS,
    ESTIMATORS,
    SAMPLED,
    TOKENISED,
    WORDS,
    cheap,
    learned,
    same,
)

pytestmark = pytest.mark.small

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


@pytest.mark.parametrize("row", [len(WORDS), -1, 1.5])
@pytest.mark.parametrize("pooling", [*POOLINGS, Sums()], ids=str)
@pytest.mark.parametrize("combine", ["word", "context", "sum", "concat"])
def test_poolings_get_no_such_rows(pooling, combine, row):
    embedder = edited(SGNSEmbedder, row, pooling=pooling, combine=combine)
    with refuses(row):
        embedder.transform(["amber cedar"])


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
    for name in _rows.TABLES:
        setattr(embedder, name, getattr(embedder, name)[:-3])
    with pytest.raises(ValueError, match=r"vocabulary_ has the row [567] for"):
        embedder.transform(DOCUMENTS)


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


def test_rows_in_another_order_cannot_go_on():
    embedder = cheap(SGNSEmbedder).fit(DOCUMENTS)
    embedder.vocabulary_ = dict(reversed(embedder.vocabulary_.items()))
    embedder.transform(DOCUMENTS)
    with pytest.raises(ValueError, match="in another order than a fit sets them"):
        embedder.partial_fit(DOCUMENTS)


@pytest.mark.filterwarnings("ignore:share_context='three'")
@pytest.mark.parametrize("name", _rows.PER_WORD)
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
    if name in _rows.TABLES:
        calls.append(lambda: embedder.transform(DOCUMENTS))
        calls.append(lambda: inspection.vector_cosines(embedder))
    for call in calls:
        with pytest.raises(ValueError, match=r" has [68] rows, but word_vectors_ has"):
            call()


def _counting():
    return [one for one in ESTIMATORS if "_counts" in one._state]


def test_matrices_of_more_words_than_rows():
    """A text model, and one of a matrix, whose tables are others now."""
    X = np.eye(len(WORDS))
    for documents in (DOCUMENTS, X + X[::-1]):
        embedder = cheap(PPMISVDEmbedder).fit(documents)
        other = cheap(PPMISVDEmbedder).fit(["amber birch cedar"] * 3)
        for name in _rows.PER_WORD:
            if hasattr(other, name):
                setattr(embedder, name, getattr(other, name))
        for call in (embedder.transform, embedder.score):
            with pytest.raises(ValueError, match="8 words, but has vectors of 3"):
                call(X)


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


@pytest.mark.parametrize("name", POOLINGS)
def test_poolings_of_damaged_matrices(name):
    vectors = np.ones((8, 2), dtype=np.float32)
    fitted = POOLINGS[name]().fit(sound("csr"), vectors)
    fitted.pool(sound("csr"), vectors)
    for X in damages("csr"):
        with pytest.raises(ValueError, match="X is a damaged sparse matrix"):
            fitted.pool(X, vectors)
        if name in ("tfidf", "sif", "usif", "vlad"):
            with pytest.raises(ValueError, match="X is a damaged sparse matrix"):
                POOLINGS[name]().fit(X, vectors)


def test_room_behind_the_last_entry_is_none_of_a_matrix():
    """SciPy leaves it there in some cases; nobody reads it."""
    X = sound("csr")
    X.indices = np.append(X.indices, 99).astype(X.indices.dtype)
    X.data = np.append(X.data, np.nan)
    vectors = np.random.default_rng(0).random((8, 2), dtype=np.float32)
    rows = sound("csr").toarray()
    expected = rows @ vectors / rows.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(MeanPooling().pool(X, vectors), expected, rtol=1e-6)
