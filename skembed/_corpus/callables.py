"""What tells callables apart: their code and their state, alike in every process.

Pickle knows a function by its name, and so takes an edited function for the one that
it was. Here neither names of files, numbers of lines and addresses in memory nor the
seed of Python's hashes make a difference.
"""

import copyreg
import functools
import types
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

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
