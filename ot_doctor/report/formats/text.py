"""The ``text`` format: the diagnosis on top, then the checklist by family, then one line of summary."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ot_doctor.check import Finding, Seen, Status, Step
from ot_doctor.diagnosis.causes import title
from ot_doctor.diagnosis.relation import Relations
from ot_doctor.report import summary
from ot_doctor.report.model import Report
from ot_doctor.run.runner import Result

_MARKS = {Status.PASS: "✓", Status.WARN: "!", Status.FAIL: "✗", Status.SKIP: "-", Status.UNKNOWN: "?"}
_ASCII_MARKS = {Status.PASS: "ok", Status.WARN: "!!", Status.FAIL: "XX", Status.SKIP: "--", Status.UNKNOWN: "??"}
_COLOURS = {Status.PASS: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIP: "2", Status.UNKNOWN: "35"}
_SHOWN = 4  # pieces of evidence that the diagnosis shows without -v
_LONG = 400  # characters of one piece of evidence without -v
_Entry = tuple[str, Status, str, tuple[str, ...]]  # a row: the check's name, status and text, and the lines below it
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
    yield from _not_known(report, style)
    rows = [r for r in report.results if not (style.quiet and r.status is Status.PASS)]
    told: dict[str, str] = {}
    for family, results in groupby(rows, key=lambda result: result.check.family):
        yield style.paint(family.value, "1")
        entries = [entry for result in results for entry in _entries(result, report, told, style)]
        for (status, text, details), alike in groupby(entries, key=lambda entry: entry[1:]):
            yield from _row(status, ", ".join(dict.fromkeys(name for name, *_ in alike)), text, style)
            yield from details
        yield ""
    for notice in report.notices:
        yield from _wrap(notice, style, hanging=2, head=style.mark(Status.UNKNOWN), code=_COLOURS[Status.UNKNOWN])
    if report.hidden and not style.quiet:
        yield from _wrap(summary.hidden_names(report), style, hanging=2, head="Hidden:", code="2")
    yield _summary(report, style)


def _head(report: Report, style: Style) -> Iterator[str]:
    parts = [summary.tool()]
    if report.deployment:
        parts += [str(report.deployment.directory), summary.release(report.deployment)]
    elif report.log:
        parts += [source.name for source in report.log.sources]
    if report.workers and report.workers.diarizers:
        parts.append(", ".join(worker.name for worker in report.workers.diarizers))
    if report.hub and not report.hub.is_default:
        parts.append(f"Hub: {report.hub.endpoint} (from {report.hub.endpoint_from})")
    if report.recorded_at:
        parts.append(f"recorded {summary.moment(report.recorded_at)}")
    yield from _wrap(" · ".join(parts), style, hanging=2)
    yield ""


def _diagnosis(report: Report, style: Style) -> Iterator[str]:
    count = len(report.diagnosis)
    relations = Relations(report)
    for number, root in enumerate(report.diagnosis, 1):
        first = "Root cause" if count == 1 else f"Mend first (1 of {count})"
        label = first if number == 1 else f"Then ({number} of {count})"
        names = ", ".join(filter(None, (root.cause.value, summary.sureness(root))))
        yield from _wrap(f"{title(root.cause)} ({names})", style, hanging=2, head=f"{label}:", code="1;31")
        yield from _wrap(root.message, style, indent=2)
        yield from _wrap(summary.relation(root, relations, granted=count == 1 and not style.verbose), style, indent=2)
        yield from _seen(root.evidence if style.verbose else root.evidence[:_SHOWN], style, indent=2)
        if not style.verbose and len(root.evidence) > _SHOWN:
            yield f"    and {len(root.evidence) - _SHOWN} more: -v shows all"
        yield "  To mend it:"
        yield from _steps(root.remedy, style, indent=4, numbered=True)
        yield ""


def _not_known(report: Report, style: Style) -> Iterator[str]:
    """What could not be checked: each reason once, with what would make it known."""
    for reason in summary.shared(report, Status.UNKNOWN):
        finding = reason.finding
        who = f"{reason.who} ({finding.cause.value})" if finding.cause else reason.who
        yield from _wrap(who, style, hanging=2, head="Could not be checked:", code=f"1;{_COLOURS[Status.UNKNOWN]}")
        yield from _wrap(finding.message, style, indent=2)
        if style.verbose:
            yield from _seen(finding.evidence, style, indent=2)
        yield from _steps(finding.remedy, style, indent=2)
        yield ""


def _seen(evidence: Iterable[Seen], style: Style, indent: int) -> Iterator[str]:
    for item in evidence:
        text = item.text if style.verbose or len(item.text) <= _LONG else f"{item.text[:_LONG]} … (-v shows all)"
        yield from _wrap(f"Seen in {item.where}: {text}", style, indent=indent, hanging=indent + 2)


def _steps(steps: Sequence[Step], style: Style, indent: int, *, numbered: bool = False) -> Iterator[str]:
    """Steps in their order; a single one needs no number outside the diagnosis."""
    for number, step in enumerate(steps, 1):
        mark = f"{number}." if numbered or len(steps) > 1 else "→"
        within = " " * (indent + len(mark) + 1)
        yield from _wrap(f"{mark} {step.text}", style, indent=indent, hanging=len(within))
        if step.command:
            yield within + style.paint(step.command, "1")
        if step.url:
            yield within + style.paint(step.url, "4")


def _entries(result: Result, report: Report, told: dict[str, str], style: Style) -> Iterator[_Entry]:
    """A check's rows. What stands above already, and a reason that was given for another check, is not told again."""
    name, findings = result.check.name, result.findings
    if len(findings) > 1 and not style.verbose:
        findings = tuple(f for f in findings if f.status is not Status.PASS)
    if not findings:
        yield name, Status.PASS, result.check.title, ()
    for finding in findings:
        if finding.status is Status.UNKNOWN:
            yield name, finding.status, summary.SEE_ABOVE, ()
        elif finding.status is Status.SKIP:
            alike = (o for reason, o in told.items() if o != name and summary.gives(finding.message, reason))
            like = next(alike, None)
            told.setdefault(finding.message, name)
            yield name, finding.status, f"for the same reason as {like}" if like else finding.message, ()
        elif finding.status is Status.FAIL:
            yield name, finding.status, *_failure(result, finding, report, style)
        else:
            shown = style.verbose or finding.status is Status.WARN
            seen = _seen(finding.evidence, style, indent=6) if shown else ()
            yield name, finding.status, finding.message, (*seen, *_steps(finding.remedy, style, indent=6))


