"""The steps of a fit, from validated parameters to published attributes."""

import copy
import warnings
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from skembed import pooling as _pooling
from skembed._corpus import reader
from skembed._corpus.reader import Known, Reading, fit_anew
from skembed._corpus.validation import (
    check_sparse,
    check_vocabulary,
    count_rows,
    is_int,
    rows_of,
)
from skembed._corpus.vocabulary import Corpus
from skembed._solvers.epochs import auto_epochs
from skembed._solvers.job import SEED_WORDS, TOO_LATE, Fitted, Job, Resume
from skembed._tying import bias, strategies
from skembed._tying.layout import LARGEST
from skembed._tying.strategies import Tying
from skembed._utils.interrupts import Shield
from skembed._utils.limits import explains_lack
from skembed._utils.progress import Progress, rate
from skembed.pooling import _features
from skembed.pooling._features import SCALING

# The largest number that parameters are computed with.
_MOST = 2**53
# Learned attributes whose names do not end with an underscore.
PRIVATE = frozenset(
    (
        "_chosen_columns",
        "_column_words",
        "_context_kept",
        "_context_totals",
        "_counts",
        "_counts_are_half",
        "_counts_order",
        "_made_with",
        "_scaled_as",
        "_schedule_epoch",
        "_schedule_length",
        "_score_offset",
        "_score_scale",
        "_squares",
        "_streams",
    )
)
# What pickles leave out unless an estimator is likely to go on learning: it is larger
# than the vectors.
LARGE = ("_counts", "_squares")


def is_learned(name: str) -> bool:
    """Return whether a fit sets, and the next one replaces, an attribute."""
    return name in PRIVATE or (name.endswith("_") and not name.startswith("__"))


# --- validate -------------------------------------------------------------------------


def validate(estimator: Any, adds: bool) -> Tying:
    """Check what scikit-learn's constraints do not say; return the strategy.

    Parameters
    ----------
    estimator : BaseEmbedder
    adds : bool
        Whether this is a `partial_fit`.
    """
    _check_numbers(estimator)
    strategy = strategies.get_strategy(estimator.share_context, estimator._method)
    if adds and getattr(estimator, "early_stopping", False):
        raise ValueError(
            "partial_fit makes one epoch at a time and does not support "
            "early_stopping=True. Set it to False, or call fit."
        )
    return strategy


def _check_numbers(estimator: Any) -> None:
    """Refuse numbers that no array could hold, and what is no number."""
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


def resume_of(estimator: Any, adds: bool) -> Resume:
    """Return what a fit resumes from: earlier fits, if it is one that resumes.

    Parameters
    ----------
    estimator : BaseEmbedder
    adds : bool
        Whether this is a `partial_fit`, whose data are more of the same.

    Returns
    -------
    Resume

    Raises
    ------
    ValueError
        If a parameter has changed that earlier vectors or counts depend on, if these
        have been lost, or if `init` is not valid.
    """
    fitted = estimator.__sklearn_is_fitted__()
    if not fitted or not (adds or getattr(estimator, "warm_start", False)):
        return Resume(adds, init=_init(estimator))
    learned = {name: v for name, v in vars(estimator).items() if is_learned(name)}
    name = type(estimator).__name__
    if "_made_with" not in learned:
        raise ValueError(
            f"This {name} was fitted by an earlier version, which has not kept what it "
            f"takes to go on. Call {fit_anew(estimator)}."
        )
    for parameter in _fixed(estimator, adds):
        value = _meaning(estimator, parameter)
        # Estimators of other versions may not have noted it.
        earlier = learned["_made_with"].get(parameter, value)
        if value != earlier:
            raise ValueError(
                f"{name} was fitted with {parameter}={earlier!r}, and cannot go on "
                f"with {parameter}={value!r}. Set it back, or call "
                f"{fit_anew(estimator)}."
            )
    for attribute in LARGE:
        needed = adds or attribute != "_counts"
        if attribute in estimator._state and needed and attribute not in learned:
            when = (
                " or with warm_start=True" if hasattr(estimator, "warm_start") else ""
            )
            raise ValueError(
                f"This {name} has come without its counts and the state of its "
                "training, so it cannot go on: pickles (files, caches of pipelines, "
                f"results of other processes) hold them only after partial_fit{when}. "
                f"Call {fit_anew(estimator)}."
            )
    _check_vocabulary(estimator, learned["vocabulary_"])
    n_words = _count_rows(estimator, learned)
    grows = estimator.new_words == "grow"
    known = Known(learned["vocabulary_"], grows, estimator._columns)
    return Resume(adds, learned, n_words, known, _init(estimator))


