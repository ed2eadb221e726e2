"""Fits that go on: partial_fit, warm_start, init."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from skembed import (
    GloVeEmbedder,
    PPMISVDEmbedder,
    PretrainedEmbedder,
    SGNSEmbedder,
    _fit,
    cooccurrence,
)
from skembed._counts import count, sums
from skembed._tying import strategies
from skembed.pooling import Pooling
from skembed.vectors import WordVectors
from tests import helpers
from tests.helpers import (
    CHEAP,
    COUNTING,
    DOCUMENTS,
    EPOCHS,
    ESTIMATORS,
    MORE,
    OTHER_DOCUMENTS,
    SAMPLED,
    SOFTMAX,
    TOKENISED,
    WORDS,
    assert_same_fit,
    draw_documents,
    learned,
    same,
    sound_strategies,
)

small = pytest.mark.small


def cheap(estimator, **params):
    """Return a cheap estimator whose fits keep what later ones resume from."""
    return helpers.cheap(estimator, **{"warm_start": True, **params})


# Words of another alphabet of letters than `WORDS`, some of them among these.
NEW = [
    "kiwi lemon kiwi amber birch",
    "kiwi lemon mango birch",
    "kiwi amber lemon cedar",
]
every_estimator = pytest.mark.parametrize("estimator", CHEAP)
every_strategy = pytest.mark.parametrize(
    ("estimator", "name"),
    [(e, s.name) for e in CHEAP for s in sound_strategies(e)],
    ids=str,
)


def counts_of(embedder):
    """The co-occurrence counts that a fitted estimator keeps."""
    return count.restore(vars(embedder), len(embedder.vocabulary_))


def assert_same_counts(counts, expected):
    assert same(counts.astype(expected.dtype).sorted_indices().data, expected.data)
    assert counts.indices.tolist() == expected.indices.tolist()
    assert counts.indptr.tolist() == expected.indptr.tolist()


# --- counts add up --------------------------------------------------------------------


@small
@pytest.mark.parametrize("weighting", ["dynamic", "flat", "harmonic"])
@pytest.mark.parametrize("estimator", COUNTING)
def test_counts_of_parts_are_those_of_the_whole(estimator, weighting):
    """Bit for bit, in however many parts: quotients are not rounded before the sum."""
    params = {"vocabulary": WORDS, "window": 7, "window_weighting": weighting}
    documents = draw_documents(3, 60, 15)
    expected, _ = cooccurrence(documents, **params)
    for n_parts in (1, 2, 5):
        embedder = cheap(estimator, **params)
        for part in range(n_parts):
            embedder.partial_fit(documents[part::n_parts])
        assert_same_counts(counts_of(embedder), expected)
        assert embedder.word_counts_.sum() == 60 * 15
    assert (expected.data % 1 != 0).any() == (weighting != "flat")


@small
@pytest.mark.parametrize(
    ("share_context", "directional"),
    [(False, False), (False, True), (True, False), ("signed", False)],
)
def test_ppmi_svd_of_parts_is_that_of_the_whole(share_context, directional):
    params = {
        "vocabulary": WORDS,
        "share_context": share_context,
        "directional": directional,
        "n_components": 4,
    }
    whole = cheap(PPMISVDEmbedder, **params).fit(DOCUMENTS + MORE)
    parts = cheap(PPMISVDEmbedder, **params).fit(DOCUMENTS).partial_fit(MORE)
    np.testing.assert_allclose(
        parts.score_pairs(WORDS, WORDS), whole.score_pairs(WORDS, WORDS), atol=1e-6
    )
    # The scale of features stays that of the first part.
    scale = "feature_means_", "feature_scales_"
    assert_same_fit(parts, whole, without=scale)


def test_ppmi_svd_of_parts_in_a_krylov_space():
    """Of more words than are decomposed densely."""
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(1500)]
    documents = [rng.choice(words, 30).tolist() for _ in range(1500)]
    params = {"vocabulary": words, "random_state": 0, "warm_start": True}
    whole = PPMISVDEmbedder(20, **params).fit(documents)
    parts = PPMISVDEmbedder(20, **params).fit(documents[:1000])
    parts.partial_fit(documents[1000:])
    assert_same_counts(counts_of(parts), counts_of(whole))
    pairs = [words[i] for i in range(0, 1500, 7)]
    assert (
        np.abs(parts.score_pairs(pairs, pairs) - whole.score_pairs(pairs, pairs)).max()
        <= 1e-6
    )


@small
@pytest.mark.parametrize("estimator", COUNTING)
def test_unpruned_words_grow_exactly(estimator):
    """With every word kept, parts know what the whole knows, in another order."""
    whole = cheap(estimator).fit(DOCUMENTS + NEW)
    parts = cheap(estimator).fit(DOCUMENTS).partial_fit(NEW)
    assert list(parts.vocabulary_)[: len(WORDS)] == list(
        cheap(estimator).fit(DOCUMENTS).vocabulary_
    )
    assert parts.vocabulary_.keys() == whole.vocabulary_.keys()
    order = [parts.vocabulary_[word] for word in whole.vocabulary_]
    assert parts.word_counts_[order].tolist() == whole.word_counts_.tolist()
    counts = counts_of(parts)[order][:, order]
    assert counts.toarray().tolist() == counts_of(whole).toarray().tolist()


@small
@pytest.mark.parametrize("estimator", COUNTING)
def test_weights_of_parts(estimator):
    """Whole numbers and halves are exact, too; other fractions nearly so."""
    rng = np.random.default_rng(4)
    for weights, tolerance in (
        (rng.integers(1, 5, 20).astype(float), 0),
        (rng.integers(1, 5, 20) / 4, 0),
        (rng.random(20), 1e-12),
        # A softmax trains on the counts themselves, in float32.
        (10.0 ** rng.uniform(-150, 10 if estimator in SOFTMAX else 150, 20), 1e-12),
    ):
        # Logarithms of such weights are too much for a larger learning rate.
        params = {"learning_rate": 0.05} if estimator is GloVeEmbedder else {}
        whole = cheap(estimator, **params).fit(DOCUMENTS, sample_weight=weights)
        params["vocabulary"] = list(whole.vocabulary_)
        parts = cheap(estimator, **params)
        for part in (slice(0, 9), slice(9, 20)):
            parts.partial_fit(DOCUMENTS[part], sample_weight=weights[part])
        expected, found = (counts_of(e).toarray() for e in (whole, parts))
        np.testing.assert_allclose(found, expected, rtol=tolerance)
        np.testing.assert_allclose(parts.word_counts_, whole.word_counts_, rtol=1e-12)


@small
@pytest.mark.parametrize("window", [30, 60])
def test_parts_of_long_harmonic_windows(window):
    params = {"vocabulary": WORDS, "window": window, "window_weighting": "harmonic"}
    documents = draw_documents(3, 60, 70)
    expected, _ = cooccurrence(documents, **params)
    parts = cheap(PPMISVDEmbedder, **params)
    for part in range(3):
        parts.partial_fit(documents[part::3])
    np.testing.assert_allclose(
        counts_of(parts).toarray(), expected.toarray(), rtol=1e-14
    )


@small
def test_sums_of_multiples():
    """Where plain sums of quotients differ from the quotient of the sum."""
    rng = np.random.default_rng(5)
    first, second = (
        sparse.csr_array(rng.integers(0, 1000, (30, 30)) / 2520) for _ in range(2)
    )
    exact = np.rint(first.toarray() * 2520) + np.rint(second.toarray() * 2520)
    total = sums.add((first, second), 2520)
    assert total.toarray().tolist() == (exact / 2520).tolist()
    assert (first + second).toarray().tolist() != (exact / 2520).tolist()
    # What is no multiple is added up as it is.
    odd = sparse.csr_array(rng.random((30, 30)))
    plain = (first + odd).toarray()
    assert sums.add((first, odd), 2520).toarray().tolist() == plain.tolist()
    np.testing.assert_allclose(
        sums.add((first, second), 7).toarray(), (first + second).toarray()
    )


@small
@pytest.mark.parametrize("estimator", COUNTING)
@pytest.mark.parametrize("kind", ["sparse", "frame", "counts"])
def test_matrices_add_up(estimator, kind):
    vectorizer = CountVectorizer()
    X = vectorizer.fit_transform(DOCUMENTS + MORE)
    parts = X[: len(DOCUMENTS)], X[len(DOCUMENTS) :]
    params = {}
    if kind == "frame":
        names = vectorizer.get_feature_names_out()
        X, *parts = (pd.DataFrame(x.toarray(), columns=names) for x in (X, *parts))
    elif kind == "counts":
        params["input"] = "cooccurrence"
        X, *parts = ((x.T @ x).astype(float) for x in (X, *parts))
    whole = cheap(estimator, **params).fit(X)
    embedder = cheap(estimator, **params).fit(parts[0]).partial_fit(parts[1])
    assert same(counts_of(embedder).toarray(), counts_of(whole).toarray())
    assert embedder.vocabulary_ == whole.vocabulary_
    assert embedder.word_counts_.tolist() == whole.word_counts_.tolist()


@small
@pytest.mark.parametrize("estimator", COUNTING)
def test_documents_without_pairs_add_words(estimator):
    """As they do in a fit of all documents at once."""
    alone = ["amber", "birch", ""]
    whole = cheap(estimator, vocabulary=WORDS).fit(DOCUMENTS + alone)
    parts = cheap(estimator, vocabulary=WORDS).fit(DOCUMENTS).partial_fit(alone)
    assert parts.word_counts_.tolist() == whole.word_counts_.tolist()
    assert same(counts_of(parts), counts_of(whole))


# --- which words ----------------------------------------------------------------------


@small
@pytest.mark.parametrize(
    ("estimator", "method"),
    [*((e, "partial_fit") for e in ESTIMATORS), *((e, "fit") for e in EPOCHS)],
)
def test_new_words(estimator, method):
    params = {} if method == "partial_fit" else {"warm_start": True}
    for policy, added in (("grow", ["kiwi", "lemon", "mango"]), ("freeze", [])):
        embedder = cheap(estimator, new_words=policy, **params).fit(DOCUMENTS)
        words = list(embedder.vocabulary_)
        getattr(embedder, method)(NEW)
        # Behind the others, by how often they occur.
        assert list(embedder.vocabulary_) == words + added
        assert list(embedder.vocabulary_.values()) == list(range(len(words + added)))
        assert len(embedder.word_vectors_) == len(words + added)
        assert len(embedder.word_counts_) == len(words + added)
        assert embedder.transform(["kiwi lemon"]).any() == bool(added)


@small
@every_estimator
def test_new_words_have_to_be_frequent(estimator):
    embedder = cheap(estimator).fit(DOCUMENTS)
    embedder.set_params(min_count=3).partial_fit(NEW)
    assert list(embedder.vocabulary_)[len(WORDS) :] == ["kiwi", "lemon"]
    embedder = cheap(estimator).fit(DOCUMENTS)
    embedder.set_params(max_features=len(WORDS) + 1).partial_fit(NEW)
    assert list(embedder.vocabulary_)[len(WORDS) :] == ["kiwi"]
    embedder.set_params(max_features=3).partial_fit(["olive olive"] * 3 + MORE)
    assert len(embedder.vocabulary_) == len(WORDS) + 1


@small
@every_estimator
def test_a_given_vocabulary_stays(estimator):
    embedder = cheap(estimator, vocabulary=WORDS).fit(DOCUMENTS).partial_fit(NEW)
    assert list(embedder.vocabulary_) == WORDS


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_words_that_do_not_occur_keep_their_vectors(estimator):
    """Of two tables, bit for bit; their context vectors learn as noise words."""
    embedder = cheap(estimator, share_context=False, max_iter=3).fit(DOCUMENTS)
    before = embedder.word_vectors_.copy()
    embedder.partial_fit(["amber birch amber", "birch amber birch cedar"] * 5)
    rows = [embedder.vocabulary_[word] for word in ("amber", "birch", "cedar")]
    others = np.setdiff1d(np.arange(len(WORDS)), rows)
    assert same(embedder.word_vectors_[others], before[others])
    assert (embedder.word_vectors_[rows] != before[rows]).any(axis=1).all()


@small
@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize("name", [False, True, "signed", "bilinear"])
def test_warm_start_leaves_absent_words_alone(estimator, name):
    """Their count is 0 then, so that they are no noise words either."""
    params = {"share_context": name, "warm_start": True, "bias": None, "negative": 1}
    embedder = cheap(estimator, **params).fit(DOCUMENTS)
    before = embedder.word_vectors_.copy()
    embedder.fit(["amber birch amber", "birch amber birch cedar"] * 5)
    rows = [embedder.vocabulary_[word] for word in ("amber", "birch", "cedar")]
    others = np.setdiff1d(np.arange(len(WORDS)), rows)
    assert same(embedder.word_vectors_[others], before[others])
    assert embedder.word_counts_[others].tolist() == [0] * others.size


# --- the state of training ------------------------------------------------------------


@small
@every_strategy
def test_tables_come_back_as_they_were(estimator, name):
    """A fit that goes on and has nothing to learn gives the same model."""
    params = {"share_context": name, "combine": "word"}
    if estimator in SAMPLED:
        params["bias"] = "word"
    embedder = cheap(estimator, **params).fit(DOCUMENTS)
    before = dict(learned(embedder))
    # The words are known, and no two of them are neighbours of each other.
    if estimator in EPOCHS:
        embedder.set_params(learning_rate=1e-30)
    embedder.partial_fit(DOCUMENTS)
    for attribute in before:
        if attribute.endswith(("_vectors_", "_biases_", "_map_", "_signs_")):
            np.testing.assert_allclose(
                getattr(embedder, attribute), before[attribute], atol=1e-6
            )
    contexts = getattr(embedder, "context_vectors_", None)
    assert (contexts is embedder.word_vectors_) == (name is True)


@small
def test_directional_tables_come_back():
    embedder = cheap(SGNSEmbedder, directional=True, bias="word").fit(DOCUMENTS)
    before = dict(learned(embedder))
    embedder.set_params(learning_rate=1e-30).partial_fit(DOCUMENTS)
    for side in ("left", "right"):
        for what in ("vectors", "biases"):
            attribute = f"{side}_context_{what}_"
            np.testing.assert_allclose(
                getattr(embedder, attribute), before[attribute], atol=1e-6
            )


@small
@pytest.mark.parametrize("estimator", EPOCHS)
def test_epochs_add_up(estimator):
    embedder = cheap(estimator, max_iter=2).fit(DOCUMENTS)
    curve = embedder.loss_curve_
    embedder.partial_fit(MORE)
    assert embedder.n_iter_ == embedder.loss_curve_.size == 3
    assert same(embedder.loss_curve_[:2], curve)
    embedder.set_params(warm_start=True).fit(MORE)
    assert embedder.n_iter_ == 5
    embedder.set_params(warm_start=False).fit(DOCUMENTS)
    assert embedder.n_iter_ == 2
    assert same(embedder.loss_curve_, curve)


@pytest.mark.parametrize("estimator", SAMPLED)
def test_the_learning_rate_goes_on(estimator, monkeypatch):
    """Down its way over `max_iter` epochs, and then from the top again."""
    from skembed._solvers import negative_sampling

    seen = []
    train = negative_sampling._Training._train_slice

    def note(self, part, member):
        rate, change = part.rates
        # The first call of all is of no round.
        if part.rounds[1]:
            seen.append((rate, rate + change * part.rounds[1]))
        return train(self, part, member)

    monkeypatch.setattr(negative_sampling._Training, "_train_slice", note)
    embedder = cheap(estimator, max_iter=3, learning_rate=0.3)
    for _ in range(4):
        embedder.partial_fit(DOCUMENTS)
    starts = [0.3, 0.2, 0.1, 0.3]
    ends = [0.2, 0.1, 0.3e-4, 0.2]
    np.testing.assert_allclose([first for first, _ in seen], starts, rtol=1e-3)
    np.testing.assert_allclose([last for _, last in seen], ends, rtol=1e-3)
    seen.clear()
    embedder.fit(DOCUMENTS).partial_fit(DOCUMENTS)
    np.testing.assert_allclose([rate for rate, _ in seen], starts, rtol=1e-3)
    # A new fit goes all the way, wherever the rate was.
    seen.clear()
    embedder.set_params(warm_start=True).fit(DOCUMENTS)
    np.testing.assert_allclose([rate for rate, _ in seen], starts[:3], rtol=1e-3)


@pytest.mark.parametrize("estimator", SAMPLED)
def test_epochs_one_by_one_learn_as_well(estimator, tiny_corpus):
    """As many calls as a fit has epochs come to about the same loss."""
    params = {"n_components": 8, "subsample": 0, "min_count": 1, "max_iter": 20}
    params |= {"learning_rate": 0.1, "random_state": 0}
    whole = estimator(**params).fit(tiny_corpus)
    parts = estimator(**params)
    for _ in range(20):
        parts.partial_fit(tiny_corpus)
    assert parts.loss_curve_[-1] == pytest.approx(whole.loss_curve_[-1], rel=0.05)
    assert parts.loss_curve_[-1] < 0.95 * parts.loss_curve_[0]


def test_glove_goes_on_with_its_squares(tiny_corpus):
    """Without AdaGrad's sums, every part would begin with steps of the first epoch."""
    params = {"x_max": 10, "min_count": 1, "combine": "word", "random_state": 0}
    embedder = GloVeEmbedder(8, warm_start=True, **params)
    embedder.fit(tiny_corpus)
    n_words = len(embedder.vocabulary_)
    assert embedder._squares.shape == (2 * n_words, 9)
    # Sums of biases start at the square of the learning rate.
    assert (embedder._squares[:, :8] >= 1.0).all()
    assert (embedder._squares[:, 8] >= np.float32(0.1**2)).all()
    before = embedder._squares.copy()
    embedder.partial_fit(["zucchini bread", "zucchini butter"] * 4)
    row = embedder.vocabulary_["zucchini"]
    assert row == n_words
    words, contexts = np.split(embedder._squares, 2)
    assert (words[:n_words] >= before[:n_words]).all()
    assert (contexts[:n_words] >= before[n_words:]).all()
    # A new word starts at 1, like all words before their first epoch.
    assert words[row, :8].mean() < 1.001 < words[:n_words, :8].mean()
    again = GloVeEmbedder(8, warm_start=True, **params)
    again.fit(tiny_corpus).fit(tiny_corpus)
    assert again.loss_curve_[15:].max() < again.loss_curve_[14]


