"""Matrices of documents x words and of words x contexts, and what becomes of them."""

import itertools
import re
import warnings
from decimal import Decimal
from fractions import Fraction
from unittest import mock

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skembed import GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder, cooccurrence
from skembed.pooling import POOLINGS, Pooling, _rows
from skembed.pooling import _features as features_room
from tests.helpers import (
    DOCUMENTS,
    ESTIMATORS,
    KNOWS_POLARS,
    OTHER_DOCUMENTS,
    PLAIN,
    WORDS,
    assert_same_fit,
    cheap,
    sound_strategies,
)

pytestmark = pytest.mark.small

NAMES = [f"w{i}" for i in range(6)]
# Learned from counts, so that text and counts of the text are the same to them.
COUNTING = (PPMISVDEmbedder, GloVeEmbedder)
WINDOW_WEIGHTINGS = ("dynamic", "flat", "harmonic")


def draw_matrix(seed=0, shape=(12, 6)):
    """Return counts, with an empty row and an empty column."""
    matrix = np.random.default_rng(seed).poisson(0.9, size=shape)
    matrix[2] = 0
    matrix[:, 4] = 0
    return matrix


MATRIX = draw_matrix()


def fit(X, **params):
    return cheap(PPMISVDEmbedder, **params).fit(X)


def spoiled(X):
    """Return the same matrix with its entries halved and repeated, and in disorder."""
    found = sparse.csr_array(X.astype(float))
    bounds = list(zip(found.indptr[:-1], found.indptr[1:], strict=True))
    columns = [np.tile(found.indices[a:b][::-1], 2) for a, b in bounds]
    data = [np.tile(found.data[a:b][::-1] / 2, 2) for a, b in bounds]
    parts = np.concatenate(data), np.concatenate(columns), 2 * found.indptr
    return sparse.csr_array(parts, shape=X.shape)


def with_zeros(X):
    """Return the same matrix, all of its zeros stored."""
    n_rows, n_columns = X.shape
    columns = np.tile(np.arange(n_columns), n_rows)
    offsets = np.arange(0, X.size + 1, n_columns)
    return sparse.csr_array((X.ravel().astype(float), columns, offsets), shape=X.shape)


def with_long_indices(X):
    found = sparse.csr_array(X)
    found.indices = found.indices.astype(np.int64)
    found.indptr = found.indptr.astype(np.int64)
    return found


def swapped(X):
    """Return the same sparse matrix, with numbers in the order of other machines."""
    found = sparse.csr_array(X.astype(np.float64))
    found.data = found.data.astype(">f8")
    return found


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def frame(X, **kinds):
    return pd.DataFrame(X, columns=NAMES, **kinds)


def with_swapped_indices(X):
    matrix = sparse.csr_array(X)
    matrix.indices = matrix.indices.astype(">i4")
    matrix.indptr = matrix.indptr.astype(">i4")
    return matrix


# All of them hold the same numbers; whether these are whole, and what the names are.
MATRICES = {
    "int64 array": (lambda X: X, True, None),
    "uint8 array": (lambda X: X.astype(np.uint8), True, None),
    "float16 array": (lambda X: X.astype(np.float16), False, None),
    "float32 array": (lambda X: X.astype(np.float32), False, None),
    "float64 array": (lambda X: X.astype(np.float64), False, None),
    "long double array": (lambda X: X.astype(np.longdouble), False, None),
    "object array": (lambda X: X.astype(object), False, None),
    "fractions": (lambda X: np.vectorize(Fraction, otypes="O")(X), False, None),
    "big-endian int16 array": (lambda X: X.astype(">i2"), True, None),
    "big-endian float64 array": (lambda X: X.astype(">f8"), False, None),
    "big-endian long double array": (lambda X: X.astype(">f16"), False, None),
    "Fortran order": (np.asfortranarray, True, None),
    "every second column": (lambda X: np.repeat(X, 2, axis=1)[:, ::2], True, None),
    "read-only": (read_only, True, None),
    "memoryview": (lambda X: memoryview(np.ascontiguousarray(X)), True, None),
    "masked array, nothing masked": (np.ma.masked_array, True, None),
    "lists": (lambda X: X.tolist(), True, None),
    "tuples": (lambda X: tuple(map(tuple, X.tolist())), True, None),
    "list of arrays": (list, True, None),
    "lists of decimals": (
        lambda X: [list(map(Decimal, row)) for row in X.tolist()],
        False,
        None,
    ),
    "csr array": (sparse.csr_array, True, None),
    "csr matrix": (sparse.csr_matrix, True, None),
    "csc array": (sparse.csc_array, True, None),
    "coordinate array": (sparse.coo_array, True, None),
    "coordinate matrix": (sparse.coo_matrix, True, None),
    "lil array": (sparse.lil_array, True, None),
    "dok array": (sparse.dok_array, True, None),
    "bsr array": (sparse.bsr_array, True, None),
    "dia array": (sparse.dia_array, True, None),
    "big-endian csr": (swapped, False, None),
    "csr of big-endian indices": (with_swapped_indices, True, None),
    "csr float32": (lambda X: sparse.csr_array(X, dtype=np.float32), False, None),
    "csr of long indices": (with_long_indices, True, None),
    "csr of duplicates in disorder": (spoiled, False, None),
    "csr of stored zeros": (with_zeros, False, None),
    "pandas": (frame, True, NAMES),
    "pandas float32": (lambda X: frame(X, dtype=np.float32), False, NAMES),
    "pandas big-endian": (lambda X: frame(X.astype(">i4")), True, NAMES),
    "pandas Int64": (lambda X: frame(X, dtype="Int64"), True, NAMES),
    "pandas pyarrow": (lambda X: frame(X).astype("int64[pyarrow]"), True, NAMES),
    "pandas sparse": (lambda X: frame(X).astype(pd.SparseDtype(int, 0)), True, NAMES),
    "pandas sparse float": (
        lambda X: frame(X).astype(pd.SparseDtype(float, 0.0)),
        False,
        NAMES,
    ),
    "pandas, unnamed": (pd.DataFrame, True, None),
    "pandas, odd index": (lambda X: frame(X, index=[5] * len(X)), True, NAMES),
    "polars": (lambda X: pl.DataFrame(X, schema=NAMES), True, NAMES),
    "pyarrow": (lambda X: pa.table(dict(zip(NAMES, X.T, strict=True))), True, NAMES),
}


