"""Binary trees over words: merging, sums from the leaves up and from the root down.

A tree is its array of children, int32 (n_words - 1, 2). Values below `n_words` are
leaves; the value ``n_words + i`` is the inner node i. Children come before their
parent, so a loop over the rows visits a tree from the leaves up, and the reverse loop
from the root down: no kernel needs recursion or a stack.

The vector of an inner node is the mean of its left leaves' vectors minus the mean of
its right leaves' vectors: a sparse matrix H times the vectors of the leaves. `sum_up`
multiplies by H and `push_down` by its transpose, in a time proportional to the number
of leaves. Their inner loops are explicit vector code. A compiler that has to check
whether rows of a table overlap gives up vectors of so few numbers.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skembed._kernels.simd import FLAGS, Matrix, constant, splat
from skembed._utils.jit import COMPILED, kernel

# Columns of a step: vectors of so many numbers compile for every processor.
WIDTH = 16
ONE = np.float32(1.0)


@kernel
def merge(order, masses, children):
    """Build a Huffman tree from sorted leaves (van Leeuwen 1976).

    Inner nodes are created in ascending order of their masses. The two smallest nodes
    are therefore always at the front of two queues: the leaves and the inner nodes.
    If both have the same mass, the leaf comes first, which keeps the longest path as
    short as possible (Schwartz 1964).

    Parameters
    ----------
    order : int64 (n_words,), IN
        The words, ascending by mass.
    masses : float64 (2 * n_words - 1,), INOUT
        Masses of the leaves in this order, then those of the inner nodes (OUT).
    children : int32 (n_words - 1, 2), OUT
        The first of two nodes becomes the left child.
    """
    n_words = order.size
    leaf, inner = 0, n_words
    for node in range(n_words, masses.size):
        masses[node] = 0.0
        for side in range(2):
            if leaf < n_words and (inner == node or masses[leaf] <= masses[inner]):
                children[node - n_words, side] = order[leaf]
                masses[node] += masses[leaf]
                leaf += 1
            else:
                children[node - n_words, side] = inner
                masses[node] += masses[inner]
                inner += 1


@kernel
def sum_masses(children, p, masses):
    """Sum up the masses of the leaves on both sides of each inner node.

    Parameters
    ----------
    children : int32 (n_words - 1, 2), IN
    p : float64 (n_words,), IN
    masses : float64 (n_words - 1, 2), OUT
        Of the left and of the right side.
    """
    n_words = p.size
    for node in range(children.shape[0]):
        for side in range(2):
            child = children[node, side]
            if child < n_words:
                masses[node, side] = p[child]
            else:
                below = child - n_words
                masses[node, side] = masses[below, 0] + masses[below, 1]


class _Tables:
    """The vectors of leaves and of inner nodes, from inside an intrinsic."""

    def __init__(self, context, builder, kinds, values, columns):
        self.builder = builder
        self.leaves, self.nodes = (
            Matrix.of(context, builder, kind, value, WIDTH)
            for kind, value in zip(kinds, values)
        )
        self.first, self.last = cgutils.unpack_tuple(builder, columns, 2)

    def children(self, rows):
        """Yield the address of the row of each of two children."""
        builder = self.builder
        left, right, n_words = cgutils.unpack_tuple(builder, rows, 3)
        for child in (left, right):
            is_leaf = builder.icmp_signed("<", child, n_words)
            row = builder.select(is_leaf, child, builder.sub(child, n_words))
            data = builder.select(is_leaf, self.leaves.data, self.nodes.data)
            width = builder.select(is_leaf, self.leaves.columns, self.nodes.columns)
            yield builder.gep(data, [builder.mul(row, width)])

    def node(self, row):
        return self.nodes.pointer(row, constant(0))

    def columns(self):
        """Loop over the columns, a vector at a time."""
        count = self.builder.sub(self.last, self.first)
        return cgutils.for_range(
            self.builder, self.builder.udiv(count, constant(WIDTH))
        )

    def place(self, row, index):
        builder = self.builder
        column = builder.add(self.first, builder.mul(index, constant(WIDTH)))
        place = builder.gep(row, [column])
        return builder.bitcast(place, self.nodes.vector.as_pointer())

    def load(self, row, index):
        return self.builder.load(self.place(row, index), align=4)

    def store(self, value, row, index):
        self.builder.store(value, self.place(row, index), align=4)

    def splat(self, numbers):
        """Return a vector of each of two numbers."""
        for number in cgutils.unpack_tuple(self.builder, numbers, 2):
            yield splat(self.builder, number, WIDTH)


@intrinsic
def _gather(typing_context, leaves, nodes, children, weights, node, columns):
    """Write the weighted sum of the children's rows to the row of a node."""
    signature = types.void(leaves, nodes, children, weights, types.int64, columns)

    def generate(context, builder, signature, arguments):
        kinds = signature.args[:2]
        tables = _Tables(context, builder, kinds, arguments[:2], arguments[5])
        rows = list(tables.children(arguments[2]))
        factors = list(tables.splat(arguments[3]))
        target = tables.node(arguments[4])
        with tables.columns() as loop:
            x, y = (
                builder.fmul(factor, tables.load(row, loop.index), flags=FLAGS)
                for factor, row in zip(factors, rows)
            )
            tables.store(builder.fadd(x, y, flags=FLAGS), target, loop.index)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _scatter(typing_context, leaves, nodes, children, weights, node, columns):
    """Add the row of a node, times weights, to the rows of its children; clear it."""
    signature = types.void(leaves, nodes, children, weights, types.int64, columns)

    def generate(context, builder, signature, arguments):
        kinds = signature.args[:2]
        tables = _Tables(context, builder, kinds, arguments[:2], arguments[5])
        rows = list(tables.children(arguments[2]))
        factors = list(tables.splat(arguments[3]))
        source = tables.node(arguments[4])
        zeros = ir.Constant(tables.nodes.vector, [0.0] * WIDTH)
        with tables.columns() as loop:
            moved = tables.load(source, loop.index)
            tables.store(zeros, source, loop.index)
            for factor, row in zip(factors, rows):
                product = builder.fmul(factor, moved, flags=FLAGS)
                before = tables.load(row, loop.index)
                total = builder.fadd(product, before, flags=FLAGS)
                tables.store(total, row, loop.index)
        return context.get_dummy_value()

    return signature, generate


