#!/usr/bin/env bash
# pyarrow 26.0.1: `read_dictionary` makes valid Parquet files unreadable if their strings are
# written as differences.
#
# `read_dictionary` names columns that are to be read as categories, which saves memory and
# time if strings recur. Strings in the encodings DELTA_BYTE_ARRAY and DELTA_LENGTH_BYTE_ARRAY
# (those of Spark and parquet-mr with the writer's version 2, where they do not use a
# dictionary) are read without that option, but raise an OSError with it, the type of errors
# of disks. Plain strings are read in both ways, so a program fails only for the files of some
# writers, or for those of their row groups that fell back from a dictionary.
#
# Reading first and encoding afterwards (`Array.dictionary_encode`) works.
#
# Seen: PLAIN: ['cat', 'catalogue', 'cat']; DELTA_BYTE_ARRAY: OSError: Not yet implemented:
#   DecodeArrow of DictAccumulator for DeltaByteArrayDecoder.; DELTA_LENGTH_BYTE_ARRAY: the
#   same for DeltaLengthByteArrayDecoder
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check "pyarrow==26.0.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import pyarrow as pa
from pyarrow import parquet

words = ["cat", "catalogue", "cat"]


def outcome(**options):
    try:
        return parquet.read_table("words.parquet", **options)["word"].to_pylist()
    except OSError as error:
        return f"OSError: {error}"


print("pyarrow", pa.__version__)
seen = {}
for encoding in ("PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"):
    table = pa.table({"word": words})
    options = {"use_dictionary": False, "column_encoding": {"word": encoding}}
    parquet.write_table(table, "words.parquet", **options)
    assert outcome() == words
    seen[encoding] = outcome(read_dictionary=["word"])
for name, found in seen.items():
    print(f"{name}: {found}")
missing = "OSError: Not yet implemented: DecodeArrow of DictAccumulator for"
assert seen == {
    "PLAIN": words,
    "DELTA_BYTE_ARRAY": f"{missing} DeltaByteArrayDecoder.",
    "DELTA_LENGTH_BYTE_ARRAY": f"{missing} DeltaLengthByteArrayDecoder.",
}
PY
