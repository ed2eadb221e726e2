"""Continuous bag of words: the kernel against its slow twin, the gradient, the fit."""

import numpy as np
import pytest

from skembed import CBOWEmbedder
from skembed._counts.count import WINDOW_WEIGHTINGS
from skembed._kernels import cbow
from skembed._solvers import negative_sampling
from skembed._tying import bias as _bias
from skembed._tying import strategies
from tests import reference
from tests.kernels.test_sgns import (
    COMPILED,
    DOCUMENT_LENGTHS,
    alone,
    copied,
    make_sampler,
    map_of,
    n_rounds,
    random_documents,
    sgns_model,
    sgns_twin,
)
from tests.solvers.test_gradients import assert_close, finite_differences

STRATEGIES = strategies.strategies()
NOISE = np.random.default_rng(6).dirichlet(np.ones(11))
every_strategy = pytest.mark.parametrize(
    "strategy", STRATEGIES, ids=lambda strategy: str(strategy.name)
)
every_bias = pytest.mark.parametrize("bias", _bias.biases())
mean_or_sum = pytest.mark.parametrize("average", [True, False], ids=["mean", "sum"])


def cbow_model(
    strategy, bias, n_words, n_components, seed, average=True, size=0.5, **choices
):
    rng = np.random.default_rng(seed)
    model = sgns_model(strategy, bias, n_words, n_components, rng, size, **choices)
    return model._replace(average=average)


def cbow_twin(model):
    return reference.Bag(**vars(sgns_twin(model)), average=model.average)


def train(tokens, model, sampler, seeds, rounds=None, rates=(0.1, -0.01)):
    """Run the compiled rounds; the model's parameters are updated in place."""
    n_slots = negative_sampling.count_slots(sampler.window_thresholds.size, hidden=True)
    lanes = negative_sampling.make_lanes(len(seeds), n_slots, model, hidden=True)
    lanes.states[:] = seeds
    scratch = negative_sampling.make_scratch(lanes, n_slots, hidden=True)
    rounds = rounds or (0, n_rounds(tokens, len(seeds)))
    cbow.train_rounds(tokens, model, sampler, lanes, scratch, rounds, rates, alone())
    return lanes


def assert_equals_twin(tokens, model, sampler, seeds, rates=(0.1, -0.01), atol=2e-5):
    twin = cbow_twin(model)
    rounds = (0, n_rounds(tokens, len(seeds)))
    lanes = train(tokens, model, sampler, seeds, rounds, rates)
    loss, pairs, states = reference.rounds_of(
        reference.draw_predictions,
        tokens,
        twin,
        sampler,
        seeds,
        negative_sampling.HIDDEN_SPAN,
        rounds,
        rates,
        order=range(len(seeds))[::-1],
    )
    table = model.params[:, : model.n_components + 1]
    np.testing.assert_allclose(table, twin.table, rtol=1e-5, atol=atol)
    assert not model.params[:, model.n_components + 1 :].any()
    np.testing.assert_allclose(map_of(model), twin.map, rtol=1e-5, atol=atol)
    np.testing.assert_allclose(lanes.loss, loss, rtol=2e-5)
    assert lanes.pairs.tolist() == pairs.tolist()
    assert lanes.states.tolist() == states


@pytest.fixture
def tokens():
    """97 tokens, some in documents of one, so that they have no context."""
    documents = random_documents(np.random.default_rng(5), 11, DOCUMENT_LENGTHS)
    return reference.mark(documents)


@pytest.mark.small
@mean_or_sum
@every_bias
@every_strategy
def test_rounds_equal_twin(tokens, strategy, bias, average):
    model = cbow_model(strategy, bias, 11, 7, 7, average)
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])


@pytest.mark.small
@mean_or_sum
@every_bias
@every_strategy
def test_rounds_of_many_words(strategy, bias, average):
    """Most rows are in one slot of a round, some in several."""
    rng = np.random.default_rng(8)
    tokens = reference.mark(random_documents(rng, 400, DOCUMENT_LENGTHS))
    sampler = make_sampler(rng.dirichlet(np.ones(400)), 3)
    model = cbow_model(strategy, bias, 400, 7, 7, average)
    assert_equals_twin(tokens, model, sampler, [1, 2])


