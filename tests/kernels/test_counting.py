"""Kernels that count, multiply and subsample, against slow twins."""

from itertools import chain, pairwise

import numpy as np
import pytest
from scipy import sparse

from skembed._counts import windows
from skembed._kernels import counting, spans
from skembed._kernels import sparse as sparse_kernels
from tests import reference
from tests.kernels.helpers import as_corpus, random_documents

LENGTHS = [[7], [0, 1, 2, 0], [5, 0, 1, 12, 3], [1, 1, 1], [30, 17]]


def as_chunks(doc_offsets, n_chunks):
    """The tokens in chunks of equal size, wherever documents begin."""
    edges = [i * int(doc_offsets[-1]) // n_chunks for i in range(n_chunks + 1)]
    documents = np.searchsorted(doc_offsets, edges, side="right") - 1
    return [
        counting.Chunk(i, edges[i], edges[i + 1], int(documents[i]))
        for i in range(n_chunks)
    ]


def list_places(documents, n_words, window, n_chunks, rows=None):
    """Return what the kernels write: the starts of each chunk, and the places."""
    token_ids, doc_offsets = as_corpus(documents)
    first, last = rows or (0, n_words)
    chunks = as_chunks(doc_offsets, n_chunks)
    occurrences = np.zeros((n_chunks, n_words), dtype=np.int64)
    for chunk in chunks:
        counting.count_words(token_ids, chunk, occurrences)
    of_rows = occurrences[:, first:last]
    starts = np.zeros((n_chunks, last - first + 1), dtype=np.int64)
    starts[:, 1:] = np.cumsum(of_rows).reshape(of_rows.shape) - of_rows
    starts[:, 0] = (of_rows.sum(axis=1).cumsum() - of_rows.sum(axis=1)).tolist()
    places = np.full(of_rows.sum(), -1)
    window = window, window.bit_length()
    for chunk in reversed(chunks):
        counting.list_places(
            token_ids, doc_offsets, chunk, window, first, starts, places
        )
    return starts, places


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("n_chunks", [1, 2, 3, 7])
def test_count_words(lengths, n_chunks):
    documents = random_documents(np.random.default_rng(0), 6, lengths)
    token_ids, doc_offsets = as_corpus(documents)
    occurrences = np.zeros((n_chunks, 6), dtype=np.int64)
    for chunk in as_chunks(doc_offsets, n_chunks):
        counting.count_words(token_ids, chunk, occurrences)
        in_chunk = token_ids[chunk.first : chunk.last].tolist()
        wanted = [in_chunk.count(word) for word in range(6)]
        assert occurrences[chunk.number].tolist() == wanted


@pytest.mark.small
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("n_chunks", [1, 2, 3, 7])
@pytest.mark.parametrize("window", [1, 3, 40])
@pytest.mark.parametrize("rows", [(0, 6), (0, 1), (2, 5), (5, 6)], ids=str)
def test_list_places(lengths, n_chunks, window, rows):
    documents = random_documents(np.random.default_rng(0), 6, lengths)
    starts, places = list_places(documents, 6, window, n_chunks, rows)
    bits, mask = window.bit_length(), 2 ** window.bit_length() - 1
    places = [(p >> 2 * bits, p >> bits & mask, p & mask) for p in places.tolist()]
    # Chunk by chunk, each word's places that lie in it.
    of_words = reference.places_by_word(documents, 6, window)[rows[0] : rows[1]]
    edges = [i * sum(lengths) // n_chunks for i in range(n_chunks + 1)]
    found = []
    for row, (first, last) in zip(starts.tolist(), pairwise(edges), strict=True):
        wanted = [[p for p in word if first <= p[0] < last] for word in of_words]
        assert [places[i:j] for i, j in pairwise(row)] == wanted
        found += places[row[0] : row[-1]]
    assert found == places


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
    scratch = windows.allocate_scratch(n_words)
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
    scratch = windows.allocate_scratch(n_words, window)
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
