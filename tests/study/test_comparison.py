"""The quick comparison's protocol, against the same written out by hand."""

import contextlib
import csv
import io
import json
import os
import time
import warnings
from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

import skembed
from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
)
from skembed.features import TextUnion
from skembed.study import (
    _candidates,
    _commands,
    _comparison,
)
from skembed.study._candidates import Settings
from skembed.study._commands import main
from tests.study.cases import (
    COLUMNS,
    QUICK,
    TINY,
    as_csv,
    without_seconds,
)


@pytest.fixture(scope="module")
def everything(tiny_csv):
    """What the whole comparison of the tiny corpus puts out as JSON."""
    arguments = ["--data", str(tiny_csv), *COLUMNS, *TINY, "--output", "json"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(arguments) == 0
    return json.loads(out.getvalue())


STRATEGIES = (False, True, "signed")


def strategy(row):
    return row["estimator"], row.get("share_context", "-"), row.get("bias", "-")


def test_all_lines_are_there(everything):
    found = [strategy(row) for row in everything["results"]]
    expected = [("SGNS", True, bias) for bias in ("exact", "shift", "word", None)]
    for share_context in (False, "signed"):
        expected += [("SGNS", share_context, bias) for bias in (None, "exact")]
    expected += [("CBOW", one, "exact" if one is True else None) for one in STRATEGIES]
    for share_context in STRATEGIES:
        expected += [(name, share_context, "-") for name in ("GloVe", "PPMI-SVD")]
    expected += [("tf-idf + PPMI-SVD", "-", "-")]
    references = [("tf-idf", "-", "-"), ("TruncatedSVD of tf-idf", "-", "-")]
    assert Counter(found) == Counter(expected + references)
    assert set(found[-2:]) == set(references)


def test_numbers_of_parameters(everything, tiny_corpus):
    n_words = len(
        {word for text in tiny_corpus for word in text.split() if word != "a"}
    )
    for row in everything["results"]:
        learned_biases = {"GloVe": 1, "SGNS": row.get("bias") == "word"}
        is_union = row["estimator"].startswith("tf-idf +")
        tables = 2 if is_union or row.get("share_context") is False else 1
        columns = 4 + learned_biases.get(row["estimator"], 0)
        expected = None if row["estimator"] == "tf-idf" else n_words * tables * columns
        assert row["n_embedding_parameters"] == expected


def test_about_and_fold_statistics(everything):
    assert everything["data"] == "tiny.csv"
    assert everything["n_documents"] == 60
    assert everything["n_classes"] == 2
    assert everything["verdict"]
    assert everything["labels_per_class"] == 10
    for row in everything["results"]:
        for kind in ("", "few_"):
            folds = row[f"{kind}fold_accuracies"]
            assert len(folds) == 3
            assert row[f"{kind}accuracy"] == pytest.approx(np.mean(folds))
            assert row[f"{kind}accuracy_sd"] == pytest.approx(np.std(folds))
        assert 0 < row["fit_seconds"] < 60


CS = [0.1, 1, 10, 100]


def accuracies_by_hand(features, documents, labels):
    """The comparison's protocol, written out with scikit-learn's parts."""
    accuracies = {"": [], "few_": []}
    documents = np.array(documents, dtype=object)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    for train, test in folds.split(documents, labels):
        X = features.fit_transform(documents[train])
        Z, y = features.transform(documents[test]), labels[train]
        # The first ten of each class, in a random order.
        order = np.random.default_rng(0).permutation(len(train))
        few = [i for c in np.unique(y) for i in [j for j in order if y[j] == c][:10]]
        few = sorted(few)
        splits = {
            "": StratifiedShuffleSplit(1, test_size=len(train) // 5, random_state=0),
            "few_": StratifiedKFold(3, shuffle=True, random_state=0),
        }
        for kind, rows in (("", slice(None)), ("few_", few)):
            head = LogisticRegressionCV(
                Cs=CS, cv=splits[kind], scoring="accuracy", max_iter=1000
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                head.fit(X[rows], y[rows])
            accuracies[kind].append(accuracy_score(labels[test], head.predict(Z)))
    return accuracies


def test_accuracies_are_those_of_the_protocol(everything, tiny_corpus, tiny_labels):
    common = {"n_components": 4, "min_count": 1, "random_state": 0}
    epochs = {**common, "max_iter": 2}
    svd = TruncatedSVD(4, random_state=0)
    embedders = {
        ("SGNS", True, "exact"): SGNSEmbedder(share_context=True, **epochs),
        ("SGNS", False, None): SGNSEmbedder(**epochs),
        ("CBOW", "signed", None): CBOWEmbedder(share_context="signed", **epochs),
        ("PPMI-SVD", "signed", "-"): PPMISVDEmbedder(share_context="signed", **common),
    }
    by_hand = {
        **embedders,
        ("tf-idf + PPMI-SVD", "-", "-"): TextUnion(
            PPMISVDEmbedder(**common), vectorizer=TfidfVectorizer()
        ),
        ("tf-idf", "-", "-"): TfidfVectorizer(),
        ("TruncatedSVD of tf-idf", "-", "-"): make_pipeline(
            TfidfVectorizer(), svd, Normalizer()
        ),
    }
    rows = {strategy(row): row for row in everything["results"]}
    for key, features in by_hand.items():
        expected = accuracies_by_hand(features, tiny_corpus, tiny_labels)
        for kind, folds in expected.items():
            found = rows[key][f"{kind}fold_accuracies"]
            assert found == pytest.approx(folds), (key, kind)


def test_few_of_each_class_are_drawn():
    labels = np.array(list("abac" * 20 + "d"))
    few = _comparison.few_of_each(labels, 5, 0)
    assert Counter(labels[few]) == {"a": 5, "b": 5, "c": 5, "d": 1}
    assert few.tolist() == sorted(set(few.tolist()))
    assert few.tolist() == _comparison.few_of_each(labels, 5, 0).tolist()
    assert few.tolist() != _comparison.few_of_each(labels, 5, 1).tolist()


def test_coordinates_in_a_span_lead_to_the_same_classifier(tiny_corpus, tiny_labels):
    X = TfidfVectorizer().fit_transform(tiny_corpus)
    few, others = X[:20], X[20:]
    basis = _comparison.span(few)
    short = few @ basis
    assert short.shape[1] <= few.shape[0]
    np.testing.assert_allclose(short @ short.T, (few @ few.T).toarray(), atol=1e-12)
    settings = {"C": 10.0, "tol": 1e-10, "max_iter": 1000}
    expected = LogisticRegression(**settings).fit(few, tiny_labels[:20])
    found = LogisticRegression(**settings).fit(short, tiny_labels[:20])
    np.testing.assert_allclose(
        found.decision_function(others @ basis),
        expected.decision_function(others),
        rtol=1e-5,
    )


def test_merged_words_lead_to_the_same_classifier(tiny_corpus, tiny_labels):
    """Also those of documents with several words, or none, that no other has."""
    texts = [f"{text} own{i} own{i} alone{i}" for i, text in enumerate(tiny_corpus)]
    vectorizer = TfidfVectorizer()
    X = vectorizer.fit_transform([*texts[:30], *tiny_corpus[30:40]])
    Z = vectorizer.transform([" ".join(texts[10:13]), *texts[20:], ""])
    n_rare = np.count_nonzero((X > 0).sum(axis=0) == 1)
    assert n_rare >= 60
    short, others = _comparison.merge_rare(X, Z)
    n_merged = X.shape[1] - short.shape[1]
    assert n_rare - 40 <= n_merged <= n_rare - 30
    np.testing.assert_allclose(
        (short @ short.T).toarray(), (X @ X.T).toarray(), atol=1e-12
    )
    np.testing.assert_allclose(
        (others @ short.T).toarray(), (Z @ X.T).toarray(), atol=1e-12
    )
    settings = {"C": 10.0, "tol": 1e-10, "max_iter": 1000}
    expected = LogisticRegression(**settings).fit(X, tiny_labels[:40])
    found = LogisticRegression(**settings).fit(short, tiny_labels[:40])
    np.testing.assert_allclose(
        found.decision_function(others), expected.decision_function(Z), rtol=1e-5
    )
    # Nothing to merge.
    same, _ = _comparison.merge_rare(short[:, :3], others[:, :3])
    assert same.shape == (40, 3)


def test_pipelines_can_be_copied(everything, tiny_csv, tiny_corpus, capsys):
    """Each row's code makes its embedder; the table has that of the best one."""
    names = {**vars(skembed), **globals()}
    for found in everything["results"]:
        assert (found["pipeline"] is None) == found["is_reference"]
        if found["is_reference"]:
            continue
        embedder = eval(found["pipeline"], names)[0]
        if isinstance(embedder, TextUnion):
            assert found["estimator"] == "tf-idf + PPMI-SVD"
            embedder = embedder.embedder
        assert type(embedder).__name__.startswith(
            found["estimator"].split()[-1].replace("-", "")
        )
        params = embedder.get_params()
        assert params["share_context"] == found.get("share_context", False)
        assert params.get("bias") in (found.get("bias"), "auto")
        assert (params["n_components"], params["random_state"]) == (4, 0)
    assert main(["--data", str(tiny_csv), *COLUMNS, *QUICK]) == 0
    _, marked, code = capsys.readouterr().out.partition("to copy:\n\n")
    assert marked
    assert max(map(len, code.splitlines())) <= 88
    exec(code, copied := {})
    embedder, classifier = copied["pipeline"]
    assert isinstance(embedder, PPMISVDEmbedder)
    assert isinstance(classifier, LogisticRegression)
    assert classifier.C in CS
    assert embedder.fit_transform(tiny_corpus).shape == (60, 4)


@pytest.mark.long
def test_processes_change_nothing_but_seconds(everything, tiny_csv, capfd):
    arguments = [*COLUMNS, *TINY, "--n-jobs", "2", "--output", "json"]
    assert main(["--data", str(tiny_csv), *arguments]) == 0
    out, err = capfd.readouterr()
    rows = json.loads(out)["results"]
    assert without_seconds(rows) == without_seconds(everything["results"])
    lines = err.splitlines()
    # Two lines of introduction and one for each row: no warnings, from no process.
    assert len(lines) == 2 + len(rows)
    assert lines[2].startswith("[ 1/20] tf-idf")
    assert all("s left)" in line for line in lines[2:-2])
    assert "left" not in lines[-1]


@pytest.mark.parametrize("most", [59, 60])
def test_hint_for_many_documents(most, tiny_csv, monkeypatch, capsys):
    monkeypatch.setattr(_commands, "_MANY_DOCUMENTS", most)
    assert main(["--data", str(tiny_csv), *COLUMNS, *QUICK]) == 0
    hints = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("hint")
    ]
    expected = "hint: --max-documents 59 gives a first answer sooner"
    assert hints == [expected] * (most < 60)


def test_seed_and_subset(tiny_csv, capsys):
    results = []
    for seed in ("0", "1", "1"):
        arguments = ["--data", str(tiny_csv), *COLUMNS, *TINY, "--estimators", "glove"]
        assert main([*arguments, "--seed", seed, "--output", "json"]) == 0
        results.append(json.loads(capsys.readouterr().out)["results"])
    first, second, third = map(without_seconds, results)
    assert {row["estimator"] for row in first if not row["is_reference"]} == {"GloVe"}
    assert second == third != first


@pytest.mark.small
@pytest.mark.parametrize(
    ("chosen", "kinds"),
    [
        (["ppmi-svd", "sgns"], {PPMISVDEmbedder, SGNSEmbedder}),
        (["glove"], {GloVeEmbedder}),
    ],
)
def test_kernels_are_ready_before_seconds_are_taken(chosen, kinds, monkeypatch):
    """With the strategies that are compared, and nothing that is not used."""
    calls = []
    # Not what other tests have prepared.
    prepare = _comparison._prepare.__wrapped__
    monkeypatch.setattr(_comparison, "_prepare", cache(prepare))
    monkeypatch.setattr(
        _comparison, "prepare", lambda kind, names: calls.append((kind, *names))
    )
    settings = Settings(estimators=tuple(chosen))
    lines = _candidates.quick(settings)
    _comparison.warm_up(lines)
    expected = {(kind, name) for kind in kinds for name in (False, True, "signed")}
    assert set(calls) == expected
    assert len(calls) == len(expected)
    # A process that a fold runs in prepares them, too, unless it has done so.
    labels = np.array(["a", "b"] * 10)
    folds = np.arange(20)
    for _ in range(2):
        _comparison._measure(
            lines[-1].make(), ["a b"] * 20, labels, folds, folds, settings
        )
    assert len(calls) == len(expected)
    _comparison._prepare.cache_clear()
    _comparison._measure(lines[-1].make(), [""] * 20, labels, folds, folds, settings)
    assert len(calls) == len(expected) + 1


@pytest.mark.parametrize("cv", [2, 3, 5])
def test_smallest_classes_that_pass_can_be_fitted(cv):
    """Twenty classes of the least size: the head's own split needs each of them."""
    least = max(cv, 4 if cv == 2 else 3)
    labels = [f"c{i}" for i in range(20) for _ in range(least)]
    _comparison.check_labels(labels, cv)
    with pytest.raises(
        ValueError, match=r"20 of 20 classes .* 'c12' \(\d\) and 15 more"
    ):
        _comparison.check_labels(
            [c for c, n in Counter(labels).items()] * (least - 1), cv
        )
    documents = [f"{label} and {label} with {label}" for label in labels]
    settings = Settings(n_components=5, cv=cv)
    lines = _candidates.quick(settings)[:2]
    (tfidf,), (svd,) = _comparison.compare(documents, labels, lines, settings)
    assert tfidf["accuracy"] == 1.0
    assert len(svd["fold_accuracies"]) == cv


def test_more_components_than_words(tiny_csv, tiny_corpus, capsys):
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--output", "json"]
    assert main([*arguments, "--n-components", "1000"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["complete"] is True
    row = next(r for r in answer["results"] if r["estimator"].startswith("Truncated"))
    n_words = len(TfidfVectorizer().fit(tiny_corpus).vocabulary_)
    # As many components as there are words but one, or fewer documents.
    assert 0 < row["n_embedding_parameters"] <= (n_words - 1) * n_words
    svd = _candidates.CappedSVD(9, random_state=0)
    X = np.random.default_rng(0).normal(size=(8, 5))
    by_hand = TruncatedSVD(4, random_state=0).fit_transform(X)
    np.testing.assert_array_equal(svd.fit_transform(X), by_hand)
    assert svd.n_components == 9


@pytest.mark.long
@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_lines_that_cannot_be_fitted(n_jobs, tiny_csv, capsys):
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--min-count", "1000"]
    arguments += ["--n-jobs", n_jobs]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    reason = "Empty vocabulary: no word occurs --min-count 1000 times"
    failed = [line for line in out.splitlines() if line.endswith("  failed")]
    assert [line.split()[:2] for line in failed] == [
        ["PPMI-SVD", share_context] for share_context in ("False", "True", "signed")
    ]
    words = " ".join(out.split())
    assert words.count(reason) == 1
    assert "Incomplete: 3 of 5 lines are missing" in words
    assert "best" not in words
    assert "About as good" not in words
    assert err.count(f"failed: {reason}") == 3


def test_one_line_that_fails_among_others(tiny_csv, tmp_path, monkeypatch, capsys):
    fit = PPMISVDEmbedder.fit_transform

    def fail_if_signed(self, *args, **kwargs):
        if self.share_context == "signed":
            raise ValueError("max_iter=3 is\nnot for n_components")
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(PPMISVDEmbedder, "fit_transform", fail_if_signed)
    path = tmp_path / "picture.png"
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK]
    assert main([*arguments, "--output", "json", "--plot", str(path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert path.exists()
    assert answer["complete"] is False
    *fitted, _, _ = answer["results"]
    assert [row["share_context"] for row in fitted][-1] == "signed"
    assert [row["accuracy"] is None for row in fitted] == [False, False, True]
    assert fitted[-1]["error"] == "--epochs 3 is not for --n-components"
    assert "of the 2 strategies that are done (1 missing)" in answer["verdict"][0]
    assert answer["verdict"][-1].endswith(": PPMI-SVD share_context=signed (failed).")
    assert main([*arguments, "--output", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    row = next(row for row in rows if row["share_context"] == "signed")
    assert row["error"] == "--epochs 3 is not for --n-components"
    assert row["accuracy"] == row["fold_accuracies"] == ""
    assert [row["error"] for row in rows].count("") == 4


def test_no_line_can_be_fitted(tiny_labels, write, capsys):
    path = write("a.csv", as_csv([("a b c", label) for label in tiny_labels]))
    assert main(["--data", str(path), *COLUMNS, *QUICK, "--min-count", "999"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "skembed: error: no line could be fitted: Empty vocabulary: " in err


class Killed(TfidfVectorizer):
    """Features whose process ends while they are learned, as often as it says."""

    def __init__(self, folder=None, n_times=None):
        super().__init__()
        self.folder = folder
        self.n_times = n_times

    def fit_transform(self, raw_documents, y=None):
        path = self.folder / f"{os.getpid()}-{os.urandom(8).hex()}"
        if self.n_times is None or len(list(self.folder.iterdir())) < self.n_times:
            path.touch()
            os._exit(1)
        return super().fit_transform(raw_documents, y)


@pytest.mark.long
@pytest.mark.parametrize("n_times", [1, None])
def test_process_that_is_killed(
    n_times, tiny_corpus, tiny_labels, tmp_path, monkeypatch, capsys
):
    """The candidate is tried again with one process; the others have their results."""
    family = _candidates.Family("Killed", Killed)
    monkeypatch.setitem(_candidates._FAMILIES, "killed", family)
    settings = Settings(n_components=5, n_jobs=2)
    params = {"folder": tmp_path, "n_times": n_times}
    tfidf, svd = _candidates.quick(settings)[:2]
    lines = [tfidf, _candidates.Candidate("killed", params), svd]
    batches = _comparison.compare(tiny_corpus, tiny_labels, lines, settings)
    first, killed, last = (row for batch in batches for row in batch)
    assert capsys.readouterr().err.count("a process was killed") == 1
    alone = _comparison.compare(
        tiny_corpus, tiny_labels, [tfidf, svd], replace(settings, n_jobs=1)
    )
    expected = [row for batch in alone for row in batch]
    assert without_seconds([first, last]) == without_seconds(expected)
    if n_times:
        assert killed["fold_accuracies"] == first["fold_accuracies"]
    else:
        assert killed["accuracy"] is None
        assert "killed, probably for lack of memory" in killed["error"]
        # At most two at once, then one alone.
        assert len(list(tmp_path.iterdir())) <= 2 + 1


class Grown(TfidfVectorizer):
    """Features that keep 320 MB in their process, as leaks do."""

    def fit_transform(self, raw_documents, y=None):
        type(self).kept = np.ones(40_000_000)
        time.sleep(1.1)  # joblib looks once a second
        return super().fit_transform(raw_documents, y)


@pytest.mark.long
def test_process_that_has_grown(tiny_corpus, tiny_labels, monkeypatch, capfd):
    """joblib replaces it, and would say so as if something had failed."""
    pytest.importorskip("psutil")
    family = _candidates.Family("Grown", Grown)
    monkeypatch.setitem(_candidates._FAMILIES, "grown", family)
    settings = Settings(n_components=5, n_jobs=2)
    tfidf = _candidates.quick(settings)[0]
    lines = [tfidf, *[_candidates.Candidate("grown", {})] * 3]
    batches = _comparison.compare(tiny_corpus, tiny_labels, lines, settings)
    first, *others = (row["fold_accuracies"] for batch in batches for row in batch)
    assert others == [first] * 3
    assert capfd.readouterr().err == ""
