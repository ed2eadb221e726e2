"""From the input of users to a corpus and a vocabulary, or to co-occurrence counts."""

import pickle
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from skembed._corpus import matrix as _matrix
from skembed._corpus import token_ids, tokenize
from skembed._corpus import vocabulary as _vocabulary
from skembed._corpus.cache import (
    Digest,
    Recent,
    UnhashableError,
    digest,
    fingerprint,
    folder_of,
    keep,
    key_of,
)
from skembed._corpus.matrix import Columns
from skembed._corpus.partitions import local
from skembed._corpus.validation import (
    EDGES_ADVICE,
    PER_WORD,
    TABLES,
    check_vocabulary,
    check_weights,
    checked,
    count_rows,
    describe,
    is_collection,
    is_frame,
    means_matrix,
    resembles_walks,
    rows_of,
)
from skembed._corpus.vocabulary import Corpus, Vocabulary
from skembed._utils.files import FileArray

_TOKENISING = (
    "analyzer",
    "lowercase",
    "strip_accents",
    "stop_words",
    "token_pattern",
)
# Look-ups of the last documents in `transform` and `score`, if there is a `memory`.
# Only texts with so many characters (or tokens of lists), plus some for each word of
# the vocabulary, are cached, because the vocabulary is hashed, too.
_looked_up = Recent(2**26)
_MUCH = 2**16
_MUCH_PER_WORD = 8
_WALKS = (
    "X is a list of lists of numbers, which was taken for a matrix of documents x "
    "words, but its numbers recur from row to row as ids do. "
    f"{_matrix.IDS_ADVICE} If it is a matrix, pass numpy.asarray(X)."
)


class Known(NamedTuple):
    """The vocabulary of the earlier fits that a fit resumes from."""

    rows: dict[Any, int]
    grows: bool  # whether new words of text are added
    columns: Columns | None  # of the matrix in the earlier fits


class Reading(NamedTuple):
    """The data that a fit has read."""

    corpus: Corpus
    vocabulary: Vocabulary  # with the counts of the corpus
    columns: Columns | None  # of a matrix
    dtype: type  # float64 for a matrix of float64, otherwise float32
    notes: tuple[str, ...] = ()  # warnings


class Choice(NamedTuple):
    """How words are chosen."""

    rows: dict[Any, int] | None  # given or known words
    is_fixed: bool  # whether no other words are added
    is_known: bool  # whether these words need not occur
    limits: tuple[int, int | None]  # min_count and max_features


def fit_anew(estimator: Any) -> str:
    """Return the call that starts from scratch, for an error."""
    resumes = getattr(estimator, "warm_start", False)
    return "fit with warm_start=False" if resumes else "fit"


def read(
    estimator: Any,
    X: Any,
    sample_weight: Any = None,
    known: Known | None = None,
    report: Callable[[float], bool] | None = None,
    read_collection: Callable[..., Reading] | None = None,
) -> Reading:
    """Read the input of a fit, as the parameters of the estimator say.

    Parameters
    ----------
    estimator : BaseEmbedder
        It is not changed.
    X : iterable of documents, or matrix
    sample_weight : array-like of shape (n_documents,), float or None
    known : Known, default=None
        The vocabulary of earlier fits, if this fit resumes from them.
    report : callable, default=None
        Called now and then with the share of documents that are read.
    read_collection : callable, default=None
        Reads a collection of Dask, see `partitioned.read`. By default, its documents
        are brought into the memory of this process.

    Returns
    -------
    Reading

    Raises
    ------
    ValueError
        If the input is not valid, or if no word is left.
    """
    if is_collection(X):
        if read_collection is not None:
            return read_collection(estimator, X, sample_weight, known)
        X = local(X, estimator.input == "token_ids")
    of_numbers = estimator.input != "token_ids" and means_matrix(X, estimator.missing)
    if of_numbers:
        rows = rows_for_matrix(estimator, known)
        return _read_matrix(estimator, X, sample_weight, rows, known)
    choice, tokeniser = how_to_read(estimator, X, known)
    if tokeniser is None:
        return _read_ids(estimator, X, sample_weight, choice, report)
    return _read_text(estimator, X, sample_weight, choice, tokeniser, report)


