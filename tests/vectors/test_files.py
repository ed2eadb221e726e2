"""Files of vectors: what is written, what is read, and what is refused."""

import gzip
import json
import lzma
import os
import pickle
import re
import struct
import warnings

import numpy as np
import pytest

from skembed.vectors import WordVectors
from skembed.vectors._stream import Stream

WORDS = [
    "the",
    "été",
    "日本",
    "\U0001d518",
    "\u00a0x",
    "New_York",
    "1",
    "-0.5",
    "#",
    'a\\"b',
]
FORMATS = ["word2vec", "word2vec-binary", "glove", "fasttext", "safetensors"]
PACKED = ["word2vec", "word2vec-binary", "glove", "fasttext"]
# Three words of two dimensions, in each of the formats that others write.
TEXT = b"3 2\na 0.5 -1.5\nb 2.0 0.25\nc 1.0 3.0\n"
VALUES = [[0.5, -1.5], [2.0, 0.25], [1.0, 3.0]]
HEADLESS = TEXT[4:]


def record(word, *numbers, end=b""):
    return word + b" " + struct.pack(f"<{len(numbers)}f", *numbers) + end


def binary(end=b"", words=(b"a", b"b", b"c"), header=b"3 2\n"):
    rows = zip(words, VALUES, strict=True)
    return header + b"".join(record(word, *row, end=end) for word, row in rows)


@pytest.fixture(scope="module")
def table():
    """Numbers of all sizes that float32 knows, and counts."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, size=(len(WORDS), 7), dtype=np.uint32)
    vectors = bits.view(np.float32)
    vectors[~np.isfinite(vectors)] = -0.0
    vectors[0] = [0.0, -0.0, 1e-45, 3.4028235e38, -1.1754944e-38, 0.1, 16777216.0]
    return WordVectors(WORDS, vectors, counts=np.arange(len(WORDS)), source="a test")


@pytest.fixture
def load(tmp_path):
    """Write bytes and read them."""

    def load(content, format="auto", **options):
        path = tmp_path / "vectors"
        path.write_bytes(content)
        return WordVectors.load(path, format, **options)

    return load


def assert_same(found, wanted):
    """The words and every bit of the vectors."""
    assert found.words == tuple(wanted.words)
    np.testing.assert_array_equal(
        found.vectors.view(np.uint32), np.asarray(wanted.vectors).view(np.uint32)
    )


def assert_is_sample(found):
    assert found.words == ("a", "b", "c")
    assert found.vectors.dtype == np.float32
    assert found.vectors.tolist() == VALUES


# --- round trips ----------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stated", [False, True], ids=["auto", "stated"])
def test_round_trip(table, tmp_path, format, stated):
    path = tmp_path / "v.bin"
    table.save(path, format)
    found = WordVectors.load(path, format if stated else "auto")
    assert_same(found, table)
    assert [path] == list(tmp_path.iterdir())
    if format == "safetensors":
        assert found == table
        assert found.source == "a test"
    else:
        assert found.counts is None
        assert str(path) in found.source


@pytest.mark.parametrize("format", PACKED)
def test_packed_round_trip(table, tmp_path, format):
    path = tmp_path / "vectors.gz"
    table.save(path, format)
    content = path.read_bytes()
    assert content[:2] == b"\x1f\x8b"
    table.save(tmp_path / "plain", format)
    assert gzip.decompress(content) == (tmp_path / "plain").read_bytes()
    assert_same(WordVectors.load(path), table)
    # The content counts, and not the name.
    renamed = path.rename(tmp_path / "vectors.txt")
    assert_same(WordVectors.load(renamed, format), table)
    table.save(path, format)
    assert path.read_bytes() == content


@pytest.mark.parametrize("format", ["word2vec", "word2vec-binary", "glove"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_gensim(table, tmp_path, format, packed):
    """Both ways, every bit; gensim writes the same bytes."""
    keyed_vectors = pytest.importorskip("gensim.models").KeyedVectors
    path = tmp_path / ("v.gz" if packed else "v")
    is_binary, no_header = format == "word2vec-binary", format == "glove"
    table.save(path, format)
    with warnings.catch_warnings():
        # Without a header, gensim leaves the file open.
        warnings.simplefilter("ignore", ResourceWarning)
        theirs = keyed_vectors.load_word2vec_format(
            path, binary=is_binary, no_header=no_header
        )
    assert theirs.index_to_key == WORDS
    np.testing.assert_array_equal(theirs.vectors, table.vectors)
    other = tmp_path / ("w.gz" if packed else "w")
    theirs.save_word2vec_format(other, binary=is_binary, write_header=not no_header)
    assert_same(WordVectors.load(other), table)
    # gensim writes what NumPy does, and older versions have other exponents.
    if not packed and (is_binary or str(np.float32(1e6)) == "1e+06"):
        assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("header", [True, False])
def test_gensim_words_with_spaces(tmp_path, header):
    """gensim writes them, and cannot read them."""
    keyed_vectors = pytest.importorskip("gensim.models").KeyedVectors
    theirs = keyed_vectors(3)
    words = ["New York", "a", ". . .", "x y  z", "the 3rd", " b", "e 1st"]
    vectors = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    theirs.add_vectors(words, vectors)
    theirs.save_word2vec_format(tmp_path / "v", write_header=header)
    found = WordVectors.load(tmp_path / "v")
    assert found.words == tuple(word.strip() for word in words)
    np.testing.assert_array_equal(found.vectors, vectors)


def test_many_rows(tmp_path):
    """Several chunks of bytes and several sizes of the table."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30_000, 5)).astype(np.float32)
    table = WordVectors([f"w{i}é" for i in range(30_000)], vectors)
    for format in ("glove", "word2vec-binary"):
        table.save(tmp_path / "v", format)
        packed = gzip.compress((tmp_path / "v").read_bytes(), 1)
        (tmp_path / "v.gz").write_bytes(packed)
        for name in ("v", "v.gz"):
            assert_same(WordVectors.load(tmp_path / name), table)
            part = WordVectors.load(tmp_path / name, limit=21_234)
            assert_same(part, table[:21_234])


