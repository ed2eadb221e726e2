"""Counts of words that share documents, against an obvious dense twin."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skembed._counts import documents as _shared_documents
from skembed._counts.documents import count_shared_documents
from tests.counts.helpers import (
    N_WORDS,
    as_dense,
    assert_canonical,
    assert_same_bits,
)
from tests.helpers import corpus_of

pytestmark = pytest.mark.small

entries = st.dictionaries(
    st.integers(0, N_WORDS - 1),
    st.one_of(st.integers(0, 5).map(float), st.sampled_from([0.1, 0.75, 1e-3, 1e8])),
)
rows_of_matrix = st.lists(st.tuples(st.integers(0, 3), entries), min_size=1, max_size=6)


def matrix_corpus(rows, doc_weights=None):
    """Return rows, as pairs of words and values, as a `Corpus`."""
    rows = [list(row.items() if isinstance(row, dict) else row) for row in rows]
    corpus = corpus_of([[word for word, _ in row] for row in rows])
    values = [value for row in rows for _, value in row]
    if doc_weights is not None:
        doc_weights = np.array(doc_weights, dtype=np.float64)
    return corpus._replace(
        token_weights=np.array(values, dtype=np.float64), doc_weights=doc_weights
    )


def twin_of_sharing(rows, doc_weights):
    counts = Counter()
    for row, doc_weight in zip(rows, doc_weights, strict=True):
        for word, value in row.items():
            for context, other in row.items():
                if word != context:
                    product = Fraction(value) * Fraction(other) * Fraction(doc_weight)
                    counts[word, context] += product
    return as_dense(counts)


def assert_symmetric(matrix):
    assert_canonical(matrix)
    assert_same_bits(matrix, matrix.T.tocsr())


@given(rows_of_matrix)
@example([(1, {0: 5000.0, 1: 5001.0}), (2, {0: 3.0, 1: 1.0})])
@example([(0, {0: 0.5, 1: 1.0}), (2, {2: 3.0, 1: 1.0})])
def test_shared_documents_of_copies(repeated):
    times, rows = zip(*repeated, strict=True)
    corpus = matrix_corpus(rows, times)
    before = [array.copy() for array in corpus[:4]]
    found = count_shared_documents(corpus, N_WORDS)
    for array, old in zip(corpus[:4], before, strict=True):
        assert array.tobytes() == old.tobytes()
    assert_symmetric(found)
    copies = [row for n, row in repeated for _ in range(n)]
    assert_same_bits(found, count_shared_documents(matrix_corpus(copies), N_WORDS))
    expected = twin_of_sharing(rows, times)
    if all(value % 1 == 0 for row in copies for value in row.values()) and (
        expected.max() < 2**40
    ):
        assert found.toarray().tolist() == expected.tolist()
    np.testing.assert_allclose(found.toarray(), expected, rtol=2.0**-23)


@given(rows_of_matrix, st.data())
def test_shared_documents_of_any_weight(repeated, data):
    """Symmetric to the last bit, where products in another order are not."""
    rows = [row for _, row in repeated]
    some = st.one_of(st.just(0.0), st.floats(1e-3, 1e3))
    times = data.draw(st.lists(some, min_size=len(rows), max_size=len(rows)))
    found = count_shared_documents(matrix_corpus(rows, times), N_WORDS)
    assert_symmetric(found)
    expected = twin_of_sharing(rows, times)
    np.testing.assert_allclose(found.toarray(), expected, rtol=2.0**-23)
    assert found.data.tolist() == found.data.astype(np.float32).tolist() or (
        all(value % 1 == 0 for value in [*times, *found.data])
    )


def test_rounding_is_not_what_makes_counts_symmetric(monkeypatch):
    """Nearly all pairs that differ in the last bit only are rounded to the same."""
    monkeypatch.setattr(_shared_documents, "rounded_inplace", lambda counts: counts)
    rng = np.random.default_rng(0)
    rows = [dict(enumerate(rng.random(N_WORDS))) for _ in range(20)]
    for doc_weights in (None, rng.random(20)):
        found = count_shared_documents(matrix_corpus(rows, doc_weights), N_WORDS)
        assert_symmetric(found)
        assert found.nnz == N_WORDS * (N_WORDS - 1)


def test_repeated_and_unsorted_entries_of_a_row():
    """Entries of one word count together, so that it is not paired with itself."""
    rows = [
        [(3, 1.0), (1, 2.0), (3, 4.0), (2, 0.0), (1, 0.5)],
        [],
        [(1, 2.0), (3, 1.0)],
    ]
    together = [{1: 2.5, 3: 5.0}, {}, {1: 2.0, 3: 1.0}]
    corpus = matrix_corpus(rows)
    found = count_shared_documents(corpus, N_WORDS)
    assert_symmetric(found)
    assert found.toarray().tolist() == twin_of_sharing(together, [1, 1, 1]).tolist()
    assert corpus.token_weights.tolist() == [1.0, 2.0, 4.0, 0.0, 0.5, 2.0, 1.0]
    assert corpus.token_ids.tolist() == [3, 1, 3, 2, 1, 1, 3]


@pytest.mark.parametrize("weights", [None, [1.0], [3.0], [0.7]], ids=str)
def test_whole_numbers_are_not_rounded(weights):
    found = count_shared_documents(matrix_corpus([{0: 4097.0, 1: 4099.0}], weights), 2)
    exact = 4097 * 4099 * Fraction(1.0 if weights is None else weights[0])
    if weights == [0.7]:
        assert found[0, 1] == np.float32(exact)
    else:
        assert found[0, 1] == exact > 2**24
    assert found[0, 1] == found[1, 0]


@pytest.mark.parametrize("value", [1e-30, 1e-120, 1e120])
def test_rounding_at_any_exponent(value):
    """Numbers that float32 itself cannot hold have as many digits."""
    found = count_shared_documents(matrix_corpus([{0: value, 1: value * 0.7}]), 2)
    assert found[0, 1] == pytest.approx(0.7 * value**2, rel=2.0**-24)
    mantissa, _ = np.frexp(found[0, 1])
    assert mantissa * 2**24 % 1 == 0


def test_products_beyond_float64():
    """Sums that are infinite are for the caller to tell of."""
    found = count_shared_documents(matrix_corpus([{0: 1e300, 1: 1e300}], [1.5]), 2)
    assert found.data.tolist() == [np.inf, np.inf]
    for rows, weights in (
        ([{0: 1e-300, 1: 1e-300}], None),
        ([{0: 1e-30, 1: 1.0}], [1e-290]),
    ):
        with pytest.raises(ValueError, match="too small to be multiplied"):
            count_shared_documents(matrix_corpus(rows, weights), 2)


def test_shared_documents_of_very_different_weights():
    """Counts have the same digits, and zeros in X and in the weights are no numbers."""
    rows = [{0: 1.0, 1: 0.3}, {1: 1.0, 2: 0.7}, {2: 1.0, 3: 0.1}, {0: 2.0, 3: 0.0}]
    for weights in ([1e-150, 1e150, 1.0, 0.0], [1.0, 1e-300, 1e-10, 1.0], [0, 1, 1, 0]):
        found = count_shared_documents(matrix_corpus(rows, weights), N_WORDS)
        assert_symmetric(found)
        expected = twin_of_sharing(rows, weights)
        assert found.nnz == np.count_nonzero(expected)
        np.testing.assert_allclose(found.toarray(), expected, rtol=2.0**-23)


def test_sharing_among_many_words():
    """A dense array of them would take terabytes."""
    n_words = 2_000_000
    rng = np.random.default_rng(0)
    rows = [
        dict.fromkeys(rng.integers(n_words, size=20).tolist(), 1.0) for _ in range(30)
    ]
    found = count_shared_documents(matrix_corpus(rows), n_words)
    assert found.nnz == 30 * 20 * 19
    assert found.sum() == found.nnz
    assert found.indices.dtype == found.indptr.dtype == np.int32
