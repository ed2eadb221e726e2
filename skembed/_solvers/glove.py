"""Training by weighted least squares, as in GloVe, block by block of the counts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._solvers.epochs import EarlyStopping, hold_out_pairs_inplace
from skembed._solvers.job import Fitted, Job, RandomStart, reorder
from skembed._tying.layout import Layout
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import aligned_zeros
from skembed._utils.threads import ThreadTeam, row_ranges

# Vectors and squared gradients of a block of words should about fill a core's cache.
_BLOCK_BYTES = 1 << 20
# Number of blocks that gives several threads enough tasks. Small data have fewer.
_BLOCKS_FOR_THREADS = 15
_MIN_ENTRIES_OF_A_BLOCK = 1000
_ENTRIES_FOR_A_BLOCK = 1 << 20
# Work is measured in updated numbers of a row. A thread updates a hundred million of
# them in about 40 ms. How much work is worth a thread, and how much a thread does
# between two checks for signals:
_WORK_OF_A_THREAD = 1 << 25
_WORK_OF_A_SLICE = 1 << 27
# Held-out entries whose loss one task measures.
_HELD_OUT_OF_A_TASK = 1 << 19
# Counts whose logarithms are taken at once.
_CHUNK = 1 << 15


class Settings(NamedTuple):
    """The parameters of GloVe that training depends on."""

    x_max: float
    alpha: float
    learning_rate: float
    stopping: EarlyStopping
    n_jobs: int | None


class Tables(NamedTuple):
    """Parameters of a model, with words in random order."""

    layout: Layout
    params: np.ndarray  # float32 (n_words * n_tables, width)
    squares: np.ndarray  # float32, same shape; start + sums of (rate * gradient)**2
    row_of: np.ndarray  # int32 (n_words,), row of each word within a table
    start: RandomStart  # of all rows
    keeps_squares: bool  # for later fits
    attributes: dict[str, Any]  # further ones of the fitted estimator


class Training:
    """The epochs of one fit, see `epochs.Trainer`.

    Parameters
    ----------
    settings : Settings
    job : Job
    counts : csr_array of shape (n_words, n_words), float64
        Words in the order of `tables`. It is consumed.
    tables : Tables
        They are updated in place.
    random : Generator
        Draws the order of the blocks.
    """

    unit = "pairs"

    def __init__(
        self,
        settings: Settings,
        job: Job,
        counts: sparse.csr_array,
        tables: Tables,
        random: np.random.Generator,
    ):
        self.settings = settings
        self.learning_rate = settings.learning_rate
        self.tables = tables
        self.random = random
        self._held_out: Any = None
        fraction = settings.stopping.validation_fraction
        if settings.stopping.is_on and fraction is not None:
            how = fraction, np.random.default_rng(job.split_seeds), tables.row_of
            counts, held_out = interruptible(hold_out_pairs_inplace, counts, *how)
            self._hold_out_inplace(held_out)
        self.size = counts.nnz
        layout, params, squares = tables[:3]
        n_learned = layout.n_components + 1
        self.state = [params[:, :n_learned], squares[:, :n_learned]]
        row_bytes = 2 * params.shape[1] * params.itemsize
        self.n_blocks = _n_blocks(layout.n_words, row_bytes, counts.nnz)
        self.model = _model(params, squares, layout, settings.learning_rate)
        work = max(1, counts.nnz * params.shape[1])
        worth = int(work * job.n_epochs / _WORK_OF_A_THREAD)
        self.n_jobs = settings.n_jobs
        self.most_threads = min(worth, self.n_blocks // 2 + 1)
        self._slices = work / _WORK_OF_A_SLICE
        self._counts: Any = counts
        self.entries: Any = None

    def _hold_out_inplace(self, counts: sparse.csr_array) -> None:
        """Take the counts whose loss is measured after every epoch. Consumes them."""
        from skembed._kernels import glove

        _to_targets_inplace(counts.data, self.settings.x_max, self.settings.alpha)
        self._held_out = glove.HeldOut(
            counts.indptr.astype(np.int64),
            counts.indices.astype(np.int32, copy=False),
            counts.data.view(np.float32).reshape(-1, 2),
        )

    def prepare(self, team: ThreadTeam) -> None:
        """Take the threads of all epochs, and sort the counts."""
        from skembed._kernels import glove

        self.team = team
        # As long for several threads as for one: each slice wakes them.
        of_a_slice = team.size * 2 * self.n_blocks / self._slices
        self.n_stages = max(1, int(of_a_slice))
        self.n_slices = -(-2 * self.n_blocks // self.n_stages)
        buffers = aligned_zeros((team.size, 3, self.tables.params.shape[1]))
        self.spaces = [glove.Space(*buffer) for buffer in buffers]
        x_max, alpha = self.settings.x_max, self.settings.alpha
        self.entries = _sort_entries_inplace(
            self._counts, self.n_blocks, x_max, alpha, team
        )
        self._counts = None
        if team.size > 1:
            # Compiled in this thread, because interrupts wait for other threads.
            order = np.zeros(self.n_blocks, dtype=np.int64)
            workers = ThreadTeam(1), self.spaces
            _train_stages(self.entries, self.model, order, (0, 0), workers)

    def train(self, epoch: int, report: Callable[[float], bool]) -> float:
        """Visit every entry once; return the mean objective."""
        if not self.size:
            return 0.0
        order = self.random.permutation(self.n_blocks)
        workers = self.team, self.spaces
        return _train_epoch(
            self.entries, self.model, order, self.n_stages, workers, report
        )

    def validate(self) -> float:
        """Return the mean objective of the held-out entries."""
        from skembed._kernels import glove

        indptr = self._held_out.indptr
        tasks = row_ranges(indptr, _HELD_OUT_OF_A_TASK)

        def measure(thread: int, rows: tuple[int, int]) -> float:
            space = self.spaces[thread]
            return glove.measure_rows(self._held_out, self.model, rows, space)

        return sum(self.team.map(measure, tasks)) / int(indptr[-1])

    def fitted(self, n_finished: int, last: bool) -> Fitted:
        """Return the model. It does not depend on the number of epochs."""
        layout, row_of = self.tables.layout, self.tables.row_of
        params = self.tables.params
        if last:
            # The vectors will be copied into the memory of the counts.
            self.entries = self._held_out = None
        else:
            params = params.copy()
        # Every pair changes its vectors. An unchanged vector belongs to no pair.
        self.tables.start.erase(params, np.zeros(len(params), dtype=bool))
        word_biases, context_biases, _ = layout.biases(params)
        word_vectors, context_vectors, attributes = layout.consume_params(params)
        word_vectors, context_vectors = reorder(word_vectors, context_vectors, row_of)
        word_biases, context_biases = reorder(word_biases, context_biases, row_of)
        attributes.update(self.tables.attributes)
        if self.tables.keeps_squares:
            attributes["_squares"] = self._squares_by_word()
        return Fitted(
            layout.n_parameters + layout.n_words * layout.n_tables,
            word_vectors,
            context_vectors,
            np.zeros(layout.n_words, dtype=np.float32),
            np.ones(layout.n_components, dtype=np.float32),
            word_biases,
            context_biases,
            attributes,
        )

    def _squares_by_word(self) -> np.ndarray:
        """Return AdaGrad's sums, table after table, in the vocabulary's order."""
        layout, _, squares, row_of = self.tables[:4]
        n_learned = layout.n_components + 1
        parts = np.split(squares, layout.n_tables)
        return np.concatenate([part[row_of, :n_learned] for part in parts])


def bias_squares(learning_rate: float) -> float:
    """Return the start of AdaGrad's sums for biases.

    All gradients are multiplied by the learning rate. If the sums start at its square,
    the first step of a bias is its gradient, as in the authors' program.
    """
    limits = np.finfo(np.float32)
    square = learning_rate * learning_rate
    return float(np.clip(square, limits.tiny, limits.max))


def _model(
    params: np.ndarray, squares: np.ndarray, layout: Layout, learning_rate: float
) -> Any:
    """Return the parameters and the tying strategy in the kernel's form."""
    from skembed._kernels import glove

    bias = np.zeros(params.shape[1], dtype=np.float32)
    bias[layout.n_components] = 1.0
    return glove.Model(
        params,
        squares,
        layout.scale(),
        bias,
        layout.n_components,
        layout.context_row,
        float(learning_rate),
    )


