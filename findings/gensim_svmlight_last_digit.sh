#!/usr/bin/env bash
# gensim 4.4.0: SvmLightCorpus drops the last digit of a file that does not end with an end of
# line.
#
# One expects the numbers of the file, whether or not its last line is ended, as with
# scikit-learn. Each line is cut at the character "#", which starts a comment. A line without
# comment is cut, too, before its last character. That is the end of the line, so that nothing
# is lost, except in the last line of a file that was written with "\n".join(lines), or cut out
# of another one. The last weight of the last document then lacks its last digit: 47 is read as
# 4, and 0.125 as 0.12. No warning is given. If the weight has one digit, nothing is left of it,
# and float("") raises a ValueError.
#
# Seen: the last document "0 1:30 2:47", with an end of line: [(0, 30.0), (1, 47.0)],
#   without: [(0, 30.0), (1, 4.0)]; scikit-learn reads [30.0, 47.0] both times
#   "0 1:30 2:5" without an end of line: ValueError
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "gensim==4.4.0" "scikit-learn==1.9.1" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version
from pathlib import Path

from gensim.corpora import SvmLightCorpus
from sklearn.datasets import load_svmlight_file

file = Path("documents.svmlight")


def last_document(text):
    """Return the last document of a file, by gensim and by scikit-learn."""
    file.write_text(text)
    expected = load_svmlight_file(str(file))[0].toarray()[-1].tolist()
    return list(SvmLightCorpus(str(file)))[-1], expected


print("gensim", version("gensim"))
text = "1 1:10 2:25\n0 1:30 2:47"
ended, expected = last_document(text + "\n")
print("with an end of line:", ended, "scikit-learn:", expected)
assert ended == [(0, 30.0), (1, 47.0)] and expected == [30.0, 47.0]
cut, expected = last_document(text)
print("without:", cut, "scikit-learn:", expected)
assert expected == [30.0, 47.0]
assert cut == [(0, 30.0), (1, 4.0)], "the last digit is read now"
try:
    found = last_document("1 1:10 2:25\n0 1:30 2:5")
except ValueError as error:
    print("ValueError:", error)
else:
    raise AssertionError(f"a last weight of one digit is read now: {found}")
PY
