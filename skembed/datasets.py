"""Real data that every installation already has: the docstrings of three libraries."""

import importlib
import inspect
import pkgutil
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import takewhile
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

__all__ = ["load_docstrings", "load_see_also"]

_LIBRARIES = ("numpy", "scipy", "sklearn")

# A one-line docstring holds too little to tell one subpackage from another.
_MIN_TOKENS = 50
# Enough for ten stratified folds with three documents of the class in each.
_MIN_DOCUMENTS = 30
# One for each of ten stratified folds.
_MIN_NODES = 10

_TOKEN = re.compile(r"(?u)\b\w\w+\b")
# A section ends where the next title is underlined.
_SEE_ALSO = re.compile(
    r"^See [Aa]lso\n-+\n(.*?)(?=^\S[^\n]*\n[-=]{3,}$|\Z)", re.M | re.S
)
# What separates names from their description; colons of roles have no space behind.
_DESCRIPTION = re.compile(r"\s*:(?:\s|$)")
_NAME = re.compile(r"(?::[\w:]+:)?`?[~!.]?(?P<name>\w[\w.]*\w|\w)`?\.?")

# Names with and without the package that they are in.
_SKIPPED = frozenset(
    {
        "conftest",
        "setup",
        "test",
        "tests",
        # Deprecated as a whole: other modules hold what is documented there.
        "numpy.core",
        "numpy.matlib",
        "scipy.misc",
        # Build tools and plug-ins, which change their surroundings when imported.
        "numpy.distutils",
        "numpy.f2py",
        "numpy.typing.mypy_plugin",
        # Other people's code, switches that change scikit-learn, and a test suite.
        "sklearn.externals",
        "sklearn.experimental",
        "sklearn.utils.estimator_checks",
    }
)

# Machinery that nearly every scikit-learn class repeats in nearly the same words.
_BOILERPLATE = re.compile(
    r"(get|set)_params|get_metadata_routing|set_output|set_\w+_request"
)
# SciPy writes some docstrings while it is imported, with a set in hash order and with
# numbers drawn afresh (the latter are marked): neither is the same in two processes.
_SET = re.compile(r"``\{('[^{}:]*')\}``")
_DOCTEST_OUTPUT = re.compile(
    r"^(?P<prompt>[ \t]*(?:>>>|\.\.\.).*\n)(?:[ \t]*(?!>>>|\.\.\.)\S.*(?:\n|\Z))+", re.M
)
# Classes behind an experimental switch exist only once somebody has thrown it; left
# in, the corpus would depend on what the process imported earlier.
_EXPERIMENTAL = "from sklearn.experimental import enable_"


class _Item(NamedTuple):
    name: str
    label: str
    value: Any


class _Document(NamedTuple):
    name: str
    label: str
    text: str


