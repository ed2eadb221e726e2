"""Training by softmax over all contexts, or over the inner nodes of a Huffman tree.

Only co-occurrence counts enter the objective, so that an epoch takes equally long for
any corpus. The counts of some words, a block, are visited at a time. All scores of a
block are computed from the same parameters. Then the vectors of its words and the
vectors of all outputs make a step of AdaGrad. Outputs are contexts, or inner nodes.

Work is cut into tasks whose sizes do not depend on the number of threads, and every
number is written by one task. So the bits do not depend on it either.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._solvers.epochs import EarlyStopping, hold_out_counts_inplace
from skembed._solvers.job import Fitted, Job, Resume, reorder
from skembed._solvers.tree import Tree, from_children, leaf_weights, log_odds
from skembed._tying.layout import Layout
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import aligned_zeros
from skembed._utils.threads import ThreadTeam, n_threads, one_blas_thread, row_ranges

# Blocks of an epoch, about, and limits of their numbers of rows.
_BLOCKS = 64
_FEWEST_ROWS = 16
# Scores of a block that memory holds at once.
_SCORES = 1 << 24
# Contexts of a task of dense products, and rows of a task of sparse ones.
_TILE = 1024
_ROWS_OF_A_TASK = 32
# Tasks that the outputs of sparse products are cut into.
_SPARSE_TILES = 64
# Columns of a task that adds up vectors of a tree.
_LANES = 16
# Multiply-adds that are worth a thread: some 50 ms.
_WORK_OF_A_THREAD = 1 << 31
# Pairs whose loss is measured at once.
_MEASURED = 1 << 16
# With ``n_draws="auto"``: the largest vocabulary without draws, and their number.
EXACT_LIMIT, AUTO_DRAWS = 15_000, 1024
# Exponent of the distribution of contexts that are drawn, as in word2vec.
_DRAW_EXPONENT = 0.75
# The learning rate rises during this share of the epochs, and decays linearly to this
# share of itself.
_RISE, _LAST_RATE = 0.25, 1e-4
# What the first dimension starts at if scores have no bias. A context whose vector
# deviates from it by a has scores that are higher by 4 a, as with a bias. The square
# has to exceed the logarithms of the ratios of frequencies.
PLAIN_START = 4.0
# Largest number of pairs of words, and largest penalty.
_LARGEST = 1e15


class _Team(ThreadTeam):
    """Threads in which NumPy does not warn of overflows.

    They are noticed at the end of the epoch, with an error that says what to do.
    """

    def _guarded(self, work: Callable[[Any], Any], team: Any) -> Any:
        with np.errstate(all="ignore"):
            return super()._guarded(work, team)


class Settings(NamedTuple):
    """The parameters of the estimator that training depends on."""

    l2: float
    learning_rate: float
    n_draws: int  # 0 for the exact sum over all contexts
    bias: str | None  # "exact", "word" or None
    stopping: EarlyStopping
    n_jobs: int | None


class Tables(NamedTuple):
    """Parameters of a model, with words in random order."""

    layout: Layout
    params: np.ndarray  # float32 (n_words * n_tables, width)
    squares: np.ndarray  # float32, same shape; 1 + sums of squared gradients
    row_of: np.ndarray  # int32 (n_words,), row of each word within a table
    tree: Tree | None  # its leaves are rows; None for the full softmax
    keeps_squares: bool  # for later fits
    attributes: dict[str, Any]  # further ones of the fitted estimator


class Rates(NamedTuple):
    """What a step of AdaGrad depends on beside the gradient."""

    learning_rate: np.float32
    of_words: np.ndarray  # float32 (width,), factors of a row in the penalty's gradient
    of_outputs: np.ndarray  # float32 (width,)


class Model:
    """Parameters in the form that kernels take.

    Attributes
    ----------
    params, squares : ndarray of shape (n_words * n_tables, width), float32
    scale : ndarray of shape (width,), float32
        Factors of the dimensions in a score.
    learns : ndarray of shape (width,), float32
        1 for the columns of vectors, and for that of biases if they are learned.
    """

    def __init__(self, tables: Tables, learns_bias: bool):
        layout = tables.layout
        self.layout = layout
        self.params, self.squares = tables.params, tables.squares
        self.scale = layout.scale(0.0)
        self.bias = layout.n_components
        self.learns = np.zeros(layout.width, dtype=np.float32)
        self.learns[: layout.n_components + learns_bias] = 1.0
        # The bias belongs to the output. A word's own vector does not have one.
        self.learns_of_words = self.learns.copy()
        self.learns_of_words[self.bias] = 0.0

    def words(self, first: int, last: int) -> np.ndarray:
        """Return the vectors of word rows as in the score; 1 stands for the bias."""
        words = self.params[first:last] * self.scale
        words[:, self.bias] = 1.0
        return words

    def step_words(self, first: int, gradients: np.ndarray, rates: Rates) -> None:
        """Make a step of consecutive word rows, given slopes times output vectors."""
        from skembed._kernels import softmax

        gradients *= self.scale
        how = self.learns_of_words, rates.of_words, rates.learning_rate
        softmax.step_rows(self.params, self.squares, gradients, first, *how)

    def step_outputs(self, first: int, gradients: np.ndarray, rates: Rates) -> None:
        """Make a step of consecutive rows of the table of outputs."""
        from skembed._kernels import softmax

        first += self.layout.context_row
        how = self.learns, rates.of_outputs, rates.learning_rate
        softmax.step_rows(self.params, self.squares, gradients, first, *how)


class Objective(ABC):
    """The loss of a block of word rows, and the steps of all outputs.

    Parameters
    ----------
    model : Model
    outputs : ndarray of shape (>= n_outputs, width), float32
        The vectors of the outputs, and their biases.
    n_rows : int
        Largest number of rows of a block.
    """

    def __init__(self, model: Model, outputs: np.ndarray, n_rows: int):
        self.model = model
        self.outputs = outputs
        self.n_rows = n_rows
        self.gradients = aligned_zeros((n_rows, model.layout.width))
        # For each row: the logarithm of its normaliser, and count times score.
        self.sums = np.zeros((n_rows, 2))

    @abstractmethod
    def visit(self, team: ThreadTeam, words: np.ndarray, block: Any) -> float:
        """Compute the slopes of a block, and the gradients of its words.

        Returns
        -------
        float
            The loss, summed over the counts of the block.
        """

    @abstractmethod
    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make a step of all outputs, with the slopes of the last visit."""

    @abstractmethod
    def measure(
        self, team: ThreadTeam, words: np.ndarray, block: Any, held_out: Any
    ) -> float:
        """Return the summed loss of held-out counts of the rows of a block."""

    def refresh(self, team: ThreadTeam) -> None:
        """Compute vectors of outputs that depend on those of words, if there are."""
        return


