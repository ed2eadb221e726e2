#!/usr/bin/env bash
# finalfusion 0.7.1: reading a text file of vectors turns a vector of zeros into NaN.
#
# One expects the numbers of the file. The readers of word2vec, GloVe and text scale each
# vector to length 1 and keep the lengths beside them. A vector of zeros, which models have
# for words that they learned nothing about, is divided by its length 0. Every similarity
# with it is NaN afterwards.
#
# Seen: for the rows "a 3 4" and "z 0 0"
#   a: [0.6, 0.8], z: [nan, nan], lengths: [5.0, 0.0]
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "finalfusion==0.7.1" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
import warnings

import finalfusion
import numpy as np

with open("vectors.txt", "w") as file:
    file.write("2 2\na 3 4\nz 0 0\n")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    table = finalfusion.load_text_dims("vectors.txt")
a, z, lengths = table["a"], table["z"], np.asarray(table.norms)
shown = [round(float(number), 3) for number in a]
print(f"a: {shown}, z: {z.tolist()}, lengths: {lengths.tolist()}")
assert np.allclose(a, [0.6, 0.8])
assert np.isnan(z).all(), "zeros stay zeros now"
PY
