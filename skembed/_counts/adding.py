"""Co-occurrence counts that later documents are added to, exactly."""

from typing import Any

import numpy as np
from scipy import sparse

from skembed._counts import windows
from skembed._counts.windows import window_weights
from skembed._utils.interrupts import interruptible
from skembed._utils.threads import row_ranges

# Distances of contexts that tell the denominator of all weights; those of larger
# harmonic windows have none that could be used.
_DISTANCES = 64
# Entries that are looked at at once.
_CHUNK = 1 << 20
# Larger whole numbers are not exact as float64.
_MOST = 2.0**53
# Counts are multiples of one over a whole number, times such a power of two where
# weights of documents are fractions.
_POWERS = (0, 8, 24)


def divisor(window: int, weighting: str) -> int:
    """Return what counts are multiples of the inverse of, or 1 if it is too large."""
    weights = window_weights(window, weighting, _DISTANCES)
    return windows.common_denominator(weights, 2**52) or 1


def add(
    first: sparse.csr_array, second: sparse.csr_array, divisor: int
) -> sparse.csr_array:
    """Return the sum of two matrices of multiples of ``1 / divisor``, rounded once.

    Plain sums would round quotients, and then their sum.

    Parameters
    ----------
    first, second : csr_array of one shape, float64
        Canonical, non-negative.
    divisor : int

    Returns
    -------
    csr_array
        Canonical. A plain sum if the entries are no such multiples.
    """
    for power in _POWERS:
        scale = float(divisor << power)
        parts = _multiples(first, scale), _multiples(second, scale)
        if parts[0] is not None and parts[1] is not None:
            total = parts[0] + parts[1]
            if total.data.max(initial=0.0) < _MOST:
                total.data /= scale
                return total
    return first + second


def _multiples(counts: sparse.csr_array, scale: float) -> sparse.csr_array | None:
    """Return counts times `scale`, if these are whole numbers."""
    whole = np.empty_like(counts.data)
    for at in range(0, whole.size, _CHUNK):
        here = slice(at, at + _CHUNK)
        with np.errstate(over="ignore"):
            np.rint(counts.data[here] * scale, out=whole[here])
        exact = (whole[here] / scale == counts.data[here]) & (whole[here] < _MOST)
        if not exact.all():
            return None
    return sparse.csr_array((whole, counts.indices, counts.indptr), counts.shape)


def keep(
    counts: sparse.csr_array, symmetric: bool, order: np.ndarray | None = None
) -> dict[str, Any]:
    """Return private attributes of an estimator that keep counts for later fits.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Canonical; is copied.
    symmetric : bool
        Whether half of them says it all.
    order : ndarray of shape (n_words,), default=None
        Row and column of each word; by default its row in the vocabulary.

    Returns
    -------
    dict
        `_counts`, the upper triangle if they are symmetric, `_counts_are_half` and
        `_counts_order`.
    """
    kept = interruptible(_upper, counts) if symmetric else counts.copy()
    return as_attributes(kept, symmetric, order)


def as_attributes(
    counts: sparse.csr_array, are_half: bool = False, order: np.ndarray | None = None
) -> dict[str, Any]:
    """Return counts, and how they are stored, as private attributes."""
    return {"_counts": counts, "_counts_are_half": are_half, "_counts_order": order}


def _upper(counts: sparse.csr_array) -> sparse.csr_array:
    """Return the entries on and above the diagonal."""
    upper = np.empty(counts.nnz, dtype=bool)
    indptr = np.zeros_like(counts.indptr)
    for first, last in row_ranges(counts.indptr, _CHUNK):
        here = slice(counts.indptr[first], counts.indptr[last])
        lengths = np.diff(counts.indptr[first : last + 1])
        rows = np.repeat(np.arange(first, last, dtype=np.int32), lengths)
        upper[here] = counts.indices[here] >= rows
        sizes = np.bincount(rows[upper[here]] - first, minlength=last - first)
        indptr[first + 1 : last + 1] = sizes
    part = (
        counts.data[upper],
        counts.indices[upper],
        np.cumsum(indptr, dtype=indptr.dtype),
    )
    return sparse.csr_array(part, shape=counts.shape)


def permute(counts: sparse.csr_array, order: np.ndarray) -> sparse.csr_array:
    """Return the rows and columns of a square matrix in some order; canonical."""
    counts = counts[order][:, order]
    counts.sort_indices()
    return counts


def restore(learned: dict[str, Any], n_words: int) -> sparse.csr_array:
    """Return the counts that attributes keep, in the order of the vocabulary.

    Parameters
    ----------
    learned : dict
        Attributes of an estimator, those of `keep` among them.
    n_words : int
        Rows and columns; those of new words are empty.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical.
    """
    counts, order = learned["_counts"], learned["_counts_order"]
    if learned["_counts_are_half"]:
        counts = counts + sparse.triu(counts, 1, format="csr").T
    counts = sparse.csr_array(counts)
    if order is not None:
        counts = permute(counts, order)
    n_new = n_words - counts.shape[0]
    indptr = np.concatenate([counts.indptr, np.repeat(counts.indptr[-1:], n_new)])
    counts = sparse.csr_array((counts.data, counts.indices, indptr), (n_words, n_words))
    counts.sort_indices()
    return counts
