"""Every kernel against its slow twin, through the entry points that estimators call."""

import math
from itertools import chain

import numba
import numpy as np
import pytest
from scipy import sparse

from skembed import _sampling, _training, _tying
from skembed._kernels import _jit, counting, glove, numeric, sgns, simd, spans, sync
from skembed._kernels import sparse as sparse_kernels
from tests import reference

STRATEGIES = _tying.strategies()
COMPILED = not numba.config.DISABLE_JIT
needs_compiler = pytest.mark.skipif(not COMPILED, reason="too slow without compiler")


def random_documents(rng, n_words, lengths):
    """Documents of given lengths; many begin with word 0, whose mark is -1."""
    return [
        [word if i else word * int(rng.integers(2)) for i, word in enumerate(document)]
        for document in (
            rng.binomial(n_words - 1, 0.3, size=n).tolist() for n in lengths
        )
    ]


def as_corpus(documents):
    token_ids = np.array([word for doc in documents for word in doc], dtype=np.int32)
    doc_offsets = np.cumsum([0, *map(len, documents)]).astype(np.int64)
    return token_ids, doc_offsets


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
        assert [int(numeric.next_random(states, 0)) for _ in numbers] == numbers
        assert int(states[0]) == stream.state


@pytest.mark.small
def test_streams_advance_independently():
    seeds = [5, 2**64 - 1, 2**63]
    states = np.array(seeds, dtype=np.uint64)
    streams = [reference.Stream(seed) for seed in seeds]
    for lane in (0, 2, 2, 1, 0, 1, 1, 2):
        assert int(numeric.next_random(states, lane)) == streams[lane].next()
    assert states.tolist() == [stream.state for stream in streams]


