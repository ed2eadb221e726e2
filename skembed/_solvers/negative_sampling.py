"""Training with negative sampling, for skip-gram and CBOW."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skembed._corpus import vocabulary
from skembed._corpus.vocabulary import Corpus
from skembed._counts import count
from skembed._solvers.epochs import EarlyStopping, Epochs, hold_out_documents
from skembed._solvers.job import Fitted, Job, RandomStart
from skembed._solvers.sampling import (
    Chunk,
    Documents,
    Draws,
    Pairs,
    alias_table,
    pair_draws,
    window_thresholds,
    word_draws,
)
from skembed._tying import strategies
from skembed._tying.bias import Bias
from skembed._tying.layout import Layout
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import aligned_zeros, check_room
from skembed._utils.threads import ThreadTeam

# Kernels compute whole chunks of words, so buffers have room for multiples of it only.
_CHUNK = 16
# Words of a lane between two exchanges of updates, and the noise words that they share.
SPAN = 2 * _CHUNK
SHARED_NOISE = _CHUNK
# Neighbouring words of skip-gram whose windows extend equally far.
GROUP = 4
# CBOW has longer spans, whose words share more contexts.
HIDDEN_SPAN = 4 * _CHUNK
# So few that their updates stay in a core's cache.
MAX_LANES = 8
# How many updates of one row a round may add up before they become too stale, measured
# in pairs of the most frequent word.
_MAX_PAIRS_OF_A_ROW = 64
_MIN_TOKENS_OF_A_LANE = 1000
# Work between two checks for signals, less than 0.1 s, in multiplications and
# additions; and the cost of a word apart from its scores and updates.
_WORK_OF_A_SLICE = 1 << 30
_WORK_OF_A_WORD = 3000
_LAST_RATE = 1e-4
# Size of the tables from which on rows are asked for while another lane is computed.
_BYTES_OF_CACHES = 1 << 25
# Kept tokens of all epochs that are worth a thread: about ten milliseconds.
_MIN_TOKENS_OF_A_THREAD = 50_000
# Largest number of progress reports in an epoch.
_MOST_PARTS = 1000
# Tokens whose pairs are marked at once.
_NOTED_AT_ONCE = 1 << 16


class Settings(NamedTuple):
    """The parameters of SGNS and CBOW that training depends on."""

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
    direction: str
    stopping: EarlyStopping
    n_jobs: int | None

    @property
    def hidden(self) -> bool:
        """Whether the slots of a span begin with hidden vectors."""
        return self.aggregation is not None

    @property
    def side(self) -> str:
        """The direction of the contexts in a matrix of counts."""
        return "left" if self.layout.directional else self.direction

    @property
    def sides(self) -> tuple[bool, bool]:
        """Whether the windows of a text extend to the left and to the right.

        The contexts of the parameter `direction` are those of a score s(w, c). In
        skip-gram, c is in the window of w. In CBOW, c is the word in the middle, and
        follows w where w is to the left of it.
        """
        left, right = self.direction != "right", self.direction != "left"
        return (right, left) if self.hidden else (left, right)


class Data(NamedTuple):
    """The data that an epoch visits, and the counts of words."""

    source: Documents | Pairs
    held_out: Documents | Pairs | None
    draws: Draws
    totals: np.ndarray  # counts of words as contexts, in all data so far


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
    from skembed._kernels import spans

    layout = settings.layout
    if job.resume.continues:
        layout = layout.with_map(job.resume.learned)
    data = _data(settings, job)
    sampler = spans.Sampler(
        window_thresholds(data.source.weights),
        *alias_table(data.draws.noise),
        SHARED_NOISE,
        float(settings.negative),
        bool(settings.exclude_window_noise),
        *data.source.reach,
    )
    model, start = start_model(settings, layout, data.draws, job)
    training = _Training(settings, job, data, (layout, model, sampler, start))
    return Epochs(training, settings.stopping, job).run()


def _data(settings: Settings, job: Job) -> Data:
    """Return the data to visit, the probabilities, and the counts of contexts."""
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
    window, sides, longest = settings.window, settings.sides, job.corpus.longest
    draws = word_draws(totals, settings.subsample, settings.noise_exponent)
    weights = count.window_weights(window, settings.window_weighting, longest)
    # From these documents only; the probabilities also count earlier documents.
    own = draws._replace(kept=job.counts * draws.keep)
    source = Documents(job.corpus, own, weights, job.seeds, sides)
    held = None
    if held_out is not None:
        held = Documents(held_out, own, weights, job.split_seeds, sides)
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
    """Return warnings about this strategy."""
    if settings.bias.name is not None or settings.negative == 1:
        return []
    # A factor of a learned diagonal hardly ever changes its sign.
    diagonal = strategy.n_tables == 1 and strategy.map_kind == strategies.DIAGONAL
    positive = diagonal and settings.layout.map.min() > 0.0
    if not (strategy.needs_constant or positive):
        return []
    return [
        f"share_context={strategies.label(strategy)} with bias=None cannot express the "
        "negative mean of the scores, -ln(negative), and hardly learns; use "
        "bias='exact'."
    ]


def start_model(
    settings: Settings, layout: Layout, draws: Draws, job: Job
) -> tuple[Any, RandomStart]:
    """Return the initial model in the kernels' form: small random word vectors.

    Context vectors in separate tables start at 0, as in word2vec. If they are not
    trained, they start at random, because word vectors could not learn from zeros. Rows
    of earlier fits keep their values, and given vectors replace random ones.

    Parameters
    ----------
    settings : Settings
    layout : Layout
        With the initial map.
    draws : Draws
    job : Job

    Returns
    -------
    model : Model
    start : RandomStart
        The random vectors that were written.
    """
    from skembed._kernels import spans

    map_fields = start_map(layout)
    bias, moves_contexts = settings.bias, settings.moves_contexts
    offset = bias.offset(draws.kept / draws.kept.sum(), draws.noise, settings.negative)
    rows, params = layout.rows, layout.allocate()
    random = np.random.default_rng(job.seeds.spawn(1)[0])
    n_rows, d = layout.n_words if moves_contexts else len(params), layout.n_components
    start = RandomStart(random, n_rows, d, d)
    start.write(params)
    resume = job.resume
    resume.write_init(params, job.vocabulary.rows)
    if resume.continues:
        layout.refill(params, resume.learned, np.arange(resume.n_words))
    model = spans.Model(
        params=params,
        **map_fields,
        offset=offset,
        n_components=layout.n_components,
        rows=rows,
        directional=layout.directional,
        word_bias=float(bias.learned and layout.shares_rows),
        context_bias=float(bias.learned),
        moves_contexts=moves_contexts,
        average=settings.aggregation == "mean",
        far=params.nbytes > _BYTES_OF_CACHES,
    )
    return model, start


def start_map(layout: Layout) -> dict[str, Any]:
    """Return the map of word vectors before training, as fields of a `Model`.

    Parameters
    ----------
    layout : Layout

    Returns
    -------
    dict
        The fields `mapped`, `scale`, `bound` and `map`.
    """
    from skembed._kernels import maps

    n_rows, start = len(layout.map), layout.scale()
    width = start.size
    scale = aligned_zeros((width,))
    scale[:] = start if n_rows < 2 else 1.0
    bound = np.full(1, np.abs(scale).max() ** 2, dtype=np.float32)
    fields = {"mapped": n_rows > 0, "scale": scale, "bound": bound, "map": None}
    if layout.learns_map or n_rows > 1:
        forward, n_padded = scale.reshape(1, -1), 0
        if n_rows > 1:
            n_padded = -(-n_rows // 4) * 4
            forward = aligned_zeros((n_padded, width))
            forward[:n_rows, : layout.n_components] = layout.map
        backward = aligned_zeros((n_padded, width))
        longest = aligned_zeros((2, width))
        longest[0, : layout.n_components] = layout.n_components**-0.5
        fields["map"] = maps.Map(forward, backward, bound, longest, layout.learns_map)
        maps.update_map(fields["map"])
    return fields


def learned_map(model: Any, layout: Layout) -> np.ndarray | None:
    """Return a copy of the learned map, if there is one."""
    if not layout.learns_map:
        return None
    return model.map.forward[: len(layout.map), : layout.n_components].copy()


class _Slice(NamedTuple):
    """The tokens of a chunk, and the settings of their visit."""

    tokens: np.ndarray
    lanes: Any
    rates: tuple[float, float]
    rounds: tuple[int, int]


class _HeldOut(NamedTuple):
    """The held-out data. Every epoch visits them with the same random draws."""

    chunks: list[Chunk]
    lanes: Any
    states: np.ndarray


class _Training:
    """The epochs of one fit, see `epochs.Trainer`; the model is updated in place."""

    def __init__(
        self,
        settings: Settings,
        job: Job,
        data: Data,
        started: tuple[Layout, Any, Any, RandomStart],
    ):
        if settings.hidden:
            from skembed._kernels.cbow import train_rounds
        else:
            from skembed._kernels.sgns import train_rounds
        self.train_rounds: Callable[..., None] = train_rounds
        self.settings = settings
        self.learning_rate = settings.learning_rate
        self.job = job
        self.data = data
        self.source = data.source
        self.layout, self.model, self.sampler, self.start = started
        self.unit, self.size = self.source.unit, self.source.size
        # Finished epochs of the learning-rate schedule.
        self.first = 0
        if job.resume.adds:
            done = job.resume.learned["_schedule_epoch"]
            self.first = done % job.n_scheduled
        kept = self.source.kept
        self.n_lanes = count_lanes(kept, self.source.weights, settings.hidden)
        worth = int(kept.sum() * job.n_epochs / _MIN_TOKENS_OF_A_THREAD)
        self.n_jobs = settings.n_jobs
        self.most_threads = min(self.n_lanes, worth)
        # All parameters: vectors and biases; a diagonal, or ones; a matrix.
        learned = self.model.params[:, : self.layout.n_components + 1]
        self.state = [learned, self.model.scale]
        if self.model.map is not None:
            self.state.append(self.model.map.forward)
        # 1 for words whose vectors were in a pair, up to the epoch that is kept.
        self.paired = np.zeros(self.layout.n_words, dtype=np.float32)
        self.state.append(self.paired)

    def _allocate(self, n_threads: int) -> None:
        """Set up the work spaces."""
        n_lanes = self.n_lanes
        window, hidden = self.source.weights.size, self.settings.hidden
        n_slots = count_slots(window, self.model.directional, hidden)
        self.lanes = make_lanes(n_lanes, n_slots, self.model, n_threads, hidden)
        # As long for several threads as for one: each slice wakes them.
        self.slice = n_threads * rounds_of_slice(
            self.lanes, window, len(self.layout.map), hidden
        )
        n_rounds = self.source.kept.sum() / (n_lanes * span_length(hidden))
        self.n_slices = int(np.clip(n_rounds / self.slice, 1, _MOST_PARTS))
        n_columns = count_columns(n_slots, window, self.model.directional, hidden)
        self.scratches = [
            make_scratch(self.lanes, n_columns, hidden) for _ in range(n_threads)
        ]
        self.lanes.states[:] = self.job.seeds.generate_state(n_lanes, np.uint64)
        self.held_out = None
        if self.data.held_out is not None:
            lanes = self.lanes._replace(
                states=self.lanes.states.copy(),
                loss=np.zeros_like(self.lanes.loss),
                pairs=np.zeros_like(self.lanes.pairs),
            )
            chunks = list(self.data.held_out.chunks())
            # The first children of these seeds draw the chunks.
            seeds = self.job.split_seeds.spawn(3)[2]
            states = seeds.generate_state(n_lanes, np.uint64)
            self.held_out = _HeldOut(chunks, lanes, states)

    def prepare(self, team: ThreadTeam) -> None:
        """Take the threads of all epochs, and set up their work spaces."""
        self.team = team
        self._allocate(team.size)
        if team.size > 1:
            # Compiled in this thread, because interrupts wait for other threads.
            none = _Slice(np.empty(0, dtype=np.int32), self.lanes, (0.0, 0.0), (0, 0))
            ThreadTeam(1).run(functools.partial(self._train_slice, none))

    def train(self, epoch: int, report: Callable[[float], bool]) -> float | None:
        """Visit all tokens once; return the mean loss of a pair.

        It is None if a fit resumes and the further documents hold no pair.
        """
        lanes, n_scheduled = self.lanes, self.job.n_scheduled
        lanes.loss[:] = 0.0
        lanes.pairs[:] = 0
        stopped = False
        for chunk in self.source.chunks():
            # Shares of the whole schedule, before this chunk and after it.
            done = (self.first + epoch + chunk.done) / n_scheduled
            stopped = self._visit(chunk, done, lanes, report)
            if not (stopped or self.paired.all()):
                self._note_pairs(chunk.tokens)
            # Its memory is released before the next chunk is allocated.
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
        """Mark the words of neighbouring tokens, which are a pair in every window.

        If windows extend to one side only, skip-gram changes the vector of the word
        whose window it is, and CBOW changes the vector of the other word only.
        """
        to_left, to_right = map(bool, self.source.reach)
        if self.settings.hidden:
            to_left, to_right = to_right, to_left
        for first in range(0, tokens.size - 1, _NOTED_AT_ONCE):
            behind = tokens[first + 1 : first + 1 + _NOTED_AT_ONCE]
            has_neighbor = behind >= 0
            if to_left:
                self.paired[behind[has_neighbor]] = 1.0
            if to_right:
                words = tokens[first : first + behind.size][has_neighbor]
                # The first word of a document is stored as ``~id``.
                self.paired[np.where(words < 0, ~words, words)] = 1.0

    def validate(self) -> float:
        """Return the mean loss of a held-out pair, always with the same draws."""
        held = self.held_out
        assert held is not None
        lanes, map_ = held.lanes, self.model.map
        # The bound of a learned map becomes tighter in every round, even without steps.
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
        """Visit a chunk; return whether to stop. If `done` is None, learn nothing."""
        longest_lane = -(-chunk.tokens.size // lanes.states.size)
        n_rounds = -(-longest_lane // span_length(self.settings.hidden))
        rates = 0.0, 0.0
        if done is not None:
            rates = _rates(self.learning_rate, done, n_rounds)
        before, after = chunk.done
        # Between two slices, Python checks for signals.
        for first in range(0, n_rounds, self.slice):
            rounds = (first, min(first + self.slice, n_rounds))
            part = _Slice(chunk.tokens, lanes, rates, rounds)
            self.team.run(functools.partial(self._train_slice, part))
            if report(before + (after - before) * rounds[1] / n_rounds):
                return True
        return False

    def _train_slice(self, part: _Slice, member: Any) -> None:
        """Run some rounds as one thread of a team."""
        self.train_rounds(
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
        """Return which rows training has used, as bool.

        A pair does not change its word vector while its contexts are still 0. Context
        vectors that are not trained are used if their words are contexts.
        """
        of_contexts = np.tile(self.data.totals > 0.0, self.layout.n_tables - 1)
        return np.concatenate([self.paired > 0.0, of_contexts])

    def fitted(self, n_finished: int, last: bool) -> Fitted:
        """Return the model after `n_finished` epochs."""
        layout, params = self.layout, self.model.params
        if not last:
            params = params.copy()
        map_ = learned_map(self.model, layout)
        self.start.erase(params, self._used_rows())
        word_biases, context_biases, other_biases = layout.biases(params)
        word_vectors, context_vectors, attributes = layout.consume_params(params, map_)
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
        Shares of the schedule before the chunk and after it.
    n_rounds : int
    """
    # Python's floats: for other types the kernel would be compiled again.
    first, last = learning_rate * (1.0 - (1.0 - _LAST_RATE) * done)
    return float(first), float(last - first) / max(n_rounds, 1)


