"""Clusters of Dask: the same bits, and workers that die, pause or are left alone."""

import numba
import pytest

from tests.faults.running import run_case

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        bool(numba.config.DISABLE_JIT), reason="workers run compiled kernels only"
    ),
]
pytest.importorskip("distributed")


def test_bits():
    for name, hashes in run_case("cluster_bits").items():
        assert len(hashes) == (7 if name == "counts" else 3)
        assert len(set(hashes)) == 1, name


@pytest.mark.parametrize("when", ["reading", "counting"])
def test_a_worker_dies(when, tmp_path):
    """Another one does its work again."""
    assert run_case("cluster_killed", when, tmp_path) is True


def test_a_document_that_kills_every_worker(tmp_path):
    name, message, fitted = run_case("cluster_killed", "always", tmp_path)
    assert name == "KilledWorker"
    assert "died while running it" in message
    assert not fitted


def test_the_scheduler_goes_away():
    _, message, fitted = run_case("cluster_without_scheduler")
    assert "scheduler" in message
    assert not fitted


def test_workers_without_memory():
    name, message, fitted = run_case("cluster_without_memory")
    assert name == "MemoryError"
    assert message.startswith("All 2 workers of the Dask cluster have paused")
    assert not fitted


def test_a_function_that_cannot_be_sent():
    name, message, fitted, fitted_then = run_case("cluster_with_a_lock")
    assert name == "TypeError"
    assert "parameter cannot be sent to the workers" in message
    assert "lock" in message
    assert not fitted
    assert fitted_then
