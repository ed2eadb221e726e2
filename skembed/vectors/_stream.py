"""What readers of files of vectors share: bytes in, rows out."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

GZIP = b"\x1f\x8b"
# Bytes of a word. Longer ones show that the file is damaged.
LONGEST_WORD = 1 << 20
# Bytes that are read at a time, at least.
_CHUNK = 1 << 20


class Stream:
    """The bytes of a file, unpacked if they are packed by gzip.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    storage : bytearray
        Bytes that have been read. Those from `first` on have not been used.
    first : int
    offset : int
        Where `storage` begins in the unpacked file.
    size : int or None
        Bytes of the file; of a packed file nobody knows.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = path.open("rb")
        is_packed = self._raw.read(2) == GZIP
        self._raw.seek(0)
        # A GzipFile checks lengths and sums of the members of the file.
        self._file: Any = gzip.GzipFile(fileobj=self._raw) if is_packed else self._raw
        self.size = None if is_packed else path.stat().st_size
        self.storage = bytearray()
        self.first = self.offset = 0

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.close()

    @property
    def data(self) -> np.ndarray:
        """The storage as an array of uint8."""
        return np.frombuffer(self.storage, np.uint8)

    def head(self) -> bytes:
        """Read the beginning of the file, and return it."""
        self.fill()
        return bytes(self.storage[self.first :])

    @property
    def position(self) -> int:
        """Where the first unused byte is in the unpacked file."""
        return self.offset + self.first

    def fill(self) -> bool:
        """Drop what has been used and read more; return whether there was more."""
        rest = memoryview(self.storage)[self.first :]
        chunk = self._read(max(_CHUNK, len(rest) // 4))
        # Not in place: what has compiled a kernel may still hold its arguments.
        self.storage = bytearray().join((rest, chunk))
        self.offset += self.first
        self.first = 0
        return bool(chunk)

    def _read(self, n_bytes: int) -> bytes:
        try:
            return self._file.read(n_bytes)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{self.path}, byte {self.offset + len(self.storage)} (unpacked) or "
                f"later: the file is damaged or truncated ({error}). Copy it again."
            ) from error


class Rows:
    """Rows of vectors, and the bytes of their words, that become more.

    Parameters
    ----------
    n_components : int
    separator : bytes
        A byte that no word contains.
    """

    def __init__(self, n_components: int, separator: bytes) -> None:
        self.vectors = np.empty((0, n_components), dtype=np.float32)
        self.letters = bytearray()
        self.separator = separator
        self.n = 0

    def reserve(self, n_rows: int, most: int) -> None:
        """Make room for further rows, `most` in all.

        The table grows by an eighth: memory of that size is moved, not copied, by the
        allocators of most systems.
        """
        wanted = min(self.n + n_rows, most)
        if wanted > len(self.vectors):
            capacity = max(wanted, self.n + self.n // 8)
            self._resize(min(capacity, most))

    def _resize(self, n_rows: int) -> None:
        # It has no views: kernels keep none.
        self.vectors.resize((n_rows, self.vectors.shape[1]), refcheck=False)

    def finish(self, errors: str) -> tuple[list[str], np.ndarray]:
        """Return the words and vectors; nothing is left here."""
        vectors, letters = self.vectors, self.letters
        if len(vectors) > self.n:
            self._resize(self.n)
        self.letters = bytearray()
        del self.vectors
        words = letters.decode("utf-8", errors).split(self.separator.decode())
        # A separator follows the last word too.
        return words[:-1], vectors


def word_error(letters: bytes, separator: bytes) -> tuple[int, bytes, str] | None:
    """Return number, bytes and reason of the first word that is not UTF-8."""
    try:
        letters.decode("utf-8")
    except UnicodeDecodeError as error:
        number = letters.count(separator, 0, error.start)
        return number, letters.split(separator)[number], error.reason
    return None
