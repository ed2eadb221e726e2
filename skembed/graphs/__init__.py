"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

from skembed.graphs._steps import k_step_counts
from skembed.graphs._walks import random_walks

__all__ = ["k_step_counts", "random_walks"]
