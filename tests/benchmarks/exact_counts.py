"""How exact the co-occurrence counts of weighted corpora are.

    python -m tests.benchmarks.exact_counts [--corpora 2000] [--seed 0]

Draws small corpora with sample weights of several kinds, windows and weightings, and
compares `skembed.cooccurrence` with sums of fractions. Prints the largest relative
error of a count for each kind of weights. Exits with 1 if one is larger than 1e-12, if
a pair is missing or superfluous, or if counts that should be symmetric differ in a bit.
"""

import argparse
import sys
from collections import Counter, defaultdict
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from skembed import cooccurrence
from tests.benchmarks.common import print_table

LIMIT = 1e-12
WORDS = ["a", "b", "c", "d", "e", "f"]
DIRECTIONS = ("both", "both", "left", "right")
WEIGHTINGS = ("dynamic", "flat", "harmonic")


class Case(NamedTuple):
    """Documents, each with the weights of its copies, and how they are counted."""

    documents: list  # of lists of words
    weights: list  # of arrays, one for each document
    window: int
    weighting: str
    direction: str


def draw_kind(kind, size, rng):
    """Return weights; a few are 0."""
    weights = {
        "none": lambda: np.ones(size),
        "uniform": lambda: rng.random(size),
        "few values": lambda: rng.choice([0.1, 1 / 3, 7.7], size),
        "whole": lambda: rng.integers(1, 1000, size) * 1.0,
        "large and whole": lambda: np.floor(2.0 ** rng.uniform(0, 60, size)),
        "powers of two": lambda: 2.0 ** rng.integers(-500, 500, size),
        "half-life": lambda: 0.5 ** (rng.integers(0, 3650, size) / 30),
        "ratio 1e20": lambda: 10.0 ** rng.uniform(-20, 0, size),
        "ratio 1e300": lambda: 10.0 ** rng.uniform(-150, 150, size),
        "down to 1e-300": lambda: 10.0 ** rng.uniform(-300, 0, size),
        "up to 1e300": lambda: 10.0 ** rng.uniform(0, 300, size),
    }[kind]()
    if kind != "none":
        weights[rng.random(size) < 0.05] = 0.0
    return weights


KINDS = (
    "none",
    "uniform",
    "few values",
    "whole",
    "large and whole",
    "powers of two",
    "half-life",
    "ratio 1e20",
    "ratio 1e300",
    "down to 1e-300",
    "up to 1e300",
)


def draw_case(kind, rng, most_copies=3000):
    """Return a corpus of a few documents, of which one may have many copies."""
    n_documents = rng.integers(1, 8)
    documents = [
        rng.choice(WORDS[: rng.integers(1, 7)], rng.integers(0, 40)).tolist()
        for _ in range(n_documents)
    ]
    copies = rng.integers(1, 4, n_documents)
    if rng.random() < 0.1:
        copies[0] = most_copies
    weights = [draw_kind(kind, n, rng) for n in copies]
    if rng.random() < 0.3:
        # Each document is the only one of its size.
        weights = [np.full(w.size, w[0]) for w in weights]
    if not any(w.any() for w in weights):
        weights[0][0] = 1.0
    return Case(
        documents,
        weights,
        int(rng.choice([rng.integers(1, 8), rng.integers(8, 45)])),
        str(rng.choice(WEIGHTINGS)),
        str(rng.choice(DIRECTIONS)),
    )


def exact_weight(distance, window, weighting):
    """Return the weight of a context as a fraction."""
    return {
        "flat": Fraction(1),
        "harmonic": Fraction(1, distance),
        "dynamic": Fraction(window + 1 - distance, window),
    }[weighting]


def exact_counts(case):
    """Return {(word, context): sum of fractions}."""
    counts = Counter()
    for document, weights in zip(case.documents, case.weights, strict=True):
        total = sum(map(Fraction, weights.tolist()), Fraction())
        met = Counter(
            (word, context, i - j)
            for i, word in enumerate(document)
            for j, context in enumerate(document)
            if 0 < abs(i - j) <= case.window
        )
        for (word, context, side), times in met.items():
            if {"both": True, "left": side > 0, "right": side < 0}[case.direction]:
                weight = exact_weight(abs(side), case.window, case.weighting)
                counts[word, context] += times * weight * total
    return {pair: count for pair, count in counts.items() if count}


def count(case, kind, n_jobs=None):
    """Return what the package counts, in the order of `WORDS`."""
    documents = [
        document
        for document, weights in zip(case.documents, case.weights, strict=True)
        for _ in weights
    ]
    counts, _ = cooccurrence(
        documents,
        window=case.window,
        window_weighting=case.weighting,
        direction=case.direction,
        vocabulary=WORDS,
        sample_weight=None if kind == "none" else np.concatenate(case.weights),
        n_jobs=n_jobs,
    )
    return counts


def largest_error(case, kind):
    """Return the largest relative error of a count; infinite if pairs differ."""
    found = count(case, kind)
    exact = exact_counts(case)
    entries = found.tocoo()
    cells = zip(entries.row.tolist(), entries.col.tolist(), strict=True)
    pairs = [(WORDS[i], WORDS[j]) for i, j in cells]
    if set(pairs) != exact.keys():
        return np.inf
    if case.direction == "both":
        mirrored = found.T.tocsr()
        for name in ("data", "indices", "indptr"):
            if getattr(found, name).tobytes() != getattr(mirrored, name).tobytes():
                return np.inf
    values = map(Fraction, entries.data.tolist())
    errors = [
        abs(value / exact[pair] - 1) for pair, value in zip(pairs, values, strict=True)
    ]
    return float(max(errors, default=0))


def errors_of(n_corpora, seed, most_copies=3000):
    """Return the largest error of each kind of weights, and how many were drawn."""
    rng = np.random.default_rng(seed)
    errors = defaultdict(list)
    for number in range(n_corpora):
        kind = KINDS[number % len(KINDS)]
        case = draw_case(kind, rng, most_copies)
        if any(
            w.any() and d for d, w in zip(case.documents, case.weights, strict=True)
        ):
            errors[kind].append(largest_error(case, kind))
    return {kind: (max(found), len(found)) for kind, found in errors.items()}


def main(arguments=None):
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--corpora", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    errors = errors_of(options.corpora, options.seed)
    rows = [(kind, n, f"{error:.2g}") for kind, (error, n) in errors.items()]
    print_table(("weights", "corpora", "largest relative error"), rows)
    return int(max(error for error, _ in errors.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
