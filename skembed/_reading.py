"""From what users pass to a corpus with a vocabulary, and to co-occurrence counts."""

import pickle
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from skembed import _cooccurrence, _matrix, _sampling, _text, _vocabulary
from skembed._caching import Recent, check_keys, digest, keep, key_of
from skembed._documents import checked, describe
from skembed._matrix import Columns
from skembed._vocabulary import Corpus, Vocabulary
from skembed._weights import check_weights

_TOKENISING = (
    "analyzer",
    "lowercase",
    "strip_accents",
    "stop_words",
    "token_pattern",
)
# Look-ups of the last documents in `transform` and `score`, if there is a `memory`; and
# how many characters, or tokens of lists, there have to be: so many, and some for each
# word of the vocabulary, as it has to be told apart, too.
_looked_up = Recent(2**26)
_MUCH = 2**16
_MUCH_PER_WORD = 8


class Reading(NamedTuple):
    """What a fit has read."""

    corpus: Corpus
    vocabulary: Vocabulary
    columns: Columns | None  # of a matrix
    dtype: type  # float64 of a matrix of float64, else float32


def read(estimator: Any, X: Any, sample_weight: Any = None) -> Reading:
    """Read what an estimator is to be fitted on, by its parameters.

    Parameters
    ----------
    estimator : BaseEmbedder
        It stays as it is.
    X : iterable of documents, or matrix
    sample_weight : array-like of shape (n_documents,), float or None

    Returns
    -------
    Reading

    Raises
    ------
    ValueError
        If something is not valid, or no word is left.
    """
    rows = None
    if estimator.vocabulary is not None:
        rows = _vocabulary.check_vocabulary(estimator.vocabulary)
    if _matrix.is_matrix(X):
        return _read_matrix(estimator, X, sample_weight, rows)
    if estimator.input == "cooccurrence":
        raise ValueError(
            "input='cooccurrence' takes a square matrix of words x contexts, got "
            f"{describe(X)}. Pass input='content' to read documents."
        )
    return _read_text(estimator, X, sample_weight, rows)


def _read_text(
    estimator: Any, X: Any, sample_weight: Any, rows: dict[str, int] | None
) -> Reading:
    if rows is not None and estimator.max_features is not None:
        raise _cannot_select(estimator)
    limits = estimator.min_count, estimator.max_features
    tokeniser = vectorizer(estimator)
    if estimator.memory is None:
        found = _tokenise(X, tokeniser, sample_weight, rows, limits)
        return Reading(*found, None, np.float32)
    # An iterator is consumed once; and only what is checked can be told apart.
    X = _listed(X)
    sample_weight = check_weights(sample_weight, len(X))
    known, tokenising = digest(X), check_keys(_tokenising(estimator))
    if known is None:
        found = _tokenise(X, tokeniser, sample_weight, rows, limits)
        return Reading(*found, None, np.float32)
    given = None if rows is None else digest(list(rows))
    key = key_of("text", known, tokenising, sample_weight, given, *limits)
    parts = keep(
        estimator.memory,
        key,
        lambda: _to_parts(*_tokenise(X, tokeniser, sample_weight, rows, limits)),
    )
    return Reading(*_from_parts(key, *parts), None, np.float32)


def _listed(X: Any) -> list[Any]:
    # Most often there is nothing to check.
    return X if type(X) is list and set(map(type, X)) == {str} else list(checked(X))


def _tokenising(estimator: Any) -> dict[str, Any]:
    return {name: getattr(estimator, name) for name in _TOKENISING}


def _to_parts(corpus: Corpus, vocabulary: Vocabulary) -> tuple[Any, ...]:
    # joblib pickles arrays quickly, and str slowly.
    words = pickle.dumps([str.__str__(word) for word in vocabulary.rows])
    ids, offsets, weights = corpus.token_ids, corpus.doc_offsets, corpus.doc_weights
    return ids, offsets, weights, words, vocabulary.counts


def _from_parts(
    key: str,
    ids: np.ndarray,
    offsets: np.ndarray,
    weights: np.ndarray | None,
    words: bytes,
    counts: np.ndarray,
) -> tuple[Corpus, Vocabulary]:
    rows = {word: row for row, word in enumerate(pickle.loads(words))}
    return Corpus(ids, offsets, None, weights, None, key), Vocabulary(rows, counts)


