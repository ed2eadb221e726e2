"""The study on a graph: files, measures, report."""

import csv
import gzip
import io
import re

import numpy as np
import pytest

from skembed.study import _graph_files, _graph_report, _graphs
from skembed.study._commands import GRAPH_HELP, GRAPH_NOTES, study
from skembed.study._documents import InputError
from skembed.study._graph_report import Report, is_level
from skembed.study._graphs import Result, Way
from skembed.study._options import GraphCommand


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two groups of 20 nodes: many links inside, from smaller to larger numbers."""
    path = tmp_path_factory.mktemp("graph")
    rng = np.random.default_rng(0)
    pairs = {
        (i, j)
        for i in range(40)
        for j in range(i + 1, 40)
        if rng.random() < (0.8 if i % 2 == j % 2 else 0.05)
    }
    lines = ["# a graph", *(f"{i}\t{j}" for i, j in sorted(pairs)), "3\t3"]
    (path / "edges.tsv").write_text("\n".join(lines), encoding="utf8")
    labels = "\n".join(f"{i}\t{['even', 'odd'][i % 2]}" for i in range(40))
    (path / "labels.tsv").write_text(labels, encoding="utf8")
    return path


def options(path, *more):
    arguments = ["--edges", str(path / "edges.tsv"), "--size", "4", "--n-jobs", "1"]
    return GraphCommand("", "", "").parse_args([*arguments, *map(str, more)])


def read(path, text, *more):
    (path / "edges.tsv").write_text(text, encoding="utf8")
    return _graph_files.read_graph(options(path, *more))


# --- Files


@pytest.mark.parametrize(
    ("text", "edges", "weights"),
    [
        ("1\t2\n3\t1\n", [[1, 2], [3, 1]], [1.0, 1.0]),
        ("source target weight\na b 2.5\n\n# no edge\nb c 0\n", None, [2.5, 0.0]),
        ("a b\tb c\n", [["a b", "b c"]], [1.0]),
        ("1 2\n1 x\n", [["1", "2"], ["1", "x"]], [1.0, 1.0]),
        ("007 7\n7 8\n", [["007", "7"], ["7", "8"]], [1.0, 1.0]),
        ("1_0 10\n", [["1_0", "10"]], [1.0]),
        ("+1 1\n", [["+1", "1"]], [1.0]),
        (f"1 {2**63}\n", [["1", f"{2**63}"]], [1.0]),
        (f"-1 {-(2**63)}\n0 {2**63 - 1}", [[-1, -(2**63)], [0, 2**63 - 1]], [1.0] * 2),
        ("\ufeff1\t2\r\n3\t1\r\n", [[1, 2], [3, 1]], [1.0, 1.0]),
        ("weight\ttarget\tsource\n2\tb\ta\n0\tc\tb\n", None, [2.0, 0.0]),
    ],
)
def test_files_of_edges(tmp_path, text, edges, weights):
    graph = read(tmp_path, text)
    assert graph.edges.tolist() == (edges or [["a", "b"], ["b", "c"]])
    assert graph.weights.tolist() == weights


def test_commas(tmp_path):
    (tmp_path / "edges.csv").write_text("source,target\nx y,z\n", encoding="utf8")
    given = options(tmp_path, "--edges", tmp_path / "edges.csv")
    assert _graph_files.read_graph(given).edges.tolist() == [["x y", "z"]]


def test_quotes(tmp_path):
    lines = ["source,target,weight", '"x, y", "z ""1""",2', "#,no edge", '"#",z,1']
    (tmp_path / "edges.CSV.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    given = options(tmp_path, "--edges", tmp_path / "edges.CSV.gz")
    graph = _graph_files.read_graph(given)
    assert graph.edges.tolist() == [["x, y", 'z "1"'], ["#", "z"]]
    assert graph.weights.tolist() == [2.0, 1.0]


def test_a_missing_quote_does_not_swallow_lines(tmp_path):
    (tmp_path / "edges.csv").write_text('a,b\n"c,d\ne,"f\n', encoding="utf8")
    given = options(tmp_path, "--edges", tmp_path / "edges.csv")
    with pytest.raises(InputError, match="line 2: not CSV"):
        _graph_files.read_graph(given)


def test_a_header_of_labels(tmp_path):
    (tmp_path / "labels").write_text("node\tlabel\n1\ta\n", encoding="utf8")
    graph = read(tmp_path, "1 2", "--labels", tmp_path / "labels")
    assert graph.labelled.tolist() == [1]


def test_several_labels(tmp_path):
    (tmp_path / "labels").write_text("1\ta b\n2\tb\n1\tc\n", encoding="utf8")
    graph = read(tmp_path, "1 2", "--labels", tmp_path / "labels")
    assert graph.labelled.tolist() == [1, 2]
    assert graph.labels == [{"a", "b", "c"}, {"b"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no edges"),
        ("# nothing\n", "no edges"),
        ("1 2\n3\n", "line 2: 1 fields"),
        ("1 2 3 4\n", "line 1: 4 fields"),
        ("1\t\t2\n", "line 1: 3 fields"),
        ("1 2 x\n", "line 1: the weight 'x' is not a number"),
        ("1 2 1\n1 2 nan\n", "line 2: the weight is nan; weights are finite"),
        ("1 2 inf\n", "line 1: the weight is inf"),
        ("# 1\n1 2 -1\n", "line 2: the weight is -1"),
        ("\t1\n", "line 1: 2 fields, one empty"),
        ("\t1\t2\n", "line 1: 3 fields, one empty"),
        ("from to\n1 2\n3 4\n", "from 'from' to 'to', and all other ids are int"),
        ("source\ttarget\ttime\n1\t2\t3\n", "a column 'time'"),
    ],
)
def test_bad_files_of_edges(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no labels"),
        ("1 a\n2\n", "line 2: a node without"),
        ("\ta\n", "line 1: .* a label without a node"),
    ],
)
def test_bad_files_of_labels(tmp_path, text, message):
    (tmp_path / "labels").write_text(text, encoding="utf8")
    with pytest.raises(InputError, match=message):
        read(tmp_path, "1 2", "--labels", tmp_path / "labels")


