"""Sections of `speed` from raw strings to vectors and features, and on memory."""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from skembed import SGNSEmbedder
from tests.benchmarks import peers
from tests.benchmarks.common import median_ratio, print_table
from tests.benchmarks.measures import in_fresh_process
from tests.benchmarks.ours import seconds_of
from tests.benchmarks.peers import Setting


def text(data, options):
    """From strings to vectors against gensim, to features against CountVectorizer."""
    threads = max(options.threads)
    fits, transforms = [], []
    for seed in range(options.rounds):
        setting = Setting(epochs=options.epochs, threads=threads, seed=seed)
        embedder = _embedder(setting)
        mine, _ = seconds_of(embedder.fit, data.documents)
        fits.append([mine, _gensim(data, setting)])
        vectorizer = CountVectorizer(vocabulary=embedder.vocabulary_)
        ways = (embedder.transform, vectorizer.transform)
        transforms.append([seconds_of(way, data.documents)[0] for way in ways])
    rows = [
        _row("strings to vectors", "gensim", fits),
        _row("transform", "CountVectorizer.transform", transforms),
    ]
    header = [
        "work",
        "peer",
        "skembed, s",
        "peer, s",
        "skembed / peer",
        "peer / skembed",
    ]
    print_table(header, rows)


def _embedder(setting):
    return SGNSEmbedder(
        setting.size,
        share_context=False,
        bias=None,
        max_iter=setting.epochs,
        random_state=setting.seed,
        n_jobs=setting.threads,
    )


def _gensim(data, setting):
    """Return the seconds of the better of gensim's two ways."""
    analyze = CountVectorizer().build_analyzer()
    paths = (None, data.folder / "whole.txt")
    return min(
        peers.whole_way(analyze, data.documents, setting, path) for path in paths
    )


def _row(work, peer, pairs):
    mine, theirs = np.array(pairs).T
    seconds = [f"{np.median(column):.2f}" for column in (mine, theirs)]
    ratios = [median_ratio(mine, theirs), median_ratio(theirs, mine)]
    return [work, peer, *seconds, *(f"{ratio:.2f}" for ratio in ratios)]


def memory(data, options):
    """Peak memory of `fit` beyond the strings, against ids and two tables."""
    rows = []
    for size in options.size:
        for threads in options.threads:
            arguments = ["--data", data.path, "--size", size, "--threads", threads]
            if data.n_documents is not None:
                arguments += ["--documents", data.n_documents]
            used = in_fresh_process("tests.benchmarks.memory", "sgns", *arguments)
            sizes = [f"{used[name] / 2**20:.0f}" for name in ("peak", "measure")]
            ratio = f"{used['peak'] / used['measure']:.2f}"
            rows.append([size, threads, *sizes, ratio])
    header = ["d", "threads", "peak growth, MiB", "ids + 2 tables, MiB", "ratio"]
    print_table(header, rows)
