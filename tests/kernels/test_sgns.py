"""Every kernel against its slow twin, through the entry points that estimators call."""

import dataclasses
import functools
import math

import numba
import numpy as np
import pytest

from skembed._counts.count import WINDOW_WEIGHTINGS, window_weights
from skembed._kernels import sgns, simd, spans
from skembed._solvers import negative_sampling, sampling
from skembed._solvers.sampling import window_thresholds
from skembed._tying import bias as _bias
from skembed._tying import strategies
from skembed._utils import barrier
from tests import reference
from tests.helpers import from_python
from tests.kernels.helpers import random_documents

STRATEGIES = strategies.strategies()
next_random, draw_word = map(from_python, (spans.next_random, spans.draw_word))
COMPILED = not numba.config.DISABLE_JIT
needs_compiler = pytest.mark.skipif(not COMPILED, reason="too slow without compiler")


# --- random streams and functions -----------------------------------------------------


@pytest.mark.small
def test_splitmix64_gives_the_published_numbers():
    """The first outputs for two seeds, as other implementations print them."""
    published = {
        0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F],
        1234567: [6457827717110365317, 3203168211198807973, 9817491932198370423],
    }
    for seed, numbers in published.items():
        stream = reference.Stream(seed)
        assert [stream.next() for _ in numbers] == numbers
        states = np.array([seed], dtype=np.uint64)
        assert [int(next_random(states, 0)) for _ in numbers] == numbers
        assert int(states[0]) == stream.state


@pytest.mark.small
def test_streams_advance_independently():
    seeds = [5, 2**64 - 1, 2**63]
    states = np.array(seeds, dtype=np.uint64)
    streams = [reference.Stream(seed) for seed in seeds]
    for lane in (0, 2, 2, 1, 0, 1, 1, 2):
        assert int(next_random(states, lane)) == streams[lane].next()
    assert states.tolist() == [stream.state for stream in streams]


