"""`WordVectors`: an immutable table of words and their vectors."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

TABLES = ("word", "context", "sum", "concat")


class WordVectors:
    """An immutable table of words and their vectors.

    Parameters
    ----------
    words : iterable of str or int
        The words, each of them once, in the order of the rows. Words are int only if
        the columns of a matrix were named by int.
    vectors : array-like of shape (n_words, n_components)
        The vectors. A float32 array is not copied. All values must be finite.
    counts : array-like of shape (n_words,), default=None
        How often each word occurred in training.
    source : str, default=""
        Where the vectors came from, for people to read.

    Attributes
    ----------
    words : tuple of str or int
        The words, in the order of the rows.
    vectors : ndarray of shape (n_words, n_components), float32
        The vectors, read-only.
    vocabulary : mapping of str or int to int
        The row of each word, read-only.
    counts : ndarray of shape (n_words,), int64 or float64, or None
        How often each word occurred in training, read-only.
    n_components : int
        Number of dimensions.
    source : str
        Where the vectors came from.

    Raises
    ------
    ValueError
        If a word is given twice, the shapes do not match, or a value is not finite.
    """

    def __init__(
        self,
        words: Iterable[Any],
        vectors: Any,
        *,
        counts: Any = None,
        source: str = "",
    ) -> None:
        self._words = tuple(words)
        self._vocabulary = {word: row for row, word in enumerate(self._words)}
        self._vectors = _read_only(np.asarray(vectors, dtype=np.float32))
        self._counts = None if counts is None else _read_only(np.asarray(counts))
        self._source = source

    @classmethod
    def from_estimator(cls, estimator: Any, which: str = "word") -> "WordVectors":
        """Return the vectors of a fitted embedder."""
        raise NotImplementedError

    @property
    def words(self) -> tuple[Any, ...]:
        return self._words

    @property
    def vectors(self) -> np.ndarray:
        return self._vectors

    @property
    def vocabulary(self) -> Mapping[Any, int]:
        return MappingProxyType(self._vocabulary)

    @property
    def counts(self) -> np.ndarray | None:
        return self._counts

    @property
    def n_components(self) -> int:
        return self._vectors.shape[1]

    @property
    def source(self) -> str:
        return self._source

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._words)

    def __contains__(self, word: object) -> bool:
        return word in self._vocabulary


def _read_only(values: np.ndarray) -> np.ndarray:
    values = values.view()
    values.flags.writeable = False
    return values
