"""A Sphinx extension that writes the reference pages from the program: its checks, causes, log signatures, commands and formats.

They are written to ``reference/`` before Sphinx reads the sources, and only where they differ, so that a second build is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("config-inited", _write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _write(app: Sphinx, config: Config) -> None:
    from manual.pages import write

    write(Path(app.srcdir) / "reference")
