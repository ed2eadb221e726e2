"""Scorers in scikit-learn's searches, on embedders and in pipelines."""

import pickle

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skembed import PPMISVDEmbedder, PretrainedEmbedder
from skembed.features import TextUnion
from skembed.metrics import (
    analogies,
    categorization,
    make_scorer,
    neighbor_overlap,
    outlier_detection,
    word_similarity,
)
from skembed.metrics._scorers import embedder_of
from skembed.vectors import WordVectors
from tests.conftest import TOPICS
from tests.helpers import DOCUMENTS, cheap

pytestmark = pytest.mark.small

CATEGORIES = {topic: words.split() for topic, words in TOPICS.items()}
PAIRS = [("bread", "butter", 9), ("boat", "sail", 8), ("bread", "boat", 1)]
PAIRS += [("train", "track", 9), ("seed", "coal", 2), ("none", "seed", 3)]
QUESTIONS = {
    "first": [("bread", "butter", "boat", "sail")],
    "gram1": [("seed", "soil", "train", "track"), ("seed", "soil", "none", "x")],
}
GROUPS = [(CATEGORIES["kitchen"][:6], [*CATEGORIES["harbour"][:3], "none"])]
ALL = {
    word_similarity: PAIRS,
    analogies: QUESTIONS,
    categorization: CATEGORIES,
    outlier_detection: GROUPS,
}


@pytest.fixture(scope="module")
def embedder(request):
    documents = request.getfixturevalue("tiny_corpus")
    return cheap(PPMISVDEmbedder, n_components=8).fit(documents)


def test_scores_are_fields_of_the_measures(embedder):
    vectors = WordVectors.from_estimator(embedder)
    options = {"missing": "zero"}
    found = word_similarity(vectors, PAIRS, n_resamples=0, **options)
    assert make_scorer(word_similarity, PAIRS)(embedder) == found.spearman
    scorer = make_scorer(word_similarity, PAIRS, field="pearson")
    assert scorer(embedder, DOCUMENTS, None) == found.pearson
    found = analogies(vectors, QUESTIONS, method="multiply", **options)
    for name in ("total", "semantic", "syntactic"):
        scorer = make_scorer(
            analogies, QUESTIONS, field=f"{name}.accuracy", method="multiply"
        )
        assert scorer(embedder) == getattr(found, name).accuracy
    found = categorization(vectors, CATEGORIES, random_state=0, **options)
    assert make_scorer(categorization, CATEGORIES)(embedder) == found.purity > 0.5
    found = outlier_detection(vectors, GROUPS, **options)
    assert make_scorer(outlier_detection, GROUPS)(embedder) == found.accuracy
    assert make_scorer(outlier_detection, GROUPS, field="opp")(embedder) == found.opp


def test_missing_pairs_count(embedder):
    scores = [
        make_scorer(word_similarity, PAIRS, missing=missing)(embedder)
        for missing in ("zero", "drop")
    ]
    assert scores[0] != scores[1]
    for measure, data in ALL.items():
        far = cheap(PPMISVDEmbedder).fit(DOCUMENTS)  # of other words
        assert make_scorer(measure, data)(far) == 0.0
        with pytest.raises(ValueError, match='missing="zero"'):
            make_scorer(measure, data, missing="drop")(far)


def test_other_vectors(embedder):
    for which in ("context", "sum", "concat"):
        vectors = WordVectors.from_estimator(embedder, which)
        scorer = make_scorer(word_similarity, PAIRS, field="pearson", which=which)
        expected = word_similarity(vectors, PAIRS, missing="zero", n_resamples=0)
        assert scorer(embedder) == expected.pearson


@pytest.mark.parametrize("measure", ALL)
def test_scorers_can_be_pickled(measure, embedder):
    scorer = make_scorer(measure, ALL[measure])
    assert pickle.loads(pickle.dumps(scorer))(embedder) == scorer(embedder)
    assert measure.__name__ in repr(scorer)


