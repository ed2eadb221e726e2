"""What a comparison came to: as a table, JSON, CSV or a picture.

A row is a dict: "estimator", "share_context" and "bias" (where it has them),
"is_reference", "n_embedding_parameters", "fit_seconds", "accuracy", "accuracy_sd" and
"fold_accuracies".
"""

import csv
import io
import json
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

WIDTH = 88
_ABSENT = "–"
_PICTURES = (".png", ".pdf", ".svg")
_HEADER = ("estimator", "share_context", "bias", "parameters", "fit s", "accuracy")
COLUMNS_HELP = """\
  estimator      SGNS (word2vec's skip-gram with negative sampling), GloVe, or
                 PPMI-SVD (the positive PMI matrix, factorised)
  share_context  False: separate tables of word and context vectors; True: one
                 table for both; signed: one table, but some dimensions count
                 negatively in a score
  bias           what SGNS adds to a score: None (as word2vec), shift, exact (both
                 known constants) or word (learned). One table with None is there
                 to show what it costs: it cannot hold the mean of the scores
  parameters     learned numbers of the embedding, mean over the folds
  fit s          seconds to train the vectors and to turn the training documents
                 into features, mean over the folds, without the classifier;
                 measured while other folds run
  accuracy       mean and standard deviation over the folds
Estimators and their rows are sorted by accuracy. The references: TfidfVectorizer
with its defaults, and its TruncatedSVD with as many components as the vectors.
"""
_COLUMNS = (
    "estimator",
    "share_context",
    "bias",
    "is_reference",
    "n_embedding_parameters",
    "fit_seconds",
    "accuracy",
    "accuracy_sd",
    "fold_accuracies",
)


