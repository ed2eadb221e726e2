"""``python -m skembed``: reading files, refusing wrong ones, comparing, reporting."""

import contextlib
import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils import Bunch

import skembed
from skembed import CBOWEmbedder, GloVeEmbedder, PPMISVDEmbedder, SGNSEmbedder, datasets
from skembed.__main__ import main, read_file
from skembed._solvers import negative_sampling
from skembed.features import TextUnion
from skembed.study import _compare, _comparison_report, _input

COLUMNS = ["--text", "text", "--label", "label"]
TINY = ["--n-components", "4", "--epochs", "2", "--min-count", "1", "--n-jobs", "1"]
QUICK = [*TINY, "--estimators", "ppmi-svd"]


@pytest.fixture(scope="module")
def tiny_csv(tiny_corpus, tiny_labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "tiny.csv"
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        rows = zip(tiny_corpus, tiny_labels, strict=True)
        writer.writerows([i, *row] for i, row in enumerate(rows))
    return path


@pytest.fixture
def write(tmp_path):
    """Write bytes or text to a file of the given name, packed where it says so."""

    def write(name, content):
        data = content if isinstance(content, bytes) else content.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def run_process(arguments, **options):
    path = str(Path(skembed.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "skembed", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# The command line itself


def test_help_explains_columns_and_options(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    for column in _comparison_report._HEADER:
        assert f"\n  {column} " in text
    for option in ["--data", "--text", "--label", "--cv", "--n-jobs", "--output"]:
        assert option in text
    assert "x_max of GloVe" in text
    assert "--labels-per-class" in text
    assert "0.1, 1, 10, 100." in text
    assert max(map(len, text.splitlines())) <= 88


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"skembed {skembed.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "a.csv", "--text", "t"], "--data needs --text COLUMN and --label"),
        (["--text", "t", "--label", "l"], "belong to --data"),
        (["--data", "a.csv", "--text", "t", "--label", "t"], "must be two columns"),
        (["--cv", "1"], "'1' is not a whole number from 2 on"),
        (["--cv", "three"], "'three' is not a whole number"),
        (["--labels-per-class", "1"], "'1' is not a whole number from 2 on"),
        (["--seed", str(2**32)], "not a whole number from 0 to 4294967295"),
        (["--n-jobs", "0"], "'0' is not a number of processors, such as 2; -1 means"),
        (["--n-jobs", "two"], "'two' is not a number of processors"),
        (["--n-jobs", "1e9"], "'1e9' is not a number of processors"),
        (["--data", "a.csv", "--text", "", "--label", "l"], "without a name cannot be"),
        (["--x-max", "nan"], "'nan' is not a positive number"),
        (["--x-max", "much"], "'much' is not a positive number"),
        (["--estimators", "word2vec"], "invalid choice: 'word2vec'"),
        (["--output", "xml"], "invalid choice: 'xml'"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_wrong_usage(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.small
@pytest.mark.parametrize("wanted", [1, 10**9, 10**30, -1, -2, -5, -(10**30)])
def test_jobs_are_those_of_joblib_and_at_most_one_per_processor(wanted):
    n_jobs = joblib.effective_n_jobs(_input.jobs(str(wanted)))
    assert n_jobs == min(joblib.effective_n_jobs(wanted), joblib.cpu_count())


# Reading files

ROW = '{"text": "t", "label": "a"}\n'
RECORDS = [("one, two", "a"), ('three\n"four"', "b"), ("", "a"), ("fünf", "b")]


def as_csv(records):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("text", "label"), *records])
    return out.getvalue()


def as_json_lines(records):
    lines = [json.dumps({"n": 1, "text": t, "label": c}) for t, c in records]
    return "\n\n".join(lines)


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

    monkeypatch.setattr(_input.csv, "reader", Reader)
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
    with pytest.raises(_input.InputError) as caught:
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
    with pytest.raises(_input.InputError, match="'x19' and 29,980 more: name") as error:
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
    drawn = [_compare.sample(1000, 100, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(set(drawn[0]))
    assert len(drawn[0]) == 100
    assert 0 <= drawn[0][0] < 100 < 900 < drawn[0][-1] < 1000
    assert _compare.sample(5, 9, 0) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "a.txt: the name must end in .csv, .jsonl, .ndjson, or one of"),
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
            "single column, 'text;label'; columns must be separated by commas",
        ),
        ("a.csv", "text\tlabel\nx\ty\n", "columns must be separated by commas"),
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


@pytest.mark.parametrize("cv", [2, 3, 5])
def test_smallest_classes_that_pass_can_be_fitted(cv):
    """Twenty classes of the least size: the head's own split needs each of them."""
    least = max(cv, 4 if cv == 2 else 3)
    labels = [f"c{i}" for i in range(20) for _ in range(least)]
    _compare.check_labels(labels, cv)
    with pytest.raises(
        ValueError, match=r"20 of 20 classes .* 'c12' \(\d\) and 15 more"
    ):
        _compare.check_labels([c for c, n in Counter(labels).items()] * (least - 1), cv)
    documents = [f"{label} and {label} with {label}" for label in labels]
    settings = _compare.Settings(estimators=(), n_components=5, cv=cv)
    lines = _compare.candidates(settings)
    (tfidf,), (svd,) = _compare.compare(documents, labels, lines, settings)
    assert tfidf["accuracy"] == 1.0
    assert len(svd["fold_accuracies"]) == cv


# The comparison


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
    few = _compare.few_of_each(labels, 5, 0)
    assert Counter(labels[few]) == {"a": 5, "b": 5, "c": 5, "d": 1}
    assert few.tolist() == sorted(set(few.tolist()))
    assert few.tolist() == _compare.few_of_each(labels, 5, 0).tolist()
    assert few.tolist() != _compare.few_of_each(labels, 5, 1).tolist()


def test_coordinates_in_a_span_lead_to_the_same_classifier(tiny_corpus, tiny_labels):
    X = TfidfVectorizer().fit_transform(tiny_corpus)
    few, others = X[:20], X[20:]
    span = _compare._Span().fit(few)
    short = span.transform(few)
    assert short.shape[1] <= few.shape[0]
    np.testing.assert_allclose(short @ short.T, (few @ few.T).toarray(), atol=1e-12)
    settings = {"C": 10.0, "tol": 1e-10, "max_iter": 1000}
    expected = LogisticRegression(**settings).fit(few, tiny_labels[:20])
    found = LogisticRegression(**settings).fit(short, tiny_labels[:20])
    np.testing.assert_allclose(
        found.decision_function(span.transform(others)),
        expected.decision_function(others),
        rtol=1e-5,
    )


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


def without_seconds(rows):
    return [{k: v for k, v in row.items() if k != "fit_seconds"} for row in rows]


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
    """With all strategies, as `warmup` promises, and nothing that is not used."""
    calls = []
    monkeypatch.setattr(_compare, "warmup", lambda *given: calls.append(given))
    _compare.warm_up(_compare.Settings(estimators=tuple(chosen), n_jobs=1))
    assert [set(call) for call in calls] == [kinds]


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


def test_more_components_than_words(tiny_csv, tiny_corpus, capsys):
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--output", "json"]
    assert main([*arguments, "--n-components", "1000"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["complete"] is True
    row = next(r for r in answer["results"] if r["estimator"].startswith("Truncated"))
    n_words = len(TfidfVectorizer().fit(tiny_corpus).vocabulary_)
    # As many components as there are words but one, or fewer documents.
    assert 0 < row["n_embedding_parameters"] <= (n_words - 1) * n_words
    svd = _compare._CappedSVD(9, random_state=0)
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


def test_empty_texts_are_counted(write, tiny_corpus, tiny_labels, capsys):
    records = [*zip(tiny_corpus, tiny_labels, strict=True), ("", "home"), (" ", "away")]
    path = write("a.csv", as_csv(records))
    assert main(["--data", str(path), *COLUMNS, *QUICK]) == 0
    assert capsys.readouterr().err.startswith("note: 2 of 62 texts are empty\n")


# The report


def row(estimator, accuracy, sd=0.01, is_reference=False, **labels):
    return {
        "estimator": estimator,
        **labels,
        "is_reference": is_reference,
        "n_embedding_parameters": None if estimator == "tf-idf" else 1234567,
        "fit_seconds": 1.25,
        "accuracy": accuracy,
        "accuracy_sd": sd,
        "fold_accuracies": [accuracy - sd, accuracy + sd],
        "few_accuracy": accuracy / 2,
        "few_accuracy_sd": sd,
        "few_fold_accuracies": [accuracy / 2 - sd, accuracy / 2 + sd],
        "pipeline": None if is_reference else f"make_pipeline(Model(d={accuracy}))",
        "error": None,
    }


ROWS = [
    row("tf-idf", 0.9, is_reference=True),
    row("GloVe", 0.7, share_context=False),
    row("GloVe", 0.6, share_context=True),
    row("PPMI-SVD", 0.5, share_context="signed"),
    row("SGNS", 0.785, share_context=False, bias=None),
    row("SGNS", 0.8, sd=0.02, share_context=True, bias="exact"),
    row("SGNS", 0.7, share_context=True, bias=None),
]
ABOUT = {
    "data": "some.csv",
    "n_documents": 10,
    "n_classes": 2,
    "cv": 2,
    "n_components": 5,
    "seed": 7,
    "labels_per_class": 10,
}


def test_table_is_sorted_and_aligned():
    lines = _comparison_report.as_table(ROWS, ABOUT).splitlines()
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


def test_verdict_does_not_claim_too_much():
    assert _comparison_report.verdict(ROWS) == [
        "SGNS: share_context=True, bias=exact came out best; about as good: "
        "share_context=False, bias=None.",
        "GloVe: share_context=False came out best, by more than one standard "
        "deviation.",
        "PPMI-SVD: share_context=signed only.",
        "Beside SGNS share_context=True bias=exact, tf-idf is better (+0.100).",
        "With few labels, SGNS share_context=True bias=exact came out best; beside it, "
        "tf-idf is better (+0.050).",
    ]
    union = row("tf-idf + PPMI-SVD", 0.95)
    others = _comparison_report.verdict([*ROWS, union])
    assert others[:3] == _comparison_report.verdict(ROWS)[:3]
    assert others[3:] == [
        "Beside tf-idf + PPMI-SVD, tf-idf is worse (-0.050).",
        "With few labels, tf-idf + PPMI-SVD came out best; beside it, tf-idf is worse "
        "(-0.025).",
    ]
    near = [row("SGNS", 0.8 - i / 1000, share_context=i) for i in range(3)]
    assert _comparison_report.verdict(near) == [
        "SGNS: share_context=0 came out best, but every other strategy is about as "
        "good."
    ]
    far = row("SGNS", 0.5, share_context="far")
    assert _comparison_report.verdict([*near, far])[0].endswith(
        "; about as good: all others except share_context=far."
    )
    references = [
        row("tf-idf", 0.805, is_reference=True),
        row("svd", 0.1, is_reference=True),
    ]
    assert _comparison_report.verdict([*near, *references])[-2] == (
        "Beside SGNS share_context=0, tf-idf is about as good (+0.005) and svd is "
        "worse (-0.700)."
    )


def test_references_alone_need_no_verdict():
    assert _comparison_report.verdict(ROWS[:1]) == []
    assert "About as good" not in _comparison_report.as_table(ROWS[:1], ABOUT)


def test_csv_tells_none_from_absent():
    rows = list(csv.DictReader(io.StringIO(_comparison_report.as_csv(ROWS, ABOUT))))
    assert len(rows) == len(ROWS)
    first, second, *_, last = rows
    assert (first["share_context"], first["bias"]) == ("True", "exact")
    assert (second["share_context"], second["bias"]) == ("False", "None")
    assert (last["share_context"], last["bias"]) == ("", "")
    assert last["n_embedding_parameters"] == ""
    folds = [float(value) for value in first["fold_accuracies"].split()]
    assert folds == pytest.approx([0.78, 0.82])


def test_json_holds_everything():
    answer = json.loads(_comparison_report.as_json(ROWS, ABOUT))
    assert {k: answer[k] for k in ABOUT} == ABOUT
    assert sorted(map(str, answer["results"])) == sorted(map(str, ROWS))


# The picture


def test_plot(tiny_csv, tmp_path, capsys):
    path = tmp_path / "picture.png"
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--plot", str(path)]
    assert main(arguments) == 0
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    out, err = capsys.readouterr()
    assert out.startswith("tiny.csv")
    assert err.endswith(f"drawn to {path}\n")


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_plot_shows_any_name_as_it_is(suffix, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"picture{suffix}"
    _comparison_report.draw(ROWS, {**ABOUT, "data": "$\\foo$ \u985e\u4f3c.csv"}, path)
    assert path.stat().st_size > 0


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

    monkeypatch.setattr(_comparison_report, "draw", full)
    path = tmp_path / "picture.png"
    arguments = ["--data", str(tiny_csv), *COLUMNS, *QUICK, "--plot", str(path)]
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out.startswith("tiny.csv")
    assert f"error: --plot {path}: No space left on device" in err


# Endings


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
