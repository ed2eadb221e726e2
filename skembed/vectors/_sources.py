"""Words and vectors of fitted embedders, mappings and gensim: what a table is made of.

Objects of other packages are recognised by their attributes, so that nothing needs to
be installed or imported.
"""

import re
import reprlib
from collections.abc import Mapping
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from skembed._utils.extras import require
from skembed.vectors._validation import as_json, as_numbers

TABLES = {
    "word": "word vectors",
    "context": "context vectors",
    "sum": "sums of word and context vectors",
    "concat": "word and context vectors, side by side,",
}

# Letters of a parameter's value as JSON, beyond which it is shortened.
_LONGEST = 10_000


# Parameters that say where a fit was made, and not what it has learned.
_OF_MACHINE = ("memory", "n_jobs", "verbose")


class Parts(NamedTuple):
    """Arguments of `WordVectors`."""

    words: Any
    vectors: np.ndarray
    counts: Any
    source: str
    parameters: Mapping[str, Any] | None = None


# --- embedders ------------------------------------------------------------------------


def of_estimator(estimator: Any, which: Any) -> Parts:
    """Return the words and vectors of a fitted embedder.

    Parameters
    ----------
    estimator : object
        Only its attributes are read.
    which : {"word", "context", "sum", "concat"}

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If it is not an embedder.
    ValueError
        If it has no such vectors, or its attributes do not come from one fit.
    """
    if which not in TABLES:
        raise ValueError(f"which must be one of {list(TABLES)}, got {which!r}.")
    # A fit in another thread replaces all attributes in one step.
    learned = dict(getattr(estimator, "__dict__", {}))
    if not {"word_vectors_", "vocabulary_"} <= learned.keys():
        _explain(estimator)
    from skembed._corpus.validation import count_rows, rows_of

    names = ("word_vectors_", "context_vectors_", "word_counts_")
    n_rows = count_rows(learned, names)
    vocabulary = learned["vocabulary_"]
    rows = rows_of(vocabulary, vocabulary, n_rows)
    order = np.argsort(rows, kind="stable")
    words = [*vocabulary]
    vectors, counts = _table(estimator, learned, which), learned.get("word_counts_")
    source = _describe(estimator, learned, which)
    parameters = _parameters(estimator)
    if np.array_equal(rows, np.arange(n_rows)):
        return Parts(words, vectors, counts, source, parameters)
    rows = rows[order]
    counts = None if counts is None else counts[rows]
    words = [words[i] for i in order]
    return Parts(words, vectors[rows], counts, source, parameters)


def _explain(estimator: Any) -> None:
    """Raise the error for an object without vectors."""
    if hasattr(estimator, "fit") and not isinstance(estimator, type):
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(estimator)
    raise TypeError(
        "estimator must be a fitted embedder, with word_vectors_ and vocabulary_, got "
        f"{estimator!r}. For a pipeline, pass its embedder step, such as pipeline[0]. "
        "For a search, use best_estimator_."
    )


def _table(estimator: Any, learned: dict[str, Any], which: str) -> np.ndarray:
    word = learned["word_vectors_"]
    if which == "word":
        return word
    context = learned.get("context_vectors_")
    if context is None:
        raise ValueError(
            f"which={which!r} needs context vectors, and this "
            f"{type(estimator).__name__} has none. Pass which='word'."
        )
    if which == "context":
        return context
    if which == "concat":
        return np.hstack([word, context])
    from skembed.pooling._features import add_tables

    return add_tables(word, context)


def _describe(estimator: Any, learned: dict[str, Any], which: str) -> str:
    name = type(estimator).__name__
    if "share_context" in learned:
        name += f"(share_context={learned['share_context']!r})"
    counts = learned.get("word_counts_")
    if counts is None:
        return f"{TABLES[which]} of {name}"
    unit = "co-occurrences" if learned.get("input") == "cooccurrence" else "tokens"
    total = np.sum(counts)
    amount = f"{total:,}" if counts.dtype.kind == "i" else f"{total:,.6g}"
    return f"{TABLES[which]} of {name}, learned from {amount} {unit}"


def _parameters(estimator: Any) -> dict[str, Any]:
    """Return class and parameters, as far as JSON can hold them."""
    found = {"class": type(estimator).__name__}
    if hasattr(estimator, "get_params"):
        found |= estimator.get_params(deep=False)
    return {n: _plain(value) for n, value in found.items() if n not in _OF_MACHINE}