def test_streams(tmp_path):
    """Bytes that are in use elsewhere stay as they are."""
    content = np.random.default_rng(0).bytes(3 * 2**20)
    (tmp_path / "v").write_bytes(content)
    with Stream(tmp_path / "v") as stream:
        found = stream.head()
        assert found == content[: len(found)]
        stream.first = 1000
        data = stream.data
        assert stream.fill()
        assert data.tobytes() == found
        assert stream.position == 1000
        while stream.fill():
            pass
        assert stream.storage == content[1000:]


# --- safetensors ----------------------------------------------------------------------


def test_safetensors_bytes(tmp_path):
    """The same bytes again, and those that the specification asks for."""
    counts = np.array([2.5, 1.0])
    table, same = (
        WordVectors(
            ["é", 7],
            [[1, 2], [3, 4]],
            counts=counts,
            source='"x"',
            parameters=parameters,
        )
        for parameters in (
            {"z": {"y": 1, "x": 2}, "a": "é"},
            {"a": "é", "z": {"x": 2, "y": 1}},
        )
    )
    table.save(tmp_path / "a")
    same.save(tmp_path / "b")
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0
    header = json.loads(content[8 : 8 + length])
    assert header["vectors"] == {
        "dtype": "F32",
        "shape": [2, 2],
        "data_offsets": [0, 16],
    }
    assert list(header["__metadata__"]) == ["skembed"]
    card = json.loads(header["__metadata__"]["skembed"])
    assert card["words"] == ["é", 7]
    assert card["counts"] == [2.5, 1.0]
    assert (card["format"], card["source"]) == (1, '"x"')
    assert card["parameters"] == {"a": "é", "z": {"x": 2, "y": 1}}
    assert WordVectors.load(tmp_path / "a").parameters == card["parameters"]
    assert content[8 + length :] == struct.pack("<4f", 1, 2, 3, 4)
    assert WordVectors.load(tmp_path / "a") == table


def test_safetensors_library(table, tmp_path):
    """The library reads ours; ours tells what it misses in a file of the library."""
    safetensors = pytest.importorskip("safetensors")
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "v.safetensors"
    table.save(path)
    np.testing.assert_array_equal(numpy.load_file(path)["vectors"], table.vectors)
    with safetensors.safe_open(path, "numpy") as file:
        assert json.loads(file.metadata()["skembed"])["words"] == WORDS
    numpy.save_file({"vectors": np.ones((2, 2), np.float32)}, path)
    with pytest.raises(
        ValueError, match=r"not written by skembed: .* 'skembed' is missing"
    ):
        WordVectors.load(path)


