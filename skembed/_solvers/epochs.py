"""The epochs of a training: their losses, early stopping, and the model that is kept.

If training ends early, the model is that of a whole epoch. After an interrupt or a
numeric overflow it is the last finished epoch, with early stopping the best epoch.
"""

from collections.abc import Callable
from threading import Lock
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skembed._corpus.vocabulary import Corpus
from skembed._solvers.job import Fitted, Job
from skembed._tying.layout import LARGEST
from skembed._utils.interrupts import interruptible
from skembed._utils.progress import Progress, rate
from skembed._utils.threads import ThreadTeam, n_threads, row_ranges

# Pairs that are processed at once.
_CHUNK = 1 << 17
# With ``max_iter="auto"``: the epochs for 100,000 tokens, the largest number of epochs,
# and how many pairs of words count as one token if co-occurrence counts are given (for
# a dynamic window of 5).
_EPOCHS = 25
_MOST_EPOCHS = 60
_PAIRS_PER_TOKEN = 6


class EarlyStopping(NamedTuple):
    """The parameters of early stopping."""

    is_on: bool
    validation_fraction: float | None
    n_iter_no_change: int
    tol: float

    @property
    def holds_out(self) -> bool:
        """Whether a part of the data is held out."""
        return self.is_on and self.validation_fraction is not None


def hold_out_documents(
    corpus: Corpus, fraction: float, random: np.random.Generator
) -> tuple[Corpus, Corpus]:
    """Split documents at random into training documents and held-out documents.

    Parameters
    ----------
    corpus : Corpus
    fraction : float
        Share of the documents that is held out, rounded up.
    random : Generator
        The numbers drawn for a document do not depend on later documents.

    Returns
    -------
    train, held_out : Corpus
        Documents in their original order.

    Raises
    ------
    ValueError
        If there are no documents, or if a part has no document with two words.
    """
    if corpus.counts is not None:
        raise ValueError(
            "early_stopping=True holds documents out, and with input='cooccurrence' "
            "there are none. Pass documents, validation_fraction=None to watch the "
            "training loss, or early_stopping=False."
        )
    n_documents = corpus.n_documents
    n_held = int(np.ceil(fraction * n_documents))
    held = np.zeros(n_documents, dtype=bool)
    held[np.argsort(random.random(n_documents), kind="stable")[:n_held]] = True
    parts = _choose(corpus, ~held), _choose(corpus, held)
    for part, what in zip(parts, ("train on", "hold out"), strict=True):
        if part.longest < 2:
            raise ValueError(
                f"validation_fraction={fraction} of {n_documents} documents leaves no "
                f"document of two words of the vocabulary to {what}. Change "
                "validation_fraction, pass more documents, or early_stopping=False."
            )
    return parts


def _choose(corpus: Corpus, chosen: np.ndarray) -> Corpus:
    lengths = np.diff(corpus.doc_offsets)
    tokens = np.repeat(chosen, lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths[chosen])]).astype(np.int64)
    part: dict[str, Any] = {
        name: None if value is None else value[mask]
        for name, value, mask in (
            ("token_weights", corpus.token_weights, tokens),
            ("doc_weights", corpus.doc_weights, chosen),
        )
    }
    return Corpus(corpus.token_ids[tokens], offsets, **part)