@pytest.mark.small
@pytest.mark.parametrize("n_words", [1, 2, 7, 1000])
def test_draw_word(n_words):
    rng = np.random.default_rng(n_words)
    wanted = rng.dirichlet(np.full(n_words, 0.3))
    wanted[rng.integers(n_words, size=n_words // 3)] = 0.0
    wanted /= wanted.sum()
    thresholds, alias = _sampling.alias_table(wanted)
    np.testing.assert_allclose(
        reference.alias_probabilities(thresholds, alias), wanted, atol=2.0**-31
    )
    states = np.array([3, n_words], dtype=np.uint64)
    stream = reference.Stream(n_words)
    for _ in range(500):
        drawn = numeric.draw_word(states, 1, thresholds, alias)
        assert drawn == reference.draw_word(stream, thresholds, alias)
        assert wanted[drawn] > 0.0
    assert states.tolist() == [3, stream.state]


def apply_to_all(function, points):
    """Apply a kernel of one float32 to an array."""
    if not COMPILED:
        return np.array([function(x) for x in points], dtype=np.float32)

    @numba.njit(fastmath=_jit.FASTMATH, error_model="numpy")
    def loop(points, out):
        for i in range(points.size):
            out[i] = function(points[i])

    out = np.empty_like(points)
    loop(points, out)
    return out


def grid(first, last):
    """A dense grid of float32, with its ends."""
    return np.linspace(first, last, 2_000_001 if COMPILED else 3_001, dtype=np.float32)


@pytest.mark.small
def test_exp_minus():
    """Rounding of x / ln 2 costs relative accuracy as x grows, but none that counts."""
    x = grid(0, 87)
    exact = np.exp(-x.astype(np.float64))
    error = np.abs(apply_to_all(numeric.exp_minus, x) - exact)
    relative = error / exact
    assert error.max() < 3e-7
    assert relative[x <= 0.5].max() < 4e-7
    assert relative[x <= 10].max() < 1e-6
    assert relative.max() < 5e-6
    assert numeric.exp_minus(np.float32(0.0)) == 1.0
    assert numeric.exp_minus(np.float32(87.0)) > 0.0


@pytest.mark.small
def test_log1p_unit():
    e = np.concatenate([grid(0, 1), np.geomspace(1e-37, 1e-3, 999, dtype=np.float32)])
    exact = np.log1p(e.astype(np.float64))
    error = np.abs(apply_to_all(numeric.log1p_unit, e) - exact)
    assert error.max() < 4e-7
    assert (error <= 5e-7 * exact).all()
    assert numeric.log1p_unit(np.float32(0.0)) == 0.0


# --- counting, products, subsampling --------------------------------------------------

LENGTHS = [[7], [0, 1, 2, 0], [5, 0, 1, 12, 3], [1, 1, 1], [30, 17]]


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_list_positions(lengths):
    documents = random_documents(np.random.default_rng(0), 6, lengths)
    token_ids, _ = as_corpus(documents)
    wanted = reference.positions_by_word(token_ids, 6)
    starts = np.cumsum([0, *map(len, wanted)])
    positions = np.full(token_ids.size, -1)
    counting.list_positions(token_ids, starts, positions)
    assert positions.tolist() == list(chain(*wanted))


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_mark_starts(lengths):
    documents = random_documents(np.random.default_rng(1), 6, lengths)
    token_ids, doc_offsets = as_corpus(documents)
    marked = np.empty_like(token_ids)
    counting.mark_starts(token_ids, doc_offsets, marked)
    assert marked.tolist() == reference.mark(documents).tolist()


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("weights", [[1.0], [4.0, 3.0, 2.0, 1.0], [1.0] * 40], ids=len)
@pytest.mark.parametrize("rows", [(0, 6), (2, 4), (3, 3)], ids=str)
def test_count_rows(lengths, weights, rows):
    documents = random_documents(np.random.default_rng(2), 6, lengths)
    token_ids, _ = as_corpus(documents)
    wanted = reference.cooccurrences(documents, 6, weights)[rows[0] : rows[1]]
    by_word = reference.positions_by_word(token_ids, 6)
    totals = np.zeros(6)
    sizes = np.empty(rows[1] - rows[0], dtype=np.int64)
    columns, values = np.empty(36, dtype=np.int32), np.empty(36)
    used = counting.count_rows(
        reference.mark(documents),
        np.array(list(chain(*by_word)), dtype=np.int64),
        np.cumsum([0, *map(len, by_word)]),
        np.array(weights),
        rows,
        totals,
        np.empty(6, dtype=np.int32),
        (sizes, columns, values),
    )
    assert sizes.tolist() == (wanted > 0).sum(axis=1).tolist()
    assert columns[:used].tolist() == np.nonzero(wanted)[1].tolist()
    assert values[:used].tolist() == wanted[wanted > 0].tolist()
    assert not totals.any()


@pytest.mark.small
@pytest.mark.parametrize("width", [1, 3, 16])
def test_multiply(width):
    rng = np.random.default_rng(width)
    matrix = rng.normal(size=(9, 13)) * (rng.random((9, 13)) < 0.3)
    matrix = sparse.csr_array(matrix.astype(np.float32))
    dense = rng.normal(size=(13, width))
    out = np.full((9, width), np.nan)
    arrays = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    sparse_kernels.multiply(*arrays, matrix.data, dense, out)
    np.testing.assert_allclose(out, matrix.astype(np.float64) @ dense, atol=1e-13)
    twin = reference.multiply(*arrays, matrix.data, dense)
    np.testing.assert_allclose(out, twin, atol=1e-13)


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_subsample(lengths):
    rng = np.random.default_rng(4)
    documents = random_documents(rng, 6, lengths)
    token_ids, doc_offsets = as_corpus(documents)
    # Always kept, never kept, and in between.
    keep = np.array([0, 2**32, 2**31, 2**30, 1, 2**32 - 1], dtype=np.uint64)
    kept = np.empty_like(token_ids)
    for seed in range(20):
        state = np.array([seed], dtype=np.uint64)
        n_kept = spans.subsample(token_ids, doc_offsets, keep, state, kept)
        wanted, wanted_state = reference.subsample(documents, keep, seed)
        assert kept[:n_kept].tolist() == reference.mark(wanted).tolist()
        assert int(state[0]) == wanted_state


# --- tiles ----------------------------------------------------------------------------


def tiles(lanes):
    """The three tiles, for registers of `lanes` numbers or without the compiler."""
    if lanes is None:
        return simd._dot_tile, simd._add_rows, simd._add_columns
    dot = simd.make_dot_tile(lanes)
    add_rows = simd.make_add_tile(lanes, transposed=False)
    add_columns = simd.make_add_tile(lanes, transposed=True)

    @numba.njit
    def call_dot(vectors, row, column, scores):
        dot(vectors, row, column, scores)

    @numba.njit
    def call_rows(updates, at, steps, vectors, first, n_terms):
        add_rows(updates, at, steps, vectors, first, n_terms)

    @numba.njit
    def call_columns(updates, at, steps, vectors, first, n_terms):
        add_columns(updates, at, steps, vectors, first, n_terms)

    return call_dot, call_rows, call_columns


@pytest.mark.small
@pytest.mark.parametrize("lanes", [None, 4, 8, 16] if COMPILED else [None])
def test_tiles(lanes):
    """Registers of any processor give the same products, and write nothing else."""
    dot_tile, add_rows, add_columns = tiles(lanes)
    rng = np.random.default_rng(26)
    for width in (16, 32, 48, 112):
        vectors, updates = rng.normal(size=(2, 20, width)).astype(np.float32)
        steps = rng.normal(size=(20, 20)).astype(np.float32)
        scores = steps.copy()
        dot_tile(vectors, 4, 9, scores)
        wanted = steps.astype(float)
        wanted[4:8, 9:13] = vectors[4:8].astype(float) @ vectors[9:13].T
        np.testing.assert_allclose(scores, wanted, rtol=1e-5, atol=1e-5)
        for n_terms in (0, 1, 5):
            terms = slice(3, 3 + n_terms)
            for add, factors in (
                (add_rows, steps[8:12, terms]),
                (add_columns, steps[terms, 8:12].T),
            ):
                found = updates.copy()
                add(found, 8, steps, vectors, 3, n_terms)
                wanted = updates.astype(float)
                wanted[8:12] += factors.astype(float) @ vectors[terms]
                np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


# --- skip-gram ------------------------------------------------------------------------


def sgns_model(strategy, bias, n_words, n_components, rng, size=0.5):
    """Random parameters of a strategy in the kernels' form."""
    layout = strategy.layout(n_words, n_components)
    params = layout.allocate()
    params[:, : n_components + 1] = size * rng.normal(
        size=(params.shape[0], n_components + 1)
    )
    p, p_noise = rng.dirichlet(np.ones(n_words), size=2)
    bias = _tying.get_bias(bias, strategy)
    return spans.Model(
        params=params,
        scale=layout.scale(1.0),
        offset=bias.offset(p, p_noise, 3),
        n_components=n_components,
        context_row=layout.context_row,
        noise_row=layout.noise_row,
        word_bias=float(bias.learned and layout.one_table),
        context_bias=float(bias.learned),
        average=False,
    )


def sgns_twin(model):
    """The same parameters, in float64, for the reference."""
    return reference.SkipGram(
        table=model.params[:, : model.n_components + 1].astype(np.float64),
        signs=model.scale[: model.n_components].astype(np.float64),
        offset=model.offset,
        context_row=model.context_row,
        noise_row=model.noise_row,
        word_bias=model.word_bias,
        context_bias=model.context_bias,
    )


def make_sampler(noise, negative, window=3, weighting="dynamic"):
    return spans.Sampler(
        _sampling.window_thresholds(window, weighting),
        *_sampling.alias_table(noise),
        _training._SHARED_NOISE,
        float(negative),
    )


def sgns_buffers(sampler, model, seeds):
    n_lanes = len(seeds)
    family = _training.Family(sgns.train_rounds)
    n_slots = _training._n_slots(family, sampler.window_thresholds.size)
    lanes = _training._lanes(n_lanes, n_slots, model.params.shape[1])
    lanes.states[:] = seeds
    return lanes, _training._scratch(lanes)


def alone():
    """A team of one thread."""
    return sync.Team(0, 1, np.zeros(sync.TEAM_NUMBERS, dtype=np.int64))


def train(tokens, model, sampler, seeds, rounds=None, rates=(0.1, -0.01)):
    """Run the compiled rounds; the model's parameters are updated in place."""
    lanes, scratch = sgns_buffers(sampler, model, seeds)
    rounds = rounds or (0, n_rounds(tokens, len(seeds)))
    sgns.train_rounds(tokens, model, sampler, lanes, scratch, rounds, rates, alone())
    return lanes


def n_rounds(tokens, n_lanes):
    return math.ceil(math.ceil(len(tokens) / n_lanes) / _training._SPAN)


def assert_equals_twin(tokens, model, sampler, seeds, rates=(0.1, -0.01), atol=2e-5):
    """Train both sides and compare tables, losses, pairs and random streams."""
    twin = sgns_twin(model)
    rounds = (0, n_rounds(tokens, len(seeds)))
    lanes = train(tokens, model, sampler, seeds, rounds, rates)
    loss, pairs, states = reference.rounds_of(
        reference.draw_span,
        tokens,
        twin,
        sampler,
        seeds,
        _training._SPAN,
        rounds,
        rates,
        order=range(len(seeds))[::-1],
    )
    table = model.params[:, : model.n_components + 1]
    np.testing.assert_allclose(table, twin.table, rtol=1e-5, atol=atol)
    assert not model.params[:, model.n_components + 1 :].any()
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
@pytest.mark.parametrize("bias", _tying.biases())
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_rounds_equal_twin(tokens, strategy, bias):
    """Three lanes, read in reverse by the twin: the order of lanes says nothing."""
    model = sgns_model(strategy, bias, 11, 7, np.random.default_rng(7))
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])


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
@pytest.mark.parametrize("weighting", _sampling.WINDOW_WEIGHTINGS)
@pytest.mark.parametrize("window", [1, 2, 5, 30])
def test_rounds_with_other_windows(tokens, window, weighting):
    sampler = make_sampler(NOISE, 5, window, weighting)
    model = sgns_model(STRATEGIES[0], None, 11, 7, np.random.default_rng(10))
    assert_equals_twin(tokens, model, sampler, [1, 2, 3], (0.01, 0.0))


