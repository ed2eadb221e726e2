#!/usr/bin/env bash
# model2vec 0.10.0: `encode` cuts texts by their characters, long before `max_length` tokens.
#
# One expects what the documentation says: tokens beyond `max_length`, 512 by default, are
# left out. Before anything is split into tokens, a text is cut after `max_length` times
# the median number of characters of the vocabulary's tokens. So what counts are characters:
# spaces that belong to no token, as in tables and indented lines, and words that are
# longer than those of the vocabulary, or not in it. A text of 200 tokens loses most of them,
# without a warning. `max_length=None` uses all of them.
#
# Seen: 100 times river, then 100 times stone, whose vectors are [1, 0] and [0, 1]
#   joined by one space: 200 tokens, [0.5, 0.5]
#   in columns of 40 characters: 200 tokens, [1.0, 0.0]; max_length=None: [0.5, 0.5]
#   with 20 times incomprehensibilities, an unknown word, between any two:
#   200 tokens, [1.0, 0.0]; max_length=None: [0.5, 0.5]
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "model2vec==0.10.0" "tokenizers==0.23.3" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = ["[UNK]", "river", "stone", "table", "green", "light"]
tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, "[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
vectors = np.zeros((6, 2), dtype=np.float32)
vectors[1:3] = np.eye(2)
model = StaticModel(vectors, tokenizer)

text = ["river"] * 100 + ["stone"] * 100
TEXTS = {
    "joined by one space": " ".join(text),
    "columns of 40 characters": "".join(word.ljust(40) for word in text),
    "one space, unknown words between": " incomprehensibilities ".join(text),
}
print("model2vec", version("model2vec"))
seen = {}
for name, joined in TEXTS.items():
    n_tokens = len(model.tokenize([joined])[0])
    cut, whole = (model.encode(joined, **o).tolist() for o in ({}, {"max_length": None}))
    print(f"{name}: {n_tokens} tokens, {cut}; max_length=None: {whole}")
    assert whole == [0.5, 0.5]
    seen[name] = cut
assert seen["joined by one space"] == [0.5, 0.5]
assert seen["columns of 40 characters"] == [1.0, 0.0], "spaces count no longer"
assert seen["one space, unknown words between"] == [1.0, 0.0], "unknown words count no longer"
PY
