"""Fits in processes and threads of all kinds, at the same time, and when one dies."""

import multiprocessing
import textwrap

import numba
import pytest

from tests.benchmarks import bits
from tests.faults.running import run_case
from tests.helpers import ESTIMATORS, PACKAGE, run_python

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        bool(numba.config.DISABLE_JIT), reason="threads run compiled kernels only"
    ),
]
NAMES = [kind.__name__ for kind in ESTIMATORS]


@pytest.mark.parametrize("backend", [*bits.BACKENDS, "dask"])
def test_searches_on_backends(backend):
    """A search on two workers gives the scores of one without workers.

    Fits on all of them, and in processes that are spawned, are in test_bits.py.
    """
    if backend == "dask":
        pytest.importorskip("distributed")
    found = run_case("searches", backend)
    assert found["here"] == found["there"]
    assert len(found["here"]) == len(NAMES)


def test_a_killed_worker():
    """The search ends with joblib's error and is not fitted; the next one works."""
    found = run_case("killed_worker")
    assert "SIGKILL" in found["message"]
    assert not found["fitted"]
    assert found["again"] == found["alone"]


def test_two_fits_at_once():
    found = run_case("two_at_once")
    assert found.keys() == set(NAMES)
    for hashes in found.values():
        assert len(hashes) == 5
        assert len(set(hashes)) == 1


def test_models_are_read_beside_fits():
    """Every result is that of one of the two models that come in turn."""
    found = run_case("read_while_fitting")
    assert found.keys() == set(NAMES)
    for n_read, n_mixed in found.values():
        assert n_read == 400
        assert n_mixed == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_greenlets_in_place_of_threads(when):
    """They take turns in one thread; fits notice, and have the same bits."""
    pytest.importorskip("gevent")
    patch = """
        import warnings
        from gevent import monkey
        # It warns of being late, where that is the point.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            monkey.patch_all()
        """
    load = """
        from tests.faults.cases import large_fits
        """
    work = """
        import json
        print(json.dumps(large_fits()))
        """
    parts = [patch, load, work] if when == "before" else [load, patch, work]
    found = run_python("".join(map(textwrap.dedent, parts)), PACKAGE.parent)
    assert found == run_case("large_fits")


forks = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork"
)


@forks
def test_a_fork_while_another_thread_fits():
    found = run_case("fork_while_fitting")
    assert found.keys() == set(NAMES)
    for hashes in found.values():
        assert len(hashes) > 4
        assert len(set(hashes)) == 1


@forks
def test_a_fork_while_another_thread_compiles(tmp_path):
    """The child fits or says what to do; it never waits for the lost thread."""
    found = run_case("fork_while_compiling", NUMBA_CACHE_DIR=tmp_path)
    assert found["afterwards"] == found["alone"]
    errors = [one for one in found["meanwhile"] if one != found["alone"]]
    assert errors
    assert all("warmup()" in error for error in errors)
