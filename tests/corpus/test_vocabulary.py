"""Which words are kept, in which rows, and how documents become their numbers."""

import itertools
import pickle
import random
import tracemalloc
from array import array
from collections import Counter, UserDict
from fractions import Fraction
from unittest import mock

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer

from skembed import PPMISVDEmbedder, cooccurrence
from skembed._corpus import vocabulary as _vocabulary
from skembed._corpus.tokenize import look_up
from skembed._corpus.validation import check_vocabulary
from skembed._corpus.vocabulary import (
    Corpus,
    Vocabulary,
    build,
    count,
)
from skembed.features import TextUnion
from skembed.vectors import WordVectors
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    TOKENISED,
    Once,
    assert_same_fit,
    cheap,
    traced,
    words_of,
)

pytestmark = pytest.mark.small

# Few words, so that counts are often equal, and words of any signs at all.
words = st.one_of(
    st.sampled_from(["a", "b", "B", "é", "e\u0301", ""]),
    st.text(st.characters(), max_size=2),
)
documents = st.lists(st.lists(words, max_size=8), max_size=8)


def twin_of_build(documents, min_count, max_features):
    """The rows, counts and kept words, with a Counter and a sort."""
    counts = Counter(itertools.chain.from_iterable(documents))
    kept = [word for word, count in counts.items() if count >= min_count]
    kept = sorted(kept, key=lambda word: (-counts[word], word))[:max_features]
    rows = {word: row for row, word in enumerate(kept)}
    left = [[word for word in tokens if word in rows] for tokens in documents]
    return rows, [counts[word] for word in kept], left


def numbered(documents):
    """The numbers of all words as C arrays, and the words by their numbers."""
    words = list(dict.fromkeys(itertools.chain.from_iterable(documents)))
    ids = array("i", map(words.index, itertools.chain.from_iterable(documents)))
    return ids, offsets_of(documents), words


def offsets_of(documents):
    return array("q", itertools.accumulate(map(len, documents), initial=0))


def assert_corpus(corpus, rows, expected):
    """A corpus has its dtypes and holds the expected words."""
    assert isinstance(corpus, Corpus)
    assert corpus.token_ids.dtype == np.int32
    assert corpus.doc_offsets.dtype == np.int64
    assert corpus.doc_offsets[0] == 0
    assert corpus.doc_offsets[-1] == corpus.token_ids.size
    assert corpus.n_documents == len(expected)
    assert words_of(corpus, rows) == expected


def assert_vocabulary(vocabulary, rows, counts):
    assert isinstance(vocabulary, Vocabulary)
    assert list(vocabulary.rows.items()) == list(rows.items())
    assert {type(row) for row in vocabulary.rows.values()} == {int}
    assert vocabulary.counts.dtype == np.int64
    assert vocabulary.counts.tolist() == counts
    assert vocabulary.words == list(rows)
    assert len(vocabulary) == len(rows)


# Chunks of a few tokens: words are dropped within them, at their ends, and not at all.
chunks = st.integers(1, 9)


@given(documents, st.integers(1, 4), st.one_of(st.none(), st.integers(1, 5)), chunks)
def test_build_against_a_counter(documents, min_count, max_features, chunk):
    rows, counts, left = twin_of_build(documents, min_count, max_features)
    if not rows:
        with pytest.raises(ValueError, match=r"^(Empty vocabulary|X holds no)"):
            build(*numbered(documents), min_count, max_features)
        return
    with mock.patch.object(_vocabulary, "_CHUNK", chunk):
        corpus, vocabulary = build(*numbered(documents), min_count, max_features)
    assert_vocabulary(vocabulary, rows, counts)
    assert_corpus(corpus, rows, left)


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=8),
    st.lists(st.integers(-1, 2), min_size=4, max_size=4),
    chunks,
)
def test_tokens_without_a_row_are_left_out(documents, new_rows, at_once):
    ids = array("i", itertools.chain.from_iterable(documents))
    with mock.patch.object(_vocabulary, "_AT_ONCE", at_once):
        corpus = Corpus.consume_known(ids, offsets_of(documents), np.array(new_rows))
    rows = {"a": 0, "b": 1, "c": 2}
    left = [[new_rows[word] for word in words] for words in documents]
    left = [["abc"[row] for row in words if row >= 0] for words in left]
    assert_corpus(corpus, rows, left)
    assert len(ids) == corpus.token_ids.size


