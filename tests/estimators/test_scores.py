"""`score`, the mean objective per pair of documents, and `score_pairs`."""

import itertools
import pickle
import warnings

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    cooccurrence,
    inspection,
)
from skembed._tying import strategies
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    SAMPLED,
    TOKENISED,
    WORDS,
    cheap,
    draw_documents,
    sound_strategies,
)

HELD_OUT = draw_documents(7)
CASES = [
    pytest.param(estimator, strategy.name, id=f"{estimator.__name__}-{strategy.name}")
    for estimator in ESTIMATORS
    for strategy in sound_strategies(estimator)
]


def dense_counts(documents, embedder):
    """Return weighted counts of pairs by a loop over places."""
    rows, window = embedder.vocabulary_, embedder.window
    counts = np.zeros((len(rows), len(rows)))
    for tokens in documents:
        for i, j in itertools.permutations(range(len(tokens)), 2):
            distance = abs(i - j)
            if distance <= window:
                weight = {
                    "dynamic": (window + 1 - distance) / window,
                    "harmonic": 1 / distance,
                }[embedder.window_weighting]
                counts[rows[tokens[i]], rows[tokens[j]]] += weight
    return counts


def dense_scores(embedder):
    words = np.array(list(embedder.vocabulary_))
    return embedder.score_pairs(words[:, np.newaxis], words).astype(np.float64)


@pytest.mark.small
@pytest.mark.parametrize("share_context", [False, True, "signed"])
def test_glove_against_a_loop(share_context):
    embedder = cheap(GloVeEmbedder, share_context=share_context).fit(DOCUMENTS)
    counts = dense_counts([text.split() for text in HELD_OUT], embedder)
    scores = dense_scores(embedder)
    losses = [
        min(1.0, (x / embedder.x_max) ** embedder.alpha)
        * (scores[i, j] - np.log(x)) ** 2
        for (i, j), x in np.ndenumerate(counts)
        if x > 0
    ]
    assert embedder.score(HELD_OUT) == pytest.approx(-np.mean(losses), rel=1e-5)


@pytest.mark.small
@pytest.mark.parametrize("share_context", [False, True, "signed"])
def test_ppmi_svd_against_dense_matrices(share_context):
    embedder = cheap(PPMISVDEmbedder, share_context=share_context, shift=1.2)
    embedder.fit(DOCUMENTS)
    counts = dense_counts([text.split() for text in HELD_OUT], embedder)
    of_context = counts.sum(axis=0) ** 0.75
    shares = counts.sum(axis=1)[:, np.newaxis] * (of_context / of_context.sum())
    with np.errstate(divide="ignore"):
        ppmi = np.maximum(0.0, np.log(counts / shares) - np.log(1.2))
    expected = -np.mean((ppmi - dense_scores(embedder)) ** 2)
    assert embedder.score(HELD_OUT) == pytest.approx(expected, rel=1e-5)


def test_directional_ppmi_svd_has_two_matrices():
    embedder = cheap(PPMISVDEmbedder, directional=True, n_components=len(WORDS))
    embedder.fit(DOCUMENTS)
    assert embedder.score(DOCUMENTS) == pytest.approx(0.0, abs=1e-9)
    assert embedder.score(HELD_OUT) < -0.01


@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
@pytest.mark.parametrize("share_context", [False, True, "signed", "diagonal"])
def test_negative_sampling_as_in_inspection(estimator, share_context):
    embedder = cheap(estimator, share_context=share_context, max_iter=3)
    embedder.fit(DOCUMENTS)
    loss = inspection.held_out_loss(embedder, HELD_OUT, random_state=0).loss
    assert embedder.score(HELD_OUT) == pytest.approx(-loss, rel=1e-9)


@pytest.mark.parametrize(("estimator", "share_context"), CASES)
def test_forms_of_documents(estimator, share_context):
    embedder = cheap(estimator, share_context=share_context).fit(DOCUMENTS)
    score = embedder.score(HELD_OUT)
    assert isinstance(score, float)
    assert np.isfinite(score)
    assert score < 0
    assert embedder.score([text.split() for text in HELD_OUT]) == score
    assert embedder.score(iter(HELD_OUT)) == score
    assert embedder.score(HELD_OUT, [0] * len(HELD_OUT)) == score
    with pytest.raises(ValueError, match="no pair"):
        embedder.score(["amber", "", "unknown words"])


