"""How results are written: tables as text and Markdown, CSV, JSON, figures."""

import csv
import io
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ABSENT = "–"
PICTURES = (".png", ".pdf", ".svg")


def as_text(
    header: Sequence[str], groups: Sequence[Sequence[Sequence[str]]], n_words: int
) -> list[str]:
    """Return the lines of a table, with a rule above and below each group of rows.

    The first `n_words` columns are words, the others numbers.
    """
    widths = _widths([header, *(row for group in groups for row in group)])

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < n_words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(padded)

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = [line(header), rule]
    for group in groups:
        lines += [*map(line, group), rule]
    return lines


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table with columns of equal width."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = _widths(cells)
    lines = [
        f"| {' | '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))} |"
        for row in cells
    ]
    lines.insert(1, f"|{'|'.join('-' * (width + 2) for width in widths)}|")
    return "\n".join(lines)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def as_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV with a header; what a row lacks is an empty field."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def as_json(content: Any) -> str:
    """Return JSON for readers."""
    return json.dumps(content, indent=2)


def write(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure of matplotlib; the file's ending chooses the format."""
    with warnings.catch_warnings():
        # A letter of a name that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(path)


def tidy(axes: Any, **grid: Any) -> None:
    """Give a panel a light grid and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3, **grid)


def picture_problem(path: Path) -> str | None:
    """Return what would keep a figure from being written to a file, or None."""
    if path.suffix.lower() not in PICTURES:
        return f"the name must end in one of {', '.join(PICTURES)}"
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        return "no file can be written there"
    return None
