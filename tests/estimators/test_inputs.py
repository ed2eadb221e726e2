"""Every estimator, form of input and form of output, and whatever else users pass.

The generated inputs run with few examples; with ten thousand of each kind by

    SKEMBED_EXAMPLES=10000 python -m pytest tests/estimators/test_inputs.py -k generated
"""

import itertools
import os
import re
from collections import Counter

import numba
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.compose import ColumnTransformer, make_column_selector

from skembed import PPMISVDEmbedder, cooccurrence
from tests.corpus.test_matrix import MATRICES, MATRIX, SQUARE
from tests.corpus.test_tokenize import (
    RAW,
    RAW_CONTAINERS,
    TOKEN_CONTAINERS,
    TOKENS,
    scanning,
    texts,
)
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    KNOWS_POLARS,
    PLAIN,
    assert_same_fit,
    cheap,
    traced,
)

# --- the battery ----------------------------------------------------------------------

N_CHECKS = 475


class Form:
    """A form of input: how it is made anew, and the input that it has to equal."""

    def __init__(self, make, plain, **params):
        self.make, self.plain, self.params = make, plain, params


FORMS = {
    **{name: Form(lambda m=make: m(RAW), RAW) for name, make in RAW_CONTAINERS.items()},
    **{
        f"tokenised: {name}": Form(lambda m=make: m(TOKENS), RAW)
        for name, make in TOKEN_CONTAINERS.items()
    },
    **{
        f"matrix: {name}": Form(lambda m=make: m(MATRIX), MATRIX)
        for name, (make, _, _) in MATRICES.items()
    },
    **{
        f"co-occurrence: {name}": Form(lambda m=make: m(SQUARE), SQUARE, **params)
        for params in [{"input": "cooccurrence"}]
        for name, (make, _, _) in MATRICES.items()
        if name in ("int64 array", "lists", "csr array", "coordinate matrix", "pandas")
        or name == "polars"
    },
}
OUTPUTS = {
    "default": (np.ndarray, np.asarray),
    "pandas": (pd.DataFrame, pd.DataFrame.to_numpy),
    "polars": (pl.DataFrame, pl.DataFrame.to_numpy),
}
# Any two of these meet: the output changes from one estimator and form to the next.
CASES = [
    (estimator, form, list(OUTPUTS)[(i + j) % len(OUTPUTS)])
    for i, estimator in enumerate(ESTIMATORS)
    for j, form in enumerate(FORMS)
]


def test_no_check_is_lost():
    assert len(CASES) == N_CHECKS == len(ESTIMATORS) * len(FORMS)
    parts = (ESTIMATORS, FORMS, OUTPUTS)
    for first, second in itertools.combinations(range(3), 2):
        pairs = {(case[first], case[second]) for case in CASES}
        assert pairs == set(itertools.product(parts[first], parts[second]))


@pytest.fixture(scope="module")
def references():
    """Features of plain lists and arrays, by estimator and kind of input."""
    return {}


@pytest.mark.parametrize(("estimator", "name", "output"), CASES)
def test_battery(estimator, name, output, references):
    form = FORMS[name]
    key = estimator, id(form.plain)
    if key not in references:
        plain = cheap(estimator, dtype="float32", **form.params).fit(form.plain)
        references[key] = plain.transform(form.plain)
    expected = references[key]
    embedder = cheap(estimator, dtype="float32", **form.params)
    embedder.set_output(transform=output)
    kind, as_array = OUTPUTS[output]
    for features in (
        embedder.fit_transform(form.make()),
        embedder.transform(form.make()),
    ):
        assert type(features) is kind
        assert features.shape == expected.shape
        np.testing.assert_allclose(as_array(features), expected, rtol=1e-5, atol=1e-7)
        if output != "default":
            names = embedder.get_feature_names_out().tolist()
            assert list(features.columns) == names
            assert set(as_array(features).dtype.str[1:]) == set("f4")
        if output == "pandas" and isinstance(X := form.make(), pd.DataFrame):
            assert features.index.equals(X.index)


# --- inside a ColumnTransformer -------------------------------------------------------

