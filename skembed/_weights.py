"""Sample weights, checked."""

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

# Sums of larger ones would lose what small ones add.
_LARGEST_WEIGHT = 2.0**40


def check_weights(sample_weight: Any, n_documents: int) -> np.ndarray | None:
    """Return sample weights as a checked array, or None where there are none.

    Parameters
    ----------
    sample_weight : array-like of shape (n_documents,), float or None
    n_documents : int

    Returns
    -------
    ndarray of shape (n_documents,), float64, or None

    Raises
    ------
    ValueError
        If they are not finite and non-negative, all zero, or of another number.
    """
    if sample_weight is None:
        return None
    try:
        weights = _check_sample_weight(
            sample_weight,
            np.empty((n_documents, 0)),
            dtype=np.float64,
            ensure_non_negative=True,
        )
    except OverflowError as error:
        raise ValueError(
            f"sample_weight holds a number that is too large for float64 ({error}). "
            "Divide the weights by their mean."
        ) from error
    if n_documents and not weights.any():
        raise ValueError(
            "Sample weights must contain at least one non-zero number; all "
            f"{n_documents} values of sample_weight are 0."
        )
    if weights.max(initial=0.0) > _LARGEST_WEIGHT:
        raise ValueError(
            f"sample_weight holds {weights.max()}, but a document may count at most "
            f"{_LARGEST_WEIGHT:.0f} times. Divide the weights by their mean."
        )
    return weights
