"""What fitted models have learned, in numbers and pictures.

The functions return numbers that can be compared between values of `share_context`. The
number of parameters of a model is its attribute `n_embedding_parameters_`. The classes
whose names end in Display draw pictures, and need matplotlib.
"""

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skembed._base import BaseEmbedder
from skembed._cbow import CBOWEmbedder
from skembed._corpus import reader, tokenize
from skembed._corpus import vocabulary as _vocabulary
from skembed._corpus.validation import PER_WORD
from skembed._corpus.vocabulary import Corpus
from skembed._counts import count, ppmi, windows
from skembed._counts.count import window_weights
from skembed._sgns import SGNSEmbedder
from skembed._solvers import losses
from skembed._solvers.losses import CrossEntropy
from skembed._tying.bias import get_bias
from skembed._utils.threads import one_blas_thread
from skembed.inspection import _pmi
from skembed.inspection._bars import ContributionsDisplay, NeighborsDisplay
from skembed.inspection._contributions import WordContributions, word_contributions
from skembed.inspection._cross_entropy import held_out_cross_entropy
from skembed.inspection._direction import antisymmetric_share
from skembed.inspection._displays import (
    LossCurveDisplay,
    SelfScoresDisplay,
    SpectrumDisplay,
)
from skembed.inspection._strategies import StrategiesDisplay
from skembed.inspection._vectors import (
    check_estimator,
    linear_predictability,
    self_scores,
    vector_cosines,
)
from skembed.inspection._word_map import WordMapDisplay
from skembed.vectors import WordVectors

__all__ = [
    "ContributionsDisplay",
    "CrossEntropy",
    "HeldOutLoss",
    "LossCurveDisplay",
    "NeighborsDisplay",
    "SelfScoresDisplay",
    "SimilarityKind",
    "Spectrum",
    "SpectrumDisplay",
    "StrategiesDisplay",
    "WordContributions",
    "WordMapDisplay",
    "antisymmetric_share",
    "held_out_cross_entropy",
    "held_out_loss",
    "linear_predictability",
    "pmi_spectrum",
    "self_scores",
    "similarity_kind",
    "vector_cosines",
    "word_contributions",
]


class Spectrum(NamedTuple):
    """Eigenvalues of a shifted PMI matrix, and how many of them are negative.

    Parameters
    ----------
    eigenvalues : ndarray of shape (n_components,), float64
        The eigenvalues that are largest in absolute value, largest first.
    negative_share : float
        The share of these eigenvalues that are negative.
    negative_energy : float
        The sum of squares of the negative eigenvalues, divided by that of all these
        eigenvalues; 0 if all are 0.
    """

    eigenvalues: np.ndarray
    negative_share: float
    negative_energy: float


class HeldOutLoss(NamedTuple):
    """The objective of negative sampling, for a model and for scores without a model.

    Parameters
    ----------
    loss : float
        Loss of the model, in nats per pair (CBOW: per predicted word).
    zero : float
        Loss if every score is 0.
    shift : float
        Loss if every score is ``-ln(negative)``.
    offset : float
        Loss if the score of context c is ``ln p(c) - ln(negative * p_noise(c))`` for
        every word: the known part of the optimum without the PMI.
    n_pairs : float
        Number of pairs, with their expected weights, or of predicted words.
    """

    loss: float
    zero: float
    shift: float
    offset: float
    n_pairs: float


class SimilarityKind(NamedTuple):
    """What words with similar vectors have in common, compared with all pairs of words.

    Parameters
    ----------
    cooccurring : float
        Share of neighbours that occur together more often than by chance.
    cooccurring_by_chance : float
        The same share of all pairs of the words.
    substitutable : float
        Mean cosine between rows of a PPMI matrix that describe which words occur
        directly before and after each neighbour. It is 1 for words that are found in
        the same places.
    substitutable_by_chance : float
        The same mean over all pairs of the words.
    """

    cooccurring: float
    cooccurring_by_chance: float
    substitutable: float
    substitutable_by_chance: float


