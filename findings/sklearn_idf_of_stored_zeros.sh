#!/usr/bin/env bash
# scikit-learn 1.9.1: TfidfTransformer counts stored zeros of a sparse matrix as occurrences of
# the word, so that the same counts have another idf as an array.
#
# One expects the document frequency to be the number of documents in which a word occurs, and
# equal matrices to give equal features, however they are stored. For sparse input,
# TfidfTransformer counts the stored entries of each column, and entries may be zero: after
# `X.data -= 1` to discount counts, after a multiplication of rows by weights some of which are 0,
# or after words were masked in some documents. A word with many stored zeros counts as frequent.
# No warning is given. `X.eliminate_zeros()` before `fit` avoids it.
#
# Seen: three documents, and a word whose counts are 0, 1, 1, with the zero stored:
#   idf of the array 1.288, of the sparse matrix 1.0, after eliminate_zeros 1.288
#   rows times weights, some of them 0: the idf is that of all rows, with an array another one
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "scikit-learn==1.9.1" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import numpy as np
import sklearn
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.utils.sparsefuncs import inplace_row_scale


def idf(X):
    return TfidfTransformer().fit(X).idf_


print("scikit-learn", sklearn.__version__)
X = csr_array(np.array([[1.0, 1, 0], [2, 0, 1], [2, 3, 0]]))
X.data[0] -= 1
clean = X.copy()
clean.eliminate_zeros()
dense, sparse, cleaned = (idf(each)[0] for each in (X.toarray(), X, clean))
print(f"array {dense:.3f}, sparse {sparse:.3f}, without stored zeros {cleaned:.3f}")
assert (X.toarray() == clean.toarray()).all() and dense == cleaned > 1.2
assert sparse == 1, "stored zeros no longer count"

counts = csr_array(np.array([[2.0, 1, 0], [1, 0, 1], [1, 1, 0], [0, 2, 0], [1, 1, 0]]))
weighted = counts.copy()
inplace_row_scale(weighted, np.array([1.0, 0, 1, 0, 1]))
as_stored, as_array = idf(weighted).round(3), idf(weighted.toarray()).round(3)
print("weights of rows: sparse", as_stored, "array", as_array)
assert (idf(weighted) == idf(counts)).all()
assert (as_stored != as_array).any()
PY
