"""Exact search for the rows of a table that are most similar to queries.

Similarities of a block of queries to a chunk of rows come from one float32 matrix
product. Each is certain to within a small bound. Rows that may belong to the best are
scored again, row by row in float64, and these scores decide. So results do not depend
on how queries and rows are cut, nor on the threads of BLAS, whose bits do. Rows with
equal scores are in the order of the table.

A vector of zeros has cosine 0 with every vector.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np

# Similarities that are computed at once, queries times rows, and the most of either.
_BLOCK, _QUERIES, _ROWS = 2**18, 2**8, 2**18
# Rows whose best give a first limit to the others.
_FIRST = 2**14
# Numbers that are gathered at once to score rows again.
_GATHERED = 2**19
# Lengths within which float32 products neither overflow nor lose digits.
_SHORTEST, _LONGEST = 2.0**-60, 2.0**60
# Levy and Goldberg (2014), equation (4): avoids a division by zero.
EPSILON = 1e-6


class Table(NamedTuple):
    """Vectors that are searched, and their lengths."""

    vectors: np.ndarray  # float32 (n_rows, n_components)
    lengths: np.ndarray  # float64 (n_rows,), 1 for a vector of zeros
    # float32 (n_rows,), of lengths; None where a length is too large or too small for
    # float32 products
    reciprocals: np.ndarray | None

    @classmethod
    def of(cls, vectors: np.ndarray) -> "Table":
        """Return the table of vectors, and compute their lengths."""
        lengths = np.empty(len(vectors))
        for rows in _slices(len(vectors), _GATHERED // vectors.shape[1]):
            some = vectors[rows].astype(np.float64, order="C")
            lengths[rows] = np.sqrt((some * some).sum(axis=1))
        lengths[lengths == 0.0] = 1.0
        if lengths.min() < _SHORTEST or lengths.max() > _LONGEST:
            return cls(vectors, lengths, None)
        return cls(vectors, lengths, (1.0 / lengths).astype(np.float32))

    @property
    def is_copied(self) -> bool:
        """Whether a product has to copy vectors first."""
        flags, strides = self.vectors.flags, self.vectors.strides
        return self.reciprocals is None or not flags.aligned or strides[1] != 4

    def units(self, rows: Any) -> np.ndarray:
        """Return vectors of length 1, or of zeros.

        Parameters
        ----------
        rows : ndarray of int, of any shape, or slice

        Returns
        -------
        ndarray of shape (*rows.shape, n_components), float64
        """
        vectors = np.asarray(self.vectors[rows]).astype(np.float64, order="C")
        vectors /= self.lengths[rows][..., np.newaxis]
        return vectors

    def scaled(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return vectors and what makes their lengths 1, both float32."""
        if self.reciprocals is None:
            units = self.units(rows).astype(np.float32)
            return units, np.ones(len(units), np.float32)
        return np.asarray(self.vectors[rows]), self.reciprocals[rows]


