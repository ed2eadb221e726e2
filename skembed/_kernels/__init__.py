"""Compiled functions of arrays and scalars: the only room that knows numba."""

import importlib

from skembed._utils.interrupts import interruptible

# An interrupt in the middle of it would leave a numba that cannot be used.
interruptible(importlib.import_module, "numba")
