"""From documents to rows of features: pooled, scaled and normalised in chunks."""

import copy
import functools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from skembed._corpus.partitioned import PartitionedCorpus, add_results
from skembed._corpus.vocabulary import Corpus
from skembed._utils.memory import check_room
from skembed._utils.threads import AHEAD, ThreadTeam, n_threads, row_ranges
from skembed.pooling import _rows
from skembed.pooling._poolings import POOLINGS, Pooling
from skembed.pooling._rows import Documents

COMBINATIONS = ("word", "context", "sum", "concat")
SCALES = (None, "standard", "spherical")
# Attributes of estimators that make up a `Scaling`.
SCALING = ("feature_means_", "feature_scales_")
# Length of rows that suits a linear model with scikit-learn's default penalty, see the
# page on defaults.
LENGTH = 3.0
# Deviations below this share of the largest mean come from rounding. So do the
# differences of rows that are closer to the means.
_ROUNDING = 1e-6
# Words of documents that a pooling learns from at once.
LEARNED_AT_ONCE = 2**22
# Rows of a table whose lengths are computed at once.
_ROWS = 2**12


class Scaling(NamedTuple):
    """Means and deviations of features."""

    means: np.ndarray  # float64 (n_features,)
    deviations: np.ndarray  # float64 (n_features,), positive


class Plan(NamedTuple):
    """How the words of a document become features."""

    pooling: Any  # fitted
    is_own: bool  # whether the pooling is one of this package
    combine: str
    scale: str | None
    norm: str | None
    dtype: Any
    n_features: int
    scaling: Scaling | None = None  # None before it is learned, and without a scale


class Moments(NamedTuple):
    """Weight, means and sums of squared deviations of some rows."""

    weight: float
    means: np.ndarray  # float64 (n_features,)
    squares: np.ndarray  # float64 (n_features,)


def plan_of(estimator: Any, pooling: Any, n_components: int, dtype: Any) -> Plan:
    """Return how an estimator turns the words of a document into features.

    Parameters
    ----------
    estimator : BaseEmbedder
        Its parameters are read.
    pooling : Pooling
        Fitted.
    n_components : int
        Columns of the vectors.
    dtype : type
        Type of the features, if `dtype` of the estimator is "auto".

    Returns
    -------
    Plan
        Without the scaling, which is learned later.
    """
    return Plan(
        pooling,
        is_own(pooling),
        estimator.combine,
        estimator.scale,
        estimator.norm,
        dtype if estimator.dtype == "auto" else np.dtype(estimator.dtype),
        n_columns(pooling, estimator.combine, n_components),
    )


def learned_scaling(estimator: Any, plan: Plan) -> Scaling:
    """Return the scaling that an estimator has learned in `fit`.

    Raises
    ------
    ValueError
        If parameters have changed since, or attributes do not match.
    """
    if getattr(estimator, "_scaled_as", ("",))[0] != plan.combine:
        raise ValueError(
            f"scale={plan.scale!r} needs what fit learns with it and with "
            f"combine={plan.combine!r}, and these have been changed since. Call fit "
            "again, or pass scale=None."
        )
    found = Scaling(*(getattr(estimator, name) for name in SCALING))
    for name, values in zip(SCALING, found, strict=True):
        if values.shape != (plan.n_features,):
            raise ValueError(
                f"{name} has shape {values.shape}, but there are {plan.n_features} "
                "features: the attributes do not come from one fit. Set them "
                "back, or call fit."
            )
    return found


