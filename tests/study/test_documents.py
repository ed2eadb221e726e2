"""Reading documents: forms of files, encodings, lines that cannot be used."""

import csv
import gzip
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.utils import Bunch

import skembed
from skembed import datasets, study
from skembed.study import _commands, _documents
from skembed.study._commands import main
from skembed.study._documents import InputError, read_file
from skembed.study._options import StudyCommand
from tests.study.cases import (
    COLUMNS,
    QUICK,
    RECORDS,
    ROW,
    as_csv,
    as_json_lines,
    without_seconds,
)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", as_csv),
        ("a.CSV", as_csv),
        ("b.c.csv.gz", as_csv),
        ("a.jsonl", as_json_lines),
        ("a.ndjson.gz", as_json_lines),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_formats(name, form, encoding, write):
    path = write(name, form(RECORDS).encode(encoding))
    texts, labels = read_file(path, "text", "label")
    assert list(zip(texts, labels, strict=True)) == RECORDS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_empty_lines(end, write):
    lines = ["label,text", "x,one", "", 'y,"two', 'lines"']
    path = write("a.csv", end.join(lines))
    assert read_file(path, "text", "label") == (["one", f"two{end}lines"], ["x", "y"])


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("v1,v2,,,", "ham,some text,,,"),  # as in Kaggle's spam.csv
        (",v1,n,v2,n", "0,ham,1,some text,2"),
    ],
)
def test_columns_that_are_not_read_need_no_name_of_their_own(header, row, write):
    path = write("a.csv", f"{header}\n{row}\n")
    assert read_file(path, "v2", "v1") == (["some text"], ["ham"])


class CountedName(str):
    """A column's name that counts how often it is hashed or compared."""

    n_steps = 0

    def __eq__(self, other):
        CountedName.n_steps += 1
        return str.__eq__(self, other)

    def __hash__(self):
        CountedName.n_steps += 1
        return str.__hash__(self)


def test_steps_are_linear_in_the_number_of_columns(write, monkeypatch):
    real_reader = csv.reader

    class Reader:
        def __init__(self, *args, **options):
            self.rows = real_reader(*args, **options)

        def __iter__(self):
            return self

        def __next__(self):
            return list(map(CountedName, next(self.rows)))

        line_num = property(lambda self: self.rows.line_num)

    monkeypatch.setattr(_documents.csv, "reader", Reader)
    steps = []
    for n_columns in (500, 1000, 2000):
        names = [*(f"x{i}" for i in range(n_columns - 2)), "text", "label"]
        row = [*(["0"] * (n_columns - 2)), "t", "a"]
        path = write("a.csv", f"{','.join(names)}\n{','.join(row)}\n")
        CountedName.n_steps = 0
        assert read_file(path, "text", "label") == (["t"], ["a"])
        steps.append(CountedName.n_steps)
    assert steps[2] <= 10 * 2000
    assert steps[2] - steps[1] <= 2.1 * (steps[1] - steps[0])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl"])
