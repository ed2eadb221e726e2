"""Expected co-occurrence counts of random walks, as products of sparse matrices."""

import math
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skembed._counts.count import window_weights
from skembed._counts.documents import consume_blocks
from skembed._counts.windows import INT32_MAX
from skembed._utils.memory import check_room
from skembed._utils.threads import row_ranges
from skembed.graphs._edges import is_networkx, named
from skembed.graphs._graph import check_sums, checked_matrix

# Products that are added up between two checks for signals, in about 0.2 s.
_PRODUCTS = 1 << 24
# Share of entries that are not 0 above which products with dense rows are faster.
_DENSE = 0.1
# Rows whose entries are counted if the bound on all entries exceeds the memory.
_SAMPLED_ROWS = 128
# By the values of `weighting`: the same weights of contexts by their distance.
WEIGHTINGS = {"uniform": "flat", "harmonic": "harmonic"}


@validate_params(
    {
        "steps": [Interval(Integral, 1, None, closed="left")],
        "weighting": [StrOptions(set(WEIGHTINGS)), "array-like"],
    },
    prefer_skip_nested_validation=True,
)
def k_step_counts(A: Any, steps: int, weighting: Any = "uniform") -> sparse.csr_array:
    r"""Add up the edges and the paths of up to `steps` edges of a graph.

    The result is :math:`\sum_{k=1}^{K} w_k A P^{k-1}`. P is A with rows that sum to 1:
    the transition probabilities of a random walk. Each summand is therefore the
    probability that a walk from the row's node is at the column's node after k steps,
    times the total weight of the edges from the row's node. These are the counts of
    `random_walks` and :func:`~skembed.cooccurrence` with ``direction="right"``, without
    the noise of sampling, if walks visit nodes in proportion to that total weight. Long
    walks in undirected graphs do. The PPMI matrix of the sum is then the matrix that
    NetMF factorises (Qiu et al. 2018, eq. 9).

    Parameters
    ----------
    A : sparse matrix or array-like of shape (n_nodes, n_nodes)
        Weights of edges from a row's node to a column's node. They are finite and not
        negative.
    steps : int
        The largest number K of steps.
    weighting : {"uniform", "harmonic"} or array-like, default="uniform"
        Weight of paths by their number of steps: 1, ``1 / k``, or the numbers of an
        array of shape (steps,).

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float64
        With sorted columns and without stored zeros.

    Raises
    ------
    ValueError
        If A is not square, if an entry is negative, infinite or NaN, if there are no
        edges, or if the weights of steps are not valid.
    MemoryError
        If there is not enough memory for the entries. Their number grows quickly with
        `steps`. Use fewer steps then, or sample paths with `random_walks`.

    References
    ----------
    J. Qiu, Y. Dong, H. Ma, J. Li, K. Wang and J. Tang (2018). Network Embedding as
    Matrix Factorization: Unifying DeepWalk, LINE, PTE, and node2vec. WSDM.

    Examples
    --------
    >>> from skembed.graphs import k_step_counts
    >>> k_step_counts([[0, 2, 2], [0, 0, 1], [0, 0, 0]], steps=2).toarray()
    array([[0., 2., 4.],
           [0., 0., 1.],
           [0., 0., 0.]])
    """
    A = as_adjacency(A)
    weights = _step_weights(steps, weighting)
    with np.errstate(over="ignore"):
        totals = A.sum(axis=1)
        if not math.isfinite(weights.sum() * totals.max()):
            raise ValueError(
                f"The sum of the weights in row {totals.argmax()} of A, times the sum "
                f"{weights.sum():.3g} of the weights of steps, is too large for "
                "float64. Divide A by its largest entry."
            )
    # Without weight, the last steps would only fill the memory.
    weights = weights[: 1 + np.flatnonzero(weights)[-1]]
    if weights.size == 1:
        return _cleaned(weights[0] * A)
    P = A.copy()
    P.data /= np.repeat(totals, np.diff(A.indptr))
    bounds = _bounds(A, weights.size)
    _check_entries(A, P, weights, bounds)
    blocks = list(_blocks(A, P, weights, bounds))
    return consume_blocks(blocks, A.shape[0], None)


