"""What the command lines share: documents, values of options, and messages."""

import argparse
import csv
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import joblib

_CSV_LIMIT = 2**31 - 1  # characters of a field; the module's own limit is 131,072
_SHOWN_COLUMNS = 20  # in an error

_Columns = tuple[str, str | None]  # of the texts and the labels
_Records = Iterator[tuple[int, dict[str, Any]]]  # with their line numbers, from 1


class InputError(Exception):
    """A file or a value that cannot be used; its text is for the user."""


def read_file(
    path: Path, text: str, label: str | None = None, limit: int | None = None
) -> tuple[list[str], list[str] | None]:
    """Return the texts and the labels in two columns of a file.

    It is CSV or JSON lines, as its name says, perhaps packed; without labels it may
    also be plain text, ``.txt``, with a document on every line that is not blank.

    Parameters
    ----------
    path : Path
    text : str
        Column of the texts.
    label : str, default=None
        Column of the labels.
    limit : int, default=None
        Read only the first so many documents.

    Returns
    -------
    texts : list of str
    labels : list of str, or None
        None without a column of labels.

    Raises
    ------
    InputError
        If the file cannot be read or is not of such a form.
    """
    packed = path.suffix.lower() == ".gz"
    kind = (path.with_suffix("") if packed else path).suffix.lower()
    readers = _READERS if label is not None else {**_READERS, ".txt": _text_records}
    if kind not in readers:
        plain = "; plain text has no labels" if kind == ".txt" else ""
        raise InputError(
            f"{path}: the name must end in {', '.join(readers)}, or one of these and "
            f".gz{plain}"
        )
    columns = text, label
    documents: list[tuple[str, str]] = []
    opener: Callable[..., Any] = gzip.open if packed else open
    try:
        with opener(path, "rb") as file:
            records = readers[kind](_lines(file, path), path, columns)
            for line, record in islice(records, limit):
                documents.append(_document(record, columns, f"{path}, line {line}"))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: not a complete gzip file ({error})") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    if not documents:
        raise InputError(f"{path}: holds no documents")
    texts = [text for text, _ in documents]
    return texts, None if label is None else [label for _, label in documents]


def _lines(file: BinaryIO, path: Path) -> Iterator[str]:
    """Yield the lines of a file in UTF-8 with their ends: LF, CR LF or CR."""
    n_lines = 0
    for content in file:
        try:
            text = content.decode("utf-8" if n_lines else "utf-8-sig")
        except UnicodeDecodeError as error:
            # What is read at once ends with LF; there may be a CR at any place.
            line = n_lines + 1 + error.object[: error.start].count(b"\r")
            byte = f"byte 0x{error.object[error.start]:02x}, {error.reason}"
            raise InputError(
                f"{path}, line {line}: not UTF-8 ({byte}); save the file as UTF-8"
            ) from error
        for line_of_text in StringIO(text, newline=""):
            n_lines += 1
            yield line_of_text


def _text_records(lines: Iterable[str], path: Path, columns: _Columns) -> _Records:
    for line, content in enumerate(lines, start=1):
        if content.strip():
            yield line, {columns[0]: content.rstrip("\r\n")}


def _csv_records(lines: Iterable[str], path: Path, columns: _Columns) -> _Records:
    csv.field_size_limit(_CSV_LIMIT)
    # Strict: a forgotten quote would otherwise make one text of the rest of the file.
    reader = csv.reader(lines, strict=True)
    line = 1
    try:
        header = next(reader, [])
        if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
            problem = f"the header is a single column, {header[0]!r}"
            raise InputError(f"{path}: {problem}; columns must be separated by commas")
        # Other columns may share a name, or have none: they are not read.
        for name in columns:
            if name is not None and header.count(name) > 1:
                raise InputError(f"{path}: two columns are called {name!r}")
        line = reader.line_num + 1
        for fields in reader:
            if fields and len(fields) != len(header):
                raise InputError(
                    f"{path}, line {line}: {len(fields)} fields, but the header has "
                    f"{len(header)}; texts with commas or line breaks need quotes"
                )
            if fields:
                yield line, dict(zip(header, fields, strict=True))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {line}: not CSV ({error})") from error


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


_READERS = {".csv": _csv_records, ".jsonl": _json_records, ".ndjson": _json_records}


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
    # NaN, which Python's JSON reader accepts, differs from itself.
    if label is None or label == "" or label != label or isinstance(label, dict | list):
        raise InputError(
            f"{place}: the label in column {label_column!r} is "
            f"{json.dumps(label)[:40]}; every document needs a label, a single value"
        )
    return text, label if isinstance(label, str) else json.dumps(label)


def _listed(names: Iterable[str]) -> str:
    """Return the first of some columns' names and how many more there are."""
    known = [name for name in names if name]
    more = len(known) - _SHOWN_COLUMNS
    listed = ", ".join(map(repr, known[:_SHOWN_COLUMNS])) or "none"
    return f"{listed} and {more:,} more" if more > 0 else listed


def docstrings() -> tuple[list[str], list[str], str]:
    """Return the documents that every installation has, and say that it takes a while.

    Returns
    -------
    texts, labels : list of str
    title : str
        Which libraries they are from, with versions.

    Raises
    ------
    InputError
        If the libraries are installed without docstrings.
    """
    # Not needed with a file: the loader imports most of three libraries.
    from skembed.datasets import load_docstrings

    tell("collecting the docstrings of the installed libraries")
    try:
        bunch = load_docstrings()
    except RuntimeError as error:
        raise InputError(str(error)) from error
    versions = ", ".join(f"{name} {number}" for name, number in bunch.versions.items())
    labels = [bunch.target_names[code] for code in bunch.target]
    return bunch.data, labels, f"docstrings of {versions}"


def tell(message: str) -> None:
    """Print a message to the user, at once, apart from results."""
    print(message, file=sys.stderr, flush=True)


def count(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        number = int(text) if text.strip().isdecimal() else -1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least}"
                + (f" to {most}" if most is not None else " on")
            )
        return number

    return parse


def jobs(text: str) -> int:
    """Read a number of threads or processes: joblib's, at most one per processor."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number == 0:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a number of processors, such as 2; -1 means all of them, "
            "-2 all but one"
        )
    return min(number, joblib.cpu_count())


def column(text: str) -> str:
    """Read the name of a column."""
    if not text:
        raise argparse.ArgumentTypeError(
            "a column without a name cannot be chosen; name it in the file"
        )
    return text


def positive(text: str) -> float:
    """Read a positive, finite number."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return number
