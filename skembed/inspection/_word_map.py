"""`WordMapDisplay`: words as points in the plane, with labels that do not overlap."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.preprocessing import normalize

from skembed._utils.extras import require
from skembed._utils.threads import one_blas_thread, one_openmp_thread
from skembed.inspection._drawing import (
    COLOURS,
    axes_of,
    check_matplotlib,
    complete_display,
)
from skembed.inspection._vectors import table_of

# Directions that differ by less cannot be drawn: methods divide by their spread.
_SAME = 1e-7
_METHODS = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
# Directions from a point in which its label may stand, in the order of preference.
_ANGLES = np.deg2rad([0, 45, 315, 180, 135, 225, 90, 270, 20, 340, 160, 200, 65, 115])
_DIRECTIONS = np.round(np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]), 9)
# Gaps between a point and its label, in points of 1/72 inch. A line joins a label to
# its point if the gap is larger than the first one.
_GAPS = (4.0, 9.0, 14.0, 21.0, 30.0)
# Empty margins of a label beside other labels, and beside points and lines.
_MARGIN, _CLEAR = 0.7, 2.0
# Places of a line that other labels must not cover.
_ON_LINE = np.linspace(0.0, 1.0, 9)[:, np.newaxis]


@complete_display("scatter")
class WordMapDisplay:
    """A map of words: similar vectors are close to each other.

    Create it with `from_estimator`. Labels do not overlap each other or cover points,
    at the size and the limits that the axes have when they are drawn. A label that does
    not fit beside its point stands further away, joined by a line. If there is no space
    at all, the word has no label, and `unlabelled_` names it.

    Parameters
    ----------
    words : sequence of str
        The words. Earlier ones get their labels first.
    positions : array-like of shape (n_words, 2)
        Their places in the plane.
    method : str, default=""
        How the places were found, for the names of the axes.

    Attributes
    ----------
    %(drawn)s
    points_ : matplotlib PathCollection
        The points.
    labels_ : list of matplotlib Annotation
        The labels that were drawn.
    unlabelled_ : list of str
        Words whose labels had no space.

    Examples
    --------
    >>> from skembed.inspection import WordMapDisplay
    >>> from skembed.vectors import WordVectors
    >>> table = WordVectors(["cat", "dog", "car"], [[2, 1], [2, 2], [-1, 2]])
    >>> display = WordMapDisplay.from_estimator(table)
    >>> [label.get_text() for label in display.labels_]
    ['cat', 'dog', 'car']
    """

    def __init__(self, words: Any, positions: Any, method: str = "") -> None:
        self.words = words
        self.positions = positions
        self.method = method

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        words: Iterable[Any] | None = None,
        n_words: int = 100,
        method: Any = "pca",
        which: str = "word",
        random_state: int | None = 0,
        ax: Any = None,
        **style: Any,
    ) -> "WordMapDisplay":
        """Draw a map of words of a fitted embedder or of other vectors.

        Vectors are scaled to length 1 first. The length of a vector mostly shows how
        frequent the word is, and neighbours are compared by cosine.

        Parameters
        ----------
        estimator : embedder, WordVectors, str, path, KeyedVectors or mapping
            A fitted embedder, :class:`~skembed.vectors.WordVectors`, a file that its
            method ``load`` reads, ``KeyedVectors`` of gensim, or a mapping of words to
            vectors.
        words : iterable of str, default=None
            Which words. None means the most frequent ones.
        n_words : int, default=100
            Number of the most frequent words, or of the first words of vectors
            without counts.
        method : {"pca", "tsne", "umap"} or transformer, default="pca"
            How to find places in the plane: the first two principal components, t-SNE
            of scikit-learn, UMAP (needs umap-learn), or an object whose
            `fit_transform` returns two columns.
        which : {"word", "context", "sum", "concat"}, default="word"
            Which vectors of an embedder.
        random_state : int or None, default=0
            Seed of `method`.
        %(ax)s
        %(style)s

        Returns
        -------
        %(display)s

        Raises
        ------
        ImportError
            If matplotlib, or umap-learn for ``method="umap"``, is not installed.
        KeyError
            If a word is unknown.
        TypeError
            If `estimator` has no word vectors.
        ValueError
            If there are fewer than two words or dimensions, or a parameter is not
            valid.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        table = table_of(estimator, which)
        if words is None:
            words = _most_frequent(table, n_words)
        words = list(dict.fromkeys([words] if isinstance(words, str) else words))
        if len(words) < 2 or table.n_components < 2:
            raise ValueError(
                "A map needs at least 2 words with vectors of at least 2 dimensions, "
                f"got {len(words)} of {table.n_components}."
            )
        with one_blas_thread(), one_openmp_thread():
            places = _reduce(table[words], method, random_state)
        name = method if isinstance(method, str) else type(method).__name__
        return cls(words, places, _METHODS.get(name, name)).plot(ax, **style)

    def plot(
        self, ax: Any = None, *, fontsize: float = 8.0, **style: Any
    ) -> "WordMapDisplay":
        """Draw the points and their labels.

        Parameters
        ----------
        %(ax)s
        fontsize : float, default=8
            Size of the labels.
        %(style)s

        Returns
        -------
        %(display)s
        """
        ax = axes_of(self, ax, (8.0, 6.4))
        positions = np.asarray(self.positions, dtype=np.float64)
        look = {"s": 9, "color": COLOURS[0], "linewidths": 0}
        if "c" in style:
            del look["color"]
        self.points_ = ax.scatter(*positions.T, **{**look, **style})
        ax.margins(0.09, 0.06)
        if self.method == "PCA":
            ax.set_xlabel("first principal component")
            ax.set_ylabel("second principal component")
            ax.spines[["top", "right"]].set_visible(False)
        else:
            # The axes of these methods have no meaning.
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_color("0.8")
            ax.set_xlabel(self.method, parse_math=False)
        names = [str(word) for word in self.words]
        # Sets the final size of the axes, on which the places of labels depend.
        # Axes of a part of a figure belong to the whole, too.
        ax.figure.canvas.figure.draw_without_rendering()
        drawn = place_labels(ax, positions, names, fontsize)
        self.labels_ = [label for label in drawn if label is not None]
        self.unlabelled_ = [
            word for word, label in zip(self.words, drawn, strict=True) if label is None
        ]
        return self


