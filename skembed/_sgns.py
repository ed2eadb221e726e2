"""Skip-gram with negative sampling."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skembed import _sampling, _tying
from skembed._base import BaseEmbedder, Fitted
from skembed._memory import aligned_zeros
from skembed._progress import Progress
from skembed._sampling import Draws
from skembed._vocabulary import Corpus

# Words of a lane between two exchanges of updates, and noise words they share;
# multiples of 16.
_SPAN = 32
_SHARED_NOISE = 16
_MAX_LANES = 16
# Updates of one row that a round may add up before they become too stale: measured
# in pairs of the most frequent word.
_MAX_PAIRS_OF_A_ROW = 64
_MIN_TOKENS_OF_A_LANE = 1000
_LAST_RATE = 1e-4
# Rounds between two looks at signals, less than 0.1 s.
_SLICE = 256


class SGNSEmbedder(BaseEmbedder):
    r"""Word vectors by skip-gram with negative sampling (word2vec).

    Every word of a window is predicted from the word in its middle, against noise
    words drawn from the smoothed word frequencies: Mikolov et al. (2013), eq. 4. With
    ``share_context=False`` (and ``bias=None``, which "auto" then means) this is
    the model of word2vec; the other values of `share_context` keep one table.

    Parameters
    ----------
    n_components : int, default=100
        Number of dimensions of a word vector.
    share_context : {False, True, "signed"}, default=False
        How context vectors relate to word vectors:

        - False: two tables, as published;
        - True: one table, a word's context vector is its word vector;
        - "signed": one table; some dimensions (10 %) count negatively in the score.
    bias : {"auto", None, "shift", "exact", "word"}, default="auto"
        What is added to the dot product of word and context vector:

        - None: nothing, as in word2vec;
        - "shift": ``-ln(negative)``;
        - "exact": ``ln p(c) - ln(negative * p_noise(c))``, the whole known part of
          the optimum, so that vectors have to learn the PMI only;
        - "word": a learned bias per word, that of the context with two tables, the
          sum of both words' with one;
        - "auto": "exact" for ``share_context=True``, None otherwise.
    negative : int, default=5
        Noise words per pair.
    noise_exponent : float, default=0.75
        Noise words are drawn in proportion to count ** noise_exponent.
    subsample : float, default=1e-3
        Occurrences of words of a relative frequency f are kept with probability
        ``sqrt(subsample / f) + subsample / f``. 0 keeps all.
    learning_rate : float, default=0.025
        Decays linearly to 1e-4 of itself.
    max_iter : int, default=5
        Number of epochs.
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
    vocabulary : mapping of str to int, or iterable of str, default=None
        The words to learn vectors of, instead of those that `min_count` and
        `max_features` select.
    combine : {"word", "context", "sum", "concat"}, default="word"
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
        Learned biases, with ``bias="word"`` only: `context_biases_` with two tables,
        both (the same object) with one.
    context_signs_ : ndarray of shape (n_components,), float32
        With ``share_context="signed"``: the sign of each dimension in the score.
    loss_curve_ : ndarray of shape (n_epochs,), float64
        Mean objective per pair and epoch, in nats.
    n_iter_ : int
        Number of epochs.
    n_embedding_parameters_ : int
        Learned numbers: tables and biases.

    See Also
    --------
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

    With ``noise_exponent=1`` the optimum of the objective is close to
    ``s(w, c) = PMI(w, c) - ln(negative)`` (Levy & Goldberg 2014); other exponents add
    ``ln p(c) - ln p_noise(c)``. One table without `bias` cannot express that negative
    mean, which is why ``share_context=True`` has one by default.

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
        **BaseEmbedder._parameter_constraints,
        "bias": [StrOptions(set(filter(None, _tying.biases()))), None],
        "negative": [Interval(Integral, 1, None, closed="left")],
        "noise_exponent": [Interval(Real, 0, None, closed="left")],
        "subsample": [Interval(Real, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_components=100,
        *,
        share_context=False,
        bias="auto",
        negative=5,
        noise_exponent=0.75,
        subsample=1e-3,
        learning_rate=0.025,
        max_iter=5,
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
        combine="word",
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
        self.bias = bias
        self.negative = negative
        self.noise_exponent = noise_exponent
        self.subsample = subsample
        self.learning_rate = learning_rate
        self.max_iter = max_iter

    def _fit_vectors(self, corpus, vocabulary, strategy, seeds):
        from skembed._kernels import spans

        bias = _tying.get_bias(self.bias, strategy)
        layout = strategy.layout(len(vocabulary), self.n_components)
        draws = _sampling.draws(vocabulary.counts, self.subsample, self.noise_exponent)
        offset = bias.offset(draws.kept / draws.kept.sum(), draws.noise, self.negative)

        params = layout.allocate()
        random = np.random.default_rng(seeds.spawn(1)[0])
        start = random.random((len(vocabulary), self.n_components), dtype=np.float32)
        params[: len(vocabulary), : self.n_components] = start - np.float32(0.5)
        params /= self.n_components

        model = spans.Model(
            params,
            layout.scale(1.0),
            offset,
            layout.n_components,
            layout.context_row,
            layout.noise_row,
            float(bias.learned and layout.one_table),
            float(bias.learned),
        )
        progress = self._train(corpus, model, draws, seeds)

        word_vectors, context_vectors = layout.vectors(params)
        word_biases, context_biases = layout.biases(params)
        attributes = progress.learned()
        if strategy.signed:
            attributes["context_signs_"] = layout.signs
        notes = []
        if strategy.needs_constant and bias.name is None and self.negative > 1:
            notes.append(
                f"share_context={strategy.name!r} with bias=None cannot express the "
                "negative mean of the scores, -ln(negative), and hardly learns; use "
                "bias='auto'."
            )
        return Fitted(
            word_vectors,
            context_vectors,
            offset,
            np.ones(self.n_components, dtype=np.float32),
            word_biases if bias.learned and layout.one_table else None,
            context_biases if bias.learned else None,
            attributes,
            notes,
        )

    def _train(self, corpus: Corpus, model: Any, draws: Draws, seeds: Any) -> Progress:
        """Run all epochs; `model` is updated in place."""
        from skembed._kernels import sgns, spans

        weights = self._window_weights(corpus)
        thresholds = _sampling.window_thresholds(
            self.window, self.window_weighting, corpus.longest
        )
        sampler = spans.Sampler(
            thresholds,
            *_sampling.alias_table(draws.noise),
            _SHARED_NOISE,
            float(self.negative),
        )
        n_lanes = _n_lanes(draws.kept, weights)
        lanes, scratch = _buffers(n_lanes, thresholds.size, model.params.shape[1])
        states = seeds.generate_state(n_lanes + 1, np.uint64)
        lanes.states[:] = states[:n_lanes]
        keep_thresholds = (draws.keep * 2.0**32).astype(np.uint64)
        kept = np.empty_like(corpus.token_ids)
        progress = Progress(self, "tokens", corpus.token_ids.size)
        for epoch in range(self.max_iter):
            n_kept = spans.subsample(
                corpus.token_ids,
                corpus.doc_offsets,
                keep_thresholds,
                states[n_lanes:],
                kept,
            )
            lanes.loss[:] = 0.0
            lanes.pairs[:] = 0
            longest_lane = -(-n_kept // n_lanes)
            n_rounds = -(-longest_lane // _SPAN)
            rates = self._rates(epoch, n_rounds)
            # Between two slices Python looks at signals.
            for first in range(0, n_rounds, _SLICE):
                rounds = (first, min(first + _SLICE, n_rounds))
                sgns.train_rounds(
                    kept[:n_kept], model, sampler, lanes, scratch, rounds, rates
                )
            if not lanes.pairs.any():
                raise ValueError(
                    f"subsample={self.subsample} left no pair of words in epoch "
                    f"{epoch + 1}: the {corpus.token_ids.size} tokens are too few for "
                    "it. Pass subsample=0."
                )
            progress.finish_epoch(lanes.loss.sum() / lanes.pairs.sum(), model.params)
        return progress

    def _rates(self, epoch: int, n_rounds: int) -> tuple[float, float]:
        """Return an epoch's first learning rate and its change per round."""
        # One type for the kernel: float32 rates would compile it once more.
        rate, epochs = float(self.learning_rate), int(self.max_iter)
        drop = rate * (1.0 - _LAST_RATE)
        return rate - drop * epoch / epochs, -drop / (epochs * max(n_rounds, 1))


def _n_lanes(kept: np.ndarray, weights: np.ndarray) -> int:
    """Return how many spans may be computed before updates are added.

    It depends on the documents and parameters only, never on the machine.
    """
    pairs = 2.0 * weights.sum() * _SPAN * kept.max() / kept.sum()
    most = min(
        _MAX_LANES, kept.sum() / _MIN_TOKENS_OF_A_LANE, _MAX_PAIRS_OF_A_ROW / pairs
    )
    return max(1, int(most))


def _buffers(n_lanes: int, window: int, width: int) -> tuple[Any, Any]:
    """Return the lanes' buffers and the work space of one thread, all zeros."""
    from skembed._kernels import spans

    contexts = -(-(_SPAN + 2 * window) // 16) * 16
    n_slots = _SPAN + contexts + _SHARED_NOISE
    lanes = spans.Lanes(
        states=np.zeros(n_lanes, dtype=np.uint64),
        used=np.zeros((n_lanes, 2), dtype=np.int64),
        words=np.zeros((n_lanes, n_slots), dtype=np.int32),
        updates=aligned_zeros((n_lanes, n_slots, width)),
        curvatures=np.zeros((n_lanes, n_slots), dtype=np.float32),
        loss=np.zeros(n_lanes),
        pairs=np.zeros(n_lanes, dtype=np.int64),
    )
    scratch = spans.Scratch(
        vectors=aligned_zeros((n_slots, width)),
        biases=aligned_zeros((n_slots,)),
        bias_steps=np.zeros(n_slots, dtype=np.float32),
        norms=np.zeros(n_slots, dtype=np.float32),
        window=np.zeros((_SPAN, 2), dtype=np.int64),
        scores=aligned_zeros((_SPAN, n_slots)),
        weights=aligned_zeros((_SPAN, n_slots)),
    )
    return lanes, scratch
