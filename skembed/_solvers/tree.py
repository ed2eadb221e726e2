"""Huffman trees over a vocabulary, for the hierarchical softmax.

A word is reached from the root by decisions between left and right, one at each inner
node of its path. Frequent words have short paths.
"""

from typing import Any, NamedTuple

import numpy as np

# Bound of the log-odds of a node. A side without any mass then has a probability of
# exp(-30), about 1e-13, which the other side loses.
LOG_ODDS_LIMIT = 30.0


class Tree(NamedTuple):
    """A binary tree whose leaves are the rows of a vocabulary.

    The children are numbered as in scikit-learn's `AgglomerativeClustering`: values
    below `n_words` are leaves, and the value ``n_words + i`` is the inner node i.
    Children come before their parent. The last inner node is the root.
    """

    children: np.ndarray  # int32 (n_words - 1, 2), left (code 0) and right (code 1)
    leaf_parents: np.ndarray  # int32 (n_words,), inner nodes; -1 for a single word
    leaf_sides: np.ndarray  # uint8 (n_words,), 1 for right children
    parents: np.ndarray  # int32 (n_words - 1,), inner nodes; -1 for the root
    sides: np.ndarray  # uint8 (n_words - 1,)

    @property
    def n_words(self) -> int:
        """Number of leaves."""
        return self.leaf_parents.size


def huffman(counts: Any) -> Tree:
    """Return the tree with the shortest mean path (Huffman 1952).

    The same counts always give the same tree. If two words have the same count,
    the one further down in the vocabulary is merged first. If a word and an inner node
    have the same mass, the word is merged first.

    Parameters
    ----------
    counts : array-like of shape (n_words,)
        Whole numbers or not. Zeros are allowed.

    Returns
    -------
    Tree
        A left child has at most the mass of its right sibling.

    Raises
    ------
    ValueError
        If counts are empty, negative, infinite or NaN.
    """
    from skembed._kernels import tree as kernels

    counts = _checked_counts(counts)
    n_words = counts.size
    order = np.argsort(-counts, kind="stable")[::-1].astype(np.int64)
    masses = np.empty(2 * n_words - 1)
    masses[:n_words] = counts[order]
    children = np.empty((n_words - 1, 2), dtype=np.int32)
    kernels.merge(order, masses, children)
    return _with_parents(children)


def from_children(children: Any, n_words: int) -> Tree:
    """Return the tree of an array of children, which is checked and copied.

    Parameters
    ----------
    children : array-like of shape (n_words - 1, 2)
        Whole numbers, see `Tree`.
    n_words : int

    Returns
    -------
    Tree

    Raises
    ------
    ValueError
        If the children do not form a tree.
    """
    children = np.asarray(children)
    wanted = (n_words - 1, 2)
    if children.shape != wanted or children.dtype.kind not in "iu":
        raise ValueError(
            f"children must be an array of whole numbers of shape {wanted}, for "
            f"n_words={n_words}, got {children.dtype} of shape {children.shape}. Pass "
            "the left and the right child of each inner node."
        )
    children = children.astype(np.int64)
    ends = n_words + np.arange(n_words - 1)
    wrong = (children < 0) | (children >= ends[:, np.newaxis])
    if wrong.any():
        node, side = np.argwhere(wrong)[0]
        raise ValueError(
            f"children[{node}, {side}] must lie between 0 and {ends[node] - 1}, got "
            f"{children[node, side]}. Pass i for word i and n_words + i for inner node "
            "i, children before their parents."
        )
    # There are as many entries as possible values, so none is missing either.
    times = np.bincount(children.ravel(), minlength=1)
    if times.max() > 1:
        raise ValueError(
            f"children holds the value {times.argmax()} {times.max()} times. Pass each "
            "word, and each inner node but the last, exactly once."
        )
    return _with_parents(children.astype(np.int32))


def extended(tree: Tree, counts: Any) -> Tree:
    """Return a tree with further words, which keeps all paths below the old root.

    The further words get a Huffman tree of their own. A new root joins the two trees.

    Parameters
    ----------
    tree : Tree
    counts : array-like of shape (n_words,)
        Of all words: first those of the tree, then the further ones.

    Returns
    -------
    Tree
        Words and inner nodes of the old tree keep their numbers. Further inner nodes
        follow, and the last one is the new root. Its left child is the side with the
        smaller total count; if both are equal, the side of the further words.

    Raises
    ------
    ValueError
        If there are fewer counts than words in the tree, or as in `huffman`.
    """
    counts = _checked_counts(counts)
    n_words, n_old = counts.size, tree.n_words
    if n_words < n_old:
        raise ValueError(
            f"counts must hold those of the {n_old} words of the tree first, got "
            f"{n_words} numbers. Pass the counts of all words."
        )
    if n_words == n_old:
        return tree
    further = huffman(counts[n_old:]).children
    n_further = n_words - n_old
    # The value of the old tree's first inner node, and of the first one of the others.
    first, next_first = n_words, n_words + n_old - 1
    old = _renumbered(tree.children, n_old, 0, first)
    new = _renumbered(further, n_further, n_old, next_first)
    roots = [
        0 if n_old == 1 else next_first - 1,
        n_old if n_further == 1 else next_first + n_further - 2,
    ]
    if counts[n_old:].sum() <= counts[:n_old].sum():
        roots.reverse()
    root = np.array([roots], dtype=np.int32)
    return _with_parents(np.concatenate([old, new, root]))


