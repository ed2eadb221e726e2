"""Sixteen scores at a time to steps, losses and curvatures: errors and sums."""

import numba
import numpy as np
import pytest
from scipy import special

from skembed._kernels import steps
from skembed._utils.jit import COMPILED

# Registers of every size, and the code that runs without the compiler.
LANES = [None, 4, 8, 16] if COMPILED else [None]


def block_function(lanes):
    if lanes is None:
        return steps._step_block
    step = steps.make_step_block(lanes)

    @numba.njit
    def call(scores, slots, words, window, block, at, rate):
        step(scores, slots, words, window, block, at, rate)

    return call


def run(lanes, scores):
    """Treat each row of 16 scores as one word with 16 contexts; return all arrays."""
    scores = scores.reshape(-1, steps.CHUNK).astype(np.float32)
    slots = np.zeros((4, steps.CHUNK), dtype=np.float32)
    words = np.zeros((len(scores), 64), dtype=np.float32)
    window = np.tile(np.array([0, steps.CHUNK, 0, 0]), (len(scores), 1))
    at, rate = (0, 0, 0, steps.CHUNK), np.float32(1.0)
    block_function(lanes)(scores, slots, words, window, (0, len(scores)), at, rate)
    return scores, slots, words


@pytest.mark.small
@pytest.mark.parametrize("lanes", LANES)
def test_sigmoid_and_loss_are_as_exact_as_promised(lanes):
    """On a dense grid of scores that the exponential reaches, and far beyond."""
    n = 200_000 if COMPILED and lanes else 2_000
    tiny = np.geomspace(1e-30, 1e-2, 160)
    grid = np.concatenate([np.linspace(-90, 90, 16 * n // 16), tiny, -tiny])
    z = -grid.astype(np.float32).astype(np.float64)
    found, _, words = run(lanes, grid)
    error = np.abs(found.ravel() - special.expit(z))
    assert error.max() < 3e-7
    small = (z < -1e-3) & (z > -10)
    assert (error / special.expit(z))[small].max() < 1.5e-6
    loss = words[:, steps.LOSS : steps.LOSS + 16].ravel()
    np.testing.assert_allclose(loss, np.logaddexp(0.0, z), rtol=1e-6, atol=4e-7)


@pytest.mark.small
@pytest.mark.parametrize("lanes", LANES)
def test_extreme_scores_stay_finite(lanes):
    scores = np.array([0.0, -0.0, 87, 88, 1e3, -1e3, 1e30, -1e30] * 2)
    found, slots, words = run(lanes, scores)
    assert np.isfinite(found).all()
    assert np.isfinite(slots).all()
    assert np.isfinite(words[:, :48]).all()
    # A step never points the wrong way, and vanishes only where nothing is left.
    assert (found >= 0).all()
    assert (found[0, [0, 1, 5, 7]] > 0.49).all()


# Windows of words 1 to 3: on both sides, on one side, and none.
WINDOWS = np.array([[9, 9, 9, 9], [2, 5, 6, 8], [4, 9, 0, 0], [5, 5, 6, 6]])


@pytest.mark.small
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("edge", [-8, 0, 4, 7, 16, 20])
def test_all_sums(lanes, edge):
    """Against the formulas, with biases, norms and windows; and nothing else moves.

    The columns up to the edge have the contexts from one slot on, and those behind it
    have the contexts from another slot on, each with windows that reach into it.
    """
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(5, 24)).astype(np.float32)
    slots = rng.random((4, 40)).astype(np.float32)
    words = rng.random((5, 64)).astype(np.float32)
    block, column, left, right, rate = slice(1, 4), 5, 2, 20, 0.25
    k = np.arange(16)
    places = np.where(k < edge, left + k, right + k)
    window = np.vstack([WINDOWS, [[0, 40, 0, 40]]])
    window[:, 2:] += right
    low, high, other, end = window[block].T[:, :, None]
    weights = ((places >= low) & (places < high)) | ((places >= other) & (places < end))
    assert edge in (0, -8) or (weights.any(axis=1) == [True, True, False]).all()
    before = [array.astype(float) for array in (scores, slots, words)]
    biases = before[2][block, 48 + steps.BIAS, None] + before[1][steps.BIAS, places]
    z = -(before[0][block, column : column + 16] + biases)
    pull = weights * special.expit(z)
    slope = weights * np.tanh(np.abs(z) / 2) / (2 * np.abs(z))
    # Norms of the words, and of the slots, each for the other side's curvature.
    norms = before[2][block, 48 + steps.NORM, None]
    wanted = [array.copy() for array in before]
    wanted[0][block, column : column + 16] = rate * pull
    wanted[1][steps.BIAS_STEP, places] += rate * pull.sum(axis=0)
    wanted[1][steps.CURVATURE, places] += (slope * norms + pull).sum(axis=0)
    for place, numbers in (
        (steps.LOSS, weights * np.logaddexp(0.0, z)),
        (steps.STEP, rate * pull),
        (steps.BEND, slope * before[1][steps.NORM, places] + pull),
    ):
        wanted[2][block, place : place + 16] += numbers
    at = column, left, right, edge
    call = block_function(lanes)
    call(scores, slots, words, window, (1, 4), at, np.float32(rate))
    for found, expected in zip((scores, slots, words), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
