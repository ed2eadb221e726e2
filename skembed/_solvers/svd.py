"""Truncated decompositions of a sparse matrix, the same bits on every run.

Small matrices are decomposed densely. Larger ones are decomposed in a Krylov space, by
the block Lanczos method with full reorthogonalisation (Golub & Underwood 1977) and a
random start. For the same number of products, it captures much more energy than
randomised subspace iteration (Musco & Musco 2015).

Results do not depend on the number of threads: each number is computed by one task, and
results of tasks are added up in a fixed order. The results of BLAS depend on its number
of threads, so BLAS gets one thread.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse

from skembed._tying.strategies import Factoriser
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import aligned_zeros, check_room
from skembed._utils.threads import ThreadTeam, n_threads, one_blas_thread, row_ranges

# Columns of a block.
_BLOCK = 16
# How often a block is orthogonalised again before dependent columns are dropped.
_ATTEMPTS = 4
# Size of a task for any number of threads, in rows (a multiple of 4) or in entries of
# the matrix.
_TASK_ROWS = 2048
_TASK_ENTRIES = 1 << 16
# Squared lengths below this come from rounding to float64, if columns have length 1.
_ROUNDING = 1e-14
# Matrices with at most so many rows or columns are decomposed densely.
DENSE_LIMIT = 1000
# Memory of a dense decomposition, as a multiple of its matrix.
DENSE_COPIES = 5
# Number of entries that is worth a thread.
_THREAD_ENTRIES = 1 << 18
# Values below this share of the largest come from rounding the matrix to float32.
_NOISE = 1e-6
# The iteration of `dedicom` ends where a step gains less than this share, or here.
_SMALLEST_GAIN = 1e-4
_MOST_STEPS = 100
# A loss of less than this share comes from rounding to float64.
_ROUNDED = 1e-12
_Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


class Rows:
    """Work on the rows of matrices, in tasks of fixed size."""

    def __init__(self, team: ThreadTeam, n_rows: int):
        self.team = team
        self.n_rows = n_rows
        # An even number of equal tasks, since two threads are the most common number.
        n_tasks = 2 * max(1, -(-n_rows // (2 * _TASK_ROWS)))
        size = 4 * -(-n_rows // (4 * n_tasks))
        starts = range(0, n_rows, size)
        self._tasks = [slice(i, min(i + size, n_rows)) for i in starts]

    def each(self, work: Callable[[slice], Any]) -> list[Any]:
        """Call `work` with the rows of every task."""
        return self.team.map(lambda _, rows: work(rows), self._tasks)

    def total(self, work: Callable[[slice], np.ndarray]) -> np.ndarray:
        """Return the sum of what `work` returns, in the order of the tasks."""
        return np.add.reduce(self.each(work))

    def gram(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return ``left.T @ right``."""
        return self.total(lambda rows: left[rows].T @ right[rows])

    def turn_inplace(self, block: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Replace `block` by ``block @ matrix`` and return it."""

        def multiply(rows: slice) -> None:
            block[rows] = block[rows] @ matrix

        self.each(multiply)
        return block


class Product:
    """A sparse matrix, to be multiplied with dense blocks."""

    def __init__(self, rows: Rows, matrix: sparse.csr_array):
        from skembed._kernels import sparse as kernels

        self._multiply = kernels.multiply_rows
        self._team = rows.team
        self.n_rows = matrix.shape[0]
        indptr = matrix.indptr.astype(np.int64)
        self._arrays = indptr, matrix.indices.astype(np.int32, copy=False), matrix.data
        self._tasks = row_ranges(indptr, _TASK_ENTRIES)
        self.empty = np.diff(indptr) == 0

    def __call__(self, block: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the product with a block whose columns are a multiple of 16."""
        out = np.empty((self.n_rows, block.shape[1])) if out is None else out

        def multiply(_: int, rows: tuple[int, int]) -> None:
            self._multiply(*self._arrays, block, rows, out)

        self._team.map(multiply, self._tasks)
        return out


class KrylovSpace:
    """An orthonormal basis of b, Ab, AAb, ... with A = M'M, and A in this basis.

    The basis is float32, because it only serves to remove rounding errors from new
    blocks. The recurrence does not need it and runs in float64. `forward` and
    `backward` multiply with M and M'. b is random.
    """

    def __init__(self, rows: Rows, forward: Product, backward: Product, seed: int):
        from skembed._kernels import sparse as kernels

        self._kernels = kernels
        self._rows = rows
        self._forward, self._backward = forward, backward
        self._random = np.random.default_rng(seed)
        self._image = aligned_zeros((forward.n_rows, _BLOCK), np.float64)
        self._next, self._last, self._before = (
            aligned_zeros((rows.n_rows, _BLOCK), np.float64) for _ in range(3)
        )
        self._random.standard_normal(out=self._image)
        backward(self._image, self._next)
        self._gram = rows.gram(self._next, self._next)
        self.size = 0
        # The kernels work on four rows at a time.
        self._padded = -(-rows.n_rows // 4) * 4
        self._single = aligned_zeros((self._padded, _BLOCK))
        self._basis = aligned_zeros((self._padded, 0))
        self._within = np.zeros((0, 0))

    def grow(self, size: int, report: Callable[[float], Any] | None = None) -> None:
        """Extend the basis to `size` columns, rounded up, or to the whole space."""
        size = -(-min(size, self._rows.n_rows) // _BLOCK) * _BLOCK
        if size > self.size:
            check_room(
                4.0 * self._padded * size,
                f"{size} vectors of a Krylov space of {self._rows.n_rows} words",
                "Lower n_components or max_features, or raise min_count.",
            )
            basis = aligned_zeros((self._padded, size))
            basis[:, : self.size] = self._basis
            self._basis = basis
            self._within = np.pad(self._within, (0, size - self.size))
        while self.size < size:
            self._append()
            self._multiply()
            if report is not None:
                report(self.size / size)

    def leading(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of the `count` largest eigenvalues, and a few more.

        The second result is the matrix that makes them orthonormal in float64 by
        multiplication. Vectors of the eigenvalue 0 may be 0.
        """
        count = min(-(-(count + _BLOCK // 2) // _BLOCK) * _BLOCK, self.size)
        # Only the blocks on and above the diagonal are filled in.
        _, vectors = np.linalg.eigh(self._within, UPLO="U")
        vectors = vectors[:, : -count - 1 : -1].astype(np.float32)
        leading = aligned_zeros((self._rows.n_rows, count), np.float64)

        def combine(rows: slice) -> np.ndarray:
            leading[rows] = self._basis[rows] @ vectors
            return leading[rows].T @ leading[rows]

        turn, _ = orthonormaliser(self._rows.total(combine))
        return leading, turn

    def _append(self) -> None:
        """Orthonormalise the next block and append it to the basis."""
        block, here = self._next, slice(self.size, self.size + _BLOCK)
        turn, _ = orthonormaliser(self._gram, scaled=True)
        for _ in range(_ATTEMPTS):
            turn, independent = orthonormaliser(self._project(turn))
            if independent.all():
                break
        # The last block of the whole space may have columns of zeros.
        turn = turn * independent

        def store(rows: slice) -> None:
            block[rows] = block[rows] @ turn
            self._basis[rows, here] = block[rows]

        self._rows.each(store)
        self._next, self._last, self._before = self._before, block, self._last
        self.size += _BLOCK

    def _project(self, turn: np.ndarray) -> np.ndarray:
        """Multiply the next block by `turn` and project out the basis.

        Columns of zeros are replaced by random columns, so that the space can grow even
        if A maps the basis into itself. Returns the Gram matrix of the block.
        """
        block, single = self._next, self._single
        empty = ~turn.any(axis=0)
        if empty.any():
            self._rows.turn_inplace(block, turn)
            random = self._random.standard_normal(block[:, empty].shape)
            block[:, empty] = random / np.sqrt(len(block))
            turn = np.eye(_BLOCK)

        def inside(rows: slice) -> np.ndarray:
            single[rows] = block[rows] = block[rows] @ turn
            part = np.zeros((self.size, _BLOCK), dtype=np.float32)
            self._kernels.project(self._basis, single, (rows.start, rows.stop), part)
            return part

        found = self._rows.total(inside)

        def subtract(rows: slice) -> np.ndarray:
            self._kernels.combine(self._basis, found, (rows.start, rows.stop), single)
            block[rows] -= single[rows]
            return block[rows].T @ block[rows]

        return self._rows.total(subtract)

    def _multiply(self) -> None:
        """Multiply the last block with A, and project the basis out of the product."""
        before, last, image = self._before, self._last, self._next
        self._backward(self._forward(last, self._image), image)

        def inside(rows: slice) -> np.ndarray:
            return np.stack([block[rows].T @ image[rows] for block in (before, last)])

        from_before, own = self._rows.total(inside)
        here = slice(self.size - _BLOCK, self.size)
        self._within[here, here] = own
        if self.size > _BLOCK:
            self._within[self.size - 2 * _BLOCK : here.start, here] = from_before

        def subtract(rows: slice) -> np.ndarray:
            image[rows] -= before[rows] @ from_before + last[rows] @ own
            return image[rows].T @ image[rows]

        self._gram = self._rows.total(subtract)


def transposed(matrix: sparse.csr_array, team: ThreadTeam) -> sparse.csr_array:
    """Return the transpose as SciPy does, with the work shared out to the threads.

    Parameters
    ----------
    matrix : csr_array of shape (n, m), float32
    team : ThreadTeam

    Returns
    -------
    csr_array of shape (m, n), float32
        The entries of a row are in the order of the rows of `matrix`.
    """
    if team.size == 1:
        return interruptible(sparse.csr_array, matrix.T)
    from skembed._kernels import sparse as kernels

    indptr = matrix.indptr.astype(np.int64)
    indices = matrix.indices.astype(np.int32, copy=False)
    ranges = row_ranges(indptr, -(-matrix.nnz // team.size))
    places = np.zeros((len(ranges), matrix.shape[1]), dtype=np.int64)

    def count(_: int, part: int) -> None:
        first, last = indptr[list(ranges[part])]
        kernels.count_columns(indices, (first, last), places[part])

    team.map(count, range(len(ranges)))
    # What earlier ranges have of a column comes before what later ones have.
    ends = np.cumsum(places, axis=0)
    starts = np.concatenate([[0], np.cumsum(ends[-1])])
    places[:] = starts[:-1] + ends - places
    out = np.empty(matrix.nnz, dtype=np.int32), np.empty(matrix.nnz, dtype=np.float32)

    def place(_: int, part: int) -> None:
        arrays = indptr, indices, matrix.data
        kernels.place_entries(*arrays, ranges[part], places[part], *out)

    team.map(place, range(len(ranges)))
    return sparse.csr_array((out[1], out[0], starts), shape=matrix.shape[::-1])


def space_size(n_components: int) -> int:
    """Return the size of the Krylov space for a number of components.

    For PPMI matrices, it loses about 1e-4 of the energy that the best approximation
    captures. This is a hundredth of the loss of seven rounds of subspace iteration.
    """
    return max(4 * n_components + 2 * _BLOCK, n_components + 8 * _BLOCK)


def orthonormaliser(
    gram: np.ndarray, scaled: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrix that orthonormalises columns with this Gram matrix.

    The second result says which of the products are orthonormal. If columns are
    linearly dependent, some products are 0, and others contain large rounding errors,
    which a repetition reduces. Columns whose lengths are not about 1 have to be
    `scaled`.
    """
    scale = np.ones(len(gram))
    if scaled:
        size = np.sqrt(np.diag(gram))
        scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    values, vectors = np.linalg.eigh(gram * scale * scale[:, None])
    independent = values > 0.5
    turn = vectors / np.sqrt(np.where(values > _ROUNDING, values, np.inf))
    if independent.all():
        # The orthonormal columns closest to the given ones.
        turn = turn @ vectors.T
    return scale[:, None] * turn, independent


class TruncatedFactoriser(Factoriser):
    """Singular values, or eigenvalues of the symmetric part, of one matrix.

    Parameters
    ----------
    matrix : csr_array of shape (n, m), float32
    seed : int
        Seed of the random start.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules; the result does not depend on it.
    report : callable, default=None
        Called now and then with the approximate share of the work that is done.
    """

    def __init__(
        self,
        matrix: sparse.csr_array,
        seed: int,
        n_jobs: int | None = None,
        report: Callable[[float], Any] | None = None,
    ):
        self.matrix = matrix
        self.seed = seed
        self.n_jobs = n_jobs
        self.report = report

    @one_blas_thread()
    def svd(self, n_components: int) -> _Triple:
        """Return P (n, d), singular values (d,) and Q (m, d), largest first.

        If the rank of the matrix is below d, zeros follow. Rows and columns without
        entries have vectors of zeros.
        """
        if self._is_small(n_components):
            dense = self._dense(self.matrix)
            # NumPy's function, because SciPy's does not release the GIL.
            left, values, right = interruptible(np.linalg.svd, dense, False)
            right = right.T
            left[~dense.any(axis=1)], right[~dense.any(axis=0)] = 0.0, 0.0
        else:
            left, values, right = self._krylov_svd(n_components)
        signs = _signs(left[:, :n_components])
        return (
            _padded_inplace(left[:, :n_components], n_components, signs),
            _padded_inplace(_without_noise(values)[:n_components], n_components),
            _padded_inplace(right[:, :n_components], n_components, signs),
        )

    @one_blas_thread()
    def eigh(self, n_components: int, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues (d,) and vectors (n, d) of (M + M') / 2.

        They are the largest by absolute value. With `positive`, they are the largest,
        and 0 replaces negative ones. Rows without entries have vectors of zeros.
        """
        symmetric = sparse.csr_array((self.matrix + self.matrix.T) * np.float32(0.5))
        if self._is_small(n_components):
            values, vectors = interruptible(np.linalg.eigh, self._dense(symmetric))
        else:
            values, vectors = self._krylov_eigh(symmetric, n_components, positive)
        # Rounding errors, which features of unit norm would magnify.
        vectors[np.diff(symmetric.indptr) == 0] = 0.0
        values = _without_noise(values)
        order = np.argsort(-values if positive else -np.abs(values), kind="stable")
        order = order[:n_components]
        values, vectors = values[order], vectors[:, order]
        if positive:
            values = np.maximum(values, 0.0)
        vectors = _padded_inplace(vectors, n_components, _signs(vectors))
        return _padded_inplace(values, n_components), vectors

    def dedicom(self, n_components: int) -> tuple[np.ndarray, np.ndarray]:
        """Return Q (n, d) and R (d, d) such that ``Q R Q'`` approximates M.

        The error is that of ``R = Q'MQ``, which is the best for orthonormal columns of
        Q. It is smallest if ``|Q'MQ|`` is largest. Q starts as the left singular
        vectors of ``[M, M']``. Each step replaces it by an orthonormal basis of the
        gradient ``MQR' + M'QR`` and never makes the error larger. The result is a local
        optimum (one-table DEDICOM, Harshman 1978; the step is that of ASALSAN, Bader,
        Harshman & Kolda 2007, with orthonormal columns).

        Columns are turned so that ``RR' + R'R`` is diagonal. Words without entries have
        vectors of zeros.
        """
        transpose = interruptible(sparse.csr_array, self.matrix.T)
        both = sparse.hstack([self.matrix, transpose], format="csr")
        start = TruncatedFactoriser(both, self.seed, self.n_jobs, self.report)
        vectors, _, right = start.svd(n_components)
        del both, start, right
        with one_blas_thread(), self._rows() as rows:
            forward, backward = Product(rows, self.matrix), Product(rows, transpose)
            vectors, core = _climb(rows, forward, backward, vectors)
            _, turn = np.linalg.eigh(core @ core.T + core.T @ core)
            turn = turn[:, ::-1]
            vectors, core = rows.turn_inplace(vectors, turn), turn.T @ core @ turn
        size = np.sqrt((core**2).sum(axis=0) + (core**2).sum(axis=1))
        signs = _signs(vectors) * (_without_noise(size) > 0)
        vectors, core = vectors * signs, core * signs * signs[:, None]
        # Columns that only filled up blocks are among those of zeros at the end.
        return vectors[:, :n_components], core[:n_components, :n_components]

    def _is_small(self, n_components: int) -> bool:
        n = min(self.matrix.shape)
        return n <= DENSE_LIMIT or n_components > n // 4

    @staticmethod
    def _dense(matrix: sparse.csr_array) -> np.ndarray:
        n_rows, n_columns = matrix.shape
        check_room(
            DENSE_COPIES * 8.0 * n_rows * n_columns,
            f"Dense matrices of shape {matrix.shape}, which n_components that are more "
            "than a quarter of the words ask for,",
            "Lower n_components or max_features, or raise min_count.",
        )
        return matrix.toarray().astype(np.float64)

    @contextmanager
    def _rows(self) -> Iterator[Rows]:
        at_most = self.matrix.nnz // _THREAD_ENTRIES
        with ThreadTeam(n_threads(self.n_jobs, at_most)) as team:
            yield Rows(team, min(self.matrix.shape))

    def _krylov_svd(self, n_components: int) -> _Triple:
        with self._rows() as rows:
            forward = Product(rows, self.matrix)
            backward = Product(rows, transposed(self.matrix, rows.team))
            # Of the transpose if that makes the basis shorter.
            if wide := forward.n_rows < backward.n_rows:
                forward, backward = backward, forward
            space = KrylovSpace(rows, forward, backward, self.seed)
            space.grow(space_size(n_components), self.report)
            right, turn = space.leading(n_components)
            empty = backward.empty
            del space, backward
            image = forward(right)
            images = Rows(rows.team, len(image))
            gram = turn.T @ images.gram(image, image) @ turn
            turn_left, _ = orthonormaliser(gram, scaled=True)
            left, values, small = np.linalg.svd(turn_left.T @ gram)
            left = images.turn_inplace(image, turn @ turn_left @ left)
            right = rows.turn_inplace(right, turn @ small.T)
            # Rounding errors, which features of unit norm would magnify.
            left[forward.empty], right[empty] = 0.0, 0.0
            return (right, values, left) if wide else (left, values, right)

    def _krylov_eigh(
        self, symmetric: sparse.csr_array, n_components: int, positive: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        with self._rows() as rows:
            product = Product(rows, symmetric)
            space = KrylovSpace(rows, product, product, self.seed)
            wanted = n_components
            while True:
                space.grow(space_size(wanted), self.report)
                vectors, turn = space.leading(wanted)
                gram = turn.T @ rows.gram(vectors, product(vectors)) @ turn
                values, small = np.linalg.eigh(gram)
                # These are the largest by absolute value. If many are negative, more
                # are needed to have enough positive ones. Zeros among them mean that
                # there are no others.
                found = (values > 0).sum()
                enough = found >= n_components or not _without_noise(values).all()
                if not positive or enough or values.size >= rows.n_rows:
                    return values, rows.turn_inplace(vectors, turn @ small)
                more = -(-values.size * n_components // max(1, found))
                wanted = min(more, 2 * values.size, rows.n_rows)


def _climb(
    rows: Rows, forward: Product, backward: Product, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return Q and ``R = Q'MQ`` at a local maximum of ``|R|``, from orthonormal Q.

    Where a plain step would make ``|R|`` smaller, a multiple of Q is added to the
    gradient. The larger it is, the shorter is the step, and a short one succeeds.
    Where plain steps go back and forth, as from sources to targets of nodes that are
    one or the other, half a step succeeds.
    """
    width = -(-start.shape[1] // _BLOCK) * _BLOCK
    check_room(
        5 * 8.0 * rows.n_rows * width,
        f"Five tables of the vectors of {rows.n_rows} words",
        "Lower n_components or max_features, or raise min_count.",
    )
    here, there = (aligned_zeros((rows.n_rows, width), np.float64) for _ in range(2))
    here[:, : start.shape[1]] = start
    ahead, back = forward(here), backward(here)
    core = rows.gram(here, ahead)
    idle = _idle(rows, core, (ahead, back))
    if idle.any():
        _write_basis(rows, ((here, np.eye(width)), (ahead, idle), (back, idle)), there)
        here, there = there, here
        ahead, back = forward(here), backward(here)
        core = rows.gram(here, ahead)
    best, shift = np.sum(core**2), 0.0
    for _ in range(_MOST_STEPS):
        terms = (ahead, core.T), (back, core), (here, shift * np.eye(width))
        _write_basis(rows, terms, there)
        forward(there, ahead)
        found = rows.gram(there, ahead)
        gain = np.sum(found**2) - best
        if gain < -_ROUNDED * best:
            shift = max(2.0 * shift, best / width)
            forward(here, ahead)
            continue
        here, there, core, best = there, here, found, best + gain
        if gain <= _SMALLEST_GAIN * best:
            half = aligned_zeros((rows.n_rows, width), np.float64)
            _write_basis(rows, _between(rows, here, there), half)
            forward(half, ahead)
            found = rows.gram(half, ahead)
            gain = np.sum(found**2) - best
            if gain <= _SMALLEST_GAIN * best:
                break
            here, core, best = half, found, best + gain
        backward(here, back)
    return here, core


def _idle(
    rows: Rows, core: np.ndarray, images: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return what to multiply MQ + M'Q by, to add it to columns without a gradient.

    Their rows and columns of R are 0: a column stands for sources of edges to nodes
    that no column stands for, or for targets of edges from such nodes.
    """
    squares = core**2
    size = squares.sum(axis=0) + squares.sum(axis=1)

    def lengths(some: slice) -> np.ndarray:
        return ((images[0][some] + images[1][some]) ** 2).sum(axis=0)

    pull = rows.total(lengths)
    chosen = (pull > 0) & (size <= _NOISE**2 * pull)
    return np.diag(np.where(chosen, 1.0 / np.sqrt(np.where(chosen, pull, 1.0)), 0.0))


def _between(
    rows: Rows, first: np.ndarray, second: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return products whose sum lies halfway from one orthonormal basis to another.

    The columns of the second one are turned towards those of the first. Columns of
    zeros, which only fill up blocks, are left out.
    """
    columns = [np.flatnonzero(block.any(axis=0)) for block in (first, second)]
    n_columns = min(map(len, columns))
    kept = np.zeros((2, first.shape[1], first.shape[1]))
    here, there = (places[:n_columns] for places in columns)
    left, _, right = np.linalg.svd(rows.gram(second, first)[np.ix_(there, here)])
    kept[0, here, np.arange(n_columns)] = 1.0
    kept[1, there, :n_columns] = left @ right
    return (first, kept[0]), (second, kept[1])


def _write_basis(
    rows: Rows, terms: tuple[tuple[np.ndarray, np.ndarray], ...], out: np.ndarray
) -> None:
    """Write an orthonormal basis of a sum of products, or zeros for what is missing."""

    def add_up(some: slice) -> np.ndarray:
        out[some] = sum(block[some] @ matrix for block, matrix in terms)
        return out[some].T @ out[some]

    turn, _ = orthonormaliser(rows.total(add_up), scaled=True)
    rows.turn_inplace(out, turn)
    # Once more, to remove rounding errors.
    turn, independent = orthonormaliser(rows.gram(out, out))
    rows.turn_inplace(out, turn * independent)


def _without_noise(values: np.ndarray) -> np.ndarray:
    """Return the values with zeros in place of rounding errors."""
    size = np.abs(values)
    return np.where(size <= _NOISE * size.max(), 0.0, values)


def _signs(vectors: np.ndarray) -> np.ndarray:
    """Return the signs that make the largest entry of each column positive."""
    return np.where(vectors.max(axis=0) < -vectors.min(axis=0), -1.0, 1.0)


def _padded_inplace(
    array: np.ndarray, n_components: int, factor: np.ndarray | float = 1.0
) -> np.ndarray:
    """Multiply in place, and append zeros in the last dimension if it is too short."""
    array *= factor
    width = [(0, 0)] * (array.ndim - 1) + [(0, n_components - array.shape[-1])]
    return np.pad(array, width) if width[-1][1] else array
