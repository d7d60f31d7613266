"""How Sphinx builds the manual page: ``make man``. The ``%parts%`` of ``ot-doctor.md`` come from the commands themselves."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "_ext"))

from manual.man import NAME, fill
from sphinx.application import Sphinx

from ot_doctor import __version__

project = "ot-doctor"
version = release = __version__
today = " "  # the page changes with the commands alone
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "ot-doctor"
smartquotes = False
myst_enable_extensions = ["deflist"]
man_pages = [("ot-doctor", "ot-doctor", NAME, "", 1)]


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("source-read", fill)
