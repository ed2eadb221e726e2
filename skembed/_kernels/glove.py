"""GloVe: AdaGrad over the blocks of a co-occurrence matrix, by several threads.

The words are cut into blocks whose vectors fit in the cache. A task visits the
entries of one block of rows and one of columns. In a stage every block belongs to
one task, as either or both, so tasks of a stage share no row of any table, separate
or tied. A task waits for the last ones of its blocks and no others: every row is
written in one order, whichever threads do it.

All tables are stacked in one float32 array, as in skip-gram: a row holds a vector,
its bias in column `n_components`, and zeros up to a multiple of 16 columns.
"""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from skembed._kernels.simd import FLAGS, fetch_row, splat, sum_lanes
from skembed._utils import barrier
from skembed._utils.jit import COMPILED, helper, kernel

# Columns of a step: vectors of so many numbers compile for every processor.
_LANES = 16
# A cell's row and column within their blocks share 32 bits.
_COLUMN_BITS = np.uint32(16)
_COLUMN_MASK = np.uint32(0xFFFF)
# Entries ahead of which contexts are fetched: many were last written by another core.
_AHEAD = 4
# Places of `done` that belong to a block: a cache line.
DONE_NUMBERS = 8


class Space(NamedTuple):
    """Work space of one thread: the row whose entries are being visited."""

    vector: np.ndarray  # float32 (width,)
    slopes: np.ndarray  # float32 (width,), of the score by the other row's numbers
    squares: np.ndarray  # float32 (width,)


class _Arrays:
    """The float32 arrays of a named tuple as vectors, from inside an intrinsic."""

    vector = ir.VectorType(ir.FloatType(), _LANES)

    def __init__(self, context, builder, kind, value):
        self.builder = builder
        self.arrays = {
            name: context.make_array(array)(
                context, builder, builder.extract_value(value, i)
            )
            for i, (name, array) in enumerate(zip(kind.fields, kind.types))
            if isinstance(array, types.Array)
        }

    def width(self, name):
        """Return the number of columns."""
        return cgutils.unpack_tuple(self.builder, self.arrays[name].shape)[-1]

    def place(self, name, column, row=None):
        """Return where a row has some columns; without `row` of a single one."""
        builder = self.builder
        if row is not None:
            column = builder.add(builder.mul(row, self.width(name)), column)
        pointer = builder.gep(self.arrays[name].data, [column])
        return builder.bitcast(pointer, self.vector.as_pointer())

    def load(self, *place):
        return self.builder.load(self.place(*place), align=4)

    def store(self, value, *place):
        self.builder.store(value, self.place(*place), align=4)


@contextmanager
def _columns(builder, width):
    """Loop over the columns, a vector at a time."""
    lanes = ir.Constant(width.type, _LANES)
    with cgutils.for_range(builder, builder.udiv(width, lanes)) as loop:
        yield builder.mul(loop.index, lanes)


@intrinsic
def dot(typing_context, model, space, context):
    """``space.slopes @ model.params[context]``.

    As a plain loop it is unrolled, and summing up the parts of so short a product
    takes longer than computing them.
    """
    signature = types.float32(model, space, types.intp)

    def generate(context, builder, signature, arguments):
        table = _Arrays(context, builder, model, arguments[0])
        own = _Arrays(context, builder, space, arguments[1])
        zeros = ir.Constant(own.vector, [0.0] * _LANES)
        total = cgutils.alloca_once_value(builder, zeros)
        with _columns(builder, table.width("params")) as column:
            x, y = (
                own.load("slopes", column),
                table.load("params", column, arguments[2]),
            )
            product = builder.fmul(x, y, flags=FLAGS)
            added = builder.fadd(product, builder.load(total), flags=FLAGS)
            builder.store(added, total)
        return sum_lanes(builder, builder.load(total))

    return signature, generate


