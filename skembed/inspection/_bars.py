"""Displays with a bar for each word: neighbours, and contributions to a decision."""

from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np

from skembed.inspection._contributions import WordContributions, word_contributions
from skembed.inspection._drawing import (
    NEUTRAL,
    axes_of,
    by_sign,
    check_matplotlib,
    complete_display,
    draw_bars,
)
from skembed.inspection._vectors import table_of
from skembed.vectors._validation import is_word


@complete_display("barh")
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
    %(drawn)s
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
        """Draw the neighbours of words in a fitted embedder or in other vectors.

        Parameters
        ----------
        estimator : embedder, WordVectors, str, path, KeyedVectors or mapping
            A fitted embedder, :class:`~skembed.vectors.WordVectors`, a file that its
            method ``load`` reads, ``KeyedVectors`` of gensim, or a mapping of words to
            vectors.
        positive : str, int, ndarray of shape (n_components,), or list of these
            A word or a vector, or several of them, which are added up.
        negative : str, int, ndarray or list of these, default=()
            Words or vectors that are subtracted.
        n : int, default=10
            Number of neighbours.
        which : {"word", "context", "sum", "concat"}, default="word"
            Which vectors of an embedder.
        method : {"add", "multiply"}, default="add"
            As in `WordVectors.most_similar`.
        among : iterable of str, default=None
            As in `WordVectors.most_similar`.
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
        KeyError
            If a word is unknown.
        TypeError, ValueError
            If `estimator` has no word vectors, or a parameter is not valid.
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
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s
        """
        ax = axes_of(self, ax, (5.2, 0.9 + 0.25 * max(4, len(self.words))))
        labels = [str(word) for word in self.words]
        colours = by_sign(self.similarities)
        self.bars_ = draw_bars(ax, labels, self.similarities, colours, style)
        ax.set_xlabel("similarity")
        ax.set_title(self.title, loc="left", fontsize="medium", parse_math=False)
        return self


@complete_display("barh")
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
    %(drawn)s
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
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        %(no_matplotlib)s
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
        %(ax)s
        output : object, default=None
            As in `from_estimator`.
        n_words : int, default=20
            Number of words that are shown.
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        ValueError
            If there is no such output, or `n_words` is not valid.
        """
        if not isinstance(n_words, Integral) or n_words < 1:
            raise ValueError(f"n_words must be a positive int, got {n_words!r}.")
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
    """Return a word, a vector or several of them as a list; others as they are."""
    is_array = isinstance(given, np.ndarray)
    if is_word(given) or (is_array and given.ndim == 1 and given.dtype.kind == "f"):
        return [given]
    is_list = is_array or isinstance(given, (list, tuple, Iterator))
    return list(given) if is_list else given


def _names(given: Iterable[Any]) -> list[str]:
    """Return words, and what stands for vectors in a title."""
    return [str(one) if is_word(one) else "a vector" for one in given]
