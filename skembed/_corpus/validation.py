"""Checks of input before anything is computed from it.

They find out whether input is text or a matrix, whether documents, vocabularies and
weights are valid, and whether words, tables and the parts of a matrix belong together.
Compiled code, including SciPy's, reads any memory that an index points to. Attributes
of a fitted estimator, files and the parts of a sparse matrix may have been edited.
"""

from collections import Counter
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)
from itertools import repeat
from numbers import Integral, Number
from operator import eq, index
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight

_NUMERIC = "biufc"
_NUMBERS = (Number, np.bool_)
# Number of rows that are searched for ids.
_ROWS_SEEN = 1000
# Documents between two reports.
_REPORTED = 64
_ADVICE = "Pass an iterable of str, one per document, or of lists of str."
EDGES_ADVICE = (
    "For a frame of edges, use skembed.graphs.GraphEmbedder, whose samples are edges."
)
# Smaller weights may lose digits when they are divided by the distance of a context.
_SMALLEST = 2.0**-1000
# The tables from which features are computed, and all attributes with an entry for each
# word.
TABLES = ("word_vectors_", "context_vectors_")
PER_WORD = (
    *TABLES,
    "left_context_vectors_",
    "right_context_vectors_",
    "noise_vectors_",
    "word_biases_",
    "context_biases_",
    "left_context_biases_",
    "right_context_biases_",
    "noise_biases_",
    "word_counts_",
    "_score_offset",
    "_context_totals",
    "_context_kept",
    "_left_context_kept",
    "_right_context_kept",
)


def is_matrix(X: Any) -> bool:
    """Return whether the input is a two-dimensional matrix of numbers, not text.

    Parameters
    ----------
    X : object
        The input of `fit` or `transform`. An iterator is not consumed.

    Raises
    ------
    ValueError
        If it is neither a matrix nor text, see `check_holds_data`.
    """
    check_holds_data(X)
    if sparse.issparse(X):
        return True
    if isinstance(X, (list, tuple)):
        return _holds_numbers(X)
    if is_frame(X):
        dtypes = list(X.dtypes)
        return bool(dtypes) and all(map(_is_numeric, dtypes))
    if _is_array(X):
        X = np.asarray(X)
        if X.ndim != 2 or X.dtype.kind not in _NUMERIC + "O":
            return False
        return X.dtype.kind != "O" or _are_numbers(X)
    return False


def means_matrix(X: Any, missing: str) -> bool:
    """Return whether it is a matrix, and not a column of texts that are all missing.

    Parameters
    ----------
    X : object
        As in `is_matrix`.
    missing : {"error", "empty"}
        Whether missing documents raise an error or count as empty documents.
    """
    return is_matrix(X) and not (missing == "empty" and is_missing_column(X))


def is_frame(X: Any) -> bool:
    """Return whether it is a frame, such as one of pandas or polars."""
    # A Series of dask has the attributes of a frame; a frame of polars has no `ndim`.
    is_flat = getattr(X, "ndim", 2) != 2
    return hasattr(X, "columns") and hasattr(X, "dtypes") and not is_flat


def is_collection(X: Any) -> bool:
    """Return whether the input is a collection of Dask. Nothing is computed."""
    # An attribute of the class, because a frame may have a column of this name. Arrays
    # of xarray have it, too, even where they are in memory.
    is_lazy = hasattr(type(X), "__dask_graph__") and hasattr(X, "npartitions")
    return is_lazy and not is_delayed(X)


