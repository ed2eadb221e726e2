"""Truncated decompositions of a sparse matrix, the same bits on every run.

Small matrices are decomposed densely. Larger ones by randomised subspace iteration
(Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.1), whose dense steps run with
one BLAS thread because BLAS results change with the number of threads.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits  # scikit-learn requires it too

_DENSE_LIMIT = 1000
_POWER_ITERATIONS = 14
_OVERSAMPLING = 50
# Values below this share of the largest come from rounding the matrix to float32.
_NOISE = 1e-6


# The number of BLAS threads belongs to the process: of two overlapping fits, the first
# to end would give its threads back to the other, which might never return its own.
_BLAS_LOCK = Lock()


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    with _BLAS_LOCK, threadpool_limits(limits=1, user_api="blas"):
        yield


class TruncatedFactoriser:
    """Singular values, or eigenvalues of the symmetric part, of one matrix.

    Parameters
    ----------
    matrix : csr_array of shape (n, n), float32
    seed : int
        Of the random start.
    """

    def __init__(self, matrix: sparse.csr_array, seed: int):
        self.matrix = matrix
        self.seed = seed

    def svd(self, n_components: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return P (n, d), singular values (d,) and Q (n, d), largest first.

        Zeros fill up what the rank of the matrix does not provide.
        """
        with _one_blas_thread():
            if self._is_small(n_components):
                left, values, right = linalg.svd(self._dense(self.matrix))
            else:
                left, values, right = self._randomised_svd(n_components)
        values = _without_noise(values)
        left, right = left[:, :n_components], right[:n_components].T
        signs = _signs(left)
        padding = n_components - left.shape[1]
        return (
            _pad_columns(left * signs, padding),
            np.pad(values[:n_components], (0, padding)),
            _pad_columns(right * signs, padding),
        )

    def eigh(self, n_components: int, positive: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return eigenvalues (d,) and vectors (n, d) of (M + M') / 2.

        The largest by size or, with `positive`, the largest, where 0 replaces
        negative ones.
        """
        symmetric = sparse.csr_array((self.matrix + self.matrix.T) * np.float32(0.5))
        with _one_blas_thread():
            if self._is_small(n_components):
                values, vectors = linalg.eigh(self._dense(symmetric))
            else:
                values, vectors = self._randomised_eigh(
                    symmetric, n_components, positive
                )
        values = _without_noise(values)
        order = np.argsort(-values if positive else -np.abs(values), kind="stable")
        order = order[:n_components]
        values, vectors = values[order], vectors[:, order]
        if positive:
            values = np.maximum(values, 0.0)
        padding = n_components - values.size
        return (
            np.pad(values, (0, padding)),
            _pad_columns(vectors * _signs(vectors), padding),
        )

    def _is_small(self, n_components: int) -> bool:
        n = self.matrix.shape[0]
        return n <= _DENSE_LIMIT or n_components > n // 4

    @staticmethod
    def _dense(matrix: sparse.csr_array) -> np.ndarray:
        return matrix.toarray().astype(np.float64)

    def _start(self, width: int) -> np.ndarray:
        random = np.random.default_rng(self.seed)
        return random.standard_normal((self.matrix.shape[0], width))

    def _randomised_svd(
        self, n_components: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        forward = _product(self.matrix)
        backward = _product(sparse.csr_array(self.matrix.T))
        basis = _orthonormal(forward(self._start(n_components + _OVERSAMPLING)))
        for _ in range(_POWER_ITERATIONS):
            basis = _orthonormal(forward(_orthonormal(backward(basis))))
        left, values, right = linalg.svd(backward(basis).T, full_matrices=False)
        return basis @ left, values, right

    def _randomised_eigh(
        self, symmetric: sparse.csr_array, n_components: int, positive: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        product = _product(symmetric)
        n = symmetric.shape[0]
        width = n_components + _OVERSAMPLING
        # The last of the wanted values is accurate only if the basis holds others
        # of its sign behind it.
        wanted = n_components + _OVERSAMPLING // 2 if positive else 0
        while True:
            basis = _orthonormal(product(self._start(width)))
            for _ in range(2 * _POWER_ITERATIONS):
                basis = _orthonormal(product(basis))
            values, vectors = linalg.eigh(basis.T @ product(basis))
            # The basis holds the largest eigenvalues by size: where many are
            # negative, it takes a wider one to hold enough positive ones. Zeros
            # among them say that there are no others.
            enough = (values > 0).sum() >= wanted or not _without_noise(values).all()
            if enough or width == n:
                return values, basis @ vectors
            width = min(2 * width, n)


def _product(matrix: sparse.csr_array) -> Callable[[np.ndarray], np.ndarray]:
    from skembed._kernels import sparse as kernels

    indptr = matrix.indptr.astype(np.int64)
    indices = matrix.indices.astype(np.int32, copy=False)

    def multiply(dense: np.ndarray) -> np.ndarray:
        out = np.empty((matrix.shape[0], dense.shape[1]))
        dense = np.ascontiguousarray(dense)
        kernels.multiply(indptr, indices, matrix.data, dense, out)
        return out

    return multiply


def _orthonormal(block: np.ndarray) -> np.ndarray:
    return linalg.qr(block, mode="economic", check_finite=False)[0]


def _without_noise(values: np.ndarray) -> np.ndarray:
    """Return the values with zeros for those that are rounding errors only."""
    size = np.abs(values)
    return np.where(size <= _NOISE * size.max(), 0.0, values)


def _signs(vectors: np.ndarray) -> np.ndarray:
    """Return the signs that make each column's entry of largest size positive."""
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return np.where(largest < 0, -1.0, 1.0)


def _pad_columns(vectors: np.ndarray, padding: int) -> np.ndarray:
    return np.pad(vectors, ((0, 0), (0, padding)))
