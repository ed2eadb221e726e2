#!/usr/bin/env bash
# numba 0.68.1: in compiled code, the mean of 33,554,432 ones of float32 is 0.5, and their
# variance is 0.25.
#
# One expects NumPy's results, up to rounding: numba lists `sum`, `mean` and `var` of arrays
# as supported, and its page on floating point calls differences from NumPy, which come from
# other algorithms, generally small. NumPy adds up in pairs of parts, with a small error.
# numba adds them up one after the other, in float32, where 16777216 + 1 is 16777216 again. So
# sums of counts or losses of a large text stop growing. Far below that size, the error
# of a mean is 100,000 times NumPy's. With `NUMBA_DISABLE_JIT=1`, as in many tests, it is
# not seen. `values.astype(np.float64).mean()` avoids it.
#
# Seen: 2**25 ones: sum 16777216, mean 0.5, var 0.25; NumPy: sum 33554432, mean 1.0, var 0.0
#   relative error of the mean of 10**6 tenths: compiled 9.6e-03, NumPy 7.5e-08
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "numba==0.68.1" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
import numba
import numpy as np


@numba.njit
def summary(values):
    return values.sum(), values.mean(), values.var()


ones = np.ones(2**25, dtype=np.float32)
compiled, plain = summary(ones), summary.py_func(ones)
print("numba", numba.__version__)
print("compiled: sum {:.0f}, mean {}, var {}".format(*compiled))
print("NumPy: sum {:.0f}, mean {}, var {}".format(*plain))
assert tuple(map(float, plain)) == (2.0**25, 1.0, 0.0)
assert tuple(map(float, compiled)) == (2.0**24, 0.5, 0.25), "sums are accurate now"

tenths = np.full(10**6, 0.1, dtype=np.float32)
exact = float(tenths[0])
errors = [abs(float(f(tenths)[1]) / exact - 1) for f in (summary, summary.py_func)]
print("relative error of the mean of 10**6 tenths: compiled {:.1e}, NumPy {:.1e}".format(*errors))
assert errors[0] > 100 * errors[1], "means are accurate now"
PY
