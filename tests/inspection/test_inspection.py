"""Diagnostics of fitted models, against loops over all pairs, words and matrices."""

import itertools
import warnings
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    inspection,
)
from skembed._solvers import losses
from skembed._tying import strategies
from skembed.inspection import (
    _pmi,
    _vectors,
    held_out_loss,
    linear_predictability,
    pmi_spectrum,
    self_scores,
    similarity_kind,
    vector_cosines,
)
from tests import reference
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    OTHER_DOCUMENTS,
    SAMPLED,
    TOKENISED,
    WORDS,
    cheap,
    same,
)

small = pytest.mark.small
BIASES = [None, "shift", "exact", "word"]
MODELS = [
    (estimator, strategy.name)
    for estimator in ESTIMATORS
    for strategy in strategies.strategies(estimator._method)
]
every_model = pytest.mark.parametrize(("estimator", "share_context"), MODELS)
every_sampled_model = pytest.mark.parametrize(
    ("estimator", "share_context"), [model for model in MODELS if model[0] in SAMPLED]
)


@lru_cache
def fit(estimator, **params):
    """Fit to twenty documents, with steps so large that every score is different."""
    settings = {"learning_rate": 0.5} if estimator is not PPMISVDEmbedder else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cheap(estimator, **{**settings, **params}).fit(DOCUMENTS)


def changed(estimator, **attributes):
    """Return a copy of a fitted estimator with other learned attributes."""
    copy = type(estimator)(**estimator.get_params())
    vars(copy).update({**vars(estimator), **attributes})
    return copy


def spread(estimator):
    """Return a copy with vectors so large that scores are far from 0."""
    x, y = estimator.word_vectors_, estimator.context_vectors_
    factor = np.sqrt(4.0 / np.abs(x @ y.T).max()).astype(np.float32)
    tables = [name for name in vars(estimator) if name.endswith("_vectors_")]
    return changed(
        estimator, **{name: factor * getattr(estimator, name) for name in tables}
    )


def rows_of(documents, estimator):
    """Return lower-case documents as rows, without unknown words."""
    rows = estimator.vocabulary_
    return [
        [rows[word] for word in text.lower().split() if word in rows]
        for text in documents
    ]


def all_scores(estimator):
    """Return s(w, c) of all pairs, by the public way."""
    words = np.array(list(estimator.vocabulary_), dtype=object)
    return estimator.score_pairs(words[:, None], words[None, :]).astype(float)


def noise_scores(estimator):
    """Return the scores of all words with all noise words."""
    scores = all_scores(estimator)
    if hasattr(estimator, "noise_vectors_"):
        x = estimator.word_vectors_.astype(float)
        scores += x @ (estimator.noise_vectors_ - estimator.context_vectors_).T
        if hasattr(estimator, "noise_biases_"):
            scores += estimator.noise_biases_ - estimator.context_biases_
    return scores


def noise_of(estimator):
    """Return the distribution of noise words."""
    weights = estimator.word_counts_**estimator.noise_exponent
    return weights / weights.sum()


def offset_of(estimator, bias):
    """Return the part of a score that is neither vectors nor learned."""
    counts, k = estimator.word_counts_, estimator.negative
    if bias == "shift":
        return np.full(counts.size, -np.log(k))
    if bias == "exact":
        keep = np.ones(counts.size)
        if estimator.subsample:
            ratio = estimator.subsample * counts.sum() / counts
            keep = np.minimum(1.0, np.sqrt(ratio) + ratio)
        p = counts * keep / (counts * keep).sum()
        return np.log(p) - np.log(k * noise_of(estimator))
    return np.zeros(counts.size)


def softplus(x):
    return np.log1p(np.exp(x))


def weight_of(distance, window, weighting):
    return {
        "flat": 1.0,
        "harmonic": 1.0 / distance,
        "dynamic": (window + 1 - distance) / window,
    }[weighting]


def loss_of_pair(estimator, positive, noise, context):
    """Return the objective of one pair, with the expectation over noise words."""
    p = noise_of(estimator)
    loss = softplus(-positive)
    for word, score in enumerate(noise):
        if word != context:
            loss += estimator.negative * p[word] * softplus(score)
    return loss


def skip_gram_loss(estimator, documents, positive, noise):
    """Return the mean objective, pair by pair, and the number of pairs.

    `positive` and `noise` hold all scores of words with contexts and noise words.
    """
    loss, n_pairs = 0.0, 0.0
    for rows in documents:
        for i, j in itertools.permutations(range(len(rows)), 2):
            distance, (word, context) = abs(i - j), (rows[i], rows[j])
            if distance <= estimator.window:
                weight = weight_of(
                    distance, estimator.window, estimator.window_weighting
                )
                loss += weight * loss_of_pair(
                    estimator, positive[word, context], noise[word], context
                )
                n_pairs += weight
    return loss / n_pairs, n_pairs


