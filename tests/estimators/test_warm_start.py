"""What fits that go on refuse, hold out, and find in pickles."""

import copy
import pickle
import shutil
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer

from skembed import GloVeEmbedder, PPMISVDEmbedder, SoftmaxEmbedder
from skembed._counts import count
from skembed._solvers import epochs, glove, negative_sampling, softmax
from skembed.pooling import MaxPooling, SIFPooling
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
    WORDS,
    TreeEmbedder,
    assert_same_fit,
    learned,
    same,
)

small = pytest.mark.small


def cheap(estimator, **params):
    """Return a cheap estimator whose fits keep what later ones resume from."""
    return helpers.cheap(estimator, **{"warm_start": True, **params})


every_estimator = pytest.mark.parametrize("estimator", CHEAP)


# --- what cannot resume --------------------------------------------------------------


@small
@every_estimator
def test_parameters_that_have_to_stay(estimator):
    names = (*estimator._fixed_by_vectors, *estimator._fixed_by_counts)
    values = {"n_components": 2, "share_context": True, "negative_dims": 0.4}
    values |= {"directional": True, "window": 3, "window_weighting": "flat"}
    values |= {"direction": "right"}
    losses = {SoftmaxEmbedder: "hierarchical", TreeEmbedder: "softmax"}
    values |= {"loss": losses.get(estimator)}
    values |= {"input": "cooccurrence", "bias": "word", "aggregation": "sum"}
    assert names
    for name in names:
        signed = {"share_context": "signed"} if name == "negative_dims" else {}
        embedder = cheap(estimator, combine="word", **signed).fit(DOCUMENTS)
        before = dict(learned(embedder))
        embedder.set_params(**{name: values[name]})
        with pytest.raises(ValueError, match=rf"fitted with {name}=.*cannot resume"):
            embedder.partial_fit(MORE)
        assert all(same(learned(embedder)[key], before[key]) for key in before)
    if estimator in (GloVeEmbedder, *SOFTMAX):
        # The counts of a warm start are its own.
        embedder = cheap(estimator, warm_start=True).fit(DOCUMENTS)
        assert embedder.set_params(window=3).fit(MORE).n_iter_ == 2


@small
@every_estimator
def test_parameters_that_make_no_difference(estimator):
    """Windows of a matrix, and negative dimensions where there are none."""
    X = CountVectorizer().fit_transform(DOCUMENTS)
    of_matrix, of_text = cheap(estimator).fit(X), cheap(estimator).fit(DOCUMENTS)
    of_matrix.set_params(window=2, window_weighting="flat").partial_fit(X)
    assert of_matrix.word_counts_.sum() == 2 * X.sum()
    if estimator is not PPMISVDEmbedder:
        of_text.set_params(negative_dims=0.4).partial_fit(MORE)


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_what_auto_stands_for(estimator):
    """Is the same bias by another name."""
    for share_context, bias, other in ((False, None, "exact"), (True, "exact", None)):
        embedder = cheap(estimator, share_context=share_context).fit(DOCUMENTS)
        embedder.set_params(bias=bias).partial_fit(MORE)
        embedder.set_params(bias="auto").partial_fit(MORE)
        assert embedder.n_iter_ == 3
        with pytest.raises(ValueError, match=f"fitted with bias={bias!r}, and"):
            embedder.set_params(bias=other).partial_fit(MORE)


@small
@every_estimator
def test_pickles_of_versions_that_noted_less(estimator):
    embedder = cheap(estimator).fit(DOCUMENTS)
    del embedder._made_with["input"]
    assert embedder.partial_fit(MORE).word_counts_.sum() == 20 * 6 + 12 * 9


@small
@every_estimator
@pytest.mark.parametrize("first", ["content", "cooccurrence"])
def test_documents_and_counts_do_not_add_up(estimator, first):
    """The marginals of counts are other numbers than those of documents."""
    X = np.array([[0, 5, 1, 2], [1, 0, 2, 2], [7, 0, 3, 2], [1, 1, 1, 1.0]])
    embedder = cheap(estimator, input=first).fit(X)
    before = dict(learned(embedder))
    other = {"content": "cooccurrence", "cooccurrence": "content"}[first]
    with pytest.raises(ValueError, match=f"fitted with input='{first}', and cannot"):
        embedder.set_params(input=other).partial_fit(X)
    assert all(same(learned(embedder)[key], before[key]) for key in before)


