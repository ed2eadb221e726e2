"""How fast are random walks, and walks with training, compared with pecanpy?

    python -m tests.benchmarks.walks EDGES --pecanpy PYTHON

EDGES is a file of tab-separated edges (lines that begin with # are left out); they go
both ways unless `--directed` is given. PYTHON is the interpreter of an environment with
pecanpy, which does not run with numpy 2. In every round, ours and pecanpy run one after
the other, with one thread each, and everything is compiled before. Ratios are medians
of the rounds' ratios.

pecanpy's walks are those of its fastest class: FirstOrderUnweighted without p and q,
and SparseOTF with them. `--precomp` also measures PreComp, which needs gigabytes of
memory and minutes before the first walk; these are printed, and are not part of the
ratio. With `--train`, SGNS learns from the walks in one epoch, in pecanpy with the call
of its method `embed`.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from scipy import sparse

from skembed import SGNSEmbedder
from skembed.graphs import random_walks
from tests.benchmarks.common import describe_machine, median_ratio, print_table

PEER = """
import json
import sys
import time

import numpy as np
from gensim.models import Word2Vec
from pecanpy import pecanpy

file = np.load(sys.argv[1])
clock = getattr(time, sys.argv[2])
names = [str(i) for i in range(file["indptr"].size - 1)]
graphs = {}


def graph_of(mode, p, q):
    one = getattr(pecanpy, mode)(p=p, q=q, workers=1, random_state=0)
    one.set_node_ids(names)
    one.indptr, one.indices = file["indptr"], file["indices"]
    one.data = file["data"]
    start = clock()
    one._preprocess_transition_probs()
    if one.__class__.__name__ == "PreComp":
        print(f"PreComp: {clock() - start:.1f} s before the first walk",
              file=sys.stderr)
    # Otherwise it compiles in each call.
    forward, has_nbrs = one.get_move_forward(), one.get_has_nbrs()
    one.get_move_forward, one.get_has_nbrs = lambda: forward, lambda: has_nbrs
    one.simulate_walks(1, 2)
    return one


for line in sys.stdin:
    mode, p, q, n_walks, length, train = json.loads(line)
    if (mode, p, q) not in graphs:
        graphs[mode, p, q] = graph_of(mode, p, q)
    start = clock()
    # Its length is a number of edges.
    walks = graphs[mode, p, q].simulate_walks(n_walks, length - 1)
    walked = clock()
    if train:
        Word2Vec(walks, vector_size=64, window=10, sg=1, min_count=0, workers=1,
                 epochs=1, seed=0)
    seconds = walked - start, clock() - walked
    print(json.dumps([*seconds, sum(map(len, walks))]), flush=True)
"""


class Peer:
    """A process with pecanpy."""

    def __init__(self, python, path, clock):
        one_thread = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [python, "-c", PEER, path, clock.__name__],
            env={**os.environ, **one_thread, "PYTHONPATH": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *task):
        """Return the seconds of walks and of training, and the number of tokens."""
        print(json.dumps(task), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def run_ours(clock, A, p, q, n_walks, length, train):
    """Return what `Peer.run` returns."""
    start = clock()
    walks = random_walks(A, n_walks, length, p=p, q=q, random_state=0)
    walked = clock()
    if train:
        SGNSEmbedder(
            64,
            input="token_ids",
            window=10,
            max_iter=1,
            learning_rate=0.025,
            negative=5,
            subsample=1e-3,
            min_count=1,
            pooling="mean",
            scale=None,
            random_state=0,
        ).fit(walks)
    seconds = walked - start, clock() - walked
    return *seconds, int((walks >= 0).sum())


def read_graph(path, directed):
    """Return the unweighted graph of a file of edges."""
    pairs = np.loadtxt(path, dtype=str, comments="#", delimiter="\t", usecols=(0, 1))
    nodes, rows = np.unique(pairs, return_inverse=True)
    sources, targets = rows.reshape(pairs.shape).T
    A = sparse.csr_array(
        (np.ones(len(pairs)), (sources, targets)), shape=(nodes.size, nodes.size)
    )
    A = A if directed else A + A.T
    A.data[:] = 1.0
    A.sort_indices()
    return A


def write_for_peer(A, folder):
    path = str(Path(folder) / "graph.npz")
    np.savez(
        path,
        indptr=A.indptr.astype(np.uint32),
        indices=A.indices.astype(np.uint32),
        data=A.data.astype(np.float32),
    )
    return path


def compare(run, peer, mode, task, rounds):
    """Return a row of the table: medians of seconds, and of the ratios."""
    p, q, n_walks, length, train = task
    # Compiles.
    run(p, q, 1, 3, train)
    peer.run(mode, p, q, 1, 3, train)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(run(*task))
        theirs.append(peer.run(mode, *task))
    # Of a million tokens: in directed graphs, walks differ in length.
    ours, theirs = (
        np.array([(walk / tokens, train / tokens) for walk, train, tokens in runs])
        * 1e6
        for runs in (ours, theirs)
    )
    ratios = [median_ratio(theirs[:, 0], ours[:, 0])]
    if train:
        ratios.append(median_ratio(theirs.sum(axis=1), ours.sum(axis=1)))
    seconds = [*np.median(ours, axis=0), *np.median(theirs, axis=0)]
    return [
        f"p={p:g}, q={q:g}, {n_walks} x {length}",
        mode,
        *(f"{number:.3g}" for number in seconds),
        *(f"{ratio:.1f}" for ratio in ratios),
        *[""] * (2 - len(ratios)),
    ]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("edges")
    parser.add_argument("--pecanpy", required=True, help="interpreter with pecanpy")
    parser.add_argument("--directed", action="store_true")
    parser.add_argument("--walks", type=int, default=4, help="from each node")
    parser.add_argument("--length", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--p", type=float, default=0.5)
    parser.add_argument("--q", type=float, default=2.0)
    parser.add_argument("--precomp", action="store_true")
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    return parser.parse_args()


def main():
    options = parse()
    A = read_graph(options.edges, options.directed)
    print(describe_machine())
    print(f"{A.shape[0]} nodes, {A.nnz} edges in A\n")
    size = options.walks, options.length
    tasks = [("FirstOrderUnweighted", (1.0, 1.0, *size, options.train))]
    if not options.train and (options.p, options.q) != (1, 1):
        modes = ["SparseOTF"] + ["PreComp"] * options.precomp
        tasks += [(mode, (options.p, options.q, *size, False)) for mode in modes]
    clock = time.process_time if options.cpu else time.perf_counter
    run = partial(run_ours, clock, A)
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(options.pecanpy, write_for_peer(A, folder), clock)
        rows = [compare(run, peer, *task, options.rounds) for task in tasks]
        peer.close()
    header = ["walks", "pecanpy's class", "ours: walks, s/M", "training"]
    header += ["pecanpy: walks, s/M", "gensim", "ratio of walks", "ratio of all"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
