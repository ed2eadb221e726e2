"""Weighted co-occurrence counts of a corpus as a sparse matrix."""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn import get_config

from skembed._corpus.vocabulary import Corpus
from skembed._utils.files import FileArray
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import check_room
from skembed._utils.threads import ThreadTeam, n_threads, row_ranges

# A task has at most about this many pairs of a word and a context to read, and this
# many entries of the matrix to write. If there is only one task, no thread is started.
_TASK_PAIRS = 1 << 20
_TASK_ENTRIES = 1 << 19
# Entries for which memory is allocated at a time: enough for large pages, and for
# memory that returns to the system as soon as it is released.
_CHUNK_ENTRIES = 1 << 22
# A token's position and the sizes of its window's sides share 63 bits.
_MOST_PLACES = 1 << 63
# Tokens whose places are sorted in one call of about 0.1 s.
_PLACED_AT_ONCE = 1 << 21
# Narrow and wide totals stay below these powers of two.
_NARROW, _WIDE = 62, 126
# Larger whole numbers are not exact in float64, nor are larger products.
_MOST_DENOMINATOR = 2**52
# With wide totals, each weight of a context is cut to a whole number of at least this
# size. Its relative error is therefore less than 2**-44.
_PRECISION = 44
# Indices are int32 if the number of entries allows it.
INT32_MAX = int(np.iinfo(np.int32).max)
_ENTRY_BYTES, _PLACE_BYTES = 12, 8
# What counting within a limit takes for each word: tables of all words; a thread's
# work space; and the words of a chunk, which are counted, added up and listed. Tables
# of chunks may take this share of the limit.
_WORD_BYTES, _SCRATCH_BYTES, _TABLE_BYTES, _TABLES_SHARE = 80, 22, 24, 8


class _Weights(NamedTuple):
    """Weights of contexts as whole numbers, whose sums are exact.

    The counts are ``2**exponent / divisor`` times these sums.
    """

    by_distance: np.ndarray  # int64 (window,), or float64 if totals are wide
    by_token: np.ndarray  # float64 (n_tokens,) by document, or (0,) if all are 1
    divisor: int
    exponent: int = 0

    @property
    def is_wide(self) -> bool:
        return self.by_distance.dtype == np.float64


class _Part(NamedTuple):
    """Documents whose weights share one unit, and what is known before counting."""

    corpus: Corpus
    weights: _Weights
    chunks: list[Any]  # of tokens, see `counting.Chunk`
    occurrences: np.ndarray  # int64 (n_chunks, n_words), of each word in each chunk


class _Chunks:
    """Memory to which one thread writes its rows, part after part.

    A part has the size of its rows and is not moved. Memory that is not written to
    costs nothing. A chunk is released when all of its parts are released.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._columns = np.empty(0, dtype=np.int32)
        self._values = np.empty(0, dtype=np.float64)

    def room(self, entries: int) -> tuple[np.ndarray, np.ndarray]:
        """Return arrays for the columns and values of at least `entries` entries."""
        if self._columns.size < entries:
            size = max(entries, self._size)
            check_room_for(size, "Co-occurrence counts")
            self._columns = np.empty(size, dtype=np.int32)
            self._values = np.empty(size, dtype=np.float64)
        return self._columns, self._values

    def cut(self, used: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the part that was written. The next part begins after it."""
        part = self._columns[:used], self._values[:used]
        self._columns, self._values = self._columns[used:], self._values[used:]
        return part


def check_room_for(n_entries: float, what: str) -> None:
    """Raise an error if there is not enough memory for entries of a sparse matrix.

    Parameters
    ----------
    n_entries : float
        Number of entries, with indices of 4 and values of 8 bytes.
    what : str
        Their name in the error.

    Raises
    ------
    MemoryError
        If there is not enough memory.
    """
    advice = "Lower max_features or window, or raise min_count."
    check_room(_ENTRY_BYTES * n_entries, f"{what} of {n_entries:.0f} pairs", advice)


def common_denominator(weights: np.ndarray, limit: int) -> int:
    """Return the least common multiple of denominators, or 0 if it is too large."""
    divisor = 1
    for weight in weights.tolist():
        fraction = Fraction(weight).limit_denominator(1 << 16)
        divisor = math.lcm(divisor, fraction.denominator)
        if divisor > limit or not math.isclose(fraction, weight, rel_tol=1e-15):
            return 0
    return divisor


