"""Clusters of word vectors."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skembed._utils.threads import one_blas_thread, one_openmp_thread

# Clusters have at least so many words on average: the vector of a word that is alone in
# its cluster does not differ from the centre.
_PER_CLUSTER = 10
# At most so many words are clustered, which bounds memory and time; the others are
# assigned to the nearest centre.
MAX_CLUSTERED = 2**16
# Words that are assigned at once.
_ASSIGNED = 2**12


def find_centres(
    vectors: np.ndarray, n_clusters: int, random_state: int | None
) -> np.ndarray:
    """Return the centres of a k-means clustering of words.

    Parameters
    ----------
    vectors : ndarray of shape (n_words, n_features), float32
        Those that are all zeros are left out.
    n_clusters : int
    random_state : int or None

    Returns
    -------
    ndarray of shape (n_clusters, n_features), float64
        Where there are fewer clusters, since there are few words, the first centre is
        repeated; `nearest` assigns no word to a repetition.
    """
    # Rows are sorted by frequency, so that regular steps meet frequent and rare words.
    step = -(-len(vectors) // MAX_CLUSTERED) or 1
    # Vectors of zeros are those of words of which nothing is known.
    rows = step * np.flatnonzero(vectors[::step].any(axis=1))
    centres = np.zeros((n_clusters, vectors.shape[1]))
    if not rows.size:
        return centres
    labels = _k_means_inplace(vectors[rows], n_clusters, random_state)
    found = np.unique(labels)
    for place, label in enumerate(found):
        # The mean of equal vectors must be this vector, which float64 sees to.
        members = vectors[rows[labels == label]]
        centres[place] = members.mean(axis=0, dtype=np.float64)
    centres[found.size :] = centres[0]
    return centres


def _k_means_inplace(
    sample: np.ndarray, n_clusters: int, random_state: int | None
) -> np.ndarray:
    """Return the clusters of vectors, which are overwritten.

    The same bits for any number of threads.
    """
    from sklearn.cluster import KMeans

    at_most = max(1, len(sample) // _PER_CLUSTER)
    k_means = KMeans(
        min(n_clusters, at_most), n_init=1, random_state=random_state, copy_x=False
    )
    # Squares of extreme numbers would be infinite or 0; powers of 2 round nothing.
    largest = max(sample.max(), -sample.min())
    np.ldexp(sample, -np.frexp(largest)[1], out=sample)
    with one_blas_thread(), one_openmp_thread(), warnings.catch_warnings():
        # Of fewer clusters where vectors are equal.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return k_means.fit(sample).labels_


def memory(n_words: int, n_features: int) -> float:
    """Return the bytes that `find_centres` takes: two copies of what it clusters."""
    return 2 * 4.0 * min(n_words, MAX_CLUSTERED) * n_features


def nearest(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return which centre is nearest to each vector; the first of equals.

    Parameters
    ----------
    vectors : ndarray of shape (n_words, n_features), float32
    centres : ndarray of shape (n_clusters, n_features), float64

    Returns
    -------
    ndarray of shape (n_words,), int32
    """
    labels = np.empty(len(vectors), dtype=np.int32)
    lengths = np.square(centres).sum(axis=1) / 2
    with one_blas_thread():
        for first in range(0, len(vectors), _ASSIGNED):
            rows = slice(first, first + _ASSIGNED)
            products = vectors[rows].astype(np.float64) @ centres.T
            labels[rows] = np.argmin(lengths - products, axis=1)
    return labels