@pytest.mark.parametrize(("make", "whole", "names"), MATRICES.values(), ids=MATRICES)
def test_a_matrix_in_any_form(make, whole, names):
    expected = fit(MATRIX)
    X = make(MATRIX)
    if isinstance(X, pl.DataFrame) and not KNOWS_POLARS:
        pytest.skip("this scikit-learn does not know the columns of this polars")
    embedder = fit(X)
    assert list(embedder.vocabulary_) == names or [f"x{i}" for i in range(6)]
    assert list(embedder.vocabulary_.values()) == list(range(6))
    assert embedder.n_features_in_ == 6
    if names is None:
        assert not hasattr(embedder, "feature_names_in_")
    else:
        assert embedder.feature_names_in_.tolist() == names
    assert embedder.word_counts_.dtype == (np.int64 if whole else np.float64)
    np.testing.assert_array_equal(embedder.word_counts_, MATRIX.sum(axis=0))
    for table in ("word_vectors_", "context_vectors_"):
        np.testing.assert_array_equal(
            getattr(embedder, table), getattr(expected, table)
        )
    for features in (embedder.transform(X), cheap(PPMISVDEmbedder).fit_transform(X)):
        wanted = expected.transform(MATRIX).astype(features.dtype)
        np.testing.assert_allclose(features, wanted, rtol=1e-6, atol=1e-7)
        assert not features[2].any()


@pytest.mark.parametrize(
    "make",
    [
        lambda X: X,
        lambda X: X.tolist(),
        sparse.csr_array,
        sparse.coo_matrix,
        frame,
        lambda X: frame(X).astype("boolean"),
        lambda X: frame(X).assign(w0=X[:, 0].astype(int)),
        lambda X: pl.DataFrame(X, schema=NAMES),
    ],
)
def test_baskets(make):
    """Whether a word is there counts as once."""
    there = MATRIX > 0
    embedder, expected = fit(make(there)), fit(there.astype(int))
    np.testing.assert_array_equal(embedder.word_vectors_, expected.word_vectors_)
    np.testing.assert_array_equal(embedder.word_counts_, there.sum(axis=0))
    assert embedder.word_counts_.dtype == np.int64
    np.testing.assert_array_equal(
        embedder.transform(make(there)), expected.transform(there.astype(int))
    )


def test_a_memory_map(tmp_path):
    np.save(tmp_path / "X.npy", MATRIX.astype(np.float64))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(fit(mapped).word_vectors_, fit(MATRIX).word_vectors_)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_matrix_stays_as_it_is(estimator):
    for make in (np.array, spoiled, with_zeros, sparse.coo_array, frame):
        X = make(MATRIX)
        before = joblib.hash(X)
        cheap(estimator).fit(X, sample_weight=np.arange(12)).transform(X)
        assert joblib.hash(X) == before


def replaced(value, dtype=object):
    X = MATRIX.astype(dtype)
    X[3, 1] = value
    return X


REFUSED = {
    "negative": (
        replaced(-1, int),
        ["Negative values in data", "PPMISVDEmbedder", "pass input='token_ids'"],
    ),
    "negative, sparse": (sparse.csr_array(replaced(-1, int)), ["Negative values"]),
    "nan": (
        replaced(np.nan, float),
        ["contains NaN, first in row 3, column 1", "Fill"],
    ),
    "nan, sparse": (
        sparse.csr_array(replaced(np.nan, float)),
        ["contains NaN, first in row 3, column 1"],
    ),
    "nan of half precision": (replaced(np.nan, np.float16), ["contains NaN, first"]),
    "inf": (replaced(np.inf, float), ["contains infinity"]),
    "missing in pandas": (frame(replaced(pd.NA)).astype("Int64"), ["contains NaN"]),
    "missing in polars": (pl.DataFrame({"a": [1, None], "b": [1, 2]}), ["NaN"]),
    "complex": (MATRIX + 1j, ["Complex data not supported"]),
    "complex among objects": (replaced(1j), [r"Column 1 in row 3 .*complex \(1j\)"]),
    "too large": (
        MATRIX * 1e300,
        [r"X holds \d+e\+300, which is too large", "Divide X"],
    ),
    "too small": (
        MATRIX * 1e-300,
        [r"X holds \d+e-300, which is too (large|small)", "by 0"],
    ),
    "dates": (np.zeros((3, 2), "M8[s]"), [r"shape \(3, 2\) and dtype datetime64"]),
    "no documents": (MATRIX[:0], ["0 sample", "minimum of 1"]),
    "no words": (MATRIX[:, :0], ["0 feature", "minimum of 1"]),
    "no words, pandas": (pd.DataFrame(index=[0, 1]), ["frame of 0 columns"]),
    "one word": (MATRIX[:, :1], [r"1 feature\(s\), of which no two co-occur"]),
    "nothing at all": (0 * MATRIX, [r"6 feature\(s\), of which no two co-occur"]),
    "never two": (np.eye(4), [r"4 feature\(s\), of which no two co-occur"]),
    "three-dimensional": (MATRIX[None], ["3-dimensional array"]),
    "masked": (np.ma.masked_array(MATRIX, MATRIX > 2), [r"masked", r"filled\(0\)"]),
    "ragged": (
        [[1, 2], [1]],
        [
            "^Row 1 of X has 1 numbers, but row 0 has 2",
            r"ids.*\[\[str\(i\) for i in row\]",
        ],
    ),
    "enormous in lists": (
        [[1, 2], [3, 10**400]],
        ["^Column 1 in row 1 of X is too large for float64"],
    ),
    "enormous in an array": (replaced(10**5000), ["^Column 1 in row 3 of X is too la"]),
    "an enormous fraction": (replaced(Fraction(10**400, 3)), ["^Column 1 in row 3 "]),
    "a frame of edges": (
        pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "weight": [1, 2]}),
        ["frame of 3 columns", "frame of edges.*skembed.graphs.GraphEmbedder"],
    ),
    "ragged arrays": ([np.ones(2), np.ones(3)], ["^Row 1 of X has 3"]),
    "a number as row": ([[1, 2], 3], [r"^Row 1 of X is int \(3\)"]),
    "a text as row": ([[1, 2], "ab"], [r"^Row 1 of X is str \('ab'\)"]),
    "None in lists": ([[1, None], [2, 3]], ["Column 1 in row 0.*missing", "with 0"]),
    "pd.NA in an array": (replaced(pd.NA), ["Column 1 in row 3 .*missing", "with 0"]),
    "text in lists": ([[1, 2], [2, "a"]], [r"Column 1 in row 1 of X is str \('a'\)"]),
    "text in an array": (replaced("a"), [r"Column 1 in row 3 of X is str \('a'\)"]),
    "numbers and text": (frame(MATRIX).assign(text="a"), ["frame of 7", "not all"]),
    "numbers and dates": (
        frame(MATRIX).assign(day=pd.Timestamp("2020-01-01")),
        ["frame of 7 columns", "not all of them have a numeric dtype"],
    ),
    "polars, mixed": (pl.DataFrame({"a": [1], "t": ["x"]}), ["frame of 2", "not all"]),
    "equal names": (pd.DataFrame(MATRIX, columns=[*"abc", *"cba"]), ["name 'c'"]),
    "equal names in pyarrow": (
        pa.Table.from_arrays([pa.array([1, 2])] * 2, names=["a", "a"]),
        ["two columns of the name 'a'"],
    ),
}


@pytest.mark.parametrize(("X", "patterns"), REFUSED.values(), ids=REFUSED)
def test_refused_matrices(X, patterns):
    embedder = cheap(PPMISVDEmbedder)
    with pytest.raises(ValueError, match=patterns[0]) as caught:
        embedder.fit(X)
    for pattern in patterns:
        assert re.search(pattern, str(caught.value)), str(caught.value)
    assert not hasattr(embedder, "word_vectors_")
    assert not hasattr(embedder, "n_features_in_")


