"""Files of word vectors: which format it is, and who reads and writes it."""

import gzip
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skembed._version import __version__
from skembed.vectors import _binary, _exchange, _fasttext, _safetensors, _text
from skembed.vectors._sources import Parts
from skembed.vectors._stream import Stream

# With text and binary formats these two may be packed by gzip.
TEXT = ("word2vec", "glove", "fasttext")
READABLE = (*TEXT, "word2vec-binary", "safetensors", "fasttext-bin")
WRITABLE = (*TEXT, "word2vec-binary", "safetensors", "model2vec")

# First bytes of files that hold no vectors that can be read here, and what to do.
_OTHERS = {
    b"PK\x03\x04": "a zip archive. Unpack it, and load a file of it",
    b"\xfd7zXZ\x00": "packed by xz. Unpack it",
    b"\x28\xb5\x2f\xfd": "packed by zstd. Unpack it",
    b"\x93NUMPY": "an array of NumPy. Pass words and this array to WordVectors",
}
for _protocol in range(2, 6):
    _OTHERS[bytes([0x80, _protocol])] = (
        "a pickle, which load does not read. If gensim saved it, use "
        "WordVectors.from_gensim(KeyedVectors.load(path))"
    )


class Options(NamedTuple):
    """How to read a file."""

    limit: int | None
    errors: str
    duplicates: str
    mmap: bool


def read(path: Any, format: str, options: Options) -> Parts:
    """Read a file.

    Parameters
    ----------
    path : str or path-like
    format : str
        "auto" or one of `READABLE`.
    options : Options

    Returns
    -------
    Parts

    Raises
    ------
    ValueError
        If the file is damaged, or a parameter is wrong.
    """
    _check_choice("format", format, ("auto", *READABLE))
    _check_options(options)
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Pass the path of a file.")
    with path.open("rb") as file:
        head = file.read(16)
    for begin, what in _OTHERS.items():
        # The length of a header may begin with any byte.
        if head.startswith(begin) and head[8:9] != b"{":
            raise ValueError(f"{path} is {what}.")
    if format == "auto":
        format = _detect(path, head)
    if options.mmap and format != "safetensors":
        raise ValueError(
            f"mmap=True needs a file in the format 'safetensors', and {path} is "
            f"{format!r}. Load it without mmap, save it as 'safetensors', and map that."
        )
    if format == "safetensors":
        _refuse_options(path, format, options)
        return _safetensors.read(path, options.limit, options.mmap)
    if format == "fasttext-bin":
        _refuse_options(path, format, options)
        return _exchange.read_fasttext(path, options.limit)
    words, vectors, first_line = _read_stream(path, format, options)
    words, vectors = _without_duplicates(
        words, vectors, options.duplicates, path, first_line
    )
    return Parts(words, vectors, None, f"{path} ({format})")


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} must be one of {', '.join(choices)}.")


def _check_options(options: Options) -> None:
    _check_choice("errors", options.errors, ("strict", "replace"))
    _check_choice("duplicates", options.duplicates, ("error", "first"))
    limit = options.limit
    whole = isinstance(limit, Integral) and not isinstance(limit, bool)
    if limit is not None and not (whole and limit >= 1):
        raise ValueError(f"limit={limit!r} must be a whole number of at least 1.")


def _refuse_options(path: Path, format: str, options: Options) -> None:
    """Refuse options that have no meaning for a format."""
    for name, default in (("errors", "strict"), ("duplicates", "error")):
        value = getattr(options, name)
        if value != default:
            raise ValueError(
                f"{name}={value!r} is only for text and 'word2vec-binary', and {path} "
                f"is {format!r}. Leave {name} out."
            )


def _detect(path: Path, head: bytes) -> str:
    """Return the format of a file by its first bytes."""
    if head.startswith(_fasttext.MAGIC):
        return "fasttext-bin"
    if _safetensors.is_safetensors(head, path.stat().st_size):
        return "safetensors"
    with Stream(path) as stream:
        head = stream.head()
    header = _text.find_header(head)
    if header is None:
        return "glove"
    return "word2vec-binary" if _binary.is_binary(head, header) else "word2vec"


def _read_stream(
    path: Path, format: str, options: Options
) -> tuple[list[str], np.ndarray, int | None]:
    """Return words, vectors and, of text, the number of the first word's line."""
    with Stream(path) as stream:
        head = stream.head()
        if not head.strip():
            raise ValueError(f"{path} is empty, or holds nothing but spaces.")
        header = _text.find_header(head)
        if format == "glove" and header and not _is_counted(head, header):
            header = None
        if header is None and _binary.is_float64(head, stream.size):
            raise ValueError(
                f"{path} has neither text nor a header. It is probably the "
                "vectors.bin of GloVe, which has no words: pass its vectors.txt."
            )
        if header is None and format != "glove":
            raise ValueError(
                f"{path}, line 1 (byte 0): {head[:60]!r} are not the numbers of words "
                "and of dimensions. Without such a line, pass format='glove'."
            )
        if header is not None and not header.n_components:
            raise ValueError(f"{path}, line 1 (byte 0): the header says 0 dimensions.")
        if header is not None and not header.n_words:
            raise ValueError(f"{path}, line 1 (byte 0): the header says 0 words.")
        limit = options.limit
        if header is not None and format == "word2vec-binary":
            return *_binary.read(stream, header, limit, options.errors), None
        first_line = 1 if header is None else 2
        return *_text.read(stream, header, limit, options.errors), first_line