@intrinsic
def step(typing_context, model, space, context, slope):
    """AdaGrad steps of the row at hand and a context (Duchi, Hazan & Singer 2011).

    `slope` contains the learning rate, which becomes part of the sums of squares. They
    include the gradient at hand, so no step is longer than 1.

    A plain loop would have to make sure that no two of its seven arrays overlap, at
    which some compilers give up. The bias is a column like others, whose part of the
    score has the slope 1.
    """
    signature = types.void(model, space, types.intp, types.float32)

    def generate(context, builder, signature, arguments):
        table = _Arrays(context, builder, model, arguments[0])
        own = _Arrays(context, builder, space, arguments[1])
        target, slope = arguments[2], splat(builder, arguments[3], _LANES)
        kind = ir.FunctionType(own.vector, [own.vector])
        name = f"llvm.sqrt.v{_LANES}f32"
        sqrt = cgutils.get_or_insert_function(builder.module, kind, name)

        def multiply(a, b):
            return builder.fmul(a, b, flags=FLAGS)

        def add(a, b):
            return builder.fadd(a, b, flags=FLAGS)

        def move(number, square, gradient):
            square = add(square, multiply(gradient, gradient))
            root = builder.call(sqrt, [square], fastmath=FLAGS)
            change = builder.fdiv(gradient, root, flags=FLAGS)
            return builder.fsub(number, change, flags=FLAGS), square

        with _columns(builder, table.width("params")) as column:
            x, x_square = own.load("vector", column), own.load("squares", column)
            y = table.load("params", column, target)
            y_square = table.load("squares", column, target)
            # Once for both rows: after a store the compiler would load them again.
            scale, bias = table.load("scale", column), table.load("bias", column)
            x_gradient = multiply(slope, add(multiply(y, scale), bias))
            y_gradient = multiply(slope, own.load("slopes", column))
            x, x_square = move(x, x_square, x_gradient)
            y, y_square = move(y, y_square, y_gradient)
            own.store(x, "vector", column)
            own.store(add(multiply(x, scale), bias), "slopes", column)
            own.store(x_square, "squares", column)
            table.store(y, "params", column, target)
            table.store(y_square, "squares", column, target)
        return context.get_dummy_value()

    return signature, generate


def _plain_dot(model, space, context):
    return space.slopes @ model.params[context]


def _plain_step(model, space, context, slope):
    y, y_squares = model.params[context], model.squares[context]
    x_gradient = slope * (y * model.scale + model.bias)
    y_gradient = slope * space.slopes
    space.squares[:] += x_gradient * x_gradient
    space.vector[:] -= x_gradient / np.sqrt(space.squares)
    space.slopes[:] = space.vector * model.scale + model.bias
    y_squares += y_gradient * y_gradient
    y -= y_gradient / np.sqrt(y_squares)


if not COMPILED:
    dot, step = _plain_dot, _plain_step


class Model(NamedTuple):
    """Parameters and the tying strategy, as data.

    Word w's word vector is row w, its context vector row ``context_row + w`` times
    `scale`; the biases of both rows are added to the score.
    """

    params: np.ndarray  # INOUT float32 (n_rows, width)
    squares: np.ndarray  # INOUT float32 (n_rows, width), sums of (rate * gradient)**2
    scale: np.ndarray  # IN float32 (width,), 0 beyond the components
    bias: np.ndarray  # IN float32 (width,), 1 in column `n_components`, else 0
    n_components: int
    context_row: int
    learning_rate: float


class Entries(NamedTuple):
    """Co-occurrence counts by blocks; within a block by row, then by column."""

    cells: np.ndarray  # IN uint32 (n_entries,), row * 2**16 + column, within the block
    targets: np.ndarray  # IN float32 (n_entries, 2), ln x and f(x) of the count x
    starts: np.ndarray  # IN int64 (n_blocks**2 + 1,), of block (a, b) at a * n + b
    edges: np.ndarray  # IN int64 (n_blocks + 1,), first row of each block, and the end


class Progress(NamedTuple):
    """What the threads have begun and finished of some stages; zeros before."""

    claims: np.ndarray  # INOUT int64 (n_stages, n_tasks), of the task at each distance
    done: np.ndarray  # INOUT int64 (n_blocks * DONE_NUMBERS,), stages of each block


class HeldOut(NamedTuple):
    """Co-occurrence counts as a CSR matrix."""

    indptr: np.ndarray  # IN int64 (n_words + 1,)
    columns: np.ndarray  # IN int32 (n_entries,)
    targets: np.ndarray  # IN float32 (n_entries, 2), as in `Entries`


