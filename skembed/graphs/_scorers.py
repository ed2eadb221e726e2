"""Scorers of held-out links, and what the degrees of nodes alone would score."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from skembed.graphs._edges import as_rows, read_edges
from skembed.graphs._embedder import KINDS, GraphEmbedder
from skembed.graphs._ids import check_kinds, rows_of

__all__ = ["degree_baseline", "link_coverage", "link_direction", "link_existence"]

# A pair that is a link, or a node with itself, is drawn again this many times.
_REDRAWS = 30
_SEED = 0

# Takes rows of sources and rows of targets in the matrix, and returns scores.
_Score = Callable[[np.ndarray, np.ndarray], np.ndarray]


class _Links(NamedTuple):
    """Distinct links of X between two different nodes that an embedder knows.

    Attributes
    ----------
    sources, targets : ndarray of shape (n_links,)
        Rows of the nodes, in the order of their ids.
    known : ndarray
        Keys of all links of the fit and of X, in ascending order.
    n_nodes : int
        Number of nodes of the embedder.
    coverage : float
        Share of the links of X whose two nodes the embedder knows.
    """

    sources: np.ndarray
    targets: np.ndarray
    known: np.ndarray
    n_nodes: int
    coverage: float

    def include(self, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Tell which pairs are links of the fit or of X."""
        keys = sources * self.n_nodes + targets
        places = np.searchsorted(self.known, keys)
        places[places == len(self.known)] = 0
        return self.known[places] == keys


_KIND = {"kind": [StrOptions(set(KINDS))]}


@validate_params(_KIND, prefer_skip_nested_validation=True)
def link_existence(
    estimator: Any, X: Any, y: Any = None, *, kind: str = "pmi"
) -> float:
    """Score how well a model tells held-out links from pairs without a link.

    A scorer for ``scoring=`` of scikit-learn: the area under the ROC curve of the links
    in X against pairs that combine the source of one of these links with the target of
    another. A link and a pair with the same score count one half. The nodes of these
    pairs have the same degrees as those of the links. On five real graphs, the degrees
    alone reach 0.50 to 0.51 against such pairs, but 0.80 to 0.97 against uniformly
    drawn pairs of nodes; see `degree_baseline`.

    Parameters
    ----------
    estimator : GraphEmbedder
        Fitted, or a fitted pipeline or search that ends in one.
    X : array-like or frame of shape (n_edges, 2) or (n_edges, 3)
        Edges that were held out. Repeated edges count once. Edges of weight 0 and self
        loops are not links. Links with a node that the embedder does not know are left
        out; `link_coverage` returns the share of the others.
    y : object, default=None
        Ignored.
    kind : {"pmi", "log_probability"}, default="pmi"
        Which score of links, as in ``GraphEmbedder.score_links``. Use
        `functools.partial` to choose it in a search.

    Returns
    -------
    auc : float
        1 if all links have higher scores than all pairs, 0.5 for guessing.

    Raises
    ------
    TypeError
        If the estimator does not end in a GraphEmbedder.
    ValueError
        If no link can be scored, or no pair without a link was found.

    See Also
    --------
    link_direction : Scorer of which node links to which.
    EdgeKFold : Splitter that holds out links with their reverse.

    Notes
    -----
    A random permutation of the targets of the links makes the pairs. Some of them may
    be links of X or of the fit, or combine a node with itself. These are permuted again
    with as many other pairs, up to 30 times. Those that remain then are left out, which
    happens if most nodes are linked to each other. The seed is fixed. The pairs depend
    neither on the order of X nor on the parameters of the embedder, so all candidates
    of a search are scored on the same pairs.

    Examples
    --------
    >>> from functools import partial
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.graphs import EdgeKFold, GraphEmbedder
    >>> from skembed.graphs import degree_baseline, link_direction, link_existence
    >>> search = GridSearchCV(
    ...     GraphEmbedder(PPMISVDEmbedder(n_components=8, random_state=0)),
    ...     {"embedder__share_context": [False, True, "signed"]},
    ...     scoring={
    ...         "existence": link_existence,
    ...         "with_degrees": partial(link_existence, kind="log_probability"),
    ...         "direction": link_direction,
    ...         "direction_by_degrees": degree_baseline,
    ...     },
    ...     refit="existence",
    ...     cv=EdgeKFold(5, random_state=0),
    ... )
    """
    embedder, X = _fitted(estimator, X, "link_existence")
    return _existence(_read_links(embedder, X), _score_of(embedder, kind))


