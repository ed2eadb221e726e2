"""What words contributed to a decision, against loops over words and real models."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

import skembed
from skembed import GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed.features import TextUnion
from skembed.inspection import word_contributions
from skembed.pooling import MeanPooling, SIFPooling
from skembed.vectors import WordVectors
from tests.helpers import DOCUMENTS, OTHER_DOCUMENTS, TOKENISED, WORDS, cheap

small = pytest.mark.small
LABELS = np.arange(20) % 2
CLASSES = np.array(["a", "b", "c"])[np.arange(20) % 3]
# With words that are unknown, several times the same word, and no known word.
ASKED = [*OTHER_DOCUMENTS, "amber amber inlet amber birch", "haven", "jetty", ""]
# In so small a vocabulary, words are so frequent that other weights would be tiny.
SIF = SIFPooling(a=0.1)
POOLINGS = ["mean", "sum", "tfidf", "sif", "usif"]
SCALES = [None, "standard", "spherical"]
OWN = ("common components", "centring")


def embedder(**params):
    return cheap(PPMISVDEmbedder, **params)


def total(found, without=()):
    """Add up all that is said to have contributed."""
    other = sum(value for name, value in found.other.items() if name not in without)
    columns = found.contributions.sum(axis=0) + found.tfidf_contributions.sum(axis=0)
    return columns + other


def assert_adds_up(model, X, decisions, **params):
    """The sum is the decision, and rounding is tiny beside what is added up."""
    found = word_contributions(model, X, **params)
    assert len(found) == len(decisions)
    for one, decision in zip(found, decisions, strict=True):
        np.testing.assert_allclose(total(one), decision, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.decision, decision, rtol=0, atol=1e-12)
        size = np.abs(one.contributions).sum(axis=0)
        size = size + sum(map(np.abs, one.other.values()))
        assert np.all(np.abs(one.other["rounding"]) <= 1e-6 * np.maximum(size, 1.0))
        assert len(one.words) == len(set(one.words)) == len(one.counts)
        assert np.shape(one.contributions) == (len(one.words), *np.shape(decision))
    return found


@small
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("norm", [None, "l2"])
def test_contributions_add_up(pooling, scale, norm):
    first = embedder(
        pooling=SIF if pooling == "sif" else pooling, scale=scale, norm=norm
    )
    model = make_pipeline(first, LogisticRegression()).fit(DOCUMENTS, LABELS)
    decisions = model.decision_function(ASKED)
    assert np.ptp(decisions) > 1e-3
    found = assert_adds_up(model, ASKED, decisions)
    names = [name for name in OWN if name in found[0].other]
    assert names == ["common components"] * ("sif" in pooling) + ["centring"] * (
        scale is not None
    )
    assert found[0].outputs == (1,)
    centred = assert_adds_up(model, ASKED, decisions, centred=True)
    assert not {*OWN} & centred[0].other.keys()


def vectors_of(model, text):
    """Return the vectors of the known tokens of a text, in float64."""
    rows = model.vocabulary_
    tokens = [token for token in text.lower().split() if token in rows]
    return tokens, model.word_vectors_[[rows[t] for t in tokens]].astype(float)


@small
@pytest.mark.parametrize("pooling", POOLINGS)
def test_against_a_loop(pooling):
    """Every token adds its vector times a weight, written from the definitions."""
    first = embedder(pooling=pooling, scale=None, n_components=5)
    model = make_pipeline(first, Ridge()).fit(DOCUMENTS, np.linspace(-3, 3, 20))
    fitted, coef = model[0], model[-1].coef_
    counts = CountVectorizer(vocabulary=list(fitted.vocabulary_)).transform(DOCUMENTS)
    n_documents, n_tokens = counts.shape[0], counts.sum()
    frequencies = (counts > 0).sum(axis=0).A1
    idf = np.log((1 + n_documents) / (1 + frequencies)) + 1
    probability = counts.sum(axis=0).A1 / n_tokens
    for text, found in zip(ASKED, word_contributions(model, ASKED), strict=True):
        tokens, vectors = vectors_of(fitted, text)
        rows = [fitted.vocabulary_[token] for token in tokens]
        weights = {
            "mean": np.ones(len(rows)),
            "sum": np.ones(len(rows)),
            "tfidf": idf[rows],
            "sif": 1e-3 / (1e-3 + probability[rows]),
            # Checked in the tests of poolings.
            "usif": getattr(fitted.pooling_, "word_weights_", idf)[rows],
        }[pooling]
        divisor = {"sum": 1.0, "tfidf": weights.sum()}.get(pooling, len(rows))
        expected = dict.fromkeys(tokens, 0.0)
        for token, vector, weight in zip(tokens, vectors, weights, strict=True):
            expected[token] += weight * (vector @ coef) / divisor
        assert found.words.tolist() == list(expected)
        assert found.counts.tolist() == [tokens.count(word) for word in expected]
        np.testing.assert_allclose(
            found.contributions, list(expected.values()), rtol=1e-9, atol=1e-12
        )


@small
@pytest.mark.parametrize("scale", SCALES)
def test_terms_have_their_values(scale):
    """Centring is that of the scale, and the intercept that of the model."""
    model = make_pipeline(
        embedder(scale=scale), StandardScaler(), LogisticRegression()
    ).fit(DOCUMENTS, LABELS)
    first, scaler, last = model[0], model[1], model[2]
    coef = last.coef_[0] / scaler.scale_
    known, unknown = word_contributions(model, ["amber birch", "jetty"])
    for found in (known, unknown):
        assert found.other["intercept"] == pytest.approx(last.intercept_[0])
        expected = -(scaler.mean_ / scaler.scale_) @ last.coef_[0]
        assert found.other["standardscaler"] == pytest.approx(expected)
    if scale is not None:
        # A document without known words is not even centred.
        assert unknown.other["centring"] == 0.0
    if scale == "standard":
        expected = -(first.feature_means_ / first.feature_scales_) @ coef
        expected *= 3 / np.sqrt(3)
        assert known.other["centring"] == pytest.approx(expected)


@small
def test_centred_contributions():
    """Those of vectors without the components of SIF, minus the means."""
    model = make_pipeline(
        embedder(pooling="sif", scale="standard"), LogisticRegression()
    ).fit(DOCUMENTS, LABELS)
    first, coef = model[0], model[-1].coef_[0]
    (found,) = word_contributions(model, ["amber birch birch"], centred=True)
    component = first.pooling_.components_[0]
    weights = first.pooling_.word_weights_
    rows = [first.vocabulary_["amber"], first.vocabulary_["birch"]]
    shares = weights[rows] * [1, 2] / 3
    for row, share, value in zip(rows, shares, found.contributions, strict=True):
        vector = first.word_vectors_[row].astype(float)
        vector = share * (vector - component * (component @ vector))
        vector -= first.feature_means_ * share / shares.sum()
        expected = vector / first.feature_scales_ * 3 / np.sqrt(3) @ coef
        assert value == pytest.approx(expected, rel=1e-6)


@small
@pytest.mark.parametrize("last", [RidgeClassifier, LinearSVC, SGDClassifier])
@pytest.mark.parametrize("labels", [LABELS, CLASSES], ids=["two", "three"])
def test_classifiers(last, labels):
    params = {"random_state": 0} if last is not RidgeClassifier else {}
    model = make_pipeline(embedder(), last(**params)).fit(DOCUMENTS, labels)
    decisions = model.decision_function(ASKED)
    for found in assert_adds_up(model, ASKED, decisions):
        assert found.outputs == tuple(model.classes_[1 if labels is LABELS else 0 :])


@small
@pytest.mark.parametrize("n_targets", [None, 1, 2])
def test_regressors(n_targets):
    shape = 20 if n_targets is None else (20, n_targets)
    y = np.random.default_rng(0).normal(size=shape)
    model = make_pipeline(embedder(), Ridge()).fit(DOCUMENTS, y)
    found = assert_adds_up(model, ASKED, model.predict(ASKED))
    assert {one.outputs for one in found} == {()}
    model = make_pipeline(embedder(), LinearRegression(fit_intercept=False))
    model.fit(DOCUMENTS, y)
    found = word_contributions(model, ASKED)
    assert not np.any([one.other["intercept"] for one in found])


@small
@pytest.mark.parametrize("combine", ["word", "context", "sum", "concat"])
@pytest.mark.parametrize("kind", [SGNSEmbedder, GloVeEmbedder])
def test_combinations_of_tables(combine, kind):
    model = make_pipeline(cheap(kind, combine=combine), LogisticRegression())
    model.fit(TOKENISED, LABELS)
    asked = [text.lower().split() for text in ASKED]
    assert_adds_up(model, asked, model.decision_function(asked))
    # Without a pipeline, and documents that can be read once.
    again = word_contributions(tuple(model), (tokens for tokens in asked))
    assert [one.decision for one in again] == list(model.decision_function(asked))


@small
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", [sparse.csr_array, np.asarray, pd.DataFrame])
def test_matrices(dtype, form):
    """Weights that are no whole numbers, with zeros and empty rows."""
    counts = CountVectorizer().fit(DOCUMENTS).transform(DOCUMENTS).toarray()
    counts = counts.astype(dtype) * 0.7
    counts[3] = 0.0
    X = form(counts)
    if form is pd.DataFrame:
        X.columns = WORDS
    elif form is sparse.csr_array:
        X.data[0] = 0.0  # an explicit zero is no word
    model = make_pipeline(embedder(), LogisticRegression()).fit(X, LABELS)
    found = assert_adds_up(model, X, model.decision_function(X))
    assert found[3].words.size == 0
    if form is pd.DataFrame:
        assert set(found[0].words) == set(np.array(WORDS)[counts[0] > 0])
    present = (X.toarray() if sparse.issparse(X) else np.asarray(X)) > 0
    assert [one.words.size for one in found] == present.sum(axis=1).tolist()
    np.testing.assert_allclose(found[1].counts.sum(), counts[1].sum(), rtol=1e-6)


@small
@pytest.mark.parametrize("labels", [LABELS, CLASSES], ids=["two", "three"])
@pytest.mark.parametrize("scales", [True, False])
@pytest.mark.parametrize("centred", [True, False])
def test_unions(labels, scales, centred):
    union = TextUnion(embedder(), vectorizer=CountVectorizer(ngram_range=(1, 2)))
    steps = [StandardScaler(with_mean=False)] if scales else []
    model = make_pipeline(union, *steps, LogisticRegression()).fit(DOCUMENTS, labels)
    asked = [*ASKED, DOCUMENTS[0]]
    decisions = model.decision_function(asked)
    found = assert_adds_up(model, asked, decisions, centred=centred)
    terms = " ".join(found[-1].tfidf_terms).split()
    words = DOCUMENTS[0].split()
    assert set(terms) == set(words)
    pairs = {" ".join(pair) for pair in itertools.pairwise(words)}
    assert set(found[-1].tfidf_terms) == {*words, *pairs}
    column = union_columns(model)[f"vectorizer__{words[0]}"]
    value = model[:-1].transform([DOCUMENTS[0]])[0, column]
    place = list(found[-1].tfidf_terms).index(words[0])
    expected = value * model[-1].coef_[:, column]
    np.testing.assert_allclose(
        found[-1].tfidf_contributions[place], np.squeeze(expected), rtol=1e-6
    )
    assert ("centring" in found[0].other) is not centred
    tokens = make_pipeline(union, *steps, LogisticRegression()).fit(TOKENISED, labels)
    assert_adds_up(tokens, TOKENISED, tokens.decision_function(TOKENISED))


def union_columns(model):
    names = model[0].get_feature_names_out()
    return {name: column for column, name in enumerate(names)}


@small
def test_long_documents():
    """Thousands of tokens, whose vectors are added up in float32."""
    long = " ".join(np.random.default_rng(0).choice(WORDS, 20_000))
    model = make_pipeline(embedder(scale=None), LogisticRegression())
    model.fit(DOCUMENTS, LABELS)
    assert_adds_up(model, [long], model.decision_function([long]))


@small
def test_set_output_and_passthrough():
    model = make_pipeline(
        embedder(), "passthrough", StandardScaler(), LogisticRegression()
    )
    model.set_output(transform="pandas").fit(DOCUMENTS, LABELS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_adds_up(model, ASKED, model.decision_function(ASKED))
    model[-1].sparsify()
    assert_adds_up(model, ASKED, model.decision_function(ASKED))


@small
@pytest.mark.parametrize("pooling", POOLINGS)
def test_given_vectors(pooling):
    table = WordVectors.from_estimator(embedder().fit(DOCUMENTS))
    first = skembed.PretrainedEmbedder(table, pooling=pooling)
    model = make_pipeline(first, LogisticRegression()).fit(DOCUMENTS, LABELS)
    found = assert_adds_up(model, ASKED, model.decision_function(ASKED))
    learned = make_pipeline(embedder(pooling=pooling), LogisticRegression())
    learned.fit(DOCUMENTS, LABELS)
    again = word_contributions(learned, ASKED)
    for one, other in zip(found, again, strict=True):
        assert one.words.tolist() == other.words.tolist()
        np.testing.assert_allclose(one.contributions, other.contributions, rtol=1e-4)


# --- what is refused ------------------------------------------------------------------


class OwnPooling(MeanPooling):
    """It could do anything."""


@small
@pytest.mark.parametrize(
    ("pooling", "reason"),
    [
        ("max", "maximum of each dimension"),
        ("mean_max", "maximum of each dimension"),
        ("topical", "vectors that it learned from documents"),
        ("vlad", "square roots"),
        (OwnPooling(), "not a pooling of skembed"),
    ],
)
def test_poolings_that_are_no_sums(pooling, reason):
    model = make_pipeline(embedder(pooling=pooling), LogisticRegression())
    model.fit(DOCUMENTS, LABELS)
    with pytest.raises(ValueError, match=reason):
        word_contributions(model, DOCUMENTS)


@small
@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([embedder(), RandomForestClassifier(3)], "RandomForestClassifier.* no coef_"),
        ([embedder(), SVC()], "SVC, which has no coef_"),
        ([embedder(), PoissonRegressor()], "decision of PoissonRegressor"),
        ([embedder(), MaxAbsScaler(), Ridge()], "Step 'maxabsscaler'.*StandardScaler"),
        ([embedder(), PCA(2), Ridge()], "Step 'pca' is a PCA"),
        ([CountVectorizer(), LogisticRegression()], "got CountVectorizer"),
        ([LogisticRegression()], "got 1 steps"),
    ],
)
def test_models_that_are_not_linear(steps, message):
    model = make_pipeline(*steps)
    X = np.ones((20, 2)) if len(steps) == 1 else DOCUMENTS
    model.fit(X, LABELS)
    with pytest.raises(TypeError, match=message):
        word_contributions(model, DOCUMENTS)


class Bent(Ridge):
    """Nearly linear: its prediction has a small quadratic term."""

    def predict(self, X):
        found = super().predict(X)
        return found + 1e-4 * found**2


@small
@pytest.mark.parametrize("scale", SCALES)
def test_small_curvature(scale):
    """It is larger than rounding in float32, although the rest is linear."""
    y = np.linspace(-3, 3, 20)
    for last in (Ridge(), Bent()):
        model = make_pipeline(embedder(scale=scale), StandardScaler(), last)
        model.fit(DOCUMENTS, y)
        if isinstance(last, Bent):
            with pytest.raises(TypeError, match="decision of Bent is not the product"):
                word_contributions(model, DOCUMENTS)
        else:
            assert_adds_up(model, DOCUMENTS, model.predict(DOCUMENTS))


@small
@pytest.mark.parametrize("pooling", POOLINGS)
def test_large_models(pooling):
    """Rounding in many dimensions, beside large means, stays within the bound."""
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(500)]
    vectors = WordVectors(words, rng.normal(10.0, 1.0, size=(500, 300)))
    texts = [" ".join(rng.choice(words, size)) for size in [1, 3, 50, 5000] * 10]
    first = skembed.PretrainedEmbedder(vectors, pooling=pooling, scale="standard")
    model = make_pipeline(first, StandardScaler(), LogisticRegression())
    model.fit(texts, np.arange(40) % 2)
    for found in word_contributions(model, texts):
        assert total(found) == pytest.approx(found.decision, abs=1e-9)


@small
def test_pairs_of_classes_are_not_classes():
    model = make_pipeline(embedder(), SVC(kernel="linear"))
    model.fit(DOCUMENTS, np.arange(20) % 4)
    with pytest.raises(TypeError, match="decision of SVC"):
        word_contributions(model, DOCUMENTS)
    model.fit(DOCUMENTS, LABELS)
    assert_adds_up(model, ASKED, model.decision_function(ASKED))


@small
def test_what_is_no_fitted_model():
    model = make_pipeline(embedder(), LogisticRegression())
    for unfitted in (model, make_pipeline(TextUnion(embedder()), Ridge())):
        with pytest.raises(NotFittedError):
            word_contributions(unfitted, DOCUMENTS)
    fitted = embedder().fit(DOCUMENTS)
    with pytest.raises(NotFittedError):
        word_contributions((fitted, LogisticRegression()), DOCUMENTS)
    with pytest.raises(TypeError, match="got PPMISVDEmbedder"):
        word_contributions(fitted, DOCUMENTS)
    grid = {"ppmisvdembedder__n_components": [2, 3]}
    search = GridSearchCV(model, grid, cv=2).fit(DOCUMENTS, LABELS)
    with pytest.raises(TypeError, match="best_estimator_"):
        word_contributions(search, DOCUMENTS)
    assert_adds_up(
        search.best_estimator_, ASKED, search.best_estimator_.decision_function(ASKED)
    )
    with pytest.raises(ValueError, match="single str"):
        word_contributions(search.best_estimator_, "amber birch")
    with pytest.raises(ValueError, match="centred"):
        word_contributions(search.best_estimator_, ASKED, centred="yes")


@small
def test_no_documents():
    model = make_pipeline(embedder(), LogisticRegression()).fit(DOCUMENTS, LABELS)
    assert word_contributions(model, []) == []
    with pytest.raises(ValueError, match="X is NoneType"):
        word_contributions(model, None)
