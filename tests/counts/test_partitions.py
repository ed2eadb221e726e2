"""Documents in partitions of Dask give the same as the same documents in a list."""

import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    PretrainedEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    cooccurrence,
)
from skembed._corpus import partitioned
from skembed._counts import partitions
from skembed.vectors import WordVectors
from tests.helpers import cheap, draw_documents

dask = pytest.importorskip("dask")
array = pytest.importorskip("dask.array")
bag = pytest.importorskip("dask.bag")
frames = pytest.importorskip("dask.dataframe")

COUNTING = [GloVeEmbedder, PPMISVDEmbedder, SoftmaxEmbedder]
N_DOCUMENTS = 60
RAW = draw_documents(3, N_DOCUMENTS)
TOKENS = [text.split() for text in RAW]
RNG = np.random.default_rng(5)
MATRIX = RNG.poisson(0.7, (N_DOCUMENTS, 9))
IDS = RNG.integers(-1, 12, (N_DOCUMENTS, 8))
WEIGHTS = {
    "none": None,
    "whole": RNG.integers(0, 4, N_DOCUMENTS),
    "halves": RNG.integers(1, 9, N_DOCUMENTS) / 2,
}


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def in_other_order(monkeypatch, seed):
    """Let tasks run in any order that their results allow."""
    shuffled = random.Random(seed)

    def order(graph, *_, **__):
        ranks = list(range(len(graph)))
        shuffled.shuffle(ranks)
        return dict(zip(graph, ranks, strict=True))

    monkeypatch.setattr("dask.local.order", order)


def as_bag(documents, n_partitions):
    return bag.from_sequence(documents, npartitions=n_partitions)


def as_series(documents, n_partitions):
    return frames.from_pandas(pd.Series(documents), npartitions=n_partitions)


def as_frame(documents, n_partitions):
    return as_series(documents, n_partitions).to_frame("text")


