"""Scorers of held-out links, against slow twins and closed forms."""

import copy
import pickle
import re
from functools import partial

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skembed import PPMISVDEmbedder
from skembed.graphs import (
    EdgeKFold,
    GraphEmbedder,
    degree_baseline,
    link_coverage,
    link_direction,
    link_existence,
)

SCORERS = [link_existence, link_direction, degree_baseline, link_coverage]
degree_existence = partial(degree_baseline, task="existence")
SCORING = {
    "existence": link_existence,
    "by_probability": partial(link_direction, kind="log_probability"),
    "direction": link_direction,
    "direction_by_degrees": degree_baseline,
    "existence_by_degrees": degree_existence,
    "coverage": link_coverage,
}


def directed_edges(n_nodes=120, n_edges=900, seed=0):
    """Distinct edges between four groups in a circle: each one links to the next.

    The first nodes are often sources, and the last ones are often targets.
    """
    rng = np.random.default_rng(seed)
    share = 1 / (4 + np.arange(n_nodes))
    share /= share.sum()
    sources = rng.choice(n_nodes, n_edges, p=share)
    targets = rng.choice(n_nodes, n_edges, p=share[::-1]) // 4 * 4 + (sources + 1) % 4
    edges = np.unique(np.column_stack([sources, targets]), axis=0)
    return rng.permutation(edges)


def graph_embedder(*, n_components=4, share_context=False, **parameters):
    embedder = PPMISVDEmbedder(
        n_components=n_components,
        context_exponent=1,
        share_context=share_context,
        random_state=0,
    )
    return GraphEmbedder(embedder, **parameters)


class Recording(GraphEmbedder):
    """Keeps the pairs that it scored."""

    def score_links(self, sources, targets, *, kind="pmi"):
        scores = super().score_links(sources, targets, kind=kind)
        vars(self).setdefault("scored", []).append((sources, targets, scores))
        return scores


def recording(edges, **parameters):
    return Recording(graph_embedder().embedder, **parameters).fit(edges)


@pytest.fixture(scope="module")
def edges():
    return directed_edges()


@pytest.fixture(scope="module")
def split(edges):
    train, test = next(EdgeKFold(3, random_state=0).split(edges))
    return edges[train], edges[test]


@pytest.fixture(scope="module")
def model(split):
    return graph_embedder().fit(split[0])


def links(edges):
    return {(a, b) for a, b in np.asarray(edges).tolist()}


# --- existence ------------------------------------------------------------------------


def test_pairs_have_the_degrees_of_the_links_and_are_no_links(split):
    train, test = split
    model = recording(train)
    link_existence(model, test)
    (sources, targets, _), (no_sources, no_targets, _) = model.scored
    known = set(model.nodes_.tolist())
    expected = {(a, b) for a, b in links(test) if a in known and b in known}
    assert set(zip(sources.tolist(), targets.tolist(), strict=True)) == expected
    assert len(sources) == len(expected) > 100
    np.testing.assert_array_equal(np.sort(no_sources), np.sort(sources))
    np.testing.assert_array_equal(np.sort(no_targets), np.sort(targets))
    pairs = set(zip(no_sources.tolist(), no_targets.tolist(), strict=True))
    assert pairs.isdisjoint(links(train) | links(test))
    assert (no_sources != no_targets).all()
    # A permutation, not one link's own target again and again.
    assert len(pairs) > 0.9 * len(sources)


@pytest.mark.parametrize("kind", ["pmi", "log_probability"])
def test_existence_is_the_share_of_pairs_in_order(split, kind):
    train, test = split
    model = recording(train)
    found = link_existence(model, test, kind=kind)
    (_, _, positive), (_, _, negative) = model.scored
    wins = [(p > n) + (p == n) / 2 for p in positive for n in negative]
    assert found == pytest.approx(np.mean(wins), abs=1e-12)


def test_existence_of_a_block_structure(split, model):
    """Vectors know the groups; degrees, which are those of the links, know nothing."""
    _, test = split
    assert link_existence(model, test) > 0.8
    assert abs(degree_existence(model, test) - 0.5) < 0.05


def test_degrees_tell_links_from_uniform_pairs(split, model):
    """This is why the pairs are not uniform."""
    _, test = split
    rng = np.random.default_rng(0)
    n_out = (model.adjacency_ != 0).sum(axis=1)
    n_in = (model.adjacency_ != 0).sum(axis=0)
    rows = np.searchsorted(model.nodes_, test)
    uniform = rng.integers(len(model.nodes_), size=(2000, 2))
    positive, negative = (
        (n_out[pairs[:, 0]] + 1) * (n_in[pairs[:, 1]] + 1) for pairs in (rows, uniform)
    )
    assert np.mean(positive[:, None] > negative) > 0.6


