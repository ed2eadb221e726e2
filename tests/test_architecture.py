"""The rooms of the package and who may import whom, read from the source.

A room is a module (or a folder of modules) directly inside ``skembed``. It stands on
a floor and imports from lower floors only, wherever in the file the import is written.
Exceptions: any room of floor 2 may take the types `Corpus` and `Vocabulary` from
`_vocabulary`, modules inside one folder may import each other, and `__main__`, which
nobody imports, may use everything.
"""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "skembed"

FLOORS = {
    "_forks": -1,
    "_interrupts": -1,
    "_callables": 0,
    "_compat": 0,
    "_kernels": 0,
    "_kinds": 0,
    "_limits": 0,
    "_memory": 0,
    "_bias": 1,
    "_caching": 1,
    "_documents": 1,
    "_given": 1,
    "_layout": 1,
    "_parallel": 1,
    "_progress": 1,
    "_random_start": 1,
    "_rows": 1,
    "_weights": 1,
    "_clusters": 2,
    "_cooccurrence": 2,
    "_document_rows": 2,
    "_krylov": 2,
    "_lanes": 2,
    "_ppmi": 2,
    "_sampling": 2,
    "_text": 2,
    "_tying": 2,
    "_vocabulary": 2,
    "vectors": 2,
    "_factorisation": 3,
    "_fitted": 3,
    "_holding_out": 3,
    "_matrix": 3,
    "_pooling": 3,
    "_shared_documents": 3,
    "_sources": 3,
    "_scaling": 3,
    "_subsampling": 3,
    "_epochs": 4,
    "_learning_pooling": 4,
    "_model": 4,
    "_pair_counts": 4,
    "_reading": 4,
    "_adding": 5,
    "_blocks": 5,
    "_continuing": 5,
    "_sampling_loss": 5,
    "_scores": 5,
    "pooling": 5,
    "_estimating": 6,
    "_features": 6,
    "_objective": 6,
    "_persistence": 6,
    "_training": 6,
    "_fitting": 7,
    "_base": 8,
    "_cbow": 9,
    "_counts": 9,
    "_glove": 9,
    "_inspection_pmi": 9,
    "_inspection_vectors": 9,
    "_ppmi_svd": 9,
    "_pretrained": 9,
    "_sgns": 9,
    "_warmup": 9,
    "datasets": 9,
    "_compare": 11,
    "_input": 10,
    "_report": 10,
    "_similarity": 10,
    "_study_figures": 10,
    "_study_fits": 10,
    "_study_plan": 10,
    "_study_report": 10,
    "_study_runs": 10,
    "features": 10,
    "inspection": 10,
    "metrics": 10,
    "__init__": 12,
    "__main__": 12,
    "study": 12,
}
SHARED_TYPES = {("_vocabulary", "Corpus"), ("_vocabulary", "Vocabulary")}
# joblib and threadpoolctl are installed with every scikit-learn.
REQUIRED = {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl", "skembed"}
MAX_LINES = 600


class Import(NamedTuple):
    """One imported thing: `name` is None for a whole module (``import a.b``)."""

    module: str
    name: str | None
    line: int
    at_import_time: bool


def room_of(parts):
    """The room of a module given by its dotted name's parts, "skembed" included."""
    return parts[1] if len(parts) > 1 else "__init__"


class ImportCollector(ast.NodeVisitor):
    """Collects all imports of one module, and whether they run when it is loaded."""

    def __init__(self, package_parts):
        self.package_parts = package_parts
        self.deferred = 0
        self.found = []

    def add(self, module, name, node):
        self.found.append(Import(module, name, node.lineno, not self.deferred))

    def visit_deferred(self, nodes):
        self.deferred += 1
        for node in nodes:
            self.visit(node)
        self.deferred -= 1

    def visit_function(self, node):
        # Decorators and defaults are evaluated where the function is defined.
        for child in [*getattr(node, "decorator_list", []), node.args]:
            self.visit(child)
        self.visit_deferred(node.body if isinstance(node.body, list) else [node.body])

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_function

    def visit_If(self, node):
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self.visit_deferred(node.body)
        else:
            self.visit(node.test)
            for child in node.body:
                self.visit(child)
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node):
        for alias in node.names:
            self.add(alias.name, None, node)

    def visit_ImportFrom(self, node):
        module = self.absolute("." * node.level + (node.module or ""))
        for alias in node.names:
            self.add(module, alias.name, node)

    def visit_Call(self, node):
        function = ast.unparse(node.func)
        if function in ("__import__", "import_module", "importlib.import_module"):
            target = node.args[0] if node.args else None
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                self.add(self.absolute(target.value), None, node)
        self.generic_visit(node)

    def absolute(self, module):
        level = len(module) - len(module.lstrip("."))
        if not level:
            return module
        base = self.package_parts[: len(self.package_parts) - level + 1]
        return ".".join([*base, *filter(None, [module.lstrip(".")])])