def bag_loss(estimator, documents, bias, half_widths):
    """Return the mean objective of CBOW over predicted words and half-widths."""
    x = estimator.word_vectors_.astype(float)
    y = estimator.context_vectors_.astype(float)
    z = getattr(estimator, "noise_vectors_", y).astype(float)
    of_words = getattr(estimator, "word_biases_", np.zeros(len(x))).astype(float)
    offset = offset_of(estimator, bias) + getattr(estimator, "context_biases_", 0.0)
    of_noise = offset
    if hasattr(estimator, "noise_biases_"):
        of_noise = offset_of(estimator, bias) + estimator.noise_biases_
    pool = np.mean if estimator.aggregation == "mean" else np.sum
    losses = []
    for rows, half in itertools.product(documents, half_widths):
        for i, word in enumerate(rows):
            around = rows[max(0, i - half) : i] + rows[i + 1 : i + 1 + half]
            if around:
                hidden, own = pool(x[around], axis=0), pool(of_words[around])
                positive = y[word] @ hidden + own + offset[word]
                noise = z @ hidden + own + of_noise
                losses.append(loss_of_pair(estimator, positive, noise, word))
    return np.mean(losses), len(losses) / len(half_widths)


# --- vectors --------------------------------------------------------------------------


@small
@every_model
def test_self_scores(estimator, share_context, monkeypatch):
    fitted = fit(estimator, share_context=share_context)
    scores = self_scores(fitted)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, np.diag(all_scores(fitted)))
    assert np.ptp(scores) > 0
    monkeypatch.setattr(_vectors, "_CHUNK", 3)
    np.testing.assert_array_equal(self_scores(fitted), scores)


@small
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("share_context", [False, True, "signed"])
@pytest.mark.parametrize("estimator", SAMPLED)
def test_self_scores_hold_biases_and_offsets(estimator, share_context, bias):
    fitted = fit(estimator, share_context=share_context, bias=bias)
    expected = (fitted.word_vectors_ * fitted.context_vectors_).sum(axis=1)
    expected = expected + offset_of(fitted, bias)
    expected += getattr(fitted, "word_biases_", 0.0)
    expected += getattr(fitted, "context_biases_", 0.0)
    np.testing.assert_allclose(self_scores(fitted), expected, atol=1e-6)


@small
@every_model
def test_vector_cosines(estimator, share_context, monkeypatch):
    fitted = fit(estimator, share_context=share_context)
    cosines = vector_cosines(fitted)
    assert cosines.dtype == np.float64
    pairs = zip(fitted.word_vectors_, fitted.context_vectors_, strict=True)
    expected = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in pairs]
    np.testing.assert_allclose(cosines, expected, atol=1e-6)
    if share_context is True:
        assert (cosines == 1.0).all()
    monkeypatch.setattr(_vectors, "_CHUNK", 3)
    np.testing.assert_array_equal(vector_cosines(fitted), cosines)


@small
def test_vector_cosines_of_signs():
    fitted = fit(SGNSEmbedder, share_context="signed")
    squares = fitted.word_vectors_.astype(float) ** 2
    expected = squares @ fitted.context_signs_ / squares.sum(axis=1)
    np.testing.assert_allclose(vector_cosines(fitted), expected, rtol=1e-12)


@small
@pytest.mark.parametrize("which", ["word_vectors_", "context_vectors_"])
def test_cosine_of_a_zero_vector_is_zero(which):
    fitted = fit(SGNSEmbedder)
    vectors = getattr(fitted, which).copy()
    vectors[2] = 0.0
    cosines = vector_cosines(changed(fitted, **{which: vectors}))
    assert cosines[2] == 0.0
    assert (np.delete(cosines, 2) == np.delete(vector_cosines(fitted), 2)).all()


@small
@every_model
def test_linear_predictability(estimator, share_context):
    fitted = fit(estimator, share_context=share_context)
    predicted = LinearRegression().fit(fitted.word_vectors_, fitted.context_vectors_)
    expected = r2_score(
        fitted.context_vectors_,
        predicted.predict(fitted.word_vectors_),
        multioutput="variance_weighted",
    )
    assert linear_predictability(fitted) == pytest.approx(expected, abs=1e-5)
    # One table, or closed forms that differ by signs: a linear map of each other.
    if share_context is False and estimator is not PPMISVDEmbedder:
        assert linear_predictability(fitted) < 0.99
    elif share_context not in (False, "three"):
        assert linear_predictability(fitted) == pytest.approx(1.0, abs=1e-9)


