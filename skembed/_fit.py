"""The steps of a fit, from validated parameters to published attributes."""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from skembed._corpus import partitioned, reader
from skembed._corpus.matrix import Columns
from skembed._corpus.reader import Known, Reading, fit_anew
from skembed._corpus.validation import (
    check_sparse,
    check_vocabulary,
    count_rows,
    rows_of,
)
from skembed._counts import count
from skembed._solvers.epochs import auto_epochs
from skembed._solvers.job import SEED_WORDS, Fitted, Job, Resume
from skembed._tying import strategies
from skembed._tying.strategies import Tying
from skembed._utils.interrupts import keeps_finished
from skembed._utils.progress import Progress, begin, rate
from skembed.pooling import _features, _poolings
from skembed.pooling._features import params_of
from skembed.vectors import WordVectors
from skembed.vectors._given import table_to_start_from

# The largest absolute value of an int parameter.
_MOST = 2**53
# How long the last fit took, for people to read.
SECONDS = "_fit_seconds"
# Learned attributes whose names do not end with an underscore.
PRIVATE = frozenset(
    (
        "_bias_squares",
        "_chosen_columns",
        "_column_rows",
        "_column_words",
        "_context_kept",
        "_context_totals",
        "_counts",
        "_counts_are_half",
        "_counts_key",
        "_counts_order",
        "_left_context_kept",
        "_made_with",
        "_right_context_kept",
        "_scaled_as",
        "_schedule_epoch",
        "_schedule_length",
        "_score_offset",
        "_score_scale",
        "_squares",
    )
)


def is_learned(name: str) -> bool:
    """Return whether an attribute is set by a fit and replaced by the next one."""
    return name in PRIVATE or (name.endswith("_") and not name.startswith("__"))


# --- validate -------------------------------------------------------------------------


class Start(NamedTuple):
    """What is known about a fit before its documents are read."""

    strategy: Tying
    resume: Resume
    pooling: Any  # its state before the fit


def start(estimator: Any, adds: bool) -> Start:
    """Check what scikit-learn's constraints do not cover, and find the earlier state.

    Parameters
    ----------
    estimator : BaseEmbedder
    adds : bool
        Whether this is a `partial_fit`.

    Returns
    -------
    Start

    Raises
    ------
    ValueError
        If a parameter is not valid, or if the fit cannot resume from earlier ones.
    """
    check_numbers(estimator)
    if adds and getattr(estimator, "early_stopping", False):
        raise ValueError(
            "partial_fit makes one epoch at a time and does not support "
            "early_stopping=True. Set it to False, or call fit."
        )
    strategy = strategies.get_strategy(estimator.share_context, estimator._method)
    resume = resume_of(estimator, strategy, adds)
    return Start(strategy, resume, pooling_to_fit(estimator, resume))


def check_numbers(estimator: Any) -> None:
    """Raise an error for ints that are too large, and for bools instead of numbers."""
    constraints = estimator._parameter_constraints
    for name, value in estimator.get_params(deep=False).items():
        of_numbers = any(isinstance(one, Interval) for one in constraints.get(name, ()))
        if isinstance(value, bool) and of_numbers:
            raise ValueError(f"{name}={value} is a bool: pass a number.")
        if isinstance(value, Integral) and abs(int(value)) > _MOST:
            raise ValueError(
                f"{name}={value} is too large: pass {_MOST} at most, and usually much "
                "less."
            )


# --- resume ---------------------------------------------------------------------------


