"""What tells callables apart: what they do, and not where they come from."""

import functools
import json
import operator
import os
import re
import string
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from skembed._corpus.callables import UnhashableError, fingerprint
from sklearn.feature_extraction.text import CountVectorizer

from skembed._corpus import callables as _callables

try:
    import cloudpickle  # of which recent versions of joblib have no copy
except ImportError:
    from joblib.externals import cloudpickle

pytestmark = pytest.mark.small

SOURCE = """
def analyze(text, size=2, *, fill="-"):
    def cut(word):
        return [word[i : i + size] for i in range(len(word))]
    try:
        words = cut(text)
        return [fill + one for one in words if one not in {"ab", "cd", "ef", "gh"}]
    except ValueError:
        return []
"""


def defined(source, name="analyze", file="one.py", **globals_):
    """Return what the source of a module defines."""
    module = {"__name__": "module", **globals_}
    exec(compile(source, file, "exec"), module)
    return module[name]


EDITS = {
    "a comparison": ("not in", "in"),
    "a constant of an inner function": ("i : i + size", "i : i + size + 1"),
    "an element of a set": ('"gh"', '"xy"'),
    "a default": ("size=2", "size=3"),
    "the type of a default": ("size=2", "size=2.0"),
    "a default by keyword": ('fill="-"', 'fill="+"'),
    "what is called": ("len(word)", "sum(word)"),
    "an argument's name": ("text", "document"),
    "what is caught": ("ValueError", "TypeError"),
    "where it is caught": (
        "    try:\n        words = cut(text)",
        "    words = cut(text)\n    try:",
    ),
}


@pytest.mark.parametrize(("old", "new"), EDITS.values(), ids=EDITS)
def test_an_edited_function(old, new):
    assert old in SOURCE
    edited = defined(SOURCE.replace(old, new))
    assert fingerprint(edited) != fingerprint(defined(SOURCE))


def test_the_place_of_a_function_makes_no_difference():
    """Neither do its file and lines, nor comments; nor a journey to a worker."""
    found = {fingerprint(defined(SOURCE))}
    found.add(fingerprint(defined("\n\n# a comment\n" + SOURCE, file="another.py")))
    moved = cloudpickle.loads(cloudpickle.dumps(defined(SOURCE)))
    assert len(found | {fingerprint(moved)}) == 1


def test_a_function_of_another_module():
    """Its global names stand for something else."""
    other = defined(SOURCE, __name__="other")
    assert fingerprint(other) != fingerprint(defined(SOURCE))
    # Programs are called in two ways by processes that are spawned.
    mains = [defined(SOURCE, __name__=name) for name in ("__main__", "__mp_main__")]
    assert len(set(map(fingerprint, mains))) == 1


def closure(value):
    def analyze(text):
        return [text, value]

    return analyze


def itself():
    def analyze(text):
        return analyze(text[1:]) if text else []

    return analyze


def with_attribute(value):
    def analyze(text):
        return [text, analyze.value]

    analyze.value = value
    return analyze


class Cutter:
    """An object that is called, and has methods that are."""

    sign = "-"

    def __init__(self, size):
        self.size = size

    def __call__(self, text):
        return self.cut(text)

    def cut(self, text):
        return [text[: self.size], self.sign]

    @staticmethod
    def plain(text):
        return [text]

    @classmethod
    def of_class(cls, text):
        return [text, cls.sign]

    @functools.cached_property
    def cached(self):
        return self.size


class Slotted:
    __slots__ = ("size",)

    def __init__(self, size):
        self.size = size

    def __call__(self, text):
        return [text] * self.size


@functools.cache
def remembered(text):
    return [text]


@functools.wraps(Cutter.cut)
def wrapping(text):
    return [text]


