"""Truncated decompositions against dense ones, and what PPMI-SVD makes of them."""

import warnings

import numba
import numpy as np
import pytest
from scipy import optimize, sparse
from scipy.sparse import linalg as sparse_linalg
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from skembed import PPMISVDEmbedder, cooccurrence
from skembed._counts.count import window_weights
from skembed._solvers import svd
from skembed._solvers.svd import TruncatedFactoriser
from skembed._tying import strategies
from skembed._utils import threads
from tests import reference
from tests.helpers import DOCUMENTS, EPOCHS, cheap

needs_compiler = pytest.mark.skipif(
    bool(numba.config.DISABLE_JIT), reason="too slow, and one thread, without compiler"
)


@pytest.fixture(autouse=True)
def one_thread():
    """Small dense matrices wait for BLAS threads longer than they are worked on."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def with_spectrum(values, seed=0, symmetric=True):
    """A dense matrix of given eigenvalues, or singular values; float32 entries."""
    rng = np.random.default_rng(seed)
    values = np.asarray(values, dtype=float)
    left, right = (
        np.linalg.qr(rng.normal(size=(values.size, values.size)))[0] for _ in range(2)
    )
    matrix = (left * values) @ (left if symmetric else right).T
    return matrix.astype(np.float32).astype(np.float64)


def random_sparse(n, density, seed=0):
    """Non-negative entries in random cells: a spectrum that falls slowly."""
    rng = np.random.default_rng(seed)
    matrix = rng.exponential(size=(n, n)) * (rng.random((n, n)) < density)
    return matrix.astype(np.float32).astype(np.float64)


def exact_rank_two(n):
    """Whole numbers of rank 2 in two blocks of words."""
    matrix = np.zeros((n, n))
    matrix[: n // 2, : n // 2] = 2.0
    matrix[n // 2 :, n // 2 :] = 1.0
    return matrix


def factoriser(matrix, seed=0, n_jobs=None):
    matrix = sparse.csr_array(matrix.astype(np.float32))
    return TruncatedFactoriser(matrix, seed, n_jobs)


def product_of_svd(matrix, n_components):
    left, values, right = factoriser(matrix).svd(n_components)
    return (left * values) @ right.T


def product_of_eigh(matrix, n_components, positive):
    values, vectors = factoriser(matrix).eigh(n_components, positive)
    return (vectors * values) @ vectors.T


def best_symmetric(matrix, n_components, positive):
    symmetric = (matrix + matrix.T) / 2
    best = reference.best_psd if positive else reference.best_rank
    return best(symmetric, n_components)


def assert_close(matrix, wanted, rtol=1e-5):
    """In Frobenius norm, relative."""
    assert np.linalg.norm(matrix - wanted) <= rtol * np.linalg.norm(wanted)


@pytest.fixture(params=["dense", "krylov"])
def path(request, monkeypatch):
    """Both ways through the factoriser, for matrices of any size."""
    if request.param == "krylov":
        monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
        # Fail loudly should the dense way be taken all the same.
        monkeypatch.delattr(TruncatedFactoriser, "_dense")
    return request.param


SEPARATED = 10.0 * 0.8 ** np.arange(120)
ALTERNATING = SEPARATED * (-1.0) ** np.arange(120)
# The forty largest by size are negative, more than are looked at first.
NEGATIVE = np.concatenate([-5 * 0.95 ** np.arange(40), 2 * 0.8 ** np.arange(80)])


# --- products -------------------------------------------------------------------------


@pytest.mark.parametrize("n_components", [1, 10, 30])
@pytest.mark.parametrize("symmetric", [True, False])
def test_svd_is_the_best_approximation(path, n_components, symmetric):
    matrix = with_spectrum(SEPARATED, symmetric=symmetric)
    wanted = reference.best_rank(matrix, n_components)
    assert_close(product_of_svd(matrix, n_components), wanted)
    left, values, right = factoriser(matrix).svd(n_components)
    np.testing.assert_allclose(values, SEPARATED[:n_components], rtol=1e-5)
    for vectors in (left, right):
        assert vectors.shape == (120, n_components)
        np.testing.assert_allclose(
            vectors.T @ vectors, np.eye(n_components), atol=1e-10
        )


@pytest.mark.parametrize("n_components", [1, 10, 30])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(
    "spectrum",
    [SEPARATED, ALTERNATING, NEGATIVE],
    ids=["positive", "alternating", "negative"],
)
def test_eigh_is_the_best_approximation(path, n_components, positive, spectrum):
    matrix = with_spectrum(spectrum)
    wanted = best_symmetric(matrix, n_components, positive)
    assert_close(product_of_eigh(matrix, n_components, positive), wanted)
    values, vectors = factoriser(matrix).eigh(n_components, positive)
    key = -values if positive else -np.abs(values)
    assert (np.diff(key) >= 0).all()
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(n_components), atol=1e-10)
    if positive:
        assert (values >= 0).all()


@pytest.mark.parametrize("positive", [True, False])
def test_eigh_takes_the_symmetric_part(path, positive):
    matrix = with_spectrum(SEPARATED) + 0.2 * random_sparse(120, 0.02)
    wanted = best_symmetric(matrix.astype(np.float32).astype(float), 10, positive)
    assert_close(product_of_eigh(matrix, 10, positive), wanted)


@pytest.mark.small
def test_small_matrices_on_both_paths(monkeypatch):
    """Products of tiny matrices, quick without a compiler too."""
    matrix = random_sparse(24, 0.1) + np.diag(0.5 ** np.arange(24))
    matrix = matrix.astype(np.float32).astype(float)
    for limit in (1000, 10):
        monkeypatch.setattr(svd, "DENSE_LIMIT", limit)
        assert_close(product_of_svd(matrix, 2), reference.best_rank(matrix, 2))
        for positive in (True, False):
            wanted = best_symmetric(matrix, 2, positive)
            assert_close(product_of_eigh(matrix, 2, positive), wanted)


@pytest.mark.parametrize("density", [0.01, 0.1])
def test_captured_energy_is_not_below_sklearn(monkeypatch, density):
    """On a slowly falling spectrum, where every method loses some energy."""
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    matrix = random_sparse(400, density)
    ours = np.linalg.norm(matrix - product_of_svd(matrix, 20))
    left, values, right = randomized_svd(matrix, 20, random_state=0)
    theirs = np.linalg.norm(matrix - (left * values) @ right)
    best = np.linalg.norm(matrix - reference.best_rank(matrix, 20))
    assert best <= ours * (1 + 1e-12)
    assert ours <= theirs * (1 + 1e-9)


@pytest.mark.parametrize("positive", [True, False])
def test_captured_energy_of_eigh(monkeypatch, positive):
    """Close to the best, also where half of the largest eigenvalues are negative."""
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    matrix = with_spectrum(0.98 ** np.arange(200) * (-1.0) ** np.arange(200))
    ours = np.linalg.norm(matrix - product_of_eigh(matrix, 20, positive))
    best = np.linalg.norm(matrix - best_symmetric(matrix, 20, positive))
    assert best <= ours * (1 + 1e-12) <= best * 1.001


# --- ranks and sizes ------------------------------------------------------------------


def test_too_few_positive_eigenvalues(path):
    """Zeros replace what is not positive."""
    matrix = with_spectrum(np.concatenate([-5 * 0.95 ** np.arange(117), [3, 2, 1]]))
    values, _ = factoriser(matrix).eigh(10, positive=True)
    np.testing.assert_allclose(values[:3], [3, 2, 1], rtol=1e-5)
    assert (np.abs(values[3:]) < 1e-5).all()
    wanted = best_symmetric(matrix, 10, True)
    assert_close(product_of_eigh(matrix, 10, True), wanted)


@pytest.mark.parametrize("values", [[5, 4, 3, 2, 1], [5, -4, 3, -2, 1]], ids=str)
def test_rank_deficient(path, values):
    """A matrix of rank five keeps being found exactly with ten components."""
    matrix = with_spectrum([*values, *[0] * 115])
    assert_close(product_of_svd(matrix, 10), matrix)
    for vectors in factoriser(matrix).svd(10)[::2]:
        used = vectors[:, :5]
        np.testing.assert_allclose(used.T @ used, np.eye(5), atol=1e-10)
    assert_close(product_of_eigh(matrix, 10, False), matrix)
    wanted = best_symmetric(matrix, 10, True)
    assert_close(product_of_eigh(matrix, 10, True), wanted)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "strategy",
    strategies.strategies(strategies.CLOSED_FORM),
    ids=lambda strategy: str(strategy.name),
)
def test_dimensions_beyond_the_rank_are_zero(path, strategy, exponent):
    """Rounding errors are no eigenvalues: they must not become dimensions."""
    word, context, scale = strategy.factorise(
        factoriser(exact_rank_two(40)), 6, exponent
    )
    np.testing.assert_allclose(
        (word * scale) @ context.T, exact_rank_two(40), atol=1e-5
    )
    assert (np.abs(word[:, :2]).max(axis=0) > 0.1).all()
    np.testing.assert_allclose(word[:, 2:], 0.0, atol=1e-6)
    np.testing.assert_allclose(context[:, 2:], 0.0, atol=1e-6)
    assert np.isfinite(scale.astype(np.float32)).all()


@pytest.mark.parametrize(
    "strategy",
    strategies.strategies(strategies.CLOSED_FORM),
    ids=lambda strategy: str(strategy.name),
)
def test_rows_without_entries_have_vectors_of_zeros(path, strategy):
    """Exactly: rounding errors would get length 1 with ``norm="l2"``."""
    matrix = np.random.default_rng(4).random((60, 60))
    matrix[[3, 40]] = 0.0
    empty = [40]
    if strategy.context_table:
        matrix[:, 7] = 0.0
        empty = [3, 40]
    matrix[:, 40] = 0.0
    word, context, _ = strategy.factorise(factoriser(matrix), 5, 0.5)
    np.testing.assert_array_equal(word[empty], 0.0)
    assert word.any(axis=1).sum() == 60 - len(empty)
    np.testing.assert_array_equal(context[40], 0.0)
    assert context[7].any() == (not strategy.context_table)


@pytest.mark.parametrize(
    "strategy",
    strategies.strategies(strategies.CLOSED_FORM),
    ids=lambda strategy: str(strategy.name),
)
def test_zero_matrix(path, strategy):
    word, context, scale = strategy.factorise(factoriser(np.zeros((40, 40))), 3, 0.5)
    assert word.shape == context.shape == (40, 3)
    assert not word.any()
    assert not context.any()
    assert np.isfinite(scale).all()


def test_zero_matrix_needs_no_larger_space(monkeypatch):
    """Looking for positive eigenvalues ends where there is nothing left to find."""
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    sizes = []
    grow = svd.KrylovSpace.grow

    def spy(self, size, report):
        sizes.append(size)
        grow(self, size, report)

    monkeypatch.setattr(svd.KrylovSpace, "grow", spy)
    for matrix in (np.zeros((400, 400)), -exact_rank_two(400)):
        values, _ = factoriser(matrix).eigh(5, positive=True)
        assert not values.any()
    assert len(sizes) == 2
    assert max(sizes) < 200


@pytest.mark.parametrize("n", [400, 401, 402, 403])
def test_repeated_values(monkeypatch, n):
    """One value more often than a block has columns: a start alone meets 16 of them."""
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    values = np.concatenate([np.full(40, 3.0), np.full(n - 40, 0.0)])
    matrix = with_spectrum(values)
    assert_close(product_of_svd(matrix, 40), matrix)
    assert_close(product_of_eigh(matrix, 40, True), matrix)


@pytest.mark.parametrize("positive", [True, False])
def test_eigenvalues_in_pairs_of_both_signs(monkeypatch, positive):
    """As of a graph in two parts: by size alone, the vectors of a pair may mix."""
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    part = with_spectrum(0.9 ** np.arange(150), symmetric=False)
    matrix = np.block([[np.zeros_like(part), part], [part.T, np.zeros_like(part)]])
    wanted = best_symmetric(matrix, 20, positive)
    assert_close(product_of_eigh(matrix, 20, positive), wanted)


@pytest.mark.small
@pytest.mark.parametrize("n_components", [5, 6, 20])
def test_more_components_than_words(n_components):
    """Columns of zeros, after all that five words provide."""
    matrix = random_sparse(5, 0.8)
    left, values, right = factoriser(matrix).svd(n_components)
    assert left.shape == right.shape == (5, n_components)
    assert values.shape == (n_components,)
    assert not values[5:].any()
    assert not left[:, 5:].any()
    assert not right[:, 5:].any()
    np.testing.assert_allclose((left * values) @ right.T, matrix, atol=1e-6)
    for positive in (True, False):
        values, vectors = factoriser(matrix).eigh(n_components, positive)
        assert vectors.shape == (5, n_components)
        assert not values[5:].any()
        assert not vectors[:, 5:].any()
        np.testing.assert_allclose(
            (vectors * values) @ vectors.T,
            best_symmetric(matrix, 5, positive),
            atol=1e-6,
        )


# --- matrices that are not square -----------------------------------------------------

WIDE_AND_TALL = pytest.mark.parametrize("shape", [(120, 240), (240, 120)], ids=str)


def rectangular(shape, values, seed=0):
    """A dense matrix of given singular values; float32 entries."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(n, len(values))))[0] for n in shape)
    return ((left * values) @ right.T).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("n_components", [1, 10, 30])