def test_views_that_others_hold(monkeypatch):
    """As profilers and debuggers hold the frames of calls, with what these know."""
    params = {"max_features": 3}
    expected = cheap(PPMISVDEmbedder, **params).fit(DOCUMENTS)
    assert len(expected.vocabulary_) == 3
    held, drop = [], _vocabulary._keep_known

    def call(*views):
        held.append(views)
        return drop(*views)

    monkeypatch.setattr(_vocabulary, "_keep_known", call)
    for documents in (DOCUMENTS, TOKENISED):
        found = cheap(PPMISVDEmbedder, **params).fit(documents)
        assert_same_fit(found, expected)
    assert len(held) == 2


@given(documents, st.lists(words, unique=True, min_size=1, max_size=6))
def test_count_against_a_counter(documents, chosen):
    rows = {word: row for row, word in enumerate(chosen)}
    ids = [rows[word] for tokens in documents for word in tokens if word in rows]
    corpus = Corpus(np.array(ids, dtype=np.int32), np.array([0, len(ids)]))
    if not ids:
        with pytest.raises(ValueError, match=r"None of the \d+ words of vocab"):
            count(corpus, rows)
        return
    with mock.patch.object(_vocabulary, "_CHUNK", 3):
        vocabulary = count(corpus, check_vocabulary(chosen))
    assert_vocabulary(vocabulary, rows, [ids.count(row) for row in range(len(rows))])


# --- weights of documents and tokens --------------------------------------------------

SOME_WEIGHTS = [0.0, 1.0, 2.0, 0.5, 0.1, 0.2, 0.3, 1 / 3, 1e-12, 1e9 + 0.1]
weighted = st.lists(st.tuples(st.sampled_from(SOME_WEIGHTS), st.lists(words)))
repeated = st.lists(st.tuples(st.integers(0, 4), st.lists(words, max_size=8)))
most_features = st.one_of(st.none(), st.integers(1, 5))


def sums_of_fractions(documents, weights):
    """How often each word counts, added up without rounding."""
    counts = Counter()
    for words, weight in zip(documents, weights, strict=True):
        for word in words:
            counts[word] += Fraction(weight)
    return counts


@given(repeated, st.integers(1, 4), most_features, chunks)
@example([(0, ["a"]), (1, ["b"])], 1, None, 1)
def test_whole_weights_repeat_documents(repeated, min_count, max_features, chunk):
    """The same words in the same rows, with the same counts."""
    weights = np.array([times for times, _ in repeated], dtype=np.float64)
    documents = [words for _, words in repeated]
    copies = [words for times, words in repeated for _ in range(times)]
    rows, counts, _ = twin_of_build(copies, min_count, max_features)
    with mock.patch.object(_vocabulary, "_CHUNK", chunk):
        if not rows:
            with pytest.raises(ValueError, match=r"^(Empty|X holds|No word|sample_w)"):
                build(*numbered(documents), min_count, max_features, weights)
            return
        corpus, vocabulary = build(
            *numbered(documents), min_count, max_features, weights
        )
    assert list(vocabulary.rows.items()) == list(rows.items())
    assert vocabulary.counts.dtype == np.float64
    assert vocabulary.counts.tolist() == counts
    left = [[word for word in words if word in rows] for words in documents]
    assert_corpus(corpus, rows, left)
    assert corpus.doc_weights is weights
    assert corpus.token_weights is None