def made_with(estimator: Any) -> dict[str, Any]:
    """Return the parameters that fits which go on from the present one depend on."""
    names = (*estimator._fixed_by_vectors, *estimator._fixed_by_counts)
    return {name: _meaning(estimator, name) for name in names}


def _meaning(estimator: Any, name: str) -> Any:
    """Return the value of a parameter, or what it stands for."""
    value = getattr(estimator, name)
    if name == "bias":
        strategy = strategies.get_strategy(estimator.share_context)
        return bias.get_bias(value, strategy).name
    return value


def _fixed(estimator: Any, adds: bool) -> list[str]:
    """Return the parameters that have to be as they were."""
    fixed = list(estimator._fixed_by_vectors)
    # Learned factors go on from what they are.
    if not strategies.get_strategy(estimator.share_context).signed:
        fixed = [name for name in fixed if name != "negative_dims"]
    if adds:
        fixed += estimator._fixed_by_counts
    if estimator._columns is not None:
        fixed = [name for name in fixed if not name.startswith("window")]
    return fixed


def _check_vocabulary(estimator: Any, rows: dict[str, int]) -> None:
    """Refuse a vocabulary that would not be used, as rows stay as they are."""
    given = estimator.vocabulary
    if given is not None and list(check_vocabulary(given)) != list(rows):
        raise ValueError(
            f"{type(estimator).__name__} has learned {len(rows)} words, and cannot go "
            "on with another vocabulary. Set it back, pass None and new_words="
            f"'grow' for more words, or call {fit_anew(estimator)}."
        )


def _count_rows(estimator: Any, learned: dict[str, Any]) -> int:
    """Return for how many words there are vectors; check that all have this many."""
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


def _init(estimator: Any) -> dict[str, np.ndarray] | None:
    """Return the parameter `init`, checked, where there is one."""
    init = getattr(estimator, "init", None)
    if init is None:
        return None
    rows = None
    if estimator.vocabulary is not None:
        rows = check_vocabulary(estimator.vocabulary)
    return _check_vectors(init, rows, estimator.n_components)


def _check_vectors(
    init: Any, vocabulary: dict[Any, int] | None, n_components: int
) -> dict[Any, np.ndarray]:
    """Return the parameter `init` as a dict from word to vector.

    Parameters
    ----------
    init : mapping of str to array-like, or array-like of shape (n_words, n_components)
        Rows of an array are those of the given vocabulary. Words may also be int. An
        object with a mapping `key_to_index` and an array `vectors`, as gensim has it,
        is a mapping, too.
    vocabulary : dict of str to int, or None
    n_components : int

    Returns
    -------
    dict of str to ndarray of shape (n_components,), float32

    Raises
    ------
    ValueError
        If a vector has another length or is not finite, or if it is not known which
        words the rows of an array belong to.
    """
    if hasattr(init, "key_to_index") and hasattr(init, "vectors"):
        init = _keyed(init)
    elif not isinstance(init, Mapping):
        init = _by_word(init, vocabulary)
    found = {}
    for word, given in init.items():
        if not (isinstance(word, str) or is_int(word)):
            raise ValueError(
                f"init must map words, which are str (or int, as those of a matrix may "
                f"be), got {word!r}."
            )
        vector = _as_vector(word, given)
        if vector.shape != (n_components,):
            raise ValueError(
                f"init holds a vector of shape {vector.shape} for {word!r}; with "
                f"n_components={n_components} it must be of shape ({n_components},)."
            )
        with np.errstate(over="ignore"):
            vector = vector.astype(np.float32, copy=False)
        if not (np.abs(vector) <= LARGEST).all():
            raise ValueError(
                f"init holds numbers for {word!r} that are infinite, missing or larger "
                f"than {LARGEST:.0e}. Replace them, or leave that word out."
            )
        found[word] = vector
    return found