@small
@pytest.mark.parametrize("estimator", EPOCHS)
def test_early_stopping_is_for_fit(estimator):
    embedder = cheap(estimator, early_stopping=True)
    with pytest.raises(ValueError, match=r"partial_fit .* early_stopping"):
        embedder.partial_fit(DOCUMENTS)
    assert not learned(embedder)


@small
@every_estimator
def test_text_and_matrices_do_not_mix(estimator):
    X = CountVectorizer().fit_transform(DOCUMENTS)
    of_text, of_matrix = cheap(estimator).fit(DOCUMENTS), cheap(estimator).fit(X)
    for embedder, other, message in (
        (of_text, X, "fitted on text and is to resume with a matrix"),
        (of_matrix, DOCUMENTS, "fitted on a matrix and is to resume with text"),
        (of_matrix, X[:, :-1], "X has 7 features, but .* is expecting 8"),
    ):
        before = dict(learned(embedder))
        with pytest.raises(ValueError, match=message):
            embedder.partial_fit(other)
        assert all(same(learned(embedder)[key], before[key]) for key in before)


@small
@every_estimator
@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X holds no documents"),
        (["amber", None], "Document 1 is missing"),
        ([3], "Document 0 is int"),
        ("amber birch", "X is a single str"),
    ],
)
def test_a_bad_part_changes_nothing(estimator, X, message):
    embedder = cheap(estimator).fit(DOCUMENTS)
    before = dict(learned(embedder))
    with pytest.raises(ValueError, match=message):
        embedder.partial_fit(X)
    assert all(same(learned(embedder)[key], before[key]) for key in before)
    assert embedder.partial_fit(MORE).word_counts_.sum() == 20 * 6 + 12 * 9


@small
@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.parametrize(
    ("part", "n_words"),
    [(["amber", "birch"], 2), (["unknown words", "zebra"], 0), ([["frost"], []], 1)],
)
def test_a_part_without_pairs(estimator, part, n_words):
    """Its words count, and nothing is learned from it: the schedule stands still."""
    params = {"share_context": True, "bias": "word", "new_words": "freeze"}
    embedder = cheap(estimator, max_iter=3, **params).fit(DOCUMENTS)
    before = dict(learned(embedder))
    embedder.partial_fit(part)
    after = learned(embedder)
    for name in ("word_vectors_", "word_biases_", "loss_curve_", "n_iter_"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-6)
    assert after["_schedule_epoch"] % 3 == before["_schedule_epoch"] % 3 == 0
    assert after["word_counts_"].sum() == before["word_counts_"].sum() + n_words
    embedder.partial_fit(DOCUMENTS)
    assert embedder.n_iter_ == 4


