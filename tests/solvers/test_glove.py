"""GloVe: its blocks and their schedule, the kernel against its twin, its threads."""

from itertools import pairwise

import numba
import numpy as np
import pytest
from scipy import sparse

from skembed import GloVeEmbedder
from skembed._counts import windows
from skembed._kernels import glove
from skembed._solvers import epochs
from skembed._solvers import glove as _blocks
from skembed._tying import strategies
from skembed._utils import barrier, jit
from skembed._utils.threads import ThreadTeam
from tests import reference
from tests.helpers import from_python, traced

STRATEGIES = strategies.strategies(strategies.LEAST_SQUARES)
blocks_of = from_python(glove.blocks_of)
every_strategy = pytest.mark.parametrize(
    "strategy", STRATEGIES, ids=lambda strategy: str(strategy.name)
)
needs_threads = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="threads run compiled kernels only"
)


@jit.kernel
def claim(claims, home, tried):
    return glove.claim_near(claims, home, tried)


def random_counts(n_words, rng, density=0.5):
    """Symmetric counts with some on the diagonal, and one word without any."""
    counts = rng.integers(1, 30, size=(n_words, n_words)) / 2.0
    counts *= rng.random((n_words, n_words)) < density
    counts = counts + counts.T
    counts[1] = counts[:, 1] = 0.0
    counts[2, 2] = 7.0
    return counts


def glove_entries(counts, n_blocks=1, x_max=10.0, alpha=0.75, size=1):
    """Dense counts in the kernel's form, brought there by `size` threads."""
    with ThreadTeam(size) as team:
        matrix = sparse.csr_array(np.asarray(counts, dtype=np.float64))
        return _blocks._sort_entries_inplace(matrix, n_blocks, x_max, alpha, team)


def glove_model(strategy, n_words, n_components, rng, learning_rate=0.05):
    """Random parameters and sums of squares in the kernel's form."""
    layout = strategy._layout(n_words, n_components)
    params = layout.allocate()
    shape = (params.shape[0], n_components + 1)
    params[:, : n_components + 1] = rng.normal(size=shape)
    squares = np.ones_like(params)
    squares[:, : n_components + 1] += rng.random(shape)
    return _blocks._model(params, squares, layout, learning_rate)


def glove_twin(model, x_max=10.0, alpha=0.75):
    """The same parameters, in float64, for the reference."""
    d = model.n_components
    return reference.GloVe(
        table=model.params[:, : d + 1].astype(np.float64),
        signs=model.scale[:d].astype(np.float64),
        context_row=model.context_row,
        x_max=x_max,
        alpha=alpha,
    )


def copy_of(model):
    return model._replace(params=model.params.copy(), squares=model.squares.copy())


def train(entries, model, order=(0,), n_stages=10**9, size=1):
    """One epoch of `size` threads; returns the summed loss."""
    order = np.array(order, dtype=np.int64)
    buffers = np.zeros((size, 3, model.params.shape[1]), dtype=np.float32)
    spaces = [glove.Space(*buffer) for buffer in buffers]
    with ThreadTeam(size) as team:
        loss = _blocks._train_epoch(
            entries, model, order, n_stages, (team, spaces), lambda share: False
        )
    return loss * entries.cells.size


# --- blocks ---------------------------------------------------------------------------


def decoded(entries):
    """Return every entry's block of rows, block of columns, row, column and numbers."""
    found = []
    n_blocks = entries.edges.size - 1
    for index, (first, last) in enumerate(pairwise(entries.starts)):
        a, b = divmod(index, n_blocks)
        for cell, target in zip(
            entries.cells[first:last], entries.targets[first:last], strict=True
        ):
            row, column = divmod(int(cell), 2**16)
            row, column = row + entries.edges[a], column + entries.edges[b]
            found.append((a, b, int(row), int(column), *target.tolist()))
    return found


