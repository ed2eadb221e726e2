"""Spans of tokens: drawing windows and noise words, gathering and updating rows.

The kept tokens of an epoch are cut into a fixed number of lanes. In one round every
lane takes its next span of words, reads the current parameters and writes its
updates to its own buffers; then updates that share a row are added in lane order, see
`rounds`. So the result does not depend on who computes which lane.

All tables are stacked in one float32 array `params`: a row holds a vector, its bias
in column `n_components`, and zeros up to a multiple of 16 columns, at least one.
"""

from typing import NamedTuple

import numpy as np

from skembed._kernels.bag_tiles import (
    BLOCK,
    LINE,
    score_line,
    step_lines,
    transpose_rows,
)
from skembed._kernels.maps import Map, MapSteps
from skembed._kernels.simd import copy_row, fetch_row, fetch_to_write
from skembed._kernels.steps import (
    BEND,
    BIAS,
    BIAS_STEP,
    CHUNK,
    CURVATURE,
    LOSS,
    NORM,
    STEP,
)
from skembed._utils.jit import helper, kernel

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
SHIFT_27 = np.uint64(27)
SHIFT_30 = np.uint64(30)
SHIFT_31 = np.uint64(31)
SHIFT_32 = np.uint64(32)
LOW_32 = np.uint64(0xFFFFFFFF)
# Slots ahead of which rows are fetched, since most of them are in slower memory.
AHEAD = 8
# Parts of a span's slots, see `Lanes.parts`.
PARTS = 5
# A lane's place among the claims: a cache line.
CLAIM_NUMBERS = 8


@helper
def next_random(states, stream):
    """Advance one splitmix64 stream and return 64 random bits.

    Parameters
    ----------
    states : uint64 (n_streams,), INOUT
    stream : int

    Returns
    -------
    uint64
    """
    states[stream] = states[stream] + GOLDEN
    z = states[stream]
    z = (z ^ (z >> SHIFT_30)) * MIX_1
    z = (z ^ (z >> SHIFT_27)) * MIX_2
    return z ^ (z >> SHIFT_31)


@helper
def draw_word(states, stream, thresholds, alias):
    """Draw a word by the alias method (Walker 1977): no division, two look-ups."""
    bits = next_random(states, stream)
    word = np.int64(((bits >> SHIFT_32) * np.uint64(thresholds.size)) >> SHIFT_32)
    if (bits & LOW_32) < np.uint64(thresholds[word]):
        return word
    return np.int64(alias[word])


class Model(NamedTuple):
    """Parameters and the tying strategy, as data.

    Word w's word vector is row w; `rows` are the rows of word 0 as a context to the
    left and to the right, and as a noise word in place of either.
    """

    params: np.ndarray  # INOUT float32 (n_rows, width)
    mapped: bool  # whether word vectors are mapped in the score
    scale: np.ndarray  # IN float32 (width,), a diagonal map, else ones
    bound: np.ndarray  # IN float32 (1,), largest squared stretch of a vector
    map: Map | None  # if it is learned or a matrix
    offset: np.ndarray  # IN float32 (n_words,), added to a score with that context
    n_components: int
    rows: tuple[int, int, int, int]
    directional: bool  # whether the rows of left and of right contexts differ
    word_bias: float  # 1 where the word row's bias enters the score, else 0
    context_bias: float  # likewise for the context row's bias
    moves_contexts: bool  # whether gradients reach context vectors
    average: bool  # of CBOW: whether context vectors are averaged, not summed up
    far: bool  # whether most of the tables is in slower memory than the caches


class Sampler(NamedTuple):
    """What is drawn at random: half-widths of windows, and noise words."""

    window_thresholds: np.ndarray  # IN uint64 (window,), 2**32 P(half-width > d)
    noise_thresholds: np.ndarray  # IN uint32 (n_words,)
    noise_alias: np.ndarray  # IN int32 (n_words,)
    n_noise: int  # shared noise words of a span, a multiple of 16
    negative: float  # noise words per pair
    exclusive: bool  # whether the words of a window are no noise words of its word
    left: int  # largest distance of a context to the left, 0 for none
    right: int  # likewise to the right


