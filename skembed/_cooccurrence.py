"""Weighted co-occurrence counts of a corpus as a sparse matrix."""

import math

import numpy as np
from scipy import sparse

from skembed._vocabulary import Corpus

# Rows are counted in tasks whose buffers hold at most about this many entries.
_TASK_ENTRIES = 1 << 22


def exact_weights(weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return whole numbers and the divisor that makes them `weights`, if possible.

    Sums of whole numbers are exact in float64, whatever their order. A divisor is
    looked for among the least common multiples of 1, 2, ..., which serve every
    weighting of a window up to 16; beyond, the weights stay as they are.

    Parameters
    ----------
    weights : ndarray of shape (window,), float64

    Returns
    -------
    weights : ndarray of shape (window,), float64
    divisor : float
    """
    divisor = 1
    for distance in range(1, min(weights.size, 16) + 1):
        divisor = math.lcm(divisor, distance)
    whole = np.rint(weights * divisor)
    if np.allclose(whole, weights * divisor, rtol=1e-12, atol=0.0):
        return whole, float(divisor)
    return weights, 1.0


def count_cooccurrences(
    corpus: Corpus, n_words: int, weights: np.ndarray
) -> sparse.csr_array:
    """Count how often words stand in each other's window.

    Windows do not cross documents. A word is paired with itself at another position.

    Parameters
    ----------
    corpus : Corpus
    n_words : int
    weights : ndarray of shape (window,), float64
        Weight of a context by its distance, see `_sampling.window_weights`.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Symmetric, with sorted columns.
    """
    from skembed._kernels import counting

    whole, divisor = exact_weights(weights)
    frequency = np.bincount(corpus.token_ids, minlength=n_words)
    starts = np.concatenate([[0], np.cumsum(frequency)])
    positions = np.empty(corpus.token_ids.size, dtype=np.int64)
    counting.list_positions(corpus.token_ids, starts, positions)
    tokens = np.empty_like(corpus.token_ids)
    counting.mark_starts(corpus.token_ids, corpus.doc_offsets, tokens)
    totals, found = np.zeros(n_words), np.empty(n_words, dtype=np.int32)
    parts = []
    for first, last, capacity in _tasks(frequency, 2 * weights.size):
        out = (
            np.empty(last - first, dtype=np.int64),
            np.empty(capacity, dtype=np.int32),
            np.empty(capacity, dtype=np.float64),
        )
        used = counting.count_rows(
            tokens, positions, starts, whole, (first, last), totals, found, out
        )
        parts.append((out[0], out[1][:used].copy(), out[2][:used] / divisor))
    sizes, columns, values = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    counts = sparse.csr_array((values, columns, indptr), shape=(n_words, n_words))
    if divisor == 1.0 and weights.size > 1:
        # Sums of fractions depend on their order, which the mirrored entry does not
        # share; the mean of both is the same on either side.
        counts = sparse.csr_array((counts + counts.T) / 2.0)
        counts.sort_indices()
    return counts


def _tasks(frequency: np.ndarray, contexts: int) -> list[tuple[int, int, int]]:
    """Cut the rows into tasks (first, last, most entries it can have)."""
    bound = np.minimum(frequency * contexts, frequency.size)
    tasks = []
    first, capacity = 0, 0
    for row, entries in enumerate(bound.tolist()):
        if capacity and capacity + entries > _TASK_ENTRIES:
            tasks.append((first, row, capacity))
            first, capacity = row, 0
        capacity += entries
    tasks.append((first, frequency.size, capacity))
    return tasks
