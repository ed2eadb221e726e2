"""Matrices: documents x words, or words x contexts, as `Corpus` and co-occurrences."""

import warnings
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    _get_feature_names,
    check_array,
    validate_data,
)

from skembed._corpus import vocabulary
from skembed._corpus.validation import (
    as_checked,
    describe,
    inside,
    is_frame,
    is_int,
    is_missing,
    plain,
)
from skembed._corpus.vocabulary import Corpus, Vocabulary

_REAL_NUMBERS = (Real, Decimal, np.bool_)
# Positive numbers in `fit` have to be between these. Products of numbers far outside
# are infinite or 0.
_LIMITS = (1e-100, 1e150)
# If sums of whole numbers may be this large, they are computed in float64.
_MOST_WHOLE = 2.0**62

IDS_ADVICE = (
    "If the numbers are ids of words or nodes, pass input='token_ids' or convert them "
    "to str: [[str(i) for i in row] for row in X]."
)


class Columns(NamedTuple):
    """What a fit keeps about the columns of its matrix."""

    n_features: int
    names: np.ndarray | None  # feature names of a frame, objects of str
    # of all columns, objects of str, or of int (frames may have such labels); None
    # without names
    words: np.ndarray | None
    chosen: np.ndarray | None  # int64 (n_words,), column of each row; None for all
    # int64 (n_chosen,), row of each chosen column in a given table; None if the rows
    # are those of the columns
    rows: np.ndarray | None = None


def read(
    X: Any,
    estimator: Any,
    rows: dict[Any, int] | None,
    known: Columns | None = None,
) -> tuple[sparse.csr_array, Columns]:
    """Check a matrix, and return it as canonical CSR with its columns.

    Parameters
    ----------
    X : sparse matrix, array or frame of shape (n_rows, n_columns)
        Non-negative.
    estimator : BaseEmbedder, or the parameters of a function
        It is named in errors, and is not changed.
    rows : dict of str or int to int, or None
        The words of a given vocabulary, if there is one.
    known : Columns, default=None
        Columns of an earlier fit of the estimator. X must have the same.

    Returns
    -------
    matrix : csr_array of shape (n_rows, n_columns)
        All columns, with integers if `X` has integers.
    columns : Columns
        All columns. `select` drops those that `max_features` excludes.

    Raises
    ------
    ValueError
        If an entry is not a finite, non-negative number, if there are no rows or no
        columns, or if a word of the vocabulary has no column.
    TypeError
        If only some of its columns have names, or it is a `numpy.matrix`.
    """
    whole = _holds_whole_numbers(X)
    X = _as_rectangle(X)
    if known is not None:
        _check_labels(X, estimator, known)
        X = validate_data(estimator, X, reset=False, **_CHECKS)
        return _as_csr(X, estimator, whole), known
    # Like `validate_data`, but an estimator whose fit fails must not look fitted.
    names = _get_feature_names(X)
    words = _int_labels(X) if names is None else names
    X = check_array(X, estimator=_name(estimator), **_CHECKS)
    chosen = None
    if rows is not None:
        words, chosen = _find(rows, words, X.shape[1])
    return _as_csr(X, estimator, whole), Columns(X.shape[1], names, words, chosen)


def find_rows(columns: Columns, rows: dict[Any, int]) -> Columns:
    """Choose the columns whose words have a row in a given table.

    Parameters
    ----------
    columns : Columns
        All columns. Without names, they are the rows of the table if there are as
        many, and otherwise have the names x0, x1, ....
    rows : dict of str or int to int
        The words of the table.

    Returns
    -------
    Columns
        With names of all columns.

    Raises
    ------
    ValueError
        If no column has a row.
    """
    words = columns.words
    if words is None:
        n_columns = columns.n_features
        unnamed = [f"x{i}" for i in range(n_columns)]
        are_rows = n_columns == len(rows) and not rows.keys() >= set(unnamed)
        words = np.array(list(rows) if are_rows else unnamed, dtype=object)
    found = np.array([rows.get(_as_word(word), -1) for word in words], dtype=np.int64)
    chosen = np.flatnonzero(found >= 0)
    if not chosen.size:
        raise ValueError(
            f"None of the {words.size} columns of X is a word that has a vector. The "
            f"columns begin with {list(words[:5])}, the words with {list(rows)[:5]}. "
            "Pass a frame whose columns are named by words, or a column for each of "
            f"the {len(rows)} words, in their order."
        )
    return columns._replace(words=words, chosen=chosen, rows=found[chosen])


