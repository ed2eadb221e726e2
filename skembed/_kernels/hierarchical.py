"""Hierarchical softmax: slopes of the scores of the nodes above the contexts."""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skembed._kernels.softmax import add, dot, exp_negative, log1p_unit
from skembed._utils.jit import COMPILED, helper, kernel


class Paths(NamedTuple):
    """The paths from the leaves of a tree to its root.

    Parents have higher numbers than their children.
    """

    leaf_parents: np.ndarray  # IN int32 (n_contexts,)
    leaf_sides: np.ndarray  # IN uint8 (n_contexts,), 1 for a right child
    parents: np.ndarray  # IN int32 (n_nodes,), -1 for the root
    sides: np.ndarray  # IN uint8 (n_nodes,)


class Marks(NamedTuple):
    """Work space of one thread: the nodes above the contexts of a row.

    `bits` and `masses` are zero between rows.
    """

    bits: np.ndarray  # uint64 (n_nodes // 64 + 1,), 1 for each node to be visited
    masses: np.ndarray  # float64 (n_nodes, 2), counts to the left and to the right
    nodes: np.ndarray  # int32 (n_nodes,), nodes that were found
    found: np.ndarray  # float32 (2, n_nodes), their counts to the left and to the right


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
def _find_nodes(paths, block, row, marks):
    """Find the nodes above the contexts of a row, in ascending order.

    All arrays have names of their own, and no helper takes them: Numba would count
    references for every node.

    Returns
    -------
    int
        Number of nodes. They, and the counts on both sides, are in `marks`.
    """
    leaf_parents, leaf_sides = paths.leaf_parents, paths.leaf_sides
    parents, sides = paths.parents, paths.sides
    contexts, counts = block.contexts, block.counts
    bits, masses, nodes, found = marks.bits, marks.masses, marks.nodes, marks.found
    for entry in range(block.indptr[row], block.indptr[row + 1]):
        context = np.uintp(contexts[entry])
        node = np.uintp(leaf_parents[context])
        bits[node >> _SIX] |= _ONE << (node & _LOW_6)
        masses[node, np.uintp(leaf_sides[context])] += counts[entry]
    n_found = np.uintp(0)
    for at in range(np.uintp(bits.size)):
        while bits[at]:
            node = (at << _SIX) + np.uintp(lowest_bit(bits[at]))
            bits[at] &= bits[at] - _ONE
            left, right = masses[node, 0], masses[node, 1]
            masses[node, 0] = 0.0
            masses[node, 1] = 0.0
            nodes[n_found] = node
            found[0, n_found] = left
            found[1, n_found] = right
            n_found += _ONE
            if parents[node] >= 0:
                parent = np.uintp(parents[node])
                bits[parent >> _SIX] |= _ONE << (parent & _LOW_6)
                masses[parent, np.uintp(sides[node])] += left + right
    return np.int64(n_found)


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
        n_found = _find_nodes(paths, block, row, marks)
        for k in range(n_found):
            per_node[marks.nodes[k]] += 1
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
    indptr, columns, all_slopes = outputs.indptr, outputs.columns, outputs.slopes
    nodes, found = marks.nodes, marks.found
    origin = indptr[0]
    for row in range(rows[0], rows[1]):
        n_found = _find_nodes(paths, block, row, marks)
        first = indptr[row] - origin
        last = first + n_found
        for k in range(n_found):
            node = np.int64(nodes[k])
            columns[first + k] = nodes[k]
            all_slopes[first + k] = dot(words, row, table, node)
        slopes = all_slopes[first:last]
        loss = 0.0
        for k in range(slopes.size):
            score, left, right = slopes[k], found[0, k], found[1, k]
            total = left + right
            e = exp_negative(-abs(score))
            chance = np.float32(1.0) / (np.float32(1.0) + e)
            if score < np.float32(0.0):
                chance *= e
            slopes[k] = total * chance - left
            wrong = left if score < np.float32(0.0) else right
            loss += np.float64(total * log1p_unit(e) + wrong * abs(score))
        for place in range(first, last):
            node = np.int64(columns[place])
            add(gradients, row, table, node, all_slopes[place])
        sums[row, 0] = loss
        sums[row, 1] = 0.0
