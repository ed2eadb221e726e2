"""Checks for available memory before large allocations, and aligned arrays.

Linux grants memory that it does not have and kills the process that uses it, so an
allocation that cannot succeed has to be refused beforehand.
"""

import ctypes
import os
import sys
from pathlib import Path

import numpy as np

_CACHE_LINE = 64
# Smaller allocations are not checked.
_SMALL = 1 << 24
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
# Files with the limit and the usage of a control group (versions 2 and 1), and the name
# of the part of the usage that is a cache of files, which the system can release.
_GROUPS = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def aligned_zeros(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """Return an array of zeros whose first byte begins a cache line.

    NumPy aligns to 16 bytes, with which every read of a full vector register touches
    two cache lines.

    Parameters
    ----------
    shape : tuple of int
    dtype : type, default=numpy.float32

    Returns
    -------
    ndarray
        C-contiguous.
    """
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.zeros(n_bytes + _CACHE_LINE, dtype=np.uint8)
    start = -buffer.ctypes.data % _CACHE_LINE
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)


def check_room(n_bytes: float, what: str, advice: str) -> None:
    """Raise an error if an allocation would need more memory than is available.

    Parameters
    ----------
    n_bytes : float
        Size of the allocation.
    what : str
        Its purpose, with the sizes that make it large. The subject of the message.
    advice : str
        A sentence that says what to do instead.

    Raises
    ------
    MemoryError
        If more memory is needed than is available.
    """
    if n_bytes < _SMALL:
        return
    room = available()
    if room is not None and n_bytes > room:
        raise MemoryError(
            f"{what} need {in_units(n_bytes)} of memory, and {in_units(room)} are "
            f"available. {advice}"
        )


def in_units(n_bytes: float) -> str:
    """Return a number of bytes as readable text, such as "3.5 GiB"."""
    number, unit = float(n_bytes), 0
    while number >= 1024.0 and unit < len(_UNITS) - 1:
        number, unit = number / 1024.0, unit + 1
    return f"{number:.3g} {_UNITS[unit]}"


def available() -> int | None:
    """Return how many bytes this process can still allocate, or None if unknown.

    This is the smallest of three numbers: the available memory of the machine
    (including swap), what the control group still allows, and what the limits of the
    process (``ulimit -v``) still allow.
    """
    found = [_of_machine(), *_of_groups(), *_of_process()]
    known = [number for number in found if number is not None]
    return max(0, min(known)) if known else None


def _of_machine() -> int | None:
    if sys.platform == "win32":
        return _of_windows()
    numbers = _numbers(Path("/proc/meminfo"))
    if "MemAvailable" in numbers:
        return (numbers["MemAvailable"] + numbers.get("SwapFree", 0)) * 1024
    try:
        # macOS does not report free memory. The total is an upper bound.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _of_windows() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((f"number{i}", ctypes.c_ulonglong) for i in range(7)),
        ]

    status = Status(length=ctypes.sizeof(Status))
    ask = ctypes.windll.kernel32.GlobalMemoryStatusEx  # type: ignore[attr-defined]
    # The fourth number: what can still be allocated, including the page file.
    return int(status.number3) if ask(ctypes.byref(status)) else None


def _of_groups() -> list[int]:
    """Return what the control groups of this process still allow."""
    rooms = []
    for folder in _group_folders():
        for limit_name, used_name, cache_name in _GROUPS:
            limit, used = _number(folder / limit_name), _number(folder / used_name)
            if limit is not None and used is not None:
                cache = _numbers(folder / "memory.stat").get(cache_name, 0)
                rooms.append(limit - used + cache)
    return rooms


def _group_folders() -> list[Path]:
    """Return the folders of this process's group and of its parents."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "memory" if controllers else root
        inside = Path(path.lstrip("/"))
        folders += [top / part for part in (inside, *inside.parents)]
    return folders


def _of_process() -> list[int]:
    """Return what the limits of this process still allow."""
    try:
        import resource
    except ImportError:
        return []
    status = _numbers(Path("/proc/self/status"))
    rooms = []
    for name, used in (("RLIMIT_AS", "VmSize"), ("RLIMIT_DATA", "VmData")):
        limit, _ = resource.getrlimit(getattr(resource, name))
        if limit != resource.RLIM_INFINITY and used in status:
            rooms.append(limit - status[used] * 1024)
    return rooms


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        # No such file, or the word "max".
        return None


def _numbers(path: Path) -> dict[str, int]:
    """Return the numbers of a file of lines "name: number" or "name number"."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.replace(":", " ").split() for line in lines)
    return {p[0]: int(p[1]) for p in pairs if len(p) > 1 and p[1].isdigit()}
