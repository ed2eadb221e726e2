"""How the parameters of a model are stored, and how its vectors are read from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skembed._utils.memory import aligned_zeros, check_room

# Sums and squares of larger numbers in a vector may not fit into float32.
LARGEST = 1e15

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Layout:
    """Tables stacked in one array, and a map of the word vectors in the score.

    The score of word w with context c is ``x_w' A y_c`` with the map A: the identity,
    a diagonal, or any matrix. A row of a table holds a vector, its bias in column
    `n_components`, and zeros up to a multiple of 16 columns, so that kernels work in
    whole vector registers. At least one column is left for the kernels' own use.

    Attributes
    ----------
    n_words, n_components, n_tables : int
        Size of the tables. Word w's word vector is row w of the first table.
    context_row, noise_row : int
        Word w's context and noise vectors are rows ``context_row + w`` and
        ``noise_row + w``.
    map : ndarray of shape (0, d), (1, d) or (d, d), float32
        A before training, d = n_components: the identity, a diagonal or a matrix.
    learns_map : bool
        Whether the map is trained.
    is_matrix : bool
        Whether the map is a matrix. With one dimension, its shape does not tell.
    directional : bool
        Whether contexts to the right have a separate table, which follows the table of
        contexts to the left.
    """

    n_words: int
    n_components: int
    n_tables: int
    context_row: int
    noise_row: int
    map: np.ndarray
    learns_map: bool = False
    is_matrix: bool = False
    directional: bool = False

    @property
    def shares_rows(self) -> bool:
        """Whether word and context vectors are the same, except for the map."""
        return self.context_row == 0

    @property
    def is_signed(self) -> bool:
        """Whether dimensions have a fixed sign in the score."""
        fixed = len(self.map) == 1 and not self.learns_map
        return bool(fixed and (np.abs(self.map) == 1.0).all())

    @property
    def rows(self) -> tuple[int, int, int, int]:
        """First rows of left contexts, right contexts, left and right noise words."""
        right = self.n_words if self.directional else 0
        context, noise = self.context_row, self.noise_row
        return context, context + right, noise, noise + right

    @property
    def n_parameters(self) -> int:
        """Number of parameters in the tables and the map."""
        tables = self.n_words * self.n_components * self.n_tables
        return tables + (self.map.size if self.learns_map else 0)

    @property
    def width(self) -> int:
        """Columns of a row."""
        return -(-(self.n_components + 2) // 16) * 16

    @property
    def names(self) -> list[tuple[int, str]]:
        """First row of each table, and the name of its vectors."""
        names = [(0, "word")]
        if self.directional:
            names += [(self.rows[0], "left_context"), (self.rows[1], "right_context")]
        elif not self.shares_rows:
            names.append((self.context_row, "context"))
        if self.noise_row != self.context_row:
            names.append((self.noise_row, "noise"))
        return names

    def refill(
        self, params: np.ndarray, learned: dict[str, Any], rows: np.ndarray
    ) -> None:
        """Write the vectors and biases of a fitted estimator into the tables.

        The inverse of `consume_params` and `biases`. A vector of zeros has learned
        nothing. The tables keep their present vector in its place.

        Parameters
        ----------
        params : ndarray of shape (n_words * n_tables, width), float32
        learned : dict
            Attributes of the estimator.
        rows : ndarray of shape (n,), int64
            Rows of its words in a table.
        """
        d = self.n_components
        for first, name in self.names:
            vectors = learned[f"{name}_vectors_"]
            if name != "word":
                vectors = unmapped(vectors, self.map)
            unlearned = first + rows[~vectors.any(axis=1)]
            start = params[unlearned, :d]
            params[first + rows, :d] = vectors
            params[unlearned, :d] = start
            biases = learned.get(f"{name}_biases_")
            if biases is not None:
                params[first + rows, d] = biases

    def with_map(self, learned: dict[str, Any]) -> "Layout":
        """Return a layout with the map of a fitted estimator, if it is learned."""
        if not self.learns_map:
            return self
        return replace(self, map=learned["context_map_"].reshape(self.map.shape))

    def allocate(self) -> np.ndarray:
        """Return the stacked table, float32, all zeros.

        Raises
        ------
        MemoryError
            If there is not enough memory for it.
        """
        n_rows, width = self.n_words * self.n_tables, self.width
        check_room(
            4.0 * n_rows * width,
            f"The vectors of {self.n_words} words in {self.n_tables} table(s) of "
            f"n_components={self.n_components}",
            "Lower n_components or max_features, or raise min_count.",
        )
        return aligned_zeros((n_rows, width))

    def scale(self) -> np.ndarray:
        """Return the diagonal of the map, followed by zeros up to a row's width."""
        scale = np.zeros(self.width, dtype=np.float32)
        scale[: self.n_components] = self.map[0] if len(self.map) else 1.0
        return scale

    def consume_params(
        self, params: np.ndarray, learned_map: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Return word vectors, context vectors as in the score, and other attributes.

        The vectors are moved to the front of `params`, so that memory never holds the
        tables twice. `params` cannot be used afterwards. Call `biases` before.

        Parameters
        ----------
        params : ndarray of shape (n_words * n_tables, width), float32
        learned_map : ndarray of the shape of `map`, float32, optional

        Returns
        -------
        word_vectors, context_vectors : ndarray of shape (n_words, n_components)
        attributes : dict of str to ndarray
            Fitted attributes that only some strategies have.
        """
        flat, d = params.reshape(-1), self.n_components
        for first in range(0, len(params), _ROWS_AT_ONCE):
            rows = params[first : first + _ROWS_AT_ONCE, :d].copy()
            flat[first * d : (first + len(rows)) * d] = rows.reshape(-1)
        tables = flat[: len(params) * d].reshape(-1, d)
        a = self.map if learned_map is None else learned_map
        first_rows = dict.fromkeys(self.rows[:2])
        sides = [_mapped(self._table(tables, row), a) for row in first_rows]
        attributes: dict[str, Any] = {}
        context = sides[0]
        if self.directional:
            context = (sides[0] + sides[1]) * np.float32(0.5)
            attributes["left_context_vectors_"] = sides[0]
            attributes["right_context_vectors_"] = sides[1]
        if self.noise_row != self.context_row:
            noise = _mapped(self._table(tables, self.noise_row), a)
            attributes["noise_vectors_"] = noise
        if self.is_signed:
            attributes["context_signs_"] = a[0]
        elif len(a):
            attributes["context_map_"] = a if self.is_matrix else a[0]
        word = self._table(tables, 0)
        return word, (word if self.shares_rows and not len(a) else context), attributes

    def biases(
        self, params: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Return the biases of words, of contexts, and those of some strategies only.

        The first two are one object if words and contexts share their biases. The
        others are returned as fitted attributes.
        """
        attributes: dict[str, Any] = {}
        word = self._biases(params, 0)
        context = word if self.shares_rows else self._biases(params, self.context_row)
        if self.directional:
            right = self._biases(params, self.rows[1])
            attributes["left_context_biases_"] = context
            attributes["right_context_biases_"] = right
            context = (context + right) * np.float32(0.5)
        if self.noise_row != self.context_row:
            attributes["noise_biases_"] = self._biases(params, self.noise_row)
        return word, context, attributes

    def _biases(self, params: np.ndarray, row: int) -> np.ndarray:
        return self._table(params, row)[:, self.n_components].copy()

    def _table(self, params: np.ndarray, row: int) -> np.ndarray:
        return params[row : row + self.n_words]


def unmapped(vectors: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the context vectors y, given A y.

    Parameters
    ----------
    vectors : ndarray of shape (n_words, d)
    a : ndarray of shape (0, d), (1, d) or (d, d)
        The map A. What it maps to 0 is lost, and is 0 in the result.

    Returns
    -------
    ndarray of shape (n_words, d)
    """
    if len(a) == 0:
        return vectors
    if len(a) == 1:
        return np.divide(vectors, a, out=np.zeros_like(vectors), where=a != 0)
    # Without BLAS, whose sums depend on its number of threads.
    return np.einsum("wj,ij->wi", vectors, np.linalg.pinv(a)).astype(vectors.dtype)


def _mapped(vectors: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return A y of every context vector y."""
    if len(a) == 0:
        return vectors
    if len(a) == 1:
        return vectors * a[0]
    # Without BLAS, whose sums depend on its number of threads.
    return np.einsum("wj,ij->wi", vectors, a)
