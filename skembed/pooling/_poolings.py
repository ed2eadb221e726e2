"""The interface of poolings, and the built-in poolings."""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skembed.pooling import _rows
from skembed.pooling._rows import Documents

# Adds up results over documents, see `_LearningPooling._fit`.
AddUp = Callable[..., Any]


class Pooling(BaseEstimator):
    """Interface of poolings, and the base of those in this module.

    To write a pooling, derive from this class and define `pool`. Define `fit` if there
    is something to learn, and `partial_fit` if estimators should be able to continue
    learning. An estimator takes any object with the methods `fit` and `pool`, and fits
    a clone. A row that `pool` returns must not depend on the other documents.

    Attributes
    ----------
    parts : tuple of str
        Names of the blocks of columns that `pool` returns. Each block is as wide as
        the vectors. It is an attribute of the class, or a property if it depends on
        parameters.
    """

    parts: Sequence[str] = ("",)
    _parameter_constraints: dict = {}
    # Learned attributes, and which of their axes is as long as that of the vectors.
    _axes: dict[str, int] = {}

    def fit(self, X, vectors, sample_weight=None):
        """Learn from the training documents. This base class learns nothing.

        Parameters
        ----------
        X : csr_array of shape (n_documents, n_words)
            How often each word occurs, non-negative. A word may have several entries
            in a row, in any order. They are added up.
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
            Vectors of the words, the same as in `fit`.

        Returns
        -------
        ndarray of shape (n_documents, len(parts) * n_features), float64
            Features; zeros for a document without words.

        Raises
        ------
        ValueError
            If X is not in CSR format, or does not match the vectors.
        sklearn.exceptions.NotFittedError
            If the pooling has something to learn and is not fitted.
        """
        X, vectors = _rows.check(X, vectors)
        self._check_fitted(vectors)
        n_columns = n_parts(self) * vectors.shape[1]
        features = np.zeros((X.shape[0], n_columns))
        for rows, documents in _rows.chunks(X, n_columns):
            features[rows] = self._pool(documents, vectors)
        return features

    def _check_fitted(self, vectors: np.ndarray) -> None:
        """Check that what was learned belongs to vectors of this shape."""
        for name, axis in self._axes.items():
            # scikit-learn's check is slow, so it is called only if it will fail.
            if name not in vars(self):
                check_is_fitted(self, name)
            learned, size = getattr(self, name).shape[axis], vectors.shape[axis]
            if learned != size:
                what = ("words", "dimensions")[axis]
                raise ValueError(
                    f"{type(self).__name__} was fitted with vectors of {learned} "
                    f"{what}, got {size}; pass those of fit."
                )

    def _pool_documents(self, documents: Documents, vectors: np.ndarray) -> np.ndarray:
        """Pool a few documents whose words are known to have vectors."""
        self._check_fitted(vectors)
        return self._pool(documents, vectors)

    def _pool(self, documents: Documents, vectors: np.ndarray) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} has to define pool.")


class MeanPooling(Pooling):
    """Mean of the vectors of a document's words, weighted by their counts.

    For documents of any length, the error is below 1e-5 of the mean absolute value.
    """

    def _pool(self, documents, vectors):
        return _rows.means(documents, vectors)


class SumPooling(Pooling):
    """Sum of the vectors of a document's words, weighted by their counts."""

    def _pool(self, documents, vectors):
        return _rows.sums(documents, vectors)


class MaxPooling(Pooling):
    """Maximum of each dimension over the words of a document.

    The number of occurrences makes no difference. Explicit zeros are ignored.
    """

    def _pool(self, documents, vectors):
        return _rows.maxima(documents, vectors)


class MeanMaxPooling(Pooling):
    """Means and maxima, concatenated: `MeanPooling`, then `MaxPooling`."""

    parts = ("mean", "max")

    def _pool(self, documents, vectors):
        means = _rows.means(documents, vectors)
        return np.hstack([means, _rows.maxima(documents, vectors)])


