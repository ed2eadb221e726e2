"""Continuous bag of words with negative sampling, one span at a time.

A span's slots hold, in this order: the hidden vectors, each the mean (or sum) of a
word's context vectors; the rows of the predicted words, from the context table; the
rows of the words around, from the word table; and the noise words, from the context
table.

Windows are runs of consecutive positions, so sums over windows are differences of two
running sums: of the vectors around, up to the ends of the window. The steps of a
context are a running sum, too, to which a hidden vector's step is added where its
window begins, and from which it is taken where the window ends. The products with the
noise words are small dense matrix products: scores = H Y', dH = S Y, dY = S' H. A
word's own prediction is one product of two rows.
"""

import numpy as np

from skembed._kernels.bag_tiles import (
    LINE,
    add_up_rows,
    dot_rows,
    mix_rows,
    pool_rows,
    spread_row,
    step_own,
    step_rows,
    weigh_line,
)
from skembed._kernels.maps import map_words, unmap_steps
from skembed._kernels.rounds import (
    add_single_updates,
    close_round,
    fetch_ahead,
    finish_round,
    lane_ahead,
    list_slots,
    next_lane,
    open_lists,
    open_round,
)
from skembed._kernels.simd import (
    TILE,
    clear_rows,
    copy_row,
    fetch_row,
    is_among,
    write_columns,
    write_rows,
)
from skembed._kernels.spans import (
    AHEAD,
    cut_span,
    draw_noise,
    fetch_updates,
    finish_updates,
    lay_windows,
    list_words,
    load_window,
    place_windows,
    score_noise,
    set_part,
)
from skembed._kernels.steps import BIAS, BIAS_STEP, CHUNK, CURVATURE, NORM
from skembed._utils.jit import helper, kernel

# Parts of a span, see `spans.Lanes`.
WORDS, AROUND, NOISE = range(3)
ONE = np.float32(1.0)


@helper
def lay_slots(tokens, model, sampler, lanes, scratch, lane, span):
    """Lay the windows of a span; list its words, the words around and noise words."""
    # Each thread works on a copy, as in skip-gram.
    scratch.stream[0] = lanes.states[lane]
    window, words = lanes.windows[lane], lanes.words[lane]
    size, first = window.shape[0], 2 * window.shape[0]
    outer = lay_windows(tokens, sampler, scratch.stream, span, window, 1)
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
def weigh_words(model, sampler, lanes, scratch, lane, n_words):
    """Set the weights of what hidden vectors predict.

    A word's own prediction weighs 1, a noise word ``negative / n_noise``; one that
    equals the predicted word is skipped, as in word2vec, and so are words without
    contexts.

    Returns
    -------
    int
        Number of words that have contexts, which are what is predicted.
    """
    weights, words, window = scratch.weights, lanes.words, scratch.window
    targets, noise = lanes.parts[lane, WORDS, 0], lanes.parts[lane, NOISE, 0]
    share = np.float32(sampler.negative / sampler.n_noise)
    predicted = 0
    for word in range(n_words):
        has_contexts = count_contexts(window, word) > 0
        some = np.float32(1.0 if has_contexts else 0.0)
        weights[0, targets + word] = some
        own = words[lane, targets + word]
        for slot in range(noise, words.shape[1], LINE):
            weigh_line(weights, word, slot, words, lane, own, share * some)
        predicted += has_contexts
    # The last chunk of words is computed as a whole.
    for word in range(n_words, scratch.window.shape[0]):
        weights[0, targets + word] = np.float32(0.0)
    if sampler.exclusive:
        skip_contexts(lanes, scratch, lane, n_words)
    return predicted


@helper
def skip_contexts(lanes, scratch, lane, n_words):
    """Set the weights of noise words that are in the window of a word to 0."""
    words, last = lanes.words, lanes.parts[lane, NOISE, 1]
    for slot in range(lanes.parts[lane, AROUND, 0], lanes.parts[lane, AROUND, 1]):
        for first in range(lanes.parts[lane, NOISE, 0], last, LINE):
            if is_among(words[lane, slot], words, lane, first):
                for drawn in range(first, first + LINE):
                    if words[lane, drawn] == words[lane, slot]:
                        skip_draw(scratch, slot, drawn, n_words)