class Queries(Protocol):
    """What rows are scored with."""

    def __len__(self) -> int: ...

    def bounds(
        self, block: slice, vectors: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        """Return an upper bound of the score of each query with each vector.

        Parameters
        ----------
        block : slice
            The queries.
        vectors : ndarray of shape (n_rows, n_components), float32
        scales : ndarray of shape (n_rows,), float32

        Returns
        -------
        ndarray of shape (n_queries, n_rows), float32
        """

    def scores(self, queries: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Return the scores of pairs of a query and a vector of length 1.

        Parameters
        ----------
        queries : ndarray of shape (n_pairs,), int64
        units : ndarray of shape (n_pairs, n_components), float64

        Returns
        -------
        ndarray of shape (n_pairs,), float64
        """


class Directions:
    """Queries whose score is the cosine with one vector.

    Parameters
    ----------
    units : ndarray of shape (n_queries, n_components), float64
        Vectors of length 1, or of zeros.
    """

    def __init__(self, units: np.ndarray) -> None:
        self.units = units
        self.rounded = units.astype(np.float32)
        self.errors = errors_of(self.rounded)

    @classmethod
    def sums(cls, positive: np.ndarray, negative: np.ndarray) -> "Directions":
        """Return the directions of sums minus sums, as 3CosAdd has them.

        Levy and Goldberg (2014), equation (3): the order of rows is that of the sum of
        cosines with the positive minus those with the negative vectors.

        Parameters
        ----------
        positive : ndarray of shape (n_queries, n_positive, n_components), float64
            Vectors of length 1, or of zeros.
        negative : ndarray of shape (n_queries, n_negative, n_components), float64
            Vectors of length 1, or of zeros.
        """
        total = positive.sum(axis=1) - negative.sum(axis=1)
        # A single vector of length 1 keeps its bits.
        if positive.shape[1] + negative.shape[1] > 1:
            total = unit_vectors(total)
        return cls(total)

    def __len__(self) -> int:
        return len(self.units)

    def bounds(
        self, block: slice, vectors: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        found = self.rounded[block] @ vectors.T
        found *= scales
        found += self.errors[block, np.newaxis]
        return found

    def scores(self, queries: np.ndarray, units: np.ndarray) -> np.ndarray:
        return cosines(self.units[queries], units)


class Products:
    """Queries whose score is a product of cosines, as 3CosMul has it.

    Levy and Goldberg (2014), equation (4), with cosines shifted to the range from 0 to
    1 (footnote 7), and with any number of factors.

    Parameters
    ----------
    positive : ndarray of shape (n_queries, n_positive, n_components), float64
        Vectors of length 1, or of zeros. The shifted cosines with them are multiplied.
    negative : ndarray of shape (n_queries, n_negative, n_components), float64
        Likewise. The product is divided by the shifted cosines with them.
    """

    def __init__(self, positive: np.ndarray, negative: np.ndarray) -> None:
        self.positive = [Directions(one) for one in _by_factor(positive)]
        self.negative = [Directions(one) for one in _by_factor(negative)]

    def __len__(self) -> int:
        return len(self.positive[0])

    def bounds(
        self, block: slice, vectors: np.ndarray, scales: np.ndarray
    ) -> np.ndarray:
        factors = [one.bounds(block, vectors, scales) for one in self.positive]
        found = _shifted_product(factors)
        if self.negative:
            factors = [one.bounds(block, vectors, scales) for one in self.negative]
            for one, cosine in zip(self.negative, factors, strict=True):
                # A lower bound makes the quotient an upper one.
                cosine -= 2.0 * one.errors[block, np.newaxis]
            found /= _shifted_product(factors) + np.float32(EPSILON)
        # Each step rounds once.
        n_steps = 4 * (len(self.positive) + len(self.negative)) + 4
        found *= np.float32(1.0 + n_steps * 2.0**-23)
        return found

    def scores(self, queries: np.ndarray, units: np.ndarray) -> np.ndarray:
        over = _shifted_product([one.scores(queries, units) for one in self.positive])
        if not self.negative:
            return over / (1.0 + EPSILON)
        under = _shifted_product([one.scores(queries, units) for one in self.negative])
        return over / (under + EPSILON)


def _by_factor(units: np.ndarray) -> Iterator[np.ndarray]:
    return (np.ascontiguousarray(units[:, i]) for i in range(units.shape[1]))


def _shifted_product(cosines: list[np.ndarray]) -> np.ndarray:
    """Return the product of cosines, which are shifted to the range from 0 to 1."""
    product = np.ones_like(cosines[0])
    for one in cosines:
        product *= np.maximum((one + 1) / 2, 0)
    return product


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1 of the same directions; zeros stay zeros.

    Parameters
    ----------
    vectors : ndarray of shape (..., n_components), float64
    """
    largest = np.abs(vectors).max(axis=-1, keepdims=True, initial=0.0)
    # The squares of extreme numbers would be infinite or 0.
    vectors = vectors / np.where(largest > 0.0, largest, 1.0)
    lengths = np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))
    return vectors / np.where(lengths > 0.0, lengths, 1.0)


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the products of vectors of length 1, within -1 and 1.

    NumPy adds up each row in an order that depends on its length only.
    """
    return np.clip((x * y).sum(axis=-1), -1.0, 1.0)


def errors_of(units: np.ndarray) -> np.ndarray:
    """Return by how much float32 cosines with vectors may be wrong.

    Rounding errors of a product of n numbers are below n times 2**-24, for vectors of
    length 1, whatever the order of additions; some more are those of the two vectors,
    the scale and the comparison. A cosine with zeros is exact.
    """
    bound = np.float32((units.shape[1] + 16) * 2.0**-24)
    return np.where(units.any(axis=1), bound, np.float32(0.0))


def pair_cosines(table: Table, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosines of pairs of rows, a part of them at a time.

    Parameters
    ----------
    table : Table
    a, b : ndarray of shape (n_pairs,), int64

    Returns
    -------
    ndarray of shape (n_pairs,), float64
    """
    found = np.empty(a.size)
    for part in _slices(a.size, _GATHERED // table.vectors.shape[1]):
        found[part] = cosines(table.units(a[part]), table.units(b[part]))
    return found


# --- search ---------------------------------------------------------------------------


def search(
    table: Table,
    queries: Queries,
    n: int,
    *,
    excluded: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with the highest scores for each query.

    The working memory is some 20 MiB, or 100 bytes per result if that is more.

    Parameters
    ----------
    table : Table
    queries : Directions or Products
        They hold 12 bytes per number, so that very many should be passed in parts.
    n : int
        Number of rows for each query, at least 1.
    excluded : ndarray of shape (n_queries, n_excluded), int64, default=None
        Rows that are not results of a query, padded by -1.
    among : ndarray of shape (n_among,), int64, default=None
        Rows that may be results, in ascending order. None means all rows.

    Returns
    -------
    rows : ndarray of shape (n_queries, n), int64
        By descending score, then by row. There are as many columns as rows that may be
        results, if these are fewer than `n`. The row is -1, and the score is -inf,
        where exclusions leave no more results.
    scores : ndarray of shape (n_queries, n), float64
    """
    n_rows = len(table.vectors) if among is None else len(among)
    n = min(n, n_rows)
    rows = np.full((len(queries), n), -1, np.int64)
    scores = np.full((len(queries), n), -np.inf)
    step = min(_QUERIES, max(1, _BLOCK // n))
    for block in _slices(len(queries), step):
        places = None if excluded is None else _places(excluded[block], among)
        best = _Best(rows[block], scores[block])
        _search_block(table, queries, block, best, places, among)
    return rows, scores


def _search_block(
    table: Table,
    queries: Queries,
    block: slice,
    best: "_Best",
    excluded: np.ndarray | None,
    among: np.ndarray | None,
) -> None:
    for some, places, bounds in _bounds(table, queries, block, among):
        if excluded is not None:
            _exclude(bounds, excluded, places)

        def score(
            block_queries: np.ndarray, columns: np.ndarray, some: Any = some
        ) -> np.ndarray:
            return _score(table, queries, block, block_queries, columns, some)

        floors = best.floors()
        if places.start == 0:
            floors = _first_floors(bounds, best.n, score)
        at = np.flatnonzero(bounds > floors[:, np.newaxis])
        if at.size:
            at_query, at_column = np.divmod(at, bounds.shape[1])
            found = score(at_query, at_column)
            best.add(at_query, _rows(some, at_column), found)
    best.merge()


def _bounds(
    table: Table, queries: Queries, block: slice, among: np.ndarray | None
) -> Iterator[tuple[Any, slice, np.ndarray]]:
    """Yield the bounds of scores, chunk by chunk.

    Yields
    ------
    rows : slice or ndarray of int
        The rows of the chunk.
    places : slice
        Their places among all rows that are searched.
    bounds : ndarray of shape (n_queries, n_places), float32
    """
    n_rows = len(table.vectors) if among is None else len(among)
    step = min(_ROWS, _BLOCK // (block.stop - block.start))
    if among is not None or table.is_copied:
        step = min(step, 2 * _GATHERED // table.vectors.shape[1])
    for places in _slices(n_rows, step):
        rows = places if among is None else among[places]
        yield rows, places, queries.bounds(block, *table.scaled(rows))


def _score(
    table: Table,
    queries: Queries,
    block: slice,
    at_query: np.ndarray,
    at_column: np.ndarray,
    rows: Any,
) -> np.ndarray:
    """Return exact scores, a part of them at a time."""
    scores = np.empty(at_query.size)
    for part in _slices(at_query.size, _GATHERED // table.vectors.shape[1]):
        units = table.units(_rows(rows, at_column[part]))
        scores[part] = queries.scores(block.start + at_query[part], units)
    return scores


def _first_floors(bounds: np.ndarray, n: int, score: Any) -> np.ndarray:
    """Return what bounds of a first chunk must exceed to be among the best."""
    bounds = bounds[:, : max(_FIRST, 2 * n)]
    n_queries, n_columns = bounds.shape
    if n >= n_columns:
        return np.full(n_queries, -np.inf, np.float32)
    columns = np.argpartition(bounds, n_columns - n, axis=1)[:, n_columns - n :]
    at_query = np.repeat(np.arange(n_queries), n)
    scores = score(at_query, columns.ravel()).reshape(n_queries, n)
    scores[np.isneginf(np.take_along_axis(bounds, columns, axis=1))] = -np.inf
    # A row of the same score may be an earlier one, whose bound is equal for zeros.
    return np.nextafter(scores.min(axis=1).astype(np.float32), np.float32(-np.inf))


class _Best:
    """The best rows so far, and those that may come to be among them.

    Candidates are sorted in only when there are as many as the best. The more rows have
    been seen, the rarer they are.
    """

    def __init__(self, rows: np.ndarray, scores: np.ndarray) -> None:
        self.rows, self.scores = rows, scores
        self.n = rows.shape[1]
        self.candidates: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.n_candidates = 0

    def floors(self) -> np.ndarray:
        """Return what bounds of later rows must exceed to be among the best."""
        # Where float32 rounds up, bounds are higher by more than that.
        return self.scores[:, -1].astype(np.float32)

    def add(self, queries: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> None:
        self.candidates.append((queries, rows, scores))
        self.n_candidates += len(rows)
        if self.n_candidates >= self.rows.size:
            self.merge()

    def merge(self) -> None:
        """Sort the candidates in, by descending score, then by row."""
        n_queries = len(self.rows)
        best = np.repeat(np.arange(n_queries), self.n), self.rows, self.scores
        parts = zip((one.ravel() for one in best), *self.candidates, strict=True)
        queries, rows, scores = (np.concatenate(part) for part in parts)
        self.candidates, self.n_candidates = [], 0
        order = np.lexsort((rows, -scores, queries))
        sizes = np.bincount(queries, minlength=n_queries)
        firsts = np.cumsum(sizes) - sizes
        kept = order[firsts[:, np.newaxis] + np.arange(self.n)]
        self.rows[:], self.scores[:] = rows[kept], scores[kept]


def _rows(rows: Any, columns: np.ndarray) -> np.ndarray:
    """Return the rows of columns of a chunk."""
    return rows.start + columns if isinstance(rows, slice) else rows[columns]


def _places(excluded: np.ndarray, among: np.ndarray | None) -> np.ndarray:
    """Return the places of rows among those that are searched, or -1."""
    if among is None:
        return excluded
    places = np.searchsorted(among, excluded)
    there = among[np.minimum(places, len(among) - 1)] == excluded
    return np.where(there, places, -1)


def _exclude(bounds: np.ndarray, excluded: np.ndarray, places: slice) -> None:
    inside = (excluded >= places.start) & (excluded < places.stop)
    at_query, _ = np.nonzero(inside)
    bounds[at_query, excluded[inside] - places.start] = -np.inf


def _slices(n: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(first, min(n, first + step)) for first in range(0, n, step))


# --- ranks ----------------------------------------------------------------------------


def rank(table: Table, row: int, other: int) -> int:
    """Return the place of a row among all others by cosine with one row, from 1 on.

    Parameters
    ----------
    table : Table
    row, other : int
        Two different rows.
    """
    query = Directions(table.units(np.array([row])))
    first = np.array([0])
    score = query.scores(first, table.units(np.array([other])))[0]
    error = float(query.errors[0])
    n_before = 0
    for rows, places, bounds in _bounds(table, query, slice(0, 1), None):
        if places.start <= row < places.stop:
            bounds[0, row - places.start] = -np.inf
        # Within these limits, only the exact scores tell.
        is_before = bounds[0] > score + 4.0 * error
        n_before += int(np.count_nonzero(is_before))
        near = np.flatnonzero(~is_before & (bounds[0] >= score - 2.0 * error))
        found = _score(table, query, slice(0, 1), np.zeros_like(near), near, rows)
        near = _rows(rows, near)
        ties = (found == score) & (near < other)
        n_before += int(np.count_nonzero((found > score) | ties))
    return n_before + 1
