"""Edges of lists, arrays, frames, matrices and graphs, compared with loops."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skembed.graphs._edges import Edges, is_graph, named, read_edges
from skembed.graphs._graph import read_graph
from skembed.graphs._ids import rows_of

INTS = [(3, 1), (1, 7), (3, 7)]
STRS = [("c", "a"), ("a", "g"), ("c", "g")]
WEIGHTS = [0.5, 2.0, 0.0]
NA = pd.DataFrame({"a": ["x", pd.NA], "b": ["y", "z"]})
WEIGHTED = [(*pair, w) for pair, w in zip(STRS, WEIGHTS, strict=True)]


class Name(str):
    """Nodes whose `str` is another text, as that of members of an `Enum`."""

    def __str__(self):
        return "another text"


def columns(rows):
    return dict(
        zip(("source", "target", "weight"), zip(*rows, strict=True), strict=False)
    )


def assert_edges(X, pairs, weights=None):
    edges = read_edges(X)
    kind = object if isinstance(pairs[0][0], str) else np.int64
    assert edges.sources.dtype == edges.targets.dtype == kind
    assert list(zip(edges.sources, edges.targets, strict=True)) == pairs
    if kind is object:
        assert {type(one) for one in (*edges.sources, *edges.targets)} == {str}
    if weights is None:
        assert edges.weights is None
    else:
        assert edges.weights.dtype == np.float64
        assert edges.weights.tolist() == weights


# --- tables ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        INTS,
        tuple(map(list, INTS)),
        np.array(INTS),
        np.array(INTS, dtype=np.uint8),
        np.array(INTS, dtype=np.float32),
        np.array(INTS, dtype=np.float16),
        np.array(INTS, dtype=object),
        np.asfortranarray(INTS),
        memoryview(np.array(INTS)),
        [np.array(pair) for pair in INTS],
        pd.DataFrame(INTS),
        pd.DataFrame(columns(INTS), dtype="Int64"),
        pl.DataFrame(columns(INTS)),
    ],
    ids=lambda X: type(X).__name__,
)
def test_ints(X):
    assert_edges(X, INTS)
    assert_edges(iter(X) if isinstance(X, list) else X, INTS)


@pytest.mark.parametrize(
    "X",
    [
        STRS,
        np.array(STRS),
        np.array(STRS, dtype=np.dtypes.StringDType()),
        np.array(STRS, dtype=object),
        [tuple(map(np.str_, pair)) for pair in STRS],
        [tuple(map(Name, pair)) for pair in STRS],
        pd.DataFrame(columns(STRS), dtype="string"),
        pd.DataFrame(columns(STRS), dtype="category"),
        pl.DataFrame(columns(STRS)),
        pl.DataFrame(columns(STRS)).cast(pl.Categorical),
    ],
    ids=lambda X: type(X).__name__,
)
def test_strings(X):
    assert_edges(X, STRS)


@pytest.mark.parametrize(
    "X",
    [
        WEIGHTED,
        np.array(WEIGHTED, dtype=object),
        np.array(WEIGHTED),  # NumPy makes the weights str, too
        pd.DataFrame(WEIGHTED),
        pd.DataFrame(columns(WEIGHTED)),
        pl.DataFrame(WEIGHTED, orient="row"),  # column_0, column_1, column_2
        pl.DataFrame(columns(WEIGHTED)),
    ],
    ids=lambda X: type(X).__name__,
)
def test_weights(X):
    assert_edges(X, STRS, WEIGHTS)


def test_pyarrow():
    pa = pytest.importorskip("pyarrow")
    assert_edges(pa.table(columns(INTS)), INTS)
    assert_edges(pa.table(columns(WEIGHTED)), STRS, WEIGHTS)
    named = {"a": pa.array(["c", "a"]).dictionary_encode(), "b": ["a", "g"]}
    assert_edges(pa.table(named), STRS[:2])
    with pytest.raises(ValueError, match="source in row 1 of X is missing"):
        read_edges(pa.table({"source": ["a", None], "target": ["b", "c"]}))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_columns_are_found_by_name(frame):
    data = {"time": [9, 8], "weight": [0.5, 2], "target": [1, 7], "source": [3, 1]}
    assert_edges(frame(data), INTS[:2], [0.5, 2])
    # Without these names, the first two columns are the edges.
    assert_edges(frame({"citing": [3, 1], "cited": [1, 7]}), INTS[:2])
    assert_edges(frame({"weight": [1, 0], "a": [3, 1], "b": [1, 7]}), INTS[:2], [1, 0])
    with pytest.raises(ValueError, match="third column of X is named 'time'"):
        read_edges(frame({"a": [3], "b": [1], "time": [1999]}))
    with pytest.raises(ValueError, match=r"has 2 feature\(s\)"):
        read_edges(frame({"a": [3], "weight": [1]}))


def test_names_of_an_earlier_frame():
    X = pd.DataFrame({"cited": [1, 7], "citing": [3, 1], "source": "x", "target": "y"})
    edges = read_edges(X, ("citing", "cited"))
    assert list(zip(edges.sources, edges.targets, strict=True)) == INTS[:2]
    with pytest.raises(ValueError, match=r"\['a', 'b'\].*'citing' and 'cited'"):
        read_edges(pd.DataFrame({"a": [1], "b": [2]}), ("citing", "cited"))
    # What has no names is read by place.
    assert read_edges(INTS, ("citing", "cited")).sources.tolist() == [3, 1, 3]


@pytest.mark.parametrize(
    ("X", "message"),
    {
        "a str": ("abc", r"X is str \('abc'\)"),
        "None": (None, "X is NoneType"),
        "a dict": ({"a": 1}, "X is dict"),
        "a set": ({(1, 2)}, "X is set"),
        "nothing": ([], "X is empty"),
        "one column": (np.ones((3, 1), int), r"X has 1 feature\(s\)"),
        "four columns": (np.ones((3, 4), int), r"X has 4 feature\(s\).*csr_array"),
        "three dimensions": (np.ones((2, 2, 2), int), r"shape \(2, 2, 2\)"),
        "a short row": ([(1, 2), (1,)], "Row 1 of X has 1 entries, but row 0 has 2"),
        "no row": ([(1, 2), 3], r"Row 1 of X is int \(3\), but row 0"),
        "complex numbers": (np.ones((2, 2)) * 1j, "Complex data not supported"),
        "a masked array": (np.ma.masked_equal(INTS, 7), "X is a masked array"),
        "a query": (pl.LazyFrame({"a": [1]}), "X is a LazyFrame"),
        "a repeated name": (
            pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]),
            "two columns of the name 'a'",
        ),
        "int and str": ([(1, 2), ("a", 3)], "row 0 of X is 1 and the source in row 1"),
        "int and str columns": ([(1, "b")], r"int \(1, .*are str \('b', "),
        "None as an id": ([(1, 2), (None, 3)], r"source in row 1 .*missing \(None"),
        "NaN as an id": ([("a", "b"), ("a", np.nan)], r"target in row 1.*missing \(n"),
        "NaN among floats": (np.array([[1, np.nan]]), "target in row 0 .*missing"),
        "NA as an id": (NA, "source in row 1 of X is missing"),
        "an empty id": ([("a", ""), ("b", "c")], r"target in row 0 .*missing \(''"),
        "a fraction": ([(1, 2), (1.5, 3)], "source in row 1 of X is 1.5, which is not"),
        "infinity": (np.array([[1, np.inf]]), "target in row 0 of X is inf"),
        "a large float": (np.array([[1e20, 1]]), "row 0 of X is 1e.20, .*2..53"),
        "a large int": ([(2**63, 1)], "row 0 of X is 9223372036854775808, .*too large"),
        "a large uint": (np.array([[1, 2**63]], np.uint64), "target in row 0.*large"),
        "bool": (np.array([[True, False]]), r"source in row 0 of X is bool \(True\)"),
        "bool among ints": ([(1, 2), (1, True)], r"target in row 1 of X is bool"),
        "bytes": ([(b"a", b"b")], "source in row 0 of X is bytes"),
        "a tuple": ([((1, 2), (3, 4))], r"source in row 0 of X is tuple \(\(1, 2\)\)"),
        "a negative weight": ([(1, 2, 1), (2, 3, -1.5)], "weight in row 1 of X is -1"),
        "a NaN weight": ([(1, 2, np.nan)], r"weight in row 0 of X is missing \(nan"),
        "an infinite weight": ([(1, 2, np.inf)], "weight in row 0 of X is inf"),
        "no weight": ([(1, 2, 1), (1, 3, None)], r"weight in row 1 .* missing \(None"),
        "a str as a weight": ([("a", "b", "much")], r"weight in row 0 .* str \('much"),
        "a bool as a weight": ([("a", "b", True)], r"weight in row 0 of X is bool"),
        "a dict as a weight": ([("a", "b", {})], r"weight in row 0 of X is dict"),
    }.values(),
    ids=str,
)  # fmt: skip
def test_bad_edges(X, message):
    with pytest.raises(ValueError, match=message):
        read_edges(X)


# --- nodes ----------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [[2, 5, 9], [9, 2, 5], ["b", "e", "j"], ["j", "b"]])
def test_rows_of(nodes):
    array = np.array(nodes, dtype=object if isinstance(nodes[0], str) else np.int64)
    unknown = "zz" if isinstance(nodes[0], str) else 100
    ids = [*nodes[::-1], unknown, nodes[0]]
    expected = [nodes.index(one) if one in nodes else -1 for one in ids]
    assert rows_of(array, ids).tolist() == expected
    assert rows_of(array, np.array(ids)).tolist() == expected
    other = [1] if isinstance(nodes[0], str) else ["b"]
    assert rows_of(array, other).tolist() == [-1]
    assert rows_of(array[:0], ids).tolist() == [-1] * len(ids)


# --- graphs ---------------------------------------------------------------------------


def draw_edges(seed, n_nodes=12, n_edges=60):
    """Return weighted edges with repeated ones, self loops and weights of 0."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, n_nodes, (n_edges, 2)) * 3 - 5
    return [
        (int(a), int(b), int(w))
        for (a, b), w in zip(pairs, rng.integers(0, 4, n_edges), strict=True)
    ]


