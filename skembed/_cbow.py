"""Continuous bag of words with negative sampling."""

from typing import ClassVar

from sklearn.utils._param_validation import StrOptions

from skembed._docstrings import complete_docstring
from skembed._negative_sampling import _NegativeSamplingEmbedder


@complete_docstring(
    windows=", realised by drawing the size of every window",
    directed='The context is the predicted word. With "right", it follows the others.',
    further_fits="`partial_fit`, `warm_start`",
    steps="step and epoch",
    kept="tokens and vocabulary",
    held_out="documents",
    also_kept="The learning rate decays anew.",
    predicted="predicted word",
    unit=", in nats",
    counted="tables, biases and the map",
)
class CBOWEmbedder(_NegativeSamplingEmbedder):
    r"""Word vectors by continuous bag of words with negative sampling (word2vec).

    The word in the middle of a window is predicted from the mean (or sum) of the
    vectors around it, against noise words drawn from the smoothed word frequencies:
    Mikolov, Chen, Corrado & Dean (2013), section 3.1, with the objective of Mikolov,
    Sutskever et al. (2013), eq. 4. With ``share_context=False``, ``bias="auto"`` means
    None, and the model is that of word2vec. The other values of `share_context` change
    which parameters word and context vectors share.

    Parameters
    ----------
    %(n_components)s
    %(share_context)s
    aggregation : {"mean", "sum"}, default="mean"
        How the vectors of the surrounding words become the hidden vector that predicts
        the word. As in word2vec, every vector in a mean moves by the full step of the
        mean.
    bias : %(biases)s, default="auto"
        What is added to the dot product of the hidden vector and the context vector
        of the predicted word c:

        - None: nothing, as in word2vec;
        - "shift": ``-ln(negative)``;
        - "exact": ``ln p(c) - ln(negative * p_noise(c))``, the whole known part of
          the optimum, so that vectors have to learn the PMI only;
        - "word": the learned bias of the predicted word. With one table, the mean (or
          sum) of the biases of the surrounding words is added;
        - "auto": "exact" for ``share_context=True``, None otherwise.
    %(negative_dims)s
    %(vectors_moved)s
    %(noise)s
    %(subsampled_tokens)s
    %(training)s
    %(shared_parameters)s

    Attributes
    ----------
    %(shared_attributes)s
    %(sampled_vectors)s
    context_vectors_ : ndarray of shape (n_words, n_components), float32
        Vectors of predicted words, as they enter the score. They are the same object
        as `word_vectors_` if the two are shared.
    %(sampled_biases)s
    noise_biases_ : ndarray of shape (n_words,), float32
        With ``bias="word"`` and "noise" or "three".
    %(context_signs)s
    %(sampled_maps)s
    %(loss_curves)s
    %(parameter_count)s

    See Also
    --------
    SGNSEmbedder : Every word of a window is predicted separately.
    GloVeEmbedder : Least squares on logarithms of co-occurrence counts.
    PPMISVDEmbedder : Factorisation of the PMI matrix in closed form.

    Notes
    -----
    %(determinism)s

    `score_pairs` returns the score of a context that is predicted from a single word.

    References
    ----------
    T. Mikolov, K. Chen, G. Corrado, J. Dean (2013). Efficient estimation of word
    representations in vector space. ICLR workshop.

    T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean (2013). Distributed
    representations of words and phrases and their compositionality. NeurIPS.

    Examples
    --------
    >>> from skembed import CBOWEmbedder
    >>> documents = [["one", "two", "three", "four"]] * 20
    >>> embedder = CBOWEmbedder(n_components=4, subsample=0, random_state=0)
    >>> embedder.fit_transform(documents).shape
    (20, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        **_NegativeSamplingEmbedder._parameter_constraints,
        "aggregation": [StrOptions({"mean", "sum"})],
    }
    _fixed_by_vectors = (
        *_NegativeSamplingEmbedder._fixed_by_vectors,
        "aggregation",
    )

    def __init__(
        self,
        n_components=100,
        *,
        share_context=False,
        aggregation="mean",
        bias="auto",
        negative_dims=0.1,
        update="both",
        exclude_window_noise=False,
        negative=5,
        noise_exponent=0.75,
        subsample=1e-4,
        learning_rate=0.1,
        max_iter="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        tol=1e-4,
        warm_start=False,
        init=None,
        window=5,
        window_weighting="dynamic",
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
        combine="word",
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
            bias=bias,
            negative_dims=negative_dims,
            update=update,
            exclude_window_noise=exclude_window_noise,
            negative=negative,
            noise_exponent=noise_exponent,
            subsample=subsample,
            learning_rate=learning_rate,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            init=init,
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
        self.aggregation = aggregation

    @property
    def _aggregation(self):
        return self.aggregation

    def _log_prior(self, side=""):
        raise TypeError(
            "A CBOWEmbedder predicts a word from all words of a window, so it has no "
            "probability of a context given one word. Use "
            "skembed.inspection.held_out_loss, or an SGNSEmbedder."
        )