DATA = {"number": np.arange(20.0), "text": DOCUMENTS, "other": DOCUMENTS[::-1]}
FRAMES = {
    "pandas": pd.DataFrame(DATA),
    "pandas object": pd.DataFrame(DATA).astype({"text": object}),
    "pandas category": pd.DataFrame(DATA).astype({"text": "category"}),
    "pandas pyarrow": pd.DataFrame(DATA).astype({"text": "string[pyarrow]"}),
    "polars": pl.DataFrame(DATA),
}


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("data", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_column_transformer(estimator, data, output):
    """By name, which passes a Series, or as a list of one, which passes a frame."""
    if "polars" in (output, type(data).__module__.split(".")[0]) and not KNOWS_POLARS:
        pytest.skip("this scikit-learn does not know the columns of this polars")
    embedder = cheap(estimator)
    expected = embedder.fit_transform(DOCUMENTS)
    for columns in ("text", ["text"]):
        transformer = ColumnTransformer(
            [("text", embedder, columns), ("number", "passthrough", ["number"])]
        ).set_output(transform=output)
        found = transformer.fit_transform(data)
        if output != "default":
            prefix = f"text__{estimator.__name__.lower()}"
            names = [f"{prefix}{i}" for i in range(3)]
            assert list(found.columns) == [*names, "number__number"]
            found = found.to_numpy()
        np.testing.assert_array_equal(np.asarray(found)[:, :3], expected)
        again = transformer.set_output(transform="default").transform(data)
        np.testing.assert_array_equal(again[:, :3], expected)


def test_the_index_is_kept():
    data = pd.DataFrame(DATA, index=np.arange(20) % 7)
    transformer = ColumnTransformer(
        [("text", cheap(PPMISVDEmbedder), ["text"]), ("number", "drop", ["number"])]
    ).set_output(transform="pandas")
    assert transformer.fit_transform(data).index.equals(data.index)


def test_column_transformer_by_selectors():
    data = FRAMES["pandas object"][["number", "text"]]
    expected = cheap(PPMISVDEmbedder).fit_transform(DOCUMENTS)
    chosen = make_column_selector(dtype_include=object)
    transformer = ColumnTransformer([("text", cheap(PPMISVDEmbedder), chosen)])
    np.testing.assert_array_equal(transformer.fit_transform(data), expected)
    words = pd.DataFrame(MATRIX, columns=list("abcdef")).assign(text=RAW * 3)
    transformer = ColumnTransformer(
        [
            (
                "words",
                cheap(PPMISVDEmbedder),
                make_column_selector(dtype_include="number"),
            )
        ]
    )
    np.testing.assert_array_equal(
        transformer.fit_transform(words), cheap(PPMISVDEmbedder).fit_transform(MATRIX)
    )
    both = ColumnTransformer([("text", cheap(PPMISVDEmbedder), ["text", "other"])])
    with pytest.raises(ValueError, match=r"frame of 2 columns.*use a ColumnTransf"):
        both.fit(FRAMES["pandas"])


# --- long, many and strange documents -------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_is_cut_off_long_documents(estimator):
    """The last words of 25,000 count as much as the first ones."""
    filler = " ".join(DOCUMENTS * 210)
    long = [f"{filler} jetty {filler} inlet quay", *DOCUMENTS]
    embedder = cheap(estimator, **PLAIN).fit(long)
    assert embedder.word_counts_.sum() == sum(len(text.split()) for text in long)
    assert embedder.word_counts_.sum() > 50_000
    for word in ("inlet", "jetty", "quay"):
        assert embedder.word_counts_[embedder.vocabulary_[word]] == 1
        assert embedder.word_vectors_[embedder.vocabulary_[word]].any()
    rows = [embedder.vocabulary_[word] for word in long[0].split()]
    expected = embedder.word_vectors_[rows].mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(embedder.transform(long)[0], expected, 1e-4, atol=1e-6)


EMPTY = {
    "list": [],
    "generator": iter([]),
    "objects": np.empty(0, dtype=object),
    "column of objects": np.empty((0, 1), dtype=object),
    "column of str": np.empty((0, 1), dtype=str),
    "Series": pd.Series([], dtype=str),
    "frame": pd.DataFrame({"text": pd.Series([], dtype=object)}),
    "polars": pl.DataFrame({"text": pl.Series([], dtype=pl.String)}),
    "pyarrow": pa.array([], pa.string()),
    "pyarrow chunks": pa.chunked_array([], pa.string()),
}


@pytest.mark.parametrize("X", EMPTY.values(), ids=EMPTY)
def test_no_documents(X):
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    assert embedder.transform(X).shape == (0, 3)


def test_a_huge_token():
    huge = "a" * 100_000
    embedder = cheap(PPMISVDEmbedder, n_components=2)
    embedder.fit([f"amber {huge} birch", f"{huge} amber"])
    assert huge in embedder.vocabulary_
    assert embedder.transform([huge, huge + "a"]).any(axis=1).tolist() == [True, False]


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="too slow")
def test_many_tiny_documents():
    """A hundred thousand, whose memory hardly exceeds that of their features."""
    documents = [f"amber b{i % 10}" for i in range(100_000)]
    embedder = cheap(PPMISVDEmbedder).fit(documents)
    assert embedder.word_counts_.tolist() == [100_000, *[10_000] * 10]
    embedder.transform(documents[:10])
    features, peak = traced(embedder.transform, documents)
    assert peak < 4 * features.nbytes + 2**25
    assert features.shape == (100_000, 3)
    np.testing.assert_array_equal(features[:10], features[-10:])
    np.testing.assert_array_equal(features[:10], embedder.transform(documents[:10]))


