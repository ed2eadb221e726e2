"""Skip-gram with negative sampling: subsampling and deterministic training rounds.

The kept tokens of an epoch are cut into a fixed number of lanes. In one round every
lane takes its next span of words, reads the current parameters and writes its
updates to its own buffers; then all updates are added in lane order. So the result
does not depend on who computes which lane.

All tables are stacked in one float32 array `params`: a row holds a vector, its bias
in column `n_components`, and zeros up to a multiple of 16 columns. Noise words are
drawn once per span and shared by its words; each is weighted so that the expected
gradient is that of `negative` draws per pair.
"""

from typing import NamedTuple

import numpy as np

from skembed._kernels._jit import kernel
from skembed._kernels.numeric import (
    SHIFT_32,
    draw_word,
    exp_minus,
    log1p_unit,
    next_random,
)
from skembed._kernels.simd import TILE, add_columns, add_rows, dot_tile


class Model(NamedTuple):
    """Parameters and the tying strategy, as data.

    Word w's word vector is row w; its context vector is row ``context_row + w``
    times `scale`; its noise vector is row ``noise_row + w`` times `scale`.
    """

    params: np.ndarray  # INOUT float32 (n_rows, width)
    scale: np.ndarray  # IN float32 (width,), of each context dimension
    offset: np.ndarray  # IN float32 (n_words,), added to a score with that context
    n_components: int
    context_row: int
    noise_row: int
    word_bias: float  # 1 where the word row's bias enters the score, else 0
    context_bias: float  # likewise for the context row's bias


class Sampler(NamedTuple):
    """What is drawn at random: half-widths of windows, and noise words."""

    window_thresholds: np.ndarray  # IN uint64 (window,), 2**32 P(half-width > d)
    noise_thresholds: np.ndarray  # IN uint32 (n_words,)
    noise_alias: np.ndarray  # IN int32 (n_words,)
    n_noise: int  # shared noise words of a span, a multiple of 16
    negative: float  # noise words per pair


class Lanes(NamedTuple):
    """Row l of every buffer is written by whoever computes lane l, and no other.

    Slots are the rows of a span's vectors: its words, then the contexts around it,
    then its noise words. The first slot of each part is a multiple of 16.
    """

    states: np.ndarray  # INOUT uint64 (n_lanes,), random streams
    used: np.ndarray  # OUT int64 (n_lanes, 2), words and contexts of the span
    words: np.ndarray  # OUT int32 (n_lanes, n_slots), word of each slot
    updates: np.ndarray  # OUT float32 (n_lanes, n_slots, width)
    loss: np.ndarray  # INOUT float64 (n_lanes,), summed training objective
    pairs: np.ndarray  # INOUT int64 (n_lanes,), positive pairs


class Scratch(NamedTuple):
    """Work space of one thread; its sizes fix those of spans and windows."""

    vectors: np.ndarray  # float32 (n_slots, width), gathered rows
    biases: np.ndarray  # float32 (n_slots,), learned and fixed part of the score
    bias_steps: np.ndarray  # float32 (n_slots,)
    window: np.ndarray  # int64 (span, 2), outermost contexts of each word
    scores: np.ndarray  # float32 (span, n_slots), scores, then steps
    weights: np.ndarray  # float32 (span, n_slots), of pairs in the objective


@kernel
def subsample(token_ids, doc_offsets, keep_thresholds, seed, kept):
    """Drop frequent tokens; mark the first kept token of a document by ``~id``.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), IN
    doc_offsets : int64 (n_documents + 1,), IN
    keep_thresholds : uint64 (n_words,), IN
        2**32 times the probability to keep a word.
    seed : uint64 (1,), INOUT
    kept : int32 (n_tokens,), OUT

    Returns
    -------
    int
        Number of kept tokens.
    """
    n_kept = 0
    for document in range(doc_offsets.size - 1):
        first = True
        for position in range(doc_offsets[document], doc_offsets[document + 1]):
            word = token_ids[position]
            if (next_random(seed, 0) >> SHIFT_32) < keep_thresholds[word]:
                kept[n_kept] = ~word if first else word
                first = False
                n_kept += 1
    return n_kept


@kernel
def lay_windows(tokens, thresholds, states, lane, span, window):
    """Draw each word's window within its document; return the outermost contexts.

    Parameters
    ----------
    tokens : int32 (n_kept,), IN
        ``~id`` where a document starts.
    thresholds : uint64 (window,), IN
    states : uint64 (n_lanes,), INOUT
    lane : int
    span : (int, int)
        First and last + 1 position of the words.
    window : int64 (span, 2), OUT
    """
    first, last = span
    low, high = first, last - 1
    for center in range(first, last):
        draw = next_random(states, lane) >> SHIFT_32
        half = 1
        while half < thresholds.size and draw < thresholds[half]:
            half += 1
        left = center
        while center - left < half and tokens[left] >= 0:
            left -= 1
        right = center
        while right - center < half and right + 1 < tokens.size:
            if tokens[right + 1] < 0:
                break
            right += 1
        window[center - first, 0] = left
        window[center - first, 1] = right
        low = min(low, left)
        high = max(high, right)
    return low, high


