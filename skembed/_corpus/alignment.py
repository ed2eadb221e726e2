"""Whether words, tables and matrices still belong together: nothing else checks rows.

Compiled code, SciPy's included, reads whatever memory an index points to. Attributes of
a fitted estimator, files and the parts of a sparse matrix can all be edited.
"""

from collections.abc import Collection, Mapping
from operator import index
from typing import Any

import numpy as np
from scipy import sparse

# The tables that features come from, and all attributes with an entry for each word.
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
)


def count_rows(learned: Mapping[str, Any], names: tuple[str, ...] = PER_WORD) -> int:
    """Return for how many words a fitted estimator has vectors.

    Parameters
    ----------
    learned : mapping of str to object
        Attributes of the estimator.
    names : tuple of str, default=PER_WORD
        Those that are going to be used.

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
    vocabulary: Mapping[str, Any], words: Collection[str], n_rows: int
) -> np.ndarray:
    """Return the rows of words, and check that tables have these.

    Parameters
    ----------
    vocabulary : mapping of str to int
    words : collection of str
        Some or all of its words.
    n_rows : int
        How many rows the tables have.

    Returns
    -------
    ndarray of shape (n_words,), int64

    Raises
    ------
    ValueError
        If a word has a row that the tables do not have, or no whole number.
    """
    numbers = map(index, map(vocabulary.__getitem__, words))
    try:
        rows = np.fromiter(numbers, np.int64, len(words))
    except (TypeError, OverflowError):
        rows = np.full(1, -1)
    if not _inside(rows, n_rows):
        raise _no_row(vocabulary, words, n_rows)
    return rows


def _no_row(
    vocabulary: Mapping[str, Any], words: Collection[str], n_rows: int
) -> ValueError:
    """Return an error that names the first word whose row is none."""
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
    """Check that all entries of a sparse matrix are inside of it.

    Parameters
    ----------
    X : sparse matrix or array
        Two-dimensional, in one of the formats CSR, CSC, BSR and COO.

    Raises
    ------
    ValueError
        If its arrays do not belong together.
    """
    if not (_coordinates_fit(X) if X.format == "coo" else _compressed_fits(X)):
        raise ValueError(
            "X is a damaged sparse matrix: its arrays do not fit to each other and to "
            f"its shape {X.shape}. Build it anew; X.check_format() may tell more."
        )


def _coordinates_fit(X: Any) -> bool:
    same_size = X.row.size == X.col.size == X.data.size
    return bool(same_size and _inside(X.row, X.shape[0]) and _inside(X.col, X.shape[1]))


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
    return bool(fits and _inside(indices[:n_entries], n_columns))


def _inside(indices: np.ndarray, n: int) -> bool:
    if indices.dtype.kind != "i":
        return False
    # Negative numbers are large ones without a sign: one look instead of two.
    return not indices.size or bool(indices.view(f"u{indices.itemsize}").max() < n)


def as_checked(X: Any) -> Any:
    """Return a sparse matrix in a format that `check_sparse` knows, and checked."""
    if X.format not in ("csr", "csc", "bsr", "coo"):
        X = sparse.csr_array(X)
    if X.format != "coo" and not (X.indices.dtype.isnative and X.indptr.dtype.isnative):
        # Neither SciPy's compiled code nor ours knows another order of bytes.
        X = X.copy()
        X.indices, X.indptr = (
            part.astype(part.dtype.newbyteorder("=")) for part in (X.indices, X.indptr)
        )
    check_sparse(X)
    return X