@small
@every_estimator
@pytest.mark.parametrize("share_context", [False, True])
@pytest.mark.parametrize("square", [False, True])
def test_a_part_of_a_matrix_without_pairs(estimator, share_context, square):
    kind = "cooccurrence" if square else "content"
    params = {"share_context": share_context, "combine": "word", "input": kind}
    X = np.array([[0, 2, 1, 0], [2, 0, 1, 1], [1, 1, 0, 3], [0, 1, 3, 0.0]])
    part = np.zeros((4, 4)) if square else np.diag([1.0, 0, 0, 0])
    embedder = cheap(estimator, **params).fit(X)
    before = dict(learned(embedder))
    embedder.partial_fit(part)
    added = [0 if square else 1, 0, 0, 0]
    assert embedder.word_counts_.tolist() == (before["word_counts_"] + added).tolist()
    if estimator in SAMPLED:
        assert same(embedder.word_vectors_, before["word_vectors_"])
        assert embedder.n_iter_ == before["n_iter_"]
    embedder.partial_fit(X)
    with pytest.raises(ValueError, match="no two co-occur"):
        cheap(estimator, **params).fit(part)


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_documents_one_by_one(estimator):
    """Subsampling may leave nothing of a short one."""
    embedder = cheap(estimator, subsample=1e-2).fit(DOCUMENTS * 5)
    for text in DOCUMENTS:
        embedder.partial_fit([text])
    assert 1 < embedder.n_iter_ < 21
    assert embedder.loss_curve_.size == embedder.n_iter_
    assert np.isfinite(embedder.loss_curve_).all()
    assert embedder.word_counts_.sum() == 6 * 6 * len(DOCUMENTS)


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("first", ["tfidf", SIFPooling(a=1e-3), "mean"])
def test_another_pooling_that_learns(estimator, first):
    """It would need all documents; one that learns nothing takes the place of any."""
    embedder = cheap(estimator, pooling=first, combine="word").fit(DOCUMENTS)
    before = dict(learned(embedder))
    for other in ("usif", SIFPooling(a=1.0)):
        embedder.set_params(pooling=other)
        with pytest.raises(ValueError, match=r"was fitted with the pooling .*Set it"):
            embedder.partial_fit(MORE)
        assert learned(embedder)["word_vectors_"] is before["word_vectors_"]
    embedder.set_params(pooling="max").partial_fit(MORE)
    assert type(embedder.pooling_) is MaxPooling


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_another_vocabulary(estimator):
    embedder = cheap(estimator).fit(DOCUMENTS)
    embedder.set_params(vocabulary=["amber", "zebra"])
    with pytest.raises(ValueError, match="cannot resume with another vocabulary"):
        embedder.partial_fit(MORE)
    embedder.set_params(vocabulary=list(embedder.vocabulary_)).partial_fit(MORE)
    if estimator in EPOCHS:
        embedder.set_params(vocabulary=["amber", "birch"], warm_start=True)
        with pytest.raises(ValueError, match=r"another vocabulary.*warm_start=False"):
            embedder.fit(DOCUMENTS)
        embedder.set_params(warm_start=False).fit(DOCUMENTS)
        assert list(embedder.vocabulary_) == ["amber", "birch"]


@small
@every_estimator
def test_warnings_that_are_errors(estimator):
    """Who gets an exception has an estimator as it was."""
    embedder = cheap(estimator, share_context=True, combine="word").fit(DOCUMENTS)
    before = dict(learned(embedder))
    embedder.set_params(combine="sum")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in (embedder.fit, embedder.partial_fit, embedder.fit_transform):
            with pytest.raises(UserWarning, match="twice its word vector"):
                method(MORE)
            assert all(learned(embedder)[name] is before[name] for name in before)
            assert learned(embedder).keys() == before.keys()


# --- what is held out -----------------------------------------------------------------


def hold_out_of(monkeypatch, estimator):
    """Return a list that takes what fits hold out: tokens, or pairs of words."""
    seen = []

    def note_documents(corpus, *how):
        parts = epochs.hold_out_documents(corpus, *how)
        seen.append(parts[1].token_ids.tolist())
        return parts

    def note_pairs(counts, fraction, random, row_of):
        parts = epochs.hold_out_pairs_inplace(counts, fraction, random, row_of)
        held, words = parts[1].tocoo(), np.argsort(row_of)
        seen.append(sorted(zip(words[held.row], words[held.col], strict=True)))
        return parts

    def note_counts(counts, fraction, random, row_of):
        parts = epochs.hold_out_counts_inplace(counts, fraction, random, row_of)
        held, words = parts[1].tocoo(), np.argsort(row_of)
        pairs = zip(words[held.row], words[held.col], held.data, strict=True)
        seen.append(sorted(pairs))
        return parts

    if estimator is GloVeEmbedder:
        monkeypatch.setattr(glove, "hold_out_pairs_inplace", note_pairs)
    elif estimator in SOFTMAX:
        monkeypatch.setattr(softmax, "hold_out_counts_inplace", note_counts)
    else:
        monkeypatch.setattr(negative_sampling, "hold_out_documents", note_documents)
    return seen


