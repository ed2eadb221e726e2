"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

from skembed.graphs._embedder import GraphEmbedder
from skembed.graphs._folds import EdgeKFold
from skembed.graphs._scorers import (
    degree_baseline,
    link_coverage,
    link_direction,
    link_existence,
)
from skembed.graphs._steps import k_step_counts
from skembed.graphs._walks import random_walks

__all__ = [
    "EdgeKFold",
    "GraphEmbedder",
    "degree_baseline",
    "k_step_counts",
    "link_coverage",
    "link_direction",
    "link_existence",
    "random_walks",
]
