"""The study's search of learning rates and penalties, with fits that are not made."""

from types import SimpleNamespace

import pytest

from skembed.study import _report, _search
from skembed.study._candidates import SearchedParameter


def toy(label="a", family="sgns"):
    return SimpleNamespace(
        family=family, title="SGNS", label=label, params={"p": label}, combines=("w",)
    )


def rates(*values, default=1.0):
    return SearchedParameter("learning_rate", values, default)


def toy_record(validation, train=1.0):
    return {
        "seconds": 50.0,
        "all_seconds": 60.0,
        "validation": validation,
        "test": validation,
        "loss_curve": [9.0, train],
        "readings": {"w": {"accuracy": 0.5, "similarity": {"men": (None, 0)}}},
        "notes": [],
    }


def search(plan, run, folder, n_seeds=2):
    store = _search.Store(folder, "1.0", "data")
    return _search.Search(plan, n_seeds, run, store)


@pytest.mark.small
def test_rate_is_chosen_on_the_first_seed(tmp_path, capsys):
    calls = []

    def run(candidate, setting, seed):
        rate = setting["learning_rate"]
        calls.append((candidate.label, rate, seed))
        return toy_record({"loss": {1.0: 5.0, 2.0: 3.0, 4.0: 4.0}[rate]})

    plan = [(toy("a"), [rates(1.0, 2.0, 4.0)]), (toy("b"), [rates(1.0)])]
    a, b = search(plan, run, tmp_path, 3).outcomes()
    lines = capsys.readouterr().err.splitlines()
    assert a.setting == (("learning_rate", 2.0),)
    assert [seed for setting, seed in a.records if setting == a.setting] == [0, 1, 2]
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

    def run(candidate, setting, seed):
        rate = setting["learning_rate"]
        loss = losses[[1.0, 2.0, 4.0].index(rate)]
        if held_out:
            return toy_record({"loss": loss}, train=-rate * (rate - 5) ** 2)
        return toy_record({}, train=float("inf") if loss is None else loss)

    plan = [(toy(), [rates(1.0, 2.0, 4.0)])]
    (outcome,) = search(plan, run, tmp_path, 1).outcomes()
    assert outcome.setting == (("learning_rate", chosen),)
    assert any("edge" in note for note in outcome.notes) == edge


@pytest.mark.small
def test_parameters_are_searched_one_after_the_other(tmp_path, capsys):
    """Each starts from the best value of the one before, without a fit made twice."""
    calls = []

    def run(candidate, setting, seed):
        calls.append((setting["learning_rate"], setting["l2"], seed))
        loss = (setting["learning_rate"] - 2.0) ** 2 + abs(setting["l2"] - 3.0)
        return toy_record({"cross_entropy": loss + 1.0})

    penalties = SearchedParameter("l2", (0.0, 3.0, 10.0), 9.0)
    plan = [(toy(), [rates(1.0, 2.0, 4.0), penalties])]
    (outcome,) = search(plan, run, tmp_path).outcomes()
    assert calls == [
        *[(1.0, 10.0, 0), (2.0, 10.0, 0), (4.0, 10.0, 0)],
        *[(2.0, 0.0, 0), (2.0, 3.0, 0), (2.0, 3.0, 1)],
    ]
    assert dict(outcome.setting) == {"learning_rate": 2.0, "l2": 3.0}
    found = {
        name: [dict(setting)[name] for setting in settings]
        for name, settings in outcome.steps.items()
    }
    assert found == {"learning_rate": [1.0, 2.0, 4.0], "l2": [0.0, 3.0, 10.0]}
    assert outcome.notes == []
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("]")[0] for line in lines] == [f"[{i}/6" for i in range(1, 7)]
    assert "learning rate 2, l2 3, seed 1: held-out cross-entropy 1.000" in lines[-1]


@pytest.mark.small
@pytest.mark.parametrize(("best", "noted"), [(0.0, False), (3.0, False), (9.0, True)])
def test_nothing_lies_beyond_no_penalty(best, noted, tmp_path):
    def run(candidate, setting, seed):
        return toy_record({"cross_entropy": abs(setting["l2"] - best)})

    plan = [(toy(), [SearchedParameter("l2", (0.0, 3.0, 9.0), 3.0)])]
    (outcome,) = search(plan, run, tmp_path, 1).outcomes()
    assert outcome.setting == (("l2", best),)
    assert any("best l2 is at the edge" in note for note in outcome.notes) == noted


@pytest.mark.small
def test_failures_skip_all_other_values(tmp_path):
    def run(candidate, setting, seed):
        raise ValueError("no such strategy")

    penalties = SearchedParameter("l2", (0.0, 10.0), 10.0)
    made = search([(toy(), [rates(1.0, 2.0), penalties])], run, tmp_path, 3)
    assert made.progress.n_all == 5
    (outcome,) = made.outcomes()
    assert outcome.problem == "no such strategy"
    assert made.progress.n_all == 0


@pytest.mark.small
def test_different_losses_are_not_mixed():
    records = {
        "a": toy_record({"loss": 5.0}, train=1.0),
        "b": toy_record({"loss": 3.0}, train=2.0),
    }
    assert _search.criteria(records) == {"a": 5.0, "b": 3.0}
    records["c"] = toy_record({}, train=1.5)
    assert _search.criteria(records) == {"a": 1.0, "b": 2.0, "c": 1.5}
    for key, record in records.items():
        record["validation"]["cross_entropy"] = 7.0 + ord(key)
    assert _search.criteria(records) == {"a": 104.0, "b": 105.0, "c": 106.0}


@pytest.mark.small
def test_what_fails_is_reported(tmp_path, capsys):
    def run(candidate, setting, seed):
        rate = setting["learning_rate"]
        if candidate.label == "never":
            raise ValueError("supported by\nothers only, not min_count=3")
        if rate == 4.0:
            raise ValueError("too large")
        return toy_record({"loss": 1.0 / rate})

    plan = [(toy("never"), [rates(1.0, 4.0)]), (toy("some"), [rates(1.0, 2.0, 4.0)])]
    made = search(plan, run, tmp_path, 2)
    never, some = made.outcomes()
    lines = capsys.readouterr().err.splitlines()
    assert never.problem == "supported by others only, not --min-count 3"
    assert never.records == {}
    assert some.problem is None
    assert some.setting == (("learning_rate", 2.0),)
    assert some.notes == ["Failed once (learning rate 4): too large"]
    # Nothing is waited for that will not be tried.
    assert made.progress.n_done == made.progress.n_all == 3
    assert "not possible: supported by others only, not --min-count 3" in lines[0]
    listed = _report.study_as_markdown([never], [], [])
    assert "\n- SGNS never: supported by others only, not --min-count 3\n" in listed


@pytest.mark.small
def test_store_keeps_by_key_and_survives_damage(tmp_path):
    store = _search.Store(tmp_path / "a" / "b", "1.0", "data")
    key = {"params": {"x": None}, "seed": 1}
    assert store.get(key) is None
    store.put(key, {"loss": 1.5})
    assert store.get({"seed": 1, "params": {"x": None}}) == {"loss": 1.5}
    assert store.get({**key, "seed": 2}) is None
    for origin in [("1.1", "data"), ("1.0", "other")]:
        assert _search.Store(tmp_path / "a" / "b", *origin).get(key) is None
    (path,) = store.folder.iterdir()
    path.write_text(path.read_text()[:-5])
    assert store.get(key) is None