def test_pairs_that_cannot_be_made_are_left_out():
    """Between 0 … 4 and 5 … 9 all links but one exist."""
    full = [(a, b) for a in range(5) for b in range(5, 10)]
    full.remove((0, 9))
    test = full[::3]
    model = recording([pair for pair in full if pair not in test])
    link_existence(model, test)
    _, (sources, targets, _) = model.scored
    assert set(zip(sources.tolist(), targets.tolist(), strict=True)) == {(0, 9)}
    full.append((0, 9))
    model.fit([pair for pair in full if pair not in test])
    with pytest.raises(ValueError, match=r"No pair without a link .* the 8 links in X"):
        link_existence(model, test)
    with pytest.raises(ValueError, match=r"the 8 links in X\. Hold out more edges"):
        degree_existence(model, test)


def test_candidates_are_scored_on_the_same_pairs(split):
    train, test = split
    scored = []
    for parameters in ({}, {"steps": 2}):
        model = recording(train, **parameters)
        link_existence(model, test)
        scored.append([pair for *pairs, _ in model.scored for pair in pairs])
    for one, other in zip(*scored, strict=True):
        np.testing.assert_array_equal(one, other)


# --- direction ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pmi", "log_probability"])
def test_direction_counts_one_way_links(edges, kind):
    rng = np.random.default_rng(0)
    reverse = edges[rng.random(len(edges)) < 0.4, ::-1]
    edges = rng.permutation(np.concatenate([edges, reverse]))
    train, test = edges[:700], edges[700:]
    model = graph_embedder().fit(train)
    known, nodes = links(train) | links(test), set(model.nodes_.tolist())
    results = []
    for a, b in links(test):
        if {a, b} <= nodes and (b, a) not in known:
            forward, backward = (
                model.score_links(*pair, kind=kind) for pair in ((a, b), (b, a))
            )
            results.append((forward > backward) + (forward == backward) / 2)
    assert 0 < len(results) < len(test)
    found = link_direction(model, test, kind=kind)
    assert found == pytest.approx(np.mean(results), abs=1e-12)
    assert found > 0.6


@pytest.mark.parametrize("share_context", [True, "signed"])
def test_symmetric_scores_do_not_tell_direction(split, share_context):
    train, test = split
    model = graph_embedder(share_context=share_context).fit(train)
    assert link_direction(model, test) == 0.5


def test_equal_scores_count_one_half(split):
    train, test = split
    model = graph_embedder().fit(train)
    model.source_vectors_[:] = 0
    assert link_direction(model, test) == 0.5
    assert link_existence(model, test) == 0.5


def test_direction_needs_one_way_links(model):
    a, b = model.nodes_[:2]
    both = [[a, b], [b, a]]
    for scorer in (link_direction, degree_baseline):
        with pytest.raises(ValueError, match="None of the 2 links in X is one-way"):
            scorer(model, both)


def test_direction_needs_a_directed_graph(split):
    train, test = split
    model = graph_embedder(directed=False).fit(train)
    for scorer in (link_direction, degree_baseline):
        with pytest.raises(ValueError, match=r"directed=True; .* directed=False"):
            scorer(model, test)
        # A parameter that was set since does not change what was fitted.
        with pytest.raises(ValueError, match=r"directed=True; .* directed=False"):
            scorer(copy.deepcopy(model).set_params(directed=True), test)
    assert link_existence(model, test) == link_existence(
        copy.deepcopy(model).set_params(directed=True), test
    )


# --- degrees --------------------------------------------------------------------------


def test_degree_baseline_by_hand():
    """Node 0 links to 1, 2 and 3, node 4 to 1 and 2; the weights do not matter."""
    train = [(0, 1, 9), (0, 2, 1), (0, 3, 1), (4, 1, 1), (4, 2, 1)]
    model = graph_embedder(n_components=2).fit(train)
    # out + 1: 4, 1, 1, 1, 3; in + 1: 1, 3, 3, 2, 1 for nodes 0 to 4.
    # 4 → 0: 3·1 < 4·1; 4 → 3: 3·2 > 1·1; 1 → 2: 1·3 = 1·3.
    assert degree_baseline(model, [(4, 0)]) == 0
    assert degree_baseline(model, [(4, 3)]) == 1
    assert degree_baseline(model, [(1, 2)]) == 0.5
    assert degree_baseline(model, [(4, 0), (4, 3), (1, 2)]) == 0.5
    # Of 4 → 3 (6) and 2 → 0 (1): the pairs are 4 → 0 (3) and 2 → 3 (2).
    assert degree_existence(model, [(4, 3), (2, 0)]) == 0.5


