"""Co-occurrence counts for the parameters of an estimator; subsampling and sums."""

import math
import warnings
from collections.abc import Callable
from numbers import Integral
from os import PathLike
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)

from skembed._corpus import cache, partitioned, reader, tokenize
from skembed._corpus.partitioned import PartitionedCorpus
from skembed._corpus.validation import is_collection
from skembed._corpus.vocabulary import Corpus
from skembed._counts import documents, partitions, windows
from skembed._utils.threads import row_ranges

# Entries that are processed at once.
_CHUNK = 1 << 20
# Whole numbers up to twice this power of two, and their sums, are exact in float64.
_WHOLE = 52
# Distances from which the common denominator of all weights is computed. For longer
# harmonic windows, it is too large to be used.
_DISTANCES = 64
WINDOW_WEIGHTINGS = ("dynamic", "flat", "harmonic")
# The side of a word on which contexts are counted.
DIRECTIONS = ("both", "left", "right")
# Parameters of everything that counts pairs of words in text.
PARAMETERS = {
    "window": [Interval(Integral, 1, None, closed="left")],
    "window_weighting": [StrOptions(set(WINDOW_WEIGHTINGS))],
    "direction": [StrOptions(set(DIRECTIONS))],
    **tokenize.PARAMETERS,
    "n_jobs": [
        Interval(Integral, None, -1, closed="right"),
        Interval(Integral, 1, None, closed="left"),
        None,
    ],
}


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
        Tokens of the longest document. There are no contexts at larger distances.

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


def raise_unseen(totals: np.ndarray) -> np.ndarray:
    """Return the counts of contexts, where a count of 0 becomes the smallest other one.

    Parameters
    ----------
    totals : ndarray of shape (n_words,), float64
        Not negative, and not all 0.

    Returns
    -------
    ndarray of shape (n_words,), float64
        So that all logarithms are finite.
    """
    return np.maximum(totals, totals[totals > 0.0].min())


def context_totals(counts: sparse.csr_array) -> np.ndarray:
    """Return the count of each word as a context: the sums of the columns.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Non-negative, with a finite sum.

    Returns
    -------
    ndarray of shape (n_words,), float64
        The bits do not depend on the order of rows and columns, because counts are
        rounded to multiples of about 2**-52 of their sum before they are added up.
    """
    scale = _scale(float(counts.data.sum()))
    totals = np.zeros(counts.shape[1])
    for at in range(0, counts.nnz, _CHUNK):
        here = slice(at, at + _CHUNK)
        whole = np.rint(counts.data[here] * scale)
        totals += np.bincount(counts.indices[here], whole, totals.size)
    return totals / scale


def _scale(total: float) -> float:
    """Return the power of two that makes sums whole numbers below 2**53.

    It does not depend on how the total is rounded: multiplied by pi, no sum of usual
    counts is close to a power of two.
    """
    _, exponent = math.frexp(math.pi / 4 * total)
    return math.ldexp(1.0, min(_WHOLE - exponent, 1023))


def subsample_inplace(
    counts: sparse.csr_array, subsample: float
) -> tuple[np.ndarray, np.ndarray]:
    """Apply subsampling to counts, and return how often each word is a context.

    Parameters
    ----------
    counts, subsample
        As in `weigh_inplace`.

    Returns
    -------
    totals, kept : ndarray of shape (n_words,), float64
        `context_totals` before and after subsampling.
    """
    totals = context_totals(counts)
    weigh_inplace(counts, totals, subsample)
    return totals, (context_totals(counts) if subsample else totals)


def weigh_inplace(
    counts: sparse.csr_array, totals: np.ndarray, subsample: float
) -> None:
    """Multiply counts by the probabilities that both of their words are kept.

    The result is the expected count after subsampling. Windows are those of the text
    without subsampling, as in the "clean" subsampling of Levy, Goldberg & Dagan (2015),
    section 3.1.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        They are changed in place.
    totals : ndarray of shape (n_words,), float64
        The count of each word, as returned by `context_totals`.
    subsample : float
        The threshold, see `keep_probabilities`. 0 changes nothing.

    Raises
    ------
    ValueError
        If a count becomes too small for float64.
    """
    if subsample == 0 or not counts.nnz:
        return
    keep = keep_probabilities(totals, subsample)
    for first, last in row_ranges(counts.indptr, _CHUNK):
        here = slice(counts.indptr[first], counts.indptr[last])
        lengths = np.diff(counts.indptr[first : last + 1])
        part = counts.data[here]
        part *= np.repeat(keep[first:last], lengths)
        part *= keep[counts.indices[here]]
        if not part.all():
            raise ValueError(
                f"subsample={subsample} makes counts of pairs of words too small for "
                "float64. Pass a larger one, or subsample=0."
            )


