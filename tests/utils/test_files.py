"""Arrays in files."""

import errno
import gc
import os
import pickle
import sys
import tempfile

import numpy as np
import pytest

from skembed._utils.files import FileArray

pytestmark = pytest.mark.small


@pytest.mark.parametrize("typecode", ["i", "d", "q"])
def test_numbers_are_appended(typecode, tmp_path):
    numbers = FileArray(tmp_path / "new", typecode)
    numbers.extend(range(5))
    numbers.frombytes(np.arange(5, 2000, dtype=typecode))
    assert len(numbers) == 2000
    assert not list((tmp_path / "new").iterdir())
    found = np.asarray(numbers)
    assert found.dtype == typecode
    assert found.tolist() == list(range(2000))


def test_changes_of_a_view_are_written(tmp_path):
    numbers = FileArray(tmp_path, "i")
    numbers.extend([3, 4, 5])
    np.asarray(numbers)[1] = 7
    assert np.asarray(numbers).tolist() == [3, 7, 5]
    taken = numbers.take()
    taken[2] = 9
    del numbers
    assert taken.tolist() == [3, 7, 9]
    assert pickle.loads(pickle.dumps(taken)).tolist() == [3, 7, 9]


def test_no_numbers():
    numbers = FileArray(None, "i")
    assert len(numbers) == 0
    assert np.asarray(numbers).tolist() == []
    assert numbers.take().dtype == np.int32


def test_folder_that_is_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(OSError, match=r"could not be written .* as `memory`"):
        FileArray(path, "i")


def test_full_disk(tmp_path, monkeypatch):
    numbers = FileArray(tmp_path, "i")

    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(numbers, "_file", Full())
    with pytest.raises(OSError, match=r"No space left .* folder with more space") as it:
        numbers.extend([1])
    assert it.value.errno == errno.ENOSPC


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no disk is always full")
def test_a_full_disk_is_reported_once(monkeypatch):
    """Not again when the file is closed."""
    others = []
    monkeypatch.setattr(sys, "unraisablehook", others.append)
    monkeypatch.setattr(
        tempfile,
        "TemporaryFile",
        lambda buffering, dir: open("/dev/full", "wb", buffering),  # noqa: SIM115
    )
    numbers = FileArray(None, "i")
    numbers.extend([1, 2])
    with pytest.raises(OSError, match="No space left"):
        np.asarray(numbers)
    del numbers
    gc.collect()
    assert not others