def count_cooccurrences(
    corpus: Corpus,
    n_words: int,
    weights: np.ndarray,
    n_jobs: int | None = None,
    direction: str = "both",
    report: Callable[[float], Any] | None = None,
    rows: tuple[int, int] | None = None,
) -> sparse.csr_array:
    """Count how often words co-occur within context windows.

    Windows do not cross documents. A word is paired with itself at another position.
    Pairs are multiplied by the weight of their document.

    Weights are converted to whole numbers, which are added up and divided at the end.
    Sums therefore do not depend on the order. They are exact, and rounded once, under
    two conditions. The weights of contexts by distance have a small common denominator,
    as for flat and dynamic windows and for harmonic windows up to 36. The weights of
    documents are whole numbers, or whole numbers times a power of two. Otherwise the
    relative error of each count is below 1e-13, even if weights differ widely.

    Parameters
    ----------
    corpus : Corpus
        Weights of documents are finite and not negative.
    n_words : int
    weights : ndarray of shape (window,), float64
        Weight of a context by its distance, see `count.window_weights`.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The result does not depend on it.
    direction : {"both", "left", "right"}, default="both"
        Where contexts (the columns) are counted: on both sides of a word, only before
        it, or only after it.
    report : callable, default=None
        Called now and then with the share of the work that is done.
    rows : (int, int), default=None
        The first row to count and the one behind the last. By default all. Memory is
        needed for these rows and for the occurrences of their words.

    Returns
    -------
    csr_array of shape (n_words, n_words) or (last - first, n_words), float64
        With sorted columns. The whole matrix is symmetric bit for bit. With one
        direction, it is the transpose of the other direction's matrix. Sums that are
        too large for float64 are infinite. Some rows have the bits that they have in
        the whole matrix. Indices are int32 if they fit.

    Raises
    ------
    ValueError
        If the corpus has more than ``2**61 / window**2`` tokens, or if there are no
        such rows.
    MemoryError
        If there is not enough memory for the counts.
    """
    first, last = (0, n_words) if rows is None else rows
    if not 0 <= first <= last <= n_words:
        raise ValueError(f"rows={rows!r} are not among the {n_words} rows.")
    corpus, weights, bands = _units(corpus, weights)
    with _team(corpus, weights, n_jobs) as team:
        total: Any = None
        for number, band in enumerate(bands):
            told = _share_of(report, number, len(bands))
            part = _prepare(*band, n_words, weights, team)
            found = _count(part, (first, last), direction, team, told)
            total = found if total is None else _add(total, found)
        return total


def count_to_file(
    corpus: Corpus,
    n_words: int,
    weights: np.ndarray,
    n_jobs: int | None,
    direction: str,
    max_memory: int,
    folder: Any,
) -> sparse.csr_array:
    """Count as `count_cooccurrences` does, within a limit of memory.

    Rows are counted in ranges that fit, one after the other. Each range is written to a
    file at once.

    Parameters
    ----------
    corpus, n_words, weights, n_jobs, direction
        As in `count_cooccurrences`.
    max_memory : int
        Bytes that counting may take beside the corpus.
    folder : str, path or None
        Where the files are, see `FileArray`.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        The bits of `count_cooccurrences`. Its columns and values are in files, which
        are deleted when these arrays are released.

    Raises
    ------
    ValueError
        As in `count_cooccurrences`, or if the counts of a word exceed the limit.
    OSError
        If the files cannot be written.
    """
    corpus, weights, bands = _units(corpus, weights)
    columns, values = FileArray(folder, "i"), FileArray(folder, "d")
    indptr = np.zeros(n_words + 1, dtype=np.int64)
    with _team(corpus, weights, n_jobs) as team:
        most = max_memory // (_TABLES_SHARE * _TABLE_BYTES * n_words)
        parts = [_prepare(*band, n_words, weights, team, most) for band in bands]
        for first, last in _ranges_within(parts, max_memory, team.size):
            rows, sizes = (first, last), np.empty(last - first, dtype=np.int64)
            for part in _count_parts(parts, rows, sizes, direction, team):
                columns.frombytes(part[0])
                values.frombytes(part[1])
            indptr[first + 1 : last + 1] = indptr[first] + sizes.cumsum()
    found = columns.take()
    if found.size <= INT32_MAX:
        indptr = indptr.astype(np.int32)
    else:
        found = _widened(found, folder)
    shape = n_words, n_words
    counts = sparse.csr_array((values.take(), found, indptr), shape=shape)
    counts.has_canonical_format = True
    return counts


