"""Arrays in files, for what is not to take memory."""

import mmap
import os
import tempfile
import weakref
from array import array
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np

# Bytes that are held before they are written.
_BUFFER = 1 << 20


class FileArray:
    """A 1-D array that grows in a file without a name, like an `array.array`.

    Nothing is left of the file when it is neither open nor mapped, however the process
    ends. (Windows gives it a name until then.) The array itself is not in the memory of
    the process. The system holds as much of it in its cache as it has memory to spare.

    Parameters
    ----------
    folder : str, path or None
        Where the file is. It is created if need be. None is the system's folder for
        temporary files.
    typecode : str
        Of its numbers, as in `array.array`.

    Raises
    ------
    OSError
        If no file can be written there.
    """

    def __init__(self, folder: Any, typecode: str):
        self._dtype = np.dtype(typecode)
        self._typecode = typecode
        self._size = 0
        self._folder = tempfile.gettempdir() if folder is None else os.fspath(folder)
        with _explained(self._folder):
            os.makedirs(self._folder, exist_ok=True)
            self._file = tempfile.TemporaryFile(  # noqa: SIM115
                buffering=_BUFFER, dir=self._folder
            )
        weakref.finalize(self, _close, self._file)

    def __len__(self) -> int:
        return self._size

    def frombytes(self, data: Any) -> None:
        """Append numbers from an object with a buffer of contiguous bytes."""
        with _explained(self._folder):
            self._file.write(data)
        self._size += memoryview(data).nbytes // self._dtype.itemsize

    def extend(self, numbers: Iterable[int]) -> None:
        """Append numbers."""
        self.frombytes(array(self._typecode, numbers))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the numbers for `numpy.asarray`: changes are written to the file."""
        return self._mapped(mmap.ACCESS_WRITE)

    def take(self) -> np.ndarray:
        """Close the file and return its numbers as an array like any other.

        What is changed in the array is copied to the memory of the process.

        Returns
        -------
        ndarray of shape (n,)
        """
        found = self._mapped(mmap.ACCESS_COPY)
        self._file.close()
        return found

    def _mapped(self, access: int) -> np.ndarray:
        if not self._size:
            return np.empty(0, dtype=self._dtype)
        with _explained(self._folder):
            self._file.flush()
        # Not a `numpy.memmap`: joblib would look for the file by its name.
        pages = mmap.mmap(self._file.fileno(), 0, access=access)
        return np.frombuffer(pages, dtype=self._dtype)


def _close(file: Any) -> None:
    """Close a file. What a full disk has no space for was reported before."""
    with suppress(OSError):
        file.close()


class _explained:
    """Name the folder in errors of the system, such as that of a full disk."""

    def __init__(self, folder: str):
        self._folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, OSError):
            raise OSError(
                error.errno,
                f"{error.strerror or error}: temporary files could not be written to "
                f"{self._folder!r}. Pass a folder with more space as `memory`",
            ) from error
