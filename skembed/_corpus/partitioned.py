"""Documents in partitions of Dask, whose token ids stay on the workers."""

import functools
import operator
import pickle
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, repeat, starmap
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus import matrix as _matrix
from skembed._corpus import reader, token_ids, tokenize
from skembed._corpus import vocabulary as _vocabulary
from skembed._corpus.matrix import Columns
from skembed._corpus.partitions import (
    SparseRows,
    client,
    compute,
    delay,
    holds_numbers,
    in_partition,
    is_array,
    partitions_of,
    persist,
    share,
)
from skembed._corpus.reader import Known, Reading
from skembed._corpus.validation import as_iterable, check_weights, is_frame
from skembed._corpus.vocabulary import Corpus, Vocabulary
from skembed._utils.threads import n_threads

# Results that one task adds up.
_FAN_IN = 8
# Tokens of one part, unless a partition has more.
_TASK_TOKENS = 1 << 26
_MOST_THREADS = 1 << 10


class Size(NamedTuple):
    """The size of one partition."""

    n_documents: int
    n_tokens: int
    longest: int  # tokens of its longest document with a weight


class _Numbered(NamedTuple):
    """Documents of one partition, in which words have numbers of its own."""

    token_ids: np.ndarray  # int32 (n_tokens,)
    doc_offsets: np.ndarray  # int64 (n_documents + 1,)
    # A pickled list, in the order of the numbers. Dask measures and sends bytes fast,
    # a list of str slowly.
    words: bytes
    n_words: int


class _Counted(NamedTuple):
    """Words and how often each occurs."""

    words: bytes  # a pickled list
    counts: np.ndarray  # int64 or float64 (n_words,)


class _Shape(NamedTuple):
    """What the process that fits has to know of the matrix in a partition."""

    n_documents: int
    n_entries: int
    columns: Columns | None  # None if there are no rows
    is_double: bool  # whether the numbers are float64


class _Matrix(NamedTuple):
    """Rows of a documents x words matrix in one partition."""

    rows: SparseRows
    columns: Columns | None  # None if there are no rows


@dataclass(frozen=True)
class PartitionedCorpus:
    """Documents as token ids, in partitions of Dask.

    It has the attributes of a `Corpus` that do not grow with the documents.

    Attributes
    ----------
    parts : list of Delayed
        Each is a `Corpus`.
    sizes : list of Size
        Of each part.
    word_counts : ndarray of shape (n_words,), int64 or float64
    is_matrix : bool
        Whether documents are rows of a matrix.
    doc_weights : ndarray of shape (n_documents,), float64, or None
    """

    parts: list[Any]
    sizes: list[Size]
    word_counts: np.ndarray
    is_matrix: bool = False
    doc_weights: np.ndarray | None = None
    counts: ClassVar[None] = None
    key: ClassVar[None] = None

    @property
    def n_documents(self) -> int:
        return sum(size.n_documents for size in self.sizes)

    @property
    def n_tokens(self) -> int:
        return sum(size.n_tokens for size in self.sizes)

    @property
    def longest(self) -> int:
        return max((size.longest for size in self.sizes), default=0)

    def map(self, function: Callable[..., Any], *shared: Any) -> list[Any]:
        """Return the results of a function for each part, in order.

        Parameters
        ----------
        function : callable
            It is called by workers as ``function(part, *shared)``.
        *shared : object
            Values that are the same for all parts. Each is sent once.

        Returns
        -------
        list
        """
        return compute(self._calls(function, shared))

    def sum(self, function: Callable[..., Any], *shared: Any) -> Any:
        """Return the sum of the results of a function for each part.

        Parameters
        ----------
        function, *shared
            As in `map`. The results are arrays, or dicts of arrays and numbers.
        """
        tasks = self._calls(function, shared)
        return compute([add_in_tree(add_results, tasks)])[0]

    def gather(self) -> Corpus:
        """Return all documents, in the memory of this process."""
        return _vocabulary.join(compute(self.parts))

    def _calls(self, function: Callable[..., Any], shared: tuple[Any, ...]) -> list:
        sent = share((function, shared))
        sizes = [size.n_documents for size in self.sizes]
        firsts = np.cumsum([0, *sizes])[:-1].tolist()
        return [
            delay(_call, *one, sent) for one in zip(self.parts, firsts, strict=True)
        ]


