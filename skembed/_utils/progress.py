"""What is told of a fit while it runs: to callbacks of scikit-learn, and in lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

from skembed._utils.compat import Task, begin_fit

# Beside epochs, a fit consists of reading, counting and factorising at most.
_STEPS = 3
# Parts of a step, of which callbacks are told one by one.
_PARTS = 100
# Seconds between two lines about a step, with `verbose` of 1 and of more.
_SELDOM, _OFTEN = 10.0, 1.0

# Takes the share of a step that is done; returns whether a callback wants its end.
Report = Callable[[float], bool]


class Span(NamedTuple):
    """Where a step lies in something larger, for the time that is left of this."""

    first: float
    last: float
    since: float  # `perf_counter` when it began


class Course:
    """A fit under way.

    Parameters
    ----------
    estimator : BaseEstimator
        Within its method `fit` or one like it; its `verbose` is read.
    X, y : object
        What was passed to `fit`.
    n_epochs : int or None, default=0
        At most; None if that is not known before the documents are read.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, n_epochs: int | None = 0):
        self.estimator = estimator
        self.verbose = int(estimator.verbose)
        n_tasks = None if n_epochs is None else _STEPS + n_epochs
        self._task = begin_fit(estimator, n_tasks, X, y)

    @contextmanager
    def step(
        self, name: str, n_parts: int | None = _PARTS, span: Span | None = None
    ) -> Iterator["Step"]:
        """Do one step of the fit in this block.

        Parameters
        ----------
        name : str
        n_parts : int or None, default=100
            Of how many parts callbacks are told; None if one for every report.
        span : Span, default=None
            Given if it is not the step that ends in the time that is printed.
        """
        step = Step(self, self._task.task(name, n_parts), name, n_parts, span)
        try:
            yield step
        finally:
            step.close()

    def say(self, *parts: str) -> None:
        """Print a line, if `verbose` asks for it."""
        if self.verbose:
            print(f"[{type(self.estimator).__name__}] {', '.join(filter(None, parts))}")

    def end(self, fitted: Callable[[], dict[str, Any]]) -> None:
        """End the fit, whose attributes `fitted` returns."""
        self._task.end(fitted)


class Step:
    """One step of a fit: reading, counting, factorising, an epoch.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to end it, or steps like it.
    """

    def __init__(
        self,
        course: Course,
        task: Task,
        name: str,
        n_parts: int | None,
        span: Span | None,
    ):
        self.stopped = False
        self._course = course
        self._task = task
        self._name = name
        self._n_parts = n_parts
        self._start = perf_counter()
        self._span = span or Span(0.0, 1.0, self._start)
        self._printed = self._start
        self._told = 0
        self._part: Task | None = None
        self._ended = False
        self._begin_part()

    @property
    def listens(self) -> bool:
        """Whether reports make a difference."""
        return bool(self._task) or self._course.verbose > 0

    @property
    def seconds(self) -> float:
        """Since it began."""
        return perf_counter() - self._start

    def report(self, share: float = 0.0) -> bool:
        """Tell how much is done; in the thread that has called `fit`.

        Parameters
        ----------
        share : float, default=0.0
            Of the step; 0 if nobody knows.

        Returns
        -------
        bool
            Whether a callback has asked to end it.
        """
        if self._task:
            reached = self._told + 1
            if self._n_parts is not None:
                reached = min(int(share * self._n_parts + 1e-6), self._n_parts)
            while self._told < reached:
                self._end_part()
        course = self._course
        if course.verbose:
            every = _OFTEN if course.verbose > 1 else _SELDOM
            if perf_counter() - self._printed >= every and share < 1.0:
                self._printed = perf_counter()
                percent = f"{share:.0%}" if share else "under way"
                course.say(f"{self._name}: {percent}", *self.times(share))
        return self.stopped

    def times(self, share: float = 1.0) -> tuple[str, str]:
        """Return in words how long all has taken, and what time is left of it."""
        span = self._span
        done = span.first + share * (span.last - span.first)
        seconds = perf_counter() - span.since
        left = ""
        if 0.0 < done < 1.0:
            left = f"{seconds * (1.0 - done) / done:.1f} s left"
        return f"{seconds:.1f} s", left

    def end(self, fitted: Callable[[], dict[str, Any]] | None = None) -> bool:
        """End it; return whether a callback wants no further step like it.

        Parameters
        ----------
        fitted : callable, optional
            Returns the attributes of the estimator if it were fitted now.
        """
        self._ended = True
        if self._part is not None:
            self._part.end()
        return self._task.end(fitted)

    def close(self) -> None:
        """End it unless that has been done."""
        if not self._ended:
            self.end()

    def _begin_part(self) -> None:
        some_left = self._n_parts is None or self._told < self._n_parts
        self._part = self._task.task("part") if self._task and some_left else None

    def _end_part(self) -> None:
        if self._part is not None:
            self.stopped |= self._part.end()
        self._told += 1
        self._begin_part()


def rate(amount: float, unit: str, seconds: float) -> str:
    """Return in words how fast something went, in millions of a unit."""
    return f"{amount / max(seconds, 1e-9) / 1e6:.2f} million {unit}/s"
