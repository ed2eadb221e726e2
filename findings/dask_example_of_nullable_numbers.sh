#!/usr/bin/env bash
# dask 2026.8.0: functions that suit every row of a column fail, because the rows on which Dask
# tries them have a missing value.
#
# `map`, `apply` and `map_partitions` call a function on two rows of Dask's own to learn the
# type of its result. For pandas' types Int64 and boolean, the second of these rows is <NA>,
# also if the data have no missing values. A function that converts values with `int`, or asks
# `if value`, therefore raises "Metadata inference failed", although it works with pandas, and
# in Dask with `meta=`. For int64 and bool, and for the types of pyarrow, which may have missing
# values, too, the rows have none, so the same program works there.
#
# Seen: pandas: [1, 2]; Dask, int64: [1, 2], Int64: ValueError, Int64 with meta: [1, 2],
#   int64[pyarrow]: [1, 2]; bool: [1, 0], boolean: ValueError, bool[pyarrow]: [1, 0];
#   rows of Dask for Int64: [1, <NA>], for int64[pyarrow]: [1, 2]
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "dask[dataframe]==2026.8.0" "pandas==3.0.6" "numpy==2.4.6" "pyarrow==26.0.1"
cd "$work"
"$work/env/bin/python" -W ignore - <<'PY'
import dask
import dask.dataframe
import pandas as pd

dask.config.set(scheduler="synchronous")


def as_int(value):
    return int(value)


def as_number(value):
    return 1 if value else 0


def outcome(values, dtype, function, **meta):
    column = pd.Series(values, dtype=dtype)
    # It works with pandas.
    assert column.map(function).tolist() == [function(value) for value in values]
    try:
        lazy = dask.dataframe.from_pandas(column, npartitions=1).map(function, **meta)
        return lazy.compute().tolist()
    except ValueError as error:
        return str(error).partition("\n")[0]


print("dask", dask.__version__)
failed = "Metadata inference failed in `map`."
for values, function, expected in (
    ([1, 2], as_int, {"int64": [1, 2], "Int64": failed, "int64[pyarrow]": [1, 2]}),
    ([True, False], as_number, {"bool": [1, 0], "boolean": failed, "bool[pyarrow]": [1, 0]}),
):
    seen = {dtype: outcome(values, dtype, function) for dtype in expected}
    print(seen)
    assert seen == expected
with_meta = outcome([1, 2], "Int64", as_int, meta=(None, "int64"))
print("Int64 with meta:", with_meta)
assert with_meta == [1, 2]
for dtype, has_missing in {"Int64": True, "int64[pyarrow]": False}.items():
    lazy = dask.dataframe.from_pandas(pd.Series([1, 2], dtype=dtype), npartitions=1)
    rows = lazy._meta_nonempty
    print(f"rows of Dask for {dtype}:", rows.tolist())
    assert rows.isna().any() == has_missing
PY
