"""Softmax over all contexts: slopes of the scores, and AdaGrad steps.

A block is a number of word rows. Training takes the blocks one after the other. The
dense products are left to BLAS; here is what comes between them. Tables have rows of a
multiple of 16 columns: a vector, its bias in column `n_components`, and zeros.
"""

import functools
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skembed._kernels.simd import FLAGS, Matrix, constant, splat, sum_lanes
from skembed._kernels.steps import EXP, LOG1P
from skembed._utils.jit import COMPILED, helper, kernel

# Columns of a step: vectors of so many numbers compile for every processor.
_LANES = 16
# exp(x) counts as 0 up to this x. Products with smaller numbers could be denormal, with
# which processors are slow.
_LOWEST = np.float32(-60.0)
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
    scale = np.float32(0.0) if x <= _LOWEST else np.float32(1.0)
    x = _LOWEST if x <= _LOWEST else x
    # Rounds to the nearest number, since x is not positive.
    n = np.int32(x * np.float32(_LOG2_E) - np.float32(0.5))
    f = x - np.float32(n) * np.float32(_LN_2)
    total = np.float32(EXP[0])
    for k in range(1, len(EXP)):
        total = total * f + np.float32(EXP[k])
    return scale * total * _power_of_two(n)


@helper
def log1p_unit(e):
    """log(1 + e) of 0 <= e <= 1, for loops that the compiler vectorises."""
    total = np.float32(LOG1P[0])
    for k in range(1, len(LOG1P)):
        total = total * e + np.float32(LOG1P[k])
    return total * e


def _exp_plain(x):
    return np.exp(x) if x > _LOWEST else np.float32(0.0)


exp_negative = _exp_compiled if COMPILED else _exp_plain


@helper
def _find(array, first, last, value):
    """Return the first place of a number >= value in a sorted part, and its end."""
    end = last
    while first < last:
        middle = (first + last) >> 1
        if array[middle] < value:
            first = middle + 1
        else:
            last = middle
    return first, end


@intrinsic
def _largest_of_lines(typing_context, scores, row, first, n_lines):
    """Return the largest number of some lines of 16 columns.

    The compiler does not vectorise a plain maximum, because it does not know that no
    number is NaN.
    """
    signature = types.float32(scores, types.intp, types.intp, types.intp)

    def generate(context, builder, signature, arguments):
        matrix = Matrix.of(context, builder, scores, arguments[0], _LANES)
        row, first, n_lines = arguments[1:]

        def larger(one, other):
            return builder.select(builder.fcmp_ordered(">", one, other), one, other)

        largest = cgutils.alloca_once_value(builder, matrix.splat(row, first))
        with cgutils.for_range(builder, n_lines) as loop:
            column = builder.add(first, builder.mul(loop.index, constant(_LANES)))
            line = larger(matrix.load(row, column), builder.load(largest))
            builder.store(line, largest)
        lanes = builder.load(largest)
        parts = [
            builder.extract_element(lanes, ir.Constant(ir.IntType(32), lane))
            for lane in range(_LANES)
        ]
        return functools.reduce(larger, parts)

    return signature, generate


def _largest_compiled(scores, row, first, last):
    """Return the largest of some scores of a row."""
    n_lines = (last - first) >> np.uintp(4)
    largest = _largest_of_lines(scores, row, first, n_lines)
    for k in range(first + (n_lines << np.uintp(4)), last):
        largest = max(largest, scores[row, k])
    return largest


def _largest_plain(scores, row, first, last):
    return scores[row, first:last].max()


_largest = helper(_largest_compiled) if COMPILED else _largest_plain


@kernel
def exp_tile(scores, tile, block, maxima, sums, observed):
    """Replace scores of some contexts by exp(score - maximum of the row's tile).

    Parameters
    ----------
    scores : float32 (>= n_rows, n_contexts), INOUT
    tile : (int, int)
        First context, and the one behind the last.
    block : Block
    maxima, sums : float32 (>= n_rows,), OUT
        Largest score of each row in this tile, and the sum of the exponentials.
    observed : float64 (>= n_rows,), OUT
        Sum of count times score.
    """
    indptr, contexts, counts = block.indptr, block.contexts, block.counts
    first, last = np.uintp(tile[0]), np.uintp(tile[1])
    for row in range(indptr.size - 1):
        entry, end = _find(contexts, indptr[row], indptr[row + 1], tile[0])
        total = 0.0
        while entry < end and contexts[entry] < tile[1]:
            total += counts[entry] * scores[row, contexts[entry]]
            entry += 1
        observed[row] = total
        largest = _largest(scores, row, first, last)
        summed = np.float32(0.0)
        for k in range(first, last):
            e = exp_negative(scores[row, k] - largest)
            scores[row, k] = e
            summed += e
        maxima[row] = largest
        sums[row] = summed


