"""How the documentation is built: ``sphinx-build -W docs build/docs``."""

from __future__ import annotations

from importlib.metadata import version as version_of
from pathlib import Path

project = "Agora"
author = "The Agora maintainers"
version = release = version_of("agora")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_design",
]
source_suffix = {".md": "myst-nb"}
html_theme = "furo"
html_title = "Agora"
html_css_files = ["agora.css"]
html_static_path = ["static"]
exclude_patterns = ["reproduction"]
_pages = Path(__file__).parent / "reproduction"
html_extra_path = [str(_pages)] if _pages.exists() else []

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True
nb_execution_show_tb = True

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
