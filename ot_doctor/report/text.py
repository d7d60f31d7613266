"""The ``text`` format: the diagnosis on top, then the checklist by family, then one line of summary."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ot_doctor import __version__
from ot_doctor.causes import explains, title
from ot_doctor.check import Confidence, Finding, Seen, Status, Step
from ot_doctor.report.model import Report
from ot_doctor.runner import Result

_MARKS = {Status.PASS: "✓", Status.WARN: "!", Status.FAIL: "✗", Status.SKIP: "-", Status.UNKNOWN: "?"}
_ASCII_MARKS = {Status.PASS: "ok", Status.WARN: "!!", Status.FAIL: "XX", Status.SKIP: "--", Status.UNKNOWN: "??"}
_COLOURS = {Status.PASS: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIP: "2", Status.UNKNOWN: "35"}
_WORDS = {Status.PASS: "passed", Status.WARN: "warned", Status.FAIL: "failed", Status.SKIP: "skipped", Status.UNKNOWN: "unknown"}
_SHOWN = 4  # pieces of evidence that the diagnosis shows without -v
_PLAIN = str.maketrans({"…": "...", "—": "-", "–": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "·": "-", "≤": "<=", "→": "->"})


@dataclass(frozen=True)
class Style:
    """How the text is to look. ``width`` is in columns; commands and links are never broken."""

    colour: bool = False
    ascii: bool = False
    width: int = 80
    verbose: bool = False
    quiet: bool = False  # only what is not a pass

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def mark(self, status: Status) -> str:
        return (_ASCII_MARKS if self.ascii else _MARKS)[status]


def render(report: Report, style: Style = Style()) -> str:
    """The whole report, ending with a line end."""
    text = "\n".join(_lines(report, style)) + "\n"
    return as_ascii(text) if style.ascii else text


def as_ascii(text: str) -> str:
    """``text`` in ASCII alone: typographic signs replaced, everything else escaped."""
    return text.translate(_PLAIN).encode("ascii", "backslashreplace").decode()


def _lines(report: Report, style: Style) -> Iterator[str]:
    yield from _head(report, style)
    yield from _diagnosis(report, style)
    rows = [r for r in report.results if not (style.quiet and r.status is Status.PASS)]
    told: dict[str, str] = {}
    for family, results in groupby(rows, key=lambda result: result.check.family):
        yield style.paint(family.value, "1")
        for result in results:
            yield from _result(result, report, told, style)
        yield ""
    for notice in report.notices:
        yield from _wrap(notice, style, hanging=2, head=style.mark(Status.UNKNOWN), code=_COLOURS[Status.UNKNOWN])
    yield _summary(report, style)


def _head(report: Report, style: Style) -> Iterator[str]:
    facts = [f"ot-doctor {__version__}"]
    if report.deployment:
        version = report.deployment.version or f"release line {report.deployment.line.value}"
        facts += [str(report.deployment.directory), version]
    if report.workers and report.workers.diarizers:
        facts.append(", ".join(worker.name for worker in report.workers.diarizers))
    if report.hub and not report.hub.is_default:
        facts.append(f"Hub: {report.hub.endpoint} (from {report.hub.endpoint_from})")
    yield from _wrap(" · ".join(facts), style, hanging=2)
    yield ""


def _diagnosis(report: Report, style: Style) -> Iterator[str]:
    count = len(report.diagnosis)
    for number, root in enumerate(report.diagnosis, 1):
        first = "Root cause" if count == 1 else f"Mend first (1 of {count})"
        label = first if number == 1 else f"Then ({number} of {count})"
        sureness = f" ({root.confidence.value})" if root.confidence is not Confidence.CERTAIN else ""
        yield style.paint(f"{label}: {root.cause.value}{sureness}", "1;31")
        yield from _wrap(title(root.cause), style, indent=2)
        yield from _wrap(root.message, style, indent=2)
        yield from _seen(root.evidence if style.verbose else root.evidence[:_SHOWN], style, indent=2)
        if not style.verbose and len(root.evidence) > _SHOWN:
            yield f"    and {len(root.evidence) - _SHOWN} more: -v shows all"
        yield "  To mend it:"
        yield from _steps(root.remedy, style, indent=4)
        yield ""


def _seen(evidence: Iterable[Seen], style: Style, indent: int) -> Iterator[str]:
    for item in evidence:
        yield from _wrap(f"Seen in {item.where}: {item.text}", style, indent=indent, hanging=indent + 2)


def _steps(steps: Iterable[Step], style: Style, indent: int) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        yield from _wrap(f"{number}. {step.text}", style, indent=indent, hanging=indent + 3)
        if step.command:
            yield " " * (indent + 3) + style.paint(step.command, "1")
        if step.url:
            yield " " * (indent + 3) + style.paint(step.url, "4")


def _result(result: Result, report: Report, told: dict[str, str], style: Style) -> Iterator[str]:
    """A check's rows. What the diagnosis tells already, and a reason that was given above, is not told again."""
    findings = result.findings
    if len(findings) > 1 and not style.verbose:
        findings = tuple(f for f in findings if f.status is not Status.PASS)
    if not findings:
        yield from _row(result.status, result.check.name, result.check.title, style)
    for finding in findings:
        quiet = finding.status in (Status.UNKNOWN, Status.SKIP)
        if quiet and finding.message in told:
            yield from _row(finding.status, result.check.name, f"as {told[finding.message]}", style)
            continue
        yield from _row(finding.status, result.check.name, finding.message, style)
        if quiet:
            told[finding.message] = result.check.name
        if any((root.cause, root.subject) == (finding.cause, finding.subject) for root in report.diagnosis):
            continue
        if finding.status is Status.FAIL and (reason := _reason(finding, report)):  # its own remedy would mislead
            yield from _wrap(f"This follows from {reason} above.", style, indent=6)
            continue
        if style.verbose or finding.status in (Status.WARN, Status.FAIL):
            yield from _seen(finding.evidence, style, indent=6)
        if finding.status is not Status.PASS:
            yield from _steps(finding.remedy, style, indent=6)


def _reason(finding: Finding, report: Report) -> str | None:
    """The root cause that a failure without an entry of its own in the diagnosis follows from."""
    roots = (root.cause for root in report.diagnosis)
    return next((cause.value for cause in roots if finding.cause and explains(cause, finding.cause)), None)


def _row(status: Status, name: str, text: str, style: Style) -> list[str]:
    return _wrap(text, style, indent=2, hanging=4, head=f"{style.mark(status)} {name}:", code=_COLOURS[status])


def _summary(report: Report, style: Style) -> str:
    counts = [f"{count} {_WORDS[status]}" for status, count in report.summary.items() if count]
    nothing = not any(report.summary[s] for s in (Status.PASS, Status.WARN, Status.FAIL))
    text = f"{'nothing was checked: ' if nothing else ''}{', '.join(counts) or 'no check was run'} in {report.duration:.1f} s"
    worst = max((r.status for r in report.results), key=lambda status: status.rank, default=Status.UNKNOWN)
    return style.paint(text, _COLOURS[worst])


def _wrap(text: str, style: Style, *, indent: int = 0, hanging: int = 0, head: str = "", code: str = "") -> list[str]:
    """``text`` in lines of the style's width; ``head`` goes before it and is painted, with no effect on the width."""
    lines = textwrap.wrap(
        f"{head} {text}" if head else text,
        max(style.width, 40),
        initial_indent=" " * indent,
        subsequent_indent=" " * (hanging or indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    if head and lines:
        lines[0] = lines[0].replace(head, style.paint(head, code), 1)
    return lines