@WIDE_AND_TALL
def test_svd_of_other_shapes(path, shape, n_components):
    matrix = rectangular(shape, SEPARATED)
    wanted = reference.best_rank(matrix, n_components)
    assert_close(product_of_svd(matrix, n_components), wanted)
    left, values, right = factoriser(matrix).svd(n_components)
    np.testing.assert_allclose(values, SEPARATED[:n_components], rtol=1e-5)
    for vectors, n in zip((left, right), shape, strict=True):
        assert vectors.shape == (n, n_components)
        np.testing.assert_allclose(
            vectors.T @ vectors, np.eye(n_components), atol=1e-10
        )
    largest = np.abs(left).argmax(axis=0)
    assert (left[largest, np.arange(n_components)] > 0).all()


@pytest.mark.small
@pytest.mark.parametrize("shape", [(24, 50), (50, 24)], ids=str)
def test_small_matrices_of_other_shapes(monkeypatch, shape):
    """Quick without a compiler too."""
    matrix = rectangular(shape, 0.5 ** np.arange(24))
    for limit in (1000, 10):
        monkeypatch.setattr(svd, "DENSE_LIMIT", limit)
        assert_close(product_of_svd(matrix, 2), reference.best_rank(matrix, 2))


@pytest.mark.small
@pytest.mark.parametrize("shape", [(5, 12), (12, 5)], ids=str)
def test_more_components_than_the_shorter_side(shape):
    matrix = random_sparse(12, 0.8)[: shape[0], : shape[1]]
    left, values, right = factoriser(matrix).svd(8)
    assert (left.shape, right.shape) == ((shape[0], 8), (shape[1], 8))
    for part in (left.T, values, right.T):
        assert not part[5:].any()
    np.testing.assert_allclose((left * values) @ right.T, matrix, atol=1e-6)


