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
from skembed._kernels.sgns import clear_rows, reach, score_to_step
from skembed._kernels.simd import TILE, add_columns, add_rows, dot_tile
from skembed._kernels.spans import (
    cut_span,
    draw_noise,
    end_round,
    gather,
    lay_windows,
    list_words,
    next_lane,
    scale_slots,
    set_part,
)


@helper
def fill_slots(tokens, model, sampler, lanes, scratch, lane, span, outer):
    """Gather the rows of a span's words, of the words around, and of noise words.

    Returns
    -------
    ((int, int), (int, int), (int, int))
        First and last + 1 slot of predicted words, words around and noise words.
    """
    words, curvatures = lanes.words[lane], lanes.curvatures[lane]
    size = scratch.window.shape[0]
    targets = (size, size + span[1] - span[0])
    around = (2 * size, 2 * size + outer[1] + 1 - outer[0])
    list_words(tokens, span, words, size)
    list_words(tokens, (outer[0], outer[1] + 1), words, 2 * size)
    noise = draw_noise(lanes, sampler, lane)
    set_part(lanes, lane, 0, targets, model.context_row)
    set_part(lanes, lane, 1, around, 0)
    set_part(lanes, lane, 2, noise, model.noise_row)
    bias = model.word_bias
    gather(model, words, curvatures, scratch, targets, model.context_row, bias)
    scale_slots(model, words, scratch, targets)
    gather(model, words, curvatures, scratch, around, 0, model.context_bias)
    gather(model, words, curvatures, scratch, noise, model.noise_row, bias)
    scale_slots(model, words, scratch, noise)
    return targets, around, noise


@helper
def share_of(model, n_contexts):
    """Return how much of a context's vector goes into the hidden vector."""
    if model.average and n_contexts > 0:
        return np.float32(1.0) / np.float32(n_contexts)
    return np.float32(1.0)


@helper
def weigh_contexts(model, scratch, n_words, columns, center):
    """Write the matrix A, the share of every word around in every hidden vector.

    Parameters
    ----------
    columns : (int, int)
        First slot of words around, and first noise slot.
    center : int
        Slot of word 0 among the words around.

    Returns
    -------
    int
        Number of words that have contexts, which are what is predicted.
    """
    predicted = 0
    for word in range(n_words):
        first, last = scratch.window[word, 0], scratch.window[word, 1]
        share = share_of(model, last - first)
        for j in range(((columns[1] - columns[0]) >> 4) << 4):
            slot = columns[0] + j
            inside = first <= slot and slot <= last
            weight = share if inside else np.float32(0.0)
            scratch.weights[word, np.uintp(slot)] = weight
        scratch.weights[word, center + word] = np.float32(0.0)
        predicted += last > first
    return predicted


@helper
def weigh_predictions(sampler, scratch, words, n_words, targets, noise):
    """Set the weights of a word's own prediction and of its noise words.

    A noise word weighs ``negative / n_noise``; one that equals the predicted word is
    skipped, as in word2vec, and so are words without contexts.
    """
    share = np.float32(sampler.negative / sampler.n_noise)
    size = scratch.window.shape[0]
    for word in range(n_words):
        last = scratch.window[word, 1]
        some = np.float32(1.0 if last > scratch.window[word, 0] else 0.0)
        for j in range((size >> 4) << 4):
            scratch.weights[word, np.uintp(targets + j)] = np.float32(0.0)
        scratch.weights[word, targets + word] = some
        predicted = words[targets + word]
        for j in range(sampler.n_noise):
            equal = words[noise + j] == predicted
            weight = np.float32(0.0) if equal else share * some
            scratch.weights[word, np.uintp(noise + j)] = weight


@helper
def build_hidden(model, scratch, block):
    """Pool the context vectors of four words, with their biases; take their norms."""
    vectors = scratch.vectors
    width = (vectors.shape[1] >> 4) << 4
    low, high = reach(scratch.window, block[0], block[1])
    clear_rows(vectors, block[0])
    add_rows(vectors, block[0], scratch.weights, vectors, low, high - low)
    for word in range(block[0], block[1]):
        bias = np.float32(0.0)
        for slot in range(scratch.window[word, 0], scratch.window[word, 1] + 1):
            bias += scratch.weights[word, slot] * scratch.biases[slot]
        norm = np.float32(0.0)
        for k in range(width):
            norm += vectors[word, k] * vectors[word, k]
        scratch.biases[word] = bias * np.float32(model.word_bias)
        scratch.norms[word] = norm + np.float32(model.context_bias)
        scratch.bias_steps[word] = np.float32(0.0)


