"""Forks: a child has only the thread that forked, whatever others were about."""

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

TOO_EARLY = (
    "This process was forked while another thread of its parent loaded the compiler or "
    "compiled, and cannot continue from there. Call skembed.warmup() before any thread "
    "is started or process forked, or start processes by 'spawn'."
)
_KERNELS = "skembed._kernels"
_COMPILER = ("numba", "llvmlite", _KERNELS)


class _HalfLoaded(ModuleType):
    """Stands for a module that another thread was loading when it was lost."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(TOO_EARLY)


def _is_half_loaded(name: str) -> bool:
    spec = getattr(sys.modules[name], "__spec__", None)
    return getattr(spec, "_initializing", False)


def _replace_half_loaded() -> None:
    """Let imports of kernels raise, which would wait for the lost thread for ever."""
    roots = tuple(f"{name}." for name in _COMPILER)
    loaded = [name for name in sys.modules if f"{name}.".startswith(roots)]
    if any(map(_is_half_loaded, loaded)):
        kernels = [name for name in loaded if name.startswith(_KERNELS)]
        for name in {_KERNELS, *kernels}:
            sys.modules[name] = _HalfLoaded(name)


def after_fork(function: Callable[[], Any]) -> None:
    """Let a function be called in every child that this process forks.

    Parameters
    ----------
    function : callable
        Without arguments. The child has no other thread yet.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=function)


after_fork(_replace_half_loaded)