def reordered(tree: Tree, row_of: np.ndarray) -> Tree:
    """Return a tree whose leaf w is row ``row_of[w]``. Inner nodes do not move.

    Parameters
    ----------
    tree : Tree
    row_of : ndarray of shape (n_words,), int
        A permutation.

    Returns
    -------
    Tree
    """
    n_words = tree.n_words
    of_words = np.minimum(tree.children, n_words - 1)
    children = np.where(tree.children < n_words, row_of[of_words], tree.children)
    return from_children(children, n_words)


def node_masses(tree: Tree, p: Any) -> np.ndarray:
    """Return the summed masses of the words on both sides of each inner node.

    Parameters
    ----------
    tree : Tree
    p : array-like of shape (n_words,)

    Returns
    -------
    ndarray of shape (n_words - 1, 2), float64
        Left and right.
    """
    from skembed._kernels import tree as kernels

    p = np.array(p, dtype=np.float64)
    if p.shape != (tree.n_words,):
        raise ValueError(
            f"p must have shape ({tree.n_words},), got {p.shape}. Pass one number for "
            "each word of the tree."
        )
    masses = np.empty((tree.n_words - 1, 2))
    kernels.sum_masses(tree.children, p, masses)
    return masses


def log_odds(tree: Tree, p: Any) -> np.ndarray:
    """Return ln(P_left / P_right) of each inner node.

    As biases, with all vectors zero, they give each word its probability in `p`.

    Parameters
    ----------
    tree : Tree
    p : array-like of shape (n_words,)
        In any unit, not negative.

    Returns
    -------
    ndarray of shape (n_words - 1,), float32
        From ``-LOG_ODDS_LIMIT`` to ``LOG_ODDS_LIMIT``, which stand for a side without
        any mass. A node without any mass has 0.
    """
    left, right = node_masses(tree, p).T
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(left) - np.log(right)
    odds[(left == 0) & (right == 0)] = 0.0
    return np.clip(odds, -LOG_ODDS_LIMIT, LOG_ODDS_LIMIT).astype(np.float32)


def leaf_weights(tree: Tree) -> np.ndarray:
    """Return the weight of a leaf in the vectors of the inner nodes above it.

    The vector of a node is the mean of its left leaves' vectors minus the mean of its
    right leaves' vectors, see `sum_up` of the kernels.

    Parameters
    ----------
    tree : Tree

    Returns
    -------
    ndarray of shape (n_words - 1, 2), float32
        1 / number of left leaves, and -1 / number of right leaves.
    """
    numbers = node_masses(tree, np.ones(tree.n_words))
    return (np.array([1.0, -1.0]) / numbers).astype(np.float32)


def _checked_counts(counts: Any) -> np.ndarray:
    """Return counts as float64."""
    counts = np.array(counts, dtype=np.float64)
    if counts.ndim != 1 or not counts.size:
        raise ValueError(
            f"counts must have shape (n_words,), got {counts.shape}. Pass the count of "
            "each word."
        )
    wrong = ~(np.isfinite(counts) & (counts >= 0))
    if wrong.any():
        word = wrong.argmax()
        raise ValueError(
            f"counts must be finite and not negative, got {counts[word]:g} for "
            f"word {word}. Pass zero for a word that does not occur."
        )
    return counts


def _renumbered(
    children: np.ndarray, n_words: int, first_word: int, first_node: int
) -> np.ndarray:
    """Return the children of a tree that becomes a part of another one."""
    shift = np.where(children < n_words, first_word, first_node - n_words)
    return (children + shift).astype(np.int32)


def _with_parents(children: np.ndarray) -> Tree:
    """Return the tree of valid children, int32."""
    n_words = len(children) + 1
    parents = np.full(2 * n_words - 1, -1, dtype=np.int32)
    sides = np.zeros(2 * n_words - 1, dtype=np.uint8)
    for side, column in enumerate(children.T):
        parents[column] = np.arange(n_words - 1, dtype=np.int32)
        sides[column] = side
    return Tree(
        children, parents[:n_words], sides[:n_words], parents[n_words:], sides[n_words:]
    )