@given(weighted, most_features, chunks, st.randoms(use_true_random=False))
def test_weights_of_any_kind(weighted, max_features, chunk, random):
    """Counts are sums that are rounded in the end, in whatever order they are added."""
    weights = np.array([weight for weight, _ in weighted])
    documents = [words for _, words in weighted]
    exact = sums_of_fractions(documents, weights)
    exact = {word: count for word, count in exact.items() if count >= 1}
    if not exact:
        return
    with mock.patch.object(_vocabulary, "_CHUNK", chunk):
        _, vocabulary = build(*numbered(documents), 1, None, weights)
        random.shuffle(weighted)
        shuffled = np.array([weight for weight, _ in weighted])
        _, other = build(
            *numbered([words for _, words in weighted]), 1, max_features, shuffled
        )
    counts = dict(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True))
    # Sums that are 1 but for rounding may be kept, too.
    assert counts.keys() >= exact.keys()
    for word, total in exact.items():
        np.testing.assert_allclose(counts[word], float(total), rtol=2.0**-52)
    expected = sorted(counts, key=lambda word: (-counts[word], word))
    assert vocabulary.words == expected
    assert other.words == expected[:max_features]
    assert other.counts.tolist() == vocabulary.counts[:max_features].tolist()


def test_equal_sums_are_ties():
    """0.1 + 0.2 + 0.3 is more than 0.3 + 0.2 + 0.1 if numbers are merely added up."""
    weights = np.array([0.1, 0.2, 0.3, 0.3, 0.2, 0.1])
    assert sum(weights[:3]) > sum(weights[3:])
    documents = [["b"]] * 3 + [["a"]] * 3
    _, vocabulary = build(*numbered(documents * 10), 6, None, np.tile(weights, 10))
    assert vocabulary.words == ["a", "b"]
    assert vocabulary.counts.tolist() == [6.0, 6.0]


@pytest.mark.parametrize("weight", [0.1, 0.2, 0.7, 1 / 3, 1.1])
def test_sums_reach_min_count_when_users_expect_it(weight):
    documents = [["a"]] * 30
    least = round(30 * weight)
    _, vocabulary = build(*numbered(documents), least, None, np.full(30, weight))
    assert vocabulary.counts.tolist() == [least]


@given(repeated, st.lists(words, unique=True, min_size=1, max_size=6), st.data())
def test_count_of_repeated_documents(repeated, chosen, data):
    """Tokens of a matrix have weights as well, which are not whole."""
    rows = {word: row for row, word in enumerate(chosen)}
    left = [[rows[word] for word in words if word in rows] for _, words in repeated]
    times = [n for n, _ in repeated]
    values = [
        data.draw(st.lists(st.sampled_from(SOME_WEIGHTS), min_size=n, max_size=n))
        for n in map(len, left)
    ]

    def counted(documents, values, doc_weights):
        ids = np.array(list(itertools.chain.from_iterable(documents)), dtype=np.int32)
        offsets = np.array(offsets_of(documents))
        values = np.array(list(itertools.chain.from_iterable(values)), dtype=float)
        with mock.patch.object(_vocabulary, "_CHUNK", 3):
            return count(Corpus(ids, offsets, values, doc_weights), rows).counts

    pairs = list(zip(left, values, times, strict=True))
    copies = [(doc, row) for doc, row, n in pairs for _ in range(n)]
    exact = Counter()
    for ids, row in copies:
        for word, value in zip(ids, row, strict=True):
            exact[word] += Fraction(value)
    if not any(exact.values()):
        with pytest.raises(ValueError, match=r"^(None of the|No word|sample_weight)"):
            counted(left, values, np.array(times, dtype=float))
        return
    found = counted(left, values, np.array(times, dtype=float))
    assert found.dtype == np.float64
    assert found.tolist() == counted(*zip(*copies, strict=True), None).tolist()
    expected = [float(exact[row]) for row in range(len(rows))]
    np.testing.assert_allclose(found, expected, rtol=2.0**-52)
    halves = counted(left, values, np.array(times) / 2)
    np.testing.assert_allclose(halves, found / 2, rtol=2.0**-51)


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from([1e-300, 1e-40, 0.1, 3.0, 1e18, 1e300]),
                st.floats(1e-300, 1e300),
            ),
            st.lists(words, max_size=8),
        ),
        max_size=9,
    ),
    chunks,
    st.randoms(use_true_random=False),
)
@example([(1e300, ["a"]), (1.0, ["b"]), (1e-300, ["c"])], 1, random.Random(0))
def test_weights_of_very_different_sizes(weighted, chunk, any_order):
    """Small sums have as many digits as large ones; no order changes a bit."""
    weighted = [(weight, tokens) for weight, tokens in weighted if tokens]
    if not weighted:
        return
    chosen = sorted({word for _, tokens in weighted for word in tokens})
    rows = {word: row for row, word in enumerate(chosen)}

    def counted():
        weights, documents = zip(*weighted, strict=True)
        ids = [rows[word] for tokens in documents for word in tokens]
        offsets = np.array(offsets_of(documents))
        corpus = Corpus(np.array(ids, np.int32), offsets, None, np.array(weights))
        with mock.patch.object(_vocabulary, "_CHUNK", chunk):
            return count(corpus, rows).counts

    found = counted()
    weights, documents = zip(*weighted, strict=True)
    exact = sums_of_fractions(documents, weights)
    np.testing.assert_allclose(found, [float(exact[w]) for w in chosen], rtol=2.0**-51)
    any_order.shuffle(weighted)
    assert counted().tolist() == found.tolist()


