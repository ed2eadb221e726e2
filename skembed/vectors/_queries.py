"""What users ask a table for: words and vectors, and combinations of these.

A query is a list of terms: a row of the table, which is an int, or a vector of length
1. There is a list of positive and one of negative terms for each query.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np

from skembed.vectors import _search
from skembed.vectors._validation import as_numbers, is_word

METHODS = ("add", "multiply")
# Terms whose vectors are prepared at once.
_TERMS = 2**12
Terms = list[list[Any]]


def most_similar(
    table: Any, positive: Any, negative: Any, n: Any, method: Any, among: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and similarities of one query, as `WordVectors.most_similar` does.

    Parameters
    ----------
    table : WordVectors
    positive, negative, n, method, among
        Its arguments.

    Returns
    -------
    rows : ndarray of shape (n,), int64
        -1 where there are no more words.
    similarities : ndarray of shape (n,), float64
    """
    _check_method(method)
    plus, minus = _terms(table, positive), _terms(table, negative)
    _check_terms(plus, minus, method, "positive")
    allowed = rows_among(table, among)
    rows, scores = search(table, [plus], [minus], _check_n(n), method, allowed)
    return rows[0], scores[0]


def nearest(
    table: Any, queries: Any, n: Any, negative: Any, method: Any, among: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and similarities of many queries, as `WordVectors.nearest` does.

    Parameters
    ----------
    table : WordVectors
    queries, n, negative, method, among
        Its arguments.
    """
    _check_method(method)
    n, allowed = _check_n(n), rows_among(table, among)
    if negative is None and method == "add" and not _are_combinations(queries):
        plus, is_one = _words_or_vectors(table, queries)
        minus: Terms = [[] for _ in plus]
    else:
        plus, minus, is_one = _combinations(table, queries, negative)
    n = _fewest_results(table, plus, minus, n, method, allowed)
    rows, scores = search(table, plus, minus, n, method, allowed)
    return (rows[0], scores[0]) if is_one else (rows, scores)


def search(
    table: Any,
    positive: Terms,
    negative: Terms,
    n: int,
    method: str,
    allowed: np.ndarray | None,
    excluded: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Search for the rows that are most similar to each query.

    Parameters
    ----------
    table : WordVectors
    positive, negative : list of list of int or ndarray
        The terms of each query.
    n : int
    method : {"add", "multiply"}
    allowed : ndarray of int64 or None
        Rows that may be results, in ascending order. None means all.
    excluded : ndarray of shape (n_queries, n_excluded), int64, default=None
        Rows that are not results of a query, padded by -1. None means those of its
        terms.

    Returns
    -------
    rows, scores : ndarray of shape (n_queries, n)
        As `_search.search` returns them.
    """
    kind = _search.Directions.sums if method == "add" else _search.Products
    n = min(n, len(table) if allowed is None else len(allowed))
    rows = np.empty((len(positive), n), np.int64)
    scores = np.empty((len(positive), n))
    # One array holds only queries with the same numbers of terms.
    groups: dict[tuple[int, int], list[int]] = {}
    for number, terms in enumerate(zip(positive, negative, strict=True)):
        groups.setdefault((len(terms[0]), len(terms[1])), []).append(number)
    for sizes, numbers in groups.items():
        step = max(1, _TERMS // sum(sizes))
        for first in range(0, len(numbers), step):
            some = numbers[first : first + step]
            own, plus = _units(table, [positive[number] for number in some])
            own_minus, minus = _units(table, [negative[number] for number in some])
            if excluded is None:
                places = np.hstack([own, own_minus])
            else:
                places = excluded[some]
            rows[some], scores[some] = _search.search(
                table._table, kind(plus, minus), n, excluded=places, among=allowed
            )
    return rows, scores


def rows_among(table: Any, among: Any) -> np.ndarray | None:
    """Return the rows that may be results, in ascending order, or None for all."""
    if among is None:
        return None
    if isinstance(among, Integral) and not isinstance(among, bool):
        return _most_frequent(table, int(among))
    if isinstance(among, str):
        raise TypeError(f"among must be an int or a list of words, got {among!r}.")
    rows = np.unique(table._rows(among))
    if not rows.size:
        raise ValueError("among is empty: no word may be a result.")
    return rows


def as_words(words: Any) -> list[Any]:
    """Return a word, or an iterable of words, as a list.

    Raises
    ------
    TypeError
        If it is neither.
    """
    if is_word(words):
        return [words]
    if isinstance(words, bytes) or not _is_sequence(words):
        raise TypeError(
            f"Pass a word or a list of words, got {words!r} ({type(words).__name__})."
        )
    words = list(words)
    for word in words:
        if not is_word(word):
            raise TypeError(
                f"{word!r} ({type(word).__name__}) is not a word: pass str, or int if "
                "the words of the table are int."
            )
    return words


def _is_sequence(value: Any) -> bool:
    """Return whether it has several items in an order."""
    unordered = isinstance(value, (Mapping, set, frozenset))
    is_scalar = isinstance(value, np.ndarray) and not value.ndim
    return hasattr(value, "__iter__") and not unordered and not is_scalar


def _most_frequent(table: Any, n: int) -> np.ndarray | None:
    if n < 1:
        raise ValueError(f"among must be positive, got {n}.")
    if n >= len(table):
        return None
    counts = table.counts
    if counts is None or (counts[:-1] >= counts[1:]).all():
        return np.arange(n)
    return np.sort(np.argsort(-counts, kind="stable")[:n])


def _check_n(n: Any) -> int:
    if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
        raise ValueError(f"n must be a positive int, got {n!r}.")
    return int(n)


def _check_method(method: Any) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")


def _check_terms(plus: list[Any], minus: list[Any], method: str, name: str) -> None:
    """Raise an error if there is nothing to be similar to."""
    if not plus and (method == "multiply" or not minus):
        raise ValueError(
            f"{name} is empty, so there is nothing to be similar to. Pass a word."
        )


# --- from arguments to terms ----------------------------------------------------------


def _are_combinations(queries: Any) -> bool:
    """Return whether queries are lists of words, and not words or vectors."""
    if isinstance(queries, np.ndarray):
        return queries.ndim == 2 and queries.dtype.kind not in "biuf"
    if not isinstance(queries, (list, tuple)):
        return False
    lists = (
        one
        for one in queries
        if isinstance(one, (list, tuple))
        or (isinstance(one, np.ndarray) and one.dtype.kind not in "biuf")
    )
    return any(isinstance(word, str) for one in lists for word in one)


def _words_or_vectors(table: Any, queries: Any) -> tuple[Terms, bool]:
    """Return the terms of words or vectors, and whether there is one query only."""
    vectors = _as_vectors(queries)
    if vectors is None:
        rows = table._rows(queries).tolist()
        return [[row] for row in rows], is_word(queries)
    _check_width(table, vectors)
    units = _search.unit_vectors(np.atleast_2d(vectors).astype(np.float64))
    return [[unit] for unit in units], vectors.ndim == 1


def _as_vectors(queries: Any) -> np.ndarray | None:
    """Return queries as an array of numbers, or None if they are words."""
    if isinstance(queries, np.ndarray):
        is_array = _is_vectors(queries)
    else:
        first = queries[:1] if isinstance(queries, (list, tuple)) else ()
        is_array = not all(map(is_word, first))
    if not is_array:
        return None
    vectors = as_numbers(queries, "queries")
    if vectors.ndim > 2:
        raise ValueError(
            f"queries must have one or two dimensions, got shape {vectors.shape}."
        )
    return vectors


def _is_vectors(array: np.ndarray) -> bool:
    """Return whether an array holds vectors. In one dimension, int are words."""
    kinds = "f" if array.ndim == 1 else "iuf"
    return array.dtype.kind in kinds


def _combinations(table: Any, queries: Any, negative: Any) -> tuple[Terms, Terms, bool]:
    """Return positive and negative terms, and whether there is one query only."""
    is_vector = isinstance(queries, np.ndarray) and queries.ndim == 1
    is_one = is_word(queries) or (is_vector and _is_vectors(queries))
    if is_one:
        queries, negative = [queries], None if negative is None else [negative]
    plus = [_terms(table, query) for query in _as_list(queries, "queries")]
    minus: Terms = [[] for _ in plus]
    if negative is not None:
        minus = [_terms(table, query) for query in _as_list(negative, "negative")]
    if len(minus) != len(plus):
        raise ValueError(
            f"queries has {len(plus)} queries and negative has {len(minus)}: pass a "
            "list of words for each query, which may be empty."
        )
    return plus, minus, is_one


def _as_list(queries: Any, name: str) -> list[Any]:
    if isinstance(queries, (str, bytes)) or not _is_sequence(queries):
        raise TypeError(
            f"{name} must be a list with the words of each query, got {queries!r} "
            f"({type(queries).__name__})."
        )
    return list(queries)


def _terms(table: Any, given: Any) -> list[Any]:
    """Return the terms of one side of a query."""
    if is_word(given):
        return [table._row(given)]
    if isinstance(given, np.ndarray) and given.ndim == 1 and _is_vectors(given):
        given = [given]
    if not isinstance(given, (list, tuple, np.ndarray)):
        given = as_words(given)
    return [
        table._row(one) if is_word(one) else _direction(table, one) for one in given
    ]


def _direction(table: Any, given: Any) -> np.ndarray:
    """Return a given vector at length 1."""
    if isinstance(given, tuple) or not _is_sequence(given):
        raise TypeError(
            f"{given!r} is neither a word nor a vector of {table.n_components} numbers."
        )
    vector = as_numbers(given, "a vector")
    if vector.ndim != 1:
        raise ValueError(f"A vector must have one dimension, got {vector.shape}.")
    _check_width(table, vector)
    return _search.unit_vectors(vector.astype(np.float64))


def _check_width(table: Any, vectors: np.ndarray) -> None:
    if vectors.shape[-1] != table.n_components:
        raise ValueError(
            f"The vectors of the table have {table.n_components} dimensions, and a "
            f"given one has {vectors.shape[-1]}."
        )
    if not np.isfinite(vectors).all():
        raise ValueError("A given vector holds numbers that are not finite.")


# --- from terms to searches -----------------------------------------------------------


def _fewest_results(
    table: Any,
    positive: Terms,
    negative: Terms,
    n: int,
    method: str,
    allowed: np.ndarray | None,
) -> int:
    """Return how many of `n` results every query has, which is at least one."""
    may_be = range(len(table)) if allowed is None else set(allowed.tolist())
    for number, (plus, minus) in enumerate(zip(positive, negative, strict=True)):
        _check_terms(plus, minus, method, f"queries[{number}]")
        own = {term for term in plus + minus if isinstance(term, int)}
        n_left = len(may_be) - sum(row in may_be for row in own)
        if not n_left:
            raise ValueError(
                f"No word may be a result of queries[{number}], whose own words are "
                "not among its results. Pass a larger `among`."
            )
        n = min(n, n_left)
    return n


def _units(table: Any, terms: Terms) -> tuple[np.ndarray, np.ndarray]:
    """Return rows, -1 for vectors, and vectors of length 1 of queries.

    Parameters
    ----------
    table : WordVectors
    terms : list of list of int or ndarray
        As many terms for each query.

    Returns
    -------
    rows : ndarray of shape (n_queries, n_terms), int64
    units : ndarray of shape (n_queries, n_terms, n_components), float64
    """
    rows = np.full((len(terms), len(terms[0])), -1, np.int64)
    given = {}
    for number, query in enumerate(terms):
        for place, term in enumerate(query):
            if isinstance(term, int):
                rows[number, place] = term
            else:
                given[number, place] = term
    units = table._table.units(rows)
    for at, vector in given.items():
        units[at] = vector
    return rows, units
