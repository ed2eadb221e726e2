"""Losses, early stopping, interrupts and infinite numbers of a training."""

import signal
import sys
import threading
import warnings
from contextlib import suppress

import numba
import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    SoftmaxEmbedder,
    _fit,
)
from skembed._corpus.vocabulary import Corpus
from skembed._solvers import epochs, glove, negative_sampling, softmax
from skembed._utils import interrupts
from skembed.pooling import _features
from tests.benchmarks import bits
from tests.helpers import (
    DOCUMENTS,
    EPOCHS,
    ESTIMATORS,
    PACKAGE,
    SOFTMAX,
    TreeEmbedder,
    assert_same_fit,
    cheap,
    corpus_of,
    draw_documents,
    learned,
    same,
    sound_strategies,
)

small = pytest.mark.small
TRAINERS = {
    SGNSEmbedder: negative_sampling._Training,
    CBOWEmbedder: negative_sampling._Training,
    GloVeEmbedder: glove.Training,
    SoftmaxEmbedder: softmax.Training,
    TreeEmbedder: softmax.Training,
}
# Those that hold counts of pairs out, and whose words are in random order.
OF_COUNTS = (GloVeEmbedder, *SOFTMAX)
every_trained = pytest.mark.parametrize("estimator", EPOCHS)
every_strategy = pytest.mark.parametrize(
    ("estimator", "name"),
    [(e, s.name) for e in EPOCHS for s in sound_strategies(e)],
    ids=str,
)