STRANGE = ["\ud800", "\udfff", "\ufffe", "\uffff", "\U0010ffff", "\x00", "\ufeff"]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_surrogates_and_non_characters(estimator):
    """No letters, so the default pattern skips them; as tokens they are kept."""
    plain = cheap(estimator).fit(DOCUMENTS)
    strange = [text.replace(" ", f" {STRANGE[0]}{STRANGE[3]} ") for text in DOCUMENTS]
    embedder = cheap(estimator).fit(strange)
    np.testing.assert_array_equal(embedder.word_vectors_, plain.word_vectors_)
    tokens = [[*STRANGE, "amber"], [*STRANGE[::-1], "birch"]] * 5
    embedder = cheap(estimator).fit(tokens)
    assert embedder.vocabulary_.keys() == {*STRANGE, "amber", "birch"}
    assert embedder.transform([[sign] for sign in STRANGE]).any(axis=1).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_stop_words(estimator):
    """Of raw and of tokenised documents, and as if they had not been written."""
    stop_words = ["amber", "cedar"]
    less = [
        [word for word in text.split() if word not in stop_words] for text in DOCUMENTS
    ]
    expected = cheap(estimator).fit(less)
    for X in (DOCUMENTS, [text.split() for text in DOCUMENTS]):
        embedder = cheap(estimator, stop_words=stop_words).fit(X)
        assert embedder.vocabulary_ == expected.vocabulary_
        np.testing.assert_array_equal(embedder.word_vectors_, expected.word_vectors_)
        np.testing.assert_array_equal(embedder.transform(X), expected.transform(less))
    english = cheap(estimator, stop_words="english").fit(
        [f"the {text} and" for text in DOCUMENTS]
    )
    assert not {"the", "and"} & english.vocabulary_.keys()


VOCABULARIES = {
    "list": lambda words: words,
    "tuple": tuple,
    "array": np.array,
    "dict": lambda words: dict(zip(reversed(words), reversed(range(4)), strict=True)),
    "Series": pd.Series,
    "dict keys": lambda words: dict.fromkeys(words).keys(),
}


@pytest.mark.parametrize("make", VOCABULARIES.values(), ids=VOCABULARIES)
def test_a_given_vocabulary(make):
    """It keeps its order and rare words; documents lose all others before windows."""
    words = ["delta", "amber", "never", "grove"]
    embedder = cheap(PPMISVDEmbedder, vocabulary=make(words), min_count=99)
    embedder.fit(DOCUMENTS)
    assert embedder.vocabulary_ == {word: row for row, word in enumerate(words)}
    counts = Counter(word for text in DOCUMENTS for word in text.split())
    assert embedder.word_counts_.tolist() == [counts[word] for word in words]
    left = [[word for word in text.split() if word in words] for text in DOCUMENTS]
    found, _ = cooccurrence(DOCUMENTS, vocabulary=words, window=2)
    np.testing.assert_allclose(found.toarray(), slow_counts(left, words, 2), rtol=1e-12)


