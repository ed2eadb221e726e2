"""The objectives of all estimators on documents that nothing was learned from."""

from typing import Any

import numpy as np
from scipy import sparse

from skembed._corpus.vocabulary import Corpus
from skembed._counts import count, ppmi, subsampling
from skembed._solvers import sampling_loss

# Scores that are computed at once.
_SCORES = 1 << 18


def sampling(estimator: Any, corpus: Corpus) -> float:
    """Return the objective of negative sampling: nats per pair, or predicted word.

    Parameters
    ----------
    estimator : SGNSEmbedder or CBOWEmbedder
        Fitted.
    corpus : Corpus
        Of its vocabulary.

    Returns
    -------
    float
        The same for every call: what has to be drawn is drawn from a fixed seed.
    """
    draws = sampling_loss.draws_of(estimator)
    noise = sampling_loss.Noise(draws.noise, estimator.negative)
    random = np.random.RandomState(0)
    total = sampling_loss.held_out(estimator, corpus, noise, random)
    return total.loss / float(total.contexts.sum())


def least_squares(estimator: Any, corpus: Corpus) -> float:
    """Return GloVe's objective: the mean weighted squared error per pair of words.

    Parameters
    ----------
    estimator : GloVeEmbedder
        Fitted.
    corpus : Corpus
        Of its vocabulary.

    Returns
    -------
    float
        Of the pairs that co-occur in the corpus.
    """
    counts = _count(estimator, corpus)
    rows, columns = counts.nonzero()
    scores = _scores(estimator, rows, columns)
    weights = np.minimum(1.0, (counts.data / estimator.x_max) ** estimator.alpha)
    errors = scores - np.log(counts.data)
    return float(weights @ errors**2) / counts.nnz


def closed_form(estimator: Any, corpus: Corpus) -> float:
    """Return the mean squared error of the PPMI matrix, zeros included.

    Parameters
    ----------
    estimator : PPMISVDEmbedder
        Fitted.
    corpus : Corpus
        Of its vocabulary.

    Returns
    -------
    float
        Of all entries of the corpus's matrix, or of both matrices' of directions.
    """
    sides = {"both": estimator.context_vectors_}
    if estimator.directional:
        sides = {
            "left": estimator.left_context_vectors_,
            "right": estimator.right_context_vectors_,
        }
    scaled = (estimator.word_vectors_ * estimator._score_scale).astype(np.float64)
    error = 0.0
    for side, contexts in sides.items():
        counts = _count(estimator, corpus, side)
        matrix = ppmi.ppmi(
            counts, estimator.shift, estimator.context_exponent, estimator.n_jobs
        )
        # |M - S|^2 = |M|^2 - 2 <M, S> + |S|^2, where only M's non-zeros are visited.
        of_scores = (scaled.T @ scaled) * (contexts.T.astype(np.float64) @ contexts)
        data = matrix.data.astype(np.float64)
        scores = _products(scaled, contexts, *matrix.nonzero())
        error += data @ data - 2.0 * (data @ scores) + of_scores.sum()
    return float(error) / (len(sides) * len(scaled) ** 2)


def _count(estimator: Any, corpus: Corpus, direction: str = "both") -> sparse.csr_array:
    counts = None
    if corpus.token_weights is not None or (corpus.n_documents and corpus.longest > 1):
        n_words = len(estimator.word_vectors_)
        counts = count.count_pairs(estimator, corpus, n_words, direction)
    if counts is None or not counts.nnz:
        raise ValueError(
            "X holds no pair of words of the vocabulary in a document, so there is "
            "nothing to score. Words may be unknown; pass longer documents."
        )
    subsampling.weigh(counts, estimator._context_totals, estimator.subsample)
    return counts


def _scores(estimator: Any, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    scores = _products(
        estimator.word_vectors_ * estimator._score_scale,
        estimator.context_vectors_,
        rows,
        columns,
    )
    scores += estimator._score_offset[columns]
    return scores + estimator.word_biases_[rows] + estimator.context_biases_[columns]


def _products(
    words: np.ndarray, contexts: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return the products of some rows of two tables, as float64."""
    products = np.empty(rows.size)
    for first in range(0, rows.size, _SCORES):
        part = slice(first, first + _SCORES)
        np.einsum(
            "ik,ik->i", words[rows[part]], contexts[columns[part]], out=products[part]
        )
    return products
