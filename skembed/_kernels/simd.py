"""Register-blocked pieces of small matrix products, as explicit vector code.

A compiler that vectorises plain loops one row at a time reaches about a tenth of what
a core can do; a tile of four by four rows loads every number once for four uses.
The tiles are written in LLVM's portable vector types, so they compile for every
processor; only the number of lanes follows the one at hand. Without the JIT the same
functions are NumPy expressions.

All arrays are two-dimensional, C-contiguous and float32; the number of columns of
`vectors` is a multiple of 16.
"""

from contextlib import contextmanager
from functools import partial

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TILE = 4
# Numbers of a cache line, and bytes of a number.
_LINE, FLOAT_BYTES = 16, 4
FLOAT, INT32, _INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
# Fused multiply-add and sums in any order, as in plain kernels.
FLAGS = ("reassoc", "contract", "arcp", "nsz", "afn")


def host_lanes() -> int:
    """Return how many float32 numbers a vector register of this processor holds."""
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:
        # LLVM cannot tell; short vectors work everywhere.
        return 4
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx") else 4


class Matrix:
    """A two-dimensional array, seen from inside an intrinsic."""

    def __init__(self, builder, data, columns, lanes):
        self.builder = builder
        self.data = data
        self.columns = columns
        self.vector = ir.VectorType(FLOAT, lanes)

    @classmethod
    def of(cls, context, builder, kind, value, lanes):
        """Return that of an array argument."""
        array = context.make_array(kind)(context, builder, value)
        columns = cgutils.unpack_tuple(builder, array.shape, 2)[1]
        return cls(builder, array.data, columns, lanes)

    def pointer(self, row, column, kind=FLOAT):
        builder = self.builder
        index = builder.add(builder.mul(row, self.columns), column)
        return builder.bitcast(builder.gep(self.data, [index]), kind.as_pointer())

    def load(self, row, column):
        return self.builder.load(self.pointer(row, column, self.vector), align=4)

    def store(self, value, row, column):
        pointer = self.pointer(row, column, value.type)
        self.builder.store(value, pointer, align=4)

    def splat(self, row, column):
        """Return one number in all lanes."""
        number = self.builder.load(self.pointer(row, column))
        return splat(self.builder, number, self.vector.count)


def splat(builder, number, lanes):
    """Return a number in all lanes of a vector."""
    undefined = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    vector = builder.insert_element(undefined, number, ir.Constant(INT32, 0))
    mask = ir.Constant(ir.VectorType(INT32, lanes), None)
    return builder.shuffle_vector(vector, undefined, mask)


def sum_lanes(builder, vector):
    """Return the sum of the numbers of a vector."""
    kind = ir.FunctionType(FLOAT, [FLOAT, vector.type])
    name = f"llvm.vector.reduce.fadd.v{vector.type.count}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    zero = ir.Constant(FLOAT, 0.0)
    return builder.call(function, [zero, vector], fastmath=FLAGS)


def constant(value: int) -> ir.Constant:
    """Return a whole number as an index."""
    return ir.Constant(_INT64, value)


def multiply_add(builder, a, b, total):
    """Return a * b + total."""
    product = builder.fmul(a, b, flags=FLAGS)
    return builder.fadd(product, total, flags=FLAGS)


def accumulate(builder, a, b, total):
    """Write total += a * b, where `total` is a stack slot that becomes a register."""
    builder.store(multiply_add(builder, a, b, builder.load(total)), total)


def zero_totals(builder, vector, n_totals):
    """Return stack slots of zeros, which become registers."""
    zero = ir.Constant(vector, [0.0] * vector.count)
    totals = [cgutils.alloca_once(builder, vector) for _ in range(n_totals)]
    for total in totals:
        builder.store(zero, total)
    return totals


@contextmanager
def each_register(builder, matrix):
    """Write a loop over a row's columns; yields the first column of each register."""
    lanes = constant(matrix.vector.count)
    with cgutils.for_range(builder, builder.udiv(matrix.columns, lanes)) as loop:
        yield builder.mul(loop.index, lanes)