@WIDE_AND_TALL
def test_other_shapes_of_low_rank(path, shape):
    matrix = rectangular(shape, [5, 4, 3, 2, 1])
    left, values, right = factoriser(matrix).svd(10)
    assert_close((left * values) @ right.T, matrix)
    assert not values[5:].any()
    zeros = factoriser(np.zeros(shape)).svd(10)
    assert not zeros[1].any()
    assert all(np.isfinite(part).all() for part in zeros)


@WIDE_AND_TALL
def test_basis_of_the_shorter_side(monkeypatch, shape):
    """The larger one would be as good, and take twice the memory."""
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    heights = []
    grow = svd.KrylovSpace.grow

    def spy(self, size, report):
        grow(self, size, report)
        heights.append(len(self._basis))

    monkeypatch.setattr(svd.KrylovSpace, "grow", spy)
    factoriser(rectangular(shape, SEPARATED)).svd(10)
    assert heights == [120]


# --- one table and a matrix -----------------------------------------------------------


def one_way(n, seed=0):
    """Non-negative entries above the diagonal only, as of links to earlier nodes."""
    return np.triu(random_sparse(n, 0.3, seed), 1)


def captured(matrix, vectors):
    """What the best matrix for orthonormal vectors captures: |Q'MQ|^2."""
    return ((vectors.T @ matrix @ vectors) ** 2).sum()