@kernel
def sort_rows(entries, indptr, block_of, block, spare):
    """Bring one block of rows of a CSR matrix into the order of `Entries`, in place.

    Parameters
    ----------
    entries : Entries
        INOUT: `cells` holds the columns before, sorted within each row. Of `starts`
        the ends of this block's blocks are written.
    indptr : int64 (n_words + 1,), IN
    block_of : int32 (n_words,), IN
        Block of each word.
    block : int
    spare : (uint32 (n,), float32 (n, 2), int64 (n_blocks,))
        Work space for the n entries of these rows. The last array holds zeros.
    """
    edges = entries.edges
    n_blocks = edges.size - 1
    first, last = indptr[edges[block]], indptr[edges[block + 1]]
    place = spare[2]
    for entry in range(first, last):
        place[block_of[entries.cells[entry]]] += 1
    end = 0
    for column_block in range(n_blocks):
        start = end
        end += place[column_block]
        place[column_block] = start
        entries.starts[block * n_blocks + column_block + 1] = first + end
    for row in range(edges[block], edges[block + 1]):
        for entry in range(indptr[row], indptr[row + 1]):
            word = entries.cells[entry]
            column_block = block_of[word]
            at = place[column_block]
            place[column_block] = at + 1
            column = word - edges[column_block]
            spare[0][at] = (row - edges[block]) << _COLUMN_BITS | column
            spare[1][at, 0] = entries.targets[entry, 0]
            spare[1][at, 1] = entries.targets[entry, 1]
    for at in range(last - first):
        entries.cells[first + at] = spare[0][at]
        entries.targets[first + at, 0] = spare[1][at, 0]
        entries.targets[first + at, 1] = spare[1][at, 1]


@helper
def load_row(model, row, space):
    """Copy a row of both tables into the work space."""
    source = np.uintp(row)
    width = np.uintp((space.vector.size >> 4) << 4)
    # A loop for each array: more than one cannot be told apart by every compiler.
    for k in range(width):
        space.vector[k] = model.params[source, k]
    for k in range(width):
        space.slopes[k] = space.vector[k] * model.scale[k] + model.bias[k]
    for k in range(width):
        space.squares[k] = model.squares[source, k]


@helper
def store_row(model, row, space):
    """Copy a row back from the work space."""
    target = np.uintp(row)
    width = np.uintp((space.vector.size >> 4) << 4)
    for k in range(width):
        model.params[target, k] = space.vector[k]
    for k in range(width):
        model.squares[target, k] = space.squares[k]


@helper
def step_to_itself(model, space, slope):
    """Both steps of a row that is its own context, taken from the values before."""
    two = np.float32(2.0)
    for k in range(space.vector.size):
        gradient = slope * space.slopes[k]
        space.squares[k] += two * gradient * gradient
        space.vector[k] -= two * gradient / np.sqrt(space.squares[k])
        space.slopes[k] = space.vector[k] * model.scale[k] + model.bias[k]


@helper
def train_block(entries, model, row_block, column_block, space):
    """Visit the entries of one block.

    Returns
    -------
    float
        Sum of f(x) (s - ln x)**2: Pennington, Socher & Manning (2014), eq. 8.
    """
    loss = 0.0
    index = row_block * (entries.edges.size - 1) + column_block
    first_row = entries.edges[row_block]
    first_context = model.context_row + entries.edges[column_block]
    rate = np.float32(model.learning_rate)
    loaded = np.int64(-1)
    last = entries.starts[index + 1]
    for entry in range(entries.starts[index], last):
        ahead = entries.cells[min(entry + _AHEAD, last - 1)] & _COLUMN_MASK
        for table in (model.params, model.squares):
            fetch_row(table, first_context + np.int64(ahead))
        cell = entries.cells[entry]
        row = first_row + np.int64(cell >> _COLUMN_BITS)
        context = first_context + np.int64(cell & _COLUMN_MASK)
        if row != loaded:
            if loaded >= 0:
                store_row(model, loaded, space)
            load_row(model, row, space)
            loaded = row
        if context == row:
            # The row in its table is out of date.
            store_row(model, row, space)
        # The product holds the context's bias.
        score = dot(model, space, context) + space.vector[model.n_components]
        error = score - entries.targets[entry, 0]
        slope = entries.targets[entry, 1] * error
        loss += slope * error
        # The rate is part of the squares, so that later steps stay large.
        slope *= rate
        if context == row:
            step_to_itself(model, space, slope)
        else:
            step(model, space, context, slope)
    if loaded >= 0:
        store_row(model, loaded, space)
    return loss


