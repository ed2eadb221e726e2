"""The computations of poolings: sums, maxima, common components and clusters.

The entries of a document are added up one by one, in their order in the document, so
that its row does not depend on other documents.
"""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.sparse import _sparsetools
from sklearn.exceptions import ConvergenceWarning

from skembed._corpus.validation import check_sparse
from skembed._utils.threads import one_blas_thread, one_openmp_thread, row_ranges

# So many vectors are added up in float32. Their sums are added up in float64.
_BLOCK = 128
# Entries that are processed at once, which limits the memory. The row of features of a
# document takes memory, too, so a document counts as at least one entry for this number
# of columns.
CHUNK = 2**16
_DOCUMENT, COLUMNS = 8, 16
# Entries whose words are merged at once. Each time costs some bytes per word.
_MERGED = 2**18
# Vectors of words that are copied at once. They fit into a core's cache.
_COPIED = 2**12
# Maxima of documents up to this length are computed for many at a time.
_SHORT = 16
# Counts of a document are scaled where the exponent of their sum is beyond this.
_EXPONENT = 32
# Squared singular values below this share of the largest come from sums in float32.
_ROUNDING = 1e-10
# A mean that is closer to the centre, as a share of the largest entry of vectors,
# equals it up to rounding.
_NO_DIRECTION = 1e-5
# A sum below this share of its terms is 0 up to rounding.
_CANCELLED = 1e-9
# Clusters have at least so many words on average. (The vector of a word that is alone
# in its cluster equals the centre.)
_PER_CLUSTER = 10
# At most so many words are clustered, which limits memory and time. The others are
# assigned to the nearest centre.
MAX_CLUSTERED = 2**16
# Words that are assigned at once.
_ASSIGNED = 2**12


class Documents(NamedTuple):
    """Rows of a documents x words matrix, concatenated."""

    counts: np.ndarray | None  # float (n_entries,); None if all are 1, as for text
    words: np.ndarray  # int (n_entries,)
    offsets: np.ndarray  # of the type of `words`, (n_documents + 1,)

    @property
    def n_documents(self) -> int:
        return self.offsets.size - 1

    @property
    def lengths(self) -> np.ndarray:
        return self.offsets[1:] - self.offsets[:-1]

    def per_entry(self, values: np.ndarray) -> np.ndarray:
        """Return, for every entry, the value of its document."""
        return np.repeat(values, self.lengths)

    def present(self) -> "Documents":
        """Return the entries that are not 0."""
        if self.counts is None:
            return self
        present = self.counts > 0
        if present.all():
            return self
        before = np.concatenate([[0], present.cumsum()])
        offsets = before[self.offsets].astype(self.offsets.dtype)
        return Documents(self.counts[present], self.words[present], offsets)


