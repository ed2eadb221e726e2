"""The one way from documents to a fitted estimator."""

import copy
import functools
import warnings
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from skembed import _continuing
from skembed import pooling as _pooling
from skembed._corpus import reader
from skembed._corpus.reader import Reading
from skembed._corpus.vocabulary import Corpus
from skembed._solvers.epochs import auto_epochs
from skembed._solvers.job import SEED_WORDS, TOO_LATE, Before, Fitted, Job
from skembed._tying import strategies
from skembed._utils.interrupts import Shield
from skembed._utils.limits import explains_lack
from skembed._utils.progress import Course, rate
from skembed.pooling import _features, _scaling
from skembed.pooling._scaling import Scaling

# Learned attributes: the parts of a `Scaling`.
SCALING = ("feature_means_", "feature_scales_")
# The largest number that parameters are computed with.
_MOST = 2**53


def fit(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    stacklevel: int,
    adds: bool = False,
) -> tuple[Reading, Any]:
    """Fit an estimator: validate, read, learn, publish.

    Parameters
    ----------
    estimator : BaseEmbedder
    X : iterable of documents, or matrix
    y : object
        Is shown to callbacks.
    sample_weight : array-like of shape (n_documents,), float or None
    stacklevel : int
        Of warnings, from here.
    adds : bool, default=False
        Whether the data are more of what it was fitted on before.

    Returns
    -------
    reading : Reading
    model : BaseEmbedder
        A copy of the estimator, which other fits leave as it is.
    """
    _check_numbers(estimator)
    strategy = strategies.get_strategy(estimator.share_context, estimator._method)
    if adds and getattr(estimator, "early_stopping", False):
        raise ValueError(
            "partial_fit makes one epoch at a time and does not support "
            "early_stopping=True. Set it to False, or call fit."
        )
    earlier = _continuing.before(estimator, adds)
    given = _continuing.given_vectors(estimator)
    pooling = _pooling_to_fit(estimator, earlier)
    max_iter = 1 if adds else getattr(estimator, "max_iter", 0)
    course = Course(estimator, X, y, None if max_iter == "auto" else max_iter)
    reading = _read(estimator, X, sample_weight, earlier, course)
    counts = reading.vocabulary.counts
    n_scheduled = _n_scheduled(estimator, reading, earlier)
    vocabulary = _continuing.total(reading.vocabulary, earlier)
    reading = reading._replace(vocabulary=vocabulary)

    def attributes(fitted: Fitted) -> dict[str, Any]:
        goes_on = adds and earlier is not None
        tables = fitted.word_vectors, fitted.context_vectors
        fresh = _features.fit(
            copy.deepcopy(pooling), reading.corpus, tables, estimator.combine, goes_on
        )
        learned = _attributes(estimator, fitted, reading, fresh)
        learned.update(_scaling_of(estimator, reading.corpus, tables, fresh, earlier))
        return {**learned, "_streams": adds}

    with Shield() as shield:
        job = Job(
            corpus=reading.corpus,
            vocabulary=vocabulary,
            counts=counts,
            strategy=strategy,
            seeds=_seeds(estimator, earlier),
            course=course,
            n_epochs=1 if adds else n_scheduled,
            n_scheduled=n_scheduled,
            attributes=attributes,
            shield=shield,
            before=earlier,
            start=_continuing.start(given, vocabulary.rows, earlier),
            streams=adds,
        )
        fitted = explains_lack(estimator._fit_vectors)(job)
        fitted.notes += reading.notes
        model, told = _settle(estimator, job, fitted, stacklevel + 1)
    if fitted.problem is not None:
        raise fitted.problem
    if shield.interrupted and not told:
        warnings.warn(TOO_LATE, stacklevel=stacklevel)
    return reading, model


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


def _pooling_to_fit(estimator: Any, earlier: Before | None) -> Any:
    """Return a pooling as it is before the fit."""
    pooling = _pooling.make(estimator.pooling)
    if earlier is None or not earlier.adds or _pooling.learns_nothing(pooling):
        return pooling
    fitted = earlier.learned["pooling_"]
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


