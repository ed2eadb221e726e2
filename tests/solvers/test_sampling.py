"""What is drawn: probabilities against their formulas, and the tokens of epochs."""

import math
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skembed import CBOWEmbedder, SGNSEmbedder, cooccurrence
from skembed._counts.count import (
    WINDOW_WEIGHTINGS,
    keep_probabilities,
    window_weights,
)
from skembed._solvers import negative_sampling, sampling
from skembed._solvers.sampling import (
    Documents,
    Pairs,
    alias_table,
    noise_distribution,
    pair_draws,
    window_thresholds,
    word_draws,
)
from skembed._tying import bias, strategies
from tests.helpers import assert_same_fit, corpus_of
from tests.kernels import test_cbow, test_sgns

small = pytest.mark.small

WEIGHT = {
    "flat": lambda distance, window: Fraction(1),
    "harmonic": lambda distance, window: Fraction(1, distance),
    "dynamic": lambda distance, window: Fraction(window + 1 - distance, window),
}
windows = st.integers(1, 40)
weightings = st.sampled_from(WINDOW_WEIGHTINGS)
lists_of_counts = st.lists(st.integers(0, 10**7), min_size=1, max_size=12).filter(any)


@small
def test_all_weightings_are_tested():
    assert set(WEIGHT) == set(WINDOW_WEIGHTINGS)


@small
@given(windows, weightings)
def test_window_weights(window, weighting):
    weights = window_weights(window, weighting)
    assert weights.dtype == np.float64
    expected = [float(WEIGHT[weighting](d, window)) for d in range(1, window + 1)]
    np.testing.assert_allclose(weights, expected, rtol=1e-15)
    assert weights[0] == 1.0


@small
@given(windows, weightings)
def test_window_thresholds_are_probabilities(window, weighting):
    """A half-width of at least d is drawn with the weight of distance d."""
    thresholds = window_thresholds(window_weights(window, weighting))
    assert thresholds.dtype == np.uint64
    # Everybody's nearest neighbour is in the window, whatever 32 bits are drawn.
    assert thresholds[0] == 2**32
    assert (np.diff(thresholds.astype(np.int64)) <= 0).all()
    np.testing.assert_allclose(
        thresholds.astype(float) / 2.0**32,
        window_weights(window, weighting),
        rtol=0,
        atol=2.0**-32,
    )


@small
def test_dynamic_windows_are_drawn_uniformly():
    """As in word2vec: each size from 1 to the window's has the same probability."""
    thresholds = [*map(int, window_thresholds(window_weights(5, "dynamic"))), 0]
    sizes = -np.diff(thresholds) / 2.0**32
    np.testing.assert_allclose(sizes, 0.2, atol=1e-9)


@small
@given(lists_of_counts, st.sampled_from([1e-5, 1e-3, 0.1, 1.0, 10.0]))
def test_keep_probabilities(counts, subsample):
    keep = keep_probabilities(np.array(counts), subsample)
    assert keep.dtype == np.float64
    for count, probability in zip(counts, keep, strict=True):
        frequency = count / sum(counts)
        expected = 1.0
        if count:
            expected = math.sqrt(subsample / frequency) + subsample / frequency
        assert probability == pytest.approx(min(1.0, expected), rel=1e-12)
    assert (keep > 0).all()
    assert (keep <= 1).all()


@small
def test_nothing_is_dropped_without_subsampling():
    np.testing.assert_array_equal(keep_probabilities(np.array([0, 1, 10**9]), 0), 1.0)
    np.testing.assert_array_equal(keep_probabilities(np.array([1, 5]), np.inf), 1.0)


@small
@given(lists_of_counts, st.sampled_from([0.0, 0.5, 0.75, 1.0, 2.0]))
def test_noise_distribution(counts, exponent):
    noise = noise_distribution(np.array(counts), exponent)
    weights = [count**exponent if count else 0.0 for count in counts]
    np.testing.assert_allclose(noise, np.array(weights) / sum(weights), rtol=1e-12)
    assert noise.sum() == pytest.approx(1.0, abs=1e-12)
    # Words that never occur are never drawn, not even with exponent 0.
    assert ((noise == 0) == (np.array(counts) == 0)).all()


@small
@pytest.mark.parametrize("exponent", [100.0, 1e300, np.inf])
def test_noise_of_a_huge_exponent_is_the_most_frequent_word(exponent):
    noise = noise_distribution(np.array([10**6, 10**5, 0, 3]), exponent)
    np.testing.assert_allclose(noise, [1.0, 0.0, 0.0, 0.0], atol=1e-90)


