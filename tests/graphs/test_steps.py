"""Counts of paths: against dense powers and NetMF's matrix, and what is refused."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from skembed._counts.ppmi import ppmi_inplace
from skembed.graphs import _steps, k_step_counts

WEIGHTINGS = {
    "uniform": [1.0, 1.0, 1.0, 1.0],
    "harmonic": [1.0, 1 / 2, 1 / 3, 1 / 4],
    "given": [0.5, 0.0, 2.0, 0.0],
}
# Shares of entries above which rows are dense: always, from some step on, never.
DENSE = [-1, 0.2, 2]


def random_graph(n_nodes=40, density=0.1, seed=0, directed=True):
    """Weights of edges, with self loops, isolated nodes and dead ends; dense."""
    rng = np.random.default_rng(seed)
    A = rng.integers(1, 6, (n_nodes, n_nodes)) * (rng.random((n_nodes,) * 2) < density)
    A[:2] = A[:, :3] = 0
    return (A if directed else A + A.T).astype(float)


def dense_sum(A, weights):
    totals = A.sum(axis=1, keepdims=True)
    P = np.divide(A, totals, out=np.zeros_like(A), where=totals > 0)
    powers = [A @ np.linalg.matrix_power(P, k) for k in range(len(weights))]
    return sum(w * power for w, power in zip(weights, powers, strict=True))


# --- the sum --------------------------------------------------------------------------


@pytest.mark.small
@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("dense", DENSE)
def test_equals_dense_powers(dense, weighting, steps, monkeypatch):
    monkeypatch.setattr(_steps, "_DENSE", dense)
    A, weights = random_graph(), WEIGHTINGS[weighting][:steps]
    assert not A[:2].any()
    assert (A.sum(axis=1) == 0).sum() < (A.sum(axis=0) == 0).sum()
    given = weights if weighting == "given" else weighting
    counts = k_step_counts(A, steps, given)
    assert isinstance(counts, sparse.csr_array)
    assert counts.dtype == np.float64
    wanted = dense_sum(A, weights)
    np.testing.assert_allclose(counts.toarray(), wanted, rtol=1e-12)
    assert counts.nnz == np.count_nonzero(wanted)
    # What is stored is in order, whatever the flags say.
    same = sparse.csr_array((counts.data, counts.indices, counts.indptr), A.shape)
    assert same.has_canonical_format


@pytest.mark.small
@pytest.mark.parametrize("dense", DENSE)
def test_in_many_blocks(dense, monkeypatch):
    """Whatever the number of rows at a time."""
    A = random_graph()
    monkeypatch.setattr(_steps, "_DENSE", dense)
    whole = k_step_counts(A, 3)
    monkeypatch.setattr(_steps, "_PRODUCTS", 50)
    parts = k_step_counts(A, 3)
    for name in ("data", "indices", "indptr"):
        given, wanted = getattr(parts, name), getattr(whole, name)
        np.testing.assert_allclose(given, wanted, rtol=1e-14)


@pytest.mark.small
@pytest.mark.parametrize(
    "as_given",
    [
        lambda A: A.tolist(),
        lambda A: A.astype(np.int64),
        lambda A: A.astype(np.float32),
        np.asfortranarray,
        sparse.csr_matrix,
        sparse.csc_array,
        sparse.coo_array,
        sparse.lil_matrix,
    ],
)
def test_kinds_of_matrices(as_given):
    A = random_graph()
    given = as_given(A)
    counts = k_step_counts(given, 2)
    np.testing.assert_allclose(counts.toarray(), dense_sum(A, [1, 1]), rtol=1e-12)
    assert abs(given - A).max() == 0


@pytest.mark.small
def test_repeated_entries_add_up_and_zeros_are_no_edges():
    rows, columns = [0, 0, 1, 1], [1, 1, 0, 2]
    A = sparse.coo_array(([1.0, 2.0, 3.0, 0.0], (rows, columns)), (3, 3)).tocsr()
    counts = k_step_counts(A, 2)
    np.testing.assert_allclose(counts.toarray(), [[3, 3, 0], [3, 3, 0], [0, 0, 0]])
    assert counts.nnz == 4


@pytest.mark.small
def test_the_result_of_one_step_is_a_copy():
    A = sparse.csr_array(random_graph())
    before = A.copy()
    k_step_counts(A, 1).data[:] = -1
    assert (before != A).nnz == 0


@pytest.mark.small
@pytest.mark.parametrize("negative", [1, 3])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_ppmi_is_the_matrix_of_netmf(steps, negative):
    """Of an undirected graph, to 1e-6: Qiu et al. (2018), eq. 9."""
    A = random_graph(60, 0.03, directed=False)
    A = A[3:, 3:][A[3:, 3:].any(axis=1)][:, A[3:, 3:].any(axis=0)]
    D = np.diag(1 / A.sum(axis=1))
    total = sum(np.linalg.matrix_power(D @ A, r) for r in range(1, steps + 1))
    with np.errstate(divide="ignore"):
        M = np.log(A.sum() / (negative * steps) * total @ D)
    wanted = np.maximum(M, 0)
    found = ppmi_inplace(k_step_counts(A, steps), negative, context_exponent=1.0)
    assert 100 < np.count_nonzero(wanted) < wanted.size / 2
    np.testing.assert_allclose(found.toarray(), wanted, rtol=0, atol=1e-6)


# --- memory ---------------------------------------------------------------------------


def ring(n_nodes):
    """A graph whose paths are known: each node has one edge, to the next node."""
    nodes = np.arange(n_nodes)
    return sparse.csr_array((np.ones(n_nodes), (nodes, (nodes + 1) % n_nodes)))


@pytest.mark.parametrize(("steps", "fits"), [(2, True), (50, False)])
def test_memory_is_checked_before(steps, fits, monkeypatch):
    A = ring(50_000)
    room = 12 * 50_000 * 40
    monkeypatch.setattr("skembed._utils.memory.available", lambda: room)
    if fits:
        assert k_step_counts(A, steps).nnz == 100_000
        return
    monkeypatch.setattr(_steps, "consume_blocks", None)
    message = (
        r"up to 50 steps between 50000 nodes connect about 2.5e\+06 pairs of nodes "
        r"\(0% of all\), which need 28.6 MiB of memory, and 22.9 MiB are available. "
        "Use fewer steps, or sample paths with random_walks"
    )
    with pytest.raises(MemoryError, match=message):
        k_step_counts(A, steps)


@pytest.mark.parametrize(("steps", "fits"), [(2, True), (3, False)])
def test_many_paths_between_few_nodes(steps, fits, monkeypatch):
    """The number of entries is estimated where the number of paths is too large."""
    n_groups, size = 20, 50
    # Groups of nodes, each with edges to each node of the next group.
    A = sparse.kron(ring(n_groups), np.ones((size, size)), format="csr")
    paths = n_groups * size * (size + size**2)
    n_entries = n_groups * 2 * size**2
    assert min(paths, (n_groups * size) ** 2) > 2 * n_entries
    monkeypatch.setattr("skembed._utils.memory._SMALL", 0)
    monkeypatch.setattr("skembed._utils.memory.available", lambda: 12 * n_entries)
    if fits:
        assert k_step_counts(A, steps).nnz == n_entries
        return
    with pytest.raises(MemoryError, match=r"1.5e\+05 pairs of nodes \(15% of all\)"):
        k_step_counts(A, steps)


# --- what is refused ------------------------------------------------------------------


class Graph:
    nodes = edges = adjacency = ()


# A column that the matrix does not have.
OUTSIDE = sparse.csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))
OUTSIDE.indices[0] = 5


@pytest.mark.small
@pytest.mark.parametrize(
    ("A", "error", "message"),
    [
        ([[0, 1], [-2, 0]], ValueError, "row 1, column 0 of A is -2.0.*not negative"),
        (np.ma.masked_equal([[0, 2], [1, 0]], 2), ValueError, "A is a masked array"),
        ([[0, np.nan], [1, 0]], ValueError, "row 0, column 1 of A is missing"),
        ([[0, np.inf], [1, 0]], ValueError, "row 0, column 1 of A is inf.*finite"),
        (np.ones((2, 3)), ValueError, r"shape \(2, 3\).*square"),
        (np.zeros((3, 3)), ValueError, "no edges"),
        (np.empty((0, 0)), ValueError, "0 sample"),
        ([1, 2], ValueError, "2D array"),
        ([["a", "b"], ["c", "d"]], ValueError, "could not convert string to float"),
        (np.full((2, 2), 8e307), ValueError, "row 0 of A.*too large for float64"),
        (np.full((2, 2), 1e308), ValueError, "from 0 to 0 in A add up.*too large"),
        (OUTSIDE, ValueError, "A is a damaged sparse matrix"),
        (Graph(), TypeError, "networkx.to_scipy_sparse_array"),
    ],
)
def test_wrong_graphs(A, error, message):
    with pytest.raises(error, match=message):
        k_step_counts(A, 2)


@pytest.mark.small
@pytest.mark.parametrize(
    ("steps", "weighting", "message"),
    [
        (0, "uniform", "'steps'.*Got 0"),
        (1.5, "uniform", "'steps'.*Got 1.5"),
        (2, "flat", "'weighting'.*Got 'flat'"),
        (2, [1.0], r"shape \(1,\).*steps=2"),
        (2, [1.0, -1.0], "not negative"),
        (2, [0.0, 0.0], "one that is positive"),
        (2, [1.0, np.nan], "weighting contains NaN"),
    ],
)
def test_wrong_steps(steps, weighting, message):
    with pytest.raises(ValueError, match=message):
        k_step_counts(np.ones((2, 2)), steps, weighting)


@pytest.mark.small
def test_no_warnings_and_no_nan_of_extreme_weights():
    A = np.array([[0, 1e-320, 1e300], [1e-320, 0, 0], [1e150, 1e-150, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts = k_step_counts(A, 3)
    assert np.isfinite(counts.data).all()
    assert (counts.data > 0).all()
