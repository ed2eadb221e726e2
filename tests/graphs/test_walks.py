"""Random walks: their edges, their probabilities and their bits; what is refused."""

from hashlib import sha256

import numba
import numpy as np
import pytest
from scipy import sparse, stats

from skembed import cooccurrence
from skembed.graphs import _walks, k_step_counts, random_walks
from tests.graphs.test_steps import OUTSIDE, Graph, dense_sum, random_graph
from tests.helpers import PACKAGE, run_python

needs_compiler = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="too many steps without the compiler"
)
# Of p and q: none, usual ones, and such that nearly all proposals are rejected.
BIASES = [(1, 1), (0.25, 4), (4, 0.25), (2, 1), (1, 1e6), (1e-4, 1), (1e6, 1e6)]


def weighted_graph(seed=0):
    """A directed graph of 8 nodes without dead ends, with loops and both-way edges."""
    rng = np.random.default_rng(seed)
    A = rng.integers(1, 9, (8, 8)) * (rng.random((8, 8)) < 0.45)
    A[np.arange(8), (np.arange(8) + 1) % 8] = 3
    return A.astype(float)


def unweighted_graph():
    """The same, symmetric."""
    A = weighted_graph(1)
    return ((A + A.T) > 0).astype(float)


def second_order(A, p, q, near=None):
    """Probabilities of (previous, node, next): Grover & Leskovec (2016), 3.2.2."""
    n_nodes, near = len(A), A if near is None else near
    wanted = np.zeros((n_nodes,) * 3)
    for previous, node in zip(*np.nonzero(A), strict=True):
        for target in range(n_nodes):
            factor = 1.0 if near[previous, target] else 1.0 / q
            if target == previous:
                factor = 1.0 / p
            wanted[previous, node, target] = A[node, target] * factor
    totals = wanted.sum(axis=2, keepdims=True)
    return np.divide(wanted, totals, out=wanted, where=totals > 0)


def p_value(observed, probabilities):
    """Of the chi-square test of several multinomial distributions, one in each row."""
    expected = observed.sum(axis=1, keepdims=True) * probabilities
    assert not observed[expected == 0].any()
    # Cells with few expected counts are put together.
    few = (expected > 0) & (expected < 8)
    observed = np.append(observed[expected >= 8], observed[few].sum())
    kept = np.append(expected[expected >= 8], expected[few].sum())
    kept, observed = kept[kept > 0], observed[kept > 0]
    n_rows = (expected.sum(axis=1) > 0).sum()
    assert len(kept) > n_rows
    statistic = ((observed - kept) ** 2 / kept).sum()
    return stats.chi2.sf(statistic, len(kept) - n_rows)


# --- edges and ends -------------------------------------------------------------------


@pytest.mark.small
@pytest.mark.parametrize(("p", "q"), BIASES)
def test_only_edges_are_walked(p, q):
    """And a walk ends at a node without edges, and nowhere else."""
    A = random_graph()
    walks = random_walks(A, 2, 9, p=p, q=q, random_state=0)
    assert walks.dtype == np.int32
    assert walks.shape == (80, 9)
    assert walks.flags.c_contiguous
    before, after = walks[:, :-1].ravel(), walks[:, 1:].ravel()
    walked = after >= 0
    assert (A[before[walked], after[walked]] > 0).all()
    has_edges = np.append(A.any(axis=1), False)  # the last one is that of -1
    np.testing.assert_array_equal(walked, has_edges[before])
    assert 0 < (~walked).sum() < walked.sum()


@pytest.mark.small
def test_each_pass_starts_at_all_nodes_in_another_order():
    starts = random_walks(random_graph(), 3, 2, random_state=0)[:, 0].reshape(3, -1)
    np.testing.assert_array_equal(np.sort(starts), np.tile(np.arange(40), (3, 1)))
    assert len(np.unique(starts, axis=0)) == 3


@pytest.mark.small
def test_dead_ends_and_isolated_nodes():
    walks = random_walks([[0, 1, 0, 0]] + [[0, 0, 2, 0]] + [[0] * 4] * 2, 2, 4)
    ends = {0: [0, 1, 2, -1], 1: [1, 2, -1, -1], 2: [2, -1, -1, -1]}
    for walk in walks.tolist():
        assert walk == ends.get(walk[0], [3, -1, -1, -1])


@pytest.mark.small
def test_the_shortest_walks():
    for length in (1, 2, 3):
        walks = random_walks(unweighted_graph(), 1, length, p=2)
        assert walks.shape == (8, length)
        assert (walks >= 0).all()