def test_words_that_do_not_count_keep_their_rows():
    """In a given vocabulary, with a count of 0."""
    corpus = Corpus(np.array([0, 1, 1], dtype=np.int32), np.array([0, 1, 3]))
    rows = {"a": 0, "b": 1, "c": 2}
    weighted = corpus._replace(doc_weights=np.array([0.0, 2.5]))
    assert count(weighted, rows).counts.tolist() == [0.0, 5.0, 0.0]
    assert count(corpus, rows).counts.tolist() == [1, 2, 0]


def test_counting_weights_takes_little_memory():
    """What is computed of a chunk at a time, whatever the number of tokens."""
    n_tokens = 2_000_000
    ids = array("i", [0, 1, 2, 3] * (n_tokens // 4))
    offsets = array("q", range(0, n_tokens + 1, 100))
    weights = np.random.default_rng(0).random(n_tokens // 100)
    _, peak = traced(build, ids, offsets, ["a", "b", "c", "d"], 1, 2, weights)
    assert peak < 10 * 8 * _vocabulary._CHUNK


@pytest.mark.parametrize(
    ("documents", "weights", "message"),
    [
        ([["a"], ["b"]], [0.0, 0.0], "sample_weight is 0 for all 2 documents"),
        ([["a"], []], [0.0, 2.0], "sample_weight is not 0 hold none"),
        ([[], []], [1.0, 2.0], "the 2 documents hold no tokens at all"),
        ([["a"], ["b", "b"]], [1.0, 1.25], "'b', occurs 2.5 times by sample_weight"),
        ([["a", "b"]], [1.7e308], "Sums of weights are too large for float64"),
        ([["a"], ["a"]], [1.7e308, 1e308], "Sums of weights are too large for float64"),
        ([["a"] * 9], [1e-300], r"'a', occurs 9e-300 times by sample_weight"),
    ],
)
def test_weights_with_which_nothing_is_left(documents, weights, message):
    with pytest.raises(ValueError, match=message):
        build(*numbered(documents), 3, None, np.array(weights))


@pytest.mark.parametrize(
    ("weights", "message"),
    [([0.0, 0.0], "sample_weight is 0 for all 2"), ([0.0, 1.0], "is not 0 hold none")],
)
def test_given_words_that_do_not_count(weights, message):
    corpus = Corpus(np.array([0], dtype=np.int32), np.array([0, 1, 1]))
    with pytest.raises(ValueError, match=message):
        count(corpus._replace(doc_weights=np.array(weights)), {"a": 0})


@given(documents, documents)
def test_looking_up_other_documents(known, others):
    rows, _, _ = twin_of_build(known, 1, None)
    left = [[word for word in tokens if word in rows] for tokens in others]
    before = dict(rows)
    assert_corpus(look_up(iter(others), CountVectorizer(), rows), rows, left)
    # Looking up unknown words must not add them.
    assert rows == before


def test_building_takes_little_memory():
    """Less than half of what the tokens take, and what is dropped is given back."""
    n_tokens = 2_000_000
    ids = array("i", [0, 1, 2, 3] * (n_tokens // 4))
    offsets = array("q", range(0, n_tokens + 1, 100))
    tracemalloc.start()
    try:
        corpus, _ = build(ids, offsets, ["a", "b", "c", "d"], 1, 2)
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < ids.itemsize * n_tokens // 2 + corpus.token_ids.nbytes * 17 // 16
    assert corpus.token_ids.tolist() == [0, 1] * (n_tokens // 4)
    assert np.shares_memory(corpus.token_ids, np.frombuffer(ids, dtype=np.int32))
    # The array that has shrunk was measured anew; an array grows by a sixteenth more.
    assert left < corpus.token_ids.nbytes * 17 // 16 + 10_000


def test_ties_are_sorted_by_word():
    """By code point: capitals first, accented letters last, whatever the locale."""
    tokens = ["é", "b", "a", "B", "_", "é", "b", "a", "B", "_", "z"]
    _, vocabulary = build(*numbered([tokens]), 1, None)
    assert vocabulary.words == ["B", "_", "a", "b", "é", "z"]
    _, vocabulary = build(*numbered([tokens[::-1]]), 1, 3)
    assert vocabulary.words == ["B", "_", "a"]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], r"^X holds no documents: pass at least one\.$"),
        ([[], []], "the 2 documents hold no tokens at all.*token_pattern"),
        (
            [["amber"], ["birch", "amber"]],
            "no word occurs min_count=3 times; the most frequent, 'amber', occurs 2 "
            "times. Lower min_count",
        ),
    ],
)
def test_why_no_word_is_left(documents, message):
    with pytest.raises(ValueError, match=message):
        build(*numbered(documents), 3, None)


def test_none_of_the_given_words_occurs():
    message = "None of the 2 words of vocabulary occurs in the 1 documents.*lowercase"
    with pytest.raises(ValueError, match=message):
        cheap(PPMISVDEmbedder, vocabulary=["Amber", "Birch"]).fit([["amber"]])


# --- the parameter `vocabulary` -------------------------------------------------------


class Named(str):
    """Words whose `str` is another text, as that of members of an `Enum`."""

    def __str__(self):
        return "another text"


ORDER = ["delta", "amber", "cedar"]
GIVEN = {
    "list": ORDER,
    "tuple": tuple(ORDER),
    "array": np.array(ORDER),
    "Index": pd.Index(ORDER),
    "dict": {"amber": 1, "cedar": 2, "delta": 0},
    "dict of NumPy integers": dict(zip(ORDER, np.arange(3), strict=True)),
    "other mapping": UserDict({"amber": 1, "cedar": 2, "delta": 0}),
    "dict keys": dict.fromkeys(ORDER).keys(),
    "Series of categories": pd.Series(ORDER, dtype="category"),
    "array of pandas": pd.array(ORDER, dtype="string"),
    "pyarrow": pa.array(ORDER),
    "pyarrow in chunks": pa.chunked_array([ORDER[:1], ORDER[1:]]),
    "pyarrow dictionary": pa.array(ORDER).dictionary_encode(),
    "polars": pl.Series(ORDER),
    "dict of derived str": {np.str_("amber"): 1, Named("cedar"): 2, "delta": 0},
    "Index of derived str": pd.Index(list(map(np.str_, ORDER)), dtype=object),
}


@pytest.mark.parametrize("vocabulary", GIVEN.values(), ids=GIVEN)
def test_given_vocabulary_keeps_its_order(vocabulary):
    index = check_vocabulary(vocabulary)
    assert list(index.items()) == [("delta", 0), ("amber", 1), ("cedar", 2)]
    assert {type(row) for row in index.values()} == {int}
    assert {type(word) for word in index} == {str}


@pytest.mark.parametrize("words", [Once(ORDER), (word for word in ORDER)])
def test_iterators_are_refused(words):
    """The next fit would find nothing in them."""
    with pytest.raises(ValueError, match=r"vocabulary is an iterator .*Pass a list"):
        check_vocabulary(words)
    assert list(words) == ORDER


@pytest.mark.parametrize(
    "vocabulary",
    [
        [30, 10, 20],
        np.array([30, 10, 20], dtype=">i2"),
        pa.array([30, 10, 20]),
        {10: 1, 20: 2, 30: 0},
        dict.fromkeys([30, 10, 20]).keys(),
    ],
    ids=str,
)
def test_words_of_a_matrix_may_be_int(vocabulary):
    index = check_vocabulary(vocabulary)
    assert list(index.items()) == [(30, 0), (10, 1), (20, 2)]
    assert {type(word) for word in index} == {int}


@pytest.mark.parametrize("kind", [set, frozenset])
def test_sets_are_sorted(kind):
    words = list(check_vocabulary(kind(map(np.str_, ORDER))))
    assert words == sorted(ORDER)
    assert set(map(type, words)) == {str}


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ("amber", "vocabulary must be a collection of str, got 'amber'"),
        (b"amber", "vocabulary must be a collection of str, got b'amber'"),
        ([], "vocabulary is empty; pass at least one word or None"),
        ({}, "vocabulary is empty; pass at least one word or None"),
        (["amber", "birch", "amber"], "holds the word 'amber' more than once"),
        (["amber", 3], r"vocabulary must hold str only \(or, .*int only\), got 3"),
        ([3, "amber"], "vocabulary must hold str only .*, got 3"),
        ([3, True], "vocabulary must hold str only .*, got 3"),
        ([3, np.int64(3)], "holds the word 3 more than once"),
        pytest.param(
            {"amber", None}, "must hold str only .*, got None", id="set of None"
        ),
        ([["amber"]], r"vocabulary must hold str only .*, got \['amber'\]"),
        ({3.0: 0}, "vocabulary must hold str only .*, got 3.0"),
        ({"amber": 0, "birch": 2}, r"rows 0, 1, \.\.\., 1 without gaps.*\[0, 2\]"),
        ({"amber": 0, "birch": 0}, r"without gaps or repeats.*\[0, 0\]"),
        ({"amber": 1, "birch": 2}, r"without gaps or repeats.*\[1, 2\]"),
        ({"amber": 0, "birch": None}, r"without gaps or repeats.*\[0, None\]"),
        ({"amber": "0"}, r"without gaps or repeats.*\['0'\]"),
        ({"amber": 0.0, "birch": 0.5}, r"without gaps or repeats.*\[0.0, 0.5\]"),
    ],
    ids=str,
)
def test_refused_vocabulary(vocabulary, message):
    with pytest.raises(ValueError, match=message):
        check_vocabulary(vocabulary)


