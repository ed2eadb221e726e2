"""`StrategiesDisplay`: scores of a search over strategies, fold by fold."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from skembed.inspection._drawing import (
    COLOURS,
    NEUTRAL,
    axes_of,
    check_matplotlib,
    complete_display,
    draw_legend,
    style_of,
    tidy,
)

_NOT_SET = "(not set)"


@complete_display("errorbar")
class StrategiesDisplay:
    """Scores of the values of `share_context`, or another parameter, in a search.

    Create it with `from_estimator` or `from_cv_results`. Folds differ in difficulty,
    so scores are compared within folds: a thin line joins the scores of one fold. With
    a reference, differences from its score in the same fold are drawn.

    Parameters
    ----------
    strategies : list of str
        Names of the strategies.
    scores : ndarray of shape (n_strategies, n_values, n_folds)
        Scores. NaN where a fit has failed.
    values : list of str or None, default=None
        Values of the parameter on the x axis, or None if there is none. `n_values` is
        then 1.
    param : str, default="share_context"
        Name of the parameter that was compared.
    x : str or None, default=None
        Name of the parameter on the x axis.
    metric : str, default="score"
        Name of the score.

    Attributes
    ----------
    %(drawn)s
    bars_ : list of matplotlib ErrorbarContainer
        Means and standard deviations over folds, of each strategy.
    folds_ : list of matplotlib Line2D
        Without `x`: the line of each fold.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.pipeline import Pipeline
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.inspection import StrategiesDisplay
    >>> documents, labels = ["good fine film", "bad poor film"] * 10, [1, 0] * 10
    >>> embedder = PPMISVDEmbedder(n_components=2, random_state=0)
    >>> model = Pipeline([("embed", embedder), ("classify", LogisticRegression())])
    >>> grid = {"embed__share_context": [False, True, "signed"]}
    >>> search = GridSearchCV(model, grid, cv=3).fit(documents, labels)
    >>> StrategiesDisplay.from_estimator(search).strategies
    ['False', 'True', 'signed']
    """

    ax_: Any
    figure_: Any

    def __init__(
        self,
        strategies: list[str],
        scores: np.ndarray,
        values: list[str] | None = None,
        *,
        param: str = "share_context",
        x: str | None = None,
        metric: str = "score",
    ) -> None:
        self.strategies = strategies
        self.scores = scores
        self.values = values
        self.param = param
        self.x = x
        self.metric = metric

    @classmethod
    def from_estimator(cls, search: Any, **options: Any) -> "StrategiesDisplay":
        """Draw the scores of a fitted search.

        Parameters
        ----------
        search : GridSearchCV or RandomizedSearchCV
            Fitted.
        **options : dict
            The options of `from_cv_results`: `param`, `x`, `metric`, `reference`, `ax`
            and the style.

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
        TypeError
            If it is not a fitted search.
        ValueError
            As in `from_cv_results`.
        """
        if not hasattr(search, "cv_results_"):
            raise TypeError(
                f"search must be a fitted search with cv_results_, got "
                f"{type(search).__name__}. Call fit first."
            )
        return cls.from_cv_results(search.cv_results_, **options)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        param: str | None = None,
        x: str | None = None,
        metric: str = "score",
        reference: Any = None,
        ax: Any = None,
        **style: Any,
    ) -> "StrategiesDisplay":
        """Draw the scores in `cv_results_` of a search.

        If further parameters were searched, each strategy is shown with its best
        values of them, by the mean score.

        Parameters
        ----------
        cv_results : dict of str to array
            The attribute `cv_results_` of a search.
        param : str, default=None
            Name of the parameter to compare. None is the one that ends with
            ``share_context``.
        x : str, default=None
            Name of another parameter, for the x axis. None compares strategies only.
        metric : str, default="score"
            Name of the score, if the search has several.
        reference : object, default=None
            A value of `param`: differences from its score in the same fold are drawn.
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
        ValueError
            If there is no such parameter or score, or if all fits have failed.
        """
        check_matplotlib(f"{cls.__name__}.from_cv_results")
        if "iter" in cv_results:
            raise ValueError(
                "Successive halving gives strategies different numbers of documents, "
                "so scores cannot be compared. Pass the results of another search."
            )
        candidates = cv_results["params"]
        param = _param_of(candidates, param)
        if x is not None:
            _param_of(candidates, x)
        folds = _folds(cv_results, metric)
        places = _names(candidates, param)
        others = [""] * len(candidates) if x is None else _names(candidates, x)
        strategies = list(dict.fromkeys(places))
        values = _ordered(candidates, x, others)
        scores = np.full((len(strategies), len(values), folds.shape[1]), np.nan)
        best = np.full(scores.shape[:2], -np.inf)
        for strategy, value, found in zip(places, others, folds, strict=True):
            place = strategies.index(strategy), values.index(value)
            if found.mean() > best[place]:  # not if one is NaN
                best[place], scores[place] = found.mean(), found
        display = cls(
            strategies,
            scores,
            None if x is None else values,
            param=param,
            x=x,
            metric=metric,
        )
        return display.plot(ax, reference=reference, **style)

    def plot(
        self, ax: Any = None, *, reference: Any = None, **style: Any
    ) -> "StrategiesDisplay":
        """Draw means and standard deviations over folds.

        Parameters
        ----------
        %(ax)s
        reference : object, default=None
            As in `from_cv_results`.
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        ValueError
            If there is no such reference, or if all fits have failed.
        """
        scores = self._differences(reference)
        if not np.isfinite(scores).any():
            raise ValueError("No strategy has a score in all folds: fits have failed.")
        title = self.metric.replace("_", " ")
        if reference is not None:
            title = f"{title}: difference from {reference}, fold by fold"
        else:
            title = f"{title}, mean ± standard deviation of {scores.shape[2]} folds"
        self.folds_: list[Any] = []
        if self.values is None:
            height = 1.2 + 0.4 * max(3, len(self.strategies))
            self._draw_rows(axes_of(self, ax, (6.4, height)), scores[:, 0], style)
            self.ax_.set_xlabel(title)
            if reference is not None:
                self.ax_.axvline(0.0, color="0.5", linewidth=0.8)
        else:
            self._draw_lines(axes_of(self, ax, (6.4, 4.2)), scores, style)
            self.ax_.set_ylabel(title)
            self.ax_.set_xlabel(_last_part(self.x or ""), parse_math=False)
        return self

    def _differences(self, reference: Any) -> np.ndarray:
        scores = np.asarray(self.scores, dtype=np.float64)
        if reference is None:
            return scores
        if str(reference) not in self.strategies:
            raise ValueError(
                f"reference={reference!r} is not among the strategies "
                f"{self.strategies}."
            )
        return scores - scores[self.strategies.index(str(reference))]

    def _draw_rows(self, ax: Any, scores: np.ndarray, style: Any) -> None:
        rows = np.arange(len(scores))
        for fold in scores.T:
            look = {"color": NEUTRAL, "linewidth": 0.7, "marker": ".", "alpha": 0.7}
            self.folds_ += ax.plot(fold, rows, **look)
        look = {"color": COLOURS[0], "marker": "o", "linestyle": "none", "capsize": 3}
        look |= {"zorder": 3, **style}
        # One call each, so that each strategy has its own artist.
        self.bars_ = [
            ax.errorbar(found.mean(), row, xerr=found.std(), **look)
            for row, found in zip(rows, scores, strict=True)
        ]
        failed = ~np.isfinite(scores).all(axis=1)
        names = [
            name + " (failed)" * bool(has_failed)
            for name, has_failed in zip(self.strategies, failed, strict=True)
        ]
        ax.set_yticks(rows, names, parse_math=False)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_ylabel(_last_part(self.param), parse_math=False)
        tidy(ax, axis="x")

    def _draw_lines(self, ax: Any, scores: np.ndarray, style: Any) -> None:
        assert self.values is not None
        n = len(self.strategies)
        columns = np.arange(len(self.values))
        self.bars_ = []
        for number, found in enumerate(scores):
            # Side by side, so that they do not hide each other.
            beside = columns + 0.4 * ((number + 0.5) / n - 0.5)
            look = {**style_of(number), "capsize": 2, "linewidth": 1, **style}
            bar = ax.errorbar(beside, found.mean(axis=1), found.std(axis=1), **look)
            self.bars_.append(bar)
        ax.set_xticks(columns, self.values, parse_math=False)
        ax.set_xlim(-0.5, len(columns) - 0.5)
        tidy(ax, axis="y")
        draw_legend(ax, self.bars_, self.strategies, _last_part(self.param))


def _last_part(name: str) -> str:
    """Return the name of a parameter without those of the steps that hold it."""
    return name.rpartition("__")[2]


def _param_of(candidates: Any, param: str | None) -> str:
    """Return the full name of a parameter that was searched."""
    names = list(dict.fromkeys(name for one in candidates for name in one))
    if param is None:
        found = [name for name in names if _last_part(name) == "share_context"]
        if len(found) != 1:
            raise ValueError(
                f"{len(found)} searched parameters end with share_context. Pass param, "
                f"one of {names}."
            )
        return found[0]
    if param not in names:
        raise ValueError(f"{param!r} was not searched. Pass one of {names}.")
    return param


def _folds(cv_results: Mapping[str, Any], metric: str) -> np.ndarray:
    """Return scores of shape (n_candidates, n_folds)."""
    names = [
        name
        for name in cv_results
        if re.fullmatch(rf"split\d+_test_{re.escape(metric)}", name)
    ]
    if not names:
        found = dict.fromkeys(
            name.partition("_test_")[2]
            for name in cv_results
            if re.match(r"split\d+_test_", name)
        )
        raise ValueError(f"metric must be one of {list(found)}, got {metric!r}.")
    names.sort(key=lambda name: int(re.findall(r"\d+", name)[0]))
    return np.column_stack([np.asarray(cv_results[name], float) for name in names])


def _names(candidates: Any, param: str) -> list[str]:
    """Return the value of a parameter as text, by candidate.

    Different values with the same text are numbered.
    """
    named: dict[str, Any] = {}
    names = []
    for candidate in candidates:
        value = candidate.get(param, _NOT_SET)
        text = name = str(value)
        number = 1
        while name in named and not _are_equal(named[name], value):
            number += 1
            name = f"{text} #{number}"
        named.setdefault(name, value)
        names.append(name)
    return names


def _are_equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    try:
        return type(a) is type(b) and bool(a == b)
    except ValueError:  # arrays
        return False


def _ordered(candidates: Any, x: str | None, values: list[str]) -> list[str]:
    """Return distinct values: numbers by size, others in the order of the search."""
    distinct = dict.fromkeys(values)
    if x is None:
        return list(distinct)
    found = {
        name: one[x] for name, one in zip(values, candidates, strict=True) if x in one
    }
    if all(isinstance(v, (int, float, np.number)) for v in found.values()):
        known = sorted(found, key=lambda name: found[name])
        return [*known, *(name for name in distinct if name not in found)]
    return list(distinct)
