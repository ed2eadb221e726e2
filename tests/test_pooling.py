"""Document features are means of word vectors."""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skembed import _pooling
from skembed._pooling import POOLINGS, pool
from skembed._vocabulary import Corpus
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


@given(documents, st.integers(1, 5), st.integers(1, 40))
def test_any_way_to_cut_documents_up(documents, block, chunk):
    """A document of one block or of many, pooled alone or with others."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(N_WORDS, 3)).astype(np.float32)
    expected = twin_of_pooling(documents, vectors)
    corpus = corpus_of(documents)
    with mock.patch.object(_pooling, "_BLOCK", block):
        whole = pool(corpus, vectors)
        with mock.patch.object(_pooling, "_CHUNK", chunk):
            in_parts = pool(corpus, vectors)
    np.testing.assert_allclose(whole, expected, rtol=1e-5, atol=1e-6)
    assert whole.tobytes() == in_parts.tobytes()


@pytest.mark.parametrize("n_words", [100, 20_000, 2_000_000])
def test_precision_does_not_depend_on_the_length(n_words):
    """Few bits of a sum would be left if it were formed in one go."""
    rng = np.random.default_rng(0)
    vectors = rng.uniform(1, 2, size=(50, 3)).astype(np.float32) * [1e-20, 1, 1e20]
    vectors = vectors.astype(np.float32)
    words = rng.integers(50, size=n_words).astype(np.int32)
    # Between two short ones, to which it must not make any difference.
    token_ids = np.concatenate([[7], words, [8]]).astype(np.int32)
    corpus = Corpus(token_ids, np.array([0, 1, n_words + 1, n_words + 2]))
    features = pool(corpus, vectors)
    expected = np.bincount(words, minlength=50) @ vectors.astype(np.float64) / n_words
    np.testing.assert_allclose(features[1], expected, rtol=1e-6)
    np.testing.assert_array_equal(features[[0, 2]], vectors[[7, 8]])


def test_many_empty_documents():
    vectors = np.ones((N_WORDS, 3), dtype=np.float32)
    offsets = np.zeros(200_001, dtype=np.int64)
    offsets[100_000:] = 2
    tracemalloc.start()
    try:
        features = pool(Corpus(np.array([1, 1], dtype=np.int32), offsets), vectors)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert features.sum() == 3
    assert peak < 6 * features.nbytes


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


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("combine", ["word", "context", "sum", "concat"])
def test_features_of_a_document_do_not_depend_on_the_batch(estimator, combine):
    embedder = cheap(estimator, combine=combine).fit(DOCUMENTS)
    documents = [*DOCUMENTS, "", "unknown", " ".join(DOCUMENTS)]
    features = embedder.transform(documents)
    for row, document in enumerate(documents):
        assert embedder.transform([document]).tobytes() == features[row].tobytes()
    assert embedder.transform(documents[::-1]).tobytes() == features[::-1].tobytes()
    assert not features[-3:-1].any()
