"""Skip-gram with negative sampling."""

from typing import ClassVar

from skembed._docstrings import complete_docstring
from skembed._negative_sampling import _NegativeSamplingEmbedder
from skembed._solvers import losses


@complete_docstring(
    windows=", realised by drawing the size of every window",
    further_fits="`partial_fit`, `warm_start`",
    steps="step and epoch",
    kept="tokens and vocabulary",
    held_out="documents",
    also_kept="The learning rate decays anew.",
    predicted="pair",
    unit=", in nats",
    counted="tables, biases and the map",
)
class SGNSEmbedder(_NegativeSamplingEmbedder):
    r"""Word vectors by skip-gram with negative sampling (word2vec).

    Every word of a window is predicted from the word in the middle, against noise
    words drawn from the smoothed word frequencies: Mikolov et al. (2013), eq. 4. With
    ``share_context=False``, ``bias="auto"`` means None, and the model is that of
    word2vec. The other values of `share_context` change which parameters word and
    context vectors share.

    Parameters
    ----------
    %(n_components)s
    %(share_context)s
    bias : %(biases)s, default="auto"
        What is added to the dot product of word and context vector:

        - None: nothing, as in word2vec;
        - "shift": ``-ln(negative)``;
        - "exact": ``ln p(c) - ln(negative * p_noise(c))``, the whole known part of
          the optimum, so that vectors have to learn the PMI only;
        - "word": the learned bias of the context. With one table, the bias of the word
          is added;
        - "auto": "exact" for ``share_context=True``, None otherwise.
    %(negative_dims)s
    directional : bool, default=False
        Whether to learn separate tables of left and of right contexts. Needs
        ``share_context=False``.
    %(vectors_moved)s
    %(noise)s
    %(subsampled_tokens)s
    %(training)s
    %(shared_parameters)s

    Attributes
    ----------
    %(shared_attributes)s
    %(sampled_vectors)s
    %(context_vectors)s
    %(sampled_biases)s
    left_context_biases_, right_context_biases_, noise_biases_ : ndarray, float32
        With ``bias="word"``: biases of the separate tables of "noise", "three" and
        ``directional=True``. `context_biases_` is the mean of those of the two sides.
    %(context_signs)s
    %(sampled_maps)s
    %(sided_vectors)s
    %(loss_curves)s
    %(parameter_count)s

    See Also
    --------
    CBOWEmbedder : The word in the middle is predicted from the mean of a window.
    GloVeEmbedder : Least squares on logarithms of co-occurrence counts.
    PPMISVDEmbedder : Factorisation of the PMI matrix in closed form.

    Notes
    -----
    %(determinism)s

    With ``noise_exponent=1``, the optimum of the objective is close to
    ``s(w, c) = PMI(w, c) - ln(negative)`` (Levy & Goldberg 2014). Other exponents add
    ``ln p(c) - ln p_noise(c)``. The mean of these scores is negative. One table without
    a bias cannot express a negative mean, so ``share_context=True`` has a bias by
    default.

    References
    ----------
    T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean (2013). Distributed
    representations of words and phrases and their compositionality. NeurIPS.

    O. Levy, Y. Goldberg (2014). Neural word embedding as implicit matrix
    factorization. NeurIPS.

    Examples
    --------
    >>> from skembed import SGNSEmbedder
    >>> documents = [["one", "two", "three", "four"]] * 20
    >>> embedder = SGNSEmbedder(n_components=4, subsample=0, random_state=0)
    >>> embedder.fit_transform(documents).shape
    (20, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        **_NegativeSamplingEmbedder._parameter_constraints,
        "directional": ["boolean"],
    }
    _fixed_by_vectors = (
        *_NegativeSamplingEmbedder._fixed_by_vectors,
        "directional",
    )
    _aggregation = None

    def __init__(
        self,
        n_components=100,
        *,
        share_context=False,
        bias="auto",
        negative_dims=0.1,
        directional=False,
        update="both",
        exclude_window_noise=False,
        negative=5,
        noise_exponent=0.75,
        subsample=1e-4,
        learning_rate=0.05,
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
        self.directional = directional

    def _log_prior(self, side=""):
        # The score estimates ln P(c | w) - ln p_noise(c) - ln(negative).
        return losses.log_shares(self._context_totals, self.noise_exponent)