@pytest.mark.small
@pytest.mark.parametrize("n_blocks", [1, 3, 5, 13])
def test_entries_lie_by_blocks(n_blocks):
    counts = random_counts(13, np.random.default_rng(1))
    entries = glove_entries(counts, n_blocks, x_max=10.0, alpha=0.5)
    found = decoded(entries)
    places = [entry[:4] for entry in found]
    assert places == sorted(places)
    for a, b, row, column, log_count, weight in found:
        assert entries.edges[a] <= row < entries.edges[a + 1]
        assert entries.edges[b] <= column < entries.edges[b + 1]
        assert log_count == np.float32(np.log(counts[row, column]))
        wanted = min(1.0, (counts[row, column] / 10.0) ** 0.5)
        assert weight == pytest.approx(wanted, rel=1e-7)
    rows, columns = counts.nonzero()
    assert sorted(place[2:] for place in places) == list(
        zip(rows.tolist(), columns.tolist(), strict=True)
    )
    sizes = np.diff(entries.edges)
    assert sizes.sum() == 13
    assert sizes.max() - sizes.min() <= 1


@needs_threads
def test_entries_do_not_depend_on_threads():
    counts = random_counts(60, np.random.default_rng(2))
    expected = glove_entries(counts, 7)
    for size in (2, 5):
        found = glove_entries(counts, 7, size=size)
        for name, array in expected._asdict().items():
            assert array.tobytes() == getattr(found, name).tobytes(), name


@needs_threads
def test_entries_take_the_memory_of_the_counts():
    """No second copy: what comes in addition is the rows of one block."""
    rng = np.random.default_rng(3)
    matrix = sparse.csr_array(random_counts(900, rng, density=0.9))
    matrix.indices = matrix.indices.astype(np.int32)
    size = matrix.indices.nbytes + matrix.data.nbytes
    with ThreadTeam(1) as team:
        glove_entries(np.eye(3))  # compiles
        entries, peak = traced(
            _blocks._sort_entries_inplace, matrix, 15, 10.0, 0.75, team
        )
    assert np.shares_memory(entries.cells, matrix.indices)
    assert np.shares_memory(entries.targets, matrix.data)
    assert size > 8e6
    assert peak < 0.2 * size


@pytest.mark.small
def test_targets_are_as_good_as_float32_allows():
    """ln x and f(x), within half a unit in the last place, for counts of all sizes."""
    rng = np.random.default_rng(4)
    counts = np.concatenate(
        [[1.0, 100.0, 1e-300, 1e300], 2.0 ** rng.uniform(-30, 60, 5000)]
    )
    logarithms = np.log(counts.astype(np.longdouble))
    ratio = counts.astype(np.longdouble) / 100
    for alpha in (0.0, 0.75, 1.0, 3.0):
        buffer = counts.copy()
        _blocks._to_targets_inplace(buffer, 100.0, alpha)
        found = buffer.view(np.float32).reshape(-1, 2)
        error = np.abs(found[:, 0] - logarithms)
        assert (error <= 2.0**-24 * 1.0001 * np.abs(logarithms)).all()
        weights = np.minimum(1, ratio ** np.longdouble(alpha))
        error = np.abs(found[:, 1] - weights)
        # Plus the smallest numbers, where float32 has fewer digits.
        assert (error <= 2.0**-24 * 1.0001 * weights + 2.0**-149).all()


