"""The report of the study on a graph: a table, and the answer in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skembed.study._graphs import MEASURES, Result
from skembed.study._report import ABSENT, csv_table, markdown_table, text_table, wrap

_DEGREES = "degrees alone"
# Smaller differences than this are none, however little the folds differ.
_LEVEL = 0.01


class Report:
    """The results of the study, to be shown.

    Parameters
    ----------
    about : sequence of str
        Sentences about the graph and the comparison.
    results : sequence of Result
        That of the degrees is the first.
    """

    def __init__(self, about: Sequence[str], results: Sequence[Result]):
        self._about = about
        self._results = results
        self._baseline, *others = results
        self._done = [result for result in others if result.problem is None]
        self._failed = [result for result in others if result.problem is not None]
        self._measures = [name for name in MEASURES if name in self._baseline.scores]
        families = {result.way.family for result in others if result.way}
        self._has_families = len(families) > 1

    def text(self) -> str:
        """Return the report for a terminal."""
        table = text_table(
            self._header(), self._groups(), 2 if self._has_families else 1
        )
        return "\n".join([
            wrap(" ".join(self._about)), "", *table, "", *map(wrap, self.verdict())
        ])  # fmt: skip

    def markdown(self) -> str:
        """Return the report as Markdown."""
        rows = [row for group in self._groups() for row in group]
        parts = [" ".join(self._about), markdown_table(self._header(), rows)]
        return "\n\n".join([*parts, *self.verdict()]) + "\n"

    def csv(self) -> str:
        """Return the scores of every fold as CSV."""
        own = ("vectors", "estimator", "steps", "n_components", "parameters", "problem")
        rows = [row for result in self._results for row in _records(result)]
        return csv_table(rows, [*own, "fold", *self._measures])

    def verdict(self) -> list[str]:
        """Return a sentence or two for each measure, then the answer."""
        lines = [self._sentence(name) for name in self._measures]
        lines += self._answer()
        return lines + [
            f"Failed: {self._name(result)}: {result.problem}" for result in self._failed
        ]

    def _sentence(self, measure: str) -> str:
        best = max(self._done, key=lambda result: result.mean(measure))
        level = [
            self._name(result)
            for result in self._done
            if result is not best
            and is_level(result.scores[measure], best.scores[measure])
        ]
        found, degrees = best.mean(measure), self._baseline.mean(measure)
        text = f"{measure.capitalize()}: {self._name(best)} came out best ({found:.3f})"
        if len(level) > 0:
            everything = len(level) == len(self._done) - 1
            text += (
                f"; level with it: {'all others' if everything else '; '.join(level)}"
            )
        text += f". The degrees alone have {degrees:.3f}."
        if measure == "direction" and found < degrees:
            text += (
                " The two degrees of a node tell the direction better than any of "
                "these vectors."
            )
        return text

    def _answer(self) -> list[str]:
        """Tell where the best way with two tables beats the best with one."""
        two = [r for r in self._done if r.way is not None and r.way.has_two_tables]
        one = [r for r in self._done if r.way is not None and not r.way.has_two_tables]
        if not (one and two):
            return []
        better = []
        for name in self._measures:
            best, other = (max(r, key=lambda x: x.mean(name)) for r in (two, one))
            gain = best.mean(name) - other.mean(name)
            if gain > 0.0 and not is_level(best.scores[name], other.scores[name]):
                better.append(f"{name} ({gain:+.3f})")
        if better:
            return [f"Two tables do better than one in: {', '.join(better)}."]
        return [
            "Two tables are not needed here. For each measure, one table is level with "
            "two or better."
        ]

    def _name(self, result: Result) -> str:
        way = result.way
        if way is None:
            return _DEGREES
        return f"{way.estimator}, {way.title}" if self._has_families else way.title

    def _header(self) -> list[str]:
        families = ["estimator"] * self._has_families
        return ["vectors", *families, "steps", "parameters", *self._measures]

    def _groups(self) -> list[list[list[str]]]:
        """Return the cells: the degrees, then the ways of one number of steps each."""
        groups: dict[Any, list[list[str]]] = {}
        for result in self._results:
            key = result.way and (result.way.family, result.way.steps)
            groups.setdefault(key, []).append(self._cells(result))
        return list(groups.values())

    def _cells(self, result: Result) -> list[str]:
        way, n_parameters = result.way, result.n_parameters
        scores = [_spread(result.scores.get(name)) for name in self._measures]
        own = [_DEGREES, "", "", ""]
        if way is not None:
            size = ABSENT if n_parameters is None else f"{n_parameters:,}"
            own = [way.name, way.estimator, str(way.steps), size]
        return [*own[:1], *own[1 : 1 + self._has_families], *own[2:], *scores]


def is_level(first: Sequence[float], second: Sequence[float]) -> bool:
    """Tell whether the scores of two ways in the same folds are about the same.

    They are if their mean difference is at most 0.01, or at most the standard deviation
    of the differences.
    """
    differences = np.subtract(first, second)
    return bool(abs(differences.mean()) <= max(_LEVEL, differences.std()))


def _spread(scores: Sequence[float] | None) -> str:
    return f"{np.mean(scores):.3f} ± {np.std(scores):.3f}" if scores else ABSENT


def _records(result: Result) -> list[dict[str, Any]]:
    """Return a record for each fold."""
    way = result.way
    own: dict[str, Any] = {"vectors": _DEGREES}
    if way is not None:
        own = {
            "vectors": way.name,
            "estimator": way.estimator,
            "steps": way.steps,
            "n_components": way.n_components,
            "parameters": result.n_parameters,
            "problem": result.problem,
        }
    folds = list(zip(*result.scores.values(), strict=True))
    if not folds:
        return [own]
    return [
        {**own, "fold": fold, **dict(zip(result.scores, scores, strict=True))}
        for fold, scores in enumerate(folds)
    ]
