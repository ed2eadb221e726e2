#!/usr/bin/env bash
# networkit 11.2.2: the area under the ROC curve of tied link predictions depends on how the
# nodes are numbered, and is not 0.5 for equal scores.
#
# One expects ties to count one half, as in scikit-learn's roc_auc_score, so that a
# predictor without knowledge has 0.5. Scores of links are full of ties: common neighbours
# are small whole numbers. ROCMetric takes tied pairs one after the other, in the order of
# their node numbers, which `getCurve` requires. Only the tie-breaking of points with the
# same x is documented.
#
# Seen: karate club, common neighbours of 483 pairs, nodes numbered in four ways:
#   common neighbours: ROCMetric 0.729, 0.709, 0.708, 0.706; roc_auc_score 0.713 each time
#   all scores 0:      ROCMetric 0.571, 0.442, 0.470, 0.479; roc_auc_score 0.5 each time
# The script fails if that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
    "networkit==11.2.2" "networkx==3.6.1" "scikit-learn==1.9.1" "numpy==2.4.6" \
    "scipy==1.17.1"
cd "$work"
"$work/env/bin/python" - <<'PY'
from importlib.metadata import version

import networkit
import networkx as nx
import numpy as np
from networkit.linkprediction import CommonNeighborsIndex, ROCMetric
from sklearn.metrics import roc_auc_score

EDGES = np.array(nx.karate_club_graph().edges())
HELD_OUT = np.isin(np.arange(len(EDGES)), np.random.default_rng(5).permutation(78)[:20])


def graph_of(edges):
    graph = networkit.Graph(34)
    for a, b in edges.tolist():
        graph.addEdge(a, b)
    return graph


def areas(numbers):
    """Return areas of networkit and scikit-learn, for common neighbours and for zeros."""
    edges = numbers[EDGES]
    train, test = graph_of(edges[~HELD_OUT]), graph_of(edges[HELD_OUT])
    nodes = range(34)
    pairs = [(a, b) for a in nodes for b in nodes if a < b and not train.hasEdge(a, b)]
    found = sorted(CommonNeighborsIndex(train).runOn(pairs))
    is_link = [test.hasEdge(*pair) for pair, _ in found]
    for predictions in (found, [(pair, 0.0) for pair, _ in found]):
        metric = ROCMetric(test)
        metric.getCurve(predictions)
        yield metric.getAreaUnderCurve()
        yield roc_auc_score(is_link, [score for _, score in predictions])


orders = [np.arange(34)]
orders += [np.random.default_rng(seed).permutation(34) for seed in (1, 2, 3)]
seen = np.array([list(areas(numbers)) for numbers in orders])
print("networkit", version("networkit"))
for name, columns in (("common neighbours", seen[:, :2]), ("all scores 0", seen[:, 2:])):
    print(f"{name}: ROCMetric {columns[:, 0].round(3)}, roc_auc_score {columns[0, 1]:.3f}")
assert np.ptp(seen[:, 1]) < 1e-12 and np.allclose(seen[:, 3], 0.5)
assert np.ptp(seen[:, 0]) > 0.01, "ties no longer depend on the numbers of nodes"
assert np.ptp(seen[:, 2]) > 0.05, "equal scores now have one area"
PY