@helper
def skip_draw(scratch, slot, drawn, n_words):
    """Set the weight of a noise word to 0 for the words around a slot."""
    for word in range(n_words):
        if scratch.window[word, 0] <= slot < scratch.window[word, 3]:
            scratch.weights[word, drawn] = np.float32(0.0)


@helper
def count_contexts(window, word):
    """Return how many contexts a word has."""
    return window[word, 3] - window[word, 0] - 1


@helper
def share_of(model, n_contexts):
    """Return how much of a context's vector goes into the hidden vector."""
    if n_contexts == 0:
        return np.float32(0.0)
    if model.average:
        return np.float32(1.0) / np.float32(n_contexts)
    return np.float32(1.0)


@helper
def gather_noise(model, lanes, scratch, lane):
    """Copy the rows of a span's noise words to their slots, with their numbers."""
    vectors, column = scratch.vectors, model.n_components
    row = lanes.parts[lane, NOISE, 2]
    first, last = lanes.parts[lane, NOISE, 0], lanes.parts[lane, NOISE, 1]
    for slot in range(first, last):
        fetch_row(model.params, row + lanes.words[lane, slot])
    for slot in range(first, last):
        word = lanes.words[lane, slot]
        norm = copy_row(vectors, slot, model.params, row + word)
        bias = model.params[row + word, column]
        vectors[slot, column] = np.float32(0.0)
        number_slot(model, scratch, slot, word, bias, norm)


@helper
def number_slot(model, scratch, slot, word, bias, norm):
    """Set what the score needs of a predicted word's slot, see `spans.gather`."""
    slots, own_bias = scratch.slots, np.float32(model.context_bias)
    squares = (norm - bias * bias) * model.bound[0]
    slots[NORM, slot] = squares + np.float32(model.word_bias)
    slots[BIAS, slot] = bias * own_bias + model.offset[word]


@helper
def add_up_around(model, lanes, scratch, lane):
    """Write the running sums of the vectors around; the slot before holds zeros."""
    vectors, words = scratch.vectors, lanes.words
    first, last = lanes.parts[lane, AROUND, 0], lanes.parts[lane, AROUND, 1]
    clear_rows(vectors, first - 1, 1)
    for slot in range(first, min(first + AHEAD, last)):
        fetch_row(model.params, words[lane, slot])
    for slot in range(first, last):
        fetch_row(model.params, words[lane, min(slot + AHEAD, last - 1)])
        fetch_updates(lanes, lane, slot)
        word = np.int64(words[lane, slot])
        mix_rows(vectors, slot, vectors, slot - 1, model.params, word, (ONE, ONE))


@helper
def build_hidden(model, lanes, scratch, lane, group):
    """Pool the context vectors of some words, with their biases."""
    vectors, slots, window = scratch.vectors, scratch.slots, scratch.window
    targets, column = lanes.parts[lane, WORDS, 0], model.n_components
    last = lanes.parts[lane, WORDS, 1]
    row = lanes.parts[lane, WORDS, 2]
    for word in range(group[0], group[1]):
        ahead = min(targets + word + AHEAD, last - 1)
        fetch_row(model.params, row + lanes.words[lane, ahead])
        fetch_updates(lanes, lane, targets + word)
        share = share_of(model, count_contexts(window, word))
        bounds = (window[word, 0] - 1, window[word, 3] - 1)
        own = np.int64(lanes.words[lane, targets + word])
        pool_rows(vectors, word, bounds, model.params, own, share)
        slots[BIAS, word] = np.float32(model.word_bias) * vectors[word, column]
        vectors[word, column] = np.float32(0.0)


