"""Features of Dask collections: lazy, and the rows of the same documents in a list."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union

import skembed
from skembed import GloVeEmbedder, PPMISVDEmbedder, PretrainedEmbedder, SGNSEmbedder
from skembed.features import TextUnion
from skembed.inspection import word_contributions
from skembed.vectors import WordVectors
from tests.helpers import DOCUMENTS, ESTIMATORS, MORE, PACKAGE, WORDS, cheap

dask = pytest.importorskip("dask")
array = pytest.importorskip("dask.array")
bag = pytest.importorskip("dask.bag")
frames = pytest.importorskip("dask.dataframe")
cloudpickle = pytest.importorskip("cloudpickle")

# Documents of `transform`, some with words of no vector, one without words.
RAW = [*MORE, "amber zebra", "", "Birch, CEDAR!"]
TOKENS = [text.split() for text in RAW]
N = len(RAW)
RNG = np.random.default_rng(7)
MATRIX = RNG.poisson(0.6, (N, len(WORDS)))
IDS = RNG.integers(-1, 9, (N, 6))
LABELS = np.arange(N) % 2


def as_bag(documents, n_partitions=4):
    return bag.from_sequence(documents, npartitions=n_partitions)


def as_series(documents, n_partitions=4):
    index = pd.Index(np.arange(len(documents)) * 10, name="id")
    series = pd.Series(documents, index, name="text")
    # By default, Dask would make a str of a list.
    with dask.config.set({"dataframe.convert-string": type(documents[0]) is not list}):
        return frames.from_pandas(series, npartitions=n_partitions)


def as_frame(documents, n_partitions=4):
    return as_series(documents, n_partitions).to_frame()


def as_objects(documents):
    """Return an array, whose entries may be lists."""
    objects = np.empty(len(documents), dtype=object)
    objects[:] = documents
    return objects


def as_array(documents, n_rows=4):
    return array.from_array(as_objects(documents), chunks=n_rows)


def as_column(documents, n_rows=4):
    return array.from_array(as_objects(documents)[:, np.newaxis], chunks=(n_rows, 1))


COLLECTIONS = [as_bag, as_series, as_frame, as_array, as_column]
OF_TEXT = pytest.mark.parametrize("collection", COLLECTIONS)
KINDS = (*ESTIMATORS, PretrainedEmbedder)
OF_KINDS = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def never(*_, **__):
    pytest.fail("Dask computes")


def fitted(kind=PPMISVDEmbedder, X=DOCUMENTS, **params):
    if kind is PretrainedEmbedder:
        vectors = np.random.default_rng(3).normal(size=(len(WORDS), 3))
        return kind(WordVectors(WORDS, vectors), **params).fit(X)
    return cheap(kind, **params).fit(X)


def lazily(function, *arguments):
    """Call a function that must not compute anything."""
    with dask.config.set(scheduler=never):
        return function(*arguments)


def assert_rows(found, expected):
    """Check a lazy array: what it says of itself, and its rows bit for bit."""
    assert isinstance(found, array.Array)
    assert type(found._meta) is np.ndarray
    assert found._meta.ndim == found.ndim == expected.ndim
    assert found.dtype == expected.dtype
    assert found.shape[1:] == expected.shape[1:]
    rows = found.compute()
    assert rows.dtype == expected.dtype
    np.testing.assert_array_equal(rows, expected, strict=True)
    # Each block has the shape that was promised.
    for i in range(found.numblocks[0]):
        block = found.blocks[i]
        shape = block.compute().shape
        for promised, size in zip(block.shape, shape, strict=True):
            assert size == promised or np.isnan(promised)


@OF_KINDS
@OF_TEXT
def test_documents(kind, collection):
    embedder = fitted(kind)
    for documents in (RAW, TOKENS):
        X = collection(documents)
        found = lazily(embedder.transform, X)
        assert_rows(found, embedder.transform(documents))
        assert_rows(lazily(embedder.coverage, X), embedder.coverage(documents))
        knows_rows = collection in (as_array, as_column)
        chunks = X.chunks[0] if knows_rows else (np.nan,) * X.npartitions
        np.testing.assert_array_equal(found.chunks[0], chunks)


@pytest.mark.parametrize(
    "params",
    [
        *(
            {"pooling": name}
            for name in ("max", "mean_max", "sif", "usif", "topical", "vlad")
        ),
        {"pooling": "mean", "scale": None, "norm": "l2"},
        {"scale": "standard", "dtype": "float64"},
        {"combine": "concat"},
        {"combine": "sum"},
        {"lowercase": False, "stop_words": ["amber"], "strip_accents": "ascii"},
        {"analyzer": str.split},
        {"token_pattern": r"\w"},
        {"directional": True},
        {"memory": "."},
    ],
    ids=str,
)
def test_parameters(params, tmp_path):
    if "memory" in params:
        params = {"memory": tmp_path}
    embedder = fitted(**params)
    expected = embedder.transform(RAW)
    assert_rows(embedder.transform(as_bag(RAW)), expected)
    assert_rows(embedder.transform(as_series(RAW)), expected)


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint64, bool, np.float32, np.float64, np.float16]
)
def test_dtypes_of_a_matrix(dtype):
    X, embedder = MATRIX.astype(dtype), fitted()
    for chunks in ((4, 3), (N, -1)):
        Y = array.from_array(X, chunks=chunks)
        assert_rows(lazily(embedder.transform, Y), embedder.transform(X))
        assert_rows(lazily(embedder.coverage, Y), embedder.coverage(X))


@pytest.mark.parametrize(
    "make", [sparse.csr_matrix, sparse.csr_array, sparse.coo_array]
)
def test_sparse_chunks(make):
    embedder = fitted()
    X = array.from_array(MATRIX.astype(np.float64), chunks=(4, -1)).map_blocks(make)
    found = lazily(embedder.transform, X)
    assert_rows(found, embedder.transform(MATRIX.astype(np.float64)))
    assert found.chunks[0] == X.chunks[0]
    assert_rows(lazily(embedder.coverage, X), embedder.coverage(MATRIX))


def test_sums_of_duplicates_that_are_too_large():
    """Their type depends on the data, the type of the features does not."""
    entries = np.full(3, 2**62), ([0, 0, 1], [1, 1, 2])
    large = sparse.coo_array(entries, shape=(2, len(WORDS)))
    X = array.from_array(np.zeros(large.shape, np.int64), chunks=(2, -1))
    embedder = fitted()
    found = embedder.transform(X.map_blocks(lambda block: large, dtype=np.int64))
    assert embedder.transform(large).dtype == np.float64
    assert found.dtype == found.compute().dtype == np.float32
    np.testing.assert_allclose(found, embedder.transform(large), rtol=1e-6)


def test_columns_with_names():
    """After a fit on a matrix, columns are chosen and named as in `fit`."""
    names = [*WORDS[::-1][1:], "other"]
    X = pd.DataFrame(MATRIX, columns=names)
    vectors = WordVectors(WORDS, RNG.normal(size=(len(WORDS), 2)))
    for embedder in (
        fitted(X=X),
        fitted(X=X, max_features=4),
        fitted(X=X, vocabulary=["birch", "delta"]),
        PretrainedEmbedder(vectors).fit(X),
    ):
        Y = frames.from_pandas(X, npartitions=3)
        assert_rows(lazily(embedder.transform, Y), embedder.transform(X))
        assert_rows(lazily(embedder.coverage, Y), embedder.coverage(X))
        # Words of text are found by the names of columns.
        assert_rows(embedder.transform(as_series(RAW)), embedder.transform(RAW))
        with pytest.raises(ValueError, match="feature names"):
            lazily(embedder.transform, Y[names[::-1]])
    by_number = pd.DataFrame(MATRIX, columns=np.arange(len(WORDS)) + 5)
    embedder = fitted(X=by_number)
    Y = frames.from_pandas(by_number, npartitions=3)
    assert_rows(embedder.transform(Y), embedder.transform(by_number))


@pytest.mark.parametrize(
    "dtype", ["Int64", "Float64", "boolean", "int64[pyarrow]", "Sparse[int64]"]
)
def test_frames_of_numbers_of_other_types(dtype):
    """Examples of some of these types have missing values in Dask."""
    X = pd.DataFrame(MATRIX > 0, columns=WORDS).astype("int64").astype(dtype)
    embedder = fitted(X=X)
    Y = frames.from_pandas(X, npartitions=3)
    assert_rows(lazily(embedder.transform, Y), embedder.transform(X))
    assert_rows(lazily(embedder.coverage, Y), embedder.coverage(X))
    np.testing.assert_array_equal(fitted(X=Y).word_vectors_, embedder.word_vectors_)


def test_after_a_fit_on_counts():
    counts, vocabulary = skembed.cooccurrence(DOCUMENTS, min_count=1)
    embedder = fitted(X=counts, input="cooccurrence", vocabulary=vocabulary)
    Y = array.from_array(MATRIX, chunks=(4, 5))
    assert_rows(lazily(embedder.transform, Y), embedder.transform(MATRIX))
    assert_rows(lazily(embedder.transform, as_bag(RAW)), embedder.transform(RAW))


def test_token_ids():
    embedder = fitted(X=IDS, input="token_ids")
    expected, shares = embedder.transform(IDS), embedder.coverage(IDS)
    lists = [row.tolist() for row in IDS]
    for X in (
        array.from_array(IDS, chunks=(5, 4)),
        array.from_array(IDS.astype(object), chunks=(5, 4)),
        frames.from_pandas(pd.DataFrame(IDS), npartitions=3),
        as_bag(lists),
        as_array(lists),
        as_column(lists),
    ):
        assert_rows(lazily(embedder.transform, X), expected)
        assert_rows(lazily(embedder.coverage, X), shares)


@OF_TEXT
def test_frames(collection):
    embedder = fitted().set_output(transform="pandas")
    X = collection(RAW)
    found = lazily(embedder.transform, X)
    names = list(embedder.get_feature_names_out())
    assert isinstance(found, frames.DataFrame)
    assert list(found.columns) == names
    assert (found.dtypes == np.float32).all()
    rows = found.compute()
    pd.testing.assert_frame_equal(found._meta, rows.iloc[:0], check_index_type=False)
    expected = embedder.transform(RAW)
    if collection in (as_series, as_frame):
        assert found.divisions == X.divisions
        assert found.known_divisions
        expected.index = X.compute().index
        pd.testing.assert_frame_equal(found.loc[30:70].compute(), expected.loc[30:70])
    elif collection is as_bag:
        # Each partition has an index of its own, as with Bag.to_dataframe.
        rows = rows.reset_index(drop=True)
    else:
        assert found.known_divisions
    pd.testing.assert_frame_equal(rows, expected)
    assert_rows(embedder.coverage(X), embedder.coverage(RAW))


def test_output_of_all_estimators():
    embedder = fitted()
    with config_context(transform_output="pandas"):
        found = embedder.transform(as_series(RAW))
    assert isinstance(found, frames.DataFrame)
    # The setting may be another one when the rows are computed.
    pd.testing.assert_frame_equal(
        found.compute().reset_index(drop=True),
        embedder.set_output(transform="pandas").transform(RAW),
    )
    assert_rows(
        embedder.set_output(transform="default").transform(as_series(RAW)),
        embedder.transform(RAW),
    )


def test_frames_of_a_matrix():
    embedder = fitted().set_output(transform="pandas")
    X = pd.DataFrame(MATRIX.astype(float), np.arange(N) + 3, embedder.vocabulary_)
    found = lazily(embedder.transform, frames.from_pandas(X, npartitions=3))
    assert found.known_divisions
    pd.testing.assert_frame_equal(found.compute(), embedder.transform(X))


def test_an_index_of_texts():
    """It has divisions like a frame, but no index that rows could have."""
    texts = sorted(text for text in RAW if text)
    X = frames.from_pandas(pd.Series(1, pd.Index(texts)), npartitions=3).index
    embedder = fitted()
    expected = embedder.transform(texts)
    assert_rows(lazily(embedder.transform, X), expected)
    assert_rows(lazily(embedder.coverage, X), embedder.coverage(texts))
    embedder.set_output(transform="pandas")
    rows = lazily(embedder.transform, X).compute()
    pd.testing.assert_frame_equal(
        rows.reset_index(drop=True), embedder.transform(texts)
    )


def test_output_without_a_form_in_dask():
    embedder = fitted().set_output(transform="polars")
    for X in (as_bag(RAW), as_series(RAW)):
        with pytest.raises(ValueError, match="Dask has no frames of polars"):
            embedder.transform(X)


@OF_KINDS
def test_fit_transform(kind):
    for output in ("default", "pandas"):
        embedder = fitted(kind).set_output(transform=output)
        found = embedder.fit_transform(as_series(RAW))
        expected = embedder.fit(RAW).set_output(transform="default").transform(RAW)
        assert isinstance(
            found, frames.DataFrame if output == "pandas" else array.Array
        )
        # Counts, and so vectors, are the same; sums of features are rounded.
        np.testing.assert_allclose(found.compute(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_later_fits_change_nothing(output):
    embedder = fitted(SGNSEmbedder).set_output(transform=output)
    X = as_series(RAW)
    expected = np.asarray(embedder.transform(RAW)), embedder.coverage(RAW)
    found = embedder.transform(X), embedder.coverage(X)
    embedder.partial_fit(["inlet jetty inlet jetty amber"])
    embedder.fit(MORE[:5])
    embedder.set_params(norm="l2", scale=None, lowercase=False, missing="empty")
    embedder.set_output(transform="default")
    for lazy, rows in zip(found, expected, strict=True):
        np.testing.assert_array_equal(lazy.compute(), rows)


def graph_of(found):
    lazy = found.optimize() if hasattr(found, "divisions") else dask.optimize(found)[0]
    return dict(lazy.__dask_graph__())


@OF_TEXT
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_graphs_have_one_copy_of_what_is_read(collection, output):
    embedder = cheap(GloVeEmbedder, warm_start=True, combine="word", max_iter=2)
    embedder.fit(DOCUMENTS).set_output(transform=output)
    tasks = list(
        map(cloudpickle.dumps, graph_of(embedder.transform(collection(RAW))).values())
    )
    vectors = embedder.word_vectors_.tobytes()
    assert sum(vectors in task for task in tasks) == 1
    (sent,) = (task for task in tasks if vectors in task)
    assert b"amber" in sent
    for name in ("_counts", "_squares", "loss_curve_", "_made_with"):
        assert hasattr(embedder, name)
        assert not any(name.encode() in task for task in tasks), name


def test_what_is_persisted_is_used():
    calls = []

    def spell(text):
        calls.append(text)
        return text

    X = as_bag(RAW).map(spell).persist()
    embedder = fitted()
    found = embedder.transform(X)
    assert len(calls) == N
    assert_rows(found, embedder.transform(RAW))
    kept = found.persist()
    assert_rows(kept, embedder.transform(RAW))
    assert len(calls) == N


def test_only_the_text_of_a_table_is_read():
    read = []

    def load(number, columns=("text", "price")):
        read.append(tuple(columns))
        table = {"text": RAW[number : number + 5], "price": 1.0}
        return pd.DataFrame(table)[list(columns)]

    X = frames.from_map(load, [0, 5, 10], meta=load(0))
    embedder = fitted()
    for output in ("default", "pandas"):
        read.clear()
        found = embedder.set_output(transform=output).transform(X["text"])
        np.testing.assert_array_equal(found, embedder.transform(RAW))
        assert read == [("text",)] * 3


def test_some_partitions_of_files(tmp_path):
    table = pd.DataFrame({"text": RAW, "price": 1.0})
    for i in range(3):
        table[5 * i : 5 * i + 5].to_parquet(tmp_path / f"{i}.parquet")
    X, embedder = frames.read_parquet(tmp_path), fitted()
    expected = embedder.transform(RAW)
    for column in (X["text"], X[["text"]]):
        found = embedder.transform(column)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(found.blocks[1], expected[5:10])
        one = embedder.transform(column.partitions[2])
        np.testing.assert_array_equal(one, expected[10:])
    rows = embedder.set_output(transform="pandas").transform(X["text"])
    np.testing.assert_array_equal(rows.partitions[1].compute(), expected[5:10])
    np.testing.assert_array_equal(rows.head(3, npartitions=-1), expected[:3])


@pytest.mark.parametrize(
    "scheduler", ["threads", pytest.param("processes", marks=pytest.mark.long)]
)
def test_schedulers(scheduler):
    embedder = fitted(analyzer=lambda text: text.split())
    expected = embedder.transform(RAW)
    with dask.config.set(scheduler=scheduler, num_workers=2):
        np.testing.assert_array_equal(embedder.transform(as_bag(RAW)), expected)
        (rows,) = dask.persist(embedder.transform(as_series(RAW)))
        np.testing.assert_array_equal(rows, expected)


def test_partitions_without_rows():
    embedder = fitted()
    for empty in ([], np.array([], dtype=object)):
        X = bag.from_delayed([dask.delayed(part) for part in (RAW, empty, RAW[:2])])
        assert_rows(embedder.transform(X), embedder.transform(RAW + RAW[:2]))
    series = as_series(RAW)
    few = series[series.index == 10]
    assert_rows(embedder.transform(few), embedder.transform(RAW[1:2]))
    none = embedder.transform(series[series == "no such text"])
    assert none.compute().shape == (0, 3)
    frame = embedder.set_output(transform="pandas").transform(few)
    assert frame.compute().index.tolist() == [10]
    embedder.set_output(transform="default")
    texts = as_array(RAW)
    assert_rows(
        embedder.transform(texts[texts == RAW[1]]), embedder.transform(RAW[1:2])
    )
    matrix = array.from_array(MATRIX, chunks=(4, -1))
    first = matrix[np.arange(N) < 4]
    assert_rows(embedder.transform(first), embedder.transform(MATRIX[:4]))
    unknown = matrix[array.arange(N, chunks=4) < 2]
    assert_rows(embedder.transform(unknown), embedder.transform(MATRIX[:2]))
    assert_rows(embedder.coverage(unknown), embedder.coverage(MATRIX[:2]))
    table = pd.DataFrame(MATRIX.astype(float), columns=list(embedder.vocabulary_))
    some = frames.from_pandas(table, npartitions=4).query("index < 2")
    assert_rows(embedder.transform(some), embedder.transform(table[:2]))
    rows = embedder.set_output(transform="pandas").transform(some)
    assert rows.compute().shape == (2, 3)


def test_missing_documents():
    documents = [None, None, None, *RAW[3:]]
    embedder = fitted(missing="empty")
    expected, shares = embedder.transform(documents), embedder.coverage(documents)
    for collection in COLLECTIONS:
        # All documents of a partition are missing.
        X = collection(documents, 3 if collection in (as_array, as_column) else 5)
        assert_rows(embedder.transform(X), expected)
        assert_rows(embedder.coverage(X), shares)
    # pandas may take such a partition for numbers.
    X = as_frame(documents, 5).map_partitions(
        lambda part: part.astype(float) if part.isna().all(axis=None) else part,
        meta=as_frame(documents),
        enforce_metadata=False,
    )
    assert X.partitions[0].compute().dtypes.tolist() == [np.float64]
    assert_rows(embedder.transform(X), expected)


@pytest.mark.parametrize(
    "dtype", ["category", "string[pyarrow]", "object", "string[python]"]
)
def test_types_of_text(dtype):
    embedder = fitted()
    series = pd.Series(RAW, dtype=dtype)
    with dask.config.set({"dataframe.convert-string": False}):
        X = frames.from_pandas(series, npartitions=3)
        assert X.dtype == dtype
        assert_rows(embedder.transform(X), embedder.transform(RAW))
        assert_rows(embedder.transform(X.to_frame()), embedder.transform(RAW))
    if dtype == "category":
        unknown = X.cat.as_unknown()
        assert_rows(embedder.transform(unknown), embedder.transform(RAW))


@OF_TEXT
def test_an_invalid_document(collection):
    message = r"^Partition 1 of X: Document 2 is missing"
    documents = [*RAW[:6], None, *RAW[7:]]
    X = collection(documents)
    embedder = fitted()
    for method in (embedder.transform, embedder.coverage):
        found = method(X)
        with pytest.raises(ValueError, match=message):
            found.compute()
    frame = embedder.set_output(transform="pandas").transform(X)
    with pytest.raises(ValueError, match=message):
        frame.compute()


INVALID = {
    "a negative number": (
        lambda: array.from_array(MATRIX - 1, chunks=(5, -1)),
        "Negative",
    ),
    "numbers": (lambda: array.ones(4, chunks=2), "Document 0 is float64"),
    "lists of numbers": (
        lambda: as_bag([[1, 2], [2, 1]], 1),
        "Token 0 of document 0 is int",
    ),
    "bytes": (lambda: as_bag([b"amber"], 1), "Document 0 is bytes"),
}


@pytest.mark.parametrize(("X", "message"), INVALID.values(), ids=INVALID)
def test_invalid_when_it_is_computed(X, message):
    embedder = fitted()
    found = embedder.transform(X())
    with pytest.raises(ValueError, match=rf"^Partition \d of X: {message}"):
        found.compute()


REFUSED = {
    "columns of text": (lambda: as_frame(RAW).assign(more=1), "a frame of 2 columns"),
    "array of text": (
        lambda: array.from_array(np.array([RAW, RAW]).T, chunks=4),
        rf"2-dimensional array of shape \({N}, 2\).* pass X\.astype\(float\)",
    ),
    "other columns": (lambda: array.ones((4, 3), chunks=2), "X has 3 columns, but the"),
    "unknown columns": (
        lambda: array.ones((4, 3), chunks=2)[:, array.ones(3, chunks=3) > 0],
        "whose number of columns is known",
    ),
    "dimensions": (
        lambda: array.ones((4, 3, 2), chunks=2),
        "more than|dimensions|columns",
    ),
    "a scalar": (lambda: array.ones(3, chunks=2).sum(), "0-dimensional"),
    "Delayed": (lambda: dask.delayed(RAW), r"Pass X.compute\(\)"),
    "item": (lambda: as_bag(RAW).count(), "X is Item"),
}


@pytest.mark.parametrize(("X", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_before_anything_is_computed(X, message):
    for embedder in (fitted(), fitted(missing="empty")):
        for method in (embedder.transform, embedder.coverage):
            with pytest.raises(ValueError, match=message):
                lazily(method, X())


def test_a_list_of_lazy_partitions():
    parts = [dask.delayed(RAW[:9]), dask.delayed(RAW[9:])]
    with pytest.raises(ValueError, match=r"Document 0 is .*bag\.from_delayed\(X\)"):
        lazily(cheap(PPMISVDEmbedder).fit, parts)


def test_text_after_a_fit_on_columns_without_names():
    embedder = fitted(X=MATRIX)
    with pytest.raises(ValueError, match="columns have no names"):
        lazily(embedder.transform, as_series(RAW))
    with pytest.raises(ValueError, match="not fitted"):
        cheap(PPMISVDEmbedder).transform(as_bag(RAW))
    broken = fitted().set_params(scale="other")
    with pytest.raises(ValueError, match="scale must be one of"):
        lazily(broken.transform, as_bag(RAW))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_scores(kind):
    embedder, expected = fitted(kind), fitted(kind).score(MORE)
    for collection in COLLECTIONS:
        assert embedder.score(collection(MORE)) == expected
    matrix = array.from_array(MATRIX, chunks=(4, 3))
    assert embedder.score(matrix) == embedder.score(MATRIX)
    of_ids = fitted(kind, IDS, input="token_ids")
    ids = array.from_array(IDS, chunks=(4, 3))
    assert of_ids.score(ids) == of_ids.score(IDS)


@OF_TEXT
def test_pipelines(collection):
    X = collection(RAW)
    pipeline = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    pipeline.fit(RAW, LABELS)
    expected = pipeline.predict_proba(RAW)
    np.testing.assert_array_equal(pipeline.predict_proba(X), expected)
    fit_on_dask = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    fit_on_dask.fit(X, LABELS)
    np.testing.assert_allclose(fit_on_dask.predict_proba(RAW), expected, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:Dask currently has limited support")
def test_searches():
    """They take documents by number, which only arrays of Dask allow."""
    pipeline = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    grid = {"ppmisvdembedder__n_components": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    expected = search.fit(RAW, LABELS).cv_results_["mean_test_score"]
    column = as_series(RAW).to_dask_array(lengths=True)
    for X in (as_array(RAW), as_column(RAW), column):
        found = clone(search).fit(X, LABELS).cv_results_["mean_test_score"]
        np.testing.assert_array_equal(found, expected)


def test_pipelines_on_each_partition():
    pipeline = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    pipeline.fit(RAW, LABELS)
    expected = pipeline.predict(RAW)
    meta = np.empty(0, dtype=expected.dtype)
    lazy = as_series(RAW).map_partitions(pipeline.predict, meta=meta)
    np.testing.assert_array_equal(lazy, expected)
    lazy = as_array(RAW).map_blocks(pipeline.predict, dtype=expected.dtype)
    np.testing.assert_array_equal(lazy, expected)
    lazy = as_bag(RAW).map_partitions(lambda part: pipeline.predict(list(part)))
    np.testing.assert_array_equal(lazy.compute(), expected)


def test_unions():
    """They stay lazy if the numbers of rows are known."""
    union = make_union(cheap(PPMISVDEmbedder), cheap(PPMISVDEmbedder, pooling="max"))
    union.fit(RAW)
    found = lazily(union.transform, as_array(RAW))
    assert_rows(found, union.transform(RAW))


@OF_TEXT
def test_what_reads_documents_in_this_process(collection):
    X = collection(RAW)
    union = TextUnion(cheap(PPMISVDEmbedder)).fit(RAW)
    expected = union.transform(RAW).toarray()
    np.testing.assert_array_equal(union.transform(X).toarray(), expected)
    pipeline = make_pipeline(cheap(PPMISVDEmbedder), LogisticRegression())
    pipeline.fit(RAW, LABELS)
    found, wanted = (word_contributions(pipeline, Y) for Y in (X, RAW))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.words, other.words)
        np.testing.assert_array_equal(one.contributions, other.contributions)


def test_arrays_of_other_libraries_in_memory():
    """xarray has the attribute of Dask's collections in all cases."""

    class DataArray(np.ndarray):
        def __dask_graph__(self):
            return None

    embedder = fitted()
    documents = np.array(RAW, dtype=object).view(DataArray)
    found = embedder.transform(documents)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, embedder.transform(RAW))