# --- through the estimators -----------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"min_count": 15},
        {"max_features": 3},
        {"min_count": 14, "max_features": 5},
        {"stop_words": ["amber", "grove"], "max_features": 4},
    ],
    ids=str,
)
def test_learned_words(estimator, params):
    embedder = cheap(estimator, **params).fit(DOCUMENTS)
    left = [
        [w for w in tokens if w not in params.get("stop_words", ())]
        for tokens in TOKENISED
    ]
    rows, counts, _ = twin_of_build(
        left, params.get("min_count", 1), params.get("max_features")
    )
    assert list(embedder.vocabulary_.items()) == list(rows.items())
    assert embedder.word_counts_.dtype == np.int64
    assert embedder.word_counts_.tolist() == counts
    assert embedder.word_vectors_.shape == (len(rows), 3)


def derived(words):
    """Return words of two derived types."""
    return [np.str_(word) if i % 2 else Named(word) for i, word in enumerate(words)]


OF_DERIVED_TYPES = {
    "tokens": [derived(["delta", "amber", "cedar", "amber"])] * 6,
    "arrays": [np.array(["delta", "amber", "cedar", "amber"])] * 6,
    "arrays of objects": [np.array(derived(["delta", "amber", "cedar"]), object)] * 6,
    "raw": np.array(["delta amber cedar"] * 6),
    "frame": pd.DataFrame(
        np.eye(3, dtype=int) + 1,
        columns=pd.Index([np.str_("delta"), "amber", np.str_("cedar")], dtype=object),
    ),
}


