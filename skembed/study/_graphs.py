"""The study on a graph: the ways to embed it, and what they are measured by."""

import argparse
import warnings
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, StandardScaler
from threadpoolctl import threadpool_limits

from skembed import inspection
from skembed._glove import GloVeEmbedder
from skembed._ppmi_svd import PPMISVDEmbedder
from skembed._sgns import SGNSEmbedder
from skembed._tying.strategies import strategies
from skembed.graphs import (
    EdgeKFold,
    GraphEmbedder,
    degree_baseline,
    link_coverage,
    link_direction,
    link_existence,
)
from skembed.graphs._ids import rows_of
from skembed.study._documents import InputError
from skembed.study._graph_files import Graph
from skembed.study._progress import Progress

# Titles, classes and parameters. PPMI divides by what the degrees suggest: a smoothed
# distribution of contexts would leave a part of the degrees in the vectors. Links of
# nodes with many links are not noise, as frequent words are, so none are subsampled.
_FAMILIES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "ppmi-svd": (
        "PPMI-SVD",
        PPMISVDEmbedder,
        {"context_exponent": 1.0, "subsample": 0},
    ),
    "sgns": ("SGNS", SGNSEmbedder, {"subsample": 0}),
    "glove": ("GloVe", GloVeEmbedder, {}),
}
EMBEDDERS = tuple(_FAMILIES)
# Names, values of `share_context`, divisors of the number of components.
_WAYS: tuple[tuple[str, Any, int], ...] = (
    ("two tables", False, 1),
    ("two tables, half size", False, 2),
    ("one table", True, 1),
    ("one table, signed", "signed", 1),
    ("one table, matrix", "bilinear", 1),
)
_SCORERS = {"existence": link_existence, "direction": link_direction}
MEASURES = (*_SCORERS, "classes")
_ERRORS = (ValueError, ArithmeticError, MemoryError, RuntimeError)


class Way(NamedTuple):
    """One way of embedding a graph."""

    family: str
    steps: int
    name: str
    share_context: Any
    n_components: int

    @property
    def estimator(self) -> str:
        return _FAMILIES[self.family][0]

    @property
    def title(self) -> str:
        return f"{self.name} ({self.steps} step{'s' if self.steps > 1 else ''})"

    @property
    def has_two_tables(self) -> bool:
        return self.share_context is False

    @property
    def is_available(self) -> bool:
        """Whether the estimator supports the value of `share_context`."""
        _, embedder, _ = _FAMILIES[self.family]
        names = [strategy.name for strategy in strategies(embedder()._method)]
        return self.share_context in names

    def make(self, options: argparse.Namespace) -> GraphEmbedder:
        """Return an unfitted embedder of graphs."""
        _, embedder, params = _FAMILIES[self.family]
        if options.max_iter is not None and self.family != "ppmi-svd":
            params = {**params, "max_iter": options.max_iter}
        return GraphEmbedder(
            embedder(
                n_components=self.n_components,
                share_context=self.share_context,
                random_state=options.seed,
                n_jobs=options.n_jobs,
                **params,
            ),
            steps=self.steps,
            directed=not options.undirected,
        )


# What is measured of the graph itself does not depend on the vectors.
_ANY = Way("ppmi-svd", 1, "", False, 2)


class Result(NamedTuple):
    """What one way scored.

    Attributes
    ----------
    way : Way or None
        None for the degrees.
    scores : dict of str to list of float
        The score of each fold, by measure.
    n_parameters : int or None
    problem : str or None
        Why there are no scores.
    """

    way: Way | None
    scores: dict[str, list[float]]
    n_parameters: int | None = None
    problem: str | None = None

    def mean(self, measure: str) -> float:
        return float(np.mean(self.scores[measure]))


