"""Vectors that users pass: a table, a path, a model of gensim or a mapping."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from skembed.vectors._word_vectors import WordVectors


def is_given(value: Any) -> bool:
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
