"""What a comparison came to: as a table, JSON, CSV or a picture.

A row is a dict: "estimator", "share_context" and "bias" (where it has them),
"is_reference", "n_embedding_parameters", "fit_seconds", "accuracy", "accuracy_sd",
"fold_accuracies", the same three of few labels with "few_" before them, "pipeline",
Python code, and "error", which says why a line without an accuracy has none.
"""

import ast
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skembed.study import _tables

Row = dict[str, Any]

WIDTH = 88
NOT_RUN = "not run"
_IMPORTS = {
    "sklearn.feature_extraction.text": ["TfidfVectorizer"],
    "sklearn.linear_model": ["LogisticRegression"],
    "sklearn.pipeline": ["make_pipeline"],
    "skembed": ["CBOWEmbedder", "GloVeEmbedder", "PPMISVDEmbedder", "SGNSEmbedder"],
    "skembed.features": ["TextUnion"],
}
_HEADER = (
    "estimator",
    "share_context",
    "bias",
    "parameters",
    "fit s",
    "few labels",
    "all labels",
)
COLUMNS_HELP = """\
  estimator      SGNS and CBOW (word2vec's two models, with negative sampling),
                 GloVe, or PPMI-SVD (the positive PMI matrix, factorised); tf-idf
                 + PPMI-SVD is skembed.features.TextUnion of both
  share_context  False: separate tables of word and context vectors; True: one
                 table for both; signed: one table, but some dimensions count
                 negatively in a score
  bias           what SGNS and CBOW add to a score: None (as word2vec), shift,
                 exact (both known constants) or word (learned). One table with
                 None is there to show what it costs: it cannot hold the mean of
                 the scores. CBOW has the default of each strategy
  parameters     learned numbers of the embedding, mean over the folds
  fit s          seconds to train the vectors and to turn the training documents
                 into features, mean over the folds, without the classifier;
                 measured while other folds run
  few labels     accuracy of a classifier that knows the labels of a few training
                 documents of each class (--labels-per-class), while the features
                 are fitted on the texts of all of them; mean and standard
                 deviation over the folds
  all labels     accuracy with the labels of all training documents, likewise;
                 "failed" (the reason is below the table) or "not run" (the run was
                 interrupted)
Estimators and their rows are sorted by the accuracy with all labels. The references:
TfidfVectorizer with its defaults and the same options of what a word is, and its
TruncatedSVD with as many components as the vectors, if there are so many words.
Below the table stands the first line as a pipeline to copy.
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
    "few_accuracy",
    "few_accuracy_sd",
    "few_fold_accuracies",
    "pipeline",
    "error",
)


def ranked(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in groups, one per estimator, then one of the references.

    The estimator with the most accurate row comes first, and so does that row in it;
    rows without an accuracy come last.

    Parameters
    ----------
    rows : sequence of dict

    Returns
    -------
    list of lists of dict
    """
    groups: dict[str, list[Row]] = {}
    for row in [
        *sorted(_fitted(rows), key=lambda row: -row["accuracy"]),
        *_missing(rows),
    ]:
        groups.setdefault("" if row["is_reference"] else row["estimator"], []).append(
            row
        )
    references = groups.pop("", None)
    return [*groups.values(), *([references] if references else [])]


def _fitted(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["accuracy"] is not None]


def _missing(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["accuracy"] is None]


def name(row: Row) -> str:
    """Return a row's estimator and strategy in one line."""
    return " ".join([row["estimator"], *_strategy(row)])


def _strategy(row: Row) -> list[str]:
    keys = [key for key in ("share_context", "bias") if key in row]
    return [f"{key}={row[key]}" for key in keys]


def accuracy(row: Row, kind: str = "") -> str:
    """Return a row's accuracy, mean ± standard deviation, or what it has instead.

    Parameters
    ----------
    row : dict
    kind : {"", "few_"}, default=""
        That of all labels, or of few.

    Returns
    -------
    str
    """
    if row["accuracy"] is None:
        return NOT_RUN if row["error"] == NOT_RUN else "failed"
    return f"{row[f'{kind}accuracy']:.3f} ± {row[f'{kind}accuracy_sd']:.3f}"


