"""The embedded data sets: what they hold, and that every process has the same."""

import hashlib
import importlib
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.utils import Bunch

from skembed import datasets
from skembed.datasets import load_docstrings, load_see_also

LIBRARIES = ("numpy", "scipy", "sklearn")

# Prints one line that depends on every document, its order, its name and its class, and
# on the graph.
DIGEST = """
import hashlib
from skembed.datasets import load_docstrings, load_see_also

bunch, graph = load_docstrings(), load_see_also()
parts = [*bunch.data, *bunch.names, *bunch.target_names, bunch.DESCR]
parts += [*graph.edges.flat, repr(graph.unresolved), graph.DESCR]
parts.append(repr([*bunch.target.tolist(), *graph.target.tolist()]))
print(hashlib.sha256(chr(0).join(parts).encode()).hexdigest())
"""


def digest(bunch, graph):
    parts = [*bunch.data, *bunch.names, *bunch.target_names, bunch.DESCR]
    parts += [*graph.edges.flat, repr(graph.unresolved), graph.DESCR]
    parts.append(repr([*bunch.target.tolist(), *graph.target.tolist()]))
    return hashlib.sha256(chr(0).join(parts).encode()).hexdigest()


def run_python(code, *options, hash_seed="0"):
    """Run code in a fresh process that finds the same package."""
    path = str(Path(datasets.__file__).parents[1])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def resolve(name):
    """Import an object by its qualified name, without the loader's own machinery."""
    parts = name.split(".")
    for n_module_parts in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:n_module_parts]))
        except ModuleNotFoundError:
            continue
        for part in parts[n_module_parts:]:
            value = getattr(value, part)
        return value
    raise AssertionError(f"{name} is not in any module")


@pytest.fixture(scope="module")
def docstrings():
    return load_docstrings()


@pytest.fixture(scope="module")
def graph():
    return load_see_also()


def test_structure(docstrings):
    assert isinstance(docstrings, Bunch)
    n_documents = len(docstrings.data)
    assert isinstance(docstrings.data, list)
    assert all(type(text) is str for text in docstrings.data)
    assert isinstance(docstrings.target, np.ndarray)
    assert docstrings.target.dtype == np.int64
    assert docstrings.target.shape == (n_documents,)
    assert all(type(name) is str for name in docstrings.target_names)
    assert docstrings.target_names == sorted(set(docstrings.target_names))
    assert len(docstrings.names) == len(set(docstrings.names)) == n_documents
    assert tuple(docstrings.versions) == LIBRARIES


def test_sizes(docstrings):
    n_tokens = sum(len(re.findall(r"\b\w\w+\b", text)) for text in docstrings.data)
    assert 2_000 < len(docstrings.data) < 6_000
    assert 500_000 < n_tokens < 2_000_000
    assert 8 <= len(docstrings.target_names) < 60
    for library in LIBRARIES:
        labels = [k for k in docstrings.target_names if k.split(".")[0] == library]
        assert len(labels) >= 2


def test_every_class_can_be_cross_validated(docstrings):
    sizes = np.bincount(docstrings.target)
    assert len(sizes) == len(docstrings.target_names)
    assert sizes.min() >= 30
    assert all(0 < size < 30 for size in docstrings.left_out.values())
    assert not set(docstrings.left_out) & set(docstrings.target_names)


def test_no_text_is_empty_short_or_repeated(docstrings):
    texts = [" ".join(text.split()) for text in docstrings.data]
    assert len(set(texts)) == len(texts)
    assert min(len(re.findall(r"\b\w\w+\b", text)) for text in texts) >= 50


def test_label_is_the_subpackage_of_the_name(docstrings):
    for name, code in zip(docstrings.names, docstrings.target, strict=True):
        label = docstrings.target_names[code]
        assert name.startswith(f"{label}.")
        assert label.count(".") == (0 if label == "numpy" else 1)


def test_names_are_public(docstrings):
    parts = {part for name in docstrings.names for part in name.split(".")}
    assert not {part for part in parts if part.startswith("_")}
    assert not parts & {"tests", "conftest", "f2py", "externals", "experimental"}
    members = Counter(name.rpartition(".")[2] for name in docstrings.names)
    for boilerplate in (
        "get_params",
        "set_params",
        "set_output",
        "get_metadata_routing",
        "set_fit_request",
        "set_score_request",
    ):
        assert members[boilerplate] == 0


