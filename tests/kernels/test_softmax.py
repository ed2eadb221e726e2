"""Kernels of the softmax: exponentials, tiles of scores, and nodes of a tree."""

import numpy as np
import pytest
from scipy import sparse

from skembed._kernels import softmax
from skembed._solvers import softmax as solver
from skembed._solvers import tree as trees
from skembed._utils import jit
from tests import reference

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


def block_of(counts):
    """Return dense counts as a block."""
    matrix = sparse.csr_array(counts)
    return softmax.Block(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float64),
        counts.sum(axis=1),
        0,
    )


@pytest.mark.parametrize("size", [1.0, 1e3, 1e30])
def test_tiles(size):
    """Slopes of some columns, from scores so large that plain exp would overflow."""
    rng = np.random.default_rng(0)
    scores = (rng.normal(size=(4, 40)) * size).astype(np.float32)
    counts = rng.integers(0, 3, size=(4, 40)).astype(float)
    counts[2] = 0.0
    block, part = block_of(counts), (9, 32)
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


def tree_of(n_words, rng):
    """Return a tree, as deep as Zipf's law makes it, in two forms."""
    tree = trees.huffman(rng.zipf(1.3, n_words).clip(max=10**9))
    return tree, softmax.Paths(*tree[1:])


@pytest.mark.parametrize("n_words", [2, 3, 64, 65, 66, 200])
@pytest.mark.parametrize("size", [0.3, 3.0, 1e4])
def test_rows_of_a_tree(n_words, size):
    """Nodes in ascending order, their slopes, and the loss, as the twin has them."""
    rng = np.random.default_rng(n_words)
    tree, paths = tree_of(n_words, rng)
    n_rows = 5
    counts = rng.integers(1, 9, size=(n_rows, n_words)) / 2.0
    counts *= rng.random(counts.shape) < 6 / n_words
    counts[1] = 0.0
    counts[2] = np.arange(n_words) == n_words - 1
    table, words = np.zeros((n_words, WIDTH)), np.zeros((n_rows, WIDTH))
    table[:, : D + 1] = rng.normal(size=(n_words, D + 1)) * size
    words[:, :D], words[:, D] = rng.normal(size=(n_rows, D)), 1.0
    table, words = table.astype(np.float32), words.astype(np.float32)
    block, marks = block_of(counts), solver.make_marks(n_words - 1)
    children = tree.children.tolist()
    sides = reference.leaves_by_side(children)
    above = np.array([counts[:, left + right].sum(axis=1) > 0 for left, right in sides])

    # In two parts, as threads do it.
    per_row = np.zeros(n_rows, dtype=np.int64)
    per_node = np.zeros(n_words - 1, dtype=np.int64)
    for rows in ((0, 2), (2, n_rows)):
        softmax.count_nodes(paths, block, rows, marks, per_row, per_node)
    np.testing.assert_array_equal(per_row, above.sum(axis=0))
    np.testing.assert_array_equal(per_node, above.sum(axis=1))

    indptr = np.concatenate([[0], np.cumsum(per_row)])
    columns = np.full(indptr[-1], -1, dtype=np.int32)
    slopes = np.full(indptr[-1], np.nan, dtype=np.float32)
    outputs = softmax.Outputs(indptr, columns, slopes)
    gradients, sums = np.zeros_like(words), np.full((n_rows, 2), np.nan)
    for rows in ((0, 2), (2, n_rows)):
        how = outputs, gradients, rows, marks, sums
        softmax.tree_rows(table, words, paths, block, *how)
    model = reference.Softmax(
        words[:, :D].astype(float),
        table[:-1, :D].astype(float),
        table[:-1, D].astype(float),
        np.ones(D),
        None,
        children,
    )
    with np.errstate(over="ignore"):
        expected = model.slopes(np.arange(n_rows), counts)
    found = sparse.csr_array((slopes, columns, indptr), shape=expected.shape)
    np.testing.assert_allclose(
        found.toarray(), expected, atol=1e-5 * counts.max() + 2e-5
    )
    for row in range(n_rows):
        own = columns[indptr[row] : indptr[row + 1]]
        np.testing.assert_array_equal(own, np.flatnonzero(above[:, row]))
        loss = model.loss([row], counts[[row]])
        assert sums[row, 0] == pytest.approx(loss, rel=1e-5, abs=1e-5)
    pulls = expected @ table[:-1].astype(float)
    np.testing.assert_allclose(gradients, pulls, rtol=1e-4, atol=1e-3 * size)
    # The work space is as it was, for the next block.
    assert not marks.bits.any()
    assert not marks.masses.any()


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