def _keyed(init: Any) -> dict[Any, Any]:
    n_rows = len(init.vectors)
    for word, row in init.key_to_index.items():
        if not (is_int(row) and 0 <= row < n_rows):
            raise ValueError(
                f"init.key_to_index has the row {row!r} for {word!r}, but init.vectors "
                f"has the rows 0, 1, ..., {n_rows - 1}."
            )
    return {word: init.vectors[row] for word, row in init.key_to_index.items()}


def _by_word(init: Any, vocabulary: dict[Any, int] | None) -> dict[Any, Any]:
    try:
        rows = np.asarray(init)
    except ValueError as error:
        raise ValueError(f"init is not an array: {error}.") from error
    if rows.ndim == 0:
        raise ValueError(
            "init must be a mapping of words to vectors, an array with a row for each "
            "word of `vocabulary`, or KeyedVectors (model.wv of a model of gensim), "
            f"got {init!r}."
        )
    if vocabulary is None:
        raise ValueError(
            "init is an array, whose rows do not say which words they belong to. Pass "
            "these words as `vocabulary`, or a mapping of words to vectors."
        )
    if rows.ndim != 2 or len(rows) != len(vocabulary):
        raise ValueError(
            f"init is an array of shape {rows.shape}; it needs one row for each of the "
            f"{len(vocabulary)} words of vocabulary."
        )
    return {word: rows[row] for word, row in vocabulary.items()}


def _as_vector(word: Any, given: Any) -> np.ndarray:
    try:
        vector = np.asarray(given)
        if vector.dtype.kind == "O" and all(isinstance(x, Real) for x in vector.flat):
            vector = vector.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"init[{word!r}] is not an array: {error}.") from error
    if vector.dtype.kind not in "biuf":
        raise ValueError(
            f"init holds {vector.dtype} for {word!r}; vectors are of real numbers."
        )
    return vector


def pooling_to_fit(estimator: Any, resume: Resume) -> Any:
    """Return a pooling as it is before the fit."""
    pooling = _pooling.make(estimator.pooling)
    if not resume.adds or _pooling.learns_nothing(pooling):
        return pooling
    fitted = resume.learned["pooling_"]
    if type(fitted) is not type(pooling) or _params(fitted) != _params(pooling):
        raise ValueError(
            f"{type(estimator).__name__} was fitted with the pooling {fitted!r}, and "
            f"partial_fit cannot go on with pooling={estimator.pooling!r}, which has "
            "to learn from all documents. Set it back, or fit anew."
        )
    pooling = fitted
    if not hasattr(pooling, "partial_fit"):
        raise ValueError(
            f"pooling={estimator.pooling!r} learns from documents and has no method "
            "partial_fit to go on with more of them. Add one, or use another pooling."
        )
    return pooling


def _params(pooling: Any) -> str:
    # Values may be of any type, whose comparison may not be a bool.
    return repr(pooling.get_params()) if hasattr(pooling, "get_params") else ""


# --- read, and what is to be learned --------------------------------------------------


