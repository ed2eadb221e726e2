"""What is special to `SoftmaxEmbedder`: its parameters, and its tree in later fits."""

import numpy as np
import pytest

from skembed import SoftmaxEmbedder
from skembed.tying import Tying
from tests import reference
from tests.helpers import (
    DOCUMENTS,
    MORE,
    SOFTMAX,
    WORDS,
    TreeEmbedder,
    assert_same_fit,
    cheap,
    learned,
)

pytestmark = pytest.mark.small
NEW = ["kiwi lemon kiwi amber", "lemon mango kiwi birch", "mango amber lemon"] * 3


class Factors(Tying):
    """One or two tables, and fixed factors of the dimensions."""

    map_kind = "diagonal"

    def __init__(self, context_table=0):
        self.context_table = context_table

    @property
    def noise_table(self):
        return self.context_table

    def start_map(self, n_components, n_negative):
        return np.linspace(-1.0, 2.0, n_components)


# --- parameters -----------------------------------------------------------------------


def test_defaults():
    embedder = SoftmaxEmbedder()
    assert (embedder.loss, embedder.bias) == ("softmax", "auto")
    assert embedder.share_context is False
    for kind in SOFTMAX:
        for share_context in (False, True, "signed"):
            auto = cheap(kind, share_context=share_context).fit(DOCUMENTS)
            exact = cheap(kind, share_context=share_context, bias="exact")
            assert_same_fit(auto, exact.fit(DOCUMENTS), without=("_made_with",))


@pytest.mark.parametrize("kind", SOFTMAX)
@pytest.mark.parametrize("name", ["diagonal", "bilinear", "noise", "three"])
def test_other_strategies_are_refused(kind, name):
    embedder = cheap(kind, share_context=name)
    with pytest.raises(
        ValueError, match=rf"share_context='{name}' is available in"
    ) as e:
        embedder.fit(DOCUMENTS)
    assert "must be one of [False, True, 'signed']" in str(e.value)
    assert "SoftmaxEmbedder" not in str(e.value).partition("only")[0]
    assert not learned(embedder)


@pytest.mark.parametrize("combine", ["context", "sum", "concat"])
def test_inner_nodes_are_no_contexts(combine):
    for share_context in (False, Factors(1)):
        embedder = cheap(TreeEmbedder, share_context=share_context, combine=combine)
        for method in (embedder.fit, embedder.fit_transform, embedder.partial_fit):
            with pytest.raises(
                ValueError, match=rf"combine='{combine}' needs"
            ) as error:
                method(DOCUMENTS)
            assert "Pass combine='word', share_context=True, or" in str(error.value)
        assert not learned(embedder)
    with pytest.warns(UserWarning, match="combine='sum'"):
        cheap(TreeEmbedder, share_context=True, combine="sum").fit(DOCUMENTS)
    embedder = cheap(SoftmaxEmbedder, combine=combine).fit(DOCUMENTS)
    assert embedder.transform(DOCUMENTS).any()


def test_combine_after_the_fit():
    """A tree of its own table says so in `transform`, too."""
    embedder = cheap(TreeEmbedder, scale=None).fit(DOCUMENTS)
    embedder.set_params(combine="context")
    with pytest.raises(ValueError, match="combine='context' needs context vectors"):
        embedder.transform(DOCUMENTS)


@pytest.mark.parametrize("context_table", [0, 1])
@pytest.mark.parametrize("kind", SOFTMAX)
def test_own_factors(kind, context_table):
    """Vectors of outputs are those that enter the score."""
    strategy = Factors(context_table)
    embedder = cheap(kind, share_context=strategy, max_iter=3, warm_start=True)
    embedder.fit(DOCUMENTS)
    factors = strategy.start_map(3, 0)
    np.testing.assert_allclose(embedder.context_map_, factors)
    words = embedder.word_vectors_
    if context_table == 0:
        np.testing.assert_allclose(embedder.context_vectors_, words * factors, 1e-6)
    if kind is TreeEmbedder:
        if context_table == 0:
            matrix = reference.node_matrix(embedder.children_.tolist())
            expected = matrix @ words.astype(np.float64) * factors
            np.testing.assert_allclose(embedder.node_vectors_, expected, atol=1e-6)
        assert hasattr(embedder, "context_vectors_") == (context_table == 0)
        outputs, biases = embedder.node_vectors_, embedder.node_biases_
        children = embedder.children_.tolist()
    else:
        outputs, biases, children = embedder.context_vectors_, None, None
        biases = embedder._score_offset
    model = reference.Softmax(words, outputs, biases, np.ones(3), None, children)
    expected = model.log_probabilities(np.arange(len(WORDS)))
    names = np.array(list(embedder.vocabulary_))
    scores = embedder.score_pairs(names[:, np.newaxis], names)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    # A fit that learns nothing finds the tables as they were.
    before = embedder.loss_curve_.size
    embedder.set_params(learning_rate=1e-30).fit(DOCUMENTS)
    assert embedder.loss_curve_.size == before + 3
    np.testing.assert_allclose(embedder.word_vectors_, words, atol=1e-6)


