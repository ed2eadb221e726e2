"""Random walks: documents whose words are the nodes of a graph."""

from itertools import pairwise
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skembed._counts.count import PARAMETERS
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import check_room
from skembed._utils.threads import ThreadTeam, n_threads
from skembed.graphs._steps import as_adjacency

# Steps between two checks for signals, in about 0.1 s.
_TASK_STEPS = 1 << 20
# Numbers of 31 bits that the seeds of walks are derived from.
_SEED_WORDS = 4
# Beyond these, nearly all walks go the same way.
_BIASES = Interval(Real, 1e-6, 1e6, closed="both")


@validate_params(
    {
        "n_walks": [Interval(Integral, 1, None, closed="left")],
        "length": [Interval(Integral, 1, None, closed="left")],
        "p": [_BIASES],
        "q": [_BIASES],
        "random_state": ["random_state"],
        "n_jobs": PARAMETERS["n_jobs"],
    },
    prefer_skip_nested_validation=True,
)
def random_walks(
    A: Any,
    n_walks: int,
    length: int,
    *,
    p: float = 1.0,
    q: float = 1.0,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Walk along the edges of a graph, from each node several times.

    A walk follows the direction of edges. It takes an edge of its node with a
    probability in proportion to the weight of the edge, as in DeepWalk (Perozzi et al.
    2014). With `p` and `q`, the weights also depend on the previous node, as in
    node2vec (Grover & Leskovec 2016, section 3.2). The weight of the edge back to the
    previous node is divided by `p`. The weight of an edge to another node is divided by
    `q` if the previous node has no edge to that node. All other weights stay as they
    are.

    Parameters
    ----------
    A : sparse matrix or array-like of shape (n_nodes, n_nodes)
        Weights of edges from a row's node to a column's node. They are finite and not
        negative. In an undirected graph, A is symmetric.
    n_walks : int
        Number of walks that start at each node.
    length : int
        Number of nodes of a walk. The node at which it starts is the first one.
    p : float, default=1.0
        Larger values make it less likely that a walk goes back at once. From 1e-6 to
        1e6.
    q : float, default=1.0
        Larger values keep walks close to where they have been. Smaller values lead them
        away. From 1e-6 to 1e6.
    random_state : int, RandomState instance or None, default=None
        Random state of the walks. Pass an int for the same walks every time. With the
        same int, a smaller `n_walks` or `length` gives the first rows or columns of the
        result of a larger one.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The result does not depend on it.

    Returns
    -------
    ndarray of shape (n_nodes * n_walks, length), int32
        Each row is a walk: the rows of its nodes in A. A walk ends at a node without
        out-edges, and -1 fills the rest of its row. The first `n_nodes` rows hold one
        walk from each node in a random order. So do the next `n_nodes` rows, and so on.

    Raises
    ------
    ValueError
        If A is not square, if an entry is negative, infinite or NaN, if there are no
        edges, or if a parameter is not valid.
    MemoryError
        If there is not enough memory for the walks.

    See Also
    --------
    k_step_counts : Expected counts of such walks, without sampling.

    Notes
    -----
    The time of a step does not depend on the number of edges of a node. With `p` and
    `q`, edges are proposed by their weights, and accepted or rejected (Yang et al.
    2019). Steps become slower if `p` or `q` are far from 1.

    References
    ----------
    B. Perozzi, R. Al-Rfou and S. Skiena (2014). DeepWalk: Online Learning of Social
    Representations. KDD.

    A. Grover and J. Leskovec (2016). node2vec: Scalable Feature Learning for Networks.
    KDD.

    K. Yang, M. Zhang, K. Chen, X. Ma, Y. Bai and Y. Jiang (2019). KnightKing: A Fast
    Distributed Graph Random Walk Engine. SOSP.

    Examples
    --------
    Of the three nodes, the last one has no edges:

    >>> from skembed.graphs import random_walks
    >>> walks = random_walks([[0, 1, 0], [0, 0, 1], [0, 0, 0]], 1, 4, random_state=0)
    >>> walks[walks[:, 0].argsort()]
    array([[ 0,  1,  2, -1],
           [ 1,  2, -1, -1],
           [ 2, -1, -1, -1]], dtype=int32)
    """
    A = as_adjacency(A)
    n_nodes = A.shape[0]
    check_room(
        n_nodes * n_walks * (4 * length + 8),
        f"{n_walks} walks of {length} nodes from each of {n_nodes} nodes",
        "Lower n_walks or length.",
    )
    random = check_random_state(random_state)
    seeds = np.random.SeedSequence(random.randint(2**31, size=_SEED_WORDS).tolist())
    walks = np.empty((n_nodes * n_walks, length), dtype=np.int32)
    for first in range(0, len(walks), n_nodes):
        walks[first : first + n_nodes, 0] = random.permutation(n_nodes)
    states = seeds.generate_state(len(walks), np.uint64)
    _take_steps(A, _biases(p, q), states, walks, n_jobs)
    return walks


def _biases(p: float, q: float) -> np.ndarray:
    """Return the probabilities to accept an edge, see `walk_biased`."""
    factors = np.array([1.0 / p, 1.0, 1.0 / q])
    return factors / factors.max()


def _take_steps(
    A: sparse.csr_array,
    bias: np.ndarray,
    states: np.ndarray,
    walks: np.ndarray,
    n_jobs: int | None,
) -> None:
    """Fill all columns of `walks` but the first."""
    from skembed._kernels import walks as kernels

    graph = _graph(A)
    biased = (bias < 1).any()
    n_rows, length = walks.shape
    at_once = max(kernels.GROUP, _TASK_STEPS // length)
    rows = [(row, min(row + at_once, n_rows)) for row in range(0, n_rows, at_once)]
    # Even the walks of one group may take longer than an interrupt should.
    columns = max(1, _TASK_STEPS // kernels.GROUP)
    # The first step is taken without a previous node.
    cuts = [1, *range(2 if biased else 1 + columns, length, columns), length]

    def take(_: int, task: tuple[tuple[int, int], tuple[int, int]]) -> None:
        these, steps = task
        if biased and steps[0] > 1:
            kernels.walk_biased(graph, bias, states, these, steps, walks)
        else:
            kernels.walk(graph, states, these, steps, walks)

    with ThreadTeam(n_threads(n_jobs, len(rows))) as team:
        for steps in pairwise(cuts):
            team.map(take, [(these, steps) for these in rows])


def _graph(A: sparse.csr_array) -> Any:
    """Return what the kernels need to know about a graph."""
    from skembed._kernels import walks as kernels

    indptr, indices = A.indptr.astype(np.int64), A.indices.astype(np.int32)
    weights = _relative_weights(A)
    if (weights == 1).all():
        weights = np.empty(0)
    thresholds = np.empty(weights.size, dtype=np.uint32)
    alias = np.empty(weights.size, dtype=np.int32)
    if weights.size:
        interruptible(_fill_tables, indptr, indices, weights, (thresholds, alias))
    return kernels.Graph(indptr, indices, weights, thresholds, alias)


def _relative_weights(A: sparse.csr_array) -> np.ndarray:
    """Return weights as shares of the largest weight in their row."""
    sizes = np.diff(A.indptr)
    largest = np.maximum.reduceat(A.data, A.indptr[:-1][sizes > 0])
    return A.data / np.repeat(largest, sizes[sizes > 0])


def _fill_tables(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray],
) -> None:
    from skembed._kernels import walks as kernels

    sizes = np.diff(indptr)
    sizes = sizes[sizes > 0]
    totals = np.add.reduceat(weights, np.cumsum(sizes) - sizes)
    units = np.rint(weights * np.repeat(2.0**32 * sizes / totals, sizes))
    stack = np.empty(sizes.max(), dtype=np.int64)
    kernels.fill_alias_tables(indptr, indices, units.astype(np.uint64), stack, *tables)
