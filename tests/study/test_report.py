"""Reports of both command lines: tables, Markdown, CSV, JSON, files."""

import csv
import io
import json
from pathlib import Path

import pytest

from skembed.study import _report, _verdict
from tests.study.cases import ABOUT, ROWS


def test_table_is_sorted_and_aligned():
    lines = _report.as_table(ROWS, ABOUT).splitlines()
    assert lines[0].startswith("some.csv: 10 documents in 2 classes.")
    assert max(map(len, lines)) <= 88
    start = lines.index("") + 1
    header, *body = lines[start : start + 13]
    assert header.split()[:3] == ["estimator", "share_context", "bias"]
    assert [line.split()[0].strip("-") for line in body] == [
        *["", "SGNS", "SGNS", "SGNS"],
        *["", "GloVe", "GloVe"],
        *["", "PPMI-SVD", "", "tf-idf", ""],
    ]
    assert {len(line) for line in [header, *body]} == {len(header)}
    assert " ".join(body[1].split()) == (
        "SGNS True exact 1,234,567 1.2 0.400 ± 0.020 0.800 ± 0.020"
    )
    assert body[10].split()[1:5] == ["–", "–", "–", "1.2"]


def test_csv_tells_none_from_absent():
    rows = list(csv.DictReader(io.StringIO(_report.as_csv(ROWS, ABOUT))))
    assert len(rows) == len(ROWS)
    first, second, *_, last = rows
    assert (first["share_context"], first["bias"]) == ("True", "exact")
    assert (second["share_context"], second["bias"]) == ("False", "None")
    assert (last["share_context"], last["bias"]) == ("", "")
    assert last["n_embedding_parameters"] == ""
    folds = [float(value) for value in first["fold_accuracies"].split()]
    assert folds == pytest.approx([0.78, 0.82])


def test_json_holds_everything():
    answer = json.loads(_report.as_json(ROWS, ABOUT))
    assert {k: answer[k] for k in ABOUT} == ABOUT
    assert sorted(map(str, answer["results"])) == sorted(map(str, ROWS))


def test_markdown_has_the_same_cells():
    text = _report.as_markdown(ROWS, ABOUT)
    header, rule, *rows = [x for x in text.splitlines() if x.startswith("|")]
    assert len(rows) == len(ROWS)
    assert set(rule) == {"|", "-"}
    assert {len(line) for line in [header, rule, *rows]} == {len(header)}
    cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
    assert cells[:4] == ["SGNS", "True", "exact", "1,234,567"]
    assert _verdict.verdict(ROWS)[0] in text


def test_references_alone_need_no_verdict():
    assert _verdict.verdict(ROWS[:1]) == []
    assert "About as good" not in _report.as_table(ROWS[:1], ABOUT)


@pytest.mark.small
def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def break_off(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", break_off)
        with pytest.raises(KeyboardInterrupt):
            _report.write(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    _report.write(path, "after")
    assert path.read_text() == "after"
