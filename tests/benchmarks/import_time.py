"""Seconds of ``import skembed`` beside its heaviest part, in fresh processes.

python -m tests.benchmarks.import_time
"""

import argparse
import statistics
import subprocess
import sys

CODE = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
OURS, PEER = "skembed", "sklearn.feature_extraction.text"


def seconds(module):
    """Return the seconds that a fresh interpreter takes to import a module."""
    command = [sys.executable, "-c", CODE.format(module)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    seconds(OURS)
    pairs = [(seconds(OURS), seconds(PEER)) for _ in range(rounds)]
    for name, values in zip((OURS, PEER), zip(*pairs, strict=True), strict=True):
        print(f"import {name}: median {statistics.median(values):.3f} s")
    ratio = statistics.median(ours / peer for ours, peer in pairs)
    print(f"ratio, median of {rounds} pairs: {ratio:.3f}")


if __name__ == "__main__":
    main()
