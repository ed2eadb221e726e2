"""Pictures of fitted models, in scikit-learn's convention of Display classes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from scipy import linalg

from skembed.inspection._contributions import WordContributions, word_contributions
from skembed.inspection._drawing import (
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    axes_of,
    by_sign,
    check_matplotlib,
    draw_bars,
    draw_legend,
    named,
    style_of,
    tidy,
)
from skembed.inspection._vectors import check_estimator, self_scores, table_of
from skembed.vectors._validation import is_word

# Eigenvalues below this share of the largest come from rounding.
_ROUNDING = 1e-6


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
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
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
            Fitted SGNS, CBOW or GloVe. The keys of a dict are the names.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.plot``.

        Returns
        -------
        LossCurveDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If it is no embedder, or has no loss curve.
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
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.plot``.

        Returns
        -------
        LossCurveDisplay
            The object itself.
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
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
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
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.scatter``.

        Returns
        -------
        SpectrumDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If all vectors are zeros.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        return cls(_score_eigenvalues(check_estimator(estimator))).plot(ax, **style)

    @classmethod
    def from_spectrum(
        cls, spectrum: Any, *, ax: Any = None, **style: Any
    ) -> "SpectrumDisplay":
        """Draw what `pmi_spectrum` returns.

        Parameters
        ----------
        spectrum : Spectrum
            Or an array of eigenvalues.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.scatter``.

        Returns
        -------
        SpectrumDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is no eigenvalue other than 0.
        """
        return cls(getattr(spectrum, "eigenvalues", spectrum)).plot(ax, **style)

    def plot(self, ax: Any = None, **style: Any) -> "SpectrumDisplay":
        """Draw the eigenvalues.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.scatter``.

        Returns
        -------
        SpectrumDisplay
            The object itself.
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
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
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
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.stairs``.

        Returns
        -------
        SelfScoresDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
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
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        bins : int, default=50
            Number of bins of each histogram.
        **style : dict
            Passed to ``ax.stairs``.

        Returns
        -------
        SelfScoresDisplay
            The object itself.
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


class NeighborsDisplay:
    """The nearest words of a word or of a sum of words, as bars.

    Create it with `from_estimator`.

    Parameters
    ----------
    words : sequence of str
        The neighbours, the nearest first.
    similarities : array-like of shape (n_words,)
        Their similarities.
    title : str, default=""
        What they are neighbours of.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : matplotlib BarContainer
        The bars.

    See Also
    --------
    skembed.vectors.WordVectors.most_similar : The neighbours.

    Examples
    --------
    >>> from skembed.inspection import NeighborsDisplay
    >>> from skembed.vectors import WordVectors
    >>> table = WordVectors(["cat", "dog", "car"], [[2, 1], [2, 2], [-1, 2]])
    >>> NeighborsDisplay.from_estimator(table, "cat").words
    ['dog', 'car']
    """

    def __init__(self, words: Any, similarities: Any, title: str = "") -> None:
        self.words = words
        self.similarities = similarities
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        positive: Any,
        negative: Any = (),
        *,
        n: int = 10,
        which: str = "word",
        method: str = "add",
        among: Any = None,
        ax: Any = None,
        **style: Any,
    ) -> "NeighborsDisplay":
        """Draw the neighbours of words in a fitted embedder or a table of vectors.

        Parameters
        ----------
        estimator : BaseEmbedder or WordVectors
            A fitted embedder, or any table of vectors.
        positive : str or list of str
            The word, or words that are added up.
        negative : str or list of str, default=()
            Words that are subtracted.
        n : int, default=10
            Number of neighbours.
        which : {"word", "context", "sum", "concat"}, default="word"
            Which vectors of an embedder.
        method : {"add", "multiply"}, default="add"
            As in `WordVectors.most_similar`.
        among : iterable of str, default=None
            As in `WordVectors.most_similar`.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.barh``.

        Returns
        -------
        NeighborsDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        KeyError
            If a word is unknown.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        table = table_of(estimator, which)
        positive, negative = _listed(positive), _listed(negative)
        found = table.most_similar(positive, negative, n=n, method=method, among=among)
        title = " + ".join(_names(positive))
        title += "".join(f" − {name}" for name in _names(negative))
        words = [word for word, _ in found]
        values = np.array([value for _, value in found])
        title = f"Neighbours of {title.strip()}"
        return cls(words, values, title).plot(ax, **style)

    def plot(self, ax: Any = None, **style: Any) -> "NeighborsDisplay":
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.barh``.

        Returns
        -------
        NeighborsDisplay
            The object itself.
        """
        ax = axes_of(self, ax, (5.2, 0.9 + 0.25 * max(4, len(self.words))))
        labels = [str(word) for word in self.words]
        colours = by_sign(self.similarities)
        self.bars_ = draw_bars(ax, labels, self.similarities, colours, style)
        ax.set_xlabel("similarity")
        ax.set_title(self.title, loc="left", fontsize="medium", parse_math=False)
        return self


