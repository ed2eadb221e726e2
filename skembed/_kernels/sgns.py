"""Skip-gram with negative sampling, one span at a time.

Noise words are drawn once per span and shared by its words; each is weighted so that
the expected gradient is that of `negative` draws per pair. A span's scores and updates
are small matrix products, computed in tiles of four words and four contexts.
"""

import numpy as np

from skembed._kernels.maps import map_words, unmap_steps
from skembed._kernels.rounds import (
    add_single_updates,
    close_round,
    fetch_ahead,
    finish_round,
    lane_ahead,
    list_slots,
    next_lane,
    open_lists,
    open_round,
)
from skembed._kernels.simd import (
    TILE,
    add_columns,
    clear_rows,
    dot_tile,
    is_among,
    write_columns,
    write_rows,
)
from skembed._kernels.spans import (
    PARTS,
    close_words,
    cut_span,
    draw_noise,
    finish_updates,
    gather,
    lay_windows,
    list_words,
    load_window,
    open_words,
    place_windows,
    score_noise,
    set_part,
)
from skembed._kernels.steps import BIAS_STEP, CHUNK, step_block
from skembed._utils.jit import helper, kernel

# Parts of a span, see `spans.Lanes`.
WORDS, LEFT, LEFT_NOISE, RIGHT, RIGHT_NOISE = range(PARTS)
HALF = CHUNK // 2


@helper
def noise_share(model, sampler):
    """Return the weight of a noise word for each context."""
    n_noise = sampler.n_noise // 2 if model.directional else sampler.n_noise
    return np.float32(sampler.negative / n_noise)


@helper
def weigh_noise(model, sampler, scratch, n_words):
    """Set the weights of pairs with noise words; return how many are positive.

    A noise word has the weight ``negative / n_noise`` for every context of the word. If
    left and right contexts have separate noise words, only the contexts of its side
    count.
    """
    window, weights = scratch.window, scratch.weights
    column = weights.shape[1] - sampler.n_noise
    half, share = sampler.n_noise // 2, noise_share(model, sampler)
    pairs = 0
    for word in range(n_words):
        left = window[word, 1] - window[word, 0]
        right = window[word, 3] - window[word, 2]
        pairs += left + right
        one, other = left + right, left + right
        if model.directional:
            one, other = left, right
        one, other = share * np.float32(one), share * np.float32(other)
        for k in range(column, column + half, HALF):
            # As many as the compiler puts into one register.
            for place in range(k, k + HALF):
                weights[word, place] = one
                weights[word, place + half] = other
    return pairs


@helper
def has_context(window, word, slot):
    """Whether a slot is in the window of a word."""
    left = window[word, 0] <= slot < window[word, 1]
    return left or window[word, 2] <= slot < window[word, 3]


@helper
def skip_equal_draws(model, sampler, lanes, scratch, lane, n_words):
    """Take out of a noise word's weights the pairs with an equal context.

    Such a draw is skipped, as in word2vec. If noise words are to be none of the
    window's words, it is skipped for all contexts of the window.
    """
    words = lanes.words
    n_slots = words.shape[1]
    for part in range(LEFT, RIGHT + 1, RIGHT - LEFT):
        for slot in range(lanes.parts[lane, part, 0], lanes.parts[lane, part, 1]):
            for drawn in range(n_slots - sampler.n_noise, n_slots, CHUNK):
                if is_among(words[lane, slot], words, lane, drawn):
                    at = (slot, part, drawn)
                    skip_draws_of(model, sampler, words[lane], scratch, at, n_words)


