"""Continuous bag of words with negative sampling."""

from typing import ClassVar

from sklearn.utils._param_validation import StrOptions

from skembed._negative_sampling import _NegativeSamplingEmbedder


class CBOWEmbedder(_NegativeSamplingEmbedder):
    r"""Word vectors by continuous bag of words with negative sampling (word2vec).

    The word in the middle of a window is predicted from the mean (or sum) of the
    vectors around it, against noise words drawn from the smoothed word frequencies:
    Mikolov, Chen, Corrado & Dean (2013), section 3.1, with the objective of Mikolov,
    Sutskever et al. (2013), eq. 4. With ``share_context=False`` (and ``bias=None``,
    which "auto" then means) this is the model of word2vec; the other values of
    `share_context` keep one table.

    Parameters
    ----------
    n_components : int, default=100
        Number of dimensions of a word vector.
    share_context : bool or str, default=False
        How context vectors relate to word vectors:

        - False: two tables, as published;
        - True: one table, a word's context vector is its word vector;
        - "signed": one table; some dimensions count negatively in the score;
        - "diagonal": one table, and a learned factor per dimension, which starts at
          the signs of "signed";
        - "bilinear": one table, and a learned matrix A between the two vectors of a
          score ``x' A y``, which starts as the identity;
        - "noise": one table for words and contexts, one for noise words, and
        - "three": tables of words, contexts and noise words. Both degenerate, and say
          so in a warning: nothing keeps the scores of observed pairs from growing.
    aggregation : {"mean", "sum"}, default="mean"
        How the vectors of the words around become the hidden vector that predicts.
        Every vector of a mean moves by what the mean should, as in word2vec.
    bias : {"auto", None, "shift", "exact", "word"}, default="auto"
        What is added to the dot product of the hidden vector and the context vector
        of the predicted word c:

        - None: nothing, as in word2vec;
        - "shift": ``-ln(negative)``;
        - "exact": ``ln p(c) - ln(negative * p_noise(c))``, the whole known part of
          the optimum, so that vectors have to learn the PMI only;
        - "word": a learned bias per word, that of the predicted word with two tables;
          with one, the mean (or sum) of those around is added;
        - "auto": "exact" for ``share_context=True``, None otherwise.
    negative_dims : float or int, default=0.1
        Share of the dimensions that count negatively under "signed" (and do so at the
        start under "diagonal"), at least one; an int is their number. They come last.
    update : {"both", "word"}, default="both"
        Which vectors of a pair gradients reach: both, or the word vector alone, with
        context vectors left at random values where they have a table of their own.
        Learned biases and maps learn in either case.
    exclude_window_noise : bool, default=False
        Leave out noise words that occur in the window, and not only one that equals
        the context at hand, as word2vec does.
    negative : int, default=5
        Noise words per predicted word.
    noise_exponent : float, default=0.75
        Noise words are drawn in proportion to count ** noise_exponent.
    subsample : float, default=1e-4
        Occurrences of words of a relative frequency f are kept with probability
        ``sqrt(subsample / f) + subsample / f``. 0 keeps all.
    learning_rate : float, default=0.1
        Decays linearly to 1e-4 of itself.
    max_iter : int or "auto", default="auto"
        Number of epochs, at most. "auto" is 25 for 100,000 tokens, and in inverse
        proportion to the square root of their number for others, from 5 to 60;
        `n_iter_` tells the number.
    early_stopping : bool, default=False
        Hold out some documents, and end training when the loss on them stops
        falling, by the rule of :class:`~sklearn.neural_network.MLPClassifier`. The
        vectors are then those of the epoch with the least validation loss.
    validation_fraction : float or None, default=0.1
        With `early_stopping`: share of the documents that is held out, at random.
        None holds out nothing: the training loss is watched, and the last epoch kept.
    n_iter_no_change : int, default=3
        With `early_stopping`: training ends when the loss has not fallen by `tol` for
        more than so many epochs in a row.
    tol : float, default=1e-4
        With `early_stopping`: what a loss must be below the least one before, to count
        as falling.
    warm_start : bool, default=False
        Whether `fit` begins with the vectors of the fit before, if there was one, and
        a new way down of the learning rate. Rows stay, see `new_words`.
    init : dict or array-like of shape (n_words, n_components), default=None
        Word vectors to begin with: of each word, or of the words of `vocabulary` in the
        order of its rows; gensim's ``KeyedVectors`` are taken like a dict. Words
        without one begin with a random vector. In a fit that goes on, those of words
        that it knows already are not used.
    window : int, default=5
        Largest distance between a word and its context, in tokens of the vocabulary.
    window_weighting : {"dynamic", "flat", "harmonic"}, default="dynamic"
        How a context at distance d counts: ``(window + 1 - d) / window``, 1 or
        ``1 / d``,
        realised by drawing the size of every window.
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
    combine : {"word", "context", "sum", "concat"}, default="word"
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
        Keep tokens and vocabulary of a text in this folder: another
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
        Word vectors. A word that was in no pair has zeros, unless it was drawn as a
        noise word and its context vector is its word vector.
    context_vectors_ : ndarray of shape (n_words, n_components), float32
        Vectors of predicted words, as they enter the score; the same object as
        `word_vectors_` where the two are shared.
    word_biases_, context_biases_ : ndarray of shape (n_words,), float32
        Learned biases, with ``bias="word"`` only: `context_biases_` with two tables,
        both (the same object) with one.
    noise_biases_ : ndarray of shape (n_words,), float32
        With ``bias="word"`` and "noise" or "three".
    context_signs_ : ndarray of shape (n_components,), float32
        With ``share_context="signed"``: the sign of each dimension in the score.
    context_map_ : ndarray of shape (n_components,) or (n_components, n_components)
        With "diagonal" the learned factors, with "bilinear" the matrix A; float32.
    noise_vectors_ : ndarray of shape (n_words, n_components), float32
        With "noise" and "three": what scores of noise words are taken with.
    loss_curve_ : ndarray of shape (`n_iter_`,), float64
        Mean objective per predicted word and epoch, in nats.
    validation_loss_curve_ : ndarray, float64
        With ``early_stopping=True``: the same of the documents that are held out, after
        every epoch.
    n_iter_ : int
        Number of epochs, of all fits that went on from each other.
    n_embedding_parameters_ : int
        Learned numbers: tables, biases and the map.

    See Also
    --------
    SGNSEmbedder : Every word of a window predicted on its own.
    GloVeEmbedder : Least squares on logarithms of co-occurrence counts.
    PPMISVDEmbedder : Factorisation of the PMI matrix in closed form.

    Notes
    -----
    The result does not depend on the process or the number of processors: tokens are
    cut into a fixed number of lanes whose updates are added in a fixed order. Words
    of a span share their noise words, weighted so that the expected gradient is that
    of `negative` draws per pair. Updates of one row that were computed side by side
    are added up to a bound on its curvature only, so that training stays finite at
    learning rates that are too large.

    `score_pairs` gives the score of a context that is predicted from one word alone.

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

    def _kernel(self):
        from skembed._kernels import cbow

        return cbow.train_rounds

    @property
    def _aggregation(self):
        return self.aggregation