def keep_probabilities(counts: np.ndarray, subsample: float) -> np.ndarray:
    """Return the probability that an occurrence of a word is kept.

    It is ``sqrt(t / f) + t / f`` for a word of relative frequency f, as in the program
    word2vec. This keeps slightly more than eq. 5 of Mikolov et al. (2013).

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
    # Words that do not occur have no frequency. They are kept.
    frequency = np.where(counts > 0, counts, counts.max()) / counts.sum()
    # Words that are too rare for floats are kept, too.
    with np.errstate(divide="ignore", over="ignore"):
        ratio = subsample / frequency
    keep = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return np.where(counts > 0, keep, 1.0)


def divisor(window: int, weighting: str) -> int:
    """Return D if counts are multiples of 1 / D, or 1 if D is too large."""
    weights = window_weights(window, weighting, _DISTANCES)
    return windows.common_denominator(weights, 2**52) or 1


def keep(
    counts: sparse.csr_array, symmetric: bool, order: np.ndarray | None = None
) -> dict[str, Any]:
    """Return private attributes of an estimator that keep the counts for later fits.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Canonical. They are copied.
    symmetric : bool
        Whether they are symmetric, so that one half is enough.
    order : ndarray of shape (n_words,), default=None
        Row and column of each word. By default its row in the vocabulary.

    Returns
    -------
    dict
        `_counts` (the upper triangle if they are symmetric), `_counts_are_half` and
        `_counts_order`.
    """
    kept = _upper(counts) if symmetric else counts.copy()
    return as_attributes(kept, symmetric, order)


def as_attributes(
    counts: sparse.csr_array, are_half: bool = False, order: np.ndarray | None = None
) -> dict[str, Any]:
    """Return counts and their form of storage as private attributes."""
    return {"_counts": counts, "_counts_are_half": are_half, "_counts_order": order}


def _upper(counts: sparse.csr_array) -> sparse.csr_array:
    """Return the entries on and above the diagonal."""
    upper = np.empty(counts.nnz, dtype=bool)
    indptr = np.zeros_like(counts.indptr)
    for first, last in row_ranges(counts.indptr, _CHUNK):
        here = slice(counts.indptr[first], counts.indptr[last])
        lengths = np.diff(counts.indptr[first : last + 1])
        rows = np.repeat(np.arange(first, last, dtype=np.int32), lengths)
        upper[here] = counts.indices[here] >= rows
        sizes = np.bincount(rows[upper[here]] - first, minlength=last - first)
        indptr[first + 1 : last + 1] = sizes
    part = (
        counts.data[upper],
        counts.indices[upper],
        np.cumsum(indptr, dtype=indptr.dtype),
    )
    return sparse.csr_array(part, shape=counts.shape)


def permute(counts: sparse.csr_array, order: np.ndarray) -> sparse.csr_array:
    """Return a square matrix with rows and columns in another order; canonical."""
    counts = counts[order][:, order]
    counts.sort_indices()
    return counts


def restore(learned: dict[str, Any], n_words: int) -> sparse.csr_array:
    """Return the counts from attributes, in the order of the vocabulary.

    Parameters
    ----------
    learned : dict
        Attributes of an estimator, including those of `keep`.
    n_words : int
        Number of rows and columns. Those of new words are empty.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical.
    """
    counts, order = learned["_counts"], learned["_counts_order"]
    if learned["_counts_are_half"]:
        counts = counts + sparse.triu(counts, 1, format="csr").T
    counts = sparse.csr_array(counts)
    if order is not None:
        counts = permute(counts, order)
    n_new = n_words - counts.shape[0]
    indptr = np.concatenate([counts.indptr, np.repeat(counts.indptr[-1:], n_new)])
    counts = sparse.csr_array((counts.data, counts.indices, indptr), (n_words, n_words))
    counts.sort_indices()
    return counts


def count_pairs(
    estimator: Any,
    corpus: Corpus | PartitionedCorpus,
    n_words: int,
    direction: str = "both",
    report: Callable[[float], Any] | None = None,
    may_be_empty: bool = False,
) -> sparse.csr_array:
    """Return how often words and contexts co-occur in the corpus of a fit.

    Parameters
    ----------
    estimator : object
        Its `window`, `window_weighting` and `n_jobs` are read, and its `memory` if the
        corpus has a key.
    corpus : Corpus or PartitionedCorpus
        In a text, words co-occur within windows. In a documents x words matrix, words
        co-occur if they share a document. Given co-occurrence counts are returned.
    n_words : int
    direction : {"both", "left", "right"}, default="both"
        The side of a word on which contexts of a text are counted.
    report : callable, default=None
        Called now and then with the share of the work that is done.
    may_be_empty : bool, default=False
        Whether an empty result is allowed.

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical. The caller may change it.

    Raises
    ------
    ValueError
        If no words co-occur, or a count is not finite.
    MemoryError
        If there is not enough memory for the counts.
    """
    if not corpus.is_matrix:
        longest = corpus.longest
        if may_be_empty and longest < 2:
            return sparse.csr_array((n_words, n_words))
        weights = window_weights(estimator.window, estimator.window_weighting, longest)
        of_text = _count_text(estimator, corpus, n_words, weights, direction, report)
        if corpus.doc_weights is not None:
            check_finite(of_text)
        return of_text
    if direction != "both":
        raise ValueError(
            "Contexts on the left and on the right (directional=True or "
            f"direction={direction!r}) are not told apart by a matrix. Pass text, or "
            "leave that parameter at its default."
        )
    given = corpus.counts is not None
    counts: Any = corpus.counts
    if not given:
        counts = _count_matrix(corpus, n_words, report)
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
    """Return the key of a text's counts in `memory`, or None without a key."""
    if corpus.key is None:
        return None
    weights = window_weights(
        estimator.window, estimator.window_weighting, corpus.longest
    )
    return cache.key_of("counts", corpus.key, n_words, weights, direction)


