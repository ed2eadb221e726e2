"""The search for similar rows, against plain NumPy that scores all rows."""

import threading

import numpy as np
import pytest

from skembed.vectors import WordVectors, _search
from skembed.vectors._search import Directions, Products, Table, search
from tests.helpers import traced

pytestmark = pytest.mark.small

SMALL_CUTS = {"_BLOCK": 60, "_QUERIES": 3, "_ROWS": 7, "_FIRST": 5, "_GATHERED": 11}


def many_ties(n_rows=90, n_components=3, seed=0):
    """Vectors of small whole numbers: zeros, equal ones and multiples."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-1, 2, size=(n_rows, n_components)).astype(np.float32)
    vectors[::5] *= 4
    return vectors


def normal(n_rows=200, n_components=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_rows, n_components)).astype(np.float32)


TABLES = {
    "ties": many_ties(),
    "normal": normal(),
    "one": normal(1),
    "column": normal(9),
}
TABLES["column"] = TABLES["column"][:, :1]


def units_of(vectors):
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    return vectors / np.where(lengths > 0, lengths, 1)


def ordered(scores, n, allowed):
    """The best rows of all scores, and their scores."""
    rows = np.flatnonzero(allowed)
    rows = rows[np.lexsort((rows, -scores[rows]))][:n]
    return rows, scores[rows]


def allowed_rows(n_rows, excluded, among):
    allowed = np.zeros(n_rows, bool)
    allowed[slice(None) if among is None else among] = True
    allowed[excluded] = False
    return allowed


def cosines_twin(vectors, query):
    return np.clip((units_of(vectors) * query).sum(axis=1), -1, 1)


def products_twin(vectors, positive, negative):
    over = np.ones(len(vectors))
    for one in positive:
        over *= (cosines_twin(vectors, one) + 1) / 2
    under = np.ones(len(vectors))
    for one in negative:
        under *= (cosines_twin(vectors, one) + 1) / 2
    return over / (under + 1e-6)


def check(found, scores, n, excluded, among):
    """Compare the results of search with those of all scores."""
    rows, values = found
    for i, of_query in enumerate(scores):
        allowed = allowed_rows(len(of_query), excluded[i], among)
        expected_rows, expected_values = ordered(of_query, n, allowed)
        k = len(expected_rows)
        np.testing.assert_array_equal(rows[i, :k], expected_rows)
        np.testing.assert_array_equal(values[i, :k], expected_values)
        assert (rows[i, k:] == -1).all()
        assert np.isneginf(values[i, k:]).all()


@pytest.fixture(params=["", "cut"])
def cuts(request, monkeypatch):
    """Once with blocks as they are, once with tiny ones."""
    if request.param:
        for name, size in SMALL_CUTS.items():
            monkeypatch.setattr(_search, name, size)


@pytest.mark.usefixtures("cuts")
@pytest.mark.parametrize("vectors", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("n", [1, 4, 40, 1000])
@pytest.mark.parametrize("some", [False, True], ids=["all", "among"])
def test_directions_against_all_scores(vectors, n, some):
    rng = np.random.default_rng(n)
    own = rng.integers(len(vectors), size=8)
    excluded = np.stack([own, rng.integers(-1, len(vectors), size=8)], axis=1)
    among = np.unique(rng.integers(len(vectors), size=60)) if some else None
    queries = units_of(vectors)[own]
    queries[1] = 0
    found = search(
        Table.of(vectors), Directions(queries), n, excluded=excluded, among=among
    )
    scores = [cosines_twin(vectors, query) for query in queries]
    rows = [[row for row in one if row >= 0] for one in excluded]
    check(found, scores, n, rows, among)


@pytest.mark.usefixtures("cuts")
@pytest.mark.parametrize("vectors", TABLES.values(), ids=TABLES)
@pytest.mark.parametrize(("n_positive", "n_negative"), [(1, 0), (2, 1), (3, 2)])
def test_products_against_all_scores(vectors, n_positive, n_negative):
    rng = np.random.default_rng(0)
    own = rng.integers(len(vectors), size=(5, n_positive + n_negative))
    units = units_of(vectors)[own]
    positive, negative = units[:, :n_positive], units[:, n_positive:]
    found = search(Table.of(vectors), Products(positive, negative), 6, excluded=own)
    scores = [
        products_twin(vectors, plus, minus)
        for plus, minus in zip(positive, negative, strict=True)
    ]
    check(found, scores, 6, own, None)


@pytest.mark.parametrize("n", [1, 4])
def test_many_excluded_rows(n, monkeypatch):
    """As many as the first rows, from which the search takes its limit."""
    monkeypatch.setattr(_search, "_FIRST", 5)
    vectors = normal(60)
    vectors[:9] = vectors[0]
    queries = units_of(vectors)[:2]
    excluded = np.tile(np.arange(9), (2, 1))
    found = search(Table.of(vectors), Directions(queries), n, excluded=excluded)
    scores = [cosines_twin(vectors, query) for query in queries]
    check(found, scores, n, excluded, None)


def test_sums_are_means_of_unit_vectors():
    vectors = normal()
    units = units_of(vectors)
    queries = Directions.sums(units[None, :3], units[None, 3:5])
    expected = (units[:3].sum(axis=0) - units[3:5].sum(axis=0)) / 5
    np.testing.assert_allclose(queries.units[0], units_of(expected), rtol=1e-13)
    # One vector keeps its bits, so that its similarities do.
    np.testing.assert_array_equal(
        Directions.sums(units[None, :1], units[None, :0]).units[0], units[0]
    )


@pytest.mark.parametrize("kind", [Directions, Products])
def test_results_do_not_depend_on_cuts(kind, monkeypatch):
    vectors = np.concatenate([normal(60), normal(60, seed=1) * 1e-3, normal(60)])
    units = units_of(vectors)[:40]
    pairs = units.reshape(20, 2, -1)
    queries = kind(units) if kind is Directions else kind(pairs, pairs[::-1, :1])
    table = Table.of(vectors)
    whole = search(table, queries, 12)
    for sizes in [(700, 25, 50, 30, 99), (40, 1, 5, 3, 1)]:
        for name, size in zip(SMALL_CUTS, sizes, strict=True):
            monkeypatch.setattr(_search, name, size)
        for one, other in zip(whole, search(table, queries, 12), strict=True):
            np.testing.assert_array_equal(one, other)


def test_results_do_not_depend_on_float32_rounding(monkeypatch):
    """Another BLAS adds up in another order."""
    vectors, rng = normal(2000, 50), np.random.default_rng(0)
    # Near ties, which float32 cannot tell apart.
    vectors[1000:] = vectors[:1000] * (1 + 1e-7 * rng.standard_normal((1000, 50)))
    table, queries = Table.of(vectors), Directions(units_of(vectors)[:30])
    whole = search(table, queries, 9)
    bounds = Directions.bounds

    def other_bounds(self, *arguments):
        found = bounds(self, *arguments)
        return found + np.float32(1e-6) * rng.uniform(-1, 1, found.shape).astype("f4")

    monkeypatch.setattr(Directions, "bounds", other_bounds)
    for one, other in zip(whole, search(table, queries, 9), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("scale", [1.0, 1e30, 1e-30])
def test_bounds_are_above_scores(scale):
    vectors = np.concatenate([normal(400, 300) * np.float32(scale), normal(5, 300) * 0])
    table, units = Table.of(vectors), units_of(vectors)
    pairs = np.stack([units[:20], units[20:40]], axis=1)
    for queries in [Directions(units[:20]), Products(pairs, pairs[::-1])]:
        bounds = queries.bounds(slice(0, 20), *table.scaled(slice(0, 405)))
        at = np.arange(20).repeat(405)
        scores = queries.scores(at, np.tile(units, (20, 1))).reshape(20, 405)
        assert (bounds >= scores).all()
        # And they are of use.
        np.testing.assert_allclose(bounds, scores, rtol=2e-3, atol=1e-4)


def test_lengths_of_any_size():
    """Lengths that overflow or vanish in float32 do not matter."""
    vectors = normal(60)
    sizes = np.resize([1.0, 3e37, 1e-42, 1e18, 1e-30], 60).astype(np.float32)
    extreme = vectors * sizes[:, np.newaxis]
    extreme[7] = 0
    table = Table.of(extreme)
    queries = table.units(np.arange(60))
    rows, scores = search(table, Directions(queries), 60)
    assert np.isfinite(scores).all()
    for query, of_rows, of_scores in zip(queries, rows, scores, strict=True):
        np.testing.assert_allclose(cosines_twin(extreme, query)[of_rows], of_scores)
    assert (scores[7] == 0).all()
    np.testing.assert_array_equal(rows[7], np.arange(60))


def test_zeros_have_similarity_zero():
    vectors = np.array([[0, 0], [1, 0], [0, 0], [-1, 0]], np.float32)
    rows, scores = search(Table.of(vectors), Directions(units_of(vectors)), 4)
    zeros, right, left = [0, 1, 2, 3], [1, 0, 2, 3], [3, 0, 2, 1]
    np.testing.assert_array_equal(rows, [zeros, right, zeros, left])
    cosines = [1, 0, 0, -1]
    np.testing.assert_array_equal(scores, [[0] * 4, cosines, [0] * 4, cosines])


@pytest.mark.usefixtures("cuts")
@pytest.mark.parametrize("vectors", [many_ties(24), normal(24)], ids=["ties", "normal"])
def test_rank_is_the_place_in_the_list(vectors):
    table = Table.of(vectors)
    for row in range(0, 24, 3):
        allowed = allowed_rows(24, [row], None)
        places, _ = ordered(cosines_twin(vectors, units_of(vectors)[row]), 24, allowed)
        found = [_search.rank(table, row, other) for other in places]
        assert found == list(range(1, 24))


def test_pair_cosines():
    vectors = normal(30)
    a, b = np.arange(30), np.arange(30)[::-1]
    found = _search.pair_cosines(Table.of(vectors), a, b)
    np.testing.assert_allclose(
        found, np.diag(units_of(vectors) @ units_of(vectors[b]).T)
    )
    # The same bits as those of a search, and in either order.
    np.testing.assert_array_equal(found, _search.pair_cosines(Table.of(vectors), b, a))


@pytest.mark.parametrize(
    "laid_out",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1].copy()[::-1],
    ],
)
def test_layout_in_memory_does_not_matter(laid_out):
    vectors = normal(80)
    queries = Directions(units_of(vectors)[:5])
    expected = search(Table.of(vectors), queries, 7)
    found = search(Table.of(laid_out(vectors)), queries, 7)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_working_memory_is_bounded():
    vectors = normal(20_000, 4)
    table = Table.of(vectors)
    queries = Directions(units_of(vectors)[:1000])
    _, peak = traced(search, table, queries, 10)
    # All similarities would take 80 MB.
    assert peak < 20e6


def test_threads_share_a_table():
    vectors = normal(500)
    words = [f"w{i}" for i in range(500)]
    expected = WordVectors(words, vectors).nearest(words)
    table, found = WordVectors(words, vectors), []
    threads = [
        threading.Thread(target=lambda: found.append(table.nearest(words)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for result in found:
        for one, other in zip(result, expected, strict=True):
            np.testing.assert_array_equal(one, other)