def test_texts_are_the_docstrings_of_the_names(docstrings):
    varying = 0
    for name, text in zip(docstrings.names, docstrings.data, strict=True):
        expected = inspect.cleandoc(resolve(name).__doc__)
        if text != expected:
            # Only what differs between processes may be edited.
            assert "# may vary" in expected or re.search(r"``\{'.+'\}``", expected)
            varying += 1
    assert varying < len(docstrings.data) / 20


def test_qualified_name_is_not_put_in_front(docstrings):
    pairs = zip(docstrings.names, docstrings.data, strict=True)
    assert not any(text.startswith(name) for name, text in pairs)


@pytest.mark.parametrize(
    "name",
    [
        "numpy.mean",
        "numpy.ndarray.sort",
        "numpy.linalg.svd",
        "numpy.random.Generator.choice",
        "scipy.signal.hilbert",
        "scipy.special.gammaln",
        "scipy.stats.norm",
        "scipy.stats.gaussian_kde",
        "scipy.sparse.csgraph.dijkstra",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.linear_model.LogisticRegression.fit",
        "sklearn.metrics.pairwise.cosine_distances",
        "sklearn.utils.validation.check_is_fitted",
    ],
)
def test_well_known_objects_are_present(docstrings, name):
    assert name in docstrings.names


def test_inherited_members_appear_once(docstrings):
    owners = {name: resolve(name.rpartition(".")[0]) for name in docstrings.names}
    owners = {name: cls for name, cls in owners.items() if inspect.isclass(cls)}
    assert len(owners) > 100
    documented = [resolve(name) for name in docstrings.names]
    documented = {id(value) for value in documented if inspect.isclass(value)}
    members = []
    for name, cls in owners.items():
        member = name.rpartition(".")[2]
        definer = next(base for base in cls.__mro__ if member in vars(base))
        members.append(id(vars(definer)[member]))
        # A documented class speaks for itself; only private bases need an heir.
        assert definer is cls or id(definer) not in documented
    assert len(set(members)) == len(members)


def test_experimental_estimators_stay_out(docstrings):
    assert not [name for name in docstrings.names if "Halving" in name]
    assert "sklearn.impute.IterativeImputer" not in docstrings.names


def test_description(docstrings):
    for library in LIBRARIES:
        version = importlib.import_module(library).__version__
        assert docstrings.versions[library] == version
        assert f"{library} {version}" in docstrings.DESCR
    for name in [*docstrings.target_names, *docstrings.left_out]:
        assert name in docstrings.DESCR
    assert f"Documents: {len(docstrings.data)}\n" in docstrings.DESCR


@pytest.mark.long
def test_same_in_every_process(docstrings, graph):
    """Hash seed, earlier imports and thrown switches change nothing."""
    light = "import sys; assert not {'numba', 'matplotlib'} & set(sys.modules)"
    plain = run_python(DIGEST + light, "-W", "error", hash_seed="1")
    # Nothing but the printed line: no warning, no message of a library.
    assert (plain.returncode, plain.stderr) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{64}\n", plain.stdout)
    earlier = (
        "import scipy.stats, numpy.polynomial, sklearn.utils.estimator_checks\n"
        "from sklearn.experimental import enable_halving_search_cv\n"
        "from sklearn.experimental import enable_iterative_imputer\n"
    )
    other = run_python(earlier + DIGEST, hash_seed="2")
    assert other.returncode == 0, other.stderr
    assert plain.stdout == other.stdout
    assert plain.stdout.strip() == digest(docstrings, graph)


def test_import_is_light():
    code = (
        "import sys, skembed.datasets\n"
        "early = {'scipy.signal', 'sklearn.ensemble', 'numba', 'matplotlib'}\n"
        "print(sorted(early & set(sys.modules)))\n"
    )
    result = run_python(code)
    assert (result.stdout, result.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    ("subset", "libraries"),
    [
        ("numpy", {"numpy"}),
        (["sklearn", "scipy"], {"scipy", "sklearn"}),
        (np.array(["scipy"]), {"scipy"}),
    ],
)
def test_subset_is_a_part_of_the_whole(docstrings, subset, libraries):
    part = load_docstrings(subset=subset)
    chosen = [
        i
        for i, name in enumerate(docstrings.names)
        if name.partition(".")[0] in libraries
    ]
    assert part.data == [docstrings.data[i] for i in chosen]
    assert part.names == [docstrings.names[i] for i in chosen]
    labels = np.array(docstrings.target_names)[docstrings.target[chosen]]
    assert np.array(part.target_names)[part.target].tolist() == labels.tolist()
    assert np.unique(part.target).tolist() == list(range(len(part.target_names)))
    assert set(part.versions) == libraries


