"""Tables, and gensim, for several files of tests."""

import numpy as np
import pytest

from skembed.vectors import WordVectors

COUNTS = [9, 7, 4, 1]


@pytest.fixture
def table():
    vectors = np.array([[1, 0, 2], [0, 3, 0], [-1, 0, 1], [0, 0, 0]], np.float32)
    return WordVectors(["a", "b", "été", "New York"], vectors, counts=COUNTS)


@pytest.fixture(scope="module")
def normal():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(300)]
    return WordVectors(words, rng.standard_normal((300, 12)))


@pytest.fixture(scope="module")
def gensim_models():
    return pytest.importorskip("gensim.models")
