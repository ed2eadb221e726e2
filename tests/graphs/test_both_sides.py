"""Windows on both sides of a walk erase the direction of edges; one side keeps it."""

import numpy as np
import pytest
from scipy import sparse

from skembed import PPMISVDEmbedder, cooccurrence
from skembed.graphs import EdgeKFold, GraphEmbedder, random_walks

N_NODES = 120


def layered(seed=0):
    """Return edges from each of six layers of nodes to the next, in a circle.

    The degrees of a node tell nothing about direction: those out and in have the same
    distribution.
    """
    rng = np.random.default_rng(seed)
    edges = rng.integers(N_NODES, size=(6000, 2))
    return np.unique(edges[(edges[:, 1] - edges[:, 0]) % 6 == 1], axis=0)


def scores(side, share_context):
    """Return scores of held-out links and of their reverse, from counts of walks."""
    edges = layered()
    train, test = next(EdgeKFold(4, random_state=0).split(edges))
    ends = tuple(edges[train].T)
    adjacency = sparse.csr_array((np.ones(len(train)), ends), shape=(N_NODES, N_NODES))
    walks = random_walks(adjacency, n_walks=20, length=10, random_state=0)
    counts, rows = cooccurrence(
        walks, input="token_ids", window=2, direction=side, min_count=1
    )
    embedder = PPMISVDEmbedder(
        8, share_context=share_context, context_exponent=1, random_state=0
    )
    nodes = sorted(rows, key=rows.get)
    model = GraphEmbedder(embedder, nodes=nodes, self_loops=True).fit(counts)
    sources, targets = edges[test].T
    return model.score_links(sources, targets), model.score_links(targets, sources)


@pytest.mark.parametrize("share_context", [False, "bilinear"])
def test_one_side_keeps_direction(share_context):
    forward, backward = scores("right", share_context)
    assert len(forward) > 100
    assert np.mean(forward > backward) > 0.9
    forward, backward = scores("left", share_context)
    assert np.mean(forward < backward) > 0.9


@pytest.mark.parametrize("share_context", [False, "bilinear"])
def test_both_sides_erase_direction(share_context):
    forward, backward = scores("both", share_context)
    # What is left is rounding.
    np.testing.assert_allclose(forward, backward, atol=1e-5 * np.abs(forward).max())
    told = np.mean((forward > backward) + 0.5 * (forward == backward))
    assert 0.4 < told < 0.6


@pytest.mark.parametrize("side", ["both", "right"])
def test_one_table_tells_no_direction(side):
    forward, backward = scores(side, share_context=True)
    np.testing.assert_array_equal(forward, backward)