@explains_lack
def read(
    estimator: Any, X: Any, sample_weight: Any, resume: Resume, progress: Progress
) -> Reading:
    """Return what the fit has read, with the word counts of these documents alone."""
    n_parts = 100 if hasattr(X, "__len__") or hasattr(X, "shape") else None
    with progress.step("read", n_parts) as step:
        report = step.report if step.listens else None
        reading = reader.read(estimator, X, sample_weight, resume.known, report)
        corpus, n_words = reading.corpus, len(reading.vocabulary)
        progress.say(
            f"read {corpus.n_documents} documents: {corpus.token_ids.size} tokens of "
            f"{n_words} words",
            rate(corpus.token_ids.size, "tokens", step.seconds),
            step.times()[0],
        )
    if not corpus.n_documents:
        raise ValueError("X holds no documents: pass at least one.")
    if corpus.token_weights is None and corpus.longest < 2 and not resume.adds:
        raise ValueError(
            "No document holds two words of the vocabulary, so there are no pairs "
            "of words to learn from. Pass longer documents, or more words: by a "
            f"lower min_count (now {estimator.min_count}) or a larger vocabulary."
        )
    return reading


def n_scheduled(estimator: Any, reading: Reading, resume: Resume) -> int:
    """Return the number of epochs of `max_iter`, 0 for a closed form.

    While `partial_fit` goes on, "auto" stays what it was at first.
    """
    max_iter = getattr(estimator, "max_iter", 0)
    if max_iter != "auto":
        return max_iter
    if resume.adds and "_schedule_length" in resume.learned:
        return resume.learned["_schedule_length"]
    are_pairs = reading.corpus.counts is not None
    return auto_epochs(reading.vocabulary.counts, are_pairs, estimator._fewest_epochs)


def seeds(estimator: Any, resume: Resume) -> np.random.SeedSequence:
    """Return the seeds of this fit."""
    random = check_random_state(estimator.random_state)
    entropy = random.randint(2**31, size=SEED_WORDS).tolist()
    if "n_iter_" in resume.learned:
        # Otherwise an int would let every part of the data meet the same draws.
        entropy.append(resume.learned["n_iter_"])
    return np.random.SeedSequence(entropy)


# --- publish --------------------------------------------------------------------------


def attributes(
    estimator: Any, reading: Reading, pooling: Any, resume: Resume, fitted: Fitted
) -> dict[str, Any]:
    """Return all learned attributes of an estimator, as if the fit ended now.

    Parameters
    ----------
    estimator : BaseEmbedder
    reading : Reading
        With the word counts of all data that count together.
    pooling : object
        As it is before the fit; it stays so.
    resume : Resume
    fitted : Fitted
    """
    tables = fitted.word_vectors, fitted.context_vectors
    pooling = _features.fit(
        copy.deepcopy(pooling), reading.corpus, tables, estimator.combine, resume.adds
    )
    learned = _attributes(estimator, fitted, reading, pooling)
    learned.update(_scaling_of(estimator, reading.corpus, tables, pooling, resume))
    return {**learned, "_streams": resume.streams}


def _attributes(
    estimator: Any, fitted: Fitted, reading: Reading, pooling: Any
) -> dict[str, Any]:
    """Return all learned attributes of the fitted estimator."""
    columns = reading.columns
    optional = {
        "word_biases_": fitted.word_biases,
        "context_biases_": fitted.context_biases,
        "n_features_in_": None if columns is None else columns.n_features,
        "feature_names_in_": None if columns is None else columns.names,
    }
    return {
        "vocabulary_": reading.vocabulary.rows,
        "word_counts_": reading.vocabulary.counts,
        "word_vectors_": fitted.word_vectors,
        "context_vectors_": fitted.context_vectors,
        "n_embedding_parameters_": fitted.n_parameters,
        "pooling_": pooling,
        "_score_offset": fitted.offset,
        "_score_scale": fitted.scale,
        "_column_words": None if columns is None else columns.words,
        "_chosen_columns": None if columns is None else columns.chosen,
        "_made_with": made_with(estimator),
        **{name: value for name, value in optional.items() if value is not None},
        **fitted.attributes,
    }


