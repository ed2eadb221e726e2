"""What an estimator has to add to the base class, and what it gets from it."""

import inspect

import numpy as np
import pytest
from sklearn.base import clone

from skembed._base import BaseEmbedder
from skembed._negative_sampling import _NegativeSamplingEmbedder
from skembed._solvers.job import Fitted
from skembed._tying import strategies
from tests.helpers import DOCUMENTS, ESTIMATORS, SAMPLED, cheap

pytestmark = pytest.mark.small

HOOKS = sorted(BaseEmbedder.__abstractmethods__)
OF_SAMPLING = sorted(_NegativeSamplingEmbedder.__abstractmethods__)


def without(kind, base, hook):
    """Return a subclass that leaves a hook as a base class declares it."""
    return type("Incomplete", (kind,), {hook: inspect.getattr_static(base, hook)})


def assert_refused(kind, hook):
    with pytest.raises(TypeError, match=rf"abstract class Incomplete .*\b{hook}\b"):
        kind()


def test_hooks_are_declared():
    assert HOOKS == [
        "_estimate",
        "_fewest_epochs",
        "_fit_vectors",
        "_fixed_by_counts",
        "_fixed_by_vectors",
        "_held_out_loss",
        "_log_prior",
        "_method",
        "_state",
    ]
    assert OF_SAMPLING == ["_aggregation", "_log_prior"]
    for base, hooks in (BaseEmbedder, HOOKS), (_NegativeSamplingEmbedder, OF_SAMPLING):
        for hook in hooks:
            assert inspect.getattr_static(base, hook).__doc__
            assert base is _NegativeSamplingEmbedder or f"`{hook}`" in base.__doc__


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_hook_is_needed(estimator, hook):
    assert_refused(without(estimator, BaseEmbedder, hook), hook)


@pytest.mark.parametrize("hook", OF_SAMPLING)
@pytest.mark.parametrize("estimator", SAMPLED)
def test_every_hook_of_negative_sampling_is_needed(estimator, hook):
    assert_refused(without(estimator, _NegativeSamplingEmbedder, hook), hook)


@pytest.mark.parametrize("base", [BaseEmbedder, _NegativeSamplingEmbedder])
def test_base_classes_are_abstract(base):
    with pytest.raises(TypeError, match=f"abstract class {base.__name__}"):
        base(3)


class Counted(BaseEmbedder):
    """A toy: a word's only number is how often it occurs."""

    _method = strategies.CLOSED_FORM
    _fixed_by_vectors = ()
    _fixed_by_counts = ("input",)
    _fewest_epochs = 0
    _state = ()

    def __init__(
        self,
        n_components=1,
        *,
        share_context=True,
        min_count=1,
        n_jobs=None,
        verbose=0,
    ):
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(ESTIMATORS[-1]).parameters.items()
        }
        own = {"n_components", "directional", "shift", "context_exponent"}
        own |= {"singular_exponent", "subsample", "warm_start"}
        shared = {name: defaults[name] for name in defaults if name not in own}
        shared |= {"share_context": share_context, "min_count": min_count}
        shared |= {"n_jobs": n_jobs, "verbose": verbose, "pooling": "mean"}
        super().__init__(n_components, **{**shared, "scale": None})

    def _fit_vectors(self, job):
        counts = job.vocabulary.counts.astype(np.float32)[:, None]
        zeros = np.zeros(len(counts), dtype=np.float32)
        return Fitted(len(counts), counts, counts, zeros, np.ones(1, dtype=np.float32))

    def _estimate(self, sizes):
        return 8.0 * sizes.n_words

    def _held_out_loss(self, corpus):
        return float(corpus.n_documents)

    def _log_prior(self, side=""):
        return np.zeros(len(self.word_vectors_))


def test_hooks_are_enough():
    embedder = clone(Counted()).fit(DOCUMENTS)
    assert same_counts(embedder)
    expected = [
        np.mean([embedder.word_vectors_[embedder.vocabulary_[w]] for w in text.split()])
        for text in DOCUMENTS
    ]
    features = embedder.transform(DOCUMENTS)
    np.testing.assert_allclose(features[:, 0], expected, rtol=1e-6)
    assert embedder.score(DOCUMENTS) == -len(DOCUMENTS)
    assert embedder.estimate_memory(DOCUMENTS) > 0
    assert embedder.partial_fit(DOCUMENTS).word_counts_.sum() == 2 * 120
    assert same_counts(embedder)


def same_counts(embedder):
    return embedder.word_vectors_[:, 0].tolist() == embedder.word_counts_.tolist()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators_are_complete(estimator):
    assert not estimator.__abstractmethods__
    assert isinstance(cheap(estimator), BaseEmbedder)