def test_max_features_is_exact():
    """The most frequent words; by word where counts are equal."""
    documents = ["b a", "b c", "c d", "e f", "e b"] * 2
    for n, words in [(1, "b"), (2, "bc"), (3, "bce"), (4, "bcea"), (5, "bcead")]:
        _, rows = cooccurrence(
            documents, max_features=n, min_count=1, token_pattern=r"\w"
        )
        assert list(rows) == list(words)


# --- missing documents ----------------------------------------------------------------

FILLED = ["", *DOCUMENTS[:9], "", "", *DOCUMENTS[9:], ""]
MISSING = {
    "None": lambda X: [text or None for text in X],
    "nan": lambda X: [text or float("nan") for text in X],
    "float32 nan": lambda X: [text or np.float32("nan") for text in X],
    "pd.NA": lambda X: [text or pd.NA for text in X],
    "NaT": lambda X: [text or pd.NaT for text in X],
    "generator": lambda X: (text or None for text in X),
    "array": lambda X: np.array([text or None for text in X], dtype=object),
    "column": lambda X: np.array([[text or np.nan] for text in X], dtype=object),
    "Series": lambda X: pd.Series([text or None for text in X]),
    "string Series": lambda X: pd.Series([text or None for text in X], dtype="string"),
    "category": lambda X: pd.Series([text or None for text in X], dtype="category"),
    "frame": lambda X: pd.DataFrame({"text": [text or np.nan for text in X]}),
    "polars": lambda X: pl.Series([text or None for text in X]),
    "polars frame": lambda X: pl.DataFrame({"text": [text or None for text in X]}),
    "pyarrow": lambda X: pa.array([text or None for text in X]),
    "tokens": lambda X: [text.split() or None for text in X],
    "tokens in polars": lambda X: pl.Series([text.split() or None for text in X]),
}


