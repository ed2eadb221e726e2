"""The map between word and context vectors: ``s(w, c) = x_w' A y_c``.

A span maps its word vectors to z = A'x, and is scored and updated with these. The steps
of z then become the steps of x, ``dx = A dz``, and of the map, ``dA = sum x dz'``.
Context vectors are therefore used without changes. A is a diagonal (`Model.scale`) or a
matrix. `Map` holds what only learned maps and matrices need.

A learned map takes part in every pair of a round. Its step along the summed gradient G
follows the learning rate, but goes at most a tenth of the way to the minimum of a
parabola that bounds the objective from above. The vectors move towards this minimum,
too. If all of them went the whole way, the map would shrink while the vectors grow. The
curvature along G is about the sum of ``|G'x|**2 / |G|**2`` times the curvature of x,
see `rounds.apply_updates`. It is added up over spans, along the part of G of each span.
"""

from typing import NamedTuple

import numpy as np

from skembed._kernels.simd import TILE, add_columns, add_rows, clear_rows, scale_rows
from skembed._kernels.steps import CURVATURE, NORM
from skembed._utils.jit import helper, kernel

# Largest share of the way to the minimum along the gradient in one step.
_SHARE = np.float32(0.1)
# The power method approaches the largest stretch from below.
_MARGIN = np.float32(1.25)


class Map(NamedTuple):
    """A learned map of word vectors, or any matrix.

    If a model has None instead, kernels are compiled without the code for maps.
    """

    forward: np.ndarray  # INOUT float32 (n_rows, width), A; rows a multiple of 4, or 1
    backward: np.ndarray  # INOUT float32 (n_rows, width), the transpose of a matrix
    bound: np.ndarray  # INOUT float32 (1,), largest squared stretch of a vector
    longest: np.ndarray  # INOUT float32 (2, width), vectors that are stretched most
    learned: bool


class MapSteps(NamedTuple):
    """What each lane contributes to a learned map."""

    steps: np.ndarray  # OUT float32 (n_lanes, n_rows, width)
    curvatures: np.ndarray  # OUT float32 (n_lanes,), see the top of the page


@helper
def is_learned(map_):
    """Whether a map is trained, too."""
    if map_ is None:
        return False
    return map_.learned


@helper
def map_words(model, scratch, block):
    """Replace four word vectors x by z = A'x, with their norms.

    Parameters
    ----------
    model : Model
    scratch : Scratch
    block : (int, int)
        First and last + 1 word.
    """
    if not model.mapped:
        return
    multiply_words(model.map, scratch, block)
    vectors = scratch.vectors
    # Out of line: where no vector is mapped, this loop would cost by being there.
    scale_rows(vectors, block[0], block[1] - block[0], model.scale)
    width = (vectors.shape[1] >> 4) << 4
    for word in range(block[0], block[1]):
        norm = np.float32(0.0)
        for k in range(width):
            norm += vectors[word, k] * vectors[word, k]
        scratch.slots[NORM, word] = norm + np.float32(model.context_bias)


@helper
def multiply_words(map_, scratch, block):
    """Keep four word vectors; if the map is a matrix, multiply them by it."""
    if map_ is None:
        return
    vectors, kept = scratch.vectors, scratch.unmapped
    width = (vectors.shape[1] >> 4) << 4
    for word in range(block[0], block[1]):
        for k in range(width):
            kept[word, k] = vectors[word, k]
    if map_.forward.shape[0] > 1:
        clear_rows(vectors, block[0], TILE)
        n_rows, at = map_.forward.shape[0], (block[0], 0)
        add_rows(vectors, block[0], kept, at, map_.forward, 0, n_rows)


@helper
def unmap_steps(model, lanes, scratch, lane, n_words):
    """Turn the steps of mapped vectors into those of the word vectors and the map.

    Parameters
    ----------
    model : Model
    lanes : Lanes
        ``updates[lane]``, INOUT, and those of a learned map, OUT.
    scratch : Scratch
    lane : int
    n_words : int
        Rows 0 .. n_words - 1 are those of words.
    """
    if not model.mapped:
        return
    multiply_steps(model.map, lanes, scratch, lane, n_words)
    scale_rows(lanes.updates[lane], 0, n_words, model.scale)


@helper
def multiply_steps(map_, lanes, scratch, lane, n_words):
    """Add up the steps of a learned map; multiply those of words by a matrix."""
    if map_ is None:
        return
    updates, n_rows = lanes.updates[lane], map_.forward.shape[0]
    if map_.learned and n_rows == 1:
        add_diagonal_steps(lanes, scratch, lane, n_words)
    elif map_.learned:
        add_matrix_steps(lanes, scratch, lane, n_words)
    if n_rows == 1:
        return
    for word in range(0, n_words, TILE):
        clear_rows(scratch.unmapped, word, TILE)
        at = (word, 0)
        add_rows(scratch.unmapped, word, updates, at, map_.backward, 0, n_rows)
    for word in range(n_words):
        for k in range((updates.shape[1] >> 4) << 4):
            updates[word, k] = scratch.unmapped[word, k]


