"""Weighted co-occurrence counts of a corpus as a sparse matrix."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import sparse

from skembed._limits import check_room
from skembed._parallel import ThreadTeam, n_threads
from skembed._vocabulary import Corpus

# A task has at most about this many pairs of a word and a context to look at, and this
# many entries of the matrix to write. Work of one such task starts no thread.
_TASK_PAIRS = 1 << 20
_TASK_ENTRIES = 1 << 19
# Entries for which memory is asked at a time: enough for large pages, and for memory
# that is given back to the system as soon as it is free.
_CHUNK_ENTRIES = 1 << 22
# A token's position and the sizes of its window's sides share 63 bits.
_MOST_PLACES = 1 << 63
# Tokens whose places are sorted in one call, of some 0.1 s.
_PLACED_AT_ONCE = 1 << 21
# Tokens whose weights are looked up at once.
_CHUNK_TOKENS = 1 << 18
# Indices are int32 where the number of entries allows it.
INT32_MAX = int(np.iinfo(np.int32).max)
_ENTRY_BYTES = 12


class _Chunks:
    """Where one thread writes its rows, one part behind the other.

    A part is as large as its rows and stays where it was written; memory that nothing
    was written to costs nothing. A chunk is free when all of its parts are.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._columns = np.empty(0, dtype=np.int32)
        self._values = np.empty(0, dtype=np.float64)

    def room(self, entries: int) -> tuple[np.ndarray, np.ndarray]:
        """Return arrays for the columns and values of at least so many entries."""
        if self._columns.size < entries:
            size = max(entries, self._size)
            check_room_for(size, "Co-occurrence counts")
            self._columns = np.empty(size, dtype=np.int32)
            self._values = np.empty(size, dtype=np.float64)
        return self._columns, self._values

    def cut(self, used: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the part that has been written, and go on behind it."""
        part = self._columns[:used], self._values[:used]
        self._columns, self._values = self._columns[used:], self._values[used:]
        return part


def check_room_for(n_entries: float, what: str) -> None:
    """Refuse to store more entries of a sparse matrix than there is memory for.

    Parameters
    ----------
    n_entries : float
        Indices of 4 and values of 8 bytes.
    what : str
        What they are, for the error.

    Raises
    ------
    MemoryError
        If there is not enough memory.
    """
    advice = "Lower max_features or window, or raise min_count."
    check_room(_ENTRY_BYTES * n_entries, f"{what} of {n_entries:.0f} pairs", advice)


def exact_weights(weights: np.ndarray, most: int) -> tuple[np.ndarray, float]:
    """Return whole numbers and the divisor that makes them `weights`.

    Sums of whole numbers are exact, whatever their order. The divisor is the least
    common multiple of the weights' denominators if the sums then fit into 63 bits: as
    good as always for flat and dynamic weightings, and for harmonic windows up to 22
    while no word occurs more than a billion times. Otherwise the divisor is the
    largest power of two with which they fit, and every weight is rounded to a multiple
    of its inverse: by less than 2**-28 for windows up to a thousand and words as
    frequent, and by less the rarer the most frequent word is.

    Parameters
    ----------
    weights : ndarray of shape (window,), float64
        Between 0 and 1.
    most : int
        The number of contexts at each distance that are added up at most.

    Returns
    -------
    weights : ndarray of shape (window,), int64
        At least 1.
    divisor : float
        A whole number.
    """
    # Half of the range is left for what rounding adds.
    room = math.ldexp(1.0, 62) / (max(most, 1) * max(math.fsum(weights), 1.0))
    limit = min(2**52, int(room))
    divisor = common_denominator(weights, limit) or 1 << limit.bit_length() - 1
    whole = np.maximum(np.rint(weights * divisor), 1.0)
    return whole.astype(np.int64), float(divisor)


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
) -> sparse.csr_array:
    """Count how often words stand in each other's window.

    Windows do not cross documents. A word is paired with itself at another position.
    Sums are exact: whole numbers are added up and divided in the end, see
    `exact_weights`.

    Pairs count as often as the weight of their document says. Whole numbers give the
    counts of repeated documents to the last bit, and multiples of a power of two exact
    ones, too. Other weights are rounded to such multiples with which sums fit into 63
    bits: for words that occur up to a million times by less than 2**-26 of their mean
    weight for windows up to ten, and by less than 2**-17 for windows up to a thousand.

    Parameters
    ----------
    corpus : Corpus
        Its weights of documents are finite and not negative.
    n_words : int
    weights : ndarray of shape (window,), float64
        Weight of a context by its distance, see `_sampling.window_weights`.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The result does not depend on it.
    direction : {"both", "left", "right"}, default="both"
        Where contexts, the columns, are counted: on either side of a word, before it
        only or behind it only.
    report : callable, default=None
        Called now and then with the share of the work that is done.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        With sorted columns. Symmetric to the last bit; of one direction, the transpose
        of that of the other.

    Raises
    ------
    ValueError
        If the corpus has more than ``2**61 / window**2`` tokens.
    MemoryError
        If there is not enough memory for the counts.
    """
    if corpus.doc_weights is not None:
        corpus = without_weightless(corpus, corpus.doc_weights)
        # As if the documents that do not count had not been passed: weights of contexts
        # that are too far away may change how the others are rounded.
        weights = weights[: np.diff(corpus.doc_offsets).max(initial=1)]
    if 4 * weights.size**2 * corpus.token_ids.size > _MOST_PLACES:
        raise ValueError(
            f"Windows of {weights.size} tokens to either side are too wide to count "
            f"a corpus of {corpus.token_ids.size} tokens: lower `window`."
        )
    n_pairs = 2 * weights.size * corpus.token_ids.size
    with ThreadTeam(n_threads(n_jobs, 1 + n_pairs // _TASK_PAIRS)) as team:
        sizes, parts, divisor = _count_parts(
            corpus, n_words, weights, direction, team, report
        )
        return _join(sizes, parts, divisor, team)


def _count_parts(
    corpus: Corpus,
    n_words: int,
    weights: np.ndarray,
    direction: str,
    team: ThreadTeam,
    report: Callable[[float], Any] | None,
) -> tuple[np.ndarray, list[Any], float]:
    """Return the size of each row, the rows in parts and their divisor."""
    from skembed._kernels import counting

    bits = int(weights.size).bit_length()
    starts, places = _list_places(corpus, n_words, (weights.size, bits), team)
    if direction != "both":
        # Places no longer tell of contexts on the other side. Tasks keep room for both:
        # kernels write beyond the last entry of a row.
        other = {"left": 0, "right": bits}[direction]
        places[: corpus.token_ids.size] &= ~(((1 << bits) - 1) << other)
    frequency = np.diff(starts[:, :-1]).sum(axis=0)
    most, shift = int(frequency.max(initial=0)), 0
    if corpus.doc_weights is not None:
        doc_weights, shift, most = _whole_doc_weights(
            corpus, corpus.doc_weights, weights, frequency
        )
        by_token = np.repeat(doc_weights, np.diff(corpus.doc_offsets))
        _weigh_places(places, by_token, 2 * bits, team)
    whole, divisor = exact_weights(weights, 2 * most)
    tasks = _tasks(frequency, 2 * weights.size)
    # Several chunks for each thread, most of which are free before the last is joined.
    in_all = sum(capacity for _, _, capacity in tasks)
    size = min(in_all // (8 * team.size), _CHUNK_ENTRIES)
    sizes = np.empty(n_words, dtype=np.int64)
    threads = range(team.size)
    scratch = [counting.allocate_scratch(n_words, weights.size) for _ in threads]
    chunks = [_Chunks(size) for _ in threads]

    def count(thread: int, task: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        used = counting.count_rows(
            corpus.token_ids,
            places,
            starts,
            (whole, bits),
            task[:2],
            scratch[thread],
            sizes,
            chunks[thread].room(task[2]),
        )
        return chunks[thread].cut(used)

    # Compiled in this thread, since an interrupt has to wait for the others.
    count(0, (0, 0, 0))
    return sizes, team.map(count, tasks, report), math.ldexp(divisor, shift)


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


def _whole_doc_weights(
    corpus: Corpus, doc_weights: np.ndarray, weights: np.ndarray, frequency: np.ndarray
) -> tuple[np.ndarray, int, int]:
    """Return documents' weights as whole numbers, exact ones if sums then fit.

    Returns
    -------
    doc_weights : ndarray of shape (n_documents,), int64
        At least 1, and ``2**shift`` times as large.
    shift : int
    most : int
        Those of the most frequent word's tokens, added up.
    """
    by_token = np.repeat(doc_weights, np.diff(corpus.doc_offsets))
    total = float(np.bincount(corpus.token_ids, by_token).max(initial=0.0)) or 1.0
    highest = int(frequency.max(initial=1))
    # What the frequency leaves of 60 bits is for the precision of documents' weights
    # and for the divisor of those by distance, at most half of it for either.
    room = 60.0 - math.log2(max(math.fsum(weights), 1.0))
    own = (room - math.log2(highest)) / 2
    own = math.log2(common_denominator(weights, 2 ** int(own)) or 2**own)
    shift = math.floor(room - own - math.log2(total))
    scaled = np.ldexp(doc_weights, shift)
    rounded = np.maximum(np.rint(scaled), 1.0)
    whole = rounded.astype(np.int64)
    if not np.array_equal(rounded, scaled):
        return whole, shift, int(math.ldexp(total, shift)) + highest
    # Without the last zeros of all, so that whole numbers are what they were.
    bits = int(np.bitwise_or.reduce(whole))
    zeros = max(0, min((bits & -bits).bit_length() - 1, shift))
    return whole >> zeros, shift - zeros, int(math.ldexp(total, shift - zeros))


def _weigh_places(
    places: np.ndarray, by_token: np.ndarray, shift: int, team: ThreadTeam
) -> None:
    """Write the weight of each place's token behind the places."""
    places, weights = np.split(places, 2)

    def weigh(_: int, first: int) -> None:
        here = slice(first, first + _CHUNK_TOKENS)
        weights[here] = by_token[places[here] >> shift]

    team.map(weigh, range(0, places.size, _CHUNK_TOKENS))


def _list_places(
    corpus: Corpus, n_words: int, window: tuple[int, int], team: ThreadTeam
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each word's places begin in each chunk of tokens, and all places.

    Threads that wrote the places of one word side by side would disturb each other.
    """
    from skembed._kernels import counting

    token_ids, doc_offsets = corpus.token_ids, corpus.doc_offsets
    # Each chunk has a table of all words: not so many that this takes much memory.
    wanted = max(team.size, token_ids.size // _PLACED_AT_ONCE)
    n_chunks = max(1, min(wanted, token_ids.size // (4 * n_words)))
    edges = np.arange(n_chunks + 1) * token_ids.size // n_chunks
    documents = np.searchsorted(doc_offsets, edges, side="right") - 1
    starts = np.zeros((n_chunks, n_words + 2), dtype=np.int64)
    # With room for weights.
    parts = 1 if corpus.doc_weights is None else 2
    places = np.empty(parts * token_ids.size, dtype=np.int64)

    # Compiled in this thread, since an interrupt has to wait for the others.
    nothing = counting.Chunk(0, 0, 0, 0)
    counting.list_places(token_ids, doc_offsets, nothing, window, starts, places)

    def list_chunk(_: int, i: int) -> None:
        chunk = counting.Chunk(i, int(edges[i]), int(edges[i + 1]), int(documents[i]))
        counting.list_places(token_ids, doc_offsets, chunk, window, starts, places)

    team.map(list_chunk, range(n_chunks))
    return starts, places


def _tasks(frequency: np.ndarray, contexts: int) -> list[tuple[int, int, int]]:
    """Cut the rows into tasks (first, last, most entries it can have)."""
    pairs = frequency * contexts
    entries = np.minimum(pairs, frequency.size)
    size = np.cumsum(pairs / _TASK_PAIRS + entries / _TASK_ENTRIES)
    # A task ends with the row in which its size passes a whole number.
    edges = np.searchsorted(size, np.arange(1, size[-1]), side="left") + 1
    edges = np.unique([0, *edges.tolist(), frequency.size])
    capacity = np.add.reduceat(entries, edges[:-1])
    return list(
        zip(edges[:-1].tolist(), edges[1:].tolist(), capacity.tolist(), strict=True)
    )


def _join(
    sizes: np.ndarray, parts: list[Any], divisor: float, team: ThreadTeam
) -> sparse.csr_array:
    """Return the matrix of all rows; the list of parts is emptied on the way."""
    ends = np.cumsum([columns.size for columns, _ in parts]).tolist()
    # As much again as the parts have, of which one after the other is given up.
    check_room_for(ends[-1] / 2, "Co-occurrence counts")
    index = np.int32 if ends[-1] <= INT32_MAX else np.int64
    indptr = np.zeros(sizes.size + 1, dtype=index)
    np.cumsum(sizes, out=indptr[1:])
    columns, values = np.empty(ends[-1], index), np.empty(ends[-1], np.float64)

    def place(_: int, number: int) -> None:
        part_columns, part_values = parts[number]
        # The memory of one part is free before the next needs some.
        parts[number] = None
        last = ends[number]
        first = last - part_columns.size
        columns[first:last] = part_columns
        np.divide(part_values, divisor, out=values[first:last])

    team.map(place, range(len(parts)))
    counts = sparse.csr_array((values, columns, indptr), shape=(sizes.size, sizes.size))
    counts.has_canonical_format = True
    return counts
