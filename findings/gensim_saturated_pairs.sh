#!/usr/bin/env bash
# gensim 4.4.0: Word2Vec with negative sampling skips every pair whose score is 6 or more
# in size, also those that are most wrong.
#
# One expects the gradient of log sigmoid(score). A pair that occurs in the text and has a
# score of -9 is as wrong as can be, so training should pull it together with nearly the
# whole learning rate. word2vec's C program and fastText do that: outside their tables of
# sigmoids they use 0 and 1. gensim's compiled loop skips the pair instead, so no number
# changes, however long one trains. This matters where vectors are assigned before
# `train`, and with large learning rates: a pair whose score has left (-6, 6) is stuck.
#
# Seen: the largest change of any number in one epoch over 100 sentences "a b" was
#   skip-gram: score -5.9: 0.934, score -6: 0, score -9: 0
#   CBOW:      score -5.9: 0.934, score -6: 0, score -9: 0
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
from gensim.models import Word2Vec

sentences = [["a", "b"]] * 100


def largest_change(score, sg):
    """Train one epoch from vectors whose products are all `score`."""
    model = Word2Vec(
        vector_size=4, sg=sg, negative=5, min_count=1, sample=0, workers=1, seed=1
    )
    model.build_vocab(sentences)
    model.wv.vectors[:] = [1, 0, 0, 0]
    model.syn1neg[:] = [score, 0, 0, 0]
    before = model.wv.vectors.copy(), model.syn1neg.copy()
    model.train(sentences, total_examples=len(sentences), epochs=1)
    after = model.wv.vectors, model.syn1neg
    return max(np.abs(a - b).max() for a, b in zip(after, before))


print("gensim", gensim.__version__)
for name, sg in (("skip-gram", 1), ("CBOW", 0)):
    inside, edge, beyond = (largest_change(score, sg) for score in (-5.9, -6, -9))
    print(f"{name}: score -5.9: {inside:.3f}, score -6: {edge:g}, score -9: {beyond:g}")
    assert inside > 0.5, "pairs inside (-6, 6) are no longer trained"
    assert edge == beyond == 0, "gensim now trains pairs with a score beyond -6"
PY
