"""A barrier for threads inside running kernels.

Threads of one team call the same kernel with their own index. They meet by counting
up one shared number with an atomic addition and waiting until all have done so.
Waiting threads soon offer the processor to others, because there may be more threads
than processors.
"""

import sys
from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from skembed._utils.jit import COMPILED, helper

# Attempts before a waiting thread offers its processor, and before it sleeps: on a busy
# machine an offer alone often goes to no one.
_SPINS, _OFFERS = 2000, 300
_NAP_MICROSECONDS = 50
# Places in `Team.shared`, a cache line apart.
_ARRIVED, ABORTED = 0, 8
TEAM_NUMBERS = 16


class Team(NamedTuple):
    """One thread's view of the threads that run a kernel together."""

    thread: int  # 0 .. size - 1
    size: int
    shared: np.ndarray  # INOUT int64 (TEAM_NUMBERS,), zeros before the kernel starts


def _pointer(context, builder, kind, value, index):
    array = context.make_array(kind)(context, builder, value)
    return builder.gep(array.data, [index])


@intrinsic
def _atomic_add(typing_context, array, index, value):
    signature = types.int64(array, types.int64, types.int64)

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, array, arguments[0], arguments[1])
        return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")

    return signature, generate


@intrinsic
def _atomic_load(typing_context, array, index):
    signature = types.int64(array, types.int64)

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, array, arguments[0], arguments[1])
        return builder.load_atomic(pointer, "seq_cst", 8)

    return signature, generate


def _plain_add(array, index, value):
    """Without the JIT, where a team is one thread."""
    before = array[index]
    array[index] += value
    return before


def _plain_load(array, index):
    return array[index]


if not COMPILED:
    _atomic_add, _atomic_load = _plain_add, _plain_load

if sys.platform == "win32":
    # Sleeping there takes a millisecond at least.
    _yield_processor = types.ExternalFunction("SwitchToThread", types.int32())

    @helper
    def _give_way(attempts):
        _yield_processor()
else:
    _yield_processor = types.ExternalFunction("sched_yield", types.int32())
    _sleep = types.ExternalFunction("usleep", types.int32(types.uint32))

    @helper
    def _give_way(attempts):
        if attempts > _SPINS + _OFFERS:
            _sleep(np.uint32(_NAP_MICROSECONDS))
        else:
            _yield_processor()


@helper
def wait(team, meeting):
    """Wait until all threads of a team have come to their `meeting`-th meeting.

    Parameters
    ----------
    team : Team
    meeting : int
        1, 2, ... within one call of the kernel.

    Returns
    -------
    bool
        False if a thread has failed and the others should return.
    """
    if team.size == 1:
        return True
    _atomic_add(team.shared, _ARRIVED, 1)
    spins = 0
    while _atomic_load(team.shared, _ARRIVED) < meeting * team.size:
        if _atomic_load(team.shared, ABORTED) != 0:
            return False
        spins += 1
        if spins > _SPINS:
            _give_way(spins)
    return True


@helper
def count_up(numbers, place):
    """Add one to a number that threads share; return what it was before."""
    return _atomic_add(numbers, place, 1)