# --- probabilities --------------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("graph", [weighted_graph, unweighted_graph])
def test_first_order(graph):
    A = graph()
    walks = random_walks(A, 2_000, 21, random_state=0)
    observed = np.zeros(A.shape)
    np.add.at(observed, (walks[:, :-1], walks[:, 1:]), 1)
    P = A / A.sum(axis=1, keepdims=True)
    assert p_value(observed, P) > 1e-3


@needs_compiler
@pytest.mark.parametrize("graph", [weighted_graph, unweighted_graph])
@pytest.mark.parametrize(("p", "q"), BIASES)
def test_second_order(graph, p, q):
    """Against the definition; "neighbours" are what the previous node has edges to."""
    A = graph()
    walks = random_walks(A, 2_000, 21, p=p, q=q, random_state=0)
    observed = np.zeros((8, 8, 8))
    np.add.at(observed, (walks[:, :-2], walks[:, 1:-1], walks[:, 2:]), 1)
    observed = observed.reshape(64, 8)
    assert p_value(observed, second_order(A, p, q).reshape(64, 8)) > 1e-3
    # The first step has no previous node.
    first = np.zeros(A.shape)
    np.add.at(first, (walks[:, 0], walks[:, 1]), 1)
    assert p_value(first, A / A.sum(axis=1, keepdims=True)) > 1e-3


@needs_compiler
def test_the_tests_of_probabilities_can_fail():
    """They see a difference of a tenth, other neighbours and missing weights."""
    A = weighted_graph()
    walks = random_walks(A, 2_000, 21, p=2, q=0.5, random_state=0)
    observed = np.zeros((8, 8, 8))
    np.add.at(observed, (walks[:, :-2], walks[:, 1:-1], walks[:, 2:]), 1)
    for other in (
        second_order(A, 1.8, 0.5),
        second_order(A, 2, 0.45),
        second_order(A, 0.5, 2),
        second_order(A, 2, 0.5, near=A.T),
        second_order(A > 0, 2, 0.5),
    ):
        assert p_value(observed.reshape(64, 8), other.reshape(64, 8)) < 1e-6


@needs_compiler
def test_extreme_weights():
    """No weight is lost or infinite, however far the rows are apart."""
    A = np.array([[0, 1e300, 3e300], [1e-300, 0, 3e-300], [1.0, 1e-20, 0]])
    walks = random_walks(A, 3_000, 11, random_state=0)
    observed = np.zeros(A.shape)
    np.add.at(observed, (walks[:, :-1], walks[:, 1:]), 1)
    P = np.array([[0, 0.25, 0.75], [0.25, 0, 0.75], [1, 0, 0]])
    assert p_value(observed, P) > 1e-3


@needs_compiler
def test_walks_agree_with_their_expected_counts():
    """Pairs (start, node after k steps) of 100,000 walks, as in `k_step_counts`."""
    A, steps = random_graph(), 3
    n_walks = 100_000 // len(A)
    walks = random_walks(A, n_walks, 1 + steps, random_state=0)
    totals = A.sum(axis=1)
    z = []
    for k in range(1, 1 + steps):
        weighting = np.eye(steps)[k - 1]
        wanted = k_step_counts(A, steps, weighting).toarray()
        there = walks[:, k] >= 0
        counts = np.zeros(A.shape)
        np.add.at(counts, (walks[there, 0], walks[there, k]), 1)
        shares = wanted / np.where(totals > 0, totals, 1)[:, None]
        assert not counts[shares == 0].any()
        deviation = np.sqrt(n_walks * shares * (1 - shares))
        often = n_walks * shares * (1 - shares) > 5
        z.append(((counts - n_walks * shares)[often] / deviation[often]).ravel())
    z = np.concatenate(z)
    assert z.size > 500
    assert np.abs(z).max() < 4.5
    assert 0.9 < z.std() < 1.1


@needs_compiler
def test_counted_windows_agree_with_expected_counts():
    """Right-sided windows of walks in an undirected graph, visited by its degrees."""
    A = sparse.csr_array(unweighted_graph())
    degrees = A.sum(axis=1)
    batches = []
    for seed in range(20):
        walks = random_walks(A, 200, 8, random_state=seed)
        counts, _ = cooccurrence(
            walks,
            input="token_ids",
            window=3,
            window_weighting="flat",
            direction="right",
            vocabulary=range(8),
            sample_weight=degrees[walks[:, 0]],
        )
        # Each walk has 7 pairs at distance 1, 6 at distance 2, and 5 at distance 3.
        batches.append(counts.toarray() / (200 * 7))
    wanted = dense_sum(A.toarray(), np.array([7, 6, 5]) / 7)
    np.testing.assert_allclose(
        k_step_counts(A, 3, [1, 6 / 7, 5 / 7]).toarray(), wanted, rtol=1e-12
    )
    error = np.std(batches, axis=0, ddof=1) / np.sqrt(len(batches))
    z = (np.mean(batches, axis=0) - wanted)[error > 0] / error[error > 0]
    assert np.abs(z).max() < 4.5


