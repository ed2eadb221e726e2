"""Co-occurrence counts and their PMI: one word's row at a time.

A row is counted into a dense accumulator from the list of its word's positions. These
lie far apart for most words, so the tokens around a position are fetched some positions
ahead; without that, counting waits for the memory most of the time. The columns of a
row come out in order from a set of bits, whose non-empty words are found in a second
set: neither is the row sorted nor are all columns looked at.

Totals are whole numbers, whose sums are exact in any order. Those of weights with a
small common denominator have 63 bits. Those of other weights have 128: a high and a low
half, both unsigned. The same helpers add up both kinds.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from skembed._kernels.simd import write_prefetch
from skembed._utils.jit import COMPILED, helper, kernel

# How many positions ahead tokens are fetched.
_AHEAD = 8
# Tokens in a cache line.
_LINE = 16
# Tokens that share an integer of one bit for each.
_BITS = 64
# What the high part of a wide weight counts before it has 64 bits, and its inverse.
_WHOLE, _INVERSE = 2.0**63, 2.0**-63


class Chunk(NamedTuple):
    """Consecutive tokens that one thread looks through."""

    number: int
    first: int
    last: int
    document: int  # that the first token belongs to


NO_TOKENS = Chunk(0, 0, 0, 0)


class Scratch(NamedTuple):
    """Work space of one thread, all zeros before and after a row."""

    # int64 (n_words,) or, wide, uint64 (n_words, 2), weighted counts of the row
    totals: np.ndarray
    found: np.ndarray  # int32 (n_words + 1,), any values; columns as they are met
    columns: np.ndarray  # uint64 (n_words / 64,), a bit for each column
    blocks: np.ndarray  # uint64 (n_words / 4096,), a bit for each word of `columns`
    # uint64 (window, 2) or (0, 2), any values; of contexts at one place, wide
    weights: np.ndarray


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
def count_words(token_ids, chunk, occurrences):
    """Count how often each word occurs in a chunk.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), IN
    chunk : Chunk
    occurrences : int64 (n_chunks, n_words), INOUT
        The chunk's row is zeros before.
    """
    for position in range(chunk.first, chunk.last):
        occurrences[chunk.number, token_ids[position]] += 1


@helper
def find_rows(token_ids, first, last, first_row, n_rows):
    """Return a bit for each of at most 64 tokens that is a word of these rows."""
    found = np.uint64(0)
    # Without a branch for each token.
    for i in range(last - first):
        row = token_ids[first + i] - first_row
        is_found = np.uint64((0 <= row) & (row < n_rows))
        found |= is_found << np.uint64(i)
    return found


@kernel
def list_places(token_ids, doc_offsets, chunk, window, first_row, starts, places):
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
    first_row : int
        The places of the words from this one on are listed, one for each row.
    starts : int64 (n_chunks, n_rows + 1), INOUT
        From its second column on, the chunk's row tells where in `places` those of
        each word begin, and afterwards where they end. The next word's begin there.
    places : int64 (n_places,), OUT
        Only the chunk's part is written.
    """
    width, bits = window
    number, first, document = chunk.number, chunk.first, chunk.document
    n_rows = starts.shape[1] - 1
    one, none = np.uint64(1), np.uint64(0)
    while first < chunk.last:
        begin, end = doc_offsets[document], doc_offsets[document + 1]
        last = min(end, chunk.last)
        for block in range(first, last, _BITS):
            found = find_rows(
                token_ids, block, min(block + _BITS, last), first_row, n_rows
            )
            while found != none:
                position = block + _lowest_bit(found)
                found &= found - one
                left = min(position - begin, width)
                right = min(end - 1 - position, width)
                row = token_ids[position] - first_row
                place = starts[number, row + 1]
                places[place] = (((position << bits) | left) << bits) | right
                starts[number, row + 1] = place + 1
        first = last
        document += 1


@helper
def fetch_ahead(token_ids, places, i, shift, width):
    """Ask for the tokens around a place that comes later; return its position."""
    later = places[min(i + _AHEAD, places.size - 1)] >> shift
    for distance in range(-width, width, _LINE):
        _prefetch(token_ids, later + distance)
    _prefetch(token_ids, later + width)
    return later