@pytest.mark.parametrize("n_before", [0, 4000])
def test_bad_byte_is_reported_with_its_line(name, n_before, end, write):
    # The bad line is the n-th of the file whatever was read at once before it.
    lines = {
        "a.csv": [
            "text,label",
            *['"words\nand more",a'] * n_before,
            "fünf,a",
            "z,b",
        ],
        "a.jsonl": [ROW.strip()] * n_before
        + ['{"text": "fünf", "label": "a"}', ROW.strip()],
    }[name.removesuffix(".gz")]
    content = "\n".join(lines).replace("\n", end).encode("latin-1")
    good = content.decode("latin-1").split("ü")[0]
    line = len(good.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    path = write(name, content)
    with pytest.raises(_documents.InputError) as caught:
        read_file(path, "text", "label")
    assert str(caught.value).startswith(
        f"{path}, line {line}: not UTF-8 (byte 0xfc, invalid start byte)"
    )


def test_line_that_is_not_read_may_hold_a_bad_byte(write):
    path = write("a.jsonl", (ROW * 2).encode() + b"\xff")
    assert read_file(path, "text", "label", limit=2)[0] == ["t", "t"]


def test_error_names_a_few_of_many_columns(write):
    names = ["", *(f"x{i}" for i in range(30_000))]
    path = write("a.csv", f"{','.join(names)}\n{','.join(names)}\n")
    with pytest.raises(
        _documents.InputError, match="'x19' and 29,980 more: name"
    ) as error:
        read_file(path, "text", "label")
    assert len(str(error.value)) < 500 + len(str(path))


def test_long_fields(write):
    path = write("a.csv", f"text,label\n{'word ' * 100_000},x\n")
    assert len(read_file(path, "text", "label")[0][0]) == 500_000


def test_labels_of_all_kinds_become_text(write):
    values = ["red", 1, 2.5, True, "1"]
    lines = [json.dumps({"text": "t", "label": value}) for value in values]
    path = write("a.jsonl", "\n".join(lines))
    assert read_file(path, "text", "label")[1] == ["red", "1", "2.5", "true", "1"]


def test_max_documents_draws_at_random(write, tiny_corpus, tiny_labels, capsys):
    """A file sorted by class is not cut off before the second class."""
    records = sorted(zip(tiny_corpus, tiny_labels, strict=True), key=lambda r: r[1])
    path = write("a.csv", as_csv(records))
    arguments = ["--data", str(path), *COLUMNS, *QUICK, "--output", "json"]
    answers = []
    for seed in ("0", "0", "1"):
        assert main([*arguments, "--max-documents", "30", "--seed", seed]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    first, again, _ = answers
    assert (first["n_documents"], first["n_classes"]) == (30, 2)
    assert without_seconds(first["results"]) == without_seconds(again["results"])
    assert main([*arguments, "--max-documents", "30", "--cv", "20"]) == 2
    err = capsys.readouterr().err
    assert "fewer folds (--cv)" in err
    assert err.endswith(" Perhaps --max-documents 30 leaves too few.\n")


def test_sample_is_a_seeded_subset():
    drawn = [_documents.sample(1000, 100, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(set(drawn[0]))
    assert len(drawn[0]) == 100
    assert 0 <= drawn[0][0] < 100 < 900 < drawn[0][-1] < 1000
    assert _documents.sample(5, 9, 0) == [0, 1, 2, 3, 4]


@pytest.mark.small
def test_reading_without_labels(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,label\none,\n"two\nlines",x\n')
    assert read_file(path, "text") == (["one", "two\nlines"], None)
    assert read_file(path, "label", limit=1) == ([""], None)
    with pytest.raises(InputError, match="line 2: the label in column 'label' is"):
        read_file(path, "text", "label")
    plain = tmp_path / "a.TXT"
    plain.write_text("one two\n\n \n\u00fcber  \n", encoding="utf8")
    assert read_file(plain, "anything") == (["one two", "\u00fcber  "], None)
    assert read_file(plain, "text", limit=1) == (["one two"], None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.txt",
            "",
            "a.txt: the name must end in .csv, .tsv, .jsonl, .ndjson, or one",
        ),
        ("a.gz", "", "must end in"),
        ("a.csv", "", "holds no documents"),
        ("a.jsonl", "\n \n", "holds no documents"),
        ("a.csv", "text,label\n", "holds no documents"),
        (
            "a.csv",
            "t,label\nx,y\n",
            "line 2: no column 'text'; there are 't', 'label':",
        ),
        (
            "a.csv",
            "text,class\nx,y\n",
            "there are 'text', 'class': name one with --label",
        ),
        (
            "a.csv",
            "text;label\nx, y;z\n",
            "single column, 'text;label'; name what separates columns with --separator",
        ),
        ("a.csv", "text\tlabel\nx\ty\n", "columns with --separator"),
        ("a.tsv", "text,label\nx,y\n", "single column, 'text,label'; name what"),
        ("a.tsv", 'text\tlabel\n"x" y\ta\n', "--no-quotes takes quotes as they are"),
        ("a.csv", as_csv([("", "a"), (" ", "b")] * 4), "text: all texts are empty"),
        ("a.csv", "text,text,label\nx,y,z\n", "two columns are called 'text'"),
        (
            "a.csv",
            'text,label\n"x\ny",a\n\nx,y,a\n',
            "line 5: 3 fields, but the header",
        ),
        ("a.csv", "text,label\nx\n", "line 2: 1 fields, but the header has 2; texts"),
        ("a.csv", 'text,label\nx,a\n"x,a\nx,a\n', "line 3: not CSV (unexpected end"),
        ("a.csv", "text,label\nx,\n", "line 2: the label in column 'label' is \"\""),
        ("a.csv", "text,label\nfünf,a\n".encode("latin-1"), "line 2: not UTF-8 (byte"),
        ("a.jsonl", ROW + "{'text': 1}\n", "a.jsonl, line 2: not JSON (Expecting prop"),
        (
            "a.jsonl",
            ROW + "\n[1, 2]\n",
            "line 3: a JSON object is needed on every line",
        ),
        ("a.jsonl", "[" * 200_000, "line 1: not JSON"),
        ("a.jsonl", ROW + '{"text": "t"}', "line 2: no column 'label'"),
        ("a.jsonl", '{"text": null, "label": 1}', "'text' is null, not a string"),
        (
            "a.jsonl",
            '{"text": 3, "label": 1}',
            "line 1: the text in column 'text' is 3",
        ),
        ("a.jsonl", '{"text": "t", "label": null}', "'label' is null; every document"),
        ("a.jsonl", '{"text": "t", "label": NaN}', "'label' is NaN; every document"),
        ("a.jsonl", '{"text": "t", "label": [1]}', "'label' is [1]; every document"),
        ("a.csv", as_csv([("t", "a")] * 9), "All 9 documents have the same label, 'a'"),
        (
            "a.csv",
            as_csv([("t", c) for c in "aaaabbbcd"]),
            "--label label: 2 of 4 classes have fewer than the 3 documents that 3 "
            "folds need: 'c' (1), 'd' (1). Merge",
        ),
    ],
)
def test_unusable_files(name, content, message, write, capsys):
    path = write(name, content)
    assert main(["--data", str(path), *COLUMNS]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"skembed: error: {path}")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.small
@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.xml", "", [], "the name must end in .csv, .tsv, .jsonl, .ndjson, .txt, or"),
        (
            "a.txt",
            "one\n",
            ["--label", "x"],
            "must end in .csv, .tsv, .jsonl, .ndjson, or",
        ),
        ("a.txt", "one\n", ["--label", "x"], ".gz; plain text has no labels"),
        ("a.txt", " \n\n", [], "holds no documents"),
        ("a.txt", "a b\n" * 9, [], "a.txt: 9 documents; at least 10 are needed"),
        ("a.csv", "text\n" + '""\n' * 12, [], "all texts are empty"),
        (
            "a.csv",
            "t\n1\n",
            [],
            "no column 'text'; there are 't': name one with --text",
        ),
        ("a.csv", "t\n1\n", ["--text", "u"], "line 2: no column 'u'"),
        (
            "a.csv",
            "text,y\n" + "a b,1\n" * 20,
            ["--label", "y"],
            "--label y: the training documents of seed 0 have 1 classes, and 4 test",
        ),
        ("a.txt", "a b\n" * 12, ["--wordsim", "."], "--wordsim .: holds no .tsv"),
    ],
)
def test_files_unusable_for_a_study(
    name, content, options, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content)
    assert study.main(["--data", name, "--output", "out", *options]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("skembed.study: error: ")
    assert message in error
    assert not Path("out").exists()


def test_unreadable_files(tmp_path, write, capsys):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    cut = write("cut.csv", gzip.compress(as_csv(RECORDS * 99).encode())[:-20])
    cut = cut.rename(tmp_path / "cut.csv.gz")
    plain = write("plain.csv", "text,label").rename(tmp_path / "plain.csv.gz")
    missing = tmp_path / "missing.csv"
    for path, message in [
        (folder, "Is a directory" if os.name == "posix" else "Permission denied"),
        (missing, "No such file or directory"),
        (cut, "not a complete gzip file"),
        (plain, "not a complete gzip file"),
    ]:
        assert main(["--data", str(path), *COLUMNS]) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"skembed: error: {path}: {message}")
        assert err.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_file_without_permission(write, capsys):
    if os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    path = write("a.csv", as_csv(RECORDS))
    path.chmod(0)
    assert main(["--data", str(path), *COLUMNS]) == 2
    assert "Permission denied" in capsys.readouterr().err


def test_default_data(tiny_corpus, tiny_labels, monkeypatch, capsys):
    names, codes = np.unique(tiny_labels, return_inverse=True)
    bunch = Bunch(
        data=tiny_corpus, target=codes, target_names=list(names), versions={"lib": "1"}
    )
    monkeypatch.setattr(datasets, "load_docstrings", lambda: bunch)
    assert main([*QUICK, "--max-documents", "50"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("docstrings of lib 1: 50 documents in 2 classes. Accuracy ")
    assert err.startswith("collecting the docstrings")


def test_no_docstrings(monkeypatch, capsys):
    def stripped():
        raise RuntimeError("load_docstrings needs docstrings")

    monkeypatch.setattr(datasets, "load_docstrings", stripped)
    assert main([]) == 2
    assert "error: load_docstrings needs docstrings\n" in capsys.readouterr().err


def test_empty_texts_are_counted(write, tiny_corpus, tiny_labels, capsys):
    records = [*zip(tiny_corpus, tiny_labels, strict=True), ("", "home"), (" ", "away")]
    path = write("a.csv", as_csv(records))
    assert main(["--data", str(path), *COLUMNS, *QUICK]) == 0
    assert capsys.readouterr().err.startswith("note: 2 of 62 texts are empty\n")


def test_docstrings_are_the_default(tiny_corpus, monkeypatch, tmp_path):
    bunch = SimpleNamespace(
        data=[*tiny_corpus, "never drawn"],
        target=[0] * 30 + [1] * 31,
        target_names=["x", "y"],
        versions={"numpy": "9.9"},
    )
    monkeypatch.setattr(skembed.datasets, "load_docstrings", lambda: bunch)
    command = StudyCommand("study", "", "")
    data, title = _commands._load_data(*command.read(["--documents", "30"]))
    assert title == "docstrings of numpy 9.9"
    assert len(data.documents) == 30
    for text, label in zip(data.documents, data.labels, strict=True):
        assert label == bunch.target_names[bunch.target[bunch.data.index(text)]]
    assert set(data.labels) == {"x", "y"}  # not the first thirty
    assert len(_commands._load_data(*command.read([]))[0].documents) == 61


def as_tsv(records, separator="\t", **form):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, **form)
    writer.writerows([("text", "label"), *records])
    return out.getvalue()


@pytest.mark.small
@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz", "a.csv", "a.csv.gz"])
@pytest.mark.parametrize("separator", [None, ";", "|", "\t"])
def test_separators(name, separator, write):
    used = separator or {"t": "\t", "c": ","}[name[2]]
    path = write(name, as_tsv(RECORDS, used))
    texts, labels = read_file(path, "text", "label", separator=separator)
    assert list(zip(texts, labels, strict=True)) == RECORDS


@pytest.mark.small
def test_quotes_as_they_are(write):
    path = write("a.tsv", 'text\tlabel\n"Stop", he said\ta\n"\tb\n')
    found = read_file(path, "text", "label", quotes=False)
    assert found == (['"Stop", he said', '"'], ["a", "b"])


@pytest.mark.small
@pytest.mark.parametrize("options", [{"separator": ";"}, {"quotes": False}])
def test_options_of_tables_are_refused_for_other_files(options, write):
    with pytest.raises(InputError, match=r"belongs to \.csv and \.tsv"):
        read_file(write("a.jsonl", ROW), "text", "label", **options)


@pytest.mark.small
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-32", "UTF-8"])
@pytest.mark.parametrize(
    ("name", "form"), [("a.csv", as_csv), ("a.jsonl.gz", as_json_lines)]
)
def test_encodings(encoding, name, form, write):
    path = write(name, form(RECORDS).encode(encoding))
    texts, labels = read_file(path, "text", "label", encoding=encoding)
    assert list(zip(texts, labels, strict=True)) == RECORDS


@pytest.mark.small
@pytest.mark.parametrize(
    ("encoding", "bad", "reason"),
    [
        ("ascii", b"\xe9", "byte 0xe9, ordinal not in range"),
        ("cp1252", b"\x81", "byte 0x81, character maps to <undefined>"),
        ("utf-16-le", b"\x00\xdc", "byte 0x00, illegal encoding"),
        ("gbk", b"\xff", "byte 0xff, illegal multibyte sequence"),
    ],
)
@pytest.mark.parametrize("n_before", [0, 4000])
def test_bad_byte_in_any_encoding(encoding, bad, reason, n_before, write):
    good = "text,label\n" + '"words\nand more",a\n' * n_before
    path = write("a.csv", good.encode(encoding) + bad + ",a\n".encode(encoding))
    with pytest.raises(InputError) as caught:
        read_file(path, "text", "label", encoding=encoding)
    assert str(caught.value).startswith(
        f"{path}, line {2 + 2 * n_before}: not {encoding.upper()} ({reason}"
    )
