"""What tests of counts share."""

from contextlib import contextmanager

import numba
import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import sparse

from skembed._counts import ppmi as _ppmi
from skembed._counts import windows as _cooccurrence
from skembed._counts.count import WINDOW_WEIGHTINGS

N_WORDS = 6
# Without the compiler, threads take turns in slow code: one and several.
N_JOBS = (1, 3) if numba.config.DISABLE_JIT else (1, 2, 3, 7)


documents = st.lists(
    st.lists(st.integers(0, N_WORDS - 1), max_size=25), min_size=1, max_size=6
).filter(any)


weightings = st.sampled_from(WINDOW_WEIGHTINGS)


def as_dense(counts, n_words=N_WORDS):
    dense = np.zeros((n_words, n_words))
    for cell, count in counts.items():
        # The closest float64.
        dense[cell] = float(count)
    return dense


def assert_canonical(matrix, n_words=N_WORDS):
    """A float64 CSR matrix with sorted columns and no stored zeros."""
    assert isinstance(matrix, sparse.csr_array)
    assert matrix.dtype == np.float64
    assert matrix.indices.dtype == matrix.indptr.dtype == np.int32
    assert matrix.shape == (n_words, n_words)
    assert matrix.has_canonical_format
    assert (matrix.data > 0).all()
    # `has_canonical_format` may be a flag that was only assumed.
    for first, last in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        assert (np.diff(matrix.indices[first:last]) > 0).all()


@contextmanager
def many_threads(task_pairs=8, task_entries=8, chunk_entries=4):
    """As many threads as `n_jobs` says, with little tasks for each."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (_cooccurrence, _ppmi):
            patch.setattr(module, "n_threads", lambda n_jobs, at_most: n_jobs)
            patch.setattr(module, "_TASK_ENTRIES", task_entries)
        patch.setattr(_cooccurrence, "_TASK_PAIRS", task_pairs)
        patch.setattr(_cooccurrence, "_CHUNK_ENTRIES", chunk_entries)
        yield


def assert_same_bits(left, right):
    for name in ("indptr", "indices", "data"):
        one, other = getattr(left, name), getattr(right, name)
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
