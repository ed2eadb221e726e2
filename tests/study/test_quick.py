"""The quick comparison as a program: pictures, interrupts, what is printed."""

import csv
import io
import json
import os
import signal
import sys

import pytest

from skembed._solvers import negative_sampling
from skembed.study import _compare, _compare_report
from skembed.study._command import main
from tests.study.cases import (
    COLUMNS,
    QUICK,
)


def test_plot(tiny_csv, tmp_path, capsys):
    path = tmp_path / "picture.png"
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--plot", str(path)]
    assert main(arguments) == 0
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    out, err = capsys.readouterr()
    assert out.startswith("tiny.csv")
    assert err.endswith(f"drawn to {path}\n")


def test_without_matplotlib_there_is_a_hint(tiny_csv, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    path = tmp_path / "picture.png"
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--plot", str(path)]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    first, *others = err.splitlines()
    assert first == f"hint: {path} needs matplotlib: pip install matplotlib"
    assert not any("matplotlib" in line for line in others)
    assert out.startswith("tiny.csv")
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("picture", "the name must end in one of .png, .pdf, .svg"),
        ("missing/picture.png", "no file can be written there"),
        ("folder.png", "no file can be written there"),
    ],
)
def test_plot_that_cannot_be_written(name, message, tmp_path, capsys):
    (tmp_path / "folder.png").mkdir()
    path = tmp_path / name
    assert main(["--plot", str(path)]) == 2
    assert capsys.readouterr().err == f"skembed: error: --plot {path}: {message}\n"


def test_plot_that_fails_at_the_end(tiny_csv, tmp_path, monkeypatch, capsys):
    def full(rows, about, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_compare_report, "draw", full)
    path = tmp_path / "picture.png"
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--plot", str(path)]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out.startswith("tiny.csv")
    assert f"error: --plot {path}: No space left on device" in err


def interrupt(monkeypatch, n_done):
    """Let the comparison be interrupted after its first lines."""
    compare = _compare.compare

    def interrupted(documents, labels, lines, settings):
        if n_done:
            yield from compare(documents, labels, lines[:n_done], settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(_compare, "compare", interrupted)


@pytest.mark.parametrize("n_done", [0, 1, 2, 4])
def test_interrupted(n_done, tiny_csv, monkeypatch, capsys):
    interrupt(monkeypatch, n_done)
    assert main(["--data", str(tiny_csv), *COLUMNS, *QUICK]) == 130
    out, err = capsys.readouterr()
    assert bool(out) == bool(n_done)
    assert ("only 1 line is done\n" in err) == (n_done == 1)
    assert (f"only {n_done} lines are done\n" in err) == (n_done > 1)
    assert err.endswith("skembed: interrupted\n")
    if n_done:
        missing = [line for line in out.splitlines() if line.endswith("  not run")]
        assert len(missing) == 5 - n_done
        words = " ".join(out.split())
        assert "came out best, " not in words
        assert f"Incomplete: {5 - n_done} of 5 lines are missing" in words
        assert "share_context=signed (not run)" in words
        assert "Failed" not in words


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupted_in_a_later_epoch(tiny_csv, monkeypatch, capsys):
    """A fit would keep its finished epochs, and the comparison would go on."""
    train = negative_sampling._Training.train

    def interrupted(self, epoch, report):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        return train(self, epoch, report)

    monkeypatch.setattr(negative_sampling._Training, "train", interrupted)
    arguments = ["--data", str(tiny_csv), *COLUMNS, "--n-jobs", "1"]
    assert main([*arguments, "--estimators", "sgns"]) == 130
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if line.startswith("SGNS   ")]
    assert len(lines) > 3
    assert all(line.endswith("  not run") for line in lines)
    assert err.endswith("skembed: interrupted\n")


def test_interrupted_json_and_csv(tiny_csv, monkeypatch, capsys):
    interrupt(monkeypatch, 3)
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--output"]
    assert main([*arguments, "json"]) == 130
    answer = json.loads(capsys.readouterr().out)
    assert answer["complete"] is False
    assert [row["error"] for row in answer["results"]].count("not run") == 2
    assert main([*arguments, "csv"]) == 130
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["error"] for row in rows].count("not run") == 2
    assert [row["accuracy"] for row in rows].count("") == 2
