"""Threads of one fit: they share one kernel, or work on separate tasks."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from itertools import count, pairwise
from threading import RLock, get_ident, get_native_id, local
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from threadpoolctl import ThreadpoolController  # scikit-learn requires it too

from skembed._utils.forks import after_fork
from skembed._utils.interrupts import LOOK

# The number of BLAS threads belongs to the process, and calls of `one_blas_thread` may
# overlap. Each has its mark here; the last one to leave restores the numbers.
_blas_users: set[tuple[int, object]] = set()
_blas_before: dict[str, tuple[Any, int]] = {}
# Held while numbers are set only. A signal handler may come to it in the same thread.
_blas_lock = RLock()
# What was found among the loaded libraries, and how many modules there were then.
_found: tuple[int, ThreadpoolController] | None = None
# Tasks of a stream that are in memory, for each thread.
AHEAD = 2


def _libraries() -> ThreadpoolController:
    """Return the libraries of this process whose threads can be counted and set.

    Looking for them takes longer than a small fit. They are loaded by modules of
    Python, so that they are looked for again only where modules have been imported.
    """
    global _found
    n_modules = len(sys.modules)
    found = _found
    if found is None or found[0] != n_modules:
        found = _found = n_modules, ThreadpoolController()
    return found[1]


def _forget_other_threads() -> None:
    """Keep what the forking thread uses: the others do not exist in the child."""
    global _blas_lock
    _blas_lock = RLock()
    here = get_ident()
    _blas_users.difference_update([one for one in _blas_users if one[0] != here])
    if not _blas_users:
        _restore_blas_threads()


after_fork(_forget_other_threads)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Give BLAS a single thread, whose number changes the bits of its results.

    No caller waits for another one. A call may come at any moment of another, also
    from a signal handler, so that every step leaves a state that the next call can
    start from.
    """
    mark = get_ident(), object()
    libraries = _libraries().select(user_api="blas").lib_controllers
    try:
        _blas_users.add(mark)
        with _blas_lock:
            for library in libraries:
                n = library.get_num_threads()
                if n != 1:
                    _blas_before[library.filepath] = library, n
                    _let_any_thread_set(library)
                    library.set_num_threads(1)
        yield
    finally:
        _blas_users.discard(mark)
        with _blas_lock:
            if not _blas_users:
                _restore_blas_threads()


def one_openmp_thread() -> Any:
    """Return a context manager that gives OpenMP a single thread.

    Threads add up in any order, which changes the bits of sums. The number belongs to
    the calling thread, so that calls may overlap.
    """
    return _libraries().limit(limits=1, user_api="openmp")


def _restore_blas_threads() -> None:
    for path, (library, n) in list(_blas_before.items()):
        _let_any_thread_set(library)
        library.set_num_threads(n)
        _let_any_thread_set(library)
        _blas_before.pop(path, None)


def _let_any_thread_set(library: Any) -> None:
    """Let any thread set a number, of which only the first one is allowed to.

    Newer versions of threadpoolctl silently ignore the others.
    """
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)


def n_threads(n_jobs: int | None, at_most: int) -> int:
    """Return how many threads to use, by joblib's rules.

    Parameters
    ----------
    n_jobs : int or None
        None means 1 outside a :func:`joblib.parallel_config`, -1 all processors.
    at_most : int
        Number of threads that have enough work.

    Returns
    -------
    int
        1 where the JIT is off, since only compiled code leaves the GIL.
    """
    from skembed._utils.jit import COMPILED

    wanted = effective_n_jobs(n_jobs)
    return max(1, min(wanted, at_most)) if COMPILED else 1


def row_ranges(indptr: np.ndarray, n_entries: int) -> list[tuple[int, int]]:
    """Cut the rows of a sparse matrix into ranges, whatever the number of threads.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,)
        Or any other amounts that are added up.
    n_entries : int
        Of a range, about; one row may have more.

    Returns
    -------
    list of (int, int)
        First row, and the one behind the last.
    """
    cuts = np.searchsorted(indptr, np.arange(n_entries, indptr[-1], n_entries))
    return list(pairwise(np.unique([0, *cuts.tolist(), indptr.size - 1]).tolist()))


def _real_threads(size: int) -> ThreadPoolExecutor | None:
    """Return a pool of threads, or None if its work runs in the calling thread."""
    pool = ThreadPoolExecutor(size)
    if pool.submit(get_native_id).result() != get_native_id():
        return pool
    pool.shutdown()
    return None