def ranked(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in groups, one per estimator, then one of the references.

    The estimator with the most accurate row comes first, and so does that row in it.

    Parameters
    ----------
    rows : sequence of dict

    Returns
    -------
    list of lists of dict
    """
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: -row["accuracy"]):
        groups.setdefault("" if row["is_reference"] else row["estimator"], []).append(
            row
        )
    references = groups.pop("", None)
    return [*groups.values(), *([references] if references else [])]


def name(row: Row) -> str:
    """Return a row's estimator and strategy in one line.

    Parameters
    ----------
    row : dict

    Returns
    -------
    str
    """
    return " ".join([row["estimator"], *_strategy(row)])


def _strategy(row: Row) -> list[str]:
    keys = [key for key in ("share_context", "bias") if key in row]
    return [f"{key}={row[key]}" for key in keys]


def accuracy(row: Row) -> str:
    """Return a row's accuracy, mean and standard deviation over the folds.

    Parameters
    ----------
    row : dict

    Returns
    -------
    str
    """
    return f"{row['accuracy']:.3f} ± {row['accuracy_sd']:.3f}"


def as_table(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return a table for readers, with the answer in words below.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        "data", "n_documents", "n_classes" and the settings of the comparison.

    Returns
    -------
    str
    """
    groups = ranked(rows)
    cells = [[_cells(row) for row in group] for group in groups]
    lines = [_HEADER, *(line for group in cells for line in group)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    table = [_wrap(_heading(about)), "", _aligned(_HEADER, widths)]
    for group in cells:
        table += [rule, *(_aligned(line, widths) for line in group)]
    words = verdict(rows)
    if words:
        words.append(_caveat(rows, about))
    return "\n".join([*table, rule, *map(_wrap, words)])


def _heading(about: dict[str, Any]) -> str:
    return (
        f"{about['data']}: {about['n_documents']} documents in {about['n_classes']} "
        f"classes. Accuracy over {about['cv']} folds, {about['n_components']} "
        f"components, seed {about['seed']}."
    )


def _caveat(rows: Sequence[Row], about: dict[str, Any]) -> str:
    text = (
        '"About as good" means less than one standard deviation away, the larger of '
        f"the two. One seed, {about['cv']} folds: repeat with another --seed before "
        "relying on a small difference."
    )
    if any(row["estimator"] == "GloVe" for row in rows):
        text += " GloVe adds a word's two vectors up, and with one table takes its one."
    return text


def _cells(row: Row) -> tuple[str, ...]:
    size = row["n_embedding_parameters"]
    return (
        row["estimator"],
        str(row.get("share_context", _ABSENT)),
        str(row.get("bias", _ABSENT)),
        _ABSENT if size is None else f"{size:,}",
        f"{row['fit_seconds']:.1f}",
        accuracy(row),
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Join cells: the first three are words, the others numbers."""
    padded = [
        cell.ljust(width) if i < 3 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded)


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def verdict(rows: Sequence[Row]) -> list[str]:
    """Say in words what came out best, and what is not to be told from it.

    Parameters
    ----------
    rows : sequence of dict

    Returns
    -------
    list of str
        A sentence or two about each estimator, then about the best of all.
    """
    groups = [group for group in ranked(rows) if not group[0]["is_reference"]]
    references = [row for row in rows if row["is_reference"]]
    lines = [_group_verdict(group) for group in groups]
    if groups and references:
        best = groups[0][0]
        comparisons = [
            f"{reference['estimator']} is {_relation(reference, best)}"
            for reference in references
        ]
        lines.append(f"Beside {name(best)}, {' and '.join(comparisons)}.")
    return lines


def _group_verdict(group: list[Row]) -> str:
    best, others = group[0], group[1:]
    start = f"{best['estimator']}: {', '.join(_strategy(best))} came out best"
    if not others:
        return f"{best['estimator']}: {', '.join(_strategy(best))} only."
    near = [row for row in others if _is_near(row, best)]
    behind = [row for row in others if not _is_near(row, best)]
    if not near:
        return f"{start}, by more than one standard deviation."
    if not behind:
        return f"{start}, but every other strategy is about as good."
    if len(near) > len(behind):
        return f"{start}; about as good: all others except {_listed(behind)}."
    return f"{start}; about as good: {_listed(near)}."


def _listed(rows: list[Row]) -> str:
    return "; ".join(", ".join(_strategy(row)) for row in rows)


def _relation(row: Row, best: Row) -> str:
    difference = row["accuracy"] - best["accuracy"]
    if _is_near(row, best):
        return f"about as good ({difference:+.3f})"
    return f"{'better' if difference > 0 else 'worse'} ({difference:+.3f})"


def _is_near(row: Row, other: Row) -> bool:
    spread = max(row["accuracy_sd"], other["accuracy_sd"])
    return abs(row["accuracy"] - other["accuracy"]) <= spread


def as_json(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return one JSON object: what was run, the rows in order, the answer in words.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        As for `as_table`; every entry becomes one of the object.

    Returns
    -------
    str
    """
    in_order = [row for group in ranked(rows) for row in group]
    answer = {**about, "results": in_order, "verdict": verdict(rows)}
    return json.dumps(answer, indent=2)


def as_csv(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return the rows in order as CSV, accuracies of the folds in one field.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        Not used.

    Returns
    -------
    str
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for group in ranked(rows):
        for row in group:
            # None is a value of `bias`; an empty field says that there is none.
            texts: Row = {
                key: str(row[key]) for key in ("share_context", "bias") if key in row
            }
            folds = " ".join(map(str, row["fold_accuracies"]))
            writer.writerow({**row, **texts, "fold_accuracies": folds})
    return out.getvalue().removesuffix("\n")


FORMATS = {"table": as_table, "json": as_json, "csv": as_csv}


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def picture_problem(path: Path) -> str | None:
    """Return what would keep `draw` from writing a file, or None.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str or None
    """
    if path.suffix.lower() not in _PICTURES:
        return f"the name must end in one of {', '.join(_PICTURES)}"
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        return "no file can be written there"
    return None


def draw(rows: Sequence[Row], about: dict[str, Any], path: Path) -> None:
    """Write a picture of the rows: a dot and its standard deviation for each.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        As for `as_table`.
    path : Path
        File to write; its ending chooses the format.
    """
    from matplotlib.figure import Figure

    groups = ranked(rows)
    n_lines = sum(map(len, groups)) + 0.6 * (len(groups) - 1)
    figure = Figure(figsize=(9, 1.6 + 0.3 * n_lines), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    position, positions, labels = 0.0, [], []
    for colour, group in enumerate(groups):
        for row in group:
            _draw_row(axes, row, position, f"C{colour}")
            positions.append(position)
            labels.append(name(row))
            position += 1.0
        position += 0.6
    axes.set_yticks(positions, labels)
    axes.set_ylim(position - 1.0, -0.6)
    axes.set_xlabel(f"accuracy, mean ± standard deviation over {about['cv']} folds")
    figure.suptitle(
        textwrap.fill(_heading(about), 100), x=0.01, ha="left", fontsize="medium"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path)


def _draw_row(axes: Any, row: Row, position: float, colour: str) -> None:
    style = {"color": "0.35" if row["is_reference"] else colour}
    if row["is_reference"]:
        axes.axvline(row["accuracy"], linestyle="--", linewidth=1, alpha=0.6, **style)
    axes.errorbar(
        row["accuracy"],
        position,
        xerr=row["accuracy_sd"],
        marker="s" if row["is_reference"] else "o",
        capsize=3,
        **style,
    )
    size = row["n_embedding_parameters"]
    # In the margin, where no dot can hide it.
    axes.annotate(
        "" if size is None else f"{size:,} parameters",
        (1.01, position),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize="small",
        color="0.35",
        annotation_clip=False,
    )