def test_refused_kinds():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        X = np.matrix(MATRIX)
    with pytest.raises(TypeError, match=r"np\.matrix is not supported"):
        fit(X)
    with pytest.raises(TypeError, match="all str or all int, but 1 "):
        fit(pd.DataFrame(MATRIX, columns=[1, "a", 2, 3, 4, 5]))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_failing_fit_keeps_the_earlier_one(estimator):
    embedder, other = (cheap(estimator).fit(frame(MATRIX)) for _ in range(2))
    for X in (-MATRIX, MATRIX[:, :1], 0 * MATRIX, [[1, 2], [3]], "amber"):
        with pytest.raises(ValueError, match=r"X|features|Negative|Row"):
            embedder.fit(X)
    assert list(embedder.vocabulary_) == NAMES
    for name in ("word_vectors_", "feature_names_in_", "word_counts_"):
        np.testing.assert_array_equal(getattr(embedder, name), getattr(other, name))


def test_columns_may_have_the_names_of_attributes():
    names = ["columns", "column_names", "dtypes", "shape", "_mask", "dtype"]
    embedder = fit(pd.DataFrame(MATRIX, columns=names))
    assert list(embedder.vocabulary_) == names
    np.testing.assert_array_equal(embedder.word_vectors_, fit(MATRIX).word_vectors_)


def test_large_whole_numbers():
    """Sums that no integer of the matrix's own type holds."""
    bytes_ = sparse.csr_array(
        (np.full(4, 200, np.uint8), [0, 0, 1, 0], [0, 3, 4]), shape=(2, 2)
    )
    assert fit(bytes_, n_components=1).word_counts_.tolist() == [600, 200]
    for longest in (np.full((3, 2), 2**63, dtype=np.uint64), [[2**63, 2**63]] * 3):
        counts = fit(longest, n_components=1).word_counts_
        assert counts.dtype == np.float64
        assert counts.tolist() == [3 * 2.0**63] * 2
    counts = fit([[2**70, 2**70], [1, 0]], n_components=1).word_counts_
    assert counts.tolist() == [2.0**70] * 2


TERMS = {
    "int8": ([100, 100, 50], 250),
    "uint8": ([200, 100], 300),
    "int16": ([30_000, 30_000], 60_000),
    "uint16": ([2**16 - 1, 1], 2**16),
    "int32": ([2**31 - 1, 2**31 - 1], 2**32 - 2),
    "uint32": ([2**32 - 1, 1], 2**32),
    "int64": ([2**53, 1], 2**53 + 1),
    "uint64": ([2**63, 2**63], 2**64),
    "float32": ([2.0**24, 1.0, 1.0], 2**24 + 2),
    "float64": ([2.0**53, 1.0, 3.0], 2**53 + 4),
    "longdouble": ([0.5, 0.25], 0.75),
    "bool": ([True, True, True], 1),
}


def in_parts(form, dtype):
    """Return [[sum, 1], [0, 1]] as a sparse matrix, the sum stored as its terms."""
    terms, _ = TERMS[dtype]
    n = len(terms)
    values = np.array([*terms, 1, 1], dtype=dtype)
    rows, columns = [0] * n + [0, 1], [0] * n + [1, 1]
    parts = {
        "coo": (values, (rows, columns)),
        "csr": (values, columns, [0, n + 1, n + 2]),
        "csc": (values, rows, [0, n, n + 2]),
        "bsr": (values[:, None, None], columns, [0, n + 1, n + 2]),
    }
    name, kind = form
    return getattr(sparse, f"{name}_{kind}")(parts[name], shape=(2, 2))


@pytest.mark.parametrize("dtype", TERMS)
@pytest.mark.parametrize(
    "form",
    list(itertools.product(["coo", "csr", "csc", "bsr"], ["array", "matrix"])),
    ids="-".join,
)
def test_entries_that_are_stored_several_times(form, dtype):
    """Their sum counts, also where it needs more bits; a bool is true or not."""
    X, total = in_parts(form, dtype), TERMS[dtype][1]
    assert X.nnz > 3
    embedder = fit(X, n_components=1)
    assert embedder.word_counts_.tolist() == [total, 2]
    dense = np.array([[total, 1], [0, 1]], dtype=np.float64)
    np.testing.assert_allclose(
        embedder.transform(X), embedder.transform(dense), rtol=1e-6
    )
    # No whole number of NumPy holds the sum in the case of uint64.
    of_float64 = ("float64", "longdouble", "uint64")
    expected = np.float64 if dtype in of_float64 else np.float32
    assert embedder.transform(X).dtype == expected
    assert X.nnz > 3


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("name", ["coo", "csr", "csc", "bsr", "lil", "dok", "dia"])
def test_sums_of_columns_beyond_the_type_of_a_matrix(name, kind):
    dense = np.array([[200, 1], [100, 255]], dtype=np.uint8)
    X = getattr(sparse, f"{name}_{kind}")(dense)
    assert fit(X, n_components=1).word_counts_.tolist() == [300, 256]
    X = X.astype(np.int64) * 2**46 + X.astype(np.int64)
    counts = fit(X, n_components=1).word_counts_
    assert counts.tolist() == [300 * (2**46 + 1), 256 * (2**46 + 1)]
    assert counts.dtype == np.int64


def test_sums_that_no_whole_number_of_64_bits_holds():
    for dtype in (np.int64, np.uint64):
        X = sparse.coo_array(
            (np.array([2**62, 2**62, 1], dtype), ([0, 0, 0], [0, 0, 1]))
        )
        counts = fit(X, n_components=1).word_counts_
        assert counts.tolist() == [2.0**63, 1.0]
    # What is added up is not negative, though one of its terms is.
    parts = np.array([3, -1, 1]), ([0, 0, 0], [0, 0, 1])
    for X in (
        sparse.coo_array(parts),
        sparse.csr_array((*parts[:1], [0, 0, 1], [0, 3])),
    ):
        assert fit(X, n_components=1).word_counts_.tolist() == [2, 1]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_single_document_and_single_numbers(estimator):
    one = cheap(estimator, n_components=2).fit([[1, 2, 3]])
    assert np.isfinite(one.transform([[1, 2, 3], [0, 0, 0], [5, 0, 0]])).all()


# --- what words that share a document count -------------------------------------------


@pytest.mark.parametrize("weights", [None, np.arange(12), np.linspace(0, 3, 12)])
@pytest.mark.parametrize("scale", [1, 0.37])
def test_words_that_share_a_document(weights, scale):
    X = MATRIX * scale
    expected = X.T @ (X if weights is None else weights[:, np.newaxis] * X)
    np.fill_diagonal(expected, 0)
    for form in (X, sparse.coo_array(X), spoiled(X)):
        counts, rows = cooccurrence(form, sample_weight=weights)
        np.testing.assert_allclose(counts.toarray(), expected, rtol=1e-7)
        assert list(rows) == [f"x{i}" for i in range(6)]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("scale", [1, 0.37])
