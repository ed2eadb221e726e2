"""Features from given vectors: those of other embedders, and by hand."""

import copy
import inspect
import io
import pickle
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks, get_tags

from skembed import PPMISVDEmbedder, PretrainedEmbedder
from skembed._corpus import tokenize
from skembed.pooling import POOLINGS, MeanPooling, SIFPooling, VLADPooling, _features
from skembed.vectors import WordVectors
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    KNOWS_POLARS,
    MORE,
    PLAIN,
    ROUNDED,
    TOKENISED,
    WORDS,
    Once,
    assert_same_fit,
    cheap,
    learned,
    same,
)

pytestmark = pytest.mark.small
N_CHECKS = 54


def draw_table(words, n_components=3, seed=0, **given):
    shape = len(words), n_components
    return WordVectors(words, np.random.default_rng(seed).normal(size=shape), **given)


# One word that no document holds.
TABLE = draw_table(["zebra", *WORDS])
FRAME = pd.DataFrame(
    [[text.split().count(word) for word in WORDS] for text in DOCUMENTS], columns=WORDS
)


def embedder_of(vectors=TABLE, **params):
    return PretrainedEmbedder(vectors, **params)


# --- what scikit-learn expects --------------------------------------------------------


def test_check_estimator():
    """Its matrices have columns without names, which then are x0, x1, ...."""
    table = draw_table([f"x{i}" for i in range(100)], 4)
    results = estimator_checks.check_estimator(
        embedder_of(table), on_skip=None, on_fail=None
    )
    failed = {
        result["check_name"]: str(result["exception"])
        for result in results
        if result["status"] != "passed"
        # It needs a setting of SciPy's that must be made before SciPy is loaded.
        and result["check_name"] != "check_array_api_input"
    }
    assert not failed
    assert len(results) >= N_CHECKS


def parameters():
    return inspect.signature(PretrainedEmbedder).parameters


def test_parameters():
    """No parameter of learning, and the defaults of those that learn."""
    first, *others = parameters().values()
    assert first.name == "vectors"
    assert first.default is first.empty
    assert {other.kind for other in others} == {inspect.Parameter.KEYWORD_ONLY}
    assert PretrainedEmbedder._parameter_constraints.keys() == parameters().keys()
    shared = inspect.signature(PPMISVDEmbedder).parameters
    assert {one.name: one.default for one in others} == {
        one.name: shared[one.name].default for one in others
    }
    assert get_tags(embedder_of()).input_tags.string


