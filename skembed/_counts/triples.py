"""Co-occurrence counts from Parquet files whose rows are (word, context, count)."""

from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import validate_params

from skembed._corpus.validation import check_vocabulary
from skembed._utils.extras import require

# Rows of a file that are read at once.
_BATCH = 2**20
# Rows are added to the result when there are so many of them, or a quarter of what the
# result holds: each of its entries is then copied a few times only.
_FEWEST = 2**21
_SHARE = 4

Triples = tuple[np.ndarray, np.ndarray, np.ndarray]  # int32, int32, float64


@validate_params(
    {
        "path": [str, PathLike, list, tuple],
        "columns": [list, tuple],
        "vocabulary": "no_validation",
    },
    prefer_skip_nested_validation=True,
)
def read_cooccurrence(
    path: Any,
    *,
    columns: tuple[str, str, str] = ("word", "context", "count"),
    vocabulary: Any = None,
) -> tuple[sparse.csr_array, dict[Any, int]]:
    """Read co-occurrence counts from Parquet files, such as those of Spark or Ray.

    Each row of a file is a word, a context and their count. Counts of the same word and
    context are added up, so jobs may write partial counts. The result can be passed to
    an embedder with ``input="cooccurrence"`` and the returned vocabulary as its
    `vocabulary`, as that of :func:`~skembed.cooccurrence`. It needs the extra
    ``parquet`` (pyarrow).

    Parameters
    ----------
    path : str, path-like, or list of them
        A file, a folder or a URI that pyarrow knows (``s3://...``). In a folder, all
        files in it and in its subfolders are read, apart from those whose names begin
        with ``_`` or ``.``.
    columns : tuple of 3 str, default=("word", "context", "count")
        The columns with words, contexts and counts. Words and contexts are str, or int
        if they are ids, also if they are encoded as a dictionary (categorical). Counts
        are integers, floats or decimals.
    vocabulary : mapping of str to int, or collection of str, default=None
        The words to keep, as in the embedders. By default, these are all words and
        contexts with a count above 0.

    Returns
    -------
    counts : csr_array of shape (n_words, n_words), float64
        Rows are words, columns are contexts. The files decide whether the matrix is
        symmetric: if they hold each pair once, pass ``counts + counts.T`` to the
        embedder. Sums of whole counts are exact up to ``2**53``, and do not depend on
        the order of rows and files. Other sums are within 1e-12 (relative) of the exact
        ones.
    vocabulary : dict of str to int, or of int to int
        Row of each word. Without a given `vocabulary`, words are sorted by the sums of
        their rows, the largest first, and words of equal sums by word.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    FileNotFoundError
        If there is no such file or folder, or a folder without files.
    OSError
        If a file cannot be read, for example because a part of it is damaged.
    TypeError
        If a column has another type.
    ValueError
        If a file is not a Parquet file or lacks a column, if a value is missing or a
        count is negative or not finite, or if there is no count above 0.

    See Also
    --------
    cooccurrence : Counts from documents.

    Notes
    -----
    Files are read in batches. The peak of the memory is about three times the result.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from pyarrow import parquet
    >>> from skembed import read_cooccurrence
    >>> words, contexts = ["sun", "sky", "sun"], ["sky", "sun", "sky"]
    >>> table = pa.table({"word": words, "context": contexts, "count": [2, 3, 1]})
    >>> parquet.write_table(table, "counts.parquet")
    >>> counts, vocabulary = read_cooccurrence("counts.parquet")
    >>> vocabulary
    {'sky': 0, 'sun': 1}
    >>> counts.toarray()
    array([[0., 3.],
           [3., 0.]])
    """
    _check_columns(columns)
    fixed = vocabulary is not None
    rows = check_vocabulary(vocabulary) if fixed else {}
    total, pending, n_pending = sparse.csr_array((0, 0)), [], 0
    for triples in _read(path, columns, rows, fixed):
        pending.append(triples)
        n_pending += triples[0].size
        if n_pending >= max(_FEWEST, total.nnz // _SHARE):
            total, n_pending = _add(total, pending, len(rows)), 0
    total = _add(total, pending, len(rows))
    if not total.nnz:
        what = f"a count of the {len(rows)} words of vocabulary" if fixed else "a count"
        raise ValueError(f"{path} holds no row with {what} above 0.")
    _check_total(total, columns[2])
    return (total, rows) if fixed else _by_sums(total, list(rows))


def _pyarrow(module: str = "pyarrow") -> Any:
    return require(module, "read_cooccurrence", "pyarrow")


def _check_columns(columns: Any) -> None:
    named = all(isinstance(name, str) for name in columns)
    if not named or len(columns) != 3 or len(set(columns)) < 3:
        raise ValueError(
            "columns must be the names of three columns, those of words, contexts and "
            f"counts, got {columns!r}."
        )


def _check_total(counts: sparse.csr_array, column: str) -> None:
    with np.errstate(over="ignore"):
        total = counts.data.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"The sum of column {column!r} is too large for float64. Divide the counts "
            "by their maximum."
        )


