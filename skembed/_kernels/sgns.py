"""Skip-gram with negative sampling, one span at a time.

Noise words are drawn once per span and shared by its words; each is weighted so that
the expected gradient is that of `negative` draws per pair. A span's scores and updates
are small matrix products, computed in tiles of four words and four contexts.
"""

import numpy as np

from skembed._kernels._jit import helper, kernel
from skembed._kernels.rounds import apply_updates, next_lane, route_updates
from skembed._kernels.simd import TILE, add_columns, add_rows, dot_tile
from skembed._kernels.spans import (
    close_words,
    cut_span,
    draw_noise,
    finish_updates,
    gather,
    lay_windows,
    list_words,
    open_words,
    set_part,
)
from skembed._kernels.steps import BIAS_STEP, CHUNK, step_chunk
from skembed._kernels.sync import wait


@helper
def weigh_pairs(sampler, scratch, n_words, columns, center):
    """Set the weights of all pairs of a span; return how many are positive.

    A context in the window weighs 1. A noise word weighs ``negative / n_noise`` for
    every context of the word.

    Parameters
    ----------
    columns : (int, int)
        First context slot and first noise slot.
    center : int
        Context slot of word 0.
    """
    share = np.float32(sampler.negative / sampler.n_noise)
    pairs = 0
    for word in range(n_words):
        first, last = scratch.window[word, 0], scratch.window[word, 1]
        # Steps of pairs outside all windows must not be those of the last span.
        scratch.scores[word, columns[0] : columns[1]] = np.float32(0.0)
        scratch.weights[word, columns[0] : columns[1]] = np.float32(0.0)
        scratch.weights[word, first : last + 1] = np.float32(1.0)
        scratch.weights[word, center + word] = np.float32(0.0)
        weight = share * np.float32(last - first)
        scratch.weights[word, columns[1] :] = weight
        pairs += last - first
    return pairs


@helper
def skip_equal_draws(sampler, words, scratch, contexts, n_words):
    """Take the pairs whose context a noise word equals out of that word's weight.

    Such a draw is skipped, as in word2vec.

    Parameters
    ----------
    contexts : (int, int)
        First and last + 1 context slot.
    """
    share = np.float32(sampler.negative / sampler.n_noise)
    for slot in range(words.size - sampler.n_noise, words.size):
        drawn = words[slot]
        equal = 0
        for j in range(contexts[0], contexts[1]):
            equal += words[j] == drawn
        if equal == 0:
            continue
        for j in range(contexts[0], contexts[1]):
            if words[j] == drawn:
                for word in range(n_words):
                    scratch.weights[word, slot] -= share * scratch.weights[word, j]


@helper
def reach(window, first, last):
    """Return the tiles of context slots that the words first .. last - 1 use."""
    low, high = window[first, 0], window[first, 1]
    for word in range(first + 1, last):
        low = min(low, window[word, 0])
        high = max(high, window[word, 1])
    return low // TILE * TILE, (high // TILE + 1) * TILE


