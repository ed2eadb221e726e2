"""The cross-entropy of documents, against dense softmaxes, optima and entropies."""

import warnings
from functools import lru_cache

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    PretrainedEmbedder,
    SGNSEmbedder,
    cooccurrence,
)
from skembed._solvers import losses
from skembed._tying import strategies
from skembed.graphs import GraphEmbedder
from skembed.inspection import held_out_cross_entropy
from skembed.vectors import WordVectors
from tests import reference
from tests.helpers import DOCUMENTS, MORE, OTHER_DOCUMENTS, WORDS, cheap, same

small = pytest.mark.small
KINDS = (SGNSEmbedder, GloVeEmbedder, PPMISVDEmbedder)
every_kind = pytest.mark.parametrize("kind", KINDS)
COUNTING = pytest.mark.parametrize("kind", [GloVeEmbedder, PPMISVDEmbedder])
WEIGHTS = {"dynamic": [1.0, 0.5], "flat": [1.0, 1.0], "harmonic": [1.0, 0.5]}
MODELS = [
    *((kind, {"share_context": s.name}) for kind in KINDS for s in
      strategies.strategies(kind._method)),
    *((SGNSEmbedder, {"bias": bias}) for bias in ("shift", "exact", "word")),
    (SGNSEmbedder, {"bias": "word", "share_context": True}),
    (SGNSEmbedder, {"directional": True}),
    (SGNSEmbedder, {"directional": True, "bias": "word"}),
    (SGNSEmbedder, {"direction": "left"}),
    (SGNSEmbedder, {"noise_exponent": 0.3, "negative": 2}),
    (GloVeEmbedder, {"direction": "right"}),
    (PPMISVDEmbedder, {"directional": True}),
    (PPMISVDEmbedder, {"direction": "left"}),
    (PPMISVDEmbedder, {"shift": 1.2, "context_exponent": 0.4}),
]  # fmt: skip


@lru_cache
def fit(kind, documents=tuple(DOCUMENTS), **params):
    """Fit to few documents, with steps so large that every score is different."""
    settings = {"learning_rate": 0.5} if kind is not PPMISVDEmbedder else {}
    settings["window_weighting"] = "dynamic"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedder = cheap(kind, **{**settings, **params})
        return embedder.fit(list(documents))


def changed(estimator, **attributes):
    """Return a copy of a fitted estimator with other learned attributes."""
    copy = type(estimator)(**estimator.get_params())
    vars(copy).update({**vars(estimator), **attributes})
    return copy


def rows_of(documents, estimator):
    rows = estimator.vocabulary_
    return [
        [rows[word] for word in text.lower().split() if word in rows]
        for text in documents
    ]


def side_counts(documents, estimator, side):
    """Return the dense counts of one side, pair by pair."""
    weights = WEIGHTS[estimator.window_weighting]
    n_words = len(estimator.word_vectors_)
    counts = np.zeros((n_words, n_words))
    for document in rows_of(documents, estimator):
        for i, word in enumerate(document):
            for j, context in enumerate(document):
                on_side = {"both": i != j, "left": j < i, "right": j > i}[side]
                if on_side and abs(i - j) <= estimator.window:
                    counts[word, context] += weights[abs(i - j) - 1]
    return counts


def shared_documents(vectorizer, documents):
    """Return how often words share documents. None is a context of itself."""
    dense = vectorizer.transform(documents).toarray().astype(float)
    counts = dense.T @ dense
    np.fill_diagonal(counts, 0.0)
    return counts


def keep_of(totals, threshold):
    """Return the probabilities of word2vec's program."""
    if not threshold:
        return np.ones(totals.size)
    ratio = threshold * totals.sum() / totals
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def power_shares(totals, exponent=1.0):
    weights = totals**exponent
    return weights / weights.sum()


