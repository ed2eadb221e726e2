"""Writing files."""

from pathlib import Path

import pytest

from skembed.study import _tables


@pytest.mark.small
def test_writing_is_all_or_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("before")

    def break_off(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", break_off)
        with pytest.raises(KeyboardInterrupt):
            _tables.write(path, "after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    _tables.write(path, "after")
    assert path.read_text() == "after"