@small
def test_linear_predictability_of_tables_of_known_relation():
    """A part of the variance follows from word vectors, the other is unrelated."""
    fitted = fit(SGNSEmbedder)
    rng = np.random.default_rng(0)
    words, noise = np.linalg.qr(rng.standard_normal((2000, 6)))[0].T.reshape(2, 3, -1)
    words, noise = (part.T - part.mean(axis=1) for part in (words, noise))
    both = changed(fitted, word_vectors_=words, context_vectors_=words + 2 * noise + 5)
    assert linear_predictability(both) == pytest.approx(0.2, abs=0.01)
    constant = changed(fitted, context_vectors_=np.full((8, 3), 0.5, np.float32))
    assert linear_predictability(constant) == 1.0
    alike = changed(fitted, word_vectors_=np.ones((8, 3), np.float32))
    assert linear_predictability(alike) == pytest.approx(0.0, abs=1e-9)
    # A dimension that is the copy of another adds nothing, and does no harm.
    copied = np.column_stack([words, words[:, 0]])
    doubled = changed(both, word_vectors_=copied)
    assert linear_predictability(doubled) == pytest.approx(
        linear_predictability(both), abs=1e-9
    )


# --- spectrum -------------------------------------------------------------------------


def shifted_pmi(documents, n_words, window, weighting, shift):
    """Return the dense matrix."""
    weights = [weight_of(d, window, weighting) for d in range(1, window + 1)]
    counts = reference.cooccurrences(documents, n_words, weights)
    totals = counts.sum(axis=1)
    matrix = np.full((n_words, n_words), -np.log(shift))
    for word, context in np.argwhere(counts > 0):
        ratio = counts[word, context] * counts.sum()
        matrix[word, context] += np.log(ratio / (totals[word] * totals[context]))
    return matrix


def draw_numbered(n_words, n_documents, n_tokens, seed=0):
    """Return documents of words w0, w1, ... of very different frequencies, as rows."""
    rng = np.random.default_rng(seed)
    p = 1.0 / np.arange(1, n_words + 1)
    shape = (n_documents, n_tokens)
    return rng.choice(n_words, size=shape, p=p / p.sum()).tolist()


def as_tokens(documents):
    return [[f"w{word}" for word in document] for document in documents]


@small
@pytest.mark.parametrize("weighting", ["flat", "harmonic", "dynamic"])
@pytest.mark.parametrize("shift", [1, 2.5, 5])
@pytest.mark.parametrize("limit", [1000, 0])
def test_spectrum(shift, weighting, limit, monkeypatch):
    """By both ways: dense, and by products with a sparse matrix and a constant."""
    monkeypatch.setattr(_pmi, "_DENSE_LIMIT", limit)
    documents = draw_numbered(40, 30, 15)
    found = pmi_spectrum(
        as_tokens(documents),
        n_components=8,
        shift=shift,
        window=3,
        window_weighting=weighting,
        min_count=1,
        random_state=0,
    )
    used, numbers = np.unique(documents, return_inverse=True)
    documents = numbers.reshape(30, 15).tolist()
    matrix = shifted_pmi(documents, used.size, 3, weighting, shift)
    values = np.linalg.eigvalsh(matrix)
    expected = values[np.argsort(-np.abs(values))][:8]
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-8)
    assert found.negative_share == (expected < 0).mean()
    energy = (expected[expected < 0] ** 2).sum() / (expected**2).sum()
    assert found.negative_energy == pytest.approx(energy, rel=1e-8)
    assert 0 < found.negative_energy < 1


@small
def test_spectrum_in_closed_form():
    """Two words in each other's window only: PMI(a, b) = ln 2, PMI(a, a) not seen."""
    documents = ["amber birch"] * 9
    found = pmi_spectrum(documents, shift=5, window=1)
    expected = [-2 * np.log(5) + np.log(2), -np.log(2)]
    np.testing.assert_allclose(found.eigenvalues, expected, rtol=1e-12)
    assert found.negative_share == found.negative_energy == 1.0
    found = pmi_spectrum(documents, shift=1, window=1)
    expected = [-np.log(2), np.log(2)]
    np.testing.assert_allclose(np.sort(found.eigenvalues), expected, rtol=1e-12)
    assert found.negative_share == found.negative_energy == 0.5


@small
def test_spectrum_of_independent_words_is_zero():
    """One word with itself: its PMI is 0."""
    found = pmi_spectrum(["amber amber amber"] * 3, shift=1)
    assert found.eigenvalues.tolist() == [0.0]
    assert found.negative_share == found.negative_energy == 0.0


