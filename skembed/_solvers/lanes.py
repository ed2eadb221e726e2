"""Work spaces of training with negative sampling, and how its tokens are cut up."""

from typing import Any

import numpy as np

from skembed._utils.memory import aligned_zeros, check_room

# Words of a lane between two exchanges of updates, and noise words they share;
# multiples of 16.
SPAN = 32
SHARED_NOISE = 16
MAX_LANES = 16
# Updates of one row that a round may add up before they become too stale: measured
# in pairs of the most frequent word.
_MAX_PAIRS_OF_A_ROW = 64
_MIN_TOKENS_OF_A_LANE = 1000
# Work between two looks at signals, less than 0.1 s, in multiplications and additions;
# and what a word costs beside those of its scores and updates.
_WORK_OF_A_SLICE = 1 << 29
_WORK_OF_A_WORD = 3000


def count_lanes(kept: np.ndarray, weights: np.ndarray) -> int:
    """Return how many spans may be computed before updates are added.

    It depends on the documents and parameters only, never on the machine.

    Parameters
    ----------
    kept : ndarray of shape (n_words,), float64
        Expected number of a word's tokens in an epoch.
    weights : ndarray of shape (window,), float64
        Of contexts by their distance.
    """
    if not kept.any():
        return 1
    pairs = 2.0 * weights.sum() * SPAN * kept.max() / kept.sum()
    most = min(
        MAX_LANES, kept.sum() / _MIN_TOKENS_OF_A_LANE, _MAX_PAIRS_OF_A_ROW / pairs
    )
    return max(1, int(most))


def count_slots(window: int, directional: bool = False, hidden: bool = False) -> int:
    """Return how many rows a span works on: words, contexts and noise words.

    Parameters
    ----------
    window : int
        Largest distance of a context.
    directional : bool, default=False
        Whether left and right contexts have rows of their own.
    hidden : bool, default=False
        Whether hidden vectors come first.
    """
    contexts = -(-(SPAN + 2 * window) // 16) * 16 * (2 if directional else 1)
    return SPAN + contexts + SHARED_NOISE + (SPAN if hidden else 0)


def rounds_of_slice(lanes: Any, window: int, n_map_rows: int) -> int:
    """Return how many rounds one call of a kernel should take: less than 0.1 s.

    Parameters
    ----------
    lanes : Lanes
    window : int
        Largest distance of a context.
    n_map_rows : int
        Rows of the map of word vectors.
    """
    n_lanes, _, width = lanes.updates.shape
    partners = 2 * window + SHARED_NOISE
    of_a_word = 3 * width * (partners + n_map_rows) + _WORK_OF_A_WORD
    return max(1, _WORK_OF_A_SLICE // (n_lanes * SPAN * of_a_word))


def make_lanes(n_lanes: int, n_slots: int, model: Any, n_threads: int = 1) -> Any:
    """Return the lanes' buffers, all zeros."""
    from skembed._kernels import maps, spans

    width = model.params.shape[1]
    n_rows = 0
    if model.map is not None and model.map.learned:
        n_rows = len(model.map.forward)
    check_room(
        4.0 * width * (n_lanes * (n_slots + n_rows) + 2 * n_threads * n_slots),
        f"Work spaces of {n_slots} vectors of {width} numbers",
        "Lower n_components or window.",
    )
    steps = None
    if model.map is not None:
        map_steps = aligned_zeros((n_lanes, n_rows, width))
        steps = maps.MapSteps(map_steps, aligned_zeros((n_lanes,)))
    return spans.Lanes(
        states=aligned_zeros((n_lanes,), np.uint64),
        parts=np.zeros((n_lanes, spans.PARTS, 4), dtype=np.int64),
        words=np.zeros((n_lanes, n_slots), dtype=np.int32),
        updates=aligned_zeros((n_lanes, n_slots, width)),
        bounds=np.zeros((n_lanes, n_threads + 2), dtype=np.int64),
        routes=np.zeros((n_lanes, n_slots, 2), dtype=np.int32),
        curvatures=np.zeros((n_lanes, n_slots), dtype=np.float32),
        map=steps,
        loss=aligned_zeros((n_lanes,), np.float64),
        pairs=aligned_zeros((n_lanes,), np.int64),
        claims=np.zeros(n_lanes * spans.CLAIM_NUMBERS, dtype=np.int64),
    )


def make_scratch(lanes: Any) -> Any:
    """Return the work space of one thread, all zeros."""
    from skembed._kernels import spans

    _, n_slots, width = lanes.updates.shape
    return spans.Scratch(
        vectors=aligned_zeros((n_slots, width)),
        slots=aligned_zeros((4, n_slots)),
        words=aligned_zeros((SPAN, 64)),
        window=np.zeros((SPAN, 4), dtype=np.int64),
        unmapped=aligned_zeros((SPAN, width)),
        scores=aligned_zeros((SPAN, n_slots)),
        weights=aligned_zeros((SPAN, n_slots)),
        stream=aligned_zeros((8,), np.uint64),
    )