def _is_counted(head: bytes, header: _text.Header) -> bool:
    """Return whether what looks like a header is not one of GloVe's rows.

    A row of one number looks like a header, so that others tell.
    """
    second = head[header.length :].partition(b"\n")[0]
    return header.n_components > 1 and len(second.split()) > 2


def _without_duplicates(
    words: list[str],
    vectors: np.ndarray,
    duplicates: str,
    path: Path,
    first_line: int | None,
) -> tuple[list[str], np.ndarray]:
    """Return the table with each word once."""
    if len(set(words)) == len(words):
        return words, vectors
    rows: dict[str, int] = {}
    for row, word in enumerate(words):
        first = rows.setdefault(word, row)
        if first != row and duplicates == "error":
            unit = "word" if first_line is None else "line"
            base = 1 if first_line is None else first_line
            raise ValueError(
                f"{path}: the word {word!r} is both in {unit} {first + base} and in "
                f"{unit} {row + base}. Pass duplicates='first' to keep the first of "
                "its vectors."
            )
    kept = np.fromiter(rows.values(), dtype=np.intp, count=len(rows))
    # Rows only move up, so that a piece never overwrites what a later one needs.
    for first in range(0, len(kept), 4096):
        piece = kept[first : first + 4096]
        vectors[first : first + len(piece)] = vectors[piece]
    vectors.resize((len(kept), vectors.shape[1]), refcheck=False)
    return list(rows), vectors


def write(parts: Parts, path: Any, format: str) -> None:
    """Write a file; if that fails, what was there before stays.

    Parameters
    ----------
    parts : Parts
    path : str or path-like
        A name that ends in ".gz" packs the formats of text and "word2vec-binary".
    format : str
        One of `WRITABLE`.

    Raises
    ------
    ValueError
        If the format cannot hold a word.
    """
    _check_choice("format", format, WRITABLE)
    path = Path(path)
    words = _encoded(parts.words, format)
    if format == "model2vec":
        _write_folder(parts, path)
    else:
        _write_file(path, _pieces(parts, path, format, words))


def _pieces(
    parts: Parts, path: Path, format: str, words: list[bytes]
) -> Iterator[bytes]:
    """Return the pieces of a file."""
    if format == "safetensors":
        if path.suffix == ".gz":
            raise ValueError(
                f"{path}: the format 'safetensors' is not packed. Leave out '.gz'."
            )
        return _safetensors.pieces(parts, __version__)
    if format == "word2vec-binary":
        return _binary.pieces(words, parts.vectors)
    return _text.pieces(words, parts.vectors, header=format != "glove")


def _write_folder(parts: Parts, path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file, and format='model2vec' needs a folder.")
    path.mkdir(parents=True, exist_ok=True)
    for name, pieces in _exchange.model2vec_files(parts):
        _write_file(path / name, pieces)


def _write_file(path: Path, pieces: Iterable[bytes]) -> None:
    with _replacement(path) as file:
        for piece in pieces:
            file.write(piece)


def _encoded(words: Iterable[Any], format: str) -> list[bytes]:
    """Return the bytes of words, if the format can hold them."""
    encoded = []
    for word in words:
        if not isinstance(word, str):
            if format == "safetensors":
                encoded.append(b"")
                continue
            raise ValueError(
                f"The word {word!r} is an int. {format!r} files can only store text: "
                "rename the words, or pass format='safetensors', which holds "
                "every word."
            )
        try:
            letters = word.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"The word {word!r} is not Unicode ({error.reason}). Rename it."
            ) from error
        if format in (*TEXT, "word2vec-binary") and (not letters or min(letters) <= 32):
            what = "a space or a control character" if letters else "no letters"
            raise ValueError(
                f"The word {word!r} has {what}, and readers of the format {format!r} "
                f"would take it for another. Rename the word (such as by '_' for ' '), "
                "leave it out, or pass format='safetensors', which holds every word."
            )
        encoded.append(letters)
    return encoded


@contextmanager
def _replacement(path: Path) -> Iterator[Any]:
    """Open a new file that takes the place of the old one when it is complete.

    The old one may be in use as a memory map, this table's own among them.
    """
    # What is replaced is the file itself, not a link to it.
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Pass the path of a file.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The folder {path.parent} does not exist.")
    new = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with new.open("xb") as raw:
            if path.suffix == ".gz":
                # Neither name nor time: the same table gives the same bytes.
                with gzip.GzipFile("", "wb", 6, raw, 0) as packed:
                    yield packed
            else:
                yield raw
        if path.exists():
            shutil.copymode(path, new)
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
