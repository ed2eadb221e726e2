"""Checks of words, vectors and counts before a table is made of them."""

import json
from collections.abc import Iterable, KeysView, Mapping, Set
from numbers import Integral, Real
from typing import Any

import numpy as np

# Numbers that are checked at once, which limits the working memory.
CHUNK = 2**20


def check_words(words: Any) -> tuple[Any, ...]:
    """Return words as a tuple of str, int or both.

    Parameters
    ----------
    words : iterable of str or int

    Raises
    ------
    TypeError
        If it is not an iterable of words, or has no order.
    ValueError
        If it is empty.
    """
    if isinstance(words, (str, bytes)) or not isinstance(words, Iterable):
        raise TypeError(f"words must be an iterable of str, got {words!r}.")
    if isinstance(words, Set) and not isinstance(words, KeysView):
        raise TypeError(
            f"words is a {type(words).__name__}, which has no order: pass a list in "
            "the order of the vectors."
        )
    words = tuple(words)
    if not words:
        raise ValueError("A table needs at least one word, and words is empty.")
    # Nearly always the only type. Looking at each word takes much longer.
    if set(map(type, words)) <= {str, int}:
        return words
    return tuple(_as_word(row, word) for row, word in enumerate(words))


def is_word(value: Any) -> bool:
    """Return whether it is a str or an int, and not a bool."""
    return isinstance(value, (str, Integral)) and not isinstance(value, (bool, np.bool))


def _as_word(row: int, word: Any) -> str | int:
    if not is_word(word):
        raise TypeError(
            f"words[{row}] is {word!r} ({type(word).__name__}): words must be str, or "
            "int if that is how the columns of a matrix were named."
        )
    # `str(word)` of a derived type may be other text.
    return str.__str__(word) if isinstance(word, str) else int(word)


def rows_of_words(words: tuple[Any, ...]) -> dict[Any, int]:
    """Return the row of each word.

    Raises
    ------
    ValueError
        If a word occurs twice.
    """
    vocabulary = {word: row for row, word in enumerate(words)}
    if len(vocabulary) < len(words):
        # A word that occurs twice has the row of its last occurrence.
        first = next(row for row, word in enumerate(words) if vocabulary[word] != row)
        word = words[first]
        again = words.index(word, first + 1)
        raise ValueError(
            f"The word {word!r} is given twice, in rows {first} and {again}. Leave one "
            f"of the two out ({len(words) - len(vocabulary)} of {len(words)} words "
            "repeat another one)."
        )
    return vocabulary


def check_vectors(vectors: Any, words: tuple[Any, ...]) -> np.ndarray:
    """Return vectors as a read-only float32 array, which is a view where possible.

    Parameters
    ----------
    vectors : array-like of shape (n_words, n_components)
    words : tuple

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If the shape does not match the words, or a number is not finite in float32.
    """
    given = as_numbers(vectors, "vectors")
    if given.ndim != 2:
        raise ValueError(
            "vectors must have two dimensions, words x components, got shape "
            f"{given.shape}."
        )
    if len(given) != len(words):
        raise ValueError(
            f"There are {len(words)} words and {len(given)} vectors: pass one vector "
            "for each word."
        )
    if not given.shape[1]:
        raise ValueError("vectors have 0 components. Pass at least one.")
    # Overflows become infinite, which is found below.
    with np.errstate(over="ignore"):
        found = given.astype(np.float32, copy=False)
    _check_finite(given, found, words)
    return read_only(found)


def as_numbers(values: Any, name: str) -> np.ndarray:
    """Return an array of real numbers. Memory maps stay memory maps.

    Raises
    ------
    TypeError
        If they are not real numbers, or no array can be made of them.
    """
    if np.ma.is_masked(values):
        raise TypeError(f"{name} has masked numbers. Replace them, by filled(0) say.")
    if isinstance(values, np.memmap):
        array: np.ndarray = values
    else:
        try:
            array = np.asarray(values)
            if array.dtype.kind == "O" and all(isinstance(x, Real) for x in array.flat):
                array = array.astype(np.float64)
        except (ValueError, OverflowError) as error:
            raise TypeError(
                f"{name} cannot be made an array of numbers: {error}."
            ) from error
    if array.dtype.kind not in "iuf" or not array.ndim:
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(values).__name__} of "
            f"type {array.dtype} and shape {array.shape}."
        )
    return array


def _check_finite(given: np.ndarray, found: np.ndarray, words: tuple[Any, ...]) -> None:
    step = max(1, CHUNK // found.shape[1])
    for first in range(0, len(found), step):
        finite = np.isfinite(found[first : first + step])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            row += first
            raise ValueError(
                f"The vector of {words[row]!r} (row {row}) holds "
                f"{given[row, column]} in column {column}: all numbers must be finite "
                "in float32. Replace it, or leave that word out."
            )


def check_counts(counts: Any, n_words: int) -> np.ndarray:
    """Return a read-only copy of counts, int64 or float64.

    Parameters
    ----------
    counts : array-like of shape (n_words,)
    n_words : int

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If there is another number of them, or one is negative or not finite.
    """
    given = as_numbers(counts, "counts")
    if given.shape != (n_words,):
        raise ValueError(
            f"counts must have shape ({n_words},), one for each word, got shape "
            f"{given.shape}."
        )
    found = given.astype(np.float64 if given.dtype.kind == "f" else np.int64)
    bad = ~(np.isfinite(found) & (found >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"counts[{row}] is {given[row]}: counts must be finite and not negative."
        )
    return read_only(found)


def as_json(values: Any, name: str) -> str:
    """Return a mapping of str to values as JSON, with sorted keys.

    Raises
    ------
    TypeError
        If it is not such a mapping, or JSON cannot hold a value.
    """
    if not isinstance(values, Mapping) or not all(type(key) is str for key in values):
        raise TypeError(f"{name} must be a mapping with keys of type str: {values!r}.")
    try:
        return json.dumps(dict(values), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"{name} must be a mapping of values that JSON can hold ({error}). Pass "
            "their repr."
        ) from error


def read_only(values: np.ndarray) -> np.ndarray:
    """Return a view of the same memory that nobody can make writable.

    The flag `writeable` alone can be set back. Not so where the memory belongs to a
    read-only buffer, or to a map that was opened for reading.
    """
    if isinstance(values, np.memmap) and values.mode == "r":
        return values
    buffer: Any = values
    return np.asarray(memoryview(buffer).toreadonly())
