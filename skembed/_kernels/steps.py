"""From scores to steps: the sigmoid, the loss and the curvature, sixteen at a time.

Written as explicit vector code like the tiles of `simd`, since a compiler that has to
check six arrays for overlap spends longer on that than on sixteen numbers.

The exponential and the logarithm are polynomials. For ``e = exp(-x)``,
0 <= x <= 87, the relative error is below 1e-6 up to x = 10 and below 5e-6 everywhere;
for ``log(1 + e)``, 0 <= e <= 1, the absolute error is below 4e-7.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skembed._kernels.simd import (
    FLAGS,
    FLOAT,
    INT32,
    Matrix,
    constant,
    host_lanes,
    splat,
    zero_totals,
)
from skembed._utils.jit import COMPILED

CHUNK = 16
# Rows of the arrays `slots` and `words`.
BIAS, NORM, BIAS_STEP, CURVATURE = 0, 1, 2, 3
LOSS, STEP, BEND = 0, CHUNK, 2 * CHUNK

EXP = (1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0)
# Of log(1 + e) / e: interpolates in the Chebyshev nodes of [0, 1], highest power first.
LOG1P = (
    -0.008574676,
    0.04421419,
    -0.10785368,
    0.17757024,
    -0.24499612,
    0.33276176,
    -0.49997449,
    0.99999982,
)


class Vectors:
    """Arithmetic on vector registers of float32, as short methods."""

    def __init__(self, builder, lanes):
        self.builder = builder
        self.kind = ir.VectorType(FLOAT, lanes)
        self.whole = ir.VectorType(INT32, lanes)

    def all(self, number):
        return ir.Constant(self.kind, [number] * self.kind.count)

    def splat(self, number):
        return splat(self.builder, number, self.kind.count)

    def add(self, a, b):
        return self.builder.fadd(a, b, flags=FLAGS)

    def subtract(self, a, b):
        return self.builder.fsub(a, b, flags=FLAGS)

    def multiply(self, a, b):
        return self.builder.fmul(a, b, flags=FLAGS)

    def divide(self, a, b):
        # Without leave to use a reciprocal, whose bits differ between processors.
        return self.builder.fdiv(a, b)

    def less(self, a, b):
        return self.builder.fcmp_ordered("<", a, b)

    def select(self, condition, a, b):
        return self.builder.select(condition, a, b)

    def call(self, name, a):
        """Call one of LLVM's functions of a vector, such as floor."""
        name = f"llvm.{name}.v{self.kind.count}f32"
        kind = ir.FunctionType(self.kind, [self.kind])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [a])

    def polynomial(self, coefficients, x):
        total = self.all(coefficients[0])
        for coefficient in coefficients[1:]:
            total = self.add(self.multiply(total, x), self.all(coefficient))
        return total

    def exp_minus(self, x):
        """exp(-x) of 0 <= x <= 87: a power of two times a polynomial."""
        t = self.multiply(x, self.all(-1.4426950408889634))
        n = self.call("floor", self.add(t, self.all(0.5)))
        f = self.multiply(self.subtract(t, n), self.all(0.6931471805599453))
        biased = self.builder.add(
            self.builder.fptosi(n, self.whole),
            ir.Constant(self.whole, [127] * self.whole.count),
        )
        shift = ir.Constant(self.whole, [23] * self.whole.count)
        power = self.builder.bitcast(self.builder.shl(biased, shift), self.kind)
        return self.multiply(self.polynomial(EXP, f), power)

    def log1p_unit(self, e):
        """log(1 + e) of 0 <= e <= 1."""
        # Without a quotient, which would take as long as all the rest of the loss.
        return self.multiply(self.polynomial(LOG1P, e), e)


