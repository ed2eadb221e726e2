"""Co-occurrence counts and the PPMI matrix against obvious dense twins."""

import math
import re
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn import config_context

from skembed import cooccurrence
from skembed._corpus.vocabulary import Corpus
from skembed._counts import ppmi as _ppmi
from skembed._counts import windows as _cooccurrence
from skembed._counts.count import WINDOW_WEIGHTINGS, window_weights
from skembed._counts.ppmi import ppmi_inplace
from skembed._counts.windows import count_cooccurrences
from skembed._utils.threads import ThreadTeam
from tests.benchmarks import exact_counts
from tests.counts.helpers import (
    N_WORDS,
    as_dense,
    assert_canonical,
    assert_same_bits,
    documents,
    many_threads,
    weightings,
)
from tests.helpers import corpus_of

pytestmark = pytest.mark.small

windows = st.one_of(st.integers(1, 5), st.integers(6, 40))
# Up to here, harmonic weights have a divisor with which any corpus is counted exactly.
EXACT = 36


def exact_weight(distance, window, weighting):
    """The weight of a context, as a fraction of whole numbers."""
    weights = {
        "flat": Fraction(1),
        "harmonic": Fraction(1, distance),
        "dynamic": Fraction(window + 1 - distance, window),
    }
    return weights[weighting]


def twin_of_counting(documents, window, weighting):
    """A dictionary of all pairs of positions, looked at from both sides."""
    met = Counter(
        (word, context, abs(i - j))
        for words in documents
        for i, word in enumerate(words)
        for j, context in enumerate(words)
        if 0 < abs(i - j) <= window
    )
    counts = Counter()
    for (word, context, distance), times in met.items():
        counts[word, context] += times * exact_weight(distance, window, weighting)
    return counts


@given(documents, windows, weightings)
@example([[0, 0, 0, 0]], 2, "flat")
@example([[], [3], [], [1, 2], []], 5, "dynamic")
@example([[0, 1] * 20], 30, "harmonic")
@example([[0, 1, 2, 0, 1, 2] * 6], 17, "dynamic")
@example([[0, 1, 2, 0, 1, 2] * 6], EXACT, "harmonic")
def test_counts_against_a_dictionary(documents, window, weighting):
    counts = count_cooccurrences(
        corpus_of(documents), N_WORDS, window_weights(window, weighting)
    )
    assert_canonical(counts)
    expected = as_dense(twin_of_counting(documents, window, weighting))
    dense = counts.toarray()
    if weighting != "harmonic" or window <= EXACT:
        # All sums are exact and rounded once.
        assert dense.tolist() == expected.tolist()
    np.testing.assert_allclose(dense, expected, rtol=1e-14)
    # To the last bit, also where weights are rounded.
    assert dense.tobytes() == np.ascontiguousarray(dense.T).tobytes()


@given(documents, windows, weightings)
def test_counts_do_not_depend_on_the_order(documents, window, weighting):
    weights = window_weights(window, weighting)
    counts = count_cooccurrences(corpus_of(documents), N_WORDS, weights)
    backwards = [words[::-1] for words in documents[::-1]]
    mirrored = count_cooccurrences(corpus_of(backwards), N_WORDS, weights)
    assert_same_bits(counts, mirrored)


@pytest.mark.parametrize("weighting", WINDOW_WEIGHTINGS)
@pytest.mark.parametrize("n_words", [300, 9000])
def test_many_words(n_words, weighting):
    """Rows of many columns and of few, some far apart."""
    rng = np.random.default_rng(n_words)
    tokens = (rng.random(900) ** 6 * n_words).astype(int)
    tokens[::100] = n_words - 1
    documents = [part.tolist() for part in np.split(tokens, [5, 5, 60, 61, 500])]
    weights = window_weights(7, weighting)
    counts = count_cooccurrences(corpus_of(documents), n_words, weights)
    assert_canonical(counts, n_words)
    expected = twin_of_counting(documents, 7, weighting)
    found = counts.tocoo()
    cells = zip(found.row.tolist(), found.col.tolist(), found.data, strict=True)
    assert {(i, j): count for i, j, count in cells} == {
        cell: float(count) for cell, count in expected.items()
    }
    with many_threads(task_pairs=500, task_entries=500, chunk_entries=50):
        for n_jobs in (1, 3):
            again = count_cooccurrences(corpus_of(documents), n_words, weights, n_jobs)
            assert_same_bits(again, counts)


@given(documents, windows, weightings)
def test_windows_do_not_cross_documents(documents, window, weighting):
    """The counts of a corpus are the sum of those of its documents."""
    weights = window_weights(window, weighting)
    whole = count_cooccurrences(corpus_of(documents), N_WORDS, weights).toarray()
    parts = [
        count_cooccurrences(corpus_of([words]), N_WORDS, weights).toarray()
        for words in documents
    ]
    np.testing.assert_allclose(whole, np.sum(parts, axis=0), rtol=1e-12)