@helper
def weigh_contexts(by_distance, weights, position, later):
    """Set the weights of contexts at a position, if documents have weights."""
    # The compiler knows the number of dimensions, and leaves out what is not for it.
    if by_distance.ndim == 2:
        given, by_token = weights
        if by_token.size:
            _prefetch(by_token, later)
            write_wide_weights(given, by_token[position], by_distance)


@helper
def write_wide_weights(given, factor, out):
    """Write products of weights and a factor, cut to whole numbers of 128 bits."""
    one, rest = np.uint64(1), np.uint64(63)
    for distance in range(given.size):
        product = given[distance] * factor
        # Two times 63 bits, since floats are slow to become unsigned numbers.
        high = np.int64(product * _INVERSE)
        low = np.int64(product - np.float64(high) * _WHOLE)
        out[distance, 0] = np.uint64(high) >> one
        out[distance, 1] = np.uint64(low) | (np.uint64(high) << rest)


@helper
def add_weight(totals, column, weights, distance):
    """Add the weight of one context to a total; return whether it was 0."""
    if totals.ndim == 1:
        total = totals[column]
        totals[column] = total + weights[distance]
        return total == 0
    high, low = totals[column, 0], totals[column, 1]
    total = low + weights[distance, 1]
    totals[column, 0] = high + weights[distance, 0] + np.uint64(total < low)
    totals[column, 1] = total
    return (high | low) == np.uint64(0)


@helper
def take_total(totals, column):
    """Return a total, rounded to float64 if it is wide, and leave 0."""
    if totals.ndim == 1:
        total = totals[column]
        totals[column] = 0
        return total
    high, low = np.float64(totals[column, 0]), np.float64(totals[column, 1])
    totals[column, 0] = np.uint64(0)
    totals[column, 1] = np.uint64(0)
    return high * (2.0 * _WHOLE) + low


@helper
def add_contexts(token_ids, places, span, weights, scratch, dense, n_found):
    """Add the contexts of a word at a span of its places to the row's totals.

    Returns how many columns the row has now, unless it is dense.
    """
    by_distance, given, bits = weights
    mask = (1 << bits) - 1
    for i in range(span[0], span[1]):
        later = fetch_ahead(token_ids, places, i, 2 * bits, len(by_distance))
        position = places[i] >> (2 * bits)
        weigh_contexts(by_distance, given, position, later)
        # One loop for both sides, because the compiler copies what is called twice.
        for side in range(-1, 2, 2):
            n_contexts = (places[i] >> (bits if side < 0 else 0)) & mask
            for distance in range(n_contexts):
                word = np.uintp(token_ids[position + side * (distance + 1)])
                is_new = add_weight(scratch.totals, word, by_distance, distance)
                if not dense:
                    # Written every time and kept if it is new: a branch would often
                    # go wrong. That of `dense` is taken out of the loop.
                    scratch.found[n_found] = word
                    n_found += np.uintp(is_new)
    return n_found


@helper
def write_dense_row(n_columns, scratch, out, used):
    """Write a row from `used` on and clear its totals, one column after the other."""
    columns, values = out
    for column in range(n_columns):
        total = take_total(scratch.totals, column)
        # As above, no branch.
        columns[used] = column
        values[used] = total
        used += total != 0
    return used


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
                values[used] = take_total(scratch.totals, column)
                used += 1
    return used


@helper
def count(token_ids, places, starts, weights, rows, scratch, sizes, out):
    """Count the contexts of some words, as `count_rows` says."""
    used = 0
    width, n_words = len(weights[0]), len(scratch.totals)
    for row in range(rows[0], rows[1]):
        before = used
        frequency = 0
        for chunk in range(starts.shape[0]):
            frequency += starts[chunk, row + 1] - starts[chunk, row]
        dense = 2 * width * frequency >= n_words
        n_found = np.uintp(0)
        for chunk in range(starts.shape[0]):
            span = (starts[chunk, row], starts[chunk, row + 1])
            n_found = add_contexts(
                token_ids, places, span, weights, scratch, dense, n_found
            )
        if dense:
            used = write_dense_row(n_words, scratch, out, used)
        else:
            mark_columns(n_found, scratch)
            used = write_sparse_row(scratch, out, used)
        sizes[row] = used - before
    return used


