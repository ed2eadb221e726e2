"""Global vectors."""

from numbers import Real
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import Interval

from skembed._base import NEGATIVE_DIMS, TRAINING, BaseEmbedder
from skembed._counts import adding, subsampling
from skembed._solvers import glove, losses
from skembed._solvers import memory as _estimating
from skembed._solvers.epochs import Epochs
from skembed._solvers.initial import RandomStart
from skembed._solvers.job import Job, count_pairs
from skembed._tying import strategies
from skembed._utils.interrupts import interruptible


class GloVeEmbedder(BaseEmbedder):
    r"""Word vectors by weighted least squares on co-occurrence counts (GloVe).

    Minimises ``f(x) (u_w . v_c + b_w + b_c - ln x)**2`` over all pairs of words that
    co-occur x times (after `subsample`), with ``f(x) = min(1, (x / x_max)**alpha)``, by
    AdaGrad: Pennington, Socher & Manning (2014), eq. 8 and 9.

    Parameters
    ----------
    n_components : int, default=100
        Number of dimensions of a word vector.
    share_context : {False, True, "signed"}, default=False
        How context vectors relate to word vectors:

        - False: two tables, as published;
        - True: one table, a word's context vector is its word vector;
        - "signed": one table; some dimensions count negatively in the score.
    negative_dims : float or int, default=0.1
        Share of the dimensions that count negatively under "signed", at least one; an
        int is their number. They come last.
    x_max : float, default=10
        Counts from which on the weight of a pair is 1. The authors take 100 for
        corpora of billions of tokens.
    alpha : float, default=0.75
        Exponent of the weight below.
    subsample : float, default=0.0
        Counts of frequent words weigh less: that of a pair is multiplied by the keep
        probabilities of both words, each ``sqrt(subsample / f) + subsample / f`` or 1,
        where f is the word's share of all contexts. It is as if occurrences were left
        out as in :class:`~skembed.SGNSEmbedder`, but nothing is drawn, and windows are
        those of the whole text. 0 keeps all.
    learning_rate : float, default=0.1
        Initial step size of AdaGrad.
    max_iter : int or "auto", default="auto"
        Number of epochs, at most. "auto" is 25 for 100,000 tokens, and in inverse
        proportion to the square root of their number for others, from 15 to 60;
        `n_iter_` tells the number.
    early_stopping : bool, default=False
        Hold out some pairs of words, and end training when the loss on them stops
        falling, by the rule of :class:`~sklearn.neural_network.MLPClassifier`. The
        vectors are then those of the epoch with the least validation loss.
    validation_fraction : float or None, default=0.1
        With `early_stopping`: share of the pairs of words that is held out, at random.
        None holds out nothing: the training loss is watched, and the last epoch kept.
    n_iter_no_change : int, default=3
        With `early_stopping`: training ends when the loss has not fallen by `tol` for
        more than so many epochs in a row.
    tol : float, default=1e-6
        With `early_stopping`: what a loss must be below the least one before, to count
        as falling.
    warm_start : bool, default=False
        Whether `fit` begins with the vectors of the fit before, if there was one; the
        sums of squared gradients are kept, too. Rows stay, see `new_words`.
    init : dict or array-like of shape (n_words, n_components), default=None
        Word vectors to begin with: of each word, or of the words of `vocabulary` in the
        order of its rows; gensim's ``KeyedVectors`` are taken like a dict. Words
        without one begin with a random vector. In a fit that goes on, those of words
        that it knows already are not used.
    window : int, default=10
        Largest distance between a word and its context, in tokens of the vocabulary.
    window_weighting : {"dynamic", "flat", "harmonic"}, default="harmonic"
        How a context at distance d counts: ``(window + 1 - d) / window``, 1 or
        ``1 / d``.
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        How a raw document is cut into tokens, as in
        :class:`~sklearn.feature_extraction.text.TfidfVectorizer`. A callable takes a
        document and returns a list of str. Does not apply to tokenised documents;
        the same holds for `lowercase`, `strip_accents` and `token_pattern`.
    lowercase : bool, default=True
        Convert raw documents to lower case.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        Remove accents from raw documents.
    stop_words : {"english"} or list of str, default=None
        Words to leave out, before windows are laid. As in scikit-learn, of raw
        documents only those of ``analyzer="word"``.
    token_pattern : str or None, default=r"(?u)\b\w\w+\b"
        Regular expression of a token, for ``analyzer="word"``.
    min_count : int, default=5
        Words that occur less often are left out. Ignored with `vocabulary`.
    max_features : int, default=None
        Keep only this many of the most frequent words.
    vocabulary : mapping of str to int, or collection of str, default=None
        The words to learn vectors of, instead of those that `min_count` and
        `max_features` select. Of a matrix: the columns to keep or, where these have
        no names, the names of all; these may also be int, such as ids of nodes.
    new_words : {"grow", "freeze"}, default="grow"
        What becomes of words that a further fit on text meets first, in `partial_fit`
        or with `warm_start`: those that occur `min_count` times in its documents get
        rows behind the others, up to `max_features` in all; or they are left out. With
        `vocabulary` they always are.
    input : {"content", "cooccurrence"}, default="content"
        What `fit` takes: documents, as text or as a matrix of shape
        (n_documents, n_words); or a square matrix of co-occurrence counts,
        words x contexts. `window`, `window_weighting`, `min_count` and the parameters
        of tokens do not apply to matrices.
    missing : {"error", "empty"}, default="error"
        What becomes of missing documents (None, NaN, ``pd.NA``, ``NaT``): an error, or
        "empty" documents.
    combine : {"word", "context", "sum", "concat"}, default="sum"
        Which vector stands for a word in `transform`. "sum" adds the context vector,
        scaled to the length of the word vector; "concat" concatenates the two.
    pooling : str or object, default="tfidf"
        How the vectors of a document's words become one row: "mean", "max", "sum",
        "mean_max", "tfidf", "sif", "usif", "vlad" or an object with the methods
        ``fit`` and ``pool``; see :mod:`skembed.pooling`.
    scale : {"spherical", "standard", None}, default="spherical"
        The scale of the features. `fit` learns it from the training documents, and
        `partial_fit` keeps it. "spherical" centres the columns and then makes each row
        3 long, which suits classifiers with default parameters. "standard" centres the
        columns, divides them by their standard deviations, and makes rows 3 long as
        root mean square. None leaves the pooled vectors as they are. A document
        without known words is a row of zeros.
    norm : {"l2"}, default=None
        Scale each row to unit length, after `scale`.
    dtype : {"auto", "float32", "float64"} or type, default="auto"
        Type of the features; "auto" is float64 for a matrix of float64, else float32.
        Vectors are float32.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same bits on every run.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules: None is 1 outside a
        :func:`joblib.parallel_config`, -1 all processors. The result does not depend
        on it.
    verbose : int, default=0
        1: print a line for each step and epoch, and one every ten seconds within them;
        2 or more: one every second.
    memory : str, path or object with the joblib.Memory interface, default=None
        Keep vocabulary and co-occurrence counts of a text in this folder: another
        `fit` of the same documents, as in a grid search, reads them from there. A
        callable `analyzer` is known by its code, but not by that of other functions
        which it calls: clear the folder when these change.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Row of each word; by count, descending, then by word. Words are int where the
        columns of a matrix are labelled by int.
    word_counts_ : ndarray of shape (n_words,), int64 or float64
        Occurrences of each word; float64 with sample weights or a matrix of floats.
        Of co-occurrence counts, the sum of each row.
    pooling_ : object
        The fitted pooling.
    feature_means_, feature_scales_ : ndarray of shape (n_features_out,), float64
        Means and standard deviations of the training documents' pooled vectors; not
        there with ``scale=None``.
    n_features_in_ : int
        Columns of the matrix in `fit`; not there after a fit on text.
    feature_names_in_ : ndarray of shape (`n_features_in_`,), object
        Their names, if all of them are str.
    word_vectors_ : ndarray of shape (n_words, n_components), float32
        Word vectors; zeros for a word that was in no pair.
    context_vectors_ : ndarray of shape (n_words, n_components), float32
        Context vectors, as they enter the score; the same object as
        `word_vectors_` where the two are shared.
    word_biases_, context_biases_ : ndarray of shape (n_words,), float32
        Learned biases; the same object in one-table models.
    context_signs_ : ndarray of shape (n_components,), float32
        With ``share_context="signed"``: the sign of each dimension in the score.
    loss_curve_ : ndarray of shape (`n_iter_`,), float64
        Mean objective per pair of words and epoch.
    validation_loss_curve_ : ndarray, float64
        With ``early_stopping=True``: the same of the pairs that are held out, after
        every epoch.
    n_iter_ : int
        Number of epochs, of all fits that went on from each other.
    n_embedding_parameters_ : int
        Learned numbers: tables and biases.

    See Also
    --------
    SGNSEmbedder : Skip-gram with negative sampling.
    PPMISVDEmbedder : Factorisation of the PMI matrix in closed form.

    Notes
    -----
    Steps follow half the gradient of the objective and the sums of its squares start
    at 1, as in the authors' program; unlike there, the learning rate is not part of
    the squares, so that steps become smaller sooner. Words are put into random order
    and pairs are visited in blocks of rows and columns that fit in the cache.

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

    def _fit_vectors(self, job):
        n_words = len(job.vocabulary)
        layout = self._layout(n_words, job.strategy)
        random = np.random.default_rng(job.seeds)
        # Words in random order, so that blocks hold about equally many pairs.
        row_of = random.permutation(n_words).astype(np.int32)
        counts = self._permuted_counts(job, row_of)
        kept = adding.keep(counts, job.corpus.counts is None, row_of)
        totals = subsampling.context_totals(counts)
        kept["_context_totals"] = totals[row_of]
        subsampling.weigh(counts, totals, self.subsample)
        params = layout.allocate()
        n_learned = self.n_components + 1
        start = RandomStart(random, len(params), n_learned, self.n_components)
        start.write(params)
        squares = glove.start_squares(layout, job.resume, row_of)
        job.resume.write_init(params, job.vocabulary.rows, row_of)
        if job.resume.continues:
            layout.refill(params, job.resume.learned, row_of[: job.resume.n_words])
        tables = glove.Tables(layout, params, squares, row_of, start)
        training = glove.Training(self, job, counts, tables, random)
        del counts
        fitted = Epochs(training, self, job).run()
        fitted.attributes.update(kept)
        return fitted

    def _permuted_counts(self, job: Job, row_of: np.ndarray) -> sparse.csr_array:
        """Return co-occurrence counts with word w in row and column ``row_of[w]``."""
        corpus = job.corpus
        if corpus.counts is None and self.memory is None and not job.resume.adds:
            # Counting in this order saves sorting; what is kept has one order only.
            corpus = corpus._replace(token_ids=row_of[corpus.token_ids])
            return count_pairs(self, job._replace(corpus=corpus))
        counts = count_pairs(self, job)
        return interruptible(adding.permute, counts, np.argsort(row_of))
