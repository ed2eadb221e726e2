"""What do the degrees tell about links, and can skip-gram learn their direction?

    python -m tests.benchmarks.links baselines EDGES [EDGES ...]
    python -m tests.benchmarks.links starts EDGES [EDGES ...]

EDGES is a file of tab-separated edges; lines that begin with # are left out.

`baselines` prints, over five folds of links, what the degrees of nodes tell: links from
pairs with the same degrees, links from uniformly drawn pairs, and the direction. It
prints the direction that PPMI-SVD tells, with the degrees in its scores and without
them. "leak" is the share of held-out links whose reverse is in the training edges of a
plain `KFold` with three and with five folds.

`starts` trains skip-gram with one table and a matrix on the edges of one fold. The
matrix starts as a rotation of pairs of dimensions by some degrees; 0 is the identity.
"share" is `antisymmetric_share` of the scores.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from skembed import PPMISVDEmbedder, SGNSEmbedder
from skembed.graphs import (
    EdgeKFold,
    GraphEmbedder,
    degree_baseline,
    link_direction,
    link_existence,
)
from skembed.inspection import antisymmetric_share
from skembed.tying import Bilinear
from tests.benchmarks.common import describe_machine, print_table
from tests.benchmarks.graphs import read_pairs

ANGLES = (0, 15, 45, 90)
POPULARITY = "log_probability"


def name_of(path):
    return Path(path).name.removesuffix(".edges.tsv")


def fit(embedder, edges):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # self loops
        return GraphEmbedder(embedder).fit(edges)


# --- baselines ------------------------------------------------------------------------


def leak(edges, n_splits):
    """Return the share of held-out links whose reverse is in the training edges."""
    folds = KFold(n_splits, shuffle=True, random_state=0).split(edges)
    shares = []
    for train, test in folds:
        known = set(map(tuple, edges[train].tolist()))
        shares.append(np.mean([(b, a) in known for a, b in edges[test].tolist()]))
    return np.mean(shares)


def against_uniform(model, test):
    """Return the area under the ROC curve of degrees, against uniform pairs."""
    A = (model.adjacency_ != 0).astype(np.int64)
    n_out, n_in = A.sum(axis=1) + 1, A.sum(axis=0) + 1
    links = np.searchsorted(model.nodes_, test[np.isin(test, model.nodes_).all(axis=1)])
    pairs = np.random.default_rng(0).integers(model.nodes_.size, size=links.shape)
    both = np.concatenate([links, pairs])
    is_link = np.arange(len(both)) < len(links)
    return roc_auc_score(is_link, n_out[both[:, 0]] * n_in[both[:, 1]])


def baselines(options):
    """Print what the degrees of nodes tell, alone and with vectors."""
    ways = {"two tables": False, "matrix": "bilinear"}
    kinds = {
        "": link_direction,
        " and degrees": partial(link_direction, kind=POPULARITY),
    }
    scorers = {
        "same degrees": partial(degree_baseline, task="existence"),
        "uniform pairs": against_uniform,
        "direction": degree_baseline,
    }
    rows = []
    for path in options.paths:
        edges = np.unique(read_pairs(path), axis=0)
        edges = edges[edges[:, 0] != edges[:, 1]]
        found = []
        for train, test in EdgeKFold(5, random_state=0).split(edges):
            scores = []
            for value in ways.values():
                embedder = PPMISVDEmbedder(
                    options.size,
                    context_exponent=1,
                    subsample=0,
                    share_context=value,
                    random_state=0,
                )
                model = fit(embedder, edges[train])
                scores += [scorer(model, edges[test]) for scorer in kinds.values()]
            found.append([score(model, edges[test]) for score in scorers.values()])
            found[-1] += scores
        figures = [*np.mean(found, axis=0), leak(edges, 3), leak(edges, 5)]
        rows.append([name_of(path), *(f"{figure:.3f}" for figure in figures)])
    header = [way + kind for way in ways for kind in kinds]
    print_table(["graph", *scorers, *header, "leak, 3", "leak, 5"], rows)


# --- starts ---------------------------------------------------------------------------


class Rotated(Bilinear):
    """A matrix that starts as a rotation of pairs of dimensions."""

    def __init__(self, degrees=0.0):
        self.degrees = degrees

    def start_map(self, n_components, n_negative):
        angle = np.deg2rad(self.degrees)
        start = np.cos(angle) * np.eye(n_components)
        first = np.arange(0, n_components - 1, 2)
        start[first, first + 1], start[first + 1, first] = np.sin(angle), -np.sin(angle)
        return start


def starts(options):
    """Print what skip-gram learns from starts of different angles."""
    rows = []
    for path in options.paths:
        edges = read_pairs(path)
        train, test = next(EdgeKFold(5, random_state=0).split(edges))
        for share_context in (False, "signed", *map(Rotated, ANGLES)):
            embedder = SGNSEmbedder(
                options.size,
                share_context=share_context,
                bias="exact",
                subsample=0,
                max_iter=options.epochs,
                learning_rate=0.05,
                random_state=0,
            )
            model = fit(embedder, edges[train])
            figures = [
                score(model, edges[test]) for score in (link_existence, link_direction)
            ]
            figures.append(antisymmetric_share(model.embedder_))
            own = getattr(share_context, "degrees", share_context)
            rows.append([name_of(path), own, *(f"{figure:.3f}" for figure in figures)])
    print_table(["graph", "start", "existence", "direction", "share"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    for work in (baselines, starts):
        one = commands.add_parser(work.__name__, help=work.__doc__.splitlines()[0])
        one.set_defaults(work=work)
        one.add_argument("paths", nargs="+", help="files of edges")
        one.add_argument("--size", type=int, default=32, help="dimensions")
        one.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    print(describe_machine())
    options.work(options)


if __name__ == "__main__":
    main()
