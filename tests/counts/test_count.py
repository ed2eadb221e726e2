"""`subsample` of estimators that learn from counts, against dense arrays and fractions.

The share of all contexts that a word is stands for its frequency f; a pair's count is
multiplied by what is kept of both words.
"""

import pickle
from fractions import Fraction
from itertools import pairwise

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from skembed import GloVeEmbedder, PPMISVDEmbedder, cooccurrence
from skembed._counts import count, windows
from tests import reference
from tests.counts.helpers import assert_same_bits
from tests.helpers import (
    COUNTING,
    DOCUMENTS,
    MORE,
    SOFTMAX,
    WORDS,
    TreeEmbedder,
    assert_same_fit,
    cheap,
    sound_strategies,
)

# Of eight words, all of which lose some.
THRESHOLD = 0.02
# A tree is made of the counts of words, which counts of pairs do not tell.
FROM_PAIRS = [kind for kind in COUNTING if kind is not TreeEmbedder]
CASES = [(kind, one.name) for kind in FROM_PAIRS for one in sound_strategies(kind)]
FREQUENT = [f"amber {text} amber birch amber" for text in DOCUMENTS]
WINDOW = {"window": 2, "window_weighting": "harmonic", "vocabulary": WORDS}
WEIGHTS = np.arange(len(FREQUENT)) % 4


def dense_counts(documents=FREQUENT):
    """Return counts of WORDS within two places, with weights 1 and 1/2."""
    rows = [[WORDS.index(word) for word in text.split()] for text in documents]
    counts = np.zeros((len(WORDS), len(WORDS)))
    for words in rows:
        for i, word in enumerate(words):
            for j, context in enumerate(words):
                if 0 < abs(i - j) <= 2:
                    counts[word, context] += 1 / abs(i - j)
    return counts


def weigh(counts, of=None, threshold=THRESHOLD):
    """Return dense counts times what is kept, by the contexts of other counts."""
    of = counts if of is None else of
    ratio = threshold * of.sum() / np.maximum(of.sum(axis=0), 1e-300)
    keep = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return counts * np.outer(keep, keep)


def dense_scores(embedder, **side):
    words = np.array(WORDS)
    return embedder.score_pairs(words[:, None], words[None], **side)


def embedder_of(estimator, strategy=False, **params):
    return cheap(
        estimator,
        share_context=strategy,
        **{"subsample": THRESHOLD, **WINDOW, **params},
    )


def of_counts(estimator, strategy=False, **params):
    return embedder_of(estimator, strategy, input="cooccurrence", **params)


def nearest_in_rank(matrix, strategy, rank):
    if strategy is False:
        return reference.best_rank(matrix, rank)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    size = values if strategy is True else np.abs(values)
    some = np.argsort(-size)[:rank]
    values = np.maximum(values, 0) if strategy is True else values
    return (vectors[:, some] * values[some]) @ vectors[:, some].T


@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.2, 10.0])
@pytest.mark.parametrize("strategy", [False, True, "signed"])
def test_factorises_weighted_counts(strategy, threshold):
    """The nearest matrix of rank 3 to the PPMI of weighted counts."""
    embedder = embedder_of(PPMISVDEmbedder, strategy, subsample=threshold)
    counts = dense_counts()
    if 0 < threshold < 1:
        counts = weigh(counts, threshold=threshold)
    matrix = reference.ppmi(counts, 1.0, 0.75)
    np.testing.assert_allclose(
        dense_scores(embedder.fit(FREQUENT)),
        nearest_in_rank(matrix, strategy, 3),
        atol=2e-5,
    )


def test_factorises_weighted_counts_of_both_sides():
    """What is to the left of one word is to the right of the other: one weighting."""
    embedder = embedder_of(PPMISVDEmbedder, directional=True, n_components=8)
    embedder.fit(FREQUENT)
    left, _ = cooccurrence(FREQUENT, direction="left", **WINDOW)
    matrix = weigh(left.toarray())
    for side, counts in (("left", matrix), ("right", matrix.T)):
        np.testing.assert_allclose(
            dense_scores(embedder, direction=side),
            reference.ppmi(counts, 1.0, 0.75),
            atol=2e-5,
        )


