"""Our side of every comparison, with the time of the part that is compared."""

import time
from unittest import mock

import numpy as np

from skembed import CBOWEmbedder, GloVeEmbedder, SGNSEmbedder
from skembed._counts import ppmi, windows
from skembed._counts.count import keep_probabilities, window_weights
from skembed._solvers import epochs as _epochs
from skembed._solvers.svd import TruncatedFactoriser
from tests.benchmarks.peers import Run


def timed(kind, method):
    """Return a class that notes `seconds` and `cpu_seconds` of one of its methods."""

    def measure(self, *arguments, **named):
        start, cpu = time.perf_counter(), time.process_time()
        result = getattr(kind, method)(self, *arguments, **named)
        self.seconds = time.perf_counter() - start
        self.cpu_seconds = time.process_time() - cpu
        return result

    return type(f"Timed{kind.__name__}", (kind,), {method: measure})


def train(tokens, setting):
    """Train skip-gram or CBOW; timed is all that follows the reading of the tokens."""
    kind = SGNSEmbedder if setting.skip_gram else CBOWEmbedder
    embedder = timed(kind, "_fit_vectors")(
        setting.size,
        share_context=False,
        bias=None,
        learning_rate=setting.rate,
        max_iter=setting.epochs,
        subsample=1e-3,
        random_state=setting.seed,
        n_jobs=setting.threads,
    ).fit(tokens)
    return Run(embedder.seconds, embedder.vocabulary_, embedder.word_vectors_)


def train_glove(tokens, share_context, setting):
    """Return the seconds of GloVe's epochs alone, without the counting before."""
    seconds = []

    def measure(epochs):
        start = time.perf_counter()
        fitted = run(epochs)
        seconds.append(time.perf_counter() - start)
        return fitted

    run = _epochs.Epochs.run
    with mock.patch.object(_epochs.Epochs, "run", measure):
        GloVeEmbedder(
            setting.size,
            share_context=share_context,
            combine="word",
            max_iter=setting.epochs,
            random_state=setting.seed,
            n_jobs=setting.threads,
        ).fit(tokens)
    return seconds[0]


def count(corpus, n_words, threads, window=10, weighting="harmonic"):
    """Return the co-occurrence counts of GloVe's default window."""
    weights = window_weights(window, weighting, corpus.longest)
    return windows.count_cooccurrences(corpus, n_words, weights, n_jobs=threads)


def ppmi_matrix(corpus, n_words, threads):
    """Return the PPMI matrix of `PPMISVDEmbedder(window=5, subsample=0)`."""
    return ppmi.ppmi_inplace(count(corpus, n_words, threads, 5, "dynamic"), 1.0, 0.75)


def factorise(matrix, size, threads, seed):
    """Return P, singular values and Q."""
    return TruncatedFactoriser(matrix, seed, n_jobs=threads).svd(size)


def seconds_of(function, *arguments):
    """Return the seconds of one call, and what it returned."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def expected_pairs(corpus, window=5, subsample=1e-3):
    """Return how many tokens and pairs an epoch of skip-gram is expected to train.

    A document keeps the tokens that subsampling leaves it; with the dynamic window a
    context at distance d is used with probability ``(window + 1 - d) / window``.
    """
    frequency = np.bincount(corpus.token_ids)
    keep = keep_probabilities(frequency, subsample)[corpus.token_ids]
    before = np.concatenate([[0.0], np.cumsum(keep)])
    kept = np.diff(before[corpus.doc_offsets])
    weights = window_weights(window, "dynamic")
    pairs = sum(
        2.0 * weight * np.maximum(kept - distance, 0.0).sum()
        for distance, weight in enumerate(weights, start=1)
    )
    return kept.sum(), pairs
