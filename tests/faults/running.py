"""Running a case in a process of its own, within disks that are full or read-only."""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# No case takes a minute; one that hangs should not keep a test run for ever.
_TIMEOUT = 300


def run_case(name, *arguments, within=(), folder=ROOT, **environment):
    """Run a function of `tests.faults.cases`; return what it has returned.

    Parameters
    ----------
    name : str
    *arguments : str
    within : sequence of str
        A command that runs another.
    folder : path
        Where the process starts, and finds the package.
    **environment : str or None
        A variable of value None is left out.
    """
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [*within, sys.executable, "-W", "error", "-m", "tests.faults.cases", name]
    result = subprocess.run(
        [*command, *map(str, arguments)],
        cwd=folder,
        env={key: value for key, value in variables.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@cache
def _mounting():
    """Return the start of a command that may mount a disk for itself, or None."""
    for start in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if shutil.which(start[0]) is None:
            return None
        probe = [*start, "sh", "-c", "mount -t tmpfs -o size=4k tmpfs /mnt"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return start
    return None


def on_disk(folder, options, fill=False):
    """Return a command that runs another with a disk of its own at a folder.

    It is a `tmpfs` in the memory of this machine, which ends with the command.

    Parameters
    ----------
    folder : path
    options : str
        Of the disk, as in "size=1m" or "ro".
    fill : bool, default=False
        Whether there is no room left on it from the beginning.
    """
    start = _mounting()
    if start is None:
        pytest.skip("nobody may mount a disk here: needs Linux, unshare and the right")
    lines = [f"mount -t tmpfs -o {options} tmpfs '{folder}'"]
    if fill:
        lines.append(f"! cat /dev/zero > '{folder}/all' 2> '{os.devnull}'")
    return [*start, "sh", "-c", " && ".join([*lines, 'exec "$@"']), "sh"]
