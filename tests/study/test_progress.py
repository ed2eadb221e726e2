"""Estimates of the time left."""

import pytest

from skembed.study._progress import Progress


@pytest.mark.small
def test_time_left_is_that_of_each_estimator():
    # Ten steps of the one kind wait, and two of the other.
    progress = Progress(["quick"] * 12 + ["slow"] * 4)
    assert progress.left() == ""
    for kind, seconds in (("quick", 1.0), ("slow", 1000.0)):
        for _ in range(2):
            progress.done(kind, seconds)
    assert progress.left() == " (about 34 min left)"
    progress.skip("slow", 2)
    assert progress.left() == " (about 10 s left)"
    assert (progress.n_done, progress.n_all) == (4, 14)
    progress.skip("quick", 10)
    assert progress.left() == ""


@pytest.mark.small
def test_lines_are_numbered(capsys):
    progress = Progress(["a"] * 10)
    for text in ("one", "two"):
        progress.done("a", 2.0)
        progress.tell(text)
    assert capsys.readouterr().err == (
        "[ 1/10] one (about 18 s left)\n[ 2/10] two (about 16 s left)\n"
    )
