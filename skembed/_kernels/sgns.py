"""Skip-gram with negative sampling, one span at a time.

Noise words are drawn once per span and shared by its words; each is weighted so that
the expected gradient is that of `negative` draws per pair. A span's scores and updates
are small matrix products, computed in tiles of four words and four contexts.
"""

import numpy as np

from skembed._kernels._jit import helper, kernel
from skembed._kernels.numeric import exp_minus, log1p_unit
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
        for j in range(((columns[1] - columns[0]) >> 4) << 4):
            slot = columns[0] + j
            inside = first <= slot and slot <= last
            scratch.weights[word, np.uintp(slot)] = np.float32(1.0 if inside else 0.0)
        scratch.weights[word, center + word] = np.float32(0.0)
        weight = share * np.float32(last - first)
        for slot in range(columns[1], columns[1] + sampler.n_noise):
            scratch.weights[word, slot] = weight
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
def score_to_step(scratch, curvatures, word, columns, sign, rate):
    """Replace scores by steps and return the loss of these pairs.

    A pair's objective is ``weight * log(1 + exp(z))`` with z = -score for a context
    (`sign` -1) and z = score for a noise word (`sign` 1): Mikolov et al. (2013),
    eq. 4.

    Parameters
    ----------
    columns : (int, int)
        First and last + 1 slot, both multiples of 16.
    """
    bias = scratch.biases[word]
    norm = scratch.norms[word]
    loss = np.float32(0.0)
    total = np.float32(0.0)
    curvature = np.float32(0.0)
    # Unsigned, since an index that might be negative keeps the loop scalar.
    first = np.uintp(columns[0])
    for j in range(((columns[1] - columns[0]) >> 4) << 4):
        i = first + np.uintp(j)
        weight = scratch.weights[word, i]
        z = sign * (scratch.scores[word, i] + bias + scratch.biases[i])
        size = abs(z)
        e = exp_minus(min(size, np.float32(87.0)))
        upper = np.float32(1.0) / (np.float32(1.0) + e)
        sigmoid = upper if z >= np.float32(0.0) else e * upper
        loss += weight * (max(z, np.float32(0.0)) + log1p_unit(e))
        step = -sign * rate * weight * sigmoid
        scratch.scores[word, i] = step
        scratch.bias_steps[i] += step
        total += step
        # (sigmoid(|z|) - 1/2) / |z|, whose limit is 1/4; see `apply_updates`.
        bend = (upper - np.float32(0.5)) / max(size, np.float32(1e-3))
        slope = weight * (np.float32(0.25) if size < np.float32(1e-3) else bend)
        pull = weight * sigmoid
        curvatures[i] += slope * norm + pull
        curvature += slope * scratch.norms[i] + pull
    scratch.bias_steps[word] += total
    curvatures[word] += curvature
    return loss


@helper
def reach(window, first, last):
    """Return the tiles of context slots that the words first .. last - 1 use."""
    low, high = window[first, 0], window[first, 1]
    for word in range(first + 1, last):
        low = min(low, window[word, 0])
        high = max(high, window[word, 1])
    return low // TILE * TILE, (high // TILE + 1) * TILE


