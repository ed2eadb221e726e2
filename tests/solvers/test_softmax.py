"""Softmax over contexts, or over a tree: training against slow twins in float64."""

import itertools

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skembed import SoftmaxEmbedder
from skembed._solvers import objectives, softmax
from skembed._tying import strategies
from skembed._utils.threads import ThreadTeam
from tests import reference
from tests.benchmarks import bits
from tests.helpers import assert_same_fit

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
        monkeypatch.setattr(objectives, name, size)


class Watched:
    """The start of a training and its blocks, in the words of the vocabulary."""

    def __init__(self, monkeypatch):
        self.blocks = []
        self.draws = []
        self.training = None
        visit, draw = softmax.Training._visit, objectives.DrawnSoftmax._draw

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
        monkeypatch.setattr(objectives.DrawnSoftmax, "_draw", note_draw)

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
    # Small random numbers. Without a bias, one dimension is large in vectors of words.
    start = np.zeros(embedder.n_components)
    start[0] = 4.0 if bias is None else 0.0
    tables = [(twin.words, start)]
    if twin.outputs is not None:
        of_nodes = embedder.loss == "hierarchical"
        tables.append((twin.outputs, np.zeros_like(start) if of_nodes else start))
    for table, start in tables:
        assert 0 < np.abs(table - start).max() <= 0.5 / embedder.n_components + 1e-6
    steps = reference.SoftmaxSteps(twin, embedder.l2, bias == "word")
    n_blocks = len(watched.blocks) // 2
    assert n_blocks == 4
    losses = []
    draws = watched.draws if kind == "drawn" else itertools.repeat(None)
    for (rows, rate), drawn in zip(watched.blocks, draws, strict=False):
        losses.append(steps.visit(rows, counts[rows], rate, drawn))
    # The rate decays from the start, and rises during a quarter of the blocks.
    n_steps = 2 * n_blocks
    rates = [
        0.3 * (1 - i / n_steps) * min((i + 1) / (n_steps / 4), 1)
        for i in range(n_steps)
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
    # Without a bias, scores are about 16. Errors of 16 / 2**24 in them move the twin
    # itself by 1e-5, where drawn contexts stand for many.
    atol = 4e-5 if bias is None else 2e-6
    # Vectors of words without any pair are set to 0 in the end.
    as_word, as_context = counts.any(axis=1), counts.any(axis=0)
    if share_context is not False:
        as_word = as_context = as_word | as_context
    words = twin.words * as_word[:, np.newaxis]
    np.testing.assert_allclose(embedder.word_vectors_, words, atol=atol)
    vectors = twin.vectors * twin.signs
    if kind == "tree":
        np.testing.assert_allclose(embedder.node_vectors_, vectors, atol=atol)
        np.testing.assert_allclose(embedder.node_biases_, twin.biases, atol=atol)
        return
    vectors = vectors * as_context[:, np.newaxis]
    np.testing.assert_allclose(embedder.context_vectors_, vectors, atol=atol)
    biases = getattr(embedder, "context_biases_", embedder._score_offset)
    np.testing.assert_allclose(biases, twin.biases, atol=atol)


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
    model = objectives.Model(layout, params, np.ones_like(params), True)
    totals = random_counts(n_words, seed, density=0.15).sum(axis=0)
    objective = objectives.DrawnSoftmax(
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
    return objective, objectives.Counts(matrix), counts


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


# --- optima ---------------------------------------------------------------------------


def all_log_probabilities(embedder):
    """Return ln P(c | w) of all words of a fitted estimator."""
    words = np.array(list(embedder.vocabulary_))
    return embedder.score_pairs(words[:, np.newaxis], words)


def in_order(embedder, counts):
    """Return counts of `x0`, `x1`, ... in the order of the vocabulary."""
    order = [int(word[1:]) for word in embedder.vocabulary_]
    return counts[np.ix_(order, order)]


@small
@every_bias
@every_strategy
@every_kind
def test_probabilities(kind, share_context, bias, monkeypatch):
    """They sum to 1, and are those of the twin with the vectors after training."""
    counts = random_counts()
    watched = Watched(monkeypatch)
    embedder = embedder_of(kind, share_context, bias).fit(counts)
    logs = all_log_probabilities(embedder)
    assert (logs <= 0).all()
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1.0, rtol=1e-5)
    twin = watched.twin(embedder, in_order(embedder, counts))
    # The map is a part of the vectors of outputs.
    twin.signs, twin.matrix = np.ones(5), None
    twin.words = embedder.word_vectors_.astype(np.float64)
    if kind == "tree":
        twin.outputs, twin.biases = embedder.node_vectors_, embedder.node_biases_
    else:
        twin.outputs = embedder.context_vectors_
        if bias == "word":
            twin.biases = embedder.context_biases_
    expected = twin.log_probabilities(np.arange(len(counts)))
    np.testing.assert_allclose(logs, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["exact", "tree"])
def test_enough_dimensions_reach_the_conditional_entropy(kind):
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 30, (6, 6)).astype(float)
    params = {"n_components": 8, "l2": 0.0, "max_iter": 300, "learning_rate": 1.0}
    embedder = embedder_of(kind, **params).fit(counts)
    chances = counts / counts.sum(axis=1, keepdims=True)
    entropy = -(counts * np.log(chances)).sum() / counts.sum()
    assert embedder.loss_curve_[-1] == pytest.approx(entropy, abs=1e-6)
    expected = np.log(in_order(embedder, chances))
    np.testing.assert_allclose(all_log_probabilities(embedder), expected, atol=1e-3)