def shared_function(module, name, arguments):
    """Return a function of a module, and whether it is still to be written.

    All its callers share it: unrolled code takes long to compile, and loops that are
    inlined make the compiler spill registers of those around, even where they are never
    run. The function belongs to the module, as if it were inlined: see `jit.helper`.
    """
    kind = ir.FunctionType(ir.VoidType(), arguments)
    function = cgutils.get_or_insert_function(module, kind, name)
    is_new = function.is_declaration
    if is_new:
        function.linkage = "internal"
        function.attributes.add("noinline")
    return function, is_new


def _halve(builder, a, b, block):
    """Add the halves of every block of lanes of `a`, and likewise of `b`.

    The sums of a block stand where its first half was in `a`, and those of `b` where
    its second half was. So one of the two operands only chooses between lanes, which
    takes no shuffle.
    """
    lanes = a.type.count
    kind = ir.VectorType(INT32, lanes)
    kept = [lane + lanes * (lane & block > 0) for lane in range(lanes)]
    moved = [lane ^ block for lane in kept]
    return builder.fadd(
        builder.shuffle_vector(a, b, ir.Constant(kind, kept)),
        builder.shuffle_vector(a, b, ir.Constant(kind, moved)),
        flags=FLAGS,
    )


def _sum_each(builder, vectors):
    """Return one vector whose lane i is the sum over all lanes of ``vectors[i]``."""
    # Pairs whose sums stay in neighbouring lanes are formed last.
    block = vectors[0].type.count // 2
    while block:
        half = len(vectors) // 2
        pairs = zip(vectors[:half], vectors[half:], strict=True)
        vectors = [_halve(builder, a, b, block) for a, b in pairs]
        block //= 2
    return vectors[0]


def _write_dot_tile(builder, vectors, scores, at, column, lanes, rows):
    """Write `rows` rows of the tile of the vectors ``at``, from a column on."""
    totals = zero_totals(builder, vectors.vector, rows * TILE)
    x_rows = [builder.add(at[0], constant(i)) for i in range(rows)]
    y_rows = [builder.add(at[1], constant(j)) for j in range(TILE)]
    with each_register(builder, vectors) as place:
        x = [vectors.load(row, place) for row in x_rows]
        for j, row in enumerate(y_rows):
            y = vectors.load(row, place)
            for i in range(rows):
                accumulate(builder, x[i], y, totals[i * TILE + j])
    sums = [builder.load(total) for total in totals]
    for first in range(0, len(sums), lanes):
        group = _sum_each(builder, sums[first : first + lanes])
        for start in range(0, lanes, TILE):
            row, right = divmod(first + start, TILE)
            mask = ir.Constant(
                ir.VectorType(INT32, TILE), list(range(start, start + TILE))
            )
            part = builder.shuffle_vector(group, group, mask)
            scores.store(part, x_rows[row], builder.add(column, constant(right)))