@small
@every_estimator
def test_parts_get_draws_of_their_own(estimator):
    """An int as random state gives the same bits in every process all the same."""
    parts = [cheap(estimator, random_state=5) for _ in range(2)]
    for embedder in parts:
        embedder.partial_fit(DOCUMENTS).partial_fit(DOCUMENTS)
    assert_same_fit(*parts)
    if estimator in EPOCHS:
        seeds = [parts[0].loss_curve_[0], cheap(estimator).fit(DOCUMENTS).loss_curve_]
        assert seeds[0] != seeds[1][0]


@small
@every_estimator
def test_the_first_part_is_a_fit(estimator):
    params = {"max_iter": 1} if estimator in EPOCHS else {}
    whole = cheap(estimator, **params).fit(DOCUMENTS)
    part = cheap(estimator, **params).partial_fit(DOCUMENTS)
    assert_same_fit(part, whole)


@every_estimator
def test_number_of_threads(estimator, monkeypatch):
    from tests.benchmarks import bits

    for module in bits.modules_with_threads():
        monkeypatch.setattr(module, "n_threads", bits.as_told)
    embedders = []
    for n_jobs in (1, 2, 3):
        embedder = cheap(estimator, n_jobs=n_jobs).fit(DOCUMENTS)
        embedder.partial_fit(OTHER_DOCUMENTS).partial_fit(MORE)
        embedders.append(embedder.set_params(n_jobs=None))
    for other in embedders[1:]:
        assert_same_fit(embedders[0], other)