@helper
def score_block(scratch, curvatures, block, noise, rate):
    """Score four words with their contexts and noise words; turn scores into steps.

    Parameters
    ----------
    block : (int, int)
        First and last + 1 word.
    noise : int
        First noise slot.

    Returns
    -------
    float
        Summed objective.
    """
    low, high = reach(scratch.window, block[0], block[1])
    contexts = (low // 16 * 16, (high + 15) // 16 * 16)
    draws = (noise, scratch.vectors.shape[0])
    for slot in range(low, high, TILE):
        dot_tile(scratch.vectors, block[0], slot, scratch.scores)
    for slot in range(draws[0], draws[1], TILE):
        dot_tile(scratch.vectors, block[0], slot, scratch.scores)
    loss = 0.0
    for word in range(block[0], block[1]):
        loss += score_to_step(
            scratch, curvatures, word, contexts, np.float32(-1.0), rate
        )
        loss += score_to_step(scratch, curvatures, word, draws, np.float32(1.0), rate)
    return loss


@helper
def clear_rows(updates, first):
    """Set the four rows of a tile to zero, just before they are added to."""
    width = (updates.shape[1] >> 4) << 4
    for row in range(first, first + TILE):
        for k in range(width):
            updates[row, k] = np.float32(0.0)


@helper
def add_updates(updates, scratch, n_words, contexts, noise, nearest):
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


@helper
def finish_updates(model, updates, bias_steps, n_words, contexts):
    """Scale the updates of context vectors; add those of the learned biases."""
    column = model.n_components
    width = (updates.shape[1] >> 4) << 4
    for slot in range(n_words):
        updates[slot, column] = np.float32(model.word_bias) * bias_steps[slot]
    for slot in range(contexts, updates.shape[0]):
        for k in range(width):
            updates[slot, k] *= model.scale[k]
        updates[slot, column] = np.float32(model.context_bias) * bias_steps[slot]


@helper
def fill_slots(tokens, model, sampler, lanes, scratch, lane, span, outer):
    """Gather the vectors of a span's words, their contexts and fresh noise words.

    Returns
    -------
    ((int, int), (int, int), (int, int))
        First and last + 1 slot of each.
    """
    words, curvatures = lanes.words[lane], lanes.curvatures[lane]
    first = scratch.window.shape[0]
    centers = (0, span[1] - span[0])
    contexts = (first, first + outer[1] + 1 - outer[0])
    list_words(tokens, span, words, 0)
    list_words(tokens, (outer[0], outer[1] + 1), words, first)
    noise = draw_noise(lanes, sampler, lane)
    set_part(lanes, lane, 0, centers, 0)
    set_part(lanes, lane, 1, contexts, model.context_row)
    set_part(lanes, lane, 2, noise, model.noise_row)
    gather(model, words, curvatures, scratch, centers, 0, model.context_bias)
    for slot in range(centers[1]):
        scratch.biases[slot] *= np.float32(model.word_bias)
    bias = model.word_bias
    gather(model, words, curvatures, scratch, contexts, model.context_row, bias)
    scale_slots(model, words, scratch, contexts)
    gather(model, words, curvatures, scratch, noise, model.noise_row, bias)
    scale_slots(model, words, scratch, noise)
    return centers, contexts, noise


@helper
def train_span(tokens, model, sampler, lanes, scratch, lane, span, rate):
    """Compute one lane's updates for the words at positions span[0] .. span[1] - 1."""
    outer = lay_windows(
        tokens, sampler.window_thresholds, lanes.states, lane, span, scratch.window
    )
    centers, contexts, draws = fill_slots(
        tokens, model, sampler, lanes, scratch, lane, span, outer
    )
    words, updates = lanes.words[lane], lanes.updates[lane]
    curvatures = lanes.curvatures[lane]
    n_words, first, noise = centers[1], contexts[0], draws[0]
    center = first + span[0] - outer[0]
    for word in range(n_words):
        scratch.window[word, 0] += center - span[0]
        scratch.window[word, 1] += center - span[0]
        # Steps of pairs outside all windows must not be those of the last span.
        scratch.scores[word, first:noise] = np.float32(0.0)
    pairs = weigh_pairs(sampler, scratch, n_words, (first, noise), center)
    lanes.pairs[lane] += pairs
    skip_equal_draws(sampler, words, scratch, contexts, n_words)
    for word in range(0, n_words, TILE):
        block = (word, min(word + TILE, n_words))
        lanes.loss[lane] += score_block(
            scratch, curvatures, block, noise, np.float32(rate)
        )
    nearest = (center, sampler.window_thresholds.size)
    add_updates(updates, scratch, n_words, contexts, noise, nearest)
    finish_updates(model, updates, scratch.bias_steps, n_words, first)


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
        rate = rates[0] + rates[1] * index
        lane = next_lane(lanes, team, done)
        while lane >= 0:
            span = cut_span(tokens, lanes, lane, index, scratch.window.shape[0])
            if span[0] < span[1]:
                train_span(tokens, model, sampler, lanes, scratch, lane, span, rate)
            lane = next_lane(lanes, team, done)
        if not end_round(model, lanes, scratch, team, done, rate):
            return