@small
def test_draws_are_taken_together():
    counts = np.array([1000, 100, 10, 0])
    found = word_draws(counts, 1e-3, 0.75)
    np.testing.assert_array_equal(found.keep, keep_probabilities(counts, 1e-3))
    np.testing.assert_array_equal(found.kept, counts * found.keep)
    np.testing.assert_array_equal(found.noise, noise_distribution(counts, 0.75))


# --- alias table ----------------------------------------------------------------------


def distribution_of(thresholds, alias):
    """What is drawn from a table with 32 random bits per column, exactly."""
    n_words = len(thresholds)
    found = [Fraction(0)] * n_words
    for column, (threshold, other) in enumerate(zip(thresholds, alias, strict=True)):
        own = Fraction(int(threshold), 2**32)
        found[column] += own / n_words
        found[int(other)] += (1 - own) / n_words
    return found


def normalise(weights):
    weights = np.asarray(weights, dtype=np.float64)
    return weights / weights.sum()


def assert_draws(probabilities):
    thresholds, alias = alias_table(probabilities)
    assert thresholds.dtype == np.uint32
    assert alias.dtype == np.int32
    found = distribution_of(thresholds, alias)
    assert sum(found) == 1
    atol = 1e-9 * probabilities.size
    np.testing.assert_allclose(
        [float(p) for p in found], probabilities, rtol=0, atol=atol
    )
    # What must never be drawn has no share at all, not even a rounded one.
    for wanted, drawn in zip(probabilities, found, strict=True):
        assert wanted > 0 or drawn == 0


weights = st.one_of(
    st.just(0.0),
    st.integers(1, 5).map(float),
    st.floats(1e-12, 1e12),
    st.floats(1e-300, 1e-290),
)


@small
@given(st.lists(weights, min_size=1, max_size=50).filter(any))
def test_alias_table_draws_the_distribution(weights):
    assert_draws(normalise(weights))


@small
@given(lists_of_counts, st.sampled_from([0.0, 0.75, 1.0, 100.0]))
def test_alias_table_of_noise(counts, exponent):
    assert_draws(noise_distribution(np.array(counts), exponent))


CHOSEN = {
    "one": [1.0],
    "one of two": [0.0, 1.0],
    "one of four": [1.0, 0.0, 0.0, 0.0],
    "equal": [1.0] * 7,
    "tenths": [0.1] * 10,
    "nearly thirds": [0.3, 0.3, 0.3, 0.1],
    "zero last": [1.0] * 49 + [0.0],
    "Zipf": 1.0 / np.arange(1, 1001),
    "half never": np.append(np.zeros(500), 1.0 / np.arange(1, 501)),
    "Pareto": np.random.default_rng(0).pareto(0.5, size=1000),
}


@small
@pytest.mark.parametrize("weights", CHOSEN.values(), ids=CHOSEN)
def test_alias_table_of_chosen_distributions(weights):
    assert_draws(normalise(weights))


@small
def test_public_names_of_the_module():
    """The allowed values of `window_weighting` are the ones that are computed."""
    for weighting in WINDOW_WEIGHTINGS:
        assert window_weights(3, weighting).shape == (3,)
    distinct = {tuple(window_weights(3, name)) for name in WINDOW_WEIGHTINGS}
    assert len(distinct) == len(WINDOW_WEIGHTINGS)


every_family = pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])


def some_counts(n_words, rng, directed=False, high=6):
    """Whole numbers, a third of them 0, with some of the diagonal."""
    counts = rng.integers(0, high, size=(n_words, n_words)).astype(float)
    counts[rng.random(counts.shape) < 0.3] = 0.0
    return counts if directed else counts + counts.T


def pairs_of(counts, seed=0, subsample=0.0, **options):
    matrix = sparse.csr_array(np.asarray(counts, dtype=float))
    draws = pair_draws(matrix, np.sum(counts, axis=0), subsample, 0.75)
    return Pairs(matrix, draws, np.random.SeedSequence(seed), **options)