@small
def test_spectrum_of_all_or_some_words():
    """No more eigenvalues than words; rare words are left out, and all but the top."""
    documents = as_tokens(draw_numbered(20, 30, 10))
    counts = Counter(itertools.chain.from_iterable(documents))
    for least in (1, 5, 20):
        found = pmi_spectrum(documents, min_count=least).eigenvalues
        assert found.size == sum(count >= least for count in counts.values())
    assert pmi_spectrum(documents, max_features=7).eigenvalues.size == 7
    kept = sorted(counts, key=lambda word: (-counts[word], word))[:7]
    shortened = [[word for word in text if word in kept] for text in documents]
    np.testing.assert_allclose(
        pmi_spectrum(documents, max_features=7).eigenvalues,
        pmi_spectrum(shortened, max_features=None).eigenvalues,
    )


@small
def test_spectrum_reads_raw_documents():
    raw = pmi_spectrum([f"{text.upper()}!" for text in DOCUMENTS], window=2)
    tokenised = pmi_spectrum((text for text in TOKENISED), window=2)
    np.testing.assert_array_equal(raw.eigenvalues, tokenised.eigenvalues)


@small
def test_spectrum_repeats(monkeypatch):
    monkeypatch.setattr(_pmi, "_DENSE_LIMIT", 0)
    documents = as_tokens(draw_numbered(40, 30, 15))
    first, again, other = (
        pmi_spectrum(documents, n_components=5, random_state=seed).eigenvalues
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose(first, other, rtol=1e-9)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"shift": 0.5}, "shift"),
        ({"window": 0}, "window"),
        ({"window_weighting": "gaussian"}, "window_weighting"),
        ({"min_count": 0}, "min_count"),
        ({"min_count": 1000}, "min_count"),
        ({"max_features": 0}, "max_features"),
        ({"random_state": "zero"}, "random_state"),
        ({"X": "amber birch"}, "single str"),
        ({"X": []}, "no documents"),
        ({"X": [["amber"]] * 9}, "no pair"),
        ({"X": [["amber", 7]]}, "Token 1 of document 0"),
    ],
)
@small
def test_spectrum_refuses(params, message):
    with pytest.raises(ValueError, match=message):
        pmi_spectrum(**{"X": DOCUMENTS, **params})


# --- held-out loss --------------------------------------------------------------------


@small
@every_sampled_model
@pytest.mark.parametrize("bias", BIASES)
def test_loss_is_that_of_all_pairs(estimator, share_context, bias):
    """Flat windows, no subsampling: nothing is random."""
    params = {"window_weighting": "flat", "negative": 3, "share_context": share_context}
    fitted = spread(fit(estimator, bias=bias, **params))
    documents = rows_of(OTHER_DOCUMENTS, fitted)
    if estimator is SGNSEmbedder:
        scores = all_scores(fitted), noise_scores(fitted)
        expected = skip_gram_loss(fitted, documents, *scores)
    else:
        expected = bag_loss(fitted, documents, bias, [fitted.window])
    found = held_out_loss(fitted, OTHER_DOCUMENTS)
    assert (found.loss, found.n_pairs) == pytest.approx(expected, rel=1e-5)
    assert found.loss != pytest.approx(found.zero, rel=3e-5)


@small
@pytest.mark.parametrize("bias", BIASES)
def test_loss_of_sums(bias):
    """Offsets enter once, however many vectors are added up."""
    params = {"window_weighting": "flat", "share_context": True, "aggregation": "sum"}
    fitted = spread(fit(CBOWEmbedder, bias=bias, **params))
    documents = rows_of(OTHER_DOCUMENTS, fitted)
    expected = bag_loss(fitted, documents, bias, [fitted.window])
    found = held_out_loss(fitted, OTHER_DOCUMENTS)
    assert (found.loss, found.n_pairs) == pytest.approx(expected, rel=1e-5)


@small
@pytest.mark.parametrize("weighting", ["harmonic", "dynamic"])
def test_pairs_of_skip_gram_have_expected_weights(weighting):
    fitted = spread(fit(SGNSEmbedder, window=3, window_weighting=weighting))
    documents = rows_of(OTHER_DOCUMENTS, fitted)
    expected = skip_gram_loss(
        fitted, documents, all_scores(fitted), noise_scores(fitted)
    )
    found = held_out_loss(fitted, OTHER_DOCUMENTS)
    assert (found.loss, found.n_pairs) == pytest.approx(expected, rel=1e-5)


