"""The ``text`` format, made for a terminal: the verdict, each cause with what was seen, one plan of steps, then the checklist.

In short the checklist has a line for each family; ``-v`` shows every check with its evidence.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ot_doctor.check import Cause, Finding, Result, Seen, Status, Step
from ot_doctor.diagnosis.causes import title
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relations
from ot_doctor.report import summary
from ot_doctor.report.advice import plan, risk
from ot_doctor.report.model import Report, counts_as
from ot_doctor.run.requirements import CHECK as REQUIRED

_MARKS = {Status.PASS: "✓", Status.WARN: "!", Status.FAIL: "✗", Status.SKIP: "-", Status.UNKNOWN: "?"}
_ASCII_MARKS = {Status.PASS: "ok", Status.WARN: "!!", Status.FAIL: "XX", Status.SKIP: "--", Status.UNKNOWN: "??"}
_COLOURS = {Status.PASS: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIP: "2", Status.UNKNOWN: "35"}
_SHOWN = 2  # pieces of evidence that the only cause shows without -v; one of several shows one
_LONG, _LONGER = 150, 400  # characters of one piece without -v; the longer where the log's own words are all that is known
_REASONS = 4  # lines that tell why checks were skipped
_SPARE = 20  # columns that a line may lose so as not to be cut within a word
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_Entry = tuple[str, Status, str, tuple[str, ...]]  # a row: the check's name, status and text, and the lines below it
_PLAIN = str.maketrans({"…": "...", "—": "-", "–": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "·": "-", "≤": "<=", "→": "->"})


@dataclass(frozen=True)
class Style:
    """How the text is to look. ``width`` is in columns, ``height`` in lines; commands and links are never broken."""

    colour: bool = False
    ascii: bool = False
    width: int = 80
    verbose: bool = False
    quiet: bool = False  # only what is a problem
    height: int = 24  # where the report is longer, its verdict is its last line too
    redaction_summary: bool = False  # what was hidden is told without verbose, too

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def mark(self, status: Status) -> str:
        return (_ASCII_MARKS if self.ascii else _MARKS)[status]


def render(report: Report, style: Style = Style(redaction_summary=True)) -> str:
    """The whole report, ending with a line end."""
    blocks = [block for block in map(list, _blocks(report, style)) if block]
    lines = [line for block in blocks for line in (*block, "")][:-1]
    if sum(_rows(line, style) for line in lines) >= style.height:  # the shell's prompt takes a line, too
        lines += ["", *_verdict(report, style)]
    text = "\n".join(lines) + "\n"
    return as_ascii(text) if style.ascii else text


def _rows(line: str, style: Style) -> int:
    """How many lines of the terminal it takes: a long command goes on in the next ones."""
    return max(1, -(-len(_ESCAPE.sub("", line)) // style.width))


def verdict_line(report: Report) -> str:
    """The verdict on one line, whatever its length."""
    return " ".join(f"{_MARKS[summary.verdict(report).status]} {summary.verdict(report).line}".split())


def as_ascii(text: str) -> str:
    """``text`` in ASCII alone: typographic signs replaced, everything else escaped."""
    return text.translate(_PLAIN).encode("ascii", "backslashreplace").decode()


def _blocks(report: Report, style: Style) -> Iterator[Iterable[str]]:
    """The parts that an empty line separates."""
    if style.quiet and summary.verdict(report).status is Status.PASS:
        yield _verdict(report, style)
        return
    yield _head(report, style)
    if not _alone(report):
        yield from (_cause(root, number, report, style) for number, root in enumerate(report.diagnosis, 1))
    yield _plan(report, style)
    yield from (_not_known(reason, style) for reason in summary.not_known(report))
    yield _warnings(report, style)
    yield (line for notice in report.notices for line in _item(Status.UNKNOWN, notice, style))
    if not style.quiet:
        yield from _every_check(report, style) if style.verbose else [_families(report, style)]
        yield _foot(report, style)


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
    yield from _verdict(report, style)
    if _alone(report):
        yield from _said(report.diagnosis[0], report, style)


def _alone(report: Report) -> bool:
    """Whether a single cause is the verdict."""
    return len(report.diagnosis) == 1 and report.upcoming is None


def _verdict(report: Report, style: Style) -> list[str]:
    """The verdict, with the last diarization on a line of its own where it does not fit beside it."""
    verdict = summary.verdict(report)
    mark, code = style.mark(verdict.status), f"1;{_COLOURS[verdict.status]}"
    if _alone(report):
        return _titled(mark, verdict.text, _names(report.diagnosis[0]), style, code)
    text = verdict.line
    if verdict.more and len(mark) + 1 + len(text) > style.width:
        text, _, rest = text.partition(" · ")
        more = _wrap(rest, style, indent=len(mark) + 1) if rest else []
    else:
        more = []
    return [*_wrap("", style, hanging=len(mark) + 1, head=f"{mark} {text}", code=code), *more]


def _titled(mark: str, text: str, names: str, style: Style, code: str) -> list[str]:
    """A cause's title with its name at the right; behind it where there is no room."""
    text = as_ascii(text) if style.ascii else text
    gap = style.width - len(mark) - 1 - len(text) - len(names)
    if gap < 2:
        return _wrap(f"({names})", style, hanging=len(mark) + 1, head=f"{mark} {text}", code=code)
    return [style.paint(f"{mark} {text}", code) + " " * gap + style.paint(names, "2")]


