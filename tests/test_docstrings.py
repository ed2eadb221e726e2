"""Every public docstring passes numpydoc's own validation (the extra dev)."""

import importlib
import inspect
import pkgutil
import re

import pytest

import skembed
from skembed import inspection, pooling
from skembed._counts import count
from skembed._tying import bias, strategies
from skembed.pooling import _features

# numpydoc brings Sphinx with it, which no other test needs.
validate = pytest.importorskip("numpydoc.validate").validate

# Codes of numpydoc which are not held against a docstring, and why.
IGNORED = {
    "GL01": "the summary stands on the line of the opening quotes, as in NumPy",
    "ES01": "an extended summary is written where one line does not say enough",
    "SA01": "a See Also section is written where there is something to see",
    "EX01": "examples belong to classes and functions, not to every method",
    "RT02": "returned values carry a name, as in scikit-learn",
}
# Three embedders, the three methods they inherit, one loader: fewer would mean that
# the walk below has lost its way.
MIN_OBJECTS = 7


def public_modules():
    """Names of the package and of its modules without a leading underscore."""
    found = [info.name for info in pkgutil.iter_modules(skembed.__path__)]
    return ["skembed", *(f"skembed.{name}" for name in found if name[0] != "_")]


def is_ours(obj):
    return (getattr(obj, "__module__", None) or "").startswith("skembed")


def members_of(cls, name):
    """Public methods and properties of a class that were written in this package."""
    for attribute in dir(cls):
        if attribute.startswith("_"):
            continue
        member = inspect.getattr_static(cls, attribute)
        if isinstance(member, property):
            written = member.fget
        else:
            # Resolved: a method may sit behind a descriptor, as with `available_if`.
            written = member = getattr(cls, attribute)
            # A class method is bound anew at each look-up.
            written = getattr(written, "__func__", written)
        if callable(written) and is_ours(inspect.unwrap(written)):
            yield f"{name}.{attribute}", inspect.unwrap(written)


def public_objects():
    """Dotted name of each public object; what is inherited appears only once."""
    seen = {}
    for module_name in public_modules():
        module = importlib.import_module(module_name)
        for name in module.__all__:
            obj = getattr(module, name)
            if not (inspect.isclass(obj) or inspect.isfunction(obj)):
                continue
            full_name = f"{module_name}.{name}"
            seen.setdefault(id(obj), full_name)
            if inspect.isclass(obj):
                for member_name, member in members_of(obj, full_name):
                    seen.setdefault(id(member), member_name)
    return sorted(seen.values())


def docstring_problems(name):
    """What numpydoc finds in the docstring of the named object, as lines of text."""
    report = validate(name)
    where = f"{report['file']}:{report['file_line']}: {name}"
    return [
        f"{where}: {code} {text}"
        for code, text in report["errors"]
        if code not in IGNORED
    ]


OBJECTS = public_objects()


def test_public_interface_is_walked():
    assert len(OBJECTS) >= MIN_OBJECTS
    assert "skembed.datasets" in public_modules()
    assert {"skembed.SGNSEmbedder", "skembed.datasets.load_docstrings"} <= set(OBJECTS)
    assert any(name.endswith("Embedder.transform") for name in OBJECTS)
    assert not any(name.endswith("Embedder.get_params") for name in OBJECTS)


@pytest.mark.parametrize("name", public_modules())
def test_module_says_what_it_is_for(name):
    # numpydoc cannot validate modules: it looks for a definition.
    assert (importlib.import_module(name).__doc__ or "").strip()


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring(name):
    problems = docstring_problems(name)
    assert not problems, "\n".join(problems)


EMBEDDERS = [
    getattr(skembed, name) for name in skembed.__all__ if name.endswith("Embedder")
]


@pytest.mark.parametrize("embedder", EMBEDDERS)
def test_shared_text_is_filled_in(embedder):
    """With the defaults of the estimator, and all values that registries allow."""
    text = inspect.getdoc(embedder)
    assert "%(" not in text
    for name, parameter in inspect.signature(embedder).parameters.items():
        if parameter.default is parameter.empty:
            assert re.search(rf"(?m)^{name} : ", text)
            continue
        (entry,) = re.findall(rf"(?m)^{name} : .*, default=(.*)$", text)
        assert eval(entry) == parameter.default
    method = getattr(embedder, "_method", strategies.CLOSED_FORM)
    choices = {
        "share_context": [one.name for one in strategies.strategies(method)],
        "pooling": pooling.POOLINGS,
        "combine": _features.COMBINATIONS,
        "scale": _features.SCALES,
        "window_weighting": count.WINDOW_WEIGHTINGS,
        "bias": bias.biases(),
    }
    if method == strategies.SOFTMAX:
        # There are no noise words, whose number the constant stands for.
        choices["bias"] = [one for one in bias.biases() if one != "shift"]
    for name in choices.keys() & embedder._get_param_names():
        entry = re.search(rf"(?ms)^{name} : .*?(?=^\S)", text).group()
        for value in choices[name]:
            assert (f'"{value}"' if isinstance(value, str) else str(value)) in entry


DISPLAYS = [name for name in inspection.__all__ if name.endswith("Display")]


@pytest.mark.parametrize("name", DISPLAYS)
def test_shared_text_of_displays_is_filled_in(name):
    display = getattr(inspection, name)
    assert "figure_ : matplotlib Figure" in inspect.getdoc(display)
    methods = [member for _, member in members_of(display, name)]
    assert len(methods) >= 2
    for documented in (display, *methods):
        assert "%(" not in inspect.getdoc(documented)
    for method in methods:
        assert f"Returns\n-------\n{name}\n    " in inspect.getdoc(method)


def test_every_strategy_has_a_summary():
    for strategy in strategies.strategies():
        assert strategy.summary
        assert f": {strategy.summary[:30]}" in inspect.getdoc(skembed.SGNSEmbedder)


def faulty(first, second=1):
    """return something

    Parameters
    ----------
    first : int
        the first number
    third : int
        Not there at all.
    """


def silent():
    pass


def test_faults_are_found():
    problems = "\n".join(docstring_problems(f"{__name__}.faulty"))
    for code in ["SS02", "SS03", "PR01", "PR02", "PR08", "PR09"]:
        assert f"faulty: {code} " in problems
    assert "silent: GL08 " in docstring_problems(f"{__name__}.silent")[0]
