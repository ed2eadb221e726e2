"""Similar words: single queries, batches, combinations."""

import numpy as np
import pytest

from skembed.vectors import WordVectors

pytestmark = pytest.mark.small


def same_results(found, expected):
    """Words and similarities, the former up to ties within 1e-6."""
    np.testing.assert_allclose(
        [score for _, score in found], [score for _, score in expected], atol=1e-6
    )
    assert [word for word, _ in found] == [word for word, _ in expected]


@pytest.mark.parametrize(
    ("positive", "negative"),
    [("w3", ()), (["w3"], ["w9"]), (["w1", "w2", "w3"], ["w4", "w5"]), ([], "w8")],
)
@pytest.mark.parametrize("among", [None, 50])
# gensim calls a method of its own that it deprecates.
@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")
def test_most_similar_equals_gensim(normal, gensim_models, positive, negative, among):
    keyed = normal.to_gensim()
    arguments = positive, [negative] if negative == "w8" else list(negative)
    expected = keyed.most_similar(*arguments, topn=15, restrict_vocab=among)
    found = normal.most_similar(positive, negative, n=15, among=among)
    same_results(found, expected)
    if len(positive):
        expected = keyed.most_similar_cosmul(*arguments, topn=15)
        found = normal.most_similar(positive, negative, n=15, method="multiply")
        same_results(found, expected)


def test_other_methods_equal_gensim(normal, gensim_models):
    keyed = normal.to_gensim()
    rng = np.random.default_rng(0)
    for _ in range(20):
        words = [f"w{i}" for i in rng.choice(300, 5, replace=False)]
        assert normal.doesnt_match(words) == keyed.doesnt_match(words)
        assert normal.rank(*words[:2]) == keyed.rank(*words[:2])
        similarity = keyed.similarity(*words[:2])
        np.testing.assert_allclose(normal.similarity(*words[:2]), similarity, atol=1e-6)


def test_most_similar(normal):
    units = normal.vectors / np.linalg.norm(normal.vectors, axis=1, keepdims=True)
    expected = units @ (units[3] + units[5] - units[7])
    expected /= np.linalg.norm(units[3] + units[5] - units[7])
    found = normal.most_similar(["w3", "w5"], "w7", n=1000)
    assert len(found) == 297
    assert not {"w3", "w5", "w7"} & {word for word, _ in found}
    for word, score in found:
        assert type(score) is float
        np.testing.assert_allclose(score, expected[normal.vocabulary[word]], atol=1e-6)
    assert found == sorted(found, key=lambda pair: -pair[1])


def test_words_and_vectors_may_be_mixed(normal):
    expected = normal.most_similar(["w3", "w5"], ["w7"], n=299)
    # Lengths of vectors do not matter, and only words are left out.
    found = normal.most_similar(["w3", 9 * normal["w5"]], [normal["w7"]], n=299)
    assert [word for word, _ in found if word not in ("w5", "w7")] == [
        word for word, _ in expected
    ]
    assert {"w5", "w7"} <= {word for word, _ in found}
    assert normal.most_similar(normal["w3"])[0] == ("w3", pytest.approx(1, abs=1e-12))
    assert normal.most_similar(normal[["w3", "w5"]], n=3) == normal.most_similar(
        [normal["w3"], normal["w5"]], n=3
    )


def test_among(normal):
    some = ["w250", "w17", "w3", "w17", "w88"]
    found = normal.most_similar("w3", among=some)
    assert {word for word, _ in found} == {"w250", "w17", "w88"}
    everything = dict(normal.most_similar("w3", n=300))
    assert found == sorted(
        ((word, everything[word]) for word, _ in found), key=lambda pair: -pair[1]
    )
    found = normal.most_similar("w3", among=20, n=300)
    assert {word for word, _ in found} == {f"w{i}" for i in range(20)} - {"w3"}
    assert normal.most_similar("w3", among=10**9) == normal.most_similar("w3")


