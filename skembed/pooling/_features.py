"""From documents to their rows of features, a chunk of documents at a time."""

import copy
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from skembed._corpus.vocabulary import Corpus
from skembed._utils.memory import check_room
from skembed._utils.threads import ThreadTeam, n_threads
from skembed.pooling import POOLINGS, Pooling, _scaling, learns_nothing, n_parts
from skembed.pooling._scaling import Scaling

COMBINATIONS = ("word", "context", "sum", "concat")
SCALES = (None, *_scaling.SCALES)
# Words and documents that are pooled at once, which bounds the working memory; a
# document counts once for so many columns.
_CHUNK, _COLUMNS = 2**16, 16
# Rows of a table whose lengths are computed at once.
_ROWS = 2**12


class Plan(NamedTuple):
    """What becomes of the words of a document."""

    pooling: Any  # fitted
    combine: str
    norm: str | None
    dtype: Any
    n_features: int
    scale: Callable[[np.ndarray], np.ndarray] | None = None  # of rows


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
        Of the features, if `dtype` of the estimator is "auto".

    Returns
    -------
    Plan
        Without the scale, which is learned.
    """
    return Plan(
        pooling,
        estimator.combine,
        estimator.norm,
        dtype if estimator.dtype == "auto" else np.dtype(estimator.dtype),
        n_columns(pooling, estimator.combine, n_components),
    )


def n_columns(pooling: Any, combine: str, n_components: int) -> int:
    """Return how many features a document has."""
    return n_parts(pooling) * (2 if combine == "concat" else 1) * n_components


def fit(
    pooling: Any,
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    combine: str,
    goes_on: bool = False,
) -> Any:
    """Fit a pooling on the documents of an estimator's fit.

    Parameters
    ----------
    pooling : Pooling
        Not fitted.
    corpus : Corpus
    tables : (ndarray, ndarray)
        Word and context vectors.
    combine : str
    goes_on : bool, default=False
        Whether it has been fitted, and these are further documents.

    Returns
    -------
    Pooling
        The same object.

    Raises
    ------
    ValueError
        If its method does not return a pooling.
    """
    if learns_nothing(pooling):
        # It has nothing to learn, and needs no matrix of all documents.
        pooling._validate_params()
        return pooling
    corpus = _training_documents(corpus)
    vectors = _combined(tables, combine)
    documents = _as_matrix(corpus, (0, corpus.n_documents), len(vectors))
    weights = {}
    if corpus.doc_weights is not None:
        weights["sample_weight"] = corpus.doc_weights
    learn = pooling.partial_fit if goes_on else pooling.fit
    fitted = learn(documents, _read_only(vectors), **weights)
    if not hasattr(fitted, "pool"):
        raise ValueError(
            f"pooling={pooling!r}: its {learn.__name__} returned {fitted!r}; it must "
            "return itself."
        )
    return fitted


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
    corpus = _training_documents(corpus)
    vectors = _read_only(_combined(tables, plan.combine))
    weights = corpus.doc_weights
    if weights is None:
        weights = np.ones(corpus.n_documents)
    # Sums of weights as large as float64 would be infinite.
    weights = weights / (weights.max(initial=0.0) or 1.0)

    def moments(_: int, documents: tuple[int, int]) -> _scaling.Moments:
        rows = _pooled(corpus, documents, vectors, plan)
        _check_finite(rows, documents[0])
        return _scaling.moments(rows, weights[slice(*documents)])

    parts = _map(moments, _chunks(corpus.doc_offsets, plan.n_features), n_jobs)
    return _scaling.learn(functools.reduce(_scaling.add, parts))


def _training_documents(corpus: Corpus) -> Corpus:
    """Return the documents to learn from.

    Where only co-occurrence counts are given, each word is a document that occurs as
    often as the word.
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

    A row depends on its own document alone, bit for bit.

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
        If there is not enough memory for them.
    ValueError
        If a feature is not finite.
    """
    is_own = _is_own(plan.pooling)
    corpus, tables, plan = _without_other_words(corpus, tables, plan)
    vectors = _read_only(_combined(tables, plan.combine))
    check_room(
        float(np.dtype(plan.dtype).itemsize) * corpus.n_documents * plan.n_features,
        f"{plan.n_features} features of {corpus.n_documents} documents",
        "Pass fewer documents at a time, or lower n_components.",
    )
    features = np.empty((corpus.n_documents, plan.n_features), dtype=plan.dtype)

    def pool_chunk(_: int, documents: tuple[int, int]) -> None:
        rows = _pooled(corpus, documents, vectors, plan)
        if plan.scale is not None:
            rows = plan.scale(rows)
        if plan.norm is not None:
            rows = _normalized(rows, plan.norm)
        with np.errstate(over="ignore"):
            features[slice(*documents)] = rows

    _map(pool_chunk, _chunks(corpus.doc_offsets, plan.n_features), n_jobs)
    if corpus.token_weights is not None or not is_own:
        _check_finite(features)
    return features


def _map(
    work: Callable[[int, Any], Any], tasks: list[Any], n_jobs: int | None
) -> list[Any]:
    """Return what `work` makes of every task; threads start for several only."""
    if len(tasks) == 1:
        return [work(0, tasks[0])]
    with ThreadTeam(n_threads(n_jobs, len(tasks))) as team:
        return team.map(work, tasks)


def _pooled(
    corpus: Corpus, documents: tuple[int, int], vectors: np.ndarray, plan: Plan
) -> np.ndarray:
    """Return the features of some documents, not scaled."""
    chunk = _as_matrix(corpus, documents, len(vectors))
    rows = plan.pooling.pool(chunk, vectors)
    _check_rows(rows, chunk, plan)
    return rows


def _read_only(vectors: np.ndarray) -> np.ndarray:
    """Return a view that a user's pooling cannot write to by mistake."""
    view = vectors.view()
    view.flags.writeable = False
    return view


