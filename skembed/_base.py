"""`BaseEmbedder`: the one way from documents to vectors."""

from abc import abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions

from skembed import _diagram, _fit
from skembed._corpus import reader
from skembed._corpus.validation import count_rows, rows_of
from skembed._corpus.vocabulary import Corpus
from skembed._counts.count import DIRECTIONS
from skembed._counts.count import PARAMETERS as COUNTING
from skembed._solvers import losses
from skembed._solvers import memory as _memory
from skembed._solvers.epochs import EarlyStopping
from skembed._solvers.job import Fitted, Job
from skembed._solvers.memory import Sizes
from skembed._transformer import DocumentTransformer
from skembed._tying import strategies
from skembed._tying.layout import Layout
from skembed._tying.strategies import Tying
from skembed._utils.threads import one_blas_thread
from skembed.pooling import _features

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
    "init": [object],  # see `_fit.resume_of`
}


class BaseEmbedder(DocumentTransformer):
    """Base class of all estimators that learn vectors.

    It reads documents, fits, sets the learned attributes, and scores documents and
    words. `DocumentTransformer` computes features. An estimator adds its parameters and
    the abstract members:

    - `_method`: the kind of strategies that it supports;
    - `_fixed_by_vectors` and `_fixed_by_counts`: parameters that must not change
      between fits that resume from each other;
    - `_fewest_epochs`: what ``max_iter="auto"`` is for a large corpus;
    - `_state`: attributes that are needed only by fits that resume from this one;
    - `_fit_vectors`: learns the vectors;
    - `_estimate`: the memory of a fit;
    - `_held_out_loss`: the objective on documents;
    - `_log_prior`: what turns a score into the logarithm of a probability.

    `_cross_entropy_of_counts` may be overridden by an estimator whose probabilities are
    not a softmax of its scores.
    """

    # Parameters that call different kernels, for `warmup`.
    _variants: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    # What ``bias="auto"`` stands for. None: the default of the strategy.
    _auto_bias: ClassVar[str | None] = None

    context_vectors_: np.ndarray
    _score_scale: np.ndarray
    _score_offset: np.ndarray

    _parameter_constraints: ClassVar[dict] = {
        **DocumentTransformer._parameter_constraints,
        **COUNTING,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "share_context": [object],  # see `strategies.get_strategy`
        "new_words": [StrOptions({"grow", "freeze"})],
        "input": [StrOptions({"content", "token_ids", "cooccurrence"})],
        "combine": [StrOptions(set(_features.COMBINATIONS))],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components,
        *,
        share_context,
        window,
        window_weighting,
        direction,
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
        self.direction = direction
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

    @property
    @abstractmethod
    def _method(self) -> str:
        """The method of learning, which a strategy must support: `Tying.methods`."""

    @property
    @abstractmethod
    def _fixed_by_vectors(self) -> tuple[str, ...]:
        """Parameters that vectors of earlier fits depend on."""

    @property
    @abstractmethod
    def _fixed_by_counts(self) -> tuple[str, ...]:
        """Parameters that the counts depend on to which `partial_fit` adds."""

    @property
    @abstractmethod
    def _fewest_epochs(self) -> int:
        """Epochs of ``max_iter="auto"`` for a large corpus; 0 for a closed form."""

    @property
    @abstractmethod
    def _state(self) -> tuple[str, ...]:
        """Attributes that are needed only by fits that resume from this one."""

    @abstractmethod
    def _fit_vectors(self, job: Job) -> Fitted:
        """Learn the vectors."""

    @abstractmethod
    def _estimate(self, sizes: Sizes) -> float:
        """Return the peak memory of a fit in bytes, without its documents."""

    @abstractmethod
    def _held_out_loss(self, corpus: Corpus) -> float:
        """Return the mean objective per pair of documents; lower is better."""

    @abstractmethod
    def _log_prior(self, side: str = "") -> np.ndarray:
        """Return what makes a score the logarithm of ``P(c | w)``, up to a constant.

        It is added to the score of context c, for every word: float64 of shape
        (n_words,). `side` is "", "left_" or "right_", see `losses.sides`.
        """

    def _cross_entropy_of_counts(
        self, counts: sparse.csr_array, side: str = ""
    ) -> float:
        """Return the sum of ``-ln P(c | w)`` over weighted pairs, in nats."""
        return losses.cross_entropy_of_scores(self, counts, side)

    @property
    def _early_stopping(self) -> EarlyStopping:
        """The parameters of early stopping, of estimators that train in epochs."""
        return EarlyStopping(
            self.early_stopping,
            self.validation_fraction,
            self.n_iter_no_change,
            self.tol,
        )

    def _layout(self, n_words: int, strategy: Tying | None = None) -> Layout:
        """Return the layout of the tables for a number of words."""
        if strategy is None:
            strategy = strategies.get_strategy(self.share_context, self._method)
        # Not all estimators have these parameters.
        negative_dims = getattr(self, "negative_dims", 0)
        directional = getattr(self, "directional", False)
        if directional and self.direction != "both":
            raise ValueError(
                "directional=True learns tables of left and of right contexts, but "
                f"direction={self.direction!r} leaves only one side. Pass "
                "direction='both' or directional=False."
            )
        return strategy._layout(n_words, self.n_components, negative_dims, directional)

    def _fit(self, X, y, sample_weight, stacklevel, adds=False):
        # Validate, resume, learn, publish.
        start = _fit.start(self, adds)
        reading, progress = _fit.read(self, X, y, sample_weight, start.resume)
        job = _fit.job_of(self, start, reading, progress)
        try:
            fitted = self._fit_vectors(job)
            model = _fit.publish(self, job, fitted, reading.notes, stacklevel + 1)
        except KeyboardInterrupt:
            rescued = _fit.rescue(job)
            if rescued is None:
                raise
            fitted = rescued
            model = _fit.publish(
                self, job, fitted, reading.notes, stacklevel + 1, interrupted=True
            )
        if fitted.problem is not None:
            raise fitted.problem
        return reading, model

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn word and context vectors from documents.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Raw documents (str) or tokenised documents (lists, tuples or 1-D arrays of
            str). They come as a list, an array, a Series, a one-column frame or a
            generator (consumed once). Or a sparse matrix, an array or a frame of shape
            (n_documents, n_words) with non-negative counts or weights. Words then
            co-occur if they share a document. With ``input="cooccurrence"``: a square
            matrix of non-negative counts, words x contexts. With
            ``input="token_ids"``: an integer array of shape (n_documents, n_tokens), or
            an iterable of 1-D integer arrays, where -1 stands for no token. All of
            these can be a collection of Dask: a bag, a Series, a frame or an array.
            Softmax, GloVe and PPMI-SVD count its partitions on the workers. SGNS and
            CBOW read one partition after the other. The result is that of the same
            documents in a list.
        y : Ignored
            Not used, present for API consistency by convention.
        sample_weight : array-like of shape (n_documents,), default=None
            How often each document counts; 2 is the same as passing it twice.

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
        self._fit(X, y, sample_weight, stacklevel=4)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Continue learning from further documents.

        SGNS and CBOW train for one epoch on these documents. Word counts add up. The
        learning-rate schedule continues, and starts again after `max_iter` epochs. For
        softmax, GloVe and PPMI-SVD, co-occurrence counts add up, exactly. Softmax and
        GloVe train for one epoch on the sum, and PPMI-SVD factorises it. They need the
        counts of the previous fit. It keeps them if it was a `partial_fit` or had
        ``warm_start=True``, and the folder of `memory` may have them. If the estimator
        is not fitted, these documents are the first ones.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `fit`, of the same kind as before. A matrix needs the same
            columns. `new_words` controls what happens to words not seen before.
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
            As in `fit`. Also if a parameter on which earlier results depend has
            changed, or if the counts of the previous fit are needed and were not kept.
            The estimator is then unchanged.
        """
        # scikit-learn checks parameters at the first call only.
        self._validate_params()
        self._fit(X, y, sample_weight, stacklevel=4, adds=True)
        return self

    def score(self, X, y=None):
        """Return the mean objective per pair of documents; higher is better.

        With this score, a search needs no labels. The objective is that of training.
        For SGNS and CBOW it is the logarithm of a likelihood, in nats per pair or
        predicted word. For softmax it is minus the cross-entropy per pair, for which
        the scores with all contexts are computed. For GloVe it is minus the weighted
        squared error per pair that co-occurs. For PPMI-SVD it is minus the squared
        error per entry of the PPMI matrix. Scores can be compared for parameters that
        do not change the objective, such as `n_components` or `share_context`. They
        cannot be compared for others, such as `negative`, `shift` or `subsample`.

        Parameters
        ----------
        X : iterable of documents, or matrix
            Documents as in `transform`; with ``input="cooccurrence"`` a matrix is one
            of counts, as in `fit`. The texts of a collection of Dask are read partition
            by partition. A matrix of Dask is brought into memory.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        float
            At most 0.

        Raises
        ------
        ValueError
            If a document is not valid, or no two words of the vocabulary co-occur.
        """
        model = self._as_fitted()
        corpus = reader.look_up_pairs(model, X)
        with one_blas_thread():
            return -model._held_out_loss(corpus)

    def score_pairs(self, words, contexts, *, direction="both"):
        """Return the model's score s(w, c) of words with contexts.

        Biases and offsets are included. For SGNS, the score estimates
        ``PMI(w, c) - ln(negative) + ln p(c) - ln p_noise(c)``, for every `bias`. For
        softmax it is ``ln P(c | w)``. For GloVe it estimates the logarithm of the
        co-occurrence count, and for PPMI-SVD an entry of the matrix. These quantities
        refer to the counts after `subsample`.

        Parameters
        ----------
        words : str or array-like of str
            Words of the vocabulary.
        contexts : str or array-like of str
            Words of the vocabulary; broadcast against `words`.
        direction : {"both", "left", "right"}, default="both"
            After a fit with ``directional=True``: "left" is the score of contexts that
            precede the word, "right" that of contexts that follow it, and "both" is
            the mean of the two. Other models only have "both".

        Returns
        -------
        ndarray, float32
            Scores, in the broadcast shape.

        Raises
        ------
        ValueError
            If a word is not in the vocabulary, or the model does not distinguish
            directions.
        """
        return self._as_fitted()._score_pairs(words, contexts, direction)

    def estimate_memory(self, X=None, *, n_tokens=None, n_words=None):
        """Estimate how much memory `fit` takes at its peak, beside its documents.

        Parameters
        ----------
        X : iterable of documents, or matrix, default=None
            As in `fit`. They are read, but nothing is learned from them.
        n_tokens : int, default=None
            Number of tokens, instead of `X`.
        n_words : int, default=None
            With `n_tokens`: size of the vocabulary. Word frequencies are assumed to
            follow Zipf's law.

        Returns
        -------
        int
            Bytes of the large arrays. The estimate may be off by half, and what
            Python, the libraries and the compiler take (some 200 MB in all) comes on
            top.

        Raises
        ------
        ValueError
            If neither `X` nor both numbers are given, or a parameter is not valid.

        Examples
        --------
        >>> from skembed import SGNSEmbedder
        >>> n_bytes = SGNSEmbedder(300).estimate_memory(n_tokens=10**9, n_words=10**6)
        >>> round(n_bytes / 1e9, 1)
        10.6
        """
        self._validate_params()
        if X is None:
            for name, value in (("n_tokens", n_tokens), ("n_words", n_words)):
                if not isinstance(value, Integral) or value < 1:
                    raise ValueError(
                        f"Without X, {name} must be a positive int, got {value!r}."
                    )
            sizes = _memory.zipf_sizes(int(n_tokens), int(n_words))
        elif n_tokens is None and n_words is None:
            found = reader.read(self, X)
            sizes = _memory.sizes_of(found.corpus, found.vocabulary.counts)
        else:
            raise ValueError("Pass either X, or n_tokens and n_words, not both.")
        reading = _memory.scanning(self, sizes)
        learning = self._estimate(sizes), _memory.pooling_fit(self, sizes)
        return int(max(reading, *learning))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.input == "token_ids":
            tags.input_tags.string = False
            tags.input_tags.sparse = False
            tags.input_tags.positive_only = False  # there are pads
            tags.input_tags.categorical = True
        return tags

    def _facts(self) -> list[str]:
        counts = self.word_counts_.sum()
        unit = "co-occurrence" if self.input == "cooccurrence" else "token"
        facts = [*super()._facts(), _diagram.number(counts.item(), unit)]
        if hasattr(self, "n_iter_"):
            facts.append(_diagram.number(self.n_iter_, "epoch"))
            facts.append(f"last loss {self.loss_curve_[-1]:.4g}")
        return [*facts, f"share_context={self.share_context!r}"]

    def _score_pairs(self, words: Any, contexts: Any, direction: Any) -> np.ndarray:
        side, n_rows = self._side(direction), count_rows(vars(self))
        rows, columns = self._rows(words, n_rows), self._rows(contexts, n_rows)
        try:
            rows, columns = np.broadcast_arrays(rows, columns)
        except ValueError as error:
            raise ValueError(
                f"words of shape {rows.shape} and contexts of shape {columns.shape} "
                "cannot be broadcast: pass as many contexts as words, or one of either."
            ) from error
        return self._scores_of(rows, columns, side)

    def _scores_of(
        self, rows: np.ndarray, columns: np.ndarray, side: str
    ) -> np.ndarray:
        """Return the scores of words with contexts, given their rows."""
        scores = np.einsum(
            "...k,...k->...",
            self.word_vectors_[rows] * self._score_scale,
            getattr(self, f"{side}context_vectors_")[columns],
        )
        scores = scores + self._score_offset[columns]
        of_context = f"{side}context_biases_"
        for biases, places in (("word_biases_", rows), (of_context, columns)):
            if hasattr(self, biases):
                scores = scores + getattr(self, biases)[places]
        return scores

    def _side(self, direction: Any) -> str:
        """Return how the names of a direction's attributes begin."""
        if direction not in DIRECTIONS:
            raise ValueError(
                f"direction must be one of {DIRECTIONS}, got {direction!r}."
            )
        if direction == "both":
            return ""
        if not hasattr(self, f"{direction}_context_vectors_"):
            raise ValueError(
                f"direction={direction!r} needs tables of left and of right contexts, "
                f"which this {type(self).__name__} does not have: SGNSEmbedder and "
                "PPMISVDEmbedder learn them with directional=True. Pass "
                "direction='both'."
            )
        return f"{direction}_"

    def _rows(self, words: Any, n_rows: int) -> np.ndarray:
        words = np.asarray(words, dtype=object)
        unknown = [word for word in words.flat if word not in self.vocabulary_]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is not in the vocabulary of {len(self.vocabulary_)} "
                "words; see vocabulary_."
            )
        return rows_of(self.vocabulary_, list(words.flat), n_rows).reshape(words.shape)
