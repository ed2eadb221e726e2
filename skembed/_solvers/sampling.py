"""The random draws of negative sampling: probabilities, and the tokens of an epoch.

An epoch visits subsampled documents, or pairs of words that are drawn from
co-occurrence counts. A pair has the form of a document of two tokens.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.vocabulary import Corpus
from skembed._counts.count import keep_probabilities

# Tokens that are drawn at once, which bounds the memory for them.
_CHUNK = 1 << 20
# Largest number of tokens of an epoch. More would take days.
_MOST_TOKENS = 1 << 40
# How often a chunk may visit one document in a row.
_MOST_IN_A_ROW = 8
# Upper bounds for the visits of pairs in an epoch, see `_n_visits`: visits per distinct
# pair; visits per distinct pair if there are few pairs; and the largest total for which
# the second bound holds. With them, few pairs are visited often enough to learn from,
# and an epoch takes seconds.
_MOST_VISITS = 10
_MOST_VISITS_OF_FEW = 100
_FEW_VISITS = 4_000_000
# So many visits are little work, for any number of pairs.
_ANY_VISITS = 250_000


class Draws(NamedTuple):
    """Probabilities of each word in negative sampling."""

    keep: np.ndarray  # float64, probability that an occurrence is kept
    kept: np.ndarray  # float64, expected number of kept occurrences
    noise: np.ndarray  # float64, distribution of noise words


def word_draws(counts: np.ndarray, subsample: float, noise_exponent: float) -> Draws:
    """Return all probabilities for one vocabulary; see the functions below."""
    noise = noise_distribution(counts, noise_exponent)
    keep = keep_probabilities(counts, subsample)
    return Draws(keep, counts * keep, noise)


def noise_distribution(counts: np.ndarray, exponent: float) -> np.ndarray:
    """Return the probability of each word as a noise word.

    Parameters
    ----------
    counts : ndarray of shape (n_words,)
    exponent : float
        0.75 in Mikolov et al. (2013), section 2.2. Words that never occur are never
        drawn.

    Returns
    -------
    ndarray of shape (n_words,), float64
    """
    # Relative to the largest count, so that no exponent makes a weight infinite.
    weights = np.where(counts > 0, (counts / counts.max()) ** exponent, 0.0)
    return weights / weights.sum()


def window_thresholds(weights: np.ndarray) -> np.ndarray:
    """Return the distribution of half-widths that gives contexts their weights.

    The probability of a half-width of at least d is the weight of distance d. On
    average, a context is therefore used as often as its weight says.

    Parameters
    ----------
    weights : ndarray of shape (window,), float64
        Weights of contexts by distance, see `count.window_weights`.

    Returns
    -------
    ndarray of shape (window,), uint64
        2**32 times the probability that the half-width exceeds its index.
    """
    return np.ceil(weights * 2.0**32).astype(np.uint64)


def alias_table(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the tables for drawing a word in constant time (Vose 1991).

    Parameters
    ----------
    probabilities : ndarray of shape (n_words,), float64

    Returns
    -------
    thresholds : ndarray of shape (n_words,), uint32
        A column keeps its own word if 32 random bits are below its threshold.
    alias : ndarray of shape (n_words,), int32
        The other word of each column.
    """
    n_words = probabilities.size
    heights = (probabilities * n_words).tolist()
    alias = list(range(n_words))
    small = [word for word, height in enumerate(heights) if height < 1.0]
    large = [word for word, height in enumerate(heights) if height >= 1.0]
    while small and large:
        low, high = small.pop(), large[-1]
        alias[low] = high
        heights[high] -= 1.0 - heights[low]
        if heights[high] < 1.0:
            small.append(large.pop())
    # The remaining probabilities differ from 1 only by rounding. An exception are words
    # that must never be drawn, which rounding can leave without a partner.
    for word in large:
        heights[word] = 1.0
    for word in small:
        if probabilities[word] > 0.0:
            heights[word] = 1.0
        else:
            alias[word] = int(probabilities.argmax())
    thresholds = np.minimum(np.asarray(heights) * 2.0**32, 2.0**32 - 1)
    return thresholds.astype(np.uint32), np.asarray(alias, dtype=np.int32)


