"""Explicit vector code for spans, beside that of `simd`.

Skip-gram and CBOW use the scores of all words with the noise words. The sums of rows
are for CBOW.
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
    accumulate,
    constant,
    each_register,
    host_lanes,
    multiply_add,
    shared_function,
    splat,
    sum_lanes,
    zero_totals,
)
from skembed._kernels.steps import (
    BIAS,
    BIAS_STEP,
    CHUNK,
    CURVATURE,
    NORM,
    Vectors,
    write_steps,
)
from skembed._utils.jit import COMPILED

# Words and noise words that are scored at once.
BLOCK, LINE = 8, 16


# --- rows -----------------------------------------------------------------------------


def make_mix_rows(lanes):
    """Return `mix_rows` for registers of `lanes` numbers."""

    @intrinsic
    def mix_rows(typing_context, out, at, first, i, second, j, factors):
        signature = types.void(out, types.int64, first, i, second, j, factors)

        def generate(context, builder, signature, arguments):
            target, a, b = (
                Matrix.of(context, builder, kind, arguments[place], lanes)
                for kind, place in ((out, 0), (first, 2), (second, 4))
            )
            both = cgutils.unpack_tuple(builder, arguments[6], 2)
            x, y = (splat(builder, factor, lanes) for factor in both)
            with each_register(builder, target) as column:
                product = builder.fmul(x, a.load(arguments[3], column), flags=FLAGS)
                total = multiply_add(builder, y, b.load(arguments[5], column), product)
                target.store(total, arguments[1], column)
            return context.get_dummy_value()

        return signature, generate

    return mix_rows


def _mix_rows(out, at, first, i, second, j, factors):
    """``out[at] = factors[0] * first[i] + factors[1] * second[j]``."""
    out[at] = factors[0] * first[i] + factors[1] * second[j]


def make_pool_rows(lanes):
    """Return `pool_rows` for registers of `lanes` numbers."""

    @intrinsic
    def pool_rows(typing_context, vectors, at, bounds, params, row, share):
        signature = types.void(
            vectors, types.int64, bounds, params, types.int64, types.float32
        )

        def generate(context, builder, signature, arguments):
            sums = Matrix.of(context, builder, vectors, arguments[0], lanes)
            table = Matrix.of(context, builder, params, arguments[3], lanes)
            low, high = cgutils.unpack_tuple(builder, arguments[2], 2)
            share = splat(builder, arguments[5], lanes)
            with each_register(builder, sums) as column:
                total = builder.fsub(sums.load(high, column), sums.load(low, column))
                total = builder.fsub(total, table.load(arguments[4], column))
                sums.store(builder.fmul(share, total), arguments[1], column)
            return context.get_dummy_value()

        return signature, generate

    return pool_rows


def _pool_rows(vectors, at, bounds, params, row, share):
    """``vectors[at] = share * (vectors[b1] - vectors[b0] - params[row])``."""
    total = vectors[bounds[1]] - vectors[bounds[0]] - params[row]
    vectors[at] = share * total


def make_dot_rows(lanes):
    """Return `dot_rows` for registers of `lanes` numbers."""

    @intrinsic
    def dot_rows(typing_context, first, i, second, j):
        kind = types.UniTuple(types.float32, 3)
        signature = kind(first, types.int64, second, types.int64)

        def generate(context, builder, signature, arguments):
            a = Matrix.of(context, builder, first, arguments[0], lanes)
            b = Matrix.of(context, builder, second, arguments[2], lanes)
            totals = zero_totals(builder, a.vector, 3)
            with each_register(builder, a) as column:
                x, y = a.load(arguments[1], column), b.load(arguments[3], column)
                for total, (left, right) in zip(
                    totals, ((x, y), (x, x), (y, y)), strict=True
                ):
                    accumulate(builder, left, right, total)
            sums = [sum_lanes(builder, builder.load(total)) for total in totals]
            return context.make_tuple(builder, kind, sums)

        return signature, generate

    return dot_rows


def _dot_rows(first, i, second, j):
    """Return the products x y, x x and y y of two rows."""
    x, y = first[i], second[j]
    return x @ y, x @ x, y @ y


def make_step_rows(lanes):
    """Return `step_rows` for registers of `lanes` numbers."""

    @intrinsic
    def step_rows(typing_context, changes, updates, at, step, vectors, params, row):
        at_kind = types.UniTuple(types.int64, 2)
        signature = types.void(
            changes, updates, at_kind, types.float32, vectors, params, types.int64
        )

        def generate(context, builder, signature, arguments):
            sums, rows, hidden, table = (
                Matrix.of(context, builder, kind, arguments[i], lanes)
                for i, kind in ((0, changes), (1, updates), (4, vectors), (5, params))
            )
            word, own = cgutils.unpack_tuple(builder, arguments[2], 2)
            step = splat(builder, arguments[3], lanes)
            with each_register(builder, rows) as column:
                target = table.load(arguments[6], column)
                total = multiply_add(builder, step, target, sums.load(word, column))
                scaled = builder.fmul(step, hidden.load(word, column))
                sums.store(total, word, column)
                rows.store(scaled, own, column)
            return context.get_dummy_value()

        return signature, generate

    return step_rows


def _step_rows(changes, updates, at, step, vectors, params, row):
    """Add to the step of a hidden vector; write that of the word it predicts.

    ``changes[at[0]] += step * params[row]``, and then
    ``updates[at[1]] = step * vectors[at[0]]``.
    """
    changes[at[0]] += step * params[row]
    updates[at[1]] = step * vectors[at[0]]


def make_spread_row(lanes):
    """Return `spread_row` for registers of `lanes` numbers."""

    @intrinsic
    def spread_row(typing_context, updates, low, high, changes, word):
        signature = types.void(updates, types.int64, types.int64, changes, types.int64)

        def generate(context, builder, signature, arguments):
            rows = Matrix.of(context, builder, updates, arguments[0], lanes)
            steps = Matrix.of(context, builder, changes, arguments[3], lanes)
            low, high, word = arguments[1], arguments[2], arguments[4]
            with each_register(builder, rows) as column:
                change = steps.load(word, column)
                more = builder.fadd(rows.load(low, column), change)
                less = builder.fsub(rows.load(high, column), change)
                rows.store(more, low, column)
                rows.store(less, high, column)
            return context.get_dummy_value()

        return signature, generate

    return spread_row


def _spread_row(updates, low, high, changes, word):
    """``updates[low] += changes[word]``, ``updates[high] -= changes[word]``."""
    updates[low] += changes[word]
    updates[high] -= changes[word]


def make_add_up_rows(lanes):
    """Return `add_up_rows` for registers of `lanes` numbers."""
    most = 4 if lanes == 16 else 2

    def write_columns(builder, rows, steps, bounds, start, n_vectors):
        columns = [builder.add(start, constant(v * lanes)) for v in range(n_vectors)]
        totals = zero_totals(builder, rows.vector, n_vectors)
        first, center, n_words, last = bounds
        end = builder.add(center, n_words)
        for low, high, own in (
            (first, center, False),
            (center, end, True),
            (end, last, False),
        ):
            with cgutils.for_range(builder, builder.sub(high, low)) as loop:
                row = builder.add(low, loop.index)
                for total, column in zip(totals, columns, strict=True):
                    number = builder.fadd(rows.load(row, column), builder.load(total))
                    builder.store(number, total)
                    if own:
                        number = builder.fsub(number, steps.load(loop.index, column))
                    rows.store(number, row, column)

    def function_of(builder):
        int64 = ir.IntType(64)
        arguments = [*2 * [FLOAT.as_pointer()], *5 * [int64]]
        function, is_new = shared_function(
            builder.module, "skembed_add_up_rows", arguments
        )
        if is_new:
            builder = ir.IRBuilder(function.append_basic_block())
            data, changes, columns, *bounds = function.args
            rows = Matrix(builder, data, columns, lanes)
            steps = Matrix(builder, changes, columns, lanes)
            blocks = builder.udiv(columns, constant(most * lanes))
            with cgutils.for_range(builder, blocks) as loop:
                start = builder.mul(loop.index, constant(most * lanes))
                write_columns(builder, rows, steps, bounds, start, most)
            done = builder.mul(blocks, constant(most * lanes))
            rest = builder.udiv(builder.sub(columns, done), constant(lanes))
            for n_vectors in range(1, most):
                is_rest = builder.icmp_unsigned("==", rest, constant(n_vectors))
                with builder.if_then(is_rest):
                    write_columns(builder, rows, steps, bounds, done, n_vectors)
            builder.ret_void()
        return function

    @intrinsic
    def add_up_rows(typing_context, updates, changes, first, center, n_words, last):
        signature = types.void(updates, changes, *4 * [types.int64])

        def generate(context, builder, signature, arguments):
            rows = Matrix.of(context, builder, updates, arguments[0], lanes)
            steps = Matrix.of(context, builder, changes, arguments[1], lanes)
            passed = [rows.data, steps.data, rows.columns, *arguments[2:]]
            builder.call(function_of(builder), passed)
            return context.get_dummy_value()

        return signature, generate

    return add_up_rows


def _add_up_rows(updates, changes, first, center, n_words, last):
    """Replace rows by running sums; take other rows from those at the center.

    ``updates[f:l] = cumsum(updates[f:l])``, then ``updates[c:c+n] -= changes[:n]``.
    """
    np.cumsum(updates[first:last], axis=0, out=updates[first:last])
    updates[center : center + n_words] -= changes[:n_words]


# --- scores with noise words ----------------------------------------------------------


def _transpose(builder, vectors):
    """Return the columns of as many vectors as each of them has lanes."""
    vectors, lanes = list(vectors), len(vectors)
    kind, block = ir.VectorType(INT32, lanes), lanes // 2
    while block:
        for i in range(lanes):
            if i & block:
                continue
            a, b = vectors[i], vectors[i + block]
            low = [k if not k & block else lanes + k - block for k in range(lanes)]
            high = [k + block if not k & block else lanes + k for k in range(lanes)]
            vectors[i] = builder.shuffle_vector(a, b, ir.Constant(kind, low))
            vectors[i + block] = builder.shuffle_vector(a, b, ir.Constant(kind, high))
        block //= 2
    return vectors


def make_transpose_rows(lanes):
    """Return `transpose_rows` for registers of `lanes` numbers."""

    @intrinsic
    def transpose_rows(typing_context, vectors, first, at):
        signature = types.void(vectors, types.int64, types.int64)

        def generate(context, builder, signature, arguments):
            rows = Matrix.of(context, builder, vectors, arguments[0], lanes)
            start = rows.pointer(arguments[2], constant(0))
            line = Matrix(builder, start, constant(LINE), lanes)
            with each_register(builder, rows) as column:
                for group in range(0, LINE, lanes):
                    given = [
                        rows.load(
                            builder.add(arguments[1], constant(group + i)), column
                        )
                        for i in range(lanes)
                    ]
                    for i, vector in enumerate(_transpose(builder, given)):
                        row = builder.add(column, constant(i))
                        line.store(vector, row, constant(group))
            return context.get_dummy_value()

        return signature, generate

    return transpose_rows


def _transpose_rows(vectors, first, at):
    """Write the columns of 16 rows one after the other, from row `at` on."""
    columns = vectors[first : first + LINE].T.copy()
    vectors[at : at + LINE] = columns.reshape(LINE, -1)


def make_score_line(lanes):
    """Return `score_line` for registers of `lanes` numbers."""
    n_vectors = LINE // lanes
    # Enough sums to hide the latency of an addition, and few enough for registers.
    n_words = BLOCK // n_vectors

    def write_block(builder, matrices, word, place, n_terms):
        vectors, line, out = matrices
        rows = [builder.add(word, constant(i)) for i in range(n_words)]
        totals = zero_totals(builder, line.vector, n_words * n_vectors)
        with cgutils.for_range(builder, n_terms) as loop:
            parts = [
                line.load(loop.index, constant(v * lanes)) for v in range(n_vectors)
            ]
            for i, row in enumerate(rows):
                number = vectors.splat(row, loop.index)
                for v, part in enumerate(parts):
                    accumulate(builder, number, part, totals[i * n_vectors + v])
        for i, row in enumerate(rows):
            for v in range(n_vectors):
                column = builder.add(place, constant(v * lanes))
                out.store(builder.load(totals[i * n_vectors + v]), row, column)

    def function_of(builder):
        passed = [FLOAT.as_pointer(), ir.IntType(64)]
        arguments = [*passed, FLOAT.as_pointer(), *passed, *3 * [ir.IntType(64)]]
        function, is_new = shared_function(
            builder.module, "skembed_score_line", arguments
        )
        if is_new:
            builder = ir.IRBuilder(function.append_basic_block())
            data, columns, start, scores, width, word, place, n_terms = function.args
            matrices = (
                Matrix(builder, data, columns, lanes),
                Matrix(builder, start, constant(LINE), lanes),
                Matrix(builder, scores, width, lanes),
            )
            for first in range(0, BLOCK, n_words):
                at = builder.add(word, constant(first))
                write_block(builder, matrices, at, place, n_terms)
            builder.ret_void()
        return function

    @intrinsic
    def score_line(typing_context, vectors, word, at, n_terms, scores, place):
        signature = types.void(
            vectors, types.int64, types.int64, types.int64, scores, types.int64
        )

        def generate(context, builder, signature, arguments):
            rows = Matrix.of(context, builder, vectors, arguments[0], lanes)
            out = Matrix.of(context, builder, scores, arguments[4], lanes)
            start = rows.pointer(arguments[2], constant(0))
            passed = [rows.data, rows.columns, start, out.data, out.columns]
            passed += [arguments[1], arguments[5], arguments[3]]
            builder.call(function_of(builder), passed)
            return context.get_dummy_value()

        return signature, generate

    return score_line


def _score_line(vectors, word, at, n_terms, scores, place):
    """Write the products of 8 words with 16 transposed rows, see `transpose_rows`."""
    line = vectors[at : at + LINE].reshape(-1, LINE)
    products = vectors[word : word + BLOCK, :n_terms] @ line[:n_terms]
    scores[word : word + BLOCK, place : place + LINE] = products


def make_weigh_line():
    """Return `weigh_line`."""

    @intrinsic
    def weigh_line(typing_context, weights, word, place, words, lane, own, weight):
        signature = types.void(
            weights,
            types.int64,
            types.int64,
            words,
            types.int64,
            types.int32,
            types.float32,
        )

        def generate(context, builder, signature, arguments):
            out = Matrix.of(context, builder, weights, arguments[0], LINE)
            drawn = Matrix.of(context, builder, words, arguments[3], LINE)
            kind = ir.VectorType(INT32, LINE)
            pointer = drawn.pointer(arguments[4], arguments[2], kind)
            equal = builder.icmp_signed(
                "==", builder.load(pointer, align=4), splat(builder, arguments[5], LINE)
            )
            zero = ir.Constant(out.vector, [0.0] * LINE)
            weight = splat(builder, arguments[6], LINE)
            out.store(builder.select(equal, zero, weight), *arguments[1:3])
            return context.get_dummy_value()

        return signature, generate

    return weigh_line


def _weigh_line(weights, word, place, words, lane, own, weight):
    """Give 16 noise words a weight, but 0 to those that equal the word `own`."""
    drawn = words[lane, place : place + LINE]
    weights[word, place : place + LINE] = np.where(drawn == own, 0, weight)


def make_step_lines(lanes):
    """Return `step_lines` for registers of `lanes` numbers."""

    def write_lines(builder, matrices, n_words, place, slot, rate):
        scores, weights, slots = matrices
        v = Vectors(builder, lanes)
        rate = v.splat(rate)
        parts = range(0, LINE, lanes)
        columns = [builder.add(place, constant(first)) for first in parts]
        places = [builder.add(slot, constant(first)) for first in parts]
        losses, steps, bends = (
            zero_totals(builder, scores.vector, len(columns)) for _ in range(3)
        )
        biases, norms = (
            [slots.load(constant(array), column) for column in places]
            for array in (BIAS, NORM)
        )
        with cgutils.for_range(builder, n_words) as loop:
            word = loop.index
            bias, norm = (slots.splat(constant(a), word) for a in (BIAS, NORM))
            of_word = [v.all(0.0), v.all(0.0)]
            for i, column in enumerate(columns):
                z = v.add(scores.load(word, column), v.add(bias, biases[i]))
                weight = weights.load(word, column)
                loss, pull, both = write_steps(v, z, weight, (norm, norms[i]))
                step = v.multiply(rate, pull)
                scores.store(step, word, column)
                for total, number in ((losses, loss), (steps, step), (bends, both[0])):
                    builder.store(v.add(builder.load(total[i]), number), total[i])
                of_word = [v.add(of_word[0], step), v.add(of_word[1], both[1])]
            for array, number in zip((BIAS_STEP, CURVATURE), of_word, strict=True):
                pointer = slots.pointer(constant(array), word)
                total = sum_lanes(builder, number)
                total = builder.fadd(builder.load(pointer), total, flags=FLAGS)
                builder.store(total, pointer)
        for i, column in enumerate(places):
            slots.store(builder.load(steps[i]), constant(BIAS_STEP), column)
            slots.store(builder.load(bends[i]), constant(CURVATURE), column)
        loss = builder.load(losses[0])
        for other in losses[1:]:
            loss = v.add(loss, builder.load(other))
        return sum_lanes(builder, loss)

    @intrinsic
    def step_lines(typing_context, scores, weights, slots, n_words, place, slot, rate):
        signature = types.float32(
            scores, weights, slots, *3 * [types.int64], types.float32
        )

        def generate(context, builder, signature, arguments):
            matrices = [
                Matrix.of(context, builder, kind, arguments[i], lanes)
                for i, kind in enumerate((scores, weights, slots))
            ]
            return write_lines(builder, matrices, *arguments[3:])

        return signature, generate

    return step_lines


def _step_lines(scores, weights, slots, n_words, place, slot, rate):
    """Replace scores with 16 noise words by steps; return the loss.

    Parameters
    ----------
    scores : float32 (n_words, n_columns), INOUT
        Dot products, then steps.
    weights : float32 (n_words, n_columns), IN
    slots : float32 (4, n_slots), INOUT
        `BIAS` and `NORM` are read. `BIAS_STEP` and `CURVATURE` are added to for the
        words, which are the first slots, and written for the noise words.
    n_words : int
    place, slot : int
        Column and slot of the first noise word.
    rate : float32
        Minus the learning rate.
    """
    columns, noise = slice(place, place + LINE), slice(slot, slot + LINE)
    z = scores[:n_words, columns] + slots[BIAS, :n_words, None] + slots[BIAS, noise]
    loss, pull, slope = _steps_of(z, weights[:n_words, columns])
    step = rate * pull
    scores[:n_words, columns] = step
    bends = slope * slots[NORM, noise] + pull
    slots[BIAS_STEP, :n_words] += step.sum(axis=1)
    slots[CURVATURE, :n_words] += bends.sum(axis=1)
    bends = slope * slots[NORM, :n_words, None] + pull
    slots[BIAS_STEP, noise] = step.sum(axis=0)
    slots[CURVATURE, noise] = bends.sum(axis=0)
    return loss


def _steps_of(z, weight):
    """Return the summed loss of pairs, their sigmoids and curvatures, weighted."""
    size = np.abs(z)
    e = np.exp(-np.minimum(size, np.float32(87.0)))
    upper = np.float32(1.0) / (np.float32(1.0) + e)
    pull = weight * np.where(z < 0, e * upper, upper)
    bend = (upper - np.float32(0.5)) / np.maximum(size, np.float32(1e-3))
    slope = weight * np.where(size < 1e-3, np.float32(0.25), bend)
    return (weight * (np.maximum(z, 0) + np.log1p(e))).sum(), pull, slope


# --- the word's own prediction --------------------------------------------------------


def make_step_own(lanes):
    """Return `step_own` for registers of `lanes` numbers."""

    @intrinsic
    def step_own(typing_context, scores, weights, slots, at, rate):
        signature = types.float32(scores, weights, slots, at, types.float32)

        def generate(context, builder, signature, arguments):
            z, weight, numbers = (
                Matrix.of(context, builder, kind, arguments[i], lanes)
                for i, kind in enumerate((scores, weights, slots))
            )
            word, own = cgutils.unpack_tuple(builder, arguments[3], 2)
            v = Vectors(builder, lanes)
            rate, zero = v.splat(arguments[4]), constant(0)
            total = v.all(0.0)
            for first in range(0, CHUNK, lanes):
                i = builder.add(word, constant(first))
                j = builder.add(own, constant(first))
                score = v.subtract(v.all(0.0), z.load(zero, j))
                norms = [numbers.load(constant(NORM), slot) for slot in (i, j)]
                loss, pull, bends = write_steps(v, score, weight.load(zero, j), norms)
                step = v.multiply(rate, pull)
                z.store(step, zero, j)
                for slot, bend in ((i, bends[1]), (j, bends[0])):
                    numbers.store(step, constant(BIAS_STEP), slot)
                    numbers.store(bend, constant(CURVATURE), slot)
                total = v.add(total, loss)
            return sum_lanes(builder, total)

        return signature, generate

    return step_own


def _step_own(scores, weights, slots, at, rate):
    """Replace the scores of 16 words with what they predict by steps; return the loss.

    Parameters
    ----------
    scores : float32 (n_words, n_slots), INOUT
        In row 0, from the first predicted word on: scores with biases, then steps.
    weights : float32 (n_words, n_slots), IN
        In the same places.
    slots : float32 (4, n_slots), INOUT
        `NORM` is read. `BIAS_STEP` and `CURVATURE` are written for both sides.
    at : (int, int)
        First word and first predicted word.
    rate : float32
    """
    words, own = slice(at[0], at[0] + CHUNK), slice(at[1], at[1] + CHUNK)
    loss, pull, slope = _steps_of(-scores[0, own], weights[0, own])
    bends = slope * slots[NORM, own] + pull, slope * slots[NORM, words] + pull
    scores[0, own] = rate * pull
    for side, curvature in zip((words, own), bends, strict=True):
        slots[BIAS_STEP, side] = scores[0, own]
        slots[CURVATURE, side] = curvature
    return loss


if COMPILED:
    mix_rows = make_mix_rows(host_lanes())
    pool_rows = make_pool_rows(host_lanes())
    dot_rows = make_dot_rows(host_lanes())
    spread_row = make_spread_row(host_lanes())
    step_rows = make_step_rows(host_lanes())
    add_up_rows = make_add_up_rows(host_lanes())
    weigh_line = make_weigh_line()
    step_lines = make_step_lines(host_lanes())
    transpose_rows = make_transpose_rows(host_lanes())
    score_line = make_score_line(host_lanes())
    step_own = make_step_own(host_lanes())
else:
    mix_rows, pool_rows, dot_rows = _mix_rows, _pool_rows, _dot_rows
    spread_row, step_rows, add_up_rows = _spread_row, _step_rows, _add_up_rows
    weigh_line, step_lines = _weigh_line, _step_lines
    transpose_rows, score_line, step_own = _transpose_rows, _score_line, _step_own