def check_holds_data(X: Any) -> None:
    """Raise an error for queries and graphs, which are not documents or matrices yet.

    Raises
    ------
    ValueError
        If it is one. The error says what to pass.
    """
    kind = type(X)
    if kind.__name__ == "LazyFrame":
        raise ValueError("X is a LazyFrame, which holds no rows yet. Pass X.collect().")
    if is_delayed(X):
        of_cluster = kind.__name__ == "Future"
        name, get = ("Future", "result") if of_cluster else ("Delayed", "compute")
        raise ValueError(
            f"X is a {name} of Dask, which holds no documents yet. Pass X.{get}(), "
            "or dask.bag.from_delayed(X)."
        )
    # Attributes of the class, because a frame may have columns of these names.
    if hasattr(kind, "nodes") and hasattr(kind, "adjacency"):
        raise ValueError(
            f"X is a graph ({kind.__name__}). Use skembed.graphs.GraphEmbedder, which "
            "takes graphs, or pass walks over its nodes: see random_walks there."
        )


def is_delayed(X: Any) -> bool:
    """Return whether it is a Delayed of Dask, or a Future of one of its clusters."""
    kind = type(X)
    is_future = kind.__name__ == "Future" and _library(X) == "distributed"
    return is_future or (
        kind.__name__.startswith("Delayed") and hasattr(kind, "__dask_graph__")
    )


def resembles_walks(X: Any) -> bool:
    """Return whether the numbers of a matrix may be ids of words or nodes.

    Rows of ids with equal lengths have the same form as counts. Only lists of lists are
    suspected. In them, no number must be 0, most numbers must occur in several rows,
    and few may be next to an equal number.

    Parameters
    ----------
    X : object
        A matrix.
    """
    if not isinstance(X, (list, tuple)):
        return False
    n_rows: Counter[int] = Counter()
    n_pairs = n_equal = 0
    for row in X[:_ROWS_SEEN]:
        values = set(row) if isinstance(row, (list, tuple)) else {0}
        if 0 in values or not all(map(is_int, values)):
            return False
        n_rows.update(values)
        n_pairs += len(row) - 1
        n_equal += sum(map(eq, row[1:], row))
    n_common = sum(n > 1 for n in n_rows.values())
    return 2 * n_common > len(n_rows) and 10 * n_equal < n_pairs


