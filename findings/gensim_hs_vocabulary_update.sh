#!/usr/bin/env bash
# gensim 4.4.0: with hierarchical softmax, build_vocab(update=True) makes a trained model
# worse than an untrained one, before any further training.
#
# One expects that adding counts keeps what was learned, as with negative sampling, where
# each row of syn1neg belongs to a word. With hs=1, a row of syn1 belongs to an inner node
# of the Huffman tree. The update builds a new tree from the summed counts, and its nodes
# are numbered afresh, but syn1 stays as it was: most rows now decide at other places of
# the tree. `score` uses them, and `train` continues from them. The word vectors are not
# touched, so a look at most_similar shows nothing. No warning is given. All is well only if
# the update does not change the order in which nodes are joined.
#
# Seen: mean log probability of a training sentence by `score`; 2,000 sentences of two
# topics with 60 words, and an update with 300 more of one topic, without new words:
#   untrained -612.6, trained -492.5
#   updated with the same sentences -492.5, with the 300 others -664.2
#   updated with the 300 others and trained on them -666.8, without the update -509.7
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "gensim==4.4.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import copy

import gensim
import numpy as np
from gensim.models import Word2Vec

PROBABILITIES = 1 / np.arange(1, 31) / (1 / np.arange(1, 31)).sum()


def sentences_of(topics, seed):
    """Return a sentence of 20 words for each topic, 0 or 1, which share no word."""
    random = np.random.default_rng(seed)
    places = random.choice(30, (len(topics), 20), p=PROBABILITIES)
    return [[f"w{2 * i + t}" for i in row] for row, t in zip(places.tolist(), topics)]


def score(model):
    return float(model.score(sentences, len(sentences)).mean())


def trained(model, corpus):
    model = copy.deepcopy(model)
    model.train(corpus, total_examples=len(corpus), epochs=10)
    return model


def updated(model, corpus):
    model = copy.deepcopy(model)
    vectors, nodes = model.wv.vectors.copy(), model.syn1.copy()
    model.build_vocab(corpus, update=True)
    assert np.array_equal(model.wv.vectors, vectors), "the update changed vectors"
    assert np.array_equal(model.syn1, nodes), "the update now changes syn1"
    return model


sentences, more = sentences_of([0, 1] * 1000, 0), sentences_of([1] * 300, 1)
fresh = Word2Vec(sg=1, hs=1, negative=0, vector_size=20, min_count=1, sample=0,
                 workers=1, seed=1)
fresh.build_vocab(sentences)
model = trained(fresh, sentences)
print("gensim", gensim.__version__)
scores = {
    "untrained": score(fresh),
    "trained": score(model),
    "updated with the same sentences": score(updated(model, sentences)),
    "updated with 300 others": score(updated(model, more)),
    "updated with 300 others and trained on them": score(
        trained(updated(model, more), more)
    ),
    "trained on 300 others without the update": score(trained(model, more)),
}
for name, value in scores.items():
    print(f"{name}: {value:.1f}")
before, good, same, after, later, without = scores.values()
assert abs(same - good) < 0.1, "an update with the same sentences changes scores"
assert good > before + 100, "training does not help"
assert after < before, "after the update, the model is better than an untrained one"
assert later < without - 30, "training after the update is no worse than without it"
PY
