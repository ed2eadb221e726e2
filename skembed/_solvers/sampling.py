"""Probabilities of what is drawn: kept tokens, noise words, window sizes."""

from typing import NamedTuple

import numpy as np

from skembed._counts.subsampling import keep_probabilities


class Draws(NamedTuple):
    """What skip-gram draws at random, by word."""

    keep: np.ndarray  # float64, probability that an occurrence is kept
    kept: np.ndarray  # float64, expected number of kept occurrences
    noise: np.ndarray  # float64, distribution of noise words


def draws(counts: np.ndarray, subsample: float, noise_exponent: float) -> Draws:
    """Return all probabilities for one vocabulary; see the functions below."""
    keep = keep_probabilities(counts, subsample)
    return Draws(keep, counts * keep, noise_distribution(counts, noise_exponent))


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