@pytest.mark.parametrize(("estimator", "share_context"), CASES)
def test_matrices(estimator, share_context):
    """A matrix scores its own pairs; counts of a text score as much as the text."""
    tables = CountVectorizer(vocabulary=WORDS).fit_transform(DOCUMENTS)
    embedder = cheap(estimator, share_context=share_context).fit(tables)
    assert np.isfinite(embedder.score(tables))
    given = {"window": 2, "vocabulary": WORDS}
    if estimator is GloVeEmbedder:
        given["window_weighting"] = "harmonic"
    counts, _ = cooccurrence(DOCUMENTS, **given)
    others, _ = cooccurrence(HELD_OUT, **given)
    embedder = cheap(
        estimator, share_context=share_context, input="cooccurrence", vocabulary=WORDS
    )
    embedder.fit(counts)
    if estimator is CBOWEmbedder:
        # Of counts there is one context at a time, of text there are several.
        assert embedder.score(others) == pytest.approx(
            embedder.score(HELD_OUT), rel=0.05
        )
    else:
        assert embedder.score(others) == pytest.approx(embedder.score(HELD_OUT))
    with pytest.raises(ValueError, match="rows"):
        embedder.score(others[:3])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_search_without_labels(estimator):
    """A model of too few dimensions tells less of its own kind of documents."""
    rng = np.random.default_rng(0)
    topics = ["amber birch cedar", "delta ember frost", "grove haven inlet"]
    documents = [
        " ".join(rng.choice(topics[i % 3].split(), size=8)) for i in range(240)
    ]
    steps = {} if estimator is PPMISVDEmbedder else {"learning_rate": [0.2]}
    embedder = cheap(estimator)
    if steps:
        embedder.set_params(max_iter=20)
    grid = {"n_components": [1, 6], **steps}
    search = GridSearchCV(embedder, grid, cv=3, error_score="raise").fit(documents)
    assert search.best_params_["n_components"] == 6
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_unfitted():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        SGNSEmbedder().score(TOKENISED)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_number_of_blas_threads_does_not_matter(estimator):
    """Of enough words that BLAS would share out their products."""
    rng = np.random.default_rng(0)
    documents = [list(map(str, rng.integers(0, 900, size=300))) for _ in range(30)]
    embedder = cheap(estimator, n_components=100).fit(documents)
    scores = set()
    for limit in (1, 2):
        with threadpool_limits(limit, user_api="blas"):
            scores.add(embedder.score(documents))
    assert len(scores) == 1


# --- pairs of words: which of the two is the context ----------------------------------

DIRECTED = 1.0 + np.random.default_rng(1).poisson(3.0, size=(6, 6))
CHOICES = [
    pytest.param(kind, strategy, bias, exponent, id=f"{kind.__name__}-{name}-{bias}")
    for kind in ESTIMATORS
    for strategy in strategies.strategies(kind._method)
    for bias in ([None, "shift", "exact", "word"] if kind in SAMPLED else [None])
    for exponent in ([0.75, 1.0] if bias == "exact" else [0.75])
    for name in [strategy.name if exponent < 1 else f"{strategy.name}-unsmoothed"]
]


def is_symmetric(matrix):
    return np.allclose(matrix, matrix.T, rtol=0, atol=1e-5)