@pytest.mark.parametrize("documents", OF_DERIVED_TYPES.values(), ids=OF_DERIVED_TYPES)
@pytest.mark.parametrize("given", [None, derived(ORDER), np.array(ORDER)], ids=type)
def test_words_become_plain_str(documents, given):
    """A file of words needs no other library, and names in the same order as str."""
    embedder = cheap(PPMISVDEmbedder, vocabulary=given).fit(documents)
    _, index = cooccurrence(documents, vocabulary=given)
    table = WordVectors.from_estimator(embedder)
    union = TextUnion(clone(embedder))
    for words in (embedder.vocabulary_, index, table.words):
        assert set(map(type, words)) == {str}
        assert set(words) == set(ORDER)
        assert given is None or list(words) == ORDER
        assert b"numpy" not in pickle.dumps(list(words))
    if isinstance(documents, pd.DataFrame):
        assert embedder.feature_names_in_.tolist() == ["delta", "amber", "cedar"]
        assert set(map(type, embedder.feature_names_in_)) == {str}
    elif given is None:
        union.fit(documents)
        assert set(map(type, union.vectorizer_.vocabulary_)) == {str}
        assert set(map(type, union.embedder_.vocabulary_)) == {str}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_given_words(estimator):
    """A given vocabulary ignores `min_count` and may hold words that never occur."""
    vocabulary = ["grove", "never", "amber", "cedar"]
    expected = [sum(tokens.count(word) for tokens in TOKENISED) for word in vocabulary]
    fitted = []
    for given_words in (
        vocabulary,
        tuple(vocabulary),
        dict(zip(vocabulary, range(4), strict=True)),
    ):
        embedder = cheap(estimator, vocabulary=given_words, min_count=1000)
        fitted.append(clone(embedder).fit(DOCUMENTS))
        assert list(fitted[-1].vocabulary_.items()) == list(
            zip(vocabulary, range(4), strict=True)
        )
        assert fitted[-1].word_counts_.tolist() == expected
        assert np.isfinite(fitted[-1].word_vectors_).all()
        assert np.isfinite(fitted[-1].score_pairs("never", vocabulary)).all()
    for other in fitted[1:]:
        np.testing.assert_array_equal(other.word_vectors_, fitted[0].word_vectors_)
    in_set = cheap(estimator, vocabulary=set(vocabulary)).fit(DOCUMENTS)
    assert list(in_set.vocabulary_) == sorted(vocabulary)