# --- Measures


def test_measures(folder):
    """What the graph was made of is found, and symmetric scores have no direction."""
    given = options(folder, "--labels", folder / "labels.tsv", "--cv", 3, "--steps", 2)
    found = _graphs.Study(_graph_files.read_graph(given), given)
    degrees, *results = found.results()
    assert [result.way.name for result in results] == [
        name for name, _, _ in _graphs._WAYS
    ]
    assert all(result.problem is None for result in results)
    assert all(len(scores) == 3 for r in results for scores in r.scores.values())
    by_name = {result.way.name: result for result in results}
    assert by_name["one table"].scores["direction"] == [0.5] * 3
    assert by_name["one table, signed"].scores["direction"] == [0.5] * 3
    # Targets have larger numbers than sources, and more links that enter them.
    assert degrees.mean("direction") > 0.8
    assert degrees.mean("existence") == pytest.approx(0.5, abs=0.15)
    for name in ("two tables", "one table, matrix"):
        assert by_name[name].mean("direction") > 0.8
    for result in results:
        assert result.mean("existence") > 0.75
        assert result.mean("classes") > degrees.mean("classes") + 0.2
    sizes = [result.n_parameters for result in results]
    assert sizes == [40 * 8, 40 * 4, 40 * 4, 40 * 4, 40 * 4 + 16]
    about = " ".join(found.about())
    assert "40 nodes" in about
    assert "0% of them with a reverse; antisymmetric share 0.50" in about
    assert "1 self loops are left out" in about
    assert "40 nodes with 2 labels, accuracy" in about


def test_undirected(folder):
    given = options(folder, "--undirected", "--cv", 2, "--steps", 1)
    graph = _graph_files.read_graph(given)
    found = _graphs.Study(graph, given)
    results = list(found.results())
    assert {name for result in results for name in result.scores} == {"existence"}
    assert f"{len(graph.edges) - 1} links without direction" in found.about()[0]