def _given_rows(estimator: Any) -> dict[Any, int] | None:
    """Return the checked parameter `vocabulary`."""
    if estimator.vocabulary is None:
        return None
    rows = check_vocabulary(estimator.vocabulary)
    if estimator.max_features is not None:
        raise ValueError(
            f"max_features={estimator.max_features} cannot select from a given "
            "vocabulary; shorten vocabulary or set one of the two to None."
        )
    return rows


def rows_for_matrix(estimator: Any, known: Known | None) -> dict[Any, int] | None:
    """Return the rows of a given vocabulary, or None, for a matrix as input.

    Parameters
    ----------
    estimator, known
        As in `read`.

    Raises
    ------
    ValueError
        If the parameters, or the earlier fits, do not go with a matrix.
    """
    _check_kind(estimator, "a matrix", known)
    return _given_rows(estimator)


def how_to_read(
    estimator: Any, X: Any, known: Known | None
) -> tuple[Choice, CountVectorizer | None]:
    """Return how words are chosen and found, for documents of text or token ids.

    Parameters
    ----------
    estimator, known
        As in `read`.
    X : object
        The documents, for errors. They are not read.

    Returns
    -------
    choice : Choice
    tokeniser : CountVectorizer or None
        None for token ids.

    Raises
    ------
    ValueError
        If the parameters, or the earlier fits, do not go with such documents.
    """
    if estimator.input == "cooccurrence":
        advice = EDGES_ADVICE if is_frame(X) else ""
        raise ValueError(
            "input='cooccurrence' takes a square matrix of words x contexts, got "
            f"{describe(X)}. Pass input='content' to read documents. {advice}".rstrip()
        )
    of_ids = estimator.input == "token_ids"
    _check_kind(estimator, "token ids" if of_ids else "text", known)
    rows = _given_rows(estimator)
    if of_ids:
        _check_ids(estimator, rows)
    elif rows is not None and not isinstance(next(iter(rows)), str):
        raise ValueError(
            "vocabulary holds int, which the words of documents never are: pass str, "
            "or a matrix whose columns they are, or input='token_ids'."
        )
    tokeniser = None if of_ids else vectorizer(estimator, fits=True)
    return _choice(estimator, rows, known), tokeniser


def _check_ids(estimator: Any, rows: dict[Any, int] | None) -> None:
    """Raise an error for parameters that do not go with token ids."""
    if rows is not None and not isinstance(next(iter(rows)), int):
        raise ValueError(
            f"vocabulary holds {next(iter(rows))!r}, but input='token_ids' takes "
            "documents of int. Pass the ids to learn vectors of, or None."
        )
    if estimator.stop_words is not None:
        raise ValueError(
            "stop_words are words of text, and input='token_ids' takes documents of "
            f"ids. Pass None, and replace unwanted ids by {token_ids.PAD}."
        )


def _choice(estimator: Any, rows: dict[Any, int] | None, known: Known | None) -> Choice:
    """Return how the words of documents are chosen."""
    limits = estimator.min_count, estimator.max_features
    if known is None:
        return Choice(rows, rows is not None, False, limits)
    fixed = rows is not None or not known.grows
    return Choice(known.rows, fixed, True, limits)


def _check_kind(estimator: Any, kind: str, known: Known | None) -> None:
    """Raise an error if the documents are of another kind than those of before."""
    if known is None:
        return
    earlier = "text"
    if known.columns is not None:
        earlier = "a matrix"
    elif _knows_ids(estimator, known.rows):
        earlier = "token ids"
    if kind != earlier:
        raise ValueError(
            f"{type(estimator).__name__} was fitted on {earlier} and is to resume with "
            f"{kind}: pass the same kind, or call {fit_anew(estimator)}."
        )


def takes_ids(estimator: Any) -> bool:
    """Return whether the documents of an estimator are token ids."""
    return getattr(estimator, "input", None) == "token_ids"


def _knows_ids(estimator: Any, rows: dict[Any, int]) -> bool:
    """Whether the words of an estimator that learns vectors are ids."""
    return hasattr(estimator, "input") and isinstance(next(iter(rows), ""), int)


def _read_ids(
    estimator: Any,
    X: Any,
    sample_weight: Any,
    choice: Choice,
    report: Callable[[float], bool] | None,
) -> Reading:
    """Read documents of token ids. With a `memory`, their counts are kept there."""
    ids, missing = _file_for(estimator, X), estimator.missing
    found = _tokenise(X, None, sample_weight, choice, report, missing, ids=ids)
    corpus, vocabulary = found
    if estimator.memory is not None:
        key = key_of("token_ids", *corpus[:4])
        corpus = corpus._replace(key=key)
    return Reading(corpus, vocabulary, None, np.float32)