def test_most_frequent_by_counts():
    words = ["rare", "common", "usual", "seldom"]
    table = WordVectors(words, np.ones((4, 2)), counts=[1, 9, 5, 1])
    assert [word for word, _ in table.most_similar("rare", among=2)] == words[1:3]
    # Of equal counts the first row.
    assert [word for word, _ in table.most_similar("usual", among=3)] == words[:2]


def test_nearest_equals_single_queries(normal):
    words = ["w3", "w100", "w3"]
    rows, similarities = normal.nearest(words, n=7, among=200)
    assert rows.dtype == np.int64
    assert rows.shape == similarities.shape == (3, 7)
    for word, of_rows, scores in zip(words, rows, similarities, strict=True):
        found = zip((normal.words[row] for row in of_rows), scores, strict=True)
        assert [*found] == normal.most_similar(word, n=7, among=200)
    one = normal.nearest("w100", n=7, among=200)
    np.testing.assert_array_equal(one[0], rows[1])
    np.testing.assert_array_equal(one[1], similarities[1])


def test_nearest_of_vectors(normal, monkeypatch):
    monkeypatch.setattr("skembed.vectors._queries._TERMS", 3)
    rows, similarities = normal.nearest(normal.vectors[:10] * 3, n=4)
    np.testing.assert_array_equal(rows[:, 0], np.arange(10))
    np.testing.assert_allclose(similarities[:, 0], 1, atol=1e-12)
    of_words, _ = normal.nearest(normal.words[:10], n=3)
    np.testing.assert_array_equal(rows[:, 1:], of_words)
    one, _ = normal.nearest(normal["w2"], n=4)
    np.testing.assert_array_equal(one, rows[2])
    listed, _ = normal.nearest([[*map(float, normal["w2"])]], n=4)
    np.testing.assert_array_equal(listed, rows[2:3])
    assert normal.nearest(normal.vectors[:2], n=10**6)[0].shape == (2, 300)
    assert normal.nearest(normal.words[:2], n=10**6)[0].shape == (2, 299)
    assert normal.nearest([], n=3)[0].shape == (0, 3)
    assert normal.nearest(np.empty((0, 12)), n=3)[0].shape == (0, 3)


def test_nearest_among_own_words(normal):
    rows, _ = normal.nearest(["w1", "w5"], n=9, among=["w1", "w2", "w3"])
    # The most that both can have.
    assert rows.shape == (2, 2)
    assert set(rows[0]) == {2, 3}
    with pytest.raises(ValueError, match=r"No word may be a result of queries\[0\]"):
        normal.nearest(["w1"], among=["w1"])
    assert normal.most_similar("w1", among=["w1"]) == []


COMBINATIONS = [
    (["w3", "w5"], ["w7"]),
    (["w1"], ["w7", "w8"]),
    ("w9", []),
    (["w5", "w3"], ["w8"]),
    ([], ["w4"]),
    (["w3", "w5"], "w9"),
    (["w3", np.arange(12.0)], ["w7"]),
    (("w3", "w3"), ()),
]


@pytest.mark.parametrize("method", ["add", "multiply"])
@pytest.mark.parametrize("among", [None, 40])
@pytest.mark.parametrize("most", [3, 4096])
def test_batches_of_combinations(normal, method, among, most, monkeypatch):
    """Each has the bits of a single search."""
    monkeypatch.setattr("skembed.vectors._queries._TERMS", most)
    asked = [one for one in COMBINATIONS if method == "add" or len(one[0])]
    options = {"n": 6, "method": method, "among": among}
    queries, negative = zip(*asked, strict=True)
    rows, scores = normal.nearest(queries, negative=negative, **options)
    assert rows.shape == scores.shape == (len(asked), 6)
    assert rows.dtype == np.int64
    for number, (positive, minus) in enumerate(asked):
        expected = normal.most_similar(positive, minus, **options)
        words = [normal.words[row] for row in rows[number]]
        assert list(zip(words, scores[number], strict=True)) == expected
    # Without negative words, lists and arrays of words are combinations, too.
    lists = [["w3", "w5"], ["w1"], ["w2", "w9", "w4"]]
    rows, scores = normal.nearest(lists, **options)
    for number, words in enumerate(lists):
        found = [normal.words[row] for row in rows[number]]
        expected = normal.most_similar(words, **options)
        assert list(zip(found, scores[number], strict=True)) == expected
    for table in (np.array(lists[:1]), np.array(lists[:1], dtype=object)):
        np.testing.assert_array_equal(normal.nearest(table, **options)[0], rows[:1])


