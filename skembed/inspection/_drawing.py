"""What all displays share: axes, colours and names. They import matplotlib lazily."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from skembed._docstrings import fill_in
from skembed._utils.extras import require
from skembed.inspection._vectors import check_estimator

# Colours that people with any colour vision can tell apart: Okabe, M. & Ito, K. (2008).
# Color universal design.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
POSITIVE, NEGATIVE = COLOURS[:2]
NEUTRAL = "0.6"
_LINES = ("-", "--", "-.")
_MARKERS = "osD^vP*"


# What the docstrings of all displays say.
_TEXTS = {
    "drawn": """
ax_ : matplotlib Axes
    Where it was drawn.
figure_ : matplotlib Figure
    The figure of these axes.
""",
    "ax": """
ax : matplotlib Axes, default=None
    Where to draw. None makes a figure.
""",
    "style": """
**style : dict
    Passed to ``ax.%(artist)s``.
""",
    "display": """
%(name)s
    The display.
""",
    "no_matplotlib": """
ImportError
    If matplotlib is not installed.
""",
}


def complete_display(artist: str) -> Callable[[type], type]:
    """Return a class decorator that fills in the docstrings of a display.

    Parameters
    ----------
    artist : str
        The method of axes to which `style` is passed.

    Returns
    -------
    callable
        Changes the docstrings of a class and its methods, and returns the class.
    """

    def decorate(display: Any) -> Any:
        texts = {**_TEXTS, "artist": artist, "name": display.__name__}
        functions = [getattr(one, "__func__", one) for one in vars(display).values()]
        for documented in (display, *filter(inspect.isfunction, functions)):
            fill_in(documented, texts)
        return display

    return decorate


def check_matplotlib(caller: str) -> None:
    """Raise an ImportError that says how to install matplotlib, if it is missing."""
    require("matplotlib", caller, "'skembed[plot]'")


def axes_of(display: Any, ax: Any, size: tuple[float, float]) -> Any:
    """Return the axes to draw on, and set the attributes of the display.

    Parameters
    ----------
    display : object
        Its attributes `ax_` and `figure_` are set.
    ax : matplotlib Axes or None
        None makes a figure.
    size : (float, float)
        Width and height of a new figure in inches.

    Returns
    -------
    matplotlib Axes
    """
    check_matplotlib(f"{type(display).__name__}.plot")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def tidy(axes: Any, **grid: Any) -> None:
    """Give a panel a light grid and no frame."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3, **grid)


def style_of(number: int) -> dict[str, Any]:
    """Return the colour, line style and marker of the n-th of several lines."""
    n = len(COLOURS)
    return {
        "color": COLOURS[number % n],
        "linestyle": _LINES[number // n % len(_LINES)],
        "marker": _MARKERS[number % len(_MARKERS)],
    }


def draw_legend(
    axes: Any, handles: Iterable[Any], labels: Iterable[str], title: str = ""
) -> None:
    """Draw a legend that shows any name as it is."""
    style = {"fontsize": "small", "title_fontsize": "small", "frameon": False}
    legend = axes.legend(list(handles), list(labels), title=title or None, **style)
    for text in legend.get_texts():
        text.set_parse_math(False)  # names may contain dollar signs


def draw_bars(
    axes: Any, labels: list[str], values: Any, colours: Any, style: Any
) -> Any:
    """Draw horizontal bars with the first on top, and labels as they are."""
    positions = np.arange(len(labels))
    bars = axes.barh(positions, values, **{"color": colours, "height": 0.75, **style})
    axes.set_yticks(positions, labels, parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    tidy(axes, axis="x")
    axes.set_axisbelow(True)
    return bars


def by_sign(values: Iterable[float]) -> list[str]:
    """Return a colour for each value: one for negative values, one for others."""
    return [NEGATIVE if value < 0 else POSITIVE for value in values]


def named(estimator: Any) -> dict[str, Any]:
    """Return one or several fitted embedders by name.

    Parameters
    ----------
    estimator : BaseEmbedder, mapping of str to BaseEmbedder, or sequence of these
        Without names, an embedder has the name of its class and, if there are several,
        the value of `share_context`. Equal names are numbered.

    Returns
    -------
    dict of str to BaseEmbedder
        Copies.
    """
    if isinstance(estimator, Mapping):
        models = {str(name): check_estimator(one) for name, one in estimator.items()}
        if len(models) < len(estimator):
            raise ValueError(f"Names must differ as text, got {list(estimator)}.")
    elif isinstance(estimator, (list, tuple)):
        found = [check_estimator(one) for one in estimator]
        names = [f"{type(one).__name__}, {one.share_context!s}" for one in found]
        models = {}
        for name, one in zip(names, found, strict=True):
            n = sum(other.partition(" #")[0] == name for other in models)
            models[f"{name} #{n + 1}" if n else name] = one
    else:
        models = {type(estimator).__name__: check_estimator(estimator)}
    if not models:
        raise ValueError("estimator holds no embedder: pass at least one.")
    return models
