"""Tying strategies as hyperparameters: what the package is for."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
)
from skembed._tying import bias, strategies
from tests.helpers import DOCUMENTS, ESTIMATORS, assert_same_fit, cheap

# Those that all estimators can hold, and all there are.
EVERYWHERE = {"sampling", "least squares", strategies.CLOSED_FORM}
STRATEGIES = [
    strategy.name
    for strategy in strategies.strategies()
    if strategy.methods >= EVERYWHERE
]
ALL_STRATEGIES = [strategy.name for strategy in strategies.strategies()]
LABELS = np.array([0, 1] * (len(DOCUMENTS) // 2))


def make_pipeline(embedder):
    return Pipeline([("embed", embedder), ("head", LogisticRegression())])


def embedders(n_components=8):
    """One of each, with settings that learn something from sixty documents."""
    common = {"n_components": n_components, "min_count": 2, "random_state": 0}
    return [
        SGNSEmbedder(**common, subsample=0, learning_rate=0.05, max_iter=3),
        CBOWEmbedder(**common, subsample=0, learning_rate=0.1, max_iter=10),
        GloVeEmbedder(**common, combine="word", x_max=10, max_iter=20),
        PPMISVDEmbedder(**common),
        SoftmaxEmbedder(**common, subsample=0, l2=1, max_iter=10),
    ]


@pytest.fixture(scope="module")
def searches(tiny_corpus, tiny_labels):
    """The same search over everything, with one process and with two."""
    grid = {"embed": embedders(), "embed__share_context": STRATEGIES}
    found = {}
    for n_jobs in (1, 2):
        search = GridSearchCV(
            make_pipeline(embedders()[0]),
            grid,
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
            n_jobs=n_jobs,
            error_score="raise",
        )
        found[n_jobs] = search.fit(tiny_corpus, tiny_labels)
    return found


def test_search_over_estimators_and_strategies(searches):
    results = searches[1].cv_results_
    tried = {
        (type(params["embed"]), params["embed__share_context"])
        for params in results["params"]
    }
    assert tried == {(e, s) for e in ESTIMATORS for s in STRATEGIES}
    scores = results["mean_test_score"]
    assert np.isfinite(scores).all()
    # The topics are far apart: something has been learned by the best of them.
    assert scores.max() > 0.8


def test_search_gives_the_same_scores_in_two_processes(searches):
    one, two = searches[1].cv_results_, searches[2].cv_results_
    names = [name for name in one if name.endswith("_test_score")]
    assert len(names) == 6
    for name in names:
        np.testing.assert_array_equal(one[name], two[name])
    best_one, best_two = (searches[n].best_estimator_["embed"] for n in (1, 2))
    assert_same_fit(best_one, best_two)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fitted_search_pickles(searches, tiny_corpus, n_jobs):
    search = searches[n_jobs]
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(
        again.predict(tiny_corpus), search.predict(tiny_corpus)
    )
    assert again.best_index_ == search.best_index_
    unfitted = pickle.loads(pickle.dumps(clone(search)))
    assert not hasattr(unfitted, "best_estimator_")


def test_embedders_learn_topics(tiny_corpus, tiny_labels):
    """All of them, under every strategy: better than always saying the same."""
    for embedder in embedders():
        for name in STRATEGIES:
            pipeline = make_pipeline(clone(embedder).set_params(share_context=name))
            scores = cross_val_score(pipeline, tiny_corpus, tiny_labels, cv=3)
            assert scores.mean() > 0.6, pipeline


def test_fits_in_other_processes_are_the_same(tiny_corpus, tiny_labels):
    """To the last bit, also where the estimators of each fold are looked at."""
    for embedder in embedders():
        embedder.set_params(share_context=True)
        folds = [
            cross_validate(
                make_pipeline(embedder),
                tiny_corpus,
                tiny_labels,
                cv=2,
                n_jobs=n_jobs,
                return_estimator=True,
            )["estimator"]
            for n_jobs in (1, 2)
        ]
        for one, two in zip(*folds, strict=True):
            # What comes from another process has been pickled.
            assert_same_fit(one["embed"], two["embed"])


@pytest.mark.small
def test_grid_over_bias():
    grid = {
        "embed__bias": list(bias.biases()),
        "embed__share_context": ALL_STRATEGIES,
    }
    search = GridSearchCV(
        make_pipeline(cheap(SGNSEmbedder)), grid, cv=2, error_score="raise"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(DOCUMENTS, LABELS)
    n_rows = len(bias.biases()) * len(ALL_STRATEGIES)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.cv_results_["params"]) == n_rows
    # Two folds of each row that is known to fail to learn, and perhaps the refit.
    degenerate = 2 * len(bias.biases())
    assert len(caught) in (2 * (1 + degenerate), 2 * (1 + degenerate) + 1)
    notes = ("bias=None cannot express", "vectors become parallel")
    assert all(any(note in str(w.message) for note in notes) for w in caught)


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_grid_over_all_strategies(estimator):
    """What an estimator cannot hold is scored nan, and the search goes on."""
    grid = {"embed__share_context": ALL_STRATEGIES}
    search = GridSearchCV(make_pipeline(cheap(estimator)), grid, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(DOCUMENTS, LABELS)
    held = [one.name for one in strategies.strategies(estimator._method)]
    scores = dict(
        zip(ALL_STRATEGIES, search.cv_results_["mean_test_score"], strict=True)
    )
    assert [name for name in scores if np.isfinite(scores[name])] == held


@pytest.mark.small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_grid_over_text_and_output(estimator):
    grid = {
        "embed__combine": ["word", "context", "sum", "concat"],
        "embed__stop_words": [None, ["amber"]],
        "embed__max_features": [None, 5],
    }
    search = GridSearchCV(make_pipeline(cheap(estimator)), grid, cv=2, refit=False)
    search.fit(DOCUMENTS, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.small
def test_embedder_against_another_vectoriser():
    """A step of a pipeline that can be exchanged for scikit-learn's own."""
    grid = {"embed": [TfidfVectorizer(), *map(cheap, ESTIMATORS)]}
    search = GridSearchCV(make_pipeline(TfidfVectorizer()), grid, cv=2)
    search.fit(DOCUMENTS, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.small
def test_randomised_search():
    search = RandomizedSearchCV(
        make_pipeline(cheap(PPMISVDEmbedder)),
        {"embed__share_context": STRATEGIES, "embed__singular_exponent": [0.0, 0.5]},
        n_iter=4,
        cv=2,
        random_state=0,
    )
    search.fit(DOCUMENTS, LABELS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# --- rows of a search that cannot work ------------------------------------------------

WRONG = {
    "unknown strategy": ({"share_context": "tied"}, "share_context must be one of"),
    "number for a strategy": ({"share_context": 1}, "share_context must be one of"),
    "max_features and vocabulary": (
        {"vocabulary": ["amber", "birch"], "max_features": 1},
        "max_features=1 cannot select from a given vocabulary",
    ),
    "no word left": ({"min_count": 1000}, "no word occurs min_count=1000 times"),
    "no words of the vocabulary": ({"vocabulary": ["zebra"]}, "None of the 1 words"),
    "no components": ({"n_components": 0}, "'n_components' parameter"),
}


@pytest.mark.small
@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rows_that_cannot_work(estimator, wrong, message):
    """They are marked as failed and say why; the others are not harmed."""
    grid = [
        {"embed__window": [1, 2]},
        {f"embed__{name}": [value] for name, value in wrong.items()},
    ]
    pipeline = make_pipeline(cheap(estimator))
    search = GridSearchCV(pipeline, grid, cv=2, error_score=np.nan)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(DOCUMENTS, LABELS)
    failures = [w for w in caught if issubclass(w.category, FitFailedWarning)]
    assert len(failures) == 1
    assert message in str(failures[0].message)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores[:2]).all()
    assert np.isnan(scores[2])
    strict = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    with pytest.raises(ValueError, match=message):
        strict.fit(DOCUMENTS, LABELS)


@pytest.mark.small
@pytest.mark.parametrize("estimator", [GloVeEmbedder, PPMISVDEmbedder])
def test_parameters_of_another_estimator(estimator):
    with pytest.raises(ValueError, match="Invalid parameter 'bias' for estimator"):
        GridSearchCV(
            make_pipeline(cheap(estimator)), {"embed__bias": ["shift"]}, cv=2
        ).fit(DOCUMENTS, LABELS)
