"""Estimates of the memory of a fit: the sizes of its large arrays, added up.

The allocator and small arrays are ignored. Arrays that exist for a moment only are
added as if they existed together. Estimates may be off by half.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config

from skembed._corpus import tokenize
from skembed._corpus.vocabulary import Corpus
from skembed._counts.count import window_weights
from skembed._solvers import negative_sampling, objectives
from skembed._solvers.svd import DENSE_COPIES, DENSE_LIMIT, space_size
from skembed._tying.layout import Layout
from skembed._utils.memory import check_room
from skembed._utils.threads import n_threads
from skembed.pooling import _features, _poolings

# Bytes of a token: its id, and its weight in a matrix.
_ID, _WEIGHT = 4, 8
# Bytes of a token's place in the text while pairs are counted.
_PLACE = 8
# Bytes of a word: its str, its place in the dict of the vocabulary, and its count.
_WORD = 200
# Bytes of a sparse entry: its column, and its value as float64 or float32.
_COUNT, _NON_ZERO = 4 + 8, 4 + 4
# Bytes of a context that is drawn: its number, four times, and marks.
_CONTEXT_DRAW = 34
# Bytes of a pair of words for drawing: their rows, and a cumulated weight.
_DRAWN = 4 + 4 + 8
# Frequencies of words by rank, if no words are given: Zipf's law in the form of
# Mandelbrot (1953).
_BEND = 2.7
# Words of similar frequency are grouped. This is the number of groups for each power of
# two.
_GROUPS = 4


class Sizes(NamedTuple):
    """The sizes that the memory of a fit depends on."""

    n_tokens: int
    counts: np.ndarray  # of each word, or its share of the tokens
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
        """Whether the tokens are entries of a matrix."""
        return self.pairs is not None

    def counting(self, n_counts: float) -> float:
        """Return the bytes of co-occurrence counts during counting."""
        if self.is_square:
            return _COUNT * n_counts
        # In pieces, and as one matrix. Documents x words also need the transpose.
        if self.is_matrix:
            return 2 * _COUNT * n_counts + 2 * _COUNT * self.n_tokens
        places = min(_PLACE * self.n_tokens, get_config()["working_memory"] * 2**20)
        return _COUNT * n_counts + max(places, _COUNT * n_counts)

    def n_counts(self, window: int, n_sides: int = 2) -> float:
        """Return the approximate number of distinct pairs that co-occur.

        The estimate assumes that words are drawn independently of each other. Real text
        has 10 to 30 % fewer pairs.
        """
        if self.n_pairs is not None:
            return self.n_pairs
        pairs = self.pairs or float(n_sides) * min(window, self.longest) * self.n_tokens
        shares = self.counts[self.counts > 0] / self.counts.sum()
        group = np.floor(np.log2(shares) * _GROUPS).astype(np.int64)
        group -= group.min(initial=0)
        n_words = np.bincount(group)
        mean = np.bincount(group, shares) / np.maximum(n_words, 1)
        together = -np.expm1(-pairs * np.outer(mean, mean))
        return float(n_words @ together @ n_words)


def sizes_of(corpus: Corpus, counts: np.ndarray) -> Sizes:
    """Return the sizes of documents that a fit has read."""
    n_pairs = None if corpus.counts is None else float(corpus.counts.nnz)
    pairs = None
    if corpus.token_weights is not None:
        pairs = float((np.diff(corpus.doc_offsets).astype(np.float64) ** 2).sum())
    return Sizes(corpus.token_ids.size, counts, corpus.longest, n_pairs, pairs)


def zipf_sizes(n_tokens: int, n_words: int) -> Sizes:
    """Return the sizes of a text if only these numbers are known."""
    check_room(
        16.0 * n_words,
        f"Frequencies of n_words={n_words} words",
        "Lower n_words: a fit of so many cannot succeed.",
    )
    return Sizes(n_tokens, 1.0 / (np.arange(1, n_words + 1) + _BEND), n_tokens)


def reading(sizes: Sizes) -> float:
    """Return the bytes of a corpus and its vocabulary."""
    return _tokens(sizes) + _WORD * sizes.n_words


def scanning(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that reading takes at its peak; for text, batches of it, too."""
    if sizes.is_matrix or sizes.is_square or estimator.input != "content":
        return reading(sizes)
    of_text = tokenize.scanning_memory(sizes.n_tokens, sizes.n_words, estimator.n_jobs)
    return reading(sizes) + of_text


def _tokens(sizes: Sizes) -> float:
    return (_ID + _WEIGHT * sizes.is_matrix) * sizes.n_tokens


def sampling(estimator: Any, sizes: Sizes, hidden: bool = False) -> float:
    """Return the bytes that training with negative sampling takes at its peak."""
    layout = estimator._layout(sizes.n_words)
    window = window_weights(
        estimator.window, estimator.window_weighting, sizes.longest
    ).size
    n_slots = negative_sampling.count_slots(window, layout.directional, hidden)
    # A learned matrix also has a step for each lane.
    n_rows = n_slots + (len(layout.map) if layout.is_matrix else 0)
    # The vectors, and their copies after an epoch.
    n_lanes = negative_sampling.MAX_LANES
    training = 2 * _tables(layout) + 4.0 * n_lanes * n_rows * layout.width
    if estimator._early_stopping.holds_out:
        training += _tokens(sizes)
    if not sizes.is_matrix:
        return reading(sizes) + training
    n_counts = _n_counts(estimator, sizes)
    # As counts, as coordinates, and as the coordinates that are kept.
    drawing = (_COUNT + 2 * _DRAWN) * n_counts
    training += _DRAWN * n_counts
    return reading(sizes) + max(sizes.counting(n_counts), drawing, training)


