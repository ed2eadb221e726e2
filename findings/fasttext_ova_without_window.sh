#!/usr/bin/env bash
# fasttext-wheel 0.9.2 (fastText 0.9.2): skip-gram with -loss ova learns that all words of a
# line are contexts of each other, whatever the window (-ws) is.
#
# One expects what happens with the losses ns, hs and softmax: contexts are the words at
# most -ws places away. The options list this loss for all models, and training runs
# without a warning. For every pair of a word with a context in the window, fastText hands
# over the whole line and the place of the context. This loss ignores the place: it takes
# all words of the line as positive examples and all other words as negative ones. -ws only
# changes how often this is repeated.
#
# Seen: 3,000 lines "a0 (12 random words) b0" or "a1 (12 random words) b1", -ws 1, so a0
# never has b0 in its window. Score of a0 with b0, and of a0 with b1:
#   ns -5.86 and -6.08, softmax -3.65 and -3.71, ova 3.46 and -3.42
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "fasttext-wheel==0.9.2" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import fasttext
import numpy as np

random = np.random.default_rng(0)
with open("text.txt", "w") as file:
    for n, row in enumerate(random.integers(20, size=(3000, 12)).tolist()):
        middle = " ".join(f"f{i}" for i in row)
        file.write(f"a{n % 2} {middle} b{n % 2}\n")


def scores(loss):
    """Return the scores of a0 with b0, which shares its lines, and with b1."""
    model = fasttext.train_unsupervised(
        "text.txt", model="skipgram", loss=loss, ws=1, dim=10, minCount=1, minn=0,
        maxn=0, bucket=0, t=1, lr=0.1, epoch=20, thread=1, verbose=0,
    )
    row = {word: i for i, word in enumerate(model.get_words())}
    product = model.get_output_matrix() @ model.get_input_matrix()[row["a0"]]
    return product[row["b0"]], product[row["b1"]]


print("fasttext-wheel", version("fasttext-wheel"))
found = {loss: scores(loss) for loss in ("ns", "softmax", "ova")}
for loss, (same, other) in found.items():
    print(f"{loss}: a0 with b0 {same:.2f}, with b1 {other:.2f}")
for loss in ("ns", "softmax"):
    assert abs(np.subtract(*found[loss])) < 1, f"{loss} tells b0 from b1"
assert found["ova"][0] > 2 and found["ova"][1] < -2, "ova now respects the window"
PY
