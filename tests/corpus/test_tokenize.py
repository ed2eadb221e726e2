"""What counts as documents, what is refused, and how raw text becomes tokens."""

import itertools
import re
import sys
import threading
import unicodedata
from contextlib import ExitStack, nullcontext
from unittest import mock

import numba
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from skembed import PPMISVDEmbedder
from skembed._corpus import tokenize
from skembed._corpus.tokenize import look_up, number
from skembed._utils import memory
from skembed._utils.files import FileArray
from skembed._utils.jit import COMPILED
from skembed._utils.threads import ThreadTeam
from tests.helpers import (
    ESTIMATORS,
    Once,
    cheap,
    draw_documents,
    traced,
    words_of,
)

pytestmark = pytest.mark.small
needs_compiler = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="too slow without compiler"
)

RAW = ["Amber birch, amber!", "", "Cedar-delta x", "birch  AMBER cedar"]
TOKENS = [
    ["amber", "birch", "amber"],
    [],
    ["cedar", "delta"],
    ["birch", "amber", "cedar"],
]
ODD_INDEX = [7, 7, -1, 0]


def tokens_of(X, **params):
    ids, offsets, words = number(X, CountVectorizer(**params))
    assert len(set(words)) == len(words)
    return [
        [words[word] for word in ids[first:last]]
        for first, last in itertools.pairwise(offsets)
    ]


def scanning(batch=1):
    """Let the kernel scan raw documents, however few, so many characters at a time.

    Its table has little room, so that it grows every few words.
    """
    return mock.patch.multiple(
        tokenize, _MUCH=0, _MUCH_PER_WORD=0, _BATCH=batch, _MIN_ROOM=1
    )


def scanned_tokens_of(X, batch=1, **params):
    with (
        scanning(batch),
        mock.patch.object(tokenize, "_cut", side_effect=AssertionError),
    ):
        return tokens_of(X, **params)


