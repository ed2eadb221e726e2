"""Features of text that combine tf-idf and word vectors, and weights of words."""

from numbers import Real

import numpy as np
from scipy import sparse
from scipy.special import rel_entr
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    _fit_context,
    clone,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    check_non_negative,
    validate_data,
)

from skembed._corpus.validation import (
    check_tokens,
    check_weights,
    checked,
    describe,
    is_matrix,
    is_missing_column,
)
from skembed._ppmi_svd import PPMISVDEmbedder
from skembed.pooling._features import moments_of

__all__ = ["KLWeighter", "TextUnion"]

_CHECKS = {"accept_sparse": "csr", "dtype": (np.float64, np.float32)}
_TRANSFORMER = [HasMethods(["fit", "transform"]), None]


class TextUnion(TransformerMixin, BaseEstimator):
    """Concatenate tf-idf of words and pairs of words with the features of an embedder.

    A row of tf-idf has norm 1. The features of the embedder are centred and multiplied
    by one number, such that their rows have a root mean square norm of `weight` over
    the training documents. The result is a sparse matrix.

    Parameters
    ----------
    embedder : transformer, default=None
        Turns documents into dense features: an embedder, or another transformer of
        text. A clone is fitted. None means ``PPMISVDEmbedder()``. To set or to search
        parameters, for example `random_state`, pass an embedder.
    vectorizer : transformer, default=None
        Turns documents into a sparse matrix. A clone is fitted. None means
        ``TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)``.
    weight : float, default=0.5
        Root mean square norm of the embedder's part of a row. With 0, only tf-idf
        has an effect.

    Attributes
    ----------
    embedder_ : transformer
        The fitted embedder.
    vectorizer_ : transformer
        The fitted vectorizer. After a fit on tokenised documents its `tokenizer` is a
        function that returns the tokens of a document.
    mean_ : ndarray of shape (n_embedder_features,), float64
        The mean that is subtracted from the embedder's features.
    multiplier_ : float
        The factor by which the centred features are multiplied.

    See Also
    --------
    sklearn.pipeline.FeatureUnion : Concatenates the features of any transformers.

    Notes
    -----
    A document without known words has no entries in the embedder's part. Such
    documents do not contribute to `mean_` and `multiplier_`. The length of the
    embedder's features makes no difference, but standardised columns do.

    In a pipeline with a classifier, both parts are fitted on the labelled documents
    only. If there are further documents without labels, fit the union on all of them,
    and the classifier on the features of those with labels.

    Examples
    --------
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.features import TextUnion
    >>> documents = ["one two three", "two three four"] * 10
    >>> union = TextUnion(PPMISVDEmbedder(n_components=2, random_state=0))
    >>> union.fit_transform(documents).shape
    (20, 9)
    """

    _parameter_constraints: dict = {
        "embedder": _TRANSFORMER,
        "vectorizer": _TRANSFORMER,
        "weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, embedder=None, *, vectorizer=None, weight=0.5):
        self.embedder = embedder
        self.vectorizer = vectorizer
        self.weight = weight

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the vocabulary, the vectors and the scale of their features.

        Parameters
        ----------
        X : iterable of documents
            Raw documents (str) or tokenised documents (lists, tuples or 1-D arrays of
            str). They come as a list, an array, a Series, a one-column frame or a
            generator (consumed once).
        y : array-like of shape (n_documents,), default=None
            Passed to both transformers; `TfidfVectorizer` and embedders ignore it.
        sample_weight : array-like of shape (n_documents,), default=None
            Passed to the embedder, and used for the scale of its features. The
            vectorizer counts each document once.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a parameter or a document is not valid, or if no word is left to learn
            from. The default vectorizer needs terms that occur in two documents.
        """
        self._fit(X, y, sample_weight)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit, and return the features of the same documents.

        Parameters
        ----------
        X : iterable of documents
            As in `fit`.
        y : array-like of shape (n_documents,), default=None
            As in `fit`.
        sample_weight : array-like of shape (n_documents,), default=None
            As in `fit`.

        Returns
        -------
        csr_matrix of shape (n_documents, n_features)
            The same as ``fit(X).transform(X)``, bit for bit, if this holds for the two
            transformers. For a given `TfidfVectorizer` the last digit may differ.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        return self._join(*self._fit(X, y, sample_weight))

    def transform(self, X):
        """Return the features of documents.

        Parameters
        ----------
        X : iterable of documents
            Documents as in `fit`: raw or tokenised, whichever `fit` was given.

        Returns
        -------
        csr_matrix of shape (n_documents, n_features)
            The columns of the vectorizer, then those of the embedder. Their type is
            the wider one of the two, float64 by default.

        Raises
        ------
        ValueError
            If a document is not valid, or if the documents are tokenised and those in
            `fit` were not, or vice versa.
        """
        check_is_fitted(self)
        documents = _listed(X, self.embedder_)
        self._check_kind(documents)
        vectors = _dense(self.embedder_.transform(documents), self.embedder_)
        return self._join(self.vectorizer_.transform(documents), vectors)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str objects
            Those of the vectorizer with the prefix ``vectorizer__``, then those of
            the embedder with the prefix ``embedder__``.
        """
        check_is_fitted(self)
        parts = {"vectorizer": self.vectorizer_, "embedder": self.embedder_}
        return np.asarray(
            [
                f"{part}__{name}"
                for part, fitted in parts.items()
                for name in fitted.get_feature_names_out()
            ],
            dtype=object,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _fit(self, X, y, sample_weight):
        """Fit, and return what the two transformers make of the documents."""
        vectorizer, embedder = self._clones()
        documents = _listed(X, embedder)
        tokenised = _are_tokenised(documents)
        if tokenised:
            _take_tokens(vectorizer)
        weights = {}
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, len(documents))
            weights["sample_weight"] = sample_weight
        words = _fit_vectorizer(vectorizer, documents, y)
        vectors = _dense(_fit_transform(embedder, documents, y, **weights), embedder)
        mean, factor = _centre_and_scale(vectors, sample_weight)
        self.vectorizer_, self.embedder_ = vectorizer, embedder
        self.mean_, self.multiplier_ = mean, float(factor * self.weight)
        self._tokenised = tokenised
        return words, vectors

    def _clones(self):
        vectorizer, embedder = self.vectorizer, self.embedder
        if vectorizer is None:
            vectorizer = _TfidfVectorizer(
                ngram_range=(1, 2), min_df=2, sublinear_tf=True
            )
        if embedder is None:
            embedder = PPMISVDEmbedder()
        return clone(vectorizer), clone(embedder)

    def _check_kind(self, documents):
        # Missing documents have no kind, they are empty str.
        tokenised = _are_tokenised(documents)
        if tokenised != self._tokenised and (tokenised or any(documents)):
            kinds = "raw documents (str)", "tokenised documents (lists of str)"
            raise ValueError(
                f"{type(self).__name__} was fitted on {kinds[self._tokenised]}, and "
                f"got {kinds[tokenised]}. Pass the same kind."
            )

    def _join(self, words, vectors):
        known = vectors.any(axis=1, keepdims=True)
        scaled = np.where(known, (vectors - self.mean_) * self.multiplier_, 0.0)
        # `hstack` returns an array if one of its blocks is one, else a matrix.
        dense = sparse.csr_matrix(scaled.astype(vectors.dtype, copy=False))
        return sparse.hstack([words, dense], format="csr")


class KLWeighter(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Multiply words by how much they say about the class of a document.

    The weight of a word is the square root of the Kullback-Leibler divergence
    ``KL(p(class | word) || p(class))``. The first probability is estimated from the
    documents that contain the word, and from `smoothing` additional documents, whose
    classes are distributed like those of all documents. All weights are multiplied by
    one factor, so that the mean squared norm of the training rows does not change.

    Parameters
    ----------
    smoothing : float, default=10
        Number of additional documents for each word. A word that occurs in few
        documents gets a small weight, and a word that occurs in none gets 0.

    Attributes
    ----------
    weights_ : ndarray of shape (n_features,), float64
        The factor of each column.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    n_features_in_ : int
        Number of columns in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,), object
        Their names, if all of them are str.

    See Also
    --------
    sklearn.feature_selection.chi2 : A test of the same dependence, to select words.

    Notes
    -----
    The weights are learned from the labels of the training documents. In a
    cross-validation, they must be learned again in each fold, which a step of a
    pipeline does. If they are learned once on all documents, the labels of the
    validation documents leak into the features, and the score is too high.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skembed.features import KLWeighter
    >>> documents, labels = ["good film", "bad film"] * 10, [1, 0] * 10
    >>> weighter = make_pipeline(TfidfVectorizer(), KLWeighter()).fit(documents, labels)
    >>> weighter[-1].weights_.round(1)
    array([1.2, 0. , 1.2])
    """

    _parameter_constraints: dict = {
        "smoothing": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, smoothing=10.0):
        self.smoothing = smoothing

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Learn the weights of the columns.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_documents, n_words)
            Counts or tf-idf, non-negative. An entry other than 0 says that the
            document contains the word.
        y : array-like of shape (n_documents,)
            The class of each document.
        sample_weight : array-like of shape (n_documents,), default=None
            How often each document counts; 2 is the same as the document twice.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If X holds a negative number, or if there is only one class.
        """
        X, y = validate_data(self, X, y, **_CHECKS)
        check_classification_targets(y)
        check_non_negative(X, "KLWeighter (input X)")
        counted = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                "KLWeighter needs documents of at least 2 classes, and y has one "
                f"class: {classes[0]}."
            )
        X = sparse.csr_array(X)
        squared = _divergences(X, codes, counted, self.smoothing)
        norms = X.multiply(X).T @ counted
        kept = norms @ squared
        # Where no column tells classes apart, they all stay as they are.
        factor = norms.sum() / kept if kept > 0.0 else 0.0
        self.weights_ = np.sqrt(factor * squared) if factor else np.ones(X.shape[1])
        self.classes_ = classes
        return self

    def transform(self, X):
        """Multiply the columns by their weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_documents, n_words)
            The columns of `fit`.

        Returns
        -------
        ndarray or CSR matrix of shape (n_documents, n_words)
            As X is, float32 or float64.

        Raises
        ------
        ValueError
            If X has other columns.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, **_CHECKS)
        weights = self.weights_.astype(X.dtype, copy=False)
        if not sparse.issparse(X):
            return X * weights
        X = X.copy()
        X.data *= weights[X.indices]
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _divergences(X, codes, counted, smoothing):
    """Return KL(p(class | word) || p(class)) of each column of a CSR array."""
    of_class = sparse.csr_array((counted, (codes, np.arange(len(codes)))))
    n_documents = (of_class @ (X != 0).astype(np.float64)).toarray()
    shares = (of_class.sum(axis=1) / counted.sum())[:, np.newaxis]
    given_word = (n_documents + smoothing * shares) / (
        n_documents.sum(axis=0) + smoothing
    )
    # Rounding can make a sum slightly negative.
    return np.maximum(rel_entr(given_word, shares).sum(axis=0), 0.0)


class _CountVectorizer(CountVectorizer):
    """Sorts the entries of a row in `fit_transform`, as `transform` does."""

    def fit_transform(self, raw_documents, y=None):
        counts = super().fit_transform(raw_documents, y)
        counts.sort_indices()
        return counts


class _TfidfVectorizer(TfidfVectorizer, _CountVectorizer):
    """Adds up norms in the same order, so that `fit_transform` has the same bits."""


def _listed(X, embedder):
    """Return checked documents as a list of str, or of lists of str."""
    if is_matrix(X) and not is_missing_column(X):
        raise ValueError(
            f"TextUnion takes documents, raw or tokenised, got {describe(X)}. For a "
            "matrix of documents x words, put TfidfTransformer and the embedder into "
            "a FeatureUnion."
        )
    documents = list(checked(X, missing=getattr(embedder, "missing", "error")))
    if not documents:
        raise ValueError("X holds no documents: pass at least one.")
    if _are_tokenised(documents):
        documents = [
            check_tokens(position, list(tokens))
            for position, tokens in enumerate(documents)
        ]
    return documents


def _are_tokenised(documents):
    return not isinstance(documents[0], str)


def _take_tokens(vectorizer):
    """Make a vectorizer of scikit-learn take tokenised documents as they are.

    Another one is left alone, and so is one with an analyzer of the user's.
    """
    params = vectorizer.get_params(deep=False)
    if "tokenizer" not in params or callable(params["analyzer"]):
        return
    if params["analyzer"] != "word":
        raise ValueError(
            f"vectorizer has analyzer={params['analyzer']!r}, which takes raw "
            "documents only, and these are tokenised. Pass raw documents, or a "
            "vectorizer with analyzer='word'."
        )
    vectorizer.set_params(
        tokenizer=_tokens,
        preprocessor=None,
        token_pattern=None,
        lowercase=False,
        strip_accents=None,
    )


def _tokens(document):
    # scikit-learn tokenises stop words, too, to compare them with tokens.
    is_word = isinstance(document, str) and document
    return [document] if is_word else document


def _fit_transform(transformer, documents, y, **weights):
    """Fit a transformer; one that is frozen can only be asked to transform."""
    if hasattr(transformer, "fit_transform"):
        return transformer.fit_transform(documents, y, **weights)
    return transformer.fit(documents, y, **weights).transform(documents)


def _fit_vectorizer(vectorizer, documents, y):
    """Fit the vectorizer; its errors do not say what they are about."""
    try:
        return _fit_transform(vectorizer, documents, y)
    except ValueError as error:
        advice = ""
        min_df = getattr(vectorizer, "min_df", 1)
        if min_df != 1:
            advice = (
                f" With min_df={min_df}, it drops terms of few documents: pass more of "
                "these, or a vectorizer with a lower min_df."
            )
        name, reason = type(vectorizer).__name__.lstrip("_"), str(error).rstrip(".")
        raise ValueError(
            f"The vectorizer ({name}) cannot be fitted on the {len(documents)} "
            f"documents of X: {reason}.{advice}"
        ) from error


def _dense(vectors, embedder):
    """Return an embedder's features as an array, whatever its `set_output` says."""
    if sparse.issparse(vectors):
        raise ValueError(
            f"embedder={embedder!r} puts out a sparse matrix; it must put out a dense "
            "one. Several vectorizers can be joined by FeatureUnion."
        )
    return np.asarray(vectors)


def _centre_and_scale(vectors, sample_weight):
    """Return means, and the factor that gives rows a mean squared norm of 1."""
    if sample_weight is None:
        sample_weight = np.ones(len(vectors))
    found = moments_of(vectors.astype(np.float64), sample_weight)
    if not found.weight:
        return found.means, 1.0
    squared = found.squares.sum() / found.weight
    # Rows that are all alike, but for rounding, are no longer than 0.
    smallest = np.finfo(vectors.dtype).eps ** 2 * np.square(found.means).sum()
    return found.means, 1.0 / np.sqrt(squared) if squared > smallest else 0.0