@small
@pytest.mark.parametrize("bias", [None, "word"])
@pytest.mark.parametrize("weighting", ["flat", "dynamic"])
def test_left_and_right_contexts(weighting, bias):
    """Each side has its own context vectors, for noise words too."""
    params = {"window": 3, "window_weighting": weighting, "directional": True}
    fitted = spread(fit(SGNSEmbedder, bias=bias, **params))
    x = fitted.word_vectors_.astype(float)
    loss, n_pairs = 0.0, 0.0
    for rows in rows_of(OTHER_DOCUMENTS, fitted):
        for i, j in itertools.permutations(range(len(rows)), 2):
            if abs(i - j) <= 3:
                side = "left" if j < i else "right"
                noise = getattr(fitted, f"{side}_context_vectors_") @ x[rows[i]]
                noise = noise + getattr(fitted, f"{side}_context_biases_", 0.0)
                weight = weight_of(abs(i - j), 3, weighting)
                loss += weight * loss_of_pair(fitted, noise[rows[j]], noise, rows[j])
                n_pairs += weight
    found = held_out_loss(fitted, OTHER_DOCUMENTS)
    assert (found.loss, found.n_pairs) == pytest.approx(
        (loss / n_pairs, n_pairs), rel=1e-5
    )


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_baselines_are_losses_of_constant_scores(estimator):
    fitted = fit(estimator, window_weighting="flat", negative=3)
    documents = rows_of(OTHER_DOCUMENTS, fitted)
    found = held_out_loss(fitted, OTHER_DOCUMENTS)
    for bias, value in zip([None, "shift", "exact"], found[1:4], strict=True):
        scores = np.tile(offset_of(fitted, bias), (8, 1))
        if estimator is SGNSEmbedder:
            expected, _ = skip_gram_loss(fitted, documents, scores, scores)
        else:
            words = itertools.chain.from_iterable(documents)
            losses = [loss_of_pair(fitted, scores[0, c], scores[0], c) for c in words]
            expected = np.mean(losses)
        assert value == pytest.approx(expected, rel=1e-6)


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_the_offset_is_that_of_subsampled_words(estimator):
    fitted = fit(estimator, subsample=0.02)
    scores = offset_of(fitted, "exact")
    assert not np.allclose(scores, offset_of(changed(fitted, subsample=0), "exact"))
    words = list(fitted.vocabulary_)
    # Whichever documents lose a word, both words are predicted equally often.
    found = held_out_loss(fitted, [[words[0], words[7]]] * 200, random_state=0)
    expected = [loss_of_pair(fitted, scores[c], scores, c) for c in (0, 7)]
    assert found.offset == pytest.approx(np.mean(expected), rel=1e-6)


@small
@every_sampled_model
@pytest.mark.parametrize(
    ("bias", "baseline"), [(None, "zero"), ("shift", "shift"), ("exact", "offset")]
)
def test_loss_without_vectors_is_a_baseline(estimator, share_context, bias, baseline):
    fitted = fit(estimator, share_context=share_context, bias=bias, subsample=0.05)
    tables = {
        name: np.zeros_like(value)
        for name, value in vars(fitted).items()
        if name.endswith("_vectors_")
    }
    found = held_out_loss(changed(fitted, **tables), DOCUMENTS, random_state=0)
    assert found.loss == pytest.approx(getattr(found, baseline), rel=1e-6)
    fitted = held_out_loss(fitted, DOCUMENTS, random_state=0)
    assert abs(fitted.loss - found.loss) > 1e-5
    assert fitted[1:] == found[1:]


@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize("bias", [None, "shift", "exact"])
@pytest.mark.parametrize("subsample", [0, 0.02])
def test_loss_is_that_of_training(estimator, bias, subsample, tiny_corpus):
    """With steps too small to change anything, on the documents of the fit."""
    fitted = estimator(
        4,
        bias=bias,
        subsample=subsample,
        min_count=1,
        max_iter=40,
        learning_rate=1e-9,
        random_state=0,
    ).fit(tiny_corpus)
    losses = [held_out_loss(fitted, tiny_corpus, seed).loss for seed in range(40)]
    assert fitted.loss_curve_.mean() == pytest.approx(np.mean(losses), rel=2e-3)