def test_degree_baseline_ignores_the_vectors(split):
    train, test = split
    model = graph_embedder().fit(train)
    expected = degree_baseline(model, test), degree_existence(model, test)
    model.source_vectors_[:] = model.target_vectors_[:] = 0
    assert (degree_baseline(model, test), degree_existence(model, test)) == expected
    assert expected[0] > 0.6


# --- which links count ----------------------------------------------------------------


@pytest.mark.parametrize("scorer", [*SCORERS, degree_existence])
def test_rows_that_are_no_other_links_change_nothing(model, split, scorer):
    _, test = split
    expected = scorer(model, test)
    rng = np.random.default_rng(0)
    assert scorer(model, rng.permutation(test)) == expected
    assert scorer(model, np.concatenate([test, test[:20]])) == expected
    weights = np.ones(len(test) + 20)
    weights[-20:-10] = 0
    none = np.concatenate([test[:10, ::-1], np.tile(model.nodes_[:10], (2, 1)).T])
    more = np.column_stack([np.concatenate([test, none]), weights])
    assert scorer(model, more) == expected


def test_links_with_unknown_nodes_are_left_out(model, split):
    _, test = split
    known = test[np.isin(test, model.nodes_).all(axis=1)]
    new = np.column_stack([known[:30, 0], 1000 + np.arange(30)])
    more = np.concatenate([known, new, [[2000, 2001], [2000, 2001]]])
    for scorer in (link_existence, link_direction, degree_baseline):
        assert scorer(model, more) == scorer(model, known)
    assert link_coverage(model, known) == 1
    assert link_coverage(model, more) == len(known) / (len(known) + 31)
    assert link_coverage(model, new) == 0
    for scorer in (link_existence, link_direction, degree_baseline):
        with pytest.raises(
            ValueError, match="No link in X can be scored: each one has"
        ):
            scorer(model, new)


def test_names_of_nodes_make_no_difference(split):
    train, test = split
    names = np.array([f"node {i:03d}" for i in range(200)], dtype=object)
    models = graph_embedder().fit(train), graph_embedder().fit(names[train])
    for scorer in SCORERS:
        assert scorer(models[0], test) == pytest.approx(scorer(models[1], names[test]))


def test_order_of_given_nodes_makes_no_difference(split, model):
    train, test = split
    given = graph_embedder(nodes=model.nodes_[::-1]).fit(train)
    for name, scorer in SCORING.items():
        # Without degrees, scores that are zero up to rounding decide some links.
        tolerance = 0.1 if name in ("direction", "existence") else 1e-12
        expected = pytest.approx(scorer(model, test), abs=tolerance)
        assert scorer(given, test) == expected


def test_frames_are_read_as_in_fit(split, model):
    pd = pytest.importorskip("pandas")
    train, test = (pd.DataFrame(part, columns=["from", "to"]) for part in split)
    fitted = graph_embedder().fit(train)
    for scorer in SCORERS:
        expected = scorer(model, split[1])
        assert scorer(fitted, test[["to", "from"]]) == expected


def test_undirected_links_go_both_ways(split):
    train, test = split
    model = recording(train, directed=False)
    expected = link_existence(model, test)
    (_, _, _), (sources, targets, _) = model.scored
    both = links(train) | links(test)
    both |= {(b, a) for a, b in both}
    assert both.isdisjoint(zip(sources.tolist(), targets.tolist(), strict=True))
    turned = test.copy()
    turned[::2] = turned[::2, ::-1]
    assert link_existence(model, turned) == expected
    assert degree_existence(model, turned) == degree_existence(model, test)
    assert link_coverage(model, turned) == link_coverage(model, test)


def test_self_loops_of_the_fit_are_no_links(split):
    train, test = split
    loops = np.tile(np.unique(train), (2, 1)).T
    model = recording(np.concatenate([train, loops]), self_loops=True)
    link_existence(model, np.concatenate([test, loops]))
    for sources, targets, _ in model.scored:
        assert (sources != targets).all()


# --- errors ---------------------------------------------------------------------------


@pytest.mark.parametrize("scorer", SCORERS)
def test_no_links(scorer, model):
    for table in ([[1, 1], [2, 2]], [[1, 2, 0.0]]):
        with pytest.raises(ValueError, match="X contains no link between two nodes"):
            scorer(model, table)