def test_dask_is_not_imported_without_need():
    code = "import sys, skembed._pretrained; print('dask' in sys.modules)"
    command = [sys.executable, "-c", code]
    found = subprocess.check_output(command, text=True, cwd=PACKAGE.parent)
    assert found.strip() == "False"


@pytest.mark.long
def test_cluster():
    distributed = pytest.importorskip("distributed")
    embedder, other = fitted(SGNSEmbedder), fitted(analyzer=lambda text: text.split())
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(processes=True, **settings) as cluster,
        distributed.Client(cluster) as client,
        dask.config.set(scheduler=None),
    ):
        for collection in COLLECTIONS:
            X = client.persist(collection(RAW))
            for model in (embedder, other):
                found = model.transform(X)
                np.testing.assert_array_equal(found, model.transform(RAW))
                np.testing.assert_array_equal(model.coverage(X), model.coverage(RAW))
        embedder.set_output(transform="pandas")
        rows = client.compute(embedder.transform(as_series(RAW))).result()
        np.testing.assert_array_equal(rows, embedder.transform(RAW))
        parts = client.scatter([RAW[:9], RAW[9:]])
        with pytest.raises(ValueError, match=r"Pass X.result\(\), or dask.bag.from"):
            embedder.transform(parts[0])
        with pytest.raises(ValueError, match=r"Document 0 is Future.*from_delayed"):
            embedder.transform(parts)
        invalid = embedder.transform(as_bag([*RAW, None]))
        with pytest.raises(
            ValueError, match=r"^Partition 3 of X: Document 3 is missing"
        ):
            invalid.compute()
