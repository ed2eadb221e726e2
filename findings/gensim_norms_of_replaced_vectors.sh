#!/usr/bin/env bash
# gensim 4.4.0: once `most_similar` was called, it divides new vectors by the lengths of old
# ones, so that cosines exceed 1 and other words come first.
#
# One expects the cosines of the present vectors, which `similarity` returns. The lengths are
# kept after the first search. `add_vectors(replace=True)` and `words[key] = vector` change
# vectors and keep the old lengths, and say nothing about it in their documentation. The same
# happens in training: a callback that searches at the end of each epoch, the usual way to
# watch a model, divides by the lengths of the first epoch until training ends. So do
# `most_similar_cosmul` and `evaluate_word_analogies`. Only adding new words raises an error.
#
# Seen: cosines with a are 0.0 for b and 0.707 for c; then b is replaced by [30, 40], whose
#   cosine with a is 0.6: most_similar: [('b', 30.0), ('c', 0.707)], similarity of b: 0.6
#   callback, largest cosine of a word, epochs 1, 20 and 40: 0.831, 7.56, 7.43
#   after training: 0.992
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
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.callbacks import CallbackAny2Vec

print("gensim", gensim.__version__)
words = KeyedVectors(2)
table = np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32)
words.add_vectors(["a", "b", "c"], table)
assert words.most_similar("a")[0][0] == "c"
words.add_vectors(["b"], np.array([[30, 40]], dtype=np.float32), replace=True)
searched = [(word, round(score, 3)) for word, score in words.most_similar("a")]
right = round(float(words.similarity("a", "b")), 3)
print(f"most_similar: {searched}, similarity of b: {right}")
assert right == 0.6
assert searched[0] == ("b", 30.0), "lengths are computed again now"

largest = []


class Watch(CallbackAny2Vec):
    def on_epoch_end(self, model):
        largest.append(model.wv.most_similar("0", topn=1)[0][1])


rng = np.random.default_rng(0)
sentences = rng.integers(0, 20, (500, 10)).astype(str).tolist()
model = Word2Vec(
    sentences, vector_size=8, min_count=1, workers=1, epochs=40, seed=1, callbacks=[Watch()]
)
after = model.wv.most_similar("0", topn=1)[0][1]
shown = ", ".join(f"{largest[epoch - 1]:.3g}" for epoch in (1, 20, 40))
print(f"callback, largest cosine of a word, epochs 1, 20 and 40: {shown}")
print(f"after training: {after:.3g}")
assert largest[0] <= 1.001 and after <= 1.001
assert largest[-1] > 1.5, "callbacks see cosines now"
PY