class Chunk(NamedTuple):
    """Some tokens of an epoch."""

    tokens: np.ndarray  # int32; ``~id`` for the first token of a document
    done: np.ndarray  # float64 (2,), shares of the epoch before and after the chunk


class Documents:
    """The subsampled documents of a corpus, each repeated according to its weight.

    Parameters
    ----------
    corpus : Corpus
    draws : Draws
    weights : ndarray of shape (window,), float64
        Weights of contexts by distance.
    seeds : SeedSequence
    sides : (bool, bool), default=(True, True)
        Whether windows extend to the left and to the right.

    Raises
    ------
    ValueError
        If the weights make so many tokens that an epoch would take days.
    """

    unit = "tokens"

    def __init__(
        self,
        corpus: Corpus,
        draws: Draws,
        weights: np.ndarray,
        seeds: np.random.SeedSequence,
        sides: tuple[bool, bool] = (True, True),
    ):
        self.weights = weights
        # Largest distance of a context to the left and to the right.
        self.reach = tuple(weights.size if side else 0 for side in sides)
        self.kept = draws.kept
        self._corpus = corpus
        self._keep = (draws.keep * 2.0**32).astype(np.uint64)
        children = seeds.spawn(2)
        self._state = children[0].generate_state(1, np.uint64)
        self._random = np.random.default_rng(children[1])
        self._offsets = corpus.doc_offsets
        if corpus.doc_weights is not None:
            with np.errstate(over="ignore"):
                lengths = np.diff(corpus.doc_offsets) * corpus.doc_weights
                self._offsets = np.concatenate([[0.0], np.cumsum(lengths)])
            if not self._offsets[-1] <= _MOST_TOKENS:
                raise ValueError(
                    "A document counts as often as its weight says, and with this "
                    f"sample_weight, of {corpus.doc_weights.max():.6g} at most, an "
                    f"epoch has {self._offsets[-1]:.3g} tokens. Divide sample_weight "
                    "by its mean."
                )
        self.size = int(self._offsets[-1])  # tokens before subsampling

    def chunks(self) -> Iterator[Chunk]:
        """Draw the tokens of an epoch."""
        from skembed._kernels import spans

        if not self._offsets[-1]:
            return
        for first, last in pairwise(_cut(self._offsets)):
            done = self._offsets[[first, last]] / self._offsets[-1]
            for share, token_ids, offsets in self._repeat(first, last):
                kept = np.empty(offsets[-1] - offsets[0], dtype=np.int32)
                n_kept = spans.subsample(
                    token_ids, offsets, self._keep, self._state, kept
                )
                yield Chunk(kept[:n_kept], done[0] + share * (done[1] - done[0]))
                del kept

    def _repeat(
        self, first: int, last: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield tokens and offsets of documents, each repeated according to its weight.

        The fractional part of a weight is the probability of one more repetition.
        Weights that are too large for one chunk are spread over several chunks. Their
        shares of all tokens come first.
        """
        corpus = self._corpus
        offsets = corpus.doc_offsets[first : last + 1]
        if corpus.doc_weights is None:
            yield np.array([0.0, 1.0]), corpus.token_ids, offsets
            return
        whole, rest = np.divmod(corpus.doc_weights[first:last], 1.0)
        if rest.any():
            whole += self._random.random(whole.size) < rest
        times = whole.astype(np.int64)
        lengths = np.diff(offsets)
        # Most chunks are slightly larger than `_CHUNK`.
        n_parts = min(int(lengths @ times) // (2 * _CHUNK), int(times.max())) + 1
        for part in range(n_parts):
            of_part = (times + part) // n_parts
            chosen = np.repeat(np.arange(times.size), of_part)
            if of_part.max() > _MOST_IN_A_ROW:
                # Many visits in a row would change the vectors of few words only.
                chosen = self._random.permutation(chosen)
            ends = np.cumsum(lengths[chosen])
            places = np.arange(ends[-1] if ends.size else 0)
            places += np.repeat(
                offsets[chosen] - (ends - lengths[chosen]), lengths[chosen]
            )
            repeated = np.concatenate([[0], ends]).astype(np.int64)
            share = np.array([part, part + 1]) / n_parts
            yield share, corpus.token_ids[places], repeated


def _cut(offsets: np.ndarray) -> list[int]:
    """Return where to split documents into chunks of about `_CHUNK` tokens."""
    wanted = np.linspace(0, offsets[-1], max(1, int(offsets[-1]) // _CHUNK) + 1)
    edges = np.searchsorted(offsets, wanted)
    return np.unique([0, *edges[1:-1], offsets.size - 1]).tolist()


class Pairs:
    """Pairs of words, drawn in proportion to their counts.

    The visits of a pair in an epoch differ by less than one from their expected number.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Words x contexts.
    draws : Draws
    seeds : SeedSequence
    contexts_first : bool, default=False
        Whether the context comes first, as in CBOW, which predicts a context from the
        vector of a word.
    may_be_empty : bool, default=False
        Whether an empty result is allowed.

    Raises
    ------
    ValueError
        If no pair is kept.
    """

    unit = "tokens"
    weights = np.ones(1)  # of contexts by their distance

    def __init__(
        self,
        counts: sparse.csr_array,
        draws: Draws,
        seeds: np.random.SeedSequence,
        contexts_first: bool = False,
        may_be_empty: bool = False,
    ):
        one_way = bool((counts != counts.T).nnz)
        # Whether the first token is a context of the second, and the second of the
        # first.
        self.reach = (0 if one_way else 1, 1)
        pairs = counts.tocoo()
        words, contexts = pairs.row, pairs.col
        weights = draws.keep[words]
        weights *= draws.keep[contexts]
        weights *= pairs.data
        if not one_way:
            # Two words that are visited together are a pair in both directions.
            weights[words == contexts] *= 0.5
            weights[words > contexts] = 0.0
        some = weights > 0.0
        self._first, self._second, weights = words[some], contexts[some], weights[some]
        if contexts_first:
            self._first, self._second = self._second, self._first
        if not (weights.size or may_be_empty):
            raise ValueError(
                "subsample is so small that no pair of words is left. Pass subsample=0."
            )
        total = weights.sum()
        self._n_visits = _n_visits(total, weights.size)
        self.size = 2 * self._n_visits  # tokens of an epoch
        self._ends = np.cumsum(weights)
        self._ends /= self._ends[-1:]
        self._random = np.random.default_rng(seeds.spawn(1)[0])
        # The quotient of the two numbers may be infinite.
        weights /= total
        weights *= self._n_visits
        self.kept = np.bincount(self._first, weights, counts.shape[0])
        self.kept += np.bincount(self._second, weights, counts.shape[0])

    def chunks(self) -> Iterator[Chunk]:
        """Draw the pairs of an epoch, every chunk from all of them."""
        n_visits = self._n_visits
        n_chunks = -(-self.size // _CHUNK)
        start = self._random.random()
        for number in range(n_chunks):
            steps = (np.arange(number, n_visits, n_chunks) + start) / n_visits
            drawn = np.searchsorted(self._ends, steps, side="right")
            # The last step may be rounded up to 1.
            drawn = np.minimum(drawn, self._ends.size - 1)
            drawn = self._random.permutation(drawn)
            tokens = np.empty((drawn.size, 2), dtype=np.int32)
            tokens[:, 0] = ~self._first[drawn]
            tokens[:, 1] = self._second[drawn]
            done = np.array([number, number + 1]) / n_chunks
            yield Chunk(tokens.ravel(), done)


def _n_visits(total: float, n_pairs: int) -> int:
    """Return how many pairs an epoch visits, given total counts and distinct pairs."""
    few = min(max(_MOST_VISITS_OF_FEW * n_pairs, _ANY_VISITS), _FEW_VISITS)
    most = max(_MOST_VISITS * n_pairs, few)
    return int(np.ceil(min(max(total, n_pairs), most)))


def pair_draws(
    counts: sparse.csr_array,
    totals: np.ndarray,
    subsample: float,
    noise_exponent: float,
) -> Draws:
    """Return the probabilities of words as contexts in co-occurrence counts.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
    totals : ndarray of shape (n_words,), float64
        Sums of its columns.
    subsample, noise_exponent : float

    Returns
    -------
    Draws
        A pair is kept if both of its words are kept.
    """
    keep = keep_probabilities(totals, subsample)
    kept = keep * (keep @ counts)
    return Draws(keep, kept, noise_distribution(totals, noise_exponent))
