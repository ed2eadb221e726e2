"""Co-occurrence counting: one word's row at a time, into a dense accumulator.

A row is counted from the list of its word's positions. These lie far apart for most
words, so the tokens around a position are fetched some positions ahead; without that,
counting waits for the memory most of the time. The columns of a row come out in order
from a set of bits, whose non-empty words are found in a second set: neither is the
row sorted nor are all columns looked at.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skembed._kernels._jit import COMPILED, helper, kernel
from skembed._kernels.simd import write_prefetch

# How many positions ahead tokens are fetched.
_AHEAD = 8
# Tokens in a cache line.
_LINE = 16


class Chunk(NamedTuple):
    """Consecutive tokens that one thread looks through."""

    number: int
    first: int
    last: int
    document: int  # that the first token belongs to


class Scratch(NamedTuple):
    """Work space of one thread, all zeros before and after a row."""

    totals: np.ndarray  # int64 (n_words,), weighted counts of the row
    found: np.ndarray  # int32 (n_words + 1,), any values; columns as they are met
    columns: np.ndarray  # uint64 (n_words / 64,), a bit for each column
    blocks: np.ndarray  # uint64 (n_words / 4096,), a bit for each word of `columns`
    weights: np.ndarray  # int64 (window,), any values; of contexts in one document


def allocate_scratch(n_words: int, window: int = 0) -> Scratch:
    """Return work space for rows of `n_words` columns.

    The window's width is needed where documents have weights.
    """
    n_bit_words = n_words // 64 + 1
    return Scratch(
        np.zeros(n_words, dtype=np.int64),
        np.empty(n_words + 1, dtype=np.int32),
        np.zeros(n_bit_words, dtype=np.uint64),
        np.zeros(n_bit_words // 64 + 1, dtype=np.uint64),
        np.empty(window, dtype=np.int64),
    )


@intrinsic
def _prefetch(typing_context, array, index):
    """Ask for the cache line of an element, which need not exist."""
    signature = types.void(array, types.int64)

    def generate(context, builder, signature, arguments):
        view = context.make_array(array)(context, builder, arguments[0])
        pointer = builder.gep(view.data, [arguments[1]])
        pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        write_prefetch(builder, pointer, 0, 2)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _lowest_bit(typing_context, bits):
    """Return the number of the lowest bit that is set; one has to be."""
    signature = types.int64(types.uint64)

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate


def _plain_prefetch(array, index):
    pass


def _plain_lowest_bit(bits):
    bits = int(bits)
    return (bits & -bits).bit_length() - 1


if not COMPILED:
    _prefetch, _lowest_bit = _plain_prefetch, _plain_lowest_bit


@kernel
def list_places(token_ids, doc_offsets, chunk, window, starts, places):
    """Sort the places of a chunk's tokens by word, in order within a word.

    A place is the position of a token and how many contexts it has on either side,
    ``(position << 2 * b) | (left << b) | right``, where b is the number of bits of
    the window's width. Windows end where documents do.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), IN
    doc_offsets : int64 (n_documents + 1,), IN
    chunk : Chunk
    window : (int, int)
        Its width to either side, and b.
    starts : int64 (n_chunks, n_words + 2), INOUT
        The chunk's row is zeros before. Afterwards it tells where in `places` those
        of each word begin, and in the last but one column where the last ones end.
    places : int64 (n_tokens,), OUT
        Written from `chunk.first` to `chunk.last`.
    """
    width, bits = window
    number, first, document = chunk.number, chunk.first, chunk.document
    for position in range(first, chunk.last):
        starts[number, token_ids[position] + 2] += 1
    starts[number, 0] = first
    starts[number, 1] = first
    for word in range(2, starts.shape[1]):
        starts[number, word] += starts[number, word - 1]
    # The beginning of each word's places moves to their end, where the next begin.
    while first < chunk.last:
        begin, end = doc_offsets[document], doc_offsets[document + 1]
        last = min(end, chunk.last)
        for position in range(first, last):
            left = min(position - begin, width)
            right = min(end - 1 - position, width)
            word = token_ids[position]
            place = starts[number, word + 1]
            places[place] = (((position << bits) | left) << bits) | right
            starts[number, word + 1] = place + 1
        first = last
        document += 1


@helper
def fetch_ahead(token_ids, places, i, shift, width):
    """Ask for the tokens around a place that comes later."""
    later = places[min(i + _AHEAD, token_ids.size - 1)] >> shift
    for distance in range(-width, width, _LINE):
        _prefetch(token_ids, later + distance)
    _prefetch(token_ids, later + width)


@helper
def weigh_contexts(token_ids, places, i, given, by_distance):
    """Set the weights of contexts at a place, where documents have weights.

    The loops that add contexts are the same with weights of documents and without.
    """
    if places.size > token_ids.size:
        weight = places[token_ids.size + i]
        for distance in range(by_distance.size):
            by_distance[distance] = given[distance] * weight


@helper
def add_dense_row(token_ids, places, span, weights, scratch):
    """Add the contexts of a word at a span of its places to the row's totals."""
    given, by_distance, bits = weights
    mask = (1 << bits) - 1
    for i in range(span[0], span[1]):
        fetch_ahead(token_ids, places, i, 2 * bits, by_distance.size)
        weigh_contexts(token_ids, places, i, given, by_distance)
        position = places[i] >> (2 * bits)
        for distance in range((places[i] >> bits) & mask):
            column = np.uintp(token_ids[position - 1 - distance])
            scratch.totals[column] += by_distance[distance]
        for distance in range(places[i] & mask):
            column = np.uintp(token_ids[position + 1 + distance])
            scratch.totals[column] += by_distance[distance]


