"""The losses of softmax models, for a block of words at a time, and steps of outputs.

Only co-occurrence counts enter a loss. All scores of a block are computed from the same
parameters. Then the vectors of its words and the vectors of all outputs make a step of
AdaGrad. Outputs are contexts, or inner nodes of a tree.

Work is cut into tasks whose sizes do not depend on the number of threads, and every
number is written by one task. So the bits do not depend on it either.
"""

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._counts import count
from skembed._tying.layout import Layout
from skembed._utils.memory import aligned_zeros
from skembed._utils.threads import ThreadTeam, row_ranges

# Blocks of an epoch, about, and limits of their numbers of rows.
_BLOCKS = 64
_FEWEST_ROWS = 16
# Scores of a block that memory holds at once.
_SCORES = 1 << 24
# Rows or outputs of a large task, and rows of a small one.
_TILE = 1024
_ROWS_OF_A_TASK = 32
# Tasks that the outputs of sparse products are cut into.
_SPARSE_TILES = 64
# Exponent of the distribution of contexts that are drawn, as in word2vec.
_DRAW_EXPONENT = 0.75


class Rates(NamedTuple):
    """What a step of AdaGrad depends on beside the gradient of the loss.

    The gradient of the penalty is a row times the factors below, for each dimension.
    """

    learning_rate: np.float32
    word_penalties: np.ndarray  # float32 (width,)
    output_penalties: np.ndarray  # float32 (width,)


class Model:
    """Parameters in the form that kernels take.

    Parameters
    ----------
    layout : Layout
    params, squares : ndarray of shape (n_words * n_tables, width), float32
        They are updated in place.
    learns_bias : bool
        Whether steps change the biases of outputs.

    Attributes
    ----------
    scale : ndarray of shape (width,), float32
        Factors of the dimensions in a score.
    bias : int
        The column of biases.
    learns : ndarray of shape (width,), float32
        1 for the columns of vectors, and for that of biases if they are learned.
    learns_of_words : ndarray of shape (width,), float32
        1 for the columns of vectors.
    """

    def __init__(
        self,
        layout: Layout,
        params: np.ndarray,
        squares: np.ndarray,
        learns_bias: bool,
    ):
        self.layout = layout
        self.params, self.squares = params, squares
        self.scale = layout.scale()
        self.bias = layout.n_components
        self.learns = np.zeros(layout.width, dtype=np.float32)
        self.learns[: layout.n_components + learns_bias] = 1.0
        # The bias belongs to the output. A word's own vector does not have one.
        self.learns_of_words = self.learns.copy()
        self.learns_of_words[self.bias] = 0.0

    def words(self, first: int, last: int) -> np.ndarray:
        """Return vectors of word rows as in the score; the bias column is 1."""
        words = self.params[first:last] * self.scale
        words[:, self.bias] = 1.0
        return words

    def step_words(self, first: int, gradients: np.ndarray, rates: Rates) -> None:
        """Make a step of consecutive word rows.

        `gradients` are slopes times vectors of outputs. They are overwritten.
        """
        from skembed._kernels import softmax

        gradients *= self.scale
        how = self.learns_of_words, rates.word_penalties, rates.learning_rate
        softmax.step_rows(self.params, self.squares, gradients, first, *how)

    def step_outputs(self, first: int, gradients: np.ndarray, rates: Rates) -> None:
        """Make a step of consecutive rows of the table of outputs."""
        from skembed._kernels import softmax

        first += self.layout.context_row
        how = self.learns, rates.output_penalties, rates.learning_rate
        softmax.step_rows(self.params, self.squares, gradients, first, *how)


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


def rows_of_a_block(n_words: int, holds_scores: bool) -> float:
    """Return the largest number of rows of a block, which training rounds down.

    Parameters
    ----------
    n_words : int
    holds_scores : bool
        Whether the scores of the block with all contexts are in memory together.

    Returns
    -------
    float
        At least 1.
    """
    size = max(n_words / _BLOCKS, _FEWEST_ROWS)
    return min(size, max(_SCORES / n_words, 1.0)) if holds_scores else size


def large_tasks(n: int) -> list[tuple[int, int]]:
    """Return the first and the last + 1 of the rows or outputs of each large task."""
    return cut(n, _TILE)


def small_tasks(n_rows: int) -> list[tuple[int, int]]:
    """Return the first and the last + 1 of the rows of each small task."""
    return cut(n_rows, _ROWS_OF_A_TASK)


def cut(n: int, size: int) -> list[tuple[int, int]]:
    """Return consecutive ranges of `size` numbers below n; the last may be shorter."""
    return list(pairwise([*range(0, n, size), n]))


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
        self.gradients = aligned_zeros((n_rows, model.layout.width))

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
        """Compute the vectors of outputs, if they depend on those of words."""
        return


class FullSoftmax(Objective):
    """The exact softmax.

    The scores of a block with all contexts are held in memory.
    """

    def __init__(self, model: Model, outputs: np.ndarray, n_rows: int):
        super().__init__(model, outputs, n_rows)
        n_contexts, width = len(outputs), model.layout.width
        self.tiles = list(enumerate(large_tasks(n_contexts)))
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


class SparseObjective(Objective):
    """A loss in which each row has its own outputs.

    These are observed contexts, or the nodes above them.

    Parameters
    ----------
    model : Model
    outputs : ndarray of shape (n_outputs, width), float32
    n_rows : int
        Largest number of rows of a block.
    work : ndarray of shape (n_outputs,), int64
        Number of rows of each output, by which tasks are cut.
    """

    def __init__(
        self,
        model: Model,
        outputs: np.ndarray,
        n_rows: int,
        work: np.ndarray,
    ):
        super().__init__(model, outputs, n_rows)
        # What kernels add up for each row.
        self.sums = np.zeros((n_rows, 2))
        # A step of a row takes as long as some slopes.
        ends = np.concatenate([[0], np.cumsum(work + work.mean() / 8 + 1)])
        size = max(1, int(ends[-1] / _SPARSE_TILES))
        self.tiles = row_ranges(ends.astype(np.int64), size)
        # Tasks with the most work per output come first.
        self.tiles.sort(key=lambda tile: tile[1] - tile[0])
        self.slots: Any = None

    def _gradients(self, tile: tuple[int, int], words: np.ndarray) -> np.ndarray:
        """Return the gradients of some outputs."""
        from skembed._kernels import softmax

        gradients = aligned_zeros((tile[1] - tile[0], words.shape[1]))
        softmax.add_slopes(self.slots, words, tile[0], gradients)
        return gradients


class DrawnSoftmax(SparseObjective):
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
        Number of rows of each context.
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
        weights = count.raise_unseen(totals) ** _DRAW_EXPONENT
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

        # A visit without rows only compiles kernels. It must not use random numbers.
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

        team.map(visit_rows, small_tasks(n))
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
