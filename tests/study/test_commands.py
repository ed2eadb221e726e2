"""The two programs as a whole: results, pictures, interrupts, and how they end."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import skembed
from skembed import PPMISVDEmbedder, SGNSEmbedder, inspection, study
from skembed._solvers import negative_sampling
from skembed.study import _commands, _comparison, _evaluation, _figures
from skembed.study._commands import main
from tests.study.cases import (
    COLUMNS,
    PAIRS,
    QUICK,
    STUDY,
    arguments,
    as_json_lines,
    read_results,
    run_process,
)


@pytest.mark.small
def test_the_study_has_two_commands(monkeypatch, capsys):
    """They differ in nothing but their names."""
    calls = []

    def run(argv, prog):
        calls.append((argv, prog))
        raise KeyboardInterrupt

    monkeypatch.setattr(_commands, "run_study", run)
    assert _commands.main(["study", "--seeds", "1"]) == 130
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


# --- The quick comparison


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

    monkeypatch.setattr(_figures, "draw_comparison", full)
    path = tmp_path / "picture.png"
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--plot", str(path)]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out.startswith("tiny.csv")
    assert f"error: --plot {path}: No space left on device" in err


def interrupt(monkeypatch, n_done):
    """Let the comparison be interrupted after its first lines."""
    compare = _comparison.compare

    def interrupted(documents, labels, lines, settings):
        if n_done:
            yield from compare(documents, labels, lines[:n_done], settings)
        raise KeyboardInterrupt

    monkeypatch.setattr(_comparison, "compare", interrupted)


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


# --- The study


@pytest.fixture(autouse=True)
def _no_warmup(monkeypatch):
    monkeypatch.setattr(_commands._warmup, "warmup", lambda *kinds: None)


BASELINES = ("unigram", "uniform")


@pytest.fixture(scope="module")
def everything(files, tmp_path_factory):
    """The folder of a whole study of the tiny corpus."""
    folder = tmp_path_factory.mktemp("whole") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_commands._warmup, "warmup", lambda *kinds: None)
        assert study.main(arguments(files, folder)) == 0
    return folder


@pytest.fixture
def count_fits(monkeypatch):
    """Count the fits, and optionally stop at one of them."""
    counter = SimpleNamespace(n=0, stop=None, error=None)
    measure = _evaluation.measure

    def counted(*args):
        if counter.n == counter.stop:
            raise counter.error
        counter.n += 1
        return measure(*args)

    monkeypatch.setattr(_evaluation, "measure", counted)
    return counter


@pytest.fixture(scope="module")
def by_hand(tiny_corpus, tiny_labels):
    """One fit of the study, written out: tied skip-gram at four times the rate."""
    train, validation, test = _evaluation.split(len(tiny_corpus), 0)
    embedder = SGNSEmbedder(
        4,
        share_context=True,
        bias="shift",
        learning_rate=0.2,
        max_iter=2,
        min_count=1,
        random_state=0,
    )
    embedder.fit([tiny_corpus[i] for i in train])
    return SimpleNamespace(
        embedder=embedder,
        train=train,
        test=test,
        documents=np.array(tiny_corpus, dtype=object),
        labels=tiny_labels,
        losses=inspection.held_out_loss(
            embedder, [tiny_corpus[i] for i in test], random_state=0
        ),
        validation=inspection.held_out_loss(
            embedder, [tiny_corpus[i] for i in validation], random_state=0
        ),
        nats=inspection.held_out_cross_entropy(
            embedder, [tiny_corpus[i] for i in test]
        ),
    )


def accuracy_by_hand(fit, table):
    """Mean of the words' vectors, standardised, logistic regression."""
    rows = fit.embedder.vocabulary_
    features = np.array(
        [
            np.mean([table[rows[w]] for w in text.split() if w in rows], axis=0)
            for text in fit.documents
        ]
    )
    scale = StandardScaler().fit(features[fit.train])
    head = LogisticRegression(max_iter=1000)
    head.fit(scale.transform(features[fit.train]), fit.labels[fit.train])
    predicted = head.predict(scale.transform(features[fit.test]))
    return np.mean(predicted == fit.labels[fit.test])