def test_whole_weights_are_repeated_rows(estimator, scale):
    weights = np.random.default_rng(0).integers(0, 4, size=len(MATRIX))
    repeated = np.repeat(MATRIX * scale, weights, axis=0)
    weighted = cheap(estimator, pooling="sif").fit(MATRIX * scale, None, weights)
    other = cheap(estimator, pooling="sif").fit(repeated)
    np.testing.assert_array_equal(weighted.word_counts_, other.word_counts_)
    np.testing.assert_array_equal(weighted.word_vectors_, other.word_vectors_)
    np.testing.assert_array_equal(weighted.context_vectors_, other.context_vectors_)
    np.testing.assert_allclose(
        weighted.transform(MATRIX), other.transform(MATRIX), rtol=1e-4, atol=1e-6
    )


def test_weights_that_do_not_fit():
    with pytest.raises(ValueError, match=r"sample_weight.shape == \(3,\)"):
        fit(MATRIX).fit(MATRIX, sample_weight=[1, 2, 3])
    with pytest.raises(ValueError, match="at least one non-zero"):
        fit(MATRIX).fit(MATRIX, sample_weight=np.zeros(12))
    # The one row that counts holds nothing.
    with pytest.raises(ValueError, match="No word occurs in a document that counts"):
        fit(MATRIX).fit(MATRIX, sample_weight=np.eye(12)[2])


# --- which columns are words ----------------------------------------------------------


def test_no_column_is_dropped_by_its_count():
    assert len(fit(MATRIX, min_count=99).vocabulary_) == 6


def test_max_features_is_exact():
    """The largest sums; by name where sums are equal; in the order of the columns."""
    X = np.array([[1, 2, 1, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]])
    names = ["zinc", "lead", "iron", "gold", "tin"]
    data = pd.DataFrame(X, columns=names)
    for n, expected in enumerate(
        [["lead"], ["lead", "tin"], ["lead", "gold", "tin"], names[1:], names, names], 1
    ):
        if n > 1:
            embedder = fit(data, max_features=n, n_components=2)
            assert list(embedder.vocabulary_) == expected
            chosen = fit(data[expected], n_components=2)
            np.testing.assert_array_equal(embedder.word_vectors_, chosen.word_vectors_)
            np.testing.assert_array_equal(
                embedder.transform(data), chosen.transform(data[expected])
            )
            assert embedder.n_features_in_ == 5
    assert list(fit(X, max_features=2, n_components=2).vocabulary_) == ["x1", "x4"]


def test_max_features_counts_weights():
    X, weights = np.array([[1, 1, 5, 0], [1, 1, 0, 1]]), [0.1, 9]
    embedder = cheap(PPMISVDEmbedder, max_features=3, n_components=2)
    embedder.fit(X, sample_weight=weights)
    assert list(embedder.vocabulary_) == ["x0", "x1", "x3"]


VOCABULARIES = {
    "list": ["w3", "w0", "w1"],
    "tuple": ("w3", "w0", "w1"),
    "array": np.array(["w3", "w0", "w1"]),
    "dict": {"w0": 1, "w1": 2, "w3": 0},
    "dict keys": {"w3": 0, "w0": 0, "w1": 0}.keys(),
    "Series": pd.Series(["w3", "w0", "w1"], index=[7, 7, 7]),
}


@pytest.mark.parametrize("vocabulary", VOCABULARIES.values(), ids=VOCABULARIES)
def test_a_vocabulary_selects_columns(vocabulary):
    data = frame(MATRIX)
    embedder = fit(data, vocabulary=vocabulary)
    assert embedder.vocabulary_ == {"w3": 0, "w0": 1, "w1": 2}
    chosen = fit(data[["w3", "w0", "w1"]])
    np.testing.assert_array_equal(embedder.word_counts_, chosen.word_counts_)
    np.testing.assert_array_equal(embedder.word_vectors_, chosen.word_vectors_)
    np.testing.assert_array_equal(
        embedder.transform(data), chosen.transform(data[["w3", "w0", "w1"]])
    )


def test_other_vocabularies():
    assert list(fit(frame(MATRIX), vocabulary={"w3", "w0"}).vocabulary_) == ["w0", "w3"]
    ordered = tuple(f"w{i}" for i in (3, 0, 1))
    assert fit(frame(MATRIX), vocabulary=ordered).vocabulary_["w3"] == 0
    # Without names: those that columns get, or as many as there are columns.
    assert list(fit(MATRIX, vocabulary=["x5", "x0"]).vocabulary_) == ["x5", "x0"]
    named = fit(MATRIX, vocabulary=WORDS[:6])
    assert list(named.vocabulary_) == WORDS[:6]
    np.testing.assert_array_equal(named.word_vectors_, fit(MATRIX).word_vectors_)
    with pytest.raises(ValueError, match=r"'w9', but X has no such column.*\['w0'"):
        fit(frame(MATRIX), vocabulary=["w0", "w9"])
    with pytest.raises(ValueError, match="2 words, but X has 6 columns without names"):
        fit(MATRIX, vocabulary=["amber", "birch"])
    with pytest.raises(ValueError, match="max_features=2 cannot select"):
        fit(frame(MATRIX), vocabulary=["w0", "w1", "w3"], max_features=2)


IDS = [30, 10, 20]


@pytest.mark.parametrize(
    "vocabulary",
    [IDS, np.array(IDS), {10: 1, 20: 2, 30: 0}, pd.Series(IDS)],
    ids=["list", "array", "dict", "Series"],
)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_words_may_be_ids(estimator, vocabulary):
    """They name columns without names, and choose among those that have ids."""
    named = cheap(estimator, vocabulary=vocabulary).fit(MATRIX[:, :3])
    assert list(named.vocabulary_.items()) == [(30, 0), (10, 1), (20, 2)]
    plain = cheap(estimator).fit(MATRIX[:, :3])
    np.testing.assert_array_equal(named.word_vectors_, plain.word_vectors_)
    data = pd.DataFrame(MATRIX, columns=[5, 10, 20, 25, 27, 30])
    chosen = cheap(estimator, vocabulary=vocabulary).fit(data)
    assert list(chosen.vocabulary_) == IDS
    expected = cheap(estimator).fit(data[IDS])
    np.testing.assert_array_equal(chosen.word_vectors_, expected.word_vectors_)
    np.testing.assert_array_equal(chosen.transform(data), expected.transform(data[IDS]))
    np.testing.assert_array_equal(
        chosen.score_pairs(30, [10, np.int64(20)]), expected.score_pairs(30, [10, 20])
    )
    embedder = cheap(estimator, vocabulary=vocabulary)
    with pytest.raises(ValueError, match="vocabulary holds int, which the words of"):
        embedder.fit(DOCUMENTS)
    with pytest.raises(ValueError, match=r"30, but X has no such column.*'w0'"):
        embedder.fit(frame(MATRIX))


# --- transform after fits of both kinds -----------------------------------------------


