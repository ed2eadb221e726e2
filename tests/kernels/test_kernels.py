"""Every kernel against its slow twin, through the entry points that estimators call."""

import dataclasses
import functools
import math
from itertools import chain, pairwise

import numba
import numpy as np
import pytest
from scipy import sparse

from skembed._counts.count import WINDOW_WEIGHTINGS, window_weights
from skembed._kernels import counting, sgns, simd, spans
from skembed._kernels import sparse as sparse_kernels
from skembed._solvers import negative_sampling, sampling
from skembed._solvers.sampling import window_thresholds
from skembed._tying import bias as _bias
from skembed._tying import strategies
from skembed._utils import barrier
from tests import reference
from tests.helpers import from_python

STRATEGIES = strategies.strategies()
next_random, draw_word = map(from_python, (spans.next_random, spans.draw_word))
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


# --- counting, products, subsampling --------------------------------------------------

LENGTHS = [[7], [0, 1, 2, 0], [5, 0, 1, 12, 3], [1, 1, 1], [30, 17]]


def as_chunks(doc_offsets, n_chunks):
    """The tokens in chunks of equal size, wherever documents begin."""
    edges = [i * int(doc_offsets[-1]) // n_chunks for i in range(n_chunks + 1)]
    documents = np.searchsorted(doc_offsets, edges, side="right") - 1
    return [
        counting.Chunk(i, edges[i], edges[i + 1], int(documents[i]))
        for i in range(n_chunks)
    ]


def list_places(documents, n_words, window, n_chunks):
    """Return what the kernel writes: the starts of each chunk, and the places."""
    token_ids, doc_offsets = as_corpus(documents)
    starts = np.zeros((n_chunks, n_words + 2), dtype=np.int64)
    places = np.full(token_ids.size, -1)
    window = window, window.bit_length()
    for chunk in reversed(as_chunks(doc_offsets, n_chunks)):
        counting.list_places(token_ids, doc_offsets, chunk, window, starts, places)
    return starts, places


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("n_chunks", [1, 2, 3, 7])
@pytest.mark.parametrize("window", [1, 3, 40])
def test_list_places(lengths, n_chunks, window):
    documents = random_documents(np.random.default_rng(0), 6, lengths)
    starts, places = list_places(documents, 6, window, n_chunks)
    bits, mask = window.bit_length(), 2 ** window.bit_length() - 1
    places = [(p >> 2 * bits, p >> bits & mask, p & mask) for p in places.tolist()]
    # Chunk by chunk, each word's places that lie in it.
    all_places = reference.places_by_word(documents, 6, window)
    edges = [i * sum(lengths) // n_chunks for i in range(n_chunks + 1)]
    for row, (first, last) in zip(starts.tolist(), pairwise(edges), strict=True):
        wanted = [[p for p in word if first <= p[0] < last] for word in all_places]
        assert [places[i:j] for i, j in pairwise(row[:-1])] == wanted
        assert (row[0], row[-2]) == (first, last)


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("weights", [[1], [4, 3, 2, 1], [2**40] * 40], ids=len)
@pytest.mark.parametrize("stride", [1, 1999])
@pytest.mark.parametrize("n_chunks", [1, 3])
@pytest.mark.parametrize("rows", [(0, 6), (2, 4), (3, 3)], ids=str)
def test_count_rows(lengths, weights, stride, n_chunks, rows):
    """With a stride words lie far apart among others, and rows become sparse."""
    documents = random_documents(np.random.default_rng(2), 6, lengths)
    wanted = reference.cooccurrences(documents, 6, weights)[rows[0] : rows[1]]
    n_words = 5 * stride + 1
    spread = [[word * stride for word in document] for document in documents]
    starts, places = list_places(spread, n_words, len(weights), n_chunks)
    scratch = counting.allocate_scratch(n_words)
    sizes = np.zeros(n_words, dtype=np.int64)
    columns, values = np.empty(36, dtype=np.int32), np.empty(36)
    used = counting.count_rows(
        as_corpus(spread)[0],
        places,
        starts,
        (np.array(weights), len(weights).bit_length()),
        (rows[0] * stride, (rows[1] - 1) * stride + 1) if rows[0] < rows[1] else rows,
        scratch,
        sizes,
        (columns, values),
    )
    found = sizes[::stride].tolist()
    assert found[rows[0] : rows[1]] == (wanted > 0).sum(axis=1).tolist()
    assert sizes.sum() == used
    assert columns[:used].tolist() == (np.nonzero(wanted)[1] * stride).tolist()
    assert values[:used].tolist() == wanted[wanted > 0].tolist()
    for left in (scratch.totals, scratch.columns, scratch.blocks):
        assert not left.any()


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("weights", [[1.0], [2.0**60 + 2**10, 3.0], [2.0**110, 1, 7]])
@pytest.mark.parametrize("by_document", [None, [2.0**12, 1.0, 3.0, 1.5, 2.0**5]])
@pytest.mark.parametrize("stride", [1, 1999])
def test_count_wide_rows(lengths, weights, by_document, stride):
    """Against whole numbers of Python, which are cut and rounded once."""
    documents = random_documents(np.random.default_rng(2), 6, lengths)
    by_token = np.empty(0)
    if by_document is not None:
        by_token = np.repeat(by_document[: len(lengths)], lengths)
    wanted = reference.whole_cooccurrences(documents, weights, by_document)
    n_words, window = 5 * stride + 1, len(weights)
    spread = [[word * stride for word in document] for document in documents]
    starts, places = list_places(spread, n_words, window, 2)
    scratch = counting.allocate_scratch(n_words, window)
    sizes = np.zeros(n_words, dtype=np.int64)
    columns, values = np.empty(36, dtype=np.int32), np.empty(36)
    used = counting.count_wide_rows(
        as_corpus(spread)[0],
        places,
        starts,
        (np.array(weights), by_token, window.bit_length()),
        (0, n_words),
        scratch,
        sizes,
        (columns, values),
    )
    rows = np.repeat(np.arange(n_words), sizes) // stride
    cells = zip(rows.tolist(), (columns[:used] // stride).tolist(), strict=True)
    found = dict(zip(cells, values[:used].tolist(), strict=True))
    assert found.keys() == wanted.keys()
    for cell, total in wanted.items():
        assert found[cell] == pytest.approx(total, rel=2.0**-51)
        if total < 2**53:
            assert found[cell] == total
    for left in (scratch.totals, scratch.columns, scratch.blocks):
        assert not left.any()


def random_csr(n_rows, n_columns, rng):
    """A CSR matrix in the kernels' form; some rows and columns are empty."""
    dense = rng.integers(1, 50, size=(n_rows, n_columns)) * 0.5
    dense *= rng.random((n_rows, n_columns)) < 0.4
    dense[n_rows // 2] = 0.0
    dense[:, 1] = 0.0
    matrix = sparse.csr_array(dense)
    return dense, matrix.indptr.astype(np.int64), matrix.indices, matrix.data


@pytest.mark.small
@pytest.mark.parametrize(
    "tasks", [[(0, 3)], [(0, 1), (1, 3)], [(2, 3), (1, 2), (0, 1)]]
)
def test_add_totals(tasks):
    dense, *arrays = random_csr(9, 7, np.random.default_rng(0))
    arrays[1] = arrays[1].astype(np.int32)
    word_totals, context_totals = totals = np.full(9, np.nan), np.zeros((3, 7))
    edges = np.array([0, 4, 4, 9])
    for lanes in tasks:
        counting.add_totals(*arrays, edges, lanes, totals)
    assert word_totals.tolist() == dense.sum(axis=1).tolist()
    wanted = [dense[:4].sum(axis=0), np.zeros(7), dense[4:].sum(axis=0)]
    assert context_totals.tolist() == np.array(wanted).tolist()


@pytest.mark.small
@pytest.mark.parametrize("edges", [[0, 9], [0, 3, 3, 4, 9], range(10)], ids=len)
@pytest.mark.parametrize("marginals", ["all", "some", "none"])
def test_keep_positive(edges, marginals):
    """In place: the values go into the memory of the counts, the columns move."""
    rng = np.random.default_rng(1)
    _, indptr, indices, data = random_csr(9, 7, rng)
    columns, logs = indices.astype(np.int32), np.log(data)
    level = {"all": -9.0, "some": 1.0, "none": 9.0}[marginals]
    of_word, of_context = rng.random(9) + level, rng.random(7)
    wanted = reference.positive_entries(indptr, indices, logs, of_word, of_context)
    assert (0 < len(list(chain(*wanted))) < data.size) == (marginals == "some")
    values, sizes = data.view(np.float32), np.full(9, -1)
    for rows in pairwise(edges):
        first, last = int(indptr[rows[0]]), int(indptr[rows[1]])
        kept = counting.keep_positive(
            indptr,
            columns,
            logs[first:last].copy(),
            (of_word, of_context),
            rows,
            sizes,
            values,
        )
        entries = list(chain(*wanted[rows[0] : rows[1]]))
        assert kept == len(entries)
        assert columns[first : first + kept].tolist() == [c for c, _ in entries]
        np.testing.assert_allclose(
            values[2 * first : 2 * first + kept], [v for _, v in entries], rtol=1e-6
        )
        assert sizes[rows[0] : rows[1]].tolist() == [
            len(row) for row in wanted[rows[0] : rows[1]]
        ]


@pytest.mark.small
@pytest.mark.parametrize("width", [16, 48])
@pytest.mark.parametrize("edges", [[0, 9], [0, 4, 4, 9]], ids=len)
def test_multiply_rows(width, edges):
    """Rows of 0, 1, 2, ... entries, in one task or in several."""
    rng = np.random.default_rng(width)
    matrix = rng.normal(size=(9, 13)) * (np.arange(13) < np.arange(9)[:, None])
    matrix = sparse.csr_array(rng.permuted(matrix, axis=1).astype(np.float32))
    assert np.diff(matrix.indptr).tolist() == list(range(9))
    dense = rng.normal(size=(13, width))
    out = np.full((9, width), np.nan)
    arrays = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
    for number, rows in enumerate(pairwise(edges)):
        # Nobody else's rows are touched.
        assert np.isnan(out[rows[0] :]).all(), number
        sparse_kernels.multiply_rows(*arrays, matrix.data, dense, rows, out)
    np.testing.assert_allclose(out, matrix.astype(np.float64) @ dense, atol=1e-13)
    twin = reference.multiply(*arrays, matrix.data, dense)
    np.testing.assert_allclose(out, twin, atol=1e-13)


@pytest.mark.small
@pytest.mark.parametrize("size", [0, 4, 32])
@pytest.mark.parametrize("rows", [(0, 13), (0, 0), (4, 11), (8, 300)], ids=str)
def test_project(size, rows):
    """What a basis of more columns than are used finds in a block."""
    rng = np.random.default_rng(size)
    basis = rng.normal(size=(300, 48)).astype(np.float32)
    block = rng.normal(size=(300, 16)).astype(np.float32)
    inside = rng.normal(size=(size, 16)).astype(np.float32)
    part = slice(*rows)
    wanted = inside + basis[part, :size].astype(float).T @ block[part]
    sparse_kernels.project(basis, block, rows, inside)
    np.testing.assert_allclose(inside, wanted, atol=1e-4)


@pytest.mark.small
@pytest.mark.parametrize("size", [0, 4, 32])
@pytest.mark.parametrize("rows", [(0, 13), (0, 0), (4, 11), (8, 40)], ids=str)
def test_combine(size, rows):
    """Four rows at a time; the others keep what they hold."""
    rng = np.random.default_rng(size)
    basis = rng.normal(size=(40, 48)).astype(np.float32)
    inside = rng.normal(size=(size, 16)).astype(np.float32)
    block = np.full((40, 16), np.nan, dtype=np.float32)
    sparse_kernels.combine(basis, inside, rows, block)
    last = -(-rows[1] // 4) * 4
    wanted = basis[rows[0] : last, :size].astype(float) @ inside
    np.testing.assert_allclose(block[rows[0] : last], wanted, atol=1e-4)
    assert np.isnan(block[: rows[0]]).all()
    assert np.isnan(block[last:]).all()


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
        False,
    )


def sgns_buffers(sampler, model, seeds):
    n_lanes = len(seeds)
    window = sampler.window_thresholds.size
    n_slots = negative_sampling.count_slots(window, model.directional)
    lanes = negative_sampling.make_lanes(n_lanes, n_slots, model)
    lanes.states[:] = seeds
    return lanes, negative_sampling.make_scratch(lanes)


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
@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("directional", [False, True])
def test_rounds_one_way(tokens, window, directional):
    """Words have contexts to the right only, at the ends of spans and lanes, too."""
    rng = np.random.default_rng(21)
    model = sgns_model(STRATEGIES[0], None, 11, 5, rng, directional=directional)
    sampler = make_sampler(rng.dirichlet(np.ones(11)), 3, window, "flat")
    both = train(tokens, copied(model), sampler, [4, 5, 6]).pairs.sum()
    sampler = sampler._replace(one_way=True)
    # Every pair of tokens is one of a word and a context to its right once.
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
            contexts = reference.window(tokens, position, 2)
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
