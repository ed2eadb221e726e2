"""Documents as rows of token ids, which become a corpus without being strings."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skembed._corpus import vocabulary
from skembed._corpus.validation import (
    as_python,
    check_holds_data,
    describe,
    is_frame,
    is_int,
    is_missing,
    rows_of,
)
from skembed._corpus.vocabulary import Corpus, chunks
from skembed._utils.files import FileArray

PAD = -1
# Corpora hold int32.
LARGEST_ID = 2**31 - 1
# Ids that are checked at once.
_CHUNK = 2**18
# Ids are found in a table of all smaller ids if it has at most this many entries for
# each token, or at most so many entries in total.
_DENSE, _SMALL = 8, 2**16
_ADVICE = (
    "With input='token_ids', X is a 2-D integer array: rows are documents, entries are "
    f"ids from 0 to {LARGEST_ID}, and {PAD} stands for no token."
)


class _Block(NamedTuple):
    """Some documents."""

    first: int  # position of the first one
    numbers: np.ndarray  # of all their tokens, any type
    lengths: np.ndarray  # int64, of each document


def number(
    X: Any,
    report: Callable[[float], bool] | None = None,
    missing: str = "error",
    ids: FileArray | None = None,
) -> tuple[Any, array, list[int]]:
    """Number the distinct ids of documents, in the order of the ids.

    Parameters
    ----------
    X : array of shape (n_documents, n_tokens), or iterable of 1-D arrays, of int
        An id of -1 stands for no token. Whole floats are allowed. It is iterated once.
    report : callable, default=None
        Called now and then with the share of the documents that are done.
    missing : {"error", "empty"}, default="error"
        Whether missing documents of an iterable raise an error or are empty.
    ids : FileArray, default=None
        An empty array of C int for the numbers. By default, a new array in memory.

    Returns
    -------
    ids : array of C int, or FileArray
        The numbers of all tokens, document after document, without pads.
    offsets : array of C long long
        Where each document begins in `ids`, and where the last one ends.
    words : list of int
        The distinct ids.

    Raises
    ------
    ValueError
        If `X` or one of its documents is not valid.
    """
    all_ids, offsets = array("i") if ids is None else ids, array("q", [0])
    n_documents = len(X) if report is not None and hasattr(X, "__len__") else np.inf
    for block in _blocks(X, missing):
        found, lengths = _without_pads(_as_int32(block), block.lengths)
        offsets.frombytes((len(all_ids) + np.cumsum(lengths)).tobytes())
        all_ids.frombytes(found.tobytes())
        if report is not None:
            report((block.first + lengths.size) / n_documents)
    return all_ids, offsets, _number_inplace(np.asarray(all_ids)).tolist()


def look_up(
    X: Any,
    rows: Mapping[int, int],
    report: Callable[[float], bool] | None = None,
    missing: str = "error",
    n_rows: int | None = None,
    ids: FileArray | None = None,
) -> Corpus:
    """Return documents as rows of the given ids, without other tokens.

    Parameters
    ----------
    X, report, missing, ids
        As in `number`.
    rows : mapping of int to int
    n_rows : int, default=None
        Number of rows. By default the number of ids.

    Returns
    -------
    Corpus

    Raises
    ------
    ValueError
        As in `number`, or if the row of an id in the documents is not valid.
    """
    numbered, offsets, words = number(X, report, missing, ids)
    known = [word for word in words if word in rows]
    numbers = rows_of(rows, known, len(rows) if n_rows is None else n_rows)
    index = dict(zip(known, numbers.tolist(), strict=True))
    return vocabulary.chosen(numbered, offsets, words, index, None)


def coverage(X: Any, rows: Mapping[int, int], missing: str = "error") -> np.ndarray:
    """Return the share of each document's tokens that are among given ids.

    Parameters
    ----------
    X, rows, missing
        As in `look_up`.

    Returns
    -------
    ndarray of shape (n_documents,), float64
        0 for a document without tokens.
    """
    ids, offsets, words = number(X, None, missing)
    lengths = np.diff(np.asarray(offsets))
    index = {word: 0 for word in words if word in rows}
    known = vocabulary.chosen(ids, array("q", offsets), words, index, None)
    return np.diff(known.doc_offsets) / np.maximum(lengths, 1)


def _number_inplace(token_ids: np.ndarray) -> np.ndarray:
    """Replace ids by their numbers among the distinct ids; return these, sorted."""
    most = int(token_ids.max(initial=-1))
    if most < max(_DENSE * token_ids.size, _SMALL):
        seen = np.zeros(most + 1, dtype=bool)
        for chunk in chunks(token_ids):
            seen[chunk] = True
        words = np.flatnonzero(seen)
        if words.size <= most:
            vocabulary.renumber(token_ids, np.cumsum(seen, dtype=np.int32) - 1)
        return words
    # A table of all smaller ids would take more memory than the documents.
    words = np.unique(np.concatenate([np.unique(chunk) for chunk in chunks(token_ids)]))
    for chunk in chunks(token_ids):
        chunk[:] = np.searchsorted(words, chunk)
    return words


def _without_pads(
    ids: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return ids and lengths of documents without pads."""
    kept = ids != PAD
    if kept.all():
        return ids, lengths
    before = np.concatenate([[0], np.cumsum(kept)])
    ends = np.cumsum(lengths)
    return ids[kept], before[ends] - before[ends - lengths]