def _checked(X: Any, vectors: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    X, vectors = _rows.check(X, vectors)
    return X, vectors, _rows.check_weights(sample_weight, X.shape[0])


def _local_sums(
    X: Any, vectors: np.ndarray, weights: np.ndarray
) -> tuple[AddUp, np.ndarray]:
    """Return a function that adds up over documents of this process, and vectors."""
    return (lambda function, *args: function(X, weights, *args)), vectors


class _LearningPooling(Pooling):
    """A pooling that learns from documents.

    `_learn` computes what it learns from sums over the documents, `_sums`. The sums of
    further documents are added to these.
    """

    # Learned attributes that are sums over documents: arrays per word, or numbers.
    _sums: tuple[str, ...] = ()

    def _memory(self, n_words: int, n_features: int, n_sums: int) -> float:
        """Return the memory of `fit` in bytes, beside documents and vectors.

        Parameters
        ----------
        n_words, n_features : int
            Shape of the vectors.
        n_sums : int
            The most sums over parts of the documents that exist at a time.
        """
        return 8.0 * n_sums * n_words

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
            If a parameter or weight is not valid, or if shapes do not match.
        """
        return self._fit(*_local_sums(*_checked(X, vectors, sample_weight)))

    def partial_fit(self, X, vectors, sample_weight=None):
        """Continue learning from further documents.

        Parameters
        ----------
        X : csr_array of shape (n_documents, n_words)
            As in `fit`. New words come after the words of earlier documents.
        vectors : ndarray of shape (n_words, n_features), float32
            Vectors of the words.
        sample_weight : ndarray of shape (n_documents,) or None, default=None
            As in `fit`.

        Returns
        -------
        self : object
            The fitted pooling.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        checked = _checked(X, vectors, sample_weight)
        return self._fit(*_local_sums(*checked), resumes=True)

    def _fit(
        self, add_up: AddUp, vectors: np.ndarray, resumes: bool = False
    ) -> "_LearningPooling":
        """Learn from documents that are known to be valid.

        Parameters
        ----------
        add_up : callable
            ``add_up(function, *args)`` returns the sum of
            ``function(X, weights, *args)`` over all parts of the documents: an array,
            or a dict of arrays and numbers. The documents may be in other processes.
        vectors : ndarray of shape (n_words, n_features), float32
        resumes : bool, default=False
            Whether these are further documents.
        """
        self._validate_params()
        earlier = dict(vars(self)) if resumes else {}
        sums = add_up(self._add_up)
        for name in earlier.keys() & sums.keys():
            before = earlier[name]
            missing = np.size(sums[name]) - np.size(before)
            sums[name] += np.pad(before, (0, missing)) if missing else before
        learned = self._learn(add_up, vectors, sums, earlier)
        # In one step, so that an error leaves nothing half fitted.
        self.__dict__.update(sums, **learned)
        return self

    @staticmethod
    def _add_up(X: Any, weights: np.ndarray) -> dict[str, Any]:
        raise NotImplementedError

    def _learn(
        self,
        add_up: AddUp,
        vectors: np.ndarray,
        sums: dict[str, Any],
        earlier: dict[str, Any],
    ) -> dict[str, Any]:
        """Return the attributes learned from the sums and, if any, from `earlier`."""
        raise NotImplementedError


class _DocumentFrequencies(_LearningPooling):
    """Learns the smooth inverse document frequency of words."""

    _axes = {"idf_": 0}
    _sums = ("n_documents_", "document_frequencies_")

    @staticmethod
    def _add_up(X, weights):
        frequencies = _rows.document_frequencies(X, weights)
        return {
            "n_documents_": float(weights.sum()),
            "document_frequencies_": frequencies,
        }

    def _learn(self, add_up, vectors, sums, earlier):
        n_documents, frequencies = (sums[name] for name in self._sums)
        return {"idf_": np.log((1 + n_documents) / (1 + frequencies)) + 1}


class TfidfPooling(_DocumentFrequencies):
    """Mean of the words' vectors, weighted by count times inverse document frequency.

    The weight of a word is ``ln((1 + n) / (1 + df)) + 1``, the smooth inverse document
    frequency of :class:`~sklearn.feature_extraction.text.TfidfTransformer`. Here df of
    the n training documents contain the word. If `fit` gets weights, n and df are sums
    of weights.

    Attributes
    ----------
    idf_ : ndarray of shape (n_words,), float64
        Weights of the words.
    n_documents_ : float
        Number n of the training documents.
    document_frequencies_ : ndarray of shape (n_words,), float64
        Number of training documents that contain each word.
    """

    def _pool(self, documents, vectors):
        return _rows.means(documents, vectors, self.idf_, by_weight=True)


class TopicalPooling(_DocumentFrequencies):
    """Words' vectors plus what documents with the word have in common; dampened tf-idf.

    Context windows tell little about the topic of a document. Therefore, `fit` learns a
    second vector for each word from the training documents. First, each document is the
    mean of its words' vectors, weighted by 1 + ln n for a word that occurs n times,
    times the word's inverse document frequency (as in `TfidfPooling`). These means are
    centred and divided by their lengths. The second vector of a word is then their sum
    over all documents with the word, each times 1 + ln n, divided by the square root of
    the number of these documents. If the documents of a word have nothing in common,
    the expected length of this vector does not depend on how frequent the word is.
    Finally, all second vectors are multiplied by the same number: the root mean square
    of their lengths is `weight` times that of the words' vectors.

    A row of features is the mean of the sums of both vectors, with the same weights.
    The second vectors have no effect on the words' vectors themselves. They need as
    much memory as these.

    Parameters
    ----------
    weight : float, default=1.0
        Size of the second vectors. With 0, only the words' vectors are used.

    Attributes
    ----------
    document_vectors_ : ndarray of shape (n_words, n_features), float32
        Second vectors of the words. They are zeros for a word that occurs in no
        training document and for a word whose vector is zeros. After `partial_fit`,
        they come from the last documents only.
    idf_ : ndarray of shape (n_words,), float64
        Inverse document frequencies of the words.
    n_documents_ : float
        Number of the training documents.
    document_frequencies_ : ndarray of shape (n_words,), float64
        Number of training documents that contain each word.
    """

    _parameter_constraints: dict = {"weight": [Interval(Real, 0, None, closed="left")]}
    _axes = {"idf_": 0, "document_vectors_": 0}

    def __init__(self, weight=1.0):
        self.weight = weight

    def _memory(self, n_words, n_features, n_sums):
        # Sums of directions, or one of them and the arrays that are made of it.
        of_sums = super()._memory(n_words, n_features, n_sums)
        return of_sums + 8.0 * max(3.5, n_sums) * n_words * n_features

    def _learn(self, add_up, vectors, sums, earlier):
        learned = super()._learn(add_up, vectors, sums, earlier)
        means = add_up(_rows.mean_sums, vectors, learned["idf_"])
        centre = means["sums"] / (means["weight"] or 1.0)
        found = add_up(_rows.direction_sums, vectors, learned["idf_"], centre)
        ours = _rows.topical_vectors(vectors, found["sums"], found["weights"])
        with np.errstate(over="ignore"):
            ours = (self.weight * ours).astype(np.float32)
        if not np.isfinite(ours).all():
            raise ValueError(
                f"weight={self.weight} of TopicalPooling is too large for vectors in "
                "float32; pass a smaller number."
            )
        return {**learned, "document_vectors_": ours}

    def _pool(self, documents, vectors):
        documents = _rows.sublinear(documents)
        tables = vectors, self.document_vectors_
        # The sum of both tables would take longer for a single document.
        first, second = (
            _rows.means(documents, table, self.idf_, by_weight=True) for table in tables
        )
        return first + second


class VLADPooling(_DocumentFrequencies):
    """Vectors of locally aggregated descriptors: one block of columns for each cluster.

    The method is that of [1]_, applied to word vectors as in [2]_. `fit` clusters the
    vectors of the vocabulary by k-means. For each cluster, the features of a document
    are the sum of the differences between the vectors of its words and the cluster's
    centre. Each distinct word of the document counts once, with a weight. The weight is
    its inverse document frequency (as in `TfidfPooling`) times 1 + ln n if the word
    occurs n times. (If n is below 1, as in a matrix of weights, the factor is n.) Each
    feature is replaced by the square root of its absolute value, with the sign kept,
    and rows are scaled to length 1. Sublinear counts and idf come from text
    classification. They are not part of the papers. Words whose vectors are zeros are
    ignored.

    There are `n_clusters` times as many columns as dimensions. For 100 dimensions these
    are 1,000 columns, which take 4 kB per document in float32, or 200 MB for 50,000
    documents.

    Parameters
    ----------
    n_clusters : int, default=10
        Number of clusters. There is at most one cluster for every ten words. The
        columns of the remaining clusters are zeros.
    random_state : int or None, default=0
        Seed of the k-means clustering. None draws a new one for every fit. The
        `random_state` of an estimator does not affect the clustering.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features), float64
        Centres of the clusters. After `partial_fit`, they are those of the first fit.
        If a centre is repeated, the repetitions have no words.
    labels_ : ndarray of shape (n_words,), int32
        Cluster of each word: the one with the nearest centre.
    idf_ : ndarray of shape (n_words,), float64
        Inverse document frequencies of the words.
    n_documents_ : float
        Number of the training documents.
    document_frequencies_ : ndarray of shape (n_words,), float64
        Number of training documents that contain each word.

    References
    ----------
    .. [1] Jégou, H., Douze, M., Schmid, C. & Pérez, P. (2010). Aggregating local
       descriptors into a compact image representation. CVPR, 3304-3311.
    .. [2] Ionescu, R. T. & Butnaru, A. (2019). Vector of locally-aggregated word
       embeddings (VLAWE): a novel document-level representation. NAACL, 363-369.
    """

    _parameter_constraints: dict = {
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both"), None],
    }
    _axes = {"idf_": 0, "labels_": 0, "cluster_centers_": 1}

    def __init__(self, n_clusters=10, random_state=0):
        self.n_clusters = n_clusters
        self.random_state = random_state

    @property
    def parts(self):  # type: ignore[override]
        """Names of the blocks of columns, one for each cluster."""
        centres = getattr(self, "cluster_centers_", ())
        return tuple(f"cluster{i}_" for i in range(len(centres) or self.n_clusters))

    def _memory(self, n_words, n_features, n_sums):
        of_sums = super()._memory(n_words, n_features, n_sums)
        return max(of_sums, _rows.clustering_memory(n_words, n_features))

    def _learn(self, add_up, vectors, sums, earlier):
        learned = super()._learn(add_up, vectors, sums, earlier)
        centres = earlier.get("cluster_centers_")
        if centres is None:
            centres = _rows.find_centres(vectors, self.n_clusters, self.random_state)
        learned["cluster_centers_"] = centres
        learned["labels_"] = _rows.nearest_centres(vectors, centres)
        return learned

    def _pool(self, documents, vectors):
        sums = _rows.residual_sums(
            documents, vectors, self.cluster_centers_, self.labels_, self.idf_
        )
        return _rows.signed_roots(sums)


class _CommonComponents(_LearningPooling):
    """Weighted means without the common components of the training documents."""

    _parameter_constraints: dict = {
        "n_removed": [Interval(Integral, 0, None, closed="left")]
    }
    _axes = {"word_weights_": 0, "components_": 1}
    _sums = ("word_counts_", "n_documents_")

    @staticmethod
    def _add_up(X, weights):
        counts, n_documents = _rows.count(X, weights)
        return {"word_counts_": counts, "n_documents_": n_documents}

    def _learn(self, add_up, vectors, sums, earlier):
        learned = self._weigh(*(sums[name] for name in self._sums))
        n_features = vectors.shape[1]
        gram = np.zeros((n_features, n_features))
        if self.n_removed:
            gram = add_up(_rows.gram, vectors, learned["word_weights_"])
        squares, components = _rows.common_components(gram, self.n_removed)
        learned["components_"] = components
        learned["component_weights_"] = self._share(squares)
        return learned

    def _weigh(self, counts: np.ndarray, n_documents: float) -> dict:
        raise NotImplementedError

    def _share(self, squares: np.ndarray) -> np.ndarray:
        return np.ones_like(squares)

    def _pool(self, documents, vectors):
        means = _rows.means(documents, vectors, self.word_weights_)
        return _rows.without(means, self.components_, self.component_weights_)


class SIFPooling(_CommonComponents):
    """Smooth inverse frequency: rare words weigh more, the common component is removed.

    This is algorithm 1 of [1]_. The vectors of a document's words are multiplied by
    ``a / (a + p(w))`` (equation 3), added up and divided by the number of words. Then
    the projection on the first singular vector of the training documents' rows is
    subtracted. In the paper, this vector is computed from the sentences that are
    embedded. Here, `fit` learns it from the training documents, together with the
    probabilities p(w) of the words.

    Parameters
    ----------
    a : float, default=1e-3
        A word of this probability has weight 1/2.
    n_removed : int, default=1
        Number of singular vectors that are removed, or all if there are fewer.

    Attributes
    ----------
    word_weights_ : ndarray of shape (n_words,), float64
        Weights of the words. Words that occur in no training document have weight 1.
    components_ : ndarray of shape (at most n_removed, n_features), float64
        Singular vectors of the rows, which are not centred, in descending order of
        the singular values. After `partial_fit`, they are those of the last documents.
    component_weights_ : ndarray of shape (at most n_removed,), float64
        Share of each projection that is removed: 1.
    word_counts_ : ndarray of shape (n_words,), float64
        Number of occurrences of each word in the training documents.
    n_documents_ : float
        Number of training documents that are not empty.

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

    def _weigh(self, counts, n_documents):
        return {"word_weights_": self.a / (self.a + _rows.normalised(counts))}


class USIFPooling(_CommonComponents):
    """Unsupervised smooth inverse frequency: like `SIFPooling`, with nothing to tune.

    As in [1]_, the weight of a word is ``a / (a / 2 + p(w))`` with
    ``a = (1 - alpha) / (alpha * Z)`` and ``Z = |V| / 2``. alpha is the share of the
    words V with ``p(w) > 1 - (1 - 1 / |V|) ** n``, the probability that a random walk
    of n steps visits a word. n is the mean length of a document. From the weighted mean
    of a document's words, its projections on the first m singular vectors of the
    training documents' rows are subtracted. Each is multiplied by
    ``s_i ** 2 / (s_1 ** 2 + ... + s_m ** 2)`` with the singular values s ("piecewise
    common component removal").

    V is the set of words that occur in the training documents. n (at least 1) is the
    mean length of the documents that are not empty. If alpha is 0, a is infinite and
    all words weigh the same. The author's program differs: it takes V from a word list,
    sets n to 11, and computes the singular vectors of the sentences that are embedded.
    It also divides each dimension by its norm over the words of a sentence. This step
    is left out here: it is not defined for a dimension of zeros, and would reduce the
    vector of a single word to its signs.

    Parameters
    ----------
    n_removed : int, default=5
        Number m of singular vectors, or all if there are fewer.

    Attributes
    ----------
    a_ : float
        The number a. It may be infinite.
    word_weights_ : ndarray of shape (n_words,), float64
        Weights of the words. Words that occur in no training document have weight 2.
    components_ : ndarray of shape (at most n_removed, n_features), float64
        As in `SIFPooling`.
    component_weights_ : ndarray of shape (at most n_removed,), float64
        Share of each projection that is removed. The sum of the shares is 1.
    word_counts_ : ndarray of shape (n_words,), float64
        As in `SIFPooling`.
    n_documents_ : float
        As in `SIFPooling`.

    References
    ----------
    .. [1] Ethayarajh, K. (2018). Unsupervised random walk sentence embeddings: a strong
       but simple baseline. Third Workshop on Representation Learning for NLP, 91-100.
    """

    def __init__(self, n_removed=5):
        self.n_removed = n_removed

    def _weigh(self, counts, n_documents):
        mean_length = counts.sum() / n_documents if n_documents else 0.0
        probabilities = _rows.normalised(counts)
        n_words = max(1, int(np.count_nonzero(counts)))
        threshold = 1 - (1 - 1 / n_words) ** max(1.0, mean_length)
        # A rounding error must not make equal probabilities exceed the threshold.
        alpha = np.count_nonzero(probabilities > threshold * (1 + 1e-9)) / n_words
        a = (1 - alpha) / (alpha * n_words / 2) if alpha else np.inf
        return {"a_": float(a), "word_weights_": 1 / (0.5 + probabilities / a)}

    def _share(self, squares):
        return _rows.normalised(squares)


def n_parts(pooling):
    """Return how many columns a pooling returns for each column of the vectors.

    Parameters
    ----------
    pooling : object
        A pooling. Without the attribute `parts`, it has one block.

    Returns
    -------
    int
        Length of `parts`.
    """
    return len(getattr(pooling, "parts", ("",)))


POOLINGS: dict[str, type] = {
    "mean": MeanPooling,
    "max": MaxPooling,
    "sum": SumPooling,
    "mean_max": MeanMaxPooling,
    "tfidf": TfidfPooling,
    "sif": SIFPooling,
    "usif": USIFPooling,
    "topical": TopicalPooling,
    "vlad": VLADPooling,
}


def make(pooling):
    """Return a new, unfitted pooling.

    Parameters
    ----------
    pooling : str or object
        A name from `POOLINGS`, or an object with `fit` and `pool`. Objects are cloned.

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