def object_array(values):
    """A 1-D array of objects, also where the values are lists of one length."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def generated(values):
    yield from values


class Getter:
    """A sequence by `__getitem__` alone."""

    def __getitem__(self, position):
        return RAW[position]


RAW_CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "str array": np.array,
    "object array": object_array,
    "StringDType array": lambda X: np.array(X, dtype=np.dtypes.StringDType()),
    "column array of str": lambda X: np.array(X)[:, None],
    "column array of objects": lambda X: object_array(X)[:, None],
    "generator": generated,
    "iterator": iter,
    "map": lambda X: map(str, X),
    "dict values": lambda X: dict(enumerate(X)).values(),
    "sequence by __getitem__": lambda X: Getter(),
    "pandas Series": pd.Series,
    "pandas object Series": lambda X: pd.Series(X, dtype=object),
    "pandas string Series": lambda X: pd.Series(X, dtype="string"),
    "pandas pyarrow Series": lambda X: pd.Series(X, dtype=pd.ArrowDtype(pa.string())),
    "pandas Series, odd index": lambda X: pd.Series(X, index=ODD_INDEX),
    "pandas category Series": lambda X: pd.Series(X, dtype="category"),
    "pandas Index": pd.Index,
    "pandas frame": lambda X: pd.DataFrame({"text": X}),
    "pandas frame, odd index": lambda X: pd.DataFrame({0: X}, index=ODD_INDEX),
    "pandas frame, MultiIndex columns": lambda X: pd.DataFrame({("a", "b"): X}),
    "polars Series": pl.Series,
    "polars frame": lambda X: pl.DataFrame({"text": X}),
    "pyarrow array": pa.array,
    "pyarrow large_string array": lambda X: pa.array(X, pa.large_string()),
    "pyarrow chunks": lambda X: pa.chunked_array([X[:1], X[1:]]),
    "pyarrow table": lambda X: pa.table({"text": X}),
}
TOKEN_CONTAINERS = {
    "lists": list,
    "tuples": lambda X: tuple(map(tuple, X)),
    "str arrays": lambda X: [np.array(words, dtype=np.str_) for words in X],
    "object arrays": lambda X: [np.array(words, dtype=object) for words in X],
    "lists and tuples and arrays": lambda X: [X[0], tuple(X[1]), *map(np.array, X[2:])],
    "array of lists": object_array,
    "column array of lists": lambda X: object_array(X)[:, None],
    "generator": generated,
    "pandas Series": lambda X: pd.Series(X, index=ODD_INDEX),
    "pandas pyarrow Series": lambda X: pd.Series(
        X, dtype=pd.ArrowDtype(pa.list_(pa.string()))
    ),
    "pandas frame": lambda X: pd.DataFrame({"tokens": X}),
    "polars Series": pl.Series,
    "polars frame": lambda X: pl.DataFrame({"tokens": X}),
    "pyarrow array": pa.array,
    "pyarrow table": lambda X: pa.table({"tokens": X}),
}


@pytest.mark.parametrize("container", RAW_CONTAINERS.values(), ids=RAW_CONTAINERS)
def test_raw_documents_in_any_container(container):
    assert tokens_of(container(RAW)) == TOKENS


@pytest.mark.parametrize("container", TOKEN_CONTAINERS.values(), ids=TOKEN_CONTAINERS)
def test_tokenised_documents_in_any_container(container):
    found = tokens_of(container(TOKENS))
    assert found == TOKENS
    assert {type(token) for tokens in found for token in tokens} == {str}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_containers_give_the_same_features(estimator):
    raw = draw_documents(3, n_documents=12)
    tokenised = [text.split() for text in raw]
    expected = cheap(estimator).fit_transform(raw)
    for wrap, documents in [
        (tuple, raw),
        (object_array, raw),
        (pd.Series, raw),
        (pl.Series, raw),
        (pa.array, raw),
        (generated, raw),
        (list, tokenised),
        (object_array, tokenised),
        (pl.Series, tokenised),
    ]:
        embedder = cheap(estimator)
        np.testing.assert_array_equal(embedder.fit_transform(wrap(documents)), expected)
        np.testing.assert_array_equal(embedder.transform(wrap(documents)), expected)


class Graph:
    """What tells a graph of networkx."""

    nodes = edges = ("a", "b")

    def adjacency(self):
        yield from {}

    def __iter__(self):
        return iter(self.nodes)


# One entry: what is passed, and what its message must name and advise.
REFUSED = {
    "a str": ("amber birch", [r"^X is a single str \('amber birch'\)", r"\[X\]\?$"]),
    "bytes": (b"amber", ["^X is a single bytes", "iterable of str"]),
    "a dict": ({"a": "amber"}, ["^X is a dict", r"list\(X.values\(\)\)"]),
    "an int": (3, [r"^X is int \(3\), not an iterable", "iterable of str"]),
    "None": (None, ["^X is NoneType", "iterable of str"]),
    "an object": (object(), ["^X is object", "iterable of str"]),
    "sparse array": (sparse.eye_array(2, format="csr"), [r"sparse.*\(2, 2\)", "str"]),
    "sparse matrix": (sparse.csr_matrix((2, 2)), [r"sparse.*\(2, 2\)", "str"]),
    "two pandas columns": (
        pd.DataFrame({"title": RAW, "body": RAW}),
        [r"frame of 2 columns \(\['title', 'body'\]\)", r"X\[name\]", "ColumnTransf"],
    ),
    "two polars columns": (
        pl.DataFrame({"title": RAW, "body": RAW}),
        [r"frame of 2 columns \(\['title', 'body'\]\)", r"X\[name\]"],
    ),
    "two pyarrow columns": (
        pa.table({"title": RAW, "body": RAW}),
        [r"frame of 2 columns \(\['title', 'body'\]\)", r"X\[name\]"],
    ),
    "no column": (pd.DataFrame(index=[0, 1]), ["frame of 0 columns"]),
    "a query of polars": (
        pl.LazyFrame({"text": RAW}),
        ["^X is a LazyFrame, which holds no rows yet", r"X\.collect\(\)"],
    ),
    "a graph": (Graph(), [r"^X is a graph \(Graph\)", "GraphEmbedder.* walks"]),
    "array of numbers": (np.arange(3), [r"^Document 0 is int64 ", "of str"]),
    "2-D array of str": (
        np.array([["amber", "birch"]]),
        [r"2-dimensional array of shape \(1, 2\) and dtype <U5", "1-D array of str"],
    ),
    "2-D array of objects": (
        np.array([["amber", "birch"]], dtype=object),
        [r"shape \(1, 2\) and dtype object", "1-D array of str"],
    ),
    "2-D array of numbers": (np.ones((4, 2)), [r"shape \(4, 2\) and dtype float64"]),
    "column of numbers": (np.ones((4, 1)), [r"shape \(4, 1\) and dtype float64"]),
    "0-D array": (np.array("amber"), [r"0-dimensional array of shape \(\)"]),
    "3-D array": (np.full((1, 1, 1), "amber"), [r"3-dimensional array"]),
    "missing: None": (
        ["amber", None],
        [r"^Document 1 is missing \(None\)", "missing='empty'", "fillna"],
    ),
    "missing: nan": (["amber", float("nan")], [r"^Document 1 is missing \(nan\)"]),
    "missing: float32 nan": ([np.float32("nan")], ["^Document 0 is missing", "drop"]),
    "missing: pd.NA": (["amber", pd.NA], [r"^Document 1 is missing \(<NA>\)"]),
    "missing: NaT": (["amber", pd.NaT], [r"^Document 1 is missing \(NaT\)"]),
    "missing in a Series": (pd.Series([*RAW, None]), ["^Document 4 is missing"]),
    "missing in a string Series": (
        pd.Series([*RAW, None], dtype="string"),
        ["^Document 4 is missing", "fillna"],
    ),
    "missing in a polars Series": (pl.Series([None, "a"]), ["^Document 0 is missing"]),
    "missing in a pyarrow array": (pa.array(["a", None]), ["^Document 1 is missing"]),
    "missing list in polars": (pl.Series([["a"], None]), ["^Document 1 is missing"]),
    "missing in a generator": (generated(["a", None]), ["^Document 1 is missing"]),
    "an int document": (["amber", 5], [r"^Document 1 is int \(5\)", "str"]),
    "an int of many digits": ([10**5000], [r"^Document 0 is int \(too long", "str"]),
    "a float document": ([2.5], [r"^Document 0 is float \(2.5\)", "str"]),
    "a bool document": (["amber", True], [r"^Document 1 is bool \(True\)"]),
    "a bytes document": (["amber", b"birch"], ["^Document 1 is bytes", "Decode it"]),
    "array of bytes": (np.array([b"birch"]), ["^Document 0 is bytes_", "Decode it"]),
    "a set document": ([{"amber"}], ["^Document 0 is set", "lists of str"]),
    "a dict document": ([{"amber": 1}], ["^Document 0 is dict", "lists of str"]),
    "a Series document": ([pd.Series(["amber"])], ["^Document 0 is Series"]),
    "a 2-D document": ([np.array([["amber"]])], ["^Document 0 is ndarray"]),
    "tokenised, then raw": (
        [["amber"], "birch"],
        [r"^Document 1 is str \('birch'\), but document 0 is of another", "not both"],
    ),
    "raw, then tokenised": (
        ["amber", ["birch"]],
        [r"^Document 1 is list \(\['birch'\]\), but document 0", "not both"],
    ),
    "a token that is an int": (
        [["amber"], ["birch", 3]],
        [r"^Token 1 of document 1 is int \(3\)", "must be str"],
    ),
    "a token that is None": ([[None]], ["^Token 0 of document 0 is NoneType"]),
    "a token that is bytes": ([(b"amber",)], ["^Token 0 of document 0 is bytes"]),
    "a token that is a list": ([["a", ["b"]]], ["^Token 1 of document 0 is list"]),
    "an array of ints": ([np.arange(2)], ["^Token 0 of document 0 is int"]),
    "ints in an object array": (
        [np.array(["amber", 1], dtype=object)],
        ["^Token 1 of document 0 is int"],
    ),
}


@pytest.mark.parametrize(("X", "patterns"), REFUSED.values(), ids=REFUSED)
def test_refused_documents(X, patterns):
    with pytest.raises(ValueError, match=patterns[0]) as caught:
        tokens_of(X)
    message = str(caught.value)
    for pattern in patterns:
        assert re.search(pattern, message), message
    assert "\n" not in message


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_refused_by_estimators_too(estimator):
    embedder = cheap(estimator)
    refused = ["amber birch", ["amber birch", None], [["amber", 3]], {"a": "amber"}]
    refused += [Graph(), pl.LazyFrame({"text": RAW}), pl.LazyFrame({"a": [1, 2]})]
    for X in refused:
        with pytest.raises(ValueError, match=r"^(X is|Document 1|Token 1)"):
            embedder.fit(X)
    embedder.fit(draw_documents(0))
    for X in refused:
        with pytest.raises(ValueError, match=r"^(X is|Document 1|Token 1)"):
            embedder.transform(X)


def test_a_series_of_dask():
    """It is iterated, partition by partition."""
    dask = pytest.importorskip("dask")
    frames = pytest.importorskip("dask.dataframe")
    for documents in (RAW, TOKENS):
        # By default, Dask would make a str of a list.
        with dask.config.set({"dataframe.convert-string": documents is RAW}):
            series = frames.from_pandas(pd.Series(documents, name="text"), 2)
        found = tokens_of(series), tokens_of(series.to_frame())
        assert found == (TOKENS, TOKENS)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X holds no documents: pass at least one"),
        (iter(()), "X holds no documents"),
        (np.array([], dtype=str), "X holds no documents"),
        (["", "  ", "!"], "3 documents hold no tokens at all"),
        ([[], []], "2 documents hold no tokens at all"),
        (["amber", "birch", ""], "No document holds two words of the vocabulary"),
    ],
    ids=["empty list", "empty iterator", "empty array", "empty", "no tokens", "short"],
)
def test_nothing_to_learn_from(estimator, X, message):
    with pytest.raises(ValueError, match=message):
        cheap(estimator).fit(X)


def test_long_values_are_cut_in_messages():
    with pytest.raises(ValueError, match="Document 0 is set") as caught:
        tokens_of([{f"word{i}" for i in range(1000)}])
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("tokens", [tokens_of, scanned_tokens_of])
def test_documents_are_read_once(tokens):
    documents = Once(RAW)
    assert tokens(documents) == TOKENS
    assert documents.n_iter <= 1
    assert documents.n_next == len(RAW) + 1


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_document_is_tokenised_once(estimator):
    """By `fit_transform` too: what it pools is what it has learned from."""
    documents = draw_documents(3)
    seen = []

    def analyzer(text):
        seen.append(text)
        return text.split()

    embedder = cheap(estimator, analyzer=analyzer)
    embedder.fit_transform(documents)
    assert seen == documents
    embedder.transform(documents[:7])
    assert seen == documents + documents[:7]
    embedder.fit(documents)
    assert seen == documents + documents[:7] + documents


def test_documents_before_a_refused_one_are_kept_out():
    """An error in the last document leaves nothing fitted."""
    embedder = cheap(PPMISVDEmbedder)
    with pytest.raises(ValueError, match="Document 20 is missing"):
        embedder.fit([*draw_documents(0), None])
    assert not hasattr(embedder, "vocabulary_")


# --- tokens ---------------------------------------------------------------------------

any_text = st.text(st.characters(), max_size=60)
# Capitals whose small letter is longer, or depends on what follows; accents that are
# letters of their own; digits, numbers and signs of all kinds; a lone surrogate.
words_and_signs = st.lists(
    st.sampled_from(
        [
            *("The", "amber", "a", "BIRCH", "été", "cafe\u0301", "42", "-", " ", "_"),
            *(
                "ΣΑΣ",
                "\u212aΩ\u2126ẞ",
                "İI\u0131",
                "ǅ",
                "ß",
                "\u0301",
                "٣½Ⅷ",
                "x_1",
                "日本",
                "\ud800",
                "\x00",
            ),
            *("\U0001f642", "\U00010400", "\u200d", "don't", "\n\n", "\u2028"),
        ]
    )
).map(lambda parts: "".join(parts) if len(parts) % 2 else " ".join(parts))
texts = st.one_of(any_text, words_and_signs)


@given(st.lists(texts, max_size=6))
def test_default_tokens_against_a_regular_expression(documents):
    expected = [re.findall(r"\b\w\w+\b", text.lower()) for text in documents]
    assert tokens_of(documents) == expected
    if documents:
        assert scanned_tokens_of(documents) == expected


def without_accents(text):
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


@given(texts)
def test_options_against_a_regular_expression(text):
    assert tokens_of([text], lowercase=False) == [re.findall(r"\b\w\w+\b", text)]
    assert tokens_of([text], strip_accents="unicode") == [
        re.findall(r"\b\w\w+\b", without_accents(text.lower()))
    ]
    assert tokens_of([text], token_pattern=r"[a-z]") == [
        re.findall("[a-z]", text.lower())
    ]
    left = [word for word in re.findall(r"\b\w\w+\b", text.lower()) if word != "the"]
    assert tokens_of([text], stop_words=["the"]) == [left]
    assert tokens_of([text], analyzer=str.split) == [text.split()]
    squeezed = re.sub(r"\s\s+", " ", text.lower())
    assert tokens_of([text], analyzer="char") == [list(squeezed)]


OPTIONS = [
    {},
    {"lowercase": False},
    {"strip_accents": "ascii"},
    {"strip_accents": "unicode", "lowercase": False},
    {"strip_accents": str.title},
    {"stop_words": "english"},
    {"stop_words": ["amber", "été"]},
    {"token_pattern": r"(?u)\b\w+\b"},
    {"token_pattern": r"#(\w+)"},
    {"analyzer": "char"},
    {"analyzer": "char_wb", "token_pattern": None},
    {"analyzer": str.split, "token_pattern": None},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@given(st.lists(texts, max_size=4))
def test_tokens_are_those_of_tfidf(options, documents):
    analyze = TfidfVectorizer(**options).build_analyzer()
    expected = [list(map(str, analyze(text))) for text in documents]
    assert tokens_of(documents, **options) == expected
    with scanning():
        assert tokens_of(documents, **options) == expected


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators_hand_on_every_option(estimator):
    """Each option changes the words as it does in scikit-learn, in both methods."""
    documents = ["The Café amber #birch #fox", "the café CAFE amber #birch #x y"] * 3
    for options in OPTIONS:
        embedder = cheap(estimator, **options)
        analyze = TfidfVectorizer(**options).build_analyzer()
        features = embedder.fit_transform(documents)
        words = {word for text in documents for word in analyze(text)}
        assert embedder.vocabulary_.keys() == words
        np.testing.assert_array_equal(embedder.transform(documents), features)


def test_tokenised_documents_only_lose_stop_words():
    documents = [["The", "amber", "x", "CAFÉ"], ["amber", "the"]]
    for options in [
        {"lowercase": True},
        {"strip_accents": "ascii"},
        {"token_pattern": None},
        {"token_pattern": "["},
        {"analyzer": "char"},
        {"analyzer": len},
    ]:
        assert tokens_of(documents, **options) == documents
        found = tokens_of(documents, stop_words=["amber", "The"], **options)
        assert found == [["x", "CAFÉ"], ["the"]]


@pytest.mark.parametrize(
    "wrap", [list, tuple, np.array, lambda words: (w for w in words), iter]
)
def test_callable_analyzer_may_return_any_iterable(wrap):
    found = tokens_of(["b a", "c"], analyzer=lambda text: wrap(text.split()))
    assert found == [["b", "a"], ["c"]]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("amber", r"analyzer returned str \('amber'\) for document 1.*list of str"),
        (None, r"analyzer returned NoneType \(None\) for document 1.*list of str"),
        (7, r"analyzer returned int \(7\) for document 1.*list of str"),
        (["amber", 7], r"Token 1 of document 1 is int \(7\)"),
        ([b"amber"], r"Token 0 of document 1 is bytes"),
    ],
)
def test_callable_analyzer_returns_something_else(returned, message):
    def analyzer(text):
        return text.split() if text == "first" else returned

    with pytest.raises(ValueError, match=message):
        tokens_of(["first", "second"], analyzer=analyzer)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (None, "token_pattern=None cannot cut raw documents.*regular expression"),
        ("[", r"token_pattern='\[' is not a regular expression: unterminated"),
        ("(a)(b)", "More than 1 capturing group in token pattern"),
    ],
)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_token_pattern_that_cannot_be_used(estimator, pattern, message):
    with pytest.raises(ValueError, match=message):
        cheap(estimator, token_pattern=pattern).fit(draw_documents(0))


@pytest.mark.parametrize("kind", [set, frozenset])
def test_a_set_of_documents_is_refused(kind):
    """Its order differs between processes, and so would the rows."""
    documents = kind(["a cat", "a dog"])
    with pytest.raises(ValueError, match="has no order"):
        number(documents, CountVectorizer())


# --- much text, which the kernel scans ------------------------------------------------

SCANNED = [
    {
        "token_pattern": pattern,
        "lowercase": lowercase,
        "strip_accents": strip_accents,
        "stop_words": stop_words,
    }
    for pattern, lowercase, strip_accents, stop_words in itertools.product(
        [r"(?u)\b\w\w+\b", r"(?u)\b\w+\b"],
        [True, False],
        [None, "ascii", "unicode", str.swapcase],
        # Stop words that are no words, or that no token equals, drop nothing.
        [None, ["a", "the", "42", "été", "", "cafe\u0301 42", "_"]],
    )
]


@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
@pytest.mark.parametrize("options", SCANNED, ids=str)
@given(st.lists(texts, min_size=1, max_size=8), st.integers(1, 100))
def test_scanned_tokens_are_those_of_scikit_learn(options, documents, batch):
    analyze = CountVectorizer(**options).build_analyzer()
    expected = [analyze(text) for text in documents]
    assert scanned_tokens_of(documents, batch, **options) == expected


@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
@pytest.mark.parametrize("options", SCANNED[::3], ids=str)
@given(
    st.lists(texts, min_size=1, max_size=8),
    st.lists(texts, max_size=5),
    st.integers(1, 100),
    st.randoms(use_true_random=False),
)
def test_given_words_are_found_by_the_kernel(options, documents, others, batch, random):
    """All words of some documents, stop words too, and strings that are no words."""
    everything = CountVectorizer(token_pattern=r"(?u)\b\w+\b", lowercase=False)
    words = {word for text in documents for word in everything.build_analyzer()(text)}
    words = sorted({*words, *documents, *(word.lower() for word in words), "", "été"})
    rows = dict(zip(words, random.sample(range(len(words)), len(words)), strict=True))
    vectorizer = CountVectorizer(**options)
    analyze = vectorizer.build_analyzer()
    expected = [
        [word for word in analyze(text) if word in rows] for text in documents + others
    ]
    for manner in (scanning(batch), mock.patch.object(tokenize, "_MUCH", 10**6)):
        with manner:
            corpus = look_up(iter(documents + others), vectorizer, rows)
        assert words_of(corpus, rows) == expected
        assert corpus.token_ids.dtype == np.int32
        assert corpus.doc_offsets.dtype == np.int64


def as_told(n_jobs, at_most):
    """As many threads as asked for, with or without a compiler."""
    return n_jobs or 1


def in_threads(batch=1):
    """Let threads scan raw documents, however few."""
    stack = ExitStack()
    stack.enter_context(scanning(batch))
    changed = mock.patch.multiple(tokenize, n_threads=as_told, _MANY_BATCHES=1)
    stack.enter_context(changed)
    return stack


@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
@pytest.mark.parametrize("steps", [0, 3, 2**16])
@pytest.mark.parametrize("options", SCANNED[::5], ids=str)
@given(st.lists(texts, min_size=1, max_size=12), st.integers(1, 60))
def test_threads_number_words_in_the_order_of_first_appearance(
    options, steps, documents, batch
):
    """For any number of threads, and wherever patience with the table ends."""
    from skembed._kernels import scan as kernels

    vectorizer = CountVectorizer(**options)
    tokens = [vectorizer.build_analyzer()(text) for text in documents]
    words = list(dict.fromkeys(itertools.chain.from_iterable(tokens)))
    known = {word: row for row, word in enumerate(words[1::2])}
    left = [[word for word in some if word in known] for some in tokens]
    impatient = mock.patch.multiple(kernels, _STEPS=steps, _STEPS_PER_LETTER=0)
    for n_jobs in (1, 2, 3, 7):
        with in_threads(batch), impatient:
            ids, offsets, found = number(iter(documents), vectorizer, n_jobs=n_jobs)
            corpus = look_up(iter(documents), vectorizer, known, n_jobs=n_jobs)
        assert found == words
        assert [words[i] for i in ids] == list(itertools.chain.from_iterable(tokens))
        assert np.diff(offsets).tolist() == list(map(len, tokens))
        assert words_of(corpus, known) == left


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_threads_scan_long_streams(n_jobs, tmp_path):
    """Many batches and words, from a generator into a file."""
    rng = np.random.default_rng(0)
    documents = [
        " ".join(f"w{i}" for i in rng.zipf(1.3, 30) % 5000) for _ in range(400)
    ]
    expected = number([text.split() for text in documents], CountVectorizer())
    given = FileArray(str(tmp_path), "i")
    with in_threads(200):
        ids, offsets, words = number(
            generated(documents), CountVectorizer(), ids=given, n_jobs=n_jobs
        )
    assert ids is given
    assert np.asarray(ids).tolist() == expected[0].tolist()
    assert (offsets, words) == expected[1:]


@pytest.mark.parametrize("call", [number, look_up])
@pytest.mark.parametrize("bad", [None, ["a"], 3])
def test_threads_name_the_first_wrong_document(call, bad):
    read = []

    def stream():
        for position, text in enumerate(["amber birch"] * 200 + [bad, 7]):
            read.append(position)
            yield text

    rows = ({"birch": 0},) if call is look_up else ()
    with in_threads(30), pytest.raises(ValueError, match=r"^Document 200 is"):
        call(stream(), CountVectorizer(), *rows, n_jobs=2)
    assert read == list(range(201))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_while_threads_scan(n_jobs):
    """No thread is left, and no estimator looks fitted."""
    before = threading.active_count()

    def stream():
        yield from ["amber birch cedar"] * 100
        raise KeyboardInterrupt

    embedder = PPMISVDEmbedder(n_components=2, n_jobs=n_jobs)
    with in_threads(50), pytest.raises(KeyboardInterrupt):
        embedder.fit(stream())
    assert threading.active_count() == before
    assert not hasattr(embedder, "word_vectors_")


def test_little_text_starts_no_threads():
    documents = ["amber birch"] * 30
    for n_documents, size in [(20, 1), (30, 2)]:
        teams = []

        def team(size, teams=teams):
            teams.append(size)
            return ThreadTeam(size)

        changed = {"ThreadTeam": team, "_MANY_BATCHES": 30, "n_threads": min}
        with scanning(), mock.patch.multiple(tokenize, **changed):
            number(documents[:n_documents], CountVectorizer(), n_jobs=2)
        assert teams == [size]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators_learn_the_same_from_text_scanned_in_threads(estimator):
    documents = draw_documents(3)
    features = cheap(estimator).fit_transform(documents)
    with in_threads(40):
        for n_jobs in (1, 2, 3):
            other = cheap(estimator, n_jobs=n_jobs)
            found = other.fit_transform(iter(documents))
            np.testing.assert_array_equal(found, features)
            np.testing.assert_array_equal(other.transform(documents), features)


@pytest.mark.parametrize("pattern", tokenize.SAME_RUNS)
def test_a_pattern_that_takes_less_time_finds_the_same(pattern):
    signs = list(map(chr, range(sys.maxunicode + 1)))
    rng = np.random.default_rng(0)
    text = "".join(rng.permutation(signs)) + "a aB-c, d_1é e'f " * 9
    faster = tokenize.SAME_RUNS[pattern]
    assert re.findall(faster, text) == re.findall(pattern, text)


@needs_compiler
def test_tokens_of_all_code_points():
    """In many neighbourhoods, with and without signs whose lower case is special."""
    signs = [chr(code) for code in range(sys.maxunicode + 1)]
    rng = np.random.default_rng(0)
    shuffled = ["".join(rng.permutation(signs)) for _ in range(2)]
    shuffled += [re.sub("[\u03a3\u0130]", "", text) for text in shuffled]
    for options in ({}, {"token_pattern": r"(?u)\b\w+\b", "lowercase": False}):
        analyze = CountVectorizer(**options).build_analyzer()
        expected = list(map(analyze, shuffled))
        assert scanned_tokens_of(shuffled, **options) == expected


@pytest.mark.parametrize("to_lower", [False, True])
def test_letters_of_all_code_points(to_lower):
    """By the definitions of a word character, and of the lower case of one sign."""
    expected = np.full(2**21, 2**32 - 1, dtype=np.uint32)
    for code in range(sys.maxunicode + 1):
        sign = chr(code).lower() if to_lower else chr(code)
        # Python lowers texts with these two.
        if to_lower and code in (0x3A3, 0x130):
            continue
        if sign.isalnum() or sign == "_":
            expected[code] = ord(sign)
    for n_bits in range(22):
        letters = tokenize._letters(n_bits, to_lower)
        np.testing.assert_array_equal(letters, expected[: 2**n_bits])


@pytest.mark.parametrize("batch", [1, 10, 10**6])
def test_lower_case_that_depends_on_the_letters_around(batch):
    """Each document's, though the kernel scans many at a time."""
    documents = [
        "\u039f\u0394\u039f\u03a3",  # ends in a sigma, which the next one continues
        "\u039f\u0394\u039f\u03a3\u039f\u03a3-\u03a3\u0391",
        "\u0130STANBUL D\u0130L",
        "\u212aELVIN \u2126HM STRA\u1e9eE \u01c5UR",
        "ELSE Of AsCiI",
    ]
    expected = [re.findall(r"\w\w+", text.lower()) for text in documents]
    assert expected[0][0][-1] == "\u03c2"
    for some in (documents, documents[3:], documents[4:], documents[:1] * 3):
        tokens = [expected[documents.index(text)] for text in some]
        assert scanned_tokens_of(some, batch) == tokens
        words = {"ELSE", *itertools.chain.from_iterable(tokens)}
        rows = {word: row for row, word in enumerate(words)}
        with scanning(batch):
            corpus = look_up(some, CountVectorizer(), rows)
        assert words_of(corpus, rows) == tokens


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tgiyyskl", "mraomcyf"),
        ("gpkvowim", "yxxkccj"),
        ("ceemoscjpmh", "ceemos"),
    ],
)
def test_words_of_like_hashes_stay_apart(one, other):
    """The upper half of their hashes is the same, and so are the lowest bits."""

    def hashed(word):
        value = 0xCBF29CE484222325
        for sign in word:
            value = (value ^ ord(sign)) * 0x100000001B3 % 2**64
        return value ^ value >> 32

    assert hashed(one) >> 32 == hashed(other) >> 32
    assert hashed(one) % 16 == hashed(other) % 16
    text = f"{one} {other} {other} {one}"
    assert scanned_tokens_of([text]) == [[one, other, other, one]]
    with scanning():
        corpus = look_up([text, text], CountVectorizer(), {one: 1, other: 0})
    assert corpus.token_ids.tolist() == [1, 0, 0, 1] * 2


