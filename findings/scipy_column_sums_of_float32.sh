#!/usr/bin/env bash
# SciPy 1.17.1: column sums of a sparse float32 matrix are added up in float32, even with
# `dtype=numpy.float64`, so that the mean of a column of 33,554,432 ones is 0.5.
#
# One expects float64 sums from `sum(axis=0, dtype=numpy.float64)`, as NumPy computes them for
# arrays: `dtype` is documented as the type of the result and of the accumulator. SciPy adds
# the rows one after the other in float32, where 16777216 + 1 is 16777216 again, and converts
# the result at the end. `mean(axis=0)` does the same, although `mean()` is right. Such sums are
# frequencies of words, or means before a standardisation, of matrices that were made with
# `dtype=numpy.float32` to save memory. For fewer rows, the last digits are wrong.
# `numpy.ones(n_rows) @ X` adds up in float64.
#
# Seen: 2**25 ones in one column: sum(axis=0, dtype=float64) 16777216, mean(axis=0) 0.5,
#   mean() 1.0, numpy.ones(n_rows) @ X 33554432
#   a million tenths: relative error of sum(axis=0, dtype=float64) 9.6e-03, of NumPy's sum of
#   the dense array 0
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "scipy==1.17.1" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
import numpy as np
import scipy
from scipy.sparse import csr_array


def column(n, value):
    """Return a CSR matrix with one column of n equal values."""
    values = np.full(n, value, np.float32)
    return csr_array((values, np.zeros(n, np.int32), np.arange(n + 1)), shape=(n, 1))


print("SciPy", scipy.__version__)
n = 2**25
X = column(n, 1)
total = X.sum(axis=0, dtype=np.float64)
print("sum(axis=0, dtype=float64)", total, total.dtype, "mean(axis=0)", X.mean(axis=0))
print("mean()", X.mean(), "ones @ X", np.ones(n) @ X)
assert total.dtype == np.float64 and X.mean() == 1 and (np.ones(n) @ X == n).all()
assert total[0] == 2**24, "sum now adds up in float64"
assert X.mean(axis=0)[0] == 0.5, "mean now adds up in float64"

n = 10**6
X = column(n, 0.1)
exact = n * float(np.float32(0.1))
sparse = abs(X.sum(axis=0, dtype=np.float64)[0] / exact - 1)
dense = abs(X.toarray().sum(axis=0, dtype=np.float64)[0] / exact - 1)
print(f"a million tenths: error {sparse:.1e}, dense {dense:.1e}")
assert sparse > 1e-3 and dense < 1e-9
PY