def test_word_beside_itself():
    """Each of the two occurrences is the other's context: it counts twice."""
    counts = count_cooccurrences(corpus_of([[2, 2]]), N_WORDS, np.ones(1))
    assert counts.nnz == 1
    assert counts[2, 2] == 2.0
    counts = count_cooccurrences(corpus_of([[2, 2, 2]]), N_WORDS, np.array([1.0, 0.5]))
    assert counts[2, 2] == 2 * 2 * 1.0 + 2 * 0.5


def test_hand_counted_example():
    documents = [[0, 1, 2, 0], [1, 0]]
    counts = count_cooccurrences(
        corpus_of(documents), N_WORDS, window_weights(2, "harmonic")
    ).toarray()
    expected = np.zeros((N_WORDS, N_WORDS))
    # Distance 1: 0-1, 1-2, 2-0, 1-0; distance 2: 0-2, 1-0.
    for word, context, weight in [(0, 1, 1 + 1 + 0.5), (1, 2, 1), (0, 2, 1 + 0.5)]:
        expected[word, context] = expected[context, word] = weight
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize("documents", [[[1], [], [2]], [[]], [[], []]], ids=str)
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_no_pairs_at_all(documents, n_jobs):
    with many_threads():
        counts = count_cooccurrences(corpus_of(documents), N_WORDS, np.ones(3), n_jobs)
        assert_canonical(counts)
        assert counts.nnz == 0
        found = ppmi_inplace(counts, 1.0, 0.75, n_jobs)
    assert found.nnz == 0
    assert found.shape == counts.shape


@given(
    documents,
    windows,
    weightings,
    st.sampled_from([2, 3, 7]),
    st.tuples(st.integers(1, 99), st.integers(1, 40), st.integers(1, 40)),
)
def test_threads_and_tasks_change_nothing(documents, window, weighting, n_jobs, sizes):
    corpus, weights = corpus_of(documents), window_weights(window, weighting)
    whole = count_cooccurrences(corpus, N_WORDS, weights)
    for n_threads in (1, n_jobs):
        with many_threads(*sizes):
            cut = count_cooccurrences(corpus, N_WORDS, weights, n_threads)
        assert_same_bits(cut, whole)


@pytest.mark.parametrize("lengths", [[400], [0, 150, 1, 0, 0, 249], [5] * 80], ids=len)
@pytest.mark.parametrize("weighting", WINDOW_WEIGHTINGS)
def test_chunks_of_tokens_change_nothing(lengths, weighting):
    """Enough tokens for each thread to list the places of some words, not of all."""
    words = np.random.default_rng(0).integers(N_WORDS, size=400)
    words[:300].sort()
    parts = np.split(words, np.cumsum(lengths)[:-1])
    documents = [part.tolist() for part in parts]
    weights = window_weights(4, weighting)
    whole = count_cooccurrences(corpus_of(documents), N_WORDS, weights)
    expected = as_dense(twin_of_counting(documents, 4, weighting))
    assert whole.toarray().tolist() == expected.tolist()
    for n_jobs in (1, 2, 3, 7):
        with many_threads(task_pairs=100):
            cut = count_cooccurrences(corpus_of(documents), N_WORDS, weights, n_jobs)
        assert_same_bits(cut, whole)


def test_parts_are_released_when_joined():
    parts = [
        (np.arange(n, dtype=np.int32), np.arange(n, dtype=np.float64))
        for n in (2, 0, 3)
    ]
    with ThreadTeam(1) as team:
        matrix = _cooccurrence._consume_parts(
            np.array([2, 0, 0, 3]), parts, (4, 0), 4, team
        )
    assert parts == [None] * 3
    assert matrix.indptr.tolist() == [0, 2, 2, 2, 5]
    assert matrix.indices.tolist() == [0, 1, 0, 1, 2]
    assert matrix.data.tolist() == [0.0, 0.25, 0.0, 0.25, 0.5]


def test_threads_start_only_for_work(monkeypatch):
    """The number of threads that are worth their start follows the work."""
    asked = []

    def n_threads(n_jobs, at_most):
        asked.append((n_jobs, at_most))
        return 1

    for module in (_cooccurrence, _ppmi):
        monkeypatch.setattr(module, "n_threads", n_threads)
    corpus = corpus_of([[0, 1, 2, 3] * 25])
    counts = count_cooccurrences(corpus, N_WORDS, np.ones(2), 5)
    ppmi_inplace(counts, 1.0, 1.0, 5)
    monkeypatch.setattr(_cooccurrence, "_TASK_PAIRS", 100)
    counts = count_cooccurrences(corpus, N_WORDS, np.ones(2), 5)
    monkeypatch.setattr(_ppmi, "_TASK_ENTRIES", 4)
    entries = counts.nnz
    ppmi_inplace(counts, 1.0, 1.0, 5)
    assert asked == [(5, 1), (5, 1), (5, 1 + 400 // 100), (5, 1 + entries // 4)]


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=20),
    st.integers(1, 60),
    st.integers(1, 500),
    st.integers(1, 200),
)
def test_tasks_cover_all_rows_in_order(frequency, contexts, task_pairs, task_entries):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cooccurrence, "_TASK_PAIRS", task_pairs)
        patch.setattr(_cooccurrence, "_TASK_ENTRIES", task_entries)
        tasks = _cooccurrence._tasks(np.array(frequency), contexts, len(frequency))
    rows = [row for first, last, _ in tasks for row in range(first, last)]
    assert rows == list(range(len(frequency)))
    for first, last, capacity in tasks:
        assert first < last
        entries = [min(n * contexts, len(frequency)) for n in frequency[first:last]]
        assert sum(entries) == capacity
        # Only the row that completes a task may be too large for it.
        pairs = contexts * sum(frequency[first : last - 1])
        assert pairs <= task_pairs
        assert sum(entries[:-1]) <= task_entries


