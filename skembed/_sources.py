"""What negative sampling visits in an epoch: subsampled documents, or pairs of words.

Pairs are drawn from co-occurrence counts and handed over as documents of two tokens.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from skembed import _sampling
from skembed._sampling import Draws
from skembed._vocabulary import Corpus

# Tokens that are drawn at once, which bounds the memory for them.
_CHUNK = 1 << 20
# Visits of pairs in an epoch: all that the counts say, but not more than so many for
# each non-zero, unless this is little work anyway.
_MOST_VISITS_OF_A_PAIR = 10
_FEW_VISITS = 10_000_000


class Chunk(NamedTuple):
    """Some tokens of an epoch."""

    tokens: np.ndarray  # int32; ``~id`` where a document starts
    done: np.ndarray  # float64 (2,), shares of the epoch before it and after it


class Documents:
    """The documents of a corpus, as often as they weigh, without frequent tokens.

    Parameters
    ----------
    corpus : Corpus
    draws : Draws
    window : (int, str)
        Width and weighting.
    seeds : SeedSequence
    """

    unit = "tokens"
    # Whether every second token is a context only.
    one_way = False

    def __init__(
        self,
        corpus: Corpus,
        draws: Draws,
        window: tuple[int, str],
        seeds: np.random.SeedSequence,
    ):
        self.window = (*window, corpus.longest)
        self.kept = draws.kept
        self._corpus = corpus
        self._keep = (draws.keep * 2.0**32).astype(np.uint64)
        children = seeds.spawn(2)
        self._state = children[0].generate_state(1, np.uint64)
        self._random = np.random.default_rng(children[1])
        self._offsets = corpus.doc_offsets
        if corpus.doc_weights is not None:
            lengths = np.diff(corpus.doc_offsets) * corpus.doc_weights
            self._offsets = np.concatenate([[0.0], np.cumsum(lengths)])

    @property
    def size(self) -> int:
        """Tokens before subsampling."""
        return int(self._offsets[-1])

    def chunks(self) -> Iterator[Chunk]:
        """Draw the tokens of an epoch."""
        from skembed._kernels import spans

        for first, last in pairwise(_cut(self._offsets)):
            token_ids, offsets = self._repeat(first, last)
            kept = np.empty(offsets[-1] - offsets[0], dtype=np.int32)
            n_kept = spans.subsample(token_ids, offsets, self._keep, self._state, kept)
            done = self._offsets[[first, last]] / self._offsets[-1]
            yield Chunk(kept[:n_kept], done)

    def _repeat(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens and offsets of some documents, each as often as it weighs.

        What is left of a whole number is the probability of one time more.
        """
        corpus = self._corpus
        offsets = corpus.doc_offsets[first : last + 1]
        if corpus.doc_weights is None:
            return corpus.token_ids, offsets
        times, rest = np.divmod(corpus.doc_weights[first:last], 1.0)
        if rest.any():
            times += self._random.random(times.size) < rest
        chosen = np.repeat(np.arange(first, last), times.astype(np.int64))
        starts, lengths = (
            corpus.doc_offsets[chosen],
            np.diff(corpus.doc_offsets)[chosen],
        )
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1] if ends.size else 0)
        places += np.repeat(starts - (ends - lengths), lengths)
        repeated = np.concatenate([[0], ends]).astype(np.int64)
        return corpus.token_ids[places], repeated


def _cut(offsets: np.ndarray) -> list[int]:
    """Return where to cut documents into chunks of some `_CHUNK` tokens."""
    wanted = np.linspace(0, offsets[-1], max(1, int(offsets[-1]) // _CHUNK) + 1)
    edges = np.searchsorted(offsets, wanted)
    return np.unique([0, *edges[1:-1], offsets.size - 1]).tolist()


class Pairs:
    """Pairs of words, drawn in proportion to their counts.

    A pair's visits in an epoch differ by less than one from what its count says.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Words x contexts.
    draws : Draws
    seeds : SeedSequence
    """

    unit = "tokens"
    window = (1, "flat", 2)

    def __init__(
        self, counts: sparse.csr_array, draws: Draws, seeds: np.random.SeedSequence
    ):
        kept = counts.tocoo()
        weights = kept.data * draws.keep[kept.row] * draws.keep[kept.col]
        self.one_way = bool((counts != counts.T).nnz)
        self._words, self._contexts = kept.row, kept.col
        if not self.one_way:
            # Two words visited together are a pair in either direction.
            upper = kept.row <= kept.col
            weights = np.where(kept.row == kept.col, 0.5 * weights, weights)[upper]
            self._words, self._contexts = kept.row[upper], kept.col[upper]
        most = max(_FEW_VISITS, _MOST_VISITS_OF_A_PAIR * weights.size)
        self._n_visits = int(np.ceil(min(max(weights.sum(), weights.size), most)))
        self._ends = np.cumsum(weights)
        self._random = np.random.default_rng(seeds.spawn(1)[0])
        self.kept = draws.kept * (self.size / draws.kept.sum())

    @property
    def size(self) -> int:
        """Tokens of an epoch."""
        return 2 * self._n_visits

    def chunks(self) -> Iterator[Chunk]:
        """Draw the pairs of an epoch, every chunk from all of them."""
        n_visits = self._n_visits
        n_chunks = -(-self.size // _CHUNK)
        start = self._random.random()
        for number in range(n_chunks):
            steps = np.arange(number, n_visits, n_chunks) + start
            drawn = np.searchsorted(self._ends, steps * (self._ends[-1] / n_visits))
            # The last step may be rounded up to the end.
            drawn = np.minimum(drawn, self._ends.size - 1)
            drawn = self._random.permutation(drawn)
            tokens = np.empty((drawn.size, 2), dtype=np.int32)
            tokens[:, 0] = ~self._words[drawn]
            tokens[:, 1] = self._contexts[drawn]
            done = np.array([number, number + 1]) / n_chunks
            yield Chunk(tokens.ravel(), done)


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
        Of its columns.
    subsample, noise_exponent : float

    Returns
    -------
    Draws
        A pair is kept when both of its words are.
    """
    keep = _sampling.keep_probabilities(totals, subsample)
    kept = keep * (keep @ counts)
    return Draws(keep, kept, _sampling.noise_distribution(totals, noise_exponent))
