"""Words, and vectors of words, that users give to an estimator."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from skembed._corpus.kinds import is_int
from skembed._tying.layout import LARGEST


def check_vectors(
    init: Any, vocabulary: dict[Any, int] | None, n_components: int
) -> dict[Any, np.ndarray]:
    """Return the parameter `init` as a dict from word to vector.

    Parameters
    ----------
    init : mapping of str to array-like, or array-like of shape (n_words, n_components)
        Rows of an array are those of the given vocabulary. Words may also be int. An
        object with a mapping `key_to_index` and an array `vectors`, as gensim has it,
        is a mapping, too.
    vocabulary : dict of str to int, or None
    n_components : int

    Returns
    -------
    dict of str to ndarray of shape (n_components,), float32

    Raises
    ------
    ValueError
        If a vector has another length or is not finite, or if it is not known which
        words the rows of an array belong to.
    """
    if hasattr(init, "key_to_index") and hasattr(init, "vectors"):
        init = _keyed(init)
    elif not isinstance(init, Mapping):
        init = _by_word(init, vocabulary)
    found = {}
    for word, given in init.items():
        if not (isinstance(word, str) or is_int(word)):
            raise ValueError(
                f"init must map words, which are str (or int, as those of a matrix may "
                f"be), got {word!r}."
            )
        vector = _as_vector(word, given)
        if vector.shape != (n_components,):
            raise ValueError(
                f"init holds a vector of shape {vector.shape} for {word!r}; with "
                f"n_components={n_components} it must be of shape ({n_components},)."
            )
        with np.errstate(over="ignore"):
            vector = vector.astype(np.float32, copy=False)
        if not (np.abs(vector) <= LARGEST).all():
            raise ValueError(
                f"init holds numbers for {word!r} that are infinite, missing or larger "
                f"than {LARGEST:.0e}. Replace them, or leave that word out."
            )
        found[word] = vector
    return found


def _keyed(init: Any) -> dict[Any, Any]:
    n_rows = len(init.vectors)
    for word, row in init.key_to_index.items():
        if not (is_int(row) and 0 <= row < n_rows):
            raise ValueError(
                f"init.key_to_index has the row {row!r} for {word!r}, but init.vectors "
                f"has the rows 0, 1, ..., {n_rows - 1}."
            )
    return {word: init.vectors[row] for word, row in init.key_to_index.items()}


def _by_word(init: Any, vocabulary: dict[Any, int] | None) -> dict[Any, Any]:
    try:
        rows = np.asarray(init)
    except ValueError as error:
        raise ValueError(f"init is not an array: {error}.") from error
    if rows.ndim == 0:
        raise ValueError(
            "init must be a mapping of words to vectors, an array with a row for each "
            "word of `vocabulary`, or KeyedVectors (model.wv of a model of gensim), "
            f"got {init!r}."
        )
    if vocabulary is None:
        raise ValueError(
            "init is an array, whose rows do not say which words they belong to. Pass "
            "these words as `vocabulary`, or a mapping of words to vectors."
        )
    if rows.ndim != 2 or len(rows) != len(vocabulary):
        raise ValueError(
            f"init is an array of shape {rows.shape}; it needs one row for each of the "
            f"{len(vocabulary)} words of vocabulary."
        )
    return {word: rows[row] for word, row in vocabulary.items()}


def _as_vector(word: Any, given: Any) -> np.ndarray:
    try:
        vector = np.asarray(given)
        if vector.dtype.kind == "O" and all(isinstance(x, Real) for x in vector.flat):
            vector = vector.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"init[{word!r}] is not an array: {error}.") from error
    if vector.dtype.kind not in "biuf":
        raise ValueError(
            f"init holds {vector.dtype} for {word!r}; vectors are of real numbers."
        )
    return vector
