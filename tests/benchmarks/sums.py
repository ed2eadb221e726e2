"""What a word's two vectors add up to: lengths, and word similarity of the sums.

    python -m tests.benchmarks.sums --data reviews.jsonl.gz --wordsim FOLDER

Prints the median lengths of word and context vectors, and the Spearman correlation with
human scores of the word vector, of the plain sum of both vectors and of
``combine="sum"``, which scales the context vector to the length of the word vector.
``--noise 16 64 256`` repeats skip-gram with so many noise words per span instead: with
more of them each one makes a smaller step, and context vectors get shorter. Rows of
gensim follow with ``--gensim``.
"""

import argparse

import numpy as np

from skembed import CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed._solvers import negative_sampling
from skembed.pooling._features import add_tables
from tests.benchmarks.common import (
    describe_machine,
    print_table,
    read_documents,
    read_similarities,
    similarity,
)

EMBEDDERS = {
    "SGNS": SGNSEmbedder(),
    "CBOW": CBOWEmbedder(),
    "PPMI-SVD": PPMISVDEmbedder(),
    "GloVe": GloVeEmbedder(),
}


def ours(embedder, documents, seed):
    """Return the vocabulary and both tables of a fit."""
    embedder.set_params(random_state=seed).fit(documents)
    return embedder.vocabulary_, embedder.word_vectors_, embedder.context_vectors_


def gensims(documents, seed):
    """Return the same of gensim's skip-gram with the same parameters."""
    from gensim.models import Word2Vec
    from sklearn.feature_extraction.text import CountVectorizer

    analyze = CountVectorizer().build_analyzer()
    tokens = [analyze(text) for text in documents]
    settings = {"vector_size": 100, "window": 5, "min_count": 5, "sample": 1e-3}
    model = Word2Vec(tokens, sg=1, negative=5, workers=1, seed=seed, **settings)
    return model.wv.key_to_index, model.wv.vectors, model.syn1neg


def readings(fit, sets, seeds):
    """Yield what stands for a word, both lengths, and the scores of each set."""
    rows = {"word": [], "plain sum": [], "sum": []}
    lengths = []
    for seed in range(seeds):
        vocabulary, word, context = fit(seed)
        both = [np.linalg.norm(table, axis=1) for table in (word, context)]
        lengths.append([np.median(length) for length in both])
        tables = word, word + context, add_tables(word, context)
        for row, table in zip(rows.values(), tables, strict=True):
            row.append([similarity(p, vocabulary, table)[0] for p in sets.values()])
    shown = " / ".join(f"{length:.2f}" for length in np.mean(lengths, axis=0))
    for name, scores in rows.items():
        columns = zip(*scores, strict=True)
        yield name, shown, *(f"{np.mean(c):.3f} ({np.ptp(c):.3f})" for c in columns)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--wordsim", required=True, help="folder of .tsv files")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--noise", type=int, nargs="+", help="multiples of 16")
    parser.add_argument("--gensim", action="store_true")
    arguments = parser.parse_args()
    documents = read_documents(arguments.data, arguments.documents)
    sets = read_similarities(arguments.wordsim)
    print(describe_machine())
    fits = {name: (name, None) for name in EMBEDDERS}
    if arguments.noise:
        fits = {f"SGNS, {n} noise words": ("SGNS", n) for n in arguments.noise}
    if arguments.gensim:
        fits["gensim's skip-gram"] = (None, None)
    rows = []
    for title, (name, n_noise) in fits.items():
        if n_noise is not None:
            negative_sampling.SHARED_NOISE = n_noise

        def fit(seed, name=name):
            if name is None:
                return gensims(documents, seed)
            return ours(EMBEDDERS[name], documents, seed)

        for row in readings(fit, sets, arguments.seeds):
            rows.append([title, *row])
            print(*rows[-1], flush=True)
    header = ["model", "vector", "lengths, word / context", *sets]
    print_table(header, rows)
    print("Means over seeds, and in brackets the largest minus the smallest.")


if __name__ == "__main__":
    main()
