"""The hierarchical softmax: binary choices along the paths of a Huffman tree."""

from typing import Any

import numpy as np
from scipy import sparse

from skembed._solvers.objectives import (
    Counts,
    Model,
    Objective,
    Rates,
    SparseObjective,
    cut,
    large_tasks,
    make_outputs,
    small_tasks,
)
from skembed._solvers.tree import Tree, from_children, leaf_weights
from skembed._utils.memory import aligned_zeros
from skembed._utils.threads import ThreadTeam, row_ranges

# Columns of a task that adds up vectors of a tree.
_LANES = 16
# Pairs whose loss is measured at once.
_MEASURED = 1 << 16


class TreeSoftmax(SparseObjective):
    """Hierarchical softmax: a product of binary choices along the path to a context.

    Parameters
    ----------
    model : Model
    outputs : ndarray of shape (n_nodes, width), float32
    n_rows : int
    paths : Paths
    counted : (ndarray of shape (n_words,), ndarray of shape (n_nodes,))
        Number of nodes above the contexts of each row, and of rows of each node.
    n_threads : int
    """

    def __init__(
        self,
        model: Model,
        outputs: np.ndarray,
        n_rows: int,
        paths: Any,
        counted: tuple[np.ndarray, np.ndarray],
        n_threads: int,
    ):
        super().__init__(model, outputs, n_rows, counted[1])
        self.paths = paths
        self.starts = np.concatenate([[0], np.cumsum(counted[0])])
        self.marks = [make_marks(len(outputs)) for _ in range(n_threads)]

    def visit(self, team: ThreadTeam, words: np.ndarray, block: Any) -> float:
        """Compute the slopes of all nodes above the contexts of each row."""
        indptr = self.starts[block.first : block.first + len(words) + 1]
        return self._visit(team, words, block, make_outputs(indptr))

    def _visit(
        self, team: ThreadTeam, words: np.ndarray, block: Any, slots: Any
    ) -> float:
        from skembed._kernels import hierarchical

        n = len(words)
        self.slots = slots
        self.gradients[:n] = 0.0

        def visit_rows(thread: int, rows: tuple[int, int]) -> None:
            hierarchical.tree_rows(
                self.outputs,
                words,
                self.paths,
                block,
                slots,
                self.gradients,
                rows,
                self.marks[thread],
                self.sums,
            )

        team.map(visit_rows, small_tasks(n))
        return float(self.sums[:n, 0].sum())

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make the step of each tile."""

        def step_tile(thread: int, tile: tuple[int, int]) -> None:
            gradients = self._gradients(tile, words)
            self.model.step_outputs(tile[0], gradients, rates)

        team.map(step_tile, self.tiles)

    def measure(
        self, team: ThreadTeam, words: np.ndarray, block: Any, held_out: Any
    ) -> float:
        """Return the exact loss."""
        n_nodes = count_nodes(team, self.paths, held_out, len(words), self.marks)[0]
        indptr = np.concatenate([[0], np.cumsum(n_nodes)])
        return self._visit(team, words, held_out, make_outputs(indptr))


class SharedTreeSoftmax(TreeSoftmax):
    """Hierarchical softmax whose nodes have no vectors of their own.

    The vector of a node is the mean of its left leaves' word vectors minus the mean of
    its right leaves' word vectors.

    Parameters
    ----------
    model, n_rows, paths, counted, n_threads
        As in `TreeSoftmax`.
    tree : Tree
        Its leaves are rows.
    biases : (ndarray of shape (n_nodes,), ndarray of shape (n_nodes,)), float32
        Of the nodes, and AdaGrad's sums of them. They are updated in place.
    """

    def __init__(
        self,
        model: Model,
        n_rows: int,
        paths: Any,
        counted: tuple[np.ndarray, np.ndarray],
        n_threads: int,
        tree: Tree,
        biases: tuple[np.ndarray, np.ndarray],
    ):
        width = model.layout.width
        nodes = aligned_zeros((tree.n_words - 1, width))
        super().__init__(model, nodes, n_rows, paths, counted, n_threads)
        self.children = tree.children
        self.weights = leaf_weights(tree)
        self.biases, self.bias_squares = biases
        self.of_nodes = aligned_zeros(nodes.shape)
        self.of_leaves = aligned_zeros((tree.n_words, width))
        self.columns = cut(width, _LANES)
        self.leaf_tiles = large_tasks(tree.n_words)

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make the step of all words, as leaves of the tree."""
        from skembed._kernels import tree

        def add_tile(thread: int, tile: tuple[int, int]) -> None:
            self.of_nodes[slice(*tile)] = self._gradients(tile, words)

        def push_down(thread: int, columns: tuple[int, int]) -> None:
            tree.push_down(
                self.children, self.weights, self.of_nodes, self.of_leaves, columns
            )

        def step_tile(thread: int, tile: tuple[int, int]) -> None:
            gradients = self.of_leaves[slice(*tile)]
            self.model.step_outputs(tile[0], gradients, rates)
            gradients[:] = 0.0

        team.map(add_tile, self.tiles)
        bias = self.model.bias
        if self.model.learns[bias]:
            gradients = self.of_nodes[:, bias]
            self.bias_squares += gradients**2
            self.biases -= rates.learning_rate * gradients / np.sqrt(self.bias_squares)
        # Leaves have no biases.
        self.of_nodes[:, bias] = 0.0
        team.map(push_down, self.columns)
        team.map(step_tile, self.leaf_tiles)

    def refresh(self, team: ThreadTeam) -> None:
        """Compute the vectors of the nodes, and add their biases."""
        from skembed._kernels import tree

        words = self.model.params[: len(self.of_leaves)]

        def sum_up(thread: int, columns: tuple[int, int]) -> None:
            tree.sum_up(self.children, self.weights, words, self.outputs, columns)

        team.map(sum_up, self.columns)
        self.outputs[:, self.model.bias] = self.biases