def counts_in_memory(
    memory: Any, key: str | None, n_words: int
) -> sparse.csr_array | None:
    """Return the counts if `memory` still has them under a key, or None."""
    if memory is None or key is None:
        return None
    try:
        parts, _ = cache.keep(memory, key, _raise_forgotten)
    except _Forgotten:
        return None
    return _canonical(parts, n_words)


class _Forgotten(Exception):
    """Raised if counts are not in `memory` and would have to be computed."""


def _raise_forgotten() -> Any:
    raise _Forgotten


def _count_text(
    estimator: Any,
    corpus: Corpus | PartitionedCorpus,
    n_words: int,
    weights: np.ndarray,
    direction: str,
    report: Callable[[float], Any] | None,
) -> sparse.csr_array:
    if isinstance(corpus, PartitionedCorpus):
        unit = divisor(estimator.window, estimator.window_weighting)
        return partitions.count_windows(
            corpus, weights, unit, direction, estimator.n_jobs
        )
    of_what = corpus, n_words, weights, estimator.n_jobs, direction, report
    key = key_of_counts(estimator, corpus, n_words, direction)
    if key is None:
        return windows.count_cooccurrences(*of_what)
    parts, _ = cache.keep(estimator.memory, key, lambda: _csr_parts(*of_what))
    return _canonical(parts, n_words)


def _count_within(
    settings: Any,
    corpus: Corpus,
    n_words: int,
    direction: str,
    max_memory: int,
) -> sparse.csr_array:
    """Return the counts of a text in files, counted within a limit of memory."""
    if corpus.token_weights is not None:
        raise ValueError(
            f"max_memory={max_memory} limits the counting of text, not that of a "
            "matrix: pass None."
        )
    weights = window_weights(settings.window, settings.window_weighting, corpus.longest)
    counts = windows.count_to_file(
        corpus,
        n_words,
        weights,
        settings.n_jobs,
        direction,
        max_memory,
        cache.folder_of(settings.memory),
    )
    if corpus.doc_weights is not None:
        check_finite(counts)
    return counts