@helper
def add_diagonal_steps(lanes, scratch, lane, n_words):
    """Write the sum of x * dz of a span, and its curvature."""
    updates, steps = lanes.updates[lane], lanes.map.steps[lane]
    kept = scratch.unmapped
    width = (updates.shape[1] >> 4) << 4
    clear_rows(steps, 0, 1)
    for word in range(n_words):
        for k in range(width):
            steps[0, k] += kept[word, k] * updates[word, k]
    bend = np.float32(0.0)
    for word in range(n_words):
        square = np.float32(0.0)
        for k in range(width):
            along = kept[word, k] * steps[0, k]
            square += along * along
        bend += square * scratch.slots[CURVATURE, word]
    set_curvature(lanes.map, lane, bend)


@helper
def add_matrix_steps(lanes, scratch, lane, n_words):
    """Write the sum of x dz' of a span, and its curvature."""
    updates, steps = lanes.updates[lane], lanes.map.steps[lane]
    # The span's vectors are not needed any more: their rows take G'x.
    kept, along = scratch.unmapped, scratch.vectors
    n_rows = steps.shape[0]
    clear_rows(steps, 0, n_rows)
    for row in range(0, n_rows, TILE):
        add_columns(steps, row, kept, (0, row), updates, 0, n_words)
    bend = np.float32(0.0)
    for word in range(0, n_words, TILE):
        clear_rows(along, word, TILE)
        add_rows(along, word, kept, (word, 0), steps, 0, n_rows)
        for i in range(word, min(word + TILE, n_words)):
            square = np.float32(0.0)
            for k in range((updates.shape[1] >> 4) << 4):
                square += along[i, k] * along[i, k]
            bend += square * scratch.slots[CURVATURE, i]
    set_curvature(lanes.map, lane, bend)


@helper
def set_curvature(map_steps, lane, bend):
    """Divide a span's sum of curvatures by the squared size of its steps."""
    size = square_sum(map_steps.steps[lane])
    map_steps.curvatures[lane] = bend / size if size > np.float32(0.0) else size


@helper
def square_sum(matrix):
    """Return the sum of all squares of a matrix."""
    width = (matrix.shape[1] >> 4) << 4
    total = np.float32(0.0)
    for row in range(matrix.shape[0]):
        for k in range(width):
            total += matrix[row, k] * matrix[row, k]
    return total


@helper
def apply_map(map_, lanes, team, rate):
    """Add the steps of all lanes, in their order, to this thread's rows of the map.

    Parameters
    ----------
    map_ : Map or None
    lanes : Lanes
    team : Team
    rate : float32
    """
    if map_ is None:
        return
    width = (map_.forward.shape[1] >> 4) << 4
    curvature = np.float32(0.0)
    for lane in range(lanes.map.steps.shape[0]):
        if lanes.n_words[lane] > 0:
            curvature += lanes.map.curvatures[lane]
    damping = _SHARE / max(_SHARE, rate * curvature)
    for lane in range(lanes.map.steps.shape[0]):
        # Lanes without words in this round hold the steps of an earlier one.
        if lanes.n_words[lane] == 0:
            continue
        for row in range(team.thread, map_.forward.shape[0], team.size):
            for k in range(width):
                map_.forward[row, k] += damping * lanes.map.steps[lane, row, k]


@helper
def finish_map(map_):
    """Bring the transpose and the bound up to date; by one thread, between rounds."""
    if map_ is None:
        return
    n_rows, width = map_.forward.shape
    if n_rows == 1:
        largest = np.float32(0.0)
        for k in range(width):
            largest = max(largest, abs(map_.forward[0, k]))
        map_.bound[0] = largest * largest
        return
    for row in range(n_rows):
        for column in range(n_rows):
            map_.backward[column, row] = map_.forward[row, column]
    # One step of the power method a round; the vector moves on with the matrix.
    multiply(map_.forward, map_.longest, 0, 1)
    stretch = multiply(map_.backward, map_.longest, 1, 0)
    map_.bound[0] = _MARGIN * max(stretch * stretch, longest_row(map_.forward))


@helper
def multiply(matrix, vectors, source, target):
    """Write a matrix times a vector, to length 1; return its length before."""
    n_rows, width = matrix.shape[0], (matrix.shape[1] >> 4) << 4
    square = np.float32(0.0)
    for row in range(n_rows):
        total = np.float32(0.0)
        for k in range(width):
            total += matrix[row, k] * vectors[source, k]
        vectors[target, row] = total
        square += total * total
    length = np.sqrt(square)
    if length > np.float32(0.0):
        for row in range(n_rows):
            vectors[target, row] /= length
    return length


@helper
def longest_row(matrix):
    """Return the largest squared length of a row."""
    width = (matrix.shape[1] >> 4) << 4
    largest = np.float32(0.0)
    for row in range(matrix.shape[0]):
        square = np.float32(0.0)
        for k in range(width):
            square += matrix[row, k] * matrix[row, k]
        largest = max(largest, square)
    return largest


@kernel
def update_map(map_):
    """Bring the transpose and the bound up to date, before training.

    Parameters
    ----------
    map_ : Map
    """
    finish_map(map_)