def resume_of(estimator: Any, strategy: Tying, adds: bool) -> Resume:
    """Return the state that a fit resumes from. It is empty for a fit from scratch.

    Parameters
    ----------
    estimator : BaseEmbedder
    strategy : Tying
        The strategy of `share_context`.
    adds : bool
        Whether this is a `partial_fit`, whose data are added to the earlier data.

    Returns
    -------
    Resume

    Raises
    ------
    ValueError
        If a parameter that earlier vectors or counts depend on has changed, if the
        counts were not kept, or if `init` is not valid.
    """
    fitted = hasattr(estimator, "word_vectors_")
    # A closed form has nothing to start from.
    starts_warm = estimator._fewest_epochs > 0 and estimator.warm_start
    if not fitted or not (adds or starts_warm):
        return Resume(adds, init=_init(estimator))
    learned = {name: v for name, v in vars(estimator).items() if is_learned(name)}
    name = type(estimator).__name__
    if "_made_with" not in learned:
        raise ValueError(
            f"This {name} was fitted by an earlier version, which has not kept what it "
            f"takes to resume. Call {fit_anew(estimator)}."
        )
    columns = estimator._columns
    for parameter in _fixed(estimator, strategy, adds, columns):
        value = _meaning(estimator, strategy, parameter)
        # Estimators fitted by other versions may not have stored it.
        earlier = learned["_made_with"].get(parameter, value)
        if not _are_equal(value, earlier):
            raise ValueError(
                f"{name} was fitted with {parameter}={earlier!r}, and cannot "
                f"resume with {parameter}={value!r}. Set it back, or call "
                f"{fit_anew(estimator)}."
            )
    if adds and "_counts" in estimator._state and "_counts" not in learned:
        learned.update(_counts_in_memory(estimator, learned))
    needed = estimator._state if adds else set(estimator._state) - {"_counts"}
    if not learned.keys() >= set(needed):
        what = "co-occurrence counts" if adds else "the state of its training"
        raise ValueError(
            f"This {name} has been fitted without keeping {what} for later fits. Pass "
            "warm_start=True to the first fit, begin with partial_fit, or call "
            f"{fit_anew(estimator)} on all documents."
        )
    _check_vocabulary(estimator, learned["vocabulary_"])
    n_words = _count_rows(estimator, learned)
    grows = estimator.new_words == "grow"
    known = Known(learned["vocabulary_"], grows, columns)
    return Resume(
        streams=adds,
        continues=True,
        adds=adds,
        learned=learned,
        n_words=n_words,
        known=known,
        init=_init(estimator),
    )


def _counts_in_memory(estimator: Any, learned: dict[str, Any]) -> dict[str, Any]:
    """Return the counts of the last fit as attributes, if `memory` still has them."""
    n_words = len(learned["word_vectors_"])
    key = learned.get("_counts_key")
    counts = count.counts_in_memory(estimator.memory, key, n_words)
    return {} if counts is None else count.as_attributes(counts)


def made_with(estimator: Any, strategy: Tying) -> dict[str, Any]:
    """Return the parameters that must not change in fits that resume from this one."""
    names = (*estimator._fixed_by_vectors, *estimator._fixed_by_counts)
    return {name: _meaning(estimator, strategy, name) for name in names}


def _meaning(estimator: Any, strategy: Tying, name: str) -> Any:
    """Return the value of a parameter. `bias="auto"` becomes what it stands for."""
    value = getattr(estimator, name)
    if name == "bias" and value == "auto":
        return estimator._auto_bias or strategy.default_bias
    # The stored value must not change with the user's object.
    return clone(value) if isinstance(value, Tying) else value


def _are_equal(value: Any, earlier: Any) -> bool:
    """Return whether two values are equal. Strategies are compared by parameters."""
    if not (isinstance(value, Tying) and isinstance(earlier, Tying)):
        return value == earlier
    # Parameters may be arrays, and comparing arrays does not give a bool.
    found = [joblib.hash(one.get_params()) for one in (value, earlier)]
    return type(value) is type(earlier) and found[0] == found[1]


def _fixed(
    estimator: Any, strategy: Tying, adds: bool, columns: Columns | None
) -> list[str]:
    """Return the parameters that must not have changed."""
    fixed = list(estimator._fixed_by_vectors)
    # A learned map continues from its learned values.
    if strategy.learns_map or strategy.map_kind == strategies.IDENTITY:
        fixed = [name for name in fixed if name != "negative_dims"]
    if adds:
        fixed += estimator._fixed_by_counts
    if columns is not None:
        fixed = [name for name in fixed if not name.startswith("window")]
    return fixed


def _check_vocabulary(estimator: Any, rows: dict[str, int]) -> None:
    """Raise an error if a given vocabulary differs from the learned one."""
    given = estimator.vocabulary
    if given is not None and list(check_vocabulary(given)) != list(rows):
        raise ValueError(
            f"{type(estimator).__name__} has learned {len(rows)} words, and cannot "
            "resume with another vocabulary. Set it back, pass None and new_words="
            f"'grow' for more words, or call {fit_anew(estimator)}."
        )