def test_edges_of_weight_0_are_not_held_out(folder, tmp_path):
    lines = (folder / "edges.tsv").read_text(encoding="utf8").splitlines()[1:]
    few = [f"{line}\t{0 if i % 3 else 2}" for i, line in enumerate(lines)]
    given = options(folder, "--cv", 3, "--steps", 1)
    graph = read(tmp_path, "\n".join(few))
    found = _graphs.Study(graph, given)
    held_out = np.concatenate([test for _, test in found._folds])
    assert sorted(held_out) == list(range(0, len(lines), 3))
    for train, test in found._folds:
        assert sorted([*train, *test]) == list(range(len(lines)))
    # Nodes whose links all have weight 0 are nodes, as in the fit on all edges.
    assert all(part.nodes_.size == 40 for part in found._parts)


@pytest.mark.parametrize(
    ("edges", "labels", "more", "message"),
    [
        (None, "1\ta\n2\ta", [], "all nodes have the label 'a'"),
        (None, "1\ta\n2\tb", ["--cv", "3"], "2 nodes .* fewer than the 3 folds"),
        (None, "98\ta\n99\tb", [], "none of the 2 nodes with labels has a link"),
        (None, "1\ta\n2\tb", [], "labels: the classes cannot be measured in 2"),
        ("1 2\n2 1\n3 4\n4 3\n2 3\n3 2\n4 1\n1 4", None, [], "leaves direction out"),
        ("1 2\n3 4\n", None, [], "existence of 1 held-out links cannot be measured"),
        ("1 2\n3 4\n", None, ["--cv", "9"], "n_splits=9 is more than"),
        ("1 2 0\n3 4 0\n", None, [], "without an edge of positive weight"),
    ],
)
def test_graphs_that_cannot_be_measured(
    folder, tmp_path, capsys, edges, labels, more, message
):
    """The program ends with a message, not with a traceback."""
    (tmp_path / "edges").write_text(edges or "", encoding="utf8")
    path = folder / "edges.tsv" if edges is None else tmp_path / "edges"
    arguments = ["--edges", str(path), "--size", "4", "--n-jobs", "1", "--cv", "2"]
    if labels is not None:
        (tmp_path / "labels").write_text(labels, encoding="utf8")
        arguments += ["--labels", str(tmp_path / "labels")]
    assert study([*arguments, *more]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_labelled_nodes_without_a_link_are_counted(folder, tmp_path):
    labels = (folder / "labels.tsv").read_text(encoding="utf8") + "\n98\teven\n99\todd"
    (tmp_path / "labels").write_text(labels, encoding="utf8")
    given = options(folder, "--labels", tmp_path / "labels", "--cv", 2, "--steps", 1)
    found = _graphs.Study(_graph_files.read_graph(given), given)
    assert found.about()[-1].endswith(" 2 of the nodes have no link.")


def test_nodes_with_several_labels(folder, tmp_path):
    lines = [f"{i} {['even', 'odd'][i % 2]} {i % 3}" for i in range(40)]
    (tmp_path / "labels").write_text("\n".join(lines), encoding="utf8")
    given = options(folder, "--labels", tmp_path / "labels", "--cv", 2, "--steps", 1)
    graph = _graph_files.read_graph(given)
    found = _graphs.Study(graph, given)
    assert "micro-averaged F1" in found.about()[-1]
    classes, several, _ = found._classes()
    assert several
    assert classes.sum(axis=1).tolist() == [2] * 40
    # Vectors that tell one of both labels.
    scores = found._classify(np.eye(2)[graph.labelled % 2])
    assert all(0.4 < score < 0.9 for score in scores)
    perfect = found._classify(classes.astype(float))
    assert min(perfect) > 0.95


def test_glove_has_no_matrix(folder):
    given = options(folder, "--estimators", "glove", "sgns", "--steps", 1, "--cv", 2)
    ways = _graphs.Study(_graph_files.read_graph(given), given)._ways()
    matrix = [way.family for way in ways if way.name == "one table, matrix"]
    assert matrix == ["sgns"]
    assert [way.family for way in ways].count("glove") == 4


def test_way_that_fails(folder):
    given = options(folder, "--cv", 2, "--steps", 1)
    found = _graphs.Study(_graph_files.read_graph(given), given)
    result = found._measure(Way("ppmi-svd", 1, "unknown", "unknown", 4))
    assert not result.scores
    assert "share_context" in result.problem


# --- Report


def result(name, share_context, existence, direction=(0.5, 0.5), steps=1):
    way = Way("ppmi-svd", steps, name, share_context, 4)
    scores = {"existence": list(existence), "direction": list(direction)}
    return Result(way, scores, 100)


DEGREES = Result(None, {"existence": [0.5, 0.5], "direction": [0.9, 0.7]})


def test_two_tables_are_better():
    two = result("two tables", False, [0.7, 0.8], [0.75, 0.75])
    one = result("one table", True, [0.75, 0.85])
    lines = Report(["A graph."], [DEGREES, two, one]).verdict()
    assert lines[0] == (
        "Existence: one table (1 step) came out best (0.800). The degrees alone have "
        "0.500."
    )
    assert "two tables (1 step) came out best (0.750)" in lines[1]
    assert "degrees of a node tell the direction better" in lines[1]
    assert lines[2] == "Two tables do better than one in: direction (+0.250)."


def test_two_tables_are_not_needed():
    two = result("two tables", False, [0.7, 0.8])
    one = result("one table", True, [0.705, 0.805], steps=3)
    lines = Report(["A graph."], [DEGREES, two, one]).verdict()
    assert "level with it: all others" in lines[0]
    assert "not needed" in lines[2]


def test_level():
    assert is_level([0.5, 0.6], [0.509, 0.609])
    assert not is_level([0.5, 0.6], [0.52, 0.62])  # the same difference twice
    assert is_level([0.5, 0.6], [0.6, 0.54])  # the mean is 0.02, the deviation 0.08


def test_forms_of_the_report():
    failed = Result(Way("sgns", 1, "one table", True, 4), {}, problem="too large")
    two = result("two tables", False, [0.75, 0.85])
    report = Report(["A graph."], [DEGREES, two, failed])
    text = report.text()
    assert max(map(len, text.splitlines())) <= 88
    assert "0.800 ± 0.050" in text
    assert "Failed: SGNS, one table (1 step): too large" in text
    assert "| two tables" in report.markdown()
    rows = list(csv.DictReader(io.StringIO(report.csv())))
    assert [row["fold"] for row in rows] == ["0", "1", "0", "1", ""]
    assert rows[3]["existence"] == "0.85"
    assert rows[4]["problem"] == "too large"
    assert _graph_report._spread(None) == "–"


# --- The command


def test_command(folder, tmp_path, capsys):
    edges = ["--edges", str(folder / "edges.tsv"), "--size", "4", "--n-jobs", "1"]
    more = ["--cv", "2", "--steps", "1", "--output", str(tmp_path / "out")]
    assert study([*edges, *more]) == 0
    out, err = capsys.readouterr()
    assert "one table, matrix" in out
    assert "[5/5]" in err
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["results.csv", "results.md"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("1 1\n2 2\n", "self loops"), ("1 2\n", "n_splits"), ("1 2 -1\n2 3 1\n", "-1")],
)
def test_graphs_that_cannot_be_studied(tmp_path, capsys, text, message):
    (tmp_path / "edges.tsv").write_text(text, encoding="utf8")
    assert study(["--edges", str(tmp_path / "edges.tsv"), "--cv", "2"]) == 2
    assert message in capsys.readouterr().err


def test_output_that_is_a_file(folder, capsys):
    """It is noticed before the run."""
    edges = str(folder / "edges.tsv")
    assert study(["--edges", edges, "--cv", "2", "--output", edges]) == 2
    err = capsys.readouterr().err
    assert "edges.tsv" in err
    assert "[1/" not in err


def test_no_such_file(tmp_path, capsys):
    assert study([f"--edges={tmp_path / 'nothing.tsv'}"]) == 2
    assert "nothing.tsv" in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as ending:
        study(["--edges", "x", "--help"])
    assert ending.value.code == 0
    out = capsys.readouterr().out
    assert GRAPH_HELP.splitlines()[0] in out
    assert GRAPH_NOTES.splitlines()[1] in out
