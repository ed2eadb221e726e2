"""Tables for drawing edges: each edge has the share of its weight."""

import numpy as np
import pytest
from scipy import sparse

from skembed.graphs import _walks


def shares_of(graph):
    """The probability of each edge, of its node's edges, by the tables."""
    sizes = np.diff(graph.indptr)
    rows = np.repeat(np.arange(sizes.size), sizes)
    kept = (graph.thresholds + 0.5) / 2.0**32
    shape = (sizes.size, graph.indices.max() + 1)
    shares = np.zeros(shape)
    np.add.at(shares, (rows, graph.indices), kept / sizes[rows])
    np.add.at(shares, (rows, graph.alias), (1 - kept) / sizes[rows])
    return shares


@pytest.mark.small
@pytest.mark.parametrize(
    "weigh",
    [
        lambda rng, n: rng.random(n) + 1e-3,
        lambda rng, n: rng.integers(1, 4, n),
        lambda rng, n: np.exp(10 * rng.normal(size=n)),
        lambda rng, n: 10.0 ** rng.integers(-300, 300, n),
    ],
    ids=["similar", "whole", "uneven", "extreme"],
)
def test_tables_hold_the_shares_of_weights(weigh):
    rng = np.random.default_rng(0)
    A = sparse.random_array((30, 30), density=0.4, random_state=rng, format="csr")
    A.data = weigh(rng, A.nnz).astype(float)
    graph = _walks._graph(A)
    assert graph.thresholds.size == A.nnz
    dense = A.toarray()
    dense /= dense.max(axis=1, keepdims=True)
    wanted = dense / dense.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares_of(graph), wanted, rtol=0, atol=2.0**-31)


@pytest.mark.small
def test_no_tables_where_all_edges_of_a_node_weigh_the_same():
    A = sparse.csr_array([[0, 2.0, 2.0], [0.1, 0, 0.1], [0, 0, 0]])
    graph = _walks._graph(A)
    assert not graph.thresholds.size + graph.alias.size + graph.weights.size
    np.testing.assert_array_equal(graph.indptr, [0, 2, 4, 4])
    np.testing.assert_array_equal(graph.indices, [1, 2, 0, 2])