@kernel
def slope_tile(scores, tile, block, factors):
    """Replace exponentials by slopes: expected counts minus observed counts.

    Parameters
    ----------
    scores : float32 (>= n_rows, n_contexts), INOUT
        What `exp_tile` has written.
    tile : (int, int)
    block : Block
    factors : float32 (>= n_rows,), IN
        The row's total count, divided by the sum of the exponentials.
    """
    indptr, contexts, counts = block.indptr, block.contexts, block.counts
    first, last = np.uintp(tile[0]), np.uintp(tile[1])
    for row in range(indptr.size - 1):
        factor = factors[row]
        for k in range(first, last):
            scores[row, k] *= factor
        entry, end = _find(contexts, indptr[row], indptr[row + 1], tile[0])
        while entry < end and contexts[entry] < tile[1]:
            scores[row, contexts[entry]] -= np.float32(counts[entry])
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


@intrinsic
def _dot_compiled(typing_context, table, row, others, other):
    """Return the product of two rows of tables.

    As a plain loop it is slower, for the reason given in `glove.dot`.
    """
    signature = types.float32(table, types.intp, others, types.intp)

    def generate(context, builder, signature, arguments):
        x = Matrix.of(context, builder, table, arguments[0], _LANES)
        y = Matrix.of(context, builder, others, arguments[2], _LANES)
        zeros = ir.Constant(x.vector, [0.0] * _LANES)
        total = cgutils.alloca_once_value(builder, zeros)
        count = builder.udiv(x.columns, constant(_LANES))
        with cgutils.for_range(builder, count) as loop:
            column = builder.mul(loop.index, constant(_LANES))
            pair = x.load(arguments[1], column), y.load(arguments[3], column)
            product = builder.fmul(*pair, flags=FLAGS)
            added = builder.fadd(product, builder.load(total), flags=FLAGS)
            builder.store(added, total)
        return sum_lanes(builder, builder.load(total))

    return signature, generate


@intrinsic
def _add_compiled(typing_context, target, row, source, other, factor):
    """Add a multiple of a row of one table to a row of another table."""
    signature = types.void(target, types.intp, source, types.intp, types.float32)

    def generate(context, builder, signature, arguments):
        x = Matrix.of(context, builder, target, arguments[0], _LANES)
        y = Matrix.of(context, builder, source, arguments[2], _LANES)
        factor = splat(builder, arguments[4], _LANES)
        count = builder.udiv(x.columns, constant(_LANES))
        with cgutils.for_range(builder, count) as loop:
            column = builder.mul(loop.index, constant(_LANES))
            product = builder.fmul(factor, y.load(arguments[3], column), flags=FLAGS)
            before = x.load(arguments[1], column)
            x.store(builder.fadd(product, before, flags=FLAGS), arguments[1], column)
        return context.get_dummy_value()

    return signature, generate


def _dot_plain(table, row, others, other):
    return table[row] @ others[other]


def _add_plain(target, row, source, other, factor):
    target[row] += factor * source[other]


dot, add = _dot_plain, _add_plain
if COMPILED:
    dot, add = _dot_compiled, _add_compiled


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
    indptr, contexts, counts = block.indptr, block.contexts, block.counts
    places, weights, scores = drawn.places, drawn.weights, drawn.scores
    slopes = outputs.slopes
    origin = indptr[0]
    n_drawn = np.uintp(scores.shape[1])
    for row in range(rows[0], rows[1]):
        start, end = np.uintp(indptr[row]), np.uintp(indptr[row + 1])
        first, last = start - np.uintp(origin), end - np.uintp(origin)
        observed, total = 0.0, 0.0
        largest = _largest(scores, row, np.uintp(0), n_drawn)
        for k in range(last - first):
            score = dot(words, row, table, np.int64(contexts[start + k]))
            slopes[first + k] = score
            largest = max(largest, score)
            observed += counts[start + k] * score
            total += counts[start + k]
        normaliser = 0.0
        for k in range(first, last):
            e = exp_negative(slopes[k] - largest)
            slopes[k] = e
            normaliser += e
        for k in range(n_drawn):
            scores[row, k] = weights[k] * exp_negative(scores[row, k] - largest)
        for entry in range(start, end):
            place = places[contexts[entry]]
            if place >= 0:
                scores[row, place] = np.float32(0.0)
        for k in range(n_drawn):
            normaliser += scores[row, k]
        sums[row, 0] = largest + np.log(normaliser)
        sums[row, 1] = observed
        factor = np.float32(total / normaliser)
        for k in range(n_drawn):
            scores[row, k] *= factor
        for k in range(last - first):
            slope = factor * slopes[first + k] - np.float32(counts[start + k])
            slopes[first + k] = slope
            add(gradients, row, table, np.int64(contexts[start + k]), slope)


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
    indptr, columns, slopes = outputs.indptr, outputs.columns, outputs.slopes
    last = first + gradients.shape[0]
    origin = indptr[0]
    for row in range(words.shape[0]):
        bounds = indptr[row] - origin, indptr[row + 1] - origin
        entry, end = _find(columns, bounds[0], bounds[1], first)
        while entry < end and columns[entry] < last:
            target = np.int64(columns[entry] - first)
            add(gradients, target, words, row, slopes[entry])
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
    indptr, contexts, counts = block.indptr, block.contexts, block.counts
    total = 0.0
    for row in range(words.shape[0]):
        for entry in range(indptr[row], indptr[row + 1]):
            context = np.int64(contexts[entry])
            score = dot(words, row, table, context)
            total += counts[entry] * score
    return total