def test_memory_map(table, tmp_path):
    table.save(tmp_path / "v")
    found = WordVectors.load(tmp_path / "v", mmap=True)
    assert isinstance(found.vectors, np.memmap)
    assert not found.vectors.flags.writeable
    assert found == table
    part = WordVectors.load(tmp_path / "v", mmap=True, limit=3)
    assert part == table[:3]
    # Saving over a file that is in use leaves the map as it is.
    found[:2].save(tmp_path / "v")
    assert found == table
    assert WordVectors.load(tmp_path / "v") == table[:2]


@pytest.mark.parametrize("format", ["word2vec", "word2vec-binary", "glove"])
def test_only_safetensors_are_mapped(table, tmp_path, format):
    table.save(tmp_path / "v", format)
    with pytest.raises(ValueError, match=r"mmap=True needs .* 'safetensors'"):
        WordVectors.load(tmp_path / "v", mmap=True)


def safetensors(header, data=b"\0" * 16):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return len(text).to_bytes(8, "little") + text + data


def header_of(entry=None, **changes):
    card = {"format": 1, "words": ["a", "b"], "counts": None, "source": ""} | changes
    entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]} | (entry or {})
    return {"__metadata__": {"skembed": json.dumps(card)}, "vectors": entry}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a header of 0 bytes does not fit into a file of 0 bytes"),
        (b"\xff" * 7 + b"\x7f{", "does not fit into a file of 9 bytes"),
        (safetensors(b"{'a"), "byte 8: the header is not JSON"),
        (safetensors(b"\xff\xff"), "byte 8: the header is not JSON"),
        (safetensors(b"[" * 100_000), "byte 8: the header is not JSON"),
        (safetensors([]), "key 'skembed' is missing"),
        (safetensors({"__metadata__": {"skembed": 1}}), "key 'skembed' is missing"),
        (safetensors({"__metadata__": {"skembed": "{"}}), "card 'skembed' is not JSON"),
        (safetensors({"__metadata__": {"skembed": "3"}}), "the format 3"),
        (safetensors(header_of(format=2)), "the format 2, and .* reads 1"),
        (safetensors(header_of({"dtype": "F16"})), "is not a float32 table"),
        (safetensors(header_of({"shape": [2]})), "is not a float32 table"),
        (safetensors(header_of({"shape": [4, 0]})), "is not a float32 table"),
        (safetensors(header_of({"shape": [True, 2]})), "is not a float32 table"),
        (safetensors(header_of({"shape": [2**40, 2**40]})), "is not a float32 table"),
        (safetensors(header_of({"data_offsets": [-8, 8]})), "is not a float32 table"),
        (safetensors(header_of(), b"\0" * 15), "take 16 bytes, and 15 follow"),
        (safetensors(header_of(), b"\0" * 17), "take 16 bytes, and 17 follow"),
        (safetensors(header_of(words=["a"])), "has 1 words for 2 vectors"),
        (safetensors(header_of(words=None)), "no list of words for 2 vectors"),
        (safetensors(header_of(words=["a", None])), "None is among the words"),
        (safetensors(header_of(words=["a", True])), "True is among the words"),
        (safetensors(header_of(words=["a", "a"])), "'a' is given twice"),
        (safetensors(header_of(counts=[1])), "has 1 counts"),
        (
            safetensors(header_of(counts=[1, -1])),
            "count of 'b' in the card is -1, .* not n",
        ),
        (safetensors(header_of(counts=[1, 10**30])), "of 'b' .* is 1000000"),
        (safetensors(header_of(counts=[1, float("nan")])), "of 'b' .* is nan"),
        (safetensors(header_of(parameters=[])), "parameters of the card are not"),
        (safetensors(header_of(parameters={"a": float("nan")})), "JSON can hold"),
        (safetensors(header_of(source=3)), "source of the card is not text"),
        (safetensors(header_of(), b"\xff" * 16), "of 'a' .row 0. .* must be finite"),
    ],
)
def test_bad_safetensors(load, tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(content, "safetensors")
    assert str(tmp_path / "vectors") in str(caught.value)


def test_card_without_parameters(load):
    """The first files had none."""
    assert load(safetensors(header_of())).parameters == {}


# --- what programs write --------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        TEXT.replace(b"\n", b" \n"),
        TEXT.replace(b"\n", b"\r\n"),
        TEXT.replace(b" ", b"\t"),
        TEXT.replace(b" ", b"  "),
        TEXT[:-1],
        TEXT + b"\n",
        TEXT + b" \r\n\n",
        b"\xef\xbb\xbf" + TEXT,
        b"0003 02 \n" + HEADLESS,
        HEADLESS,
        HEADLESS[:-1],
        HEADLESS.replace(b"\n", b"\r\n") + b"\r\n",
        HEADLESS.replace(b".0", b""),
        HEADLESS.replace(b".0", b"."),
        HEADLESS.replace(b"0.", b"."),
        HEADLESS.replace(b"0.5", b"+5000000000000000000000e-22"),
        HEADLESS.replace(b"0.5", b"0." + b"4" + b"9" * 40),
        HEADLESS.replace(b"0.5", b"0.5" + b"0" * 400),
        HEADLESS.replace(b"0.5", b"50E-02"),
        binary(),
        binary(end=b"\n"),
        binary(end=b"\n")[:-1],
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_variants(load, content, packed):
    assert_is_sample(load(gzip.compress(content) if packed else content))


def test_glove_with_header(load):
    """The row of unknown words, which the header does not count, is read."""
    content = TEXT + b"<unk> 7.000000 8.000000\n"
    for format in ("auto", "glove", "word2vec"):
        found = load(content, format)
        assert found.words == ("a", "b", "c", "<unk>")
        assert found["<unk>"].tolist() == [7, 8]
        assert_is_sample(load(content, format, limit=3))
        assert len(load(content, format, limit=4)) == 4


def test_one_dimension(load):
    """Whether a row of two numbers is a header can only be told by who knows."""
    assert load(b"2 1\n3 4\n5 6\n").words == ("3", "5")
    assert load(b"2 1\n3 4\n5 6\n", "glove").words == ("2", "3", "5")
    assert load(b"x 1\n3 4\n5 6\n").words == ("x", "3", "5")


def test_words_that_look_like_something_else(load):
    found = load(b"3 2\nnan 1 2\n1e5 3 4\n5 5 6\n")
    assert found.words == ("nan", "1e5", "5")
    found = load(b"New York 0.5 1\nto inf x 2 3\n")
    assert found.words == ("New York", "to inf x")
    assert found.vectors.tolist() == [[0.5, 1], [2, 3]]


def test_limit(load):
    for content in (TEXT, HEADLESS, binary()):
        found = load(content, limit=2)
        assert found.words == ("a", "b")
        assert_is_sample(load(content, limit=9))
        # What comes after the limit is not looked at.
        assert load(content + b"\xff\xff broken", limit=2) == found
        assert load(content[:-3], limit=2) == found


def test_duplicates(load):
    rows = [b"a 1 2\n", b"b 3 4\n", b"a 5 6\n", b"c 7 8\n", b"b 9 0\n"]
    content = b"".join(rows)
    for text, lines in ((content, (1, 3)), (b"5 2\n" + content, (2, 4))):
        message = "'a' is both in line {} and in line {}. Pass dup".format(*lines)
        with pytest.raises(ValueError, match=message):
            load(text)
    found = load(content, duplicates="first")
    assert found.words == ("a", "b", "c")
    assert found.vectors.tolist() == [[1, 2], [3, 4], [7, 8]]
    words = (b"a", b"b", b"a")
    with pytest.raises(ValueError, match="'a' is both in word 1 and in word 3"):
        load(binary(words=words))
    found = load(binary(words=words), duplicates="first")
    assert found.vectors.tolist() == VALUES[:2]


def text_of(words):
    rows = zip(words, VALUES, strict=True)
    return b"".join(b"%s %g %g\n" % (word, *row) for word, row in rows)


@pytest.mark.parametrize(
    "make",
    [lambda words: b"3 2\n" + text_of(words), text_of, lambda w: binary(words=w)],
    ids=["word2vec", "glove", "binary"],
)
def test_not_utf8(load, make):
    content = make((b"a", "é".encode(), b"h\xe9"))
    with pytest.raises(ValueError, match=r"word b'h\\xe9' is not UTF-8") as caught:
        load(content)
    offset = int(re.search(r"byte (\d+)", str(caught.value))[1])
    assert content[offset:].startswith(b"h\xe9 ")
    assert load(content, errors="replace").words == ("a", "é", "h\ufffd")


# --- damaged text ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\r\n", "is empty"),
        (b"a\nb 1 2\n", r"line 1 \(byte 0\): b'a' is not a word and numbers"),
        (b"0 3\n", "the header says 0 words"),
        (b"3 0\na\n", "the header says 0 dimensions"),
        (
            b"a 1 2\nb 1\n",
            r"line 2 \(byte 6\): b'b 1' has 1 number after the word, but line 1 has 2",
        ),
        (
            b"a 1 2\nb 1 2 3\n",
            r"line 2 \(byte 6\): .* has 3 numbers after the word, but line 1 has 2",
        ),
        (b"a 1\nb 1 2\n", r"line 2 \(byte 4\): .* line 1 has 1."),
        (b"a 1 2\nb\n", r"line 2 \(byte 6\): .* has 0 numbers"),
        (b"3 2\na 1 2\nb 1\nc 10 2\n", r"line 3 .* 1 number .* the header says 2"),
        (
            b"3 2\na 1 2\nb 1 2 3\nc 1 2\n",
            r"line 3 .* Perhaps the word ends in a number",
        ),
        (b"3 2\n3 2\na 1 2\nb 1 2\nc 1 2\n", r"line 2 .* like a second header"),
        (b"a 1 2\nb x 2\n", r"line 2 \(byte 6\): .* 1 number "),
        (b"a 1 2\nb 1,5 2\n", r"line 2 \(byte 6\): .* 1 number "),
        (b"a 1 2\nb 1_0 2\n", r"line 2 \(byte 6\): .* 1 number "),
        (b"a 1 2\nb 0x1 2\n", r"line 2 \(byte 6\): .* 1 number "),
        (b"a 1 2\nb 1e 2\n", r"line 2 \(byte 6\): .* 1 number "),
        (b"a 1 2\nb - 2\n", r"line 2 \(byte 6\): .* 1 number "),
        (b"a 1 2\nb . 2\n", r"line 2 \(byte 6\): .* 1 number "),
        (b"a 1 2\nb nan 2\n", r"line 2 \(byte 6\): b'nan' is not finite"),
        (b"a 1 2\nb 1 -inf\n", r"line 2 \(byte 6\): b'-inf' is not finite"),
        (b"a 1 2\nb 1 1e39\n", r"line 2 \(byte 6\): b'1e39' is too large"),
        (b"a 1 2\nb 1 1e999\n", r"line 2 \(byte 6\): b'1e999' is too large"),
        (b"a 1 2\n\nb 1 2\n", r"line 2 \(byte 6\): the line is blank"),
        (b"a 1 2\n 1 2\n", r"line 2 \(byte 6\): b'1 2' has 1 number "),
        (b"4 2\na 1 2\nb 1 2\n\xe9x 1.00 2.00\n", "word b'.xe9x' is not UTF-8"),
        (
            b"4 2\na 1.00 2\nb 1.0 2\nc 1.0 2\n",
            "says 4. .* Pass limit=3 to read the rows that exist",
        ),
        (b"2 2\na 1 2\nb 1 2\nc 1 2\n", r"line 4 .* more words follow than the 2"),
        (b"2 2\na 1 2\nb 1 2\nc 1 2\n<unk> 1 2\n", "more words follow than the 2"),
        (b"99 2\na 1 2\n", "99 words of 2 numbers take at least 593 bytes, and 6"),
        (b"1 %d\na 1 2\n" % 10**17, "take at least .* bytes, and 6 follow"),
        (b"%d 2\na 1 2\n" % 10**17, "take at least .* bytes, and 6 follow"),
    ],
)
def test_bad_text(load, content, message):
    with pytest.raises(ValueError, match=message):
        load(content)
    unknown_size = message.split("take at least")[0]
    if unknown_size == message:
        with pytest.raises(ValueError, match=message):
            load(gzip.compress(content))
    else:
        with pytest.raises(ValueError, match=r"line 2|ends after"):
            load(gzip.compress(content))


