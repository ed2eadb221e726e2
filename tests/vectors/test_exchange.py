"""Tables for and from other libraries, where these are installed."""

import json
import re
import struct
import sys

import numpy as np
import pytest

from skembed.vectors import WordVectors, _exchange
from tests.vectors import fasttext_file


@pytest.fixture(scope="module")
def table():
    words = ["cat", "sat", "über", "."]
    vectors = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    return WordVectors(words, vectors)


def hide(monkeypatch, *hidden):
    """Make some packages impossible to import."""
    loaded = [name for name in sys.modules if name.partition(".")[0] in hidden]
    for name in {*hidden, *loaded}:
        monkeypatch.setitem(sys.modules, name, None)


def test_model2vec(table, tmp_path):
    """The means of model2vec are those of the words that it finds."""
    model2vec = pytest.importorskip("model2vec")
    table.save(tmp_path / "m", "model2vec")
    model = model2vec.StaticModel.from_pretrained(tmp_path / "m")
    np.testing.assert_array_equal(model.embedding[:4], table.vectors)
    found = model.encode(["The CAT sat. On Über"])
    wanted = table[["cat", "sat", ".", "über"]].mean(axis=0)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    # Nothing is cut, however long it is.
    long = "cat " * 1000 + "sat " * 3000
    wanted = (table["cat"] + 3 * table["sat"]) / 4
    np.testing.assert_allclose(model.encode([long])[0], wanted, rtol=1e-4)


