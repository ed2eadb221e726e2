"""Rounds of a team of threads: sharing out the lanes, and adding up their updates.

A lane's updates are sorted by the thread that adds them, which depends on the row
alone. So every row is written by one thread, in lane order.
"""

import numpy as np

from skembed._kernels.maps import apply_map, finish_map, is_learned
from skembed._kernels.simd import add_row, fetch_row, fetch_to_write
from skembed._kernels.spans import AHEAD, CLAIM_NUMBERS, LOW_32, PARTS, SHIFT_32
from skembed._kernels.steps import CURVATURE
from skembed._utils.barrier import count_up, wait
from skembed._utils.jit import helper

# An odd number that spreads its multiples evenly over 32 bits (Knuth).
KNUTH = np.uint64(0x9E3779B1)


@helper
def next_lane(lanes, team, tried):
    """Return a lane of this round that no other thread has taken.

    A thread begins with its own lanes, whose buffers are in its cache, and then helps
    out with what the others have left.

    Parameters
    ----------
    lanes : Lanes
    team : Team
    tried : int
        Lanes that this thread has tried before in this round.

    Returns
    -------
    lane : int
        -1 if none is left.
    tried : int
    """
    n_lanes = lanes.words.shape[0]
    first = team.thread * n_lanes // team.size
    while tried < n_lanes:
        lane = (first + tried) % n_lanes
        tried += 1
        if count_up(lanes.claims, lane * CLAIM_NUMBERS) == 0:
            return lane, tried
    return -1, tried


@helper
def owner(row, size):
    """Return the thread that adds to a row; frequent words' rows are spread evenly."""
    spread = (np.uint64(row) * KNUTH) & LOW_32
    return np.int64((spread * np.uint64(size)) >> SHIFT_32)


@helper
def route_updates(lanes, scratch, lane, size):
    """Sort a lane's updates by the thread, one of `size`, that adds them."""
    bounds, routes = lanes.bounds, lanes.routes
    for thread in range(size + 2):
        bounds[lane, thread] = 0
    for part in range(PARTS):
        row = lanes.parts[lane, part, 2]
        for slot in range(lanes.parts[lane, part, 0], lanes.parts[lane, part, 1]):
            bounds[lane, owner(row + lanes.words[lane, slot], size) + 2] += 1
    for thread in range(size):
        bounds[lane, thread + 2] += bounds[lane, thread + 1]
    for part in range(PARTS):
        row = lanes.parts[lane, part, 2]
        for slot in range(lanes.parts[lane, part, 0], lanes.parts[lane, part, 1]):
            target = row + lanes.words[lane, slot]
            thread = owner(target, size)
            at = bounds[lane, thread + 1]
            bounds[lane, thread + 1] = at + 1
            routes[lane, at, 0] = slot
            routes[lane, at, 1] = target
            lanes.curvatures[lane, at] = scratch.slots[CURVATURE, slot]


@helper
def sum_curvatures(model, lanes, thread):
    """Sum up the curvatures of this thread's rows in column ``n_components + 1``."""
    column = model.n_components + 1
    for lane in range(lanes.words.shape[0]):
        last = lanes.bounds[lane, thread + 1]
        for i in range(lanes.bounds[lane, thread], last):
            ahead = min(i + AHEAD, last - 1)
            fetch_to_write(model.params, lanes.routes[lane, ahead, 1])
            target = lanes.routes[lane, i, 1]
            model.params[target, column] += lanes.curvatures[lane, i]


@helper
def apply_updates(model, lanes, team, rate):
    """Add the updates of this thread's rows in a round, in lane order.

    Many updates of one row, computed from the same parameters, may add up to more
    than any of them meant. So a row's sum is scaled down where the learning rate
    exceeds 2 / curvature, the limit of gradient descent. The curvature is bounded by
    the sum of ``w (b(z) |x|**2 + s(z))`` over the row's pairs: w the pair's weight, x
    the other vector, ``b(z) = (s(|z|) - 1/2) / |z|`` the curvature of the parabola
    that touches log(1 + exp(z)) from above (Jaakkola & Jordan 2000), and s(z), the
    sigmoid, what couples the two rows of a pair, which move at the same time. Rows of
    rare words, and all rows once the rate has decayed, are not affected.

    Parameters
    ----------
    model : Model
    lanes : Lanes
    team : Team
    rate : float32
    """
    thread = team.thread
    params, updates, routes = model.params, lanes.updates, lanes.routes
    column = model.n_components + 1
    sum_curvatures(model, lanes, thread)
    for lane in range(lanes.words.shape[0]):
        rows, last = updates[lane], lanes.bounds[lane, thread + 1]
        for i in range(lanes.bounds[lane, thread], last):
            ahead = min(i + AHEAD, last - 1)
            fetch_row(rows, routes[lane, ahead, 0])
            slot, target = routes[lane, i, 0], routes[lane, i, 1]
            bend = rate * params[target, column]
            damping = np.float32(2.0) / max(np.float32(2.0), bend)
            add_row(params, target, damping, rows, slot)
    for lane in range(lanes.words.shape[0]):
        for i in range(lanes.bounds[lane, thread], lanes.bounds[lane, thread + 1]):
            params[routes[lane, i, 1], column] = np.float32(0.0)
    for lane in range(thread, lanes.words.shape[0], team.size):
        lanes.claims[lane * CLAIM_NUMBERS] = 0


@helper
def finish_round(model, lanes, team, rate, done):
    """Let all threads add the updates of their rows, once every lane is computed.

    Parameters
    ----------
    model : Model
    lanes : Lanes
    team : Team
    rate : float32
    done : int
        Rounds that this call of the kernel has finished before.

    Returns
    -------
    bool
        False if a thread has failed and the others should return.
    """
    meetings = 3 if is_learned(model.map) else 2
    for meeting in range(meetings):
        if not wait(team, meetings * done + meeting + 1):
            return False
        if meeting == 0:
            apply_updates(model, lanes, team, rate)
            apply_map(model.map, lanes, team, rate)
        elif meeting == 1 and team.thread == 0:
            finish_map(model.map)
    return True
