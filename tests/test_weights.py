"""Sample weights: a whole number is the same as repeating the document."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skembed import CBOWEmbedder, PPMISVDEmbedder, SGNSEmbedder, cooccurrence
from skembed._sources import Documents
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    TOKENISED,
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
@pytest.mark.parametrize("pooling", ["mean", "tfidf", "sif", "usif"])
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

    source = Documents(corpus, Draws, (2, "flat"), np.random.SeedSequence(0))
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
        (np.full(len(DOCUMENTS), 1e17), "sample_weight holds 1e\\+17"),
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
@pytest.mark.parametrize("weight", [1e10, 1e11, 1e12])
def test_heavy_documents_count_or_are_refused(weight):
    embedder = cheap(PPMISVDEmbedder)
    weights = np.full(len(DOCUMENTS), weight)
    embedder.fit(DOCUMENTS, sample_weight=weights)
    plain = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    np.testing.assert_array_equal(embedder.word_counts_, plain.word_counts_ * weight)
    with pytest.raises(ValueError, match="divide sample_weight by its mean"):
        embedder.fit(
            DOCUMENTS * 2000, sample_weight=np.full(2000 * len(DOCUMENTS), 1e12)
        )


def test_weights_beyond_float64():
    for weights in ([10**400] * 20, np.array([1] * 19 + [10**400], dtype=object)):
        with pytest.raises(ValueError, match=r"sample_weight holds .* too large for"):
            cheap(PPMISVDEmbedder).fit(DOCUMENTS, sample_weight=weights)
