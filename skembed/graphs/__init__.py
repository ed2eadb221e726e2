"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

from skembed.graphs._embedder import GraphEmbedder
from skembed.graphs._folds import EdgeKFold
from skembed.graphs._scorers import (
    degree_baseline,
    link_coverage,
    link_direction,
    link_existence,
)

__all__ = [
    "EdgeKFold",
    "GraphEmbedder",
    "degree_baseline",
    "link_coverage",
    "link_direction",
    "link_existence",
]
