"""Labelled corpora of different kinds, mostly made of what installed packages ship.

- ``subpackage``: docstrings of NumPy, SciPy and scikit-learn by subpackage, those of
  `skembed.datasets.load_docstrings`.
- ``module``: docstrings of these and of pandas, NetworkX and Matplotlib, by module.
- ``package``: docstrings of all installed packages, by package; their own names are
  left out of the texts.
- ``stdlib``: the source text of Python's standard library in pieces of 40 words, by
  module; likewise.
- the path of a JSON-lines file with fields ``text`` and ``label`` (may end in .gz);
  documents with a label of -1 are left out.

What is read from packages changes a little with their versions.
"""

import ast
import gzip
import json
import re
import sysconfig
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np

from skembed.datasets import load_docstrings

BUILT_IN = ("subpackage", "module", "package", "stdlib")
_LIBRARIES = ("numpy", "scipy", "sklearn", "pandas", "networkx", "matplotlib")
_SKIPPED = {"test", "tests", "testing", "conftest", "_vendor", "externals"}
_NOT_STDLIB = {"site-packages", "test", "lib2to3", "idlelib", "turtledemo"}
_ABBREVIATIONS = r"|\bnp\b|\bpd\b|\bplt\b|\bnx\b|\bpl\b|\bpa\b"
# Words of a docstring that is not too short to be told from others, and of a piece of
# source text.
_MIN_WORDS = {"module": 30, "package": 8}
_PIECE = 40
# Classes at most, and documents of a class at least: of a small sample the classes are
# the largest ones.
_MAX_CLASSES, _FEW_CLASSES, _SMALL, _MIN_DOCUMENTS = 50, 12, 500, 9


def load(name, n_documents, seed=0):
    """Return texts and labels (ints) of a random sample of a corpus.

    Parameters
    ----------
    name : str
        See above.
    n_documents : int
        At most.
    seed : int, default=0

    Returns
    -------
    texts : list of str
    labels : ndarray of int
    """
    texts, labels = _everything(name)
    counts = Counter(labels.tolist())
    n_classes, least = _FEW_CLASSES, 0
    if n_documents > _SMALL:
        share = max(1.0, len(labels) / n_documents)
        n_classes, least = _MAX_CLASSES, min(_MIN_DOCUMENTS * share, 60)
    kept = [one for one, n in counts.most_common(n_classes) if n >= least]
    rows = np.flatnonzero(np.isin(labels, kept))
    rows = np.random.default_rng(seed).permutation(rows)[:n_documents]
    return [texts[i] for i in rows], np.unique(labels[rows], return_inverse=True)[1]


@lru_cache(maxsize=4)
def _everything(name):
    if name == "subpackage":
        return load_docstrings(return_X_y=True)
    readers = {"module": _modules, "package": _packages, "stdlib": _stdlib}
    pairs = list(dict.fromkeys(readers[name]() if name in readers else _file(name)))
    return [text for text, _ in pairs], np.array([label for _, label in pairs])


def _modules():
    for name in _LIBRARIES:
        for module, text in _docstrings(name):
            if len(text.split()) >= _MIN_WORDS["module"]:
                yield text, module


def _packages():
    site = Path(sysconfig.get_paths()["purelib"])
    for folder in sorted(path for path in site.iterdir() if path.is_dir()):
        name = folder.name
        own_name = re.compile(rf"(?i)\b{re.escape(name)}\b" + _ABBREVIATIONS)
        for _, text in _docstrings(name):
            text = own_name.sub(" ", text)
            if len(text.split()) >= _MIN_WORDS["package"]:
                yield text, name


def _docstrings(package):
    """Yield module and docstring of everything in a package, read from its source."""
    site = Path(sysconfig.get_paths()["purelib"])
    for path in sorted((site / package).rglob("*.py")):
        parts = path.relative_to(site).with_suffix("").parts
        if _SKIPPED & set(parts):
            continue
        try:
            tree = ast.parse(path.read_text("utf-8", errors="replace"))
        except (SyntaxError, ValueError):
            continue  # a template, or written for another version of Python
        module = ".".join(part for part in parts if part != "__init__")
        for node in ast.walk(tree):
            kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                yield module, text


def _stdlib():
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if parts[0] in _NOT_STDLIB or _SKIPPED & set(parts):
            continue
        words = re.findall(r"\b[a-zA-Z]{2,}\b", path.read_text("utf-8", "replace"))
        words = [word for word in words if word.lower() != parts[0].lower()]
        for first in range(0, len(words) - _PIECE // 2, _PIECE):
            yield " ".join(words[first : first + _PIECE]), parts[0]


def _file(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["label"] != -1:
                yield row["text"], str(row["label"])