def test_many_entries_have_wide_indices(monkeypatch):
    """SciPy has one type for both; a wider one only where it is needed."""
    corpus = corpus_of([[0, 1, 2, 3, 4, 5]])
    counts = count_cooccurrences(corpus, N_WORDS, np.ones(2))
    expected = ppmi_inplace(counts.copy(), 1.0, 0.75)
    for most, kind in [(counts.nnz, np.int32), (counts.nnz - 1, np.int64)]:
        monkeypatch.setattr(_cooccurrence, "INT32_MAX", most)
        wide = count_cooccurrences(corpus, N_WORDS, np.ones(2))
        assert wide.indptr.dtype == wide.indices.dtype == kind
        assert wide.toarray().tolist() == counts.toarray().tolist()
        assert (
            ppmi_inplace(wide, 1.0, 0.75).toarray().tolist()
            == expected.toarray().tolist()
        )


def test_too_wide_windows():
    """A token's place must not run out of bits without a word."""
    corpus = corpus_of([[0, 1, 2, 3] * 4])
    weights = np.ones(8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cooccurrence, "_MOST_PLACES", 4 * 8 * 8 * 16)
        counts = count_cooccurrences(corpus, N_WORDS, weights)
        assert counts.sum() == 2 * sum(16 - distance for distance in range(1, 9))
        patch.setattr(_cooccurrence, "_MOST_PLACES", 4 * 8 * 8 * 16 - 1)
        with pytest.raises(ValueError, match=r"Windows of 8 tokens .* 16 tokens"):
            count_cooccurrences(corpus, N_WORDS, weights)


# --- one direction --------------------------------------------------------------------


def twin_of_direction(documents, window, weighting, direction):
    """A dictionary of the contexts before each position, or of those behind it."""
    sign = {"left": 1, "right": -1}[direction]
    met = Counter(
        (word, context, sign * (i - j))
        for words in documents
        for i, word in enumerate(words)
        for j, context in enumerate(words)
        if 0 < sign * (i - j) <= window
    )
    counts = Counter()
    for (word, context, distance), times in met.items():
        counts[word, context] += times * exact_weight(distance, window, weighting)
    return counts


@given(documents, windows, weightings)
@example([[0, 0, 0, 0]], 2, "flat")
@example([[], [3], [], [1, 2], []], 5, "dynamic")
@example([[0, 1, 2, 0, 1, 2] * 6], 17, "dynamic")
def test_directed_counts_against_a_dictionary(documents, window, weighting):
    corpus, weights = corpus_of(documents), window_weights(window, weighting)
    both, left, right = (
        count_cooccurrences(corpus, N_WORDS, weights, direction=direction)
        for direction in ("both", "left", "right")
    )
    for direction, counts in (("left", left), ("right", right)):
        assert_canonical(counts)
        twin = twin_of_direction(documents, window, weighting, direction)
        if weighting != "harmonic" or window <= EXACT:
            assert counts.toarray().tolist() == as_dense(twin).tolist()
        np.testing.assert_allclose(counts.toarray(), as_dense(twin), rtol=1e-14)
    # Also where weights are rounded.
    assert_same_bits(left, right.T.tocsr())
    np.testing.assert_allclose((left + right).toarray(), both.toarray(), rtol=1e-14)


def test_hand_counted_direction():
    documents = [[0, 1, 2], [1, 0]]
    weights = window_weights(2, "harmonic")
    counts = count_cooccurrences(
        corpus_of(documents), N_WORDS, weights, direction="left"
    ).toarray()
    expected = np.zeros((N_WORDS, N_WORDS))
    # What stands before 1 and before 2, and in the second document before 0.
    expected[1, 0] = expected[2, 1] = expected[0, 1] = 1.0
    expected[2, 0] = 0.5
    np.testing.assert_array_equal(counts, expected)


def test_unknown_direction():
    with pytest.raises(KeyError, match="behind"):
        count_cooccurrences(corpus_of([[0, 1]]), N_WORDS, np.ones(1), None, "behind")


