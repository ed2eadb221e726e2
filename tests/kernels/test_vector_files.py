"""Kernels that read and write rows of files, against Python's own numbers."""

import struct

import numpy as np
import pytest

from skembed._kernels import vector_files
from skembed._utils import jit
from skembed.vectors import WordVectors
from tests import reference


def read_text(text, n_components, n_rows=100):
    """Return the words and rows that the kernel reads, and what it leaves."""
    data = np.frombuffer(bytearray(text), dtype=np.uint8)
    vectors = np.full((n_rows, n_components), np.nan, dtype=np.float32)
    letters = np.empty(len(text), dtype=np.uint8)
    reached = np.zeros(3, dtype=np.int64)
    end = text.rfind(b"\n") + 1
    vector_files.read_text_rows(data, end, vectors, letters, reached)
    position, row, n_letters = reached.tolist()
    assert np.isnan(vectors[row + 1 :]).all()
    words = letters[:n_letters].tobytes().split(b"\n")[:-1]
    return words, vectors[:row], text[position:]


def generated_numbers():
    """Spellings of numbers: short and long, near the middle between two float32."""
    rng = np.random.default_rng(0)
    singles = rng.integers(0, 2**32, size=400, dtype=np.uint32).view(np.float32)
    singles = singles[np.isfinite(singles)]
    for number in singles:
        yield str(number)
        yield repr(float(number) * (1 + 1e-12))
        middle = (float(number) + float(np.nextafter(number, np.float32(0)))) / 2
        yield repr(middle)
        yield f"{middle:.30e}1"
    for number in rng.normal(size=400):
        for spelling in ("%.6f", "%.17g", "%g", "%.5e", "%.25f", "%.0f", "%.3E"):
            yield spelling % number
    yield from ["0", "-0", "-0.0", "0e5", "5.", ".5", "-.5", "000123", "1e+5", "1E-5"]
    yield from ["1" * 30, "0." + "0" * 30 + "1", "16777217", "16777219", "1e38"]
    yield from ["3.4028235e38", "1.1754944e-38", "9007199254740993", "0.1e0001"]
    yield from ["3.4028236e38", "1e39", "1e-50", "1e400", "1e-400", "0.1e-99999"]


@pytest.mark.small
def test_numbers():
    """Every bit is right, or the line is left to the caller, as few are."""
    n_read = 0
    spellings = list(generated_numbers())
    for spelling in spellings:
        words, vectors, rest = read_text(f"w {spelling}\n".encode(), 1)
        if rest:
            assert not len(vectors)
            continue
        n_read += 1
        assert words == [b"w"]
        with np.errstate(over="ignore"):
            wanted = np.float32(float(spelling))
        assert vectors.view(np.uint32)[0, 0] == wanted.view(np.uint32), spelling
    assert n_read > 0.6 * len(spellings)
    for spelling in ("0.1", "-12.345678", "1e-07", "0.12345678901234567", "5"):
        assert (
            spelling in spellings or read_text(f"w {spelling}\n".encode(), 1)[2] == b""
        )


@pytest.mark.small
@pytest.mark.parametrize(
    "line",
    [
        *[b"w", b"w ", b"w 1", b"w 1 ", b"w 1 2 3", b" 1 2", b"a b 1 2", b"w 1  2"],
        *[b"w x 2", b"w 1 x", b"w 1x 2", b"w 1 2x", b"w - 2", b"w . 2", b"w 1e 2"],
        *[b"w 1e+ 2", b"w 1 2e", b"w +1 2", b"w nan 2", b"w 1 inf", b"w 1,0 2", b""],
        *[b"w 1.2.3 2", b"w 1-2 2", b"w\r1 2", b"w 1\r 2", b"w 0x1 2", b"w 1_0 2"],
    ],
)
def test_lines_that_are_not_plain(line):
    before = b"a 1 -2 \nb 0.5\t.25\r\n"
    words, vectors, rest = read_text(before + line + b"\nc 1 2\n", 2)
    assert words == [b"a", b"b"]
    assert vectors.tolist() == [[1, -2], [0.5, 0.25]]
    assert rest == line + b"\nc 1 2\n"


@pytest.mark.small
def test_text_against_a_twin():
    rng = np.random.default_rng(0)
    pieces = [b"a", b"\xc3\xa9", b" ", b"\t", b"\r\n", b"\n", b"1", b"2.5", b"-", b"e1"]
    n_read = 0
    for _ in range(500):
        n_lines = int(rng.integers(1, 5))
        lines = [b"w 1 2", b"xy 0.5 -3e2 ", b"".join(rng.choice(pieces, 6).tolist())]
        lines = [lines[i] for i in rng.choice(3, n_lines, p=[0.4, 0.4, 0.2])]
        text = b"\n".join(lines) + b"\n" + b"rest 1 "[: int(rng.integers(8))]
        most = int(rng.integers(1, 5))
        words, vectors, rest = read_text(text, 2, most)
        twin = reference.read_text_rows(text, 2, most)
        assert (words, vectors.tolist(), rest) == twin, text
        n_read += len(words)
    assert n_read > 400