def check(X: Any, vectors: Any) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the arguments of a pooling, or raise a ValueError."""
    if not (sparse.issparse(X) and X.format == "csr"):
        raise ValueError(
            "X must be a documents x words matrix in CSR format, got "
            f"{type(X).__name__}; pass scipy.sparse.csr_array(X)."
        )
    check_sparse(X)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or X.shape[1] != len(vectors):
        raise ValueError(
            f"X has {X.shape[1]} columns, but vectors has shape {vectors.shape}; pass "
            "one row of vectors for every column of X."
        )
    return X, vectors


def check_weights(sample_weight: Any, n_documents: int) -> np.ndarray:
    """Return weights of documents in float64, or raise a ValueError."""
    if sample_weight is None:
        return np.ones(n_documents)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_documents,):
        raise ValueError(
            f"sample_weight has shape {weights.shape}, but X has {n_documents} "
            "documents; pass one weight for each."
        )
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        raise ValueError(
            f"sample_weight of document {wrong.argmax()} is {weights[wrong][0]}; pass "
            "finite numbers that are not negative."
        )
    return weights


def chunks(X: Any, n_columns: int = 0) -> Iterator[tuple[slice, Documents]]:
    """Split a CSR array into chunks of documents.

    Parameters
    ----------
    X : csr_array of shape (n_documents, n_words)
    n_columns : int, default=0
        Number of features of a document. Many features need more memory than the words.

    Yields
    ------
    rows : slice
        The documents of the chunk, at least one.
    documents : Documents
        At most 65,536 entries, or one document.
    """
    for first, last in ranges(X.indptr, max(_DOCUMENT, n_columns // COLUMNS)):
        offsets = X.indptr[first : last + 1]
        entries = slice(offsets[0], offsets[-1])
        words = X.indices[entries]
        offsets = (offsets - offsets[0]).astype(words.dtype, copy=False)
        counts = X.data[entries]
        only_ones = bool(np.all(counts == 1))
        documents = Documents(None if only_ones else counts, words, offsets)
        yield slice(first, last), documents


def ranges(offsets: np.ndarray, document: int) -> Iterator[tuple[int, int]]:
    """Split documents into ranges of at most `CHUNK` entries.

    Parameters
    ----------
    offsets : ndarray of shape (n_documents + 1,), int
        Where the entries of each document begin, and the end.
    document : int
        The number of entries that a document counts for, beside its own.

    Yields
    ------
    first, last : int
        The first document and the one behind the last, which are at least one.
    """
    n_documents = offsets.size - 1
    sizes = offsets + document * np.arange(n_documents + 1)
    first = 0
    while first < n_documents:
        last = int(np.searchsorted(sizes, sizes[first] + CHUNK, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def means(
    documents: Documents,
    vectors: np.ndarray,
    word_weights: np.ndarray | None = None,
    by_weight: bool = False,
) -> np.ndarray:
    """Return the mean vectors of documents' words.

    For documents of any length, the error is below 1e-5 of the mean absolute value.

    Parameters
    ----------
    documents : Documents
    vectors : ndarray of shape (n_words, n_features), float32
    word_weights : ndarray of shape (n_words,), float64, or None
        Factors of the vectors.
    by_weight : bool, default=False
        Divide by the sum of the weights instead of the number of words.

    Returns
    -------
    ndarray of shape (n_documents, n_features), float64
        Zeros for a document without words.
    """
    counts, totals, _ = _scaled_counts(documents)
    if word_weights is not None:
        weights = word_weights[documents.words]
        counts = weights if counts is None else counts * weights
        if by_weight:
            totals = _totals(documents.offsets, counts)
    sums = _sums(documents, counts, vectors)
    sums /= np.where(totals > 0, totals, 1.0)[:, np.newaxis]
    return sums


def sums(documents: Documents, vectors: np.ndarray) -> np.ndarray:
    """Return the sums of the vectors of documents' words, as precise as `means`."""
    counts, _, exponents = _scaled_counts(documents)
    scaled = _sums(documents, counts, vectors)
    return np.ldexp(scaled, exponents[:, np.newaxis]) if exponents.any() else scaled