def _write_add_tile(builder, matrices, at, each_term, step_at, lanes, fresh):
    """Add to four rows, or to zeros, a few vector registers of columns at a time.

    `each_term` writes the loop over the terms of the sums, and yields the row of a
    term's vector and its number, for which ``step_at(i, number)`` is the place of its
    step in the sum of row i.
    """
    updates, steps, vectors = matrices
    rows = [builder.add(at, constant(i)) for i in range(TILE)]

    def add_columns(column, n_vectors):
        columns = [builder.add(column, constant(v * lanes)) for v in range(n_vectors)]
        totals = {}
        for i, row in enumerate(rows):
            for v, start in enumerate(columns):
                totals[i, v] = cgutils.alloca_once(builder, vectors.vector)
                before = ir.Constant(vectors.vector, [0.0] * lanes)
                if not fresh:
                    before = updates.load(row, start)
                builder.store(before, totals[i, v])
        with each_term() as (term, number):
            loaded = [vectors.load(term, start) for start in columns]
            for i in range(TILE):
                step = steps.splat(*step_at(i, number))
                for v in range(n_vectors):
                    accumulate(builder, step, loaded[v], totals[i, v])
        for i, row in enumerate(rows):
            for v, start in enumerate(columns):
                updates.store(builder.load(totals[i, v]), row, start)

    # Two or four registers of columns leave enough for steps and vectors.
    most = 4 if lanes == 16 else 2
    passes = builder.udiv(vectors.columns, constant(most * lanes))
    with cgutils.for_range(builder, passes) as loop:
        add_columns(builder.mul(loop.index, constant(most * lanes)), most)
    done = builder.mul(passes, constant(most * lanes))
    left = builder.sub(vectors.columns, done)
    for n_vectors in range(1, most):
        is_it = builder.icmp_unsigned("==", left, constant(n_vectors * lanes))
        with builder.if_then(is_it):
            add_columns(done, n_vectors)


@contextmanager
def _each_of(builder, first, n_terms):
    """Write a loop over terms, whose vectors are neighbouring rows."""
    with cgutils.for_range(builder, n_terms) as loop:
        yield builder.add(first, loop.index), loop.index


@contextmanager
def _each_of_runs(builder, runs, n_runs):
    """Write a loop over the terms of runs, each a column, a row and a length."""
    with cgutils.for_range(builder, n_runs) as outer:
        start = builder.mul(outer.index, constant(3))
        column, first, n_terms = (
            builder.load(builder.gep(runs, [builder.add(start, constant(i))]))
            for i in range(3)
        )
        with _each_of(builder, first, n_terms) as (term, number):
            yield term, builder.add(column, number)


def make_dot_tile(lanes):
    """Return `dot_tile` for registers of `lanes` numbers."""

    @intrinsic
    def dot_tile(typing_context, vectors, row, other, scores, column):
        signature = types.void(vectors, types.int64, types.int64, scores, types.int64)

        def generate(context, builder, signature, arguments):
            x = Matrix.of(context, builder, vectors, arguments[0], lanes)
            out = Matrix.of(context, builder, scores, arguments[3], lanes)
            # Four rows of totals need 16 registers, which only 16 lanes come with.
            rows = TILE if lanes == 16 else 2
            for first in range(0, TILE, rows):
                at = (builder.add(arguments[1], constant(first)), arguments[2])
                _write_dot_tile(builder, x, out, at, arguments[4], lanes, rows)
            return context.get_dummy_value()

        return signature, generate

    return dot_tile


def _add_tile_function(module, lanes, transposed, fresh):
    """Return the function of a tile in this module."""
    matrix = [FLOAT.as_pointer(), _INT64]
    name = f"skembed_add_tile_{int(transposed)}_{int(fresh)}"
    function, is_new = shared_function(module, name, 3 * matrix + 5 * [_INT64])
    if is_new:
        builder = ir.IRBuilder(function.append_basic_block())
        passed = function.args
        matrices = [Matrix(builder, passed[i], passed[i + 1], lanes) for i in (0, 2, 4)]

        def step_at(i, term):
            row, column = (term, constant(i)) if transposed else (constant(i), term)
            return builder.add(passed[7], row), builder.add(passed[8], column)

        each_term = partial(_each_of, builder, *passed[9:])
        _write_add_tile(builder, matrices, passed[6], each_term, step_at, lanes, fresh)
        builder.ret_void()
    return function