@validate_params(_KIND, prefer_skip_nested_validation=True)
def link_direction(
    estimator: Any, X: Any, y: Any = None, *, kind: str = "pmi"
) -> float:
    """Score how well a model tells which of two linked nodes links to the other.

    A scorer for ``scoring=`` of scikit-learn: the share of the one-way links a → b in X
    with a higher score of (a, b) than of (b, a). Equal scores count one half, so
    symmetric scores, such as those of ``share_context=True``, have 0.5. A link is
    one-way if b → a is neither in X nor in the fit.

    Print `degree_baseline` beside this figure. Nodes with many links out and few in are
    mostly sources. On real graphs, the degrees alone often tell the direction better
    than the vectors do.

    Parameters
    ----------
    estimator : GraphEmbedder
        Fitted with ``directed=True``, or a fitted pipeline or search that ends in one.
    X : array-like or frame of shape (n_edges, 2) or (n_edges, 3)
        Edges that were held out, as in `link_existence`. Hold out the reverse of a link
        with it, as `EdgeKFold` does; otherwise few one-way links of X are left.
    y : object, default=None
        Ignored.
    kind : {"pmi", "log_probability"}, default="pmi"
        Which score of links, as in ``GraphEmbedder.score_links``. "log_probability"
        contains the degrees. Use `functools.partial` to choose it in a search.

    Returns
    -------
    share : float
        Between 0 and 1, and 0.5 for guessing.

    Raises
    ------
    TypeError
        If the estimator does not end in a GraphEmbedder.
    ValueError
        If the embedder was fitted with ``directed=False``, or if no one-way link can be
        scored.

    See Also
    --------
    degree_baseline : What the degrees of the nodes alone score.
    link_existence : Scorer of links against pairs of nodes without a link.
    link_coverage : Share of the links that can be scored.

    Examples
    --------
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.graphs import GraphEmbedder, degree_baseline, link_direction
    >>> edges = [["a", "b"], ["a", "c"], ["b", "c"], ["c", "d"], ["a", "d"]]
    >>> model = GraphEmbedder(PPMISVDEmbedder(n_components=2, random_state=0))
    >>> model = model.fit(edges[:4])
    >>> link_direction(model, edges[4:])
    0.5
    >>> degree_baseline(model, edges[4:])
    1.0
    """
    embedder, X = _fitted(estimator, X, "link_direction")
    return _direction(embedder, _read_links(embedder, X), _score_of(embedder, kind))


@validate_params(
    {"task": [StrOptions({"existence", "direction"})]},
    prefer_skip_nested_validation=True,
)
def degree_baseline(
    estimator: Any, X: Any, y: Any = None, *, task: str = "direction"
) -> float:
    """Score held-out links by the degrees of their nodes alone.

    A scorer for ``scoring=`` of scikit-learn that ignores the vectors. The score of a
    link a → b is (out(a) + 1) · (in(b) + 1), where out and in are the numbers of links
    of a node in the fit. Compare `link_existence` or `link_direction` with this figure:
    the vectors have to do better than the degrees to be of use.

    Parameters
    ----------
    estimator : GraphEmbedder
        Fitted, or a fitted pipeline or search that ends in one.
    X : array-like or frame of shape (n_edges, 2) or (n_edges, 3)
        Edges that were held out, as in `link_existence`.
    y : object, default=None
        Ignored.
    task : {"direction", "existence"}, default="direction"
        Whether the result is comparable to `link_direction` or to `link_existence`. Use
        `functools.partial` to choose it in a search.

    Returns
    -------
    score : float
        Between 0 and 1, and 0.5 for guessing.

    Raises
    ------
    TypeError
        If the estimator does not end in a GraphEmbedder.
    ValueError
        As in `link_direction` and `link_existence`.

    See Also
    --------
    link_direction : The same task, by the vectors.
    link_existence : The other task, by the vectors.

    Notes
    -----
    The number 1 is added because a node that was never a source still differs from
    others by how often it was a target. Weights do not matter.
    """
    embedder, X = _fitted(estimator, X, "degree_baseline")
    links = _read_links(embedder, X)
    score = _degree_score(embedder.adjacency_)
    if task == "existence":
        return _existence(links, score)
    return _direction(embedder, links, score)


def link_coverage(estimator: Any, X: Any, y: Any = None) -> float:
    """Return the share of the links in X whose two nodes the embedder knows.

    The other links are left out by `link_existence`, `link_direction` and
    `degree_baseline`. Pass it to a search as one of several scorers, and the results
    will show this share.

    Parameters
    ----------
    estimator : GraphEmbedder
        Fitted, or a fitted pipeline or search that ends in one.
    X : array-like or frame of shape (n_edges, 2) or (n_edges, 3)
        Edges that were held out, as in `link_existence`.
    y : object, default=None
        Ignored.

    Returns
    -------
    share : float
        Between 0 and 1.

    Raises
    ------
    TypeError
        If the estimator does not end in a GraphEmbedder.
    ValueError
        If X contains no link.

    See Also
    --------
    EdgeKFold : With ``keep_forest=True``, the share is 1.
    """
    return _read_links(*_fitted(estimator, X, "link_coverage")).coverage


