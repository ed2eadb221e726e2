"""Continuous bag of words with negative sampling, one span at a time.

A span's slots hold, in this order: the hidden vectors, each the mean (or sum) of a
word's context vectors; the rows of the predicted words, from the context table; the
rows of the words around, from the word table; and the noise words, from the context
table. The score of a hidden vector with the word it predicts lies on the diagonal of
the second part, its other scores there have no weight. Everything is a small matrix
product: H = A X, scores = H Y', dY = S' H, dH = S Y, dX = A' dH.
"""

import numpy as np

from skembed._kernels._jit import helper, kernel
from skembed._kernels.rounds import apply_updates, next_lane, route_updates
from skembed._kernels.sgns import clear_rows, reach, score_block
from skembed._kernels.simd import TILE, add_columns, add_rows
from skembed._kernels.spans import (
    close_words,
    cut_span,
    draw_noise,
    finish_updates,
    gather,
    lay_windows,
    list_words,
    set_part,
)
from skembed._kernels.steps import BIAS, BIAS_STEP, CURVATURE, NORM
from skembed._kernels.sync import wait


@helper
def lay_slots(tokens, model, sampler, lanes, scratch, lane, span):
    """Lay the windows of a span; list its words, the words around and noise words.

    Returns
    -------
    around : (int, int)
        First and last + 1 slot.
    noise : (int, int)
        Likewise.
    center : int
        Slot of word 0 among the words around.
    """
    # A copy of its own for the thread: neighbouring lanes' streams share a cache line,
    # which two threads would take from each other at every draw.
    scratch.stream[0] = lanes.states[lane]
    outer = lay_windows(
        tokens, sampler.window_thresholds, scratch.stream, span, scratch.window
    )
    words, size = lanes.words[lane], scratch.window.shape[0]
    n_words, first = span[1] - span[0], 2 * size
    center = first + span[0] - outer[0]
    around = (first, first + outer[1] + 1 - outer[0])
    for word in range(n_words):
        scratch.window[word, 0] += center - span[0]
        scratch.window[word, 1] += center - span[0]
    list_words(tokens, span, words, size)
    list_words(tokens, (outer[0], outer[1] + 1), words, first)
    noise = draw_noise(words, sampler, scratch.stream)
    lanes.states[lane] = scratch.stream[0]
    set_part(lanes, lane, 0, (size, size + n_words), model.context_row, 1)
    set_part(lanes, lane, 1, around, 0, 0)
    set_part(lanes, lane, 2, noise, model.noise_row, 1)
    return around, noise, center


@helper
def share_of(model, n_contexts):
    """Return how much of a context's vector goes into the hidden vector."""
    if model.average and n_contexts > 0:
        return np.float32(1.0) / np.float32(n_contexts)
    return np.float32(1.0)


@helper
def weigh_words(model, sampler, lanes, scratch, lane, center):
    """Set the weights of contexts in hidden vectors, and of what these predict.

    The first are the matrix A. A word's own prediction weighs 1, a noise word
    ``negative / n_noise``; one that equals the predicted word is skipped, as in
    word2vec, and so are words without contexts.

    Parameters
    ----------
    center : int
        Slot of word 0 among the words around.

    Returns
    -------
    int
        Number of words that have contexts, which are what is predicted.
    """
    weights, words = scratch.weights, lanes.words
    targets, noise = lanes.parts[lane, 0, 0], lanes.parts[lane, 2, 0]
    share = np.float32(sampler.negative / sampler.n_noise)
    n_words = lanes.parts[lane, 0, 1] - targets
    predicted = 0
    for word in range(n_words):
        first, last = scratch.window[word, 0], scratch.window[word, 1]
        some = np.float32(1.0 if last > first else 0.0)
        weights[word, targets:noise] = np.float32(0.0)
        weights[word, first : last + 1] = share_of(model, last - first)
        weights[word, center + word] = np.float32(0.0)
        weights[word, targets + word] = some
        for slot in range(noise, words.shape[1]):
            equal = words[lane, slot] == words[lane, targets + word]
            weights[word, slot] = np.float32(0.0) if equal else share * some
        predicted += last > first
    return predicted


