"""Interrupts (Ctrl-C): how a fit notices them, and what they end.

Python checks for signals between two of its own instructions. A long call of compiled
code in the main thread therefore delays an interrupt until the call returns.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Lock, Thread, current_thread, main_thread
from typing import Any

# Seconds between two checks for signals on systems where waiting for a thread blocks
# them, such as Windows.
LOOK = 0.1
# Whether a fit keeps its finished epochs after an interrupt.
_keeps_finished = ContextVar("keeps_finished", default=True)


def interruptible(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call compiled code that may take long without delaying interrupts.

    If this is the main thread, another thread makes the call. After an interrupt, that
    thread continues until the call returns, so the call must not change anything that
    is used afterwards. Other threads never receive an interrupt, so there it is an
    ordinary call.

    Parameters
    ----------
    function : callable
    *arguments : object

    Returns
    -------
    object
        What `function` returns.

    Raises
    ------
    BaseException
        What `function` raises, or KeyboardInterrupt.
    """
    if current_thread() is not main_thread():
        return function(*arguments)
    results: list[Any] = []
    errors: list[BaseException] = []
    running = Lock()

    def call() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:
            errors.append(error)
        finally:
            running.release()

    # NumPy stores its handling of floating-point errors in the context.
    thread = Thread(target=copy_context().run, args=(call,), name="skembed")
    running.acquire()
    thread.start()
    # Up to Python 3.12, `join` mistakes an interrupt for the end of the thread.
    while not (results or errors):
        running.acquire(timeout=LOOK)
    if errors:
        raise errors[0]
    return results[0]


def keeps_finished() -> bool:
    """Return whether an interrupted fit keeps finished epochs, instead of raising."""
    return _keeps_finished.get()


@contextmanager
def end_everything() -> Iterator[None]:
    """Let an interrupt end everything in this block: no fit keeps finished epochs."""
    token = _keeps_finished.set(False)
    try:
        yield
    finally:
        _keeps_finished.reset(token)
