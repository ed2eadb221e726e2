"""What `memory` needs: results that it keeps, and what tells inputs apart."""

import os
import pickle
import sys
import unicodedata
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from threading import Lock
from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.utils.validation import check_memory

# Texts that are joined at once, which bounds the memory for them.
_TEXTS = 2**14


class Recent:
    """The results of the last calls in this process, of at most so many bytes.

    Parameters
    ----------
    limit : int
        Bytes of all results. A larger one is not kept.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self._held: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._n_bytes = 0
        self._lock = Lock()

    def get(self, key: Any) -> Any:
        """Return a result, which must stay as it is, or None."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def add(self, key: Any, result: Any, n_bytes: int) -> None:
        """Keep a result, in place of those that have not been used for longest."""
        with self._lock:
            if key in self._held or n_bytes > self.limit:
                return
            self._held[key] = result, n_bytes
            self._n_bytes += n_bytes
            while self._n_bytes > self.limit:
                _, (_, freed) = self._held.popitem(last=False)
                self._n_bytes -= freed


# By the hashes of str, which objects remember: the next fit on the documents of a fold
# tells them apart at once. An entry takes less than the bytes it is said to.
_digests = Recent(2**18)
_ENTRY = 2**10


class _Work:
    """Something to compute, which a memory knows by its key alone."""

    def __init__(self, key: str, compute: Callable[[], Any]):
        self.key = key
        self.compute = compute
        self.under_way = False

    def __getstate__(self) -> str:
        return self.key

    def __repr__(self) -> str:
        return self.key


def _run(work: _Work) -> Any:
    work.under_way = True
    result = work.compute()
    work.under_way = False
    return result


def keep(
    memory: Any, key: str, compute: Callable[[], tuple[np.ndarray | bytes | None, ...]]
) -> tuple[Any, ...]:
    """Return what `memory` keeps under a key, or compute it.

    Parameters
    ----------
    memory : str, path or object with the interface of joblib.Memory
        Nothing is kept where writing fails; there is a warning then.
    key : str
        See `key_of`.
    compute : callable
        Without arguments; returns a tuple.

    Returns
    -------
    tuple
        What `compute` returns. Arrays are copies, which the caller may change.

    Raises
    ------
    ValueError
        If the folder cannot be made.
    """
    if isinstance(memory, (str, os.PathLike)):
        # Mapping is faster than reading, and processes share the pages.
        folder = os.fspath(memory)
        try:
            call = joblib.Memory(folder, mmap_mode="r", verbose=0).cache(_run)
        except OSError as error:
            raise ValueError(
                f"memory={memory!r} cannot be used as a folder: {error}. Pass one that "
                "can be written to, or None."
            ) from error
    else:
        call = check_memory(memory).cache(_run)
    work = _Work(key, compute)
    try:
        kept = call(work)
    except (KeyError, OSError) as error:
        if work.under_way:
            # Of the computation itself, and not of its way to the disk.
            raise
        # joblib maps what it has written, which is not there if writing failed; of
        # that it warns, but not of all else that it could not write.
        if isinstance(error, OSError):
            warnings.warn(
                f"Unable to cache to disk with memory={memory!r}: {error}.",
                UserWarning,
                stacklevel=2,
            )
        kept = compute()
    return tuple(
        np.array(part) if isinstance(part, np.ndarray) else part for part in kept
    )


def key_of(*parts: Any) -> str:
    """Return a key for results of this version that depend on some values.

    Parameters
    ----------
    *parts : str, number, None, array or tuple of these
        Those of arrays are told apart by type and shape, too.

    Returns
    -------
    str
    """
    versions = (
        sys.modules[__package__].__version__,
        sklearn.__version__,
        unicodedata.unidata_version,
    )
    return joblib.hash((versions, *map(_plain, parts)))


def _plain(part: Any) -> Any:
    if not isinstance(part, np.ndarray):
        return part
    contents = blake2b(np.ascontiguousarray(part).tobytes(), digest_size=20)
    return part.dtype.str, part.shape, contents.hexdigest()


def check_keys(parameters: dict[str, Any]) -> str:
    """Return what tells parameters apart, of which some may be callables.

    Parameters
    ----------
    parameters : dict
        Functions are known by their names alone.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If one cannot be pickled, as is the case for functions without a name.
    """
    found = []
    for name, value in parameters.items():
        try:
            found.append(joblib.hash((name, value)))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ValueError(
                f"memory knows a callable by its name, but {name}={value!r} cannot be "
                "found by one. Pass a function that a module defines (no lambda, none "
                "defined in a function), or memory=None."
            ) from error
    return joblib.hash(found)


def digest(documents: Sequence[Any]) -> str | None:
    """Return what tells documents apart, much faster than a hash of every object.

    Parameters
    ----------
    documents : sequence of str, or of lists, tuples or 1-D arrays of str

    Returns
    -------
    str or None
        None if there is something else in it.
    """
    texts, shape = documents, b"raw"
    kinds: set[type] = set(map(type, documents))
    if not all(issubclass(kind, str) for kind in kinds):
        texts, shape = _flat(documents)
        kinds = set(map(type, texts))
    if kinds != {str}:
        is_text = all(issubclass(kind, str) for kind in kinds)
        return _digest(texts, shape) if is_text else None
    hashes = np.fromiter(map(hash, texts), np.int64, len(texts)).tobytes()
    key = tuple(blake2b(part, digest_size=20).digest() for part in (shape, hashes))
    found = _digests.get(key)
    if found is None:
        found = _digest(texts, shape)
        _digests.add(key, found, _ENTRY)
    return found


def _flat(documents: Sequence[Any]) -> tuple[list[Any], bytes]:
    """Return the tokens of all documents, and how many each has."""
    arrays = any(isinstance(document, np.ndarray) for document in documents)
    lists = list(map(_as_list, documents)) if arrays else documents
    return list(chain.from_iterable(lists)), b"tokens" + _lengths(lists)


def _as_list(document: Any) -> Any:
    return document.tolist() if isinstance(document, np.ndarray) else document


def _lengths(parts: Iterable[Any]) -> bytes:
    return np.fromiter(map(len, parts), np.int64).tobytes()


def _digest(texts: Sequence[str], shape: bytes) -> str:
    found = blake2b(digest_size=20)
    for part in (shape, _lengths(texts)):
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    # A subclass may have its own idea of what its lower case or its pieces are.
    if any(kind is not str for kind in set(map(type, texts))):
        names = (f"{type(text).__module__}.{type(text).__qualname__}" for text in texts)
        found.update(" ".join(names).encode("utf-8", "surrogatepass"))
    for some in _parts(texts):
        found.update("".join(some).encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(texts), _TEXTS):
        yield texts[first : first + _TEXTS]
