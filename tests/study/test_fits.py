"""Data of a study, and how they are split."""

import numpy as np
import pytest

from skembed.study import _fits


@pytest.mark.small
def test_data_are_told_apart():
    data = _fits.Data(["ab", "c"], ["x", "y"], {"s": [("a", "b", 1.0)]})
    others = [
        data._replace(documents=["a", "bc"]),
        data._replace(labels=None),
        data._replace(sets={}),
        data._replace(documents=["c", "ab"]),
    ]
    assert len({d.digest() for d in [data, *others]}) == 5
    assert data.digest() == data._replace(documents=["ab", "c"]).digest()


@pytest.mark.small
def test_split_is_a_seeded_partition():
    parts = _fits.split(50, 3)
    assert [part.size for part in parts] == [35, 5, 10]
    assert sorted(np.concatenate(parts)) == list(range(50))
    again, other = _fits.split(50, 3), _fits.split(50, 4)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert (parts[2] != other[2]).any()