def as_adjacency(A: Any) -> sparse.csr_array:
    """Check the matrix of a graph, and return a canonical copy.

    Parameters
    ----------
    A : sparse matrix or array-like of shape (n_nodes, n_nodes)

    Returns
    -------
    csr_array of shape (n_nodes, n_nodes), float64
        With sorted columns and without stored zeros.

    Raises
    ------
    ValueError
        If A is not square or not a matrix of numbers, if an entry is negative,
        infinite or NaN, or if all entries are 0.
    TypeError
        If A is a graph of another library.
    """
    if is_networkx(A):
        raise TypeError(
            f"A is a graph of type {type(A).__name__}. Pass its adjacency matrix, such "
            "as networkx.to_scipy_sparse_array(graph)."
        )
    if not sparse.issparse(A):
        if np.ma.is_masked(A):
            raise ValueError("A is a masked array. Fill it first: A.filled(0).")
        # The error of `checked_matrix` says where a number is.
        A = check_array(A, dtype=np.float64, input_name="A", ensure_all_finite=False)
        A = sparse.csr_array(A)
    with named("A"):
        A = checked_matrix(A)
        check_sums(np.arange(A.shape[0]), A)
    if not A.nnz:
        raise ValueError("A has no edges: all of its entries are 0.")
    return A


def _cleaned(A: sparse.csr_array) -> sparse.csr_array:
    A.eliminate_zeros()
    A.sort_indices()
    return A


def _step_weights(steps: int, weighting: Any) -> np.ndarray:
    if isinstance(weighting, str):
        return window_weights(steps, WEIGHTINGS[weighting])
    weights = check_array(
        weighting, ensure_2d=False, dtype=np.float64, input_name="weighting"
    )
    if weights.shape != (steps,):
        raise ValueError(
            f"weighting has shape {weights.shape}. With steps={steps}, pass {steps} "
            "numbers, one for each number of steps."
        )
    if (weights < 0).any() or not weights.any():
        raise ValueError(
            f"weighting={weighting!r} has to hold numbers that are not negative, and "
            "one that is positive."
        )
    return weights


def _bounds(A: sparse.csr_array, steps: int) -> np.ndarray:
    """Return an upper bound on each row's paths of up to `steps` edges, as floats."""
    pattern = sparse.csr_array((np.ones(A.nnz), A.indices, A.indptr), A.shape)
    paths = np.diff(A.indptr).astype(np.float64)
    bounds = paths.copy()
    with np.errstate(over="ignore"):
        for _ in range(steps - 1):
            paths = pattern @ paths
            bounds += paths
    return bounds


def _check_entries(
    A: sparse.csr_array, P: sparse.csr_array, weights: np.ndarray, bounds: np.ndarray
) -> None:
    """Raise an error if there is not enough memory for the entries of the result.

    First a bound on their number is compared with the memory: a row has at most an
    entry for each path, and for each node with in-edges. If that is too much, the
    number is estimated from some rows.
    """
    most = np.minimum(bounds, np.unique(A.indices).size)
    try:
        _check_room(most.sum(), A, weights)
    except MemoryError:
        rows = np.random.default_rng(0).permutation(np.flatnonzero(most))
        rows = np.sort(rows[:_SAMPLED_ROWS])
        sampled = _blocks(A[rows], P, weights, bounds[rows])
        found = sum(block.nnz for block in sampled)
        _check_room(found * most.sum() / most[rows].sum(), A, weights)


def _check_room(n_entries: float, A: sparse.csr_array, weights: np.ndarray) -> None:
    n_bytes = (12 if n_entries <= INT32_MAX else 16) * n_entries
    share = n_entries / A.shape[0] ** 2
    check_room(
        n_bytes,
        f"Paths of up to {weights.size} steps between {A.shape[0]} nodes connect about "
        f"{n_entries:.3g} pairs of nodes ({share:.0%} of all), which",
        "Use fewer steps, or sample paths with random_walks.",
    )


def _blocks(
    A: sparse.csr_array, P: sparse.csr_array, weights: np.ndarray, bounds: np.ndarray
) -> Any:
    """Yield some rows of the result after others, given these rows of A.

    Rows are sums by Horner's rule: ``((w_3 A) P + w_2 A) P + w_1 A``. No powers of P
    and no sum for all nodes are in memory in addition to the result.
    """
    n_nodes = A.shape[1]
    # A step of one row takes at most one product for each entry of P. Rows that may
    # become dense also take memory for all nodes.
    work = np.minimum(bounds, P.nnz) * (weights.size - 1)
    work += np.where(bounds > _DENSE * n_nodes, 2 * n_nodes, 0)
    for first, last in row_ranges(np.concatenate([[0], np.cumsum(work)]), _PRODUCTS):
        edges = A[first:last]
        block = weights[-1] * edges
        for weight in weights[-2::-1]:
            if sparse.issparse(block) and block.nnz > _DENSE * (last - first) * n_nodes:
                edges, block = edges.toarray(), block.toarray()
            block = block @ P
            if weight:
                block = block + weight * edges
        yield _cleaned(sparse.csr_array(block))
