"""What all measures share: where vectors come from, and rows of words."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from skembed._transformer import DocumentTransformer
from skembed.vectors import WordVectors, _given, _search
from skembed.vectors._validation import is_word


def as_word_vectors(vectors: Any) -> WordVectors:
    """Return a table of words and vectors, wherever it comes from.

    Parameters
    ----------
    vectors : WordVectors, embedder, mapping, KeyedVectors, str or path
        A fitted embedder stands for its word vectors. A mapping has words as keys and
        vectors as values. A path is that of a file that ``WordVectors.load`` reads.

    Returns
    -------
    WordVectors
        The argument itself if it is a table already.

    Raises
    ------
    InvalidParameterError
        If it is something else. It is a ValueError and a TypeError.
    NotFittedError
        If it is an embedder that is not fitted.
    ValueError
        If a file or a vector is not valid.

    Examples
    --------
    >>> from skembed.metrics import as_word_vectors
    >>> as_word_vectors({"left": [1, 0], "right": [0, 1]}).words
    ('left', 'right')
    """
    if isinstance(vectors, DocumentTransformer) or hasattr(vectors, "word_vectors_"):
        return WordVectors.from_estimator(vectors)
    return _given.as_word_vectors(vectors, "vectors")


class Rows:
    """The rows of words in a table, with or without regard to case.

    Parameters
    ----------
    vectors : WordVectors
    ignore_case : bool
        If True, the first of the words that differ only in case stands for all.
    """

    def __init__(self, vectors: WordVectors, ignore_case: bool) -> None:
        self.vocabulary = vectors.vocabulary
        self.ignore_case = ignore_case
        if ignore_case:
            folded: dict[Any, int] = {}
            for row, word in enumerate(vectors.words):
                folded.setdefault(fold(word), row)
            self.vocabulary = folded

    def key(self, word: Any) -> Any:
        """Return what is compared in place of a word."""
        return fold(word) if self.ignore_case else word

    def find(self, words: Iterable[Any]) -> np.ndarray:
        """Return the row of each word, -1 where there is none."""
        rows = []
        for word in words:
            if not is_word(word):
                raise TypeError(f"{word!r} ({type(word).__name__}) is not a word.")
            rows.append(self.vocabulary.get(self.key(word), -1))
        return np.array(rows, dtype=np.int64)


def fold(word: Any) -> Any:
    """Return a word without its case, by the rules of Unicode."""
    return word.casefold() if isinstance(word, str) else word


def units(vectors: WordVectors, rows: np.ndarray) -> np.ndarray:
    """Return vectors of length 1, or of zeros, of rows of a table, in float64."""
    return vectors._table.units(rows)


def cosines(vectors: WordVectors, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the cosines of pairs of rows, 0 for a zero vector and for the row -1.

    Parameters
    ----------
    vectors : WordVectors
    first, second : ndarray of shape (n_pairs,), int

    Returns
    -------
    ndarray of shape (n_pairs,), float64
    """
    found = np.zeros(first.size)
    known = (first >= 0) & (second >= 0)
    found[known] = _search.pair_cosines(vectors._table, first[known], second[known])
    # Cosines that differ by rounding errors only, as those of words with themselves,
    # would get different ranks.
    return np.round(found, 12)
