"""Folders import from those below them, and numba is loaded when it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "skembed"
# From top to bottom. "root" stands for the files of the estimators and all they share.
FLOORS = [
    {"__main__"},
    {"study"},
    {"features", "graphs", "inspection", "metrics", "tying"},
    {"root"},
    {"_solvers", "vectors"},
    {"_counts", "pooling"},
    {"_corpus"},
    {"_kernels", "_tying", "datasets"},
    {"_utils", "_version"},
]
HEIGHT = {place: -depth for depth, floor in enumerate(FLOORS) for place in floor}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
NUMBA = {"_kernels", "_utils/jit.py", "_utils/barrier.py"}


def place_of(parts):
    return parts[0] if parts[0] in HEIGHT else "root"


def imports_of(path):
    """Yield the dotted names, as lists, of whatever a module imports."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                yield [*node.module.split("."), alias.name]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_down(path):
    here = place_of(path.with_suffix("").parts)
    for top, *parts in imports_of(path):
        if top == "skembed":
            there = place_of(parts)
            assert there == here or HEIGHT[there] < HEIGHT[here], (here, parts)
        elif top in ("numba", "llvmlite"):
            assert {path.parts[0], path.as_posix()} & NUMBA


def test_import_is_light():
    command = [sys.executable, "-c", "import sys, skembed; print(*sys.modules)"]
    loaded = subprocess.check_output(command, text=True, cwd=PACKAGE.parent).split()
    assert "skembed" in loaded
    assert not {"numba", "sklearn"} & set(loaded)
