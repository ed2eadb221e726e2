"""Interrupts (Ctrl-C): how they get through, and what they end.

Python looks at signals between two of its own steps, so a long call of foreign code in
the main thread keeps an interrupt waiting until it returns.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Lock, Thread, current_thread, main_thread
from typing import Any

# Seconds between two looks at signals where waiting for a thread keeps them out, as on
# Windows.
LOOK = 0.1
# Whether a fit answers an interrupt by keeping the epochs that are finished.
_keeps_finished = ContextVar("keeps_finished", default=True)


def interruptible(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call foreign code that may take long, so that an interrupt need not wait for it.

    In the main thread, the call is made in another thread, which goes on after an
    interrupt until it has come to its end; so it must not change what is used
    afterwards. Other threads never see an interrupt: there it is an ordinary call.

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

    # NumPy keeps in the context which floating-point errors it tells of.
    thread = Thread(target=copy_context().run, args=(call,), name="skembed")
    running.acquire()
    thread.start()
    # Not by `join`: up to Python 3.12 it takes an interrupt for the end of the thread.
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
    """Let an interrupt end whatever runs in this block, as programs want it."""
    token = _keeps_finished.set(False)
    try:
        yield
    finally:
        _keeps_finished.reset(token)