@pytest.mark.parametrize("make", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_missing_documents_may_be_empty_ones(estimator, make):
    expected = cheap(estimator, warm_start=True).fit(FILLED)
    embedder = cheap(estimator, missing="empty", warm_start=True).fit(make(FILLED))
    assert_same_fit(embedder, expected)
    features = expected.transform(FILLED)
    for found in (
        embedder.transform(make(FILLED)),
        cheap(estimator, missing="empty").fit_transform(make(FILLED)),
    ):
        np.testing.assert_array_equal(found, features)
        assert not found[[0, 10, 11, -1]].any()
    assert embedder.score(make(FILLED)) == expected.score(FILLED)
    with pytest.raises(ValueError, match=r"Document 0 is missing.*missing='empty'"):
        cheap(estimator).fit(make(FILLED))
    embedder.set_params(missing="error")
    for call in (embedder.transform, embedder.score, embedder.partial_fit):
        with pytest.raises(ValueError, match=r"Document 0 is missing"):
            call(make(FILLED))


@pytest.mark.parametrize("make", MISSING.values(), ids=MISSING)
def test_missing_documents_on_other_ways(make, tmp_path):
    """Parts, counts, a memory, and the kernel that scans much text."""
    texts = make(FILLED)
    expected = cheap(PPMISVDEmbedder).partial_fit(FILLED).partial_fit(FILLED)
    embedder = cheap(PPMISVDEmbedder, missing="empty")
    embedder.partial_fit(texts).partial_fit(make(FILLED))
    assert_same_fit(embedder, expected)
    counts, rows = cooccurrence(make(FILLED), min_count=1, missing="empty")
    wanted, wanted_rows = cooccurrence(FILLED, min_count=1)
    assert rows == wanted_rows
    np.testing.assert_array_equal(counts.toarray(), wanted.toarray())
    with pytest.raises(ValueError, match="Document 0 is missing"):
        cooccurrence(make(FILLED), min_count=1)
    plain = cheap(PPMISVDEmbedder).fit(FILLED)
    with scanning():
        scanned = cheap(PPMISVDEmbedder, missing="empty").fit(make(FILLED))
        features = scanned.transform(make(FILLED))
    assert_same_fit(scanned, plain)
    np.testing.assert_array_equal(features, plain.transform(FILLED))
    memory = {"memory": str(tmp_path)}
    for _ in range(2):
        kept = cheap(PPMISVDEmbedder, missing="empty", **memory).fit(make(FILLED))
        np.testing.assert_array_equal(kept.word_vectors_, plain.word_vectors_)
        np.testing.assert_array_equal(kept.transform(make(FILLED)), features)
    for call in (cheap(PPMISVDEmbedder, **memory).fit, kept.transform):
        kept.set_params(missing="error")
        with pytest.raises(ValueError, match="Document 0 is missing"):
            call(make(FILLED))


NOTHING = {
    "None": [None, None],
    "float frame": pd.DataFrame({"text": [np.nan, np.nan]}),
    "Int64 frame": pd.DataFrame({"text": pd.Series([pd.NA, pd.NA], dtype="Int64")}),
    "column of objects": np.array([[np.nan], [None]], dtype=object),
    "column of nan": np.array([[np.nan], [np.nan]], dtype=object),
    "float Series": pd.Series([np.nan, np.nan]),
    "polars": pl.DataFrame({"text": [None, None]}),
    "pyarrow": pa.nulls(2),
}


@pytest.mark.parametrize("X", NOTHING.values(), ids=NOTHING)
def test_columns_without_any_document(X):
    """A column of texts that are all missing is numbers to pandas."""
    embedder = cheap(PPMISVDEmbedder, missing="empty").fit(DOCUMENTS)
    np.testing.assert_array_equal(embedder.transform(X), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="2 documents hold no tokens at all"):
        cheap(PPMISVDEmbedder, missing="empty").fit(X)
    with pytest.raises(ValueError, match=r"missing|NaN|1 columns"):
        embedder.set_params(missing="error").transform(X)


@pytest.mark.parametrize("columns", ["text", ["text"]])
def test_missing_documents_in_a_column_transformer(columns):
    data = pd.DataFrame({"text": MISSING["None"](FILLED), "number": range(24)})
    embedder = cheap(PPMISVDEmbedder, missing="empty")
    transformer = ColumnTransformer([("text", embedder, columns)])
    expected = cheap(PPMISVDEmbedder).fit_transform(FILLED)
    np.testing.assert_array_equal(transformer.fit_transform(data), expected)
    alone = transformer.transform(data[:1].assign(text=np.nan))
    np.testing.assert_array_equal(alone, np.zeros((1, 3)))


# --- generated documents and matrices -------------------------------------------------

N_EXAMPLES = int(os.environ.get("SKEMBED_EXAMPLES", settings().max_examples))
# How a message begins that tells users what is wrong with what they have passed.
CLEAR = re.compile(
    r"(X (is|has|holds|contains) |Document \d+ |Token \d+ "
    r"|Column \d+ in row \d+ |Row \d+ of X "
    r"|Empty vocabulary: |No document holds two words |None of the \d+ words "
    r"|Negative values in data passed |Complex data not supported"
    r"|Found array with 0 |Counts of words that co-occur )"
)


def slow_counts(documents, words, window):
    """Co-occurrence counts in dynamic windows, pair by pair."""
    counts = Counter()
    for tokens in documents:
        for i, word in enumerate(tokens):
            for j, context in enumerate(tokens):
                if 0 < abs(i - j) <= window:
                    counts[word, context] += (window + 1 - abs(i - j)) / window
    return np.array([[counts[word, other] for other in words] for word in words])


def slow_tokens(document):
    if isinstance(document, str):
        return re.findall(r"\b\w\w+\b", document.lower())
    return [str(token) for token in document]


few_words = st.sampled_from(
    ["amber", "birch", "Été", "日本", "\ud800", "a" * 5000, "x"]
)
raw_documents = st.one_of(texts, st.lists(few_words, max_size=9).map(" ".join))
tokens = st.lists(st.one_of(few_words, texts), max_size=9)
token_documents = st.one_of(
    tokens, tokens.map(tuple), tokens.map(lambda x: np.array(x, dtype=object))
)
no_documents = st.sampled_from(
    [
        *(None, float("nan"), pd.NA, pd.NaT, 3, 2.5, True, b"amber", {"amber"}),
        *({"a": 1}, ["amber", 3], ["amber", None], (b"amber",), object(), [["amber"]]),
    ]
)
collections = st.one_of(
    st.lists(raw_documents, max_size=8),
    st.lists(token_documents, max_size=8),
    st.lists(
        st.one_of(raw_documents, token_documents, no_documents), min_size=1, max_size=5
    ),
)


def as_objects(documents):
    found = np.empty(len(documents), dtype=object)
    for i, document in enumerate(documents):
        found[i] = document
    return found


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "generator": lambda documents: (document for document in documents),
    "objects": as_objects,
    "column of objects": lambda documents: as_objects(documents)[:, np.newaxis],
    "Series": lambda documents: pd.Series(as_objects(documents), dtype=object),
    "frame": lambda documents: pd.DataFrame({"text": as_objects(documents)}),
    "dict values": lambda documents: dict(enumerate(documents)).values(),
    "polars": lambda documents: pl.Series(documents, dtype=pl.String),
    "pyarrow": lambda documents: pa.array(documents, pa.large_string()),
    "StringDType": lambda documents: np.array(documents, np.dtypes.StringDType()),
}