@pytest.mark.small
def test_rounds_with_a_table_for_noise_words(tokens):
    """The kernel takes any row as noise vector, as `Model` says."""
    model = sgns_model(STRATEGIES[0], "word", 22, 7, np.random.default_rng(11))
    model = model._replace(context_row=11, noise_row=33)
    assert_equals_twin(tokens, model, make_sampler(NOISE, 3), [1, 2, 3])


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
        model._replace(params=model.params.copy(), context_row=12, noise_row=24)
        for _ in range(2)
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
    used = fresh._replace(params=fresh.params.copy())
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
            contexts = reference.window(tokens, position, 2)
            reference.add_pairs(terms, word, contexts, drawn, negative)
        objective += noise[list(drawn)].prod() * model.objective(terms)
        gradient += noise[list(drawn)].prod() * model.gradient(terms)
    wanted = independent_draws(model, documents, noise, negative, [1.0, 1.0])
    assert objective == pytest.approx(wanted[0], rel=1e-12)
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-12, atol=1e-12)


@needs_compiler
@pytest.mark.parametrize("weighting", _sampling.WINDOW_WEIGHTINGS)
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
    weights = _sampling.window_weights(3, weighting)
    objective, gradient = independent_draws(twin, [words], noise, negative, weights)
    pairs = reference.cooccurrences([words], 4, weights).sum()
    assert lanes.pairs.mean() == pytest.approx(pairs, rel=0.01)
    assert lanes.loss.mean() == pytest.approx(objective, rel=0.01)
    update = (before - model.params)[:, :5] / rate
    np.testing.assert_allclose(update, gradient, atol=0.02 * np.abs(gradient).max())


