"""The two types that pass from room to room: `Vocabulary` and `Corpus`."""

import math
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

# Tokens that are counted or renumbered at once.
_CHUNK = 2**18
# Weights whose binary exponents differ by less are added up together.
_BAND = 40
# Fewer tokens leave each part of the weights some bits.
_MOST_TOKENS = 2.0**50
# Smaller numbers have less digits than others.
_SMALLEST = np.finfo(np.float64).tiny


class Corpus(NamedTuple):
    """Documents as word ids, one behind the other.

    The rows of a documents x words matrix are documents, too: each of its entries is
    a token that counts as much as the entry says, in no particular order.
    """

    token_ids: np.ndarray  # int32 (n_tokens,)
    doc_offsets: np.ndarray  # int64 (n_documents + 1,)
    token_weights: np.ndarray | None = None  # float64 (n_tokens,), of a matrix; or 1
    doc_weights: np.ndarray | None = None  # float64 (n_documents,), in `fit`; or 1
    # float64 (n_words, n_words), words x contexts, if these are given in place of
    # documents: their rows are then the documents
    counts: sparse.csr_array | None = None
    key: str | None = None  # what a `memory` knows it by, if there is one

    @classmethod
    def of_known(cls, ids: array, offsets: array) -> "Corpus":
        """Take over the memory of C int and C long long, without tokens of id < 0."""
        # In place: a copy would take as much again. An array shrinks only while there
        # is no view of it, and keeps a sixteenth more than it holds.
        n_known = _drop_negative(_view(ids, np.int32), _view(offsets, np.int64))
        # A profiler or debugger in another thread may still hold the frame of a call
        # that has returned, with its views: then what is left behind stays.
        with suppress(BufferError):
            del ids[n_known:]
        return cls(_view(ids, np.int32)[:n_known], _view(offsets, np.int64))

    @property
    def n_documents(self) -> int:
        return self.doc_offsets.size - 1

    @property
    def longest(self) -> int:
        """Tokens of the longest document that counts; no window can be wider."""
        lengths = np.diff(self.doc_offsets)
        if self.doc_weights is not None:
            lengths = lengths[self.doc_weights > 0.0]
        return int(lengths.max(initial=0))


