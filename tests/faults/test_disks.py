"""Disks that are full or read-only, and folders that are not there.

Disks are real file systems in memory, mounted for the process under test alone.
"""

import os
import sys

import numba
import pytest

from tests.faults.running import ROOT, on_disk, run_case
from tests.helpers import PACKAGE

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        bool(numba.config.DISABLE_JIT), reason="there is no compiler whose work is kept"
    ),
    pytest.mark.skipif(sys.platform == "win32", reason="other places of users' files"),
]
# Variables that tell numba where users have their files.
NOWHERE = {"HOME": None, "XDG_CACHE_HOME": None, "IPYTHONDIR": os.devnull}


@pytest.fixture(scope="module")
def expected():
    """The hashes of fits where all is as it should be."""
    return run_case("fit_all")


@pytest.mark.parametrize("size", ["4k", "200k"])
def test_a_full_disk_for_kernels(size, expected, tmp_path):
    """Full at once, or in the middle of one of the first kernels."""
    within = on_disk(tmp_path, f"size={size}")
    found = run_case("fit_and_list", tmp_path, within=within, NUMBA_CACHE_DIR=tmp_path)
    assert found["hashes"] == expected


def test_a_disk_that_was_full(expected, tmp_path):
    """What is left of a kernel that was cut off is not loaded by the next process."""
    twice = [*on_disk(tmp_path, "size=400k"), "sh", "-c", '"$@" && exec "$@"', "sh"]
    found = run_case("fit_and_list", tmp_path, within=twice, NUMBA_CACHE_DIR=tmp_path)
    assert found["hashes"] == expected
    assert found["files"]
    assert found["loaded"] > 0


def test_a_full_disk_for_a_memory(expected, tmp_path):
    within = on_disk(tmp_path, "size=1m", fill=True)
    assert run_case("fit_with", tmp_path, within=within) == [expected] * 3


@pytest.mark.parametrize("options", ["size=60k", "size=1m"])
def test_a_disk_too_small_for_a_memory(options, expected, tmp_path):
    within = on_disk(tmp_path, options)
    assert run_case("fit_with", tmp_path, within=within) == [expected] * 3


def test_a_read_only_folder_for_kernels(expected, tmp_path):
    """Kernels go where they would without the variable."""
    within = on_disk(tmp_path, "ro")
    found = run_case("fit_and_list", tmp_path, within=within, NUMBA_CACHE_DIR=tmp_path)
    assert found["hashes"] == expected
    assert not found["files"]


def test_a_read_only_installation_without_a_home(expected, tmp_path):
    """There is no folder at all that could be written to: compiled in memory."""
    package = tmp_path / "package"
    package.mkdir()
    within = [*on_disk(package, "size=64m"), "sh", "-c"]
    copies = [f"cp -r '{PACKAGE}' '{ROOT / 'tests'}' '{package}/'"]
    copies.append(f"find '{package}' -name __pycache__ -prune -exec rm -r {{}} +")
    copies.append(f"mount -o remount,ro '{package}' && cd '{package}' && exec \"$@\"")
    found = run_case(
        "fit_and_list",
        package,
        within=[*within, " && ".join(copies), "sh"],
        NUMBA_CACHE_DIR=None,
        **{**NOWHERE, "HOME": str(package / "none")},
    )
    assert found["hashes"] == expected
    assert not found["files"]
    assert found["loaded"] == 0


@pytest.mark.parametrize("home", [None, "", "/nonexistent", os.devnull])
def test_no_home(home, expected):
    found = run_case("fit_all", **{**NOWHERE, "HOME": home})
    assert found == expected


def test_a_missing_cache_folder(expected, tmp_path):
    """It is made, with the folders around it."""
    cache = tmp_path / "not" / "yet"
    found = run_case("fit_and_list", cache, NUMBA_CACHE_DIR=cache)
    assert found["hashes"] == expected
    assert found["files"]
    again = run_case("fit_and_list", cache, NUMBA_CACHE_DIR=cache)
    assert again["loaded"] > found["loaded"] == 0


def test_without_the_compiler(expected):
    """Plain Python gives the same up to rounding; test_jit.py compares vectors."""
    found = run_case("fit_all", NUMBA_DISABLE_JIT="1")
    assert len(found) == len(expected)