def dense(edges, nodes, directed=True, self_loops=False):
    """Add up the weights of edges, one after the other."""
    A = np.zeros((len(nodes), len(nodes)))
    for a, b, w in edges:
        if a != b:
            A[nodes.index(a), nodes.index(b)] += w
            if not directed:
                A[nodes.index(b), nodes.index(a)] += w
        elif self_loops:
            A[nodes.index(a), nodes.index(a)] += w
    return A


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("self_loops", [True, False])
@pytest.mark.parametrize("as_str", [True, False])
def test_adjacency(directed, self_loops, as_str):
    edges = draw_edges(0)
    if as_str:
        edges = [(f"n{a}", f"n{b}", w) for a, b, w in edges]
    nodes = sorted({one for a, b, _ in edges for one in (a, b)})
    graph = read_graph(edges, directed=directed, self_loops=self_loops)
    assert graph.nodes.tolist() == nodes
    expected = dense(edges, nodes, directed, self_loops)
    assert (graph.adjacency.toarray() == expected).all()
    assert graph.adjacency.dtype == np.float64
    assert graph.adjacency.has_canonical_format
    assert graph.adjacency.data.all()
    loops = {a for a, b, w in edges if a == b and w}
    assert len(loops) > 1
    assert graph.n_dropped == (0 if self_loops else len(loops))