def _as_int32(block: _Block) -> np.ndarray:
    """Return checked ids of documents."""
    numbers = block.numbers
    low, high = numbers.min(initial=0), numbers.max(initial=0)
    whole = numbers.dtype.kind != "f" or (numbers == np.floor(numbers)).all()
    # A NaN is neither.
    if low >= PAD and high <= LARGEST_ID and whole:
        return numbers.astype(np.int32, copy=False)
    wrong = ~((numbers >= PAD) & (numbers <= LARGEST_ID))
    wrong |= numbers != np.floor(numbers)
    place = int(np.flatnonzero(wrong)[0])
    row = int(np.searchsorted(np.cumsum(block.lengths), place, side="right"))
    column = place - int(block.lengths[:row].sum())
    raise _bad_id(block.first + row, column, numbers[place].item())


def _bad_id(row: int, column: int, value: Any) -> ValueError:
    where = f"Token {column} in row {row} of X is {describe(value)}"
    if not is_int(value) and not (isinstance(value, float) and value.is_integer()):
        return ValueError(f"{where}, not an id. {_ADVICE}")
    if value < PAD:
        return ValueError(f"{where}: no id is below {PAD}. {_ADVICE}")
    return ValueError(
        f"{where}, which is larger than int32 holds. Number the ids anew, e.g. by "
        "numpy.unique(X, return_inverse=True)."
    )


def _blocks(X: Any, missing: str) -> Iterator[_Block]:
    """Return an iterator over the documents, many at a time."""
    check_holds_data(X)
    if sparse.issparse(X):
        raise ValueError(f"X is a sparse matrix of shape {X.shape}. {_ADVICE}")
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(f"X is a masked array. Fill it first: X.filled({PAD}).")
    is_array = isinstance(X, (np.ndarray, memoryview)) or is_frame(X)
    if is_array or (hasattr(X, "__array__") and getattr(X, "ndim", 1) == 2):
        X = np.asarray(X)
    if not isinstance(X, np.ndarray) or (X.ndim == 1 and X.dtype.kind == "O"):
        return _gather(X, missing)
    if X.ndim != 2:
        advice = "For one document, pass X.reshape(1, -1). " if X.ndim == 1 else ""
        raise ValueError(
            f"X is a {X.ndim}-dimensional array of shape {X.shape}. {advice}{_ADVICE}"
        )
    return _gather(X, missing) if X.dtype.kind not in "iuf" else _cut(X)


def _cut(X: np.ndarray) -> Iterator[_Block]:
    """Yield some rows of an array at a time, as a copy would double the memory."""
    n_rows = max(1, _CHUNK // max(X.shape[1], 1))
    for first in range(0, len(X), n_rows):
        part = X[first : first + n_rows]
        yield _Block(first, part.ravel(), np.full(len(part), part.shape[1]))


def _gather(X: Any, missing: str) -> Iterator[_Block]:
    """Yield some documents of an iterable at a time."""
    if isinstance(X, (str, bytes, Mapping)) or not isinstance(X, Iterable):
        raise ValueError(f"X is {describe(X)}. {_ADVICE}")
    held: list[np.ndarray] = []
    size = position = 0
    for position, document in enumerate(as_python(X), 1):
        held.append(_as_row(position - 1, document, missing))
        # An empty document takes memory, too.
        size += held[-1].size + 1
        if size >= _CHUNK:
            yield _joined(position, held)
            held, size = [], 0
    if held:
        yield _joined(position, held)


def _joined(end: int, rows: list[np.ndarray]) -> _Block:
    lengths = np.array([row.size for row in rows], dtype=np.int64)
    return _Block(end - len(rows), np.concatenate(rows), lengths)


def _as_row(position: int, document: Any, missing: str) -> np.ndarray:
    """Return the numbers of a document of an iterable, as an array."""
    if missing == "empty" and is_missing(document):
        return np.empty(0, dtype=np.int32)
    if not isinstance(document, (list, tuple, np.ndarray)):
        raise ValueError(
            f"Row {position} of X is {describe(document)}, not a document of token "
            f"ids. {_ADVICE}"
        )
    row = np.asarray(document, dtype=None if len(document) else np.int32)
    if row.ndim == 1 and row.dtype.kind in "iuf":
        return row
    for column, value in enumerate(document):
        if not is_int(value) or not PAD <= value <= LARGEST_ID:
            raise _bad_id(position, column, value)
    return row.astype(np.int32)
