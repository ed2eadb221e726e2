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


def make_step_chunk(lanes):
    """Return `step_chunk` for registers of `lanes` numbers."""

    @intrinsic
    def step_chunk(typing_context, scores, weights, slots, words, at, rates):
        signature = types.void(scores, weights, slots, words, at, rates)

        def generate(context, builder, signature, arguments):
            matrices = [
                Matrix.of(context, builder, kind, arguments[i], lanes)
                for i, kind in enumerate((scores, weights, slots, words))
            ]
            row, column, slot = cgutils.unpack_tuple(builder, arguments[4], 3)
            sign, rate = cgutils.unpack_tuple(builder, arguments[5], 2)
            v = Vectors(builder, lanes)
            rates = v.splat(sign), v.splat(rate)
            for first in range(0, CHUNK, lanes):
                _write_chunk(v, matrices, row, (column, slot, first), rates)
            return context.get_dummy_value()

        return signature, generate

    return step_chunk


def _write_chunk(v, matrices, row, place, rates):
    """Write one register's part of a chunk, which begins at number ``place[2]``."""
    scores, weights, slots, words = matrices
    column, slot = (v.builder.add(start, constant(place[2])) for start in place[:2])
    sign, rate = rates
    bias = words.splat(row, constant(3 * CHUNK + BIAS))
    norm = words.splat(row, constant(3 * CHUNK + NORM))
    biases = slots.load(constant(BIAS), slot)
    norms = slots.load(constant(NORM), slot)
    score = v.add(scores.load(row, column), v.add(bias, biases))
    weight = weights.load(row, column)
    loss, pull, bends = write_steps(v, v.multiply(sign, score), weight, (norm, norms))
    step = v.multiply(v.multiply(sign, rate), pull)
    scores.store(step, row, column)
    for array, number in ((BIAS_STEP, step), (CURVATURE, bends[0])):
        total = v.add(slots.load(constant(array), slot), number)
        slots.store(total, constant(array), slot)
    for sums, number in ((LOSS, loss), (STEP, step), (BEND, bends[1])):
        at = constant(sums + place[2])
        words.store(v.add(words.load(row, at), number), row, at)


def _step_chunk(scores, weights, slots, words, at, rates):
    """Replace 16 scores of a word by steps, and add up what they are worth.

    A pair's objective is ``weight * log(1 + exp(z))``, z = ``sign * s`` with the score
    s: Mikolov et al. (2013), eq. 4. The step is ``rate * sign * weight * sigmoid(z)``;
    pass the learning rate with a minus.

    Parameters
    ----------
    scores : float32 (n_words, n_columns), INOUT
        Dot products, then steps.
    weights : float32 (n_words, n_columns), IN
    slots : float32 (4, n_slots), INOUT
        Rows `BIAS` and `NORM` of every context are read; to `BIAS_STEP` and
        `CURVATURE` is added.
    words : float32 (n_words, 64), INOUT
        Of every word: 16 partial sums each of loss, step and curvature are added to,
        then bias and norm are read.
    at : (int, int, int)
        Word, first column, and the slot of the context in that column.
    rates : (float32, float32)
        Sign and minus the learning rate.
    """
    row, columns = at[0], slice(at[1], at[1] + CHUNK)
    places = slice(at[2], at[2] + CHUNK)
    sign, rate = rates
    bias, norm = words[row, 3 * CHUNK + BIAS], words[row, 3 * CHUNK + NORM]
    weight = weights[row, columns]
    z = sign * (scores[row, columns] + bias + slots[BIAS, places])
    size = np.abs(z)
    e = np.exp(-np.minimum(size, np.float32(87.0)))
    upper = np.float32(1.0) / (np.float32(1.0) + e)
    pull = weight * np.where(z < 0, e * upper, upper)
    bend = (upper - np.float32(0.5)) / np.maximum(size, np.float32(1e-3))
    slope = weight * np.where(size < 1e-3, np.float32(0.25), bend)
    step = sign * rate * pull
    scores[row, columns] = step
    slots[BIAS_STEP, places] += step
    slots[CURVATURE, places] += slope * norm + pull
    words[row, :CHUNK] += weight * (np.maximum(z, 0) + np.log1p(e))
    words[row, STEP : STEP + CHUNK] += step
    words[row, BEND : BEND + CHUNK] += slope * slots[NORM, places] + pull


step_chunk = make_step_chunk(host_lanes()) if COMPILED else _step_chunk
