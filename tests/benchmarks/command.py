"""CPU seconds of the quick comparison on a machine without compiled kernels.

    python -m tests.benchmarks.command TREE OTHER_TREE --runs 3

Runs `python -m skembed` in turn with the package of each tree (a folder that holds
``skembed/``), each time with an empty folder for numba's cache. Counted are user and
system seconds of the process and of all processes that it starts. Printed, too, are the
lines of the results that differ, apart from the seconds of fits.
"""

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.common import describe_machine, print_table

NAMES = ("estimator", "share_context", "bias")
FIGURES = ("few_fold_accuracies", "fold_accuracies", "n_embedding_parameters")


def run(tree, options):
    """Return CPU seconds and figures by line of one run from an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(tree).resolve()),
            "NUMBA_CACHE_DIR": cache,
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "skembed", "--output", "json", *options]
        # Where it runs, no other `skembed` is found first.
        result = subprocess.run(
            command, env=environment, cwd=cache, stdout=subprocess.PIPE, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    figures = {
        " ".join(f"{row[key]}" for key in NAMES if key in row): [
            row[key] for key in FIGURES
        ]
        for row in json.loads(result.stdout)["results"]
    }
    return seconds, figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trees", nargs="+", help="folders that hold skembed/")
    parser.add_argument("--runs", type=int, default=3, help="of each")
    parser.add_argument("--options", default="", help="of the command, in one string")
    arguments = parser.parse_args()
    options = shlex.split(arguments.options)
    print(describe_machine())
    seconds = {tree: [] for tree in arguments.trees}
    found = {}
    for _ in range(arguments.runs):
        for tree in arguments.trees:
            used, found[tree] = run(tree, options)
            seconds[tree].append(used)
            print(tree, f"{used:.1f} s", flush=True)
    first, *others = arguments.trees
    middle = {tree: statistics.median(used) for tree, used in seconds.items()}
    rows = [
        [tree, f"{middle[tree]:.1f}", f"{middle[tree] / middle[first]:.2f}"]
        for tree in arguments.trees
    ]
    print_table(["tree", "CPU s, median", "ratio"], rows)
    for tree in others:
        keys = found[first].keys() | found[tree].keys()
        differ = [k for k in keys if found[first].get(k) != found[tree].get(k)]
        print(f"{tree}: {len(differ)} of {len(keys)} lines differ", *sorted(differ))


if __name__ == "__main__":
    main()
