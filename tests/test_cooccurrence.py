"""Co-occurrence counts and the PPMI matrix against obvious dense twins."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import sparse

from skembed import _cooccurrence
from skembed._cooccurrence import count_cooccurrences, exact_weights
from skembed._ppmi import ppmi
from skembed._sampling import WINDOW_WEIGHTINGS, window_weights
from tests.helpers import corpus_of

pytestmark = pytest.mark.small

N_WORDS = 6
documents = st.lists(
    st.lists(st.integers(0, N_WORDS - 1), max_size=25), min_size=1, max_size=6
).filter(any)
windows = st.one_of(st.integers(1, 5), st.integers(6, 40))
weightings = st.sampled_from(WINDOW_WEIGHTINGS)


def twin_of_counting(documents, weights):
    """Every pair of positions of a document, looked at from both sides."""
    counts = np.zeros((N_WORDS, N_WORDS))
    for words in documents:
        for i, word in enumerate(words):
            for j, context in enumerate(words):
                if 0 < abs(i - j) <= len(weights):
                    counts[word, context] += weights[abs(i - j) - 1]
    return counts


def assert_canonical(matrix):
    """A float64 CSR matrix with sorted columns and no stored zeros."""
    assert isinstance(matrix, sparse.csr_array)
    assert matrix.dtype == np.float64
    assert matrix.shape == (N_WORDS, N_WORDS)
    assert matrix.has_canonical_format
    assert (matrix.data > 0).all()
    # `has_canonical_format` may be a flag that was only assumed.
    for first, last in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        assert (np.diff(matrix.indices[first:last]) > 0).all()


@given(documents, windows, weightings)
@example([[0, 0, 0, 0]], 2, "flat")
@example([[], [3], [], [1, 2], []], 5, "dynamic")
@example([[0, 1] * 20], 30, "harmonic")
@example([[0, 1, 2, 0, 1, 2] * 6], 17, "dynamic")
def test_counts_against_a_double_loop(documents, window, weighting):
    weights = window_weights(window, weighting)
    counts = count_cooccurrences(corpus_of(documents), N_WORDS, weights)
    assert_canonical(counts)
    dense = counts.toarray()
    np.testing.assert_allclose(dense, twin_of_counting(documents, weights), rtol=1e-12)
    # To the last bit, also where weights are fractions that add up in any order.
    assert dense.tobytes() == np.ascontiguousarray(dense.T).tobytes()


@given(documents, st.integers(1, 16), weightings)
def test_sums_of_usual_windows_do_not_depend_on_their_order(
    documents, window, weighting
):
    weights = window_weights(window, weighting)
    counts = count_cooccurrences(corpus_of(documents), N_WORDS, weights)
    backwards = [words[::-1] for words in documents[::-1]]
    mirrored = count_cooccurrences(corpus_of(backwards), N_WORDS, weights)
    assert counts.toarray().tobytes() == mirrored.toarray().tobytes()


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


def test_no_pairs_at_all():
    counts = count_cooccurrences(corpus_of([[1], [], [2]]), N_WORDS, np.ones(3))
    assert counts.shape == (N_WORDS, N_WORDS)
    assert counts.nnz == 0


@given(documents, windows, weightings, st.integers(1, 40))
def test_tasks_change_nothing(documents, window, weighting, task_entries):
    weights = window_weights(window, weighting)
    whole = count_cooccurrences(corpus_of(documents), N_WORDS, weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cooccurrence, "_TASK_ENTRIES", task_entries)
        cut = count_cooccurrences(corpus_of(documents), N_WORDS, weights)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=20),
    st.integers(1, 60),
    st.integers(1, 200),
)
def test_tasks_cover_all_rows_in_order(frequency, contexts, task_entries):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_cooccurrence, "_TASK_ENTRIES", task_entries)
        tasks = _cooccurrence._tasks(np.array(frequency), contexts)
    rows = [row for first, last, _ in tasks for row in range(first, last)]
    assert rows == list(range(len(frequency)))
    for first, last, capacity in tasks:
        needed = [min(n * contexts, len(frequency)) for n in frequency[first:last]]
        assert sum(needed) == capacity
        # Only a row that is too large by itself exceeds the limit.
        assert capacity <= task_entries or sum(n > 0 for n in needed) == 1


@given(st.integers(1, 60), weightings)
def test_exact_weights(window, weighting):
    weights = window_weights(window, weighting)
    whole, divisor = exact_weights(weights)
    np.testing.assert_allclose(whole / divisor, weights, rtol=1e-12)
    if window <= 16:
        np.testing.assert_array_equal(whole, np.rint(whole))
        # Billions of occurrences still add up without rounding.
        assert whole.max() * 1e9 < 2**53


# --- PPMI -----------------------------------------------------------------------------


def twin_of_ppmi(counts, shift, exponent):
    """Cell by cell, from Levy, Goldberg & Dagan (2015), eq. 3 and section 3.1."""
    total = counts.sum()
    smoothed = [
        column.sum() ** exponent if column.any() else 0.0 for column in counts.T
    ]
    expected = np.zeros_like(counts)
    for word, row in enumerate(counts):
        for context, count in enumerate(row):
            if count > 0:
                joint = count / total
                apart = row.sum() / total * smoothed[context] / sum(smoothed)
                expected[word, context] = math.log(joint / apart) - math.log(shift)
    return np.maximum(expected, 0.0)


@given(
    documents,
    st.integers(1, 20),
    weightings,
    st.sampled_from([1.0, 1.5, 5.0]),
    st.sampled_from([0.0, 0.5, 0.75, 1.0, 2.0]),
)
def test_ppmi_against_a_double_loop(documents, window, weighting, shift, exponent):
    counts = count_cooccurrences(
        corpus_of(documents), N_WORDS, window_weights(window, weighting)
    )
    before = counts.copy()
    found = ppmi(counts, shift, exponent)
    assert isinstance(found, sparse.csr_array)
    assert found.dtype == np.float32
    assert found.shape == counts.shape
    assert found.has_sorted_indices
    assert (found.data > 0).all()
    expected = twin_of_ppmi(counts.toarray(), shift, exponent)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5, atol=1e-6)
    # The counts stay as they were.
    np.testing.assert_array_equal(counts.toarray(), before.toarray())


def test_ppmi_is_symmetric_without_smoothing():
    rng = np.random.default_rng(0)
    words = rng.integers(N_WORDS, size=200).tolist()
    counts = count_cooccurrences(corpus_of([words]), N_WORDS, np.ones(2))
    plain = ppmi(counts, 1.0, 1.0).toarray()
    np.testing.assert_allclose(plain, plain.T, rtol=1e-6)
    smoothed = ppmi(counts, 1.0, 0.75).toarray()
    assert not np.allclose(smoothed, smoothed.T)


@pytest.mark.parametrize("exponent", [0.0, 0.75, 100.0, 1e4])
def test_ppmi_is_finite_for_any_exponent(exponent):
    words = [0] * 500 + [1, 2, 1, 2, 3]
    counts = count_cooccurrences(corpus_of([words]), N_WORDS, np.ones(3))
    found = ppmi(counts, 1.0, exponent)
    assert np.isfinite(found.data).all()
    # Rare contexts are expected even less often than by chance.
    assert found[1, 2] > 0
