"""What an estimator's hook is asked for, and what it hands over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus.vocabulary import Corpus, Vocabulary
from skembed._counts import adding, count
from skembed._tying.strategies import Tying
from skembed._utils.interrupts import Shield, interruptible
from skembed._utils.progress import Course

# Numbers that a random state gives for the seeds of a fit.
SEED_WORDS = 4
# No other part of a fit spawns as many seeds.
_SPLIT = 1 << 20
# What is told of an interrupt that has come too late to end anything.
TOO_LATE = "The fit was interrupted after its last epoch, and is complete."


class Before(NamedTuple):
    """What an estimator has learned in fits that the present one goes on from."""

    learned: dict[str, Any]  # its attributes
    n_words: int  # of its tables; rows of the present ones come in the same order
    adds: bool  # whether its data count together with the present ones

    def of_words(self, name: str, n_words: int) -> np.ndarray:
        """Return a learned number of each word; 0 for words that are new."""
        numbers = self.learned[name]
        return np.pad(numbers, (0, n_words - len(numbers)))


class Start(NamedTuple):
    """Word vectors that training begins with, instead of random ones."""

    rows: np.ndarray  # int64 (n_given,)
    vectors: np.ndarray  # float32 (n_given, n_components)


class Job(NamedTuple):
    """What to learn vectors from."""

    corpus: Corpus
    vocabulary: Vocabulary  # with the counts of all data that count
    counts: np.ndarray  # of its words in the corpus
    strategy: Tying
    seeds: np.random.SeedSequence
    course: Course
    n_epochs: int
    n_scheduled: int  # epochs in which the learning rate falls once to its end
    attributes: Callable[["Fitted"], dict[str, Any]]  # of a fitted estimator
    shield: Shield  # against interrupts when training is over
    before: Before | None = None
    start: Start | None = None
    streams: bool = False  # whether further documents may follow, as in `partial_fit`

    @property
    def split_seeds(self) -> np.random.SeedSequence:
        """Seeds of what is held out, and of how it is visited.

        With an int as `random_state` they are the same in fits that go on: otherwise
        these would be judged by what earlier ones have trained on, and losses could
        not be compared.
        """
        words: Any = self.seeds.entropy
        return np.random.SeedSequence(words[:SEED_WORDS], spawn_key=(_SPLIT,))

    @property
    def added_to(self) -> Before | None:
        """The fits whose data count together with these, if any do."""
        return self.before if self.before and self.before.adds else None


@dataclass
class Fitted:
    """What an estimator's hook learned.

    Attributes
    ----------
    n_parameters : int
        Learned numbers, biases included.
    word_vectors, context_vectors : ndarray of shape (n_words, n_components), float32
    offset : ndarray of shape (n_words,), float32
        Fixed part of a score, by its context.
    scale : ndarray of shape (n_components,), float32
        Of the dimensions in a score, beyond what `context_vectors` carries.
    word_biases, context_biases : ndarray of shape (n_words,), float32, or None
        Learned parts of a score; the same object where they are shared.
    attributes : dict of str to object
        Further fitted attributes of the estimator.
    notes : list of str
        What the user should be warned of.
    warning : type
        Of the warning about it.
    interrupted : bool
        Whether an interrupt has ended training, and the notes say so.
    problem : ValueError or None
        Why training ended before its time, to be raised when the model is published.
    """

    n_parameters: int
    word_vectors: np.ndarray
    context_vectors: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    word_biases: np.ndarray | None = None
    context_biases: np.ndarray | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warning: type[Warning] = UserWarning
    interrupted: bool = False
    problem: ValueError | None = None


def count_pairs(estimator: Any, job: Job, direction: str = "both") -> sparse.csr_array:
    """Return the co-occurrence counts of a job, and of those it is added to.

    Parameters
    ----------
    estimator : GloVeEmbedder or PPMISVDEmbedder
    job : Job
    direction : {"both", "left"}, default="both"

    Returns
    -------
    csr_array of shape (n_words, n_words), float64
        Canonical; the caller may change it. Counts of text are the same, bit for bit,
        in however many parts it comes, if weights of documents are multiples of a
        power of two, and counts multiples of the smallest weight of a context; see
        `adding.add`. Otherwise they are nearly the same.
    """
    before, n_words = job.added_to, len(job.vocabulary)
    with job.course.step("count") as step:
        counts = count.count_pairs(
            estimator, job.corpus, n_words, direction, step.report, before is not None
        )
        if before is not None:
            divisor = 1
            if job.corpus.token_weights is None:
                divisor = adding.divisor(estimator.window, estimator.window_weighting)
            earlier = interruptible(adding.restore, before.learned, n_words)
            counts = interruptible(adding.add, earlier, counts, divisor)
            count.check_finite(counts)
        job.course.say(
            f"counted {counts.nnz} pairs of {n_words} words", step.times()[0]
        )
    return counts
