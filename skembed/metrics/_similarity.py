"""Agreement of cosines with human scores of similarity."""

import inspect
import warnings
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skembed.metrics._files import check_pairs
from skembed.metrics._words import Rows, as_word_vectors, cosines

# Scores that are resampled at once: of a few hundred resamples, or of one large set.
_BATCH = 1 << 19
# SciPy 1.15 gave the argument a new name.
_NAMES = inspect.signature(stats.bootstrap).parameters
_RNG = "rng" if "rng" in _NAMES else "random_state"


class WordSimilarity(NamedTuple):
    """Agreement of cosines with human scores of similarity.

    Parameters
    ----------
    spearman : float
        Spearman's rank correlation of cosines with scores; 0 if all cosines or all
        scores are equal.
    spearman_interval : tuple of two float or None
        Lower and upper end of its bootstrap interval; None without resamples.
    pearson : float
        Pearson's correlation of cosines with scores; 0 if all cosines or all scores
        are equal.
    pearson_interval : tuple of two float or None
        Lower and upper end of its bootstrap interval; None without resamples.
    coverage : float
        Share of pairs whose words both have a vector.
    n_pairs : int
        Number of pairs that the correlations are computed over.
    """

    spearman: float
    spearman_interval: tuple[float, float] | None
    pearson: float
    pearson_interval: tuple[float, float] | None
    coverage: float
    n_pairs: int


@validate_params(
    {
        "missing": [StrOptions({"drop", "zero"})],
        "ignore_case": ["boolean"],
        "n_resamples": [Interval(Integral, 0, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "interval": [StrOptions({"percentile", "bca"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def word_similarity(
    vectors: Any,
    pairs: Any,
    *,
    missing: str = "drop",
    ignore_case: bool = True,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    interval: str = "percentile",
    random_state: Any = None,
) -> WordSimilarity:
    """Compare the cosines of words' vectors with human scores of similarity.

    Parameters
    ----------
    vectors : WordVectors, embedder, mapping, KeyedVectors, str or path
        What `as_word_vectors` takes. To look only at the most frequent words, pass a
        slice of `WordVectors`, such as ``vectors[:30000]``.
    pairs : sequence of (word, word, score), str or path
        Pairs of words with a number that is larger for more similar words, or a file
        that `read_pairs` reads. Pairs that are given twice count twice.
    missing : {"drop", "zero"}, default="drop"
        What happens to a pair with a word that has no vector: it is left out, or its
        similarity is 0.
    ignore_case : bool, default=True
        Compare words without regard to case. If words of the table differ only in
        case, the first one is used: the most frequent one after a fit.
    n_resamples : int, default=1000
        Number of bootstrap resamples of the pairs. With 0, there are no intervals.
    confidence_level : float, default=0.95
        Confidence level of the intervals.
    interval : {"percentile", "bca"}, default="percentile"
        Kind of the bootstrap intervals: percentiles, or bias-corrected and accelerated.
        Where the latter is not defined, because resamples do not vary enough, the
        result is the former.
    random_state : int, RandomState instance or None, default=None
        Random state of the resamples. Pass an int for the same intervals every time.

    Returns
    -------
    WordSimilarity
        The correlations, their intervals, and the coverage.

    Raises
    ------
    ValueError
        If a pair is not valid, or fewer than two pairs are left to compare.
    TypeError
        If `vectors` or `pairs` are of another kind.

    Notes
    -----
    The bootstrap treats pairs as independent. As many words occur in several pairs, the
    true uncertainty is somewhat larger.

    Examples
    --------
    >>> from skembed.metrics import word_similarity
    >>> vectors = {"cat": [1, 0.2], "dog": [1, 0.5], "car": [0, 1], "bus": [0.3, 1]}
    >>> pairs = [("cat", "dog", 8), ("car", "bus", 7), ("cat", "bus", 2), ("a", "b", 1)]
    >>> result = word_similarity(vectors, pairs, random_state=0)
    >>> round(result.spearman, 3), result.coverage, result.n_pairs
    (1.0, 0.75, 3)
    """
    vectors = as_word_vectors(vectors)
    first, second, scores = zip(*check_pairs(pairs), strict=True)
    rows = Rows(vectors, ignore_case)
    left, right = rows.find(first), rows.find(second)
    known = (left >= 0) & (right >= 0)
    used = known if missing == "drop" else np.ones(known.size, dtype=bool)
    if used.sum() < 2:
        raise ValueError(
            f"At least two pairs are needed for a correlation. {used.sum()} of "
            f"{known.size} pairs (the first: {(first[0], second[0])}) have vectors for "
            'both words. Check the spelling of words, or pass missing="zero".'
        )
    x = cosines(vectors, left[used], right[used])
    y = np.array(scores)[used]
    seed = check_random_state(random_state).randint(2**31 - 1)
    ends = [
        bootstrap_interval(
            function, x, y, n_resamples, confidence_level, interval, seed
        )
        for function in (spearman, pearson)
    ]
    return WordSimilarity(
        float(spearman(x, y)),
        ends[0],
        float(pearson(x, y)),
        ends[1],
        float(known.mean()),
        x.size,
    )


def pearson(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return Pearson's correlations, 0 where all values of `x` or of `y` are equal."""
    x, y = (_standardise(values, axis) for values in (x, y))
    return np.clip(np.sum(x * y, axis=axis), -1.0, 1.0)


def spearman(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return Spearman's correlations, 0 where all values of `x` or of `y` are equal."""
    return pearson(stats.rankdata(x, axis=axis), stats.rankdata(y, axis=axis), axis)


def _standardise(values: np.ndarray, axis: int) -> np.ndarray:
    """Centre values and divide them by their norm; equal values become 0."""
    largest = np.abs(values).max(axis=axis, keepdims=True)
    values = values / np.where(largest > 0, largest, 1.0)  # so that no sum overflows
    varies = np.ptp(values, axis=axis, keepdims=True) > 0
    values = np.where(varies, values - values.mean(axis=axis, keepdims=True), 0.0)
    norms = np.linalg.norm(values, axis=axis, keepdims=True)
    return values / np.where(norms > 0, norms, 1.0)


def bootstrap_interval(
    statistic: Any,
    x: np.ndarray,
    y: np.ndarray,
    n_resamples: int,
    confidence_level: float,
    kind: str,
    seed: int,
) -> tuple[float, float] | None:
    """Return the ends of a bootstrap interval of a statistic of pairs.

    Parameters
    ----------
    statistic : callable
        Takes arrays of shape (..., n) and ``axis``.
    x, y : ndarray of shape (n,), float64
    n_resamples : int
    confidence_level : float
    kind : {"percentile", "bca"}
    seed : int

    Returns
    -------
    tuple of two float or None
        None without resamples. Of the kind "percentile" where the kind "bca" is not
        defined.
    """
    if n_resamples == 0:
        return None
    methods = ["BCa", "percentile"] if kind == "bca" else ["percentile"]
    found = None
    for method in methods:
        # SciPy warns if the first kind is not defined, and returns NaN.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = stats.bootstrap(
                (x, y),
                statistic,
                n_resamples=n_resamples if found is None else 0,
                batch=max(1, _BATCH // x.size),
                vectorized=True,
                paired=True,
                confidence_level=confidence_level,
                method=method,
                bootstrap_result=found,
                **{_RNG: np.random.default_rng(seed)},
            )
        low, high = map(float, found.confidence_interval)
        if np.isfinite([low, high]).all():
            break
    return low, high
