"""`GraphEmbedder`: what it learns, and how it behaves in scikit-learn."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, estimator_html_repr

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    PretrainedEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
)
from skembed._fit import _collected
from skembed._tying import strategies
from skembed.graphs import GraphEmbedder
from skembed.vectors import WordVectors
from tests.helpers import ESTIMATORS, KNOWS_POLARS, learned, same, sound_strategies

PLAIN = {"shift": 1, "context_exponent": 1.0, "subsample": 0}
LEAST_SKLEARN_CHECKS = 37


def draw(seed=0, n_nodes=30, n_edges=300):
    """Return edges; five nodes are never sources, and five never targets."""
    rng = np.random.default_rng(seed)
    sources = rng.integers(5, n_nodes, n_edges)
    targets = rng.integers(0, n_nodes - 5, n_edges)
    # More edges to the nodes that follow, so that there is direction to learn.
    targets = np.where(
        rng.random(n_edges) < 0.5, (sources + 1) % (n_nodes - 5), targets
    )
    kept = sources != targets
    return np.stack([sources, targets], axis=1)[kept]


EDGES = draw()
NAMED = [(f"n{a:02}", f"n{b:02}") for a, b in EDGES.tolist()]
A = np.zeros((30, 30))
np.add.at(A, tuple(EDGES.T), 1.0)


def ppmi_svd(**parameters):
    return PPMISVDEmbedder(**{"n_components": 4, "random_state": 0, **parameters})


def graph_embedder(embedder=None, **parameters):
    return GraphEmbedder(ppmi_svd() if embedder is None else embedder, **parameters)


def cheap(estimator, **parameters):
    given = {"n_components": 4, "random_state": 0}
    if estimator is not PPMISVDEmbedder:
        given["max_iter"] = 3
    return estimator(**given, **parameters)


def of_graph(fitted):
    """Return what `fit` has set, with the learned attributes of the embedder."""
    found = learned(fitted)
    found.pop("_metadata_request", None)
    found["nodes_"] = found["nodes_"].tolist()
    embedder = learned(found.pop("embedder_"))
    embedder["_column_words"] = list(embedder["_column_words"])
    return {**found, **{f"embedder_.{name}": v for name, v in embedder.items()}}


def assert_same(left, right):
    first, second = of_graph(left), of_graph(right)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert same(value, second[name]), name


# --- what is learned ------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_embedder_learns_from_the_adjacency_matrix(estimator):
    unused = {"combine": "word", "pooling": "mean", "scale": None}
    alone = cheap(estimator, input="cooccurrence", **unused).fit(sparse.csr_array(A))
    graph = graph_embedder(cheap(estimator)).fit(EDGES)
    assert (graph.nodes_ == np.arange(30)).all()
    assert (graph.adjacency_.toarray() == A).all()
    assert same(graph.source_vectors_, alone.word_vectors_)
    assert same(graph.target_vectors_, alone.context_vectors_)
    assert list(graph.embedder_.vocabulary_) == list(range(30))
    # The given embedder stays as it was.
    assert not hasattr(graph.embedder, "word_vectors_")
    assert graph.embedder.input == "content"


def test_forms_of_one_graph():
    expected = graph_embedder().fit(NAMED)
    frame = pd.DataFrame(NAMED, columns=["source", "target"])
    for X in (np.array(NAMED), frame, pl.DataFrame(frame.to_dict("list"))):
        found = graph_embedder().fit(X)
        assert same(found.source_vectors_, expected.source_vectors_)
        assert (found.nodes_ == expected.nodes_).all()
        assert same(found.transform(X), expected.transform(NAMED))
    networkx = pytest.importorskip("networkx")
    G = networkx.MultiDiGraph(NAMED)
    nodes = [f"n{i:02}" for i in range(30)]
    for X, given in (
        (G, None),
        (sparse.csr_array(A), nodes),
        (sparse.coo_matrix(A), nodes),
    ):
        found = graph_embedder(nodes=given).fit(X)
        assert found.nodes_.tolist() == nodes
        assert same(found.source_vectors_, expected.source_vectors_)
        assert same(found.transform(NAMED), expected.transform(NAMED))
        assert not hasattr(found, "n_features_in_")


@pytest.mark.parametrize("weighting", ["uniform", "harmonic", [1.0, 0.25, 2.0]])
def test_steps(weighting):
    P = A / np.maximum(A.sum(axis=1, keepdims=True), 1.0)
    weights = {"uniform": [1, 1, 1], "harmonic": [1, 1 / 2, 1 / 3]}.get(
        str(weighting), weighting
    )
    counts = sum(w * A @ np.linalg.matrix_power(P, k) for k, w in enumerate(weights))
    graph = graph_embedder(ppmi_svd(**PLAIN), steps=3, step_weighting=weighting).fit(
        EDGES
    )
    alone = ppmi_svd(**PLAIN, input="cooccurrence").fit(counts)
    found = graph.score_links(*np.indices((30, 30)))
    words = [f"x{i}" for i in range(30)]
    expected = alone.score_pairs(np.array(words)[:, None], words)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # The adjacency matrix is that of the graph.
    assert (graph.adjacency_.toarray() == A).all()


def test_undirected():
    graph = graph_embedder(directed=False).fit(EDGES)
    assert (graph.adjacency_.toarray() == A + A.T).all()
    again = graph_embedder().fit(np.vstack([EDGES, EDGES[:, ::-1]]))
    assert same(graph.source_vectors_, again.source_vectors_)


def test_weights():
    weights = np.random.default_rng(0).integers(0, 3, len(EDGES))
    repeated = graph_embedder(nodes=range(30)).fit(np.repeat(EDGES, weights, axis=0))
    by_sample_weight = graph_embedder().fit(EDGES, sample_weight=weights)
    assert_same(by_sample_weight, repeated)
    by_column = graph_embedder().fit(np.column_stack([EDGES, weights]))
    assert same(by_column.source_vectors_, repeated.source_vectors_)
    assert by_column.n_features_in_ == 3


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nodes_without_edges_have_zero_vectors(estimator):
    nodes = np.arange(-1, 30)
    for strategy in sound_strategies(estimator):
        graph = graph_embedder(
            cheap(estimator, share_context=strategy.name), nodes=nodes
        )
        graph.fit(EDGES)
        assert not graph.transform([-1, 1000]).any()
        never_source, never_target = range(5), range(25, 30)
        with_itself = np.stack([nodes, nodes], axis=1)
        sources, targets = np.hsplit(graph.transform(with_itself), 2)
        of_sources = sources[np.isin(nodes, never_source)].any(axis=1)
        of_targets = targets[np.isin(nodes, never_target)].any(axis=1)
        if strategy.context_table:
            assert not of_sources.any()
            assert not of_targets.any()
        else:
            # With one table, a node learns from both roles.
            assert of_sources.all()
            assert of_targets.all()


def test_names_of_nodes_like_default_names_of_columns():
    """An embedder would take them for an order of its columns."""
    renamed = [(f"x{a}", f"x{b}") for a, b in EDGES.tolist()]
    graph = graph_embedder().fit(renamed)
    expected = graph_embedder(nodes=[int(one[1:]) for one in graph.nodes_]).fit(EDGES)
    assert graph.nodes_[:3].tolist() == ["x0", "x1", "x10"]
    assert same(graph.source_vectors_, expected.source_vectors_)
    assert same(graph.target_vectors_, expected.target_vectors_)


def test_init_is_by_node():
    vectors = {
        one: np.full(4, i + 1.0)
        for i, one in enumerate(sorted(set(EDGES.ravel().tolist())))
    }
    embedder = SGNSEmbedder(
        4, init=vectors, learning_rate=1e-9, max_iter=1, random_state=0
    )
    graph = graph_embedder(embedder).fit(EDGES)
    is_source = A.any(axis=1)
    expected = (np.arange(30) + 1.0)[is_source]
    np.testing.assert_allclose(graph.source_vectors_[is_source, 0], expected, rtol=1e-4)


def test_relabelling_changes_no_score():
    n_nodes = 40
    rng = np.random.default_rng(3)
    # Blocks of different densities, so that the spectrum has a gap after four values.
    rates = np.full((4, 4), 0.03) + np.diag([0.9, 0.7, 0.5, 0.3])
    blocks = np.repeat(np.arange(4), 10)
    edges = np.argwhere(rng.random((n_nodes, n_nodes)) < rates[np.ix_(blocks, blocks)])
    names = rng.permutation(n_nodes)
    pairs = np.indices((n_nodes, n_nodes))
    for share_context in (False, True, "signed"):
        embedder = ppmi_svd(share_context=share_context, **PLAIN)
        graph = graph_embedder(embedder, self_loops=True).fit(edges)
        other = graph_embedder(embedder, self_loops=True).fit(
            names[rng.permutation(edges)]
        )
        found = other.score_links(*names[pairs])
        np.testing.assert_allclose(found, graph.score_links(*pairs), atol=1e-4)


# --- scores ---------------------------------------------------------------------------


def test_scores_equal_the_pmi_in_closed_form():
    """Enough dimensions reproduce the matrix, whose entries have a formula."""
    graph = graph_embedder(ppmi_svd(n_components=30, **PLAIN)).fit(EDGES)
    total = A.sum()
    degrees = np.outer(A.sum(axis=1), A.sum(axis=0))
    pmi = np.full_like(A, -np.inf)
    pmi[A > 0] = np.log(A[A > 0] * total / degrees[A > 0])
    every = np.indices((30, 30))
    scores = graph.score_links(*every)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, np.maximum(pmi, 0.0), atol=1e-5)
    likely = pmi > 0
    probabilities = np.exp(graph.score_links(*every, kind="log_probability"))
    np.testing.assert_allclose(probabilities[likely], (A / total)[likely], rtol=1e-4)
    np.testing.assert_allclose(
        scores.astype(np.float32),
        graph.embedder_.score_pairs(np.arange(30)[:, None], np.arange(30)),
        atol=1e-5,
    )


def test_log_probability_of_nodes_without_degrees():
    weights = np.full(len(EDGES), 0.5)
    graph = graph_embedder().fit(EDGES, sample_weight=weights)
    found = graph.score_links(0, 29, kind="log_probability")
    half_an_edge = np.log(0.25 / (0.5 * A.sum()))
    assert found == pytest.approx(graph.score_links(0, 29) + 2 * half_an_edge)


@pytest.mark.parametrize("bias", [None, "shift", "exact", "word"])
@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
def test_pmi_leaves_out_biases(estimator, bias):
    graph = graph_embedder(cheap(estimator, bias=bias)).fit(EDGES)
    assert_products(graph)


def test_pmi_of_glove_leaves_out_biases():
    graph = graph_embedder(cheap(GloVeEmbedder)).fit(EDGES)
    assert_products(graph)
    fitted = graph.embedder_
    words, contexts = EDGES.T
    popularity = fitted.word_biases_[words] + fitted.context_biases_[contexts]
    score = fitted.score_pairs(words, contexts)
    np.testing.assert_allclose(
        graph.score_links(words, contexts), score - popularity, atol=1e-5
    )


def assert_products(graph):
    expected = [
        float(graph.source_vectors_[a].astype(float) @ graph.target_vectors_[b])
        for a, b in EDGES
    ]
    np.testing.assert_allclose(graph.score_links(*EDGES.T), expected, atol=1e-6)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 0.3])
@pytest.mark.parametrize("share_context", [True, "signed"])
def test_symmetric_strategies_score_both_directions_alike(share_context, exponent):
    embedder = ppmi_svd(share_context=share_context, singular_exponent=exponent)
    graph = graph_embedder(embedder).fit(EDGES)
    forth, back = graph.score_links(*EDGES.T), graph.score_links(*EDGES.T[::-1])
    assert forth.tobytes() == back.tobytes()
    assert forth.std() > 0.1
    assert not (graph_embedder().fit(EDGES).score_links(*EDGES.T) == back).any()
    # The degrees tell the directions from each other.
    forth = graph.score_links(*EDGES.T, kind="log_probability")
    back = graph.score_links(*EDGES.T[::-1], kind="log_probability")
    assert (forth != back).any()


def test_shapes_of_scores():
    graph = graph_embedder().fit(NAMED)
    one = graph.score_links("n05", "n07")
    assert one.shape == ()
    row = graph.score_links("n05", ["n07", "n08"])
    assert row.tolist() == [one, graph.score_links("n05", "n08")]
    grid = graph.score_links(np.array([["n05"], ["n06"]]), pd.Series(["n07", "n08"]))
    assert grid.shape == (2, 2)
    assert (grid[0] == row).all()
    assert graph.score_links([], []).shape == (0,)
    many = np.resize(EDGES, (200_000, 2))
    scores = graph_embedder().fit(EDGES).score_links(*many.T)
    assert (scores[: len(EDGES)] == scores[len(EDGES) : 2 * len(EDGES)]).all()
    assert (scores == np.resize(scores[: len(EDGES)], scores.shape)).all()


def test_bad_scores():
    graph = graph_embedder().fit(NAMED)
    for bad, message in (
        ((["n05", "unknown"], "n07"), "source 'unknown' is not among the 30 nodes"),
        (("n05", ["n07", "zz"]), "target 'zz' is not among"),
        ((5, "n07"), r"those of fit are str \('n00', .*the sources are int \(5, "),
        ((["n05", None], "n07"), "source in place 1 of sources is missing"),
        (
            ("n05", np.ma.masked_equal(["n07", "n08"], "n07")),
            "ids of targets are a mas",
        ),
        ((["n05", "n06"], ["n05"] * 3), r"shape \(2,\) and targets of shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            graph.score_links(*bad)
    with pytest.raises(ValueError, match=r"kind must be one of .* got 'cosine'"):
        graph.score_links("n05", "n06", kind="cosine")
    with pytest.raises(NotFittedError):
        graph_embedder().score_links(1, 2)


# --- transform ------------------------------------------------------------------------


def test_transform():
    graph = graph_embedder().fit(NAMED)
    rows = [*NAMED[:3], ("n05", "unknown"), ("unknown", "n07")]
    position = {one: i for i, one in enumerate(graph.nodes_)}
    zero = np.zeros(4, dtype=np.float32)

    def vector(table, node):
        return table[position[node]] if node in position else zero

    sources, targets = graph.source_vectors_, graph.target_vectors_
    expected = np.array(
        [[*vector(sources, a), *vector(targets, b)] for a, b in rows], np.float32
    )
    assert same(graph.transform(rows), expected)
    # Weights are not read, not even if they are not valid.
    assert same(graph.transform([(a, b, -1.0) for a, b in rows]), expected)
    ids = ["n07", "unknown", "n29"]
    of_nodes = np.array(
        [[*vector(sources, a), *vector(targets, a)] for a in ids], np.float32
    )
    for X in (
        ids,
        np.array(ids),
        np.array(ids)[:, None],
        pd.Series(ids),
        pl.Series(ids),
    ):
        assert same(graph.transform(X), of_nodes)
    assert same(graph.transform(pd.DataFrame({"id": ids})), of_nodes)
    assert graph.transform(np.empty((0, 2), dtype=int)).shape == (0, 8)


@pytest.mark.parametrize(
    ("share_context", "directed", "n_sides"),
    [(False, True, 2), (False, False, 1), (True, True, 1), ("signed", True, 1)],
)
def test_vectors_of_nodes(share_context, directed, n_sides):
    graph = graph_embedder(ppmi_svd(share_context=share_context), directed=directed)
    vectors = graph.fit(EDGES).transform(np.arange(30))
    sides = [graph.source_vectors_, graph.target_vectors_][:n_sides]
    assert same(vectors, np.hstack(sides))
    assert graph.transform(EDGES).shape == (len(EDGES), 8)


def test_columns_keep_their_names():
    frame = pd.DataFrame(NAMED, columns=["citing", "cited"]).assign(weight=1.0)
    graph = graph_embedder().fit(frame)
    assert graph.n_features_in_ == 3
    assert graph.feature_names_in_.tolist() == ["citing", "cited", "weight"]
    expected = graph.transform(NAMED)
    assert same(graph.transform(frame[["cited", "citing"]]), expected)
    with pytest.raises(ValueError, match="sources and targets of fit were the columns"):
        graph.transform(frame.rename(columns={"citing": "from"}))
    unnamed = graph_embedder().fit(NAMED)
    assert unnamed.n_features_in_ == 2
    assert not hasattr(unnamed, "feature_names_in_")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (sparse.csr_array(A), "X is a csr_array, .*array of edges, .*takes nodes"),
        ([("a", "b"), (None, "b")], "source in row 1 of X is missing"),
        ([1, 2], r"those of fit are str .* those of X are int \(1"),
        ([(1, 2)], r"those of fit are str .* those of X are int \(1"),
        (np.ones((2, 4), int), r"X has 4 feature\(s\)"),
        ("n05", r"X is str \('n05'\)"),
    ],
)
def test_bad_transform(X, message):
    graph = graph_embedder().fit(NAMED)
    with pytest.raises(ValueError, match=message):
        graph.transform(X)


def test_whole_graphs_are_not_transformed():
    with pytest.raises(ValueError, match="X is a csr_array, whose rows are not edges"):
        graph_embedder().fit_transform(sparse.csr_array(A))
    networkx = pytest.importorskip("networkx")
    G = networkx.DiGraph(NAMED)
    with pytest.raises(ValueError, match="X is a DiGraph, whose rows are not edges"):
        graph_embedder().fit(G).transform(G)


def test_fit_transform():
    graph = graph_embedder()
    features = graph.fit_transform(iter(NAMED))
    assert same(features, graph.transform(NAMED))
    assert_same(graph, graph_embedder().fit(NAMED))


# --- nodes as samples -----------------------------------------------------------------


LABELS = (np.arange(30) // 5 % 2).tolist()


@pytest.mark.parametrize("form", ["edges", "matrix", "frame"])
def test_nodes_as_samples(form):
    edges = {
        "edges": EDGES,
        "matrix": sparse.csr_array(A),
        "frame": pd.DataFrame(EDGES, columns=["source", "target"]),
    }[form]
    expected = graph_embedder().fit(EDGES)
    graph = graph_embedder(edges=edges)
    ids = [3, 7, 1000, 29]
    features = graph.fit_transform(ids, [0, 1, 0, 1])
    assert same(features, expected.transform(ids))
    assert not hasattr(graph, "n_features_in_")
    assert graph.fit(np.array(ids)[:, None]).n_features_in_ == 1
    names = graph.fit(pd.DataFrame({"id": ids})).feature_names_in_
    assert names.tolist() == ["id"]


@pytest.mark.parametrize(
    ("X", "y", "weights", "message"),
    [
        ([1, 2], [0], None, "inconsistent numbers of samples"),
        ([1, 2], None, [1, 1], "sample_weight are weights of edges"),
        (EDGES, None, None, "X has 2 columns; ids of nodes are one column"),
        (sparse.csr_array(A), None, None, "the graph is the parameter `edges`"),
        ([1, None], None, None, "node in row 1 of X is missing"),
        (["a"], None, None, "those of edges are int .* those of X are str"),
    ],
)
def test_bad_nodes_as_samples(X, y, weights, message):
    with pytest.raises(ValueError, match=message):
        graph_embedder(edges=EDGES).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"edges": [("a", "b"), ("c", None)]}, "target in row 1 of edges is missing"),
        ({"edges": [("a", "b", -1)]}, "weight in row 0 of edges is -1"),
        ({"edges": np.ones((4, 4))}, r"edges has 4 feature\(s\)"),
        ({"edges": sparse.eye_array(2, 3)}, "edges is a matrix of shape"),
        ({"edges": EDGES, "steps": 2, "step_weighting": [1]}, "^step_weighting has"),
        (
            {"edges": EDGES, "steps": 2, "step_weighting": [1, np.nan]},
            "step_weighting contains NaN",
        ),
    ],
)
def test_errors_name_the_parameter(parameters, message):
    with pytest.raises(ValueError, match=message):
        graph_embedder(**parameters).fit([1])


class Counting(PPMISVDEmbedder):
    """An embedder that counts its fits."""

    n_fits = 0

    def fit(self, X, y=None, sample_weight=None):
        """Fit."""
        type(self).n_fits += 1
        return super().fit(X, y, sample_weight)


def test_memory_fits_each_candidate_once(tmp_path):
    def search(memory):
        Counting.n_fits = 0
        pipeline = make_pipeline(
            GraphEmbedder(
                Counting(4, random_state=0, subsample=0), edges=EDGES, memory=memory
            ),
            LogisticRegression(),
        )
        grid = {"graphembedder__embedder__share_context": [False, True]}
        return GridSearchCV(pipeline, grid, cv=3).fit(np.arange(30), LABELS)

    plain = search(None)
    assert Counting.n_fits == 2 * 3 + 1
    for memory, n_fits in (
        (str(tmp_path), 2),
        (joblib.Memory(str(tmp_path), verbose=0), 0),
    ):
        kept = search(memory)
        assert Counting.n_fits == n_fits
        for name in ("mean_test_score", "params"):
            assert same(kept.cv_results_[name], plain.cv_results_[name])
    fitted, expected = (one.best_estimator_[0] for one in (kept, plain))
    assert_same(fitted, expected)
    # Another graph is another fit.
    GraphEmbedder(Counting(4, random_state=0, subsample=0), memory=tmp_path).fit(NAMED)
    assert Counting.n_fits == 1


class Interrupted(PPMISVDEmbedder):
    """An embedder whose fit behaves like one that is interrupted after an epoch."""

    n_fits = 0

    def fit(self, X, y=None, sample_weight=None):
        """Fit."""
        type(self).n_fits += 1
        super().fit(X, y, sample_weight)
        _collected.get().add(["Training was interrupted."], UserWarning, True)
        return self


def test_memory_does_not_keep_interrupted_fits(tmp_path):
    Interrupted.n_fits = 0
    for n_fits in (1, 2):
        graph = GraphEmbedder(Interrupted(4), memory=tmp_path)
        with pytest.warns(
            UserWarning, match=r"Interrupted, .*Training was interrupted"
        ):
            graph.fit(EDGES)
        assert Interrupted.n_fits == n_fits
        # The model is kept, even if warnings are errors.
        assert graph.source_vectors_.shape == (30, 4)


# --- warnings and errors --------------------------------------------------------------


def test_self_loops_give_one_warning():
    edges = [*NAMED, ("n03", "n03"), ("n03", "n03"), ("n09", "n09")]
    with pytest.warns(
        UserWarning, match="2 nodes have self loops, which were dr"
    ) as found:
        graph = graph_embedder().fit(edges)
    assert len(found) == 1
    assert found[0].filename == __file__
    assert same(graph.source_vectors_, graph_embedder().fit(NAMED).source_vectors_)
    with pytest.warns(UserWarning, match="2 nodes have self loops") as found:
        graph_embedder().fit_transform(edges)
    assert found[0].filename == __file__
    kept = graph_embedder(self_loops=True).fit(edges)
    assert kept.adjacency_[3, 3] == 2.0


def test_one_warning_of_graph_and_embedder():
    message = (
        r"^1 node has a self loop, .*PPMISVDEmbedder, whose words.*n_components=40"
    )
    with pytest.warns(UserWarning, match=message) as found:
        graph_embedder(ppmi_svd(n_components=40)).fit([*NAMED, ("n03", "n03")])
    assert len(found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = graph_embedder()
        with pytest.raises(UserWarning):
            graph.fit([*NAMED, ("n03", "n03")])
    assert not learned(graph)


def test_embedders_warn_as_ever():
    """Only within a fit of GraphEmbedder, the caller knows that A is not symmetric."""
    graph_embedder(ppmi_svd(share_context=True)).fit(EDGES)
    with pytest.warns(UserWarning, match="X is not symmetric"):
        ppmi_svd(share_context=True, input="cooccurrence").fit(A)


@pytest.mark.parametrize(
    ("embedder", "message"),
    [
        (
            PretrainedEmbedder({"a": [1.0]}),
            "embedder must be .* got PretrainedEmbedder",
        ),
        (LogisticRegression(), "embedder must be .* got LogisticRegression"),
        (
            "ppmi",
            "embedder must be an estimator that learns from counts, .* got 'ppmi'",
        ),
        (None, "embedder must be .* got None"),
        (PPMISVDEmbedder, "embedder must be"),
        (ppmi_svd(vocabulary=["a"]), r"vocabulary=\['a'\], which selects words"),
        (ppmi_svd(max_features=3), "max_features=3, which selects words"),
        (ppmi_svd(directional=True), "directional=True.* one direction"),
        (SGNSEmbedder(directional=True), "directional=True.* one direction"),
        (SGNSEmbedder(exclude_window_noise=True), "exclude_window_noise=True"),
        (ppmi_svd(n_components=0), "n_components"),
        (ppmi_svd(share_context="both"), "share_context .* got 'both'"),
    ],
)
def test_bad_embedders(embedder, message):
    with pytest.raises(ValueError, match=message):
        GraphEmbedder(embedder).fit(EDGES)


@pytest.mark.parametrize(
    "parameters",
    [
        {"steps": 0},
        {"steps": True},
        {"steps": 1.5},
        {"step_weighting": "linear"},
        {"step_weighting": [1.0, 2.0]},
        {"directed": "yes"},
        {"self_loops": None},
        {"nodes": "abc"},
        {"memory": 3},
    ],
)
def test_bad_parameters(parameters):
    with pytest.raises(ValueError, match=next(iter(parameters)).split("_")[-1]):
        graph_embedder(**parameters).fit(EDGES)


def test_failed_fits_leave_the_estimator_as_it_was():
    graph = graph_embedder()
    with pytest.raises(ValueError, match="missing"):
        graph.fit([(1, None)])
    assert not learned(graph)
    with pytest.raises(NotFittedError):
        graph.transform(EDGES)
    graph.fit(pd.DataFrame(NAMED, columns=["source", "target"]))
    before = of_graph(graph)
    with pytest.raises(ValueError, match="steps"):
        graph.set_params(steps=0).fit(EDGES)
    with pytest.raises(ValueError, match="n_components"):
        graph.set_params(steps=1, embedder__n_components=0).fit(EDGES)
    assert of_graph(graph).keys() == before.keys()
    assert all(same(value, before[name]) for name, value in of_graph(graph).items())
    # A fit drops what an earlier one has learned.
    graph.set_params(embedder__n_components=4).fit(sparse.csr_array(A))
    assert not hasattr(graph, "feature_names_in_")
    assert not hasattr(graph, "n_features_in_")


# --- scikit-learn ---------------------------------------------------------------------


# Their input is not a list of edges of int or str, and the estimator says so.
EXPECTED_TO_FAIL = {
    "check_n_features_in_after_fitting": "edges may have two columns or three",
    "check_positive_only_tag_during_fit": "ids may be negative, weights may not",
    "check_estimators_dtypes": "five columns",
    "check_all_zero_sample_weights_error": "twenty columns",
    "check_sample_weight_equivalence_on_dense_data": "thirty columns",
    "check_sample_weight_equivalence_on_sparse_data": "not a square matrix",
    "check_dtype_object": "ten columns",
    "check_estimators_empty_data_messages": "the message for no columns is our own",
    "check_estimators_nan_inf": "ten columns",
    "check_pipeline_consistency": "self loops only",
    "check_estimators_pickle": "self loops only",
    "check_transformer_general": "transform takes edges, weighted edges and nodes",
    "check_fit2d_1sample": "ten columns",
    "check_fit2d_predict1d": "one dimension is a list of nodes",
}


@pytest.mark.filterwarnings("ignore:.*self loop:UserWarning")
def test_check_estimator():
    """scikit-learn's checks pass as far as their input is a list of edges."""
    results = estimator_checks.check_estimator(
        graph_embedder(ppmi_svd(n_components=2)),
        expected_failed_checks=EXPECTED_TO_FAIL,
        on_skip=None,
    )
    passed = [one for one in results if one["status"] == "passed"]
    assert len(passed) >= LEAST_SKLEARN_CHECKS
    failed = {one["check_name"] for one in results if one["status"] == "xfail"}
    assert failed <= EXPECTED_TO_FAIL.keys()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_clone_and_pickle(estimator):
    graph = graph_embedder(cheap(estimator), steps=2, directed=False)
    again = clone(graph)
    assert again.get_params()["embedder__n_components"] == 4
    assert again.get_params()["steps"] == 2
    graph.fit(NAMED)
    assert_same(again.fit(NAMED), graph)
    copied = pickle.loads(pickle.dumps(graph))
    assert_same(copied, graph)
    assert same(copied.transform(NAMED), graph.transform(NAMED))
    assert same(
        copied.score_links("n07", graph.nodes_), graph.score_links("n07", graph.nodes_)
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_same_bits_for_every_n_jobs(estimator):
    graph = graph_embedder(cheap(estimator)).fit(EDGES)
    again = clone(graph).set_params(embedder__n_jobs=2).fit(EDGES)
    assert_same(again, graph)


def mean_score(estimator, X, y=None):
    """Return a score in which the held-out edges matter; unknown nodes count as 0."""
    features = estimator.transform(X)
    sources, targets = np.hsplit(features, 2)
    return float((sources * targets).sum(axis=1).mean())


def test_search_over_strategies():
    grid = {"embedder__share_context": [False, True, "signed"], "steps": [1, 2]}
    cv = KFold(3, shuffle=True, random_state=0)
    results = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            graph_embedder(), grid, scoring=mean_score, cv=cv, n_jobs=n_jobs
        )
        with joblib.parallel_config("threading"):
            search.fit(NAMED)
        results.append(search)
    first, second = results
    assert same(
        first.cv_results_["mean_test_score"], second.cv_results_["mean_test_score"]
    )
    assert_same(first.best_estimator_, second.best_estimator_)
    # By hand, for one candidate.
    scores = []
    for train, test in cv.split(NAMED):
        fitted = graph_embedder().fit([NAMED[i] for i in train])
        scores.append(mean_score(fitted, [NAMED[i] for i in test]))
    assert first.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(scores))


