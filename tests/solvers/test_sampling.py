"""Probabilities of kept tokens, noise words and window sizes against their formulas."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skembed._counts.count import (
    WINDOW_WEIGHTINGS,
    keep_probabilities,
    window_weights,
)
from skembed._solvers.sampling import (
    alias_table,
    noise_distribution,
    window_thresholds,
    word_draws,
)

pytestmark = pytest.mark.small

WEIGHT = {
    "flat": lambda distance, window: Fraction(1),
    "harmonic": lambda distance, window: Fraction(1, distance),
    "dynamic": lambda distance, window: Fraction(window + 1 - distance, window),
}
windows = st.integers(1, 40)
weightings = st.sampled_from(WINDOW_WEIGHTINGS)
some_counts = st.lists(st.integers(0, 10**7), min_size=1, max_size=12).filter(any)


def test_all_weightings_are_tested():
    assert set(WEIGHT) == set(WINDOW_WEIGHTINGS)


@given(windows, weightings)
def test_window_weights(window, weighting):
    weights = window_weights(window, weighting)
    assert weights.dtype == np.float64
    expected = [float(WEIGHT[weighting](d, window)) for d in range(1, window + 1)]
    np.testing.assert_allclose(weights, expected, rtol=1e-15)
    assert weights[0] == 1.0


@given(windows, weightings)
def test_window_thresholds_are_probabilities(window, weighting):
    """A half-width of at least d is drawn with the weight of distance d."""
    thresholds = window_thresholds(window_weights(window, weighting))
    assert thresholds.dtype == np.uint64
    # Everybody's nearest neighbour is in the window, whatever 32 bits are drawn.
    assert thresholds[0] == 2**32
    assert (np.diff(thresholds.astype(np.int64)) <= 0).all()
    np.testing.assert_allclose(
        thresholds.astype(float) / 2.0**32,
        window_weights(window, weighting),
        rtol=0,
        atol=2.0**-32,
    )


def test_dynamic_windows_are_drawn_uniformly():
    """As in word2vec: each size from 1 to the window's has the same probability."""
    thresholds = [*map(int, window_thresholds(window_weights(5, "dynamic"))), 0]
    sizes = -np.diff(thresholds) / 2.0**32
    np.testing.assert_allclose(sizes, 0.2, atol=1e-9)


@given(some_counts, st.sampled_from([1e-5, 1e-3, 0.1, 1.0, 10.0]))
def test_keep_probabilities(counts, subsample):
    keep = keep_probabilities(np.array(counts), subsample)
    assert keep.dtype == np.float64
    for count, probability in zip(counts, keep, strict=True):
        frequency = count / sum(counts)
        expected = 1.0
        if count:
            expected = math.sqrt(subsample / frequency) + subsample / frequency
        assert probability == pytest.approx(min(1.0, expected), rel=1e-12)
    assert (keep > 0).all()
    assert (keep <= 1).all()


def test_nothing_is_dropped_without_subsampling():
    np.testing.assert_array_equal(keep_probabilities(np.array([0, 1, 10**9]), 0), 1.0)
    np.testing.assert_array_equal(keep_probabilities(np.array([1, 5]), np.inf), 1.0)


@given(some_counts, st.sampled_from([0.0, 0.5, 0.75, 1.0, 2.0]))
def test_noise_distribution(counts, exponent):
    noise = noise_distribution(np.array(counts), exponent)
    weights = [count**exponent if count else 0.0 for count in counts]
    np.testing.assert_allclose(noise, np.array(weights) / sum(weights), rtol=1e-12)
    assert noise.sum() == pytest.approx(1.0, abs=1e-12)
    # Words that never occur are never drawn, not even with exponent 0.
    assert ((noise == 0) == (np.array(counts) == 0)).all()


@pytest.mark.parametrize("exponent", [100.0, 1e300, np.inf])
def test_noise_of_a_huge_exponent_is_the_most_frequent_word(exponent):
    noise = noise_distribution(np.array([10**6, 10**5, 0, 3]), exponent)
    np.testing.assert_allclose(noise, [1.0, 0.0, 0.0, 0.0], atol=1e-90)


def test_draws_are_taken_together():
    counts = np.array([1000, 100, 10, 0])
    found = word_draws(counts, 1e-3, 0.75)
    np.testing.assert_array_equal(found.keep, keep_probabilities(counts, 1e-3))
    np.testing.assert_array_equal(found.kept, counts * found.keep)
    np.testing.assert_array_equal(found.noise, noise_distribution(counts, 0.75))


# --- alias table ----------------------------------------------------------------------


def distribution_of(thresholds, alias):
    """What is drawn from a table with 32 random bits per column, exactly."""
    n_words = len(thresholds)
    found = [Fraction(0)] * n_words
    for column, (threshold, other) in enumerate(zip(thresholds, alias, strict=True)):
        own = Fraction(int(threshold), 2**32)
        found[column] += own / n_words
        found[int(other)] += (1 - own) / n_words
    return found


def normalise(weights):
    weights = np.asarray(weights, dtype=np.float64)
    return weights / weights.sum()


def assert_draws(probabilities):
    thresholds, alias = alias_table(probabilities)
    assert thresholds.dtype == np.uint32
    assert alias.dtype == np.int32
    found = distribution_of(thresholds, alias)
    assert sum(found) == 1
    atol = 1e-9 * probabilities.size
    np.testing.assert_allclose(
        [float(p) for p in found], probabilities, rtol=0, atol=atol
    )
    # What must never be drawn has no share at all, not even a rounded one.
    for wanted, drawn in zip(probabilities, found, strict=True):
        assert wanted > 0 or drawn == 0


weights = st.one_of(
    st.just(0.0),
    st.integers(1, 5).map(float),
    st.floats(1e-12, 1e12),
    st.floats(1e-300, 1e-290),
)


@given(st.lists(weights, min_size=1, max_size=50).filter(any))
def test_alias_table_draws_the_distribution(weights):
    assert_draws(normalise(weights))


@given(some_counts, st.sampled_from([0.0, 0.75, 1.0, 100.0]))
def test_alias_table_of_noise(counts, exponent):
    assert_draws(noise_distribution(np.array(counts), exponent))


CHOSEN = {
    "one": [1.0],
    "one of two": [0.0, 1.0],
    "one of four": [1.0, 0.0, 0.0, 0.0],
    "equal": [1.0] * 7,
    "tenths": [0.1] * 10,
    "nearly thirds": [0.3, 0.3, 0.3, 0.1],
    "zero last": [1.0] * 49 + [0.0],
    "Zipf": 1.0 / np.arange(1, 1001),
    "half never": np.append(np.zeros(500), 1.0 / np.arange(1, 501)),
    "Pareto": np.random.default_rng(0).pareto(0.5, size=1000),
}


@pytest.mark.parametrize("weights", CHOSEN.values(), ids=CHOSEN)
def test_alias_table_of_chosen_distributions(weights):
    assert_draws(normalise(weights))


def test_public_names_of_the_module():
    """The allowed values of `window_weighting` are the ones that are computed."""
    for weighting in WINDOW_WEIGHTINGS:
        assert window_weights(3, weighting).shape == (3,)
    distinct = {tuple(window_weights(3, name)) for name in WINDOW_WEIGHTINGS}
    assert len(distinct) == len(WINDOW_WEIGHTINGS)
