"""Document features are means of word vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skembed._pooling import POOLINGS, pool
from tests.helpers import DOCUMENTS, ESTIMATORS, TOKENISED, cheap, corpus_of

pytestmark = pytest.mark.small

N_WORDS = 5
documents = st.lists(st.lists(st.integers(0, N_WORDS - 1), max_size=30), max_size=6)


def twin_of_pooling(documents, vectors):
    """The mean of each document's vectors in float64; zeros where there are none."""
    features = np.zeros((len(documents), vectors.shape[1]))
    for row, words in enumerate(documents):
        for word in words:
            features[row] += vectors[word].astype(np.float64) / len(words)
    return features


@given(documents, st.integers(1, 4), st.integers(0, 2**16))
def test_mean_against_a_loop(documents, n_features, seed):
    vectors = np.random.default_rng(seed).normal(size=(N_WORDS, n_features))
    vectors = vectors.astype(np.float32)
    features = pool(corpus_of(documents), vectors)
    assert isinstance(features, np.ndarray)
    assert features.dtype == np.float32
    assert features.shape == (len(documents), n_features)
    expected = twin_of_pooling(documents, vectors)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)
    empty = [not words for words in documents]
    np.testing.assert_array_equal(features[empty], 0.0)


@given(documents, st.integers(0, 6), st.integers(0, 6))
def test_a_document_does_not_depend_on_the_others(documents, first, last):
    vectors = np.random.default_rng(0).normal(size=(N_WORDS, 3)).astype(np.float32)
    whole = pool(corpus_of(documents), vectors)
    part = pool(corpus_of(documents[first:last]), vectors)
    assert whole[first:last].tobytes() == part.tobytes()


def test_long_documents_keep_their_precision():
    """A word's own vector, however often it is repeated."""
    vectors = np.array([[1e-3, 1.0, 1e3]], dtype=np.float32)
    features = pool(corpus_of([[0] * 20_000]), vectors)
    np.testing.assert_allclose(features, vectors, rtol=1e-3)


def test_vectors_stay_as_they_are():
    vectors = np.ones((N_WORDS, 2), dtype=np.float32)
    vectors.flags.writeable = False
    features = pool(corpus_of([[0, 1], []]), vectors)
    assert features.flags.writeable
    assert not np.shares_memory(features, vectors)


def test_all_poolings_are_tested():
    assert POOLINGS == ("mean",)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("combine", ["word", "context", "sum", "concat"])
def test_features_are_means_of_the_chosen_vectors(estimator, combine):
    embedder = cheap(estimator, combine=combine, max_features=5)
    features = embedder.fit_transform(DOCUMENTS)
    word, context = embedder.word_vectors_, embedder.context_vectors_
    vectors = {
        "word": word,
        "context": context,
        "sum": word + context,
        "concat": np.hstack([word, context]),
    }[combine]
    rows = embedder.vocabulary_
    ids = [[rows[word] for word in tokens if word in rows] for tokens in TOKENISED]
    assert any(
        len(kept) < len(tokens) for kept, tokens in zip(ids, TOKENISED, strict=True)
    )
    expected = twin_of_pooling(ids, vectors)
    assert features.shape == expected.shape
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-6)
