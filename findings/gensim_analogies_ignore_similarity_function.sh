#!/usr/bin/env bash
# gensim 4.4.0: evaluate_word_analogies ignores its argument similarity_function. It always
# answers by 3CosAdd, and even accepts the name of a method that does not exist.
#
# One expects `similarity_function="most_similar_cosmul"` to answer the questions by
# 3CosMul (Levy & Goldberg 2014), since the argument names the method that finds the
# answer. Whoever compares the two methods with it reports the same number twice.
#
# Seen: on eight random vectors and 70 questions of four different words,
#   most_similar: 0.2143, most_similar_cosmul: 0.2143, no_such_function: 0.2143
#   answered one by one with most_similar_cosmul: 0.2286
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "gensim==4.4.0" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import itertools

import gensim
import numpy as np
from gensim.models import KeyedVectors

words = list("abcdefgh")
table = KeyedVectors(4)
vectors = np.random.default_rng(1).normal(size=(len(words), 4)).astype(np.float32)
table.add_vectors(words, vectors)
questions = list(itertools.combinations(words, 4))
with open("questions.txt", "w") as file:
    file.write(": all\n")
    file.writelines(" ".join(question) + "\n" for question in questions)

print("gensim", gensim.__version__)
found = {
    name: table.evaluate_word_analogies("questions.txt", similarity_function=name)[0]
    for name in ("most_similar", "most_similar_cosmul", "no_such_function")
}
one_by_one = np.mean(
    [
        table.most_similar_cosmul(positive=[b, c], negative=[a], topn=1)[0][0] == d
        for a, b, c, d in questions
    ]
)
print(", ".join(f"{name}: {value:.4f}" for name, value in found.items()))
print(f"answered one by one with most_similar_cosmul: {one_by_one:.4f}")
assert len(set(found.values())) == 1, "similarity_function now has an effect"
assert abs(one_by_one - found["most_similar_cosmul"]) > 1e-6
PY
