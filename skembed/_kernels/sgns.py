"""Skip-gram with negative sampling, one span at a time.

Noise words are drawn once per span and shared by its words; each is weighted so that
the expected gradient is that of `negative` draws per pair. A span's scores and updates
are small matrix products, computed in tiles of four words and four contexts.
"""

import numpy as np

from skembed._kernels.maps import map_words, unmap_steps
from skembed._kernels.rounds import finish_round, next_lane, route_updates
from skembed._kernels.simd import TILE, add_columns, add_rows, clear_rows, dot_tile
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
    set_part,
)
from skembed._kernels.steps import BIAS_STEP, CHUNK, step_chunk
from skembed._utils.jit import helper, kernel

# Parts of a span, see `spans.Lanes`.
WORDS, LEFT, LEFT_NOISE, RIGHT, RIGHT_NOISE = range(PARTS)


@helper
def weigh_pairs(model, sampler, scratch, n_words, columns):
    """Set the weights of all pairs of a span; return how many are positive.

    A context in the window has the weight 1. A noise word has the weight
    ``negative / n_noise`` for every context of the word. If left and right contexts
    have separate noise words, only the contexts of its side count.

    Parameters
    ----------
    columns : (int, int)
        First context slot and first noise slot.
    """
    window, weights = scratch.window, scratch.weights
    middle = columns[1] + sampler.n_noise // 2
    share = noise_share(model, sampler)
    pairs = 0
    for word in range(n_words):
        left = window[word, 1] - window[word, 0]
        right = window[word, 3] - window[word, 2]
        # Pairs outside all windows must not keep the steps of the last span.
        scratch.scores[word, columns[0] : columns[1]] = np.float32(0.0)
        weights[word, columns[0] : columns[1]] = np.float32(0.0)
        weights[word, window[word, 0] : window[word, 1]] = np.float32(1.0)
        weights[word, window[word, 2] : window[word, 3]] = np.float32(1.0)
        one, other = left + right, left + right
        if model.directional:
            one, other = left, right
        weights[word, columns[1] : middle] = share * np.float32(one)
        weights[word, middle:] = share * np.float32(other)
        pairs += left + right
    return pairs


@helper
def noise_share(model, sampler):
    """Return the weight of a noise word for each context."""
    n_noise = sampler.n_noise // 2 if model.directional else sampler.n_noise
    return np.float32(sampler.negative / n_noise)


@helper
def skip_equal_draws(model, sampler, lanes, scratch, lane, n_words):
    """Take out of a noise word's weights the pairs with an equal context.

    Such a draw is skipped, as in word2vec. If noise words are to be none of the
    window's words, it is skipped for all contexts of the window.
    """
    words, weights = lanes.words, scratch.weights
    share = noise_share(model, sampler)
    for noise_part in range(LEFT_NOISE, PARTS, RIGHT_NOISE - LEFT_NOISE):
        drawn = lanes.parts[lane, noise_part, 0]
        for slot in range(drawn, lanes.parts[lane, noise_part, 1]):
            for part in range(LEFT, RIGHT + 1, RIGHT - LEFT):
                own = part == noise_part - 1
                if not own and not sampler.exclusive:
                    continue
                first = lanes.parts[lane, part, 0]
                for j in range(first, lanes.parts[lane, part, 1]):
                    if words[lane, j] != words[lane, slot]:
                        continue
                    for word in range(n_words):
                        if sampler.exclusive:
                            weights[word, slot] *= np.float32(1.0) - weights[word, j]
                        else:
                            weights[word, slot] -= share * weights[word, j]


@helper
def reach(window, block, directional):
    """Return the tiles of context slots that some words use, left (or all) and right.

    Returns
    -------
    left, right : (int, int)
    """
    low, high = window[block[0], 0], window[block[0], 1]
    low_right, high_right = window[block[0], 2], window[block[0], 3]
    for word in range(block[0] + 1, block[1]):
        low = min(low, window[word, 0])
        high = max(high, window[word, 1])
        low_right = min(low_right, window[word, 2])
        high_right = max(high_right, window[word, 3])
    if not directional:
        return whole_tiles(low, max(high, high_right)), (0, 0)
    return whole_tiles(low, high), whole_tiles(low_right, high_right)


