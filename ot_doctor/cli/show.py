"""How a report is shown: on standard output and in files, and with what exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ot_doctor.cli.failure import summarise
from ot_doctor.cli.output import CouldNotWrite, checked, terminal_size, without_late_secrets, write, write_files
from ot_doctor.report.formats import format_of, render

if TYPE_CHECKING:
    from ot_doctor.report.formats.text_lines import Style
    from ot_doctor.report.model import Report


def show(report: Report, options: dict[str, Any]) -> int:
    """Write the report into the ``--output`` files and to standard output. The exit code.

    The files come first: where one cannot be written, the document on standard output says so, and not that all went well.
    """
    return without_late_secrets(report, lambda redacted: _shown(redacted, options))


def _shown(report: Report, options: dict[str, Any]) -> int:
    from ot_doctor.report.model import exit_code

    shown = render(report, options["format"], style_of(options))
    checked(shown)  # before anything is written
    documents = {path: render(report, format_of(path.name) or "text") for path in options["output"]}
    machine = options["format"] != "text"
    try:
        write_files(documents)
    except CouldNotWrite:
        if not machine:  # text tells no exit code: it stands beside the complaint
            write(shown)
        raise
    write(shown, machine=machine)
    if options["format"] == "github":
        summarise(lambda: render(report, "markdown"))
    if options["format"] == "nagios":  # monitoring plug-ins have exit codes of their own
        from ot_doctor.report.formats import nagios

        return nagios.exit_code(report)
    return exit_code(report)


def tell_of_faults(verbose: int) -> None:
    """With ``-vv``, what checks and sources raised is shown on standard error."""
    if verbose > 1:
        from ot_doctor.core.debug_log import show_faults
        from ot_doctor.redaction.masking import shown

        show_faults(shown)


def style_of(options: dict[str, Any]) -> Style:
    """How the ``text`` format is to look on the present standard output."""
    from ot_doctor.report.formats.text_lines import Style

    terminal = sys.stdout.isatty()
    colour = options["color"] == "always" or (options["color"] == "auto" and _wants_colour(terminal, os.environ))
    columns, lines = terminal_size() if terminal else (80, 24)
    ascii = options["ascii"] or not _can_show("✓✗…")
    return Style(colour, ascii, min(columns, 100), options["verbose"] > 0, options["quiet"], height=lines)


def _wants_colour(terminal: bool, environ: Mapping[str, str]) -> bool:
    """What the variables that many programs honour say: ``NO_COLOR`` wins over those that force colours."""
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return terminal and environ.get("TERM") != "dumb"


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
