"""Graphs as input: embedders of nodes, splits and scorers of edges, walks."""

__all__: list[str] = []