def add_in_tree(function: Callable[[list[Any]], Any], tasks: Sequence[Any]) -> Any:
    """Return a Delayed sum of results, of which few are together in one task.

    Parameters
    ----------
    function : callable
        It takes a list of results, in order, and returns their sum.
    tasks : sequence of Delayed
        At least one.
    """
    tasks = list(tasks)
    while len(tasks) > 1:
        groups = [tasks[i : i + _FAN_IN] for i in range(0, len(tasks), _FAN_IN)]
        tasks = [delay(function, group) for group in groups]
    return tasks[0]


def read(
    estimator: Any, X: Any, sample_weight: Any = None, known: Known | None = None
) -> Reading:
    """Read a collection of Dask on its workers, as `reader.read` reads other input.

    Parameters
    ----------
    estimator, sample_weight, known
        As in `reader.read`.
    X : bag, array, frame or Series of Dask

    Returns
    -------
    Reading
        With a `PartitionedCorpus`.

    Raises
    ------
    ValueError
        As in `reader.read`. An error about a document names its partition.
    """
    if estimator.input != "token_ids":
        if holds_numbers(X):
            return _read_matrix(estimator, X, sample_weight, known)
        if is_frame(X):
            # Its columns are known before anything is computed.
            as_iterable(X._meta)
    choice, tokeniser = reader.how_to_read(estimator, X, known)
    number: Callable[..., Any] = token_ids.number
    if tokeniser is not None:
        number = partial(tokenize.number, vectorizer=tokeniser)
    number = share(partial(number, missing=estimator.missing))
    parts = partitions_of(X)
    parts = persist(delay(_number, *one, number) for one in enumerate(parts))
    shapes = compute(delay(_shape, part) for part in parts)
    n_documents = [shape[0] for shape in shapes]
    weights = check_weights(sample_weight, sum(n_documents))
    of_parts = _split(weights, n_documents)
    vocabulary = None
    rows = choice.rows
    if not choice.is_fixed:
        vocabulary = _choose(parts, of_parts, choice, sum(n_documents), weights)
        rows = vocabulary.rows
    assert rows is not None
    shared = share(pickle.dumps(list(rows)))
    groups = _groups([shape[1] for shape in shapes], n_tasks(estimator.n_jobs))
    numbered = parts
    parts = persist(
        delay(_translate, numbered[group], of_parts[group], shared) for group in groups
    )
    sizes = compute(delay(_size, part) for part in parts)
    # Only now, because calls with a list of persisted objects do not hold them.
    del numbered
    if vocabulary is None:
        tasks = [delay(_vocabulary.add_up, part, len(rows)) for part in parts]
        (counts,) = compute([add_in_tree(_add_arrays, tasks)])
        vocabulary = Vocabulary(rows, counts)
        if not choice.is_known:
            n_tokens = sum(size.n_tokens for size in sizes)
            _vocabulary.check_occurs(vocabulary, n_tokens, sum(n_documents), weights)
    corpus: Any = PartitionedCorpus(parts, sizes, vocabulary.counts, False, weights)
    return Reading(corpus, vocabulary, None, np.float32)


def n_tasks(n_jobs: int | None) -> int:
    """Return how many tasks run at the same time.

    Parameters
    ----------
    n_jobs : int or None
        Number of threads if there is no cluster, by joblib's rules.
    """
    cluster = client()
    if cluster is None:
        return n_threads(n_jobs, _MOST_THREADS)
    return max(1, sum(cluster.nthreads().values()))


def _groups(sizes: list[int], wanted: int) -> list[slice]:
    """Join neighbouring partitions: about one group for each task at a time.

    Counts of a few large parts take less memory, and less time to add up, than those of
    many small ones.
    """
    n_tokens = np.array(sizes)
    total = max(1, int(n_tokens.sum()))
    wanted = max(wanted, -(-total // _TASK_TOKENS))
    middle = np.cumsum(n_tokens) - n_tokens / 2
    numbers = np.minimum(middle * wanted / total, wanted - 1).astype(np.int64)
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), n_tokens.size]
    return list(starmap(slice, pairwise(edges)))