@helper
def score_block(scratch, block, near, noise, rate):
    """Score four words with some slots and the noise words; turn scores into steps.

    Parameters
    ----------
    block : (int, int)
        First and last + 1 word.
    near : (int, int)
        First and last + 1 slot of what is predicted.
    noise : int
        First noise slot.
    rate : float32
    """
    scores, weights = scratch.scores, scratch.weights
    open_words(scratch, block)
    for side in range(2):
        first = near[0] if side == 0 else noise
        last = near[1] if side == 0 else scratch.vectors.shape[0]
        sign = np.float32(-1.0 if side == 0 else 1.0)
        for slot in range(first, last, TILE):
            dot_tile(scratch.vectors, block[0], slot, scores)
        for word in range(block[0], block[1]):
            for chunk in range(first // CHUNK, (last + CHUNK - 1) // CHUNK):
                at = (word, chunk * CHUNK)
                step_chunk(
                    scores, weights, scratch.slots, scratch.words, at, (sign, -rate)
                )


@helper
def clear_rows(updates, first):
    """Set the four rows of a tile to zero, just before they are added to."""
    width = (updates.shape[1] >> 4) << 4
    for row in range(first, first + TILE):
        for k in range(width):
            updates[row, k] = np.float32(0.0)


@helper
def add_updates(model, updates, scratch, n_words, contexts, noise, nearest):
    """Add up the steps of a span: of its words, its contexts and its noise words.

    Parameters
    ----------
    contexts : (int, int)
        First and last + 1 context slot.
    noise : int
        First noise slot.
    nearest : (int, int)
        Context slot of word 0, and the largest distance of a context.
    """
    steps, vectors = scratch.scores, scratch.vectors
    n_slots = vectors.shape[0]
    for word in range(0, n_words, TILE):
        low, high = reach(scratch.window, word, min(word + TILE, n_words))
        clear_rows(updates, word)
        add_rows(updates, word, steps, vectors, low, high - low)
        add_rows(updates, word, steps, vectors, noise, n_slots - noise)
    for slot in range(contexts[0], contexts[1], TILE):
        first = max(slot - nearest[0] - nearest[1], 0)
        last = min(slot + TILE - nearest[0] + nearest[1], n_words)
        clear_rows(updates, slot)
        add_columns(updates, slot, steps, vectors, first, max(last - first, 0))
    for slot in range(noise, n_slots, TILE):
        clear_rows(updates, slot)
        add_columns(updates, slot, steps, vectors, 0, n_words)
    # The steps of the words' own biases; those of contexts come with their scale.
    for word in range(n_words):
        step = np.float32(model.word_bias) * scratch.slots[BIAS_STEP, word]
        updates[word, model.n_components] = step


@helper
def lay_slots(tokens, model, sampler, lanes, scratch, lane, span):
    """Lay the windows of a span; list its words, the contexts and fresh noise words.

    Returns
    -------
    contexts : (int, int)
        First and last + 1 slot.
    noise : (int, int)
        Likewise.
    center : int
        Context slot of word 0.
    """
    # A copy of its own for the thread: neighbouring lanes' streams share a cache line,
    # which two threads would take from each other at every draw.
    scratch.stream[0] = lanes.states[lane]
    outer = lay_windows(
        tokens, sampler.window_thresholds, scratch.stream, span, scratch.window
    )
    words, first = lanes.words[lane], scratch.window.shape[0]
    n_words, center = span[1] - span[0], first + span[0] - outer[0]
    contexts = (first, first + outer[1] + 1 - outer[0])
    for word in range(n_words):
        scratch.window[word, 0] += center - span[0]
        scratch.window[word, 1] += center - span[0]
    list_words(tokens, span, words, 0)
    list_words(tokens, (outer[0], outer[1] + 1), words, first)
    noise = draw_noise(words, sampler, scratch.stream)
    lanes.states[lane] = scratch.stream[0]
    set_part(lanes, lane, 0, (0, n_words), 0, 0)
    set_part(lanes, lane, 1, contexts, model.context_row, 1)
    set_part(lanes, lane, 2, noise, model.noise_row, 1)
    return contexts, noise, center


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
            n_words = span[1] - span[0]
            if n_words > 0:
                contexts, noise, center = lay_slots(
                    tokens, model, sampler, lanes, scratch, lane, span
                )
                gather(model, lanes, scratch, lane)
                columns = (contexts[0], noise[0])
                pairs = weigh_pairs(sampler, scratch, n_words, columns, center)
                lanes.pairs[lane] += pairs
                skip_equal_draws(sampler, lanes.words[lane], scratch, contexts, n_words)
                for word in range(0, n_words, TILE):
                    block = (word, min(word + TILE, n_words))
                    near = reach(scratch.window, block[0], block[1])
                    score_block(scratch, block, near, noise[0], rate)
                lanes.loss[lane] += close_words(scratch, n_words)
                nearest = (center, sampler.window_thresholds.size)
                updates = lanes.updates[lane]
                add_updates(
                    model, updates, scratch, n_words, contexts, noise[0], nearest
                )
                finish_updates(model, lanes, scratch, lane)
            route_updates(lanes, scratch, lane, team.size)
            lane, tried = next_lane(lanes, team, tried)
        if not wait(team, 2 * done + 1):
            return
        apply_updates(model, lanes, team, rate)
        if not wait(team, 2 * done + 2):
            return
