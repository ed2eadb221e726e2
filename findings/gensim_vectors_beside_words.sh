#!/usr/bin/env bash
# gensim 4.4.0: in `most_similar` and `get_mean_vector`, a vector counts for more or less than
# the word that it belongs to.
#
# One expects that a word may be replaced by its own vector, as both are documented as keys:
# `get_mean_vector` says that `pre_normalize=True`, its default, scales each key's vector to
# length 1 before the mean is taken, and `most_similar` promises a simple mean of the vectors
# of the keys. Only words are scaled. A vector enters with its own length, so that beside
# words it outweighs them if it is long, and hardly counts if it is short. Vectors stand
# beside words in analogies with a mean of several words, or with the vector of a sentence.
#
# Seen: king + woman - man, where king has length 1, and woman and man have length 5
#   as words: [('queen', 1.0), ('girl', 0.732)]
#   woman as a vector: [('girl', 0.995), ('queen', 0.778)]
#   mean of king and woman: [0.5, 0.5, 0.0], of their vectors: [0.5, 2.5, 0.0]
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

TABLE = {
    "king": [1, 0, 0],
    "woman": [0, 5, 0],
    "man": [0, 0, 5],
    "queen": [1, 1, -1],
    "throne": [1, 0, 0.0],
    "girl": [0.1, 1, -0.2],
}
words = KeyedVectors(3)
words.add_vectors(list(TABLE), np.array(list(TABLE.values()), dtype=np.float32))


def found(positive, negative):
    pairs = words.most_similar(positive, negative, topn=3)
    return [(word, round(score, 3)) for word, score in pairs if word != "woman"][:2]


print("gensim", gensim.__version__)
by_words = found(["king", "woman"], ["man"])
by_vector = found(["king", words["woman"]], ["man"])
print("as words:", by_words)
print("woman as a vector:", by_vector)
of_words = words.get_mean_vector(["king", "woman"], pre_normalize=True).tolist()
vectors = [words["king"], words["woman"]]
of_vectors = words.get_mean_vector(vectors, pre_normalize=True).tolist()
print(f"mean of king and woman: {of_words}, of their vectors: {of_vectors}")
assert by_words[0][0] == "queen"
assert by_vector[0][0] == "girl", "vectors are scaled like words now"
assert of_words == [0.5, 0.5, 0.0]
assert of_vectors == [0.5, 2.5, 0.0], "vectors are scaled like words now"
PY
