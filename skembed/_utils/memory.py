"""Arrays that start at a cache line."""

import numpy as np

_CACHE_LINE = 64


def aligned_zeros(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """Return an array of zeros whose first byte begins a cache line.

    NumPy aligns to 16 bytes, with which every read of a full vector register touches
    two cache lines.

    Parameters
    ----------
    shape : tuple of int
    dtype : type, default=numpy.float32

    Returns
    -------
    ndarray
        C-contiguous.
    """
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.zeros(n_bytes + _CACHE_LINE, dtype=np.uint8)
    start = -buffer.ctypes.data % _CACHE_LINE
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)
