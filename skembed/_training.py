"""Training with negative sampling: the way that skip-gram and CBOW share."""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skembed import _sampling, _tying
from skembed._fitted import Fitted
from skembed._layout import Layout
from skembed._memory import aligned_zeros
from skembed._parallel import ThreadTeam, n_threads
from skembed._progress import Progress
from skembed._sampling import Draws
from skembed._vocabulary import Corpus, Vocabulary

# Words of a lane between two exchanges of updates, and noise words they share;
# multiples of 16.
_SPAN = 32
_SHARED_NOISE = 16
_MAX_LANES = 16
# Updates of one row that a round may add up before they become too stale: measured
# in pairs of the most frequent word.
_MAX_PAIRS_OF_A_ROW = 64
_MIN_TOKENS_OF_A_LANE = 1000
_LAST_RATE = 1e-4
# Tokens that are subsampled at once, which bounds the memory for them.
_CHUNK = 1 << 20
# Rounds between two looks at signals, less than 0.1 s.
_SLICE = 256
# Kept tokens of all epochs that are worth a thread: some ten milliseconds.
_MIN_TOKENS_OF_A_THREAD = 50_000


class Family(NamedTuple):
    """What tells skip-gram and CBOW apart."""

    train_rounds: Callable[..., None]  # the kernel
    hidden: bool = False  # whether the slots of a span begin with hidden vectors
    average: bool = False  # whether these are means
    directional: bool = False  # whether left and right contexts may differ


def fit(
    estimator: Any,
    family: Family,
    corpus: Corpus,
    vocabulary: Vocabulary,
    strategy: _tying.Tying,
    seeds: np.random.SeedSequence,
) -> Fitted:
    """Train an estimator's vectors with negative sampling.

    Parameters
    ----------
    estimator : SGNSEmbedder or CBOWEmbedder
        Its parameters are read.
    family : Family
    corpus : Corpus
    vocabulary : Vocabulary
    strategy : Tying
    seeds : SeedSequence

    Returns
    -------
    Fitted
    """
    bias = _tying.get_bias(estimator.bias, strategy)
    layout = strategy.layout(
        len(vocabulary),
        estimator.n_components,
        estimator.negative_dims,
        family.directional and estimator.directional,
    )
    draws = _sampling.draws(
        vocabulary.counts, estimator.subsample, estimator.noise_exponent
    )
    offset = bias.offset(draws.kept / draws.kept.sum(), draws.noise, estimator.negative)
    both = estimator.update == "both"
    model = _start(layout, bias, offset, both, seeds)._replace(average=family.average)
    training = _Training(estimator, family, corpus, model, draws, seeds)
    progress = training.run()

    word_biases, context_biases, other_biases = layout.biases(model.params)
    word_vectors, context_vectors, attributes = layout.vectors(
        model.params, _learned_map(model, layout)
    )
    attributes.update(progress.learned())
    n_parameters = layout.n_parameters
    if bias.learned:
        attributes.update(other_biases)
        n_parameters += layout.n_words * len(set(layout.rows))
    return Fitted(
        n_parameters,
        word_vectors,
        context_vectors,
        offset,
        np.ones(estimator.n_components, dtype=np.float32),
        word_biases if bias.learned and layout.shares_rows else None,
        context_biases if bias.learned else None,
        attributes,
        _notes(estimator, strategy, layout, bias),
    )


def _notes(
    estimator: Any, strategy: _tying.Tying, layout: Layout, bias: Any
) -> list[str]:
    """Return what a user of this strategy should be warned of."""
    notes = [strategy.note] if strategy.note else []
    plain = strategy.needs_constant or (layout.is_signed and layout.map.min() > 0.0)
    if plain and bias.name is None and estimator.negative > 1:
        notes.append(
            f"share_context={strategy.name!r} with bias=None cannot express the "
            "negative mean of the scores, -ln(negative), and hardly learns; use "
            "bias='auto'."
        )
    return notes


def _start(
    layout: Layout,
    bias: Any,
    offset: np.ndarray,
    moves_contexts: bool,
    seeds: np.random.SeedSequence,
) -> Any:
    """Return the model before the first epoch: small random word vectors.

    Context vectors in tables of their own start at 0, as in word2vec, unless they do
    not move: then word vectors would have nothing to learn from.
    """
    from skembed._kernels import spans

    params = layout.allocate()
    random = np.random.default_rng(seeds.spawn(1)[0])
    n_rows = layout.n_words if moves_contexts else len(params)
    start = random.random((n_rows, layout.n_components), dtype=np.float32)
    start -= np.float32(0.5)
    start /= layout.n_components
    params[:n_rows, : layout.n_components] = start
    return spans.Model(
        params,
        start_map(layout),
        offset,
        layout.n_components,
        layout.rows,
        layout.directional,
        float(bias.learned and layout.shares_rows),
        float(bias.learned),
        moves_contexts,
        False,
    )


