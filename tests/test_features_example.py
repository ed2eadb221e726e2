"""The example that compares features does what it says it does."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from skembed import GloVeEmbedder, PPMISVDEmbedder
from tests.benchmarks import features

WORDS = np.array(["cat", "dog", "sat", "ran", "mat", "rug", "the", "on", "in"])


@pytest.fixture
def documents():
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(WORDS, size=12)) for _ in range(60)]


@pytest.mark.parametrize("pooling", features.POOLINGS)
@pytest.mark.parametrize("estimator", [PPMISVDEmbedder, GloVeEmbedder])
def test_pooled_is_what_transform_returns(documents, estimator, pooling):
    known, test = documents[:40], documents[40:]
    options = {"n_components": 3, "min_count": 1, "random_state": 0}
    rows = {
        name: blocks
        for name, *blocks in features.pooled(
            estimator(**options).fit(known), known, test
        )
    }
    embedder = estimator(**options, pooling=pooling, scale=None).fit(known)
    for block, some in zip(rows[pooling], (known, test), strict=True):
        np.testing.assert_allclose(block, embedder.transform(some), atol=1e-6)


@pytest.mark.small
def test_held_out_documents_are_not_known():
    labels = np.repeat([-1, 0, 1], [40, 40, 80])
    rows = features.split(labels, seed=0)
    assert set(rows.known) | set(rows.test) == set(range(160))
    assert not set(rows.known) & set(rows.test)
    assert set(rows.train) == set(rows.known) - set(range(40))
    np.testing.assert_array_equal(np.bincount(labels[rows.test]), [10, 20])


@pytest.mark.small
def test_samples_are_stratified():
    labels = np.repeat([0, 1], [90, 30])
    drawn = list(features.samples(labels, seed=0))
    assert [n for n, _ in drawn] == [50] * features.DRAWS[50] + [120]
    for n_labels, chosen in drawn:
        assert len(set(chosen)) == n_labels
        assert abs(np.mean(labels[chosen]) - 0.25) < 0.02


@pytest.mark.small
def test_scaled_rows_have_the_norm_of_tfidf():
    rng = np.random.default_rng(0)
    known, test = features.scaled(rng.normal(3, 5, (50, 7)), [rng.normal(3, 5, (9, 7))])
    np.testing.assert_allclose((known**2).sum(axis=1).mean(), 1)
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-12)
    assert test.shape == (9, 7)


@pytest.mark.small
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_compression_leaves_the_classifier_as_it_is(form):
    rng = np.random.default_rng(0)
    train, test = form(rng.normal(size=(30, 80))), form(rng.normal(size=(20, 80)))
    labels = np.repeat([0, 1, 2], 10)
    narrow = features.compressed(train, test)
    assert [X.shape for X in narrow] == [(30, 30), (20, 30)]
    expected, found = (
        LogisticRegression(tol=1e-8, max_iter=1000).fit(X, labels).predict_proba(Y)
        for X, Y in ((train, test), narrow)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.small
def test_report(capsys):
    scores = {"tf-idf": {50: [0.5, 0.7], 90: [0.8]}, "LSA": {50: [0.6, 0.9], 90: [0.7]}}
    features.report(scores, {"tf-idf": np.array([1, 0, 0, 0, 3])})
    printed = capsys.readouterr().out
    assert "| tf-idf   | 0.600 ± 0.141 | 0.800 ± 0.000 |" in printed
    assert "| LSA      | +15.0 ± 7.1 | -10.0 ± 0.0 |" in printed
    assert printed.endswith("0.1 25%, 1 0%, 10 0%, 100 0%, 1000 75%\n")
