"""What `memory` needs: results that it keeps, and what tells inputs apart.

Pickle knows a function by its name, and so takes an edited function for the one that
it was. Here its code and its state count, alike in every process: neither names of
files, numbers of lines and addresses in memory nor the seed of Python's hashes make a
difference.
"""

import copyreg
import functools
import os
import types
import unicodedata
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from threading import Lock
from typing import Any
from zlib import crc32

import joblib
import numpy as np
import sklearn
from sklearn.utils.validation import check_memory

from skembed import _version
from skembed._utils.forks import after_fork

# Texts that are joined at once, which bounds the memory for them.
_TEXTS = 2**14
# Bytes of a row of numbers whose sums make a checksum.
_ROW = 2**12
# Their `repr` says all there is to know.
_PLAIN = {type(None), bool, float, complex, str, type(...), type(NotImplemented)}
_BUILTIN = {
    types.BuiltinFunctionType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.MethodDescriptorType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
}
_METHODS = {types.FunctionType, staticmethod, classmethod, property}

# For a few steps at a time, so one lock does for all that is kept in the process.
_lock = Lock()


def _renew_lock() -> None:
    global _lock
    _lock = Lock()


# The thread that holds it at a fork does not exist in the child.
after_fork(_renew_lock)


class Recent:
    """The results of the last calls in this process, of at most so many bytes.

    Parameters
    ----------
    limit : int
        Bytes of all results. A larger one is not kept.
    """

    def __init__(self, limit: int):
        self.limit = limit
        # A fork may come between any two steps: there is no sum that could be behind.
        self._held: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def get(self, key: Any) -> Any:
        """Return a result, which must stay as it is, or None."""
        with _lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def add(self, key: Any, result: Any, n_bytes: int) -> None:
        """Keep a result, in place of those that have not been used for longest."""
        with _lock:
            if key in self._held or n_bytes > self.limit:
                return
            self._held[key] = result, n_bytes
            while sum(n for _, n in self._held.values()) > self.limit:
                self._held.popitem(last=False)


# By the hashes of str, which objects remember: the next fit on the documents of a fold
# tells them apart at once. An entry takes less than the bytes it is said to.
_digests = Recent(2**18)
_ENTRY = 2**10


class _Work:
    """Something to compute, which a memory knows by its key alone."""

    def __init__(self, key: str, compute: Callable[[], tuple[Any, ...]]):
        self.key = key
        self.compute = compute
        self.under_way = False
        self.result: tuple[Any, ...] | None = None

    def __getstate__(self) -> str:
        return self.key

    def __repr__(self) -> str:
        return self.key


def _run(work: _Work) -> tuple[Any, ...]:
    """Compute a result, and return it with its checksum."""
    if work.result is None:
        work.under_way = True
        work.result = work.compute()
        work.under_way = False
    return (*work.result, _checksum(work.result))


def _checksum(parts: tuple[Any, ...]) -> int:
    """Return what accidents change: other bits, types or shapes."""
    found = 0
    for part in parts:
        if isinstance(part, np.ndarray):
            found = crc32(f"{part.dtype.str} {part.shape}".encode(), found)
            found = _add_array(part, found)
        else:
            found = crc32(
                part if isinstance(part, bytes) else repr(part).encode(), found
            )
    return found


