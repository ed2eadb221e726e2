"""Time of fits and of `transform` in two checkouts, in turn.

    python -m tests.benchmarks.pairs --data reviews.jsonl.gz --before FOLDER
    python -m tests.benchmarks.pairs --data reviews.jsonl.gz --before FOLDER \
        --tasks SGNS CBOW --training --wall --set n_jobs=2 n_components=300 max_iter=2

Each checkout gets a process that stays; tasks alternate between the two, so that a
machine whose speed drifts slows both alike. Prints for each task the median seconds
before, the median of the ratios (this checkout / the other one) and its 95 % interval
by the bootstrap. ``--after`` names another folder than this one.

Seconds are CPU time of all threads; ``--wall`` takes those of the clock instead, which
tells what a second thread gains. ``--training`` times what follows the reading of the
documents, which is training, and counting where an estimator learns from counts.
``--set`` changes parameters of the estimators that are fitted.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks.common import describe_machine, print_table, read_documents

HERE = Path(__file__).resolve().parents[2]
TASKS = ("SGNS", "CBOW", "GloVe", "PPMI-SVD", "transform", "transform of one")


FITS = TASKS[:4]


def value_of(text):
    """Return a parameter: JSON where it is some, otherwise the text."""
    try:
        return json.loads(text)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(text, text)


def parameters(pairs):
    """Return {name: value} of strings `name=value`."""
    return {name: value_of(text) for name, text in (p.split("=", 1) for p in pairs)}


def timed_training(kind, clock):
    """Return a class of estimators that notes the `seconds` of its training."""

    class Timed(kind):
        def _fit_vectors(self, job):
            start = clock()
            fitted = super()._fit_vectors(job)
            self.seconds = clock() - start
            return fitted

    return Timed


def seconds_of(call, clock):
    start = clock()
    call()
    return clock() - start


def tasks(documents, options):
    """Return functions that return the seconds of each task, compiled and warm."""
    # Imported here, since the two checkouts are told apart by their processes.
    import skembed

    clock = time.perf_counter if options.wall else time.process_time
    kinds = {
        "SGNS": (skembed.SGNSEmbedder, {"max_iter": 1}),
        "CBOW": (skembed.CBOWEmbedder, {"max_iter": 1}),
        "GloVe": (skembed.GloVeEmbedder, {"max_iter": 3}),
        "PPMI-SVD": (skembed.PPMISVDEmbedder, {}),
    }

    def fit(name):
        kind, params = kinds[name]
        params = {"random_state": 0, **params, **parameters(options.set)}
        if options.training:
            embedder = timed_training(kind, clock)(**params)
            return embedder.fit(documents).seconds
        return seconds_of(lambda: kind(**params).fit(documents), clock)

    found = {name: partial(fit, name) for name in FITS}
    if set(options.tasks) - set(FITS):
        fitted = skembed.PPMISVDEmbedder(random_state=0).fit(documents)
        one = [documents[0]]
        calls = {
            "transform": lambda: fitted.transform(documents),
            "transform of one": lambda: [fitted.transform(one) for _ in range(1000)],
        }
        found |= {name: partial(seconds_of, calls[name], clock) for name in calls}
    for name in options.tasks:
        found[name]()
    return found


def work(options):
    """Answer every name of a task on standard input with its seconds."""
    found = tasks(read_documents(options.data, options.documents), options)
    print("ready", flush=True)
    for line in sys.stdin:
        print(found[line.strip()](), flush=True)


class Worker:
    """A process that imports one checkout."""

    def __init__(self, folder, options):
        # The package of the folder, but this file.
        code = (
            f"import sys; sys.path[:0] = [{str(folder)!r}, {str(HERE)!r}]; "
            "import skembed; sys.path.pop(0); "
            "from tests.benchmarks import pairs; "
            f"pairs.work(pairs.argparse.Namespace(**{vars(options)!r}))"
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
    parser.add_argument("--training", action="store_true", help="without reading")
    parser.add_argument("--wall", action="store_true", help="seconds of the clock")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="parameters of fits"
    )
    arguments = parser.parse_args()
    if arguments.training and set(arguments.tasks) - set(FITS):
        parser.error(f"--training needs --tasks out of {', '.join(FITS)}")
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
    clock = "seconds" if arguments.wall else "CPU seconds"
    print_table(["task", f"{clock} before", "ratio (95 %)"], rows)


if __name__ == "__main__":
    main()
