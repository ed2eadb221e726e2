"""Softmax over contexts, or over a tree: training against slow twins in float64."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from skembed import SoftmaxEmbedder
from skembed._solvers import softmax
from skembed._tying import strategies
from skembed._utils.threads import ThreadTeam
from tests import reference

small = pytest.mark.small
pytestmark = pytest.mark.filterwarnings("ignore:.*X is not symmetric")
STRATEGIES = (False, True, "signed")
BIASES = (None, "exact", "word")
KINDS = ("exact", "drawn", "tree")
every_kind = pytest.mark.parametrize("kind", KINDS)
every_strategy = pytest.mark.parametrize("share_context", STRATEGIES)
every_bias = pytest.mark.parametrize("bias", BIASES)


def random_counts(n_words=13, seed=0, density=0.4):
    """Counts that are not symmetric; some words have no contexts, or are none."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, size=(n_words, n_words)) / 2.0
    counts *= rng.random((n_words, n_words)) < density
    counts[np.arange(n_words), (np.arange(n_words) + 1) % n_words] += 1.0
    counts[:, 0] *= 20.0
    counts[2], counts[:, 3] = 0.0, 0.0
    counts[4], counts[:, 4] = 0.0, 0.0
    counts[5, 5] = 11.0
    return counts


def embedder_of(kind, share_context=False, bias="exact", **params):
    """Return an unfitted estimator for given co-occurrence counts."""
    params = {
        "n_components": 5,
        "loss": "hierarchical" if kind == "tree" else "softmax",
        "n_draws": 7 if kind == "drawn" else 0,
        "subsample": 0,
        "input": "cooccurrence",
        "min_count": 1,
        "random_state": 0,
        "max_iter": 2,
        "l2": 0.7,
        **params,
    }
    return SoftmaxEmbedder(share_context=share_context, bias=bias, **params)


@pytest.fixture
def many_parts(monkeypatch):
    """Sizes with which tiny vocabularies have several blocks, tiles and tasks."""
    for name, size in {
        "_FEWEST_ROWS": 4,
        "_TILE": 5,
        "_ROWS_OF_A_TASK": 2,
        "_SPARSE_TILES": 3,
    }.items():
        monkeypatch.setattr(softmax, name, size)


class Watched:
    """The start of a training and its blocks, in the words of the vocabulary."""

    def __init__(self, monkeypatch):
        self.blocks = []
        self.draws = []
        self.training = None
        visit, draw = softmax.Training._visit, softmax.DrawnSoftmax._draw

        def note_visit(training, team, rows, rate):
            if self.training is None:
                self.training = training
                self.row_of = training.tables.row_of.copy()
                self.start = training.model.params.copy()
                self.state = [array.copy() for array in training.state]
            if rate:
                first, last = rows
                inside = (self.row_of >= first) & (self.row_of < last)
                self.blocks.append((np.flatnonzero(inside), rate))
            return visit(training, team, rows, rate)

        def note_draw(objective, n_rows):
            draw(objective, n_rows)
            weights = np.zeros(len(objective.outputs))
            weights[objective.drawn] = objective.of_drawn.weights
            self.draws.append(weights[self.row_of])

        monkeypatch.setattr(softmax.Training, "_visit", note_visit)
        monkeypatch.setattr(softmax.DrawnSoftmax, "_draw", note_draw)

    def twin(self, embedder, counts):
        """Return the model before training, for the reference."""
        d, n_words = embedder.n_components, len(counts)
        table = self.start[:, :d].astype(np.float64)
        words = table[self.row_of]
        totals = counts.sum(axis=0)
        # Contexts never seen have the probability of the rarest one.
        totals = np.maximum(totals, totals[totals > 0].min())
        is_shared = embedder.share_context is not False
        signs = np.ones(d)
        if embedder.share_context == "signed":
            signs[-1] = -1.0
        children = matrix = outputs = None
        if embedder.loss == "hierarchical":
            children = embedder.children_.tolist()
            sides = [
                [totals[leaves].sum() for leaves in pair]
                for pair in reference.leaves_by_side(children)
            ]
            left, right = np.array(sides).T
            biases = np.log(left / right)
            if is_shared:
                matrix = reference.node_matrix(children)
            else:
                outputs = table[n_words : 2 * n_words - 1].copy()
        else:
            biases = np.log(totals / counts.sum())
            if is_shared:
                matrix = np.eye(n_words)
            else:
                outputs = table[n_words + self.row_of]
        if embedder.bias is None:
            biases = np.zeros_like(biases)
        return reference.Softmax(words, outputs, biases, signs, matrix, children)


