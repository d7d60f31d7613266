"""The ``github`` format: workflow commands that annotate a run of GitHub Actions, and the job summary.

The checklist stands in a folded group of the log. Below it come the annotations: an error for each root cause, the one to mend
first in front, then warnings. GitHub shows the first ten of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ot_doctor.causes import title
from ot_doctor.check import Finding, Status
from ot_doctor.diagnosis import RootCause
from ot_doctor.report.junit import details, one_line
from ot_doctor.report.model import Report, UsageError, exit_code
from ot_doctor.report.sarif import Place, installation, places, workspace
from ot_doctor.report.text import Style
from ot_doctor.report.text import render as render_text

_LOG = Style(width=120)
_LONGEST = 4000  # characters of a message: the runner cuts at 4096
_WORDS_OF_ITS_OWN = 20  # characters: a longer message inside another one is its reason
_LARGEST_SUMMARY = 1024 * 1024  # bytes of a step's summary: GitHub takes no larger one
# The runner trims what stands before "::", and its comparisons overlook characters that have no width.
_COMMAND = re.compile(r"^([^!-~]*:)(?=[^ -~]*:)", re.MULTILINE)
_OLD_COMMAND = re.compile(r"(#[^ -~]*#)(?=[^ -~]*\[)")


def render(report: Report) -> str:
    """What is to be printed in a step: the folded checklist, the line that sums it up, and the annotations."""
    *checklist, summary = _harmless(render_text(report, _LOG)).splitlines()
    lines = ["::group::ot-doctor: the whole checklist", *checklist, "::endgroup::", summary, *_annotations(report)]
    return "\n".join(lines).encode("utf-8", "backslashreplace").decode() + "\n"


def render_error(error: UsageError) -> str:
    """One error annotation."""
    return _command("error", "ot-doctor could not begin", error.message) + "\n"


def append_summary(document: str, path: Path) -> str:
    """Put a Markdown document at the end of the file that ``GITHUB_STEP_SUMMARY`` names.

    Returns a sentence for the user where that could not be done, which is no failure of the run; else an empty text.
    """
    data = f"\n{document}".encode("utf-8", "backslashreplace")
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
    folders = workspace() or installation(report)

    def place(told: Finding | RootCause) -> Place | None:
        return next(iter(places(told, folders)), None)

    for root in report.diagnosis:
        what = f"{title(root.cause)} ({root.cause.value})"
        yield _command("error", what, _message(root), place(root))
    warning = "error" if report.fail_on == "warn" else "warning"
    for names, finding in _alike(report, Status.WARN):
        yield _command(warning, names, _message(finding), place(finding))
    for names, finding in _alike(report, Status.UNKNOWN):
        yield _command("warning", f"Could not be checked: {names}", _message(finding), place(finding))
    for notice in report.notices:
        yield _command("warning", "ot-doctor", notice)
    if exit_code(report) == 3 and not report.summary[Status.UNKNOWN] and not report.notices:
        yield _command("warning", "ot-doctor", "Nothing was checked: every check was skipped.")


def _alike(report: Report, status: Status) -> Iterator[tuple[str, Finding]]:
    """Findings of a status, each message once, with the names of the checks that give it, alone or behind words of their own."""
    found = [(r.check.name, f) for r in report.results for f in r.findings if f.status is status]
    shortest_first = sorted({finding.message: finding for _, finding in found}.values(), key=lambda f: len(f.message))
    groups: dict[str, tuple[Finding, list[str]]] = {}
    for name, finding in found:
        reason = next(other for other in shortest_first if _says(finding.message, other.message))
        _, names = groups.setdefault(reason.message, (reason, []))
        names += [name] if name not in names else []
    return ((", ".join(names), reason) for reason, names in groups.values())


def _says(message: str, reason: str) -> bool:
    return message == reason or (len(reason) > _WORDS_OF_ITS_OWN and reason.rstrip(".") in message)


def _message(told: Finding | RootCause) -> str:
    text = details(told, pieces=4, characters=400)
    if isinstance(told, RootCause) and len(told.explains) > 1:
        text = f"{text}\nChecks that fail because of it: {', '.join(told.explains)}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} […]"


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