def test_edges_over_time():
    frame = pd.DataFrame(NAMED, columns=["source", "target"]).assign(
        time=range(len(NAMED))
    )
    found = cross_val_score(
        graph_embedder(), frame, scoring=mean_score, cv=TimeSeriesSplit(3)
    )
    sizes = [(len(train), len(test)) for train, test in TimeSeriesSplit(3).split(frame)]
    n_train, n_test = sizes[0]
    fitted = graph_embedder().fit(NAMED[:n_train])
    assert found[0] == mean_score(fitted, NAMED[n_train : n_train + n_test])


def test_pipeline_of_labelled_edges():
    y = (EDGES[:, 1] > EDGES[:, 0]).astype(int)
    pipeline = make_pipeline(graph_embedder(), LogisticRegression()).fit(EDGES, y)
    assert pipeline[0].n_features_in_ == 2
    assert pipeline.score(EDGES, y) > 0.6
    assert pipeline[:-1].get_feature_names_out()[0] == "graphembedder_source0"


def test_routing_of_weights():
    weights = np.random.default_rng(0).random(len(EDGES))
    expected = graph_embedder().fit(EDGES, sample_weight=weights)
    y = np.arange(len(EDGES)) % 2
    with config_context(enable_metadata_routing=True):
        graph = graph_embedder().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(
            graph, LogisticRegression().set_fit_request(sample_weight=False)
        )
        pipeline.fit(EDGES, y, sample_weight=weights)
    assert_same(pipeline[0], expected)
    pipeline = make_pipeline(graph_embedder(), LogisticRegression())
    pipeline.fit(EDGES, y, graphembedder__sample_weight=weights)
    assert_same(pipeline[0], expected)


