"""Co-occurrence counts of documents in partitions of Dask, on its workers."""

from collections.abc import Iterator
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.partitioned import (
    PartitionedCorpus,
    add_in_tree,
    n_tasks,
)
from skembed._corpus.partitions import (
    SparseRows,
    compute,
    computed,
    delay,
    items,
    persist,
    share,
)
from skembed._corpus.vocabulary import Corpus
from skembed._counts import documents, sums, windows


class _Block(NamedTuple):
    """Some rows of counts."""

    rows: SparseRows  # canonical
    # Counts are the numbers of the rows divided by it. None if the counts are not known
    # to be multiples.
    divisor: float | None


class _Products(NamedTuple):
    """Counts of words that share documents."""

    rows: SparseRows  # canonical
    whole: bool


# Ranges of rows whose sums are sent one after the other, at least.
_RANGES = 8


def count_windows(
    corpus: PartitionedCorpus,
    weights: np.ndarray,
    unit: int,
    direction: str = "both",
    n_jobs: int | None = None,
) -> sparse.csr_array:
    """Count how often words co-occur within context windows, on the workers.

    The counts of a range of rows are added up on the workers. If a worker has several
    parts, ranges are counted in as many rounds. It then holds about as many counts at a
    time as one part has.

    Parameters
    ----------
    corpus : PartitionedCorpus
        Of text.
    weights : ndarray of shape (window,), float64
        Weight of a context by its distance.
    unit : int
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
        blocks = [items(counted, i) for i in range(len(rows))]
        for block in computed(_sums(blocks, unit), tasks):
            found.append(block.rows.matrix())
            scales.append(block.divisor or 1.0)
    return documents.consume_blocks(found, n_words, "Co-occurrence counts", scales)


def _sums(blocks: list[list[Any]], unit: int) -> Iterator[tuple[Any, Any]]:
    """Yield sums of blocks as Delayed objects, and the blocks."""
    # Counting is one task for each part. Its result is released as soon as all blocks
    # are there, and a block as soon as its sum is there.
    n_parts = len(blocks[0])
    there = persist(chain.from_iterable(reversed(blocks)))
    while there:
        block = there[-n_parts:]
        del there[-n_parts:]
        yield delay(_add_up, block, unit), block


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
    tasks = [delay(_count_products, part, n_words) for part in corpus.parts]
    (products,) = compute([add_in_tree(_add_products, tasks)])
    counts = products.rows.matrix()
    counts.has_canonical_format = True
    return counts if products.whole else documents.rounded_inplace(counts)


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
) -> list[_Block]:
    """Count some ranges of rows of a part."""
    found, divisor = windows.count_ranges(part, *shared, ranges)
    return [_Block(SparseRows.of(counts), divisor) for counts in found]


def _add_up(parts: list[_Block], unit: int) -> _Block:
    """Return the sum of some rows as multiples, in a type that is sent fast."""
    counts = [part.rows.matrix() for part in parts]
    divisors = [part.divisor for part in parts]
    if all(divisors):
        # It is the same for all of them.
        return _Block(SparseRows.of(sums.add_whole(counts)), divisors[0])
    counts = [part / (by or 1) for part, by in zip(counts, divisors, strict=True)]
    total, scale = sums.add_multiples(counts, unit)
    if scale == 1.0:
        return _Block(SparseRows.of(total), None)
    if total.data.max(initial=0.0) < 2.0**32:
        total.data = total.data.astype(np.uint32)
    return _Block(SparseRows.of(total), scale)


def _count_products(part: Corpus, n_words: int) -> _Products:
    counts, whole = documents.count_products(part, n_words)
    return _Products(SparseRows.of(counts), whole)


def _add_products(parts: list[_Products]) -> _Products:
    total = sums.add([part.rows.matrix() for part in parts], 1)
    return _Products(SparseRows.of(total), all(part.whole for part in parts))
