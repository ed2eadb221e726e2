"""Threads beside each other: `transform` and a fit, users of BLAS, greenlets."""

import _thread
import itertools
import os
import sys
import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from skembed import PPMISVDEmbedder, SGNSEmbedder, inspection
from skembed._utils import threads
from skembed._utils.threads import ThreadTeam, one_blas_thread
from skembed.pooling import Pooling
from tests.benchmarks import bits
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    PACKAGE,
    SAMPLED,
    cheap,
    draw_documents,
    run_python,
    same,
)

# Another model: of fewer words, in other rows, with vectors of another length.
OTHERS = [text.replace("amber", "haven") for text in draw_documents(9)]
# No wait of these tests takes long, unless it would take for ever.
PATIENCE = 20


def fit_other(embedder):
    """Fit an estimator to become the other model."""
    embedder.set_params(n_components=2, combine="context").fit(OTHERS)


class Refitting:
    """Documents, or words, during whose reading the estimator is fitted anew."""

    def __init__(self, values, embedder):
        self.values = values
        self.embedder = embedder

    def __iter__(self):
        yield self.values[0]
        fit_other(self.embedder)
        yield from self.values[1:]

    def __array__(self, dtype=None, copy=None):
        fit_other(self.embedder)
        return np.array(self.values, dtype=dtype)


# Calls that read something of their own while they read a model.
CALLS = {
    "transform": lambda model, wrap: model.transform(iter(wrap(DOCUMENTS))),
    "coverage": lambda model, wrap: model.coverage(iter(wrap(DOCUMENTS))),
    "score": lambda model, wrap: model.score(iter(wrap(DOCUMENTS))),
    "score_pairs": lambda model, wrap: model.score_pairs(
        ["amber"] * 3, wrap(["amber", "birch", "haven"])
    ),
    "held_out_loss": lambda model, wrap: inspection.held_out_loss(
        model, iter(wrap(DOCUMENTS)), random_state=0
    ),
    "similarity_kind": lambda model, wrap: inspection.similarity_kind(
        model, iter(wrap(DOCUMENTS)), n_neighbors=2
    ),
}


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", CALLS)
def test_a_model_is_read_once(estimator, name):
    """After a fit in the middle, the result is that of the model before."""
    if name == "held_out_loss" and estimator not in SAMPLED:
        pytest.skip("it has no such loss")
    embedder = cheap(estimator).fit(DOCUMENTS)
    expected = CALLS[name](embedder, lambda values: values)
    found = CALLS[name](embedder, lambda values: Refitting(values, embedder))
    assert embedder.word_vectors_.shape[1] == 2
    assert same(found, expected)


class Shy(Pooling):
    """A pooling during whose first look at its parts the estimator is fitted anew."""

    embedder = None

    @property
    def parts(self):
        embedder, Shy.embedder = Shy.embedder, None
        if embedder is not None:
            fit_other(embedder)
        return ("",)

    def pool(self, X, vectors):
        return (X @ vectors).astype(np.float64)


@pytest.mark.small
def test_names_of_features_are_of_one_model():
    embedder = cheap(SGNSEmbedder, pooling=Shy(), combine="concat").fit(DOCUMENTS)
    expected = embedder.get_feature_names_out().tolist()
    assert len(expected) == 6
    Shy.embedder = embedder
    assert embedder.get_feature_names_out().tolist() == expected
    assert embedder.get_feature_names_out().shape == (2,)


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_fit_transform_beside_another_fit(estimator, monkeypatch):
    """What another thread publishes meanwhile is not what is pooled."""
    expected = cheap(estimator).fit_transform(DOCUMENTS)
    embedder = cheap(estimator)
    end = estimator._pool

    def pool(model, *arguments):
        monkeypatch.setattr(estimator, "_pool", end)
        fit_other(embedder)
        return model._pool(*arguments)

    monkeypatch.setattr(estimator, "_pool", pool)
    assert same(embedder.fit_transform(DOCUMENTS), expected)


# --- threads of BLAS ------------------------------------------------------------------


def in_time(work):
    """Return what a call returns in a thread of its own; fail where it never ends."""
    result = Future()

    def call():
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return result.result(timeout=PATIENCE)


def blas_threads():
    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return {one.num_threads for one in found}


@pytest.fixture
def two_threads():
    """Numbers of threads that are not 1, on any machine."""
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS has one thread")
        yield