def test_one_combination(normal):
    rows, scores = normal.nearest("w3", negative="w4", n=5)
    found = [normal.words[row] for row in rows]
    expected = normal.most_similar("w3", "w4", n=5)
    assert list(zip(found, scores, strict=True)) == expected
    of_vector, _ = normal.nearest(normal["w3"], negative=["w4"], n=5)
    assert normal.words[of_vector[0]] == "w3"
    assert normal.nearest([], negative=[], n=5)[0].shape == (0, 5)


def test_combinations_of_int_words():
    table = WordVectors([3, 1, 2, 7], [[1, 0], [1, 1], [0, 1], [-1, 0]])
    rows, _ = table.nearest(np.array([[3, 1], [1, 2]]), negative=[[], [3]])
    # Without the words of the queries: 2 and 7, and 7 alone.
    assert rows.tolist() == [[2], [3]]


def test_combinations_have_equal_numbers_of_results(normal):
    among = ["w1", "w2", "w3", "w4"]
    lists = [["w1"], ["w1", "w2"], ["w9", "w3", "w4"]]
    rows, _ = normal.nearest(lists, among=among)
    assert rows.shape == (3, 2)
    with pytest.raises(ValueError, match=r"No word may be a result of queries\[1\]"):
        normal.nearest([["w1"], ["w1", "w2"]], among=["w1", "w2"])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([["a"], ["b"]], [["b"]]), ValueError, "2 queries and negative has 1"),
        (([["a"]], "b"), TypeError, "negative must be a list .* got 'b'"),
        (([["a"]], 3), TypeError, "negative must be a list"),
        (([["a"], []], [["b"], []]), ValueError, r"queries\[1\] is empty"),
        (([["a"], ["c"]], None), KeyError, "'c'"),
        (([["a"]], [["c"]]), KeyError, "'c'"),
        (([["a"]], [{"b"}]), TypeError, "list of words"),
    ],
)
def test_bad_combinations(table, arguments, error, message):
    queries, negative = arguments
    with pytest.raises(error, match=message):
        table.nearest(queries, negative=negative)
    with pytest.raises(ValueError, match=r"method must be one of .*'cosmul'"):
        table.nearest("a", method="cosmul")


def test_zero_vectors(table):
    assert table.most_similar("New York") == [("a", 0.0), ("b", 0.0), ("été", 0.0)]
    assert dict(table.most_similar("a"))["New York"] == 0.0
    assert table.similarity("New York", "New York") == 0.0
    assert table.most_similar(["a", "New York"], n=1)[0][0] == "été"
    assert table.most_similar("a", "a")[0] == ("b", 0.0)
    assert table.most_similar("a", method="multiply", n=9)[-1] == (
        "New York",
        pytest.approx(0.5, abs=1e-6),
    )
    rows, scores = table.nearest(np.zeros((1, 3)), n=4)
    assert rows.tolist() == [[0, 1, 2, 3]]
    assert not scores.any()


