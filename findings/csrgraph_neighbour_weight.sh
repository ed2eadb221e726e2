#!/usr/bin/env bash
# csrgraph 0.1.28: `neighbor_weight` of node2vec walks works the other way round than its
# documentation says: high values keep walks local, low values send them outward.
#
# The docstring calls the weight "equal to the inverse of q in the Node2Vec paper": very high
# makes the search more outward, very low makes it very local. In the paper, a step to a node
# that is no neighbour of the last node has weight 1/q, and one to a common neighbour has 1.
# csrgraph multiplies the common neighbours by the weight and leaves the others at 1, so the
# weight acts as q does. `nodevectors.Node2Vec` hands its parameter to this function, with the
# same documentation. Who sets 1/q gets the walks for 1/q in place of q, without a warning.
# The walks for q come from `neighbor_weight=q` with `return_weight=q/p`.
#
# The graph has the edges tv, tx, vx and vy. A walk has come from t to v, and p=1, q=0.1.
# Right are 1/12 for t (0.083), 1/12 for x (0.083) and 10/12 for y (0.833).
# Seen, as shares of about 20000 walks (0.01 more or less, as they have no seed):
#   neighbor_weight=10, return_weight=1:    t 0.08, x 0.84, y 0.08
#   neighbor_weight=0.1, return_weight=0.1: t 0.08, x 0.08, y 0.84
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "csrgraph==0.1.28" "numba==0.68.1" "numpy==1.26.4" "scipy==1.12.0"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import csrgraph
import numpy as np
from scipy.sparse import csr_matrix

ADJACENCY = np.array([[0, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 0]], float)


def shares(return_weight, neighbor_weight):
    """Return how often t, x and y come next in walks that began with t and v."""
    graph = csrgraph.csrgraph(csr_matrix(ADJACENCY), threads=1)
    walks = graph.random_walks(
        walklen=3, epochs=40000, start_nodes=[0],
        return_weight=return_weight, neighbor_weight=neighbor_weight,
    )
    third = walks[walks[:, 1] == 1, 2]
    assert len(third) > 15000
    return np.bincount(third, minlength=4)[[0, 2, 3]] / len(third)


print("csrgraph", version("csrgraph"))
words = " ".join(csrgraph.csrgraph.random_walks.__doc__.split())
assert "very high makes search more outward" in words
assert "Equal to the inverse of q in the Node2Vec paper" in words
documented, other = shares(1.0, 10.0), shares(0.1, 0.1)
print("neighbor_weight=10, return_weight=1:   ", documented.round(2))
print("neighbor_weight=0.1, return_weight=0.1:", other.round(2))
assert np.abs(documented - np.array([1, 10, 1]) / 12).max() < 0.02, documented
assert np.abs(other - np.array([1, 1, 10]) / 12).max() < 0.02, other
PY