def _tokenise(
    X: Any,
    tokeniser: CountVectorizer,
    sample_weight: Any,
    rows: dict[str, int] | None,
    limits: tuple[int, int | None],
) -> tuple[Corpus, Vocabulary]:
    if rows is None:
        ids, offsets, words = _text.number(X, tokeniser)
        weights = check_weights(sample_weight, len(offsets) - 1)
        return _vocabulary.build(ids, offsets, words, *limits, weights)
    corpus = _text.look_up(X, tokeniser, rows)
    weights = check_weights(sample_weight, corpus.n_documents)
    corpus = corpus._replace(doc_weights=weights)
    return corpus, _vocabulary.count(corpus, rows)


def _cannot_select(estimator: Any) -> ValueError:
    return ValueError(
        f"max_features={estimator.max_features} cannot select from a given "
        "vocabulary; shorten vocabulary or set one of the two to None."
    )


def _read_matrix(
    estimator: Any, X: Any, sample_weight: Any, rows: dict[str, int] | None
) -> Reading:
    matrix, columns = _matrix.read(X, estimator, rows)
    if rows is not None and estimator.max_features is not None:
        raise _cannot_select(estimator)
    square = estimator.input == "cooccurrence"
    if square and sample_weight is not None:
        raise ValueError(
            "sample_weight is that of documents; with input='cooccurrence' there are "
            "none. Multiply the counts instead."
        )
    if square and matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            "input='cooccurrence' takes a square matrix of words x contexts, got one "
            f"of shape {matrix.shape}."
        )
    if square:
        _check_labels(X, columns)
    weights = check_weights(sample_weight, matrix.shape[0])
    vocabulary, columns = _matrix.select(
        matrix, columns, estimator.max_features, weights
    )
    counts = None
    if square:
        counts, vocabulary = _choose_counts(matrix, columns, vocabulary)
    corpus = _matrix.to_corpus(_matrix.choose(matrix, columns), weights)
    dtype = np.float64 if matrix.dtype == np.float64 else np.float32
    return Reading(corpus._replace(counts=counts), vocabulary, columns, dtype)


def _check_labels(X: Any, columns: Columns) -> None:
    """Refuse a frame of counts whose rows are other words than its columns."""
    labels = list(getattr(X, "index", ())) if hasattr(X, "columns") else []
    if columns.names is None or not any(isinstance(label, str) for label in labels):
        return
    for row, (label, name) in enumerate(zip(labels, columns.names, strict=True)):
        if label != name:
            raise ValueError(
                f"Row {row} of X is {label!r}, but column {row} is {name!r}. With "
                "input='cooccurrence' rows and columns are the same words in the same "
                "order: pass X.loc[X.columns]."
            )


def _choose_counts(
    matrix: sparse.csr_array, columns: Columns, vocabulary: Vocabulary
) -> tuple[sparse.csr_array, Vocabulary]:
    """Return counts of the chosen words with each other, and the words' marginals."""
    if columns.chosen is not None:
        matrix = _matrix.choose(matrix[columns.chosen], columns)
    counts = sparse.csr_array(matrix, dtype=np.float64, copy=True)
    totals = counts @ np.ones(counts.shape[1])
    return counts, Vocabulary(vocabulary.rows, totals)


