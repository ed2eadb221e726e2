"""How much memory there is, and what is said before more than that is taken."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer

from skembed import GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder, SoftmaxEmbedder
from skembed._corpus import tokenize, vocabulary
from skembed._corpus.vocabulary import Corpus
from skembed._solvers import memory as memory_of_fits
from skembed._solvers import svd
from skembed._utils import memory
from skembed._utils.jit import COMPILED
from skembed.pooling import Pooling, TopicalPooling, _features, _rows
from skembed.pooling._features import LEARNED_AT_ONCE
from tests.helpers import (
    CHEAP,
    DOCUMENTS,
    ESTIMATORS,
    assert_same_fit,
    cheap,
    learned,
    traced,
)

small = pytest.mark.small
needs_compiler = pytest.mark.skipif(not COMPILED, reason="too slow without compiler")
HUGE = 1 << 60


class ArrayMemoryError(MemoryError):
    """Is like that of NumPy, which is not public."""


class Room:
    """Stands in for `available`: has no room at the time of one of the questions."""

    def __init__(self, refused):
        self.refused = refused
        self.n_asked = 0

    def __call__(self):
        self.n_asked += 1
        return 0 if self.n_asked - 1 == self.refused else HUGE


def refusals(do):
    """Do something again and again, each time with another allocation refused.

    Yields the message of each refusal, until nothing more is asked for.
    """
    for refused in range(1000):
        room = Room(refused)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(memory, "_SMALL", 0)
                patch.setattr(memory, "available", room)
                do()
        except MemoryError as error:
            yield str(error)
        else:
            assert room.n_asked <= refused
            return
    raise AssertionError("there is no end of what is asked for")


def matrix():
    """Return words of documents as a matrix."""
    rng = np.random.default_rng(0)
    return sparse.csr_array(rng.poisson(0.5, size=(30, 12)).astype(np.float64))


CASES = [
    *((kind, {}, DOCUMENTS) for kind in CHEAP),
    (SGNSEmbedder, {"share_context": "bilinear"}, DOCUMENTS),
    *((kind, {}, matrix()) for kind in ESTIMATORS),
    (PPMISVDEmbedder, {"directional": True}, DOCUMENTS),
    (PPMISVDEmbedder, {"share_context": "bilinear"}, DOCUMENTS),
]
EXPECTED = {
    "SGNSEmbedder": ["The vectors of 8 words", "Work spaces of "],
    "CBOWEmbedder": ["The vectors of 8 words", "Work spaces of "],
    "GloVeEmbedder": ["Co-occurrence counts of ", "The vectors of 8 words"],
    "SoftmaxEmbedder": ["Co-occurrence counts of ", "The vectors of 8 words"],
    "TreeEmbedder": ["Co-occurrence counts of ", "The vectors of 8 words"],
    "PPMISVDEmbedder": [
        "Co-occurrence counts of ",
        "Dense matrices of ",
    ],
}


@small
@pytest.mark.parametrize(("estimator", "params", "X"), CASES)
def test_a_refused_allocation(estimator, params, X):
    """Says what it is for and what to do, and leaves the estimator as it was."""
    warnings.simplefilter("ignore", UserWarning)
    params = {**params, "warm_start": True}
    before = cheap(estimator, **params).fit(X)
    embedder = cheap(estimator, **params)

    def fit():
        unfitted = cheap(estimator, **params)
        try:
            unfitted.fit(X)
        except MemoryError:
            assert not learned(unfitted)
            with pytest.raises(NotFittedError):
                unfitted.transform(X)
            raise

    messages = list(refusals(fit))
    assert messages
    for message in messages:
        assert "0 bytes are available" in message
        assert message.endswith(".")
        assert "Lower" in message
    if X is DOCUMENTS and params.keys() == {"warm_start"}:
        for expected in EXPECTED[estimator.__name__]:
            assert any(expected in message for message in messages), messages
    embedder.fit(X)
    assert_same_fit(embedder, before)
    # A fitted estimator stays as it is, too.
    for _ in refusals(lambda: embedder.partial_fit(X)):
        assert_same_fit(embedder, before)


@small
def test_shared_documents_are_refused():
    embedder = cheap(PPMISVDEmbedder)
    messages = list(refusals(lambda: embedder.fit(matrix())))
    assert any(m.startswith("Counts of words that share documents") for m in messages)


@small
def test_a_krylov_space_is_refused(monkeypatch):
    monkeypatch.setattr(svd, "DENSE_LIMIT", 4)
    embedder = PPMISVDEmbedder(1, min_count=1, random_state=0)
    messages = list(refusals(lambda: embedder.fit(DOCUMENTS)))
    assert any("Krylov" in message for message in messages), messages


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_features_are_refused(estimator, monkeypatch):
    embedder = cheap(estimator).fit(DOCUMENTS)
    # What is pooled at once takes little.
    monkeypatch.setattr(_rows, "CHUNK", 20)
    message, *others = refusals(lambda: embedder.transform(DOCUMENTS))
    assert message.startswith("3 features of 20 documents need 240 bytes")
    assert "Pass fewer documents at a time" in message
    assert not others


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("error", [MemoryError(), ArrayMemoryError((3, 5), np.float64)])
def test_memory_that_nobody_looked_at(estimator, error, monkeypatch):
    """The error comes as it is, and nothing has changed."""

    def build(*_):
        raise error

    monkeypatch.setattr(vocabulary, "build", build)
    embedder = cheap(estimator)
    with pytest.raises(MemoryError) as caught:
        embedder.fit(DOCUMENTS)
    assert caught.value is error
    assert not learned(embedder)


@small
def test_what_is_small_is_not_asked_for(monkeypatch):
    room = Room(0)
    monkeypatch.setattr(memory, "available", room)
    cheap(SGNSEmbedder).fit(DOCUMENTS).transform(DOCUMENTS)
    assert room.n_asked == 0


@small
@pytest.mark.parametrize("known", [None, HUGE])
def test_room_that_is_there_or_not_known(known, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: known)
    memory.check_room(HUGE, "Things", "Take fewer.")


# --- what there is --------------------------------------------------------------------


@small
def test_available():
    room = memory.available()
    if sys.platform in ("linux", "darwin", "win32"):
        assert 0 < room < 1 << 50
    if sys.platform == "linux":
        whole = memory._numbers(Path("/proc/meminfo"))
        most = (whole["MemTotal"] + whole.get("SwapTotal", 0)) * 1024
        assert 0 < memory._of_machine() < most


@small
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is used")
def test_what_is_taken_is_not_available(monkeypatch):
    """By the limit of this process; the machine is also that of others."""
    resource = pytest.importorskip("resource")
    used = memory._numbers(Path("/proc/self/status"))["VmSize"] * 1024

    def getrlimit(kind):
        limited = kind == resource.RLIMIT_AS
        return used + (1 << 29) if limited else resource.RLIM_INFINITY, None

    monkeypatch.setattr(resource, "getrlimit", getrlimit)
    (room,) = memory._of_process()
    assert 1 << 28 < room <= 1 << 29
    assert memory.available() <= room
    block = np.ones(1 << 24)
    assert memory._of_process()[0] < room - block.nbytes / 2
    del block


@small
@pytest.mark.parametrize("version", [1, 2])
def test_control_groups(version, tmp_path, monkeypatch):
    """The least of what a group and those around it leave; files give way."""
    limit, use, cache = memory._GROUPS[2 - version]
    folders = [tmp_path / "inner", tmp_path / "middle", tmp_path / "none"]
    for folder, limits in zip(
        folders, [(2000, 1500, 100), ("max", 10, 0)], strict=False
    ):
        folder.mkdir()
        (folder / limit).write_text(f"{limits[0]}\n")
        (folder / use).write_text(f"{limits[1]}\n")
        (folder / "memory.stat").write_text(f"anon 7\n{cache} {limits[2]}\n")
    monkeypatch.setattr(memory, "_group_folders", lambda: folders)
    assert memory._of_groups() == [600]
    assert memory.available() == 600


@small
def test_units():
    sizes = {0: "0 bytes", 1023: "1.02e+03 bytes", 1536: "1.5 KiB", 3 << 30: "3 GiB"}
    assert {size: memory.in_units(size) for size in sizes} == sizes
    assert memory.in_units(2.0**90) == "1.07e+09 EiB"


# --- what a fit will take -------------------------------------------------------------


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimates_grow_with_sizes(estimator):
    """In proportion to what dominates."""
    params = {"subsample": 0, **CHEAP[estimator]}
    known = estimator._get_param_names()
    params = {name: params[name] for name in params if name in known}

    def estimate(n_tokens, n_words, **more):
        embedder = estimator(**{**params, **more})
        return embedder.estimate_memory(n_tokens=n_tokens, n_words=n_words)

    few, many = estimate(10**6, 10**4), estimate(10**8, 10**4)
    assert isinstance(few, int)
    assert 0 < few < many
    assert estimate(10**6, 10**5) > few
    wide = estimate(10**6, 10**5, n_components=400)
    wider = estimate(10**6, 10**5, n_components=800)
    tables = 4 * 10**5 * 400
    assert wider - wide > tables
    assert wider - wide < 20 * tables


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimate_of_documents(estimator):
    """It learns nothing, and knows the documents as `fit` does."""
    embedder = cheap(estimator)
    expected = embedder.estimate_memory(DOCUMENTS)
    assert expected == embedder.estimate_memory(list(DOCUMENTS))
    assert not learned(embedder)
    assert embedder.estimate_memory(DOCUMENTS * 200) > expected
    assert cheap(estimator).estimate_memory(matrix()) > 0


class Learning(Pooling):
    """A pooling of a user that learns something."""

    def fit(self, X, vectors, sample_weight=None):
        return self


@small
def test_estimate_of_poolings():
    """Poolings of users take a matrix of all documents, others of some at a time.

    Clustering takes copies of vectors.
    """

    def peak(pooling):
        embedder = SGNSEmbedder(n_components=100, pooling=pooling)
        return embedder.estimate_memory(n_tokens=10**9, n_words=10**6)

    def estimate(pooling, combine="word"):
        embedder = SGNSEmbedder(n_components=100, pooling=pooling, combine=combine)
        sizes = memory_of_fits.Sizes(10**9, np.ones(10**6), 10)
        return memory_of_fits.pooling_fit(embedder, sizes)

    assert peak("max") == peak("mean") == peak("tfidf")
    assert peak(Learning()) - peak("mean") > 3e9
    assert estimate("mean") == estimate("max") == 0
    # With one thread: the sum of frequencies, a part of it, and the next sum.
    of_sums = 3 * 8 * 10**6
    saved = estimate(Learning()) - estimate("tfidf")
    assert saved == 4 * (10**9 - LEARNED_AT_ONCE) - of_sums
    # Of at most 65,536 words.
    clustering = estimate("vlad") - estimate("tfidf")
    assert 4 * 100 * 2**16 < clustering < 5 * 4 * 100 * 2**16
    # Of all words: sums and vectors in float64, and the latter in float32.
    assert estimate("topical") - estimate("tfidf") == (3 * 8 + 4) * 100 * 10**6
    assert estimate("vlad", "concat") - estimate("vlad") > 4 * 200 * 10**6


@small
@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_estimate_of_a_pooling_in_threads(n_jobs, monkeypatch):
    """Each thread has a sum for each word, and some wait to be added."""
    monkeypatch.setattr(_features, "LEARNED_AT_ONCE", 5000)
    rng, shape = np.random.default_rng(0), (20_000, 50)
    ids, offsets = rng.integers(0, shape[0], 60_000), np.arange(0, 60_001, 50)
    corpus = Corpus(ids.astype(np.int32), offsets)
    table = rng.standard_normal(shape).astype(np.float32)

    def learn():
        pooling = TopicalPooling()
        return _features.fit(pooling, corpus, (table, table), "word", False, n_jobs)

    learn()
    _, peak = traced(learn)
    embedder = SGNSEmbedder(shape[1], pooling="topical", n_jobs=n_jobs)
    sizes = memory_of_fits.Sizes(ids.size, np.ones(shape[0]), 50)
    expected = memory_of_fits.pooling_fit(embedder, sizes)
    # The text and the tables are there before.
    expected -= memory_of_fits.reading(sizes) + 2 * table.nbytes
    assert 0.85 * peak < expected < 1.5 * peak


@needs_compiler
@pytest.mark.parametrize("n_jobs", [1, 2, 4])
def test_estimate_of_scanning(n_jobs):
    """Each thread has a table of words, and batches of texts wait."""
    tokens = [f"word{i % 20_000}" for i in range(600_000)]
    documents = [" ".join(tokens[i : i + 200]) for i in range(0, 600_000, 200)]

    def read():
        return tokenize.number(documents, CountVectorizer(), n_jobs=n_jobs)

    (ids, _, words), _ = traced(read)
    _, peak = traced(read)
    sizes = memory_of_fits.Sizes(len(ids), np.ones(len(words)), 200)
    embedder = SGNSEmbedder(n_jobs=n_jobs)
    expected = memory_of_fits.scanning(embedder, sizes)
    assert 0.65 * peak < expected < 1.5 * peak
    least = embedder.estimate_memory(n_tokens=len(ids), n_words=len(words))
    assert least >= expected


@small
def test_estimate_of_draws():
    """Many draws take more than a model of few words."""
    embedder = cheap(SoftmaxEmbedder, n_draws=10**6, max_iter=1)
    expected = embedder.estimate_memory(DOCUMENTS)
    embedder.set_params(n_draws=7).fit(DOCUMENTS)
    _, peak = traced(embedder.set_params(n_draws=10**6).fit, DOCUMENTS)
    assert 0.8 * peak < expected < 1.2 * peak


@pytest.mark.slow
def test_estimate_of_clustering():
    documents = [f"w{i} w{i + 1}" for i in range(20_000)]
    params = {"n_components": 200, "max_iter": 1, "min_count": 1, "window": 1}
    cheap(SGNSEmbedder, pooling="vlad").fit(DOCUMENTS)
    embedder = SGNSEmbedder(pooling="vlad", random_state=0, **params)
    expected = embedder.estimate_memory(documents)
    _, peak = traced(embedder.fit, documents)
    assert 0.5 * peak < expected < 1.5 * peak


@small
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"n_tokens must be a positive int, got None"),
        ({"n_tokens": 10}, r"n_words must be a positive int, got None"),
        ({"n_tokens": 0, "n_words": 1}, r"n_tokens .* got 0"),
        ({"n_tokens": 1.5, "n_words": 1}, r"n_tokens .* got 1.5"),
        ({"X": DOCUMENTS, "n_words": 1}, "not both"),
        ({"X": []}, "no documents|Empty vocabulary"),
        ({"X": ["amber", None]}, "document 1|Document 1"),
    ],
)
def test_what_cannot_be_estimated(arguments, message):
    with pytest.raises(ValueError, match=message):
        cheap(SGNSEmbedder).estimate_memory(**arguments)
    with pytest.raises(ValueError, match="window"):
        SGNSEmbedder(window=0).estimate_memory(n_tokens=10, n_words=3)


@small
@pytest.mark.parametrize("estimator", [SGNSEmbedder, GloVeEmbedder])
def test_copies_of_an_estimate(estimator):
    """Of what is learned: for an interrupt to keep, or as the best so far."""
    sizes = {"n_tokens": 10**4, "n_words": 10**5}
    embedder = estimator(300, window=1, max_iter=1)
    one = embedder.estimate_memory(**sizes)
    tables = 4 * 2 * 300 * 10**5
    assert embedder.set_params(max_iter=2).estimate_memory(**sizes) >= one
    both = {"warm_start": True, "early_stopping": True, "max_iter": 1}
    two = embedder.set_params(**both).estimate_memory(**sizes)
    assert two >= max(one, 2 * tables)


@pytest.fixture(scope="module")
def large_matrices():
    """Return documents x words, and counts that are symmetric or not, by name."""
    rng = np.random.default_rng(0)
    documents = sparse.random_array(
        (10_000, 1200), density=0.03, random_state=rng, format="csr"
    )
    counts = sparse.random_array(
        (1500, 1500), density=0.4, random_state=rng, format="csr"
    )
    counts.data += 1.0
    both = sparse.csr_array(counts + counts.T)
    return {"documents": documents, "counts": counts, "symmetric counts": both}


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", ["documents", "counts", "symmetric counts"])
def test_estimates_of_matrices(estimator, name, large_matrices):
    """Are what a fit takes, or off by half."""
    X = large_matrices[name]
    embedder = cheap(estimator, n_components=4, combine="word")
    embedder.set_params(input="content" if name == "documents" else "cooccurrence")
    # Compiles, and imports.
    embedder.fit(X[:100, :100])
    expected = embedder.estimate_memory(X)
    _, peak = traced(embedder.fit, X)
    assert 0.5 * peak < expected < 1.5 * peak


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_parameters_of_an_estimate(estimator):
    embedder = cheap(estimator, share_context="bogus")
    with pytest.raises(ValueError, match="share_context must be one of"):
        embedder.estimate_memory(n_tokens=10, n_words=3)
    if "directional" in embedder.get_params():
        embedder.set_params(share_context=True, directional=True)
        with pytest.raises(ValueError, match="directional=True"):
            embedder.estimate_memory(n_tokens=10, n_words=3)