def read_all(
    estimator: Any,
    X: Any,
    rows: dict[Any, int],
    sample_weight: Any = None,
    known: Known | None = None,
    report: Callable[[float], bool] | None = None,
) -> Reading:
    """Read all words of the input of a fit that learns no vectors.

    Parameters
    ----------
    estimator, X, sample_weight, known, report
        As in `read`.
    rows : dict of str or int to int
        The words that have vectors. They decide which columns of a matrix are chosen.

    Returns
    -------
    Reading
        With all words of the documents. The columns have the rows of the given words.

    Raises
    ------
    ValueError
        As in `read`, or if no column of a matrix is one of the given words.
    """
    if is_collection(X):
        X = local(X)
    of_numbers = means_matrix(X, estimator.missing)
    _check_kind(estimator, "a matrix" if of_numbers else "text", known)
    if not of_numbers:
        # The first part of a stream must hold words. The next ones may be empty.
        choice = Choice(None, False, False, (0, None))
        if known is not None:
            choice = Choice({}, False, True, (0, None))
        tokeniser = vectorizer(estimator, fits=True)
        return _read_text(estimator, X, sample_weight, choice, tokeniser, report)
    matrix, columns = _matrix.read(X, estimator, None, known and known.columns)
    if known is None:
        columns = _matrix.find_rows(columns, rows)
    weights = check_weights(sample_weight, matrix.shape[0])
    vocabulary, _ = _matrix.select(matrix, columns._replace(chosen=None), None, weights)
    return Reading(
        _matrix.to_corpus(matrix, weights),
        vocabulary,
        columns,
        np.float64 if matrix.dtype == np.float64 else np.float32,
        (_WALKS,) if resembles_walks(X) else (),
    )


def _read_text(
    estimator: Any,
    X: Any,
    sample_weight: Any,
    choice: Choice,
    tokeniser: CountVectorizer,
    report: Callable[[float], bool] | None,
) -> Reading:
    how = choice, report, estimator.missing, estimator.n_jobs
    if estimator.memory is None:
        found = _tokenise(X, tokeniser, sample_weight, *how)
        return Reading(*found, None, np.float32)
    ids = _file_for(estimator, X)
    if ids is not None:
        return _read_stream(estimator, X, ids, tokeniser, sample_weight, *how)
    # An iterator can be consumed once only, and only checked documents can be hashed.
    X = _listed(X, estimator.missing)
    sample_weight = check_weights(sample_weight, len(X))
    tokens, (tokenising, notes) = digest(X), _identify(estimator)
    if tokens is None or tokenising is None:
        found = _tokenise(X, tokeniser, sample_weight, *how)
        return Reading(*found, None, np.float32, notes)
    key = _key_of_text(tokens, tokenising, sample_weight, choice)
    kept, kept_under = keep(
        estimator.memory,
        key,
        lambda: _to_parts(*_tokenise(X, tokeniser, sample_weight, *how)),
    )
    return Reading(*_from_parts(kept_under, *kept), None, np.float32)


def _file_for(estimator: Any, X: Any) -> FileArray | None:
    """Return a file for the token ids of a stream, or None to hold them in memory."""
    folder = folder_of(estimator.memory)
    if folder is None or hasattr(X, "__len__"):
        return None
    try:
        return FileArray(folder, "i")
    except OSError:
        # `memory` will say that it cannot write there.
        return None


def _read_stream(
    estimator: Any,
    X: Any,
    ids: FileArray,
    tokeniser: CountVectorizer,
    sample_weight: Any,
    choice: Choice,
    report: Callable[[float], bool] | None,
    missing: str,
    n_jobs: int | None,
) -> Reading:
    """Read documents of which few are in memory, and token ids in a file.

    `memory` does not keep the token ids. The documents have to be read anyhow, to tell
    that they are the same. It keeps what is found under their key, as the counts.
    """
    told = Digest()
    documents = told.watch(checked(X, missing=missing))
    how = choice, report, missing, n_jobs, ids
    found = _tokenise(documents, tokeniser, sample_weight, *how)
    corpus, vocabulary = found
    tokens, (tokenising, notes) = told.value(), _identify(estimator)
    if tokens is not None and tokenising is not None:
        key = _key_of_text(tokens, tokenising, corpus.doc_weights, choice)
        corpus = corpus._replace(key=key)
    return Reading(corpus, vocabulary, None, np.float32, notes)


