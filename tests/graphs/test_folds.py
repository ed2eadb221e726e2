"""`EdgeKFold`: what stays together, what is held out, and what scikit-learn does."""

import re

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    TimeSeriesSplit,
    cross_val_score,
    cross_validate,
)

from skembed import PPMISVDEmbedder
from skembed.graphs import EdgeKFold, GraphEmbedder, link_coverage, link_existence


def random_edges(n_nodes=40, n_edges=300, seed=0):
    """Edges with repetitions, reciprocal pairs and self loops."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, n_nodes + 1)
    edges = rng.choice(n_nodes, (n_edges, 2), p=weights / weights.sum())
    assert len(np.unique(edges, axis=0)) < n_edges
    assert (edges[:, 0] == edges[:, 1]).any()
    return edges


def pairs_of(edges):
    return [frozenset(edge) for edge in np.asarray(edges).tolist()]


class Ignorant(BaseEstimator):
    """Its score is the share of its training edges."""

    def __init__(self, n_all=300):
        self.n_all = n_all

    def fit(self, X, y=None):
        self.share_ = len(X) / self.n_all
        return self

    def score(self, X, y=None):
        return self.share_


@pytest.mark.parametrize("n_splits", [2, 5])
def test_every_row_is_held_out_once(n_splits):
    edges = random_edges()
    splits = list(EdgeKFold(n_splits, random_state=0).split(edges))
    assert len(splits) == n_splits
    held_out = np.concatenate([test for _, test in splits])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(len(edges)))
    for train, test in splits:
        both = np.concatenate([train, test])
        np.testing.assert_array_equal(np.sort(both), np.arange(len(edges)))
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()


@pytest.mark.parametrize("keep_forest", [False, True])
def test_edges_of_a_pair_stay_together(keep_forest):
    edges = random_edges()
    cv = EdgeKFold(4, keep_forest=keep_forest, random_state=1)
    for train, test in cv.split(edges):
        assert set(pairs_of(edges[train])).isdisjoint(pairs_of(edges[test]))


def test_kfold_leaks_the_reverse():
    rng = np.random.default_rng(0)
    one_way = rng.permutation(100)[:60].reshape(-1, 2)
    edges = np.concatenate([one_way, one_way[:, ::-1]])

    def leaked(cv):
        for train, test in cv.split(edges):
            known = {tuple(edge) for edge in edges[train].tolist()}
            yield np.mean([(b, a) in known for a, b in edges[test].tolist()])

    assert np.mean([*leaked(KFold(3, shuffle=True, random_state=0))]) > 0.5
    assert [*leaked(EdgeKFold(3, random_state=0))] == [0, 0, 0]


def test_folds_are_as_balanced_as_those_of_group_kfold():
    edges = random_edges()
    pairs = pairs_of(edges)
    groups = [sorted(set(pairs), key=sorted).index(pair) for pair in pairs]
    sizes = [len(test) for _, test in EdgeKFold(7, random_state=0).split(edges)]
    expected = GroupKFold(7).split(edges, groups=groups)
    assert sorted(sizes) == sorted(len(test) for _, test in expected)


def test_folds_differ_by_two_edges_at_most():
    for n_edges in range(30, 40):
        pairs = np.arange(2 * n_edges).reshape(-1, 2)
        edges = np.concatenate([pairs, pairs[: n_edges // 3, ::-1]])
        sizes = [len(test) for _, test in EdgeKFold(4, random_state=0).split(edges)]
        assert max(sizes) - min(sizes) <= 2


def test_random_state():
    edges = random_edges()

    def folds(cv):
        return [test.tolist() for _, test in cv.split(edges)]

    cv = EdgeKFold(3, random_state=0)
    assert folds(cv) == folds(cv)
    assert folds(cv) != folds(EdgeKFold(3, random_state=1))
    forest = EdgeKFold(3, keep_forest=True, random_state=0)
    assert folds(forest) == folds(forest)
    one = EdgeKFold(3, random_state=np.random.RandomState(0))
    assert folds(one) == folds(cv)
    assert folds(one) != folds(cv)
    assert folds(EdgeKFold(3)) != folds(EdgeKFold(3))


def components(edges, n_nodes):
    matrix = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(n_nodes, n_nodes))
    return connected_components(matrix, directed=False)


@pytest.mark.parametrize("n_nodes", [40, 300])
def test_forest_is_never_held_out(n_nodes):
    """One piece, or several ones."""
    edges = random_edges(n_nodes)
    nodes, edges = np.unique(edges, return_inverse=True)
    edges = edges.reshape(-1, 2)
    n_components, labels = components(edges, len(nodes))
    splits = list(EdgeKFold(3, keep_forest=True, random_state=0).split(edges))
    held_out = np.concatenate([test for _, test in splits])
    assert len(np.unique(held_out)) == len(held_out)
    for train, _ in splits:
        np.testing.assert_array_equal(
            components(edges[train], len(nodes))[1], labels, strict=True
        )
    kept = set(pairs_of(np.delete(edges, held_out, axis=0)))
    assert len(kept) == len(nodes) - n_components
    # Neither a loop is kept, nor the reverse of a kept edge held out.
    assert min(map(len, kept)) == 2
    assert kept.isdisjoint(pairs_of(edges[held_out]))


def test_forest_is_random():
    """In a cycle, each edge is as likely to be held out as the others."""
    cycle = np.column_stack([np.arange(6), np.roll(np.arange(6), 1)])
    edges = np.concatenate([cycle, cycle + 6])
    count = np.zeros(len(edges))
    for seed in range(300):
        for _, test in EdgeKFold(2, keep_forest=True, random_state=seed).split(edges):
            (row,) = test
            count[row] += 1
    assert count[:6].sum() == count[6:].sum() == 300
    # Six standard deviations of a binomial count with p = 1/6.
    np.testing.assert_allclose(count, 50, atol=6 * np.sqrt(300 * 5 / 36))


def test_all_kinds_of_tables():
    pd = pytest.importorskip("pandas")
    edges = random_edges()
    expected = [test.tolist() for _, test in EdgeKFold(random_state=0).split(edges)]
    frame = pd.DataFrame({"x": 0, "target": edges[:, 1], "source": edges[:, 0]})
    names = np.array([f"node {i:03d}" for i in range(40)], dtype=object)
    tables = [
        edges.tolist(),
        [tuple(edge) for edge in edges],
        names[edges],
        np.column_stack([edges, np.linspace(0, 1, len(edges))]),
        frame,
    ]
    for table in tables:
        found = [test.tolist() for _, test in EdgeKFold(random_state=0).split(table)]
        assert found == expected


@pytest.mark.parametrize("n_splits", [1, 0, 2.5, "3", None])
def test_wrong_number_of_splits(n_splits):
    pattern = f"n_splits must be an integer of at least 2, got {n_splits!r}"
    with pytest.raises(ValueError, match=re.escape(pattern)):
        EdgeKFold(n_splits)


def test_wrong_keep_forest():
    with pytest.raises(TypeError, match=r"keep_forest must be True or False, got 1\."):
        EdgeKFold(keep_forest=1)


def test_too_few_pairs():
    edges = [[0, 1], [1, 0], [0, 1], [1, 2]]
    with pytest.raises(ValueError, match=r"n_splits=3 is more than .* edge: 2\. Use"):
        next(EdgeKFold(3).split(edges))
    assert len(list(EdgeKFold(2).split(edges))) == 2
    # A tree, one more edge, and a self loop.
    pattern = r"outside the spanning forest: 1\. Use fewer splits or keep_forest=False"
    with pytest.raises(ValueError, match=pattern):
        next(EdgeKFold(2, keep_forest=True).split([*edges, [0, 2]]))
    edges = [*edges, [0, 2], [2, 2]]
    splits = EdgeKFold(2, keep_forest=True, random_state=0).split(edges)
    assert [5] in [test.tolist() for _, test in splits]


@pytest.mark.parametrize("kind", ["csr_array", "coo_matrix", "DiGraph"])
def test_graphs_have_no_rows_of_edges(kind):
    if kind == "DiGraph":
        graph = pytest.importorskip("networkx").DiGraph([(0, 1), (1, 2)])
    else:
        graph = getattr(sparse, kind)(np.eye(3))
    pattern = rf"X is a {kind}, whose rows are not edges\. Pass an array of edges"
    with pytest.raises(ValueError, match=pattern):
        next(EdgeKFold(2).split(graph))


def test_splitter_of_scikit_learn():
    cv = EdgeKFold(4, keep_forest=True, random_state=3)
    assert repr(cv) == "EdgeKFold(keep_forest=True, n_splits=4, random_state=3)"
    assert cv.get_n_splits() == cv.get_n_splits([[0, 1]], None, None) == 4
    edges = random_edges()
    scores = cross_val_score(Ignorant(), edges, cv=EdgeKFold(3, random_state=0))
    np.testing.assert_allclose(scores, 2 / 3, atol=0.01)
    with config_context(enable_metadata_routing=True):
        assert cv.get_metadata_routing() is not None
        # scikit-learn 1.6 needs a mapping.
        cv = EdgeKFold(3, random_state=0)
        scores = cross_val_score(Ignorant(), edges, cv=cv, params={})
    np.testing.assert_allclose(scores, 2 / 3, atol=0.01)


def test_search_over_folds():
    edges = random_edges()
    search = GridSearchCV(Ignorant(), {"n_all": [300, 600]}, cv=EdgeKFold(3)).fit(edges)
    assert search.best_params_ == {"n_all": 300}
    assert search.n_splits_ == 3


def test_kept_forest_covers_all_held_out_links():
    edges = random_edges()
    edges = edges[edges[:, 0] != edges[:, 1]]
    model = GraphEmbedder(PPMISVDEmbedder(n_components=4, random_state=0))
    scores = [
        cross_val_score(model, edges, scoring=link_coverage, cv=cv)
        for cv in (
            EdgeKFold(3, keep_forest=True, random_state=0),
            EdgeKFold(3, random_state=0),
        )
    ]
    assert scores[0].tolist() == [1, 1, 1]
    assert scores[1].min() < 1


def test_edges_in_order_of_time():
    """TimeSeriesSplit trains on what is older."""
    edges = np.unique(random_edges(n_edges=600), axis=0)
    edges = edges[edges[:, 0] != edges[:, 1]]
    edges = np.random.default_rng(0).permutation(edges)
    result = cross_validate(
        GraphEmbedder(PPMISVDEmbedder(n_components=4, random_state=0)),
        edges,
        scoring=link_existence,
        cv=TimeSeriesSplit(3),
        return_estimator=True,
        return_indices=True,
    )
    assert np.isfinite(result["test_score"]).all()
    indices = result["indices"]
    for model, train, test in zip(
        result["estimator"], indices["train"], indices["test"], strict=True
    ):
        assert train.max() < test.min()
        assert model.adjacency_.nnz == len(train)