def _failure(result: Result, finding: Finding, report: Report, style: Style) -> tuple[str, tuple[str, ...]]:
    """A failure's row: in short where the diagnosis tells it."""
    roots = summary.roots_of(result, report)
    if summary.is_one_of(finding, roots):
        about = f" ({finding.subject})" if sum(root.cause is finding.cause for root in roots) > 1 else ""
        return f"see {finding.cause.value if finding.cause else ''} above{about}", ()
    if root := summary.follows_from(result, finding, report):  # its own remedy would mislead
        return finding.message, tuple(_wrap(f"This follows from {root.cause.value} above.", style, indent=6))
    return finding.message, (*_seen(finding.evidence, style, indent=6), *_steps(finding.remedy, style, indent=6))


def _row(status: Status, names: str, text: str, style: Style) -> list[str]:
    return _wrap(text, style, indent=2, hanging=4, head=f"{style.mark(status)} {names}:", code=_COLOURS[status])


def _summary(report: Report, style: Style) -> str:
    nothing = "nothing was checked: " if summary.nothing_was_checked(report) else ""
    text = f"{nothing}{summary.counts(report)} in {report.duration:.1f} s"
    worst = max((r.status for r in report.results), key=lambda status: status.rank, default=Status.UNKNOWN)
    return style.paint(text, _COLOURS[worst])


def _wrap(text: str, style: Style, *, indent: int = 0, hanging: int = 0, head: str = "", code: str = "") -> list[str]:
    """``text`` in lines of the style's width; ``head`` goes before it and is painted, with no effect on the width."""
    if style.ascii:  # before the lines are measured: an ellipsis becomes three dots
        text, head = as_ascii(text), as_ascii(head)
    lines = textwrap.wrap(
        f"{head} {text}" if head else text,
        max(style.width, 40),
        initial_indent=" " * indent,
        subsequent_indent=" " * (hanging or indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    if head:  # one that is longer than the line is painted as far as the line goes
        first = lines[0][indent:]
        painted = min(len(head), len(first))
        lines[0] = " " * indent + style.paint(first[:painted], code) + first[painted:]
    return lines
