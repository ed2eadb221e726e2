"""What a fit goes on from: an earlier fit, or vectors that users give."""

from typing import Any

import numpy as np

from skembed._corpus.alignment import check_sparse, count_rows, rows_of
from skembed._corpus.reader import Known, fit_anew
from skembed._corpus.vocabulary import Vocabulary, check_vocabulary
from skembed._given import check_vectors
from skembed._solvers.job import Before, Start
from skembed._tying import bias, strategies

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


def before(estimator: Any, adds: bool) -> Before | None:
    """Return what earlier fits have left, if this one is to go on from there.

    Parameters
    ----------
    estimator : BaseEmbedder
    adds : bool
        Whether the data are more of the same: of `partial_fit`.

    Returns
    -------
    Before or None

    Raises
    ------
    ValueError
        If a parameter has changed that earlier vectors or counts depend on, or these
        have been lost.
    """
    fitted = estimator.__sklearn_is_fitted__()
    if not fitted or not (adds or getattr(estimator, "warm_start", False)):
        return None
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
    return Before(learned, _count_rows(estimator, learned), adds)


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


def known(estimator: Any, earlier: Before | None) -> Known | None:
    """Return the vocabulary that a fit goes on from."""
    if earlier is None:
        return None
    rows = earlier.learned["vocabulary_"]
    return Known(rows, estimator.new_words == "grow", estimator._columns)


def total(vocabulary: Vocabulary, earlier: Before | None) -> Vocabulary:
    """Return a vocabulary with the counts of all data that count together."""
    if earlier is None or not earlier.adds:
        return vocabulary
    counts = earlier.of_words("word_counts_", len(vocabulary))
    with np.errstate(over="ignore"):
        counts = counts + vocabulary.counts
        n_tokens = counts.sum()
    if not np.isfinite(n_tokens):
        raise ValueError(
            "Counts of words become infinite: the numbers in X or in sample_weight are "
            "too large. Divide those of all parts by the same number."
        )
    return Vocabulary(vocabulary.rows, counts)


def given_vectors(estimator: Any) -> dict[str, np.ndarray] | None:
    """Return the parameter `init`, checked, where there is one."""
    init = getattr(estimator, "init", None)
    if init is None:
        return None
    rows = None
    if estimator.vocabulary is not None:
        rows = check_vocabulary(estimator.vocabulary)
    return check_vectors(init, rows, estimator.n_components)


def start(
    given: dict[str, np.ndarray] | None, rows: dict[str, int], earlier: Before | None
) -> Start | None:
    """Return the rows that begin with given vectors.

    Parameters
    ----------
    given : dict of str to ndarray, or None
    rows : dict of str to int
        Words that are not among them are of no use.
    earlier : Before or None
        Words that have been learned go on from there.

    Raises
    ------
    ValueError
        If none of the words is among them.
    """
    if given is None:
        return None
    first_new = 0 if earlier is None else earlier.n_words
    found = [word for word in given if rows.get(word, -1) >= first_new]
    if not found and earlier is None:
        raise ValueError(
            f"init holds vectors of {len(given)} words, none of which is among the "
            f"{len(rows)} words of the vocabulary. Check that both are written in the "
            "same way, e.g. in lower case."
        )
    if not found:
        return None
    places = np.array([rows[word] for word in found], dtype=np.int64)
    return Start(places, np.stack([given[word] for word in found]))
