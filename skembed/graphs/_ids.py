"""Ids of nodes: integers or strings, checked, numbered and looked up."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from skembed._corpus.validation import describe, is_missing


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
        check_unmasked(values, f"ids of {role}s")
        values = np.asarray(values)
        kind = values.dtype.kind
        if kind in "iu":
            return _checked_ints(values, role, where)
        if kind == "f":
            return _whole(values, role, where)
        # Strings of other types, such as those of numpy, become str.
        values = values.astype(object).tolist()
    return _ids_of_objects(values, role, where)


def check_unmasked(values: Any, what: str) -> None:
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
        ids[:] = values if kinds <= {str} else list(map(str.__str__, values))
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


def unique(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
