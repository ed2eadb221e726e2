"""Clusters and outliers, against loops over all words."""

import itertools

import numpy as np
import pytest
from sklearn.cluster import KMeans

from skembed.metrics import categorization, outlier_detection

pytestmark = pytest.mark.small

CATEGORIES = {
    "colour": ["red", "green", "blue", "pink"],
    "animal": ["cat", "dog", "cow"],
    "tool": ["saw", "axe", "drill", "file"],
}


def draw_vectors(noise, seed=0):
    """Vectors of every word around the direction of its category, of any length."""
    rng = np.random.default_rng(seed)
    vectors = {}
    for direction, words in zip(np.eye(3), CATEGORIES.values(), strict=True):
        for word in words:
            vector = direction + noise * rng.standard_normal(3)
            vectors[word] = rng.uniform(0.1, 10) * vector
    return vectors


def test_separate_categories_are_pure():
    result = categorization(draw_vectors(0.05), CATEGORIES, random_state=0)
    assert (result.purity, result.coverage, result.n_words) == (1.0, 1.0, 11)
    for words in CATEGORIES.values():
        assert len({result.clusters[word] for word in words}) == 1


def test_purity_is_that_of_k_means():
    vectors = draw_vectors(0.8)
    result = categorization(vectors, CATEGORIES, random_state=3)
    points = np.array([vectors[w] for words in CATEGORIES.values() for w in words])
    points = points.astype(np.float32).astype(float)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    numbers = KMeans(3, n_init=10, random_state=3).fit_predict(points)
    assert list(result.clusters.values()) == numbers.tolist()
    category = {word: name for name, words in CATEGORIES.items() for word in words}
    n_right = 0
    for number in set(numbers.tolist()):
        names = [category[w] for w, n in result.clusters.items() if n == number]
        n_right += max(map(names.count, names))
    assert result.purity == n_right / 11
    assert result.purity < 1


def test_missing_words_of_categories():
    vectors = draw_vectors(0.05)
    for word in ("red", "cat"):
        del vectors[word]
    result = categorization(vectors, CATEGORIES, random_state=0)
    assert (result.purity, result.coverage, result.n_words) == (1.0, 9 / 11, 9)
    assert not {"red", "cat"} & set(result.clusters)
    result = categorization(vectors, CATEGORIES, missing="zero", random_state=0)
    assert (result.purity, result.coverage, result.n_words) == (9 / 11, 9 / 11, 11)
    upper = {name: [word.upper() for word in some] for name, some in CATEGORIES.items()}
    assert categorization(vectors, upper, random_state=0).purity == 1.0
    with pytest.raises(ValueError, match=r"No word has a vector \(11 in all.* 'RED'"):
        categorization(vectors, upper, ignore_case=False)
    options = {"ignore_case": False, "missing": "zero"}
    assert categorization(vectors, upper, **options)[:3] == (0.0, 0.0, 11)


def test_equal_points():
    """Zero vectors among them: there are fewer clusters than categories."""
    vectors = {key: [0.0, 0.0] for key in ["a", "b", "c"]}
    categories = {"x": ["a", "b"], "y": ["c"]}
    assert categorization(vectors, categories).purity == 2 / 3
    vectors.update(d=[1.0, 0.0], e=[2.0, 0.0])
    categories.update(y=["c", "d"], z=["e"])
    assert categorization(vectors, categories, random_state=0).purity == 3 / 5


@pytest.mark.parametrize(
    ("categories", "error", "message"),
    [
        ([["a"], ["b"]], TypeError, "categories must be a mapping"),
        ({"x": ["a"], "y": []}, ValueError, "categories must have at least two"),
        ({"x": ["a"], "y": "b"}, TypeError, r"categories\['y'\] must be a sequence"),
    ],
)
def test_unusable_categories(categories, error, message):
    with pytest.raises(error, match=message):
        categorization({"a": [1.0], "b": [2.0]}, categories)


def position_of(vectors, members, outlier):
    """The definition of the paper, word by word."""
    words = [*members, outlier]

    def cosine(a, b):
        x, y = np.asarray(vectors[a]), np.asarray(vectors[b])
        return x @ y / max(np.linalg.norm(x) * np.linalg.norm(y), 1e-300)

    def compactness(word):
        others = [other for other in words if other != word]
        return np.mean([cosine(a, b) for a, b in itertools.permutations(others, 2)])

    own = compactness(outlier)
    return sum(compactness(word) < own - 1e-9 for word in members)


@pytest.mark.parametrize("noise", [0.05, 0.5, 1.5])
def test_outliers_have_the_positions_of_the_paper(noise):
    vectors = draw_vectors(noise)
    names = list(CATEGORIES)
    groups = [
        (CATEGORIES[a], CATEGORIES[b]) for a, b in itertools.permutations(names, 2)
    ]
    shares = [
        position_of(vectors, members, outlier) / len(members)
        for members, outliers in groups
        for outlier in outliers
    ]
    result = outlier_detection(vectors, groups)
    assert result.opp == pytest.approx(np.mean(shares))
    assert result.accuracy == pytest.approx(np.mean([share == 1 for share in shares]))
    assert (result.coverage, result.n_outliers) == (1.0, len(shares))
    assert (result.accuracy == 1) == (noise == 0.05)


def test_missing_words_of_groups():
    vectors = draw_vectors(0.05)
    groups = [
        (["red", "GREEN", "none"], ["cat", "nothing"]),
        (["red", "none", "nil"], ["cat", "dog"]),
    ]
    assert outlier_detection(vectors, groups) == (1.0, 1.0, 0.25, 1)
    assert outlier_detection(vectors, groups, missing="zero") == (0.25, 0.25, 0.25, 4)
    with pytest.raises(ValueError, match=r"None of the outliers \(4 in all\)"):
        outlier_detection(vectors, groups, ignore_case=False)
    found = outlier_detection(vectors, groups, ignore_case=False, missing="zero")
    assert found == (0.0, 0.0, 0.0, 4)


def test_ties_are_not_found():
    """A zero vector is as similar to all others as they are to each other."""
    vectors = {word: np.zeros(2) for word in "abcd"}
    result = outlier_detection(vectors, [(list("abc"), ["d"])])
    assert result == (0.0, 0.0, 1.0, 1)
    vectors = {word: [0.1, 0.3] for word in "abcd"}
    assert outlier_detection(vectors, [(list("abc"), ["d"])]).opp == 0.0


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        (3, TypeError, "groups must be a sequence"),
        ([(["a"], ["b"], ["c"])], ValueError, r"groups\[0\] must be members and outl"),
        (["ab"], ValueError, r"groups\[0\] must be members and outliers, got 'ab'"),
        ([("ab", ["c"])], TypeError, r"groups\[0\] must be a sequence, got the str"),
        ([], ValueError, "groups must have at least one outlier"),
        ([(["a"], [])], ValueError, "groups must have at least one outlier"),
    ],
)
def test_unusable_groups(groups, error, message):
    with pytest.raises(error, match=message):
        outlier_detection({"a": [1.0]}, groups)