def start_map(layout: Layout) -> Any:
    """Return the map of word vectors before training, in the kernels' form.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    Map or None
    """
    from skembed._kernels import maps

    n_rows = len(layout.map)
    if n_rows == 0:
        return None
    padded = n_rows if n_rows < 2 else -(-n_rows // 4) * 4
    forward = aligned_zeros((padded, layout.width))
    forward[:n_rows, : layout.n_components] = layout.map
    backward = aligned_zeros((padded if n_rows > 1 else 0, layout.width))
    longest = aligned_zeros((2, layout.width))
    longest[0, : layout.n_components] = layout.n_components**-0.5
    bound = np.ones(1, dtype=np.float32)
    a = maps.Map(forward, backward, bound, longest, layout.learns_map)
    maps.update_map(a)
    return a


def _learned_map(model: Any, layout: Layout) -> np.ndarray | None:
    if not layout.learns_map:
        return None
    return model.map.forward[: len(layout.map), : layout.n_components].copy()


class _Chunk(NamedTuple):
    """The kept tokens of some documents, and how they are visited."""

    tokens: np.ndarray
    n_rounds: int
    rates: tuple[float, float]


class _Training:
    """The epochs of one fit; the model is updated in place."""

    def __init__(
        self,
        estimator: Any,
        family: Family,
        corpus: Corpus,
        model: Any,
        draws: Draws,
        seeds: np.random.SeedSequence,
    ):
        from skembed._kernels import spans

        self.estimator = estimator
        self.family = family
        self.corpus = corpus
        self.model = model
        window = (estimator.window, estimator.window_weighting, corpus.longest)
        thresholds = _sampling.window_thresholds(*window)
        self.sampler = spans.Sampler(
            thresholds,
            *_sampling.alias_table(draws.noise),
            _SHARED_NOISE,
            float(estimator.negative),
            bool(estimator.exclude_window_noise),
        )
        n_lanes = _n_lanes(draws.kept, _sampling.window_weights(*window))
        worth = int(draws.kept.sum() * estimator.max_iter / _MIN_TOKENS_OF_A_THREAD)
        self.n_threads = n_threads(estimator.n_jobs, min(n_lanes, worth))
        n_slots = _n_slots(family, thresholds.size, model.directional)
        self.lanes = _lanes(n_lanes, n_slots, model, self.n_threads)
        self.scratches = [_scratch(self.lanes) for _ in range(self.n_threads)]
        states = seeds.generate_state(n_lanes + 1, np.uint64)
        self.lanes.states[:] = states[:n_lanes]
        self.subsample_state = states[n_lanes:]
        self.keep_thresholds = (draws.keep * 2.0**32).astype(np.uint64)

    def run(self) -> Progress:
        progress = Progress(self.estimator, "tokens", self.corpus.token_ids.size)
        edges = _chunks(self.corpus.doc_offsets)
        largest = np.diff(self.corpus.doc_offsets[edges]).max()
        kept = np.empty(largest, dtype=np.int32)
        lanes = self.lanes
        with ThreadTeam(self.n_threads) as team:
            for epoch in range(self.estimator.max_iter):
                lanes.loss[:] = 0.0
                lanes.pairs[:] = 0
                for documents in itertools.pairwise(edges):
                    self._train_chunk(self._draw_chunk(epoch, documents, kept), team)
                if not lanes.pairs.any():
                    raise ValueError(
                        f"subsample={self.estimator.subsample} left no pair of words "
                        f"in epoch {epoch + 1}: the {progress.size} tokens are too "
                        "few for it. Pass subsample=0."
                    )
                loss = lanes.loss.sum() / lanes.pairs.sum()
                if self.model.map is not None:
                    # What is not finite there makes the loss so, too.
                    loss += 0.0 * float(self.model.map.forward.sum())
                progress.finish_epoch(loss, self.model.params)
        return progress

    def _draw_chunk(
        self, epoch: int, documents: tuple[int, int], kept: np.ndarray
    ) -> _Chunk:
        """Subsample some documents; set the first rate and its change per round."""
        from skembed._kernels import spans

        offsets = self.corpus.doc_offsets[documents[0] : documents[1] + 1]
        n_kept = spans.subsample(
            self.corpus.token_ids,
            offsets,
            self.keep_thresholds,
            self.subsample_state,
            kept,
        )
        longest_lane = -(-n_kept // self.lanes.states.size)
        n_rounds = -(-longest_lane // _SPAN)
        # Shares of the whole training, before this chunk and after it.
        done = (epoch + offsets[[0, -1]] / self.corpus.doc_offsets[-1]) / (
            self.estimator.max_iter
        )
        rates = _rates(self.estimator.learning_rate, done, n_rounds)
        return _Chunk(kept[:n_kept], n_rounds, rates)

    def _train_chunk(self, chunk: _Chunk, team: ThreadTeam) -> None:
        # Between two slices Python looks at signals.
        for first in range(0, chunk.n_rounds, _SLICE):
            rounds = (first, min(first + _SLICE, chunk.n_rounds))
            team.run(functools.partial(self._train_slice, chunk, rounds))

    def _train_slice(self, chunk: _Chunk, rounds: tuple[int, int], member: Any) -> None:
        """Take part in some rounds, as one thread of a team."""
        self.family.train_rounds(
            chunk.tokens,
            self.model,
            self.sampler,
            self.lanes,
            self.scratches[member.thread],
            rounds,
            chunk.rates,
            member,
        )


def _chunks(doc_offsets: np.ndarray) -> list[int]:
    """Return where to cut the documents into chunks of some `_CHUNK` tokens."""
    n_tokens = doc_offsets[-1]
    wanted = np.linspace(0, n_tokens, max(1, n_tokens // _CHUNK) + 1)
    edges = np.searchsorted(doc_offsets, wanted)
    return np.unique([0, *edges[1:-1], doc_offsets.size - 1]).tolist()


def _rates(
    learning_rate: float, done: np.ndarray, n_rounds: int
) -> tuple[float, float]:
    """Return a chunk's first learning rate and its change per round.

    Parameters
    ----------
    learning_rate : float
    done : ndarray of shape (2,), float64
        Shares of the training before the chunk and after it.
    n_rounds : int
    """
    # Python's floats: other types would compile the kernel once more.
    first, last = learning_rate * (1.0 - (1.0 - _LAST_RATE) * done)
    return float(first), float(last - first) / max(n_rounds, 1)


def _n_lanes(kept: np.ndarray, weights: np.ndarray) -> int:
    """Return how many spans may be computed before updates are added.

    It depends on the documents and parameters only, never on the machine.
    """
    pairs = 2.0 * weights.sum() * _SPAN * kept.max() / kept.sum()
    most = min(
        _MAX_LANES, kept.sum() / _MIN_TOKENS_OF_A_LANE, _MAX_PAIRS_OF_A_ROW / pairs
    )
    return max(1, int(most))


def _n_slots(family: Family, window: int, directional: bool = False) -> int:
    """Return how many rows a span works on: words, contexts and noise words."""
    contexts = -(-(_SPAN + 2 * window) // 16) * 16 * (2 if directional else 1)
    return _SPAN + contexts + _SHARED_NOISE + (_SPAN if family.hidden else 0)


def _lanes(n_lanes: int, n_slots: int, model: Any, n_threads: int = 1) -> Any:
    """Return the lanes' buffers, all zeros."""
    from skembed._kernels import spans

    width = model.params.shape[1]
    learned = model.map is not None and model.map.learned
    n_map_rows = len(model.map.forward) if learned else 0

    return spans.Lanes(
        states=aligned_zeros((n_lanes,), np.uint64),
        parts=np.zeros((n_lanes, spans.PARTS, 4), dtype=np.int64),
        words=np.zeros((n_lanes, n_slots), dtype=np.int32),
        updates=aligned_zeros((n_lanes, n_slots, width)),
        bounds=np.zeros((n_lanes, n_threads + 2), dtype=np.int64),
        routes=np.zeros((n_lanes, n_slots, 2), dtype=np.int32),
        curvatures=np.zeros((n_lanes, n_slots), dtype=np.float32),
        maps=aligned_zeros((n_lanes, n_map_rows, width)),
        map_curvatures=aligned_zeros((n_lanes,)),
        loss=aligned_zeros((n_lanes,), np.float64),
        pairs=aligned_zeros((n_lanes,), np.int64),
        claims=np.zeros(n_lanes * spans.CLAIM_NUMBERS, dtype=np.int64),
    )


def _scratch(lanes: Any) -> Any:
    """Return the work space of one thread, all zeros."""
    from skembed._kernels import spans

    _, n_slots, width = lanes.updates.shape
    return spans.Scratch(
        vectors=aligned_zeros((n_slots, width)),
        slots=aligned_zeros((4, n_slots)),
        words=aligned_zeros((_SPAN, 64)),
        window=np.zeros((_SPAN, 4), dtype=np.int64),
        unmapped=aligned_zeros((_SPAN, width)),
        scores=aligned_zeros((_SPAN, n_slots)),
        weights=aligned_zeros((_SPAN, n_slots)),
        stream=aligned_zeros((8,), np.uint64),
    )
