"""Splits of a study's data; word-similarity sets and correlations."""

import numpy as np
import pytest

from skembed.study import _evaluation
from skembed.vectors import WordVectors


@pytest.mark.small
def test_data_are_told_apart():
    data = _evaluation.Data(["ab", "c"], ["x", "y"], {"s": [("a", "b", 1.0)]})
    others = [
        data._replace(documents=["a", "bc"]),
        data._replace(labels=None),
        data._replace(sets={}),
        data._replace(documents=["c", "ab"]),
    ]
    assert len({d.digest() for d in [data, *others]}) == 5
    assert data.digest() == data._replace(documents=["ab", "c"]).digest()


@pytest.mark.small
def test_split_is_a_seeded_partition():
    parts = _evaluation.split(50, 3)
    assert [part.size for part in parts] == [35, 5, 10]
    assert sorted(np.concatenate(parts)) == list(range(50))
    again, other = _evaluation.split(50, 3), _evaluation.split(50, 4)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert (parts[2] != other[2]).any()


@pytest.mark.small
def test_similarity_of_few_pairs():
    vectors = WordVectors([*"abcd"], [[1, 0], [2, 0], [1, 1], [0, 3]])
    pairs = [("a", "b", 9), ("a", "c", 5), ("a", "d", 1), ("a", "x", 7)]
    found = _evaluation.similarity(pairs, vectors)
    assert found == (pytest.approx(1.0), 3)
    turned = [(a, b, -score) for a, b, score in pairs]
    assert _evaluation.similarity(turned, vectors)[0] == pytest.approx(-1)
    for few in (pairs[:1], pairs[3:]):
        assert np.isnan(_evaluation.similarity(few, vectors)[0])
    zeros = WordVectors([*"abcd"], np.zeros((4, 2)))
    assert _evaluation.similarity(pairs, zeros) == (0.0, 3)


@pytest.mark.small
def test_reading_similarity_sets(tmp_path):
    (tmp_path / "b.tsv").write_text("first\tsecond\tscore\nSun\tsky\t5.5\n\n")
    (tmp_path / "a.tsv").write_text("sea\tsky\t1\n")
    (tmp_path / "notes.txt").write_text("not a set")
    comments = "# encoding: utf-8\n\n#\tof\t2002\n"
    lines = "Word 1\tWord 2\tmean\nlove\tsex\t6.77\n# a\tcomment\t1\ntiger\tcat\t7.35\n"
    (tmp_path / "c.tsv").write_text(comments + lines)
    sets = _evaluation.read_similarities(tmp_path)
    assert list(sets) == ["a", "b", "c"]
    assert sets["c"] == [("love", "sex", 6.77), ("tiger", "cat", 7.35)]
    assert sets["b"] == [("sun", "sky", 5.5)]
    assert sets["a"] == [("sea", "sky", 1.0)]


@pytest.mark.small
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no pairs"),
        (b"a\tb\tscore\n", "holds no pairs"),
        (b"a\tb\t1\na\tb\tmuch\n", "line 2: two words and a number"),
        (b"a,b,1\n", "line 1: two words and a number"),
        (b"a\tb\tnan\na\tb\tinf\n", "line 2"),
        (b"# a\na\tb\tscore\nword\tword\tscore\n", "line 3: two words and a number"),
        (b"\xff\tb\t1\n", "line 1: not UTF-8 .byte 0xff, invalid start byte"),
        (b"# a\r\n\r\na\tb\t1\r\nn\xe9\tb\t1\r\n", "line 4: not UTF-8 .byte 0xe9"),
    ],
)
def test_unusable_similarity_sets(content, message, tmp_path):
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        _evaluation.read_similarities(tmp_path)
