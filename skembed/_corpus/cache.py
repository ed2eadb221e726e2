"""The implementation of `memory`: cached results, and keys for their inputs.

Pickle identifies a function by its name, and so does not notice that it was edited.
Here, a function is identified by its code and its state. Keys are the same in every
process: they do not depend on file names, line numbers, addresses in memory or the seed
of Python's hashes.
"""

import copyreg
import functools
import os
import types
import unicodedata
import warnings
from array import array
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

# Texts that are joined at once, and their characters, which bound the memory for them.
_TEXTS, _SIZE = 2**14, 2**22
# Bytes of a row of the table whose column sums make a checksum.
_ROW = 2**12
# Types whose `repr` identifies a value.
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

# It is held for a few steps at a time, so one lock is enough for the process.
_lock = Lock()


def _renew_lock() -> None:
    global _lock
    _lock = Lock()


# The thread that holds it during a fork does not exist in the child.
after_fork(_renew_lock)


class Recent:
    """The results of the last calls in this process, up to a number of bytes.

    Parameters
    ----------
    limit : int
        Bytes of all results together. A larger result is not kept.
    """

    def __init__(self, limit: int):
        self.limit = limit
        # A fork may happen between any two steps, so no running total is kept, which
        # could be out of date.
        self._held: OrderedDict[Any, tuple[Any, int]] = OrderedDict()

    def get(self, key: Any) -> Any:
        """Return a result, which must not be changed, or None."""
        with _lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def add(self, key: Any, result: Any, n_bytes: int) -> None:
        """Keep a result. The least recently used results are dropped."""
        with _lock:
            if key in self._held or n_bytes > self.limit:
                return
            self._held[key] = result, n_bytes
            while sum(n for _, n in self._held.values()) > self.limit:
                self._held.popitem(last=False)


# The keys are hashes of str, which str objects cache. The next fit on the documents of
# a fold therefore identifies them at once. An entry takes less than `_ENTRY` bytes.
_digests = Recent(2**18)
_ENTRY = 2**10


class _Work:
    """A computation that a memory identifies by its key only."""

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
    """Return a checksum that depends on all bits, types and shapes."""
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

    A change within one row of the table always changes a column sum.
    """
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    n_whole = data.size // _ROW * _ROW
    table = data[:n_whole].view(np.uint64).reshape(-1, _ROW // 8)
    for part in (table.sum(axis=0), table.sum(axis=1), data[n_whole:]):
        found = crc32(part.data, found)
    return found


def _is_whole(kept: Any) -> bool:
    """Whether the result that a memory returns is undamaged."""
    try:
        return kept[-1] == _checksum(kept[:-1])
    except (TypeError, ValueError, LookupError):
        # A damaged file may contain anything.
        return False


def keep(
    memory: Any, key: str, compute: Callable[[], tuple[np.ndarray | bytes | None, ...]]
) -> tuple[tuple[Any, ...], str | None]:
    """Return the result that `memory` keeps under a key, or compute it.

    Parameters
    ----------
    memory : str, path or object with the interface of joblib.Memory
        If writing fails, nothing is kept, and there is a warning. A damaged result is
        computed again and replaced.
    key : str
        See `key_of`.
    compute : callable
        A function without arguments that returns a tuple.

    Returns
    -------
    parts : tuple
        The result of `compute`. The caller may change its arrays.
    key : str or None
        None if reading or writing has failed.

    Raises
    ------
    ValueError
        If the folder cannot be created.
    """
    work = _Work(key, compute)
    kept_under: str | None = key
    try:
        parts = _load_or_run(memory, work)
    except (KeyError, OSError) as error:
        if work.under_way:
            # The error comes from the computation, not from reading or writing.
            raise
        # joblib maps the file that it has written, which is missing if writing failed.
        # It warns about that, but not about all other files that it could not write.
        if isinstance(error, OSError):
            warnings.warn(
                f"Unable to cache to disk with memory={memory!r}: {error}.",
                UserWarning,
                stacklevel=2,
            )
        kept_under = None
        parts = compute() if work.result is None else work.result
    if work.result is None or not _is_folder(memory):
        # Copies, because a map is read-only and an object may return them again.
        parts = tuple(
            np.array(part) if isinstance(part, np.ndarray) else part for part in parts
        )
    return parts, kept_under


def folder_of(memory: Any) -> str | None:
    """Return the folder of a `memory`, or None if it has none."""
    folder = getattr(memory, "location", memory)
    return os.fspath(folder) if _is_folder(folder) else None


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
        # joblib's metadata of `_run` are damaged, so all results are lost.
        call.clear(warn=False)
    if work.result is None and not _is_whole(kept):
        # joblib's `call` computes the result and replaces the damaged one.
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
            # Another process deleted it while it was created.
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
    """Return a key for results of this version that depend on the given values.

    Parameters
    ----------
    *parts : str, number, None, array or tuple of these
        Type and shape of arrays are part of the key.

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
    contents = blake2b(np.ascontiguousarray(part).data, digest_size=20)
    return part.dtype.str, part.shape, contents.hexdigest()


