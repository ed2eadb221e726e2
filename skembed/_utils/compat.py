"""What differs between versions of scikit-learn: callbacks, which came with 1.9."""

from collections.abc import Callable
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for that of scikit-learn where there are no callbacks yet."""


class Task:
    """A task of a fit, as callbacks are told of it; nothing where there are none.

    Parameters
    ----------
    context : sklearn.callback.CallbackContext or None
    estimator : BaseEstimator
    data : dict
        `X` and `y`, where callbacks may have them.
    """

    def __init__(self, context: Any, estimator: Any, data: dict[str, Any]):
        self._context = context
        self._about = {"estimator": estimator, **data}
        if context is not None:
            context.call_on_fit_task_begin(**self._about)

    def __bool__(self) -> bool:
        """Whether somebody listens."""
        return self._context is not None

    def task(self, name: str, n_tasks: int | None = 0) -> "Task":
        """Begin a task within this one, itself of at most so many (None: unknown)."""
        context = self._context
        if context is not None:
            context = context.subcontext(task_name=name, max_subtasks=n_tasks)
        about = dict(self._about)
        return Task(context, about.pop("estimator"), about)

    def end(self, fitted: Callable[[], dict[str, Any]] | None = None) -> bool:
        """End it; return whether a callback wants no more tasks of its kind.

        Parameters
        ----------
        fitted : callable, optional
            Returns the attributes of the estimator if it were fitted now.
        """
        if self._context is None:
            return False
        return self._context.call_on_fit_task_end(
            reconstruction_attributes=fitted, **self._about
        )


def begin_fit(estimator: Any, n_tasks: int | None, X: Any, y: Any) -> Task:
    """Tell callbacks that a fit begins.

    Parameters
    ----------
    estimator : BaseEstimator
        Within its method `fit` or one like it.
    n_tasks : int or None
        That it consists of, at most; None if that is not known.
    X, y : object
        What was passed to `fit`. An iterator is kept from callbacks.

    Returns
    -------
    Task
    """
    context = None
    # Of a meta-estimator's callbacks, those for this fit have been handed over to it.
    if getattr(estimator, "_skl_callbacks", None):
        context = estimator._init_callback_context(max_subtasks=n_tasks)
    data = {"y": y} if hasattr(X, "__next__") else {"X": X, "y": y}
    return Task(context, estimator, data)
