"""Files of word pairs with scores and of analogy questions."""

import csv
import gzip
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Pair(NamedTuple):
    """Two words and their human similarity score."""

    first: Any
    second: Any
    score: float


def read_pairs(
    path: str | os.PathLike,
    *,
    delimiter: str | None = None,
    columns: Sequence[int] = (0, 1, 2),
    encoding: str = "utf-8",
) -> list[Pair]:
    """Read pairs of words with similarity scores from a file.

    The first line may be a header, whose field of the score does not begin with a
    digit. Empty lines are skipped, and so are lines that start with #, and what follows
    a # after the score. A file whose name ends in .gz is unpacked.

    Parameters
    ----------
    path : str or path
        A file with one pair per line.
    delimiter : str, default=None
        What separates the fields. None means what the first line contains: tabs, else
        semicolons, else commas, else blanks. Fields between commas or semicolons may
        be quoted, as in CSV files.
    columns : sequence of int, default=(0, 1, 2)
        Which fields are the first word, the second word and the score, counted from 0.
        Other fields are ignored.
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    list of Pair
        Tuples of first word, second word and score, in the order of the file. Pairs
        that occur twice are kept.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If a line has too few fields, an empty word or a score that is not a finite
        number, if the file is not in this encoding, or if it has no pairs.

    Examples
    --------
    The column of scores is the fourth in the files of SimLex-999 and SimVerb-3500::

        read_pairs("SimLex-999.txt", columns=(0, 1, 3))
    """
    if len(columns) != 3 or min(columns) < 0:
        raise ValueError(f"columns must be three numbers >= 0, got {columns!r}.")
    pairs: list[Pair] = []
    may_be_header = True
    for number, line in _lines(path, encoding):
        if not line.strip() or line.startswith("#"):
            continue
        if delimiter is None:
            delimiter = _delimiter_of(line, max(columns))
        fields = _split(line, delimiter)
        pair = _pair_of(fields, columns)
        if pair is not None:
            pairs.append(pair)
        elif not (may_be_header and _is_header(fields, columns)):
            raise ValueError(
                f"{path}, line {number}: two words and a number are needed in the "
                f"columns {tuple(columns)}, separated by {delimiter!r}, not "
                f"{line[:60]!r}. Pass delimiter or columns if the file has others."
            )
        may_be_header = False
    if not pairs:
        raise ValueError(f"{path} holds no pairs of words.")
    return pairs


def _delimiter_of(line: str, n_needed: int) -> str:
    for delimiter in "\t;,":
        if line.count(delimiter) >= n_needed:
            return delimiter
    return " "


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    if delimiter in ";,":
        fields = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
    else:
        fields = line.split(delimiter)
    return [field.strip() for field in fields]


def _is_header(fields: list[str], columns: Sequence[int]) -> bool:
    """Return whether fields are names. What begins with a digit is not."""
    if len(fields) <= max(columns):
        return False
    return not fields[columns[2]].lstrip("+-.")[:1].isdigit()


def _pair_of(fields: list[str], columns: Sequence[int]) -> Pair | None:
    try:
        first, second, score = (fields[column] for column in columns)
        pair = Pair(first, second, float(score.partition("#")[0]))
    except (IndexError, ValueError):
        return None
    return pair if first and second and math.isfinite(pair.score) else None


def read_analogies(
    path: str | os.PathLike, *, encoding: str = "utf-8"
) -> dict[str, list[tuple[str, str, str, str]]]:
    """Read analogy questions from a file in the format of ``questions-words.txt``.

    A line ``: name`` begins a section. Every other line has four words, separated by
    blanks: "a is to b as c is to d". Empty lines are skipped, and so are lines before
    the first section that start with # or //. A file whose name ends in .gz is
    unpacked.

    Parameters
    ----------
    path : str or path
        The file.
    encoding : str, default="utf-8"
        Encoding of the file.

    Returns
    -------
    dict of str to list of tuple of four str
        Questions by section. Questions before the first section belong to the section
        "". Sections of the same name are joined.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If a question does not have four words, if the file is not in this encoding, or
        if it has no questions.
    """
    sections: dict[str, list[Any]] = {}
    section = ""
    for number, line in _lines(path, encoding):
        words = line.split()
        if line.startswith(":"):
            section = line[1:].strip()
            sections.setdefault(section, [])
        elif not words or (not sections and line.startswith(("#", "//"))):
            continue
        elif len(words) != 4:
            raise ValueError(
                f"{path}, line {number}: a question has four words, not "
                f"{len(words)}: {line[:60]!r}."
            )
        else:
            sections.setdefault(section, []).append(tuple(words))
    if not any(sections.values()):
        raise ValueError(f"{path} holds no questions.")
    return sections


def _lines(path: str | os.PathLike, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers and lines of a text file."""
    data = Path(path).read_bytes()
    if os.fspath(path).endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise ValueError(f"{path} is not a whole gzip file: {error}.") from error
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {number}: not {encoding.upper()} "
            f"(byte 0x{data[error.start]:02x}, {error.reason}). "
            "Pass the encoding of the file."
        ) from error
    for number, line in enumerate(text.split("\n"), start=1):
        yield number, line.rstrip("\r")


def check_pairs(pairs: Any) -> list[Pair]:
    """Return pairs of words that were given as such or as a path.

    Raises
    ------
    TypeError
        If they are neither.
    ValueError
        If there is none, or one is not two words and a finite number.
    """
    if isinstance(pairs, str | os.PathLike):
        return read_pairs(pairs)
    listed = as_list(pairs, "pairs")
    checked = [_check_pair(number, pair) for number, pair in enumerate(listed)]
    if not checked:
        raise ValueError("pairs must not be empty.")
    return checked


def as_list(items: Any, name: str) -> list[Any]:
    """Return what a sequence holds; a string is not one."""
    if isinstance(items, str):
        raise TypeError(f"{name} must be a sequence, got the string {items!r}.")
    try:
        return list(items)
    except TypeError:
        raise TypeError(
            f"{name} must be a sequence, got {type(items).__name__}."
        ) from None


def _check_pair(number: int, pair: Any) -> Pair:
    try:
        first, second, score = pair
        checked = Pair(first, second, float(score))
    except (TypeError, ValueError):
        checked = None
    if checked is None or isinstance(pair, str) or not math.isfinite(checked.score):
        raise ValueError(
            f"pairs[{number}] must be two words and a finite number, got {pair!r}."
        )
    return checked


def check_questions(questions: Any) -> dict[str, list[tuple[Any, Any, Any, Any]]]:
    """Return analogy questions by section, given as such, as a sequence or as a path.

    Raises
    ------
    TypeError
        If they are neither.
    ValueError
        If there is none, or one does not have four words.
    """
    if isinstance(questions, str | os.PathLike):
        return read_analogies(questions)
    sections = questions if isinstance(questions, Mapping) else {"": questions}
    checked: dict[str, list[Any]] = {}
    for name, some in sections.items():
        listed = as_list(some, f"questions[{name!r}]" if name else "questions")
        checked[name] = [_check_question(name, i, one) for i, one in enumerate(listed)]
    if not any(checked.values()):
        raise ValueError("questions must not be empty.")
    return checked


def _check_question(section: Any, number: int, question: Any) -> tuple:
    is_list = hasattr(question, "__iter__") and not isinstance(question, str)
    words = tuple(question) if is_list else ()
    if len(words) != 4:
        where = f" of the section {section!r}" if section else ""
        raise ValueError(
            f"Question {number}{where} must be four words, got {question!r}."
        )
    return words