def _key_of_text(
    tokens: str, tokenising: str, weights: np.ndarray | None, choice: Choice
) -> str:
    """Return the key of a corpus: of its documents and of how they are read."""
    given = None if choice.rows is None else digest(list(choice.rows))
    how = given, choice.is_fixed, choice.is_known, *choice.limits
    return key_of("text", tokens, tokenising, weights, *how)


def _listed(X: Any, missing: str) -> list[Any]:
    """Return checked documents. With ``missing="empty"``, missing ones are empty."""
    return list(checked(X, missing=missing))


def _tokenising(estimator: Any) -> dict[str, Any]:
    return {name: getattr(estimator, name) for name in _TOKENISING}


def _identify(estimator: Any) -> tuple[str | None, tuple[str, ...]]:
    """Return a digest of the parameters of tokenising, or None and a warning."""
    found = []
    for name, value in _tokenising(estimator).items():
        try:
            found.append(fingerprint(value))
        except UnhashableError as error:
            note = (
                f"memory keeps nothing of this fit: it cannot tell {name}={value!r} "
                f"from others ({error}). Pass a callable of functions and plain "
                "values, or memory=None."
            )
            return None, (note,)
    return key_of(*found), ()


def _to_parts(corpus: Corpus, vocabulary: Vocabulary) -> tuple[Any, ...]:
    # joblib pickles arrays quickly, and str slowly.
    words = pickle.dumps([str.__str__(word) for word in vocabulary.rows])
    ids, offsets, weights = corpus.token_ids, corpus.doc_offsets, corpus.doc_weights
    return ids, offsets, weights, words, vocabulary.counts


def _from_parts(
    key: str | None,
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
    tokeniser: CountVectorizer | None,
    sample_weight: Any,
    choice: Choice,
    report: Callable[[float], bool] | None,
    missing: str,
    n_jobs: int | None = None,
    ids: FileArray | None = None,
) -> tuple[Corpus, Vocabulary]:
    """Read documents of text or, without a tokeniser, of token ids.

    The numbers of tokens are in memory, or in a file that is given.
    """
    rows = choice.rows
    if rows is not None and choice.is_fixed:
        if tokeniser is None:
            corpus = token_ids.look_up(X, rows, report, missing, ids=ids)
        else:
            how = report, missing, None, ids, n_jobs
            corpus = tokenize.look_up(X, tokeniser, rows, *how)
        weights = check_weights(sample_weight, corpus.n_documents)
        corpus = corpus._replace(doc_weights=weights)
        if choice.is_known:
            return corpus, Vocabulary(rows, _vocabulary.add_up(corpus, len(rows)))
        return corpus, _vocabulary.count(corpus, rows)
    number: Any = token_ids.number
    if tokeniser is not None:
        number = partial(tokenize.number, vectorizer=tokeniser, n_jobs=n_jobs)
    numbered, offsets, words = number(X, report=report, missing=missing, ids=ids)
    weights = check_weights(sample_weight, len(offsets) - 1)
    found = numbered, offsets, words, *choice.limits, weights
    if rows is not None:
        return _vocabulary.extend(*found, known=rows)
    return _vocabulary.build(*found)


def _read_matrix(
    estimator: Any,
    X: Any,
    sample_weight: Any,
    rows: dict[str, int] | None,
    known: Known | None,
) -> Reading:
    matrix, columns = _matrix.read(X, estimator, rows, known and known.columns)
    square = estimator.input == "cooccurrence"
    if square and sample_weight is not None:
        raise ValueError(
            "sample_weight is that of documents; with input='cooccurrence' there are "
            "none. Multiply the counts instead."
        )
    if square and matrix.shape[0] != matrix.shape[1]:
        advice = EDGES_ADVICE if is_frame(X) else ""
        raise ValueError(
            "input='cooccurrence' takes a square matrix of words x contexts, got one "
            f"of shape {matrix.shape}. {advice}".rstrip()
        )
    if square:
        _matrix.check_row_labels(X)
    weights = check_weights(sample_weight, matrix.shape[0])
    most = estimator.max_features if known is None else None
    vocabulary, columns = _matrix.select(matrix, columns, most, weights)
    if known is not None:
        vocabulary = Vocabulary(known.rows, vocabulary.counts)
    counts = None
    if square:
        counts, vocabulary = _choose_counts(matrix, columns, vocabulary)
    corpus = _matrix.to_corpus(_matrix.choose(matrix, columns), weights)
    dtype = np.float64 if matrix.dtype == np.float64 else np.float32
    notes = () if square or not resembles_walks(X) else (_WALKS,)
    return Reading(corpus._replace(counts=counts), vocabulary, columns, dtype, notes)