# --- bits -----------------------------------------------------------------------------


@pytest.mark.small
@pytest.mark.parametrize(("p", "q"), BIASES[:3])
def test_random_state_and_prefixes(p, q):
    """More and longer walks begin as fewer and shorter ones do."""
    A = random_graph()
    walks = random_walks(A, 2, 9, p=p, q=q, random_state=3)
    again = random_walks(A, 2, 9, p=p, q=q, random_state=3)
    np.testing.assert_array_equal(walks, again)
    more = random_walks(A, 4, 14, p=p, q=q, random_state=3)
    np.testing.assert_array_equal(walks, more[:80, :9])
    assert (walks != random_walks(A, 2, 9, p=p, q=q, random_state=4)).any()
    assert (more[:40] != more[40:80]).any()


@pytest.mark.small
@pytest.mark.parametrize(("p", "q"), BIASES[:3])
@pytest.mark.parametrize("graph", [weighted_graph, unweighted_graph])
def test_bits_do_not_depend_on_threads_and_tasks(graph, p, q, monkeypatch):
    given = {"p": p, "q": q, "random_state": 0}
    wanted = random_walks(graph(), 5, 20, **given)
    monkeypatch.setattr(_walks, "_TASK_STEPS", 100)
    for n_jobs in (1, 2, 3):
        walks = random_walks(graph(), 5, 20, **given, n_jobs=n_jobs)
        np.testing.assert_array_equal(walks, wanted)


def digest():
    """Return a hash of walks of all kinds."""
    found = sha256()
    for graph in (random_graph, weighted_graph, unweighted_graph):
        for p, q in BIASES[:5]:
            found.update(random_walks(graph(), 1, 8, p=p, q=q, random_state=0))
    return found.hexdigest()


DIGEST = """
import json
from tests.graphs import test_walks

print(json.dumps(test_walks.digest()))
"""


@needs_compiler
def test_the_same_bits_without_the_compiler():
    assert run_python(DIGEST, PACKAGE.parent, NUMBA_DISABLE_JIT="1") == digest()


@pytest.mark.small
def test_the_unit_of_weights_does_not_matter():
    A = unweighted_graph()
    walks = random_walks(A, 3, 9, p=2, random_state=0)
    scales = np.arange(1.0, 9.0)[:, None]
    same = random_walks(A * scales, 3, 9, p=2, random_state=0)
    np.testing.assert_array_equal(walks, same)


@pytest.mark.small
def test_the_graph_stays_as_it_was():
    A = sparse.csr_array(weighted_graph())
    before = A.copy()
    random_walks(A, 2, 5, random_state=0)
    assert (before != A).nnz == 0


# --- interrupts and memory ------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_ends_long_walks(n_jobs, monkeypatch):
    """Signals are checked between tasks, also within the walks of one task."""
    from skembed._kernels import walks as kernels

    calls = []

    def walk(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(_walks, "_TASK_STEPS", 160)
    monkeypatch.setattr(kernels, "walk", walk)
    with pytest.raises(KeyboardInterrupt):
        random_walks(unweighted_graph(), 2, 1_000, n_jobs=n_jobs)
    assert len(calls) < 6


@pytest.mark.small
def test_too_many_walks():
    message = (
        "1000000000000 walks of 80 nodes from each of 8 nodes need 2.33 PiB of "
        "memory, and .* are available. Lower n_walks or length"
    )
    with pytest.raises(MemoryError, match=message):
        random_walks(unweighted_graph(), 10**12, 80)


# --- what is refused ------------------------------------------------------------------


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
        (OUTSIDE, ValueError, "A is a damaged sparse matrix"),
        (np.empty((0, 0)), ValueError, "0 sample"),
        (Graph(), TypeError, "networkx.to_scipy_sparse_array"),
    ],
)
def test_wrong_graphs(A, error, message):
    with pytest.raises(error, match=message):
        random_walks(A, 1, 2)


@pytest.mark.small
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_walks", 0),
        ("n_walks", 1.0),
        ("length", 0),
        ("p", 0),
        ("p", -1.0),
        ("p", np.nan),
        ("p", np.inf),
        ("q", 0.0),
        ("q", 1e-7),
        ("random_state", "x"),
        ("n_jobs", 0),
    ],
)
def test_wrong_parameters(name, value):
    given = {"n_walks": 1, "length": 2, name: value}
    with pytest.raises(ValueError, match=f"'{name}' parameter.*Got {value!r}"):
        random_walks(np.ones((2, 2)), **given)