@pytest.mark.small
@pytest.mark.parametrize("n_words", [1, 2, 7, 1000])
def test_draw_word(n_words):
    rng = np.random.default_rng(n_words)
    wanted = rng.dirichlet(np.full(n_words, 0.3))
    wanted[rng.integers(n_words, size=n_words // 3)] = 0.0
    wanted /= wanted.sum()
    thresholds, alias = sampling.alias_table(wanted)
    np.testing.assert_allclose(
        reference.alias_probabilities(thresholds, alias), wanted, atol=2.0**-31
    )
    states = np.array([3, n_words], dtype=np.uint64)
    stream = reference.Stream(n_words)
    for _ in range(500):
        drawn = draw_word(states, 1, thresholds, alias)
        assert drawn == reference.draw_word(stream, thresholds, alias)
        assert wanted[drawn] > 0.0
    assert states.tolist() == [3, stream.state]


# --- tiles ----------------------------------------------------------------------------


def dot_tile_function(lanes):
    """That for registers of `lanes` numbers, or without the compiler."""
    if lanes is None:
        return simd._dot_tile
    dot = simd.make_dot_tile(lanes)

    @numba.njit
    def call(vectors, row, other, scores, column):
        dot(vectors, row, other, scores, column)

    return call


def add_tile_function(lanes, transposed, fresh):
    """Likewise that which adds a product, or writes it if it is fresh."""
    if lanes is None:
        if not transposed:
            return simd._add_rows
        return simd._write_columns if fresh else simd._add_columns
    add = simd.make_add_tile(lanes, transposed, fresh)

    @numba.njit
    def call(updates, at, steps, corner, vectors, first, n_terms):
        add(updates, at, steps, corner, vectors, first, n_terms)

    return call


def write_rows_function(lanes):
    """Likewise that which writes sums over runs."""
    if lanes is None:
        return simd._write_rows
    write = simd.make_write_rows(lanes)

    @numba.njit
    def call(updates, at, steps, row, vectors, runs):
        write(updates, at, steps, row, vectors, runs)

    return call


every_register = pytest.mark.parametrize(
    "lanes", [None, 4, 8, 16] if COMPILED else [None]
)


@pytest.mark.small
@every_register
def test_dot_tiles(lanes):
    """Registers of any processor give the same products, and write nothing else."""
    dot_tile = dot_tile_function(lanes)
    rng = np.random.default_rng(26)
    for width in (16, 32, 48, 112, 304):
        vectors = rng.normal(size=(20, width)).astype(np.float32)
        scores = rng.normal(size=(20, 20)).astype(np.float32)
        wanted = scores.astype(float)
        wanted[4:8, 2:6] = vectors[4:8].astype(float) @ vectors[9:13].T
        dot_tile(vectors, 4, 9, scores, 2)
        np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.small
@every_register
@pytest.mark.parametrize(
    ("transposed", "fresh"), [(False, False), (True, False), (True, True)]
)
def test_tiles_of_updates(lanes, transposed, fresh):
    """Likewise."""
    add = add_tile_function(lanes, transposed, fresh)
    rng = np.random.default_rng(27)
    for width in (16, 32, 48, 112, 304):
        vectors, updates = rng.normal(size=(2, 20, width)).astype(np.float32)
        steps = rng.normal(size=(20, 20)).astype(np.float32)
        for n_terms in (0, 1, 5):
            factors = steps[6:10, 2 : 2 + n_terms]
            if transposed:
                factors = steps[6 : 6 + n_terms, 2:6].T
            found, wanted = updates.copy(), updates.astype(float)
            add(found, 8, steps, (6, 2), vectors, 3, n_terms)
            wanted[8:12] *= not fresh
            wanted[8:12] += factors.astype(float) @ vectors[3 : 3 + n_terms]
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.small
@every_register
def test_sums_over_runs(lanes):
    """Rows are replaced by sums over all runs; an empty run adds nothing."""
    write = write_rows_function(lanes)
    rng = np.random.default_rng(28)
    runs = (8, 3, 5), (0, 14, 0), (2, 11, 6)
    for width in (16, 32, 48, 112, 304):
        vectors, updates = rng.normal(size=(2, 20, width)).astype(np.float32)
        steps = rng.normal(size=(20, 20)).astype(np.float32)
        wanted = updates.astype(float)
        wanted[7:11] = 0.0
        for column, first, n in runs:
            factors = steps[5:9, column : column + n].astype(float)
            wanted[7:11] += factors @ vectors[first : first + n]
        write(updates, 7, steps, 5, vectors, runs)
        np.testing.assert_allclose(updates, wanted, rtol=1e-5, atol=1e-5)


# --- skip-gram ------------------------------------------------------------------------


def sgns_model(strategy, bias, n_words, n_components, rng, size=0.5, **choices):
    """Random parameters of a strategy in the kernels' form.

    Of the map, too, if it is learned, near to where it starts.
    """
    directional = choices.get("directional", False)
    layout = strategy._layout(n_words, n_components, directional=directional)
    params = layout.allocate()
    params[:, : n_components + 1] = size * rng.normal(
        size=(params.shape[0], n_components + 1)
    )
    p, p_noise = rng.dirichlet(np.ones(n_words), size=2)
    bias = _bias.get_bias(bias, strategy)
    if layout.learns_map:
        noise = 0.2 * rng.normal(size=layout.map.shape).astype(np.float32)
        layout = dataclasses.replace(layout, map=layout.map + noise)
    return spans.Model(
        params=params,
        **negative_sampling.start_map(layout),
        offset=bias.offset(p, p_noise, 3),
        n_components=n_components,
        rows=layout.rows,
        directional=directional,
        word_bias=float(bias.learned and layout.shares_rows),
        context_bias=float(bias.learned),
        moves_contexts=choices.get("moves_contexts", True),
        average=False,
        far=True,
    )


def map_of(model):
    """The map as a matrix."""
    d = model.n_components
    if model.map is not None and len(model.map.forward) > 1:
        return model.map.forward[:d, :d].astype(np.float64)
    return np.diag(model.scale[:d].astype(np.float64))


def copied(model):
    """The model with parameters of its own; its map stays one that several share."""
    assert model.map is None
    return model._replace(params=model.params.copy())


def sgns_twin(model):
    """The same parameters, in float64, for the reference."""
    matrix, learned = map_of(model), None
    if model.map is not None and model.map.learned:
        learned = reference.LearnedMap(matrix, len(model.map.forward) == 1)
    return reference.SkipGram(
        table=model.params[:, : model.n_components + 1].astype(np.float64),
        map=matrix,
        offset=model.offset,
        first_rows=model.rows,
        word_bias=model.word_bias,
        context_bias=model.context_bias,
        moves_contexts=model.moves_contexts,
        learned=learned,
    )


def make_sampler(noise, negative, window=3, weighting="dynamic", exclusive=False):
    return spans.Sampler(
        window_thresholds(window_weights(window, weighting)),
        *sampling.alias_table(noise),
        negative_sampling.SHARED_NOISE,
        float(negative),
        exclusive,
        window,
        window,
    )


def sgns_buffers(sampler, model, seeds):
    n_lanes = len(seeds)
    window = sampler.window_thresholds.size
    n_slots = negative_sampling.count_slots(window, model.directional)
    lanes = negative_sampling.make_lanes(n_lanes, n_slots, model)
    lanes.states[:] = seeds
    n_columns = negative_sampling.count_columns(n_slots, window, model.directional)
    return lanes, negative_sampling.make_scratch(lanes, n_columns)


def alone():
    """A team of one thread."""
    return barrier.Team(0, 1, np.zeros(barrier.TEAM_NUMBERS, dtype=np.int64))


def train(tokens, model, sampler, seeds, rounds=None, rates=(0.1, -0.01)):
    """Run the compiled rounds; the model's parameters are updated in place."""
    lanes, scratch = sgns_buffers(sampler, model, seeds)
    rounds = rounds or (0, n_rounds(tokens, len(seeds)))
    sgns.train_rounds(tokens, model, sampler, lanes, scratch, rounds, rates, alone())
    return lanes


def n_rounds(tokens, n_lanes):
    return math.ceil(math.ceil(len(tokens) / n_lanes) / negative_sampling.SPAN)


def assert_equals_twin(tokens, model, sampler, seeds, rates=(0.1, -0.01), atol=2e-5):
    """Train both sides and compare tables, losses, pairs and random streams."""
    twin = sgns_twin(model)
    rounds = (0, n_rounds(tokens, len(seeds)))
    lanes = train(tokens, model, sampler, seeds, rounds, rates)
    loss, pairs, states = reference.rounds_of(
        functools.partial(reference.draw_span, directional=model.directional),
        tokens,
        twin,
        sampler,
        seeds,
        negative_sampling.SPAN,
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


DOCUMENT_LENGTHS = [9, 1, 40, 2, 1, 1, 23, 5, 15]


@pytest.fixture
def tokens():
    """97 tokens, so that the last of three lanes needs a round more."""
    documents = random_documents(np.random.default_rng(5), 11, DOCUMENT_LENGTHS)
    return reference.mark(documents)


NOISE = np.random.default_rng(6).dirichlet(np.ones(11))


@pytest.mark.small
@pytest.mark.parametrize("bias", _bias.biases())
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_rounds_of_many_words(strategy, bias):
    """Most rows are in one slot of a round, some in several."""
    rng = np.random.default_rng(8)
    tokens = reference.mark(random_documents(rng, 400, DOCUMENT_LENGTHS))
    sampler = make_sampler(rng.dirichlet(np.ones(400)), 3)
    assert_equals_twin(tokens, sgns_model(strategy, bias, 400, 7, rng), sampler, [1, 2])


@pytest.mark.small
@pytest.mark.parametrize("bias", _bias.biases())
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_rounds_equal_twin(tokens, strategy, bias):
    """Three lanes, read in reverse by the twin: the order of lanes says nothing."""
    model = sgns_model(strategy, bias, 11, 7, np.random.default_rng(7))
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])


def test_only_learned_maps_need_a_kernel_of_their_own():
    kinds = {True: set(), False: set()}
    for strategy in STRATEGIES:
        model = sgns_model(strategy, "word", 11, 7, np.random.default_rng(7))
        lanes, _ = sgns_buffers(make_sampler(NOISE, 3), model, [1])
        kind = str((numba.typeof(model), numba.typeof(lanes)))
        kinds[strategy.learns_map].add(kind)
    assert [len(kinds[learned]) for learned in (True, False)] == [1, 1]
    assert kinds[True] != kinds[False]


@pytest.mark.small
@pytest.mark.parametrize("n_components", [1, 15, 16, 40])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_rounds_with_other_widths(tokens, strategy, n_components):
    """The bias column falls on either side of a full vector register."""
    model = sgns_model(strategy, "word", 11, n_components, np.random.default_rng(8))
    assert_equals_twin(tokens, model, make_sampler(NOISE, 5), [4, 5], (0.02, 0.0))


@pytest.mark.small
@pytest.mark.parametrize("n_lanes", [1, 2, 7, 97, 120])
def test_rounds_with_other_lanes(tokens, n_lanes):
    """Down to lanes of one word, and of none."""
    model = sgns_model(STRATEGIES[0], None, 11, 7, np.random.default_rng(9))
    seeds = list(range(n_lanes))
    assert_equals_twin(tokens, model, make_sampler(NOISE, 5), seeds, (0.02, 0.0))


@pytest.mark.small
@pytest.mark.parametrize("weighting", WINDOW_WEIGHTINGS)
@pytest.mark.parametrize("window", [1, 2, 5, 30])
def test_rounds_with_other_windows(tokens, window, weighting):
    sampler = make_sampler(NOISE, 5, window, weighting)
    model = sgns_model(STRATEGIES[0], None, 11, 7, np.random.default_rng(10))
    assert_equals_twin(tokens, model, sampler, [1, 2, 3], (0.01, 0.0))


@pytest.mark.small
def test_rounds_with_a_table_for_noise_words(tokens):
    """The kernel takes any row as noise vector, as `Model` says."""
    model = sgns_model(STRATEGIES[0], "word", 22, 7, np.random.default_rng(11))
    model = model._replace(rows=(11, 11, 33, 33))
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])