@dataclass(frozen=True)
class Vocabulary:
    """Words in row order, with how often each occurs."""

    # word -> row; words are int where the columns of a matrix are labelled by int
    rows: dict[str, int]
    counts: np.ndarray  # int64 (n_words,), or float64 where there are weights

    @property
    def words(self) -> list[str]:
        return list(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def count(corpus: Corpus, rows: dict[str, int]) -> Vocabulary:
    """Count the words of a given vocabulary.

    Parameters
    ----------
    corpus : Corpus
        Every token counts as much as its weight and that of its document say.
    rows : dict of str to int

    Returns
    -------
    Vocabulary

    Raises
    ------
    ValueError
        If none of the words occurs in a document that counts.
    """
    if not corpus.token_ids.size:
        raise ValueError(
            f"None of the {len(rows)} words of vocabulary occurs in the "
            f"{corpus.n_documents} documents. Check that lowercase, strip_accents and "
            "token_pattern produce words of the vocabulary's form."
        )
    counts = add_up(corpus, len(rows))
    if not counts.any():
        raise ValueError(_why_nothing_counts(corpus.doc_weights))
    return Vocabulary(rows, counts)


def build(
    ids: array,
    offsets: array,
    words: list[str],
    min_count: int,
    max_features: int | None,
    doc_weights: np.ndarray | None = None,
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
        Words that occur less often are dropped; at least 1.
    max_features : int or None
        Keep only this many of the most frequent words.
    doc_weights : ndarray of shape (n_documents,), float64, or None, default=None
        How often each document counts, for `min_count` and `max_features` as well;
        not negative. Words of documents that do not count at all are dropped.

    Returns
    -------
    corpus : Corpus
        Without the dropped words, with the weights.
    vocabulary : Vocabulary
        Sorted by count, descending, and by word where counts are equal. Whole weights
        count like repeated documents, exactly. Sums of others do not depend on the
        order of documents.

    Raises
    ------
    ValueError
        If no word is left.
    """
    counts = _counts_of(ids, offsets, words, doc_weights)
    order = _frequent(words, counts, min_count)
    if not order:
        if words and not counts.any():
            raise ValueError(_why_nothing_counts(doc_weights))
        raise ValueError(_why_empty(len(offsets) - 1, words, counts, min_count))
    order = order[:max_features]
    index = {words[number]: row for row, number in enumerate(order)}
    return _chosen(ids, offsets, words, index, doc_weights), Vocabulary(
        index, counts[order]
    )


def extend(
    ids: array,
    offsets: array,
    words: list[str],
    min_count: int,
    max_features: int | None,
    doc_weights: np.ndarray | None,
    known: dict[str, int],
) -> tuple[Corpus, Vocabulary]:
    """Add new words of documents to a vocabulary, and drop the others.

    Parameters
    ----------
    ids, offsets, words, min_count, max_features, doc_weights
        As in `build`. `max_features` is that of known and new words together.
    known : dict of str to int
        Words that keep their rows, however often they occur.

    Returns
    -------
    corpus : Corpus
    vocabulary : Vocabulary
        The known words, and behind them the new ones in the order of `build`; with
        how often they occur here.
    """
    counts = _counts_of(ids, offsets, words, doc_weights)
    new = [i for i in _frequent(words, counts, min_count) if words[i] not in known]
    if max_features is not None:
        new = new[: max(0, max_features - len(known))]
    index = {**known, **{words[i]: row for row, i in enumerate(new, len(known))}}
    rows = np.fromiter((index.get(word, -1) for word in words), np.int64, len(words))
    found = np.zeros(len(index), dtype=counts.dtype)
    found[rows[rows >= 0]] = counts[rows >= 0]
    return _chosen(ids, offsets, words, index, doc_weights), Vocabulary(index, found)


def _counts_of(
    ids: array, offsets: array, words: list[str], doc_weights: np.ndarray | None
) -> np.ndarray:
    # The corpus is not kept: an array of which there is a view cannot shrink.
    corpus = Corpus(_view(ids, np.int32), _view(offsets, np.int64), None, doc_weights)
    return add_up(corpus, len(words))


def _frequent(words: list[str], counts: np.ndarray, min_count: int) -> list[int]:
    """Return the numbers of frequent words: by count, descending, then by word."""
    # No count is larger than this, while a larger int may not fit into the array.
    order = np.flatnonzero(counts >= min(min_count, 2**62))
    order = order[np.argsort(-counts[order], kind="stable")]
    # Sorted piece by piece, since an interrupt has to wait for each.
    edges = np.flatnonzero(np.diff(counts[order])) + 1
    pieces = np.split(order, edges) if order.size else []
    found: list[int] = []
    for piece in pieces:
        found += sorted(piece.tolist(), key=words.__getitem__)
    return found


def _chosen(
    ids: array,
    offsets: array,
    words: list[str],
    index: dict[str, int],
    doc_weights: np.ndarray | None,
) -> Corpus:
    """Return the documents as rows of `index`, without words that it lacks."""
    rows = (index.get(word, -1) for word in words)
    _renumber(_view(ids, np.int32), np.fromiter(rows, np.int32, len(words)))
    return Corpus.of_known(ids, offsets)._replace(doc_weights=doc_weights)


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
        n_kept = int(np.count_nonzero(kept))
        if n_left < first or n_kept < chunk.size:
            here = slice(None)
            if chunk.size < token_ids.size:
                # Offsets in front have become smaller, so that all are still in order.
                ends = offsets.searchsorted([first, first + chunk.size], side="right")
                here = slice(*ends)
            before = np.zeros(chunk.size + 1, dtype=np.int64)
            kept.cumsum(out=before[1:])
            offsets[here] = n_left + before[offsets[here] - first]
            token_ids[n_left : n_left + n_kept] = chunk[kept]
        n_left += n_kept
        first += chunk.size
    return n_left


def add_up(corpus: Corpus, n_words: int) -> np.ndarray:
    """Return how often each word occurs, as in `Vocabulary.counts`."""
    if corpus.doc_weights is not None or corpus.token_weights is not None:
        return _weighted_counts(corpus, n_words)
    counts = np.zeros(n_words, dtype=np.int64)
    for chunk in _chunks(corpus.token_ids):
        counts += np.bincount(chunk, minlength=n_words)
    return counts


def _weighted_counts(corpus: Corpus, n_words: int) -> np.ndarray:
    """Add up the weights of each word's tokens, in float64.

    Equal weights have equal sums, however they are mixed: weights are cut into parts
    that are multiples of such powers of two that no sum of them is rounded. Large and
    small weights are added up apart, so that no sum of small ones is lost.
    """
    whole = _are_times(corpus)
    largest, least, n_tokens = 0.0, np.inf, 0.0
    for _, weights, times in _weights(corpus, whole):
        largest = max(largest, float(weights.max()))
        positive = weights > 0.0
        least = min(least, float(weights.min(where=positive, initial=np.inf)))
        n_tokens += float(times.sum())
    totals = np.zeros(n_words)
    if not largest:
        return totals
    highest, lowest = math.frexp(largest)[1], math.frexp(least)[1]
    with np.errstate(over="ignore"):
        for top in range(highest, lowest - 1, -_BAND):
            of_band = _band_counts(corpus, whole, n_words, top, n_tokens)
            totals += np.ldexp(of_band, top)
        if not np.isfinite(totals.sum()):
            raise _not_in_range("large")
    return totals


def _band_counts(
    corpus: Corpus, whole: bool, n_words: int, top: int, n_tokens: float
) -> np.ndarray:
    """Add up the weights below ``2**top`` and not far below it, divided by that."""
    units: list[float] = []
    size = 1.0
    while not units or units[-1] > 2.0 ** (-53 - _BAND):
        # Rounding to a unit adds half of it at most, for which there is a bit.
        units.append(math.ldexp(1.0, math.frexp(n_tokens * size)[1] - 52))
        size = units[-1] / 2
    totals = np.zeros((len(units), n_words))
    scale = math.ldexp(1.0, -top)
    highest, lowest = np.ldexp(1.0, [top, top - _BAND])
    for token_ids, weights, times in _weights(corpus, whole):
        here = (lowest <= weights) & (weights < highest)
        weights = np.where(here, weights, 0.0) * scale
        for unit, total in zip(units, totals, strict=True):
            if not weights.any():
                break
            part = np.rint(weights / unit) * unit
            total += np.bincount(token_ids, part * times, n_words)
            weights = weights - part
    return totals[::-1].sum(axis=0)


def _are_times(corpus: Corpus) -> bool:
    """Whether weights of documents say how often these are repeated."""
    weights = corpus.doc_weights
    if weights is None:
        return True
    with np.errstate(over="ignore"):
        n_tokens = np.diff(corpus.doc_offsets) @ weights
    return bool(n_tokens < _MOST_TOKENS and not (weights % 1).any())


def _weights(
    corpus: Corpus, whole: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return words, weights and how often each counts, of tokens in chunks.

    Weights of documents are numbers of times if they are whole: repeated documents have
    the same weights of tokens.
    """
    offsets, doc_weights = corpus.doc_offsets, corpus.doc_weights
    if doc_weights is None:
        doc_weights = np.ones(corpus.n_documents)
    first = 0
    for chunk in _chunks(corpus.token_ids):
        last = first + chunk.size
        begin = offsets.searchsorted(first, side="right") - 1
        end = offsets.searchsorted(last, side="left")
        lengths = np.diff(offsets[begin : end + 1].clip(first, last))
        times = np.repeat(doc_weights[begin:end], lengths)
        weights = times if not whole else (times > 0).astype(np.float64)
        if corpus.token_weights is not None:
            weights = _product(corpus.token_weights[first:last], weights)
        if not whole:
            times = np.ones(chunk.size)
        yield chunk, weights, times
        first = last


def _product(weights: np.ndarray, times: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        product = weights * times
    if not np.isfinite(product).all():
        raise _not_in_range("large")
    if ((product < _SMALLEST) & (weights > 0.0) & (times > 0.0)).any():
        raise _not_in_range("small")
    return product


def _not_in_range(size: str) -> ValueError:
    return ValueError(
        f"Sums of weights are too {size} for float64: divide sample_weight by its "
        "mean, or X by its mean where that is a matrix."
    )


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
    weighted, advice = "", "Lower min_count or pass more documents."
    if counts.dtype != np.int64:
        weighted = " by sample_weight"
        advice = "Lower min_count, or multiply all weights by a number."
    return (
        f"Empty vocabulary: no word occurs min_count={min_count} times; the most "
        f"frequent, {words[top]!r}, occurs {counts[top]} times{weighted}. {advice}"
    )


def _why_nothing_counts(doc_weights: np.ndarray | None) -> str:
    if doc_weights is None or doc_weights.any():
        return (
            "No word occurs in a document that counts: the documents whose "
            "sample_weight is not 0 hold none."
        )
    return (
        f"sample_weight is 0 for all {doc_weights.size} documents: at least one has to "
        "count."
    )
