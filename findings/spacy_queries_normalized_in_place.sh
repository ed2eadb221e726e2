#!/usr/bin/env bash
# spaCy 3.8.18: asking for the words most similar to a word changes the vector of that word.
#
# `Vectors.most_similar` divides its queries by their lengths in place, which is not documented.
# `token.vector`, `lexeme.vector` and `nlp.vocab.get_vector` are rows of the table itself, and
# `vector.reshape(1, -1)` or `vector[None]`, the usual way to one query, is still that row. So
# each search gives the word that was asked for length 1. From then on, the mean vector of
# every text with this word is another one, and so are `similarity` and whatever was trained on
# such means; `nlp.to_disk` saves the changed table. No warning is given.
# A copy avoids it: `numpy.array([token.vector])`.
#
# Seen: length of "king" 5, similarity of "king crown" to "crown" 0.196;
#   after most_similar for "king": length 1, also in the saved table, similarity 0.707
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "spacy==3.8.18" "numpy==2.4.6"
cd "$work"
"$work/env/bin/python" - <<'PY'
import numpy as np
import spacy


def length(pipeline):
    return float(np.linalg.norm(pipeline.vocab["king"].vector))


def similarity(pipeline):
    return float(pipeline("king crown").similarity(pipeline("crown")))


print("spaCy", spacy.__version__)
nlp = spacy.blank("en")
nlp.vocab.set_vector("king", np.array([0, 5, 0], np.float32))
nlp.vocab.set_vector("crown", np.array([1, 0, 0], np.float32))
nlp.vocab.set_vector("tree", np.array([0, 0, 2], np.float32))
before = length(nlp), similarity(nlp)

query = np.array([nlp.vocab["king"].vector])
copied = nlp.vocab.vectors.most_similar(query, n=2)
assert (length(nlp), similarity(nlp)) == before
print("the query itself has now length", np.linalg.norm(query))

token = nlp("the king")[1]
found = nlp.vocab.vectors.most_similar(token.vector.reshape(1, -1), n=2)
assert all(np.array_equal(a, b) for a, b in zip(copied, found))
after = length(nlp), similarity(nlp)
for name, pair in (("before", before), ("after", after)):
    print(f"{name}: length {pair[0]:.3f}, similarity {pair[1]:.3f}")
nlp.to_disk("saved")
print(f"saved: length {length(spacy.load('saved')):.3f}")
assert np.allclose(before, (5, 1 / 26**0.5)), before
assert np.allclose(after, (1, 0.5**0.5)), "the table is not changed any more"
assert length(spacy.load("saved")) == after[0]
PY