def place(matrix: sparse.csr_array, columns: Columns, n_rows: int) -> sparse.csr_array:
    """Return the chosen columns at the rows of their words in a given table."""
    if columns.rows is None:
        return matrix
    if not inside(columns.rows, n_rows):
        raise ValueError(
            f"Columns of X belong to rows up to {columns.rows.max()}, but there are "
            f"{n_rows} vectors: the attributes do not come from one fit. Set them "
            "back, or call fit."
        )
    parts = matrix.data, columns.rows[matrix.indices], matrix.indptr
    return sparse.csr_array(parts, shape=(matrix.shape[0], n_rows))


def look_up(X: Any, estimator: Any, columns: Columns | None) -> sparse.csr_array:
    """Check a documents x words matrix for a fitted estimator, and return it.

    Parameters
    ----------
    X : sparse matrix, array or frame of shape (n_documents, n_columns)
    estimator : BaseEmbedder
        Fitted.
    columns : Columns or None
        None if it was fitted on text. Then every column is a word, in row order.
        Otherwise the result has all columns; `choose` selects the chosen ones.

    Returns
    -------
    csr_array of shape (n_documents, n_columns)

    Raises
    ------
    ValueError
        If it is not such a matrix, or has different columns.
    """
    whole = _holds_whole_numbers(X)
    X = _as_rectangle(X)
    if columns is not None:
        _check_labels(X, estimator, columns)
        X = validate_data(estimator, X, reset=False, **_CHECKS)
        return _as_csr(X, estimator, whole)
    names = _get_feature_names(X)
    if names is None:
        names = _int_labels(X)
    X = check_array(X, estimator=_name(estimator), **_CHECKS)
    words = list(estimator.vocabulary_)
    if X.shape[1] != len(words):
        raise ValueError(
            f"X has {X.shape[1]} columns, but the vocabulary has {len(words)} words. "
            f"{type(estimator).__name__} was fitted on text: a matrix needs one column "
            "for each word, in the order of vocabulary_."
        )
    if names is not None and list(names) != words:
        wrong = next(i for i, word in enumerate(words) if names[i] != word)
        raise ValueError(
            f"Column {wrong} of X is {names[wrong]!r}, but row {wrong} of the "
            f"vocabulary is {words[wrong]!r}: pass X[list(embedder.vocabulary_)]."
        )
    return _as_csr(X, estimator, whole)


def coverage(X: Any, estimator: Any, columns: Columns | None) -> np.ndarray:
    """Return the share of each row's sum in the columns of the vocabulary.

    Parameters
    ----------
    X, estimator, columns
        As in `look_up`.

    Returns
    -------
    ndarray of shape (n_documents,), float64
        0 for a row without entries.

    Raises
    ------
    ValueError
        As in `look_up`.
    """
    matrix = look_up(X, estimator, columns)
    is_known = np.ones(matrix.shape[1], dtype=bool)
    if columns is not None and columns.chosen is not None:
        is_known[:] = False
        is_known[columns.chosen] = True
    n_rows = matrix.shape[0]
    rows = np.repeat(np.arange(n_rows), np.diff(matrix.indptr))
    values = matrix.data.astype(np.float64)
    largest = np.zeros(n_rows)
    np.maximum.at(largest, rows, values)
    # This way, no sum is infinite, and no row is too small for a quotient.
    values /= largest[rows]
    of_known = is_known[matrix.indices]
    known = np.bincount(rows[of_known], values[of_known], n_rows)
    others = np.bincount(rows[~of_known], values[~of_known], n_rows)
    total = known + others
    return np.divide(known, total, out=np.zeros(n_rows), where=total > 0.0)


def select(
    matrix: sparse.csr_array,
    columns: Columns,
    max_features: int | None,
    weights: np.ndarray | None,
) -> tuple[Vocabulary, Columns]:
    """Count the words of a matrix, and choose the most frequent ones.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_columns)
    columns : Columns
    max_features : int or None
        Keep only this many columns: those with the largest sums. Among equal sums, the
        first by name are kept. The order of columns does not change.
    weights : ndarray of shape (n_rows,), or None
        Sample weights.

    Returns
    -------
    vocabulary : Vocabulary
        Rows in the order of the columns, or of the given vocabulary. Counts are float64
        unless the matrix has integers and there are no weights.
    columns : Columns

    Raises
    ------
    ValueError
        If products of the numbers would be infinite or 0, or if all rows with a
        positive weight are empty.
    """
    found = totals(matrix, weights)
    check_totals(found, matrix.nnz, weights)
    return choose_columns(columns, found, max_features)


