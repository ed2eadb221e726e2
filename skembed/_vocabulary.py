"""The two types that pass from room to room: `Vocabulary` and `Corpus`."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

# Tokens that are counted or renumbered at once.
_CHUNK = 2**18


class Corpus(NamedTuple):
    """Documents as word ids, one behind the other.

    The rows of a documents x words matrix are documents, too: each of its entries is
    a token that counts as much as the entry says, in no particular order.
    """

    token_ids: np.ndarray  # int32 (n_tokens,)
    doc_offsets: np.ndarray  # int64 (n_documents + 1,)
    token_weights: np.ndarray | None = None  # float64 (n_tokens,), of a matrix; or 1
    doc_weights: np.ndarray | None = None  # float64 (n_documents,), in `fit`; or 1

    @classmethod
    def of_known(cls, ids: array, offsets: array) -> "Corpus":
        """Take over the memory of C int and C long long, without tokens of id < 0."""
        # In place: a copy would take as much again. An array shrinks only while there
        # is no view of it, and keeps a sixteenth more than it holds.
        del ids[_drop_negative(_view(ids, np.int32), _view(offsets, np.int64)) :]
        return cls(_view(ids, np.int32), _view(offsets, np.int64))

    @property
    def n_documents(self) -> int:
        return self.doc_offsets.size - 1

    @property
    def longest(self) -> int:
        """Tokens of the longest document; no window can be wider."""
        return int(np.diff(self.doc_offsets).max())


@dataclass(frozen=True)
class Vocabulary:
    """Words in row order, with how often each occurs."""

    rows: dict[str, int]  # word -> row
    counts: np.ndarray  # int64 (n_words,)

    @property
    def words(self) -> list[str]:
        return list(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def check_vocabulary(vocabulary: Any) -> dict[str, int]:
    """Return the parameter `vocabulary` as a dict from word to row.

    Parameters
    ----------
    vocabulary : mapping of str to int, or iterable of str
        A mapping gives the rows; a set is sorted, as scikit-learn does; any other
        iterable keeps its order.

    Returns
    -------
    dict of str to int
        In row order.

    Raises
    ------
    ValueError
        If it is empty, repeats a word or leaves out a row.
    """
    if isinstance(vocabulary, (str, bytes)):
        raise ValueError(f"vocabulary must be a collection of str, got {vocabulary!r}.")
    words = list(vocabulary)
    for word in words:
        if not isinstance(word, str):
            raise ValueError(f"vocabulary must hold str only, got {word!r}.")
    if isinstance(vocabulary, Mapping):
        rows = list(vocabulary.values())
        whole = all(isinstance(row, Integral) for row in rows)
        if not whole or sorted(rows) != list(range(len(rows))):
            raise ValueError(
                "vocabulary must map its words to the rows "
                f"0, 1, ..., {len(rows) - 1} without gaps or repeats, but its rows "
                f"are {rows[:10]}."
            )
        words.sort(key=vocabulary.__getitem__)
    elif isinstance(vocabulary, (set, frozenset)):
        words.sort()
    index = {word: row for row, word in enumerate(words)}
    if len(index) < len(words):
        repeated = next(word for row, word in enumerate(words) if index[word] != row)
        raise ValueError(f"vocabulary holds the word {repeated!r} more than once.")
    if not index:
        raise ValueError("vocabulary is empty; pass at least one word or None.")
    return index


def count(corpus: Corpus, rows: dict[str, int]) -> Vocabulary:
    """Count the words of a given vocabulary.

    Parameters
    ----------
    corpus : Corpus
    rows : dict of str to int

    Returns
    -------
    Vocabulary

    Raises
    ------
    ValueError
        If none of the words occurs.
    """
    if not corpus.token_ids.size:
        raise ValueError(
            f"None of the {len(rows)} words of vocabulary occurs in the "
            f"{corpus.n_documents} documents. Check that lowercase, strip_accents and "
            "token_pattern produce words of the vocabulary's form."
        )
    return Vocabulary(rows, _counts(corpus.token_ids, len(rows)))


def build(
    ids: array,
    offsets: array,
    words: list[str],
    min_count: int,
    max_features: int | None,
) -> tuple[Corpus, Vocabulary]:
    """Choose a vocabulary from all words of documents, and drop the others.

    Parameters
    ----------
    ids : array of C int
        The number of each token, documents one behind the other. The corpus takes
        its memory over.
    offsets : array of C long long
        Where each document begins in `ids`, and where the last one ends; likewise.
    words : list of str
        By their numbers.
    min_count : int
        Words that occur less often are dropped.
    max_features : int or None
        Keep only this many of the most frequent words.

    Returns
    -------
    corpus : Corpus
        Without the dropped words.
    vocabulary : Vocabulary
        Sorted by count, descending, and by word where counts are equal.

    Raises
    ------
    ValueError
        If no word is left.
    """
    counts = _counts(_view(ids, np.int32), len(words))
    order = np.flatnonzero(counts >= min_count).tolist()
    if not order:
        raise ValueError(_why_empty(len(offsets) - 1, words, counts, min_count))
    order.sort(key=words.__getitem__)
    order.sort(key=counts.tolist().__getitem__, reverse=True)
    order = order[:max_features]
    new_row = np.full(len(words), -1, dtype=np.int32)
    new_row[order] = np.arange(len(order), dtype=np.int32)
    _renumber(_view(ids, np.int32), new_row)
    index = {words[row]: i for i, row in enumerate(order)}
    return Corpus.of_known(ids, offsets), Vocabulary(index, counts[order])


def _renumber(token_ids: np.ndarray, new_row: np.ndarray) -> None:
    for chunk in _chunks(token_ids):
        chunk[:] = new_row[chunk]


def _drop_negative(token_ids: np.ndarray, offsets: np.ndarray) -> int:
    """Move tokens >= 0 to the front, with their documents; return how many they are.

    In chunks, since a mask and a sum over all tokens need more memory than these.
    """
    n_left = first = 0
    for chunk in _chunks(token_ids):
        kept = chunk >= 0
        if n_left < first or not kept.all():
            # Offsets in front have become smaller, so that all are still in order.
            ends = offsets.searchsorted([first, first + chunk.size], side="right")
            here = slice(*ends)
            before = np.concatenate([[0], kept.cumsum()])
            offsets[here] = n_left + before[offsets[here] - first]
            token_ids[n_left : n_left + before[-1]] = chunk[kept]
        n_left += int(np.count_nonzero(kept))
        first += chunk.size
    return n_left


def _counts(token_ids: np.ndarray, n_words: int) -> np.ndarray:
    counts = np.zeros(n_words, dtype=np.int64)
    for chunk in _chunks(token_ids):
        counts += np.bincount(chunk, minlength=n_words)
    return counts


def _chunks(token_ids: np.ndarray) -> Iterator[np.ndarray]:
    """Cut tokens up: what is computed from a chunk takes several times its memory."""
    for first in range(0, token_ids.size, _CHUNK):
        yield token_ids[first : first + _CHUNK]


def _view(values: array, dtype: type) -> np.ndarray:
    return np.frombuffer(values, dtype) if values else np.empty(0, dtype)


def _why_empty(
    n_documents: int, words: list[str], counts: np.ndarray, min_count: int
) -> str:
    if not n_documents:
        return "X holds no documents: pass at least one."
    if not words:
        return (
            f"Empty vocabulary: the {n_documents} documents hold no tokens at "
            "all. They may be empty, hold stop words only, or token_pattern may not "
            "match."
        )
    top = int(counts.argmax())
    return (
        f"Empty vocabulary: no word occurs min_count={min_count} times; the most "
        f"frequent, {words[top]!r}, occurs {counts[top]} times. Lower min_count or "
        "pass more documents."
    )