def warned_fit(embedder, X=DOCUMENTS, **arguments):
    """Fit; return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embedder.fit(X, **arguments)
    return [(warning.category, str(warning.message)) for warning in caught]


def patch_losses(monkeypatch, estimator, training=None, validation=None):
    """Let epochs have certain losses; the training goes on as always."""
    trainer = TRAINERS[estimator]
    for name, losses in (("train", training), ("validate", validation)):
        if losses is not None:
            values = iter(losses)
            method = getattr(trainer, name)

            def told(self, *arguments, method=method, values=values):
                method(self, *arguments)
                return next(values)

            monkeypatch.setattr(trainer, name, told)


def kept_vectors(monkeypatch, estimator):
    """Return a list that takes the parameters after every epoch."""
    seen = []
    finish = epochs.Epochs._finish

    def note(self, *arguments):
        enough = finish(self, *arguments)
        seen.append(self.trainer.state[0].copy())
        return enough

    monkeypatch.setattr(epochs.Epochs, "_finish", note)
    return seen


# --- losses ---------------------------------------------------------------------------


@small
@every_trained
def test_curves(estimator):
    embedder = cheap(estimator, max_iter=4).fit(DOCUMENTS)
    assert embedder.loss_curve_.dtype == np.float64
    assert embedder.n_iter_ == embedder.loss_curve_.size == 4
    assert not hasattr(embedder, "validation_loss_curve_")
    with pytest.warns(ConvergenceWarning):
        embedder.set_params(early_stopping=True).fit(DOCUMENTS)
    curve = embedder.validation_loss_curve_
    assert curve.dtype == np.float64
    assert embedder.n_iter_ == curve.size == embedder.loss_curve_.size == 4
    assert np.isfinite(curve).all()
    # A refit without it has none.
    embedder.set_params(early_stopping=False).fit(DOCUMENTS)
    assert not hasattr(embedder, "validation_loss_curve_")


@every_strategy
def test_losses_do_not_depend_on_threads(estimator, name, monkeypatch):
    for module in bits.modules_with_threads():
        monkeypatch.setattr(module, "n_threads", bits.as_told)
    documents = draw_documents(0, 400, 20)
    fitted = []
    for n_jobs in (1, 2, 3):
        embedder = cheap(estimator, share_context=name, n_jobs=n_jobs, max_iter=2)
        embedder.set_params(early_stopping=True, combine="word")
        warned_fit(embedder, documents)
        fitted.append(embedder.set_params(n_jobs=None))
    assert fitted[0].validation_loss_curve_.size == 2
    for other in fitted[1:]:
        assert_same_fit(fitted[0], other)


@small
@every_strategy
def test_validation_changes_nothing(estimator, name, monkeypatch):
    """Whatever is learned is learned from the rest, as if there were no validation."""
    without = cheap(estimator, share_context=name, combine="word", max_iter=3)
    without.set_params(early_stopping=True, tol=0.0, n_iter_no_change=100)
    if estimator is not GloVeEmbedder:
        without.set_params(bias="word")
    embedders = []
    for validates in (True, False):
        embedder = type(without)(**without.get_params())
        if not validates:
            losses = iter(embedders[0].validation_loss_curve_)
            monkeypatch.setattr(
                TRAINERS[estimator], "validate", lambda self, told=losses: next(told)
            )
        warned_fit(embedder)
        embedders.append(embedder)
    assert_same_fit(*embedders)


@pytest.mark.parametrize("estimator", [SGNSEmbedder, CBOWEmbedder])
def test_validation_loss_is_the_objective(estimator, tiny_corpus):
    """Of the documents held out, in expectation: what `score` says of them."""
    embedder = estimator(
        6, min_count=1, subsample=0, max_iter=8, learning_rate=0.1, random_state=0
    )
    embedder.set_params(early_stopping=True, validation_fraction=0.5)
    documents = tiny_corpus * 40
    held = []
    hold_out = negative_sampling.hold_out_documents

    def note(corpus, *arguments):
        parts = hold_out(corpus, *arguments)
        held.append(parts[1])
        return parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(negative_sampling, "hold_out_documents", note)
        warned_fit(embedder, documents)
    words = list(embedder.vocabulary_)
    held_out = [
        [words[row] for row in held[0].token_ids[first:last]]
        for first, last in zip(
            held[0].doc_offsets, held[0].doc_offsets[1:], strict=False
        )
    ]
    best = embedder.validation_loss_curve_.min()
    assert best == pytest.approx(-embedder.score(held_out), rel=0.01)


def test_validation_loss_of_glove_is_the_objective(tiny_corpus):
    embedder = GloVeEmbedder(6, x_max=10, min_count=1, combine="word", random_state=0)
    embedder.set_params(early_stopping=True, validation_fraction=0.3, max_iter=5)
    embedder.set_params(warm_start=True)
    held = []
    hold_out = glove.hold_out_pairs_inplace

    def note(*arguments):
        parts = hold_out(*arguments)
        held.append(parts[1].copy())
        return parts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glove, "hold_out_pairs_inplace", note)
        warned_fit(embedder, tiny_corpus)
    row_of = embedder._counts_order
    counts = held[0][row_of][:, row_of].tocoo()
    words = np.array(list(embedder.vocabulary_))
    scores = embedder.score_pairs(words[counts.row], words[counts.col])
    weights = np.minimum(1.0, (counts.data / 10) ** 0.75)
    expected = (weights * (scores - np.log(counts.data)) ** 2).mean()
    # Vectors are those of the best epoch.
    best = embedder.validation_loss_curve_.min()
    assert best == pytest.approx(expected, rel=1e-5)


@small
def test_the_loss_of_an_epoch_that_is_cut_short():
    """Is that of the pairs that were visited."""

    class Stop:
        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context): ...

        def on_fit_task_end(self, estimator, context):
            return context.task_name == "part"

    pytest.importorskip("sklearn.callback")
    for estimator in EPOCHS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(glove, "_WORK_OF_A_SLICE", 1)
            patch.setattr(glove, "_MIN_ENTRIES_OF_A_BLOCK", 1)
            whole = cheap(estimator, learning_rate=1e-20).fit(DOCUMENTS)
            short = cheap(estimator, learning_rate=1e-20).set_callbacks(Stop())
            short.fit(DOCUMENTS)
        # The biases of GloVe learn at any rate.
        near = 1.0 if estimator is GloVeEmbedder else 0.5
        assert short.loss_curve_[0] == pytest.approx(whole.loss_curve_[0], rel=near)


# --- what is held out -----------------------------------------------------------------


@small
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.75])
def test_documents_are_held_out(fraction):
    documents = [[i, i, i + 1] for i in range(0, 40, 2)]
    corpus = corpus_of(documents)._replace(
        doc_weights=np.arange(20.0), token_weights=np.arange(60.0)
    )
    parts = epochs.hold_out_documents(corpus, fraction, np.random.default_rng(0))
    found = []
    for part in parts:
        rows = np.split(part.token_ids, part.doc_offsets[1:-1])
        weights = np.split(part.token_weights, part.doc_offsets[1:-1])
        for row, of_tokens, weight in zip(rows, weights, part.doc_weights, strict=True):
            assert of_tokens.tolist() == [3 * weight, 3 * weight + 1, 3 * weight + 2]
            found.append((int(weight), row.tolist()))
        assert part.doc_weights.tolist() == sorted(part.doc_weights)
    assert sorted(found) == list(enumerate(documents))
    assert parts[1].n_documents == np.ceil(20 * fraction)


@small
@pytest.mark.parametrize("fraction", [0.1, 0.5])
def test_more_documents_change_little_of_what_is_held_out(fraction):
    """Those behind the others move the share, not the order, of the ones before."""
    found = []
    for number in (1000, 1200):
        corpus = corpus_of([[i, i] for i in range(number)])
        random = np.random.default_rng(0)
        held = epochs.hold_out_documents(corpus, fraction, random)[1]
        found.append({i for i in held.token_ids.tolist() if i < 1000})
    both = found[0] & found[1]
    # One is a part of the other.
    assert len(both) == min(map(len, found))
    assert len(found[0] ^ found[1]) < 0.1 * len(both)


@small
@pytest.mark.parametrize("symmetric", [True, False])
def test_pairs_are_held_out(symmetric):
    rng = np.random.default_rng(1)
    dense = rng.integers(0, 3, (200, 200)) * rng.random((200, 200))
    if symmetric:
        dense = dense + dense.T
    counts, rows = sparse.csr_array(dense), rng.permutation(200)
    parts = epochs.hold_out_pairs_inplace(counts, 0.2, np.random.default_rng(2), rows)
    train, held = (part.toarray() for part in parts)
    assert (train + held).tolist() == dense.tolist()
    assert not (train.astype(bool) & held.astype(bool)).any()
    assert parts[1].nnz == pytest.approx(0.2 * counts.nnz, rel=0.05)
    # Both orders of a pair go the same way.
    both = (dense > 0) & (dense.T > 0)
    assert ((held > 0) == (held.T > 0))[both].all()
    # No row or column is left out, or held out, as a whole.
    assert 0 < (held > 0).sum(axis=0).min() < (dense > 0).sum(axis=0).min()
    again = epochs.hold_out_pairs_inplace(counts, 0.2, np.random.default_rng(3), rows)[
        1
    ]
    assert (again.toarray() != held).any()
    # In another order of the rows, the same pairs of words.
    order = rng.permutation(200)
    counts = sparse.csr_array(dense[order][:, order])
    rows = np.argsort(order)[rows]
    again = epochs.hold_out_pairs_inplace(counts, 0.2, np.random.default_rng(2), rows)[
        1
    ]
    assert (again.toarray() == held[order][:, order]).all()


def held_out_counts(counts, fraction, rows, seed=2):
    """Return the training part and the held-out part of dense counts."""
    parts = epochs.hold_out_counts_inplace(
        sparse.csr_array(counts), fraction, np.random.default_rng(seed), rows
    )
    for part in parts:
        assert part.shape == counts.shape
        assert part.nnz == np.count_nonzero(part.data)
        assert (np.diff(part.indptr) == (part.toarray() != 0).sum(axis=1)).all()
    return [part.toarray() for part in parts]


@small
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["whole", "halves", "any", "small", "large"])
def test_counts_are_held_out(kind, fraction):
    """A share of every count, right on average and never far from it."""
    rng = np.random.default_rng(1)
    dense = {
        "whole": lambda: rng.integers(1, 30, (200, 200)),
        "halves": lambda: rng.integers(1, 9, (200, 200)) / 2,
        "any": lambda: rng.random((200, 200)) * 5,
        "small": lambda: rng.random((200, 200)) * 1e-9,
        "large": lambda: rng.integers(10**9, 10**12, (200, 200)),
    }[kind]().astype(float)
    dense *= rng.random((200, 200)) < 0.3
    rows = rng.permutation(200)
    train, held = held_out_counts(dense, fraction, rows)
    np.testing.assert_allclose(train + held, dense, rtol=1e-12)
    assert (train >= 0).all()
    assert (held >= 0).all()
    if kind in ("whole", "large"):
        assert (train + held == dense).all()
        assert (held == np.rint(held)).all()
    # One of the two multiples of a unit that are next to the share.
    units = dense / np.maximum(np.ceil(dense), 1)
    assert (np.abs(held - fraction * dense) <= units * (1 + 1e-9)).all()
    n_some = np.count_nonzero(dense)
    error = np.sqrt((units**2).sum() / 4)
    assert abs(held.sum() - fraction * dense.sum()) < 4 * error
    assert n_some > 10_000


@small
def test_counts_are_held_out_by_words():
    """A pair and its reverse alike, in any order of the rows."""
    rng = np.random.default_rng(1)
    dense = rng.integers(0, 9, (50, 50)) / 2.0
    dense += dense.T
    rows = rng.permutation(50)
    _, held = held_out_counts(dense, 0.3, rows)
    assert (held == held.T).all()
    assert 0 < held.sum() < dense.sum()
    assert (held_out_counts(dense, 0.3, rows, seed=3)[1] != held).any()
    order = rng.permutation(50)
    again = held_out_counts(dense[order][:, order], 0.3, np.argsort(order)[rows])
    assert (again[1] == held[order][:, order]).all()
    # Further words, and counts of other pairs, change nothing.
    larger = np.pad(dense, (0, 5), constant_values=3.0)
    more = held_out_counts(larger, 0.3, np.append(rows, np.arange(50, 55)))
    assert (more[1][:50, :50] == held).all()


@small
@every_trained
def test_too_little_to_hold_out(estimator):
    embedder = cheap(estimator, early_stopping=True, validation_fraction=1 - 1e-9)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.9+ of \d+ "):
        embedder.fit(DOCUMENTS)
    embedder.set_params(validation_fraction=1e-9)
    if estimator in OF_COUNTS:
        with pytest.raises(ValueError, match="leaves none to hold out"):
            embedder.fit(DOCUMENTS)
    else:
        with pytest.raises(ValueError, match="two words of the vocabulary to hold out"):
            embedder.fit([*DOCUMENTS, "alone"][-1:] + ["amber birch"] + ["x"] * 30)
    assert not learned(embedder)


@small
@every_trained
def test_early_stopping_with_counts(estimator):
    """Pairs can be held out, documents not where there are none."""
    counts = np.random.default_rng(0).integers(1, 50, (12, 12)).astype(float)
    embedder = cheap(estimator, input="cooccurrence", early_stopping=True)
    if estimator in OF_COUNTS:
        warned_fit(embedder, counts)
        assert embedder.validation_loss_curve_.size == 1
    else:
        with pytest.raises(ValueError, match="early_stopping=True holds documents out"):
            embedder.fit(counts)


@small
@every_trained
def test_words_of_documents_held_out(estimator):
    """They belong to the vocabulary and are counted, whatever becomes of them."""
    documents = [*DOCUMENTS, "lonely island"]
    embedder = cheap(estimator, early_stopping=True, validation_fraction=0.5)
    warned_fit(embedder, documents)
    plain = cheap(estimator).fit(documents)
    assert embedder.vocabulary_ == plain.vocabulary_
    assert embedder.word_counts_.tolist() == plain.word_counts_.tolist()
    assert np.isfinite(embedder.transform(documents)).all()


# --- early stopping -------------------------------------------------------------------


@small
@every_trained
@pytest.mark.parametrize(
    ("losses", "tol", "patience", "n_iter", "best"),
    [
        # One more than `n_iter_no_change` without enough of a fall.
        ([5, 4, 4.1, 4.1, 4.1, 1], 0.1, 2, 5, 1),
        ([5, 4.95, 4.9, 4.85, 4.8, 1], 0.1, 1, 3, 2),
        ([5, 6, 7, 4, 4, 4], 0.1, 1, 3, 0),
        ([5, 4.8, 4.6, 4.4, 4.2, 4.0], 0.1, 1, 6, 5),
        ([5, 6, 4, 6, 3, 6], 0.1, 1, 6, 4),
        ([5, 4, 4, 4, 4, 4], 0.0, 2, 6, 1),
    ],
)
def test_when_it_stops(estimator, losses, tol, patience, n_iter, best, monkeypatch):
    """As MLPClassifier does; and the vectors are those of the best epoch."""
    patch_losses(monkeypatch, estimator, validation=losses)
    seen = kept_vectors(monkeypatch, estimator)
    params = {"early_stopping": True, "tol": tol, "n_iter_no_change": patience}
    embedder = cheap(estimator, warm_start=True, max_iter=6, **params)
    caught = warned_fit(embedder)
    assert embedder.n_iter_ == n_iter == len(seen)
    assert embedder.validation_loss_curve_.tolist() == losses[:n_iter]
    # At the end of max_iter, it says that nothing has stopped it.
    assert [category for category, _ in caught] == [ConvergenceWarning] * (n_iter == 6)
    vectors = seen[best][: len(embedder.vocabulary_), :3]
    if estimator in OF_COUNTS:
        vectors = vectors[embedder._counts_order]
    assert same(embedder.word_vectors_, np.ascontiguousarray(vectors))


def test_the_rule_is_that_of_mlp_classifier(monkeypatch):
    """Random losses, shown to both."""
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    X, y = rng.random((40, 2)), np.arange(40) % 2
    for _ in range(30):
        losses = np.cumsum(rng.normal(-0.05, 0.1, 30)) + 5
        patience = int(rng.integers(1, 5))
        params = {"tol": 0.05, "n_iter_no_change": patience, "max_iter": 30}
        with monkeypatch.context() as patch:
            scores = iter(-losses)
            patch.setattr(MLPClassifier, "_score", lambda *a, s=scores, **k: next(s))
            peer = MLPClassifier(2, early_stopping=True, random_state=0, **params)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                peer.fit(X, y)
            patch_losses(patch, GloVeEmbedder, validation=losses)
            embedder = cheap(GloVeEmbedder, early_stopping=True, **params)
            warned_fit(embedder)
        assert embedder.n_iter_ == peer.n_iter_


@small
@every_trained
def test_the_training_loss_can_be_watched(estimator, monkeypatch):
    """Where nothing is held out; the last epoch is kept then."""
    losses = [5, 4, 4, 4, 4, 4]
    patch_losses(monkeypatch, estimator, training=losses)
    seen = kept_vectors(monkeypatch, estimator)
    embedder = cheap(
        estimator, warm_start=True, max_iter=6, n_iter_no_change=1, early_stopping=True
    )
    embedder.set_params(validation_fraction=None)
    assert not warned_fit(embedder)
    assert embedder.n_iter_ == 4
    assert not hasattr(embedder, "validation_loss_curve_")
    vectors = seen[-1][: len(embedder.vocabulary_), :3]
    if estimator in OF_COUNTS:
        vectors = vectors[embedder._counts_order]
    assert same(embedder.word_vectors_, np.ascontiguousarray(vectors))


@small
@every_trained
def test_without_early_stopping_all_epochs_are_made(estimator, monkeypatch):
    patch_losses(monkeypatch, estimator, training=[1.0] * 30)
    embedder = cheap(estimator, max_iter=30, n_iter_no_change=1, tol=1.0)
    assert not warned_fit(embedder)
    assert embedder.n_iter_ == 30


@pytest.mark.slow
def test_it_ends_where_the_validation_loss_does(tiny_corpus):
    """Of a model that soon learns its documents by heart."""
    params = {"min_count": 1, "subsample": 0, "learning_rate": 0.5, "random_state": 0}
    documents = [text.split() for text in tiny_corpus]
    embedder = SGNSEmbedder(
        50, max_iter=300, early_stopping=True, n_iter_no_change=5, **params
    ).fit(documents)
    curve = embedder.validation_loss_curve_
    assert 10 < embedder.n_iter_ < 300
    assert 2 < curve.argmin() < embedder.n_iter_ - 5
    assert curve.min() < curve[-1] < curve[0]


# --- interrupts -----------------------------------------------------------------------


def interrupt_epoch(monkeypatch, estimator, number, when="train"):
    """Let an epoch be interrupted, after it has changed the parameters."""
    trainer = TRAINERS[estimator]
    method = getattr(trainer, when)
    count = iter(range(100))

    def interrupted(self, *arguments):
        value = method(self, *arguments)
        if next(count) == number:
            raise KeyboardInterrupt
        return value

    monkeypatch.setattr(trainer, when, interrupted)


@pytest.fixture
def interrupt():
    """A function that interrupts this process, as a user does."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("only the main thread is interrupted")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@small