def _scaling_of(
    estimator: Any,
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    pooling: Any,
    resume: Resume,
) -> dict[str, Any]:
    """Return the learned attributes that `scale` needs, if there is one.

    While `partial_fit` goes on they stay what they were, so that a model behind the
    features can go on, too; unless parameters have changed what the columns are.
    """
    if estimator.scale is None:
        return {}
    plan = _features.plan_of(estimator, pooling, tables[0].shape[1], np.float64)
    kind = f"{type(pooling).__module__}.{type(pooling).__qualname__}"
    scaled_as = estimator.combine, kind, _params(pooling), plan.n_features
    learned = resume.learned if resume.adds else {}
    if learned.get("_scaled_as") == scaled_as:
        return {name: learned[name] for name in (*SCALING, "_scaled_as")}
    found = _features.fit_scaling(corpus, tables, plan, estimator.n_jobs)
    return {**dict(zip(SCALING, found, strict=True)), "_scaled_as": scaled_as}


def publish(
    estimator: Any, job: Job, fitted: Fitted, stacklevel: int
) -> tuple[Any, bool]:
    """Publish and tell what is learned.

    Returns a copy of the fitted estimator, and whether a late interrupt was told of. An
    exception leaves the estimator as it was.
    """
    as_before = vars(estimator)
    try:
        learned = explains_lack(job.attributes)(fitted)
        fitted.notes += _notes(estimator, job, fitted)
        model = _publish(estimator, learned)
        _end(job.progress, learned, job.shield)
        late = job.shield.interrupted
        _tell(fitted, late, stacklevel + 1)
    except BaseException as error:
        # What an interrupt has kept is kept, even where its warning is an error.
        kept = job.shield.interrupted or fitted.interrupted
        if not (kept and isinstance(error, Warning)):
            estimator.__dict__ = as_before
        raise
    return model, late


def _publish(estimator: Any, learned: dict[str, Any]) -> Any:
    """Set all learned attributes, and drop those of earlier fits, in one step.

    An interrupt, or another thread, finds the estimator as it was or as it shall be.
    Returns a copy, which stays as it is.
    """
    model = copy.copy(estimator)
    others = {name: v for name, v in vars(model).items() if not is_learned(name)}
    model.__dict__ = {**others, **learned}
    estimator.__dict__ = vars(model).copy()
    return model


def _end(progress: Progress, learned: dict[str, Any], shield: Shield) -> None:
    """Tell callbacks of the end; an interrupt ends them, and not what is learned."""
    patience = shield.patience
    try:
        shield.patience = 0
        progress.end(lambda: learned)
        shield.patience = patience
    except KeyboardInterrupt:
        if not patience:
            raise
        shield.interrupted = True


def _tell(fitted: Fitted, late: bool, stacklevel: int) -> None:
    """Warn of what the user should know, of a late interrupt too."""
    notes = list(fitted.notes)
    if late and fitted.problem is None:
        notes.append(TOO_LATE)
    if notes:
        warnings.warn(" ".join(notes), fitted.warning, stacklevel=stacklevel)


def _notes(estimator: Any, job: Job, fitted: Fitted) -> list[str]:
    """Return what a user of these data and parameters should be warned of."""
    notes, strategy, counts = [], job.strategy, job.corpus.counts
    if estimator.combine in strategy.combine_notes:
        notes.append(
            f"combine={estimator.combine!r} with share_context={strategy.name!r}: "
            f"{strategy.combine_notes[estimator.combine]}."
        )
    if strategy.is_symmetric and counts is not None and (counts != counts.T).nnz:
        same = "the same score with context c as c with w"
        if np.ptp(fitted.offset) > 0.0:
            same += ", apart from the known constant of each context"
        notes.append(
            "X is not symmetric, but with share_context="
            f"{strategy.name!r} word w has {same}: share_context=False tells the two "
            "apart."
        )
    return notes
