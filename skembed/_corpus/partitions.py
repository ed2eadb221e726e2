"""Collections of Dask as input: what they are, and their partitions in order."""

from collections.abc import Iterator
from typing import Any

from skembed._corpus.validation import as_iterable, describe, is_frame, is_matrix


def is_collection(X: Any) -> bool:
    """Return whether the input is a collection of Dask. Nothing is computed."""
    # An attribute of the class, because a frame may have a column of this name.
    return hasattr(type(X), "__dask_graph__") and not _is_delayed(X)


def _is_delayed(X: Any) -> bool:
    return type(X).__name__.startswith("Delayed")


def holds_numbers(X: Any) -> bool:
    """Return whether a collection is a matrix of numbers, not text.

    Only its types are looked at.

    Parameters
    ----------
    X : bag, array, frame or Series of Dask

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If an array has more than two dimensions, or an unknown number of columns.
    """
    if is_frame(X):
        return is_matrix(X._meta)
    if not hasattr(X, "chunks"):
        return False
    if X.ndim > 2 or (X.ndim == 2 and X.shape[1] != X.shape[1]):
        raise ValueError(
            f"X is {describe(X)}. Pass an array of Dask with one column of documents, "
            "or one of documents x words whose number of columns is known."
        )
    return X.ndim == 2 and X.dtype.kind in "biufc"


def partitions_of(X: Any) -> list[Any]:
    """Return the partitions of a collection, in order, as Delayed objects.

    Parameters
    ----------
    X : bag, array, frame or Series of Dask
        Partitions that were persisted are used where they are.

    Returns
    -------
    list of Delayed
        Each is computed to what `fit` takes: a list of documents, a frame, a Series,
        an array or a sparse matrix.
    """
    if not hasattr(X, "chunks"):
        return list(X.to_delayed())
    if X.ndim == 2 and len(X.chunks[1]) > 1:
        X = X.rechunk({1: -1})
    return list(X.to_delayed().ravel())


def documents_of(X: Any) -> Iterator[Any]:
    """Yield the documents of a collection of text, one partition after the other.

    One partition at a time is in the memory of this process.
    """
    for part in partitions_of(X):
        yield from as_iterable(part.compute())