class Study:
    """The graph, its folds, and the measures of each way.

    Parameters
    ----------
    graph : Graph
    options : Namespace
        Those of the command line.

    Raises
    ------
    InputError
        If the graph cannot be embedded, or has fewer links than folds.
    """

    def __init__(self, graph: Graph, options: argparse.Namespace):
        self._graph = graph
        self._options = options
        self._scored = [
            name
            for name in _SCORERS
            if not (options.undirected and name == "direction")
        ]
        try:
            self._whole = self._fit(_ANY, slice(None))
            self._folds = self._split()
            self._parts = [self._fit(_ANY, train) for train, _ in self._folds]
        except ValueError as error:
            raise InputError(f"{options.edges}: {error}") from error
        self._has_link = self._linked_nodes()

    def _split(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the rows of training and of test edges of each fold.

        Edges of weight 0 are no links: they are not held out.
        """
        folds = EdgeKFold(self._options.cv, random_state=self._options.seed)
        links = np.flatnonzero(self._graph.weights)
        every = np.arange(len(self._graph.edges))
        tests = [links[test] for _, test in folds.split(self._graph.edges[links])]
        return [(np.setdiff1d(every, test), test) for test in tests]

    def _linked_nodes(self) -> int:
        """Return how many labelled nodes have links.

        Raises
        ------
        InputError
            If there are too few, or only one class.
        """
        labels = self._graph.labels
        if not labels:
            return 0
        path, adjacency = self._options.labels, self._whole.adjacency_
        linked = (adjacency.sum(axis=0) + adjacency.sum(axis=1)) > 0
        found = np.isin(self._graph.labelled, self._whole.nodes_[linked])
        if not found.any():
            raise InputError(
                f"{path}: none of the {len(labels)} nodes with labels has a link in "
                f"{self._options.edges}"
            )
        names = set.union(*labels)
        if len(names) < 2:
            raise InputError(
                f"{path}: all nodes have the label {min(names)!r}; two are needed"
            )
        if len(labels) < self._options.cv:
            raise InputError(
                f"{path}: {len(labels)} nodes with labels are fewer than the "
                f"{self._options.cv} folds of --cv"
            )
        return int(found.sum())

    def about(self) -> list[str]:
        """Return sentences about the graph and the comparison."""
        options, labels = self._options, self._graph.labels
        coverage = np.mean(
            [
                link_coverage(fitted, self._graph.edges[test])
                for fitted, (_, test) in zip(self._parts, self._folds, strict=True)
            ]
        )
        found = [
            f"{options.edges.name}: {len(self._whole.nodes_):,} nodes, "
            f"{self._links()}.",
            f"{options.cv} folds of links, {options.n_components} components, seed "
            f"{options.seed}; mean ± standard deviation of the folds. "
            f"{1.0 - coverage:.1%} of the held-out links have a node without a link in "
            "training, and are left out.",
        ]
        if labels:
            n_classes = len(set.union(*labels))
            alone = len(labels) - self._has_link
            zeros = f" {alone:,} of the nodes have no link." if alone else ""
            found.append(
                f"Classes: {len(labels):,} nodes with {n_classes} labels, "
                f"{self._classes()[2]}.{zeros}"
            )
        return found

    def _links(self) -> str:
        linked = self._whole.adjacency_ != 0
        sources, targets = self._graph.edges.T
        n_loops = np.unique(
            sources[(sources == targets) & (self._graph.weights > 0)]
        ).size
        loops = f"; {n_loops:,} self loops are left out" if n_loops else ""
        if self._options.undirected:
            return f"{linked.nnz // 2:,} links without direction{loops}"
        back = linked.multiply(linked.T).sum() / linked.nnz
        share = inspection.antisymmetric_share(self._whole.adjacency_)
        return (
            f"{linked.nnz:,} links, {back:.0%} of them with a reverse; antisymmetric "
            f"share {share:.2f}{loops}"
        )

    def results(self) -> Iterator[Result]:
        """Yield the result of the degrees, then that of every way."""
        with threadpool_limits(limits=1, user_api="blas"):
            yield Result(None, self._of_degrees())
            ways = self._ways()
            progress = Progress(way.family for way in ways)
            for way in ways:
                start = perf_counter()
                result = self._measure(way)
                progress.done(way.family, perf_counter() - start)
                found = result.problem or ", ".join(
                    f"{name} {result.mean(name):.3f}" for name in result.scores
                )
                progress.tell(f"{way.estimator}, {way.title}: {found}")
                yield result

    def _ways(self) -> list[Way]:
        size = self._options.n_components
        ways = [
            Way(family, steps, name, share_context, size // divisor)
            for family in dict.fromkeys(self._options.estimators)
            for steps in dict.fromkeys(self._options.steps)
            for name, share_context, divisor in _WAYS
        ]
        return [way for way in ways if way.is_available]

    def _fit(self, way: Way, rows: Any) -> GraphEmbedder:
        edges, weights = self._graph.edges[rows], self._graph.weights[rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # self loops, zero columns
            return way.make(self._options).fit(edges, sample_weight=weights)

    def _of_degrees(self) -> dict[str, list[float]]:
        options = self._options
        scores: dict[str, list[float]] = {name: [] for name in self._scored}
        more = {"direction": ", and --undirected leaves direction out"}
        for fitted, (_, test) in zip(self._parts, self._folds, strict=True):
            for name in self._scored:
                try:
                    score = degree_baseline(fitted, self._graph.edges[test], task=name)
                except ValueError as error:
                    raise InputError(
                        f"{options.edges}: {name} of {len(test)} held-out links cannot "
                        "be measured; a smaller --cv holds out more"
                        f"{more.get(name, '')}. {error}"
                    ) from error
                scores[name].append(score)
        if self._graph.labels:
            try:
                scores["classes"] = self._classify(self._degrees())
            except ValueError as error:
                raise InputError(
                    f"{options.labels}: the classes cannot be measured in {options.cv} "
                    f"folds. {error}"
                ) from error
        return scores

    def _degrees(self) -> np.ndarray:
        """Return the logarithms of both degrees of the labelled nodes."""
        linked = self._whole.adjacency_ != 0
        degrees = np.stack([linked.sum(axis=1), linked.sum(axis=0)], axis=1)
        rows = rows_of(self._whole.nodes_, self._graph.labelled)
        # Nodes without a link have no degrees.
        return np.log1p(np.where(rows[:, None] < 0, 0, degrees[rows]))

    def _measure(self, way: Way) -> Result:
        scores: dict[str, list[float]] = {name: [] for name in self._scored}
        try:
            for train, test in self._folds:
                fitted = self._fit(way, train)
                for name in self._scored:
                    score = _SCORERS[name](fitted, self._graph.edges[test])
                    scores[name].append(score)
            fitted = self._fit(way, slice(None))
            if self._graph.labels:
                vectors = fitted.transform(self._graph.labelled)
                scores["classes"] = self._classify(vectors)
            return Result(way, scores, int(fitted.embedder_.n_embedding_parameters_))
        except _ERRORS as error:
            return Result(way, {}, problem=" ".join(str(error).split()))

    def _classes(self) -> tuple[np.ndarray, bool, str]:
        """Return the classes, whether a node has several, and the measure."""
        labels = self._graph.labels
        if all(len(names) == 1 for names in labels):
            return np.array([*map(min, labels)]), False, "accuracy"
        return MultiLabelBinarizer().fit_transform(labels), True, "micro-averaged F1"

    def _classify(self, vectors: np.ndarray) -> list[float]:
        """Return the score of a classifier of the nodes, fold by fold."""
        classes, several, _ = self._classes()
        head: Any = LogisticRegression(max_iter=1000)
        splitter: Any = KFold if several else StratifiedKFold
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # classes with fewer nodes than folds
            found = cross_val_score(
                make_pipeline(
                    StandardScaler(), OneVsRestClassifier(head) if several else head
                ),
                vectors,
                classes,
                cv=splitter(
                    self._options.cv, shuffle=True, random_state=self._options.seed
                ),
                scoring="f1_micro" if several else "accuracy",
                error_score="raise",
            )
        return found.tolist()
