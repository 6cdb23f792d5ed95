"""Sphinx configuration."""

import os
from importlib import import_module
from pathlib import Path

import sklearn_neurox

os.environ.setdefault("MPLBACKEND", "agg")

project = "sklearn-neurox"
author = "The sklearn-neurox developers"
copyright = "2026, The sklearn-neurox developers"
release = version = sklearn_neurox.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
myst_heading_anchors = 3
exclude_patterns = ["_build", "examples/README.rst"]
autosummary_generate = True
templates_path = ["_templates"]
numpydoc_show_class_members = False
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"cities\.py",  # which several examples import
    "download_all_examples": False,
    "show_memory": False,
    "abort_on_example_error": True,
}
html_theme = "pydata_sphinx_theme"
html_title = "sklearn-neurox"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}


def api_page():
    """Return the page of the API: a table of the public names of each package."""
    lines = [
        "# API reference",
        "",
        "All names can be imported from `sklearn_neurox`, and from the package that defines them.",
        "",
        "```{eval-rst}",
        ".. currentmodule:: sklearn_neurox",
        "```",
    ]
    for package in sklearn_neurox._PACKAGES:
        module = import_module(f"sklearn_neurox.{package}")
        summary = module.__doc__.splitlines()[0].partition(": ")[2].strip()
        lines += ["", f"## `sklearn_neurox.{package}`", "", summary[0].upper() + summary[1:]]
        lines += ["", "```{eval-rst}", ".. autosummary::", "   :toctree: api", ""]
        listed = {name: getattr(module, name) for name in module.__all__}
        lines += [f"   {name}" for name, each in listed.items() if hasattr(each, "__name__")]
        lines += ["```"]
        for name, each in listed.items():
            if not hasattr(each, "__name__"):  # an instance, whose class is on the page
                kind = next(k for k in type(each).__mro__ if k.__name__ in module.__all__)
                lines += ["", f"`{name}` is a {{class}}`{kind.__name__}`."]
    return "\n".join(lines) + "\n"


# Written before Sphinx reads the sources, so that a new public name needs no edit here.
(Path(__file__).parent / "api.md").write_text(api_page())