class Counting:
    """An array that counts how often a number of it is read."""

    def __init__(self, array):
        self.array = array
        self.size = array.size
        self.n_read = 0

    def __getitem__(self, index):
        self.n_read += 1
        return self.array[index]

    def __setitem__(self, index, value):
        self.array[index] = value


@pytest.fixture
def slots_read(monkeypatch):
    """Run the kernel in Python, with a hash by which all words are in one place.

    Returns a list of how many slots each call has read.
    """
    from skembed._kernels import scan as documents
    from skembed._utils import jit

    monkeypatch.setattr(documents, "PRIME", np.uint64(0))
    scan = jit._without_jit(getattr(documents.scan, "py_func", documents.scan))
    counts = []

    def counted(texts, table, *arguments):
        slots = Counting(table.slots)
        scan(texts, table._replace(slots=slots), *arguments)
        counts.append(slots.n_read)

    monkeypatch.setattr(documents, "scan", counted)
    if hasattr(documents, "_STEPS"):
        monkeypatch.setattr(documents, "_STEPS", 100)
        monkeypatch.setattr(documents, "_STEPS_PER_LETTER", 2)
    return counts


@pytest.mark.small
@pytest.mark.parametrize("stop_words", [None, ["aaa", "abc"]])
@pytest.mark.parametrize("batch", [40, 10**6])
def test_words_in_each_others_way_take_no_longer(slots_read, stop_words, batch):
    """A bound for each letter, not for each pair of words; and the same tokens."""
    words = ["".join(letters) for letters in itertools.product("abcdefg", repeat=3)]
    documents = [" ".join(words[i : i + 7] * 2) for i in range(0, len(words), 7)]
    options = {"stop_words": stop_words}
    analyze = CountVectorizer(**options).build_analyzer()
    expected = [analyze(text) for text in documents]
    n_letters = sum(map(len, documents))
    assert scanned_tokens_of(documents, batch, **options) == expected
    assert sum(slots_read) < 8 * n_letters
    slots_read.clear()
    # In a look-up, the given words are in each other's way, too.
    rows = {word: row for row, word in enumerate(reversed(words[:300]))}
    with scanning(batch):
        corpus = look_up(documents, CountVectorizer(**options), rows)
    known = [[word for word in tokens if word in rows] for tokens in expected]
    assert words_of(corpus, rows) == known
    assert sum(slots_read) < 8 * n_letters