@pytest.mark.parametrize("ways", [{}, {"early_stopping": True}], ids=str)
@pytest.mark.parametrize(("estimator", "strategy"), CASES)
def test_weighted_counts_give_the_same(estimator, strategy, ways):
    """Counts that somebody else has weighted, without `subsample`; losses, too."""
    ways = {} if estimator is PPMISVDEmbedder else {"max_iter": 3, **ways}
    if "early_stopping" in ways:
        ways["validation_fraction"] = 0.3
    with_it = embedder_of(estimator, strategy, **ways)
    without = of_counts(estimator, strategy, subsample=0.0, **ways)
    if "early_stopping" in ways:
        with pytest.warns(UserWarning, match="early_stopping"):
            with_it.fit(FREQUENT)
        with pytest.warns(UserWarning, match="early_stopping"):
            without.fit(weigh(dense_counts()))
    else:
        with_it.fit(FREQUENT)
        without.fit(weigh(dense_counts()))
    np.testing.assert_allclose(dense_scores(with_it), dense_scores(without), atol=1e-5)
    for name in ("loss_curve_", "validation_loss_curve_"):
        if hasattr(without, name):
            np.testing.assert_allclose(
                getattr(with_it, name), getattr(without, name), rtol=1e-5
            )


@pytest.mark.parametrize(("estimator", "strategy"), CASES)
def test_text_and_its_counts_give_the_same(estimator, strategy):
    """Bit for bit, whatever the order in which counts are added up."""
    counts, _ = cooccurrence(FREQUENT, **WINDOW)
    given = of_counts(estimator, strategy).fit(counts)
    direct = embedder_of(estimator, strategy).fit(FREQUENT)
    np.testing.assert_array_equal(given.word_vectors_, direct.word_vectors_)
    np.testing.assert_array_equal(given.context_vectors_, direct.context_vectors_)
    plain = embedder_of(estimator, strategy, subsample=0).fit(FREQUENT)
    assert np.abs(plain.word_vectors_ - direct.word_vectors_).max() > 1e-3


@pytest.mark.parametrize("form", ["text", "matrix"])
@pytest.mark.parametrize("estimator", COUNTING)
def test_weights_are_repetition(estimator, form):
    documents = np.array(FREQUENT, dtype=object)
    repeated = np.repeat(documents, WEIGHTS)
    if form == "matrix":
        counter = CountVectorizer(vocabulary=WORDS)
        documents, repeated = map(counter.transform, (documents, repeated))
    weighted = embedder_of(estimator).fit(documents, sample_weight=WEIGHTS)
    plain = embedder_of(estimator).fit(repeated)
    assert_same_fit(
        weighted, plain, without=("word_counts_", "pooling_", "_context_totals")
    )
    np.testing.assert_array_equal(weighted._context_totals, plain._context_totals)


@pytest.mark.parametrize("estimator", FROM_PAIRS)
def test_matrices(estimator):
    """Of documents x words: the same of the counts of shared documents."""
    matrix = CountVectorizer(vocabulary=WORDS).transform(FREQUENT)
    counts, _ = cooccurrence(matrix, vocabulary=WORDS)
    direct = embedder_of(estimator).fit(matrix)
    weighted = of_counts(estimator, subsample=0).fit(weigh(counts.toarray()))
    np.testing.assert_allclose(direct.word_vectors_, weighted.word_vectors_, atol=2e-5)


@pytest.mark.parametrize("estimator", FROM_PAIRS)
def test_directed_counts(estimator):
    """A word is as frequent as it is a context, as in negative sampling."""
    counts = np.random.default_rng(1).poisson(3.0, size=(8, 8)) * 1.0
    counts[:, 0] *= 9
    embedder = of_counts(estimator).fit(counts)
    weighted = of_counts(estimator, subsample=0).fit(weigh(counts))
    np.testing.assert_allclose(
        dense_scores(embedder), dense_scores(weighted), atol=1e-4
    )


@pytest.mark.parametrize("estimator", COUNTING)
def test_score(estimator):
    """Other documents are weighted by the words of those in `fit`."""
    embedder = embedder_of(estimator).fit(FREQUENT)
    counts = weigh(dense_counts(MORE), of=dense_counts())
    scores = dense_scores(embedder).astype(np.float64)
    if estimator is PPMISVDEmbedder:
        error = np.mean((reference.ppmi(counts, 1.0, 0.75) - scores) ** 2)
    elif estimator in SOFTMAX:
        error = (counts * -scores).sum() / counts.sum()
    else:
        some = counts > 0
        of_pairs = np.minimum(1, (counts[some] / embedder.x_max) ** embedder.alpha)
        error = np.mean(of_pairs * (scores[some] - np.log(counts[some])) ** 2)
    assert embedder.score(MORE) == pytest.approx(-error, rel=1e-5)
    plain = embedder_of(estimator, subsample=0).fit(FREQUENT)
    assert plain.score(MORE) != pytest.approx(embedder.score(MORE), rel=1e-3)