def _csr_parts(*of_what: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = _cooccurrence.count_cooccurrences(*of_what)
    return counts.data, counts.indices, counts.indptr


def look_up(estimator: Any, X: Any) -> tuple[Corpus, type]:
    """Return documents as words of a fitted vocabulary, and the dtype of features.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.
    X : iterable of documents, or matrix

    Returns
    -------
    corpus : Corpus
        Without words that are not in the vocabulary.
    dtype : type

    Raises
    ------
    ValueError
        If a document is not valid, or a matrix has other columns than that of `fit`.
    """
    columns = estimator._columns
    if _matrix.is_matrix(X):
        matrix = _matrix.look_up(X, estimator, columns)
        dtype = np.float64 if matrix.dtype == np.float64 else np.float32
        return _matrix.to_corpus(matrix, None), dtype
    if columns is not None and columns.words is None and _is_text(X):
        raise ValueError(
            f"{type(estimator).__name__} was fitted on a matrix whose columns have no "
            "names, so it does not know the words of documents. Pass a matrix, or fit "
            "on a frame with the words as its columns, or with `vocabulary`."
        )
    return _look_up_text(estimator, X), np.float32


def _look_up_text(estimator: Any, X: Any) -> Corpus:
    """Look up text, or remember it where a search asks for the same once more."""
    tokeniser, rows = vectorizer(estimator), estimator.vocabulary_
    tokenising = _tokenising(estimator)
    # What a callable of the same name did before is not what it does now.
    changing = any(map(callable, tokenising.values()))
    if estimator.memory is None or changing or not hasattr(X, "__len__"):
        return _text.look_up(X, tokeniser, rows)
    X = _listed(X)
    much = _MUCH + _MUCH_PER_WORD * len(rows)
    known = digest(X) if sum(map(len, X)) >= much else None
    if known is None:
        return _text.look_up(X, tokeniser, rows)
    numbers = np.fromiter(rows.values(), np.int64, len(rows))
    key = key_of("rows", known, check_keys(tokenising), digest(list(rows)), numbers)
    corpus = _looked_up.get(key)
    if corpus is None:
        corpus = _text.look_up(X, tokeniser, rows)._replace(key=key)
        arrays = corpus.token_ids, corpus.doc_offsets
        _looked_up.add(key, corpus, sum(array.nbytes for array in arrays))
    ids, offsets = corpus.token_ids.copy(), corpus.doc_offsets.copy()
    return corpus._replace(token_ids=ids, doc_offsets=offsets)


def look_up_pairs(estimator: Any, X: Any) -> Corpus:
    """Return what the pairs are in that a fitted estimator is to score.

    As `look_up`, but with ``input="cooccurrence"`` a matrix holds counts, as in `fit`.
    """
    corpus, _ = look_up(estimator, X)
    if estimator.input != "cooccurrence" or corpus.token_weights is None:
        return corpus
    n_words = len(estimator.vocabulary_)
    if corpus.n_documents != n_words:
        raise ValueError(
            f"X has {corpus.n_documents} rows; with input='cooccurrence' a matrix of "
            f"words x contexts is scored, with one for each of the {n_words} words."
        )
    parts = corpus.token_weights, corpus.token_ids, corpus.doc_offsets
    return corpus._replace(counts=sparse.csr_array(parts, shape=(n_words, n_words)))


def _is_text(X: Any) -> bool:
    """Whether it can be text; else an error of `_text` says more."""
    return not (isinstance(X, np.ndarray) and X.dtype.kind in "biufc")


def vectorizer(estimator: Any) -> CountVectorizer:
    """Return what cuts documents into tokens by an estimator's parameters."""
    return CountVectorizer(**_tokenising(estimator))


def window_weights(estimator: Any, corpus: Corpus) -> np.ndarray:
    """Return the weight of a context by its distance, see `_sampling`."""
    return _sampling.window_weights(
        estimator.window, estimator.window_weighting, corpus.longest
    )


def count_pairs(
    estimator: Any, corpus: Corpus, n_words: int, direction: str = "both"
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

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical; the caller may change it.

    Raises
    ------
    ValueError
        If nothing co-occurs, or a count is not finite.
    """
    if corpus.token_weights is None:
        weights = window_weights(estimator, corpus)
        of_what = corpus, n_words, weights, estimator.n_jobs, direction
        if corpus.key is None:
            return _cooccurrence.count_cooccurrences(*of_what)
        key = key_of("counts", corpus.key, n_words, weights, direction)
        parts = keep(estimator.memory, key, lambda: _csr_parts(*of_what))
        kept = sparse.csr_array(parts, shape=(n_words, n_words))
        kept.has_canonical_format = True
        return kept
    if direction != "both":
        raise ValueError(
            "Contexts on the left and on the right (directional=True of an embedder, "
            f"direction={direction!r} of cooccurrence) are not told apart by a matrix. "
            "Pass text, or leave that parameter at its default."
        )
    given = corpus.counts is not None
    counts: Any = corpus.counts
    if not given:
        counts = _cooccurrence.count_shared_documents(corpus, n_words)
    if not counts.nnz:
        raise ValueError(
            f"X has {n_words} feature(s), of which no two co-occur: there are no pairs "
            "of words to learn from."
        )
    with np.errstate(over="ignore"):
        total = counts.data.sum()
    if not np.isfinite(total):
        raise ValueError(
            "Counts of words that co-occur become infinite: the numbers in X are too "
            "large. Divide them by their maximum."
        )
    return counts.copy() if given else counts