def hold_out_pairs_inplace(
    counts: sparse.csr_array,
    fraction: float,
    random: np.random.Generator,
    row_of: np.ndarray,
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Split co-occurrence counts at random into training pairs and held-out pairs.

    A pair and its reverse stay together. The choice depends on the words of a pair, not
    on the order or the number of rows.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        It is consumed.
    fraction : float
        Probability that a pair is held out.
    random : Generator
    row_of : ndarray of shape (n_words,), int
        Row and column of each word.

    Returns
    -------
    train, held_out : csr_array of shape (n_words, n_words), float64

    Raises
    ------
    ValueError
        If one of the two parts is empty.
    """
    n_words, n_pairs = counts.shape[0], counts.nnz
    numbers = _numbers_of_words(n_words, random, row_of)
    limit = np.uint64(min(fraction * 2.0**64, 2.0**64 - 2048))
    entries, lengths = (counts.data, counts.indices), np.diff(counts.indptr)
    n_held = np.zeros(n_words, dtype=np.int64)
    pieces = []
    n_kept = 0
    for first, last in row_ranges(counts.indptr, _CHUNK):
        here = slice(counts.indptr[first], counts.indptr[last])
        rows = np.repeat(np.arange(first, last), lengths[first:last])
        held = _mix(numbers[rows] + numbers[counts.indices[here]]) < limit
        n_held[first:last] = np.bincount(rows[held] - first, minlength=last - first)
        pieces.append([array[here][held] for array in entries])
        # The remaining entries are moved to the front of the same memory.
        end = n_kept + int(np.count_nonzero(~held))
        for array in entries:
            array[n_kept:end] = array[here][~held]
        n_kept = end
    held_out = [np.concatenate(arrays) for arrays in zip(*pieces, strict=True)]
    train = [array[:n_kept] for array in entries]
    parts = _matrix(train, lengths - n_held), _matrix(held_out, n_held)
    _check_parts(parts, fraction, n_pairs)
    return parts


def hold_out_counts_inplace(
    counts: sparse.csr_array,
    fraction: float,
    random: np.random.Generator,
    row_of: np.ndarray,
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Split every co-occurrence count at random into training and held-out counts.

    A likelihood is judged on further occurrences of all pairs, so frequent pairs are in
    both parts. A count is cut into equal units: of 1 if it is a whole number, otherwise
    smaller. `fraction` times the number of units is rounded up or down at random, and
    so many units are held out. A pair and its reverse are rounded alike. The choice
    depends on the words of a pair, not on the order or the number of rows.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        It is consumed.
    fraction : float
    random : Generator
    row_of : ndarray of shape (n_words,), int
        Row and column of each word.

    Returns
    -------
    train, held_out : csr_array of shape (n_words, n_words), float64
        Their sum is `counts`, up to rounding.

    Raises
    ------
    ValueError
        If one of the two parts is empty.
    """
    n_words, n_pairs = counts.shape[0], counts.nnz
    numbers = _numbers_of_words(n_words, random, row_of)
    lengths = np.diff(counts.indptr)
    held = np.empty_like(counts.data)
    for first, last in row_ranges(counts.indptr, _CHUNK):
        here = slice(counts.indptr[first], counts.indptr[last])
        rows = np.repeat(np.arange(first, last), lengths[first:last])
        draws = _mix(numbers[rows] + numbers[counts.indices[here]]) / 2.0**64
        values = counts.data[here]
        n_units = np.ceil(values)
        n_held = np.floor(fraction * n_units + draws)
        held[here] = np.where(n_held < n_units, n_held * (values / n_units), values)
    held_out = sparse.csr_array((held, counts.indices.copy(), counts.indptr.copy()))
    held_out.resize(counts.shape)
    counts.data -= held
    parts = counts, held_out
    for part in parts:
        part.eliminate_zeros()
        part.has_canonical_format = True
    _check_parts(parts, fraction, n_pairs)
    return parts


def _numbers_of_words(
    n_words: int, random: np.random.Generator, row_of: np.ndarray
) -> np.ndarray:
    """Return a random uint64 for each row. Those of two words add up to a pair's."""
    numbers = np.empty(n_words, dtype=np.uint64)
    numbers[row_of] = random.integers(2**64, size=n_words, dtype=np.uint64)
    return numbers


def _check_parts(
    parts: tuple[sparse.csr_array, sparse.csr_array], fraction: float, n_pairs: int
) -> None:
    """Raise an error if one of the two parts is empty."""
    for part, what in zip(parts, ("train on", "hold out"), strict=True):
        if not part.nnz:
            raise ValueError(
                f"validation_fraction={fraction} of {n_pairs} pairs of words leaves "
                f"none to {what}. Change validation_fraction, pass more documents, or "
                "early_stopping=False."
            )


def _matrix(entries: list[np.ndarray], lengths: np.ndarray) -> sparse.csr_array:
    """Return a canonical square matrix from its counts and columns, row by row."""
    # Offsets have the type of the columns. Otherwise SciPy would copy the columns.
    indptr = np.zeros(lengths.size + 1, dtype=entries[1].dtype)
    np.cumsum(lengths, out=indptr[1:])
    matrix = sparse.csr_array((*entries, indptr), shape=(lengths.size, lengths.size))
    matrix.has_canonical_format = True
    return matrix


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Scramble 64 bits, as the generator splitmix64 does (Steele et al. 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def auto_epochs(counts: np.ndarray, are_pairs: bool, fewest: int) -> int:
    """Return the number of epochs that ``max_iter="auto"`` stands for.

    Small corpora need more epochs, so that their words are visited often enough. The
    number is inversely proportional to the square root of the number of tokens.

    Parameters
    ----------
    counts : ndarray of shape (n_words,)
        Occurrences of the words in the documents of the fit.
    are_pairs : bool
        Whether the counts are the row sums of given co-occurrence counts.
    fewest : int
        Epochs for a large corpus.

    Returns
    -------
    int
        From `fewest` to 60.
    """
    n_tokens = float(counts.sum()) / (_PAIRS_PER_TOKEN if are_pairs else 1)
    enough = np.ceil(_EPOCHS * np.sqrt(100_000 / max(n_tokens, 1.0)))
    return int(np.clip(enough, fewest, _MOST_EPOCHS))


class Trainer(Protocol):
    """The training of one estimator."""

    n_jobs: int | None
    most_threads: int  # that have enough work
    learning_rate: float
    unit: str  # what is visited, e.g. "tokens"
    size: int  # number of units in an epoch
    n_slices: int  # approximate number of reports in an epoch, known when prepared
    state: list[np.ndarray]  # all parameters, updated in place

    def prepare(self, team: ThreadTeam) -> None:
        """Prepare the first epoch. The threads of the team work on all epochs."""

    def train(self, epoch: int, report: Callable[[float], bool]) -> float | None:
        """Train one epoch (the first is 0); return its mean loss, if any."""

    def validate(self) -> float:
        """Return the mean loss of the held-out data; `state` does not change."""

    def fitted(self, n_finished: int, last: bool) -> Fitted:
        """Return the model after `n_finished` epochs.

        In the last call, the threads have ended, and the model may take over the
        memory of `state`.
        """


class Finished(NamedTuple):
    """The record of an epoch. As one object, an interrupt cannot leave it half set."""

    losses: tuple[float, ...] = ()
    validation: tuple[float, ...] = ()
    # Whether the model is that of `Trainer.state`; otherwise that of the copies.
    is_live: bool = False
    # The number of the best epoch; 0 is the fit that this one resumes from.
    best_epoch: int = 0
    # Whether this is the last epoch.
    is_over: bool = False


class Epochs:
    """The epochs of one fit, with early stopping and interrupts.

    Parameters
    ----------
    trainer : Trainer
    stopping : EarlyStopping
    job : Job
    """

    def __init__(self, trainer: Trainer, stopping: EarlyStopping, job: Job):
        self.trainer: Any = trainer
        self.stopping = stopping
        self.job = job
        self.progress = job.progress
        self.n_epochs = job.n_epochs
        self._finished = Finished()
        self._copies: list[np.ndarray] = []
        self._team: Any = None
        self._best = np.inf
        self._n_worse = 0
        # Whether a loss was measured before the first epoch.
        self._judged = False
        self._notes: list[str] = []
        self._warning: type[Warning] = UserWarning
        self._problem: ValueError | None = None
        self._model: Fitted | None = None
        self._lock = Lock()

    def run(self) -> Fitted:
        """Train, and return the model.

        Raises
        ------
        ValueError
            If the first epoch ends with numbers that are not finite.
        KeyboardInterrupt
            At any time. `Job.rescue` then returns the last finished epoch.
        """
        self.job.rescue.append(self._after_interrupt)
        # Stored before threads are waited for, since an interrupt may end the waiting.
        trainer = self.trainer
        self._team = ThreadTeam(n_threads(trainer.n_jobs, trainer.most_threads))
        with self._team as team:
            trainer.prepare(team)
            self._train()
        self._finished = self._finished._replace(is_over=True)
        return self._result()

    def _after_interrupt(self) -> Fitted | None:
        """Return the model of the last finished epoch, if there is one."""
        if not self._finished.losses:
            return None
        if self._finished.is_over:
            note = "The fit was interrupted after its last epoch, and is complete."
        else:
            note = (
                f"Training was interrupted in epoch {len(self._finished.losses) + 1} "
                f"of {self.n_epochs}; the vectors are those after {self._kept_epoch()}."
            )
        fitted = self._result()
        if fitted.problem is None:
            fitted.notes.append(note)
        return fitted

    def _result(self) -> Fitted:
        """Return the model to publish; an interrupted call may be repeated."""
        # The model takes over the memory of the training, so this must not be
        # interrupted. No interrupt is raised in a thread.
        interruptible(self._hand_over)
        assert self._model is not None
        return self._model

    def _hand_over(self) -> None:
        with self._lock:
            if self._model is not None:
                return
            # An interrupt may have arrived while this waited for the threads.
            self._team.__exit__()
            if self._copies and not self._finished.is_live:
                _copy(self._copies, self.trainer.state)
            self._copies = []
            fitted = self._fitted(last=True)
            fitted.notes += self._notes
            fitted.warning, fitted.problem = self._warning, self._problem
            self._model = fitted
            self.trainer = None

    def _train(self) -> None:
        validates = self.stopping.holds_out
        start = perf_counter()
        if validates and self.job.resume.continues:
            self._judge_start()
        for epoch in range(self.n_epochs):
            span = epoch / self.n_epochs, (epoch + 1) / self.n_epochs
            n_slices = self.trainer.n_slices
            with self.progress.step("epoch", n_slices, span, start) as step:
                loss = self.trainer.train(epoch, step.report)
                if loss is None:
                    return
                validation = self.trainer.validate() if validates else None
                if not self._is_sound(loss, validation or 0.0):
                    self._refuse(epoch)
                    return
                enough = self._finish(epoch, loss, validation)
                self._tell(step, epoch)
                stopped = step.end(self._attributes)
            if stopped:
                self.progress.say("ended by a callback")
                return
            if enough:
                self.progress.say(self._why_enough())
                return
            if epoch + 1 < self.n_epochs:
                self._keep()
        if self.stopping.is_on:
            self._warning = ConvergenceWarning
            self._notes = [self._why_not_enough()]

    def _judge_start(self) -> None:
        """Keep the model that a fit resumes from until an epoch is better."""
        loss = self.trainer.validate()
        if np.isfinite(loss):
            self._best, self._judged = loss, True
            self._finished = Finished(is_live=True)
            self._keep()

    def _finish(self, epoch: int, loss: float, validation: float | None) -> bool:
        """Record an epoch; return whether early stopping ends the training.

        The rule is that of scikit-learn's MLPClassifier. The training loss, however, is
        only monitored on request. With a decreasing learning rate, and on small
        corpora, it may not fall for many epochs before it falls again.
        """
        watched = loss if validation is None else validation
        before = self._finished
        is_best = watched < self._best
        worse = watched > self._best - self.stopping.tol
        self._n_worse = self._n_worse + 1 if worse else 0
        self._best = min(self._best, watched)
        enough = self._n_worse > self.stopping.n_iter_no_change
        enough = enough and self.stopping.is_on
        self._finished = Finished(
            (*before.losses, loss),
            before.validation if validation is None else (*before.validation, watched),
            validation is None or is_best,
            epoch + 1 if is_best else before.best_epoch,
            enough or epoch + 1 == self.n_epochs,
        )
        return enough

    def _keep(self) -> None:
        """Copy the model if it is the one to keep, since the next epoch changes it."""
        if self._finished.is_live:
            if not self._copies:
                self._copies = [np.empty_like(array) for array in self.trainer.state]
            _copy(self.trainer.state, self._copies)
            self._finished = self._finished._replace(is_live=False)

    def _is_sound(self, *losses: float) -> bool:
        """Return whether all parameters are finite and small enough for features."""
        params, *others = self.trainer.state
        return (
            bool(np.isfinite(losses).all())
            and _is_within(params, LARGEST)
            and all(_is_within(other, np.finfo(other.dtype).max) for other in others)
        )

    def _refuse(self, epoch: int) -> None:
        """Raise an error, or store it until the last finite model is published."""
        text = (
            f"{self.progress.owner}: vectors became larger than {LARGEST:.0e}, "
            f"infinite or NaN in epoch {epoch + 1}. {self._suspects} for these "
            "documents; lower it."
        )
        if not epoch:
            raise ValueError(text)
        self._problem = ValueError(
            f"{text} The estimator holds the vectors after {self._kept_epoch()}."
        )

    @property
    def _suspects(self) -> str:
        """Return the parameter that is the likely cause of an overflow."""
        rate = f"learning_rate={self.trainer.learning_rate}"
        if self.job.resume.init is None:
            return f"{rate} is too large"
        return f"{rate} is too large, or are the numbers of init,"

    def _kept_epoch(self) -> str:
        finished = self._finished
        if not finished.validation:
            return f"epoch {len(finished.losses)}"
        best = f"epoch {finished.best_epoch}"
        if not finished.best_epoch:
            best = "the fit before"
        return f"{best}, the best by its validation loss"

    def _why_enough(self) -> str:
        return (
            f"the {self._watched} loss did not fall by tol={self.stopping.tol} for "
            f"more than {self.stopping.n_iter_no_change} epochs"
        )

    def _why_not_enough(self) -> str:
        patience = self.stopping.n_iter_no_change
        # The first epoch cannot be worse than another one, unless a fit resumes.
        if self.n_epochs <= patience + (not self._judged):
            return (
                f"early_stopping cannot end a fit of max_iter={self.n_epochs} epochs "
                f"with n_iter_no_change={patience}: raise the former, or lower the "
                f"latter. The vectors are those after {self._kept_epoch()}."
            )
        return (
            f"early_stopping has ended nothing: in max_iter={self.n_epochs} epochs "
            f"the {self._watched} loss has not failed to fall by "
            f"tol={self.stopping.tol} for more than n_iter_no_change="
            f"{patience} epochs in a row. Raise max_iter or "
            "tol, lower n_iter_no_change, or pass early_stopping=False."
        )

    @property
    def _watched(self) -> str:
        return "validation" if self.stopping.holds_out else "training"

    def _tell(self, step: Progress, epoch: int) -> None:
        finished = self._finished
        validation = ""
        if finished.validation:
            validation = f"validation loss {finished.validation[-1]:.4f}"
        self.progress.say(
            f"epoch {epoch + 1}/{self.n_epochs}: loss {finished.losses[-1]:.4f}",
            validation,
            rate(self.trainer.size, self.trainer.unit, step.seconds),
            *step.times(),
        )

    def _attributes(self) -> dict[str, Any]:
        return self.job.attributes(self._fitted(last=False))

    def _fitted(self, last: bool) -> Fitted:
        """Return the model, with the attributes that describe the training."""
        finished = self._finished
        fitted = self.trainer.fitted(len(finished.losses), last)
        before = self.job.resume.learned
        losses = np.array([*before.get("loss_curve_", ()), *finished.losses])
        fitted.attributes.update(loss_curve_=losses, n_iter_=losses.size)
        if finished.validation:
            earlier = before.get("validation_loss_curve_", ())
            curve = np.array([*earlier, *finished.validation])
            fitted.attributes["validation_loss_curve_"] = curve
        return fitted


def _is_within(array: np.ndarray, largest: float) -> bool:
    # All comparisons with NaN are false.
    return bool(array.max() <= largest and array.min() >= -largest)


def _copy(sources: list[np.ndarray], targets: list[np.ndarray]) -> None:
    for source, target in zip(sources, targets, strict=True):
        np.copyto(target, source)