@pytest.mark.parametrize("estimator", SAMPLED)
def test_a_trained_model_is_better_than_its_baselines(estimator, tiny_corpus):
    fitted = estimator(
        8, share_context=True, min_count=1, subsample=0, max_iter=30, random_state=0
    ).fit(tiny_corpus[:40])
    found = held_out_loss(fitted, tiny_corpus[40:], 0)
    assert found.loss < found.offset - 0.02 < found.shift < found.zero


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_unknown_words_are_dropped(estimator):
    """Before windows are laid: what is around them is nearer then."""
    fitted = fit(estimator, window_weighting="flat")
    with_others = [" inlet ".join(text.split()) for text in DOCUMENTS]
    assert held_out_loss(fitted, with_others) == held_out_loss(fitted, DOCUMENTS)
    assert held_out_loss(fitted, (text for text in TOKENISED)) == held_out_loss(
        fitted, DOCUMENTS
    )


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_chunks_do_not_show(estimator, monkeypatch):
    fitted = fit(estimator)
    whole = held_out_loss(fitted, OTHER_DOCUMENTS, 0)
    monkeypatch.setattr(losses, "_SCORES", 30)
    monkeypatch.setattr(losses, "_TOKENS", 7)
    parts = held_out_loss(fitted, OTHER_DOCUMENTS, 0)
    assert parts == pytest.approx(whole, rel=1e-6)
    assert parts.n_pairs == whole.n_pairs


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_draws_repeat(estimator):
    fitted = fit(estimator, subsample=0.05)
    first, again, other = (
        held_out_loss(fitted, OTHER_DOCUMENTS, random_state=seed) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.loss != other.loss
    generator = np.random.RandomState(0)
    assert held_out_loss(fitted, OTHER_DOCUMENTS, generator) == first
    assert held_out_loss(fitted, OTHER_DOCUMENTS, generator) != first


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_words_are_kept_as_often_as_in_training(estimator):
    """In documents of two words, a pair is left where both are kept."""
    fitted = fit(estimator, subsample=0.02)
    ratio = 0.02 * fitted.word_counts_.sum() / fitted.word_counts_
    keep = np.sqrt(ratio) + ratio
    assert keep.min() < 0.5 < keep.max() < 1
    pairs = [(0, 0), (0, 7), (3, 5)]
    words = list(fitted.vocabulary_)
    documents = [[words[a], words[b]] for a, b in pairs for _ in range(2000)]
    chances = np.repeat([keep[a] * keep[b] for a, b in pairs], 2000)
    spread = np.sqrt((chances * (1 - chances)).sum())
    found = held_out_loss(fitted, documents, random_state=0).n_pairs / 2
    assert abs(found - chances.sum()) < 3 * spread


@small
@pytest.mark.parametrize("weighting", ["harmonic", "dynamic"])
def test_windows_of_cbow_are_drawn_as_in_training(weighting):
    """On average over seeds, the loss is that of all half-widths with their chances."""
    params = {"window": 4, "window_weighting": weighting, "share_context": True}
    fitted = spread(fit(CBOWEmbedder, bias="word", **params))
    documents = rows_of(OTHER_DOCUMENTS, fitted)
    by_half = [bag_loss(fitted, documents, None, [half])[0] for half in (1, 2, 3, 4)]
    reached = [weight_of(d, 4, weighting) for d in (1, 2, 3, 4)] + [0.0]
    expected = -np.diff(reached) @ by_half
    losses = [held_out_loss(fitted, OTHER_DOCUMENTS, seed).loss for seed in range(100)]
    error = np.std(losses) / np.sqrt(len(losses))
    assert abs(np.mean(losses) - expected) < 3 * error
    assert abs(by_half[-1] - expected) > 10 * error


@small
def test_some_noise_words_stand_for_all(monkeypatch):
    """Where CBOW has too many scores to compute."""
    params = {"window_weighting": "flat", "share_context": "signed"}
    fitted = spread(fit(CBOWEmbedder, **params))
    exact = held_out_loss(fitted, OTHER_DOCUMENTS)
    monkeypatch.setattr(losses, "_MOST_SCORES", 0)
    monkeypatch.setattr(losses, "_LEAST_NOISE", 3)
    monkeypatch.setattr(losses, "_SCORES", 30)
    found = [held_out_loss(fitted, OTHER_DOCUMENTS, seed) for seed in range(100)]
    found_losses = [one.loss for one in found]
    error = np.std(found_losses) / np.sqrt(len(found))
    assert 0 < error < 0.03
    assert abs(np.mean(found_losses) - exact.loss) < 3 * error
    assert {one[1:] for one in found} == {exact[1:]}


@small
def test_noise_words_are_drawn_at_regular_steps():
    random = np.random.RandomState(0)
    p = np.array([0.5, 0.0, 0.3, 0.125, 0.075])
    mean = np.zeros(5)
    for _ in range(2000):
        words, shares = losses._noise_words(p, 4, random)
        assert shares.sum() == pytest.approx(1.0)
        assert shares[0] == 0.5
        mean[words] += shares / 2000
    np.testing.assert_allclose(mean, p, atol=0.01)
    assert mean[1] == 0.0
    words, shares = losses._noise_words(p, 5, random)
    assert words.tolist() == [0, 1, 2, 3, 4]
    assert shares is p


@small
def test_softplus_of_any_score():
    scores = np.array([-500.0, -30.0, -5.0, -1e-6, 0.0, 0.3, 20.0, 1e4], np.float32)
    expected = np.logaddexp(0.0, scores.astype(float))
    found = losses._softplus_inplace(scores.copy())
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-7)


