"""Vectors that users pass: a table, a path, a model of gensim or a mapping."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from skembed._corpus.validation import check_vocabulary
from skembed._tying.layout import LARGEST
from skembed.vectors._word_vectors import WordVectors


def _is_given(value: Any) -> bool:
    """Return whether it is of a kind that `as_word_vectors` takes."""
    kinds = (WordVectors, str, PathLike, Mapping)
    return isinstance(value, kinds) or _is_of_gensim(value)


def _is_of_gensim(value: Any) -> bool:
    return hasattr(value, "key_to_index") or hasattr(value, "wv")


def as_word_vectors(given: Any, name: str) -> WordVectors:
    """Return given vectors as a table.

    Parameters
    ----------
    given : WordVectors, str, path, KeyedVectors, model of gensim or mapping
        A str or path is a file, see `WordVectors.load`.
    name : str
        The parameter, for errors.

    Returns
    -------
    WordVectors

    Raises
    ------
    InvalidParameterError
        If it is something else, if words or vectors are not valid, or if a file cannot
        be read. It is a ValueError and a TypeError.
    """
    if isinstance(given, WordVectors):
        return given
    from sklearn.utils._param_validation import InvalidParameterError

    try:
        if isinstance(given, (str, PathLike)):
            return WordVectors.load(given)
        if isinstance(given, Mapping):
            return WordVectors.from_dict(given)
        if _is_of_gensim(given):
            return WordVectors.from_gensim(given)
    except OSError as error:
        raise InvalidParameterError(
            f"{name}={given!r} is not a file of vectors that can be read: {error}."
        ) from error
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(f"{name}: {error}") from error
    # It may be long.
    kind = repr(given) if np.isscalar(given) else type(given).__name__
    raise InvalidParameterError(
        f"{name} must be skembed.vectors.WordVectors, a path, KeyedVectors or a model "
        f"of gensim, or a mapping of words to vectors, got {kind}. For a fitted "
        "embedder, pass WordVectors.from_estimator(embedder). For a pipeline, pass its "
        "embedder step, such as pipeline[0]. For a search, use best_estimator_."
    )


def table_to_fit(given: Any, name: str) -> WordVectors:
    """Return given vectors as a table whose numbers are not too large for a fit.

    Parameters
    ----------
    given : object
        What `as_word_vectors` takes.
    name : str
        The parameter, for errors.

    Raises
    ------
    ValueError
        If its words or vectors are not valid, or a file cannot be read.
    """
    table = as_word_vectors(given, name)
    vectors = table.vectors
    if max(vectors.max(), -vectors.min()) > LARGEST:
        row = int(np.argmax(np.abs(vectors).max(axis=1)))
        raise ValueError(
            f"{name} holds numbers for {table.words[row]!r} that are larger than "
            f"{LARGEST:.0e}. Replace them, or leave that word out."
        )
    return table


def table_to_start_from(init: Any, vocabulary: Any, n_components: int) -> WordVectors:
    """Return the table that the parameter `init` stands for.

    Parameters
    ----------
    init : object
        What `as_word_vectors` takes, or an array with a row for each word of
        `vocabulary`.
    vocabulary : object
        The parameter `vocabulary`.
    n_components : int
        Length of the vectors.

    Raises
    ------
    ValueError
        As in `table_to_fit`, or if an array and the vocabulary do not match, or if the
        vectors have another length.
    """
    # An array has no words of its own.
    if not _is_given(init):
        init = _rows_of_vocabulary(init, vocabulary)
    table = table_to_fit(init, "init")
    if table.n_components != n_components:
        raise ValueError(
            f"init holds a vector of shape ({table.n_components},) for "
            f"{table.words[0]!r}; with n_components={n_components} it must be of shape "
            f"({n_components},)."
        )
    return table


def _rows_of_vocabulary(init: Any, vocabulary: Any) -> dict[Any, np.ndarray]:
    """Return the rows of an array by the words of a given vocabulary."""
    try:
        rows = np.asarray(init)
    except ValueError as error:
        raise ValueError(f"init is not an array: {error}.") from error
    if rows.ndim == 0:
        raise ValueError(
            "init must be WordVectors, the path of a file of vectors, a mapping of "
            "words to vectors, KeyedVectors or a model of gensim, or an array with a "
            f"row for each word of `vocabulary`, got {init!r}."
        )
    if vocabulary is None:
        raise ValueError(
            "init is an array, whose rows do not say which words they belong to. Pass "
            "these words as `vocabulary`, or a mapping of words to vectors."
        )
    places = check_vocabulary(vocabulary)
    if rows.ndim != 2 or len(rows) != len(places):
        raise ValueError(
            f"init is an array of shape {rows.shape}; it needs one row for each of the "
            f"{len(places)} words of vocabulary."
        )
    return {word: rows[row] for word, row in places.items()}