@pytest.mark.parametrize("direction", ["left", "right"])
@pytest.mark.parametrize("n_words", [300, 9000])
def test_many_words_in_one_direction(n_words, direction):
    """Rows of many columns and of few, by any number of threads."""
    rng = np.random.default_rng(n_words)
    tokens = (rng.random(900) ** 6 * n_words).astype(int)
    documents = [part.tolist() for part in np.split(tokens, [5, 5, 60, 61, 500])]
    corpus, weights = corpus_of(documents), window_weights(7, "dynamic")
    twin = twin_of_direction(documents, 7, "dynamic", direction)
    for n_jobs in (1, 2, 3):
        with many_threads(task_pairs=500, task_entries=500, chunk_entries=50):
            counts = count_cooccurrences(corpus, n_words, weights, n_jobs, direction)
        assert_canonical(counts, n_words)
        found = counts.tocoo()
        cells = zip(found.row.tolist(), found.col.tolist(), found.data, strict=True)
        wanted = {cell: float(count) for cell, count in twin.items()}
        assert {(i, j): count for i, j, count in cells} == wanted


def test_full_row_of_one_direction():
    """All contexts differ, and the columns behind them are looked at, too."""
    documents = [[1, 2, 3, 4, 0], [5, 6, 7, 8, 0]]
    with many_threads(task_pairs=1, task_entries=1, chunk_entries=1):
        counts = count_cooccurrences(
            corpus_of(documents), 16, np.ones(4), 1, direction="left"
        )
    assert counts[[0], :].toarray().tolist() == [[0] + [1] * 8 + [0] * 7]


# --- some rows ------------------------------------------------------------------------

some_rows = st.tuples(st.integers(0, N_WORDS), st.integers(0, N_WORDS)).map(sorted)


@given(documents, windows, weightings, some_rows, st.sampled_from(["both", "left"]))
@example([[0, 1, 2, 0, 1, 2] * 6], 17, "dynamic", [2, 2], "both")
@example([[0, 1, 2, 0, 1, 2] * 6], 17, "dynamic", [3, 6], "both")
def test_some_rows(documents, window, weighting, rows, direction):
    """The rows of the twin, and the bits that they have in the whole matrix."""
    corpus, weights = corpus_of(documents), window_weights(window, weighting)
    first, last = rows
    found = count_cooccurrences(
        corpus, N_WORDS, weights, direction=direction, rows=(first, last)
    )
    assert found.shape == (last - first, N_WORDS)
    assert found.indices.dtype == found.indptr.dtype == np.int32
    if direction == "both":
        twin = twin_of_counting(documents, window, weighting)
    else:
        twin = twin_of_direction(documents, window, weighting, direction)
    expected = as_dense(twin)[first:last]
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-14)
    whole = count_cooccurrences(corpus, N_WORDS, weights, direction=direction)
    assert_same_bits(found, whole[first:last])


