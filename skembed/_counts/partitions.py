"""Co-occurrence counts of documents in partitions of Dask, on its workers."""

from itertools import pairwise
from operator import getitem

import numpy as np
from scipy import sparse

from skembed._corpus.partitioned import (
    PartitionedCorpus,
    add_in_tree,
    n_tasks,
)
from skembed._corpus.partitions import compute, computed, delay, share
from skembed._corpus.vocabulary import Corpus
from skembed._counts import documents, sums, windows

# Ranges of rows whose sums are sent one after the other, at least.
_RANGES = 8


def count_windows(
    corpus: PartitionedCorpus,
    weights: np.ndarray,
    divisor: int,
    direction: str = "both",
    n_jobs: int | None = None,
) -> sparse.csr_array:
    """Count how often words co-occur within context windows, on the workers.

    The counts of a range of rows are added up on the workers. If there are more parts
    than tasks at a time, the ranges are counted in several rounds: the counts of all
    parts in one round take about as much memory as all counts of few parts.

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
    n_words, tasks = corpus.word_counts.size, n_tasks(n_jobs)
    n_rounds = -(-len(corpus.parts) // tasks)
    in_round = max(_RANGES, tasks)
    ranges = _row_ranges(corpus.word_counts, 2 * weights.size, n_rounds * in_round)
    shared = share((n_words, weights, direction))
    found, scales = [], []
    for first in range(0, len(ranges), in_round):
        rows = ranges[first : first + in_round]
        counted = [delay(_count_ranges, part, rows, shared) for part in corpus.parts]
        blocks = [
            delay(_add_up, [delay(getitem, part, i) for part in counted], divisor)
            for i in range(len(rows))
        ]
        for block, scale in computed(blocks):
            found.append(block)
            scales.append(scale)
    return documents.consume_blocks(found, n_words, "Co-occurrence counts", scales)


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


def _count_ranges(
    part: Corpus,
    ranges: list[tuple[int, int]],
    shared: tuple[int, np.ndarray, str],
) -> list[tuple[sparse.csr_array, int | None]]:
    """Count some ranges of rows of a part; return blocks and what divides them."""
    blocks, divisor = windows.count_ranges(part, *shared, ranges)
    return [(block, divisor) for block in blocks]


def _add_up(
    parts: list[tuple[sparse.csr_array, int | None]], divisor: int
) -> tuple[sparse.csr_array, float]:
    """Return the sum of some rows as multiples, in a type that is sent fast."""
    blocks, divisors = zip(*parts, strict=True)
    if all(divisors):
        return sums.add_whole(blocks), float(divisors[0])
    counts = [block / (of_part or 1) for block, of_part in parts]
    total, scale = sums.add_multiples(counts, divisor)
    if scale != 1.0 and total.data.max(initial=0.0) < 2.0**32:
        total.data = total.data.astype(np.uint32)
    return total, scale


def _add_products(
    parts: list[tuple[sparse.csr_array, bool]],
) -> tuple[sparse.csr_array, bool]:
    counts = [part for part, _ in parts]
    return sums.add(counts, 1), all(whole for _, whole in parts)