@kernel
def gather(model, words, updates, scratch, slots, row):
    """Copy the rows of some slots' words into the work space; clear their updates.

    Parameters
    ----------
    slots : (int, int)
        First and last + 1.
    row : int
        Row of word 0 in the table.
    """
    # Plain indices, here and below: a view of a row costs two atomic operations.
    width = (scratch.vectors.shape[1] >> 4) << 4
    column = model.n_components
    for slot in range(slots[0], slots[1]):
        source = row + words[slot]
        for k in range(width):
            scratch.vectors[slot, k] = model.params[source, k]
        for k in range(width):
            updates[slot, k] = np.float32(0.0)
        scratch.biases[slot] = model.params[source, column]
        scratch.bias_steps[slot] = np.float32(0.0)
        scratch.vectors[slot, column] = np.float32(0.0)


@kernel
def scale_slots(model, words, scratch, slots):
    """Turn gathered rows into context vectors, biases into their part of the score."""
    width = (scratch.vectors.shape[1] >> 4) << 4
    for slot in range(slots[0], slots[1]):
        for k in range(width):
            scratch.vectors[slot, k] *= model.scale[k]
        bias = scratch.biases[slot] * np.float32(model.context_bias)
        scratch.biases[slot] = bias + model.offset[words[slot]]


@kernel
def fill_slots(tokens, model, sampler, lanes, scratch, lane, span, outer):
    """Gather the vectors of a span's words, their contexts and fresh noise words."""
    words, updates = lanes.words[lane], lanes.updates[lane]
    contexts, noise = scratch.window.shape[0], words.size - sampler.n_noise
    n_words, n_contexts = span[1] - span[0], outer[1] - outer[0] + 1
    for slot in range(n_words):
        word = tokens[span[0] + slot]
        words[slot] = word if word >= 0 else ~word
    for j in range(n_contexts):
        word = tokens[outer[0] + j]
        words[contexts + j] = word if word >= 0 else ~word
    for slot in range(noise, words.size):
        words[slot] = draw_word(
            lanes.states, lane, sampler.noise_thresholds, sampler.noise_alias
        )
    lanes.used[lane, 0] = n_words
    lanes.used[lane, 1] = n_contexts
    gather(model, words, updates, scratch, (0, n_words), 0)
    for slot in range(n_words):
        scratch.biases[slot] *= np.float32(model.word_bias)
    slots = (contexts, contexts + n_contexts)
    gather(model, words, updates, scratch, slots, model.context_row)
    scale_slots(model, words, scratch, slots)
    slots = (noise, words.size)
    gather(model, words, updates, scratch, slots, model.noise_row)
    scale_slots(model, words, scratch, slots)


@kernel
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


@kernel
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


@kernel
def score_to_step(scratch, word, columns, sign, rate):
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
    loss = np.float32(0.0)
    total = np.float32(0.0)
    # Unsigned, since an index that might be negative keeps the loop scalar.
    first = np.uintp(columns[0])
    for j in range(((columns[1] - columns[0]) >> 4) << 4):
        i = first + np.uintp(j)
        weight = scratch.weights[word, i]
        z = sign * (scratch.scores[word, i] + bias + scratch.biases[i])
        e = exp_minus(min(abs(z), np.float32(87.0)))
        upper = np.float32(1.0) / (np.float32(1.0) + e)
        sigmoid = upper if z >= np.float32(0.0) else e * upper
        loss += weight * (max(z, np.float32(0.0)) + log1p_unit(e))
        step = -sign * rate * weight * sigmoid
        scratch.scores[word, i] = step
        scratch.bias_steps[i] += step
        total += step
    scratch.bias_steps[word] += total
    return loss


