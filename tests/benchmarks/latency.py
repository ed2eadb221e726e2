"""How long `transform` of one document takes, beside another version of the package.

    python -m tests.benchmarks.latency --data reviews.jsonl.gz [--before FOLDER]

Estimators with their default parameters are fitted on reviews. Documents of 100 to 250
words are then transformed one at a time, in CPU time of one thread. With `--before`, a
second process does the same with the package in that folder, and the two take turns, so
that a busy machine slows both down.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ESTIMATORS = ("PPMISVDEmbedder", "SGNSEmbedder", "CBOWEmbedder", "GloVeEmbedder")
N_FITTED, N_TURNS, N_CALLS = 2000, 200, 10
SHORTEST, LONGEST = 100, 250


def serve(data, name):
    """Fit an estimator; then print the seconds of some calls for each line read."""
    import skembed
    from tests.benchmarks.common import read_documents

    documents = read_documents(data, N_FITTED + 2000)
    embedder = getattr(skembed, name)(random_state=0).fit(documents[:N_FITTED])
    some = [
        [text]
        for text in documents[N_FITTED:]
        if SHORTEST <= len(text.split()) <= LONGEST
    ]
    for document in some[:100]:
        embedder.transform(document)
    print("ready", flush=True)
    for turn, _ in enumerate(sys.stdin):
        found = []
        for call in range(N_CALLS):
            document = some[(turn * N_CALLS + call) % len(some)]
            start = time.process_time()
            embedder.transform(document)
            found.append(time.process_time() - start)
        print(*found, flush=True)


def start(folder, data, name):
    """Return a process that serves with the package in a folder."""
    return subprocess.Popen(
        [sys.executable, __file__, "--data", data, "--serve", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"},
    )


def measure(processes):
    """Return the seconds of all calls of each process, (n_processes, n_calls)."""
    for process in processes:
        process.stdout.readline()
    found = [[] for _ in processes]
    for _ in range(N_TURNS):
        for process, times in zip(processes, found, strict=True):
            print(file=process.stdin, flush=True)
            times += map(float, process.stdout.readline().split())
    for process in processes:
        process.stdin.close()
        process.wait()
    return np.array(found)


def main():
    from tests.benchmarks.common import describe_machine, print_table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--before", help="folder of another version of the package")
    parser.add_argument("--serve", choices=ESTIMATORS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.data, arguments.serve)
    here = Path(__file__).resolve().parents[2]
    folders = [here] if arguments.before is None else [Path(arguments.before), here]
    data = str(Path(arguments.data).resolve())
    print(describe_machine(), f"{N_TURNS * N_CALLS} calls each\n", sep="; ")
    rows, ratios = [], []
    for name in ESTIMATORS:
        found = measure([start(folder, data, name) for folder in folders])
        ratios.append(np.median(found[-1]) / np.median(found[0]))
        for folder, times in zip(folders, 1e3 * found, strict=True):
            places = np.percentile(times, [10, 50, 90])
            rows.append([name, folder, *(f"{place:.3f}" for place in places)])
    print_table(["estimator", "package", "10 %, ms", "median, ms", "90 %, ms"], rows)

    if arguments.before is not None:
        cells = [
            f"{name} {ratio:.2f}"
            for name, ratio in zip(ESTIMATORS, ratios, strict=True)
        ]
        print("\nmedian, divided by that before:", *cells)


if __name__ == "__main__":
    main()
