"""From co-occurrence counts to positive pointwise mutual information."""

import numpy as np
from scipy import sparse, special

from skembed._utils.threads import ThreadTeam, n_threads, row_ranges

# A task has about this many entries. With fewer entries, no thread is started.
_TASK_ENTRIES = 1 << 17
# Number of parts of the rows whose column sums are added up in order. It must not
# depend on the number of threads.
_LANES = 8


def ppmi_inplace(
    counts: sparse.csr_array,
    shift: float,
    context_exponent: float,
    n_jobs: int | None = None,
) -> sparse.csr_array:
    """Return the shifted positive PMI matrix of co-occurrence counts.

    An entry is ``max(0, ln(P(w, c) / (P(w) P_a(c))) - ln(shift))``. Contexts are
    smoothed: ``P_a(c) = #(c)**a / sum #(c')**a`` (Levy, Goldberg & Dagan 2015, eq. 3
    and section 3.1). The shift is that of Levy & Goldberg (2014), eq. 11.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_contexts), float64
        Positive. Consumed: the result is computed in its arrays, and a matrix without
        entries is left. Pass a copy to keep the counts.
    shift : float
        The number k >= 1 of noise words that the shift corresponds to.
    context_exponent : float
        The exponent a. 1 means no smoothing.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The result does not depend on it.

    Returns
    -------
    csr_array of shape (n_words, n_contexts), float32
        Without stored zeros. Entries are in the order of `counts`.
    """
    with ThreadTeam(n_threads(n_jobs, 1 + counts.nnz // _TASK_ENTRIES)) as team:
        tasks = row_ranges(counts.indptr, _TASK_ENTRIES)
        word_totals, context_totals = _totals(counts, team)
        of_word = np.log(np.where(word_totals > 0, word_totals, 1.0)) + np.log(shift)
        seen = context_totals > 0
        # With logarithms, no exponent makes the sum of powers overflow.
        of_context = context_exponent * np.log(np.where(seen, context_totals, 1.0))
        if seen.any():
            of_context -= special.logsumexp(of_context[seen])
        return _positive_inplace(counts, (of_word, of_context), tasks, team)


def _totals(
    counts: sparse.csr_array, team: ThreadTeam
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of all rows and of all columns."""
    from skembed._kernels import counting as kernels

    indptr = counts.indptr.astype(np.int64)
    columns = counts.indices.astype(np.int32, copy=False)
    word_totals = np.empty(counts.shape[0])
    context_totals = np.zeros((_LANES, counts.shape[1]))

    parts = row_ranges(indptr, max(1, -(-counts.nnz // _LANES)))
    edges = np.append(0, np.array(parts, dtype=np.int64).reshape(-1, 2)[:, 1])
    # Small parts are added up by one task.
    at_once = max(1, _TASK_ENTRIES * _LANES // max(team.size * counts.nnz, 1))

    def add(_: int, first: int) -> None:
        these = first, min(first + at_once, len(parts))
        totals = word_totals, context_totals
        kernels.add_totals(indptr, columns, counts.data, edges, these, totals)

    team.map(add, range(0, len(parts), at_once))
    return word_totals, context_totals.sum(axis=0)


def _positive_inplace(
    counts: sparse.csr_array,
    marginals: tuple[np.ndarray, np.ndarray],
    tasks: list[tuple[int, int]],
    team: ThreadTeam,
) -> sparse.csr_array:
    """Return the positive entries of the shifted PMI. `counts` is emptied."""
    index = counts.indptr.dtype
    indptr = counts.indptr.astype(np.int64)
    columns = counts.indices.astype(np.int32, copy=False)
    data = counts.data
    counts.indptr = np.zeros_like(counts.indptr)
    counts.indices, counts.data = np.empty(0, index), np.empty(0)

    sizes, kept = _compact(indptr, columns, data, marginals, tasks, team)
    first = [int(indptr[row]) for row, _ in tasks]
    # One old array is released before the next new one is allocated.
    new_columns = _gather(columns, first, kept, index)
    del columns
    values = data.view(np.float32)
    new_values = _gather(values, [2 * at for at in first], kept, values.dtype)
    new_indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(index)
    return sparse.csr_array((new_values, new_columns, new_indptr), shape=counts.shape)


def _compact(
    indptr: np.ndarray,
    columns: np.ndarray,
    data: np.ndarray,
    marginals: tuple[np.ndarray, np.ndarray],
    tasks: list[tuple[int, int]],
    team: ThreadTeam,
) -> tuple[np.ndarray, list[int]]:
    """Move positive entries to the beginning of each task's columns and data.

    Returns the new sizes of all rows and of all tasks.
    """
    from skembed._kernels import counting as kernels

    sizes = np.empty(indptr.size - 1, dtype=np.int64)
    values = data.view(np.float32)
    most = max(int(indptr[last] - indptr[first]) for first, last in tasks)
    logs = np.empty((team.size, most))

    def keep(thread: int, rows: tuple[int, int]) -> int:
        first, last = indptr[rows[0]], indptr[rows[1]]
        log_counts = np.log(data[first:last], out=logs[thread, : last - first])
        return kernels.keep_positive(
            indptr, columns, log_counts, marginals, rows, sizes, values
        )

    return sizes, team.map(keep, tasks)


def _gather(
    source: np.ndarray, first: list[int], sizes: list[int], dtype: np.dtype
) -> np.ndarray:
    """Return the concatenation of runs of an array, given their beginnings."""
    out = np.empty(sum(sizes), dtype=dtype)
    at = 0
    for begin, size in zip(first, sizes, strict=True):
        out[at : at + size] = source[begin : begin + size]
        at += size
    return out
