"""Seconds of the first fit in a fresh process, with an empty and a warm cache.

    python -m tests.benchmarks.cold_start
    python -m tests.benchmarks.cold_start --before FOLDER --n-jobs 1

Every measurement is a process of its own, which imports the estimator and numba and
then fits 20 documents of 10 words. Timed is the fit alone: it loads the modules of
kernels, and compiles the kernels or reads them from the cache. The imports before are
timed apart. The cache is empty in a folder that was made for one process, and warm
in that folder afterwards. With `--before`, the fit with an empty cache takes turns with
that of the package in another folder, and CPU time is compared.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.common import describe_machine, print_table, public_embedders

CODE = """
import json, random, sys, time
name, n_jobs = sys.argv[1], json.loads(sys.argv[2])
random.seed(0)
words = [f"word{i}" for i in range(200)]
documents = [" ".join(random.choices(words, k=10)) for _ in range(20)]
start = time.perf_counter()
import numba
import skembed
estimator = getattr(skembed, name)
imported, used = time.perf_counter(), time.process_time()
estimator(random_state=0, n_jobs=n_jobs, min_count=1).fit(documents)
fitted = time.perf_counter()
used = time.process_time() - used
print(json.dumps([imported - start, fitted - imported, used]))
"""
HERE = Path(__file__).resolve().parents[2]


def first_fit(name, n_jobs, cache, folder=HERE):
    """Return the seconds of the imports and of the first fit of a fresh process.

    Behind them stands the CPU time of the fit. The package is that of `folder`.
    """
    result = subprocess.run(
        [sys.executable, "-c", CODE, name, json.dumps(n_jobs)],
        env={
            **os.environ,
            "NUMBA_CACHE_DIR": cache,
            "PYTHONPATH": str(folder),
            "PYTHONSAFEPATH": "1",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


def measure(name, n_jobs, n_empty, n_warm):
    """Return (imports, fit) pairs with an empty and with a warm cache."""
    empty, warm = [], []
    for _ in range(n_empty):
        with tempfile.TemporaryDirectory() as cache:
            empty.append(first_fit(name, n_jobs, cache)[:2])
            n_here = -(-(n_warm - len(warm)) // (n_empty + 1 - len(empty)))
            warm += [first_fit(name, n_jobs, cache)[:2] for _ in range(n_here)]
    return empty, warm


def pair(name, n_jobs, folders):
    """Return the CPU seconds of a first fit with the package of each folder."""
    seconds = []
    for folder in folders:
        with tempfile.TemporaryDirectory() as cache:
            seconds.append(first_fit(name, n_jobs, cache, folder)[2])
    return seconds


def print_pairs(names, n_jobs, before, n_pairs):
    """Print how the first fit compares with that of the package in another folder."""
    rows = []
    for name in names:
        pairs = []
        for i in range(n_pairs):
            pairs.append(pair(name, n_jobs, [before, HERE]))
            print(name, i, *(f"{seconds:.2f}" for seconds in pairs[-1]), flush=True)
        ratios = sorted(now / then for then, now in pairs)
        seconds = map(statistics.median, zip(*pairs, strict=True))
        cells = [*(f"{x:.2f}" for x in seconds), f"{statistics.median(ratios):.2f}"]
        rows.append([name, *cells, f"{ratios[0]:.2f}-{ratios[-1]:.2f}"])
    print(f"\nCPU seconds, empty cache, medians of {n_pairs} pairs.\n")
    print_table(["estimator", "before", "now", "now / before", "range"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--empty", type=int, default=3, help="processes, empty cache")
    parser.add_argument("--warm", type=int, default=9, help="processes, warm cache")
    parser.add_argument("--n-jobs", type=int, default=None)
    parser.add_argument("--only", nargs="+", help="names of estimators")
    parser.add_argument("--before", help="folder of another version of the package")
    arguments = parser.parse_args()
    names = arguments.only or [kind.__name__ for kind in public_embedders()]
    print(describe_machine())
    if arguments.before:
        before = Path(arguments.before).resolve()
        return print_pairs(names, arguments.n_jobs, before, arguments.empty)
    rows = []
    for name in names:
        empty, warm = measure(name, arguments.n_jobs, arguments.empty, arguments.warm)
        fits = [statistics.median(fit for _, fit in runs) for runs in (empty, warm)]
        imports = statistics.median(seconds for seconds, _ in empty + warm)
        rows.append([name, *(f"{seconds:.2f}" for seconds in (*fits, imports))])
        print(*rows[-1], flush=True)
    print(
        f"\nMedians of {arguments.empty} and {arguments.warm} processes, in seconds.\n"
    )
    header = ["estimator", "first fit, empty cache", "first fit, warm cache", "imports"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
