"""The scale of features, and the number of epochs, that fits choose from documents."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skembed import PPMISVDEmbedder, cooccurrence
from skembed._solvers.epochs import auto_epochs
from skembed.pooling import POOLINGS, MeanPooling, _features
from tests.helpers import DOCUMENTS, EPOCHS, ESTIMATORS, MORE, OTHER_DOCUMENTS, cheap

pytestmark = pytest.mark.small

SCALES = ["standard", "spherical"]
UNKNOWN = ["", "? !"]


def plain(fitted, X):
    """Features without a scale, in float64."""
    return clone_of(fitted, scale=None, dtype="float64").transform(X)


def clone_of(fitted, **params):
    return pickle.loads(pickle.dumps(fitted)).set_params(**params)


def expected(fitted, training, X, scale, weights=None):
    """Scaled features by scikit-learn's scaler and loops."""
    rows = plain(fitted, training)
    scaler = StandardScaler().fit(rows, sample_weight=weights)
    found = []
    for row in plain(fitted, X):
        if not row.any():
            found.append(row)
        elif scale == "standard":
            scaled = (row - scaler.mean_) / scaler.scale_
            found.append(scaled * _features.LENGTH / np.sqrt(row.size))
        else:
            centred = row - scaler.mean_
            found.append(centred * _features.LENGTH / np.linalg.norm(centred))
    return np.array(found)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("scale", SCALES)