def correlation_by_hand(embedder, table):
    cosines = []
    for first, second, _ in PAIRS[:-1]:
        x, y = (table[embedder.vocabulary_[word]] for word in (first, second))
        lengths = np.linalg.norm(x) * np.linalg.norm(y)
        # A word that `subsample` dropped in all epochs has a vector of zeros.
        cosines.append(x @ y / lengths if lengths else 0.0)
    return spearmanr(cosines, [score for _, _, score in PAIRS[:-1]]).statistic


def rows_without_seconds(folder):
    return [{**row, "fit_seconds": None} for row in read_results(folder)]


def test_table_holds_what_a_fit_gives(everything, by_hand):
    (row,) = (
        row
        for row in read_results(everything)
        if (row["strategy"], row["estimator"]) == ("tied, bias=shift", "SGNS")
        and (row["seed"], row["learning_rate"]) == ("0", "0.2")
    )
    embedder = by_hand.embedder
    table = embedder.word_vectors_
    expected = {
        "n_embedding_parameters": embedder.n_embedding_parameters_,
        "n_words": len(embedder.vocabulary_),
        "n_components": 4,
        "training_loss": embedder.loss_curve_[-1],
        "validation_loss": by_hand.validation.loss,
        "held_out_loss": by_hand.losses.loss,
        "held_out_loss_zero": by_hand.losses.zero,
        "held_out_loss_shift": by_hand.losses.shift,
        "held_out_loss_offset": by_hand.losses.offset,
        "held_out_cross_entropy": by_hand.nats.model,
        "unigram": by_hand.nats.unigram,
        "uniform": np.log(len(embedder.vocabulary_)),
        "accuracy": accuracy_by_hand(by_hand, table),
        "six": correlation_by_hand(embedder, table),
        "own_score": np.mean((table**2).sum(axis=1) - np.log(5)),
    }
    found = {name: float(row[name]) for name in expected}
    assert found == pytest.approx(expected, rel=1e-5)
    assert (row["share_context"], row["bias"]) == ("True", "shift")
    assert (row["vectors"], row["notes"]) == ("word", "")


@pytest.mark.long
def test_documents_without_a_class_train_vectors_only(
    by_hand, files, tiny_labels, tmp_path
):
    lines = [json.loads(x) for x in (files / "tiny.jsonl").read_text().splitlines()]
    for line in lines[::3]:
        line["label"] = -1
    path = tmp_path / "some.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    options = ["--data", path, "--label", "label", "--unlabelled", "-1", *STUDY]
    options += ["--strategies", "tied", "--estimators", "sgns", "--output", tmp_path]
    assert study.main(list(map(str, options))) == 0
    (row,) = (
        row
        for row in read_results(tmp_path)
        if (row["bias"], row["seed"], row["learning_rate"]) == ("shift", "0", "0.2")
    )
    assert float(row["held_out_loss"]) == pytest.approx(by_hand.losses.loss)
    some = SimpleNamespace(**vars(by_hand))
    some.train = [i for i in by_hand.train if i % 3]
    some.test = [i for i in by_hand.test if i % 3]
    expected = accuracy_by_hand(some, by_hand.embedder.word_vectors_)
    assert float(row["accuracy"]) == pytest.approx(expected)
    text = (tmp_path / "results.md").read_text(encoding="utf8")
    assert "60 documents" in text
    assert "40 of them in 2 classes" in text


def test_rows_of_the_table(everything):
    rows = read_results(everything)
    names = ("estimator", "strategy", "seed", "learning_rate", "l2")
    fits = {tuple(row[name] for name in names) for row in rows}
    # (candidates, settings): two rates on the first seed and perhaps another penalty,
    # one setting on the second seed.
    sizes = {"SGNS": (6, 3), "CBOW": (6, 3), "GloVe": (3, 3), "PPMI-SVD": (3, 2)}
    sizes |= {"Softmax": (6, 4), "Softmax tree": (6, 4)}
    for estimator, (n_candidates, n_fits) in sizes.items():
        own = [fit for fit in fits if fit[0] == estimator]
        assert len(own) == n_candidates * n_fits
    assert len(list((everything / "fits").iterdir())) == len(fits) + 2  # spectra
    sums = [row for row in rows if row["vectors"] == "sum"]
    assert {row["strategy"].partition(", ")[0] for row in sums} == {"separate"}
    assert not any(row["estimator"] == "Softmax tree" for row in sums)
    for row in rows:
        others = [
            other
            for other in rows
            if all(
                other[k] == row[k] for k in ("estimator", "strategy", "vectors", "seed")
            )
        ]
        if row["seed"] == "0" and row["chosen"] == "True":
            key = "validation_loss"
            key = key if row[key] else "validation_cross_entropy"
            assert float(row[key]) == min(float(r[key]) for r in others)
    assert "hardly learns" in "".join(
        row["notes"] for row in rows if row["strategy"] == "tied, bias=None"
    )


