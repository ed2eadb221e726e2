"""Sums of counts, against sums of whole numbers of any size."""

import numpy as np
import pytest
from scipy import sparse

from skembed._counts import sums

pytestmark = pytest.mark.small


@pytest.mark.parametrize("n_parts", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("bits", [8, 31, 32, 49], ids=lambda bits: f"{bits}_bits")
def test_whole_numbers(n_parts, bits):
    """Exact even if a part is uint32 and the sum is not."""
    rng = np.random.default_rng(n_parts)
    dense = rng.integers(2 ** (bits - 1), 2**bits, (n_parts, 4, 7))
    dense[rng.random(dense.shape) < 0.5] = 0
    dtype = np.uint32 if bits <= 32 else np.float64
    total = sums.add_whole([sparse.csr_array(part, dtype=dtype) for part in dense])
    expected = dense.sum(axis=0)
    assert [[int(x) for x in row] for row in total.toarray()] == expected.tolist()
    assert total.has_canonical_format
    assert total.data.all()
    fits = sum(part.max() for part in dense) < 2**32
    assert total.dtype == (np.uint32 if fits else np.float64)
