"""CPU time of fits and of `transform` in two checkouts, in turn.

    python -m tests.benchmarks.pairs --data reviews.jsonl.gz --before FOLDER

Each checkout gets a process that stays; tasks alternate between the two, so that a
machine whose speed drifts slows both alike. Prints for each task the median seconds of
CPU time before, the median of the ratios (this checkout / the other one) and its 95 %
interval by the bootstrap. ``--after`` names another folder than this one.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.common import describe_machine, print_table, read_documents

HERE = Path(__file__).resolve().parents[2]
TASKS = ("SGNS", "CBOW", "GloVe", "PPMI-SVD", "transform", "transform of one")


def tasks(documents):
    """Return what each task calls, compiled and warm."""
    # Imported here, since the two checkouts are told apart by their processes.
    from skembed import CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder

    fitted = PPMISVDEmbedder(random_state=0).fit(documents)
    one = [documents[0]]
    found = {
        "SGNS": lambda: SGNSEmbedder(max_iter=1, random_state=0).fit(documents),
        "CBOW": lambda: CBOWEmbedder(max_iter=1, random_state=0).fit(documents),
        "GloVe": lambda: GloVeEmbedder(max_iter=3, random_state=0).fit(documents),
        "PPMI-SVD": lambda: PPMISVDEmbedder(random_state=0).fit(documents),
        "transform": lambda: fitted.transform(documents),
        "transform of one": lambda: [fitted.transform(one) for _ in range(1000)],
    }
    for call in found.values():
        call()
    return found


def work(path, n_documents):
    """Answer every name of a task on standard input with its CPU seconds."""
    found = tasks(read_documents(path, n_documents))
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.process_time()
        found[line.strip()]()
        print(time.process_time() - start, flush=True)


class Worker:
    """A process that imports one checkout."""

    def __init__(self, folder, arguments):
        # The package of the folder, but this file.
        code = (
            f"import sys; sys.path[:0] = [{str(folder)!r}, {str(HERE)!r}]; "
            "import skembed; sys.path.pop(0); "
            "from tests.benchmarks.pairs import work; "
            f"work({arguments.data!r}, {arguments.documents})"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )
        self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a worker has failed; see its error above")
        return line.strip()

    def seconds(self, task):
        self._process.stdin.write(f"{task}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def interval(ratios):
    """Return the 95 % interval of a median by the bootstrap."""
    random = np.random.default_rng(0)
    medians = np.median(random.choice(ratios, (2000, ratios.size)), axis=1)
    return np.quantile(medians, [0.025, 0.975])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--before", required=True, help="folder of a checkout")
    parser.add_argument("--after", default=str(HERE), help="folder of another one")
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    arguments = parser.parse_args()
    print(describe_machine())
    workers = [Worker(f, arguments) for f in (arguments.before, arguments.after)]
    rows = []
    for task in arguments.tasks:
        found = np.empty((arguments.pairs, 2))
        for i in range(arguments.pairs):
            # Neither is always the first.
            for k in (0, 1) if i % 2 else (1, 0):
                found[i, k] = workers[k].seconds(task)
        ratios = found[:, 1] / found[:, 0]
        low, high = interval(ratios)
        before = np.median(found[:, 0])
        ratio = f"{np.median(ratios):.3f} ({low:.3f}-{high:.3f})"
        rows.append([task, f"{before:.3f}", ratio])
        print(*rows[-1], flush=True)
    for worker in workers:
        worker.close()
    print_table(["task", "CPU seconds before", "ratio (95 %)"], rows)


if __name__ == "__main__":
    main()
