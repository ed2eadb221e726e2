"""Training speed beside gensim's, in turn, with quality beside it.

    python -m tests.benchmarks.speed --data reviews.jsonl.gz --wordsim FOLDER

Both train skip-gram with negative sampling on the same tokens with the same
settings; timed is the training alone, without reading, tokenising or building the
vocabulary. Throughput counts raw tokens times epochs. Needs the `bench` extra.
"""

import argparse
import time

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skembed import SGNSEmbedder
from tests.benchmarks.common import (
    describe_machine,
    print_table,
    read_documents,
    read_similarities,
    similarity,
)


class TimedSGNS(SGNSEmbedder):
    """Notes how long the training itself took."""

    def _fit_vectors(self, *arguments):
        start = time.perf_counter()
        fitted = super()._fit_vectors(*arguments)
        self.training_seconds = time.perf_counter() - start
        return fitted


def train_ours(tokens, size, epochs, seed):
    """Return seconds, rows by word and vectors."""
    model = TimedSGNS(size, share_context=False, max_iter=epochs, random_state=seed)
    model.fit(tokens)
    return model.training_seconds, model.vocabulary_, model.word_vectors_


def train_gensim(tokens, size, epochs, seed):
    """The same with gensim, fed by an iterable."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=size,
        window=5,
        negative=5,
        sample=1e-3,
        sg=1,
        min_count=5,
        workers=1,
        epochs=epochs,
        seed=seed + 1,
    )
    model.build_vocab(tokens)
    start = time.perf_counter()
    model.train(tokens, total_examples=len(tokens), epochs=epochs)
    return time.perf_counter() - start, model.wv.key_to_index, model.wv.vectors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", help="folder of .tsv files")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=100, help="dimensions")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    analyze = CountVectorizer().build_analyzer()
    tokens = [
        analyze(text) for text in read_documents(arguments.data, arguments.documents)
    ]
    sets = read_similarities(arguments.wordsim) if arguments.wordsim else {}
    n_tokens = sum(map(len, tokens)) * arguments.epochs
    print(describe_machine())
    print(f"{len(tokens)} documents, {n_tokens} tokens x epochs, 1 thread each")
    train_ours(tokens[:50], arguments.size, 1, 0)  # compiles
    rates = {"skembed": [], "gensim": []}
    rows = []
    for seed in range(arguments.rounds):
        for name, train in (("skembed", train_ours), ("gensim", train_gensim)):
            seconds, words, vectors = train(
                tokens, arguments.size, arguments.epochs, seed
            )
            rates[name].append(n_tokens / seconds / 1e6)
            scores = [
                f"{similarity(pairs, words, vectors)[0]:.3f}" for pairs in sets.values()
            ]
            rows.append([seed, name, f"{rates[name][-1]:.3f}", *scores])
            print(*rows[-1], flush=True)
    print_table(["round", "program", "million tokens/s", *sets], rows)
    ratios = np.array(rates["skembed"]) / np.array(rates["gensim"])
    print(f"skembed / gensim, median of {len(ratios)} pairs: {np.median(ratios):.2f}")


if __name__ == "__main__":
    main()