def imports_of(source, path):
    """All imports in the source of a module at a path like ``skembed/_text.py``."""
    collector = ImportCollector(Path(path).parent.parts)
    collector.visit(ast.parse(source, filename=str(path)))
    return collector.found


def target_of(entry):
    """The imported room and the name taken from it (None for the whole room)."""
    parts = entry.module.split(".")
    if len(parts) == 1 and entry.name in FLOORS:
        return entry.name, None
    return room_of(parts), entry.name


def arrow_problem(room, target, name):
    """Why `room` may not import from `target`, or None when it may."""
    if target not in FLOORS:
        return f"imports the unknown room {target!r}"
    if room == "__main__" or target == room:
        return None
    if FLOORS[room] == FLOORS[target] == 2 and (target, name) in SHARED_TYPES:
        return None
    if FLOORS[target] >= FLOORS[room]:
        what = target if name is None else f"{name} of {target}"
        return (
            f"room {room} on floor {FLOORS[room]} imports {what} "
            f"on floor {FLOORS[target]}: only lower floors may be imported"
        )
    return None


def violations(source, path):
    """All broken rules of one module, as ``path:line: what is wrong``.

    Parameters
    ----------
    source : str
        The text of the module.
    path : str or Path
        Its path from the folder that holds the package, ``skembed/_text.py``.
    """
    room = room_of(Path(path).with_suffix("").parts)
    if room not in FLOORS:
        return [
            f"{path}:1: module {room!r} stands on no floor: assign it one in FLOORS "
            "(tests/test_architecture.py) and in the table of rooms"
        ]
    problems = []
    for entry in imports_of(source, path):
        top = entry.module.split(".")[0]
        if top == "skembed":
            target, name = target_of(entry)
            problem = arrow_problem(room, target, name)
            if target == "_kernels" != room and entry.at_import_time:
                problem = "_kernels may only be imported inside a function"
        elif top in ("numba", "llvmlite"):
            problem = None if room == "_kernels" else "only _kernels may import numba"
        elif entry.at_import_time and top not in REQUIRED | sys.stdlib_module_names:
            problem = f"optional package {top} may only be imported inside a function"
        else:
            problem = None
        if problem:
            problems.append(f"{path}:{entry.line}: {problem}")
    n_lines = len(source.splitlines())
    if n_lines > MAX_LINES:
        problems.append(f"{path}:{n_lines}: {n_lines} lines, at most {MAX_LINES} fit")
    return problems


MODULES = sorted(path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py"))


def test_all_rooms_are_read():
    rooms = {room_of(path.with_suffix("").parts) for path in MODULES}
    assert {"__init__", "__main__", "_base", "_kernels", "_sgns"} <= rooms


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_module_keeps_to_its_floor(path):
    source = (PACKAGE.parent / path).read_text(encoding="utf8")
    assert not violations(source, path), "\n".join(violations(source, path))


def modules_loaded_by(statement):
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in result.stdout.split()}


def test_import_is_light():
    """Neither the compiler nor any optional package is loaded by an import."""
    loaded = modules_loaded_by("from skembed import *; from skembed import datasets")
    assert "skembed" in loaded
    assert not loaded & {"numba", "llvmlite", "matplotlib", "gensim"}
    # scikit-learn loads these by itself where they are installed.
    by_sklearn = modules_loaded_by("import sklearn.feature_extraction.text")
    assert not (loaded - by_sklearn) & {"pandas", "polars", "pyarrow"}


