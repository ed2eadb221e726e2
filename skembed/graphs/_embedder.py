"""`GraphEmbedder`: vectors of nodes, learned from edges."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MetaEstimatorMixin, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from skembed._tying import strategies
from skembed.graphs._edges import read_edges, rows_of

__all__ = ["GraphEmbedder"]


class GraphEmbedder(MetaEstimatorMixin, TransformerMixin, BaseEstimator):
    """Vectors of nodes as sources and as targets of edges."""

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

    def fit(self, X, y=None, sample_weight=None):
        """Learn the vectors of nodes."""
        edges = read_edges(X)
        nodes = np.unique(np.concatenate([edges.sources, edges.targets]))
        places = rows_of(nodes, edges.sources), rows_of(nodes, edges.targets)
        weights = (
            np.ones(len(edges.sources))
            if sample_weight is None
            else np.asarray(sample_weight, dtype=np.float64)
        )
        adjacency = sparse.csr_array((weights, places), shape=(nodes.size,) * 2)
        if not self.directed:
            adjacency = sparse.csr_array(adjacency + adjacency.T)
        counts = adjacency
        if self.steps > 1:
            from skembed.graphs._steps import k_step_counts

            counts = k_step_counts(adjacency, self.steps, self.step_weighting)
        embedder = clone(self.embedder).set_params(input="cooccurrence").fit(counts)
        self.embedder_ = embedder
        self.nodes_, self.adjacency_ = nodes, adjacency
        self.source_vectors_ = embedder.word_vectors_
        self.target_vectors_ = embedder.context_vectors_
        return self

    def transform(self, X):
        """Return vectors of edges."""
        check_is_fitted(self)
        edges = read_edges(X)
        tables = self.source_vectors_, self.target_vectors_
        rows = [rows_of(self.nodes_, ids) for ids in (edges.sources, edges.targets)]
        return np.hstack(
            [
                np.where(found[:, None] >= 0, table[found], np.float32(0))
                for table, found in zip(tables, rows, strict=True)
            ]
        )

    def score_links(self, sources, targets, *, kind="pmi"):
        """Return a score of each pair of a source and a target."""
        check_is_fitted(self)
        sources, targets = np.broadcast_arrays(sources, targets)
        rows = rows_of(self.nodes_, sources), rows_of(self.nodes_, targets)
        if min(found.min(initial=0) for found in rows) < 0:
            raise ValueError("Unknown node.")
        left = self.source_vectors_[rows[0]].astype(np.float64)
        products = left * self.target_vectors_[rows[1]] * self.embedder_._score_scale
        scores = products.sum(axis=-1)
        if kind == "log_probability":
            total = self.adjacency_.sum()
            for axis, found in ((1, rows[0]), (0, rows[1])):
                degrees = self.adjacency_.sum(axis=axis)
                scores += np.log(degrees[found] / total)
        return scores

    def _one_table(self) -> bool:
        embedder: Any = self.embedder_
        found = strategies.get_strategy(embedder.share_context, embedder._method)
        return found.context_table == 0
