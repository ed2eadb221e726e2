"""Kernels of the softmax: exponentials, tiles of scores, and steps."""

import numpy as np
import pytest
from scipy import sparse

from skembed._kernels import softmax
from skembed._solvers.objectives import Counts
from skembed._utils import jit

pytestmark = pytest.mark.small
D, WIDTH = 5, 16


@jit.kernel
def map_exp(values, out):
    for i in range(values.size):
        out[i] = softmax.exp_negative(values[i])


@jit.kernel
def map_log1p(values, out):
    for i in range(values.size):
        out[i] = softmax.log1p_unit(values[i])


def test_exp():
    """To float32 accuracy, of arguments rounded to float32; then 0."""
    lowest = -float(softmax._LOWEST)
    values = np.concatenate(
        [[0.0], np.geomspace(1e-30, lowest, 20_000), np.linspace(0, lowest, 20_000)]
    )
    values = -values[values < lowest * (1 - 1e-6)].astype(np.float32)
    out = np.empty_like(values)
    map_exp(values, out)
    errors = np.abs(out / np.exp(values.astype(np.float64)) - 1)
    assert (errors < 4e-7 - values * 2.0**-23).all()
    assert out[0] == 1.0
    below = np.array([-lowest - 1, -90, -1e4, -3e38, -np.inf], dtype=np.float32)
    map_exp(below, out[:5])
    assert (out[:5] == 0).all()
    assert np.exp(-lowest) < 1e-20


def test_log1p():
    values = np.concatenate([[0.0, 1.0], np.linspace(0, 1, 20_001)]).astype(np.float32)
    out = np.empty_like(values)
    map_log1p(values, out)
    expected = np.log1p(values.astype(np.float64))
    np.testing.assert_allclose(out, expected, atol=3e-7)
    # Of nothing, it is nothing: losses of certain choices are 0.
    assert out[0] == 0.0


@pytest.mark.parametrize("size", [1.0, 1e3, 1e30])
def test_tiles(size):
    """Slopes of some columns, from scores so large that plain exp would overflow."""
    rng = np.random.default_rng(0)
    scores = (rng.normal(size=(4, 40)) * size).astype(np.float32)
    counts = rng.integers(0, 3, size=(4, 40)).astype(float)
    counts[2] = 0.0
    block, part = Counts(sparse.csr_array(counts)).block(0, len(counts)), (9, 32)
    inside = slice(*part)
    exact = scores[:, inside].astype(np.float64)
    maxima, sums = np.empty((2, 4), dtype=np.float32)
    observed = np.empty(4)
    tile = scores.copy()
    softmax.exp_tile(tile, part, block, maxima, sums, observed)
    np.testing.assert_array_equal(maxima, scores[:, inside].max(axis=1))
    exponentials = np.exp(exact - exact.max(axis=1, keepdims=True))
    np.testing.assert_allclose(tile[:, inside], exponentials, rtol=5e-6, atol=1e-25)
    np.testing.assert_allclose(sums, exponentials.sum(axis=1), rtol=1e-6)
    here = counts[:, inside]
    np.testing.assert_allclose(observed, (here * exact).sum(axis=1), rtol=1e-6)
    factors = np.array([2.0, 3.0, 0.0, 1.0], dtype=np.float32)
    softmax.slope_tile(tile, part, block, factors)
    expected = factors[:, np.newaxis] * exponentials - here
    np.testing.assert_allclose(tile[:, inside], expected, rtol=1e-5, atol=1e-5)
    # Other tiles are not touched.
    outside = np.setdiff1d(np.arange(40), np.arange(*part))
    np.testing.assert_array_equal(tile[:, outside], scores[:, outside])


def test_steps():
    """AdaGrad with a penalty: of whole rows, and of no columns that do not learn."""
    rng = np.random.default_rng(0)
    params, squares = (rng.random((6, WIDTH)).astype(np.float32) for _ in range(2))
    squares += 1
    gradients = rng.normal(size=(3, WIDTH)).astype(np.float32)
    learns = (np.arange(WIDTH) < D).astype(np.float32)
    penalties = 0.7 * learns
    before, sums = params.astype(float), squares.astype(float)
    softmax.step_rows(params, squares, gradients, 2, learns, penalties, np.float32(0.3))
    slopes = learns * gradients + penalties * before[2:5]
    sums[2:5] += slopes**2
    before[2:5] -= 0.3 * slopes / np.sqrt(sums[2:5])
    np.testing.assert_allclose(params, before, rtol=1e-5)
    np.testing.assert_allclose(squares, sums, rtol=1e-5)