def _add_array(array: np.ndarray, found: int) -> int:
    """Add an array to a checksum, at nearly the speed of memory.

    A change within one row of the table cannot leave all sums of columns as they were.
    """
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    n_whole = data.size // _ROW * _ROW
    table = data[:n_whole].view(np.uint64).reshape(-1, _ROW // 8)
    for part in (table.sum(axis=0), table.sum(axis=1), data[n_whole:]):
        found = crc32(part.data, found)
    return found


def _is_whole(kept: Any) -> bool:
    """Whether what a memory returns is what it was given."""
    try:
        return kept[-1] == _checksum(kept[:-1])
    except (TypeError, ValueError, LookupError):
        # A damaged file may hold anything.
        return False


def keep(
    memory: Any, key: str, compute: Callable[[], tuple[np.ndarray | bytes | None, ...]]
) -> tuple[tuple[Any, ...], str | None]:
    """Return what `memory` keeps under a key, or compute it.

    Parameters
    ----------
    memory : str, path or object with the interface of joblib.Memory
        Nothing is kept where writing fails; there is a warning then. What is damaged
        is computed anew, and replaced.
    key : str
        See `key_of`.
    compute : callable
        Without arguments; returns a tuple.

    Returns
    -------
    parts : tuple
        What `compute` returns. The caller may change its arrays.
    key : str or None
        None if reading or writing has failed.

    Raises
    ------
    ValueError
        If the folder cannot be made.
    """
    work = _Work(key, compute)
    kept_under: str | None = key
    try:
        parts = _load_or_run(memory, work)
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
        kept_under = None
        parts = compute() if work.result is None else work.result
    if work.result is None or not _is_folder(memory):
        # Of a map that is read-only, or of an object that hands them out again.
        parts = tuple(
            np.array(part) if isinstance(part, np.ndarray) else part for part in parts
        )
    return parts, kept_under


def _is_folder(memory: Any) -> bool:
    return isinstance(memory, (str, os.PathLike))


def _load_or_run(memory: Any, work: _Work) -> tuple[Any, ...]:
    call = _remembering(memory)
    kept: Any = None
    try:
        kept = call(work)
    except ValueError:
        if work.under_way or not hasattr(call, "clear"):
            raise
        # What joblib has noted of `_run` is damaged, and with it all results are lost.
        call.clear(warn=False)
    if work.result is None and not _is_whole(kept):
        # joblib's `call` computes, and replaces what there is.
        getattr(call, "call", _run)(work)
    return kept[:-1] if work.result is None else work.result


def _remembering(memory: Any) -> Callable[[_Work], Any]:
    """Return `_run` as a function whose results a memory keeps."""
    try:
        if _is_folder(memory):
            # Mapping is faster than reading, and processes share the pages.
            memory = joblib.Memory(os.fspath(memory), mmap_mode="r", verbose=0)
        return check_memory(memory).cache(_run)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and _can_be_made(memory):
            # Deleted by somebody else while it was made.
            raise
        raise ValueError(
            f"memory={memory!r} cannot be used as a folder: {error}. Pass one that "
            "can be written to, or None."
        ) from error


def _can_be_made(memory: Any) -> bool:
    try:
        os.makedirs(getattr(memory, "location", memory), exist_ok=True)
    except OSError:
        return False
    return True


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
        _version.__version__,
        sklearn.__version__,
        unicodedata.unidata_version,
    )
    return joblib.hash((versions, *map(_plain, parts)))


def _plain(part: Any) -> Any:
    if not isinstance(part, np.ndarray):
        return part
    contents = blake2b(np.ascontiguousarray(part).tobytes(), digest_size=20)
    return part.dtype.str, part.shape, contents.hexdigest()


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


class UnhashableError(TypeError):
    """A value has a part that nothing tells apart from others."""


def fingerprint(value: Any) -> str:
    """Return what tells a value apart from others, by the code that it holds too.

    A function counts with its bytecode, constants, defaults, closure and attributes,
    an object with its state and the attributes of its class, methods among them.
    What a function refers to by a global name, such as another function that it
    calls, counts with this name alone.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Raises
    ------
    UnhashableError
        If a part of it, such as an open file, cannot be told apart.
    """
    # A class that is called is known by its methods, other classes by their names.
    called = (value, _class_of(value)) if isinstance(value, type) else value
    try:
        return _Walk().digest(called).hex()
    except RecursionError as error:
        raise UnhashableError("it is nested too deeply") from error