@kernel
def train_block(updates, scratch, block, noise, rate):
    """Score four words with their contexts and noise words; add up the steps.

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
    low, high = scratch.window[block[0], 0], scratch.window[block[0], 1]
    for word in range(block[0] + 1, block[1]):
        low = min(low, scratch.window[word, 0])
        high = max(high, scratch.window[word, 1])
    low = low // TILE * TILE
    high = (high // TILE + 1) * TILE
    contexts = (low // 16 * 16, (high + 15) // 16 * 16)
    draws = (noise, scratch.vectors.shape[0])
    for slot in range(low, high, TILE):
        dot_tile(scratch.vectors, block[0], slot, scratch.scores)
    for slot in range(draws[0], draws[1], TILE):
        dot_tile(scratch.vectors, block[0], slot, scratch.scores)
    loss = 0.0
    for word in range(block[0], block[1]):
        loss += score_to_step(scratch, word, contexts, np.float32(-1.0), rate)
        loss += score_to_step(scratch, word, draws, np.float32(1.0), rate)
    scores, vectors = scratch.scores, scratch.vectors
    add_rows(updates, block[0], scores, vectors, low, high - low)
    add_rows(updates, block[0], scores, vectors, noise, draws[1] - noise)
    for slot in range(low, high, TILE):
        add_columns(updates, slot, scores, vectors, block[0], block[1] - block[0])
    return loss


@kernel
def train_span(tokens, model, sampler, lanes, scratch, lane, span, rate):
    """Compute one lane's updates for the words at positions span[0] .. span[1] - 1."""
    outer = lay_windows(
        tokens, sampler.window_thresholds, lanes.states, lane, span, scratch.window
    )
    fill_slots(tokens, model, sampler, lanes, scratch, lane, span, outer)
    words, updates = lanes.words[lane], lanes.updates[lane]
    n_words = span[1] - span[0]
    contexts, noise = scratch.window.shape[0], words.size - sampler.n_noise
    center = contexts + span[0] - outer[0]
    for word in range(n_words):
        scratch.window[word, 0] += center - span[0]
        scratch.window[word, 1] += center - span[0]
    columns = (contexts, noise)
    lanes.pairs[lane] += weigh_pairs(sampler, scratch, n_words, columns, center)
    columns = (contexts, contexts + lanes.used[lane, 1])
    skip_equal_draws(sampler, words, scratch, columns, n_words)
    for first in range(0, n_words, TILE):
        block = (first, min(first + TILE, n_words))
        lanes.loss[lane] += train_block(
            updates, scratch, block, noise, np.float32(rate)
        )
    for slot in range(noise, words.size, TILE):
        add_columns(updates, slot, scratch.scores, scratch.vectors, 0, n_words)
    column = model.n_components
    for slot in range(n_words):
        step = scratch.bias_steps[slot]
        updates[slot, column] = np.float32(model.word_bias) * step
    for slot in range(contexts, words.size):
        step = scratch.bias_steps[slot]
        updates[slot, column] = np.float32(model.context_bias) * step


@kernel
def apply_slots(model, words, updates, slots, row, scale):
    """Add the updates of some slots to the rows of their words."""
    width = (model.params.shape[1] >> 4) << 4
    for slot in range(slots[0], slots[1]):
        target = row + words[slot]
        for k in range(width):
            model.params[target, k] += updates[slot, k] * scale[k]


@kernel
def apply_updates(model, sampler, lanes, span):
    """Add all updates of a round, in lane order.

    Parameters
    ----------
    span : int
        Largest number of words of a span: where the contexts' slots begin.
    """
    ones = np.ones_like(model.scale)
    n_slots = lanes.words.shape[1]
    for lane in range(lanes.used.shape[0]):
        n_words, n_contexts = lanes.used[lane]
        if n_words == 0:
            continue
        words, updates = lanes.words[lane], lanes.updates[lane]
        apply_slots(model, words, updates, (0, n_words), 0, ones)
        slots = (span, span + n_contexts)
        apply_slots(model, words, updates, slots, model.context_row, model.scale)
        slots = (n_slots - sampler.n_noise, n_slots)
        apply_slots(model, words, updates, slots, model.noise_row, model.scale)


@kernel
def train_rounds(tokens, model, sampler, lanes, scratch, rounds, rates):
    """Train the spans of rounds ``rounds[0]`` .. ``rounds[1] - 1`` of an epoch.

    Parameters
    ----------
    tokens : int32 (n_kept,), IN
        ``~id`` where a document starts.
    model : Model
    sampler : Sampler
    lanes : Lanes
    scratch : Scratch
    rounds : (int, int)
    rates : (float, float)
        Learning rate of the epoch's first round, and its change per round.
    """
    n_lanes = lanes.used.shape[0]
    span = scratch.window.shape[0]
    for index in range(rounds[0], rounds[1]):
        rate = rates[0] + rates[1] * index
        for lane in range(n_lanes):
            first = lane * tokens.size // n_lanes + index * span
            last = min(first + span, (lane + 1) * tokens.size // n_lanes)
            lanes.used[lane, 0] = 0
            if first < last:
                train_span(
                    tokens, model, sampler, lanes, scratch, lane, (first, last), rate
                )
        apply_updates(model, sampler, lanes, span)
