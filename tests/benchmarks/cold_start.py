"""Seconds of the first fit in a fresh process, with an empty and a warm cache.

    python -m tests.benchmarks.cold_start

Every measurement is a process of its own, which imports the estimator and numba and
then fits 100 documents of 10 words. Timed is the fit alone: it loads the modules of
kernels, and compiles the kernels or reads them from the cache. The imports before are
timed apart. The cache is empty in a folder that was made for one process, and warm
in that folder afterwards.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from tests.benchmarks.common import describe_machine, print_table, public_embedders

CODE = """
import json, random, sys, time
name, n_jobs = sys.argv[1], json.loads(sys.argv[2])
random.seed(0)
words = [f"word{i}" for i in range(200)]
documents = [" ".join(random.choices(words, k=10)) for _ in range(100)]
start = time.perf_counter()
import numba
import skembed
estimator = getattr(skembed, name)
imported = time.perf_counter()
estimator(random_state=0, n_jobs=n_jobs, min_count=1).fit(documents)
fitted = time.perf_counter()
print(json.dumps([imported - start, fitted - imported]))
"""


def first_fit(name, n_jobs, folder):
    """Return the seconds of the imports and of the first fit of a fresh process."""
    result = subprocess.run(
        [sys.executable, "-c", CODE, name, json.dumps(n_jobs)],
        env={**os.environ, "NUMBA_CACHE_DIR": folder},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


def measure(name, n_jobs, n_empty, n_warm):
    """Return (imports, fit) pairs with an empty and with a warm cache."""
    empty, warm = [], []
    for _ in range(n_empty):
        with tempfile.TemporaryDirectory() as folder:
            empty.append(first_fit(name, n_jobs, folder))
            n_here = -(-(n_warm - len(warm)) // (n_empty + 1 - len(empty)))
            warm += [first_fit(name, n_jobs, folder) for _ in range(n_here)]
    return empty, warm


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--empty", type=int, default=3, help="processes, empty cache")
    parser.add_argument("--warm", type=int, default=9, help="processes, warm cache")
    parser.add_argument("--n-jobs", type=int, default=None)
    parser.add_argument("--only", nargs="+", help="names of estimators")
    arguments = parser.parse_args()
    print(describe_machine())
    rows = []
    for name in arguments.only or [kind.__name__ for kind in public_embedders()]:
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