def learn(
    estimator: Any,
    pooling: Any,
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    earlier: dict[str, Any],
) -> dict[str, Any]:
    """Return the learned attributes of `pooling` and, if it is used, of `scale`.

    `partial_fit` keeps the scale, so that a model trained on the features stays valid.
    It is learned again only if changed parameters have changed the columns.

    Parameters
    ----------
    estimator : BaseEmbedder or PretrainedEmbedder
    pooling : Pooling
        In its state before the fit. It is not changed.
    corpus : Corpus
    tables : (ndarray, ndarray)
        Word and context vectors.
    earlier : dict of str to object
        Learned attributes of the fits that this one adds to, or nothing.

    Returns
    -------
    dict of str to object
    """
    how = estimator.combine, bool(earlier), estimator.n_jobs
    pooling = fit(copy.deepcopy(pooling), corpus, tables, *how)
    learned = {"pooling_": pooling}
    if estimator.scale is None:
        return learned
    kind = f"{type(pooling).__module__}.{type(pooling).__qualname__}"
    params = params_of(pooling)
    plan = plan_of(estimator, pooling, tables[0].shape[1], np.float64)
    learned["_scaled_as"] = estimator.combine, kind, params, plan.n_features
    if earlier.get("_scaled_as") == learned["_scaled_as"]:
        return learned | {name: earlier[name] for name in SCALING}
    scaling = fit_scaling(corpus, tables, plan, estimator.n_jobs)
    return learned | dict(zip(SCALING, scaling, strict=True))


def params_of(pooling: Any) -> str:
    """Return the parameters of a pooling as text, to compare them."""
    # Values may be of any type. Comparing them may not give a bool.
    return repr(pooling.get_params()) if hasattr(pooling, "get_params") else ""


def n_columns(pooling: Any, combine: str, n_components: int) -> int:
    """Return the number of features of a document."""
    n_parts = len(getattr(pooling, "parts", ("",)))
    return n_parts * (2 if combine == "concat" else 1) * n_components


def is_own(pooling: Any) -> bool:
    """Return whether a pooling is one of this package, and not of a derived class."""
    return type(pooling) in POOLINGS.values()


def learns_nothing(pooling: Any) -> bool:
    """Return whether a pooling has nothing to learn from documents.

    Parameters
    ----------
    pooling : object

    Returns
    -------
    bool
        Whether it is a `Pooling` that does not override `fit`.
    """
    return isinstance(pooling, Pooling) and type(pooling).fit is Pooling.fit


def fit(
    pooling: Any,
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    combine: str,
    resumes: bool = False,
    n_jobs: int | None = None,
) -> Any:
    """Fit a pooling on the documents of an estimator's fit.

    Parameters
    ----------
    pooling : Pooling
        It is fitted in place.
    corpus : Corpus
    tables : (ndarray, ndarray)
        Word and context vectors.
    combine : str
    resumes : bool, default=False
        Whether it is fitted already, and these are further documents.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules. The bits do not depend on it.

    Returns
    -------
    Pooling
        The same object.

    Raises
    ------
    ValueError
        If its method does not return the pooling.
    """
    if learns_nothing(pooling):
        # It learns nothing, and needs no matrix of all documents.
        pooling._validate_params()
        return pooling
    vectors = _combined(tables, combine)
    if is_own(pooling):
        add_up = partial(_add_up, corpus, len(vectors), n_jobs)
        return pooling._fit(add_up, vectors, resumes)
    # A pooling of a user learns from all documents at once.
    corpus = _training_documents(_joined(corpus))
    documents, weights = _all_documents(corpus, len(vectors))
    given = {} if corpus.doc_weights is None else {"sample_weight": weights}
    learn = pooling.partial_fit if resumes else pooling.fit
    fitted = learn(documents, _read_only(vectors), **given)
    if not hasattr(fitted, "pool"):
        raise ValueError(
            f"pooling={pooling!r}: its {learn.__name__} returned {fitted!r}; it must "
            "return itself."
        )
    return fitted


def _add_up(
    corpus: Corpus | PartitionedCorpus,
    n_words: int,
    n_jobs: int | None,
    function: Callable[..., Any],
    *args: Any,
) -> Any:
    """Return the sum of ``function(documents, weights, *args)`` over all documents."""
    if isinstance(corpus, PartitionedCorpus):
        return corpus.sum(_of_documents, n_words, function, *args)
    # The documents come from a checked corpus, and are not checked again. A matrix of
    # all of them would double the memory of a large corpus.
    corpus = _training_documents(corpus)
    weights = corpus.weights

    def add_up(_: int, part: tuple[int, int]) -> Any:
        documents = _as_matrix(_cut(corpus, part), n_words)
        return function(documents, weights[slice(*part)], *args)

    parts = row_ranges(corpus.doc_offsets, LEARNED_AT_ONCE)
    if len(parts) == 1:
        return add_up(0, parts[0])
    with ThreadTeam(n_threads(n_jobs, len(parts))) as team:
        total = None
        for found in team.stream(add_up, parts):
            total = found if total is None else add_results([total, found])
            # `functools.reduce` would hold it, and the sum before it, for longer.
            del found
        return total


