"""Compilation: the disk cache, one signature per kernel, and life without either."""

import gc
import importlib
import json
import os
import pickle
import pkgutil
import re
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba.core import types
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.core.compiler_lock import global_compiler_lock

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    _kernels,
)
from skembed._solvers import svd
from skembed._tying import bias as _bias
from skembed._utils import jit
from tests.helpers import (
    CHEAP,
    PACKAGE,
    TreeEmbedder,
    in_fork,
    run_python,
    sound_strategies,
)

pytestmark = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="there is no compiler to test"
)


@pytest.fixture
def copied(tmp_path):
    """A folder with a copy of the package, without anything compiled."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "skembed", ignore=ignore)
    return tmp_path


# --- the cache ------------------------------------------------------------------------

# A kernel in another file than the helper that it calls.
DRAWING = """
from skembed._kernels.spans import next_random
from skembed._utils.jit import kernel


@kernel
def draw(states):
    return next_random(states, 0)
"""
DRAW = """
import json
import numpy as np
from skembed._kernels import drawing

drawn = drawing.draw(np.array([1], dtype=np.uint64))
hits = sum(drawing.draw.stats.cache_hits.values())
print(json.dumps([drawing.__file__, int(drawn), hits]))
"""

# Kernels that take the helper by name find the last one of its file.
ANOTHER_HELPER = """

@helper
def next_random(states, stream):
    return np.uint64(0)
"""


def test_an_edited_helper_recompiles_kernels_of_other_files(copied, tmp_path):
    kernels, cache = copied / "skembed" / "_kernels", tmp_path / "cache"
    cache.mkdir()
    (kernels / "drawing.py").write_text(DRAWING, "utf8")
    file, drawn, hits = run_python(DRAW, copied, NUMBA_CACHE_DIR=str(cache))
    assert Path(file).is_relative_to(copied)
    assert drawn
    assert hits == 0
    # Unchanged sources are not compiled again.
    assert run_python(DRAW, copied, NUMBA_CACHE_DIR=str(cache)) == [file, drawn, 1]

    helpers = kernels / "spans.py"
    helpers.write_text(helpers.read_text(encoding="utf8") + ANOTHER_HELPER, "utf8")
    assert run_python(DRAW, copied, NUMBA_CACHE_DIR=str(cache)) == [file, 0, 0]


def test_every_source_of_compiled_code_counts(copied, monkeypatch):
    """A change in any of its files, and a new file, give another hash."""
    kernels, utils = copied / "skembed" / "_kernels", copied / "skembed" / "_utils"
    sources = [utils / "barrier.py", utils / "jit.py", *sorted(kernels.glob("*.py"))]
    assert {"spans.py", "sgns.py"} <= {path.name for path in sources}
    found = {jit.SOURCES_HASH}
    monkeypatch.setattr(jit, "__file__", str(utils / "jit.py"))
    assert jit._sources_hash() == jit.SOURCES_HASH
    for path in sources:
        with path.open("a", encoding="utf8") as file:
            file.write("# edited\n")
        found.add(jit._sources_hash())
    (kernels / "new.py").touch()
    found.add(jit._sources_hash())
    assert len(found) == len(sources) + 2


FIT = """
import json
from skembed import PPMISVDEmbedder
from skembed._kernels import counting

documents = ["one two three", "two one two", "three one two"] * 5
embedder = PPMISVDEmbedder(2, random_state=0).fit(documents)
print(json.dumps([counting.count_rows.stats.cache_path, len(embedder.vocabulary_)]))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="another place for users' files")
def test_no_folder_for_the_cache(copied):
    """Where nothing can be written, kernels are compiled in memory.

    A file stands where numba would make its folder beside the sources, and the home
    is no folder, so that this holds for the superuser too.
    """
    (copied / "skembed" / "_kernels" / "__pycache__").touch()
    nowhere = {
        "HOME": os.devnull,
        "XDG_CACHE_HOME": None,
        "NUMBA_CACHE_DIR": None,
        "IPYTHONDIR": os.devnull,
    }
    assert run_python(FIT, copied, **nowhere) == [None, 3]


def test_a_full_disk_costs_the_reuse_only(monkeypatch):
    """The cache is turned off after the first file that cannot be written."""

    def fail(self, sig, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FunctionCache, "save_overload", fail)

    @jit.kernel
    def never_saved(x):
        return 2 * x

    assert never_saved(4) == 8
    monkeypatch.undo()
    # Other types mean another compilation, which does not try again.
    assert never_saved(0.5) == 1.0
    assert len(never_saved.signatures) == 2
    assert not list(Path(never_saved.stats.cache_path).glob("*never_saved*"))