class FullSoftmax(Objective):
    """The exact softmax. Scores of a block with all contexts are held in memory."""

    def __init__(self, model: Model, outputs: np.ndarray, n_rows: int):
        super().__init__(model, outputs, n_rows)
        n_contexts, width = len(outputs), model.layout.width
        edges = [*range(0, n_contexts, _TILE), n_contexts]
        self.tiles = list(enumerate(pairwise(edges)))
        n_tiles = len(self.tiles)
        self.scores = aligned_zeros((n_rows, n_contexts))
        self.maxima = np.zeros((n_tiles, n_rows), dtype=np.float32)
        self.tile_sums = np.zeros((n_tiles, n_rows), dtype=np.float32)
        self.observed = np.zeros((n_tiles, n_rows))
        self.parts = aligned_zeros((n_tiles, n_rows, width))

    def visit(self, team: ThreadTeam, words: np.ndarray, block: Any) -> float:
        """Compute exponentials, and their sums. `step` completes the gradients."""
        from skembed._kernels import softmax

        n = len(words)

        def score(thread: int, task: tuple[int, tuple[int, int]]) -> None:
            number, tile = task
            scores = self.scores[:n, slice(*tile)]
            np.matmul(words, self.outputs[slice(*tile)].T, out=scores)
            softmax.exp_tile(
                self.scores,
                tile,
                block,
                self.maxima[number],
                self.tile_sums[number],
                self.observed[number],
            )

        team.map(score, self.tiles)
        largest = self.maxima[:, :n].max(axis=0)
        self.shifts = np.exp(self.maxima[:, :n] - largest, dtype=np.float64)
        self.normalisers = (self.tile_sums[:, :n] * self.shifts).sum(axis=0)
        logarithms = largest + np.log(self.normalisers)
        return float(block.totals @ logarithms - self.observed[:, :n].sum())

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Turn exponentials into slopes, and make the step of each tile."""
        from skembed._kernels import softmax

        n = len(words)
        factors = (block.totals / self.normalisers * self.shifts).astype(np.float32)

        def step_tile(thread: int, task: tuple[int, tuple[int, int]]) -> None:
            number, tile = task
            softmax.slope_tile(self.scores, tile, block, factors[number])
            slopes = self.scores[:n, slice(*tile)]
            np.matmul(slopes, self.outputs[slice(*tile)], out=self.parts[number, :n])
            self.model.step_outputs(tile[0], slopes.T @ words, rates)

        team.map(step_tile, self.tiles)
        self.parts[:, :n].sum(axis=0, out=self.gradients[:n])

    def measure(
        self, team: ThreadTeam, words: np.ndarray, block: Any, held_out: Any
    ) -> float:
        """Return the exact loss."""
        return self.visit(team, words, held_out)


class _SparseObjective(Objective):
    """Each row has its own outputs: observed contexts, or nodes above them."""

    def __init__(
        self,
        model: Model,
        outputs: np.ndarray,
        n_rows: int,
        work: np.ndarray,
    ):
        super().__init__(model, outputs, n_rows)
        # A step of a row takes as long as some slopes.
        ends = np.concatenate([[0], np.cumsum(work + work.mean() / 8 + 1)])
        size = max(1, int(ends[-1] / _SPARSE_TILES))
        self.tiles = row_ranges(ends.astype(np.int64), size)
        # Those with the most work per output come first.
        self.tiles.sort(key=lambda tile: tile[1] - tile[0])
        self.slots: Any = None

    def _tasks(self, n_rows: int) -> list[tuple[int, int]]:
        edges = [*range(0, n_rows, _ROWS_OF_A_TASK), n_rows]
        return list(pairwise(edges))

    def _gradients(self, tile: tuple[int, int], words: np.ndarray) -> np.ndarray:
        """Return the gradients of some outputs."""
        from skembed._kernels import softmax

        gradients = aligned_zeros((tile[1] - tile[0], words.shape[1]))
        softmax.add_slopes(self.slots, words, tile[0], gradients)
        return gradients


class DrawnSoftmax(_SparseObjective):
    """Observed contexts exactly, all others by contexts that are drawn for a block.

    The sum over the contexts that a word was not observed with is estimated without
    bias: a drawn context stands for ``1 / (n_draws * q)`` contexts, where q is its
    probability. Drawn contexts that were observed are left out.

    Parameters
    ----------
    model : Model
    outputs : ndarray of shape (n_contexts, width), float32
    n_rows : int
    work : ndarray of shape (n_contexts,)
        Rows of each context.
    totals : ndarray of shape (n_contexts,), float64
        Counts of each context.
    draws : (int, Generator)
        Number of draws, and what draws them.
    """

    def __init__(
        self,
        model: Model,
        outputs: np.ndarray,
        n_rows: int,
        work: np.ndarray,
        totals: np.ndarray,
        draws: tuple[int, np.random.Generator],
    ):
        super().__init__(model, outputs, n_rows, work)
        self.n_draws, self.random = draws
        weights = np.maximum(totals, totals[totals > 0.0].min()) ** _DRAW_EXPONENT
        self.chances = weights / weights.sum()
        self.cumulated = np.cumsum(self.chances)
        self.places = np.full(len(outputs), -1, dtype=np.int32)

    def _draw(self, n_rows: int) -> None:
        """Draw contexts for the next block.

        The cumulated probabilities are cut into equal steps, with a draw in each
        (stratified sampling). Frequent contexts, to which most of the sum belongs, are
        then drawn about as often as expected.
        """
        from skembed._kernels import softmax

        # A visit without rows compiles kernels, and must not use up random numbers.
        steps = np.arange(self.n_draws if n_rows else 0)
        draws = self.random.random(steps.size) + steps
        draws *= self.cumulated[-1] / self.n_draws
        found = np.searchsorted(self.cumulated, draws, side="right")
        found = np.minimum(found, self.cumulated.size - 1)
        self.drawn, times = np.unique(found, return_counts=True)
        self.places[:] = -1
        self.places[self.drawn] = np.arange(self.drawn.size)
        weights = times / (self.n_draws * self.chances[self.drawn])
        scores = aligned_zeros((n_rows, self.drawn.size))
        self.of_drawn = softmax.Drawn(self.places, weights.astype(np.float32), scores)
        self.drawn_outputs = self.outputs[self.drawn]

    def visit(self, team: ThreadTeam, words: np.ndarray, block: Any) -> float:
        """Compute all slopes of the block, and the gradients of its words."""
        from skembed._kernels import softmax

        n = len(words)
        self._draw(n)
        first, last = block.indptr[0], block.indptr[-1]
        self.slots = make_outputs(block.indptr, block.contexts[first:last])
        scores = self.of_drawn.scores
        self.gradients[:n] = 0.0

        def visit_rows(thread: int, rows: tuple[int, int]) -> None:
            here = slice(*rows)
            np.matmul(words[here], self.drawn_outputs.T, out=scores[here])
            softmax.draw_rows(
                self.outputs,
                words,
                block,
                self.of_drawn,
                self.slots,
                self.gradients,
                rows,
                self.sums,
            )
            self.gradients[here] += scores[here] @ self.drawn_outputs

        team.map(visit_rows, self._tasks(n))
        return float(block.totals @ self.sums[:n, 0] - self.sums[:n, 1].sum())

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make the step of each tile, from observed and from drawn slopes."""
        of_drawn = self.of_drawn.scores.T @ words

        def step_tile(thread: int, tile: tuple[int, int]) -> None:
            gradients = self._gradients(tile, words)
            first, last = np.searchsorted(self.drawn, tile)
            gradients[self.drawn[first:last] - tile[0]] += of_drawn[first:last]
            self.model.step_outputs(tile[0], gradients, rates)

        team.map(step_tile, self.tiles)

    def measure(
        self, team: ThreadTeam, words: np.ndarray, block: Any, held_out: Any
    ) -> float:
        """Return the loss with normalisers that are estimated as in training."""
        from skembed._kernels import softmax

        n = len(words)
        self.visit(team, words, block)
        loss = float(held_out.totals @ self.sums[:n, 0])
        return loss - softmax.sum_scores(self.outputs, words, held_out)