def orthonormal(vectors):
    return np.linalg.qr(vectors)[0]


@pytest.mark.parametrize("n_components", [1, 6, 20])
def test_form_of_dedicom(path, n_components):
    matrix = random_sparse(120, 0.1)
    vectors, core = factoriser(matrix).dedicom(n_components)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(n_components), atol=1e-12)
    np.testing.assert_allclose(core, vectors.T @ matrix @ vectors, atol=1e-12)
    squares = core @ core.T + core.T @ core
    np.testing.assert_allclose(squares, np.diag(np.diag(squares)), atol=1e-10)
    assert (np.diff(np.diag(squares)) <= 1e-12).all()
    largest = np.abs(vectors).argmax(axis=0)
    assert (vectors[largest, np.arange(n_components)] > 0).all()


def test_dedicom_finds_a_model_of_one_table(path):
    """M = Q R Q' of any R, here with larger entries in its antisymmetric part."""
    rng = np.random.default_rng(3)
    table = np.linalg.qr(rng.normal(size=(80, 4)))[0]
    part = rng.normal(size=(4, 4))
    core = 3.0 * (part - part.T) + np.diag([4.0, 3.0, -2.0, 1.0])
    matrix = table @ core @ table.T
    for n_components in (4, 7):
        vectors, found = factoriser(matrix).dedicom(n_components)
        assert_close(vectors @ found @ vectors.T, matrix)
        assert not vectors[:, 4:].any()
        assert not found[4:].any()
        assert not found[:, 4:].any()
        assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(core), rel=1e-5)


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("spectrum", [SEPARATED, ALTERNATING], ids=["plus", "both"])
def test_one_table_and_a_matrix_is_signed_if_symmetric(path, exponent, spectrum):
    """Not only in the scores: vectors are scaled alike."""
    matrix = with_spectrum(spectrum)
    word, context, _ = strategies.Bilinear().factorise(factoriser(matrix), 10, exponent)
    signed = strategies.Signed().factorise(factoriser(matrix), 10, exponent)
    assert_close(word @ context.T, signed[0] @ signed[1].T)
    assert_close(word, signed[0])
    assert_close(context, signed[1])


@pytest.mark.parametrize("exponent", [0.0, 0.3, 1.0])
def test_transposing_the_matrix_transposes_the_map_only(path, exponent):
    """So the vectors do not depend on which role is that of the word."""
    matrix = one_way(60)
    found = []
    for one in (matrix, matrix.T):
        vectors, core = factoriser(one).dedicom(6)
        word, context, _ = strategies.Bilinear().factorise(factoriser(one), 6, exponent)
        np.testing.assert_allclose(
            word @ context.T, vectors @ core @ vectors.T, atol=1e-12
        )
        found.append((word, word @ context.T))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1].T, atol=1e-5)


@pytest.mark.small
def test_no_step_of_dedicom_makes_the_error_larger(monkeypatch):
    """Plain steps do for this matrix, for which one dimension is far too few."""
    matrix = np.random.default_rng(25).normal(size=(8, 8))
    matrix = matrix.astype(np.float32).astype(float)
    vectors = np.linalg.svd(np.hstack([matrix, matrix.T]))[0][:, :1]
    plain = []
    for _ in range(20):
        core = vectors.T @ matrix @ vectors
        plain.append(captured(matrix, vectors))
        vectors = orthonormal(matrix @ vectors @ core.T + matrix.T @ vectors @ core)
    assert plain[-1] < 0.5 * max(plain)
    # All steps are taken, however little they gain.
    monkeypatch.setattr(svd, "_SMALLEST_GAIN", -1.0)
    ours = []
    for n_steps in range(0, 30, 3):
        monkeypatch.setattr(svd, "_MOST_STEPS", n_steps)
        _, core = factoriser(matrix).dedicom(1)
        ours.append((core**2).sum())
    assert ours[0] == pytest.approx(plain[0], rel=1e-9)
    assert min(np.diff(ours)) >= -1e-9
    assert ours[-1] > max(plain)


