"""The cross-entropy of documents: one unit for all models of pairs of words."""

from typing import Any

from skembed._base import BaseEmbedder
from skembed._corpus import reader
from skembed._solvers import losses
from skembed._solvers.losses import CrossEntropy
from skembed._utils.threads import one_blas_thread
from skembed.inspection._vectors import check_estimator


def held_out_cross_entropy(estimator: BaseEmbedder, X: Any) -> CrossEntropy:
    """Return how well a model predicts contexts from words, in nats per pair.

    Objectives of different estimators have different units. This function reads every
    model of pairs in the same way, as probabilities of all contexts c given one word w:
    ``P(c | w)`` is proportional to ``exp(s(w, c)) * prior(c)``, with the score s of
    `score_pairs`. The result is the mean of ``-ln P(c | w)``; lower is better. Pass
    documents that the model was not fitted on to see whether it generalises. A model
    that is not below `unigram` has learned nothing about which words occur together.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted: any embedder that learns from documents, except `CBOWEmbedder`.
    X : iterable of documents, or matrix
        Documents as in the estimator's `score`; with ``input="cooccurrence"`` a matrix
        is one of counts, as in `fit`. Words outside the vocabulary are dropped.

    Returns
    -------
    CrossEntropy
        The cross-entropy of the model, of the `unigram` and of equal probabilities.

    Raises
    ------
    TypeError
        If the estimator has no probability of a context given one word.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If a document is not valid, or no two words of the vocabulary co-occur.

    See Also
    --------
    held_out_loss : The objective of negative sampling on documents.

    Notes
    -----
    The prior is what the optimum of the objective leaves to be added to a score:

    - `SGNSEmbedder`: the distribution of the noise words, because scores estimate
      ``ln P(c | w) - ln p_noise(c) - ln(negative)``. With
      ``share_context="noise"`` and "three", scores of observed pairs are not compared
      with noise words, so the result says how far they are from probabilities.
    - `SoftmaxEmbedder`: 1, because scores are logarithms of probabilities. With
      ``loss="hierarchical"``, these are products along the paths of the tree.
    - `GloVeEmbedder`: 1, because scores estimate logarithms of counts.
    - `PPMISVDEmbedder`: the smoothed distribution of contexts, because scores estimate
      the PMI minus ``ln(shift)``. Where they estimate a 0 that stands for a negative
      PMI, the probability is too large.

    With ``directional=True``, every pair is predicted from the word and the side on
    which the context is.

    Pairs of `X` are those within `window`, with the weights of `window_weighting`, in
    the text without subsampling. If the estimator has a `subsample`, the weight of a
    pair is multiplied by the probabilities that its two words are kept. No random
    numbers are drawn. This holds for `SGNSEmbedder` too, although its training drops
    words before it lays windows. Estimators with equal `window`, `window_weighting` and
    `subsample` are therefore compared on the same pairs. Their weights differ slightly,
    because SGNS measures the frequencies of words in tokens, and other estimators in
    pairs. With ``subsample=0``, weights are equal.

    `unigram` is the distribution of the contexts in the data of the fit, after its
    `subsample`: of kept tokens for SGNS on text, otherwise of weighted pairs. For GloVe
    these include the pairs that early stopping holds out. A context without a count
    would have the probability 0, and an infinite cross-entropy. In the priors and in
    `unigram`, it counts as much as the rarest context that has a count. A word that was
    in no pair has a vector of zeros: prior, biases and offsets alone decide what it
    predicts.

    Examples
    --------
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.inspection import held_out_cross_entropy
    >>> documents = [["salt", "pepper"], ["sun", "moon"]] * 10
    >>> embedder = PPMISVDEmbedder(4, subsample=0).fit(documents)
    >>> found = held_out_cross_entropy(embedder, [["pepper", "salt"]])
    >>> [round(nats, 2) for nats in (found.model, found.unigram, found.uniform)]
    [0.56, 1.39, 1.39]
    """
    estimator = check_estimator(estimator)
    # A model that does not predict contexts from one word says so before X is read.
    estimator._log_prior()
    corpus = reader.look_up_pairs(estimator, X)
    with one_blas_thread():
        return losses.cross_entropy(estimator, corpus)