class TreeSoftmax(_SparseObjective):
    """Hierarchical softmax: a product of binary choices along the path to a context.

    Parameters
    ----------
    model : Model
    outputs : ndarray of shape (n_nodes, width), float32
    n_rows : int
    paths : Paths
    counted : (ndarray of shape (n_words,), ndarray of shape (n_nodes,))
        Nodes above the contexts of each row, and rows of each node.
    n_threads : int
    """

    def __init__(
        self,
        model: Model,
        outputs: np.ndarray,
        n_rows: int,
        paths: Any,
        counted: tuple[np.ndarray, np.ndarray],
        n_threads: int,
    ):
        super().__init__(model, outputs, n_rows, counted[1])
        self.paths = paths
        self.starts = np.concatenate([[0], np.cumsum(counted[0])])
        self.marks = [make_marks(len(outputs)) for _ in range(n_threads)]

    def visit(self, team: ThreadTeam, words: np.ndarray, block: Any) -> float:
        """Compute the slopes of all nodes above the contexts of each row."""
        indptr = self.starts[block.first : block.first + len(words) + 1]
        return self._visit(team, words, block, make_outputs(indptr))

    def _visit(
        self, team: ThreadTeam, words: np.ndarray, block: Any, slots: Any
    ) -> float:
        from skembed._kernels import softmax

        n = len(words)
        self.slots = slots
        self.gradients[:n] = 0.0

        def visit_rows(thread: int, rows: tuple[int, int]) -> None:
            softmax.tree_rows(
                self.outputs,
                words,
                self.paths,
                block,
                slots,
                self.gradients,
                rows,
                self.marks[thread],
                self.sums,
            )

        team.map(visit_rows, self._tasks(n))
        return float(self.sums[:n, 0].sum())

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make the step of each tile."""

        def step_tile(thread: int, tile: tuple[int, int]) -> None:
            gradients = self._gradients(tile, words)
            self.model.step_outputs(tile[0], gradients, rates)

        team.map(step_tile, self.tiles)

    def measure(
        self, team: ThreadTeam, words: np.ndarray, block: Any, held_out: Any
    ) -> float:
        """Return the exact loss."""
        n_nodes = count_nodes(team, self.paths, held_out, len(words), self.marks)[0]
        indptr = np.concatenate([[0], np.cumsum(n_nodes)])
        return self._visit(team, words, held_out, make_outputs(indptr))


class SharedTreeSoftmax(TreeSoftmax):
    """Hierarchical softmax whose nodes have no vectors of their own.

    The vector of a node is the mean of its left leaves' word vectors minus the mean of
    its right leaves' word vectors.

    Parameters
    ----------
    model, n_rows, paths, counted, n_threads
        As in `TreeSoftmax`.
    tree : Tree
        Its leaves are rows.
    biases : (ndarray of shape (n_nodes,), ndarray of shape (n_nodes,)), float32
        Of the nodes, and AdaGrad's sums of them. They are updated in place.
    """

    def __init__(
        self,
        model: Model,
        n_rows: int,
        paths: Any,
        counted: tuple[np.ndarray, np.ndarray],
        n_threads: int,
        tree: Tree,
        biases: tuple[np.ndarray, np.ndarray],
    ):
        width = model.layout.width
        nodes = aligned_zeros((tree.n_words - 1, width))
        super().__init__(model, nodes, n_rows, paths, counted, n_threads)
        self.children = tree.children
        self.weights = leaf_weights(tree)
        self.biases, self.bias_squares = biases
        self.of_nodes = aligned_zeros(nodes.shape)
        self.of_leaves = aligned_zeros((tree.n_words, width))
        self.columns = [(first, first + _LANES) for first in range(0, width, _LANES)]
        edges = [*range(0, tree.n_words, _TILE), tree.n_words]
        self.leaf_tiles = list(pairwise(edges))

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make the step of all words, as leaves of the tree."""
        from skembed._kernels import tree

        def add_tile(thread: int, tile: tuple[int, int]) -> None:
            self.of_nodes[slice(*tile)] = self._gradients(tile, words)

        def push_down(thread: int, columns: tuple[int, int]) -> None:
            tree.push_down(
                self.children, self.weights, self.of_nodes, self.of_leaves, columns
            )

        def step_tile(thread: int, tile: tuple[int, int]) -> None:
            gradients = self.of_leaves[slice(*tile)]
            self.model.step_outputs(tile[0], gradients, rates)
            gradients[:] = 0.0

        team.map(add_tile, self.tiles)
        bias = self.model.bias
        if self.model.learns[bias]:
            gradients = self.of_nodes[:, bias]
            self.bias_squares += gradients**2
            self.biases -= rates.learning_rate * gradients / np.sqrt(self.bias_squares)
        # Leaves have no biases.
        self.of_nodes[:, bias] = 0.0
        team.map(push_down, self.columns)
        team.map(step_tile, self.leaf_tiles)

    def refresh(self, team: ThreadTeam) -> None:
        """Compute the vectors of the nodes, and add their biases."""
        from skembed._kernels import tree

        words = self.model.params[: len(self.of_leaves)]

        def sum_up(thread: int, columns: tuple[int, int]) -> None:
            tree.sum_up(self.children, self.weights, words, self.outputs, columns)

        team.map(sum_up, self.columns)
        self.outputs[:, self.model.bias] = self.biases


