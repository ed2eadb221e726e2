"""The scale of features: what of it is learned in a fit, and how it is applied."""

from typing import NamedTuple

import numpy as np

# What a linear model with the default penalty of scikit-learn needs, see the page on
# defaults.
LENGTH = 3.0
# Deviations below this share of the largest mean come from rounding, and so do rows
# that are closer to the means.
_ROUNDING = 1e-6


class Moments(NamedTuple):
    """Weight, means and sums of squared deviations of some rows."""

    weight: float
    means: np.ndarray  # float64 (n_features,)
    squares: np.ndarray  # float64 (n_features,)


class Scaling(NamedTuple):
    """What features are centred and divided by."""

    means: np.ndarray  # float64 (n_features,)
    deviations: np.ndarray  # float64 (n_features,), positive


def moments(rows: np.ndarray, weights: np.ndarray) -> Moments:
    """Return the moments of rows of features.

    Parameters
    ----------
    rows : ndarray of shape (n_documents, n_features), float64
        Rows of zeros stand for documents without known words, and are left out.
    weights : ndarray of shape (n_documents,), float64
        How often each document counts.

    Returns
    -------
    Moments
    """
    known = rows.any(axis=1) & (weights > 0.0)
    if not known.all():
        rows, weights = rows[known], weights[known]
    weight = float(weights.sum())
    if not weight:
        return Moments(0.0, np.zeros(rows.shape[1]), np.zeros(rows.shape[1]))
    # What becomes infinite is told by `learn`.
    with np.errstate(over="ignore", invalid="ignore"):
        # Not by BLAS, whose sums depend on its threads; and without further copies.
        means = np.einsum("i,ij->j", weights, rows) / weight
        apart = rows - means
        squares = np.einsum("i,ij,ij->j", weights, apart, apart)
    return Moments(weight, means, squares)


def add(first: Moments, second: Moments) -> Moments:
    """Return the moments of the rows of both (Chan, Golub & LeVeque 1983)."""
    weight = first.weight + second.weight
    if not second.weight or not first.weight:
        return first if first.weight else second
    share = second.weight / weight
    with np.errstate(over="ignore", invalid="ignore"):
        apart = second.means - first.means
        return Moments(
            weight,
            first.means + share * apart,
            first.squares + second.squares + first.weight * share * apart**2,
        )


def learn(found: Moments) -> Scaling:
    """Return the scaling of features with these moments.

    A column that does not vary, but for rounding, gets the typical deviation of the
    others.

    Raises
    ------
    ValueError
        If the moments are not finite.
    """
    deviations = np.sqrt(found.squares / (found.weight or 1.0))
    if not (np.isfinite(deviations).all() and np.isfinite(found.means).all()):
        raise ValueError(
            "Features of the documents are too large to be scaled. Pass scale=None, a "
            "pooling whose rows do not grow with the documents, or smaller numbers."
        )
    size = max(np.abs(found.means).max(), deviations.max()) or 1.0
    constant = deviations <= _ROUNDING * size
    typical = size
    if not constant.all():
        typical = np.sqrt((deviations[~constant] ** 2).mean())
    return Scaling(found.means, np.where(constant, typical, deviations))


def standard(rows: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return rows with standardised columns, which are `LENGTH` long on average.

    Parameters
    ----------
    rows : ndarray of shape (n_documents, n_features), float64
    scaling : Scaling

    Returns
    -------
    ndarray of shape (n_documents, n_features), float64
        Of the training documents, the root mean square of the lengths is `LENGTH`.
    """
    scaled = (rows - scaling.means) / scaling.deviations
    scaled *= LENGTH / np.sqrt(rows.shape[1])
    return scaled


def spherical(rows: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return centred rows, all of which are `LENGTH` long; else as `standard`."""
    scaled = rows - scaling.means
    # A row that equals the means but for rounding has no direction.
    nothing = _ROUNDING * scaling.deviations.max()
    # Squares of large numbers would be infinite.
    scaled /= np.abs(scaled).max(axis=1, keepdims=True, initial=nothing)
    lengths = np.sqrt((scaled**2).sum(axis=1, keepdims=True))
    scaled *= LENGTH / np.maximum(lengths, 1.0)
    return scaled


SCALES = {"standard": standard, "spherical": spherical}


def apply(rows: np.ndarray, scaling: Scaling, scale: str) -> np.ndarray:
    """Return scaled rows of features.

    Parameters
    ----------
    rows : ndarray of shape (n_documents, n_features), float64
    scaling : Scaling
    scale : {"standard", "spherical"}

    Returns
    -------
    ndarray of shape (n_documents, n_features), float64
        Zeros where all of a row is zero.
    """
    scaled = SCALES[scale](rows, scaling)
    scaled[~rows.any(axis=1)] = 0.0
    return scaled