def _most_frequent(table: Any, n_words: int) -> list[Any]:
    if n_words < 2:
        raise ValueError(f"n_words must be at least 2, got {n_words!r}.")
    if table.counts is None:
        return list(table.words[:n_words])
    order = np.argsort(-np.asarray(table.counts), kind="stable")[:n_words]
    return [table.words[row] for row in order]


def _reduce(vectors: np.ndarray, method: Any, random_state: int | None) -> np.ndarray:
    """Return vectors of length 1, reduced to two dimensions."""
    vectors = vectors.astype(np.float64)
    # Squares of extreme numbers would be infinite or 0.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    vectors = normalize(vectors / np.where(largest > 0.0, largest, 1.0))
    if np.ptp(vectors, axis=0).max() < _SAME:
        raise ValueError(
            f"The vectors of all {len(vectors)} words have the same direction, so "
            "there is nothing to map. Pass other words."
        )
    places = _reducer(method, len(vectors), random_state).fit_transform(vectors)
    places = np.asarray(places, dtype=np.float64)
    if places.shape != (len(vectors), 2) or not np.isfinite(places).all():
        raise ValueError(
            f"method={method!r} returned an array of shape {places.shape}, which must "
            f"be ({len(vectors)}, 2) with finite numbers."
        )
    return places


def _reducer(method: Any, n_words: int, random_state: int | None) -> Any:
    if not isinstance(method, str) and hasattr(method, "fit_transform"):
        return method
    if method == "pca":
        from sklearn.decomposition import PCA

        return PCA(2, svd_solver="full")
    if method == "tsne":
        from sklearn.manifold import TSNE

        # It has to be smaller than the number of words.
        perplexity = min(30.0, (n_words - 1) / 3)
        return TSNE(perplexity=perplexity, init="pca", random_state=random_state)
    if method == "umap":
        umap = require("umap", "method='umap'", "umap-learn")
        n_neighbors = min(15, n_words - 1)
        jobs = None if random_state is None else 1  # a seed allows one thread only
        return umap.UMAP(
            n_neighbors=n_neighbors, random_state=random_state, n_jobs=jobs
        )
    raise ValueError(
        f"method must be one of {list(_METHODS)} or an object with fit_transform, got "
        f"{method!r}."
    )


