"""Rounds of a team of threads: sharing out the lanes, and adding up their updates.

The lanes are listed before a round. A row in a single slot of the round is updated by
the thread that computes the slot. Any other row is written by one thread, which adds up
all of its updates in lane order. So the result does not depend on who writes a row.
"""

import numpy as np

from skembed._kernels.maps import apply_map, finish_map, is_learned
from skembed._kernels.simd import add_row, fetch_early, fetch_row, fetch_to_write
from skembed._kernels.spans import AHEAD, CLAIM_NUMBERS, LOW_32, PARTS, SHIFT_32
from skembed._kernels.steps import CURVATURE
from skembed._utils.barrier import count_up, wait
from skembed._utils.jit import helper

# An odd number that spreads its multiples evenly over 32 bits (Knuth).
KNUTH = np.uint64(0x9E3779B1)
YES = np.uint64(1)
SHIFT_5, LOW_5 = np.uint64(5), np.uint64(31)


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
def lane_ahead(model, lanes, lane, team):
    """Return the lane whose rows are asked for while a lane is computed, or -1.

    It is the one that the thread takes next, if tables are too large for the caches.
    """
    last = (team.thread + 1) * lanes.words.shape[0] // team.size
    return lane + 1 if model.far and lane + 1 < last else -1


@helper
def fetch_ahead(model, lanes, lane, group, n_words):
    """Ask for a share of a lane's rows, that of some of the `n_words` words in work.

    The processor waits for no row then, because it has asked for few at a time.
    """
    if lane >= 0:
        n_slots = lanes.n_slots[lane]
        last = group[1] * n_slots // n_words
        for at in range(group[0] * n_slots // n_words, last):
            fetch_early(model.params, lanes.targets[lane, at])


@helper
def hashed(row, size):
    """Return a number below `size`, at most 2**32, that spreads rows evenly.

    It is unsigned, because numba checks whether a signed index is negative.
    """
    return (((np.uint64(row) * KNUTH) & LOW_32) * np.uint64(size)) >> SHIFT_32


@helper
def open_lists(lanes, team):
    """Begin with no rows in this thread's sets; return the lanes that it lists."""
    for number in range(lanes.rows.shape[1]):
        lanes.rows[team.thread, number] = np.uint32(0)
        lanes.repeated[team.thread, number] = np.uint32(0)
    n_lanes = lanes.words.shape[0]
    first = team.thread * n_lanes // team.size
    return first, (team.thread + 1) * n_lanes // team.size


@helper
def bit_of(size, row):
    """Return in which of the numbers of a set a row has its bit, and where."""
    bit = hashed(row, 32 * size)
    return bit >> SHIFT_5, bit & LOW_5


@helper
def enter_row(lanes, thread, row):
    """Enter a row into a thread's set, and again into that of repeated rows.

    Some other rows seem to be in a set then, because they have the same bit.
    """
    number, place = bit_of(lanes.rows.shape[1], row)
    bit, before = np.uint32(YES << place), lanes.rows[thread, number]
    lanes.repeated[thread, number] |= before & bit
    lanes.rows[thread, number] = before | bit


@helper
def list_slots(lanes, lane, team):
    """List a lane's slots with their rows, and enter these into the thread's sets."""
    at = 0
    for part in range(PARTS):
        row = lanes.parts[lane, part, 2]
        for slot in range(lanes.parts[lane, part, 0], lanes.parts[lane, part, 1]):
            target = row + lanes.words[lane, slot]
            lanes.slots[lane, at] = slot
            lanes.targets[lane, at] = target
            at += 1
            enter_row(lanes, team.thread, target)
    lanes.n_slots[lane] = at


@helper
def open_round(lanes, scratch, team):
    """Write the sets of the rows that this round needs, once all lanes are listed.

    Parameters
    ----------
    lanes : Lanes
    scratch : Scratch
        Of this thread. Its sets are written: of the rows that are in more than one
        slot, and of the rows whose updates this thread adds up.
    team : Team
    """
    for thread in range(lanes.rows.shape[0]):
        fetch_row(lanes.rows, thread)
        fetch_row(lanes.repeated, thread)
    for number in range(scratch.repeated_rows.size):
        some, more = np.uint32(0), np.uint32(0)
        for thread in range(lanes.rows.shape[0]):
            rows = lanes.rows[thread, number]
            more |= lanes.repeated[thread, number] | (some & rows)
            some |= rows
        scratch.repeated_rows[number] = more
    if team.size > 1:
        choose_rows(lanes, scratch.owned_rows, team)


@helper
def choose_rows(lanes, owned_rows, team):
    """Write the set of the rows whose updates this thread adds up.

    Of the threads whose sets have a row, it is the first in an order that differs from
    number to number of the sets. All threads see the same sets, so that exactly one is
    first: the only one that has computed the row, if there is just one.

    Parameters
    ----------
    lanes : Lanes
    owned_rows : uint32 (n,), OUT
    team : Team
    """
    first = 0
    for number in range(owned_rows.size):
        bits = lanes.rows[team.thread, number]
        thread = first
        while thread != team.thread:
            bits &= ~lanes.rows[thread, number]
            thread = 0 if thread + 1 == team.size else thread + 1
        owned_rows[number] = bits
        first = 0 if first + 1 == team.size else first + 1


@helper
def has_row(owned_rows, row):
    """Return 1 if a set has a row, else 0."""
    number, place = bit_of(owned_rows.size, row)
    return np.int64((np.uint64(owned_rows[number]) >> place) & YES)


@helper
def add_single_updates(model, lanes, scratch, lane, rate):
    """Add a lane's updates of the rows that are in one slot only; list the others.

    No other lane of the round reads or changes such a row.
    """
    params, updates, owned = model.params, lanes.updates, scratch.owned
    n_single, n_pending = 0, 0
    for at in range(lanes.n_slots[lane]):
        slot, target = lanes.slots[lane, at], lanes.targets[lane, at]
        # Without a branch, whose outcome no processor could predict.
        pending = has_row(scratch.repeated_rows, target)
        lanes.pending[2 * lane, n_pending] = slot
        lanes.pending[2 * lane + 1, n_pending] = target
        lanes.curvatures[lane, n_pending] = scratch.slots[CURVATURE, slot]
        n_pending += pending
        owned[n_single, 0] = slot
        owned[n_single, 1] = target
        n_single += 1 - pending
    lanes.n_pending[lane] = n_pending
    for k in range(n_single):
        slot, target = np.int64(owned[k, 0]), np.int64(owned[k, 1])
        damping = damp(rate * scratch.slots[CURVATURE, slot])
        add_row(params, target, damping, updates[lane], slot)


@helper
def damp(bend):
    """Return the factor of an update, see `apply_updates`."""
    return np.float32(2.0) / max(np.float32(2.0), bend)


@helper
def fetch_lists(lanes):
    """Ask for what other threads have noted of this round."""
    for lane in range(lanes.words.shape[0]):
        fetch_row(lanes.pending, 2 * lane)
        fetch_row(lanes.pending, 2 * lane + 1)
        fetch_row(lanes.curvatures, lane)


@helper
def list_updates(lanes, scratch, team):
    """List the updates that this thread adds, in lane order; return their number.

    A row that one thread has computed alone is added to by that thread, whose cache
    holds the row and its updates. All other rows are shared out evenly.
    """
    owned = scratch.owned
    if team.size > 1:
        fetch_lists(lanes)
    n_owned = 0
    for lane in range(lanes.words.shape[0]):
        for i in range(lanes.n_pending[lane]):
            row = np.int64(lanes.pending[2 * lane + 1, i])
            owned[n_owned, 0] = lane
            owned[n_owned, 1] = i
            owned[n_owned, 2] = row
            # Without a branch, whose outcome no processor could predict.
            n_owned += has_row(scratch.owned_rows, row) if team.size > 1 else 1
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
    params, updates, pending = model.params, lanes.updates, lanes.pending
    column, owned = model.n_components + 1, scratch.owned
    n_owned = list_updates(lanes, scratch, team)
    sum_curvatures(model, lanes, owned, n_owned)
    for k in range(n_owned):
        ahead = min(k + AHEAD, n_owned - 1)
        lane, slot = owned[ahead, 0], pending[2 * owned[ahead, 0], owned[ahead, 1]]
        fetch_row(updates[lane], slot)
        lane, slot = owned[k, 0], pending[2 * owned[k, 0], owned[k, 1]]
        target = owned[k, 2]
        damping = damp(rate * params[target, column])
        add_row(params, target, damping, updates[lane], slot)
    for k in range(n_owned):
        params[owned[k, 2], column] = np.float32(0.0)
    for lane in range(team.thread, lanes.words.shape[0], team.size):
        lanes.claims[lane * CLAIM_NUMBERS] = 0


@helper
def meetings_before(model, step):
    """Return how many meetings precede those of the `step`-th round of a call.

    The threads meet once before the first round, when they have listed its lanes.
    """
    return 1 + (3 if is_learned(model.map) else 2) * (step - 1)


@helper
def finish_round(model, lanes, scratch, team, rate, step):
    """Let all threads add the updates of their rows, once every lane is computed.

    Parameters
    ----------
    model : Model
    lanes : Lanes
    scratch : Scratch
    team : Team
    rate : float32
    step : int
        1 for the first round of this call of the kernel.

    Returns
    -------
    bool
        False if a thread has failed and the others should return.
    """
    if not wait(team, meetings_before(model, step) + 1):
        return False
    apply_updates(model, lanes, scratch, team, rate)
    apply_map(model.map, lanes, team, rate)
    return True


@helper
def close_round(model, team, step):
    """Wait until all threads have added updates and listed the next round's lanes.

    Parameters
    ----------
    model : Model
    team : Team
    step : int
        As in `finish_round`, or 0 before the first round.

    Returns
    -------
    bool
        As in `finish_round`.
    """
    if step == 0:
        return wait(team, 1)
    meetings = meetings_before(model, step) + 2
    going_on = wait(team, meetings)
    if going_on and is_learned(model.map):
        if team.thread == 0:
            finish_map(model.map)
        going_on = wait(team, meetings + 1)
    return going_on
