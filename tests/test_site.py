"""The built documentation: every page is there, with all methods of all classes."""

import html
import importlib
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("sphinx", "myst_parser", "numpydoc", "pydata_sphinx_theme"):
    pytest.importorskip(needed, reason="needs the extra docs")

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(path.stem for path in DOCS.glob("*.md"))
CLASSES = [
    name
    for name in re.findall(r"^   ([\w.]+)$", (DOCS / "api.md").read_text("utf-8"), re.M)
    if name.rpartition(".")[2][0].isupper()
]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    # A copy, since the build writes pages beside their sources.
    ignored = shutil.ignore_patterns("_build", "generated")
    shutil.copytree(DOCS, folder / "docs", ignore=ignored)
    example = Path("tests", "tying", "own_strategy.py")
    (folder / example).parent.mkdir(parents=True)
    shutil.copy(DOCS.parent / example, folder / example)
    build = [sys.executable, "-m", "sphinx", "-W", "-q", "docs", "html"]
    subprocess.run(build, cwd=folder, check=True)
    return folder / "html"


def text_of(code):
    return html.unescape(re.sub(r"<[^>]*>", "", code))


@pytest.mark.parametrize("page", PAGES)
def test_page_has_its_title(page, site):
    first, _, _ = (DOCS / f"{page}.md").read_text("utf-8").partition("\n")
    built = (site / f"{page}.html").read_text("utf-8")
    headings = re.findall(r'<h1>(.*?)(?:<a class="headerlink"|</h1>)', built, re.DOTALL)
    assert [text_of(heading) for heading in headings] == [
        first.removeprefix("# ").replace("`", "")
    ]


@pytest.mark.parametrize("name", CLASSES)
def test_page_of_a_class_has_all_public_methods(name, site):
    module, _, cls = f"skembed.{name}".rpartition(".")
    kind = getattr(importlib.import_module(module), cls)
    methods = {
        method
        for method in dir(kind)
        if method[0] != "_"
        and inspect.isroutine(getattr(kind, method))
        and not hasattr(tuple, method)
    }
    built = (site / "generated" / f"skembed.{name}.html").read_text("utf-8")
    listed = re.findall(rf'id="skembed\.{re.escape(name)}\.(\w+)"', built)
    assert methods <= set(listed)
    assert methods or issubclass(kind, tuple)