class Certainty(Objective):
    """The tree of a single word, which has a probability of 1 for every vector."""

    def visit(self, team: ThreadTeam, words: np.ndarray, block: Any) -> float:
        """Compute nothing: the loss and its gradient are 0."""
        return 0.0

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make no step: there is no output."""

    def measure(
        self, team: ThreadTeam, words: np.ndarray, block: Any, held_out: Any
    ) -> float:
        """Return a loss of 0."""
        return 0.0


def make_marks(n_nodes: int) -> Any:
    """Return the work space of a thread, see `Marks` of the kernels."""
    from skembed._kernels import hierarchical

    bits = np.zeros(n_nodes // 64 + 1, dtype=np.uint64)
    found = np.zeros((2, n_nodes), dtype=np.float32)
    nodes = np.zeros(n_nodes, dtype=np.int32)
    return hierarchical.Marks(bits, np.zeros((n_nodes, 2)), nodes, found)


def count_nodes(
    team: ThreadTeam, paths: Any, block: Any, n_rows: int, marks: list[Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Count the nodes above the contexts of each row, and the rows of each node.

    Parameters
    ----------
    team : ThreadTeam
    paths : Paths
    block : Block
    n_rows : int
        Number of rows of the block.
    marks : list of Marks
        One for each thread.

    Returns
    -------
    of_rows : ndarray of shape (n_rows,), int64
    of_nodes : ndarray of shape (n_nodes,), int64
    """
    from skembed._kernels import hierarchical

    of_rows = np.zeros(n_rows, dtype=np.int64)
    of_nodes = np.zeros((len(marks), paths.parents.size), dtype=np.int64)

    def count(thread: int, rows: tuple[int, int]) -> None:
        where = of_rows, of_nodes[thread]
        hierarchical.count_nodes(paths, block, rows, marks[thread], *where)

    team.map(count, large_tasks(n_rows))
    return of_rows, of_nodes.sum(axis=0)


