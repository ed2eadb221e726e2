"""`EdgeKFold`: folds of edges that keep both directions of a pair together."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import minimum_spanning_tree
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from skembed.graphs._edges import as_rows, read_edges

__all__ = ["EdgeKFold"]


class EdgeKFold(BaseCrossValidator):
    """K folds of edges; all edges between the same two nodes are in the same fold.

    A splitter for ``cv=`` of scikit-learn. The samples are edges. `KFold` separates a
    link from its reverse, and one tells much about the other. In the e-mail network
    email-Eu-core, 57 % of the links that ``KFold(5, shuffle=True)`` holds out have
    their reverse in the training set (48 % with three folds). Repeated edges leak in
    the same way. Here both stay together.

    Pairs of nodes are assigned to folds at random. Pairs with many edges come first.
    Each pair goes to the fold that has the fewest edges so far. If no pair has more
    than two edges, the sizes of the folds differ by two at most.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    keep_forest : bool, default=False
        Whether the edges of a random spanning forest are never held out. Then every
        node of the graph has an edge in each training set, though not always as a
        source and as a target. The test sets contain only the other edges. They do not
        cover all rows, so `cross_val_predict` does not work. Without the forest, some
        nodes may be unknown to the model; see `link_coverage`.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds and of the forest. Pass an int for the same folds in every
        call of `split`.

    See Also
    --------
    link_existence : Scorer of held-out links.
    sklearn.model_selection.TimeSeriesSplit : Splits of edges that are sorted by time.

    Notes
    -----
    A self loop is held out like any other edge, and is not part of a forest.

    Examples
    --------
    >>> from skembed.graphs import EdgeKFold
    >>> edges = [["a", "b"], ["b", "c"], ["b", "a"], ["c", "d"]]
    >>> for train, test in EdgeKFold(3, random_state=0).split(edges):
    ...     print(train, test)
    [1 3] [0 2]
    [0 1 2] [3]
    [0 2 3] [1]
    """

    def __init__(self, n_splits=5, *, keep_forest=False, random_state=None):
        if not isinstance(n_splits, Integral) or n_splits < 2:
            raise ValueError(
                f"n_splits must be an integer of at least 2, got {n_splits!r}."
            )
        if not isinstance(keep_forest, bool):
            raise TypeError(f"keep_forest must be True or False, got {keep_forest!r}.")
        self.n_splits = n_splits
        self.keep_forest = keep_forest
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
            The parameter `n_splits`.
        """
        return int(self.n_splits)

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of each training set and of each test set.

        Parameters
        ----------
        X : array-like or frame of shape (n_edges, 2) or (n_edges, 3)
            Edges, as in ``GraphEmbedder.fit``. Weights do not matter here.
        y, groups : object
            Ignored.

        Yields
        ------
        train, test : ndarray of shape (n_rows,), dtype=int64
            Rows of X in ascending order.

        Raises
        ------
        ValueError
            If X is not a table of edges (but a sparse matrix, for example), or if fewer
            pairs of nodes than folds can be held out.
        """
        folds = self._folds(X)
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def _folds(self, X: Any) -> np.ndarray:
        """Return the fold that holds out each row, -1 for those that none holds out."""
        rng = check_random_state(self.random_state)
        pairs, pair_of_row = _pairs(X)
        free = np.ones(len(pairs), dtype=bool)
        if self.keep_forest:
            free = ~_in_forest(pairs, rng)
        if free.sum() < self.n_splits:
            where = " outside the spanning forest" if self.keep_forest else ""
            raise ValueError(
                f"n_splits={self.n_splits} is more than the number of pairs of nodes "
                f"with an edge{where}: {free.sum()}. Use fewer splits"
                + (" or keep_forest=False." if self.keep_forest else ".")
            )
        sizes = np.bincount(pair_of_row, minlength=len(pairs))
        folds = np.full(len(pairs), -1)
        folds[free] = _balanced_folds(sizes[free], self.get_n_splits(), rng)
        return folds[pair_of_row]


def _pairs(X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct pairs of nodes without direction, and the pair of each row.

    Nodes are numbered; the pairs are rows (smaller number, larger number).
    """
    edges = read_edges(as_rows(X))
    ids = np.concatenate([edges.sources, edges.targets])
    nodes, places = np.unique(ids, return_inverse=True)
    ends = np.sort(places.reshape(2, -1), axis=0)
    keys, pair_of_row = np.unique(ends[0] * len(nodes) + ends[1], return_inverse=True)
    return np.column_stack(np.divmod(keys, max(len(nodes), 1))), pair_of_row


def _in_forest(pairs: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Tell which pairs belong to a spanning forest, the lightest of random weights."""
    n_nodes = pairs.max(initial=-1) + 1
    # The weights are the positions in a random order, from 1 as 0 means no edge; so
    # what the forest stores says which pairs it consists of.
    order = rng.permutation(len(pairs))
    weights = np.empty(len(pairs))
    weights[order] = np.arange(1, len(pairs) + 1)
    # SciPy 1.13 finds no trees if indices are int64.
    ends = tuple(pairs.T.astype(np.int32))
    graph = sparse.csr_array((weights, ends), shape=(n_nodes, n_nodes))
    chosen = np.zeros(len(pairs), dtype=bool)
    chosen[order[minimum_spanning_tree(graph).data.astype(np.int64) - 1]] = True
    return chosen


def _balanced_folds(
    sizes: np.ndarray, n_splits: int, rng: np.random.RandomState
) -> np.ndarray:
    """Return a fold for each group, so that the sums of their sizes are balanced.

    Large groups come first, each to the fold that is smallest so far, as in
    `GroupKFold`; groups of the same size come in random order.
    """
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    totals = [0] * n_splits
    folds = np.empty(len(sizes), dtype=np.int64)
    for group, size in zip(order.tolist(), sizes[order].tolist(), strict=True):
        smallest = totals.index(min(totals))
        totals[smallest] += size
        folds[group] = smallest
    return folds