def counts_of(documents, embedder):
    return CountVectorizer(vocabulary=embedder.vocabulary_).transform(documents)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_counts_after_a_fit_on_text(estimator, pooling):
    embedder = cheap(estimator, pooling=pooling).fit(DOCUMENTS)
    counts = counts_of(OTHER_DOCUMENTS, embedder)
    expected = embedder.transform(OTHER_DOCUMENTS)
    for X in (counts, counts.toarray(), counts.astype(np.float32)):
        np.testing.assert_allclose(embedder.transform(X), expected, 1e-4, atol=1e-6)
    words = list(embedder.vocabulary_)
    for X in (
        pd.DataFrame(counts.toarray(), columns=words),
        pd.DataFrame(counts.toarray()),
        pl.DataFrame(counts.toarray(), schema=words),
    ):
        np.testing.assert_allclose(embedder.transform(X), expected, 1e-4, atol=1e-6)


def test_columns_that_are_not_the_vocabulary():
    embedder = fit(DOCUMENTS)
    words = list(embedder.vocabulary_)
    with pytest.raises(ValueError, match=r"X has 6 columns.*8 words.*fitted on text"):
        embedder.transform(MATRIX)
    counts = pd.DataFrame(counts_of(DOCUMENTS, embedder).toarray(), columns=words)
    with pytest.raises(ValueError, match=rf"Column 0 of X is '{words[-1]}'.*X\[list"):
        embedder.transform(counts[words[::-1]])
    with pytest.raises(ValueError, match="Negative values"):
        embedder.transform(-counts)
    with pytest.raises(ValueError, match="Row 1 of X has 7 numbers"):
        embedder.transform([[1] * 8, [1] * 7])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_text_after_a_fit_on_a_matrix(estimator):
    """It needs names; these are the words of the vocabulary, cut from text as usual."""
    counter = CountVectorizer()
    counts = counter.fit_transform(DOCUMENTS).toarray()
    names = counter.get_feature_names_out()
    embedder = cheap(estimator).fit(pd.DataFrame(counts, columns=names))
    expected = embedder.transform(pd.DataFrame(counts, columns=names))
    for text in (DOCUMENTS, [text.split() for text in DOCUMENTS], pl.Series(DOCUMENTS)):
        # Rows are 3 long, and float32 adds up in another order.
        np.testing.assert_allclose(embedder.transform(text), expected, 1e-4, atol=1e-4)
    given = cheap(estimator, vocabulary=list(names)).fit(counts)
    np.testing.assert_array_equal(
        given.transform(DOCUMENTS), embedder.transform(DOCUMENTS)
    )
    unnamed = cheap(estimator).fit(counts)
    for text in (DOCUMENTS, [["amber"]], iter(DOCUMENTS)):
        with pytest.raises(ValueError, match=r"columns have no names.*fit on a frame"):
            unnamed.transform(text)


def test_columns_that_are_not_those_of_fit():
    embedder = fit(frame(MATRIX))
    with pytest.raises(ValueError, match="feature names should match"):
        embedder.transform(frame(MATRIX)[NAMES[::-1]])
    with pytest.raises(ValueError, match="6 features"):
        fit(MATRIX).transform(MATRIX[:, :5])
    with pytest.raises(ValueError, match="0 sample"):
        embedder.transform(frame(MATRIX)[:0])


def test_numbers_of_any_size_in_transform():
    embedder = fit(MATRIX)
    expected = embedder.transform(MATRIX.astype(float))
    for factor in (2.0**-1000, 2.0**1000):
        np.testing.assert_array_equal(embedder.transform(MATRIX * factor), expected)
    embedder.set_params(pooling="sum", scale=None, dtype="float32").fit(MATRIX)
    with pytest.raises(ValueError, match=r"Features of document 0 are not finite"):
        embedder.transform(MATRIX * 1e300)


# --- input="cooccurrence" -------------------------------------------------------------


@pytest.mark.parametrize("window_weighting", WINDOW_WEIGHTINGS)
@pytest.mark.parametrize(
    "weights",
    [None, np.arange(20) % 4, np.linspace(0, 3, 20)],
    ids=["no weights", "whole weights", "weights"],
)
@pytest.mark.parametrize(
    ("estimator", "strategy"),
    [(one, s.name) for one in COUNTING for s in sound_strategies(one)],
)
def test_documents_and_their_counts_give_the_same(
    estimator, strategy, weights, window_weighting
):
    """Bit for bit."""
    options = {"window": 2, "window_weighting": window_weighting, "min_count": 1}
    counts, words = cooccurrence(DOCUMENTS, sample_weight=weights, **options)
    direct = cheap(estimator, share_context=strategy, **options, **PLAIN)
    direct.fit(DOCUMENTS, sample_weight=weights)
    square = cheap(
        estimator,
        share_context=strategy,
        input="cooccurrence",
        vocabulary=words,
        **PLAIN,
    )
    for X in (counts, counts.toarray(), sparse.coo_matrix(counts)):
        square.fit(X)
        assert square.vocabulary_ == direct.vocabulary_
        for name in ("word_vectors_", "context_vectors_", "word_biases_"):
            if hasattr(direct, name):
                np.testing.assert_array_equal(
                    getattr(square, name), getattr(direct, name)
                )
        np.testing.assert_array_equal(
            square.transform(OTHER_DOCUMENTS), direct.transform(OTHER_DOCUMENTS)
        )


@pytest.mark.parametrize("estimator", COUNTING)
def test_a_matrix_and_its_shared_documents_give_the_same(estimator):
    counts, _ = cooccurrence(MATRIX)
    square = cheap(estimator, input="cooccurrence", **PLAIN).fit(counts)
    direct = cheap(estimator, **PLAIN).fit(MATRIX)
    np.testing.assert_array_equal(square.word_vectors_, direct.word_vectors_)
    np.testing.assert_array_equal(square.transform(MATRIX), direct.transform(MATRIX))


