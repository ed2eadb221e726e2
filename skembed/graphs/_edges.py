"""Edges and nodes, as users pass them."""

from typing import Any, NamedTuple

import numpy as np


class Edges(NamedTuple):
    """Edges of a graph: one entry for each row of what was passed.

    Attributes
    ----------
    sources, targets : ndarray of shape (n_edges,)
        Ids of nodes, integers (int64) or strings (object).
    weights : ndarray of shape (n_edges,), float64, or None
        None if no weights were passed.
    """

    sources: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None


def read_edges(X: Any) -> Edges:
    """Return the edges in the rows of an array, a list or a frame."""
    pairs = np.asarray(X)
    return Edges(pairs[:, 0], pairs[:, 1], None)


def rows_of(nodes: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the row of each id in the sorted array `nodes`, -1 where it is unknown."""
    rows = np.searchsorted(nodes, ids)
    rows[rows == len(nodes)] = 0
    return np.where(nodes[rows] == ids, rows, -1)