# --- against the twins ----------------------------------------------------------------


@small
@every_bias
@every_strategy
@every_kind
def test_two_epochs_are_those_of_the_twin(
    kind, share_context, bias, many_parts, monkeypatch
):
    counts = random_counts()
    watched = Watched(monkeypatch)
    embedder = embedder_of(kind, share_context, bias).fit(counts)
    order = [int(word[1:]) for word in embedder.vocabulary_]
    counts = counts[np.ix_(order, order)]
    twin = watched.twin(embedder, counts)
    steps = reference.SoftmaxSteps(twin, embedder.l2, bias == "word")
    n_blocks = len(watched.blocks) // 2
    assert n_blocks == 4
    losses = []
    draws = watched.draws if kind == "drawn" else itertools.repeat(None)
    for (rows, rate), drawn in zip(watched.blocks, draws, strict=False):
        losses.append(steps.visit(rows, counts[rows], rate, drawn))
    # The rate grows in the first epoch, and falls all the time.
    rates = [
        0.3 * (1 - i / (2 * n_blocks)) * min((i + 1) / n_blocks, 1)
        for i in range(2 * n_blocks)
    ]
    np.testing.assert_allclose([rate for _, rate in watched.blocks], rates)
    for epoch in np.split(np.arange(2 * n_blocks), 2):
        seen = np.concatenate([watched.blocks[number][0] for number in epoch])
        assert sorted(seen) == list(range(len(counts)))
    expected = np.reshape(losses, (2, -1)).sum(axis=1) / counts.sum()
    np.testing.assert_allclose(embedder.loss_curve_, expected, rtol=2e-6)
    assert len(watched.draws) == (2 * n_blocks if kind == "drawn" else 0)
    # A drawn context stands for 1 / (K q) contexts each time.
    totals = counts.sum(axis=0)
    q = np.maximum(totals, totals[totals > 0].min()) ** 0.75
    for weights in watched.draws:
        times = weights * embedder.n_draws * q / q.sum()
        np.testing.assert_allclose(times, np.rint(times), atol=1e-5)
        assert times.sum() == pytest.approx(embedder.n_draws)
    # Vectors of words without any pair are set to 0 in the end.
    as_word, as_context = counts.any(axis=1), counts.any(axis=0)
    if share_context is not False:
        as_word = as_context = as_word | as_context
    words = twin.words * as_word[:, np.newaxis]
    np.testing.assert_allclose(embedder.word_vectors_, words, atol=2e-6)
    vectors = twin.vectors * twin.signs
    if kind == "tree":
        np.testing.assert_allclose(embedder.node_vectors_, vectors, atol=2e-6)
        np.testing.assert_allclose(embedder.node_biases_, twin.biases, atol=2e-6)
        return
    vectors = vectors * as_context[:, np.newaxis]
    np.testing.assert_allclose(embedder.context_vectors_, vectors, atol=2e-6)
    biases = getattr(embedder, "context_biases_", embedder._score_offset)
    np.testing.assert_allclose(biases, twin.biases, atol=2e-6)