def count_ranges(
    corpus: Corpus,
    n_words: int,
    weights: np.ndarray,
    direction: str,
    ranges: Sequence[tuple[int, int]],
) -> tuple[list[sparse.csr_array], int | None]:
    """Count some ranges of rows, whose counts are to be added to those of other parts.

    Parameters
    ----------
    corpus, n_words, weights, direction
        As in `count_cooccurrences`.
    ranges : sequence of (int, int)
        The first row of each, and the one behind the last.

    Returns
    -------
    blocks : list of csr_array of shape (last - first, n_words)
        Of each range; canonical. Whole numbers are uint32 if they fit, which takes two
        thirds of the memory of counts.
    divisor : int or None
        Counts are the whole numbers of the blocks divided by this. It depends on
        `weights` alone. If it is None, the blocks are those of `count_cooccurrences`.

    Raises
    ------
    ValueError, MemoryError
        As in `count_cooccurrences`.
    """
    corpus, weights, bands = _units(corpus, weights)
    with _team(corpus, weights, 1) as team:
        parts = [_prepare(*band, n_words, weights, team) for band in bands]
        whole = parts[0].weights
        if len(parts) == 1 and not (whole.is_wide or whole.exponent):
            return [
                _count_whole(parts[0], rows, direction, team) for rows in ranges
            ], whole.divisor
        return [_count_all(parts, rows, direction, team) for rows in ranges], None


