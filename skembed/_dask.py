"""Features of Dask collections, computed by Dask partition by partition.

Nothing is computed before. The graph of a result has one copy of the estimator.
"""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.utils._set_output import _get_output_config

from skembed._corpus import reader
from skembed._corpus.partitions import holds_numbers, in_partition, is_array
from skembed._corpus.validation import as_iterable, is_frame
from skembed._utils.extras import require

# What `transform` and `coverage` read of an estimator. Workers get nothing else of it.
_READ = frozenset(
    (
        *("analyzer", "lowercase", "strip_accents", "stop_words", "token_pattern"),
        *("input", "missing", "combine", "scale", "norm", "dtype", "n_jobs"),
        *("vocabulary_", "word_vectors_", "context_vectors_", "pooling_"),
        *("feature_means_", "feature_scales_", "_scaled_as"),
        *("n_features_in_", "feature_names_in_"),
        *("_column_words", "_chosen_columns", "_column_rows"),
    )
)


def features(model: Any, X: Any) -> Any:
    """Return the features of the documents of a collection.

    Parameters
    ----------
    model : DocumentTransformer
        Fitted. It must not change any more.
    X : bag, array, frame or Series of Dask

    Returns
    -------
    dask.array.Array of shape (n_documents, n_features) or dask.dataframe.DataFrame
        A frame if the output is "pandas". It has the index of a frame or Series.

    Raises
    ------
    ValueError
        If the collection does not have the columns or types that the estimator takes,
        or if the output is neither "default" nor "pandas".
    """
    output = _get_output_config("transform", model)["dense"]
    if output not in ("default", "pandas"):
        raise ValueError(
            f"The output of {type(model).__name__} is set to {output!r}, but Dask has "
            f"no frames of {output}. Call set_output(transform='pandas') for a frame "
            "of Dask, or set_output(transform='default') for an array of Dask."
        )
    meta = _features(model, _example(model, X))[:0]
    work = _work(_features, model, X, meta)
    if output == "default":
        return _as_array(work, X, model, meta)
    names = list(model.get_feature_names_out())
    # An Index of Dask has divisions, but no index.
    if not hasattr(X, "index"):
        require("dask.dataframe", "A frame of Dask", "'dask[dataframe]'")
        return _as_array(work, X, model, meta).to_dask_dataframe(names)
    frame = require("pandas", "A frame of Dask", "pandas").DataFrame(
        meta, X._meta.index, names
    )
    # A random name: hashing vectors would take longer than the features of some texts.
    sent = require("dask", "A frame of Dask", "dask").delayed(
        _read(model), pure=False, traverse=False
    )
    return X.map_partitions(partial(_frame, work=work, meta=frame), sent, meta=frame)


def coverage(model: Any, X: Any) -> Any:
    """Return the share of each document's tokens that the vocabulary holds.

    Parameters
    ----------
    model, X
        As in `features`.

    Returns
    -------
    dask.array.Array of shape (n_documents,), float64

    Raises
    ------
    ValueError
        As in `features`.
    """
    meta = _coverage(model, _example(model, X))[:0]
    return _as_array(_work(_coverage, model, X, meta), X, model, meta)[:, 0]


def _features(model: Any, X: Any) -> np.ndarray:
    return model._features(X)


def _coverage(model: Any, X: Any) -> np.ndarray:
    return reader.coverage(model, X)[:, np.newaxis]


def _is_of_frames(X: Any) -> bool:
    """Whether it is a frame, a Series or an Index."""
    return hasattr(X, "divisions")


def _is_whole(model: Any, X: Any) -> bool:
    """Whether partitions are matrices, which are not iterated document by document."""
    # Ids may be objects. One column of these is one of documents.
    has_columns = is_array(X) and X.ndim == 2 and X.shape[1] != 1
    return holds_numbers(X) or (has_columns and reader.takes_ids(model))


def _example(model: Any, X: Any) -> Any:
    """Return a document of the type of a collection, which nothing is computed from.

    Raises
    ------
    ValueError
        If it is neither a column of documents nor a matrix of numbers.
    """
    if _is_whole(model, X):
        # Only the first row of a frame has no missing values, whatever its types are.
        return (
            X._meta_nonempty.iloc[:1]
            if is_frame(X)
            else np.zeros((1, X.shape[1]), X.dtype)
        )
    if is_array(X):
        shape = [n if n == n else 0 for n in X.shape]
        as_iterable(np.broadcast_to(np.empty((), object), shape))
    elif _is_of_frames(X):
        as_iterable(X._meta)
    # An analyzer is not called for tokens.
    return [[]]


def _work(
    rows_of: Callable[[Any, Any], np.ndarray], model: Any, X: Any, meta: np.ndarray
) -> Any:
    """Return a function that is called with a partition, an estimator and a number."""
    is_whole = _is_whole(model, X)
    return partial(transform_partition, rows_of=rows_of, is_whole=is_whole, meta=meta)


def _read(model: Any) -> Any:
    """Return a copy of an estimator that has only what `transform` reads."""
    read = object.__new__(type(model))
    read.__dict__ = {name: v for name, v in vars(model).items() if name in _READ}
    # Look-ups of partitions are not kept.
    read.memory = None
    return read


def _as_array(work: Callable[..., Any], X: Any, model: Any, meta: np.ndarray) -> Any:
    """Return an array of Dask whose blocks are the rows of the partitions."""
    from dask.array import Array
    from dask.core import flatten
    from dask.highlevelgraph import HighLevelGraph

    if _is_of_frames(X):
        # Otherwise a file is read with all of its columns.
        X = X.optimize()
    elif is_array(X) and X.ndim == 2 and len(X.chunks[1]) > 1:
        X = X.rechunk({1: -1})
    # Bags have no method that returns an array, and that of frames fails if a single
    # partition of files is computed. A Delayed for each partition takes minutes if
    # there are ten thousand.
    name = f"transform-{uuid.uuid4().hex}"
    estimator = f"estimator-{name}", 0
    layer: dict[Any, Any] = {
        (name, i, 0): (work, key, estimator, i)
        for i, key in enumerate(flatten(X.__dask_keys__()))
    }
    n_rows = X.chunks[0] if is_array(X) else (np.nan,) * len(layer)
    layer[estimator] = _read(model)
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[X])
    return Array(graph, name, (n_rows, meta.shape[1:]), meta=meta)


def transform_partition(
    part: Any,
    model: Any,
    number: int,
    rows_of: Callable[[Any, Any], np.ndarray],
    is_whole: bool,
    meta: np.ndarray,
) -> np.ndarray:
    """Return the rows of a partition, of the type of `meta`."""
    if is_whole and not part.shape[0]:
        # scikit-learn refuses a matrix without rows.
        return meta
    with in_partition(number):
        rows = rows_of(model, part if is_whole else iter(as_iterable(part)))
    return rows.astype(meta.dtype, copy=False)


def _frame(
    part: Any,
    model: Any,
    work: Callable[..., Any],
    meta: Any,
    partition_info: dict[str, Any],
) -> Any:
    """Return the rows of a partition as a frame. Dask passes the last argument."""
    rows = work(part, model, partition_info["number"])
    return type(meta)(rows, part.index, meta.columns, copy=False)
