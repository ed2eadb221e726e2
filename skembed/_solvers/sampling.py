"""Probabilities of what is drawn: kept tokens, noise words, window sizes."""

from typing import NamedTuple

import numpy as np

WINDOW_WEIGHTINGS = ("dynamic", "flat", "harmonic")


def window_weights(
    window: int, weighting: str, longest: int | None = None
) -> np.ndarray:
    """Return the expected weight of a context by its distance.

    Parameters
    ----------
    window : int
        Largest distance.
    weighting : {"dynamic", "flat", "harmonic"}
        ``(window + 1 - d) / window`` (word2vec draws the window's size uniformly),
        1, or ``1 / d`` (GloVe).
    longest : int, default=None
        Tokens of the longest document, beyond which there are no contexts.

    Returns
    -------
    ndarray of shape (window,) or (longest,), float64
        For distances 1, 2, ...
    """
    last = window if longest is None else min(window, longest)
    distance = np.arange(1, last + 1, dtype=np.float64)
    if weighting == "flat":
        return np.ones(distance.size)
    if weighting == "harmonic":
        return 1.0 / distance
    return (window + 1.0 - distance) / window


def window_thresholds(
    window: int, weighting: str, longest: int | None = None
) -> np.ndarray:
    """Return how to draw a half-width so that contexts have their expected weight.

    A half-width of at least d is drawn with the weight of distance d, so that
    every context is used as often as its weight says.

    Parameters
    ----------
    window, weighting, longest
        As in `window_weights`.

    Returns
    -------
    ndarray of shape (window,) or (longest,), uint64
        2**32 times the probability that the half-width exceeds its index.
    """
    weights = window_weights(window, weighting, longest)
    return np.ceil(weights * 2.0**32).astype(np.uint64)


class Draws(NamedTuple):
    """What skip-gram draws at random, by word."""

    keep: np.ndarray  # float64, probability that an occurrence is kept
    kept: np.ndarray  # float64, expected number of kept occurrences
    noise: np.ndarray  # float64, distribution of noise words


def draws(counts: np.ndarray, subsample: float, noise_exponent: float) -> Draws:
    """Return all probabilities for one vocabulary; see the functions below."""
    keep = keep_probabilities(counts, subsample)
    return Draws(keep, counts * keep, noise_distribution(counts, noise_exponent))


def keep_probabilities(counts: np.ndarray, subsample: float) -> np.ndarray:
    """Return the probability that an occurrence of a word is kept.

    The form of the word2vec program, ``sqrt(t / f) + t / f`` for a word of relative
    frequency f, which keeps slightly more than eq. 5 of Mikolov et al. (2013).

    Parameters
    ----------
    counts : ndarray of shape (n_words,)
    subsample : float
        The threshold t; 0 keeps everything.

    Returns
    -------
    ndarray of shape (n_words,), float64
    """
    if subsample == 0:
        return np.ones(counts.size)
    # Words that do not occur have no frequency; all of them are kept.
    frequency = np.where(counts > 0, counts, counts.max()) / counts.sum()
    # Of words that are rarer than floats can tell, all are kept, too.
    with np.errstate(divide="ignore", over="ignore"):
        ratio = subsample / frequency
    keep = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return np.where(counts > 0, keep, 1.0)


def noise_distribution(counts: np.ndarray, exponent: float) -> np.ndarray:
    """Return the probability of each word as a noise word.

    Parameters
    ----------
    counts : ndarray of shape (n_words,)
    exponent : float
        0.75 in Mikolov et al. (2013), section 2.2. Words that never occur are never
        drawn.

    Returns
    -------
    ndarray of shape (n_words,), float64
    """
    # Relative to the largest count, so that no exponent makes a weight infinite.
    weights = np.where(counts > 0, (counts / counts.max()) ** exponent, 0.0)
    return weights / weights.sum()


def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the tables from which a word is drawn in constant time (Vose 1991).

    Parameters
    ----------
    probabilities : ndarray of shape (n_words,), float64

    Returns
    -------
    thresholds : ndarray of shape (n_words,), uint32
        A column keeps its own word if 32 random bits are below its threshold.
    alias : ndarray of shape (n_words,), int32
        The other word of each column.
    """
    n_words = probabilities.size
    heights = (probabilities * n_words).tolist()
    alias = list(range(n_words))
    small = [word for word, height in enumerate(heights) if height < 1.0]
    large = [word for word, height in enumerate(heights) if height >= 1.0]
    while small and large:
        low, high = small.pop(), large[-1]
        alias[low] = high
        heights[high] -= 1.0 - heights[low]
        if heights[high] < 1.0:
            small.append(large.pop())
    # What is left differs from 1 by rounding only, except for words that must never
    # be drawn, which rounding can leave behind without a partner.
    for word in large:
        heights[word] = 1.0
    for word in small:
        if probabilities[word] > 0.0:
            heights[word] = 1.0
        else:
            alias[word] = int(probabilities.argmax())
    thresholds = np.minimum(np.asarray(heights) * 2.0**32, 2.0**32 - 1)
    return thresholds.astype(np.uint32), np.asarray(alias, dtype=np.int32)
