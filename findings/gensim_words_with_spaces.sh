#!/usr/bin/env bash
# gensim 4.4.0: words with spaces are written to word2vec files, and are other words, with
# other vectors, when gensim reads the binary file again.
#
# One expects that save_word2vec_format refuses what its format cannot hold, or that
# load_word2vec_format reads what it wrote. The binary format ends a word at the first
# space. The rest of the word is read as the first numbers of the vector, and the last
# numbers of the vector as the beginning of the next word. If these bytes happen to be
# UTF-8, there is no error and no warning: two words are wrong, and one vector.
#
# Seen: "a", "New York" and "b", all with vectors of twos, are read from the binary file as
# "a", "New" and "@\x00\x00\x00@b", and the vector of "New" begins with 2.9e26. Reading the
# text file raises "could not convert string to float: 'York'".
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "gensim==4.4.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import gensim
import numpy as np
from gensim.models import KeyedVectors

written = KeyedVectors(4)
written.add_vectors(["a", "New York", "b"], np.full((3, 4), 2.0, dtype=np.float32))
print("gensim", gensim.__version__)
written.save_word2vec_format("vectors.bin", binary=True)
read = KeyedVectors.load_word2vec_format("vectors.bin", binary=True)
print("written:", written.index_to_key)
print("binary: ", read.index_to_key, read["New"])
assert read.index_to_key[1] == "New", "the word is read as something else now"
assert "New York" not in read and "b" not in read
assert not np.array_equal(read["New"], written["New York"])
written.save_word2vec_format("vectors.txt")
try:
    KeyedVectors.load_word2vec_format("vectors.txt")
except ValueError as error:
    print("text:   ", error)
else:
    raise AssertionError("the text file is read now")
PY
