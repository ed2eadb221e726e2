"""How much memory a fit will take, told before it is taken."""

from typing import Any, NamedTuple

import numpy as np

from skembed import pooling
from skembed._corpus.vocabulary import Corpus
from skembed._counts.count import window_weights
from skembed._solvers import negative_sampling
from skembed._solvers.epochs import EarlyStopping
from skembed._solvers.svd import DENSE_COPIES, DENSE_LIMIT, space_size
from skembed._utils.limits import check_room

# Bytes of a word: its str in the vocabulary, and what is computed of it in lists.
_WORD = 250
# Bytes of a token as it is read, and of one that is about to be visited, of which there
# are so many at once.
_TOKEN, _VISITED, _AT_ONCE = 4.3, 8, 1 << 20
# Bytes of a co-occurrence count: stored; while it is counted; half of it, kept for
# `partial_fit`; while rows and columns change places; as a pair of words to draw.
_COUNT, _COUNTING, _KEPT, _PERMUTING, _DRAWN = 12, 19, 6, 36, 16
# While words that share documents are counted: of an entry of the matrix, of a count.
_ENTRY, _SHARED = 24, 27
# While pairs are made ready to be drawn, in one direction and in both.
_DRAWING, _DRAWING_BOTH = 34, 49
# Of a token that a pooling learns from, beside the corpus.
_POOLED = 4
# Of a token that is copied while some are held out, without a weight and with one.
_COPIED, _COPIED_WEIGHED = 5, 13
# Bytes of a non-zero of the PPMI matrix, and the share of counts that become one.
_NON_ZERO, _POSITIVE = 8, 0.8
# What the allocator loses, as a factor and in bytes.
_LOSS, _LOST = 1.15, 10_000_000
# Frequencies of words by rank, where no words are given: Zipf's law as Mandelbrot
# (1953) bends it.
_BEND = 2.7
# Words of about the same frequency are taken together: so many groups for each power
# of two.
_GROUPS = 4


class Sizes(NamedTuple):
    """What the memory of a fit depends on."""

    n_tokens: int
    counts: np.ndarray  # of each word, or its share
    longest: int  # tokens of a document
    n_pairs: float | None = None  # of different words, of co-occurrence counts
    pairs: float | None = None  # pairs of tokens, of a matrix

    @property
    def n_words(self) -> int:
        return self.counts.size

    @property
    def is_square(self) -> bool:
        """Whether the counts are given."""
        return self.n_pairs is not None

    @property
    def is_matrix(self) -> bool:
        """Whether tokens are entries of a matrix."""
        return self.pairs is not None

    def counting(self, n_counts: float) -> float:
        """Return the bytes of co-occurrence counts while they are counted."""
        if self.is_square:
            return _COUNT * n_counts
        if self.is_matrix:
            return _ENTRY * self.n_tokens + _SHARED * n_counts
        return _COUNTING * n_counts

    def n_counts(self, window: int) -> float:
        """Return how many different pairs co-occur, about.

        As many as if words were drawn independently of each other; of real text there
        are 10 to 30 % less.
        """
        if self.n_pairs is not None:
            return self.n_pairs
        pairs = self.pairs or 2.0 * min(window, self.longest) * self.n_tokens
        shares = self.counts[self.counts > 0] / self.counts.sum()
        group = np.floor(np.log2(shares) * _GROUPS).astype(np.int64)
        group -= group.min(initial=0)
        n_words = np.bincount(group)
        mean = np.bincount(group, shares) / np.maximum(n_words, 1)
        together = -np.expm1(-pairs * np.outer(mean, mean))
        return float(n_words @ together @ n_words)


def sizes_of(corpus: Corpus, counts: np.ndarray) -> Sizes:
    """Return the sizes of what a fit has read."""
    n_pairs = None if corpus.counts is None else float(corpus.counts.nnz)
    pairs = None
    if corpus.token_weights is not None:
        pairs = float((np.diff(corpus.doc_offsets).astype(np.float64) ** 2).sum())
    return Sizes(corpus.token_ids.size, counts, corpus.longest, n_pairs, pairs)


def zipf_sizes(n_tokens: int, n_words: int) -> Sizes:
    """Return the sizes of a text of which only these numbers are known."""
    check_room(
        16.0 * n_words,
        f"Frequencies of n_words={n_words} words",
        "Lower n_words: a fit of so many cannot succeed.",
    )
    return Sizes(n_tokens, 1.0 / (np.arange(1, n_words + 1) + _BEND), n_tokens)


def reading(sizes: Sizes) -> float:
    """Return the bytes of a corpus and its vocabulary."""
    token = _COUNT if sizes.is_matrix else _TOKEN
    return token * sizes.n_tokens + _WORD * sizes.n_words


