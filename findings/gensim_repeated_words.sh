#!/usr/bin/env bash
# gensim 4.4.0: a file of vectors that has a word twice leaves a place without a word at the
# end of the table, and searches return it.
#
# One expects an error, or a table of the different words. load_word2vec_format keeps the
# first vector of a repeated word and logs a warning, but the table keeps as many places as
# the header says. The last ones have the key None and a vector of zeros, so most_similar
# returns None as a word, with the similarity NaN. With `limit`, repeated lines count too:
# limit=3 gives two words.
#
# Seen: for the words a, b, a, c
#   index_to_key: ['a', 'b', 'c', None], most similar to 'a': ['c', 'b', None], last: nan
#   limit=3: ['a', 'b', None]
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "gensim==4.4.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import math

import gensim
import numpy as np
from gensim.models import KeyedVectors

with open("vectors.txt", "w") as file:
    file.write("4 2\na 1 0\nb 0 1\na 1 1\nc 1 2\n")
table = KeyedVectors.load_word2vec_format("vectors.txt")
with np.errstate(all="ignore"):
    similar = table.most_similar("a", topn=5)
words, last = [word for word, _ in similar], similar[-1][1]
limited = KeyedVectors.load_word2vec_format("vectors.txt", limit=3).index_to_key
print("gensim", gensim.__version__)
print(f"index_to_key: {table.index_to_key}, most similar to 'a': {words}, last: {last}")
print(f"limit=3: {limited}")
assert table.index_to_key == ["a", "b", "c", None]
assert words == ["c", "b", None]
assert math.isnan(last)
assert limited == ["a", "b", None]
PY