@pytest.mark.parametrize(
    ("scale", "shift"), [(1, 0), (1, 2**62), (10**15, -7 * 10**15), (2**56, -(2**62))]
)
def test_ids_near_and_far_apart(scale, shift):
    edges = np.random.default_rng(0).integers(0, 100, (500, 2)) * scale + shift
    graph = read_graph(edges)
    nodes = np.unique(edges)
    assert graph.nodes.dtype == np.int64
    assert (graph.nodes == nodes).all()
    ones = [(a, b, 1) for a, b in edges.tolist()]
    assert (graph.adjacency.toarray() == dense(ones, nodes.tolist())).all()


def test_sample_weight_multiplies():
    edges = draw_edges(1)
    times = np.random.default_rng(2).integers(0, 4, len(edges))
    repeated = [edge for edge, n in zip(edges, times, strict=True) for _ in range(n)]
    nodes = sorted({one for a, b, _ in edges for one in (a, b)})
    graph = read_graph(edges, sample_weight=times)
    assert graph.nodes.tolist() == nodes
    assert (graph.adjacency.toarray() == dense(repeated, nodes)).all()
    # One number is the weight of all.
    of_one = read_graph(edges, sample_weight=2.0)
    assert (of_one.adjacency.toarray() == 2 * dense(edges, nodes)).all()


