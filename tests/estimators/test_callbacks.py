"""What is told of a fit while it runs: to scikit-learn's callbacks, and in lines."""

import io
import re
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skembed import (
    CBOWEmbedder,
    GloVeEmbedder,
    PPMISVDEmbedder,
    SGNSEmbedder,
    cooccurrence,
)
from skembed._corpus import validation
from skembed._counts import windows
from skembed._solvers import glove, negative_sampling, objectives
from skembed._utils import interrupts, progress
from tests.helpers import (
    CHEAP,
    COUNTING,
    DOCUMENTS,
    EPOCHS,
    SOFTMAX,
    TOKENISED,
    assert_same_fit,
    cheap,
    learned,
)

small = pytest.mark.small
every_estimator = pytest.mark.parametrize("estimator", CHEAP)
every_trained = pytest.mark.parametrize("estimator", EPOCHS)
try:
    from sklearn import callback as callbacks
except ImportError:
    callbacks = None
needs_callbacks = pytest.mark.skipif(
    callbacks is None, reason="scikit-learn has callbacks since 1.9"
)


class Recorder:
    """A callback that remembers what it was told, and may want an end."""

    def __init__(self, stops=lambda context: False):
        self.stops = stops
        self.told = []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.told.append(("begin", context.task_name, context.task_id))
        self.data = X, y

    def on_fit_task_end(self, estimator, context):
        self.told.append(("end", context.task_name, context.task_id))
        return self.stops(context)

    def names(self, *without):
        """What has begun, in order."""
        return [
            one[1] for one in self.told if one[0] == "begin" and one[1] not in without
        ]


class Looker(Recorder):
    """A callback that asks for the estimator as if it had been fitted."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.told.append((context.task_name, fitted_estimator))


# --- callbacks ------------------------------------------------------------------------


@needs_callbacks
@small
@every_estimator
def test_tasks_of_a_fit(estimator):
    """Every task that begins also ends, inside the one that it is a part of."""
    recorder = Recorder()
    embedder = cheap(estimator).set_callbacks(recorder)
    if estimator in EPOCHS:
        embedder.set_params(max_iter=2)
    embedder.fit(DOCUMENTS)
    assert recorder.told[0] == "setup"
    assert recorder.told[-1] == "teardown"
    open_tasks = []
    for kind, *task in recorder.told[1:-1]:
        if kind == "begin":
            open_tasks.append(task)
        else:
            assert open_tasks.pop() == task
    assert not open_tasks
    steps = {
        SGNSEmbedder: ["read", "epoch", "epoch"],
        CBOWEmbedder: ["read", "epoch", "epoch"],
        GloVeEmbedder: ["read", "count", "epoch", "epoch"],
        **{kind: ["read", "count", "epoch", "epoch"] for kind in SOFTMAX},
        PPMISVDEmbedder: ["read", "count", "factorise"],
    }
    assert recorder.names("part") == ["fit", *steps[estimator]]
    assert recorder.data == (DOCUMENTS, None)


@needs_callbacks
@small
@every_estimator
def test_they_change_nothing(estimator):
    plain = cheap(estimator).fit(DOCUMENTS)
    for callback in (Recorder(), Looker()):
        told = cheap(estimator).set_callbacks(callback).fit(DOCUMENTS)
        del told._skl_callbacks
        assert_same_fit(told, plain)


@needs_callbacks
@every_estimator
def test_parts_of_steps(estimator, monkeypatch):
    """Slices of an epoch, rows of counts, batches of documents: with shares of it."""
    monkeypatch.setattr(negative_sampling, "_WORK_OF_A_SLICE", 1)
    monkeypatch.setattr(glove, "_WORK_OF_A_SLICE", 1)
    monkeypatch.setattr(glove, "_MIN_ENTRIES_OF_A_BLOCK", 1)
    monkeypatch.setattr(objectives, "_FEWEST_ROWS", 1)
    monkeypatch.setattr(windows, "_TASK_PAIRS", 10)
    monkeypatch.setattr(validation, "_REPORTED", 1)
    recorder = Recorder()
    embedder = cheap(estimator).set_callbacks(recorder).fit(DOCUMENTS * 5)
    steps = recorder.names("fit")
    places = [i for i, name in enumerate(steps) if name != "part"]
    sizes = np.diff([*places, len(steps)]) - 1
    found = dict(zip([steps[i] for i in places], sizes, strict=True))
    assert found["read"] == 100
    if "count" in found:
        assert found["count"] == 100
    if "epoch" in found:
        assert found["epoch"] > 5
    assert embedder.transform(DOCUMENTS).any()


@needs_callbacks
@small
@every_trained
@pytest.mark.parametrize("last", [1, 2])
def test_a_callback_ends_training(estimator, last):
    epochs = []

    def stops(context):
        if context.task_name == "epoch":
            epochs.append(context.task_id)
        return len(epochs) == last

    embedder = cheap(estimator, max_iter=5).set_callbacks(Recorder(stops))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder.fit(DOCUMENTS)
    assert embedder.n_iter_ == embedder.loss_curve_.size == last == len(epochs)
    whole = cheap(estimator, max_iter=5).fit(DOCUMENTS)
    assert embedder.loss_curve_.tolist() == whole.loss_curve_[:last].tolist()


@needs_callbacks
@every_trained
def test_a_callback_ends_an_epoch(estimator, monkeypatch):
    """The rest of its slices, by scikit-learn's protocol; the next epoch begins."""
    monkeypatch.setattr(negative_sampling, "_WORK_OF_A_SLICE", 1)
    monkeypatch.setattr(glove, "_WORK_OF_A_SLICE", 1)
    monkeypatch.setattr(glove, "_MIN_ENTRIES_OF_A_BLOCK", 1)
    monkeypatch.setattr(objectives, "_FEWEST_ROWS", 1)
    recorder = Recorder(lambda context: context.task_name == "part")
    embedder = cheap(estimator, max_iter=3).set_callbacks(recorder)
    embedder.fit(DOCUMENTS * 5)
    assert embedder.n_iter_ == 3
    assert recorder.names("read", "count", "fit").count("epoch") == 3
    after = recorder.names()[recorder.names().index("epoch") :]
    assert after.count("part") <= 6
    # Reading and counting are not cut short: nobody would learn from half of them.
    assert embedder.word_counts_.sum() == 5 * 20 * 6