def is_int(value: Any) -> bool:
    """Return whether it is an int, and not a bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_array(X: Any) -> bool:
    """Whether it is an array, or converts to one and is 2-D or not iterable."""
    if isinstance(X, (np.ndarray, memoryview)):
        return True
    if not hasattr(X, "__array__") or isinstance(X, type):
        return False
    return not isinstance(X, Iterable) or getattr(X, "ndim", 1) == 2


def _are_numbers(X: np.ndarray) -> bool:
    # `checked` accepts or rejects all other contents of a column of objects.
    found = (isinstance(value, _NUMBERS) for value in X.flat)
    return X.size > 0 and (all(found) if X.shape[1] == 1 else any(found))


def _is_numeric(dtype: Any) -> bool:
    if hasattr(dtype, "is_numeric") and callable(dtype.is_numeric):
        return bool(dtype.is_numeric()) or str(dtype) == "Boolean"
    return getattr(dtype, "kind", "O") in _NUMERIC


def _holds_numbers(rows: Any) -> bool:
    for row in rows:
        if isinstance(row, np.ndarray) and row.ndim == 1 and row.dtype.kind != "O":
            return row.dtype.kind in _NUMERIC
        if not isinstance(row, (list, tuple)):
            return False
        if row:
            return isinstance(row[0], _NUMBERS)
    return False


def checked(
    X: Any,
    report: Callable[[float], Any] | None = None,
    missing: str = "error",
) -> Iterator[Any]:
    """Return an iterator over documents, all raw or all tokenised.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        A list, an array, a column, a frame of one column or a generator. It is iterated
        once.
    report : callable, default=None
        Called now and then with the share of the documents that were read, 0 if it is
        not known.
    missing : {"error", "empty"}, default="error"
        Whether missing documents raise an error or count as empty documents.

    Raises
    ------
    ValueError
        If `X` or one of its documents is not valid. The iterator raises it when it
        reaches that document.
    """
    if report is None and type(X) is list and set(map(type, X)) == {str}:
        return iter(X)
    return _checked(X, report, missing)


def _checked(
    X: Any, report: Callable[[float], Any] | None, missing: str
) -> Iterator[Any]:
    first_kind: type | None = None
    n_waiting = 0
    documents = as_iterable(X)
    n_documents = np.inf
    if report is not None and isinstance(documents, Sized):
        n_documents = len(documents)
    for position, document in enumerate(documents):
        kind = _kind(position, document, missing)
        if kind is None:
            if first_kind is None:
                n_waiting += 1
                continue
            document = first_kind()
        elif first_kind is None:
            first_kind = kind
            yield from (kind() for _ in range(n_waiting))
        elif kind is not first_kind:
            raise ValueError(
                f"Document {position} is {describe(document)}, but document 0 is of "
                "another kind. Pass either raw documents (str) or tokenised ones "
                "(lists of str), not both."
            )
        if report is not None and not position % _REPORTED:
            report(position / n_documents)
        yield document
    if first_kind is None:
        yield from repeat("", n_waiting)


def as_iterable(X: Any) -> Iterable[Any]:
    """Return the only column of a frame or array. Raise an error for other types."""
    check_holds_data(X)
    if isinstance(X, (str, bytes)):
        raise ValueError(f"X is a single {describe(X)}. {_ADVICE} Did you mean [X]?")
    if isinstance(X, Mapping):
        raise ValueError(
            f"X is a {type(X).__name__}, which is iterated by its keys. {_ADVICE} "
            "Did you mean list(X.values())?"
        )
    if isinstance(X, (set, frozenset)):
        raise ValueError(f"X is a {type(X).__name__}, which has no order. Pass a list.")
    if sparse.issparse(X):
        raise ValueError(f"X is a sparse matrix of shape {X.shape}. {_ADVICE}")
    if hasattr(X, "columns") and len(getattr(X, "shape", ())) == 2:
        X = _only_column(X)
    if hasattr(type(X), "__dask_graph__") and hasattr(X, "chunks"):
        # The elements of an array of Dask are arrays of Dask.
        X = np.asarray(X)
    if isinstance(X, np.ndarray):
        return _as_column(X)
    if not isinstance(X, Iterable) and not hasattr(X, "__getitem__"):
        raise ValueError(f"X is {describe(X)}, not an iterable. {_ADVICE}")
    return as_python(X)


def _only_column(X: Any) -> Any:
    names = list(X.column_names if _library(X) == "pyarrow" else X.columns)
    if len(names) != 1:
        raise ValueError(
            f"X is a frame of {len(names)} columns ({names[:5]}), and not all of them "
            "have a numeric dtype. Pass one column of text, e.g. X[name], or use a "
            "ColumnTransformer; or pass numbers only, words as columns. " + EDGES_ADVICE
        )
    return X[names[0]]


def as_python(X: Any) -> Any:
    """Convert columns whose elements are neither str, list nor array."""
    if _library(X) == "pyarrow" and hasattr(X, "to_pylist"):
        return X.to_pylist()
    if _library(X) == "polars" and hasattr(X, "dtype") and X.dtype.is_nested():
        return X.to_list()
    return X


def _library(X: Any) -> str:
    return type(X).__module__.partition(".")[0]


def _as_column(X: np.ndarray) -> np.ndarray:
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind not in "biufc":
        return X[:, 0]
    if X.ndim != 1:
        of_numbers = " If it holds numbers, pass X.astype(float)."
        raise ValueError(
            f"X is a {X.ndim}-dimensional array of shape {X.shape} and dtype "
            f"{X.dtype}; documents are a 1-D array of str. {_ADVICE}"
            f"{of_numbers if X.dtype.kind == 'O' else ''}"
        )
    return X


def _kind(position: int, document: Any, missing: str) -> type | None:
    """Return `str` for a raw, `list` for a tokenised and None for a missing document.

    A missing document raises an error unless `missing` is "empty".
    """
    if isinstance(document, str):
        return str
    if isinstance(document, (list, tuple)):
        return list
    if isinstance(document, np.ndarray) and document.ndim == 1:
        return list
    if is_missing(document):
        if missing == "empty":
            return None
        raise ValueError(
            f"Document {position} is missing ({document!r}). Pass missing='empty' to "
            "take missing documents for empty ones, or fill them first, e.g. by "
            "Series.fillna(''), or drop them."
        )
    advice = "Decode it to str first." if isinstance(document, bytes) else _ADVICE
    if is_delayed(document):
        advice = "If X is a list of partitions, pass dask.bag.from_delayed(X)."
    if isinstance(document, (Number, np.bool_)):
        advice += " Is it a row of a matrix? Reshape your data: X.reshape(1, -1)."
    raise ValueError(f"Document {position} is {describe(document)}. {advice}")


def is_missing(value: Any) -> bool:
    """Return whether it is None or a missing value of pandas and others."""
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def is_missing_column(X: Any) -> bool:
    """Return whether it is a frame or array of one column of missing values.

    pandas uses NaN, which is a number, if all texts of a column are missing.
    """
    if len(getattr(X, "shape", ())) != 2 or X.shape[1] != 1 or sparse.issparse(X):
        return False
    if isinstance(X, np.ndarray):
        return X.dtype.kind == "O" and all(map(is_missing, X[:, 0]))
    return is_frame(X) and all(map(is_missing, _only_column(X)))


def check_analyzed(position: int, tokens: Any) -> Collection[str]:
    """Check the result of a callable analyzer. A generator becomes a list."""
    if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
        raise ValueError(
            f"analyzer returned {describe(tokens)} for document {position}; it must "
            "return a list of str."
        )
    if not isinstance(tokens, (list, tuple)):
        tokens = list(tokens)
    return check_tokens(position, tokens)


def check_tokens(position: int, tokens: Collection[Any]) -> Collection[str]:
    """Return the tokens of a document as plain str, or raise an error."""
    # The set of types is built in C. Only an invalid document is searched in Python.
    if all(issubclass(kind, str) for kind in set(map(type, tokens))):
        return plain(tokens)
    index, token = next(
        (i, token) for i, token in enumerate(tokens) if not isinstance(token, str)
    )
    raise ValueError(
        f"Token {index} of document {position} is {describe(token)}. Tokens must be "
        "str."
    )


def plain(words: Collection[str]) -> Collection[str]:
    """Return words as plain str, not of a derived type such as `numpy.str_`.

    Words are kept and written to files, where another type may need its library.
    """
    # The set of types is built in C. `str(word)` of a derived type may be other text.
    if set(map(type, words)) <= {str}:
        return words
    return list(map(str.__str__, words))


def describe(value: Any) -> str:
    """Return an object's type and the beginning of its repr, for an error."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:
        # Python does not convert ints of thousands of digits to str.
        return f"{type(value).__name__} (too long to show)"
    if len(text) > 40:
        text = text[:37] + "..."
    return f"{type(value).__name__} ({text})"