@pytest.mark.parametrize("estimator", COUNTING)
def test_partial_fit_adds_counts_as_they_are(estimator):
    """Parts weighted one by one would be another sum; the threshold may change."""
    parts = embedder_of(estimator, subsample=0.5)
    parts.partial_fit(FREQUENT[:9])
    parts.set_params(subsample=THRESHOLD).partial_fit(FREQUENT[9:])
    whole = embedder_of(estimator).fit(FREQUENT)
    np.testing.assert_array_equal(parts._context_totals, whole._context_totals)
    if estimator is PPMISVDEmbedder:
        np.testing.assert_array_equal(parts.word_vectors_, whole.word_vectors_)


@pytest.mark.parametrize("estimator", COUNTING)
def test_new_words_of_partial_fit(estimator):
    """Words that the counts so far lack have no frequency."""
    embedder = cheap(estimator, subsample=THRESHOLD)
    embedder.partial_fit(FREQUENT).partial_fit(["zebra amber zebra birch"] * 3)
    assert embedder.word_vectors_[embedder.vocabulary_["zebra"]].any()
    assert np.isfinite(embedder.score(FREQUENT))
    # Counted in the vocabulary's order here, and in random order in GloVe's first fit.
    assert embedder._context_totals[embedder.vocabulary_["zebra"]] > 0


@pytest.mark.parametrize("estimator", COUNTING)
def test_memory_keeps_counts_as_they_are(estimator, tmp_path, monkeypatch):
    """A search over thresholds counts once."""
    calls = []
    count = windows.count_cooccurrences

    def recorded(*arguments):
        calls.append(arguments)
        return count(*arguments)

    monkeypatch.setattr(windows, "count_cooccurrences", recorded)
    thresholds = (0, THRESHOLD, 0.3)
    kept = [
        embedder_of(estimator, memory=str(tmp_path), subsample=t).fit(FREQUENT)
        for t in thresholds
    ]
    assert len(calls) == 1
    fresh = [embedder_of(estimator, subsample=t).fit(FREQUENT) for t in thresholds]
    for one, other in zip(kept, fresh, strict=True):
        np.testing.assert_array_equal(one.word_vectors_, other.word_vectors_)
        np.testing.assert_array_equal(one._context_totals, other._context_totals)
    for one, other in pairwise(fresh):
        assert (one.word_vectors_ != other.word_vectors_).any()


@pytest.mark.parametrize("subsample", [-1e-5, True, "much", np.nan])
@pytest.mark.parametrize("estimator", COUNTING)
def test_wrong_thresholds(estimator, subsample):
    with pytest.raises(ValueError, match="subsample"):
        embedder_of(estimator, subsample=subsample).fit(FREQUENT)


@pytest.mark.parametrize("estimator", COUNTING)
def test_thresholds_that_leave_nothing(estimator):
    with pytest.raises(ValueError, match=r"subsample=1e-300 .* too small"):
        embedder_of(estimator, subsample=1e-300).fit(
            FREQUENT, sample_weight=np.full(len(FREQUENT), 1e-50)
        )


def draw_counts(seed, kind):
    rng = np.random.default_rng(seed)
    size = 30 + seed
    counts = sparse.random_array(
        (size, size), density=0.3, random_state=rng, format="csr"
    )
    if kind == "harmonic":
        counts.data = rng.integers(1, 400, counts.nnz) / rng.integers(1, 11, counts.nnz)
    elif kind == "uneven":
        counts.data = 10.0 ** rng.uniform(-300, 300, counts.nnz)
    elif kind == "tiny":
        counts.data *= 1e-300
    elif kind == "huge":
        counts.data *= 1e306
    return counts