def frames():
    known = [] if KNOWS_POLARS else [pytest.mark.skip("an older scikit-learn")]
    return ["pandas", pytest.param("polars", marks=known)]


@pytest.mark.parametrize("library", frames())
def test_set_output(library):
    graph = graph_embedder(ppmi_svd(n_components=2)).set_output(transform=library)
    frame = graph.fit_transform(NAMED)
    names = [
        f"graphembedder_{side}{i}" for side in ("source", "target") for i in (0, 1)
    ]
    assert list(frame.columns) == graph.get_feature_names_out().tolist() == names
    assert (
        frame.to_numpy() == graph.set_output(transform="default").transform(NAMED)
    ).all()
    # Vectors of nodes with one table are as many columns as their names.
    nodes = graph_embedder(ppmi_svd(n_components=2, share_context=True), edges=NAMED)
    found = nodes.set_output(transform=library).fit_transform(["n05", "n06"])
    assert list(found.columns) == ["graphembedder0", "graphembedder1"]
    with pytest.raises(ValueError, match=r"names the columns of nodes.*of edges"):
        nodes.transform(NAMED)
    two = graph_embedder(ppmi_svd(n_components=2), edges=NAMED)
    found = two.set_output(transform=library).fit_transform(["n05", "n06"])
    assert list(found.columns) == names


