#!/usr/bin/env bash
# gensim 4.4.0: a row of a text file with one number fills all dimensions with it.
#
# One expects an error for a row that is shorter than the header says, as a truncated file
# has it. gensim's KeyedVectors.load_word2vec_format assigns the numbers of a row to a row
# of the table, and NumPy repeats a single number. No error, no warning: the word has a
# vector of equal numbers. A row with two of three numbers is refused, by an error of NumPy
# about shapes which names no line.
#
# Seen: the row "b 0.5" of a file of three dimensions is read as [0.5, 0.5, 0.5], and the
# row "b 0.5 0.25" raises "could not broadcast input array from shape (2,) into shape (3,)".
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "gensim==4.4.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from pathlib import Path

import gensim
from gensim.models import KeyedVectors


def read(row):
    Path("vectors.txt").write_text(f"2 3\na 1.0 2.0 3.0\n{row}\n")
    return KeyedVectors.load_word2vec_format("vectors.txt")["b"].tolist()


print("gensim", gensim.__version__)
one = read("b 0.5")
print("b 0.5 ->", one)
assert one == [0.5, 0.5, 0.5], "a row of one number is no longer repeated"
try:
    read("b 0.5 0.25")
except ValueError as error:
    print("b 0.5 0.25 ->", error)
else:
    raise AssertionError("a row of two of three numbers is read now")
PY