def test_given_nodes():
    edges = [("b", "a"), ("c", "a")]
    graph = read_graph(edges, nodes=["c", "z", "a", "b"])
    assert graph.nodes.tolist() == ["c", "z", "a", "b"]
    rows, columns_ = graph.adjacency.nonzero()
    assert list(zip(rows, columns_, strict=True)) == [(0, 2), (3, 2)]
    frame = pd.DataFrame({"id": [5, 3, 4]})
    assert read_graph([(3, 5)], nodes=frame).nodes.tolist() == [5, 3, 4]


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("container", ["array", "matrix"])
def test_matrix(kind, container):
    A = np.random.default_rng(0).integers(0, 3, (5, 5))
    X = getattr(sparse, f"{kind}_{container}")(A)
    graph = read_graph(X)
    assert graph.nodes.tolist() == [0, 1, 2, 3, 4]
    assert (graph.adjacency.toarray() == A - np.diag(np.diag(A))).all()
    assert (X.toarray() == A).all()
    named = read_graph(X, nodes=["p", "q", "r", "s", "t"], self_loops=True)
    assert named.nodes.tolist() == ["p", "q", "r", "s", "t"]
    assert (named.adjacency.toarray() == A).all()


def test_matrix_with_duplicates():
    X = sparse.coo_array(([1.0, 2.0, 0.0], ([0, 0, 1], [1, 1, 0])), shape=(3, 3))
    graph = read_graph(X)
    assert graph.adjacency.nnz == 1
    assert graph.adjacency[0, 1] == 3.0


def test_symmetric_matrix_is_its_list_of_edges():
    edges = draw_edges(3)
    graph = read_graph(edges, directed=False, self_loops=True)
    X = sparse.csr_array(dense(edges, graph.nodes.tolist(), False, True))
    again = read_graph(X, directed=False, self_loops=True)
    assert (again.adjacency.toarray() == graph.adjacency.toarray()).all()


@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("directed", [False, True])
def test_networkx(directed, multi):
    networkx = pytest.importorskip("networkx")
    name = f"{'Multi' * multi}{'Di' * directed}Graph"
    G = getattr(networkx, name)()
    G.add_nodes_from(["z", "lone", "b"])
    G.add_weighted_edges_from(
        [("z", "b", 2), ("b", "a", 0.5), ("z", "b", 3), ("a", "a", 4)]
    )
    G.add_edge("a", "q")
    assert is_graph(G)
    assert not is_graph(INTS)
    graph = read_graph(G, directed=directed, self_loops=True)
    nodes = graph.nodes.tolist()
    assert nodes == ["a", "b", "lone", "q", "z"]
    expected = networkx.to_numpy_array(G, nodes)
    assert (graph.adjacency.toarray() == expected).all()
    # The list of its edges is the same graph.
    if not multi:
        edges = read_edges(G.edges(data="weight", default=1))
        assert isinstance(edges, Edges)
        assert edges.weights.sum() == 3 + 0.5 + 4 + 1
        assert read_edges(G.edges).weights is None
    with pytest.raises(
        ValueError, match=f"directed={not directed}. Set directed={directed}"
    ):
        read_graph(G, directed=not directed)


def test_bad_networkx():
    networkx = pytest.importorskip("networkx")
    with pytest.raises(ValueError, match=r"place 0 of X.nodes is tuple"):
        read_graph(networkx.grid_2d_graph(2, 2), directed=False)
    G = networkx.DiGraph([(1, 2), (2, 3)])
    G.edges[2, 3]["weight"] = -1.0
    with pytest.raises(ValueError, match=r"weight of edge 1 of X is -1.0"):
        read_graph(G)
    with pytest.raises(ValueError, match=r"X is a DiGraph\. Put the weights"):
        read_graph(G, sample_weight=[1, 2])
    with pytest.raises(ValueError, match="2 nodes without an edge"):
        read_graph(networkx.empty_graph(2, networkx.DiGraph))


def matrix(*entries):
    A = np.zeros((3, 3))
    for i, j, value in entries:
        A[i, j] = value
    return sparse.csr_array(A)