@small
def test_words_that_never_occurred_are_no_noise():
    """A given vocabulary may hold some; they may be found later."""
    fitted = cheap(SGNSEmbedder, vocabulary=[*WORDS, "inlet"], learning_rate=0.5)
    fitted = spread(fitted.fit(DOCUMENTS))
    documents = ["amber inlet birch"] * 3
    rows = rows_of(documents, fitted)
    expected = skip_gram_loss(fitted, rows, all_scores(fitted), all_scores(fitted))
    found = held_out_loss(fitted, documents)
    assert (found.loss, found.n_pairs) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(found).all()


# --- kinds of similarity --------------------------------------------------------------


def neighbors_of(vectors, n_neighbors):
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -2.0)
    return [set(np.argsort(-row)[:n_neighbors].tolist()) for row in cosines]


@small
@every_model
def test_similarity_kind(estimator, share_context):
    fitted = fit(estimator, share_context=share_context)
    documents = rows_of(OTHER_DOCUMENTS, fitted)
    weights = [weight_of(d, 2, fitted.window_weighting) for d in (1, 2)]
    counts = reference.cooccurrences(documents, 8, weights)
    ppmi = reference.ppmi(counts)
    before = np.zeros((8, 8))
    for left, right in itertools.chain(*map(itertools.pairwise, documents)):
        before[right, left] += 1.0
    places = reference.ppmi(np.hstack([before, before.T]))
    lengths = np.linalg.norm(places, axis=1)
    cosines = places @ places.T / np.outer(lengths, lengths)
    near = neighbors_of(fitted.word_vectors_[:6].astype(float), 2)
    neighbors = [(word, other) for word in range(6) for other in near[word]]
    pairs = list(itertools.permutations(range(6), 2))
    expected = [
        np.mean([ppmi[pair] > 0 for pair in neighbors]),
        np.mean([ppmi[pair] > 0 for pair in pairs]),
        np.mean([cosines[pair] for pair in neighbors]),
        np.mean([cosines[pair] for pair in pairs]),
    ]
    found = similarity_kind(fitted, OTHER_DOCUMENTS, n_words=6, n_neighbors=2)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


# Colours and fruits: any colour before any fruit. Colours have the same contexts.
COLOURS, FRUITS = ["azure", "brown", "coral"], ["apple", "grape", "peach"]
DESCRIBED = [[*pair] for pair in itertools.product(COLOURS, FRUITS)] * 5


@small
@pytest.mark.parametrize("together", [True, False])
def test_two_kinds_of_similarity(together):
    """Neighbours that stand beside each other, or that can replace each other."""
    fitted = cheap(PPMISVDEmbedder, window=1, n_components=3).fit(DESCRIBED)
    groups = {"azure": 0, "apple": 0, "brown": 1, "grape": 1, "coral": 2, "peach": 2}
    if not together:
        groups = {word: int(word in FRUITS) for word in groups}
    vectors = np.eye(3, dtype=np.float32)[[groups[w] for w in fitted.vocabulary_]]
    found = similarity_kind(
        changed(fitted, word_vectors_=vectors), DESCRIBED, n_neighbors=1
    )
    assert found.cooccurring == float(together)
    assert found.substitutable == pytest.approx(float(not together), abs=1e-6)
    # Of the five others, three are of the other kind and two of the same.
    assert found.cooccurring_by_chance == pytest.approx(0.6)
    assert found.substitutable_by_chance == pytest.approx(0.4)


@small
def test_similarity_in_parts(monkeypatch):
    fitted = fit(GloVeEmbedder)
    whole = similarity_kind(fitted, DOCUMENTS, n_neighbors=3)
    monkeypatch.setattr(_pmi, "_PAIRS", 5)
    parts = similarity_kind(fitted, DOCUMENTS, n_neighbors=3)
    assert parts == pytest.approx(whole, rel=1e-12)