def sums_at_once(n_parts: int, n_threads: int) -> int:
    """Return the most sums over parts of documents that `fit` holds at a time.

    Parameters
    ----------
    n_parts : int
        Parts of `LEARNED_AT_ONCE` words.
    n_threads : int
        Threads that learn from them.
    """
    if n_parts == 1:
        return 1
    # The sum so far, the one that replaces it, and those that follow.
    return 2 + min(n_parts - 1, AHEAD * n_threads if n_threads > 1 else 1)


def _of_documents(
    corpus: Corpus, n_words: int, function: Callable[..., Any], *args: Any
) -> Any:
    return function(*_all_documents(corpus, n_words), *args)


def _all_documents(corpus: Corpus, n_words: int) -> tuple[sparse.csr_array, np.ndarray]:
    """Return all documents as a matrix, and their weights."""
    documents = _cut(corpus, (0, corpus.doc_offsets.size - 1))
    return _as_matrix(documents, n_words), corpus.weights


def _joined(corpus: Corpus | PartitionedCorpus) -> Corpus:
    return corpus.gather() if isinstance(corpus, PartitionedCorpus) else corpus


def fit_scaling(
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    plan: Plan,
    n_jobs: int | None = None,
) -> Scaling:
    """Learn the scale of the features of an estimator's training documents.

    Parameters
    ----------
    corpus, tables, plan, n_jobs
        As in `pool`, with the fitted pooling.

    Returns
    -------
    Scaling
        The same bits for any number of threads.
    """
    if isinstance(corpus, PartitionedCorpus):
        found = corpus.map(_moments, tables, plan, _largest(corpus), 1)
    else:
        corpus = _training_documents(corpus)
        found = [_moments(corpus, tables, plan, _largest(corpus), n_jobs)]
    return learn_scaling(functools.reduce(add_moments, found))


def _largest(corpus: Corpus | PartitionedCorpus) -> float:
    """Return the largest weight of a document, or 1 if all weights are 0."""
    weights = corpus.doc_weights
    return 1.0 if weights is None else float(weights.max(initial=0.0)) or 1.0


def _moments(
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    plan: Plan,
    largest: float,
    n_jobs: int | None,
) -> Moments:
    """Return the moments of the features of some documents.

    Weights are divided by the `largest`, because sums of very large weights would be
    infinite.
    """
    vectors = _vectors(tables, plan)
    weights = corpus.weights / largest

    def moments(_: int, documents: tuple[int, int]) -> Moments:
        rows = _pooled(corpus, documents, vectors, plan)
        _check_finite(rows, documents[0])
        return moments_of(rows, weights[slice(*documents)])

    parts = _map(moments, _chunks(corpus.doc_offsets, plan.n_features), n_jobs)
    return functools.reduce(add_moments, parts)


def _training_documents(corpus: Corpus) -> Corpus:
    """Return the documents to learn from.

    If only co-occurrence counts are given, each word is a document whose weight is the
    count of the word.
    """
    if corpus.counts is None:
        return corpus
    counts = corpus.counts @ np.ones(corpus.counts.shape[1])
    n_words = counts.size
    ids, offsets = np.arange(n_words, dtype=np.int32), np.arange(n_words + 1)
    return Corpus(ids, offsets, doc_weights=counts)