def test_return_X_y(docstrings):
    data, target = load_docstrings(return_X_y=True)
    assert data == docstrings.data
    np.testing.assert_array_equal(target, docstrings.target, strict=True)


@pytest.mark.parametrize(
    ("subset", "problem"),
    [
        ("pandas", "'pandas' is not one of them"),
        (["numpy", "stats"], "'stats' is not one of them"),
        (["scipy", 3], "3 is not one of them"),
        ([], "it is empty"),
    ],
)
def test_unknown_subset(subset, problem):
    pattern = (
        re.escape(f"subset={subset!r} must name libraries among")
        + r" \['numpy', 'scipy', 'sklearn'\], but "
        + re.escape(problem)
    )
    with pytest.raises(ValueError, match=pattern):
        load_docstrings(subset=subset)


@pytest.mark.parametrize(
    "parameters", [{"subset": 3}, {"subset": True}, {"return_X_y": "yes"}]
)
def test_wrong_types(parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter of load_docstrings"):
        load_docstrings(**parameters)


def test_parameters_are_keyword_only():
    with pytest.raises(TypeError):
        load_docstrings("numpy")


def test_modules_that_cannot_be_imported_are_named(docstrings, monkeypatch):
    real_import = importlib.import_module

    def without_fft(name, *args):
        if name == "scipy.fft":
            raise ImportError("an optional dependency is missing")
        return real_import(name, *args)

    monkeypatch.setattr(datasets.importlib, "import_module", without_fft)
    poorer = load_docstrings()
    assert poorer.skipped_modules == [*docstrings.skipped_modules, "scipy.fft"]
    assert "could not be imported: scipy.fft" in poorer.DESCR
    assert "scipy.fft" not in poorer.target_names
    assert set(poorer.names) < set(docstrings.names)


def test_other_import_failures_are_not_hidden(monkeypatch):
    def broken(name, *args):
        raise RuntimeError(f"{name} is broken")

    monkeypatch.setattr(datasets.importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="numpy is broken"):
        load_docstrings()


@pytest.mark.parametrize("load", [load_docstrings, load_see_also])
def test_stripped_docstrings_are_reported(load, monkeypatch):
    monkeypatch.setattr(datasets, "__doc__", None)
    with pytest.raises(RuntimeError, match=f"{load.__name__} needs docstrings.*-OO"):
        load()


def test_output_that_varies_is_dropped():
    def sample():
        """Draw numbers.

        >>> draw(
        ...     4)
        array([0.1, 0.2,
               0.3, 0.4])  # may vary
        >>> 1 + 1
        2

        Not ``{'b', 'a'}``.
        """

    expected = (
        "Draw numbers.\n\n>>> draw(\n...     4)\n>>> 1 + 1\n2\n\nNot ``{'a', 'b'}``."
    )
    assert datasets._docstring(sample) == expected


def see_also_names(name):
    """Names in a section, read word by word with no knowledge of its syntax."""
    lines = inspect.cleandoc(resolve(name).__doc__).splitlines()
    start = next(i for i, line in enumerate(lines) if line.lower() == "see also") + 2
    words = []
    for line, below in zip(lines[start:], [*lines[start + 1 :], ""], strict=True):
        if re.fullmatch(r"-{3,}|={3,}", below):
            break
        words += re.findall(r"\w+", line)
    return set(words)


def test_structure_of_the_graph(graph):
    assert isinstance(graph, Bunch)
    assert graph.edges.ndim == 2
    assert graph.edges.shape[1] == 2
    assert graph.edges.dtype == graph.nodes.dtype == object
    assert {type(name) for name in [*graph.edges.flat, *graph.nodes]} == {str}
    assert graph.target.shape == graph.nodes.shape
    assert graph.target.dtype == np.int64
    assert graph.target_names == sorted(set(graph.target_names))
    assert tuple(graph.versions) == LIBRARIES


def test_links_are_distinct_and_between_different_nodes(graph):
    links = [tuple(link) for link in graph.edges]
    assert links == sorted(set(links))
    assert all(a != b for a, b in links)
    assert graph.nodes.tolist() == sorted({name for link in links for name in link})


def test_size_of_the_graph(graph):
    # The design's own count, from fewer objects: 1,469 nodes and 3,388 links.
    assert 1_400 < len(graph.nodes) < 5_000
    assert 3_300 < len(graph.edges) < 10_000
    links = {tuple(link) for link in graph.edges}
    assert 0.45 < np.mean([(b, a) in links for a, b in links]) < 0.7
    sizes = np.bincount(graph.target)
    assert len(sizes) == len(graph.target_names)
    assert sizes.min() >= 10
    assert not set(graph.left_out) & set(graph.target_names)
    assert len(graph.unresolved) < len(graph.edges) / 20


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("numpy.sin", "numpy.arcsin"),
        ("numpy.mean", "numpy.average"),
        ("numpy.sort", "numpy.ndarray.sort"),
        ("numpy.ndarray.sort", "numpy.sort"),
        ("numpy.linalg.eig", "numpy.linalg.eigvals"),
        ("numpy.linalg.eig", "scipy.linalg.eig"),
        ("scipy.special.gammaln", "scipy.special.gammasgn"),
        ("scipy.stats.mannwhitneyu", "scipy.stats.wilcoxon"),
        ("sklearn.linear_model.Ridge", "sklearn.linear_model.RidgeClassifier"),
    ],
)
def test_well_known_links(graph, source, target):
    assert [source, target] in graph.edges.tolist()


