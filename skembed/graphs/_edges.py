"""Edges and nodes, as users pass them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.validation import describe, is_frame, is_missing
from skembed.graphs._ids import as_ids, check_kinds, check_unmasked

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
    sources, targets, weight = _ends_of(table, names)
    weights = None if weight is None else as_weights(weight, "weight in row {} of X")
    return Edges(sources, targets, weights)


def pairs_of(table: Table, names: tuple[str, str] | None = None) -> Edges:
    """Return the edges in a table without their weights, which are not checked."""
    return Edges(*_ends_of(table, names)[:2], None)


def _ends_of(
    table: Table, names: tuple[str, str] | None
) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return the ids of sources and targets, and the column of weights or None."""
    source, target, weight = _edge_columns(table, names)
    sources, targets = as_ids(source, "source"), as_ids(target, "target")
    check_kinds(sources, targets, "the sources of X", "the targets of X")
    return sources, targets, weight


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
    check_unmasked(values, "weights")
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        array = np.fromiter(_numbers(array.tolist(), what), np.float64, array.size)
    weights = array.astype(np.float64, copy=False)
    sound = (weights >= 0.0) & (weights < np.inf)
    if not sound.all():
        i = int(np.argmin(sound))
        raise not_a_weight(weights[i].item(), what.format(i))
    return weights


def _numbers(values: list[Any], what: str) -> Iterator[float]:
    """Yield numbers, also those that NumPy has turned into str beside other str."""
    for i, value in enumerate(values):
        try:
            if is_missing(value) or isinstance(value, bool):
                raise TypeError
            yield float(value)
        except (TypeError, ValueError, OverflowError):
            raise not_a_weight(value, what.format(i)) from None


def not_a_weight(value: Any, what: str) -> ValueError:
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
    check_unmasked(sample_weight, "entries of sample_weight")
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
    return sparse.issparse(X) or is_networkx(X)


def is_networkx(X: Any) -> bool:
    """Return whether it is a networkx graph."""
    # Attributes of the class, because a frame may have columns of these names.
    kind = type(X)
    return hasattr(kind, "nodes") and hasattr(kind, "adjacency")
