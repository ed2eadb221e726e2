"""The interface of poolings, and those that have nothing to learn."""

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skembed.pooling import _rows
from skembed.pooling._rows import Documents


class Pooling(BaseEstimator):
    """Interface of poolings, and the base of those in this module.

    To write one, derive from this class and define `pool`, and `fit` if there is
    something to learn; `partial_fit`, too, if estimators are to go on learning. An
    estimator takes any object with the first two methods and fits a clone. A row that
    `pool` returns must not depend on the other documents.

    Attributes
    ----------
    parts : tuple of str
        Names of the blocks of columns that `pool` puts out, each as wide as the
        vectors; an attribute of the class, or a property where it depends on
        parameters.
    """

    parts: Sequence[str] = ("",)
    _parameter_constraints: dict = {}
    # Learned attributes, and which of their axes is as long as that of the vectors.
    _axes: dict[str, int] = {}

    def fit(self, X, vectors, sample_weight=None):
        """Learn from the training documents; here there is nothing to learn.

        Parameters
        ----------
        X : csr_array of shape (n_documents, n_words)
            How often each word occurs, non-negative. A word may have several entries
            in a row, in any order, which count together.
        vectors : ndarray of shape (n_words, n_features), float32
            Vectors of the words.
        sample_weight : ndarray of shape (n_documents,) or None, default=None
            Weights of the documents, non-negative. A whole number equals repetition.

        Returns
        -------
        self : object
            The fitted pooling.
        """
        self._validate_params()
        return self

    def pool(self, X, vectors):
        """Return one row of features for every document.

        Parameters
        ----------
        X : csr_array of shape (n_documents, n_words)
            As in `fit`.
        vectors : ndarray of shape (n_words, n_features), float32
            Vectors of the words, those of `fit`.

        Returns
        -------
        ndarray of shape (n_documents, len(parts) * n_features), float64
            Features; zeros for a document without words.

        Raises
        ------
        ValueError
            If X is not in CSR format, or does not fit to the vectors.
        sklearn.exceptions.NotFittedError
            If the pooling has something to learn and is not fitted.
        """
        X, vectors = _rows.check(X, vectors)
        for name, axis in self._axes.items():
            _check_learned(self, name, axis, vectors.shape[axis])
        n_columns = n_parts(self) * vectors.shape[1]
        features = np.zeros((X.shape[0], n_columns))
        for rows, documents in _rows.chunks(X, n_columns):
            features[rows] = self._pool(documents, vectors)
        return features

    def _pool(self, documents: Documents, vectors: np.ndarray) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} has to define pool.")


class MeanPooling(Pooling):
    """Mean of the vectors of a document's words, each as often as it occurs.

    Its error is below 1e-5 of the mean absolute value, however long the document.
    """

    def _pool(self, documents, vectors):
        return _rows.means(documents, vectors)


class SumPooling(Pooling):
    """Sum of the vectors of a document's words: their mean times their number."""

    def _pool(self, documents, vectors):
        return _rows.sums(documents, vectors)


class MaxPooling(Pooling):
    """Largest value of every dimension among the words of a document.

    How often a word occurs makes no difference; explicit zeros are left out.
    """

    def _pool(self, documents, vectors):
        return _rows.maxima(documents, vectors)


class MeanMaxPooling(Pooling):
    """Means and maxima side by side: `MeanPooling`, then `MaxPooling`."""

    parts = ("mean", "max")

    def _pool(self, documents, vectors):
        means = _rows.means(documents, vectors)
        return np.hstack([means, _rows.maxima(documents, vectors)])


def n_parts(pooling):
    """Return how many columns a pooling puts out for each column of the vectors.

    Parameters
    ----------
    pooling : object
        A pooling; one without the attribute `parts` has one block.

    Returns
    -------
    int
        Length of `parts`.
    """
    return len(getattr(pooling, "parts", ("",)))


def _check_learned(pooling: Pooling, name: str, axis: int, size: int) -> None:
    # scikit-learn's check takes as long as a document does, so only where it fails.
    if name not in vars(pooling):
        check_is_fitted(pooling, name)
    learned, what = getattr(pooling, name).shape[axis], ("words", "dimensions")[axis]
    if learned != size:
        raise ValueError(
            f"{type(pooling).__name__} was fitted with vectors of {learned} {what}, "
            f"got {size}; pass those of fit."
        )