@validate_params(
    {
        "n_components": BaseEmbedder._parameter_constraints["n_components"],
        "shift": [Interval(Real, 1, None, closed="left")],
        **{
            name: BaseEmbedder._parameter_constraints[name]
            for name in ("window", "window_weighting", "min_count", "max_features")
        },
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def pmi_spectrum(
    X: Any,
    *,
    n_components: int = 100,
    shift: float = 5,
    window: int = 5,
    window_weighting: str = "dynamic",
    min_count: int = 5,
    max_features: int | None = 4000,
    random_state: Any = None,
) -> Spectrum:
    """Return the largest eigenvalues of the shifted PMI matrix of documents.

    Skip-gram with `shift` noise words per pair would fit this matrix: the PMI
    ``ln(N_wc N / (N_w N_c))`` for observed pairs and 0 for others, minus ``ln(shift)``
    everywhere. Unlike the matrix of `PPMISVDEmbedder`, it keeps negative entries. One
    table without signs or bias can only express its positive eigenvalues.

    Parameters
    ----------
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Raw or tokenised documents, as in `fit`. Raw documents are tokenised as
        estimators do by default.
    n_components : int, default=100
        Number of eigenvalues. A smaller vocabulary has fewer.
    shift : float, default=5
        The number k >= 1 of noise words whose logarithm is subtracted.
    window : int, default=5
        Largest distance between a word and its context, in tokens of the vocabulary.
    window_weighting : {"dynamic", "flat", "harmonic"}, default="dynamic"
        Weight of a context at distance d: ``(window + 1 - d) / window``, 1 or
        ``1 / d``.
    min_count : int, default=5
        Words that occur less often are dropped.
    max_features : int or None, default=4000
        Keep only this many of the most frequent words.
    random_state : int, RandomState instance or None, default=None
        Random state of the iteration's start. It affects the last digits at most.

    Returns
    -------
    Spectrum
        The eigenvalues, and how many are negative by number and by energy.

    Raises
    ------
    ValueError
        If a parameter or a document is not valid, or no pair of words is left.
    """
    ids, offsets, found = tokenize.number(X, CountVectorizer())
    corpus, vocabulary = _vocabulary.build(ids, offsets, found, min_count, max_features)
    _check_pairs(corpus, "Pass longer documents, or lower min_count.")
    weights = window_weights(window, window_weighting, corpus.longest)
    counts = windows.count_cooccurrences(corpus, len(vocabulary), weights)
    values = _pmi.largest_eigenvalues(
        _pmi.pmi(counts),
        -float(np.log(shift)),
        n_components,
        check_random_state(random_state),
    )
    negative = values[values < 0]
    energy = np.sum(values**2)
    return Spectrum(
        values,
        negative.size / values.size,
        float(np.sum(negative**2) / energy) if energy > 0 else 0.0,
    )


@validate_params({"random_state": ["random_state"]}, prefer_skip_nested_validation=True)
def held_out_loss(
    estimator: SGNSEmbedder | CBOWEmbedder, X: Any, random_state: Any = None
) -> HeldOutLoss:
    """Return the objective of negative sampling on documents, and its baselines.

    A loss alone says little, because most of it depends on how frequent words are. The
    difference between `offset` and the loss shows what the model has learned about
    relations of words. Pass documents that the model was not fitted on to see whether
    it generalises.

    Parameters
    ----------
    estimator : SGNSEmbedder or CBOWEmbedder
        Fitted. Its `subsample`, `window`, `window_weighting`, `negative` and
        `noise_exponent` apply, with the frequencies of the words in training.
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Documents, as in `transform`. Words outside the vocabulary are dropped.
    random_state : int, RandomState instance or None, default=None
        Random state of the subsampling and, for CBOW, of the windows. Pass an int to
        compare models on the same draws.

    Returns
    -------
    HeldOutLoss
        Mean objective per pair of the model and of scores without a model.

    Raises
    ------
    TypeError
        If the estimator has no such objective.
    ValueError
        If a document is not valid, or no pair of words is left.

    Notes
    -----
    Noise words have the distribution of training, and the loss is the expectation over
    noise words. As in training, noise words that equal the predicted word are excluded.
    For CBOW, if there are more than half a billion scores of predicted words with words
    of the vocabulary, a random sample of noise words is used, which changes the loss by
    less than 0.001.
    `update` and `exclude_window_noise` change how a model is trained, but not this
    objective.
    """
    estimator = check_estimator(estimator, (SGNSEmbedder, CBOWEmbedder))
    draws = losses.draws_of(estimator)
    noise = losses.Noise(draws.noise, estimator.negative)
    corpus = reader.look_up_pairs(estimator, X)
    random = check_random_state(random_state)
    with one_blas_thread():
        total = losses.held_out(estimator, corpus, noise, random)
    n_pairs = float(total.contexts.sum())
    p = draws.kept / draws.kept.sum()
    zero, shift, offset = (
        losses.constant_loss(
            get_bias(bias, None).offset(p, draws.noise, estimator.negative),
            total.contexts,
            noise,
        )
        for bias in (None, "shift", "exact")
    )
    return HeldOutLoss(total.loss / n_pairs, zero, shift, offset, n_pairs)


@validate_params(
    {
        "n_words": [Interval(Integral, 2, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def similarity_kind(
    estimator: BaseEmbedder, X: Any, *, n_words: int = 1000, n_neighbors: int = 10
) -> SimilarityKind:
    """Return whether words with similar vectors co-occur, or can replace each other.

    Two words may have similar vectors because they occur together (good, natured), or
    because one can replace the other (good, decent). These are co-occurrences of first
    and of second order.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted. Its `window` and `window_weighting` define what co-occurs. Word vectors
        are compared, for every `combine`.
    X : iterable of str, or of lists, tuples or 1-D arrays of str
        Documents, as in `transform`; for example those of the fit.
    n_words : int, default=1000
        Number of words that are examined: the most frequent ones that have pairs in
        `X`.
    n_neighbors : int, default=10
        Number of neighbours of each word among these words, by cosine. Fewer words
        have fewer neighbours.

    Returns
    -------
    SimilarityKind
        Shares and means of neighbours, and of all pairs of these words.

    Raises
    ------
    ValueError
        If a parameter or a document is not valid, or fewer than two words have pairs.
    """
    estimator = check_estimator(estimator)
    corpus, _ = reader.look_up(estimator, X, PER_WORD)
    n_rows = len(estimator.word_vectors_)
    if corpus.token_weights is not None:
        raise ValueError(
            "X is a matrix, which does not tell what stands before and behind a word. "
            "Pass documents as text."
        )
    _check_pairs(corpus, "Words may be unknown.")
    counts = count.count_pairs(estimator, corpus, n_rows)
    order = np.argsort(-estimator.word_counts_, kind="stable")
    words = order[np.diff(counts.indptr)[order] > 0][:n_words]
    if words.size < 2:
        raise ValueError("X holds pairs of one word only, which has no neighbours.")
    numbers = range(words.size)
    table = WordVectors(numbers, estimator.word_vectors_[words])
    neighbors, _ = table.nearest(numbers, min(n_neighbors, words.size - 1))
    near, all_pairs = _pmi.compare_neighbors(
        ppmi.ppmi_inplace(counts, 1.0, 1.0, estimator.n_jobs),
        _pmi.places(corpus, n_rows, estimator.n_jobs),
        words,
        neighbors,
    )
    return SimilarityKind(
        near.cooccurring,
        all_pairs.cooccurring,
        near.same_places,
        all_pairs.same_places,
    )


def _check_pairs(corpus: Corpus, advice: str) -> None:
    if not corpus.n_documents or corpus.longest < 2:
        raise ValueError(
            f"X holds no pair of words of the vocabulary in a document. {advice}"
        )