# --- damaged files --------------------------------------------------------------------


def doubled(x):
    return 2 * x


def compiled():
    """A kernel as a new process has it, and how often it has been loaded."""
    kernel = jit.kernel(doubled)
    assert kernel(4) == 8
    return sum(kernel.stats.cache_hits.values())


def edit(change):
    return lambda path: path.write_bytes(change(path.read_bytes()))


def replace_by_folder(path):
    path.unlink()
    path.mkdir()
    (path / "file").touch()


def replace_by_endless_link(path):
    """Make a file unreadable for the superuser, too."""
    path.unlink()
    path.symlink_to(path)


DAMAGES = {
    "empty": edit(lambda content: b""),
    "short": edit(lambda content: content[:5]),
    "cut": edit(lambda content: content[: len(content) // 2]),
    "cut at the end": edit(lambda content: content[:-1]),
    "longer": edit(lambda content: content + b"x"),
    "other": edit(lambda content: b"not a pickle"),
    "a bit": edit(lambda content: bytes([content[0] ^ 1]) + content[1:]),
    "zeros": edit(lambda content: bytes(len(content))),
    "a foreign pickle": edit(lambda content: pickle.dumps(("0.0.0", None))),
    "gone": Path.unlink,
    "a folder": replace_by_folder,
    "unreadable": replace_by_endless_link,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_damaged_file_is_compiled_anew(kind, damage, tmp_path, monkeypatch):
    """And written anew, so that the next process can load it."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    assert [compiled(), compiled()] == [0, 1]
    (path,) = tmp_path.rglob(f"*.{kind}")
    damage(path)
    assert [compiled(), compiled()] == [0, 1]
    assert path.is_file()


def test_every_bit_of_a_file_is_sealed(tmp_path, monkeypatch):
    """Machine code with another bit is not run."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    compiled()
    for path in [*tmp_path.rglob("*.nbi"), *tmp_path.rglob("*.nbc")]:
        content = path.read_bytes()
        for place in range(0, len(content), len(content) // 100):
            changed = bytearray(content)
            changed[place] ^= 1 << place % 8
            path.write_bytes(changed)
            assert not jit._is_whole(path)
        path.write_bytes(content)
        assert jit._is_whole(path)


def test_files_of_another_room_are_not_read(tmp_path, monkeypatch):
    """What they hold may name what is not there any more."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    compiled()
    monkeypatch.setattr(jit, "SOURCES_HASH", "another")
    loads, load = [], IndexDataCacheFile._load_index
    monkeypatch.setattr(
        IndexDataCacheFile, "_load_index", lambda one: loads.append(1) or load(one)
    )
    assert compiled() == 0
    assert not loads
    assert compiled() == 1


# --- forks ----------------------------------------------------------------------------

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@forks
def test_a_fork_while_another_thread_compiles():
    """The child runs what is compiled, and says what to do where that is not enough."""
    known, unknown = jit.kernel(doubled), jit.kernel(doubled)
    assert known(4) == 8
    holds, ends = threading.Event(), threading.Event()

    def compile_for_long():
        with global_compiler_lock:
            holds.set()
            ends.wait()

    thread = threading.Thread(target=compile_for_long)
    thread.start()
    holds.wait()
    try:
        answers = in_fork(known, 4), in_fork(unknown, 4)
    finally:
        ends.set()
        thread.join()
    assert answers[0] == 8
    assert re.match(r"RuntimeError.*forked while another thread.*warmup", answers[1])
    assert unknown(4) == 8


@forks
def test_a_fork_after_another_thread_has_compiled():
    thread = threading.Thread(target=jit.kernel(doubled), args=(4,))
    thread.start()
    thread.join()
    assert in_fork(jit.kernel(doubled), 4) == 8


@pytest.fixture
def collector():
    """Leave the garbage collector as it was."""
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


def watched(dispatcher, seen):
    """Make a kernel tell, while it is compiled, whether the collector is on."""
    compiler = dispatcher._compiler
    compile_for = compiler.compile

    def compile_and_tell(*arguments):
        seen.append(gc.isenabled())
        return compile_for(*arguments)

    compiler.compile = compile_and_tell
    return dispatcher


@pytest.mark.parametrize("before", [True, False])
def test_the_garbage_collector_waits_for_the_compiler(before, collector):
    (gc.enable if before else gc.disable)()
    seen = []
    compiled = watched(jit.kernel(doubled), seen)
    compiled._cache = NullCache()
    assert compiled(4) == 8
    assert seen == [False]
    assert gc.isenabled() is before
    with pytest.raises(numba.TypingError):
        compiled(object())
    assert gc.isenabled() is before


@forks
def test_a_fork_while_another_thread_compiles_has_a_garbage_collector(collector):
    gc.enable()
    holds, ends = threading.Event(), threading.Event()

    def compile_for_long():
        holds.set()
        ends.wait()

    thread = threading.Thread(target=jit._without_collections, args=(compile_for_long,))
    thread.start()
    holds.wait()
    try:
        assert not gc.isenabled()
        assert in_fork(gc.isenabled) is True
    finally:
        ends.set()
        thread.join()
    assert gc.isenabled()


HALF_LOADED = """
import json
import sys
import threading

from skembed import PPMISVDEmbedder
from tests.helpers import DOCUMENTS, cheap, in_fork

is_found, goes_on = threading.Event(), threading.Event()


def wait(event, arguments):
    # While another module imports it, which is half loaded then.
    if event == "import" and arguments[0] == "skembed._kernels.simd":
        is_found.set()
        goes_on.wait()


def fit():
    cheap(PPMISVDEmbedder).fit(DOCUMENTS)


sys.addaudithook(wait)
thread = threading.Thread(target=fit)
thread.start()
is_found.wait()
try:
    answer = in_fork(fit)
finally:
    goes_on.set()
    thread.join()
print(json.dumps([answer, in_fork(fit)]))
"""


@forks
def test_a_fork_while_another_thread_loads_kernels():
    """An import would wait for that thread for ever."""
    first, second = run_python(HALF_LOADED, PACKAGE.parent)
    assert re.match(r"RuntimeError.*forked while another thread.*warmup", first)
    assert second is None


# --- signatures -----------------------------------------------------------------------

SIGNATURES = """
import json
import sys
from tests.utils import test_jit

test_jit.fit_all_kinds(sys.argv[1])
found = test_jit.signatures()
print(json.dumps({name: sorted(map(str, kinds)) for name, kinds in found.items()}))
"""


def signatures():
    """The types for which each kernel is compiled; a constant counts as its type."""
    found = {}
    for module in pkgutil.iter_modules(_kernels.__path__):
        room = importlib.import_module(f"skembed._kernels.{module.name}")
        for name, kernel in vars(room).items():
            here = getattr(kernel, "__module__", None) == room.__name__
            if here and hasattr(kernel, "signatures"):
                found[f"{module.name}.{name}"] = {
                    tuple(map(types.unliteral, signature))
                    for signature in kernel.signatures
                }
    return found


def kinds_of_documents(folder):
    """The same texts in containers of all kinds."""
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(40)]
    texts = [" ".join(rng.choice(words, size=20)) for _ in range(30)]
    read_only = np.array(texts)
    read_only.flags.writeable = False
    path = os.path.join(folder, "texts.npy")
    np.save(path, read_only)
    return [
        texts,
        (text for text in texts),
        [tuple(text.split()) for text in texts],
        read_only,
        np.load(path, mmap_mode="r"),
        np.array(texts, dtype=object)[:, None],
        ["", *texts, "unknown"],
    ]


KINDS_OF_NUMBERS = {
    "every": [
        {"n_components": np.int32(4), "window": np.int64(3)},
        {"n_components": np.int64(17), "window": np.int16(40)},
        {"vocabulary": ["never", *(f"word{i}" for i in range(30))]},
    ],
    CBOWEmbedder: [{"aggregation": "sum"}, {"learning_rate": np.float32(0.01)}],
    SGNSEmbedder: [
        {"learning_rate": np.float32(0.01)},
        {"max_iter": np.int32(1)},
        {"subsample": np.float32(0.1), "negative": np.int32(2)},
        {"subsample": 1, "noise_exponent": 1, "negative": 1},
    ],
    GloVeEmbedder: [
        {"learning_rate": np.float32(0.01)},
        {"max_iter": np.int32(1)},
        {"x_max": 10, "alpha": 1, "learning_rate": 1},
        {"x_max": np.float32(3), "alpha": np.float32(0)},
    ],
    SoftmaxEmbedder: [
        {"learning_rate": np.float32(0.01), "l2": np.float32(1.0)},
        {"learning_rate": 1, "l2": 0, "max_iter": np.int32(1)},
        {"n_draws": np.int32(5), "bias": "word"},
        {"n_draws": 5, "l2": np.float64(1.0), "n_jobs": 2},
    ],
    TreeEmbedder: [
        {"learning_rate": np.float32(0.01), "l2": np.float32(1.0)},
        {"bias": None, "share_context": True, "n_jobs": 2},
    ],
    PPMISVDEmbedder: [
        {"shift": 2, "context_exponent": 1},
        {"shift": np.float32(2), "singular_exponent": 1},
    ],
}


def fit_all_kinds(folder):
    """Fit every estimator and strategy on documents and numbers of all kinds."""
    # Small matrices take the way with the sparse product.
    svd.DENSE_LIMIT = 10
    warnings.simplefilter("ignore", UserWarning)
    for estimator in CHEAP:
        documents = kinds_of_documents(folder)
        small = {"n_components": 5, "min_count": 1, "random_state": 0}
        if estimator is TreeEmbedder:
            small["loss"] = "hierarchical"
        for strategy in sound_strategies(estimator):
            embedder = estimator(**small, share_context=strategy.name)
            embedder.fit(documents[0]).transform(documents[0])
        for numbers in KINDS_OF_NUMBERS["every"] + KINDS_OF_NUMBERS[estimator]:
            estimator(**{**small, **numbers}).fit(documents[0])
        for X in documents:
            estimator(**small).fit(X)
    for bias in _bias.biases():
        SGNSEmbedder(n_components=5, min_count=1, random_state=0, bias=bias).fit(
            documents[0]
        )


def test_every_kernel_has_one_signature(tmp_path):
    """Whatever is fitted, nothing is compiled twice for the same work."""
    found = run_python(SIGNATURES, Path(__file__).parents[2], str(tmp_path))
    # Those that only other kernels call have none where these came from the cache.
    entries = {name for name, kinds in found.items() if kinds}
    wanted = {"sgns.train_rounds", "cbow.train_rounds", "glove.train_stages"}
    wanted |= {"softmax.slope_tile", "softmax.draw_rows", "hierarchical.tree_rows"}
    assert wanted | {"counting.count_rows"} <= entries
    # Training is compiled without what a map needs, and with it where there is one. Its
    # parts are, too, where it is compiled here and does not come from the cache.
    trained = {"sgns.train_rounds", "cbow.train_rounds"}
    parts = ("maps.", "rounds.", "sgns.", "cbow.", "steps.", "spans.")
    more = {
        name: kinds
        for name, kinds in found.items()
        if len(kinds) > 1 + (name in trained or name.startswith(parts))
    }
    assert not more, json.dumps(more, indent=1)


# --- calls of helpers -----------------------------------------------------------------


class Pair(NamedTuple):
    """Arrays and a scalar, as kernels pass them on."""

    first: np.ndarray
    second: np.ndarray
    is_signed: bool


@jit.helper
def stepped_sum(pair, nothing, empty, rows, step):
    total, sign = 0.0, -1.0 if pair.is_signed else 1.0
    for row in range(rows[0], rows[1], step):
        for column in range(pair.second.size):
            total += sign * pair.first[row, column] * pair.second[column]
    if nothing is None and len(empty) == 0:
        return total
    return np.nan


@jit.helper
def sums_of_halves(pair, step):
    middle = pair.first.shape[0] // 2
    before = stepped_sum(pair, None, (), (0, middle), step)
    return before, stepped_sum(pair, None, (), (middle, pair.first.shape[0]), step)


@jit.kernel
def write_sums(pair, step, out):
    sums = sums_of_halves(pair, step)
    for turn in range(2):
        half = sums[0] if turn == 0 else sums[1]
        last = half if turn > 0 else last_of(out)
        out[turn] = half
        out[2] = last
    return out[0] + out[1]


@jit.helper
def last_of(values):
    return values[values.size - 1]


@jit.helper
def value_or_none(value):
    if value > 0:
        return value
    return None


@jit.kernel
def has_value(value):
    return value_or_none(value) is not None


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("step", [1, 2])
def test_helpers_take_tuples_of_arrays(is_signed, step):
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(7, 5)), rng.normal(size=5)
    out = np.empty(3)
    total = write_sums(Pair(first, second, is_signed), step, out)
    products = -(first @ second) if is_signed else first @ second
    halves = [products[:3:step].sum(), products[3::step].sum()]
    np.testing.assert_allclose(out, [*halves, halves[1]])
    np.testing.assert_allclose(total, sum(halves))


def test_an_error_in_a_helper_reaches_the_caller():
    out = np.zeros(3)
    with pytest.raises(ValueError, match="must not be zero"):
        write_sums(Pair(np.ones((2, 2)), np.ones(2), False), 0, out)
    assert not out.any()


def test_helpers_do_not_return_a_value_or_none():
    with pytest.raises(Exception, match="value_or_none returns a value or None"):
        has_value(1.0)


# --- with and without the compiler ----------------------------------------------------


def test_kernels_see_what_is_not_a_number():
    """Fast arithmetic must not delete checks for NaN and infinity."""

    @jit.kernel
    def count(values):
        n_nan = 0
        n_finite = 0
        for i in range(values.size):
            if np.isnan(values[i]):
                n_nan += 1
            if np.isfinite(values[i]):
                n_finite += 1
        return n_nan, n_finite, np.isnan(values.sum())

    for kind in (np.float32, np.float64):
        values = np.array([1.0, np.nan, np.inf, -np.inf, np.nan, 0.0], dtype=kind)
        assert count(values) == (2, 2, True)
        assert count(values[[0, 5]]) == (0, 2, False)


def test_kernels_release_the_gil_and_keep_zero_divisions():
    @jit.kernel
    def divide(a, b):
        return a / b

    assert divide.targetoptions["nogil"]
    assert divide(1.0, 0.0) == np.inf


TINY_FITS = """
import json
import numba
from tests.utils import test_jit

print(json.dumps([bool(numba.config.DISABLE_JIT), test_jit.tiny_vectors()]))
"""


def tiny_vectors():
    """Word and context vectors of one tiny fit per estimator and strategy."""
    documents = ["one two three four five", "two one two", "five three one four"] * 3
    found = {}
    for estimator in CHEAP:
        for strategy in sound_strategies(estimator):
            embedder = estimator(
                3,
                share_context=strategy.name,
                combine="word",
                min_count=1,
                window=2,
                random_state=0,
            )
            if estimator is not PPMISVDEmbedder:
                embedder.set_params(max_iter=2, learning_rate=0.05)
            if estimator in (SGNSEmbedder, CBOWEmbedder):
                embedder.set_params(subsample=0.1)
            if estimator is TreeEmbedder:
                embedder.set_params(loss="hierarchical")
            embedder.fit(documents)
            names = ("word_vectors_", "context_vectors_", "node_vectors_")
            found[f"{estimator.__name__} {strategy.name}"] = [
                getattr(embedder, name).tolist()
                for name in names
                if hasattr(embedder, name)
            ]
    return found


def test_the_same_vectors_without_the_compiler():
    without, found = run_python(
        TINY_FITS, Path(__file__).parents[2], NUMBA_DISABLE_JIT="1"
    )
    assert without
    compiled = tiny_vectors()
    assert found.keys() == compiled.keys()
    for name, vectors in compiled.items():
        assert np.abs(vectors[0]).max() > 0.05
        for other, own in zip(found[name], vectors, strict=True):
            np.testing.assert_allclose(other, own, atol=1e-5, err_msg=name)


# --- the same bits --------------------------------------------------------------------

FINGERPRINT = """
import hashlib
from skembed import (
    CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder, SoftmaxEmbedder
)

words = [f"w{i * i % 61}" for i in range(3000)]
documents = [words[i : i + 30] for i in range(0, 3000, 30)]
for embedder in (
    SGNSEmbedder(20, subsample=0, max_iter=1, random_state=0),
    SGNSEmbedder(20, subsample=0, max_iter=1, random_state=0, share_context="signed"),
    CBOWEmbedder(20, subsample=0, max_iter=1, random_state=0),
    GloVeEmbedder(20, max_iter=2, random_state=0),
    SoftmaxEmbedder(20, max_iter=2, random_state=0),
    SoftmaxEmbedder(20, max_iter=2, random_state=0, n_draws=9),
    SoftmaxEmbedder(20, max_iter=2, random_state=0, loss="hierarchical"),
    PPMISVDEmbedder(5, random_state=0),
):
    vectors = embedder.fit(documents).word_vectors_
    print(hashlib.sha256(vectors.tobytes()).hexdigest())
"""


@pytest.mark.long
def test_compiled_and_cached_kernels_give_the_same_bits(tmp_path):
    """The process that compiles and the one that loads the kernels agree."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    results = [
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env={**environment, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert any(tmp_path.rglob("*.nbc"))
    assert len(set(results[0].split())) == 8
    assert results[0] == results[1]
