"""Binary files of vectors, as word2vec and gensim write them.

A line with the number of words and of dimensions, then for each word its bytes, a
space and its float32 numbers, the low byte first. word2vec adds a line break, gensim
does not.
"""

import re
from collections.abc import Iterator

import numpy as np

from skembed.vectors._stream import LONGEST_WORD, Rows, Stream, word_error
from skembed.vectors._text import Header, count_numbers

# How many bytes tell text from binary, and rows that are written at a time.
_SAMPLE, _ROWS = 1 << 16, 1024
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f]")
_CONTROL_IN_WORD = re.compile(rb"[\x00-\x1f]")


def is_binary(head: bytes, header: Header) -> bool:
    """Return whether the bytes of a file with a header are not text.

    Parameters
    ----------
    head : bytes
        The beginning of the file.
    header : Header
    """
    rest = head[header.length :][:_SAMPLE]
    if count_numbers(rest.partition(b"\n")[0]) == header.n_components:
        return False
    if _CONTROL.search(rest.replace(b"\r\n", b"\n")):
        return True
    try:
        # The last letter may be cut.
        rest[: max(0, len(rest) - 3)].decode()
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return False


def is_float64(head: bytes, size: int | None) -> bool:
    """Return whether a file may be GloVe's own ``vectors.bin``: float64 and no words.

    Parameters
    ----------
    head : bytes
        The beginning of the file.
    size : int or None
        Bytes of the file, if they are known. Two tables of one size are in it.
    """
    if (size is not None and size % 16) or not _CONTROL.search(head):
        return False
    numbers = np.frombuffer(head[: min(800, len(head) // 8 * 8)], "<f8")
    # Letters would give numbers far smaller or larger.
    sizes = np.abs(numbers[numbers != 0])
    return bool(len(sizes) > 1 and ((sizes > 1e-20) & (sizes < 1e3)).all())


class _Reader:
    """Reads the records of one file.

    Parameters
    ----------
    stream : Stream
    header : Header
    limit : int or None
    errors : {"strict", "replace"}
    """

    def __init__(
        self, stream: Stream, header: Header, limit: int | None, errors: str
    ) -> None:
        self.stream = stream
        self.header = header
        self.errors = errors
        self.most = min(header.n_words, header.n_words if limit is None else limit)
        self.rows = Rows(header.n_components, b" ")
        stream.first += header.length

    @property
    def width(self) -> int:
        """Bytes of a vector."""
        return 4 * self.header.n_components

    def fail(self, message: str, offset: int = -1) -> None:
        offset = self.stream.position if offset < 0 else offset
        raise ValueError(f"{self.stream.path}, byte {offset}: {message}")

    def read(self) -> tuple[list[str], np.ndarray]:
        # Imported here: look-ups need no compiler.
        from skembed._kernels.vector_files import read_binary_rows

        self._reserve_all()
        while self.rows.n < self.most:
            stream, rows = self.stream, self.rows
            n_bytes = len(stream.storage) - stream.first
            rows.reserve(n_bytes // (2 + self.width), self.most)
            reached = np.array([stream.first, rows.n, 0])
            letters = np.empty(n_bytes, dtype=np.uint8)
            table = rows.vectors.view(np.uint8)
            read_binary_rows(stream.data, table, letters, reached)
            # Before the table grows, no view of it must be left.
            del table
            position, n_rows, n_letters = reached.tolist()
            self._take(position, n_rows, letters[:n_letters].tobytes())
            if self.rows.n < self.most:
                self._check_word()
                if not stream.fill():
                    self._fail_at_end()
        if self.most == self.header.n_words:
            self._check_end()
        return self.rows.finish(self.errors)

    def _reserve_all(self) -> None:
        """Allocate what the header says, if the file can be that large."""
        header, size = self.header, self.stream.size
        if size is None:
            return
        needed = self.most * (2 + self.width)
        left = size - header.length
        if needed > left:
            raise ValueError(
                f"{self.stream.path}, line 1: {self.most} words of "
                f"{header.n_components} numbers take at least {needed} bytes, and "
                f"{left} follow. The file is truncated, or another format."
            )
        self.rows.reserve(self.most, self.most)

    def _take(self, position: int, n_rows: int, letters: bytes) -> None:
        """Check and keep the records that the kernel has read."""
        rows = self.rows
        vectors = rows.vectors[rows.n : n_rows]
        if not np.isfinite(vectors).all():
            number = int(np.argmin(np.isfinite(vectors).all(axis=1)))
            self.fail(
                f"the vector of {self._word(letters, number)} has values that are not "
                f"finite. {self._advice()}",
                self._offset(number),
            )
        self._check_letters(letters)
        rows.letters += letters
        rows.n, self.stream.first = n_rows, position

    def _check_letters(self, letters: bytes) -> None:
        """Refuse words that show that a record did not begin where one was read."""
        control = _CONTROL_IN_WORD.search(letters)
        if control:
            number = letters.count(b" ", 0, control.start())
            self.fail(
                f"the word {self._word(letters, number)} has a control character. "
                f"{self._advice()}",
                self._offset(number),
            )
        error = word_error(letters, b" ") if self.errors == "strict" else None
        if error:
            number, word, reason = error
            self.fail(
                f"the word {word!r} is not UTF-8 ({reason}). {self._advice()} "
                "errors='replace' reads other encodings.",
                self._offset(number),
            )

    @staticmethod
    def _word(letters: bytes, number: int) -> str:
        return repr(letters.split(b" ", number + 1)[number][:60])

    @staticmethod
    def _advice() -> str:
        return (
            "The file is damaged, or the word before has a space, which this format "
            "cannot hold."
        )

    def _offset(self, number: int) -> int:
        """Return where a record begins, counted from `stream.first`."""
        storage, i = self.stream.storage, self.stream.first
        for _ in range(number):
            i = storage.index(b" ", i) + 1 + self.width
        while storage[i] == 10:
            i += 1
        return self.stream.offset + i

    def _check_word(self) -> None:
        """Refuse a record without a word."""
        stream = self.stream
        rest = stream.storage[stream.first : stream.first + LONGEST_WORD + 1].lstrip(
            b"\n"
        )
        if rest.startswith(b" "):
            self.fail(f"there is no word before the space. {self._advice()}")
        if len(rest) > LONGEST_WORD and b" " not in rest:
            self.fail(f"a word has more than {LONGEST_WORD} bytes. {self._advice()}")

    def _fail_at_end(self) -> None:
        n_words, n_there = self.header.n_words, self.rows.n
        hint = f" Pass limit={n_there} to read the rows that exist." if n_there else ""
        self.fail(
            f"the file ends after {n_there} words, the header says {n_words}. It is "
            f"truncated.{hint}"
        )

    def _check_end(self) -> None:
        """Allow nothing but line breaks behind the last record."""
        stream = self.stream
        while True:
            rest = stream.storage[stream.first :]
            if rest.strip(b"\r\n"):
                self.fail(
                    f"bytes follow the {self.header.n_words} words that the header "
                    "says. The file is damaged, or a word has a space. "
                    f"limit={self.header.n_words} does not look at them."
                )
            stream.first = len(stream.storage)
            if not stream.fill():
                return


def read(
    stream: Stream, header: Header, limit: int | None, errors: str
) -> tuple[list[str], np.ndarray]:
    """Read words and vectors.

    Parameters
    ----------
    stream : Stream
    header : Header
    limit : int or None
        Records to read; None for all.
    errors : {"strict", "replace"}
        What to do with words that are not UTF-8.

    Returns
    -------
    words : list of str
    vectors : ndarray of shape (n_words, n_components), float32

    Raises
    ------
    ValueError
        If a record or the length of the file is not as it should be.
    """
    return _Reader(stream, header, limit, errors).read()


def pieces(words: list[bytes], vectors: np.ndarray) -> Iterator[bytes]:
    """Yield the pieces of a file as gensim writes it, without line breaks.

    Parameters
    ----------
    words : list of bytes
    vectors : ndarray of shape (n_words, n_components), float32
    """
    yield b"%d %d\n" % vectors.shape
    for first in range(0, len(words), _ROWS):
        rows = slice(first, first + _ROWS)
        some = zip(words[rows], vectors[rows].astype("<f4"), strict=True)
        yield b"".join(word + b" " + vector.tobytes() for word, vector in some)