def as_array(documents, n_partitions):
    column = np.array(documents, dtype=object)[:, np.newaxis]
    return array.from_array(column, chunks=(-(-len(documents) // n_partitions), 1))


COLLECTIONS = [as_bag, as_series, as_frame, as_array]


def blocks_of(X, n_partitions):
    return array.from_array(X, chunks=(-(-len(X) // n_partitions), 4))


def assert_same_counts(found, expected):
    (counts, rows), (true_counts, true_rows) = found, expected
    assert list(rows.items()) == list(true_rows.items())
    assert counts.shape == true_counts.shape
    for name in ("indptr", "indices", "data"):
        one, other = getattr(counts, name), getattr(true_counts, name)
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes(), name


@pytest.mark.parametrize("n_partitions", [1, 3, 8])
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_counts_of_text(collection, n_partitions):
    params = {"window": 3, "min_count": 2}
    X = collection(RAW, n_partitions)
    assert_same_counts(cooccurrence(X, **params), cooccurrence(RAW, **params))


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("weighting", ["flat", "dynamic", "harmonic"])
@pytest.mark.parametrize("direction", ["both", "left", "right"])
def test_windows_and_weights(weighting, direction, weights):
    params = {"window_weighting": weighting, "direction": direction, "window": 4}
    params |= {"min_count": 2, "sample_weight": weights}
    expected = cooccurrence(TOKENS, **params)
    for n_partitions in (3, 8):
        found = cooccurrence(as_bag(TOKENS, n_partitions), **params)
        assert_same_counts(found, expected)


def test_weights_that_do_not_add_up_exactly():
    weights = np.random.default_rng(0).random(N_DOCUMENTS) ** 8 + 1e-9
    params = {"sample_weight": weights, "min_count": 1}
    counts, rows = cooccurrence(RAW, **params)
    found, found_rows = cooccurrence(as_bag(RAW, 7), **params)
    assert list(found_rows) == list(rows)
    np.testing.assert_array_equal(found.indices, counts.indices)
    np.testing.assert_allclose(found.data, counts.data, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_tasks(seed, monkeypatch):
    expected = cooccurrence(RAW, min_count=1)
    in_other_order(monkeypatch, seed)
    with dask.config.set(scheduler="threads", num_workers=2):
        assert_same_counts(cooccurrence(as_bag(RAW, 8), min_count=1), expected)


@pytest.mark.parametrize("n_jobs", [1, 2, 7])
def test_number_of_parts(n_jobs):
    """Neighbouring partitions are joined to one part for each task at a time."""
    expected = cooccurrence(RAW)
    assert_same_counts(cooccurrence(as_bag(RAW, 12), n_jobs=n_jobs), expected)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("window", [5, 30, 40])
def test_rounds_of_ranges(window, weights, monkeypatch):
    """Many parts are counted some rows at a time. Large whole numbers are exact."""
    monkeypatch.setattr(partitioned, "_TASK_TOKENS", 40)
    monkeypatch.setattr(partitions, "_RANGES", 2)
    params = {"window": window, "window_weighting": "harmonic", "min_count": 1}
    params["sample_weight"] = weights
    texts = [" ".join(RAW)] * 2 + RAW[2:]
    expected, rows = cooccurrence(texts, **params)
    found, found_rows = cooccurrence(as_bag(texts, 12), **params, n_jobs=2)
    assert list(found_rows) == list(rows)
    np.testing.assert_array_equal(found.indices, expected.indices)
    # The sums of halves need more than 53 bits if the window is wide.
    if window <= (36 if weights is None else 5):
        np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-12)


@pytest.mark.parametrize(
    "params",
    [
        {"max_features": 4},
        {"vocabulary": ["birch", "amber", "cedar"], "min_count": 1},
        {"stop_words": ["amber"]},
        {"min_count": 1, "lowercase": False, "analyzer": "char"},
        {"min_count": 1, "analyzer": lambda text: text.split()[::2]},
    ],
)
def test_parameters_of_text(params):
    assert_same_counts(
        cooccurrence(as_bag(RAW, 5), **params), cooccurrence(RAW, **params)
    )


def test_empty_partitions_and_missing_documents():
    documents = ["amber birch", None, "", "birch amber", np.nan, "cedar amber birch"]
    X = bag.from_delayed(
        [dask.delayed(part) for part in (documents[:1], [], [None], documents[2:], [])]
    )
    params = {"min_count": 1, "missing": "empty"}
    assert_same_counts(cooccurrence(X, **params), cooccurrence(documents, **params))


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_counts_of_a_matrix(weights, whole):
    X = MATRIX if whole else MATRIX / 8
    params = {"sample_weight": weights, "max_features": 7}
    expected = cooccurrence(X, **params)
    for n_partitions in (1, 3, 8):
        found = cooccurrence(blocks_of(X, n_partitions), **params)
        if whole and (weights is None or not (weights % 1).any()):
            assert_same_counts(found, expected)
        assert list(found[1].items()) == list(expected[1].items())
        np.testing.assert_allclose(found[0].toarray(), expected[0].toarray(), rtol=1e-7)


def test_frame_of_counts():
    frame = pd.DataFrame(MATRIX, columns=[f"w{i}" for i in range(MATRIX.shape[1])])
    found = cooccurrence(frames.from_pandas(frame, npartitions=4))
    assert_same_counts(found, cooccurrence(frame))


@pytest.mark.parametrize("dtype", [np.float16, ">i4", ">f8", bool])
@pytest.mark.parametrize("estimator", [PPMISVDEmbedder, SGNSEmbedder])
def test_types_of_numbers(estimator, dtype):
    X = MATRIX.astype(dtype)
    expected = cheap(estimator).fit(X)
    found = cheap(estimator).fit(blocks_of(X, 4))
    assert_same_fit(found, expected)
    assert found.score(blocks_of(X, 3)) == expected.score(X)


def test_partitions_with_other_columns():
    """Dask does not check them if it is told so."""
    frame = pd.DataFrame(MATRIX, columns=[f"w{i}" for i in range(MATRIX.shape[1])])
    parts = [frame[:20], frame[20:40], frame[40:]]
    parts[1] = parts[1][["w1", "w0", *frame.columns[2:]]]
    options = {"meta": frame[:0], "enforce_metadata": False}
    X = frames.from_map(lambda number: parts[number], [0, 1, 2], **options)
    with pytest.raises(ValueError, match=r"^Partition 1 of X: .* 0 is 'w1', .* 'w0'"):
        cooccurrence(X)
    short = blocks_of(MATRIX, 1).rechunk({1: -1}).map_blocks(lambda block: block[:, :5])
    with pytest.raises(ValueError, match=r"^Partition 0 of X: it has 5 columns, but X"):
        cooccurrence(short)


def test_sparse_chunks():
    chunks = [dask.delayed(sparse.csr_array)(part) for part in np.split(MATRIX, 4)]
    shape = N_DOCUMENTS // 4, MATRIX.shape[1]
    parts = [array.from_delayed(c, shape=shape, dtype=MATRIX.dtype) for c in chunks]
    found = cooccurrence(array.concatenate(parts))
    assert_same_counts(found, cooccurrence(sparse.csr_array(MATRIX)))


@pytest.mark.parametrize("n_partitions", [1, 4])
def test_token_ids(n_partitions):
    params = {"input": "token_ids", "min_count": 1, "window": 2}
    found = cooccurrence(blocks_of(IDS, n_partitions), **params)
    assert_same_counts(found, cooccurrence(IDS, **params))


# --- fits -----------------------------------------------------------------------------


def assert_same_fit(found, expected):
    assert vars(found).keys() == vars(expected).keys()
    for name in ("word_vectors_", "context_vectors_", "word_counts_"):
        if hasattr(expected, name):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert list(found.vocabulary_.items()) == list(expected.vocabulary_.items())


@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize("estimator", [*COUNTING, SGNSEmbedder, CBOWEmbedder])
def test_fits(estimator, collection):
    expected = cheap(estimator).fit(RAW)
    found = cheap(estimator).fit(collection(RAW, 4))
    assert_same_fit(found, expected)
    np.testing.assert_allclose(
        found.transform(RAW), expected.transform(RAW), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("estimator", [*COUNTING, SGNSEmbedder, CBOWEmbedder])
@pytest.mark.parametrize("kind", ["matrix", "ids"])
def test_fits_of_numbers(estimator, kind):
    X, params = (MATRIX, {}) if kind == "matrix" else (IDS, {"input": "token_ids"})
    expected = cheap(estimator, **params).fit(X)
    found = cheap(estimator, **params).fit(blocks_of(X, 4))
    assert_same_fit(found, expected)
    np.testing.assert_allclose(
        found.transform(X), expected.transform(X), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("estimator", COUNTING)
def test_given_counts(estimator):
    counts = (MATRIX.T @ MATRIX).astype(float)
    expected = cheap(estimator, input="cooccurrence").fit(counts)
    found = cheap(estimator, input="cooccurrence").fit(blocks_of(counts, 3))
    assert_same_fit(found, expected)


@pytest.mark.parametrize("pooling", ["mean", "tfidf", "sif", "usif", "topical", "vlad"])
@pytest.mark.parametrize("scale", [None, "standard", "spherical"])
@pytest.mark.parametrize("weights", [WEIGHTS["none"], WEIGHTS["whole"]])
def test_what_features_learn(pooling, scale, weights):
    """Sums over documents are added up on the workers, in another order."""
    params = {"pooling": pooling, "scale": scale}
    expected = cheap(PPMISVDEmbedder, **params).fit(RAW, sample_weight=weights)
    found = cheap(PPMISVDEmbedder, **params).fit(as_bag(RAW, 5), sample_weight=weights)
    np.testing.assert_allclose(
        found.transform(RAW), expected.transform(RAW), rtol=1e-5, atol=1e-9
    )


class Longest:
    """A pooling of a user, which learns from all documents at once."""

    def fit(self, X, vectors):
        self.longest_ = X.sum(axis=1).max()
        return self

    def pool(self, X, vectors):
        return X @ vectors / self.longest_


def test_pooling_of_a_user():
    expected = cheap(PPMISVDEmbedder, pooling=Longest()).fit(RAW)
    found = cheap(PPMISVDEmbedder, pooling=Longest()).fit(as_bag(RAW, 5))
    assert found.pooling_.longest_ == expected.pooling_.longest_
    np.testing.assert_allclose(found.transform(RAW), expected.transform(RAW), rtol=1e-6)


@pytest.mark.parametrize("estimator", [*COUNTING, SGNSEmbedder])
@pytest.mark.parametrize("new_words", ["grow", "freeze"])
def test_partial_fit(estimator, new_words):
    expected, found = (cheap(estimator, new_words=new_words) for _ in range(2))
    for documents in (RAW[:40], [*RAW[40:], "quartz quartz amber quartz birch"] * 2):
        expected.partial_fit(documents)
        found.partial_fit(as_bag(documents, 3))
        assert_same_fit(found, expected)


def test_pretrained_vectors():
    vectors = WordVectors.from_estimator(cheap(PPMISVDEmbedder).fit(RAW))
    expected = PretrainedEmbedder(vectors, pooling="sif").fit(RAW)
    found = PretrainedEmbedder(vectors, pooling="sif").fit(as_bag(RAW, 4))
    np.testing.assert_array_equal(found.transform(RAW), expected.transform(RAW))


# --- errors ---------------------------------------------------------------------------


def test_an_invalid_document():
    X = as_bag([*RAW[:9], b"amber"], 5)
    with pytest.raises(ValueError, match=r"^Partition 4 of X: Document 1 is bytes"):
        cooccurrence(X)
    embedder = cheap(GloVeEmbedder)
    with pytest.raises(ValueError, match="Partition 4 of X"):
        embedder.fit(X)
    assert not embedder.__sklearn_is_fitted__()


@pytest.mark.parametrize(
    ("X", "params", "message"),
    [
        (as_bag(["amber", "birch"], 2), {"min_count": 2}, "Empty vocabulary: no word"),
        (as_bag(["", ""], 2), {}, "Empty vocabulary: the 2 documents"),
        (as_bag(RAW, 2), {"vocabulary": ["quartz"]}, "None of the 1 words of vocab"),
        (as_bag(RAW, 2), {"input": "cooccurrence"}, "takes a square matrix"),
        (as_bag(RAW, 2), {"sample_weight": np.ones(3)}, r"expected \(60,\)"),
        (as_bag(RAW, 2), {"sample_weight": np.zeros(N_DOCUMENTS)}, "Sample weights"),
        (array.zeros((2, 2, 2)), {}, "one column of documents"),
        (frames.from_pandas(pd.DataFrame({"a": RAW, "b": RAW}), 2), {}, "2 columns"),
    ],
)
def test_invalid_input(X, params, message):
    params = dict(params)
    weights = params.pop("sample_weight", None)
    embedder = PPMISVDEmbedder(**params)
    with pytest.raises(ValueError, match=message):
        embedder.fit(X, sample_weight=weights)
    assert not embedder.__sklearn_is_fitted__()


def test_a_limit_of_memory_is_refused_before_anything_is_read():
    def fail(*_, **__):
        pytest.fail("Dask computes")

    with (
        dask.config.set(scheduler=fail),
        pytest.raises(ValueError, match=r"max_memory=9 .* counted by its workers"),
    ):
        cooccurrence(as_bag(RAW, 2), max_memory=9)


@pytest.mark.parametrize("estimator", [PPMISVDEmbedder, SGNSEmbedder])
def test_weights_in_collections(estimator):
    """An array or Series may have other partitions than the documents."""
    weights = WEIGHTS["whole"]
    expected = cheap(estimator).fit(RAW, sample_weight=weights)
    for lazy in (
        array.from_array(weights, chunks=7),
        frames.from_pandas(pd.Series(weights), npartitions=2),
    ):
        found = cheap(estimator).fit(as_bag(RAW, 5), sample_weight=lazy)
        assert_same_fit(found, expected)
    for wrong in (as_bag(weights.tolist(), 2), iter(weights)):
        with pytest.raises(TypeError, match=r"^sample_weight is .* Pass an array of"):
            cheap(estimator).fit(as_bag(RAW, 5), sample_weight=wrong)


SETTINGS = """
import dask, dask.bag, skembed
bag = dask.bag.from_sequence(["one two three"] * 9, npartitions=2)
with dask.config.set(scheduler="threads"):
    skembed.cooccurrence(bag)
import distributed
print(dask.config.get("distributed.comm.timeouts.connect"))
"""


def test_columns_are_counted_before_anything_is_computed():
    def fail(_):
        raise AssertionError("A partition was computed.")

    meta = pd.DataFrame({"a": [""], "b": [""]})
    X = frames.from_map(fail, range(3), meta=meta)
    with pytest.raises(ValueError, match=r"^X is a frame of 2 columns"):
        cooccurrence(X)


def test_settings_of_distributed_are_complete_afterwards():
    """Counting without a cluster came first, when distributed was not loaded."""
    pytest.importorskip("distributed")
    printed = subprocess.check_output([sys.executable, "-c", SETTINGS], text=True)
    assert printed.strip()


class Infinite(Longest):
    """A pooling whose features of long documents are infinite."""

    def pool(self, X, vectors):
        rows = X @ vectors
        rows[X.sum(axis=1) > 6] = np.inf
        return rows


def test_an_error_about_features_says_where_positions_begin():
    documents = [*RAW[:6], RAW[6] + " amber birch cedar"]
    embedder = cheap(PPMISVDEmbedder, pooling=Infinite(), scale="standard", n_jobs=2)
    # It is document 6. The first four are another part.
    message = r"Features of document 2 are .* counts from document 4 of X"
    with pytest.raises(ValueError, match=message):
        embedder.fit(as_bag(documents, 7))
    assert not embedder.__sklearn_is_fitted__()