@pytest.mark.small
@pytest.mark.parametrize("window", [1, 2, 5, 30])
@pytest.mark.parametrize("bias", ["exact", "word"])
def test_rounds_with_directions(tokens, window, bias):
    """Left and right contexts in tables of their own, each with its noise words."""
    rng = np.random.default_rng(22)
    model = sgns_model(STRATEGIES[0], bias, 11, 7, rng, directional=True)
    assert model.rows == (11, 22, 11, 22)
    sampler = make_sampler(NOISE, 5, window)
    assert_equals_twin(tokens, model, sampler, [1, 2, 3], (0.01, 0.0))


@pytest.mark.small
@pytest.mark.parametrize("bias", [None, "word"])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_rounds_that_move_words_only(tokens, strategy, bias):
    rng = np.random.default_rng(23)
    model = sgns_model(strategy, bias, 11, 7, rng, moves_contexts=False)
    before = model.params.copy()
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])
    if strategy.context_table:
        # Only the words' table, and biases of contexts.
        assert (model.params[11:, :7] == before[11:, :7]).all()
        assert (model.params[:11] != before[:11]).any()


@pytest.mark.small
@pytest.mark.parametrize("directional", [False, True])
def test_rounds_without_the_window_among_noise_words(tokens, directional):
    rng = np.random.default_rng(24)
    choice = {"directional": directional}
    model = sgns_model(STRATEGIES[0], None, 11, 7, rng, **choice)
    other = copied(model)
    sampler = make_sampler(NOISE, 3, exclusive=True)
    assert_equals_twin(tokens, model, sampler, [1, 2, 3])
    train(tokens, other, sampler._replace(exclusive=False), [1, 2, 3])
    assert not np.allclose(model.params, other.params, atol=1e-3)