def _count_parts(
    parts: list[_Part],
    rows: tuple[int, int],
    sizes: np.ndarray,
    direction: str,
    team: ThreadTeam,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield columns and counts of some rows, and write the rows' numbers of entries."""
    if len(parts) == 1:
        unit = parts[0].weights.divisor, parts[0].weights.exponent
        found = _count_range(parts[0], rows, sizes, direction, team, None)
        for columns, values in found:
            _divide(values, unit, values)
            yield columns, values
        return
    counts = _count_all(parts, rows, direction, team)
    sizes[:] = np.diff(counts.indptr)
    yield counts.indices.astype(np.int32, copy=False), counts.data


def _count_all(
    parts: list[_Part], rows: tuple[int, int], direction: str, team: ThreadTeam
) -> sparse.csr_array:
    """Return some rows of the counts of all parts."""
    counts = _count(parts[0], rows, direction, team)
    for part in parts[1:]:
        counts = _add(counts, _count(part, rows, direction, team))
    return counts


def _widened(columns: np.ndarray, folder: Any) -> np.ndarray:
    """Return columns as int64, as SciPy has one type for both kinds of indices."""
    wide = FileArray(folder, "q")
    for first in range(0, columns.size, _CHUNK_ENTRIES):
        wide.frombytes(columns[first : first + _CHUNK_ENTRIES].astype(np.int64))
    return wide.take()


def _ranges_within(
    parts: list[_Part], max_memory: int, n_threads: int
) -> list[tuple[int, int]]:
    """Cut all rows into ranges whose counting stays within a limit of memory."""
    n_words = parts[0].occurrences.shape[1]
    frequency = np.zeros(n_words, dtype=np.int64)
    fixed = n_words * (_WORD_BYTES + n_threads * _SCRATCH_BYTES)
    for part in parts:
        frequency += part.occurrences.sum(axis=0)
        fixed += _TABLE_BYTES * part.occurrences.size + part.weights.by_token.nbytes
        if len(parts) > 1:
            fixed += part.corpus.token_ids.nbytes
    width = 2 * parts[0].weights.by_distance.size
    entries = _ENTRY_BYTES * np.minimum(width * frequency, n_words)
    # Sums of several parts are joined, and added up as a third matrix. How many entries
    # a row has is not known beforehand, but how many at most.
    n_copies = 1 if len(parts) == 1 else 4
    of_rows = _PLACE_BYTES * frequency + n_copies * entries
    room, largest = max_memory - fixed, int(of_rows.max(initial=0))
    if largest > room:
        raise ValueError(
            f"max_memory={max_memory} bytes is too small to count the contexts of the "
            f"most frequent of {n_words} words: pass at least {fixed + largest}, fewer "
            "threads (n_jobs), or lower max_features or window."
        )
    of_rows = np.cumsum(of_rows)
    ranges, first = [], 0
    while first < n_words:
        done = of_rows[first - 1] if first else 0
        last = int(np.searchsorted(of_rows, done + room, side="right"))
        ranges.append((first, last))
        first = last
    return ranges


def _units(
    corpus: Corpus, weights: np.ndarray
) -> tuple[Corpus, np.ndarray, list[tuple[Corpus, int]]]:
    """Return documents and weights that matter, and the parts that share a unit."""
    bands = [(corpus, 0)]
    if corpus.doc_weights is not None:
        corpus = without_weightless(corpus, corpus.doc_weights)
        # Documents without a weight must not matter: the longest of them could change
        # the denominator.
        weights = weights[: np.diff(corpus.doc_offsets).max(initial=1)]
        bands = _bands(corpus, weights)
    n_tokens = corpus.token_ids.size
    if 4 * weights.size**2 * n_tokens > _MOST_PLACES:
        raise ValueError(
            f"Windows of {weights.size} tokens to either side are too wide to count "
            f"a corpus of {n_tokens} tokens: lower `window`."
        )
    return corpus, weights, bands


def _team(corpus: Corpus, weights: np.ndarray, n_jobs: int | None) -> ThreadTeam:
    n_pairs = 2 * weights.size * corpus.token_ids.size
    return ThreadTeam(n_threads(n_jobs, 1 + n_pairs // _TASK_PAIRS))


def _share_of(
    report: Callable[[float], Any] | None, before: int, n_parts: int
) -> Callable[[float], Any] | None:
    """Return a function that reports the share of one part as a share of all parts."""
    if report is None or n_parts == 1:
        return report
    return lambda share: report((before + share) / n_parts)


def _bands(corpus: Corpus, weights: np.ndarray) -> list[tuple[Corpus, int]]:
    """Split documents by their weights, so that the weights of a part share a unit.

    Returns
    -------
    list of (Corpus, int)
        Documents with weights of at most 1, and the power of two that was divided out.
        There is at least one part.
    """
    if not corpus.token_ids.size:
        return [(corpus._replace(doc_weights=None), 0)]
    doc_weights: Any = corpus.doc_weights
    exponents = np.frexp(doc_weights)[1]
    # The largest possible sum, as a multiple of its smallest term.
    terms = 2 * corpus.token_ids.size * weights.sum() / weights.min()
    width = max(1, _WIDE - _PRECISION - math.ceil(math.log2(terms)))
    numbers = (exponents.max() - exponents) // width
    bands = []
    for number in np.unique(numbers):
        here = numbers == number
        highest = int(exponents[here].max())
        scaled = np.ldexp(np.where(here, doc_weights, 0.0), -highest)
        part = corpus._replace(doc_weights=scaled)
        bands.append((without_weightless(part, scaled), highest))
    return bands


def _add(first: sparse.csr_array, second: sparse.csr_array) -> sparse.csr_array:
    """Return the sum of two matrices of counts; canonical."""
    return interruptible(operator.add, first, second)


def _prepare(
    corpus: Corpus,
    exponent: int,
    n_words: int,
    weights: np.ndarray,
    team: ThreadTeam,
    most_chunks: int | None = None,
) -> _Part:
    """Count the words, and return the weights as whole numbers."""
    from skembed._kernels import counting

    chunks = _chunks(corpus, n_words, team, most_chunks)
    occurrences = np.zeros((len(chunks), n_words), dtype=np.int64)
    if team.size > 1:
        # Compiled in this thread, because interrupts wait for other threads.
        counting.count_words(corpus.token_ids, counting.NO_TOKENS, occurrences)
    team.map(
        lambda _, chunk: counting.count_words(corpus.token_ids, chunk, occurrences),
        chunks,
    )
    whole = _whole_weights(corpus, weights, occurrences.sum(axis=0))
    whole = whole._replace(exponent=whole.exponent + exponent)
    return _Part(corpus, whole, chunks, occurrences)


def _count(
    part: _Part,
    rows: tuple[int, int],
    direction: str,
    team: ThreadTeam,
    report: Callable[[float], Any] | None = None,
) -> sparse.csr_array:
    """Return some rows of the counts of documents whose weights share one unit."""
    whole, n_words = part.weights, part.occurrences.shape[1]
    sizes, found = _find(part, rows, direction, team, report)
    unit = whole.divisor, whole.exponent
    return _consume_parts(sizes, found, unit, n_words, team)


def _count_whole(
    part: _Part, rows: tuple[int, int], direction: str, team: ThreadTeam
) -> sparse.csr_array:
    """Return some rows as whole numbers, before they are divided."""
    sizes, found = _find(part, rows, direction, team)
    largest = max((values.max(initial=0.0) for _, values in found), default=0.0)
    dtype = np.uint32 if largest < 2.0**32 else np.float64
    n_words = part.occurrences.shape[1]
    return _consume_parts(sizes, found, (1, 0), n_words, team, dtype)


def _find(
    part: _Part,
    rows: tuple[int, int],
    direction: str,
    team: ThreadTeam,
    report: Callable[[float], Any] | None = None,
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """Count some rows; return their numbers of entries, columns and whole numbers.

    The places of scikit-learn's `working_memory` are listed at once.
    """
    if rows[0] == rows[1]:
        return np.empty(0, dtype=np.int64), []
    occurrences = part.occurrences[:, rows[0] : rows[1]].sum(axis=0)
    places = np.concatenate([[0], np.cumsum(occurrences)])
    most = max(1, int(get_config()["working_memory"] * 2**20) // _PLACE_BYTES)
    ranges = row_ranges(places, most)
    sizes = np.empty(occurrences.size, dtype=np.int64)
    parts: list[Any] = []
    for number, (first, last) in enumerate(ranges):
        told = _share_of(report, number, len(ranges))
        here = rows[0] + first, rows[0] + last
        parts += _count_range(part, here, sizes[first:last], direction, team, told)
    return sizes, parts


def _count_range(
    part: _Part,
    rows: tuple[int, int],
    sizes: np.ndarray,
    direction: str,
    team: ThreadTeam,
    report: Callable[[float], Any] | None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Count rows whose places are listed at once; return columns and whole numbers.

    The number of entries of each row is written to `sizes`.
    """
    from skembed._kernels import counting

    corpus, whole, n_words = part.corpus, part.weights, part.occurrences.shape[1]
    window = whole.by_distance.size
    bits = window.bit_length()
    starts, places = _list_places(part, rows, (window, bits), team)
    if direction != "both":
        # Places now have contexts on one side only. Tasks still allocate memory for
        # both, because kernels write beyond the last entry of a row.
        other = {"left": 0, "right": bits}[direction]
        places &= ~(((1 << bits) - 1) << other)
    frequency = part.occurrences[:, rows[0] : rows[1]].sum(axis=0)
    tasks = _tasks(frequency, 2 * window, n_words)
    # Several chunks for each thread: most are released before the last one is copied.
    in_all = sum(capacity for _, _, capacity in tasks)
    size = min(in_all // (8 * team.size), _CHUNK_ENTRIES)
    threads = range(team.size)
    chunks = [_Chunks(size) for _ in threads]
    kernel: Any = counting.count_rows
    given: tuple[Any, ...] = whole.by_distance, bits
    width = 0
    if whole.is_wide:
        kernel, width = counting.count_wide_rows, window
        given = whole.by_distance, whole.by_token, bits
    scratch = [allocate_scratch(n_words, width) for _ in threads]

    def count(thread: int, task: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        used = kernel(
            corpus.token_ids,
            places,
            starts,
            given,
            task[:2],
            scratch[thread],
            sizes,
            chunks[thread].room(task[2]),
        )
        return chunks[thread].cut(used)

    if team.size > 1:
        # Compiled in this thread, because interrupts wait for other threads.
        count(0, (0, 0, 0))
    return team.map(count, tasks, report)


def _whole_weights(
    corpus: Corpus, weights: np.ndarray, frequency: np.ndarray
) -> _Weights:
    """Return weights as whole numbers whose sums do not overflow.

    Parameters
    ----------
    corpus : Corpus
        Weights of documents are positive and at most 1.
    weights : ndarray of shape (window,), float64
    frequency : ndarray of shape (n_words,), int64
        How often each word occurs.

    Returns
    -------
    _Weights
    """
    divisor = common_denominator(weights, _MOST_DENOMINATOR)
    by_distance = np.rint(weights * divisor) if divisor else weights
    doc_weights = corpus.doc_weights
    by_token = np.empty(0)
    heaviest = float(frequency.max(initial=1))
    if doc_weights is not None:
        by_token = np.repeat(doc_weights, np.diff(corpus.doc_offsets))
        heaviest = _heaviest(corpus.token_ids, by_token, frequency.size)
    largest = 2.0 * heaviest * math.fsum(by_distance)
    if divisor and doc_weights is None and largest < 2.0**_NARROW:
        return _Weights(by_distance.astype(np.int64), by_token, divisor)
    # The finest unit that does not overflow, or one that makes all weights whole.
    exponent = math.frexp(largest)[1] - _WIDE
    if divisor:
        lowest = 0 if doc_weights is None else _lowest_exponent(doc_weights)
        exponent = max(exponent, lowest)
    if doc_weights is None:
        by_distance = np.ldexp(by_distance, -exponent)
    else:
        np.ldexp(by_token, -exponent, out=by_token)
    return _Weights(by_distance, by_token, max(divisor, 1), exponent)


def _heaviest(token_ids: np.ndarray, weights: np.ndarray, n_words: int) -> float:
    """Return the largest sum of the weights of a word's tokens."""
    totals = np.zeros(n_words)
    # NumPy copies the tokens that it counts to int64.
    for first in range(0, token_ids.size, _PLACED_AT_ONCE):
        here = slice(first, first + _PLACED_AT_ONCE)
        totals += np.bincount(token_ids[here], weights[here], n_words)
    return float(totals.max())


def _lowest_exponent(values: np.ndarray) -> int:
    """Return the largest e so that all values are whole multiples of ``2**e``."""
    mantissas, exponents = np.frexp(values)
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    return (
        int((np.frexp((whole & -whole).astype(np.float64))[1] + exponents).min()) - 54
    )


def without_weightless(corpus: Corpus, doc_weights: np.ndarray) -> Corpus:
    """Return the documents that have a weight and tokens."""
    lengths = np.diff(corpus.doc_offsets)
    used = (doc_weights > 0) & (lengths > 0)
    if used.all():
        return corpus
    kept, offsets = np.repeat(used, lengths), np.cumsum(lengths[used])
    of_tokens = corpus.token_weights
    if of_tokens is not None:
        of_tokens = of_tokens[kept]
    offsets = np.concatenate([[0], offsets])
    return Corpus(corpus.token_ids[kept], offsets, of_tokens, doc_weights[used])


def _chunks(
    corpus: Corpus, n_words: int, team: ThreadTeam, most: int | None = None
) -> list[Any]:
    """Split tokens into chunks, whose places one thread lists.

    Threads that wrote to neighbouring places would slow each other down.
    """
    from skembed._kernels.counting import Chunk

    n_tokens = corpus.token_ids.size
    # Each chunk has a table of all words, so the number of chunks is limited.
    wanted = max(team.size, n_tokens // _PLACED_AT_ONCE)
    n_chunks = max(1, min(wanted, n_tokens // (4 * n_words), most or wanted))
    edges = [i * n_tokens // n_chunks for i in range(n_chunks + 1)]
    documents = np.searchsorted(corpus.doc_offsets, edges, side="right") - 1
    parts = zip(pairwise(edges), documents.tolist(), strict=False)
    return [Chunk(i, *edges, first) for i, (edges, first) in enumerate(parts)]


def _list_places(
    part: _Part, rows: tuple[int, int], window: tuple[int, int], team: ThreadTeam
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each row's places begin in each chunk of tokens, and all places."""
    from skembed._kernels import counting

    token_ids, doc_offsets = part.corpus.token_ids, part.corpus.doc_offsets
    occurrences = part.occurrences[:, rows[0] : rows[1]]
    n_chunks, n_rows = occurrences.shape
    ends = np.cumsum(occurrences)
    places = np.empty(ends[-1], dtype=np.int64)
    starts = np.zeros((n_chunks, n_rows + 1), dtype=np.int64)
    np.subtract(ends.reshape(n_chunks, n_rows), occurrences, out=starts[:, 1:])
    starts[:, 0] = starts[:, 1]

    def list_chunk(_: int, chunk: Any) -> None:
        counting.list_places(
            token_ids, doc_offsets, chunk, window, rows[0], starts, places
        )

    if team.size > 1:
        # Compiled in this thread, because interrupts wait for other threads.
        list_chunk(0, counting.NO_TOKENS)
    team.map(list_chunk, part.chunks)
    return starts, places


def allocate_scratch(n_words: int, window: int = 0) -> Any:
    """Return the work space of a thread for rows of `n_words` columns.

    Totals are wide if the window's width is given.
    """
    from skembed._kernels.counting import Scratch

    n_bit_words = n_words // 64 + 1
    shape, dtype = ((n_words, 2), np.uint64) if window else (n_words, np.int64)
    return Scratch(
        np.zeros(shape, dtype),
        np.empty(n_words + 1, dtype=np.int32),
        np.zeros(n_bit_words, dtype=np.uint64),
        np.zeros(n_bit_words // 64 + 1, dtype=np.uint64),
        np.empty((window, 2), dtype=np.uint64),
    )


def _tasks(
    frequency: np.ndarray, contexts: int, n_words: int
) -> list[tuple[int, int, int]]:
    """Split rows into tasks (first, last, largest possible number of entries)."""
    pairs = frequency * contexts
    entries = np.minimum(pairs, n_words)
    size = np.cumsum(pairs / _TASK_PAIRS + entries / _TASK_ENTRIES)
    # A task ends with the row in which the cumulated size passes a whole number.
    edges = np.searchsorted(size, np.arange(1, size[-1]), side="left") + 1
    edges = np.unique([0, *edges.tolist(), frequency.size])
    capacity = np.add.reduceat(entries, edges[:-1])
    return list(
        zip(edges[:-1].tolist(), edges[1:].tolist(), capacity.tolist(), strict=True)
    )


def _divide(values: np.ndarray, unit: tuple[int, int], out: np.ndarray) -> None:
    """Write values times ``2**exponent / divisor``; `unit` is (divisor, exponent)."""
    divisor, exponent = unit
    np.divide(values, float(divisor), out=out)
    if exponent:
        with np.errstate(over="ignore"):
            np.ldexp(out, exponent, out=out)


def _consume_parts(
    sizes: np.ndarray,
    parts: list[Any],
    unit: tuple[int, int],
    n_words: int,
    team: ThreadTeam,
    dtype: Any = np.float64,
) -> sparse.csr_array:
    """Return the matrix of the rows. The list of parts is emptied.

    Its values are those of the parts times ``2**exponent / divisor``, where `unit` is
    (divisor, exponent).
    """
    edges = np.cumsum([0, *(columns.size for columns, _ in parts)]).tolist()
    # As large as all parts together. The parts are released one after the other.
    check_room_for(edges[-1] / 2, "Co-occurrence counts")
    index = np.int32 if edges[-1] <= INT32_MAX else np.int64
    indptr = np.zeros(sizes.size + 1, dtype=index)
    np.cumsum(sizes, out=indptr[1:])
    columns, values = np.empty(edges[-1], index), np.empty(edges[-1], dtype)

    def place(_: int, number: int) -> None:
        part_columns, part_values = parts[number]
        # The memory of a part is released before the next part is copied.
        parts[number] = None
        first, last = edges[number], edges[number + 1]
        columns[first:last] = part_columns
        if unit == (1, 0):
            values[first:last] = part_values
        else:
            _divide(part_values, unit, values[first:last])

    team.map(place, range(len(parts)))
    counts = sparse.csr_array((values, columns, indptr), shape=(sizes.size, n_words))
    counts.has_canonical_format = True
    return counts
