"""Sample weights: a whole number is the same as repeating the document."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skembed import CBOWEmbedder, PPMISVDEmbedder, SGNSEmbedder, cooccurrence
from skembed._counts import ppmi
from skembed._solvers.sampling import Documents
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    TOKENISED,
    WORDS,
    assert_same_fit,
    cheap,
    corpus_of,
    learned,
    sound_strategies,
)

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
@pytest.mark.parametrize("pooling", ["mean", "tfidf", "sif", "usif", "vlad"])
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
        found.append((counts.toarray(), ppmi.ppmi(counts, 1.0, 0.75).toarray()))
    (counts, plain), (larger, scaled) = found
    np.testing.assert_allclose(larger, 7 * counts, rtol=1e-12)
    np.testing.assert_allclose(scaled, plain, rtol=0, atol=1e-9)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("pooling", ["tfidf", "sif", "usif", "vlad"])
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
