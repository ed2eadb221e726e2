"""Two models: rotations against closed forms, neighbours against loops."""

import numpy as np
import pytest
from scipy.spatial import procrustes as scipy_procrustes
from scipy.stats import ortho_group

from skembed.metrics import neighbor_overlap, procrustes
from skembed.vectors import WordVectors

pytestmark = pytest.mark.small

WORDS = [f"w{i}" for i in range(40)]


def draw(seed, words=WORDS, n_components=4):
    rng = np.random.default_rng(seed)
    return WordVectors(words, rng.standard_normal((len(words), n_components)))


def test_a_rotation_is_undone():
    a = draw(0)
    rotation = ortho_group.rvs(4, random_state=0)
    b = WordVectors(WORDS[::-1], 3 * a.vectors[::-1] @ rotation)
    result = procrustes(a, b)
    np.testing.assert_allclose(result.rotation, rotation, atol=1e-6)
    np.testing.assert_allclose(3 * result.aligned[WORDS], b[WORDS], atol=1e-5)
    assert result.aligned.words == a.words
    assert result.disparity == pytest.approx(0, abs=1e-9)
    assert result.residual == pytest.approx(2 * np.linalg.norm(a.vectors), rel=1e-6)
    assert result.n_words == 40


def test_disparity_is_that_of_scipy():
    """SciPy also moves the means, which are 0 here."""
    a, b = (draw(seed).vectors.astype(float) for seed in (0, 1))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    result = procrustes(WordVectors(WORDS, a), WordVectors(WORDS, b))
    assert result.disparity == pytest.approx(scipy_procrustes(b, a)[2], abs=1e-6)
    assert 0.1 < result.disparity < 1
    np.testing.assert_allclose(
        result.rotation @ result.rotation.T, np.eye(4), atol=1e-12
    )
    assert result.residual == pytest.approx(np.linalg.norm(a @ result.rotation - b))


def test_rotation_comes_from_common_words():
    a, b = draw(0), draw(1, [*WORDS[10:30], "x"])
    result = procrustes(a, b)
    assert (result.n_words, len(result.aligned)) == (20, 40)
    part = WordVectors(WORDS[10:30], a[WORDS[10:30]])
    np.testing.assert_allclose(procrustes(part, b).rotation, result.rotation)
    some = procrustes(a, b, words=WORDS[12:20])
    assert some.n_words == 8
    assert np.abs(some.rotation - result.rotation).max() > 0.01


def test_zero_vectors_of_models():
    zeros = WordVectors(WORDS, np.zeros((40, 4)))
    for a, b in [(zeros, draw(0)), (draw(0), zeros), (zeros, zeros)]:
        result = procrustes(a, b)
        assert result.disparity == 1.0
        assert np.isfinite(result.rotation).all()


def test_models_that_cannot_be_compared():
    with pytest.raises(ValueError, match="got 4 and 5 dimensions"):
        procrustes(draw(0), draw(1, n_components=5))
    with pytest.raises(ValueError, match=r"no word in common.*'w0'.*'a'"):
        procrustes(draw(0), draw(1, ["a", "b"]))
    with pytest.raises(
        ValueError, match=r"1 of 2 words are not in the second model, f.*'w3'"
    ):
        procrustes(draw(0), draw(1, WORDS[:3]), words=["w1", "w3"])
    with pytest.raises(
        TypeError, match="words must be a sequence, got the string 'w1'"
    ):
        procrustes(draw(0), draw(1), words="w1")


def neighbours(vectors, word, n, among):
    """The nearest words by cosine, word by word."""

    def cosine(other):
        x, y = vectors[word].astype(float), vectors[other].astype(float)
        return x @ y / np.sqrt(x @ x * (y @ y))

    others = [other for other in among if other != word]
    return set(sorted(others, key=cosine, reverse=True)[:n])


def test_overlap_is_that_of_loops():
    a, b = draw(0), draw(1, [*WORDS[:3:-1], "x"], 6)
    common = WORDS[4:]
    for words in (None, ["w9", "w5", "w30"]):
        result = neighbor_overlap(a, b, n=7, words=words)
        compared = words or common
        pairs = [
            [neighbours(model, word, 7, common) for model in (a, b)]
            for word in compared
        ]
        overlaps = [len(x & y) / 7 for x, y in pairs]
        assert result.words == tuple(compared)
        np.testing.assert_allclose(result.overlaps, overlaps)
        assert result.overlap == pytest.approx(np.mean(overlaps))
        jaccard = np.mean([len(x & y) / len(x | y) for x, y in pairs])
        assert result.jaccard == pytest.approx(jaccard)
        assert 0 < result.jaccard < result.overlap < 1


def test_overlap_of_a_model_with_itself():
    a = draw(0)
    rotated = WordVectors(WORDS, 2 * a.vectors @ ortho_group.rvs(4, random_state=0))
    for b in (a, rotated):
        assert neighbor_overlap(a, b, n=5)[:2] == (1.0, 1.0)
    assert neighbor_overlap(a, draw(1), n=39).overlap == 1.0


def test_words_with_zero_vectors_have_no_neighbours():
    a, b = draw(0).vectors.copy(), draw(1).vectors.copy()
    expected = neighbor_overlap(
        WordVectors(WORDS[4:], a[4:]), WordVectors(WORDS[4:], b[4:]), n=3
    )
    a[:2] = 0
    b[1:4] = 0
    a, b = WordVectors(WORDS, a), WordVectors(WORDS, b)
    found = neighbor_overlap(a, b, n=3)
    assert found.words == tuple(WORDS[4:])
    np.testing.assert_array_equal(found.overlaps, expected.overlaps)
    with pytest.raises(ValueError, match=r"1 of 2 words are not in the first.*'w1'"):
        neighbor_overlap(a, b, n=3, words=["w5", "w1"])
    zeros = WordVectors(WORDS, np.zeros((40, 4)))
    for pair in [(zeros, b), (b, zeros)]:
        with pytest.raises(
            ValueError, match=r"n=3 neighbours need at least 4 .* got 0"
        ):
            neighbor_overlap(*pair, n=3)


def test_too_few_words_for_neighbours():
    with pytest.raises(ValueError, match=r"n=10 neighbours need at least 11 .* got 10"):
        neighbor_overlap(draw(0), draw(1, WORDS[:10]))
    with pytest.raises(ValueError, match="The 'n' parameter"):
        neighbor_overlap(draw(0), draw(1), n=0)


def test_no_words_to_compare():
    table = {"a": [1.0, 0.0], "b": [0.0, 1.0]}
    for compare in (neighbor_overlap, procrustes):
        options = {"n": 1} if compare is neighbor_overlap else {}
        with pytest.raises(ValueError, match="words is empty"):
            compare(table, table, words=[], **options)
