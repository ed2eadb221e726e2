"""``python -m skembed.study``: what is compared, measured, kept, and reported."""

import csv
import json
import os
import signal
import subprocess
import sys
from itertools import combinations
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
from skembed._tying import strategies
from skembed.study import _figures, _fits, _plan, _report, _runs, _similarity
from skembed.study._input import InputError, read_file

SIZES = ["--size", "4", "--max-iter", "2", "--min-count", "1", "--n-jobs", "1"]
TINY = [*SIZES, "--seeds", "2", "--rates", "1", "4"]
STRATEGIES = ["--strategies", "separate", "tied", "half-size"]
PAIRS = [("bread", "butter", 9.0), ("bread", "boat", 1.0), ("seed", "soil", 8.5)]
PAIRS += [("train", "root", 2.0), ("sail", "rope", 7.0), ("unknown", "boat", 5.0)]


@pytest.fixture(autouse=True)
def _no_warmup(monkeypatch):
    monkeypatch.setattr(study._warmup, "warmup", lambda *kinds: None)


@pytest.fixture(scope="module")
def files(tiny_corpus, tiny_labels, tmp_path_factory):
    """A labelled file, a plain one, and a folder of similarity sets."""
    folder = tmp_path_factory.mktemp("study")
    lines = [
        json.dumps({"text": text, "label": label})
        for text, label in zip(tiny_corpus, tiny_labels.tolist(), strict=True)
    ]
    (folder / "tiny.jsonl").write_text("\n".join(lines))
    (folder / "tiny.txt").write_text("\n\n".join(tiny_corpus))
    (folder / "sets").mkdir()
    rows = ["\t".join(map(str, pair)) for pair in [("word1", "word2", "s"), *PAIRS]]
    (folder / "sets" / "six.tsv").write_text("\n".join(rows) + "\n")
    return folder


def arguments(files, output, *more):
    data = ["--data", files / "tiny.jsonl", "--label", "label"]
    data += ["--wordsim", files / "sets", "--output", output]
    return [str(a) for a in [*data, *TINY, *STRATEGIES, *more]]


def read_results(folder):
    with (folder / "results.csv").open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def without_seconds(folder):
    return [{**row, "fit_seconds": None} for row in read_results(folder)]


@pytest.fixture(scope="module")
def everything(files, tmp_path_factory):
    """The folder of a whole study of the tiny corpus."""
    folder = tmp_path_factory.mktemp("whole") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study._warmup, "warmup", lambda *kinds: None)
        assert study.main(arguments(files, folder)) == 0
    return folder


@pytest.fixture
def count_fits(monkeypatch):
    """Count the fits, and optionally stop at one of them."""
    counter = SimpleNamespace(n=0, stop=None, error=None)
    measure = _fits.measure

    def counted(*args):
        if counter.n == counter.stop:
            raise counter.error
        counter.n += 1
        return measure(*args)

    monkeypatch.setattr(study._study_fits, "measure", counted)
    return counter


# What is compared


@pytest.mark.small
def test_candidates_come_from_the_registry():
    names = {strategy.name for strategy in strategies.strategies()}
    for family, (title, kind) in _plan.KINDS.items():
        settings = _plan.Settings(estimators=(family,), size=8)
        found = _plan.candidates(settings)
        assert {c.params["share_context"] for c in found} == names
        assert len({c.label for c in found}) == len(found)
        assert {c.group for c in found} <= set(_plan.groups())
        for candidate in found:
            assert candidate.title == title
            embedder = candidate.embedder(0.5 if family != "ppmi-svd" else None, 3, 1)
            assert isinstance(embedder, kind)
            assert embedder.random_state == 3
            assert embedder.min_count == 5
            assert getattr(embedder, "learning_rate", 0.5) == 0.5


