"""Co-occurrence counts as if some occurrences of frequent words were not there."""

import math
from itertools import pairwise

import numpy as np
from scipy import sparse

from skembed._utils.threads import row_ranges

# Entries that are looked at at once.
_CHUNK = 1 << 20
# Whole numbers up to twice this power of two, and their sums, are exact in float64.
_WHOLE = 52


def context_totals(counts: sparse.csr_array) -> np.ndarray:
    """Return how often each word is a context: the sums of the columns.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Non-negative, with a finite sum.

    Returns
    -------
    ndarray of shape (n_words,), float64
        The same bits in whatever order rows and columns are, since counts are rounded
        to multiples of some 2**-52 of their sum before they are added up.
    """
    scale = _scale(float(counts.data.sum()))
    totals = np.zeros(counts.shape[1])
    for here in _chunks(counts.nnz):
        whole = np.rint(counts.data[here] * scale)
        totals += np.bincount(counts.indices[here], whole, totals.size)
    return totals / scale


def _scale(total: float) -> float:
    """Return the power of two that makes sums whole numbers below 2**53.

    However a total is rounded, it gets the same one: times pi, no sum of usual counts
    is close to a power of two.
    """
    _, exponent = math.frexp(math.pi / 4 * total)
    return math.ldexp(1.0, min(_WHOLE - exponent, 1023))


def weigh(counts: sparse.csr_array, totals: np.ndarray, subsample: float) -> None:
    """Multiply counts by the probabilities that both of their words are kept.

    Subsampling leaves so much of each count, on average; windows stay as they are on
    the whole text, as in the "dirty" subsampling of Levy, Goldberg & Dagan (2015),
    section 3.1.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Is changed in place.
    totals : ndarray of shape (n_words,), float64
        How often each word occurs, as `context_totals` returns it.
    subsample : float
        The threshold, see `keep_probabilities`; 0 changes nothing.

    Raises
    ------
    ValueError
        If a count becomes too small for float64.
    """
    if subsample == 0 or not counts.nnz:
        return
    keep = keep_probabilities(totals, subsample)
    for first, last in row_ranges(counts.indptr, _CHUNK):
        here = slice(counts.indptr[first], counts.indptr[last])
        lengths = np.diff(counts.indptr[first : last + 1])
        part = counts.data[here]
        part *= np.repeat(keep[first:last], lengths)
        part *= keep[counts.indices[here]]
        if not part.all():
            raise ValueError(
                f"subsample={subsample} makes counts of pairs of words too small for "
                "float64. Pass a larger one, or subsample=0."
            )


def _chunks(n_entries: int) -> list[slice]:
    edges = [*range(0, n_entries, _CHUNK), n_entries]
    return [slice(*pair) for pair in pairwise(edges)]


def keep_probabilities(counts: np.ndarray, subsample: float) -> np.ndarray:
    """Return the probability that an occurrence of a word is kept.

    The form of the word2vec program, ``sqrt(t / f) + t / f`` for a word of relative
    frequency f, which keeps slightly more than eq. 5 of Mikolov et al. (2013).

    Parameters
    ----------
    counts : ndarray of shape (n_words,)
    subsample : float
        The threshold t; 0 keeps everything.

    Returns
    -------
    ndarray of shape (n_words,), float64
    """
    if subsample == 0:
        return np.ones(counts.size)
    # Words that do not occur have no frequency; all of them are kept.
    frequency = np.where(counts > 0, counts, counts.max()) / counts.sum()
    # Of words that are rarer than floats can tell, all are kept, too.
    with np.errstate(divide="ignore", over="ignore"):
        ratio = subsample / frequency
    keep = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return np.where(counts > 0, keep, 1.0)