@pytest.mark.small
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("directional", [False, True])
def test_rounds_one_sided(tokens, window, directional, side):
    """Words have contexts on one side only, at the ends of spans and lanes, too."""
    rng = np.random.default_rng(21)
    model = sgns_model(STRATEGIES[0], None, 11, 5, rng, directional=directional)
    sampler = make_sampler(rng.dirichlet(np.ones(11)), 3, window, "flat")
    both = train(tokens, copied(model), sampler, [4, 5, 6]).pairs.sum()
    sampler = sampler._replace(**{side: 0})
    # Every pair of tokens is one of a word and a context on a given side once.
    assert 2 * train(tokens, copied(model), sampler, [4, 5, 6]).pairs.sum() == both
    assert_equals_twin(tokens, model, sampler, [4, 5, 6])


@pytest.mark.small
def test_rounds_with_extreme_scores(tokens):
    """Scores of several hundred: losses stay exact, steps stay finite."""
    model = sgns_model(STRATEGIES[0], None, 11, 7, np.random.default_rng(12), size=12.0)
    twin = sgns_twin(model)
    words = np.arange(11)
    assert np.abs(twin.scores(words, words[::-1], np.ones(11))).max() > 200.0
    assert_equals_twin(
        tokens, model, make_sampler(NOISE, 3), [1], (1e-3, 0.0), atol=1e-4
    )


