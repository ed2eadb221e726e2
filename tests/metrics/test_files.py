"""Files of pairs and questions: formats, comments, headers, and what is wrong."""

import gzip

import pytest

from skembed.metrics import _files, read_analogies, read_pairs

pytestmark = pytest.mark.small

PAIRS = [("tiger", "cat", 7.35), ("book", "paper", 7.46)]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("tiger\tcat\t7.35\nbook\tpaper\t7.46\n", {}),
        ("tiger cat 7.35\n\n  book   paper 7.46", {}),
        ("Word 1,Word 2,Human (mean)\ntiger,cat,7.35\nbook,paper,7.46\n", {}),
        ("tiger, cat, 7.35\nbook, paper, 7.46\n", {}),
        ('"tiger","cat","7.35"\r\n"book","paper","7.46"\r\n', {}),
        ("w1;w2;score\ntiger;cat;7.35\nbook;paper;7.46\n", {}),
        (
            "# a, b, c\n# Word 1\tWord 2\nx\ty\tz\ntiger\tcat\t7.35\nbook\tpaper\t7.46",
            {},
        ),
        ("\ufefftiger\tcat\t7.35\nbook\tpaper\t7.46\n", {}),
        ("tiger cat N 7.35 x\nbook paper N 7.46 y\n", {"columns": (0, 1, 3)}),
        ("7.35|tiger|cat\n7.46|book|paper", {"columns": (1, 2, 0), "delimiter": "|"}),
    ],
)
def test_formats_of_pairs(content, options, tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_bytes(content.encode())
    assert read_pairs(path, **options) == PAIRS
    packed = tmp_path / "pairs.txt.gz"
    packed.write_bytes(gzip.compress(content.encode()))
    assert read_pairs(str(packed), **options) == PAIRS


def test_fields_keep_what_does_not_separate_them(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("New York, NY\tstate; city\t5\nNew York, NY\tstate; city\t5\n")
    assert read_pairs(path) == [("New York, NY", "state; city", 5.0)] * 2
    path.write_text('"New York, NY",a,5\n')
    assert read_pairs(path) == [("New York, NY", "a", 5.0)]
    path.write_bytes("Übung\tTest\t5\n".encode("latin-1"))
    assert read_pairs(path, encoding="latin-1") == [("Übung", "Test", 5.0)]


def test_comments_after_a_score(tmp_path):
    path = tmp_path / "pairs.tsv"
    for comment in ("# note", " # a note # of more", "#"):
        path.write_text(f"a\tb\t7{comment}\n")
        assert read_pairs(path) == [("a", "b", 7.0)]
    path.write_text("a\tb\tscore # from 0 to 10\nc\td\t8 # note\n")
    assert read_pairs(path) == [("c", "d", 8.0)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no pairs"),
        (b"a\tb\tscore\n# a\tb\t1\n", "holds no pairs"),
        (b"a\tb\t1\na\tb\tmuch\n", "line 2: two words and a number"),
        (b"a\tb\tscore\nc\td\te\n", "line 2: two words and a number"),
        (b"a\tb\t1\n\n# c\na b 1\n", "line 4: two words"),
        (b"a\tb\n", "line 1: two words"),
        (b"a\tb\t7 points\n", "line 1: two words"),
        (b"a\tb\t-.7x\na\tb\t1\n", "line 1: two words"),
        (b"a\tb\t1\na\tb\tnan\n", "line 2: .* 'a.tb.tnan'"),
        (b"a\tb\t1\na\tb\tinf\n", "line 2"),
        (b"a\tb\t1\n\tb\t1\n", "line 2"),
        (b"a\tb\t1\nn\xe9\tb\t1\n", r"line 2: not UTF-8 \(byte 0xe9"),
    ],
)
def test_unusable_pairs(content, message, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"pairs.tsv.*{message}"):
        read_pairs(path)


def test_unusable_arguments(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_pairs(tmp_path / "none.tsv")
    (tmp_path / "torn.gz").write_bytes(gzip.compress(b"a\tb\t1\n" * 99)[:-12])
    with pytest.raises(ValueError, match=r"torn.gz is not a whole gzip file"):
        read_pairs(tmp_path / "torn.gz")
    for columns in [(0, 1), (-1, 0, 1)]:
        with pytest.raises(ValueError, match="columns must be three numbers"):
            read_pairs(tmp_path / "torn.gz", columns=columns)


@pytest.mark.parametrize(
    "pair", [("a", "b"), ("a", "b", "c"), "ab1", 3, ("a", "b", "inf")]
)
def test_unusable_pair(pair):
    with pytest.raises(ValueError, match=r"pairs\[1\] must be two words"):
        _files.check_pairs([("a", "b", 1), pair])


def test_unusable_sequences():
    with pytest.raises(TypeError, match="pairs must be a sequence, got int"):
        _files.check_pairs(5)
    with pytest.raises(ValueError, match="pairs must not be empty"):
        _files.check_pairs([])
    with pytest.raises(ValueError, match="questions must not be empty"):
        _files.check_questions({"a": []})
    with pytest.raises(TypeError, match=r"questions\['a'\] must be a sequence"):
        _files.check_questions({"a": "abcd"})
    for question in ["abcd", ("a", "b", "c"), 5]:
        with pytest.raises(ValueError, match="Question 1 of the section 'a' must be"):
            _files.check_questions({"a": [("a", "b", "c", "d"), question]})


def test_questions(tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(
        "// A comment\n# Another one\n: capitals\nAthens Greece Oslo Norway\n\n"
        ":  gram1 \n#a b\tc d\r\n: capitals\nOslo Norway Athens Greece"
    )
    assert read_analogies(path) == {
        "capitals": [
            ("Athens", "Greece", "Oslo", "Norway"),
            ("Oslo", "Norway", "Athens", "Greece"),
        ],
        "gram1": [("#a", "b", "c", "d")],
    }
    path.write_text("a b c d\n: x\n")
    assert _files.check_questions(path) == {"": [("a", "b", "c", "d")], "x": []}
    assert _files.check_questions([list("abcd")]) == {"": [("a", "b", "c", "d")]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (": x\na b c\n", "line 2: a question has four words, not 3: 'a b c'"),
        (": x\na b c d e\n", "line 2: a question has four words, not 5"),
        (": x\n", "holds no questions"),
    ],
)
def test_unusable_questions(content, message, tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"questions.txt.*{message}"):
        read_analogies(path)
