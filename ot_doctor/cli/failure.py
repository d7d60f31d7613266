"""A run that could not begin, or broke off: a sentence on standard error, or a document that holds it, and the exit code."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ot_doctor.cli.configuration import of
from ot_doctor.cli.output import CouldNotWrite, WouldLeak, checked, complain, write
from ot_doctor.core.limits import limit_reached
from ot_doctor.report.formats import FORMATS, render_error

if TYPE_CHECKING:
    from ot_doctor.report.model import UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class BrokeOff(Exception):
    """What a command raised that is no wrong usage (``__cause__``), with the context that tells which format is wanted."""

    def __init__(self, context: click.Context) -> None:
        super().__init__()
        self.context = context


def tell(error: Exception) -> int:
    """Say what ended the run, in the format that is wanted, where nobody can miss it. The exit code."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, BrokeOff):
        context, cause = error.context, error.__cause__
        error = cause if isinstance(cause, Exception) else error
    message, kind = _words(error)
    wanted = format_wanted(sys.argv[1:], context)
    if wanted == "text" or (isinstance(error, CouldNotWrite) and error.standard_output):
        complain(f"{_for_a_reader(message)}{_hint(error)}")
    else:
        _write_document(message, kind, "fix" if wanted == "json" and _command(context) == "fix" else wanted)
    return 3 if wanted == "nagios" else 4 if kind == "internal" else 2


def _command(context: click.Context | None) -> str:
    """The command that was called; empty where it is not known."""
    return (context.invoked_subcommand or context.command.name or "") if context else ""


def _words(error: Exception) -> tuple[str, str]:
    """The sentence, and whose fault it is: ``usage`` or ``internal``."""
    if isinstance(error, click.ClickException):
        return error.format_message(), "usage"
    if isinstance(error, CouldNotWrite):
        return str(error), "usage"
    if limit := limit_reached(error):
        return limit, "usage"
    if isinstance(error, OSError) and error.errno in _FULL:  # under what click itself prints
        return f"the result could not be written: {error.strerror}", "usage"
    if isinstance(error, OSError) and _working_folder_is_gone():
        return "The working folder was deleted. Change to another one and run ot-doctor again.", "usage"
    from ot_doctor.core.debug_log import note, where_to_report

    note("ot-doctor", error)
    said = str(error) if isinstance(error, WouldLeak) else f"Internal error: {_told_of(error)}."
    where = f"This is a bug in ot-doctor: report it {where_to_report()}."
    return f"{said} {where} With -vv, 'ot-doctor run' shows the traceback.", "internal"


def _told_of(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}".rstrip(".: ")
    except Exception:  # one of a plug-in may fail even at telling what it is
        return type(error).__name__


def _working_folder_is_gone() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _for_a_reader(message: str) -> str:
    from ot_doctor.redaction.masking import shown
    from ot_doctor.redaction.names import register_environment

    register_environment(os.environ)
    return shown(message)


def _hint(error: Exception) -> str:
    known = isinstance(error, (click.BadParameter, click.NoSuchOption)) and error.ctx
    return f"\n'{known.command_path} --help' shows the options." if known else ""


def _write_document(message: str, kind: str, wanted: str) -> None:
    from ot_doctor.report.model import UsageError

    said = UsageError(_for_a_reader(message), kind=kind)
    try:
        try:
            write(_document(said, wanted), machine=True)
        except WouldLeak:  # the sentence itself
            said = UsageError("The sentence that tells what went wrong would have held a secret, and is not shown.", kind=kind)
            write(_document(said, wanted), machine=True)
        if wanted == "github":
            summarise(lambda: render_error(said, "markdown"))
    except CouldNotWrite as error:
        complain(f"{said.message}\n{error}")


def _document(error: UsageError, wanted: str) -> str:
    if wanted != "fix":
        return render_error(error, wanted)
    from ot_doctor.fix.telling import error_document

    return json.dumps(error_document(error), indent=2, ensure_ascii=False) + "\n"


def summarise(document: Callable[[], str]) -> None:
    """Append a Markdown document to the summary of the workflow job, where there is one."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        from ot_doctor.report.formats.github import append_summary

        text = document()
        checked(text)
        if problem := append_summary(text, Path(path)):
            complain(problem)


def format_wanted(arguments: list[str], context: click.Context | None) -> str:
    """The ``--format`` that is meant, told from arguments that click could not read."""
    of_the_file = of(context).defaults.get("format", "") if context else ""
    options = context.command.params if context else []
    reads = all(getattr(param, "allow_from_autoenv", True) for param in options if param.name == "format")
    of_the_environment = os.environ.get("OT_DOCTOR_FORMAT", "") if reads else ""
    pairs = zip(arguments, [*arguments, ""][1:], strict=True)
    given = [b if a == "--format" else a.partition("=")[2] for a, b in pairs if a == "--format" or a.startswith("--format=")]
    known = [name for name in [of_the_file, of_the_environment, *given] if name in FORMATS]
    return known[-1] if known else "text"