def choose_columns(
    columns: Columns, totals: np.ndarray, max_features: int | None
) -> tuple[Vocabulary, Columns]:
    """Choose the columns with the largest sums, as `select` does.

    Parameters
    ----------
    columns : Columns
    totals : ndarray of shape (n_columns,), int64 or float64
        Sums of the columns.
    max_features : int or None

    Returns
    -------
    vocabulary : Vocabulary
    columns : Columns
    """
    words = columns.words
    if words is None:
        words = np.array([f"x{i}" for i in range(totals.size)], dtype=object)
    chosen = columns.chosen
    if chosen is None and max_features is not None and max_features < words.size:
        order = np.lexsort([np.argsort(np.argsort(words)), -totals])
        chosen = np.sort(order[:max_features])
    if chosen is not None:
        words, totals = words[chosen], totals[chosen]
    rows = {_as_word(word): row for row, word in enumerate(words)}
    return Vocabulary(rows, totals), columns._replace(chosen=chosen)


def check_totals(
    totals: np.ndarray, n_entries: int, weights: np.ndarray | None
) -> None:
    """Raise a ValueError if all rows with a positive weight are empty."""
    if n_entries and not totals.any():
        raise ValueError(vocabulary.why_nothing_counts(weights))


def totals(matrix: sparse.csr_array, weights: np.ndarray | None) -> np.ndarray:
    """Return the sums of columns. Whole weights exactly equal repeated rows.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_columns)
    weights : ndarray of shape (n_rows,), or None
        Sample weights.

    Returns
    -------
    ndarray of shape (n_columns,)
        int64 if the matrix has integers and there are no weights, otherwise float64.

    Raises
    ------
    ValueError
        If products of the numbers would be infinite or 0.
    """
    counts_whole = weights is None and matrix.dtype.kind in "biu"
    if not matrix.nnz:
        return np.zeros(matrix.shape[1], np.int64 if counts_whole else np.float64)
    least, most = float(matrix.data.min()), float(matrix.data.max())
    extremes = ("large", most, most < _LIMITS[1]), ("small", least, least > _LIMITS[0])
    for size, value, is_usable in extremes:
        if not is_usable:
            raise ValueError(
                f"X holds {value}, which is too {size} to be multiplied by other "
                "numbers. Divide X by its mean, or replace such numbers by 0."
            )
    found = vocabulary.add_up(to_corpus(matrix, weights), matrix.shape[1])
    if not counts_whole or found.max() >= _MOST_WHOLE:
        return found
    if found.max() < 2.0**53:
        return found.astype(np.int64)
    exact = np.zeros(matrix.shape[1], np.int64)
    np.add.at(exact, matrix.indices, matrix.data.astype(np.int64))
    return exact


def to_corpus(matrix: sparse.csr_array, doc_weights: np.ndarray | None) -> Corpus:
    """Return the rows of a documents x words matrix as documents.

    Parameters
    ----------
    matrix : csr_array of shape (n_documents, n_words)
        Canonical.
    doc_weights : ndarray of shape (n_documents,), float64, or None
    """
    return Corpus(
        matrix.indices.astype(np.int32, copy=False),
        matrix.indptr.astype(np.int64, copy=False),
        matrix.data.astype(np.float64, copy=False),
        doc_weights,
    )


def choose(matrix: sparse.csr_array, columns: Columns) -> sparse.csr_array:
    """Return the chosen columns, in their order."""
    return matrix if columns.chosen is None else _choose(matrix, columns.chosen)


def _choose(matrix: sparse.csr_array, chosen: np.ndarray) -> sparse.csr_array:
    found = matrix[:, chosen]
    found.sort_indices()
    return found


def _as_word(name: Any) -> Any:
    return name if isinstance(name, int) else str.__str__(name)


def _int_labels(X: Any) -> np.ndarray | None:
    """Return int labels of a frame's columns, unless they are a default range.

    scikit-learn supports labels of str only.
    """
    labels = list(X.columns) if is_frame(X) and not _is_default(X.columns) else []
    if not labels or not all(map(is_int, labels)):
        return None
    return np.array(list(map(int, labels)), dtype=object)


def _is_default(labels: Any) -> bool:
    """Whether the labels are the default ones of pandas."""
    is_range = type(labels).__name__ == "RangeIndex"
    return is_range and labels.start == 0 and labels.step == 1


