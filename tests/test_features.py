"""Unions of tf-idf and vectors, against scikit-learn's own parts and plain NumPy."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks

from skembed import PPMISVDEmbedder, SGNSEmbedder
from skembed.features import KLWeighter, TextUnion
from tests.helpers import (
    DOCUMENTS,
    OTHER_DOCUMENTS,
    PLAIN,
    TOKENISED,
    WORDS,
    Once,
    cheap,
)

pytestmark = pytest.mark.small
LABELS = [0, 1] * (len(DOCUMENTS) // 2)
VECTORIZER = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)


def union(estimator=PPMISVDEmbedder, weight=0.5, vectorizer=None, **params):
    embedder = cheap(estimator, **params)
    return TextUnion(embedder, weight=weight, vectorizer=vectorizer)


def assert_same(left, right):
    """Two sparse matrices hold the same bits in the same places."""
    assert left.dtype == right.dtype
    np.testing.assert_array_equal(left.toarray(), right.toarray())


@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("estimator", [PPMISVDEmbedder, SGNSEmbedder])
def test_is_a_feature_union_of_centred_vectors(estimator, weight):
    vectors = make_pipeline(cheap(estimator), StandardScaler(with_std=False))
    length = np.linalg.norm(vectors.fit_transform(DOCUMENTS))
    factor = weight * np.sqrt(len(DOCUMENTS)) / length
    expected = FeatureUnion(
        [("words", VECTORIZER), ("vectors", vectors)],
        transformer_weights={"vectors": factor},
    ).fit(DOCUMENTS)
    found = union(estimator, weight).fit(DOCUMENTS)
    for documents in (DOCUMENTS, OTHER_DOCUMENTS):
        rows = found.transform(documents)
        assert sparse.issparse(rows)
        assert rows.format == "csr"
        np.testing.assert_allclose(
            rows.toarray(), expected.transform(documents).toarray(), atol=1e-6
        )


@pytest.mark.parametrize("estimator", [PPMISVDEmbedder, SGNSEmbedder])
def test_root_mean_square_norm_is_the_weight(estimator):
    model = union(estimator, weight=0.7, min_count=2, **PLAIN)
    rows = model.fit_transform([*DOCUMENTS, "unheard of"])
    dense = rows[:, -3:].toarray()[:-1]
    np.testing.assert_allclose(np.mean(np.sum(dense**2, axis=1)), 0.49, rtol=1e-5)
    # However long the vectors are, and wherever their centre is.
    moved = FunctionTransformer(lambda vectors: 100 * vectors - 3)
    other = TextUnion(make_pipeline(cheap(estimator, **PLAIN), moved), weight=0.7)
    other = other.fit_transform(DOCUMENTS)
    np.testing.assert_allclose(other[:, -3:].toarray(), dense, atol=1e-5)


def test_documents_without_known_words_are_zero_and_do_not_count():
    unknown = ["", "unheard of", *DOCUMENTS, "none of these"]
    model = union(min_count=2, **PLAIN).fit(unknown)
    without = union(min_count=2, **PLAIN).fit(DOCUMENTS)
    np.testing.assert_array_equal(model.mean_, without.mean_)
    np.testing.assert_array_equal(model.multiplier_, without.multiplier_)
    assert not model.transform(["", "never seen"]).nnz
    assert model.transform(unknown)[[0, 1, -1], -3:].nnz == 0


def test_columns_that_do_not_vary_are_zero():
    """More components than words leave columns of zeros."""
    model = union(n_components=12)
    rows = model.fit_transform(DOCUMENTS).toarray()[:, -12:]
    np.testing.assert_allclose(np.mean(np.sum(rows**2, axis=1)), 0.25, rtol=1e-5)
    np.testing.assert_array_equal(rows[:, len(WORDS) :], 0.0)
    alike = union(weight=1.0).fit_transform(DOCUMENTS[:1] * 3)
    assert np.isfinite(alike.data).all()
    np.testing.assert_allclose(alike[:, -3:].toarray(), 0.0, atol=1e-6)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("estimator", [PPMISVDEmbedder, SGNSEmbedder])
def test_fit_transform_is_fit_and_transform(estimator, n_jobs):
    rows = union(estimator, n_jobs=n_jobs).fit_transform(DOCUMENTS)
    model = union(estimator).fit(DOCUMENTS)
    assert_same(rows, model.transform(DOCUMENTS))
    for row, document in zip(rows, DOCUMENTS, strict=True):
        assert_same(row, model.transform([document]))


CONTAINERS = {
    "tuple": tuple,
    "array": np.array,
    "generator": iter,
    "pandas": pd.Series,
    "pandas, other index": lambda texts: pd.Series(
        texts, index=range(len(texts), 0, -1)
    ),
    "polars": pl.Series,
    "frame": lambda texts: pd.DataFrame({"text": texts}),
    "column": lambda texts: np.array(texts).reshape(-1, 1),
}


@pytest.mark.parametrize("pack", CONTAINERS.values(), ids=CONTAINERS)
def test_containers(pack):
    expected = union().fit_transform(DOCUMENTS)
    model = union()
    assert_same(model.fit_transform(pack(DOCUMENTS)), expected)
    assert_same(model.transform(pack(DOCUMENTS)), expected)


def test_an_iterator_is_consumed_once():
    documents = Once(DOCUMENTS)
    union().fit(documents)
    assert (documents.n_iter, documents.n_next) == (1, len(DOCUMENTS) + 1)


TOKEN_LISTS = {
    "lists": list,
    "tuples": tuple,
    "arrays": np.array,
}


@pytest.mark.parametrize("form", TOKEN_LISTS.values(), ids=TOKEN_LISTS)
@pytest.mark.parametrize(
    "vectorizer",
    [
        None,
        TfidfVectorizer(stop_words=["amber"]),
        CountVectorizer(strip_accents="ascii"),
    ],
)
def test_tokenised_documents(vectorizer, form):
    """They give what the raw documents give that they were cut from."""
    expected = union(vectorizer=vectorizer).fit(DOCUMENTS)
    model = union(vectorizer=vectorizer).fit([form(words) for words in TOKENISED])
    others = [text.lower().split() for text in OTHER_DOCUMENTS]
    for texts, tokens in ((DOCUMENTS, TOKENISED), (OTHER_DOCUMENTS, [*others])):
        found = model.transform([form(words) for words in tokens])
        assert_same(found, expected.transform(texts))
    names = expected.get_feature_names_out()
    np.testing.assert_array_equal(model.get_feature_names_out(), names)
    assert_same(pickle.loads(pickle.dumps(model)).transform(others), found)


def test_tokens_are_taken_as_they_are():
    tokens = [["New York", "A", "é"], ["A", "New York"]] * 5
    vectorizer = CountVectorizer(stop_words=["A"], strip_accents="ascii")
    model = union(vectorizer=vectorizer).fit(tokens)
    assert set(model.vectorizer_.vocabulary_) == {"New York", "é"}
    assert vectorizer.tokenizer is None


def test_vectorizer_with_its_own_analyzer_takes_any_documents():
    vectorizer = CountVectorizer(analyzer=lambda words: [words[0]])
    model = union(vectorizer=vectorizer).fit(TOKENISED)
    assert set(model.vectorizer_.vocabulary_) == {words[0] for words in TOKENISED}


@pytest.mark.parametrize(
    ("model", "fitted_on", "X", "message"),
    [
        (union(), DOCUMENTS, TOKENISED, r"fitted on raw documents .* got tokenised"),
        (union(), TOKENISED, DOCUMENTS, r"fitted on tokenised .* got raw"),
        (union(), DOCUMENTS, np.eye(3), "takes documents, raw or tokenised"),
        (union(), DOCUMENTS, [*DOCUMENTS, None], "Document 20 is missing"),
        (union(), DOCUMENTS, "text", "Did you mean"),
        (union(), DOCUMENTS, [], "X holds no documents: pass at least one"),
        (union(), TOKENISED, [["amber", 1]], "Token 1 of document 0 is int"),
    ],
)
def test_documents_that_transform_refuses(model, fitted_on, X, message):
    with pytest.raises(ValueError, match=message):
        clone(model).fit(fitted_on).transform(X)


@pytest.mark.parametrize(
    ("model", "X", "message"),
    [
        (union(), sparse.eye_array(8, format="csr"), "TfidfTransformer"),
        (union(), pd.DataFrame(np.eye(8)), "TfidfTransformer"),
        (union(), [*DOCUMENTS, None], "Document 20 is missing"),
        (union(), [*DOCUMENTS, ["amber"]], "Document 20 is list"),
        (union(weight=-1), DOCUMENTS, "'weight' parameter"),
        (TextUnion("mean"), DOCUMENTS, "'embedder' parameter"),
        (TextUnion(vectorizer=3), DOCUMENTS, "'vectorizer' parameter"),
        (TextUnion(TfidfVectorizer()), DOCUMENTS, "sparse matrix; it must"),
        (union(window=0), DOCUMENTS, "'window' parameter"),
        (union(vectorizer=CountVectorizer(analyzer="char")), TOKENISED, "'char'"),
        (union(), "amber birch", r"single str \('amber birch'\).* Did you mean \[X\]"),
        (union(), ["amber birch"], r"\(TfidfVectorizer\) .*the 1 doc.*lower min_df\.$"),
        (union(), [["amber", "birch"]], r"the 1 documents of X.*lower min_df\.$"),
        (union(), ["amber", "birch"], r"the 2 documents of X.* min_df=2, it drops"),
        (union(), ["", ""], r"the 2 documents of X: empty vocabulary"),
        (union(vectorizer=CountVectorizer()), ["x"], "X: empty vocab.* stop words\\.$"),
        (union(), [], "X holds no documents: pass at least one"),
    ],
)
def test_failing_fits(model, X, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    with pytest.raises(NotFittedError):
        model.transform(DOCUMENTS)
    with pytest.raises(NotFittedError):
        model.get_feature_names_out()


@pytest.mark.parametrize("tokenised", [False, True])
def test_missing_documents_may_be_empty(tokenised):
    documents = TOKENISED if tokenised else DOCUMENTS
    empty = [] if tokenised else ""
    model = union(missing="empty")
    found = model.fit_transform([None, *documents, np.nan])
    assert_same(found, union().fit_transform([empty, *documents, empty]))
    assert model.transform([None, None]).nnz == 0
    assert model.transform(pd.DataFrame({"text": [None, np.nan]})).nnz == 0


def test_sample_weight_is_repetition():
    """For the embedder and the scale; the vectorizer has a given vocabulary."""
    weights = np.random.default_rng(0).integers(0, 3, len(DOCUMENTS))
    repeated = [
        text for text, n in zip(DOCUMENTS, weights, strict=True) for _ in range(n)
    ]
    make = {"vectorizer": CountVectorizer(vocabulary=WORDS)}
    weighted = union(**make).fit(DOCUMENTS, sample_weight=weights)
    expected = union(**make).fit(repeated)
    np.testing.assert_allclose(weighted.mean_, expected.mean_, rtol=1e-6)
    np.testing.assert_allclose(weighted.multiplier_, expected.multiplier_, rtol=1e-6)
    np.testing.assert_array_equal(
        weighted.embedder_.word_vectors_, expected.embedder_.word_vectors_
    )
    rows = union(**make).fit_transform(DOCUMENTS, sample_weight=weights)
    assert_same(rows, weighted.transform(DOCUMENTS))


def test_sample_weight_of_another_length():
    with pytest.raises(ValueError, match="sample_weight"):
        union().fit(DOCUMENTS, sample_weight=[1.0])


def test_metadata_routing_knows_sample_weight():
    with config_context(enable_metadata_routing=True):
        model = union().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(
            model, LogisticRegression().set_fit_request(sample_weight=False)
        )
        weights = np.arange(len(DOCUMENTS))
        pipeline.fit(DOCUMENTS, LABELS, sample_weight=weights)
    expected = union().fit(DOCUMENTS, sample_weight=weights)
    np.testing.assert_array_equal(pipeline[0].mean_, expected.mean_)


def test_feature_names():
    model = union().fit(DOCUMENTS)
    words = clone(VECTORIZER).fit(DOCUMENTS).get_feature_names_out()
    expected = [f"vectorizer__{word}" for word in words]
    expected += [f"embedder__ppmisvdembedder{i}" for i in range(3)]
    assert model.get_feature_names_out().tolist() == expected
    assert model.get_feature_names_out().dtype == object


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype(dtype):
    vectorizer = TfidfVectorizer(dtype=dtype)
    assert union(vectorizer=vectorizer).fit_transform(DOCUMENTS).dtype == dtype
    assert union().fit_transform(DOCUMENTS).dtype == np.float64


def test_parameters_are_searched_by_name():
    pipeline = make_pipeline(union(), LogisticRegression())
    grid = {
        "textunion__weight": [0.0, 1.0],
        "textunion__embedder__share_context": [True, "signed"],
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(DOCUMENTS, LABELS)
    assert len(search.cv_results_["params"]) == 4
    best = search.best_estimator_[0]
    assert best.embedder_.share_context == best.embedder.share_context
    # What a fit has learned stays apart from what was passed.
    assert not hasattr(best.embedder, "word_vectors_")
    assert clone(union(weight=0.1)).get_params()["embedder__window"] == 2


def test_defaults():
    documents = DOCUMENTS * 2
    model = TextUnion().fit(documents)
    assert isinstance(model.embedder_, PPMISVDEmbedder)
    assert model.embedder_.get_params() == PPMISVDEmbedder().get_params()
    assert model.vectorizer_.get_params() == VECTORIZER.get_params()
    assert model.embedder is model.vectorizer is None


def test_pandas_output_is_refused_as_by_scikit_learn():
    expected = union().fit_transform(DOCUMENTS)
    model = union().set_output(transform="pandas")
    assert model.fit(DOCUMENTS) is model
    with pytest.raises(ValueError, match="sparse"):
        model.transform(DOCUMENTS)
    # An embedder may put out frames on its own.
    model = union()
    model.embedder.set_output(transform="pandas")
    assert_same(model.fit_transform(DOCUMENTS), expected)
    with config_context(transform_output="polars"):
        model = union().fit(DOCUMENTS)
    assert_same(model.transform(DOCUMENTS), expected)


def test_fitted_parts_can_be_frozen():
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    model = TextUnion(FrozenEstimator(embedder)).fit(DOCUMENTS[:10])
    np.testing.assert_allclose(
        model.transform(DOCUMENTS)[:, -3:].toarray(),
        (embedder.transform(DOCUMENTS) - model.mean_) * model.multiplier_,
        rtol=1e-6,
    )
    classifier = make_pipeline(
        FrozenEstimator(union().fit(DOCUMENTS)), LogisticRegression()
    )
    scores = cross_val_score(classifier, DOCUMENTS, LABELS, error_score="raise", cv=2)
    assert len(scores) == 2


def test_vectorizer_may_learn_from_labels():
    vectorizer = make_pipeline(CountVectorizer(), SelectKBest(k=4))
    rows = union(vectorizer=vectorizer).fit_transform(DOCUMENTS, LABELS)
    expected = clone(vectorizer).fit_transform(DOCUMENTS, LABELS)
    np.testing.assert_array_equal(rows[:, :4].toarray(), expected.toarray())


def test_vectorizer_without_vocabulary():
    vectorizer = HashingVectorizer(n_features=64)
    rows = union(vectorizer=vectorizer).fit_transform(DOCUMENTS)
    assert_same(rows[:, :64], vectorizer.transform(DOCUMENTS))


class ConstantEmbedder(BaseEstimator):
    """Knows no document."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.zeros((len(X), 2), dtype=np.float32)


