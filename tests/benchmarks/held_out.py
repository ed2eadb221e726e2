"""Held-out cross-entropy of any model that gives P(context | word), in nats per pair.

All models are read on the same pairs, and with one arithmetic: a function returns the
logarithms of the probabilities of all contexts for some rows of words, which must add
up to 1. Nothing here uses what `skembed.inspection` computes.
"""

import heapq
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import log_expit, log_softmax

from skembed import cooccurrence
from skembed._counts.count import context_totals, weigh_inplace

SUBSAMPLE = 1e-3
# Rows of words at once.
_BLOCK = 256


class Pairs(NamedTuple):
    """Held-out documents, expected counts of their pairs, and what was trained on."""

    documents: list  # of tokens
    words: list
    counts: Any  # csr_array of shape (n_words, n_words), float64
    trained: Any  # ndarray of shape (n_words,): of contexts, after subsampling


def pairs_of(train, documents, words, subsample=SUBSAMPLE):
    """Return `Pairs` in the dynamic window of 5, in rows of `words`.

    Subsampling multiplies a count by the probabilities that both words are kept, which
    are those of the documents trained on.
    """
    rows = {word: row for row, word in enumerate(words)}
    trained, counts = (
        cooccurrence(tokens, vocabulary=rows)[0] for tokens in (train, documents)
    )
    totals = context_totals(trained)
    for matrix in (trained, counts):
        weigh_inplace(matrix, totals, subsample)
    return Pairs(documents, words, counts, context_totals(trained))


def cross_entropy(counts, log_probabilities: Callable) -> float:
    """Return the mean of ``-ln P(c|w)`` over pairs.

    Parameters
    ----------
    counts : csr_array of shape (n_words, n_words), float64
        Rows are words, columns are contexts.
    log_probabilities : callable
        It is called with the first and the last row of a block, and returns an array
        of shape (last - first, n_words or more). Columns beyond n_words belong to
        contexts that are not among the pairs.

    Returns
    -------
    float
        In nats.
    """
    n_words, loss = counts.shape[0], 0.0
    for first, last in pairwise([*range(0, n_words, _BLOCK), n_words]):
        log_p = log_probabilities(first, last)
        sums = np.exp(log_p).sum(axis=1)
        if np.abs(sums - 1.0).max() > 1e-9:
            raise AssertionError(f"P(c|w) adds up to {sums.min()} to {sums.max()}")
        rows = counts[first:last].tocoo()
        loss -= rows.data @ log_p[rows.coords]
    return float(loss / counts.sum())


def log_shares(pairs):
    """Return ln p(c) of the contexts in training.

    A context that was in no pair counts as much as the rarest that was.
    """
    least = pairs.trained[pairs.trained > 0].min()
    shares = np.maximum(pairs.trained, least)
    return np.log(shares / pairs.trained.sum())


def unigram(pairs):
    """Return the cross-entropy of the contexts' frequencies in training."""
    of_contexts = context_totals(pairs.counts)
    return float(-(of_contexts @ log_shares(pairs)) / of_contexts.sum())


def of_products(inputs, outputs, biases=0.0):
    """Return log_probabilities of a full softmax over products plus biases."""
    inputs, outputs = (np.asarray(x, dtype=np.float64) for x in (inputs, outputs))

    def log_probabilities(first, last):
        return log_softmax(inputs[first:last] @ outputs.T + biases, axis=1)

    return log_probabilities


class Paths(NamedTuple):
    """The way from the root to every word: matrices of words x inner nodes of 0 and 1.

    At a node with score s, a path goes left with probability sigmoid(s).
    """

    visited: Any
    right: Any


def of_paths(inputs, nodes, paths, biases=0.0):
    """Return log_probabilities of a tree whose nodes' scores are products plus biases.

    Parameters
    ----------
    inputs : ndarray of shape (n_words, n_components)
    nodes : ndarray of shape (n_nodes, n_components)
    paths : Paths
    biases : float or ndarray of shape (n_nodes,)
    """
    inputs, nodes = (np.asarray(x, dtype=np.float64) for x in (inputs, nodes))

    def log_probabilities(first, last):
        scores = nodes @ inputs[first:last].T
        scores += np.reshape(biases, (-1, 1))
        # To the right: ln sigmoid(-s) = ln sigmoid(s) - s.
        return (paths.visited @ log_expit(scores) - paths.right @ scores).T

    return log_probabilities


def paths_of_gensim(wv):
    """Return the `Paths` of gensim's tree, whose code 0 is the left child."""
    codes, points = (
        [wv.get_vecattr(row, name) for row in range(len(wv))]
        for name in ("code", "point")
    )
    return _paths(codes, points)


def paths_of_fasttext(counts):
    """Return the `Paths` of fastText's tree, which its Python module does not show.

    Parameters
    ----------
    counts : list of int
        In the order of its words, the most frequent first.

    Notes
    -----
    The two smallest nodes are joined until one is left. Among equal counts, inner nodes
    come before words, earlier nodes before later ones, and later words before earlier
    ones. The second child has code 1. fastText uses sigmoid(s) for code 1, so it is the
    left child here.
    """
    n_words = len(counts)
    heap = [(count, True, -row, row) for row, count in enumerate(counts)]
    heapq.heapify(heap)
    parents = {}
    for node in range(n_words - 1):
        first, second = heapq.heappop(heap), heapq.heappop(heap)
        parents[first[-1]], parents[second[-1]] = (node, 1), (node, 0)
        heapq.heappush(heap, (first[0] + second[0], False, node, n_words + node))
    return _paths(*_climb(parents, n_words))


def paths_of_children(children):
    """Return the `Paths` of a tree whose inner nodes have a left and a right child.

    Parameters
    ----------
    children : ndarray of shape (n_words - 1, 2)
        Values below n_words are words, the value ``n_words + i`` is the inner node i.
    """
    parents = {
        child: (node, side)
        for node, pair in enumerate(children.tolist())
        for side, child in enumerate(pair)
    }
    return _paths(*_climb(parents, len(children) + 1))


def _climb(parents, n_words):
    """Return sides and nodes from every word to the root."""
    codes, points = [], []
    for child in range(n_words):
        code, point = [], []
        while child in parents:
            node, side = parents[child]
            code.append(side)
            point.append(node)
            child = n_words + node
        codes.append(code)
        points.append(point)
    return codes, points


def _paths(codes, points):
    lengths = np.array([len(code) for code in codes])
    row = np.repeat(np.arange(lengths.size), lengths)
    code, point = (np.concatenate(parts).astype(np.int64) for parts in (codes, points))

    def matrix(where):
        entries = np.ones(where.sum()), (row[where], point[where])
        return sparse.csr_array(entries, shape=(lengths.size, lengths.size - 1))

    return Paths(matrix(code >= 0), matrix(code == 1))
