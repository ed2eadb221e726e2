"""The two command lines, and how they end."""

import os
import sys
from collections.abc import Callable

from skembed._utils.interrupts import end_everything
from skembed.study import _quick, _study
from skembed.study._input import InputError
from skembed.study._progress import tell


def main(argv: list[str] | None = None) -> int:
    """Run ``python -m skembed`` and return the exit code.

    Parameters
    ----------
    argv : list of str, default=None
        Options of the quick comparison; or "study", and the options of the study. If
        None, those of the process.

    Returns
    -------
    code : int
        0, 2 for wrong input, 130 if interrupted.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["study"]:
        return study(arguments[1:], "skembed study")
    return _end(_quick.run, arguments, "skembed", "interrupted")


def study(argv: list[str] | None = None, name: str = "skembed.study") -> int:
    """Run the study and return the exit code.

    Parameters
    ----------
    argv : list of str, default=None
        Options. If None, those of the process.
    name : str, default="skembed.study"
        What the program is called in messages.

    Returns
    -------
    code : int
        0, 2 for wrong input, 130 if interrupted.
    """
    ending = "interrupted; give the same command again to continue"
    return _end(_study.run, argv, name, ending)


def _end(
    run: Callable[[list[str] | None, str], int],
    argv: list[str] | None,
    name: str,
    ending: str,
) -> int:
    """Run a program and turn exceptions into messages and exit codes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        # A fit that keeps what it has by then is not the result that is asked for.
        with end_everything():
            code = run(argv, f"python -m {name}")
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        tell(f"{name}: {ending}")
        return 130
    except InputError as error:
        tell(f"{name}: error: {error}")
        return 2
    except BrokenPipeError:
        _drop_output()  # whoever was reading has seen enough
        return 0
    except OSError as error:
        if error.filename:
            tell(f"{name}: error: {error.filename}: {error.strerror}")
        else:  # what is printed does not arrive
            tell(f"{name}: error: {error}")
            _drop_output()
        return 2


def _drop_output() -> None:
    """Let what is left in the buffers not fail once more when Python ends."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