def test_similarity(table):
    expected = 1 / np.sqrt(10)
    assert table.similarity("a", "été") == pytest.approx(expected, rel=1e-12)
    assert type(table.similarity("a", "été")) is float
    found = table.similarity("a", ["a", "b", "été"])
    np.testing.assert_allclose(found, [1, 0, expected], rtol=1e-12)
    found = table.similarity([["a"], ["b"]], ["a", "b"])
    np.testing.assert_allclose(found, np.eye(2), atol=1e-12)
    assert table.similarity([], []).shape == (0,)
    with pytest.raises(ValueError, match=r"shape \(2,\) and b of shape \(3,\)"):
        table.similarity(["a", "b"], ["a", "b", "été"])
    with pytest.raises(KeyError, match="'c'"):
        table.similarity("a", ["c"])


def test_doesnt_match(table):
    assert table.doesnt_match(["a", "b", "été"]) == "b"
    assert type(table.doesnt_match(np.array(["a", "b", "été"]))) is str
    with pytest.raises(
        ValueError, match=r"needs at least three words, got 2: \['a', 'b'\]\.$"
    ):
        table.doesnt_match(["a", "b"])
    with pytest.raises(KeyError, match="'c'"):
        table.doesnt_match(["a", "b", "c"])


def test_rank(table):
    assert [table.rank("a", other) for other in ("été", "b", "New York")] == [1, 2, 3]
    with pytest.raises(ValueError, match="compares two different words, got 'a' twice"):
        table.rank("a", "a")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"positive": "c"}, KeyError, "'c'"),
        ({"positive": ["a", 1.5]}, TypeError, "1.5 is neither a word nor a vector"),
        ({"positive": [1.0, 2.0, 3.0]}, TypeError, "1.0 is neither"),
        ({"positive": ["a", ("b", 0.5)]}, TypeError, "neither a word nor"),
        ({"positive": [[1, 2]]}, ValueError, "3 dimensions, and a given one has 2"),
        ({"positive": [np.eye(3)]}, ValueError, "one dimension"),
        ({"positive": np.full(3, np.nan)}, ValueError, "not finite"),
        ({"positive": None}, TypeError, "None"),
        ({"positive": []}, ValueError, "positive is empty"),
        (
            {"positive": [], "negative": "a", "method": "multiply"},
            ValueError,
            "positive is empty",
        ),
        ({"positive": "a", "method": "cosmul"}, ValueError, "method .*'cosmul'"),
        ({"positive": "a", "n": 0}, ValueError, "n must be a positive int, got 0"),
        ({"positive": "a", "n": 1.5}, ValueError, "n must be a positive int"),
        ({"positive": "a", "n": True}, ValueError, "n must be a positive int"),
        ({"positive": "a", "among": 0}, ValueError, "among must be positive"),
        ({"positive": "a", "among": "b"}, TypeError, "among .* list of words"),
        ({"positive": "a", "among": []}, ValueError, "among is empty"),
        ({"positive": "a", "among": ["c"]}, KeyError, "'c'"),
    ],
)
def test_bad_queries(table, arguments, error, message):
    with pytest.raises(error, match=message):
        table.most_similar(**arguments)


@pytest.mark.parametrize(
    ("queries", "error", "message"),
    [
        (["a", "c"], KeyError, "'c'"),
        (np.eye(2), ValueError, "3 dimensions, and a given one has 2"),
        (np.full((1, 3), np.inf), ValueError, "not finite"),
        (np.ones((1, 1, 3)), ValueError, "one or two dimensions"),
        ([[1, 2, 3], [1, 2]], TypeError, "array of numbers"),
        (None, TypeError, "None"),
    ],
)
def test_bad_batches(table, queries, error, message):
    with pytest.raises(error, match=message):
        table.nearest(queries)


def test_the_only_word_that_may_be_a_result():
    table = WordVectors(["a", "b", "c"], np.eye(3))
    with pytest.raises(ValueError, match=r"be a result of queries\[1\]"):
        table.nearest(["a", "b"], among=["b"])
    assert table.nearest(["a", "b"], 2, among=["a", "c"])[0].tolist() == [[2], [0]]
    rows, similarities = table[:1].nearest([])
    assert rows.shape == similarities.shape == (0, 1)