def check_vocabulary(vocabulary: Any) -> dict[Any, int]:
    """Return the parameter `vocabulary` as a dict from word to row.

    Parameters
    ----------
    vocabulary : mapping of str to int, or collection of str
        A mapping gives the rows. A set is sorted, as in scikit-learn. Other collections
        keep their order. Words may also be int, such as ids of nodes. Words of derived
        types, such as `numpy.str_`, become plain str or int.

    Returns
    -------
    dict of str to int, or of int to int
        In row order.

    Raises
    ------
    ValueError
        If it is empty, repeats a word, mixes str and int, leaves out a row, or is an
        iterator.
    """
    if isinstance(vocabulary, (str, bytes)):
        raise ValueError(f"vocabulary must be a collection of str, got {vocabulary!r}.")
    if isinstance(vocabulary, Iterator):
        raise ValueError(
            f"vocabulary is an iterator ({type(vocabulary).__name__}), which can be "
            "read once only. Pass a list of its words."
        )
    words = list(as_python(vocabulary))
    # The set of types is built in C.
    of_ints = set(map(type, words)) == {int} or (
        bool(words) and all(map(is_int, words))
    )
    for word in words:
        if not (of_ints or isinstance(word, str)):
            raise ValueError(
                f"vocabulary must hold str only (or, for a matrix, int only), got "
                f"{word!r}."
            )
    if isinstance(vocabulary, Mapping):
        rows = list(vocabulary.values())
        whole = all(isinstance(row, Integral) for row in rows)
        if not whole or sorted(rows) != list(range(len(rows))):
            raise ValueError(
                "vocabulary must map its words to the rows "
                f"0, 1, ..., {len(rows) - 1} without gaps or repeats, but its rows "
                f"are {rows[:10]}."
            )
        words.sort(key=vocabulary.__getitem__)
    elif isinstance(vocabulary, (set, frozenset)):
        words.sort()
    words = list(map(int, words) if of_ints else plain(words))
    index = {word: row for row, word in enumerate(words)}
    if len(index) < len(words):
        repeated = next(word for row, word in enumerate(words) if index[word] != row)
        raise ValueError(f"vocabulary holds the word {repeated!r} more than once.")
    if not index:
        raise ValueError("vocabulary is empty; pass at least one word or None.")
    return index