def test_score_beside_a_factorisation(two_threads):
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    expected = embedder.score(DOCUMENTS)
    with one_blas_thread():
        assert in_time(lambda: embedder.score(DOCUMENTS)) == expected
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_score_and_fit_within_a_factorisation(two_threads, monkeypatch):
    """As a callback or a signal handler does."""
    from skembed._solvers import svd

    monkeypatch.setattr(svd, "DENSE_LIMIT", 1)
    documents = [" ".join(f"w{i % 40}" for i in range(j, j + 9)) for j in range(300)]
    embedder = cheap(PPMISVDEmbedder, verbose=0).fit(documents)
    expected = embedder.score(documents)
    found = []
    grow = svd.KrylovSpace.grow

    def score_and_fit(space, *arguments):
        monkeypatch.setattr(svd.KrylovSpace, "grow", grow)
        found.append(embedder.score(documents))
        found.append(cheap(PPMISVDEmbedder).fit(documents).score(documents))
        assert blas_threads() == {1}
        grow(space, *arguments)

    monkeypatch.setattr(svd.KrylovSpace, "grow", score_and_fit)
    again = in_time(lambda: cheap(PPMISVDEmbedder).fit(documents))
    assert same(again.word_vectors_, embedder.word_vectors_)
    assert found == [expected, expected]
    assert blas_threads() == {2}


def test_the_last_one_to_leave_restores(two_threads):
    """In whatever order, from whatever thread: the first one is still there."""
    first, second = one_blas_thread(), one_blas_thread()
    enter, leave = threading.Event(), threading.Event()

    def hold():
        with first:
            enter.set()
            leave.wait(PATIENCE)
        found = blas_threads()
        still = threading.Event()
        over.append((found, still))
        ready.set()
        still.wait(PATIENCE)

    over, ready = [], threading.Event()
    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert enter.wait(PATIENCE)
    in_time(second.__enter__)
    leave.set()
    assert ready.wait(PATIENCE)
    found, still = over[0]
    assert found == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == {2}
    still.set()
    thread.join()


def at_every_line(function, act):
    """Call a function once for each line of `_parallel` that it runs.

    Each time `act` is called before another line, as by a signal that comes there.
    Returns how many lines there are.
    """
    number = 0
    while True:
        left = [number]

        def trace(frame, event, argument, left=left):
            if frame.f_code.co_filename != threads.__file__:
                # Also contextlib's, from where these are called.
                return trace
            if event == "line":
                left[0] -= 1
                if left[0] == -1:
                    sys.settrace(None)
                    act()
                    sys.settrace(trace)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            function()
        finally:
            sys.settrace(before)
        if left[0] >= 0:
            return number
        number += 1


def use_one():
    with one_blas_thread():
        assert blas_threads() == {1}


def test_a_signal_between_any_two_lines(two_threads):
    """Its handler gets one thread, and so does what it interrupts; then both leave."""

    def all_cases():
        return at_every_line(use_one, use_one)

    assert in_time(all_cases) > 10
    assert blas_threads() == {2}


def test_libraries_are_looked_for_after_imports_only(monkeypatch):
    looked = []

    def look():
        looked.append(len(sys.modules))
        return ThreadpoolController()

    monkeypatch.setattr(threads, "_found", None)
    monkeypatch.setattr(threads, "ThreadpoolController", look)
    for module in ("one", "one", "two"):
        monkeypatch.setitem(sys.modules, f"a_module_named_{module}", threads)
        use_one()
    assert len(looked) == 2


def test_a_library_that_is_loaded_later_gets_one_thread():
    found = run_python(
        """
        import json
        from skembed._utils.threads import one_blas_thread
        from threadpoolctl import ThreadpoolController

        def libraries():
            found = ThreadpoolController().select(user_api="blas").lib_controllers
            return {one.filepath: one.num_threads for one in found}

        with one_blas_thread():
            before = libraries()
        import scipy.linalg
        with one_blas_thread():
            print(json.dumps([before, libraries()]))
        """,
        PACKAGE.parent,
        OMP_NUM_THREADS="2",
        OPENBLAS_NUM_THREADS="2",
        MKL_NUM_THREADS="2",
    )
    before, after = (set(one.values()) for one in found)
    assert before <= {1}
    assert after == {1}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_beside_a_factorisation():
    """The child is not told what only threads of its parent are at."""
    found = run_python(
        """
        import json, os, threading, warnings
        from skembed._utils.threads import one_blas_thread
        from threadpoolctl import ThreadpoolController, threadpool_limits

        def blas_threads():
            found = ThreadpoolController().select(user_api="blas").lib_controllers
            return max(one.num_threads for one in found)

        # Recent versions of Python warn of any fork beside threads.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded")
        threadpool_limits(2, user_api="blas")
        expected = blas_threads()
        entered, leave = threading.Event(), threading.Event()

        def hold():
            with one_blas_thread():
                entered.set()
                leave.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        entered.wait()
        read, write = os.pipe()
        child = os.fork()
        if not child:
            found = [blas_threads()]
            with one_blas_thread():
                found.append(blas_threads())
            found.append(blas_threads())
            os.write(write, json.dumps(found).encode())
            os._exit(0)
        os.waitpid(child, 0)
        leave.set()
        thread.join()
        print(json.dumps([expected, json.loads(os.read(read, 99)), blas_threads()]))
        """,
        PACKAGE.parent,
    )
    expected, (before, inside, after), parent = found
    assert inside == 1
    assert before == after == parent == expected


