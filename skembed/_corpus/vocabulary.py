"""The types `Corpus` and `Vocabulary`, and the choice of the vocabulary."""

import math
from array import array
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._utils.files import FileArray
from skembed._utils.threads import row_ranges

# Tokens that are counted or renumbered at once.
_CHUNK = 2**18
# Tokens that a kernel changes between two checks for interrupts.
_AT_ONCE = 2**23
# Weights are added up together if their binary exponents differ by less than this.
_BAND = 40
# With fewer tokens than this, each part of the weights has some bits.
_MOST_TOKENS = 2.0**50
# Smaller numbers have fewer digits.
_SMALLEST = np.finfo(np.float64).tiny


class Corpus(NamedTuple):
    """Documents as token ids, concatenated.

    The rows of a documents x words matrix are documents, too. Each entry is a token
    whose weight is the entry. These tokens have no particular order.
    """

    token_ids: np.ndarray  # int32 (n_tokens,)
    doc_offsets: np.ndarray  # int64 (n_documents + 1,)
    token_weights: np.ndarray | None = None  # float64 (n_tokens,), of a matrix
    doc_weights: np.ndarray | None = None  # float64 (n_documents,), in `fit`
    # float64 (n_words, n_words), words x contexts, if these are given instead of
    # documents; then the rows are the documents
    counts: sparse.csr_array | None = None
    key: str | None = None  # its key in `memory`, if there is one

    @classmethod
    def consume_known(
        cls, ids: array | FileArray, offsets: array, new_rows: np.ndarray
    ) -> "Corpus":
        """Return a corpus in the memory of the arrays, see `_keep_known`."""
        # In place, because a copy would double the memory. An array can shrink only
        # while it has no view, and it keeps a sixteenth more than its size.
        token_ids, doc_offsets = np.asarray(ids), np.asarray(offsets)
        n_known = _keep_known(token_ids, doc_offsets, new_rows)
        if isinstance(ids, FileArray):
            return cls(token_ids[:n_known], doc_offsets)
        del token_ids
        # A profiler or debugger in another thread may still hold the frame of a
        # finished call, with its views. Then the array does not shrink.
        with suppress(BufferError):
            del ids[n_known:]
        return cls(np.asarray(ids)[:n_known], np.asarray(offsets))

    @property
    def n_documents(self) -> int:
        return self.doc_offsets.size - 1

    @property
    def n_tokens(self) -> int:
        return self.token_ids.size

    @property
    def weights(self) -> np.ndarray:
        """Weights of all documents, 1 by default."""
        given = self.doc_weights
        return np.ones(self.n_documents) if given is None else given

    @property
    def is_matrix(self) -> bool:
        return self.token_weights is not None

    @property
    def longest(self) -> int:
        """Tokens of the longest document with a weight. It limits window sizes."""
        lengths = np.diff(self.doc_offsets)
        if self.doc_weights is not None:
            lengths = lengths[self.doc_weights > 0.0]
        return int(lengths.max(initial=0))


