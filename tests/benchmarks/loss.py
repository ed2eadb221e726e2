"""What the training loss costs: fits with it and, recompiled, without it, in turn.

    python -m tests.benchmarks.loss --data reviews.jsonl.gz [--documents 1500]

Two processes train the same documents alternately, one of them with kernels from which
the logarithm and the sum of the loss were taken out; processor seconds of whole fits
are compared pair by pair. GloVe's loss is the square of an error that its steps need
anyway.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

import skembed
from tests.benchmarks.common import describe_machine, print_table, read_documents

SAMPLED = ("SGNSEmbedder", "CBOWEmbedder")


def leave_out_the_loss():
    """Let kernels be compiled without it; nothing else in them changes."""
    from skembed._kernels import steps

    write = steps.write_steps

    def without(v, z, weight, norms):
        v.log1p_unit = lambda e: v.all(0.0)
        _, pull, bends = write(v, z, weight, norms)
        return v.all(0.0), pull, bends

    steps.write_steps = without


def child(arguments):
    """Fit once for every line of input; print the seconds and the last loss."""
    if arguments.without:
        leave_out_the_loss()
    analyze = CountVectorizer().build_analyzer()
    documents = [
        analyze(d) for d in read_documents(arguments.data, arguments.documents)
    ]
    kind = getattr(skembed, arguments.child)
    fit = kind(arguments.size, max_iter=arguments.epochs, random_state=0, n_jobs=1).fit
    fit(documents)
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        loss = fit(documents).loss_curve_[-1]
        print(time.process_time() - start, loss, flush=True)


def start(kind, arguments, without):
    """Return a process with a cache of compiled kernels of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.loss", "--child", kind]
    for name in ("data", "documents", "size", "epochs"):
        command += [f"--{name}", str(getattr(arguments, name))]
    folder = tempfile.mkdtemp(dir=arguments.folder)
    return subprocess.Popen(
        [*command, *(["--without"] if without else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": folder},
    )


def seconds_of(process):
    process.stdin.write("\n")
    process.stdin.flush()
    seconds, loss = map(float, process.stdout.readline().split())
    return seconds, loss


def compare(kind, arguments):
    """Return the ratios of seconds with the loss to those without it."""
    processes = [start(kind, arguments, without) for without in (False, True)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    ratios = []
    for number in range(arguments.rounds):
        found = [None, None]
        # Each goes first in every second round.
        for which in (0, 1) if number % 2 else (1, 0):
            found[which] = seconds_of(processes[which])
        assert found[0][1] > 0.0
        assert found[1][1] == 0.0
        ratios.append(found[0][0] / found[1][0])
    for process in processes:
        process.stdin.close()
        process.wait()
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--size", type=int, default=100, help="dimensions")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--child", choices=SAMPLED, help=argparse.SUPPRESS)
    parser.add_argument("--without", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return
    rows = []
    with tempfile.TemporaryDirectory() as arguments.folder:
        for kind in SAMPLED:
            ratios = compare(kind, arguments)
            quartiles = np.percentile(ratios, [25, 50, 75])
            rows.append([kind, arguments.size, *(f"{q - 1:+.1%}" for q in quartiles)])
    print(describe_machine())
    print_table(["estimator", "d", "lower quartile", "median", "upper quartile"], rows)


if __name__ == "__main__":
    main()
