#!/usr/bin/env bash
# gensim 4.4.0: in the sliding windows of CoherenceModel, a word that occurs twice counts as
# absent, so that c_v, c_npmi and c_uci rest on wrong numbers of windows.
#
# One expects the boolean sliding window that the documentation names: each window is a virtual
# document, and a word is in it or not. When the window moves on, the word at its old left edge
# is marked as absent, also if it occurs again further right. It stays absent until it enters at
# the right once more. The wider the window and the more frequent the word, the worse: with the
# 110 words of c_v, most topic words occur more than once. No warning is given. `u_mass` has no
# windows and is right.
#
# Seen: "the cat the dog the cat sat", windows of 3 words: 5 windows, "the" in 2 (right: 5),
#   "cat" in 4 (4), both in 1 (4)
#   200 texts of 200 words from 50 words by Zipf's law, windows of 110: 18200 windows, w0 in
#   10670 (18200), w1 in 9945 (18200), both in 5412 (18200)
#   npmi of w20 and w30 there: -0.011 (-0.041), of w3 and w7: 0.034 (-0.002)
#   ten pairs of words, ranked by npmi: rank correlation with the right ranks 0.66
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
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel
from scipy.stats import spearmanr


def counts(texts, width, first, second):
    """Return the windows, those with each word, and those with both, by their sets."""
    windows = [
        {first, second}.intersection(text[start : start + width])
        for text in texts
        for start in range(max(1, len(text) - width + 1))
    ]
    with_first, with_second = (sum(w in found for found in windows) for w in (first, second))
    return len(windows), with_first, with_second, sum(len(found) == 2 for found in windows)


def npmi(windows, with_first, with_second, both):
    share = both / windows
    return np.log(share / (with_first / windows * with_second / windows)) / -np.log(share)


def of_gensim(texts, width, first, second):
    dictionary = Dictionary(texts)
    model = CoherenceModel(
        topics=[[first, second]], texts=texts, dictionary=dictionary,
        coherence="c_npmi", window_size=width, topn=2, processes=1,
    )
    value = float(model.get_coherence())
    found = model._accumulator
    a, b = dictionary.token2id[first], dictionary.token2id[second]
    return (found.num_docs, int(found[a]), int(found[b]), int(found[a, b])), value


print("gensim", gensim.__version__)
short = ["the cat the dog the cat sat".split()]
seen, right = of_gensim(short, 3, "the", "cat")[0], counts(short, 3, "the", "cat")
print(f"the, cat, windows of 3: {seen}, right: {right}")
assert right == (5, 5, 4, 4)
assert seen == (5, 2, 4, 1), "the numbers of windows are others now"

weights = 1 / np.arange(1, 51)
words = np.random.default_rng(0).choice(50, (200, 200), p=weights / weights.sum())
texts = [[f"w{i}" for i in row] for row in words.tolist()]
pairs = [(0, 1), (3, 7), (20, 30)]
for pair in pairs:
    first, second = (f"w{i}" for i in pair)
    (seen, value), right = of_gensim(texts, 110, first, second), counts(texts, 110, first, second)
    print(f"{first}, {second}: {seen}, npmi {value:.3f}, right: {right}", end="")
    print(f", npmi {npmi(*right):.3f}" if right[3] < right[0] else "")
    assert seen[0] == right[0] and seen[1] < 0.9 * right[1] and seen[3] < 0.75 * right[3]

pairs = [(f"w{i}", f"w{i + 1}") for i in range(5, 25, 2)]
found = [of_gensim(texts, 110, *pair)[1] for pair in pairs]
truth = [npmi(*counts(texts, 110, *pair)) for pair in pairs]
correlation = spearmanr(found, truth).statistic
print(f"ten pairs: rank correlation of npmi {correlation:.2f}")
assert correlation < 0.9, "the ranks are right now"

# Without repeated words, the same counts are right.
distinct = [list(dict.fromkeys(text)) for text in texts]
assert of_gensim(distinct, 10, "w3", "w7")[0] == counts(distinct, 10, "w3", "w7")
PY