# --- poolings -------------------------------------------------------------------------


@small
@pytest.mark.parametrize("pooling", ["tfidf", "sif", "usif", "topical", "vlad"])
def test_poolings_go_on(pooling):
    """Their word weights are those of all documents; components of the last ones."""
    params = {"vocabulary": WORDS, "pooling": pooling, "n_components": 4}
    whole = cheap(PPMISVDEmbedder, **params).fit(DOCUMENTS + MORE)
    parts = cheap(PPMISVDEmbedder, **params).fit(DOCUMENTS)
    before = parts.pooling_
    parts.partial_fit(MORE)
    assert parts.pooling_ is not before
    for name in ("idf_", "word_weights_", "a_", "n_documents_", "word_counts_"):
        if hasattr(whole.pooling_, name):
            np.testing.assert_allclose(
                getattr(parts.pooling_, name), getattr(whole.pooling_, name)
            )
    assert np.isfinite(parts.transform(DOCUMENTS)).all()


@small
@pytest.mark.parametrize("pooling", ["tfidf", "sif", "usif", "topical", "vlad", "mean"])
def test_poolings_know_new_words(pooling):
    embedder = cheap(PPMISVDEmbedder, pooling=pooling).fit(DOCUMENTS).partial_fit(NEW)
    assert embedder.transform(["kiwi lemon", "mango"]).any()