def test_embedder_that_knows_nothing():
    rows = TextUnion(ConstantEmbedder()).fit_transform(DOCUMENTS)
    assert rows.shape[1] == len(VECTORIZER.fit(DOCUMENTS).vocabulary_) + 2
    assert rows[:, -2:].nnz == 0


CHECKS = [
    estimator_checks.check_parameters_default_constructible,
    estimator_checks.check_estimator_repr,
    estimator_checks.check_no_attributes_set_in_init,
    estimator_checks.check_get_params_invariance,
    estimator_checks.check_set_params,
    estimator_checks.check_estimator_cloneable,
    estimator_checks.check_valid_tag_types,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_scikit_learns_checks_without_data(check):
    check("TextUnion", TextUnion())


# --- KLWeighter -----------------------------------------------------------------------

COUNTS = CountVectorizer().fit_transform(DOCUMENTS)


def kl_by_definition(X, y, counted, smoothing):
    """Loops over the words and classes of a dense matrix."""
    shares = {c: sum(counted[y == c]) / sum(counted) for c in set(y.tolist())}
    found = []
    for column in X.T:
        holds = column != 0
        n_documents = sum(counted[holds])
        divergence = 0.0
        for c, share in shares.items():
            p = sum(counted[holds & (y == c)]) + smoothing * share
            p /= n_documents + smoothing
            divergence += p * np.log(p / share)
        found.append(np.sqrt(divergence))
    return np.array(found)


@pytest.mark.parametrize("smoothing", [0.5, 10])
@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix, np.asarray])
def test_kl_weights_by_definition(form, smoothing):
    rng = np.random.default_rng(0)
    X = rng.poisson(0.4, (30, 6)) * rng.random((30, 6))
    y = rng.choice(["a", "b", "c"], size=30)
    counted = rng.random(30)
    model = KLWeighter(smoothing).fit(form(X), y, counted)
    expected = kl_by_definition(X, y, counted, smoothing)
    np.testing.assert_allclose(
        model.weights_ / model.weights_[0], expected / expected[0], rtol=1e-9
    )
    rows = model.transform(form(X))
    assert sparse.issparse(rows) == sparse.issparse(form(X))
    rows = rows.toarray() if sparse.issparse(rows) else rows
    np.testing.assert_allclose(rows, X * model.weights_)
    norms = [counted @ np.sum(some**2, axis=1) for some in (X, rows)]
    np.testing.assert_allclose(*norms)
    assert model.classes_.tolist() == ["a", "b", "c"]