@helper
def skip_draws_of(model, sampler, words, scratch, at, n_words):
    """Skip those of 16 noise words that equal the context in a slot.

    Parameters
    ----------
    at : (int, int, int)
        The slot, its part, and the first slot of the noise words.
    """
    window, weights, (slot, part, first) = scratch.window, scratch.weights, at
    share = noise_share(model, sampler)
    behind = words.size - weights.shape[1]
    for drawn in range(first, first + CHUNK):
        other_side = model.directional and (drawn >= words.size - sampler.n_noise // 2)
        own = other_side == (part == RIGHT)
        if words[drawn] != words[slot] or not (own or sampler.exclusive):
            continue
        for word in range(n_words):
            if has_context(window, word, slot):
                if sampler.exclusive:
                    weights[word, drawn - behind] = np.float32(0.0)
                else:
                    weights[word, drawn - behind] -= share


@helper
def reach(window, group, edges):
    """Return the first and last + 1 slot of a group's contexts.

    They lie between two of the four columns of the windows.
    """
    low, high = window[group[0], edges[0]], window[group[0], edges[1]]
    for word in range(group[0] + 1, group[1]):
        low = min(low, window[word, edges[0]])
        high = max(high, window[word, edges[1]])
    return low, high


@helper
def reach_both(model, window, group):
    """Return the slots of a group's left contexts, or all, and of its right ones.

    The scores with the right ones begin at column `edge`, which the third number is.
    """
    left = reach(window, group, (0, 1 if model.directional else 3))
    right = (left[1], left[1])
    if model.directional:
        right = reach(window, group, (2, 3))
    # Whole tiles, which have no steps where they exceed all windows.
    edge = -(-(left[1] - left[0]) // TILE) * TILE
    return left, right, edge


@helper
def slot_of(column, left, right, edge):
    """Return the slot of the context in a column."""
    return left[0] + column if column < edge else right[0] + column - edge


@helper
def score_contexts(scratch, group, left, right, edge, rate):
    """Score four words with the contexts around them; turn scores into steps.

    Parameters
    ----------
    scratch : Scratch
    group : (int, int)
        First and last + 1 word.
    left, right, edge : (int, int), (int, int), int
        As from `reach_both`.
    rate : float32
    """
    scores, n_columns = scratch.scores, edge + right[1] - right[0]
    for column in range(0, n_columns, TILE):
        slot = slot_of(column, left, right, edge)
        dot_tile(scratch.vectors, group[0], slot, scores, column)
    slots, words, window = scratch.slots, scratch.words, scratch.window
    for column in range(0, n_columns, CHUNK):
        at = (column, left[0] + column, right[0] + column - edge, edge - column)
        step_block(scores, slots, words, window, group, at, rate)


@helper
def add_contexts(scratch, updates, group, left, right, edge):
    """Add the steps of the contexts of four words to the contexts' updates."""
    word, n_words = group[0], group[1] - group[0]
    for column in range(0, edge + right[1] - right[0], TILE):
        slot = slot_of(column, left, right, edge)
        at = (word, column)
        add_columns(updates, slot, scratch.scores, at, scratch.vectors, word, n_words)


@helper
def clear_contexts(lanes, lane):
    """Set the updates of a span's contexts to zero."""
    for part in range(LEFT, RIGHT + 1, RIGHT - LEFT):
        first = lanes.parts[lane, part, 0]
        clear_rows(lanes.updates[lane], first, lanes.parts[lane, part, 1] - first)


@helper
def train_group(model, sampler, lanes, scratch, lane, group, rate):
    """Train four neighbouring words, whose noise words have been scored.

    Parameters
    ----------
    model : Model
    sampler : Sampler
    lanes : Lanes
    scratch : Scratch
    lane : int
    group : (int, int)
        First and last + 1 word.
    rate : float32
    """
    updates, n_noise = lanes.updates[lane], sampler.n_noise
    steps, vectors = scratch.scores, scratch.vectors
    first_noise, noise = steps.shape[1] - n_noise, lanes.words.shape[1] - n_noise
    open_words(scratch, group)
    left, right, edge = reach_both(model, scratch.window, group)
    score_contexts(scratch, group, left, right, edge, rate)
    runs = (
        (first_noise, noise, n_noise),
        (0, left[0], left[1] - left[0]),
        (edge, right[0], right[1] - right[0]),
    )
    write_rows(updates, group[0], steps, group[0], vectors, runs)
    add_contexts(scratch, updates, group, left, right, edge)


@helper
def add_updates(model, sampler, lanes, scratch, lane, n_words):
    """Add up the steps of a span's noise words; finish those of its words."""
    steps, vectors, updates = scratch.scores, scratch.vectors, lanes.updates[lane]
    noise = lanes.words.shape[1] - sampler.n_noise
    column = steps.shape[1] - sampler.n_noise
    for k in range(0, sampler.n_noise, TILE):
        at = (0, column + k)
        write_columns(updates, noise + k, steps, at, vectors, 0, n_words)
    unmap_steps(model, lanes, scratch, lane, n_words)
    # Steps of the words' biases. Those of contexts are computed with their scale.
    for word in range(n_words):
        step = np.float32(model.word_bias) * scratch.slots[BIAS_STEP, word]
        updates[word, model.n_components] = step


@helper
def lay_slots(tokens, model, sampler, lanes, scratch, lane, span):
    """Lay the windows of a span; list its words, the contexts and fresh noise words."""
    # Each thread works on a copy. The streams of neighbouring lanes share a cache line,
    # which would move between two threads at every draw.
    scratch.stream[0] = lanes.states[lane]
    window, words = lanes.windows[lane], lanes.words[lane]
    outer = lay_windows(tokens, sampler, scratch.stream, span, window, TILE)
    size = window.shape[0]
    set_part(lanes, lane, WORDS, (0, span[1] - span[0]), 0, 0)
    list_words(tokens, span, words, 0)
    left, right = (outer[0], outer[1] + 1), (outer[0], outer[0])
    first_right = size
    if model.directional:
        # No word has the last word as a left context, or the first as a right one.
        left, right = (outer[0], span[1] - 1), (span[0] + 1, outer[1] + 1)
        first_right += (words.size - sampler.n_noise - size) // 2
    place_windows(window, span, size - left[0], first_right - right[0])
    list_part(tokens, model, lanes, lane, LEFT, left, size)
    list_part(tokens, model, lanes, lane, RIGHT, right, first_right)
    first, last = draw_noise(words, sampler, scratch.stream)
    middle = first + sampler.n_noise // 2 if model.directional else last
    lanes.states[lane] = scratch.stream[0]
    set_part(lanes, lane, LEFT_NOISE, (first, middle), model.rows[2], 1)
    set_part(lanes, lane, RIGHT_NOISE, (middle, last), model.rows[3], 1)


@helper
def list_part(tokens, model, lanes, lane, part, positions, first):
    """List the words at some positions as contexts on one side."""
    n_slots = max(positions[1] - positions[0], 0)
    list_words(tokens, positions, lanes.words[lane], first)
    row = model.rows[0] if part == LEFT else model.rows[1]
    set_part(lanes, lane, part, (first, first + n_slots), row, 1)


@helper
def train_span(model, sampler, lanes, scratch, lane, n_words, rate, ahead):
    """Train the words of a lane's span, whose slots have been listed.

    Parameters
    ----------
    model : Model
    sampler : Sampler
    lanes : Lanes
    scratch : Scratch
    lane : int
    n_words : int
        The number of words of the span.
    rate : float32
    ahead : int
        As from `lane_ahead`.
    """
    load_window(lanes, scratch, lane, n_words)
    gather(model, lanes, scratch, lane)
    lanes.pairs[lane] += weigh_noise(model, sampler, scratch, n_words)
    skip_equal_draws(model, sampler, lanes, scratch, lane, n_words)
    for word in range(0, n_words, TILE):
        map_words(model, scratch, (word, min(word + TILE, n_words)))
    # Behind the slots is room for the transpose.
    n_slots, d = lanes.words.shape[1], model.n_components
    noise = (n_slots - sampler.n_noise, n_slots)
    column = scratch.scores.shape[1] - sampler.n_noise
    lanes.loss[lane] += score_noise(scratch, noise, column, n_slots, (n_words, d), rate)
    clear_contexts(lanes, lane)
    for word in range(0, n_words, TILE):
        group = (word, min(word + TILE, n_words))
        fetch_ahead(model, lanes, ahead, group, n_words)
        train_group(model, sampler, lanes, scratch, lane, group, rate)
    lanes.loss[lane] += close_words(scratch, n_words)
    add_updates(model, sampler, lanes, scratch, lane, n_words)
    finish_updates(model, lanes, scratch, lane)
    add_single_updates(model, lanes, scratch, lane, rate)


@helper
def list_round(tokens, model, sampler, lanes, scratch, index, team):
    """List the slots of this thread's lanes in round `index`."""
    first, last = open_lists(lanes, team)
    for lane in range(first, last):
        span = cut_span(tokens, lanes, lane, index, scratch.window.shape[0])
        if span[1] > span[0]:
            lay_slots(tokens, model, sampler, lanes, scratch, lane, span)
            list_slots(lanes, lane, team)


@kernel
def train_rounds(tokens, model, sampler, lanes, scratch, rounds, rates, team):
    """Train the spans of rounds ``rounds[0]`` .. ``rounds[1] - 1`` of an epoch.

    Parameters
    ----------
    tokens : int32 (n_kept,), IN
        ``~id`` where a document starts.
    model : Model
    sampler : Sampler
    lanes : Lanes
    scratch : Scratch
        Of this thread.
    rounds : (int, int)
    rates : (float, float)
        Learning rate of the epoch's first round, and its change per round.
    team : Team
    """
    n_rounds = rounds[1] - rounds[0]
    # In every step, a round is computed and the next one's lanes are listed.
    for step in range(n_rounds + 1):
        if step > 0:
            rate = np.float32(rates[0] + rates[1] * (rounds[0] + step - 1))
            open_round(lanes, scratch, team)
            lane, tried = next_lane(lanes, team, 0)
            while lane >= 0:
                n_words = lanes.parts[lane, WORDS, 1] - lanes.parts[lane, WORDS, 0]
                lanes.n_words[lane], lanes.n_pending[lane] = n_words, 0
                if n_words > 0:
                    ahead = lane_ahead(model, lanes, lane, team)
                    train_span(
                        model, sampler, lanes, scratch, lane, n_words, rate, ahead
                    )
                lane, tried = next_lane(lanes, team, tried)
            if not finish_round(model, lanes, scratch, team, rate, step):
                return
        if step < n_rounds:
            index = rounds[0] + step
            list_round(tokens, model, sampler, lanes, scratch, index, team)
        if not close_round(model, team, step):
            return