@pytest.mark.parametrize("share_context", [False, True])
@pytest.mark.parametrize("kind", ["exact", "tree"])
def test_doubled_counts_and_penalty_have_the_same_optimum(kind, share_context):
    counts = np.random.default_rng(0).integers(1, 30, (6, 6)).astype(float)
    counts += counts.T
    params = {"n_components": 3, "max_iter": 600, "learning_rate": 1.0}
    once = embedder_of(kind, share_context, l2=15, **params).fit(counts)
    twice = embedder_of(kind, share_context, l2=30, **params).fit(2 * counts)
    assert twice.loss_curve_[-1] == pytest.approx(once.loss_curve_[-1], abs=1e-5)
    logs = [all_log_probabilities(embedder) for embedder in (once, twice)]
    np.testing.assert_allclose(logs[0], logs[1], atol=1e-3)
    # It is another one without the doubled penalty.
    other = embedder_of(kind, share_context, l2=15, **params).fit(2 * counts)
    assert other.loss_curve_[-1] < once.loss_curve_[-1] - 1e-3


@small
@every_kind
@every_strategy
def test_vectors_of_zeros_give_the_unigram(kind, share_context):
    """With the exact bias. Its entropy is what training starts from."""
    counts = random_counts() + 0.25
    embedder = embedder_of(kind, share_context, n_components=500, max_iter=1)
    embedder.set_params(learning_rate=1e-30, l2=0.0).fit(counts)
    p = counts.sum(axis=0) / counts.sum()
    # Random vectors of so many dimensions are nearly zero.
    assert embedder.loss_curve_[0] == pytest.approx(-p @ np.log(p), abs=2e-3)
    for name in ("word_vectors_", "context_vectors_", "node_vectors_"):
        if hasattr(embedder, name):
            getattr(embedder, name)[:] = 0.0
    logs = all_log_probabilities(embedder)
    expected = in_order(embedder, np.tile(np.log(p), (len(p), 1)).T).T
    np.testing.assert_allclose(logs, expected, atol=1e-5)


# --- bits -----------------------------------------------------------------------------


def threads_as_told(monkeypatch):
    for module in bits.modules_with_threads():
        monkeypatch.setattr(module, "n_threads", bits.as_told)


@pytest.mark.parametrize("share_context", STRATEGIES)
@every_kind
def test_bits_do_not_depend_on_threads(kind, share_context, many_parts, monkeypatch):
    """Of fits, of early stopping, and of fits that go on with new words."""
    threads_as_told(monkeypatch)
    rng = np.random.default_rng(0)
    names = np.array([f"w{i}" for i in range(60)])
    documents = [rng.choice(names[:50], 12).tolist() for _ in range(80)]
    further = [rng.choice(names, 12).tolist() for _ in range(40)]
    fitted = []
    for n_jobs in (1, 2, 3, 7):
        embedder = embedder_of(kind, share_context, "word", input="content")
        embedder.set_params(n_components=20, warm_start=True, n_jobs=n_jobs)
        embedder.set_params(early_stopping=True, n_iter_no_change=1)
        with pytest.warns(ConvergenceWarning):
            embedder.fit(documents)
        assert embedder.validation_loss_curve_.size == 2
        embedder.set_params(early_stopping=False).partial_fit(further)
        assert len(embedder.vocabulary_) == 60
        fitted.append(embedder.set_params(n_jobs=None, early_stopping=True))
    for other in fitted[1:]:
        assert_same_fit(fitted[0], other)


# --- odd counts -----------------------------------------------------------------------


