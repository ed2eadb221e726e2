#!/usr/bin/env bash
# dask 2026.8.0: `dask.optimize` of a dataframe returns another dataframe, that of an
# earlier step.
#
# One expects a dataframe with the same values and a smaller graph, as for arrays, bags and
# Delayed objects. For a dataframe, the result has its partitions taken from all keys of the
# graph in sorted order, not from the keys of the last step. A function that was applied to
# the partitions is lost, and no error or warning is given. The graph of a frame that was
# made from Delayed objects has keys that cannot be sorted, which raises a TypeError. The
# method `optimize` of the frame itself gives the right values.
#
# Seen: computed: [10, 20, 30, 40], after dask.optimize: [1, 2, 3, 4],
#   after frame.optimize: [10, 20, 30, 40]
#   from Delayed: TypeError: '<' not supported between instances of 'str' and 'tuple'
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
import pandas as pd

dask.config.set(scheduler="synchronous")


def times_ten(part):
    return part * 10


table = pd.DataFrame({"a": [1, 2, 3, 4]})
frame = dask.dataframe.from_pandas(table, npartitions=2).map_partitions(times_ten)
computed = frame.compute()["a"].tolist()
optimized = dask.optimize(frame)[0].compute()["a"].tolist()
by_method = frame.optimize().compute()["a"].tolist()
parts = [dask.delayed(times_ten)(table)]
of_delayed = dask.dataframe.from_delayed(parts, meta=table)
try:
    dask.optimize(of_delayed)
    raised = "nothing"
except TypeError as error:
    raised = f"TypeError: {error}"
print("dask", dask.__version__)
print(f"computed: {computed}, after dask.optimize: {optimized},")
print(f"  after frame.optimize: {by_method}")
print(f"from Delayed: {raised}")
assert computed == by_method == [10, 20, 30, 40]
assert optimized == [1, 2, 3, 4]
assert raised == "TypeError: '<' not supported between instances of 'str' and 'tuple'"
PY
