"""Whether users mean a matrix of numbers, or text."""

from collections.abc import Iterable
from numbers import Number
from typing import Any

import numpy as np
from scipy import sparse

_NUMERIC = "biufc"
_NUMBERS = (Number, np.bool_)


def is_matrix(X: Any) -> bool:
    """Return whether users mean a two-dimensional matrix of numbers, not text.

    Parameters
    ----------
    X : object
        What was passed to `fit` or `transform`. An iterator is not consumed.
    """
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
    return hasattr(X, "columns") and hasattr(X, "dtypes")


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