def test_features_are_those_of_a_scaler(estimator, scale):
    embedder = cheap(estimator, scale=scale)
    features = embedder.fit_transform(DOCUMENTS)
    wanted = expected(embedder, DOCUMENTS, DOCUMENTS, scale)
    np.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(features, embedder.transform(DOCUMENTS))
    others = embedder.transform(OTHER_DOCUMENTS)
    wanted = expected(embedder, DOCUMENTS, OTHER_DOCUMENTS, scale)
    np.testing.assert_allclose(others, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("combine", ["word", "concat"])
def test_every_pooling_can_be_scaled(pooling, combine):
    embedder = cheap(PPMISVDEmbedder, pooling=pooling, combine=combine)
    features = embedder.fit_transform(DOCUMENTS)
    wanted = expected(embedder, DOCUMENTS, DOCUMENTS, "spherical")
    np.testing.assert_allclose(features, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("scale", SCALES)
def test_documents_without_known_words_stay_zero_and_do_not_count(scale):
    embedder = cheap(PPMISVDEmbedder, scale=scale, pooling="mean")
    features = embedder.fit_transform([*DOCUMENTS, *UNKNOWN])
    assert not features[-2:].any()
    assert features[:-2].any(axis=1).all()
    alone = cheap(PPMISVDEmbedder, scale=scale, pooling="mean").fit(DOCUMENTS)
    np.testing.assert_allclose(embedder.feature_means_, alone.feature_means_)


@pytest.mark.parametrize("scale", SCALES)
def test_weights_are_repetitions(scale):
    weights = np.arange(len(DOCUMENTS)) % 3
    weighted = cheap(PPMISVDEmbedder, scale=scale)
    weighted.fit(DOCUMENTS, sample_weight=weights)
    repeated = cheap(PPMISVDEmbedder, scale=scale)
    repeated.fit(np.repeat(DOCUMENTS, weights).tolist())
    for name in ("feature_means_", "feature_scales_"):
        np.testing.assert_allclose(
            getattr(weighted, name), getattr(repeated, name), rtol=1e-12, atol=1e-15
        )
    known = [text for text, weight in zip(DOCUMENTS, weights, strict=True) if weight]
    wanted = expected(weighted, DOCUMENTS, known, scale, weights)
    np.testing.assert_allclose(weighted.transform(known), wanted, rtol=1e-4, atol=1e-5)


def test_the_scale_has_the_same_bits_for_any_number_of_threads(monkeypatch):
    monkeypatch.setattr("skembed.pooling._rows.CHUNK", 40)
    found = [
        cheap(PPMISVDEmbedder, n_jobs=n_jobs).fit(DOCUMENTS).feature_means_
        for n_jobs in (1, 2, 3)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_moments_add_up():
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(5.0, 2.0, (50, 4)), rng.integers(0, 4, 50)
    parts = [
        _features.moments_of(rows[i : i + 7], weights[i : i + 7] + 0.0)
        for i in range(0, 50, 7)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = _features.add_moments(total, part)
    found = _features.learn_scaling(total)
    many = np.repeat(rows, weights, axis=0)
    np.testing.assert_allclose(found.means, many.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.deviations, many.std(axis=0), rtol=1e-13)


@pytest.mark.parametrize("scale", SCALES)
def test_nothing_is_blown_up_where_documents_are_all_alike(scale):
    # The same words in another order: sums differ by rounding.
    documents = ["amber birch cedar delta", "delta cedar birch amber"] * 10
    embedder = cheap(PPMISVDEmbedder, scale=scale)
    features = embedder.fit_transform(documents)
    assert np.abs(features).max() < 0.1
    other = embedder.transform(["amber amber", "delta"])
    assert np.isfinite(other).all()
    assert other.any(axis=1).all()


@pytest.mark.parametrize("scale", SCALES)
def test_columns_of_zeros_stay_zero(scale):
    rows = np.random.default_rng(0).normal(size=(9, 4))
    rows[:, 2] = 0.0
    learned = _features.learn_scaling(_features.moments_of(rows, np.ones(9)))
    assert not _features.scale_rows(rows, learned, scale)[:, 2].any()


def test_norm_comes_last():
    embedder = cheap(PPMISVDEmbedder, norm="l2")
    features = embedder.fit_transform(DOCUMENTS)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, rtol=1e-6)
    without = clone_of(embedder, norm=None).transform(DOCUMENTS)
    np.testing.assert_allclose(features * _features.LENGTH, without, rtol=1e-5)
    assert embedder.transform([]).shape == (0, features.shape[1])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_partial_fit_keeps_the_scale(estimator):
    embedder = cheap(estimator, pooling="mean").partial_fit(DOCUMENTS)
    before = embedder.feature_means_.copy(), embedder.feature_scales_.copy()
    embedder.partial_fit(MORE)
    np.testing.assert_array_equal(embedder.feature_means_, before[0])
    np.testing.assert_array_equal(embedder.feature_scales_, before[1])
    # Columns of another kind need another scale.
    embedder.set_params(combine="context").partial_fit(MORE)
    wanted = plain(embedder, MORE).mean(axis=0)
    np.testing.assert_allclose(embedder.feature_means_, wanted, rtol=1e-6, atol=1e-9)


def test_a_new_fit_learns_the_scale_anew():
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    first = embedder.feature_means_
    embedder.fit(MORE)
    assert not np.array_equal(first, embedder.feature_means_)
    embedder.set_params(scale=None).fit(DOCUMENTS)
    assert not hasattr(embedder, "feature_means_")


def test_what_has_changed_since_the_fit_is_told():
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    standard = clone_of(embedder, scale="standard").transform(DOCUMENTS)
    wanted = expected(embedder, DOCUMENTS, DOCUMENTS, "standard")
    np.testing.assert_allclose(standard, wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"combine='context'.*scale=None"):
        clone_of(embedder, combine="context").transform(DOCUMENTS)
    without = cheap(PPMISVDEmbedder, scale=None).fit(DOCUMENTS)
    with pytest.raises(ValueError, match="scale='standard' needs what fit learns"):
        without.set_params(scale="standard").transform(DOCUMENTS)
    embedder.feature_means_ = np.zeros(7)
    with pytest.raises(ValueError, match="feature_means_ has shape"):
        embedder.transform(DOCUMENTS)


@pytest.mark.parametrize("scale", SCALES)
def test_of_counts_every_word_is_a_document(scale):
    counts, vocabulary = cooccurrence(DOCUMENTS, min_count=1, window=2)
    embedder = cheap(
        PPMISVDEmbedder, input="cooccurrence", vocabulary=vocabulary, scale=scale
    )
    embedder.fit(counts)
    totals = counts.sum(axis=1)
    n_words = len(vocabulary)
    idf = np.log((1 + totals.sum()) / (1 + totals)) + 1
    np.testing.assert_allclose(embedder.pooling_.idf_, idf)
    words = sparse.eye_array(n_words, format="csr")
    wanted = StandardScaler().fit(plain(embedder, words), sample_weight=totals)
    np.testing.assert_allclose(
        embedder.feature_means_, wanted.mean_, rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(embedder.feature_scales_, wanted.scale_, rtol=1e-5)


def test_features_that_are_too_large_are_an_error():
    class LargePooling(MeanPooling):
        def pool(self, X, vectors):
            return super().pool(X, vectors) * 1e200

    embedder = cheap(PPMISVDEmbedder, pooling=LargePooling())
    with pytest.raises(ValueError, match=r"too large to be scaled.*scale=None"):
        embedder.fit(DOCUMENTS)
    assert not hasattr(embedder, "word_vectors_")


def test_a_pooling_of_the_user_is_scaled():
    class OwnPooling(MeanPooling):
        pass

    own = cheap(PPMISVDEmbedder, pooling=OwnPooling()).fit_transform(DOCUMENTS)
    mean = cheap(PPMISVDEmbedder, pooling="mean").fit_transform(DOCUMENTS)
    np.testing.assert_array_equal(own, mean)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_pooling_of_the_user_gets_what_ours_gets(pooling):
    """Ours gets documents without a matrix; the bits of the features are the same."""
    user = type("OwnPooling", (POOLINGS[pooling],), {})
    X = [*OTHER_DOCUMENTS, *UNKNOWN, " ".join(DOCUMENTS)]
    found = [
        cheap(PPMISVDEmbedder, pooling=one).fit(DOCUMENTS).transform(X)
        for one in (user(), pooling)
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("counts", "are_pairs", "wanted"),
    [
        ([10**9], False, 5),
        ([10, 20], False, 60),
        ([600_000], True, 25),
        ([0], False, 60),
        ([200_000.0, 200_000.0], False, 13),
        ([2_500_000], False, 5),
        ([2_499_999], False, 6),
        ([17_361], False, 60),
    ],
)
def test_small_corpora_get_more_epochs(counts, are_pairs, wanted):
    assert auto_epochs(np.array(counts), are_pairs, 5) == wanted


@pytest.mark.parametrize("estimator", EPOCHS)
def test_auto_is_the_number_that_n_iter_tells(estimator):
    auto = cheap(estimator, max_iter="auto").fit(DOCUMENTS)
    assert auto.n_iter_ == 60
    same = cheap(estimator, max_iter=60).fit(DOCUMENTS)
    np.testing.assert_array_equal(auto.word_vectors_, same.word_vectors_)


@pytest.mark.parametrize("estimator", EPOCHS)
def test_partial_fit_goes_on_as_if_auto_were_the_number(estimator):
    fits = [cheap(estimator, max_iter=value) for value in ("auto", 60)]
    for embedder in fits:
        embedder.partial_fit(DOCUMENTS).partial_fit(MORE)
        assert embedder.n_iter_ == 2
    np.testing.assert_array_equal(fits[0].word_vectors_, fits[1].word_vectors_)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("weights", [None, np.arange(len(DOCUMENTS)) % 3 + 0.5])
def test_poolings_learn_from_some_documents_at_a_time(pooling, weights, monkeypatch):
    """What they add up of parts is the same as of all documents, to rounding."""
    X = [*DOCUMENTS, ""]
    if weights is not None:
        weights = np.append(weights, 1.0)
    embedder = cheap(PPMISVDEmbedder, pooling=pooling)
    whole = embedder.fit(X, sample_weight=weights).transform(OTHER_DOCUMENTS)
    sizes, as_matrix = [], _features._as_matrix
    monkeypatch.setattr(
        _features,
        "_as_matrix",
        lambda documents, n: (
            sizes.append(documents.words.size) or as_matrix(documents, n)
        ),
    )
    monkeypatch.setattr(_features, "LEARNED_AT_ONCE", 20)
    cut = embedder.fit(X, sample_weight=weights)
    if not _features.learns_nothing(cut.pooling_):
        n_tokens = sum(len(text.split()) for text in X)
        assert len(sizes) >= n_tokens // 40
        assert max(sizes) < n_tokens / 3
    # Signs of directions are free.
    found = cut.transform(OTHER_DOCUMENTS)
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)
