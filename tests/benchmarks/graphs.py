"""How fast is `GraphEmbedder`, how much memory does it need, and what keeps direction?

    python -m tests.benchmarks.graphs speed EDGES --undirected
    python -m tests.benchmarks.graphs speed --nodes 100000 --edges 1000000
    python -m tests.benchmarks.graphs memory
    python -m tests.benchmarks.graphs direction EDGES [EDGES ...]
    python -m tests.benchmarks.graphs bits EDGES

EDGES is a file of tab-separated edges; lines that begin with # are left out. Without
a file, the graph is generated; see `heavy_tail`.

`speed` compares PPMI-SVD with GSVD of scikit-network, which must be installed. Both
factorise the same matrix with the same number of components. Before, ours takes
logarithms of the weights, and theirs divides by roots of the degrees. In every round
all run one after the other, and ratios are medians of the rounds' ratios.

`memory` is the largest resident memory of a process that loads edges and fits, with
all modules.

`direction` trains on random walks along the training edges of one fold: with counts of
windows on both sides, and on the right side. It prints the share of one-way held-out
links whose score is higher than that of their reverse, where ties count one half.

`bits` compares the bits of vectors for different `n_jobs`, and scores of PPMI-SVD
before and after nodes are numbered in another way.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    cooccurrence,
)
from skembed._counts.ppmi import ppmi_inplace
from skembed._tying import strategies
from skembed.graphs import EdgeKFold, GraphEmbedder, degree_baseline, random_walks
from skembed.graphs._graph import read_graph
from tests.benchmarks.bits import as_told, modules_with_threads
from tests.benchmarks.common import describe_machine, median_ratio, print_table
from tests.benchmarks.measures import in_fresh_process, peak_resident

N_GROUPS = 20
# A node's share of edges falls with its rank to this power.
TAIL = 0.75
N_JOBS = (1, 2, 3)
ESTIMATORS = (PPMISVDEmbedder, SGNSEmbedder, CBOWEmbedder, GloVeEmbedder)


def read_pairs(path):
    """Return the edges of a file as an array of ids."""
    return np.loadtxt(path, np.int64, comments="#", delimiter="\t", usecols=(0, 1))


def heavy_tail(n_nodes, n_edges, seed=0):
    """Return different directed edges, without self loops, of shape (n_edges, 2).

    Nodes belong to 20 groups of equal size, and half of the edges stay in their group.
    Within a group, the chance of the r-th node to be a source is in proportion to
    r ** -0.75, and so is that to be a target, with the nodes in another order.
    """
    rng = np.random.default_rng(seed)
    n_ranks = n_nodes // N_GROUPS
    chances = np.cumsum(np.arange(1, n_ranks + 1) ** -TAIL)
    other_order = rng.permutation(n_ranks)

    def draw(n):
        groups, elsewhere = rng.integers(N_GROUPS, size=(2, n))
        ranks = np.searchsorted(chances, rng.random((2, n)) * chances[-1])
        sources = ranks[0] * N_GROUPS + groups
        groups = np.where(rng.random(n) < 0.5, groups, elsewhere)
        targets = other_order[ranks[1]] * N_GROUPS + groups
        return (sources * n_nodes + targets)[sources != targets]

    keys = np.unique(draw(n_edges))
    while keys.size < n_edges:
        keys = np.union1d(keys, draw(n_edges // 4))
    keys = rng.choice(keys, n_edges, replace=False)
    return np.column_stack(np.divmod(keys, n_nodes))


# --- speed ----------------------------------------------------------------------------


def seconds_of(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def speed(options):
    """Print seconds, and their ratios to those of GSVD."""
    import sknetwork
    from sknetwork.embedding import GSVD

    if options.path is None:
        edges = heavy_tail(options.nodes, options.edges)
    else:
        edges = read_pairs(options.path)
    directed = not options.undirected
    A = read_graph(edges, directed=directed).adjacency
    # This is the class of sparse matrices that scikit-network takes.
    theirs = sparse.csr_matrix(A)

    def fit(X, n_jobs):
        embedder = PPMISVDEmbedder(options.size, random_state=0, n_jobs=n_jobs)
        GraphEmbedder(embedder, directed=directed).fit(X)

    works = {
        "GSVD": lambda: GSVD(options.size).fit(theirs),
        "ours": lambda: fit(A, 1),
        "ours, n_jobs=2": lambda: fit(A, 2),
        "ours, from edges": lambda: fit(edges, 1),
        "reading edges alone": lambda: read_graph(edges, directed=directed),
    }
    fit(A, 2)  # compiles
    found = {name: [] for name in works}
    for _ in range(options.rounds):
        for name, work in works.items():
            found[name].append(seconds_of(work))
    print(f"scikit-network {sknetwork.__version__}; {A.shape[0]} nodes, {A.nnz} in A\n")
    print_table(
        ["work", "seconds", "ratio"],
        [
            [
                name,
                f"{np.median(seconds):.3g}",
                f"{median_ratio(seconds, found['GSVD']):.3f}",
            ]
            for name, seconds in found.items()
        ],
    )


# --- memory ---------------------------------------------------------------------------


def memory(options):
    """Print the memory and the time of one fit in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edges.npy"
        np.save(path, heavy_tail(options.nodes, options.edges))
        found = in_fresh_process(
            "tests.benchmarks.graphs", "fit", path, "--size", options.size
        )
    print_table(["what", "figure"], [[k, f"{v:.2f}"] for k, v in found.items()])


