"""Truncated decompositions of a sparse matrix, the same bits on every run.

Small matrices are decomposed densely, larger ones in a Krylov space, see `_krylov`.
BLAS, whose results change with its number of threads, gets one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse

from skembed._solvers.krylov import (
    KrylovSpace,
    Product,
    Rows,
    orthonormaliser,
    space_size,
)
from skembed._tying.strategies import Factoriser
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import check_room
from skembed._utils.threads import ThreadTeam, n_threads, one_blas_thread

DENSE_LIMIT = 1000
# What a dense decomposition takes, times its matrix.
DENSE_COPIES = 5
# Entries that make a thread worth its start.
_THREAD_ENTRIES = 1 << 18
# Values below this share of the largest come from rounding the matrix to float32.
_NOISE = 1e-6
_Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


class TruncatedFactoriser(Factoriser):
    """Singular values, or eigenvalues of the symmetric part, of one matrix.

    Parameters
    ----------
    matrix : csr_array of shape (n, m), float32
    seed : int
        Of the random start.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules; the result does not depend on it.
    report : callable, default=None
        Called now and then with the share of the work that is done, about.
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

    def svd(self, n_components: int) -> _Triple:
        """Return P (n, d), singular values (d,) and Q (m, d), largest first.

        Zeros fill up what the rank of the matrix does not provide. Rows and columns
        without entries have vectors of zeros.
        """
        with one_blas_thread():
            if self._is_small(n_components):
                dense = self._dense(self.matrix)
                left, values, right = interruptible(_svd, dense)
                right = right.T
            else:
                left, values, right = self._krylov_svd(n_components)
        rows, columns = _empty(self.matrix)
        left[rows], right[columns] = 0.0, 0.0
        signs = _signs(left[:, :n_components])
        return (
            _padded_inplace(left[:, :n_components], n_components, signs),
            _padded_inplace(_without_noise(values)[:n_components], n_components),
            _padded_inplace(right[:, :n_components], n_components, signs),
        )

    def eigh(self, n_components: int, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues (d,) and vectors (n, d) of (M + M') / 2.

        The largest by size or, with `positive`, the largest, where 0 replaces
        negative ones. Rows without entries have vectors of zeros.
        """
        symmetric = sparse.csr_array((self.matrix + self.matrix.T) * np.float32(0.5))
        with one_blas_thread():
            if self._is_small(n_components):
                values, vectors = interruptible(np.linalg.eigh, self._dense(symmetric))
            else:
                values, vectors = self._krylov_eigh(symmetric, n_components, positive)
        vectors[_empty(symmetric)[0]] = 0.0
        values = _without_noise(values)
        order = np.argsort(-values if positive else -np.abs(values), kind="stable")
        order = order[:n_components]
        values, vectors = values[order], vectors[:, order]
        if positive:
            values = np.maximum(values, 0.0)
        vectors = _padded_inplace(vectors, n_components, _signs(vectors))
        return _padded_inplace(values, n_components), vectors

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
            transpose = interruptible(sparse.csr_array, self.matrix.T)
            backward = Product(rows, transpose)
            del transpose
            # Of the transpose where that makes the basis the shorter one.
            if wide := forward.n_rows < backward.n_rows:
                forward, backward = backward, forward
            space = KrylovSpace(rows, forward, backward, self.seed)
            space.grow(space_size(n_components), self.report)
            right, turn = space.leading(n_components)
            del space, backward
            image = forward(right)
            images = Rows(rows.team, len(image))
            gram = turn.T @ images.gram(image, image) @ turn
            turn_left, _ = orthonormaliser(gram, scaled=True)
            left, values, small = np.linalg.svd(turn_left.T @ gram)
            left = images.turn_inplace(image, turn @ turn_left @ left)
            right = rows.turn_inplace(right, turn @ small.T)
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
                # These are the largest by size: where many are negative, it takes
                # more to have enough positive ones. Zeros among them say that there
                # are no others.
                found = (values > 0).sum()
                enough = found >= n_components or not _without_noise(values).all()
                if not positive or enough or values.size >= rows.n_rows:
                    return values, rows.turn_inplace(vectors, turn @ small)
                more = -(-values.size * n_components // max(1, found))
                wanted = min(more, 2 * values.size, rows.n_rows)


def _svd(matrix: np.ndarray) -> _Triple:
    # NumPy's, as SciPy's keeps all other threads of Python waiting.
    return np.linalg.svd(matrix, full_matrices=False)


def _without_noise(values: np.ndarray) -> np.ndarray:
    """Return the values with zeros for those that are rounding errors only."""
    size = np.abs(values)
    return np.where(size <= _NOISE * size.max(), 0.0, values)


def _signs(vectors: np.ndarray) -> np.ndarray:
    """Return the signs that make each column's entry of largest size positive."""
    return np.where(vectors.max(axis=0) < -vectors.min(axis=0), -1.0, 1.0)


def _empty(matrix: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows and which columns hold nothing.

    Their entries of singular vectors are 0, but for rounding errors that a unit norm of
    features would blow up.
    """
    columns = np.ones(matrix.shape[1], dtype=bool)
    columns[matrix.indices] = False
    return np.diff(matrix.indptr) == 0, columns


def _padded_inplace(
    array: np.ndarray, n_components: int, factor: np.ndarray | float = 1.0
) -> np.ndarray:
    """Multiply in place, and append zeros in the last dimension if it is too short."""
    array *= factor
    width = [(0, 0)] * (array.ndim - 1) + [(0, n_components - array.shape[-1])]
    return np.pad(array, width) if width[-1][1] else array
