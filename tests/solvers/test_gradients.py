"""Gradients: analytic ones against finite differences, compiled ones against both.

For every registered strategy and bias, in the float64 twins: the gradient of the
summed objective equals central differences; and one compiled step of rate 1 goes
exactly along it. Then the training loss itself must fall.
"""

import contextlib

import numpy as np
import pytest

from skembed import GloVeEmbedder, SGNSEmbedder
from skembed._solvers import negative_sampling
from skembed._tying import bias as _bias
from skembed._tying import strategies
from tests import reference
from tests.kernels.test_sgns import (
    make_sampler,
    map_of,
    sgns_model,
    sgns_twin,
    train,
)
from tests.solvers import test_glove

N_WORDS, N_COMPONENTS = 5, 3
every_strategy = pytest.mark.parametrize(
    "strategy", strategies.strategies(), ids=lambda strategy: str(strategy.name)
)
every_glove_strategy = pytest.mark.parametrize(
    "strategy",
    strategies.strategies(strategies.LEAST_SQUARES),
    ids=lambda strategy: str(strategy.name),
)
every_bias = pytest.mark.parametrize("bias", _bias.biases())


def finite_differences(objective, table, step=1e-5):
    """Central differences of ``objective()`` by every entry of a float64 table."""
    gradient = np.empty_like(table)
    for index in np.ndindex(table.shape):
        before = table[index]
        table[index] = before + step
        above = objective()
        table[index] = before - step
        gradient[index] = (above - objective()) / (2.0 * step)
        table[index] = before
    return gradient


def assert_close(gradient, wanted, rtol):
    """Relative to the largest entry, and each entry by itself if it is not tiny."""
    size = np.abs(wanted).max()
    assert size > 1e-2
    np.testing.assert_allclose(gradient, wanted, rtol=rtol, atol=rtol * size)


# --- skip-gram ------------------------------------------------------------------------

# Word 0 stands beside itself; every word is a context and, in time, a noise word.
DOCUMENT = [0, 0, 1, 2, 0, 3, 4, 1, 1]
NOISE = np.array([0.3, 0.3, 0.2, 0.1, 0.1])


def one_span(seed):
    """A document's terms as they are drawn with a seed; and what is needed to."""
    sampler = make_sampler(NOISE, 4)
    tokens = reference.mark([DOCUMENT])
    assert tokens.size <= negative_sampling.SPAN
    terms = reference.draw_span(tokens, sampler, reference.Stream(seed), 0, tokens.size)
    return terms, tokens, sampler


@pytest.mark.small
def test_a_span_holds_all_roles():
    """Words are word, context and noise word at once, and paired with themselves."""
    words, contexts, labels, _, _ = one_span(1)[0].arrays()
    assert set(words) == set(contexts[labels == 1]) == set(contexts[labels == 0])
    assert (words == contexts)[labels == 1].any()
    assert (words == contexts)[labels == 0].any()


@pytest.mark.small
@every_strategy
@every_bias
def test_sgns_gradient_equals_finite_differences(strategy, bias):
    model = sgns_model(
        strategy, bias, N_WORDS, N_COMPONENTS, np.random.default_rng(1), size=0.8
    )
    twin = sgns_twin(model)
    terms = one_span(1)[0]
    wanted = finite_differences(lambda: twin.objective(terms), twin.table)
    assert_close(twin.gradient(terms), wanted, 1e-7)


@pytest.mark.small
@every_strategy
@pytest.mark.parametrize("label", [0, 1])
def test_sgns_gradient_of_a_word_paired_with_itself(strategy, label):
    """Of one term alone: with one table a row gets twice its own part."""
    model = sgns_model(
        strategy, "word", N_WORDS, N_COMPONENTS, np.random.default_rng(2)
    )
    twin = sgns_twin(model)
    terms = reference.Terms()
    terms.add(3, 3, label, 0.7)
    gradient = twin.gradient(terms)
    wanted = finite_differences(lambda: twin.objective(terms), twin.table)
    assert_close(gradient, wanted, 1e-7)
    if strategy.n_tables == 1:
        score = twin.scores(np.array([3]), np.array([3]), np.array([label]))[0]
        slope = 0.7 * (1.0 / (1.0 + np.exp(-score)) - label)
        vector = slope * (twin.map + twin.map.T) @ twin.table[3, :-1]
        np.testing.assert_allclose(gradient[3, :-1], vector, rtol=1e-12)
        assert gradient[3, -1] == pytest.approx(2.0 * slope)


@pytest.mark.small
@every_strategy
@every_bias
def test_compiled_sgns_step_is_the_gradient(strategy, bias):
    """One lane and one span, at a rate that needs no damping."""
    terms, tokens, sampler = one_span(2)
    model = sgns_model(
        strategy, bias, N_WORDS, N_COMPONENTS, np.random.default_rng(3), size=0.8
    )
    wanted = sgns_twin(model).gradient(terms)
    before = model.params.astype(np.float64)
    rate = 2.0**-7
    lanes = train(tokens, model, sampler, [2], (0, 1), (rate, 0.0))
    assert lanes.pairs[0] == terms.n_pairs
    step = (before - model.params)[:, : N_COMPONENTS + 1]
    assert_close(step / rate, wanted, 1e-5)


every_learned_map = pytest.mark.parametrize(
    "strategy",
    [strategy for strategy in strategies.strategies() if strategy.learns_map],
    ids=lambda strategy: str(strategy.name),
)


