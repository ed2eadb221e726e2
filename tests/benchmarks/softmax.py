"""Softmax losses of skembed, gensim and fastText: held-out cross-entropy and time.

    python -m tests.benchmarks.softmax --data reviews.jsonl.gz [--only entropy,fits]

Trains on the first `--documents` reviews. `entropy` reads P(context | word) of all
programs on the same pairs of the last `--held-out` reviews. In every round of `fits`,
ours and gensim run one after the other, from tokens to vectors, and ratios are medians
of the rounds' ratios, of elapsed and of CPU seconds. Needs the extra `bench`.
"""

import argparse
import inspect
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

import skembed
from skembed._kernels import softmax as kernels
from skembed._solvers.softmax import AUTO_DRAWS
from skembed._solvers.tree import huffman
from skembed._utils.threads import one_blas_thread
from skembed.inspection import held_out_cross_entropy
from tests.benchmarks import held_out, peers
from tests.benchmarks.common import (
    describe_machine,
    median_ratio,
    print_table,
    read_documents,
)
from tests.benchmarks.data import Data
from tests.benchmarks.measures import in_fresh_process
from tests.benchmarks.ours import seconds_of
from tests.benchmarks.peers import Setting

OURS = {
    "hierarchical": {"loss": "hierarchical"},
    "hierarchical, shared": {"loss": "hierarchical", "share_context": True},
    "softmax": {"loss": "softmax", "n_draws": 0},
    "softmax, draws": {"loss": "softmax", "n_draws": AUTO_DRAWS},
}
# fastText's full softmax learns few tokens a second.
SLOW_DOCUMENTS, SLOW_MIN_COUNT = 500, 20


def embedder_of(name, threads=1, seed=0):
    """Return an unfitted embedder of `OURS`."""
    return skembed.SoftmaxEmbedder(100, random_state=seed, n_jobs=threads, **OURS[name])


def _setting(options, **changes):
    threads = max(options.threads)
    fields = {"epochs": options.epochs, "threads": threads, "loss": "hs", **changes}
    return Setting(**fields)


def entropy(data, options):
    """Held-out cross-entropy, in nats per pair: all programs on the same pairs."""
    words, of_gensim = _gensim_probabilities(data, options)
    pairs = held_out.pairs_of(data.tokens, _held_out_tokens(options), words)
    print(f"{len(words)} words, {pairs.counts.nnz} non-zeros of held-out counts\n")
    rows = [
        ["uniform", np.log(len(words)), ""],
        ["unigram", held_out.unigram(pairs), ""],
        ["gensim hs", held_out.cross_entropy(pairs.counts, of_gensim), ""],
    ]
    of_fasttext = _fasttext_probabilities(data, options, words)
    rows.append(["fastText hs", held_out.cross_entropy(pairs.counts, of_fasttext), ""])
    rows += _our_rows(data, options, pairs)
    unigram = rows[1][1]
    rows = [
        [name, f"{value:.4f}", f"{unigram - value:.4f}", inspected]
        for name, value, inspected in rows
    ]
    header = ["model", "nats per pair", "gain over the unigram"]
    print_table([*header, "held_out_cross_entropy"], rows)


def _held_out_tokens(options):
    analyze = CountVectorizer().build_analyzer()
    documents = read_documents(options.data)
    if options.documents + options.held_out > len(documents):
        raise ValueError("pass fewer --documents, or a smaller --held-out")
    return [analyze(text) for text in documents[-options.held_out :]]


def _gensim_probabilities(data, options):
    model = peers.gensim_whole(data.tokens, _setting(options))
    wv = model.wv
    # Of V nodes, the last one is on no path.
    nodes, paths = model.syn1[: len(wv) - 1], held_out.paths_of_gensim(wv)
    # gensim's input is the context, its output the word in the middle. As the counts
    # are symmetric, that is P(context | word) as well.
    return wv.index_to_key, held_out.of_paths(wv.vectors, nodes, paths)


def _fasttext_probabilities(data, options, words):
    model = peers.fasttext_model(data.token_file, _setting(options))
    names, counts = model.get_words(include_freq=True)
    # It has one word more, the end of a line.
    row = {word: i for i, word in enumerate(names)}
    order = [row.pop(word) for word in words] + list(row.values())
    paths = held_out.paths_of_fasttext(counts.tolist())
    paths = held_out.Paths(*(matrix[order] for matrix in paths))
    inputs = model.get_input_matrix()[order]
    return held_out.of_paths(inputs, model.get_output_matrix()[:-1], paths)


def _our_rows(data, options, pairs):
    """Return our rows, also with what `skembed.inspection` says."""
    rows = []
    for name in OURS:
        embedder = embedder_of(name, max(options.threads)).fit(data.tokens)
        of_ours = _our_probabilities(embedder, pairs)
        value = held_out.cross_entropy(pairs.counts, of_ours)
        inspected = held_out_cross_entropy(embedder, pairs.documents)
        rows.append([f"skembed {name}", value, f"{inspected.model:.4f}"])
    return rows