def pool(
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    plan: Plan,
    n_jobs: int | None = None,
) -> np.ndarray:
    """Return the features of documents.

    A row depends only on its own document, bit for bit.

    Parameters
    ----------
    corpus : Corpus
    tables : (ndarray, ndarray)
        Word and context vectors.
    plan : Plan
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules.

    Returns
    -------
    ndarray of shape (n_documents, n_features)
        Zeros for a document without words.

    Raises
    ------
    MemoryError
        If there is not enough memory for the features.
    ValueError
        If a feature is not finite.
    """
    chunks = _chunks(corpus.doc_offsets, plan.n_features)
    n_documents = chunks[-1][1]
    # Those of one chunk are few.
    if len(chunks) > 1:
        check_room(
            float(np.dtype(plan.dtype).itemsize) * n_documents * plan.n_features,
            f"{plan.n_features} features of {n_documents} documents",
            "Pass fewer documents at a time, or lower n_components.",
        )
    corpus, tables, plan = _without_other_words(corpus, tables, plan)
    vectors = _vectors(tables, plan)
    features = np.empty((n_documents, plan.n_features), dtype=plan.dtype)

    def pool_chunk(_: int, documents: tuple[int, int]) -> None:
        rows = _pooled(corpus, documents, vectors, plan)
        if plan.scale is not None and plan.scaling is not None:
            rows = scale_rows(rows, plan.scaling, plan.scale)
        if plan.norm is not None:
            rows = _normalized(rows, plan.norm)
        with np.errstate(over="ignore"):
            features[slice(*documents)] = rows

    _map(pool_chunk, chunks, n_jobs)
    if corpus.token_weights is not None or not plan.is_own:
        _check_finite(features)
    return features


def _map(
    work: Callable[[int, Any], Any], tasks: list[Any], n_jobs: int | None
) -> list[Any]:
    """Return the results of `work` for all tasks. One task starts no thread."""
    if len(tasks) == 1:
        return [work(0, tasks[0])]
    with ThreadTeam(n_threads(n_jobs, len(tasks))) as team:
        return team.map(work, tasks)


def _vectors(tables: tuple[np.ndarray, np.ndarray], plan: Plan) -> np.ndarray:
    """Return the vectors that a fitted pooling gets."""
    vectors = _combined(tables, plan.combine)
    if plan.is_own:
        return np.ascontiguousarray(vectors, dtype=np.float32)
    return _read_only(vectors)


def _read_only(vectors: np.ndarray) -> np.ndarray:
    """Return a read-only view, so that a user's pooling cannot change the vectors."""
    view = vectors.view()
    view.flags.writeable = False
    return view


def _pooled(
    corpus: Corpus, documents: tuple[int, int], vectors: np.ndarray, plan: Plan
) -> np.ndarray:
    """Return the features of some documents, not scaled.

    Poolings of this package take them directly, because the look-up has checked that
    the rows of words exist. Other poolings get a matrix.
    """
    chunk = _cut(corpus, documents)
    if plan.is_own:
        return plan.pooling._pool_documents(chunk, vectors)
    rows = plan.pooling.pool(_as_matrix(chunk, len(vectors)), vectors)
    _check_rows(rows, chunk.n_documents, plan)
    return rows


def _check_rows(rows: Any, n_documents: int, plan: Plan) -> None:
    shape = (n_documents, plan.n_features)
    if not isinstance(rows, np.ndarray) or rows.shape != shape:
        found = getattr(rows, "shape", None)
        raise ValueError(
            f"pooling={plan.pooling!r}: pool returned a {type(rows).__name__} of shape "
            f"{found}, not an array of shape {shape}, with one row for every document "
            "and the width of the vectors for every one of `parts`."
        )


def _normalized(rows: np.ndarray, norm: str) -> np.ndarray:
    # scikit-learn refuses an array without rows.
    if not len(rows):
        return rows
    # The squares of extreme numbers would be infinite or 0.
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    return normalize(rows / np.where(largest > 0.0, largest, 1.0), norm=norm)


def _check_finite(features: np.ndarray, first: int = 0) -> None:
    """Raise a ValueError that names a document; `first` is the number of the first."""
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"Features of document {first + int(np.argmin(finite))} are not finite: "
            "its entries in X are too large, or `pooling` returns such numbers."
        )