@pytest.mark.parametrize("n_words", [300, 9000])
@pytest.mark.parametrize("doc_weights", [None, [1, 0, 2.5, 0.1, 3, 1e-60]], ids=str)
def test_rows_of_many_words(n_words, doc_weights):
    """By any number of threads and chunks, with weights in one part and in two."""
    rng = np.random.default_rng(n_words)
    tokens = (rng.random(3 * n_words) ** 6 * n_words).astype(int)
    documents = [part.tolist() for part in np.split(tokens, [5, 5, 60, 61, 500])]
    corpus, weights = corpus_of(documents), window_weights(7, "harmonic")
    if doc_weights is not None:
        corpus = weighted_corpus(documents, doc_weights)
    whole = count_cooccurrences(corpus, n_words, weights)
    edges = [0, 1, 2, n_words // 3, n_words - 1, n_words]
    for n_jobs in (1, 2, 3, 7):
        for rows in pairwise(edges):
            with many_threads(task_pairs=500, task_entries=500, chunk_entries=50):
                found = count_cooccurrences(corpus, n_words, weights, n_jobs, rows=rows)
            assert_same_bits(found, whole[slice(*rows)])


def test_only_the_places_of_the_rows_are_listed(monkeypatch):
    listed = []
    list_places = _cooccurrence._list_places

    def spy(*given):
        starts, places = list_places(*given)
        listed.append(places.size)
        return starts, places

    monkeypatch.setattr(_cooccurrence, "_list_places", spy)
    corpus = corpus_of([[0, 1, 0, 2, 0, 3], [3, 0]])
    for rows in [(0, 1), (1, 4), (4, 6), (0, 6)]:
        count_cooccurrences(corpus, N_WORDS, np.ones(2), rows=rows)
    assert listed == [4, 4, 0, 8]


@given(documents, windows, weightings, some_rows, st.booleans())
@example([[0, 1, 2, 0, 1, 2] * 6], 30, "harmonic", [1, 4], False)
@example([[0, 1, 2, 0, 1, 2] * 6], 40, "harmonic", [1, 4], False)
def test_ranges_as_whole_numbers(documents, window, weighting, edges, weighted):
    """Divided, they have the bits of the rows. Only whole numbers may be uint32."""
    corpus, weights = corpus_of(documents), window_weights(window, weighting)
    if weighted:
        corpus = weighted_corpus(documents, np.arange(1, len(documents) + 1) / 3)
    ranges = list(pairwise([0, *edges, N_WORDS]))
    blocks, divisor = _cooccurrence.count_ranges(
        corpus, N_WORDS, weights, "both", ranges
    )
    is_exact = not weighted and (weighting != "harmonic" or window <= EXACT)
    assert is_exact == (divisor is not None)
    for block, rows in zip(blocks, ranges, strict=True):
        expected = count_cooccurrences(corpus, N_WORDS, weights, rows=rows)
        large = divisor is None or (expected.data * divisor >= 2.0**32).any()
        assert block.dtype == (np.float64 if large else np.uint32)
        block = block.astype(np.float64)
        block.data /= divisor or 1
        assert_same_bits(block, expected)


@pytest.mark.parametrize("rows", [(-1, 2), (3, 2), (0, N_WORDS + 1)], ids=str)
def test_rows_that_do_not_exist(rows):
    with pytest.raises(ValueError, match=r"rows=\(.*\) are not among the 6 rows"):
        count_cooccurrences(corpus_of([[0, 1]]), N_WORDS, np.ones(1), rows=rows)


# --- within a limit of memory ---------------------------------------------------------


@pytest.mark.parametrize("n_words", [300, 9000])
@pytest.mark.parametrize("direction", ["both", "right"])
@pytest.mark.parametrize("doc_weights", [None, [1, 0, 2.5, 0.1, 3, 1e-60]], ids=str)
def test_counting_to_files(n_words, direction, doc_weights, tmp_path, monkeypatch):
    """The bits of counting in memory, by any number of threads."""
    rng = np.random.default_rng(n_words)
    tokens = (rng.random(2 * n_words) ** 3 * n_words).astype(int)
    documents = [part.tolist() for part in np.split(tokens, [5, 5, 60, 61, 500])]
    corpus, weights = corpus_of(documents), window_weights(7, "dynamic")
    if doc_weights is not None:
        corpus = weighted_corpus(documents, doc_weights)
    whole = count_cooccurrences(corpus, n_words, weights, direction=direction)
    ranges = spy_on_ranges(monkeypatch)
    for n_jobs in (1, 2, 3, 7):
        with many_threads(task_pairs=500, task_entries=500, chunk_entries=50):
            counts = _cooccurrence.count_to_file(
                corpus, n_words, weights, n_jobs, direction, 1_000 * n_words, tmp_path
            )
        assert_same_bits(counts, whole)
        assert_canonical(counts, n_words)
        assert not list(tmp_path.iterdir())
        assert list(map(list, pairwise([0, *(last for _, last in ranges[-1])]))) == [
            list(rows) for rows in ranges[-1]
        ]
    if n_words == 9000 and doc_weights is None:
        assert len(ranges[0]) == 1
        with many_threads(task_pairs=500, task_entries=500, chunk_entries=50):
            counts = _cooccurrence.count_to_file(
                corpus, n_words, weights, 1, direction, 140 * n_words, tmp_path
            )
        assert len(ranges[-1]) > 3
        assert_same_bits(counts, whole)


def spy_on_ranges(monkeypatch):
    found, ranges_within = [], _cooccurrence._ranges_within

    def spy(*given):
        found.append(ranges_within(*given))
        return found[-1]

    monkeypatch.setattr(_cooccurrence, "_ranges_within", spy)
    return found


def test_limit_that_is_too_small(tmp_path):
    """The error says how much is enough, which is one row at a time."""
    corpus, weights = corpus_of([[0, 1, 2, 0, 3, 0], [4, 5]]), np.ones(2)
    options = N_WORDS, weights, 1, "both"
    with pytest.raises(ValueError, match=r"max_memory=9 bytes .*n_jobs") as caught:
        _cooccurrence.count_to_file(corpus, *options, 9, tmp_path)
    enough = int(re.search(r"at least (\d+)", str(caught.value)).group(1))
    with pytest.raises(ValueError, match="max_memory"):
        _cooccurrence.count_to_file(corpus, *options, enough - 1, tmp_path)
    counts = _cooccurrence.count_to_file(corpus, *options, enough, tmp_path)
    assert_same_bits(counts, count_cooccurrences(corpus, N_WORDS, weights))


def test_many_entries_in_files_have_wide_indices(monkeypatch, tmp_path):
    corpus = corpus_of([[0, 1, 2, 3, 4, 5]])
    monkeypatch.setattr(_cooccurrence, "INT32_MAX", 3)
    options = N_WORDS, np.ones(2), 1, "both", 10**5, tmp_path
    counts = _cooccurrence.count_to_file(corpus, *options)
    assert counts.indptr.dtype == counts.indices.dtype == np.int64
    assert_same_bits(counts, count_cooccurrences(corpus, N_WORDS, np.ones(2)))


@pytest.mark.parametrize("documents", [[[1], [], [2]], [[]]], ids=str)
def test_no_pairs_in_files(documents):
    counts = _cooccurrence.count_to_file(
        corpus_of(documents), N_WORDS, np.ones(3), 1, "both", 10**5, None
    )
    assert_canonical(counts)
    assert counts.nnz == 0


@given(documents, st.integers(1, 40))
def test_places_of_the_working_memory(documents, most):
    """Listing the places of some rows at a time changes nothing."""
    corpus, weights = corpus_of(documents), window_weights(4, "harmonic")
    whole = count_cooccurrences(corpus, N_WORDS, weights)
    listed, list_places = [], _cooccurrence._list_places

    def spy(*given):
        starts, places = list_places(*given)
        listed.append(places.size)
        return starts, places

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cooccurrence, "_list_places", spy)
        with config_context(working_memory=8 * most / 2**20):
            cut = count_cooccurrences(corpus, N_WORDS, weights)
    assert_same_bits(cut, whole)
    frequency = np.bincount(corpus.token_ids, minlength=N_WORDS)
    assert sum(listed) == frequency.sum()
    assert max(listed) < most + frequency.max()


