"""``--copy``: the Markdown report into the clipboard of the terminal, which may be at the other end of ssh."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from ot_doctor.cli.output import checked, complain, tell, without_late_secrets

if TYPE_CHECKING:
    from ot_doctor.report.model import Report

_LONGEST = 74_000  # bytes: some terminals take no more than 100,000 characters of base64


def copy(report: Report) -> None:
    """Hand the report to the terminal by its escape sequence OSC 52, and say what was copied. Raises ``WouldLeak``."""
    from ot_doctor.report.formats import render

    document = without_late_secrets(report, lambda redacted: checked(render(redacted, "markdown")))
    if len(document) > _LONGEST:
        complain(f"nothing was copied: {len(document):,} bytes are more than terminals take. --output report.md writes them.")
        return
    try:
        terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY)
    except OSError:
        complain("--copy needs a terminal, and there is none. --output report.md writes the same into a file.")
        return
    try:
        os.write(terminal, b"\x1b]52;c;" + base64.b64encode(document) + b"\x07")
    except OSError as error:
        complain(f"nothing was copied: {error.strerror}")
        return
    finally:
        os.close(terminal)
    tell(f"The report was copied as Markdown, {len(document):,} bytes, if your terminal allows it (OSC 52).")