def test_search_over_an_embedder(tiny_corpus):
    """With several scores at once."""
    scoring = {
        measure.__name__: make_scorer(measure, data) for measure, data in ALL.items()
    }
    search = GridSearchCV(
        cheap(PPMISVDEmbedder),
        {"n_components": [2, 8]},
        scoring=scoring,
        refit="word_similarity",
        cv=2,
        error_score="raise",
    ).fit(tiny_corpus)
    for name, scorer in scoring.items():
        scores = search.cv_results_[f"mean_test_{name}"]
        assert np.isfinite(scores).all()
        assert search.best_estimator_.n_components in (2, 8)
        halves = [tiny_corpus[30:], tiny_corpus[:30]]
        by_hand = [
            [scorer(cheap(PPMISVDEmbedder, n_components=n).fit(h)) for h in halves]
            for n in (2, 8)
        ]
        np.testing.assert_allclose(scores, np.mean(by_hand, axis=1))


def test_pipelines(tiny_corpus, tiny_labels, embedder):
    scorer = make_scorer(word_similarity, PAIRS)
    expected = scorer(embedder)
    alone = make_pipeline(cheap(PPMISVDEmbedder, n_components=8)).fit(tiny_corpus)
    assert scorer(alone) == expected
    head = LogisticRegression()
    pipeline = make_pipeline(cheap(PPMISVDEmbedder, n_components=8), head)
    scores = cross_val_score(
        pipeline, tiny_corpus, tiny_labels, scoring=scorer, cv=2, error_score="raise"
    )
    assert np.isfinite(scores).all()
    assert scorer(pipeline.fit(tiny_corpus, tiny_labels)) == expected
    union = TextUnion(cheap(PPMISVDEmbedder, n_components=8)).fit(tiny_corpus)
    assert scorer(make_pipeline(union)) == expected


def test_pretrained_vectors(tiny_corpus, embedder):
    """The vectors of a table are scored, as a search over tables needs it."""
    vectors = WordVectors.from_estimator(embedder)
    scorer = make_scorer(word_similarity, PAIRS)
    pretrained = PretrainedEmbedder(vectors)
    assert scorer(pretrained.fit(tiny_corpus)) == scorer(embedder)
    search = GridSearchCV(
        make_pipeline(pretrained),
        {"pretrainedembedder__vectors": [vectors, vectors[::-1]]},
        scoring=scorer,
        cv=2,
        error_score="raise",
    ).fit(tiny_corpus)
    expected = [scorer(embedder)] * 2
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected)


def test_column_transformers(tiny_corpus, embedder):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"text": tiny_corpus, "length": map(len, tiny_corpus)})
    parts = ColumnTransformer(
        [
            ("text", cheap(PPMISVDEmbedder, n_components=8), "text"),
            ("length", "passthrough", ["length"]),
        ]
    )
    scorer = make_scorer(word_similarity, PAIRS)
    with pytest.raises(NotFittedError):
        scorer(parts)
    assert scorer(make_pipeline(parts.fit(frame))) == scorer(embedder)


def test_estimators_without_one_embedder(embedder):
    scorer = make_scorer(word_similarity, PAIRS)
    for wrong in [TruncatedSVD(), make_pipeline(TruncatedSVD()), None]:
        with pytest.raises(TypeError, match=f"found 0 in {type(wrong).__name__}"):
            scorer(wrong)
    with pytest.raises(TypeError, match="found 2 in Pipeline"):
        embedder_of(make_pipeline(embedder, embedder))
    with pytest.raises(NotFittedError):
        scorer(PPMISVDEmbedder())


def test_unusable_arguments():
    with pytest.raises(ValueError, match="measure must be one of word_similarity, ana"):
        make_scorer(neighbor_overlap, PAIRS)
    with pytest.raises(
        ValueError, match=r"field must be one of .*'spearman'.*'kendall'"
    ):
        make_scorer(word_similarity, PAIRS, field="kendall")
    with pytest.raises(ValueError, match=r"pairs\[0\]"):
        make_scorer(word_similarity, [("a", "b")])
    with pytest.raises(TypeError, match=r"categories must be a mapping.*got list\.$"):
        make_scorer(categorization, [1, 2])
    with pytest.raises(TypeError, match=r"^groups must be a sequence, got int\.$"):
        make_scorer(outlier_detection, 3)
    with pytest.raises(ValueError, match=r"groups\[0\] must be members and outliers"):
        make_scorer(outlier_detection, [("a",)])
    with pytest.raises(TypeError, match="unexpected keyword argument 'method'"):
        make_scorer(word_similarity, PAIRS, method="add")
