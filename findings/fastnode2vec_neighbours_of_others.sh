#!/usr/bin/env bash
# fastnode2vec 0.0.7: an edge between two other nodes changes which way a walk goes, if `q`
# is not 1.
#
# One expects node2vec's probabilities: from t to v and on to a node other than t, the edge
# to a neighbour of t has weight 1, and the edge to any other node has 1/q. The walk looks a
# node up among the sorted neighbours of t with a binary search. If its number is larger
# than those of all neighbours of t, the entry that is compared is the first neighbour of
# the node stored after t. If they are equal, the node counts as a neighbour of t. So what
# walks learn depends on the order of the edges, from which nodes get their numbers.
#
# The graph is the path t - v, v - x, v - y and one more edge, u - x. The walk starts at
# t, and p=1, q=10. Right are 10/12 for t (0.833), and 1/12 each for x and y (0.083).
# Seen, as shares of 20000 walks after t, v:
#   u - x as last edge:   t: 0.836, x: 0.081, y: 0.083
#   u - x as second edge: t: 0.476, x: 0.476, y: 0.047
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "fastnode2vec==0.0.7" "numba==0.68.1" "gensim==4.4.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from fastnode2vec import Graph
from numba import njit

N_WALKS = 20_000


@njit
def set_seed(seed):
    np.random.seed(seed)


def shares(edges):
    """Return how often walks go from t over v to each node."""
    graph = Graph(edges, directed=False, weighted=False, verbose=False)
    start = graph.node_names.tolist().index("t")
    set_seed(0)
    ends = [graph.generate_random_walk(3, 1.0, 10.0, start)[2] for _ in range(N_WALKS)]
    return {node: ends.count(node) / N_WALKS for node in "txy"}


print("fastnode2vec", version("fastnode2vec"))
seen = {
    "last": shares([("v", "t"), ("v", "x"), ("v", "y"), ("u", "x")]),
    "second": shares([("v", "t"), ("u", "x"), ("v", "x"), ("v", "y")]),
}
for place, found in seen.items():
    listed = ", ".join(f"{node}: {share:.3f}" for node, share in found.items())
    print(f"u - x as {place} edge: {listed}")
assert abs(seen["last"]["x"] - 1 / 12) < 0.01
assert seen["second"]["x"] > 0.4, "x is no longer taken for a neighbour of t"
PY