@pytest.mark.small
def test_candidates_of_skip_gram():
    found = _plan.candidates(_plan.Settings(("sgns",), size=9))
    by_label = {c.label: c for c in found}
    biases = [
        (c.params["share_context"], c.params["bias"])
        for c in found
        if c.group in ("separate", "tied", "signed")
    ]
    constants = [None, "shift", "word", "exact"]
    assert biases[:5] == [(False, None), *[(True, bias) for bias in constants]]
    assert biases[5:] == [("signed", None), ("signed", "exact")]
    assert by_label["separate"].combines == ("word", "sum")
    assert by_label["tied, bias=word"].combines == ("word",)
    assert [c.label for c in found if c.is_main] == [
        "separate",
        "tied, bias=None",
        "tied, bias=exact",
        "signed, bias=None",
        "signed, bias=exact",
    ]
    half = by_label["separate, half size"]
    assert half.params == {**by_label["separate"].params, "n_components": 4}


@pytest.mark.small
def test_choices_beside_sharing_need_their_parameter(monkeypatch):
    choices = [("wide", "window", 9, (False, True)), ("other", "absent", 1, (False,))]
    monkeypatch.setattr(_plan, "_CHOICES", tuple(choices))
    assert "wide" in _plan.groups()
    assert "other" not in _plan.groups()
    settings = _plan.Settings(("sgns", "glove"), strategies=("wide",))
    found = _plan.candidates(settings)
    assert [(c.title, c.label) for c in found] == [
        ("SGNS", "separate, wide"),
        ("SGNS", "tied, wide"),
        ("GloVe", "separate, wide"),
        ("GloVe", "tied, wide"),
    ]
    assert [c.params["window"] for c in found] == [9] * 4
    assert [c.params.get("bias") for c in found] == [None, "exact", None, None]


@pytest.mark.small
def test_rates_are_multiples_of_the_default():
    glove, ppmi = _plan.candidates(
        _plan.Settings(("glove", "ppmi-svd"), strategies=("tied",))
    )
    assert _plan.rates(glove, [2, 1, 2]) == [0.1, 0.2]
    assert _plan.rates(ppmi, [2, 1]) == [None]


# The search, with fits that are not made


def toy(label="a", family="sgns"):
    return SimpleNamespace(
        family=family, title="SGNS", label=label, params={"p": label}, combines=("w",)
    )


def toy_record(validation, train=1.0):
    return {
        "seconds": 50.0,
        "all_seconds": 60.0,
        "validation": validation,
        "test": None,
        "loss_curve": [9.0, train],
        "readings": {"w": {"accuracy": 0.5, "similarity": {"men": (None, 0)}}},
        "notes": [],
    }


def search(plan, run, folder, n_seeds=2, lines=None):
    store = _runs.Store(folder, "1.0", "data")
    tell = [].append if lines is None else lines.append
    return _runs.Search(plan, n_seeds, run, store, tell)


@pytest.mark.small
def test_rate_is_chosen_on_the_first_seed(tmp_path):
    calls = []

    def run(candidate, rate, seed):
        calls.append((candidate.label, rate, seed))
        return toy_record({"loss": {1.0: 5.0, 2.0: 3.0, 4.0: 4.0}[rate]})

    lines = []
    plan = [(toy("a"), [1.0, 2.0, 4.0]), (toy("b"), [1.0])]
    a, b = search(plan, run, tmp_path, 3, lines).outcomes()
    assert a.rate == 2.0
    assert [seed for rate, seed in a.records if rate == 2.0] == [0, 1, 2]
    assert len(a.chosen()) == len(b.chosen()) == 3
    assert a.notes == b.notes == []
    first = [("a", 1.0, 0), ("a", 2.0, 0), ("a", 4.0, 0), ("b", 1.0, 0)]
    assert calls[:4] == first
    assert calls[4:] == [("a", 2.0, 1), ("a", 2.0, 2), ("b", 1.0, 1), ("b", 1.0, 2)]
    assert lines[0].endswith("(about 7 min left)")
    assert [line.split("]")[0] for line in lines] == [f"[{i}/8" for i in range(1, 9)]
    assert all("left)" in line for line in lines[:-1])
    assert "left)" not in lines[-1]