def _add(
    total: sparse.csr_array, pending: list[Triples], n_words: int
) -> sparse.csr_array:
    """Return counts with triples added, and empty the list of these."""
    if pending:
        words, contexts, values = map(np.concatenate, zip(*pending, strict=True))
        pending.clear()
        shape = n_words, n_words
        total.resize(shape)
        part = sparse.coo_array((values, (words, contexts)), shape=shape).tocsr()
        del words, contexts, values
        total = total + part
    return total


def _by_sums(
    counts: sparse.csr_array, words: list[Any]
) -> tuple[sparse.csr_array, dict[Any, int]]:
    """Sort words by the sums of their rows, then by word."""
    sums = (counts @ np.ones(len(words))).tolist()
    order = sorted(range(len(words)), key=lambda row: (-sums[row], words[row]))
    new_row = np.empty(len(words), dtype=counts.indices.dtype)
    new_row[order] = np.arange(len(words))
    counts = counts[order]
    # In place, as a selection of columns would be one more copy.
    for at in range(0, counts.nnz, _BATCH):
        part = counts.indices[at : at + _BATCH]
        part[:] = new_row[part]
    counts.has_sorted_indices = False
    counts.sort_indices()
    return counts, {words[row]: i for i, row in enumerate(order)}


def _read(
    path: Any, columns: tuple[str, str, str], rows: dict[Any, int], fixed: bool
) -> Iterator[Triples]:
    """Yield rows and columns of a matrix with their counts, batch after batch.

    New words are added to `rows` unless it is fixed.
    """
    kind: type | None = None
    if fixed:
        # Words may be of a subclass, such as that of NumPy.
        kind = str if isinstance(next(iter(rows)), str) else int
    for name, batch, first in _batches(path, columns):
        places = [f"column {column!r} of {name}" for column in columns]
        found = [batch.column(column) for column in columns]
        for place, values in zip(places, found, strict=True):
            if values.null_count:
                row = first + int(np.flatnonzero(values.is_null())[0])
                raise ValueError(
                    f"{place} has a missing value in row {row}. Remove such rows."
                )
        counts = _as_counts(found[2], places[2], first)
        keep = np.flatnonzero(counts)
        ids = []
        for place, values in zip(places[:2], found[:2], strict=True):
            kind = _check_kind(values.type, place, kind, fixed)
            try:
                ids.append(_as_ids(values, keep, rows, fixed))
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{place} holds text that is not UTF-8 ({error}). Write the file "
                    "again, with words in that encoding."
                ) from error
        known = np.flatnonzero((ids[0] >= 0) & (ids[1] >= 0))
        yield ids[0][known], ids[1][known], counts[keep[known]]


def _as_counts(values: Any, place: str, first: int) -> np.ndarray:
    """Return counts as float64, or raise an error that gives the row."""
    types = _pyarrow().types
    if types.is_decimal(values.type):
        values = values.cast("float64")
    elif not (types.is_integer(values.type) or types.is_floating(values.type)):
        raise TypeError(
            f"{place} is of type {values.type}. Counts must be integers, floats or "
            "decimals."
        )
    counts = values.to_numpy(zero_copy_only=False).astype(np.float64)
    wrong = ~(np.isfinite(counts) & (counts >= 0.0))
    if wrong.any():
        at = int(wrong.argmax())
        raise ValueError(
            f"{place} is {counts[at]} in row {first + at}. Counts must be finite, and "
            "not negative."
        )
    return counts


def _check_kind(of: Any, place: str, kind: type | None, fixed: bool) -> type:
    """Return whether words are str or int, or raise an error."""
    types = _pyarrow().types
    inner = of.value_type if types.is_dictionary(of) else of
    found: type | None = None
    if types.is_integer(inner):
        found = int
    elif str(inner) in ("string", "large_string", "string_view"):
        found = str
    if found is None:
        raise TypeError(
            f"{place} is of type {inner}. Words and contexts must be str, or int: "
            "convert the column."
        )
    if kind not in (None, found):
        other = "the words of vocabulary are" if fixed else "other words are"
        raise TypeError(
            f"{place} is of type {inner}, but {other} {kind.__name__}. Convert one of "
            "them, so that all are str or all are int."
        )
    return found


