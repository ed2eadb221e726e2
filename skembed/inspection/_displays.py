"""Displays of losses and scores, in scikit-learn's convention of Display classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import linalg

from skembed.inspection._drawing import (
    NEGATIVE,
    POSITIVE,
    axes_of,
    check_matplotlib,
    complete_display,
    draw_legend,
    named,
    style_of,
    tidy,
)
from skembed.inspection._vectors import check_tables, self_scores

# Eigenvalues below this share of the largest come from rounding.
_ROUNDING = 1e-6


@complete_display("plot")
class LossCurveDisplay:
    """Training losses after each epoch, and validation losses where there are any.

    Create it with `from_estimator`.

    Parameters
    ----------
    curves : dict of str to array-like of shape (n_epochs,)
        Training losses by name.
    validation_curves : dict of str to array-like of shape (n_epochs,), default=None
        Validation losses by name. They are drawn as dashed lines.

    Attributes
    ----------
    %(drawn)s
    lines_ : list of matplotlib Line2D
        A line for each training curve, and one for each validation curve.

    See Also
    --------
    SelfScoresDisplay : Scores of words as their own context.

    Examples
    --------
    >>> from skembed import SGNSEmbedder
    >>> from skembed.inspection import LossCurveDisplay
    >>> documents = ["one two three", "two three four"] * 10
    >>> model = SGNSEmbedder(n_components=2, max_iter=3, subsample=0).fit(documents)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> len(display.lines_)
    1
    """

    def __init__(
        self,
        curves: Mapping[str, Any],
        validation_curves: Mapping[str, Any] | None = None,
    ) -> None:
        self.curves = curves
        self.validation_curves = validation_curves

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, **style: Any
    ) -> "LossCurveDisplay":
        """Draw the curves of one or several fitted embedders.

        Parameters
        ----------
        estimator : BaseEmbedder, dict of str to BaseEmbedder, or list of BaseEmbedder
            Fitted SGNS, CBOW, softmax or GloVe. The keys of a dict are the names.
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
        TypeError
            If it is not an embedder, or has no loss curve.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        models = named(estimator)
        for model in models.values():
            if not hasattr(model, "loss_curve_"):
                raise TypeError(
                    f"{type(model).__name__} has no loss curve, because it does not "
                    "train in epochs."
                )
        curves = {name: model.loss_curve_ for name, model in models.items()}
        held_out = {
            name: model.validation_loss_curve_
            for name, model in models.items()
            if hasattr(model, "validation_loss_curve_")
        }
        return cls(curves, held_out).plot(ax, **style)

    def plot(self, ax: Any = None, **style: Any) -> "LossCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s
        """
        ax = axes_of(self, ax, (6.4, 4.0))
        held_out = self.validation_curves or {}
        names = dict.fromkeys([*self.curves, *held_out])
        numbers = {name: number for number, name in enumerate(names)}
        self.lines_ = []
        labels = []
        for kind, curves in (("training", self.curves), ("validation", held_out)):
            for name, curve in curves.items():
                look = {**style_of(numbers[name]), "markersize": 4}
                if kind == "validation":
                    look |= {"linestyle": "--", "markerfacecolor": "white"}
                epochs = np.arange(1, len(curve) + 1)
                self.lines_ += ax.plot(epochs, curve, **{**look, **style})
                labels.append(f"{name}, {kind}" if held_out else name)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss" if held_out else "training loss")
        tidy(ax)
        draw_legend(ax, self.lines_, labels)
        return self


@complete_display("scatter")
class SpectrumDisplay:
    """Eigenvalues by absolute value, with negative ones in another colour.

    Create it with `from_estimator` for the scores that a model has learned, or with
    `from_spectrum` for the PMI matrix of documents. Scores of one table without signs
    have no negative eigenvalues.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_components,)
        Eigenvalues in any order.

    Attributes
    ----------
    %(drawn)s
    points_ : list of matplotlib PathCollection
        The points of positive and of negative eigenvalues.

    See Also
    --------
    pmi_spectrum : Eigenvalues of the shifted PMI matrix.

    Examples
    --------
    >>> from skembed.inspection import SpectrumDisplay, pmi_spectrum
    >>> documents = ["one two three", "two three four"] * 10
    >>> display = SpectrumDisplay.from_spectrum(pmi_spectrum(documents))
    >>> display.ax_.get_xlabel()
    'rank by size'
    """

    def __init__(self, eigenvalues: Any) -> None:
        self.eigenvalues = eigenvalues

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, ax: Any = None, **style: Any
    ) -> "SpectrumDisplay":
        """Draw the spectrum of the scores that a fitted embedder has learned.

        The matrix is the product of the word and context vectors, without biases and
        offsets. If it is not symmetric, this is the spectrum of its symmetric part, the
        mean of the matrix and its transpose.

        Parameters
        ----------
        estimator : BaseEmbedder
            Fitted.
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
        ValueError
            If all vectors are zeros.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        return cls(_score_eigenvalues(check_tables(estimator))).plot(ax, **style)

    @classmethod
    def from_spectrum(
        cls, spectrum: Any, *, ax: Any = None, **style: Any
    ) -> "SpectrumDisplay":
        """Draw what `pmi_spectrum` returns.

        Parameters
        ----------
        spectrum : Spectrum
            Or an array of eigenvalues.
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
        ValueError
            If there is no eigenvalue other than 0.
        """
        return cls(getattr(spectrum, "eigenvalues", spectrum)).plot(ax, **style)

    def plot(self, ax: Any = None, **style: Any) -> "SpectrumDisplay":
        """Draw the eigenvalues.

        Parameters
        ----------
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s
        """
        values = np.asarray(self.eigenvalues, dtype=np.float64)
        if values.ndim != 1 or not values.any() or not np.isfinite(values).all():
            raise ValueError(
                "eigenvalues must be finite numbers of which one is not 0, got "
                f"{self.eigenvalues!r}."
            )
        ax = axes_of(self, ax, (5.2, 4.0))
        self.points_ = draw_spectrum(ax, values, **style)
        ax.set_ylabel("size of eigenvalue")
        return self


