"""The programs: which one runs, and how they end."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skembed
from skembed import study
from skembed.study import _command, _study
from tests.study.cases import (
    COLUMNS,
    QUICK,
    arguments,
    as_json_lines,
    run_process,
)


@pytest.mark.small
def test_the_study_has_two_commands(monkeypatch, capsys):
    """They differ in nothing but their names."""
    calls = []

    def run(argv, prog):
        calls.append((argv, prog))
        raise KeyboardInterrupt

    monkeypatch.setattr(_study, "run", run)
    assert _command.main(["study", "--seeds", "1"]) == 130
    assert study.main(["--seeds", "1"]) == 130
    assert calls == [
        (["--seeds", "1"], "python -m skembed study"),
        (["--seeds", "1"], "python -m skembed.study"),
    ]
    ending = "interrupted; give the same command again to continue"
    assert capsys.readouterr().err.splitlines() == [
        f"skembed study: {ending}",
        f"skembed.study: {ending}",
    ]


@pytest.mark.long
def test_reader_that_leaves(tiny_csv):
    process = run_process(["--data", tiny_csv, *COLUMNS, *QUICK])
    process.stdout.close()
    with process.stderr:
        err = process.stderr.read()
    assert process.wait() == 0
    assert len(err.splitlines()) == 2 + 5


@pytest.mark.long
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_disk_full(tiny_csv):
    arguments = ["-m", "skembed", "--data", str(tiny_csv), *COLUMNS, *QUICK]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=Path(skembed.__file__).parents[1],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("skembed: error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.long
def test_process(tiny_corpus, tiny_labels, write):
    records = list(zip(tiny_corpus, tiny_labels.tolist(), strict=True))
    path = write("a.jsonl.gz", as_json_lines(records))
    process = run_process(["--data", path, *COLUMNS, *QUICK, "--output", "csv"])
    out, err = process.communicate()
    assert process.returncode == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["estimator"] for row in rows].count("PPMI-SVD") == 3
    assert all(line.startswith("[") for line in err.splitlines()[2:])


@pytest.mark.small
def test_output_that_cannot_be_a_folder(files, tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("mine")
    assert study.main(arguments(files, path)) == 2
    assert f"error: {path}: " in capsys.readouterr().err
    assert path.read_text() == "mine"