def put_into(container, documents):
    """Return the container, or a list where it cannot hold these documents."""
    typed = container in ("polars", "pyarrow", "StringDType")
    if typed and not all(type(document) is str for document in documents):
        return documents
    try:
        return CONTAINERS[container](documents)
    except UnicodeEncodeError:  # surrogates
        return documents


def is_valid(documents):
    """Whether these are all raw documents, or all tokenised ones."""
    if all(isinstance(document, str) for document in documents):
        return True
    return all(
        isinstance(document, (list, tuple, np.ndarray))
        and all(isinstance(token, str) for token in document)
        for document in documents
    )


def features_or_message(X, method):
    """Return what a method returns, or the clear message of its error."""
    try:
        return method(X), None
    except (ValueError, TypeError) as error:
        message = str(error)
    assert CLEAR.match(message), message
    return None, message


@settings(max_examples=N_EXAMPLES)
@given(collections, st.sampled_from(list(CONTAINERS)), st.integers(1, 3))
@pytest.mark.parametrize("estimator", [PPMISVDEmbedder])
def test_generated_documents(estimator, documents, container, window):
    """The right features, or an error where there is none, and never anything else."""
    embedder = cheap(estimator, n_components=2, window=window, **PLAIN)
    X = put_into(container, documents)
    features, message = features_or_message(X, embedder.fit_transform)
    valid = is_valid(documents)
    found = [slow_tokens(document) for document in documents] if valid else []
    counts = Counter(itertools.chain.from_iterable(found))
    if not any(len(tokens) > 1 for tokens in found):
        assert message is not None
        assert not hasattr(embedder, "vocabulary_")
        return
    assert message is None
    words = list(embedder.vocabulary_)
    assert embedder.word_counts_.tolist() == [counts[word] for word in words]
    assert words == sorted(sorted(counts), key=counts.__getitem__, reverse=True)
    pairs, _ = cooccurrence(put_into(container, documents), window=window, min_count=1)
    expected = slow_counts(found, words, window)
    np.testing.assert_allclose(pairs.toarray(), expected, rtol=1e-12)
    check_means(embedder, features, found)
    again = embedder.transform(put_into(container, documents))
    np.testing.assert_array_equal(again, features)
    check_scaled(
        cheap(estimator, n_components=2), put_into(container, documents), found
    )


def check_scaled(embedder, X, documents):
    """Default features: zeros where there is no word, and of bounded length."""
    features = embedder.fit_transform(X)
    assert np.isfinite(features).all()
    assert not features[[not tokens for tokens in documents]].any()
    assert np.linalg.norm(features, axis=1).max() < 3.001


def check_means(embedder, features, documents):
    assert features.shape == (len(documents), 2)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    vectors = embedder.word_vectors_.astype(np.float64)
    for row, tokens in zip(features, documents, strict=True):
        rows = [embedder.vocabulary_[word] for word in tokens]
        expected = vectors[rows].mean(axis=0) if rows else np.zeros(2)
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-7)


@settings(max_examples=N_EXAMPLES)
@given(collections, st.sampled_from(list(CONTAINERS)))
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_generated_documents_in_transform(estimator, fitted, documents, container):
    """Rows of known words, or an error; the model stays as it is."""
    embedder = fitted[estimator]
    X = put_into(container, documents)
    features, message = features_or_message(X, embedder.transform)
    if not is_valid(documents):
        assert message is not None
        return
    assert message is None
    known = [
        [word for word in slow_tokens(document) if word in embedder.vocabulary_]
        for document in documents
    ]
    check_means(embedder, features, known)


@pytest.fixture(scope="module")
def fitted():
    documents = ["amber birch été 日本", "birch amber", "日本 birch " + "a" * 5000] * 3
    return {
        estimator: cheap(estimator, n_components=2, **PLAIN).fit(documents)
        for estimator in ESTIMATORS
    }