@pytest.mark.small
@pytest.mark.parametrize(
    ("losses", "chosen", "edge"),
    [
        ([3.0, 4.0, 5.0], 1.0, True),
        ([5.0, 4.0, 3.0], 4.0, True),
        ([6.0, 5.0, 7.0], 2.0, False),
        ([None, 5.0, 4.0], 4.0, True),
    ],
)
@pytest.mark.parametrize("held_out", [True, False])
def test_edges_are_noted(losses, chosen, edge, held_out, tmp_path):
    """A loss that is not finite is none; without held-out loss training decides."""

    def run(candidate, rate, seed):
        loss = losses[[1.0, 2.0, 4.0].index(rate)]
        if held_out:
            return toy_record({"loss": loss}, train=-rate * (rate - 5) ** 2)
        return toy_record(None, train=float("inf") if loss is None else loss)

    (outcome,) = search([(toy(), [1.0, 2.0, 4.0])], run, tmp_path, 1).outcomes()
    assert outcome.rate == chosen
    assert any("edge" in note for note in outcome.notes) == edge


@pytest.mark.small
def test_different_losses_are_not_mixed():
    records = {
        "a": toy_record({"loss": 5.0}, train=1.0),
        "b": toy_record({"loss": 3.0}, train=2.0),
    }
    assert _runs.criteria(records) == {"a": 5.0, "b": 3.0}
    records["c"] = toy_record(None, train=1.5)
    assert _runs.criteria(records) == {"a": 1.0, "b": 2.0, "c": 1.5}


@pytest.mark.small
def test_what_fails_is_reported(tmp_path):
    def run(candidate, rate, seed):
        if candidate.label == "never":
            raise ValueError("supported by\nothers only")
        if rate == 4.0:
            raise ValueError("too large")
        return toy_record({"loss": 1.0 / rate})

    lines = []
    plan = [(toy("never"), [1.0, 4.0]), (toy("some"), [1.0, 2.0, 4.0])]
    made = search(plan, run, tmp_path, 2, lines)
    never, some = made.outcomes()
    assert never.problem == "supported by others only"
    assert never.records == {}
    assert some.problem is None
    assert some.rate == 2.0
    assert some.notes == ["Failed once (learning rate 4.0): too large"]
    # Nothing is waited for that will not be tried.
    assert made.n_done == made.n_all == 3
    assert "not possible: supported by others only" in lines[0]
    listed = _report._problems([never, some])
    assert listed == "- SGNS never: supported by others only"


@pytest.mark.small
def test_time_left_is_that_of_each_estimator(tmp_path):
    seconds = {"quick": 1.0, "slow": 1000.0}
    made = search([(toy("a", "quick"), [1.0, 2.0])], None, tmp_path, 1)
    made._waiting.update({"quick": 8, "slow": 2})  # ten of the one, two of the other
    made._seconds.update({name: [each, each] for name, each in seconds.items()})
    assert made._left() == " (about 34 min left)"
    made._waiting["slow"] = 0
    assert made._left() == " (about 10 s left)"


@pytest.mark.small
def test_store_keeps_by_key_and_survives_damage(tmp_path):
    store = _runs.Store(tmp_path / "a" / "b", "1.0", "data")
    key = {"params": {"x": None}, "seed": 1}
    assert store.get(key) is None
    store.put(key, {"loss": 1.5})
    assert store.get({"seed": 1, "params": {"x": None}}) == {"loss": 1.5}
    assert store.get({**key, "seed": 2}) is None
    for origin in [("1.1", "data"), ("1.0", "other")]:
        assert _runs.Store(tmp_path / "a" / "b", *origin).get(key) is None
    (path,) = store.folder.iterdir()
    path.write_text(path.read_text()[:-5])
    assert store.get(key) is None


@pytest.mark.small
def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def break_off(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", break_off)
        with pytest.raises(KeyboardInterrupt):
            _runs.write(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    _runs.write(path, "after")
    assert path.read_text() == "after"


@pytest.mark.small
def test_data_are_told_apart():
    data = _fits.Data(["ab", "c"], ["x", "y"], {"s": [("a", "b", 1.0)]})
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
    parts = _fits.split(50, 3)
    assert [part.size for part in parts] == [35, 5, 10]
    assert sorted(np.concatenate(parts)) == list(range(50))
    again, other = _fits.split(50, 3), _fits.split(50, 4)
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))
    assert (parts[2] != other[2]).any()


