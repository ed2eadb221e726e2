"""Poolings: from the vectors of a document's words to one row of features.

A pooling learns what it needs in `fit`, and `pool` gives every document a row that
depends on this document alone, bit for bit. `Pooling` is the interface, also for
poolings of your own.
"""

from sklearn.base import clone

from skembed.pooling._poolings import (
    MaxPooling,
    MeanMaxPooling,
    MeanPooling,
    Pooling,
    SIFPooling,
    SumPooling,
    TfidfPooling,
    USIFPooling,
    VLADPooling,
    n_parts,
)

__all__ = [
    "POOLINGS",
    "MaxPooling",
    "MeanMaxPooling",
    "MeanPooling",
    "Pooling",
    "SIFPooling",
    "SumPooling",
    "TfidfPooling",
    "USIFPooling",
    "VLADPooling",
    "make",
    "n_parts",
]

POOLINGS: dict[str, type] = {
    "mean": MeanPooling,
    "max": MaxPooling,
    "sum": SumPooling,
    "mean_max": MeanMaxPooling,
    "tfidf": TfidfPooling,
    "sif": SIFPooling,
    "usif": USIFPooling,
    "vlad": VLADPooling,
}


def make(pooling):
    """Return a new, unfitted pooling.

    Parameters
    ----------
    pooling : str or object
        A name from `POOLINGS`, or an object with `fit` and `pool`, which is cloned.

    Returns
    -------
    object
        The pooling.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if isinstance(pooling, str) and pooling in POOLINGS:
        return POOLINGS[pooling]()
    methods = [getattr(pooling, name, None) for name in ("fit", "pool")]
    if all(map(callable, methods)) and not isinstance(pooling, type):
        return clone(pooling, safe=False)
    raise ValueError(
        f"pooling must be one of {list(POOLINGS)} or an object with the methods fit "
        f"and pool (see skembed.pooling.Pooling), got {pooling!r}."
    )


def learns_nothing(pooling):
    """Return whether a pooling has nothing to learn from documents.

    Parameters
    ----------
    pooling : object

    Returns
    -------
    bool
        Whether it is a `Pooling` whose `fit` is that of the base.
    """
    return isinstance(pooling, Pooling) and type(pooling).fit is Pooling.fit