@pytest.mark.parametrize("steps", [0, 3, 30])
@given(
    st.lists(texts, min_size=1, max_size=8),
    st.lists(texts, max_size=5),
    st.integers(1, 100),
)
def test_patience_may_end_anywhere(steps, documents, others, batch):
    """At any step of the compiled kernel, or of Python's, the tokens are the same."""
    from skembed._kernels import scan as kernels

    analyze = CountVectorizer(stop_words=["a", "the"]).build_analyzer()
    expected = [analyze(text) for text in documents]
    known = sorted({word for text in others + documents[:2] for word in analyze(text)})
    rows = {word: row for row, word in enumerate(known)}
    impatient = mock.patch.multiple(kernels, _STEPS=steps, _STEPS_PER_LETTER=0)
    with impatient, scanning(batch):
        assert tokens_of(documents, stop_words=["a", "the"]) == expected
        corpus = look_up(documents, CountVectorizer(stop_words=["a", "the"]), rows)
    found = [[word for word in tokens if word in rows] for tokens in expected]
    assert words_of(corpus, rows) == found


def test_the_table_grows_by_words_and_by_letters():
    rng = np.random.default_rng(0)
    lengths = [9000, *rng.integers(2, 9, size=300), 1000, 2, 3000]
    words = ["".join(rng.choice(list("abcdé日\U00010400"), size=n)) for n in lengths]
    documents = [words[0], *(" ".join(rng.choice(words, 40)) for _ in range(20))]
    documents.append(" ".join(words))
    expected = [text.lower().split() for text in documents]
    for batch in (1, 10**6):
        assert scanned_tokens_of(documents, batch) == expected


