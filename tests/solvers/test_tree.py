"""Trees over a vocabulary: shapes, lengths of codes, masses and probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from skembed._solvers import tree as trees
from skembed._utils.jit import COMPILED
from tests import reference

small = pytest.mark.small

whole = st.lists(st.integers(0, 20), min_size=1, max_size=40)
uneven = st.lists(st.integers(0, 10**12), min_size=1, max_size=40)
real = st.lists(
    st.floats(0, 1e6, allow_subnormal=False).map(lambda x: round(x, 3)),
    min_size=1,
    max_size=40,
)


def probabilities(tree, odds):
    """The probability of each word: a product of sigmoids along its path."""
    found = []
    for path in reference.paths(tree.children.tolist()):
        scores = [(1 - 2 * side) * float(odds[node]) for node, side in path]
        found.append(np.exp(special.log_expit(scores).sum()))
    return np.array(found)


def code_lengths(tree):
    """The number of decisions on the path to each word."""
    # The depth of each inner node, and of the nothing above the root.
    depths = np.append(np.zeros(tree.n_words - 1, dtype=int), -1)
    for node, parent in reversed(list(enumerate(tree.parents.tolist()))):
        depths[node] = depths[parent] + 1
    return depths[tree.leaf_parents] + 1


def assert_consistent(tree):
    """All arrays say the same, in their types."""
    n_words = tree.n_words
    kinds = [array.dtype.name for array in tree]
    assert kinds == ["int32", "int32", "uint8", "int32", "uint8"]
    assert tree.children.shape == (n_words - 1, 2)
    assert tree.parents.shape == tree.sides.shape == (n_words - 1,)
    assert tree.leaf_parents.shape == tree.leaf_sides.shape == (n_words,)
    parents = [*tree.leaf_parents.tolist(), *tree.parents.tolist()]
    sides = [*tree.leaf_sides.tolist(), *tree.sides.tolist()]
    assert parents[-1] == -1
    assert parents.count(-1) == 1
    wanted = dict.fromkeys([2 * n_words - 2], (-1, 0))
    for node, children in enumerate(tree.children.tolist()):
        for side, child in enumerate(children):
            assert child < n_words + node
            wanted[child] = node, side
    assert wanted == dict(enumerate(zip(parents, sides, strict=True)))
    for array in tree:
        assert array.flags.c_contiguous
        assert array.flags.writeable


# --- Huffman trees --------------------------------------------------------------------


@small
@given(whole | uneven | real)
def test_huffman_against_a_heap(counts):
    """The same tree, ties included; so the shortest codes."""
    tree = trees.huffman(counts)
    assert tree.children.tolist() == reference.huffman(counts)
    assert_consistent(tree)
    lengths = code_lengths(tree)
    total = reference.shortest_total_length(counts)
    assert np.dot(lengths, counts) == pytest.approx(total, rel=1e-12, abs=0)
    assert lengths.tolist() == [
        len(path) for path in reference.paths(tree.children.tolist())
    ]


@small
@given(whole | uneven | real)
def test_left_is_the_smaller_side(counts):
    tree = trees.huffman(counts)
    left, right = trees.node_masses(tree, counts).T
    assert (left <= right).all()


@small
def test_ties_make_short_paths_and_the_same_tree():
    """Equal counts: a balanced tree, built from the end of the vocabulary."""
    tree = trees.huffman([7] * 8)
    assert tree.children.tolist() == [
        *([7, 6], [5, 4], [3, 2], [1, 0]),
        *([8, 9], [10, 11], [12, 13]),
    ]
    # 2 and 1 + 1 are equal: codes of 2 bits for all, instead of 1, 2, 3 and 3.
    assert code_lengths(trees.huffman([2, 2, 1, 1])).tolist() == [2, 2, 2, 2]
    assert trees.huffman([1, 2, 1]).children.tolist() == [[2, 0], [1, 3]]


@small
def test_one_word_and_two():
    one = trees.huffman([3])
    assert_consistent(one)
    assert one.leaf_parents.tolist() == [-1]
    assert code_lengths(one).tolist() == [0]
    assert trees.node_masses(one, [1.0]).shape == (0, 2)
    assert trees.log_odds(one, [1.0]).shape == (0,)
    assert trees.leaf_weights(one).shape == (0, 2)
    two = trees.huffman([1, 3])
    assert_consistent(two)
    assert two.children.tolist() == [[0, 1]]
    assert code_lengths(two).tolist() == [1, 1]
    assert two.leaf_sides.tolist() == [0, 1]
    np.testing.assert_allclose(trees.log_odds(two, [1, 3]), [np.log(1 / 3)], rtol=1e-6)


@small
@pytest.mark.parametrize("n_words", [45, 1000])
def test_long_paths(n_words):
    counts = 2.0 ** np.arange(n_words)
    tree = trees.huffman(counts)
    # Two words share the longest path.
    wanted = [n_words - 1, *range(n_words - 1, 0, -1)]
    assert code_lengths(tree).tolist() == wanted
    assert_consistent(tree)


@small
def test_zero_counts():
    tree = trees.huffman([0, 5, 0, 0, 0])
    lengths = code_lengths(tree)
    assert lengths[1] == 1
    assert lengths.max() == 3
    assert code_lengths(trees.huffman(np.zeros(16))).tolist() == [4] * 16


@small
def test_lengths_of_gensim():
    """Its heap breaks ties in another way, which changes codes but not their cost."""
    word2vec = pytest.importorskip("gensim.models").Word2Vec
    counts = np.random.default_rng(0).zipf(1.3, size=400).clip(max=10**9)
    model = word2vec(vector_size=2, hs=1, negative=0, min_count=1)
    model.build_vocab_from_freq(dict(zip(map(str, range(400)), counts, strict=True)))
    codes = [model.wv.get_vecattr(str(word), "code") for word in range(400)]
    total = sum(len(code) * int(n) for code, n in zip(codes, counts, strict=True))
    lengths = code_lengths(trees.huffman(counts))
    assert sum(int(a) * int(b) for a, b in zip(lengths, counts, strict=True)) == total
    # Also in word2vec, code 0 leads to the smaller side.
    assert codes[counts.argmax()][0] == 1
    tree = trees.huffman(counts)
    assert reference.paths(tree.children.tolist())[counts.argmax()][0][1] == 1


@pytest.mark.skipif(not COMPILED, reason="too slow without the compiler")
def test_a_million_words():
    n_words = 10**6
    counts = np.floor(1e8 / np.arange(1, n_words + 1))
    counts = np.random.default_rng(0).permutation(counts)
    tree = trees.huffman(counts)
    lengths = code_lengths(tree).astype(float)
    # A full tree (Kraft), whose mean path is within one step of the entropy (Shannon).
    assert (2.0**-lengths).sum() == 1.0
    p = counts / counts.sum()
    redundancy = lengths @ p - special.entr(p).sum() / np.log(2)
    assert 0 <= redundancy < 0.1
    again = trees.from_children(tree.children, n_words)
    for one, other in zip(tree, again, strict=True):
        np.testing.assert_array_equal(one, other)
    masses = trees.node_masses(tree, counts)
    assert masses.sum() == lengths @ counts


@small
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([], r"counts must have shape \(n_words,\), got \(0,\)"),
        ([[1, 2]], r"counts must have shape \(n_words,\), got \(1, 2\)"),
        ([1, -1], "counts must be finite and not negative, got -1 for word 1"),
        ([np.nan, 1], "counts must be finite and not negative, got nan for word 0"),
        ([1, 2, np.inf], "counts must be finite and not negative, got inf for word 2"),
    ],
)
def test_counts_that_are_none(counts, message):
    with pytest.raises(ValueError, match=message):
        trees.huffman(counts)


# --- given trees ----------------------------------------------------------------------


@small
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_from_children(steps):
    """Any order of merging is a tree."""
    n_words = len(steps) + 1
    free, children = list(range(n_words)), []
    for step in steps:
        pair = [free.pop(step % len(free)), free.pop(step // 1000 % len(free))]
        free.append(n_words + len(children))
        children.append(pair)
    tree = trees.from_children(children, n_words)
    assert tree.children.tolist() == children
    assert_consistent(tree)


@small
def test_from_children_of_scikit_learn():
    from sklearn.cluster import AgglomerativeClustering

    X = np.random.default_rng(0).normal(size=(30, 3))
    children = AgglomerativeClustering(n_clusters=1).fit(X).children_
    children.flags.writeable = False
    tree = trees.from_children(children, 30)
    np.testing.assert_array_equal(tree.children, children)
    assert_consistent(tree)
    assert_consistent(trees.from_children(np.empty((0, 2), dtype=int), 1))


@small
@pytest.mark.parametrize(
    ("children", "message"),
    [
        ([[0, 1]], r"whole numbers of shape \(2, 2\), for n_words=3, .*\(1, 2\)"),
        ([[0.0, 1.0], [2.0, 3.0]], "whole numbers.*got float64"),
        ([[True, False], [True, True]], "whole numbers.*got bool"),
        ([[0, 1], [2, -1]], r"children\[1, 1\] must lie between 0 and 3, got -1"),
        ([[0, 1], [2, 4]], r"children\[1, 1\] must lie between 0 and 3, got 4"),
        ([[0, 3], [1, 2]], r"children\[0, 1\] must lie between 0 and 2, got 3"),
        ([[0, 1], [1, 3]], "children holds the value 1 2 times"),
        ([[0, 0], [0, 3]], "children holds the value 0 3 times"),
        (np.array([[0, 1], [2, 2**64 - 1]], dtype=np.uint64), "children"),
    ],
)
def test_children_that_are_no_tree(children, message):
    with pytest.raises(ValueError, match=message):
        trees.from_children(children, 3)


# --- further words --------------------------------------------------------------------


@small
@given(whole, whole)
def test_extended(counts, further):
    tree = trees.huffman(counts)
    larger = trees.extended(tree, counts + further)
    assert_consistent(larger)
    n_old, n_words = len(counts), len(counts) + len(further)
    assert larger.n_words == n_words
    # The earlier words keep their paths below the new root, inner nodes their numbers.
    right = sum(further) <= sum(counts)
    paths = reference.paths(larger.children.tolist())
    for path, old in zip(paths, reference.paths(tree.children.tolist()), strict=False):
        assert path == [(n_words - 2, int(right)), *old]
    # The others form the tree that they form by themselves.
    own = reference.paths(reference.huffman(further))
    for path, wanted in zip(paths[n_old:], own, strict=True):
        shifted = [(node + n_old - 1, side) for node, side in wanted]
        assert path == [(n_words - 2, int(not right)), *shifted]


@small
def test_extended_twice_and_by_nothing():
    tree = trees.huffman([4, 2, 1])
    assert trees.extended(tree, [4, 2, 1]) is tree
    once = trees.extended(tree, [4, 2, 1, 9, 9])
    twice = trees.extended(once, [4, 2, 1, 9, 9, 1])
    assert_consistent(twice)
    # The earlier ones and the word 5, which has the smaller count.
    assert twice.children[-1].tolist() == [5, 6 + 3]
    assert code_lengths(twice).tolist() == [3, 4, 4, 3, 3, 1]
    with pytest.raises(ValueError, match="counts must hold those of the 3 words"):
        trees.extended(tree, [4, 2])
    with pytest.raises(ValueError, match="not negative, got -1 for word 3"):
        trees.extended(tree, [4, 2, 1, -1])


# --- masses and biases ----------------------------------------------------------------


@small
@pytest.mark.parametrize("own", [True, False], ids=["its counts", "others"])
@pytest.mark.parametrize("zeros", [0, 60])
def test_biases_alone_are_the_unigram(own, zeros):
    """The cross-entropy of the biases is the entropy of p."""
    rng = np.random.default_rng(0)
    counts = rng.zipf(1.4, size=300).clip(max=10**8).astype(float)
    p = counts.copy() if own else rng.permutation(counts)
    p[rng.choice(300, zeros, replace=False)] = 0.0
    p /= p.sum()
    tree = trees.huffman(counts)
    odds = trees.log_odds(tree, p)
    assert odds.dtype == np.float32
    found = probabilities(tree, odds)
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(found, p, rtol=1e-5, atol=1e-12)
    seen = p > 0
    loss = -p[seen] @ np.log(found[seen])
    assert loss == pytest.approx(special.entr(p).sum(), abs=1e-9)


@small
def test_odds_of_empty_sides():
    """Whatever has no mass gets a finite number; units do not matter."""
    tree = trees.huffman([1, 1, 1, 1])
    assert tree.children.tolist() == [[3, 2], [1, 0], [4, 5]]
    limit = trees.LOG_ODDS_LIMIT
    for unit in (1.0, 1e-300, 1e300):
        p = np.array([0, 0, 0, 1]) * unit
        assert trees.log_odds(tree, p).tolist() == [limit, 0, limit]
        p = np.array([0, 0, 1, 0]) * unit
        assert trees.log_odds(tree, p).tolist() == [-limit, 0, limit]
        p = np.array([2, 1, 0, 0]) * unit
        wanted = [0, -np.log(2), -limit]
        np.testing.assert_allclose(trees.log_odds(tree, p), wanted, rtol=1e-6)
    assert trees.log_odds(tree, np.zeros(4)).tolist() == [0, 0, 0]
    tiny = trees.log_odds(tree, [1e-200, 1e200, 1, 1])
    np.testing.assert_allclose(tiny, [0, limit, -limit], rtol=1e-6)


@small
@pytest.mark.parametrize("p", [[0.5, 0.5], [[0.2, 0.3, 0.5]], 1.0])
def test_masses_of_other_words(p):
    tree = trees.huffman([1, 2, 3])
    with pytest.raises(ValueError, match=r"p must have shape \(3,\)"):
        trees.node_masses(tree, p)


@small
def test_weights_of_leaves():
    tree = trees.from_children([[0, 1], [4, 2], [3, 5]], 4)
    weights = trees.leaf_weights(tree)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [[1, -1], [1 / 2, -1], [1, -1 / 3]], rtol=1e-7)
