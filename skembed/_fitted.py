"""What a training hands over to the estimator."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


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