@needs_compiler
@pytest.mark.filterwarnings("ignore:Your stop_words may be inconsistent")
def test_what_is_compiled_ahead_of_time_is_all_there_is():
    """No text, option or table needs another signature of the kernel."""
    from skembed._kernels.scan import scan

    tokenize.compile_kernel()
    compiled = scan.signatures
    assert len(compiled) == 1
    for options in SCANNED[::5]:
        scanned_tokens_of([*RAW, "\U0001f642\ud800 x"], **options)
        with scanning():
            look_up(np.array(RAW), CountVectorizer(**options), {"birch": 1, "é": 0})
    assert scan.signatures == compiled


@needs_compiler
@pytest.mark.parametrize("n_documents", [1, 4])
@pytest.mark.parametrize("much", [True, False])
def test_much_text_is_scanned(n_documents, much):
    """Beyond a limit the kernel is used by itself, and gives what a dict gives."""
    size = tokenize._MUCH if much else 100
    n_pairs = size // n_documents // 15 + 1
    documents = ["Amber birch, x " * n_pairs] * n_documents
    vectorizer = CountVectorizer()
    with mock.patch.object(tokenize, "_Scanner", wraps=tokenize._Scanner) as scanner:
        ids, offsets, words = number(documents, vectorizer)
        corpus = look_up(documents, vectorizer, {"birch": 0, "cedar": 1})
    assert scanner.call_count == 2 * much
    assert words == ["amber", "birch"]
    assert list(ids) == [0, 1] * n_pairs * n_documents
    assert list(offsets) == list(range(0, len(ids) + 1, 2 * n_pairs))
    assert corpus.token_ids.size == n_pairs * n_documents
    assert not corpus.token_ids.any()


