"""Softmax over all contexts: slopes of the scores, and AdaGrad steps.

A block is a number of word rows. Training takes the blocks one after the other. The
dense products are left to BLAS; here is what comes between them. Tables have rows of a
multiple of 16 columns: a vector, its bias in column `n_components`, and zeros.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skembed._utils.jit import COMPILED, helper, kernel

# exp(x) is 0 below: the smallest exponent of an ordinary float32.
_LOWEST = np.float32(-87.0)
# Coefficients of exp on [-ln 2 / 2, ln 2 / 2], highest power first.
_LOG2_E, _LN_2 = 1.4426950408889634, 0.6931471805599453


class Block(NamedTuple):
    """Co-occurrence counts of some word rows, as a part of a CSR matrix."""

    indptr: np.ndarray  # IN int64 (n_rows + 1,), places in the two arrays below
    contexts: np.ndarray  # IN int32 (n_entries,), ascending within a row
    counts: np.ndarray  # IN float64 (n_entries,)
    totals: np.ndarray  # IN float64 (n_rows,), sums of the rows
    first: int  # the first row


@intrinsic
def _power_of_two(typing_context, exponent):
    """``2.0**exponent`` of an int32 from -126 to 127, as float32."""
    signature = types.float32(types.int32)

    def generate(context, builder, signature, arguments):
        biased = builder.add(arguments[0], ir.Constant(ir.IntType(32), 127))
        bits = builder.shl(biased, ir.Constant(ir.IntType(32), 23))
        return builder.bitcast(bits, ir.FloatType())

    return signature, generate


@helper
def _exp_compiled(x):
    """exp(x) of x <= 0, for loops that the compiler vectorises."""
    x = max(x, _LOWEST)
    # Rounds to the nearest number, since x is not positive.
    n = np.int32(x * np.float32(_LOG2_E) - np.float32(0.5))
    f = x - np.float32(n) * np.float32(_LN_2)
    p = np.float32(1.0 / 720.0)
    p = p * f + np.float32(1.0 / 120.0)
    p = p * f + np.float32(1.0 / 24.0)
    p = p * f + np.float32(1.0 / 6.0)
    p = p * f + np.float32(0.5)
    p = p * f + np.float32(1.0)
    p = p * f + np.float32(1.0)
    return p * _power_of_two(n)


def _exp_plain(x):
    return np.exp(max(x, _LOWEST))


exp_negative = _exp_compiled if COMPILED else _exp_plain


@helper
def _find(array, first, last, value):
    """Return the first place from `first` on where a sorted array is >= value."""
    while first < last:
        middle = (first + last) >> 1
        if array[middle] < value:
            first = middle + 1
        else:
            last = middle
    return first


@kernel
def exp_tile(scores, first, block, maxima, sums, observed):
    """Replace scores of some contexts by exp(score - maximum of the row's tile).

    Parameters
    ----------
    scores : float32 (n_rows, n_columns), INOUT
    first : int
        First context of the tile.
    block : Block
    maxima, sums : float32 (n_rows,), OUT
        Largest score of each row in this tile, and the sum of the exponentials.
    observed : float64 (n_rows,), OUT
        Sum of count times score.
    """
    last = first + scores.shape[1]
    for row in range(scores.shape[0]):
        line = scores[row]
        start, end = block.indptr[row], block.indptr[row + 1]
        entry = _find(block.contexts, start, end, first)
        total = 0.0
        while entry < end and block.contexts[entry] < last:
            total += block.counts[entry] * line[block.contexts[entry] - first]
            entry += 1
        observed[row] = total
        largest = line[0]
        for k in range(line.size):
            largest = max(largest, line[k])
        summed = np.float32(0.0)
        for k in range(line.size):
            e = exp_negative(line[k] - largest)
            line[k] = e
            summed += e
        maxima[row] = largest
        sums[row] = summed


@kernel
def slope_tile(scores, first, block, factors):
    """Replace exponentials by slopes: expected counts minus observed counts.

    Parameters
    ----------
    scores : float32 (n_rows, n_columns), INOUT
        What `exp_tile` has written.
    first : int
    block : Block
    factors : float32 (n_rows,), IN
        The row's total count, divided by the sum of the exponentials.
    """
    last = first + scores.shape[1]
    for row in range(scores.shape[0]):
        line = scores[row]
        factor = factors[row]
        for k in range(line.size):
            line[k] *= factor
        start, end = block.indptr[row], block.indptr[row + 1]
        entry = _find(block.contexts, start, end, first)
        while entry < end and block.contexts[entry] < last:
            at = block.contexts[entry] - first
            line[at] -= np.float32(block.counts[entry])
            entry += 1


@kernel
def step_rows(params, squares, gradients, first, learns, penalties, rate):
    """AdaGrad steps of consecutive rows (Duchi, Hazan & Singer 2011).

    Parameters
    ----------
    params, squares : float32 (n_rows, width), INOUT
        `squares` holds 1 + sums of squared gradients.
    gradients : float32 (n, width), IN
    first : int
        Row of the first gradient.
    learns : float32 (width,), IN
        1 for columns that are learned, otherwise 0.
    penalties : float32 (width,), IN
        Factors of a row in the gradient of the penalty.
    rate : float32
        The learning rate.
    """
    width = (params.shape[1] >> 4) << 4
    for i in range(gradients.shape[0]):
        row = np.uintp(first + i)
        for k in range(width):
            value = params[row, k]
            gradient = learns[k] * gradients[i, k] + penalties[k] * value
            square = squares[row, k] + gradient * gradient
            squares[row, k] = square
            params[row, k] = value - rate * gradient / np.sqrt(square)


# --- outputs of each row: observed contexts, or nodes of a tree -----------------------


class Outputs(NamedTuple):
    """The outputs that each row of a block is scored with, as a CSR matrix."""

    indptr: np.ndarray  # IN int64 (n_rows + 1,), places in the two arrays below
    columns: np.ndarray  # int32 (n_entries,), ascending within a row
    slopes: np.ndarray  # OUT float32 (n_entries,)


class Drawn(NamedTuple):
    """Contexts that stand for all contexts that a row was not observed with."""

    places: np.ndarray  # IN int32 (n_contexts,), -1 if a context was not drawn
    weights: np.ndarray  # IN float32 (n_drawn,), how many contexts one stands for
    scores: np.ndarray  # INOUT float32 (n_rows, n_drawn), becomes slopes


@helper
def _dot(a, row, b, other):
    """Return the product of two rows of tables."""
    total = np.float32(0.0)
    width = np.uintp((a.shape[1] >> 4) << 4)
    for k in range(width):
        total += a[row, k] * b[other, k]
    return total


@helper
def _add(target, row, source, other, factor):
    """Add a multiple of a row of one table to a row of another table."""
    width = np.uintp((target.shape[1] >> 4) << 4)
    for k in range(width):
        target[row, k] += factor * source[other, k]


@kernel
def draw_rows(table, words, block, drawn, outputs, gradients, rows, sums):
    """Slopes of observed contexts, and of drawn contexts in place of all others.

    Parameters
    ----------
    table : float32 (n_contexts, width), IN
    words : float32 (n_rows, width), IN
    block : Block
        `outputs` has the same places.
    drawn : Drawn
    outputs : Outputs
    gradients : float32 (n_rows, width), INOUT
        What observed contexts contribute is added.
    rows : (int, int)
        First row of the block, and the one behind the last.
    sums : float64 (n_rows, 2), OUT
        Logarithm of the normaliser, and sum of count times score.
    """
    slopes = outputs.slopes
    origin = block.indptr[0]
    for row in range(rows[0], rows[1]):
        start, end = block.indptr[row], block.indptr[row + 1]
        line = drawn.scores[row]
        observed, total = 0.0, 0.0
        largest = np.float32(-np.inf)
        for k in range(line.size):
            largest = max(largest, line[k])
        for entry in range(start, end):
            context = np.uintp(block.contexts[entry])
            score = _dot(words, np.uintp(row), table, context)
            slopes[entry - origin] = score
            largest = max(largest, score)
            observed += block.counts[entry] * score
            total += block.counts[entry]
        normaliser = 0.0
        for entry in range(start, end):
            e = exp_negative(slopes[entry - origin] - largest)
            slopes[entry - origin] = e
            normaliser += e
        for k in range(line.size):
            line[k] = drawn.weights[k] * exp_negative(line[k] - largest)
        for entry in range(start, end):
            place = drawn.places[block.contexts[entry]]
            if place >= 0:
                line[place] = np.float32(0.0)
        summed = np.float32(0.0)
        for k in range(line.size):
            summed += line[k]
        normaliser += summed
        sums[row, 0] = largest + np.log(normaliser) if normaliser > 0.0 else 0.0
        sums[row, 1] = observed
        factor = np.float32(total / normaliser) if total > 0.0 else np.float32(0.0)
        for k in range(line.size):
            line[k] *= factor
        for entry in range(start, end):
            slope = factor * slopes[entry - origin] - np.float32(block.counts[entry])
            slopes[entry - origin] = slope
            context = np.uintp(block.contexts[entry])
            _add(gradients, np.uintp(row), table, context, slope)


@kernel
def add_slopes(outputs, words, first, gradients):
    """Add the gradients of some outputs: slopes times word rows.

    Parameters
    ----------
    outputs : Outputs
    words : float32 (n_rows, width), IN
    first : int
        The first of these outputs.
    gradients : float32 (n_columns, width), INOUT
    """
    last = first + gradients.shape[0]
    origin = outputs.indptr[0]
    for row in range(words.shape[0]):
        end = outputs.indptr[row + 1] - origin
        entry = _find(outputs.columns, outputs.indptr[row] - origin, end, first)
        while entry < end and outputs.columns[entry] < last:
            target = np.uintp(outputs.columns[entry] - first)
            _add(gradients, target, words, np.uintp(row), outputs.slopes[entry])
            entry += 1


@kernel
def sum_scores(table, words, block):
    """Return the sum of count times score.

    Parameters
    ----------
    table : float32 (n_contexts, width), IN
    words : float32 (n_rows, width), IN
    block : Block

    Returns
    -------
    float
    """
    total = 0.0
    for row in range(words.shape[0]):
        for entry in range(block.indptr[row], block.indptr[row + 1]):
            context = np.uintp(block.contexts[entry])
            score = _dot(words, np.uintp(row), table, context)
            total += block.counts[entry] * score
    return total


# --- hierarchical softmax -------------------------------------------------------------


class Paths(NamedTuple):
    """The ways from the leaves of a tree to its root. Parents follow their children."""

    leaf_parents: np.ndarray  # IN int32 (n_contexts,)
    leaf_sides: np.ndarray  # IN uint8 (n_contexts,), 1 for a right child
    parents: np.ndarray  # IN int32 (n_nodes,), -1 for the root
    sides: np.ndarray  # IN uint8 (n_nodes,)


class Marks(NamedTuple):
    """Work space of one thread: the nodes above a row's contexts. All zeros between."""

    bits: np.ndarray  # uint64 (n_nodes / 64,)
    masses: np.ndarray  # float64 (n_nodes, 2), counts to the left and to the right


@intrinsic
def _count_zeros_compiled(typing_context, bits):
    """Return the place of the lowest bit of a uint64 that is not 0."""
    signature = types.int64(types.uint64)

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate


def _count_zeros_plain(bits):
    bits = int(bits)
    return (bits & -bits).bit_length() - 1


lowest_bit = _count_zeros_compiled if COMPILED else _count_zeros_plain
_ONE, _SIX, _LOW_6 = np.uint64(1), np.uint64(6), np.uint64(63)


@helper
def _mark(bits, node):
    bits[node >> 6] |= _ONE << np.uint64(node & 63)


@helper
def _mark_leaves(paths, block, row, marks):
    """Add the counts of a row to the nodes right above its contexts."""
    for entry in range(block.indptr[row], block.indptr[row + 1]):
        context = block.contexts[entry]
        node = np.int64(paths.leaf_parents[context])
        _mark(marks.bits, node)
        marks.masses[node, paths.leaf_sides[context]] += block.counts[entry]


@helper
def _hand_up(paths, node, marks):
    """Forget a node, after its mass was added to its parent; return both masses."""
    left, right = marks.masses[node, 0], marks.masses[node, 1]
    marks.masses[node, 0] = 0.0
    marks.masses[node, 1] = 0.0
    parent = np.int64(paths.parents[node])
    if parent >= 0:
        _mark(marks.bits, parent)
        marks.masses[parent, paths.sides[node]] += left + right
    return left, right


@kernel
def count_nodes(paths, block, rows, marks, per_row, per_node):
    """Count how many nodes are above the contexts of each row.

    Parameters
    ----------
    paths : Paths
    block : Block
    rows : (int, int)
    marks : Marks
    per_row : int64 (n_rows,), OUT
    per_node : int64 (n_nodes,), INOUT
        Adds up the rows of each node.
    """
    for row in range(rows[0], rows[1]):
        _mark_leaves(paths, block, row, marks)
        n_found = 0
        for at in range(marks.bits.size):
            while marks.bits[at]:
                node = (at << 6) + lowest_bit(marks.bits[at])
                marks.bits[at] &= marks.bits[at] - _ONE
                _hand_up(paths, node, marks)
                per_node[node] += 1
                n_found += 1
        per_row[row] = n_found


@kernel
def tree_rows(table, words, paths, block, outputs, gradients, rows, marks, sums):
    """Slopes of the nodes above the contexts of each row.

    The loss of a node of score s is ``left * softplus(-s) + right * softplus(s)``.

    Parameters
    ----------
    table : float32 (>= n_nodes, width), IN
    words : float32 (n_rows, width), IN
    paths : Paths
    block : Block
    outputs : Outputs
        INOUT: nodes and slopes are written.
    gradients : float32 (n_rows, width), INOUT
    rows : (int, int)
    marks : Marks
    sums : float64 (n_rows, 2), OUT
        The loss, and 0.
    """
    origin = outputs.indptr[0]
    for row in range(rows[0], rows[1]):
        _mark_leaves(paths, block, row, marks)
        place = outputs.indptr[row] - origin
        loss = 0.0
        for at in range(marks.bits.size):
            while marks.bits[at]:
                node = (at << 6) + lowest_bit(marks.bits[at])
                marks.bits[at] &= marks.bits[at] - _ONE
                left, right = _hand_up(paths, node, marks)
                score = np.float64(_dot(words, np.uintp(row), table, np.uintp(node)))
                e = np.exp(-abs(score))
                chance = (1.0 if score >= 0.0 else e) / (1.0 + e)
                loss += np.log1p(e) * (left + right)
                loss += left * max(-score, 0.0) + right * max(score, 0.0)
                slope = np.float32((left + right) * chance - left)
                outputs.columns[place] = np.int32(node)
                outputs.slopes[place] = slope
                place += 1
                _add(gradients, np.uintp(row), table, np.uintp(node), slope)
        sums[row, 0] = loss
        sums[row, 1] = 0.0