# Fits


@pytest.fixture(scope="module")
def by_hand(tiny_corpus, tiny_labels):
    """One fit of the study, written out: tied skip-gram at four times the rate."""
    train, validation, test = _fits.split(len(tiny_corpus), 0)
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
    options = ["--data", path, "--label", "label", "--unlabelled", "-1", *TINY]
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
    fits = {
        (r["estimator"], r["strategy"], r["seed"], r["learning_rate"]) for r in rows
    }
    # (candidates, learning rates): two rates on the first seed, one on the second.
    sizes = {"SGNS": (6, 3), "CBOW": (6, 3), "GloVe": (3, 3), "PPMI-SVD": (3, 2)}
    for estimator, (n_candidates, n_fits) in sizes.items():
        own = [fit for fit in fits if fit[0] == estimator]
        assert len(own) == n_candidates * n_fits
    assert len(list((everything / "fits").iterdir())) == len(fits) + 2  # spectra
    sums = [row for row in rows if row["vectors"] == "sum"]
    assert {row["strategy"] for row in sums} == {"separate", "separate, half size"}
    for row in rows:
        others = [
            other
            for other in rows
            if all(
                other[k] == row[k] for k in ("estimator", "strategy", "vectors", "seed")
            )
        ]
        if row["seed"] == "0" and row["chosen"] == "True":
            key = "validation_loss" if row["validation_loss"] else "training_loss"
            assert float(row[key] or 0) == min(float(r[key] or 0) for r in others)
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
        assert {row["learning_rate"] for row in own} == {cells["rate"]}
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


def test_figures_are_shown_in_the_summary(everything):
    names = ["loss_curves.png", "own_scores.png", "spectrum.png", "parameters.png"]
    text = (everything / "results.md").read_text(encoding="utf8")
    for name in names:
        assert (everything / name).stat().st_size > 5000
        assert f"]({name})" in text


# Stopping and going on


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
    assert without_seconds(tmp_path) == without_seconds(everything)
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
from skembed.study import _fits as _study_fits
study._warmup.warmup = lambda *kinds: None
measure, done = _study_fits.measure, []
def slow(*args):
    if len(done) == 3:
        print("waiting", flush=True)
        time.sleep(60)
    done.append(None)
    return measure(*args)
_study_fits.measure = slow
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
        row for row in without_seconds(everything) if row["estimator"][-1] in "De"
    ]
    found = without_seconds(tmp_path)
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


# What it is run on


@pytest.mark.long
def test_plain_text_without_classes(files, tmp_path, capsys):
    options = ["--data", files / "tiny.txt", "--output", tmp_path, *TINY]
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


def test_docstrings_are_the_default(tiny_corpus, monkeypatch, tmp_path):
    bunch = SimpleNamespace(
        data=[*tiny_corpus, "never drawn"],
        target=[0] * 30 + [1] * 31,
        target_names=["x", "y"],
        versions={"numpy": "9.9"},
    )
    monkeypatch.setattr(skembed.datasets, "load_docstrings", lambda: bunch)
    args = study._parse(["--documents", "30"])
    data, title = study._load(args)
    assert title == "docstrings of numpy 9.9"
    assert len(data.documents) == 30
    for text, label in zip(data.documents, data.labels, strict=True):
        assert label == bunch.target_names[bunch.target[bunch.data.index(text)]]
    assert set(data.labels) == {"x", "y"}  # not the first thirty
    assert len(study._load(study._parse([]))[0].documents) == 61


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


