#!/usr/bin/env bash
# scikit-learn 1.9.1: two of the documented values of `ScoringMonitor(scoring=...)` end the
# fit with a TypeError.
#
# The docstring allows a callable that returns a single value, and None for the
# estimator's own `score`. Both give a scorer that returns a float, which the callback
# then iterates as if it were a dict of scores. A string, and a dict of callables, work.
# So a callback that watches `score` of an estimator without labels, such as a word
# embedder, has to be written as a dict.
#
# Seen: scoring='accuracy': fitted; {'accuracy': callable}: fitted;
#   callable: TypeError: 'float' object is not iterable;
#   None: TypeError: 'float' object is not iterable
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "scikit-learn==1.9.1" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
import sklearn
from sklearn.callback import ScoringMonitor
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

X, y = make_classification(random_state=0)


def accuracy(estimator, X, y):
    return float((estimator.predict(X) == y).mean())


def outcome(scoring):
    """Fit with a monitor; return what becomes of it."""
    estimator = LogisticRegression()
    estimator.set_callbacks(ScoringMonitor(scoring=scoring))
    try:
        estimator.fit(X, y)
    except TypeError as error:
        return f"TypeError: {error}"
    return "fitted"


print("scikit-learn", sklearn.__version__)
seen = {
    "'accuracy'": outcome("accuracy"),
    "{'accuracy': callable}": outcome({"accuracy": accuracy}),
    "callable": outcome(accuracy),
    "None": outcome(None),
}
for scoring, what in seen.items():
    print(f"scoring={scoring}: {what}")
refused = "TypeError: 'float' object is not iterable"
assert list(seen.values()) == ["fitted", "fitted", refused, refused]
PY