def expected(estimator, documents, fitted_to=DOCUMENTS):
    """Return the cross-entropies by dense softmaxes over all contexts, and the pairs.

    All words must be in pairs of the documents of the fit.
    """
    words = np.array(list(estimator.vocabulary_), dtype=object)
    sides = [estimator.direction]
    if getattr(estimator, "directional", False):
        sides = ["left", "right"]
    sums = np.zeros(3)
    trained = {side: side_counts(fitted_to, estimator, side) for side in sides}
    for side in sides:
        if isinstance(estimator, SGNSEmbedder):
            totals = estimator.word_counts_
            keep = keep_of(totals, estimator.subsample)
            unigram = power_shares(totals * keep)
            prior = power_shares(totals, estimator.noise_exponent)
        else:
            totals = trained[sides[0]].sum(axis=0)
            keep = keep_of(totals, estimator.subsample)
            kept = (trained[side] * np.outer(keep, keep)).sum(axis=0)
            unigram, prior = power_shares(kept), np.ones(words.size)
            if isinstance(estimator, PPMISVDEmbedder):
                prior = power_shares(kept, estimator.context_exponent)
        asked = side if len(sides) == 2 else "both"
        scores = estimator.score_pairs(words[:, None], words[None, :], direction=asked)
        odds = np.exp(scores.astype(float)) * prior
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
        counts = side_counts(documents, estimator, side) * np.outer(keep, keep)
        sums += (
            -(counts * np.log(probabilities)).sum(),
            -(counts * np.log(unigram)).sum(),
            counts.sum(),
        )
    return sums[0] / sums[2], sums[1] / sums[2], np.log(words.size), sums[2]