def _n_blocks(n_words: int, row_bytes: int, n_entries: int) -> int:
    """Return the number of blocks of rows and of columns: an odd number.

    It depends on the counts only, never on the machine or the number of threads.
    """
    by_cache = n_words * row_bytes // _BLOCK_BYTES
    by_threads = int((n_entries / _MIN_ENTRIES_OF_A_BLOCK) ** 0.5)
    # Between two checks for signals, a stage visits a limited number of entries.
    by_stage = n_entries // _ENTRIES_FOR_A_BLOCK
    n_blocks = max(by_cache, by_stage, min(by_threads, _BLOCKS_FOR_THREADS))
    n_blocks = min(n_blocks, n_words)
    return max(1, n_blocks - 1 + n_blocks % 2)


def _sort_entries_inplace(
    counts: Any, n_blocks: int, x_max: float, alpha: float, team: ThreadTeam
) -> Any:
    """Return counts in the order in which the kernel visits them, in the same memory.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Its `indices` and `data` are overwritten.
    n_blocks : int
    x_max, alpha : float
    team : ThreadTeam

    Returns
    -------
    Entries
    """
    from skembed._kernels import glove

    n_words = counts.shape[0]
    edges = np.arange(n_blocks + 1) * n_words // n_blocks
    indptr = counts.indptr.astype(np.int64)
    entries = glove.Entries(
        counts.indices.astype(np.int32, copy=False).view(np.uint32),
        counts.data.view(np.float32).reshape(-1, 2),
        np.zeros(n_blocks**2 + 1, dtype=np.int64),
        edges,
    )
    block_of = np.repeat(np.arange(n_blocks, dtype=np.int32), np.diff(edges))

    def sort_block(thread: int, block: int) -> None:
        first, last = indptr[edges[block]], indptr[edges[block + 1]]
        _to_targets_inplace(counts.data[first:last], x_max, alpha)
        spare = (
            np.empty(last - first, dtype=np.uint32),
            np.empty((last - first, 2), dtype=np.float32),
            np.zeros(n_blocks, dtype=np.int64),
        )
        glove.sort_rows(entries, indptr, block_of, block, spare)

    team.map(sort_block, range(n_blocks))
    return entries


