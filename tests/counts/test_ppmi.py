"""The PPMI matrix against an obvious dense twin."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skembed._counts import ppmi as _ppmi
from skembed._counts.count import window_weights
from skembed._counts.ppmi import ppmi_inplace
from skembed._counts.windows import count_cooccurrences
from skembed._utils.threads import ThreadTeam
from tests.counts.helpers import (
    N_WORDS,
    assert_same_bits,
    documents,
    many_threads,
    weightings,
)
from tests.helpers import corpus_of

pytestmark = pytest.mark.small


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
    dense = counts.toarray()
    found = ppmi_inplace(counts, shift, exponent)
    assert isinstance(found, sparse.csr_array)
    assert found.dtype == np.float32
    assert found.shape == counts.shape
    assert found.has_sorted_indices
    assert (found.data > 0).all()
    expected = twin_of_ppmi(dense, shift, exponent)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5, atol=1e-6)


def test_ppmi_is_symmetric_without_smoothing():
    rng = np.random.default_rng(0)
    words = rng.integers(N_WORDS, size=200).tolist()
    counts = count_cooccurrences(corpus_of([words]), N_WORDS, np.ones(2))
    plain = ppmi_inplace(counts.copy(), 1.0, 1.0).toarray()
    np.testing.assert_allclose(plain, plain.T, rtol=1e-6)
    smoothed = ppmi_inplace(counts, 1.0, 0.75).toarray()
    assert not np.allclose(smoothed, smoothed.T)


@pytest.mark.parametrize("exponent", [0.0, 0.75, 100.0, 1e4])
def test_ppmi_is_finite_for_any_exponent(exponent):
    words = [0] * 500 + [1, 2, 1, 2, 3]
    counts = count_cooccurrences(corpus_of([words]), N_WORDS, np.ones(3))
    found = ppmi_inplace(counts, 1.0, exponent)
    assert np.isfinite(found.data).all()
    # Rare contexts are expected even less often than by chance.
    assert found[1, 2] > 0


def random_counts(n_rows, n_columns, seed):
    """Positive counts that are not symmetric, with empty rows and columns."""
    rng = np.random.default_rng(seed)
    dense = rng.random((n_rows, n_columns)) ** -1.5
    dense[rng.random(dense.shape) < 0.6] = 0.0
    dense[rng.integers(n_rows)] = 0.0
    dense[:, rng.integers(n_columns)] = 0.0
    return dense


@pytest.mark.parametrize("shape", [(40, 40), (7, 90), (90, 7)], ids=str)
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_ppmi_of_any_counts(shape, index):
    dense = random_counts(*shape, seed=0)
    counts = sparse.csr_array(dense)
    counts.indices, counts.indptr = (
        array.astype(index) for array in (counts.indices, counts.indptr)
    )
    found = ppmi_inplace(counts, 1.5, 0.75)
    assert found.indices.dtype == found.indptr.dtype == index
    assert 0 < found.nnz < np.count_nonzero(dense)
    expected = twin_of_ppmi(dense, 1.5, 0.75)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5, atol=1e-6)


@given(st.integers(1, 200), st.sampled_from([2, 3, 7]), st.integers(0, 99))
def test_threads_do_not_change_the_ppmi(task_entries, n_jobs, seed):
    counts = sparse.csr_array(random_counts(30, 20, seed))
    whole = ppmi_inplace(counts.copy(), 1.0, 0.75)
    for n_threads in (1, n_jobs):
        with many_threads(task_entries=task_entries):
            cut = ppmi_inplace(counts.copy(), 1.0, 0.75, n_threads)
        assert_same_bits(cut, whole)


def test_totals_are_added_up_in_one_order():
    """Before the logarithms in single precision could hide it."""
    dense = random_counts(300, 20, seed=0)
    found = []
    for size in (1, 2, 3, 7):
        with ThreadTeam(size) as team:
            found.append(_ppmi._totals(sparse.csr_array(dense), team))
    words, contexts = found[0]
    np.testing.assert_allclose(words, dense.sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(contexts, dense.sum(axis=0), rtol=1e-13)
    for others in found[1:]:
        assert words.tobytes() == others[0].tobytes()
        assert contexts.tobytes() == others[1].tobytes()


def test_ppmi_consumes_the_counts():
    """Their arrays are released, and the result has arrays of its own size."""
    counts = sparse.csr_array(random_counts(30, 20, 0))
    shape, data, indices = counts.shape, counts.data, counts.indices
    before = indices.copy()
    found = ppmi_inplace(counts, 1.0, 0.75)
    assert counts.nnz == 0
    assert counts.shape == shape
    assert not counts.toarray().any()
    assert counts.data.size == counts.indices.size == 0
    # What moved is proof that no copy was made.
    assert not np.array_equal(indices, before)
    for array in (found.data, found.indices):
        assert array.size == found.nnz
        assert not np.shares_memory(array, data)
        assert not np.shares_memory(array, indices)
        whole = array if array.base is None else array.base
        assert whole.size == found.nnz
