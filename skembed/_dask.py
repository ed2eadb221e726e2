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
from skembed._corpus.partitions import holds_numbers
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
    rows = _features(model, _example(X))[:0]
    if output == "default":
        return _map(_features, model, X, rows)
    caller = "set_output(transform='pandas')"
    names = list(model.get_feature_names_out())
    if not _has_index(X):
        require("dask.dataframe", caller, "'dask[dataframe]'")
        return _map(_features, model, X, rows).to_dask_dataframe(names)
    pandas = require("pandas", caller, "pandas")
    return _map(_features, model, X, pandas.DataFrame(rows, X._meta.index, names))


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
    return _map(_coverage, model, X, _coverage(model, _example(X))[:0])[:, 0]


def _features(model: Any, X: Any) -> np.ndarray:
    return model._pool(*reader.look_up(model, X))


def _coverage(model: Any, X: Any) -> np.ndarray:
    return reader.coverage(model, X)[:, np.newaxis]


def _has_index(X: Any) -> bool:
    """Whether it is a frame or a Series."""
    return hasattr(X, "divisions")


def _example(X: Any) -> Any:
    """Return a document of the type of a collection, which nothing is computed from.

    Raises
    ------
    ValueError
        If it is neither a column of documents nor a matrix of numbers.
    """
    if holds_numbers(X):
        return X._meta_nonempty if is_frame(X) else np.zeros((1, X.shape[1]), X.dtype)
    if hasattr(X, "chunks"):
        as_iterable(np.empty((1, *X.shape[1:]) if X.ndim else (), object))
    elif _has_index(X):
        as_iterable(X._meta)
    # An analyzer is not called for tokens.
    return [[]]


def _map(
    rows_of: Callable[[Any, Any], np.ndarray], model: Any, X: Any, meta: Any
) -> Any:
    """Return the rows of all partitions of a collection.

    Parameters
    ----------
    rows_of : callable
        Returns the rows of documents, from an estimator and the documents.
    model, X
        As in `features`.
    meta : ndarray of shape (0, n_columns), or pandas.DataFrame
        An empty result.

    Returns
    -------
    dask.array.Array of shape (n_documents, n_columns) or dask.dataframe.DataFrame
    """
    from dask import delayed

    read = object.__new__(type(model))
    read.__dict__ = {name: v for name, v in vars(model).items() if name in _READ}
    # It keeps the documents of this process.
    read.memory = None
    # A random name: hashing vectors would take longer than the features of some texts.
    sent = delayed(read, pure=False, traverse=False)
    work = partial(
        transform_partition, rows_of=rows_of, of_numbers=holds_numbers(X), meta=meta
    )
    if _has_index(X):
        return X.map_partitions(work, sent, meta=meta)
    if not hasattr(X, "chunks"):
        return _map_bag(work, X, sent, meta)
    if X.ndim == 2 and len(X.chunks[1]) > 1:
        X = X.rechunk({1: -1})
    chunks, axis = (X.chunks[0], meta.shape[1:]), 1 if X.ndim == 1 else None
    return X.map_blocks(work, sent, chunks=chunks, new_axis=axis, meta=meta)


def _map_bag(work: Callable[..., Any], bag: Any, sent: Any, meta: np.ndarray) -> Any:
    """Return an array of Dask whose blocks are the rows of a bag's partitions."""
    from dask.array import Array
    from dask.highlevelgraph import HighLevelGraph

    # Bags have no method for it. A Delayed of each partition would take minutes if
    # there are ten thousand.
    name = f"features-{uuid.uuid4().hex}"
    layer = {
        (name, i, 0): (partial(work, block_id=(i,)), key, sent.key)
        for i, key in enumerate(bag.__dask_keys__())
    }
    graph = HighLevelGraph.from_collections(name, layer, dependencies=[bag, sent])
    chunks = (np.nan,) * bag.npartitions, meta.shape[1:]
    return Array(graph, name, chunks, meta=meta)


def transform_partition(
    part: Any,
    model: Any,
    rows_of: Callable[[Any, Any], np.ndarray],
    of_numbers: bool,
    meta: Any,
    block_id: tuple[int, ...] | None = None,
    partition_info: dict[str, Any] | None = None,
) -> Any:
    """Return the rows of a partition, of the type of `meta`.

    Dask passes the number of the partition in one of the last two arguments.
    """
    dtype = getattr(meta, "dtype", None) or meta.dtypes.iloc[0]
    if of_numbers and not part.shape[0]:
        # scikit-learn refuses a matrix without rows.
        rows = np.empty(meta.shape, dtype)
    else:
        try:
            rows = rows_of(model, part if of_numbers else iter(as_iterable(part)))
        except ValueError as error:
            number = block_id[0] if block_id else (partition_info or {}).get("number")
            raise ValueError(f"In partition {number} of X: {error}") from error
    rows = rows.astype(dtype, copy=False)
    if isinstance(meta, np.ndarray):
        return rows
    return type(meta)(rows, part.index, meta.columns, copy=False)
