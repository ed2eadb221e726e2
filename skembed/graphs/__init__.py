"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

from skembed.graphs._embedder import GraphEmbedder
from skembed.graphs._folds import EdgeKFold

__all__ = ["EdgeKFold", "GraphEmbedder"]