def _split(weights: np.ndarray | None, n_documents: list[int]) -> list[Any]:
    """Return the weights of each partition's documents."""
    if weights is None:
        return [None] * len(n_documents)
    return np.split(weights, np.cumsum(n_documents)[:-1])


def _choose(
    parts: list[Any],
    of_parts: list[Any],
    choice: Any,
    n_documents: int,
    weights: np.ndarray | None,
) -> Vocabulary:
    """Choose the vocabulary of numbered parts."""
    tasks = map(partial(delay, _count_words), parts, of_parts)
    total = add_in_tree(_add_words, list(tasks))
    min_count, most = choice.limits
    if choice.rows is not None:
        words, counts = _unpacked(*compute([total]))
        return _vocabulary.choose_more(words, counts, min_count, most, choice.rows)
    # Most words of a large corpus are rare. They do not leave the workers.
    (total,) = persist([total])
    words, counts = _unpacked(*compute([delay(_frequent, total, min_count)]))
    if not words:
        words, counts = _unpacked(*compute([total]))
    return _vocabulary.choose(words, counts, min_count, most, n_documents, weights)


def _unpacked(counted: _Counted) -> tuple[list[Any], np.ndarray]:
    return pickle.loads(counted.words), counted.counts


# --- on the workers -------------------------------------------------------------------


def _number(position: int, part: Any, number: Callable[..., Any]) -> _Numbered:
    with in_partition(position):
        ids, offsets, words = number(part)
    pickled = pickle.dumps(words)
    return _Numbered(np.asarray(ids), np.asarray(offsets), pickled, len(words))


def _shape(part: _Numbered) -> tuple[int, int]:
    """Return the number of documents and of tokens."""
    return part.doc_offsets.size - 1, part.token_ids.size


def _size(part: Corpus) -> Size:
    return Size(part.n_documents, part.n_tokens, part.longest)


def _count_words(part: _Numbered, weights: np.ndarray | None) -> _Counted:
    """Return how often each word of a part occurs."""
    corpus = Corpus(part.token_ids, part.doc_offsets, None, weights)
    return _Counted(part.words, _vocabulary.add_up(corpus, part.n_words))