def visits(source, n_words):
    """Check what all chunks have in common; return how often pairs are visited."""
    seen, ends = np.zeros((n_words, n_words)), [0.0]
    for chunk in source.chunks():
        assert chunk.tokens.dtype == np.int32
        assert chunk.done[0] == pytest.approx(ends[-1])
        ends.append(chunk.done[1])
        first, second = chunk.tokens.reshape(-1, 2).T
        assert (first < 0).all()
        assert (second >= 0).all()
        np.add.at(seen, (~first, second), 1)
    assert ends[-1] == 1.0
    assert 2 * seen.sum() == source.size
    return seen


# --- pairs ----------------------------------------------------------------------------


@small
@pytest.mark.parametrize("chunk", [1 << 20, 64, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_pairs_are_visited_in_proportion(chunk, seed, monkeypatch):
    """Once for both directions; the diagonal, where both are the same, half as often.

    In every epoch, from another start, by less than one more or less.
    """
    monkeypatch.setattr(sampling, "_CHUNK", chunk)
    counts = 1.37 * some_counts(7, np.random.default_rng(seed))
    source = pairs_of(counts, seed)
    assert source.reach == (1, 1)
    wanted = np.triu(counts) - 0.5 * np.diag(np.diag(counts))
    scale = np.ceil(wanted.sum()) / wanted.sum()
    epochs = [visits(source, 7) for _ in range(30)]
    for seen in epochs:
        assert np.abs(seen - scale * wanted).max() < 1.0
    assert any((seen != epochs[0]).any() for seen in epochs)
    np.testing.assert_allclose(np.mean(epochs, axis=0), scale * wanted, atol=0.3)
    both = np.mean(epochs, axis=0)
    tokens = both.sum(axis=0) + both.sum(axis=1)
    np.testing.assert_allclose(source.kept, scale * counts.sum(axis=0))
    np.testing.assert_allclose(tokens, source.kept, atol=1.0)


@small
@pytest.mark.parametrize("contexts_first", [False, True])
def test_directed_pairs(contexts_first):
    counts = some_counts(6, np.random.default_rng(2), directed=True)
    source = pairs_of(counts, contexts_first=contexts_first)
    assert source.reach == (0, 1)
    assert source.size == 2 * counts.sum()
    # Whole counts, so visits are exact.
    wanted = counts.T if contexts_first else counts
    np.testing.assert_array_equal(visits(source, 6), wanted)
    np.testing.assert_allclose(source.kept, counts.sum(axis=0) + counts.sum(axis=1))


@small
def test_chunks_are_alike_and_in_no_order(monkeypatch):
    """Every chunk has its share of every pair, at random places."""
    monkeypatch.setattr(sampling, "_CHUNK", 250)
    counts = 20.0 * some_counts(5, np.random.default_rng(3), directed=True)
    source = pairs_of(counts)
    chunks = list(source.chunks())
    assert len(chunks) == -(-source.size // 250) > 5
    for chunk in chunks:
        assert chunk.tokens.size <= 250
        first, second = chunk.tokens.reshape(-1, 2).T
        seen = np.zeros((5, 5))
        np.add.at(seen, (~first, second), 1)
        wanted = counts * first.size / counts.sum()
        assert np.abs(seen - wanted).max() < 1.1
        cells = 5 * ~first + second
        assert (np.diff(cells) < 0).mean() > 0.2


@small
@pytest.mark.parametrize("directed", [False, True])
def test_subsampled_pairs(directed):
    """A pair is kept if both words are."""
    counts = some_counts(6, np.random.default_rng(4), directed, high=100)
    counts[:, 0] *= 20
    counts = counts if directed else counts + counts.T
    totals = counts.sum(axis=0)
    keep = keep_probabilities(totals, 0.05)
    assert keep.min() < 0.6
    kept = counts * np.outer(keep, keep)
    draws = pair_draws(sparse.csr_array(counts), totals, 0.05, 0.75)
    np.testing.assert_array_equal(draws.keep, keep)
    np.testing.assert_allclose(draws.kept, kept.sum(axis=0))
    np.testing.assert_array_equal(
        draws.noise, sampling.noise_distribution(totals, 0.75)
    )
    seen = visits(pairs_of(counts, subsample=0.05), 6)
    if not directed:
        kept = np.triu(kept) - 0.5 * np.diag(np.diag(kept))
    assert np.abs(seen - kept * seen.sum() / kept.sum()).max() < 1.0
    assert seen.sum() == np.ceil(kept.sum())


@small
def test_nothing_is_kept():
    with pytest.raises(ValueError, match="subsample"):
        pairs_of([[0, 1e-30], [1e-30, 0]], subsample=1e-320)


@small
@pytest.mark.parametrize(
    ("total", "n_pairs", "wanted"),
    [
        (0.001, 5, 5),
        (6.2, 5, 7),
        (1e300, 5, 250_000),
        (1e5, 5, 100_000),
        (1e300, 10_000, 1_000_000),
        (1e300, 100_000, 4_000_000),
        (1e300, 3_000_000, 30_000_000),
        (2.5e7, 3_000_000, 25_000_000),
        (1.0, 3_000_000, 3_000_000),
    ],
)
def test_number_of_visits(total, n_pairs, wanted):
    """All that counts say, within bounds that keep an epoch finite."""
    assert sampling._n_visits(total, n_pairs) == wanted


@small
@pytest.mark.parametrize("size", [1e-300, 1e-100, 1e-5, 1.0, 1e150, 1e300])
def test_pairs_of_any_size(size, monkeypatch):
    """Their ratios decide, however large or small they are."""
    monkeypatch.setattr(sampling, "_ANY_VISITS", 700)
    monkeypatch.setattr(sampling, "_MOST_VISITS_OF_FEW", 1)
    counts = size * np.array([[0.0, 3.0, 1.0], [3.0, 0.0, 0.0], [1.0, 0.0, 6.0]])
    seen = visits(pairs_of(counts), 3)
    wanted = np.triu(counts)
    wanted[2, 2] /= 2.0
    assert seen.sum() == (700 if size > 100 else 7 if size == 1.0 else 3)
    assert np.abs(seen - wanted * (seen.sum() / wanted.sum())).max() < 1.0 + 1e-9


@small
def test_pairs_of_all_sizes_at_once():
    """What is too rare to be visited costs nothing and breaks nothing."""
    counts = np.array([[0.0, 1e-320, 1e-300], [1e-310, 1e200, 0.0], [1.0, 0.0, 0.0]])
    for form in (counts, counts + counts.T):
        seen = visits(pairs_of(form, subsample=1e-3), 3)
        assert seen[1, 1] == seen.sum()


@small
@pytest.mark.parametrize("place", [(0, 0), (0, 2), (2, 1)])
def test_one_pair(place):
    counts = np.zeros((3, 3))
    counts[place] = 4.0
    seen = visits(pairs_of(counts), 3)
    assert np.flatnonzero(seen).tolist() == [3 * place[0] + place[1]]
    assert seen.sum() == (2 if place == (0, 0) else 4)


# --- one direction --------------------------------------------------------------------

WORD, CONTEXT, NOISE = 0, 1, 2


def trained_pair(train, strategy, tokens, **choices):
    """Return which rows of two tables a pair moves; all noise words are the same."""
    rng = np.random.default_rng(5)
    model = test_sgns.sgns_model(strategy, "word", 4, 3, rng, **choices)
    sampler = test_sgns.make_sampler(np.eye(4)[NOISE], 2, window=1)
    before = model.params.copy()
    lanes = train(tokens, model, sampler._replace(left=0), [1])
    moved = (model.params != before).any(axis=1).reshape(2, 4)
    assert lanes.pairs[0] == 1
    return [np.flatnonzero(table).tolist() for table in moved]


@small
@pytest.mark.parametrize("tokens", [[~WORD, CONTEXT], [~3, ~WORD, CONTEXT]])
def test_a_directed_pair_moves_its_word_and_its_context(tokens):
    """The second word gets no update as a word, nor the first as a context."""
    tokens = np.array(tokens, dtype=np.int32)
    strategy = strategies.get_strategy(False)
    words, contexts = trained_pair(test_sgns.train, strategy, tokens)
    assert words == [WORD]
    assert contexts == [CONTEXT, NOISE]


@small
def test_a_directed_pair_of_cbow():
    """The context comes first and is predicted from the word behind it."""
    strategy = strategies.get_strategy(False)
    tokens = np.array([~CONTEXT, WORD], dtype=np.int32)
    words, contexts = trained_pair(test_cbow.train, strategy, tokens)
    assert words == [WORD]
    assert contexts == [CONTEXT, NOISE]


@small
def test_pairs_reach_kernels_as_they_should(monkeypatch):
    """The estimators' own sources, whichever word their kernels begin with."""
    counts = np.zeros((4, 4))
    counts[WORD, CONTEXT] = 1.0
    for estimator, wanted in (
        (SGNSEmbedder, [~WORD, CONTEXT]),
        (CBOWEmbedder, [~CONTEXT, WORD]),
    ):
        seen = []

        def note(self, chunk, done, lanes, report, seen=seen):
            seen.append((chunk.tokens.tolist(), self.sampler[-2:]))
            lanes.pairs[:] = 1

        monkeypatch.setattr(negative_sampling._Training, "_visit", note)
        estimator(3, input="cooccurrence", max_iter=2, subsample=0).fit(counts)
        assert seen == [(wanted, (0, 1))] * 2


# --- the objective --------------------------------------------------------------------


def fitted(estimator, counts, **params):
    params = {
        "n_components": 2,
        "share_context": False,
        "bias": "exact",
        "negative": 3,
        "noise_exponent": 0.25,
        "subsample": 0,
        "max_iter": 1,
        "learning_rate": 1e-9,
        "random_state": 0,
        **params,
    }
    return estimator(input="cooccurrence", **params).fit(counts)


def expected_loss(embedder, kept, noise):
    """The mean objective of the pairs, with noise words in expectation."""
    names = np.array(list(embedder.vocabulary_))
    words, contexts = (names[i.ravel()] for i in np.indices(kept.shape))
    scores = embedder.score_pairs(words, contexts)
    scores = scores.reshape(kept.shape).astype(np.float64)
    softplus = np.logaddexp(0.0, scores)
    drawn = softplus @ noise
    of_pairs = np.logaddexp(0.0, -scores) + embedder.negative * (
        drawn[:, None] - noise * softplus
    )
    return (kept * of_pairs).sum() / kept.sum()


@every_family
@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("subsample", [0, 0.05])
def test_loss_of_an_epoch_is_the_expected_one(estimator, directed, subsample):
    """Without learning anything; `score` gives the same, exactly."""
    rng = np.random.default_rng(7)
    counts = 400.0 * some_counts(8, rng, directed)
    counts[2] *= 4
    counts[:, 5] *= 10
    counts = counts if directed else counts + counts.T
    share_context = not directed
    embedder = fitted(
        estimator, counts, subsample=subsample, share_context=share_context
    )
    totals = counts.sum(axis=0)
    keep = keep_probabilities(totals, subsample)
    assert subsample == 0 or keep.min() < 0.7
    kept = counts * np.outer(keep, keep)
    noise = sampling.noise_distribution(totals, 0.25)
    p = kept.sum(axis=0) / kept.sum()
    offset = np.log(p) - np.log(3 * noise)
    np.testing.assert_allclose(embedder._score_offset, offset, rtol=1e-5, atol=1e-6)
    expected = expected_loss(embedder, kept, noise)
    assert embedder.loss_curve_[0] == pytest.approx(expected, rel=5e-3)
    assert embedder.score(counts) == pytest.approx(-expected, rel=1e-5)
    # Other pairs, or those of the other direction, have another loss.
    others = [kept**0.5, counts**2] + [kept.T] * directed
    for other in others:
        far = expected_loss(embedder, other, noise)
        assert abs(far - expected) > 0.01 * expected


@pytest.mark.parametrize("share_context", [False, True])
def test_counts_of_text_train_as_the_text(share_context, tiny_corpus):
    params = {
        "n_components": 8,
        "share_context": share_context,
        "subsample": 0,
        "window": 3,
        "window_weighting": "flat",
        "learning_rate": 0.05,
        "max_iter": 60,
        "random_state": 0,
        "min_count": 1,
    }
    half = len(tiny_corpus) // 2
    train, held_out = tiny_corpus[:half], tiny_corpus[half:]
    of_text = SGNSEmbedder(**params).fit(train)
    counts, words = cooccurrence(
        train, window=3, window_weighting="flat", min_count=1, vocabulary=None
    )
    of_counts = SGNSEmbedder(**params, input="cooccurrence", vocabulary=words)
    of_counts.fit(counts)
    assert of_counts.vocabulary_ == of_text.vocabulary_
    untrained = SGNSEmbedder(**{**params, "learning_rate": 1e-9}).fit(train)
    for documents in (train, held_out):
        scores = [e.score(documents) for e in (of_text, of_counts, untrained)]
        assert scores[1] == pytest.approx(scores[0], rel=0.03)
        assert scores[0] > scores[2] + 0.05 * abs(scores[2])


@every_family
@pytest.mark.parametrize("directed", [False, True])
def test_number_of_threads(estimator, directed, monkeypatch):
    monkeypatch.setattr(negative_sampling, "_MIN_TOKENS_OF_A_THREAD", 1)
    monkeypatch.setattr(sampling, "_CHUNK", 10_000)
    counts = some_counts(80, np.random.default_rng(8), directed)
    sizes = []
    lanes = negative_sampling.make_lanes

    def note(n_lanes, n_slots, model, n_threads, *others):
        sizes.append((n_lanes, n_threads))
        return lanes(n_lanes, n_slots, model, n_threads, *others)

    monkeypatch.setattr(negative_sampling, "make_lanes", note)
    one, *others = [
        fitted(estimator, counts, learning_rate=0.05, n_jobs=n_jobs).set_params(
            n_jobs=None
        )
        for n_jobs in (1, 2, 3)
    ]
    for other in others:
        assert_same_fit(one, other)
    assert {size[0] for size in sizes} == {negative_sampling.MAX_LANES}
    if test_sgns.COMPILED:
        assert [size[1] for size in sizes] == [1, 2, 3]


# --- small and odd counts -------------------------------------------------------------

ODD = {
    "one word": [[5.0]],
    "two words": [[0, 3], [3, 0]],
    "two words, one way": [[0, 3], [0, 0]],
    "a diagonal": np.diag([1.0, 2.0, 3.0]),
    "one pair": [[0, 0, 0], [0, 0, 2], [0, 0, 0]],
    "fractions": np.full((3, 3), 1e-9),
    "huge": np.full((3, 3), 1e145) * np.arange(1, 4),
    "both": [[0, 1e-90, 1], [1e-90, 1e90, 0], [1, 0, 0]],
}


@small
@every_family
@pytest.mark.parametrize("share_context", [False, True])
@pytest.mark.parametrize("subsample", [0, 1e-3])
@pytest.mark.parametrize("counts", ODD.values(), ids=ODD)
def test_odd_counts(estimator, share_context, subsample, counts, monkeypatch):
    monkeypatch.setattr(sampling, "_ANY_VISITS", 50)
    monkeypatch.setattr(sampling, "_MOST_VISITS_OF_FEW", 10)
    counts = np.asarray(counts, dtype=float)
    params = {"subsample": subsample, "max_iter": 2, "learning_rate": 0.1}
    if share_context and (counts != counts.T).any():
        with pytest.warns(UserWarning, match="not symmetric"):
            embedder = fitted(estimator, counts, share_context=True, **params)
    else:
        embedder = fitted(estimator, counts, share_context=share_context, **params)
    assert np.isfinite(embedder.loss_curve_).all()
    assert np.isfinite(embedder.transform(np.eye(len(counts)))).all()
    assert np.isfinite(embedder.score(counts))


# --- documents ------------------------------------------------------------------------


def documents_of(documents, weights, seed=0, n_words=4):
    corpus = corpus_of(documents)
    if weights is not None:
        corpus = corpus._replace(doc_weights=np.asarray(weights, dtype=float))
    draws = SimpleNamespace(keep=np.ones(n_words), kept=np.ones(n_words))
    return Documents(corpus, draws, np.ones(2), np.random.SeedSequence(seed))


def read(source, n_documents):
    """Return how often documents of one word each, repeated, are visited; and sizes."""
    seen, sizes, end = np.zeros(n_documents, dtype=int), [], 0.0
    for chunk in source.chunks():
        assert chunk.done[0] == pytest.approx(end, abs=1e-12)
        assert chunk.done[0] <= chunk.done[1]
        end = chunk.done[1]
        starts = chunk.tokens[chunk.tokens < 0]
        seen += np.bincount(~starts, minlength=n_documents)
        sizes.append(chunk.tokens.size)
    assert end == pytest.approx(1.0)
    return seen, sizes


@small
@pytest.mark.parametrize("weights", [[3, 500, 0, 40], [0, 0, 1000, 0], [1, 1, 1, 7]])
def test_heavy_documents_fill_several_chunks(weights, monkeypatch):
    monkeypatch.setattr(sampling, "_CHUNK", 30)
    documents = [[0, 0], [1, 1, 1], [2], [3, 3]]
    source = documents_of(documents, weights)
    lengths = np.array([2, 3, 1, 2])
    assert source.size == lengths @ weights
    seen, sizes = read(source, 4)
    np.testing.assert_array_equal(seen, weights)
    assert sum(sizes) == source.size
    # However much a document weighs, the memory is that of some chunks.
    assert max(sizes) <= 3 * 30


@small
def test_heavy_documents_are_mixed():
    source = documents_of([[0, 0], [1], [2, 2, 2]], [100, 100, 100])
    (chunk,) = source.chunks()
    order = ~chunk.tokens[chunk.tokens < 0]
    assert np.bincount(order).tolist() == [100, 100, 100]
    assert (np.diff(order) != 0).sum() > 100


@small
@pytest.mark.parametrize(
    "weights", [[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 0], [1e-9, 0, 0, 0]]
)
@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_documents_without_weight(weights, chunk, monkeypatch):
    """Chunks may be empty; the shares of an epoch are complete in any case."""
    monkeypatch.setattr(sampling, "_CHUNK", chunk)
    documents = [[0, 0], [1, 1, 1], [2], [3, 3]]
    seen, _ = read(documents_of(documents, weights), 4)
    np.testing.assert_array_equal(seen, np.floor(weights))


@small
def test_plain_documents_are_cut_as_before(monkeypatch):
    monkeypatch.setattr(sampling, "_CHUNK", 3)
    documents = [[0, 0], [], [1, 1, 1], [2], [3, 3]]
    seen, sizes = read(documents_of(documents, None), 4)
    np.testing.assert_array_equal(seen, 1)
    assert sum(sizes) == 8
    assert len(sizes) == 2


@small
@every_family
def test_weights_that_would_take_for_ever(estimator):
    documents = [["a", "b", "c"]] * 4
    embedder = estimator(2, min_count=1, subsample=0)
    with pytest.raises(ValueError, match=r"sample_weight.*Divide"):
        embedder.fit(documents, sample_weight=[1, 1, 1e12, 0])


@small
@pytest.mark.parametrize("weight", [2.0**39, 1e300, 1.7e308])
def test_the_number_of_tokens_is_limited(weight):
    with pytest.raises(ValueError, match=r"sample_weight, of .* tokens"):
        documents_of([[0, 0, 1], [1]], [weight, 1])
    # The last that is allowed; nobody waits for it.
    assert documents_of([[0, 0], [1]], [2.0**39 - 1, 1]).size == 2**40 - 1


@every_family
def test_rates_fall_to_the_end(estimator, monkeypatch):
    """Over all chunks and epochs, with documents of no weight at the end."""
    monkeypatch.setattr(sampling, "_CHUNK", 40)
    seen = []

    def note(self, part, member):
        # The first call of all is of no round.
        if part.rounds[1]:
            seen.append((*part.rates, part.rounds))
        return train(self, part, member)

    train = negative_sampling._Training._train_slice
    monkeypatch.setattr(negative_sampling._Training, "_train_slice", note)
    documents = [["a", "b", "c"]] * 30 + [["a"]] * 30
    weights = np.repeat([2.0, 0.0], 30)
    params = {"min_count": 1, "subsample": 0, "max_iter": 3, "learning_rate": 0.4}
    estimator(2, **params).fit(documents, sample_weight=weights)
    counts = 10 * (np.ones((3, 3)) - np.eye(3))
    n_of_text = len(seen)
    estimator(2, input="cooccurrence", **params).fit(counts)
    for part in (seen[:n_of_text], seen[n_of_text:]):
        assert len(part) >= 6
        assert part[0][0] == pytest.approx(0.4)
        for (rate, change, rounds), (following, *_) in pairwise(part):
            assert rate + change * rounds[1] == pytest.approx(following)
        rate, change, rounds = part[-1]
        assert rate + change * rounds[1] == pytest.approx(0.4e-4)


def test_exact_offset_uses_kept_pairs():
    """Not the words' own counts: rare partners of frequent words are kept less."""
    counts = np.array([[0, 900.0, 10], [900, 0, 1], [10, 1, 0]])
    embedder = fitted(SGNSEmbedder, counts, subsample=0.01, share_context=True)
    keep = keep_probabilities(counts.sum(axis=0), 0.01)
    kept = (counts * np.outer(keep, keep)).sum(axis=0)
    noise = sampling.noise_distribution(counts.sum(axis=0), 0.25)
    strategy = strategies.get_strategy(True)
    offset = bias.get_bias("exact", strategy).offset(kept / kept.sum(), noise, 3)
    np.testing.assert_allclose(embedder._score_offset, offset, rtol=1e-6)