@helper
def whole_tiles(first, last):
    """Return the tiles that hold the slots first .. last - 1."""
    return first // TILE * TILE, (last + TILE - 1) // TILE * TILE


@helper
def score_block(scratch, block, left, right, noise, rate):
    """Score four words with some slots and the noise words; turn scores into steps.

    Parameters
    ----------
    block : (int, int)
        First and last + 1 word.
    left, right : (int, int)
        First and last + 1 slot of what is predicted.
    noise : int
        First noise slot.
    rate : float32
    """
    scores, weights = scratch.scores, scratch.weights
    open_words(scratch, block)
    for part in range(3):
        first, last = noise, scratch.vectors.shape[0]
        sign = np.float32(1.0)
        if part < 2:
            first, last = left if part == 0 else right
            sign = np.float32(-1.0)
        for slot in range(first, last, TILE):
            dot_tile(scratch.vectors, block[0], slot, scores)
        if first == last:
            continue
        for word in range(block[0], block[1]):
            for chunk in range(first // CHUNK, (last + CHUNK - 1) // CHUNK):
                at = (word, chunk * CHUNK)
                step_chunk(
                    scores, weights, scratch.slots, scratch.words, at, (sign, -rate)
                )


@helper
def add_updates(model, lanes, scratch, lane, n_words, radius):
    """Add up the steps of a span: of its words, its contexts and its noise words.

    Parameters
    ----------
    radius : int
        Largest distance of a context.
    """
    steps, vectors, updates = scratch.scores, scratch.vectors, lanes.updates[lane]
    n_slots = vectors.shape[0]
    noise = lanes.parts[lane, LEFT_NOISE, 0]
    for word in range(0, n_words, TILE):
        block = (word, min(word + TILE, n_words))
        left, right = reach(scratch.window, block, model.directional)
        clear_rows(updates, word, TILE)
        add_rows(updates, word, steps, vectors, left[0], left[1] - left[0])
        if model.directional:
            add_rows(updates, word, steps, vectors, right[0], right[1] - right[0])
        add_rows(updates, word, steps, vectors, noise, n_slots - noise)
    for part in range(LEFT, RIGHT + 1, RIGHT - LEFT):
        # The slot of word 0 as a context, were it one.
        center = scratch.window[0, 1 if part == LEFT else 2] - (part == RIGHT)
        first, last = lanes.parts[lane, part, 0], lanes.parts[lane, part, 1]
        for slot in range(first, last, TILE):
            low = max(slot - center - radius, 0)
            high = min(slot + TILE - center + radius, n_words)
            clear_rows(updates, slot, TILE)
            add_columns(updates, slot, steps, vectors, low, max(high - low, 0))
    for slot in range(noise, n_slots, TILE):
        clear_rows(updates, slot, TILE)
        add_columns(updates, slot, steps, vectors, 0, n_words)
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
    outer = lay_windows(tokens, sampler, scratch.stream, span, window)
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
        lane, tried = next_lane(lanes, team, 0)
        while lane >= 0:
            span = cut_span(tokens, lanes, lane, index, scratch.window.shape[0])
            if span[1] > span[0]:
                lay_slots(tokens, model, sampler, lanes, scratch, lane, span)
                n_words = span[1] - span[0]
                columns = (lanes.parts[lane, LEFT, 0], lanes.parts[lane, LEFT_NOISE, 0])
                gather(model, lanes, scratch, lane)
                pairs = weigh_pairs(model, sampler, scratch, n_words, columns)
                lanes.pairs[lane] += pairs
                skip_equal_draws(model, sampler, lanes, scratch, lane, n_words)
                for word in range(0, n_words, TILE):
                    block = (word, min(word + TILE, n_words))
                    map_words(model, scratch, block)
                    left, right = reach(scratch.window, block, model.directional)
                    score_block(scratch, block, left, right, columns[1], rate)
                lanes.loss[lane] += close_words(scratch, n_words)
                radius = sampler.window_thresholds.size
                add_updates(model, lanes, scratch, lane, n_words, radius)
                finish_updates(model, lanes, scratch, lane)
            route_updates(lanes, scratch, lane, team.size)
            lane, tried = next_lane(lanes, team, tried)
        if not finish_round(model, lanes, team, rate, done):
            return