def _check_labels(X: Any, estimator: Any, columns: Columns) -> None:
    """Compare int labels of columns with those in `fit`.

    scikit-learn compares labels of str. Like scikit-learn, this warns if `fit` had no
    labels.

    Raises
    ------
    ValueError
        If the labels or their order differ.
    """
    words = columns.words
    if words is not None and isinstance(words[0], int):
        labels = list(X.columns) if is_frame(X) else []
        # A default range is not a label, unless it is a permutation of those of `fit`.
        unnamed = labels and _is_default(X.columns) and set(labels) != set(words)
        if unnamed or len(labels) != words.size:
            return
        for i, (label, word) in enumerate(zip(labels, words, strict=True)):
            if label != word:
                raise ValueError(
                    f"Column {i} of X is {label!r}, but column {i} of the matrix in "
                    f"fit was {word!r}: pass the same columns in the same order."
                )
        return
    found = _int_labels(X) if columns.names is None else None
    if found is not None and (found != np.arange(found.size)).any():
        warnings.warn(
            f"X has int labels of columns, but {_name(estimator)} was fitted on a "
            "matrix without names: columns are taken in the order of X.",
            UserWarning,
            stacklevel=6,
        )


def check_row_labels(X: Any) -> None:
    """Raise an error if the rows of a frame of counts are not the words of its columns.

    Parameters
    ----------
    X : object
        A square matrix.

    Raises
    ------
    ValueError
        If its rows have labels that differ from those of the columns, or whose order
        differs.
    """
    if not (is_frame(X) and hasattr(X, "index")):
        return
    rows, columns = list(X.index), list(X.columns)
    permuted = set(rows) == set(columns)
    if len(rows) != len(columns) or (rows == list(range(len(rows))) and not permuted):
        return
    for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
        if row != column:
            advice = (
                "pass X.loc[X.columns]"
                if permuted
                else "label both alike, or reset the labels of the rows"
            )
            raise ValueError(
                f"Row {i} of X is {row!r}, but column {i} is {column!r}. With "
                "input='cooccurrence' rows and columns are the same words in the same "
                f"order: {advice}."
            )


_CHECKS: dict[str, Any] = {
    "accept_sparse": "csr",
    "dtype": "numeric",
    "ensure_all_finite": False,  # but `_as_csr` does
    "ensure_min_features": 1,
}


def _name(estimator: Any) -> str:
    """Return the name of the estimator or function that the user called."""
    is_one = isinstance(estimator, BaseEstimator)
    return type(estimator).__name__ if is_one else "cooccurrence"


def _holds_whole_numbers(X: Any) -> bool:
    """Whether all columns have integers, even if scikit-learn makes them float64."""
    return is_frame(X) and all(getattr(d, "kind", "O") in "biu" for d in X.dtypes)


def _as_rectangle(X: Any) -> Any:
    """Raise an error for input that is not a table of numbers."""
    if isinstance(X, (list, tuple)):
        for i, row in enumerate(X):
            if not isinstance(row, (list, tuple, np.ndarray)):
                raise ValueError(
                    f"Row {i} of X is {describe(row)}, but row 0 is a list of numbers."
                )
            if len(row) != len(X[0]):
                raise ValueError(
                    f"Row {i} of X has {len(row)} numbers, but row 0 has {len(X[0])}. "
                    + IDS_ADVICE
                )
            _check_numbers(i, row)
        return _as_floats(np.asarray(X))
    if isinstance(X, memoryview):
        X = np.asarray(X)
    if isinstance(X, np.ndarray) and X.dtype.kind == "O":
        for i, row in enumerate(X):
            _check_numbers(i, row)
        X = _as_floats(X)
    if sparse.issparse(X) and X.ndim == 2:
        X = as_checked(X)
    if sparse.issparse(X) and X.format == "coo" and X.ndim == 2:
        # SciPy would add up duplicate entries in their own type.
        is_sound = X.has_canonical_format or X.dtype == np.float64
        X = X if is_sound else _added_up(X)
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError("X is a masked array. Fill it first, e.g. X.filled(0).")
    # Tables of pyarrow have `column_names`. In a frame, that may be a column.
    names = list(X.columns if is_frame(X) else getattr(X, "column_names", ()))
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"X has two columns of the name {twice!r}; rename one.")
    other = [name for name in names if not isinstance(name, str)]
    if other and len(other) < len(names):
        raise TypeError(
            f"Labels of columns must be all str or all int, but {other[0]!r} stands "
            "beside a str. Convert them, e.g. X.columns = X.columns.astype(str)."
        )
    if not other and plain(names) is not names:
        # scikit-learn supports labels of plain str only. Only pandas has others.
        X = X.set_axis(plain(names), axis=1)
    return X


def _check_numbers(i: int, row: Any) -> None:
    # The set of types is built in C. Only an invalid row is searched in Python.
    if all(issubclass(kind, _REAL_NUMBERS) for kind in set(map(type, row))):
        return
    j = next(j for j, value in enumerate(row) if not isinstance(value, _REAL_NUMBERS))
    if is_missing(row[j]):
        raise ValueError(
            f"Column {j} in row {i} of X is missing ({row[j]!r}). Fill missing values "
            "first, e.g. with 0."
        )
    raise ValueError(
        f"Column {j} in row {i} of X is {describe(row[j])}, not a real number. Pass "
        "numbers only, or documents as lists of str."
    )