@every_trained
def test_interrupt_before_the_first_epoch_is_finished(estimator, monkeypatch):
    interrupt_epoch(monkeypatch, estimator, 0)
    embedder = cheap(estimator, max_iter=3)
    with pytest.raises(KeyboardInterrupt):
        embedder.fit(DOCUMENTS)
    assert not learned(embedder)


@small
@every_strategy
@pytest.mark.parametrize("number", [1, 2])
def test_finished_epochs_are_kept(estimator, name, number, monkeypatch):
    """And nothing of the epoch that was interrupted."""
    embedder = cheap(
        estimator, warm_start=True, share_context=name, max_iter=3, combine="word"
    )
    seen = []
    finish = epochs.Epochs._keep

    def note(self):
        finish(self)
        seen.append([array.copy() for array in self.trainer.state])

    with monkeypatch.context() as patch:
        patch.setattr(epochs.Epochs, "_keep", note)
        interrupt_epoch(patch, estimator, number)
        ((category, message),) = warned_fit(embedder)
    assert category is UserWarning
    assert f"interrupted in epoch {number + 1} of 3" in message
    assert message.endswith(f"those after epoch {number}.")
    assert embedder.n_iter_ == embedder.loss_curve_.size == number
    n_words = len(embedder.vocabulary_)
    vectors = seen[-1][0][:n_words, :3]
    if estimator in OF_COUNTS:
        vectors = vectors[embedder._counts_order]
    assert same(embedder.word_vectors_, np.ascontiguousarray(vectors))
    assert np.isfinite(embedder.transform(DOCUMENTS)).all()
    assert embedder.partial_fit(DOCUMENTS).n_iter_ == number + 1