def _count_rows(estimator: Any, learned: dict[str, Any]) -> int:
    """Return the number of words; check that all learned attributes agree with it."""
    n_words, rows = count_rows(learned), learned["vocabulary_"]
    if not np.array_equal(rows_of(rows, rows, n_words), np.arange(n_words)):
        raise ValueError(
            f"vocabulary_ has {len(rows)} words and vectors have {n_words} rows, in "
            "another order than a fit sets them. Set vocabulary_ back, or call "
            f"{fit_anew(estimator)}."
        )
    counts, order = learned.get("_counts"), learned.get("_counts_order")
    if counts is not None:
        check_sparse(counts)
        ordered = order is None or np.array_equal(np.sort(order), np.arange(n_words))
        if counts.shape != (n_words, n_words) or not ordered:
            raise ValueError(
                f"The counts that partial_fit adds to are not of the {n_words} words "
                f"of vocabulary_. Call {fit_anew(estimator)}."
            )
    return n_words


def _init(estimator: Any) -> WordVectors | None:
    """Return the checked parameter `init`, or None if there is none."""
    init = getattr(estimator, "init", None)
    if init is None:
        return None
    return table_to_start_from(init, estimator.vocabulary, estimator.n_components)


def pooling_to_fit(estimator: Any, resume: Resume) -> Any:
    """Return the pooling in its state before the fit."""
    pooling = _poolings.make(estimator.pooling)
    if not resume.adds or _features.learns_nothing(pooling):
        return pooling
    fitted = resume.learned["pooling_"]
    if type(fitted) is not type(pooling) or params_of(fitted) != params_of(pooling):
        raise ValueError(
            f"{type(estimator).__name__} was fitted with the pooling {fitted!r}, and "
            f"partial_fit cannot resume with pooling={estimator.pooling!r}, which has "
            "to learn from all documents. Set it back, or fit anew."
        )
    pooling = fitted
    if not hasattr(pooling, "partial_fit"):
        raise ValueError(
            f"pooling={estimator.pooling!r} learns from documents and has no method "
            "partial_fit to learn from more of them. Add one, or use another pooling."
        )
    return pooling


# --- read, and prepare the job --------------------------------------------------------


def read(
    estimator: Any, X: Any, y: Any, sample_weight: Any, resume: Resume
) -> tuple[Reading, Progress]:
    """Read the documents of a fit. Its progress begins here.

    The word counts are those of these documents only.
    """
    max_iter = 1 if resume.streams else getattr(estimator, "max_iter", 0)
    n_epochs = None if max_iter == "auto" else max_iter
    # Counts add up, so that documents in partitions stay on the workers.
    of_parts = partitioned.read if "_counts" in estimator._state else None
    given = estimator, X, sample_weight, resume.known
    how = partial(reader.read, *given, read_collection=of_parts)
    reading, longest, progress = read_documents(estimator, X, y, how, n_epochs)
    if longest < 2 and not (resume.adds or reading.corpus.is_matrix):
        raise ValueError(
            "No document holds two words of the vocabulary, so there are no pairs "
            "of words to learn from. Pass longer documents, or more words: by a "
            f"lower min_count (now {estimator.min_count}) or a larger vocabulary."
        )
    return reading, progress


def read_documents(
    estimator: Any,
    X: Any,
    y: Any,
    read: Callable[[Any], Reading],
    n_epochs: int | None = 0,
) -> tuple[Reading, int, Progress]:
    """Begin the progress of a fit, and read its documents as the first step.

    Parameters
    ----------
    estimator : BaseEstimator
    X : iterable of documents, or matrix
    y : object
    read : callable
        Takes a function to report to, or None, and returns a `Reading`.
    n_epochs : int or None, default=0
        The largest number of epochs, None if it is not known yet.

    Returns
    -------
    reading : Reading
    longest : int
        Tokens of the longest document.
    progress : Progress
    """
    n_parts = 100 if hasattr(X, "__len__") or hasattr(X, "shape") else None
    progress = begin(estimator, X, y, n_epochs)
    with progress.step("read", n_parts) as step:
        reading = read(step.report if step.listens else None)
        n_tokens = reading.corpus.n_tokens
        n_documents, longest = reading.corpus.n_documents, reading.corpus.longest
        progress.say(
            f"read {n_documents} documents: {n_tokens} tokens of "
            f"{reading.vocabulary.counts.size} words",
            rate(n_tokens, "tokens", step.seconds),
            step.times()[0],
        )
    if not n_documents:
        raise ValueError("X holds no documents: pass at least one.")
    return reading, longest, progress


