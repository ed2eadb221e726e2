"""The progress of a fit: notifications of scikit-learn's callbacks, printed lines."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replaces the class of scikit-learn 1.9. Older versions have no callbacks."""


# Beside epochs, a fit consists of reading, counting and factorising at most.
_STEPS = 3
# Parts of a step, of which callbacks are told one by one.
_PARTS = 100
# Seconds between two lines about a step, with `verbose` of 1 and of more.
_SELDOM, _OFTEN = 10.0, 1.0


class Progress:
    """The progress of a fit, of a step of it, or of a part of a step.

    It is a context manager. If there are callbacks, each of these is a task of
    scikit-learn.

    Parameters
    ----------
    estimator : BaseEstimator
        Its `verbose` is used.
    data : dict
        `X` and `y` for callbacks.
    context : sklearn.callback.CallbackContext or None
        None if there are no callbacks.
    name : str, default="fit"
    n_parts : int or None, default=0
        The number of parts that callbacks are notified of. None: one for each report.
    span : (float, float), default=(0.0, 1.0)
        Beginning and end of the step, as shares of the work that began at `since`. The
        time that is left of this work follows from it.
    since : float, default=None
        A time of `perf_counter`. None means now.

    Attributes
    ----------
    stopped : bool
        Whether a callback has asked to end the step, or steps of this kind.
    """

    def __init__(
        self,
        estimator: Any,
        data: dict[str, Any],
        context: Any,
        name: str = "fit",
        n_parts: int | None = 0,
        span: tuple[float, float] = (0.0, 1.0),
        since: float | None = None,
    ):
        self.estimator = estimator
        self.verbose = int(estimator.verbose)
        self.stopped = False
        self._data = data
        self._context = context
        self._name = name
        self._n_parts = n_parts
        self._span = span
        self._start = self._printed = perf_counter()
        self._since = self._start if since is None else since
        self._n_told = 0
        self._part: Progress | None = None
        self._ended = False
        if context is not None:
            context.call_on_fit_task_begin(estimator=estimator, **data)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def step(
        self,
        name: str,
        n_parts: int | None = _PARTS,
        span: tuple[float, float] = (0.0, 1.0),
        since: float | None = None,
    ) -> "Progress":
        """Begin a step. The parameters are those of the class."""
        context = self._context
        if context is not None:
            context = context.subcontext(task_name=name, max_subtasks=n_parts)
        step = Progress(self.estimator, self._data, context, name, n_parts, span, since)
        step._begin_part()
        return step

    @property
    def owner(self) -> str:
        """The name of the estimator's class."""
        return type(self.estimator).__name__

    @property
    def listens(self) -> bool:
        """Whether reports have any effect."""
        return self._context is not None or self.verbose > 0

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return perf_counter() - self._start

    def report(self, share: float = 0.0) -> bool:
        """Report the progress. Called in the thread that called `fit`.

        Parameters
        ----------
        share : float, default=0.0
            The share of the step that is done, or 0 if it is not known.

        Returns
        -------
        bool
            Whether a callback has asked to end the step.
        """
        if self._context is not None:
            reached = self._n_told + 1
            if self._n_parts is not None:
                reached = min(int(share * self._n_parts + 1e-6), self._n_parts)
            while self._n_told < reached:
                self._end_part()
        if self.verbose:
            every = _OFTEN if self.verbose > 1 else _SELDOM
            if perf_counter() - self._printed >= every and share < 1.0:
                self._printed = perf_counter()
                percent = f"{share:.0%}" if share else "under way"
                self.say(f"{self._name}: {percent}", *self.times(share))
        return self.stopped

    def say(self, *parts: str) -> None:
        """Print a line if `verbose` is set."""
        if self.verbose:
            print(f"[{self.owner}] {', '.join(filter(None, parts))}")

    def times(self, share: float = 1.0) -> tuple[str, str]:
        """Return the time that has passed and the time that is left, as text."""
        first, last = self._span
        done = first + share * (last - first)
        seconds = perf_counter() - self._since
        left = ""
        if 0.0 < done < 1.0:
            left = f"{seconds * (1.0 - done) / done:.1f} s left"
        return f"{seconds:.1f} s", left

    def end(self, fitted: Callable[[], dict[str, Any]] | None = None) -> bool:
        """End the step; return whether a callback wants no further step of this kind.

        Further calls do nothing.

        Parameters
        ----------
        fitted : callable, optional
            Returns the attributes that the estimator would have if the fit ended now.
        """
        if self._ended:
            return False
        self._ended = True
        if self._part is not None:
            self._part.end()
        if self._context is None:
            return False
        return self._context.call_on_fit_task_end(
            reconstruction_attributes=fitted, estimator=self.estimator, **self._data
        )

    def _begin_part(self) -> None:
        if self._context is None:
            return
        some_left = self._n_parts is None or self._n_told < self._n_parts
        self._part = None
        if some_left:
            context = self._context.subcontext(task_name="part", max_subtasks=0)
            self._part = Progress(self.estimator, self._data, context, "part")

    def _end_part(self) -> None:
        if self._part is not None:
            self.stopped |= self._part.end()
        self._n_told += 1
        self._begin_part()


def begin(estimator: Any, X: Any, y: Any, n_epochs: int | None = 0) -> Progress:
    """Notify callbacks that a fit begins.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator whose `fit` or `partial_fit` is running.
    X, y : object
        The arguments of `fit`. Callbacks do not get an iterator.
    n_epochs : int or None, default=0
        The largest number of epochs. None if it is not known before the documents are
        read.

    Returns
    -------
    Progress
    """
    context = None
    # A meta-estimator has passed on those of its callbacks that concern this fit.
    if getattr(estimator, "_skl_callbacks", None):
        n_steps = None if n_epochs is None else _STEPS + n_epochs
        context = estimator._init_callback_context(max_subtasks=n_steps)
    data = {"y": y} if hasattr(X, "__next__") else {"X": X, "y": y}
    return Progress(estimator, data, context)


def rate(amount: float, unit: str, seconds: float) -> str:
    """Return in words how fast something went, in millions of a unit."""
    return f"{amount / max(seconds, 1e-9) / 1e6:.2f} million {unit}/s"