def write_steps(v, z, weight, norms):
    """Return loss, sigmoid times weight, and both curvatures of pairs with score z."""
    zero, one, huge = v.all(0.0), v.all(1.0), v.all(1e30)
    size = v.call("fabs", z)
    e = v.exp_minus(v.select(v.less(size, v.all(87.0)), size, v.all(87.0)))
    tiny = v.less(size, v.all(1e-3))
    divisor = v.select(tiny, v.all(1e-3), v.select(v.less(size, huge), size, huge))
    # One quotient for two, since nothing takes longer: its products with the divisor
    # and with 1 - e.
    shared = v.divide(one, v.multiply(v.add(one, e), divisor))
    upper = v.multiply(shared, divisor)
    sigmoid = v.select(v.less(z, zero), v.multiply(e, upper), upper)
    positive = v.select(v.less(z, zero), zero, z)
    loss = v.multiply(weight, v.add(positive, v.log1p_unit(e)))
    pull = v.multiply(weight, sigmoid)
    # (sigmoid(|z|) - 1/2) / |z|, whose limit is 1/4; see `apply_updates`.
    bend = v.multiply(v.multiply(v.all(0.5), v.subtract(one, e)), shared)
    slope = v.multiply(weight, v.select(tiny, v.all(0.25), bend))
    bends = [v.add(v.multiply(slope, norm), pull) for norm in norms]
    return loss, pull, bends


def make_step_block(lanes):
    """Return `step_block` for registers of `lanes` numbers."""
    numbers = list(range(lanes))

    def write_register(v, matrices, block, at, rate):
        scores, slots, words, window = matrices
        column, left, right, edge, sum_at = at
        builder, whole, places = v.builder, ir.Constant(v.whole, numbers), (left, right)
        is_left = builder.icmp_signed("<", whole, _splat_int(builder, edge, lanes))

        def load(array):
            both = [slots.load(constant(array), place) for place in places]
            return v.select(is_left, *both)

        def store(number, array):
            for place, chosen in zip(
                places, (is_left, builder.not_(is_left)), strict=True
            ):
                before = slots.load(constant(array), place)
                number_or_before = v.select(chosen, number, before)
                slots.store(number_or_before, constant(array), place)

        starts = [_splat_int(builder, place, lanes) for place in places]
        here = builder.add(v.select(is_left, *starts), whole)
        biases, norms = load(BIAS), load(NORM)
        totals = zero_totals(builder, v.kind, 2)
        for total, array in zip(totals, (BIAS_STEP, CURVATURE), strict=True):
            builder.store(load(array), total)
        with cgutils.for_range(builder, builder.sub(block[1], block[0])) as loop:
            row = builder.add(block[0], loop.index)
            weight = v.select(_in_window(v, window, row, here), v.all(1.0), v.all(0.0))
            bias, norm = (
                words.splat(row, constant(3 * CHUNK + number))
                for number in (BIAS, NORM)
            )
            score = v.add(scores.load(row, column), v.add(bias, biases))
            z = v.subtract(v.all(0.0), score)
            loss, pull, bends = write_steps(v, z, weight, (norm, norms))
            step = v.multiply(rate, pull)
            scores.store(step, row, column)
            for total, number in zip(totals, (step, bends[0]), strict=True):
                builder.store(v.add(builder.load(total), number), total)
            for sums, number in ((LOSS, loss), (STEP, step), (BEND, bends[1])):
                place = builder.add(constant(sums), sum_at)
                words.store(v.add(words.load(row, place), number), row, place)
        for total, array in zip(totals, (BIAS_STEP, CURVATURE), strict=True):
            store(builder.load(total), array)

    @intrinsic
    def step_block(typing_context, scores, slots, words, window, block, at, rate):
        signature = types.void(
            scores,
            slots,
            words,
            window,
            types.UniTuple(types.int64, 2),
            types.UniTuple(types.int64, 4),
            types.float32,
        )

        def generate(context, builder, signature, arguments):
            matrices = [
                Matrix.of(context, builder, kind, arguments[i], lanes)
                for i, kind in enumerate((scores, slots, words, window))
            ]
            block = cgutils.unpack_tuple(builder, arguments[4], 2)
            column, left, right, edge = cgutils.unpack_tuple(builder, arguments[5], 4)
            v = Vectors(builder, lanes)
            rate = v.splat(arguments[6])
            for first in range(0, CHUNK, lanes):
                start = constant(first)
                at = [builder.add(place, start) for place in (column, left, right)]
                at += [builder.sub(edge, start), start]
                write_register(v, matrices, block, at, rate)
            return context.get_dummy_value()

        return signature, generate

    return step_block


