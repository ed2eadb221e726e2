"""Groups of words: clustering into categories, and words that do not belong."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics.cluster import contingency_matrix
from sklearn.utils._param_validation import StrOptions, validate_params

from skembed._utils.threads import one_blas_thread, one_openmp_thread
from skembed.metrics._files import as_list
from skembed.metrics._words import Rows, as_word_vectors, units

# Sums of cosines that differ by less are equal.
_TIE = 1e-9


class Categorization(NamedTuple):
    """How well clusters of words match given categories.

    Parameters
    ----------
    purity : float
        Share of words that are in the most frequent category of their cluster.
    coverage : float
        Share of words that have a vector.
    n_words : int
        Number of words that the purity is computed over.
    clusters : dict
        The number of the cluster of each word that has a vector.
    """

    purity: float
    coverage: float
    n_words: int
    clusters: dict[Any, int]


class OutlierDetection(NamedTuple):
    """How often the word that does not belong to a group was found.

    Parameters
    ----------
    accuracy : float
        Share of outliers that are less similar to the group than all its members.
    opp : float
        Mean of the outliers' positions, the outlier position percentage of the paper
        divided by 100: the share of members that are more similar to the rest than the
        outlier is.
    coverage : float
        Share of outliers that could be examined: they have a vector, and so have at
        least two members of the group.
    n_outliers : int
        Number of outliers that the figures are computed over.
    """

    accuracy: float
    opp: float
    coverage: float
    n_outliers: int


@validate_params(
    {
        "missing": [StrOptions({"drop", "zero"})],
        "ignore_case": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def categorization(
    vectors: Any,
    categories: Any,
    *,
    missing: str = "drop",
    ignore_case: bool = True,
    random_state: Any = None,
) -> Categorization:
    """Cluster words, and compare the clusters with given categories.

    The vectors are scaled to length 1 and clustered by k-means, with as many clusters
    as there are categories. Purity grows with the number of categories and for
    unequal ones, so compare it for the same words only.

    Parameters
    ----------
    vectors : WordVectors, embedder, mapping, KeyedVectors, str or path
        What `as_word_vectors` takes.
    categories : mapping of str to sequence of words
        The words of each category. A word in two categories counts in both.
    missing : {"drop", "zero"}, default="drop"
        What happens to a word that has no vector: it is left out, or it counts as one
        that is in the wrong cluster.
    ignore_case : bool, default=True
        Compare words without regard to case, as in `word_similarity`.
    random_state : int, RandomState instance or None, default=None
        Random state of the ten starts of k-means. Pass an int for the same clusters
        every time.

    Returns
    -------
    Categorization
        The purity, the coverage, and the clusters.

    Raises
    ------
    ValueError
        If there are not two categories with words, or no word has a vector and
        `missing` is "drop".
    TypeError
        If `vectors` or `categories` are of another kind.

    References
    ----------
    Baroni, Dinu, Kruszewski: Don't count, predict! ACL 2014, section 3. The authors
    cluster with CLUTO instead of k-means.

    Examples
    --------
    >>> from skembed.metrics import categorization
    >>> vectors = {"cat": [1, 0.2], "dog": [1, 0.5], "car": [0, 1], "bus": [0.3, 1]}
    >>> animals, vehicles = ["cat", "dog"], ["car", "bus", "tram"]
    >>> result = categorization(
    ...     vectors, {"animal": animals, "vehicle": vehicles}, random_state=0
    ... )
    >>> result.purity, result.coverage
    (1.0, 0.8)
    """
    vectors = as_word_vectors(vectors)
    lists = check_categories(categories).values()
    words = [word for some in lists for word in some]
    labels = np.repeat(np.arange(len(lists)), [len(some) for some in lists])
    rows = Rows(vectors, ignore_case).find(words)
    known = np.flatnonzero(rows >= 0)
    if not known.size and missing == "drop":
        raise ValueError(
            f"No word has a vector ({len(words)} in all, the first: {words[0]!r}). "
            'Check the spelling of words, or pass missing="zero".'
        )
    points = units(vectors, rows[known])
    clusters = _cluster(points, len(categories), random_state)
    n_right = contingency_matrix(labels[known], clusters).max(axis=0, initial=0).sum()
    n_words = known.size if missing == "drop" else len(words)
    return Categorization(
        float(n_right / n_words),
        known.size / len(words),
        n_words,
        {words[i]: int(number) for i, number in zip(known, clusters, strict=True)},
    )


def check_categories(categories: Any) -> dict[Any, list[Any]]:
    """Return the words of each category.

    Raises
    ------
    TypeError
        If they are not a mapping of sequences.
    ValueError
        If fewer than two categories have words.
    """
    if not isinstance(categories, Mapping):
        raise TypeError(
            "categories must be a mapping of names to words, got "
            f"{type(categories).__name__}."
        )
    lists = {k: as_list(words, f"categories[{k!r}]") for k, words in categories.items()}
    if sum(map(bool, lists.values())) < 2:
        raise ValueError(
            f"categories must have at least two with words, got {categories!r}."
        )
    return lists


def _cluster(points: np.ndarray, n_clusters: int, random_state: Any) -> np.ndarray:
    """Return the number of the cluster of each point, whatever the number of threads.

    There are fewer clusters if there are fewer different points.
    """
    n_clusters = min(n_clusters, len(np.unique(points, axis=0)))
    if n_clusters < 2:
        return np.zeros(len(points), dtype=np.int64)
    model = KMeans(n_clusters, n_init=10, random_state=random_state)
    with one_blas_thread(), one_openmp_thread():
        return model.fit_predict(points)


@validate_params(
    {"missing": [StrOptions({"drop", "zero"})], "ignore_case": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def outlier_detection(
    vectors: Any, groups: Any, *, missing: str = "drop", ignore_case: bool = True
) -> OutlierDetection:
    """Find the word that does not belong to a group of similar words.

    Each outlier is added to its group alone. Words are ranked by compactness: the mean
    cosine of all pairs of the other words. The position of the outlier is the number
    of members with a lower compactness. It is found if that is all of them. A member
    that is as compact as the outlier does not count.

    Parameters
    ----------
    vectors : WordVectors, embedder, mapping, KeyedVectors, str or path
        What `as_word_vectors` takes.
    groups : sequence of (members, outliers)
        For each group, the words that belong together and words that do not.
    missing : {"drop", "zero"}, default="drop"
        What happens to an outlier that cannot be examined, because it has no vector or
        fewer than two members have one: it is left out, or its position is 0. In both
        cases, members without a vector are left out.
    ignore_case : bool, default=True
        Compare words without regard to case, as in `word_similarity`.

    Returns
    -------
    OutlierDetection
        The accuracy, the mean position, and the coverage.

    Raises
    ------
    ValueError
        If a group is not valid, or no outlier can be examined and `missing` is "drop".
    TypeError
        If `vectors` or `groups` are of another kind.

    References
    ----------
    Camacho-Collados, Navigli: Find the word that does not belong. RepEval 2016,
    equations 1 to 4.

    Examples
    --------
    >>> from skembed.metrics import outlier_detection
    >>> vectors = {"cat": [1, 0.2], "dog": [1, 0.5], "cow": [1, 0.3], "bus": [0.3, 1]}
    >>> outlier_detection(vectors, [(["cat", "dog", "cow"], ["bus"])]).accuracy
    1.0
    """
    vectors = as_word_vectors(vectors)
    rows = Rows(vectors, ignore_case)
    positions: list[float] = []
    n_all = 0
    for members, outliers in check_groups(groups):
        found = rows.find(members)
        found = found[found >= 0]
        others = rows.find(outliers)
        n_all += others.size
        if found.size >= 2:
            group = units(vectors, found)
            words = units(vectors, others[others >= 0])
            positions += [_position(group, word) for word in words]
    n_used = len(positions) if missing == "drop" else n_all
    if not n_used:
        raise ValueError(
            f"None of the outliers ({n_all} in all) can be examined: it needs a "
            "vector, and at least two words of its group need one. Check the spelling "
            'of words, or pass missing="zero".'
        )
    return OutlierDetection(
        sum(position == 1 for position in positions) / n_used,
        sum(positions) / n_used,
        len(positions) / n_all,
        n_used,
    )


def _position(group: np.ndarray, outlier: np.ndarray) -> float:
    """Return the share of members that are more similar to the rest than the outlier.

    The cosines without a word sum up to all cosines less those of the word: the order
    of compactness is the reverse of the order of a word's own sums.
    """
    to_outlier = group @ outlier
    own = np.einsum("ik,ik->i", group, group)
    sums = group @ group.sum(axis=0) - own + to_outlier
    return float(np.mean(sums > to_outlier.sum() + _TIE))


def check_groups(groups: Any) -> list[tuple[list[Any], list[Any]]]:
    """Return the members and the outliers of each group.

    Raises
    ------
    TypeError
        If they are not sequences.
    ValueError
        If a group is something else, or there is no outlier.
    """
    checked = []
    for number, group in enumerate(as_list(groups, "groups")):
        name = f"groups[{number}]"
        if isinstance(group, str | Mapping) or len(as_list(group, name)) != 2:
            raise ValueError(f"{name} must be members and outliers, got {group!r}.")
        members, outliers = (as_list(words, name) for words in group)
        checked.append((members, outliers))
    if not any(outliers for _, outliers in checked):
        raise ValueError("groups must have at least one outlier.")
    return checked
