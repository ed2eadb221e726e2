"""Seconds and memory of reading files of word vectors, next to gensim.

    python -m tests.benchmarks.vector_files --runs 3

Writes files of random vectors, then reads each in turn with gensim and with skembed,
every time in a new process. A process reads a small file before, so that nothing is
loaded or compiled while the clock runs. Memory is the most that a process held while
reading, less what it held before, over the size of the table and the words.
"""

import argparse
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.common import describe_machine, print_table

KINDS = ("text", "text.gz", "binary", "binary.gz", "safetensors")


def write_files(folder, kinds, n_words, n_components):
    """Write one file of each kind with the same vectors."""
    from skembed.vectors import WordVectors

    rng = np.random.default_rng(0)
    vectors = rng.normal(scale=0.3, size=(n_words, n_components)).astype(np.float32)
    table = WordVectors([f"word{i}" for i in range(n_words)], vectors)
    formats = {"text": "word2vec", "binary": "word2vec-binary"}
    for kind in kinds:
        name, _, packed = kind.partition(".")
        path = folder / f"{kind}"
        if not packed:
            table.save(path, formats.get(name, name))
            continue
        table.save(folder / "plain", formats[name])
        # The level of the program gzip; level 9 takes minutes.
        with gzip.open(path, "wb", compresslevel=6) as file:
            file.write((folder / "plain").read_bytes())
        (folder / "plain").unlink()


def peak():
    """Return the most bytes that this process has held since the last `forget`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("This system does not tell")


def forget():
    Path("/proc/self/clear_refs").write_text("5")


def reader_of(program, kind):
    if program == "gensim":
        from gensim.models import KeyedVectors

        return lambda path: KeyedVectors.load_word2vec_format(
            path, binary=kind.startswith("binary")
        )
    from skembed.vectors import WordVectors

    return WordVectors.load


def read(program, kind, folder):
    """Print the seconds and bytes of one reading."""
    reader = reader_of(program, kind)
    reader(str(folder / "small" / kind))
    forget()
    before = peak()
    start = time.perf_counter()
    table = reader(str(folder / kind))
    seconds = time.perf_counter() - start
    used = peak() - before
    vectors = table.vectors
    words = table.words if program == "skembed" else table.index_to_key
    # The objects, a list of them and a mapping of each to a small int.
    held = sum(map(sys.getsizeof, words)) + 8 * len(words)
    held += sys.getsizeof(dict.fromkeys(words)) + 32 * len(words)
    print(json.dumps([seconds, used / (vectors.nbytes + held)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=400_000)
    parser.add_argument("--components", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3, help="of each")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--folder", type=Path, help="where the files are kept")
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read(*arguments.read, arguments.folder)
        return
    print(describe_machine())
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        small = folder / "small"
        if not small.exists():
            small.mkdir(parents=True)
            write_files(small, arguments.kinds, 1000, 10)
            size = arguments.words, arguments.components
            write_files(folder, arguments.kinds, *size)
        compare(folder, arguments.kinds, arguments.runs)


def compare(folder, kinds, runs):
    rows = []
    for kind in kinds:
        programs = ["gensim", "skembed"] if kind != "safetensors" else ["skembed"]
        results = {program: [] for program in programs}
        for _ in range(runs):
            for program in programs:
                command = [sys.executable, "-m", "tests.benchmarks.vector_files"]
                command += ["--folder", str(folder), "--read", program, kind]
                output = subprocess.check_output(command, text=True)
                results[program].append(json.loads(output))
                print(kind, program, *results[program][-1], flush=True)
        for program in programs:
            columns = zip(*results[program], strict=True)
            seconds, memory = map(statistics.median, columns)
            base = statistics.median(s for s, _ in results[programs[0]])
            rows.append(
                [
                    kind,
                    program,
                    f"{seconds:.2f}",
                    f"{base / seconds:.1f}",
                    f"{memory:.2f}",
                ]
            )
    print_table(["file", "program", "s, median", "ratio", "memory"], rows)


if __name__ == "__main__":
    main()
