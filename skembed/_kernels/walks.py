"""Random walks along the edges of a graph, each with a random stream of its own."""

from typing import NamedTuple

import numpy as np

from skembed._kernels.spans import (
    GOLDEN,
    LOW_32,
    MIX_1,
    MIX_2,
    SHIFT_27,
    SHIFT_30,
    SHIFT_31,
    SHIFT_32,
)
from skembed._utils.jit import helper, kernel

# Walks that take a step in turn, so that the processor waits for the memory of all at
# the same time.
GROUP = 16
# Edges that are proposed for a step before the probabilities of all are computed.
PROPOSALS = 64
# Positions in the array `bias`: the previous node, its neighbours, all other nodes.
RETURN, NEAR, FAR = range(3)
# Indices are unsigned: a signed one costs a test for negative values each time.
NONE, ONE, TWO = np.uintp(0), np.uintp(1), np.uintp(2)
UNIT = np.uint64(1 << 32)
SHIFT_11 = np.uint64(11)


class Graph(NamedTuple):
    """Edges by their source, and tables to draw them by their weights.

    The last three arrays are empty if all edges of a node have the same weight.
    """

    indptr: np.ndarray  # IN int64 (n_nodes + 1,)
    indices: np.ndarray  # IN int32 (n_edges,), targets, ascending for each source
    weights: np.ndarray  # IN float64 (n_edges,), in any unit for each source
    thresholds: np.ndarray  # IN uint32 (n_edges,), see `fill_alias_tables`
    alias: np.ndarray  # IN int32 (n_edges,)


@kernel
def fill_alias_tables(indptr, indices, units, stack, thresholds, alias):
    """Prepare drawing an edge of each node in constant time (Vose 1991).

    All numbers are whole: results do not depend on the order of additions.

    Parameters
    ----------
    indptr : int64 (n_nodes + 1,), IN
    indices : int32 (n_edges,), IN
    units : uint64 (n_edges,), INOUT
        Weights whose sum for each node is about 2**32 for each edge. Destroyed.
    stack : int64 (largest number of a node's edges,), scratch
    thresholds : uint32 (n_edges,), OUT
        An edge is kept if 32 random bits are below its threshold.
    alias : int32 (n_edges,), OUT
        The target if it is not kept.
    """
    for node in range(indptr.size - 1):
        n_small = n_large = 0
        for edge in range(indptr[node], indptr[node + 1]):
            thresholds[edge] = LOW_32
            alias[edge] = indices[edge]
            if units[edge] < UNIT:
                stack[n_small] = edge
                n_small += 1
            else:
                n_large += 1
                stack[stack.size - n_large] = edge
        while n_small and n_large:
            n_small -= 1
            low, high = stack[n_small], stack[stack.size - n_large]
            thresholds[low] = units[low]
            alias[low] = indices[high]
            units[high] -= UNIT - units[low]
            if units[high] < UNIT:
                n_large -= 1
                stack[n_small] = high
                n_small += 1
        # What is left differs from 2**32 only by rounding.


@helper
def _bits(state):
    """Return 64 random bits for a state of splitmix64, see `spans.next_random`."""
    bits = (state ^ (state >> SHIFT_30)) * MIX_1
    bits = (bits ^ (bits >> SHIFT_27)) * MIX_2
    return bits ^ (bits >> SHIFT_31)


@helper
def _choice(bits, n):
    """Return a number below `n`, from the upper half of random bits."""
    return ((bits >> SHIFT_32) * n) >> SHIFT_32


@helper
def _share(bits):
    """Return a number between 0 and 1."""
    return np.float64(bits >> SHIFT_11) * 2.0**-53


