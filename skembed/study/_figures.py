"""Figures of both command lines. matplotlib is imported when a figure is drawn."""

import math
import os
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from skembed.inspection._displays import draw_spectrum
from skembed.inspection._drawing import tidy
from skembed.study import _verdict

PICTURES = (".png", ".pdf", ".svg")
CAPTIONS = {
    "loss_curves.png": "Training loss after each epoch, first seed.",
    "own_scores.png": "Scores of all words as their own context, first seed.",
    "spectrum.png": "Eigenvalues of the PMI matrix, the largest in size. Pairs of "
    "words that were not seen count as 0.",
    "parameters.png": "What vectors are judged by against the number of parameters: "
    "mean, smallest and largest of the seeds.",
    "cross_entropy.png": "Held-out cross-entropy of the contexts of words: mean of the "
    "seeds. The dashed line is the unigram, which knows nothing of the word.",
}
_LINES = ("-", "--", ":", "-.")
_MARKERS = "osD^"
_BASELINE: dict[str, Any] = {"linestyle": "--", "linewidth": 1, "color": "0.5"}
_COLOURS = 10  # in matplotlib's own cycle
# More of them could not be distinguished in one panel.
_MOST_SHOWN = 6

# Reads the score of vectors from a record, for a value of `combine`.
_Read = Callable[[dict[str, Any], str], float | None]


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure of matplotlib. The file's ending gives the format."""
    with warnings.catch_warnings():
        # A letter that is missing in the font is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(path)


def picture_problem(path: Path) -> str | None:
    """Return the reason why a figure cannot be written to a file, or None."""
    if path.suffix.lower() not in PICTURES:
        return f"the name must end in one of {', '.join(PICTURES)}"
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        return "no file can be written there"
    return None


# --- The quick comparison


def draw_comparison(
    rows: Sequence[_verdict.Row], about: dict[str, Any], path: Path
) -> None:
    """Write a picture of the rows: two dots and their standard deviations for each.

    Parameters
    ----------
    rows : sequence of dict
    about : dict
        As for `as_table`.
    path : Path
        File to write. Its ending gives the format.
    """
    from matplotlib.figure import Figure

    groups = _verdict.ranked(rows)
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
            labels.append(
                _verdict.name(row) + ("" if done else f" ({_verdict.accuracy(row)})")
            )
            position += 1.0
        position += 0.6
    axes.set_yticks(positions, labels)
    axes.set_ylim(position - 1.0, -0.6)
    axes.set_xlabel(
        f"accuracy with few labels (hollow) and with all (filled), mean ± standard "
        f"deviation over {about['cv']} folds"
    )
    title = figure.suptitle(
        textwrap.fill(_verdict.heading(about), 100),
        x=0.01,
        ha="left",
        fontsize="medium",
    )
    title.set_parse_math(False)  # a file name may contain dollar signs
    tidy(axes, axis="x")
    save_figure(figure, path)


def _draw_row(axes: Any, row: _verdict.Row, position: float, colour: str) -> None:
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
    # In the margin, where no dot hides it.
    axes.annotate(
        "" if size is None else f"{size:,} parameters",
        (1.01, position),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize="small",
        color="0.35",
        annotation_clip=False,
    )


# --- The study


def draw_study(
    outcomes: Sequence[Any], spectra: Mapping[str, Sequence[float]], folder: Path
) -> list[str]:
    """Write the figures for which there are numbers.

    If an estimator has many strategies, figures show the main ones only.

    Parameters
    ----------
    outcomes : sequence of Outcome
    spectra : mapping of str to sequence of float
        Eigenvalues of the shifted PMI matrix, by title.
    folder : Path

    Returns
    -------
    list of str
        Names of the files.
    """
    done = [outcome for outcome in outcomes if outcome.problem is None]
    figures = {
        "loss_curves.png": _panels([o for o in done if _has_curve(o)], _curves),
        "own_scores.png": _panels(done, _own_scores),
        "spectrum.png": _spectra(spectra),
        "parameters.png": _parameters(done),
        "cross_entropy.png": _cross_entropies(done),
    }
    names = []
    for name, figure in figures.items():
        if figure is not None:
            save_figure(figure, folder / name)
            names.append(name)
    return names