@pytest.mark.small
@every_learned_map
@every_bias
def test_sgns_gradient_of_a_learned_map(strategy, bias):
    """By finite differences; and a step that needs no limit goes along it."""
    terms, tokens, sampler = one_span(4)
    model = sgns_model(
        strategy, bias, N_WORDS, N_COMPONENTS, np.random.default_rng(6), size=0.8
    )
    twin = sgns_twin(model)
    wanted = finite_differences(lambda: twin.objective(terms), twin.map)
    gradient = twin.map_gradient(terms)
    assert_close(gradient, wanted, 1e-7)
    before, rate = map_of(model), 2.0**-12
    train(tokens, model, sampler, [4], (0, 1), (rate, 0.0))
    gradient, curvature = twin.map_step(terms)
    assert rate * curvature < 0.1
    assert_close((before - map_of(model)) / rate, gradient, 5e-3)


# --- GloVe ----------------------------------------------------------------------------


def some_counts(rng):
    """Symmetric counts on both sides of x_max = 8, with all of the diagonal."""
    counts = rng.integers(1, 10, size=(N_WORDS, N_WORDS)).astype(float)
    return counts + counts.T


@pytest.mark.small
@every_glove_strategy
def test_glove_gradient_equals_finite_differences(strategy):
    rng = np.random.default_rng(4)
    counts = some_counts(rng)
    model = test_glove.glove_model(strategy, N_WORDS, N_COMPONENTS, rng)
    twin = test_glove.glove_twin(model, x_max=8.0)
    cells = [(*pair, x) for pair, x in np.ndenumerate(counts)]
    assert {twin.weight(x) < 1.0 for _, _, x in cells} == {True, False}
    wanted = finite_differences(lambda: twin.objective(cells), twin.table)
    assert_close(twin.gradient(cells), wanted, 1e-7)
    for cell in cells:
        gradient = twin.gradient([cell])
        wanted = finite_differences(
            lambda cell=cell: twin.objective([cell]), twin.table
        )
        np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.small
@every_glove_strategy
def test_compiled_glove_steps_follow_half_the_gradient(strategy):
    """Cell by cell: g / sqrt(1 + g**2), if the sums of squares are 1 before."""
    rng = np.random.default_rng(5)
    counts = some_counts(rng)
    start = test_glove.glove_model(
        strategy, N_WORDS, N_COMPONENTS, rng, learning_rate=1.0
    )
    twin = test_glove.glove_twin(start, x_max=8.0)
    for word, context in np.ndindex(counts.shape):
        model = start._replace(
            params=start.params.copy(), squares=np.ones_like(start.params)
        )
        alone = np.zeros_like(counts)
        alone[word, context] = counts[word, context]
        test_glove.train(test_glove.glove_entries(alone, x_max=8.0), model)
        step = (start.params.astype(np.float64) - model.params)[:, : N_COMPONENTS + 1]
        gradient = 0.5 * twin.gradient([(word, context, counts[word, context])])
        # The row of a word that is its own context has both halves of it.
        n_parts = 2 if word == context and strategy.n_tables == 1 else 1
        wanted = gradient / np.sqrt(1.0 + gradient**2 / n_parts)
        np.testing.assert_allclose(step, wanted, rtol=1e-5, atol=2e-6)


def warnings_of(strategy):
    """A context in which a fit warns of a degenerate strategy, and of nothing else."""
    if strategy.note:
        return pytest.warns(UserWarning, match="degenerate|parallel")
    return contextlib.nullcontext()


# --- the loss of a whole training -----------------------------------------------------


@every_strategy
@every_bias
def test_sgns_loss_falls(tiny_corpus, strategy, bias):
    embedder = SGNSEmbedder(
        8,
        share_context=strategy.name,
        bias=bias,
        subsample=0,
        learning_rate=0.05,
        max_iter=20,
        random_state=0,
    )
    chance = (1 + embedder.negative) * np.log(2.0)
    if strategy.needs_constant and bias is None:
        # Scores of this model cannot be negative on average: it must say so, and
        # nothing is expected of it but to stay near chance without diverging.
        with pytest.warns(UserWarning, match="cannot express"):
            embedder.fit(tiny_corpus)
        assert 0.8 * chance < embedder.loss_curve_[-1] < chance
        return
    with warnings_of(strategy):
        embedder.fit(tiny_corpus)
    curve = embedder.loss_curve_
    assert curve.shape == (20,)
    if strategy.name == "bilinear" and bias in ("auto", None):
        # From the identity, the matrix has to find the negative constant first.
        assert curve[-1] < curve[0] < 1.01 * chance
        return
    assert curve[-1] < 0.95 * curve[0]
    assert curve[-1] < 0.7 * chance


@every_strategy
def test_sgns_is_stable_with_few_words(tiny_corpus, strategy):
    """Two dozen characters, each updated very often in a round, at the defaults."""
    embedder = SGNSEmbedder(
        analyzer="char", share_context=strategy.name, random_state=0
    )
    with warnings_of(strategy):
        curve = embedder.fit(tiny_corpus * 8).loss_curve_
    assert curve.max() < (1 + embedder.negative) * np.log(2.0)
    assert curve[-1] < 1.02 * curve[0]
    assert np.abs(embedder.word_vectors_).max() < 10.0


@every_glove_strategy
def test_glove_loss_falls(tiny_corpus, strategy):
    embedder = GloVeEmbedder(
        8,
        share_context=strategy.name,
        combine="word",
        x_max=10,
        max_iter=20,
        random_state=0,
    )
    curve = embedder.fit(tiny_corpus).loss_curve_
    assert curve.shape == (20,)
    assert (np.diff(curve) < 0).all()
    assert curve[-1] < 0.3 * curve[0]