@kernel
def walk(graph, states, rows, steps, walks):
    """Take some steps of some walks. The probability of an edge is its weight's share.

    Parameters
    ----------
    graph : Graph
    states : uint64 (n_walks,), INOUT
        Random stream of each walk.
    rows : (int, int)
        The first walk and the end.
    steps : (int, int)
        The first column to write, which is not 0, and the end.
    walks : int32 (n_walks, length), INOUT
        Nodes, -1 behind a node without edges.
    """
    # Locals, and no helper that takes arrays: an array that is passed on is counted, by
    # atomic operations, at every call, which takes longer than a step.
    indptr, indices = graph.indptr, graph.indices
    thresholds, alias = graph.thresholds, graph.alias
    for first in range(rows[0], rows[1], GROUP):
        end = min(first + GROUP, rows[1])
        for step in range(steps[0], steps[1]):
            for each in range(first, end):
                row, column = np.uintp(each), np.uintp(step)
                node = walks[row, column - ONE]
                if node < 0:
                    walks[row, column] = -1
                    continue
                edge = np.uint64(indptr[np.uintp(node)])
                n_edges = np.uint64(indptr[np.uintp(node) + ONE]) - edge
                if n_edges == 0:
                    walks[row, column] = -1
                    continue
                states[row] += GOLDEN
                bits = _bits(states[row])
                edge += _choice(bits, n_edges)
                target = indices[edge]
                if thresholds.size and (bits & LOW_32) >= thresholds[edge]:
                    target = alias[edge]
                walks[row, column] = target


@kernel
def walk_biased(graph, bias, states, rows, steps, walks):
    """Take some steps whose probabilities depend on the previous node, too.

    An edge is proposed in proportion to its weight, and accepted with a probability
    that depends on its target (rejection sampling: Yang et al. 2019, section 4).

    Parameters
    ----------
    graph : Graph
    bias : float64 (3,), IN
        Probability to accept an edge back to the previous node, to a node that the
        previous node has an edge to, and to another node. The largest is 1.
    states : uint64 (n_walks,), INOUT
        As in `walk`, like the following parameters.
    rows : (int, int)
    steps : (int, int)
        Not the columns 0 and 1.
    walks : int32 (n_walks, length), INOUT
    """
    indptr, indices = graph.indptr, graph.indices
    thresholds, alias = graph.thresholds, graph.alias
    near_is_likely = bias[NEAR] > bias[FAR]
    least, most = min(bias[NEAR], bias[FAR]), max(bias[NEAR], bias[FAR])
    for first in range(rows[0], rows[1], GROUP):
        end = min(first + GROUP, rows[1])
        for step in range(steps[0], steps[1]):
            for each in range(first, end):
                row, column = np.uintp(each), np.uintp(step)
                node = walks[row, column - ONE]
                if node < 0:
                    walks[row, column] = -1
                    continue
                start = np.uint64(indptr[np.uintp(node)])
                n_edges = np.uint64(indptr[np.uintp(node) + ONE]) - start
                if n_edges == 0:
                    walks[row, column] = -1
                    continue
                previous = walks[row, column - TWO]
                state = states[row]
                accepted = False
                for _ in range(PROPOSALS):
                    state += GOLDEN
                    bits = _bits(state)
                    edge = start + _choice(bits, n_edges)
                    target = indices[edge]
                    if thresholds.size and (bits & LOW_32) >= thresholds[edge]:
                        target = alias[edge]
                    state += GOLDEN
                    share = _share(_bits(state))
                    if target == previous:
                        accepted = share < bias[RETURN]
                    elif share >= least and share < most:
                        # Only here it matters whether the previous node has this edge.
                        low = np.uint64(indptr[np.uintp(previous)])
                        left = np.uint64(indptr[np.uintp(previous) + ONE]) - low
                        while left > ONE:
                            half = left >> ONE
                            low += half if indices[low + half] <= target else NONE
                            left -= half
                        accepted = (indices[low] == target) == near_is_likely
                    else:
                        accepted = share < least
                    if accepted:
                        break
                states[row] = state
                if not accepted:
                    target = _draw(graph, bias, states, row, (previous, node))
                walks[row, column] = target


@helper
def _draw(graph, bias, states, row, nodes):
    """Return the next node after the previous and the current node.

    It looks at all edges, which proposals do not: it is for the case that nearly all
    proposals are rejected. One edge at a time takes the place of those before it, with
    its share of their sum.
    """
    indices, previous = graph.indices, nodes[0]
    other, end = graph.indptr[previous], graph.indptr[previous + 1]
    chosen, total = 0, 0.0
    for edge in range(graph.indptr[nodes[1]], graph.indptr[nodes[1] + 1]):
        target = indices[edge]
        while other < end and indices[other] < target:
            other += 1
        kind = NEAR if other < end and indices[other] == target else FAR
        mass = bias[RETURN if target == previous else kind]
        if graph.weights.size:
            mass *= graph.weights[edge]
        total += mass
        states[row] += GOLDEN
        if _share(_bits(states[row])) * total < mass:
            chosen = target
    return chosen