def test_model2vec_cased(tmp_path):
    model2vec = pytest.importorskip("model2vec")
    table = WordVectors(["Cat", "cat", "[UNK]"], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    table.save(tmp_path, "model2vec")
    model = model2vec.StaticModel.from_pretrained(tmp_path)
    assert model.encode(["Cat dog", "cat"]).tolist() == [[1, 2], [3, 4]]


def test_model2vec_folder(table, tmp_path):
    """What is written, and again the same bytes."""
    for _ in range(2):
        table.save(tmp_path / "m", "model2vec")
        files = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
        names = ["config.json", "model.safetensors", "modules.json", "tokenizer.json"]
        assert sorted(files) == names
        content = files["model.safetensors"]
        assert content.endswith(table.vectors.tobytes() + b"\0" * 20)
        tokenizer = json.loads(files["tokenizer.json"])
        assert list(tokenizer["model"]["vocab"]) == [*table.words, "[UNK]"]
    with pytest.raises(ValueError, match="is a file"):
        table.save(tmp_path / "m" / "config.json", "model2vec")
    with pytest.raises(ValueError, match="is an int"):
        WordVectors([1], [[1.0]]).save(tmp_path / "m", "model2vec")
    assert files == {
        path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()
    }


def test_spacy(table):
    spacy = pytest.importorskip("spacy")
    vectors = table.to_spacy()
    for word in table:
        np.testing.assert_array_equal(vectors[word], table[word])
    nlp = spacy.blank("en")
    nlp.vocab.vectors = vectors
    document = nlp("cat sat nowhere")
    np.testing.assert_array_equal(document[0].vector, table["cat"])
    assert not document[2].has_vector
    vectors.data[0] = 0
    assert table["cat"].any()
    for words in ([1, 2], ["a", ""]):
        with pytest.raises(ValueError, match=f"cannot hold the word {words[-1]!r}|1"):
            WordVectors(words, np.ones((2, 2))).to_spacy()


def test_spacy_is_not_installed(table, monkeypatch):
    hide(monkeypatch, "spacy")
    with pytest.raises(ImportError, match="python -m pip install spacy"):
        table.to_spacy()


# --- fastText -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that fastText trained, and what it writes."""
    fasttext = pytest.importorskip("fasttext")
    folder = tmp_path_factory.mktemp("fasttext")
    (folder / "text").write_text("the cat sat on the été mat\n" * 20, encoding="utf-8")
    model = fasttext.train_unsupervised(
        str(folder / "text"), dim=4, minCount=1, epoch=1, bucket=50, thread=1, verbose=0
    )
    model.save_model(str(folder / "m.bin"))
    return model, folder / "m.bin"


@pytest.mark.parametrize("hidden", [(), ("gensim",)], ids=["gensim", "fasttext"])
def test_fasttext_bin(trained, monkeypatch, hidden):
    model, path = trained
    if not hidden:
        pytest.importorskip("gensim.models.fasttext")
    hide(monkeypatch, *hidden)
    for format in ("auto", "fasttext-bin"):
        found = WordVectors.load(path, format)
        words, counts = model.get_words(include_freq=True)
        assert list(found.words) == words
        assert found.counts.tolist() == counts.tolist()
        wanted = [model.get_word_vector(word) for word in words]
        np.testing.assert_allclose(found.vectors, wanted, rtol=1e-5, atol=1e-7)
    assert WordVectors.load(path, limit=2) == found[:2]
    with pytest.raises(ValueError, match="mmap=True needs"):
        WordVectors.load(path, mmap=True)


def test_fasttext_vec(trained, tmp_path):
    """Lines as fastText's program writes them: five digits, a space at the end."""
    model, _ = trained
    words = model.get_words()
    lines = [f"{len(words)} {model.get_dimension()}\n"]
    for word in words:
        numbers = "".join(f"{number:.5g} " for number in model.get_word_vector(word))
        lines.append(f"{word} {numbers}\n")
    (tmp_path / "m.vec").write_text("".join(lines), encoding="utf-8")
    found = WordVectors.load(tmp_path / "m.vec", "fasttext")
    assert list(found.words) == words
    for word in words:
        np.testing.assert_allclose(found[word], model.get_word_vector(word), rtol=1e-4)


@pytest.fixture
def no_library(monkeypatch):
    """Stand in for the library; the damaged files here must not reach it."""

    def unwanted(path):
        pytest.fail("The library was called.")

    monkeypatch.setattr(_exchange, "_fasttext_reader", lambda: unwanted)


WORDS, COUNTS = [b"cat", "été".encode(), b"</s>"], [5, 3, 2]


@pytest.fixture(scope="module")
def content():
    vectors = np.random.default_rng(0).normal(size=(10, 4))
    return fasttext_file.content(
        WORDS, COUNTS, vectors, vectors[:3], bucket=7, ngrams=(3, 4)
    )


@pytest.mark.parametrize("ngrams", [(0, 0), (3, 4)], ids=["words", "ngrams"])
def test_fasttext_file(tmp_path, ngrams):
    """What the tests write is what gensim reads, with and without n-grams."""
    pytest.importorskip("gensim.models.fasttext")
    vectors = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    if ngrams == (0, 0):
        vectors = vectors[:3]
    (tmp_path / "m").write_bytes(
        fasttext_file.content(
            WORDS, COUNTS, vectors, vectors[:3], bucket=len(vectors) - 3, ngrams=ngrams
        )
    )
    found = WordVectors.load(tmp_path / "m")
    assert found.words == ("cat", "été", "</s>")
    assert found.counts.tolist() == COUNTS
    if ngrams == (0, 0):
        np.testing.assert_array_equal(found.vectors, vectors)
    # The end of a line has no n-grams, the other words have.
    np.testing.assert_array_equal(found["</s>"], vectors[2])
    assert np.array_equal(found["cat"], vectors[0]) == (ngrams == (0, 0))


def test_truncated_fasttext_bin(content, no_library, tmp_path):
    """Before the words and in the matrices: we notice, and no library sees it."""
    path = tmp_path / "m"
    for length in (*range(4, ENTRIES), *range(len(content) - 60, len(content))):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"byte \d+: .*truncated") as caught:
            WordVectors.load(path, "fasttext-bin")
        assert int(re.search(r"byte (\d+)", str(caught.value))[1]) <= length
    path.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match=f"byte {len(content)}: bytes follow"):
        WordVectors.load(path)


