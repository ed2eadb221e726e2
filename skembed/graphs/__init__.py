"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

from skembed.graphs._embedder import GraphEmbedder

__all__ = ["GraphEmbedder"]