class Lanes(NamedTuple):
    """Row l of every buffer is written by whoever computes lane l, and no other.

    Slots are the rows of a span's vectors: its words, the contexts around it and its
    noise words; CBOW has its hidden vectors before them. The first slot of a part of
    words or contexts is a multiple of 16. Where left and right contexts have rows of
    their own, there are two parts of contexts, and half of the noise words' slots
    belong to either.
    """

    states: np.ndarray  # INOUT uint64 (n_lanes,), random streams
    # OUT int64 (n_lanes, 5, 4): of a span's words, left (or all) contexts, left (or
    # all) noise words, right contexts and right noise words the first slot, the last
    # + 1, the table row of word 0, and 1 if rows are context vectors
    parts: np.ndarray
    # OUT int64 (n_lanes, span, 4): each word's first left context and last + 1, and
    # likewise right
    windows: np.ndarray
    words: np.ndarray  # OUT int32 (n_lanes, n_slots), word of each slot
    updates: np.ndarray  # OUT float32 (n_lanes, n_slots, width)
    n_slots: np.ndarray  # OUT int64 (n_lanes,), number of slots in use
    slots: np.ndarray  # OUT int32 (n_lanes, n_slots), these
    targets: np.ndarray  # OUT int32 (n_lanes, n_slots), their rows
    # OUT int64 (n_lanes,), words that were computed. Unlike the lists, this stays until
    # the next round begins.
    n_words: np.ndarray
    # Of the updates that are added up after the round, because their rows are in
    # several slots: OUT int64 (n_lanes,), their number; int32 (2 * n_lanes, n_slots),
    # in two rows of each lane the slots and their rows; float32 (n_lanes, n_slots)
    n_pending: np.ndarray
    pending: np.ndarray
    curvatures: np.ndarray
    map: MapSteps | None  # of a learned map
    loss: np.ndarray  # INOUT float64 (n_lanes,), summed training objective
    pairs: np.ndarray  # INOUT int64 (n_lanes,), positive pairs
    claims: np.ndarray  # scratch int64 (n_lanes * CLAIM_NUMBERS,), zeros between rounds
    # Row t is written by thread t: uint32 (n_threads, 2**k), the sets of the rows that
    # it lists for a round, and that it lists in several slots; see `rounds.list_slots`
    rows: np.ndarray
    repeated: np.ndarray


class Scratch(NamedTuple):
    """Work space of one thread; its sizes fix those of spans and windows."""

    vectors: np.ndarray  # float32 (n_slots, width), gathered rows
    slots: np.ndarray  # float32 (4, n_slots), numbers of each slot, see `steps`
    words: np.ndarray  # float32 (span, 64), sums and numbers of each word, see `steps`
    window: np.ndarray  # int64 (span, 4), the lane's windows
    unmapped: np.ndarray  # float32 (span, width), word vectors before they are mapped
    # float32 (span, n_columns): scores, then steps, and weights of pairs in the
    # objective; a column is a slot, or one of the slots around a group of words
    scores: np.ndarray
    weights: np.ndarray
    stream: np.ndarray  # uint64 (8,), the lane's random stream, in a cache line
    # int32 (n_lanes * n_slots, 3): lane, place among what is pending there, and row of
    # the updates that this thread adds; before, slot and row of a lane's other updates
    owned: np.ndarray
    owned_rows: np.ndarray  # uint32 (2**k,), the set of their rows
    repeated_rows: np.ndarray  # likewise, of rows in several slots of the round


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
        # XOR with -1 turns w into ~w. The mark is 0 after the first word that is kept.
        mark = np.int32(-1)
        for position in range(doc_offsets[document], doc_offsets[document + 1]):
            word = token_ids[position]
            keep = (next_random(seed, 0) >> SHIFT_32) < keep_thresholds[word]
            # Without a branch, whose outcome no processor could predict.
            kept[n_kept] = word ^ mark
            n_kept += keep
            mark = np.int32(0) if keep else mark
    return n_kept


