"""The two types that pass from room to room: `Vocabulary` and `Corpus`."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np


class Corpus(NamedTuple):
    """Documents as word ids, one behind the other."""

    token_ids: np.ndarray  # int32 (n_tokens,)
    doc_offsets: np.ndarray  # int64 (n_documents + 1,)

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


class _Lookup(dict):
    """Row of a word, -1 for words outside the vocabulary."""

    def __missing__(self, word):
        return -1


def _encode(documents: Iterable[Any], row_of: Callable[[str], int]) -> Corpus:
    # array.extend(map(...)) keeps the loop over tokens out of Python code.
    ids = array("i")
    offsets = array("q", [0])
    for tokens in documents:
        ids.extend(map(row_of, tokens))
        offsets.append(len(ids))
    return Corpus(
        np.frombuffer(ids, dtype=np.intc).astype(np.int32, copy=False)
        if ids
        else np.empty(0, dtype=np.int32),
        np.frombuffer(offsets, dtype=np.int64),
    )


def _keep_tokens(corpus: Corpus, kept: np.ndarray) -> Corpus:
    """Drop the tokens where `kept` is False; documents stay, maybe empty."""
    before = np.concatenate([[0], np.cumsum(kept)])
    return Corpus(corpus.token_ids[kept], before[corpus.doc_offsets])


def encode(documents: Iterable[Any], index: Mapping[str, int]) -> Corpus:
    """Map documents to rows of a vocabulary; unknown words are left out.

    Parameters
    ----------
    documents : iterable of iterables of str
    index : mapping of str to int

    Returns
    -------
    Corpus
    """
    corpus = _encode(documents, _Lookup(index).__getitem__)
    known = corpus.token_ids >= 0
    return corpus if known.all() else _keep_tokens(corpus, known)


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


def encode_with(
    documents: Iterable[Any], index: dict[str, int]
) -> tuple[Corpus, Vocabulary]:
    """Encode documents with a given vocabulary and count its words.

    Parameters
    ----------
    documents : iterable of iterables of str
    index : dict of str to int

    Returns
    -------
    corpus : Corpus
    vocabulary : Vocabulary

    Raises
    ------
    ValueError
        If none of the words occurs.
    """
    corpus = encode(documents, index)
    if not corpus.token_ids.size:
        raise ValueError(
            f"None of the {len(index)} words of vocabulary occurs in the "
            f"{corpus.n_documents} documents. Check that lowercase, strip_accents and "
            "token_pattern produce words of the vocabulary's form."
        )
    counts = np.bincount(corpus.token_ids, minlength=len(index)).astype(np.int64)
    return corpus, Vocabulary(index, counts)


def build(
    documents: Iterable[Any], min_count: int, max_features: int | None
) -> tuple[Corpus, Vocabulary]:
    """Learn a vocabulary and encode the documents, in one pass over them.

    Parameters
    ----------
    documents : iterable of iterables of str
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
    seen: defaultdict[str, int] = defaultdict()
    seen.default_factory = seen.__len__
    corpus = _encode(documents, seen.__getitem__)
    counts = np.bincount(corpus.token_ids, minlength=len(seen))
    words = list(seen)
    order = np.flatnonzero(counts >= min_count).tolist()
    order.sort(key=lambda row: (-counts[row], words[row]))
    if not order:
        raise ValueError(_why_empty(corpus, words, counts, min_count))
    order = order[:max_features]
    new_row = np.full(len(words), -1, dtype=np.int32)
    new_row[order] = np.arange(len(order), dtype=np.int32)
    index = {words[row]: i for i, row in enumerate(order)}
    del seen
    corpus = Corpus(new_row[corpus.token_ids], corpus.doc_offsets)
    if len(order) < len(new_row):
        corpus = _keep_tokens(corpus, corpus.token_ids >= 0)
    return corpus, Vocabulary(index, counts[order].astype(np.int64))


def _why_empty(
    corpus: Corpus, words: list[str], counts: np.ndarray, min_count: int
) -> str:
    if not corpus.n_documents:
        return "X holds no documents: pass at least one."
    if not words:
        return (
            f"Empty vocabulary: the {corpus.n_documents} documents hold no tokens at "
            "all. They may be empty, hold stop words only, or token_pattern may not "
            "match."
        )
    top = int(counts.argmax())
    return (
        f"Empty vocabulary: no word occurs min_count={min_count} times; the most "
        f"frequent, {words[top]!r}, occurs {counts[top]} times. Lower min_count or "
        "pass more documents."
    )