def _fitted(estimator: Any, X: Any, scorer: str) -> tuple[GraphEmbedder, Any]:
    """Return the fitted embedder of graphs, and X as it reaches the embedder."""
    found, before = estimator, []
    while not isinstance(found, GraphEmbedder):
        if hasattr(found, "best_estimator_"):
            found = found.best_estimator_
        elif isinstance(found, Pipeline):
            before.append(found[:-1])
            found = found[-1]
        else:
            raise TypeError(
                f"{scorer} needs a fitted GraphEmbedder, or a fitted pipeline or "
                f"search that ends in one, got {type(estimator).__name__}."
            )
    check_is_fitted(found)
    for steps in before:
        X = steps.transform(X) if len(steps) else X
    return found, X


def _read_links(embedder: GraphEmbedder, X: Any) -> _Links:
    edges = read_edges(as_rows(X), embedder._id_names_)
    check_kinds(embedder.nodes_, edges.sources, "those of fit", "those of X")
    is_link = edges.sources != edges.targets
    if edges.weights is not None:
        is_link &= edges.weights > 0
    if not is_link.any():
        raise ValueError(
            "X contains no link between two nodes: no edges, or only self loops and "
            "edges of weight 0."
        )
    ids = np.concatenate([edges.sources[is_link], edges.targets[is_link]])
    names, places = np.unique(ids, return_inverse=True)
    sources, targets = places.reshape(2, -1)
    if not embedder._directed_:
        # As in the fit; how an edge is written makes no difference.
        sources, targets = places, np.concatenate([targets, sources])
    distinct = np.unique(sources * len(names) + targets)
    rows = rows_of(embedder.nodes_, names)
    sources, targets = rows[distinct // len(names)], rows[distinct % len(names)]
    found = (sources >= 0) & (targets >= 0)
    sources, targets = sources[found], targets[found]
    n_nodes = len(embedder.nodes_)
    fitted = [ends.astype(np.int64) for ends in embedder.adjacency_.nonzero()]
    known = np.union1d(fitted[0] * n_nodes + fitted[1], sources * n_nodes + targets)
    return _Links(sources, targets, known, n_nodes, float(found.mean()))


def _score_of(embedder: GraphEmbedder, kind: str) -> _Score:
    nodes = embedder.nodes_
    return lambda a, b: embedder.score_links(nodes[a], nodes[b], kind=kind)


def _degree_score(adjacency: Any) -> _Score:
    linked = adjacency != 0
    # Plain integers: products that are equal in exact arithmetic are ties.
    n_out = np.asarray(linked.sum(axis=1, dtype=np.int64)).ravel()
    n_in = np.asarray(linked.sum(axis=0, dtype=np.int64)).ravel()
    return lambda a, b: (n_out[a] + 1) * (n_in[b] + 1)


def _existence(links: _Links, score: _Score) -> float:
    """Return the area under the ROC curve of links against pairs without a link."""
    _check_scored(links.coverage)
    sources, targets = _pairs_without_link(links)
    if not len(sources):
        raise ValueError(
            "No pair without a link can be made of the sources and targets of the "
            f"{len(links.sources)} links in X. Hold out more edges."
        )
    positive, negative = score(links.sources, links.targets), score(sources, targets)
    is_link = np.repeat([True, False], [len(positive), len(negative)])
    return float(roc_auc_score(is_link, np.concatenate([positive, negative])))


def _pairs_without_link(links: _Links) -> tuple[np.ndarray, np.ndarray]:
    """Combine sources of links with targets of other links."""
    rng = np.random.default_rng(_SEED)
    sources, targets = links.sources, rng.permutation(links.targets)
    wrong = (sources == targets) | links.include(sources, targets)
    for _ in range(_REDRAWS):
        if not wrong.any():
            break
        others = rng.integers(len(sources), size=wrong.sum())
        mixed = np.union1d(np.flatnonzero(wrong), others)
        targets[mixed] = targets[rng.permutation(mixed)]
        new = sources[mixed], targets[mixed]
        wrong[mixed] = (new[0] == new[1]) | links.include(*new)
    return sources[~wrong], targets[~wrong]


def _direction(embedder: GraphEmbedder, links: _Links, score: _Score) -> float:
    """Return the share of one-way links whose score is higher than their reverse's."""
    if not embedder._directed_:
        raise ValueError(
            "Direction can only be scored of an embedder with directed=True; this one "
            "was fitted with directed=False, which makes links go both ways."
        )
    _check_scored(links.coverage)
    one_way = ~links.include(links.targets, links.sources)
    if not one_way.any():
        raise ValueError(
            f"None of the {len(links.sources)} links in X is one-way: the reverse of "
            "each one is in X or in the fit."
        )
    sources, targets = links.sources[one_way], links.targets[one_way]
    forward, backward = score(sources, targets), score(targets, sources)
    return float(np.mean((forward > backward) + 0.5 * (forward == backward)))


def _check_scored(coverage: float) -> None:
    if coverage == 0:
        raise ValueError(
            "No link in X can be scored: each one has a node that the embedder does "
            "not know. EdgeKFold(keep_forest=True) keeps all nodes in the training "
            "sets."
        )