def _as_ids(
    values: Any, keep: np.ndarray, rows: dict[Any, int], fixed: bool
) -> np.ndarray:
    """Return the rows of words, or -1 for those that are not in a fixed vocabulary.

    Only what is kept is looked up: a dictionary may hold more than occurs.
    """
    if not hasattr(values, "dictionary"):
        values = values.dictionary_encode()
    numbers = values.indices.to_numpy()[keep]
    occurs = np.zeros(len(values.dictionary), dtype=bool)
    occurs[numbers] = True
    used = np.flatnonzero(occurs)
    words = values.dictionary.take(used).to_pylist()
    if fixed:
        ids = [rows.get(word, -1) for word in words]
    else:
        ids = [rows.setdefault(word, len(rows)) for word in words]
    row_of = np.empty(occurs.size, dtype=np.int32)
    row_of[used] = ids
    return row_of[numbers]


def _batches(
    path: Any, columns: tuple[str, str, str]
) -> Iterator[tuple[str, Any, int]]:
    """Yield the name of a file, a batch of its rows, and the number of the first one.

    Each file is opened by itself: a dataset would take the types of the first one for
    those of all files, and would read a missing column as missing values.
    """
    parquet, invalid = _pyarrow("pyarrow.parquet"), _pyarrow().ArrowInvalid
    for name, filesystem in _files(path):
        with filesystem.open_input_file(name) as stream:
            try:
                file = parquet.ParquetFile(stream)
            except invalid as error:
                raise ValueError(f"{name} is not a Parquet file: {error}") from error
            if not file.metadata.num_rows:
                # The columns of an empty part need not have a type.
                continue
            _check_names(name, file.schema_arrow.names, columns)
            # Fewer strings are made than there are rows: two thirds of the time.
            encoded = _read_as_dictionaries(file.metadata, columns[:2])
            of_file = {"read_dictionary": encoded, "metadata": file.metadata}
            file = parquet.ParquetFile(stream, **of_file)
            first = 0
            batches = file.iter_batches(_BATCH, columns=list(columns))
            for batch in _named_errors(name, batches):
                yield name, batch, first
                first += batch.num_rows


def _read_as_dictionaries(metadata: Any, columns: tuple[str, ...]) -> list[str]:
    """Return the columns whose strings pyarrow can read as dictionaries.

    It fails for nested columns, and for strings that are written as differences, as by
    Spark with the second version of Parquet's pages.
    """
    parts = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    found = []
    for i, column in enumerate(metadata.schema):
        encodings = {name for part in parts for name in part.column(i).encodings}
        if column.path in columns and not any("DELTA" in name for name in encodings):
            found.append(column.path)
    return found


def _named_errors(name: str, batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches, and name their file if it is damaged."""
    try:
        yield from batches
    except (OSError, _pyarrow().ArrowInvalid) as error:
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(
            f"{name} cannot be read: {error} If it is damaged, write it again."
        ) from error


def _files(path: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names of all files, those of a folder in order, with file systems."""
    dataset = _pyarrow("pyarrow.dataset").dataset
    paths = path if isinstance(path, (list, tuple)) else [path]
    if not paths:
        raise ValueError(f"path is {path!r}. Pass at least one file or folder.")
    for one in paths:
        try:
            # With a schema, it opens no file.
            found = dataset(one, _pyarrow().schema([]), "parquet")
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"There is no file or folder {one}. Patterns such as *.parquet are not "
                "expanded: pass a folder, or a list of files."
            ) from error
        if not found.files:
            raise FileNotFoundError(f"The folder {one} holds no files.")
        yield from ((name, found.filesystem) for name in sorted(found.files))


def _check_names(name: str, names: list[str], columns: tuple[str, str, str]) -> None:
    for column in columns:
        if names.count(column) != 1:
            many = "several columns" if column in names else "no column"
            advice = "Pass the names of the columns as columns=(word, context, count)."
            if f"{column}=" in name:
                advice = "Values in names of folders are not read: write a column."
            raise ValueError(
                f"{name} has {many} of the name {column!r}; its columns are {names}. "
                f"{advice}"
            )