@kernel
def count_rows(token_ids, places, starts, weights, rows, scratch, sizes, out):
    """Count the contexts of the words of the rows rows[0] .. rows[1] - 1.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), IN
    places : int64 (n_places,), IN
        See `list_places`.
    starts : int64 (n_chunks, n_rows + 1), IN
        Where in `places` those of each row's word begin, for each chunk of the corpus,
        and where the last ones end.
    weights : (int64 (window,), int), IN
        At least 1, by distance; and the number of bits of the window's width.
    rows : (int, int)
    scratch : Scratch, INOUT
        Of all columns.
    sizes : int64 (n_rows,), OUT
        Entries of each of these rows.
    out : (int32 (capacity,), float64 (capacity,)), OUT
        Columns, in increasing order within a row, and weighted counts.

    Returns
    -------
    int
        Number of entries written.
    """
    in_use = weights[0], (), weights[1]
    return count(token_ids, places, starts, in_use, rows, scratch, sizes, out)


@kernel
def count_wide_rows(token_ids, places, starts, weights, rows, scratch, sizes, out):
    """Count the contexts of some words with totals of 128 bits.

    Parameters
    ----------
    token_ids, places, starts, rows, scratch, sizes, out
        As in `count_rows`; the scratch is wide.
    weights : (float64 (window,), float64 (n_tokens,) or (0,), int), IN
        By distance; of each token's document, or nothing if all documents count
        once; and the number of bits of the window's width. Products of the first
        two are at least 1. They are cut to whole numbers. Their sums are to be less
        than ``2**126``.

    Returns
    -------
    int
        Number of entries written.
    """
    given, by_token, bits = weights
    if not by_token.size:
        write_wide_weights(given, 1.0, scratch.weights)
    in_use = scratch.weights, (given, by_token), bits
    return count(token_ids, places, starts, in_use, rows, scratch, sizes, out)


@kernel
def add_totals(indptr, columns, counts, edges, lanes, totals):
    """Add up the rows of the lanes lanes[0] .. lanes[1] - 1, and their columns.

    Parameters
    ----------
    indptr : int64 (n_rows + 1,), IN
    columns : int32 (n_entries,), IN
    counts : float64 (n_entries,), IN
    edges : int64 (n_lanes + 1,), IN
        The rows of lane i are edges[i] .. edges[i + 1] - 1.
    lanes : (int, int)
    totals : (float64 (n_rows,), float64 (n_lanes, n_columns)), (OUT, INOUT)
        Of these rows, and of the columns in each of these lanes.
    """
    word_totals, context_totals = totals
    for lane in range(lanes[0], lanes[1]):
        for row in range(edges[lane], edges[lane + 1]):
            total = 0.0
            for entry in range(indptr[row], indptr[row + 1]):
                total += counts[entry]
                context_totals[lane, columns[entry]] += counts[entry]
            word_totals[row] = total


@kernel
def keep_positive(indptr, columns, log_counts, marginals, rows, sizes, values):
    """Keep the entries of positive PMI in the rows rows[0] .. rows[1] - 1.

    What is kept of these rows moves together at the beginning of their place.

    Parameters
    ----------
    indptr : int64 (n_rows + 1,), IN
    columns : int32 (n_entries,), INOUT
    log_counts : float64 (entries of these rows or more,), IN
        Logarithms of their counts.
    marginals : (float64 (n_rows,), float64 (n_columns,)), IN
        What is subtracted for the word and for the context.
    rows : (int, int)
    sizes : int64 (n_rows,), OUT
        Entries of each of these rows that are kept.
    values : float32 (n_entries or more,), OUT
        Those of these rows begin at ``2 * indptr[rows[0]]``: where their counts do,
        if this is the memory of the float64 counts.

    Returns
    -------
    int
        How many entries are kept.
    """
    of_word, of_context = marginals
    first = indptr[rows[0]]
    used = 0
    for row in range(rows[0], rows[1]):
        before = used
        for entry in range(indptr[row], indptr[row + 1]):
            column = columns[entry]
            pmi = log_counts[entry - first] - of_word[row] - of_context[column]
            # Written every time and kept if it is positive: a branch would often go
            # wrong. Nothing is written beyond what has been read.
            columns[first + used] = column
            values[2 * first + used] = pmi
            used += pmi > 0.0
        sizes[row] = used - before
    return used
