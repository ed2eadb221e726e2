#!/usr/bin/env bash
# dask 2026.8.0: an array that `map_partitions` makes of a Parquet file, with a Delayed as an
# argument, cannot be computed if it has a single partition.
#
# A Delayed as an argument puts a large object, such as a model, into the graph once. For a
# frame read from files, the array computes if it has several partitions. With one partition,
# or if one block of many is selected, optimising the graph raises a ValueError: the node of
# the Delayed is stored under another key than its own. A frame as the result works, and so
# does a frame that was made by from_pandas.
#
# Seen: two partitions: (4, 1)
#   one block of two: ValueError: Cannot fuse tasks with multiple outputs
#   one partition of a frame in memory: (2, 1)
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
for name in ("one.parquet", "two.parquet"):
    table.to_parquet(name)


def scores(part, model):
    return part.to_numpy() * model


def mapped(frame):
    model = dask.delayed(3.0)
    return frame.map_partitions(scores, model, meta=np.empty((0, 1)))


def outcome(array):
    try:
        return str(array.compute().shape)
    except ValueError as error:
        return f"ValueError: {error}".partition(" {")[0]


files = mapped(dask.dataframe.read_parquet(["one.parquet", "two.parquet"]))
in_memory = mapped(dask.dataframe.from_pandas(table, npartitions=1))
seen = [outcome(files), outcome(files.blocks[0]), outcome(in_memory)]
print("dask", dask.__version__)
print(f"two partitions: {seen[0]}")
print(f"one block of two: {seen[1]}")
print(f"one partition of a frame in memory: {seen[2]}")
assert seen == [
    "(4, 1)",
    "ValueError: Cannot fuse tasks with multiple outputs",
    "(2, 1)",
]
PY