class Counting(Pooling):
    """Learns from documents, and knows no further ones."""

    def fit(self, X, vectors, sample_weight=None):
        self.n_ = X.shape[0]
        return self

    def pool(self, X, vectors):
        return np.zeros((X.shape[0], vectors.shape[1]))


class CountingOn(Counting):
    def partial_fit(self, X, vectors, sample_weight=None):
        self.n_ += X.shape[0]
        return self


@small
@every_estimator
def test_poolings_of_users(estimator):
    embedder = cheap(estimator, pooling=Counting()).fit(DOCUMENTS)
    with pytest.raises(ValueError, match=r"pooling=Counting.*partial_fit"):
        embedder.partial_fit(MORE)
    assert embedder.pooling_.n_ == 20
    embedder.set_params(pooling=CountingOn()).fit(DOCUMENTS).partial_fit(MORE)
    assert embedder.pooling_.n_ == 32
    # One that users have fitted by themselves stays as it is.
    assert not hasattr(embedder.pooling, "n_")


# --- init -----------------------------------------------------------------------------


@small
@pytest.mark.parametrize("estimator", EPOCHS)
def test_given_vectors_are_where_training_begins(estimator):
    given = {"amber": [1.0, 2.0, 3.0], "birch": np.array([4, 5, 6]), "unknown": [0] * 3}
    params = {"learning_rate": 1e-30, "max_iter": 1}
    embedder = cheap(estimator, init=given, **params).fit(DOCUMENTS)
    plain = cheap(estimator, **params).fit(DOCUMENTS)
    rows = embedder.vocabulary_
    vectors = embedder.word_vectors_
    assert vectors[rows["amber"]].tolist() == [1.0, 2.0, 3.0]
    assert vectors[rows["birch"]].tolist() == [4.0, 5.0, 6.0]
    others = [rows[word] for word in WORDS[2:]]
    assert same(vectors[others], plain.word_vectors_[others])