def _names(root: RootCause) -> str:
    return ", ".join(filter(None, (root.cause.value, summary.confidence_text(root))))


def _cause(root: RootCause, number: int, report: Report, style: Style) -> Iterator[str]:
    yield from _titled(str(number), title(root.cause), _names(root), style, "1;31")
    yield from _said(root, report, style)


def _said(root: RootCause, report: Report, style: Style) -> Iterator[str]:
    """What was seen of a cause, and what it has to do with the last failure."""
    yield from _wrap(root.message, style, indent=2)
    granted = len(report.diagnosis) == 1 and not style.verbose
    yield from _wrap(summary.relation(root, Relations(report), report, granted=granted), style, indent=2)
    telling = [item for item in root.evidence if style.verbose or item.text not in root.message]
    shown = telling if style.verbose else telling[: _SHOWN if len(report.diagnosis) == 1 else _SHOWN - 1]
    more = f"{len(telling) - len(shown)} more with -v" if len(telling) > len(shown) else ""
    yield from _seen(shown, style, indent=2, longest=_LONGER if root.cause is Cause.UNRECOGNISED else _LONG, more=more)


def _plan(report: Report, style: Style) -> Iterator[str]:
    if report.diagnosis:
        yield style.paint(f"{summary.how(report)}:", "1")
        yield from _steps([planned.step for planned in plan(report.diagnosis)], style, indent=2, numbered=True)


def _not_known(reason: summary.Shared, style: Style) -> Iterator[str]:
    """Why checks could not run, with what would make it known."""
    finding = reason.finding
    names = ", ".join(filter(None, (finding.cause.value if finding.cause else "", reason.who)))
    status = Status.FAIL if REQUIRED.name in reason.checks else Status.UNKNOWN
    yield from _item(status, f"{finding.message} ({names})", style)
    if style.verbose:
        yield from _seen(finding.evidence, style, indent=4)
    yield from _steps(finding.remedy, style, indent=4)


def _warnings(report: Report, style: Style) -> Iterator[str]:
    """Warnings with their steps, and what several advise last; beside a root cause, which comes first, a line for each check."""
    if style.verbose:  # the checklist has them
        return
    found = summary.shared(report, Status.WARN)
    if report.diagnosis:
        for who, said in {reason.who: reason.finding.message for reason in reversed(found)}.items():
            yield from _line(Status.WARN, f"{who}: {said}", style)
        return
    for number, reason in enumerate(found):
        yield from _item(Status.WARN, f"{reason.who}: {reason.finding.message}", style)
        later = {step for other in found[number + 1 :] for step in other.finding.remedy}
        yield from _steps([step for step in reason.finding.remedy if step not in later], style, indent=4)


def _item(status: Status, text: str, style: Style) -> list[str]:
    return _wrap(text, style, hanging=2, head=style.mark(status), code=f"1;{_COLOURS[status]}")


def _line(status: Status, text: str, style: Style, indent: int = 0) -> list[str]:
    """The beginning of a text, as much as one line holds."""
    room = max(style.width, 40) - indent - len(style.mark(status)) - 1
    plain = " ".join((as_ascii(text) if style.ascii else text).split())
    if len(plain) > room:
        ellipsis = "..." if style.ascii else "…"
        cut = plain[: room - len(ellipsis)]
        words = cut.rsplit(" ", 1)[0].rstrip(" ,;:.(")
        plain = (words if len(words) > room - _SPARE else cut) + ellipsis
    return [f"{' ' * indent}{style.paint(style.mark(status), _COLOURS[status])} {plain}"]


def _seen(evidence: Sequence[Seen], style: Style, indent: int, longest: int = _LONG, more: str = "") -> Iterator[str]:
    for number, item in enumerate(evidence, 1):
        text = item.text if style.verbose or len(item.text) <= longest else f"{item.text[:longest]}…"
        left = f" ({more})" if more and number == len(evidence) else ""
        yield from _wrap(f"Seen in {item.where}: {text}{left}", style, indent=indent, hanging=indent + 2)


def _steps(steps: Sequence[Step], style: Style, indent: int, *, numbered: bool = False) -> Iterator[str]:
    """Steps in their order; a single one needs no number outside the diagnosis."""
    for number, step in enumerate(steps, 1):
        mark = f"{number}." if numbered or len(steps) > 1 else "→"
        within = " " * (indent + len(mark) + 1)
        does = f" ({risk(step)})" if risk(step) else ""
        yield from _wrap(f"{mark} {step.text}{does}", style, indent=indent, hanging=len(within))
        if step.command:
            yield within + style.paint(step.command, "1")
        if step.url:
            yield within + style.paint(step.url, "4")