@needs_callbacks
@small
@every_estimator
def test_estimators_as_if_they_were_fitted(estimator):
    looker = Looker()
    embedder = cheap(estimator, combine="word", pooling="sif").set_callbacks(looker)
    if estimator in EPOCHS:
        embedder.set_params(max_iter=3)
    embedder.fit(DOCUMENTS)
    ends = [one for one in looker.told if one[0] in ("epoch", "fit", "read", "count")]
    found = [fitted for name, fitted in ends if name in ("epoch", "fit")]
    assert all(fitted is None for name, fitted in ends if name in ("read", "count"))
    for number, fitted in enumerate(found[:-1], 1):
        assert fitted.n_iter_ == fitted.loss_curve_.size == number
        features = fitted.transform(DOCUMENTS)
        assert np.isfinite(features).all()
        assert number == 3 or (features != embedder.transform(DOCUMENTS)).any()
    # What scikit-learn keeps while callbacks are at work.
    others = [name for name in vars(found[-1]) if "callback" in name]
    assert_same_fit(found[-1], embedder, without=others)


@needs_callbacks
@small
def test_monitor_of_scores():
    monitor = callbacks.ScoringMonitor(
        scoring={"objective": lambda estimator, X, y: estimator.score(X)}
    )
    embedder = cheap(SGNSEmbedder, max_iter=3, learning_rate=0.2)
    embedder.set_callbacks(monitor).fit(DOCUMENTS, [0, 1] * 10)
    rows = monitor.get_logs().data
    scores = [row["objective"] for row in rows if row["task_name"] == "epoch"]
    assert len(scores) == 3
    assert scores[-1] == rows[0]["objective"] == embedder.score(DOCUMENTS)
    assert scores[0] < scores[-1]


@needs_callbacks
@small
@every_estimator
def test_progress_bar(estimator, capsys):
    pytest.importorskip("rich")
    pipeline = make_pipeline(cheap(estimator), LogisticRegression())
    pipeline.set_callbacks(callbacks.ProgressBar(max_propagation_depth=None))
    # Estimators without callbacks would make the pipeline warn.
    pipeline.fit(DOCUMENTS, [0, 1] * 10)
    out = capsys.readouterr().out
    step = "factorise" if estimator is PPMISVDEmbedder else "epoch"
    for name in ("fit", "read", step):
        assert re.search(rf"{estimator.__name__} - {name} ", out), out
    assert not hasattr(pipeline[0], "_skl_callbacks")


@needs_callbacks
@small
@every_estimator
def test_every_way_to_fit_tells(estimator):
    for method in ("fit", "fit_transform", "partial_fit"):
        recorder = Recorder()
        embedder = cheap(estimator).set_callbacks(recorder)
        getattr(embedder, method)(DOCUMENTS)
        assert recorder.told[0] == "setup"
        assert recorder.told[-1] == "teardown"
        assert recorder.names("part")[:2] == ["fit", "read"]