@small
@every_trained
def test_kept_epochs_are_those_of_a_shorter_fit(estimator, monkeypatch):
    """Of GloVe, whose steps do not depend on the number of epochs."""
    embedder = cheap(estimator, warm_start=True, max_iter=3)
    with monkeypatch.context() as patch:
        interrupt_epoch(patch, estimator, 2)
        warned_fit(embedder)
    whole = cheap(estimator, warm_start=True, max_iter=3).fit(DOCUMENTS)
    assert same(embedder.loss_curve_, whole.loss_curve_[:2])
    if estimator is GloVeEmbedder:
        shorter = cheap(estimator, warm_start=True, max_iter=2).fit(DOCUMENTS)
        assert same(embedder.word_vectors_, shorter.word_vectors_)
        assert same(embedder._squares, shorter._squares)


@small
@every_trained
@pytest.mark.parametrize("when", ["train", "validate"])
def test_the_best_epoch_is_kept(estimator, when, monkeypatch):
    seen = kept_vectors(monkeypatch, estimator)
    patch_losses(monkeypatch, estimator, validation=[5, 3, 4, 4])
    interrupt_epoch(monkeypatch, estimator, 3, when)
    embedder = cheap(
        estimator, warm_start=True, max_iter=9, early_stopping=True, n_iter_no_change=9
    )
    ((_, message),) = warned_fit(embedder)
    assert message.endswith("those after epoch 2, the best by its validation loss.")
    assert embedder.n_iter_ == 3
    vectors = seen[1][: len(embedder.vocabulary_), :3]
    if estimator in OF_COUNTS:
        vectors = vectors[embedder._counts_order]
    assert same(embedder.word_vectors_, np.ascontiguousarray(vectors))


