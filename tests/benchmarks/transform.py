"""How long `transform` takes: of one document, and of many beside `TfidfVectorizer`.

    python -m tests.benchmarks.transform --data reviews.jsonl.gz

Vectors are made up, since their values do not matter: the vocabulary is that of the
documents, the vectors are random. Everything is CPU time in one thread, after a first
call. One document is also transformed with a long list of stop words, in turns with
none. Many documents are transformed in pairs, ours beside that of scikit-learn's
`TfidfVectorizer`; the ratio is the median of those of the pairs.
"""

import argparse
import resource
import sys
import time

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

import skembed
from skembed._corpus import reader, tokenize, validation
from tests.benchmarks.common import describe_machine, print_table, read_documents

N_CALLS = 2000
N_TOKENS = 200
N_STOP_WORDS = 1300


def with_random_vectors(name, learned, rng):
    """Return an estimator that has learned nothing but a vocabulary."""
    embedder = getattr(skembed, name)()
    fitted = {
        key: value for key, value in vars(learned).items() if key not in vars(embedder)
    }
    vars(embedder).update(fitted)
    shape = len(learned.vocabulary_), embedder.n_components
    embedder.word_vectors_ = rng.standard_normal(shape, dtype=np.float32)
    embedder.context_vectors_ = rng.standard_normal(shape, dtype=np.float32)
    # A scale as if it had been learned from these vectors.
    embedder.feature_means_ = np.zeros(embedder.n_components)
    embedder.feature_scales_ = np.ones(embedder.n_components)
    embedder._scaled_as = (embedder.combine,)
    return embedder


def seconds(function, *arguments):
    """Return the CPU seconds of a call."""
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def milliseconds(function, *arguments):
    """Return the median CPU time of a call, from ten parts of the calls."""
    for _ in range(50):
        function(*arguments)
    parts = []
    for _ in range(10):
        start = time.process_time()
        for _ in range(N_CALLS // 10):
            function(*arguments)
        parts.append((time.process_time() - start) / (N_CALLS // 10))
    return 1e3 * float(np.median(parts))


def one_document(embedders, tokens):
    """Print what a document of 200 known words takes, and its parts."""
    document = [" ".join(tokens)]
    rows = []
    for embedder in embedders:
        vectorizer = reader.vectorizer(embedder, fits=False)
        corpus = tokenize.look_up(document, vectorizer, embedder.vocabulary_)
        times = [
            milliseconds(embedder.transform, document),
            milliseconds(validation.is_matrix, document),
            milliseconds(reader.vectorizer, embedder, False),
            milliseconds(tokenize.look_up, document, vectorizer, embedder.vocabulary_),
            milliseconds(embedder._pool, corpus, np.float32),
        ]
        cells = [f"{value:.4f}" for value in times]
        rows.append([type(embedder).__name__, embedder.combine, *cells])
    header = ["estimator", "combine", "`transform`, ms", "matrix or text?"]
    print_table([*header, "settings", "tokens", "pooling"], rows)


def stop_words(embedder, tokens, n_rounds):
    """Print what stop words that do not occur add to the time of one document."""
    document = [" ".join(tokens)]
    some = [f"stop{i}" for i in range(N_STOP_WORDS)]
    ratios = []
    for _ in range(n_rounds):
        without = milliseconds(embedder.transform, document)
        embedder.set_params(stop_words=some)
        ratios.append(milliseconds(embedder.transform, document) / without)
        embedder.set_params(stop_words=None)
    print(
        f"\n{N_STOP_WORDS} stop words: {np.median(ratios):.2f} times the time without "
        f"(median of {n_rounds}; {min(ratios):.2f} to {max(ratios):.2f})"
    )


def many_documents(embedders, documents, n_rounds):
    """Print the time of all documents, beside that of tf-idf."""
    vectorizer = TfidfVectorizer().fit(documents)
    rows = []
    for embedder in embedders:
        embedder.transform(documents[: len(documents) // 2])
        pairs = [
            (
                seconds(embedder.transform, documents),
                seconds(vectorizer.transform, documents),
            )
            for _ in range(n_rounds)
        ]
        ours, theirs = np.array(pairs).T
        cells = [f"{np.median(times):.2f}" for times in (ours, theirs, ours / theirs)]
        rows.append([type(embedder).__name__, embedder.combine, *cells])
    print_table(["estimator", "combine", "seconds", "tf-idf, seconds", "ratio"], rows)


def tiny_documents(embedder, n_documents):
    """Print what very many documents of two words take."""
    words = list(embedder.vocabulary_)[:1000]
    documents = [f"{words[i % 1000]} {words[i % 7]}" for i in range(n_documents)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = seconds(embedder.transform, documents)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    features = 4 * n_documents * embedder.n_components / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10
    print(
        f"{n_documents} documents of two words: {taken:.2f} s; the process grew by "
        f"{(after - before) / unit:.0f} MiB, of which features are {features:.0f} MiB"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--documents", type=int, default=None)
    parser.add_argument("--max-features", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", type=int, default=1_000_000, help="0: leave out")
    arguments = parser.parse_args()
    documents = read_documents(arguments.data, arguments.documents)
    learned = skembed.PPMISVDEmbedder(
        2, min_count=1, max_features=arguments.max_features, random_state=0
    ).fit(documents[:10_000])
    rng = np.random.default_rng(0)
    names = ["SGNSEmbedder", "GloVeEmbedder"]
    embedders = [with_random_vectors(name, learned, rng) for name in names]
    print(f"{describe_machine()}; {len(learned.vocabulary_)} words\n")
    words = (word for text in documents for word in text.lower().split())
    known = (word for word in words if word in learned.vocabulary_)
    tokens = [next(known) for _ in range(N_TOKENS)]
    one_document(embedders, tokens)
    stop_words(embedders[0], tokens, arguments.rounds)
    print(f"\n{len(documents)} documents:\n")
    many_documents(embedders, documents, arguments.rounds)
    if arguments.tiny:
        print()
        tiny_documents(embedders[0], arguments.tiny)


if __name__ == "__main__":
    main()