@pytest.mark.small
def test_noise_that_only_equals_contexts_is_skipped(tokens):
    """A document of one word, drawn as noise for ever: positive pairs are left."""
    tokens = reference.mark([[4] * 20])
    noise = (np.arange(11) == 4).astype(float)
    model = sgns_model(STRATEGIES[1], "exact", 11, 7, np.random.default_rng(13))
    assert_equals_twin(tokens, model, make_sampler(noise, 5), [1], (0.01, 0.0))
    # The loss of pairs alone: one round with that one word at rate 0.
    sampler = make_sampler(noise, 5, 1, "flat")
    lanes = train(tokens, model, sampler, [1], (0, 1), (0.0, 0.0))
    twin = sgns_twin(model)
    score = twin.scores(np.array([4]), np.array([4]), np.array([1]))[0]
    wanted = lanes.pairs[0] * np.log1p(np.exp(-score))
    np.testing.assert_allclose(lanes.loss[0], wanted, rtol=1e-5)


@pytest.mark.small
def test_slices_of_rounds_change_nothing(tokens):
    """Rounds in two calls, with the rate by number of round: the same bits."""
    sampler, seeds, rates = make_sampler(NOISE, 3), [1, 2], (0.1, -0.02)
    whole, parts = (
        sgns_model(STRATEGIES[1], "word", 11, 7, np.random.default_rng(14))
        for _ in range(2)
    )
    train(tokens, whole, sampler, seeds, (0, 4), rates)
    lanes, scratch = sgns_buffers(sampler, parts, seeds)
    for rounds in ((0, 1), (1, 3), (3, 4)):
        sgns.train_rounds(
            tokens, parts, sampler, lanes, scratch, rounds, rates, alone()
        )
    assert whole.params.tobytes() == parts.params.tobytes()


@pytest.mark.small
def test_lanes_do_not_depend_on_their_order():
    """The same lanes computed the other way round give the same bits.

    Each lane has its own words; noise words, which all lanes update, have rows of
    their own, whose updates are added in another order.
    """
    rng = np.random.default_rng(15)
    documents = [(rng.integers(4, size=10) + 4 * lane).tolist() for lane in range(3)]
    seeds, noise = [1, 2, 3], rng.dirichlet(np.ones(12))
    model = sgns_model(STRATEGIES[0], "word", 24, 7, rng)
    forward, backward = (
        copied(model)._replace(rows=(12, 12, 24, 24)) for _ in range(2)
    )
    sampler = make_sampler(noise, 3)
    lanes = train(reference.mark(documents), forward, sampler, seeds, (0, 1))
    reverse = train(
        reference.mark(documents[::-1]), backward, sampler, seeds[::-1], (0, 1)
    )
    assert (forward.params[:24] != model.params[:24]).any(axis=1).sum() > 12
    assert forward.params[:24].tobytes() == backward.params[:24].tobytes()
    np.testing.assert_allclose(forward.params, backward.params, atol=1e-6)
    for name in ("states", "loss", "pairs"):
        ours, theirs = getattr(lanes, name), getattr(reverse, name)[::-1]
        assert ours.tobytes() == theirs.tobytes(), name


@pytest.mark.small
def test_buffers_carry_nothing_over(tokens):
    """What earlier rounds left in the buffers has no influence on later ones."""
    sampler, seeds = make_sampler(NOISE, 3), [1, 2]
    fresh = sgns_model(STRATEGIES[1], "word", 11, 7, np.random.default_rng(17))
    used = copied(fresh)
    lanes = train(tokens, fresh, sampler, seeds, (0, 2))
    buffers = sgns_buffers(sampler, used, seeds)
    other = used._replace(params=100.0 * used.params)
    long = reference.mark(random_documents(np.random.default_rng(18), 11, [300]))
    sgns.train_rounds(long, other, sampler, *buffers, (0, 9), (0.0, 0.0), alone())
    buffers[0].states[:] = seeds
    buffers[0].loss[:] = 0.0
    sgns.train_rounds(tokens, used, sampler, *buffers, (0, 2), (0.1, -0.01), alone())
    assert used.params.tobytes() == fresh.params.tobytes()
    assert buffers[0].loss.tobytes() == lanes.loss.tobytes()


