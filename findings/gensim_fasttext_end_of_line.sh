#!/usr/bin/env bash
# gensim 4.4.0 with fasttext-wheel 0.9.2: the vector of </s>, a word of nearly every fastText
# model, is another one after gensim has read the model.
#
# One expects the vectors of fastText, as for all other words: load_facebook_vectors loads
# "word embeddings from a model saved in Facebook's native fasttext .bin format". </s> stands
# for the end of a line, and counts as a word in training. fastText gives it no n-grams: its
# vector is its own row. gensim takes the mean of this row and of the rows of n-grams such as
# "<</" and "/s>", which were never trained as its parts. Mostly this makes the vector short and
# turns it. Searches may return the word, and whatever averages over the vocabulary includes it.
#
# Seen: 500 lines of 8 words; distance of gensim's vector from fastText's, as a share of the
#   length of fastText's: </s> 0.895, the ten other words at most 1e-7
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "gensim==4.4.0" "fasttext-wheel==0.9.2" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version
from pathlib import Path

import fasttext
import numpy as np
from gensim.models.fasttext import load_facebook_vectors

WORDS = "alpha beta gamma delta kappa lambda omega sigma theta zeta".split()
rng = np.random.default_rng(0)
lines = [" ".join(rng.choice(WORDS, 8)) + "\n" for _ in range(500)]
Path("text").write_text("".join(lines))
model = fasttext.train_unsupervised(
    "text", dim=10, minCount=1, bucket=1000, epoch=5, thread=1, verbose=0
)
model.save_model("model.bin")
read = load_facebook_vectors("model.bin")


def distance(word):
    own = model.get_word_vector(word)
    return float(np.linalg.norm(read[word] - own) / np.linalg.norm(own))


print("gensim", version("gensim"), "fasttext-wheel", version("fasttext-wheel"))
assert sorted(model.words) == sorted(["</s>", *WORDS])
others = max(distance(word) for word in WORDS)
print(f"</s>: {distance('</s>'):.3f}, other words: at most {others:.0e}")
assert others < 1e-5
assert distance("</s>") > 0.5, "gensim reads the vector of </s> now"
PY
