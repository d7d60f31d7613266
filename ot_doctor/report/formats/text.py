"""The ``text`` format, made for a terminal: the verdict, each cause with what was seen, one plan of steps, then the checklist.

In short the checklist has a line for each family; ``-v`` shows every check with its evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ot_doctor.check import Cause, Finding, Result, Status
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relations
from ot_doctor.report import summary
from ot_doctor.report.formats.text_lines import (
    COLOURS,
    LONG,
    MARKS,
    Style,
    as_ascii,
    first_line,
    item_lines,
    row_lines,
    seen_lines,
    step_lines,
    title_lines,
    wrapped,
)
from ot_doctor.report.model import Report, counts_as
from ot_doctor.report.plain import accessed
from ot_doctor.report.versions import age
from ot_doctor.run.requirements import CHECK as REQUIRED

_SHOWN = 2  # pieces of evidence that the only cause shows without -v; one of several shows one
_LONGER = 400  # characters of a piece of evidence where the log's own words are all that is known
_ROWS = 2  # lines of the piece that one of several causes shows
_REASONS = 2  # lines that tell why checks were skipped
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_Entry = tuple[str, Status, str, tuple[str, ...]]  # a row: the check's name, status and text, and the lines below it


_OF_A_FILE = Style(redaction_summary=True)


def render(report: Report, style: Style = _OF_A_FILE) -> str:
    """The whole report, ending with a line end."""
    blocks = [block for block in map(list, _blocks(report, style)) if block]
    lines = [line for block in blocks for line in (*block, "")][:-1]
    if sum(_rows(line, style) for line in lines) >= style.height:  # the shell's prompt takes a line, too
        lines += ["", *_verdict(report, style, named=False)]
    text = "\n".join(lines) + "\n"
    return as_ascii(text) if style.ascii else text


def _rows(line: str, style: Style) -> int:
    """How many lines of the terminal it takes: a long command goes on in the next ones."""
    return max(1, -(-len(_ESCAPE.sub("", line)) // style.width))


def verdict_line(report: Report) -> str:
    """The verdict on one line, whatever its length."""
    return " ".join(f"{MARKS[summary.verdict(report).status]} {summary.verdict(report).line}".split())


def _blocks(report: Report, style: Style) -> Iterator[Iterable[str]]:
    """The parts that an empty line separates."""
    if style.quiet and summary.verdict(report).status is Status.PASS:
        yield _verdict(report, style)
        return
    yield _head(report, style)
    if not _alone(report):
        for number, (root, before) in enumerate(zip(report.diagnosis, (None, *report.diagnosis), strict=False), 1):
            yield _cause(root, number, report, style, again=before is not None and before.cause is root.cause)
    yield _plan(report, style)
    if remark := summary.remark(report):
        yield item_lines(Status.WARN, remark, style)
    yield from (_not_known(reason, report, style) for reason in summary.not_known(report))
    yield _warnings(report, style)
    yield (line for notice in report.notices for line in item_lines(Status.UNKNOWN, notice, style))
    if style.quiet and summary.nothing_was_checked(report):
        yield (line for reason in summary.shared(report, Status.SKIP)[:_REASONS] for line in _why_skipped(reason, style))
    if not style.quiet:
        yield from _every_check(report, style) if style.verbose else [_families(report, style)]
        yield _foot(report, style)
    yield wrapped(summary.offered(report), style)


def _head(report: Report, style: Style) -> Iterator[str]:
    parts = [summary.tool()]
    if report.deployment:
        parts += [report.deployment.machine] if report.deployment.machine else []
        parts += [str(report.deployment.directory), summary.release(report.deployment)]
    elif report.log:
        parts += [source.name for source in report.log.sources]
    if report.workers and report.workers.diarizers:
        parts.append(", ".join(worker.name for worker in report.workers.diarizers))
    if report.hub and not report.hub.is_default:
        origin = f" (from {report.hub.endpoint_from})" if style.verbose else ""
        parts.append(f"Hub: {report.hub.endpoint}{origin}")
    if report.recorded_at:
        parts.append(f"recorded {summary.moment(report.recorded_at)}")
    yield from wrapped(" · ".join(parts), style, hanging=2)
    yield from _verdict(report, style)
    if _alone(report):
        yield from _said(report.diagnosis[0], report, style)


def _alone(report: Report) -> bool:
    """Whether a single cause is the verdict."""
    return len(report.diagnosis) == 1 and report.upcoming is None


def _verdict(report: Report, style: Style, *, named: bool = True) -> list[str]:
    """The verdict, with the last diarization on a line of its own where it does not fit beside it.

    ``named``: an only cause has its name beside its title.
    """
    verdict = summary.verdict(report)
    mark, code = style.mark(verdict.status), f"1;{COLOURS[verdict.status]}"
    if _alone(report) and named:
        return title_lines(mark, verdict.text, _names(report.diagnosis[0]), style, code)
    text = verdict.line
    if verdict.more and len(mark) + 1 + len(text) > style.width:
        text, _, rest = text.partition(" · ")
        more = wrapped(rest, style, indent=len(mark) + 1) if rest else []
    else:
        more = []
    return [*wrapped("", style, hanging=len(mark) + 1, head=f"{mark} {text}", code=code), *more]


def _names(root: RootCause) -> str:
    return ", ".join(filter(None, (root.cause.value, summary.confidence_text(root))))


def _cause(root: RootCause, number: int, report: Report, style: Style, *, again: bool) -> Iterator[str]:
    """``again``: the cause before it is the same, of another subject; then its title and signs of the same kind are left out."""
    if again and not style.verbose:
        said = " ".join([root.message, summary.relation(root, Relations(report), report)])
        yield from wrapped(said, style, hanging=2, head=str(number), code="1;31")
        return
    yield from title_lines(str(number), summary.heading(root, report), _names(root), style, "1;31")
    yield from _said(root, report, style)


def _said(root: RootCause, report: Report, style: Style) -> Iterator[str]:
    """What was seen of a cause, and what it has to do with the last failure."""
    alone = len(report.diagnosis) == 1
    relation = summary.relation(root, Relations(report), report, granted=alone and not style.verbose)
    ends = root.message.endswith((".", "!", "?"))
    for text in [f"{root.message} {relation}"] if ends else [root.message, relation]:
        yield from wrapped(text, style, indent=2)
    telling = [item for item in root.evidence if style.verbose or item.text not in root.message]
    shown = telling if style.verbose else telling[: _SHOWN if alone else 1]
    more = f"{len(telling) - len(shown)} more with -v" if len(telling) > len(shown) else ""
    unknown = root.cause is Cause.UNRECOGNISED  # then the log's words are all that there is
    rows = 0 if alone or unknown else _ROWS
    yield from seen_lines(shown, style, indent=2, longest=_LONGER if unknown else LONG, rows=rows, more=more)


def _plan(report: Report, style: Style) -> Iterator[str]:
    if report.diagnosis:
        yield style.paint(f"{summary.how(report)}:", "1")
        yield from step_lines([planned.step for planned in summary.steps(report)], style, indent=2, numbered=True)


def _not_known(reason: summary.Shared, report: Report, style: Style) -> Iterator[str]:
    """Why checks could not run, with what would make it known."""
    finding = reason.finding
    names = ", ".join(filter(None, (finding.cause.value if finding.cause else "", reason.who)))
    status = Status.FAIL if REQUIRED.name in reason.checks else Status.UNKNOWN
    yield from item_lines(status, f"{finding.message} ({names})", style)
    if style.verbose:
        yield from seen_lines(finding.evidence, style, indent=4)
    planned = {one.step.command for one in summary.steps(report)} - {None}
    yield from step_lines([step for step in finding.remedy if step.command not in planned], style, indent=4)


def _warnings(report: Report, style: Style) -> Iterator[str]:
    """Warnings with their steps, and what several advise last; beside a root cause, which comes first, a line for each check."""
    if style.verbose:  # the checklist has them
        return
    found = summary.shared(report, Status.WARN)
    if report.diagnosis:
        for who, said in {reason.who: reason.finding.message for reason in reversed(found)}.items():
            yield from first_line(Status.WARN, f"{who}: {said}", style)
        return
    for number, reason in enumerate(found):
        yield from item_lines(Status.WARN, f"{reason.who}: {reason.finding.message}", style)
        later = {step for other in found[number + 1 :] for step in other.finding.remedy}
        steps = list(reason.finding.remedy)
        while steps and steps[-1] in later:  # the last ones alone: what is left stays in its order
            steps.pop()
        yield from step_lines(steps, style, indent=4)


def _families(report: Report, style: Style) -> Iterator[str]:
    """A line for each family, with the names of what did not pass, then why checks were skipped.

    Beside a root cause the families in which nothing is wrong share a line.
    """
    if not summary.verdict(report).more:
        yield from _counts(report, style)
    families: dict[str, list[Result]] = {}
    for result in report.results:
        families.setdefault(result.check.family.value, []).append(result)
    good = [name for name, own in families.items() if _worst(own) is Status.PASS] if report.diagnosis else []
    if len(good) > 1:
        families[", ".join(good)] = [result for name in good for result in families.pop(name)]
    wide = max((len(name) for name in families if "," not in name), default=0)
    for name, own in families.items():
        yield from _family(name, own, wide, style)
    skips = summary.shared(report, Status.SKIP)
    shown = skips if len(skips) <= _REASONS else skips[: _REASONS - 1]
    if report.diagnosis:  # reasons of single checks matter less now
        shown = [reason for reason in skips if len(reason.checks) > 1][:1]
    for reason in shown:
        yield from first_line(Status.SKIP, f"{reason.who}: {reason.finding.message}", style, indent=2)
    left = {name for reason in skips[len(shown) :] for name in reason.checks}
    if left and not report.diagnosis:
        yield from first_line(Status.SKIP, f"{summary.counted(len(left), 'more check')}: -v tells why", style, indent=2)


def _worst(results: Iterable[Result]) -> Status:
    """The worst status of some checks; a skip where there is nothing else."""
    statuses = [status for status in map(counts_as, results) if status is not Status.SKIP]
    return max(statuses, key=lambda status: status.rank, default=Status.SKIP)


def _family(name: str, results: Sequence[Result], wide: int, style: Style) -> Iterator[str]:
    worst = _worst(results)
    head = f"{style.mark(worst)} {name:{wide}}"
    said, room = _members(results, Status.SKIP), max(style.width, 40) - len(head) - 4
    if len(said) > room:  # the reasons below name them, or -v
        said = _members(results)
    hanging = 2 + len(style.mark(worst)) + 1 + wide + 2
    yield from wrapped(f" {said}", style, indent=2, hanging=hanging, head=head, code=COLOURS[worst])


def _members(results: Sequence[Result], *also: Status) -> str:
    """How many checks of a family have each status, with the names of those that did not pass, and of the statuses ``also``."""
    said = []
    statuses = {counts_as(result) for result in results}
    for status in sorted(statuses, key=lambda status: (status is not Status.PASS, -status.rank)):
        names = [result.check.name for result in results if counts_as(result) is status]
        named = status in (Status.FAIL, Status.WARN, Status.UNKNOWN, *also)
        said.append(summary.number(len(names), status) + (f" ({', '.join(names)})" if named else ""))
    return ", ".join(said)


def _counts(report: Report, style: Style) -> list[str]:
    return wrapped(f"{summary.counts(report)} in {report.duration:.1f} s", style, hanging=2, head="Checks:", code="1")


def _foot(report: Report, style: Style) -> Iterator[str]:
    if report.hidden and style.tells_what_is_hidden:
        yield from wrapped(summary.hidden_names(report), style, hanging=2, head="Redacted:", code="2")
    if account := summary.names_account(report) if style.tells_what_is_hidden else "":
        yield from wrapped(account, style)
    if style.verbose and (touched := accessed(report)):
        yield from wrapped(touched, style)
    if style.verbose and (said := age(report)):
        yield from wrapped(said, style)
    more = [] if style.verbose or report.recorded_at else ["ot-doctor -v"]
    unknown, warned = ([r.check.name for r in report.results if r.status is s] for s in (Status.UNKNOWN, Status.WARN))
    bad = [*unknown, *sorted(warned, key=lambda name: name != summary.LAST)]
    about = [report.diagnosis[0].cause.value] if report.diagnosis else bad[:1]
    more += [f"ot-doctor explain {name}" for name in about]
    more += ["ot-doctor collect"] if about and report.deployment and not report.recorded_at else []
    if more:
        yield from wrapped(" · ".join(more), style, hanging=2, head="More:", code="2")


def _every_check(report: Report, style: Style) -> Iterator[Iterable[str]]:
    yield _counts(report, style)
    reasons: dict[str, str] = {}
    for family, results in groupby(report.results, key=lambda result: result.check.family):
        lines = [style.paint(family.value, "1")]
        entries = [entry for result in results for entry in _entries(result, report, reasons, style)]
        for (status, text, details), alike in groupby(entries, key=lambda entry: entry[1:]):
            lines += row_lines(status, ", ".join(dict.fromkeys(name for name, *_ in alike)), text, style)
            lines += details
        yield lines


def _entries(result: Result, report: Report, reasons: dict[str, str], style: Style) -> Iterator[_Entry]:
    """A check's rows. What is above already, and a reason that was given for another check, is not told again."""
    name, findings = result.check.name, result.findings
    if not findings:
        yield name, Status.PASS, result.check.title, ()
    for finding in findings:
        if finding.status is Status.UNKNOWN:
            yield name, finding.status, summary.SEE_ABOVE, ()
        elif finding.status is Status.SKIP:
            alike = (o for reason, o in reasons.items() if o != name and summary.same_reason(finding.message, reason))
            like = next(alike, None)
            reasons.setdefault(finding.message, name)
            yield name, finding.status, f"for the same reason as {like}" if like else finding.message, ()
        elif finding.status is Status.FAIL:
            yield name, finding.status, *_failure(result, finding, report, style)
        else:
            seen = seen_lines(finding.evidence, style, indent=6)
            yield name, finding.status, finding.message, (*seen, *step_lines(finding.remedy, style, indent=6))


def _failure(result: Result, finding: Finding, report: Report, style: Style) -> tuple[str, tuple[str, ...]]:
    """A failure's row: in short where the diagnosis tells it."""
    roots = summary.roots_of(result, report)
    if summary.is_one_of(finding, roots):
        about = f" ({finding.subject})" if sum(root.cause is finding.cause for root in roots) > 1 else ""
        return f"see {finding.cause.value if finding.cause else ''} above{about}", ()
    if root := summary.follows_from(result, finding, report):  # its own remedy would mislead
        return finding.message, tuple(wrapped(f"This follows from {root.cause.value} above.", style, indent=6))
    return finding.message, (*seen_lines(finding.evidence, style, indent=6), *step_lines(finding.remedy, style, indent=6))


def _why_skipped(reason: summary.Shared, style: Style) -> list[str]:
    return item_lines(Status.SKIP, f"{reason.who}: {reason.finding.message}", style)
