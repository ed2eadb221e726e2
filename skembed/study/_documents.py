"""The documents of the command lines: from a file, or installed docstrings."""

import argparse
import codecs
import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skembed.study._progress import tell

SEPARATORS = {".csv": ",", ".tsv": "\t"}
_CSV_LIMIT = 2**31 - 1  # characters of a field; the module's own limit is 131,072
_SHOWN_COLUMNS = 20  # in an error
# A character that decoded text files cannot contain.
_MARK = "\ud800"

_Columns = tuple[str, str | None]  # of the texts and the labels
_Records = Iterator[tuple[int, dict[str, Any]]]  # with their line numbers, from 1


class InputError(ValueError):
    """A file or a value that cannot be used. The message is for the user."""


class Documents(NamedTuple):
    """Texts, their labels (if there are any), and their name."""

    texts: list[str]
    labels: list[str] | None
    title: str


def load(options: argparse.Namespace, draw: bool) -> Documents:
    """Return the documents that the options of a command line select.

    Parameters
    ----------
    options : Namespace
    draw : bool
        Whether `max_documents` selects a random sample of a file, or the documents at
        its beginning.

    Returns
    -------
    Documents
    """
    size = options.max_documents
    if options.data:
        texts, labels = read_file(
            options.data,
            options.text,
            options.label,
            None if draw else size,
            encoding=options.encoding,
            separator=options.separator,
            quotes=options.quotes,
        )
        found = Documents(texts, labels, options.data.name)
    else:
        found = docstrings()
        draw = True  # they are sorted by their classes
    if size and draw:
        numbers = sample(len(found.texts), size, options.seed)
        texts = [found.texts[i] for i in numbers]
        labels = found.labels and [found.labels[i] for i in numbers]
        found = Documents(texts, labels, found.title)
    n_empty = sum(not text.strip() for text in found.texts)
    if n_empty == len(found.texts):
        raise InputError(f"{options.data}, --text {options.text}: all texts are empty")
    if n_empty:
        tell(f"note: {n_empty} of {len(found.texts)} texts are empty")
    return found


def sample(n_documents: int, size: int, seed: int) -> list[int]:
    """Return the numbers of `size` random documents, or of all, in ascending order."""
    size = min(size, n_documents)
    drawn = np.random.default_rng(seed).choice(n_documents, size, replace=False)
    return sorted(drawn.tolist())


def docstrings() -> Documents:
    """Return the documents that every installation has.

    Raises
    ------
    InputError
        If the libraries are installed without docstrings.
    """
    # Imported here, because the loader imports most of three libraries.
    from skembed.datasets import load_docstrings

    tell("collecting the docstrings of the installed libraries")
    try:
        bunch = load_docstrings()
    except RuntimeError as error:
        raise InputError(str(error)) from error
    versions = ", ".join(f"{name} {number}" for name, number in bunch.versions.items())
    labels = [bunch.target_names[code] for code in bunch.target]
    return Documents(bunch.data, labels, f"docstrings of {versions}")


def read_file(
    path: Path,
    text: str,
    label: str | None = None,
    limit: int | None = None,
    *,
    encoding: str = "utf-8",
    separator: str | None = None,
    quotes: bool = True,
) -> tuple[list[str], list[str] | None]:
    """Return the texts and the labels in two columns of a file.

    The file name gives the format: CSV, TSV or JSON lines, possibly compressed. Without
    labels, it may also be plain text, with one document on each line that is not blank.

    Parameters
    ----------
    path : Path
    text : str
        Column of the texts.
    label : str, default=None
        Column of the labels.
    limit : int, default=None
        Read only so many documents, from the beginning.
    encoding : str, default="utf-8"
    separator : str, default=None
        Separator of columns. By default a comma in CSV and a tab in TSV.
    quotes : bool, default=True
        Whether fields of CSV or TSV may be quoted.

    Returns
    -------
    texts : list of str
    labels : list of str, or None
        None without a column of labels.

    Raises
    ------
    InputError
        If the file cannot be read or has another format.
    """
    columns = text, label
    kind = _kind(path, label is not None)
    if kind in SEPARATORS:
        form = {
            "delimiter": separator or SEPARATORS[kind],
            "quoting": csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        }
        records = _table_records(read_lines(path, encoding), path, columns, form)
    elif separator or not quotes:
        option = "--separator" if separator else "--no-quotes"
        raise InputError(f"{path}: {option} belongs to {' and '.join(SEPARATORS)}")
    else:
        reader = _text_records if kind == ".txt" else _json_records
        records = reader(read_lines(path, encoding), path, columns)
    documents = [
        _document(record, columns, f"{path}, line {line}")
        for line, record in islice(records, limit)
    ]
    if not documents:
        raise InputError(f"{path}: holds no documents")
    texts = [text for text, _ in documents]
    return texts, None if label is None else [label for _, label in documents]


