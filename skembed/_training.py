"""Training with negative sampling: the way that skip-gram and CBOW share."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skembed import _bias, _reading, _sampling, _tying
from skembed._fitted import Fitted
from skembed._layout import Layout
from skembed._memory import aligned_zeros
from skembed._parallel import ThreadTeam, n_threads
from skembed._progress import Progress
from skembed._sampling import Draws
from skembed._sources import Chunk, Documents, Pairs, pair_draws
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
    bias = _bias.get_bias(estimator.bias, strategy)
    layout = strategy.layout(
        len(vocabulary),
        estimator.n_components,
        estimator.negative_dims,
        family.directional and estimator.directional,
    )
    source, draws, totals = _source(estimator, family, corpus, vocabulary, seeds)
    offset = bias.offset(draws.kept / draws.kept.sum(), draws.noise, estimator.negative)
    both = estimator.update == "both"
    model = _start(layout, bias, offset, both, seeds)._replace(average=family.average)
    training = _Training(estimator, family, source, model, draws.noise, seeds)
    progress = training.run()

    word_biases, context_biases, other_biases = layout.biases(model.params)
    word_vectors, context_vectors, attributes = layout.vectors(
        model.params, _learned_map(model, layout)
    )
    attributes.update(progress.learned(), _context_totals=totals)
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


def _source(
    estimator: Any,
    family: Family,
    corpus: Corpus,
    vocabulary: Vocabulary,
    seeds: np.random.SeedSequence,
) -> tuple[Documents | Pairs, Draws, np.ndarray]:
    """Return what is visited, the probabilities, and how often each context counts."""
    settings = estimator.subsample, estimator.noise_exponent
    if corpus.token_weights is None:
        draws = _sampling.draws(vocabulary.counts, *settings)
        window = estimator.window, estimator.window_weighting
        return Documents(corpus, draws, window, seeds), draws, vocabulary.counts
    if estimator.exclude_window_noise:
        raise ValueError(
            "exclude_window_noise=True asks for the words of a window, which a matrix "
            "does not have. Pass text, or exclude_window_noise=False."
        )
    side = "left" if getattr(estimator, "directional", False) else "both"
    counts = _reading.count_pairs(estimator, corpus, len(vocabulary), side)
    totals = np.ones(counts.shape[0]) @ counts
    draws = pair_draws(counts, totals, *settings)
    return Pairs(counts, draws, seeds, family.hidden), draws, totals


def _notes(
    estimator: Any, strategy: _tying.Tying, layout: Layout, bias: Any
) -> list[str]:
    """Return what a user of this strategy should be warned of."""
    notes = [strategy.note] if strategy.note else []
    # A factor of a learned diagonal hardly ever changes its sign.
    diagonal = len(layout.map) == 1 and not layout.is_matrix
    positive = diagonal and layout.map.min() > 0.0
    plain = strategy.needs_constant or positive
    if plain and bias.name is None and estimator.negative > 1:
        notes.append(
            f"share_context={strategy.name!r} with bias=None cannot express the "
            "negative mean of the scores, -ln(negative), and hardly learns; use "
            "bias='exact'."
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
        params=params,
        **start_map(layout),
        offset=offset,
        n_components=layout.n_components,
        rows=layout.rows,
        directional=layout.directional,
        word_bias=float(bias.learned and layout.shares_rows),
        context_bias=float(bias.learned),
        moves_contexts=moves_contexts,
        average=False,
    )


def start_map(layout: Layout) -> dict[str, Any]:
    """Return the map of word vectors before training, as fields of a `Model`.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    dict
        Of `mapped`, `scale`, `bound` and `map`.
    """
    from skembed._kernels import maps

    n_rows = len(layout.map)
    scale = aligned_zeros((layout.width,))
    scale[:] = layout.scale(fill=0.0) if n_rows < 2 else 1.0
    bound = np.full(1, np.abs(scale).max() ** 2, dtype=np.float32)
    fields = {"mapped": n_rows > 0, "scale": scale, "bound": bound, "map": None}
    if layout.learns_map or n_rows > 1:
        forward, n_padded = scale.reshape(1, -1), 0
        if n_rows > 1:
            n_padded = -(-n_rows // 4) * 4
            forward = aligned_zeros((n_padded, layout.width))
            forward[:n_rows, : layout.n_components] = layout.map
        backward = aligned_zeros((n_padded, layout.width))
        longest = aligned_zeros((2, layout.width))
        longest[0, : layout.n_components] = layout.n_components**-0.5
        fields["map"] = maps.Map(forward, backward, bound, longest, layout.learns_map)
        maps.update_map(fields["map"])
    return fields


def _learned_map(model: Any, layout: Layout) -> np.ndarray | None:
    if not layout.learns_map:
        return None
    return model.map.forward[: len(layout.map), : layout.n_components].copy()


class _Slice(NamedTuple):
    """The tokens of a chunk, and how they are visited."""

    tokens: np.ndarray
    rates: tuple[float, float]
    rounds: tuple[int, int]


class _Training:
    """The epochs of one fit; the model is updated in place."""

    def __init__(
        self,
        estimator: Any,
        family: Family,
        source: Documents | Pairs,
        model: Any,
        noise: np.ndarray,
        seeds: np.random.SeedSequence,
    ):
        from skembed._kernels import spans

        self.estimator = estimator
        self.family = family
        self.source = source
        self.model = model
        thresholds = _sampling.window_thresholds(*source.window)
        self.sampler = spans.Sampler(
            thresholds,
            *_sampling.alias_table(noise),
            _SHARED_NOISE,
            float(estimator.negative),
            bool(estimator.exclude_window_noise),
            source.one_way,
        )
        kept = source.kept
        n_lanes = _n_lanes(kept, _sampling.window_weights(*source.window))
        worth = int(kept.sum() * estimator.max_iter / _MIN_TOKENS_OF_A_THREAD)
        self.n_threads = n_threads(estimator.n_jobs, min(n_lanes, worth))
        n_slots = _n_slots(family, thresholds.size, model.directional)
        self.lanes = _lanes(n_lanes, n_slots, model, self.n_threads)
        self.scratches = [_scratch(self.lanes) for _ in range(self.n_threads)]
        self.lanes.states[:] = seeds.generate_state(n_lanes, np.uint64)

    def run(self) -> Progress:
        progress = Progress(self.estimator, self.source.unit, self.source.size)
        lanes = self.lanes
        with ThreadTeam(self.n_threads) as team:
            for epoch in range(self.estimator.max_iter):
                lanes.loss[:] = 0.0
                lanes.pairs[:] = 0
                for chunk in self.source.chunks():
                    self._train_chunk(epoch, chunk, team)
                if not lanes.pairs.any():
                    raise ValueError(
                        f"subsample={self.estimator.subsample} left no pair of words "
                        f"in epoch {epoch + 1}: the {progress.size} tokens are too "
                        "few for it. Pass subsample=0, or a larger sample_weight."
                    )
                loss = lanes.loss.sum() / lanes.pairs.sum()
                # A learned diagonal, or ones; a learned matrix.
                learned = [self.model.params, self.model.scale]
                if self.model.map is not None:
                    learned.append(self.model.map.forward)
                progress.finish_epoch(loss, *learned)
        return progress

    def _train_chunk(self, epoch: int, chunk: Chunk, team: ThreadTeam) -> None:
        longest_lane = -(-chunk.tokens.size // self.lanes.states.size)
        n_rounds = -(-longest_lane // _SPAN)
        # Shares of the whole training, before this chunk and after it.
        done = (epoch + chunk.done) / self.estimator.max_iter
        rates = _rates(self.estimator.learning_rate, done, n_rounds)
        # Between two slices Python looks at signals.
        for first in range(0, n_rounds, _SLICE):
            rounds = (first, min(first + _SLICE, n_rounds))
            part = _Slice(chunk.tokens, rates, rounds)
            team.run(functools.partial(self._train_slice, part))

    def _train_slice(self, part: _Slice, member: Any) -> None:
        """Take part in some rounds, as one thread of a team."""
        self.family.train_rounds(
            part.tokens,
            self.model,
            self.sampler,
            self.lanes,
            self.scratches[member.thread],
            part.rounds,
            part.rates,
            member,
        )


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
    from skembed._kernels import maps, spans

    width = model.params.shape[1]
    steps = None
    if model.map is not None:
        n_rows = len(model.map.forward) if model.map.learned else 0
        map_steps = aligned_zeros((n_lanes, n_rows, width))
        steps = maps.MapSteps(map_steps, aligned_zeros((n_lanes,)))
    return spans.Lanes(
        states=aligned_zeros((n_lanes,), np.uint64),
        parts=np.zeros((n_lanes, spans.PARTS, 4), dtype=np.int64),
        words=np.zeros((n_lanes, n_slots), dtype=np.int32),
        updates=aligned_zeros((n_lanes, n_slots, width)),
        bounds=np.zeros((n_lanes, n_threads + 2), dtype=np.int64),
        routes=np.zeros((n_lanes, n_slots, 2), dtype=np.int32),
        curvatures=np.zeros((n_lanes, n_slots), dtype=np.float32),
        map=steps,
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