def fit(options):
    """Fit on a file of edges, and print what it took; `memory` runs this."""
    small = heavy_tail(2000, 20000)
    embedder = GraphEmbedder(PPMISVDEmbedder(options.size, random_state=0, n_jobs=1))
    embedder.fit(small)  # compiles
    edges = np.load(options.path)
    peaks, seconds = [peak_resident()], []
    for work in (read_graph, embedder.fit):
        seconds.append(seconds_of(lambda work=work: work(edges)))
        peaks.append(peak_resident())
    names = ["with edges", "after reading", "after the fit"]
    found = {f"{name}, GiB": x / 2**30 for name, x in zip(names, peaks, strict=True)}
    found |= {"reading, s": seconds[0], "fit, s": seconds[1]}
    print(json.dumps(found))


# --- direction ------------------------------------------------------------------------


def one_way(train, test):
    """Return the held-out links whose reverse is not an edge, without self loops."""
    known = {tuple(edge) for edge in np.concatenate([train, test]).tolist()}
    links = {(a, b) for a, b in test.tolist() if a != b and (b, a) not in known}
    return np.array(sorted(links))


def told(model, links):
    """Return the share of links whose direction the scores tell, and its number."""
    nodes = set(model.nodes_.tolist())
    links = np.array([link for link in links.tolist() if nodes.issuperset(link)])
    forward = model.score_links(links[:, 0], links[:, 1])
    backward = model.score_links(links[:, 1], links[:, 0])
    return np.mean((forward > backward) + 0.5 * (forward == backward)), len(links)


def of_walks(graph, side, embedder, options):
    """Fit on the counts of windows over walks in a graph of training edges."""
    walks = random_walks(
        graph.adjacency, options.walks, options.length, random_state=options.seed
    )
    counts, rows = cooccurrence(
        walks,
        input="token_ids",
        window=options.window,
        direction=side,
        min_count=1,
    )
    # The rows of counts are in the order of the vocabulary.
    ids = graph.nodes[np.array(sorted(rows, key=rows.get))]
    return GraphEmbedder(embedder, nodes=ids, self_loops=True).fit(counts)