def sampling(estimator: Any, sizes: Sizes, hidden: bool = False) -> float:
    """Return the bytes that training with negative sampling takes at its peak."""
    layout = estimator._layout(sizes.n_words)
    tables = 4.0 * layout.n_words * layout.n_tables * layout.width
    copies = _n_copies(estimator)
    window = window_weights(
        estimator.window, estimator.window_weighting, sizes.longest
    ).size
    n_slots = negative_sampling.count_slots(window, layout.directional, hidden)
    lanes = 4.0 * (negative_sampling.MAX_LANES + 2) * n_slots * layout.width
    visited = _VISITED * min(sizes.n_tokens, _AT_ONCE)
    if EarlyStopping.of(estimator).holds_out:
        # Copies of all documents, and those held out as they are visited.
        copied = _COPIED_WEIGHED if sizes.is_matrix else _COPIED
        share = estimator.validation_fraction
        visited += (copied + _VISITED * share) * sizes.n_tokens
    # A learned matrix, its transpose and inverse, and the steps of each lane.
    n_map_rows = len(layout.map) if layout.is_matrix else 0
    maps = 4.0 * (negative_sampling.MAX_LANES + 4) * n_map_rows * layout.width
    training = copies * tables + lanes + visited + maps
    if not sizes.is_matrix:
        return reading(sizes) + training
    n_counts = sizes.n_counts(estimator.window)
    if EarlyStopping.of(estimator).holds_out:
        n_counts *= 1 + estimator.validation_fraction
    drawing = (_DRAWING_BOTH if sizes.is_square else _DRAWING) * n_counts
    training += _DRAWN * n_counts
    return reading(sizes) + max(sizes.counting(n_counts), drawing, training)


def least_squares(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that GloVe takes at its peak."""
    layout = estimator._layout(sizes.n_words)
    # Vectors and squares, and copies of the last epoch.
    tables = 2 * 4.0 * layout.n_words * layout.n_tables * layout.width
    copies = _n_copies(estimator)
    n_counts = sizes.n_counts(estimator.window)
    kept = (_COUNT if sizes.is_square else _KEPT) * n_counts
    training = _COUNT * n_counts + kept + copies * tables
    if EarlyStopping.of(estimator).holds_out:
        # Copied; the others stay in the memory of all.
        training += _COUNT * estimator.validation_fraction * n_counts
    # Both, and what is published of them.
    finishing = kept + 2 * tables
    counting = sizes.counting(n_counts)
    if sizes.is_square:
        counting = _PERMUTING * n_counts
    return reading(sizes) + max(counting, training, finishing)


def closed_form(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that PPMI-SVD takes at its peak."""
    layout = estimator._layout(sizes.n_words)
    n_words, d = layout.n_words, layout.n_components
    n_counts = sizes.n_counts(estimator.window)
    sides = 2 if estimator.directional else 1
    symmetric = sides == 1 and not sizes.is_square
    kept = (_KEPT if symmetric else _COUNT) * n_counts
    matrix = sides * _POSITIVE * _NON_ZERO * n_counts
    if n_words <= DENSE_LIMIT or d > n_words // 4:
        decomposition = 8.0 * DENSE_COPIES * sides * n_words**2
    else:
        decomposition = n_words * (4.0 * space_size(d) + 8.0 * (3 + sides) * d)
    # The matrix and its transpose.
    factorising = kept + 2 * matrix + decomposition
    converting = kept + sides * _COUNT * n_counts + matrix
    counting = sizes.counting(n_counts)
    return reading(sizes) + max(counting, converting, factorising)


def pooling_fit(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that are taken when a pooling learns, 0 if it does not."""
    learner = pooling.make(estimator.pooling)
    if pooling.learns_nothing(learner):
        return 0.0
    layout = estimator._layout(sizes.n_words)
    tables = 4.0 * layout.n_words * layout.n_tables * layout.n_components
    n_features = layout.n_components * (2 if estimator.combine == "concat" else 1)
    if estimator.combine in ("sum", "concat"):
        tables += 4.0 * layout.n_words * n_features
    matrix = 0 if sizes.is_matrix else _POOLED * sizes.n_tokens
    memory = getattr(learner, "_memory", None)
    clustering = memory(layout.n_words, n_features) if memory else 0.0
    return reading(sizes) + tables + matrix + clustering


def _n_copies(estimator: Any) -> int:
    """Return how often a training holds what is learned."""
    keeps_start = estimator.warm_start and EarlyStopping.of(estimator).holds_out
    return 2 if estimator.max_iter != 1 or keeps_start else 1


def with_losses(n_bytes: float) -> int:
    """Return the bytes of a fit, and those that the allocator loses."""
    return int(_LOSS * n_bytes) + _LOST