@pytest.mark.small
@pytest.mark.parametrize("n_components", [1, 2])
def test_dedicom_ends_at_an_optimum(monkeypatch, n_components):
    """A generic optimiser cannot improve it, nor do better from other starts."""
    monkeypatch.setattr(svd, "_SMALLEST_GAIN", 1e-13)
    monkeypatch.setattr(svd, "_MOST_STEPS", 3000)
    matrix = one_way(9, seed=5)
    vectors, core = factoriser(matrix).dedicom(n_components)
    best = (core**2).sum()
    gradient = matrix @ vectors @ core.T + matrix.T @ vectors @ core
    outside = gradient - vectors @ (vectors.T @ gradient)
    assert np.linalg.norm(outside) < 1e-4 * np.linalg.norm(gradient)

    def missed(flat):
        return -captured(matrix, orthonormal(flat.reshape(vectors.shape)))

    rng = np.random.default_rng(0)
    others = [vectors, *rng.normal(size=(3, *vectors.shape))]
    found = [-optimize.minimize(missed, start.ravel()).fun for start in others]
    assert found[0] == pytest.approx(best, rel=1e-6)
    assert best >= max(found) * (1 - 1e-5)


def sources_and_targets(seed=0):
    """Links from nodes that are only sources to nodes that are only targets."""
    links = random_sparse(100, 0.2, seed=seed)[:60, :40]
    matrix = np.zeros((100, 100))
    matrix[:60, 60:] = links
    return matrix, np.linalg.svd(links, compute_uv=False)


@pytest.mark.parametrize("n_components", [1, 2, 3, 4, 5])
def test_dedicom_of_sources_and_targets(path, n_components):
    """An odd dimension must not stand for sources without their targets.

    Two dimensions capture s**2, and a last one for both captures (s / 2)**2.
    """
    matrix, values = sources_and_targets()
    pairs, last = divmod(n_components, 2)
    expected = (values[:pairs] ** 2).sum() + last * (values[pairs] / 2) ** 2
    _, core = factoriser(matrix).dedicom(n_components)
    assert (core**2).sum() == pytest.approx(expected, rel=1e-3)


@pytest.mark.small
def test_dedicom_of_two_words():
    """The best vector is that of the largest eigenvalue of the symmetric part."""
    for matrix in ([[0.0, 3.0], [1.0, 0.0]], [[0.0, 3.0], [0.0, 0.0]]):
        vectors, core = factoriser(np.array(matrix)).dedicom(1)
        assert core.item() == pytest.approx(np.sum(matrix) / 2)
        np.testing.assert_allclose(vectors.ravel(), [0.5**0.5] * 2)


def test_dedicom_captures_more_than_the_symmetric_part(path):
    """And less than two tables, which have twice the parameters."""
    matrix = one_way(120)
    vectors, core = factoriser(matrix).dedicom(10)
    errors = [
        np.linalg.norm(matrix - product)
        for product in (
            product_of_svd(matrix, 10),
            vectors @ core @ vectors.T,
            product_of_eigh(matrix, 10, False),
        )
    ]
    assert errors[0] < errors[1] < 0.95 * errors[2]


def test_tables_of_dedicom_are_refused(monkeypatch):
    """With advice, before they are allocated."""
    seen = []
    monkeypatch.setattr(
        svd, "check_room", lambda size, *what: seen.append((size, *what))
    )
    factoriser(one_way(30)).dedicom(3)
    (size,) = (size for size, what, _ in seen if "30 words" in what)
    assert size == 5 * 30 * 16 * 8


# --- the same bits --------------------------------------------------------------------


def all_parts(matrix, seed=0, n_jobs=None):
    ours = factoriser(matrix, seed, n_jobs)
    spectra = [*ours.svd(10), *ours.eigh(10, True), *ours.eigh(10, False)]
    return [*spectra, *ours.dedicom(10)]


def test_signs_are_determined(path):
    """Each vector's entry of largest size is positive."""
    left, _, _, _, positive, _, by_size, table, _ = all_parts(
        with_spectrum(ALTERNATING)
    )
    for vectors in (left, positive, by_size, table):
        largest = np.abs(vectors).argmax(axis=0)
        assert (vectors[largest, np.arange(10)] > 0).all()


def test_signs_do_not_depend_on_the_seed(monkeypatch):
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    matrix = with_spectrum(ALTERNATING)
    for ours, other in zip(all_parts(matrix), all_parts(matrix, 7), strict=True):
        np.testing.assert_allclose(ours, other, atol=1e-4)


def bits(parts):
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def test_same_bits_whatever_the_blas_threads(path):
    """The caller's limit on BLAS threads says nothing; nor does a second call."""
    matrix = random_sparse(400, 0.02)
    found = []
    for limit in (1, 2, 2, 1):
        with threadpool_limits(limits=limit, user_api="blas"):
            found.append(bits(all_parts(matrix)))
    assert found[0] == found[1] == found[2] == found[3]


@pytest.fixture
def teams(monkeypatch):
    """The sizes of the teams of threads that have been started."""
    sizes = []

    class Recorded(threads.ThreadTeam):
        def __init__(self, size):
            sizes.append(size)
            super().__init__(size)

    monkeypatch.setattr(svd, "ThreadTeam", Recorded)
    return sizes