def _choose_counts(
    matrix: sparse.csr_array, columns: Columns, vocabulary: Vocabulary
) -> tuple[sparse.csr_array, Vocabulary]:
    """Return the counts between the chosen words, and a vocabulary with row sums."""
    if columns.chosen is not None:
        matrix = _matrix.choose(matrix[columns.chosen], columns)
    counts = sparse.csr_array(matrix, dtype=np.float64, copy=True)
    totals = counts @ np.ones(counts.shape[1])
    return counts, Vocabulary(vocabulary.rows, totals)


def look_up(
    estimator: Any, X: Any, used: tuple[str, ...] = TABLES
) -> tuple[Corpus, type]:
    """Return documents as rows of a fitted vocabulary, and the dtype of features.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.
    X : iterable of documents, or matrix
    used : tuple of str, default=TABLES
        Attributes with an entry for each word that will be used with the result.

    Returns
    -------
    corpus : Corpus
        Without out-of-vocabulary words.
    dtype : type

    Raises
    ------
    ValueError
        If a document is not valid, if a matrix has other columns than that of `fit`, or
        if words have rows that these attributes do not have.
    """
    of_ids, columns = takes_ids(estimator), estimator._columns
    n_rows = count_rows(vars(estimator), used)
    if of_ids:
        rows = _rows_of_ids(estimator)
        found = token_ids.look_up(X, rows, None, estimator.missing, n_rows)
        return found, np.float32
    if means_matrix(X, estimator.missing):
        matrix = _matrix.look_up(X, estimator, columns)
        if columns is not None:
            matrix = _matrix.choose(matrix, columns)
            matrix = _matrix.place(matrix, columns, n_rows)
        if matrix.shape[1] != n_rows:
            raise ValueError(
                f"{type(estimator).__name__} knows {matrix.shape[1]} words, but has "
                f"vectors of {n_rows}: its attributes do not come from one fit. Set "
                "them back, or call fit."
            )
        dtype = np.float64 if matrix.dtype == np.float64 else np.float32
        return _matrix.to_corpus(matrix, None), dtype
    _check_words(estimator, X, columns)
    return _look_up_text(estimator, X, n_rows), np.float32


def coverage(estimator: Any, X: Any) -> np.ndarray:
    """Return the share of each document's tokens that are in a fitted vocabulary.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.
    X : iterable of documents, or matrix

    Returns
    -------
    ndarray of shape (n_documents,), float64

    Raises
    ------
    ValueError
        As in `look_up`.
    """
    columns = estimator._columns
    if takes_ids(estimator):
        return token_ids.coverage(X, _rows_of_ids(estimator), estimator.missing)
    if means_matrix(X, estimator.missing):
        return _matrix.coverage(X, estimator, columns)
    _check_words(estimator, X, columns)
    tokeniser = vectorizer(estimator, fits=False)
    return tokenize.coverage(X, tokeniser, estimator.vocabulary_, estimator.missing)


def _rows_of_ids(estimator: Any) -> dict[Any, int]:
    """Return the rows of a fitted vocabulary, whose words have to be ids."""
    rows = estimator.vocabulary_
    if not _knows_ids(estimator, rows):
        raise ValueError(
            f"{type(estimator).__name__} has input='token_ids', but was fitted on "
            f"words of str ({next(iter(rows), None)!r}, ...). Set input back, or call "
            "fit."
        )
    return rows


