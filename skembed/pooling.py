"""Poolings: from the vectors of a document's words to one row of features.

A pooling learns what it needs in `fit`, and `pool` gives every document a row that
depends on this document alone, bit for bit. `Pooling` is the interface, also for
poolings of your own.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skembed import _document_rows
from skembed._document_rows import Documents

__all__ = [
    "POOLINGS",
    "MaxPooling",
    "MeanMaxPooling",
    "MeanPooling",
    "Pooling",
    "SIFPooling",
    "SumPooling",
    "TfidfPooling",
    "USIFPooling",
    "make",
    "n_parts",
]


class Pooling(BaseEstimator):
    """Interface of poolings, and the base of those in this module.

    To write one, derive from this class and define `pool`, and `fit` if there is
    something to learn. An estimator takes any object with these two methods and fits a
    clone. A row that `pool` returns must not depend on the other documents.

    Attributes
    ----------
    parts : tuple of str
        Names of the blocks of columns that `pool` puts out, each as wide as the
        vectors; an attribute of the class.
    """

    parts: tuple[str, ...] = ("",)
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
        X, vectors = _document_rows.check(X, vectors)
        for name, axis in self._axes.items():
            _check_learned(self, name, axis, vectors.shape[axis])
        features = np.zeros((X.shape[0], n_parts(self) * vectors.shape[1]))
        for rows, documents in _document_rows.chunks(X):
            features[rows] = self._pool(documents, vectors)
        return features

    def _pool(self, documents: Documents, vectors: np.ndarray) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} has to define pool.")


class MeanPooling(Pooling):
    """Mean of the vectors of a document's words, each as often as it occurs.

    Its error is below 1e-5 of the mean absolute value, however long the document.
    """

    def _pool(self, documents, vectors):
        return _document_rows.means(documents, vectors)


class SumPooling(Pooling):
    """Sum of the vectors of a document's words: their mean times their number."""

    def _pool(self, documents, vectors):
        return _document_rows.sums(documents, vectors)


class MaxPooling(Pooling):
    """Largest value of every dimension among the words of a document.

    How often a word occurs makes no difference; explicit zeros are left out.
    """

    def _pool(self, documents, vectors):
        return _document_rows.maxima(documents, vectors)


class MeanMaxPooling(Pooling):
    """Means and maxima side by side: `MeanPooling`, then `MaxPooling`."""

    parts = ("mean", "max")

    def _pool(self, documents, vectors):
        means = _document_rows.means(documents, vectors)
        return np.hstack([means, _document_rows.maxima(documents, vectors)])


class _LearningPooling(Pooling):
    """A pooling that learns from documents."""

    def fit(self, X, vectors, sample_weight=None):
        """Learn from the training documents.

        Parameters
        ----------
        X : csr_array of shape (n_documents, n_words)
            As in `pool`.
        vectors : ndarray of shape (n_words, n_features), float32
            Vectors of the words.
        sample_weight : ndarray of shape (n_documents,) or None, default=None
            Weights of the documents, non-negative. A whole number equals repetition.

        Returns
        -------
        self : object
            The fitted pooling.

        Raises
        ------
        ValueError
            If a parameter or weight is not valid, or if shapes do not fit.
        """
        self._validate_params()
        X, vectors = _document_rows.check(X, vectors)
        weights = _document_rows.check_weights(sample_weight, X.shape[0])
        # All at once, so that an error leaves nothing half fitted.
        self.__dict__.update(self._learn(X, vectors, weights))
        return self

    def _learn(self, X: Any, vectors: np.ndarray, weights: np.ndarray) -> dict:
        raise NotImplementedError


class TfidfPooling(_LearningPooling):
    """Mean of the words' vectors, weighted by count times inverse document frequency.

    The weight of a word is ``ln((1 + n) / (1 + df)) + 1``, the smooth inverse document
    frequency of :class:`~sklearn.feature_extraction.text.TfidfTransformer`, where df of
    n training documents hold the word (sums of weights, if `fit` gets weights).

    Attributes
    ----------
    idf_ : ndarray of shape (n_words,), float64
        Weights of the words.
    """

    _axes = {"idf_": 0}

    def _learn(self, X, vectors, weights):
        n_documents = weights.sum()
        frequencies = _document_rows.document_frequencies(X, weights)
        return {"idf_": np.log((1 + n_documents) / (1 + frequencies)) + 1}

    def _pool(self, documents, vectors):
        return _document_rows.means(documents, vectors, self.idf_, by_weight=True)


class _CommonComponents(_LearningPooling):
    """Weighted means, and the removal of what training documents have in common."""

    _parameter_constraints: dict = {
        "n_removed": [Interval(Integral, 0, None, closed="left")]
    }
    _axes = {"word_weights_": 0, "components_": 1}

    def _learn(self, X, vectors, weights):
        learned = self._weigh(*_document_rows.count(X, weights))
        squares, components = _document_rows.common_components(
            X, vectors, learned["word_weights_"], weights, self.n_removed
        )
        learned["components_"] = components
        learned["component_weights_"] = self._share(squares)
        return learned

    def _weigh(self, counts: np.ndarray, mean_length: float) -> dict:
        raise NotImplementedError

    def _share(self, squares: np.ndarray) -> np.ndarray:
        return np.ones_like(squares)

    def _pool(self, documents, vectors):
        means = _document_rows.means(documents, vectors, self.word_weights_)
        return _document_rows.without(means, self.components_, self.component_weights_)