@pytest.mark.parametrize("kind", SOFTMAX)
@pytest.mark.parametrize("change", [{"bias": "word"}, {"bias": None}, {"loss": None}])
def test_a_fit_that_goes_on_keeps_loss_and_bias(kind, change):
    if "loss" in change:
        change = {"loss": "softmax" if kind is TreeEmbedder else "hierarchical"}
    embedder = cheap(kind, warm_start=True).fit(DOCUMENTS)
    before = dict(learned(embedder))
    ((name, _),) = change.items()
    embedder.set_params(**change)
    with pytest.raises(ValueError, match=rf"fitted with {name}=.*cannot resume"):
        embedder.partial_fit(MORE)
    assert all(learned(embedder)[key] is before[key] for key in before)


@pytest.mark.parametrize("kind", SOFTMAX)
@pytest.mark.parametrize("share_context", [False, True])
def test_auto_means_exact_in_later_fits(kind, share_context):
    params = {"share_context": share_context, "warm_start": True}
    embedder = cheap(kind, **params).fit(DOCUMENTS)
    embedder.set_params(bias="exact").partial_fit(MORE)
    embedder.set_params(bias="auto").partial_fit(MORE)
    assert embedder.n_iter_ == 3


def test_draws_are_for_the_full_softmax():
    """Their number changes nothing in a tree, and may change in a later fit."""
    tree = cheap(TreeEmbedder).fit(DOCUMENTS)
    assert_same_fit(cheap(TreeEmbedder, n_draws=3).fit(DOCUMENTS), tree)
    embedder = cheap(SoftmaxEmbedder, warm_start=True, n_draws=3).fit(DOCUMENTS)
    embedder.set_params(n_draws=0).partial_fit(MORE)
    assert embedder.n_iter_ == 2
    # A small vocabulary is computed exactly.
    auto = cheap(SoftmaxEmbedder).fit(DOCUMENTS)
    assert_same_fit(cheap(SoftmaxEmbedder, n_draws=0).fit(DOCUMENTS), auto)


def test_large_vocabularies_are_drawn(monkeypatch):
    from skembed._solvers import softmax

    monkeypatch.setattr(softmax, "EXACT_LIMIT", len(WORDS) - 1)
    monkeypatch.setattr(softmax, "AUTO_DRAWS", 4)
    auto = cheap(SoftmaxEmbedder).fit(DOCUMENTS)
    assert_same_fit(auto, cheap(SoftmaxEmbedder, n_draws=4).fit(DOCUMENTS))
    exact = cheap(SoftmaxEmbedder, n_draws=0).fit(DOCUMENTS)
    assert auto.loss_curve_[0] != exact.loss_curve_[0]


# --- the tree -------------------------------------------------------------------------


def paths_by_word(embedder):
    """Return word -> list of (inner node, side), from the root down."""
    paths = reference.paths(embedder.children_.tolist())
    return {word: paths[row] for word, row in embedder.vocabulary_.items()}


@pytest.mark.parametrize("share_context", [False, True, "signed"])
def test_the_tree_is_that_of_raw_counts(share_context):
    """Whatever `subsample` does to the counts of pairs."""
    embedder = cheap(TreeEmbedder, share_context=share_context, subsample=0.05)
    embedder.fit(DOCUMENTS)
    expected = reference.huffman(embedder.word_counts_.tolist())
    assert embedder.children_.tolist() == expected
    if share_context is not False:
        matrix = reference.node_matrix(expected)
        contexts = embedder.context_vectors_.astype(np.float64)
        np.testing.assert_allclose(embedder.node_vectors_, matrix @ contexts, atol=1e-6)


@pytest.mark.parametrize("share_context", [False, True, "signed"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_new_words_leave_the_paths_of_others(method, share_context):
    embedder = cheap(TreeEmbedder, share_context=share_context, warm_start=True)
    embedder.set_params(bias="word").fit(DOCUMENTS)
    before, vectors = paths_by_word(embedder), embedder.word_vectors_.copy()
    nodes, biases = embedder.node_vectors_.copy(), embedder.node_biases_.copy()
    embedder.set_params(learning_rate=1e-30)
    getattr(embedder, method)(DOCUMENTS + NEW)
    after = paths_by_word(embedder)
    root = len(embedder.vocabulary_) - 2
    assert len(after) == len(WORDS) + 3
    sides = set()
    for word, path in before.items():
        ((node, side), *rest) = after[word]
        assert (node, rest) == (root, path)
        sides.add(side)
    assert len(sides) == 1
    for word in ("kiwi", "lemon", "mango"):
        assert after[word][0] == (root, 1 - sides.pop() if sides else after[word][0][1])
    # Vectors and biases of earlier words and nodes are where they were.
    np.testing.assert_allclose(embedder.word_vectors_[:8], vectors, atol=1e-6)
    np.testing.assert_allclose(embedder.node_vectors_[:7], nodes, atol=1e-6)
    np.testing.assert_allclose(embedder.node_biases_[:7], biases, atol=1e-5)


def test_a_tree_that_is_damaged_is_refused():
    """An estimator whose attributes somebody has changed."""
    embedder = cheap(TreeEmbedder, warm_start=True).fit(DOCUMENTS)
    embedder.children_ = embedder.children_[::-1]
    with pytest.raises(ValueError, match="children"):
        embedder.partial_fit(MORE)
