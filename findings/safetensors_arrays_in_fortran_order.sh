#!/usr/bin/env bash
# safetensors 0.8.0: `safetensors.numpy` writes the numbers of an array in Fortran order, such as
# a transpose, at wrong places, without an error.
#
# One expects the array that was saved, or an error: the docstring asks for arrays that are
# "contiguous and dense", as an array in Fortran order is, and safetensors.torch raises an error
# for tensors in another order. The shape in the file is that of the array, but the numbers are
# taken in the order in which they lie in memory, so that words have numbers of other words.
# Many tables of vectors are in this order: `vectors.T`, singular vectors from LAPACK, columns
# of data frames. `numpy.ascontiguousarray` before saving helps.
#
# Seen: [[0, 1, 2], [3, 4, 5]] in Fortran order is read as [[0, 3, 1], [4, 2, 5]], and its
#   transpose [[0, 3], [1, 4], [2, 5]] as [[0, 1], [2, 3], [4, 5]], by save and by save_file
#   singular vectors of scipy.linalg.svd: largest error more than 0.1
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "safetensors==0.8.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load, load_file, save, save_file
from scipy.linalg import svd


def written(array):
    """Return the array as it is read from a file, and from bytes."""
    assert array.flags.forc and array.flags.aligned
    save_file({"vectors": array}, "file.safetensors")
    return load_file("file.safetensors")["vectors"], load(save({"v": array}))["v"]


print("safetensors", version("safetensors"))
table = np.arange(6, dtype=np.float32).reshape(2, 3)
for name, array, expected in (
    ("C order", table, table.tolist()),
    ("Fortran order", np.asfortranarray(table), [[0, 3, 1], [4, 2, 5]]),
    ("transpose", table.T, [[0, 1], [2, 3], [4, 5]]),
):
    for found in written(array):
        print(f"{name}: {array.tolist()} is read as {found.tolist()}")
        assert found.tolist() == expected, "other numbers are written now"

vectors = svd(np.random.default_rng(0).normal(size=(30, 5)), full_matrices=False)[0]
error = np.abs(written(vectors)[0] - vectors).max()
print(f"singular vectors, Fortran order {vectors.flags.f_contiguous}: error {error:.2f}")
assert vectors.flags.f_contiguous and error > 0.1
PY