def _rows_of(leaves, nodes, children, columns):
    """Return the rows of two children, as `_Tables.children` does."""
    left, right, n_words = children
    columns = slice(*columns)
    return [
        leaves[child, columns] if child < n_words else nodes[child - n_words, columns]
        for child in (left, right)
    ]


def _gather_plainly(leaves, nodes, children, weights, node, columns):
    left, right = _rows_of(leaves, nodes, children, columns)
    nodes[node, slice(*columns)] = weights[0] * left + weights[1] * right


def _scatter_plainly(leaves, nodes, children, weights, node, columns):
    moved = nodes[node, slice(*columns)].copy()
    nodes[node, slice(*columns)] = 0.0
    for weight, row in zip(weights, _rows_of(leaves, nodes, children, columns)):
        row += weight * moved


gather = _gather if COMPILED else _gather_plainly
scatter = _scatter if COMPILED else _scatter_plainly


@kernel
def sum_up(children, weights, vectors, nodes, columns):
    """Compute the vectors of inner nodes from those of the leaves.

    The first loop computes sums of all leaves below each node. The second one begins
    at the root and replaces them: the children of a node still hold their sums then.

    Parameters
    ----------
    children : int32 (n_words - 1, 2), IN
    weights : float32 (n_words - 1, 2), IN
        Weight of a left leaf and of a right leaf in the vector of each node.
    vectors : float32 (n_words, width), IN
    nodes : float32 (n_words - 1, width), OUT
    columns : (int, int)
        The first column and the end, multiples of 16. No other columns are read or
        written, and the bits do not depend on where the columns are cut.
    """
    n_nodes = children.shape[0]
    n_words = n_nodes + 1
    for node in range(n_nodes):
        both = np.int64(children[node, 0]), np.int64(children[node, 1]), n_words
        gather(vectors, nodes, both, (ONE, ONE), node, columns)
    for node in range(n_nodes - 1, -1, -1):
        both = np.int64(children[node, 0]), np.int64(children[node, 1]), n_words
        factors = weights[node, 0], weights[node, 1]
        gather(vectors, nodes, both, factors, node, columns)


@kernel
def push_down(children, weights, nodes, vectors, columns):
    """Add the gradients of the leaves' vectors, given those of the inner nodes.

    The transpose of `sum_up`: its steps in reverse order.

    Parameters
    ----------
    children : int32 (n_words - 1, 2), IN
    weights : float32 (n_words - 1, 2), IN
        As in `sum_up`.
    nodes : float32 (n_words - 1, width), INOUT
        Gradients by the vectors of nodes. Zero afterwards.
    vectors : float32 (n_words, width), INOUT
        Gradients by the vectors of leaves, which are added to.
    columns : (int, int)
        As in `sum_up`.
    """
    n_nodes = children.shape[0]
    n_words = n_nodes + 1
    for node in range(n_nodes):
        both = np.int64(children[node, 0]), np.int64(children[node, 1]), n_words
        factors = weights[node, 0], weights[node, 1]
        scatter(vectors, nodes, both, factors, node, columns)
    for node in range(n_nodes - 1, -1, -1):
        both = np.int64(children[node, 0]), np.int64(children[node, 1]), n_words
        scatter(vectors, nodes, both, (ONE, ONE), node, columns)
