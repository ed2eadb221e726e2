"""How much direction matrices and models hold, against dense algebra."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from skembed import PPMISVDEmbedder, SGNSEmbedder
from skembed.inspection import antisymmetric_share
from tests.helpers import ESTIMATORS, cheap, sound_strategies

small = pytest.mark.small
COUNTS = np.random.default_rng(0).poisson(1.0, size=(9, 9)).astype(float)
MODELS = [
    (estimator, strategy.name)
    for estimator in ESTIMATORS
    for strategy in sound_strategies(estimator)
]


def dense_share(matrix):
    """The definition."""
    return ((matrix - matrix.T) ** 2).sum() / 4 / (matrix**2).sum()


@small
@pytest.mark.parametrize(
    "form", [np.asarray, sparse.csr_array, sparse.coo_matrix, np.ndarray.tolist]
)
def test_matrices(form):
    """The same number for every form, of any size and sign of the entries."""
    for matrix in (COUNTS, COUNTS - 2.0, 1e-200 * COUNTS, 1e200 * COUNTS):
        wanted = dense_share(matrix / np.abs(matrix).max())
        assert antisymmetric_share(form(matrix)) == pytest.approx(wanted, rel=1e-12)


@small
def test_the_range():
    above = np.triu(COUNTS + 1.0, 1)
    assert antisymmetric_share(COUNTS + COUNTS.T) == 0.0
    assert antisymmetric_share(above) == pytest.approx(0.5)
    assert antisymmetric_share(above - above.T) == pytest.approx(1.0)
    assert antisymmetric_share(np.zeros((3, 3))) == 0.0
    # One of two links is reciprocal: half of the squares.
    assert antisymmetric_share(
        np.array([[0, 1, 0], [1, 0, 1], [0, 0, 0]])
    ) == pytest.approx(0.5 / 3)


@small
def test_repeated_entries_are_added_up():
    rows, columns, values = [0, 0, 1], [1, 1, 0], [1.0, 2.0, 3.0]
    repeated = sparse.coo_array((values, (rows, columns)), (2, 2))
    assert antisymmetric_share(repeated) == 0.0
    direct = sparse.csr_array(
        (np.array([1.0, 2.0, 3.0]), np.array([1, 1, 0]), np.array([0, 2, 3])), (2, 2)
    )
    assert antisymmetric_share(direct) == 0.0
    assert direct.nnz == 3


@small
@pytest.mark.parametrize(("estimator", "share_context"), MODELS)
def test_models(estimator, share_context):
    """Their scores x'Ay, as a dense matrix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embedder = cheap(
            estimator, share_context=share_context, input="cooccurrence"
        ).fit(COUNTS)
    word = embedder.word_vectors_ * embedder._score_scale.astype(float)
    scores = word @ embedder.context_vectors_.T
    found = antisymmetric_share(embedder)
    assert found == pytest.approx(dense_share(scores), rel=1e-4, abs=1e-12)
    if share_context in (True, "signed", "diagonal"):
        assert found < 1e-12


@small
def test_the_share_of_a_model_is_that_of_its_map():
    """Once the columns of the table are orthonormal."""
    embedder = PPMISVDEmbedder(
        4, share_context="bilinear", input="cooccurrence", random_state=0
    ).fit(COUNTS)
    _, turn = np.linalg.qr(embedder.word_vectors_.astype(float))
    found = antisymmetric_share(embedder)
    assert found == pytest.approx(
        dense_share(turn @ embedder.context_map_ @ turn.T), rel=1e-4
    )
    assert found > 0.01


@small
def test_a_graph_stands_for_its_adjacency():
    class Graph(BaseEstimator):
        def fit(self, X, y=None):
            self.adjacency_ = sparse.csr_array(X)
            return self

    assert antisymmetric_share(Graph().fit(COUNTS)) == antisymmetric_share(COUNTS)
    with pytest.raises(NotFittedError, match="Graph"):
        antisymmetric_share(Graph())


@small
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.ones((2, 3)), r"square matrix or a fitted embedder, got shape \(2, 3\)"),
        (sparse.csr_array(np.ones((3, 2))), r"got shape \(3, 2\)"),
        (np.array([[0.0, np.nan], [1.0, 0.0]]), "X contains NaN"),
        (np.array([[0.0, np.inf], [1.0, 0.0]]), "X contains infinity"),
        (np.ones(3), "Expected 2D array"),
        ([["a", "b"], ["c", "d"]], "could not convert"),
    ],
)
def test_wrong_matrices(wrong, message):
    with pytest.raises(ValueError, match=message):
        antisymmetric_share(wrong)


@small
def test_wrong_estimators():
    with pytest.raises(NotFittedError):
        antisymmetric_share(SGNSEmbedder())
    with pytest.raises(TypeError, match="embedder of skembed, got KMeans"):
        antisymmetric_share(KMeans(2, n_init=1, random_state=0).fit(COUNTS))
