"""`DocumentTransformer`: from documents to features by a table of word vectors."""

import warnings
from abc import ABCMeta, abstractmethod
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import HasMethods, Options, StrOptions
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skembed import _dask, _diagram, _fit, _version
from skembed import pooling as _pooling
from skembed._corpus import reader
from skembed._corpus.matrix import Columns
from skembed._corpus.validation import is_collection
from skembed._corpus.vocabulary import Corpus
from skembed._counts.count import PARAMETERS as COUNTING
from skembed._utils.progress import CallbackSupportMixin
from skembed.pooling import _features

_VERSION = "_skembed_version"
NORMS = (None, "l2")
DTYPES = ("auto", "float32", "float64", np.float32, np.float64)
_READING = (
    "analyzer",
    "lowercase",
    "strip_accents",
    "stop_words",
    "token_pattern",
    "missing",
    "n_jobs",
)


class DocumentTransformer(  # type: ignore[call-arg]
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
    # The methods of this class are not wrapped for `set_output`, which would compute
    # what is lazy: they call `_contained`. Derived classes have `set_output`.
    auto_wrap_output_keys=(),
):
    """Base class of all estimators that turn documents into features.

    It looks up the words of documents, and pools and scales their vectors. `_fit` of a
    derived class sets `vocabulary_`, `word_vectors_`, `pooling_`, the attributes of
    `scale` and those of the columns of a matrix.
    """

    vocabulary_: dict[str, int]
    word_vectors_: np.ndarray
    # Which vector represents a word. It is a parameter of estimators that learn two.
    combine = "word"

    _parameter_constraints: ClassVar[dict] = {
        **{name: COUNTING[name] for name in _READING},
        "pooling": [StrOptions(set(_pooling.POOLINGS)), HasMethods(["fit", "pool"])],
        "scale": [StrOptions(set(filter(None, _features.SCALES))), None],
        "norm": [StrOptions(set(filter(None, NORMS))), None],
        "dtype": [
            StrOptions({one for one in DTYPES if isinstance(one, str)}),
            Options(type, {one for one in DTYPES if isinstance(one, type)}),
        ],
        "verbose": ["verbose"],
        "memory": [str, PathLike, HasMethods("cache"), None],
    }

    @abstractmethod
    def _fit(self, X, y, sample_weight, stacklevel, adds=False):
        """Fit, and return what was read.

        Parameters
        ----------
        X, y, sample_weight : object
            As in `fit`.
        stacklevel : int
            Stack level of warnings, from here.
        adds : bool, default=False
            Whether this is a `partial_fit`.

        Returns
        -------
        reading : Reading
            The documents.
        model : DocumentTransformer
            A copy of the estimator, which other fits do not change.
        """

    @property
    def _tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Word vectors and context vectors."""
        # A model without context vectors has word vectors as features only.
        return self.word_vectors_, getattr(self, "context_vectors_", self.word_vectors_)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit, and return the features of the same documents.

        Equal to ``fit(X).transform(X)``, but the documents are tokenised once, unless
        they come as a collection of Dask.

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
        ndarray or dask.array.Array of shape (n_documents, n_features)
            Document features, as in `transform`.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        reading, model = self._fit(X, y, sample_weight, stacklevel=4)
        if is_collection(X):
            return _dask.features(model, X)
        return self._contained(model._pool(reading.corpus, reading.dtype), X)

    def transform(self, X):
        """Return the features of documents: their words' vectors, pooled.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `fit`. Out-of-vocabulary words are dropped. A matrix needs
            the same columns as the matrix in `fit` or, after a fit on text, a column
            for each word in the order of `vocabulary_`. After a fit on a matrix, text
            can be passed if the columns have names. Documents and matrices may also be
            collections of Dask, of which nothing is computed yet.

        Returns
        -------
        ndarray or dask.array.Array of shape (n_documents, n_features)
            Document features of the type `dtype`. A document is a row of zeros if the
            vectors of all its known words are zeros, or if it has no known words. For
            a collection of Dask, the array is lazy: Dask computes it partition by
            partition. With ``set_output(transform="pandas")``, it is a dataframe of
            Dask. Later fits do not change it.

        Raises
        ------
        ValueError
            If a document is not valid. In a collection of Dask, the error is raised
            when the partition is computed, and positions count from its first document.
        """
        model = self._as_fitted()
        if is_collection(X):
            return _dask.features(model, X)
        return self._contained(model._features(X), X)

    def coverage(self, X):
        """Return the share of each document's tokens that the vocabulary holds.

        A low share means that the model does not suit the documents: they come from
        another domain or language, or `min_count` is too high. Stop words are not
        counted.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `transform`. For a matrix, the share is the sum of the
            columns of the vocabulary divided by the sum of all columns.

        Returns
        -------
        ndarray or dask.array.Array of shape (n_documents,), float64
            Between 0 and 1. A document without tokens has a share of 0. The array is
            lazy for a collection of Dask, as in `transform`.

        Raises
        ------
        ValueError
            As in `transform`.
        """
        model = self._as_fitted()
        if is_collection(X):
            return _dask.coverage(model, X)
        return reader.coverage(model, X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str objects
            The class name in lower case, followed by a number. Between the two stand
            ``_mean`` or ``_max`` with ``pooling="mean_max"``, ``_cluster0_``,
            ``_cluster1_`` and so on with ``pooling="vlad"``, and ``_word`` or
            ``_context`` with ``combine="concat"`` (``_cluster0_word``).
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
        rows = getattr(self, "_column_rows", None)
        return Columns(self.n_features_in_, names, words, chosen, rows)

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
        tables = self._tables
        plan = _features.plan_of(self, self.pooling_, tables[0].shape[1], dtype)
        if self.scale is not None:
            plan = plan._replace(scaling=_features.learned_scaling(self, plan))
        return _features.pool(corpus, tables, plan, self.n_jobs)

    def _features(self, X: Any) -> np.ndarray:
        """Return the features of documents in the memory of this process."""
        return self._pool(*reader.look_up(self, X))

    def _contained(self, rows: np.ndarray, X: Any) -> Any:
        """Return features in the container that `set_output` asks for."""
        return _wrap_data_with_container("transform", rows, X, self)

    def _facts(self) -> list[str]:
        """Return what is worth knowing of a fitted estimator, in a few words each."""
        n_words, n_components = self.word_vectors_.shape
        return [
            _diagram.number(n_words, "word"),
            _diagram.number(n_components, "dimension"),
        ]

    @available_if(lambda self: self.__sklearn_is_fitted__())
    def _sk_visual_block_(self):
        # scikit-learn calls it for a diagram, and draws its own box if it is missing.
        model = self._as_fitted()
        facts = model._facts()
        if _fit.SECONDS in vars(model):
            facts.append(f"fitted in {vars(model)[_fit.SECONDS]:.3g} s")
        return _diagram.block(model, facts)

    def _as_fitted(self) -> Any:
        """Return a copy that a fit in another thread leaves as it is.

        All that is read of a model has to come from one copy: a fit may end at any
        moment, and replaces all attributes in one step.
        """
        model = object.__new__(type(self))
        model.__dict__ = vars(self).copy()
        # scikit-learn's check takes a while, so only where it fails.
        if not model.__sklearn_is_fitted__():
            check_is_fitted(model)
        return model

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all attributes, and the package's version."""
        state = {**super().__getstate__(), _VERSION: _version.__version__}
        state.pop(_fit.SECONDS, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        written = state.pop(_VERSION, "an unknown version")
        ours = _version.__version__
        if written != ours:
            warnings.warn(
                f"This {type(self).__name__} was pickled by skembed {written} and is "
                f"loaded by {ours}, with which it may lack attributes or give "
                "other results. Fit it again, or install that version.",
                UserWarning,
                stacklevel=2,
            )
        super().__setstate__(state)