def check_weights(sample_weight: Any, n_documents: int) -> np.ndarray | None:
    """Return sample weights as a checked array, or None if there are none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_documents,), float or None
    n_documents : int

    Returns
    -------
    ndarray of shape (n_documents,), float64, or None

    Raises
    ------
    ValueError
        If a weight is negative, not finite or too small for float64, if all weights are
        zero, if there are not `n_documents` of them, or if their sum is too large for
        float64.
    """
    if sample_weight is None:
        return None
    try:
        weights = _check_sample_weight(
            sample_weight,
            np.empty((n_documents, 0)),
            dtype=np.float64,
            ensure_non_negative=True,
        )
    except OverflowError as error:
        raise ValueError(
            f"sample_weight holds a number that is too large for float64 ({error}). "
            "Divide the weights by their mean."
        ) from error
    except TypeError as error:
        raise TypeError(
            f"sample_weight is {describe(sample_weight)}. Pass an array of numbers, "
            f"one for each document ({error})."
        ) from error
    if n_documents and not weights.any():
        raise ValueError(
            "Sample weights must contain at least one non-zero number; all "
            f"{n_documents} values of sample_weight are 0."
        )
    least = weights[weights > 0.0].min(initial=np.inf)
    if least < _SMALLEST:
        raise ValueError(
            f"sample_weight of document {weights.tolist().index(least)} is {least}, "
            "which is too small to be multiplied by other numbers. Multiply all "
            "weights by a larger number, or replace such weights by 0."
        )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"sample_weight holds {weights.max()}, and its sum is too large for "
            "float64. Divide the weights by their maximum."
        )
    return weights


def count_rows(learned: Mapping[str, Any], names: tuple[str, ...] = PER_WORD) -> int:
    """Return the number of words of a fitted estimator.

    Parameters
    ----------
    learned : mapping of str to object
        Attributes of the estimator.
    names : tuple of str, default=PER_WORD
        The attributes that will be used.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If they are of different lengths.
    """
    n_rows = len(learned["word_vectors_"])
    for name in names:
        if name in learned and len(learned[name]) != n_rows:
            raise ValueError(
                f"{name} has {len(learned[name])} rows, but word_vectors_ has {n_rows}:"
                " they do not come from one fit. Set them back, or call fit."
            )
    return n_rows