def make_add_tile(lanes, transposed, fresh=False):
    """Return `add_rows`, or `add_columns`, for registers of `lanes` numbers.

    If it is `fresh`, it writes the sums in place of what the rows held.
    """

    @intrinsic
    def add_tile(typing_context, updates, at, steps, corner, vectors, first, n_terms):
        signature = types.void(
            updates,
            types.int64,
            steps,
            types.UniTuple(types.int64, 2),
            vectors,
            types.int64,
            types.int64,
        )

        def generate(context, builder, signature, arguments):
            passed = []
            for i, kind in ((0, updates), (2, steps), (4, vectors)):
                matrix = Matrix.of(context, builder, kind, arguments[i], lanes)
                passed += [matrix.data, matrix.columns]
            function = _add_tile_function(builder.module, lanes, transposed, fresh)
            corner_at = cgutils.unpack_tuple(builder, arguments[3], 2)
            numbers = [arguments[1], *corner_at, arguments[5], arguments[6]]
            builder.call(function, passed + numbers)
            return context.get_dummy_value()

        return signature, generate

    return add_tile


def _write_rows_function(module, lanes):
    """Return the function of `write_rows` in this module."""
    matrix, runs = [FLOAT.as_pointer(), _INT64], [_INT64.as_pointer(), _INT64]
    arguments = [*3 * matrix, *2 * [_INT64], *runs]
    function, is_new = shared_function(module, "skembed_write_rows", arguments)
    if is_new:
        builder = ir.IRBuilder(function.append_basic_block())
        passed = function.args
        matrices = [Matrix(builder, passed[i], passed[i + 1], lanes) for i in (0, 2, 4)]

        def step_at(i, column):
            return builder.add(passed[7], constant(i)), column

        each_term = partial(_each_of_runs, builder, *passed[8:])
        _write_add_tile(builder, matrices, passed[6], each_term, step_at, lanes, True)
        builder.ret_void()
    return function


def make_write_rows(lanes):
    """Return `write_rows` for registers of `lanes` numbers."""

    @intrinsic
    def write_rows(typing_context, updates, at, steps, row, vectors, runs):
        signature = types.void(updates, types.int64, steps, types.int64, vectors, runs)

        def generate(context, builder, signature, arguments):
            passed = []
            for i, kind in ((0, updates), (2, steps), (4, vectors)):
                matrix = Matrix.of(context, builder, kind, arguments[i], lanes)
                passed += [matrix.data, matrix.columns]
            numbers = [
                number
                for run in cgutils.unpack_tuple(builder, arguments[5], len(runs))
                for number in cgutils.unpack_tuple(builder, run, 3)
            ]
            stored = cgutils.alloca_once(builder, _INT64, constant(len(numbers)))
            for i, number in enumerate(numbers):
                builder.store(number, builder.gep(stored, [constant(i)]))
            passed += [arguments[1], arguments[3], stored, constant(len(runs))]
            builder.call(_write_rows_function(builder.module, lanes), passed)
            return context.get_dummy_value()

        return signature, generate

    return write_rows


def write_prefetch(builder, pointer, to_write, nearness):
    """Ask for the cache line of a byte, which need not exist.

    Parameters
    ----------
    builder : IRBuilder
    pointer : Value
        To an 8-bit integer.
    to_write : int
        1 if other cores should let go of the line, else 0.
    nearness : int
        3 into all caches, 2 into all but the first.
    """
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
    fetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
    # The last 1 is for data.
    how = [ir.Constant(INT32, value) for value in (to_write, nearness, 1)]
    builder.call(fetch, [pointer, *how])


def make_fetch(to_write=0, nearness=3):
    """Return `fetch_row`, or a relative of it.

    Other cores let go of what `fetch_to_write` asks for. What `fetch_early` asks for
    does not come to the first cache, which has no room for it yet.
    """

    @intrinsic
    def fetch(typing_context, rows, row):
        signature = types.void(rows, types.int64)

        def generate(context, builder, signature, arguments):
            matrix = Matrix.of(context, builder, rows, arguments[0], TILE)
            count = builder.udiv(matrix.columns, constant(_LINE))
            with cgutils.for_range(builder, count) as loop:
                column = builder.mul(loop.index, constant(_LINE))
                pointer = matrix.pointer(arguments[1], column, ir.IntType(8))
                write_prefetch(builder, pointer, to_write, nearness)
            return context.get_dummy_value()

        return signature, generate

    return fetch


