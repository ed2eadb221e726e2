"""How long the search for similar words takes, beside gensim's.

    OPENBLAS_NUM_THREADS=1 python -m tests.benchmarks.neighbors

Vectors are random, since only sizes matter, and both search the same float32 array with
one BLAS thread. gensim takes one query at a time. In each round, a batch is timed
beside as many calls of gensim's. Single queries take turns with gensim's, and which of
the two is first, changes as well: the second one finds a part of the array in the
cache. Times and ratios are medians. All results are compared: the words, except where
two similarities are closer than 1e-6, and the similarities.
"""

import argparse
import time

import numpy as np
from gensim.models import KeyedVectors
from threadpoolctl import threadpool_limits

from skembed.vectors import WordVectors
from tests.benchmarks.common import describe_machine, print_table
from tests.benchmarks.measures import PeakMemory

TOLERANCE = 1e-6


def made_up(n_words, n_components):
    """Return the same random vectors for both programs."""
    rng = np.random.default_rng(0)
    shape = n_words, n_components
    words = [f"word{i}" for i in range(n_words)]
    ours = WordVectors(words, rng.standard_normal(shape, dtype=np.float32))
    theirs = KeyedVectors(n_components)
    theirs.add_vectors(words, ours.vectors)
    theirs.vectors = ours.vectors
    theirs.fill_norms()
    return ours, theirs


def seconds(function, *arguments):
    """Return the result of a call, and its seconds."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def check(found, expected):
    """Raise an error if results differ by more than ties do."""
    for (word, score), (their_word, their_score) in zip(found, expected, strict=True):
        assert abs(score - their_score) < TOLERANCE, (score, their_score)
        near = [one for one, other in expected if abs(other - score) < TOLERANCE]
        assert word == their_word or len(near) > 1 or score - expected[-1][1] < 1e-6


def batches(ours, theirs, queries, n_rounds):
    """Return seconds of a batch, and of the same queries one at a time in gensim."""
    pairs = []
    for _ in range(n_rounds):
        (rows, scores), of_ours = seconds(ours.nearest, queries)
        expected, of_theirs = seconds(lambda: [*map(theirs.most_similar, queries)])
        pairs.append((of_ours, of_theirs))
        for i, of_query in enumerate(expected):
            words = [ours.words[row] for row in rows[i]]
            check(list(zip(words, scores[i], strict=True)), of_query)
    return np.array(pairs)


def turns(ours, theirs, queries, n_rounds):
    """Return medians of seconds of single queries, which take turns."""
    pairs = []
    for _ in range(n_rounds):
        times = []
        for number, query in enumerate(queries):
            programs = [ours.most_similar, theirs.most_similar]
            if number % 2:
                programs.reverse()
            results = [seconds(program, query) for program in programs]
            if number % 2:
                results.reverse()
            (found, of_ours), (expected, of_theirs) = results
            times.append((of_ours, of_theirs))
            check(found, expected)
        pairs.append(np.median(times, axis=0))
    return np.array(pairs)


def row_of(name, pairs):
    """Return a line of the table."""
    ratios = pairs[:, 1] / pairs[:, 0]
    ours, theirs = 1e3 * np.median(pairs, axis=0)
    spread = f"{ratios.min():.2f} to {ratios.max():.2f}"
    return [name, f"{ours:.1f}", f"{theirs:.1f}", f"{np.median(ratios):.2f}", spread]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=200_000)
    parser.add_argument("--components", type=int, default=100)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    n_words, n_queries = arguments.words, arguments.queries
    ours, theirs = made_up(n_words, arguments.components)
    rng = np.random.default_rng(1)
    queries = [ours.words[row] for row in rng.integers(n_words, size=n_queries)]
    with threadpool_limits(limits=1, user_api="blas"):
        ours.most_similar(queries[0])
        with PeakMemory() as peak:
            ours.nearest(queries)
        many = batches(ours, theirs, queries, arguments.rounds)
        single = turns(ours, theirs, queries[:200], arguments.rounds)
    print(f"{describe_machine()}; {n_words} words x {arguments.components}\n")
    header = ["queries", "ours, ms", "gensim, ms", "gensim / ours", "of rounds"]
    rows = [row_of(f"{n_queries} at once", many), row_of("one", single)]
    print_table(header, rows)
    print(f"\nA batch took {peak.bytes / 2**20:.0f} MiB at its peak.")


if __name__ == "__main__":
    main()
