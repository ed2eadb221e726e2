"""How often words co-occur in what a fit has read, by an estimator's parameters."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from skembed._corpus.cache import keep, key_of
from skembed._corpus.vocabulary import Corpus
from skembed._counts import documents, windows
from skembed._solvers import sampling


def window_weights(estimator: Any, corpus: Corpus) -> np.ndarray:
    """Return the weight of a context by its distance, see `_sampling`."""
    return sampling.window_weights(
        estimator.window, estimator.window_weighting, corpus.longest
    )


def count_pairs(
    estimator: Any,
    corpus: Corpus,
    n_words: int,
    direction: str = "both",
    report: Callable[[float], Any] | None = None,
    may_be_empty: bool = False,
) -> sparse.csr_array:
    """Return how often words and contexts co-occur in what a fit has read.

    Parameters
    ----------
    estimator : BaseEmbedder
        Its `window`, `window_weighting` and `n_jobs` are read.
    corpus : Corpus
        Of text: words co-occur in windows. Of a matrix: words co-occur that share a
        document. Of co-occurrence counts: these.
    n_words : int
    direction : {"both", "left", "right"}, default="both"
        Of text: on which side of a word contexts are counted.
    report : callable, default=None
        Called now and then with the share of the work that is done.
    may_be_empty : bool, default=False
        Whether no pair at all is no error.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical; the caller may change it.

    Raises
    ------
    ValueError
        If nothing co-occurs, or a count is not finite.
    MemoryError
        If there is not enough memory for the counts.
    """
    if may_be_empty and corpus.token_weights is None and corpus.longest < 2:
        return sparse.csr_array((n_words, n_words))
    if corpus.token_weights is None:
        of_text = _count_text(estimator, corpus, n_words, direction, report)
        if corpus.doc_weights is not None:
            check_finite(of_text)
        return of_text
    if direction != "both":
        raise ValueError(
            "Contexts on the left and on the right (directional=True of an embedder, "
            f"direction={direction!r} of cooccurrence) are not told apart by a matrix. "
            "Pass text, or leave that parameter at its default."
        )
    given = corpus.counts is not None
    counts: Any = corpus.counts
    if not given:
        counts = documents.count_shared_documents(corpus, n_words, report)
    if not counts.nnz and not may_be_empty:
        raise ValueError(
            f"X has {n_words} feature(s), of which no two co-occur: there are no pairs "
            "of words to learn from."
        )
    check_finite(counts)
    return counts.copy() if given else counts


def check_finite(counts: sparse.csr_array) -> None:
    """Raise a ValueError if counts, or their sum, are too large for float64."""
    with np.errstate(over="ignore"):
        total = counts.data.sum()
    if not np.isfinite(total):
        raise ValueError(
            "Counts of words that co-occur become infinite: the numbers in X or in "
            "sample_weight are too large. Divide them by their maximum."
        )


def _count_text(
    estimator: Any,
    corpus: Corpus,
    n_words: int,
    direction: str,
    report: Callable[[float], Any] | None,
) -> sparse.csr_array:
    weights = window_weights(estimator, corpus)
    of_what = corpus, n_words, weights, estimator.n_jobs, direction, report
    if corpus.key is None:
        return windows.count_cooccurrences(*of_what)
    key = key_of("counts", corpus.key, n_words, weights, direction)
    parts, _ = keep(estimator.memory, key, lambda: _csr_parts(*of_what))
    kept = sparse.csr_array(parts, shape=(n_words, n_words))
    kept.has_canonical_format = True
    return kept


def _csr_parts(*of_what: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = windows.count_cooccurrences(*of_what)
    return counts.data, counts.indices, counts.indptr