@intrinsic
def clear_rows(typing_context, rows, first, n_rows):
    """Set some rows of a matrix to zero."""
    signature = types.void(rows, types.int64, types.int64)

    def generate(context, builder, signature, arguments):
        matrix = Matrix.of(context, builder, rows, arguments[0], TILE)
        start = matrix.pointer(arguments[1], constant(0), ir.IntType(8))
        numbers = builder.mul(arguments[2], matrix.columns)
        n_bytes = builder.mul(numbers, constant(FLOAT_BYTES))
        cgutils.memset(builder, start, n_bytes, 0)
        return context.get_dummy_value()

    return signature, generate


def make_copy_row(lanes):
    """Return `copy_row` for registers of `lanes` numbers."""

    @intrinsic
    def copy_row(typing_context, target, at, source, row):
        signature = types.float32(target, types.int64, source, types.int64)

        def generate(context, builder, signature, arguments):
            to = Matrix.of(context, builder, target, arguments[0], lanes)
            of = Matrix.of(context, builder, source, arguments[2], lanes)
            (total,) = zero_totals(builder, of.vector, 1)
            with each_register(builder, of) as column:
                numbers = of.load(arguments[3], column)
                to.store(numbers, arguments[1], column)
                accumulate(builder, numbers, numbers, total)
            return sum_lanes(builder, builder.load(total))

        return signature, generate

    return copy_row


def make_add_row(lanes):
    """Return `add_row` for registers of `lanes` numbers."""

    @intrinsic
    def add_row(typing_context, target, at, factor, source, row):
        signature = types.void(target, types.int64, types.float32, source, types.int64)

        def generate(context, builder, signature, arguments):
            to = Matrix.of(context, builder, target, arguments[0], lanes)
            of = Matrix.of(context, builder, source, arguments[3], lanes)
            factors = splat(builder, arguments[2], lanes)
            with each_register(builder, of) as column:
                numbers = of.load(arguments[4], column)
                before = to.load(arguments[1], column)
                total = multiply_add(builder, factors, numbers, before)
                to.store(total, arguments[1], column)
            return context.get_dummy_value()

        return signature, generate

    return add_row


@intrinsic
def is_among(typing_context, word, words, row, first):
    """Whether a word is one of the 16 words of a row from `first` on."""
    signature = types.boolean(types.int32, words, types.int64, types.int64)

    def generate(context, builder, signature, arguments):
        matrix = Matrix.of(context, builder, words, arguments[1], _LINE)
        kind = ir.VectorType(INT32, _LINE)
        pointer = matrix.pointer(arguments[2], arguments[3], kind)
        equal = builder.icmp_signed(
            "==",
            builder.load(pointer, align=4),
            splat(builder, arguments[0], _LINE),
        )
        bits = builder.bitcast(equal, ir.IntType(_LINE))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return signature, generate


def _scale_function(module, lanes):
    """Return the function that scales rows in this module."""
    pointer = FLOAT.as_pointer()
    arguments = [pointer, *3 * [_INT64], pointer]
    function, is_new = shared_function(module, "skembed_scale_rows", arguments)
    if is_new:
        builder = ir.IRBuilder(function.append_basic_block())
        data, columns, first, n_rows, factors = function.args
        matrix = Matrix(builder, data, columns, lanes)
        line = Matrix(builder, factors, columns, lanes)
        with cgutils.for_range(builder, n_rows) as outer:
            row = builder.add(first, outer.index)
            with each_register(builder, matrix) as column:
                factor = line.load(constant(0), column)
                product = builder.fmul(matrix.load(row, column), factor)
                matrix.store(product, row, column)
        builder.ret_void()
    return function