def _first(outcome: Any) -> dict[str, Any]:
    """Return the record of the first seed at the chosen setting."""
    return outcome.records[outcome.setting, 0]


def _has_curve(outcome: Any) -> bool:
    curve = _first(outcome)["loss_curve"] or ()
    return sum(map(math.isfinite, curve)) > 1


def _panels(
    outcomes: Sequence[Any], fill: Callable[[Any, Sequence[Any]], None]
) -> Any | None:
    """Return a figure with a panel and a legend for each estimator."""
    from matplotlib.figure import Figure

    titles = list(dict.fromkeys(outcome.candidate.title for outcome in outcomes))
    if not titles:
        return None
    groups = [_shown([o for o in outcomes if o.candidate.title == t]) for t in titles]
    heights = [max(2.8, 0.75 + 0.2 * len(group)) for group in groups]
    figure = Figure(figsize=(9, 0.3 + sum(heights)), dpi=120, layout="constrained")
    panels = figure.subplots(len(titles), squeeze=False, height_ratios=heights)[:, 0]
    for axes, title, group in zip(panels, titles, groups, strict=True):
        axes.set_title(title, loc="left")
        fill(axes, group)
        tidy(axes)
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.01, 1.02), fontsize=7.5, frameon=False
        )
    return figure


def _shown(group: Sequence[Any]) -> Sequence[Any]:
    """Return the outcomes of one estimator that its panel shows."""
    if len(group) <= _MOST_SHOWN:
        return group
    return [outcome for outcome in group if outcome.candidate.is_main] or group


def _style(number: int) -> dict[str, str]:
    turn = number // _COLOURS % len(_LINES)
    return {"color": f"C{number % _COLOURS}", "linestyle": _LINES[turn]}


def _curves(axes: Any, outcomes: Sequence[Any]) -> None:
    for number, outcome in enumerate(outcomes):
        curve = _first(outcome)["loss_curve"]
        epochs = np.arange(1, len(curve) + 1)
        axes.plot(epochs, curve, label=outcome.candidate.label, **_style(number))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")


def _own_scores(axes: Any, outcomes: Sequence[Any]) -> None:
    peaks, ranges = [], []
    for number, outcome in enumerate(outcomes):
        scores = _first(outcome)["self_scores"]
        counts, edges = np.array(scores["counts"]), np.array(scores["edges"])
        shares = counts / max(counts.sum(), 1)
        density = shares / np.maximum(np.diff(edges), 1e-12)
        label = f"{outcome.candidate.label}: mean {_number(scores['mean'])}"
        axes.stairs(density, edges, label=label, **_style(number))
        peaks.append(density.max())
        ranges.append(edges[np.searchsorted(shares.cumsum(), [0.001, 0.99])])
    axes.axvline(0.0, color="0.5", linewidth=0.8)
    # Scores that hardly differ, or a few large ones, would flatten the other curves.
    axes.set_ylim(0.0, min(max(peaks), 3 * float(np.median(peaks))) * 1.05)
    low, high = np.array(ranges).T
    span = 0.5 + float(np.median(high - low))
    axes.set_xlim(
        max(low.min() - 0.5, np.median(low) - span),
        min(high.max() + 0.5, np.median(high) + span),
    )
    axes.set_xlabel("score of a word as its own context")
    axes.set_ylabel("density")


