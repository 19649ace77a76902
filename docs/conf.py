"""How the documentation is built: ``sphinx-build -W docs build/docs``."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

project = "Agora"
author = "The Agora maintainers"
version = release = version_of("agora")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_design",
]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}
html_theme = "furo"
html_title = "Agora"
html_css_files = ["agora.css"]
html_static_path = ["static"]
exclude_patterns = ["extra", "templates"]
templates_path = ["templates"]
autosummary_generate = True
_extra = Path(__file__).parent / "extra"
if (_extra / "papers" / "index.html").exists():  # agora reproduce all --quick --out docs/extra/papers
    html_extra_path = [str(_extra)]
    tags.add("pages")  # type: ignore[name-defined]  # noqa: F821  (Sphinx puts it here)

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_execution_show_tb = True

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "ignore-module-all": True}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False


def bars_are_absolute_values(
    _app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Keep |x| in the prose of docstrings from being read as a substitution; mathematics and code stay."""
    inside = False
    for k, line in enumerate(lines):
        if line.lstrip().startswith(".. math::"):
            inside = True
        elif line and not line.startswith(" "):
            inside = False
        if "|" in line and not inside:
            parts = re.split(r"(``.*?``)", line)
            lines[k] = "".join(part if part.startswith("``") else part.replace("|", "\\|") for part in parts)


def names_of_one_line_stay_together(
    _app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Write "a, b" of one attribute line without the blank, which would make "a," the type of b."""
    for k, line in enumerate(lines):
        if named := re.match(r":(ivar|vartype) (\w+(?:, \w+)+):", line):
            lines[k] = line.replace(named[2], named[2].replace(", ", ","), 1)


def setup(app: Any) -> None:
    """Register what docstrings need."""
    app.connect("autodoc-process-docstring", bars_are_absolute_values)
    app.connect("autodoc-process-docstring", names_of_one_line_stay_together)