@pytest.mark.parametrize("kind", ["harmonic", "any", "uneven", "tiny", "huge"])
@pytest.mark.parametrize("seed", range(3))
def test_totals(seed, kind, monkeypatch):
    """Near the exact sums; the same bits in any order, in one piece or in several."""
    counts = draw_counts(seed, kind)
    totals = count.context_totals(counts)
    columns = [
        sum(map(Fraction, column.data.tolist()), Fraction(0))
        for column in (counts[:, [i]] for i in range(len(totals)))
    ]
    bound = Fraction(counts.nnz, 2**50 if kind != "tiny" else 2**20) * sum(columns)
    assert all(
        abs(Fraction(total) - column) <= bound
        for total, column in zip(totals.tolist(), columns, strict=True)
    )
    monkeypatch.setattr(count, "_CHUNK", 50)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        order = rng.permutation(len(totals))
        permuted = sparse.csr_array(counts[order][:, order])
        np.testing.assert_array_equal(count.context_totals(permuted), totals[order])


@pytest.mark.parametrize("seed", range(3))
def test_weights_in_pieces(seed, monkeypatch):
    counts = draw_counts(seed, "harmonic")
    dense = counts.toarray()
    monkeypatch.setattr(count, "_CHUNK", 50)
    count.weigh_inplace(counts, dense.sum(axis=0), THRESHOLD)
    np.testing.assert_allclose(counts.toarray(), weigh(dense), rtol=1e-12)


def test_without_pairs():
    empty = sparse.csr_array((3, 3))
    assert not count.context_totals(empty).any()
    count.weigh_inplace(empty, np.zeros(3), THRESHOLD)


def test_glove_counts_in_random_order():
    """Its rows are in another order in memory, and the totals are not."""
    embedder = embedder_of(GloVeEmbedder).fit(FREQUENT)
    np.testing.assert_allclose(
        embedder._context_totals, dense_counts().sum(axis=0), rtol=1e-12
    )


# --- within a limit of memory ---------------------------------------------------------

LIMIT = 10**6


@pytest.mark.parametrize("weights", [None, "whole", "any"])
@pytest.mark.parametrize("direction", ["both", "left"])
def test_counts_within_a_limit(weights, direction, tmp_path):
    if weights is not None:
        weights = np.arange(len(FREQUENT)) % 3 * (0.1 if weights == "any" else 1)
    options = {"sample_weight": weights, "direction": direction, "min_count": 1}
    wanted, words = cooccurrence(FREQUENT, **options)
    for memory in (None, tmp_path, str(tmp_path), joblib.Memory(tmp_path, verbose=0)):
        options["memory"] = memory
        found, others = cooccurrence(FREQUENT, max_memory=LIMIT, **options)
        assert_same_bits(found, wanted)
        assert words == others
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith("tmp")]


@pytest.mark.parametrize("estimator", FROM_PAIRS)
def test_embedders_learn_from_counts_in_files(estimator):
    """Such arrays are like others, also where they are read-only."""
    wanted, words = cooccurrence(FREQUENT, min_count=1)
    found, _ = cooccurrence(FREQUENT, min_count=1, max_memory=LIMIT)
    params = {"input": "cooccurrence", "vocabulary": words, "min_count": 1}
    expected = cheap(estimator, **params).fit(wanted)
    assert_same_fit(cheap(estimator, **params).fit(found), expected)
    for part in (found.data, found.indices, found.indptr):
        part.flags.writeable = False
    assert_same_fit(cheap(estimator, **params).fit(found), expected)
    copied = pickle.loads(pickle.dumps(found))
    assert_same_bits(copied, wanted)


def test_what_has_no_limit():
    with pytest.raises(ValueError, match="max_memory=1000000 limits the counting of"):
        cooccurrence(np.eye(3), max_memory=LIMIT)
    with pytest.raises(ValueError, match="max_memory=10 bytes is too small"):
        cooccurrence(FREQUENT, max_memory=10)
    for wrong in (0, -1, 1.5, "1 GB"):
        with pytest.raises(ValueError, match="max_memory"):
            cooccurrence(FREQUENT, max_memory=wrong)


def test_counts_of_cooccurrence_are_kept(tmp_path, monkeypatch):
    wanted, _ = cooccurrence(FREQUENT, memory=tmp_path)
    monkeypatch.setattr(windows, "count_cooccurrences", None)
    for documents in (FREQUENT, iter(FREQUENT)):
        found, _ = cooccurrence(documents, memory=tmp_path)
        assert_same_bits(found, wanted)
