"""Sums along trees: against dense matrices made of lists of leaves."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from skembed._kernels import tree as kernels
from skembed._solvers import tree as trees
from skembed._utils.jit import COMPILED
from tests import reference

small = pytest.mark.small


def random_tree(rng, n_words):
    """A tree of any shape: two of the nodes that have no parent yet get one."""
    free, children = list(range(n_words)), []
    while len(free) > 1:
        pair = [free.pop(rng.integers(len(free))) for _ in range(2)]
        children.append(pair)
        free.append(n_words + len(children) - 1)
    return np.array(children, dtype=np.int32).reshape(-1, 2)


def chain(n_words):
    """A tree in which every node has a leaf as a child, in turn left and right."""
    children = [[0, 1]]
    for word in range(2, n_words):
        pair = [word, n_words + word - 2]
        children.append(pair if word % 2 else pair[::-1])
    return np.array(children, dtype=np.int32)


def weights_of(children):
    return trees.leaf_weights(trees.from_children(children, len(children) + 1))


def arguments(children, rng, width):
    """Children, weights, random vectors of words and random rows for the nodes."""
    n_words = len(children) + 1
    vectors = rng.normal(size=(n_words, width)).astype(np.float32)
    nodes = rng.normal(size=(n_words - 1, width)).astype(np.float32)
    return children, weights_of(children), vectors, nodes


SHAPES = {
    "one word": lambda rng: np.empty((0, 2), dtype=np.int32),
    "two words": lambda rng: np.array([[1, 0]], dtype=np.int32),
    "three words": lambda rng: np.array([[2, 0], [1, 3]], dtype=np.int32),
    "any": lambda rng: random_tree(rng, 40),
    "chain": lambda rng: chain(50),
    "Huffman": lambda rng: trees.huffman(rng.zipf(1.5, size=60)).children,
}
shapes = pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES.keys())


@small
@shapes
def test_vectors_of_nodes(make):
    rng = np.random.default_rng(0)
    children, weights, vectors, nodes = arguments(make(rng), rng, 32)
    before = vectors.copy()
    kernels.sum_up(children, weights, vectors, nodes, (0, 32))
    wanted = reference.node_matrix(children.tolist()) @ vectors.astype(float)
    np.testing.assert_allclose(nodes, wanted, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(vectors, before)


@small
@shapes
def test_gradients_of_leaves_are_added(make):
    rng = np.random.default_rng(1)
    children, weights, gradient, nodes = arguments(make(rng), rng, 32)
    H = reference.node_matrix(children.tolist())
    wanted = gradient + H.T @ nodes.astype(float)
    kernels.push_down(children, weights, nodes, gradient, (0, 32))
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=2e-6)
    assert not nodes.any()


@small
def test_one_is_the_transpose_of_the_other():
    """<H x, g> = <x, H' g>, column by column."""
    rng = np.random.default_rng(2)
    children = random_tree(rng, 200)
    children, weights, vectors, gradient = arguments(children, rng, 16)
    nodes, leaves = np.empty_like(gradient), np.zeros_like(vectors)
    kernels.sum_up(children, weights, vectors, nodes, (0, 16))
    products = (nodes.astype(float) * gradient).sum(axis=0)
    kernels.push_down(children, weights, gradient, leaves, (0, 16))
    transposed = (leaves.astype(float) * vectors).sum(axis=0)
    assert np.abs(products).min() > 1e-2
    np.testing.assert_allclose(transposed, products, rtol=0, atol=1e-4)


@small
@pytest.mark.parametrize("columns", [(0, 0), (0, 16), (16, 32), (16, 48), (0, 48)])
def test_other_columns_are_neither_read_nor_written(columns):
    rng = np.random.default_rng(3)
    children, weights, vectors, nodes = arguments(random_tree(rng, 30), rng, 48)
    H = reference.node_matrix(children.tolist())
    inside = np.zeros(48, dtype=bool)
    inside[slice(*columns)] = True
    vectors[:, ~inside] = nodes[:, ~inside] = np.nan
    wanted = H @ vectors[:, inside].astype(float)
    kernels.sum_up(children, weights, vectors, nodes, columns)
    np.testing.assert_allclose(nodes[:, inside], wanted, rtol=0, atol=2e-6)
    assert np.isnan(nodes[:, ~inside]).all()
    wanted = vectors[:, inside] + H.T @ nodes[:, inside].astype(float)
    kernels.push_down(children, weights, nodes, vectors, columns)
    np.testing.assert_allclose(vectors[:, inside], wanted, rtol=0, atol=4e-6)
    assert np.isnan(vectors[:, ~inside]).all()
    assert np.isnan(nodes[:, ~inside]).all()


@small
def test_same_bits_wherever_columns_are_cut():
    rng = np.random.default_rng(4)
    children, weights, vectors, nodes = arguments(random_tree(rng, 150), rng, 64)
    gradient = nodes.copy()
    results = []
    for cuts in ([0, 64], [0, 16, 64], [0, 32, 48, 64]):
        parts = list(pairwise(cuts))
        up, down = np.empty_like(nodes), [gradient.copy(), vectors.copy()]

        def work(columns, up=up, down=down):
            kernels.sum_up(children, weights, vectors, up, columns)
            kernels.push_down(children, weights, *down, columns)

        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(work, parts))
        results.append((up.tobytes(), down[1].tobytes()))
    assert len(set(results)) == 1


@pytest.mark.skipif(not COMPILED, reason="too slow without the compiler")
@pytest.mark.parametrize("kind", ["chain", "Huffman"])
def test_many_words(kind):
    """Deep trees need no recursion, and errors do not grow with the number of words."""
    rng, n_words = np.random.default_rng(5), 100_000
    counts = rng.random(n_words)
    children = chain(n_words) if kind == "chain" else trees.huffman(counts).children
    _, weights, vectors, nodes = arguments(children, rng, 16)
    kernels.sum_up(children, weights, vectors, nodes, (0, 16))
    sums = np.empty((2 * n_words - 1, 16))
    sums[:n_words] = vectors
    sizes = np.ones(2 * n_words - 1)
    for node, pair in enumerate(children.tolist(), start=n_words):
        sums[node] = sums[pair[0]] + sums[pair[1]]
        sizes[node] = sizes[pair[0]] + sizes[pair[1]]
    means = sums / sizes[:, np.newaxis]
    wanted = means[children[:, 0]] - means[children[:, 1]]
    np.testing.assert_allclose(nodes, wanted, rtol=0, atol=1e-5)


@small
def test_masses_of_both_sides():
    rng = np.random.default_rng(6)
    children, p = random_tree(rng, 70), rng.random(70)
    masses = np.empty((69, 2))
    kernels.sum_masses(children, p, masses)
    for node, sides in enumerate(reference.leaves_by_side(children.tolist())):
        wanted = [p[words].sum() for words in sides]
        np.testing.assert_allclose(masses[node], wanted, rtol=1e-13)
