"""Continuous bag of words with negative sampling, one span at a time.

A span's slots hold, in this order: the hidden vectors, each the mean (or sum) of a
word's context vectors; the rows of the predicted words, from the context table; the
rows of the words around, from the word table; and the noise words, from the context
table. The score of a hidden vector with the word it predicts lies on the diagonal of
the second part, its other scores there have no weight. Everything is a small matrix
product: H = A X, scores = H Y', dY = S' H, dH = S Y, dX = A' dH.
"""

import numpy as np

from skembed._kernels.maps import map_words, unmap_steps
from skembed._kernels.rounds import finish_round, next_lane, route_updates
from skembed._kernels.simd import TILE, add_columns, add_rows, clear_rows, dot_tile
from skembed._kernels.spans import (
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
from skembed._kernels.steps import (
    BIAS,
    BIAS_STEP,
    CHUNK,
    CURVATURE,
    NORM,
    step_chunk,
)
from skembed._utils.jit import helper, kernel

# Parts of a span, see `spans.Lanes`.
WORDS, AROUND, NOISE = range(3)


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
            dot_tile(scratch.vectors, block[0], slot, scores, slot)
        if first == last:
            continue
        for word in range(block[0], block[1]):
            for chunk in range(first // CHUNK, (last + CHUNK - 1) // CHUNK):
                at = (word, chunk * CHUNK, chunk * CHUNK)
                step_chunk(
                    scores, weights, scratch.slots, scratch.words, at, (sign, -rate)
                )


@helper
def lay_slots(tokens, model, sampler, lanes, scratch, lane, span):
    """Lay the windows of a span; list its words, the words around and noise words."""
    # Each thread works on a copy, as in skip-gram.
    scratch.stream[0] = lanes.states[lane]
    window, words = scratch.window, lanes.words[lane]
    outer = lay_windows(tokens, sampler, scratch.stream, span, window, 1)
    size, first = window.shape[0], 2 * window.shape[0]
    place_windows(window, span, first - outer[0], first - outer[0])
    list_words(tokens, span, words, size)
    list_words(tokens, (outer[0], outer[1] + 1), words, first)
    noise = draw_noise(words, sampler, scratch.stream)
    lanes.states[lane] = scratch.stream[0]
    last = first + outer[1] + 1 - outer[0]
    set_part(lanes, lane, WORDS, (size, size + span[1] - span[0]), model.rows[0], 1)
    set_part(lanes, lane, AROUND, (first, last), 0, 0)
    set_part(lanes, lane, NOISE, noise, model.rows[2], 1)


@helper
def share_of(model, n_contexts):
    """Return how much of a context's vector goes into the hidden vector."""
    if model.average and n_contexts > 0:
        return np.float32(1.0) / np.float32(n_contexts)
    return np.float32(1.0)


@helper
def weigh_words(model, sampler, lanes, scratch, lane):
    """Set the weights of contexts in hidden vectors, and of what these predict.

    The first are the matrix A. A word's own prediction weighs 1, a noise word
    ``negative / n_noise``; one that equals the predicted word is skipped, as in
    word2vec, and so are words without contexts.

    Returns
    -------
    int
        Number of words that have contexts, which are what is predicted.
    """
    weights, words, window = scratch.weights, lanes.words, scratch.window
    targets, noise = lanes.parts[lane, WORDS, 0], lanes.parts[lane, NOISE, 0]
    share = np.float32(sampler.negative / sampler.n_noise)
    n_words = lanes.parts[lane, WORDS, 1] - targets
    predicted = 0
    for word in range(n_words):
        n_contexts = count_contexts(window, word)
        some = np.float32(1.0 if n_contexts > 0 else 0.0)
        weights[word, targets:noise] = np.float32(0.0)
        part = share_of(model, n_contexts)
        weights[word, window[word, 0] : window[word, 1]] = part
        weights[word, window[word, 2] : window[word, 3]] = part
        weights[word, targets + word] = some
        for slot in range(noise, words.shape[1]):
            equal = words[lane, slot] == words[lane, targets + word]
            if sampler.exclusive:
                for j in range(window[word, 0], window[word, 3]):
                    equal |= words[lane, slot] == words[lane, j]
            weights[word, slot] = np.float32(0.0) if equal else share * some
        predicted += n_contexts > 0
    return predicted


@helper
def count_contexts(window, word):
    """Return how many contexts a word has."""
    return window[word, 1] - window[word, 0] + window[word, 3] - window[word, 2]


@helper
def build_hidden(model, scratch, block):
    """Pool the context vectors of four words, with their biases; take their norms."""
    vectors, slots = scratch.vectors, scratch.slots
    width = (vectors.shape[1] >> 4) << 4
    low, high = reach(scratch.window, block, False)[0]
    clear_rows(vectors, block[0], TILE)
    at = (block[0], low)
    add_rows(vectors, block[0], scratch.weights, at, vectors, low, high - low)
    for word in range(block[0], block[1]):
        bias = np.float32(0.0)
        for slot in range(scratch.window[word, 0], scratch.window[word, 3]):
            bias += scratch.weights[word, slot] * slots[BIAS, slot]
        norm = np.float32(0.0)
        for k in range(width):
            norm += vectors[word, k] * vectors[word, k]
        slots[BIAS, word] = bias
        slots[NORM, word] = norm + np.float32(model.context_bias)
        slots[BIAS_STEP, word] = np.float32(0.0)
        slots[CURVATURE, word] = np.float32(0.0)


@helper
def spread_step(model, updates, scratch, word):
    """Make the step of a hidden vector that of every vector in its mean, too.

    So the mean moves by the step, as in word2vec: its gradient by one of n vectors is
    n times smaller, and so would be the mean's move.
    """
    n_contexts = count_contexts(scratch.window, word)
    if model.average:
        for k in range((updates.shape[1] >> 4) << 4):
            updates[word, k] *= np.float32(n_contexts)


@helper
def add_updates(model, lanes, scratch, lane, n_words, radius):
    """Add up the steps of hidden vectors and noise words, then those of the contexts.

    Parameters
    ----------
    radius : int
        Largest distance of a context.
    """
    steps, vectors, updates = scratch.scores, scratch.vectors, lanes.updates[lane]
    targets, noise = lanes.parts[lane, WORDS, 0], lanes.parts[lane, NOISE, 0]
    n_slots, column = vectors.shape[0], model.n_components
    for word in range(0, n_words, TILE):
        own, n_rows = targets + word, min(TILE, n_words - word)
        clear_rows(updates, word, TILE)
        add_rows(updates, word, steps, (word, own), vectors, own, TILE)
        at = (word, noise)
        add_rows(updates, word, steps, at, vectors, noise, n_slots - noise)
        clear_rows(updates, own, TILE)
        add_columns(updates, own, steps, (word, own), vectors, word, n_rows)
    for slot in range(noise, n_slots, TILE):
        clear_rows(updates, slot, TILE)
        add_columns(updates, slot, steps, (0, slot), vectors, 0, n_words)
    unmap_steps(model, lanes, scratch, lane, n_words)
    for word in range(n_words):
        step = np.float32(model.word_bias) * scratch.slots[BIAS_STEP, word]
        updates[word, column] = step
        spread_step(model, updates, scratch, word)
    center = scratch.window[0, 1]
    for slot in range(lanes.parts[lane, AROUND, 0], lanes.parts[lane, AROUND, 1], TILE):
        first = max(slot - center - radius, 0)
        last = min(slot + TILE - center + radius, n_words)
        clear_rows(updates, slot, TILE)
        n_terms = max(last - first, 0)
        at = (first, slot)
        add_columns(updates, slot, scratch.weights, at, updates, first, n_terms)


@helper
def bend_contexts(scratch, n_words):
    """Pass the curvature of a hidden vector on to the rows that it is pooled from.

    A mean moves as far as a single vector would. A sum of n vectors moves n times as
    far, because all of them move at the same time. See `apply_updates`.
    """
    curvatures = scratch.slots[CURVATURE]
    for word in range(n_words):
        moved = np.float32(count_contexts(scratch.window, word)) * curvatures[word]
        for slot in range(scratch.window[word, 0], scratch.window[word, 3]):
            curvatures[slot] += moved * scratch.weights[word, slot]


@kernel
def train_rounds(tokens, model, sampler, lanes, scratch, rounds, rates, team):
    """Train the spans of rounds ``rounds[0]`` .. ``rounds[1] - 1`` of an epoch.

    Parameters
    ----------
    tokens, model, sampler, lanes, scratch, rounds, rates, team
        As in `sgns.train_rounds`.
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
                gather(model, lanes, scratch, lane)
                pairs = weigh_words(model, sampler, lanes, scratch, lane)
                lanes.pairs[lane] += pairs
                noise = lanes.parts[lane, NOISE, 0]
                for word in range(0, n_words, TILE):
                    block = (word, min(word + TILE, n_words))
                    build_hidden(model, scratch, block)
                    map_words(model, scratch, block)
                    target = lanes.parts[lane, WORDS, 0] + word
                    own = (target, target + TILE)
                    score_block(scratch, block, own, (0, 0), noise, rate)
                lanes.loss[lane] += close_words(scratch, n_words)
                bend_contexts(scratch, n_words)
                radius = sampler.window_thresholds.size
                add_updates(model, lanes, scratch, lane, n_words, radius)
                finish_updates(model, lanes, scratch, lane)
            route_updates(lanes, scratch, lane, team.size)
            lane, tried = next_lane(lanes, team, tried)
        if not finish_round(model, lanes, team, rate, done):
            return