def _to_targets_inplace(counts: np.ndarray, x_max: float, alpha: float) -> None:
    """Replace each count x in place by two float32 numbers: ln x and f(x)."""
    targets = counts.view(np.float32).reshape(-1, 2)
    log_max, exponent = np.log(float(x_max)), float(alpha)
    for first in range(0, counts.size, _CHUNK):
        chunk = slice(first, first + _CHUNK)
        logarithms = np.log(counts[chunk])
        targets[chunk, 0] = logarithms
        logarithms -= log_max
        targets[chunk, 1] = np.exp(exponent * np.minimum(logarithms, 0.0))


def _train_epoch(
    entries: Any,
    model: Any,
    order: np.ndarray,
    n_stages: int,
    workers: tuple[ThreadTeam, list[Any]],
    report: Callable[[float], bool],
) -> float:
    """Visit every entry once; return the mean objective.

    Parameters
    ----------
    entries : Entries
    model : Model
    order : ndarray of shape (n_blocks,), int64
        A permutation of the blocks, which differs between epochs.
    n_stages : int
        Stages between two checks for signals.
    workers : (ThreadTeam, list of Space)
        The team, and the work space of each of its threads.
    report : callable
        Called with the share that is done. It returns whether to skip the rest.
    """
    all_stages = 2 * order.size
    losses = []
    for first in range(0, all_stages, n_stages):
        stages = (first, min(first + n_stages, all_stages))
        losses.append(_train_stages(entries, model, order, stages, workers))
        if report(stages[1] / all_stages):
            break
    loss, n_entries = np.concatenate(losses).sum(axis=0)
    return float(loss / max(n_entries, 1.0))


def _train_stages(
    entries: Any,
    model: Any,
    order: np.ndarray,
    stages: tuple[int, int],
    workers: tuple[ThreadTeam, list[Any]],
) -> np.ndarray:
    """Visit the entries of some stages; return loss and entry count of each task."""
    from skembed._kernels import glove

    team, spaces = workers
    n_tasks = order.size // 2 + 1
    losses = np.zeros((2 * order.size, n_tasks, 2))
    progress = glove.Progress(
        np.zeros((stages[1] - stages[0], n_tasks), dtype=np.int64),
        np.zeros(order.size * glove.DONE_NUMBERS, dtype=np.int64),
    )

    def work(member: Any) -> None:
        how = stages, losses, progress, spaces[member.thread], member
        glove.train_stages(entries, model, order, *how)

    team.run(work)
    return losses[slice(*stages)].reshape(-1, 2)
