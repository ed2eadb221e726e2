"""The input of a solver and its result."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.reader import Known
from skembed._corpus.vocabulary import Corpus, Vocabulary
from skembed._counts import count, sums
from skembed._tying.layout import Layout
from skembed._tying.strategies import Tying
from skembed._utils.interrupts import interruptible
from skembed._utils.memory import aligned_zeros
from skembed._utils.progress import Progress

# How many numbers are drawn from a random state to seed a fit.
SEED_WORDS = 4
# A spawn key that no other part of a fit reaches.
_SPLIT = 1 << 20
# Rows of random vectors that are drawn at once.
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Resume:
    """The state that a fit resumes from: earlier fits, and given word vectors.

    Attributes
    ----------
    streams : bool
        Whether this is a `partial_fit`. Further documents may follow.
    continues : bool
        Whether training starts with the vectors of an earlier fit.
    adds : bool
        Whether the data of this fit are added to those of earlier fits.
    learned : dict of str to object
        Learned attributes of earlier fits. Empty if this fit starts from scratch.
    n_words : int
        Number of words of these attributes. They are the first rows of this fit.
    known : Known or None
        The vocabulary of the earlier fits.
    init : WordVectors or None
        The parameter `init`: initial vectors of new words.
    """

    streams: bool = False
    continues: bool = False
    adds: bool = False
    learned: dict[str, Any] = field(default_factory=dict)
    n_words: int = 0
    known: Known | None = None
    init: Any = None

    def of_words(self, name: str, n_words: int) -> np.ndarray:
        """Return a learned attribute with one number per word; 0 for new words."""
        numbers = self.learned[name]
        return np.pad(numbers, (0, n_words - len(numbers)))

    def total(self, vocabulary: Vocabulary) -> Vocabulary:
        """Return a vocabulary with the counts of all data so far."""
        counts = self.of_words("word_counts_", vocabulary.counts.size)
        with np.errstate(over="ignore"):
            counts = counts + vocabulary.counts
            n_tokens = counts.sum()
        if not np.isfinite(n_tokens):
            raise ValueError(
                "Counts of words become infinite: the numbers in X or in sample_weight "
                "are too large. Divide those of all parts by the same number."
            )
        return Vocabulary(vocabulary.rows, counts)

    def write_init(
        self, params: np.ndarray, rows: dict[Any, int], places: np.ndarray | None = None
    ) -> None:
        """Write the vectors of `init` into a table, in place of random vectors.

        Words that earlier fits have learned keep their vectors.

        Parameters
        ----------
        params : ndarray of shape (n_rows, >= n_components), float32
        rows : dict of str to int
            The vocabulary. Words of `init` that are not in it are ignored.
        places : ndarray of shape (n_words,), int, default=None
            Row of each word in the table. By default its row in the vocabulary.

        Raises
        ------
        ValueError
            If none of the words is in the vocabulary.
        """
        if self.init is None:
            return
        rows_of_init = self.init.vocabulary
        found = [
            word
            for word, row in rows.items()
            if row >= self.n_words and word in rows_of_init
        ]
        if not found:
            if self.continues:
                return
            raise ValueError(
                f"init holds vectors of {len(self.init)} words, none of which is among "
                f"the {len(rows)} words of the vocabulary. Check that both are written "
                "in the same way, e.g. in lower case."
            )
        vectors = self.init[found]
        first = np.array([rows[word] for word in found], dtype=np.int64)
        if places is not None:
            first = places[first]
        params[first, : vectors.shape[1]] = vectors


class Job(NamedTuple):
    """The input of a solver."""

    corpus: Corpus
    vocabulary: Vocabulary  # with the counts of all data so far
    counts: np.ndarray  # of its words in the corpus
    strategy: Tying
    seeds: np.random.SeedSequence
    progress: Progress
    n_epochs: int
    n_scheduled: int  # epochs of the learning-rate schedule
    attributes: Callable[["Fitted"], dict[str, Any]]  # of a fitted estimator
    resume: Resume
    # At most one function, which returns the model to keep after an interrupt.
    rescue: list[Callable[[], "Fitted | None"]]

    @property
    def split_seeds(self) -> np.random.SeedSequence:
        """Seeds of the choice of held-out data, and of how they are visited.

        With an int as `random_state`, they are the same in fits that resume. Otherwise
        a fit would be judged by data that earlier fits were trained on, and losses
        could not be compared.
        """
        words: Any = self.seeds.entropy
        return np.random.SeedSequence(words[:SEED_WORDS], spawn_key=(_SPLIT,))


@dataclass
class Fitted:
    """The result of a solver.

    Attributes
    ----------
    n_parameters : int
        Number of parameters, biases included.
    word_vectors, context_vectors : ndarray of shape (n_words, n_components), float32
        None in place of the latter if the model has none.
    offset : ndarray of shape (n_words,), float32
        Fixed part of a score, for each context.
    scale : ndarray of shape (n_components,), float32
        Factors of the dimensions in a score, apart from `context_vectors`.
    word_biases, context_biases : ndarray of shape (n_words,), float32, or None
        Learned biases of a score. The same object if they are shared.
    attributes : dict of str to object
        Further fitted attributes of the estimator.
    notes : list of str
        Texts of the warning to give.
    warning : type
        Category of the warning.
    problem : ValueError or None
        The error that ended training early. It is raised after the model is published.
    """

    n_parameters: int
    word_vectors: np.ndarray
    context_vectors: np.ndarray | None
    offset: np.ndarray
    scale: np.ndarray
    word_biases: np.ndarray | None = None
    context_biases: np.ndarray | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warning: type[Warning] = UserWarning
    problem: ValueError | None = None


def count_pairs(estimator: Any, job: Job, direction: str = "both") -> sparse.csr_array:
    """Return the co-occurrence counts of a job, added to those of earlier fits.

    Parameters
    ----------
    estimator : GloVeEmbedder or PPMISVDEmbedder
    job : Job
    direction : {"both", "left", "right"}, default="both"

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical. The caller may change it. If weights of documents are multiples of a
        power of two, and counts are multiples of the smallest weight of a context, then
        the counts of a text do not depend on the number of parts, bit for bit (see
        `sums.add`). Otherwise they are nearly the same.
    """
    resume, n_words = job.resume, job.counts.size
    with job.progress.step("count") as step:
        counts = count.count_pairs(
            estimator, job.corpus, n_words, direction, step.report, resume.adds
        )
        if resume.adds:
            divisor = 1
            if not job.corpus.is_matrix:
                divisor = count.divisor(estimator.window, estimator.window_weighting)
            earlier = interruptible(count.restore, resume.learned, n_words)
            counts = interruptible(sums.add, (earlier, counts), divisor)
            count.check_finite(counts)
        job.progress.say(
            f"counted {counts.nnz} pairs of {n_words} words", step.times()[0]
        )
    return counts


def kept_counts(
    estimator: Any,
    job: Job,
    counts: sparse.csr_array,
    direction: str = "both",
    order: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return the attributes that keep the counts for a later `partial_fit`.

    Parameters
    ----------
    estimator : GloVeEmbedder or PPMISVDEmbedder
    job : Job
    counts : csr_array of shape (n_words, n_words), float64
        The result of `count_pairs`. It is copied.
    direction : {"both", "left", "right"}, default="both"
    order : ndarray of shape (n_words,), default=None
        Row and column of each word. By default its row in the vocabulary.

    Returns
    -------
    dict
        With ``warm_start=True`` and in a `partial_fit`, the counts. Otherwise their key
        if `memory` has them, or nothing.
    """
    if estimator.warm_start or job.resume.streams:
        symmetric = job.corpus.counts is None and direction == "both"
        return count.keep(counts, symmetric, order)
    if job.corpus.key is None or job.corpus.is_matrix:
        return {}
    n_words = job.vocabulary.counts.size
    key = count.key_of_counts(estimator, job.corpus, n_words, direction)
    return {"_counts_key": key}


