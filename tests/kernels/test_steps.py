"""Sixteen scores at a time to steps, losses and curvatures: errors and sums."""

import numba
import numpy as np
import pytest
from scipy import special

from skembed._kernels import steps
from skembed._utils.jit import COMPILED

# Registers of every size, and the code that runs without the compiler.
LANES = [None, 4, 8, 16] if COMPILED else [None]


def chunk_function(lanes):
    if lanes is None:
        return steps._step_chunk
    chunk = steps.make_step_chunk(lanes)

    @numba.njit
    def call(scores, weights, slots, words, at, rates):
        chunk(scores, weights, slots, words, at, rates)

    return call


def run(lanes, scores, sign, **numbers):
    """Treat each row of 16 scores as one word; return all arrays after it."""
    chunk = chunk_function(lanes)
    scores = scores.reshape(-1, steps.CHUNK).astype(np.float32)
    n_words = len(scores)
    weights = numbers.get("weights", np.ones_like(scores))
    slots = numbers.get("slots", np.zeros((4, steps.CHUNK), dtype=np.float32))
    words = numbers.get("words", np.zeros((n_words, 64), dtype=np.float32))
    rates = (np.float32(sign), np.float32(numbers.get("rate", -1.0)))
    for word in range(n_words):
        chunk(scores, weights, slots, words, (word, 0, 0), rates)
    return scores, slots, words


@pytest.mark.small
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_sigmoid_and_loss_are_as_exact_as_promised(lanes, sign):
    """On a dense grid of scores that the exponential reaches, and far beyond."""
    n = 200_000 if COMPILED and lanes else 2_000
    grid = np.concatenate(
        [np.linspace(-90, 90, 16 * n // 16), np.geomspace(1e-30, 1e-2, 160)]
    ).astype(np.float32)
    z = sign * grid.astype(np.float64)
    found, _, words = run(lanes, grid, sign)
    error = np.abs(found.ravel() + sign * special.expit(z))
    assert error.max() < 3e-7
    small = (z < -1e-3) & (z > -10)
    assert (error / special.expit(z))[small].max() < 1.5e-6
    loss = words[:, steps.LOSS : steps.LOSS + 16].ravel()
    np.testing.assert_allclose(loss, np.logaddexp(0.0, z), rtol=1e-6, atol=4e-7)


@pytest.mark.small
@pytest.mark.parametrize("lanes", LANES)
def test_extreme_scores_stay_finite(lanes):
    scores = np.array([0.0, -0.0, 87, 88, 1e3, -1e3, 1e30, -1e30] * 2)
    found, slots, words = run(lanes, scores, -1)
    assert np.isfinite(found).all()
    assert np.isfinite(slots).all()
    assert np.isfinite(words[:, :48]).all()
    # A step never points the wrong way, and vanishes only where nothing is left.
    assert (found >= 0).all()
    assert (found[0, [0, 1, 5, 7]] > 0.49).all()


@pytest.mark.small
@pytest.mark.parametrize("lanes", LANES)
def test_all_sums(lanes):
    """Against the formulas, with weights, biases and norms; and nothing else moves."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 16)).astype(np.float32)
    weights = rng.random((3, 16)).astype(np.float32)
    slots = rng.random((4, 16)).astype(np.float32)
    words = rng.random((3, 64)).astype(np.float32)
    before = slots.copy(), words.copy()
    biases = words[:, 48 + steps.BIAS, None].astype(float) + slots[steps.BIAS]
    z = scores.astype(float) + biases
    pull = weights * special.expit(z)
    slope = weights * np.tanh(np.abs(z) / 2) / (2 * np.abs(z))
    found, slots, words = run(
        lanes, scores, 1, weights=weights, slots=slots, words=words, rate=-0.25
    )
    near = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(found, -0.25 * pull, **near)
    # Norms of the words, and of the slots, each for the other side's curvature.
    norms = words[:, 48 + steps.NORM, None].astype(float)
    wanted = {
        steps.BIAS: 0.0,
        steps.NORM: 0.0,
        steps.BIAS_STEP: -0.25 * pull.sum(axis=0),
        steps.CURVATURE: (slope * norms + pull).sum(axis=0),
    }
    for row, sums in wanted.items():
        np.testing.assert_allclose(slots[row] - before[0][row], sums, **near)
    added = words - before[1]
    for place, numbers in (
        (steps.LOSS, weights * np.logaddexp(0.0, z)),
        (steps.STEP, -0.25 * pull),
        (steps.BEND, slope * before[0][steps.NORM] + pull),
    ):
        np.testing.assert_allclose(added[:, place : place + 16], numbers, **near)
    assert not added[:, 48:].any()