def _plain(value: Any) -> Any:
    """Return a value, or its repr if it is long or JSON cannot hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    try:
        if len(as_json({"": value}, "")) <= _LONGEST:
            return value
    except TypeError:
        pass
    short = reprlib.Repr()
    short.maxother = short.maxstring = 200
    # Addresses in memory would differ in each process.
    return re.sub(r" at 0x[0-9a-fA-F]+", "", short.repr(value))


# --- mappings -------------------------------------------------------------------------


def of_mapping(mapping: Any) -> Parts:
    """Return the words and vectors of a mapping.

    Raises
    ------
    TypeError
        If it is not a mapping, or a vector does not hold numbers.
    ValueError
        If a vector has several dimensions, or vectors differ in length.
    """
    if not isinstance(mapping, Mapping):
        raise TypeError(
            f"mapping must map words to vectors, got {type(mapping).__name__}."
        )
    words = [*mapping]
    found = [as_numbers(mapping[word], f"The vector of {word!r}") for word in words]
    for word, vector in zip(words, found, strict=True):
        if vector.ndim != 1:
            raise ValueError(
                f"The vector of {word!r} must have one dimension, got shape "
                f"{vector.shape}."
            )
        if vector.shape != found[0].shape:
            raise ValueError(
                f"The vector of {word!r} has {len(vector)} numbers, and that of "
                f"{words[0]!r} has {len(found[0])}: all must be of one length."
            )
    # Without words the table says what is wrong.
    vectors = np.stack(found) if found else np.empty((0, 1))
    return Parts(words, vectors, None, f"a {type(mapping).__name__}")


# --- gensim ---------------------------------------------------------------------------


def of_gensim(given: Any) -> Parts:
    """Return the words, vectors and counts of a gensim model or its vectors.

    Raises
    ------
    TypeError
        If it is neither.
    """
    keyed = getattr(given, "wv", given)
    source = f"{type(given).__name__} of gensim"
    if hasattr(keyed, "key_to_index") and not hasattr(keyed, "index_to_key"):
        return Parts(*_by_key(keyed), None, source)
    if not (hasattr(keyed, "index_to_key") and hasattr(keyed, "vectors")):
        raise TypeError(
            "from_gensim needs KeyedVectors of gensim 4, or a model with KeyedVectors "
            f"as its attribute wv, got {type(given).__name__}."
        )
    words, vectors = list(keyed.index_to_key), keyed.vectors[: len(keyed.index_to_key)]
    counts = getattr(keyed, "expandos", {}).get("count")
    if counts is not None:
        counts = counts[: len(words)]
    # Reading a file with repeated words leaves places without a word at the end.
    if None in words:
        rows = [row for row, word in enumerate(words) if word is not None]
        words, vectors = [words[row] for row in rows], vectors[rows]
        counts = None if counts is None else counts[rows]
    elif vectors.flags.writeable:
        # gensim goes on training in place.
        vectors = vectors.copy()
    return Parts(words, vectors, counts, source)


def _by_key(keyed: Any) -> tuple[list[Any], np.ndarray]:
    """Return the words of `key_to_index`, and a copy of their rows of `vectors`.

    Raises
    ------
    ValueError
        If a row is not one of `vectors`.
    """
    n_rows = len(keyed.vectors)
    for word, row in keyed.key_to_index.items():
        if not (isinstance(row, Integral) and 0 <= int(row) < n_rows):
            raise ValueError(
                f"key_to_index has the row {row!r} for {word!r}, but vectors has the "
                f"rows 0, 1, ..., {n_rows - 1}."
            )
    rows = np.array([*keyed.key_to_index.values()], dtype=np.int64)
    return [*keyed.key_to_index], np.asarray(keyed.vectors)[rows]


def to_gensim(words: tuple[Any, ...], vectors: np.ndarray, counts: Any) -> Any:
    """Return a copy as gensim's KeyedVectors.

    Raises
    ------
    ImportError
        If gensim is not installed.
    """
    models = require("gensim.models", "to_gensim", "gensim")
    keyed = models.KeyedVectors(vectors.shape[1])
    keyed.add_vectors(list(words), vectors)
    if counts is not None:
        keyed.expandos["count"] = np.array(counts)
    return keyed