# --- GloVe ----------------------------------------------------------------------------


def glove_model(strategy, n_words, n_components, rng):
    """Random parameters and sums of squares in the kernels' form."""
    layout = strategy.layout(n_words, n_components)
    params = layout.allocate()
    shape = (params.shape[0], n_components + 1)
    params[:, : n_components + 1] = rng.normal(size=shape)
    squares = np.ones_like(params)
    squares[:, : n_components + 1] += rng.random(shape)
    return glove.Model(
        params, squares, layout.scale(0.0), n_components, layout.context_row
    )


def glove_twin(model, objective):
    """The same parameters, in float64, for the reference."""
    d = model.n_components
    return reference.GloVe(
        table=model.params[:, : d + 1].astype(np.float64),
        signs=model.scale[:d].astype(np.float64),
        context_row=model.context_row,
        x_max=objective.x_max,
        alpha=objective.alpha,
    )


def glove_counts(dense):
    matrix = sparse.csr_array(dense)
    return glove.Counts(
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float64),
        np.zeros(matrix.shape[0], dtype=np.int64),
    )


def random_counts(n_words, rng, density=0.5):
    """Symmetric counts with some on the diagonal, and one word without any."""
    counts = rng.integers(1, 30, size=(n_words, n_words)) / 2.0
    counts *= rng.random((n_words, n_words)) < density
    counts = counts + counts.T
    counts[1] = counts[:, 1] = 0.0
    counts[2, 2] = 7.0
    return counts