# --- threads that are none ------------------------------------------------------------


class InTurn:
    """A pool whose workers take turns in the calling thread, as greenlets do."""

    def __init__(self, size):
        pass

    def submit(self, function, *arguments):
        future = Future()
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)
        return future

    def shutdown(self):
        pass


def test_threads_that_take_turns_are_one(monkeypatch):
    """Otherwise the first waits for ever for the others to arrive."""
    with ThreadTeam(2) as team:
        assert team.run(lambda member: member.size) == [2, 2]
    monkeypatch.setattr(threads, "ThreadPoolExecutor", InTurn)
    with ThreadTeam(2) as team:
        assert team.size == 1
        assert team.run(lambda member: member.size) == [1]
        assert team.map(lambda thread, task: (thread, task), "ab") == [
            (0, "a"),
            (0, "b"),
        ]


# --- streams of tasks -----------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_stream_gives_results_in_order(size):
    """Each thread gets its tasks in order, few of which are taken ahead of results."""
    taken, done = [], [[] for _ in range(size)]
    reader = threading.get_ident()

    def tasks():
        for task in range(60):
            assert threading.get_ident() == reader
            taken.append(task)
            yield task

    def work(thread, task):
        done[thread].append(task)
        time.sleep(0.001 * (task % 3))
        return -task

    found = []
    with ThreadTeam(size) as team:
        for result in team.stream(work, tasks()):
            assert len(taken) <= len(found) + 2 * size
            found.append(result)
    assert found == [-task for task in range(60)]
    assert all(some == sorted(some) for some in done)
    assert sorted(itertools.chain(*done)) == taken


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("where", ["tasks", "work"])
def test_an_error_ends_a_stream(size, where):
    """It comes after the results before it, and no tasks are left."""
    done = []

    def tasks():
        yield from range(20)
        if where == "tasks":
            raise ValueError("20")
        yield from range(20, 1000)

    def work(thread, task):
        if task == 20:
            raise ValueError("20")
        done.append(task)
        return task

    found = []
    with ThreadTeam(size) as team, pytest.raises(ValueError, match="20"):
        found.extend(team.stream(work, tasks()))
    # Of the tasks before an error of the iterable, the last ones may be dropped.
    assert found == list(range(len(found)))
    assert len(found) == 20 if where == "work" else len(found) >= 20 - 2 * size
    assert set(found) <= set(done) <= set(range(20 + 2 * size + 1))


def test_an_interrupt_ends_a_stream():
    """While the calling thread waits for a result."""
    done = []

    def work(thread, task):
        if task == 5:
            _thread.interrupt_main()
        time.sleep(0.01)
        done.append(task)

    start = time.monotonic()
    with ThreadTeam(2) as team, pytest.raises(KeyboardInterrupt):
        list(team.stream(work, range(1000)))
    assert time.monotonic() - start < PATIENCE / 2
    assert len(done) < 100


@pytest.mark.parametrize("name", [kind.__name__ for kind in ESTIMATORS])
def test_the_same_bits_where_threads_take_turns(name, monkeypatch):
    params = {"n_components": 8, "min_count": 1, "max_iter": 2}
    case = name, False, params, draw_documents(4, 60, 30)
    expected = bits.fingerprint(*case, 1)
    for module in bits.modules_with_threads():
        monkeypatch.setattr(module, "n_threads", bits.as_told)
    monkeypatch.setattr(threads, "ThreadPoolExecutor", InTurn)
    assert in_time(lambda: bits.fingerprint(*case, 2)) == expected
