"""Collections of Dask as input: what they are, and their partitions in order."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import getitem
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.validation import (
    as_iterable,
    describe,
    is_frame,
    is_matrix,
)
from skembed._utils.extras import require

# Seconds between two looks at the workers, and looks at which none of them works.
_SECONDS, _PATIENCE = 2, 15
# Tables of vectors are large parts of a graph, but stand in it once only. It is set for
# a cluster alone: before distributed is loaded, it would displace all of its settings.
_LARGE = {"distributed.admin.large-graph-warning-threshold": "10 GiB"}


class SparseRows(NamedTuple):
    """The arrays of a csr_array, as a result of a task.

    Dask takes a csr_array itself for an object of 56 bytes. It would neither keep tasks
    near it nor notice that it fills a worker's memory.
    """

    values: np.ndarray
    columns: np.ndarray
    indptr: np.ndarray
    n_columns: int

    @classmethod
    def of(cls, matrix: sparse.csr_array) -> "SparseRows":
        return cls(matrix.data, matrix.indices, matrix.indptr, matrix.shape[1])

    def matrix(self) -> sparse.csr_array:
        shape = self.indptr.size - 1, self.n_columns
        return sparse.csr_array((self.values, self.columns, self.indptr), shape)


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


def items(results: Sequence[Any], position: int) -> list[Any]:
    """Return an item of the result of each of several tasks, as Delayed objects.

    Dask takes many tasks that share a name and few inputs for roots of a graph. It
    places these without regard to where their inputs are. Here, each call has a name
    of its own, so that Dask takes the items where the results are.
    """
    dask = _dask()
    name, item = f"item-{uuid.uuid4().hex}", dask.delayed(getitem, pure=False)
    return [
        item(result, position, dask_key_name=(name, number))
        for number, result in enumerate(results)
    ]


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
    with _sending():
        return cluster.compute(list(tasks))


@contextmanager
def _sending() -> Iterator[None]:
    """Name what cannot be sent to a cluster."""
    try:
        with _dask().config.set(_LARGE):
            yield
    except TypeError as error:
        raise TypeError(
            f"X or a parameter cannot be sent to the workers of the Dask cluster: "
            f"{error.__cause__ or error}. Pass documents, and functions such as "
            "`analyzer`, that can be pickled."
        ) from error


def computed(tasks: Iterator[tuple[Any, Any]], at_once: int) -> Iterator[Any]:
    """Yield the results of Delayed objects in order, of which few are held at a time.

    A cluster begins with a task when an earlier one has ended, and releases what it has
    sent. Otherwise, workers would hold inputs and results of many tasks.

    Parameters
    ----------
    tasks : iterator of (Delayed, object)
        Each with what it is computed from. A call with a list of persisted objects does
        not hold them. If nobody did, the cluster would drop them before the call.
    at_once : int
        How many tasks a cluster has at a time.

    Raises
    ------
    MemoryError
        As in `compute`.
    """
    cluster = client()
    if cluster is None:
        yield from compute(task for task, _ in tasks)
        return
    begun: list[tuple[Any, Any]] = []

    def begin(n_tasks: int) -> None:
        for task, inputs in islice(tasks, n_tasks):
            begun.append((*_started(cluster, [task]), inputs))

    begin(at_once)
    while begun:
        _wait(cluster, [begun[0][0]])
        begin(1)
        yield begun.pop(0)[0].result()


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
    with _sending():
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
        return sparse.vstack(list(map(_as_csr, found)), format="csr")
    return require("pandas", "A frame of Dask", "pandas").concat(found)


def _as_csr(block: Any) -> sparse.csr_array:
    if not sparse.issparse(block):
        # SciPy has no matrices of half precision or of another byte order.
        is_half = block.dtype == np.float16
        kind = np.float32 if is_half else block.dtype.newbyteorder("=")
        block = block.astype(kind, copy=False)
    return sparse.csr_array(block)


def _documents(parts: list[Any], of_ids: bool) -> Iterator[Any]:
    for part in parts:
        (found,) = compute([part])
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