@small
@every_trained
@pytest.mark.parametrize("part", range(2))
def test_interrupt_while_a_copy_is_made(estimator, part, monkeypatch):
    """Half a copy is no epoch; what it is made of still is one."""
    copy = epochs._copy

    def interrupted(sources, targets):
        copy(sources[: part + 1], targets[: part + 1])
        raise KeyboardInterrupt

    seen = kept_vectors(monkeypatch, estimator)
    monkeypatch.setattr(epochs, "_copy", interrupted)
    embedder = cheap(estimator, warm_start=True, max_iter=3)
    warned_fit(embedder)
    assert embedder.n_iter_ == 1
    vectors = seen[0][: len(embedder.vocabulary_), :3]
    if estimator in OF_COUNTS:
        vectors = vectors[embedder._counts_order]
    assert same(embedder.word_vectors_, np.ascontiguousarray(vectors))


LAST_STEPS = {
    "hand over": lambda estimator: (TRAINERS[estimator], "fitted"),
    "pooling": lambda estimator: (_features, "fit"),
    "notes": lambda estimator: (_fit, "_notes"),
    "publish": lambda estimator: (_fit, "set_learned"),
    "warn": lambda estimator: (warnings, "warn"),
}


@small
@every_trained
@pytest.mark.parametrize("step", LAST_STEPS.values(), ids=LAST_STEPS)
def test_interrupt_after_the_last_epoch(estimator, step, interrupt, monkeypatch):
    """Only what takes no time is left to do, so it is done; a second one is obeyed."""
    room, name = step(estimator)
    # Warns of what `combine` amounts to.
    params = {"max_iter": 2, "pooling": "tfidf", "share_context": True}
    whole = cheap(estimator, combine="concat", **params)
    first = warned_fit(whole)
    for number in (1, 2):
        embedder = cheap(estimator, combine="concat", **params)
        do, left = getattr(room, name), [number]

        def interrupted(*arguments, do=do, left=left, **named):
            while left[0]:
                left[0] -= 1
                interrupt()
            return do(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(room, name, interrupted)
            if number == 1:
                caught = warned_fit(embedder)
                assert_same_fit(embedder, whole)
            else:
                # Both may come as one while the model is handed over in a thread.
                as_one = name == "fitted"
                raises = suppress if as_one else pytest.raises
                with raises(KeyboardInterrupt):
                    warned_fit(embedder)
                # What is kept is published before its warning.
                if name in ("warn", "fitted") and learned(embedder):
                    assert_same_fit(embedder, whole)
                else:
                    assert not learned(embedder)
        if number == 1 and name != "warn":
            # Notes that were told before the interrupt are told once more.
            assert len(caught) == 1 + (name == "set_learned")
            message = caught[-1][1]
            assert "The fit was interrupted after its last epoch, and is" in message
            assert first[0][1] in message
            with interrupts.end_everything(), monkeypatch.context() as patch:
                left[0] = 1
                patch.setattr(room, name, interrupted)
                with pytest.raises(KeyboardInterrupt):
                    warned_fit(cheap(estimator, combine="concat", **params))


@small
@every_trained
def test_interrupt_after_the_end_of_early_stopping(estimator, monkeypatch):
    """It ends an epoch that would not have been followed by another."""
    tell = epochs.Epochs._tell

    def interrupted(self, step, epoch):
        tell(self, step, epoch)
        if self._finished.is_over:
            raise KeyboardInterrupt

    monkeypatch.setattr(epochs.Epochs, "_tell", interrupted)
    params = {"early_stopping": True, "n_iter_no_change": 2, "tol": 1e9}
    embedder = cheap(estimator, max_iter=50, **params)
    ((category, message),) = warned_fit(embedder)
    assert (category, embedder.n_iter_) == (UserWarning, 4)
    assert "after its last epoch, and is complete" in message


@pytest.mark.long
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="kernels have too many lines")
@every_trained
def test_interrupts_at_any_line_after_the_last_epoch(estimator, interrupt, monkeypatch):
    """The fit is complete, and says so; or it was over already."""
    finish = epochs.Epochs._finish
    handler = signal.getsignal(signal.SIGINT)
    package = str(PACKAGE)
    whole = cheap(estimator, combine="word", max_iter=1).fit(DOCUMENTS)
    left = [None]

    def note_end(self, *arguments):
        enough = finish(self, *arguments)
        sys.settrace(trace)
        frame = sys._getframe()
        while frame := frame.f_back:
            # Lines of calls that have begun before.
            if frame.f_code.co_filename.startswith(package):
                frame.f_trace = trace
        return enough

    def trace(frame, event, argument):
        if not frame.f_code.co_filename.startswith(package):
            return None
        left[0] -= 1
        if not left[0]:
            interrupt()
        return trace

    monkeypatch.setattr(epochs.Epochs, "_finish", note_end)
    # Lines that are run again while a busy machine is late would change the numbers.
    monkeypatch.setattr(interrupts, "LOOK", 100.0)
    outcomes = []
    for number in range(1, 3000):
        embedder, left[0] = cheap(estimator, combine="word", max_iter=1), number
        try:
            caught = warned_fit(embedder)
            outcomes.append("kept" if caught else "silent")
        except KeyboardInterrupt:
            outcomes.append("raised")
        finally:
            sys.settrace(None)
        assert_same_fit(embedder, whole)
        assert signal.getsignal(signal.SIGINT) is handler
        if left[0] > 0:
            break
    # All that raise are behind all others: lines that return from the fit.
    assert outcomes.pop() == "silent"
    # Give or take the lines in which a fit waits for a thread that may be done already.
    assert "raised" in outcomes
    assert len(outcomes) - outcomes.index("raised") < 40
    assert outcomes.count("kept") > 100
    assert 0 < outcomes.count("raised") < 30


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_handler_of_interrupts_stays(estimator, interrupt, monkeypatch):
    """Whatever it is: fits neither replace it nor look for it."""
    seen = []
    end = estimator._fit_vectors

    def look(*arguments):
        seen.append(signal.getsignal(signal.SIGINT))
        interrupt()
        return end(*arguments)

    monkeypatch.setattr(estimator, "_fit_vectors", look)
    for handler in (lambda number, frame: None, signal.SIG_IGN):
        signal.signal(signal.SIGINT, handler)
        embedder = cheap(estimator).fit(DOCUMENTS)
        assert seen.pop() is signal.getsignal(signal.SIGINT) is handler
        assert learned(embedder)


