#!/usr/bin/env bash
# pycleora 3.2.1: `embed_weighted` gives the same vectors for all weights of edges.
#
# One expects that nodes joined by a heavy edge are closer than those joined by a light one: the
# package promises weighted graph embeddings, with edge weights in the propagation step. The
# function turns the weights into one factor for each node, the largest weight of its edges (1
# at least), multiplies the node's row of the transition matrix by it, and then divides each
# row by its sum, so that the factor cancels. A weight of 1,000,000 counts as much as one of
# 0.001 or of 0. No warning is given.
#
# Seen: a tree of seven nodes with the edges ab and bc, largest difference of any number from
#   the vectors for equal weights: weights of ab and bc 1000 and 1: 0, 1 and 1000: 0,
#   1,000,000 and 0: 0; without the edge bc: 0.38
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "pycleora==3.2.1" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from pycleora import embed_weighted

EDGES = ["a b", "b c", "a d", "d e", "c f", "f g"]


def vectors(weights):
    pairs = list(zip(EDGES, weights, strict=True))
    graph, found = embed_weighted(
        [pair for pair in pairs if pair[1] is not None],
        "complex::reflexive::node",
        feature_dim=16,
        num_iterations=3,
        whiten=False,
    )
    return found[np.argsort(graph.entity_ids)]


print("pycleora", version("pycleora"))
equal = vectors([1.0] * 6)
for weights in ([1000.0, 1, 1, 1, 1, 1], [1, 1000.0, 1, 1, 1, 1], [1e6, 0, 0.001, 3, 1, 7]):
    difference = np.abs(vectors(weights) - equal).max()
    print(f"weights {weights}: difference {difference:.1e}")
    assert difference < 1e-4, "weights have an effect now"
difference = np.abs(vectors([1.0, None, 1, 1, 1, 1]) - equal).max()
print(f"without the edge between b and c: difference {difference:.2f}")
assert difference > 0.1
PY
