"""Peak memory of one fit or one counting, beyond what the process held before.

    python -m tests.benchmarks.memory sgns --data reviews.jsonl.gz

For `sgns`, the process holds the documents as strings and has called `warmup()`; the
measure is ids (4 bytes a token of the vocabulary) and two float32 tables. For
`counting`, it holds the documents as ids and has counted a few of them; the measure
is the resulting sparse matrix. For `estimate`, it is what `estimate_memory` says of an
estimator, by default at its defaults. For `softmax`, the process holds documents as
strings, and the bytes of the counts and of a float32 table are said beside. Prints
bytes in JSON.
"""

import argparse
import json

import skembed
from skembed import SGNSEmbedder
from tests.benchmarks.common import read_documents
from tests.benchmarks.data import Data
from tests.benchmarks.measures import PeakMemory
from tests.benchmarks.ours import count


def of_sgns(arguments):
    """Return the growth of memory during `fit`, and the size of ids and tables."""
    documents = read_documents(arguments.data, arguments.documents)
    skembed.warmup()
    embedder = SGNSEmbedder(
        arguments.size,
        max_iter=arguments.epochs,
        random_state=0,
        n_jobs=arguments.threads,
    )
    with PeakMemory() as peak:
        embedder.fit(documents)
    table = embedder.word_vectors_.nbytes
    return {"peak": peak.bytes, "measure": 4 * n_ids(embedder) + 2 * table}


def n_ids(embedder):
    """Return the number of tokens that are words of the vocabulary."""
    return int(embedder.word_counts_.sum())


def of_counting(arguments):
    """Return the growth of memory during counting, and the size of the result."""
    data = Data(arguments.data, arguments.documents, None, ".")
    corpus, n_words = data.corpus, data.n_words
    del data
    few = corpus._replace(doc_offsets=corpus.doc_offsets[:2])
    few = few._replace(token_ids=few.token_ids[: few.doc_offsets[-1]])
    count(few, n_words, arguments.threads)
    with PeakMemory() as peak:
        counts = count(corpus, n_words, arguments.threads)
    size = counts.data.nbytes + counts.indices.nbytes + counts.indptr.nbytes
    return {"peak": peak.bytes, "measure": size}


def of_estimate(arguments):
    """Return the growth of memory during a fit, and what was said beforehand."""
    documents = read_documents(arguments.data, arguments.documents)
    kind = getattr(skembed, arguments.estimator)
    skembed.warmup(kind)
    parameters = json.loads(arguments.parameters)
    embedder = kind(
        arguments.size, random_state=0, n_jobs=arguments.threads, **parameters
    )
    if arguments.early_stopping:
        embedder.set_params(early_stopping=True)
    expected = embedder.estimate_memory(documents)
    with PeakMemory() as peak:
        embedder.fit(documents)
    return {"peak": peak.bytes, "measure": expected}


def of_softmax(arguments):
    """Return the growth of memory during `fit`, and the size of counts and a table."""
    documents = read_documents(arguments.data, arguments.documents)
    skembed.warmup(skembed.SoftmaxEmbedder)
    embedder = skembed.SoftmaxEmbedder(
        arguments.size,
        max_iter=arguments.epochs,
        random_state=0,
        n_jobs=arguments.threads,
        **json.loads(arguments.parameters),
    )
    with PeakMemory() as peak:
        embedder.fit(documents)
    counts, _ = skembed.cooccurrence(documents)
    size = counts.data.nbytes + counts.indices.nbytes + counts.indptr.nbytes
    table = embedder.word_vectors_.nbytes
    return {"peak": peak.bytes, "counts": size, "table": table}


WORKS = {
    "sgns": of_sgns,
    "counting": of_counting,
    "estimate": of_estimate,
    "softmax": of_softmax,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=WORKS)
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--documents", type=int, default=None)
    parser.add_argument("--estimator", default="SGNSEmbedder", help="for `estimate`")
    parser.add_argument("--size", type=int, default=100, help="dimensions")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--epochs", type=int, default=5, help="for `sgns` and `softmax`"
    )
    parser.add_argument(
        "--parameters", default="{}", help="for `estimate` and `softmax`, in JSON"
    )
    parser.add_argument("--early-stopping", action="store_true", help="for `estimate`")
    arguments = parser.parse_args()
    print(json.dumps(WORKS[arguments.work](arguments)))


if __name__ == "__main__":
    main()
