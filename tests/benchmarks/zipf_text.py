"""Write documents of a large vocabulary, as input of other benchmarks.

    python -m tests.benchmarks.zipf_text --words 520000 --tokens 4000000 >zipf.jsonl

Every word occurs five times. Further tokens are drawn by Zipf's law. All tokens are in
random order, in documents of 200 tokens: JSON lines with a field `text`.
"""

import argparse
import json
import sys

import numpy as np

LEAST, LENGTH = 5, 200


def draw(n_words, n_tokens, seed=0):
    rng = np.random.default_rng(seed)
    frequency = 1.0 / np.arange(1, n_words + 1)
    more = max(0, n_tokens - LEAST * n_words)
    drawn = rng.choice(n_words, more, p=frequency / frequency.sum())
    return rng.permutation(
        np.concatenate([np.repeat(np.arange(n_words), LEAST), drawn])
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=520_000)
    parser.add_argument("--tokens", type=int, default=4_000_000)
    options = parser.parse_args()
    tokens = draw(options.words, options.tokens)
    for first in range(0, tokens.size, LENGTH):
        words = (f"w{number}" for number in tokens[first : first + LENGTH].tolist())
        sys.stdout.write(json.dumps({"text": " ".join(words)}) + "\n")


if __name__ == "__main__":
    main()
