"""The bytes of fastText's ``.bin``, written from the description of the format."""

import struct

import numpy as np


def matrix(values, quantised=False):
    values = np.asarray(values, dtype="<f4")
    return struct.pack("<?2q", quantised, *values.shape) + values.tobytes()


def dictionary(words, counts):
    entries = [
        word + b"\0" + struct.pack("<qb", count, 0)
        for word, count in zip(words, counts, strict=True)
    ]
    sizes = struct.pack("<3i2q", len(words), len(words), 0, sum(counts), -1)
    return sizes + b"".join(entries)


def content(words, counts, vectors, outputs, *, bucket=0, version=12, ngrams=(0, 0)):
    """Return a model of skip-grams: a row for each word, then for each bucket."""
    # dim, ws, epoch, minCount, neg, wordNgrams, loss (ns), model (sg), bucket, minn,
    # maxn, lrUpdateRate, t.
    numbers = (np.shape(vectors)[1], 5, 1, 1, 5, 1, 2, 2, bucket, *ngrams, 100, 1e-4)
    return (
        struct.pack("<2i", 793712314, version)
        + struct.pack("<12id", *numbers)
        + dictionary(words, counts)
        + matrix(vectors)
        + matrix(outputs)
    )