@small
@every_bias
@every_strategy
@every_kind
def test_words_without_contexts(kind, share_context, bias):
    """Words 2 and 4 have no contexts; 3 and 4 are none. Nothing is NaN."""
    counts = random_counts()
    embedder = embedder_of(kind, share_context, bias, max_iter=20).fit(counts)
    for value in vars(embedder).values():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert np.isfinite(value).all()
    logs = all_log_probabilities(embedder)
    assert np.isfinite(logs).all()
    unused = np.zeros((3, len(counts)), dtype=bool)
    unused[0, [2, 4]] = unused[1, [3, 4]] = True
    unused[2] = unused[0] & unused[1]
    zeros = [in_order(embedder, np.diag(row)).diagonal() for row in unused]
    is_shared = share_context is not False
    vectors = embedder.word_vectors_.any(axis=1)
    assert (vectors == ~zeros[2 if is_shared else 0]).all()
    if hasattr(embedder, "context_vectors_"):
        vectors = embedder.context_vectors_.any(axis=1)
        assert (vectors == ~zeros[2 if is_shared else 1]).all()


@small
@every_strategy
@every_kind
def test_units_of_counts(kind, share_context):
    """Large counts are learned like others; tiny ones are hardly learned at all."""
    counts = random_counts(20)
    curves = [
        embedder_of(kind, share_context, l2=0.7 * unit, max_iter=3)
        .fit(counts * unit)
        .loss_curve_
        for unit in (1e6, 1e11, 1e-9)
    ]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)
    if kind != "drawn":
        np.testing.assert_allclose(curves[2], curves[2][0], rtol=1e-6)


@small
@every_strategy
@every_kind
@pytest.mark.parametrize("unit", [1e16, 1e25, 1e60, 1e140])
def test_too_many_pairs(kind, share_context, unit):
    embedder = embedder_of(kind, share_context)
    with pytest.raises(ValueError, match=r"X holds .*more than 1e\+15.*and l2 too"):
        embedder.fit(random_counts() * unit)
    embedder.set_params(l2=unit)
    with pytest.raises(ValueError, match=r"l2 must be at most 1e\+15, got 1e\+"):
        embedder.fit(random_counts())
    assert not hasattr(embedder, "word_vectors_")


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("rate", [1e20, 1e30])
@every_strategy
@every_kind
def test_a_learning_rate_that_is_too_large(
    kind, share_context, rate, n_jobs, many_parts, monkeypatch
):
    """The only message is the error: NumPy does not warn of overflows before it."""
    threads_as_told(monkeypatch)
    embedder = embedder_of(kind, share_context, "word", n_jobs=n_jobs, max_iter=9)
    embedder.set_params(learning_rate=rate)
    with pytest.raises(ValueError, match=r"learning_rate=1e\+.. is too large"):
        embedder.fit(random_counts())
    if hasattr(embedder, "word_vectors_"):
        assert np.isfinite(embedder.word_vectors_).all()


@small
@every_strategy
@every_kind
def test_self_pairs_are_bounded(kind, share_context):
    """One table cannot gain from long vectors: the normaliser grows with them."""
    counts = np.full((9, 9), 0.01) + np.diag(np.arange(9.0, 0, -1) * 50)
    embedder = embedder_of(kind, share_context, n_components=9, l2=0.0, max_iter=60)
    curve = embedder.fit(counts).loss_curve_
    assert np.abs(embedder.word_vectors_).max() < 20
    chances = counts / counts.sum(axis=1, keepdims=True)
    entropy = -(counts * np.log(chances)).sum() / counts.sum()
    assert entropy < curve[-1] < 0.5 * curve[0]


@small
@every_strategy
@pytest.mark.parametrize("n_words", [1, 2])
@pytest.mark.parametrize("loss", ["softmax", "hierarchical"])
def test_one_or_two_words(loss, n_words, share_context):
    counts = np.array([[3.0, 5.0], [5.0, 1.0]])[:n_words, :n_words]
    embedder = embedder_of("exact", share_context, loss=loss, warm_start=True)
    embedder.set_params(l2=0.0, max_iter=300, learning_rate=1.0).fit(counts)
    chances = counts / counts.sum(axis=1, keepdims=True)
    entropy = -(counts * np.log(chances)).sum() / counts.sum()
    if share_context is not True or n_words == 1:
        assert embedder.loss_curve_[-1] == pytest.approx(entropy, abs=1e-5)
    assert embedder.word_vectors_.shape == (n_words, 5)
    if loss == "hierarchical":
        assert embedder.children_.tolist() == [[1, 0]][: n_words - 1]
        assert embedder.node_vectors_.shape == (n_words - 1, 5)
    total = np.exp(all_log_probabilities(embedder)).sum(axis=1)
    np.testing.assert_allclose(total, 1.0, rtol=1e-6)
    assert np.isfinite(embedder.fit(counts).loss_curve_).all()