def digest(documents: Sequence[Any]) -> str | None:
    """Return a digest of documents, much faster than hashing every object.

    Parameters
    ----------
    documents : sequence of str, or of lists, tuples or 1-D arrays of str

    Returns
    -------
    str or None
        None if there are other objects among them.
    """
    texts, shape = documents, b"raw"
    kinds: set[type] = set(map(type, documents))
    if not all(issubclass(kind, str) for kind in kinds):
        texts, shape = _flat(documents)
        kinds = set(map(type, texts))
    if kinds != {str}:
        return _digest(documents)
    hashes = np.fromiter(map(hash, texts), np.int64, len(texts)).tobytes()
    key = tuple(blake2b(part, digest_size=20).digest() for part in (shape, hashes))
    found = _digests.get(key)
    if found is None:
        found = _digest(documents)
        _digests.add(key, found, _ENTRY)
    return found


def _flat(documents: Sequence[Any]) -> tuple[list[Any], bytes]:
    """Return the tokens of all documents, and the length of each."""
    arrays = any(isinstance(document, np.ndarray) for document in documents)
    lists = list(map(_as_list, documents)) if arrays else documents
    return list(chain.from_iterable(lists)), b"tokens" + _lengths(lists)


def _as_list(document: Any) -> Any:
    return document.tolist() if isinstance(document, np.ndarray) else document


def _lengths(parts: Iterable[Any]) -> bytes:
    return np.fromiter(map(len, parts), np.int64).tobytes()


def _digest(documents: Iterable[Any]) -> str | None:
    found = Digest()
    for document in documents:
        found.add(document)
    return found.value()


class Digest:
    """The digest of documents that come one after the other, as in `digest`."""

    def __init__(self) -> None:
        self._shapes = array("q")  # tokens of each document, -1 if it is raw
        self._texts: list[Any] = []
        self._size = 0
        # Contents, lengths, types and shapes.
        self._parts = [blake2b(digest_size=20) for _ in range(4)]
        self._n_texts: int | None = 0

    def watch(self, documents: Iterable[Any]) -> Iterator[Any]:
        """Yield documents, and add them to the digest."""
        for document in documents:
            self.add(document)
            yield document

    def add(self, document: Any) -> None:
        """Add a document: a str, or a list, a tuple or a 1-D array of str."""
        if isinstance(document, str):
            self._texts.append(document)
            self._shapes.append(-1)
            self._size += len(document) + 1
        else:
            tokens = _as_list(document)
            self._texts += tokens
            self._shapes.append(len(tokens))
            self._size += len(tokens) + 1
        if self._size >= _SIZE or len(self._texts) >= _TEXTS:
            self._flush()

    def value(self) -> str | None:
        """Return the digest; None if there are objects other than str."""
        self._flush()
        if self._n_texts is None:
            return None
        parts = b"".join(part.digest() for part in self._parts)
        return blake2b(parts, digest_size=20).hexdigest()

    def _flush(self) -> None:
        texts, first = self._texts, self._n_texts
        kinds = set(map(type, texts))
        if first is None or not all(issubclass(kind, str) for kind in kinds):
            self._n_texts = None
        else:
            contents, lengths, names, shapes = self._parts
            contents.update("".join(texts).encode("utf-8", "surrogatepass"))
            lengths.update(_lengths(texts))
            shapes.update(self._shapes)
            # A subclass may define its own lower case or slices.
            if kinds - {str}:
                for number, text in enumerate(texts, first):
                    kind = type(text)
                    if kind is not str:
                        name = f"{number} {kind.__module__}.{kind.__qualname__} "
                        names.update(name.encode("utf-8", "surrogatepass"))
            self._n_texts = first + len(texts)
        self._texts, self._shapes, self._size = [], array("q"), 0


class UnhashableError(TypeError):
    """A value has a part that cannot be identified."""


def fingerprint(value: Any) -> str:
    """Return a digest that identifies a value, including its code.

    A function is identified by its bytecode, constants, defaults, closure and
    attributes. An object is identified by its state and the attributes of its class,
    including methods. Global names in a function, such as that of another function that
    it calls, are identified by the name only.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Raises
    ------
    UnhashableError
        If a part of it, such as an open file, cannot be identified.
    """
    # A class that is called is identified by its methods, other classes by their names.
    called = (value, _class_of(value)) if isinstance(value, type) else value
    try:
        return _Walk().digest(called).hex()
    except RecursionError as error:
        raise UnhashableError("it is nested too deeply") from error


class _Walk:
    """A traversal of all parts of a value that visits each part once."""

    def __init__(self) -> None:
        # The objects are kept, so that no other object gets the same address.
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
            # It is a part of itself, like a function that calls itself.
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
    # The name of the main program in processes that multiprocessing spawns.
    name = getattr(value, "__module__", None)
    return "__main__" if name == "__mp_main__" else name


def _parts_of(value: Any) -> Iterable[Any]:
    """Return the parts of an object, if they have an order."""
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
        # The meaning of global names depends on the module.
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
    """Whether an attribute describes the behaviour of a class, not its storage."""
    if name.startswith("__") or name == "_abc_impl":
        return type(attribute) in _METHODS
    return type(attribute) not in _BUILTIN


def _state_of(value: Any) -> tuple[Any, ...]:
    """Return the state of an object that pickle would store."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        found: Any = value.__reduce_ex__(4) if reduce is None else reduce(value)
        if isinstance(found, str):
            return _module(value), found
        # After the state come iterators over the items of a list and a dict.
        first, held = found[:3], found[3:5]
        return *first, *(list(iterator or ()) for iterator in held)
    except Exception as error:
        # The methods of a class may fail in any way.
        raise UnhashableError(f"{type(value).__qualname__}: {error}") from error