@explains_lack
def _read(
    estimator: Any,
    X: Any,
    sample_weight: Any,
    earlier: Before | None,
    course: Course,
) -> Reading:
    n_parts = 100 if hasattr(X, "__len__") or hasattr(X, "shape") else None
    with course.step("read", n_parts) as step:
        report = step.report if step.listens else None
        known = _continuing.known(estimator, earlier)
        reading = reader.read(estimator, X, sample_weight, known, report)
        corpus, n_words = reading.corpus, len(reading.vocabulary)
        course.say(
            f"read {corpus.n_documents} documents: {corpus.token_ids.size} tokens of "
            f"{n_words} words",
            rate(corpus.token_ids.size, "tokens", step.seconds),
            step.times()[0],
        )
    if not corpus.n_documents:
        raise ValueError("X holds no documents: pass at least one.")
    may_be_empty = earlier is not None and earlier.adds
    if corpus.token_weights is None and corpus.longest < 2 and not may_be_empty:
        raise ValueError(
            "No document holds two words of the vocabulary, so there are no pairs "
            "of words to learn from. Pass longer documents, or more words: by a "
            f"lower min_count (now {estimator.min_count}) or a larger vocabulary."
        )
    return reading


def _n_scheduled(estimator: Any, reading: Reading, earlier: Before | None) -> int:
    """Return the number of epochs of `max_iter`, 0 for a closed form.

    While `partial_fit` goes on, "auto" stays what it was at first.
    """
    max_iter = getattr(estimator, "max_iter", 0)
    if max_iter != "auto":
        return max_iter
    if earlier is not None and earlier.adds and "_schedule_length" in earlier.learned:
        return earlier.learned["_schedule_length"]
    are_pairs = reading.corpus.counts is not None
    return auto_epochs(reading.vocabulary.counts, are_pairs, estimator._fewest_epochs)


def _scaling_of(
    estimator: Any,
    corpus: Corpus,
    tables: tuple[np.ndarray, np.ndarray],
    pooling: Any,
    earlier: Before | None,
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
    learned = earlier.learned if earlier is not None and earlier.adds else {}
    if learned.get("_scaled_as") == scaled_as:
        return {name: learned[name] for name in (*SCALING, "_scaled_as")}
    found = _features.fit_scaling(corpus, tables, plan, estimator.n_jobs)
    return {**dict(zip(SCALING, found, strict=True)), "_scaled_as": scaled_as}


def learned_scale(
    estimator: Any, n_features: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what scales rows of features as a fit has learned.

    Raises
    ------
    ValueError
        If parameters have changed since, or attributes do not fit together.
    """
    combine = estimator.combine
    if getattr(estimator, "_scaled_as", ("",))[0] != combine:
        raise ValueError(
            f"scale={estimator.scale!r} needs what fit learns with it and with "
            f"combine={combine!r}, and these have been changed since. Call fit again, "
            "or pass scale=None."
        )
    found = Scaling(*(getattr(estimator, name) for name in SCALING))
    for name, values in zip(SCALING, found, strict=True):
        if values.shape != (n_features,):
            raise ValueError(
                f"{name} has shape {values.shape}, but there are {n_features} "
                "features: the attributes do not come from one fit. Set them back, or "
                "call fit."
            )
    return functools.partial(_scaling.apply, scaling=found, scale=estimator.scale)


def _seeds(estimator: Any, earlier: Before | None) -> np.random.SeedSequence:
    random = check_random_state(estimator.random_state)
    entropy = random.randint(2**31, size=SEED_WORDS).tolist()
    if earlier is not None and "n_iter_" in earlier.learned:
        # Otherwise an int would let every part of the data meet the same draws.
        entropy.append(earlier.learned["n_iter_"])
    return np.random.SeedSequence(entropy)


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
        "_made_with": _continuing.made_with(estimator),
        **{name: value for name, value in optional.items() if value is not None},
        **fitted.attributes,
    }


def _settle(
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
        _end(job.course, learned, job.shield)
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
    is_learned = _continuing.is_learned
    model = copy.copy(estimator)
    others = {name: v for name, v in vars(model).items() if not is_learned(name)}
    model.__dict__ = {**others, **learned}
    estimator.__dict__ = vars(model).copy()
    return model


def _end(course: Course, learned: dict[str, Any], shield: Shield) -> None:
    """Tell callbacks of the end; an interrupt ends them, and not what is learned."""
    patience = shield.patience
    try:
        shield.patience = 0
        course.end(lambda: learned)
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
