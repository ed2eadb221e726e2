"""Section of `speed` on what the ways of tying cost in training."""

import warnings

import numpy as np

from skembed import CBOWEmbedder, SGNSEmbedder
from skembed._tying import strategies as _tying
from tests.benchmarks.common import median_ratio, print_table
from tests.benchmarks.ours import timed

# Choices beside `share_context`, of those estimators that have them.
WAYS = (
    {"directional": True},
    {"update": "word"},
    {"exclude_window_noise": True},
)


def strategies(data, options):
    """Seconds of training under every strategy, divided by those with two tables.

    With one thread, these are seconds of the processor, which hardly depend on what
    else the machine does.
    """
    threads = max(options.threads)
    rows = []
    for kind in (SGNSEmbedder, CBOWEmbedder):
        for params in _choices(kind, options.choices):
            pairs = [
                [
                    _seconds(kind, one, data, options, threads, seed)
                    for one in ({}, params)
                ]
                for seed in range(options.rounds)
            ]
            separate, other = np.array(pairs).T
            name = ", ".join(f"{key}={value!r}" for key, value in params.items())
            seconds = [f"{np.median(times):.2f}" for times in (separate, other)]
            ratio = f"{median_ratio(other, separate):.2f}"
            rows.append([kind.__name__, name, *seconds, ratio])
            print(*rows[-1], flush=True)
    print()
    header = ["estimator", "parameters", "two tables, s", "so, s", "ratio"]
    print_table(header, rows)


def _choices(kind, parameters):
    names = [one.name for one in _tying.strategies(_tying.SAMPLING)]
    known = kind._get_param_names()
    ways = [way for way in WAYS if way.keys() <= set(known)]
    ways += [{"share_context": name} for name in names if name is not False]
    return [way for way in ways if not parameters or way.keys() <= set(parameters)]


def _seconds(kind, params, data, options, threads, seed):
    embedder = timed(kind, "_fit_vectors")(
        options.size[0],
        max_iter=options.epochs,
        random_state=seed,
        n_jobs=threads,
        **params,
    )
    with warnings.catch_warnings():
        # Some strategies say that they are of no use.
        warnings.simplefilter("ignore", UserWarning)
        embedder.fit(data.tokens)
    return embedder.cpu_seconds if threads == 1 else embedder.seconds