class RandomStart:
    """Uniform numbers from -0.5 / d to 0.5 / d, which can be drawn a second time.

    No copy is needed to find the vectors that have not changed.

    Parameters
    ----------
    random : Generator
        `write` draws from it.
    n_rows, n_columns : int
        Shape of the numbers that are drawn.
    n_components : int
        The number d of dimensions. The first columns are those of the vectors.
    """

    def __init__(
        self,
        random: np.random.Generator,
        n_rows: int,
        n_columns: int,
        n_components: int,
    ):
        self._random = random
        self._before = copy.deepcopy(random)
        self._shape = n_rows, n_columns
        self._n_components = n_components

    def write(self, params: np.ndarray) -> None:
        """Write the numbers into the first rows and columns of a table.

        Parameters
        ----------
        params : ndarray of shape (>= n_rows, >= n_columns), float32
        """
        for rows, numbers in self._blocks(self._random):
            params[rows, : numbers.shape[1]] = numbers

    def erase(self, params: np.ndarray, used: np.ndarray) -> None:
        """Set unused vectors to 0 if they still are what `write` wrote.

        Parameters
        ----------
        params : ndarray of shape (>= n_rows, >= n_components), float32
        used : ndarray of shape (>= n_rows,), bool
            Rows that training has used. They are kept, even if they have not changed.
        """
        if used[: self._shape[0]].all():
            return
        d = self._n_components
        for rows, numbers in self._blocks(copy.deepcopy(self._before)):
            vectors = params[rows, :d]
            unmoved = (vectors == numbers[:, :d]).all(axis=1)
            vectors[unmoved & ~used[rows]] = 0.0

    def _blocks(
        self, random: np.random.Generator
    ) -> Iterator[tuple[slice, np.ndarray]]:
        n_rows, n_columns = self._shape
        for first in range(0, n_rows, _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, n_rows)
            numbers = random.random((last - first, n_columns), dtype=np.float32)
            numbers -= np.float32(0.5)
            numbers /= self._n_components
            yield slice(first, last), numbers


