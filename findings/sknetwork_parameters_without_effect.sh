#!/usr/bin/env bash
# scikit-network 0.33.5: `normalized` of PCA, and `tol` and `n_iter` of LanczosSVD, are
# documented and change nothing.
#
# PCA(normalized=True) promises vectors of norm 1, which SVD and GSVD return. It returns the
# same vectors as with False, so products of its rows are not cosines. LanczosSVD, the
# default solver of SVD, GSVD and PCA, says that `tol` is the accuracy and `n_iter` the
# largest number of iterations. It passes neither on, so nothing makes it faster on large
# graphs. LanczosEig passes both on.
#
# Seen: norms of rows with normalized=True: SVD 1.000 to 1.000, PCA 0.065 to 0.742
#   singular values with tol=0.5 and n_iter=1 are those of the defaults, bit for bit;
#   scipy's svds with maxiter=1: ArpackNoConvergence
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "scikit-network==0.33.5" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, svds
from sknetwork.data import karate_club
from sknetwork.embedding import PCA, SVD
from sknetwork.linalg import LanczosSVD


def norms(kind):
    vectors = kind(3, normalized=True).fit_transform(karate_club())
    return np.linalg.norm(vectors, axis=1)


def singular_values(**params):
    solver = LanczosSVD(**params)
    return solver.fit(matrix, 5, init_vector=np.ones(400)).singular_values_


print("scikit-network", version("scikit-network"))
found = {kind.__name__: norms(kind) for kind in (SVD, PCA)}
for name, lengths in found.items():
    print(f"normalized=True, {name}: norms {lengths.min():.3f} to {lengths.max():.3f}")
assert np.allclose(found["SVD"], 1)
assert not np.allclose(found["PCA"], 1), "PCA now normalizes"

matrix = sparse.random(400, 400, 0.05, format="csr", random_state=0)
default, coarse = singular_values(), singular_values(tol=0.5, n_iter=1)
print("default:           ", default)
print("tol=0.5, n_iter=1: ", coarse)
assert (default == coarse).all(), "LanczosSVD now uses its parameters"
try:
    svds(matrix, 5, v0=np.ones(400), maxiter=1)
except ArpackNoConvergence:
    print("svds(maxiter=1):    ArpackNoConvergence")
else:
    raise AssertionError("one iteration was enough")
PY