@pytest.mark.small
@pytest.mark.parametrize("n_components", [1, 14, 15, 16, 40])
@every_strategy
def test_rounds_with_other_widths(tokens, strategy, n_components):
    model = cbow_model(strategy, "word", 11, n_components, 8)
    assert_equals_twin(tokens, model, make_sampler(NOISE, 5), [4, 5], (0.02, 0.0))


@pytest.mark.small
@pytest.mark.parametrize("n_lanes", [1, 2, 7, 97, 120])
def test_rounds_with_other_lanes(tokens, n_lanes):
    model = cbow_model(STRATEGIES[0], None, 11, 7, 9)
    seeds = list(range(n_lanes))
    assert_equals_twin(tokens, model, make_sampler(NOISE, 5), seeds, (0.02, 0.0))


@pytest.mark.small
@pytest.mark.parametrize("weighting", WINDOW_WEIGHTINGS)
@pytest.mark.parametrize("window", [1, 2, 5, 30])
@mean_or_sum
def test_rounds_with_other_windows(tokens, window, weighting, average):
    sampler = make_sampler(NOISE, 5, window, weighting)
    model = cbow_model(STRATEGIES[0], None, 11, 7, 10, average)
    assert_equals_twin(tokens, model, sampler, [1, 2, 3], (0.01, 0.0))


@pytest.mark.small
def test_rounds_with_a_table_for_noise_words(tokens):
    model = cbow_model(STRATEGIES[0], "word", 22, 7, 11)
    model = model._replace(rows=(11, 11, 33, 33))
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])


@pytest.mark.small
@every_strategy
def test_rounds_that_move_words_only(tokens, strategy):
    model = cbow_model(strategy, "word", 11, 7, 14, moves_contexts=False)
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])


@pytest.mark.small
def test_rounds_without_the_window_among_noise_words(tokens):
    model = cbow_model(STRATEGIES[0], None, 11, 7, 15)
    sampler = make_sampler(NOISE, 3, exclusive=True)
    assert_equals_twin(tokens, model, sampler, [1, 2, 3])


@pytest.mark.small
@mean_or_sum
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("exclusive", [False, True])
def test_rounds_one_sided(tokens, average, window, side, exclusive):
    """Words are predicted from those on one side; one of a document is from none."""
    model = cbow_model(STRATEGIES[0], None, 11, 7, 16, average)
    sampler = make_sampler(NOISE, 3, window, exclusive=exclusive)
    sampler = sampler._replace(**{side: 0})
    n_documents = int((tokens < 0).sum())
    lanes = train(tokens, copied(model), sampler, [1, 2, 3])
    assert lanes.pairs.sum() == tokens.size - n_documents
    assert_equals_twin(tokens, model, sampler, [1, 2, 3])


@pytest.mark.small
@mean_or_sum
def test_rounds_with_damping(tokens, average):
    """A rate at which rows would overshoot by far, and come out as the twin's."""
    model = cbow_model(STRATEGIES[1], "word", 11, 7, 12, average)
    twin = cbow_twin(model)
    terms = reference.draw_predictions(
        tokens,
        make_sampler(NOISE, 3),
        reference.Stream(1),
        0,
        negative_sampling.HIDDEN_SPAN,
    )
    assert (2.0 * twin.curvature(terms) > 2.0).sum() > 3
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1], (2.0, 0.0), 1e-3)


@pytest.mark.small
def test_buffers_carry_nothing_over(tokens):
    """A span of few words after one of many: what lies behind its end is not used."""
    sampler = make_sampler(NOISE, 3)
    model = cbow_model(STRATEGIES[1], "word", 11, 7, 13)
    n_slots = negative_sampling.count_slots(sampler.window_thresholds.size, hidden=True)
    tables = []
    for first in (tokens, tokens[:5]):
        lanes = negative_sampling.make_lanes(1, n_slots, model, hidden=True)
        scratch = negative_sampling.make_scratch(lanes, n_slots, hidden=True)
        other = model._replace(params=100.0 * model.params)
        rest = (lanes, scratch, (0, n_rounds(first, 1)), (0.0, 0.0), alone())
        cbow.train_rounds(first, other, sampler, *rest)
        lanes.states[:] = 1
        mine = model._replace(params=model.params.copy())
        rest = (lanes, scratch, (0, 1), (0.1, 0.0), alone())
        cbow.train_rounds(tokens[:7], mine, sampler, *rest)
        tables.append(mine.params.tobytes())
    assert tables[0] == tables[1]