INVALID = {
    "vectors": [None, 3, {"amber"}, PPMISVDEmbedder()],
    "analyzer": ["words", None],
    "lowercase": ["yes", 1],
    "strip_accents": ["latin", True],
    "stop_words": ["german", {"the"}],
    "token_pattern": ["[", 3],
    "missing": ["drop", None],
    "pooling": ["median", None],
    "scale": ["l2", True],
    "norm": ["l1", 2],
    "dtype": ["float16", None],
    "n_jobs": [0, 1.5, True],
    "verbose": [-1, "yes"],
    "memory": [3],
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_values(name):
    """Named, before anything is learned, and leaving an earlier fit as it was."""
    assert INVALID.keys() == parameters().keys()
    fitted = embedder_of().fit(DOCUMENTS)
    before = copy.deepcopy(fitted)
    for value in INVALID[name]:
        fitted.set_params(**{name: value})
        for method in (fitted.fit, fitted.fit_transform, fitted.partial_fit):
            with pytest.raises(ValueError, match=name):
                method(DOCUMENTS)
        fitted.set_params(**{name: getattr(before, name)})
        assert_same_fit(fitted, before)


def test_what_is_learned():
    embedder = embedder_of()
    assert vars(embedder).keys() == embedder.get_params().keys()
    with pytest.raises(NotFittedError):
        embedder.transform(DOCUMENTS)
    assert embedder.fit(DOCUMENTS) is embedder
    public = {name for name in learned(embedder) if not name.startswith("_")}
    scale = {"feature_means_", "feature_scales_"}
    assert public - scale == {
        "vocabulary_",
        "word_vectors_",
        "n_tokens_",
        "n_known_tokens_",
        "pooling_",
    }
    assert embedder.vocabulary_ == dict(TABLE.vocabulary)
    assert embedder.word_vectors_ is TABLE.vectors
    assert not learned(embedder_of(scale=None).fit(DOCUMENTS)).keys() & scale
    embedder.set_params(scale=None).fit(FRAME).fit(DOCUMENTS)
    assert not hasattr(embedder, "n_features_in_")
    assert not hasattr(embedder, "_column_rows")
    assert not hasattr(embedder, "feature_means_")


# --- the same features ----------------------------------------------------------------


def assert_same_features(estimator, **params):
    """Bit for bit, given the same vectors, of words that are and are not known."""
    other = cheap(estimator, vocabulary=WORDS[1:], **params)
    expected = other.fit_transform(DOCUMENTS)
    embedder = embedder_of(WordVectors.from_estimator(other), **params)
    assert same(embedder.fit_transform(DOCUMENTS), expected)
    assert same(embedder.transform(TOKENISED), expected)
    assert same(embedder.coverage(DOCUMENTS), other.coverage(DOCUMENTS))
    new = ["amber frost haven", "", "zebra"]
    assert same(embedder.transform(new), other.transform(new))
    ours, theirs = embedder.get_feature_names_out(), other.get_feature_names_out()
    prefix = type(other).__name__.lower()
    assert [name.replace(prefix, "pretrainedembedder") for name in theirs] == [*ours]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_features_of_other_embedders(estimator):
    assert_same_features(estimator)


@pytest.mark.parametrize("pooling", [*POOLINGS, SIFPooling(a=0.1, n_removed=2)])
@pytest.mark.parametrize("scale", _features.SCALES)
def test_features_of_all_kinds(pooling, scale):
    params = {"pooling": pooling, "scale": scale, "norm": "l2", "dtype": np.float64}
    assert_same_features(PPMISVDEmbedder, **params)


def test_sums_of_two_tables():
    other = cheap(ESTIMATORS[0], combine="sum").fit(DOCUMENTS)
    table = WordVectors.from_estimator(other, which="sum")
    features = embedder_of(table).fit_transform(DOCUMENTS)
    assert same(features, other.transform(DOCUMENTS))


def test_tfidf_by_hand():
    """Frequencies are those of the documents in `fit`, whatever the table says."""
    table = WordVectors(TABLE.words, TABLE.vectors, counts=range(1, 10))
    embedder = embedder_of(table, scale=None, dtype=np.float64).fit(DOCUMENTS)
    counts = CountVectorizer(vocabulary=TABLE.vocabulary).fit_transform(DOCUMENTS)
    weighted = TfidfTransformer(norm="l1").fit_transform(counts)
    expected = weighted @ TABLE.vectors.astype(np.float64)
    np.testing.assert_allclose(embedder.transform(DOCUMENTS), expected, atol=1e-6)


def test_words_that_occur_later():
    embedder = embedder_of(**PLAIN).fit(DOCUMENTS)
    expected = (TABLE["zebra"] + TABLE["amber"]) / 2
    found = embedder.transform(["Zebra, amber; unknown"])
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_transform_needs_no_words():
    embedder = embedder_of().fit(DOCUMENTS)
    assert not embedder.transform(["", "unknown"]).any()
    assert embedder.transform([]).shape == (0, 3)
    assert embedder.coverage(["amber unknown", ""]).tolist() == [0.5, 0.0]


def test_threads_do_not_change_bits():
    documents = [" ".join(DOCUMENTS)] * 900  # of several chunks
    expected = embedder_of(pooling="sif").fit(documents)
    found = embedder_of(pooling="sif", n_jobs=3).fit(documents)
    assert_same_fit(found, expected)
    assert same(found.transform(documents), expected.transform(documents))


def test_documents_of_any_kind():
    expected = embedder_of().fit(DOCUMENTS)
    once = Once(DOCUMENTS)
    for X in (once, TOKENISED, np.array(DOCUMENTS), pd.DataFrame({"text": DOCUMENTS})):
        assert_same_fit(embedder_of().fit(X), expected)
    assert once.n_iter == 1
    holes = [*DOCUMENTS, None]
    with pytest.raises(ValueError, match="Document 20 is missing"):
        embedder_of().fit(holes)
    features = embedder_of(missing="empty").fit_transform(holes)
    assert not features[-1].any()
    assert features[:-1].any(axis=1).all()


def test_no_documents():
    with pytest.raises(ValueError, match="X holds no documents"):
        embedder_of().fit([])
    with pytest.raises(ValueError, match="hold no tokens at all"):
        embedder_of().fit(["", " "])


# --- matrices -------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
def test_columns_are_looked_up(pooling):
    """The features of a text and of its counts, whatever the order of columns."""
    text = embedder_of(pooling=pooling, dtype=np.float64).fit(DOCUMENTS)
    expected = text.transform(DOCUMENTS)
    shuffled = FRAME[WORDS[::-1]].assign(other=0)
    for X in (FRAME, shuffled, shuffled.astype(float)):
        embedder = embedder_of(pooling=pooling, dtype=np.float64)
        features = embedder.fit_transform(X)
        np.testing.assert_allclose(features, expected, atol=1e-5)
        assert same(embedder.transform(X), features)
        np.testing.assert_allclose(embedder.transform(DOCUMENTS), expected, atol=1e-5)
        assert embedder.word_vectors_ is TABLE.vectors
        assert embedder.n_features_in_ == X.shape[1]
        assert [*embedder.feature_names_in_] == [*X.columns]
    with pytest.raises(ValueError, match="feature names should match"):
        embedder.transform(FRAME)


def test_columns_without_a_vector():
    X = FRAME.assign(other=2)
    embedder = embedder_of().fit(X)
    assert (embedder.n_tokens_, embedder.n_known_tokens_) == (160, 120)
    assert embedder.coverage(X).tolist() == [0.75] * len(X)
    with pytest.warns(UserWarning, match="Only 50% of the tokens"):
        embedder.fit(FRAME.assign(other=6))


def test_columns_without_names():
    """Those of a table of as many words are its rows, and otherwise x0, x1, ...."""
    table = draw_table(WORDS)
    expected = embedder_of(table).fit_transform(FRAME)
    for X in (FRAME.to_numpy(), sparse.csr_array(FRAME.to_numpy())):
        embedder = embedder_of(table)
        np.testing.assert_array_equal(embedder.fit_transform(X), expected)
        np.testing.assert_array_equal(embedder.transform(X), expected)
        assert not hasattr(embedder, "feature_names_in_")
        np.testing.assert_allclose(embedder.transform(DOCUMENTS), expected, atol=1e-6)
    numbered = WordVectors([f"x{i}" for i in range(9)], [*table.vectors, np.ones(3)])
    found = embedder_of(numbered).fit_transform(FRAME.to_numpy())
    np.testing.assert_array_equal(found, expected)
    reverse = WordVectors(numbered.words[7::-1], table.vectors[::-1])
    found = embedder_of(reverse).fit_transform(FRAME.to_numpy())
    np.testing.assert_array_equal(found, expected)


def test_columns_named_by_int():
    table = WordVectors(range(10, 18), draw_table(WORDS).vectors)
    X = FRAME.set_axis(range(10, 18), axis=1)
    embedder = embedder_of(table).fit(X)
    expected = embedder_of(draw_table(WORDS)).fit_transform(FRAME)
    np.testing.assert_array_equal(embedder.transform(X), expected)
    with pytest.raises(ValueError, match="labelled by int"):
        embedder.transform(DOCUMENTS)


@pytest.mark.skipif(not KNOWS_POLARS, reason="scikit-learn does not know its names")
def test_columns_of_polars():
    found = embedder_of().fit_transform(pl.DataFrame(FRAME.to_dict("list")))
    np.testing.assert_array_equal(found, embedder_of().fit_transform(FRAME))


def test_no_column_has_a_vector():
    for X in (FRAME.to_numpy(), FRAME.add_prefix("un")):
        with pytest.raises(ValueError, match="None of the 8 columns of X is a word"):
            embedder_of().fit(X)
    with pytest.raises(ValueError, match="No word occurs in the documents"):
        embedder_of().fit(FRAME[["amber"]] * 0)


def test_a_matrix_after_a_text():
    """As of the other embedders: a column for each word, in their order."""
    embedder = embedder_of().fit(DOCUMENTS)
    full = FRAME.assign(zebra=0)[list(TABLE.words)]
    np.testing.assert_allclose(
        embedder.transform(full), embedder.transform(DOCUMENTS), atol=1e-6
    )
    with pytest.raises(ValueError, match="8 columns, but the vocabulary has 9 words"):
        embedder.transform(FRAME)


def test_type_of_features():
    assert embedder_of().fit_transform(DOCUMENTS).dtype == np.float32
    assert embedder_of().fit_transform(FRAME.astype(float)).dtype == np.float64


# --- vectors of any kind --------------------------------------------------------------


def as_dict(table):
    return dict(zip(table.words, table.vectors, strict=True))


def as_keyed_vectors(table):
    models = pytest.importorskip("gensim.models")
    found = models.KeyedVectors(vector_size=table.n_components)
    found.add_vectors(list(table.words), np.array(table.vectors))
    return found


def test_vectors_of_gensim():
    embedder = embedder_of(as_keyed_vectors(TABLE))
    features = embedder.fit_transform(DOCUMENTS)
    assert same(features, embedder_of().fit_transform(DOCUMENTS))
    assert same(clone(embedder).fit_transform(DOCUMENTS), features)
    # It is of other numbers as soon as it is fitted again, but not before.
    assert same(pickle.loads(pickle.dumps(embedder)).transform(DOCUMENTS), features)


def test_a_mapping_is_refused():
    """A representation of the estimator would hold all of its numbers."""
    with pytest.raises(ValueError, match=r"mapping.*WordVectors.from_dict"):
        embedder_of(as_dict(TABLE)).fit(DOCUMENTS)


@pytest.mark.parametrize("kind", [str, Path])
def test_vectors_of_a_file(kind, tmp_path):
    path = tmp_path / "vectors.txt"
    lines = [" ".join([w, *map(repr, map(float, TABLE[w]))]) for w in TABLE]
    path.write_text("\n".join([f"{len(TABLE)} 3", *lines, ""]))
    embedder = embedder_of(kind(path)).fit(DOCUMENTS)
    expected = embedder_of().fit_transform(DOCUMENTS)
    np.testing.assert_allclose(embedder.transform(DOCUMENTS), expected, rtol=1e-6)
    # The file is read by `fit` only.
    loaded = pickle.loads(pickle.dumps(embedder))
    path.unlink()
    assert same(loaded.transform(DOCUMENTS), embedder.transform(DOCUMENTS))
    assert_same_fit(
        clone(embedder).set_params(vectors=TABLE).fit(DOCUMENTS),
        embedder_of().fit(DOCUMENTS),
    )
    with pytest.raises(ValueError, match=r"vectors=.*vectors\.txt.*is not a file"):
        embedder.fit(DOCUMENTS)
    assert same(loaded.transform(DOCUMENTS), embedder.transform(DOCUMENTS))


def test_numbers_that_would_overflow():
    table = WordVectors(["amber", "birch"], [[1.0, 2.0], [-1e30, 0.0]])
    with pytest.raises(ValueError, match="vectors holds numbers for 'birch'"):
        embedder_of(table).fit(DOCUMENTS)


def test_an_embedder_is_no_table():
    with pytest.raises(ValueError, match=r"pass WordVectors\.from_estimator"):
        embedder_of(cheap(PPMISVDEmbedder).fit(DOCUMENTS)).fit(DOCUMENTS)


def test_clones_share_the_table():
    embedder = embedder_of().fit(DOCUMENTS)
    assert clone(embedder).vectors is TABLE
    loaded = pickle.loads(pickle.dumps(embedder))
    assert_same_fit(loaded, embedder)
    assert loaded.partial_fit(DOCUMENTS).n_tokens_ == 2 * embedder.n_tokens_
    # The vectors are stored once.
    large = draw_table([f"w{i}" for i in range(1000)] + WORDS, 50)
    size = len(pickle.dumps(embedder_of(large).fit(DOCUMENTS)))
    assert size < 1.3 * large.vectors.nbytes


def test_attributes_that_do_not_match():
    embedder = embedder_of().fit(DOCUMENTS)
    embedder.vocabulary_["amber"] = 99
    with pytest.raises(ValueError, match="vocabulary_ has the row 99 for 'amber'"):
        embedder.transform(DOCUMENTS)
    assert dict(TABLE.vocabulary)["amber"] == 1
    embedder.fit(FRAME)
    embedder._column_rows = embedder._column_rows + 5
    with pytest.raises(ValueError, match="do not come from one fit"):
        embedder.transform(FRAME)


# --- few known words ------------------------------------------------------------------


def warnings_of(embedder, documents, method="fit"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(embedder, method)(documents)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


CASED = draw_table(["Paris", "paris", "Berlin", "and", "Schön", "rome"])


@pytest.mark.parametrize("method", ["fit", "fit_transform", "partial_fit"])
def test_cased_vectors(method):
    text = ["Berlin Berlin Paris and Oslo", "berlin and paris"]
    (message,) = warnings_of(embedder_of(CASED), text, method)
    assert message.startswith("Only 50% of the tokens of the documents have a vector. ")
    assert "The vectors have 1 of the other words (38% of the tokens) in" in message
    assert "such as 'Berlin' for 'berlin': pass lowercase=False, or spell" in message
    assert not warnings_of(embedder_of(CASED, lowercase=False), text, method)


def test_upper_case_documents():
    text = ["PARIS PARIS ROME Berlin"]
    (message,) = warnings_of(embedder_of(CASED, lowercase=False), text)
    assert "Only 25% of" in message
    assert "2 of the other words (75% of the tokens)" in message
    assert "'paris' for 'PARIS': pass lowercase=True, or spell" in message
    assert not warnings_of(embedder_of(CASED), text)


def test_accents():
    plain = draw_table(["schon", "cafe", "and"])
    (message,) = warnings_of(embedder_of(plain), ["schön schön café and"])
    assert "'schon' for 'schön': pass strip_accents='unicode', or" in message
    table = draw_table(["schön", "café", "and"])
    embedder = embedder_of(table, strip_accents="ascii")
    (message,) = warnings_of(embedder, ["schön schön café and"])
    assert "'schön' for 'schon': pass strip_accents=None, or" in message


def test_spelling_of_tokens():
    """The parameters do not apply to them, nor to what a function returns."""
    table = draw_table(["amber", "birch"])
    tokens = ["AMBER", "AMBER", "birch"]
    for embedder, X in (
        (embedder_of(table), [tokens]),
        (embedder_of(table, analyzer=str.split), [" ".join(tokens)]),
    ):
        (message,) = warnings_of(embedder, X)
        assert "such as 'amber' for 'AMBER': spell tokens as the vectors do." in message


def test_other_reasons():
    (message,) = warnings_of(embedder_of(), ["amber ein zwei drei"])
    assert "Words without a vector: ['drei', 'ein', 'zwei']. The table" in message
    assert "begins with ['zebra', 'amber', 'birch']. Pass vectors of the" in message
    with pytest.raises(ValueError, match=r"None of the words .* \(3\) has a vector\."):
        embedder_of().fit(["ein zwei drei"])
    with pytest.raises(ValueError, match=r"None of .*'Berlin' for 'berlin': pass lo"):
        embedder_of(CASED).fit(["Berlin"])


@pytest.mark.parametrize("n_unknown", [40, 41])
def test_the_threshold(n_unknown):
    """A quarter of the tokens may be unknown, whatever stop words there are."""
    documents = [*DOCUMENTS, "unknown " * n_unknown, "the " * 99]
    found = warnings_of(embedder_of(stop_words=["the"]), documents)
    assert len(found) == (n_unknown > 40)
    embedder = embedder_of(scale=None, stop_words=["the"])
    documents = [*documents[:-2], "unknown " * 9]
    embedder.fit(documents)
    assert (embedder.n_tokens_, embedder.n_known_tokens_) == (129, 120)


# --- weights, parts of documents, memory ----------------------------------------------


@pytest.mark.parametrize("X", [DOCUMENTS, FRAME], ids=["text", "matrix"])
def test_weights_are_repetitions(X):
    weights = np.arange(len(DOCUMENTS)) % 3
    rows = np.repeat(np.arange(len(DOCUMENTS)), weights)
    repeated = X.iloc[rows] if hasattr(X, "iloc") else [X[row] for row in rows]
    for pooling in ("tfidf", "usif"):
        found = embedder_of(pooling=pooling).fit(X, sample_weight=weights)
        expected = embedder_of(pooling=pooling).fit(repeated)
        np.testing.assert_allclose(found.transform(X), expected.transform(X), atol=1e-5)
        assert found.n_tokens_ == expected.n_tokens_ == 6 * weights.sum()


def test_small_weights_and_zeros():
    """A word counts however small its weight is, and may occur where it has none."""
    weights = np.full(20, 1e-3)
    weights[:10] = 0.0
    embedder = embedder_of()
    features = embedder.fit_transform(DOCUMENTS, sample_weight=weights)
    assert same(embedder.transform(DOCUMENTS), features)
    assert features.any(axis=1).all()
    assert embedder.n_known_tokens_ == pytest.approx(0.06)
    for X, message in (
        (["amber", "unknown"], "None of the words of the documents"),
        (["amber", ""], "No word occurs in the documents, apart from"),
    ):
        with pytest.raises(ValueError, match=message):
            embedder.fit(X, sample_weight=[0, 1])
    with pytest.raises(ValueError, match="Sample weights must contain at least one"):
        embedder.fit(DOCUMENTS, sample_weight=np.zeros(20))


@pytest.mark.parametrize("parts", [(DOCUMENTS, MORE), (FRAME[:9], FRAME[9:])])
@pytest.mark.parametrize("pooling", ["tfidf", "mean", "max"])
def test_partial_fit(parts, pooling):
    """Frequencies add up, and the scale is that of the first part."""
    # Objects in arrays cannot be compared bit for bit.
    names = ("feature_names_in_", "_column_words")
    first, second = parts
    embedder = embedder_of(pooling=pooling).partial_fit(first)
    assert_same_fit(embedder, embedder_of(pooling=pooling).fit(first), without=names)
    scale = embedder.feature_means_, embedder.feature_scales_
    embedder.partial_fit(second)
    both = [*first, *second] if isinstance(first, list) else pd.concat(parts)
    whole = embedder_of(pooling=pooling).fit(both)
    assert_same_fit(embedder, whole, without=(*names, *ROUNDED))
    assert embedder.feature_means_ is scale[0]
    assert embedder.feature_scales_ is scale[1]


def test_partial_fit_of_unknown_words():
    """No warning, and no error: what is known may come with the next part."""
    embedder = embedder_of().partial_fit(DOCUMENTS)
    idf = embedder.pooling_.idf_
    for X in (["unknown"], [""]):
        embedder.partial_fit(X)
    assert (embedder.n_tokens_, embedder.n_known_tokens_) == (121, 120)
    assert (embedder.pooling_.idf_ > idf).all()
    with pytest.raises(ValueError, match="X holds no documents"):
        embedder.partial_fit([])
    with pytest.raises(ValueError, match="None of the words"):
        embedder_of().partial_fit(["unknown"])


def test_partial_fit_with_other_parameters():
    embedder = embedder_of().fit(DOCUMENTS)
    before = copy.deepcopy(embedder)
    equal = WordVectors(TABLE.words, TABLE.vectors)
    other = draw_table(TABLE.words, seed=1)
    for name, value, message in (
        ("vectors", other, "was fitted with vectors=<WordVectors"),
        ("vectors", as_dict(TABLE), "was fitted with vectors="),
        ("pooling", "sif", "cannot resume with pooling='sif'"),
    ):
        embedder.set_params(**{name: value})
        with pytest.raises(ValueError, match=message):
            embedder.partial_fit(DOCUMENTS)
        embedder.set_params(**{name: getattr(before, name)})
        assert_same_fit(embedder, before)
    with pytest.raises(ValueError, match="on text and is to resume with a matrix"):
        embedder.partial_fit(FRAME)
    embedder.set_params(vectors=equal).partial_fit(DOCUMENTS)
    assert embedder.n_tokens_ == 240


def test_a_memory_keeps_tokens(tmp_path, monkeypatch):
    """For any vectors, so that a search over them tokenises once."""
    expected = embedder_of(stop_words=["amber"]).fit(DOCUMENTS)
    params = {"memory": str(tmp_path), "stop_words": ["amber"]}
    first = embedder_of(**params)
    features = first.fit_transform(DOCUMENTS)
    assert_same_fit(first, expected)
    assert same(features, expected.transform(DOCUMENTS))
    numbered = []
    monkeypatch.setattr(tokenize, "number", lambda *given: numbered.append(given))
    other = draw_table(WORDS, 5)
    assert_same_fit(embedder_of(**params).fit(DOCUMENTS), expected)
    found = embedder_of(other, **params).fit(DOCUMENTS)
    assert not numbered
    monkeypatch.undo()
    assert_same_fit(found, embedder_of(other, stop_words=["amber"]).fit(DOCUMENTS))


def test_verbose():
    silent, spoken = io.StringIO(), io.StringIO()
    with redirect_stdout(silent):
        expected = embedder_of().fit(DOCUMENTS)
    with redirect_stdout(spoken):
        assert_same_fit(embedder_of(verbose=1).fit(DOCUMENTS), expected)
    assert not silent.getvalue()
    (line,) = spoken.getvalue().splitlines()
    assert line.startswith("[PretrainedEmbedder] read 20 documents: 120 tokens of 8")


# --- in scikit-learn ------------------------------------------------------------------


def test_set_output():
    embedder = embedder_of(pooling=VLADPooling(2)).set_output(transform="pandas")
    frame = embedder.fit_transform(DOCUMENTS)
    assert [*frame.columns][::3] == [
        "pretrainedembedder_cluster0_0",
        "pretrainedembedder_cluster1_0",
    ]
    assert [*frame.columns] == [*embedder.get_feature_names_out()]


@pytest.mark.parametrize("kind", ["table", "path"])
def test_search(kind, tmp_path):
    """Over vectors and poolings; tables may be of different sizes."""
    labels = [text.count("amber") > 0 for text in DOCUMENTS]
    # Only the first has a dimension that says which documents hold the word.
    good = WordVectors(WORDS, np.eye(8))
    bad = WordVectors(WORDS[:7], np.ones((7, 2)))
    tables = [good, bad]
    if kind == "path":
        for number, table in enumerate(tables):
            tables[number] = str(tmp_path / f"{number}.txt")
            rows = [" ".join([w, *map(str, map(float, table[w]))]) for w in table]
            head = f"{len(table)} {table.n_components}"
            Path(tables[number]).write_text("\n".join([head, *rows, ""]))
    grid = {"embed__vectors": tables, "embed__pooling": ["mean", MeanPooling()]}
    model = Pipeline([("embed", embedder_of(bad)), ("head", LogisticRegression(C=100))])
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(DOCUMENTS, labels)
    assert search.best_params_["embed__vectors"] is tables[0]
    found = search.cv_results_["param_embed__vectors"]
    assert all(table in tables for table in found)
    assert len(found) == 4
    assert search.score(DOCUMENTS, labels) == 1.0
