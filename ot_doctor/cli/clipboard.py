"""``--copy``: the Markdown report into the clipboard of the terminal, which may be at the other end of ssh."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

from ot_doctor.cli.output import checked, complain, tell, without_late_secrets

if TYPE_CHECKING:
    from ot_doctor.report.model import Report

_LONGEST = 70_000  # bytes: some terminals take no more than 100,000 characters of base64


def copy(report: Report) -> None:
    """Hand the report to the terminal by its escape sequence OSC 52, and say what was copied. Raises ``WouldLeak``."""
    from ot_doctor.report.formats import render
    from ot_doctor.report.formats.markdown import in_short

    document = without_late_secrets(report, lambda redacted: checked(render(redacted, "markdown")))
    what = "The report was copied as Markdown"
    if len(document) > _LONGEST:
        whole = f"the whole report has {len(document):,} bytes, which --output report.md writes"
        document = without_late_secrets(report, lambda redacted: checked(in_short(redacted)))
        what = f"The summary alone was copied as Markdown ({whole})"
    try:
        terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NOCTTY)
    except OSError:
        complain("--copy needs a terminal, and there is none. --output report.md writes the same into a file.")
        return
    in_tmux = bool(os.environ.get("TMUX"))
    try:
        with open(terminal, "wb") as stream:
            stream.write(_sequence(document, in_tmux=in_tmux))
    except OSError as error:
        complain(f"nothing was copied: {error.strerror}")
        return
    allowed = "if your terminal allows it (OSC 52)"
    allowed = "if tmux ('set -g set-clipboard on') and your terminal allow it (OSC 52)" if in_tmux else allowed
    tell(f"{what}, {len(document):,} bytes, {allowed}.")


def _sequence(document: bytes, *, in_tmux: bool) -> bytes:
    """What a terminal takes as the text for its clipboard.

    tmux takes it for itself with ``set-clipboard on``; with ``allow-passthrough on`` it hands a wrapped one to the terminal.
    """
    plain = b"\x1b]52;c;" + base64.b64encode(document) + b"\x07"
    return plain + (b"\x1bPtmux;" + plain.replace(b"\x1b", b"\x1b\x1b") + b"\x1b\\" if in_tmux else b"")