@helper
def write_dense_row(scratch, out, used):
    """Write a row from `used` on and clear its totals, one column after the other."""
    columns, values = out
    for column in range(scratch.totals.size):
        total = scratch.totals[column]
        scratch.totals[column] = 0
        # Written every time and kept if it is not 0: a branch would often go wrong.
        columns[used] = column
        values[used] = total
        used += total != 0
    return used


@helper
def add_context(word, weight, scratch, n_found):
    """Add one context to the row's totals; return how many columns it has now."""
    column = np.uintp(word)
    total = scratch.totals[column]
    # As in a dense row, no branch.
    scratch.found[n_found] = word
    scratch.totals[column] = total + weight
    return n_found + np.uintp(total == 0)


@helper
def add_sparse_row(token_ids, places, span, weights, scratch, n_found):
    """Add the contexts as above; return how many columns the row has now."""
    given, by_distance, bits = weights
    mask = (1 << bits) - 1
    for i in range(span[0], span[1]):
        fetch_ahead(token_ids, places, i, 2 * bits, by_distance.size)
        weigh_contexts(token_ids, places, i, given, by_distance)
        position = places[i] >> (2 * bits)
        for distance in range((places[i] >> bits) & mask):
            word = token_ids[position - 1 - distance]
            n_found = add_context(word, by_distance[distance], scratch, n_found)
        for distance in range(places[i] & mask):
            word = token_ids[position + 1 + distance]
            n_found = add_context(word, by_distance[distance], scratch, n_found)
    return n_found


@helper
def mark_columns(n_found, scratch):
    """Set the bits of the columns that were found."""
    one, low = np.uint64(1), np.uint64(63)
    for i in range(n_found):
        column = np.uint64(scratch.found[i])
        word = column >> np.uint64(6)
        scratch.columns[word] |= one << (column & low)
        scratch.blocks[word >> np.uint64(6)] |= one << (word & low)


@helper
def write_sparse_row(scratch, out, used):
    """Write a row from `used` on, in the order of its bits, and clear the scratch."""
    one, none = np.uint64(1), np.uint64(0)
    columns, values = out
    for block in range(scratch.blocks.size):
        words = scratch.blocks[block]
        scratch.blocks[block] = none
        while words != none:
            word = 64 * block + _lowest_bit(words)
            words &= words - one
            bits = scratch.columns[word]
            scratch.columns[word] = none
            while bits != none:
                column = 64 * word + _lowest_bit(bits)
                bits &= bits - one
                columns[used] = column
                values[used] = scratch.totals[column]
                scratch.totals[column] = 0
                used += 1
    return used


@kernel
def count_rows(token_ids, places, starts, weights, rows, scratch, sizes, out):
    """Count the contexts of the words rows[0] .. rows[1] - 1.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), IN
    places : int64 (n_tokens,) or (2 * n_tokens,), IN
        See `list_places`; behind them, for each, the weight of its document, at least
        1, or nothing if all documents count once.
    starts : int64 (n_chunks, n_words + 2), IN
        Where in `places` those of each word begin, for each chunk of the corpus.
    weights : (int64 (window,), int), IN
        At least 1, by distance; and the number of bits of the window's width.
    rows : (int, int)
    scratch : Scratch, INOUT
    sizes : int64 (n_words,), OUT
        Entries of each of these rows.
    out : (int32 (capacity,), float64 (capacity,)), OUT
        Columns, in increasing order within a row, and weighted counts.

    Returns
    -------
    int
        Number of entries written.
    """
    used = 0
    given, bits = weights
    by_distance = scratch.weights if places.size > token_ids.size else given
    in_use = (given, by_distance, bits)
    for row in range(rows[0], rows[1]):
        before = used
        frequency = 0
        for chunk in range(starts.shape[0]):
            frequency += starts[chunk, row + 1] - starts[chunk, row]
        if 2 * given.size * frequency >= sizes.size:
            for chunk in range(starts.shape[0]):
                span = (starts[chunk, row], starts[chunk, row + 1])
                add_dense_row(token_ids, places, span, in_use, scratch)
            used = write_dense_row(scratch, out, used)
        else:
            n_found = np.uintp(0)
            for chunk in range(starts.shape[0]):
                span = (starts[chunk, row], starts[chunk, row + 1])
                n_found = add_sparse_row(
                    token_ids, places, span, in_use, scratch, n_found
                )
            mark_columns(n_found, scratch)
            used = write_sparse_row(scratch, out, used)
        sizes[row] = used - before
    return used
