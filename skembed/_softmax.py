"""Skip-gram with a softmax over all contexts, full or hierarchical."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skembed._base import NEGATIVE_DIMS, TRAINING, BaseEmbedder
from skembed._docstrings import complete_docstring
from skembed._solvers import hierarchical, losses, softmax, tree
from skembed._solvers import memory as _estimating
from skembed._solvers.epochs import Epochs
from skembed._solvers.job import RandomStart, shuffled_pairs, start_squares
from skembed._tying import strategies
from skembed._utils.threads import one_blas_thread


@complete_docstring(
    windows="",
    further_fits="`partial_fit`, `warm_start`",
    steps="step and epoch",
    kept="vocabulary and co-occurrence counts",
    held_out="co-occurrences",
    also_kept="Co-occurrence counts and sums of squared gradients are kept, too.",
    predicted="pair of words",
    unit=", in nats and without the penalty",
    counted="tables, learned biases and vectors of inner nodes",
)
class SoftmaxEmbedder(BaseEmbedder):
    r"""Word vectors by maximum likelihood: skip-gram with a softmax over all contexts.

    Minimises the cross-entropy of the contexts of each word,
    ``- sum N(w, c) ln P(c | w)``, over co-occurrence counts N. With
    ``loss="softmax"``, ``P(c | w)`` is proportional to ``exp(x_w . y_c + b_c)``
    (Mikolov et al. 2013b, eq. 2). With ``loss="hierarchical"``, it is a product of
    binary choices on the path from the root of a Huffman tree to c (Morin & Bengio
    2005; Mikolov et al. 2013b, eq. 3). The objective depends on the counts only, so an
    epoch takes the same time for any number of tokens with the same distinct pairs.

    Parameters
    ----------
    %(n_components)s
    loss : {"softmax", "hierarchical"}, default="softmax"
        The softmax over all contexts, or the tree. The time of an epoch is in
        proportion to ``n_words ** 2`` for the exact softmax. With draws, it is in
        proportion to the number of distinct pairs plus ``n_words * n_draws``. For the
        tree, it is in proportion to the number of distinct pairs times the length of a
        path.
    %(share_context)s

        With ``loss="hierarchical"``, the inner nodes of the tree take the place of the
        contexts. A separate table holds a vector for each of them. In one-table
        strategies, the vector of a node is the mean of the word vectors of its left
        leaves minus the mean of those of its right leaves.
    bias : {"auto", None, "exact", "word"}, default="auto"
        What is added to a score. None adds nothing. "exact" adds what is known before
        training: the logarithm of the context's share of all counts or, for a node of
        the tree, the log-odds of its left side. Vectors of zeros then give the unigram
        distribution. "word" learns a bias for each context or node, which
        starts at that value. "auto" means "exact".
    l2 : float, default=%(default_l2)s
        Factor of the penalty ``0.5 * |x|**2`` of each vector, in the unit of the summed
        loss: pairs of words. A vector that is both word and context is penalised twice.
        The vectors of frequent words are hardly affected. Biases are not penalised.
    negative_dims : float or int, default=0.1
        Share of the dimensions that have a negative sign in the score with "signed";
        at least one dimension. An int is the number of these dimensions. They are the
        last ones.
    n_draws : int or "auto", default="auto"
        With ``loss="softmax"``: number of contexts that are drawn for each block of
        words. They estimate the sum over the contexts that a word was not observed
        with. The sum over observed contexts is exact. 0 draws nothing and computes the
        whole sum exactly. "auto" means 0 up to 15,000 words, and 1024 for more. Only
        training draws: `score` and `score_pairs` are exact.
    %(subsampled_counts)s
    learning_rate : float, default=%(default_learning_rate)s
        Step size of AdaGrad. It rises linearly to this value during the first quarter
        of the epochs, and then decays linearly.
    %(training)s
    %(shared_parameters)s

    Attributes
    ----------
    %(shared_attributes)s
    word_vectors_ : ndarray of shape (n_words, n_components), float32
        Word vectors. The vector of a word that occurred in no pair is zero.
    context_vectors_ : ndarray of shape (n_words, n_components), float32
        Context vectors, as they enter the score. They are the same object as
        `word_vectors_` if the two are shared. Not defined with
        ``loss="hierarchical"`` and a separate table: its rows are not words.
    context_biases_ : ndarray of shape (n_words,), float32
        With ``loss="softmax"`` and ``bias="word"``: learned biases.
    node_vectors_ : ndarray of shape (n_words - 1, n_components), float32
        With ``loss="hierarchical"``: vectors of the inner nodes, as they enter the
        score.
    node_biases_ : ndarray of shape (n_words - 1,), float32
        With ``loss="hierarchical"``: what is added to the score of each node.
    children_ : ndarray of shape (n_words - 1, 2), int32
        With ``loss="hierarchical"``: the left and the right child of each inner node,
        as in :class:`~sklearn.cluster.AgglomerativeClustering`. Values below `n_words`
        are rows of the vocabulary. The value ``n_words + i`` is the inner node i. The
        last one is the root. The left child has a probability of ``sigmoid(score)``.
    %(context_signs)s
    context_map_ : ndarray of shape (n_components,), float32
        With a fixed diagonal of your own whose factors are not all 1 or -1: these.
    %(loss_curves)s
    %(parameter_count)s

    See Also
    --------
    SGNSEmbedder : Skip-gram with negative sampling.
    GloVeEmbedder : Least squares on logarithms of co-occurrence counts.
    skembed.inspection.held_out_cross_entropy : Cross-entropy of all kinds of models.

    Notes
    -----
    `score_pairs` returns ``ln P(c | w)``. There is no softmax for CBOW: its objective
    depends on whole windows, not on counts of pairs.

    With ``bias=None``, the first dimension of vectors of words and contexts starts at 4
    instead of near 0. What this adds to all scores of a word cancels out in the
    softmax. A context whose first number deviates from 4 has higher or lower scores
    with all words, as if it had a bias. From a start near 0, a single table learns this
    very slowly. Nodes with vectors of their own start near 0 in all dimensions, where
    the first number acts as a bias.

    In `partial_fit` and with `warm_start`, words and nodes keep their places in the
    tree. New words get a tree of their own, which is joined with the earlier one under
    a new root.

    References
    ----------
    T. Mikolov, K. Chen, G. Corrado, J. Dean (2013a). Efficient estimation of word
    representations in vector space. ICLR workshop.

    T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean (2013b). Distributed
    representations of words and phrases and their compositionality. NeurIPS.

    F. Morin, Y. Bengio (2005). Hierarchical probabilistic neural network language
    model. AISTATS.

    J. Duchi, E. Hazan, Y. Singer (2011). Adaptive subgradient methods for online
    learning and stochastic optimization. JMLR 12.

    Examples
    --------
    >>> from skembed import SoftmaxEmbedder
    >>> documents = [["one", "two", "three", "four"]] * 20
    >>> embedder = SoftmaxEmbedder(n_components=4, random_state=0)
    >>> embedder.fit_transform(documents).shape
    (20, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseEmbedder._parameter_constraints,
        **TRAINING,
        "loss": [StrOptions({"softmax", "hierarchical"})],
        "bias": [StrOptions({"auto", "exact", "word"}), None],
        "l2": [Interval(Real, 0, None, closed="left")],
        "n_draws": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "subsample": [Interval(Real, 0, None, closed="left")],
        "negative_dims": NEGATIVE_DIMS,
    }
    _auto_bias = "exact"
    _fewest_epochs = 12
    _method = strategies.SOFTMAX
    _fixed_by_vectors = (
        "n_components",
        "loss",
        "share_context",
        "bias",
        "negative_dims",
    )
    _fixed_by_counts = (
        "input",
        "window",
        "window_weighting",
        "direction",
    )
    _state = ("_counts", "_squares")
    _variants = ({}, {"n_draws": 8}, {"loss": "hierarchical"})

    def __init__(
        self,
        n_components=100,
        *,
        loss="softmax",
        share_context=False,
        bias="auto",
        l2=10.0,
        negative_dims=0.1,
        n_draws="auto",
        subsample=1e-3,
        learning_rate=0.3,
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
        self.loss = loss
        self.bias = bias
        self.l2 = l2
        self.negative_dims = negative_dims
        self.n_draws = n_draws
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
    def _is_tree(self) -> bool:
        return self.loss == "hierarchical"

    @property
    def _has_tree(self) -> bool:
        """Whether the last fit has learned a tree, whatever `loss` is now."""
        return hasattr(self, "children_")

    def _estimate(self, sizes):
        return _estimating.softmax(self, sizes)

    def _held_out_loss(self, corpus):
        return losses.softmax(self, corpus)

    def _log_prior(self, side=""):
        # The score is ln P(c | w), up to a constant of the word.
        return np.zeros(len(self.word_vectors_))

    def _cross_entropy_of_counts(self, counts, side=""):
        if self._has_tree:
            return hierarchical.summed_loss(self, counts)
        return super()._cross_entropy_of_counts(counts, side)

    def _fit(self, X, y, sample_weight, stacklevel, adds=False):
        strategy = strategies.get_strategy(self.share_context, self._method)
        self._check_combine(not (self._is_tree and strategy.context_table))
        return super()._fit(X, y, sample_weight, stacklevel + 1, adds)

    @property
    def _tables(self):
        # The parameter may have been changed after the fit.
        self._check_combine(hasattr(self, "context_vectors_"))
        return super()._tables

    def _check_combine(self, has_contexts: bool) -> None:
        """Raise an error if `combine` asks for contexts that a tree does not have."""
        if self.combine != "word" and not has_contexts:
            strategy = strategies.get_strategy(self.share_context, self._method)
            label = strategies.label(strategy)
            raise ValueError(
                f"combine={self.combine!r} needs context vectors. With "
                f"loss='hierarchical' and share_context={label}, the second table "
                "belongs to inner nodes of a tree, which are no words. Pass "
                "combine='word', share_context=True, or loss='softmax'."
            )

    def _fit_vectors(self, job):
        n_words, d = job.counts.size, self.n_components
        settings = softmax.Settings(
            l2=self.l2,
            learning_rate=self.learning_rate,
            n_draws=self._n_draws(n_words),
            bias=self._auto_bias if self.bias == "auto" else self.bias,
            stopping=self._early_stopping,
            n_jobs=self.n_jobs,
        )
        layout = self._layout(n_words, job.strategy)
        random = np.random.default_rng(job.seeds)
        row_of, counts, kept, resumable = shuffled_pairs(self, job, random)
        params = layout.allocate()
        orders, attributes, leaves = [row_of] * layout.n_tables, {}, None
        if self._is_tree:
            huffman = self._tree(job)
            attributes["children_"] = huffman.children
            leaves = tree.reordered(huffman, row_of)
            # The second table has a row for each node, and one that is not used.
            orders[1:] = [np.arange(n_words)] * (layout.n_tables - 1)
        squares = start_squares(params, layout, job.resume, orders)
        RandomStart(random, len(params), d, d).write(params)
        if self.bias is None:
            # The first number of a node's own vector then acts as its bias.
            first_rows = params[:n_words] if self._is_tree else params
            first_rows[:, 0] += softmax.PLAIN_START
        start = params[:, :d].copy()
        job.resume.write_init(params, job.vocabulary.rows, row_of)
        softmax.refill(layout, job.resume, params, orders)
        given = (params[:, :d] != start).any(axis=1)
        del start
        tables = softmax.Tables(
            layout,
            params,
            squares,
            given,
            row_of,
            leaves,
            resumable,
            kept | attributes,
        )
        training = softmax.Training(settings, job, counts, tables, random)
        del counts
        return Epochs(training, settings.stopping, job).run()

    def _n_draws(self, n_words: int) -> int:
        """Return the number of contexts to draw, 0 for the exact sum."""
        if self.n_draws != "auto":
            return self.n_draws
        return softmax.AUTO_DRAWS * (n_words > softmax.EXACT_LIMIT)

    def _tree(self, job: Any) -> tree.Tree:
        """Return the Huffman tree, or that of earlier fits with further words."""
        counts, resume = job.vocabulary.counts, job.resume
        if not resume.continues:
            return tree.huffman(counts)
        earlier = tree.from_children(resume.learned["children_"], resume.n_words)
        return tree.extended(earlier, counts)

    def _scores_of(self, rows, columns, side):
        if self._has_tree:
            pairs = rows.ravel(), columns.ravel()
            found = hierarchical.log_probabilities(self, *pairs)
            return found.reshape(rows.shape).astype(np.float32)
        scores = super()._scores_of(rows, columns, side)
        words, places = np.unique(rows, return_inverse=True)
        with one_blas_thread():
            totals = losses.log_normalisers(self, words)
        return (scores - totals[places].reshape(rows.shape)).astype(np.float32)