def draw_spectrum(axes: Any, found: Any, **style: Any) -> list[Any]:
    """Draw eigenvalues by size, and return the points of positive and negative ones."""
    values = np.array(sorted(found, key=abs, reverse=True), dtype=float)
    ranks = np.arange(1, values.size + 1)
    points = []
    for name, chosen, colour, marker in (
        ("positive", values > 0, POSITIVE, "o"),
        ("negative", values < 0, NEGATIVE, "v"),
    ):
        share = (values[chosen] ** 2).sum() / max((values**2).sum(), 1e-300)
        look = {"s": 12, "color": colour, "marker": marker}
        # Without such values, there is no entry in the legend.
        if chosen.any():
            of = f"{chosen.sum()} of {values.size}"
            look["label"] = f"{name}: {of}, {share:.1%} of energy"
        points.append(
            axes.scatter(ranks[chosen], np.abs(values[chosen]), **{**look, **style})
        )
    axes.set_yscale("log")
    axes.set_xlabel("rank by size")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small", frameon=False)
    tidy(axes)
    return points


def _score_eigenvalues(model: Any) -> np.ndarray:
    """Return the eigenvalues other than 0 of the symmetric part of all scores.

    With words W and contexts C, this is ``[W C] M [W C]^T`` with M that swaps the two.
    If ``[W C] = Q R``, its eigenvalues are those of the small matrix ``R M R^T``.
    """
    word = (model.word_vectors_ * model._score_scale).astype(np.float64)
    both = np.hstack([word, model.context_vectors_])
    # Numbers of a moderate size have squares.
    size = np.abs(both).max(initial=0.0) or 1.0
    (triangle,) = linalg.qr(both / size, mode="r")
    n = word.shape[1]
    half = triangle[:, :n] @ triangle[:, n:].T / 2
    values = linalg.eigvalsh(half + half.T) * size**2
    return values[np.abs(values) > _ROUNDING * np.abs(values).max(initial=0.0)]


@complete_display("stairs")
class SelfScoresDisplay:
    """Distribution of the scores of words as their own context.

    Create it with `from_estimator`. Words rarely occur in their own context, so these
    scores should be negative.

    Parameters
    ----------
    scores : dict of str to array-like of shape (n_words,)
        Scores by name.

    Attributes
    ----------
    %(drawn)s
    steps_ : list of matplotlib StepPatch
        The histogram of each name.

    See Also
    --------
    self_scores : The scores.

    Examples
    --------
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.inspection import SelfScoresDisplay
    >>> documents = ["one two three", "two three four"] * 10
    >>> model = PPMISVDEmbedder(n_components=2).fit(documents)
    >>> display = SelfScoresDisplay.from_estimator(model)
    >>> display.ax_.get_ylabel()
    'density'
    """

    def __init__(self, scores: Mapping[str, Any]) -> None:
        self.scores = scores

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        direction: str = "both",
        bins: int = 50,
        ax: Any = None,
        **style: Any,
    ) -> "SelfScoresDisplay":
        """Draw the scores of one or several fitted embedders.

        Parameters
        ----------
        estimator : BaseEmbedder, dict of str to BaseEmbedder, or list of BaseEmbedder
            Fitted. The keys of a dict are the names.
        direction : {"both", "left", "right"}, default="both"
            As in `score_pairs`.
        bins : int, default=50
            Number of bins of each histogram.
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        scores = {
            name: self_scores(model, direction=direction)
            for name, model in named(estimator).items()
        }
        return cls(scores).plot(ax, bins=bins, **style)

    def plot(
        self, ax: Any = None, *, bins: int = 50, **style: Any
    ) -> "SelfScoresDisplay":
        """Draw a histogram of the scores of each name.

        Parameters
        ----------
        %(ax)s
        bins : int, default=50
            Number of bins of each histogram.
        %(style)s

        Returns
        -------
        %(display)s
        """
        ax = axes_of(self, ax, (6.4, 4.0))
        self.steps_, labels = [], []
        for number, (name, scores) in enumerate(self.scores.items()):
            density, edges = np.histogram(scores, bins=bins, density=True)
            look = {**style_of(number), "linewidth": 1.5}
            del look["marker"]
            self.steps_.append(ax.stairs(density, edges, **{**look, **style}))
            labels.append(f"{name}: mean {np.mean(scores):.2f}")
        ax.axvline(0.0, color="0.5", linewidth=0.8)
        ax.set_xlabel("score of a word as its own context")
        ax.set_ylabel("density")
        tidy(ax)
        draw_legend(ax, self.steps_, labels)
        return self