def _scaled_counts(
    documents: Documents,
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Return counts, their sum per document, and the power of 2 that divides them.

    Powers of 2 do not change the bits of a mean. They make counts of any size fit into
    float32.
    """
    if documents.counts is None:
        totals = documents.lengths.astype(np.float64)
        return None, totals, np.zeros(totals.size, dtype=np.int32)
    counts = documents.counts.astype(np.float64)
    totals = _totals(documents.offsets, counts)
    exponents = np.frexp(totals)[1]
    exponents[np.abs(exponents) <= _EXPONENT] = 0
    if exponents.any():
        counts = np.ldexp(counts, -documents.per_entry(exponents))
        totals = np.ldexp(totals, -exponents)
    return counts, totals, exponents


def _totals(offsets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the float64 sum of the values between each two offsets."""
    totals = np.zeros(offsets.size - 1)
    columns = np.zeros(values.size, dtype=offsets.dtype)
    _sparsetools.csr_matvec(
        totals.size, 1, offsets, columns, values, np.ones(1), totals
    )
    return totals


def _sums(
    documents: Documents, weights: np.ndarray | None, vectors: np.ndarray
) -> np.ndarray:
    """Return the float64 sums of the words' vectors times the weights of entries."""
    words = documents.words
    if weights is None:
        weights = np.ones(words.size, dtype=np.float32)
    blocks, begins = _blocks(documents.offsets)
    partial = np.zeros((begins.size - 1, vectors.shape[1]), dtype=np.float32)
    _add(begins, words, weights.astype(np.float32, copy=False), vectors, partial)
    if len(partial) == 1 == documents.n_documents:
        return partial.astype(np.float64)
    ones, partial = np.ones(len(partial)), partial.astype(np.float64)
    sums = np.zeros((documents.n_documents, vectors.shape[1]))
    _add(blocks, np.arange(ones.size), ones, partial, sums)
    return sums


def _blocks(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first block of each document, and the first entry of each block."""
    if offsets.size == 2:
        # The same result for one document, but faster.
        begins = np.arange(0, offsets[1] + _BLOCK, _BLOCK, dtype=offsets.dtype)
        begins[-1] = offsets[1]
        return np.array([0, begins.size - 1]), begins
    n_blocks = -(-np.diff(offsets) // _BLOCK)
    blocks = np.zeros(offsets.size, dtype=np.int64)
    np.cumsum(n_blocks, out=blocks[1:])
    # A block ends where the next one begins, because documents are contiguous.
    begins = np.repeat(offsets[:-1] - _BLOCK * blocks[:-1], n_blocks)
    begins += _BLOCK * np.arange(begins.size)
    return blocks, np.append(begins, offsets[-1]).astype(offsets.dtype)


def _add(
    offsets: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    table: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Add a sparse matrix (offsets, columns, values) times a table to `sums`.

    This calls the function behind SciPy's product, without the cost of constructing a
    matrix. All arrays have the same type. Rows are added entry by entry.
    """
    shape = len(sums), len(table), table.shape[1]
    flat = table.reshape(-1), sums.reshape(-1)  # views: both are contiguous
    _sparsetools.csr_matvecs(*shape, offsets, columns, values, *flat)


def maxima(documents: Documents, vectors: np.ndarray) -> np.ndarray:
    """Return the maximum of each dimension over the words of documents.

    Parameters
    ----------
    documents : Documents
    vectors : ndarray of shape (n_words, n_features), float32

    Returns
    -------
    ndarray of shape (n_documents, n_features), float64
        Zeros for a document without words.
    """
    _, words, offsets = documents.present()
    lengths = np.diff(offsets)
    features = np.zeros((lengths.size, vectors.shape[1]))
    for row in np.flatnonzero(lengths > _SHORT).tolist():
        for first in range(offsets[row], offsets[row + 1], _COPIED):
            named = words[first : min(first + _COPIED, offsets[row + 1])]
            largest = np.maximum.reduce(vectors.take(named, axis=0))
            if first > offsets[row]:
                np.maximum(largest, features[row], out=largest)
            features[row] = largest
    for length in set(lengths[(lengths > 0) & (lengths <= _SHORT)].tolist()):
        # Short documents of the same length together.
        rows = np.flatnonzero(lengths == length)
        for first in range(0, rows.size, _COPIED // _SHORT):
            some = rows[first : first + _COPIED // _SHORT]
            named = words[offsets[some, np.newaxis] + np.arange(length)]
            features[some] = vectors.take(named, axis=0).max(axis=1)
    # It is not defined whether -0.0 or 0.0 is the maximum. Adding 0.0 gives 0.0.
    features += 0.0
    return features


def residual_sums(
    documents: Documents,
    vectors: np.ndarray,
    centres: np.ndarray,
    labels: np.ndarray,
    word_weights: np.ndarray,
) -> np.ndarray:
    """Return the sums of differences between words' vectors and centres, per cluster.

    If a word occurs n times in a document, its weight is multiplied by 1 + ln n (or by
    n if n is below 1). Words whose vectors are zeros are ignored.

    Parameters
    ----------
    documents : Documents
    vectors : ndarray of shape (n_words, n_features), float32
    centres : ndarray of shape (n_clusters, n_features), float64
    labels : ndarray of shape (n_words,), int
        Clusters of the words.
    word_weights : ndarray of shape (n_words,), float64

    Returns
    -------
    ndarray of shape (n_documents, n_clusters * n_features), float64
        Cluster after cluster. The sums of a document may be divided by a power of 2.
    """
    n_clusters, n_features = centres.shape
    groups, words, counts = _distinct(documents, labels, n_clusters)
    weights = word_weights[words] * _dampened(counts)
    n_groups = documents.n_documents * n_clusters
    offsets = np.searchsorted(groups, np.arange(n_groups + 1))
    weights = _scaled_up(offsets[::n_clusters], weights)
    used, columns = np.unique(words, return_inverse=True)
    residuals = vectors[used] - centres[labels[used]]
    # Nothing is known about a word whose vector is zero.
    residuals[~vectors[used].any(axis=1)] = 0.0
    sums = np.zeros((n_groups, n_features))
    _add(offsets, columns, weights, residuals, sums)
    sizes = np.abs(residuals).max(axis=1, initial=0.0)
    limits = _CANCELLED * _totals(offsets, weights * sizes[columns])
    sums[np.abs(sums) < limits[:, np.newaxis]] = 0.0
    return sums.reshape(documents.n_documents, n_clusters * n_features)


def _distinct(
    documents: Documents, labels: np.ndarray, n_clusters: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each distinct word of each document: its group, row and count.

    A group consists of the words of one document and one cluster. Groups are sorted by
    document, then by cluster.
    """
    present = documents.present()
    groups = present.per_entry(np.arange(documents.n_documents) * n_clusters)
    keys = (groups + labels[present.words]) * labels.size + present.words
    # Counts of a word are added up in their order in the document.
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.diff(keys, prepend=-1) > 0
    counts = present.counts if present.counts is None else present.counts[order]
    counts = np.bincount(np.cumsum(first) - 1, weights=counts)
    return *np.divmod(keys[first], labels.size), counts


def sublinear(documents: Documents) -> Documents:
    """Return documents with one entry for each distinct word, counts n as 1 + ln n.

    A count below 1 stays as it is.
    """
    n_words = int(documents.words.max(initial=-1)) + 1
    groups, words, counts = _distinct(documents, np.zeros(n_words, dtype=np.int8), 1)
    offsets = np.searchsorted(groups, np.arange(documents.n_documents + 1))
    return Documents(_dampened(counts), words, offsets)


def _dampened(counts: np.ndarray) -> np.ndarray:
    """Return 1 + ln n, or n if n is below 1, because 1 + ln n could be negative."""
    most = np.finfo(np.float64).max
    return np.where(counts < 1, counts, 1 + np.log(np.clip(counts, 1, most)))


def _scaled_up(offsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Scale tiny weights of documents by powers of 2, so that products are not 0."""
    exponents = np.frexp(_totals(offsets, weights))[1]
    exponents[exponents > -_EXPONENT] = 0
    if not exponents.any():
        return weights
    return np.ldexp(weights, -np.repeat(exponents, np.diff(offsets)))


def signed_roots(features: np.ndarray) -> np.ndarray:
    """Return square roots that keep the sign, in rows of length 1 or 0.

    Parameters
    ----------
    features : ndarray of shape (n_documents, n_features), float64

    Returns
    -------
    ndarray of shape (n_documents, n_features), float64
    """
    sizes = np.abs(features)
    # The squared length of a row of square roots.
    totals = sizes.sum(axis=1, keepdims=True)
    sizes /= np.where(totals > 0, totals, 1.0)
    return np.copysign(np.sqrt(sizes, out=sizes), features, out=sizes)


def count(X: Any, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the counts of words in all documents, and the number of documents.

    Parameters
    ----------
    X : csr_array of shape (n_documents, n_words)
    weights : ndarray of shape (n_documents,), float64
        How often each document counts.

    Returns
    -------
    counts : ndarray of shape (n_words,), float64
    n_documents : float
        Number of documents with words.
    """
    counts, n_documents = np.zeros(X.shape[1]), 0.0
    for rows, documents in chunks(X):
        entries = np.ones(documents.words.size)
        if documents.counts is not None:
            entries = documents.counts.astype(np.float64)
        lengths = _totals(documents.offsets, entries)
        n_documents += weights[rows][lengths > 0].sum()
        np.add.at(counts, documents.words, entries * documents.per_entry(weights[rows]))
    return counts, float(n_documents)


def document_frequencies(X: Any, weights: np.ndarray) -> np.ndarray:
    """Return, for each word, the sum of the weights of documents that contain it."""
    frequencies = np.zeros(X.shape[1])
    for first, last in row_ranges(X.indptr, _MERGED):
        offsets, words = _distinct_words(X, first, last)
        entries = np.repeat(weights[first:last], np.diff(offsets))
        np.add.at(frequencies, words, entries)
    return frequencies


def _distinct_words(X: Any, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the words of some documents, each once, and where documents begin.

    This calls the function behind SciPy's sum of matrices, which adds up the entries of
    a word, and leaves out words without a positive one.
    """
    offsets = X.indptr[first : last + 1]
    entries = slice(offsets[0], offsets[-1])
    words, present = X.indices[entries], X.data[entries] > 0
    offsets = (offsets - offsets[0]).astype(words.dtype, copy=False)
    n_words = X.shape[1]
    nothing = np.zeros_like(offsets), words[:0], present[:0]
    found = np.empty_like(offsets), np.empty_like(words), np.empty_like(present)
    _sparsetools.csr_plus_csr(
        last - first, n_words, offsets, words, present, *nothing, *found
    )
    offsets, words, _ = found
    return offsets, words[: offsets[-1]]


def gram(
    X: Any, doc_weights: np.ndarray, vectors: np.ndarray, word_weights: np.ndarray
) -> np.ndarray:
    """Return the products of weighted means, added up over documents.

    Parameters
    ----------
    X : csr_array of shape (n_documents, n_words)
    doc_weights : ndarray of shape (n_documents,), float64
    vectors : ndarray of shape (n_words, n_features), float32
    word_weights : ndarray of shape (n_words,), float64

    Returns
    -------
    ndarray of shape (n_features, n_features), float64
    """
    total = np.zeros((vectors.shape[1], vectors.shape[1]))
    with one_blas_thread():
        for rows, documents in chunks(X):
            some = means(documents, vectors, word_weights)
            total += some.T @ (doc_weights[rows, np.newaxis] * some)
    return total


def mean_sums(
    X: Any, doc_weights: np.ndarray, vectors: np.ndarray, word_weights: np.ndarray
) -> dict[str, Any]:
    """Return the sum of the weighted means of documents, and the weight of these.

    Parameters
    ----------
    X : csr_array of shape (n_documents, n_words)
    doc_weights : ndarray of shape (n_documents,), float64
    vectors : ndarray of shape (n_words, n_features), float32
    word_weights : ndarray of shape (n_words,), float64

    Returns
    -------
    dict
        "sums", ndarray of shape (n_features,), float64, and "weight", float. Documents
        of zeros do not count.
    """
    sums, weight = np.zeros(vectors.shape[1]), 0.0
    for rows, documents in chunks(X):
        some = means(sublinear(documents), vectors, word_weights, by_weight=True)
        weights = doc_weights[rows] * some.any(axis=1)
        # Without BLAS, whose sums depend on its threads.
        sums += np.einsum("i,ij->j", weights, some)
        weight += float(weights.sum())
    return {"sums": sums, "weight": weight}


def direction_sums(
    X: Any,
    doc_weights: np.ndarray,
    vectors: np.ndarray,
    word_weights: np.ndarray,
    centre: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return, for each word, the sum of the directions of documents that contain it.

    The direction of a document is its weighted mean minus the centre, divided by its
    length. It is multiplied by 1 + ln n if the word occurs n times.

    Parameters
    ----------
    X, doc_weights, vectors, word_weights
        As in `mean_sums`.
    centre : ndarray of shape (n_features,), float64

    Returns
    -------
    dict
        "sums", ndarray of shape (n_words, n_features), and "weights", ndarray of shape
        (n_words,), the weight of the documents with each word. Both are float64.
    """
    sums = np.zeros((X.shape[1], vectors.shape[1]))
    totals = np.zeros(X.shape[1])
    largest = max(float(vectors.max(initial=0.0)), -float(vectors.min(initial=0.0)))
    nothing = _NO_DIRECTION * (largest or 1.0)
    for rows, documents in chunks(X):
        documents = sublinear(documents)
        some = means(documents, vectors, word_weights, by_weight=True)
        weights = doc_weights[rows] * some.any(axis=1)
        some -= centre
        # Squares of extreme numbers would be infinite or 0.
        some /= np.maximum(np.abs(some).max(axis=1, keepdims=True, initial=0), nothing)
        lengths = np.sqrt(np.square(some).sum(axis=1, keepdims=True))
        some *= weights[:, np.newaxis] / np.where(lengths >= 1.0, lengths, np.inf)
        flat = some.reshape(-1), sums.reshape(-1)
        # As in `_add`, but with words as rows and documents as columns.
        shape = len(sums), documents.n_documents, vectors.shape[1]
        _sparsetools.csc_matvecs(
            *shape, documents.offsets, documents.words, documents.counts, *flat
        )
        np.add.at(totals, documents.words, documents.per_entry(weights))
    return {"sums": sums, "weights": totals}


def topical_vectors(
    vectors: np.ndarray, sums: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return sums of documents' directions in the size of the words' vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n_words, n_features), float32
    sums : ndarray of shape (n_words, n_features), float64
        As `direction_sums` returns them.
    weights : ndarray of shape (n_words,), float64

    Returns
    -------
    ndarray of shape (n_words, n_features), float64
        Zeros for words without documents, and for words whose vectors are zeros. The
        sum of squares of all rows equals that of the other words' vectors.
    """
    known = (weights > 0) & vectors.any(axis=1)
    found = sums / np.sqrt(np.where(known, weights, np.inf))[:, np.newaxis]
    size = np.square(vectors[known], dtype=np.float64).sum()
    return found * np.sqrt(size / (np.square(found).sum() or np.inf))


def common_components(
    gram: np.ndarray, n_components: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the leading singular vectors of rows that are not centred.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features), float64
        Products of the rows, added up.
    n_components : int

    Returns
    -------
    squares : ndarray of shape (k,), float64
        Squared singular values, largest first. k is `n_components`, or the rank of the
        rows if it is lower.
    components : ndarray of shape (k, n_features), float64
        The entry of largest absolute value of each component is positive.
    """
    if not n_components:
        return np.zeros(0), np.zeros((0, len(gram)))
    with one_blas_thread():
        squares, components = linalg.eigh(gram)
    squares, components = squares[::-1][:n_components], components.T[::-1]
    squares = squares[squares > _ROUNDING * squares[0]]
    components = components[: squares.size]
    largest = np.abs(components).argmax(axis=1)[:, np.newaxis]
    components = components * np.sign(np.take_along_axis(components, largest, axis=1))
    return squares, np.ascontiguousarray(components)


def without(
    features: np.ndarray, components: np.ndarray, shares: np.ndarray
) -> np.ndarray:
    """Subtract a share of each row's projection on every component.

    Parameters
    ----------
    features : inout ndarray of shape (n_documents, n_features), float64
    components : ndarray of shape (n_components, n_features), float64
        Orthonormal.
    shares : ndarray of shape (n_components,), float64

    Returns
    -------
    ndarray
        `features`.
    """
    lengths = np.zeros((len(features), len(components)))
    if lengths.size:
        # Without BLAS, because the bits of a row would depend on the number of rows.
        _add_dense(features, np.ascontiguousarray(components.T), lengths)
        _add_dense(lengths * -shares, components, features)
    return features


def _add_dense(matrix: np.ndarray, table: np.ndarray, sums: np.ndarray) -> None:
    n_rows, n_columns = matrix.shape
    offsets = np.arange(0, matrix.size + 1, n_columns)
    columns = np.tile(np.arange(n_columns), n_rows)
    _add(offsets, columns, matrix.reshape(-1), table, sums)


def normalised(values: np.ndarray) -> np.ndarray:
    """Return values divided by their sum, or zeros if the sum is 0."""
    total = values.sum()
    return values / total if total > 0 else np.zeros_like(values)


def find_centres(
    vectors: np.ndarray, n_clusters: int, random_state: int | None
) -> np.ndarray:
    """Return the centres of a k-means clustering of words.

    Parameters
    ----------
    vectors : ndarray of shape (n_words, n_features), float32
        Vectors of zeros are ignored.
    n_clusters : int
    random_state : int or None

    Returns
    -------
    ndarray of shape (n_clusters, n_features), float64
        If there are too few words for `n_clusters` clusters, the first centre is
        repeated. `nearest_centres` assigns no word to a repetition.
    """
    # Rows are sorted by frequency, so regular steps select frequent and rare words.
    step = -(-len(vectors) // MAX_CLUSTERED) or 1
    # Nothing is known about words whose vectors are zeros.
    rows = step * np.flatnonzero(vectors[::step].any(axis=1))
    centres = np.zeros((n_clusters, vectors.shape[1]))
    if not rows.size:
        return centres
    labels = _k_means_inplace(vectors[rows], n_clusters, random_state)
    found = np.unique(labels)
    for place, label in enumerate(found):
        # In float64, the mean of equal vectors is exactly this vector.
        members = vectors[rows[labels == label]]
        centres[place] = members.mean(axis=0, dtype=np.float64)
    centres[found.size :] = centres[0]
    return centres


def _k_means_inplace(
    sample: np.ndarray, n_clusters: int, random_state: int | None
) -> np.ndarray:
    """Return the clusters of vectors, which are overwritten.

    The bits do not depend on the number of threads.
    """
    from sklearn.cluster import KMeans

    at_most = max(1, len(sample) // _PER_CLUSTER)
    k_means = KMeans(
        min(n_clusters, at_most), n_init=1, random_state=random_state, copy_x=False
    )
    # Squares of extreme numbers would be infinite or 0. Powers of 2 are exact.
    largest = max(sample.max(), -sample.min())
    np.ldexp(sample, -np.frexp(largest)[1], out=sample)
    with one_blas_thread(), one_openmp_thread(), warnings.catch_warnings():
        # It warns about fewer clusters if vectors are equal.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return k_means.fit(sample).labels_


def clustering_memory(n_words: int, n_features: int) -> float:
    """Return the memory of `find_centres` in bytes: two copies of the vectors."""
    return 2 * 4.0 * min(n_words, MAX_CLUSTERED) * n_features


def nearest_centres(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the nearest centre of each vector, the first one among equals.

    Parameters
    ----------
    vectors : ndarray of shape (n_words, n_features), float32
    centres : ndarray of shape (n_clusters, n_features), float64

    Returns
    -------
    ndarray of shape (n_words,), int32
    """
    labels = np.empty(len(vectors), dtype=np.int32)
    lengths = np.square(centres).sum(axis=1) / 2
    with one_blas_thread():
        for first in range(0, len(vectors), _ASSIGNED):
            rows = slice(first, first + _ASSIGNED)
            products = vectors[rows].astype(np.float64) @ centres.T
            labels[rows] = np.argmin(lengths - products, axis=1)
    return labels