SQUARE = MATRIX.T @ MATRIX


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_counts_in_any_form(estimator):
    expected = cheap(estimator, input="cooccurrence").fit(SQUARE)
    assert expected.word_counts_.tolist() == SQUARE.sum(axis=1).tolist()
    forms = [
        SQUARE.tolist(),
        np.asfortranarray(SQUARE),
        SQUARE.astype(np.float32),
        sparse.csc_matrix(SQUARE),
        spoiled(SQUARE),
        with_zeros(SQUARE),
        pl.DataFrame(SQUARE, schema=NAMES),
        pd.DataFrame(SQUARE, columns=NAMES, index=NAMES),
    ]
    for X in forms:
        embedder = cheap(estimator, input="cooccurrence").fit(X)
        np.testing.assert_array_equal(embedder.word_vectors_, expected.word_vectors_)
        assert embedder.score(X) == expected.score(SQUARE)
        np.testing.assert_allclose(
            embedder.fit_transform(X), expected.transform(SQUARE), 1e-5, atol=1e-6
        )
    # The last one has names, so it takes text, too.
    assert embedder.transform(["w0 w1", "w3"]).any(axis=1).all()
    with pytest.raises(ValueError, match="columns have no names"):
        expected.transform(["w0 w1"])
    assert expected.transform(MATRIX).shape == (12, 3)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_words_of_counts_are_chosen_from_rows_and_columns(estimator):
    chosen = [3, 0, 1]
    small = cheap(estimator, input="cooccurrence").fit(SQUARE[np.ix_(chosen, chosen)])
    names = [NAMES[i] for i in chosen]
    data = pd.DataFrame(SQUARE, columns=NAMES)
    large = cheap(estimator, input="cooccurrence", vocabulary=names).fit(data)
    assert list(large.vocabulary_) == names
    np.testing.assert_array_equal(large.word_vectors_, small.word_vectors_)
    np.testing.assert_array_equal(large.word_counts_, small.word_counts_)
    top = cheap(estimator, input="cooccurrence", max_features=3).fit(data)
    largest = np.sort(np.argsort(-SQUARE.sum(axis=0), kind="stable")[:3])
    assert list(top.vocabulary_) == [NAMES[i] for i in largest]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_what_is_no_square_matrix(estimator):
    embedder = cheap(estimator, input="cooccurrence")
    for X in (DOCUMENTS, [["amber", "birch"]], pd.Series(DOCUMENTS), iter(DOCUMENTS)):
        with pytest.raises(ValueError, match=r"takes a square matrix.*input='content'"):
            embedder.fit(X)
    with pytest.raises(ValueError, match=r"square matrix.*shape \(12, 6\)"):
        embedder.fit(MATRIX)
    with pytest.raises(ValueError, match="sample_weight is that of documents"):
        embedder.fit(SQUARE, sample_weight=np.ones(6))
    with pytest.raises(ValueError, match="Negative values"):
        embedder.fit(-SQUARE)
    with pytest.raises(ValueError, match="no two co-occur"):
        embedder.fit(np.zeros((3, 3)))
    assert not hasattr(embedder, "word_vectors_")


DIRECTED = np.random.default_rng(1).poisson(3.0, size=(6, 6))


@pytest.mark.parametrize(
    ("estimator", "strategy"),
    [(one, s) for one in ESTIMATORS for s in sound_strategies(one)],
    ids=lambda value: getattr(value, "__name__", None) or str(value.name),
)
def test_directed_counts(estimator, strategy):
    """One warning where scores are symmetric; none with symmetric counts."""
    embedder = cheap(estimator, input="cooccurrence", share_context=strategy.name)
    embedder.fit(DIRECTED + DIRECTED.T)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embedder.fit(sparse.csr_array(DIRECTED))
    assert len(caught) == strategy.is_symmetric
    if caught:
        assert "X is not symmetric" in str(caught[0].message)
        assert caught[0].filename == __file__


# --- features: types, bits and threads ------------------------------------------------

DTYPES = {
    ("auto", np.float32): np.float32,
    ("auto", np.float64): np.float64,
    ("auto", np.int64): np.float32,
    ("auto", bool): np.float32,
    ("float32", np.float64): np.float32,
    ("float64", np.float32): np.float64,
    (np.float32, np.float64): np.float32,
    (np.float64, np.int64): np.float64,
}


@pytest.mark.parametrize(("asked", "given"), DTYPES)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_dtype_of_features(estimator, asked, given):
    X, expected = MATRIX.astype(given), DTYPES[asked, given]
    embedder = cheap(estimator, dtype=asked)
    assert embedder.fit_transform(X).dtype == expected
    for form in (X, sparse.csr_array(X), pd.DataFrame(X, columns=None)):
        assert embedder.transform(form).dtype == expected
    text = cheap(estimator, dtype=asked).fit_transform(DOCUMENTS)
    assert text.dtype == (np.float32 if asked == "auto" else expected)