class SIFPooling(_CommonComponents):
    """Smooth inverse frequency: rare words weigh more, the common component is removed.

    Algorithm 1 of [1]_: the vectors of a document's words, times ``a / (a + p(w))``
    (equation 3), are added up and divided by the number of words; then the projection
    on the first singular vector of the training documents' rows is subtracted. In the
    paper this vector comes from the sentences to be embedded; here `fit` learns it,
    and the words' probabilities p(w).

    Parameters
    ----------
    a : float, default=1e-3
        Probability at which a word has weight 1/2.
    n_removed : int, default=1
        Number of singular vectors that are removed; fewer if there are not as many.

    Attributes
    ----------
    word_weights_ : ndarray of shape (n_words,), float64
        Weights of the words; 1 for a word that no training document holds.
    components_ : ndarray of shape (at most n_removed, n_features), float64
        Singular vectors, the largest singular value first; not centred.
    component_weights_ : ndarray of shape (at most n_removed,), float64
        Part of each projection that is removed: 1.

    References
    ----------
    .. [1] Arora, S., Liang, Y. & Ma, T. (2017). A simple but tough-to-beat baseline for
       sentence embeddings. ICLR.
    """

    _parameter_constraints: dict = {
        "a": [Interval(Real, 0, None, closed="neither")],
        **_CommonComponents._parameter_constraints,
    }

    def __init__(self, a=1e-3, n_removed=1):
        self.a = a
        self.n_removed = n_removed

    def _weigh(self, counts, mean_length):
        return {"word_weights_": self.a / (self.a + _document_rows.normalised(counts))}


class USIFPooling(_CommonComponents):
    """Unsupervised smooth inverse frequency: as `SIFPooling`, with nothing to tune.

    As in [1]_, the weight of a word is ``a / (a / 2 + p(w))`` with
    ``a = (1 - alpha) / (alpha * Z)`` and ``Z = |V| / 2``. alpha is the share of the
    words V with ``p(w) > 1 - (1 - 1 / |V|) ** n``, the probability that a random walk
    of n steps meets a word; n is the mean length of a document. The mean over the
    document's words then loses its projections on the first m singular vectors of the
    training documents' rows, each times ``s_i ** 2 / (s_1 ** 2 + ... + s_m ** 2)`` with
    the singular values s ("piecewise common component removal").

    V is the set of words that the training documents hold, and n (at least 1) their
    mean length without those that are empty; the author's program takes a word list
    and n = 11. If alpha is 0, a is infinite and all words weigh the same. The program
    takes the singular vectors of the sentences to be embedded, and first divides each
    dimension by its norm over the words of a sentence: left out, as it is not defined
    for a dimension of zeros, and makes of a single word's vector its signs.

    Parameters
    ----------
    n_removed : int, default=5
        Number of singular vectors m; fewer if there are not as many.

    Attributes
    ----------
    a_ : float
        The number a, may be infinite.
    word_weights_ : ndarray of shape (n_words,), float64
        Weights of the words; 2 for a word that no training document holds.
    components_ : ndarray of shape (at most n_removed, n_features), float64
        As in `SIFPooling`.
    component_weights_ : ndarray of shape (at most n_removed,), float64
        Part of each projection that is removed; their sum is 1.

    References
    ----------
    .. [1] Ethayarajh, K. (2018). Unsupervised random walk sentence embeddings: a strong
       but simple baseline. Third Workshop on Representation Learning for NLP, 91-100.
    """

    def __init__(self, n_removed=5):
        self.n_removed = n_removed

    def _weigh(self, counts, mean_length):
        probabilities = _document_rows.normalised(counts)
        n_words = max(1, int(np.count_nonzero(counts)))
        threshold = 1 - (1 - 1 / n_words) ** max(1.0, mean_length)
        # Equal probabilities must not pass because of a rounding error.
        alpha = np.count_nonzero(probabilities > threshold * (1 + 1e-9)) / n_words
        a = (1 - alpha) / (alpha * n_words / 2) if alpha else np.inf
        return {"a_": float(a), "word_weights_": 1 / (0.5 + probabilities / a)}

    def _share(self, squares):
        return _document_rows.normalised(squares)


POOLINGS: dict[str, type] = {
    "mean": MeanPooling,
    "max": MaxPooling,
    "sum": SumPooling,
    "mean_max": MeanMaxPooling,
    "tfidf": TfidfPooling,
    "sif": SIFPooling,
    "usif": USIFPooling,
}


def make(pooling):
    """Return a new, unfitted pooling.

    Parameters
    ----------
    pooling : str or object
        A name from `POOLINGS`, or an object with `fit` and `pool`, which is cloned.

    Returns
    -------
    object
        The pooling.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(pooling, str) and pooling in POOLINGS:
        return POOLINGS[pooling]()
    methods = [getattr(pooling, name, None) for name in ("fit", "pool")]
    if all(map(callable, methods)) and not isinstance(pooling, type):
        return clone(pooling, safe=False)
    raise ValueError(
        f"pooling must be one of {list(POOLINGS)} or an object with the methods fit "
        f"and pool (see skembed.pooling.Pooling), got {pooling!r}."
    )


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