@helper
def score_block(scratch, curvatures, block, targets, noise, rate):
    """Score four hidden vectors; turn scores into steps; return the objective."""
    draws = (noise, scratch.vectors.shape[0])
    own = targets + block[0]
    dot_tile(scratch.vectors, block[0], own, scratch.scores)
    for slot in range(draws[0], draws[1], TILE):
        dot_tile(scratch.vectors, block[0], slot, scratch.scores)
    # The sixteen columns around the diagonal.
    near = (own // 16 * 16, own // 16 * 16 + 16)
    loss = 0.0
    for word in range(block[0], block[1]):
        curvatures[word] = np.float32(0.0)
        loss += score_to_step(scratch, curvatures, word, near, np.float32(-1.0), rate)
        loss += score_to_step(scratch, curvatures, word, draws, np.float32(1.0), rate)
    return loss


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
        updates[word, column] = np.float32(model.word_bias) * scratch.bias_steps[word]
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
def finish_outputs(model, updates, scratch, slots):
    """Scale the updates of context vectors; add those of the learned biases."""
    width = (updates.shape[1] >> 4) << 4
    for slot in range(slots[0], slots[1]):
        for k in range(width):
            updates[slot, k] *= model.scale[k]
        step = np.float32(model.context_bias) * scratch.bias_steps[slot]
        updates[slot, model.n_components] = step


@helper
def bend_contexts(scratch, curvatures, n_words):
    """Pass the curvature of a hidden vector on to the rows that it is pooled from.

    A mean moves as a vector of its own would; a sum of n vectors n times as far,
    since all of them move at the same time. See `apply_updates`.
    """
    for word in range(n_words):
        first, last = scratch.window[word, 0], scratch.window[word, 1]
        moved = np.float32(last - first)
        for slot in range(first, last + 1):
            curvatures[slot] += moved * scratch.weights[word, slot] * curvatures[word]


@helper
def train_span(tokens, model, sampler, lanes, scratch, lane, span, rate):
    """Compute one lane's updates for the words at positions span[0] .. span[1] - 1."""
    outer = lay_windows(
        tokens, sampler.window_thresholds, lanes.states, lane, span, scratch.window
    )
    targets, around, draws = fill_slots(
        tokens, model, sampler, lanes, scratch, lane, span, outer
    )
    words, updates = lanes.words[lane], lanes.updates[lane]
    curvatures = lanes.curvatures[lane]
    n_words, noise = span[1] - span[0], draws[0]
    center = around[0] + span[0] - outer[0]
    for word in range(n_words):
        scratch.window[word, 0] += center - span[0]
        scratch.window[word, 1] += center - span[0]
    columns = (around[0], noise)
    lanes.pairs[lane] += weigh_contexts(model, scratch, n_words, columns, center)
    weigh_predictions(sampler, scratch, words, n_words, targets[0], noise)
    for word in range(0, n_words, TILE):
        block = (word, min(word + TILE, n_words))
        build_hidden(model, scratch, block)
        lanes.loss[lane] += score_block(
            scratch, curvatures, block, targets[0], noise, np.float32(rate)
        )
    nearest = (center, sampler.window_thresholds.size)
    parts = (targets[0], around, noise)
    add_updates(model, updates, scratch, n_words, parts, nearest)
    finish_outputs(model, updates, scratch, targets)
    finish_outputs(model, updates, scratch, draws)
    bend_contexts(scratch, curvatures, n_words)


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
        rate = rates[0] + rates[1] * index
        lane = next_lane(lanes, team, done)
        while lane >= 0:
            span = cut_span(tokens, lanes, lane, index, scratch.window.shape[0])
            if span[0] < span[1]:
                train_span(tokens, model, sampler, lanes, scratch, lane, span, rate)
            lane = next_lane(lanes, team, done)
        if not end_round(model, lanes, scratch, team, done, rate):
            return
