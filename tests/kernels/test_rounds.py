"""Who adds up the updates of a row, and which rows have several."""

from typing import NamedTuple

import numpy as np
import pytest

from skembed._kernels.rounds import choose_rows, enter_row, has_row, open_round
from skembed._utils.barrier import TEAM_NUMBERS, Team
from skembed._utils.jit import kernel


class Sets(NamedTuple):
    """What `rounds` reads of lanes here."""

    rows: np.ndarray
    repeated: np.ndarray


class Found(NamedTuple):
    """What `rounds` writes to a thread's work space here."""

    owned_rows: np.ndarray
    repeated_rows: np.ndarray


@kernel
def note_repeated(sets, found, team, repeated):
    open_round(sets, found, team)
    for row in range(repeated.size):
        repeated[row] = has_row(found.repeated_rows, row)


@kernel
def enter_all(sets, thread, rows):
    for i in range(rows.size):
        enter_row(sets, thread, rows[i])


@kernel
def note_owned(sets, owned_rows, team, owned):
    choose_rows(sets, owned_rows, team)
    for row in range(owned.size):
        owned[row] = has_row(owned_rows, row)


def entered(computed, n_numbers):
    """Return the sets of threads that have entered some rows each."""
    size = len(computed)
    sets = Sets(*(np.zeros((size, n_numbers), dtype=np.uint32) for _ in range(2)))
    for thread, rows in enumerate(computed):
        enter_all(sets, thread, np.array(rows, dtype=np.int64))
    return sets


def owners(computed, n_rows, n_numbers):
    """Return which threads add up the updates of which rows, as an array of 0 and 1."""
    size = len(computed)
    sets = entered(computed, n_numbers)
    owned = np.zeros((size, n_rows), dtype=np.int64)
    for thread in range(size):
        team = Team(thread, size, np.zeros(TEAM_NUMBERS, dtype=np.int64))
        owned_rows = np.zeros(n_numbers, dtype=np.uint32)
        note_owned(sets, owned_rows, team, owned[thread])
    return owned


@pytest.mark.small
@pytest.mark.parametrize("n_numbers", [1, 16, 256])
@pytest.mark.parametrize("size", [2, 3, 7])
def test_one_thread_owns_a_row(size, n_numbers):
    """Also where sets are so full that they seem to hold rows of other threads."""
    random = np.random.default_rng(size)
    computed = [random.choice(900, 150, replace=False) for _ in range(size)]
    owned = owners(computed, 900, n_numbers)
    assert (owned[:, np.unique(computed)].sum(axis=0) == 1).all()


@pytest.mark.small
@pytest.mark.parametrize("size", [2, 3, 7])
def test_whoever_computes_a_row_alone_owns_it(size):
    """Of few rows in large sets, no two have the same bit."""
    computed = [np.arange(thread, 40, size) for thread in range(size)]
    owned = owners(computed, 40, 1 << 12)
    wanted = np.zeros((size, 40), dtype=np.int64)
    wanted[np.arange(40) % size, np.arange(40)] = 1
    np.testing.assert_array_equal(owned, wanted)


@pytest.mark.small
@pytest.mark.parametrize("size", [2, 3, 7])
def test_rows_of_all_threads_are_shared_out_evenly(size):
    owned = owners([np.arange(700)] * size, 700, 1 << 10)
    np.testing.assert_allclose(owned.sum(axis=1), 700 / size, rtol=0.3)


@pytest.mark.small
@pytest.mark.parametrize("n_numbers", [16, 1 << 12])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_repeated_rows(size, n_numbers):
    """For every thread, however the rows are shared out; large sets have no others."""
    rows = np.random.default_rng(3).choice(60, 50)
    wanted = np.bincount(rows, minlength=60) > 1
    sets = entered(np.array_split(rows, size), n_numbers)
    for thread in range(size):
        team = Team(thread, size, np.zeros(TEAM_NUMBERS, dtype=np.int64))
        found = Found(*(np.zeros(n_numbers, dtype=np.uint32) for _ in range(2)))
        repeated = np.zeros(60, dtype=np.int64)
        note_repeated(sets, found, team, repeated)
        assert repeated[wanted].all()
        if n_numbers == 1 << 12:
            np.testing.assert_array_equal(repeated, wanted)