def _number(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


def _parameters(outcomes: Sequence[Any]) -> Any | None:
    """Return a figure of the best score against the number of parameters."""
    found = _best_score(outcomes)
    if found is None:
        return None
    title, read = found
    with_score = [outcome for outcome in outcomes if _scores(outcome, read)]
    return _panels(with_score, _against_parameters(title, read))


def _best_score(outcomes: Sequence[Any]) -> tuple[str, _Read] | None:
    """Return the title of the score of vectors, and a function that reads it.

    It is the first of these that has numbers: the accuracy (if there are classes), the
    similarity sets, the held-out loss.
    """
    records = [record for outcome in outcomes for record in outcome.chosen()]
    readings = [r for record in records for r in record["readings"].values()]
    sets = dict.fromkeys(name for reading in readings for name in reading["similarity"])

    def accuracy(record: dict[str, Any], combine: str) -> float | None:
        return record["readings"][combine]["accuracy"]

    def correlation(name: str) -> _Read:
        def read(record: dict[str, Any], combine: str) -> float | None:
            return record["readings"][combine]["similarity"][name][0]

        return read

    def loss(record: dict[str, Any], combine: str) -> float | None:
        return record["test"].get("loss")

    scores = {
        "accuracy": accuracy,
        **{f"correlation, {name}": correlation(name) for name in sets},
        "held-out loss": loss,
    }
    for title, read in scores.items():
        if any(_scores(outcome, read) for outcome in outcomes):
            return title, read
    return None


def _scores(outcome: Any, read: _Read) -> dict[str, list[float]]:
    """Return the scores of all seeds by `combine`, if every seed has one."""
    found = {}
    for combine in outcome.candidate.combines:
        scores = [read(record, combine) for record in outcome.chosen()]
        known = [score for score in scores if score is not None]
        if len(known) == len(scores):
            found[combine] = known
    return found


def _against_parameters(title: str, read: _Read) -> Callable:
    """Return a function that draws a score against the number of parameters."""

    def fill(axes: Any, outcomes: Sequence[Any]) -> None:
        means: dict[str, float] = {}
        for number, outcome in enumerate(outcomes):
            combines = outcome.candidate.combines
            markers = dict(zip(combines, _MARKERS, strict=False))
            records = outcome.chosen()
            sizes = np.mean([record["n_parameters"] for record in records])
            for combine, scores in _scores(outcome, read).items():
                label = outcome.candidate.label
                label += "" if combine == "word" else f", {combine}"
                # The mean of equal scores may differ from them by a rounding error.
                mean = min(max(float(np.mean(scores)), min(scores)), max(scores))
                means[label] = mean
                axes.errorbar(
                    # Side by side, so that they do not overlap.
                    sizes / 1e6 * (1 + 0.006 * (number - len(outcomes) / 2)),
                    mean,
                    yerr=[[mean - min(scores)], [max(scores) - mean]],
                    marker=markers[combine],
                    markersize=5,
                    capsize=2,
                    color=f"C{number % _COLOURS}",
                    markerfacecolor=None if number < _COLOURS else "white",
                    linestyle="none",
                    label=label,
                )
        _leave_out_far(axes, means)
        axes.set_xlabel("million parameters (those of one size stand side by side)")
        axes.set_ylabel(title, parse_math=False)  # names may contain dollar signs

    return fill


def _leave_out_far(axes: Any, means: Mapping[str, float]) -> None:
    """Leave outliers out of the range of the axis, and name them instead."""
    values = np.array(list(means.values()))
    if values.size < 4:
        return
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    reach = 4 * max(high - low, 0.01 * abs(middle))
    if reach == 0:
        return  # half of the scores are 0: there is no scale
    near = values[np.abs(values - middle) <= reach]
    if near.size == values.size:
        return
    margin = 0.2 * max(float(np.ptp(near)), 0.01 * abs(middle))
    axes.set_ylim(near.min() - margin, near.max() + margin)
    far = [f"{k} {v:.2f}" for k, v in means.items() if abs(v - middle) > reach]
    text = "\n".join(["outside:", *far])
    axes.annotate(
        text, (0.99, 0.5), xycoords="axes fraction", ha="right", va="center", fontsize=7
    )


def _cross_entropies(outcomes: Sequence[Any]) -> Any | None:
    """Return a figure of cross-entropies: estimators below each other, on one axis."""
    from matplotlib.figure import Figure

    found = [o for o in outcomes if math.isfinite(_mean(o, "cross_entropy"))]
    titles = list(dict.fromkeys(outcome.candidate.title for outcome in found))
    if not titles:
        return None
    size = (9, 1.2 + 0.6 * len(titles))
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    axes = figure.add_subplot()
    families = [_shown([o for o in found if o.candidate.title == t]) for t in titles]
    shown = [outcome for family in families for outcome in family]
    groups = list(dict.fromkeys(outcome.candidate.group for outcome in shown))
    limit = _limit(shown)
    for row, family in enumerate(families):
        _draw_family(axes, row, family, groups, limit)
    if any(_mean(outcome, "cross_entropy") > limit for outcome in shown):
        # Room for the names of those outside.
        axes.set_xlim(right=limit)
    for number, group in enumerate(groups):
        axes.plot([], [], "o", color=f"C{number % _COLOURS}", label=group)
    axes.plot([], [], "o", color="0.35", mfc="white", label="bias=None")
    axes.plot([], [], label="unigram", **_BASELINE)
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.set_xlabel("held-out cross-entropy, nats per pair")
    tidy(axes, axis="x")
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.02), fontsize=7.5, frameon=False
    )
    return figure


