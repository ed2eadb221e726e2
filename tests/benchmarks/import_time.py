"""Seconds of ``import skembed`` beside its heaviest part, in fresh processes.

python -m tests.benchmarks.import_time
"""

import argparse
import statistics
import subprocess
import sys

CODE = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
PEER = "import sklearn.feature_extraction.text"
# The package alone loads its estimators when they are first used.
OURS = ("import skembed", "from skembed import SGNSEmbedder", f"{PEER}, skembed._sgns")


def seconds(statement):
    """Return the seconds that a fresh interpreter takes to run an import."""
    command = [sys.executable, "-c", CODE.format(statement)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    seconds(OURS[-1])
    for statement in OURS:
        pairs = [(seconds(statement), seconds(PEER)) for _ in range(rounds)]
        ours, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{statement}: {ours:.3f} s; {PEER}: {peer:.3f} s; ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