@needs_compiler
@pytest.mark.parametrize("n", [600, 603])
def test_same_bits_whatever_the_threads(monkeypatch, teams, n):
    """Many tasks, which any thread may take."""
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    monkeypatch.setattr(svd, "_TASK_ROWS", 64)
    monkeypatch.setattr(svd, "_TASK_ENTRIES", 200)
    monkeypatch.setattr(svd, "_THREAD_ENTRIES", 1)
    matrix = random_sparse(n, 0.02)
    # A row and a column that fill more than a task.
    matrix[5] = matrix[:, 7] = 1.0
    found = [bits(all_parts(matrix, n_jobs=n_jobs)) for n_jobs in (1, 2, 3, 7)]
    # `dedicom` starts with a decomposition.
    assert teams == [size for size in (1, 2, 3, 7) for _ in range(5)]
    assert found[0] == found[1] == found[2] == found[3]


@needs_compiler
@pytest.mark.parametrize("shape", [(603, 1206), (1206, 603)], ids=str)
def test_same_bits_of_other_shapes(monkeypatch, teams, shape):
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    monkeypatch.setattr(svd, "_TASK_ROWS", 64)
    monkeypatch.setattr(svd, "_TASK_ENTRIES", 200)
    monkeypatch.setattr(svd, "_THREAD_ENTRIES", 1)
    matrix = random_sparse(1206, 0.02)[: shape[0], : shape[1]]
    found = [bits(factoriser(matrix, n_jobs=n_jobs).svd(10)) for n_jobs in (1, 2, 3)]
    assert teams == [1, 2, 3]
    assert found[0] == found[1] == found[2]


@needs_compiler
@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("shape", [(40, 25), (5, 60), (3, 1)], ids=str)
def test_transpose(size, shape):
    """Also of unsorted rows, empty ones and empty columns."""
    rng = np.random.default_rng(size)
    dense = rng.random(shape, dtype=np.float32) * (rng.random(shape) < 0.3)
    dense[1], dense[0, 0] = 0.0, 1.0
    matrix = sparse.csr_array(dense)
    matrix.indices[:2], matrix.data[:2] = (
        matrix.indices[:2][::-1],
        matrix.data[:2][::-1],
    )
    expected = sparse.csr_array(matrix.T)
    with threads.ThreadTeam(size) as team:
        found = svd.transposed(matrix, team)
    assert found.shape == expected.shape
    assert found.data.dtype == expected.data.dtype
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_small_matrices_start_no_threads(monkeypatch, teams):
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    all_parts(random_sparse(200, 0.1), n_jobs=4)
    assert teams == [1] * 5


# --- the Krylov space -----------------------------------------------------------------


def krylov_space(matrix, size):
    matrix = sparse.csr_array(matrix.astype(np.float32))
    with threads.ThreadTeam(1) as team:
        rows = svd.Rows(team, matrix.shape[0])
        products = (
            svd.Product(rows, sparse.csr_array(part)) for part in (matrix, matrix.T)
        )
        space = svd.KrylovSpace(rows, *products, seed=0)
        space.grow(size)
    return space


@pytest.mark.parametrize(
    "matrix",
    [
        random_sparse(301, 0.1),
        with_spectrum(0.1 ** np.arange(300)),
        exact_rank_two(300),
    ],
    ids=["slow", "fast", "rank two"],
)
@pytest.mark.parametrize("size", [16, 100, 240])
def test_basis_of_the_krylov_space(matrix, size):
    """Orthonormal, also when nothing is left to find; M'M in it is band-shaped."""
    space = krylov_space(matrix, size)
    columns = -(-size // 16) * 16
    basis = space._basis[: len(matrix)].astype(float)
    assert basis.shape[1] == space.size == columns
    np.testing.assert_allclose(basis.T @ basis, np.eye(columns), atol=1e-5)
    within = basis.T @ (matrix.T @ (matrix @ basis))
    upper = np.triu(space._within)
    scale = np.abs(within).max()
    np.testing.assert_allclose(upper, np.triu(within), atol=1e-5 * scale)


def test_whole_krylov_space(monkeypatch):
    """A last block that is not full: its other columns are 0."""
    matrix = random_sparse(120, 0.1)
    space = krylov_space(matrix, 500)
    basis = space._basis.astype(float)
    assert basis.shape == (120, 128)
    lengths = np.linalg.norm(basis, axis=0)
    assert (lengths > 0.5).sum() == 120
    assert (lengths == 0).sum() == 8
    np.testing.assert_allclose(basis @ basis.T, np.eye(120), atol=1e-5)


@needs_compiler
def test_large_matrix_against_arpack():
    """Beyond the size of dense decompositions, with nothing patched."""
    matrix = random_sparse(1500, 0.01)
    # A few dominant directions, as words of high frequency make them.
    matrix[:30] *= np.linspace(9, 3, 30)[:, None]
    matrix = matrix.astype(np.float32).astype(float)
    wanted = sparse_linalg.svds(
        sparse.csr_array(matrix), 20, tol=0, v0=np.ones(1500), solver="arpack"
    )[1]
    left, values, right = factoriser(matrix).svd(20)
    np.testing.assert_allclose(values, np.sort(wanted)[::-1], rtol=1e-6)
    np.testing.assert_allclose(matrix @ right, left * values, atol=1e-9)


@needs_compiler
def test_large_wide_matrix_against_arpack():
    matrix = random_sparse(2400, 0.01)[:1200]
    matrix[:30] *= np.linspace(9, 3, 30)[:, None]
    matrix = matrix.astype(np.float32).astype(float)
    wanted = sparse_linalg.svds(
        sparse.csr_array(matrix), 20, tol=0, v0=np.ones(1200), solver="arpack"
    )[1]
    left, values, right = factoriser(matrix).svd(20)
    np.testing.assert_allclose(values, np.sort(wanted)[::-1], rtol=1e-6)
    assert_close(matrix.T @ left, right * values, 1e-4)


# --- PPMISVDEmbedder ------------------------------------------------------------------

EXPONENTS = pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])


