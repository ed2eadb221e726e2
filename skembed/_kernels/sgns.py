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
    n_noise: int  # shared noise words of a span
    negative: float  # noise words per pair


class Lanes(NamedTuple):
    """Row l of every buffer is written by whoever computes lane l, and no other."""

    states: np.ndarray  # INOUT uint64 (n_lanes,), random streams
    used: np.ndarray  # OUT int64 (n_lanes,), slots in use
    rows: np.ndarray  # OUT int64 (n_lanes, n_slots), table row of each slot
    updates: np.ndarray  # OUT float32 (n_lanes, n_slots, width)
    loss: np.ndarray  # INOUT float64 (n_lanes,), summed training objective
    pairs: np.ndarray  # INOUT int64 (n_lanes,), positive pairs


class Scratch(NamedTuple):
    """Work space of one thread. Slots: words, then contexts, then noise words."""

    vectors: np.ndarray  # float32 (n_slots, width), gathered rows
    biases: np.ndarray  # float32 (n_slots,), learned and fixed part of the score
    words: np.ndarray  # int32 (n_slots,), word of each slot
    window: np.ndarray  # int64 (span, 2), outermost contexts of each word
    scores: np.ndarray  # float32 (n_slots,), scores, then steps
    weights: np.ndarray  # float32 (n_slots,), of each pair in the objective


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
def gather(model, rows, updates, scratch, slot):
    """Copy a slot's table row into the work space and clear its update."""
    row = rows[slot]
    for k in range((model.params.shape[1] >> 4) << 4):
        scratch.vectors[slot, k] = model.params[row, k]
        updates[slot, k] = np.float32(0.0)
    scratch.biases[slot] = model.params[row, model.n_components]
    scratch.vectors[slot, model.n_components] = np.float32(0.0)


@kernel
def gather_scaled(model, rows, updates, scratch, slot):
    """`gather` for a context or noise vector: scaled, with its part of the score."""
    gather(model, rows, updates, scratch, slot)
    for k in range((model.params.shape[1] >> 4) << 4):
        scratch.vectors[slot, k] *= model.scale[k]
    bias = scratch.biases[slot] * np.float32(model.context_bias)
    scratch.biases[slot] = bias + model.offset[scratch.words[slot]]


@kernel
def fill_slots(tokens, model, sampler, lanes, scratch, lane, span, outer):
    """Gather the vectors of a span's words, their contexts and fresh noise words."""
    n_words = span[1] - span[0]
    n_contexts = outer[1] - outer[0] + 1
    rows, updates = lanes.rows[lane], lanes.updates[lane]
    for slot in range(n_words):
        word = tokens[span[0] + slot]
        rows[slot] = word if word >= 0 else ~word
        gather(model, rows, updates, scratch, slot)
        scratch.biases[slot] *= np.float32(model.word_bias)
    for j in range(n_contexts):
        slot = n_words + j
        word = tokens[outer[0] + j]
        scratch.words[slot] = word if word >= 0 else ~word
        rows[slot] = model.context_row + scratch.words[slot]
        gather_scaled(model, rows, updates, scratch, slot)
    for j in range(sampler.n_noise):
        slot = n_words + n_contexts + j
        scratch.words[slot] = draw_word(
            lanes.states, lane, sampler.noise_thresholds, sampler.noise_alias
        )
        rows[slot] = model.noise_row + scratch.words[slot]
        gather_scaled(model, rows, updates, scratch, slot)
    lanes.used[lane] = n_words + n_contexts + sampler.n_noise


@kernel
def weigh_noise(sampler, scratch, contexts, center, noise):
    """Weight each noise word by the pairs of this word that may draw it.

    A draw that equals the pair's context is skipped, as in word2vec.
    """
    first, last = contexts
    share = np.float32(sampler.negative / sampler.n_noise)
    for slot in range(noise, noise + sampler.n_noise):
        word = scratch.words[slot]
        allowed = last - first
        for j in range(first, last + 1):
            if j != center and scratch.words[j] == word:
                allowed -= 1
        scratch.weights[slot] = share * np.float32(allowed)


@kernel
def score_slots(vectors, word, first, last, scores):
    """Dot products of one word with the slots first .. last - 1."""
    width = (vectors.shape[1] >> 4) << 4
    x = vectors[word]
    slot = first
    while slot + 4 <= last:
        a = vectors[slot]
        b = vectors[slot + 1]
        c = vectors[slot + 2]
        d = vectors[slot + 3]
        sum_a = np.float32(0.0)
        sum_b = np.float32(0.0)
        sum_c = np.float32(0.0)
        sum_d = np.float32(0.0)
        for k in range(width):
            sum_a += x[k] * a[k]
            sum_b += x[k] * b[k]
            sum_c += x[k] * c[k]
            sum_d += x[k] * d[k]
        scores[slot] = sum_a
        scores[slot + 1] = sum_b
        scores[slot + 2] = sum_c
        scores[slot + 3] = sum_d
        slot += 4
    while slot < last:
        a = vectors[slot]
        sum_a = np.float32(0.0)
        for k in range(width):
            sum_a += x[k] * a[k]
        scores[slot] = sum_a
        slot += 1


