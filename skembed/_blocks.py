"""Training by weighted least squares, as in GloVe, block by block of the counts."""

from typing import Any

import numpy as np

from skembed._layout import Layout
from skembed._memory import aligned_zeros
from skembed._parallel import ThreadTeam, n_threads
from skembed._progress import Progress

# Vectors and squared gradients of a block of words should about fill a core's cache.
_BLOCK_BYTES = 1 << 20
# Blocks that give several threads enough tasks; fewer where tasks would become small.
_BLOCKS_FOR_THREADS = 15
_MIN_ENTRIES_OF_A_BLOCK = 1000
# Work is measured in numbers of a row that are updated; a thread does a hundred
# million of them in some 40 ms. What is worth a thread, and what is done between two
# looks at signals:
_WORK_OF_A_THREAD = 1 << 25
_WORK_OF_A_SLICE = 1 << 28
# Counts whose logarithms are taken at once.
_CHUNK = 1 << 15


def train(
    estimator: Any,
    counts: Any,
    params: np.ndarray,
    layout: Layout,
    random: np.random.Generator,
) -> Progress:
    """Run all epochs of GloVe; `params` is updated in place.

    Parameters
    ----------
    estimator : GloVeEmbedder
        Its parameters are read.
    counts : csr_array of shape (n_words, n_words), float64
        Is used up.
    params : ndarray of shape (n_words * n_tables, width), float32
    layout : Layout
    random : Generator
        Draws the order of the blocks.

    Returns
    -------
    Progress
    """
    row_bytes = 2 * params.shape[1] * params.itemsize
    n_blocks = _n_blocks(layout.n_words, row_bytes, counts.nnz)
    work = counts.nnz * params.shape[1]
    worth = int(work * estimator.max_iter / _WORK_OF_A_THREAD)
    size = n_threads(estimator.n_jobs, min(worth, n_blocks // 2 + 1))
    squares = aligned_zeros(params.shape)
    squares[:] = 1.0
    model = _model(params, squares, layout, estimator.learning_rate)
    n_stages = max(1, int(_WORK_OF_A_SLICE * 2 * n_blocks / work))
    progress = Progress(estimator, "pairs", counts.nnz)
    with ThreadTeam(size) as team:
        entries = _sort_entries(
            counts, n_blocks, estimator.x_max, estimator.alpha, team
        )
        for _ in range(estimator.max_iter):
            order = random.permutation(n_blocks)
            loss = _train_epoch(entries, model, order, n_stages, team)
            progress.finish_epoch(loss / counts.nnz, params)
    return progress


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
        layout.scale(0.0),
        bias,
        layout.n_components,
        layout.context_row,
        float(learning_rate),
    )


def _n_blocks(n_words: int, row_bytes: int, n_entries: int) -> int:
    """Return into how many blocks rows and columns are cut: an odd number.

    It depends on the counts only, never on the machine or the number of threads.
    """
    by_cache = n_words * row_bytes // _BLOCK_BYTES
    by_threads = int((n_entries / _MIN_ENTRIES_OF_A_BLOCK) ** 0.5)
    n_blocks = max(by_cache, min(by_threads, _BLOCKS_FOR_THREADS))
    n_blocks = min(n_blocks, n_words)
    return max(1, n_blocks - 1 + n_blocks % 2)


def _sort_entries(
    counts: Any, n_blocks: int, x_max: float, alpha: float, team: ThreadTeam
) -> Any:
    """Return counts as a kernel visits them, in the memory they are in.

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
        _take_targets(counts.data[first:last], x_max, alpha)
        spare = (
            np.empty(last - first, dtype=np.uint32),
            np.empty((last - first, 2), dtype=np.float32),
        )
        glove.sort_rows(entries, indptr, block_of, block, spare)

    team.map(sort_block, range(n_blocks))
    return entries


def _take_targets(counts: np.ndarray, x_max: float, alpha: float) -> None:
    """Replace each count x by two float32 numbers in its place: ln x and f(x)."""
    targets = counts.view(np.float32).reshape(-1, 2)
    log_max, exponent = np.log(float(x_max)), float(alpha)
    for first in range(0, counts.size, _CHUNK):
        chunk = slice(first, first + _CHUNK)
        logarithms = np.log(counts[chunk])
        targets[chunk, 0] = logarithms
        logarithms -= log_max
        targets[chunk, 1] = np.exp(exponent * np.minimum(logarithms, 0.0))


def _train_epoch(
    entries: Any, model: Any, order: np.ndarray, n_stages: int, team: ThreadTeam
) -> float:
    """Visit every entry once; return the summed objective.

    Parameters
    ----------
    entries : Entries
    model : Model
    order : ndarray of shape (n_blocks,), int64
        A permutation of the blocks, by which an epoch differs from others.
    n_stages : int
        Stages between two looks at signals.
    team : ThreadTeam
    """
    from skembed._kernels import adagrad, glove

    all_stages = 2 * order.size
    losses = np.zeros((all_stages, order.size // 2 + 1))
    width = model.params.shape[1]
    spaces = [adagrad.Space(*aligned_zeros((3, width))) for _ in range(team.size)]
    for first in range(0, all_stages, n_stages):
        stages = (first, min(first + n_stages, all_stages))
        done = np.zeros(order.size * glove.DONE_NUMBERS, dtype=np.int64)

        def work(
            member: Any,
            stages: tuple[int, int] = stages,
            done: np.ndarray = done,
        ) -> None:
            space = spaces[member.thread]
            glove.train_stages(
                entries, model, order, stages, losses, done, space, member
            )

        team.run(work)
    return float(losses.sum())