@small
@pytest.mark.parametrize("estimator", EPOCHS)
def test_given_vectors_of_a_vocabulary(estimator):
    table = np.arange(24.0).reshape(8, 3)
    words = WORDS[::-1]
    embedder = cheap(
        estimator, init=table, vocabulary=words, learning_rate=1e-30, max_iter=1
    ).fit(DOCUMENTS)
    np.testing.assert_allclose(embedder.word_vectors_, table, atol=1e-20)


class Keyed:
    """Vectors as gensim holds them."""

    def __init__(self, vectors):
        self.key_to_index = {word: row for row, word in enumerate(vectors)}
        self.vectors = np.array(list(vectors.values()), dtype=np.float32)


def as_keyed_vectors(vectors):
    models = pytest.importorskip("gensim.models")
    found = models.KeyedVectors(vector_size=3)
    found.add_vectors(list(vectors), np.array(list(vectors.values())))
    return found


@small
@pytest.mark.parametrize("keyed", [Keyed, as_keyed_vectors, WordVectors.from_dict])
@pytest.mark.parametrize("estimator", EPOCHS)
def test_vectors_with_keys(estimator, keyed):
    """What gensim has learned, as a dict of the same words."""
    vectors = {"cedar": [1.0, 2.0, 3.0], "other": [7.0] * 3, "amber": [4.0, 5.0, 6.0]}
    expected = cheap(estimator, init=vectors).fit(DOCUMENTS)
    found = cheap(estimator, init=keyed(vectors)).fit(DOCUMENTS)
    assert_same_fit(found, expected)
    with pytest.raises(ValueError, match=r"shape \(3,\) for 'cedar'.*n_components=2"):
        cheap(estimator, init=keyed(vectors), n_components=2).fit(DOCUMENTS)