def job_of(estimator: Any, start: Start, reading: Reading, progress: Progress) -> Job:
    """Return the input of the solver."""
    resume, vocabulary = start.resume, reading.vocabulary
    n_epochs = n_scheduled(estimator, reading, resume)
    seeds = seeds_of(estimator, resume)
    of_all = resume.total(vocabulary) if resume.adds else vocabulary
    total = reading._replace(vocabulary=of_all)
    return Job(
        corpus=reading.corpus,
        vocabulary=of_all,
        counts=vocabulary.counts,
        strategy=start.strategy,
        seeds=seeds,
        progress=progress,
        n_epochs=1 if resume.streams else n_epochs,
        n_scheduled=n_epochs,
        attributes=partial(attributes, estimator, start, total),
        resume=resume,
        rescue=[],
    )


def n_scheduled(estimator: Any, reading: Reading, resume: Resume) -> int:
    """Return the number of epochs for `max_iter`, 0 for a closed form.

    In later calls of `partial_fit`, "auto" keeps its value from the first call.
    """
    max_iter = getattr(estimator, "max_iter", 0)
    if max_iter != "auto":
        return max_iter
    if resume.adds and "_schedule_length" in resume.learned:
        return resume.learned["_schedule_length"]
    are_pairs = reading.corpus.counts is not None
    return auto_epochs(reading.vocabulary.counts, are_pairs, estimator._fewest_epochs)


def seeds_of(estimator: Any, resume: Resume) -> np.random.SeedSequence:
    """Return the seeds of this fit."""
    random = check_random_state(estimator.random_state)
    entropy = random.randint(2**31, size=SEED_WORDS).tolist()
    if "n_iter_" in resume.learned:
        # Otherwise, with an int, every call would make the same random draws.
        entropy.append(resume.learned["n_iter_"])
    return np.random.SeedSequence(entropy)


# --- publish --------------------------------------------------------------------------


def attributes(
    estimator: Any, start: Start, reading: Reading, fitted: Fitted
) -> dict[str, Any]:
    """Return all learned attributes of an estimator, as if the fit ended now.

    Parameters
    ----------
    estimator : BaseEmbedder
    start : Start
        Its pooling is not changed.
    reading : Reading
        With the word counts of all data so far.
    fitted : Fitted
    """
    resume, pooling = start.resume, start.pooling
    word = fitted.word_vectors
    # Without context vectors, only word vectors are features.
    tables = word, word if fitted.context_vectors is None else fitted.context_vectors
    how = estimator.combine, resume.adds, estimator.n_jobs
    pooling = _features.fit(copy.deepcopy(pooling), reading.corpus, tables, *how)
    earlier = resume.learned if resume.adds else {}
    scaling = _features.learn_scale(estimator, reading.corpus, tables, pooling, earlier)
    learned = _attributes(estimator, start.strategy, fitted, reading, pooling)
    return {**learned, **scaling}


def _attributes(
    estimator: Any, strategy: Tying, fitted: Fitted, reading: Reading, pooling: Any
) -> dict[str, Any]:
    """Return all learned attributes except those of `scale`."""
    optional = {
        "context_vectors_": fitted.context_vectors,
        "word_biases_": fitted.word_biases,
        "context_biases_": fitted.context_biases,
    }
    return {
        "vocabulary_": reading.vocabulary.rows,
        "word_counts_": reading.vocabulary.counts,
        "word_vectors_": fitted.word_vectors,
        "n_embedding_parameters_": fitted.n_parameters,
        "pooling_": pooling,
        "_score_offset": fitted.offset,
        "_score_scale": fitted.scale,
        "_made_with": made_with(estimator, strategy),
        **columns_of(reading.columns),
        **{name: value for name, value in optional.items() if value is not None},
        **fitted.attributes,
    }


def columns_of(columns: Columns | None) -> dict[str, Any]:
    """Return the learned attributes about the columns of a matrix."""
    if columns is None:
        return {"_column_words": None, "_chosen_columns": None}
    optional = {"feature_names_in_": columns.names, "_column_rows": columns.rows}
    return {
        "n_features_in_": columns.n_features,
        "_column_words": columns.words,
        "_chosen_columns": columns.chosen,
        **{name: value for name, value in optional.items() if value is not None},
    }