def test_features_in_float64_are_the_more_precise_ones():
    embedder = fit(MATRIX, dtype="float64", **PLAIN)
    X = MATRIX.astype(np.float64)
    sums = X @ embedder.word_vectors_.astype(np.float64)
    means = sums / np.maximum(X.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(embedder.transform(X), means, rtol=1e-5, atol=1e-7)
    rounded = embedder.set_params(dtype="float32").transform(X)
    assert (rounded == embedder.set_params(dtype="auto").transform(MATRIX)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("combine", features_room.COMBINATIONS)
def test_rows_of_length_one(combine, dtype):
    plain = fit(DOCUMENTS, combine=combine, dtype=dtype)
    unit = fit(DOCUMENTS, combine=combine, dtype=dtype, norm="l2")
    documents = [*OTHER_DOCUMENTS, ""]
    rows, expected = unit.transform(documents), plain.transform(documents)
    assert rows.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(rows[:-1], axis=1), 1, rtol=1e-6)
    assert not rows[-1].any()
    lengths = np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(rows, expected / lengths, rtol=1e-5, atol=1e-7)


class ByRow(Pooling):
    """A user's pooling that knows words by their rows."""

    def pool(self, X, vectors):
        assert X.shape[1] == len(vectors) == 8
        return (X @ np.arange(8.0))[:, np.newaxis] * np.ones(vectors.shape[1])


@pytest.mark.parametrize("pooling", [*POOLINGS, ByRow()], ids=str)
@pytest.mark.parametrize("combine", features_room.COMBINATIONS)
def test_one_document_is_a_row_of_many(combine, pooling):
    """Bit for bit: a few words are pooled without the rest of the vocabulary."""
    embedder = fit(DOCUMENTS, combine=combine, pooling=pooling)
    documents = [*OTHER_DOCUMENTS, "", "amber", "amber amber", "zzz"]
    together = embedder.transform(documents)
    alone = np.vstack([embedder.transform([document]) for document in documents])
    np.testing.assert_array_equal(alone, together)
    assert np.isfinite(together).all()
    counts = counts_of(documents, embedder).astype(np.float32)
    alone = np.vstack([embedder.transform(counts[[i]]) for i in range(len(documents))])
    np.testing.assert_array_equal(alone, embedder.transform(counts))


@pytest.mark.parametrize(
    "pooling", ["mean", "max", "mean_max", "usif", "topical", "vlad"]
)
@pytest.mark.parametrize("combine", ["word", "concat"])
def test_any_number_of_threads_gives_the_same_bits(combine, pooling):
    embedder = fit(DOCUMENTS, combine=combine, pooling=pooling)
    documents = OTHER_DOCUMENTS * 5
    expected = embedder.transform(documents)
    with mock.patch.object(_rows, "CHUNK", 30):
        for n_jobs in (1, 2, 3, -1):
            embedder.set_params(n_jobs=n_jobs)
            np.testing.assert_array_equal(embedder.transform(documents), expected)


def test_an_error_in_a_thread_is_raised():
    class Failing(Pooling):
        def pool(self, X, vectors):
            raise RuntimeError("no pooling today")

    embedder = fit(DOCUMENTS, pooling=Failing(), scale=None, n_jobs=2)
    with (
        mock.patch.object(_rows, "CHUNK", 30),
        pytest.raises(RuntimeError, match="no pooling today"),
    ):
        embedder.transform(DOCUMENTS)


def test_a_pooling_that_returns_nan():
    class Wrong(Pooling):
        def pool(self, X, vectors):
            return np.full((X.shape[0], vectors.shape[1]), [[np.nan]])

    class Foreign:
        def fit(self, X, vectors, sample_weight=None):
            return self

        pool = Wrong.pool

    for pooling in (Foreign(), Wrong()):
        with pytest.raises(ValueError, match="Features of document 0 are not finite"):
            fit(DOCUMENTS, pooling=pooling, scale=None).transform(DOCUMENTS)
        with pytest.raises(ValueError, match="Features of document 0 are not finite"):
            fit(DOCUMENTS, pooling=pooling)


# --- models on disk, pipelines --------------------------------------------------------


@pytest.mark.parametrize("pooling", ["mean", "tfidf", "usif", "topical", "vlad"])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_model_on_a_read_only_map(estimator, pooling, tmp_path):
    embedder = cheap(estimator, pooling=pooling, combine="concat").fit(DOCUMENTS)
    joblib.dump(embedder, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert isinstance(mapped.word_vectors_, np.memmap)
    assert not mapped.word_vectors_.flags.writeable
    counts = counts_of(OTHER_DOCUMENTS, embedder)
    for X in (OTHER_DOCUMENTS, counts):
        np.testing.assert_array_equal(mapped.transform(X), embedder.transform(X))
    np.testing.assert_array_equal(
        mapped.score_pairs(WORDS, WORDS[::-1]), embedder.score_pairs(WORDS, WORDS[::-1])
    )
    assert mapped.score(OTHER_DOCUMENTS) == embedder.score(OTHER_DOCUMENTS)


@pytest.mark.parametrize("vectorizer", [CountVectorizer, TfidfVectorizer])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_behind_a_vectorizer(estimator, vectorizer):
    pipeline = make_pipeline(vectorizer(), cheap(estimator, **PLAIN))
    features = pipeline.fit_transform(DOCUMENTS)
    np.testing.assert_allclose(pipeline.transform(DOCUMENTS), features, rtol=1e-6)
    assert features.shape == (20, 3)
    # The vectorizer puts out counts in int64, or weights in float64.
    counted = vectorizer is CountVectorizer
    assert features.dtype == (np.float32 if counted else np.float64)
    weights = pipeline[0].transform(["amber birch"]).toarray()
    expected = weights @ pipeline[-1].word_vectors_ / weights.sum()
    found = pipeline.transform(["amber birch", "zzz"])
    np.testing.assert_allclose(found[:1], expected, rtol=1e-5, atol=1e-7)
    assert not found[1].any()
    named = pipeline.get_feature_names_out()
    assert named.tolist() == [f"{estimator.__name__.lower()}{i}" for i in range(3)]


def test_a_pipeline_of_frames_keeps_the_words():
    """With frames between the steps, words are known, so text can be passed, too."""
    sets = frame(MATRIX > 0)
    pipeline = make_pipeline("passthrough", cheap(PPMISVDEmbedder))
    pipeline.set_output(transform="pandas")
    found = pipeline.fit_transform(sets)
    assert list(pipeline[-1].vocabulary_) == NAMES
    assert list(found.columns) == [f"ppmisvdembedder{i}" for i in range(3)]
    alone = pipeline[-1].transform(["w0 w3"]).to_numpy()
    both = pd.DataFrame([[1, 0, 0, 1, 0, 0]], columns=NAMES)
    np.testing.assert_allclose(alone, pipeline.transform(both), rtol=1e-6)


def test_the_same_fit_twice():
    for X in (MATRIX, sparse.csc_array(MATRIX), spoiled(MATRIX)):
        for estimator in (SGNSEmbedder, PPMISVDEmbedder):
            embedders = [cheap(estimator, max_features=4).fit(X) for _ in range(2)]
            for embedder in embedders:
                assert embedder._columns.chosen.size == 4
            assert_same_fit(*embedders)


# --- labels of frames that are int ----------------------------------------------------

COUNTS = np.array([[0, 2, 1], [2, 0, 3], [1, 3, 0]])
ALIKE = {
    "ids": ([10, 30, 20], [10, 30, 20], [10, 30, 20]),
    "ids of numpy": (np.array([10, 30, 20]), np.array([10, 30, 20]), [10, 30, 20]),
    "numbers in order": ([0, 1, 2], [0, 1, 2], [0, 1, 2]),
    "objects": (pd.Index([7, 5, 6], dtype=object), [7, 5, 6], [7, 5, 6]),
    "no labels": (None, None, ["x0", "x1", "x2"]),
    "names of columns alone": (None, list("cab"), ["c", "a", "b"]),
    "ids of columns alone": (None, [10, 30, 20], [10, 30, 20]),
    "names": (list("cab"), list("cab"), ["c", "a", "b"]),
}


@pytest.mark.parametrize(("rows", "columns", "words"), ALIKE.values(), ids=ALIKE)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_labels_name_the_words(estimator, rows, columns, words):
    data = pd.DataFrame(COUNTS, index=rows, columns=columns)
    embedder = cheap(estimator, input="cooccurrence").fit(data)
    assert list(embedder.vocabulary_) == words
    assert {type(word) for word in embedder.vocabulary_} == {type(words[0])}
    assert hasattr(embedder, "feature_names_in_") == (words[0] == "c")
    plain = cheap(estimator, input="cooccurrence").fit(COUNTS)
    np.testing.assert_array_equal(embedder.word_vectors_, plain.word_vectors_)
    assert embedder.score(data) == plain.score(COUNTS)
    np.testing.assert_array_equal(embedder.transform(data), plain.transform(COUNTS))
    of_documents = cheap(estimator).fit(pd.DataFrame(MATRIX[:, :3], columns=columns))
    assert list(of_documents.vocabulary_) == words


# Labels of rows and of columns, and what is said of the first that differ.
UNLIKE = {
    "permuted": ([1, 0, 2], [0, 1, 2], r"Row 0 of X is 1, but column 0 is 0.*X\.loc"),
    "permuted ids": (
        [10, 20, 30],
        [10, 30, 20],
        "Row 1 of X is 20, but column 1 is 30",
    ),
    "permuted columns": (None, [0, 2, 1], "Row 1 of X is 1, but column 1 is 2"),
    "permuted rows": ([2, 1, 0], None, "Row 0 of X is 2, but column 0 is 0"),
    "other ids": ([10, 20, 40], [10, 20, 30], "Row 2 of X is 40, .* label both alike"),
    "a row twice": ([10, 10, 30], [10, 20, 30], "Row 1 of X is 10, but column 1 is 20"),
    "names of rows alone": (list("abc"), None, "Row 0 of X is 'a', but column 0 is 0"),
    "names and ids": (["10", "20", "30"], [10, 20, 30], "Row 0 of X is '10', but col"),
    "mixed": ([10, "20", 30], [10, 20, 30], "Row 1 of X is '20', but column 1 is 20"),
}


@pytest.mark.parametrize(("rows", "columns", "message"), UNLIKE.values(), ids=UNLIKE)
def test_labels_of_rows_that_are_not_those_of_columns(rows, columns, message):
    data = pd.DataFrame(COUNTS, index=rows, columns=columns)
    embedder = cheap(PPMISVDEmbedder, input="cooccurrence")
    with pytest.raises(ValueError, match=message):
        embedder.fit(data)
    fitted = embedder.fit(pd.DataFrame(COUNTS, columns=columns if rows else None))
    if rows:
        with pytest.raises(ValueError, match=message):
            fitted.score(data)


def test_labels_of_columns_that_cannot_be():
    for labels, error, message in [
        ([10, "a", 30], TypeError, "all str or all int, but 10 "),
        ([10, 10, 30], ValueError, "two columns of the name 10"),
    ]:
        data = pd.DataFrame(COUNTS, index=labels, columns=labels)
        for params in ({"input": "cooccurrence"}, {}):
            with pytest.raises(error, match=message):
                fit(data, **params)


@pytest.mark.parametrize("params", [{}, {"vocabulary": [20, 10]}, {"max_features": 2}])
def test_columns_labelled_by_int_are_those_of_fit(params):
    data = pd.DataFrame(MATRIX[:, :3], columns=[10, 20, 30])
    embedder = fit(data, warm_start=True, **params)
    expected = embedder.transform(data)
    for X in (MATRIX[:, :3], pd.DataFrame(MATRIX[:, :3]), data.astype("Int64")):
        np.testing.assert_allclose(embedder.transform(X), expected, rtol=1e-6)
    for labels in ([20, 10, 30], [10, 20, 40], list("abc")):
        other = data.set_axis(labels, axis=1)
        for call in (embedder.transform, embedder.score, embedder.partial_fit):
            with pytest.raises(
                ValueError, match=r"Column \d of X is .* in fit was \d0"
            ):
                call(other)
    with pytest.raises(ValueError, match="3 features"):
        embedder.transform(data[[10, 20]])
    # Labels that pandas has made are the same ones here, in another order.
    default = pd.DataFrame(MATRIX[:, :3])
    with pytest.raises(ValueError, match=r"Column 0 of X is 0, .* in fit was 2"):
        fit(default[[2, 0, 1]]).transform(default)
    with pytest.raises(ValueError, match=r"labelled by int \(10, \.\.\.\)"):
        embedder.transform(["10 20"])


def test_columns_labelled_by_int_after_other_fits():
    """After a fit without names there is a warning, as scikit-learn has for str."""
    data = pd.DataFrame(MATRIX[:, :3], columns=[2, 1, 0])
    for X in (MATRIX[:, :3], pd.DataFrame(MATRIX[:, :3])):
        embedder = fit(X)
        for call in (embedder.transform, embedder.score):
            with pytest.warns(
                UserWarning, match="int labels of columns, but"
            ) as caught:
                call(data)
            assert [warning.filename for warning in caught] == [__file__]
        embedder.transform(data.set_axis([0, 1, 2], axis=1))
    embedder = fit(DOCUMENTS, vocabulary=WORDS[:3])
    embedder.transform(MATRIX[:, :3])
    with pytest.raises(ValueError, match=r"Column 0 of X is 2, but row 0 .* 'amber'"):
        embedder.transform(data)


def test_columns_labelled_by_int_are_chosen_by_number_where_sums_are_equal():
    data = pd.DataFrame(np.ones((4, 4), int), columns=[10, 9, 100, 2])
    assert list(fit(data, max_features=2).vocabulary_) == [9, 2]


def test_an_adjacency_matrix_of_networkx():
    networkx = pytest.importorskip("networkx")
    graph = networkx.Graph([(3, 1), (1, 2), (2, 3), (7, 3)])
    data = networkx.to_pandas_adjacency(graph)
    embedder = cheap(PPMISVDEmbedder, input="cooccurrence").fit(data)
    assert list(embedder.vocabulary_) == [3, 1, 2, 7]
    assert embedder.word_counts_.tolist() == [graph.degree[node] for node in graph]
    array = networkx.to_scipy_sparse_array(graph)
    other = cheap(PPMISVDEmbedder, input="cooccurrence", vocabulary=list(graph))
    assert_same_fit(other.fit(array), embedder)
    with pytest.raises(ValueError, match=r"X is a graph \(Graph\).*GraphEmbedder"):
        embedder.fit(graph)


# --- lists that may be walks ----------------------------------------------------------

WALKS = [[4, 2, 3], [2, 3, 4], [3, 4, 9], [9, 4, 3]]
NO_WALKS = {
    "an array": np.array(WALKS),
    "a frame": pd.DataFrame(WALKS),
    "sparse": sparse.csr_array(WALKS),
    "arrays": [np.array(row) for row in WALKS],
    "zeros": [*WALKS, [4, 0, 3]],
    "floats": [[4.5, 2, 3], [2, 3, 4.5], [3, 4.5, 2]],
    "bools": [[True, True], [True, True]],
    "hardly a number twice": [[3, 14, 1], [5, 9, 2], [6, 53, 5]],
    "equal numbers": [[1, 1], [2, 2], [1, 1]],
    "equal neighbours": [[1, 1, 2, 1, 1, 3], [2, 1, 1, 1, 3, 1], [1, 2, 2, 1, 1, 1]],
}


def test_walks_that_are_taken_for_a_matrix():
    calls = [cheap(one).fit for one in ESTIMATORS]
    calls += [cheap(one).fit_transform for one in ESTIMATORS]
    calls += [cheap(one).partial_fit for one in ESTIMATORS]
    for call in [*calls, cooccurrence]:
        for X in (WALKS, tuple(map(tuple, WALKS))):
            with pytest.warns(
                UserWarning, match=r"as ids do\. .*convert them to str"
            ) as w:
                call(X)
            assert [warning.filename for warning in w] == [__file__]
    words = [[str(node) for node in walk] for walk in WALKS]
    assert set(fit(words).vocabulary_) == {"2", "3", "4", "9"}


@pytest.mark.parametrize("X", NO_WALKS.values(), ids=NO_WALKS)
def test_matrices_that_are_no_walks(X):
    fit(X, n_components=1)
    fit(COUNTS.tolist(), n_components=1, input="cooccurrence")


def test_rows_of_counts_have_the_labels_of_the_columns():
    counts = pd.DataFrame(
        [[0, 2, 1], [2, 0, 3], [1, 3, 0]], index=list("cba"), columns=list("abc")
    )
    embedder = cheap(PPMISVDEmbedder, input="cooccurrence")
    with pytest.raises(ValueError, match="Row 0 of X is 'c', but column 0 is 'a'"):
        embedder.fit(counts)
    same = embedder.fit(counts.loc[list("abc")])
    assert list(same.vocabulary_) == ["a", "b", "c"]
    plain = clone(embedder).fit(counts.reset_index(drop=True))
    assert list(plain.vocabulary_) == ["a", "b", "c"]