@helper
def cut_span(tokens, lanes, lane, index, size):
    """Return the positions of a lane's words in round `index`; none at its end."""
    n_lanes = lanes.words.shape[0]
    first = lane * tokens.size // n_lanes + index * size
    last = min(first + size, (lane + 1) * tokens.size // n_lanes)
    for part in range(PARTS):
        lanes.parts[lane, part, 1] = lanes.parts[lane, part, 0]
    lanes.n_slots[lane] = 0
    return first, last


@helper
def draw_half_width(sampler, stream):
    """Draw how far a window extends."""
    thresholds = sampler.window_thresholds
    draw = next_random(stream, 0) >> SHIFT_32
    half = 1
    # Without a branch, whose outcome no processor could predict.
    for distance in range(1, thresholds.size):
        half += draw < thresholds[distance]
    return half


@helper
def first_in_reach(tokens, position, reach):
    """Return the first position of the same document within some distance."""
    start = position
    while start > 0 and position - start < reach and tokens[start] >= 0:
        start -= 1
    return start


@helper
def lay_windows(tokens, sampler, stream, span, window, group):
    """Draw windows within documents; return the outermost contexts.

    Their positions come first and last in a row of `window`.

    Parameters
    ----------
    tokens : int32 (n_kept,), IN
        ``~id`` where a document starts.
    sampler : Sampler
    stream : uint64 (1,), INOUT
    span : (int, int)
        First and last + 1 position of the words.
    window : int64 (span, 4), OUT
    group : int
        Neighbouring words whose windows extend equally far.
    """
    first, last = span
    list_ends(tokens, span, min(last + sampler.right, tokens.size), window)
    start = first_in_reach(tokens, first, sampler.left)
    low, high = first, last - 1
    to_left, to_right = 0, 0
    for center in range(first, last):
        if (center - first) % group == 0:
            half = draw_half_width(sampler, stream)
            to_left, to_right = min(half, sampler.left), min(half, sampler.right)
        start = center if tokens[center] < 0 else start
        left = max(center - to_left, start)
        right = min(center + to_right, window[center - first, 3] - 1)
        window[center - first, 0] = left
        window[center - first, 3] = right + 1
        low = min(low, left)
        high = max(high, right)
    return low, high


@helper
def list_ends(tokens, span, end, window):
    """Write where the document of each word ends, but at most `end`, to column 3.

    The loop runs over all positions. A search that stops at the edge of a window, whose
    width is random, would have a branch that no processor can predict.
    """
    for position in range(end - 1, span[0], -1):
        if position < span[1]:
            window[position - span[0], 3] = end
        end = position if tokens[position] < 0 else end
    window[0, 3] = end


@helper
def load_window(lanes, scratch, lane, n_words):
    """Copy the windows of a span to this thread's work space."""
    for word in range(n_words):
        for place in range(4):
            scratch.window[word, place] = lanes.windows[lane, word, place]


@helper
def fetch_updates(lanes, lane, slot):
    """Ask for a slot's updates, which another thread may have read before."""
    if lanes.rows.shape[0] > 1:
        fetch_to_write(lanes.updates[lane], slot)


@helper
def gather(model, lanes, scratch, lane):
    """Copy the rows of a span's words, contexts and noise words to their slots.

    Numbers of a slot are the part of the score that depends on it alone, and a bound
    on the squared norm of the score's derivative by the other side: the vector,
    stretched by the map if it is a context's, and 1 where that side learns a bias.
    """
    # Plain indices, here and below: a view of a row costs two atomic operations.
    vectors, slots = scratch.vectors, scratch.slots
    column = model.n_components
    end, at = lanes.n_slots[lane] - 1, 0
    for ahead in range(AHEAD):
        fetch_row(model.params, lanes.targets[lane, ahead])
    for part in range(PARTS):
        row = lanes.parts[lane, part, 2]
        context = lanes.parts[lane, part, 3] == 1
        own_bias = np.float32(model.context_bias if context else model.word_bias)
        other_bias = np.float32(model.word_bias if context else model.context_bias)
        stretch = model.bound[0] if context else np.float32(1.0)
        last = lanes.parts[lane, part, 1]
        for slot in range(lanes.parts[lane, part, 0], last):
            fetch_row(model.params, lanes.targets[lane, min(at + AHEAD, end)])
            fetch_updates(lanes, lane, slot)
            at += 1
            word = lanes.words[lane, slot]
            norm = copy_row(vectors, slot, model.params, row + word)
            bias = model.params[row + word, column]
            vectors[slot, column] = np.float32(0.0)
            slots[NORM, slot] = (norm - bias * bias) * stretch + other_bias
            slots[BIAS, slot] = bias * own_bias
            slots[BIAS_STEP, slot] = np.float32(0.0)
            slots[CURVATURE, slot] = np.float32(0.0)
            if context:
                slots[BIAS, slot] += model.offset[word]


@helper
def set_part(lanes, lane, part, slots, row, context):
    """Note which slots hold a part of a span, and which table rows these are."""
    lanes.parts[lane, part, 0] = slots[0]
    lanes.parts[lane, part, 1] = slots[1]
    lanes.parts[lane, part, 2] = row
    lanes.parts[lane, part, 3] = context


@helper
def draw_noise(words, sampler, stream):
    """Draw the noise words of a span into its last slots; return these."""
    slots = (words.size - sampler.n_noise, words.size)
    for slot in range(slots[0], slots[1]):
        words[slot] = draw_word(
            stream, 0, sampler.noise_thresholds, sampler.noise_alias
        )
    return slots


@helper
def score_noise(scratch, noise, column, room, sizes, rate):
    """Score the words of a span with its noise words; return the loss.

    Scores are turned into steps. The columns of the noise words are written one after
    the other first, so that a number of a word meets 16 noise words at once.

    Parameters
    ----------
    scratch : Scratch
        The span's words have the first slots.
    noise : (int, int)
        First and last + 1 slot of the noise words.
    column : int
        The column of the scores with the first noise word.
    room : int
        The first of 16 slots whose vectors are overwritten.
    sizes : (int, int)
        The number of words, and of components.
    rate : float32
    """
    scores, vectors = scratch.scores, scratch.vectors
    n_words, n_components = sizes
    loss = np.float32(0.0)
    for slot in range(noise[0], noise[1], LINE):
        at = column + slot - noise[0]
        transpose_rows(vectors, slot, room)
        for word in range(0, n_words, BLOCK):
            score_line(vectors, word, room, n_components, scores, at)
        loss += step_lines(
            scores, scratch.weights, scratch.slots, n_words, at, slot, -rate
        )
    return loss


@helper
def place_windows(window, span, left, right):
    """Turn positions of contexts into slots.

    Parameters
    ----------
    window : int64 (span, 4), INOUT
        Outermost positions in columns 0 and 3.
    span : (int, int)
        First and last + 1 position of the words.
    left, right : int
        Slots of position 0, were there one, among left and right contexts.
    """
    for word in range(span[1] - span[0]):
        window[word, 0] += left
        window[word, 1] = span[0] + word + left
        window[word, 2] = span[0] + word + 1 + right
        window[word, 3] += right


@helper
def list_words(tokens, positions, words, first):
    """Write the words at the positions p0 .. p1 - 1 to the slots from `first` on."""
    for j in range(positions[1] - positions[0]):
        word = tokens[positions[0] + j]
        words[first + j] = word if word >= 0 else ~word


@helper
def open_words(scratch, block):
    """Set the sums of some words to zero; put their numbers beside these."""
    for word in range(block[0], block[1]):
        for k in range(3 * CHUNK):
            scratch.words[word, k] = np.float32(0.0)
        scratch.words[word, 3 * CHUNK + BIAS] = scratch.slots[BIAS, word]
        scratch.words[word, 3 * CHUNK + NORM] = scratch.slots[NORM, word]


@helper
def close_words(scratch, n_words):
    """Add up the sums of the span's words; return the loss."""
    loss = np.float32(0.0)
    for word in range(n_words):
        step = np.float32(0.0)
        bend = np.float32(0.0)
        for k in range(CHUNK):
            loss += scratch.words[word, LOSS + k]
            step += scratch.words[word, STEP + k]
            bend += scratch.words[word, BEND + k]
        scratch.slots[BIAS_STEP, word] += step
        scratch.slots[CURVATURE, word] += bend
    return loss


@helper
def finish_updates(model, lanes, scratch, lane):
    """Add the steps of learned biases; take those of contexts that are to stay away.

    Parameters
    ----------
    model : Model
    lanes : Lanes
    scratch : Scratch
    lane : int
    """
    # No view of the lane's updates: this loop is measurably faster without.
    column = model.n_components
    width = (scratch.vectors.shape[1] >> 4) << 4
    for part in range(PARTS):
        context = lanes.parts[lane, part, 3] == 1
        for slot in range(lanes.parts[lane, part, 0], lanes.parts[lane, part, 1]):
            if context:
                if not model.moves_contexts:
                    for k in range(width):
                        lanes.updates[lane, slot, k] = np.float32(0.0)
                step = np.float32(model.context_bias) * scratch.slots[BIAS_STEP, slot]
                lanes.updates[lane, slot, column] = step
