"""Negative sampling: words without any pair have vectors of zeros, not random ones.

What was in a pair is told from the documents, or from the tokens that epochs visit.
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse

from skembed import GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder
from skembed._solvers import negative_sampling
from skembed._solvers.job import _ROWS_AT_ONCE, RandomStart
from skembed._solvers.sampling import Documents
from skembed._tying import strategies
from skembed.pooling import POOLINGS
from tests.helpers import (
    DOCUMENTS,
    EPOCHS,
    ESTIMATORS,
    SAMPLED,
    WORDS,
    assert_same_fit,
    cheap,
    traced,
)

small = pytest.mark.small
# "lonely" is drawn as a noise word, and "unseen" is not.
LONELY = [text.split() for text in DOCUMENTS] + [["lonely"]] * 6
VOCABULARY = ["unseen", *WORDS, "lonely"]
every_strategy = pytest.mark.parametrize(
    ("estimator", "name"),
    [
        pytest.param(kind, strategy.name, id=f"{kind.__name__}-{strategy.name}")
        for kind in ESTIMATORS
        for strategy in strategies.strategies(kind._method)
    ],
)
# "noise" and "three" say in every fit that they degenerate, others that they are alike.
quiet = pytest.mark.filterwarnings("ignore:.*share_context=:UserWarning")


def zeros(embedder, table="word"):
    """Return the words whose vectors are zeros."""
    vectors = getattr(embedder, f"{table}_vectors_")
    rows = embedder.vocabulary_.items()
    return {word for word, row in rows if not vectors[row].any()}


def paired(chunks):
    """Return the words that have a neighbour in tokens as `Documents` yields them."""
    found = set()
    for tokens in chunks:
        for first, second in pairwise(tokens):
            if second >= 0:
                found |= {max(first, ~first), second}
    return found


@pytest.fixture
def visited(monkeypatch):
    """Return a list that takes the tokens of each chunk that is visited."""
    chunks, seen = Documents.chunks, []

    def recorded(self):
        for chunk in chunks(self):
            seen.append(chunk.tokens.tolist())
            yield chunk

    monkeypatch.setattr(Documents, "chunks", recorded)
    return seen


# --- which vectors are zeros ----------------------------------------------------------


@small
@quiet
@every_strategy
def test_words_without_pairs(estimator, name):
    embedder = cheap(estimator, share_context=name, vocabulary=VOCABULARY)
    embedder.fit(LONELY)
    strategy = strategies.get_strategy(name)
    both = {"unseen", "lonely"}
    # Noise words move, and with them what shares their table.
    sampled = estimator in SAMPLED
    moved = sampled and strategy.noise_table == 0
    assert zeros(embedder) == ({"unseen"} if moved else both)
    moved = sampled and strategy.noise_table == strategy.context_table
    assert zeros(embedder, "context") == ({"unseen"} if moved else both)


@small
@pytest.mark.parametrize("pooling", sorted(POOLINGS))
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_features_of_words_without_pairs(estimator, pooling):
    embedder = cheap(estimator, vocabulary=VOCABULARY, pooling=pooling).fit(LONELY)
    documents = [["lonely"], ["unseen", "lonely"], ["unknown"], ["amber"]]
    features = embedder.transform(documents)
    assert not features[:3].any()
    assert features[3].any()


# Of one word to another; "c" has no row, "a" no column, "d" and "e" neither.
DIRECTED = np.zeros((5, 5))
DIRECTED[[0, 0, 1], [1, 2, 2]] = 5.0, 3.0, 4.0
NODES = list("abcde")


@small
@quiet
@pytest.mark.parametrize("update", ["both", "word"])
@every_strategy
def test_nodes_without_edges(estimator, name, update):
    """As in closed form: rows without entries are zeros, and columns likewise."""
    ways = {"update": update} if estimator in SAMPLED else {}
    embedder = cheap(
        estimator, share_context=name, input="cooccurrence", vocabulary=NODES, **ways
    )
    is_exact = estimator is PPMISVDEmbedder and name == "bilinear"
    # One table for "a" → "b" → "c" takes a dimension for each of them.
    embedder.set_params(n_components=3 if is_exact else 2)
    embedder.fit(sparse.csr_array(DIRECTED))
    strategy = strategies.get_strategy(name)
    of_rows, of_columns = set("cde"), set("ade")
    if strategy.context_table == 0:
        # The one row of a word moves as that of a context, too, if contexts move.
        of_rows = of_columns = set("cde" if "word" in ways.values() else "de")
        if is_exact:
            of_columns = set("ade")  # the matrix is held exactly
    assert zeros(embedder) == of_rows
    assert zeros(embedder, "context") == of_columns


@small
def test_directional_tables():
    # In enough epochs, "lonely" is drawn as a noise word of either side.
    embedder = cheap(SGNSEmbedder, directional=True, vocabulary=VOCABULARY, max_iter=20)
    embedder.fit(LONELY)
    assert zeros(embedder) == {"unseen", "lonely"}
    for side in ("left_context", "right_context", "context"):
        assert zeros(embedder, side) == {"unseen"}


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_contexts_that_do_not_move(estimator):
    """They are random on purpose, and used wherever their words occur."""
    embedder = cheap(estimator, update="word", vocabulary=VOCABULARY).fit(LONELY)
    assert zeros(embedder) == {"unseen", "lonely"}
    assert zeros(embedder, "context") == {"unseen"}


@pytest.mark.parametrize("estimator", SAMPLED)
def test_words_that_subsampling_leaves_alone(estimator, visited):
    """Each of 60 words stands once beside a word that is almost never kept."""
    documents = [["the", f"word{number}"] for number in range(60)]
    documents += [["the"] * 9, ["some", "pair"]] * 20
    embedder = cheap(estimator, subsample=1e-2, max_iter=3).fit(documents)
    found = {list(embedder.vocabulary_)[row] for row in paired(visited)}
    assert zeros(embedder) == embedder.vocabulary_.keys() - found
    assert 10 < len(found) < 50


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", EPOCHS)
def test_words_that_are_held_out(estimator):
    """Each document is a pair of words that are found nowhere else."""
    documents = [[f"{number}a", f"{number}b"] for number in range(40)]
    embedder = cheap(estimator, early_stopping=True, validation_fraction=0.3)
    unmoved = zeros(embedder.set_params(max_iter=2).fit(documents))
    pairs = {word[:-1] for word in unmoved}
    assert unmoved == {f"{pair}{side}" for pair in pairs for side in "ab"}
    if estimator in SAMPLED:
        assert len(pairs) == 12
    assert 2 < len(pairs) < 25


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_a_pair_without_a_gradient(estimator):
    """Contexts start at 0, so the only round of a fit moves no word vector."""
    embedder = cheap(estimator).fit([["amber", "birch"], ["cedar"]])
    assert zeros(embedder) == {"cedar"}
    assert np.abs(embedder.word_vectors_).max() <= 0.5 / 3


# --- given vectors, and fits that go on -----------------------------------------------


@small
@pytest.mark.parametrize("share_context", [False, True])
@pytest.mark.parametrize("estimator", EPOCHS)
def test_given_vectors_stay(estimator, share_context):
    given = {"unseen": [0.25, -0.5, 0.125]}
    params = {"share_context": share_context, "vocabulary": VOCABULARY, "init": given}
    embedder = cheap(estimator, warm_start=True, **params).fit(LONELY)
    row = embedder.vocabulary_["unseen"]
    assert embedder.word_vectors_[row].tolist() == given["unseen"]
    embedder.partial_fit(LONELY)
    assert embedder.word_vectors_[row].tolist() == given["unseen"]


@small
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize("share_context", [False, True])
@pytest.mark.parametrize("estimator", EPOCHS)
def test_fits_that_go_on_start_them_again(estimator, share_context, method):
    """From zeros on both sides, a pair of such words would have no gradient."""
    documents = [["amber", "birch"]] * 9
    late = ["first", "second", "never"]
    embedder = cheap(estimator, share_context=share_context, warm_start=True)
    embedder.set_params(vocabulary=["amber", "birch", *late]).fit(documents)
    assert zeros(embedder) == set(late)
    getattr(embedder, method)(documents)
    tables = [
        name for name in ("word", "context") if hasattr(embedder, f"{name}_vectors_")
    ]
    assert all(zeros(embedder, table) == set(late) for table in tables)
    getattr(embedder, method)([["first", "second"]] * 9)
    assert all(zeros(embedder, table) == {"never"} for table in tables)


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_a_part_that_trains_nothing(estimator):
    embedder = cheap(estimator).fit(DOCUMENTS)
    before = embedder.word_vectors_.copy()
    embedder.partial_fit([["lonely"]])
    assert zeros(embedder) == {"lonely"}
    assert embedder.word_vectors_[:-1].tobytes() == before.tobytes()


@small
@pytest.mark.parametrize("estimator", SAMPLED)
def test_an_epoch_that_is_not_kept(estimator, monkeypatch):
    """Pairs of the epoch that an interrupt ends leave no trace."""
    chunks, train = Documents.chunks, negative_sampling._Training.train

    def without_the_last(self):
        for chunk in chunks(self):
            yield chunk._replace(tokens=chunk.tokens[: None if self.late else -2])

    def interrupted(self, epoch, report):
        self.source.late = epoch
        loss = train(self, epoch, report)
        if epoch:
            raise KeyboardInterrupt
        return loss

    monkeypatch.setattr(Documents, "chunks", without_the_last)
    monkeypatch.setattr(negative_sampling._Training, "train", interrupted)
    embedder = cheap(estimator, max_iter=2)
    documents = [*DOCUMENTS, "late words"]
    with pytest.warns(UserWarning, match="interrupted in epoch 2"):
        embedder.fit(documents)
    assert zeros(embedder) == {"late", "words"}


# --- how they are told ----------------------------------------------------------------


@small
def test_random_start_is_drawn_again():
    """Against the numbers of one call; what is drawn next stays the same, too."""
    n_rows, n_columns = _ROWS_AT_ONCE + 5, 7
    random, twin = np.random.default_rng(3), np.random.default_rng(3)
    expected = twin.random((n_rows, n_columns), dtype=np.float32)
    expected = (expected - np.float32(0.5)) / 6
    params = np.ones((n_rows + 2, 16), dtype=np.float32)
    start = RandomStart(random, n_rows, n_columns, 6)
    start.write(params)
    assert random.random() == twin.random()
    np.testing.assert_array_equal(params[:n_rows, :n_columns], expected)
    assert (params[n_rows:] == 1).all()
    assert (params[:, n_columns:] == 1).all()
    moved, used = [0, 9, n_rows - 1], [1, _ROWS_AT_ONCE + 1]
    params[moved, 5] += 1
    mask = np.zeros(n_rows + 2, dtype=bool)
    mask[used] = True
    for _ in range(2):
        _, peak = traced(start.erase, params, mask)
        rest = np.setdiff1d(np.arange(n_rows), [*moved, *used])
        assert not params[rest, :6].any()
        assert (params[rest, 6] == expected[rest, 6]).all()
        np.testing.assert_array_equal(params[used, :7], expected[used])
        np.testing.assert_array_equal(params[moved, :5], expected[moved, :5])
    assert peak < 3 * 4 * n_columns * _ROWS_AT_ONCE


@small
@pytest.mark.parametrize("estimator", [*SAMPLED, GloVeEmbedder])
def test_vectors_are_looked_at_once(estimator, monkeypatch):
    calls, erase = [], RandomStart.erase

    def counted(self, params, used):
        calls.append(len(params))
        erase(self, params, used)

    monkeypatch.setattr(RandomStart, "erase", counted)
    embedder = cheap(estimator, max_iter=4).fit(LONELY)
    assert calls == [2 * len(embedder.vocabulary_)]


@small
def test_all_words_in_pairs_are_noted_in_the_first_epoch_only(monkeypatch):
    calls, note = [], negative_sampling._Training._note_pairs

    def counted(self, tokens):
        calls.append(tokens.size)
        note(self, tokens)

    monkeypatch.setattr(negative_sampling._Training, "_note_pairs", counted)
    cheap(SGNSEmbedder, max_iter=4).fit(DOCUMENTS)
    assert len(calls) == 1
    monkeypatch.setattr(negative_sampling, "_NOTED_AT_ONCE", 3)
    small_steps = cheap(SGNSEmbedder, max_iter=4).fit(LONELY)
    monkeypatch.undo()
    assert_same_fit(small_steps, cheap(SGNSEmbedder, max_iter=4).fit(LONELY))
    assert zeros(small_steps) == {"lonely"}
