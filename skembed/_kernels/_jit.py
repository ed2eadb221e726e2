"""The decorators through which every kernel is compiled.

Kernels are compiled lazily, release the GIL, keep NaN checks (``fastmath=True``
would delete them) and are cached on disk. Numba keys its cache by the file of the
outermost function only, so an edit to a helper in another file of this room would
leave a stale kernel behind; `_RoomCache` adds a hash of the whole room to the key.
"""

import functools
import hashlib
from pathlib import Path

import numba
import numpy as np
from numba.core.caching import FunctionCache

from skembed._interrupts import interruptible

# "contract" allows fused multiply-add and "reassoc" vectorised sums; "nnan" and
# "ninf" are left out on purpose.
FASTMATH = {"reassoc", "contract", "arcp", "nsz", "afn"}
COMPILED = not numba.config.DISABLE_JIT


def _room_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


ROOM_HASH = _room_hash()


class _RoomCache(FunctionCache):
    """Numba's disk cache with the sources of the whole room in its key."""

    def _index_key(self, sig, codegen):
        return (*super()._index_key(sig, codegen), ROOM_HASH)

    def save_overload(self, sig, data):
        """Save a compiled kernel; a full or read-only disk only costs the reuse."""
        try:
            super().save_overload(sig, data)
        except OSError:
            # The kernel in memory is complete: the next process compiles again.
            self.disable()


def _without_jit(function):
    """Plain Python with the wrap-around of unsigned integers that kernels rely on."""

    def wrapped(*args):
        with np.errstate(over="ignore"):
            return function(*args)

    wrapped.__name__ = function.__name__
    wrapped.__doc__ = function.__doc__
    return wrapped


def _compile(function, **options):
    if not COMPILED:
        return _without_jit(function)
    return numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", **options)(
        function
    )


def helper(function):
    """Compile a part of kernels, always inlined into them.

    A helper that stays a function of its own is another piece of code in the process
    that compiles than in one that loads the kernel from the cache: optimised apart,
    it may add in another order, and the last bits differ. Python cannot call it.

    Parameters
    ----------
    function : callable
        A plain function of arrays, scalars and named tuples of these.

    Returns
    -------
    callable
        Numba's dispatcher, or a plain Python function when ``NUMBA_DISABLE_JIT``
        is set.
    """
    # No other code calls it, so the wrappers for Python and C would be compiled for
    # nothing: a fifth of the time of a cold start.
    return _compile(
        function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )


def kernel(function):
    """Compile an entry point on its first call and cache it on disk.

    Parameters
    ----------
    function : callable
        As in `helper`.

    Returns
    -------
    callable
        As in `helper`.
    """
    if not COMPILED:
        return _compile(function)
    dispatcher = _compile(function, no_cfunc_wrapper=True)
    # LLVM may take seconds for one call. Numba calls this for types it has not seen.
    compile_for = dispatcher._compile_for_args
    dispatcher._compile_for_args = functools.partial(interruptible, compile_for)
    try:
        cache = _RoomCache(dispatcher.py_func)
    except RuntimeError:
        # No folder to write to (read-only installation, no HOME): compile in memory.
        return dispatcher
    dispatcher._cache = cache
    return dispatcher