def rescue(job: Job) -> Fitted | None:
    """Return the model that an interrupted fit keeps, or None if there is none."""
    if not (job.rescue and keeps_finished()):
        return None
    return job.rescue[0]()


@dataclass
class Collected:
    """What fits would have warned of.

    Attributes
    ----------
    notes : list of str
    warning : type
        Category of the warning.
    interrupted : bool
        Whether a fit was interrupted and has kept its last finished epoch.
    """

    notes: list[str] = field(default_factory=list)
    warning: type[Warning] = UserWarning
    interrupted: bool = False

    def add(self, notes: list[str], warning: type[Warning], interrupted: bool) -> None:
        """Add the notes of a fit."""
        self.notes += notes
        self.warning = warning
        self.interrupted = self.interrupted or interrupted


# In a variable of the context, so that fits in other threads warn as usual.
_collected: ContextVar[Collected | None] = ContextVar("collected", default=None)


@contextmanager
def collected_notes() -> Iterator[Collected]:
    """Collect what fits within this context would warn of.

    An estimator that fits an embedder gives one warning of its own.
    """
    collected = Collected()
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)


def publish(
    estimator: Any,
    job: Job,
    fitted: Fitted,
    notes: Sequence[str],
    stacklevel: int,
    interrupted: bool = False,
) -> Any:
    """Set the learned attributes, and give the warnings of the fit.

    An exception leaves the estimator unchanged. This includes a warning that is turned
    into an exception. After an interrupt, however, attributes are set before the
    warning is given.

    Returns
    -------
    BaseEmbedder
        A copy of the fitted estimator, which other fits do not change.
    """
    learned = job.attributes(fitted)
    notes = [*fitted.notes, *notes, *_notes(estimator, job, fitted)]
    if job.strategy.note:
        notes.insert(0, job.strategy.note)
    collected = _collected.get()
    if collected is not None:
        collected.add(notes, fitted.warning, interrupted)
        notes = []
    job.progress.end(lambda: learned)
    seconds = job.progress.seconds
    if notes and not interrupted:
        warnings.warn(" ".join(notes), fitted.warning, stacklevel=stacklevel)
    model = set_learned(estimator, learned, seconds)
    if notes and interrupted:
        warnings.warn(" ".join(notes), fitted.warning, stacklevel=stacklevel)
    return model


def set_learned(estimator: Any, learned: dict[str, Any], seconds: float) -> Any:
    """Set all learned attributes, and drop those of earlier fits, in one step.

    An interrupt or another thread finds either the earlier state or the new one. The
    seconds that the fit took differ each time, so they are not learned: pickles and
    copies leave them out.
    """
    model = object.__new__(type(estimator))
    others = {name: v for name, v in vars(estimator).items() if not is_learned(name)}
    model.__dict__ = {**others, **learned, SECONDS: seconds}
    estimator.__dict__ = vars(model).copy()
    return model


def _notes(estimator: Any, job: Job, fitted: Fitted) -> list[str]:
    """Return warnings about these data and parameters."""
    notes, strategy, counts = [], job.strategy, job.corpus.counts
    if estimator.combine in strategy.combine_notes:
        label = strategies.label(strategy)
        notes.append(
            f"combine={estimator.combine!r} with share_context={label}: "
            f"{strategy.combine_notes[estimator.combine]}."
        )
    # Who collects the notes has made the counts, and knows whether they are symmetric.
    if _collected.get() is not None:
        return notes
    # `direction` does not apply to counts.
    one_sided = counts is None and estimator.direction != "both"
    asymmetric = one_sided or (counts is not None and (counts != counts.T).nnz)
    if asymmetric and strategy.is_symmetric:
        label = strategies.label(strategy)
        same = "the same score with context c as c with w"
        if np.ptp(fitted.offset) > 0.0:
            same += ", apart from the known constant of each context"
        others = " or ".join(
            strategies.label(other)
            for other in strategies.strategies(estimator._method)
            if not (other.is_symmetric or other.note)
        )
        what = "X is"
        if one_sided:
            what = f"Counts with direction={estimator.direction!r} are"
        notes.append(
            f"{what} not symmetric, but with share_context={label} word w has {same}: "
            f"share_context={others} can tell the two apart."
        )
    return notes