@pytest.mark.parametrize(
    ("X", "parameters", "message"),
    [
        (np.empty((0, 2)), {}, "graph of 0 nodes"),
        ([(1, 1)], {"self_loops": True}, "graph of 1 node, "),
        ([(1, 2, 0), (2, 3, 0)], {}, "3 nodes without an edge"),
        (INTS, {"sample_weight": [0, 0, 0]}, "without an edge of positive weight"),
        ([(1, 1), (2, 2), (1, 1)], {}, "only self loops, 2 in all"),
        ([(1, 1), (2, 2)], {"self_loops": True}, "only self loops"),
        (INTS, {"sample_weight": [1, 2]}, r"the shape \(2,\), but X has 3 edges"),
        (INTS, {"sample_weight": [[1], [2], [3]]}, r"the shape \(3, 1\)"),
        (INTS, {"sample_weight": [1, -2, 3]}, "sample_weight of row 1 is -2.0"),
        (INTS, {"sample_weight": [1, 2, np.nan]}, "sample_weight of row 2 is missing"),
        (INTS, {"nodes": [1, 3]}, r"the node 7 \(row 1\), which is not among the 2"),
        (INTS, {"nodes": ["a"]}, "all int or all str.* nodes are str"),
        (INTS, {"nodes": [1, 3, 7, 3]}, "nodes holds 3 more than once"),
        (INTS, {"nodes": [1, None]}, "id in row 1 of nodes is missing"),
        (INTS, {"nodes": INTS}, "nodes has 2 columns"),
        (INTS, {"nodes": []}, "nodes is empty"),
        (INTS, {"nodes": {1: 2}}, "nodes is dict"),
        ([(1, 2, 1e308), (1, 2, 1e308)], {}, "edge from 1 to 2 in X add up to inf"),
        (
            [("a", "b", 1e308), ("b", "a", 1e308)],
            {"directed": False},
            "edge from 'a' to 'b' in X add up to 1e.308, which is too large",
        ),
        (
            [(1, 2, 1.0), (2, 3, 1e200)],
            {"sample_weight": [1, 1e200]},
            r"weight 1e\+200 in row 1 of X, times its sample_weight 1e\+200, is",
        ),
        (
            [(1, 2, 1.0), (2, 3, 1e-200)],
            {"sample_weight": [1, 1e-200]},
            "weight 1e-200 in row 1 of X, times its sample_weight 1e-200, is too small",
        ),
        (
            INTS,
            {"sample_weight": np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0])},
            "sample_weight are a masked array",
        ),
        (
            sparse.coo_array(([1.0, 2.0, -1.0], ([0, 1, 1], [1, 2, 2])), shape=(3, 3)),
            {},
            "row 1, column 2 of X is -1.0",
        ),
        (
            sparse.coo_array(([1e308, 1e308], ([1, 1], [2, 2])), shape=(3, 3)),
            {"nodes": ["a", "b", "c"]},
            "edge from 'b' to 'c' in X add up to inf",
        ),
        (sparse.csr_array((2, 3)), {}, r"shape \(2, 3\)"),
        (sparse.csr_array((3, 3)), {}, "3 nodes without an edge"),
        (matrix((0, 1, 1)), {"nodes": ["a"]}, "nodes holds 1 ids, but X has 3 rows"),
        (matrix((0, 1, 1)), {"sample_weight": [1]}, "weights of the rows of X"),
        (matrix((0, 1, 1), (2, 1, -1)), {}, "row 2, column 1 of X is -1"),
        (matrix((0, 1, 1), (2, 1, np.nan)), {}, "row 2, column 1 of X is missing"),
        (matrix((0, 1, 1), (1, 2, np.inf)), {}, "row 1, column 2 of X is inf"),
        (matrix((0, 1, 1)) * 1j, {}, "sparse matrix of complex128"),
        (
            matrix((0, 1, 1), (1, 0, 1), (1, 2, 3)),
            {"directed": False},
            "not symmetric.* row 1, column 2 is 3, and that in row 2, column 1 is 0",
        ),
    ],
)  # fmt: skip
def test_bad_graphs(X, parameters, message):
    with pytest.raises(ValueError, match=message):
        read_graph(X, **parameters)


def test_products_of_0_are_no_error():
    edges = [("a", "b", 0.0), ("b", "c", 1e-300), ("c", "a", 1.0)]
    graph = read_graph(edges, sample_weight=[1e-300, 0.0, 2.0])
    assert graph.adjacency.toarray().tolist() == [[0, 0, 0], [0, 0, 0], [2, 0, 0]]


def test_named():
    """Errors name the parameter, and leave ids as they are."""
    with (
        pytest.raises(ValueError, match=r"^edges has 'X', X1 and edges\.T$"),
        named("edges"),
    ):
        raise ValueError("X has 'X', X1 and X.T")
