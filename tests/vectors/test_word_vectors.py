"""`WordVectors`: checks, look-ups, other objects, neighbours."""

import copy
import html
import pickle
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import skembed
from skembed import PPMISVDEmbedder, SGNSEmbedder
from skembed.pooling._features import add_tables
from skembed.vectors import WordVectors
from tests.helpers import DOCUMENTS, ESTIMATORS, PACKAGE, WORDS, cheap
from tests.vectors.conftest import COUNTS

pytestmark = pytest.mark.small


# --- the constructor ------------------------------------------------------------------


def test_attributes(table):
    assert table.words == ("a", "b", "été", "New York")
    assert dict(table.vocabulary) == {"a": 0, "b": 1, "été": 2, "New York": 3}
    assert table.vectors.dtype == np.float32
    assert table.counts.dtype == np.int64
    assert (len(table), table.n_components, table.source) == (4, 3, "")
    assert [*table] == [*table.words]
    assert "été" in table
    assert not {"c", 0, None, True} & {*table}
    for other in ("c", 0, None, ["a"], np.nan):
        assert other not in table


class Letter(str):
    """Words whose `str` is another text, as that of members of an `Enum`."""

    def __str__(self):
        return "another text"


@pytest.mark.parametrize(
    "words", [np.array(["a", "b"]), [Letter("a"), Letter("b")]], ids=type
)
def test_words_become_plain_str(words):
    table = WordVectors(words, np.eye(2))
    assert table.words == ("a", "b")
    assert [type(word) for word in table] == [str, str]


def test_words_of_any_kind():
    ints = WordVectors(np.arange(2, 4), np.eye(2))
    assert [type(word) for word in ints] == [int, int]
    np.testing.assert_array_equal(ints[3], [0, 1])
    np.testing.assert_array_equal(ints[[3, 2]], [[0, 1], [1, 0]])
    assert ints.most_similar(3) == [(2, 0.0)]
    assert ints.most_similar(np.array([3])) == [(2, 0.0)]
    assert ints.nearest(np.array([3, 2]))[0].tolist() == [[0], [1]]


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i4", "u1", "O"])
def test_numbers_of_any_kind(dtype):
    found = WordVectors(["a", "b"], np.array([[1, 2], [3, 4]]).astype(dtype))
    assert found.vectors.dtype == np.float32
    assert found.vectors.dtype.isnative
    np.testing.assert_array_equal(found.vectors, [[1, 2], [3, 4]])


def test_float32_is_not_copied():
    vectors = np.ones((2, 3), np.float32)
    table = WordVectors(["a", "b"], vectors)
    assert np.shares_memory(table.vectors, vectors)
    assert vectors.flags.writeable
    assert np.shares_memory(table[:1].vectors, vectors)
    assert np.shares_memory(table["b"], vectors)


def test_nobody_can_change_it(table):
    for array in (table.vectors, table.counts, table["a"], table[1:].vectors):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    with pytest.raises(TypeError):
        table.vocabulary["c"] = 4
    for name in ("words", "vectors", "counts", "vocabulary", "source"):
        with pytest.raises(AttributeError):
            setattr(table, name, None)
    # What a look-up of many returns is a copy.
    table[["a"]][:] = 5
    assert table["a"][0] == 1


def test_counts_are_copied():
    counts = np.array([2, 1])
    table = WordVectors(["a", "b"], np.eye(2), counts=counts)
    counts[0] = 7
    assert table.counts.tolist() == [2, 1]
    assert WordVectors(["a"], [[1]], counts=[0.5]).counts.dtype == np.float64


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_maps(tmp_path, mode):
    vectors = np.arange(6, dtype=np.float32).reshape(3, 2)
    vectors.tofile(tmp_path / "vectors")
    mapped = np.memmap(tmp_path / "vectors", np.float32, mode, shape=(3, 2))
    table = WordVectors(["c", "d", "e"], mapped)
    assert np.shares_memory(table.vectors, mapped)
    with pytest.raises(ValueError, match="WRITEABLE"):
        table.vectors.flags.writeable = True
    assert isinstance(table.vectors, np.memmap) == (mode == "r")
    assert type(table["d"]) is type(table[["d"]]) is np.ndarray
    np.testing.assert_array_equal(table.get(["e", "x"], -1), [[4, 5], [-1, -1]])
    assert table.most_similar("d")[0][0] == "e"
    assert pickle.loads(pickle.dumps(table)) == table