def test_links_are_in_the_docstrings(graph):
    """The last part of each target is a word of the section, and so is an alias."""
    named = {source: see_also_names(source) for source in set(graph.edges[:, 0])}
    other = [
        (source, target)
        for source, target in graph.edges
        if target.rpartition(".")[2] not in named[source]
    ]
    # Objects that are named by another of their names.
    assert len(other) < len(graph.edges) / 20
    for source, target in other:
        found = [value for value in named[source] if is_alias(value, target)]
        assert found, (source, target)


def is_alias(name, target):
    """Tell whether an object of a library or module has another name."""
    documented = " ".join(resolve(target).__doc__.split())
    places = ["numpy", target.rpartition(".")[0], target.rpartition(".")[0] + "s"]
    for place in [*places, "numpy.ndarray", "numpy.ma.MaskedArray", "scipy.linalg"]:
        try:
            value = resolve(f"{place}.{name}")
        except (AttributeError, AssertionError):
            continue
        if " ".join((value.__doc__ or "").split()) == documented:
            return True
    return False


def test_nodes_are_public_and_labelled_by_subpackage(graph, docstrings):
    parts = {part for name in graph.nodes for part in name.split(".")}
    assert not {part for part in parts if part.startswith("_")}
    assert not parts & {"tests", "matlib", "externals", "experimental"}
    for name, code in zip(graph.nodes, graph.target, strict=True):
        assert name.startswith(f"{graph.target_names[code]}.")
    # Most of the texts that are long enough for the other data set.
    assert len(set(docstrings.names) & set(graph.nodes)) > 0.5 * len(graph.nodes)


def test_names_without_a_node_are_reported(graph):
    assert ("numpy.isclose", "math.isclose") in graph.unresolved
    nodes = set(graph.nodes)
    assert not [name for _, name in graph.unresolved if name in nodes]
    assert f"not included: {len(graph.unresolved)}\n" in graph.DESCR


def test_description_of_the_graph(graph):
    for library in LIBRARIES:
        version = importlib.import_module(library).__version__
        assert f"{library} {version}" in graph.DESCR
    assert f"Nodes: {len(graph.nodes)}\nLinks: {len(graph.edges)}\n" in graph.DESCR
    for name in [*graph.target_names, *graph.left_out]:
        assert name in graph.DESCR


def test_syntax_of_see_also():
    text = """Do it.

    See Also
    --------
    one
    two, pkg.three : Both are there: not this.
    :func:`four`, :obj:`~pkg.five`: Text, six.
    :py:class:`seven`,`eight`
        nine : Indented.
    Text without names, ten of them (eleven).

    twelve.

    Notes
    -----
    thirteen
    """
    names = ["one", "two", "pkg.three", "four", "pkg.five", "seven", "eight", "twelve"]
    assert datasets._see_also_names(inspect.cleandoc(text)) == names
    assert datasets._see_also_names("See also the other one.") == []


def test_small_classes_are_dropped_with_what_depends_on_them():
    labels = {f"a{i}": "a" for i in range(20)} | {f"b{i}": "b" for i in range(10)}
    labels |= {f"c{i}": "c" for i in range(9)}
    links = {(f"a{i}", f"a{i + 1}") for i in range(19)}
    # Class b has ten nodes, but one of them only as the target of class c.
    hanging = {(f"b{i}", f"b{i + 1}") for i in range(8)} | {("c0", "b9")}
    hanging |= {(f"c{i}", f"c{i + 1}") for i in range(8)} | {("a3", "b4")}
    found, left_out = datasets._drop_small_classes(links | hanging, labels)
    assert found == links
    assert left_out == {"c": 9, "b": 9}
