"""Factorisation of the positive PMI matrix."""

from numbers import Real
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import Interval

from skembed._base import BaseEmbedder
from skembed._counts import count, ppmi
from skembed._docstrings import complete_docstring
from skembed._solvers import losses
from skembed._solvers import memory as _estimating
from skembed._solvers.job import Fitted, Job, count_pairs, kept_counts
from skembed._solvers.svd import TruncatedFactoriser
from skembed._tying import strategies
from skembed._tying.layout import LARGEST
from skembed._utils.interrupts import interruptible
from skembed._utils.threads import one_blas_thread


@complete_docstring(
    windows="",
    further_fits="`partial_fit`",
    steps="step",
    kept="vocabulary and co-occurrence counts",
    counted="those of the tables",
)
class PPMISVDEmbedder(BaseEmbedder):
    r"""Word vectors by factorising the positive PMI matrix in closed form.

    The matrix is ``max(0, PMI(w, c) - ln(shift))`` with smoothed contexts (Levy &
    Goldberg 2014, eq. 11; Levy, Goldberg & Dagan 2015). `share_context` selects the
    factorisation:

    - False: truncated singular value decomposition, ``U = P S^p``, ``V = Q S^(1-p)``;
    - True: the best positive semi-definite approximation of its symmetric part, from
      the largest positive eigenvalues;
    - "signed": the eigenvalues that are largest in absolute value. Each dimension has
      the sign of its eigenvalue;
    - "bilinear": a local optimum of ``M = Q R Q'`` with orthonormal columns of Q, and
      any matrix R (one-table DEDICOM, Harshman 1978). It tells M[w, c] from M[c, w].

    With ``directional=True``, the matrices of left contexts and of right contexts are
    concatenated.

    Parameters
    ----------
    %(n_components)s
    %(share_context)s
    directional : bool, default=False
        Whether to learn separate tables of left and of right contexts. Needs
        ``share_context=False``. The singular value decomposition is that of the
        concatenated PPMI matrices ``[M_left, M_right]``, each with separate context
        frequencies.
    shift : float, default=1
        The number k >= 1 of noise words whose logarithm is subtracted from the PMI.
    context_exponent : float, default=0.75
        The probability of a context is proportional to count ** context_exponent; 1
        means no smoothing.
    singular_exponent : float, default=0.5
        The exponent p: how much of the singular values goes to the word vectors. With
        "bilinear", ``U = Q D^p``, ``A = D^-p R D^-p`` and ``V = U A'``, where
        ``D^2 = (R R' + R' R) / 2`` is made diagonal. For a symmetric M, D holds the
        absolute eigenvalues, and the scores are those of "signed".
    %(subsampled_counts)s
    warm_start : bool, default=False
        Whether `fit` keeps the co-occurrence counts, so that `partial_fit` can add to
        them. `fit` always learns from scratch, with either value.
    %(shared_parameters)s

    Attributes
    ----------
    %(shared_attributes)s
    word_vectors_ : ndarray of shape (n_words, n_components), float32
        Word vectors.
    %(context_vectors)s
    context_signs_ : ndarray of shape (n_components,), float32
        With ``share_context="signed"``, or a diagonal of your own: the sign of each
        dimension in the score, which is that of its eigenvalue.
    context_map_ : ndarray of shape (n_components, n_components), float32
        With ``share_context="bilinear"``, or a matrix of your own: the matrix A of the
        scores ``x_w' A x_c``, which maps word vectors to context vectors.
    %(sided_vectors)s
    %(parameter_count)s

    See Also
    --------
    SGNSEmbedder : Skip-gram with negative sampling, whose optimum is a shifted PMI.
    GloVeEmbedder : Least squares on logarithms of co-occurrence counts.

    Notes
    -----
    If the number of words or the rank of the matrix is lower than `n_components`, the
    remaining dimensions are 0.

    With ``directional=True``, a score is the mean of the approximations of the two
    matrices. With ``direction="left"``, `score_pairs` approximates ``M_left`` only.

    References
    ----------
    O. Levy, Y. Goldberg (2014). Neural word embedding as implicit matrix
    factorization. NeurIPS.

    R. A. Harshman (1978). Models for analysis of asymmetrical relationships among N
    objects or stimuli. First joint meeting of the Psychometric Society and the Society
    for Mathematical Psychology.

    O. Levy, Y. Goldberg, I. Dagan (2015). Improving distributional similarity with
    lessons learned from word embeddings. TACL 3.

    Examples
    --------
    >>> from skembed import PPMISVDEmbedder
    >>> documents = [["one", "two", "three", "four"]] * 20
    >>> embedder = PPMISVDEmbedder(n_components=4, random_state=0)
    >>> embedder.fit_transform(documents).shape
    (20, 4)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseEmbedder._parameter_constraints,
        "directional": ["boolean"],
        "shift": [Interval(Real, 1, None, closed="left")],
        "context_exponent": [Interval(Real, 0, None, closed="left")],
        "singular_exponent": [Interval(Real, 0, 1, closed="both")],
        "subsample": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
    }
    _method = strategies.CLOSED_FORM
    _fewest_epochs = 0
    _fixed_by_vectors = ()
    _fixed_by_counts = (
        "input",
        "window",
        "window_weighting",
        "direction",
        "directional",
    )
    _state = ("_counts",)

    def __init__(
        self,
        n_components=100,
        *,
        share_context=False,
        directional=False,
        shift=1.0,
        context_exponent=0.75,
        singular_exponent=0.5,
        subsample=1e-5,
        warm_start=False,
        window=10,
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
        self.directional = directional
        self.shift = shift
        self.context_exponent = context_exponent
        self.singular_exponent = singular_exponent
        self.subsample = subsample
        self.warm_start = warm_start

    def _estimate(self, sizes):
        return _estimating.closed_form(self, sizes)

    def _held_out_loss(self, corpus):
        return losses.closed_form(self, corpus)

    def _log_prior(self, side=""):
        # The score estimates ln P(c | w) - ln p(c) with the smoothed distribution p,
        # minus ln(shift).
        kept = getattr(self, f"_{side}context_kept")
        return losses.log_shares(kept, self.context_exponent)

    def _fit_vectors(self, job):
        n_words, strategy = job.counts.size, job.strategy
        n_parameters = self._layout(n_words, strategy).n_parameters
        direction = "left" if self.directional else self.direction
        counts = count_pairs(self, job, direction)
        attributes = kept_counts(self, job, counts, direction)
        totals, kept = count.subsample_inplace(counts, self.subsample)
        attributes.update(_context_totals=totals, _context_kept=kept)
        if self.directional:
            # The columns of the other direction are the rows of this one.
            right = counts @ np.ones(n_words)
            attributes["_context_kept"] = kept + right
            attributes.update(_left_context_kept=kept, _right_context_kept=right)
        with job.progress.step("factorise") as step:
            matrix = self._matrix(counts)
            seed = int(job.seeds.generate_state(1)[0])
            factoriser = TruncatedFactoriser(matrix, seed, self.n_jobs, step.report)
            factors = strategy.factorise(
                factoriser, self.n_components, self.singular_exponent
            )
            strategies.check_factors(strategy, factors, matrix.shape, self.n_components)
            word, context, scale = factors
            job.progress.say(f"factorised {matrix.nnz} non-zeros", step.times()[0])
        word_vectors = np.ascontiguousarray(word, dtype=np.float32)
        context_vectors = word_vectors
        if context is not word:
            context_vectors = np.ascontiguousarray(context, dtype=np.float32)
        if strategy.map_kind == strategies.DIAGONAL and strategy.is_symmetric:
            negative = (word * scale * context).sum(axis=0) < 0
            attributes["context_signs_"] = np.where(negative, -1, 1).astype(np.float32)
        if strategy.map_kind == strategies.MATRIX:
            attributes["context_map_"] = _linear_map(word, context)
        if self.directional:
            left, right = context_vectors[:n_words], context_vectors[n_words:]
            attributes["left_context_vectors_"] = left
            attributes["right_context_vectors_"] = right
            context_vectors = (left + right) * np.float32(0.5)
        return Fitted(
            n_parameters,
            word_vectors,
            context_vectors,
            np.zeros(n_words, dtype=np.float32),
            scale.astype(np.float32),
            attributes=attributes,
            notes=self._empty_columns(job, word_vectors),
        )

    def _empty_columns(self, job: Job, word_vectors: np.ndarray) -> list[str]:
        """Return a warning if there are fewer components than `n_components`."""
        n_words, wanted = word_vectors.shape
        n_filled = int(np.count_nonzero(word_vectors.any(axis=0)))
        # A matrix of a slightly lower rank needs no warning.
        is_usual = n_filled and wanted <= n_words
        if is_usual or (job.resume.streams and self._may_fill(job, n_words)):
            return []
        if not n_filled:
            return [
                f"No pair of words has a PMI above ln(shift={self.shift:g}), so all "
                f"vectors of the {n_words} words are zeros. Lower shift, or pass more "
                "documents."
            ]
        n_empty = wanted - n_filled
        return [
            f"{n_empty} of n_components={wanted} columns "
            f"{'is' if n_empty == 1 else 'are'} zero: the {n_words} words of the "
            f"vocabulary fill only {n_filled}. Lower n_components to {n_filled}, or "
            "let there be more words, by more documents or a lower min_count."
        ]

    def _may_fill(self, job: Job, n_words: int) -> bool:
        """Whether further parts of a stream may fill what is empty now."""
        fixed = self.vocabulary is not None or job.corpus.is_matrix
        most: float = n_words
        if self.new_words == "grow" and not fixed:
            most = np.inf if self.max_features is None else self.max_features
        # Every part would say the same.
        return job.resume.continues or most >= self.n_components

    def _matrix(self, counts: sparse.csr_array) -> sparse.csr_array:
        """Return the PPMI matrix, or those of both directions side by side."""
        # A word has to its right what it stands to the left of.
        sides = [counts]
        if self.directional:
            sides.append(interruptible(sparse.csr_array, counts.T))
        matrices = []
        for side in sides:
            matrix = ppmi.ppmi_inplace(
                side, self.shift, self.context_exponent, self.n_jobs
            )
            largest = float(matrix.data.max(initial=0.0))
            if largest > LARGEST:
                raise ValueError(
                    f"context_exponent={self.context_exponent} makes entries of the "
                    f"PPMI matrix as large as {largest:.3g}, since it makes rare "
                    "contexts rarer still. Lower it; 1 smooths nothing."
                )
            matrices.append(matrix)
        if not self.directional:
            return matrices[0]
        return sparse.hstack(matrices, format="csr")


def _linear_map(word: np.ndarray, context: np.ndarray) -> np.ndarray:
    """Return the matrix A with ``context = word @ A.T``, by least squares."""
    size = np.sqrt(np.einsum("wi,wi->i", word, word))
    scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    with one_blas_thread():
        unit = word * scale
        found = np.linalg.pinv(unit.T @ unit, hermitian=True) @ (unit.T @ context)
    return np.ascontiguousarray((found * scale[:, None]).T, dtype=np.float32)