@helper
def build_hidden(model, scratch, block):
    """Pool the context vectors of four words, with their biases; take their norms."""
    vectors, slots = scratch.vectors, scratch.slots
    width = (vectors.shape[1] >> 4) << 4
    low, high = reach(scratch.window, block[0], block[1])
    clear_rows(vectors, block[0])
    add_rows(vectors, block[0], scratch.weights, vectors, low, high - low)
    for word in range(block[0], block[1]):
        bias = np.float32(0.0)
        for slot in range(scratch.window[word, 0], scratch.window[word, 1] + 1):
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
    n_contexts = scratch.window[word, 1] - scratch.window[word, 0]
    if model.average:
        for k in range((updates.shape[1] >> 4) << 4):
            updates[word, k] *= np.float32(n_contexts)


@helper
def add_updates(model, updates, scratch, n_words, parts, nearest):
    """Add up the steps of hidden vectors and noise words, then those of the contexts.

    Parameters
    ----------
    parts : (int, (int, int), int)
        First slot of predicted words, first and last + 1 of words around, first of
        noise words.
    nearest : (int, int)
        Slot of word 0 among the words around, and the largest distance of a context.
    """
    targets, around, noise = parts
    steps, vectors = scratch.scores, scratch.vectors
    n_slots, column = vectors.shape[0], model.n_components
    for word in range(0, n_words, TILE):
        own, n_rows = targets + word, min(TILE, n_words - word)
        clear_rows(updates, word)
        add_rows(updates, word, steps, vectors, own, TILE)
        add_rows(updates, word, steps, vectors, noise, n_slots - noise)
        clear_rows(updates, own)
        add_columns(updates, own, steps, vectors, word, n_rows)
    for word in range(n_words):
        step = np.float32(model.word_bias) * scratch.slots[BIAS_STEP, word]
        updates[word, column] = step
        spread_step(model, updates, scratch, word)
    for slot in range(noise, n_slots, TILE):
        clear_rows(updates, slot)
        add_columns(updates, slot, steps, vectors, 0, n_words)
    for slot in range(around[0], around[1], TILE):
        first = max(slot - nearest[0] - nearest[1], 0)
        last = min(slot + TILE - nearest[0] + nearest[1], n_words)
        clear_rows(updates, slot)
        n_terms = max(last - first, 0)
        add_columns(updates, slot, scratch.weights, updates, first, n_terms)


@helper
def bend_contexts(scratch, n_words):
    """Pass the curvature of a hidden vector on to the rows that it is pooled from.

    A mean moves as a vector of its own would; a sum of n vectors n times as far,
    since all of them move at the same time. See `apply_updates`.
    """
    curvatures = scratch.slots[CURVATURE]
    for word in range(n_words):
        first, last = scratch.window[word, 0], scratch.window[word, 1]
        moved = np.float32(last - first) * curvatures[word]
        for slot in range(first, last + 1):
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
            n_words = span[1] - span[0]
            if n_words > 0:
                around, noise, center = lay_slots(
                    tokens, model, sampler, lanes, scratch, lane, span
                )
                gather(model, lanes, scratch, lane)
                predicted = weigh_words(model, sampler, lanes, scratch, lane, center)
                lanes.pairs[lane] += predicted
                targets = scratch.window.shape[0]
                for word in range(0, n_words, TILE):
                    block = (word, min(word + TILE, n_words))
                    build_hidden(model, scratch, block)
                    own = (targets + word, targets + word + TILE)
                    score_block(scratch, block, own, noise[0], rate)
                lanes.loss[lane] += close_words(scratch, n_words)
                bend_contexts(scratch, n_words)
                nearest = (center, sampler.window_thresholds.size)
                parts = (targets, around, noise[0])
                updates = lanes.updates[lane]
                add_updates(model, updates, scratch, n_words, parts, nearest)
                finish_updates(model, lanes, scratch, lane)
            route_updates(lanes, scratch, lane, team.size)
            lane, tried = next_lane(lanes, team, tried)
        if not wait(team, 2 * done + 1):
            return
        apply_updates(model, lanes, team, rate)
        if not wait(team, 2 * done + 2):
            return