@kernel
def measure_rows(held_out, model, rows, space):
    """Return the summed objective of entries that are not trained on.

    Parameters
    ----------
    held_out : HeldOut
    model : Model
        IN.
    rows : (int, int)
        First and last + 1 row.
    space : Space
        This thread's own.

    Returns
    -------
    float
        As in `train_block`.
    """
    loss = 0.0
    for row in range(rows[0], rows[1]):
        first, last = held_out.indptr[row], held_out.indptr[row + 1]
        if first < last:
            load_row(model, row, space)
        for entry in range(first, last):
            context = model.context_row + np.int64(held_out.columns[entry])
            score = dot(model, space, context) + space.vector[model.n_components]
            error = np.float64(score - held_out.targets[entry, 0])
            loss += held_out.targets[entry, 1] * error * error
    return loss


@helper
def blocks_of(order, stage, task):
    """Return the block of rows and the block of columns of a task.

    The circle method: the blocks of a task are equally far from the stage's own one,
    on either side. With an odd number of blocks every pair meets in one stage. The
    second half of the stages exchanges rows and columns: if that followed at once,
    tied tables would be trained twice in succession on each pair of words.

    Parameters
    ----------
    order : int64 (n_blocks,), IN
        The blocks as they stand in the circle. Their number is odd.
    stage : int
        0 .. 2 * n_blocks - 1.
    task : int
        0 .. n_blocks // 2; the last one has the stage's own block twice, and is
        done in the first half only.
    """
    n_blocks = order.size
    distance = (task + 1) % (n_blocks // 2 + 1)
    if stage >= n_blocks:
        distance = -distance
    return order[(stage + distance) % n_blocks], order[(stage - distance) % n_blocks]


@helper
def wait_for_block(team, done, block, stage):
    """Wait until a block has been in `stage` stages; False if a thread has failed."""
    place = block * DONE_NUMBERS
    attempts = 0
    while barrier._atomic_load(done, place) < stage:
        if barrier._atomic_load(team.shared, barrier.ABORTED) != 0:
            return False
        attempts += 1
        if attempts > barrier._SPINS:
            barrier._give_way(attempts)
    return True


@helper
def claim_near(claims, home, tried):
    """Claim the task at the distance closest to `home` that nobody has claimed.

    Parameters
    ----------
    claims : int64 (n_tasks,), INOUT
        How often each distance of a stage has been claimed.
    home : int
    tried : int
        Steps away from home, to both sides in turn, that were made before.

    Returns
    -------
    distance : int
        -1 if none is left.
    tried : int
    """
    n_tasks = claims.size
    while tried < 2 * n_tasks:
        away = (tried + 1) // 2
        distance = home + away if tried % 2 else home - away
        tried += 1
        if 0 <= distance < n_tasks and barrier.count_up(claims, distance) == 0:
            return distance, tried
    return -1, tried


@kernel
def train_stages(entries, model, order, stages, losses, progress, space, team):
    """Visit the entries of stages ``stages[0]`` .. ``stages[1] - 1`` of an epoch.

    A task's blocks were in the tasks at the next smaller and the next larger distance
    of the stage before. Each thread therefore prefers distances close to its own, so
    that the rows of most tasks are in its cache, and helps out where others are late.

    Parameters
    ----------
    entries : Entries
    model : Model
    order : int64 (n_blocks,), IN
        See `blocks_of`.
    stages : (int, int)
    losses : float64 (2 * n_blocks, n_blocks // 2 + 1, 2), OUT
        Summed objective of each stage's tasks, and how many entries it is of.
    progress : Progress
    space : Space
        This thread's own.
    team : Team
    """
    n_tasks = order.size // 2 + 1
    home = team.thread * (n_tasks - 1) // max(1, team.size - 1)
    done = progress.done
    # A thread leaves a stage once all tasks are claimed: none is ever left undone.
    for stage in range(stages[0], stages[1]):
        index = stage - stages[0]
        distance, tried = claim_near(progress.claims[index], home, 0)
        while distance >= 0:
            task = (distance + n_tasks - 1) % n_tasks
            rows, columns = blocks_of(order, stage, task)
            if not wait_for_block(team, done, rows, index):
                return
            if not wait_for_block(team, done, columns, index):
                return
            if rows != columns or stage < order.size:
                block = rows * order.size + columns
                n_entries = entries.starts[block + 1] - entries.starts[block]
                loss = train_block(entries, model, rows, columns, space)
                losses[stage, task, 0] = loss
                losses[stage, task, 1] = n_entries
            barrier.count_up(done, rows * DONE_NUMBERS)
            if rows != columns:
                barrier.count_up(done, columns * DONE_NUMBERS)
            distance, tried = claim_near(progress.claims[index], home, tried)
