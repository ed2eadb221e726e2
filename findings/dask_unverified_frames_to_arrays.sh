#!/usr/bin/env bash
# dask 2026.8.0: a dataframe of Delayed objects whose types are not verified cannot be turned
# into an array or a bag.
#
# `dask.dataframe.from_delayed(..., verify_meta=False)` saves a check of each partition. Such a
# frame computes, and so do its columns, sums and Delayed objects. `to_dask_array`, `values`,
# `to_bag` and a `map_partitions` that returns arrays make graphs that lack the partitions: the
# node of each is stored under another key than its own. With `verify_meta=True`, the default,
# all of them work.
#
# Seen: verified: compute [1.0, 2.0], to_dask_array [1.0, 2.0], to_bag [1.0, 2.0];
#   not verified: compute [1.0, 2.0], to_dask_array, to_bag: ValueError: Missing dependency
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "dask[dataframe]==2026.8.0" "pandas==3.0.6" "numpy==2.4.6" "pyarrow==26.0.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import dask
import dask.dataframe
import numpy as np
import pandas as pd

dask.config.set(scheduler="synchronous")
table = pd.DataFrame({"a": [1.0, 2.0]})


def outcome(lazy):
    try:
        return np.ravel(lazy.compute()).tolist()
    except ValueError as error:
        return str(error).partition(" (")[0]


print("dask", dask.__version__)
missing = "Missing dependency"
for verifies, expected in {True: [1.0, 2.0], False: missing}.items():
    parts = [dask.delayed(table)]
    frame = dask.dataframe.from_delayed(parts, meta=table, verify_meta=verifies)
    seen = {
        "compute": outcome(frame),
        "sum": outcome(frame.sum()),
        "to_dask_array": outcome(frame.to_dask_array()),
        "values": outcome(frame.values),
        "to_bag": outcome(frame.to_bag()),
    }
    print("verified:" if verifies else "not verified:", seen)
    assert seen["compute"] == [1.0, 2.0]
    assert seen["sum"] == [3.0]
    assert seen["to_dask_array"] == seen["values"] == seen["to_bag"] == expected
PY
