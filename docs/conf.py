"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

import skembed

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
numpydoc_show_class_members = False
myst_heading_anchors = 3
