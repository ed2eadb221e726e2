"""GloVe against Stanford's program, on the same counts: cost and similarity.

    python -m tests.benchmarks.stanford_glove --data reviews.jsonl.gz \
        --wordsim FOLDER --glove FOLDER_OF_PROGRAMS [--seeds 5] [--first 20000]

Both learn from the counts of `skembed.cooccurrence` (window 10, harmonic weights), with
x_max=10, 100 dimensions, and defaults otherwise. The cost is half the weighted squared
error per count, of the parameters after an epoch, computed by the same function. The
last column has the program's seconds divided by ours after so many epochs, and whether
ours have reached its cost and its MEN minus 0.005. The program's seconds contain the
start and the writing of its vectors. It takes many times as long as ours, so
`--their-seeds` may be fewer than `--seeds`; later seeds are compared with its last one.
The second table has the means of our seeds after each epoch.
"""

import argparse
import re
import subprocess
import tempfile
import time
from itertools import islice
from pathlib import Path
from unittest import mock

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skembed import GloVeEmbedder, cooccurrence
from skembed._solvers import glove
from tests.benchmarks.common import (
    describe_machine,
    print_table,
    read_documents,
    read_similarities,
    similarity,
)

X_MAX, ALPHA = 10.0, 0.75
_ROWS_AT_ONCE = 200_000


def cost(counts, words, contexts):
    """Half the weighted squared error per count; the last column holds biases."""
    coo, total = counts.tocoo(), 0.0
    for first in range(0, coo.nnz, _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        x, y = words[coo.row[part]], contexts[coo.col[part]]
        scores = np.einsum("ij,ij->i", x[:, :-1], y[:, :-1]) + x[:, -1] + y[:, -1]
        weights = np.minimum(1.0, coo.data[part] / X_MAX) ** ALPHA
        total += 0.5 * float(weights @ (scores - np.log(coo.data[part])) ** 2)
    return total / coo.nnz


def write_counts(counts, folder):
    """Write shuffled records of the program, and a vocabulary of its length."""
    coo = counts.tocoo()
    order = np.random.default_rng(0).permutation(coo.nnz)
    kind = [("word", "<i4"), ("context", "<i4"), ("count", "<f8")]
    records = np.empty(coo.nnz, dtype=kind)
    records["word"], records["context"] = coo.row[order] + 1, coo.col[order] + 1
    records["count"] = coo.data[order]
    records.tofile(folder / "counts.bin")
    lines = "".join(f"w{word} 1\n" for word in range(counts.shape[0]))
    (folder / "vocab.txt").write_text(lines)


def run_theirs(counts, folder, seed, options):
    """Return seconds, and words and contexts with their biases."""
    command = [Path(options.glove) / "glove", "-input-file", folder / "counts.bin"]
    command += ["-vocab-file", folder / "vocab.txt", "-save-file", folder / "vectors"]
    command += ["-vector-size", 100, "-x-max", X_MAX, "-iter", options.epochs]
    command += ["-threads", options.threads, "-binary", 1, "-seed", seed + 1]
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    seconds = time.perf_counter() - start
    params = np.fromfile(folder / "vectors.bin").reshape(2, counts.shape[0], 101)
    return seconds, *params.astype(np.float32)


def run_ours(counts, seed, options):
    """Return a list of seconds so far, and words and contexts, after every epoch."""
    found, spent = [], 0.0
    train = glove.Training.train

    def measure(self, *arguments):
        nonlocal spent
        start = time.perf_counter()
        loss = train(self, *arguments)
        spent += time.perf_counter() - start
        params = self.tables.params[:, :101]
        tables = np.split(params, 2)
        found.append((spent, *(table[self.tables.row_of] for table in tables)))
        return loss

    with mock.patch.object(glove.Training, "train", measure):
        GloVeEmbedder(
            x_max=X_MAX,
            max_iter=options.epochs,
            input="cooccurrence",
            random_state=seed,
            n_jobs=options.threads,
        ).fit(counts)
    return found


def cells(numbers):
    return [f"{numbers[0]:.2f}", *(f"{number:.4f}" for number in numbers[1:])]


def compare(found, wanted):
    """Return the ratio of the seconds, and which of cost and MEN are reached."""
    if wanted is None:
        return ""
    reached = [
        *(["cost"] if found[1] <= wanted[1] else []),
        *(["MEN"] if found[2] >= wanted[2] - 0.005 else []),
    ]
    return " ".join([f"{wanted[0] / found[0]:.1f}", *reached])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", required=True, help="folder of .tsv files")
    parser.add_argument("--glove", required=True, help="folder of its programs")
    parser.add_argument("--first", type=int, default=0, help="first document")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--their-seeds", type=int, default=5)
    options = parser.parse_args()
    texts = read_documents(options.data, options.first + options.documents)
    analyze = CountVectorizer().build_analyzer()
    tokens = [analyze(text) for text in islice(texts, options.first, None)]
    counts, rows = cooccurrence(tokens, window=10, window_weighting="harmonic")
    sets = read_similarities(options.wordsim)
    sets = {name: sets[name] for name in sets if re.fullmatch("men|ws353", name)}

    def quality(words, contexts):
        vectors = (words + contexts)[:, :-1]
        scores = [similarity(pairs, rows, vectors)[0] for pairs in sets.values()]
        return [cost(counts, words, contexts), *scores]

    print(describe_machine(), f"{counts.nnz} counts", sep="\n")
    table, measured = [], ["seconds", "cost", *sets]
    with tempfile.TemporaryDirectory() as name:
        if options.their_seeds:
            write_counts(counts, Path(name))
        wanted, runs = None, []
        for seed in range(max(options.seeds, options.their_seeds)):
            if seed < options.their_seeds:
                seconds, *params = run_theirs(counts, Path(name), seed, options)
                wanted = (seconds, *quality(*params))
                table.append([seed, "Stanford", options.epochs, *cells(wanted), ""])
                print(*table[-1], flush=True)
            if seed < options.seeds:
                epochs = run_ours(counts, seed, options)
                runs.append([(spent, *quality(*params)) for spent, *params in epochs])
                for epoch, found in enumerate(runs[-1], 1):
                    row = [
                        seed,
                        "skembed",
                        epoch,
                        *cells(found),
                        compare(found, wanted),
                    ]
                    table.append(row)
                print(*table[-1], flush=True)
    print_table(["seed", "program", "epochs", *measured, "ratio, reached"], table)
    if runs:
        print("\nMeans of our seeds:\n")
        means = np.mean(runs, axis=0)
        rows = [
            [epoch, *cells(mean), compare(mean, wanted)]
            for epoch, mean in enumerate(means, 1)
        ]
        print_table(["epochs", *measured, "ratio, reached"], rows)


if __name__ == "__main__":
    main()
