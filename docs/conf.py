"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import re

import skembed

# A role with its text, and perhaps a target behind the text.
_REFERENCE = re.compile(r":(?:ref|term):`([^`<]*[^`<\s])(?:\s*<[^`]*>)?`")

project = "skembed"
author = "skembed developers"
release = version = skembed.__version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "skembed"
autosummary_generate = True
# The constructor is described by its class; the others are those of every tuple.
autosummary_context = {"unlisted_methods": ["__init__", "count", "index"]}
numpydoc_show_class_members = False
myst_heading_anchors = 3


def _as_text(app, what, name, obj, options, lines):
    """Print scikit-learn's references to pages of its own site as their text."""
    if (getattr(obj, "__module__", None) or "").startswith("sklearn."):
        text = _REFERENCE.sub(r"\1", "\n".join(lines))
        lines[:] = text.split("\n")


def setup(app):
    """Connect what changes docstrings."""
    app.connect("autodoc-process-docstring", _as_text)
