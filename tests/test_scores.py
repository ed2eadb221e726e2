"""`score`: the mean objective per pair of documents, larger for better models."""

import itertools

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
    cooccurrence,
    inspection,
)
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
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