@pytest.mark.parametrize(
    ("path", "source", "message"),
    [
        ("_text.py", "from ._base import BaseEmbedder", "floor 2 imports BaseEmbedder"),
        ("_text.py", "from skembed._sgns import x", "on floor 9"),
        ("_text.py", "import skembed._sgns as s", "imports _sgns on floor 9"),
        ("_text.py", "from skembed import _base", "imports _base on floor 8"),
        ("_text.py", "from . import __version__", "imports __version__ of __init__"),
        ("_text.py", "def f():\n    from ._base import x", "_text.py:2: room _text"),
        ("_text.py", "if TYPE_CHECKING:\n    from ._base import B", "on floor 8"),
        ("_text.py", "import importlib as i\nimport_module('skembed._base')", "_base"),
        ("_text.py", "__import__('skembed._base')", "imports _base"),
        ("_text.py", "from ._tying import biases", "floor 2 imports biases of _tying"),
        ("_text.py", "from ._vocabulary import build", "imports build of _vocabulary"),
        ("_text.py", "from . import _vocabulary", "imports _vocabulary on floor 2"),
        ("_sgns.py", "from ._glove import GloVeEmbedder", "on floor 9"),
        ("metrics.py", "def f():\n    from . import _input", "on floor 10"),
        ("study.py", "from . import SGNSEmbedder", "on floor 12"),
        ("_parallel.py", "from ._layout import x", "on floor 1"),
        ("_kernels/sgns.py", "from .._parallel import x", "room _kernels on floor 0"),
        ("_kernels/sgns.py", "from .. import _text", "imports _text on floor 2"),
        ("_sgns.py", "from ._kernels import sgns", "inside a function"),
        ("_sgns.py", "from . import _kernels", "inside a function"),
        ("_sgns.py", "import skembed._kernels.sgns", "inside a function"),
        ("_sgns.py", "class A:\n    from ._kernels import sgns", "inside a function"),
        ("_sgns.py", "try:\n    from ._kernels import a\nfinally: ...", "inside a"),
        ("_sgns.py", "def f(x=__import__('skembed._kernels')): ...", "inside a"),
        ("_base.py", "def f():\n    import numba", "only _kernels may import numba"),
        ("_base.py", "from numba.core import types", "only _kernels may import numba"),
        ("inspection.py", "import matplotlib.pyplot as plt", "package matplotlib"),
        ("datasets.py", "try:\n    import pandas\nexcept ImportError: ...", "pandas"),
        ("_attic.py", "", "assign it one in FLOORS"),
        ("_text.py", "from ._attic import x", "unknown room '_attic'"),
        ("_text.py", "\n" * (MAX_LINES + 1), f"{MAX_LINES + 1} lines"),
    ],
)
def test_checker_catches(path, source, message):
    found = violations(source, Path("skembed") / path)
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("_sgns.py", "from ._base import BaseEmbedder\nfrom ._tying import REGISTRY"),
        ("_sgns.py", "def fit():\n    from ._kernels import sgns\n    import pandas"),
        ("_sgns.py", "f = lambda: __import__('skembed._kernels.sgns')"),
        ("_sgns.py", "if TYPE_CHECKING:\n    from ._kernels.sgns import Tables"),
        ("_cooccurrence.py", "from ._vocabulary import Corpus, Vocabulary"),
        ("_kernels/sgns.py", "import numba\nfrom ._jit import jit\nfrom . import _jit"),
        ("_base.py", "import json\nimport joblib\nfrom sklearn.base import clone"),
        ("__init__.py", "from ._sgns import SGNSEmbedder\nfrom . import datasets"),
        ("__main__.py", "from . import __version__, study\nfrom ._report import table"),
        ("_text.py", "\n" * 399),
    ],
)
def test_checker_accepts(path, source):
    assert violations(source, Path("skembed") / path) == []