def test_kl_sample_weight_is_repetition():
    counted = np.arange(len(DOCUMENTS)) % 3
    weighted = KLWeighter().fit(COUNTS, LABELS, counted)
    expected = KLWeighter().fit(
        COUNTS[np.repeat(np.arange(len(DOCUMENTS)), counted)],
        np.repeat(LABELS, counted),
    )
    np.testing.assert_allclose(weighted.weights_, expected.weights_)


def test_kl_words_that_say_nothing_get_no_weight():
    X = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0]])
    weights = KLWeighter().fit(X, [0, 0, 1, 1]).weights_
    np.testing.assert_allclose(weights, [0, 0, 0, np.sqrt(8 / 2)], atol=1e-7)
    # If all are like that, they stay.
    np.testing.assert_array_equal(KLWeighter().fit(X[:, :3], [0, 0, 1, 1]).weights_, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_keeps_dtype_and_input(dtype):
    X = sparse.csr_matrix(COUNTS, dtype=dtype)
    before = X.copy()
    rows = KLWeighter().fit(X, LABELS).transform(X)
    assert rows.dtype == dtype
    assert rows.format == "csr"
    assert_same(X, before)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (COUNTS, [1] * len(DOCUMENTS), "at least 2 classes.*one class: 1"),
        (COUNTS, np.linspace(0, 1, len(DOCUMENTS)), "Unknown label type"),
        (COUNTS, None, "requires y"),
        (-COUNTS, LABELS, "Negative values"),
    ],
)
def test_kl_refuses(X, y, message):
    with pytest.raises(ValueError, match=message):
        KLWeighter().fit(X, y)


def test_kl_in_a_union():
    words = make_pipeline(TfidfVectorizer(), KLWeighter())
    model = union(vectorizer=words).fit(DOCUMENTS, LABELS)
    expected = clone(words).fit_transform(DOCUMENTS, LABELS)
    np.testing.assert_allclose(
        model.transform(DOCUMENTS)[:, :-3].toarray(), expected.toarray()
    )
    assert model.get_feature_names_out()[0] == "vectorizer__amber"


def test_kl_check_estimator():
    results = estimator_checks.check_estimator(KLWeighter(), on_skip=None, on_fail=None)
    others = {r["check_name"] for r in results if r["status"] != "passed"}
    # It needs a setting of SciPy's that must be made before SciPy is loaded.
    assert others <= {"check_array_api_input"}
    assert len(results) >= 50
