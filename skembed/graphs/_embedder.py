"""`GraphEmbedder`: vectors of nodes, learned from edges."""

import os
import warnings
from numbers import Integral
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    TransformerMixin,
    _fit_context,
    clone,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    check_memory,
)

from skembed._base import BaseEmbedder
from skembed._fit import Collected, check_numbers, collected_notes, is_learned
from skembed._tying import strategies
from skembed.graphs import _edges, _graph, _ids
from skembed.graphs._edges import Table
from skembed.graphs._graph import Graph
from skembed.graphs._steps import WEIGHTINGS, k_step_counts

__all__ = ["GraphEmbedder"]

KINDS = ("pmi", "log_probability")
# Parameters of the embedder that would change which nodes there are.
_SELECTING = ("vocabulary", "max_features")
# The embedder's features of documents are not used, so they need not be prepared.
_UNUSED = {"combine": "word", "pooling": "mean", "scale": None}
# Pairs of nodes that are scored at once.
_PAIRS = 1 << 16


class GraphEmbedder(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Vectors of the nodes of a graph, as sources and as targets of its edges.

    Samples are edges: each row of `X` is one. The weights of the edges are added up to
    a matrix of counts. A clone of `embedder` learns from this matrix: its words are the
    sources, and its contexts are the targets. The hyperparameter
    ``embedder__share_context`` says whether a node has two vectors, one as a source and
    one as a target.

    Parameters
    ----------
    embedder : PPMISVDEmbedder, or another embedder that learns
        Learns from the counts. A clone is fitted, with ``input="cooccurrence"`` and the
        nodes as `vocabulary`. Its features of documents are not used: `combine`,
        `pooling` and `scale` of the clone are "word", "mean" and None.
    steps : int, default=1
        The largest number of steps along edges from a source to its targets. With 1,
        the counts are the weights of the edges. With more steps, they are those of
        :func:`~skembed.graphs.k_step_counts`.
    step_weighting : {"uniform", "harmonic"} or array-like, default="uniform"
        The weight of targets that are k steps away: 1, ``1 / k``, or the numbers of an
        array of shape (steps,).
    directed : bool, default=True
        Whether edges have a direction. If not, each edge counts in both directions.
    nodes : array-like of shape (n_nodes,), default=None
        The nodes, in the order of `nodes_`. If `X` is a sparse matrix, they are the ids
        of its rows. None means all nodes of the edges, sorted. If you pass the nodes,
        the tables have the same rows in all folds of a cross-validation.
    self_loops : bool, default=False
        Whether edges from a node to itself count. They are dropped by default.
    edges : array-like, frame, sparse matrix or networkx graph, default=None
        The graph, if the samples are nodes: `X` then consists of ids, and `y` may be
        their classes. None means that `X` is the graph.
    memory : str, path or object with the joblib.Memory interface, default=None
        Store fitted embedders in this folder. A fit on the same graph with the same
        parameters, as in the folds of a cross-validation over nodes, reads its embedder
        from there.

    Attributes
    ----------
    nodes_ : ndarray of shape (n_nodes,), int64 or object
        Ids of the nodes, int or str.
    adjacency_ : csr_array of shape (n_nodes, n_nodes), float64
        Added weights of the edges from a row's node to a column's node. It is symmetric
        with ``directed=False``.
    source_vectors_, target_vectors_ : ndarray of shape (n_nodes, n_components), float32
        Vectors of the nodes as sources and as targets, as they enter the score: the
        `word_vectors_` and `context_vectors_` of the embedder. With two tables, the
        source vector of a node without outgoing edges is 0, and so is the target vector
        of a node without incoming edges. With one table, a node learns from both roles.
    embedder_ : BaseEmbedder
        The fitted embedder. The words of its `vocabulary_` are the nodes.
    n_features_in_ : int
        Number of columns of `X` in `fit`. Not defined if `X` was a graph or a list of
        nodes.
    feature_names_in_ : ndarray of shape (`n_features_in_`,), object
        Names of the columns of a frame, if all of them are str.

    See Also
    --------
    k_step_counts : The counts of paths of several steps.
    skembed.PPMISVDEmbedder : The fastest embedder for counts.

    Notes
    -----
    `X` has a row for each edge, so scikit-learn splits edges in a cross-validation. A
    node that occurs only in the edges of the test fold is unknown, and has a vector of
    zeros.

    Some defaults of embedders are meant for text. `subsample` lowers the counts of
    nodes with many edges, and `context_exponent` of PPMISVDEmbedder leaves a part of
    the degrees in the scores. ``PPMISVDEmbedder(context_exponent=1, subsample=0)`` is
    a good start for graphs.

    GloVe fits the logarithms of the weights of edges. It does not see which edges are
    missing. With equal weights and ``steps=1``, it has nothing to learn.

    The parameters `directional` and `exclude_window_noise` of an embedder concern
    windows of text. They raise an error here.

    Examples
    --------
    >>> from skembed import PPMISVDEmbedder
    >>> from skembed.graphs import GraphEmbedder
    >>> edges = [("a", "b"), ("a", "c"), ("b", "c"), ("c", "d"), ("d", "b")]
    >>> embedder = GraphEmbedder(PPMISVDEmbedder(n_components=2, random_state=0))
    >>> embedder.fit(edges).transform(edges).shape
    (5, 4)
    >>> embedder.transform(["a", "d"]).shape
    (2, 4)
    >>> ab, ba = embedder.score_links(["a", "b"], ["b", "a"])
    >>> bool(ab > ba)
    True
    """

    nodes_: np.ndarray
    adjacency_: sparse.csr_array
    source_vectors_: np.ndarray
    target_vectors_: np.ndarray
    embedder_: BaseEmbedder
    # Names of the columns of sources and targets of a frame in `fit`.
    _id_names_: tuple[str, str] | None
    # The parameter `directed` of the fit.
    _directed_: bool
    # Whether the vector of a node is that of the source and that of the target.
    _two_sided_: bool
    # Whether the samples of `fit` were nodes.
    _of_nodes_: bool

    _parameter_constraints: ClassVar[dict] = {
        "embedder": [object],  # see `_clone`
        "steps": [Interval(Integral, 1, None, closed="left")],
        "step_weighting": [StrOptions(set(WEIGHTINGS)), "array-like"],
        "directed": ["boolean"],
        "nodes": ["array-like", None],
        "self_loops": ["boolean"],
        "edges": [object],  # see `_graph.read_graph`
        "memory": [str, PathLike, HasMethods("cache"), None],
    }

    def __init__(
        self,
        embedder,
        *,
        steps=1,
        step_weighting="uniform",
        directed=True,
        nodes=None,
        self_loops=False,
        edges=None,
        memory=None,
    ):
        self.embedder = embedder
        self.steps = steps
        self.step_weighting = step_weighting
        self.directed = directed
        self.nodes = nodes
        self.self_loops = self_loops
        self.edges = edges
        self.memory = memory

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the vectors of the nodes of a graph.

        Parameters
        ----------
        X : array-like, frame, sparse matrix or networkx graph
            Edges, in two columns, source and target, or in three with a weight: a list
            of pairs, an array, or a frame of pandas, polars or pyarrow. The columns of
            a frame are found by the names ``source``, ``target`` and ``weight``. If it
            does not have them, its first two columns are read. Ids of nodes are int or
            str. The weights of repeated edges are added up. An edge of weight 0 makes
            its nodes known, but does not count.

            `X` can also be the whole graph: a square sparse matrix, whose rows are
            sources, or a networkx graph, whose edges may have the attribute ``weight``.

            With the parameter `edges`, `X` are ids of nodes, as a list or a column.
        y : array-like of shape (n_samples,), default=None
            Not used. Its length is compared with that of `X` if the samples are nodes.
        sample_weight : array-like of shape (n_edges,), default=None
            Weights of the edges, multiplied by those of `X`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an id or a weight is missing or not valid, if there are no edges, or if
            `directed` contradicts the graph.
        """
        self._fit(X, y, sample_weight, stacklevel=4)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None, sample_weight=None):
        """Fit, and return the vectors of the same edges or nodes.

        Parameters
        ----------
        X : array-like or frame
            As in `fit`, but not a sparse matrix or a networkx graph.
        y : array-like of shape (n_samples,), default=None
            As in `fit`.
        sample_weight : array-like of shape (n_edges,), default=None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            As in `transform`.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        table = _edges.as_rows(X)
        # One level more: scikit-learn wraps this method for `set_output`.
        self._fit(table, y, sample_weight, stacklevel=5)
        return self._vectors_of(table)

    def transform(self, X):
        """Return the vectors of edges or of nodes.

        Parameters
        ----------
        X : array-like or frame
            Edges, with columns as in `fit`, or nodes, as a list or one column of ids. A
            column of weights is not used.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            For an edge, the source vector of its source and the target vector of its
            target, side by side. For a node of a directed graph, its two vectors side
            by side, if the embedder has two tables. Otherwise, the source vector of the
            node. Vectors of unknown nodes, and of nodes without edges, are zeros.

        Raises
        ------
        ValueError
            If an id is missing, or is not of the type of the ids in `fit`.
        """
        check_is_fitted(self)
        return self._vectors_of(_edges.as_rows(X))

    def score_links(self, sources, targets, *, kind="pmi"):
        """Return the model's scores of links from sources to targets.

        Parameters
        ----------
        sources : int, str or array-like
            Ids of nodes.
        targets : int, str or array-like
            Ids of nodes, broadcast against `sources`.
        kind : {"pmi", "log_probability"}, default="pmi"
            With "pmi", the score is the product of the source vector and the target
            vector. It estimates how much more often the link occurs than the degrees
            of the two nodes suggest, as a logarithm and up to a constant of the
            model. Biases and known terms of the degrees are left out. With
            "log_probability", two logarithms are added to it: those of the share of
            all weight in `adjacency_` that leaves the source, and of the share that
            enters the target. A node without such edges counts as if it had half of
            the smallest weight of an edge.

        Returns
        -------
        ndarray, float64
            Scores, in the broadcast shape. With "pmi" and one table without a matrix,
            the scores of the two directions of a link are the same, bit for bit.

        Raises
        ------
        ValueError
            If a node is unknown.

        Notes
        -----
        "log_probability" suits comparisons of links with all pairs of nodes, and of the
        two directions of a link. "pmi" suits comparisons with pairs of nodes of the
        same degrees.
        """
        check_is_fitted(self)
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {kind!r}.")
        rows, columns = self._rows(sources, "source"), self._rows(targets, "target")
        try:
            rows, columns = np.broadcast_arrays(rows, columns)
        except ValueError as error:
            raise ValueError(
                f"sources of shape {rows.shape} and targets of shape {columns.shape} "
                "cannot be broadcast: pass as many targets as sources, or one of them."
            ) from error
        scores = self._products(rows.ravel(), columns.ravel()).reshape(rows.shape)
        if kind == "log_probability":
            scores = scores + self._log_shares(1)[rows] + self._log_shares(0)[columns]
        return scores

    def get_feature_names_out(self, input_features=None):
        """Return names of the columns of `transform`, for samples like those of `fit`.

        Parameters
        ----------
        input_features : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        ndarray of str objects
            ``graphembedder_source0``, ... and ``graphembedder_target0``, ..., or
            ``graphembedder0``, ... if `X` in `fit` was a column of nodes, which have
            one vector.
        """
        check_is_fitted(self)
        two_sided = self._two_sided_ or not self._of_nodes_
        sides = ("_source", "_target") if two_sided else ("",)
        prefix = type(self).__name__.lower()
        n_components = self.source_vectors_.shape[1]
        names = [f"{prefix}{side}{i}" for side in sides for i in range(n_components)]
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "nodes_")

    def _fit(self, X: Any, y: Any, sample_weight: Any, stacklevel: int) -> None:
        check_numbers(self)
        embedder = self._clone()
        graph, described = self._read(X, y, sample_weight)
        embedder, found = self._learned(embedder, graph)
        notes = [
            f"{type(embedder).__name__}, whose words are the nodes: {note}"
            for note in found.notes
        ]
        if graph.n_dropped:
            notes.insert(0, _of_dropped(graph.n_dropped))
        if notes and not found.interrupted:
            warnings.warn(" ".join(notes), found.warning, stacklevel=stacklevel)
        strategy = strategies.get_strategy(embedder.share_context, embedder._method)
        learned = {
            "nodes_": graph.nodes,
            "adjacency_": graph.adjacency,
            "source_vectors_": embedder.word_vectors_,
            "target_vectors_": embedder.context_vectors_,
            "embedder_": embedder,
            "_directed_": self.directed,
            "_two_sided_": self.directed and strategy.context_table > 0,
            "_of_nodes_": self.edges is not None,
            **described,
        }
        # In one step, so that another thread never finds a part of it.
        kept = {name: v for name, v in vars(self).items() if not is_learned(name)}
        self.__dict__ = {**kept, **learned}
        if notes and found.interrupted:
            warnings.warn(" ".join(notes), found.warning, stacklevel=stacklevel)

    def _clone(self) -> Any:
        """Return a clone of the embedder that takes counts.

        Raises
        ------
        ValueError
            If it does not learn from counts, or selects words.
        """
        embedder = self.embedder
        if not isinstance(embedder, BaseEmbedder):
            raise ValueError(
                "embedder must be an estimator that learns from counts, such as "
                f"PPMISVDEmbedder(), got {embedder!r}."
            )
        for name in _SELECTING:
            value = getattr(embedder, name)
            if value is not None:
                raise ValueError(
                    f"embedder has {name}={value!r}, which selects words. Pass None, "
                    "and the nodes as `nodes` of GraphEmbedder."
                )
        if getattr(embedder, "directional", False):
            raise ValueError(
                "embedder has directional=True, which tells the left context of a word "
                "from the right one. Pass directional=False: edges have one direction, "
                "and share_context=False gives nodes a vector of each role."
            )
        if getattr(embedder, "loss", None) == "hierarchical":
            raise ValueError(
                "embedder has loss='hierarchical', whose scores are not products of a "
                "source vector and a target vector. Pass loss='softmax'."
            )
        return clone(embedder).set_params(input="cooccurrence", **_UNUSED)

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[Graph, dict[str, Any]]:
        """Return the graph, and attributes that describe `X`."""
        how = {
            "nodes": self.nodes,
            "directed": self.directed,
            "self_loops": self.self_loops,
        }
        if self.edges is None and _edges.is_graph(X):
            graph = _graph.read_graph(X, sample_weight=sample_weight, **how)
            return graph, {"_id_names_": None}
        if self.edges is not None and _edges.is_graph(X):
            raise ValueError(
                f"X is a {type(X).__name__}, but the graph is the parameter `edges`: X "
                "must be ids of nodes. Pass edges=None, or ids."
            )
        table = _edges.as_table(X)
        described: dict[str, Any] = {"_id_names_": None}
        if not table.is_flat:
            described["n_features_in_"] = len(table.columns)
        if table.str_names is not None:
            described["feature_names_in_"] = np.array(table.str_names, dtype=object)
        if self.edges is not None:
            ids = self._checked_ids(table, y, sample_weight)
            with _edges.named("edges"):
                graph = _graph.read_graph(self.edges, **how)
            _ids.check_kinds(graph.nodes, ids, "those of edges", "those of X")
            return graph, described
        if len(table.columns) == 1:
            raise ValueError(
                "X has 1 feature(s), but edges have two, source and target. If X are "
                "nodes, pass the graph as the parameter `edges`."
            )
        described["_id_names_"] = _edges.id_names(table)
        return _graph.read_graph(table, sample_weight=sample_weight, **how), described

    @staticmethod
    def _checked_ids(table: Table, y: Any, sample_weight: Any) -> np.ndarray:
        """Return the nodes that are samples."""
        ids = _edges.nodes_of(table)
        if y is not None:
            check_consistent_length(ids, y)
        if sample_weight is not None:
            raise ValueError(
                "sample_weight are weights of edges, but with `edges` the rows of "
                "X are nodes. Give `edges` a column of weights."
            )
        return ids

    def _learned(self, embedder: Any, graph: Graph) -> tuple[Any, Collected]:
        """Return the fitted embedder, from `memory` if it is there."""
        memory = self.memory
        memory = os.fspath(memory) if isinstance(memory, PathLike) else memory
        learn = check_memory(memory).cache(_learn)
        try:
            return learn(embedder, graph, self.steps, self.step_weighting)
        except _Interrupted as interrupted:
            return interrupted.result

    def _vectors_of(self, table: Table) -> np.ndarray:
        """Return the vectors of the edges or nodes in a table."""
        tables = self.source_vectors_, self.target_vectors_
        if len(table.columns) > 1:
            edges = _edges.pairs_of(table, self._id_names_)
            ids = [edges.sources, edges.targets]
        else:
            ids = [_edges.nodes_of(table)] * (1 + self._two_sided_)
        n_out = len(ids) * tables[0].shape[1]
        if n_out != self.get_feature_names_out().size:
            _check_unnamed(self)
        rows = []
        for found in ids:
            _ids.check_kinds(self.nodes_, found, "those of fit", "those of X")
            rows.append(_ids.rows_of(self.nodes_, found))
        return np.hstack([_take(*pair) for pair in zip(tables, rows, strict=False)])

    def _rows(self, ids: Any, role: str) -> np.ndarray:
        """Return the rows of known nodes, in the shape of their ids."""
        array = ids if isinstance(ids, np.ndarray) else np.asarray(ids, dtype=object)
        found = _ids.as_ids(array.ravel(), role, f"place {{}} of {role}s")
        _ids.check_kinds(self.nodes_, found, "those of fit", f"the {role}s")
        rows = _ids.rows_of(self.nodes_, found)
        if rows.min(initial=0) < 0:
            unknown = _ids.shown(found, int(np.argmin(rows)))
            raise ValueError(
                f"The {role} {unknown} is not among the {self.nodes_.size} nodes in "
                "nodes_."
            )
        return rows.reshape(array.shape)

    def _products(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the products of source vectors and target vectors, as float64."""
        embedder = self.embedder_
        strategy = strategies.get_strategy(embedder.share_context, embedder._method)
        if strategy.is_symmetric:
            # Rounding must not tell the two directions of a link from each other.
            rows, columns = np.minimum(rows, columns), np.maximum(rows, columns)
        scale = embedder._score_scale.astype(np.float64)
        scores = np.empty(rows.size)
        for first in range(0, rows.size, _PAIRS):
            here = slice(first, first + _PAIRS)
            products = self.source_vectors_[rows[here]] * scale
            products *= self.target_vectors_[columns[here]]
            products.sum(axis=1, out=scores[here])
        return scores

    def _log_shares(self, axis: int) -> np.ndarray:
        """Return the logarithm of each node's share of the weights along an axis."""
        degrees = self.adjacency_.sum(axis=axis)
        least = self.adjacency_.data.min() / 2.0
        return np.log(np.maximum(degrees, least)) - np.log(degrees.sum())


