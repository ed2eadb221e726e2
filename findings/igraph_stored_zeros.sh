#!/usr/bin/env bash
# igraph 1.0.0: stored zeros of a sparse matrix become edges of weight 0, although only edges
# "with a non-zero weight" are promised.
#
# One expects the graph of the same matrix as an array: the docstring of
# `Graph.Weighted_Adjacency` says that only edges with a non-zero weight are created. From a
# sparse matrix, every stored entry becomes an edge. `C.setdiag(0)`, the usual way to drop the
# counts of a word with itself, stores such zeros, and so does setting small counts to 0. The
# nodes then have self loops and neighbours that they should not have. Whatever ignores weights
# (degrees, components, walks without `weights`) sees them as ordinary edges.
# `C.eliminate_zeros()` avoids it.
#
# Seen: counts of a, b, c with the pairs ab and bc, after C.setdiag(0):
#   array: 2 edges, degrees 1, 2, 1; sparse: 5 edges, degrees 3, 4, 3
#   the only count that joins two parts, set to 0: array: 2 components; sparse: 1
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "igraph==1.0.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import igraph
import numpy as np
from scipy.sparse import csr_matrix


def graph(matrix):
    return igraph.Graph.Weighted_Adjacency(matrix, mode="undirected")


print("igraph", igraph.__version__)
counts = csr_matrix(np.array([[4.0, 2, 0], [2, 5, 3], [0, 3, 6]]))
counts.setdiag(0)
dense, sparse = graph(counts.toarray()), graph(counts)
print("array:", dense.ecount(), dense.degree(), "sparse:", sparse.ecount(), sparse.degree())
assert "non-zero weight are created" in igraph.Graph.Weighted_Adjacency.__doc__
assert dense.ecount() == 2 and dense.degree() == [1, 2, 1]
assert sparse.ecount() == 5 and sparse.degree() == [3, 4, 3], "zeros are no edges now"

path = csr_matrix(np.array([[0, 9.0, 0, 0], [9, 0, 1, 0], [0, 1, 0, 8], [0, 0, 8, 0]]))
path.data[path.data < 2] = 0
parts = [len(graph(matrix).connected_components()) for matrix in (path.toarray(), path)]
print("components: array", parts[0], "sparse", parts[1])
assert parts == [2, 1]
PY
