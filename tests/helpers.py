"""Tiny documents and cheap estimators that several test files share."""

import faulthandler
import gc
import json
import os
import select
import signal
import subprocess
import sys
import textwrap
import tracemalloc
import warnings
from pathlib import Path

import numba
import numpy as np
import polars as pl
from scipy import sparse
from sklearn.utils.validation import _get_feature_names

import skembed
from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
)
from skembed._corpus.vocabulary import Corpus
from skembed._fit import SECONDS
from skembed._tying import strategies
from skembed.pooling import Pooling

PACKAGE = Path(skembed.__file__).parent
# Older versions of scikit-learn do not know the columns of recent polars.
KNOWS_POLARS = _get_feature_names(pl.DataFrame({"a": [1.0]})) is not None
WORDS = ["amber", "birch", "cedar", "delta", "ember", "frost", "grove", "haven"]


def draw_documents(seed, n_documents=20, n_tokens=6):
    """Return raw documents of words that are drawn at random."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, size=n_tokens)) for _ in range(n_documents)]


DOCUMENTS = draw_documents(0)
OTHER_DOCUMENTS = [text.upper() + " Inlet jetty" for text in draw_documents(1, 15)]
TOKENISED = [text.split() for text in DOCUMENTS]


class TreeEmbedder(SoftmaxEmbedder):
    # A class, since common tests take one. Its defaults are those of the other loss.
    __doc__ = SoftmaxEmbedder.__doc__


_COMMON = {"n_components": 3, "min_count": 1, "window": 2, "random_state": 0}
# What makes a fit on twenty documents possible, and quick without the compiler.
CHEAP = {
    SGNSEmbedder: {**_COMMON, "subsample": 0, "max_iter": 1},
    CBOWEmbedder: {**_COMMON, "subsample": 0, "max_iter": 1},
    GloVeEmbedder: {**_COMMON, "combine": "word", "x_max": 5, "max_iter": 1},
    SoftmaxEmbedder: {**_COMMON, "subsample": 0, "max_iter": 1},
    TreeEmbedder: {
        **_COMMON,
        "loss": "hierarchical",
        "subsample": 0,
        "max_iter": 1,
    },
    PPMISVDEmbedder: {**_COMMON, "subsample": 0},
}
# Those that are public.
ESTIMATORS = tuple(kind for kind in CHEAP if kind is not TreeEmbedder)
# Features that are means of the words' vectors.
PLAIN = {"pooling": "mean", "scale": None}
SAMPLED = (SGNSEmbedder, CBOWEmbedder)
SOFTMAX = (SoftmaxEmbedder, TreeEmbedder)
EPOCHS = (*SAMPLED, GloVeEmbedder, *SOFTMAX)
COUNTING = (GloVeEmbedder, *SOFTMAX, PPMISVDEmbedder)
# Documents to go on with.
MORE = draw_documents(2, 12, 9)


def cheap(estimator, **params):
    """Return an unfitted estimator of a class for tiny documents."""
    return estimator(**{**CHEAP[estimator], **params})


def sound_strategies(estimator):
    """Return the strategies that an estimator can hold and fits without a warning."""
    return [one for one in strategies.strategies(estimator._method) if not one.note]


def traced(function, *arguments, n_calls=1):
    """Return what a call returns, and how many bytes it held at its peak.

    What other threads hold at that moment counts too, and so does the garbage of
    numba's calls, which is collected sooner or later: some 0.3 MB. Where that matters,
    the peak of several calls is the smallest.
    """
    peaks = []
    for _ in range(n_calls):
        gc.collect()
        tracemalloc.start()
        try:
            result = function(*arguments)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return result, min(peaks)


def learned(estimator):
    """Return all that `fit` has set, public or private, but for how long it took."""
    given = {*estimator.get_params(deep=False), "_sklearn_output_config", SECONDS}
    return {name: value for name, value in vars(estimator).items() if name not in given}


def same(left, right):
    """Whether two learned values are equal bit for bit, order of words included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return (
            left.dtype == right.dtype
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if sparse.issparse(left):
        parts = ("data", "indices", "indptr")
        return left.shape == right.shape and all(
            same(getattr(left, part), getattr(right, part)) for part in parts
        )
    if isinstance(left, dict):
        return list(left.items()) == list(right.items())
    if isinstance(left, Pooling):
        parts = vars(left), vars(right)
        return parts[0].keys() == parts[1].keys() and all(
            same(parts[0][name], parts[1][name]) for name in parts[0]
        )
    return left == right


ROUNDED = ("feature_means_", "feature_scales_")


def assert_same_fit(left, right, without=()):
    """Two estimators have learned the same, bit for bit, and nothing else.

    Except for the scale of features, which is the same to rounding.

    Attributes of the names `without` are left out.
    """
    first, second = (
        {name: v for name, v in learned(one).items() if name not in without}
        for one in (left, right)
    )
    assert first, "nothing is fitted"
    # pytest does not explain the assertions of this file by itself.
    extra = sorted(first.keys() ^ second.keys())
    assert not extra, f"only one of the two has {extra}"
    different = [
        name
        for name in first
        if not same(first[name], second[name])
        # Sums over documents are rounded, and weights change their order.
        and not (name in ROUNDED and np.allclose(first[name], second[name], 1e-9))
    ]
    assert not different, f"{different} are not equal"


def corpus_of(documents):
    """Return lists of word ids as a `Corpus`."""
    lengths = [len(words) for words in documents]
    return Corpus(
        np.array([word for words in documents for word in words], dtype=np.int32),
        np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
    )


def words_of(corpus, rows):
    """Return a corpus as lists of words, given the row of each word."""
    words = sorted(rows, key=rows.get)
    bounds = zip(corpus.doc_offsets[:-1], corpus.doc_offsets[1:], strict=True)
    return [
        [words[row] for row in corpus.token_ids[first:last]] for first, last in bounds
    ]


def from_python(part):
    """Make a part of kernels callable, as it has no wrapper for Python of its own."""
    if numba.config.DISABLE_JIT:
        return part

    @numba.njit
    def call(*arguments):
        return part(*arguments)

    return call


class Once:
    """An iterator that counts how it is used, as a generator of documents is."""

    def __init__(self, documents):
        self._documents = iter(documents)
        self.n_iter = 0
        self.n_next = 0

    def __iter__(self):
        self.n_iter += 1
        return self

    def __next__(self):
        self.n_next += 1
        return next(self._documents)


def run_python(code, folder, *arguments, **environment):
    """Run code in a fresh process, in a folder that may hold its own `skembed`.

    Returns what its last line of output says in JSON. A variable of value None is
    left out of the environment.
    """
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    variables.pop("PYTHONPATH", None)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        cwd=folder,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def in_fork(function, *arguments, seconds=60):
    """Return what a call in a forked child returns, in JSON, or fail if it hangs."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Recent versions of Python warn of any fork beside other threads.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded")
        child = os.fork()
    if not child:
        # To see where it hangs, if it does.
        faulthandler.dump_traceback_later(0.9 * seconds)
        try:
            answer = function(*arguments)
        except BaseException as error:
            answer = repr(error)
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        has_answered, _, _ = select.select([answers], [], [], seconds)
        if not has_answered:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert has_answered, f"the child hangs for {seconds} s"
        return json.loads(answers.read())