def test_summary_is_that_of_the_rows(everything):
    text = (everything / "results.md").read_text(encoding="utf8")
    section = text.split("## CBOW")[1].split("\n## ")[0]
    tables = [t for t in section.split("\n\n") if t.startswith("| strategy")]
    header, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in tables[0].splitlines()
    ]
    rows = [row for row in read_results(everything) if row["chosen"] == "True"]
    columns = {"held-out loss": "held_out_loss", "accuracy": "accuracy", "six": "six"}
    checked = 0
    for line in lines:
        cells = dict(zip(header, line, strict=True))
        label = cells["strategy"].split(" [")[0].strip("*")
        own = [
            row
            for row in rows
            if (row["estimator"], row["strategy"], row["vectors"])
            == ("CBOW", label, cells["vectors"])
        ]
        assert [row["seed"] for row in own] == ["0", "1"]
        assert {row["learning_rate"] for row in own} == {cells["learning rate"]}
        for title, key in columns.items():
            low, high = sorted(float(row[key]) for row in own)
            mean = (low + high) / 2
            assert cells[title] == f"{mean:.3f} ({low:.3f}–{high:.3f})"
            checked += 1
    assert checked == 3 * 8
    assert "Held-out loss without any vectors" in section
    assert "Pairs of words that have vectors (first seed): six 5." in section
    assert "### What depends on the learning rate" in section
    assert f"rate {0.4:g}" in tables[1].splitlines()[0]
    assert "nats per pair" not in section.lower()


@pytest.mark.parametrize("title", ["Softmax", "Softmax tree", "GloVe"])
def test_summary_has_cross_entropies_beside_the_baselines(title, everything):
    text = (everything / "results.md").read_text(encoding="utf8")
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    header, _, first = section.strip().splitlines()[:3]
    cells = [
        [x.strip() for x in line.strip("|").split("|")] for line in (header, first)
    ]
    shown = dict(zip(*cells, strict=True))
    rows = [
        row
        for row in read_results(everything)
        if (row["estimator"], row["chosen"], row["vectors"]) == (title, "True", "word")
    ]
    own = [r for r in rows if r["strategy"] == rows[0]["strategy"]]
    nats = [float(row["held_out_cross_entropy"]) for row in own]
    low, high = sorted(nats)
    assert shown["nats per pair"] == f"{np.mean(nats):.3f} ({low:.3f}–{high:.3f})"
    assert shown.get("l2", "") == (f"{float(own[0]['l2']):g}" if own[0]["l2"] else "")
    assert ("What depends on the l2" in section) == ("softmax" in title.lower())
    unigram, uniform = (np.mean([float(r[k]) for r in own]) for k in BASELINES)
    (line,) = (x for x in section.splitlines() if x.startswith("Nats per pair without"))
    assert f" {unigram:.3f} (" in line
    assert f" {uniform:.3f} (" in line


def test_figures_are_shown_in_the_summary(everything):
    names = ["loss_curves.png", "own_scores.png", "spectrum.png", "parameters.png"]
    names += ["cross_entropy.png"]
    text = (everything / "results.md").read_text(encoding="utf8")
    for name in names:
        assert (everything / name).stat().st_size > 5000
        assert f"]({name})" in text


@pytest.mark.long
def test_continues_after_a_failure(everything, files, tmp_path, count_fits, capsys):
    count_fits.stop, count_fits.error = 5, RuntimeError("power cut")
    options = arguments(files, tmp_path)
    with pytest.raises(RuntimeError, match="power cut"):
        study.main(options)
    assert len(list((tmp_path / "fits").iterdir())) == 5
    assert not (tmp_path / "results.csv").exists()
    count_fits.stop = None
    assert "done before" not in capsys.readouterr().err
    assert study.main(options) == 0
    lines = capsys.readouterr().err.splitlines()
    assert sum(", done before" in line for line in lines if line[0] == "[") == 5
    assert any(line.startswith("5 of ") for line in lines)
    n_fits = len(list((everything / "fits").iterdir())) - 2
    assert count_fits.n == n_fits
    assert rows_without_seconds(tmp_path) == rows_without_seconds(everything)
    # A third time there is nothing to do, unless something else is asked for.
    assert study.main(options) == 0
    assert count_fits.n == n_fits
    assert study.main([*options, "--estimators", "ppmi-svd", "--seeds", "3"]) == 0
    assert count_fits.n == n_fits + 3
    assert study.main([*options, "--estimators", "ppmi-svd", "--documents", "50"]) == 0
    assert count_fits.n == n_fits + 9


