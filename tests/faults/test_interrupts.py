"""Real SIGINTs at random moments; tests/faults/interrupts.py sends many more."""

import json
import os
import signal
import subprocess
import sys
import time

import numba
import numpy as np
import pytest

from tests.faults.interrupts import NAMES, interrupted_fits
from tests.faults.running import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send"),
    pytest.mark.skipif(
        bool(numba.config.DISABLE_JIT), reason="plain Python is no use for a training"
    ),
]


def test_twenty_interrupts():
    """All are obeyed, soon, and leave nothing half fitted."""
    seconds = []
    for name in NAMES:
        for n_jobs in (1, 2):
            answers = interrupted_fits(name, 3, 1500, n_jobs=n_jobs)
            assert [answer["fault"] for answer in answers] == [None] * 3
            seconds += [answer["seconds"] for answer in answers]
    assert len(seconds) >= 20
    assert np.median(seconds) <= 0.3


def answer_to(child, signals, delay):
    """Start a case that says when it begins; send signals; return what it printed."""
    environment = {**os.environ, **child.get("environment", {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.cases", *child["command"]],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "begin\n"
        for _ in range(signals):
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
        return json.loads(process.stdout.readlines()[-1])


@pytest.mark.parametrize("delay", [0.5, 4.0])
def test_while_kernels_are_compiled(delay, tmp_path):
    """The process answers at once, and a later fit compiles what is missing."""
    child = {
        "command": ["interrupted_cold_fit"],
        "environment": {"NUMBA_CACHE_DIR": str(tmp_path)},
    }
    found = answer_to(child, 1, delay)
    assert found["how"] == "raised"
    assert found["attributes"] == []
    assert found["finite"]


@pytest.mark.parametrize("name", NAMES)
def test_two_interrupts(name):
    """The second one ends what the first one would have kept, and nothing breaks."""
    found = answer_to({"command": ["interrupted_fit", name]}, 2, 0.4)
    assert found["how"] in ("raised", "kept")
    assert found["finite"]
    assert bool(found["attributes"]) == (found["how"] == "kept")


@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_in_a_search(n_jobs):
    """Each interrupt reaches a fit, or the search: it ends without results, or goes on
    with what the interrupted fit has kept."""
    found = answer_to({"command": ["interrupted_search", n_jobs]}, 1, 2.0)
    assert found["how"] in ("raised", "complete")
    assert found["fitted"] == (found["how"] == "complete")
