"""Text files of vectors: word2vec, fastText (``.vec``) and GloVe.

Each line holds a word and its numbers. word2vec and fastText write a line with the
number of words and of dimensions before; GloVe does so on request.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from skembed.vectors._stream import LONGEST_WORD, Rows, Stream, word_error

HEADER = re.compile(rb"(?:\xef\xbb\xbf)?[ \t]*(\d{1,18})[ \t]+(\d{1,18})[ \t\r]*\n")
# Digits are never given back, so that the time is that of their number.
_NUMBER = re.compile(rb"[-+]?(?:\d++\.?\d*+|\.\d++)(?:[eE][-+]?\d++)?")
_FIELD = re.compile(rb"\S+")
_NOT_FINITE = re.compile(rb"[-+]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
# GloVe writes this row after those that its header counts.
UNKNOWN = b"<unk>"
# Numbers that are written at a time.
_PIECE = 1 << 15
_LARGEST = np.finfo(np.float32).max


class Header(NamedTuple):
    """What the first line says."""

    n_words: int
    n_components: int
    length: int  # bytes of the line


def find_header(head: bytes) -> Header | None:
    """Return what the first line says, if it is two whole numbers."""
    match = HEADER.match(head if b"\n" in head else head + b"\n")
    if match is None:
        return None
    return Header(int(match[1]), int(match[2]), min(match.end(), len(head)))


class _Fields(NamedTuple):
    """What a line consists of."""

    n_fields: int
    n_numbers: int  # at the end; the first field is not among them
    first: int  # where these begin
    other: bytes  # the beginning of the field before them


def _fields(line: bytes) -> _Fields:
    """Look at the fields of a line one by one: their list would take much memory."""
    n_fields = n_numbers = first = 0
    other: re.Match[bytes] | None = None
    for field in _FIELD.finditer(line):
        if n_fields and _NUMBER.fullmatch(line, field.start(), field.end()):
            if not n_numbers:
                first = field.start()
            n_numbers += 1
        else:
            n_numbers, other = 0, field
        n_fields += 1
    begin, end = other.span() if other else (0, 0)
    before = line[begin : min(end, begin + 100)]
    return _Fields(n_fields, n_numbers, first, before)


def count_numbers(line: bytes) -> int:
    """Return how many numbers a line ends with; its first field is not among them."""
    return _fields(line).n_numbers


class _Reader:
    """Reads the rows of one file.

    Parameters
    ----------
    stream : Stream
    header : Header or None
    limit : int or None
    errors : {"strict", "replace"}
    """

    def __init__(
        self, stream: Stream, header: Header | None, limit: int | None, errors: str
    ) -> None:
        self.stream = stream
        self.header = header
        self.errors = errors
        self.first_line = 1 if header is None else 2
        n_components = self._first_width() if header is None else header.n_components
        self.rows = Rows(n_components, b"\n")
        self.most = 2**62
        if header is not None:
            stream.first += header.length
            # Two more than it says: one may be that of unknown words.
            self.most = header.n_words + 2
        self.most = min(self.most, self.most if limit is None else limit)

    @property
    def width(self) -> int:
        return self.rows.vectors.shape[1]

    @property
    def shortest(self) -> int:
        """The least number of bytes of a line."""
        # A letter and the line break; a space and a digit for each number.
        return 2 + 2 * self.width

    def fail(self, message: str, row: int | None = None, offset: int = -1) -> None:
        line = self.first_line + (self.rows.n if row is None else row)
        offset = self.stream.position if offset < 0 else offset
        raise ValueError(f"{self.stream.path}, line {line} (byte {offset}): {message}")

    def _first_width(self) -> int:
        """Return how many numbers the first line has."""
        self.rows = Rows(1, b"\n")
        self._complete_line()
        line = self._line()
        n_numbers = count_numbers(line)
        if not n_numbers:
            self.fail(f"{_shorten(line)} is not a word and numbers.")
        return n_numbers

    def _line_end(self) -> int:
        """Return where the first unused line ends, behind its line break, or 0."""
        return self.stream.storage.find(b"\n", self.stream.first) + 1

    def _line(self) -> bytes:
        """Return the first unused line."""
        # A slice of the storage would be a second copy.
        return bytes(
            memoryview(self.stream.storage)[self.stream.first : self._line_end()]
        )

    def _complete_line(self) -> bool:
        """Read until there is a whole line; return whether there is one."""
        stream = self.stream
        searched = stream.first
        while stream.storage.find(b"\n", searched) < 0:
            searched = len(stream.storage) - stream.first
            if not stream.fill():
                if not stream.storage:
                    return False
                # The last line of a file may lack it.
                stream.storage = stream.storage + b"\n"
        return True

    def read(self) -> tuple[list[str], np.ndarray]:
        # Imported here: look-ups need no compiler.
        from skembed._kernels.vector_files import read_text_rows

        self._reserve_all()
        while self.rows.n < self.most and self._complete_line():
            self._read_plain(read_text_rows)
            if self.rows.n < self.most and self._line_end() and not self._read_other():
                break
        self._check_number()
        return self.rows.finish(self.errors)

    def _reserve_all(self) -> None:
        """Allocate what the header says, if the file can be that large."""
        header, size = self.header, self.stream.size
        if header is None or size is None:
            return
        wanted = min(header.n_words, self.most)
        # The last line may lack its line break.
        needed = wanted * self.shortest - 1
        left = size - header.length
        if needed > left:
            raise ValueError(
                f"{self.stream.path}, line 1: {header.n_words} words of "
                f"{header.n_components} numbers take at least {needed} bytes, and "
                f"{left} follow. The file is truncated, or line 1 is not a header "
                "(then pass format='glove')."
            )
        self.rows.reserve(wanted, wanted)

    def _read_plain(self, read_rows: Callable[..., None]) -> None:
        """Read the lines that the kernel understands."""
        stream, rows = self.stream, self.rows
        end = stream.storage.rfind(b"\n", stream.first) + 1
        n_lines = stream.storage.count(b"\n", stream.first)
        n_lines = min(n_lines, (end - stream.first) // self.shortest)
        rows.reserve(n_lines, self.most)
        reached = np.array([stream.first, rows.n, 0])
        letters = np.empty(end - stream.first, dtype=np.uint8)
        most = rows.vectors[: self.most]
        read_rows(stream.data, end, most, letters, reached)
        position, n_rows, n_letters = reached.tolist()
        self._add_words(letters[:n_letters].tobytes())
        rows.n, stream.first = n_rows, position

    def _add_words(self, letters: bytes) -> None:
        """Keep the words of lines from `stream.first` on."""
        error = word_error(letters, b"\n") if self.errors == "strict" else None
        if error:
            number, word, reason = error
            stream = self.stream
            begin = stream.first
            for _ in range(number):
                begin = stream.storage.index(b"\n", begin) + 1
            self.fail(
                f"the word {word!r} is not UTF-8 ({reason}). Pass errors='replace', "
                "or convert the file to UTF-8.",
                self.rows.n + number,
                stream.offset + begin,
            )
        self.rows.letters += letters

    def _read_other(self) -> bool:
        """Read one line that the kernel left; return whether it holds a row."""
        stream, end = self.stream, self._line_end()
        if not _FIELD.search(stream.storage, stream.first, end):
            self._check_blank()
            return False
        line = self._line()
        word, numbers = self._parse(line)
        self.rows.reserve(1, self.most)
        self.rows.vectors[self.rows.n] = numbers
        self._add_words(word + b"\n")
        self.rows.n += 1
        stream.first = end
        return True

    def _check_blank(self) -> None:
        """Allow nothing but blank lines from here to the end."""
        stream = self.stream
        row, offset = self.rows.n, stream.position
        while True:
            if _FIELD.search(stream.storage, stream.first):
                self.fail("the line is blank, and others follow.", row, offset)
            stream.first = len(stream.storage)
            if not stream.fill():
                return

    def _parse(self, line: bytes) -> tuple[bytes, np.ndarray]:
        """Return the bytes of the word and the numbers of a line."""
        n_fields, n_numbers, first, other = _fields(line)
        width = self.width
        if n_numbers < width < n_fields and _NOT_FINITE.fullmatch(other):
            self.fail(f"{_shorten(other)} is not finite. Remove the line.")
        if n_numbers != width:
            self.fail(self._width_message(line, n_numbers))
        if first > LONGEST_WORD:
            self.fail(
                f"a word has more than {LONGEST_WORD} bytes. The file is damaged, or "
                "has no line breaks."
            )
        fields = (field[0] for field in _FIELD.finditer(line, first))
        numbers = np.fromiter(map(float, fields), np.float64, width)
        for number in np.flatnonzero(np.abs(numbers) > _LARGEST)[:1]:
            field = line[first:].split()[number]
            self.fail(f"{_shorten(field)} is too large for float32.")
        return line[:first].strip(), numbers

    def _width_message(self, line: bytes, n_numbers: int) -> str:
        plural = "number" if n_numbers == 1 else "numbers"
        source = "line 1 has" if self.header is None else "the header says"
        message = (
            f"{_shorten(line)} has {n_numbers} {plural} after the word, but {source} "
            f"{self.width}."
        )
        if HEADER.match(line):
            return f"{message} It looks like a second header. Remove it."
        if n_numbers > self.width:
            return (
                f"{message} Perhaps the word ends in a number, which cannot be told "
                "from a vector."
            )
        return message

    def _check_number(self) -> None:
        """Compare the number of rows with what the header says."""
        header, n_rows = self.header, self.rows.n
        if header is None or n_rows == min(header.n_words, self.most):
            return
        is_unknown = self.rows.letters.endswith(b"\n" + UNKNOWN + b"\n")
        if n_rows == header.n_words + 1 and is_unknown:
            return
        if n_rows < header.n_words:
            hint = (
                f" Pass limit={n_rows} to read the rows that exist." if n_rows else ""
            )
            self.fail(
                f"the file ends after {n_rows} words, the header says "
                f"{header.n_words}. It is truncated, or the header is wrong.{hint}"
            )
        self.fail(
            f"more words follow than the {header.n_words} that the header says. If "
            f"line 1 is not a header, pass format='glove'. Pass limit={header.n_words} "
            "to read as many as it says.",
            header.n_words,
        )


def _shorten(line: bytes) -> str:
    # Without copying a line that never ends.
    text = line[:100].strip()
    return repr(text if len(text) <= 60 else text[:57] + b"...")


def read(
    stream: Stream, header: Header | None, limit: int | None, errors: str
) -> tuple[list[str], np.ndarray]:
    """Read words and vectors.

    Parameters
    ----------
    stream : Stream
    header : Header or None
        None if the first line holds a word.
    limit : int or None
        Rows to read; None for all.
    errors : {"strict", "replace"}
        What to do with words that are not UTF-8.

    Returns
    -------
    words : list of str
    vectors : ndarray of shape (n_words, n_components), float32

    Raises
    ------
    ValueError
        If a line or the number of lines is not as it should be.
    """
    return _Reader(stream, header, limit, errors).read()


def pieces(words: list[bytes], vectors: np.ndarray, header: bool) -> Iterator[bytes]:
    """Yield the pieces of a file, with the shortest numbers that give these float32.

    Parameters
    ----------
    words : list of bytes
    vectors : ndarray of shape (n_words, n_components), float32
    header : bool
        Whether the first line has the number of words and of dimensions.
    """
    if header:
        yield b"%d %d\n" % vectors.shape
    step = max(1, _PIECE // vectors.shape[1])
    for first in range(0, len(words), step):
        rows = slice(first, first + step)
        yield from _lines(words[rows], np.array(vectors[rows], np.float32))


def _lines(words: list[bytes], vectors: np.ndarray) -> Iterator[bytes]:
    from skembed._kernels.vector_files import WIDEST, write_text_rows

    letters = np.frombuffer(bytearray(b"\n".join(words) + b"\n"), np.uint8)
    out = np.empty(letters.size + WIDEST * vectors.size, dtype=np.uint8)
    reached = np.zeros(3, dtype=np.int64)
    while True:
        write_text_rows(vectors, letters, out, reached)
        _, row, n_out = reached.tolist()
        yield out[:n_out].tobytes()
        if row == len(words):
            return
        # The kernel is in doubt about this row.
        numbers = " ".join(map(_spelled, vectors[row]))
        yield words[row] + b" " + numbers.encode() + b"\n"
        reached += (len(words[row]) + 1, 1, -n_out)


def _spelled(number: np.float32) -> str:
    """Return the shortest spelling, as the kernel writes it."""
    if number == 0 or 1e-4 <= abs(float(number)) < 1e6:
        return np.format_float_positional(number, trim="0")
    return np.format_float_scientific(number, trim="-")
