"""GloVe: AdaGrad over the blocks of a co-occurrence matrix.

Rows and columns are cut into blocks so that the vectors of one row block and one
column block stay in the cache while their non-zeros are visited. All tables are
stacked in one float32 array, as in skip-gram: a row holds a vector, its bias in
column `n_components`, and zeros up to a multiple of 16 columns.
"""

from typing import NamedTuple

import numpy as np

from skembed._kernels._jit import helper, kernel


class Model(NamedTuple):
    """Parameters and the tying strategy, as data.

    Word w's word vector is row w, its context vector row ``context_row + w`` times
    `scale`; the biases of both rows are added to the score.
    """

    params: np.ndarray  # INOUT float32 (n_rows, width)
    squares: np.ndarray  # INOUT float32 (n_rows, width), 1 + sum of squared gradients
    scale: np.ndarray  # IN float32 (width,), 0 beyond the components
    n_components: int
    context_row: int


class Counts(NamedTuple):
    """Co-occurrence counts as CSR with sorted columns."""

    indptr: np.ndarray  # IN int64 (n_words + 1,)
    indices: np.ndarray  # IN int32 (n_entries,)
    data: np.ndarray  # IN float64 (n_entries,)
    cursor: np.ndarray  # scratch int64 (n_words,)


class Objective(NamedTuple):
    """f(x) = min(1, (x / x_max)**alpha), and the learning rate."""

    x_max: float
    alpha: float
    learning_rate: float


@helper
def score(model, row, context):
    """Dot product of a word and a context row, with both biases."""
    width = (model.params.shape[1] >> 4) << 4
    x = model.params[row]
    y = model.params[context]
    total = np.float32(0.0)
    for k in range(width):
        total += x[k] * y[k] * model.scale[k]
    return total + x[model.n_components] + y[model.n_components]


@helper
def step_bias(model, row, context, slope, rate):
    """AdaGrad steps of both biases; see `step`."""
    column = model.n_components
    square = slope * slope
    word_step = rate * slope / np.sqrt(model.squares[row, column])
    context_step = rate * slope / np.sqrt(model.squares[context, column])
    model.params[row, column] -= word_step
    model.params[context, column] -= context_step
    model.squares[row, column] += square
    model.squares[context, column] += square


@helper
def step(model, row, context, slope, rate):
    """AdaGrad steps of both vectors (Duchi, Hazan & Singer 2011).

    Both steps are computed before either is written: in a one-table model the row
    and the context may be the same.
    """
    width = (model.params.shape[1] >> 4) << 4
    x = model.params[row]
    y = model.params[context]
    x_squares = model.squares[row]
    y_squares = model.squares[context]
    for k in range(width):
        scaled = slope * model.scale[k]
        x_gradient = scaled * y[k]
        y_gradient = scaled * x[k]
        x_step = rate * x_gradient / np.sqrt(x_squares[k])
        y_step = rate * y_gradient / np.sqrt(y_squares[k])
        x[k] -= x_step
        y[k] -= y_step
        x_squares[k] += x_gradient * x_gradient
        y_squares[k] += y_gradient * y_gradient


@helper
def train_block(counts, model, objective, rows, last_column):
    """Visit the entries of rows[0] .. rows[1] - 1 up to column last_column - 1.

    Every row goes on where its cursor stands, so column blocks are visited in turn.

    Returns
    -------
    float
        Sum of f(x) (s - ln x)**2: Pennington, Socher & Manning (2014), eq. 8.
    """
    loss = 0.0
    rate = np.float32(objective.learning_rate)
    for row in range(rows[0], rows[1]):
        entry = counts.cursor[row]
        while entry < counts.indptr[row + 1] and counts.indices[entry] < last_column:
            context = model.context_row + counts.indices[entry]
            log_count = np.log(counts.data[entry])
            share = np.log(objective.x_max) - log_count
            weight = np.float32(np.exp(-objective.alpha * max(share, 0.0)))
            error = score(model, row, context) - np.float32(log_count)
            slope = weight * error
            loss += weight * error * error
            step(model, row, context, slope, rate)
            step_bias(model, row, context, slope, rate)
            entry += 1
        counts.cursor[row] = entry
    return loss


@kernel
def train_epoch(counts, model, objective, edges, shift):
    """Visit every entry once, block by block along wrapped diagonals.

    Parameters
    ----------
    counts : Counts
    model : Model
    objective : Objective
    edges : int64 (n_blocks + 1,), IN
        First row of each block, and the end.
    shift : int
        The diagonal to begin with.

    Returns
    -------
    float
        Summed objective.
    """
    n_blocks = edges.size - 1
    loss = 0.0
    for diagonal in range(n_blocks):
        for block in range(n_blocks):
            column_block = (block + diagonal + shift) % n_blocks
            rows = (edges[block], edges[block + 1])
            if diagonal == 0:
                for row in range(rows[0], rows[1]):
                    start, end = counts.indptr[row], counts.indptr[row + 1]
                    counts.cursor[row] = start + np.searchsorted(
                        counts.indices[start:end], edges[column_block]
                    )
            elif column_block == 0:
                for row in range(rows[0], rows[1]):
                    counts.cursor[row] = counts.indptr[row]
            loss += train_block(counts, model, objective, rows, edges[column_block + 1])
    return loss
