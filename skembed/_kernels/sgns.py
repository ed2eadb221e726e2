"""Skip-gram with negative sampling, one span at a time.

Noise words are drawn once per span and shared by its words; each is weighted so that
the expected gradient is that of `negative` draws per pair. A span's scores and updates
are small matrix products, computed in tiles of four words and four contexts.
"""

import numpy as np

from skembed._kernels.maps import map_words, unmap_steps
from skembed._kernels.rounds import finish_round, next_lane, open_round, route_updates
from skembed._kernels.simd import (
    TILE,
    add_columns,
    add_rows,
    clear_rows,
    dot_tile,
    is_among,
    mark_window,
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
    open_words,
    place_windows,
    score_noise,
    set_part,
)
from skembed._kernels.steps import BIAS_STEP, CHUNK, step_chunk
from skembed._utils.jit import helper, kernel

# Parts of a span, see `spans.Lanes`.
WORDS, LEFT, LEFT_NOISE, RIGHT, RIGHT_NOISE = range(PARTS)


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
        weights[word, column : column + half] = one
        weights[word, column + half :] = other
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
def reach(window, group, part, directional):
    """Return the first and last + 1 slot of a group's contexts in a part."""
    first = 2 if part == RIGHT else 0
    last = first + 1 if directional else 3
    low, high = window[group[0], first], window[group[0], last]
    for word in range(group[0] + 1, group[1]):
        low = min(low, window[word, first])
        high = max(high, window[word, last])
    return low, high


@helper
def score_contexts(scratch, group, contexts, column, rate):
    """Score four words with the contexts around them; turn scores into steps.

    Parameters
    ----------
    group : (int, int)
        First and last + 1 word.
    contexts : (int, int)
        First and last + 1 slot.
    column : int
        The column of the first context.
    rate : float32
    """
    scores, weights, window = scratch.scores, scratch.weights, scratch.window
    first, last = contexts
    for slot in range(first, last, TILE):
        dot_tile(scratch.vectors, group[0], slot, scores, column + slot - first)
    how = (np.float32(-1.0), -rate)
    for word in range(group[0], group[1]):
        for slot in range(first, last, CHUNK):
            at = column + slot - first
            mark_window(weights, word, at, slot, window)
            place = (word, at, slot)
            step_chunk(scores, weights, scratch.slots, scratch.words, place, how)


@helper
def add_contexts(scratch, updates, group, contexts, column):
    """Add the steps of four words and their contexts to each other's updates."""
    steps, vectors = scratch.scores, scratch.vectors
    word, n_words = group[0], group[1] - group[0]
    first, last = contexts
    at = (word, column)
    add_rows(updates, word, steps, at, vectors, first, last - first)
    for slot in range(first, last, TILE):
        at = (word, column + slot - first)
        add_columns(updates, slot, steps, at, vectors, word, n_words)


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
    at = (group[0], first_noise)
    write_rows(updates, group[0], steps, at, vectors, noise, n_noise)
    for side in range(2 if model.directional else 1):
        part = RIGHT if side else LEFT
        contexts = reach(scratch.window, group, part, model.directional)
        column = side * (first_noise // 2)
        score_contexts(scratch, group, contexts, column, rate)
        add_contexts(scratch, updates, group, contexts, column)


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
    window, words = scratch.window, lanes.words[lane]
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
    for done in range(rounds[1] - rounds[0]):
        index = rounds[0] + done
        rate = np.float32(rates[0] + rates[1] * index)
        open_round(scratch)
        lane, tried = next_lane(lanes, team, 0)
        while lane >= 0:
            span = cut_span(tokens, lanes, lane, index, scratch.window.shape[0])
            if span[1] > span[0]:
                lay_slots(tokens, model, sampler, lanes, scratch, lane, span)
                n_words = span[1] - span[0]
                gather(model, lanes, scratch, lane)
                lanes.pairs[lane] += weigh_noise(model, sampler, scratch, n_words)
                skip_equal_draws(model, sampler, lanes, scratch, lane, n_words)
                for word in range(0, n_words, TILE):
                    map_words(model, scratch, (word, min(word + TILE, n_words)))
                # Behind the slots is room for the transpose.
                n_slots, d = lanes.words.shape[1], model.n_components
                noise = (n_slots - sampler.n_noise, n_slots)
                column = scratch.scores.shape[1] - sampler.n_noise
                lanes.loss[lane] += score_noise(
                    scratch, noise, column, n_slots, (n_words, d), rate
                )
                clear_contexts(lanes, lane)
                for word in range(0, n_words, TILE):
                    group = (word, min(word + TILE, n_words))
                    train_group(model, sampler, lanes, scratch, lane, group, rate)
                lanes.loss[lane] += close_words(scratch, n_words)
                add_updates(model, sampler, lanes, scratch, lane, n_words)
                finish_updates(model, lanes, scratch, lane)
            route_updates(lanes, scratch, lane, team)
            lane, tried = next_lane(lanes, team, tried)
        if not finish_round(model, lanes, scratch, team, rate, done):
            return
