"""Word similarity, against SciPy and gensim."""

import numpy as np
import pytest
from scipy import stats

from skembed.metrics import word_similarity
from skembed.metrics._similarity import bootstrap_interval, pearson, spearman
from skembed.vectors import WordVectors

pytestmark = pytest.mark.small

WORDS = [f"w{i}" for i in range(60)]


def table(seed=0, words=WORDS, n_components=5):
    rng = np.random.default_rng(seed)
    shape = len(words), n_components
    return WordVectors(words, rng.standard_normal(shape).astype(np.float32))


def draw_pairs(n=200, seed=1, words=WORDS):
    """Pairs of words with scores that are integers, so that there are ties."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(words, size=(n, 2)).tolist()
    return [(a, b, int(rng.integers(10))) for a, b in chosen]


def cosine(vectors, a, b):
    x, y = (vectors.vectors[vectors.vocabulary[word]].astype(float) for word in (a, b))
    return round(x @ y / np.sqrt(x @ x * (y @ y)), 12)  # equal up to rounding: a tie


def test_correlations_are_those_of_scipy():
    vectors, pairs = table(), draw_pairs()
    result = word_similarity(vectors, pairs, random_state=0)
    x = [cosine(vectors, a, b) for a, b, _ in pairs]
    y = [score for _, _, score in pairs]
    assert result.spearman == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert result.pearson == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert (result.coverage, result.n_pairs) == (1.0, 200)


def test_interval_is_a_bootstrap_of_pairs():
    """Against a loop over resamples, with another stream of random numbers."""
    vectors, pairs = table(), draw_pairs(80)
    result = word_similarity(vectors, pairs, random_state=0, confidence_level=0.9)
    x = np.array([cosine(vectors, a, b) for a, b, _ in pairs])
    y = np.array([score for _, _, score in pairs])
    rng = np.random.default_rng(5)
    rows = rng.integers(80, size=(400, 80))
    for function, ends in [
        (lambda x, y: stats.spearmanr(x, y).statistic, result.spearman_interval),
        (lambda x, y: stats.pearsonr(x, y).statistic, result.pearson_interval),
    ]:
        drawn = [function(x[some], y[some]) for some in rows]
        np.testing.assert_allclose(ends, np.quantile(drawn, [0.05, 0.95]), atol=0.05)


def test_intervals_are_seeded():
    vectors, pairs = table(), draw_pairs()
    first, again, other = (
        word_similarity(vectors, pairs, random_state=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.spearman_interval != other.spearman_interval
    assert first.spearman == other.spearman
    fewer = word_similarity(vectors, pairs, random_state=0, n_resamples=0)
    assert fewer.spearman_interval is None
    assert fewer.pearson_interval is None
    assert fewer.pearson == first.pearson


@pytest.mark.parametrize("statistic", [spearman, pearson])
def test_bca_interval_is_that_of_scipy(statistic):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(50)
    y = x + rng.standard_normal(50)
    # SciPy passes one sample without an axis if it is not vectorised.
    one = {spearman: stats.spearmanr, pearson: stats.pearsonr}[statistic]
    expected = stats.bootstrap(
        (x, y),
        lambda x, y: one(x, y).statistic,
        n_resamples=300,
        paired=True,
        vectorized=False,
        method="BCa",
        random_state=np.random.default_rng(3),
    ).confidence_interval
    found = bootstrap_interval(statistic, x, y, 300, 0.95, "bca", 3)
    assert found == pytest.approx(tuple(expected), abs=1e-12)
    assert found != bootstrap_interval(statistic, x, y, 300, 0.95, "percentile", 3)


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_perfect_and_undefined_correlations(interval):
    vectors = {"a": [1, 0], "b": [2, 0.1], "c": [1, 1], "d": [0, 3], "0": [0, 0]}
    pairs = [("a", "b", 9), ("a", "c", 5), ("a", "d", 1)]
    options = {"interval": interval, "random_state": 0}
    result = word_similarity(vectors, pairs, **options)
    assert result.spearman == pytest.approx(1)
    low, high = result.spearman_interval
    assert low <= high <= 1.0
    # Equal scores; equal cosines of which some are with a zero vector.
    for same in (
        [(a, b, 3) for a, b, _ in pairs],
        [("a", "d", 1), ("a", "0", 2), ("0", "0", 3)],
    ):
        result = word_similarity(vectors, same, **options)
        assert result == (0.0, (0.0, 0.0), 0.0, (0.0, 0.0), 1.0, 3)


def test_huge_numbers():
    vectors = {"a": [3e38, 0], "b": [1e-38, 1e-38], "c": [0, 1]}
    pairs = [("a", "b", 1e308), ("a", "c", -1e308), ("b", "c", 1e308)]
    result = word_similarity(vectors, pairs, random_state=0)
    assert result.pearson == pytest.approx(1)
    assert np.isfinite([*result.pearson_interval, *result.spearman_interval]).all()


def test_missing_words():
    vectors = table()
    pairs = [*draw_pairs(30), ("w0", "none", 9), ("none", "w1", 8), ("x", "y", 7)]
    dropped = word_similarity(vectors, pairs, random_state=0)
    assert dropped[:-2] == word_similarity(vectors, pairs[:-3], random_state=0)[:-2]
    assert (dropped.coverage, dropped.n_pairs) == (30 / 33, 30)
    zeros = word_similarity(vectors, pairs, missing="zero", random_state=0)
    assert (zeros.coverage, zeros.n_pairs) == (30 / 33, 33)
    x = [cosine(vectors, a, b) for a, b, _ in pairs[:-3]] + [0, 0, 0]
    y = [score for _, _, score in pairs]
    assert zeros.spearman == pytest.approx(stats.spearmanr(x, y).statistic)
    nothing = word_similarity(vectors, [("x", "y", 1)] * 2, missing="zero")
    assert nothing[::2] == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match=r"1 of 4 pairs .* \('w0', 'none'\)"):
        word_similarity(vectors, [*pairs[-3:], ("w0", "w1", 2)])


def test_case():
    vectors = WordVectors(["Us", "us", "it", "IT"], np.eye(4))
    pairs = [("US", "Us", 1), ("it", "IT", 2), ("us", "Us", 3)]
    result = word_similarity(vectors, pairs, n_resamples=0)
    assert (result.n_pairs, result.pearson) == (3, 0.0)  # all cosines are 1
    result = word_similarity(vectors, pairs, ignore_case=False, n_resamples=0)
    assert (result.n_pairs, result.pearson) == (2, 0.0)  # all cosines are 0


def test_words_that_are_numbers():
    pairs = [(0, 1, 2.0), (1, 2, 3.0), (0, 2, 9)]
    found = word_similarity(table(words=[0, 1, 2]), pairs, random_state=0)
    named = [(f"{a}", f"{b}", score) for a, b, score in pairs]
    assert found == word_similarity(table(words=["0", "1", "2"]), named, random_state=0)


@pytest.mark.parametrize("missing", ["drop", "zero"])
@pytest.mark.parametrize("ignore_case", [True, False])
@pytest.mark.parametrize("name", ["wordsim353.tsv", "simlex999.txt"])
def test_equals_gensim(name, missing, ignore_case):
    """On its own files, which have comments; with words in several cases."""
    gensim = pytest.importorskip("gensim.models")
    path = pytest.importorskip("gensim.test.utils").datapath(name)
    with open(path, encoding="utf8") as lines:
        split = [line.split("\t") for line in lines if not line.startswith("#")]
    words = list(dict.fromkeys(word for fields in split for word in fields[:2]))
    words = [*words[::2], *(word.upper() for word in words[::3])]
    vectors = table(2, list(dict.fromkeys(words)), 8)
    model = gensim.KeyedVectors(8)
    model.add_vectors(list(vectors.words), vectors.vectors)
    expected_pearson, expected_spearman, percent_missing = model.evaluate_word_pairs(
        path, dummy4unknown=missing == "zero", case_insensitive=ignore_case
    )
    found = word_similarity(
        vectors, path, missing=missing, ignore_case=ignore_case, n_resamples=0
    )
    assert found.spearman == pytest.approx(expected_spearman[0], abs=1e-6)
    assert found.pearson == pytest.approx(expected_pearson[0], abs=1e-6)
    assert 100 * (1 - found.coverage) == pytest.approx(percent_missing)
    assert 0 < found.coverage < 1
    # And of the first words only.
    expected = model.evaluate_word_pairs(path, restrict_vocab=150)[1][0]
    first = WordVectors(vectors.words[:150], vectors.vectors[:150])
    found = word_similarity(first, path, n_resamples=0)
    assert found.spearman == pytest.approx(expected, abs=1e-6)
