"""Edges and nodes, as users pass them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.validation import as_checked, describe, is_frame, is_missing

# Names of columns that frames have if nobody has named them.
_UNNAMED = re.compile(r"column_\d+")
_ADVICE = (
    "Pass edges as two columns, source and target, or three with a weight; or a "
    "square sparse matrix; or a networkx graph."
)


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


class Table(NamedTuple):
    """The columns of what was passed, as they are.

    Attributes
    ----------
    columns : list
        Arrays, series or tuples of one length.
    names : list or None
        Labels of the columns of a frame.
    is_flat : bool
        Whether it was one column without a second dimension.
    """

    columns: list[Any]
    names: list[Any] | None = None
    is_flat: bool = False

    @property
    def str_names(self) -> tuple[str, ...] | None:
        """The names of the columns, if all of them are str."""
        if self.names is None or not all(isinstance(name, str) for name in self.names):
            return None
        return tuple(self.names)


# --- tables ---------------------------------------------------------------------------


def as_table(X: Any) -> Table:
    """Return the columns of an array, a list, a series or a frame.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_columns) or (n_rows,), or frame

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If it is something else, or its rows have different lengths.
    """
    if isinstance(X, Table):
        return X
    if type(X).__name__ == "LazyFrame":
        raise ValueError("X is a LazyFrame, which holds no rows yet. Pass X.collect().")
    if is_frame(X) or hasattr(X, "column_names"):
        return _table_of_frame(X)
    # Views of edges of networkx are mappings, too, but are iterated by their edges.
    if isinstance(X, (str, bytes, dict, set, frozenset)) or not _has_rows(X):
        raise ValueError(f"X is {describe(X)}, whose rows are not edges. {_ADVICE}")
    if np.ma.is_masked(X):
        raise ValueError("X is a masked array. Drop the rows with masked entries.")
    if hasattr(X, "__array__") or isinstance(X, memoryview):
        array = np.asarray(X)
        if array.ndim == 1 and array.dtype.kind == "O":
            return _table_of_rows(array.tolist())
        return _table_of_array(array)
    return _table_of_rows(X if isinstance(X, (list, tuple)) else list(X))


def as_rows(X: Any) -> Table:
    """Return the columns of `X`, which must not be a whole graph; see `as_table`.

    Raises
    ------
    ValueError
        If `X` is a sparse matrix or a networkx graph.
    """
    if is_graph(X):
        raise ValueError(
            f"X is a {type(X).__name__}, whose rows are not edges. Pass an array of "
            "edges, for example np.column_stack(A.nonzero()) of a sparse matrix A, or "
            "list(G.edges) of a networkx graph G; transform also takes nodes."
        )
    return as_table(X)


def _has_rows(X: Any) -> bool:
    return isinstance(X, Iterable) or hasattr(X, "__array__")


def _table_of_frame(X: Any) -> Table:
    # Tables of pyarrow have `column_names`, and their `columns` are not names.
    if hasattr(X, "column_names"):
        names = list(X.column_names)
        columns = [X.column(i) for i in range(len(names))]
    else:
        names = list(X.columns)
        by_place = X.iloc if hasattr(X, "iloc") else X
        columns = [by_place[:, i] for i in range(len(names))]
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"X has two columns of the name {twice!r}; rename one.")
    return Table(columns, names)


def _table_of_array(X: np.ndarray) -> Table:
    if X.dtype.kind == "c":
        raise ValueError("Complex data not supported: X holds ids of nodes.")
    if X.ndim == 1:
        return Table([X], is_flat=True)
    if X.ndim != 2:
        raise ValueError(f"X is an array of shape {X.shape}. {_ADVICE}")
    return Table(list(X.T))


def _table_of_rows(rows: Sequence[Any]) -> Table:
    """Return the columns of a list of rows, or of a list of ids."""
    if not rows:
        raise ValueError(f"X is empty. {_ADVICE}")
    kinds = (list, tuple, np.ndarray)
    if not isinstance(rows[0], kinds):
        return Table([rows], is_flat=True)
    width = len(rows[0])
    for i, row in enumerate(rows):
        is_row = isinstance(row, kinds)
        if not is_row or len(row) != width:
            found = f"has {len(row)} entries" if is_row else f"is {describe(row)}"
            raise ValueError(
                f"Row {i} of X {found}, but row 0 has {width} entries: all rows need "
                "the same number."
            )
    return Table([[row[column] for row in rows] for column in range(width)])


# --- edges and nodes ------------------------------------------------------------------


def read_edges(X: Any, names: tuple[str, str] | None = None) -> Edges:
    """Return the edges in the rows of an array, a list or a frame.

    Parameters
    ----------
    X : array-like of shape (n_edges, 2) or (n_edges, 3), or frame
        Of a frame, the columns ``source``, ``target`` and, if there is one, ``weight``
        are read, and others are not. If it does not have these names, its first two
        columns are read, and a third one must have the name ``weight``.
    names : tuple of (str, str), default=None
        Names of the sources and of the targets in an earlier frame, which this one
        must have.

    Returns
    -------
    Edges

    Raises
    ------
    ValueError
        If an id or a weight is missing or not valid, or the columns are not edges.
    """
    return edges_of(as_table(X), names)


def edges_of(table: Table, names: tuple[str, str] | None = None) -> Edges:
    """Return the edges in a table; see `read_edges`."""
    source, target, weight = _edge_columns(table, names)
    sources, targets = as_ids(source, "source"), as_ids(target, "target")
    check_kinds(sources, targets, "the sources of X", "the targets of X")
    weights = None if weight is None else as_weights(weight, "weight in row {} of X")
    return Edges(sources, targets, weights)


def pairs_of(table: Table, names: tuple[str, str] | None = None) -> Edges:
    """Return the edges in a table without their weights, which are not checked."""
    source, target, _ = _edge_columns(table, names)
    sources, targets = as_ids(source, "source"), as_ids(target, "target")
    check_kinds(sources, targets, "the sources of X", "the targets of X")
    return Edges(sources, targets, None)


def id_names(table: Table) -> tuple[str, str] | None:
    """Return the names of the columns of sources and of targets, if they have names."""
    if table.str_names is None:
        return None
    source, target, _ = _edge_places(table, None)
    return table.str_names[source], table.str_names[target]


def nodes_of(table: Table) -> np.ndarray:
    """Return the ids of nodes in a table of one column."""
    if len(table.columns) != 1:
        raise ValueError(
            f"X has {len(table.columns)} columns; ids of nodes are one column."
        )
    return as_ids(table.columns[0], "node")


def _edge_columns(
    table: Table, names: tuple[str, str] | None
) -> tuple[Any, Any, Any | None]:
    """Return the columns of sources, of targets, and of weights or None."""
    source, target, weight = _edge_places(table, names)
    columns = table.columns
    return columns[source], columns[target], None if weight is None else columns[weight]


def _edge_places(
    table: Table, wanted: tuple[str, str] | None
) -> tuple[int, int, int | None]:
    """Return the places of the columns of sources, of targets and of weights."""
    names, n_columns = table.str_names, len(table.columns)
    places = {name: place for place, name in enumerate(names or ())}
    weight = places.get("weight")
    for source, target in filter(None, (wanted, ("source", "target"))):
        if source in places and target in places:
            weight = weight if "weight" not in (source, target) else None
            return places[source], places[target], weight
    if wanted is not None and names is not None:
        raise ValueError(
            f"X has the columns {list(names)[:5]}, but the sources and targets of fit "
            f"were the columns {wanted[0]!r} and {wanted[1]!r}: pass the same names."
        )
    others = [place for place in range(n_columns) if place != weight]
    if n_columns > 3 or len(others) < 2:
        advice = ""
        if n_columns > 3:
            advice = (
                " Of a frame with more columns, name these 'source', 'target' and "
                "'weight'. If X is a dense matrix, pass scipy.sparse.csr_array(X)."
            )
        raise ValueError(
            f"X has {n_columns} feature(s), but edges have two, source and target, or "
            f"three, with a weight.{advice}"
        )
    if len(others) == 3 and names is not None and not _UNNAMED.fullmatch(names[2]):
        raise ValueError(
            f"The third column of X is named {names[2]!r}. Name it 'weight' if it "
            "holds the weights of edges, or drop it."
        )
    return others[0], others[1], others[2] if len(others) == 3 else weight


# --- ids ------------------------------------------------------------------------------


def as_ids(values: Any, role: str, where: str = "row {} of X") -> np.ndarray:
    """Return the ids of nodes as an array of int64 or of str objects.

    Parameters
    ----------
    values : array-like of shape (n,)
        Ints, str, or floats that are whole numbers.
    role : str
        What they are, for errors: "source", "target" or "node".
    where : str, default="row {} of X"
        Where an id is, for errors.

    Returns
    -------
    ndarray of shape (n,), int64 or object

    Raises
    ------
    ValueError
        If an id is missing, is neither an int nor a str, or if there are both.
    """
    if not isinstance(values, (list, tuple)):
        _check_unmasked(values, f"ids of {role}s")
        values = np.asarray(values)
        kind = values.dtype.kind
        if kind in "iu":
            return _checked_ints(values, role, where)
        if kind == "f":
            return _whole(values, role, where)
        # Strings of other types, such as those of numpy, become str.
        values = values.astype(object).tolist()
    return _ids_of_objects(values, role, where)


def _check_unmasked(values: Any, what: str) -> None:
    if np.ma.is_masked(values):
        raise ValueError(
            f"The {what} are a masked array. Drop the rows with masked entries."
        )


def _checked_ints(values: np.ndarray, role: str, where: str) -> np.ndarray:
    wrong = values > np.iinfo(np.int64).max if values.dtype.kind == "u" else None
    if wrong is not None and wrong.any():
        i = int(np.argmax(wrong))
        raise _too_large(values[i], role, where.format(i))
    return values.astype(np.int64, copy=False)


def _whole(values: np.ndarray, role: str, where: str) -> np.ndarray:
    """Return floats that are whole numbers as int64."""
    # Half precision does not hold the limit.
    values = values.astype(np.result_type(values, np.float64), copy=False)
    sound = np.abs(values) <= 2.0**53
    with np.errstate(invalid="ignore"):
        ids = np.where(sound, values, 0).astype(np.int64)
    wrong = ~sound | (ids != values)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise _not_an_id(values[i].item(), role, where.format(i))
    return ids


def _ids_of_objects(values: Sequence[Any], role: str, where: str) -> np.ndarray:
    # The set of types is built in C. Only invalid ids are searched in Python.
    kinds = set(map(type, values))
    if not kinds or all(issubclass(kind, str) for kind in kinds):
        if "" in values:
            raise _not_an_id("", role, where.format(values.index("")))
        ids = np.empty(len(values), dtype=object)
        ids[:] = values if kinds <= {str} else [str(value) for value in values]
        return ids
    for i, value in enumerate(values):
        is_bool = isinstance(value, (bool, np.bool_))
        if is_bool or is_missing(value) or not isinstance(value, (str, Real)):
            raise _not_an_id(value, role, where.format(i))
    if any(issubclass(kind, str) for kind in kinds):
        by_kind = [isinstance(value, str) for value in values]
        first = by_kind.index(False), by_kind.index(True)
        named = [f"the {role} in {where.format(i)} is {values[i]!r}" for i in first]
        raise ValueError(_mixed(*named))
    if all(issubclass(kind, Integral) for kind in kinds):
        try:
            return np.array(values, dtype=np.int64)
        except OverflowError as error:
            wrong = next(i for i, value in enumerate(values) if abs(value) >= 2**63)
            raise _too_large(values[wrong], role, where.format(wrong)) from error
    return _whole(np.array(values, dtype=np.float64), role, where)


def _mixed(first: str, second: str) -> str:
    return (
        f"Ids of nodes must be all int or all str, but {first} and {second}. Convert "
        "them all to str."
    )


def _too_large(value: Any, role: str, place: str) -> ValueError:
    return ValueError(
        f"The {role} in {place} is {value}, which is too large for an int of 64 bits. "
        "Convert the ids to str."
    )


def _not_an_id(value: Any, role: str, place: str) -> ValueError:
    if is_missing(value) or value == "":
        found = f"is missing ({value!r}). Drop such rows, or give the node an id."
    elif isinstance(value, float):
        found = f"is {value}, which is not a whole number below 2**53."
    else:
        found = f"is {describe(value)}. Ids of nodes are int or str."
    return ValueError(f"The {role} in {place} {found}")


def check_kinds(first: np.ndarray, second: np.ndarray, one: str, other: str) -> None:
    """Raise an error if ids are int in one array and str in another."""
    if first.size and second.size and first.dtype != second.dtype:
        named = f"{one} are {_kind(first)}", f"{other} are {_kind(second)}"
        raise ValueError(_mixed(*named))


def shown(ids: np.ndarray, place: int) -> str:
    """Return one of the ids as it is written in a program."""
    return repr(ids[place : place + 1].tolist()[0])


def _kind(ids: np.ndarray) -> str:
    return f"{'str' if ids.dtype.kind == 'O' else 'int'} ({shown(ids, 0)}, ...)"


def rows_of(nodes: np.ndarray, ids: Any) -> np.ndarray:
    """Return the row of each id in an array of nodes, -1 where it is unknown.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes,), int64 or object of str
        Different ids, in any order.
    ids : array-like of shape (n,)

    Returns
    -------
    ndarray of shape (n,), int64
    """
    if not (isinstance(ids, np.ndarray) and ids.dtype == nodes.dtype):
        ids = as_ids(ids, "node")
    if ids.dtype != nodes.dtype or not nodes.size:
        return np.full(ids.size, -1, dtype=np.int64)
    if nodes.dtype.kind == "O":
        row_of = dict(zip(nodes.tolist(), range(nodes.size), strict=True))
        found = (row_of.get(one, -1) for one in ids.tolist())
        return np.fromiter(found, np.int64, ids.size)
    order = None
    if (nodes[1:] <= nodes[:-1]).any():
        order = np.argsort(nodes)
        nodes = nodes[order]
    rows = np.searchsorted(nodes, ids)
    rows[rows == nodes.size] = 0
    known = nodes[rows] == ids
    return np.where(known, rows if order is None else order[rows], -1)


# --- weights --------------------------------------------------------------------------


def as_weights(values: Any, what: str) -> np.ndarray:
    """Return weights of edges, which are finite and not negative, as float64.

    Parameters
    ----------
    values : array-like of shape (n,)
    what : str
        What they are, for errors, with a place for the number of the row.

    Raises
    ------
    ValueError
        If one is not such a number. The error names its row.
    """
    _check_unmasked(values, "weights")
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        array = np.fromiter(_numbers(array.tolist(), what), np.float64, array.size)
    weights = array.astype(np.float64, copy=False)
    sound = (weights >= 0.0) & (weights < np.inf)
    if not sound.all():
        i = int(np.argmin(sound))
        raise _not_a_weight(weights[i].item(), what.format(i))
    return weights


def _numbers(values: list[Any], what: str) -> Iterator[float]:
    """Yield numbers, also those that NumPy has turned into str beside other str."""
    for i, value in enumerate(values):
        try:
            if is_missing(value) or isinstance(value, bool):
                raise TypeError
            yield float(value)
        except (TypeError, ValueError, OverflowError):
            raise _not_a_weight(value, what.format(i)) from None


def _not_a_weight(value: Any, what: str) -> ValueError:
    if is_missing(value):
        found = f"is missing ({value!r}). Drop such edges, or give them a weight."
    elif isinstance(value, float):
        found = f"is {value}. Weights must be finite and not negative."
    else:
        found = f"is {describe(value)}, not a number."
    return ValueError(f"The {what} {found}")


def sample_weights(sample_weight: Any, n_edges: int) -> np.ndarray | None:
    """Return sample weights of edges, checked, or None if there are none."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_edges, sample_weight)
    _check_unmasked(sample_weight, "entries of sample_weight")
    weights = np.asarray(sample_weight)
    if weights.shape != (n_edges,):
        raise ValueError(
            f"sample_weight has the shape {weights.shape}, but X has {n_edges} edges: "
            "pass one weight for each."
        )
    return as_weights(weights, "sample_weight of row {}")