@pytest.mark.small
def test_number_of_blocks():
    """Odd, at most one a word, small enough for the cells' 16 bits, by data alone."""
    rng = np.random.default_rng(5)
    for n_words in [1, 2, 3, 4, 5, *rng.integers(6, 10**6, size=200).tolist()]:
        row_bytes = 128 * int(rng.integers(1, 20))
        n_entries = int(n_words**2 * rng.random()) + 1
        n_blocks = _blocks._n_blocks(n_words, row_bytes, n_entries)
        assert n_blocks % 2 == 1
        assert 1 <= n_blocks <= n_words
        rows = -(-n_words // n_blocks)
        assert rows <= 2**16
        assert n_blocks <= 15 or rows * row_bytes < 1.2 * _blocks._BLOCK_BYTES
    # 100 components; few entries, some more, and enough for several threads.
    assert [_blocks._n_blocks(1000, 896, n) for n in (3999, 30_000, 1e6)] == [1, 5, 15]


# --- schedule -------------------------------------------------------------------------


def schedule(order):
    """Return the blocks of every task by stages."""
    order = np.array(order, dtype=np.int64)
    # Compiled, parts of kernels have no entry from Python.
    blocks_of = getattr(glove.blocks_of, "py_func", glove.blocks_of)
    stages = [
        [
            tuple(int(block) for block in blocks_of(order, stage, task))
            for task in range(order.size // 2 + 1)
        ]
        for stage in range(2 * order.size)
    ]
    for stage in stages:
        assert [a == b for a, b in stage] == [False] * (order.size // 2) + [True]
    return stages[: order.size] + [stage[:-1] for stage in stages[order.size :]]


@pytest.mark.small
@pytest.mark.parametrize("n_words", range(1, 10))
def test_schedule(n_words):
    """Every block of the matrix once; no row or column twice in a stage."""
    n_blocks = _blocks._n_blocks(n_words, _blocks._BLOCK_BYTES, 1)
    assert n_blocks == n_words - (n_words % 2 == 0)
    for seed in range(4):
        stages = schedule(np.random.default_rng(seed).permutation(n_blocks))
        for number, stage in enumerate(stages):
            used = [block for pair in stage for block in set(pair)]
            assert len(used) == len(set(used)) == n_blocks - (number >= n_blocks)
        visited = [pair for stage in stages for pair in stage]
        assert sorted(visited) == list(np.ndindex(n_blocks, n_blocks))


@pytest.mark.small
@pytest.mark.parametrize("n_blocks", [3, 5, 9])
def test_transposed_blocks_are_half_an_epoch_apart(n_blocks):
    """Of tied tables they hold the same pairs of words."""
    stages = schedule(np.random.default_rng(0).permutation(n_blocks))
    stage_of = {pair: number for number, stage in enumerate(stages) for pair in stage}
    for (a, b), stage in stage_of.items():
        assert abs(stage - stage_of[b, a]) == (n_blocks if a != b else 0)


@pytest.mark.small
@pytest.mark.parametrize("home", range(5))
def test_claims_nearest_first(home):
    """All tasks once, those of others excepted, whatever the home."""
    claims, expected = np.zeros(5, dtype=np.int64), sorted({0, 1, 2, 4})
    claims[3] = 1
    expected.sort(key=lambda distance: abs(distance - home))
    found, tried = [], 0
    while True:
        distance, tried = claim(claims, home, tried)
        if distance < 0:
            break
        found.append(int(distance))
    assert sorted(found) == sorted(expected)
    assert [abs(a - home) for a in found] == [abs(a - home) for a in expected]
    assert claim(claims, home, 0)[0] == -1


@pytest.mark.small
@pytest.mark.parametrize("n_blocks", [3, 5, 9])
def test_blocks_move_by_one_distance(n_blocks):
    """So threads that keep to neighbouring distances keep their blocks."""
    stages = schedule(np.random.default_rng(1).permutation(n_blocks))
    n_tasks = n_blocks // 2 + 1
    for half in stages[:n_blocks], stages[n_blocks:]:
        for before, after in pairwise(half):
            distance_of = {
                block: (task + 1) % n_tasks
                for task, pair in enumerate(before)
                for block in pair
            }
            for task, pair in enumerate(after):
                moves = [
                    distance_of.get(block, 0) - (task + 1) % n_tasks for block in pair
                ]
                assert max(map(abs, moves)) <= 1


@pytest.mark.small
def test_order_of_the_twin():
    """Written out for three blocks, one of them of two rows."""
    cells = [(row, column, 1.0) for row in range(4) for column in range(4)]
    edges = np.array([0, 1, 2, 4])
    order = np.array([2, 0, 1])
    rows = {0: [0], 1: [1], 2: [2, 3]}
    stages = [[(0, 1), (2, 2)], [(1, 2), (0, 0)], [(2, 0), (1, 1)]]
    stages += [[(1, 0)], [(2, 1)], [(0, 2)]]
    assert schedule(order) == stages
    pairs = [pair for stage in stages for pair in stage]
    wanted = [(r, c, 1.0) for a, b in pairs for r in rows[a] for c in rows[b]]
    assert reference.visiting_order(cells, edges, order) == wanted


# --- kernel ---------------------------------------------------------------------------


@pytest.mark.small
@pytest.mark.parametrize("n_blocks", [1, 3, 5, 13])
@every_strategy
def test_epochs_equal_twin(strategy, n_blocks):
    rng = np.random.default_rng(6)
    counts = random_counts(13, rng)
    entries = glove_entries(counts, n_blocks)
    model = glove_model(strategy, 13, 7, rng)
    twin = glove_twin(model)
    squares = model.squares[:, :8].astype(np.float64)
    cells = [(*pair, x) for pair, x in np.ndenumerate(counts) if x]
    for _ in range(3):
        order = rng.permutation(n_blocks)
        visited = reference.visiting_order(cells, entries.edges, order)
        assert sorted(visited) == cells
        loss = train(entries, model, order)
        wanted = reference.glove_epoch(visited, twin, squares, 0.05)
        assert loss == pytest.approx(wanted, rel=1e-4)
    np.testing.assert_allclose(model.params[:, :8], twin.table, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.squares[:, :8], squares, rtol=1e-4)
    assert not model.params[:, 8:].any()
    assert (model.squares[:, 8:] == 1.0).all()


@pytest.mark.small
@every_strategy
def test_order_of_blocks_matters(strategy):
    """Else the test above would not tell one order from another."""
    rng = np.random.default_rng(7)
    entries = glove_entries(random_counts(13, rng), 3)
    model = glove_model(strategy, 13, 7, rng)
    tables = []
    for order in ([0, 1, 2], [1, 0, 2]):
        copy = copy_of(model)
        train(entries, copy, order)
        tables.append(copy.params)
    assert np.abs(tables[0] - tables[1]).max() > 1e-3


@pytest.mark.small
@pytest.mark.parametrize("n_components", [1, 15, 16, 40])
@every_strategy
def test_other_widths(strategy, n_components):
    rng = np.random.default_rng(8)
    counts = random_counts(6, rng)
    model = glove_model(strategy, 6, n_components, rng, learning_rate=0.02)
    twin = glove_twin(model, x_max=100.0, alpha=0.5)
    squares = model.squares[:, : n_components + 1].astype(np.float64)
    train(glove_entries(counts, x_max=100.0, alpha=0.5), model)
    cells = [(*pair, x) for pair, x in np.ndenumerate(counts) if x]
    reference.glove_epoch(cells, twin, squares, 0.02)
    table = model.params[:, : n_components + 1]
    np.testing.assert_allclose(table, twin.table, rtol=1e-4, atol=1e-5)


@pytest.mark.small
@every_strategy
def test_word_with_itself(strategy):
    """Both steps come from the values before either, with both squares added."""
    model = glove_model(strategy, 3, 4, np.random.default_rng(9), learning_rate=0.5)
    counts = np.zeros((3, 3))
    counts[1, 1] = 4.0
    before, squares = model.params.astype(float), model.squares.astype(float)
    train(glove_entries(counts), model)

    word, context = 1, model.context_row + 1
    signs = model.scale[:4]
    x, y = before[word, :5], before[context, :5]
    error = (x[:4] * signs * y[:4]).sum() + x[4] + y[4] - np.log(4.0)
    slope = 0.4**0.75 * error
    of_word = slope * np.append(signs * y[:4], 1.0)
    of_context = slope * np.append(signs * x[:4], 1.0)
    wanted, wanted_squares = before.copy(), squares.copy()
    wanted_squares[word, :5] += (0.5 * of_word) ** 2
    wanted_squares[context, :5] += (0.5 * of_context) ** 2
    wanted[word, :5] -= 0.5 * of_word / np.sqrt(wanted_squares[word, :5])
    wanted[context, :5] -= 0.5 * of_context / np.sqrt(wanted_squares[context, :5])
    np.testing.assert_allclose(model.params, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.squares, wanted_squares, rtol=1e-5)


@pytest.mark.small
@pytest.mark.parametrize("count", [0.5, 9.99, 10.0, 1e6])
@pytest.mark.parametrize("alpha", [0.0, 0.75, 1.0])
def test_weight(count, alpha):
    """f(x) grows up to x_max and is 1 from there on."""
    model = glove_model(STRATEGIES[0], 3, 4, np.random.default_rng(10))
    error = glove_twin(model).error(0, 2, count)
    counts = np.zeros((3, 3))
    counts[0, 2] = count
    loss = train(glove_entries(counts, alpha=alpha), model)
    assert loss == pytest.approx(min(1.0, (count / 10) ** alpha) * error**2, rel=1e-4)


@pytest.mark.small
@every_strategy
def test_steps_for_sums_of_squares_of_all_sizes(strategy):
    """The compiler may compute 1 / sqrt in its own way, within 1e-6.

    With vectors of 0 the slope is exact, and the steps of the biases show it.
    """
    model = glove_model(strategy, 2, 3, np.random.default_rng(11), learning_rate=1.0)
    counts = np.zeros((2, 2))
    counts[0, 1] = np.e**2
    entries = glove_entries(counts)
    slope = float(entries.targets[0, 0]) * float(entries.targets[0, 1])
    for square in 2.0 ** np.linspace(0, 60, 400):
        model.params[:] = 0.0
        model.squares[:] = square
        train(entries, model)
        wanted = slope / np.sqrt(np.float32(square).astype(float) + slope**2)
        found = model.params[[0, model.context_row + 1], 3]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.small
@every_strategy
def test_slices_change_nothing(strategy):
    rng = np.random.default_rng(12)
    entries = glove_entries(random_counts(13, rng), 5)
    model = glove_model(strategy, 13, 7, rng)
    order = rng.permutation(5)
    whole = copy_of(model)
    loss = train(entries, whole, order)
    for n_stages in (1, 2, 4):
        parts = copy_of(model)
        assert train(entries, parts, order, n_stages) == loss
        assert parts.params.tobytes() == whole.params.tobytes()
        assert parts.squares.tobytes() == whole.squares.tobytes()


@needs_threads
@every_strategy
def test_threads_change_nothing(strategy):
    """Fewer and more threads than tasks, and all of them at once."""
    rng = np.random.default_rng(13)
    entries = glove_entries(random_counts(300, rng), 9)
    model = glove_model(strategy, 300, 20, rng)
    order = rng.permutation(9)
    expected = None
    for size in (1, 2, 3, 7):
        copy = copy_of(model)
        losses = [train(entries, copy, order, 2, size) for _ in range(3)]
        found = (losses, copy.params.tobytes(), copy.squares.tobytes())
        expected = expected or found
        assert found == expected
    assert not np.array_equal(copy.params, model.params)


@pytest.mark.small
def test_a_thread_stops_waiting_when_another_fails():
    """The first stage's tasks were taken by a thread that has failed."""
    rng = np.random.default_rng(14)
    entries = glove_entries(random_counts(13, rng), 3)
    model = glove_model(STRATEGIES[0], 13, 7, rng)
    before = model.params.copy()
    losses = np.zeros((6, 2, 2))
    progress = glove.Progress(
        np.zeros((6, 2), dtype=np.int64),
        np.zeros(3 * glove.DONE_NUMBERS, dtype=np.int64),
    )
    progress.claims[0] = 1
    shared = np.zeros(barrier.TEAM_NUMBERS, dtype=np.int64)
    shared[barrier.ABORTED] = 1
    team = barrier.Team(1, 2, shared)
    space = glove.Space(*np.zeros((3, 16), dtype=np.float32))
    order = np.arange(3)
    glove.train_stages(entries, model, order, (0, 6), losses, progress, space, team)
    np.testing.assert_array_equal(model.params, before)
    assert not progress.done.any()
    assert not losses.any()


# --- estimator ------------------------------------------------------------------------


def zipf_documents(rng, n_words=200, n_documents=150, length=30):
    """Documents of words whose frequencies fall with their number."""
    p = 1.0 / np.arange(1, n_words + 1)
    words = rng.choice(n_words, size=(n_documents, length), p=p / p.sum())
    return [[f"w{word:03d}" for word in document] for document in words]


def embedder(**params):
    params = {"combine": "word", "min_count": 1, "max_iter": 3, **params}
    return GloVeEmbedder(6, x_max=5, random_state=0).set_params(**params)


@needs_threads
@every_strategy
def test_bits_do_not_depend_on_n_jobs(strategy, monkeypatch):
    documents = zipf_documents(np.random.default_rng(15))
    sizes = []

    class Team(ThreadTeam):
        def __init__(self, size):
            sizes.append(size)
            super().__init__(size)

    for module in (_blocks, epochs):
        monkeypatch.setattr(module, "ThreadTeam", Team)
    monkeypatch.setattr(_blocks, "_MIN_ENTRIES_OF_A_BLOCK", 20)
    monkeypatch.setattr(_blocks, "_WORK_OF_A_THREAD", 1)
    monkeypatch.setattr(_blocks, "_WORK_OF_A_SLICE", 1 << 16)
    expected = None
    for n_jobs in (1, 2, 3, 7):
        fitted = embedder(share_context=strategy.name, n_jobs=n_jobs).fit(documents)
        learned = (
            fitted.word_vectors_,
            fitted.context_vectors_,
            fitted.word_biases_,
            fitted.context_biases_,
            fitted.loss_curve_,
        )
        found = [array.tobytes() for array in learned]
        expected = expected or found
        assert found == expected
    # Beside several threads, a team of one in which kernels are compiled.
    assert sizes == [1, 2, 1, 3, 1, 7, 1]


@needs_threads
def test_threads_follow_the_work(monkeypatch):
    """None for small inputs; else as many as find tasks, and never more."""
    sizes = []

    class Team(ThreadTeam):
        def __init__(self, size):
            sizes.append(size)
            super().__init__(size)

    for module in (_blocks, epochs):
        monkeypatch.setattr(module, "ThreadTeam", Team)
    documents = zipf_documents(np.random.default_rng(16))
    embedder(n_jobs=50).fit(documents)
    monkeypatch.setattr(_blocks, "_n_blocks", lambda *arguments: 9)
    embedder(n_jobs=50).fit(documents)
    monkeypatch.setattr(_blocks, "_WORK_OF_A_THREAD", 1)
    embedder(n_jobs=50).fit(documents)
    embedder(n_jobs=2).fit(documents)
    assert sizes == [1, 1, 5, 1, 2, 1]


def recorded_counting(monkeypatch):
    """Return a list to which the tokens of every counting are added."""
    tokens = []
    count = windows.count_cooccurrences

    def record(corpus, *arguments, **named):
        tokens.append(corpus.token_ids.copy())
        return count(corpus, *arguments, **named)

    monkeypatch.setattr(windows, "count_cooccurrences", record)
    return tokens


@pytest.mark.small
def test_words_are_in_random_order(monkeypatch):
    """By the random state; the vectors come back in the order of the vocabulary."""
    tokens = recorded_counting(monkeypatch)
    documents = zipf_documents(np.random.default_rng(17), 30, 10, 8)
    row_of = []
    for seed in (0, 1, 0):
        fitted = embedder(max_iter=1, random_state=seed).fit(documents)
        ids = [fitted.vocabulary_[word] for words in documents for word in words]
        mapping = dict(zip(ids, tokens[-1].tolist(), strict=True))
        assert [mapping[word] for word in ids] == tokens[-1].tolist()
        row_of.append([mapping[word] for word in range(len(mapping))])
        assert sorted(row_of[-1]) == list(range(len(mapping)))
    assert row_of[0] == row_of[2] != row_of[1]
    # Frequent words do not stand together, as they do in the vocabulary.
    for rows in row_of:
        assert abs(np.corrcoef(rows, np.arange(len(rows)))[0, 1]) < 0.5


@pytest.mark.small
def test_vectors_return_to_their_words(monkeypatch):
    """What is learned of a row is handed to the word that stood there."""
    tokens = recorded_counting(monkeypatch)
    tables = []
    train_epoch = _blocks._train_epoch

    def record(entries, model, *arguments):
        loss = train_epoch(entries, model, *arguments)
        tables.append((model.params.copy(), model.context_row))
        return loss

    monkeypatch.setattr(_blocks, "_train_epoch", record)
    documents = zipf_documents(np.random.default_rng(18), 30, 10, 8)
    for strategy in STRATEGIES:
        fitted = embedder(share_context=strategy.name).fit(documents)
        table, context_row = tables[-1]
        signs = getattr(fitted, "context_signs_", 1.0)
        places = (word for words in documents for word in words)
        for word, row in zip(places, tokens[-1], strict=True):
            at, context = fitted.vocabulary_[word], table[context_row + row]
            np.testing.assert_array_equal(fitted.word_vectors_[at], table[row, :6])
            assert fitted.word_biases_[at] == table[row, 6]
            np.testing.assert_array_equal(
                fitted.context_vectors_[at], context[:6] * signs
            )
            assert fitted.context_biases_[at] == context[6]


def test_blocks_hold_about_equally_many_pairs(monkeypatch):
    """Thanks to the random order of words, whose frequencies differ a lot."""
    sizes = []
    sort_entries = _blocks._sort_entries_inplace

    def record(*arguments):
        entries = sort_entries(*arguments)
        n_blocks = entries.edges.size - 1
        sizes.append(np.diff(entries.starts).reshape(n_blocks, n_blocks))
        return entries

    monkeypatch.setattr(_blocks, "_sort_entries_inplace", record)
    monkeypatch.setattr(_blocks, "_MIN_ENTRIES_OF_A_BLOCK", 100)
    documents = zipf_documents(np.random.default_rng(19), 1000, 300, 40)
    embedder(max_iter=1).fit(documents)
    (blocks,) = sizes
    assert blocks.shape == (15, 15)
    assert blocks.max() < 3.0 * blocks.mean()
    assert blocks.min() > 0.3 * blocks.mean()


@pytest.mark.small
def test_epochs_differ_in_their_order(monkeypatch):
    """And with the random state."""
    orders = []
    train_epoch = _blocks._train_epoch

    def record(entries, model, order, *arguments):
        orders.append(order.tolist())
        return train_epoch(entries, model, order, *arguments)

    monkeypatch.setattr(_blocks, "_train_epoch", record)
    monkeypatch.setattr(_blocks, "_MIN_ENTRIES_OF_A_BLOCK", 1)
    documents = zipf_documents(np.random.default_rng(20), 30, 10, 8)
    for seed in (0, 1, 0):
        embedder(random_state=seed).fit(documents)
    assert all(sorted(order) == list(range(len(order))) for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    assert orders[:3] == orders[6:] != orders[3:6]


@pytest.mark.small
def test_first_steps_of_biases_do_not_depend_on_the_rate():
    """With vectors of 0 and small errors, a bias moves by its gradient."""
    for rate in (1e-3, 0.1, 0.5):
        model = glove_model(STRATEGIES[0], 2, 3, np.random.default_rng(14), rate)
        model.params[:] = 0.0
        model.squares[:, 3] = _blocks.bias_squares(rate)
        counts = np.zeros((2, 2))
        counts[0, 1] = np.exp(0.01)
        train(glove_entries(counts, x_max=1.0), model)
        wanted = 0.01 / np.sqrt(1.0 + 0.01**2)
        found = model.params[[0, model.context_row + 1], 3]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    # No square is 0 or infinite, at which steps are no numbers.
    assert 0.0 < np.float32(_blocks.bias_squares(1e-200)) < 1e-30
    assert np.isfinite(np.float32(_blocks.bias_squares(1e200)))
