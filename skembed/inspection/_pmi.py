"""What a PMI matrix says: of its spectrum, and of words that vectors call similar."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from skembed._corpus.vocabulary import Corpus
from skembed._counts import ppmi as _ppmi
from skembed._counts import windows
from skembed._utils.threads import one_blas_thread

# Smaller matrices are decomposed densely.
_DENSE_LIMIT = 1000
# Eigenvalues below this share of the largest are rounding errors.
_NOISE = 1e-10
# Pairs of sparse rows that are compared at once.
_PAIRS = 1024


class Pairs(NamedTuple):
    """What pairs of words have in common, on average."""

    cooccurring: float  # share of pairs with a positive PMI
    same_places: float  # mean cosine of their rows of a PPMI matrix, by `places`


def pmi(counts: sparse.csr_array) -> sparse.csr_array:
    """Return the PMI of words and contexts that were seen together.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Symmetric, positive entries.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        ``ln(N_wc N / (N_w N_c))``, symmetric to the last bit.
    """
    totals = counts @ np.ones(counts.shape[1])
    logs = np.log(np.where(totals > 0, totals, 1.0))
    of_rows = np.repeat(logs, np.diff(counts.indptr))
    values = np.log(counts.data) + np.log(totals.sum())
    values -= of_rows + logs[counts.indices]
    return sparse.csr_array((values, counts.indices, counts.indptr), counts.shape)


def largest_eigenvalues(
    matrix: sparse.csr_array,
    constant: float,
    n_values: int,
    random: np.random.RandomState,
) -> np.ndarray:
    """Return eigenvalues of a sparse symmetric matrix plus a constant everywhere.

    Parameters
    ----------
    matrix : csr_array of shape (n, n), float64
    constant : float
        Added to all entries.
    n_values : int
    random : RandomState
        Of the start.

    Returns
    -------
    ndarray of shape (min(n_values, n),), float64
        The largest by size, in this order; 0 for what is due to rounding.
    """
    n = matrix.shape[0]
    with one_blas_thread():
        if n <= _DENSE_LIMIT or n_values > n // 4:
            values = linalg.eigvalsh(matrix.toarray() + constant)
        else:

            def multiply(x: np.ndarray) -> np.ndarray:
                return matrix @ x + constant * x.sum()

            operator = LinearOperator((n, n), matvec=multiply, dtype=np.float64)
            values = eigsh(
                operator,
                n_values,
                which="LM",
                v0=random.standard_normal(n),
                return_eigenvectors=False,
            )
    size = np.abs(values)
    values = np.where(size <= _NOISE * size.max(), 0.0, values)
    return values[np.argsort(-size, kind="stable")[:n_values]]


def places(corpus: Corpus, n_words: int, n_jobs: int | None) -> sparse.csr_array:
    """Return the PPMI of words with what stands directly before and behind them.

    Wider windows hold the same words wherever a topic is the same, and tell less of
    which words can replace each other.

    Parameters
    ----------
    corpus : Corpus
    n_words : int
    n_jobs : int or None

    Returns
    -------
    csr_array of shape (n_words, 2 * n_words), float32
        First all words as what is before, then as what is behind.
    """
    before = windows.count_cooccurrences(corpus, n_words, np.ones(1), n_jobs, "left")
    counts = sparse.csr_array(sparse.hstack([before, before.T]))
    return _ppmi.ppmi_inplace(counts, 1.0, 1.0, n_jobs)


def compare_neighbors(
    ppmi: sparse.csr_array,
    places: sparse.csr_array,
    words: np.ndarray,
    neighbors: np.ndarray,
) -> tuple[Pairs, Pairs]:
    """Return what neighbours have in common, and what all pairs of the words have.

    Parameters
    ----------
    ppmi : csr_array of shape (n_words, n_words), float32
        Positive entries only.
    places : csr_array of shape (n_words, n_contexts), float32
        Of the contexts that make words alike, likewise.
    words : ndarray of shape (n,), int
        Rows of at least two words.
    neighbors : ndarray of shape (n, n_neighbors), int
        Positions in `words`.

    Returns
    -------
    of_neighbors, of_all : Pairs
        Of pairs of two different words.
    """
    rows = places[words].astype(np.float64)
    squares = rows.power(2) @ np.ones(rows.shape[1])
    lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
    units = sparse.csr_array(sparse.diags_array(1.0 / lengths) @ rows)
    together = ppmi[words][:, words] > 0

    n_words, n_neighbors = neighbors.shape
    first = np.repeat(np.arange(n_words), n_neighbors)
    second = neighbors.ravel()
    n_together, cosines = 0, 0.0
    for begin in range(0, first.size, _PAIRS):
        some = slice(begin, begin + _PAIRS)
        left, right = first[some], second[some]
        cosines += units[left].multiply(units[right]).sum()
        column = sparse.csr_array(
            (np.ones(right.size), right, np.arange(right.size + 1)),
            (right.size, n_words),
        )
        n_together += together[left].multiply(column).sum()
    of_neighbors = Pairs(float(n_together / first.size), float(cosines / first.size))

    n_pairs = n_words * (n_words - 1)
    n_together = together.sum() - together.diagonal().sum()
    total = units.T @ np.ones(n_words)
    cosines = total @ total - np.count_nonzero(squares)
    of_all = Pairs(float(n_together / n_pairs), float(cosines / n_pairs))
    return of_neighbors, of_all