@pytest.mark.small
@pytest.mark.parametrize(("estimator", "strategy", "bias", "exponent"), CHOICES)
def test_which_scores_are_symmetric(estimator, strategy, bias, exponent):
    """What the warning says is what the scores are, apart from ln p - ln p_noise."""
    params, constants = {"share_context": strategy.name}, np.zeros(6)
    if estimator is not PPMISVDEmbedder:
        params.update(max_iter=4, learning_rate=0.3)
    if estimator in SAMPLED:
        params.update(bias=bias, noise_exponent=exponent)
    if bias == "exact":
        totals = DIRECTED.sum(axis=0)
        noise = totals**exponent / (totals**exponent).sum()
        constants = np.log(totals / totals.sum()) - np.log(5 * noise)
    embedder = cheap(estimator, input="cooccurrence", **params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = dense_scores(embedder.fit(DIRECTED))
    if estimator is SoftmaxEmbedder:
        # There, `score_pairs` returns logarithms of probabilities.
        constants = embedder._score_offset
        scores = embedder.word_vectors_ @ embedder.context_vectors_.T + constants
    said = "".join(str(warning.message) for warning in caught)
    assert is_symmetric(scores) == (
        "the same score with context c as c with w: share_context=False" in said
    )
    same_products = is_symmetric(scores - constants)
    assert same_products == ("the same score" in said) == strategy.is_symmetric
    assert ("constant of each context" in said) == (
        same_products and not is_symmetric(scores)
    )
    # The advice names what this estimator offers.
    no_maps = (GloVeEmbedder, SoftmaxEmbedder)
    others = "False" if estimator in no_maps else "False or 'bilinear'"
    advice = f"share_context={others} can tell the two apart"
    assert (advice in said) == strategy.is_symmetric


@pytest.mark.small
@pytest.mark.parametrize("share_context", ["noise", True, "signed", "diagonal"])
def test_scores_of_words_with_themselves(share_context):
    """Where context vectors are word vectors, they are squares, and cosines are 1."""
    embedder = cheap(SGNSEmbedder, share_context=share_context, bias=None, negative=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedder.set_params(negative_dims=1.0).fit(DOCUMENTS)
    is_one = embedder.context_vectors_ is embedder.word_vectors_
    assert is_one == (share_context in (True, "noise"))
    scores = inspection.self_scores(embedder)
    cosines = inspection.vector_cosines(embedder)
    assert (scores > 0).all() == np.allclose(cosines, 1.0) == is_one


# --- pairs of words: on which side the context stands ---------------------------------

# Every b follows an a, and every d a c.
ORDERED = [["a", "b"], ["c", "d"], ["a", "b", "c"], ["d", "a", "b"]] * 20
DIRECTIONAL = [
    *((SGNSEmbedder, {"bias": bias}) for bias in (None, "shift", "exact", "word")),
    (PPMISVDEmbedder, {"singular_exponent": 0.3}),
]


def directional(estimator, **params):
    trained = {"max_iter": 20, "learning_rate": 0.2}
    if estimator is PPMISVDEmbedder:
        trained = {}
    return cheap(estimator, directional=True, window=1, **trained, **params)


@pytest.mark.small
@pytest.mark.parametrize(("estimator", "params"), DIRECTIONAL)
def test_scores_of_either_side(estimator, params):
    embedder = directional(estimator, **params).fit(ORDERED)
    words = np.array(list(embedder.vocabulary_))
    constants = np.zeros(words.size)
    if params.get("bias") == "shift":
        constants -= np.log(5)
    if params.get("bias") == "exact":
        noise = embedder.word_counts_**0.75 / (embedder.word_counts_**0.75).sum()
        p = embedder.word_counts_ / embedder.word_counts_.sum()
        constants = np.log(p) - np.log(5 * noise)
    found = {}
    for side in ("left", "right"):
        table = getattr(embedder, f"{side}_context_vectors_").astype(np.float64)
        expected = embedder.word_vectors_.astype(np.float64) @ table.T + constants
        if params.get("bias") == "word":
            expected += getattr(embedder, f"{side}_context_biases_")
        found[side] = embedder.score_pairs(words[:, None], words, direction=side)
        np.testing.assert_allclose(found[side], expected, atol=1e-5)
        np.testing.assert_allclose(
            inspection.self_scores(embedder, direction=side),
            np.diag(expected),
            atol=1e-5,
        )
    # The mean of both, as without a direction.
    mean = (found["left"] + found["right"]) / 2
    np.testing.assert_allclose(dense_scores(embedder), mean, atol=1e-5)
    both = embedder.score_pairs(words[:, None], words, direction="both")
    assert both.tobytes() == embedder.score_pairs(words[:, None], words).tobytes()


@pytest.mark.small
@pytest.mark.parametrize(("estimator", "params"), DIRECTIONAL)
def test_left_contexts_stand_before_their_word(estimator, params):
    embedder = directional(estimator, n_components=4, **params).fit(ORDERED)
    pairs = {"left": ("b", "a"), "right": ("a", "b")}
    for side, (word, context) in pairs.items():
        scores = embedder.score_pairs([word, context], [context, word], direction=side)
        assert scores[0] > scores[1] + 0.5


def test_shapes_that_cannot_be_broadcast():
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    words = list(embedder.vocabulary_)
    with pytest.raises(
        ValueError, match=r"words of shape \(2,\) and contexts of shape"
    ):
        embedder.score_pairs(words[:2], words[:3])


@pytest.mark.small
@pytest.mark.parametrize(("estimator", "share_context"), CASES)
def test_models_without_sides(estimator, share_context):
    embedder = cheap(estimator, share_context=share_context).fit(DOCUMENTS)
    for score in (
        lambda side: embedder.score_pairs("amber", WORDS, direction=side),
        lambda side: inspection.self_scores(embedder, direction=side),
    ):
        score("both")
        for side in ("left", "right"):
            with pytest.raises(ValueError, match=f"direction='{side}' needs tables"):
                score(side)
        for wrong in ("before", None, True):
            with pytest.raises(ValueError, match=f"one of .*'left'.* got {wrong!r}"):
                score(wrong)


@pytest.mark.small
@pytest.mark.parametrize("estimator", [SGNSEmbedder, PPMISVDEmbedder])
def test_sides_are_those_of_the_fit(estimator):
    """Whatever the parameter says now, and after a pickle."""
    embedder = directional(estimator).fit(ORDERED)
    expected = embedder.score_pairs("a", ["b", "c"], direction="right")
    embedder.set_params(directional=False)
    for same in (embedder, pickle.loads(pickle.dumps(embedder))):
        scores = same.score_pairs("a", ["b", "c"], direction="right")
        assert scores.tobytes() == expected.tobytes()
    embedder.fit(ORDERED)
    with pytest.raises(ValueError, match="direction='right' needs tables"):
        embedder.score_pairs("a", "b", direction="right")