@pytest.mark.parametrize(
    ("words", "vectors", "counts", "error", "message"),
    [
        ("ab", np.eye(2), None, TypeError, "iterable of str, got 'ab'"),
        (3, np.eye(2), None, TypeError, "iterable of str, got 3"),
        ([], np.empty((0, 2)), None, ValueError, "at least one word"),
        (["a", "b", "a"], np.eye(3), None, ValueError, "'a' is given twice, in rows 0"),
        (["b", "a", "a"], np.eye(3), None, ValueError, "'a' is given .* 1 and 2"),
        ([1, True], np.eye(2), None, TypeError, r"words\[1\] is True"),
        (["a", None], np.eye(2), None, TypeError, r"words\[1\] is None"),
        (["a", 1.5], np.eye(2), None, TypeError, r"words\[1\] is 1.5"),
        (["a", b"b"], np.eye(2), None, TypeError, r"words\[1\] is b'b'"),
        (["a"], np.eye(2), None, ValueError, "1 words and 2 vectors"),
        (["a", "b"], np.ones(2), None, ValueError, r"two dimensions.* \(2,\)"),
        (["a", "b"], np.ones((2, 1, 1)), None, ValueError, "two dimensions"),
        (["a", "b"], np.ones((2, 0)), None, ValueError, "0 components"),
        (["a", "b"], [[1, 2], [3]], None, TypeError, "array of numbers"),
        (["a"], [["1"]], None, TypeError, "real numbers"),
        ({"a", "b"}, np.eye(2), None, TypeError, "set, which has no order"),
        (["a"], [[10**400, 1]], None, TypeError, "too large"),
        (["a"], np.ma.array([[1.0, 9.0]], mask=[[0, 1]]), None, TypeError, "masked"),
        (["a"], [[1j]], None, TypeError, "real numbers"),
        (["a"], [[True]], None, TypeError, "real numbers"),
        (["a"], [[None]], None, TypeError, "real numbers"),
        (["a"], None, None, TypeError, "real numbers"),
        (
            ["a", "b"],
            [[1, 2], [1, np.nan]],
            None,
            ValueError,
            "'b' .*nan in column 1",
        ),
        (["a"], [[-np.inf]], None, ValueError, "-inf"),
        (["a"], [[1e39]], None, ValueError, r"1e\+39 .*finite in float32"),
        (["a"], [[1]], [1, 2], ValueError, r"counts must have shape \(1,\)"),
        (["a"], [[1]], 1, TypeError, "counts must be an array"),
        (["a", "b"], np.eye(2), [1, -1], ValueError, r"counts\[1\] is -1"),
        (["a"], [[1]], [np.nan], ValueError, r"counts\[0\] is nan"),
        (["a"], [[1]], ["1"], TypeError, "counts must be an array of real numbers"),
    ],
)
def test_bad_input(words, vectors, counts, error, message):
    with pytest.raises(error, match=message):
        WordVectors(words, vectors, counts=counts)


def test_bad_source():
    with pytest.raises(TypeError, match="source must be a str, got 3"):
        WordVectors(["a"], [[1]], source=3)


def test_not_finite_far_down(monkeypatch):
    monkeypatch.setattr("skembed.vectors._validation.CHUNK", 6)
    vectors = np.zeros((50, 3))
    vectors[41, 2] = np.inf
    with pytest.raises(ValueError, match=r"'w41' \(row 41\) holds inf in column 2"):
        WordVectors([f"w{i}" for i in range(50)], vectors)


def test_import_is_light():
    code = "import sys, skembed.vectors; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.check_output(command, text=True, cwd=PACKAGE.parent).split()
    assert not {"numba", "sklearn", "gensim"} & set(loaded)
    assert skembed.vectors.WordVectors is WordVectors