@small
@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("estimator", EPOCHS)
def test_vectors_of_a_file(estimator, kind, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("2 3\ncedar 1 2 3\namber 4 5 6\n")
    found = cheap(estimator, init=kind(path)).fit(DOCUMENTS)
    vectors = {"cedar": [1.0, 2.0, 3.0], "amber": [4.0, 5.0, 6.0]}
    assert_same_fit(found, cheap(estimator, init=vectors).fit(DOCUMENTS))
    with pytest.raises(ValueError, match=r"shape \(3,\) for 'cedar'.*n_components=2"):
        cheap(estimator, init=kind(path), n_components=2).fit(DOCUMENTS)


class Model:
    """A model as gensim has it, or with what stands for its vectors."""

    def __init__(self, vectors):
        self.wv = Keyed(vectors)


@small
def test_what_pretrained_embedders_take():
    """Models are taken as well, and a table is used as it is."""
    vectors = {"cedar": [1.0, 2.0, 3.0], "amber": [4.0, 5.0, 6.0]}
    table = WordVectors.from_dict(vectors)
    expected = cheap(EPOCHS[0], init=table).fit(DOCUMENTS)
    assert_same_fit(cheap(EPOCHS[0], init=Model(vectors)).fit(DOCUMENTS), expected)
    documents = ["cedar amber", "cedar cedar amber"]
    features = PretrainedEmbedder(table).fit_transform(documents)
    for given in (Keyed(vectors), Model(vectors)):
        found = PretrainedEmbedder(given).fit_transform(documents)
        np.testing.assert_array_equal(found, features)
    # Not copied or checked word by word.
    assert _fit._init(cheap(EPOCHS[0], init=table)) is table


@small
@pytest.mark.parametrize("estimator", EPOCHS)
def test_vectors_of_int_words(estimator):
    counts = pd.DataFrame(np.ones((4, 3), int), columns=[7, 5, 3])
    given = {5: [1.0, 2.0, 3.0], np.int64(7): [4.0, 5.0, 6.0], "9": [0.0] * 3}
    params = {"learning_rate": 1e-30, "max_iter": 1}
    for init in (given, WordVectors.from_dict(given)):
        embedder = cheap(estimator, init=init, **params).fit(counts)
        vectors = embedder.word_vectors_[
            [embedder.vocabulary_[word] for word in (5, 7)]
        ]
        np.testing.assert_allclose(vectors, [[1, 2, 3], [4, 5, 6]])


@small
def test_table_of_large_numbers():
    init = WordVectors(["cedar", "amber"], [[1.0, 2.0, 3.0], [1.0, 2.0, 1e30]])
    with pytest.raises(ValueError, match="init holds numbers for 'amber' that are"):
        cheap(EPOCHS[0], init=init).fit(DOCUMENTS)


@small
@pytest.mark.parametrize("row", [1, -1, 0.0, None])
def test_keys_of_rows_that_vectors_do_not_have(row):
    init = Keyed({"amber": [1.0, 2.0, 3.0]})
    init.key_to_index["cedar"] = row
    with pytest.raises(ValueError, match=f"key_to_index has the row {row} for 'cedar'"):
        cheap(EPOCHS[0], init=init).fit(DOCUMENTS)


@small
@pytest.mark.parametrize("estimator", EPOCHS)
@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("amber", "init='amber' is not a file of vectors"),
        ({"amber"}, "init must be WordVectors, .*got {'amber'}"),
        (3, "init must be WordVectors, .*got 3"),
        ({"amber": [1.0, 2.0]}, r"shape \(2,\) for 'amber'.*n_components=3"),
        ({"amber": [1.0, 2.0, np.inf]}, "init: The vector of 'amber' .* holds inf"),
        ({"amber": [1.0, 2.0, 1e30]}, "larger than 1e"),
        ({"amber": ["a", "b", "c"]}, "init: The vector of 'amber' must be an array"),
        ({"amber": [[1.0], [2.0, 3.0]]}, "init: The vector of 'amber' cannot be made"),
        ({3: [1.0, 2.0, 3.0]}, "none of which is among the 8 words"),
        ({3.0: [1.0, 2.0, 3.0]}, r"init: words\[0\] is 3.0 \(float\)"),
        ({True: [1.0, 2.0, 3.0]}, r"init: words\[0\] is True \(bool\)"),
        ({"amber": [10**400, 2, 3]}, "init: The vector of 'amber' cannot be made"),
        ({"AMBER": [1.0, 2.0, 3.0]}, "none of which is among the 8 words"),
        ({}, "init: A table needs at least one word"),
        (np.zeros((8, 3)), "Pass these words as `vocabulary`"),
    ],
)
def test_bad_vectors(estimator, init, message):
    embedder = cheap(estimator, init=init)
    with pytest.raises(ValueError, match=message):
        embedder.fit(DOCUMENTS)
    assert not learned(embedder)
    with pytest.raises(ValueError, match="one row for each of the 8 words"):
        cheap(estimator, init=np.zeros((7, 3)), vocabulary=WORDS).fit(DOCUMENTS)
    with pytest.raises(ValueError, match=r"init is not an array: .*inhomogeneous"):
        cheap(estimator, init=[[1, 2], [1]], vocabulary=WORDS).fit(DOCUMENTS)