@pytest.mark.parametrize("format", ["word2vec", "fasttext", "word2vec-binary"])
def test_missing_header(load, format):
    with pytest.raises(ValueError, match="pass format='glove'"):
        load(HEADLESS, format)


def test_long_lines(load):
    """A line longer than what is read at a time, and one that never ends."""
    numbers = np.random.default_rng(0).normal(size=200_000).astype(np.float32)
    line = b" ".join([b"w", *(b"%.9g" % number for number in numbers)])
    assert len(line) > 2**21
    found = load(line + b"\n" + line.replace(b"w", b"x"))
    assert found.vectors.tolist() == [numbers.tolist()] * 2
    with pytest.raises(ValueError, match="is not a word and numbers"):
        load(b"a" * 2**22)


# --- damaged binary -------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["gensim", "word2vec"])
def test_bad_binary(load, end):
    content = binary(end)

    def fails(content, message, **options):
        with pytest.raises(ValueError, match=message):
            load(content, "word2vec-binary", **options)

    fails(content[:-4], "take at least 30 bytes|ends after 2 words")
    fails(gzip.compress(content[:-4]), "ends after 2 words, the header says 3")
    fails(content + b"d 1", "bytes follow the 3 words")
    fails(content.replace(b"3 2", b"2 2"), "bytes follow the 2 words")
    fails(content.replace(b"3 2", b"%d 2" % 10**17), "take at least")
    fails(content.replace(b"3 2", b"3 %d" % 10**17), "take at least")
    packed = gzip.compress(content.replace(b"3 2", b"3 %d" % 10**17))
    fails(packed, "ends after 0 words")
    packed = gzip.compress(content.replace(b"b ", b" "))
    offset = content.index(b"b ") - len(end)
    fails(packed, rf"byte {offset}: there is no word before the space")
    fails(content.replace(b"b ", b"b\0 "), r"word b'b\\x00' has a control character")
    values = struct.pack("<2f", 2.0, np.nan)
    broken = content.replace(struct.pack("<2f", 2.0, 0.25), values)
    offset = broken.index(b"b ")
    fails(broken, rf"byte {offset}: the vector of b'b' has values that are not finite")


