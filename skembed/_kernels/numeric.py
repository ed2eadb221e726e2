"""Random streams that training kernels share."""

import numpy as np

from skembed._utils.jit import helper

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