def _our_probabilities(embedder, pairs):
    """Return log_probabilities by way of the public attributes."""
    order = [embedder.vocabulary_[word] for word in pairs.words]
    inputs = embedder.word_vectors_[order]
    if embedder.loss == "softmax":
        outputs = embedder.context_vectors_[order]
        return held_out.of_products(inputs, outputs, held_out.log_shares(pairs))
    paths = held_out.paths_of_children(embedder.children_)
    paths = held_out.Paths(*(matrix[order] for matrix in paths))
    return held_out.of_paths(
        inputs, embedder.node_vectors_, paths, embedder.node_biases_
    )


def fits(data, options):
    """Seconds of whole fits from tokens, and gensim's in the same round."""
    runs = {name: [] for name in ("gensim hs", *OURS)}
    for seed in range(options.rounds):
        setting = _setting(options, seed=seed)
        works = {"gensim hs": lambda s=setting: peers.gensim_whole(data.tokens, s)}
        for name in OURS:
            embedder = embedder_of(name, setting.threads, seed)
            works[name] = lambda e=embedder: e.fit(data.tokens)
        for name, work in works.items():
            runs[name].append(_elapsed_and_cpu(work))
            print(seed, name, *(f"{s:.2f}" for s in runs[name][-1]), flush=True)
    gensim = np.array(runs["gensim hs"])
    rows = []
    for name, found in runs.items():
        found = np.array(found)
        medians = [f"{seconds:.2f}" for seconds in np.median(found, axis=0)]
        ratios = [median_ratio(found[:, i], gensim[:, i]) for i in range(2)]
        rows.append([name, *medians, *(f"{ratio:.3f}" for ratio in ratios)])
    print()
    header = ["model", "seconds", "CPU seconds", "seconds / gensim's"]
    print_table([*header, "CPU seconds / gensim's"], rows)


def _elapsed_and_cpu(work):
    cpu = time.process_time()
    seconds, _ = seconds_of(work)
    return seconds, time.process_time() - cpu


def fasttext(data, options):
    """Tokens x epochs a second of fastText's losses, whole calls."""
    rows = []
    for loss in ("ns", "hs"):
        setting = _setting(options, loss=loss, epochs=1)
        rows.append(_fasttext_row(data, setting, peers.MIN_COUNT))
    few = Data(data.path, SLOW_DOCUMENTS, None, data.folder)
    for loss in ("ns", "hs", "softmax"):
        setting = _setting(options, loss=loss, epochs=1)
        rows.append(_fasttext_row(few, setting, SLOW_MIN_COUNT))
    header = ["loss", "documents", "tokens", "words", "seconds", "tokens a second"]
    print_table(header, rows)


def _fasttext_row(data, setting, min_count):
    seconds, model = seconds_of(
        peers.fasttext_model, data.token_file, setting, min_count
    )
    sizes = [len(data.documents), data.n_tokens, len(model.get_words())]
    return [setting.loss, *sizes, f"{seconds:.2f}", f"{data.n_tokens / seconds:.0f}"]


def trees(data, options):
    """Huffman trees of the same counts: decisions per token, and common nodes.

    Two nodes are the same if the same words are below them.
    """
    wv = peers.gensim_vocabulary(data.tokens, _setting(options))
    counts = [wv.get_vecattr(row, "count") for row in range(len(wv))]
    found = {
        "gensim": held_out.paths_of_gensim(wv),
        "fastText": held_out.paths_of_fasttext(counts),
        "skembed": held_out.paths_of_children(huffman(np.array(counts)).children),
    }
    below = {name: _leaves(paths) for name, paths in found.items()}
    rows = []
    for name, paths in found.items():
        decisions = paths.visited.sum(axis=1)
        shares = [len(below[name] & other) / len(other) for other in below.values()]
        per_token = decisions @ counts / sum(counts)
        rows.append([name, f"{per_token:.4f}", f"{decisions.max():.0f}"])
        rows[-1] += [f"{share:.0%}" for share in shares]
    header = ["tree", "decisions per token", "longest path"]
    print_table([*header, *(f"nodes of {name}" for name in found)], rows)


def _leaves(paths):
    """Return the set of hashes of the words below each node."""
    columns = paths.visited.tocsc()
    columns.sort_indices()
    parts = np.split(columns.indices, columns.indptr[1:-1])
    return {part.tobytes() for part in parts}