def test_binary_word_with_space(load):
    """What gensim writes for it is found out, where there is a way to."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(3, 20)).tolist()
    words = (b"a", b"New York", b"c")
    rows = [record(word, *row) for word, row in zip(words, numbers, strict=True)]
    with pytest.raises(ValueError, match="the word before has a space"):
        load(b"3 20\n" + b"".join(rows))


# --- damaged gzip ---------------------------------------------------------------------


def test_damaged_gzip(load):
    packed = gzip.compress(TEXT)
    for broken in (packed[:-9], packed[:-1], packed[:20], packed + b"rubbish"):
        with pytest.raises(ValueError, match="damaged or truncated"):
            load(broken)
    changed = bytearray(packed)
    changed[-6] ^= 1
    with pytest.raises(ValueError, match="damaged or truncated"):
        load(bytes(changed))
    # Two members are one file.
    assert_is_sample(load(gzip.compress(TEXT[:11]) + gzip.compress(TEXT[11:])))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\3\4" + b"\0" * 99, "is a zip archive. Unpack it"),
        (lzma.compress(TEXT), "is packed by xz. Unpack it"),
        (
            pickle.dumps([1]),
            r"is a pickle, which load does not read. .* WordVectors.from_gensim\(",
        ),
        (b"\x93NUMPY\1\0v\0{'descr", "is an array of NumPy"),
    ],
)
def test_other_files(load, content, message):
    for format in ("auto", "glove"):
        with pytest.raises(ValueError, match=message):
            load(content, format)


def test_vectors_without_words(load):
    """What GloVe writes besides its text: words and contexts, float64, no header."""
    content = np.random.default_rng(0).normal(size=(2, 30, 6)).astype("<f8").tobytes()
    for format in ("auto", "glove", "word2vec-binary"):
        for written in (content, gzip.compress(content)):
            with pytest.raises(ValueError, match=r"probably the vectors.bin of GloVe"):
                load(written, format)


@pytest.mark.parametrize(
    "options", [{"errors": "replace"}, {"duplicates": "first"}], ids=str
)
def test_options_that_mean_nothing(table, tmp_path, options):
    """Nothing is accepted and ignored."""
    path = tmp_path / "v"
    (name,) = options
    table.save(path)
    with pytest.raises(ValueError, match=f"{name}=.* is only for .*Leave {name} out"):
        WordVectors.load(path, **options)
    path.write_bytes((793712314).to_bytes(4, "little") + b"\0" * 99)
    with pytest.raises(ValueError, match=f"{name}=.* and .* is 'fasttext-bin'"):
        WordVectors.load(path, **options)


# --- writing --------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["word2vec", "word2vec-binary", "glove", "fasttext"])
@pytest.mark.parametrize("word", ["New York", "", "a\n", "\t", "a\rb", "\0", "\x1f"])
def test_words_that_a_format_cannot_hold(tmp_path, format, word):
    table = WordVectors(["a", word], np.ones((2, 3)))
    path = tmp_path / "v"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match=f"The word {re.escape(repr(word))} has"):
        table.save(path, format)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    table.save(path)
    assert WordVectors.load(path) == table


def test_words_that_are_no_str(tmp_path):
    table = WordVectors([1, 2], np.ones((2, 3)))
    with pytest.raises(
        ValueError, match=r"word 1 is an int\. 'word2vec' files can only st"
    ):
        table.save(tmp_path / "v", "word2vec")
    with pytest.raises(ValueError, match="is not Unicode"):
        WordVectors(["\ud800"], [[1.0]]).save(tmp_path / "v")
    assert not list(tmp_path.iterdir())


def test_failed_writing_leaves_the_old_file(table, tmp_path, monkeypatch):
    from skembed.vectors import _text

    path = tmp_path / "v.gz"
    path.write_bytes(b"old")

    def broken(*_args, **_options):
        yield b"begin"
        raise OSError("disk full")

    monkeypatch.setattr(_text, "pieces", broken)
    with pytest.raises(OSError, match="disk full"):
        table.save(path, "glove")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_links_stay_links(table, tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    try:
        link.symlink_to(tmp_path / "folder" / "v")
    except OSError:
        pytest.skip("no links on this system")
    table.save(link)
    assert link.is_symlink()
    assert WordVectors.load(tmp_path / "folder" / "v") == table


# --- parameters -----------------------------------------------------------------------


def test_parameters(table, tmp_path):
    path = tmp_path / "v"
    table.save(path)
    with pytest.raises(ValueError, match="format='json' must be one of auto, "):
        WordVectors.load(path, "json")
    with pytest.raises(ValueError, match="format='auto' must be one of word2vec"):
        table.save(path, "auto")
    for limit in (0, -1, True, 1.5, "3"):
        with pytest.raises(ValueError, match=f"limit={limit!r} must be"):
            WordVectors.load(path, limit=limit)
    assert len(WordVectors.load(path, limit=np.int64(2))) == 2
    with pytest.raises(ValueError, match="errors='ignore' must be"):
        WordVectors.load(path, errors="ignore")
    with pytest.raises(ValueError, match="duplicates='last' must be"):
        WordVectors.load(path, duplicates="last")
    with pytest.raises(ValueError, match="is a folder"):
        WordVectors.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        WordVectors.load(tmp_path / "none")
    with pytest.raises(ValueError, match="is not packed"):
        table.save(tmp_path / "v.gz", "safetensors")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_permissions_of_a_file_that_is_replaced(table, tmp_path):
    path = tmp_path / "v"
    table.save(path)
    path.chmod(0o600)
    table.save(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_files_that_cannot_be_written(table, tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} is a folder"):
        table.save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"folder .*missing does not exist"):
        table.save(tmp_path / "missing" / "v")
    long = tmp_path / ("v" * 255)
    table.save(long)
    assert WordVectors.load(long) == table
    assert [*tmp_path.iterdir()] == [long]