@helper
def score_own(model, lanes, scratch, lane, group):
    """Score some hidden vectors with what they predict."""
    slots, column = scratch.slots, model.n_components
    targets, row = lanes.parts[lane, WORDS, 0], lanes.parts[lane, WORDS, 2]
    for word in range(group[0], group[1]):
        target = lanes.words[lane, targets + word]
        at = np.int64(row + target)
        score, hidden, norm = dot_rows(scratch.vectors, word, model.params, at)
        bias = model.params[at, column]
        number_slot(model, scratch, targets + word, target, bias, norm)
        slots[NORM, word] = hidden + np.float32(model.context_bias)
        score += slots[BIAS, word] + slots[BIAS, targets + word]
        scratch.scores[0, targets + word] = score


@helper
def step_words(model, lanes, scratch, lane, n_words, rate):
    """Turn all scores of a span into steps; return the loss."""
    scores, weights, slots = scratch.scores, scratch.weights, scratch.slots
    targets, noise = lanes.parts[lane, WORDS, 0], lanes.parts[lane, NOISE, 0]
    loss = np.float32(0.0)
    for word in range(0, n_words, CHUNK):
        loss += step_own(scores, weights, slots, (word, targets + word), rate)
    # The slots of predicted words are not needed: they hold the transpose.
    slots_of_noise = (noise, lanes.parts[lane, NOISE, 1])
    sizes = (n_words, model.n_components)
    loss += score_noise(scratch, slots_of_noise, noise, targets, sizes, rate)
    return loss


@helper
def add_updates(model, lanes, scratch, lane, n_words):
    """Write the steps of hidden vectors, predicted words, noise words and contexts."""
    steps, vectors, updates = scratch.scores, scratch.vectors, lanes.updates[lane]
    targets, noise = lanes.parts[lane, WORDS, 0], lanes.parts[lane, NOISE, 0]
    n_slots, column = vectors.shape[0], model.n_components
    # Only maps need the steps of hidden vectors beside the others.
    changes = updates if model.mapped else scratch.unmapped
    for slot in range(noise, n_slots, TILE):
        write_columns(updates, slot, steps, (0, slot), vectors, 0, n_words)
    runs = ((noise, noise, n_slots - noise),)
    for first in range(0, n_words, TILE):
        write_rows(changes, first, steps, first, vectors, runs)
        # While they are in the nearest cache.
        for word in range(first, min(first + TILE, n_words)):
            own, step = targets + word, steps[0, targets + word]
            row = np.int64(lanes.parts[lane, WORDS, 2] + lanes.words[lane, own])
            step_rows(changes, updates, (word, own), step, vectors, model.params, row)
            changes[word, column] = np.float32(0.0)
    unmap_steps(model, lanes, scratch, lane, n_words)
    for word in range(n_words):
        step = np.float32(model.word_bias) * scratch.slots[BIAS_STEP, word]
        changes[word, column] = step
    spread_steps(lanes, scratch, lane, changes, n_words)


@helper
def spread_steps(lanes, scratch, lane, changes, n_words):
    """Make the step of a hidden vector that of every vector in its sum or mean.

    So a mean moves by the step, as in word2vec: its gradient by one of n vectors is
    n times smaller, and so would be the mean's move.
    """
    updates, window = lanes.updates[lane], scratch.window
    first, last = lanes.parts[lane, AROUND, 0], lanes.parts[lane, AROUND, 1]
    clear_rows(updates, first, last - first)
    for word in range(n_words):
        low, high = window[word, 0], window[word, 3]
        if high < last:
            spread_row(updates, low, high, changes, word)
        else:
            mix_rows(updates, low, updates, low, changes, word, (ONE, ONE))
    add_up_rows(updates, changes, first, window[0, 1], n_words, last)


