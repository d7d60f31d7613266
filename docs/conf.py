"""How Sphinx builds the manual: ``make docs``. The pages under reference/ are made by ``_ext/manual`` from the program itself."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from ot_doctor import __version__

project = "ot-doctor"
author = "the ot-doctor project"
copyright = "the ot-doctor project, MIT license"
version = release = __version__

extensions = ["myst_parser", "manual"]
source_suffix = {".md": "markdown"}
exclude_patterns = [
    "man", "sample", "ci", "examples", "_static", "_ext", "reference/examples", "reference/evidence.md",
    "reference/signature-keys.md",
]  # fmt: skip
nitpicky = True
smartquotes = False  # "--no-docker" is an option, not a dash
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a changelog begins with the version

html_theme = "furo"
html_title = f"ot-doctor {__version__}"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_extra_path = [
    "reference/examples/report.html", "report.schema.json", "facts.schema.json", "fleet.schema.json", "try.schema.json",
]  # fmt: skip
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6e69", "color-brand-content": "#0b6e69"},
    "dark_css_variables": {"color-brand-primary": "#5fcac2", "color-brand-content": "#5fcac2"},
}
