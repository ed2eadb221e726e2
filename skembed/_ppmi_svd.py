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
from skembed._solvers.job import Fitted, Job, count_pairs
from skembed._solvers.svd import TruncatedFactoriser
from skembed._tying import strategies
from skembed._tying.layout import LARGEST
from skembed._utils.interrupts import interruptible


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
    Goldberg 2014, eq. 11; Levy, Goldberg & Dagan 2015). `share_context` decides how:

    - False: truncated singular value decomposition, ``U = P S^p``, ``V = Q S^(1-p)``;
    - True: the best positive semi-definite approximation of its symmetric part, from
      the largest positive eigenvalues;
    - "signed": the eigenvalues of largest size; a dimension has its eigenvalue's sign.

    With ``directional=True`` the matrix is made of contexts to the left and contexts to
    the right, side by side.

    Parameters
    ----------
    %(n_components)s
    %(share_context)s
    directional : bool, default=False
        Keep tables of left and of right contexts, with ``share_context=False`` only:
        the singular value decomposition is that of the two PPMI matrices side by side,
        ``[M_left, M_right]``, each with context frequencies of its own.
    shift : float, default=1
        The number k >= 1 of noise words whose logarithm is subtracted from the PMI.
    context_exponent : float, default=0.75
        Contexts count in proportion to count ** context_exponent; 1 does not smooth.
    singular_exponent : float, default=0.5
        The exponent p: how much of the singular values goes to the word vectors.
    %(subsampled_counts)s
    %(shared_parameters)s

    Attributes
    ----------
    %(shared_attributes)s
    word_vectors_ : ndarray of shape (n_words, n_components), float32
        Word vectors.
    %(context_vectors)s
    context_signs_ : ndarray of shape (n_components,), float32
        With ``share_context="signed"``: the sign of each dimension's eigenvalue.
    %(sided_vectors)s
    %(parameter_count)s

    See Also
    --------
    SGNSEmbedder : Skip-gram with negative sampling, which the PMI is the optimum of.
    GloVeEmbedder : Least squares on logarithms of co-occurrence counts.

    Notes
    -----
    Where the vocabulary has fewer words than `n_components`, or the matrix a lower
    rank, the remaining dimensions are 0.

    With ``directional=True`` a score is the mean of what approximates the entries of
    the two matrices; with ``direction="left"``, `score_pairs` approximates ``M_left``
    alone.

    References
    ----------
    O. Levy, Y. Goldberg (2014). Neural word embedding as implicit matrix
    factorization. NeurIPS.

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
    }
    _method = strategies.CLOSED_FORM
    _fewest_epochs = 0
    _fixed_by_vectors = ()
    _fixed_by_counts = (
        "input",
        "window",
        "window_weighting",
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
        self.directional = directional
        self.shift = shift
        self.context_exponent = context_exponent
        self.singular_exponent = singular_exponent
        self.subsample = subsample

    def _estimate(self, sizes):
        return _estimating.closed_form(self, sizes)

    def _held_out_loss(self, corpus):
        return losses.closed_form(self, corpus)

    def _fit_vectors(self, job):
        n_words, strategy = job.counts.size, job.strategy
        layout = self._layout(n_words, strategy)
        counts = count_pairs(self, job, "left" if self.directional else "both")
        symmetric = job.corpus.counts is None and not self.directional
        attributes = count.keep(counts, symmetric)
        totals = count.context_totals(counts)
        attributes["_context_totals"] = totals
        count.weigh(counts, totals, self.subsample)
        with job.progress.step("factorise") as step:
            matrix = self._matrix(counts)
            seed = int(job.seeds.generate_state(1)[0])
            factoriser = TruncatedFactoriser(matrix, seed, self.n_jobs, step.report)
            word, context, scale = strategy.factorise(
                factoriser, self.n_components, self.singular_exponent
            )
            signed = strategy.signed
            job.progress.say(f"factorised {matrix.nnz} non-zeros", step.times()[0])
        word_vectors = np.ascontiguousarray(word, dtype=np.float32)
        context_vectors = word_vectors
        if context is not word:
            context_vectors = np.ascontiguousarray(context, dtype=np.float32)
        if signed:
            negative = (word * context).sum(axis=0) < 0
            attributes["context_signs_"] = np.where(negative, -1, 1).astype(np.float32)
        if self.directional:
            left, right = context_vectors[:n_words], context_vectors[n_words:]
            attributes["left_context_vectors_"] = left
            attributes["right_context_vectors_"] = right
            context_vectors = (left + right) * np.float32(0.5)
        return Fitted(
            word_vectors.size * layout.n_tables,
            word_vectors,
            context_vectors,
            np.zeros(n_words, dtype=np.float32),
            scale.astype(np.float32),
            attributes=attributes,
            notes=self._empty_columns(job, word_vectors),
        )

    def _empty_columns(self, job: Job, word_vectors: np.ndarray) -> list[str]:
        """Say where `n_components` is more than there is to fill."""
        n_words, wanted = word_vectors.shape
        n_filled = int(np.count_nonzero(word_vectors.any(axis=0)))
        # A matrix of a somewhat lower rank is nothing to be told of.
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
        fixed = self.vocabulary is not None or job.corpus.token_weights is not None
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
            matrix = ppmi.ppmi(side, self.shift, self.context_exponent, self.n_jobs)
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
