"""`warmup`: after it nothing is compiled, and it changes nothing else."""

import contextlib
import copy
import io
import pickle
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core import event
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skembed import (
    GloVeEmbedder,
    PPMISVDEmbedder,
    PretrainedEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    _warmup,
    warmup,
)
from skembed._corpus import tokenize
from skembed._counts.count import WINDOW_WEIGHTINGS
from skembed._tying import bias
from skembed.pooling import _features
from tests.benchmarks import bits
from tests.benchmarks.common import public_embedders
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    TOKENISED,
    cheap,
    learned,
    run_python,
    sound_strategies,
)
from tests.utils import test_jit

needs_compiler = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="there is no compiler to warm up"
)

# --- what is compiled -----------------------------------------------------------------

WARM_UP_AND_FIT = """
import json
import sys
from tests import test_warmup

print(json.dumps(test_warmup.compiled_by_warmup_and_fits(sys.argv[1])))
"""
FIT = """
import json
import sys
from tests import test_warmup

print(json.dumps(test_warmup.compiled_by(test_warmup.fit_everything, sys.argv[1])))
"""


def compiled_by(function, *arguments):
    """Modules and names of what a call compiles; the disk cache saves that."""
    with event.install_recorder("numba:compile") as recorder:
        function(*arguments)
    compiled = [seen.data["dispatcher"] for _, seen in recorder.buffer]
    return sorted({f"{kernel.__module__}.{kernel.__name__}" for kernel in compiled})


def compiled_by_warmup_and_fits(folder):
    """What `warmup` prints and compiles, and what fits compile and load thereafter."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        before = compiled_by(warmup)
    ready = test_jit.signatures()
    after = compiled_by(fit_everything, folder)
    return printed.getvalue(), before, after, ready == test_jit.signatures()


def fit_everything(folder):
    """Fit with parameters, documents and numbers of threads of all kinds."""
    # Documents of all kinds; this also lets small matrices take the way of large ones.
    test_jit.fit_all_kinds(folder)
    for module in bits.modules_with_threads():
        module.n_threads = bits.as_told
    for kind in ESTIMATORS:
        for strategy in sound_strategies(kind):
            for name, values in choices(kind).items():
                for value in values:
                    params = {"share_context": strategy.name, "n_jobs": 2, name: value}
                    embedder = cheap(kind, **params).fit(DOCUMENTS)
                    embedder.transform(TOKENISED)
    # As if these were many: texts of one byte a character, of two and of four.
    tokenize._MUCH = tokenize._MUCH_PER_WORD = 0
    for letter in "e\u0113\U00010400":
        texts = [text.replace("e", letter) for text in DOCUMENTS]
        for vocabulary in (None, ["amber", "birch", "frost"]):
            embedder = cheap(PPMISVDEmbedder, vocabulary=vocabulary).fit(texts)
            embedder.transform(texts)


def choices(kind):
    """Values of the parameters of which another may take another way."""
    values = {
        "bias": bias.biases(),
        "combine": _features.COMBINATIONS,
        "n_components": [1, 15, 16, 40],
        "n_jobs": [1, 3],
        "window_weighting": WINDOW_WEIGHTINGS,
        # The weights of such a window are not multiples of one fraction.
        "window": [1, 41],
        "early_stopping": [True],
        "n_draws": [0, 9],
        "loss": ["softmax", "hierarchical"],
    }
    if issubclass(kind, SoftmaxEmbedder):
        values["bias"] = [None, "exact", "word"]
    return {name: values[name] for name in values if name in kind._get_param_names()}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


@pytest.mark.long
@needs_compiler
def test_nothing_is_compiled_afterwards(cache, tmp_path):
    root = Path(__file__).parents[1]
    environment = {"NUMBA_CACHE_DIR": cache}
    printed, before, after, complete = run_python(
        WARM_UP_AND_FIT, root, str(tmp_path), **environment
    )
    assert printed == ""
    modules = {name.rpartition(".")[0].rpartition(".")[2] for name in before}
    used = {"cbow", "counting", "glove", "scan", "sgns", "softmax", "sparse", "tree"}
    assert used <= modules
    assert after == []
    assert complete
    # Nor in later processes, which have not called it: all kernels are on disk.
    assert run_python(FIT, root, str(tmp_path), **environment) == []


# --- which estimators -----------------------------------------------------------------


@pytest.fixture
def fitted_kinds(monkeypatch):
    """The classes that `warmup` fits, in place of the fits."""
    kinds = []
    monkeypatch.setattr(_warmup, "_fit_tiny", kinds.append)
    # Without a compiler, no kernel may be loaded as if there were one.
    monkeypatch.setattr(tokenize, "compile_kernel", lambda: None)
    monkeypatch.setattr("skembed._utils.jit.COMPILED", True)
    return kinds


@pytest.mark.small
def test_all_public_embedders_by_default(fitted_kinds):
    assert warmup() is None
    assert set(fitted_kinds) == set(public_embedders())
    assert len(public_embedders()) == len(fitted_kinds) >= 3


@pytest.mark.small
def test_given_estimators(fitted_kinds):
    """Classes, instances and what holds them, each class once."""
    pipeline = make_pipeline(GloVeEmbedder(), LogisticRegression())
    search = GridSearchCV(pipeline, {"gloveembedder__window": [2, 5]})
    warmup(SGNSEmbedder(), SGNSEmbedder, search, pipeline, PPMISVDEmbedder(3))
    assert fitted_kinds == [SGNSEmbedder, GloVeEmbedder, PPMISVDEmbedder]
    # It has nothing to train, and needs only the kernel that reads documents.
    warmup(make_pipeline(PretrainedEmbedder({"amber": [1.0]})))
    assert len(fitted_kinds) == 3


@pytest.mark.small
@pytest.mark.parametrize(
    "given", [LogisticRegression(), LogisticRegression, "SGNSEmbedder", ["x"], None]
)
def test_nothing_to_warm_up(given, fitted_kinds):
    with pytest.raises(ValueError, match="is not an embedder and holds none"):
        warmup(SGNSEmbedder, given)
    assert fitted_kinds == []


@pytest.mark.small
def test_without_the_compiler(monkeypatch):
    """There is nothing to do, and it takes no time."""
    monkeypatch.setattr("skembed._utils.jit.COMPILED", False)
    monkeypatch.setattr(_warmup, "_fit_tiny", None)
    warmup()


# --- what stays as it was -------------------------------------------------------------


@needs_compiler
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_estimators_stay_untouched(kind, capsys):
    """Neither parameters nor what was learned; no line, no warning, no random state."""
    embedder = cheap(kind, verbose=1).fit(DOCUMENTS)
    capsys.readouterr()
    params, vectors = embedder.get_params(), copy.deepcopy(learned(embedder))
    random_state = pickle.dumps(np.random.get_state())  # noqa: NPY002
    unfitted = cheap(kind)
    warmup(embedder, unfitted)
    assert embedder.get_params() == params
    assert learned(embedder).keys() == vectors.keys()
    np.testing.assert_array_equal(embedder.word_vectors_, vectors["word_vectors_"])
    assert not learned(unfitted)
    assert capsys.readouterr() == ("", "")
    assert pickle.dumps(np.random.get_state()) == random_state  # noqa: NPY002
