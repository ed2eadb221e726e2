"""Documents as integer arrays: the same results as the ids as strings, bit for bit."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

from skembed import PPMISVDEmbedder, PretrainedEmbedder, SGNSEmbedder, cooccurrence
from skembed._corpus import token_ids, vocabulary
from skembed.vectors import WordVectors
from tests.helpers import (
    COUNTING,
    DOCUMENTS,
    ESTIMATORS,
    PLAIN,
    TOKENISED,
    Once,
    cheap,
    learned,
    same,
    traced,
)

pytestmark = pytest.mark.small
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS)


def draw_ids(seed, shape=(25, 7), n_ids=15, pads=0.2):
    """Return ids of unequal frequencies, with pads at any place."""
    rng = np.random.default_rng(seed)
    ids = np.minimum(rng.geometric(0.2, shape), n_ids).astype(np.int32)
    return np.where(rng.random(shape) < pads, np.int32(-1), ids)


def as_text(ids):
    """Return the same documents as lists of str, which sort as the ids do."""
    return [[f"{i:012d}" for i in row if i >= 0] for row in ids]


IDS = draw_ids(0)
TEXT = as_text(IDS)
MORE_IDS = np.concatenate([draw_ids(1), [[70, 71, 70, 71, 70, 71, -1]]])


def as_ids(value):
    """Return a learned value with words as ids."""
    if not isinstance(value, dict) or not all(map(str.isdigit, value)):
        return value
    return {int(word): row for word, row in value.items()}


def assert_same_model(of_ids, of_text):
    first, second = learned(of_ids), learned(of_text)
    assert first.keys() == second.keys()
    different = [
        name
        for name in first.keys() - {"_made_with"}
        if not same(first[name], as_ids(second[name]))
    ]
    assert not different
    made_with = {**second["_made_with"], "input": "token_ids"}
    assert first["_made_with"] == made_with


# --- the same as text -----------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"min_count": 5},
        {"max_features": 6},
        {"vocabulary": [9, 1, 3]},
        {"direction": "right", "window": 3},
    ],
    ids=str,
)
def test_results_are_those_of_text(estimator, params):
    of_ids = cheap(estimator, input="token_ids", **params)
    words = {k: [f"{i:012d}" for i in v] for k, v in params.items() if k[:3] == "voc"}
    of_text = cheap(estimator, **{**params, **words})
    features = of_ids.fit_transform(IDS)
    assert same(features, of_text.fit_transform(TEXT))
    assert_same_model(of_ids, of_text)
    assert all(type(word) is int for word in of_ids.vocabulary_)
    new = draw_ids(3, n_ids=40)
    assert same(of_ids.transform(new), of_text.transform(as_text(new)))
    assert same(of_ids.coverage(new), of_text.coverage(as_text(new)))
    assert of_ids.score(new) == of_text.score(as_text(new))
    assert of_ids.estimate_memory(IDS) == of_text.estimate_memory(TEXT)
    np.testing.assert_array_equal(
        of_ids.score_pairs(1, np.array([3, 1])),
        of_text.score_pairs(f"{1:012d}", [f"{3:012d}", f"{1:012d}"]),
    )
    assert list(of_ids.get_feature_names_out()) == list(of_text.get_feature_names_out())


@every_estimator
@pytest.mark.parametrize("weights", [[1, 2, 0, 3, 1], [0.5, 2.25, 0.1, 1, 0]])
def test_weights_are_those_of_text(estimator, weights):
    weights = np.tile(weights, 5)
    of_ids = cheap(estimator, input="token_ids").fit(IDS, sample_weight=weights)
    of_text = cheap(estimator).fit(TEXT, sample_weight=weights)
    assert_same_model(of_ids, of_text)


@every_estimator
@pytest.mark.parametrize("new_words", ["grow", "freeze"])
def test_partial_fit_is_that_of_text(estimator, new_words):
    params = {"new_words": new_words, "min_count": 2}
    of_ids = cheap(estimator, input="token_ids", **params).partial_fit(IDS)
    of_text = cheap(estimator, **params).partial_fit(TEXT)
    of_ids.partial_fit(MORE_IDS)
    of_text.partial_fit(as_text(MORE_IDS))
    assert_same_model(of_ids, of_text)
    assert (70 in of_ids.vocabulary_) == (new_words == "grow")
    # Parts may be empty.
    assert of_ids.partial_fit(np.full((2, 3), -1)).word_counts_.sum() > 0


@pytest.mark.parametrize("direction", ["both", "left", "right"])
def test_counts_are_those_of_text(direction):
    given = {"direction": direction, "min_count": 2, "window": 3}
    counts, rows = cooccurrence(IDS, input="token_ids", **given)
    expected, words = cooccurrence(TEXT, **given)
    assert same(counts, expected)
    assert list(rows.items()) == [(int(word), row) for word, row in words.items()]
    # Which is the way of graphs from walks to counts.
    embedder = cheap(PPMISVDEmbedder, input="cooccurrence", vocabulary=rows)
    assert embedder.fit(counts).vocabulary_ == rows


def test_pads_are_removed_before_windows():
    ids = np.array([[7, -1, 8, -1], [-1, -1, 7, 8]] * 3)
    counts, rows = cooccurrence(ids, window=1, min_count=1, input="token_ids")
    assert rows == {7: 0, 8: 1}
    np.testing.assert_array_equal(counts.toarray(), [[0, 6], [6, 0]])


def test_ties_are_in_the_order_of_ids():
    embedder = cheap(PPMISVDEmbedder, input="token_ids", n_components=1)
    embedder.fit([[10, 9, 2, 100], [100, 2, 9, 10]])
    assert list(embedder.vocabulary_) == [2, 9, 10, 100]


# --- forms of ids ---------------------------------------------------------------------


class Tensor:
    """An array of another library, which is iterable."""

    ndim = 2

    def __array__(self, dtype=None, copy=None):
        return IDS

    def __iter__(self):
        raise AssertionError("read row by row")


ROWS = [np.array([i for i in row if i >= 0]) for row in IDS]
FORMS = {
    "int64": IDS.astype(np.int64),
    "int8": IDS.astype(np.int8),
    "big endian": IDS.astype(">i4"),
    "Fortran": np.asfortranarray(IDS),
    "sliced": np.repeat(IDS, 2, axis=1)[:, ::2],
    "whole floats": IDS.astype(float),
    "read-only": np.frombuffer(IDS.tobytes(), np.int32).reshape(IDS.shape),
    "objects": IDS.astype(object),
    "frame": pd.DataFrame(IDS),
    "tensor": Tensor(),
    "lists": IDS.tolist(),
    "ragged lists": [row.tolist() for row in ROWS],
    "ragged arrays": ROWS,
    "unsigned": [row.astype(np.uint64) for row in ROWS],
    "mixed": [
        row.tolist() if i % 2 else row.astype(float) for i, row in enumerate(ROWS)
    ],
    "array of arrays": np.array([*ROWS, None], dtype=object)[:-1],
    "Series": pd.Series(ROWS),
    "polars": pl.Series([row.tolist() for row in ROWS]),
    "polars frame": pl.DataFrame(IDS),
    "pyarrow": pa.array([row.tolist() for row in ROWS]),
    "generator": Once(ROWS),
    "tuples": tuple(map(tuple, ROWS)),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("chunk", [2**18, 16])
def test_forms_of_ids(name, chunk, monkeypatch):
    monkeypatch.setattr(token_ids, "_CHUNK", chunk)
    X = Once(ROWS) if name == "generator" else FORMS[name]
    counts, rows = cooccurrence(X, input="token_ids", min_count=1)
    expected, words = cooccurrence(IDS, input="token_ids", min_count=1)
    assert rows == words
    assert same(counts, expected)


@pytest.mark.parametrize("offset", [0, 10**6, 2**31 - 17])
def test_large_ids(offset, monkeypatch):
    """There is no table of all ids below the largest one."""
    monkeypatch.setattr(vocabulary, "_CHUNK", 32)
    moved = np.where(IDS < 0, -1, IDS.astype(np.int64) + offset)
    counts, rows = cooccurrence(moved, input="token_ids", min_count=1)
    _, held = traced(lambda: cooccurrence(moved, input="token_ids", min_count=1))
    assert held < 2**20
    expected, words = cooccurrence(IDS, input="token_ids", min_count=1)
    assert rows == {word + offset: row for word, row in words.items()}
    assert same(counts, expected)


@every_estimator
def test_documents_without_tokens(estimator):
    ids = np.concatenate([IDS, np.full((2, IDS.shape[1]), -1)])
    embedder = cheap(estimator, input="token_ids", **PLAIN).fit(ids)
    assert not embedder.transform(ids)[-2:].any()
    assert not embedder.transform([[500], []]).any()
    assert embedder.transform(np.empty((2, 0), dtype=int)).shape == (2, 3)
    assert embedder.transform(np.empty((0, 4), dtype=int)).shape == (0, 3)
    np.testing.assert_array_equal(embedder.coverage([[1, 500], [-1], []]), [0.5, 0, 0])


def test_missing_documents():
    embedder = cheap(PPMISVDEmbedder, input="token_ids", missing="empty", **PLAIN)
    embedder.fit([*ROWS, None])
    assert not embedder.transform([None, np.nan]).any()
    with pytest.raises(ValueError, match="Row 1 of X is NoneType"):
        embedder.set_params(missing="error").transform([[1], None])


def test_memory_of_reading():
    """Ids are copied once: 4 bytes each, and an array grows by a sixteenth."""
    ids = np.random.default_rng(0).integers(0, 500, (20_000, 50), dtype=np.int32)
    ids[::3, 7] = -1

    def read():
        parts = token_ids.number(ids)
        return vocabulary.build(*parts, 5, None)

    read()  # imports
    (corpus, words), held = traced(read)
    assert corpus.token_ids.size == np.count_nonzero(ids >= 0)
    np.testing.assert_array_equal(
        np.array(words.words)[corpus.token_ids], ids[ids >= 0]
    )
    assert held < 1.3 * ids.nbytes + 8 * 2**20


# --- models of ids --------------------------------------------------------------------


def test_vectors_of_ids():
    embedder = cheap(SGNSEmbedder, input="token_ids").fit(IDS)
    table = WordVectors.from_estimator(embedder)
    np.testing.assert_array_equal(
        table[3], embedder.word_vectors_[embedder.vocabulary_[3]]
    )
    again = cheap(SGNSEmbedder, input="token_ids", init=table, max_iter=1)
    assert again.fit(IDS).vocabulary_ == embedder.vocabulary_


def test_a_warm_start_keeps_the_rows():
    embedder = cheap(SGNSEmbedder, input="token_ids", warm_start=True).fit(IDS)
    before = list(embedder.vocabulary_)
    embedder.fit(MORE_IDS)
    assert list(embedder.vocabulary_)[: len(before)] == before
    assert list(embedder.vocabulary_)[len(before) :] == [70, 71]


@pytest.mark.parametrize("estimator", COUNTING)
def test_memory_keeps_counts(estimator, tmp_path, monkeypatch):
    params = {"input": "token_ids", "memory": tmp_path}
    first = cheap(estimator, **params).fit(IDS)

    def count(*args):
        raise AssertionError("counted again")

    from skembed._counts import windows

    monkeypatch.setattr(windows, "count_cooccurrences", count)
    second = cheap(estimator, **params).fit(IDS.astype(np.int64))
    assert same(first.word_vectors_, second.word_vectors_)
    with pytest.raises(AssertionError, match="counted again"):
        cheap(estimator, **params).fit(IDS[:-1])
    with pytest.raises(AssertionError, match="counted again"):
        cheap(estimator, **params, max_features=5).fit(IDS)
    with pytest.raises(AssertionError, match="counted again"):
        cheap(estimator, **params).fit(IDS, sample_weight=np.arange(len(IDS)))


def test_searches_cut_rows():
    embedder = cheap(PPMISVDEmbedder, input="token_ids")
    scores = cross_val_score(clone(embedder), IDS, cv=5)
    assert np.isfinite(scores).all()


def test_tags():
    tags = get_tags(PPMISVDEmbedder(input="token_ids")).input_tags
    assert tags.two_d_array
    assert not any([tags.string, tags.sparse, tags.positive_only, tags.allow_nan])
    assert not hasattr(
        cheap(PPMISVDEmbedder, input="token_ids").fit(IDS), "n_features_in_"
    )


def test_without_the_parameter_integers_are_a_matrix():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder = cheap(PPMISVDEmbedder).fit(np.abs(IDS))
    assert embedder.n_features_in_ == IDS.shape[1]


# --- errors ---------------------------------------------------------------------------

BAD = {
    "Token 2 in row 1 of X is float (1.5), not an id": [[1, 2], [1, 2, 1.5]],
    "Token 1 in row 30 of X is float (0.5)": np.vstack(
        [np.ones((30, 2)), [[1, 0.5]], np.ones((9, 2))]
    ),
    "Token 0 in row 1 of X is float (nan), not an id": np.array([[1.0], [np.nan]]),
    "Token 1 in row 0 of X is float (inf)": [[1, np.inf]],
    "Token 1 in row 2 of X is int (-2): no id is below -1": [[1], [], [3, -2]],
    "Token 0 in row 1 of X is int (2147483648), which is larger": np.array(
        [[1], [2**31]]
    ),
    "Token 1 in row 0 of X is int (18446744073709551616), which is": [[1, 2**64]],
    "Token 0 in row 0 of X is int (18446744073709551615), which is": np.array(
        [[2**64 - 1]], dtype=np.uint64
    ),
    "Token 1 in row 1 of X is str ('b'), not an id": [[1, 2], [1, "b"]],
    "Token 0 in row 0 of X is str ('amber')": [["amber", "birch"]],
    "Token 0 in row 0 of X is bool": np.array([[True, False]]),
    "Token 1 in row 1 of X is NoneType (None)": [[1, 2], [1, None]],
    "Row 0 of X is str ('amber birch'), not a document": ["amber birch"],
    "Row 0 of X is int (3), not a document": [3, 4],
    "X is str ('amber')": "amber",
    "X is int (3)": 3,
    "X is dict": {1: [1]},
    "X is a sparse matrix of shape (2, 2)": sparse.eye_array(2),
    "X is a 1-dimensional array of shape (3,). For one document, pass": np.arange(3),
    "X is a masked array. Fill it first: X.filled(-1)": np.ma.masked_equal(IDS, 3),
    "X is a 3-dimensional array": np.ones((2, 2, 2), dtype=int),
    "X holds no documents": np.empty((0, 3), dtype=int),
    "Empty vocabulary: the 2 documents hold no tokens at all": np.full((2, 2), -1),
    "Empty vocabulary: no word occurs min_count=3 times; the most frequent, 4": [
        [4, 5],
        [4],
    ],
    "No document holds two words": [[4], [4], [4]],
}


@pytest.mark.parametrize("message", BAD)
def test_what_are_no_ids(message):
    embedder = cheap(SGNSEmbedder, input="token_ids", min_count=3)
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        embedder.fit(BAD[message])
    assert not learned(embedder)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"stop_words": ["the"]}, "stop_words are words of text"),
        ({"vocabulary": ["a", "b"]}, "vocabulary holds 'a'"),
        ({"vocabulary": [1, 1]}, "vocabulary holds the word 1 more than once"),
        ({"vocabulary": [800]}, "None of the 1 words .* the same numbering"),
        ({"vocabulary": [1, 2], "max_features": 1}, "max_features=1 cannot select"),
    ],
)
def test_parameters_that_do_not_suit_ids(params, message):
    with pytest.raises(ValueError, match=message):
        cheap(SGNSEmbedder, input="token_ids", **params).fit(IDS)
    with pytest.raises(ValueError, match=message):
        cooccurrence(IDS, input="token_ids", min_count=1, **params)


def test_counts_take_documents_only():
    with pytest.raises(ValueError, match="'input' parameter"):
        cooccurrence(IDS, input="cooccurrence")


@every_estimator
def test_other_kinds_of_documents(estimator):
    """A model of ids takes ids, and a model of text takes text."""
    of_ids = cheap(estimator, input="token_ids", warm_start=True).fit(IDS)
    of_text = cheap(estimator, warm_start=True).fit(DOCUMENTS)
    with pytest.raises(ValueError, match="Row 0 of X is str"):
        of_ids.transform(DOCUMENTS)
    with pytest.raises(ValueError, match="Token 0 in row 0 of X is str"):
        of_ids.transform(TOKENISED)
    of_ids.set_params(input="content")
    of_text.set_params(input="token_ids")
    for method in ("transform", "coverage", "score"):
        with pytest.raises(ValueError, match=r"was fitted on token ids, .*Set input="):
            getattr(of_ids, method)(DOCUMENTS)
        with pytest.raises(ValueError, match=r"fitted on words of str \('"):
            getattr(of_text, method)(IDS)
    with pytest.raises(ValueError, match="with input='token_ids', and cannot resume"):
        of_ids.partial_fit(DOCUMENTS)
    if hasattr(of_ids, "max_iter"):
        with pytest.raises(ValueError, match="on token ids and is to resume with text"):
            of_ids.fit(DOCUMENTS)
        with pytest.raises(ValueError, match="on text and is to resume with token ids"):
            of_text.fit(IDS)


def test_pretrained_vectors_read_text():
    table = WordVectors(["amber", "birch"], np.eye(2))
    assert PretrainedEmbedder(table).fit_transform(["amber birch"] * 2).shape == (2, 2)