@small
@pytest.mark.parametrize("shared", [False, True])
@every_kind
def test_gradients_of_the_twin(kind, shared):
    """By finite differences, in float64."""
    rng = np.random.default_rng(3)
    n_words, d = 6, 3
    counts = random_counts(n_words)
    children = matrix = outputs = None
    n_outputs = n_words
    if kind == "tree":
        children = reference.huffman(counts.sum(axis=0).tolist())
        n_outputs = n_words - 1
    if shared:
        matrix = np.eye(n_words)
        if kind == "tree":
            matrix = reference.node_matrix(children)
    else:
        outputs = rng.normal(size=(n_outputs, d))
    words, biases = rng.normal(size=(n_words, d)), rng.normal(size=n_outputs)
    signs = np.array([1.0, 1.0, -1.0])
    model = reference.Softmax(words, outputs, biases, signs, matrix, children)
    drawn = rng.random(n_words) * 3 if kind == "drawn" else None
    rows = np.array([0, 1, 3, 5])
    of_words, of_outputs, of_biases = model.gradients(rows, counts[rows], drawn)
    if shared:
        total = of_outputs.copy()
        total[rows] += of_words
        parts = [(words, total)]
    else:
        all_words = np.zeros_like(words)
        all_words[rows] = of_words
        parts = [(words, all_words), (outputs, of_outputs)]
    for array, gradient in [*parts, (biases, of_biases)]:
        for at in np.ndindex(array.shape):
            before, losses = array[at], []
            for step in (1e-5, -1e-5):
                array[at] = before + step
                losses.append(model.loss(rows, counts[rows], drawn))
            array[at] = before
            slope = (losses[0] - losses[1]) / 2e-5
            assert gradient[at] == pytest.approx(slope, rel=1e-6, abs=1e-6)


# --- the estimate of the normaliser ---------------------------------------------------


def drawn_objective(n_draws, n_words=40, n_rows=6, seed=0):
    """Return the objective of drawn contexts, rows of words, and their counts."""
    rng = np.random.default_rng(seed)
    counts = random_counts(n_words, seed, density=0.15)[:n_rows]
    embedder = embedder_of("drawn", False)
    layout = strategies.get_strategy(embedder.share_context)._layout(n_words, 5)
    params = layout.allocate()
    params[:, :6] = rng.normal(size=(2 * n_words, 6)) / 2
    tables = softmax.Tables(
        layout, params, np.ones_like(params), np.arange(n_words), None, False, {}
    )
    model = softmax.Model(tables, True)
    totals = random_counts(n_words, seed, density=0.15).sum(axis=0)
    objective = softmax.DrawnSoftmax(
        model,
        params[n_words:],
        n_rows,
        np.ones(n_words),
        totals,
        (n_draws, np.random.default_rng(seed)),
    )
    matrix = sparse.csr_array(
        np.vstack([counts, np.zeros((n_words - n_rows, n_words))])
    )
    return objective, softmax.Counts(matrix), counts


def test_the_drawn_normaliser_is_unbiased():
    """And so is the sum of slopes times vectors that goes with it."""
    n_rows, n_times = 6, 4000
    objective, blocks, counts = drawn_objective(8)
    words, block = objective.model.words(0, n_rows), blocks.block(0, n_rows)
    table = objective.outputs[:, :6].astype(np.float64)
    exponentials = np.exp(words[:, :6].astype(np.float64) @ table.T)
    exact = np.column_stack([exponentials.sum(axis=1), exponentials @ table])
    found = np.empty((n_times, *exact.shape))
    with ThreadTeam(1) as team:
        for number in range(n_times):
            objective.visit(team, words, block)
            normalisers = np.exp(objective.sums[:n_rows, 0])
            # Gradients are n P Y - N Y with the estimated probabilities P.
            gradients = objective.gradients[:n_rows, :6] + counts @ table
            totals = counts.sum(axis=1, keepdims=True)
            shares = np.divide(gradients, totals, where=totals > 0, out=0 * gradients)
            found[number, :, 0] = normalisers
            found[number, :, 1:] = normalisers[:, np.newaxis] * shares
    some = counts.any(axis=1)
    errors = found.std(axis=0) / np.sqrt(n_times)
    deviations = (found.mean(axis=0) - exact)[some] / errors[some]
    # Of some 35 numbers, the largest deviation is rarely above 3.5 standard errors.
    assert np.abs(deviations).max() < 4
    assert some.sum() == n_rows - 2
    # A single draw is far from exact.
    assert (found.std(axis=0)[some, 0] > 0.02 * exact[some, 0]).all()


def test_all_contexts_observed_need_no_draws():
    """Then the sum is exact, whatever is drawn."""
    counts = random_counts(9) + 0.5
    exact, drawn = (embedder_of(kind).fit(counts) for kind in ("exact", "drawn"))
    np.testing.assert_allclose(drawn.loss_curve_, exact.loss_curve_, rtol=1e-6)