class _Walk:
    """A walk through all parts of a value, which visits each of them once."""

    def __init__(self) -> None:
        # With the objects, so that no other one takes the address meanwhile.
        self._known: dict[int, tuple[Any, bytes]] = {}
        self._open: dict[int, int] = {}

    def digest(self, value: Any) -> bytes:
        kind = type(value)
        if kind in _PLAIN:
            return _hash([kind.__name__, repr(value)])
        if kind is int:
            # `repr` refuses very large ones.
            return _hash([kind.__name__, f"{value:x}"])
        if kind is bytes:
            return _hash([kind.__name__, value])
        if id(value) in self._known:
            return self._known[id(value)][1]
        if id(value) in self._open:
            # It is a part of itself, as a function that calls itself.
            return _hash(["open", str(self._open[id(value)])])
        self._open[id(value)] = len(self._open)
        found = _hash(self._parts(value))
        del self._open[id(value)]
        self._known[id(value)] = value, found
        return found

    def _parts(self, value: Any) -> Iterator[str | bytes]:
        kind = type(value)
        yield kind.__name__
        if kind in (set, frozenset):
            yield from sorted(map(self.digest, value))
        elif kind is dict:
            for pair in value.items():
                yield from map(self.digest, pair)
        else:
            yield from map(self.digest, _parts_of(value))


def _hash(parts: Iterable[str | bytes]) -> bytes:
    found = blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "little"))
        found.update(data)
    return found.digest()


def _module(value: Any) -> str | None:
    # What multiprocessing calls the program in processes that it spawns.
    name = getattr(value, "__module__", None)
    return "__main__" if name == "__mp_main__" else name


def _parts_of(value: Any) -> Iterable[Any]:
    """Return what an object consists of, if that has an order."""
    kind = type(value)
    if isinstance(value, type):
        return _module(value), value.__qualname__
    if kind in (tuple, list):
        return value
    if kind is types.FunctionType:
        return _parts_of_function(value)
    if kind is types.CodeType:
        return _parts_of_code(value)
    if kind is types.MethodType:
        return value.__func__, value.__self__, _class_of(value.__self__)
    if kind in _BUILTIN:
        owner = "__self__" if hasattr(value, "__self__") else "__objclass__"
        return value.__name__, _module(value), getattr(value, owner)
    if kind is types.ModuleType:
        return (value.__name__,)
    if kind is property:
        return value.fget, value.fset, value.fdel
    if kind is functools.cached_property:
        return (value.func,)
    if kind in (staticmethod, classmethod, functools._lru_cache_wrapper):
        return (value.__wrapped__,)
    return _state_of(value) + (_class_of(value) if callable(value) else ())


def _parts_of_function(function: types.FunctionType) -> tuple[Any, ...]:
    cells = [_content(cell) for cell in function.__closure__ or ()]
    return (
        # Global names have their meaning in a module.
        _module(function),
        function.__code__,
        function.__defaults__,
        function.__kwdefaults__,
        cells,
        vars(function),
    )


def _content(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # not assigned yet
        return ()


def _parts_of_code(code: types.CodeType) -> tuple[Any, ...]:
    return (
        code.co_code,
        code.co_exceptiontable,
        code.co_consts,
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        code.co_flags,
    )


def _class_of(value: Any) -> tuple[Any, ...]:
    """Return the attributes of the class of an object that is called."""
    kind = value if isinstance(value, type) else type(value)
    return tuple(
        (_module(base), base.__qualname__, name, attribute)
        for base in kind.__mro__
        for name, attribute in sorted(vars(base).items())
        if _is_own(name, attribute)
    )


def _is_own(name: str, attribute: Any) -> bool:
    """Whether an attribute is what a class does, and not how Python keeps it."""
    if name.startswith("__") or name == "_abc_impl":
        return type(attribute) in _METHODS
    return type(attribute) not in _BUILTIN


def _state_of(value: Any) -> tuple[Any, ...]:
    """Return what pickle would keep of an object."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        found: Any = value.__reduce_ex__(4) if reduce is None else reduce(value)
        if isinstance(found, str):
            return _module(value), found
        # After the state, iterators over what a list and a dict hold.
        first, held = found[:3], found[3:5]
        return *first, *(list(iterator or ()) for iterator in held)
    except Exception as error:
        # A class says so in its own way, and may fail in any.
        raise UnhashableError(f"{type(value).__qualname__}: {error}") from error