@small
def test_closed_forms_keep_nothing(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    before = dict(learned(embedder))
    for module, name in ((_features, "fit"), (np.linalg, "eigh")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupted)
            if name == "fit":
                with pytest.raises(KeyboardInterrupt):
                    embedder.fit(DOCUMENTS[:5])
    assert all(learned(embedder)[name] is before[name] for name in before)


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_interrupted_refit_changes_nothing(estimator, monkeypatch):
    """The estimator is what it was before, as if `fit` had not been called."""
    embedder = cheap(estimator, warm_start=True).fit(DOCUMENTS)
    before = dict(learned(embedder))

    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(embedder), "_fit_vectors", interrupted)
    for method in (embedder.fit, embedder.fit_transform, embedder.partial_fit):
        with pytest.raises(KeyboardInterrupt):
            method(DOCUMENTS[:7])
        assert learned(embedder).keys() == before.keys()
        assert all(learned(embedder)[name] is before[name] for name in before)


@small
@every_trained
def test_programs_can_have_interrupts_for_themselves(estimator, monkeypatch):
    interrupt_epoch(monkeypatch, estimator, 1)
    embedder = cheap(estimator, max_iter=3)
    with interrupts.end_everything(), pytest.raises(KeyboardInterrupt):
        embedder.fit(DOCUMENTS)
    assert not learned(embedder)
    assert interrupts.keeps_finished()


