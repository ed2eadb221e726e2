"""Files with damage of all kinds: an error or a sound table, and little memory."""

import contextlib
import gzip
import tracemalloc

import numpy as np
import pytest

from skembed.vectors import WordVectors, _exchange
from skembed.vectors._sources import Parts
from tests.vectors import fasttext_file

FORMATS = ["word2vec", "word2vec-binary", "glove", "safetensors"]
# Pieces that mean something in one of the formats.
PIECES = [
    *[
        b" ",
        b"\n",
        b"\r\n",
        b"\t",
        b"\0",
        b"\xff",
        b"nan",
        b"-inf",
        b"1e999",
        b"1e-300",
    ],
    *[
        b"0" * 50,
        b"99999999999999999",
        b"3 4\n",
        b"{",
        b'"',
        b"\x1f\x8b",
        b"\xef\xbb\xbf",
    ],
]
# A number of 127 bytes, with its space.
LONG = b" 0." + b"12345678" * 15 + b"1234"
# Beyond what a file may cost at most.
MARGIN = 8 * 2**20


def originals(folder, n_words=30, n_components=4):
    """One file of each format, and packed ones."""
    rng = np.random.default_rng(0)
    words = [f"w{i}é日"[: int(rng.integers(2, 5))] + f"-{i}" for i in range(n_words)]
    vectors = rng.normal(size=(n_words, n_components)).astype(np.float32)
    table = WordVectors(words, vectors, counts=np.arange(n_words))
    for format in FORMATS:
        table.save(folder / format, format)
        content = (folder / format).read_bytes()
        yield format, content, False
        if format != "safetensors":
            yield format, content, True
    words = [word.encode() for word in words]
    content = fasttext_file.content(words, [9] * n_words, vectors, vectors)
    yield "fasttext-bin", content, False


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """What would read fastText's files; our checks come before it."""

    def library(path):
        return Parts(["a"], np.ones((1, 2)), np.ones(1), "")

    monkeypatch.setattr(_exchange, "_fasttext_reader", lambda: library)


def mutate(content, rng):
    """Change, insert, remove, repeat or cut bytes, up to three times."""
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        first, last = sorted(rng.integers(0, len(content) + 1, size=2).tolist())
        last = min(last, first + int(rng.integers(1, 40)))
        kind = rng.integers(6)
        if kind == 0:
            for i in range(first, min(last, first + 3)):
                content[i] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del content[first:last]
        elif kind == 2:
            content[first:first] = content[first:last] * int(rng.integers(1, 4))
        elif kind == 3:
            content[first:first] = PIECES[rng.integers(len(PIECES))]
        elif kind == 4:
            content[first:last] = rng.bytes(last - first)
        else:
            del content[first:]
        if not content:
            break
    return bytes(content)


def damaged(content, packed, rng):
    """Damage before or after packing; return the file and its unpacked size."""
    if not packed:
        content = mutate(content, rng)
        return content, len(content)
    if rng.random() < 0.5:
        content = mutate(content, rng)
        return gzip.compress(content, 1), len(content)
    return mutate(gzip.compress(content, 1), rng), len(content)


def read(path, format, size):
    """Read a file; return whether there was an error."""
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    failed = True
    with contextlib.suppress(ValueError):
        table = WordVectors.load(path, format)
        failed = False
    if not failed:
        assert np.isfinite(table.vectors).all()
        assert table.vectors.shape == (len(table), table.n_components)
        assert len(set(table.words)) == len(table)
    used = tracemalloc.get_traced_memory()[1] - before
    # What was packed may unpack to more than the original.
    assert used <= 2 * max(size, path.stat().st_size) + MARGIN
    return failed


def try_files(folder, n_files, seed, **size):
    """Read mutated files; return how many were refused."""
    rng = np.random.default_rng(seed)
    files = list(originals(folder, **size))
    path = folder / "damaged"
    refused = 0
    # The first call compiles.
    WordVectors.load(folder / "glove")
    WordVectors.load(folder / "word2vec-binary")
    tracemalloc.start()
    try:
        for number in range(n_files):
            format, content, packed = files[number % len(files)]
            content, n_bytes = damaged(content, packed, rng)
            path.write_bytes(content)
            refused += read(path, "auto" if rng.random() < 0.5 else format, n_bytes)
    finally:
        tracemalloc.stop()
    return refused


def test_mutated_files(tmp_path):
    refused = try_files(tmp_path, 300, seed=0)
    # Some damage cannot be seen, such as another digit.
    assert 150 < refused < 300


@pytest.mark.long
def test_more_mutated_files(tmp_path):
    assert 2500 < try_files(tmp_path, 5000, seed=1) < 5000


@pytest.mark.long
def test_large_mutated_files(tmp_path):
    """Files of 16 MiB as binary, and more as text: the margin is small."""
    n_files = 150
    size = {"n_words": 40_000, "n_components": 100}
    assert n_files / 2 < try_files(tmp_path, n_files, seed=2, **size) < n_files


@pytest.mark.parametrize(
    ("format", "content", "message"),
    [
        ("glove", b"a" * 2**23, "line 1 .* is not a word and numbers"),
        ("glove", b"a 1 2\nb" + LONG * 2**16, "line 2 .* has 65536 numbers"),
        ("glove", b"a 1 2\nb" + (b" x" + LONG[1:]) * 2**16, "line 2 .* has 0 numbers"),
        ("glove", b"a 1 2\n" + b" " * 2**23 + b"b 1", "line 2 .* has 1 number"),
        (
            "word2vec",
            b"2 2\na" + (b" " + b"x" * 1000 + b" 1 2") * 2**13,
            "word has more than 1048576",
        ),
        ("word2vec-binary", b"2 1\n" + b"a" * 2**23, "word has more than 1048576"),
    ],
    ids=["word", "numbers", "fields", "spaces", "words", "binary"],
)
def test_endless_lines(tmp_path, format, content, message):
    """One line of the size of the file is not copied again and again."""
    path = tmp_path / "v"
    path.write_bytes(content)
    WordVectors(["a"], [[1]]).save(tmp_path / "warm", format)
    WordVectors.load(tmp_path / "warm", format)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            WordVectors.load(path, format)
        assert tracemalloc.get_traced_memory()[1] <= 2 * len(content) + MARGIN
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(
    "header", [b"%d 2\n" % 10**12, b"3 %d\n" % 10**12, b"%d %d\n" % (10**9, 10**9)]
)
@pytest.mark.parametrize("format", ["word2vec", "word2vec-binary", "fasttext"])
def test_claimed_sizes(tmp_path, format, header, packed):
    """A header that promises far more than follows costs nothing."""
    content = header + b"a 1 2\nb 3 4\n"
    (tmp_path / "v").write_bytes(gzip.compress(content) if packed else content)
    tracemalloc.start()
    try:
        assert read(tmp_path / "v", format, len(content))
    finally:
        tracemalloc.stop()