def _families(report: Report, style: Style) -> Iterator[str]:
    """A line for each family, with the names of what did not pass, then why checks were skipped."""
    if not summary.verdict(report).more:
        yield from _counts(report, style)
    families = list(dict.fromkeys(result.check.family for result in report.results))
    wide = max((len(family.value) for family in families), default=0)
    for family in families:
        own = [result for result in report.results if result.check.family is family]
        statuses = [counts_as(result) for result in own]
        worst = max((s for s in statuses if s is not Status.SKIP), key=lambda status: status.rank, default=Status.SKIP)
        head, room = f"{style.mark(worst)} {family.value:{wide}}", max(style.width, 40) - wide - 6
        said = _members(own, Status.SKIP)
        if len(said) > room:  # the reasons below name them, or -v
            said = _members(own)
        hanging = 2 + len(head) + 2
        lines = _wrap(said, style, hanging=hanging, indent=hanging)
        yield f"  {style.paint(head, _COLOURS[worst])}  {lines[0].lstrip()}"
        yield from lines[1:]
    skips = summary.shared(report, Status.SKIP)
    shown = skips if len(skips) <= _REASONS else skips[: _REASONS - 1]
    if report.diagnosis:  # reasons of single checks matter less now
        shown = [reason for reason in skips if len(reason.checks) > 1][:2]
    for reason in shown:
        yield from _line(Status.SKIP, f"{reason.who}: {reason.finding.message}", style, indent=2)
    if left := {name for reason in skips[len(shown) :] for name in reason.checks}:
        yield from _line(Status.SKIP, f"{summary.counted(len(left), 'more check')}: -v tells why", style, indent=2)


def _members(results: Sequence[Result], *also: Status) -> str:
    """How many checks of a family have each status, with the names of those that did not pass, and of the statuses ``also``."""
    said = []
    statuses = {counts_as(result) for result in results}
    for status in sorted(statuses, key=lambda status: (status is not Status.PASS, -status.rank)):
        names = [result.check.name for result in results if counts_as(result) is status]
        told = status in (Status.FAIL, Status.WARN, Status.UNKNOWN, *also)
        said.append(summary.number(len(names), status) + (f" ({', '.join(names)})" if told else ""))
    return ", ".join(said)


def _counts(report: Report, style: Style) -> list[str]:
    return _wrap(f"{summary.counts(report)} in {report.duration:.1f} s", style, hanging=2, head="Checks:", code="1")


def _foot(report: Report, style: Style) -> Iterator[str]:
    if report.hidden and (style.verbose or style.redaction_summary):
        yield from _wrap(summary.hidden_names(report), style, hanging=2, head="Redacted:", code="2")
    if account := summary.names_account(report) if style.verbose or style.redaction_summary else "":
        yield from _wrap(account, style)
    more = [] if style.verbose or report.recorded_at else ["ot-doctor -v"]
    bad = [r.check.name for s in (Status.UNKNOWN, Status.WARN) for r in report.results if r.status is s]
    about = [report.diagnosis[0].cause.value] if report.diagnosis else bad[:1]
    more += [f"ot-doctor explain {name}" for name in about]
    more += ["ot-doctor collect"] if about and report.deployment and not report.recorded_at else []
    if more:
        yield from _wrap(" · ".join(more), style, hanging=2, head="More:", code="2")


def _every_check(report: Report, style: Style) -> Iterator[Iterable[str]]:
    yield _counts(report, style)
    told: dict[str, str] = {}
    for family, results in groupby(report.results, key=lambda result: result.check.family):
        lines = [style.paint(family.value, "1")]
        entries = [entry for result in results for entry in _entries(result, report, told, style)]
        for (status, text, details), alike in groupby(entries, key=lambda entry: entry[1:]):
            lines += _row(status, ", ".join(dict.fromkeys(name for name, *_ in alike)), text, style)
            lines += details
        yield lines


def _entries(result: Result, report: Report, told: dict[str, str], style: Style) -> Iterator[_Entry]:
    """A check's rows. What is above already, and a reason that was given for another check, is not told again."""
    name, findings = result.check.name, result.findings
    if not findings:
        yield name, Status.PASS, result.check.title, ()
    for finding in findings:
        if finding.status is Status.UNKNOWN:
            yield name, finding.status, summary.SEE_ABOVE, ()
        elif finding.status is Status.SKIP:
            alike = (o for reason, o in told.items() if o != name and summary.same_reason(finding.message, reason))
            like = next(alike, None)
            told.setdefault(finding.message, name)
            yield name, finding.status, f"for the same reason as {like}" if like else finding.message, ()
        elif finding.status is Status.FAIL:
            yield name, finding.status, *_failure(result, finding, report, style)
        else:
            seen = _seen(finding.evidence, style, indent=6)
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