# --- look-ups -------------------------------------------------------------------------


def test_look_ups(table):
    np.testing.assert_array_equal(table["été"], [-1, 0, 1])
    assert table["a"].shape == (3,)
    for words in (["b", "a", "b"], ("b", "a", "b"), np.array(["b", "a", "b"])):
        np.testing.assert_array_equal(table[words], table.vectors[[1, 0, 1]])
    np.testing.assert_array_equal(table[iter(["b"])], table.vectors[[1]])
    assert table[[]].shape == (0, 3)


def test_unknown_words(table):
    with pytest.raises(KeyError, match="'c' is not among the 4 words"):
        table["c"]
    with pytest.raises(KeyError, match=r"'A' is not .* 'a' is"):
        table[["b", "A"]]
    with pytest.raises(KeyError, match=r"0 is not .*vectors has the rows"):
        table[0]
    with pytest.raises(TypeError, match="None"):
        table[None]
    with pytest.raises(TypeError, match=r"1\.5"):
        table[["a", 1.5]]
    with pytest.raises(TypeError, match="list of words"):
        table[{"a", "b"}]


def test_get(table):
    np.testing.assert_array_equal(table.get("b"), [0, 3, 0])
    assert table.get("c") is None
    assert table.get("c", "other") == "other"
    np.testing.assert_array_equal(
        table.get(["c", "a"], [7, 8, 9]), [[7, 8, 9], [1, 0, 2]]
    )
    np.testing.assert_array_equal(table.get(["a", "c"], 0), [[1, 0, 2], [0, 0, 0]])
    np.testing.assert_array_equal(table.get(["a"]), [[1, 0, 2]])
    for default in (None, "x", [1, 2]):
        with pytest.raises(ValueError, match="'c' is not in the table, and default"):
            table.get(["a", "c"], default)


def test_slices(table):
    part = table[1:3]
    assert part.words == ("b", "été")
    assert part.counts.tolist() == [7, 4]
    np.testing.assert_array_equal(part["été"], table["été"])
    assert "a" not in part
    assert table[::-1].words == table.words[::-1]
    np.testing.assert_array_equal(table[::-1].vectors, table.vectors[::-1])
    assert table[:100] == table
    with pytest.raises(ValueError, match="at least one word"):
        table[4:]


def test_restrict(table):
    part = table.restrict(["New York", "a"])
    assert part == WordVectors(["New York", "a"], [[0, 0, 0], [1, 0, 2]], counts=[1, 9])
    assert part.source == table.source
    with pytest.raises(KeyError, match="'c'"):
        table.restrict(["c"])
    with pytest.raises(ValueError, match="twice"):
        table.restrict(["a", "a"])
    with pytest.raises(ValueError, match="at least one"):
        table.restrict([])


# --- equality, copies, representations ------------------------------------------------


def test_equality(table):
    words, vectors = table.words, table.vectors
    assert table == WordVectors(words, vectors.astype(float), counts=COUNTS, source="x")
    assert table != WordVectors(words, vectors)
    assert table != WordVectors(words, vectors, counts=[9, 7, 4, 2])
    assert table != WordVectors(words, vectors + np.float32(1e-6), counts=COUNTS)
    assert table != WordVectors(words[::-1], vectors, counts=COUNTS)
    assert table != WordVectors(words, vectors[:, :2], counts=COUNTS)
    assert table != "table"
    with pytest.raises(TypeError, match="unhashable"):
        hash(table)


def test_copies(table):
    assert copy.copy(table) is table
    assert copy.deepcopy([table])[0] is table
    named = WordVectors(table.words, table.vectors, counts=COUNTS, source="a file")
    for part in (named, named[1:], table[::2]):
        for protocol in (2, 5):
            loaded = pickle.loads(pickle.dumps(part, protocol))
            assert loaded == part
            assert loaded.source == part.source
            with pytest.raises(ValueError, match="WRITEABLE"):
                loaded.vectors.flags.writeable = True


