"""Global vectors."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skembed import _cooccurrence
from skembed._base import BaseEmbedder
from skembed._fitted import Fitted
from skembed._memory import aligned_zeros
from skembed._parallel import ThreadTeam, n_threads
from skembed._progress import Progress
from skembed._tying import Layout

# Vectors and squared gradients of a block of words should about fill a core's cache.
_BLOCK_BYTES = 1 << 20
# Blocks that give several threads enough tasks; fewer where tasks would become small.
_BLOCKS_FOR_THREADS = 15
_MIN_ENTRIES_OF_A_BLOCK = 1000
# Work is measured in numbers of a row that are updated; a thread does a hundred
# million of them in some 40 ms. What is worth a thread, and what is done between two
# looks at signals:
_WORK_OF_A_THREAD = 1 << 25
_WORK_OF_A_SLICE = 1 << 28
# Counts whose logarithms are taken at once.
_CHUNK = 1 << 15


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
        - "signed": one table; some dimensions (10 %) count negatively in the score.
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
        `max_features` select.
    combine : {"word", "context", "sum", "concat"}, default="sum"
        Which vector stands for a word in `transform`.
    pooling : {"mean"}, default="mean"
        How the vectors of a document's words become one row.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same bits on every run.
    n_jobs : int or None, default=None
        Number of threads, by joblib's rules: None is 1 outside a
        :func:`joblib.parallel_config`, -1 all processors. The result does not depend
        on it.
    verbose : int, default=0
        If not 0, print a line per epoch.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Row of each word; by count, descending, then by word.
    word_counts_ : ndarray of shape (n_words,), int64
        Occurrences of each word.
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
    }

    def __init__(
        self,
        n_components=100,
        *,
        share_context=False,
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
        combine="sum",
        pooling="mean",
        random_state=None,
        n_jobs=None,
        verbose=0,
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
            combine=combine,
            pooling=pooling,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.x_max = x_max
        self.alpha = alpha
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def _fit_vectors(self, corpus, vocabulary, strategy, seeds):
        layout = strategy.layout(len(vocabulary), self.n_components)
        random = np.random.default_rng(seeds)
        # Words in random order, so that blocks hold about equally many pairs.
        row_of = random.permutation(len(vocabulary)).astype(np.int32)
        counts = _cooccurrence.count_cooccurrences(
            corpus._replace(token_ids=row_of[corpus.token_ids]),
            len(vocabulary),
            self._window_weights(corpus),
            self.n_jobs,
        )
        params = layout.allocate()
        n_learned = self.n_components + 1
        start = random.random((params.shape[0], n_learned), dtype=np.float32)
        params[:, :n_learned] = (start - np.float32(0.5)) / self.n_components
        progress = self._train(counts, params, layout, random)

        word_biases, context_biases = layout.biases(params)
        word_vectors, context_vectors = layout.vectors(params)
        word_vectors, context_vectors = _reorder(word_vectors, context_vectors, row_of)
        word_biases, context_biases = _reorder(word_biases, context_biases, row_of)
        attributes = progress.learned()
        if strategy.signed:
            attributes["context_signs_"] = layout.signs
        return Fitted(
            word_vectors,
            context_vectors,
            np.zeros(len(vocabulary), dtype=np.float32),
            np.ones(self.n_components, dtype=np.float32),
            word_biases,
            context_biases,
            attributes,
        )

    def _train(
        self,
        counts: Any,
        params: np.ndarray,
        layout: Layout,
        random: np.random.Generator,
    ) -> Progress:
        """Run all epochs; `params` is updated in place, the counts are used up."""
        row_bytes = 2 * params.shape[1] * params.itemsize
        n_blocks = _n_blocks(layout.n_words, row_bytes, counts.nnz)
        work = counts.nnz * params.shape[1]
        worth = int(work * self.max_iter / _WORK_OF_A_THREAD)
        size = n_threads(self.n_jobs, min(worth, n_blocks // 2 + 1))
        squares = aligned_zeros(params.shape)
        squares[:] = 1.0
        model = _model(params, squares, layout, self.learning_rate)
        n_stages = max(1, int(_WORK_OF_A_SLICE * 2 * n_blocks / work))
        progress = Progress(self, "pairs", counts.nnz)
        with ThreadTeam(size) as team:
            entries = _sort_entries(counts, n_blocks, self.x_max, self.alpha, team)
            for _ in range(self.max_iter):
                order = random.permutation(n_blocks)
                loss = _train_epoch(entries, model, order, n_stages, team)
                progress.finish_epoch(loss / counts.nnz, params)
        return progress


def _model(
    params: np.ndarray, squares: np.ndarray, layout: Layout, learning_rate: float
) -> Any:
    """Return the parameters and the tying strategy in the kernel's form."""
    from skembed._kernels import glove

    bias = np.zeros(params.shape[1], dtype=np.float32)
    bias[layout.n_components] = 1.0
    return glove.Model(
        params,
        squares,
        layout.scale(0.0),
        bias,
        layout.n_components,
        layout.context_row,
        float(learning_rate),
    )


