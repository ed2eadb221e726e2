"""Small random vectors that a training starts with, and that it may leave unmoved."""

import copy
from collections.abc import Iterator

import numpy as np

_ROWS_AT_ONCE = 4096


class RandomStart:
    """Uniform numbers from -0.5 / d to 0.5 / d, which can be drawn a second time.

    So no copy of them has to be kept to tell which vectors have not moved.

    Parameters
    ----------
    random : Generator
        `write` draws from it.
    n_rows, n_columns : int
        How many numbers are drawn.
    n_components : int
        The number d of dimensions. The first columns are those of the vectors.
    """

    def __init__(
        self,
        random: np.random.Generator,
        n_rows: int,
        n_columns: int,
        n_components: int,
    ):
        self._random = random
        self._before = copy.deepcopy(random)
        self._shape = n_rows, n_columns
        self._n_components = n_components

    def write(self, params: np.ndarray) -> None:
        """Write the numbers into the first rows and columns of a table.

        Parameters
        ----------
        params : ndarray of shape (>= n_rows, >= n_columns), float32
        """
        for rows, numbers in self._blocks(self._random):
            params[rows, : numbers.shape[1]] = numbers

    def erase(self, params: np.ndarray, used: np.ndarray) -> None:
        """Set unused vectors to 0 that still are what `write` has written.

        Parameters
        ----------
        params : ndarray of shape (>= n_rows, >= n_components), float32
        used : ndarray of shape (>= n_rows,), bool
            Rows that training has used. They stay, even if it has not moved them.
        """
        if used[: self._shape[0]].all():
            return
        d = self._n_components
        for rows, numbers in self._blocks(copy.deepcopy(self._before)):
            vectors = params[rows, :d]
            unmoved = (vectors == numbers[:, :d]).all(axis=1)
            vectors[unmoved & ~used[rows]] = 0.0

    def _blocks(
        self, random: np.random.Generator
    ) -> Iterator[tuple[slice, np.ndarray]]:
        n_rows, n_columns = self._shape
        for first in range(0, n_rows, _ROWS_AT_ONCE):
            last = min(first + _ROWS_AT_ONCE, n_rows)
            numbers = random.random((last - first, n_columns), dtype=np.float32)
            numbers -= np.float32(0.5)
            numbers /= self._n_components
            yield slice(first, last), numbers
