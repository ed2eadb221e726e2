"""Exact sums of co-occurrence counts."""

import functools
import operator
from collections.abc import Sequence

import numpy as np
from scipy import sparse

# Entries that are processed at once.
_CHUNK = 1 << 20
# Larger whole numbers are not exact as float64.
_MOST = 2.0**53
# Counts are multiples of one over a whole number. If weights of documents are
# fractions, they are multiples of that times this power of two.
_POWERS = (0, 8, 24)


def add(parts: Sequence[sparse.csr_array], divisor: int) -> sparse.csr_array:
    """Return the sum of matrices of multiples of ``1 / divisor``, rounded once.

    A plain sum would round the quotients first and then their sums.

    Parameters
    ----------
    parts : sequence of csr_array of one shape, float64
        At least one. Canonical, non-negative.
    divisor : int

    Returns
    -------
    csr_array
        Canonical. If the entries are not such multiples, it is the plain sum, in the
        order of the parts. A single part is returned as it is.
    """
    if len(parts) == 1:
        return parts[0]
    total, scale = add_multiples(parts, divisor)
    if scale != 1.0:
        total.data /= scale
    return total


def add_multiples(
    parts: Sequence[sparse.csr_array], divisor: int
) -> tuple[sparse.csr_array, float]:
    """Return the sum that `add` returns, before it is rounded.

    Parameters
    ----------
    parts, divisor
        As in `add`.

    Returns
    -------
    total : csr_array
        Its entries, divided by `scale`, are those of the sum.
    scale : float
        1 if the entries are not such multiples. Otherwise, the entries are whole.
    """
    for power in _POWERS:
        scale = float(divisor << power)
        total = _sum_of_multiples(parts, scale)
        if total is not None:
            return total, scale
    return functools.reduce(operator.add, parts), 1.0


def add_whole(parts: Sequence[sparse.csr_array]) -> sparse.csr_array:
    """Return the sum of matrices of whole numbers.

    Parameters
    ----------
    parts : sequence of csr_array of one shape, uint32 or float64
        At least one. Canonical, non-negative.

    Returns
    -------
    csr_array, uint32 or float64
        Canonical. It is exact if its entries are at most ``2**53``.
    """
    largest = sum(float(part.data.max(initial=0)) for part in parts)
    dtype = np.uint32 if largest < 2.0**32 else np.float64
    parts = [part.astype(dtype, copy=False) for part in parts]
    while len(parts) > 1:
        # Matrices of similar sizes, so that each entry is read few times.
        pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
        parts = [functools.reduce(operator.add, pair) for pair in pairs]
    return parts[0]


def _sum_of_multiples(
    parts: Sequence[sparse.csr_array], scale: float
) -> sparse.csr_array | None:
    """Return the exact sum times `scale`, or None if it is not a whole number."""
    total = None
    for part in parts:
        whole = _multiples(part, scale)
        if whole is None:
            return None
        total = whole if total is None else total + whole
    if total is None or total.data.max(initial=0.0) >= _MOST:
        return None
    return total


def _multiples(counts: sparse.csr_array, scale: float) -> sparse.csr_array | None:
    """Return counts times `scale` if they are whole numbers, otherwise None."""
    whole = np.empty_like(counts.data)
    for at in range(0, whole.size, _CHUNK):
        here = slice(at, at + _CHUNK)
        with np.errstate(over="ignore"):
            np.rint(counts.data[here] * scale, out=whole[here])
        exact = (whole[here] / scale == counts.data[here]) & (whole[here] < _MOST)
        if not exact.all():
            return None
    return sparse.csr_array((whole, counts.indices, counts.indptr), counts.shape)
