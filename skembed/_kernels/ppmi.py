"""From co-occurrence counts to positive pointwise mutual information, row by row."""

from skembed._utils.jit import kernel


@kernel
def add_totals(indptr, columns, counts, rows, lane, word_totals, context_totals):
    """Add up the rows rows[0] .. rows[1] - 1, and their columns.

    Parameters
    ----------
    indptr : int64 (n_rows + 1,), IN
    columns : int32 (n_entries,), IN
    counts : float64 (n_entries,), IN
    rows : (int, int)
    lane : int
        The row of `context_totals` that belongs to these rows.
    word_totals : float64 (n_rows,), OUT
        Only of these rows.
    context_totals : float64 (n_lanes, n_columns), INOUT
    """
    for row in range(rows[0], rows[1]):
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