def _result(future: Future) -> Any:
    """Wait for a result, and notice interrupts meanwhile."""
    while not future.done():
        wait([future], LOOK)
    return future.result()


class ThreadTeam:
    """The threads of one fit; a context manager that ends them.

    Results must not depend on the number of threads: whoever hands out work sees to
    it that every number is written by one task and in one order.

    Parameters
    ----------
    size : int
        With 1, work is done in the calling thread. So it is where threads are none,
        as those that gevent or eventlet put in their place: they take turns in one
        thread, in which the first that waits for another waits for ever.

    Attributes
    ----------
    size : int
    """

    def __init__(self, size: int):
        from skembed._utils import barrier

        self._sync = barrier
        self._shared = np.zeros(barrier.TEAM_NUMBERS, dtype=np.int64)
        self._pool = _real_threads(size) if size > 1 else None
        self.size = size if self._pool else 1

    def __enter__(self) -> "ThreadTeam":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def run(
        self, work: Callable[[Any], Any], watch: Callable[[], Any] = lambda: None
    ) -> list[Any]:
        """Call ``work(team)`` once in every thread and wait for all.

        Parameters
        ----------
        work : callable
            Takes this thread's `Team` and passes it to a kernel, in which threads may
            wait for each other.
        watch : callable, optional
            Called now and then in the calling thread while others work.

        Returns
        -------
        list
            What each thread's call returned, by the thread's index.
        """
        self._shared[:] = 0
        teams = [self._sync.Team(i, self.size, self._shared) for i in range(self.size)]
        if self._pool is None:
            return [work(teams[0])]
        futures: list[Future] = []
        try:
            for team in teams:
                # NumPy stores its handling of floating-point errors in the context.
                run = copy_context().run
                futures.append(self._pool.submit(run, self._guarded, work, team))
            while wait(futures, LOOK, FIRST_EXCEPTION).not_done:
                for future in futures:
                    if future.done():
                        future.result()
                watch()
            return [future.result() for future in futures]
        except BaseException:
            # An interrupt reaches this thread alone; the others stop soon.
            self._shared[self._sync.ABORTED] = 1
            raise

    def map(
        self,
        work: Callable[[int, Any], Any],
        tasks: Iterable[Any],
        report: Callable[[float], Any] | None = None,
    ) -> list[Any]:
        """Call ``work(thread, task)`` for all tasks, each in the next free thread.

        Parameters
        ----------
        work : callable
            Takes the index of the thread, for its own work space, and a task.
        tasks : iterable
        report : callable, default=None
            Called in the calling thread, now and then, with the share of tasks that are
            done.

        Returns
        -------
        list
            Results in the order of the tasks.
        """
        listed = list(tasks)
        numbered = enumerate(listed)
        results: dict[int, Any] = {}

        def tell() -> None:
            if report is not None and listed:
                report(len(results) / len(listed))

        def work_off(team: Any) -> None:
            # `next` of this iterator is one step under the GIL.
            for number, task in numbered:
                if self._shared[self._sync.ABORTED]:
                    return
                results[number] = work(team.thread, task)
                if self.size == 1 and report is not None:
                    report(len(results) / len(listed))

        self.run(work_off, tell)
        if self.size > 1:
            tell()
        return [*map(results.__getitem__, range(len(listed)))]

    def stream(
        self, work: Callable[[int, Any], Any], tasks: Iterable[Any]
    ) -> Iterator[Any]:
        """Yield ``work(thread, task)`` for tasks of which few are in memory.

        Parameters
        ----------
        work : callable
            As in `map`. The tasks of each thread are in their order.
        tasks : iterable
            The calling thread iterates over it, some tasks ahead of the results.

        Yields
        ------
        object
            The results, in the order of the tasks.
        """
        if self._pool is None:
            for task in tasks:
                yield work(0, task)
            return
        mine, numbers = local(), count()

        def call(task: Any) -> Any:
            if not hasattr(mine, "number"):
                # `next` of this iterator is one step under the GIL.
                mine.number = next(numbers)
            return work(mine.number, task)

        waiting: deque[Future] = deque()
        try:
            for task in tasks:
                waiting.append(self._pool.submit(copy_context().run, call, task))
                if len(waiting) == AHEAD * self.size:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            for future in waiting:
                future.cancel()

    def _guarded(self, work: Callable[[Any], Any], team: Any) -> Any:
        try:
            return work(team)
        except BaseException:
            # The others would wait for this thread for ever.
            self._shared[self._sync.ABORTED] = 1
            raise