# --- weights --------------------------------------------------------------------------


def whole_weights(weights, frequency, doc_weights=None):
    """Return the whole numbers for one word, in one document for each weight."""
    n_documents = 1 if doc_weights is None else len(doc_weights)
    corpus = Corpus(
        np.zeros(n_documents, dtype=np.int32),
        np.arange(n_documents + 1),
        None,
        None if doc_weights is None else np.array(doc_weights),
    )
    return _cooccurrence._whole_weights(corpus, weights, np.array([frequency]))


@given(st.integers(1, 60), weightings, st.integers(0, 2 * 10**12))
def test_whole_numbers_of_windows(window, weighting, frequency):
    """Sums fit, and usual windows are exact fractions."""
    found = whole_weights(window_weights(window, weighting), frequency)
    limit = 2**126 if found.is_wide else 2**62
    assert 2 * frequency * sum(map(int, found.by_distance)) <= limit
    assert found.by_token.size == 0
    for distance, weight in enumerate(found.by_distance.tolist(), start=1):
        unit = Fraction(2) ** found.exponent / found.divisor
        exact = exact_weight(distance, window, weighting)
        if weighting != "harmonic" or window <= EXACT:
            assert int(weight) * unit == exact
        else:
            assert abs(int(weight) * unit / exact - 1) < Fraction(1, 2**52)


@pytest.mark.parametrize("weighting", WINDOW_WEIGHTINGS)
@pytest.mark.parametrize("window", [1, 5, 10, 22])
def test_usual_windows_are_narrow(window, weighting):
    """Wide totals take longer. A billion of one word is more than most corpora have."""
    found = whole_weights(window_weights(window, weighting), 10**9)
    assert not found.is_wide
    assert found.by_distance.dtype == np.int64


@given(
    st.integers(1, 1000),
    weightings,
    st.integers(1, 10**9),
    st.lists(st.floats(2.0**-20, 1.0), min_size=1, max_size=9),
)
def test_whole_numbers_of_weighted_documents(window, weighting, frequency, doc_weights):
    """Sums fit, and each product is large enough to be cut to a whole number."""
    doc_weights[0] = 1.0
    weights = window_weights(window, weighting)
    found = whole_weights(weights, frequency, doc_weights)
    assert found.is_wide
    products = np.outer(found.by_token, found.by_distance)
    assert 2 * products.sum() < 2.0**126
    unit = math.ldexp(1.0, found.exponent) / found.divisor
    expected = np.outer(doc_weights, weights)
    np.testing.assert_allclose(products * unit, expected, rtol=1e-15)
    lost = products - np.floor(products)
    assert (lost <= products * 2.0**-_cooccurrence._PRECISION).all()


@pytest.mark.parametrize(
    ("values", "exponent"),
    [
        ([1.0, 4.0], 0),
        ([6.0, 4.0], 1),
        ([0.75], -2),
        ([1.0, 0.1], -55),
        ([2.0**300], 300),
    ],
)
def test_lowest_exponent(values, exponent):
    assert _cooccurrence._lowest_exponent(np.array(values)) == exponent


