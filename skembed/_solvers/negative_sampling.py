"""Training with negative sampling: the way that skip-gram and CBOW share."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skembed._corpus import vocabulary
from skembed._corpus.vocabulary import Corpus
from skembed._counts import count
from skembed._counts.windows import window_thresholds, window_weights
from skembed._solvers import lanes as _lanes
from skembed._solvers import sampling
from skembed._solvers.early_stopping import EarlyStopping, hold_out_documents
from skembed._solvers.epochs import Epochs
from skembed._solvers.initial import RandomStart
from skembed._solvers.job import Fitted, Job
from skembed._solvers.model import learned_map, start_model
from skembed._solvers.sampling import Draws
from skembed._solvers.sources import Chunk, Documents, Pairs, pair_draws
from skembed._tying import strategies
from skembed._tying.bias import Bias
from skembed._tying.layout import Layout
from skembed._utils.interrupts import interruptible
from skembed._utils.threads import ThreadTeam, n_threads

_LAST_RATE = 1e-4
# Kept tokens of all epochs that are worth a thread: some ten milliseconds.
_MIN_TOKENS_OF_A_THREAD = 50_000
# An epoch is told of in so many parts at most.
_MOST_PARTS = 1000
# Tokens whose pairs are noted at once.
_NOTED_AT_ONCE = 1 << 16


class Settings(NamedTuple):
    """The parameters of skip-gram and CBOW that training depends on."""

    train_rounds: Callable[..., None]  # the kernel
    aggregation: str | None  # of a window's vectors, "mean" or "sum"; None: skip-gram
    layout: Layout
    bias: Bias
    moves_contexts: bool
    exclude_window_noise: bool
    negative: int
    noise_exponent: float
    subsample: float
    learning_rate: float
    window: int
    window_weighting: str
    stopping: EarlyStopping
    n_jobs: int | None

    @property
    def hidden(self) -> bool:
        """Whether the slots of a span begin with hidden vectors."""
        return self.aggregation is not None

    @property
    def side(self) -> str:
        """Of which contexts a matrix of counts has to be."""
        return "left" if self.layout.directional else "both"


class Data(NamedTuple):
    """What an epoch visits, and how often words count."""

    source: Documents | Pairs
    held_out: Documents | Pairs | None
    draws: Draws
    totals: np.ndarray  # of words as contexts, of all data that count


def fit(settings: Settings, job: Job) -> Fitted:
    """Train vectors with negative sampling.

    Parameters
    ----------
    settings : Settings
    job : Job

    Returns
    -------
    Fitted
    """
    bias, layout = settings.bias, settings.layout
    if job.resume.continues:
        layout = layout.with_map(job.resume.learned)
    data = _data(settings, job)
    draws = data.draws
    offset = bias.offset(draws.kept / draws.kept.sum(), draws.noise, settings.negative)
    model, start = start_model(layout, bias, offset, settings.moves_contexts, job)
    model = model._replace(average=settings.aggregation == "mean")
    training = _Training(settings, job, data, (layout, model, start))
    return Epochs(training, settings.stopping, job).run()


def _data(settings: Settings, job: Job) -> Data:
    """Return what is visited, the probabilities, and how often each context counts."""
    if job.corpus.token_weights is not None and settings.exclude_window_noise:
        raise ValueError(
            "exclude_window_noise=True asks for the words of a window, which a matrix "
            "does not have. Pass text, or exclude_window_noise=False."
        )
    corpus, held_out = job.corpus, None
    fraction = settings.stopping.validation_fraction
    if settings.stopping.is_on and fraction is not None:
        how = fraction, np.random.default_rng(job.split_seeds)
        corpus, held_out = interruptible(hold_out_documents, corpus, *how)
        counts = vocabulary.add_up(corpus, len(job.vocabulary))
        job = job._replace(corpus=corpus, counts=counts)
    if corpus.token_weights is None:
        return _data_of_text(settings, job, held_out)
    return _data_of_matrix(settings, job, held_out)


def _data_of_text(settings: Settings, job: Job, held_out: Corpus | None) -> Data:
    totals = job.counts if held_out is not None else job.vocabulary.counts
    draws = sampling.draws(totals, settings.subsample, settings.noise_exponent)
    # Of these documents alone, where others count for the probabilities.
    own = draws._replace(kept=job.counts * draws.keep)
    window = settings.window, settings.window_weighting
    source = Documents(job.corpus, own, window, job.seeds)
    held = None
    if held_out is not None:
        held = Documents(held_out, own, window, job.split_seeds)
    return Data(source, held, draws, totals)


def _data_of_matrix(settings: Settings, job: Job, held_out: Corpus | None) -> Data:
    hidden, side = settings.hidden, settings.side
    n_words, resume = len(job.vocabulary), job.resume
    with job.progress.step("count") as step:
        counts = count.count_pairs(
            settings, job.corpus, n_words, side, step.report, resume.adds
        )
    totals = np.ones(n_words) @ counts
    if resume.adds:
        totals += resume.of_words("_context_totals", n_words)
    draws = pair_draws(counts, totals, settings.subsample, settings.noise_exponent)
    source = Pairs(counts, draws, job.seeds, hidden, resume.adds)
    held = None
    if held_out is not None:
        counts = count.count_pairs(settings, held_out, n_words, side)
        held = Pairs(counts, draws, job.split_seeds, hidden)
    if resume.adds:
        earlier = resume.of_words("_context_kept", n_words)
        draws = draws._replace(kept=draws.kept + earlier)
    return Data(source, held, draws, totals)


def _notes(settings: Settings, strategy: strategies.Tying) -> list[str]:
    """Return what a user of this strategy should be warned of."""
    notes = []
    # A factor of a learned diagonal hardly ever changes its sign.
    diagonal = strategy.n_tables == 1 and strategy.map_kind == strategies.DIAGONAL
    positive = diagonal and settings.layout.map.min() > 0.0
    plain = strategy.needs_constant or positive
    if plain and settings.bias.name is None and settings.negative > 1:
        notes.append(
            f"share_context={strategies.label(strategy)} with bias=None cannot express "
            "the negative mean of the scores, -ln(negative), and hardly learns; use "
            "bias='exact'."
        )
    return notes


class _Slice(NamedTuple):
    """The tokens of a chunk, and how they are visited."""

    tokens: np.ndarray
    lanes: Any
    rates: tuple[float, float]
    rounds: tuple[int, int]


class _HeldOut(NamedTuple):
    """What is held out, as it is visited after every epoch: always the same way."""

    chunks: list[Chunk]
    lanes: Any
    states: np.ndarray


class _Training:
    """The epochs of one fit, see `_epochs.Trainer`; the model is updated in place."""

    def __init__(
        self,
        settings: Settings,
        job: Job,
        data: Data,
        started: tuple[Layout, Any, RandomStart],
    ):
        from skembed._kernels import spans

        self.settings = settings
        self.learning_rate = settings.learning_rate
        self.job = job
        self.data = data
        self.source = data.source
        self.layout, self.model, self.start = started
        self.unit, self.size = self.source.unit, self.source.size
        # Epochs of the learning rate's way down that are done.
        self.first = 0
        if job.resume.adds:
            done = job.resume.learned["_schedule_epoch"]
            self.first = done % job.n_scheduled
        window = self.source.window
        self.window = window_thresholds(*window)
        self.sampler = spans.Sampler(
            self.window,
            *sampling.alias_table(data.draws.noise),
            _lanes.SHARED_NOISE,
            float(settings.negative),
            bool(settings.exclude_window_noise),
            self.source.one_way,
        )
        kept = self.source.kept
        n_lanes = _lanes.count_lanes(kept, window_weights(*window))
        worth = int(kept.sum() * job.n_epochs / _MIN_TOKENS_OF_A_THREAD)
        self.n_threads = n_threads(settings.n_jobs, min(n_lanes, worth))
        self._allocate(n_lanes)
        n_rounds = kept.sum() / (n_lanes * _lanes.SPAN)
        self.n_slices = int(np.clip(n_rounds / self.slice, 1, _MOST_PARTS))
        # All learned numbers: vectors and biases; a diagonal, or ones; a matrix.
        learned = self.model.params[:, : self.layout.n_components + 1]
        self.state = [learned, self.model.scale]
        if self.model.map is not None:
            self.state.append(self.model.map.forward)
        # 1 for words whose vectors were in a pair up to the epoch that is kept.
        self.paired = np.zeros(self.layout.n_words, dtype=np.float32)
        self.state.append(self.paired)

    def _allocate(self, n_lanes: int) -> None:
        """Set up the work spaces."""
        n_slots = _lanes.count_slots(
            self.window.size, self.model.directional, self.settings.hidden
        )
        self.lanes = _lanes.make_lanes(n_lanes, n_slots, self.model, self.n_threads)
        self.scratches = [
            _lanes.make_scratch(self.lanes) for _ in range(self.n_threads)
        ]
        self.lanes.states[:] = self.job.seeds.generate_state(n_lanes, np.uint64)
        self.slice = _lanes.rounds_of_slice(
            self.lanes, self.window.size, len(self.layout.map)
        )
        self.held_out = None
        if self.data.held_out is not None:
            lanes = self.lanes._replace(
                states=self.lanes.states.copy(),
                loss=np.zeros_like(self.lanes.loss),
                pairs=np.zeros_like(self.lanes.pairs),
            )
            chunks = list(self.data.held_out.chunks())
            # The first children of these seeds have drawn the chunks.
            seeds = self.job.split_seeds.spawn(3)[2]
            states = seeds.generate_state(n_lanes, np.uint64)
            self.held_out = _HeldOut(chunks, lanes, states)

    def __enter__(self) -> "_Training":
        # Compiled in this thread, since an interrupt has to wait for the others.
        none = _Slice(np.empty(0, dtype=np.int32), self.lanes, (0.0, 0.0), (0, 0))
        ThreadTeam(1).run(functools.partial(self._train_slice, none))
        self.team = ThreadTeam(self.n_threads)
        return self

    def __exit__(self, *exception: object) -> None:
        self.team.__exit__(*exception)

    def train(self, epoch: int, report: Callable[[float], bool]) -> float | None:
        """Visit all tokens once; return the mean loss of a pair.

        Or None if further documents of a fit that goes on hold no pair.
        """
        lanes, n_scheduled = self.lanes, self.job.n_scheduled
        lanes.loss[:] = 0.0
        lanes.pairs[:] = 0
        stopped = False
        for chunk in self.source.chunks():
            # Shares of the whole training, before this chunk and after it.
            done = (self.first + epoch + chunk.done) / n_scheduled
            stopped = self._visit(chunk, done, lanes, report)
            if not (stopped or self.paired.all()):
                self._note_pairs(chunk.tokens)
            # Its memory is free before the next needs some.
            del chunk
            if stopped:
                break
        if not lanes.pairs.any() and not stopped:
            if self.job.resume.adds:
                return None
            subsample = self.settings.subsample
            cause, advice = "sample_weight", "Multiply"
            if subsample:
                cause, advice = (
                    f"subsample={subsample}",
                    "Pass subsample=0, or multiply",
                )
            raise ValueError(
                f"{cause} left no pair of words in epoch {epoch + 1}: the {self.size} "
                f"tokens are too few for it. {advice} sample_weight by a number."
            )
        return float(lanes.loss.sum() / max(lanes.pairs.sum(), 1))

    def _note_pairs(self, tokens: np.ndarray) -> None:
        """Note the words of neighbouring tokens, which are a pair in every window.

        Of pairs in one direction, skip-gram moves the vector of the first word only,
        and CBOW that of the second.
        """
        one_way, hidden = self.source.one_way, self.settings.hidden
        for first in range(0, tokens.size - 1, _NOTED_AT_ONCE):
            behind = tokens[first + 1 : first + 1 + _NOTED_AT_ONCE]
            has_neighbor = behind >= 0
            if hidden or not one_way:
                self.paired[behind[has_neighbor]] = 1.0
            if not (hidden and one_way):
                word = tokens[first : first + behind.size]
                # All other words of a document are behind one.
                self.paired[~word[has_neighbor & (word < 0)]] = 1.0

    def validate(self) -> float:
        """Return the mean loss of a pair that is held out, each time of the same."""
        held = self.held_out
        assert held is not None
        lanes, map_ = held.lanes, self.model.map
        # The bound of a learned map comes closer in every round, even of no steps.
        rough = [self.model.bound] if map_ is None else [map_.bound, map_.longest]
        before = [array.copy() for array in rough]
        lanes.states[:] = held.states
        lanes.loss[:] = 0.0
        lanes.pairs[:] = 0
        for chunk in held.chunks:
            self._visit(chunk, None, lanes, lambda share: False)
        for array, kept in zip(rough, before, strict=True):
            array[:] = kept
        if not lanes.pairs.any():
            raise ValueError(
                f"subsample={self.settings.subsample} left no pair of words in the "
                "documents that are held out. Pass subsample=0, more documents, or a "
                "larger validation_fraction."
            )
        return float(lanes.loss.sum() / lanes.pairs.sum())

    def _visit(
        self,
        chunk: Chunk,
        done: np.ndarray | None,
        lanes: Any,
        report: Callable[[float], bool],
    ) -> bool:
        """Visit a chunk, if `done` is None without learning; return whether to stop."""
        longest_lane = -(-chunk.tokens.size // lanes.states.size)
        n_rounds = -(-longest_lane // _lanes.SPAN)
        rates = 0.0, 0.0
        if done is not None:
            rates = _rates(self.learning_rate, done, n_rounds)
        before, after = chunk.done
        # Between two slices Python looks at signals.
        for first in range(0, n_rounds, self.slice):
            rounds = (first, min(first + self.slice, n_rounds))
            part = _Slice(chunk.tokens, lanes, rates, rounds)
            self.team.run(functools.partial(self._train_slice, part))
            if report(before + (after - before) * rounds[1] / n_rounds):
                return True
        return False

    def _train_slice(self, part: _Slice, member: Any) -> None:
        """Take part in some rounds, as one thread of a team."""
        self.settings.train_rounds(
            part.tokens,
            self.model,
            self.sampler,
            part.lanes,
            self.scratches[member.thread],
            part.rounds,
            part.rates,
            member,
        )

    def _used_rows(self) -> np.ndarray:
        """Return which rows have played a part in training, as bool.

        A pair may leave its word vector as it is, while its contexts are still 0.
        Contexts that do not move are used wherever their words are contexts.
        """
        of_contexts = np.tile(self.data.totals > 0.0, self.layout.n_tables - 1)
        return np.concatenate([self.paired > 0.0, of_contexts])

    def fitted(self, n_finished: int, last: bool) -> Fitted:
        """Return the model after so many epochs."""
        layout, params = self.layout, self.model.params
        if not last:
            params = params.copy()
        self.start.erase(params, self._used_rows())
        word_biases, context_biases, other_biases = layout.biases(params)
        word_vectors, context_vectors, attributes = layout.consume_params(
            params, learned_map(self.model, layout)
        )
        attributes.update(
            _context_totals=self.data.totals,
            _context_kept=self.data.draws.kept,
            _schedule_epoch=self.first + n_finished,
            _schedule_length=self.job.n_scheduled,
        )
        n_parameters = layout.n_parameters
        if self.settings.bias.learned:
            attributes.update(other_biases)
            n_parameters += layout.n_words * len(set(layout.rows))
        return Fitted(
            n_parameters,
            word_vectors,
            context_vectors,
            self.model.offset,
            np.ones(layout.n_components, dtype=np.float32),
            word_biases if self.settings.bias.learned and layout.shares_rows else None,
            context_biases if self.settings.bias.learned else None,
            attributes,
            _notes(self.settings, self.job.strategy),
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
