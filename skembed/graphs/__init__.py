"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

from skembed.graphs._steps import k_step_counts

__all__ = ["k_step_counts"]