DICTIONARY = 8 + 56
ENTRIES = DICTIONARY + 28


@pytest.mark.parametrize(
    ("position", "form", "value", "message"),
    [
        (0, "i", 7, "byte 0: .* does not begin as fastText's .bin"),
        (4, "i", 13, "byte 4: the version of the format is 13"),
        (8, "i", 0, "byte 8: the parameter dim is 0"),
        (8, "i", 2**31 - 1, "the input matrix .* says 10 x 4"),
        (8 + 24, "i", 9, "byte 32: the parameter loss is 9"),
        (8 + 28, "i", 0, "byte 36: the parameter model is 0"),
        (8 + 32, "i", -1, "byte 40: the parameter bucket is -1"),
        (8 + 32, "i", 0, "byte 40: the parameter bucket is 0"),
        (8 + 32, "i", 8, "should have 11 x 4"),
        (8 + 40, "i", 2**30, f"byte 48: the parameter maxn is {2**30}"),
        (DICTIONARY, "i", 4, f"byte {DICTIONARY}: .* says 4 entries, of which 3"),
        (DICTIONARY, "3i", (2**30, 2**30, 0), f"byte {ENTRIES}: {2**30} entries take"),
        (DICTIONARY, "3i", (-3, -3, 0), "says -3 entries"),
        (DICTIONARY, "3i", (3, 2, 1), "and the type 0, which should be 1"),
        (DICTIONARY + 20, "q", 2**60, "pairs of the index of n-grams take at least"),
        (ENTRIES, "b", 0, f"byte {ENTRIES}: a word is empty"),
        (ENTRIES, "B", 0xFF, f"byte {ENTRIES}: the word .* is not UTF-8"),
        (ENTRIES + 4, "q", -1, f"byte {ENTRIES}: the entry of b'cat' has the count -1"),
        (ENTRIES + 12, "b", 1, f"byte {ENTRIES}: .* the type 1, which should be 0"),
    ],
)
def test_damaged_fasttext_bin(
    content, no_library, tmp_path, position, form, value, message
):
    damaged = bytearray(content)
    values = value if isinstance(value, tuple) else (value,)
    struct.pack_into(f"<{form}", damaged, position, *values)
    (tmp_path / "m").write_bytes(damaged)
    with pytest.raises(ValueError, match=message):
        WordVectors.load(tmp_path / "m", "fasttext-bin")


def test_matrices_of_fasttext_bin(content, no_library, tmp_path):
    """Sizes that the file cannot have, quantised files, and strange words."""
    path = tmp_path / "m"

    def fails(damaged, message):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=message):
            WordVectors.load(path)

    output = len(content) - 17 - 4 * 12
    sizes = struct.pack("<2q", 2**40, 4)
    fails(
        content[: output + 1] + sizes + content[output + 17 :],
        "numbers of the output take at least .* bytes, and 48 follow",
    )
    fails(
        content[:output] + b"\1" + content[output + 1 :],
        f"byte {output}: the output matrix is quantised, .* .ftz",
    )
    vectors = np.ones((3, 2))
    for words, message in (
        ([b"a", b"b", b"a"], "the word b'a' comes twice"),
        ([b"a", b"b", b"c" * 10_001], "a word is longer than 10000 bytes"),
    ):
        fails(fasttext_file.content(words, COUNTS, vectors, vectors), message)


def test_fasttext_is_not_installed(monkeypatch, tmp_path):
    hide(monkeypatch, "gensim", "fasttext")
    (tmp_path / "m.bin").write_bytes((793712314).to_bytes(4, "little") + b"\0" * 99)
    with pytest.raises(ImportError, match="needs gensim or fasttext"):
        WordVectors.load(tmp_path / "m.bin")
    with pytest.raises(ImportError, match="python -m pip install gensim"):
        _exchange.read_fasttext(tmp_path / "m.bin", None)
