"""Sections of `speed` on counts and matrices, and on the scaling with threads."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from tests.benchmarks import ours, peers
from tests.benchmarks.common import median_ratio, print_table
from tests.benchmarks.measures import in_fresh_process
from tests.benchmarks.ours import seconds_of
from tests.benchmarks.peers import Setting


def counting(data, options):
    """Co-occurrence counts: tokens a second against gensim's training, and memory."""
    threads = max(options.threads)
    rates = []
    for _ in range(options.rounds):
        seconds, _ = seconds_of(ours.count, data.corpus, data.n_words, threads)
        rates.append([data.n_tokens / seconds, peers.gensim_rate(data, threads)])
    mine, gensim = np.array(rates).T / 1e6
    used = _memory(data, threads)
    row = [threads, f"{np.median(mine):.2f}", f"{np.median(gensim):.3f}"]
    row += [f"{median_ratio(mine, gensim):.1f}", _mib(used["peak"])]
    row += [_mib(used["measure"]), f"{used['peak'] / used['measure']:.2f}"]
    header = ["threads", "million tokens/s", "gensim SGNS, million tokens/s", "ratio"]
    print_table([*header, "peak, MiB", "result, MiB", "peak / result"], [row])


def _memory(data, threads):
    arguments = ["counting", "--data", data.path, "--threads", threads]
    if data.n_documents is not None:
        arguments += ["--documents", data.n_documents]
    return in_fresh_process("tests.benchmarks.memory", *arguments)


def _mib(size):
    return f"{size / 2**20:.0f}"


def glove(data, options):
    """GloVe: non-zeros x epochs a second, without counting, against gensim's SGNS."""
    threads = max(options.threads)
    n_pairs = ours.count(data.corpus, data.n_words, threads).nnz
    rates = {False: [], True: []}
    for seed in range(options.rounds):
        setting = Setting(epochs=options.epochs, threads=threads, seed=seed)
        for share_context, found in rates.items():
            seconds = ours.train_glove(data.tokens, share_context, setting)
            yardstick = peers.gensim_rate(data, threads)
            found.append([n_pairs * options.epochs / seconds, yardstick])
    rows = []
    for share_context, found in rates.items():
        mine, gensim = np.array(found).T / 1e6
        row = [share_context, f"{np.median(mine):.2f}", f"{np.median(gensim):.3f}"]
        rows.append([*row, f"{median_ratio(mine, gensim):.1f}"])
    print(f"{n_pairs} non-zeros, {threads} threads\n")
    header = ["share_context", "million non-zeros/s", "gensim SGNS, million tokens/s"]
    print_table([*header, "ratio"], rows)


def factorisation(data, options):
    """Truncated SVD of the PPMI matrix, against scikit-learn's randomised one."""
    threads = max(options.threads)
    matrix = ours.ppmi_matrix(data.corpus, data.n_words, threads)
    times, errors = [], []
    for seed in range(options.rounds):
        mine, found = seconds_of(ours.factorise, matrix, 100, threads, seed)
        error = residual(matrix, *found)
        theirs, (left, values, right) = seconds_of(_sklearn_svd, matrix, 100, seed)
        times.append([mine, theirs])
        errors.append([error, residual(matrix, left, values, right.T)])
    mine, theirs = np.array(times).T
    norm = np.linalg.norm(matrix.data.astype(np.float64))
    print(
        f"{matrix.shape[0]} words, {matrix.nnz} non-zeros, norm {norm:.4f}, d = 100\n"
    )
    # The largest of ours beside the smallest of theirs.
    rows = [
        [
            "skembed",
            threads,
            f"{np.median(mine):.2f}",
            f"{max(e[0] for e in errors):.4f}",
        ],
        [
            "randomized_svd",
            "-",
            f"{np.median(theirs):.2f}",
            f"{min(e[1] for e in errors):.4f}",
        ],
    ]
    print_table(["program", "threads", "seconds", "norm of the residual"], rows)
    print(f"\nOurs is faster by {median_ratio(theirs, mine):.2f}, median of the pairs.")


def _sklearn_svd(matrix, size, seed):
    return randomized_svd(sparse.csr_matrix(matrix), size, random_state=seed)


def residual(matrix, left, values, right):
    """Return the Frobenius norm of ``M - P S Q'`` without a dense M."""
    left = np.asarray(left, dtype=np.float64) * values
    right = np.asarray(right, dtype=np.float64)
    matrix = matrix.astype(np.float64)
    square = (matrix.data**2).sum() - 2.0 * (left * (matrix @ right)).sum()
    return float(np.sqrt(square + ((left.T @ left) * (right.T @ right)).sum()))


def scaling(data, options):
    """How much faster more threads are: median of paired runs."""
    works = _works(data, options)
    rows = []
    for name, work in works.items():
        times = [
            [work(t, seed) for t in options.threads] for seed in range(options.rounds)
        ]
        by_threads = np.array(times).T
        for (few, first), (more, second) in pairwise(
            zip(options.threads, by_threads, strict=True)
        ):
            seconds = [f"{np.median(column):.2f}" for column in (first, second)]
            ratio = f"{median_ratio(first, second):.2f}"
            rows.append([name, f"{few} to {more}", *seconds, ratio])
    rows.append(_copies(works["SGNS"], options))
    print_table(["work", "threads", "seconds", "seconds", "ratio"], rows)


def _copies(work, options):
    """Several trainings at once that share nothing: what the machine itself allows."""
    few, more = options.threads[0], options.threads[-1]
    n_copies = more // few
    pairs = []
    with ThreadPoolExecutor(n_copies) as pool:
        for seed in range(options.rounds):
            alone = work(few, seed)
            at_once = max(pool.map(work, [few] * n_copies, [seed] * n_copies))
            pairs.append((n_copies * alone, at_once))
    one, all_ = np.array(pairs).T
    seconds = [f"{np.median(column):.2f}" for column in (one / n_copies, all_)]
    name = f"SGNS, {n_copies} fits at once"
    return [name, f"{few} each", *seconds, f"{median_ratio(one, all_):.2f}"]


def _works(data, options):
    """Return {name: function of threads and seed that returns seconds}."""
    matrix = ours.ppmi_matrix(data.corpus, data.n_words, max(options.threads))

    def negative_sampling(skip_gram):
        def work(threads, seed):
            setting = Setting(
                skip_gram, epochs=options.epochs, threads=threads, seed=seed
            )
            return ours.train(data.tokens, setting).seconds

        return work

    def glove(threads, seed):
        setting = Setting(epochs=options.epochs, threads=threads, seed=seed)
        return ours.train_glove(data.tokens, False, setting)

    def counting(threads, seed):
        return seconds_of(ours.count, data.corpus, data.n_words, threads)[0]

    def factorisation(threads, seed):
        return seconds_of(ours.factorise, matrix, 100, threads, seed)[0]

    return {
        "SGNS": negative_sampling(True),
        "CBOW": negative_sampling(False),
        "GloVe": glove,
        "counting": counting,
        "factorisation": factorisation,
    }
