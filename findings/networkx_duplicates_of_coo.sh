#!/usr/bin/env bash
# networkx 3.6.1 with SciPy 1.17.1: entries of a COO matrix at the same place are not added
# up, so that counts of pairs become graphs whose weights are those of the last entries.
#
# One expects the weight of an edge to be the entry of the matrix, as the documentation of
# `from_scipy_sparse_array` says. SciPy's COO format may hold several entries for one place,
# and its documentation calls their sum the entry: it is how matrices of counts are put
# together from pairs. All that SciPy computes takes the sum. networkx reads the entries one
# after the other, and each takes the place of the one before, without a warning. As CSR or
# CSC, the same matrix gives the right weights. `bipartite.from_biadjacency_matrix` does the same.
#
# Seen: a and b occur together three times, a and c once; entry (a, b) of the matrix: 3
#   weights of ab and ac, from COO: [1, 1], from CSR: [3, 1], bipartite, COO: [1, 1]
#   PageRank of b and c from COO: 0.257, 0.257; from CSR: 0.360, 0.153
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "networkx==3.6.1" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import networkx as nx
import numpy as np
import scipy
from networkx.algorithms import bipartite
from scipy import sparse

PAIRS = np.array([[0, 1], [0, 1], [0, 2], [0, 1]])
rows, columns = np.concatenate([PAIRS, PAIRS[:, ::-1]]).T
counts = sparse.coo_array((np.ones(rows.size), (rows, columns)), shape=(3, 3))


def of(graph, names):
    return [int(graph[0][i]["weight"]) for i in names]


print("networkx", nx.__version__, "scipy", scipy.__version__)
print("entry (a, b):", int(counts.toarray()[0, 1]))
coo = nx.from_scipy_sparse_array(counts)
csr = nx.from_scipy_sparse_array(counts.tocsr())
two_sides = bipartite.from_biadjacency_matrix(counts)
seen = of(coo, (1, 2)), of(csr, (1, 2)), of(two_sides, (4, 5))
print("weights of ab and ac, from COO: {}, from CSR: {}, bipartite, COO: {}".format(*seen))
ranks = [nx.pagerank(graph) for graph in (coo, csr)]
for name, rank in zip(("COO", "CSR"), ranks):
    print(f"PageRank of b and c from {name}: {rank[1]:.3f}, {rank[2]:.3f}")
assert counts.toarray()[0].tolist() == [0, 3, 1] and counts.sum() == 8
assert seen[1] == [3, 1]
assert seen[0] == [1, 1], "duplicates are added up now"
assert seen[2] == [1, 1], "duplicates are added up now"
PY
