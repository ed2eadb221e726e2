#!/usr/bin/env bash
# polars 2.1.0: its own counts, added up, are wrong from 2**32 on, without an error.
#
# `group_by(...).len()` and `value_counts` return UInt32. `sum` casts integers of 8 and
# 16 bits to Int64, "to prevent overflow issues", but not those of 32 bits. So partial
# counts of parts of a large text (a frequent word, a pair of frequent words) add up
# modulo 2**32. `group_by(...).agg(sum)`, the streaming engine and SUM in SQL do the same,
# although COUNT(*) in SQL is Int64. The mean of the same column is right, and so are the
# sums of pandas and pyarrow from the same Parquet file.
# Cast before: `pl.col("len").cast(pl.Int64).sum()`.
#
# `sum_horizontal` does not cast at all: it is wrong from 2**7 on for Int8.
#
# Seen: len is UInt32; of 3000000000 + 3000000000, polars makes 1705032704 with sum,
#   group_by, streaming and SQL; pandas and pyarrow make 6000000000; mean: 3000000000.0;
#   Int8, 100 + 100: sum 200, sum_horizontal -56
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "polars==2.1.0" "pandas==3.0.6" "pyarrow==26.0.1" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
import pandas as pd
import polars as pl
from pyarrow import compute, parquet

words = pl.DataFrame({"word": ["the", "the", "cat"]})
print("polars", pl.__version__)
assert words.group_by("word").len().schema["len"] == pl.UInt32
assert words["word"].value_counts().schema["count"] == pl.UInt32

# Counts of one word in two parts of a text.
parts = pl.DataFrame(
    {"word": ["the", "the"], "len": pl.Series([3 * 10**9] * 2, dtype=pl.UInt32)}
)
grouped = parts.lazy().group_by("word").agg(pl.col("len").sum())
sums = {
    "sum": parts["len"].sum(),
    "group_by": grouped.collect()["len"].item(),
    "streaming": grouped.collect(engine="streaming")["len"].item(),
    "SQL": parts.sql("SELECT word, SUM(len) AS n FROM self GROUP BY word")["n"].item(),
}
parts.write_parquet("parts.parquet")
others = {
    "pandas": int(pd.read_parquet("parts.parquet")["len"].sum()),
    "pyarrow": compute.sum(parquet.read_table("parts.parquet")["len"]).as_py(),
    "polars, cast": parts.select(pl.col("len").cast(pl.Int64).sum()).item(),
}
for name, total in {**sums, **others, "mean": parts["len"].mean()}.items():
    print(f"{name}: {total}")
assert set(sums.values()) == {6 * 10**9 % 2**32}
assert set(others.values()) == {6 * 10**9}
assert parts["len"].mean() == 3e9

small = pl.DataFrame({"a": [100], "b": [100]}, schema={"a": pl.Int8, "b": pl.Int8})
column = small["a"].append(small["b"]).sum()
row = small.select(pl.sum_horizontal("a", "b")).item()
print(f"Int8, 100 + 100: sum {column}, sum_horizontal {row}")
assert (column, row) == (200, -56)
PY
