"""Where the vectors of a measure may come from."""

import itertools

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skembed import PPMISVDEmbedder
from skembed.metrics import _words, analogies, as_word_vectors, word_similarity
from skembed.vectors import WordVectors
from tests.helpers import DOCUMENTS, WORDS, cheap

pytestmark = pytest.mark.small


def test_every_source_gives_the_same_figures():
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    vectors = as_word_vectors(embedder)
    assert as_word_vectors(vectors) is vectors
    pairs = [(a, b, i) for i, (a, b) in enumerate(itertools.pairwise(WORDS))]
    expected = word_similarity(vectors, pairs, random_state=0)
    rows = embedder.vocabulary_
    mapping = {word: embedder.word_vectors_[rows[word]] for word in rows}
    assert word_similarity(mapping, pairs, random_state=0) == expected
    assert word_similarity(embedder, pairs, random_state=0) == expected


def test_gensim():
    gensim = pytest.importorskip("gensim.models")
    model = gensim.KeyedVectors(2)
    model.add_vectors(["a", "b"], np.eye(2, dtype=np.float32))
    assert as_word_vectors(model) == WordVectors(["a", "b"], np.eye(2))


def test_other_objects():
    for wrong in [3, [("a", [1, 2])], make_pipeline(PPMISVDEmbedder())]:
        with pytest.raises(TypeError, match=r"vectors must be .*, a path"):
            as_word_vectors(wrong)
    with pytest.raises(NotFittedError):
        as_word_vectors(PPMISVDEmbedder())


def test_cosines():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((9, 3)).astype(np.float32)
    vectors[4] = 0
    first, second = rng.integers(-1, 9, size=(2, 50))
    found = _words.cosines(WordVectors(range(9), vectors), first, second)
    zero = (first == -1) | (second == -1) | (first == 4) | (second == 4)
    assert zero.any()
    np.testing.assert_array_equal(found == 0, zero)
    x, y = vectors[first].astype(float), vectors[second].astype(float)
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    expected = np.sum(x * y, axis=1)[~zero] / lengths[~zero]
    np.testing.assert_allclose(found[~zero], expected, atol=1e-11)
    same = np.flatnonzero(vectors.any(axis=1))
    np.testing.assert_array_equal(
        _words.cosines(WordVectors(range(9), vectors), same, same), 1
    )


def test_what_is_not_a_word():
    table = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    with pytest.raises(TypeError, match=r"\['a'\] \(list\) is not a word"):
        word_similarity(table, [(["a"], "b", 1), ("a", "b", 2)])


def test_sections_may_have_any_names():
    table = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [1.0, 1.0], "d": [-1.0, 1.0]}
    found = analogies(table, {1: [("a", "b", "c", "d")]})
    assert found.semantic == found.sections[1]
