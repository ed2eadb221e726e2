"""The quick comparison's rows in order, and its answer in words.

A row is a dict with the keys "estimator", "share_context" and "bias" (if it has them),
"is_reference", "n_embedding_parameters" (None for tf-idf), "fit_seconds", "accuracy",
"accuracy_sd", "fold_accuracies", the same three for few labels with the prefix "few_",
"pipeline" (Python code, None for references) and "error" (None, or the reason why the
row has no numbers).
"""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]

NOT_RUN = "not run"


def ranked(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in groups: one per estimator, then the references.

    The estimator with the most accurate row comes first. Within a group, rows are
    sorted by accuracy. Rows without an accuracy come last.

    Parameters
    ----------
    rows : sequence of dict

    Returns
    -------
    list of lists of dict
    """
    groups: dict[str, list[Row]] = {}
    for row in [
        *sorted(fitted(rows), key=lambda row: -row["accuracy"]),
        *missing(rows),
    ]:
        groups.setdefault("" if row["is_reference"] else row["estimator"], []).append(
            row
        )
    references = groups.pop("", None)
    return [*groups.values(), *([references] if references else [])]


def fitted(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["accuracy"] is not None]


def missing(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["accuracy"] is None]


def name(row: Row) -> str:
    """Return a row's estimator and strategy in one line."""
    return " ".join([row["estimator"], *_strategy(row)])


def _strategy(row: Row) -> list[str]:
    keys = [key for key in ("share_context", "bias") if key in row]
    return [f"{key}={row[key]}" for key in keys]


def accuracy(row: Row, kind: str = "") -> str:
    """Return a row's accuracy, mean ± standard deviation, or a word if it has none.

    Parameters
    ----------
    row : dict
    kind : {"", "few_"}, default=""
        With all labels, or with few.

    Returns
    -------
    str
    """
    if row["accuracy"] is None:
        return NOT_RUN if row["error"] == NOT_RUN else "failed"
    return f"{row[f'{kind}accuracy']:.3f} ± {row[f'{kind}accuracy_sd']:.3f}"


def reasons(rows: Sequence[Row]) -> list[str]:
    """Return the reasons why rows failed. Rows with the same reason share a line."""
    names: dict[str, list[str]] = {}
    for row in missing(rows):
        if row["error"] != NOT_RUN:
            names.setdefault(row["error"], []).append(name(row))
    return [
        f"Failed: {'; '.join(failed[:3])}"
        + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
        + f": {reason}"
        for reason, failed in names.items()
    ]


def heading(about: dict[str, Any]) -> str:
    """Return a sentence about the data and the comparison."""
    return (
        f"{about['data']}: {about['n_documents']} documents in {about['n_classes']} "
        f"classes. Accuracy over {about['cv']} folds, {about['n_components']} "
        f"components, seed {about['seed']}. Few labels: {about['labels_per_class']} of "
        "each class."
    )


def verdict(rows: Sequence[Row]) -> list[str]:
    """Return the answer in words: the best rows, and those that are about as good.

    Parameters
    ----------
    rows : sequence of dict

    Returns
    -------
    list of str
        A sentence or two about each estimator, then about the best row, then about
        missing rows.
    """
    groups = [group for group in ranked(rows) if not group[0]["is_reference"]]
    compared = [group for group in groups if _strategy(group[0])]
    references = [row for row in fitted(rows) if row["is_reference"]]
    lines = [_group_verdict(group) for group in compared if fitted(group)]
    if references and any(map(fitted, groups)):
        best, *others = fitted([row for group in groups for row in group])
        lines.append(f"Compared with {name(best)}, {_compared(best, references)}.")
        best = max([best, *others], key=lambda row: row["few_accuracy"])
        lines.append(
            f"With few labels, {name(best)} came out best of the embedders. Compared "
            f"with it, {_compared(best, references, 'few_')}."
        )
    absent = missing(rows)
    if absent:
        names = "; ".join(f"{name(row)} ({accuracy(row)})" for row in absent)
        lines.append(
            f"Incomplete: {len(absent)} of {len(rows)} lines are missing, and nothing "
            f"is said about them: {names}."
        )
    return lines


def _compared(best: Row, references: Sequence[Row], kind: str = "") -> str:
    return " and ".join(
        f"{row['estimator']} is {_relation(row, best, kind)}" for row in references
    )


def _group_verdict(group: list[Row]) -> str:
    best, *others = fitted(group)
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