def test_many_small_texts_are_scanned(monkeypatch):
    """Not the first ones, for which loading the kernel takes longer than they do."""
    documents = ["Amber birch, x " * 2000]
    size = len(documents[0])
    monkeypatch.setattr(tokenize, "_n_met", 0)
    monkeypatch.setattr(tokenize, "_MUCH", 3 * size)
    vectorizer = CountVectorizer()
    many = {f"word{i}": i for i in range(size)} | {"birch": size}
    with mock.patch.object(tokenize, "_Scanner", wraps=tokenize._Scanner) as scanner:
        found = []
        for _ in range(4):
            ids, offsets, words = number(documents, vectorizer)
            found.append((scanner.call_count, list(ids), list(offsets), words))
        # A table of so many words takes longer to fill, and few words to call.
        look_up(documents, vectorizer, many)
        number(["amber birch"], vectorizer)
        calls = scanner.call_count
    expected = [0, 1] * 2000, [0, 4000], ["amber", "birch"]
    n_scanned = [0, 0, 1, 2] if COMPILED else [0] * 4
    assert found == [(n, *expected) for n in n_scanned]
    assert calls == n_scanned[-1]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators_learn_the_same_from_scanned_text(estimator):
    documents = draw_documents(3)
    embedder = cheap(estimator, stop_words=["amber"])
    features = embedder.fit_transform(documents)
    other = cheap(estimator, stop_words=["amber"])
    with scanning(batch=40):
        np.testing.assert_array_equal(other.fit_transform(iter(documents)), features)
        np.testing.assert_array_equal(other.transform(documents), features)
    assert list(other.vocabulary_) == list(embedder.vocabulary_)
    np.testing.assert_array_equal(other.word_counts_, embedder.word_counts_)


