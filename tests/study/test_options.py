"""Options: help, values that are refused, and which command has them."""

import joblib
import pytest

import skembed
from skembed import study
from skembed.study import _candidates, _options, _report
from skembed.study._commands import main


def test_help_explains_columns_and_options(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    for column in _report._HEADER:
        assert f"\n  {column} " in text
    for option in ["--data", "--text", "--label", "--cv", "--n-jobs", "--output"]:
        assert option in text
    assert "x_max of GloVe" in text
    assert "--labels-per-class" in text
    assert "(default: sgns, cbow, glove, ppmi-svd, union)" in " ".join(text.split())
    assert "0.1, 1, 10, 100." in text
    assert max(map(len, text.splitlines())) <= 88


@pytest.mark.small
def test_help_names_options_and_strategies(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit_:
        study.main(["--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"some of {', '.join(_candidates.EMBEDDERS)} (default: all)" in text
    assert f"some of {', '.join(_candidates.groups())} (default: all)" in text
    assert "each estimator's default (default: 0.5 1 2 4)" in text
    assert "tried at the best learning rate (default: 0 3 10 30)" in text


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"skembed {skembed.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--data", "a.csv", "--text", "t"],
            "--data needs --text COLUMN and --label COLUMN; documents without",
        ),
        (["--text", "t", "--label", "l"], "--text belongs to --data FILE"),
        (["--encoding", "latin-1"], "--encoding belongs to --data FILE"),
        (["--no-quotes"], "--no-quotes belongs to --data FILE"),
        (["--encoding", "utf-9"], "'utf-9' is not an encoding that Python knows"),
        (["--encoding", "hex"], "'hex' is not an encoding that Python knows"),
        (["--separator", "; "], "'; ' is not one character"),
        (["--token-pattern", "("], "'(' is not a regular expression: missing )"),
        (["--token-pattern", "(a)(b)"], "has more than one group"),
        (["--subsample", "-1"], "'-1' is not a number from 0 on"),
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
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label", "x"], "--label belongs to --data"),
        (["--text", "x"], "--text belongs to --data"),
        (["--data", "a.csv", "--label", "text"], "must be two columns"),
        (["--unlabelled", "x"], "--unlabelled belongs to --label"),
        (["--rates", "0"], "'0' is not a positive number"),
        (["--penalties", "-1"], "'-1' is not a number from 0 on"),
        (["--seeds", "0"], "'0' is not a whole number from 1 on"),
        (["--estimators", "word2vec"], "invalid choice: 'word2vec'"),
        (["--strategies", "none"], "invalid choice: 'none'"),
        (["--n-jobs", "0"], "'0' is not a number of processors"),
        (["--data", "a.csv", "--text", ""], "a column without a name cannot be chosen"),
    ],
)
def test_wrong_usage_of_the_study(options, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        study.main(options)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.small
@pytest.mark.parametrize("wanted", [1, 10**9, 10**30, -1, -2, -5, -(10**30)])
def test_jobs_are_those_of_joblib_and_at_most_one_per_processor(wanted):
    n_jobs = joblib.effective_n_jobs(_options.jobs(str(wanted)))
    assert n_jobs == min(joblib.effective_n_jobs(wanted), joblib.cpu_count())


@pytest.mark.small
def test_both_commands_share_options():
    """What is declared once is there twice, under both names that it has had."""
    quick = _options.QuickCommand("a", "", "", ["table"])
    more = _options.StudyCommand("b", "", "")
    shared = ["--epochs", "3", "--size", "7", "--subsample", "0", "--no-lowercase"]
    shared += ["--token-pattern", r"\w+", "--documents", "30"]
    same = ["--max-iter", "3", "--n-components", "7", "--subsample", "0"]
    same += ["--no-lowercase", "--token-pattern", r"\w+", "--max-documents", "30"]
    for command in (quick, more):
        options, settings = command.read(shared)
        assert command.read(same) == (options, settings)
        assert options.max_documents == 30
        assert settings.parameters(_candidates.PARAMETERS) == {
            "n_components": 7,
            "min_count": 5,
            "max_iter": 3,
            "x_max": 10.0,
            "subsample": 0.0,
            "token_pattern": r"\w+",
            "lowercase": False,
        }


@pytest.mark.small
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Lower n_components or max_features",
            "Lower --n-components or --max-features",
        ),
        ("Pass subsample=0.", "Pass --subsample 0."),
        ("Raise max_iter or lower min_count", "Raise --epochs or lower --min-count"),
        ("learning_rate=0.5 is too large", "--learning-rate 0.5 is too large"),
        ("token_pattern may not match", "--token-pattern may not match"),
    ],
)
def test_messages_name_options(text, expected):
    assert _options.message(ValueError(text)) == expected


@pytest.mark.small
def test_messages_of_the_study_name_its_own_options():
    error = ValueError("Lower learning_rate\nor n_components=9")
    found = _options.message(error, _options.StudyCommand.searched)
    assert found == "Lower learning_rate or --n-components 9"
    assert _options.message(KeyError()) == "KeyError"


@pytest.mark.small
@pytest.mark.parametrize(("text", "found"), [(";", ";"), ("tab", "\t"), (r"\t", "\t")])
def test_separators(text, found):
    assert _options.separator(text) == found
