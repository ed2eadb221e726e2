#!/usr/bin/env bash
# gensim 4.4.0: load_facebook_model turns a fastText model with -loss hs into one that
# predicts the opposite at every node of its tree.
#
# One expects that the loaded model gives the words of the text the probabilities that
# fastText learned: load_facebook_model exists to "continue model training". At a node with
# score s, fastText takes the second child (code 1) with probability sigmoid(s), gensim the
# first (code 0). The output matrix is copied to syn1 with its signs, so all decisions are
# inverted. fastText's file also says neg=5, which it does not use with hs. gensim takes it
# seriously: negative is 5, and syn1neg is the same array as syn1, so that `train` writes
# updates of words and of nodes into the same rows. No warning is given.
#
# Seen: mean log probability of a training sentence by gensim's `score`; 2,000 sentences of
# two topics with 60 words:
#   loaded from fastText -920.3, with syn1 = 0 (no knowledge) -623.6
#   loaded, and then syn1 multiplied by -1: -497.1; gensim's own model -492.5
#   hs 1, negative 5, syn1neg is syn1: True
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

import fasttext
import numpy as np
from gensim.models import Word2Vec
from gensim.models.fasttext import load_facebook_model

PROBABILITIES = 1 / np.arange(1, 31) / (1 / np.arange(1, 31)).sum()
random = np.random.default_rng(0)
places = random.choice(30, (2000, 20), p=PROBABILITIES).tolist()
sentences = [[f"w{2 * i + n % 2}" for i in row] for n, row in enumerate(places)]
with open("text.txt", "w") as file:
    file.writelines(" ".join(words) + "\n" for words in sentences)


def score(model):
    return float(model.score(sentences, len(sentences)).mean())


fasttext.train_unsupervised(
    "text.txt", model="skipgram", loss="hs", dim=20, minCount=1, minn=0, maxn=0,
    bucket=0, t=1, lr=0.025, epoch=10, thread=1, verbose=0,
).save_model("model.bin")
loaded = load_facebook_model("model.bin")
print("gensim", version("gensim"), "fasttext-wheel", version("fasttext-wheel"))
print(f"hs {loaded.hs}, negative {loaded.negative}, "
      f"syn1neg is syn1: {loaded.syn1neg is loaded.syn1}")
scores = {"loaded": score(loaded)}
nodes = loaded.syn1.copy()
loaded.syn1[:] = 0
scores["untrained (syn1 = 0)"] = score(loaded)
loaded.syn1[:] = -nodes
scores["loaded, syn1 with the other sign"] = score(loaded)
scores["gensim's own"] = score(
    Word2Vec(sentences, sg=1, hs=1, negative=0, vector_size=20, min_count=1, sample=0,
             epochs=10, workers=1, seed=1)
)
for name, value in scores.items():
    print(f"{name}: {value:.1f}")
opposite, none, right, own = scores.values()
assert loaded.syn1neg is loaded.syn1 and loaded.negative == 5
assert abs(right - own) < 30, "with the other sign, the model is not as good as gensim's"
assert opposite < none - 100, "the loaded model now predicts better than no model"
PY
