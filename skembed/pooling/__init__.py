"""Poolings: from the vectors of a document's words to one row of features.

A pooling learns what it needs in `fit`, and `pool` gives every document a row that
depends on this document alone, bit for bit. `Pooling` is the interface, also for
poolings of your own.
"""

from skembed.pooling._poolings import (
    POOLINGS,
    MaxPooling,
    MeanMaxPooling,
    MeanPooling,
    Pooling,
    SIFPooling,
    SumPooling,
    TfidfPooling,
    TopicalPooling,
    USIFPooling,
    VLADPooling,
    make,
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
    "TopicalPooling",
    "USIFPooling",
    "VLADPooling",
    "make",
    "n_parts",
]