def conditional_entropy(counts):
    """Return the mean of -ln P(c | w) under the counts themselves."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    return -(counts * np.log(shares)).sum() / counts.sum()


# --- what it is -----------------------------------------------------------------------


@small
@pytest.mark.parametrize("subsample", [0, 0.03])
@pytest.mark.parametrize(("kind", "params"), MODELS)
def test_against_a_dense_softmax(kind, params, subsample):
    fitted = fit(kind, subsample=subsample, **params)
    found = held_out_cross_entropy(fitted, OTHER_DOCUMENTS)
    assert all(type(value) is float for value in found)
    np.testing.assert_allclose(found, expected(fitted, OTHER_DOCUMENTS), rtol=1e-5)
    assert abs(found.model - found.unigram) > 1e-4
    assert found.uniform == pytest.approx(np.log(8))


def optimum(fitted, counts):
    """Return the scores at which the objective of a method is least, whatever w."""
    p = counts / counts.sum()
    ratios = p / np.outer(p.sum(axis=1), p.sum(axis=0))
    if isinstance(fitted, GloVeEmbedder):
        return np.log(counts)
    if isinstance(fitted, PPMISVDEmbedder):
        smoothed = power_shares(counts.sum(axis=0), fitted.context_exponent)
        ratios = p / np.outer(p.sum(axis=1), smoothed)
        return np.log(ratios) - np.log(fitted.shift)
    noise = power_shares(fitted.word_counts_, fitted.noise_exponent)
    return np.log(p / np.outer(p.sum(axis=1), fitted.negative * noise))


@small
@every_kind
def test_optimal_scores_have_the_conditional_entropy(kind):
    # With these documents, every word co-occurs with itself, too.
    documents = (*DOCUMENTS, *(f"{word} {word}" for word in WORDS))
    fitted = fit(kind, documents, **({"shift": 3} if kind is PPMISVDEmbedder else {}))
    counts = side_counts(documents, fitted, "both")
    assert counts.all()
    zeros = np.zeros(8, dtype=np.float32)
    biases = {name: zeros for name in vars(fitted) if name.endswith("_biases_")}
    ideal = changed(
        fitted,
        word_vectors_=optimum(fitted, counts).astype(np.float32),
        context_vectors_=np.eye(8, dtype=np.float32),
        _score_scale=np.ones(8, dtype=np.float32),
        **biases,
    )
    found = held_out_cross_entropy(ideal, documents)
    assert found.model == pytest.approx(conditional_entropy(counts), rel=1e-6)
    assert found.model < found.unigram < found.uniform
    # No other model has a lower one on these documents.
    assert found.model < held_out_cross_entropy(fitted, documents).model


@small
@pytest.mark.parametrize(
    ("share_context", "exponent"), [(False, 0.75), (False, 1), ("signed", 1)]
)
def test_factorisation_of_full_rank(share_context, exponent):
    params = {"share_context": share_context, "context_exponent": exponent}
    fitted = fit(PPMISVDEmbedder, n_components=8, **params)
    counts = side_counts(DOCUMENTS, fitted, "both")
    scores = reference.ppmi(counts, 1.0, exponent)
    odds = np.exp(scores) * power_shares(counts.sum(axis=0), exponent)
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    found = held_out_cross_entropy(fitted, DOCUMENTS).model
    loss = -(counts * np.log(probabilities)).sum() / counts.sum()
    assert found == pytest.approx(loss, rel=1e-6)


@small
@pytest.mark.parametrize("subsample", [0, 0.03])
@pytest.mark.parametrize("share_context", [False, True, "signed"])
def test_exact_offsets_alone_are_the_unigram(share_context, subsample):
    fitted = fit(
        SGNSEmbedder, share_context=share_context, bias="exact", subsample=subsample
    )
    zeros = np.zeros_like(fitted.word_vectors_)
    constant = changed(fitted, word_vectors_=zeros, context_vectors_=zeros)
    found = held_out_cross_entropy(constant, OTHER_DOCUMENTS)
    assert found.model == pytest.approx(found.unigram, rel=1e-7)


@small
def test_zero_vectors_leave_the_prior():
    counts = side_counts(OTHER_DOCUMENTS, fit(SGNSEmbedder), "both")
    for kind in KINDS:
        fitted = fit(kind, bias=None) if kind is SGNSEmbedder else fit(kind)
        zeros = np.zeros((8, 3), dtype=np.float32)
        biases = {name: zeros[:, 0] for name in vars(fitted) if "_biases_" in name}
        constant = changed(fitted, word_vectors_=zeros, context_vectors_=zeros)
        vars(constant).update(biases)
        prior = np.full(8, 1 / 8)
        if kind is SGNSEmbedder:
            prior = power_shares(fitted.word_counts_, 0.75)
        if kind is PPMISVDEmbedder:
            of_fit = side_counts(DOCUMENTS, fitted, "both").sum(axis=0)
            prior = power_shares(of_fit, 0.75)
        found = held_out_cross_entropy(constant, OTHER_DOCUMENTS)
        loss = -counts.sum(axis=0) @ np.log(prior) / counts.sum()
        assert found.model == pytest.approx(loss, rel=1e-12)


@small
@COUNTING
def test_unigram_is_an_entropy(kind):
    fitted = fit(kind)
    shares = power_shares(side_counts(DOCUMENTS, fitted, "both").sum(axis=0))
    entropy = -shares @ np.log(shares)
    found = held_out_cross_entropy(fitted, DOCUMENTS)
    assert found.unigram == pytest.approx(entropy, rel=1e-12)


@small
def test_families_are_scored_on_the_same_pairs():
    found = [held_out_cross_entropy(fit(kind), OTHER_DOCUMENTS) for kind in KINDS]
    assert len({each.n_pairs for each in found}) == 1
    assert len({each.uniform for each in found}) == 1


@small
@every_kind
def test_a_constant_of_the_word_changes_nothing(kind):
    fitted = fit(kind)
    words = np.random.default_rng(0).normal(size=(8, 1)).astype(np.float32)
    ones = np.ones((8, 1), dtype=np.float32)
    more = changed(
        fitted,
        word_vectors_=np.hstack([fitted.word_vectors_, 9 * words]),
        context_vectors_=np.hstack([fitted.context_vectors_, ones]),
        _score_scale=np.append(fitted._score_scale, np.float32(1)),
    )
    first, second = (held_out_cross_entropy(m, OTHER_DOCUMENTS) for m in (fitted, more))
    np.testing.assert_allclose(first, second, rtol=1e-5)


@small
@every_kind
def test_large_scores(kind):
    fitted = fit(kind)
    large = changed(fitted, word_vectors_=np.float32(1e5) * fitted.word_vectors_)
    scores = (large.word_vectors_ * large._score_scale) @ large.context_vectors_.T
    assert np.abs(scores).max() > 800  # more than exp takes
    found = held_out_cross_entropy(large, OTHER_DOCUMENTS).model
    words = np.array(list(fitted.vocabulary_), dtype=object)
    # The largest score is the whole softmax, but for ties that are not there.
    scores = large.score_pairs(words[:, None], words[None, :]).astype(float)
    counts = side_counts(OTHER_DOCUMENTS, fitted, "both")
    loss = (counts * (scores.max(axis=1, keepdims=True) - scores)).sum() / counts.sum()
    assert found == pytest.approx(loss, rel=0.05)
    assert found > 100


# --- input ----------------------------------------------------------------------------


@small
@every_kind
def test_repeated_documents(kind):
    once, twice = (
        held_out_cross_entropy(fit(kind), OTHER_DOCUMENTS * n) for n in (1, 2)
    )
    np.testing.assert_allclose(twice[:3], once[:3], rtol=1e-12)
    assert twice.n_pairs == pytest.approx(2 * once.n_pairs)


@small
@every_kind
def test_unknown_words_are_dropped(kind):
    fitted = fit(kind)
    plain = [text.split() for text in OTHER_DOCUMENTS]
    known = [[w.lower() for w in d if w.lower() in fitted.vocabulary_] for d in plain]
    found = held_out_cross_entropy(fitted, (document for document in known))
    assert found == held_out_cross_entropy(fitted, OTHER_DOCUMENTS)


@small
@pytest.mark.parametrize("subsample", [0, 0.03])
@every_kind
def test_counts_of_pairs(kind, subsample):
    counts, vocabulary = cooccurrence(DOCUMENTS, window=2, min_count=1)
    params = {
        "input": "cooccurrence",
        "subsample": subsample,
        "window_weighting": "dynamic",
    }
    fitted = cheap(kind, **params, vocabulary=vocabulary).fit(counts)
    others = cooccurrence(
        [text.lower() for text in OTHER_DOCUMENTS], window=2, vocabulary=vocabulary
    )[0]
    found = held_out_cross_entropy(fitted, others)
    totals = counts.sum(axis=0)
    keep = keep_of(totals, subsample)
    weights = others.toarray() * np.outer(keep, keep)
    kept = keep * (keep @ counts)
    unigram = -weights.sum(axis=0) @ np.log(power_shares(kept)) / weights.sum()
    assert found.n_pairs == pytest.approx(weights.sum(), rel=1e-12)
    assert found.unigram == pytest.approx(unigram, rel=1e-12)
    words = np.array(list(fitted.vocabulary_), dtype=object)
    scores = fitted.score_pairs(words[:, None], words[None, :]).astype(float)
    prior = {
        SGNSEmbedder: power_shares(totals, 0.75),
        GloVeEmbedder: np.ones(8),
        PPMISVDEmbedder: power_shares(kept, 0.75),
    }[kind]
    odds = np.exp(scores) * prior
    logs = np.log(odds / odds.sum(axis=1, keepdims=True))
    loss = -(weights * logs).sum() / weights.sum()
    assert found.model == pytest.approx(loss, rel=1e-5)


@small
@every_kind
def test_documents_as_a_matrix(kind):
    vectorizer = CountVectorizer().fit(DOCUMENTS)
    fitted = cheap(kind).fit(vectorizer.transform(DOCUMENTS))
    found = held_out_cross_entropy(fitted, vectorizer.transform(MORE))
    trained, held_out = (shared_documents(vectorizer, d) for d in (DOCUMENTS, MORE))
    of_contexts = held_out.sum(axis=0)
    p = power_shares(trained.sum(axis=0))
    assert found.n_pairs == pytest.approx(of_contexts.sum())
    assert found.unigram == pytest.approx(
        -of_contexts @ np.log(p) / of_contexts.sum(), rel=1e-12
    )
    prior = np.ones(8)
    if kind is not GloVeEmbedder:
        prior = power_shares(trained.sum(axis=0), 0.75)
    words = np.array(list(fitted.vocabulary_), dtype=object)
    scores = fitted.score_pairs(words[:, None], words[None, :]).astype(float)
    odds = np.exp(scores) * prior
    logs = np.log(odds / odds.sum(axis=1, keepdims=True))
    loss = -(held_out * logs).sum() / held_out.sum()
    assert found.model == pytest.approx(loss, rel=1e-5)


@small
@pytest.mark.parametrize("params", [{}, {"directional": True}])
@pytest.mark.parametrize("kind", [SGNSEmbedder, PPMISVDEmbedder])
def test_size_of_blocks(kind, params, monkeypatch):
    fitted = fit(kind, subsample=0.03, **params)
    whole = held_out_cross_entropy(fitted, OTHER_DOCUMENTS)
    for size in (1, 17, 24):
        monkeypatch.setattr(losses, "_SCORES", size)
        np.testing.assert_allclose(
            held_out_cross_entropy(fitted, OTHER_DOCUMENTS), whole, rtol=1e-6
        )


# --- contexts and words without counts ------------------------------------------------


@small
@every_kind
def test_contexts_that_the_fit_did_not_see(kind):
    vocabulary = sorted({*" ".join(DOCUMENTS).split(), "unseen"})
    fitted = fit(kind, vocabulary=tuple(vocabulary))
    row = fitted.vocabulary_["unseen"]
    assert not fitted.word_vectors_[row].any()
    found = held_out_cross_entropy(fitted, ["amber unseen"])
    assert np.isfinite(found).all()
    assert found.n_pairs == 2.0
    totals = side_counts(DOCUMENTS, fitted, "both").sum(axis=0)
    if kind is SGNSEmbedder:
        totals = fitted.word_counts_.astype(float)
    totals[row] = np.delete(totals, row).min()
    p, amber = power_shares(totals), fitted.vocabulary_["amber"]
    assert found.unigram == pytest.approx(-np.log(p[amber] * p[row]) / 2, rel=1e-12)
    prior = np.ones(9) if kind is GloVeEmbedder else power_shares(totals, 0.75)
    words = np.array(list(fitted.vocabulary_), dtype=object)
    scores = fitted.score_pairs(words[:, None], words[None, :]).astype(float)
    odds = np.exp(scores) * prior
    logs = np.log(odds / odds.sum(axis=1, keepdims=True))
    expected = -(logs[amber, row] + logs[row, amber]) / 2
    assert found.model == pytest.approx(expected, rel=1e-5)


@small
@pytest.mark.parametrize("bias", [None, "exact"])
def test_words_without_pairs_predict_the_prior(bias):
    documents = [*DOCUMENTS, "lonely"]
    fitted = fit(SGNSEmbedder, tuple(documents), bias=bias)
    row = fitted.vocabulary_["lonely"]
    assert not fitted.word_vectors_[row].any()
    p = power_shares(fitted.word_counts_, 1.0 if bias else 0.75)
    counts = sparse.csr_array(([1.0], ([row], [0])), shape=(9, 9))
    found = losses.cross_entropy_of_scores(fitted, counts)
    assert found == pytest.approx(-np.log(p[0]), rel=1e-6)


@small
@COUNTING
def test_contexts_of_later_documents_count(kind):
    whole = fit(kind, (*DOCUMENTS, *MORE), vocabulary=tuple(fit(kind).vocabulary_))
    parts = cheap(kind, window_weighting="dynamic", vocabulary=tuple(whole.vocabulary_))
    parts.partial_fit(DOCUMENTS).partial_fit(MORE)
    found = [held_out_cross_entropy(m, OTHER_DOCUMENTS) for m in (whole, parts)]
    assert found[0].unigram == found[1].unigram
    assert found[0].n_pairs == found[1].n_pairs


# --- hooks ----------------------------------------------------------------------------


class Uneven(SGNSEmbedder):
    """Every context of a pair has the probability 1/e, and those on the right 1/e^2."""

    def __init__(self, n_components=3, *, directional=False, min_count=1):
        super().__init__(
            n_components, directional=directional, min_count=min_count, subsample=0.03
        )

    def _cross_entropy_of_counts(self, counts, side=""):
        return (2.0 if side == "right_" else 1.0) * counts.data.sum()


@small
@pytest.mark.parametrize(("directional", "expected"), [(False, 1.0), (True, 1.5)])
def test_estimators_with_another_probability(directional, expected):
    fitted = Uneven(directional=directional).fit(DOCUMENTS)
    found = held_out_cross_entropy(fitted, MORE)
    assert found.model == pytest.approx(expected, rel=1e-12)
    keep = keep_of(fitted.word_counts_, 0.03)
    plain = SGNSEmbedder(3, min_count=1, subsample=0).fit(DOCUMENTS)
    assert keep.min() < 1.0
    assert found.n_pairs < held_out_cross_entropy(plain, MORE).n_pairs


# --- what is refused ------------------------------------------------------------------


@small
def test_windows_are_no_words():
    documents = iter(OTHER_DOCUMENTS)
    with pytest.raises(TypeError, match="CBOWEmbedder predicts a word from all words"):
        held_out_cross_entropy(fit(CBOWEmbedder), documents)
    assert len(list(documents)) == len(OTHER_DOCUMENTS)


@small
def test_only_fitted_embedders():
    for unfitted in (*KINDS, CBOWEmbedder):
        with pytest.raises(NotFittedError):
            held_out_cross_entropy(unfitted(), DOCUMENTS)
    for wrong in (make_pipeline(fit(SGNSEmbedder)), SGNSEmbedder, None, "sgns"):
        with pytest.raises(TypeError, match=f"got {type(wrong).__name__}"):
            held_out_cross_entropy(wrong, DOCUMENTS)
    table = WordVectors(["amber", "birch"], [[1.0], [2.0]])
    pretrained = PretrainedEmbedder(table).fit(["amber birch"])
    with pytest.raises(
        TypeError, match=r"got PretrainedEmbedder\. .* none of contexts"
    ):
        held_out_cross_entropy(pretrained, DOCUMENTS)


@small
def test_graphs():
    edges = [["a", "b"], ["b", "c"], ["c", "a"], ["c", "b"]]
    graph = GraphEmbedder(PPMISVDEmbedder(2, subsample=0)).fit(edges)
    with pytest.raises(
        TypeError, match=r"got GraphEmbedder\. .*GraphEmbedder, embedde"
    ):
        held_out_cross_entropy(graph, edges)
    found = held_out_cross_entropy(graph.embedder_, graph.adjacency_)
    assert found.n_pairs == 4.0
    assert found.model < found.unigram


@small
@every_kind
@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ("amber birch", "single str"),
        ([], "no pair of words"),
        ([["inlet", "jetty"]], "no pair of words"),
        (["amber", "birch"], "no pair of words"),
        (["amber birch", None], "Document 1 is missing"),
        (np.ones((2, 2)), "2 columns"),
    ],
)
def test_documents_are_checked(kind, documents, message):
    with pytest.raises(ValueError, match=message):
        held_out_cross_entropy(fit(kind), documents)


@small
@every_kind
def test_counts_are_left_as_they_are(kind):
    counts, vocabulary = cooccurrence(DOCUMENTS, window=2, min_count=1)
    fitted = cheap(kind, input="cooccurrence", vocabulary=vocabulary, subsample=0.03)
    fitted.fit(counts)
    before, data = dict(vars(fitted)), counts.data.copy()
    held_out_cross_entropy(fitted, counts)
    np.testing.assert_array_equal(counts.data, data)
    assert vars(fitted).keys() == before.keys()
    assert all(same(value, before[name]) for name, value in vars(fitted).items())
