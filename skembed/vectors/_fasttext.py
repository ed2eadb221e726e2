"""What fastText's own ``.bin`` must look like before a library reads it.

The file has a magic number and a version, the parameters of the training, the
dictionary, the input matrix and the output matrix. All numbers have the low byte
first. The libraries believe every size in the file, so `check` looks at these first.

See ``saveModel`` of https://github.com/facebookresearch/fastText (src/fasttext.cc,
args.cc, dictionary.cc, densematrix.cc).
"""

import mmap
import struct
from pathlib import Path

MAGIC = (793712314).to_bytes(4, "little")
_VERSIONS = (11, 12)
# dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn,
# lrUpdateRate and t.
_PARAMETERS = struct.Struct("<12id")
# Entries, words, labels, tokens and pairs of the index of kept n-grams.
_SIZES = struct.Struct("<3i2q")
_VERSION, _ENTRY = struct.Struct("<i"), struct.Struct("<qb")
_MATRIX = struct.Struct("<B2q")
# Libraries look at all n-grams of all words.
_LONGEST_WORD, _LONGEST_NGRAM = 10_000, 1_000


def check(path: Path) -> None:
    """Walk through a file without loading it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        If the file is truncated, damaged or quantised. The message names the byte.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise ValueError(
                f"{path}, byte 0: the file does not begin as fastText's .bin does. "
                "Files of its first versions, without the magic number, can be read "
                "by gensim: pass what load_facebook_vectors returns to from_gensim."
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _Walk(path, data).check()


class _Walk:
    """A position in a file, which only moves on.

    Parameters
    ----------
    path : Path
    data : mmap
    """

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path = path
        self.data = data
        self.position = len(MAGIC)

    def fail(self, message: str) -> None:
        raise ValueError(f"{self.path}, byte {self.position}: {message}")

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, numbers: struct.Struct, what: str) -> tuple:
        """Return the next numbers, and move behind them."""
        if self.left < numbers.size:
            self.fail(f"the file ends within {what}. It is truncated.")
        found = numbers.unpack_from(self.data, self.position)
        self.position += numbers.size
        return found

    def skip(self, n_bytes: int, what: str) -> None:
        if n_bytes > self.left:
            self.fail(
                f"{what} take at least {n_bytes} bytes, and {self.left} follow. The "
                "file is truncated or damaged."
            )
        self.position += n_bytes

    def check(self) -> None:
        (version,) = self.take(_VERSION, "its version")
        if version not in _VERSIONS:
            self.position -= _VERSION.size
            self.fail(
                f"the version of the format is {version}, and 11 and 12 are known. The "
                "file is damaged, or newer."
            )
        dim, bucket = self._check_parameters()
        n_words = self._check_dictionary()
        self._check_matrix("input", dim, n_words + bucket)
        self._check_matrix("output", dim)
        if self.left:
            self.fail("bytes follow the output matrix. The file is damaged.")

    def _check_parameters(self) -> tuple[int, int]:
        """Return the number of dimensions and of buckets of n-grams."""
        begin = self.position
        found = self.take(_PARAMETERS, "its parameters")
        dim, loss, model, bucket, minn, maxn = found[0], *found[6:11]
        for number, name, value, right in (
            (0, "dim", dim, dim >= 1),
            (6, "loss", loss, 1 <= loss <= 4),
            (7, "model", model, 1 <= model <= 3),
            (8, "bucket", bucket, bucket >= 0),
            (9, "minn", minn, minn >= 0),
            (10, "maxn", maxn, 0 <= maxn <= _LONGEST_NGRAM),
            (8, "bucket", bucket, bucket > 0 or not maxn or minn > maxn),
        ):
            if not right:
                self.position = begin + 4 * number
                self.fail(f"the parameter {name} is {value}. The file is damaged.")
        return dim, bucket

    def _check_dictionary(self) -> int:
        """Return the number of words."""
        begin = self.position
        n_entries, n_words, n_labels, _, n_pairs = self.take(_SIZES, "its dictionary")
        if min(n_words, n_labels) < 0 or n_entries != n_words + n_labels:
            self.position = begin
            self.fail(
                f"the dictionary says {n_entries} entries, of which {n_words} are "
                f"words and {n_labels} labels. The file is damaged."
            )
        # A letter, a zero, and what follows.
        self._require(n_entries * (2 + _ENTRY.size), f"{n_entries} entries")
        found: set[bytes] = set()
        for number in range(n_entries):
            self._check_entry(int(number >= n_words), found)
        if n_pairs > 0:
            self.skip(8 * n_pairs, f"{n_pairs} pairs of the index of n-grams")
            if self.data[self.position : self.position + 1] == b"\0":
                self.fail("n-grams are pruned, and the file is not quantised.")
        return n_words

    def _require(self, n_bytes: int, what: str) -> None:
        position = self.position
        self.skip(n_bytes, what)
        self.position = position

    def _check_entry(self, kind: int, found: set[bytes]) -> None:
        """Check one word or label, with its count."""
        begin = self.position
        end = self.data.find(b"\0", begin, begin + _LONGEST_WORD + 1)
        if end <= begin:
            reason = "is empty"
            if end < begin:
                reason = "has no end"
                if self.left > _LONGEST_WORD:
                    reason = f"is longer than {_LONGEST_WORD} bytes"
            self.fail(f"a word {reason}. The file is truncated or damaged.")
        word = self.data[begin:end]
        if word in found:
            self.fail(f"the word {_shorten(word)} comes twice. The file is damaged.")
        found.add(word)
        try:
            word.decode()
        except UnicodeDecodeError as error:
            self.fail(
                f"the word {_shorten(word)} is not UTF-8 ({error.reason}), and its "
                "n-grams cannot be known. Load the file .vec with errors='replace'."
            )
        self.position = end + 1
        count, its_kind = self.take(_ENTRY, f"the entry of {_shorten(word)}")
        if count < 0 or its_kind != kind:
            self.position = begin
            self.fail(
                f"the entry of {_shorten(word)} has the count {count} and the type "
                f"{its_kind}, which should be {kind}. The file is damaged."
            )

    def _check_matrix(self, name: str, dim: int, n_rows: int | None = None) -> None:
        begin = self.position
        if self.data[begin : begin + 1] == b"\1":
            self.fail(
                f"the {name} matrix is quantised, as in files that end in .ftz. Load "
                "the .bin or .vec of the model before it was quantised."
            )
        flag, rows, columns = self.take(_MATRIX, f"the {name} matrix")
        if flag or columns != dim or rows < 0 or n_rows not in (None, rows):
            self.position = begin
            wanted = f"{dim} columns" if n_rows is None else f"{n_rows} x {dim}"
            self.fail(
                f"the {name} matrix should have {wanted}, and its header says {rows} x "
                f"{columns} (flag {flag}). The file is damaged."
            )
        self.skip(4 * rows * columns, f"the {rows} x {columns} numbers of the {name}")


def _shorten(word: bytes) -> str:
    return repr(word if len(word) <= 60 else word[:57] + b"...")