def _without_other_words(
    corpus: Corpus, tables: tuple[np.ndarray, np.ndarray], plan: Plan
) -> tuple[Corpus, tuple[np.ndarray, np.ndarray], Plan]:
    """Renumber the words of few documents if their vectors have to be computed.

    A single document then does not need the vectors of the whole vocabulary. A user's
    pooling may depend on the rows of words, so it gets all of them.
    """
    pooling, n_words = plan.pooling, len(tables[0])
    stored = plan.combine in ("word", "context")
    if stored or not plan.is_own or corpus.token_ids.size >= n_words:
        return corpus, tables, plan
    used = _distinct(corpus.token_ids)
    # SciPy's kernels need words and offsets of the same type.
    ids = used.searchsorted(corpus.token_ids).astype(np.int32)
    corpus = corpus._replace(token_ids=ids)
    word, context = (table.take(used, axis=0) for table in tables)
    plan = plan._replace(pooling=_of_words(pooling, used))
    return corpus, (word, context), plan


def _distinct(ids: np.ndarray) -> np.ndarray:
    """Return distinct numbers in ascending order.

    This is `np.unique`, which takes twice as long for the words of one document.
    """
    ordered = np.sort(ids)
    is_first = np.ones(ids.size, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def _of_words(pooling: Pooling, rows: np.ndarray) -> Pooling:
    """Return a fitted pooling restricted to some of its words."""
    axes = pooling._axes.items()
    per_word = {name: getattr(pooling, name)[rows] for name, axis in axes if axis == 0}
    restricted = object.__new__(type(pooling))
    restricted.__dict__ = {**vars(pooling), **per_word}
    return restricted


def _combined(tables: tuple[np.ndarray, np.ndarray], combine: str) -> np.ndarray:
    """Return the vectors that `combine` asks for."""
    word, context = tables
    if combine == "word":
        return word
    if combine == "context":
        return context
    return add_tables(word, context) if combine == "sum" else np.hstack([word, context])


def add_tables(word: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Return word vectors plus context vectors, both of the same length.

    Each context vector is scaled to the length of the word's word vector. Otherwise
    the longer vector would dominate the sum. With negative sampling, the length of
    context vectors grows with the size of a step, which is larger if noise words are
    shared.

    Parameters
    ----------
    word, context : ndarray of shape (n_words, n_components), float32

    Returns
    -------
    ndarray of shape (n_words, n_components), float32
        Zeros if the word vector is zero. The word vector if the context vector is zero.
    """
    out = np.empty_like(word)
    for first in range(0, len(word), _ROWS):
        rows = slice(first, first + _ROWS)
        # In float64, because squares in float32 could overflow.
        ours, theirs = word[rows].astype(np.float64), context[rows].astype(np.float64)
        lengths = _lengths(theirs)
        # A vector of zeros stays a vector of zeros.
        theirs *= _lengths(ours) / np.where(lengths > 0.0, lengths, 1.0)
        theirs += ours
        out[rows] = theirs
    return out


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths of vectors as a column."""
    # For few rows, the method `sum` takes noticeably longer.
    return np.sqrt(np.add.reduce(np.square(vectors), axis=1, keepdims=True))


def _chunks(doc_offsets: np.ndarray, n_features: int) -> list[tuple[int, int]]:
    """Return first and last + 1 documents of chunks."""
    n_documents = doc_offsets.size - 1
    document = max(1, n_features // _rows.COLUMNS)
    # Also for no documents.
    if doc_offsets[-1] + document * n_documents <= _rows.CHUNK:
        return [(0, n_documents)]
    return list(_rows.ranges(doc_offsets, document))


def _cut(corpus: Corpus, documents: tuple[int, int]) -> Documents:
    """Return some documents of a corpus."""
    offsets = corpus.doc_offsets[documents[0] : documents[1] + 1]
    tokens = slice(offsets[0], offsets[-1])
    words, counts = corpus.token_ids[tokens], corpus.token_weights
    offsets = offsets - offsets[0]
    # SciPy's kernels need words and offsets of the same type.
    if offsets[-1] < 2**31:
        offsets = offsets.astype(np.int32)
    else:
        words = words.astype(np.int64)
    return Documents(None if counts is None else counts[tokens], words, offsets)


def _as_matrix(documents: Documents, n_words: int) -> sparse.csr_array:
    """Return documents as a matrix. Each token of a text is an entry of 1."""
    counts, words, offsets = documents
    if counts is None:
        counts = np.ones(words.size, dtype=np.float32)
    return sparse.csr_array((counts, words, offsets), shape=(offsets.size - 1, n_words))


def moments_of(rows: np.ndarray, weights: np.ndarray) -> Moments:
    """Return the moments of rows of features.

    Parameters
    ----------
    rows : ndarray of shape (n_documents, n_features), float64
        Rows of zeros belong to documents without known words. They are ignored.
    weights : ndarray of shape (n_documents,), float64
        How often each document counts.

    Returns
    -------
    Moments
    """
    known = rows.any(axis=1) & (weights > 0.0)
    if not known.all():
        rows, weights = rows[known], weights[known]
    weight = float(weights.sum())
    if not weight:
        return Moments(0.0, np.zeros(rows.shape[1]), np.zeros(rows.shape[1]))
    # `learn_scaling` raises an error for infinite numbers.
    with np.errstate(over="ignore", invalid="ignore"):
        # Without BLAS, whose sums depend on its threads, and without further copies.
        means = np.einsum("i,ij->j", weights, rows) / weight
        apart = rows - means
        squares = np.einsum("i,ij,ij->j", weights, apart, apart)
    return Moments(weight, means, squares)


def add_moments(first: Moments, second: Moments) -> Moments:
    """Return the moments of all rows together (Chan, Golub & LeVeque 1983)."""
    weight = first.weight + second.weight
    if not second.weight or not first.weight:
        return first if first.weight else second
    share = second.weight / weight
    with np.errstate(over="ignore", invalid="ignore"):
        apart = second.means - first.means
        return Moments(
            weight,
            first.means + share * apart,
            first.squares + second.squares + first.weight * share * apart**2,
        )


def learn_scaling(found: Moments) -> Scaling:
    """Return the scaling of features with these moments.

    A column that is constant up to rounding gets the typical deviation of the others.

    Raises
    ------
    ValueError
        If the moments are not finite.
    """
    deviations = np.sqrt(found.squares / (found.weight or 1.0))
    if not (np.isfinite(deviations).all() and np.isfinite(found.means).all()):
        raise ValueError(
            "Features of the documents are too large to be scaled. Pass scale=None, a "
            "pooling whose rows do not grow with the documents, or smaller numbers."
        )
    size = max(np.abs(found.means).max(), deviations.max()) or 1.0
    constant = deviations <= _ROUNDING * size
    typical = size
    if not constant.all():
        typical = np.sqrt((deviations[~constant] ** 2).mean())
    return Scaling(found.means, np.where(constant, typical, deviations))


def _standard(rows: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return rows with standardised columns and a typical length of `LENGTH`.

    Parameters
    ----------
    rows : ndarray of shape (n_documents, n_features), float64
    scaling : Scaling

    Returns
    -------
    ndarray of shape (n_documents, n_features), float64
        The root mean square of the training documents' lengths is `LENGTH`.
    """
    scaled = (rows - scaling.means) / scaling.deviations
    scaled *= LENGTH / np.sqrt(rows.shape[1])
    return scaled


def _spherical(rows: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return centred rows of length `LENGTH`, with parameters as in `_standard`."""
    scaled = rows - scaling.means
    # A row that equals the means up to rounding has no direction.
    nothing = _ROUNDING * scaling.deviations.max()
    # Squares of large numbers would be infinite.
    scaled /= np.abs(scaled).max(axis=1, keepdims=True, initial=nothing)
    lengths = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    scaled *= LENGTH / np.maximum(lengths, 1.0)
    return scaled


def scale_rows(rows: np.ndarray, scaling: Scaling, scale: str) -> np.ndarray:
    """Return scaled rows of features.

    Parameters
    ----------
    rows : ndarray of shape (n_documents, n_features), float64
    scaling : Scaling
    scale : {"standard", "spherical"}

    Returns
    -------
    ndarray of shape (n_documents, n_features), float64
        Rows of zeros stay zero.
    """
    scaled = (_standard if scale == "standard" else _spherical)(rows, scaling)
    scaled[~rows.any(axis=1)] = 0.0
    return scaled
