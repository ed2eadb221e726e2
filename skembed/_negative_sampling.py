"""What skip-gram and CBOW with negative sampling share."""

from abc import abstractmethod
from numbers import Integral, Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skembed._base import NEGATIVE_DIMS, TRAINING, BaseEmbedder
from skembed._solvers import losses, negative_sampling
from skembed._solvers import memory as _memory
from skembed._tying import bias as _bias
from skembed._tying import strategies


class _NegativeSamplingEmbedder(BaseEmbedder):
    """Base class of the embedders that are trained with negative sampling.

    A subclass says whether, and how, it aggregates the vectors of a window, and whether
    its scores are those of pairs, of which `_log_prior` makes probabilities.
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseEmbedder._parameter_constraints,
        **TRAINING,
        "bias": [StrOptions(set(filter(None, _bias.biases()))), None],
        "negative": [Interval(Integral, 1, None, closed="left")],
        "noise_exponent": [Interval(Real, 0, None, closed="left")],
        "subsample": [Interval(Real, 0, None, closed="left")],
        "negative_dims": NEGATIVE_DIMS,
        "update": [StrOptions({"both", "word"})],
        "exclude_window_noise": ["boolean"],
    }
    _method = strategies.SAMPLING
    _fewest_epochs = 5
    _fixed_by_counts = ("input", "direction")
    _state = ()
    _fixed_by_vectors: tuple[str, ...] = (
        "n_components",
        "share_context",
        "bias",
        "negative_dims",
    )

    def __init__(
        self,
        n_components,
        *,
        bias,
        negative_dims,
        update,
        exclude_window_noise,
        negative,
        noise_exponent,
        subsample,
        learning_rate,
        max_iter,
        early_stopping,
        validation_fraction,
        n_iter_no_change,
        tol,
        warm_start,
        init,
        **shared,
    ):
        super().__init__(n_components, **shared)
        self.bias = bias
        self.negative_dims = negative_dims
        self.update = update
        self.exclude_window_noise = exclude_window_noise
        self.negative = negative
        self.noise_exponent = noise_exponent
        self.subsample = subsample
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.init = init

    @property
    @abstractmethod
    def _aggregation(self) -> str | None:
        """How vectors of a window become one, "mean" or "sum".

        None if each word of the window is in a pair of its own.
        """

    def _estimate(self, sizes):
        hidden = self._aggregation is not None
        return _memory.sampling(self, sizes, hidden)

    def _held_out_loss(self, corpus):
        return losses.sampling(self, corpus)

    def _fit_vectors(self, job):
        settings = negative_sampling.Settings(
            aggregation=self._aggregation,
            stopping=self._early_stopping,
            layout=self._layout(job.counts.size, job.strategy),
            bias=_bias.get_bias(self.bias, job.strategy),
            moves_contexts=self.update == "both",
            exclude_window_noise=self.exclude_window_noise,
            negative=self.negative,
            noise_exponent=self.noise_exponent,
            subsample=self.subsample,
            learning_rate=self.learning_rate,
            window=self.window,
            window_weighting=self.window_weighting,
            direction=self.direction,
            n_jobs=self.n_jobs,
        )
        return negative_sampling.fit(settings, job)