def least_squares(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that GloVe takes at its peak."""
    n_counts = _n_counts(estimator, sizes)
    # The vectors and squares, and their copies after an epoch.
    training = 4 * _tables(estimator._layout(sizes.n_words))
    training += _COUNT * n_counts + _kept(estimator, sizes, n_counts)
    return reading(sizes) + max(_permuting(sizes, n_counts), training)


def _permuting(sizes: Sizes, n_counts: float) -> float:
    """Return the bytes of counting, with words in random order."""
    # Of given counts, first the rows are permuted, then the columns.
    return 3 * _COUNT * n_counts if sizes.is_square else sizes.counting(n_counts)


def softmax(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that training by softmax takes at its peak."""
    n_words, layout = sizes.n_words, estimator._layout(sizes.n_words)
    n_counts = _n_counts(estimator, sizes)
    table = 4.0 * n_words * layout.width
    # The vectors and squares, and the vectors that are returned.
    training = 3 * _tables(layout)
    if estimator._is_tree and layout.shares_rows:
        # The vectors of nodes, and both gradients.
        training += 3 * table
    elif not estimator._is_tree:
        n_draws = estimator._n_draws(n_words)
        n_rows = min(objectives.rows_of_a_block(n_words, not n_draws), n_words)
        n_scores = n_rows * (min(n_draws, n_words) if n_draws else n_words)
        training += 4.0 * n_scores + _CONTEXT_DRAW * n_draws
    if estimator._early_stopping.holds_out:
        # The copies after an epoch, and the counts while they are split.
        training += 2 * _tables(layout) + 2 * _COUNT * n_counts
    training += _COUNT * n_counts + _kept(estimator, sizes, n_counts)
    return reading(sizes) + max(_permuting(sizes, n_counts), training)


def closed_form(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that PPMI-SVD takes at its peak."""
    n_words, layout = sizes.n_words, estimator._layout(sizes.n_words)
    d, n_counts = layout.n_components, _n_counts(estimator, sizes)
    sides = 2 if estimator.directional else 1
    kept = _kept(estimator, sizes, n_counts)
    matrix = sides * _NON_ZERO * n_counts
    # A learned map starts from the matrix and its transpose, side by side.
    wide = 2 if layout.is_matrix else sides
    if n_words <= DENSE_LIMIT or d > n_words // 4:
        decomposition = 8.0 * DENSE_COPIES * wide * n_words**2
    else:
        # A basis, and the vectors of both sides.
        decomposition = n_words * (4.0 * space_size(d) + 8.0 * (1 + wide) * d)
        if layout.is_matrix:
            # Its iteration holds six tables, whose columns are a multiple of 16.
            decomposition = max(decomposition, n_words * 6 * 8.0 * (-(-d // 16) * 16))
    # The matrix and its transpose, and both again if they are side by side.
    factorising = kept + 2 * matrix * (3 if layout.is_matrix else 1) + decomposition
    converting = kept + sides * _COUNT * n_counts + matrix
    counting = sizes.counting(n_counts)
    return reading(sizes) + max(counting, converting, factorising)


def _n_counts(estimator: Any, sizes: Sizes) -> float:
    return sizes.n_counts(estimator.window, 2 if estimator.direction == "both" else 1)


def _tables(layout: Layout) -> float:
    return 4.0 * layout.n_words * layout.n_tables * layout.width


def _kept(estimator: Any, sizes: Sizes, n_counts: float) -> float:
    """Return the bytes of the counts that are kept for `partial_fit`."""
    has_sides = (
        getattr(estimator, "directional", False) or estimator.direction != "both"
    )
    is_half = not (sizes.is_square or has_sides)
    return estimator.warm_start * _COUNT * n_counts * (0.5 if is_half else 1.0)


def pooling_fit(estimator: Any, sizes: Sizes) -> float:
    """Return the bytes that a pooling needs to learn, 0 if it learns nothing."""
    learner = _poolings.make(estimator.pooling)
    if _features.learns_nothing(learner):
        return 0.0
    layout = estimator._layout(sizes.n_words)
    n_features = layout.n_components * (2 if estimator.combine == "concat" else 1)
    tables = _tables(layout)
    if estimator.combine in ("sum", "concat"):
        tables += 4.0 * layout.n_words * n_features
    # The documents as a matrix of float32: some for each thread, or all of them.
    n_tokens, learning = sizes.n_tokens, 0.0
    if _features.is_own(learner):
        n_parts = max(1, -(-n_tokens // _features.LEARNED_AT_ONCE))
        size = n_threads(estimator.n_jobs, n_parts)
        n_tokens = min(n_tokens, size * _features.LEARNED_AT_ONCE)
        n_sums = _features.sums_at_once(n_parts, size)
        learning = learner._memory(layout.n_words, n_features, n_sums)
    matrix = 0 if sizes.is_matrix else 4.0 * n_tokens
    return reading(sizes) + tables + matrix + learning
