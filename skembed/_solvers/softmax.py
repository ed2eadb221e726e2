"""Training by softmax over all contexts, or over the inner nodes of a Huffman tree.

Training visits the co-occurrence counts in blocks of rows, in random order. So an epoch
takes equally long for any corpus with the same pairs. `objectives` holds the loss of a
block and its gradient, `hierarchical` those of a tree.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._counts import count
from skembed._solvers import hierarchical, objectives
from skembed._solvers.epochs import EarlyStopping, hold_out_counts_inplace
from skembed._solvers.job import Fitted, Job, Resume, reorder
from skembed._solvers.objectives import Counts, Objective, Rates
from skembed._solvers.tree import Tree, log_odds
from skembed._tying.layout import Layout, unmapped
from skembed._utils.interrupts import interruptible
from skembed._utils.threads import ThreadTeam, one_blas_thread

# Multiply-adds that are worth a thread: some 50 ms.
_WORK_OF_A_THREAD = 1 << 31
# With ``n_draws="auto"``: the largest vocabulary without draws, and their number.
EXACT_LIMIT, AUTO_DRAWS = 15_000, 1024
# The learning rate rises during this share of the epochs, and decays linearly to this
# share of itself.
_RISE, _LAST_RATE = 0.25, 1e-4
# What the first dimension starts at if scores have no bias. If the first number of a
# context is larger by a, its scores with all words are higher by 4 a, as with a bias.
# The square has to exceed the logarithms of the ratios of frequencies.
PLAIN_START = 4.0
# Largest number of pairs of words, and largest penalty.
_LARGEST = 1e15


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
    given: np.ndarray  # bool (n_words * n_tables,), rows that did not start at random
    row_of: np.ndarray  # int32 (n_words,), row of each word within a table
    tree: Tree | None  # its leaves are rows; None for the full softmax
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
        learns_bias = settings.bias == "word"
        self.model = objectives.Model(
            layout, tables.params, tables.squares, learns_bias
        )
        n_words = layout.n_words
        work = 3.0 * n_words**2 * layout.width
        if tables.tree is not None or settings.n_draws:
            work = 10.0 * self.size * layout.width
        self.n_jobs = settings.n_jobs
        self.most_threads = int(work * job.n_epochs / _WORK_OF_A_THREAD)
        self.edges = self._block_edges()
        self.n_slices = len(self.edges) - 1
        d = layout.n_components + 1
        self.state = [self.model.params[:, :d], self.model.squares[:, :d]]
        self._start_of_unused = self.model.params[self._unused()[0], : d - 1].copy()
        self._start_biases()
        self.objective: Any = None

    def _block_edges(self) -> list[int]:
        """Return the first row of each block, and the end."""
        n_words = self.tables.layout.n_words
        n_rows = objectives.rows_of_a_block(n_words, self._is_exact)
        n_blocks = -(-n_words // int(n_rows))
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
            name = "context_biases_"
            shares = count.raise_unseen(totals) / totals.sum()
            start = np.log(shares).astype(np.float32)
        else:
            name, start = "node_biases_", log_odds(tree, count.raise_unseen(totals))
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

    @one_blas_thread()
    def prepare(self, team: ThreadTeam) -> None:
        """Take the threads of all epochs, and make the objective."""
        self.team = team
        self.objective = self._make_objective()
        self.objective.refresh(team)
        if team.size > 1:
            # Compiled in this thread, because interrupts wait for other threads.
            self._visit(ThreadTeam(1), (0, 0), 0.0)

    def _make_objective(self) -> Objective:
        layout, tree = self.tables.layout, self.tables.tree
        n_rows = max(last - first for first, last in pairwise(self.edges))
        first = layout.context_row
        outputs = self.model.params[first : first + layout.n_words]
        if tree is not None:
            return self._make_tree_objective(tree, outputs, n_rows)
        if self._is_exact:
            return objectives.FullSoftmax(self.model, outputs, n_rows)
        rows = np.bincount(self.counts.contexts, minlength=layout.n_words)
        totals, draws = self.counts.of_contexts, (self.settings.n_draws, self.random)
        return objectives.DrawnSoftmax(self.model, outputs, n_rows, rows, totals, draws)

    def _make_tree_objective(
        self, tree: Tree, outputs: np.ndarray, n_rows: int
    ) -> Objective:
        from skembed._kernels.hierarchical import Paths

        n_nodes = tree.n_words - 1
        if not n_nodes:
            return hierarchical.Certainty(self.model, outputs[:0], n_rows)
        paths = Paths(*tree[1:])
        marks = [hierarchical.make_marks(n_nodes) for _ in range(self.team.size)]
        block = self.counts.block(0, tree.n_words)
        counted = hierarchical.count_nodes(self.team, paths, block, tree.n_words, marks)
        how = paths, counted, self.team.size
        if self.tables.layout.shares_rows:
            return hierarchical.SharedTreeSoftmax(
                self.model, n_rows, *how, tree, self.biases
            )
        return hierarchical.TreeSoftmax(self.model, outputs[:n_nodes], n_rows, *how)

    @one_blas_thread()
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
            # Overflows end the fit after the epoch, with an error that says what to do.
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

    @one_blas_thread()
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
        if last:
            self.objective = None
        else:
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
        self._reset_unused(params)
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
            vectors = params[first : first + n_nodes, :d] * layout.scale()[:d]
            return {"node_vectors_": vectors, "node_biases_": self._biases(params)}
        vectors = hierarchical.node_vectors(tree, params[: n_nodes + 1])[:, :d]
        found = {
            "node_vectors_": vectors * layout.scale()[:d],
            "node_biases_": self.biases[0].copy(),
        }
        if self.tables.keeps_squares and self.settings.bias == "word":
            found["_bias_squares"] = self.biases[1].copy()
        return found

    def _unused(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of words without pairs, and of contexts without pairs.

        There are none of the latter if they share the table, or if they are nodes.
        """
        layout = self.tables.layout
        as_word, as_context = self.counts.of_words > 0.0, self.counts.of_contexts > 0.0
        if layout.shares_rows:
            return np.flatnonzero(~(as_word | as_context)), np.empty(0, dtype=np.int64)
        contexts = np.flatnonzero(~as_context & (self.tables.tree is None))
        return np.flatnonzero(~as_word), layout.n_words + contexts

    def _reset_unused(self, params: np.ndarray) -> None:
        """Undo what the penalty has done to the vectors of words without pairs.

        Vectors that were random are set to 0. Those that were given, or learned by an
        earlier fit, become what they were.
        """
        d, given = self.tables.layout.n_components, self.tables.given
        words, contexts = self._unused()
        params[words, :d] = self._start_of_unused
        rows = np.concatenate([words, contexts])
        params[rows[~given[rows]], :d] = 0.0

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
    names = ["word_vectors_", "context_vectors_"]
    if "node_vectors_" in learned:
        names[1] = "node_vectors_"
    for table, (name, order) in enumerate(zip(names, orders, strict=False)):
        vectors = learned[name]
        if table:
            vectors = unmapped(vectors, layout.map)
        # A vector of zeros has learned nothing.
        some = np.flatnonzero(vectors.any(axis=1))
        params[table * layout.n_words + order[some], :d] = vectors[some]