@small
def test_similarity_looks_at_frequent_words_with_pairs():
    """Words of few documents, and a vocabulary in another order than by count."""
    fitted = cheap(PPMISVDEmbedder, vocabulary=[*WORDS[::-1], "inlet"]).fit(DOCUMENTS)
    again = fit(PPMISVDEmbedder)
    order = [fitted.vocabulary_[word] for word in again.vocabulary_]
    vectors = np.zeros((9, 3), dtype=np.float32)
    vectors[order] = again.word_vectors_
    fitted = changed(fitted, word_vectors_=vectors)
    for n_words, documents in [(4, DOCUMENTS), (99, DOCUMENTS), (99, DOCUMENTS[:1])]:
        np.testing.assert_allclose(
            similarity_kind(fitted, documents, n_words=n_words, n_neighbors=2),
            similarity_kind(again, documents, n_words=n_words, n_neighbors=2),
            rtol=1e-6,
        )
    # As many neighbours as there are other words are all pairs.
    found = similarity_kind(fitted, DOCUMENTS, n_neighbors=99)
    assert found.cooccurring == pytest.approx(found.cooccurring_by_chance)
    assert found.substitutable == pytest.approx(found.substitutable_by_chance)


@small
def test_similarity_of_words_without_positive_pmi():
    fitted = changed(fit(SGNSEmbedder), word_vectors_=np.zeros((8, 3), np.float32))
    found = similarity_kind(fitted, ["amber birch amber birch amber"], n_words=2)
    assert np.isfinite(found).all()
    with pytest.raises(ValueError, match="pairs of one word"):
        similarity_kind(fitted, ["amber amber"])


# --- what is refused ------------------------------------------------------------------

WITH_DOCUMENTS = (held_out_loss, similarity_kind)
WITHOUT = (self_scores, vector_cosines, linear_predictability)


def inspect(function, estimator, documents=DOCUMENTS):
    if function in WITH_DOCUMENTS:
        return function(estimator, documents)
    return function(estimator)


@small
@pytest.mark.parametrize("function", [*WITH_DOCUMENTS, *WITHOUT])
def test_only_fitted_embedders(function):
    with pytest.raises(NotFittedError):
        inspect(function, SGNSEmbedder())
    for wrong in (make_pipeline(fit(SGNSEmbedder)), SGNSEmbedder, None, "sgns"):
        with pytest.raises(TypeError, match=f"got {type(wrong).__name__}"):
            inspect(function, wrong)


@small
@pytest.mark.parametrize("estimator", [GloVeEmbedder, PPMISVDEmbedder])
def test_only_sampling_has_a_held_out_loss(estimator):
    with pytest.raises(TypeError, match="SGNSEmbedder or CBOWEmbedder, got") as caught:
        held_out_loss(fit(estimator), DOCUMENTS)
    assert estimator.__name__ in str(caught.value)


@small
@pytest.mark.parametrize("function", WITH_DOCUMENTS)
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
def test_documents_are_checked(function, documents, message):
    with pytest.raises(ValueError, match=message):
        inspect(function, fit(SGNSEmbedder), documents)


@small
@pytest.mark.parametrize(
    "params", [{"n_words": 1}, {"n_words": 2.5}, {"n_neighbors": 0}]
)
def test_similarity_refuses(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        similarity_kind(fit(SGNSEmbedder), DOCUMENTS, **params)


@small
def test_held_out_loss_refuses_seeds():
    with pytest.raises(ValueError, match="random_state"):
        held_out_loss(fit(SGNSEmbedder), DOCUMENTS, random_state="zero")


@small
@every_model
def test_models_are_left_as_they_are(estimator, share_context):
    fitted = fit(estimator, share_context=share_context)
    before = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in vars(fitted).items()
    }
    for function in (*WITHOUT, similarity_kind, held_out_loss):
        if function is held_out_loss and estimator not in SAMPLED:
            continue
        inspect(function, fitted)
    assert vars(fitted).keys() == before.keys()
    for name, value in before.items():
        assert same(getattr(fitted, name), value), name


@small
def test_all_that_is_public_is_listed():
    assert sorted(inspection.__all__) == inspection.__all__
    for name in inspection.__all__:
        assert getattr(inspection, name).__doc__


@pytest.mark.parametrize("share_context", [False, True])
@pytest.mark.parametrize(
    "question",
    [
        inspection.vector_cosines,
        inspection.linear_predictability,
        inspection.antisymmetric_share,
        inspection.SpectrumDisplay.from_estimator,
    ],
)
def test_trees_have_no_products_of_two_vectors(question, share_context):
    embedder = SoftmaxEmbedder(
        3, loss="hierarchical", share_context=share_context, min_count=1, max_iter=1
    ).fit([["one", "two", "three"]] * 4)
    with pytest.raises(ValueError, match="loss='hierarchical': its scores are not"):
        question(embedder)
