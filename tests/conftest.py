"""What every test may use: the hypothesis profile and a tiny labelled corpus."""

import os
import signal

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# A shell starts jobs in the background with interrupts ignored, and tests that
# interrupt themselves would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Figures are drawn in memory: a test needs no screen.
os.environ.setdefault("MPLBACKEND", "Agg")

# The processes that run tests share the processors, and inherit this. Threads of BLAS
# and OpenMP that have nothing to do would keep them busy for longer than most tests.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

# The same examples on every run, and no clock in any verdict: the first example of a
# test may compile a kernel, and without the compiler each one takes longer.
settings.register_profile(
    "skembed",
    derandomize=True,
    deadline=None,
    max_examples=8 if numba.config.DISABLE_JIT else 40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("skembed")

TOPICS = {
    "kitchen": "bread butter flour oven dough pan salt sugar bake stir knead spoon",
    "garden": "seed soil root leaf spade rain bloom hedge plant water prune weed",
    "harbour": "boat sail rope anchor tide crew deck wave steer haul dock mast",
    "railway": "train track signal engine wagon platform ticket guard brake coal",
}
LABELS = {"kitchen": "home", "garden": "home", "harbour": "away", "railway": "away"}
GLUE = ["the", "a", "of", "and", "with", "on"]


def _tiny_documents():
    rng = np.random.default_rng(0)
    for _ in range(15):
        for topic, words in TOPICS.items():
            length = rng.integers(10, 16)
            content = rng.choice(words.split(), size=length)
            glue = rng.choice(GLUE, size=length)
            pairs = zip(glue, content, strict=True)
            yield topic, " ".join(f"{left} {right}" for left, right in pairs)


def pytest_report_header():
    """Say in the first lines of a run whether kernels are compiled."""
    return f"numba JIT: {'disabled' if numba.config.DISABLE_JIT else 'enabled'}"


@pytest.fixture(scope="session")
def tiny_corpus():
    """Sixty short documents, fifteen on each of four topics; not to be changed."""
    return [document for _, document in _tiny_documents()]


@pytest.fixture(scope="session")
def tiny_labels():
    """The class of each document of `tiny_corpus`: thirty "home", thirty "away"."""
    return np.array([LABELS[topic] for topic, _ in _tiny_documents()])