def count_lanes(kept: np.ndarray, weights: np.ndarray, hidden: bool = False) -> int:
    """Return the number of lanes: spans that are computed before updates are added.

    It depends on the documents and parameters only, never on the machine.

    Parameters
    ----------
    kept : ndarray of shape (n_words,), float64
        Expected number of a word's tokens in an epoch.
    weights : ndarray of shape (window,), float64
        Weights of contexts by distance.
    hidden : bool, default=False
        Whether there are hidden vectors.
    """
    if not kept.any():
        return 1
    pairs = 2.0 * weights.sum() * span_length(hidden) * kept.max() / kept.sum()
    most = min(
        MAX_LANES,
        kept.sum() / _MIN_TOKENS_OF_A_LANE,
        _MAX_PAIRS_OF_A_ROW / pairs,
    )
    return max(1, int(most))


def span_length(hidden: bool) -> int:
    """Return the number of words of a span, with hidden vectors or without."""
    return HIDDEN_SPAN if hidden else SPAN


def count_slots(window: int, directional: bool = False, hidden: bool = False) -> int:
    """Return the number of rows of a span: words, contexts and noise words.

    Parameters
    ----------
    window : int
        Largest distance of a context.
    directional : bool, default=False
        Whether left and right contexts have separate rows.
    hidden : bool, default=False
        Whether there are hidden vectors, which come first.
    """
    span = span_length(hidden)
    contexts = -(-(span + 2 * window) // 16) * 16 * (2 if directional else 1)
    return span + contexts + SHARED_NOISE + (span if hidden else 0)


def count_columns(
    n_slots: int, window: int, directional: bool = False, hidden: bool = False
) -> int:
    """Return the number of scores that are kept of a word in a span.

    In skip-gram, these are the contexts around a group of words, and the noise words.

    Parameters
    ----------
    n_slots, window, directional, hidden
        As in `count_slots`, and what it returns.
    """
    if hidden:
        return n_slots
    contexts = GROUP + (window if directional else 2 * window)
    return -(-contexts // 16) * 16 * (2 if directional else 1) + SHARED_NOISE


def rounds_of_slice(
    lanes: Any, window: int, n_map_rows: int, hidden: bool = False
) -> int:
    """Return the number of rounds in one call of a kernel, which takes less than 0.1 s.

    Parameters
    ----------
    lanes : Lanes
    window : int
        Largest distance of a context.
    n_map_rows : int
        Rows of the map of word vectors.
    hidden : bool, default=False
        Whether there are hidden vectors.
    """
    n_lanes, _, width = lanes.updates.shape
    partners = 2 * window + SHARED_NOISE
    of_a_word = 3 * width * (partners + n_map_rows) + _WORK_OF_A_WORD
    return max(1, _WORK_OF_A_SLICE // (n_lanes * span_length(hidden) * of_a_word))


def make_lanes(
    n_lanes: int, n_slots: int, model: Any, n_threads: int = 1, hidden: bool = False
) -> Any:
    """Return the lanes' buffers, all zeros."""
    from skembed._kernels import maps, spans

    width = model.params.shape[1]
    n_rows = 0
    if model.map is not None and model.map.learned:
        n_rows = len(model.map.forward)
    check_room(
        4.0 * width * (n_lanes * (n_slots + n_rows) + 2 * n_threads * n_slots),
        f"Work spaces of {n_slots} vectors of {width} numbers",
        "Lower n_components or window.",
    )
    # Eight bits for a slot or more, so that few rows meet in a bit.
    n_numbers = max(16, 1 << (n_lanes * n_slots // 4).bit_length())
    steps = None
    if model.map is not None:
        map_steps = aligned_zeros((n_lanes, n_rows, width))
        steps = maps.MapSteps(map_steps, aligned_zeros((n_lanes,)))
    return spans.Lanes(
        states=aligned_zeros((n_lanes,), np.uint64),
        parts=np.zeros((n_lanes, spans.PARTS, 4), dtype=np.int64),
        windows=np.zeros((n_lanes, span_length(hidden), 4), dtype=np.int64),
        words=np.zeros((n_lanes, n_slots), dtype=np.int32),
        updates=aligned_zeros((n_lanes, n_slots, width)),
        n_slots=np.zeros(n_lanes, dtype=np.int64),
        slots=aligned_zeros((n_lanes, n_slots), np.int32),
        targets=aligned_zeros((n_lanes, n_slots), np.int32),
        n_words=np.zeros(n_lanes, dtype=np.int64),
        n_pending=np.zeros(n_lanes, dtype=np.int64),
        pending=aligned_zeros((2 * n_lanes, n_slots), np.int32),
        curvatures=aligned_zeros((n_lanes, n_slots)),
        map=steps,
        loss=aligned_zeros((n_lanes,), np.float64),
        pairs=aligned_zeros((n_lanes,), np.int64),
        claims=np.zeros(n_lanes * spans.CLAIM_NUMBERS, dtype=np.int64),
        rows=aligned_zeros((n_threads, n_numbers), np.uint32),
        repeated=aligned_zeros((n_threads, n_numbers), np.uint32),
    )


def make_scratch(lanes: Any, n_columns: int, hidden: bool = False) -> Any:
    """Return the work space of one thread, all zeros; see `count_columns`."""
    from skembed._kernels import spans

    span = span_length(hidden)
    n_lanes, n_slots, width = lanes.updates.shape
    return spans.Scratch(
        # Behind those of skip-gram is room for 16 transposed vectors.
        vectors=aligned_zeros((n_slots + (0 if hidden else 16), width)),
        slots=aligned_zeros((4, n_slots)),
        words=aligned_zeros((span, 64)),
        window=np.zeros((span, 4), dtype=np.int64),
        unmapped=aligned_zeros((span, width)),
        scores=aligned_zeros((span, n_columns)),
        weights=aligned_zeros((span, n_columns)),
        stream=aligned_zeros((8,), np.uint64),
        owned=aligned_zeros((n_lanes * n_slots, 3), np.int32),
        owned_rows=aligned_zeros(lanes.rows.shape[1:], np.uint32),
        repeated_rows=aligned_zeros(lanes.rows.shape[1:], np.uint32),
    )