def make_outputs(indptr: np.ndarray, columns: np.ndarray | None = None) -> Any:
    """Return the outputs of a block, with room for their slopes.

    Parameters
    ----------
    indptr : ndarray of shape (n_rows + 1,), int64
    columns : ndarray of shape (n_entries,), int32, optional
        The outputs, if they are known.

    Returns
    -------
    Outputs
    """
    from skembed._kernels import softmax

    n_entries = int(indptr[-1] - indptr[0])
    slopes = np.empty(n_entries, dtype=np.float32)
    if columns is None:
        columns = np.empty(n_entries, dtype=np.int32)
    return softmax.Outputs(indptr, columns, slopes)


class Certainty(Objective):
    """The tree of a single word: it has a probability of 1, whatever its vector."""

    def visit(self, team: ThreadTeam, words: np.ndarray, block: Any) -> float:
        """Compute nothing: the loss and its gradient are 0."""
        return 0.0

    def step(
        self, team: ThreadTeam, words: np.ndarray, block: Any, rates: Rates
    ) -> None:
        """Make no step: there is no output."""

    def measure(
        self, team: ThreadTeam, words: np.ndarray, block: Any, held_out: Any
    ) -> float:
        """Return a loss of 0."""
        return 0.0


def make_marks(n_nodes: int) -> Any:
    """Return the work space of a thread for a tree."""
    from skembed._kernels import softmax

    bits = np.zeros(n_nodes // 64 + 1, dtype=np.uint64)
    found = np.zeros((2, n_nodes), dtype=np.float32)
    nodes = np.zeros(n_nodes, dtype=np.int32)
    return softmax.Marks(bits, np.zeros((n_nodes, 2)), nodes, found)


def count_nodes(
    team: ThreadTeam, paths: Any, block: Any, n_rows: int, marks: list[Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of nodes above the contexts of each row, and rows of each node.

    Parameters
    ----------
    team : ThreadTeam
    paths : Paths
    block : Block
    n_rows : int
        Number of rows of the block.
    marks : list of Marks
        One for each thread.

    Returns
    -------
    of_rows : ndarray of shape (n_rows,), int64
    of_nodes : ndarray of shape (n_nodes,), int64
    """
    from skembed._kernels import softmax

    of_rows = np.zeros(n_rows, dtype=np.int64)
    of_nodes = np.zeros((len(marks), paths.parents.size), dtype=np.int64)

    def count(thread: int, rows: tuple[int, int]) -> None:
        where = of_rows, of_nodes[thread]
        softmax.count_nodes(paths, block, rows, marks[thread], *where)

    edges = [*range(0, n_rows, _TILE), n_rows]
    team.map(count, pairwise(edges))
    return of_rows, of_nodes.sum(axis=0)


class Counts:
    """Co-occurrence counts, which are visited in blocks of rows.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
    """

    def __init__(self, counts: sparse.csr_array):
        self.indptr = counts.indptr.astype(np.int64)
        self.contexts = counts.indices.astype(np.int32, copy=False)
        self.counts = counts.data
        self.of_words = np.asarray(counts.sum(axis=1)).ravel()
        self.of_contexts = np.asarray(counts.sum(axis=0)).ravel()

    def block(self, first: int, last: int) -> Any:
        """Return the counts of some rows."""
        from skembed._kernels import softmax

        indptr = self.indptr[first : last + 1]
        totals = self.of_words[first:last]
        return softmax.Block(indptr, self.contexts, self.counts, totals, first)


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
        Draws the order of the blocks, and contexts.
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
        self.job = job
        self.tables = tables
        self.random = random
        self.held_out: Counts | None = None
        fraction = settings.stopping.validation_fraction
        if settings.stopping.is_on and fraction is not None:
            how = fraction, np.random.default_rng(job.split_seeds), tables.row_of
            counts, held_out = interruptible(hold_out_counts_inplace, counts, *how)
            self.held_out = Counts(held_out)
        self.counts = Counts(counts)
        _check_sizes(self.counts.of_words.sum(), settings.l2)
        self.size = counts.nnz
        # Finished epochs of the learning-rate schedule.
        self.first = 0
        if job.resume.adds:
            done = job.resume.learned["_schedule_epoch"]
            self.first = done % job.n_scheduled
        layout = tables.layout
        self.model = Model(tables, settings.bias == "word")
        n_words = layout.n_words
        work = 3.0 * n_words**2 * layout.width
        if tables.tree is not None or settings.n_draws:
            work = 10.0 * self.size * layout.width
        worth = int(work * job.n_epochs / _WORK_OF_A_THREAD)
        self.n_threads = n_threads(settings.n_jobs, worth)
        self.edges = self._block_edges()
        self.n_slices = len(self.edges) - 1
        d = layout.n_components + 1
        self.state = [self.model.params[:, :d], self.model.squares[:, :d]]
        self._start_biases()
        self.objective: Any = None

    def _block_edges(self) -> list[int]:
        """Return the first row of each block, and the end."""
        n_words = self.tables.layout.n_words
        size = max(n_words / _BLOCKS, _FEWEST_ROWS)
        if self._is_exact:
            size = min(size, max(_SCORES / n_words, 1.0))
        n_blocks = -(-n_words // int(size))
        return [number * n_words // n_blocks for number in range(n_blocks + 1)]

    @property
    def _is_exact(self) -> bool:
        return self.tables.tree is None and not self.settings.n_draws

    def _start_biases(self) -> None:
        """Set the biases of the outputs to what is known beforehand, or learned."""
        layout, tree = self.tables.layout, self.tables.tree
        totals, learned = self.counts.of_contexts, self.job.resume.learned
        n_old = self.job.resume.n_words
        rows = self.tables.row_of[:n_old]
        if tree is None:
            name, start = "context_biases_", log_shares(totals)
        else:
            name, start = "node_biases_", log_odds(tree, seen(totals))
            rows = np.arange(max(n_old - 1, 0))
        if self.settings.bias is None:
            start[:] = 0.0
        elif self.settings.bias == "word" and self.job.resume.continues:
            start[rows] = learned[name]
        self.biases = start, np.ones_like(start)
        if tree is not None and layout.shares_rows:
            self.biases[1][rows] = learned.get("_bias_squares", 1.0)
            if start.size:
                self.state += self.biases
            return
        first = layout.context_row
        self.model.params[first : first + start.size, layout.n_components] = start

    def __enter__(self) -> "Training":
        self._blas = one_blas_thread()
        self._blas.__enter__()
        self.team = _Team(self.n_threads)
        try:
            self.objective = self._make_objective()
            self.objective.refresh(self.team)
            if self.n_threads > 1:
                # Compiled in this thread, because interrupts wait for other threads.
                self._visit(ThreadTeam(1), (0, 0), 0.0)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *exception: Any) -> None:
        self.team.__exit__(*exception)
        self._blas.__exit__(*exception)
        self.objective = None

    def _make_objective(self) -> Objective:
        layout, tree = self.tables.layout, self.tables.tree
        n_rows = max(last - first for first, last in pairwise(self.edges))
        first = layout.context_row
        outputs = self.model.params[first : first + layout.n_words]
        if tree is not None:
            return self._make_tree_objective(tree, outputs, n_rows)
        if self._is_exact:
            return FullSoftmax(self.model, outputs, n_rows)
        rows = np.bincount(self.counts.contexts, minlength=layout.n_words)
        totals, draws = self.counts.of_contexts, (self.settings.n_draws, self.random)
        return DrawnSoftmax(self.model, outputs, n_rows, rows, totals, draws)

    def _make_tree_objective(
        self, tree: Tree, outputs: np.ndarray, n_rows: int
    ) -> Objective:
        from skembed._kernels import softmax

        n_nodes = tree.n_words - 1
        if not n_nodes:
            return Certainty(self.model, outputs[:0], n_rows)
        paths = softmax.Paths(*tree[1:])
        marks = [make_marks(n_nodes) for _ in range(self.n_threads)]
        block = self.counts.block(0, tree.n_words)
        counted = count_nodes(self.team, paths, block, tree.n_words, marks)
        how = paths, counted, self.n_threads
        if self.tables.layout.shares_rows:
            return SharedTreeSoftmax(self.model, n_rows, *how, tree, self.biases)
        return TreeSoftmax(self.model, outputs[:n_nodes], n_rows, *how)

    def train(self, epoch: int, report: Callable[[float], bool]) -> float:
        """Visit all blocks once; return the mean loss of a pair."""
        n_blocks = len(self.edges) - 1
        order = self.random.permutation(n_blocks)
        # Of the whole schedule, and before this epoch.
        n_steps = self.job.n_scheduled * n_blocks
        n_before = (self.first + epoch) * n_blocks
        loss, visited = 0.0, 0.0
        for number, block in enumerate(order):
            rows = self.edges[block], self.edges[block + 1]
            done = (n_before + number) / n_steps
            rate = self.learning_rate * max(1.0 - done, _LAST_RATE)
            # AdaGrad's first steps are its largest, and the first gradients say little.
            rate *= min(1.0, (done + 1.0 / n_steps) / _RISE)
            with np.errstate(all="ignore"):
                loss += self._visit(self.team, rows, rate)
            visited += self.counts.of_words[slice(*rows)].sum()
            if report((number + 1) / n_blocks):
                break
        return loss / max(visited, np.finfo(float).tiny)

    def _visit(self, team: ThreadTeam, rows: tuple[int, int], rate: float) -> float:
        """Make the steps of a block; return its loss before them."""
        objective, model = self.objective, self.model
        words, block = model.words(*rows), self.counts.block(*rows)
        loss = objective.visit(team, words, block)
        # An empty block changes nothing.
        n_rows = len(words)
        penalties = np.zeros(model.layout.width, dtype=np.float32)
        penalties[: model.layout.n_components] = self.settings.l2 * (n_rows > 0)
        share = np.float32(n_rows / model.layout.n_words)
        rates = Rates(np.float32(rate), penalties, penalties * share)
        objective.step(team, words, block, rates)
        model.step_words(rows[0], objective.gradients[:n_rows], rates)
        objective.refresh(team)
        return loss

    def validate(self) -> float:
        """Return the mean loss of the held-out counts."""
        assert self.held_out is not None
        loss = 0.0
        for rows in pairwise(self.edges):
            words = self.model.words(*rows)
            blocks = self.counts.block(*rows), self.held_out.block(*rows)
            loss += self.objective.measure(self.team, words, *blocks)
        return loss / self.held_out.of_words.sum()

    def fitted(self, n_finished: int, last: bool) -> Fitted:
        """Return the model after `n_finished` epochs."""
        layout, row_of, tree = self.tables.layout, self.tables.row_of, self.tables.tree
        params = self.model.params
        if not last:
            params = params.copy()
        d, n_words = layout.n_components, layout.n_words
        attributes = {
            **self.tables.attributes,
            "_schedule_epoch": self.first + n_finished,
            "_schedule_length": self.job.n_scheduled,
        }
        if self.tables.keeps_squares:
            attributes["_squares"] = self._squares_by_word()
        n_parameters = layout.n_parameters
        offset = np.zeros(n_words, dtype=np.float32)
        context_biases = None
        if tree is None:
            biases = self._biases(params)[row_of]
            if self.settings.bias == "word":
                context_biases, n_parameters = biases, n_parameters + n_words
            else:
                offset = biases
        else:
            attributes.update(self._nodes(params, tree))
            n_parameters -= 0 if layout.shares_rows else d
            n_parameters += (n_words - 1) * (self.settings.bias == "word")
        self._erase_unused(params)
        word, vectors, others = layout.consume_params(params)
        attributes.update(others)
        word, vectors = reorder(word, vectors, row_of)
        has_contexts = tree is None or layout.shares_rows
        return Fitted(
            n_parameters,
            word,
            vectors if has_contexts else None,
            offset,
            np.ones(d, dtype=np.float32),
            None,
            context_biases,
            attributes,
        )

    def _biases(self, params: np.ndarray) -> np.ndarray:
        first, n = self.tables.layout.context_row, self.biases[0].size
        return params[first : first + n, self.tables.layout.n_components].copy()

    def _nodes(self, params: np.ndarray, tree: Tree) -> dict[str, np.ndarray]:
        """Return the vectors and biases of the inner nodes, as in the score."""
        layout = self.tables.layout
        d, n_nodes = layout.n_components, layout.n_words - 1
        if not layout.shares_rows:
            first = layout.context_row
            vectors = params[first : first + n_nodes, :d] * layout.scale(0.0)[:d]
            return {"node_vectors_": vectors, "node_biases_": self._biases(params)}
        vectors = node_vectors(tree, params[: n_nodes + 1])[:, :d]
        found = {
            "node_vectors_": vectors * layout.scale(0.0)[:d],
            "node_biases_": self.biases[0].copy(),
        }
        if self.tables.keeps_squares and self.settings.bias == "word":
            found["_bias_squares"] = self.biases[1].copy()
        return found

    def _erase_unused(self, params: np.ndarray) -> None:
        """Set the vectors of words without pairs to 0. The penalty has changed them."""
        layout, d = self.tables.layout, self.tables.layout.n_components
        as_word, as_context = self.counts.of_words > 0.0, self.counts.of_contexts > 0.0
        if layout.shares_rows:
            params[:, :d][~(as_word | as_context)] = 0.0
            return
        params[: layout.n_words, :d][~as_word] = 0.0
        if self.tables.tree is None:
            params[layout.n_words :, :d][~as_context] = 0.0

    def _squares_by_word(self) -> np.ndarray:
        """Return AdaGrad's sums, table after table, in the vocabulary's order.

        Those of nodes keep their order.
        """
        layout, row_of = self.tables.layout, self.tables.row_of
        parts = np.split(self.model.squares, layout.n_tables)
        orders = [row_of] * layout.n_tables
        if self.tables.tree is not None and not layout.shares_rows:
            orders[1] = np.arange(layout.n_words)
        d = layout.n_components + 1
        return np.concatenate(
            [part[order, :d] for part, order in zip(parts, orders, strict=True)]
        )


def _check_sizes(n_pairs: float, l2: float) -> None:
    """Raise an error if float32 may not hold the squares of gradients."""
    if n_pairs > _LARGEST:
        raise ValueError(
            f"X holds {n_pairs:.3g} pairs of words, which is more than {_LARGEST:.0e}: "
            "sums of squared gradients do not fit into float32. Divide the counts, or "
            "sample_weight, by the same number, and l2 too."
        )
    if l2 > _LARGEST:
        raise ValueError(
            f"l2 must be at most {_LARGEST:.0e}, got {l2}. Its unit is pairs of words, "
            "and larger penalties do not fit into float32."
        )


def renumbered(tree: Tree, row_of: np.ndarray) -> Tree:
    """Return a tree whose leaf w is row ``row_of[w]``. Inner nodes do not move."""
    n_words = tree.n_words
    of_words = np.minimum(tree.children, n_words - 1)
    children = np.where(tree.children < n_words, row_of[of_words], tree.children)
    return from_children(children, n_words)


def refill(
    layout: Layout, resume: Resume, params: np.ndarray, orders: Sequence[np.ndarray]
) -> None:
    """Write the vectors of earlier fits into the tables, in place of random vectors.

    Parameters
    ----------
    layout : Layout
    resume : Resume
    params : ndarray of shape (n_words * n_tables, width), float32
    orders : sequence of ndarray of shape (n_words,), int
        For each table, the place of each of its rows.
    """
    if not resume.continues:
        return
    learned, d = resume.learned, layout.n_components
    factors = [1.0, layout.scale(0.0)[:d]]
    names = ["word_vectors_", "context_vectors_"]
    if "node_vectors_" in learned:
        names[1] = "node_vectors_"
    of_tables = zip(names, factors, orders, strict=False)
    for table, (name, factor, order) in enumerate(of_tables):
        vectors = learned[name] / factor
        # A vector of zeros has learned nothing.
        some = np.flatnonzero(vectors.any(axis=1))
        params[table * layout.n_words + order[some], :d] = vectors[some]


def log_shares(totals: np.ndarray) -> np.ndarray:
    """Return the logarithm of each context's share of all counts, float32.

    Contexts that were not observed get that of the rarest one.
    """
    return np.log(seen(totals) / totals.sum()).astype(np.float32)


def seen(totals: np.ndarray) -> np.ndarray:
    """Return counts in which contexts that were not observed equal the rarest one."""
    return np.maximum(totals, totals[totals > 0.0].min())


def node_vectors(tree: Tree, vectors: np.ndarray) -> np.ndarray:
    """Return the vectors of inner nodes that are made of the vectors of leaves.

    Parameters
    ----------
    tree : Tree
    vectors : ndarray of shape (n_words, width), float32
        C-contiguous, `width` is a multiple of 16.

    Returns
    -------
    ndarray of shape (n_words - 1, width), float32
    """
    from skembed._kernels import tree as kernels

    nodes = aligned_zeros((tree.n_words - 1, vectors.shape[1]))
    columns = 0, vectors.shape[1]
    kernels.sum_up(tree.children, leaf_weights(tree), vectors, nodes, columns)
    return nodes


def tree_loss(estimator: Any, counts: sparse.csr_array) -> float:
    """Return the summed ``-ln P(c | w)`` of pairs in a hierarchical softmax.

    Parameters
    ----------
    estimator : SoftmaxEmbedder
        Fitted, with ``loss="hierarchical"``.
    counts : csr_array of shape (n_words, n_words), float64
        Weights of the pairs.

    Returns
    -------
    float
        In nats.
    """
    from skembed._kernels import softmax

    tree = from_children(estimator.children_, counts.shape[0])
    if tree.n_words == 1:
        return 0.0
    paths, held = softmax.Paths(*tree[1:]), Counts(counts)
    marks = make_marks(tree.n_words - 1)
    nodes = _padded(estimator.node_vectors_, estimator.node_biases_)
    loss = 0.0
    for first, last in row_ranges(held.indptr, _MEASURED):
        words = _padded(estimator.word_vectors_[first:last], 1.0)
        block, n = held.block(first, last), last - first
        of_rows, of_nodes = np.zeros(n, np.int64), np.zeros(len(nodes), np.int64)
        softmax.count_nodes(paths, block, (0, n), marks, of_rows, of_nodes)
        slots = make_outputs(np.concatenate([[0], np.cumsum(of_rows)]))
        sums = np.zeros((n, 2))
        spare = np.empty_like(words)
        softmax.tree_rows(nodes, words, paths, block, slots, spare, (0, n), marks, sums)
        loss += float(sums[:, 0].sum())
    return loss


def _padded(vectors: np.ndarray, biases: Any) -> np.ndarray:
    """Return rows as kernels take them, with a bias after the vector."""
    n, d = vectors.shape
    rows = aligned_zeros((n, -(-(d + 1) // _LANES) * _LANES))
    rows[:, :d], rows[:, d] = vectors, biases
    return rows


def tree_log_probabilities(
    estimator: Any, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return ``ln P(c | w)`` of pairs in a hierarchical softmax.

    Parameters
    ----------
    estimator : SoftmaxEmbedder
        Fitted, with ``loss="hierarchical"``.
    rows, columns : ndarray of shape (n_pairs,), int
        Words and contexts.

    Returns
    -------
    ndarray of shape (n_pairs,), float64
    """
    tree = from_children(estimator.children_, len(estimator.word_vectors_))
    found = np.zeros(rows.size)
    nodes, sides = tree.leaf_parents[columns], tree.leaf_sides[columns]
    pairs = np.flatnonzero(nodes >= 0)
    while pairs.size:
        nodes, sides = nodes[nodes >= 0], sides[nodes >= 0]
        scores = np.einsum(
            "ik,ik->i",
            estimator.word_vectors_[rows[pairs]].astype(np.float64),
            estimator.node_vectors_[nodes],
        )
        scores += estimator.node_biases_[nodes]
        found[pairs] -= np.logaddexp(0.0, np.where(sides == 1, scores, -scores))
        nodes, sides = tree.parents[nodes], tree.sides[nodes]
        pairs = pairs[nodes >= 0]
    return found