@pytest.mark.parametrize("scorer", SCORERS)
def test_other_estimators(scorer, split):
    name = re.escape(scorer.__name__)
    search = GridSearchCV(graph_embedder(), {"steps": [1]})
    for wrong in (
        LogisticRegression(),
        PPMISVDEmbedder(),
        search,
        make_pipeline(graph_embedder(), LogisticRegression()),
        Pipeline([("embed", "passthrough")]),
    ):
        pattern = f"{name} needs a fitted GraphEmbedder, .* {type(wrong).__name__}"
        with pytest.raises(TypeError, match=pattern):
            scorer(wrong, split[1])


@pytest.mark.parametrize("scorer", SCORERS)
def test_unfitted(scorer, split):
    with pytest.raises(ValueError, match="not fitted"):
        scorer(graph_embedder(), split[1])


@pytest.mark.parametrize("scorer", SCORERS)
def test_wrong_edges(scorer, model, split):
    with pytest.raises(ValueError, match="whose rows are not edges"):
        scorer(model, sparse.csr_array(np.eye(3)))
    with pytest.raises(ValueError, match="must be all int or all str"):
        scorer(model, split[1].astype(str))


def test_wrong_parameters(model, split):
    for scorer in (link_existence, link_direction):
        with pytest.raises(ValueError, match=f"'kind' parameter of {scorer.__name__}"):
            scorer(model, split[1], kind="cosine")
    with pytest.raises(ValueError, match="'task' parameter of degree_baseline"):
        degree_baseline(model, split[1], task="both")


# --- scikit-learn ---------------------------------------------------------------------


def test_search(edges):
    search = GridSearchCV(
        graph_embedder(),
        {"embedder__share_context": [True, False]},
        scoring=SCORING,
        refit="existence",
        cv=EdgeKFold(3, random_state=0),
        error_score="raise",
    ).fit(edges)
    results = search.cv_results_
    # Groups in a circle: one table must bring a group close to the next and to the one
    # before, although there are no links to it.
    assert search.best_params_ == {"embedder__share_context": False}
    assert results["mean_test_direction"][0] == 0.5
    for name in ("direction_by_degrees", "existence_by_degrees", "coverage"):
        one, two = results[f"mean_test_{name}"]
        assert one == two
    fold = next(EdgeKFold(3, random_state=0).split(edges))
    model = graph_embedder().fit(edges[fold[0]])
    for name, scorer in SCORING.items():
        expected = scorer(model, edges[fold[1]])
        assert results[f"split0_test_{name}"][1] == expected
    # The search itself, fitted on all edges.
    assert link_existence(search, edges[:100]) == link_existence(
        search.best_estimator_, edges[:100]
    )


@pytest.mark.parametrize("scorer", [*SCORERS, partial(link_existence, kind="pmi")])
def test_scorer_alone(edges, scorer):
    cv = EdgeKFold(2, random_state=0)
    plain = cross_val_score(graph_embedder(), edges, scoring=scorer, cv=cv)
    assert np.isfinite(plain).all()
    with config_context(enable_metadata_routing=True):
        # scikit-learn 1.6 needs a mapping.
        routed = cross_val_score(
            graph_embedder(), edges, scoring=scorer, cv=cv, params={}
        )
    np.testing.assert_array_equal(plain, routed)
    restored = pickle.loads(pickle.dumps(scorer))
    again = cross_val_score(graph_embedder(), edges, scoring=restored, cv=cv)
    np.testing.assert_array_equal(plain, again)


@pytest.mark.long
def test_two_processes(edges):
    results = [
        cross_validate(
            graph_embedder(),
            edges,
            scoring=SCORING,
            cv=EdgeKFold(2, random_state=0),
            n_jobs=n_jobs,
        )
        for n_jobs in (None, 2)
    ]
    for name in SCORING:
        np.testing.assert_array_equal(*(one[f"test_{name}"] for one in results))


def test_pipeline_transforms_edges_first(split, model):
    train, test = split
    pipeline = make_pipeline(FunctionTransformer(np.negative), graph_embedder())
    pipeline.fit(-train)
    nested = make_pipeline(pipeline)
    nested.fit(-train)
    for scorer in SCORERS:
        assert scorer(pipeline, -test) == scorer(nested, -test) == scorer(model, test)


def test_score_of_a_fold_without_known_links_is_an_error_of_the_search():
    edges = np.arange(20).reshape(-1, 2)
    with pytest.warns(UserWarning, match="No link in X can be scored"):
        scores = cross_val_score(
            graph_embedder(), edges, scoring=link_existence, cv=EdgeKFold(2)
        )
    assert np.isnan(scores).all()
