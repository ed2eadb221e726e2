"""`BaseEmbedder`: the one way from documents to vectors and back to features."""

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted

from skembed import _pooling, _sampling, _text, _tying, _vocabulary
from skembed._fitted import Fitted
from skembed._vocabulary import Corpus, Vocabulary

_TOKENISING = (
    "analyzer",
    "lowercase",
    "strip_accents",
    "stop_words",
    "token_pattern",
)
# What `negative_dims` may be: a number of dimensions, or a share of them.
NEGATIVE_DIMS = [
    Interval(Integral, 0, None, closed="left"),
    Interval(RealNotInt, 0, 1, closed="both"),
]
COMBINATIONS = ("word", "context", "sum", "concat")


class BaseEmbedder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base class of all embedders; an estimator writes `_fit_vectors` only."""

    # What kind of strategies it can hold, see `_tying`.
    _method: ClassVar[str]
    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "share_context": ["boolean", str],
        "window": [Interval(Integral, 1, None, closed="left")],
        "window_weighting": [StrOptions(set(_sampling.WINDOW_WEIGHTINGS))],
        "analyzer": [StrOptions({"word", "char", "char_wb"}), callable],
        "lowercase": ["boolean"],
        "strip_accents": [StrOptions({"ascii", "unicode"}), None, callable],
        "stop_words": [StrOptions({"english"}), list, None],
        "token_pattern": [str, None],
        "min_count": [Interval(Integral, 1, None, closed="left")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "vocabulary": [Mapping, Iterable, None],
        "combine": [StrOptions(set(COMBINATIONS))],
        "pooling": [StrOptions(set(_pooling.POOLINGS))],
        "random_state": ["random_state"],
        "n_jobs": [
            Interval(Integral, None, -1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "verbose": ["verbose"],
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
        combine,
        pooling,
        random_state,
        n_jobs,
        verbose,
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
        self.combine = combine
        self.pooling = pooling
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @abstractmethod
    def _fit_vectors(
        self,
        corpus: Corpus,
        vocabulary: Vocabulary,
        strategy: _tying.Tying,
        seeds: np.random.SeedSequence,
    ) -> Fitted:
        """Learn the vectors; the one hook of an estimator."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn word and context vectors from documents.

        Parameters
        ----------
        X : iterable of str, or of lists, tuples or 1-D arrays of str
            Raw documents, or tokenised ones: a list, an array, a Series, a
            one-column frame, a generator (consumed once).
        y : Ignored
            Not used, present for API consistency by convention.

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
        self._fit(X, stacklevel=4)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None):
        """Learn the vectors and return the features of the same documents.

        Equal to ``fit(X).transform(X)``, but the documents are tokenised once.

        Parameters
        ----------
        X : iterable of str, or of lists, tuples or 1-D arrays of str
            As in `fit`.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of shape (n_documents, n_features), float32
            Document features.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        # One level more: scikit-learn wraps this method for `set_output`.
        return self._pool(self._fit(X, stacklevel=5))

    def transform(self, X):
        """Return the features of documents: their words' vectors, pooled.

        Parameters
        ----------
        X : iterable of str, or of lists, tuples or 1-D arrays of str
            As in `fit`. Words outside `vocabulary_` are left out.

        Returns
        -------
        ndarray of shape (n_documents, n_features), float32
            Document features; zeros for a document without known words.

        Raises
        ------
        ValueError
            If a document is not valid.
        """
        check_is_fitted(self)
        return self._pool(_text.look_up(X, self._vectorizer(), self.vocabulary_))

    def score_pairs(self, words, contexts):
        """Return the model's score s(w, c) of words with contexts.

        Biases and offsets are included. For SGNS it estimates
        ``PMI(w, c) - ln(negative) + ln p(c) - ln p_noise(c)``, whatever the `bias`;
        for GloVe the logarithm of the co-occurrence count; for PPMI-SVD an entry of
        the matrix.

        Parameters
        ----------
        words : str or array-like of str
            Words of the vocabulary.
        contexts : str or array-like of str
            Words of the vocabulary; broadcast against `words`.

        Returns
        -------
        ndarray, float32
            Scores, in the broadcast shape.

        Raises
        ------
        ValueError
            If a word is not in the vocabulary.
        """
        check_is_fitted(self)
        rows, columns = np.broadcast_arrays(self._rows(words), self._rows(contexts))
        scores = np.einsum(
            "...k,...k->...",
            self.word_vectors_[rows] * self._score_scale,
            self.context_vectors_[columns],
        )
        scores = scores + self._score_offset[columns]
        for biases, index in (("word_biases_", rows), ("context_biases_", columns)):
            if hasattr(self, biases):
                scores = scores + getattr(self, biases)[index]
        return scores

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` puts out.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str objects
            The class name in lower case and a number; with ``combine="concat"``
            ``_word`` or ``_context`` between them.
        """
        check_is_fitted(self)
        if self.combine != "concat":
            return super().get_feature_names_out(input_features)
        prefix = type(self).__name__.lower()
        numbers = range(self.word_vectors_.shape[1])
        return np.asarray(
            [f"{prefix}_{part}{i}" for part in ("word", "context") for i in numbers],
            dtype=object,
        )

    @property
    def _n_features_out(self) -> int:
        tables = 2 if self.combine == "concat" else 1
        return tables * self.word_vectors_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _vectorizer(self):
        return CountVectorizer(**{name: getattr(self, name) for name in _TOKENISING})

    def _read(self, X: Any) -> tuple[Corpus, Vocabulary]:
        vectorizer = self._vectorizer()
        if self.vocabulary is None:
            ids, offsets, words = _text.number(X, vectorizer)
            return _vocabulary.build(
                ids, offsets, words, self.min_count, self.max_features
            )
        if self.max_features is not None:
            raise ValueError(
                f"max_features={self.max_features} cannot select from a given "
                "vocabulary; shorten vocabulary or set one of the two to None."
            )
        rows = _vocabulary.check_vocabulary(self.vocabulary)
        corpus = _text.look_up(X, vectorizer, rows)
        return corpus, _vocabulary.count(corpus, rows)

    def _fit(self, X: Any, stacklevel: int) -> Corpus:
        strategy = _tying.get_strategy(self.share_context, self._method)
        corpus, vocabulary = self._read(X)
        if corpus.longest < 2:
            raise ValueError(
                "No document holds two words of the vocabulary, so there are no pairs "
                "of words to learn from. Pass longer documents, or more words: by a "
                f"lower min_count (now {self.min_count}) or a larger vocabulary."
            )
        random = check_random_state(self.random_state)
        seeds = np.random.SeedSequence(random.randint(2**31, size=4).tolist())
        fitted = self._fit_vectors(corpus, vocabulary, strategy, seeds)
        self._publish(fitted, vocabulary)
        notes = list(fitted.notes)
        if self.combine in strategy.combine_notes:
            notes.append(
                f"combine={self.combine!r} with share_context={strategy.name!r}: "
                f"{strategy.combine_notes[self.combine]}."
            )
        if notes:
            warnings.warn(" ".join(notes), UserWarning, stacklevel=stacklevel)
        return corpus

    def _window_weights(self, corpus: Corpus) -> np.ndarray:
        return _sampling.window_weights(
            self.window, self.window_weighting, corpus.longest
        )

    def _publish(self, fitted: Fitted, vocabulary: Vocabulary) -> None:
        """Set all learned attributes at once, so that none is left half fitted."""
        biases = {
            "word_biases_": fitted.word_biases,
            "context_biases_": fitted.context_biases,
        }
        learned = {name: bias for name, bias in biases.items() if bias is not None}
        # A refit with other parameters must not inherit what only the last fit has.
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        self.__dict__.update(
            vocabulary_=vocabulary.rows,
            word_counts_=vocabulary.counts,
            word_vectors_=fitted.word_vectors,
            context_vectors_=fitted.context_vectors,
            n_embedding_parameters_=fitted.n_parameters,
            _score_offset=fitted.offset,
            _score_scale=fitted.scale,
            **learned,
            **fitted.attributes,
        )

    def _pool(self, corpus: Corpus) -> np.ndarray:
        if self.combine == "word":
            return _pooling.pool(corpus, self.word_vectors_)
        if self.combine == "context":
            return _pooling.pool(corpus, self.context_vectors_)
        if self.combine in ("sum", "concat"):
            # Pooled first: documents may be few, and the tables need no third one.
            word = _pooling.pool(corpus, self.word_vectors_)
            context = _pooling.pool(corpus, self.context_vectors_)
            if self.combine == "sum":
                return word + context
            return np.hstack([word, context])
        raise ValueError(
            f"combine must be one of {COMBINATIONS}, got {self.combine!r}."
        )

    def _rows(self, words: Any) -> np.ndarray:
        words = np.asarray(words, dtype=object)
        unknown = [word for word in words.flat if word not in self.vocabulary_]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is not in the vocabulary of {len(self.vocabulary_)} "
                "words; see vocabulary_."
            )
        rows = [self.vocabulary_[word] for word in words.flat]
        return np.asarray(rows, dtype=np.intp).reshape(words.shape)
