#!/usr/bin/env bash
# safetensors 0.8.0: the same tensors and metadata give other bytes each time, if the
# metadata have more than one key.
#
# One expects a format without code or time stamps to be reproducible: the same content,
# the same file. The keys of the metadata are written in an order that changes from call to
# call, even within a process. So checksums of equal models differ, and caches and
# repositories take them for new ones. With a single key the bytes are always the same.
#
# Seen: of 50 calls of `save` with one array,
#   1 key: 1 different file, 3 keys: 6 different files
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "safetensors==0.8.0" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
import numpy as np
import safetensors
from safetensors.numpy import save

arrays = {"vectors": np.zeros((2, 3), np.float32)}
found = {}
for keys in ("a", "abc"):
    metadata = {key: "1" for key in keys}
    found[len(keys)] = len({save(arrays, metadata=metadata) for _ in range(50)})
print("safetensors", safetensors.__version__)
print(", ".join(f"{n} key(s): {files} different file(s)" for n, files in found.items()))
assert found[1] == 1
assert found[3] > 1, "the order of keys is now fixed"
PY
