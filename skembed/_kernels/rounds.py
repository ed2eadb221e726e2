"""Rounds of a team of threads: sharing out the lanes, and adding up their updates.

Every row is written by one thread, which adds up all of its updates in lane order. So
the result does not depend on which thread that is.
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
def hashed(row):
    """Return 32 bits that spread rows evenly."""
    return (np.uint64(row) * KNUTH) & LOW_32


@helper
def rank(thread, row, size):
    """Return a thread's turn to add to a row, 0 for the first; it is never shared."""
    first = np.int64((hashed(row) * np.uint64(size)) >> SHIFT_32)
    return (thread - first + size) % size


@helper
def place_of(rows, row, stamp):
    """Return where a set holds a row, or would: the first place without this stamp.

    Parameters
    ----------
    rows : int64 (n, 2), IN
        n is a power of two. Column 0 holds rows, and column 1 their stamps.
    row : int
    stamp : int
    """
    last = rows.shape[0] - 1
    at = np.int64(hashed(row)) & last
    while rows[at, 1] >= stamp and rows[at, 0] != row:
        at = (at + 1) & last
    return at


@helper
def open_round(scratch):
    """Begin with an empty set of rows.

    A round has two stamps: of rows to add to, and of rows that other threads add to.
    """
    scratch.stamp[0] += 2


@helper
def list_slots(lanes, scratch, lane, team):
    """List a lane's slots with their rows.

    The rows join the set of those that this thread has computed in this round.
    """
    routes, rows, stamp = lanes.routes, scratch.rows, scratch.stamp[0]
    at = 0
    for part in range(PARTS):
        row = lanes.parts[lane, part, 2]
        for slot in range(lanes.parts[lane, part, 0], lanes.parts[lane, part, 1]):
            target = row + lanes.words[lane, slot]
            routes[lane, at, 0] = slot
            routes[lane, at, 1] = target
            at += 1
            if team.size > 1:
                place = place_of(rows, target, stamp)
                rows[place, 0] = target
                rows[place, 1] = stamp
    lanes.takers[lane, 0] = at
    lanes.takers[lane, 1] = team.thread


@helper
def keep_curvatures(lanes, scratch, lane):
    """Copy the curvatures of a lane's slots to where all threads read them."""
    for at in range(lanes.takers[lane, 0]):
        slot = lanes.routes[lane, at, 0]
        lanes.curvatures[lane, at] = scratch.slots[CURVATURE, slot]


@helper
def leave_rows(lanes, scratch, team):
    """Mark the rows of this thread's set that another thread adds to."""
    rows, stamp = scratch.rows, scratch.stamp[0]
    for lane in range(lanes.words.shape[0]):
        other = lanes.takers[lane, 1]
        if other == team.thread:
            continue
        for i in range(lanes.takers[lane, 0]):
            row = np.int64(lanes.routes[lane, i, 1])
            place = place_of(rows, row, stamp)
            if rows[place, 1] == stamp:
                mine = rank(team.thread, row, team.size)
                if rank(other, row, team.size) < mine:
                    rows[place, 1] = stamp + 1


@helper
def list_updates(lanes, scratch, team):
    """List the updates that this thread adds, in lane order; return their number.

    A row that one thread has computed alone is added to by that thread, whose cache
    holds the row and its updates. All other rows are shared out evenly.
    """
    owned, rows, stamp = scratch.owned, scratch.rows, scratch.stamp[0]
    if team.size > 1:
        leave_rows(lanes, scratch, team)
    n_owned = 0
    for lane in range(lanes.words.shape[0]):
        for i in range(lanes.takers[lane, 0]):
            row = np.int64(lanes.routes[lane, i, 1])
            if team.size > 1:
                place = place_of(rows, row, stamp)
                if rows[place, 1] != stamp or rows[place, 0] != row:
                    continue
            owned[n_owned, 0] = lane
            owned[n_owned, 1] = i
            owned[n_owned, 2] = row
            n_owned += 1
    return n_owned


@helper
def sum_curvatures(model, lanes, owned, n_owned):
    """Sum up the curvatures of this thread's rows in column ``n_components + 1``."""
    column = model.n_components + 1
    for k in range(n_owned):
        fetch_to_write(model.params, owned[min(k + AHEAD, n_owned - 1), 2])
        curvature = lanes.curvatures[owned[k, 0], owned[k, 1]]
        model.params[owned[k, 2], column] += curvature


@helper
def apply_updates(model, lanes, scratch, team, rate):
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
    scratch : Scratch
    team : Team
    rate : float32
    """
    params, updates, routes = model.params, lanes.updates, lanes.routes
    column, owned = model.n_components + 1, scratch.owned
    n_owned = list_updates(lanes, scratch, team)
    sum_curvatures(model, lanes, owned, n_owned)
    for k in range(n_owned):
        ahead = min(k + AHEAD, n_owned - 1)
        lane, slot = owned[ahead, 0], routes[owned[ahead, 0], owned[ahead, 1], 0]
        fetch_row(updates[lane], slot)
        lane, slot = owned[k, 0], routes[owned[k, 0], owned[k, 1], 0]
        target = owned[k, 2]
        bend = rate * params[target, column]
        damping = np.float32(2.0) / max(np.float32(2.0), bend)
        add_row(params, target, damping, updates[lane], slot)
    for k in range(n_owned):
        params[owned[k, 2], column] = np.float32(0.0)
    for lane in range(team.thread, lanes.words.shape[0], team.size):
        lanes.claims[lane * CLAIM_NUMBERS] = 0


@helper
def finish_round(model, lanes, scratch, team, rate, done):
    """Let all threads add the updates of their rows, once every lane is computed.

    Parameters
    ----------
    model : Model
    lanes : Lanes
    scratch : Scratch
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
            apply_updates(model, lanes, scratch, team, rate)
            apply_map(model.map, lanes, team, rate)
        elif meeting == 1 and team.thread == 0:
            finish_map(model.map)
    return True