def threads(data, options):
    """How much faster more threads are, beside fits at once that share nothing."""
    few, more = options.threads[0], options.threads[-1]
    rows = []
    for name in OURS:
        times = [
            _threads_round(data, name, few, more, s) for s in range(options.rounds)
        ]
        one, two, at_once = np.array(times).T
        seconds = [f"{np.median(column):.2f}" for column in (one, two, at_once)]
        ceiling = more // few * median_ratio(one, at_once)
        rows.append([name, *seconds, f"{median_ratio(one, two):.2f}", f"{ceiling:.2f}"])
    header = ["loss", f"{few} thread, s", f"{more} threads, s"]
    header += [f"{more // few} fits at once, s", "ratio", "ratio of fits at once"]
    print_table(header, rows)


def _threads_round(data, name, few, more, seed):
    def fit(threads):
        work = embedder_of(name, threads, seed).fit
        return seconds_of(work, data.tokens)[0]

    alone, together = fit(few), fit(more)
    n_copies = more // few
    with ThreadPoolExecutor(n_copies) as pool:
        return alone, together, max(pool.map(fit, [few] * n_copies))


def memory(data, options):
    """Peak memory of `fit` beyond the tokens, against counts and six tables."""
    rows = []
    for name in OURS:
        arguments = ["--data", data.path, "--documents", data.n_documents]
        arguments += ["--threads", max(options.threads)]
        arguments += ["--parameters", json.dumps(OURS[name])]
        used = in_fresh_process("tests.benchmarks.memory", "softmax", *arguments)
        mib = [used[key] / 2**20 for key in ("peak", "counts", "table")]
        bar = mib[1] + 6 * mib[2] + 128
        rows.append([name, *(f"{x:.0f}" for x in (*mib, bar)), f"{mib[0] / bar:.2f}"])
    header = ["loss", "peak, MiB", "counts, MiB", "table, MiB"]
    print_table([*header, "counts + 6 tables + 128 MiB", "ratio"], rows)


def products(data, options):
    """Parts of the exact softmax on one tile, against a square product of one thread.

    The last column is the speed of a product, divided by that of the square one.
    """
    n_rows, width, tile = 417, 112, (0, 1024)
    random = np.random.default_rng(0)
    shapes = (n_rows, 26_687), (n_rows, width), (tile[1], width), (1024, 1024)
    scores, words, outputs, square = (
        random.standard_normal(shape, dtype=np.float32) for shape in shapes
    )
    slopes, none = scores[:, : tile[1]], np.zeros(0, dtype=np.int32)
    starts, totals = np.zeros(n_rows + 1, dtype=np.int64), np.zeros(n_rows)
    block = kernels.Block(starts, none, np.zeros(0), totals, 0)
    sums, factors = np.zeros((2, n_rows), np.float32), np.ones(n_rows, np.float32)
    parts = {
        "scores": lambda: np.matmul(words, outputs.T, out=slopes),
        "gradients of words": lambda: slopes @ outputs,
        "gradients of contexts": lambda: slopes.T @ words,
        "exponentials": lambda: kernels.exp_tile(scores, tile, block, *sums, totals),
        "slopes": lambda: kernels.slope_tile(scores, tile, block, factors),
    }
    with one_blas_thread():
        speed = 1024**3 / _median_of_calls(lambda: square @ square)
        least = n_rows * tile[1] * width / speed
        found = {name: _median_of_calls(part) for name, part in parts.items()}
    whole = sum(found.values())
    rows = [
        [name, f"{1e3 * t:.2f}", f"{t / whole:.2f}", f"{least / t:.2f}"]
        for name, t in found.items()
    ]
    for row in rows[3:]:
        row[-1] = ""  # these are no products
    print_table(["part", "ms", "share of these parts", "share of SGEMM's speed"], rows)


def _median_of_calls(work, n_calls=41):
    work()
    return np.median([seconds_of(work)[0] for _ in range(n_calls)])


SECTIONS = {
    section.__name__: section
    for section in (entropy, fits, fasttext, trees, threads, memory, products)
}


def _names(text):
    names = text.split(",")
    unknown = set(names) - set(SECTIONS)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown {sorted(unknown)}; sections are {', '.join(SECTIONS)}"
        )
    return names


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="JSON lines with a field text")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--held-out", type=int, default=5_000, help="the last ones")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=int, default=5, help="of other programs")
    parser.add_argument("--only", type=_names, default=list(SECTIONS), help="a,b,...")
    return parser.parse_args()


def main():
    options = parse()
    print(describe_machine())
    skembed.warmup(skembed.SoftmaxEmbedder)
    with tempfile.TemporaryDirectory() as folder:
        data = Data(options.data, options.documents, None, folder)
        print(f"{len(data.documents)} documents, {data.n_tokens} tokens")
        for name in options.only:
            section = SECTIONS[name]
            print(f"\n## {name}\n\n{inspect.getdoc(section)}\n", flush=True)
            start = time.perf_counter()
            section(data, options)
            print(f"\n({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