def fit_ppmi(documents, share_context, **parameters):
    return PPMISVDEmbedder(
        **{"n_components": 6, "window": 3, "subsample": 0, "random_state": 0}
        | parameters,
        share_context=share_context,
    ).fit(documents)


def dense_ppmi(embedder, documents):
    """The matrix that the embedder factorises, from the documents themselves."""
    rows = embedder.vocabulary_
    ids = [[rows[w] for w in text.split() if w in rows] for text in documents]
    weights = window_weights(embedder.window, embedder.window_weighting)
    counts = reference.cooccurrences(ids, len(rows), weights)
    return reference.ppmi(counts, embedder.shift, embedder.context_exponent)


def all_scores(embedder):
    words = list(embedder.vocabulary_)
    return embedder.score_pairs(np.array(words)[:, None], words)


BEST = {
    False: reference.best_rank,
    True: reference.best_psd,
    "signed": lambda matrix, rank: reference.best_rank((matrix + matrix.T) / 2, rank),
}


@EXPONENTS
@pytest.mark.parametrize("share_context", BEST, ids=str)
@pytest.mark.parametrize("context_exponent", [1.0, 0.75])
def test_scores_are_the_best_approximation(
    tiny_corpus, share_context, exponent, context_exponent
):
    """Of the matrix with two tables; of its symmetric part with one."""
    embedder = fit_ppmi(
        tiny_corpus,
        share_context,
        context_exponent=context_exponent,
        singular_exponent=exponent,
    )
    matrix = dense_ppmi(embedder, tiny_corpus)
    assert (np.abs(matrix - matrix.T).max() < 1e-12) == (context_exponent == 1.0)
    assert_close(all_scores(embedder), BEST[share_context](matrix, 6))


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_residuals_are_the_dropped_spectrum(tiny_corpus, shift):
    """Eckart & Young: what is left out is exactly what the closed forms drop."""
    fitted = {
        share_context: fit_ppmi(
            tiny_corpus, share_context, context_exponent=1.0, shift=shift
        )
        for share_context in BEST
    }
    matrix = dense_ppmi(fitted[False], tiny_corpus)
    values = np.linalg.eigvalsh(matrix)
    by_size = np.sort(np.abs(values))[::-1]
    positive = np.sort(np.maximum(values, 0.0))[::-1]
    dropped = {
        False: (by_size[6:] ** 2).sum(),
        True: (values**2).sum() - (positive[:6] ** 2).sum(),
        "signed": (by_size[6:] ** 2).sum(),
    }
    for share_context, embedder in fitted.items():
        residual = ((matrix - all_scores(embedder)) ** 2).sum()
        assert residual == pytest.approx(dropped[share_context], rel=1e-5)
    # There are negative eigenvalues to lose among the largest.
    assert dropped[True] > dropped[False] * 1.001


@EXPONENTS
def test_two_tables_of_a_symmetric_matrix_are_one(tiny_corpus, exponent):
    """P and Q differ by the signs of the eigenvalues: "signed" is the SVD."""
    separate, signed = (
        fit_ppmi(
            tiny_corpus,
            share_context,
            context_exponent=1.0,
            singular_exponent=exponent,
        )
        for share_context in (False, "signed")
    )
    signs = signed.context_signs_
    assert {*signs} == {-1.0, 1.0}
    np.testing.assert_allclose(
        separate.word_vectors_, signed.word_vectors_, atol=1e-4, rtol=1e-4
    )
    np.testing.assert_allclose(
        separate.context_vectors_, signed.context_vectors_, atol=1e-4, rtol=1e-4
    )
    values = np.linalg.eigvalsh(dense_ppmi(separate, tiny_corpus))
    size = np.sort(np.abs(values))[::-1][:6]
    for embedder in (separate, signed):
        np.testing.assert_allclose(
            embedder.context_vectors_,
            embedder.word_vectors_ * signs * size ** (1 - 2 * exponent),
            atol=1e-4,
            rtol=1e-4,
        )


@EXPONENTS
def test_singular_exponent_shares_out_the_values(tiny_corpus, exponent):
    """Norms of the dimensions: S**p of the words, S**(1 - p) of the contexts."""
    embedder = fit_ppmi(tiny_corpus, False, singular_exponent=exponent)
    values = np.linalg.svd(dense_ppmi(embedder, tiny_corpus))[1][:6]
    words, contexts = embedder.word_vectors_, embedder.context_vectors_
    np.testing.assert_allclose(
        np.linalg.norm(words, axis=0), values**exponent, rtol=1e-5
    )
    np.testing.assert_allclose(
        np.linalg.norm(contexts, axis=0), values ** (1 - exponent), rtol=1e-5
    )