def place_labels(
    ax: Any, positions: np.ndarray, labels: list[str], fontsize: float
) -> list[Any]:
    """Write labels beside points so that they do not overlap.

    Labels take the first free place in turn: the nearest one in a fixed order of
    directions. Free means within the axes, clear of other labels, their lines and all
    points.

    Parameters
    ----------
    ax : matplotlib Axes
        Of its final size and limits.
    positions : ndarray of shape (n_labels, 2)
        Points in data coordinates.
    labels : list of str
    fontsize : float

    Returns
    -------
    list of Annotation or None
        None for a label for which there is no place.
    """
    per_point = ax.figure.dpi / 72  # pixels
    frame = ax.get_window_extent()
    points = ax.transData.transform(positions)
    taken = np.zeros((0, 4))  # left, bottom, right, top of labels
    obstacles = points  # points, and places on lines
    drawn: list[Any] = []
    for label, point, xy in zip(labels, points, positions, strict=True):
        text = ax.annotate(
            label,
            xy,
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=fontsize,
            parse_math=False,
        )
        text.set_in_layout(False)
        extent = text.get_window_extent()
        size = np.array([extent.width, extent.height])
        # The box of a text is not exactly in its middle.
        shift = np.array([extent.x0, extent.y0]) + size / 2 - point
        found = _first_free(point, size, per_point, frame, taken, obstacles)
        if found is None:
            text.remove()
            drawn.append(None)
            continue
        centre, line = found
        text.set_position((centre - point - shift) / per_point)
        taken = np.vstack([taken, _box(centre, size)])
        if line is not None:
            ax.annotate(
                "",
                xy,
                xytext=(line[-1] - point) / per_point,
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6},
            ).set_in_layout(False)
            obstacles = np.vstack([obstacles, line])
        drawn.append(text)
    return drawn


def _first_free(
    point: np.ndarray,
    size: np.ndarray,
    per_point: float,
    frame: Any,
    taken: np.ndarray,
    obstacles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Return the centre of the first free place and the line to it, or None.

    A label beside its point needs no line.
    """
    for gap in _GAPS:
        # The side or corner of the box that is next to the point is in the gap.
        ends = point + _DIRECTIONS * gap * per_point
        centres = ends + np.sign(_DIRECTIONS) * size / 2
        for centre, end in zip(centres, ends, strict=True):
            box = _box(centre, size, _MARGIN * per_point)
            if (box[:2] < frame.min).any() or (box[2:] > frame.max).any():
                continue
            if _inside(obstacles, _box(centre, size, _CLEAR * per_point)).any():
                continue
            if np.all(
                (taken[:, :2] < box[2:]) & (taken[:, 2:] > box[:2]), axis=1
            ).any():
                continue
            line = point + _ON_LINE * (end - point)
            if gap > _GAPS[0] and not _is_clear(line, taken, obstacles, per_point):
                continue
            return centre, None if gap == _GAPS[0] else line
    return None


def _box(centre: np.ndarray, size: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Return left, bottom, right and top of a box."""
    half = size / 2 + margin
    return np.concatenate([centre - half, centre + half])


def _inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return which points are inside of a box, or each of some boxes."""
    return np.all((points > boxes[..., :2]) & (points < boxes[..., 2:]), axis=-1)


def _is_clear(
    line: np.ndarray, taken: np.ndarray, obstacles: np.ndarray, per_point: float
) -> bool:
    """Return whether a line crosses no label, and passes no other point closely."""
    if _inside(line[:, np.newaxis], taken).any():
        return False
    near = np.abs(line[:, np.newaxis] - obstacles).max(axis=2) < _CLEAR * per_point
    # Its own point is near its start, as are points in the same place.
    here = np.abs(obstacles - line[0]).max(axis=1) < _CLEAR * per_point
    return not near[:, ~here].any()