TRAINERS = {
    **dict.fromkeys(SAMPLED, negative_sampling._Training),
    GloVeEmbedder: glove.Training,
    **dict.fromkeys(SOFTMAX, softmax.Training),
}
STOPPING = {"early_stopping": True, "validation_fraction": 0.3, "warm_start": True}
NO_CONVERGENCE = "ignore::sklearn.exceptions.ConvergenceWarning"


@small
@pytest.mark.filterwarnings(NO_CONVERGENCE)
@pytest.mark.parametrize("estimator", EPOCHS)
def test_fits_that_go_on_hold_out_the_same(estimator, monkeypatch):
    """Otherwise a fit would be judged by what an earlier one has trained on."""
    seen = hold_out_of(monkeypatch, estimator)
    embedder = cheap(estimator, max_iter=2, **STOPPING)
    embedder.fit(DOCUMENTS).fit(DOCUMENTS)
    assert seen[0] == seen[1]
    embedder.set_params(random_state=7).fit(DOCUMENTS)
    assert seen[0] != seen[2]


@small
@pytest.mark.filterwarnings(NO_CONVERGENCE)
@pytest.mark.parametrize("estimator", [GloVeEmbedder, *SOFTMAX])
def test_new_words_leave_held_out_pairs_where_they_were(estimator, monkeypatch):
    seen = hold_out_of(monkeypatch, estimator)
    embedder = cheap(estimator, **STOPPING)
    new = [f"new{i}" for i in range(10)]
    embedder.fit(DOCUMENTS).fit([*DOCUMENTS, " ".join(new)])
    assert len(embedder.vocabulary_) == len(WORDS) + len(new)
    old = [pair for pair in seen[1] if max(pair[:2]) < len(WORDS)]
    assert old == seen[0] != seen[1]


@small
@pytest.mark.filterwarnings(NO_CONVERGENCE)
@pytest.mark.parametrize("estimator", EPOCHS)
@pytest.mark.parametrize("of_matrix", [False, True])
def test_losses_of_fits_that_go_on_can_be_compared(estimator, of_matrix):
    """Where nothing is learned, the loss is what the best epoch had."""
    X = CountVectorizer().fit_transform(DOCUMENTS) if of_matrix else DOCUMENTS
    embedder = cheap(estimator, max_iter=4, learning_rate=0.5, **STOPPING).fit(X)
    vectors, curve = embedder.word_vectors_.copy(), embedder.validation_loss_curve_
    embedder.set_params(max_iter=2, learning_rate=1e-30).fit(X)
    assert same(embedder.word_vectors_, vectors)
    # GloVe adds up in the order of its rows, and a softmax does so in float32.
    rel = 1e-6 if estimator in SOFTMAX else 1e-12
    expected = pytest.approx([*curve, *[curve.min()] * 2], rel=rel)
    assert embedder.validation_loss_curve_.tolist() == expected


@small
@pytest.mark.parametrize("estimator", EPOCHS)
def test_the_best_of_fits_that_go_on(estimator, monkeypatch):
    """A fit that learns nothing better ends with what it began with."""
    losses = {"fit": [5.0, 4.0, 4.5], "start": [4.1], "again": [6.0, 4.3, 4.2]}
    values = iter([*losses["fit"], *losses["start"], *losses["again"]])
    monkeypatch.setattr(TRAINERS[estimator], "validate", lambda self: next(values))
    embedder = cheap(estimator, max_iter=3, **STOPPING)
    with pytest.warns(ConvergenceWarning, match="cannot end .*after epoch 2, the best"):
        embedder.fit(DOCUMENTS)
    before = dict(learned(embedder))
    with pytest.warns(ConvergenceWarning, match="after the fit before, the best by"):
        embedder.fit(DOCUMENTS)
    assert same(embedder.word_vectors_, before["word_vectors_"])
    assert embedder.validation_loss_curve_.tolist() == losses["fit"] + losses["again"]
    values = iter([4.1, 6.0, 4.0, 4.2])
    with pytest.warns(ConvergenceWarning, match="after epoch 2, the best"):
        embedder.fit(DOCUMENTS)
    assert not same(embedder.word_vectors_, before["word_vectors_"])


