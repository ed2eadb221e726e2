"""The objectives of all estimators on held-out documents.

Training with negative sampling draws window sizes and noise words. Here, skip-gram's
objective is computed as an expectation: pairs count with the weights of their
distances, and noise words with their probabilities. CBOW's objective is not a sum over
pairs, so windows are drawn. Noise words are drawn if the products with all of them
would take too long.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse, special

from skembed._corpus.vocabulary import Corpus
from skembed._counts import count, ppmi
from skembed._solvers.sampling import Draws, word_draws

# Scores that are computed at once.
_SCORES = 1 << 20
# Total number of scores for CBOW, which takes some seconds. It may be larger, so that
# each prediction has enough noise words.
_MOST_SCORES = 1 << 29
_LEAST_NOISE = 64
# Tokens that are drawn at once.
_TOKENS = 1 << 20
# Products of rows that are computed at once.
_PRODUCTS_AT_ONCE = 1 << 18


class Tables(NamedTuple):
    """Vectors with two more columns for the biases.

    A word's row ends with its bias and 1. A context's row ends with 1 and the sum of
    its bias and offset. The product of two rows is therefore the whole score.
    """

    words: np.ndarray  # float32 (n_words, n_components + 2)
    contexts: np.ndarray  # same shape, of contexts in pairs
    noises: np.ndarray  # of noise words; the same object if they share the table


class Noise(NamedTuple):
    """Noise words of a positive pair."""

    probabilities: np.ndarray  # float64 (n_words,)
    number: int


class Total(NamedTuple):
    """The summed objective of all pairs or predicted words, and their weights."""

    loss: float
    contexts: np.ndarray  # float64 (n_words,), weight of each as the predicted word


class CrossEntropy(NamedTuple):
    """The cross-entropy of documents in nats per pair, and that of two baselines.

    Parameters
    ----------
    model : float
        Mean of ``-ln P(c | w)`` over the pairs of a word w and a context c.
    unigram : float
        The same mean if ``P(c | w)`` is the share of c among the contexts of the
        training data, whatever the word.
    uniform : float
        ``ln(n_words)``, for contexts that are equally likely.
    n_pairs : float
        Number of pairs, with their expected weights.
    """

    model: float
    unigram: float
    uniform: float
    n_pairs: float


def softplus(x: Any) -> Any:
    """Return ``ln(1 + exp(x))``, the loss of a noise word of score x, as float64."""
    return np.logaddexp(0.0, x, dtype=np.float64)


def constant_loss(scores: np.ndarray, contexts: np.ndarray, noise: Noise) -> float:
    """Return the mean objective of scores that depend on the context alone.

    Parameters
    ----------
    scores : ndarray of shape (n_words,)
    contexts : ndarray of shape (n_words,), float64
        Weight of each context among the pairs.
    noise : Noise

    Returns
    -------
    float
        Nats per pair.
    """
    drawn = noise.probabilities * softplus(scores)
    of_pairs = softplus(-scores) + noise.number * (drawn.sum() - drawn)
    return float(contexts @ of_pairs / contexts.sum())


def subsample(
    corpus: Corpus, keep: np.ndarray, random: np.random.RandomState
) -> Corpus:
    """Drop tokens at random, as every epoch of training does.

    Parameters
    ----------
    corpus : Corpus
    keep : ndarray of shape (n_words,), float64
        Probability that an occurrence of a word is kept.
    random : RandomState

    Returns
    -------
    Corpus
    """
    token_ids, doc_offsets = corpus.token_ids, corpus.doc_offsets
    kept = np.empty(token_ids.size, dtype=bool)
    for first in range(0, kept.size, _TOKENS):
        chunk = token_ids[first : first + _TOKENS]
        kept[first : first + _TOKENS] = random.random_sample(chunk.size) < keep[chunk]
    before = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])
    return Corpus(token_ids[kept], before[doc_offsets])


def draws_of(estimator: Any) -> Draws:
    """Return the probabilities that a fitted estimator was trained with."""
    return word_draws(
        estimator._context_totals, estimator.subsample, estimator.noise_exponent
    )


def held_out(
    estimator: Any, corpus: Corpus, noise: Noise, random: np.random.RandomState
) -> Total:
    """Return the objective of a model on documents.

    Parameters
    ----------
    estimator : SGNSEmbedder or CBOWEmbedder
        Fitted.
    corpus : Corpus
        In rows of its vocabulary.
    noise : Noise
    random : RandomState
        For the subsampling and, with CBOW, for the windows.

    Returns
    -------
    Total

    Raises
    ------
    ValueError
        If no pair of words is left.
    """
    keep = draws_of(estimator).keep
    if corpus.token_weights is not None:
        # For a matrix, CBOW predicts from one word, too.
        return _skip_gram(estimator, corpus, noise, keep)
    corpus = subsample(corpus, keep, random)
    if not corpus.n_documents or corpus.longest < 2:
        raise ValueError(
            "X holds no pair of words of the vocabulary in a document. Words may be "
            "unknown, or dropped by the model's subsample."
        )
    if estimator._aggregation is not None:
        return _bag_of_words(estimator, corpus, noise, random)
    return _skip_gram(estimator, corpus, noise, np.ones(keep.size))


def _skip_gram(estimator: Any, corpus: Corpus, noise: Noise, keep: np.ndarray) -> Total:
    """Return the expected objective of skip-gram over the kept pairs."""
    loss, contexts = 0.0, np.zeros(noise.probabilities.size)
    for direction, side in sides(estimator).items():
        n_words = len(estimator.word_vectors_)
        counts = count.count_pairs(estimator, corpus, n_words, direction)
        tables = _tables(estimator, side)
        rows = np.repeat(np.arange(keep.size), np.diff(counts.indptr))
        counts.data *= keep[rows] * keep[counts.indices]
        loss += _pairs_loss(tables, counts, noise)
        contexts += counts.T @ np.ones(counts.shape[0])
    return Total(loss, contexts)


def _bag_of_words(
    estimator: Any, corpus: Corpus, noise: Noise, random: np.random.RandomState
) -> Total:
    """Return the objective of CBOW, with windows drawn as in training."""
    tables = _tables(estimator)
    n_tokens, n_words = corpus.token_ids.size, noise.probabilities.size
    weights = count.window_weights(
        estimator.window, estimator.window_weighting, corpus.longest
    )
    n_noise = min(n_words, max(_LEAST_NOISE, _MOST_SCORES // n_tokens))
    size = max(1, _SCORES // max(n_noise, tables.words.shape[1]))
    # A context that follows a word is predicted from the word to its left.
    sides = estimator.direction != "left", estimator.direction != "right"
    loss, contexts = 0.0, np.zeros(n_words)
    for first in range(0, n_tokens, size):
        places = np.arange(first, min(first + size, n_tokens))
        draws = random.random_sample(places.size)
        halves = _half_widths(weights, draws)
        bounds = _windows(corpus.doc_offsets, places, halves, sides)
        some = bounds[1] - bounds[0] > 1
        places, bounds = places[some], bounds[:, some]
        if not places.size:
            continue
        hidden = _hidden(tables.words, corpus.token_ids, places, bounds)
        if estimator._aggregation == "mean":
            hidden /= np.diff(bounds, axis=0).T - 1
        # Restore the column of ones, which the aggregation has changed.
        hidden[:, -1] = 1.0
        predicted = corpus.token_ids[places]
        drawn = _noise_words(noise.probabilities, n_noise, random)
        loss += _predictions_loss(tables, hidden, predicted, noise, drawn)
        contexts += np.bincount(predicted, minlength=n_words)
    return Total(loss, contexts)


def _tables(estimator: Any, side: str = "") -> Tables:
    context_vectors = getattr(estimator, f"{side}context_vectors_")
    zeros = np.zeros(len(context_vectors), dtype=np.float32)
    word_biases = getattr(estimator, "word_biases_", zeros)
    context_biases = getattr(estimator, f"{side}context_biases_", zeros)
    offset = estimator._score_offset + context_biases
    scaled = estimator.word_vectors_ * estimator._score_scale
    contexts = noises = _append(context_vectors, 1.0, offset)
    if hasattr(estimator, "noise_vectors_"):
        own = getattr(estimator, "noise_biases_", zeros)
        offset = estimator._score_offset + own
        noises = _append(estimator.noise_vectors_, 1.0, offset)
    return Tables(_append(scaled, word_biases, 1.0), contexts, noises)


def _append(vectors: np.ndarray, *columns: Any) -> np.ndarray:
    """Return float32 vectors with two more columns."""
    n_words, n_components = vectors.shape
    table = np.empty((n_words, n_components + 2), dtype=np.float32)
    table[:, :-2] = vectors
    table[:, -2], table[:, -1] = columns
    return table


def sides(estimator: Any) -> dict[str, str]:
    """Return where a fitted estimator has contexts, and how their attributes begin.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.

    Returns
    -------
    dict
        From the direction to "" or, with separate tables for two directions, to
        "left_" and "right_".
    """
    if hasattr(estimator, "left_context_vectors_"):
        return {"left": "left_", "right": "right_"}
    return {estimator.direction: ""}


def _pairs_loss(tables: Tables, counts: sparse.csr_array, noise: Noise) -> float:
    """Return the summed objective of weighted pairs of a word and a context.

    The expectation over noise words is exact. Noise words differ from the pair's
    context.
    """
    n_words = counts.shape[1]
    shares = noise.probabilities.astype(np.float32)
    used = np.flatnonzero(np.diff(counts.indptr))
    size = max(1, _SCORES // n_words)
    loss = 0.0
    for first in range(0, used.size, size):
        rows = used[first : first + size]
        pairs = counts[rows].tocoo()
        at = pairs.row, pairs.col
        scores = tables.words[rows] @ tables.contexts.T
        positive = softplus(-scores[at])
        if tables.noises is not tables.contexts:
            np.matmul(tables.words[rows], tables.noises.T, out=scores)
        equal = noise.probabilities[pairs.col] * softplus(scores[at])
        drawn = (_softplus_inplace(scores) @ shares).astype(np.float64)
        loss += pairs.data @ (positive + noise.number * (drawn[pairs.row] - equal))
    return float(loss)


def _softplus_inplace(scores: np.ndarray) -> np.ndarray:
    """Replace float32 scores by their softplus, faster than NumPy's logaddexp."""
    tails = np.abs(scores)
    np.negative(tails, out=tails)
    np.exp(tails, out=tails)
    tails += np.float32(1.0)
    np.log(tails, out=tails)
    np.maximum(scores, np.float32(0.0), out=scores)
    scores += tails
    return scores