@pytest.mark.parametrize(
    "manner", [scanning(), mock.patch.object(tokenize, "_MUCH", 99)]
)
def test_stop_words_that_no_token_equals(manner):
    """scikit-learn's warning, whatever way the documents go."""
    vectorizer = CountVectorizer(stop_words=["don't"])
    with manner, pytest.warns(UserWarning, match=r"inconsistent.*\['don'\]"):
        number(["amber birch"], vectorizer)


@pytest.mark.parametrize("how", [nullcontext, scanning])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_stop_words_are_compared_once(estimator, how):
    """In `fit`: the words that scikit-learn cuts are counted, and its warnings."""
    cut = []

    def strip(text):
        cut.append(text)
        return text

    documents = draw_documents(0)
    stop_words = ["amber", "don't", *(f"rare{i}" for i in range(50))]
    embedder = cheap(estimator, stop_words=stop_words, strip_accents=strip)
    with how():
        with pytest.warns(UserWarning, match=r"inconsistent.*\['don'\]") as caught:
            embedder.fit(documents)
        assert len(caught) == 1
        assert len(cut) == len(documents) + len(stop_words)
        cut.clear()
        features = embedder.transform(documents)
        embedder.score(documents)
        embedder.transform(documents[:1])
        assert len(cut) == 2 * len(documents) + 1
    less = [[w for w in text.split() if w != "amber"] for text in documents]
    np.testing.assert_array_equal(features, embedder.transform(less))


