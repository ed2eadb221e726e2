"""Sections of `speed` on training: beside other programs, short documents, GFLOP/s."""

import numpy as np

from skembed._solvers import negative_sampling
from tests.benchmarks import ours, peers
from tests.benchmarks.common import median_ratio, print_table, similarity
from tests.benchmarks.measures import row_rates, sgemm_gflops
from tests.benchmarks.peers import Setting

OURS = "skembed"


def sgns(data, options):
    """Skip-gram: millions of tokens x epochs a second, and quality."""
    _beside_peers(data, options, skip_gram=True)


def cbow(data, options):
    """CBOW: millions of tokens x epochs a second, and quality."""
    _beside_peers(data, options, skip_gram=False)


def _beside_peers(data, options, skip_gram):
    programs = {OURS: lambda data, setting: ours.train(data.tokens, setting)}
    programs.update(peers.programs(options.fasttext))
    rounds, summary = [], []
    for size in options.size:
        for threads in options.threads:
            runs = {name: [] for name in programs}
            for seed in range(options.rounds):
                setting = Setting(
                    skip_gram, size, options.epochs, options.rate, threads, seed
                )
                for name, train in programs.items():
                    runs[name].append(_measure(data, train(data, setting), options))
                    rounds.append([size, threads, seed, name, *_cells(runs[name][-1])])
                    print(*rounds[-1], flush=True)
            summary.append([size, threads, *_summary(runs)])
    sets = list(data.sets)
    print("\nRounds, in millions of tokens x epochs a second:\n")
    print_table(["d", "threads", "round", "program", "rate", *sets], rounds)
    print("\nMedians of the rates, median of the ratios, means of the quality:\n")
    both = [f"{name}: ours, gensim's" for name in sets]
    print_table(["d", "threads", OURS, "gensim", "ratio", *both], summary)


def _measure(data, run, options):
    """Return the rate, and the correlation with every similarity set."""
    rate = data.n_tokens * options.epochs / run.seconds / 1e6
    scores = [similarity(p, run.rows, run.vectors)[0] for p in data.sets.values()]
    return [rate, *scores]


def _cells(measured):
    return [f"{number:.3f}" for number in measured]


def _summary(runs):
    """Compare ours with whichever of gensim's two ways was faster in the round."""
    mine = np.array(runs[OURS])
    ways = np.array([runs[name] for name in peers.GENSIM])
    faster = ways[ways[:, :, 0].argmax(axis=0), np.arange(len(mine))]
    rates = [np.median(measured[:, 0]) for measured in (mine, faster)]
    quality = zip(mine[:, 1:].mean(axis=0), faster[:, 1:].mean(axis=0), strict=True)
    return [
        *_cells(rates),
        f"{median_ratio(mine[:, 0], faster[:, 0]):.2f}",
        *(f"{first:.3f}, {second:.3f}" for first, second in quality),
    ]


def short(data, options):
    """Documents of 5 tokens: share of the throughput on whole documents."""
    pieces = data.pieces(5)
    rows = []
    for skip_gram in (True, False):
        for threads in options.threads:
            seconds = []
            for seed in range(options.rounds):
                setting = Setting(
                    skip_gram, epochs=options.epochs, threads=threads, seed=seed
                )
                pair = [ours.train(docs, setting) for docs in (data.tokens, pieces)]
                seconds.append([run.seconds for run in pair])
            whole, cut = np.array(seconds).T
            n_tokens = data.n_tokens * options.epochs / 1e6
            rates = [n_tokens / np.median(times) for times in (whole, cut)]
            share = median_ratio(whole, cut)
            model = "skip-gram" if skip_gram else "CBOW"
            rows.append([model, threads, *_cells(rates), f"{share:.0%}"])
    print_table(["model", "threads", "whole", "5 tokens", "share"], rows)


def flops(data, options):
    """GFLOP/s of our training against SGEMM, both on one core.

    What the algorithm needs: for each pair of a word with a context in its window,
    and of a word with a shared noise word, d multiply-adds for the score and d for
    the update of either vector, of 2 operations each: ``6 d (pairs + words * noise)``
    an epoch. Sigmoids, gathering and adding up of updates are not counted.
    """
    kept, pairs = ours.expected_pairs(data.corpus)
    shared = negative_sampling.SHARED_NOISE
    rows = []
    for size in options.size:
        work = 6.0 * size * (pairs + kept * shared) * options.epochs
        rates = []
        for seed in range(options.rounds):
            setting = Setting(size=size, epochs=options.epochs, seed=seed)
            seconds = ours.train(data.tokens, setting).seconds
            rates.append([work / seconds / 1e9, sgemm_gflops()])
        mine, peak = np.array(rates).T
        medians = [f"{np.median(column):.1f}" for column in (mine, peak)]
        rows.append([size, *medians, f"{median_ratio(mine, peak):.0%}"])
    print_table(["d", "skip-gram, GFLOP/s", "SGEMM, GFLOP/s", "share"], rows)


def rows(data, options):
    """Rows of 300 numbers from a table of 500,000: ceilings of large vocabularies.

    GB/s that one core reads, in order and at random.
    """
    print_table(["in order", "at random"], [[f"{r:.1f}" for r in row_rates()]])
