"""Random streams and cheap float32 functions that training kernels share."""

import numpy as np

from skembed._kernels._jit import helper

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
SHIFT_27 = np.uint64(27)
SHIFT_30 = np.uint64(30)
SHIFT_31 = np.uint64(31)
SHIFT_32 = np.uint64(32)
LOW_32 = np.uint64(0xFFFFFFFF)


@helper
def next_random(states, stream):
    """Advance one splitmix64 stream and return 64 random bits.

    Parameters
    ----------
    states : uint64 (n_streams,), INOUT
    stream : int

    Returns
    -------
    uint64
    """
    states[stream] = states[stream] + GOLDEN
    z = states[stream]
    z = (z ^ (z >> SHIFT_30)) * MIX_1
    z = (z ^ (z >> SHIFT_27)) * MIX_2
    return z ^ (z >> SHIFT_31)


@helper
def draw_word(states, stream, thresholds, alias):
    """Draw a word by the alias method (Walker 1977): no division, two look-ups."""
    bits = next_random(states, stream)
    word = np.int64(((bits >> SHIFT_32) * np.uint64(thresholds.size)) >> SHIFT_32)
    if (bits & LOW_32) < np.uint64(thresholds[word]):
        return word
    return np.int64(alias[word])


@helper
def exp_minus(x):
    """exp(-x) of a float32 0 <= x <= 87.

    The relative error is below 1e-6 up to 10 and below 5e-6 everywhere.
    """
    t = x * np.float32(-1.4426950408889634)
    n = np.floor(t + np.float32(0.5))
    f = (t - n) * np.float32(0.6931471805599453)
    p = np.float32(1.0 / 720.0)
    p = p * f + np.float32(1.0 / 120.0)
    p = p * f + np.float32(1.0 / 24.0)
    p = p * f + np.float32(1.0 / 6.0)
    p = p * f + np.float32(0.5)
    p = p * f + np.float32(1.0)
    p = p * f + np.float32(1.0)
    exponent = (np.int32(n) + np.int32(127)) << np.int32(23)
    return p * np.int32(exponent).view(np.float32)


@helper
def log1p_unit(e):
    """log(1 + e) of a float32 0 <= e <= 1; absolute error below 4e-7."""
    z = e / (e + np.float32(2.0))
    q = z * z
    p = np.float32(2.0 / 11.0)
    p = p * q + np.float32(2.0 / 9.0)
    p = p * q + np.float32(2.0 / 7.0)
    p = p * q + np.float32(2.0 / 5.0)
    p = p * q + np.float32(2.0 / 3.0)
    p = p * q + np.float32(2.0)
    return p * z