@small
@pytest.mark.parametrize("estimator", EPOCHS)
def test_given_vectors_are_for_words_that_are_new(estimator):
    params = {"learning_rate": 1e-30, "max_iter": 1}
    embedder = cheap(estimator, **params).fit(DOCUMENTS)
    before = embedder.word_vectors_.copy()
    embedder.set_params(init={"amber": [9.0] * 3, "kiwi": [8.0] * 3}).partial_fit(NEW)
    np.testing.assert_allclose(embedder.word_vectors_[: len(before)], before)
    assert embedder.word_vectors_[embedder.vocabulary_["kiwi"]].tolist() == [8.0] * 3
    # When none is left, they are of no use, which is no mistake.
    embedder.set_params(init={"amber": [9.0] * 3}).partial_fit(MORE)


@pytest.mark.parametrize("estimator", SAMPLED)
def test_good_vectors_are_a_good_start(estimator, tiny_corpus):
    params = {"subsample": 0, "min_count": 1, "random_state": 0, "share_context": True}
    first = estimator(8, max_iter=30, learning_rate=0.1, **params).fit(tiny_corpus)
    given = {word: first.word_vectors_[row] for word, row in first.vocabulary_.items()}
    for init in (given, None):
        embedder = estimator(8, max_iter=1, init=init, **params).fit(tiny_corpus)
        good = bool(embedder.loss_curve_[0] < 0.97 * first.loss_curve_[0])
        assert good == (init is not None)


