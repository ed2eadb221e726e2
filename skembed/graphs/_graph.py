"""Graphs as adjacency matrices, from edges, matrices and networkx graphs."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.validation import as_checked
from skembed.graphs._edges import (
    Edges,
    as_table,
    as_weights,
    is_graph,
    is_networkx,
    named,
    not_a_weight,
    read_edges,
    sample_weights,
)
from skembed.graphs._ids import as_ids, check_kinds, rows_of, shown, unique


class Graph(NamedTuple):
    """A graph whose nodes are numbered.

    Attributes
    ----------
    nodes : ndarray of shape (n_nodes,)
        Ids, integers (int64) or strings (object).
    adjacency : csr_array of shape (n_nodes, n_nodes), float64
        Canonical, without zeros. Rows are sources, and columns are targets.
    n_dropped : int
        Number of nodes whose self loops were dropped.
    """

    nodes: np.ndarray
    adjacency: sparse.csr_array
    n_dropped: int


def read_graph(
    X: Any,
    *,
    nodes: Any = None,
    directed: bool = True,
    self_loops: bool = False,
    sample_weight: Any = None,
) -> Graph:
    """Return the graph of edges, of a sparse matrix or of a networkx graph.

    Parameters
    ----------
    X : array-like or frame of edges, square sparse matrix, or networkx graph
    nodes : array-like of shape (n_nodes,), default=None
        Ids of the nodes, in the order of the result; of a matrix, those of its rows.
        None means the nodes of the edges, sorted.
    directed : bool, default=True
        Whether direction counts. If not, each edge is one in both directions.
    self_loops : bool, default=False
        Whether edges from a node to itself are kept.
    sample_weight : array-like of shape (n_edges,), default=None
        Weights of edges, multiplied by those of `X`.

    Returns
    -------
    Graph

    Raises
    ------
    ValueError
        If an id or a weight is not valid, if no edge is left, or if `directed`
        contradicts the graph.
    """
    given = None if nodes is None else _given_nodes(nodes)
    if is_graph(X) and sample_weight is not None:
        raise ValueError(
            "sample_weight holds weights of the rows of X, which are edges, but X is a "
            f"{type(X).__name__}. Put the weights into the graph."
        )
    if sparse.issparse(X):
        nodes, matrix = _read_matrix(X, given, directed)
    else:
        nodes, matrix = _read_edges(X, given, directed, sample_weight)
    return _finished(nodes, matrix, directed, self_loops)


def _given_nodes(nodes: Any) -> np.ndarray:
    """Return the parameter `nodes`, checked."""
    if hasattr(nodes, "__len__") and not len(nodes):
        raise ValueError("nodes is empty. Pass the ids of the nodes, or None.")
    with named("nodes"):
        table = as_table(nodes)
    if len(table.columns) != 1:
        raise ValueError(
            f"nodes has {len(table.columns)} columns. Pass one column of ids."
        )
    ids = as_ids(table.columns[0], "id", "row {} of nodes")
    unique, first = np.unique(ids, return_index=True)
    if unique.size < ids.size:
        again = np.setdiff1d(np.arange(ids.size), first)[0]
        raise ValueError(f"nodes holds {shown(ids, again)} more than once.")
    return ids


def checked_matrix(X: Any) -> sparse.csr_array:
    """Return a checked copy of the sparse matrix of a graph.

    Parameters
    ----------
    X : sparse matrix or sparse array

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float64
        Canonical, without stored zeros. Sums of duplicates may be infinite.

    Raises
    ------
    ValueError
        If it is not square, or an entry is not a weight.
    """
    if X.ndim != 2 or X.shape[0] != X.shape[1]:
        raise ValueError(
            f"X is a matrix of shape {X.shape}. The matrix of a graph, sparse or not, "
            "is square: it has a row and a column for each node. For a "
            "cross-validation, which splits rows, pass edges instead of a matrix."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"X is a sparse matrix of {X.dtype}; weights are real numbers."
        )
    X = as_checked(X)
    sound = (X.data >= 0) & (X.data < np.inf)
    if not sound.all():
        found = X.tocoo()
        i = int(np.argmin((found.data >= 0) & (found.data < np.inf)))
        place = f"entry in row {found.row[i]}, column {found.col[i]} of X"
        raise not_a_weight(float(found.data[i]), place)
    matrix = sparse.csr_array(X, dtype=np.float64, copy=True)
    with np.errstate(over="ignore"):
        matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _read_matrix(
    X: Any, given: np.ndarray | None, directed: bool
) -> tuple[np.ndarray, sparse.csr_array]:
    matrix = checked_matrix(X)
    n_nodes = matrix.shape[0]
    if given is not None and given.size != n_nodes:
        raise ValueError(
            f"nodes holds {given.size} ids, but X has {n_nodes} rows: with a matrix, "
            "nodes are the ids of its rows."
        )
    nodes = np.arange(n_nodes) if given is None else given
    check_sums(nodes, matrix)
    if not directed:
        _check_symmetric(matrix)
    return nodes, matrix


def check_sums(nodes: np.ndarray, matrix: sparse.csr_array) -> None:
    """Raise an error if the weights of an edge add up to too much."""
    # The sum of the weights of both directions has to be finite, too.
    large = matrix.data > np.finfo(np.float64).max / 2
    if large.any():
        i = int(np.argmax(large))
        row = int(np.searchsorted(matrix.indptr, i, side="right")) - 1
        source, target = shown(nodes, row), shown(nodes, int(matrix.indices[i]))
        raise ValueError(
            f"The weights of the edge from {source} to {target} in X add up to "
            f"{matrix.data[i]:.3g}, which is too large for float64. Divide the weights "
            "by their mean."
        )


def _check_symmetric(matrix: sparse.csr_array) -> None:
    differences = (matrix != matrix.T).tocoo()
    if differences.nnz:
        row, column = int(differences.row[0]), int(differences.col[0])
        raise ValueError(
            f"X is not symmetric: its entry in row {row}, column {column} is "
            f"{matrix[row, column]:g}, and that in row {column}, column {row} is "
            f"{matrix[column, row]:g}. Set directed=True, or pass X + X.T."
        )


def _read_edges(
    X: Any, given: np.ndarray | None, directed: bool, sample_weight: Any
) -> tuple[np.ndarray, sparse.csr_array]:
    if is_networkx(X):
        edges, lone = _edges_of_networkx(X, directed)
    else:
        edges, lone = read_edges(X), None
    weights = _products(sample_weights(sample_weight, edges.sources.size), edges)
    nodes, rows, columns = _number(edges, lone, given)
    if weights is None:
        weights = np.ones(rows.size)
    shape = nodes.size, nodes.size
    # Entries of equal places are added up.
    with np.errstate(over="ignore"):
        matrix = sparse.coo_array((weights, (rows, columns)), shape=shape).tocsr()
    matrix.eliminate_zeros()
    check_sums(nodes, matrix)
    if not directed:
        # A self loop is the same in both directions.
        matrix = sparse.csr_array(matrix + matrix.T - _diagonal(matrix))
        matrix.eliminate_zeros()
    return nodes, matrix


def _products(weights: np.ndarray | None, edges: Edges) -> np.ndarray | None:
    """Return sample weights times the weights of edges, or None without any."""
    if weights is None or edges.weights is None:
        return edges.weights if weights is None else weights
    with np.errstate(over="ignore", under="ignore"):
        products = weights * edges.weights
    # A product of 0 would be an edge that does not count.
    lost = (products == 0) != ((weights == 0) | (edges.weights == 0))
    wrong = lost | ~np.isfinite(products)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(
            f"The weight {edges.weights[i]} in row {i} of X, times its sample_weight "
            f"{weights[i]}, is too {'small' if lost[i] else 'large'} for float64. "
            "Divide the weights by their mean."
        )
    return products


def _edges_of_networkx(X: Any, directed: bool) -> tuple[Edges, np.ndarray]:
    """Return the edges of a networkx graph, and all of its nodes."""
    if bool(X.is_directed()) != directed:
        kind = "an undirected" if directed else "a directed"
        other = "X.to_directed()" if directed else "X.to_undirected()"
        raise ValueError(
            f"X is {kind} graph ({type(X).__name__}), and directed={directed}. Set "
            f"directed={not directed}, or pass {other}."
        )
    nodes = as_ids(list(X.nodes), "node", "place {} of X.nodes")
    triples = list(X.edges(data="weight", default=1))
    sources, targets, weights = ([one[place] for one in triples] for place in range(3))
    if not triples:
        return Edges(nodes[:0], nodes[:0], None), nodes
    return Edges(
        as_ids(sources, "source", "edge {} of X"),
        as_ids(targets, "target", "edge {} of X"),
        as_weights(weights, "weight of edge {} of X"),
    ), nodes


def _number(
    edges: Edges, lone: np.ndarray | None = None, given: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return nodes, and the rows of the sources and of the targets of edges.

    Parameters
    ----------
    edges : Edges
    lone : ndarray, default=None
        Further nodes, which may have no edges.
    given : ndarray of shape (n_nodes,), default=None
        All nodes, in the order of the result.

    Returns
    -------
    nodes : ndarray of shape (n_nodes,)
        Sorted, if they are not given.
    rows, columns : ndarray of shape (n_edges,), int32

    Raises
    ------
    ValueError
        If a node of an edge is not among those that are given.
    """
    parts = [edges.sources, edges.targets]
    if lone is not None:
        parts.append(lone)
    ids = np.concatenate(parts)
    if given is None:
        nodes, rows = unique(ids)
    else:
        check_kinds(given, ids, "nodes", "the nodes of X")
        nodes, rows = given, rows_of(given, ids).astype(np.int32)
        if rows.min(initial=0) < 0:
            i = int(np.argmin(rows))
            place = f" (row {i % edges.sources.size})" if i < 2 * len(parts[0]) else ""
            raise ValueError(
                f"X holds the node {shown(ids, i)}{place}, which is not among the "
                f"{given.size} nodes of the parameter nodes. Add it there, or drop its "
                "edges."
            )
    n_edges = edges.sources.size
    return nodes, rows[:n_edges], rows[n_edges : 2 * n_edges]


def _finished(
    nodes: np.ndarray, matrix: sparse.csr_array, directed: bool, self_loops: bool
) -> Graph:
    """Drop self loops, and check that edges are left."""
    if nodes.size < 2:
        raise ValueError(
            f"X is a graph of {nodes.size} node{'s' * (nodes.size != 1)}, so there is "
            "nothing to learn: edges of at least two nodes are needed."
        )
    if not matrix.nnz:
        raise ValueError(
            f"X is a graph of {nodes.size} nodes without an edge of positive weight."
        )
    n_loops = int(np.count_nonzero(matrix.diagonal()))
    if n_loops == matrix.nnz:
        raise ValueError(
            f"X has only self loops, {n_loops} in all: there is no edge between two "
            "nodes to learn from."
        )
    if not n_loops or self_loops:
        return Graph(nodes, matrix, 0)
    matrix = sparse.csr_array(matrix - _diagonal(matrix))
    matrix.eliminate_zeros()
    return Graph(nodes, matrix, n_loops)


def _diagonal(matrix: sparse.csr_array) -> sparse.dia_array:
    return sparse.dia_array((matrix.diagonal()[None], [0]), shape=matrix.shape)
