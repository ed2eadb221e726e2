"""Collections of Dask as input: what they are, and their partitions in order."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse

from skembed._corpus.validation import as_iterable, describe, is_frame, is_matrix
from skembed._utils.extras import require

# Seconds between two looks at the workers, and looks at which none of them works.
_SECONDS, _PATIENCE = 2, 15
# Results that a cluster computes at a time if they are to be held one after the other.
_AT_ONCE = 2
# Tables of vectors are large parts of a graph, but stand in it once only. It is set for
# a cluster alone: before distributed is loaded, it would displace all of its settings.
_LARGE = {"distributed.admin.large-graph-warning-threshold": "10 GiB"}


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
    if not is_array(X):
        return False
    if X.ndim > 2 or (X.ndim == 2 and X.shape[1] != X.shape[1]):
        raise ValueError(
            f"X is {describe(X)}. Pass an array of Dask with one column of documents, "
            "or one of documents x words whose number of columns is known."
        )
    return X.ndim == 2 and X.dtype.kind in "biufc"


def is_array(X: Any) -> bool:
    """Return whether a collection is an array."""
    return hasattr(X, "chunks")


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
    if not is_array(X):
        return list(X.to_delayed())
    if X.ndim == 2 and len(X.chunks[1]) > 1:
        X = X.rechunk({1: -1})
    return list(X.to_delayed().ravel())


def _dask() -> Any:
    return require("dask", "A collection of Dask", "dask")


def delay(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return a call of a function that Dask makes later."""
    dask = _dask()
    return dask.delayed(function, pure=False)(*arguments)


def share(value: Any) -> Any:
    """Return a value that many tasks take, as a Delayed that is sent once.

    It is a part of the graph, so that another worker gets it if one dies.
    """
    dask = _dask()
    return dask.delayed(value, traverse=False, pure=False)


def client() -> Any:
    """Return the client of a cluster that computes, or None if this process does."""
    dask = _dask()
    # It is a method of the client.
    found = getattr(dask.base.get_scheduler(), "__self__", None)
    return found if hasattr(found, "gather") else None


def compute(tasks: Iterable[Any]) -> list[Any]:
    """Return the results of Delayed objects.

    Raises
    ------
    MemoryError
        If no worker of a cluster goes on, usually because their memory is full.
    """
    dask = _dask()
    cluster = client()
    if cluster is None:
        return list(dask.compute(*tasks))
    futures = _started(cluster, tasks)
    _wait(cluster, futures)
    return cluster.gather(futures)


def _started(cluster: Any, tasks: Iterable[Any]) -> list[Any]:
    """Return the futures of Delayed objects, which the cluster begins to compute."""
    dask = _dask()
    with dask.config.set(_LARGE):
        return cluster.compute(list(tasks))


def computed(tasks: Iterable[Any]) -> Iterator[Any]:
    """Yield the results of Delayed objects in order, of which few are held at a time.

    A cluster begins with a task when an earlier result is here, and releases what it
    has sent. Otherwise, workers would hold parts of many results.

    Raises
    ------
    MemoryError
        As in `compute`.
    """
    cluster, waiting = client(), list(reversed(list(tasks)))
    if cluster is None:
        yield from compute(reversed(waiting))
        return
    futures: list[Any] = []
    while futures or waiting:
        while waiting and len(futures) < _AT_ONCE:
            futures += _started(cluster, [waiting.pop()])
        _wait(cluster, futures[:1])
        yield futures.pop(0).result()


def _wait(cluster: Any, futures: list[Any]) -> None:
    """Wait for results, but not for workers that never go on.

    A worker whose memory is nearly full pauses until memory is released. If all of them
    pause, nobody releases any. Workers may also be gone, and not come back. A cluster
    that has had no workers yet may still be starting.
    """
    distributed = require("distributed", "A cluster of Dask", "distributed")
    n_workers = n_idle = 0
    while True:
        try:
            distributed.wait(futures, timeout=_SECONDS)
            return
        except distributed.TimeoutError:
            # The first error ends the call, as in `dask.compute`.
            if any(future.status not in ("pending", "finished") for future in futures):
                return
            found = cluster.sync(cluster.scheduler.identity)["workers"].values()
        n_workers = max(n_workers, len(found))
        works = any(worker["status"] != "paused" for worker in found)
        n_idle = 0 if works or not n_workers else n_idle + 1
        if n_idle == _PATIENCE:
            state = "have paused, because their memory is nearly full"
            raise MemoryError(
                f"All {n_workers} workers of the Dask cluster "
                f"{state if found else 'are gone'}. Start workers with more memory or "
                "fewer threads, or pass X in more partitions."
            )


def persist(tasks: Iterable[Any]) -> list[Any]:
    """Return Delayed objects whose results stay where they are computed."""
    dask = _dask()
    if client() is None:
        return list(dask.persist(*tasks))
    with dask.config.set(_LARGE):
        return list(dask.persist(*tasks))


def local(X: Any, of_ids: bool = False) -> Any:
    """Return a collection as input in the memory of this process.

    Parameters
    ----------
    X : bag, array, frame or Series of Dask
    of_ids : bool, default=False
        Whether it contains token ids.

    Returns
    -------
    iterator, csr_array or frame
        For text and token ids, an iterator over the documents that computes one
        partition at a time. Otherwise, the whole matrix.
    """
    parts = partitions_of(X)
    if of_ids or not holds_numbers(X):
        return _documents(parts, of_ids)
    found = compute(parts)
    if is_array(X):
        return sparse.vstack(list(map(sparse.csr_array, found)), format="csr")
    return require("pandas", "A frame of Dask", "pandas").concat(found)


def _documents(parts: list[Any], of_ids: bool) -> Iterator[Any]:
    for part in parts:
        (found,) = compute([part])
        # Rows of an array of ids are documents.
        if of_ids and not isinstance(found, list):
            # Rows are documents. They may be those of a frame.
            yield from np.asarray(found)
        else:
            yield from as_iterable(found)


@contextmanager
def in_partition(number: int) -> Iterator[None]:
    """Name the partition in a ValueError, which names a document in it."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"Partition {number} of X: {error}") from None