PROCESS = """
import sys, time
from skembed import study
from skembed.study import _commands, _evaluation
_commands._warmup.warmup = lambda *kinds: None
measure, done = _evaluation.measure, []
def slow(*args):
    if len(done) == 3:
        print("waiting", flush=True)
        time.sleep(60)
    done.append(None)
    return measure(*args)
_evaluation.measure = slow
sys.exit(study.main())
"""


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("number", ["SIGINT", "SIGKILL"])
def test_continues_after_a_signal(number, everything, files, tmp_path, count_fits):
    options = arguments(files, tmp_path, "--estimators", "ppmi-svd", "glove")
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, *options],
        env={**os.environ, "PYTHONPATH": str(Path(skembed.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(getattr(signal, number))
    _, errors = process.communicate(timeout=60)
    if number == "SIGINT":
        assert process.returncode == 130
        assert "Traceback" not in errors
        assert errors.endswith("give the same command again to continue\n")
    assert len(list((tmp_path / "fits").iterdir())) == 3
    assert study.main(options) == 0
    n_fits = 3 * 2 + 3 * 3
    assert count_fits.n == n_fits - 3
    expected = [
        row
        for row in rows_without_seconds(everything)
        if row["estimator"] in ("GloVe", "PPMI-SVD")
    ]
    found = rows_without_seconds(tmp_path)
    key = repr
    assert sorted(found, key=key) == sorted(expected, key=key)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_fit_that_an_interrupt_cut_short_is_not_kept(
    files, tmp_path, monkeypatch, capsys
):
    """A fit may keep its finished epochs, which are not what the study asks for."""
    train = negative_sampling._Training.train

    def interrupted(self, epoch, report):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        return train(self, epoch, report)

    monkeypatch.setattr(negative_sampling._Training, "train", interrupted)
    options = arguments(files, tmp_path, "--estimators", "sgns")
    assert study.main(options) == 130
    assert capsys.readouterr().err.endswith("to continue\n")
    assert list((tmp_path / "fits").iterdir()) == []


@pytest.mark.long
def test_plain_text_without_classes(files, tmp_path, capsys):
    options = ["--data", files / "tiny.txt", "--output", tmp_path, *STUDY]
    options += ["--estimators", "cbow", "--strategies", "tied", "--documents", "40"]
    assert study.main(list(map(str, options))) == 0
    rows = read_results(tmp_path)
    assert {row["accuracy"] for row in rows} == {""}
    text = (tmp_path / "results.md").read_text(encoding="utf8")
    assert "tiny.txt; 40 documents" in text
    assert "no classes" in text
    assert "| accuracy" not in text
    out = capsys.readouterr().out.splitlines()
    assert [Path(line) for line in out[:2]] == [
        tmp_path / "results.md",
        tmp_path / "results.csv",
    ]


def test_without_matplotlib(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    options = arguments(files, tmp_path, "--estimators", "ppmi-svd")
    assert study.main(options) == 0
    out, err = capsys.readouterr()
    assert err.startswith("hint: no figures without matplotlib: pip install")
    assert ".png" not in out + (tmp_path / "results.md").read_text(encoding="utf8")
    assert read_results(tmp_path)


@pytest.mark.long
def test_what_no_estimator_can_do_is_an_error(files, tmp_path, monkeypatch, capsys):
    def refuse(self, X, y=None):
        raise ValueError("SGNSEmbedder can do that")

    monkeypatch.setattr(PPMISVDEmbedder, "fit", refuse)
    options = arguments(files, tmp_path, "--estimators", "ppmi-svd")
    assert study.main(options) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("nothing could be fitted: SGNSEmbedder can do that")
    assert study.main([*options, "--estimators", "ppmi-svd", "glove"]) == 0
    text = (tmp_path / "results.md").read_text(encoding="utf8")
    assert "- PPMI-SVD separate: SGNSEmbedder can do that" in text
    assert "Nothing could be fitted; the reasons are below." in text