def _draw_family(
    axes: Any, row: int, family: Sequence[Any], groups: Sequence[str], limit: float
) -> None:
    """Draw a dot for each strategy of an estimator; name those beyond the limit."""
    far = []
    for outcome in family:
        candidate, nats = outcome.candidate, _mean(outcome, "cross_entropy")
        unigram = _mean(outcome, "unigram")
        if unigram <= limit:
            axes.plot([unigram] * 2, [row - 0.5, row + 0.5], **_BASELINE)
        if nats > limit:
            far.append(f"{candidate.label} {nats:.2f}")
            continue
        number = groups.index(candidate.group)
        is_bare = "bias" in candidate.params and candidate.params["bias"] is None
        axes.plot(
            nats,
            # Side by side, so that they do not overlap.
            row + 0.6 * ((number + 0.5) / len(groups) - 0.5),
            "o",
            color=f"C{number % _COLOURS}",
            markerfacecolor="white" if is_bare else None,
        )
    if far:
        axes.annotate(
            "\n".join(["outside:", *far]),
            (0.99, row),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            fontsize=7,
        )


def _limit(outcomes: Sequence[Any]) -> float:
    """Return the largest cross-entropy that an axis shows.

    It is above the unigram by half of what the best estimator is below it.
    """
    found = [_mean(outcome, "cross_entropy") for outcome in outcomes]
    unigram = max(_mean(outcome, "unigram") for outcome in outcomes)
    # If estimators are worse than the unigram, half of them are shown all the same.
    return max(1.5 * unigram - 0.5 * min(found), float(np.median(found)))


def _mean(outcome: Any, name: str) -> float:
    """Return the mean over the seeds of a number for the test documents, or NaN."""
    values = [record["test"].get(name) for record in outcome.chosen()]
    return math.nan if None in values else float(np.mean(values))


def _spectra(spectra: Mapping[str, Sequence[float]]) -> Any | None:
    """Return a figure of eigenvalues by size, in which negative ones are marked."""
    from matplotlib.figure import Figure

    shown = {title: found for title, found in spectra.items() if any(found)}
    if not shown:
        return None
    figure = Figure(figsize=(4.5 * len(shown), 3.4), dpi=120, layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axes, (title, found) in zip(panels, shown.items(), strict=True):
        draw_spectrum(axes, found)
        axes.set_title(title, loc="left", fontsize="medium")
    panels[0].set_ylabel("size of eigenvalue")
    return figure