def _count_matrix(
    corpus: Corpus | PartitionedCorpus,
    n_words: int,
    report: Callable[[float], Any] | None,
) -> sparse.csr_array:
    if isinstance(corpus, PartitionedCorpus):
        return partitions.count_shared_documents(corpus)
    return documents.count_shared_documents(corpus, n_words, report)


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
        "input": [StrOptions({"content", "token_ids"})],
        "memory": [str, PathLike, HasMethods("cache"), None],
        "max_memory": [Interval(Integral, 1, None, closed="left"), None],
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
    input: str = "content",
    missing: str = "error",
    sample_weight: Any = None,
    n_jobs: int | None = None,
    memory: Any = None,
    max_memory: int | None = None,
) -> tuple[sparse.csr_array, dict[str, int]]:
    r"""Count how often words co-occur within context windows.

    :class:`~skembed.PPMISVDEmbedder`, :class:`~skembed.GloVeEmbedder` and
    :class:`~skembed.SoftmaxEmbedder` learn from these counts. The result can be passed
    to an embedder with ``input="cooccurrence"`` and the returned vocabulary as its
    `vocabulary`.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Documents, as in the `fit` of embedders. In a matrix of shape
        (n_documents, n_words), words co-occur if they share a document. With
        ``input="token_ids"``: a 2-D integer array. The documents can be a collection of
        Dask (a bag, a Series, a frame of one column, or an array). Its partitions are
        counted on the workers, and only the result is sent to this process.
    window : int, default=5
        Largest distance between a word and its context, in tokens of the vocabulary.
    window_weighting : {"dynamic", "flat", "harmonic"}, default="dynamic"
        Weight of a context at distance d: ``(window + 1 - d) / window``, 1 or
        ``1 / d``.
    direction : {"both", "left", "right"}, default="both"
        Where contexts (the columns) are counted: on both sides of a word, only before
        it, or only after it.
    analyzer, lowercase, strip_accents, stop_words, token_pattern : object
        How a raw document is split into tokens, as in the embedders.
    min_count : int, default=5
        Words that occur less often are dropped. Ignored if `vocabulary` is given.
    max_features : int, default=None
        Keep only this many of the most frequent words.
    vocabulary : mapping of str to int, or collection of str, default=None
        The words to count. For a matrix, they may be int. For token ids, they are int.
    input : {"content", "token_ids"}, default="content"
        With "token_ids", rows of X are documents and entries are ids of words, as in
        the embedders.
    missing : {"error", "empty"}, default="error"
        Whether missing documents raise an error or count as empty documents.
    sample_weight : array-like of shape (n_documents,), default=None
        How often each document counts. 2 is the same as passing it twice.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The result does not depend on it. For a
        collection of Dask, its scheduler decides.
    memory : str, path or object with the joblib.Memory interface, default=None
        Store token ids and counts of a text in this folder, as embedders do. The token
        ids of an iterator are not held in memory, but in a file there.
    max_memory : int, default=None
        Bytes that counting may take beside the token ids and the vocabulary. Rows of a
        text are then counted in ranges that fit, one after the other, and written to
        files: in the folder of `memory`, or in the system's folder for temporary files.
        `counts` are arrays that map these files. The files have no names, and are gone
        when the arrays are. By default the counts are held in memory.

    Returns
    -------
    counts : csr_array of shape (n_words, n_words), float64
        Rows are words, columns are contexts. The matrix is symmetric with
        ``direction="both"``. Each count of a text is within 1e-12 (relative) of the
        exact sum, even if weights differ widely. Counts of a matrix are exact up to
        ``2**53`` if all its numbers and all weights are whole. Otherwise they are
        rounded to the 24 significant bits of float32. Counts do not depend on the
        partitions, the workers or their order if weights are whole and windows flat,
        dynamic, or harmonic up to 36. Otherwise they agree to 1e-12.
    vocabulary : dict of str to int
        Row of each word. Token ids are int.

    Raises
    ------
    ValueError
        If a parameter or a document is not valid, if no word is left, if a sum is too
        large for float64, or if the counts of one word exceed `max_memory`.
    OSError
        If files cannot be written, as on a full disk.

    Notes
    -----
    The places of words in the text, 8 bytes a token, are listed for so many rows at
    once as the `working_memory` of :func:`sklearn.set_config` has room for. By default,
    that is for 134 million tokens. This is also true of the `fit` of embedders.

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
        input=input, memory=memory, **{name: given[name] for name in PARAMETERS}
    )
    if max_memory is not None and is_collection(X):
        raise ValueError(
            f"max_memory={max_memory} limits the counting in this process, but a "
            "collection of Dask is counted by its workers: pass None, and choose their "
            "memory instead."
        )
    reading = reader.read(settings, X, sample_weight, read_collection=partitioned.read)
    for note in reading.notes:
        warnings.warn(note, UserWarning, stacklevel=3)
    corpus, words = reading.corpus, reading.vocabulary
    if max_memory is not None:
        counts = _count_within(settings, corpus, len(words), direction, max_memory)
        return counts, words.rows
    return count_pairs(settings, corpus, len(words), direction), words.rows
