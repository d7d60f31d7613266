"""The ``github`` format: workflow commands that annotate a run of GitHub Actions, and the job summary.

The report is in a folded group of the log. Below it come the verdict and the annotations: an error for each root cause, the one
to fix first in front, then warnings. GitHub shows the first ten of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ot_doctor.check import Finding, Status
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relations
from ot_doctor.report import summary
from ot_doctor.report.advice import Planned, of_cause
from ot_doctor.report.file_locations import Place, installation, places, workspace
from ot_doctor.report.formats.text import render as render_text
from ot_doctor.report.formats.text import verdict_line
from ot_doctor.report.formats.text_lines import Style
from ot_doctor.report.model import Report, UsageError
from ot_doctor.report.plain import details, one_line, shortened, writable
from ot_doctor.run.requirements import CHECK as REQUIRED

_LOG = Style(width=120, height=10**9, verbose=True)
_LONGEST = 4000  # characters of a message: the runner cuts at 4096
_LARGEST_SUMMARY = 1024 * 1024  # bytes of a step's summary: GitHub takes no larger one
# The runner trims what stands before "::", and its comparisons overlook characters that have no width.
_COMMAND = re.compile(r"^([^!-~]*:)(?=[^ -~]*:)", re.MULTILINE)
_OLD_COMMAND = re.compile(r"(#[^ -~]*#)(?=[^ -~]*\[)")


def render(report: Report) -> str:
    """What to print in a step: the folded report, its verdict, and the annotations."""
    whole = _harmless(render_text(report, _LOG)).splitlines()
    verdict = _harmless(verdict_line(report))
    lines = ["::group::ot-doctor: the whole report", *whole, "::endgroup::", verdict, *_annotations(report)]
    return writable("\n".join(lines)) + "\n"


def render_error(error: UsageError) -> str:
    """One error annotation."""
    return _command("error", error.title, error.message) + "\n"


def append_summary(document: str, path: Path) -> str:
    """Put a Markdown document at the end of the file that ``GITHUB_STEP_SUMMARY`` names.

    Returns a sentence for the user where that could not be done, which is no failure of the run; else an empty text.
    """
    data = writable(f"\n{document}").encode()
    try:
        with path.open("ab") as file:
            if file.tell() + len(data) > _LARGEST_SUMMARY:
                return f"the job summary was not written: {path} would be larger than the 1 MiB that GitHub takes"
            file.write(data)
    except (OSError, ValueError) as error:  # a ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"the job summary could not be written to {path}: {reason}"
    return ""


def _annotations(report: Report) -> Iterator[str]:
    folders, relations = workspace() or installation(report), Relations(report)

    def place(problem: Finding | RootCause) -> Place | None:
        return next(iter(places(problem, folders)), None)

    steps = summary.steps(report)
    for number, root in enumerate(report.diagnosis):
        what = f"{summary.heading(root, report)} ({root.cause.value})"
        said = summary.relation(root, relations, report, granted=summary.is_the_failure(root))
        yield _command("error", what, _message(root, said, of_cause(steps, number)), place(root))
    warning = "error" if report.fail_on == "warn" else "warning"
    for alike in summary.shared(report, Status.WARN):
        yield _command(warning, alike.who, _message(alike.finding), place(alike.finding))
    for alike in summary.not_known(report):
        level = "error" if REQUIRED.name in alike.checks else "warning"
        yield _command(level, f"Could not run: {alike.who}", _message(alike.finding), place(alike.finding))
    for notice in report.notices:
        yield _command("warning", "ot-doctor", notice)
    if summary.nothing_was_checked(report) and not report.summary[Status.UNKNOWN]:
        yield _command("warning", "ot-doctor", "Nothing was checked: every check was skipped.")


def _message(problem: Finding | RootCause, said: str = "", steps: Sequence[Planned] = ()) -> str:
    text = details(problem, said=said, steps=steps, pieces=4, characters=400)
    if isinstance(problem, RootCause) and len(problem.explains) > 1:
        text = f"{text}\nChecks that fail because of it: {', '.join(problem.explains)}"
    return shortened(text, _LONGEST)


def _command(name: str, what: str, message: str, place: Place | None = None) -> str:
    """An annotation. ``name`` is ``error`` or ``warning``, ``what`` its title."""
    properties = {"title": one_line(what)}
    if place:
        properties = {"file": place.path, "line": str(place.line or ""), **properties}
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {written}::{_data(message)}"


def _data(text: str) -> str:
    text = _harmless(text)
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _harmless(text: str) -> str:
    """``text`` without anything that the runner would take for a command of its own."""
    return _OLD_COMMAND.sub(r"\1 ", _COMMAND.sub(r"\1 ", "\n".join(text.splitlines())))