def make_scale_rows(lanes):
    """Return `scale_rows` for registers of `lanes` numbers."""

    @intrinsic
    def scale_rows(typing_context, rows, first, n_rows, factors):
        signature = types.void(rows, types.int64, types.int64, factors)

        def generate(context, builder, signature, arguments):
            matrix = Matrix.of(context, builder, rows, arguments[0], lanes)
            given = context.make_array(factors)(context, builder, arguments[3])
            function = _scale_function(builder.module, lanes)
            passed = [matrix.columns, *arguments[1:3], given.data]
            builder.call(function, [matrix.data, *passed])
            return context.get_dummy_value()

        return signature, generate

    return scale_rows


def _copy_row(target, at, source, row):
    """Copy a row of a matrix to that of another one; return its sum of squares."""
    target[at] = source[row]
    return (source[row] * source[row]).sum()


def _add_row(target, at, factor, source, row):
    """``target[at] += factor * source[row]``."""
    target[at] += factor * source[row]


def _is_among(word, words, row, first):
    return (words[row, first : first + _LINE] == word).any()


def _scale_rows(rows, first, n_rows, factors):
    """``rows[f:f+n] *= factors``, a number for each column."""
    rows[first : first + n_rows] *= factors


def _clear_rows(rows, first, n_rows):
    rows[first : first + n_rows] = 0.0


def _dot_tile(vectors, row, other, scores, column):
    """``scores[r:r+4, c:c+4] = vectors[r:r+4] @ vectors[o:o+4].T``."""
    scores[row : row + TILE, column : column + TILE] = (
        vectors[row : row + TILE] @ vectors[other : other + TILE].T
    )


def _add_rows(updates, at, steps, corner, vectors, first, n_terms):
    """``updates[at:at+4] += steps[r:r+4, c:c+n] @ vectors[f:f+n]``."""
    row, column = corner
    factors = steps[row : row + TILE, column : column + n_terms]
    updates[at : at + TILE] += factors @ vectors[first : first + n_terms]


def _fetch(rows, row):
    """Ask for a row of a matrix ahead of its use; a hint, without effect."""


def _add_columns(updates, at, steps, corner, vectors, first, n_terms):
    """``updates[at:at+4] += steps[r:r+n, c:c+4].T @ vectors[f:f+n]``."""
    row, column = corner
    factors = steps[row : row + n_terms, column : column + TILE]
    updates[at : at + TILE] += factors.T @ vectors[first : first + n_terms]


def _write_rows(updates, at, steps, row, vectors, runs):
    """Write four sums over all runs (column c, first row f, length n).

    ``updates[at:at+4] = sum of steps[row:row+4, c:c+n] @ vectors[f:f+n]``
    """
    updates[at : at + TILE] = 0.0
    for column, first, n_terms in runs:
        _add_rows(updates, at, steps, (row, column), vectors, first, n_terms)


def _write_columns(updates, at, *product):
    """``updates[at:at+4] = steps[r:r+n, c:c+4].T @ vectors[f:f+n]``."""
    updates[at : at + TILE] = 0.0
    _add_columns(updates, at, *product)


if numba.config.DISABLE_JIT:
    write_rows, write_columns = _write_rows, _write_columns
    dot_tile, add_rows, add_columns = _dot_tile, _add_rows, _add_columns
    fetch_row = fetch_early = fetch_to_write = _fetch
    clear_rows, scale_rows = _clear_rows, _scale_rows
    is_among = _is_among
    copy_row, add_row = _copy_row, _add_row
else:
    dot_tile = make_dot_tile(host_lanes())
    add_rows = make_add_tile(host_lanes(), transposed=False)
    add_columns = make_add_tile(host_lanes(), transposed=True)
    write_rows = make_write_rows(host_lanes())
    write_columns = make_add_tile(host_lanes(), transposed=True, fresh=True)
    scale_rows = make_scale_rows(host_lanes())
    copy_row, add_row = make_copy_row(host_lanes()), make_add_row(host_lanes())
    fetch_row, fetch_early = make_fetch(), make_fetch(nearness=2)
    fetch_to_write = make_fetch(to_write=1)