def progress(row: Row) -> str:
    """Return a row's seconds and accuracy, or why it has none."""
    if row["accuracy"] is None:
        return f"failed: {row['error']}"
    shown = f"few labels {accuracy(row, 'few_')}  all {accuracy(row)}"
    return f"fit {row['fit_seconds']:.1f} s  {shown}"


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
    table = _tables.as_text(_HEADER, cells, n_words=3)
    words = map(_wrap, _in_words(rows, about))
    return "\n".join([_wrap(_heading(about)), "", *table, *words, *_to_copy(groups)])


def as_markdown(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return the table, and the answer in words, as Markdown."""
    cells = [_cells(row) for group in ranked(rows) for row in group]
    table = _tables.as_markdown(_HEADER, cells)
    return "\n\n".join([_heading(about), table, *_in_words(rows, about)])


def _in_words(rows: Sequence[Row], about: dict[str, Any]) -> list[str]:
    words = [*_reasons(rows), *verdict(rows)]
    if not all(row["is_reference"] for row in _fitted(rows)):
        words.append(_caveat(rows, about))
    return words


def _to_copy(groups: list[list[Row]]) -> list[str]:
    """Return the lines of a program that makes the best embedder's pipeline."""
    code = next((row["pipeline"] for group in groups for row in group), None)
    if code is None:
        return []
    imports = [
        f"from {module} import {', '.join(found)}"
        for module, names in _IMPORTS.items()
        if (found := [name for name in names if f"{name}(" in code])
    ]
    return [
        "",
        "The best of these as a pipeline, to copy:",
        "",
        *imports,
        "",
        "pipeline = make_pipeline(",
        *(f"    {step}," for step in _steps(code)),
        ")",
    ]


def _steps(code: str) -> list[str]:
    """Return the arguments of ``make_pipeline(...)``, in short lines."""
    call = ast.parse(code, mode="eval").body
    steps = [ast.unparse(step) for step in getattr(call, "args", ())]
    return [
        step
        if len(step) < WIDTH - 4
        else textwrap.fill(step, WIDTH - 4, subsequent_indent=" " * 8)
        for step in steps
    ]


def _reasons(rows: Sequence[Row]) -> list[str]:
    """Say why rows failed, in one line for all that failed alike."""
    names: dict[str, list[str]] = {}
    for row in _missing(rows):
        if row["error"] != NOT_RUN:
            names.setdefault(row["error"], []).append(name(row))
    return [
        f"Failed: {'; '.join(failed[:3])}"
        + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
        + f": {reason}"
        for reason, failed in names.items()
    ]


def _heading(about: dict[str, Any]) -> str:
    return (
        f"{about['data']}: {about['n_documents']} documents in {about['n_classes']} "
        f"classes. Accuracy over {about['cv']} folds, {about['n_components']} "
        f"components, seed {about['seed']}. Few labels: {about['labels_per_class']} of "
        "each class."
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
        row["estimator"].removesuffix(" of tf-idf"),
        str(row.get("share_context", _tables.ABSENT)),
        str(row.get("bias", _tables.ABSENT)),
        _tables.ABSENT if size is None else f"{size:,}",
        _tables.ABSENT if row["accuracy"] is None else f"{row['fit_seconds']:.1f}",
        accuracy(row, "few_"),
        accuracy(row),
    )


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
        A sentence or two about each estimator, then about the best of all, then
        which rows are missing.
    """
    groups = [group for group in ranked(rows) if not group[0]["is_reference"]]
    compared = [group for group in groups if _strategy(group[0])]
    references = [row for row in _fitted(rows) if row["is_reference"]]
    lines = [_group_verdict(group) for group in compared if _fitted(group)]
    if references and any(map(_fitted, groups)):
        best, *others = _fitted([row for group in groups for row in group])
        lines.append(f"Beside {name(best)}, {_beside(best, references)}.")
        best = max([best, *others], key=lambda row: row["few_accuracy"])
        lines.append(
            f"With few labels, {name(best)} came out best; beside it, "
            f"{_beside(best, references, 'few_')}."
        )
    missing = _missing(rows)
    if missing:
        names = "; ".join(f"{name(row)} ({accuracy(row)})" for row in missing)
        lines.append(
            f"Incomplete: {len(missing)} of {len(rows)} lines are missing, and nothing "
            f"is said about them: {names}."
        )
    return lines


def _beside(best: Row, references: Sequence[Row], kind: str = "") -> str:
    return " and ".join(
        f"{row['estimator']} is {_relation(row, best, kind)}" for row in references
    )


def _group_verdict(group: list[Row]) -> str:
    best, *others = _fitted(group)
    missing = len(group) - 1 - len(others)
    start = f"{best['estimator']}: {', '.join(_strategy(best))}"
    if not others:
        return f"{start} only" + (f"; {missing} missing." if missing else ".")
    start += " came out best"
    if missing:
        start += (
            f" of the {1 + len(others)} strategies that are done ({missing} missing)"
        )
    near = [row for row in others if _is_near(row, best)]
    behind = [row for row in others if not _is_near(row, best)]
    if not near:
        return f"{start}, by more than one standard deviation."
    if not behind:
        which = "of these" if missing else "strategy"
        return f"{start}, but every other {which} is about as good."
    if len(near) > len(behind):
        which = "of these" if missing else "others"
        return f"{start}; about as good: all {which} except {_listed(behind)}."
    return f"{start}; about as good: {_listed(near)}."


def _listed(rows: list[Row]) -> str:
    return "; ".join(", ".join(_strategy(row)) for row in rows)


def _relation(row: Row, best: Row, kind: str = "") -> str:
    difference = row[f"{kind}accuracy"] - best[f"{kind}accuracy"]
    if _is_near(row, best, kind):
        return f"about as good ({difference:+.3f})"
    return f"{'better' if difference > 0 else 'worse'} ({difference:+.3f})"


def _is_near(row: Row, other: Row, kind: str = "") -> bool:
    name = f"{kind}accuracy"
    spread = max(row[f"{name}_sd"], other[f"{name}_sd"])
    return abs(row[name] - other[name]) <= spread


def as_json(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return one JSON object: what was run, the rows in order, the answer in words.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        As for `as_table`; every entry becomes one of the object. Its "complete"
        is false where a row has no accuracy.

    Returns
    -------
    str
    """
    in_order = [row for group in ranked(rows) for row in group]
    answer = {
        **about,
        "complete": not _missing(rows),
        "results": in_order,
        "verdict": verdict(rows),
    }
    return _tables.as_json(answer)


def as_csv(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return the rows in order as CSV, accuracies of the folds in one field."""
    texts = []
    for row in (row for group in ranked(rows) for row in group):
        # None is a value of `bias`; an empty field says that there is none.
        own: Row = {
            key: str(row[key]) for key in ("share_context", "bias") if key in row
        }
        for key in ("fold_accuracies", "few_fold_accuracies"):
            own[key] = " ".join(map(str, row[key]))
        texts.append({**row, **own})
    return _tables.as_csv(texts, _COLUMNS).removesuffix("\n")


FORMATS = {
    "table": as_table,
    "markdown": as_markdown,
    "json": as_json,
    "csv": as_csv,
}


def draw(rows: Sequence[Row], about: dict[str, Any], path: Path) -> None:
    """Write a picture of the rows: two dots and their standard deviations for each.

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
            done = row["accuracy"] is not None
            if done:
                _draw_row(axes, row, position, f"C{colour}")
            positions.append(position)
            labels.append(name(row) + ("" if done else f" ({accuracy(row)})"))
            position += 1.0
        position += 0.6
    axes.set_yticks(positions, labels)
    axes.set_ylim(position - 1.0, -0.6)
    axes.set_xlabel(
        f"accuracy with few labels (hollow) and with all (filled), mean ± standard "
        f"deviation over {about['cv']} folds"
    )
    title = figure.suptitle(
        textwrap.fill(_heading(about), 100), x=0.01, ha="left", fontsize="medium"
    )
    title.set_parse_math(False)  # a file's name may hold dollar signs
    _tables.tidy(axes, axis="x")
    _tables.save_figure(figure, path)


def _draw_row(axes: Any, row: Row, position: float, colour: str) -> None:
    style = {"color": "0.35" if row["is_reference"] else colour}
    for kind, fill in (("", {}), ("few_", {"mfc": "white"})):
        value = row[f"{kind}accuracy"]
        if row["is_reference"]:
            axes.axvline(value, linestyle="--", linewidth=1, alpha=0.6, **style)
        axes.errorbar(
            value,
            position,
            xerr=row[f"{kind}accuracy_sd"],
            marker="s" if row["is_reference"] else "o",
            capsize=3,
            **style,
            **fill,
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