def _as_floats(X: np.ndarray) -> np.ndarray:
    """Return an array of objects that are all numbers as float64."""
    if X.dtype.kind != "O":
        return X
    try:
        return X.astype(np.float64)
    except OverflowError as error:
        i, j = next(place for place in np.ndindex(X.shape) if _is_huge(X[place]))
        raise ValueError(
            f"Column {j} in row {i} of X is too large for float64 ({error}). Divide X "
            "by its mean, or replace such numbers by 0."
        ) from error


def _is_huge(value: Any) -> bool:
    try:
        float(value)
    except OverflowError:
        return True
    return False


def _check_finite(X: Any) -> None:
    values = X.data if sparse.issparse(X) else X
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    row, column, value = sparse.find(X)
    wrong = np.flatnonzero(~np.isfinite(value))
    first = wrong[np.lexsort([column[wrong], row[wrong]])[0]]
    kind = "NaN" if np.isnan(value[first]) else "infinity"
    raise ValueError(
        f"X contains {kind}, first in row {row[first]}, column {column[first]}. Fill "
        "missing values and replace infinite ones first, e.g. with 0."
    )


def _check_non_negative(matrix: sparse.csr_array, estimator: Any) -> None:
    if matrix.data.min(initial=0) < 0:
        advice = ""
        if matrix.dtype.kind == "i" and matrix.data.min() == -1:
            advice = " If X holds ids of words or nodes, pass input='token_ids'."
        raise ValueError(
            f"Negative values in data passed to {_name(estimator)}.{advice}"
        )


def _as_csr(X: Any, estimator: Any, whole: bool) -> sparse.csr_array:
    """Return numbers as a matrix with sorted, finite and non-zero entries."""
    if X.dtype.kind == "f" and X.dtype.itemsize not in (4, 8):
        # SciPy has no sparse matrices of half precision.
        X = X.astype(np.float32 if X.dtype.itemsize < 4 else np.float64)
    elif not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))
    _check_finite(X)
    matrix = sparse.csr_array(X)
    if not (matrix.has_canonical_format and matrix.data.all()):
        matrix = _added_up(matrix)
    _check_non_negative(matrix, estimator)
    if whole and matrix.dtype.kind == "f":
        matrix = matrix.astype(np.int64)
    return matrix


def _added_up(X: Any) -> sparse.csr_array:
    """Return a sparse matrix with sorted entries, without duplicates.

    Sums may be too large for the type of their terms, or need more bits. The sum of
    bools is true if one of them is true.
    """
    dtype = X.dtype
    if dtype.kind in "iu":
        dtype = np.dtype(np.int64 if _fits_int64(X.data) else np.float64)
    elif dtype == np.float32:
        dtype = np.dtype(np.float64)
    # The user's matrix must not be changed.
    matrix = sparse.csr_array(X.astype(dtype, copy=X.format == "csr"))
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if X.dtype == np.float32:
        with np.errstate(over="ignore"):
            matrix = matrix.astype(np.float32)
    return matrix


def _fits_int64(values: np.ndarray) -> bool:
    """Whether all sums of these whole numbers fit into int64."""
    largest = max(float(values.max(initial=0)), -float(values.min(initial=0)))
    if largest * values.size < _MOST_WHOLE:
        return True
    return bool(np.abs(values.astype(np.float64)).sum() < _MOST_WHOLE)


def _find(
    rows: dict[Any, int], names: np.ndarray | None, n_columns: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the names of all columns, and the columns of a given vocabulary."""
    words = list(rows)
    if names is None:
        unnamed = {f"x{i}": i for i in range(n_columns)}
        if not rows.keys() <= unnamed.keys():
            if len(words) == n_columns:
                # The vocabulary names the columns, which have no names.
                return np.array(words, dtype=object), None
            raise ValueError(
                f"vocabulary holds {len(words)} words, but X has {n_columns} columns "
                "without names: pass a frame whose columns have names, or as many "
                "words as columns."
            )
        column_of = unnamed
    else:
        column_of = {_as_word(name): i for i, name in enumerate(names)}
    missing = [word for word in words if word not in column_of]
    if missing:
        raise ValueError(
            f"vocabulary holds {missing[0]!r}, but X has no such column; its columns "
            f"begin with {list(column_of)[:5]}."
        )
    return names, np.array([column_of[word] for word in words], dtype=np.int64)
