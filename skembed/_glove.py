"""Global vectors."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import Interval

from skembed import _blocks, _objective, _reading, _tying
from skembed._base import NEGATIVE_DIMS, BaseEmbedder
from skembed._fitted import Fitted
from skembed._vocabulary import Corpus


class GloVeEmbedder(BaseEmbedder):
    r"""Word vectors by weighted least squares on co-occurrence counts (GloVe).

    Minimises ``f(x) (u_w . v_c + b_w + b_c - ln x)**2`` over all pairs of words that
    co-occur x times, with ``f(x) = min(1, (x / x_max)**alpha)``, by AdaGrad:
    Pennington, Socher & Manning (2014), eq. 8 and 9.

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
    x_max : float, default=100
        Counts from which on the weight of a pair is 1. Small corpora need less.
    alpha : float, default=0.75
        Exponent of the weight below.
    learning_rate : float, default=0.05
        Initial step size of AdaGrad.
    max_iter : int, default=15
        Number of epochs.
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
    vocabulary : mapping of str to int, or iterable of str, default=None
        The words to learn vectors of, instead of those that `min_count` and
        `max_features` select. Of a matrix: the columns to keep or, where these have
        no names, the names of all.
    input : {"content", "cooccurrence"}, default="content"
        What `fit` takes: documents, as text or as a matrix of shape
        (n_documents, n_words); or a square matrix of co-occurrence counts,
        words x contexts. `window`, `window_weighting`, `min_count` and the parameters
        of tokens do not apply to matrices.
    combine : {"word", "context", "sum", "concat"}, default="sum"
        Which vector stands for a word in `transform`.
    pooling : str or object, default="mean"
        How the vectors of a document's words become one row: "mean", "max", "sum",
        "mean_max", "tfidf", "sif", "usif" or an object with the methods ``fit`` and
        ``pool``; see :mod:`skembed.pooling`.
    norm : {"l2"}, default=None
        Scale each row to unit length.
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
        If not 0, print a line per epoch.
    memory : str, path or object with the joblib.Memory interface, default=None
        Keep vocabulary and co-occurrence counts of a text in this folder: another
        `fit` of the same documents, as in a grid search, reads them from there. Of a
        callable `analyzer` only the name is compared: clear the folder when it changes.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Row of each word; by count, descending, then by word.
    word_counts_ : ndarray of shape (n_words,), int64 or float64
        Occurrences of each word; float64 with sample weights or a matrix of floats.
        Of co-occurrence counts, the sum of each row.
    pooling_ : object
        The fitted pooling.
    n_features_in_ : int
        Columns of the matrix in `fit`; not there after a fit on text.
    feature_names_in_ : ndarray of shape (`n_features_in_`,), object
        Their names, if all of them are str.
    word_vectors_ : ndarray of shape (n_words, n_components), float32
        Word vectors.
    context_vectors_ : ndarray of shape (n_words, n_components), float32
        Context vectors, as they enter the score; the same object as
        `word_vectors_` where the two are shared.
    word_biases_, context_biases_ : ndarray of shape (n_words,), float32
        Learned biases; the same object in one-table models.
    context_signs_ : ndarray of shape (n_components,), float32
        With ``share_context="signed"``: the sign of each dimension in the score.
    loss_curve_ : ndarray of shape (n_epochs,), float64
        Mean objective per pair of words and epoch.
    n_iter_ : int
        Number of epochs.
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
        "x_max": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "negative_dims": NEGATIVE_DIMS,
    }
    _method: ClassVar[str] = _tying.LEAST_SQUARES

    def __init__(
        self,
        n_components=100,
        *,
        share_context=False,
        negative_dims=0.1,
        x_max=100.0,
        alpha=0.75,
        learning_rate=0.05,
        max_iter=15,
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
        input="content",
        combine="sum",
        pooling="mean",
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
            input=input,
            combine=combine,
            pooling=pooling,
            norm=norm,
            dtype=dtype,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
            memory=memory,
        )
        self.x_max = x_max
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.negative_dims = negative_dims

    def _held_out_loss(self, corpus):
        return _objective.least_squares(self, corpus)

    def _fit_vectors(self, corpus, vocabulary, strategy, seeds):
        layout = strategy.layout(len(vocabulary), self.n_components, self.negative_dims)
        random = np.random.default_rng(seeds)
        # Words in random order, so that blocks hold about equally many pairs.
        row_of = random.permutation(len(vocabulary)).astype(np.int32)
        counts = self._permuted_counts(corpus, row_of)
        params = layout.allocate()
        n_learned = self.n_components + 1
        start = random.random((params.shape[0], n_learned), dtype=np.float32)
        params[:, :n_learned] = (start - np.float32(0.5)) / self.n_components
        progress = _blocks.train(self, counts, params, layout, random)

        word_biases, context_biases, _ = layout.biases(params)
        word_vectors, context_vectors, attributes = layout.vectors(params)
        word_vectors, context_vectors = _reorder(word_vectors, context_vectors, row_of)
        word_biases, context_biases = _reorder(word_biases, context_biases, row_of)
        attributes.update(progress.learned())
        return Fitted(
            layout.n_parameters + layout.n_words * layout.n_tables,
            word_vectors,
            context_vectors,
            np.zeros(len(vocabulary), dtype=np.float32),
            np.ones(self.n_components, dtype=np.float32),
            word_biases,
            context_biases,
            attributes,
        )

    def _permuted_counts(self, corpus: Corpus, row_of: np.ndarray) -> sparse.csr_array:
        """Return co-occurrence counts with word w in row and column ``row_of[w]``."""
        if corpus.counts is None and self.memory is None:
            # Counting in this order saves sorting; what is kept has one order only.
            corpus = corpus._replace(token_ids=row_of[corpus.token_ids])
            return _reading.count_pairs(self, corpus, row_of.size)
        counts = _reading.count_pairs(self, corpus, row_of.size)
        order = np.argsort(row_of)
        counts = counts[order][:, order]
        counts.sort_indices()
        return counts


def _reorder(words, contexts, row_of):
    """Bring rows back to the vocabulary's order; one object stays one object."""
    ordered = words[row_of]
    return ordered, (ordered if contexts is words else contexts[row_of])