def _half_widths(weights: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return half-widths: how many weights by distance are larger than each draw.

    Weights decrease with the distance, and the first is 1. Draws are below 1.
    """
    return weights.size - np.searchsorted(weights[::-1], draws, side="right")


def _windows(
    doc_offsets: np.ndarray,
    places: np.ndarray,
    halves: np.ndarray,
    sides: tuple[bool, bool],
) -> np.ndarray:
    """Return the first and last + 1 token of windows around tokens, as two rows.

    Windows extend to the left and to the right if `sides` says so.
    """
    document = np.searchsorted(doc_offsets, places, side="right") - 1
    return np.stack(
        [
            np.maximum(doc_offsets[document], places - halves * sides[0]),
            np.minimum(doc_offsets[document + 1], places + halves * sides[1] + 1),
        ]
    )


def _hidden(
    words: np.ndarray, token_ids: np.ndarray, places: np.ndarray, bounds: np.ndarray
) -> np.ndarray:
    """Return the sum of each window's rows without the word in the middle."""
    first, last = bounds[0].min(), bounds[1].max()
    sums = np.zeros((last - first + 1, words.shape[1]))
    np.cumsum(words[token_ids[first:last]], axis=0, dtype=np.float64, out=sums[1:])
    hidden = sums[bounds[1] - first]
    hidden -= sums[bounds[0] - first]
    hidden -= words[token_ids[places]]
    return hidden


def _noise_words(
    probabilities: np.ndarray, n_noise: int, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return noise words and their shares of the expectation.

    If enough words are requested, these are all words. Otherwise they are words at
    regular steps of the cumulated probabilities, with a random start (systematic
    sampling). A word's share is right on average, and the shares of frequent words
    hardly vary.
    """
    if n_noise >= probabilities.size:
        return np.arange(probabilities.size), probabilities
    steps = (random.random_sample() + np.arange(n_noise)) / n_noise
    cumulated = np.cumsum(probabilities)
    drawn = np.searchsorted(cumulated / cumulated[-1], steps, side="right")
    # The last step may be rounded up to 1.
    drawn = np.minimum(drawn, probabilities.size - 1)
    words, times = np.unique(drawn, return_counts=True)
    return words, times / n_noise


def _predictions_loss(
    tables: Tables,
    hidden: np.ndarray,
    predicted: np.ndarray,
    noise: Noise,
    drawn: tuple[np.ndarray, np.ndarray],
) -> float:
    """Return the summed objective of words that hidden vectors predict."""
    words, shares = drawn
    positive = np.einsum("ik,ik->i", hidden, tables.contexts[predicted])
    scores = hidden.astype(np.float32) @ tables.noises[words].T
    expected = _softplus_inplace(scores) @ shares.astype(np.float32)
    equal = np.einsum("ik,ik->i", hidden, tables.noises[predicted])
    of_equal = noise.probabilities[predicted] * softplus(equal)
    losses = softplus(-positive) + noise.number * (expected - of_equal)
    return float(losses.sum())


def sampling(estimator: Any, corpus: Corpus) -> float:
    """Return the objective of negative sampling: nats per pair, or predicted word.

    Parameters
    ----------
    estimator : SGNSEmbedder or CBOWEmbedder
        Fitted.
    corpus : Corpus
        In rows of its vocabulary.

    Returns
    -------
    float
        The same in every call, because random draws have a fixed seed.
    """
    draws = draws_of(estimator)
    noise = Noise(draws.noise, estimator.negative)
    random = np.random.RandomState(0)
    total = held_out(estimator, corpus, noise, random)
    return total.loss / float(total.contexts.sum())


def least_squares(estimator: Any, corpus: Corpus) -> float:
    """Return GloVe's objective: the mean weighted squared error per pair of words.

    Parameters
    ----------
    estimator : GloVeEmbedder
        Fitted.
    corpus : Corpus
        In rows of its vocabulary.

    Returns
    -------
    float
        The mean over the pairs that co-occur in the corpus.
    """
    counts = _count(estimator, corpus, estimator.direction)
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
        In rows of its vocabulary.

    Returns
    -------
    float
        The mean over all entries of the corpus's matrix. With directions, over those of
        both matrices.
    """
    scaled = (estimator.word_vectors_ * estimator._score_scale).astype(np.float64)
    error = 0.0
    of_sides = sides(estimator)
    for direction, side in of_sides.items():
        contexts = getattr(estimator, f"{side}context_vectors_")
        counts = _count(estimator, corpus, direction)
        matrix = ppmi.ppmi_inplace(
            counts, estimator.shift, estimator.context_exponent, estimator.n_jobs
        )
        # |M - S|^2 = |M|^2 - 2 <M, S> + |S|^2 visits only the non-zeros of M.
        of_scores = (scaled.T @ scaled) * (contexts.T.astype(np.float64) @ contexts)
        data = matrix.data.astype(np.float64)
        scores = _products(scaled, contexts, *matrix.nonzero())
        error += data @ data - 2.0 * (data @ scores) + of_scores.sum()
    return float(error) / (len(of_sides) * len(scaled) ** 2)


def softmax(estimator: Any, corpus: Corpus) -> float:
    """Return the objective of a softmax over contexts: the cross-entropy per pair.

    Parameters
    ----------
    estimator : SoftmaxEmbedder
        Fitted.
    corpus : Corpus
        In rows of its vocabulary.

    Returns
    -------
    float
        In nats.
    """
    return cross_entropy(estimator, corpus).model


def cross_entropy(estimator: Any, corpus: Corpus) -> CrossEntropy:
    """Return the cross-entropy of documents in nats per pair.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted, with a `subsample`. Its `_cross_entropy_of_counts` says what it predicts
        from a word.
    corpus : Corpus
        In rows of its vocabulary.

    Returns
    -------
    CrossEntropy

    Raises
    ------
    ValueError
        If no words co-occur.
    """
    model = unigram = n_pairs = 0.0
    for direction, side in sides(estimator).items():
        counts = _count(estimator, corpus, direction)
        of_contexts = np.ones(counts.shape[0]) @ counts
        kept = getattr(estimator, f"_{side}context_kept", estimator._context_kept)
        model += estimator._cross_entropy_of_counts(counts, side)
        unigram -= of_contexts @ log_shares(kept)
        n_pairs += of_contexts.sum()
    uniform = np.log(len(estimator.word_vectors_))
    means = model / n_pairs, unigram / n_pairs, uniform, n_pairs
    return CrossEntropy(*map(float, means))


def cross_entropy_of_scores(
    estimator: Any, counts: sparse.csr_array, side: str = ""
) -> float:
    """Return the summed ``-ln P(c | w)`` of pairs, from scores and a prior.

    ``P(c | w)`` is proportional to ``exp(s(w, c) + log_prior(c))``. What a score adds
    for the word alone cancels out.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.
    counts : csr_array of shape (n_words, n_words), float64
        Weights of the pairs.
    side : {"", "left_", "right_"}, default=""
        How the names of the attributes of these contexts begin.

    Returns
    -------
    float
        In nats.
    """
    used = np.flatnonzero(np.diff(counts.indptr))
    loss = 0.0
    for rows, scores, _ in _all_scores(estimator, used, side):
        pairs = counts[rows].tocoo()
        of_pairs = scores[pairs.row, pairs.col]
        log_totals = np.log(np.exp(scores, out=scores).sum(axis=1))
        loss += pairs.data @ (log_totals[pairs.row] - of_pairs)
    return float(loss)


def log_normalisers(estimator: Any, rows: np.ndarray) -> np.ndarray:
    """Return ``ln sum exp(s(w, c))`` over all contexts c, for some words.

    Parameters
    ----------
    estimator : SoftmaxEmbedder
        Fitted, with ``loss="softmax"``.
    rows : ndarray of shape (n,), int

    Returns
    -------
    ndarray of shape (n,), float64
    """
    found = [
        largest + np.log(np.exp(scores, out=scores).sum(axis=1))
        for _, scores, largest in _all_scores(estimator, rows)
    ]
    return np.concatenate([np.empty(0), *found])


def _all_scores(
    estimator: Any, rows: np.ndarray, side: str = ""
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield some of the rows, their scores with all contexts, and what was subtracted.

    The prior is included. The largest score of each row is subtracted.
    """
    words = estimator.word_vectors_[rows] * estimator._score_scale
    contexts = getattr(estimator, f"{side}context_vectors_")
    of_context = estimator._log_prior(side) + estimator._score_offset
    of_context += getattr(estimator, f"{side}context_biases_", 0.0)
    size = max(1, _SCORES // len(contexts))
    for first in range(0, rows.size, size):
        scores = words[first : first + size] @ contexts.T + of_context
        largest = scores.max(axis=1)
        scores -= largest[:, np.newaxis]
        yield rows[first : first + size], scores, largest


def log_shares(totals: np.ndarray, exponent: float = 1.0) -> np.ndarray:
    """Return the logarithms of the shares of contexts, all of them finite.

    Parameters
    ----------
    totals : ndarray of shape (n_words,)
        Counts of contexts. Those without a count are treated like the rarest others.
    exponent : float, default=1
        Shares are proportional to ``totals ** exponent``.

    Returns
    -------
    ndarray of shape (n_words,), float64
        Their exponentials add up to 1.
    """
    logs = exponent * np.log(count.raise_unseen(totals))
    return logs - special.logsumexp(logs)


def _count(estimator: Any, corpus: Corpus, direction: str) -> sparse.csr_array:
    counts = None
    if corpus.token_weights is not None or (corpus.n_documents and corpus.longest > 1):
        n_words = len(estimator.word_vectors_)
        counts = count.count_pairs(estimator, corpus, n_words, direction)
    if counts is None or not counts.nnz:
        raise ValueError(
            "X holds no pair of words of the vocabulary in a document, so there is "
            "nothing to score. Words may be unknown; pass longer documents."
        )
    count.weigh_inplace(counts, estimator._context_totals, estimator.subsample)
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
    for first in range(0, rows.size, _PRODUCTS_AT_ONCE):
        part = slice(first, first + _PRODUCTS_AT_ONCE)
        np.einsum(
            "ik,ik->i", words[rows[part]], contexts[columns[part]], out=products[part]
        )
    return products
