"""Time and memory of corpora that are large for one machine.

    python -m tests.benchmarks.large_corpora one-machine REVIEWS
    python -m tests.benchmarks.large_corpora counting REVIEWS
    python -m tests.benchmarks.large_corpora cluster REVIEWS
    python -m tests.benchmarks.large_corpora triples REVIEWS
    python -m tests.benchmarks.large_corpora non-zeros REVIEWS
    python -m tests.benchmarks.large_corpora growth REVIEWS

`one-machine` fits a stream of raw strings, the reviews repeated until there are so many
tokens. With a fixed vocabulary, the words are always the most frequent ones. With one
that grows, rare words have another name in each copy of the reviews. `disk` means
``memory=`` with a folder. `counting` compares counts within a limit of memory with
those without one. `cluster` compares counts on workers of Dask with those of threads.
`triples` writes counts as Parquet and reads them. `non-zeros` fits the estimators that
learn from counts to those of the reviews. `growth` counts words and non-zeros of more
and more reviews.

Every fit has a fresh process, whose kernels and libraries are loaded before. Memory is
anonymous (RssAnon), above what the process held at the start, at its peak. Linux only.
REVIEWS is a file of JSON lines with a field `text`, may be .gz.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from itertools import count as count_up
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

import skembed
from skembed._corpus.validation import as_iterable
from tests.benchmarks.common import (
    describe_machine,
    median_ratio,
    print_table,
    read_documents,
)
from tests.benchmarks.measures import AnonymousMemory, in_fresh_process

KINDS = {
    "SGNS": (skembed.SGNSEmbedder, {"max_iter": 1}),
    "CBOW": (skembed.CBOWEmbedder, {"max_iter": 1}),
    "PPMI-SVD": (skembed.PPMISVDEmbedder, {"window": 5}),
}
# Words that are rarer in the reviews have another name in each copy of these.
RARE = 20
# In front of such words in the reviews; for a copy, it becomes letters.
MARK = "\0"
# Documents that are fitted before, so that all code is loaded.
WARM = 4000
FEW = 4_000_000
# Bytes of a word of the text: its place in a dict and its number, without the str.
ENTRY = 100
MIB = 2**20


class Stream:
    """The reviews, again and again, until they have so many tokens.

    Attributes
    ----------
    n_tokens : int
        Words in the sense of the embedders.
    word_bytes : int
        About how much a dict of all distinct words takes.
    """

    def __init__(self, path, n_documents, n_tokens, grows):
        self.texts = read_documents(path, n_documents)
        analyze = CountVectorizer().build_analyzer()
        of_text, words = [], Counter()
        for text in self.texts:
            tokens = analyze(text)
            of_text.append(len(tokens))
            words.update(tokens)
        self.grows = grows
        renamed = [word for word in words if grows and words[word] < RARE]
        if grows:
            # Lower case, so that a word of the text is one of `words`.
            rare = set(renamed)
            self.texts = [
                " ".join(MARK + w if w in rare else w for w in analyze(text))
                for text in self.texts
            ]
        n_copies, rest = divmod(n_tokens, sum(of_text))
        last = int(np.searchsorted(np.cumsum(of_text), rest, side="right"))
        self.n_documents = n_copies * len(of_text) + last
        self.n_tokens = n_copies * sum(of_text) + sum(of_text[:last])
        self.word_bytes = sum(ENTRY + sys.getsizeof(word) for word in words)
        of_renamed = sum(ENTRY + sys.getsizeof(word) for word in renamed)
        self.word_bytes += max(0, n_copies - (not rest)) * of_renamed

    def __iter__(self):
        left = self.n_documents
        for copy in count_up():
            letters = "".join(chr(ord("a") + int(digit)) for digit in str(copy))
            for text in self.texts[:left]:
                yield text.replace(MARK, "q" + letters + "q") if self.grows else text
            left -= len(self.texts)
            if left <= 0:
                return


def fit(arguments):
    """Print in JSON what one fit takes."""
    kind, settings = KINDS[arguments.estimator]
    stream = Stream(
        arguments.reviews, arguments.documents, arguments.tokens, arguments.grows
    )
    settings = {**settings, "random_state": 0, "n_jobs": arguments.threads}
    skembed.warmup(kind)
    kind(**settings).fit(iter(stream.texts[:WARM]))
    if not arguments.grows:
        settings["max_features"] = arguments.words
    if arguments.disk:
        settings["memory"] = tempfile.mkdtemp(dir=arguments.folder)
    start = time.perf_counter()
    for _ in stream:
        pass
    alone = time.perf_counter() - start
    embedder = kind(**settings)
    with AnonymousMemory() as memory:
        start = time.perf_counter()
        embedder.fit(iter(stream))
        seconds = time.perf_counter() - start - alone
    tables = {
        id(t): t.nbytes for t in (embedder.word_vectors_, embedder.context_vectors_)
    }
    figures = {
        "tokens": stream.n_tokens,
        "words": len(embedder.vocabulary_),
        "seconds": seconds,
        "memory": memory.bytes,
        "tables": sum(tables.values()),
        "word_bytes": stream.word_bytes,
    }
    print(json.dumps(figures))


def one_machine(arguments):
    """Fit streams of several lengths, and print time and memory by token."""
    print(describe_machine())
    common = ["--threads", arguments.threads, "--words", arguments.words]
    common += ["--folder", arguments.folder]
    if arguments.documents:
        common += ["--documents", arguments.documents]
    rows = []
    for name in arguments.estimators:
        # So that all kernels are in numba's cache, also those that long texts need.
        few = ["--estimator", name, "--tokens", FEW, "--documents", WARM]
        run("fit", arguments.reviews, *common, *few)
        for vocabulary in arguments.vocabularies:
            for place in arguments.places:
                first = None
                for n_tokens in arguments.tokens:
                    options = ["--estimator", name, "--tokens", int(n_tokens), *common]
                    options += ["--grows"] * (vocabulary == "grows")
                    options += ["--disk"] * (place == "disk")
                    found = run("fit", arguments.reviews, *options)
                    each = 1e9 * found["seconds"] / found["tokens"]
                    first = first or each
                    apart = found["memory"] - found["word_bytes"] - found["tables"]
                    rows.append(
                        [
                            name,
                            vocabulary,
                            place,
                            f"{found['tokens'] / 1e6:.1f}",
                            found["words"],
                            f"{found['seconds']:.1f}",
                            f"{each:.0f}",
                            f"{each / first:.2f}",
                            f"{found['memory'] / MIB:.0f}",
                            f"{found['tables'] / MIB:.0f}",
                            f"{found['word_bytes'] / MIB:.0f}",
                            f"{apart / found['tokens']:.2f}",
                        ]
                    )
                    print(*rows[-1], flush=True)
    header = ["estimator", "vocabulary", "ids", "M tokens", "words", "s", "ns a token"]
    header += ["to the first", "MiB", "tables", "all words", "bytes a token, without"]
    print_table(header, rows)


def run(work, *options):
    """Run a work of this module in a fresh process, and return its figures."""
    return in_fresh_process("tests.benchmarks.large_corpora", work, *options)


def token_ids(path, n_documents):
    """Return the reviews as 1-D arrays of ids."""
    analyze = CountVectorizer().build_analyzer()
    numbers, documents = {}, []
    for text in read_documents(path, n_documents):
        ids = [numbers.setdefault(w, len(numbers)) for w in analyze(text)]
        documents.append(np.array(ids, dtype=np.int32))
    return documents


def count_once(arguments):
    """Print in JSON what one counting takes, of ids so that reading takes no time."""
    documents = token_ids(arguments.reviews, arguments.documents) * arguments.copies
    settings = {"input": "token_ids", "n_jobs": arguments.threads}
    settings["window"] = arguments.window
    if arguments.limit:
        settings["max_memory"] = arguments.limit
        settings["memory"] = tempfile.mkdtemp(dir=arguments.folder)
    skembed.cooccurrence(documents[:WARM], **settings)
    with AnonymousMemory() as memory:
        start = time.perf_counter()
        counts, _ = skembed.cooccurrence(documents, **settings)
        seconds = time.perf_counter() - start
    figures = {
        "seconds": seconds,
        "memory": memory.bytes,
        "tokens": sum(map(len, documents)),
        "pairs": counts.nnz,
        "result": bytes_of(counts),
    }
    print(json.dumps(figures))


def bytes_of(counts):
    return counts.data.nbytes + counts.indices.nbytes + counts.indptr.nbytes


def counting(arguments):
    """Count with and without a limit in turn; print times, ratios and peaks."""
    print(describe_machine())
    common = ["--threads", arguments.threads, "--window", arguments.window]
    common += ["--copies", arguments.copies, "--folder", arguments.folder]
    if arguments.documents:
        common += ["--documents", arguments.documents]
    limits = [0, *arguments.limits]
    found = {limit: [] for limit in limits}
    for _ in range(arguments.rounds):
        for limit in limits:
            options = [*common, "--limit", limit * MIB]
            found[limit].append(run("count", arguments.reviews, *options))
    seconds = {limit: [one["seconds"] for one in found[limit]] for limit in limits}
    rows = [
        [
            limit or "none",
            f"{np.median(seconds[limit]):.2f}",
            f"{median_ratio(seconds[limit], seconds[0]):.2f}",
            f"{max(one['memory'] for one in found[limit]) / MIB:.0f}",
        ]
        for limit in limits
    ]
    one = found[0][0]
    print(
        f"{one['tokens']} tokens, {one['pairs']} pairs of words, result "
        f"{one['result'] / MIB:.0f} MiB"
    )
    print_table(["limit, MiB", "s", "to no limit", "peak, MiB"], rows)


def watch(dask_worker):
    """Begin to measure the memory of a worker."""
    dask_worker.watched = AnonymousMemory().__enter__()


def end_watch(dask_worker):
    """Return by how many bytes the memory of a worker has grown at its peak."""
    dask_worker.watched.__exit__()
    return dask_worker.watched.bytes


def part_bytes(dask_worker):
    """Return the bytes of the largest partition that a worker holds, as strings."""
    lists = [part for part in dict(dask_worker.data).values() if part]
    sizes = [sum(map(sys.getsizeof, as_iterable(part))) for part in lists]
    return max(sizes, default=0)


def cluster(arguments):
    """Count on a cluster of Dask and in threads, in turn, and print the ratio."""
    import dask.bag
    from distributed import Client, LocalCluster, wait

    print(describe_machine())
    texts = read_documents(arguments.reviews, arguments.documents) * arguments.copies
    options = {"n_workers": arguments.workers, "threads_per_worker": 1}
    with (
        LocalCluster(processes=True, dashboard_address=":0", **options) as local,
        Client(local) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        # Read by the workers, as large data would be.
        size = -(-len(texts) // arguments.partitions)
        for i in range(arguments.partitions):
            part = "\n".join(map(json.dumps, texts[i * size : (i + 1) * size]))
            Path(folder, f"{i:05}.jsonl").write_text(part, encoding="utf8")
        bag = dask.bag.read_text(f"{folder}/*.jsonl").map(json.loads).persist()
        wait(bag)
        parts = client.run(part_bytes)
        few = dask.bag.from_sequence(texts[:WARM], npartitions=arguments.workers)
        skembed.cooccurrence(few)
        skembed.cooccurrence(texts[:WARM], n_jobs=arguments.workers)
        ours, dasks, client_bytes, worker_bytes = [], [], [], Counter()
        for _ in range(arguments.rounds):
            start = time.perf_counter()
            expected, rows = skembed.cooccurrence(texts, n_jobs=arguments.workers)
            ours.append(time.perf_counter() - start)
            client.run(watch)
            with AnonymousMemory() as memory:
                start = time.perf_counter()
                counts, vocabulary = skembed.cooccurrence(bag)
                dasks.append(time.perf_counter() - start)
            for name, grown in client.run(end_watch).items():
                worker_bytes[name] = max(worker_bytes[name], grown)
            client_bytes.append(memory.bytes - bytes_of(counts))
            equal = vocabulary == rows and all(
                np.array_equal(getattr(counts, part), getattr(expected, part))
                for part in ("data", "indices", "indptr")
            )
            print(f"{ours[-1]:.2f} s, Dask {dasks[-1]:.2f} s, same bits: {equal}")
    table = [
        [f"cooccurrence(n_jobs={arguments.workers})", f"{np.median(ours):.2f}", ""],
        [
            "cooccurrence(bag)",
            f"{np.median(dasks):.2f}",
            f"{median_ratio(dasks, ours):.2f}",
        ],
    ]
    print_table(["", "s", "ratio"], table)
    print(f"result: {bytes_of(counts) / MIB:.0f} MiB ({counts.nnz} pairs of words)")
    print(f"client beyond the result: {max(client_bytes) / MIB:.0f} MiB")
    size = -(-len(texts) // arguments.workers)
    own, _ = skembed.cooccurrence(texts[:size], vocabulary=rows)
    print(f"counts of the documents of one worker: {bytes_of(own) / MIB:.0f} MiB")
    for name, grown in worker_bytes.items():
        print(
            f"worker {name}: {grown / MIB:.0f} MiB above the start; its largest "
            f"partition as strings: {parts[name] / MIB:.0f} MiB"
        )


def triples(arguments):
    """Write counts as Parquet in several files, read them, and print what it takes."""
    import pyarrow as pa
    from pyarrow import parquet

    print(describe_machine())
    texts = read_documents(arguments.reviews, arguments.documents)
    counts, vocabulary = skembed.cooccurrence(texts, n_jobs=arguments.threads)
    coo, words = counts.tocoo(), pa.array(list(vocabulary))
    with tempfile.TemporaryDirectory() as folder:
        for i in range(arguments.files):
            here = slice(i, None, arguments.files)
            columns = {
                "word": words.take(pa.array(coo.row[here])),
                "context": words.take(pa.array(coo.col[here])),
                "count": coo.data[here],
            }
            parquet.write_table(pa.table(columns), f"{folder}/{i}.parquet")
        del coo
        skembed.read_cooccurrence(f"{folder}/0.parquet")
        with AnonymousMemory() as memory:
            start = time.perf_counter()
            read, _ = skembed.read_cooccurrence(folder)
            seconds = time.perf_counter() - start
    size = bytes_of(read)
    print(
        f"{read.nnz} pairs of {read.shape[0]} words: {seconds:.1f} s, "
        f"{1e9 * seconds / read.nnz:.0f} ns a row; peak {memory.bytes / MIB:.0f} MiB, "
        f"{memory.bytes / size:.2f} times the result"
    )


def fit_counts(kind, counts, vocabulary, arguments, settings):
    """Return the seconds of a fit to counts, and its memory at the peak."""
    embedder = kind(
        input="cooccurrence",
        vocabulary=vocabulary,
        random_state=0,
        n_jobs=arguments.threads,
        **settings,
    )
    with AnonymousMemory() as memory:
        start = time.perf_counter()
        embedder.fit(counts)
        seconds = time.perf_counter() - start
    return seconds, memory.bytes


def non_zeros(arguments):
    """Print the time and memory of fits to counts, by epoch and non-zero."""
    print(describe_machine())
    texts = read_documents(arguments.reviews, arguments.documents)
    few = skembed.cooccurrence(texts[:WARM], n_jobs=arguments.threads)
    counts = skembed.cooccurrence(texts, n_jobs=arguments.threads)
    n_pairs, rows = counts[0].nnz, []
    print(f"{n_pairs} non-zeros of {counts[0].shape[0]} words")
    for name, epochs in (("PPMISVD", None), ("GloVe", 3), ("Softmax", 3)):
        kind = getattr(skembed, f"{name}Embedder")
        one = {} if epochs is None else {"max_iter": 1}
        fit_counts(kind, *few, arguments, one)
        seconds, memory = fit_counts(kind, *counts, arguments, one)
        each = ""
        if epochs is not None:
            # What is done once per fit does not count.
            more, memory = fit_counts(kind, *counts, arguments, {"max_iter": epochs})
            each = f"{1e9 * (more - seconds) / (epochs - 1) / n_pairs:.0f}"
        first = f"{1e9 * seconds / n_pairs:.0f}"
        rows.append([name, first, each, f"{memory / n_pairs:.1f}"])
    header = ["estimator", "ns a non-zero, fit with one epoch", "each further epoch"]
    print_table([*header, "bytes a non-zero"], rows)


def growth(arguments):
    """Print how words and non-zeros grow with tokens, and the exponents."""
    texts = read_documents(arguments.reviews, arguments.documents)
    analyze = CountVectorizer().build_analyzer()
    counted = Counter(word for text in texts for word in analyze(text))
    top = [word for word, _ in counted.most_common(arguments.words)]
    found, rows = [], []
    for step in (32, 16, 8, 4, 2, 1):
        part = texts[::step]
        n_tokens = sum(len(analyze(text)) for text in part)
        counts, _ = skembed.cooccurrence(part, n_jobs=arguments.threads)
        fixed, _ = skembed.cooccurrence(part, vocabulary=top, n_jobs=arguments.threads)
        found.append([n_tokens, counts.shape[0], counts.nnz, fixed.nnz])
        rows.append(list(map(str, found[-1])))
        if len(found) > 1:
            # Of a power law through this row and the one before.
            tokens, *others = np.log2(np.array(found[-1]) / found[-2])
            for i, other in enumerate(others, 1):
                rows[-1][i] += f" ({other / tokens:.2f})"
    header = ["tokens", "words", "non-zeros", f"of the {arguments.words} top words"]
    print_table(header, rows)


WORKS = {
    "one-machine": one_machine,
    "counting": counting,
    "cluster": cluster,
    "triples": triples,
    "non-zeros": non_zeros,
    "growth": growth,
    "fit": fit,
    "count": count_once,
}


def parser_of_works():
    """Return the parser; `fit` and `count` are the processes of other works."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    works = parser.add_subparsers(dest="work", required=True)
    one = {name: works.add_parser(name) for name in WORKS}
    for work in one.values():
        work.add_argument("reviews", help="JSON lines with a field `text`, may be .gz")
        work.add_argument("--documents", type=int, help="use the first ones only")
        work.add_argument("--threads", type=int, default=2)
        work.add_argument(
            "--folder", help="for ids on disk; a temporary one by default"
        )
    sizes = [2e7, 1e8, 3e8]
    work = one["one-machine"]
    work.add_argument("--tokens", type=float, nargs="+", default=sizes)
    work.add_argument(
        "--estimators", nargs="+", choices=KINDS, default=["SGNS", "PPMI-SVD"]
    )
    ways = ["fixed", "grows"]
    work.add_argument("--vocabularies", nargs="+", choices=ways, default=ways)
    places = ["memory", "disk"]
    work.add_argument("--places", nargs="+", choices=places, default=places)
    for name in ("one-machine", "fit", "growth"):
        help = "if they are fixed"
        one[name].add_argument("--words", type=int, default=40_000, help=help)
    work = one["fit"]
    work.add_argument("--estimator", choices=KINDS, required=True)
    work.add_argument("--tokens", type=int, required=True)
    work.add_argument("--grows", action="store_true")
    work.add_argument("--disk", action="store_true")
    for name in ("counting", "count"):
        one[name].add_argument("--window", type=int, default=5)
        one[name].add_argument("--copies", type=int, default=1, help="of the reviews")
    one["count"].add_argument(
        "--limit", type=int, required=True, help="bytes; 0 for none"
    )
    work = one["counting"]
    work.add_argument("--limits", type=int, nargs="*", default=[256], help="in MiB")
    for name in ("counting", "cluster"):
        one[name].add_argument("--rounds", type=int, default=5)
    one["cluster"].add_argument("--copies", type=int, default=1, help="of the reviews")
    one["cluster"].add_argument("--workers", type=int, default=2)
    one["cluster"].add_argument("--partitions", type=int, default=8)
    one["triples"].add_argument("--files", type=int, default=8)
    return parser


def main():
    arguments = parser_of_works().parse_args()
    arguments.folder = arguments.folder or tempfile.gettempdir()
    WORKS[arguments.work](arguments)


if __name__ == "__main__":
    main()