@EXPONENTS
@pytest.mark.small
@pytest.mark.parametrize("share_context", BEST, ids=str)
def test_more_components_than_a_vocabulary(share_context, exponent):
    documents = ["one two three", "two one two", "three one four", "four four two"]
    embedder = fit_ppmi(
        documents,
        share_context,
        n_components=9,
        min_count=1,
        singular_exponent=exponent,
    )
    matrix = dense_ppmi(embedder, documents)
    assert embedder.word_vectors_.shape == (4, 9)
    assert not embedder.word_vectors_[:, 4:].any()
    assert not embedder.context_vectors_[:, 4:].any()
    np.testing.assert_allclose(
        all_scores(embedder), BEST[share_context](matrix, 4), atol=1e-5
    )


@pytest.mark.parametrize("share_context", BEST, ids=str)
def test_embedder_on_both_paths(tiny_corpus, share_context, monkeypatch):
    """The way of large matrices gives the dense one's scores, the same bits twice."""
    dense = fit_ppmi(tiny_corpus, share_context)
    monkeypatch.setattr(svd, "DENSE_LIMIT", 10)
    krylov, again = (fit_ppmi(tiny_corpus, share_context) for _ in range(2))
    assert_close(all_scores(krylov), all_scores(dense))
    assert krylov.word_vectors_.tobytes() == again.word_vectors_.tobytes()


# Columns that nothing fills


def documents_of(n_words, seed=0):
    """Documents in which the words occur that many different times."""
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(n_words)]
    return [" ".join(rng.choice(words, size=8)) for _ in range(40)]


def filled_columns(documents, share_context, **params):
    """The rank of the PPMI matrix, or how many of its eigenvalues are positive."""
    counts, _ = cooccurrence(documents, window_weighting="dynamic", **params)
    matrix = reference.ppmi(counts.toarray(), context_exponent=0.75)
    if share_context is False:
        return np.linalg.matrix_rank(matrix, tol=1e-5)
    values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    return int(np.sum((values if share_context is True else np.abs(values)) > 1e-5))


@pytest.mark.parametrize("share_context", [False, True, "signed"])
@pytest.mark.parametrize("n_words", [3, 9])
def test_columns_of_zeros_are_warned_of_once_with_their_numbers(n_words, share_context):
    documents = documents_of(n_words)
    filled = filled_columns(documents, share_context, min_count=5, window=5)
    assert 0 < filled <= n_words
    embedder = PPMISVDEmbedder(window=5, share_context=share_context, random_state=0)
    with pytest.warns(UserWarning, match="n_components=100") as caught:
        features = embedder.fit_transform(documents)
    assert features.any(axis=0).sum() == filled
    assert len(caught) == 1
    assert caught[0].filename == __file__
    text = str(caught[0].message)
    assert text.startswith(f"{100 - filled} of n_components=100 columns are zero")
    assert f"the {n_words} words" in text
    assert f"Lower n_components to {filled}" in text
    embedder.set_params(n_components=filled).fit(documents)  # without a warning
    assert embedder.word_vectors_.any(axis=0).all()


def test_all_warnings_of_a_fit_are_one():
    embedder = PPMISVDEmbedder(share_context=True, combine="sum", random_state=0)
    with pytest.warns(UserWarning, match="n_components=100") as caught:
        embedder.fit(documents_of(9))
    (warning,) = caught
    assert "columns are zero" in str(warning.message)
    assert "combine='sum'" in str(warning.message)


@pytest.mark.parametrize("share_context", [False, True, "signed"])
def test_vectors_that_are_all_zeros_are_warned_of(share_context):
    embedder = PPMISVDEmbedder(4, share_context=share_context, shift=1e6)
    with pytest.warns(UserWarning, match=r"No pair .* above ln\(shift=1e\+06\)"):
        embedder.fit(documents_of(9))
    assert not embedder.word_vectors_.any()


@pytest.mark.parametrize(
    ("params", "warns"),
    [
        ({}, False),  # later parts may bring words
        ({"max_features": 20}, False),
        ({"max_features": 6}, True),
        ({"new_words": "freeze"}, True),
        ({"vocabulary": [f"w{i}" for i in range(9)]}, True),
    ],
)
def test_parts_of_a_stream_are_warned_of_where_no_other_part_can_help(params, warns):
    embedder = PPMISVDEmbedder(12, min_count=1, random_state=0, **params)
    found = []
    for part in (documents_of(9), documents_of(9, seed=1)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            embedder.partial_fit(part)
        found.append(len(caught))
    assert found == [int(warns), 0]


def test_columns_of_a_matrix_in_a_stream_are_fixed():
    X = np.random.default_rng(0).integers(0, 3, size=(20, 4))
    embedder = PPMISVDEmbedder(9, random_state=0)
    with pytest.warns(UserWarning, match="of n_components=9 columns are zero"):
        embedder.partial_fit(X)
    embedder.partial_fit(X)


@pytest.mark.parametrize("estimator", EPOCHS)
def test_trained_vectors_fill_more_columns_than_there_are_words(estimator):
    embedder = cheap(estimator, n_components=20).fit(DOCUMENTS)
    assert len(embedder.vocabulary_) < 20
    assert embedder.word_vectors_.any(axis=0).all()
