"""How much direction a square matrix holds, or the scores of a model."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array, check_is_fitted

from skembed._base import BaseEmbedder
from skembed._utils.threads import one_blas_thread
from skembed.inspection._vectors import check_tables


def antisymmetric_share(X: Any) -> float:
    """Return how much direction a matrix holds: the share of its antisymmetric part.

    A square matrix M is the sum of a symmetric part, ``(M + M') / 2``, and an
    antisymmetric part, ``(M - M') / 2``. Only the second part tells whether an entry
    belongs to (a, b) or to (b, a). The share is ``|(M - M') / 2|^2 / |M|^2``, with sums
    of squares over all entries.

    It is 0 for a symmetric matrix, and 1 for an antisymmetric one. For non-negative
    entries, such as counts, it is at most 1/2. It is 1/2 for a graph without reciprocal
    links: the entry opposite to each positive entry is 0. A model with one table and
    without a matrix is symmetric, and cannot represent this share.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, n), or a fitted estimator
        A square matrix, such as the adjacency matrix of a graph or co-occurrence
        counts. An embedder stands for the matrix of its scores ``x_w' A y_c``, without
        biases and offsets; for ``share_context="bilinear"``, their share is that of A
        if the columns of `word_vectors_` are made orthonormal. A `GraphEmbedder`
        stands for the adjacency matrix of its graph.

    Returns
    -------
    float
        Between 0 and 1; 0 if all entries are 0.

    Raises
    ------
    ValueError
        If the matrix is not square, not numeric, or has entries that are missing or
        infinite.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it is an estimator of another package.

    Examples
    --------
    >>> import numpy as np
    >>> from skembed.inspection import antisymmetric_share
    >>> one_way = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    >>> antisymmetric_share(one_way)
    0.5
    >>> antisymmetric_share(one_way + one_way.T)
    0.0
    """
    if hasattr(X, "fit"):
        check_is_fitted(X)
        X = getattr(X, "adjacency_", X)
    if hasattr(X, "fit"):
        return _share(sparse.csr_array(_core(check_tables(X))))
    matrix = check_array(X, accept_sparse="csr", dtype=np.float64, input_name="X")
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"X must be a square matrix or a fitted embedder, got shape {matrix.shape}."
        )
    return _share(sparse.csr_array(matrix))


def _core(model: BaseEmbedder) -> np.ndarray:
    """Return the matrix of scores in an orthonormal basis of all vectors."""
    word = model.word_vectors_ * model._score_scale.astype(np.float64)
    both = np.hstack([word, model.context_vectors_])
    with one_blas_thread():
        upper = np.asarray(np.linalg.qr(both, mode="r"))
        return upper[:, : word.shape[1]] @ upper[:, word.shape[1] :].T


def _share(matrix: sparse.csr_array) -> float:
    """Return the share of the antisymmetric part."""
    largest = np.abs(matrix.data).max(initial=0.0)
    if largest == 0:
        return 0.0
    # Squares of very large or small entries would not fit into float64.
    matrix = matrix / largest
    difference = (matrix - matrix.T) / 2
    # Duplicates of an entry have to be added up first.
    matrix.sum_duplicates()
    return float((difference.data**2).sum() / (matrix.data**2).sum())