@pytest.mark.small
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "x"], "--label belongs to --data"),
        (["--text", "x"], "--text belongs to --data"),
        (["--data", "a.csv", "--label", "text"], "must be two columns"),
        (["--unlabelled", "x"], "--unlabelled belongs to --label"),
        (["--rates", "0"], "'0' is not a positive number"),
        (["--seeds", "0"], "'0' is not a whole number from 1 on"),
        (["--estimators", "word2vec"], "invalid choice: 'word2vec'"),
        (["--strategies", "none"], "invalid choice: 'none'"),
        (["--n-jobs", "0"], "'0' is not a number of processors"),
        (["--data", "a.csv", "--text", ""], "a column without a name cannot be chosen"),
    ],
)
def test_wrong_usage(options, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        study.main(options)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.small
@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.xml", "", [], "the name must end in .csv, .jsonl, .ndjson, .txt, or one"),
        ("a.txt", "one\n", ["--label", "x"], "must end in .csv, .jsonl, .ndjson, or"),
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
def test_unusable_files(name, content, options, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content)
    assert study.main(["--data", name, "--output", "out", *options]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("skembed.study: error: ")
    assert message in error
    assert not Path("out").exists()


@pytest.mark.small
def test_output_that_cannot_be_a_folder(files, tmp_path, capsys):
    path = tmp_path / "file"
    path.write_text("mine")
    assert study.main(arguments(files, path)) == 2
    assert f"error: {path}: " in capsys.readouterr().err
    assert path.read_text() == "mine"


@pytest.mark.small
def test_help_names_options_and_strategies(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit_:
        study.main(["--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "some of sgns, cbow, glove, ppmi-svd (default: all)" in text
    assert f"some of {', '.join(_plan.groups())} (default: all)" in text
    assert "each estimator's default (default: 0.5 1 2 4)" in text


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


# Similarity


@pytest.mark.small
def test_similarity_of_few_pairs():
    vectors = np.array([[1, 0], [2, 0], [1, 1], [0, 3]], dtype=np.float32)
    vocabulary = {"a": 0, "b": 1, "c": 2, "d": 3}
    pairs = [("a", "b", 9), ("a", "c", 5), ("a", "d", 1), ("a", "x", 7)]
    pairs = [_similarity.Pair(*pair) for pair in pairs]
    found = _similarity.similarity(pairs, vocabulary, vectors)
    assert found == (pytest.approx(1.0), 3)
    turned = [pair._replace(score=-pair.score) for pair in pairs]
    assert _similarity.similarity(turned, vocabulary, vectors)[0] == pytest.approx(-1)
    for few in (pairs[:1], pairs[3:], [pairs[0], pairs[0]]):
        assert np.isnan(_similarity.similarity(few, vocabulary, vectors)[0])
    zeros = np.zeros_like(vectors)
    assert np.isnan(_similarity.similarity(pairs, vocabulary, zeros)[0])


@pytest.mark.small
def test_reading_similarity_sets(tmp_path):
    (tmp_path / "b.tsv").write_text("first\tsecond\tscore\nSun\tsky\t5.5\n\n")
    (tmp_path / "a.tsv").write_text("sea\tsky\t1\n")
    (tmp_path / "notes.txt").write_text("not a set")
    comments = "# encoding: utf-8\n\n#\tof\t2002\n"
    lines = "Word 1\tWord 2\tmean\nlove\tsex\t6.77\n# a\tcomment\t1\ntiger\tcat\t7.35\n"
    (tmp_path / "c.tsv").write_text(comments + lines)
    sets = _similarity.read_similarities(tmp_path)
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
        _similarity.read_similarities(tmp_path)


# Figures


def figure_outcome(
    label, accuracy, n_parameters, men=0.25, loss=2.5, title="SGNS", is_main=False
):
    def record(change):
        reading = {"accuracy": accuracy, "similarity": {"men": [men, 9]}}
        if accuracy is not None:
            reading["accuracy"] = accuracy + change
        return {
            "loss_curve": [4.0, 3.0, 2.0 + change],
            "self_scores": {"mean": 1.0, "counts": [1, 3], "edges": [0.0, 1.0, 3.0]},
            "n_parameters": n_parameters,
            "test": {"loss": loss},
            "readings": {"word": reading},
        }

    candidate = SimpleNamespace(
        title=title, label=label, combines=("word",), is_main=is_main
    )
    records = {(0.1, 0): record(0.0), (0.1, 1): record(0.1), (0.2, 0): record(0.4)}
    return _runs.Outcome(candidate, records, 0.1)


@pytest.mark.small
def test_figures_show_the_numbers():
    pytest.importorskip("matplotlib")
    outcomes = [figure_outcome("a", 0.5, 100), figure_outcome("b", 0.7, 200)]
    curves = _figures._panels(outcomes, _figures._curves).axes[0]
    assert [line.get_label() for line in curves.lines] == ["a", "b"]
    assert curves.lines[0].get_ydata().tolist() == [4.0, 3.0, 2.0]
    title, read = _figures._best_score(outcomes)
    assert title == "accuracy"
    fill = _figures._against_parameters(title, read)
    axes = _figures._panels(outcomes, fill).axes[0]
    middles = [float(bar.lines[0].get_ydata()[0]) for bar in axes.containers]
    assert middles == pytest.approx([0.55, 0.75])
    sizes = [float(bar.lines[0].get_xdata()[0]) for bar in axes.containers]
    assert sizes == pytest.approx([100e-6, 200e-6], rel=0.05)
    histogram = _figures._panels(outcomes, _figures._own_scores).axes[0]
    assert histogram.patches[0].get_data().values.tolist() == [0.25, 0.375]


@pytest.mark.small
@pytest.mark.parametrize(
    ("n_outcomes", "main", "shown"),
    [(6, "bd", "abcdef"), (7, "bd", "bd"), (7, "", "abcdefg")],
    ids=["few", "main ones", "none is a main one"],
)
def test_a_panel_with_many_curves_shows_the_main_ones(n_outcomes, main, shown):
    pytest.importorskip("matplotlib")
    outcomes = [
        figure_outcome(label, 0.5, 100, is_main=label in main)
        for label in "abcdefg"[:n_outcomes]
    ]
    axes = _figures._panels(outcomes, _figures._curves).axes[0]
    assert "".join(line.get_label() for line in axes.lines) == shown


# What a fit of the estimator has: the losses of epochs, and a held-out loss.
FIGURES_OF = {
    "SGNS": (True, True),  # and CBOW
    "GloVe": (True, False),
    "PPMI-SVD": (False, False),
}


def bare_outcome(title, has_classes, sets):
    """The outcome of one estimator, with the measures that the data allow."""
    has_curve, has_loss = FIGURES_OF[title]
    outcome = figure_outcome("a", 0.1 if has_classes else None, 100, title=title)
    for record in outcome.records.values():
        record["readings"]["word"]["similarity"] = dict(sets)
        record["loss_curve"] = record["loss_curve"] if has_curve else None
        record["test"] = record["test"] if has_loss else None
    return outcome


@pytest.fixture
def saved(monkeypatch):
    """What `draw` would save: numbers of artists in panels, by file and title."""
    figures = pytest.importorskip("matplotlib.figure")
    found = {}

    def look(figure, path):
        found[path.name] = {
            axes.get_title(loc="left"): len(axes.get_legend_handles_labels()[0])
            for axes in figure.axes
        }

    monkeypatch.setattr(figures.Figure, "savefig", look)
    return found


@pytest.mark.small
@pytest.mark.parametrize(
    ("has_classes", "sets"),
    [
        (False, {}),
        (False, {"unknown": [None, 0]}),
        (False, {"unknown": [None, 0], "men": [0.3, 9]}),
        (True, {}),
    ],
    ids=["no measure", "unknown words", "two sets", "classes"],
)
@pytest.mark.parametrize(
    "titles",
    [t for n in range(1, 4) for t in combinations(FIGURES_OF, n)],
    ids="-".join,
)
def test_no_panel_is_empty(titles, has_classes, sets, saved, tmp_path):
    outcomes = [bare_outcome(title, has_classes, sets) for title in titles]
    names = _figures.draw(outcomes, {"PMI": [1.0, -2.0]}, tmp_path)
    has_score = has_classes or len(sets) == 2
    expected = {
        "loss_curves.png": [t for t in titles if FIGURES_OF[t][0]],
        "own_scores.png": list(titles),
        "spectrum.png": ["PMI"],
        "parameters.png": [t for t in titles if has_score or FIGURES_OF[t][1]],
    }
    expected = {name: panels for name, panels in expected.items() if panels}
    assert names == list(expected)
    assert {name: list(panels) for name, panels in saved.items()} == expected
    assert all(n > 0 for panels in saved.values() for n in panels.values())


@pytest.mark.small
def test_figures_show_any_name_as_it_is(tmp_path):
    pytest.importorskip("matplotlib")
    outcome = bare_outcome("SGNS", False, {"$\\men$ \u985e\u4f3c": [0.3, 9]})
    names = _figures.draw([outcome], {"PMI": [1.0, -2.0]}, tmp_path)
    assert len(names) == 4
    assert all((tmp_path / name).stat().st_size for name in names)


@pytest.mark.small
def test_figures_of_numbers_without_a_range(saved, tmp_path):
    flat = [bare_outcome("SGNS", False, {}) for _ in range(5)]
    for outcome, loss in zip(flat, [0.0, 0.0, 0.0, 0.0, 1.0], strict=True):
        for seed in (0, 1, 2):  # 0.1 + 0.1 + 0.1 is not 3 * 0.1
            record = outcome.records.get((0.1, seed), outcome.records[0.1, 0])
            outcome.records[0.1, seed] = {**record, "test": {"loss": loss}}
    for record in flat[4].records.values():
        record["test"] = {"loss": 0.1}
        record["loss_curve"] = [np.nan, np.nan]
    spectra = {"PMI": [2.0], "PMI - ln 5": [0.0, 0.0], "none": []}
    names = _figures.draw(flat, spectra, tmp_path)
    assert len(names) == 4
    assert list(saved["spectrum.png"]) == ["PMI"]
    assert saved["loss_curves.png"] == {"SGNS": 4}
    assert saved["parameters.png"] == {"SGNS": 5}
    assert _figures.draw([], {"PMI": [0.0]}, tmp_path) == []


@pytest.mark.small
def test_failures_do_not_flatten_the_rest():
    pytest.importorskip("matplotlib")
    accuracies = [0.1, 0.5, 0.51, 0.52, 0.53]
    outcomes = [figure_outcome(f"s{a}", a, 100) for a in accuracies]
    fill = _figures._against_parameters(*_figures._best_score(outcomes))
    axes = _figures._panels(outcomes, fill).axes[0]
    low, high = axes.get_ylim()
    assert 0.5 < low < 0.55 < 0.58 < high < 0.6
    assert [note.get_text() for note in axes.texts] == ["outside:\ns0.1 0.15"]
    axes = _figures._panels(outcomes[1:], fill).axes[0]
    assert not axes.texts
    assert axes.get_ylim()[0] < 0.5


@pytest.mark.small
def test_what_is_drawn_against_parameters():
    assert _figures._best_score([]) is None
    for numbers, title, value in [
        ({"accuracy": 0.5}, "accuracy", 0.5),
        ({"accuracy": None}, "correlation, men", 0.25),
    ]:
        found = figure_outcome("a", n_parameters=1, **numbers)
        name, read = _figures._best_score([found])
        assert (name, read(found.chosen()[0], "word")) == (title, value)
    for record in found.records.values():
        record["readings"]["word"]["similarity"] = {}
    name, read = _figures._best_score([found])
    assert (name, read(found.chosen()[0], "word")) == ("held-out loss", 2.5)
    for record in found.records.values():
        record["test"] = None
    assert _figures._best_score([found]) is None


@pytest.mark.small
def test_spectrum_marks_what_is_negative():
    pytest.importorskip("matplotlib")
    figure = _figures._spectra({"PMI": [-3.0, 2.0, 1.0]})
    positive, negative = figure.axes[0].collections
    assert positive.get_offsets().tolist() == [[2.0, 2.0], [3.0, 1.0]]
    assert negative.get_offsets().tolist() == [[1.0, 3.0]]
    assert negative.get_label() == "negative: 1 of 3, 64.3% of energy"
    assert _figures._spectra({}) is None
