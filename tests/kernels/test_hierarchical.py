"""Kernels of the hierarchical softmax: the nodes above the contexts of a word."""

import numpy as np
import pytest
from scipy import sparse

from skembed._kernels import hierarchical, softmax
from skembed._solvers import tree as trees
from skembed._solvers.hierarchical import make_marks
from skembed._solvers.objectives import Counts
from tests import reference

pytestmark = pytest.mark.small
D, WIDTH = 5, 16


def tree_of(n_words, rng):
    """Return a tree, as deep as Zipf's law makes it, in two forms."""
    tree = trees.huffman(rng.zipf(1.3, n_words).clip(max=10**9))
    return tree, hierarchical.Paths(*tree[1:])


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
    block, marks = (
        Counts(sparse.csr_array(counts)).block(0, n_rows),
        make_marks(n_words - 1),
    )
    children = tree.children.tolist()
    sides = reference.leaves_by_side(children)
    above = np.array([counts[:, left + right].sum(axis=1) > 0 for left, right in sides])

    # In two parts, as threads do it.
    per_row = np.zeros(n_rows, dtype=np.int64)
    per_node = np.zeros(n_words - 1, dtype=np.int64)
    for rows in ((0, 2), (2, n_rows)):
        hierarchical.count_nodes(paths, block, rows, marks, per_row, per_node)
    np.testing.assert_array_equal(per_row, above.sum(axis=0))
    np.testing.assert_array_equal(per_node, above.sum(axis=1))

    indptr = np.concatenate([[0], np.cumsum(per_row)])
    columns = np.full(indptr[-1], -1, dtype=np.int32)
    slopes = np.full(indptr[-1], np.nan, dtype=np.float32)
    outputs = softmax.Outputs(indptr, columns, slopes)
    gradients, sums = np.zeros_like(words), np.full((n_rows, 2), np.nan)
    for rows in ((0, 2), (2, n_rows)):
        how = outputs, gradients, rows, marks, sums
        hierarchical.tree_rows(table, words, paths, block, *how)
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
