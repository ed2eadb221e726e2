"""Figures of a study."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest

from skembed.study import _figures, _search
from tests.study.cases import ABOUT, ROWS


def _entropies(nats, change=0.0):
    """The cross-entropy of a record and of its unigram, if there is one."""
    return {} if nats is None else {"cross_entropy": nats + change, "unigram": 7.5}


def figure_outcome(
    label,
    accuracy,
    n_parameters,
    men=0.25,
    loss=2.5,
    title="SGNS",
    is_main=False,
    nats=None,
    **params,
):
    def record(change):
        reading = {"accuracy": accuracy, "similarity": {"men": [men, 9]}}
        if accuracy is not None:
            reading["accuracy"] = accuracy + change
        return {
            "loss_curve": [4.0, 3.0, 2.0 + change],
            "self_scores": {"mean": 1.0, "counts": [1, 3], "edges": [0.0, 1.0, 3.0]},
            "n_parameters": n_parameters,
            "test": {"loss": loss} | _entropies(nats, change),
            "readings": {"word": reading},
        }

    candidate = SimpleNamespace(
        title=title,
        label=label,
        group=label,
        combines=("word",),
        is_main=is_main,
        params=params,
    )
    records = {(0.1, 0): record(0.0), (0.1, 1): record(0.1), (0.2, 0): record(0.4)}
    return _search.Outcome(candidate, records, 0.1)


@pytest.mark.small
def test_figures_show_the_numbers():
    pytest.importorskip("matplotlib")
    outcomes = [figure_outcome("a", 0.5, 100), figure_outcome("b", 0.7, 200)]
    curves = _figures._panels(outcomes, _figures._curves).axes[0]
    assert [line.get_label() for line in curves.lines] == ["a", "b"]
    assert curves.lines[0].get_ydata().tolist() == [4.0, 3.0, 2.0]
    title, read = _figures._best_score(outcomes)
    assert title == "accuracy"
    fill = _figures._against_parameters(title, read)
    axes = _figures._panels(outcomes, fill).axes[0]
    middles = [float(bar.lines[0].get_ydata()[0]) for bar in axes.containers]
    assert middles == pytest.approx([0.55, 0.75])
    sizes = [float(bar.lines[0].get_xdata()[0]) for bar in axes.containers]
    assert sizes == pytest.approx([100e-6, 200e-6], rel=0.05)
    histogram = _figures._panels(outcomes, _figures._own_scores).axes[0]
    assert histogram.patches[0].get_data().values.tolist() == [0.25, 0.375]


@pytest.mark.small
@pytest.mark.parametrize(
    ("n_outcomes", "main", "shown"),
    [(6, "bd", "abcdef"), (7, "bd", "bd"), (7, "", "abcdefg")],
    ids=["few", "main ones", "none is a main one"],
)
def test_a_panel_with_many_curves_shows_the_main_ones(n_outcomes, main, shown):
    pytest.importorskip("matplotlib")
    outcomes = [
        figure_outcome(label, 0.5, 100, is_main=label in main)
        for label in "abcdefg"[:n_outcomes]
    ]
    axes = _figures._panels(outcomes, _figures._curves).axes[0]
    assert "".join(line.get_label() for line in axes.lines) == shown


# Whether an estimator has a loss curve, a held-out loss, and a cross-entropy.
FIGURES_OF = {
    "SGNS": (True, True, True),
    "CBOW": (True, True, False),
    "GloVe": (True, False, True),  # and softmax
    "PPMI-SVD": (False, False, True),
}


def bare_outcome(title, has_classes, sets):
    """The outcome of one estimator, with the measures that the data allow."""
    has_curve, has_loss, has_nats = FIGURES_OF[title]
    outcome = figure_outcome("a", 0.1 if has_classes else None, 100, title=title)
    for record in outcome.records.values():
        record["readings"]["word"]["similarity"] = dict(sets)
        record["loss_curve"] = record["loss_curve"] if has_curve else None
        loss = record["test"]["loss"]
        record["test"] = _entropies(7.0 if has_nats else None)
        record["test"] |= {"loss": loss} if has_loss else {}
    return outcome


@pytest.fixture
def saved(monkeypatch):
    """What `draw` would save: numbers of artists in panels, by file and title."""
    figures = pytest.importorskip("matplotlib.figure")
    found = {}

    def look(figure, path):
        found[path.name] = {
            axes.get_title(loc="left"): len(axes.get_legend_handles_labels()[0])
            for axes in figure.axes
        }

    monkeypatch.setattr(figures.Figure, "savefig", look)
    return found


@pytest.mark.small
@pytest.mark.parametrize(
    ("has_classes", "sets"),
    [
        (False, {}),
        (False, {"unknown": [None, 0]}),
        (False, {"unknown": [None, 0], "men": [0.3, 9]}),
        (True, {}),
    ],
    ids=["no measure", "unknown words", "two sets", "classes"],
)
@pytest.mark.parametrize(
    "titles",
    [t for n in (1, 2, 4) for t in combinations(FIGURES_OF, n)],
    ids="-".join,
)
def test_no_panel_is_empty(titles, has_classes, sets, saved, tmp_path):
    outcomes = [bare_outcome(title, has_classes, sets) for title in titles]
    names = _figures.draw_study(outcomes, {"PMI": [1.0, -2.0]}, tmp_path)
    has_score = has_classes or len(sets) == 2
    expected = {
        "loss_curves.png": [t for t in titles if FIGURES_OF[t][0]],
        "own_scores.png": list(titles),
        "spectrum.png": ["PMI"],
        "parameters.png": [t for t in titles if has_score or FIGURES_OF[t][1]],
        # One panel for all estimators.
        "cross_entropy.png": [""] if any(FIGURES_OF[t][2] for t in titles) else [],
    }
    expected = {name: panels for name, panels in expected.items() if panels}
    assert names == list(expected)
    assert {name: list(panels) for name, panels in saved.items()} == expected
    assert all(n > 0 for panels in saved.values() for n in panels.values())


@pytest.mark.small
def test_figures_show_any_name_as_it_is(tmp_path):
    pytest.importorskip("matplotlib")
    outcome = bare_outcome("SGNS", False, {"$\\men$ \u985e\u4f3c": [0.3, 9]})
    names = _figures.draw_study([outcome], {"PMI": [1.0, -2.0]}, tmp_path)
    assert len(names) == 5
    assert all((tmp_path / name).stat().st_size for name in names)


@pytest.mark.small
def test_figures_of_numbers_without_a_range(saved, tmp_path):
    flat = [bare_outcome("SGNS", False, {}) for _ in range(5)]
    for outcome, loss in zip(flat, [0.0, 0.0, 0.0, 0.0, 1.0], strict=True):
        for seed in (0, 1, 2):  # 0.1 + 0.1 + 0.1 is not 3 * 0.1
            record = outcome.records.get((0.1, seed), outcome.records[0.1, 0])
            outcome.records[0.1, seed] = {**record, "test": {"loss": loss}}
    for record in flat[4].records.values():
        record["test"] = {"loss": 0.1}
        record["loss_curve"] = [np.nan, np.nan]
    spectra = {"PMI": [2.0], "PMI - ln 5": [0.0, 0.0], "none": []}
    names = _figures.draw_study(flat, spectra, tmp_path)
    assert len(names) == 4
    assert list(saved["spectrum.png"]) == ["PMI"]
    assert saved["loss_curves.png"] == {"SGNS": 4}
    assert saved["parameters.png"] == {"SGNS": 5}
    assert _figures.draw_study([], {"PMI": [0.0]}, tmp_path) == []


@pytest.mark.small
def test_failures_do_not_flatten_the_rest():
    pytest.importorskip("matplotlib")
    accuracies = [0.1, 0.5, 0.51, 0.52, 0.53]
    outcomes = [figure_outcome(f"s{a}", a, 100) for a in accuracies]
    fill = _figures._against_parameters(*_figures._best_score(outcomes))
    axes = _figures._panels(outcomes, fill).axes[0]
    low, high = axes.get_ylim()
    assert 0.5 < low < 0.55 < 0.58 < high < 0.6
    assert [note.get_text() for note in axes.texts] == ["outside:\ns0.1 0.15"]
    axes = _figures._panels(outcomes[1:], fill).axes[0]
    assert not axes.texts
    assert axes.get_ylim()[0] < 0.5


@pytest.mark.small
def test_what_is_drawn_against_parameters():
    assert _figures._best_score([]) is None
    for numbers, title, value in [
        ({"accuracy": 0.5}, "accuracy", 0.5),
        ({"accuracy": None}, "correlation, men", 0.25),
    ]:
        found = figure_outcome("a", n_parameters=1, **numbers)
        name, read = _figures._best_score([found])
        assert (name, read(found.chosen()[0], "word")) == (title, value)
    for record in found.records.values():
        record["readings"]["word"]["similarity"] = {}
    name, read = _figures._best_score([found])
    assert (name, read(found.chosen()[0], "word")) == ("held-out loss", 2.5)
    for record in found.records.values():
        record["test"] = {}
    assert _figures._best_score([found]) is None


def _dots(axes):
    """Places of the dots that are drawn, by row, with their fill."""
    found = {}
    for line in axes.lines:
        x, y = line.get_data()
        if line.get_marker() == "o" and len(x):
            fill = line.get_markerfacecolor()
            found.setdefault(round(float(y[0])), []).append((float(x[0]), fill))
    return found


@pytest.mark.small
def test_cross_entropies_of_all_estimators_share_an_axis():
    """Dots are means of seeds, hollow without a constant; the unigram is a line."""
    pytest.importorskip("matplotlib")
    shown = [
        figure_outcome("separate", 0.5, 1, nats=7.0, bias=None),
        figure_outcome("tied", 0.5, 1, nats=7.1, bias="exact"),
        figure_outcome("tied", 0.5, 1, nats=7.2, title="GloVe"),
        figure_outcome("tied", 0.5, 1, title="CBOW", bias=None),
        figure_outcome("separate", 0.5, 1, nats=40.0, title="GloVe"),
    ]
    (axes,) = _figures._cross_entropies(shown).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["SGNS", "GloVe"]
    dots = _dots(axes)
    assert [x for x, _ in dots[0]] == pytest.approx([7.05, 7.15])
    assert [fill == "white" for _, fill in dots[0]] == [True, False]
    ((nats, fill),) = dots[1]
    assert nats == pytest.approx(7.25)
    assert fill != "white"
    assert [note.get_text() for note in axes.texts] == ["outside:\nseparate 40.05"]
    lines = [line.get_xdata() for line in axes.lines if line.get_linestyle() == "--"]
    assert {float(x) for line in lines for x in line} == {7.5}
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["separate", "tied", "bias=None", "unigram"]
    assert _figures._cross_entropies(shown[3:4]) is None


@pytest.mark.small
def test_cross_entropies_show_the_main_strategies():
    pytest.importorskip("matplotlib")
    shown = [
        figure_outcome(f"s{i}", 0.5, 1, nats=7.0 + i / 10, is_main=i < 2)
        for i in range(8)
    ]
    (axes,) = _figures._cross_entropies(shown).axes
    assert [x for x, _ in _dots(axes)[0]] == pytest.approx([7.05, 7.15])


@pytest.mark.small
def test_spectrum_marks_what_is_negative():
    pytest.importorskip("matplotlib")
    figure = _figures._spectra({"PMI": [-3.0, 2.0, 1.0]})
    positive, negative = figure.axes[0].collections
    assert positive.get_offsets().tolist() == [[2.0, 2.0], [3.0, 1.0]]
    assert negative.get_offsets().tolist() == [[1.0, 3.0]]
    assert negative.get_label() == "negative: 1 of 3, 64.3% of energy"
    assert _figures._spectra({}) is None


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_plot_shows_any_name_as_it_is(suffix, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"picture{suffix}"
    _figures.draw_comparison(ROWS, {**ABOUT, "data": "$\\foo$ \u985e\u4f3c.csv"}, path)
    assert path.stat().st_size > 0