@needs_callbacks
@small
@every_estimator
def test_iterators_are_left_alone(estimator):
    recorder = Recorder()
    embedder = cheap(estimator).set_callbacks(recorder)
    embedder.fit((text for text in DOCUMENTS), y=[1] * 20)
    assert recorder.data == (None, [1] * 20)
    assert embedder.word_counts_.sum() == 20 * 6


@needs_callbacks
@small
@every_estimator
@pytest.mark.parametrize("name", ["fit", "read", "count", "factorise", "epoch", "part"])
def test_a_callback_that_fails(estimator, name):
    """Its error comes, it is torn down, and nothing is half fitted."""

    def fail(context):
        if context.task_name == name:
            raise RuntimeError("of the callback")

    recorder = Recorder(fail)
    embedder = cheap(estimator).set_callbacks(recorder)
    steps = {"fit", "read", "part", "epoch" if estimator in EPOCHS else "factorise"}
    if estimator in COUNTING:
        steps.add("count")
    if name not in steps:
        embedder.fit(DOCUMENTS)
        assert name not in recorder.names()
        return
    with pytest.raises(RuntimeError, match="of the callback"):
        embedder.fit(DOCUMENTS)
    assert recorder.told[-1] == "teardown"
    assert not learned(embedder).keys() - {"_skl_callbacks"}


def interrupting(name, number=1):
    """Return a callback that is interrupted at the end of a task of that name."""

    def interrupt(context):
        ends = [one for one in recorder.told if one[:2] == ("end", name)]
        if context.task_name == name and len(ends) == number:
            raise KeyboardInterrupt

    recorder = Recorder(interrupt)
    return recorder


@needs_callbacks
@small
@every_trained
@pytest.mark.parametrize("name", ["epoch", "fit"])
def test_an_interrupt_in_a_callback_at_the_end(estimator, name):
    """What is learned is complete, and kept with a warning."""
    complete = "after its last epoch, and is complete"
    number = 3 if name == "epoch" else 1
    whole = cheap(estimator, max_iter=3, warm_start=True).fit(DOCUMENTS)
    embedder = cheap(estimator, max_iter=3, warm_start=True)
    embedder.set_callbacks(interrupting(name, number))
    with pytest.warns(UserWarning, match=complete):
        embedder.fit(DOCUMENTS)
    assert_same_fit(embedder, whole, without={"_skl_callbacks"})
    embedder.set_callbacks(interrupting(name))
    with pytest.warns(UserWarning, match=complete):
        embedder.partial_fit(DOCUMENTS)
    assert embedder.n_iter_ == 4
    # Where warnings are errors, the training is not lost either.
    embedder.set_callbacks(interrupting(name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=complete):
            embedder.partial_fit(DOCUMENTS)
    assert embedder.n_iter_ == 5
    embedder.set_callbacks(interrupting(name))
    with interrupts.end_everything(), pytest.raises(KeyboardInterrupt):
        embedder.partial_fit(DOCUMENTS)
    assert embedder.n_iter_ == 5


@needs_callbacks
@small
def test_an_interrupt_in_a_callback_of_a_closed_form():
    """Who catches it finds the estimator as it was."""
    embedder = cheap(PPMISVDEmbedder, warm_start=True).fit(DOCUMENTS)
    before = dict(learned(embedder))
    for name in ("factorise", "fit"):
        embedder.set_callbacks(interrupting(name))
        with pytest.raises(KeyboardInterrupt):
            embedder.partial_fit(DOCUMENTS)
        after = learned(embedder)
        assert all(after[name] is before[name] for name in before)


@small
def test_without_callbacks_there_is_no_task():
    fit = progress.begin(cheap(SGNSEmbedder), DOCUMENTS, None, 3)
    assert not fit.listens
    with fit.step("epoch", 7) as epoch:
        assert not epoch.listens
        assert epoch.report(0.5) is False
    assert fit.step("epoch").end() is False
    assert fit.end(dict) is False


# --- lines ----------------------------------------------------------------------------

SECONDS = r"\d+\.\d s"
LEFT = rf"{SECONDS}, {SECONDS} left"
RATE = r"\d+\.\d\d million (tokens|pairs)/s"
LINES = {
    "read": rf"read 20 documents: 120 tokens of 8 words, {RATE}, {SECONDS}",
    "count": rf"counted \d+ pairs of 8 words, {SECONDS}",
    "factorise": rf"factorised \d+ non-zeros, {SECONDS}",
    "epoch": rf"epoch 1/2: loss \d+\.\d{{4}}, {RATE}, {LEFT}",
    "last": rf"epoch 2/2: loss \d+\.\d{{4}}, {RATE}, {SECONDS}",
}


@small
@every_estimator
def test_verbose(estimator, capsys):
    expected = {
        SGNSEmbedder: ["read", "epoch", "last"],
        CBOWEmbedder: ["read", "epoch", "last"],
        GloVeEmbedder: ["read", "count", "epoch", "last"],
        **{kind: ["read", "count", "epoch", "last"] for kind in SOFTMAX},
        PPMISVDEmbedder: ["read", "count", "factorise"],
    }[estimator]
    embedder = cheap(estimator, verbose=1)
    if estimator in EPOCHS:
        embedder.set_params(max_iter=2)
    embedder.fit(DOCUMENTS)
    out, err = capsys.readouterr()
    assert not err
    for line, name in zip(out.splitlines(), expected, strict=True):
        pattern = rf"\[{estimator.__name__}\] {LINES[name]}"
        assert re.fullmatch(pattern, line), line
    embedder.set_params(verbose=0).fit(DOCUMENTS)
    assert capsys.readouterr() == ("", "")


@small
@every_trained
def test_verbose_of_early_stopping(estimator, capsys):
    embedder = cheap(estimator, verbose=True, max_iter=50, early_stopping=True)
    embedder.set_params(tol=10.0, n_iter_no_change=1).fit(DOCUMENTS)
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"loss \d+\.\d{4}, validation loss \d+\.\d{4}, ", lines[-2])
    assert lines[-1].endswith(
        "the validation loss did not fall by tol=10.0 for more than 1 epochs"
    )
    embedder = cheap(estimator, verbose=True, max_iter=50)
    if callbacks is not None:
        embedder.set_callbacks(Recorder(lambda context: context.task_name == "epoch"))
        embedder.fit(DOCUMENTS)
        assert capsys.readouterr().out.endswith("] ended by a callback\n")