# --- memory of tokens, and everything together ----------------------------------------


@every_estimator
def test_with_a_memory(estimator, tmp_path):
    with_memory = cheap(estimator, memory=str(tmp_path), warm_start=False)
    plain = cheap(estimator)
    for embedder in (with_memory, plain, with_memory):
        embedder.fit(DOCUMENTS).partial_fit(NEW).partial_fit(TOKENISED)
    # Counting in another order, GloVe draws the same.
    assert_same_fit(with_memory, plain)


@small
@every_estimator
def test_copies_go_on_by_themselves(estimator):
    import copy

    embedder = cheap(estimator).fit(DOCUMENTS)
    for twin in (copy.copy(embedder), copy.deepcopy(embedder)):
        before = dict(learned(embedder))
        twin.partial_fit(MORE)
        assert all(same(learned(embedder)[key], before[key]) for key in before)
        assert twin.word_counts_.sum() > embedder.word_counts_.sum()


@small
def test_strategies_of_a_fit_that_goes_on():
    """Learned maps are a part of what was learned."""
    for strategy in strategies.strategies(strategies.SAMPLING):
        if strategy.learns_map:
            params = {"share_context": strategy.name, "max_iter": 5}
            embedder = cheap(SGNSEmbedder, learning_rate=0.5, **params).fit(DOCUMENTS)
            before = embedder.context_map_.copy()
            embedder.set_params(learning_rate=1e-30).partial_fit(MORE)
            np.testing.assert_allclose(embedder.context_map_, before, atol=1e-6)
            assert np.abs(before - np.round(before)).max() > 1e-3