def test_representations_are_short():
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 1000, (2000, 2))
    for given in (
        edges,
        edges.tolist(),
        list(map(tuple, edges.tolist())),
        pd.DataFrame(edges),
    ):
        graph = graph_embedder(edges=given, nodes=range(1000))
        assert len(repr(graph)) < 2_000
        assert len(estimator_html_repr(graph)) < 200_000


def test_words_of_the_embedder_are_nodes():
    """So that tools for vectors of words take nodes."""
    graph = graph_embedder().fit(NAMED)
    vectors = WordVectors.from_estimator(graph.embedder_)
    assert vectors.words == tuple(graph.nodes_)
    assert same(vectors["n07"], graph.source_vectors_[7])
    assert strategies.get_strategy(graph.embedder_.share_context).context_table == 1


def test_a_tree_has_no_target_vectors():
    embedder = GraphEmbedder(SoftmaxEmbedder(3, loss="hierarchical"))
    with pytest.raises(ValueError, match="loss='hierarchical', whose scores are not"):
        embedder.fit([("a", "b"), ("b", "c")])


@pytest.mark.parametrize("share_context", [False, True, "signed"])
def test_a_softmax_predicts_targets(share_context):
    # Two groups, whose nodes link to the nodes of their own group.
    edges = [(a, b) for a in range(6) for b in range(6) if a != b and a % 2 == b % 2]
    softmax = SoftmaxEmbedder(
        4, share_context=share_context, l2=0, subsample=0, random_state=0
    )
    embedder = GraphEmbedder(softmax).fit(edges)
    scores = embedder.score_links(0, [2, 4, 1, 3])
    assert scores[:2].min() > scores[2:].max() + 1.0