# --- graphs ---------------------------------------------------------------------------


@contextmanager
def named(parameter: str, of: str = "X") -> Iterator[None]:
    """Let errors about `of` name the parameter that was passed in its place."""
    try:
        yield
    except ValueError as error:
        # A node may have the id 'X'.
        message = re.sub(rf"(?<!['\w]){of}(?!['\w])", parameter, str(error))
        raise ValueError(message) from error


def is_graph(X: Any) -> bool:
    """Return whether it is a sparse matrix or a networkx graph, not a table."""
    return sparse.issparse(X) or _is_networkx(X)


def _is_networkx(X: Any) -> bool:
    """Return whether it is a networkx graph."""
    # Attributes of the class, because a frame may have columns of these names.
    kind = type(X)
    return hasattr(kind, "nodes") and hasattr(kind, "adjacency")


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


def _read_matrix(
    X: Any, given: np.ndarray | None, directed: bool
) -> tuple[np.ndarray, sparse.csr_array]:
    if X.ndim != 2 or X.shape[0] != X.shape[1]:
        raise ValueError(
            f"X is a sparse matrix of shape {X.shape}. The matrix of a graph is "
            "square: it has a row and a column for each node. For a cross-validation, "
            "which splits rows, pass edges instead of a matrix."
        )
    n_nodes = X.shape[0]
    if given is not None and given.size != n_nodes:
        raise ValueError(
            f"nodes holds {given.size} ids, but X has {n_nodes} rows: with a matrix, "
            "nodes are the ids of its rows."
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
        raise _not_a_weight(float(found.data[i]), place)
    matrix = sparse.csr_array(X, dtype=np.float64, copy=True)
    with np.errstate(over="ignore"):
        matrix.sum_duplicates()
    matrix.eliminate_zeros()
    nodes = np.arange(n_nodes) if given is None else given
    _check_sums(nodes, matrix)
    if not directed:
        _check_symmetric(matrix)
    return nodes, matrix


def _check_sums(nodes: np.ndarray, matrix: sparse.csr_array) -> None:
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
    if _is_networkx(X):
        edges, lone = _edges_of_networkx(X, directed)
    else:
        edges, lone = read_edges(X), None
    weights = _products(sample_weights(sample_weight, edges.sources.size), edges)
    nodes, rows, columns = number(edges, lone, given)
    if weights is None:
        weights = np.ones(rows.size)
    shape = nodes.size, nodes.size
    # Entries of equal places are added up.
    with np.errstate(over="ignore"):
        matrix = sparse.coo_array((weights, (rows, columns)), shape=shape).tocsr()
    matrix.eliminate_zeros()
    _check_sums(nodes, matrix)
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


def number(
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
        nodes, rows = _unique(ids)
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


def _unique(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different ids, sorted, and the row of each id as int32."""
    if ids.dtype.kind == "O":
        listed = ids.tolist()
        nodes = np.array(sorted(set(listed)), dtype=object)
        row_of = dict(zip(nodes.tolist(), range(nodes.size), strict=True))
        return nodes, np.fromiter(map(row_of.__getitem__, listed), np.int32, ids.size)
    least, most = int(ids.min(initial=0)), int(ids.max(initial=0))
    if most - least > 4 * ids.size:
        nodes, rows = np.unique(ids, return_inverse=True)
        return nodes, rows.astype(np.int32)
    # A table of all numbers between them is much faster than sorting.
    places = ids - least
    occurs = np.zeros(most - least + 1, dtype=bool)
    occurs[places] = True
    numbers = np.cumsum(occurs, dtype=np.int32) - 1
    return np.flatnonzero(occurs) + least, numbers[places]


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
