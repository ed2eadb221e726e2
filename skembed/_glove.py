"""Global vectors."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skembed._base import NEGATIVE_DIMS, TRAINING, BaseEmbedder
from skembed._docstrings import complete_docstring
from skembed._solvers import glove, losses
from skembed._solvers import memory as _estimating
from skembed._solvers.epochs import Epochs
from skembed._solvers.job import RandomStart, shuffled_pairs, start_squares
from skembed._tying import strategies


@complete_docstring(
    windows="",
    further_fits="`partial_fit`, `warm_start`",
    steps="step and epoch",
    kept="vocabulary and co-occurrence counts",
    held_out="pairs of words",
    also_kept="Co-occurrence counts and sums of squared gradients are kept, too.",
    predicted="pair of words",
    unit="",
    counted="tables and biases",
)
class GloVeEmbedder(BaseEmbedder):
    r"""Word vectors by weighted least squares on co-occurrence counts (GloVe).

    Minimises ``f(x) (u_w . v_c + b_w + b_c - ln x)**2`` over all pairs of words that
    co-occur x times (after `subsample`), with ``f(x) = min(1, (x / x_max)**alpha)``, by
    AdaGrad: Pennington, Socher & Manning (2014), eq. 8 and 9.

    Parameters
    ----------
    %(n_components)s
    %(share_context)s
    negative_dims : float or int, default=0.1
        Share of the dimensions that have a negative sign in the score with "signed";
        at least one dimension. An int is the number of these dimensions. They are the
        last ones.
    x_max : float, default=10
        Pairs with at least this count have a weight of 1. The authors use 100 for
        corpora of billions of tokens.
    alpha : float, default=0.75
        Exponent of the weight of pairs with smaller counts.
    %(subsampled_counts)s
    learning_rate : float, default=0.1
        Initial step size of AdaGrad for the vectors. That of the biases is 1.
    %(training)s
    %(shared_parameters)s

    Attributes
    ----------
    %(shared_attributes)s
    word_vectors_ : ndarray of shape (n_words, n_components), float32
        Word vectors. The vector of a word that occurred in no pair is zero.
    %(context_vectors)s
    word_biases_, context_biases_ : ndarray of shape (n_words,), float32
        Learned biases; the same object in one-table models.
    %(context_signs)s
    context_map_ : ndarray of shape (n_components,), float32
        With a fixed diagonal of your own whose factors are not all 1 or -1: these.
    %(loss_curves)s
    %(parameter_count)s

    See Also
    --------
    SGNSEmbedder : Skip-gram with negative sampling.
    PPMISVDEmbedder : Factorisation of the PMI matrix in closed form.

    Notes
    -----
    As in the authors' program, steps follow half the gradient of the objective.
    AdaGrad's sums are of squared gradients times the squared learning rate. They start
    at 1. So only the first steps are proportional to the learning rate: the more a
    number has moved, the less its steps depend on it. The rate of the biases is always
    1. Unlike there, the sums include the gradient at hand, so that no step is longer
    than 1. Words are put into random order. Pairs are visited in blocks of rows and
    columns that fit into the cache.

    References
    ----------
    J. Pennington, R. Socher, C. D. Manning (2014). GloVe: Global vectors for word
    representation. EMNLP.

    J. Duchi, E. Hazan, Y. Singer (2011). Adaptive subgradient methods for online
    learning and stochastic optimization. JMLR 12.

    Examples
    --------
    >>> from skembed import GloVeEmbedder
    >>> documents = [["one", "two", "three", "four"]] * 20
    >>> embedder = GloVeEmbedder(n_components=4, random_state=0)
    >>> embedder.fit_transform(documents).shape
    (20, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseEmbedder._parameter_constraints,
        **TRAINING,
        "x_max": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "subsample": [Interval(Real, 0, None, closed="left")],
        "negative_dims": NEGATIVE_DIMS,
    }
    _fewest_epochs = 15
    _method = strategies.LEAST_SQUARES
    _fixed_by_vectors = (
        "n_components",
        "share_context",
        "negative_dims",
    )
    _fixed_by_counts = (
        "input",
        "window",
        "window_weighting",
        "direction",
    )
    _state = ("_counts", "_squares")

    def __init__(
        self,
        n_components=100,
        *,
        share_context=False,
        negative_dims=0.1,
        x_max=10.0,
        alpha=0.75,
        subsample=0.0,
        learning_rate=0.1,
        max_iter="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        tol=1e-6,
        warm_start=False,
        init=None,
        window=10,
        window_weighting="harmonic",
        direction="both",
        analyzer="word",
        lowercase=True,
        strip_accents=None,
        stop_words=None,
        token_pattern=r"(?u)\b\w\w+\b",
        min_count=5,
        max_features=None,
        vocabulary=None,
        new_words="grow",
        input="content",
        missing="error",
        combine="sum",
        pooling="tfidf",
        scale="spherical",
        norm=None,
        dtype="auto",
        random_state=None,
        n_jobs=None,
        verbose=0,
        memory=None,
    ):
        super().__init__(
            n_components,
            share_context=share_context,
            window=window,
            window_weighting=window_weighting,
            direction=direction,
            analyzer=analyzer,
            lowercase=lowercase,
            strip_accents=strip_accents,
            stop_words=stop_words,
            token_pattern=token_pattern,
            min_count=min_count,
            max_features=max_features,
            vocabulary=vocabulary,
            new_words=new_words,
            input=input,
            missing=missing,
            combine=combine,
            pooling=pooling,
            scale=scale,
            norm=norm,
            dtype=dtype,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
            memory=memory,
        )
        self.x_max = x_max
        self.alpha = alpha
        self.subsample = subsample
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.init = init
        self.negative_dims = negative_dims

    def _estimate(self, sizes):
        return _estimating.least_squares(self, sizes)

    def _held_out_loss(self, corpus):
        return losses.least_squares(self, corpus)

    def _log_prior(self, side=""):
        # The score estimates the logarithm of the count.
        return np.zeros(len(self.word_vectors_))

    def _fit_vectors(self, job):
        settings = glove.Settings(
            x_max=self.x_max,
            alpha=self.alpha,
            learning_rate=self.learning_rate,
            stopping=self._early_stopping,
            n_jobs=self.n_jobs,
        )
        layout = self._layout(job.counts.size, job.strategy)
        random = np.random.default_rng(job.seeds)
        row_of, counts, kept, resumable = shuffled_pairs(self, job, random)
        params = layout.allocate()
        n_learned = self.n_components + 1
        orders = [row_of] * layout.n_tables
        of_biases = glove.bias_squares(self.learning_rate)
        squares = start_squares(params, layout, job.resume, orders, of_biases)
        start = RandomStart(random, len(params), n_learned, self.n_components)
        start.write(params)
        job.resume.write_init(params, job.vocabulary.rows, row_of)
        if job.resume.continues:
            layout.refill(params, job.resume.learned, row_of[: job.resume.n_words])
        tables = glove.Tables(layout, params, squares, row_of, start, resumable, kept)
        training = glove.Training(settings, job, counts, tables, random)
        del counts
        return Epochs(training, settings.stopping, job).run()