def _splat_int(builder, number, lanes):
    return splat(builder, builder.trunc(number, INT32), lanes)


def _in_window(v, window, row, slots):
    """Return which slots are in the window of a word."""
    builder, kind = v.builder, ir.IntType(64)
    edges = [
        _splat_int(
            builder,
            builder.load(window.pointer(row, constant(place), kind)),
            v.kind.count,
        )
        for place in range(4)
    ]
    sides = [
        builder.and_(
            builder.icmp_signed(">=", slots, edges[side]),
            builder.icmp_signed("<", slots, edges[side + 1]),
        )
        for side in (0, 2)
    ]
    return builder.or_(*sides)


def _step_block(scores, slots, words, window, block, at, rate):
    """Replace scores with 16 contexts by steps, and add up what they are worth.

    The objective of a word and a context in its window is ``log(1 + exp(-s))`` with
    the score s: Mikolov et al. (2013), eq. 4. The step is ``rate * sigmoid(-s)``, and 0
    for other contexts.

    Parameters
    ----------
    scores : float32 (n_words, n_columns), INOUT
        Dot products, then steps.
    slots : float32 (4, n_slots), INOUT
        Rows `BIAS` and `NORM` of every context are read; to `BIAS_STEP` and
        `CURVATURE` is added.
    words : float32 (n_words, 64), INOUT
        Of every word: 16 partial sums each of loss, step and curvature are added to,
        then bias and norm are read.
    window : int64 (n_words, 4), IN
        Slots of each word's contexts: first and last + 1 of two runs.
    block : (int, int)
        First and last + 1 word.
    at : (int, int, int, int)
        First column, and which contexts it begins with: those of the first `edge`
        columns are in the slots from `left` on, and column k's is in ``right + k``.
    rate : float32
        The learning rate.
    """
    column, left, right, edge = at
    rows, columns = slice(*block), slice(column, column + CHUNK)
    k = np.arange(CHUNK)
    places = np.where(k < edge, left + k, right + k)
    first, end, other, other_end = window[rows].T[:, :, None]
    inside = (places >= first) & (places < end)
    inside |= (places >= other) & (places < other_end)
    weight = inside.astype(np.float32)
    bias, norm = words[rows, 3 * CHUNK + BIAS], words[rows, 3 * CHUNK + NORM]
    z = -(scores[rows, columns] + bias[:, None] + slots[BIAS, places])
    size = np.abs(z)
    e = np.exp(-np.minimum(size, np.float32(87.0)))
    upper = np.float32(1.0) / (np.float32(1.0) + e)
    pull = weight * np.where(z < 0, e * upper, upper)
    bend = (upper - np.float32(0.5)) / np.maximum(size, np.float32(1e-3))
    slope = weight * np.where(size < 1e-3, np.float32(0.25), bend)
    step = rate * pull
    scores[rows, columns] = step
    slots[BIAS_STEP, places] += step.sum(axis=0)
    slots[CURVATURE, places] += (slope * norm[:, None] + pull).sum(axis=0)
    words[rows, :CHUNK] += weight * (np.maximum(z, 0) + np.log1p(e))
    words[rows, STEP : STEP + CHUNK] += step
    words[rows, BEND : BEND + CHUNK] += slope * slots[NORM, places] + pull


step_block = make_step_block(host_lanes()) if COMPILED else _step_block