def node_vectors(tree: Tree, vectors: np.ndarray) -> np.ndarray:
    """Return the vectors of inner nodes that are made of the vectors of leaves.

    Parameters
    ----------
    tree : Tree
    vectors : ndarray of shape (n_words, width), float32
        C-contiguous, `width` is a multiple of 16.

    Returns
    -------
    ndarray of shape (n_words - 1, width), float32
    """
    from skembed._kernels import tree as kernels

    nodes = aligned_zeros((tree.n_words - 1, vectors.shape[1]))
    columns = 0, vectors.shape[1]
    kernels.sum_up(tree.children, leaf_weights(tree), vectors, nodes, columns)
    return nodes


def summed_loss(estimator: Any, counts: sparse.csr_array) -> float:
    """Return the summed ``-ln P(c | w)`` of pairs in a hierarchical softmax.

    Parameters
    ----------
    estimator : SoftmaxEmbedder
        Fitted, with ``loss="hierarchical"``.
    counts : csr_array of shape (n_words, n_words), float64
        Weights of the pairs.

    Returns
    -------
    float
        In nats.
    """
    from skembed._kernels import hierarchical

    tree = from_children(estimator.children_, counts.shape[0])
    if tree.n_words == 1:
        return 0.0
    paths, held = hierarchical.Paths(*tree[1:]), Counts(counts)
    marks = make_marks(tree.n_words - 1)
    nodes = _padded(estimator.node_vectors_, estimator.node_biases_)
    loss = 0.0
    for first, last in row_ranges(held.indptr, _MEASURED):
        words = _padded(estimator.word_vectors_[first:last], 1.0)
        block, n = held.block(first, last), last - first
        of_rows, of_nodes = np.zeros(n, np.int64), np.zeros(len(nodes), np.int64)
        hierarchical.count_nodes(paths, block, (0, n), marks, of_rows, of_nodes)
        slots = make_outputs(np.concatenate([[0], np.cumsum(of_rows)]))
        sums = np.zeros((n, 2))
        spare = np.empty_like(words)
        hierarchical.tree_rows(
            nodes, words, paths, block, slots, spare, (0, n), marks, sums
        )
        loss += float(sums[:, 0].sum())
    return loss


def _padded(vectors: np.ndarray, biases: Any) -> np.ndarray:
    """Return rows as kernels take them, with a bias after the vector."""
    n, d = vectors.shape
    rows = aligned_zeros((n, -(-(d + 1) // _LANES) * _LANES))
    rows[:, :d], rows[:, d] = vectors, biases
    return rows


def log_probabilities(
    estimator: Any, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return ``ln P(c | w)`` of pairs in a hierarchical softmax.

    Parameters
    ----------
    estimator : SoftmaxEmbedder
        Fitted, with ``loss="hierarchical"``.
    rows, columns : ndarray of shape (n_pairs,), int
        Words and contexts.

    Returns
    -------
    ndarray of shape (n_pairs,), float64
    """
    tree = from_children(estimator.children_, len(estimator.word_vectors_))
    found = np.zeros(rows.size)
    nodes, sides = tree.leaf_parents[columns], tree.leaf_sides[columns]
    pairs = np.flatnonzero(nodes >= 0)
    while pairs.size:
        nodes, sides = nodes[nodes >= 0], sides[nodes >= 0]
        scores = np.einsum(
            "ik,ik->i",
            estimator.word_vectors_[rows[pairs]].astype(np.float64),
            estimator.node_vectors_[nodes],
        )
        scores += estimator.node_biases_[nodes]
        found[pairs] -= np.logaddexp(0.0, np.where(sides == 1, scores, -scores))
        nodes, sides = tree.parents[nodes], tree.sides[nodes]
        pairs = pairs[nodes >= 0]
    return found
