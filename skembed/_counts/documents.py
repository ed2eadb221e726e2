"""Counts of words that share documents of a matrix: its product with itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from skembed._corpus.vocabulary import Corpus
from skembed._counts.windows import INT32_MAX, check_room_for, without_weightless
from skembed._utils.threads import row_ranges

# Products that are added up between two checks for signals, in about 0.1 s.
_PRODUCTS = 1 << 23
# Smaller products have fewer digits than others.
_SMALLEST = np.finfo(np.float64).tiny
_WHAT = "Counts of words that share documents"


def count_shared_documents(
    corpus: Corpus, n_words: int, report: Callable[[float], Any] | None = None
) -> sparse.csr_array:
    """Count how often words share a document of a documents x words matrix X.

    The result is X' W X without its diagonal, with the weights W of the documents. In
    each document, a pair of words counts as the product of their entries. Entries of
    the same word in one document are added up first.

    Parameters
    ----------
    corpus : Corpus
        The rows of X, with weights of tokens. Weights of tokens and of documents are
        not negative.
    n_words : int
    report : callable, default=None
        Called now and then with the share of the work that is done.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        With sorted columns, without zeros, and symmetric bit for bit. Counts are exact
        if all entries and weights are whole numbers and no sum exceeds 2**53. Otherwise
        they are rounded to the 24 significant bits of float32. Sums that are too large
        for float64 are infinite.

    Raises
    ------
    ValueError
        If products are too small for float64.
    MemoryError
        If there is not enough memory for the counts.
    """
    counts, whole = count_products(corpus, n_words, report)
    return counts if whole else rounded_inplace(counts)


def count_products(
    corpus: Corpus, n_words: int, report: Callable[[float], Any] | None = None
) -> tuple[sparse.csr_array, bool]:
    """Count shared documents without rounding, so that counts of parts add up.

    Parameters
    ----------
    corpus, n_words, report
        As in `count_shared_documents`.

    Returns
    -------
    counts : csr_array of shape (n_words, n_words), float64
        As there. Fractions are not rounded yet, see `rounded_inplace`.
    whole : bool
        Whether all products are whole numbers.
    """
    if corpus.doc_weights is not None:
        corpus = without_weightless(corpus, corpus.doc_weights)
    index = np.int32 if corpus.token_ids.size <= INT32_MAX else np.int64
    offsets = corpus.doc_offsets.astype(index)
    parts = corpus.token_weights, corpus.token_ids, offsets
    X = sparse.csr_array(parts, (corpus.n_documents, n_words))
    if not (X.has_canonical_format and X.data.all()):
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    by_entry = np.repeat(corpus.weights, np.diff(X.indptr))
    with np.errstate(over="ignore"):
        # No entry of the product is larger than the largest of its diagonal.
        largest = np.bincount(X.indices, X.data**2 * by_entry).max(initial=0.0)
        whole = largest < 2.0**53 and not ((X.data % 1).any() or (by_entry % 1).any())
        if whole:
            weighted = X.data * by_entry
        else:
            # On one side only, the product of a pair would depend on its order.
            X.data = weighted = X.data * np.sqrt(by_entry)
            _check_products(weighted)
    right = sparse.csr_array((weighted, X.indices, X.indptr), X.shape)
    # Both entries of a pair add up the same products, in the order of documents.
    left = X.T.tocsr()
    ranges = _row_ranges(left, np.diff(X.indptr))
    blocks = []
    for first, last, n_products in ranges:
        most = min(n_products, (last - first) * n_words)
        check_room_for(most, _WHAT)
        blocks.append(_block(left[first:last] @ right, first))
        if report is not None:
            report(last / n_words)
    return consume_blocks(blocks, n_words, _WHAT), whole


def rounded_inplace(counts: sparse.csr_array) -> sparse.csr_array:
    """Round counts in place to the 24 significant bits of float32; drop zeros.

    Documents with a weight and repeated documents are added up in different steps, so
    their last bits differ. After rounding, the counts are the same.
    """
    bits = counts.data.view(np.int64)
    bits += 1 << 28
    bits &= -(1 << 29)
    counts.eliminate_zeros()
    return counts


def _check_products(weighted: np.ndarray) -> None:
    """Raise an error if products are so small that they lose digits."""
    least = float(weighted.min(initial=1.0))
    if least**2 < _SMALLEST:
        raise ValueError(
            f"X holds a number which, times the square root of its sample_weight, is "
            f"{least}: too small to be multiplied by others. Divide X or sample_weight "
            "by its mean, or replace such numbers by 0."
        )


def _row_ranges(left: sparse.csr_array, lengths: np.ndarray) -> list[Any]:
    """Split the rows of a product into ranges (first, last, number of products)."""
    of_entries = np.concatenate([[0], np.cumsum(lengths[left.indices], dtype=np.int64)])
    before = of_entries[left.indptr]
    ranges = row_ranges(before, _PRODUCTS)
    return [(a, b, int(before[b] - before[a])) for a, b in ranges]


def _block(counts: sparse.csr_array, first: int) -> sparse.csr_array:
    """Sort some rows, from `first` on, and drop their diagonal."""
    counts.sort_indices()
    rows = np.arange(first, first + counts.shape[0], dtype=counts.indices.dtype)
    counts.data[counts.indices == np.repeat(rows, np.diff(counts.indptr))] = 0.0
    counts.eliminate_zeros()
    return counts


def consume_blocks(
    blocks: list[Any],
    n_words: int,
    what: str | None,
    scales: list[float] | None = None,
) -> sparse.csr_array:
    """Return the matrix of all rows. The list of blocks is emptied.

    Parameters
    ----------
    blocks : list of csr_array
        Some rows each, in order.
    n_words : int
    what : str or None
        Its name in the error if there is not enough memory. None checks nothing.
    scales : list of float, default=None
        What the entries of each block are divided by.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical.
    """
    sizes = np.concatenate([np.diff(block.indptr) for block in blocks])
    total = int(sizes.sum())
    if what is not None:
        check_room_for(total / 2, what)
    index = np.int32 if total <= INT32_MAX else np.int64
    columns, values = np.empty(total, index), np.empty(total)
    at = 0
    for number, block in enumerate(blocks):
        here = slice(at, at + block.nnz)
        columns[here] = block.indices
        if scales is None:
            values[here] = block.data
        else:
            np.divide(block.data, scales[number], out=values[here])
        at += block.nnz
        # The memory of a block is released before the next block is copied.
        blocks[number] = None
    indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(index)
    counts = sparse.csr_array((values, columns, indptr), shape=(n_words, n_words))
    counts.has_canonical_format = True
    return counts