def _check_words(estimator: Any, X: Any, columns: Columns | None) -> None:
    """Raise an error for text if the words in `fit` were not str."""
    if columns is None:
        if _knows_ids(estimator, estimator.vocabulary_):
            raise ValueError(
                f"{type(estimator).__name__} was fitted on token ids, which the words "
                "of documents never are. Set input='token_ids' back, or call fit."
            )
        return
    words = columns.words
    if words is not None and not isinstance(words[0], str):
        raise ValueError(
            f"{type(estimator).__name__} was fitted on a matrix whose columns are "
            f"labelled by int ({words[0]!r}, ...), which the words of documents never "
            "are. Pass a matrix, or fit on a frame whose columns are labelled by str."
        )
    if words is None and _is_text(X):
        raise ValueError(
            f"{type(estimator).__name__} was fitted on a matrix whose columns have no "
            "names, so it does not know the words of documents. Pass a matrix, or fit "
            "on a frame with the words as its columns, or with `vocabulary`."
        )


def _look_up_text(estimator: Any, X: Any, n_rows: int) -> Corpus:
    """Look up text. With a `memory`, the result is kept for the same documents."""
    tokeniser = vectorizer(estimator, fits=False)
    rows, missing = estimator.vocabulary_, estimator.missing
    find = partial(
        tokenize.look_up,
        vectorizer=tokeniser,
        rows=rows,
        missing=missing,
        n_rows=n_rows,
        n_jobs=estimator.n_jobs,
    )
    if (
        estimator.memory is None
        or not hasattr(X, "__len__")
        # Objects that a function refers to may have changed.
        or any(map(callable, _tokenising(estimator).values()))
    ):
        return find(X)
    X = _listed(X, missing)
    much = _MUCH + _MUCH_PER_WORD * len(rows)
    known = digest(X) if sum(map(len, X)) >= much else None
    identity = None if known is None else _identify(estimator)[0]
    if identity is None:
        return find(X)
    numbers = rows_of(rows, rows, n_rows)
    key = key_of("rows", known, identity, digest(list(rows)), numbers)
    corpus = _looked_up.get(key)
    if corpus is None:
        corpus = find(X)._replace(key=key)
        arrays = corpus.token_ids, corpus.doc_offsets
        _looked_up.add(key, corpus, sum(array.nbytes for array in arrays))
    ids, offsets = corpus.token_ids.copy(), corpus.doc_offsets.copy()
    return corpus._replace(token_ids=ids, doc_offsets=offsets)


def look_up_pairs(estimator: Any, X: Any) -> Corpus:
    """Return the documents or counts whose pairs a fitted estimator scores.

    Like `look_up`, but with ``input="cooccurrence"`` a matrix contains counts, as in
    `fit`. A matrix of Dask is brought into the memory of this process.
    """
    if is_collection(X):
        X = local(X, takes_ids(estimator))
    corpus, _ = look_up(estimator, X, PER_WORD)
    if estimator.input != "cooccurrence" or corpus.token_weights is None:
        return corpus
    n_words = len(estimator.word_vectors_)
    if corpus.n_documents != n_words:
        raise ValueError(
            f"X has {corpus.n_documents} rows; with input='cooccurrence' a matrix of "
            f"words x contexts is scored, with one for each of the {n_words} words."
        )
    _matrix.check_row_labels(X)
    parts = corpus.token_weights, corpus.token_ids, corpus.doc_offsets
    return corpus._replace(counts=sparse.csr_array(parts, shape=(n_words, n_words)))


def _is_text(X: Any) -> bool:
    """Whether it can be text."""
    return not (isinstance(X, np.ndarray) and X.dtype.kind in "biufc")


def vectorizer(estimator: Any, fits: bool) -> CountVectorizer:
    """Return the vectorizer that tokenises documents for an estimator.

    Parameters
    ----------
    estimator : BaseEmbedder
    fits : bool
        Whether this is a fit. It warns about stop words that are never tokens.
    """
    settings = _tokenising(estimator)
    pattern = settings["token_pattern"]
    settings["token_pattern"] = tokenize.SAME_RUNS.get(pattern, pattern)
    if isinstance(settings["stop_words"], list):
        settings["stop_words"] = _as_set(tuple(settings["stop_words"]))
    found = CountVectorizer(**settings)
    if not fits:
        # Then scikit-learn does not check the stop words again.
        found._stop_words_id = id(found.stop_words)
    return found


@lru_cache(maxsize=16)
def _as_set(words: tuple[Any, ...]) -> frozenset[Any]:
    # For a long list, this takes longer than tokenising a document.
    return frozenset(words)