@small
def test_foreign_calls_keep_their_results_and_errors():
    assert interrupts.interruptible(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        interrupts.interruptible(divmod, 7, 0)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        interrupts.interruptible(np.divide, np.ones(1), np.zeros(1))


# --- infinite numbers -----------------------------------------------------------------


def spoil(monkeypatch, estimator, epoch, number=np.nan):
    """Let one number of the parameters become infinite, or something like it."""
    train = TRAINERS[estimator].train

    def spoiled(self, at, report):
        loss = train(self, at, report)
        if at == epoch:
            self.state[0][1, 1] = number
        return loss

    monkeypatch.setattr(TRAINERS[estimator], "train", spoiled)


@small
@every_trained
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e16, -1e16])
def test_infinite_in_the_first_epoch(estimator, number, monkeypatch):
    spoil(monkeypatch, estimator, 0, number)
    embedder = cheap(estimator, max_iter=3)
    with pytest.raises(
        ValueError, match=r"infinite or NaN in epoch 1\. learning_rate="
    ):
        embedder.fit(DOCUMENTS)
    assert not learned(embedder)


@small
@every_trained
def test_infinite_in_a_later_epoch(estimator, monkeypatch):
    """The error comes, and the estimator holds the last epoch without."""
    embedder = cheap(estimator, max_iter=4)
    with monkeypatch.context() as patch:
        spoil(patch, estimator, 2)
        with pytest.raises(
            ValueError,
            match=r"in epoch 3\. learning_rate=.*the vectors after epoch 2\.",
        ):
            embedder.fit(DOCUMENTS)
    assert embedder.n_iter_ == embedder.loss_curve_.size == 2
    assert np.isfinite(embedder.transform(DOCUMENTS)).all()
    whole = cheap(estimator, max_iter=4).fit(DOCUMENTS)
    assert same(embedder.loss_curve_, whole.loss_curve_[:2])