def _n_blocks(n_words: int, row_bytes: int, n_entries: int) -> int:
    """Return into how many blocks rows and columns are cut: an odd number.

    It depends on the counts only, never on the machine or the number of threads.
    """
    by_cache = n_words * row_bytes // _BLOCK_BYTES
    by_threads = int((n_entries / _MIN_ENTRIES_OF_A_BLOCK) ** 0.5)
    n_blocks = max(by_cache, min(by_threads, _BLOCKS_FOR_THREADS))
    n_blocks = min(n_blocks, n_words)
    return max(1, n_blocks - 1 + n_blocks % 2)


def _sort_entries(
    counts: Any, n_blocks: int, x_max: float, alpha: float, team: ThreadTeam
) -> Any:
    """Return counts as a kernel visits them, in the memory they are in.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Its `indices` and `data` are overwritten.
    n_blocks : int
    x_max, alpha : float
    team : ThreadTeam

    Returns
    -------
    Entries
    """
    from skembed._kernels import glove

    n_words = counts.shape[0]
    edges = np.arange(n_blocks + 1) * n_words // n_blocks
    indptr = counts.indptr.astype(np.int64)
    entries = glove.Entries(
        counts.indices.astype(np.int32, copy=False).view(np.uint32),
        counts.data.view(np.float32).reshape(-1, 2),
        np.zeros(n_blocks**2 + 1, dtype=np.int64),
        edges,
    )
    block_of = np.repeat(np.arange(n_blocks, dtype=np.int32), np.diff(edges))

    def sort_block(thread: int, block: int) -> None:
        first, last = indptr[edges[block]], indptr[edges[block + 1]]
        _take_targets(counts.data[first:last], x_max, alpha)
        spare = (
            np.empty(last - first, dtype=np.uint32),
            np.empty((last - first, 2), dtype=np.float32),
        )
        glove.sort_rows(entries, indptr, block_of, block, spare)

    team.map(sort_block, range(n_blocks))
    return entries


def _take_targets(counts: np.ndarray, x_max: float, alpha: float) -> None:
    """Replace each count x by two float32 numbers in its place: ln x and f(x)."""
    targets = counts.view(np.float32).reshape(-1, 2)
    log_max, exponent = np.log(float(x_max)), float(alpha)
    for first in range(0, counts.size, _CHUNK):
        chunk = slice(first, first + _CHUNK)
        logarithms = np.log(counts[chunk])
        targets[chunk, 0] = logarithms
        logarithms -= log_max
        targets[chunk, 1] = np.exp(exponent * np.minimum(logarithms, 0.0))


def _train_epoch(
    entries: Any, model: Any, order: np.ndarray, n_stages: int, team: ThreadTeam
) -> float:
    """Visit every entry once; return the summed objective.

    Parameters
    ----------
    entries : Entries
    model : Model
    order : ndarray of shape (n_blocks,), int64
        A permutation of the blocks, by which an epoch differs from others.
    n_stages : int
        Stages between two looks at signals.
    team : ThreadTeam
    """
    from skembed._kernels import adagrad, glove

    all_stages = 2 * order.size
    losses = np.zeros((all_stages, order.size // 2 + 1))
    width = model.params.shape[1]
    spaces = [adagrad.Space(*aligned_zeros((3, width))) for _ in range(team.size)]
    for first in range(0, all_stages, n_stages):
        stages = (first, min(first + n_stages, all_stages))
        done = np.zeros(order.size * glove.DONE_NUMBERS, dtype=np.int64)

        def work(
            member: Any,
            stages: tuple[int, int] = stages,
            done: np.ndarray = done,
        ) -> None:
            space = spaces[member.thread]
            glove.train_stages(
                entries, model, order, stages, losses, done, space, member
            )

        team.run(work)
    return float(losses.sum())


def _reorder(words, contexts, row_of):
    """Bring rows back to the vocabulary's order; one object stays one object."""
    ordered = words[row_of]
    return ordered, (ordered if contexts is words else contexts[row_of])
