"""The same bits whatever the number of threads, and wherever a fit runs."""

import numba
import pytest

import skembed
from skembed._utils import threads as _parallel
from tests.benchmarks import bits
from tests.benchmarks.common import public_embedders
from tests.helpers import draw_documents, sound_strategies

pytestmark = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="threads run compiled kernels only"
)
NAMES = [kind.__name__ for kind in public_embedders()]
# Enough tokens for several lanes, and more words than are factorised densely.
WORDS = [f"word{number}" for number in range(1100)]
PARAMS = {"n_components": 4, "min_count": 1, "max_iter": 2, "window": 3}


def documents_of_many_words():
    """Return documents in which every word occurs, and some often."""
    rare = [" ".join(WORDS[first : first + 10]) for first in range(0, len(WORDS), 10)]
    return rare + draw_documents(0, n_documents=400, n_tokens=20)


DOCUMENTS = documents_of_many_words()


@pytest.fixture
def sizes(monkeypatch):
    """Let threads start whatever the work; return how many each team has had."""
    for module in bits.modules_with_threads():
        monkeypatch.setattr(module, "n_threads", bits.as_told)
    found = set()

    class Recorded(_parallel.ThreadPoolExecutor):
        def __init__(self, max_workers):
            found.add(max_workers)
            super().__init__(max_workers)

    monkeypatch.setattr(_parallel, "ThreadPoolExecutor", Recorded)
    return found


def choices(name):
    """Yield strategies that an estimator can hold, and other ways of its kernels."""
    kind = getattr(skembed, name)
    for strategy in sound_strategies(kind):
        yield strategy.name, PARAMS
    ways = {"directional": True, "update": "word", "exclude_window_noise": True}
    for way in sorted(ways.keys() & kind._get_param_names()):
        yield False, {**PARAMS, way: ways[way]}


def fingerprints(fit_all, name, n_jobs):
    """Return the fingerprints of each strategy."""
    cases = [
        (name, *choice, DOCUMENTS, threads)
        for choice in choices(name)
        for threads in n_jobs
    ]
    found = fit_all(cases)
    return [
        found[first : first + len(n_jobs)]
        for first in range(0, len(found), len(n_jobs))
    ]


@pytest.mark.parametrize("name", NAMES)
def test_number_of_threads(name, sizes):
    """What is learned is the same with any team, but not with any strategy."""
    found = fingerprints(bits.in_this_process, name, (1, 2, 3, 7))
    assert sizes == {2, 3, 7}
    assert all(len(set(one)) == 1 for one in found), found
    # Of few components none may have a negative eigenvalue: two may agree.
    assert len({one[0] for one in found}) > 1


def other_places():
    """Yield the names of places; those whose processes start slowly wait."""
    for place in bits.places():
        if place != "this process":
            quick = place in bits.BACKENDS or place == "forked child"
            yield pytest.param(place, marks=[] if quick else pytest.mark.long)


@pytest.mark.parametrize("place", list(other_places()))
@pytest.mark.parametrize("name", NAMES)
def test_other_places(name, place, sizes):
    """Threads of worker processes, of worker threads, and after a fork."""
    expected = fingerprints(bits.in_this_process, name, (1,))
    found = fingerprints(bits.places()[place], name, (1, 3))
    assert [one * 2 for one in expected] == found


@pytest.mark.parametrize("name", NAMES)
def test_small_inputs_start_no_threads(name, monkeypatch):
    def fail(max_workers):
        raise AssertionError(f"{max_workers} threads for a few words")

    monkeypatch.setattr(_parallel, "ThreadPoolExecutor", fail)
    # The default of `subsample` would leave no pair of so few words.
    params = PARAMS | {"subsample": 0}
    case = (name, False, params, draw_documents(0))
    one = bits.fingerprint(*case, 1)
    assert bits.fingerprint(*case, 4) == one