@helper
def bend_contexts(model, lanes, scratch, lane, n_words):
    """Pass the curvature of a hidden vector on to the rows that it is pooled from.

    A mean moves as far as a single vector would. A sum of n vectors moves n times as
    far, because all of them move at the same time. See `apply_updates`.

    Words in no window get no step at all, not even one of rounding errors.
    """
    curvatures, window = scratch.slots[CURVATURE], scratch.window
    # Rows that are not used: of how many windows a context is in.
    windows, center = scratch.weights[1], window[0, 1]
    first, last = lanes.parts[lane, AROUND, 0], lanes.parts[lane, AROUND, 1]
    for slot in range(first, last):
        curvatures[slot] = np.float32(0.0)
        windows[slot] = np.float32(0.0)
    for word in range(n_words):
        low, high = window[word, 0], window[word, 3]
        if not model.average:
            curvatures[word] *= np.float32(count_contexts(window, word))
        curvatures[low] += curvatures[word]
        windows[low] += ONE
        if high < last:
            curvatures[high] -= curvatures[word]
            windows[high] -= ONE
    bend, n_windows = np.float32(0.0), np.float32(0.0)
    for slot in range(first, last):
        bend += curvatures[slot]
        n_windows += windows[slot]
        curvatures[slot] = bend
        windows[slot] = n_windows
    for word in range(n_words):
        slot = center + word
        curvatures[slot] -= curvatures[word]
        if windows[slot] == ONE:
            curvatures[slot] = np.float32(0.0)
            clear_rows(lanes.updates[lane], slot, 1)


@helper
def train_span(model, sampler, lanes, scratch, lane, n_words, rate, ahead):
    """Train the words of a lane's span, whose slots have been listed.

    Parameters
    ----------
    model : Model
    sampler : Sampler
    lanes : Lanes
    scratch : Scratch
    lane : int
    n_words : int
        The number of words of the span.
    rate : float32
    ahead : int
        As from `lane_ahead`.
    """
    load_window(lanes, scratch, lane, n_words)
    gather_noise(model, lanes, scratch, lane)
    add_up_around(model, lanes, scratch, lane)
    lanes.pairs[lane] += weigh_words(model, sampler, lanes, scratch, lane, n_words)
    for word in range(0, n_words, TILE):
        # The rows of four words stay in the nearest cache.
        group = (word, min(word + TILE, n_words))
        fetch_ahead(model, lanes, ahead, group, n_words)
        build_hidden(model, lanes, scratch, lane, group)
        map_words(model, scratch, group)
        score_own(model, lanes, scratch, lane, group)
    lanes.loss[lane] += step_words(model, lanes, scratch, lane, n_words, rate)
    add_updates(model, lanes, scratch, lane, n_words)
    bend_contexts(model, lanes, scratch, lane, n_words)
    finish_updates(model, lanes, scratch, lane)
    add_single_updates(model, lanes, scratch, lane, rate)


@helper
def list_round(tokens, model, sampler, lanes, scratch, index, team):
    """List the slots of this thread's lanes in round `index`."""
    first, last = open_lists(lanes, team)
    for lane in range(first, last):
        span = cut_span(tokens, lanes, lane, index, scratch.window.shape[0])
        if span[1] > span[0]:
            lay_slots(tokens, model, sampler, lanes, scratch, lane, span)
            list_slots(lanes, lane, team)


@kernel
def train_rounds(tokens, model, sampler, lanes, scratch, rounds, rates, team):
    """Train the spans of rounds ``rounds[0]`` .. ``rounds[1] - 1`` of an epoch.

    Parameters
    ----------
    tokens, model, sampler, lanes, scratch, rounds, rates, team
        As in `sgns.train_rounds`.
    """
    n_rounds = rounds[1] - rounds[0]
    # In every step, a round is computed and the next one's lanes are listed.
    for step in range(n_rounds + 1):
        if step > 0:
            rate = np.float32(rates[0] + rates[1] * (rounds[0] + step - 1))
            open_round(lanes, scratch, team)
            lane, tried = next_lane(lanes, team, 0)
            while lane >= 0:
                n_words = lanes.parts[lane, WORDS, 1] - lanes.parts[lane, WORDS, 0]
                lanes.n_words[lane], lanes.n_pending[lane] = n_words, 0
                if n_words > 0:
                    ahead = lane_ahead(model, lanes, lane, team)
                    train_span(
                        model, sampler, lanes, scratch, lane, n_words, rate, ahead
                    )
                lane, tried = next_lane(lanes, team, tried)
            if not finish_round(model, lanes, scratch, team, rate, step):
                return
        if step < n_rounds:
            index = rounds[0] + step
            list_round(tokens, model, sampler, lanes, scratch, index, team)
        if not close_round(model, team, step):
            return