@kernel
def score_to_step(scratch, word, first, last, label, rate):
    """Replace scores by steps and return the loss of these pairs.

    A pair's objective is ``weight * log(1 + exp(z))`` with z = -score for a context
    (label 1) and z = score for a noise word (label 0); Mikolov et al. (2013), eq. 4.
    """
    sign = np.float32(1.0 - 2.0 * label)
    bias = scratch.biases[word]
    loss = np.float32(0.0)
    for slot in range(first, last):
        z = sign * (scratch.scores[slot] + bias + scratch.biases[slot])
        size = min(abs(z), np.float32(87.0))
        e = exp_minus(size)
        upper = np.float32(1.0) / (np.float32(1.0) + e)
        sigmoid = upper if z >= np.float32(0.0) else e * upper
        positive_part = max(z, np.float32(0.0))
        weight = scratch.weights[slot]
        loss += weight * (positive_part + log1p_unit(e))
        scratch.scores[slot] = -sign * rate * weight * sigmoid
    return loss


@kernel
def add_steps(vectors, updates, word, first, last, steps):
    """Add one word's steps to its own update and to those of the slots."""
    width = (vectors.shape[1] >> 4) << 4
    x = vectors[word]
    dx = updates[word]
    for slot in range(first, last):
        step = steps[slot]
        y = vectors[slot]
        dy = updates[slot]
        for k in range(width):
            dx[k] += step * y[k]
        for k in range(width):
            dy[k] += step * x[k]


@kernel
def add_bias_steps(model, updates, word, first, last, steps):
    """The same for the biases, which live in column `n_components`."""
    total = np.float32(0.0)
    for slot in range(first, last):
        total += steps[slot]
        updates[slot, model.n_components] += (
            np.float32(model.context_bias) * steps[slot]
        )
    updates[word, model.n_components] += np.float32(model.word_bias) * total


@kernel
def train_span(tokens, model, sampler, lanes, scratch, lane, span, rate):
    """Compute one lane's updates for the words at positions span[0] .. span[1] - 1."""
    outer = lay_windows(
        tokens, sampler.window_thresholds, lanes.states, lane, span, scratch.window
    )
    fill_slots(tokens, model, sampler, lanes, scratch, lane, span, outer)
    updates = lanes.updates[lane]
    n_words = span[1] - span[0]
    shift = n_words - outer[0]
    noise = n_words + outer[1] - outer[0] + 1
    end = noise + sampler.n_noise
    rate = np.float32(rate)
    for word in range(n_words):
        first = scratch.window[word, 0] + shift
        last = scratch.window[word, 1] + shift
        if first == last:
            continue
        center = span[0] + word + shift
        scratch.weights[first : last + 1] = np.float32(1.0)
        scratch.weights[center] = np.float32(0.0)
        weigh_noise(sampler, scratch, (first, last), center, noise)
        score_slots(scratch.vectors, word, first, last + 1, scratch.scores)
        score_slots(scratch.vectors, word, noise, end, scratch.scores)
        lanes.loss[lane] += score_to_step(scratch, word, first, last + 1, 1.0, rate)
        lanes.loss[lane] += score_to_step(scratch, word, noise, end, 0.0, rate)
        lanes.pairs[lane] += last - first
        for part in ((first, last + 1), (noise, end)):
            add_steps(scratch.vectors, updates, word, part[0], part[1], scratch.scores)
            add_bias_steps(model, updates, word, part[0], part[1], scratch.scores)
    for slot in range(n_words, end):
        for k in range((model.params.shape[1] >> 4) << 4):
            updates[slot, k] *= model.scale[k]


@kernel
def apply_updates(params, lanes):
    """Add all updates of a round, in lane order."""
    width = (params.shape[1] >> 4) << 4
    for lane in range(lanes.used.size):
        for slot in range(lanes.used[lane]):
            row = lanes.rows[lane, slot]
            for k in range(width):
                params[row, k] += lanes.updates[lane, slot, k]


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
    n_lanes = lanes.used.size
    span = scratch.window.shape[0]
    for index in range(rounds[0], rounds[1]):
        rate = rates[0] + rates[1] * index
        for lane in range(n_lanes):
            first = lane * tokens.size // n_lanes + index * span
            last = min(first + span, (lane + 1) * tokens.size // n_lanes)
            if first < last:
                train_span(
                    tokens, model, sampler, lanes, scratch, lane, (first, last), rate
                )
            else:
                lanes.used[lane] = 0
        apply_updates(model.params, lanes)
