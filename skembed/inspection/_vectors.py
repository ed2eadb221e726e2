"""Diagnostics of fitted vectors that need no documents."""

import inspect
from typing import Any

import numpy as np
from scipy import linalg

from skembed._base import BaseEmbedder
from skembed._corpus.validation import TABLES, count_rows
from skembed._pretrained import PretrainedEmbedder
from skembed.vectors import WordVectors
from skembed.vectors._given import as_word_vectors

# Words that are scored at once.
_CHUNK = 1 << 14


def check_estimator(estimator: Any, kinds: tuple[type, ...] = (BaseEmbedder,)) -> Any:
    """Check that an estimator is of a class that a diagnostic is for, and fitted.

    Parameters
    ----------
    estimator : object
    kinds : tuple of type, default=(BaseEmbedder,)

    Returns
    -------
    BaseEmbedder
        A copy, which a fit in another thread leaves as it is.

    Raises
    ------
    TypeError
        If it is of another class.
    NotFittedError
        If it is not fitted.
    ValueError
        If its tables do not come from one fit.
    """
    if not isinstance(estimator, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        if any(map(inspect.isabstract, kinds)):
            names = "embedder of skembed"
        advice = (
            "For a pipeline, pass its embedder step, such as pipeline[0]. For a "
            "search, use best_estimator_; for a GraphEmbedder, embedder_."
        )
        if isinstance(estimator, PretrainedEmbedder):
            advice = "It has vectors of words, but none of contexts."
        raise TypeError(
            f"estimator must be a fitted {names}, got {type(estimator).__name__}. "
            f"{advice}"
        )
    fitted: Any = estimator
    model = fitted._as_fitted()
    count_rows(vars(model), TABLES)
    return model


def check_tables(estimator: Any) -> Any:
    """Return a fitted embedder whose scores are products of two vectors.

    Raises
    ------
    TypeError, NotFittedError, ValueError
        As in `check_estimator`. A ValueError also if it is a hierarchical softmax.
    """
    model = check_estimator(estimator)
    if hasattr(model, "children_"):
        raise ValueError(
            f"This {type(model).__name__} has loss='hierarchical': its scores are not "
            "products of word vectors and context vectors. Use one with "
            "loss='softmax', or skembed.inspection.held_out_cross_entropy."
        )
    return model


def table_of(estimator: Any, which: str) -> WordVectors:
    """Return word vectors as a table.

    Parameters
    ----------
    estimator : embedder, WordVectors, str, path, KeyedVectors or mapping
        A fitted embedder, or what `as_word_vectors` takes.
    which : {"word", "context", "sum", "concat"}
        Which vectors of an embedder.

    Returns
    -------
    WordVectors
    """
    if hasattr(estimator, "fit"):
        return WordVectors.from_estimator(estimator, which)
    if which != "word":
        raise ValueError(
            f"which={which!r} needs a fitted embedder, and a table has one vector for "
            "each word. Leave which out."
        )
    return as_word_vectors(estimator, "estimator")


def self_scores(estimator: BaseEmbedder, *, direction: str = "both") -> np.ndarray:
    """Return the score of every word as its own context.

    Words rarely occur in their own context, so large scores would be wrong. Without a
    bias, however, these scores cannot be negative if the context vector is the word
    vector.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.
    direction : {"both", "left", "right"}, default="both"
        As in `score_pairs`.

    Returns
    -------
    ndarray of shape (n_words,), float64
        ``s(w, w)`` in the order of rows, with all biases and offsets: what
        `score_pairs` returns.

    Raises
    ------
    ValueError
        If the model has no contexts of that direction.
    """
    estimator = check_estimator(estimator)
    words = list(estimator.vocabulary_)
    scores = np.empty(len(words))
    for first in range(0, len(words), _CHUNK):
        some = words[first : first + _CHUNK]
        scores[first : first + _CHUNK] = estimator.score_pairs(
            some, some, direction=direction
        )
    return scores


def vector_cosines(estimator: BaseEmbedder) -> np.ndarray:
    """Return the cosine between every word's word vector and context vector.

    The cosine is 1 if the context vector is the word vector, as with
    ``share_context=True``. With two tables, it is not a stable property of a word: it
    depends strongly on `bias`.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.

    Returns
    -------
    ndarray of shape (n_words,), float64
        Between -1 and 1; 0 where one of the two vectors is zero, as are those of words
        that were never in a pair.
    """
    estimator = check_tables(estimator)
    cosines = np.empty(len(estimator.word_vectors_))
    for first in range(0, cosines.size, _CHUNK):
        some = slice(first, first + _CHUNK)
        x = estimator.word_vectors_[some].astype(np.float64)
        y = estimator.context_vectors_[some].astype(np.float64)
        products = np.einsum("ik,ik->i", x, y)
        squares = np.einsum("ik,ik->i", x, x) * np.einsum("ik,ik->i", y, y)
        lengths = np.sqrt(np.where(squares > 0, squares, 1.0))
        cosines[some] = np.clip(products / lengths, -1.0, 1.0)
    return cosines


def linear_predictability(estimator: BaseEmbedder) -> float:
    """Return how well a linear map of word vectors predicts the context vectors.

    This is the share of the context vectors' total variance that least squares with an
    intercept explain, over all words: R², with dimensions weighted by their variance.

    Parameters
    ----------
    estimator : BaseEmbedder
        Fitted.

    Returns
    -------
    float
        Between 0 and 1. It is 1 for every model of one table, and wherever there are
        not more words than dimensions or all context vectors are equal.
    """
    estimator = check_tables(estimator)
    if estimator.context_vectors_ is estimator.word_vectors_:
        return 1.0
    word = estimator.word_vectors_.astype(np.float64)
    context = estimator.context_vectors_.astype(np.float64)
    word -= word.mean(axis=0)
    context -= context.mean(axis=0)
    total = np.sum(context**2)
    if total == 0:
        return 1.0
    # An orthonormal basis of what word vectors span, without what rounding adds.
    basis, sizes, _ = linalg.svd(word, full_matrices=False, overwrite_a=True)
    basis = basis[:, sizes > sizes[0] * max(word.shape) * np.finfo(np.float64).eps]
    rest = context - basis @ (basis.T @ context)
    return float(np.clip(1.0 - np.sum(rest**2) / total, 0.0, 1.0))