@validate_params(
    {"subset": [str, "array-like", None], "return_X_y": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_docstrings(
    *, subset: str | Iterable[str] | None = None, return_X_y: bool = False
) -> Bunch | tuple[list[str], np.ndarray]:
    """Load the docstrings of NumPy, SciPy and scikit-learn for classification.

    A text classification data set that needs no download: the public docstrings of
    the three libraries as they are installed, each labelled with the subpackage that
    it documents, such as ``numpy.ma``, ``scipy.stats`` or ``sklearn.linear_model``.
    There are about 3,000 documents in 30 classes, and a million tokens. The content
    changes with the installed versions; for given versions it is the same, in the
    same order, in every process.

    Parameters
    ----------
    subset : {"numpy", "scipy", "sklearn"}, array-like of these or None, default=None
        The libraries whose docstrings are returned. If None, all three. A subset
        holds exactly the documents that the whole data set has for these libraries,
        in the same order.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : list of str of length n_documents
            The docstrings, without their common indentation.
        target : ndarray of shape (n_documents,), dtype=int64
            The class of each document, as a position in `target_names`.
        target_names : list of str of length n_classes
            The subpackages, in alphabetical order. Functions and classes at the
            top level of NumPy have the label ``"numpy"``.
        names : list of str of length n_documents
            The qualified name of the object that each document belongs to. It is
            not part of the text.
        left_out : dict of str to int
            Number of documents of each subpackage that is left out for having
            too few of them.
        skipped_modules : list of str
            Public modules that could not be imported, because an optional
            dependency is missing for example. Their docstrings are not included.
        versions : dict of str to str
            The installed version of each library.
        DESCR : str
            Description of the data set.

    (data, target) : tuple if `return_X_y` is True
        The documents and their classes, as described above.

    Raises
    ------
    ValueError
        If `subset` names something other than the three libraries, or nothing.
    RuntimeError
        If Python runs without docstrings (option ``-OO``).

    See Also
    --------
    sklearn.datasets.fetch_20newsgroups : Another text data set, by download.

    Notes
    -----
    Documents are the docstrings of public functions and classes and of the public
    methods and properties of these classes. An object that is available under
    several names is included once, at the module that defines it, and a member once,
    at the class that defines it; of identical texts the first is kept. Deprecated
    and experimental objects are left out, as are docstrings of fewer than 50 tokens,
    the methods that scikit-learn adds to every estimator (``get_params`` and the
    like), example output that is marked as varying and, finally, subpackages with
    fewer than 30 documents. Loading imports every public module of the libraries,
    which takes a few seconds in a fresh process.

    Examples
    --------
    >>> from skembed.datasets import load_docstrings
    >>> docstrings = load_docstrings(subset="scipy")
    >>> len(docstrings.data) == len(docstrings.target)
    True
    >>> "scipy.stats" in docstrings.target_names
    True
    """
    libraries = _check_subset(subset)
    _check_docstrings("load_docstrings")
    documents, failed = _collect()
    documents = [d for d in documents if _root(d.name) in libraries]
    counts = Counter(document.label for document in documents)
    target_names = sorted(k for k, n in counts.items() if n >= _MIN_DOCUMENTS)
    codes = {label: code for code, label in enumerate(target_names)}
    documents = [document for document in documents if document.label in codes]
    data = [document.text for document in documents]
    target = np.array([codes[document.label] for document in documents], dtype=np.int64)
    if return_X_y:
        return data, target
    bunch = Bunch(
        data=data,
        target=target,
        target_names=target_names,
        names=[document.name for document in documents],
        left_out={k: counts[k] for k in sorted(counts) if k not in codes},
        skipped_modules=[name for name in failed if _root(name) in libraries],
        versions=_versions(libraries),
    )
    n_tokens = sum(len(_TOKEN.findall(text)) for text in data)
    bunch.DESCR = _describe(
        "Public docstrings as installed, labelled by subpackage.",
        {"Documents": len(data), "Tokens": n_tokens},
        bunch,
        f"fewer than {_MIN_DOCUMENTS} documents",
    )
    return bunch


def load_see_also() -> Bunch:
    """Load the graph of "See Also" links of NumPy, SciPy and scikit-learn.

    A directed graph with labelled nodes that needs no download, for link prediction and
    for the classification of nodes. The nodes are public functions, classes, methods
    and properties of the three libraries as they are installed. A link goes from an
    object to another one that the section "See Also" of its docstring names. There are
    about 2,300 nodes in about 30 classes, and 5,400 links. 58 % of the links have a
    reverse. The content changes with the installed versions; for given versions it is
    the same, in the same order, in every process.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        edges : ndarray of shape (n_edges, 2), dtype=object
            The links: the names of the object that has the section and of the object
            that it names. They are sorted, distinct, and between two different nodes.
        nodes : ndarray of shape (n_nodes,), dtype=object
            The qualified names of all objects with a link, in alphabetical order.
        target : ndarray of shape (n_nodes,), dtype=int64
            The class of each node, as a position in `target_names`.
        target_names : list of str of length n_classes
            The subpackages, as in `load_docstrings`, in alphabetical order.
        left_out : dict of str to int
            Number of nodes of each subpackage that is left out for having too few of
            them.
        unresolved : list of tuple (str, str)
            Name of an object, and a name in its section that is not a public object of
            the three libraries, such as a function of Python.
        skipped_modules : list of str
            Public modules that could not be imported, because an optional
            dependency is missing for example. Their objects are not included.
        versions : dict of str to str
            The installed version of each library.
        DESCR : str
            Description of the data set.

    Raises
    ------
    RuntimeError
        If Python runs without docstrings (option ``-OO``).

    See Also
    --------
    load_docstrings : The texts of the same objects.
    skembed.graphs.GraphEmbedder : Vectors of the nodes of a graph.

    Notes
    -----
    Names are looked up in the class, the module and the packages of the object that
    refers to them. Objects are chosen as in `load_docstrings`, except that their
    docstrings can be short: experimental and deprecated ones are left out. Objects with
    the same docstring are one node, which has the name with the fewest parts.
    Subpackages with fewer than 10 nodes are left out with their links. Loading imports
    every public module of the libraries, which takes a few seconds in a fresh process.

    Examples
    --------
    >>> from skembed.datasets import load_see_also
    >>> graph = load_see_also()
    >>> ["numpy.sin", "numpy.arcsin"] in graph.edges.tolist()
    True
    >>> len(graph.nodes) == len(graph.target)
    True
    """
    _check_docstrings("load_see_also")
    items, modules, failed = _collect_items()
    labels = {item.name: item.label for item in items}
    with warnings.catch_warnings():
        # Names of deprecated objects, which are not among the items.
        warnings.simplefilter("ignore")
        links, unresolved = _see_also_links(items, modules)
    links, left_out = _drop_small_classes(links, labels)
    nodes = sorted({name for link in links for name in link})
    target_names, target = np.unique(
        [labels[name] for name in nodes], return_inverse=True
    )
    bunch = Bunch(
        edges=np.array(sorted(links), dtype=object),
        nodes=np.array(nodes, dtype=object),
        target=target.astype(np.int64),
        target_names=target_names.tolist(),
        left_out=left_out,
        unresolved=unresolved,
        skipped_modules=failed,
        versions=_versions(_LIBRARIES),
    )
    sizes = {"Nodes": len(nodes), "Links": len(links)}
    bunch.DESCR = _describe(
        '"See Also" links of docstrings as installed, labelled by subpackage.',
        {**sizes, "Names of something else, not included": len(unresolved)},
        bunch,
        f"fewer than {_MIN_NODES} nodes",
    )
    return bunch


def _check_docstrings(loader: str) -> None:
    # Our own docstrings and those of the libraries are stripped by the same option.
    if __doc__ is None:
        raise RuntimeError(
            f"{loader} needs docstrings, and Python runs without them (option "
            "-OO or PYTHONOPTIMIZE=2). Start Python without that option."
        )


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    return {name: importlib.import_module(name).__version__ for name in libraries}


def _check_subset(subset: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the chosen libraries, in the order of `_LIBRARIES`."""
    if subset is None:
        return _LIBRARIES
    chosen = [subset] if isinstance(subset, str) else list(subset)
    wrong = [name for name in chosen if name not in _LIBRARIES]
    if wrong or not chosen:
        problem = f"{wrong[0]!r} is not one of them" if wrong else "it is empty"
        raise ValueError(
            f"subset={subset!r} must name libraries among {list(_LIBRARIES)}, but "
            f"{problem}. Pass one name, a list of names, or None for all."
        )
    return tuple(name for name in _LIBRARIES if name in chosen)


def _collect() -> tuple[list[_Document], list[str]]:
    """Return the documents of all libraries and the modules that failed to import.

    A subset is chosen afterwards: a text that two libraries share belongs to the first
    of them, whichever is asked for.
    """
    items, _, failed = _collect_items()
    documents = [_Document(*item[:2], _docstring(item.value)) for item in items]
    long = [d for d in documents if len(_TOKEN.findall(d.text)) >= _MIN_TOKENS]
    return _drop_repeated(long), failed


def _collect_items() -> tuple[list[_Item], list[ModuleType], list[str]]:
    """Return the objects and members of all libraries, their modules, what failed."""
    with warnings.catch_warnings():
        # The user did not ask for the deprecated modules that are met on the way, and
        # should not hear about them.
        warnings.simplefilter("ignore")
        # All imports before the first reading: SciPy rewrites some of NumPy's texts.
        imported = {library: _import_public_modules(library) for library in _LIBRARIES}
        items = [
            item
            for library, (modules, _) in imported.items()
            for item in _library_items(library, modules)
        ]
    modules = [module for found, _ in imported.values() for module in found]
    return items, modules, [name for _, names in imported.values() for name in names]


def _is_skipped(qualified_name: str) -> bool:
    leaf = qualified_name.rpartition(".")[2]
    return leaf.startswith("_") or leaf in _SKIPPED or qualified_name in _SKIPPED


def _import_public_modules(library: str) -> tuple[list[ModuleType], list[str]]:
    """Import the public modules of a library; also name those that cannot be."""
    modules: list[ModuleType] = []
    failed: list[str] = []
    waiting = [library]
    while waiting:
        name = waiting.pop()
        try:
            module = importlib.import_module(name)
        except ImportError:
            failed.append(name)
            continue
        modules.append(module)
        found = pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}.")
        waiting += sorted(info.name for info in found if not _is_skipped(info.name))
    return sorted(modules, key=lambda module: module.__name__), sorted(failed)


def _library_items(library: str, modules: list[ModuleType]) -> list[_Item]:
    """Return what a library documents: objects first, then members."""
    found = _public_objects(library, modules)
    objects = [item for item in found if _EXPERIMENTAL not in _docstring(item.value)]
    classes = [item for item in objects if inspect.isclass(item.value)]
    return objects + _members(library, classes)


def _public_objects(library: str, modules: list[ModuleType]) -> list[_Item]:
    """Return each callable that the library defines once, ordered by name."""
    places: dict[int, tuple[Any, list[tuple[str, str]]]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for module in modules:
            for name in _public_names(module):
                try:
                    value = getattr(module, name)
                except (Warning, AttributeError, ImportError):
                    # In this order: deprecated, listed without existing, experimental.
                    continue
                owner = getattr(value, "__module__", None) or library
                if callable(value) and _root(owner) == library:
                    found = places.setdefault(id(value), (value, []))[1]
                    found.append((module.__name__, name))
    items = []
    for value, found in places.values():
        module_name, name = min(found, key=lambda place: _home_order(value, *place))
        label = ".".join(module_name.split(".")[:2])
        items.append(_Item(f"{module_name}.{name}", label, value))
    return sorted(items, key=lambda item: item.name)


def _public_names(module: ModuleType) -> list[str]:
    names = vars(module).get("__all__")
    if names is None:
        names = [
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__
        ]
    return sorted(
        name for name in set(names) if not _is_skipped(f"{module.__name__}.{name}")
    )


def _home_order(value: Any, module: str, name: str) -> tuple[int, int, bool, str, str]:
    """Rank a place where an object is found; the lowest is where it is at home."""
    shared = _shared_parts(module, getattr(value, "__module__", None) or "")
    alias = getattr(value, "__name__", name) != name
    return -shared, module.count("."), alias, module, name


def _members(library: str, classes: list[_Item]) -> list[_Item]:
    """Return the public methods and properties, each at one class, by name.

    What a class inherits from another public class is listed at the latter. What
    comes from a private base is listed at the public heir nearest to that base.
    """
    public = {item.value for item in classes}
    found: dict[int, list[tuple[int, str, str, Any]]] = defaultdict(list)
    for item in classes:
        seen: set[str] = set()
        for base in item.value.__mro__:
            new = {k: v for k, v in vars(base).items() if k not in seen}
            seen.update(new)
            inherited = base is not item.value and base in public
            if inherited or _root(base.__module__) != library:
                continue
            shared = _shared_parts(item.name, base.__module__)
            for name, value in new.items():
                if _is_member(name, value):
                    place = (-shared, f"{item.name}.{name}", item.label, value)
                    found[id(value)].append(place)
    best = [min(places, key=lambda place: place[:2]) for places in found.values()]
    return sorted((_Item(*place[1:]) for place in best), key=lambda item: item.name)


def _is_member(name: str, value: Any) -> bool:
    # Functions, properties and their compiled counterparts are descriptors; numbers,
    # arrays and nested classes are not.
    described = hasattr(type(value), "__get__") and not inspect.isclass(value)
    return described and not name.startswith("_") and not _BOILERPLATE.fullmatch(name)


def _docstring(value: Any) -> str:
    """Return an object's own docstring; an instance does not borrow its class's."""
    text = getattr(value, "__doc__", None)
    borrowed = not inspect.isclass(value) and text == type(value).__doc__
    if borrowed or not isinstance(text, str):
        return ""
    text = _SET.sub(_sort_set, inspect.cleandoc(text))
    return _DOCTEST_OUTPUT.sub(_drop_varying, text)


def _sort_set(match: re.Match[str]) -> str:
    return f"``{{{', '.join(sorted(match[1].split(', ')))}}}``"


def _drop_varying(match: re.Match[str]) -> str:
    return match["prompt"] if "# may vary" in match[0] else match[0]


def _drop_repeated(documents: list[_Document]) -> list[_Document]:
    """Keep the first of the documents that differ in nothing but white space."""
    first: dict[str, _Document] = {}
    for document in documents:
        first.setdefault(" ".join(document.text.split()), document)
    return list(first.values())


def _root(qualified_name: str) -> str:
    return qualified_name.partition(".")[0]


def _shared_parts(name: str, other: str) -> int:
    """Count the leading parts that two dotted names have in common."""
    pairs = zip(name.split("."), other.split("."), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _see_also_links(
    items: list[_Item], modules: list[ModuleType]
) -> tuple[set[tuple[str, str]], list[tuple[str, str]]]:
    """Return the links between objects, and the names that were not found."""
    # Objects with the same text are one node. It has the name with the fewest parts:
    # numpy.sin, not numpy.ma.core.sin.
    items = sorted(items, key=lambda item: (item.name.count("."), item.name))
    texts = {item.name: _docstring(item.value) for item in items}
    first: dict[str, str] = {}
    nodes = {
        id(item.value): first.setdefault(" ".join(texts[item.name].split()), item.name)
        for item in items
        if texts[item.name]
    }
    named = {module.__name__: module for module in modules}
    links: set[tuple[str, str]] = set()
    unresolved = []
    for source in first.values():
        for name in _see_also_names(texts[source]):
            target = _resolve(name, source, named, nodes)
            if target is None:
                unresolved.append((source, name))
            elif target != source:
                links.add((source, target))
    return links, sorted(unresolved)


def _see_also_names(text: str) -> list[str]:
    """Return the names in the section "See Also" of a docstring, without roles."""
    section = _SEE_ALSO.search(text)
    lines = section[1].splitlines() if section else []
    # Indented lines are descriptions.
    heads = [_DESCRIPTION.split(line, 1)[0] for line in lines if line[:1].strip()]
    found = [
        _NAME.fullmatch(part.strip()) for head in heads for part in head.split(",")
    ]
    return [match["name"] for match in found if match]


def _resolve(
    name: str, source: str, modules: dict[str, ModuleType], nodes: dict[int, str]
) -> str | None:
    """Return the node that `name` means in the docstring of `source`, None if none.

    The nearest place counts: first the class or module of `source`, then the packages
    that it is in, last the name as it stands.
    """
    parts = source.split(".")
    for n_parts in range(len(parts) - 1, -1, -1):
        found = _look_up([*parts[:n_parts], *name.split(".")], modules)
        if id(found) in nodes:
            return nodes[id(found)]
    return None


def _look_up(parts: list[str], modules: dict[str, ModuleType]) -> Any:
    """Return the object with a qualified name, None if there is no such object."""
    for n_parts in range(len(parts) - 1, 0, -1):
        value: Any = modules.get(".".join(parts[:n_parts]))
        if value is None:
            continue
        for part in parts[n_parts:]:
            # As it is in the class: a property itself, not what it returns.
            get = inspect.getattr_static if inspect.isclass(value) else getattr
            try:
                value = get(value, part)
            except (AttributeError, ImportError):
                return None
        return value
    return None


def _drop_small_classes(
    links: set[tuple[str, str]], labels: dict[str, str]
) -> tuple[set[tuple[str, str]], dict[str, int]]:
    """Drop the links of classes with few nodes; also count the nodes of these classes.

    Without these links other nodes may have none, so that their classes become small.
    """
    left_out: dict[str, int] = {}
    while True:
        nodes = {name for link in links for name in link}
        sizes = Counter(labels[name] for name in nodes)
        small = {label: n for label, n in sorted(sizes.items()) if n < _MIN_NODES}
        if not small:
            return links, left_out
        left_out |= small
        links = {
            link for link in links if small.keys().isdisjoint(labels[n] for n in link)
        }


def _describe(title: str, sizes: dict[str, int], bunch: Bunch, reason: str) -> str:
    """Write the description that goes with the data in `bunch`."""
    versions = ", ".join(f"{name} {number}" for name, number in bunch.versions.items())
    left_out = ", ".join(f"{name} ({n})" for name, n in bunch.left_out.items())
    failed = ", ".join(bunch.skipped_modules)
    counts = zip(bunch.target_names, np.bincount(bunch.target), strict=True)
    lines = [
        title,
        "",
        f"Versions: {versions}",
        *(f"{name}: {size}" for name, size in sizes.items()),
        f"Classes: {len(bunch.target_names)}",
        *(f"    {name:<32}{size:>6}" for name, size in counts),
        "",
        f"Left out, {reason}: {left_out or 'none'}",
        f"Modules that could not be imported: {failed or 'none'}",
    ]
    return "\n".join(lines) + "\n"
