"""A real limit of a process's memory, and files of other versions and of other eyes."""

import re
import shutil
import sys

import joblib
import numba
import numpy as np
import pytest

import skembed
from tests.faults.running import ROOT, run_case
from tests.helpers import DOCUMENTS, ESTIMATORS, PACKAGE, cheap, same

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        bool(numba.config.DISABLE_JIT), reason="plain Python needs other sizes"
    ),
]
NAMES = [kind.__name__ for kind in ESTIMATORS]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is of Linux")
TOO_LARGE = (
    r"need .* of memory, and .* are available\. Lower n_components or max_features"
)


@on_linux
@pytest.mark.parametrize("name", NAMES)
def test_vectors_that_cannot_be_held(name):
    """The error comes before the memory is taken; a smaller fit works afterwards."""
    found = run_case("too_large", name)
    assert re.search(TOO_LARGE, found["message"])
    assert found["attributes"] == []
    assert found["finite"]
    assert found["expected"] > 400_000_000


@on_linux
@pytest.mark.parametrize(
    "name", ["GloVeEmbedder", "SoftmaxEmbedder", "PPMISVDEmbedder"]
)
def test_counts_that_cannot_be_held(name):
    of_text, of_matrix = run_case("too_many_pairs", name)
    # Where another array does not fit any more, the error is NumPy's.
    assert re.search(
        r"(Co-occurrence counts of \d+ pairs need .* available|Unable to allocate)",
        of_text,
    )
    assert re.search(r"Counts of words that share documents .* available", of_matrix)
    for message in (of_text, of_matrix):
        if "available" not in message:
            continue
        assert "Lower " in message
        assert "min_count" in message


def test_pickles_of_another_version(tmp_path):
    """Of a copy of the package that calls itself otherwise: one warning for each."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "skembed", ignore=ignore)
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=ignore)
    module = tmp_path / "skembed" / "_version.py"
    text, n = re.subn(
        r'(?m)^__version__ = ".*"', '__version__ = "0.0.1"', module.read_text()
    )
    assert n == 1
    module.write_text(text)
    path = tmp_path / "fitted.joblib"
    hashes = run_case("pickle_to", path, folder=tmp_path)
    found = run_case("unpickle_from", path)
    assert found["hashes"] == hashes
    assert len(found["messages"]) == len(NAMES)
    for name, message in zip(NAMES, found["messages"], strict=True):
        assert message.startswith(
            f"UserWarning: This {name} was pickled by skembed 0.0.1"
        )
        assert f"loaded by {skembed.__version__}" in message


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_read_only_maps(estimator, tmp_path):
    """Of inputs and of models, in processes that share them, and fits that go on."""
    X = np.random.default_rng(0).poisson(1.0, (30, 12)).astype(np.float64)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = cheap(estimator).fit(X)
    embedder = cheap(estimator, warm_start=True).fit(mapped)
    assert same(embedder.word_vectors_, expected.word_vectors_)
    joblib.dump(embedder.partial_fit(mapped), tmp_path / "model")
    model = joblib.load(tmp_path / "model", mmap_mode="r")
    assert not model.word_vectors_.flags.writeable
    vectors = model.word_vectors_.copy()
    assert same(model.transform(mapped), embedder.transform(X))
    assert same(
        model.partial_fit(mapped).word_vectors_, embedder.partial_fit(X).word_vectors_
    )
    again = joblib.load(tmp_path / "model", mmap_mode="r")
    assert same(again.word_vectors_, vectors)
    texts = np.array(DOCUMENTS)
    texts.flags.writeable = False
    workers = joblib.Parallel(n_jobs=2, max_nbytes=1)
    found = workers(joblib.delayed(transformed)(again, mapped) for _ in range(2))
    assert all(same(one, again.transform(X)) for one in found)


def transformed(model, X):
    assert not X.flags.writeable
    return model.transform(X)