@pytest.mark.parametrize("documents", [["a b", None], ["a b", ["a"]], ["a b", 3]])
def test_refused_while_scanning(documents):
    with scanning(), pytest.raises(ValueError, match=r"^Document 1 is"):
        number(documents, CountVectorizer())


@needs_compiler
@pytest.mark.parametrize(
    ("batch", "options"), [(2**12, {}), (1, {"token_pattern": r"\w\w+"})], ids=str
)
def test_many_tiny_documents_in_little_memory(batch, options):
    """Hardly more than what is returned, whether by the kernel or by a dict."""
    documents = [f"amber b{i % 10} x" for i in range(40_000)]
    vectorizer = CountVectorizer(**options)
    with scanning(batch):
        number(documents[:100], vectorizer)
        found, peak = traced(number, documents, vectorizer, n_calls=2)
    ids, offsets, words = found
    assert len(words) == 11
    returned = len(ids) * ids.itemsize + len(offsets) * offsets.itemsize
    assert peak < 1.2 * returned + 2e5


# --- more words than memory -----------------------------------------------------------


MANY_WORDS = [f"word{i} other{i}" for i in range(4000)]


def scan_little_at_once(monkeypatch, way):
    """Scan small batches, by the kernel or by its dict, and look at memory often."""
    monkeypatch.setattr(tokenize, "_MUCH", 0)
    monkeypatch.setattr(tokenize, "_MUCH_PER_WORD", 0)
    monkeypatch.setattr(tokenize, "_BATCH", 1000)
    monkeypatch.setattr(tokenize, "_MIN_ROOM", 16)
    monkeypatch.setattr(tokenize, "_NEW_WORDS", 100)
    if way == "dict of the kernel":
        from skembed._kernels import scan

        new_table = scan.new_table
        monkeypatch.setattr(
            scan,
            "new_table",
            lambda codes, ends, *size: (
                None if ends.size > 20 else new_table(codes, ends, *size)
            ),
        )


def words_in_error(monkeypatch, documents, n_jobs):
    """Return how many words there are too many of, according to the error."""
    monkeypatch.setattr(memory, "_SMALL", 0)
    monkeypatch.setattr(memory, "available", lambda: 100_000)
    with pytest.raises(MemoryError, match=r"distinct ones .* as `vocabulary`") as it:
        tokenize.number(documents, CountVectorizer(), n_jobs=n_jobs)
    return int(re.search(r"than the (\d+) distinct", str(it.value)).group(1))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("way", ["kernel", "dict of the kernel", "tokens"])
def test_more_distinct_words_than_memory(way, n_jobs, monkeypatch):
    """A clear error instead of a process that the system kills."""
    documents, vectorizer = MANY_WORDS, CountVectorizer()
    if way == "tokens":
        documents = [text.split() for text in documents]
    scan_little_at_once(monkeypatch, way)
    monkeypatch.setattr(tokenize, "n_threads", as_told)
    assert len(tokenize.number(documents, vectorizer, n_jobs=n_jobs)[2]) == 8000
    n_words = words_in_error(monkeypatch, documents, n_jobs)
    assert 200 / n_jobs < n_words < 4000
    # With a vocabulary, no other words are held.
    rows = {"word7": 0, "other9": 1}
    assert tokenize.look_up(documents, vectorizer, rows).token_ids.tolist() == [0, 1]


@pytest.mark.parametrize("way", ["kernel", "dict of the kernel"])
def test_too_many_words_are_those_of_all_threads(way, monkeypatch):
    """Not those that one thread has found."""
    begun = []

    class InTurns(ThreadTeam):
        """Two threads, one after the other."""

        def __init__(self, size):
            super().__init__(1)
            self.size = 2

        def stream(self, work, tasks):
            for i, texts in enumerate(tasks):
                begun.append({word for text in texts for word in text.split()})
                yield work(i % 2, texts)

    scan_little_at_once(monkeypatch, way)
    # The thread's own words are too many first.
    monkeypatch.setattr(tokenize, "_NEW_WORDS", 10**9)
    monkeypatch.setattr(tokenize, "ThreadTeam", InTurns)
    n_words = words_in_error(monkeypatch, MANY_WORDS, n_jobs=2)
    assert len(begun) > 4
    before, so_far = set().union(*begun[:-1]), set().union(*begun)
    assert len(before) <= n_words <= len(so_far)