def test_parameters(table):
    given = {"z": 1, "a": [1, {"d": None, "c": "é"}], "t": (2.5, True)}
    made = WordVectors(table.words, table.vectors, counts=COUNTS, parameters=given)
    given["a"][1]["c"] = "changed"
    wanted = {"z": 1, "a": [1, {"d": None, "c": "é"}], "t": [2.5, True]}
    pickled = pickle.loads(pickle.dumps(made))
    for part in (made, made[1:], made.restrict(["b", "a"]), pickled, copy.copy(made)):
        assert part.parameters == wanted
        with pytest.raises(TypeError):
            part.parameters["z"] = 2
        # Nor does a change inside reach the table.
        part.parameters["a"].append(3)
        assert part.parameters == wanted
    assert made == table
    assert table.parameters == {}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ([], "must be a mapping"),
        ({1: 2}, "keys of type str"),
        ({"a": {1}}, "that JSON can hold"),
        ({"a": np.nan}, "that JSON can hold"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(TypeError, match=f"parameters .*{message}"):
        WordVectors(["a"], [[1]], parameters=parameters)


def test_parameters_of_an_estimator():
    vocabulary = [f"w{i}" for i in range(10_000)]
    estimator = SimpleNamespace(
        word_vectors_=np.eye(2, dtype=np.float32),
        vocabulary_={"a": 0, "b": 1},
        get_params=lambda deep: {
            "n_components": np.int64(3),
            "learning_rate": 0.5,
            "tokenizer": test_parameters,
            "tol": -np.inf,
            "ngram_range": (1, 2),
            "vocabulary": vocabulary,
            "n_jobs": 2,
            "memory": "here",
            "verbose": 1,
        },
    )
    found = dict(WordVectors.from_estimator(estimator).parameters)
    assert found.pop("vocabulary").startswith("['w0', 'w1', 'w2',")
    assert found == {
        "class": "SimpleNamespace",
        "n_components": 3,
        "learning_rate": 0.5,
        "tokenizer": "<function test_parameters>",
        "tol": "-inf",
        "ngram_range": [1, 2],
    }
    embedder = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    found = WordVectors.from_estimator(embedder).parameters
    assert found["class"] == "PPMISVDEmbedder"
    # Whatever says where a fit was made, such as a folder, is left out.
    wanted = embedder.get_params(deep=False).keys() - {"memory", "n_jobs", "verbose"}
    assert found.keys() == wanted | {"class"}


def test_pickle_of_a_part_is_small(normal):
    assert len(pickle.dumps(normal[:3])) < 1000


def test_clone_of_an_estimator_keeps_it(table):
    embedder = PPMISVDEmbedder(memory=None, vocabulary=table)
    assert clone(embedder).vocabulary is table


def test_representations(table):
    assert repr(table) == "<WordVectors: 4 words, 3 dimensions>"
    one = WordVectors(["a"], [[1]], source="here")
    assert repr(one) == "<WordVectors: 1 word, 1 dimension, here>"
    many = WordVectors([*map(str, range(1234))], np.ones((1234, 2)))
    assert repr(many) == "<WordVectors: 1,234 words, 2 dimensions>"


def test_html_is_escaped():
    words = ["<b>", "&amp;", "c", "d", "e", "f"]
    counts = [1234, 0, 0.5, 0, 0, 0]
    table = WordVectors(words, np.ones((6, 2)), counts=counts, source="<script>")
    page = table._repr_html_()
    text = html.unescape(re.sub("<[^>]*>", " ", page))
    for part in (
        "<script>",
        "6 words, 2 dimensions",
        "<b> (1,234), &amp; (0), c (0.5)",
    ):
        assert part in text
    assert "…" in text
    assert "f (0)" not in text
    assert "<script>" not in page
    assert "<b> (" not in page


# --- other objects --------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("share_context", [False, True])
def test_from_estimator(estimator, share_context):
    fitted = cheap(estimator, share_context=share_context).fit(DOCUMENTS)
    word, context = fitted.word_vectors_, fitted.context_vectors_
    expected = {
        "word": word,
        "context": context,
        "sum": add_tables(word, context),
        "concat": np.hstack([word, context]),
    }
    for which, vectors in expected.items():
        table = WordVectors.from_estimator(fitted, which)
        assert table.words == tuple(fitted.vocabulary_)
        np.testing.assert_array_equal(table.vectors, vectors)
        np.testing.assert_array_equal(table.counts, fitted.word_counts_)
    assert np.shares_memory(WordVectors.from_estimator(fitted).vectors, word)
    if share_context:
        # Twice the word vector, which has the same direction.
        table = WordVectors.from_estimator(fitted, "sum")
        np.testing.assert_allclose(table.vectors, 2 * word, rtol=1e-6)


def test_source_of_an_estimator():
    fitted = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    assert WordVectors.from_estimator(fitted, "sum").source == (
        "sums of word and context vectors of PPMISVDEmbedder(share_context=False), "
        "learned from 120 tokens"
    )
    counts = np.ones((3, 3)) * 2
    fitted = cheap(PPMISVDEmbedder, input="cooccurrence", n_components=2).fit(counts)
    assert WordVectors.from_estimator(fitted).source.endswith("18 co-occurrences")


def test_given_vocabulary_keeps_its_rows():
    vocabulary = {"cedar": 1, "amber": 2, "birch": 0}
    fitted = cheap(PPMISVDEmbedder, vocabulary=vocabulary).fit(DOCUMENTS)
    table = WordVectors.from_estimator(fitted)
    assert table.words == ("birch", "cedar", "amber")
    for word, row in vocabulary.items():
        np.testing.assert_array_equal(table[word], fitted.word_vectors_[row])


def test_edited_attributes():
    fitted = cheap(PPMISVDEmbedder).fit(DOCUMENTS)
    fitted.vocabulary_ = {"amber": 5, "birch": 2}
    table = WordVectors.from_estimator(fitted)
    assert table.words == ("birch", "amber")
    np.testing.assert_array_equal(table.vectors, fitted.word_vectors_[[2, 5]])
    np.testing.assert_array_equal(table.counts, fitted.word_counts_[[2, 5]])
    fitted.vocabulary_ = {"amber": 99}
    with pytest.raises(ValueError, match="row 99 for 'amber'"):
        WordVectors.from_estimator(fitted)
    fitted.word_counts_ = fitted.word_counts_[:2]
    with pytest.raises(ValueError, match="word_counts_ has 2 rows"):
        WordVectors.from_estimator(fitted)


def test_later_fits_leave_the_table():
    embedder = cheap(SGNSEmbedder).fit(DOCUMENTS)
    table = WordVectors.from_estimator(embedder)
    before = table.vectors.copy()
    embedder.partial_fit(DOCUMENTS)
    assert not np.array_equal(embedder.word_vectors_, before)
    np.testing.assert_array_equal(table.vectors, before)


def test_what_is_no_fitted_embedder():
    with pytest.raises(NotFittedError, match="SGNSEmbedder instance is not fitted"):
        WordVectors.from_estimator(SGNSEmbedder())
    pipeline = make_pipeline(cheap(PPMISVDEmbedder).fit(DOCUMENTS))
    for other in (pipeline, 3, SGNSEmbedder, None, {"a": [1]}):
        with pytest.raises(TypeError, match="must be a fitted embedder"):
            WordVectors.from_estimator(other)
    with pytest.raises(ValueError, match=r"which must be one of .*'both'"):
        WordVectors.from_estimator(SGNSEmbedder(), "both")
    only_words = SimpleNamespace(word_vectors_=np.eye(2), vocabulary_={"a": 0, "b": 1})
    assert WordVectors.from_estimator(only_words).counts is None
    for which in ("context", "sum", "concat"):
        with pytest.raises(ValueError, match="needs context vectors"):
            WordVectors.from_estimator(only_words, which)


def test_from_dict():
    table = WordVectors.from_dict({"b": [1, 2], "a": np.array([3.0, 4.0])})
    assert table == WordVectors(["b", "a"], [[1, 2], [3, 4]])
    assert WordVectors.from_dict(dict(zip(table, table.vectors, strict=True))) == table
    for mapping, error, message in [
        ([["a", [1]]], TypeError, "map words to vectors, got list"),
        ({}, ValueError, "at least one word"),
        ({"a": [1, 2], "b": [1]}, ValueError, "that of 'a' has 2"),
        ({"a": [1, 2], "b": [[1, 2]]}, ValueError, "'b' must have one dimension"),
        ({"a": [[1]]}, ValueError, r"one dimension, got shape \(1, 1\)"),
        ({"a": 1}, TypeError, "The vector of 'a' must be an array"),
        ({"a": [1], "b": ["x"]}, TypeError, "The vector of 'b' must be an array"),
        ({"a": [np.nan]}, ValueError, "'a' .* nan"),
    ]:
        with pytest.raises(error, match=message):
            WordVectors.from_dict(mapping)


def stand_in(words, vectors, counts=None):
    """What KeyedVectors of gensim have, without gensim."""
    expandos = {} if counts is None else {"count": np.array(counts)}
    vectors = np.array(vectors, np.float32)
    return SimpleNamespace(index_to_key=words, vectors=vectors, expandos=expandos)


def test_from_gensim_copies_what_training_changes():
    keyed = stand_in(["a", "b"], np.eye(2), [3, 1])
    for given in (keyed, SimpleNamespace(wv=keyed)):
        table = WordVectors.from_gensim(given)
        assert table == WordVectors(["a", "b"], np.eye(2), counts=[3, 1])
        assert not np.shares_memory(table.vectors, keyed.vectors)
    keyed.vectors.flags.writeable = False
    assert np.shares_memory(WordVectors.from_gensim(keyed).vectors, keyed.vectors)


def test_from_gensim_drops_places_without_words():
    # As a file with a repeated word is read.
    keyed = stand_in(["a", "b", None], [[1, 2], [3, 4], [0, 0]], [3, 2, 0])
    expected = WordVectors(["a", "b"], [[1, 2], [3, 4]], counts=[3, 2])
    assert WordVectors.from_gensim(keyed) == expected


def test_what_is_not_from_gensim():
    for other in ({"a": [1]}, None, np.eye(2)):
        with pytest.raises(TypeError, match="KeyedVectors of gensim 4"):
            WordVectors.from_gensim(other)


def test_to_gensim_without_gensim(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(ImportError, match="pip install gensim"):
        table.to_gensim()


def test_gensim_and_back(table, gensim_models):
    keyed = table.to_gensim()
    assert isinstance(keyed, gensim_models.KeyedVectors)
    assert keyed.index_to_key == [*table.words]
    for word in table:
        np.testing.assert_array_equal(keyed[word], table[word])
        row = table.vocabulary[word]
        assert keyed.get_vecattr(word, "count") == table.counts[row]
    keyed.vectors[:] = keyed.vectors
    assert WordVectors.from_gensim(keyed) == table
    assert "KeyedVectors of gensim" in WordVectors.from_gensim(keyed).source
    ints = WordVectors([4, 7], np.eye(2))
    assert WordVectors.from_gensim(ints.to_gensim()) == ints


def test_model_of_gensim(gensim_models):
    texts = [text.split() for text in DOCUMENTS]
    model = gensim_models.Word2Vec(texts, vector_size=4, min_count=1, epochs=1)
    table = WordVectors.from_gensim(model)
    assert {*table} == {*WORDS}
    np.testing.assert_array_equal(table["amber"], model.wv["amber"])
    assert table.counts.sum() == sum(map(len, texts))


def test_keys_of_a_dict_have_an_order():
    vectors = {"b": 0, "a": 1}
    assert WordVectors(vectors.keys(), np.eye(2)).words == ("b", "a")


def test_source_that_is_not_unicode():
    table = WordVectors(["a"], [[1.0]], source="\udce9.txt")
    assert table.source == "?.txt"