def start_squares(
    params: np.ndarray,
    layout: Layout,
    resume: Resume,
    orders: Sequence[np.ndarray],
    of_biases: float = 1.0,
) -> np.ndarray:
    """Return AdaGrad's sums before the first epoch: 1, or those of earlier fits.

    Parameters
    ----------
    params : ndarray of shape (n_words * n_tables, width), float32
        The parameters. They are not changed.
    layout : Layout
    resume : Resume
        Its `_squares` are those of the tables, one after the other.
    orders : sequence of ndarray of shape (n_words,), int
        For each table, the place of each of these rows.
    of_biases : float, default=1.0
        Start of the sums of column `n_components`, if there is one.

    Returns
    -------
    ndarray of shape (n_words * n_tables, width), float32
    """
    squares = aligned_zeros(params.shape)
    squares[:] = 1.0
    squares[:, layout.n_components : layout.n_components + 1] = of_biases
    if resume.continues:
        earlier = np.split(resume.learned["_squares"], layout.n_tables)
        for table, (sums, order) in enumerate(zip(earlier, orders, strict=True)):
            rows = table * layout.n_words + order[: len(sums)]
            squares[rows, : sums.shape[1]] = sums
    return squares


def reorder(
    words: np.ndarray, contexts: np.ndarray, row_of: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in the vocabulary's order. A shared object stays shared."""
    ordered = words[row_of]
    return ordered, (ordered if contexts is words else contexts[row_of])


class PairCounts(NamedTuple):
    """Co-occurrence counts to train on, with words in random order.

    Blocks of words then hold about equally many pairs.
    """

    row_of: np.ndarray  # int32 (n_words,), row and column of each word
    counts: sparse.csr_array  # float64
    attributes: dict[str, Any]  # of the fitted estimator
    resumable: bool  # whether the attributes hold what later fits add to


def shuffled_pairs(estimator: Any, job: Job, random: np.random.Generator) -> PairCounts:
    """Return the counts of a job, after `subsample`, with words in random order.

    Parameters
    ----------
    estimator : GloVeEmbedder or SoftmaxEmbedder
    job : Job
    random : Generator
        Draws the order.

    Returns
    -------
    PairCounts
    """
    row_of = random.permutation(job.counts.size).astype(np.int32)
    counts = _permuted_counts(estimator, job, row_of)
    kept = kept_counts(estimator, job, counts, estimator.direction, row_of)
    resumable = bool(kept)
    totals, weighed = count.subsample_inplace(counts, estimator.subsample)
    kept.update(_context_totals=totals[row_of], _context_kept=weighed[row_of])
    return PairCounts(row_of, counts, kept, resumable)


def _permuted_counts(estimator: Any, job: Job, row_of: np.ndarray) -> sparse.csr_array:
    """Return co-occurrence counts with word w in row and column ``row_of[w]``."""
    corpus = job.corpus
    if (
        isinstance(corpus, Corpus)
        and corpus.counts is None
        and estimator.memory is None
        and not job.resume.adds
    ):
        # Counting in this order saves sorting; what is kept has one order only.
        corpus = corpus._replace(token_ids=row_of[corpus.token_ids])
        return count_pairs(estimator, job._replace(corpus=corpus), estimator.direction)
    counts = count_pairs(estimator, job, estimator.direction)
    return interruptible(count.permute, counts, np.argsort(row_of))
