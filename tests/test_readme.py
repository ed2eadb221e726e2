"""The Python blocks of README.md and of the pages in docs/ run as they are printed.

The blocks of one page share one namespace, as for a reader who types them in order.
A block that starts with ``>>>`` also has to print what it shows. A block preceded by
the comment ``<!-- skip: reason -->`` is left out.
"""

import doctest
import pkgutil
import pydoc
import re
import traceback
from pathlib import Path
from typing import NamedTuple

import pytest

import skembed

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted(
        path
        for path in (ROOT / "docs").rglob("*.md")
        if "_build" not in path.relative_to(ROOT).parts
    ),
]
FENCE = re.compile(r"\s*(`{3,})\s*([\w+-]*)[^`]*$")
SKIP = re.compile(r"\s*<!--\s*skip:\s*\S.*-->\s*$")
DOCTEST_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """The code between two fences; `line` is the number of its first line, from 1."""

    code: str
    line: int


def python_blocks(text):
    """The blocks fenced as ``python`` that are not marked to be skipped."""
    blocks = []
    fence, language, start, skip = None, "", 0, False
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        match = FENCE.match(line)
        if fence is None and match:
            (fence, language), start = match.groups(), number + 1
        elif fence is not None and line.strip() == fence:
            if language == "python" and not skip:
                code = "\n".join(lines[start - 1 : number - 1]) + "\n"
                blocks.append(Block(code, start))
            fence, skip = None, False
        elif fence is None and line.strip():
            # The mark may be followed by empty lines, but by no other text.
            skip = bool(SKIP.match(line))
    assert fence is None, f"the block that starts in line {start} is never closed"
    return blocks


def run_block(block, namespace, page):
    """Run one block; a failure names the page and the line."""
    if block.code.lstrip().startswith(">>>"):
        run_doctest(block, namespace, page)
        return
    # Empty lines in front: a traceback then shows the line numbers of the page.
    source = "\n" * (block.line - 1) + block.code
    try:
        exec(compile(source, page, "exec"), namespace)
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == page]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1]
        pytest.fail(f"{page}:{line}: {type(error).__name__}: {error}")


def run_doctest(block, namespace, page):
    test = doctest.DocTestParser().get_doctest(
        block.code, namespace, page, page, block.line - 1
    )
    # `get_doctest` has copied the namespace; the page's blocks share one.
    test.globs = namespace
    report = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=DOCTEST_FLAGS)
    runner.run(test, out=report.append, clear_globs=False)
    if runner.failures:
        line = re.search(r"line (\d+)", "".join(report))
        pytest.fail(f"{page}:{line[1]}: {''.join(report)}")


def run_page(text, page):
    """Run all blocks of a page in order and return how many there were."""
    namespace = {"__name__": "__main__"}
    blocks = python_blocks(text)
    for block in blocks:
        run_block(block, namespace, page)
    return len(blocks)


@pytest.mark.docs
@pytest.mark.parametrize(
    "path",
    [path for path in PAGES if python_blocks(path.read_text(encoding="utf8"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_page(path, tmp_path, monkeypatch):
    # What the blocks write, they write there. Warnings are errors in all tests.
    monkeypatch.chdir(tmp_path)
    assert run_page(path.read_text(encoding="utf8"), str(path.relative_to(ROOT))) > 0


def test_readme_has_blocks():
    assert python_blocks((ROOT / "README.md").read_text(encoding="utf8"))


@pytest.mark.small
def test_readme_has_no_links_that_lead_nowhere_on_a_package_index():
    text = (ROOT / "README.md").read_text(encoding="utf8")
    targets = re.findall(
        r"\]\(([^)]*)\)|^\[[^\]]*\]:\s*(\S+)|(?:href|src)=\"([^\"]*)", text
    )
    relative = [t for t in map("".join, targets) if not re.match(r"https?://|#", t)]
    assert not relative
    for page in re.findall(r"`(docs/\w+\.md)`", text):
        assert (ROOT / page).is_file()


@pytest.mark.small
def test_pages_name_test_files_that_exist():
    pages = [*PAGES, ROOT / ".github" / "CONTRIBUTING.md"]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    named = set(re.findall(r"`(?:tests/)?((?:\w+/)?test_\w+\.py)`", " ".join(texts)))
    assert len(named) > 10
    assert not [path for path in named if not (ROOT / "tests" / path).is_file()]


@pytest.mark.small
def test_help_says_what_there_is_before_it_lists_all_modules():
    text = pydoc.render_doc(skembed, renderer=pydoc.plaintext)
    opening, _, _ = text.partition("\nPACKAGE CONTENTS")
    modules = [info.name for info in pkgutil.iter_modules(skembed.__path__)]
    names = [name for name in [*skembed.__all__, *modules] if name[0] != "_"]
    missing = [name for name in names if not re.search(rf"\b{name}\b", opening)]
    assert not missing


PAGE = """\
# Title

```bash
not python
```

```python
x = 2
```

<!-- skip: needs a network -->

```python
raise SystemError
```

{block}
"""


def test_blocks_share_a_namespace_and_marks_are_kept():
    text = PAGE.format(block="```python\n>>> print(x)\n2\n>>> y = x + 1\n```\n")
    text += "````python\nassert y == 3\n````\n"
    assert [block.line for block in python_blocks(text)] == [8, 18, 24]
    assert run_page(text, "page.md") == 3


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("x + 1\n1 / 0", r"page\.md:19: ZeroDivisionError"),
        ("def f():\n    return nothing\nf()", r"page\.md:19: NameError"),
        ("x = 1\nx = = 2", r"page\.md:19: SyntaxError"),
        ("import warnings\nwarnings.warn('old')", r"page\.md:19: UserWarning: old"),
        (">>> x\n2\n>>> x\n3", r"page\.md:20: .*\n.*line 20, in page\.md(.|\n)*Got:"),
        (">>> 1 / 0", r"page\.md:18: (.|\n)*ZeroDivisionError"),
    ],
)
def test_failing_block_is_reported(block, message):
    text = PAGE.format(block=f"```python\n{block}\n```")
    with pytest.raises(pytest.fail.Exception, match=message):
        run_page(text, "page.md")


def test_block_that_is_never_closed():
    with pytest.raises(AssertionError, match="line 2 is never closed"):
        python_blocks("```python\nx = 1\n")
