"""How often words co-occur in what a fit has read, by an estimator's parameters."""

import warnings
from collections.abc import Callable
from numbers import Integral
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skembed._corpus import reader, tokenize
from skembed._corpus.cache import keep, key_of
from skembed._corpus.vocabulary import Corpus
from skembed._counts import documents, windows

# On which side of a word contexts are counted.
DIRECTIONS = ("both", "left", "right")
# Parameters of whatever counts pairs of words in text.
PARAMETERS = {
    "window": [Interval(Integral, 1, None, closed="left")],
    "window_weighting": [StrOptions(set(windows.WINDOW_WEIGHTINGS))],
    **tokenize.PARAMETERS,
    "n_jobs": [
        Interval(Integral, None, -1, closed="right"),
        Interval(Integral, 1, None, closed="left"),
        None,
    ],
}


def window_weights(estimator: Any, corpus: Corpus) -> np.ndarray:
    """Return the weight of a context by its distance, see `windows`."""
    return windows.window_weights(
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
    estimator : object
        Its `window`, `window_weighting` and `n_jobs` are read, and its `memory` if the
        corpus is of text that a cache knows.
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


def key_of_counts(
    estimator: Any, corpus: Corpus, n_words: int, direction: str
) -> str | None:
    """Return the key of a text's counts in `memory`, or None if they are not there."""
    if corpus.key is None:
        return None
    weights = window_weights(estimator, corpus)
    return key_of("counts", corpus.key, n_words, weights, direction)


def counts_in_memory(
    memory: Any, key: str | None, n_words: int
) -> sparse.csr_array | None:
    """Return the counts that `memory` still has under a key, or None."""
    if memory is None or key is None:
        return None
    try:
        parts, _ = keep(memory, key, _raise_forgotten)
    except _Forgotten:
        return None
    return _canonical(parts, n_words)


class _Forgotten(Exception):
    """Counts that would have to be computed."""


def _raise_forgotten() -> Any:
    raise _Forgotten


def _count_text(
    estimator: Any,
    corpus: Corpus,
    n_words: int,
    direction: str,
    report: Callable[[float], Any] | None,
) -> sparse.csr_array:
    weights = window_weights(estimator, corpus)
    of_what = corpus, n_words, weights, estimator.n_jobs, direction, report
    key = key_of_counts(estimator, corpus, n_words, direction)
    if key is None:
        return windows.count_cooccurrences(*of_what)
    parts, _ = keep(estimator.memory, key, lambda: _csr_parts(*of_what))
    return _canonical(parts, n_words)


def _canonical(parts: tuple[Any, ...], n_words: int) -> sparse.csr_array:
    counts = sparse.csr_array(parts, shape=(n_words, n_words))
    counts.has_canonical_format = True
    return counts


def _csr_parts(*of_what: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = windows.count_cooccurrences(*of_what)
    return counts.data, counts.indices, counts.indptr


@validate_params(
    {
        **PARAMETERS,
        "direction": [StrOptions(set(DIRECTIONS))],
    },
    prefer_skip_nested_validation=True,
)
def cooccurrence(
    X: Any,
    *,
    window: int = 5,
    window_weighting: str = "dynamic",
    direction: str = "both",
    analyzer: Any = "word",
    lowercase: bool = True,
    strip_accents: Any = None,
    stop_words: Any = None,
    token_pattern: str | None = r"(?u)\b\w\w+\b",
    min_count: int = 5,
    max_features: int | None = None,
    vocabulary: Any = None,
    missing: str = "error",
    sample_weight: Any = None,
    n_jobs: int | None = None,
) -> tuple[sparse.csr_array, dict[str, int]]:
    r"""Count how often words stand in each other's window.

    The counts are those that :class:`~skembed.PPMISVDEmbedder` and
    :class:`~skembed.GloVeEmbedder` learn from. An embedder with
    ``input="cooccurrence"`` and the vocabulary as its `vocabulary` takes them.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Documents, as in the `fit` of embedders. Of a matrix of shape
        (n_documents, n_words), words co-occur that share a document.
    window : int, default=5
        Largest distance between a word and its context, in tokens of the vocabulary.
    window_weighting : {"dynamic", "flat", "harmonic"}, default="dynamic"
        How a context at distance d counts: ``(window + 1 - d) / window``, 1 or
        ``1 / d``.
    direction : {"both", "left", "right"}, default="both"
        Where contexts, the columns, are counted: on either side of a word, before it
        only or behind it only.
    analyzer, lowercase, strip_accents, stop_words, token_pattern : object
        How a raw document is cut into tokens, as in the embedders.
    min_count : int, default=5
        Words that occur less often are left out. Ignored with `vocabulary`.
    max_features : int, default=None
        Keep only this many of the most frequent words.
    vocabulary : mapping of str to int, or collection of str, default=None
        The words to count; of a matrix they may be int.
    missing : {"error", "empty"}, default="error"
        Whether missing documents are an error, or empty documents.
    sample_weight : array-like of shape (n_documents,), default=None
        How often each document counts. Whole numbers are the same as repeating it.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The result does not depend on it.

    Returns
    -------
    counts : csr_array of shape (n_words, n_words), float64
        Rows are words, columns are contexts; symmetric with ``direction="both"``.
        Each count of text is within 1e-12 (relative) of the exact sum, however
        different weights are. Counts of a matrix are exact if all its numbers and all
        weights are whole, up to ``2**53``. Otherwise they are rounded to the 24
        significant bits of float32.
    vocabulary : dict of str to int
        Row of each word.

    Raises
    ------
    ValueError
        If a parameter or a document is not valid, no word is left, or a sum is too
        large for float64.

    Examples
    --------
    >>> from skembed import cooccurrence
    >>> documents = [["one", "two", "three"], ["two", "three"]]
    >>> counts, vocabulary = cooccurrence(
    ...     documents, window=1, window_weighting="flat", min_count=1
    ... )
    >>> vocabulary
    {'three': 0, 'two': 1, 'one': 2}
    >>> counts.toarray()
    array([[0., 2., 0.],
           [2., 0., 1.],
           [0., 1., 0.]])
    """
    given = locals()
    settings = SimpleNamespace(
        input="content", memory=None, **{name: given[name] for name in PARAMETERS}
    )
    reading = reader.read(settings, X, sample_weight)
    for note in reading.notes:
        warnings.warn(note, UserWarning, stacklevel=3)
    corpus, words = reading.corpus, reading.vocabulary
    return count_pairs(settings, corpus, len(words), direction), words.rows