def rows_of(
    vocabulary: Mapping[Any, Any], words: Collection[Any], n_rows: int
) -> np.ndarray:
    """Return the rows of words, and check that the tables have these rows.

    Parameters
    ----------
    vocabulary : mapping of str to int
    words : collection of str
        Some or all of its words.
    n_rows : int
        Number of rows of the tables.

    Returns
    -------
    ndarray of shape (n_words,), int64

    Raises
    ------
    ValueError
        If the row of a word is not an int, or if the tables do not have it.
    """
    numbers = map(index, map(vocabulary.__getitem__, words))
    try:
        rows = np.fromiter(numbers, np.int64, len(words))
    except (TypeError, OverflowError):
        rows = np.full(1, -1)
    if not inside(rows, n_rows):
        raise _no_row(vocabulary, words, n_rows)
    return rows


def _no_row(
    vocabulary: Mapping[Any, Any], words: Collection[Any], n_rows: int
) -> ValueError:
    """Return an error that names the first word whose row is not valid."""
    word = next(w for w in words if not _is_row(vocabulary[w], n_rows))
    return ValueError(
        f"vocabulary_ has the row {vocabulary[word]!r} for {word!r}, but the vectors "
        f"have the rows 0, 1, ..., {n_rows - 1}. Set vocabulary_ back, or call fit "
        "with other words as `vocabulary`."
    )


def _is_row(row: Any, n_rows: int) -> bool:
    try:
        return 0 <= index(row) < n_rows
    except TypeError:
        return False


def check_sparse(X: Any) -> None:
    """Check that all entries of a sparse matrix are inside the matrix.

    Parameters
    ----------
    X : sparse matrix or array
        Two-dimensional, in one of the formats CSR, CSC, BSR and COO.

    Raises
    ------
    ValueError
        If its arrays do not match.
    """
    if not (_coordinates_fit(X) if X.format == "coo" else _compressed_fits(X)):
        raise ValueError(
            "X is a damaged sparse matrix: its arrays do not fit to each other and to "
            f"its shape {X.shape}. Build it anew; X.check_format() may tell more."
        )


def _coordinates_fit(X: Any) -> bool:
    same_size = X.row.size == X.col.size == X.data.size
    return bool(same_size and inside(X.row, X.shape[0]) and inside(X.col, X.shape[1]))


def _compressed_fits(X: Any) -> bool:
    n_rows, n_columns = X.shape
    if X.format == "bsr":
        n_rows, n_columns = n_rows // X.blocksize[0], n_columns // X.blocksize[1]
    if X.format == "csc":
        n_rows, n_columns = n_columns, n_rows
    indptr, indices = X.indptr, X.indices
    if indptr.size != n_rows + 1 or indptr[0] != 0:
        return False
    n_entries = indptr[-1]
    falls = np.count_nonzero(indptr[1:] < indptr[:-1])
    fits = not falls and n_entries <= min(len(indices), len(X.data))
    return bool(fits and inside(indices[:n_entries], n_columns))


def inside(indices: np.ndarray, n: int) -> bool:
    """Return whether indices are ints from 0 to n - 1."""
    if indices.dtype.kind != "i":
        return False
    # As unsigned numbers, negative ones are large, so one comparison is enough.
    return not indices.size or bool(indices.view(f"u{indices.itemsize}").max() < n)


def as_checked(X: Any) -> Any:
    """Return a checked sparse matrix, in a format that `check_sparse` supports."""
    if X.format not in ("csr", "csc", "bsr", "coo"):
        X = sparse.csr_array(X)
    if X.format != "coo" and not (X.indices.dtype.isnative and X.indptr.dtype.isnative):
        # Neither SciPy's compiled code nor the kernels support other byte orders.
        X = X.copy()
        X.indices, X.indptr = (
            part.astype(part.dtype.newbyteorder("=")) for part in (X.indices, X.indptr)
        )
    check_sparse(X)
    return X