# --- the gradient ---------------------------------------------------------------------

# Word 0 stands beside itself; every word is a context and, in time, a noise word.
DOCUMENT = [0, 0, 1, 2, 0, 3, 4, 1, 1]
FIVE = np.array([0.3, 0.3, 0.2, 0.1, 0.1])


def one_span(seed):
    sampler, tokens = make_sampler(FIVE, 4), reference.mark([DOCUMENT])
    stream = reference.Stream(seed)
    return reference.draw_predictions(tokens, sampler, stream, 0, 9), tokens, sampler


@pytest.mark.small
@mean_or_sum
@every_bias
@every_strategy
def test_gradient_equals_finite_differences(strategy, bias, average):
    predictions, _, _ = one_span(1)
    twin = cbow_twin(cbow_model(strategy, bias, 5, 3, 1, average, size=0.8))
    wanted = finite_differences(lambda: twin.objective(predictions), twin.table)
    assert_close(twin.gradient(predictions), wanted, 1e-7)


@pytest.mark.small
@every_bias
@every_strategy
def test_compiled_step_of_a_sum_is_the_gradient(strategy, bias):
    predictions, tokens, sampler = one_span(2)
    model = cbow_model(strategy, bias, 5, 3, 3, average=False, size=0.8)
    wanted = cbow_twin(model).gradient(predictions)
    before, rate = model.params.astype(np.float64), 2.0**-8
    lanes = train(tokens, model, sampler, [2], (0, 1), (rate, 0.0))
    assert lanes.pairs[0] == predictions.n_pairs
    assert_close((before - model.params)[:, :4] / rate, wanted, 1e-4)


@pytest.mark.small
@every_bias
def test_compiled_step_moves_a_mean_along_its_gradient(bias):
    """With two tables: context vectors by the gradient; of the word vectors, each of
    n in a mean by n times its gradient, by which the mean moves as it should."""
    predictions, tokens, sampler = one_span(2)
    model = cbow_model(STRATEGIES[0], bias, 5, 3, 3, size=0.8)
    twin = cbow_twin(model)
    wanted = np.zeros_like(twin.table)
    for one in predictions.all:
        alone_ = reference.Predictions([one])
        gradient = finite_differences(lambda x=alone_: twin.objective(x), twin.table)
        wanted[:5] += len(one.contexts) * gradient[:5]
        wanted[5:] += gradient[5:]
    before, rate = model.params.astype(np.float64), 2.0**-8
    train(tokens, model, sampler, [2], (0, 1), (rate, 0.0))
    assert_close((before - model.params)[:, :4] / rate, wanted, 1e-4)


# --- the estimator --------------------------------------------------------------------


def topics(seed, n_documents=400):
    """Documents about one of two things, each with words of its own."""
    rng = np.random.default_rng(seed)
    words = [[f"{name}{i}" for i in range(8)] for name in ("sea", "land")]
    labels = rng.integers(2, size=n_documents)
    return [rng.choice(words[label], size=12).tolist() for label in labels]


@pytest.mark.skipif(not COMPILED, reason="too slow without compiler")
@pytest.mark.parametrize("aggregation", ["mean", "sum"])
@every_strategy
def test_words_of_one_topic_come_together(strategy, aggregation):
    embedder = CBOWEmbedder(
        8,
        share_context=strategy.name,
        aggregation=aggregation,
        subsample=0,
        max_iter=20,
        random_state=0,
    )
    if strategy.note:
        # Vectors become parallel, as the warning says; the loss falls all the same.
        with pytest.warns(UserWarning, match="parallel"):
            embedder.fit(topics(0))
        assert embedder.loss_curve_[-1] < 0.1 * embedder.loss_curve_[0]
        return
    embedder.fit(topics(0))
    assert embedder.loss_curve_[-1] < embedder.loss_curve_[0]
    vectors = embedder.word_vectors_
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    sea = np.array([word.startswith("sea") for word in embedder.vocabulary_])
    same = cosines[sea][:, sea].mean() + cosines[~sea][:, ~sea].mean()
    assert same / 2 > cosines[sea][:, ~sea].mean() + 0.3


@pytest.mark.small
def test_aggregation_is_checked():
    with pytest.raises(ValueError, match="aggregation"):
        CBOWEmbedder(aggregation="max").fit([["a", "b"]])
