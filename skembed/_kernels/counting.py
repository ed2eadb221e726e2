"""Co-occurrence counting: one word's row at a time, into a dense accumulator."""

import numpy as np

from skembed._kernels._jit import helper, kernel


@kernel
def list_positions(token_ids, starts, positions):
    """Sort the positions of all tokens by word, in order within a word.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), IN
    starts : int64 (n_words + 1,), IN
        Where each word's positions begin.
    positions : int64 (n_tokens,), OUT
    """
    cursor = starts.copy()
    for position in range(token_ids.size):
        word = token_ids[position]
        positions[cursor[word]] = position
        cursor[word] += 1


@kernel
def mark_starts(token_ids, doc_offsets, marked):
    """Copy the tokens, the first of each document as ``~id``.

    Parameters
    ----------
    token_ids : int32 (n_tokens,), IN
    doc_offsets : int64 (n_documents + 1,), IN
    marked : int32 (n_tokens,), OUT
    """
    for position in range(token_ids.size):
        marked[position] = token_ids[position]
    for document in range(doc_offsets.size - 1):
        first = doc_offsets[document]
        if first < doc_offsets[document + 1]:
            marked[first] = ~token_ids[first]


@helper
def add_contexts(tokens, position, weights, totals, found, n_found):
    """Add the contexts of one position to a row's totals; return how many words."""
    left = position
    for distance in range(1, weights.size + 1):
        if tokens[left] < 0:
            break
        left -= 1
        word = tokens[left] if tokens[left] >= 0 else ~tokens[left]
        if totals[word] == 0.0:
            found[n_found] = word
            n_found += 1
        totals[word] += weights[distance - 1]
    right = position
    for distance in range(1, weights.size + 1):
        right += 1
        if right == tokens.size or tokens[right] < 0:
            break
        word = tokens[right]
        if totals[word] == 0.0:
            found[n_found] = word
            n_found += 1
        totals[word] += weights[distance - 1]
    return n_found


@kernel
def count_rows(tokens, positions, starts, weights, rows, totals, found, out):
    """Count the contexts of the words rows[0] .. rows[1] - 1.

    Parameters
    ----------
    tokens : int32 (n_tokens,), IN
        ``~id`` where a document starts.
    positions, starts : int64, IN
        See `list_positions`.
    weights : float64 (window,), IN
        By distance. They should be whole numbers, so that sums are exact.
    rows : (int, int)
    totals : float64 (n_words,), INOUT
        Zeros before and after.
    found : int32 (n_words,), scratch
    out : (int64 (rows,), int32 (capacity,), float64 (capacity,)), OUT
        Entries of each row; columns in increasing order; weighted counts.

    Returns
    -------
    int
        Number of entries written.
    """
    sizes, columns, values = out
    used = 0
    for row in range(rows[0], rows[1]):
        n_found = 0
        for i in range(starts[row], starts[row + 1]):
            n_found = add_contexts(
                tokens, positions[i], weights, totals, found, n_found
            )
        ordered = np.sort(found[:n_found])
        for i in range(n_found):
            columns[used] = ordered[i]
            values[used] = totals[ordered[i]]
            totals[ordered[i]] = 0.0
            used += 1
        sizes[row - rows[0]] = n_found
    return used