def _add_words(parts: list[_Counted]) -> _Counted:
    numbers: defaultdict[Any, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    # A lookup in a dict with a default runs without a step of Python for each word.
    rows = [
        np.fromiter(map(numbers.__getitem__, words), np.int64, counts.size)
        for words, counts in map(_unpacked, parts)
    ]
    total = np.zeros(len(numbers), dtype=parts[0].counts.dtype)
    for of_part, part in zip(rows, parts, strict=True):
        total[of_part] += part.counts
    return _Counted(pickle.dumps(list(numbers)), total)


def _frequent(counted: _Counted, min_count: int) -> _Counted:
    """Return the words that are not rare."""
    words, counts = _unpacked(counted)
    found = np.flatnonzero(counts >= min_count)
    return _Counted(pickle.dumps([words[i] for i in found]), counts[found])


def _translate(parts: list[_Numbered], weights: list[Any], words: bytes) -> Corpus:
    """Return some parts as one, in rows of the vocabulary, without other words."""
    rows = {word: row for row, word in enumerate(pickle.loads(words))}
    corpora, new_rows = [], []
    for part, of_part in zip(parts, weights, strict=True):
        found = map(rows.get, pickle.loads(part.words), repeat(-1))
        new_rows.append(np.fromiter(found, np.int32, part.n_words))
        corpora.append(Corpus(part.token_ids, part.doc_offsets, None, of_part))
    return _vocabulary.translate(corpora, new_rows)


def _call(
    part: Corpus, first: int, sent: tuple[Callable[..., Any], tuple[Any, ...]]
) -> Any:
    function, shared = sent
    try:
        return function(part, *shared)
    except ValueError as error:
        where = f"Its position counts from document {first} of X."
        raise ValueError(f"{error} {where}") from None


def add_results(parts: list[Any]) -> Any:
    """Return the sum of results: of arrays and numbers, or of dicts of these."""
    if not isinstance(parts[0], dict):
        return _add_arrays(parts)
    names = parts[0]
    return {name: _add_arrays([part[name] for part in parts]) for name in names}


def _add_arrays(parts: list[Any]) -> Any:
    # A sum of int64 and float64 is float64.
    return functools.reduce(operator.add, parts)


# --- matrices -------------------------------------------------------------------------


def _read_matrix(
    estimator: Any, X: Any, sample_weight: Any, known: Known | None
) -> Reading:
    """Read a documents x words matrix. Counts of words are gathered."""
    if estimator.input == "cooccurrence":
        return reader.read(estimator, X, sample_weight, known)
    rows = reader.rows_for_matrix(estimator, known)
    found = share((_names_for_errors(estimator), rows, known and known.columns))
    labels = share(range(X.shape[1]) if is_array(X) else list(X.columns))
    parts = persist(
        delay(_read_part, *one, found, labels) for one in enumerate(partitions_of(X))
    )
    shapes = compute(delay(_shape_of_matrix, part) for part in parts)
    n_documents = [shape.n_documents for shape in shapes]
    weights = check_weights(sample_weight, sum(n_documents))
    of_parts = _split(weights, n_documents)
    columns = next((shape.columns for shape in shapes if shape.columns), None)
    if columns is None:
        raise ValueError("X holds no documents: pass at least one.")
    tasks = map(partial(delay, _totals), parts, of_parts)
    (totals,) = compute([add_in_tree(_add_arrays, list(tasks))])
    most = estimator.max_features if known is None else None
    n_entries = sum(shape.n_entries for shape in shapes)
    _matrix.check_totals(totals, n_entries, weights)
    vocabulary, columns = _matrix.choose_columns(columns, totals, most)
    if known is not None:
        vocabulary = Vocabulary(known.rows, vocabulary.counts)
    parts = persist(
        delay(_to_corpus, part, columns.chosen, of_part)
        for part, of_part in zip(parts, of_parts, strict=True)
    )
    sizes = compute(delay(_size, part) for part in parts)
    corpus: Any = PartitionedCorpus(parts, sizes, vocabulary.counts, True, weights)
    is_double = any(shape.is_double for shape in shapes)
    return Reading(corpus, vocabulary, columns, np.float64 if is_double else np.float32)


def _names_for_errors(estimator: Any) -> Any:
    """Return an estimator with the attributes that a matrix is compared with."""
    if isinstance(estimator, SimpleNamespace):
        return estimator
    bare = object.__new__(type(estimator))
    names = ("n_features_in_", "feature_names_in_")
    bare.__dict__ = {n: v for n, v in vars(estimator).items() if n in names}
    return bare


def _read_part(
    position: int, part: Any, found: tuple, labels: Sequence[Any]
) -> _Matrix:
    if not part.shape[0]:
        return _Matrix(SparseRows.of(sparse.csr_array((0, len(labels)))), None)
    with in_partition(position):
        _check_labels(part, labels)
        rows, columns = _matrix.read(part, *found)
    return _Matrix(SparseRows.of(rows), columns)


def _check_labels(part: Any, labels: Sequence[Any]) -> None:
    """Raise a ValueError if a matrix has other columns than its collection has."""
    found = list(part.columns) if is_frame(part) else range(part.shape[1])
    if len(found) != len(labels):
        raise ValueError(
            f"it has {len(found)} columns, but X has {len(labels)}. All partitions "
            "need the columns that X has."
        )
    for i, (one, other) in enumerate(zip(found, labels, strict=True)):
        if one != other:
            raise ValueError(
                f"its column {i} is {one!r}, but that of X is {other!r}. All "
                "partitions need the columns that X has, in one order."
            )


def _shape_of_matrix(part: _Matrix) -> _Shape:
    rows, columns = part
    is_double = columns is not None and rows.values.dtype == np.float64
    return _Shape(rows.indptr.size - 1, rows.values.size, columns, is_double)


def _totals(part: _Matrix, weights: np.ndarray | None) -> np.ndarray:
    if part.columns is None:
        return np.zeros(part.rows.n_columns, np.int64)
    return _matrix.totals(part.rows.matrix(), weights)


def _to_corpus(
    part: _Matrix, chosen: np.ndarray | None, weights: np.ndarray | None
) -> Corpus:
    columns = Columns(part.rows.n_columns, None, None, chosen)
    return _matrix.to_corpus(_matrix.choose(part.rows.matrix(), columns), weights)