@small
@every_trained
@pytest.mark.parametrize("which", ["training", "validation"])
def test_infinite_losses(estimator, which, monkeypatch):
    patch_losses(monkeypatch, estimator, **{which: [3.0, np.inf, 3.0]})
    embedder = cheap(estimator, max_iter=3, early_stopping=True)
    with pytest.raises(ValueError, match=r"infinite or NaN in epoch 2"):
        embedder.fit(DOCUMENTS)
    assert embedder.n_iter_ == 1


def test_glove_diverges_and_says_why(tiny_corpus):
    embedder = GloVeEmbedder(8, learning_rate=1e30, min_count=1, random_state=0)
    with pytest.raises(ValueError, match=r"learning_rate=1e\+30 is too large"):
        embedder.fit(tiny_corpus)
    assert not learned(embedder)


# --- tiny vocabularies ----------------------------------------------------------------


@small
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    "documents",
    [
        [["a", "a"]] * 3,
        [["a", "b"]] * 3,
        [["a", "b", "c"]] * 3,
        [["a", "b", "a", "c"]] * 50,
        [["a"], ["b"], ["a", "b"]],
    ],
    ids=["one word", "two words", "three words", "all the same", "words alone"],
)
def test_tiny_corpora(estimator, documents):
    for params in ({}, {"n_components": 50}, {"max_iter": 20, "learning_rate": 0.3}):
        if estimator is PPMISVDEmbedder:
            params = {k: v for k, v in params.items() if k == "n_components"}
        embedder = cheap(estimator, **params)
        if estimator in (SGNSEmbedder, CBOWEmbedder):
            embedder.set_params(negative=100)
        features = embedder.fit_transform(documents)
        assert np.isfinite(features).all()
        assert np.isfinite(embedder.word_vectors_).all()


def test_corpora_keep_their_type():
    part, _ = epochs.hold_out_documents(
        corpus_of([[0, 1]] * 4), 0.25, np.random.default_rng(0)
    )
    assert isinstance(part, Corpus)
    assert part.token_ids.dtype == np.int32
    assert part.doc_offsets.dtype == np.int64
    assert part.token_weights is part.doc_weights is part.counts is part.key is None