def _kind(path: Path, has_labels: bool) -> str:
    """Return the ending of a file name that gives its format."""
    kind = (path.with_suffix("") if _is_packed(path) else path).suffix.lower()
    kinds = [*SEPARATORS, ".jsonl", ".ndjson", *([] if has_labels else [".txt"])]
    if kind not in kinds:
        plain = "; plain text has no labels" if kind == ".txt" else ""
        raise InputError(
            f"{path}: the name must end in {', '.join(kinds)}, or one of these and "
            f".gz{plain}"
        )
    return kind


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _mark_error(error: UnicodeError) -> tuple[str, int]:
    """Replace a byte that cannot be decoded by a mark, to find its line."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start]
    return f"{_MARK}byte 0x{byte:02x}, {error.reason}{_MARK}", error.end


codecs.register_error("skembed.mark", _mark_error)


def read_lines(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of a file, possibly compressed, with their ends: LF, CRLF or CR.

    Raises
    ------
    InputError
        If the file cannot be read, or a line is not in this encoding.
    """
    opener: Callable[..., Any] = gzip.open if _is_packed(path) else open
    # Windows programs begin a file with a byte order mark.
    name = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    try:
        with (
            opener(path, "rb") as file,
            TextIOWrapper(file, name, errors="skembed.mark", newline="") as lines,
        ):
            for number, line in enumerate(lines, start=1):
                if _MARK in line:
                    raise InputError(
                        f"{path}, line {number}: not {encoding.upper()} "
                        f"({line.split(_MARK)[1]}); name the file's encoding with "
                        "--encoding"
                    )
                yield line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a complete gzip file ({error})") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def _text_records(lines: Iterable[str], path: Path, columns: _Columns) -> _Records:
    for line, content in enumerate(lines, start=1):
        if content.strip():
            yield line, {columns[0]: content.rstrip("\r\n")}


def _table_records(
    lines: Iterable[str], path: Path, columns: _Columns, form: dict[str, Any]
) -> _Records:
    csv.field_size_limit(_CSV_LIMIT)
    # Strict: otherwise a missing quote would turn the rest of the file into one text.
    reader = csv.reader(lines, strict=True, **form)
    line = 1
    try:
        header = next(reader, [])
        if (
            len(header) == 1
            and header[0] not in columns
            and set(header[0]) & set(",;\t|")
        ):
            raise InputError(
                f"{path}: the header is a single column, {header[0]!r}; name what "
                "separates columns with --separator"
            )
        # Other columns are not read. They may share a name, or have none.
        for name in columns:
            if name is not None and header.count(name) > 1:
                raise InputError(f"{path}: two columns are called {name!r}")
        line = reader.line_num + 1
        for fields in reader:
            if fields and len(fields) != len(header):
                raise InputError(
                    f"{path}, line {line}: {len(fields)} fields, but the header has "
                    f"{len(header)}; texts with separators or line breaks need quotes"
                )
            if fields:
                yield line, dict(zip(header, fields, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        advice = "" if form["quoting"] else "; --no-quotes takes quotes as they are"
        raise InputError(f"{path}, line {line}: not CSV ({error}){advice}") from error


def _json_records(lines: Iterable[str], path: Path, columns: _Columns) -> _Records:
    for line, content in enumerate(lines, start=1):
        if not content.strip():
            continue
        try:
            record = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {line}: not JSON ({error})") from error
        if not isinstance(record, dict):
            raise InputError(
                f"{path}, line {line}: a JSON object is needed on every line, not "
                f"{content.strip()[:40]}"
            )
        yield line, record


def _document(record: dict[str, Any], columns: _Columns, place: str) -> tuple[str, str]:
    """Return a record's text and label; the label is empty without a column."""
    text_column, label_column = columns
    for option, column in zip(("--text", "--label"), columns, strict=True):
        if column is not None and column not in record:
            raise InputError(
                f"{place}: no column {column!r}; there are {_listed(record)}: name one "
                f"with {option}"
            )
    text = record[text_column]
    if not isinstance(text, str):
        raise InputError(
            f"{place}: the text in column {text_column!r} is {json.dumps(text)[:40]}, "
            "not a string; leave such documents out or give them an empty text"
        )
    if label_column is None:
        return text, ""
    label = record[label_column]
    # Python's JSON reader accepts NaN, which is not equal to itself.
    if label is None or label == "" or label != label or isinstance(label, dict | list):
        raise InputError(
            f"{place}: the label in column {label_column!r} is "
            f"{json.dumps(label)[:40]}; every document needs a label, a single value"
        )
    return text, label if isinstance(label, str) else json.dumps(label)


def _listed(names: Iterable[str]) -> str:
    """Return the first names of columns, and the number of further ones."""
    known = [name for name in names if name]
    more = len(known) - _SHOWN_COLUMNS
    listed = ", ".join(map(repr, known[:_SHOWN_COLUMNS])) or "none"
    return f"{listed} and {more:,} more" if more > 0 else listed