def test_learned_words_can_be_given():
    first = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    again = cheap(PPMISVDEmbedder, vocabulary=first.vocabulary_).fit(DOCUMENTS)
    assert again.vocabulary_ == first.vocabulary_
    assert again.vocabulary_ is not first.vocabulary_
    np.testing.assert_array_equal(again.word_vectors_, first.word_vectors_)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_max_features_does_not_go_with_a_given_vocabulary(estimator):
    embedder = cheap(estimator, vocabulary=["amber", "birch"], max_features=1)
    with pytest.raises(ValueError, match="max_features=1 cannot select from a given"):
        embedder.fit(DOCUMENTS)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_dropped_words_are_removed_before_windows(estimator):
    """Words that are dropped, for whatever reason, leave no gap behind."""
    noisy = [
        list(
            itertools.chain.from_iterable(
                (word, f"rare{i}x{j}") for j, word in enumerate(tokens)
            )
        )
        for i, tokens in enumerate(TOKENISED)
    ]
    clean = cheap(estimator, min_count=2).fit(TOKENISED)
    kept = list(clean.vocabulary_)
    rare = sorted({word for tokens in noisy for word in tokens} - set(kept))
    for params in (
        {"min_count": 2},
        {"max_features": len(kept)},
        {"vocabulary": kept},
        {"stop_words": rare},
    ):
        embedder = cheap(estimator, **params).fit(noisy)
        assert embedder.vocabulary_ == clean.vocabulary_
        np.testing.assert_array_equal(embedder.word_vectors_, clean.word_vectors_)
        np.testing.assert_array_equal(
            embedder.transform(noisy), clean.transform(TOKENISED)
        )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_words_of_any_signs(estimator):
    """Spaces, signs, lone surrogates and the empty string are words like others."""
    odd = ["", " ", "a b", "\n", "\ud800", "\x00", "🙂", "e\u0301", "é"]
    documents = [odd, odd[::-1]] * 3
    embedder = cheap(estimator).fit(documents)
    assert list(embedder.vocabulary_) == sorted(odd)
    assert np.isfinite(embedder.transform(documents)).all()
