"""`BaseEmbedder`: the one way from documents to vectors and back to features."""

from abc import ABCMeta, abstractmethod
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    RealNotInt,
    StrOptions,
)

from skembed import _fit
from skembed import pooling as _pooling
from skembed._corpus import reader
from skembed._corpus.matrix import Columns
from skembed._corpus.vocabulary import Corpus
from skembed._counts.count import PARAMETERS as COUNTING
from skembed._persistence import PersistenceMixin
from skembed._scores import ScoresMixin
from skembed._solvers.job import Fitted, Job
from skembed._solvers.memory import EstimatingMixin
from skembed._utils.compat import CallbackSupportMixin
from skembed.pooling import _features

NORMS = (None, "l2")
DTYPES = ("auto", "float32", "float64", np.float32, np.float64)
# What `negative_dims` may be: a number of dimensions, or a share of them.
NEGATIVE_DIMS = [
    Interval(Integral, 0, None, closed="left"),
    Interval(RealNotInt, 0, 1, closed="both"),
]
# Parameters of all estimators that are trained in epochs.
TRAINING = {
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(RealNotInt, 0, 1, closed="neither"), None],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "init": [object],  # see `_given.check_vectors`
}


class BaseEmbedder(
    CallbackSupportMixin,
    EstimatingMixin,
    PersistenceMixin,
    ScoresMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base class of all embedders; an estimator writes `_fit_vectors` only."""

    # What kind of strategies it can hold, see `_tying`.
    _method: ClassVar[str]
    # Parameters that must stay while fits go on from each other: vectors depend on
    # the first, and counts, if it adds them up, on the second.
    _fixed_by_vectors: ClassVar[tuple[str, ...]] = ()
    _fixed_by_counts: ClassVar[tuple[str, ...]] = ("input",)
    # Epochs of ``max_iter="auto"`` for a large corpus.
    _fewest_epochs: ClassVar[int] = 0
    # Learned attributes that only fits need which go on, see `_persistence`.
    _state: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict] = {
        **COUNTING,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "share_context": ["boolean", str],
        "new_words": [StrOptions({"grow", "freeze"})],
        "input": [StrOptions({"content", "cooccurrence"})],
        "combine": [StrOptions(set(_features.COMBINATIONS))],
        "pooling": [StrOptions(set(_pooling.POOLINGS)), HasMethods(["fit", "pool"])],
        "scale": [StrOptions(set(filter(None, _features.SCALES))), None],
        "norm": [StrOptions({"l2"}), None],  # as in `NORMS` and `DTYPES`
        "dtype": [
            StrOptions({"auto", "float32", "float64"}),
            Options(type, {np.float32, np.float64}),
        ],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "memory": [str, PathLike, HasMethods("cache"), None],
    }

    def __init__(
        self,
        n_components,
        *,
        share_context,
        window,
        window_weighting,
        analyzer,
        lowercase,
        strip_accents,
        stop_words,
        token_pattern,
        min_count,
        max_features,
        vocabulary,
        new_words,
        input,
        missing,
        combine,
        pooling,
        scale,
        norm,
        dtype,
        random_state,
        n_jobs,
        verbose,
        memory,
    ):
        self.n_components = n_components
        self.share_context = share_context
        self.window = window
        self.window_weighting = window_weighting
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.stop_words = stop_words
        self.token_pattern = token_pattern
        self.min_count = min_count
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.new_words = new_words
        self.input = input
        self.missing = missing
        self.combine = combine
        self.pooling = pooling
        self.scale = scale
        self.norm = norm
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.memory = memory

    @abstractmethod
    def _fit_vectors(self, job: Job) -> Fitted:
        """Learn the vectors; the one hook of an estimator."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn word and context vectors from documents.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Raw documents, str, or tokenised ones, lists, tuples or 1-D arrays of str:
            a list, an array, a Series, a one-column frame, a generator (consumed
            once). Or a sparse matrix, an array or a frame of shape
            (n_documents, n_words) with non-negative counts or weights: words co-occur
            that share a document. With ``input="cooccurrence"``: a square matrix of
            non-negative counts, words x contexts.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_documents,), default=None
            How often each document counts; 2 is the same as the document twice.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or a document is not valid, or if no word or no pair of
            words is left to learn from.
        """
        _fit.fit(self, X, y, sample_weight, stacklevel=4)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on learning from further documents.

        One epoch on these documents. For SGNS and CBOW, the learning rate goes on
        where it was, and begins anew after `max_iter` epochs; word counts add up. For
        GloVe and PPMI-SVD, co-occurrence counts add up, exactly, and GloVe makes an
        epoch on all of them, while PPMI-SVD factorises them anew. On an estimator that
        is not fitted, this is the first part of the documents.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `fit`, of the same kind as those before; a matrix with the
            same columns. Of new words, `new_words` says what becomes.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_documents,), default=None
            As in `fit`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As in `fit`; or if a parameter has changed that what was learned before
            depends on. The estimator stays as it was.
        """
        # scikit-learn checks parameters at the first call only.
        self._validate_params()
        _fit.fit(self, X, y, sample_weight, stacklevel=4, adds=True)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, sample_weight=None):
        """Learn the vectors and return the features of the same documents.

        Equal to ``fit(X).transform(X)``, but the documents are tokenised once.

        Parameters
        ----------
        X : iterable of documents, or matrix
            As in `fit`.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_documents,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_documents, n_features)
            Document features, as in `transform`.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        # One level more: scikit-learn wraps this method for `set_output`.
        reading, model = _fit.fit(self, X, y, sample_weight, stacklevel=5)
        return model._pool(reading.corpus, reading.dtype)

    def transform(self, X):
        """Return the features of documents: their words' vectors, pooled.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `fit`; words outside `vocabulary_` are left out. A matrix
            needs the columns of that in `fit` or, after a fit on text, a column for
            each word in the order of `vocabulary_`. After a fit on a matrix, text
            can be passed if its columns have names.

        Returns
        -------
        ndarray of shape (n_documents, n_features)
            Document features, of the type that `dtype` says; zeros for a document
            without known words, or with none but words whose vectors are zeros.

        Raises
        ------
        ValueError
            If a document is not valid.
        """
        model = self._as_fitted()
        return model._pool(*reader.look_up(model, X))

    def coverage(self, X):
        """Return the share of each document's tokens that the vocabulary holds.

        A low share says that a model does not fit the documents: they are of another
        domain or language, or `min_count` is too high. Stop words do not count.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `transform`. For a matrix, the share is the sum of the
            columns of the vocabulary divided by the sum of all columns.

        Returns
        -------
        ndarray of shape (n_documents,), float64
            Between 0 and 1. A document without tokens has a share of 0.

        Raises
        ------
        ValueError
            If a document is not valid.
        """
        return reader.coverage(self._as_fitted(), X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str objects
            The class name in lower case and a number. Between them ``_mean`` or
            ``_max`` with ``pooling="mean_max"``, ``_cluster0_``, ``_cluster1_`` and so
            on with ``pooling="vlad"``, and ``_word`` or ``_context`` with
            ``combine="concat"`` (``_cluster0_word``).
        """
        model = self._as_fitted()
        tables = ("word", "context") if model.combine == "concat" else ("",)
        blocks = [
            "_" + part + table if part or table else ""
            for part in model._parts
            for table in tables
        ]
        prefix = type(self).__name__.lower()
        numbers = range(model.word_vectors_.shape[1])
        return np.asarray(
            [f"{prefix}{block}{i}" for block in blocks for i in numbers], dtype=object
        )

    @property
    def _parts(self) -> tuple[str, ...]:
        return getattr(self.pooling_, "parts", ("",))

    @property
    def _n_features_out(self) -> int:
        n_components = self.word_vectors_.shape[1]
        return _features.n_columns(self.pooling_, self.combine, n_components)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "word_vectors_")

    @property
    def _columns(self) -> Columns | None:
        """What is known of the columns of the matrix in `fit`."""
        if not hasattr(self, "n_features_in_"):
            return None
        names = getattr(self, "feature_names_in_", None)
        words, chosen = self._column_words, self._chosen_columns
        return Columns(self.n_features_in_, names, words, chosen)

    def _pool(self, corpus: Corpus, dtype: Any) -> np.ndarray:
        # They may have been changed since `fit`, which checks them.
        choices = {
            "combine": _features.COMBINATIONS,
            "scale": _features.SCALES,
            "norm": NORMS,
            "dtype": DTYPES,
        }
        for name, values in choices.items():
            if getattr(self, name) not in values:
                raise ValueError(
                    f"{name} must be one of {values}, got {getattr(self, name)!r}."
                )
        tables = self.word_vectors_, self.context_vectors_
        plan = _features.plan_of(self, self.pooling_, tables[0].shape[1], dtype)
        if self.scale is not None:
            plan = plan._replace(scale=_fit.learned_scale(self, plan.n_features))
        return _features.pool(corpus, tables, plan, self.n_jobs)