def _check_rows(rows: Any, chunk: sparse.csr_array, plan: Plan) -> None:
    shape = (chunk.shape[0], plan.n_features)
    if not isinstance(rows, np.ndarray) or rows.shape != shape:
        found = getattr(rows, "shape", None)
        raise ValueError(
            f"pooling={plan.pooling!r}: pool returned a {type(rows).__name__} of shape "
            f"{found}, not an array of shape {shape}, with one row for every document "
            "and the width of the vectors for every one of `parts`."
        )


def _normalized(rows: np.ndarray, norm: str) -> np.ndarray:
    # Squares of extreme numbers would be infinite or 0.
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
    """Number the words of few documents anew, where their vectors are to be computed.

    So a single document does not pay for the whole vocabulary. A pooling of users may
    know words by their rows, so it gets all of them.
    """
    pooling, n_words = plan.pooling, len(tables[0])
    stored = plan.combine in ("word", "context")
    if stored or not _is_own(pooling) or corpus.token_ids.size >= n_words:
        return corpus, tables, plan
    used, ids = np.unique(corpus.token_ids, return_inverse=True)
    # scipy's kernels take words and offsets of one type.
    corpus = corpus._replace(token_ids=ids.astype(np.int32, copy=False))
    word, context = tables
    plan = plan._replace(pooling=_of_words(pooling, used))
    return corpus, (word[used], context[used]), plan


def _is_own(pooling: Any) -> bool:
    """Whether it is of this package, and not a user's, who may do anything."""
    return type(pooling) in POOLINGS.values()


def _of_words(pooling: Pooling, rows: np.ndarray) -> Pooling:
    """Return a fitted pooling for some of its words."""
    per_word = [name for name, axis in pooling._axes.items() if axis == 0]
    if per_word:
        pooling = copy.copy(pooling)
        for name in per_word:
            setattr(pooling, name, getattr(pooling, name)[rows])
    return pooling


def _combined(tables: tuple[np.ndarray, np.ndarray], combine: str) -> np.ndarray:
    """Return the vectors that stand for words."""
    word, context = tables
    if combine == "word":
        return word
    if combine == "context":
        return context
    return add_tables(word, context) if combine == "sum" else np.hstack([word, context])


def add_tables(word: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Return word vectors plus context vectors, both of the same length.

    Each context vector is scaled to the length of the word's word vector. Otherwise
    the longer of the two would decide the sum: context vectors of negative sampling
    grow with the size of a single step, which is larger where noise words are shared.

    Parameters
    ----------
    word, context : ndarray of shape (n_words, n_components), float32

    Returns
    -------
    ndarray of shape (n_words, n_components), float32
        Zeros where the word vector is zero; the word vector where the context vector
        is zero.
    """
    out = np.empty_like(word)
    for first in range(0, len(word), _ROWS):
        rows = slice(first, first + _ROWS)
        lengths = _lengths(word[rows]), _lengths(context[rows])
        # Lengths of zero leave a vector of zeros as it is.
        scale = lengths[0] / np.where(lengths[1] > 0.0, lengths[1], 1.0)
        np.add(word[rows], context[rows] * scale, out=out[rows], casting="same_kind")
    return out


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return lengths as a column, float64: squares of float32 could overflow."""
    return np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1, keepdims=True))


def _chunks(doc_offsets: np.ndarray, n_features: int) -> list[tuple[int, int]]:
    """Return first and last + 1 documents of chunks."""
    n_documents = doc_offsets.size - 1
    document = max(1, n_features // _COLUMNS)
    sizes = doc_offsets + document * np.arange(n_documents + 1)
    if sizes[-1] <= _CHUNK:
        return [(0, n_documents)]
    chunks, first = [], 0
    while first < n_documents:
        last = int(np.searchsorted(sizes, sizes[first] + _CHUNK, side="right")) - 1
        last = max(last, first + 1)
        chunks.append((first, last))
        first = last
    return chunks


def _as_matrix(
    corpus: Corpus, documents: tuple[int, int], n_words: int
) -> sparse.csr_array:
    """Return some documents as a matrix; each token of text is an entry of 1."""
    offsets = corpus.doc_offsets[documents[0] : documents[1] + 1]
    tokens = slice(offsets[0], offsets[-1])
    words = corpus.token_ids[tokens]
    if corpus.token_weights is None:
        counts = np.ones(words.size, dtype=np.float32)
    else:
        counts = corpus.token_weights[tokens]
    offsets = offsets - offsets[0]
    if offsets[-1] < 2**31:
        # Of the kind of the words, so that these are not copied.
        offsets = offsets.astype(np.int32)
    return sparse.csr_array((counts, words, offsets), shape=(offsets.size - 1, n_words))