# Groups of callables of which any two are different.
DIFFERENT = {
    "closures": [closure(1), closure(2), closure(True), closure("1"), closure([1])],
    "arrays": [closure(np.array(a)) for a in ([1, 2], [2, 1], [1.0, 2.0], [[1, 2]])],
    "sets": [closure({"a", "b"}), closure({"a", "c"}), closure(frozenset("ab"))],
    "dicts": [closure({"a": 1}), closure({"a": 2}), closure({"b": 1}), closure({})],
    "zeros": [closure(0.0), closure(-0.0), closure(0), closure(None), closure(b"")],
    "huge": [closure(10**5000), closure(10**5000 + 1)],
    "functions": [closure(closure(1)), closure(closure(2)), closure(len), itself()],
    "attributes": [with_attribute(1), with_attribute(2)],
    "lambdas": [lambda text: text.split(), lambda text: text.split(" ")],
    "partials": [
        functools.partial(re.findall, "a+"),
        functools.partial(re.findall, "b+"),
        functools.partial(re.findall, "a+", flags=re.IGNORECASE),
        functools.partial(re.split, "a+"),
    ],
    "objects": [Cutter(1), Cutter(2), Slotted(1), Slotted(2)],
    "methods": [Cutter(1).cut, Cutter(2).cut, Cutter(1).plain, Cutter.of_class],
    "builtins": [str.split, str.rsplit, bytes.split, "ab".split, "ac".split, len, list],
    "compiled": [re.compile(one).findall for one in ("a+", "b+")],
    "bound slots": ["ab".__contains__, "ac".__contains__],
    "getters": [operator.itemgetter(1), operator.itemgetter(2)],
    "decorated": [remembered, wrapping],
    "modules": [closure(string), closure(re)],
}


@pytest.mark.parametrize("callables", DIFFERENT.values(), ids=DIFFERENT)
def test_different_callables(callables):
    found = list(map(fingerprint, callables))
    assert len(set(found)) == len(callables)
    assert list(map(fingerprint, callables)) == found


METHODS = {
    "__call__": lambda self, text: [text],
    "cut": lambda self, text: [text],
    "plain": staticmethod(lambda text: []),
    "of_class": classmethod(lambda cls, text: []),
    "cached": property(lambda self: 3),
    "sign": "+",
    "new": 1,
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("how", ["object", "method", "heir"])
def test_an_edited_class(name, how, monkeypatch):
    """All that it defines counts, and what its bases define."""
    heir = type("Heir", (Cutter,), {})
    value = {"object": Cutter(1), "method": Cutter(1).cut, "heir": heir(1)}[how]
    before = fingerprint(value)
    monkeypatch.setattr(Cutter, name, METHODS[name], raising=False)
    assert fingerprint(value) != before


def test_an_edited_class_that_is_called(monkeypatch):
    before = fingerprint(Cutter)
    monkeypatch.setattr(Cutter, "__init__", lambda self, text: None)
    assert fingerprint(Cutter) != before


def test_shared_and_equal_parts_are_the_same():
    part = ("a", ["b"])
    assert fingerprint([part, part]) == fingerprint([part, ("a", ["b"])])
    nested = part
    for _ in range(60):
        # Without looking at each part once, this would never end.
        nested = (nested, nested)
    assert fingerprint(nested)


def test_parts_of_themselves():
    endless = []
    endless.append(endless)
    assert fingerprint(endless) != fingerprint([[]])


class Failing:
    def __reduce_ex__(self, protocol):
        raise RuntimeError("of its own")


UNHASHABLE = {
    "lock": closure(threading.Lock()),
    "lock of an object": Cutter(threading.Lock()),
    "generator": (text for text in "ab").__next__,
    "its own mistake": closure(Failing()),
    "depth": functools.reduce(lambda part, _: [part], range(10**5), []),
}


@pytest.mark.parametrize("value", UNHASHABLE.values(), ids=UNHASHABLE)
def test_what_cannot_be_told_apart(value):
    with pytest.raises(UnhashableError, match=r"lock|generator|of its own|deeply"):
        fingerprint(value)


def test_an_empty_cell():
    def analyze(text):
        return late

    if not analyze:
        late = None
    assert fingerprint(analyze) != fingerprint(itself())


def prints():
    """Fingerprints of callables of this file and of scikit-learn."""
    groups = [group for name, group in DIFFERENT.items() if name != "arrays"]
    found = [fingerprint(one) for group in groups for one in group]
    # Where it has stop words, scikit-learn keeps their address.
    analyzer = CountVectorizer(token_pattern="a").build_tokenizer()
    return [*found, fingerprint(analyzer), fingerprint(defined(SOURCE))]


def test_every_process_agrees():
    """With another seed of hashes, and addresses of its own."""
    code = (
        "import json; from tests.corpus import test_callables as t; print(json.dumps("
        "t.prints()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(_callables.__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == prints()
