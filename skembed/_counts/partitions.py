"""Co-occurrence counts of documents in partitions of Dask, on its workers."""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from skembed._corpus.partitioned import (
    PartitionedCorpus,
    add_in_tree,
    client,
    join,
    share,
)
from skembed._corpus.partitions import compute, delay
from skembed._corpus.vocabulary import Corpus
from skembed._counts import documents, sums, windows
from skembed._utils.threads import n_threads

# Tokens that one task counts at most. Counts of fewer, larger parts are smaller in
# total than those of many small ones.
_TASK_TOKENS = 1 << 26
# Ranges of rows for each thread of the cluster. A worker holds the counts of few of
# them at a time, apart from results.
_RANGES = 4


def count_windows(
    corpus: PartitionedCorpus,
    weights: np.ndarray,
    divisor: int,
    direction: str = "both",
    n_jobs: int | None = None,
) -> sparse.csr_array:
    """Count how often words co-occur within context windows, on the workers.

    Neighbouring partitions are counted together, one range of rows after the other.
    The counts of a range are added up on the workers.

    Parameters
    ----------
    corpus : PartitionedCorpus
        Of text.
    weights : ndarray of shape (window,), float64
        Weight of a context by its distance.
    divisor : int
        Counts of documents without weights are multiples of one over this number.
    direction : {"both", "left", "right"}, default="both"
        Where contexts are counted.
    n_jobs : int or None, default=None
        Number of threads if there is no cluster, by joblib's rules.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical. If counts add up exactly (see `sums.add`), the bits are those of
        `windows.count_cooccurrences` for all documents together. Otherwise they agree
        to 1e-12.
    """
    n_workers = _count_threads(n_jobs)
    groups = _groups(corpus, n_workers)
    n_words = corpus.word_counts.size
    ranges = _row_ranges(corpus.word_counts, 2 * weights.size, _RANGES * n_workers)
    shared = share((n_words, weights, direction))
    blocks = []
    for rows in ranges:
        counted = [delay(_count_rows, group, rows, shared) for group in groups]
        blocks.append(delay(sums.add, counted, divisor))
    return documents.consume_blocks(compute(blocks), n_words, "Co-occurrence counts")


def count_shared_documents(corpus: PartitionedCorpus) -> sparse.csr_array:
    """Count how often words share a document of a matrix, on the workers.

    Parameters
    ----------
    corpus : PartitionedCorpus
        Of the rows of a matrix.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        As that of `documents.count_shared_documents` for all documents together: with
        the same bits for whole numbers, otherwise up to the rounding to float32.
    """
    n_words = corpus.word_counts.size
    tasks = [delay(documents.count_products, part, n_words) for part in corpus.parts]
    ((counts, whole),) = compute([add_in_tree(_add_products, tasks)])
    return counts if whole else documents.rounded_inplace(counts)


def _count_threads(n_jobs: int | None) -> int:
    """Return how many tasks run at the same time."""
    cluster = client()
    if cluster is None:
        return n_threads(n_jobs, 1 << 10)
    return max(1, sum(cluster.nthreads().values()))


def _groups(corpus: PartitionedCorpus, n_workers: int) -> list[list[Any]]:
    """Return neighbouring parts that are counted together, about one for a worker."""
    n_tokens = np.array([size.n_tokens for size in corpus.sizes])
    wanted = max(n_workers, -(-int(n_tokens.sum()) // _TASK_TOKENS))
    before = np.cumsum(n_tokens) - n_tokens / 2
    numbers = (before * wanted / max(1, n_tokens.sum())).astype(np.int64)
    return [
        [corpus.parts[i] for i in np.flatnonzero(numbers == number)]
        for number in np.unique(numbers)
    ]


def _row_ranges(
    word_counts: np.ndarray, contexts: int, n_ranges: int
) -> list[tuple[int, int]]:
    """Split rows into ranges with similar numbers of pairs and entries."""
    pairs = word_counts * float(contexts)
    size = np.cumsum(pairs + np.minimum(pairs, word_counts.size))
    wanted = size[-1] * np.arange(1, n_ranges) / n_ranges
    edges = [0, *np.searchsorted(size, wanted).tolist(), word_counts.size]
    edges = np.unique(edges).tolist()
    return list(pairwise(edges))


# --- on the workers -------------------------------------------------------------------


def _count_rows(
    parts: list[Corpus],
    rows: tuple[int, int],
    shared: tuple[int, np.ndarray, str],
) -> sparse.csr_array:
    """Count some rows of a few parts."""
    n_words, weights, direction = shared
    counts = windows.count_cooccurrences(join(parts), n_words, weights, 1, direction)
    return counts[slice(*rows)]


def _add_products(
    parts: list[tuple[sparse.csr_array, bool]],
) -> tuple[sparse.csr_array, bool]:
    counts = [part for part, _ in parts]
    return sums.add(counts, 1), all(whole for _, whole in parts)
