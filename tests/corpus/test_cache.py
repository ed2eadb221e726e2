"""What a `memory` keeps for the next fit, and what tells callables apart."""

import copy
import functools
import io
import json
import mmap
import operator
import os
import pickle
import re
import shutil
import string
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skembed import PPMISVDEmbedder, SGNSEmbedder
from skembed._corpus import cache as _caching
from skembed._corpus import reader, tokenize
from skembed._corpus.cache import UnhashableError, fingerprint
from skembed._counts import windows
from tests.helpers import (
    COUNTING,
    DOCUMENTS,
    ESTIMATORS,
    OTHER_DOCUMENTS,
    PACKAGE,
    TOKENISED,
    Once,
    assert_same_fit,
    cheap,
    in_fork,
    same,
    traced,
)

try:
    import cloudpickle  # of which recent versions of joblib have no copy
except ImportError:
    from joblib.externals import cloudpickle

pytestmark = pytest.mark.small

WEIGHTS = np.linspace(0.5, 2.0, len(DOCUMENTS))
LABELS = np.array([0, 1] * (len(DOCUMENTS) // 2))


def split_at_spaces(document):
    return document.split(" ")


def without_vowels(document):
    return document.translate(dict.fromkeys(map(ord, "aeiou")))


class Pieces:
    """A callable with a state."""

    def __init__(self, length):
        self.length = length

    def __call__(self, document):
        n = self.length
        return [document[i : i + n] for i in range(0, len(document), n)]


class Text(str):
    """Text with an idea of its own of what lower case is."""

    def lower(self):
        return self.upper()


class Forgetful:
    """A memory of the smallest interface, which hands out the same objects again."""

    def __init__(self):
        self.kept = {}

    def cache(self, function):
        def call(*arguments):
            key = joblib.hash(arguments)
            if key not in self.kept:
                self.kept[key] = function(*arguments)
            return self.kept[key]

        return call


@pytest.fixture
def work(monkeypatch):
    """Counts how often documents are tokenised, looked up and counted."""
    done = {"number": 0, "look_up": 0, "count_cooccurrences": 0}

    def counting(module, name):
        function = getattr(module, name)

        @functools.wraps(function)
        def call(*arguments, **keywords):
            done[name] += 1
            return function(*arguments, **keywords)

        monkeypatch.setattr(module, name, call)

    counting(tokenize, "number")
    counting(tokenize, "look_up")
    counting(windows, "count_cooccurrences")
    return done


@pytest.fixture
def remembering(monkeypatch):
    """Let look-ups of few documents be remembered, by nobody else."""
    monkeypatch.setattr(reader, "_MUCH", 0)
    monkeypatch.setattr(reader, "_MUCH_PER_WORD", 0)
    recent = _caching.Recent(2**20)
    monkeypatch.setattr(reader, "_looked_up", recent)
    return recent


def files_in(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def results_in(folder):
    return [path for path in files_in(folder) if path.name == "output.pkl"]


# --- the same bits --------------------------------------------------------------------

WAYS = {
    "raw": {},
    "tokenised": {"X": TOKENISED},
    "tuples": {"X": list(map(tuple, TOKENISED))},
    "arrays": {"X": [np.array(tokens) for tokens in TOKENISED]},
    "array of str": {"X": np.array(DOCUMENTS)},
    "objects": {"X": np.array(DOCUMENTS, dtype=object)},
    "weights": {"sample_weight": WEIGHTS},
    "whole weights": {"sample_weight": [1, 2] * (len(DOCUMENTS) // 2)},
    "one weight": {"sample_weight": 2.0},
    "vocabulary": {"vocabulary": ["cedar", "amber", "unseen", "birch"]},
    "vocabulary as set": {"vocabulary": {"cedar", "amber", "birch"}},
    "vocabulary, weights": {
        "vocabulary": {"cedar": 1, "amber": 0},
        "sample_weight": WEIGHTS,
    },
    "max_features": {"max_features": 4},
    "stop words": {"stop_words": ["amber", "birch"]},
    "stop words, tokenised": {"stop_words": ["amber"], "X": TOKENISED},
    "characters": {"analyzer": "char"},
    "function": {"analyzer": split_at_spaces},
    "function of Python": {"analyzer": str.split},
    "object": {"analyzer": Pieces(3)},
    "partial": {"analyzer": functools.partial(re.findall, "[a-m]+")},
    "accents": {"strip_accents": without_vowels},
    "capitals": {"lowercase": False},
    "surrogates": {"X": [f"{text} \ud800x \udfffy" for text in DOCUMENTS]},
    "subclass": {"X": list(map(Text, DOCUMENTS))},
    "tokens of a subclass": {"X": [list(map(Text, tokens)) for tokens in TOKENISED]},
    "flat": {"window_weighting": "flat"},
}


def assert_learned_the_same(left, right):
    """Two estimators have learned the same, with a memory or without.

    With one, a fit keeps what `partial_fit` needs to find its counts again.
    """
    assert_same_fit(left, right, without=("_counts_key", "_squares"))


def fit(estimator, params, memory):
    params = dict(params)
    X = params.pop("X", DOCUMENTS)
    sample_weight = params.pop("sample_weight", None)
    embedder = cheap(estimator, **params, memory=memory)
    return embedder.fit(X, sample_weight=sample_weight)


@pytest.mark.parametrize("params", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_same_bits(estimator, params, tmp_path, work):
    """Without a memory, with an empty and with a filled one."""
    expected = fit(estimator, params, None)
    assert_learned_the_same(fit(estimator, params, str(tmp_path)), expected)
    before = dict(work)
    assert_learned_the_same(fit(estimator, params, tmp_path), expected)
    assert work == before
    assert len(results_in(tmp_path)) == 1 + (estimator in COUNTING)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    "make",
    [
        lambda folder: joblib.Memory(folder, verbose=0),
        lambda folder: joblib.Memory(folder, mmap_mode="r", verbose=0),
        lambda folder: joblib.Memory(folder, compress=3, verbose=0),
        lambda folder: joblib.Memory(None, verbose=0),
        lambda folder: Forgetful(),
    ],
    ids=["plain", "mapped", "compressed", "nowhere", "other"],
)
def test_kinds_of_memory(estimator, make, tmp_path):
    """Also of those that hand out what must not be changed."""
    memory = make(tmp_path)
    expected = fit(estimator, {}, None)
    for _ in range(3):
        assert_learned_the_same(fit(estimator, {}, memory), expected)


@pytest.mark.parametrize("params", [{"directional": True}, {"share_context": True}])
def test_both_directions(params, tmp_path):
    expected = fit(PPMISVDEmbedder, params, None)
    for _ in range(2):
        assert_learned_the_same(fit(PPMISVDEmbedder, params, tmp_path), expected)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_learned_may_be_changed(estimator, tmp_path):
    expected = fit(estimator, {}, None)
    for _ in range(2):
        embedder = fit(estimator, {}, tmp_path)
        assert_learned_the_same(embedder, expected)
        embedder.vocabulary_.clear()
        embedder.word_counts_[:] = 0
        embedder.word_vectors_[:] = 0


@pytest.mark.parametrize("memory", [False, True])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_generator_is_consumed_once(estimator, memory, tmp_path):
    documents = Once(DOCUMENTS)
    folder = tmp_path if memory else None
    embedder = cheap(estimator, memory=folder).fit(documents)
    assert documents.n_next == len(DOCUMENTS) + 1
    assert_learned_the_same(embedder, fit(estimator, {}, None))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_is_written_without_a_memory(estimator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    embedder = cheap(estimator).fit(DOCUMENTS)
    embedder.transform(OTHER_DOCUMENTS)
    embedder.score(OTHER_DOCUMENTS)
    assert not files_in(tmp_path)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_matrix_needs_no_memory(estimator, tmp_path):
    matrix = np.random.default_rng(0).poisson(1.0, size=(20, 6))
    fitted = [cheap(estimator, memory=m).fit(matrix) for m in (None, tmp_path)]
    assert_learned_the_same(*fitted)
    assert not results_in(tmp_path)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clones_and_pickles(estimator, tmp_path, work):
    embedder = cheap(estimator, memory=str(tmp_path)).fit(DOCUMENTS)
    before = dict(work)
    copies = clone(embedder), pickle.loads(pickle.dumps(embedder))
    assert all(one.memory == str(tmp_path) for one in copies)
    for one in (*copies, copy.deepcopy(embedder)):
        assert_learned_the_same(one.fit(DOCUMENTS), embedder)
    assert work == before


# --- what is not the same -------------------------------------------------------------

OTHERS = {
    "min_count": {"min_count": 16},
    "max_features": {"max_features": 3},
    "analyzer": {"analyzer": "char_wb"},
    "function": {"analyzer": split_at_spaces},
    "state": {"analyzer": Pieces(2)},
    "other state": {"analyzer": Pieces(3)},
    "strip_accents": {"strip_accents": without_vowels},
    "lowercase": {"X": OTHER_DOCUMENTS[:15]},
    "token_pattern": {"token_pattern": r"\b[a-d]\w+\b"},
    "stop_words": {"stop_words": ["amber"]},
    "other stop_words": {"stop_words": ["amber", "birch"]},
    "vocabulary": {"vocabulary": ["amber", "birch"]},
    "order": {"vocabulary": ["birch", "amber"]},
    "rows": {"vocabulary": {"birch": 1, "amber": 0}},
    "weights": {"sample_weight": WEIGHTS},
    "ones": {"sample_weight": np.ones(len(DOCUMENTS))},
    "other weights": {"sample_weight": WEIGHTS[::-1]},
    "window": {"window": 1},
    "window_weighting": {"window_weighting": "flat"},
    "order of documents": {"X": DOCUMENTS[::-1]},
    "tokenised": {"X": TOKENISED},
    "subclass": {"X": list(map(Text, DOCUMENTS))},
    "one subclass": {"X": [Text(DOCUMENTS[0]), *DOCUMENTS[1:]]},
    "another subclass": {"X": [*DOCUMENTS[:-1], Text(DOCUMENTS[-1])]},
}


@pytest.mark.parametrize("estimator", COUNTING)
def test_other_fits_are_told_apart(estimator, tmp_path):
    for _ in range(2):
        for params in ({}, *OTHERS.values()):
            expected = fit(estimator, params, None)
            assert_learned_the_same(fit(estimator, params, tmp_path), expected)


PAIRS = {
    "where a document ends": (["ab", "c"], ["a", "bc"]),
    "where a token ends": ([["ab", "c"]], [["a", "bc"]]),
    "tokens of a document": ([["a", "b"], ["c"]], [["a"], ["b", "c"]]),
    "an empty document": (["a", "", "b"], ["a", "b", ""]),
    "an empty list": ([["a"], []], [[], ["a"]]),
    "no token": ([[""]], [[]]),
    "raw or not": (["ab"], [["ab"]]),
    "one letter or list": (["a"], [["a"]]),
    "surrogates": (["\ud800"], ["\udfff"]),
    "a pair of surrogates": (["\ud83d\ude00"], ["\U0001f600"]),
    "a zero": (["a\0"], ["a"]),
    "order": (["a", "b"], ["b", "a"]),
    "repetition": (["a"], ["a", "a"]),
    "kind": (["a"], [Text("a")]),
    "where the kind is": ([Text("a"), "a"], ["a", Text("a")]),
    "kinds of tokens": ([["a"]], [[Text("a")]]),
}


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_digests_differ(left, right):
    assert _caching.digest(left) == _caching.digest(list(left)) is not None
    assert _caching.digest(left) != _caching.digest(right)


@pytest.mark.parametrize("documents", [DOCUMENTS, TOKENISED, [], [""], [[]]])
def test_equal_documents_have_equal_digests(documents):
    """Also where nothing is remembered, and in other containers and parts."""
    expected = _caching.digest(documents)
    others = pickle.loads(pickle.dumps(documents))
    if documents and isinstance(documents[0], list):
        others = list(map(np.array, others)) if documents[0] else [()]
        tuples = list(map(tuple, documents))
        assert _caching.digest(tuples) == expected
    else:
        assert _caching.digest(others) == expected


@pytest.mark.long
def test_digest_does_not_depend_on_the_process(monkeypatch):
    """Though Python's hashes do, by which it is found again."""
    code = (
        "from skembed._corpus.cache import digest, key_of\n"
        "from tests.helpers import DOCUMENTS, TOKENISED\n"
        "print(digest(DOCUMENTS), digest(TOKENISED), key_of('a', None, 3))"
    )
    found = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found.add(
            subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                check=True,
                env=environment,
            ).stdout
        )
    assert len(found) == 1
    expected = map(_caching.digest, (DOCUMENTS, TOKENISED))
    assert found.pop().split() == [*expected, _caching.key_of("a", None, 3)]


def test_digest_needs_little_memory():
    documents = ["x" * 2000 + str(i) for i in range(20_000)]
    _, peak = traced(_caching.digest, documents)
    assert peak < 3 * 2000 * _caching._TEXTS


def test_documents_are_digested_once(monkeypatch):
    done = []
    digest = _caching._digest
    monkeypatch.setattr(_caching, "_digest", lambda *x: done.append(1) or digest(*x))
    monkeypatch.setattr(_caching, "_digests", _caching.Recent(2**18))
    folds = [DOCUMENTS[:5], DOCUMENTS[5:]]
    assert len({_caching.digest(list(f)) for _ in range(3) for f in folds}) == 2
    assert len(done) == 2


def test_a_key_depends_on_all_parts():
    parts = [
        ("a", "b"),
        ("ab",),
        ("a", "b", None),
        (1,),
        ("1",),
        (None,),
        (np.zeros(2),),
        (np.zeros(2, dtype=np.float32),),
        (np.zeros((1, 2)),),
        (np.array([0.0, 1.0]),),
    ]
    keys = [_caching.key_of(*one) for one in parts]
    assert len(set(keys)) == len(parts)
    assert keys == [_caching.key_of(*copy.deepcopy(one)) for one in parts]


@pytest.mark.parametrize("module", ["skembed._version", "sklearn"])
def test_other_versions_keep_their_own(module, tmp_path, monkeypatch, work):
    fit(PPMISVDEmbedder, {}, tmp_path)
    before = dict(work)
    monkeypatch.setattr(sys.modules[module], "__version__", "0.0.0+other")
    fit(PPMISVDEmbedder, {}, tmp_path)
    assert work["number"] == before["number"] + 1
    assert work["count_cooccurrences"] == before["count_cooccurrences"] + 1


# --- callables ------------------------------------------------------------------------


def keeping(size):
    def analyze(document):
        return [word[:size] for word in document.split()]

    return analyze


def first_letters(document):
    return [word[0] for word in document.split()]


def last_letters(document):
    return [word[-1] for word in document.split()]


def without(letters):
    return lambda document: document.translate(dict.fromkeys(map(ord, letters)))


def named_alike(function):
    """Return a function as if it were `split_at_spaces` after an edit."""
    function.__qualname__ = function.__name__ = "split_at_spaces"
    return function


# Pairs of values of a parameter; pickle knows some of them by the same name.
EDITED = {
    "code": ("analyzer", [named_alike(f) for f in (first_letters, last_letters)]),
    "closure": ("analyzer", [keeping(size) for size in (2, 3)]),
    "lambda": ("analyzer", [lambda text: list(text[:9]), lambda text: list(text[9:])]),
    "partial": ("analyzer", [functools.partial(re.findall, p) for p in ("a.", "b.")]),
    "object": ("analyzer", [Pieces(length) for length in (2, 3)]),
    "accents": ("strip_accents", [without(letters) for letters in ("ae", "aei")]),
}


@pytest.mark.parametrize(("name", "callables"), EDITED.values(), ids=EDITED)
def test_an_edited_callable(name, callables, tmp_path, work, remembering):
    """It is known by what it does, in `fit` and in `transform`."""
    for value in callables:
        params = {name: value}
        plain = fit(PPMISVDEmbedder, params, None)
        n_before = work["number"]
        for _ in range(2):
            found = fit(PPMISVDEmbedder, params, tmp_path)
            assert_learned_the_same(found, plain)
            features = found.transform(OTHER_DOCUMENTS)
            np.testing.assert_array_equal(features, plain.transform(OTHER_DOCUMENTS))
        assert work["number"] == n_before + 1


class Locked(Pieces):
    """A callable with a part that nothing tells apart from others."""

    def __init__(self, length):
        super().__init__(length)
        self.lock = threading.Lock()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_callable_that_cannot_be_told_apart(estimator, tmp_path):
    """One warning, however much there is to say, and nothing is kept."""
    params = {"analyzer": Locked(3), "share_context": True, "combine": "sum"}
    for _ in range(2):
        with pytest.warns(UserWarning, match="analyzer=.*lock.* combine='sum'") as seen:
            found = fit(estimator, params, tmp_path)
        assert len(seen) == 1
        with pytest.warns(UserWarning, match="combine='sum'"):
            expected = fit(estimator, params, None)
        assert_learned_the_same(found, expected)
    assert not results_in(tmp_path)


PROGRAM = """
import functools
import json
import re
import sys
from pathlib import Path

from sklearn.model_selection import GridSearchCV

from skembed import PPMISVDEmbedder
from tests.helpers import DOCUMENTS, cheap


def first_letters(document):
    return [word[:2] for word in document.split() if word not in {"amber", "birch"}]


def make(size):
    return lambda document: [word[:size] for word in document.split()]


class Cutter:
    sizes = {1, 2, 3}

    def __init__(self, size):
        self.size = size

    def __call__(self, document):
        return [word[: self.size] for word in document.split()]

    def cut(self, document):
        return self(document)


folder = sys.argv[1]
grid = [
    {
        "analyzer": [
            first_letters,
            make(3),
            Cutter(3),
            Cutter(4).cut,
            functools.partial(re.findall, "[a-m]+"),
            str.split,
        ]
    },
    {"strip_accents": [lambda document: document.replace("e", "a")]},
]
answers = []
for n_jobs in (1, 2):
    embedder = cheap(PPMISVDEmbedder, memory=folder)
    search = GridSearchCV(
        embedder, grid, cv=2, n_jobs=n_jobs, refit=False, error_score="raise"
    )
    scores = search.fit(DOCUMENTS).cv_results_["mean_test_score"].tolist()
    answers.append([scores, len(list(Path(folder).rglob("output.pkl")))])
print(json.dumps(answers))
"""


def run_program(source, folder):
    """Run a program as users run theirs; return what its last line says in JSON."""
    path = folder / "program.py"
    path.write_text(source)
    result = subprocess.run(
        [sys.executable, "-W", "error", path, folder / "cache"],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.long
def test_callables_of_a_program(tmp_path):
    """Its workers find what it has kept, and what it has edited is told apart."""
    (scores, n_kept), again = run_program(PROGRAM, tmp_path)
    assert [scores, n_kept] == again
    edited = PROGRAM.replace("word[:2]", "word[1:3]").replace('"birch"}', '"cedar"}')
    (others, n_others), again = run_program(edited, tmp_path)
    assert [others, n_others] == again
    # Tokens and counts of two folds.
    assert n_others - n_kept == 4
    assert others[0] != scores[0]
    assert others[1:] == scores[1:]


# --- transform and score --------------------------------------------------------------


@pytest.mark.parametrize("X", [OTHER_DOCUMENTS, TOKENISED[3:]], ids=["raw", "tokens"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_looked_up_once(estimator, X, tmp_path, work, remembering):
    plain = fit(estimator, {}, None)
    embedder = fit(estimator, {}, tmp_path)
    kept = results_in(tmp_path)
    expected, score = plain.transform(X), plain.score(X)
    work["look_up"] = 0
    for _ in range(3):
        np.testing.assert_array_equal(embedder.transform(list(X)), expected)
        assert embedder.score(X) == score
    assert work["look_up"] == 1
    # No file is written for documents that are only transformed.
    n_scored = len(results_in(tmp_path)) - len(kept)
    assert n_scored == (estimator in COUNTING)


def test_other_look_ups_are_told_apart(tmp_path, remembering):
    ways = ({}, {"max_features": 3}, {"lowercase": False}, {"stop_words": ["amber"]})
    ways += ({"vocabulary": ["amber", "birch"]}, {"vocabulary": ["birch", "amber"]})
    for _ in range(2):
        for params in ways:
            expected = fit(PPMISVDEmbedder, params, None)
            embedder = fit(PPMISVDEmbedder, params, tmp_path)
            for X in (DOCUMENTS, OTHER_DOCUMENTS, iter(DOCUMENTS[:3])):
                X = list(X)
                np.testing.assert_array_equal(
                    embedder.transform(X), expected.transform(X)
                )


def test_what_transform_keeps_is_not_changed(tmp_path, remembering):
    """Neither by the caller of the look-up nor by another vocabulary."""
    embedder = fit(PPMISVDEmbedder, {}, tmp_path)
    first, _ = reader.look_up(embedder, DOCUMENTS)
    expected = first.token_ids.copy()
    first.token_ids[:] = 0
    second, _ = reader.look_up(embedder, DOCUMENTS)
    np.testing.assert_array_equal(second.token_ids, expected)
    embedder.vocabulary_ = dict.fromkeys(embedder.vocabulary_, 0)
    third, _ = reader.look_up(embedder, DOCUMENTS)
    assert not third.token_ids.any()


def test_transform_takes_what_it_took(tmp_path, remembering):
    embedder = fit(PPMISVDEmbedder, {}, tmp_path)
    expected = embedder.transform(DOCUMENTS)
    documents = Once(DOCUMENTS)
    np.testing.assert_array_equal(embedder.transform(documents), expected)
    assert documents.n_next == len(DOCUMENTS) + 1
    for X in ("amber", [None], [["amber"], "birch"], [3], [["amber", 3]]):
        messages = []
        for memory in (None, tmp_path):
            embedder.set_params(memory=memory)
            with pytest.raises(ValueError, match=r"Token|Document|single") as error:
                embedder.transform(X)
            messages.append(str(error.value))
        assert messages[0] == messages[1]


def test_recent_results_are_bounded():
    recent = _caching.Recent(10)
    recent.add("a", 1, 4)
    recent.add("b", 2, 4)
    recent.add("a", 3, 4)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, 2, None)
    recent.get("a")
    recent.add("c", 3, 4)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
    recent.add("huge", 4, 11)
    assert recent.get("huge") is None
    recent.add("large", 5, 10)
    assert [recent.get(key) for key in ("a", "c", "large")] == [None, None, 5]


class Waiting:
    """A key that lets another thread have what it holds when it is looked up."""

    def __init__(self):
        self.is_held = threading.Event()
        self.goes_on = threading.Event()

    def __hash__(self):
        self.is_held.set()
        self.goes_on.wait()
        return 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("name", ["_looked_up", "_digests"])
def test_a_fork_while_a_lock_is_held(name, tmp_path, monkeypatch, remembering):
    """By a thread that does not exist in the child; what is kept is still there."""
    monkeypatch.setattr(_caching, "_digests", _caching.Recent(2**18))
    embedder = fit(PPMISVDEmbedder, {}, tmp_path)
    expected = embedder.transform(DOCUMENTS).tolist()
    recent = {**vars(reader), **vars(_caching)}[name]
    n_held = len(recent._held)
    key = Waiting()
    thread = threading.Thread(target=recent.get, args=(key,))
    thread.start()
    key.is_held.wait()

    def look():
        features = fit(PPMISVDEmbedder, {}, tmp_path).transform(DOCUMENTS)
        return features.tolist(), len(recent._held)

    try:
        assert in_fork(look) == [expected, n_held]
    finally:
        key.goes_on.set()
        thread.join()


# --- searches -------------------------------------------------------------------------


def search(memory, n_jobs, embedder=None):
    embedder = cheap(PPMISVDEmbedder) if embedder is None else embedder
    embedder.set_params(memory=memory)
    pipeline = make_pipeline(embedder, LogisticRegression())
    name = type(embedder).__name__.lower()
    grid = {f"{name}__n_components": [1, 2], f"{name}__shift": [1.0, 2.0]}
    return GridSearchCV(
        pipeline, grid, cv=3, n_jobs=n_jobs, refit=False, error_score="raise"
    ).fit(DOCUMENTS, LABELS)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search(n_jobs, tmp_path, work, remembering):
    expected = search(None, 1).cv_results_
    work.update(dict.fromkeys(work, 0))
    found = search(str(tmp_path), n_jobs).cv_results_
    for name in expected:
        if name.endswith("_test_score"):
            np.testing.assert_array_equal(found[name], expected[name])
    assert len(results_in(tmp_path)) == 2 * 3
    if n_jobs == 1:
        assert set(work.values()) == {3}


def test_search_without_labels(tmp_path, work, remembering):
    """Tokenised and counted once: each fold's training and each fold's test part."""
    grid = {"n_components": [1, 2], "share_context": [False, True]}
    scores = []
    for memory in (None, tmp_path):
        embedder = cheap(PPMISVDEmbedder, memory=memory)
        work.update(dict.fromkeys(work, 0))
        found = GridSearchCV(embedder, grid, cv=3, refit=False).fit(DOCUMENTS)
        scores.append(found.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)
    assert np.isfinite(scores[0]).all()
    assert work == {"number": 3, "look_up": 3, "count_cooccurrences": 6}


# --- when files fail ------------------------------------------------------------------


def flip(content, place, bit=0):
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


# What may become of the bytes of a file.
DAMAGES = {
    "empty": lambda content: b"",
    "other": lambda content: b"not a pickle",
    "cut": lambda content: content[: len(content) // 2],
    "zeros": lambda content: content[:-64] + bytes(64),
}
MEMORIES = {
    "folder": str,
    "path": lambda folder: folder,
    "plain": lambda folder: joblib.Memory(folder, verbose=0),
    "mapped": lambda folder: joblib.Memory(folder, mmap_mode="r", verbose=0),
    "compressed": lambda folder: joblib.Memory(folder, compress=3, verbose=0),
}


@pytest.mark.parametrize("make", MEMORIES.values(), ids=MEMORIES)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_replaced(damage, make, tmp_path, work, caplog):
    expected = fit(PPMISVDEmbedder, {}, make(tmp_path))
    for path in results_in(tmp_path):
        path.write_bytes(damage(path.read_bytes()))
    before = dict(work)
    for _ in range(2):
        assert_learned_the_same(fit(PPMISVDEmbedder, {}, make(tmp_path)), expected)
    assert work["number"] == before["number"] + 1
    assert work["count_cooccurrences"] == before["count_cooccurrences"] + 1


def test_a_flipped_bit_of_a_token(tmp_path):
    """Which gives another token, and so other vectors, if nobody notices."""
    expected = fit(PPMISVDEmbedder, {}, tmp_path)
    rows = expected.vocabulary_
    ids = np.array([rows[word] for tokens in TOKENISED for word in tokens], np.int32)
    n_flipped = 0
    for path in results_in(tmp_path):
        content = path.read_bytes()
        if ids.tobytes() in content:
            path.write_bytes(flip(content, content.index(ids.tobytes())))
            n_flipped += 1
        else:
            # Counts of the right tokens are not to hide it.
            path.unlink()
    assert n_flipped == 1
    for _ in range(2):
        assert_learned_the_same(fit(PPMISVDEmbedder, {}, tmp_path), expected)


@pytest.mark.parametrize("make", MEMORIES.values(), ids=MEMORIES)
def test_any_flipped_bit(make, tmp_path, caplog):
    """Wherever it is, a memory returns what it was given."""
    whole = np.arange(5, dtype=np.int32), b"words", None, np.array([0.5, 2.0])
    calls = []

    def compute():
        calls.append(1)
        return whole

    def look():
        found, _ = _caching.keep(make(tmp_path), "key", compute)
        assert len(found) == len(whole)
        for one, other in zip(found, whole, strict=True):
            assert same(one, other)

    look()
    (path,) = results_in(tmp_path)
    content = path.read_bytes()
    # Of a compressed file, all of the few bytes; and of others about as many.
    for place in range(0, len(content), len(content) // 150 + 1):
        path.write_bytes(flip(content, place, place % 8))
        look()
        n_calls = len(calls)
        look()
        assert len(calls) == n_calls
    assert len(calls) > 20


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 3 * 4096 + 5])
def test_checksums_of_bytes(size):
    """Any bit counts, also in front of what does not fill a row of numbers."""
    rng = np.random.default_rng(size)
    array = rng.integers(0, 256, size=size, dtype=np.uint8)
    whole = _caching._checksum((array,))
    for place in {0, size - 1, *rng.integers(0, size, size=50).tolist()}:
        changed = array.copy()
        changed[place] ^= 1 << place % 8
        assert _caching._checksum((changed,)) != whole
        if size > 8:
            # And the same bit of the next number, which may undo it in a sum.
            changed[(place + 8) % size] ^= 1 << place % 8
            assert _caching._checksum((changed,)) != whole


def test_checksums_differ():
    arrays = np.arange(4), np.arange(4.0), np.arange(4).reshape(2, 2), np.arange(5)
    swapped = np.array([0, 2, 1, 3])
    parts = [*arrays, swapped, np.array(3), np.zeros(0), b"", b"None", None]
    sums = [_caching._checksum((part,)) for part in parts]
    # None is written as its name, which no result holds as bytes in its place.
    assert len(set(sums)) == len(parts) - 1
    assert sums[:5] == [_caching._checksum((part.copy(),)) for part in parts[:5]]
    columns = np.asfortranarray(np.arange(6).reshape(2, 3))
    assert _caching._checksum((columns,)) == _caching._checksum((columns.copy("C"),))


class Careless(Forgetful):
    """A memory that changes what it is given to keep."""

    def cache(self, function):
        call = super().cache(function)

        def change(*arguments):
            call(*arguments)
            parts = list(call(*arguments))
            parts[0] = parts[0] + 1
            return tuple(parts)

        return change


def test_a_memory_that_changes_what_it_keeps():
    """One that cannot be told to replace it is of no use, and does no harm."""
    expected, memory = fit(PPMISVDEmbedder, {}, None), Careless()
    for _ in range(2):
        assert_learned_the_same(fit(PPMISVDEmbedder, {}, memory), expected)


@pytest.mark.parametrize("make", MEMORIES.values(), ids=MEMORIES)
def test_a_damaged_note_of_joblib(make, tmp_path, work, monkeypatch):
    """Of the function's source, which is not even text any more."""
    monkeypatch.setattr(joblib.memory, "_FUNCTION_HASHES", {})
    expected = fit(PPMISVDEmbedder, {}, make(tmp_path))
    (note,) = (path for path in files_in(tmp_path) if path.name == "func_code.py")
    note.write_bytes(b"\xff" + note.read_bytes())
    # As in a new process, which has not read it yet.
    monkeypatch.setattr(joblib.memory, "_FUNCTION_HASHES", {})
    n_before = work["number"]
    for _ in range(3):
        assert_learned_the_same(fit(PPMISVDEmbedder, {}, make(tmp_path)), expected)
    assert work["number"] == n_before + 1


class Deleting:
    """Deletes a folder before one of the calls that look at files or write them."""

    CALLS = (io.open, os.mkdir, os.stat, os.rename, os.replace)

    def __init__(self, folder, n_before):
        self.folder = folder
        self.n_left = n_before + 1

    def __call__(self, frame, event, function):
        if event == "c_call" and function in self.CALLS:
            self.n_left -= 1
            if not self.n_left:
                shutil.rmtree(self.folder, ignore_errors=True)


@pytest.mark.parametrize("make", MEMORIES.values(), ids=MEMORIES)
def test_a_folder_that_disappears(make, tmp_path):
    """At any time in a fit, which is as without it, and warns once at most."""
    expected = fit(PPMISVDEmbedder, {}, None)
    n_before, deleted = 0, True
    while deleted:
        folder = tmp_path / str(n_before)
        memory, deleting = make(folder), Deleting(folder, n_before)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            sys.setprofile(deleting)
            try:
                found = fit(PPMISVDEmbedder, {}, memory)
            finally:
                sys.setprofile(None)
        assert_learned_the_same(found, expected)
        # The others are joblib's.
        messages = [str(one.message) for one in seen]
        assert all(message.startswith("Unable to ") for message in messages)
        assert sum(" with memory=" in message for message in messages) <= 1
        deleted = deleting.n_left <= 0
        n_before += 1
    assert n_before > 10


@pytest.mark.parametrize("error", [None, FileNotFoundError])
def test_a_folder_that_cannot_be_made(error, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    embedder = cheap(PPMISVDEmbedder, memory=tmp_path / "file" / "folder")
    if error is not None:

        def makedirs(*_, **__):
            raise error("there is no such drive")

        monkeypatch.setattr(os, "makedirs", makedirs)
    with pytest.raises(ValueError, match=r"memory=.*cannot be used as a folder"):
        embedder.fit(DOCUMENTS)


@pytest.mark.parametrize("memory", ["path", "joblib"])
def test_a_disk_that_is_full(memory, tmp_path, monkeypatch):
    expected = fit(PPMISVDEmbedder, {}, None)

    def dump(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(joblib.numpy_pickle, "dump", dump)
    if memory == "joblib":
        tmp_path = joblib.Memory(tmp_path, verbose=0)
    with warnings.catch_warnings():
        # Recent versions of joblib warn of it.
        warnings.filterwarnings("ignore", "Unable to cache to disk")
        found = fit(PPMISVDEmbedder, {}, tmp_path)
    assert_learned_the_same(found, expected)


class Full:
    """A memory that cannot write the first of its files."""

    def cache(self, function):
        def call(*arguments):
            raise OSError("No space left on device")

        return call


def test_a_disk_that_is_full_from_the_start():
    expected = fit(PPMISVDEmbedder, {}, None)
    with pytest.warns(UserWarning, match=r"cache to disk with memory=.*No space left"):
        found = fit(PPMISVDEmbedder, {}, Full())
    assert_learned_the_same(found, expected)


class Failing:
    """Splits no document, and counts how often it has been asked."""

    n_calls = 0

    def __init__(self, error):
        self.error = error

    def __call__(self, document):
        Failing.n_calls += 1
        raise self.error("of an analyzer")


@pytest.mark.parametrize("error", [OSError, KeyError])
def test_errors_of_reading_are_not_those_of_a_disk(error, tmp_path, monkeypatch):
    monkeypatch.setattr(Failing, "n_calls", 0)
    with pytest.raises(error, match="of an analyzer"):
        fit(PPMISVDEmbedder, {"analyzer": Failing(error)}, tmp_path)
    assert Failing.n_calls == 1


def test_errors_are_those_without_a_memory(tmp_path):
    wrong = (
        {"min_count": 10**6},
        {"vocabulary": ["unseen"]},
        {"vocabulary": ["amber"], "max_features": 1},
        {"token_pattern": "("},
        {"sample_weight": np.zeros(len(DOCUMENTS))},
        {"sample_weight": [1.0]},
        {"X": ["amber", None]},
        {"X": [["amber", 3]]},
        {"X": "amber"},
        {"X": []},
    )
    for params in wrong:
        messages = []
        for memory in (None, tmp_path, tmp_path):
            with pytest.raises(ValueError, match=r"\w") as error:
                fit(PPMISVDEmbedder, params, memory)
            messages.append(str(error.value))
        assert len(set(messages)) == 1, messages
    assert not results_in(tmp_path)


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


class Unpicklable:
    def __reduce_ex__(self, protocol):
        raise RuntimeError("of its own")


UNHASHABLE = {
    "lock": closure(threading.Lock()),
    "lock of an object": Cutter(threading.Lock()),
    "generator": (text for text in "ab").__next__,
    "its own mistake": closure(Unpicklable()),
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
        "import json; from tests.corpus import test_cache as t; print(json.dumps("
        "t.prints()))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(_caching.__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == prints()


# --- streams --------------------------------------------------------------------------


def is_in_a_file(numbers):
    while isinstance(numbers, np.ndarray):
        numbers = numbers.base
    # What NumPy reads a buffer through.
    return isinstance(getattr(numbers, "obj", numbers), mmap.mmap)


def stream(documents):
    yield from documents


@pytest.fixture
def read_corpora(monkeypatch):
    """The corpora that fits have read."""
    found = []
    read = reader.read

    def spy(*given, **named):
        reading = read(*given, **named)
        found.append(reading.corpus)
        return reading

    monkeypatch.setattr(reader, "read", spy)
    return found


@pytest.mark.parametrize("params", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_streams_are_read_into_a_file(estimator, params, tmp_path, read_corpora):
    """The bits that documents in memory give, and no trace of the file."""
    expected = fit(estimator, params, None)
    params = {**params, "X": stream(params.get("X", DOCUMENTS))}
    fitted = fit(estimator, params, tmp_path)
    before, corpus = read_corpora
    assert is_in_a_file(corpus.token_ids)
    assert not is_in_a_file(before.token_ids)
    assert corpus.token_ids.tolist() == before.token_ids.tolist()
    assert_learned_the_same(fitted, expected)
    names = {path.name for path in files_in(tmp_path)}
    assert names <= {"output.pkl", "metadata.json", "func_code.py", ".gitignore"}


@pytest.mark.parametrize("scans", [False, True])
@pytest.mark.parametrize("vocabulary", [None, ["amber", "birch", "cedar"]])
def test_a_kernel_scans_streams(scans, vocabulary, tmp_path, monkeypatch, read_corpora):
    monkeypatch.setattr(tokenize, "_MUCH", 0 if scans else 10**9)
    monkeypatch.setattr(tokenize, "_MUCH_PER_WORD", 0)
    params = {"vocabulary": vocabulary, "min_count": 1}
    documents = ["Amber birch cedar amber", "birch amber zebra cedar"] * 10
    expected = cheap(SGNSEmbedder, **params).fit(documents)
    fitted = cheap(SGNSEmbedder, memory=tmp_path, **params).fit(stream(documents))
    assert is_in_a_file(read_corpora[1].token_ids)
    assert_learned_the_same(fitted, expected)


def test_streams_of_token_ids(tmp_path, read_corpora):
    rows = np.random.default_rng(0).integers(-1, 9, size=(30, 6)).tolist()
    params = {"input": "token_ids", "min_count": 1}
    expected = cheap(SGNSEmbedder, **params).fit(rows)
    fitted = cheap(SGNSEmbedder, memory=tmp_path, **params).fit(stream(rows))
    assert is_in_a_file(read_corpora[1].token_ids)
    assert_learned_the_same(fitted, expected)
    assert not files_in(tmp_path)


def test_documents_of_a_stream_are_not_held(tmp_path):
    """One document at a time, or the few that are scanned and hashed at once."""

    class Tokens(list):
        alive = 0

        def __init__(self, *tokens):
            super().__init__(*tokens)
            Tokens.alive += 1

        def __del__(self):
            Tokens.alive -= 1

    most = 0

    def documents():
        nonlocal most
        for tokens in TOKENISED * 5:
            most = max(most, Tokens.alive)
            yield Tokens(tokens)

    cheap(PPMISVDEmbedder, memory=tmp_path).fit(documents())
    assert most <= 2


@pytest.mark.parametrize("X", [DOCUMENTS, TOKENISED], ids=["raw", "tokenised"])
@pytest.mark.parametrize("sample_weight", [None, "some"])
def test_counts_of_a_stream_are_kept(X, sample_weight, tmp_path, work):
    """A list of the same documents has the same key, and other documents do not."""
    if sample_weight is not None:
        sample_weight = np.arange(len(X)) + 1.0
    embedder = cheap(PPMISVDEmbedder, memory=tmp_path)
    embedder.fit(stream(X), sample_weight=sample_weight)
    for again in (stream(X), X, list(X), stream(X)):
        embedder.fit(again, sample_weight=sample_weight)
        assert work["count_cooccurrences"] == 1
    embedder.fit(stream(X[::-1]), sample_weight=sample_weight)
    assert work["count_cooccurrences"] == 2
    embedder.set_params(min_count=embedder.min_count + 1)
    embedder.fit(stream(X[::-1]), sample_weight=sample_weight)
    assert work["count_cooccurrences"] == 3


def test_a_stream_that_fails_leaves_nothing(tmp_path):
    def documents():
        yield from DOCUMENTS
        raise RuntimeError("the line is down")

    with pytest.raises(RuntimeError, match="the line is down"):
        cheap(SGNSEmbedder, memory=tmp_path).fit(documents())
    assert not files_in(tmp_path)


def test_memory_without_a_folder_lists_a_stream(read_corpora):
    memory = joblib.Memory(None, verbose=0)
    fitted = cheap(SGNSEmbedder, memory=memory).fit(stream(DOCUMENTS))
    assert not is_in_a_file(read_corpora[0].token_ids)
    assert_learned_the_same(fitted, fit(SGNSEmbedder, {}, None))


def test_streams_with_an_analyzer_that_cannot_be_told_from_others(tmp_path):
    lines = open(os.devnull)  # noqa: SIM115

    def analyze(text, lines=lines):
        return text.split()

    with (
        lines,
        pytest.warns(UserWarning, match="memory keeps nothing of this fit"),
    ):
        cheap(PPMISVDEmbedder, analyzer=analyze, memory=tmp_path).fit(stream(DOCUMENTS))
    assert not files_in(tmp_path)


@pytest.mark.parametrize("documents", [DOCUMENTS, TOKENISED, [], [""], [[]]])
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_digest_of_a_stream(documents, size, monkeypatch):
    """Wherever it is cut into parts."""
    expected = _caching.digest(documents)
    monkeypatch.setattr(_caching, "_SIZE", size)
    told = _caching.Digest()
    assert list(told.watch(iter(documents))) == documents
    assert told.value() == expected


def test_digest_of_what_is_no_text():
    told = _caching.Digest()
    for document in (["a", 3], ["b"]):
        told.add(document)
    assert told.value() is None
