#!/usr/bin/env bash
# node2vec 0.5.0: an edge of weight 0 is walked as if its weight were 1, except in the first
# step of a walk.
#
# One expects that walks never take such an edge. The first step does not. The weights of
# later steps are looked up in another way: a weight that is false counts as missing, and a
# missing weight is 1. So such an edge is even likelier than one of weight 0.5, and edges
# that were switched off by their weight are used in most steps.
#
# The edges are s -> m (1), m -> a (3), m -> b (0) and m -> c (1).
# Seen: of 4000 walks that start at m, 0 go on to b;
#   of 4000 walks s, m, 813 go on to b (probability 0.2)
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "node2vec==0.5.0" "networkx==3.4.2" "gensim==4.3.3" "numpy==1.26.4" "scipy==1.13.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import networkx as nx
from node2vec import Node2Vec

graph = nx.DiGraph()
graph.add_weighted_edges_from(
    [("s", "m", 1.0), ("m", "a", 3.0), ("m", "b", 0.0), ("m", "c", 1.0)]
)
walks = Node2Vec(graph, walk_length=3, num_walks=4000, quiet=True, seed=0).walks
from_m = [walk for walk in walks if walk[0] == "m"]
from_s = [walk for walk in walks if walk[0] == "s"]
first = sum(walk[1] == "b" for walk in from_m)
later = sum(walk[2] == "b" for walk in from_s)
print("node2vec", version("node2vec"))
print(f"of {len(from_m)} walks that start at m, {first} go on to b")
print(f"of {len(from_s)} walks s, m, {later} go on to b")
assert first == 0
assert abs(later / len(from_s) - 0.2) < 0.05, "b is no longer reached as with weight 1"
PY