whole = st.integers(0, 9)
usual = st.one_of(st.just(0), whole, st.floats(0, 9, allow_subnormal=False))
unusual = st.sampled_from(
    [
        *(-1, -0.0, float("nan"), float("inf"), None, "amber", True, 1e300, 1e-300),
        *(1j, 2**70, np.float32(3), np.uint8(200), pd.NA, b"a", [1]),
    ]
)
shapes = st.tuples(st.integers(0, 6), st.integers(0, 6))


@st.composite
def tables(draw):
    """Rows of numbers, sometimes with something else among them, or of other length."""
    n_rows, n_columns = draw(shapes)
    numbers = draw(st.sampled_from([whole, usual]))
    rows = [[draw(numbers) for _ in range(n_columns)] for _ in range(n_rows)]
    if n_rows and n_columns and draw(st.integers(0, 3)) == 3:
        place = draw(st.integers(0, n_rows - 1)), draw(st.integers(0, n_columns - 1))
        rows[place[0]][place[1]] = draw(unusual)
    return rows, (n_rows, n_columns)


def as_frame(rows, shape):
    return pd.DataFrame(rows, columns=[f"w{i}" for i in range(shape[1])])


def as_array(rows, shape):
    found = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        found[place] = rows[place[0]][place[1]]
    return found


def as_numbers(rows, shape):
    return np.array(rows, dtype=np.float64).reshape(shape)


TABLES = {
    "lists": lambda rows, shape: rows,
    "objects": as_array,
    "numbers": as_numbers,
    "Fortran order": lambda *table: np.asfortranarray(as_numbers(*table)),
    "float32": lambda *table: as_numbers(*table).astype(np.float32),
    "csr": lambda *table: sparse.csr_array(as_numbers(*table)),
    "coordinates": lambda *table: sparse.coo_matrix(as_numbers(*table)),
    "pandas": as_frame,
    "polars": lambda *table: pl.DataFrame(as_frame(*table).astype(float)),
}


def make_table(form, rows, shape):
    """Return the form, or lists where it cannot hold these values."""
    try:
        with np.errstate(over="ignore"):
            return TABLES[form](rows, shape)
    except (TypeError, ValueError, OverflowError, np.exceptions.ComplexWarning):
        return rows


def slow_shares(X):
    counts = X.T @ X
    np.fill_diagonal(counts, 0)
    return counts


@settings(max_examples=N_EXAMPLES)
@given(tables(), st.sampled_from(list(TABLES)))
@pytest.mark.filterwarnings("ignore:X is a list of lists of numbers")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_generated_matrices(estimator, table, form):
    """The right counts and features, or an error where there is none."""
    rows, shape = table
    X = make_table(form, rows, shape)
    embedder = cheap(estimator, n_components=2, **PLAIN)
    features, message = features_or_message(X, embedder.fit_transform)
    try:
        kind = np.float32 if form == "float32" else np.float64
        with np.errstate(over="ignore"):
            values = np.array(rows, dtype=kind).reshape(shape).astype(np.float64)
        numbers = np.isfinite(values).all() and (values >= 0).all() and values.size
    except (TypeError, ValueError):
        numbers = False
    if not numbers or message is not None:
        assert message is not None
        assert not hasattr(embedder, "vocabulary_")
        # Columns of objects, such as True beside 0, are refused in a frame.
        if numbers and "have a numeric dtype" not in message:
            usual = (values[values > 0] > 1e-99).all() and values.max() < 1e20
            assert not (usual and slow_shares(values).any()), message
        return
    assert np.isfinite(features).all()
    # Sums are exact to some 150 bits below the largest number.
    np.testing.assert_allclose(
        embedder.word_counts_, values.sum(axis=0), rtol=1e-6, atol=1e-40 * values.max()
    )
    pairs, _ = cooccurrence(X)
    np.testing.assert_allclose(pairs.toarray(), slow_shares(values), rtol=1e-6)
    sums = values @ embedder.word_vectors_.astype(np.float64)
    expected = sums / np.where(values.any(axis=1), values.sum(axis=1), 1)[:, np.newaxis]
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(embedder.transform(X), features)
    check_scaled(cheap(estimator, n_components=2), X, values.any(axis=1))