def test_rounded_weights_are_added_up_exactly():
    """With weights that have no divisor, twice the corpus counts exactly twice."""
    weights = np.sqrt(np.linspace(1.0, 0.01, 9))
    words = np.random.default_rng(0).integers(N_WORDS, size=80).tolist()
    once = count_cooccurrences(corpus_of([words]), N_WORDS, weights)
    twice = count_cooccurrences(corpus_of([words, words]), N_WORDS, weights)
    assert (2 * once).toarray().tolist() == twice.toarray().tolist()
    dense = np.zeros((N_WORDS, N_WORDS))
    for i, word in enumerate(words):
        for j, context in enumerate(words):
            if 0 < abs(i - j) <= 9:
                dense[word, context] += weights[abs(i - j) - 1]
    np.testing.assert_allclose(once.toarray(), dense, rtol=1e-13)


# --- weights of documents -------------------------------------------------------------

repeated = st.lists(
    st.tuples(st.integers(0, 4), st.lists(st.integers(0, N_WORDS - 1), max_size=25)),
    min_size=1,
    max_size=6,
)
directions = st.sampled_from(["both", "left", "right"])


def weighted_corpus(documents, doc_weights):
    return corpus_of(documents)._replace(
        doc_weights=np.array(doc_weights, dtype=np.float64)
    )


def longest(documents):
    return max([1, *map(len, documents)])


@given(repeated, windows, weightings, directions, st.integers(-70, 70))
@example([(0, [0, 1, 2] * 15), (3, [0, 1, 2, 3] * 3)], 44, "harmonic", "both", 0)
@example([(0, [0, 1])], 2, "flat", "both", 0)
@example([(4, [0, 1] * 12)], 30, "harmonic", "left", 0)
def test_whole_weights_count_like_copies(
    repeated, window, weighting, direction, exponent
):
    """To the last bit; a factor that is a power of two is exact, too."""
    times = np.array([n for n, _ in repeated])
    documents = [words for _, words in repeated]
    copies = [words for n, words in repeated for _ in range(n)]
    weights = window_weights(window, weighting, longest(documents))
    found = count_cooccurrences(
        weighted_corpus(documents, times), N_WORDS, weights, direction=direction
    )
    assert_canonical(found)
    wanted = count_cooccurrences(
        corpus_of(copies),
        N_WORDS,
        window_weights(window, weighting, longest(copies)),
        direction=direction,
    )
    assert_same_bits(found, wanted)
    # Of numbers without a common factor of two.
    times[times % 2 == 0] += 1
    found = count_cooccurrences(
        weighted_corpus(documents, times), N_WORDS, weights, direction=direction
    )
    scaled = count_cooccurrences(
        weighted_corpus(documents, np.ldexp(times, exponent)),
        N_WORDS,
        weights,
        direction=direction,
    )
    scaled.data = np.ldexp(scaled.data, -exponent)
    assert_same_bits(scaled, found)


def twin_of_weights(documents, doc_weights, window, weighting, direction="both"):
    """The counts of each document times its weight, in fractions."""
    counts = Counter()
    for words, doc_weight in zip(documents, doc_weights, strict=True):
        for i, word in enumerate(words):
            for j, context in enumerate(words):
                side = {"both": abs(i - j), "left": i - j, "right": j - i}[direction]
                if 0 < side <= window:
                    weight = exact_weight(side, window, weighting)
                    counts[word, context] += weight * Fraction(doc_weight)
    return counts


@given(documents, windows, weightings, directions, st.data())
def test_weighted_counts_against_fractions(
    documents, window, weighting, direction, data
):
    """However different the weights are."""
    some = st.one_of(
        st.just(0.0), st.floats(1e-3, 1e3), st.sampled_from([0.25, 3.5, 1e-200, 1e200])
    )
    doc_weights = data.draw(
        st.lists(some, min_size=len(documents), max_size=len(documents))
    )
    corpus = weighted_corpus(documents, doc_weights)
    weights = window_weights(window, weighting)
    found = count_cooccurrences(corpus, N_WORDS, weights, direction=direction)
    assert_canonical(found)
    twin = twin_of_weights(documents, doc_weights, window, weighting, direction)
    twin = {cell: count for cell, count in twin.items() if count}
    assert found.nnz == len(twin)
    expected = as_dense(twin)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-13)
    exact = all(weight < 1e4 and weight % 0.25 == 0 for weight in doc_weights)
    if exact and (weighting != "harmonic" or window <= EXACT):
        assert found.toarray().tolist() == expected.tolist()
    other = {"both": "both", "left": "right", "right": "left"}[direction]
    mirrored = count_cooccurrences(corpus, N_WORDS, weights, direction=other)
    assert_same_bits(mirrored, found.T.tocsr())
    for n_jobs in (1, 2, 3):
        with many_threads():
            cut = count_cooccurrences(corpus, N_WORDS, weights, n_jobs, direction)
        assert_same_bits(cut, found)