@dataclass(frozen=True)
class Vocabulary:
    """Words in row order, with their counts."""

    # word -> row; words are int if they are token ids, or int labels of columns
    rows: dict[Any, int]
    counts: np.ndarray  # int64 (n_words,), or float64 if there are weights

    @property
    def words(self) -> list[Any]:
        return list(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def count(corpus: Corpus, rows: dict[Any, int]) -> Vocabulary:
    """Count the words of a given vocabulary.

    Parameters
    ----------
    corpus : Corpus
        The count of a token is its weight times the weight of its document.
    rows : dict of str to int

    Returns
    -------
    Vocabulary

    Raises
    ------
    ValueError
        If none of the words occurs in a document with a positive weight.
    """
    vocabulary = Vocabulary(rows, add_up(corpus, len(rows)))
    check_occurs(vocabulary, corpus.n_tokens, corpus.n_documents, corpus.doc_weights)
    return vocabulary


def check_occurs(
    vocabulary: Vocabulary,
    n_tokens: int,
    n_documents: int,
    doc_weights: np.ndarray | None,
) -> None:
    """Raise a ValueError if no word of a given vocabulary occurs, as `count` says."""
    if not n_tokens:
        advice = (
            "Check that lowercase, strip_accents and token_pattern produce words of "
            "the vocabulary's form."
            if isinstance(next(iter(vocabulary.rows)), str)
            else "Check that both hold ids of the same numbering."
        )
        raise ValueError(
            f"None of the {len(vocabulary)} words of vocabulary occurs in the "
            f"{n_documents} documents. {advice}"
        )
    if not vocabulary.counts.any():
        raise ValueError(why_nothing_counts(doc_weights))


def build(
    ids: array | FileArray,
    offsets: array,
    words: list[Any],
    min_count: int,
    max_features: int | None,
    doc_weights: np.ndarray | None = None,
) -> tuple[Corpus, Vocabulary]:
    """Choose a vocabulary from all words of documents, and drop the others.

    Parameters
    ----------
    ids : array of C int, or FileArray
        The number of each token, document after document. The corpus takes over the
        memory.
    offsets : array of C long long
        Where each document begins in `ids`, and where the last one ends. The corpus
        takes over the memory.
    words : list of str, or of int
        Words in the order of their numbers.
    min_count : int
        Words that occur less often are dropped. At least 1.
    max_features : int or None
        Keep only this many of the most frequent words.
    doc_weights : ndarray of shape (n_documents,), float64, or None, default=None
        How often each document counts, also for `min_count` and `max_features`. Not
        negative. Words that occur only in documents of weight 0 are dropped.

    Returns
    -------
    corpus : Corpus
        Without the dropped words, with the weights.
    vocabulary : Vocabulary
        Sorted by count, descending, then by word. Whole weights exactly equal repeated
        documents. Sums of other weights do not depend on the order of documents.

    Raises
    ------
    ValueError
        If no word is left.
    """
    counts = _counts_of(ids, offsets, words, doc_weights)
    n_documents = len(offsets) - 1
    found = choose(words, counts, min_count, max_features, n_documents, doc_weights)
    return chosen(ids, offsets, words, found.rows, doc_weights), found


def choose(
    words: list[Any],
    counts: np.ndarray,
    min_count: int,
    max_features: int | None,
    n_documents: int,
    doc_weights: np.ndarray | None = None,
) -> Vocabulary:
    """Choose a vocabulary from counted words, as `build` does.

    Parameters
    ----------
    words : list of str, or of int
    counts : ndarray of shape (n_words,), int64 or float64
        How often each of them occurs.
    min_count, max_features, doc_weights
        As in `build`.
    n_documents : int
        Number of documents, for errors.

    Returns
    -------
    Vocabulary

    Raises
    ------
    ValueError
        If no word is left.
    """
    order = _frequent(words, counts, min_count)
    if not order:
        if words and not counts.any():
            raise ValueError(why_nothing_counts(doc_weights))
        raise ValueError(_why_empty(n_documents, words, counts, min_count))
    order = order[:max_features]
    index = {words[number]: row for row, number in enumerate(order)}
    return Vocabulary(index, counts[order])


def extend(
    ids: array | FileArray,
    offsets: array,
    words: list[Any],
    min_count: int,
    max_features: int | None,
    doc_weights: np.ndarray | None,
    known: dict[Any, int],
) -> tuple[Corpus, Vocabulary]:
    """Add new words of documents to a vocabulary, and drop the others.

    Parameters
    ----------
    ids, offsets, words, min_count, max_features, doc_weights
        As in `build`. `max_features` limits known and new words together.
    known : dict of str to int
        Words that keep their rows, however often they occur.

    Returns
    -------
    corpus : Corpus
    vocabulary : Vocabulary
        The known words, followed by the new words in the order of `build`. The counts
        are those of these documents.
    """
    counts = _counts_of(ids, offsets, words, doc_weights)
    found = choose_more(words, counts, min_count, max_features, known)
    return chosen(ids, offsets, words, found.rows, doc_weights), found


def choose_more(
    words: list[Any],
    counts: np.ndarray,
    min_count: int,
    max_features: int | None,
    known: dict[Any, int],
) -> Vocabulary:
    """Add counted words to a vocabulary, as `extend` does.

    Parameters
    ----------
    words, counts
        As in `choose`.
    min_count, max_features, known
        As in `extend`.

    Returns
    -------
    Vocabulary
    """
    new = [i for i in _frequent(words, counts, min_count) if words[i] not in known]
    if max_features is not None:
        new = new[: max(0, max_features - len(known))]
    index = {**known, **{words[i]: row for row, i in enumerate(new, len(known))}}
    rows = np.fromiter((index.get(word, -1) for word in words), np.int64, len(words))
    found = np.zeros(len(index), dtype=counts.dtype)
    found[rows[rows >= 0]] = counts[rows >= 0]
    return Vocabulary(index, found)


def join(parts: Sequence[Corpus]) -> Corpus:
    """Return the documents of several parts as one corpus.

    Parameters
    ----------
    parts : sequence of Corpus
        At least one. Either all have weights, or none.

    Returns
    -------
    Corpus
        A single part is not copied.
    """
    if len(parts) == 1:
        return parts[0]
    token_ids = np.concatenate([part.token_ids for part in parts])
    lengths = [np.diff(part.doc_offsets) for part in parts]
    offsets = np.cumsum(np.concatenate([[0], *lengths]))
    of_tokens, of_documents = _joined_weights(parts)
    return Corpus(token_ids, offsets, of_tokens, of_documents)


def translate(parts: Sequence[Corpus], rows: Sequence[np.ndarray]) -> Corpus:
    """Return documents as rows of other words, without words that have none.

    Parameters
    ----------
    parts : sequence of Corpus
        As in `join`. They are not changed.
    rows : sequence of ndarray of shape (n_words,), int
        For each part, the new row of each of its words, or -1.

    Returns
    -------
    Corpus
        The documents of all parts.
    """
    of_tokens, of_documents = _joined_weights(parts)
    if of_tokens is not None:
        known = [
            new[part.token_ids] >= 0 for new, part in zip(rows, parts, strict=True)
        ]
        of_tokens = of_tokens[np.concatenate(known)]
    token_ids = np.empty(sum(part.n_tokens for part in parts), dtype=np.int32)
    offsets, n_known = [np.zeros(1, dtype=np.int64)], 0
    for part, new_rows in zip(parts, rows, strict=True):
        here, ends = token_ids[n_known:][: part.n_tokens], part.doc_offsets.copy()
        here[:] = part.token_ids
        n_here = _keep_known(here, ends, new_rows)
        offsets.append(n_known + ends[1:])
        n_known += n_here
    return Corpus(token_ids[:n_known], np.concatenate(offsets), of_tokens, of_documents)


def _joined_weights(parts: Sequence[Corpus]) -> list[np.ndarray | None]:
    """Return the weights of all tokens and of all documents."""
    return [
        None
        if getattr(parts[0], name) is None
        else np.concatenate([getattr(part, name) for part in parts])
        for name in ("token_weights", "doc_weights")
    ]


def _counts_of(
    ids: array | FileArray,
    offsets: array,
    words: list[Any],
    doc_weights: np.ndarray | None,
) -> np.ndarray:
    # The corpus is not kept, because an array with a view cannot shrink.
    corpus = Corpus(np.asarray(ids), np.asarray(offsets), None, doc_weights)
    return add_up(corpus, len(words))


def _frequent(words: list[Any], counts: np.ndarray, min_count: int) -> list[int]:
    """Return the numbers of frequent words: by count, descending, then by word."""
    # No count is larger than this, and a larger int might not fit into the array.
    order = np.flatnonzero(counts >= min(min_count, 2**62))
    order = order[np.argsort(-counts[order], kind="stable")]
    # Sorted piece by piece, because an interrupt waits until a piece is sorted.
    edges = np.flatnonzero(np.diff(counts[order])) + 1
    pieces = np.split(order, edges) if order.size else []
    found: list[int] = []
    for piece in pieces:
        found += sorted(piece.tolist(), key=words.__getitem__)
    return found


def chosen(
    ids: array | FileArray,
    offsets: array,
    words: list[Any],
    index: dict[Any, int],
    doc_weights: np.ndarray | None,
) -> Corpus:
    """Return the documents as rows of `index`, without words that are not in it."""
    rows = (index.get(word, -1) for word in words)
    new_rows = np.fromiter(rows, np.int32, len(words))
    corpus = Corpus.consume_known(ids, offsets, new_rows)
    return corpus._replace(doc_weights=doc_weights)


def renumber(token_ids: np.ndarray, new_row: np.ndarray) -> None:
    for chunk in chunks(token_ids):
        chunk[:] = new_row[chunk]


def _keep_known(
    token_ids: np.ndarray, offsets: np.ndarray, new_rows: np.ndarray
) -> int:
    """Give tokens new rows in place; return how many are kept.

    Tokens whose row is negative are dropped. The others move to the front.
    """
    from skembed._kernels import scan

    new_rows = new_rows.astype(np.int32, copy=False)
    n_known = begin = 0
    for first, last in row_ranges(offsets, _AT_ONCE):
        end = int(offsets[last])
        documents = first, last
        n_known = scan.keep_known(
            token_ids, offsets, documents, begin, new_rows, n_known
        )
        begin = end
    return n_known


def add_up(corpus: Corpus, n_words: int) -> np.ndarray:
    """Return the count of each word, as in `Vocabulary.counts`."""
    if corpus.doc_weights is not None or corpus.token_weights is not None:
        return _weighted_counts(corpus, n_words)
    counts = np.zeros(n_words, dtype=np.int64)
    for chunk in chunks(corpus.token_ids):
        counts += np.bincount(chunk, minlength=n_words)
    return counts


def _weighted_counts(corpus: Corpus, n_words: int) -> np.ndarray:
    """Add up the weights of each word's tokens, in float64.

    Sums do not depend on the order of weights. Weights are split into parts that are
    multiples of powers of two, chosen such that no sum is rounded. Large and small
    weights are added up separately, so that no sum of small weights is lost.
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
    """Add up the weights slightly below ``2**top``, divided by ``2**top``."""
    units: list[float] = []
    size = 1.0
    while not units or units[-1] > 2.0 ** (-53 - _BAND):
        # Rounding adds at most half a unit. One bit is reserved for it.
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
    """Whether weights of documents are numbers of repetitions."""
    weights = corpus.doc_weights
    if weights is None:
        return True
    with np.errstate(over="ignore"):
        n_tokens = np.diff(corpus.doc_offsets) @ weights
    return bool(n_tokens < _MOST_TOKENS and not (weights % 1).any())


def _weights(
    corpus: Corpus, whole: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield words, weights and numbers of repetitions of tokens, in chunks.

    Whole weights of documents are numbers of repetitions. Repeated documents have the
    same weights of tokens.
    """
    offsets, doc_weights = corpus.doc_offsets, corpus.weights
    first = 0
    for chunk in chunks(corpus.token_ids):
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


def chunks(token_ids: np.ndarray) -> Iterator[np.ndarray]:
    """Split tokens: what is computed from a chunk takes several times its memory."""
    for first in range(0, token_ids.size, _CHUNK):
        yield token_ids[first : first + _CHUNK]


def _why_empty(
    n_documents: int, words: list[Any], counts: np.ndarray, min_count: int
) -> str:
    if not n_documents:
        return "X holds no documents: pass at least one."
    if not words:
        return (
            f"Empty vocabulary: the {n_documents} documents hold no tokens at "
            "all. They may be empty, hold only stop words or only pads (-1), or "
            "token_pattern may not match."
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


def why_nothing_counts(doc_weights: np.ndarray | None) -> str:
    """Return the text of an error: only documents without a weight have words."""
    if doc_weights is None or doc_weights.any():
        return (
            "No word occurs in a document that counts: the documents whose "
            "sample_weight is not 0 hold none."
        )
    return (
        f"sample_weight is 0 for all {doc_weights.size} documents: at least one has to "
        "count."
    )
