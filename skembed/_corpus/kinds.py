"""Whether users mean a matrix of numbers, or text."""

from collections import Counter
from collections.abc import Iterable
from numbers import Integral, Number
from operator import eq
from typing import Any

import numpy as np
from scipy import sparse

_NUMERIC = "biufc"
_NUMBERS = (Number, np.bool_)
# Rows that tell whether numbers may be ids.
_ROWS_SEEN = 1000


def is_matrix(X: Any) -> bool:
    """Return whether users mean a two-dimensional matrix of numbers, not text.

    Parameters
    ----------
    X : object
        What was passed to `fit` or `transform`. An iterator is not consumed.

    Raises
    ------
    ValueError
        If it is neither, see `check_holds_data`.
    """
    check_holds_data(X)
    if sparse.issparse(X):
        return True
    if isinstance(X, (list, tuple)):
        return _holds_numbers(X)
    if is_frame(X):
        dtypes = list(X.dtypes)
        return bool(dtypes) and all(map(_is_numeric, dtypes))
    if _is_array(X):
        X = np.asarray(X)
        if X.ndim != 2 or X.dtype.kind not in _NUMERIC + "O":
            return False
        return X.dtype.kind != "O" or _are_numbers(X)
    return False


def is_frame(X: Any) -> bool:
    """Return whether it is a frame of pandas, polars or the like."""
    # A Series of dask has the attributes of a frame; a frame of polars has no `ndim`.
    is_flat = getattr(X, "ndim", 2) != 2
    return hasattr(X, "columns") and hasattr(X, "dtypes") and not is_flat


def check_holds_data(X: Any) -> None:
    """Refuse queries and graphs, from which documents or a matrix have to be made.

    Raises
    ------
    ValueError
        If it is one; it says what to pass.
    """
    kind = type(X)
    if kind.__name__ == "LazyFrame":
        raise ValueError("X is a LazyFrame, which holds no rows yet. Pass X.collect().")
    # Of the class: a frame may have columns of these names.
    if hasattr(kind, "nodes") and hasattr(kind, "adjacency"):
        raise ValueError(
            f"X is a graph ({kind.__name__}). Pass its adjacency matrix, "
            "networkx.to_pandas_adjacency(X), with input='cooccurrence', or walks over "
            "its nodes as lists of str."
        )


def resembles_walks(X: Any) -> bool:
    """Return whether the numbers of a matrix are perhaps ids of words or nodes.

    Rows of ids of one length cannot be told from counts by their form. Only lists of
    lists are suspected, where no number is 0, most occur in several rows, and few stand
    beside an equal one.

    Parameters
    ----------
    X : object
        A matrix.
    """
    if not isinstance(X, (list, tuple)):
        return False
    n_rows: Counter[int] = Counter()
    n_pairs = n_equal = 0
    for row in X[:_ROWS_SEEN]:
        values = set(row) if isinstance(row, (list, tuple)) else {0}
        if 0 in values or not all(map(is_int, values)):
            return False
        n_rows.update(values)
        n_pairs += len(row) - 1
        n_equal += sum(map(eq, row[1:], row))
    n_common = sum(n > 1 for n in n_rows.values())
    return 2 * n_common > len(n_rows) and 10 * n_equal < n_pairs


def is_int(value: Any) -> bool:
    """Return whether it is a whole number, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_array(X: Any) -> bool:
    """Whether it is an array, or turns into one and cannot be iterated or is 2-D."""
    if isinstance(X, (np.ndarray, memoryview)):
        return True
    if not hasattr(X, "__array__") or isinstance(X, type):
        return False
    return not isinstance(X, Iterable) or getattr(X, "ndim", 1) == 2


def _are_numbers(X: np.ndarray) -> bool:
    # Whatever else one column of objects holds is for `_text` to take or to refuse.
    found = (isinstance(value, _NUMBERS) for value in X.flat)
    return X.size > 0 and (all(found) if X.shape[1] == 1 else any(found))


def _is_numeric(dtype: Any) -> bool:
    if hasattr(dtype, "is_numeric") and callable(dtype.is_numeric):
        return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in _NUMERIC


def _holds_numbers(rows: Any) -> bool:
    for row in rows:
        if isinstance(row, np.ndarray) and row.ndim == 1 and row.dtype.kind != "O":
            return row.dtype.kind in _NUMERIC
        if not isinstance(row, (list, tuple)):
            return False
        if row:
            return isinstance(row[0], _NUMBERS)
    return False
