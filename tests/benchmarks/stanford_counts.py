"""Counting against Stanford's `cooccur` and `shuffle`, on the same documents.

    python -m tests.benchmarks.stanford_counts --data reviews.jsonl.gz \
        --glove FOLDER_OF_PROGRAMS [--documents 50000] [--threads 2] [--rounds 3]

Ours begins with raw strings: it tokenises, counts words and chooses the vocabulary.
The programs begin with files of tokens and of the vocabulary, which are written before,
and use one thread. Both have window 10, weights 1 / distance and words that occur five
times. In the end, all counts are compared; their sums have other orders.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

import skembed
from tests.benchmarks.common import (
    describe_machine,
    median_ratio,
    print_table,
    read_documents,
)

WINDOW = 10
RECORD = [("word", "<i4"), ("context", "<i4"), ("count", "<f8")]


def write_input(texts, rows, folder):
    """Write documents as lines of tokens, and the vocabulary with its counts."""
    analyze = CountVectorizer().build_analyzer()
    n_tokens = np.zeros(len(rows), dtype=np.int64)
    with (folder / "text.txt").open("w", encoding="utf8") as file:
        for text in texts:
            tokens = analyze(text)
            np.add.at(n_tokens, [rows[word] for word in tokens if word in rows], 1)
            file.write(" ".join(tokens) + "\n")
    lines = (f"{word} {count}\n" for word, count in zip(rows, n_tokens, strict=True))
    (folder / "vocab.txt").write_text("".join(lines), encoding="utf8")


def run_theirs(programs, folder):
    """Run both programs; return the seconds of each."""
    seconds = []
    cooccur = [programs / "cooccur", "-window-size", WINDOW]
    cooccur += ["-vocab-file", folder / "vocab.txt"]
    cooccur += ["-overflow-file", folder / "overflow"]
    shuffle = [programs / "shuffle", "-temp-file", folder / "temporary"]
    steps = (cooccur, "text.txt", "counts.bin"), (shuffle, "counts.bin", "shuffled.bin")
    for command, source, target in steps:
        start = time.perf_counter()
        with (
            (folder / source).open("rb") as given,
            (folder / target).open("wb") as made,
        ):
            subprocess.run(
                [str(part) for part in command],
                stdin=given,
                stdout=made,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        seconds.append(time.perf_counter() - start)
    return seconds


def difference(counts, folder):
    """Return the largest relative difference of the counts of both."""
    records = np.fromfile(folder / "shuffled.bin", dtype=RECORD)
    pairs = records["word"] - 1, records["context"] - 1
    theirs = sparse.coo_array((records["count"], pairs), counts.shape).tocsr()
    assert theirs.nnz == counts.nnz, (theirs.nnz, counts.nnz)
    return float(np.abs(theirs.data / counts.data - 1).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--glove", required=True, help="folder of its programs")
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(describe_machine())
    texts = read_documents(options.data, options.documents)
    params = {"window": WINDOW, "window_weighting": "harmonic", "min_count": 5}
    params["n_jobs"] = options.threads
    counts, rows = skembed.cooccurrence(texts, **params)
    ours, theirs, shuffles = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_input(texts, rows, folder)
        for _ in range(options.rounds):
            counting, shuffling = run_theirs(Path(options.glove), folder)
            theirs.append(counting + shuffling)
            shuffles.append(shuffling)
            start = time.perf_counter()
            skembed.cooccurrence(texts, **params)
            ours.append(time.perf_counter() - start)
        print(f"{counts.shape[0]} words, {counts.nnz} pairs")
        print(f"largest relative difference: {difference(counts, folder):.1e}")
    table = [
        ["cooccurrence(texts)", f"{np.median(ours):.2f}", ""],
        [
            "cooccur + shuffle",
            f"{np.median(theirs):.2f} (shuffle {np.median(shuffles):.2f})",
            f"{median_ratio(theirs, ours):.1f}",
        ],
    ]
    print_table(["", "s", "ratio"], table)


if __name__ == "__main__":
    main()