@pytest.mark.small
@pytest.mark.parametrize("edges", [[0, 13], [0, 6, 13], [0, 1, 4, 5, 13]], ids=str)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_glove_epochs_equal_twin(strategy, edges):
    rng = np.random.default_rng(22)
    counts = glove_counts(random_counts(13, rng))
    model = glove_model(strategy, 13, 7, rng)
    objective = glove.Objective(x_max=10.0, alpha=0.75, learning_rate=0.05)
    twin = glove_twin(model, objective)
    squares = model.squares[:, :8].astype(np.float64)
    cells = reference.cells_of(counts.indptr, counts.indices, counts.data)
    edges = np.array(edges)
    for shift in range(edges.size - 1):
        loss = glove.train_epoch(counts, model, objective, edges, shift)
        order = reference.visiting_order(cells, edges, shift)
        assert sorted(order) == sorted(cells)
        wanted = reference.glove_epoch(order, twin, squares, 0.05)
        assert loss == pytest.approx(wanted, rel=1e-4)
    np.testing.assert_allclose(model.params[:, :8], twin.table, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.squares[:, :8], squares, rtol=1e-4)
    assert not model.params[:, 8:].any()


@pytest.mark.small
def test_glove_visits_blocks_along_diagonals():
    """The order that the twin follows, written out for two by two blocks."""
    cells = [(row, column, 1.0) for row in range(3) for column in range(3)]
    edges = np.array([0, 1, 3])
    visited = [cell[:2] for cell in reference.visiting_order(cells, edges, 0)]
    diagonal = [(0, 0), (1, 1), (1, 2), (2, 1), (2, 2)]
    beside = [(0, 1), (0, 2), (1, 0), (2, 0)]
    assert visited == diagonal + beside
    visited = [cell[:2] for cell in reference.visiting_order(cells, edges, 1)]
    assert visited == beside + diagonal


@pytest.mark.small
@pytest.mark.parametrize("n_components", [1, 15, 16, 40])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_glove_with_other_widths(strategy, n_components):
    rng = np.random.default_rng(23)
    counts = glove_counts(random_counts(6, rng))
    model = glove_model(strategy, 6, n_components, rng)
    objective = glove.Objective(x_max=100.0, alpha=0.5, learning_rate=0.02)
    twin = glove_twin(model, objective)
    squares = model.squares[:, : n_components + 1].astype(np.float64)
    glove.train_epoch(counts, model, objective, np.array([0, 6]), 0)
    cells = reference.cells_of(counts.indptr, counts.indices, counts.data)
    reference.glove_epoch(cells, twin, squares, 0.02)
    table = model.params[:, : n_components + 1]
    np.testing.assert_allclose(table, twin.table, rtol=1e-4, atol=1e-5)


@pytest.mark.small
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: str(s.name))
def test_glove_word_with_itself(strategy):
    """Both steps come from the values before either, and both squares are added."""
    model = glove_model(strategy, 3, 4, np.random.default_rng(24))
    objective = glove.Objective(x_max=10.0, alpha=0.75, learning_rate=0.5)
    counts = np.zeros((3, 3))
    counts[1, 1] = 4.0
    before, squares = model.params.astype(float), model.squares.astype(float)
    glove.train_epoch(glove_counts(counts), model, objective, np.array([0, 3]), 0)

    word, context = 1, model.context_row + 1
    signs = model.scale[:4]
    x, y = before[word, :5], before[context, :5]
    error = (x[:4] * signs * y[:4]).sum() + x[4] + y[4] - np.log(4.0)
    slope = 0.4**0.75 * error
    of_word = slope * np.append(signs * y[:4], 1.0)
    of_context = slope * np.append(signs * x[:4], 1.0)
    wanted, wanted_squares = before.copy(), squares.copy()
    wanted[word, :5] -= 0.5 * of_word / np.sqrt(squares[word, :5])
    wanted[context, :5] -= 0.5 * of_context / np.sqrt(squares[context, :5])
    wanted_squares[word, :5] += of_word**2
    wanted_squares[context, :5] += of_context**2
    np.testing.assert_allclose(model.params, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.squares, wanted_squares, rtol=1e-5)


@pytest.mark.small
@pytest.mark.parametrize("count", [0.5, 9.99, 10.0, 1e6])
@pytest.mark.parametrize("alpha", [0.0, 0.75, 1.0])
def test_glove_weight(count, alpha):
    """f(x) grows up to x_max and is 1 from there on."""
    model = glove_model(STRATEGIES[0], 3, 4, np.random.default_rng(25))
    objective = glove.Objective(x_max=10.0, alpha=alpha, learning_rate=0.1)
    twin = glove_twin(model, objective)
    counts = np.zeros((3, 3))
    counts[0, 2] = count
    loss = glove.train_epoch(
        glove_counts(counts), model, objective, np.array([0, 3]), 0
    )
    error = twin.error(0, 2, count)
    assert loss == pytest.approx(min(1.0, (count / 10) ** alpha) * error**2, rel=1e-4)


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
