"""Score and AdaGrad step of one entry of GloVe, as explicit vector code.

Sixteen columns at a time; vectors of so many compile for every processor.
"""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skembed._kernels.simd import FLAGS
from skembed._utils.jit import COMPILED

_LANES = 16


class Space(NamedTuple):
    """Work space of one thread: the row whose entries are being visited."""

    vector: np.ndarray  # float32 (width,)
    slopes: np.ndarray  # float32 (width,), of the score by the other row's numbers
    squares: np.ndarray  # float32 (width,)


class _Arrays:
    """The float32 arrays of a named tuple as vectors, from inside an intrinsic."""

    vector = ir.VectorType(ir.FloatType(), _LANES)

    def __init__(self, context, builder, kind, value):
        self.builder = builder
        self.arrays = {
            name: context.make_array(array)(
                context, builder, builder.extract_value(value, i)
            )
            for i, (name, array) in enumerate(zip(kind.fields, kind.types))
            if isinstance(array, types.Array)
        }

    def width(self, name):
        """Return the number of columns."""
        return cgutils.unpack_tuple(self.builder, self.arrays[name].shape)[-1]

    def place(self, name, column, row=None):
        """Return where a row has some columns; without `row` of a single one."""
        builder = self.builder
        if row is not None:
            column = builder.add(builder.mul(row, self.width(name)), column)
        pointer = builder.gep(self.arrays[name].data, [column])
        return builder.bitcast(pointer, self.vector.as_pointer())

    def load(self, *place):
        return self.builder.load(self.place(*place), align=4)

    def store(self, value, *place):
        self.builder.store(value, self.place(*place), align=4)


@contextmanager
def _columns(builder, width):
    """Loop over the columns, a vector at a time."""
    lanes = ir.Constant(width.type, _LANES)
    with cgutils.for_range(builder, builder.udiv(width, lanes)) as loop:
        yield builder.mul(loop.index, lanes)


def _splat(builder, number):
    """Return a vector of one float32 number."""
    vector = ir.Constant(_Arrays.vector, ir.Undefined)
    kind = ir.IntType(32)
    vector = builder.insert_element(vector, number, ir.Constant(kind, 0))
    mask = ir.Constant(ir.VectorType(kind, _LANES), None)
    return builder.shuffle_vector(vector, vector, mask)


@intrinsic
def dot(typing_context, model, space, context):
    """``space.slopes @ model.params[context]``.

    As a plain loop it is unrolled, and summing up the parts of so short a product
    takes longer than computing them.
    """
    signature = types.float32(model, space, types.intp)

    def generate(context, builder, signature, arguments):
        table = _Arrays(context, builder, model, arguments[0])
        own = _Arrays(context, builder, space, arguments[1])
        zeros = ir.Constant(own.vector, [0.0] * _LANES)
        total = cgutils.alloca_once_value(builder, zeros)
        with _columns(builder, table.width("params")) as column:
            x, y = (
                own.load("slopes", column),
                table.load("params", column, arguments[2]),
            )
            product = builder.fmul(x, y, flags=FLAGS)
            added = builder.fadd(product, builder.load(total), flags=FLAGS)
            builder.store(added, total)
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), own.vector])
        name = f"llvm.vector.reduce.fadd.v{_LANES}f32"
        add_lanes = cgutils.get_or_insert_function(builder.module, kind, name)
        zero = ir.Constant(ir.FloatType(), 0.0)
        return builder.call(add_lanes, [zero, builder.load(total)], fastmath=FLAGS)

    return signature, generate


@intrinsic
def step(typing_context, model, space, context, slope):
    """AdaGrad steps of the row at hand and a context (Duchi, Hazan & Singer 2011).

    A plain loop would have to make sure that no two of its seven arrays overlap, at
    which some compilers give up. The bias is a column like others, whose part of the
    score has the slope 1.
    """
    signature = types.void(model, space, types.intp, types.float32)

    def generate(context, builder, signature, arguments):
        table = _Arrays(context, builder, model, arguments[0])
        own = _Arrays(context, builder, space, arguments[1])
        target, slope = arguments[2], _splat(builder, arguments[3])
        rate = builder.extract_value(arguments[0], model.fields.index("learning_rate"))
        rate = _splat(builder, builder.fptrunc(rate, ir.FloatType()))
        kind = ir.FunctionType(own.vector, [own.vector])
        name = f"llvm.sqrt.v{_LANES}f32"
        sqrt = cgutils.get_or_insert_function(builder.module, kind, name)

        def multiply(a, b):
            return builder.fmul(a, b, flags=FLAGS)

        def add(a, b):
            return builder.fadd(a, b, flags=FLAGS)

        def move(number, square, gradient):
            root = builder.call(sqrt, [square], fastmath=FLAGS)
            change = builder.fdiv(multiply(rate, gradient), root, flags=FLAGS)
            new = builder.fsub(number, change, flags=FLAGS)
            return new, add(square, multiply(gradient, gradient))

        with _columns(builder, table.width("params")) as column:
            x, x_square = own.load("vector", column), own.load("squares", column)
            y = table.load("params", column, target)
            y_square = table.load("squares", column, target)
            # Once for both rows: after a store the compiler would load them again.
            scale, bias = table.load("scale", column), table.load("bias", column)
            x_gradient = multiply(slope, add(multiply(y, scale), bias))
            y_gradient = multiply(slope, own.load("slopes", column))
            x, x_square = move(x, x_square, x_gradient)
            y, y_square = move(y, y_square, y_gradient)
            own.store(x, "vector", column)
            own.store(add(multiply(x, scale), bias), "slopes", column)
            own.store(x_square, "squares", column)
            table.store(y, "params", column, target)
            table.store(y_square, "squares", column, target)
        return context.get_dummy_value()

    return signature, generate


def _plain_dot(model, space, context):
    return space.slopes @ model.params[context]


def _plain_step(model, space, context, slope):
    rate = np.float32(model.learning_rate)
    y, y_squares = model.params[context], model.squares[context]
    x_gradient = slope * (y * model.scale + model.bias)
    y_gradient = slope * space.slopes
    space.vector[:] -= rate * x_gradient / np.sqrt(space.squares)
    space.slopes[:] = space.vector * model.scale + model.bias
    space.squares[:] += x_gradient * x_gradient
    y -= rate * y_gradient / np.sqrt(y_squares)
    y_squares += y_gradient * y_gradient


if not COMPILED:
    dot, step = _plain_dot, _plain_step