# --- what the random draws amount to --------------------------------------------------


def independent_draws(model, documents, noise, negative, weights):
    """Expected objective and gradient of `negative` draws of one noise word per pair.

    Contexts at a distance d count with ``weights[d - 1]``; a draw that equals the
    pair's context is skipped.
    """
    terms = reference.Terms()
    for word, context in np.ndindex(noise.size, noise.size):
        count = reference.cooccurrences(documents, noise.size, weights)[word, context]
        terms.add(word, context, 1, count)
        for drawn in range(noise.size):
            if drawn != context:
                terms.add(word, drawn, 0, count * negative * noise[drawn])
    return model.objective(terms), model.gradient(terms)


@pytest.mark.small
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_shared_noise_has_the_expectation_of_independent_draws(strategy):
    """Exactly: all noise words that a span can draw, with their probabilities."""
    documents = [[0, 1, 0, 2, 2]]
    noise, negative, n_noise = np.array([0.5, 0.2, 0.3]), 5.0, 3
    model = sgns_twin(sgns_model(strategy, "word", 3, 4, np.random.default_rng(19)))
    tokens = reference.mark(documents)
    objective, gradient = 0.0, np.zeros_like(model.table)
    for drawn in np.ndindex(*[3] * n_noise):
        terms = reference.Terms()
        for position, word in enumerate(documents[0]):
            contexts = reference.window(tokens, position, 2, 2)
            sampler = make_sampler(noise, negative)
            reference.add_pairs(terms, word, contexts, drawn, sampler)
        objective += noise[list(drawn)].prod() * model.objective(terms)
        gradient += noise[list(drawn)].prod() * model.gradient(terms)
    wanted = independent_draws(model, documents, noise, negative, [1.0, 1.0])
    assert objective == pytest.approx(wanted[0], rel=1e-12)
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-12, atol=1e-12)


@needs_compiler
@pytest.mark.parametrize("weighting", WINDOW_WEIGHTINGS)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_compiled_rounds_have_that_expectation(strategy, weighting):
    """The mean over many lanes of noise and windows, each with the same words."""
    n_lanes, words = 20_000, [0, 1, 0, 2, 2, 1, 0, 0, 3]
    noise, negative = np.array([0.4, 0.2, 0.3, 0.1]), 3
    sampler = make_sampler(noise, negative, 3, weighting)
    model = sgns_model(strategy, "word", 4, 4, np.random.default_rng(20))
    twin = sgns_twin(model)
    seeds = np.random.SeedSequence(21).generate_state(n_lanes, np.uint64)
    tokens = reference.mark([words] * n_lanes)
    before = model.params.astype(np.float64)
    rate = 0.02  # needs no damping
    lanes = train(tokens, model, sampler, seeds, (0, 1), (rate / n_lanes, 0.0))
    weights = window_weights(3, weighting)
    objective, gradient = independent_draws(twin, [words], noise, negative, weights)
    pairs = reference.cooccurrences([words], 4, weights).sum()
    assert lanes.pairs.mean() == pytest.approx(pairs, rel=0.01)
    assert lanes.loss.mean() == pytest.approx(objective, rel=0.01)
    update = (before - model.params)[:, :5] / rate
    np.testing.assert_allclose(update, gradient, atol=0.02 * np.abs(gradient).max())


# --- registers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "lanes"), [({"avx512f": True}, 16), ({"avx": True}, 8), ({}, 4)]
)
def test_registers_follow_the_processor(features, lanes, monkeypatch):
    monkeypatch.setattr(simd.binding, "get_host_cpu_features", lambda: features)
    assert simd.host_lanes() == lanes


def test_registers_of_an_unknown_processor(monkeypatch):
    def unknown():
        raise RuntimeError("no such processor")

    monkeypatch.setattr(simd.binding, "get_host_cpu_features", unknown)
    assert simd.host_lanes() == 4