@pytest.mark.parametrize("n_words", [300, 9000])
@pytest.mark.parametrize("kind", ["whole", "any"])
def test_many_words_with_weights(n_words, kind):
    """Rows of many columns and of few, by any number of threads and chunks."""
    rng = np.random.default_rng(n_words)
    tokens = (rng.random(900) ** 6 * n_words).astype(int)
    documents = [part.tolist() for part in np.split(tokens, [5, 5, 60, 61, 500])]
    doc_weights = rng.integers(0, 5, len(documents)) * 1.0
    doc_weights[-1] = 3.0
    if kind == "any":
        doc_weights *= rng.random(len(documents))
    corpus = weighted_corpus(documents, doc_weights)
    weights = window_weights(7, "dynamic")
    twin = twin_of_weights(documents, doc_weights, 7, "dynamic")
    twin = {cell: float(count) for cell, count in twin.items() if count}
    whole = count_cooccurrences(corpus, n_words, weights)
    assert_canonical(whole, n_words)
    found = whole.tocoo()
    cells = zip(found.row.tolist(), found.col.tolist(), strict=True)
    found = dict(zip(cells, found.data.tolist(), strict=True))
    assert found.keys() == twin.keys()
    if kind == "whole":
        assert found == twin
    for cell, count in twin.items():
        assert found[cell] == pytest.approx(count, rel=1e-15)
    for n_jobs in (1, 2, 3):
        with many_threads(task_pairs=500, task_entries=500, chunk_entries=50):
            cut = count_cooccurrences(corpus, n_words, weights, n_jobs)
        assert_same_bits(cut, whole)


def test_weighted_counts_of_random_corpora():
    """A small share of what the command `tests.benchmarks.exact_counts` looks at."""
    errors = exact_counts.errors_of(55, seed=1, most_copies=100)
    assert errors.keys() == set(exact_counts.KINDS)
    assert max(error for error, _ in errors.values()) < 1e-12


def test_rare_words_of_light_documents():
    """Their counts were raised to a unit of the heaviest documents' weights."""
    documents = [["the", "of"] * 20] * 100 + [["the", "of", "rare"], ["rare", "the"]]
    weights = np.array([1.0] * 100 + [1.1e-9] * 2)
    options = {"window": 40, "window_weighting": "harmonic"}
    options["vocabulary"] = ["the", "of", "rare"]
    counts, _ = cooccurrence(documents, sample_weight=weights, **options)
    assert counts[2, 0] == counts[0, 2] == pytest.approx(1.5 * 1.1e-9, rel=1e-15)
    assert counts[2, 1] == counts[1, 2] == pytest.approx(1.1e-9, rel=1e-15)


@pytest.mark.parametrize("window", [40, 150])
def test_long_harmonic_windows(window):
    """A pair far apart beside many near ones."""
    documents = [[0, 1] * 50] * 3 + [[2] + [3] * (window - 1) + [4]]
    corpus, weights = corpus_of(documents), window_weights(window, "harmonic")
    counts = count_cooccurrences(corpus, 5, weights)
    assert counts[2, 4] == counts[4, 2] == 1 / window
    # Of the pairs at an even distance, half are of the first word.
    last = min(window, 99)
    pairs = sum(Fraction(2 * (100 - d), d) for d in range(2, last + 1, 2))
    assert counts[0, 0] == pytest.approx(float(3 * pairs / 2), rel=1e-15)


@given(documents, windows, weightings, directions, st.randoms(use_true_random=False))
def test_weighted_counts_do_not_depend_on_the_order(
    documents, window, weighting, direction, random
):
    """Nor on threads and tasks, with weights of very different sizes."""
    pairs = [(words, 10.0 ** random.uniform(-150, 150)) for words in documents]
    weights = window_weights(window, weighting)

    def count(pairs, n_jobs=None):
        corpus = weighted_corpus(*zip(*pairs, strict=True))
        return count_cooccurrences(corpus, N_WORDS, weights, n_jobs, direction)

    counts = count(pairs)
    random.shuffle(pairs)
    assert_same_bits(count(pairs), counts)
    for n_jobs in (1, 2, 3):
        with many_threads():
            assert_same_bits(count(pairs, n_jobs), counts)


def test_progress_of_weights_of_different_sizes():
    """Parts that are counted one after the other are one piece of work."""
    corpus = weighted_corpus([[0, 1], [1, 2], [2, 3]], [1.0, 1e-100, 1e100])
    shares = []
    count_cooccurrences(corpus, N_WORDS, np.ones(2), 1, "both", shares.append)
    assert shares == sorted(shares)
    assert 0.0 < shares[0] <= 1 / 3
    assert shares[-1] == 1.0


def test_weights_do_not_compile_a_kernel_again():
    from skembed._kernels import counting
    from skembed._utils import jit

    if not jit.COMPILED:
        pytest.skip("there is no compiled kernel")
    for doc_weights in (None, np.array([0.5]), np.array([3.0])):
        corpus = corpus_of([[0, 1, 2]])._replace(doc_weights=doc_weights)
        count_cooccurrences(corpus, N_WORDS, np.ones(2))
    assert len(counting.count_rows.signatures) == 1
    assert len(counting.count_wide_rows.signatures) == 1
    assert len(counting.count_words.signatures) == 1
    assert len(counting.list_places.signatures) == 1