# --- pickles --------------------------------------------------------------------------


@small
@pytest.mark.parametrize("estimator", COUNTING)
@pytest.mark.parametrize("way", ["warm_start", "partial_fit"])
def test_what_an_estimator_can_do_its_pickle_can_do(estimator, way):
    """Counts are kept, and pickled, where they are asked for."""
    if way == "warm_start":
        embedder = cheap(estimator, warm_start=True).fit(DOCUMENTS)
    else:
        embedder = cheap(estimator, warm_start=False).partial_fit(DOCUMENTS)
    loaded = pickle.loads(pickle.dumps(embedder))
    assert_same_fit(loaded, embedder)
    assert_same_fit(embedder.partial_fit(MORE), loaded.partial_fit(MORE))


@small
@pytest.mark.parametrize("estimator", COUNTING)
def test_a_plain_fit_keeps_no_counts(estimator):
    """Also one after fits that did; an error says what does."""
    streamed = cheap(estimator, warm_start=False).partial_fit(MORE)
    for embedder in (cheap(estimator, warm_start=False), streamed):
        embedder.fit(DOCUMENTS)
        assert not vars(embedder).keys() & {"_counts", "_counts_key", "_squares"}
        before = dict(learned(embedder))
        with pytest.raises(ValueError, match=r"co-occurrence counts.*warm_start=True"):
            embedder.partial_fit(MORE)
        assert all(learned(embedder)[key] is before[key] for key in before)


@small
@pytest.mark.parametrize("estimator", COUNTING)
def test_memory_has_the_counts(estimator, tmp_path):
    """Then a plain fit can be resumed, also from a pickle, until they are deleted."""
    whole = cheap(estimator).fit(DOCUMENTS).partial_fit(MORE)
    plain = cheap(estimator, warm_start=False, memory=str(tmp_path / "kept"))
    plain.fit(DOCUMENTS)
    assert "_counts" not in vars(plain)
    loaded = pickle.loads(pickle.dumps(plain))
    for embedder in (copy.copy(plain), loaded):
        embedder.partial_fit(MORE)
        without = {"_counts", "_counts_are_half", "_counts_order"}
        assert_same_fit(embedder, whole, without)
        counts = [count.restore(vars(one), len(WORDS)) for one in (embedder, whole)]
        assert same(*counts)
        assert "_counts" in vars(embedder)
    shutil.rmtree(tmp_path / "kept")
    for memory in (plain.memory, None):
        with pytest.raises(ValueError, match="warm_start=True"):
            plain.set_params(memory=memory).partial_fit(MORE)


@small
def test_a_fit_of_ppmi_svd_begins_anew():
    """Counts that it has kept are for `partial_fit`."""
    embedder = cheap(PPMISVDEmbedder, warm_start=True).fit(DOCUMENTS)
    other = cheap(PPMISVDEmbedder).fit(OTHER_DOCUMENTS)
    assert_same_fit(embedder.fit(OTHER_DOCUMENTS), other)


@small
@pytest.mark.parametrize("estimator", [GloVeEmbedder, *SOFTMAX])
def test_adagrad_without_its_state_says_so(estimator):
    embedder = cheap(estimator, warm_start=False).fit(DOCUMENTS)
    with pytest.raises(ValueError, match=r"the state of its training.*warm_start=True"):
        embedder.set_params(warm_start=True).fit(MORE)


@small
@pytest.mark.parametrize("estimator", [GloVeEmbedder, *SOFTMAX])
def test_adagrad_pickles_its_state_for_a_warm_start(estimator):
    embedder = cheap(estimator, warm_start=True).fit(DOCUMENTS)
    loaded = pickle.loads(pickle.dumps(embedder))
    assert_same_fit(embedder.fit(MORE), loaded.fit(MORE))


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_sampling_needs_no_state_in_pickles(estimator):
    embedder = cheap(estimator, max_iter=3).fit(DOCUMENTS)
    loaded = pickle.loads(pickle.dumps(embedder))
    assert_same_fit(embedder.partial_fit(MORE), loaded.partial_fit(MORE))
