"""Sample weights, checked."""

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

# Smaller weights, divided by the distance of a context, may have less digits than
# others.
_SMALLEST = 2.0**-1000


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
        If they are not finite and non-negative, all zero, or of another number; or if
        one is too small, or their sum is too large, for float64.
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
    least = weights[weights > 0.0].min(initial=np.inf)
    if least < _SMALLEST:
        raise ValueError(
            f"sample_weight of document {weights.tolist().index(least)} is {least}, "
            "which is too small to be multiplied by other numbers. Multiply all "
            "weights by a larger number, or replace such weights by 0."
        )
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"sample_weight holds {weights.max()}, and its sum is too large for "
            "float64. Divide the weights by their maximum."
        )
    return weights
