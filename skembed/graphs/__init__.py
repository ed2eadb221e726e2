"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

from skembed.graphs._embedder import GraphEmbedder
from skembed.graphs._steps import k_step_counts

__all__ = ["GraphEmbedder", "k_step_counts"]
