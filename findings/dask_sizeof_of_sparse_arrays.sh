#!/usr/bin/env bash
# dask 2026.8.0 with SciPy 1.17.1: a sparse array counts as 56 bytes, whatever it holds.
#
# Dask's workers decide by the size of results when to write them to disk and when to pause,
# and its scheduler where to run what needs them. The size of `csr_matrix` is that of its
# arrays. `csr_array`, which SciPy recommends for new code, is taken for an empty Python
# object, so that a worker does not see that such results fill its memory.
#
# Seen: csr_matrix: 12 MB of arrays, Dask counts 12 MB
#   csr_array: 12 MB of arrays, Dask counts 56 bytes
#   coo_array: 16 MB of arrays, Dask counts 56 bytes
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "dask==2026.8.0" "scipy==1.17.1" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
import dask
import numpy as np
from dask.sizeof import sizeof
from scipy import sparse


def told(n_bytes):
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes > 1e6 else f"{n_bytes} bytes"


ones = sparse.csr_matrix(np.ones((1000, 1000)))
print("dask", dask.__version__)
seen = {}
for kind in (sparse.csr_matrix, sparse.csr_array, sparse.coo_array):
    matrix = kind(ones)
    arrays = [a for a in vars(matrix).values() if isinstance(a, np.ndarray)]
    if isinstance(matrix, sparse.coo_array):
        arrays += matrix.coords
    held = told(sum(a.nbytes for a in arrays))
    seen[kind.__name__] = f"{held} of arrays, Dask counts {told(sizeof(matrix))}"
    print(f"{kind.__name__}: {seen[kind.__name__]}")
assert seen == {
    "csr_matrix": "12 MB of arrays, Dask counts 12 MB",
    "csr_array": "12 MB of arrays, Dask counts 56 bytes",
    "coo_array": "16 MB of arrays, Dask counts 56 bytes",
}
PY