@every_estimator
@pytest.mark.parametrize("verbose", [1, 2])
def test_long_steps_say_how_far_they_are(estimator, verbose, capsys, monkeypatch):
    """Every ten seconds, or every second with more than 1; here at every report."""
    monkeypatch.setattr(progress, "_OFTEN", 0.0)
    monkeypatch.setattr(validation, "_REPORTED", 1)
    monkeypatch.setattr(negative_sampling, "_WORK_OF_A_SLICE", 1)
    monkeypatch.setattr(negative_sampling, "HIDDEN_SPAN", 32)
    monkeypatch.setattr(glove, "_WORK_OF_A_SLICE", 1)
    monkeypatch.setattr(glove, "_MIN_ENTRIES_OF_A_BLOCK", 1)
    monkeypatch.setattr(objectives, "_FEWEST_ROWS", 1)
    monkeypatch.setattr(windows, "_TASK_PAIRS", 10)
    cheap(estimator, verbose=verbose).fit(DOCUMENTS)
    out = capsys.readouterr().out
    lines = re.findall(rf"(read|count|factorise|epoch): (\d+) %, {LEFT}\n", out)
    lines += re.findall(rf"(read|count|factorise|epoch): (\d+)%, {LEFT}\n", out)
    assert bool(lines) == (verbose == 2)
    if verbose == 2:
        steps = {name for name, _ in lines}
        assert "read" in steps
        for name in steps:
            shares = [int(percent) for step, percent in lines if step == name]
            assert shares == sorted(shares)
            assert 0 <= shares[0] < shares[-1] < 100


@small
def test_documents_of_unknown_number(capsys, monkeypatch):
    monkeypatch.setattr(progress, "_OFTEN", 0.0)
    monkeypatch.setattr(validation, "_REPORTED", 5)
    for documents in ((text for text in DOCUMENTS), (words for words in TOKENISED)):
        cheap(PPMISVDEmbedder, verbose=2).fit(documents)
        out = capsys.readouterr().out
        assert len(re.findall(rf"read: under way, {SECONDS}\n", out)) == 4


@small
def test_counting_alone_says_nothing(capsys):
    cooccurrence(DOCUMENTS)
    assert capsys.readouterr() == ("", "")


@small
def test_lines_go_where_print_goes(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    cheap(SGNSEmbedder, verbose=1).fit(DOCUMENTS)
    assert stream.getvalue().startswith("[SGNSEmbedder] read 20 documents")