@pytest.mark.small
@pytest.mark.parametrize("n_components", [1, 3])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_binary_rows(n_components, end):
    """Complete records are read, wherever the bytes end."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(4, n_components)).astype(np.float32)
    words = [b"a", b"\xc3\xa9t\xc3\xa9", b"c" * 50, b"d"]
    records = [
        word + b" " + struct.pack(f"<{n_components}f", *row) + end
        for word, row in zip(words, numbers, strict=True)
    ]
    sizes = np.cumsum([0, *map(len, records)])
    content = b"".join(records)
    for n_bytes in range(len(content) + 1):
        data = np.frombuffer(bytearray(content[:n_bytes]), dtype=np.uint8)
        vectors = np.zeros((3, n_components), dtype=np.float32)
        letters = np.empty(n_bytes, dtype=np.uint8)
        reached = np.zeros(3, dtype=np.int64)
        table = vectors.view(np.uint8)
        vector_files.read_binary_rows(data, table, letters, reached)
        position, row, n_letters = reached.tolist()
        wanted = int(np.searchsorted(sizes[1:] - len(end), n_bytes, side="right"))
        assert row == min(wanted, 3)
        assert position == max(0, int(sizes[row]) - len(end) * (row > 0))
        assert letters[:n_letters].tobytes() == b"".join(w + b" " for w in words[:row])
        np.testing.assert_array_equal(vectors[:row], numbers[:row])
        assert not vectors[row:].any()


@pytest.mark.small
def test_binary_word_without_letters():
    content = b"a \0\0\0\0\n \0\0\0\0"
    data = np.frombuffer(bytearray(content), dtype=np.uint8)
    reached = np.zeros(3, dtype=np.int64)
    rows = np.ones((2, 4), dtype=np.uint8)
    letters = np.empty(len(content), dtype=np.uint8)
    vector_files.read_binary_rows(data, rows, letters, reached)
    assert reached.tolist() == [6, 1, 2]
    assert rows.tolist() == [[0] * 4, [1] * 4]


def write_text(vectors, words):
    """Return what the kernel writes, and how many rows that is."""
    letters = np.frombuffer(bytearray(b"\n".join(words) + b"\n"), dtype=np.uint8)
    size = letters.size + vector_files.WIDEST * vectors.size
    out = np.zeros(size, dtype=np.uint8)
    reached = np.zeros(3, dtype=np.int64)
    vector_files.write_text_rows(vectors, letters, out, reached)
    position, row, n_out = reached.tolist()
    assert position == sum(map(len, words[:row])) + row
    return out[:n_out].tobytes(), row


def spelled(number):
    """The shortest spelling by NumPy, with an exponent for small and large numbers."""
    if number == 0 or 1e-4 <= abs(float(number)) < 1e6:
        return np.format_float_positional(number, trim="0")
    return np.format_float_scientific(number, trim="-")


@pytest.mark.small
def test_written_numbers():
    """As NumPy writes them; a row in doubt is left to the caller, as few are."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, size=1000, dtype=np.uint32).view(np.float32)
    given = [0.0, -0.0, 0.001, 0.00099999, 99999.99, 123456.0, 5.0, -0.5, 9.9999999]
    given += [999999.94, 1000000.0, 16777216.0, 1e-5, 1.5e30, 3.4028235e38, 1e-45]
    numbers = np.concatenate(
        [
            bits[np.isfinite(bits)],
            rng.normal(size=1000).astype(np.float32),
            (rng.integers(-(10**6), 10**6, size=300) / 1e6).astype(np.float32),
            rng.integers(-(10**4), 10**4, size=100).astype(np.float32),
            np.array(given, dtype=np.float32),
        ]
    )
    n_left = 0
    for number in numbers:
        written, row = write_text(number.reshape(1, 1), [b"w"])
        if not row:
            assert not written
            n_left += 1
            continue
        assert written == f"w {spelled(number)}\n".encode()
    assert n_left < 0.05 * len(numbers)


@pytest.mark.small
def test_written_powers_of_two():
    """Below them float32 lie closer. One digit more than needed is allowed."""
    for power in range(-90, 100):
        number = np.float32(2.0**power)
        written, row = write_text(number.reshape(1, 1), [b"w"])
        if row:
            assert np.float32(written.split()[1]) == number
            assert len(written) <= len(f"w {spelled(number)}\n") + 1


@pytest.mark.small
def test_written_rows():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, 4)).astype(np.float32)
    words = [b"a", "é".encode(), b"c" * 50, b"d", b"e"]
    lines = [
        word + b" " + " ".join(map(spelled, vector)).encode() + b"\n"
        for word, vector in zip(words, vectors, strict=True)
    ]
    assert write_text(vectors, words) == (b"".join(lines), 5)
    vectors[3, 2] = 1e-45
    assert write_text(vectors, words) == (b"".join(lines[:3]), 3)


@pytest.mark.skipif(not jit.COMPILED, reason="needs the compiler")
def test_one_signature(tmp_path):
    """Whatever is read and written, each kernel is compiled once."""
    vectors = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    table = WordVectors([f"w{i}" for i in range(9)], vectors)
    table.save(tmp_path / "v")
    for saved in (table, table[:3], WordVectors.load(tmp_path / "v", mmap=True)):
        for format in ("word2vec", "glove", "word2vec-binary"):
            for name in ("v.txt", "v.gz"):
                saved.save(tmp_path / name, format)
                assert WordVectors.load(tmp_path / name, limit=5) == saved[:5]
                assert WordVectors.load(tmp_path / name, format) == saved
    for name in ("read_text_rows", "read_binary_rows", "write_text_rows"):
        assert len(getattr(vector_files, name).signatures) == 1, name