class _Interrupted(Exception):
    """Carries the result of an interrupted fit, which `memory` must not keep."""

    def __init__(self, result: tuple[Any, Collected]):
        super().__init__("interrupted")
        self.result = result


def _learn(
    embedder: Any, graph: Graph, steps: int, step_weighting: Any
) -> tuple[Any, Collected]:
    """Fit an embedder on the counts of a graph, and return what it would warn of."""
    counts = graph.adjacency
    if steps > 1 or not isinstance(step_weighting, str):
        with _edges.named("step_weighting", "weighting"):
            counts = k_step_counts(counts, steps, step_weighting)
    embedder.set_params(vocabulary=graph.nodes.tolist())
    with collected_notes() as found:
        embedder.fit(_in_order_of_names(counts, graph.nodes))
    if found.interrupted:
        raise _Interrupted((embedder, found))
    return embedder, found


def _in_order_of_names(counts: sparse.csr_array, nodes: np.ndarray) -> sparse.csr_array:
    """Return counts whose rows have the order that an embedder expects.

    The columns of a matrix have the names x0, x1, ... by default. If these are the
    nodes, the embedder takes `vocabulary` for an order of the columns.
    """
    names = [f"x{i}" for i in range(nodes.size)] if str(nodes[0])[0] == "x" else []
    if set(nodes.tolist()) != set(names):
        return counts
    places = np.array([int(name[1:]) for name in nodes.tolist()])
    found = counts.tocoo()
    where = places[found.row], places[found.col]
    return sparse.csr_array((found.data, where), shape=counts.shape)


def _of_dropped(n_dropped: int) -> str:
    which = f"{n_dropped} nodes have self loops, which were"
    if n_dropped == 1:
        which = "1 node has a self loop, which was"
    return f"{which} dropped; self_loops=True keeps them."


def _take(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows of a table, and zeros where the row is -1."""
    found = vectors[rows]
    found[rows < 0] = 0.0
    return found


def _check_unnamed(estimator: Any) -> None:
    """Raise an error if `set_output` would give columns the names of others."""
    if _get_output_config("transform", estimator)["dense"] == "default":
        return
    fitted, found = "edges", "nodes"
    if estimator._of_nodes_:
        fitted, found = found, fitted
    raise ValueError(
        f"set_output names the columns of {fitted}, which were the samples of fit, and "
        f"the vectors of {found} have other columns. Set transform='default' for them."
    )