class ContributionsDisplay:
    """What words of a document contributed to a linear model's decision, as bars.

    Create it with `from_estimator`. Below the words stand the sum of the words that
    are not shown, and what no single word contributed.

    Parameters
    ----------
    contributions : WordContributions
        Those of one document.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of these axes.
    bars_ : matplotlib BarContainer
        The bars.

    See Also
    --------
    word_contributions : The numbers, and which models have them.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.inspection import ContributionsDisplay
    >>> documents, labels = ["good fine film", "bad poor film"] * 10, [1, 0] * 10
    >>> embedder = PPMISVDEmbedder(n_components=2, random_state=0)
    >>> model = make_pipeline(embedder, LogisticRegression()).fit(documents, labels)
    >>> display = ContributionsDisplay.from_estimator(model, ["a good film"])
    >>> len(display.bars_)
    4
    """

    def __init__(self, contributions: WordContributions) -> None:
        self.contributions = contributions

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Any,
        *,
        document: int = 0,
        output: Any = None,
        n_words: int = 20,
        centred: bool = False,
        ax: Any = None,
        **style: Any,
    ) -> "ContributionsDisplay":
        """Draw the contributions of the words of one document.

        Parameters
        ----------
        model : Pipeline, or tuple of estimators
            As in `word_contributions`.
        X : iterable of documents, or matrix
            Documents, as in `word_contributions`.
        document : int, default=0
            The number of the document in `X`.
        output : object, default=None
            With several classes, a class; with several targets, the number of one.
            None is the class, or the target, with the largest decision.
        n_words : int, default=20
            Number of words that are shown: those with the largest contributions.
        centred : bool, default=False
            As in `word_contributions`. Pass True to see by what the document differs
            from the average one.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **style : dict
            Passed to ``ax.barh``.

        Returns
        -------
        ContributionsDisplay
            What was drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        IndexError
            If there is no such document.
        TypeError, ValueError
            As in `word_contributions`.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        found = word_contributions(model, X, centred=centred)
        if not -len(found) <= document < len(found):
            raise IndexError(
                f"document={document}, but X holds {len(found)} documents."
            )
        display = cls(found[document])
        return display.plot(ax, output=output, n_words=n_words, **style)

    def plot(
        self, ax: Any = None, *, output: Any = None, n_words: int = 20, **style: Any
    ) -> "ContributionsDisplay":
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        output : object, default=None
            As in `from_estimator`.
        n_words : int, default=20
            Number of words that are shown.
        **style : dict
            Passed to ``ax.barh``.

        Returns
        -------
        ContributionsDisplay
            The object itself.

        Raises
        ------
        ValueError
            If there is no such output.
        """
        found, column = self.contributions, self._column(output)

        def of(values: Any) -> Any:
            return values if column is None else np.asarray(values)[..., column]

        words = [
            word if count == 1 else f"{word} ×{count:g}"
            for word, count in zip(found.words, found.counts, strict=True)
        ]
        words += [f"{term} (tf-idf)" for term in found.tfidf_terms]
        values = np.append(of(found.contributions), of(found.tfidf_contributions))
        shown = np.sort(np.argsort(-np.abs(values), kind="stable")[:n_words])
        shown = shown[np.argsort(-values[shown], kind="stable")]
        labels = [str(words[place]) for place in shown]
        colours = by_sign(values[shown])
        rest = {}
        n_left = len(words) - len(shown)
        if n_left:
            what = "term" if found.tfidf_terms.size else "word"
            name = f"{n_left} other {what}{'s' * (n_left > 1)}"
            rest[name] = values.sum() - values[shown].sum()
        # Rounding is too small to be seen.
        rest |= {k: of(v) for k, v in found.other.items() if k != "rounding"}
        bars = np.append(values[shown], list(rest.values()))
        ax = axes_of(self, ax, (6.4, 1.1 + 0.25 * max(4, len(bars))))
        labels += [f"[{name}]" for name in rest]
        colours += [NEUTRAL] * len(rest)
        self.bars_ = draw_bars(ax, labels, bars, colours, style)
        ax.set_xlabel("contribution to the decision")
        ax.set_title(
            self._title(column), loc="left", fontsize="medium", parse_math=False
        )
        return self

    def _column(self, output: Any) -> int | None:
        """Return the column of an output, or None if there is only one."""
        found = self.contributions
        if np.ndim(found.decision) == 0:
            if output is not None and output not in found.outputs:
                raise ValueError(
                    f"output={output!r}, but there is one decision only, which is "
                    f"positive for {found.outputs}. Pass None."
                )
            return None
        if output is None:
            return int(np.argmax(found.decision))
        outputs = found.outputs or range(len(found.decision))
        if output not in outputs:
            raise ValueError(f"output must be one of {list(outputs)}, got {output!r}.")
        return list(outputs).index(output)

    def _title(self, column: int | None) -> str:
        found = self.contributions
        decision = found.decision if column is None else found.decision[column]
        if not found.outputs:
            of = "" if column is None else f" of target {column}"
            return f"Prediction{of}: {decision:.3g}"
        return f"Decision for {found.outputs[column or 0]}: {decision:.3g}"


def _listed(given: Any) -> Any:
    """Return words and vectors as a list. What is none of them stays as it is."""
    is_array = isinstance(given, np.ndarray)
    if is_word(given) or (is_array and given.ndim == 1 and given.dtype.kind == "f"):
        return [given]
    is_list = is_array or isinstance(given, (list, tuple, Iterator))
    return list(given) if is_list else given


def _names(given: Iterable[Any]) -> list[str]:
    """Return words, and what stands for vectors in a title."""
    return [str(one) if is_word(one) else "a vector" for one in given]