def directions(path, options):
    """Return a row of the table for one graph."""
    edges = read_pairs(path)
    folds = EdgeKFold(5, random_state=options.seed).split(edges)
    train, test = (edges[rows] for rows in next(folds))
    links = one_way(train, test)
    embedder = PPMISVDEmbedder(
        options.size, share_context=False, context_exponent=1, random_state=options.seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = read_graph(train)
        of_edges = GraphEmbedder(embedder).fit(train)
        models = [of_edges]
        models += [of_walks(graph, side, embedder, options) for side in SIDES]
    shares = [told(model, links) for model in models]
    return [
        Path(path).name.removesuffix(".edges.tsv"),
        shares[-1][1],
        f"{degree_baseline(of_edges, test):.3f}",
        *(f"{share:.3f}" for share, _ in shares),
    ]


SIDES = ("both", "right")


def direction(options):
    """Print the shares of links whose direction is told."""
    rows = [directions(path, options) for path in options.paths]
    print_table(["graph", "links", "degrees", "edges", *SIDES], rows)


# --- bits -----------------------------------------------------------------------------


def vectors_of(model):
    return model.source_vectors_.tobytes() + model.target_vectors_.tobytes()


def bits(options):
    """Print hashes for several `n_jobs`, and differences after relabelling."""
    # Otherwise few threads would start on a small graph.
    for module in modules_with_threads():
        module.n_threads = as_told
    edges = read_pairs(options.path)
    found = [
        [kind.__name__, strategy.name, hashes(kind, strategy.name, edges, options)]
        for kind in ESTIMATORS
        for strategy in strategies.strategies(kind._method)
    ]
    rows = [[name, value, ", ".join(sorted(these))] for name, value, these in found]
    print_table(["estimator", "share_context", f"n_jobs={N_JOBS}"], rows)
    print()
    header = ["dimensions", "gap", "largest score", "largest difference"]
    print_table(header, list(relabelled(edges, options.size)))
    return int(any(len(these) > 1 for *_, these in found))


def hashes(kind, share_context, edges, options):
    """Return the different hashes of what is learned with each `n_jobs`."""
    params = {"share_context": share_context, "random_state": 0}
    if kind is not PPMISVDEmbedder:
        params["max_iter"] = 2
    found = set()
    for n_jobs in N_JOBS:
        model = GraphEmbedder(kind(options.size, n_jobs=n_jobs, **params))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.add(hashlib.sha256(vectors_of(model.fit(edges))).hexdigest()[:8])
    return found


def relabelled(edges, most):
    """Yield how scores of edges differ if nodes are numbered in another way.

    The gap is that between the last singular value that is used and the next one, as a
    share of the former. Without one, the best approximation is not unique.
    """
    nodes, places = np.unique(edges, return_inverse=True)
    other = np.random.default_rng(0).permutation(nodes.size)[places.reshape(-1, 2)]
    matrix = ppmi_inplace(read_graph(edges).adjacency, 1.0, 1.0).astype(np.float64)
    values = svds(matrix, most + 1, return_singular_vectors=False, random_state=0)
    values = np.sort(values)[::-1]
    for size in range(2, most + 1):
        embedder = PPMISVDEmbedder(
            size, context_exponent=1, subsample=0, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, second = (
                GraphEmbedder(embedder).fit(these).score_links(*these.T)
                for these in (edges, other)
            )
        yield [
            size,
            f"{1 - values[size] / values[size - 1]:.3f}",
            f"{np.abs(first).max():.2f}",
            f"{np.abs(first - second).max():.1e}",
        ]


# --- commands -------------------------------------------------------------------------


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name, work, size=32):
        one = commands.add_parser(name, help=work.__doc__.splitlines()[0])
        one.set_defaults(work=work)
        one.add_argument("--size", type=int, default=size, help="dimensions")
        return one

    one = command("speed", speed)
    one.add_argument("path", nargs="?", help="edges; generated without it")
    one.add_argument("--undirected", action="store_true")
    one.add_argument("--rounds", type=int, default=7)
    for name, n_nodes, n_edges in (
        (one, 10**5, 10**6),
        (command("memory", memory), 10**6, 5 * 10**6),
    ):
        name.add_argument("--nodes", type=int, default=n_nodes)
        name.add_argument("--edges", type=int, default=n_edges)
    command("fit", fit).add_argument("path")
    one = command("direction", direction)
    one.add_argument("paths", nargs="+", help="files of edges")
    one.add_argument("--walks", type=int, default=10, help="from each node")
    one.add_argument("--length", type=int, default=40)
    one.add_argument("--window", type=int, default=5)
    one.add_argument("--seed", type=int, default=0)
    command("bits", bits, 16).add_argument("path")
    return parser.parse_args()


def main():
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        if os.environ.get(name) != "1":
            print(f"Set {name}=1: the threads of BLAS would be counted.")
    options = parse()
    if options.command != "fit":
        print(describe_machine())
    raise SystemExit(options.work(options))


if __name__ == "__main__":
    main()
