"""The ``markdown`` format: to be pasted into an issue, a ticket or a forum; the diagnosis first, details folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from ot_doctor.check import Finding, Result, Seen, Status, Step
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relations
from ot_doctor.evidence import Attempt
from ot_doctor.report import summary
from ot_doctor.report.advice import Planned, risk
from ot_doctor.report.formats.markdown_text import clip, code, fence, indented, inline, link
from ot_doctor.report.model import Report, UsageError, counts_as, exit_code
from ot_doctor.report.versions import versions

T = TypeVar("T")
LIMIT = 60_000  # characters: GitHub takes 65,536, and who pastes the report adds words of their own
# Characters as they are written, of each part; the details of the checks get what the others leave.
_DIAGNOSIS, _IN_SHORT, _PLAN, _NOT_KNOWN, _LOG, _TABLE, _NOTICES, _ATTEMPTS, _VERSIONS = (
    19_000, 2_000, 9_000, 5_000, 5_500, 5_000, 1_500, 3_000, 2_500,
)  # fmt: skip
_CHECK, _SIGNS, _NOT_MADE, _LONGEST_LOG, _SHORT = 8_000, 2_500, 2_000, 4_000, 600
_SPARE = 500
_MARKS = {Status.PASS: "✅", Status.WARN: "⚠️", Status.FAIL: "❌", Status.SKIP: "➖", Status.UNKNOWN: "❔"}
_SHOWN = 5  # pieces of evidence that the diagnosis shows
_LEFT_OUT = "left out for length: the JSON report has them."


def render(report: Report) -> str:
    """The whole report, of fewer than ``LIMIT`` characters."""
    page = [_head(report)]
    page += _diagnosis(report)
    page += _plan(report)
    page += _fit(summary.not_known(report), _not_known, _NOT_KNOWN, "reason")
    page += _log(report)
    page += _table(report)
    page += _fit(report.notices, lambda notice: f"> {inline(clip(notice, 300))}", _NOTICES, "notice")
    more = [*_folded("Attempts", _attempts(report)), *_folded("Versions", _versions(report))]
    said = (summary.offered(report), summary.names_account(report), summary.hidden(report))
    notes = [inline(clip(note, 300)) for note in said if note]
    foot = "\n\n".join(["---", *notes])
    room = LIMIT - _SPARE - sum(len(block) + 2 for block in (*page, *more, foot))
    checks = _folded(f"Details of {summary.counted(len(report.results), 'check')}", _checks(report, room))
    return _document([*page, *checks, *more, foot])


def in_short(report: Report) -> str:
    """The verdict, each cause in a sentence, and the steps: fewer than 15,000 characters of any report."""
    causes = _fit([_in_short(root) for root in report.diagnosis], lambda cause: f"- {cause}", _IN_SHORT, "cause", separator=1)
    return _document([_head(report), *(["\n".join(causes)] if causes else []), *_plan(report)])


def render_error(error: UsageError) -> str:
    """The document for exit codes 2 and 4: what was wrong."""
    said = inline(clip(error.message, 5_000))
    when = f"{summary.tool()} · {summary.moment(error.started_at)} · exit code {error.exit_code}"
    return _document([f"## {error.title}\n\n{when}", said])


def _document(blocks: Sequence[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def _head(report: Report) -> str:
    about = [summary.tool(), summary.moment(report.started_at), f"exit code {exit_code(report)}"]
    about += [inline(clip(part, 120)) for part in summary.place(report)[:4]]
    verdict = summary.verdict(report)
    said = [inline(" · ".join(verdict.more))] if verdict.more else []
    said += [inline(clip(summary.remark(report), 600))] if summary.remark(report) else []
    return "\n\n".join([f"## {inline(verdict.text)}", *said, " · ".join(about)])


def _diagnosis(report: Report) -> list[str]:
    """Every cause in full; in brief where long ones leave no room for more, and in the end in a sentence."""
    relations, count = Relations(report), len(report.diagnosis)
    blocks: list[str] = []
    room = _DIAGNOSIS
    for number, root in enumerate(report.diagnosis, 1):
        block = ""
        if room > 0:
            block = _root(root, relations, report, text=2_000, evidence=_SHOWN)
        if len(block) > (room if number == count else room / 2):
            block = _root(root, relations, report, text=200, evidence=0)  # that of the first cause fits in any case
        if not block or len(block) > room:
            block, room = _in_short(root), 0
        heading = f"### {number}. {summary.heading(root, report)}\n\n" if count > 1 else ""
        blocks.append(heading + block)
        room -= len(blocks[-1])
    return _fit(blocks, str, _DIAGNOSIS + _IN_SHORT, "cause")


def _root(root: RootCause, relations: Relations, report: Report, *, text: int, evidence: int) -> str:
    subject = f" · {code(clip(root.subject, 300))}" if root.subject else ""
    confidence_text = f", {summary.confidence_text(root)}" if summary.confidence_text(root) else ""
    parts = [f"{code(root.cause.value)}{confidence_text}{subject}", inline(clip(root.message, text))]
    said = summary.relation(root, relations, report, granted=summary.is_the_failure(root))
    parts += [said] if said else []
    seen = [_seen(item, text // 3) for item in root.evidence[:evidence]]
    if len(root.evidence) > len(seen):
        seen.append(f"- {summary.counted(len(root.evidence) - len(seen), 'more sign')}: see the details of the checks")
    parts += ["**What was seen**", "\n".join(seen)] if seen else []
    return "\n\n".join(parts)


def _plan(report: Report) -> list[str]:
    """The steps of all causes, in their order."""
    steps = _fit(summary.steps(report), _planned, _PLAN, "step", separator=1)
    left_out = [steps.pop()] if steps and steps[-1].startswith("*") else []
    return [f"### {summary.how(report)}", "\n".join(steps), *left_out] if steps else []


def _planned(planned: Planned) -> str:
    return step_block(planned.number, planned.step, 2_000)


def _in_short(root: RootCause) -> str:
    subject = f" {code(clip(root.subject, 100))}" if root.subject else ""
    return f"{code(root.cause.value)}{subject}: {inline(clip(root.message, 100))}"


def _not_known(reason: summary.Shared) -> str:
    finding = reason.finding
    cause = f" ({code(finding.cause.value)})" if finding.cause else ""
    parts = [f"**Could not run: {reason.who}**{cause}", inline(clip(finding.message, 600))]
    return "\n\n".join([*parts, _steps(finding.remedy, 600)] if finding.remedy else parts)


def _log(report: Report) -> list[str]:
    """The lines that decided what the last failure was; of many, the first ones and more of the last ones."""
    attempt = summary.last_failure(report)
    text = summary.decisive(attempt) if attempt else ""
    if attempt is None or (len(text) < _SHORT and summary.is_evidence(text, report)):
        return []
    if len(text) > _LONGEST_LOG:
        first, last = text[: _LONGEST_LOG // 4], text[-_LONGEST_LOG * 3 // 4 :]
        text = f"{first}\n[… {len(text) - len(first) - len(last):,} characters left out]\n{last}"
    where = f"{code(clip(attempt.worker, 200))}, {summary.lines(attempt)}"
    return ["### The last failure in the log", *_fit([f"{where}:\n\n{fence(text, 'text')}"], str, _LOG, "excerpt")]


def _table(report: Report) -> list[str]:
    heading = f"### Checks: {summary.counts(report)}"
    rows: dict[tuple[Status, str], list[str]] = {}  # checks of which the same is said share a row
    for result in sorted(report.results, key=lambda result: -result.status.rank):
        if result.status is not Status.PASS and summary.was_run(result):
            rows.setdefault((counts_as(result), _said(result, report)), []).append(result.check.name)
    for reason in summary.not_run(report):
        status = reason.finding.status
        said = summary.SEE_ABOVE if status is Status.UNKNOWN else inline(clip(reason.finding.message, 250))
        rows.setdefault((status, said), []).extend(reason.checks)
    head = "| | Check | What was found |\n|---|---|---|"
    return [heading, *_cells(head, sorted(rows.items(), key=lambda row: -row[0][0].rank), _row, _TABLE, "row")]


def _row(row: tuple[tuple[Status, str], Sequence[str]]) -> str:
    (status, said), names = row
    few = len(names) <= summary.NAMED or status in (Status.FAIL, Status.WARN)
    return f"| {_MARKS[status]} {status.value} | {_names(names) if few else summary.counted(len(names), 'check')} | {said} |"


def _names(checks: Iterable[str]) -> str:
    return ", ".join(map(code, checks))


def _said(result: Result, report: Report) -> str:
    if result.status is Status.UNKNOWN:
        return summary.SEE_ABOVE
    finding, others = summary.worst(result), sum(f.status is not Status.PASS for f in result.findings) - 1
    if finding is None:
        return ""
    root = summary.follows_from(result, finding, report)
    more = f" (and {others} more)" if others > 0 else ""
    return inline(clip(finding.message, 250)) + more + (f" (follows from {code(root.cause.value)})" if root else "")


def _checks(report: Report, room: int) -> list[str]:
    """All checks with all that was seen, the worst first where there is not room for all; of those not made why."""
    not_run = _fit(summary.not_run(report), _not_made, _NOT_MADE, "reason", separator=1)
    room -= sum(len(block) + 1 for block in not_run)
    made = [result for result in report.results if summary.was_run(result)]
    blocks = {id(result): _check(result, report) for result in made}
    kept: set[int] = set()
    for result in sorted(made, key=lambda result: -result.status.rank):
        size = len(blocks[id(result)]) + 30
        if size <= room:
            kept.add(id(result))
            room -= size
    shown: list[str] = []
    for family, results in groupby(made, key=lambda result: result.check.family):
        listed = [blocks[id(result)] for result in results if id(result) in kept]
        shown += [f"**{family.value}**", "\n".join(listed)] if listed else []
    missing = len(made) - len(kept)
    shown += [f"*{summary.counted(missing, 'check')} {_LEFT_OUT}*"] if missing else []
    return [*shown, "**not checked**", "\n".join(not_run)] if not_run else shown


def _not_made(reason: summary.Shared) -> str:
    return f"- {_MARKS[reason.finding.status]} {_names(reason.checks)}: {inline(clip(reason.finding.message, 400))}"


def _check(result: Result, report: Report) -> str:
    head = f"- {_MARKS[result.status]} {code(result.check.name)} {inline(clip(result.check.title, 200))}"

    def write(finding: Finding) -> str:
        return _finding(finding, summary.follows_from(result, finding, report))

    findings = _fit(result.findings, write, _CHECK, "finding", separator=1)
    return "\n".join([head, *(indented(f"- {block.removeprefix('- ')}", 2) for block in findings)])


def _finding(finding: Finding, root: RootCause | None) -> str:
    names = [code(finding.cause.value)] if finding.cause else []
    names += [f"follows from {code(root.cause.value)}"] if root else []
    behind = f" ({', '.join(names)})" if names else ""
    blocks = [f"- {_MARKS[finding.status]} {inline(clip(finding.message, 400))}{behind}"]
    blocks += [indented(f"- expected: {inline(clip(finding.expected, 200))}", 2)] if finding.expected else []
    seen = _fit(finding.evidence, lambda item: _seen(item, _SHORT), _SIGNS, "sign", separator=1)
    blocks += [indented(f"- {block.removeprefix('- ')}", 2) for block in seen]
    if finding.remedy and finding.status is Status.WARN:
        blocks += ["", indented(_steps(finding.remedy, 200, 6), 2)]
    return "\n".join(blocks)


def _seen(item: Seen, longest: int) -> str:
    """A list item; a text of several lines stands in a fence."""
    head, text = f"- {code(clip(item.where, 200))}", clip(item.text.strip("\r\n"), longest)
    return f"{head}\n\n{indented(fence(text), 2)}" if "\n" in text else f"{head}: {inline(text)}"


def _steps(steps: Sequence[Step], longest: int, most: int = 12) -> str:
    blocks = [step_block(number, step, longest) for number, step in enumerate(steps[:most], 1)]
    more = f"\n\n*{summary.counted(len(steps) - most, 'more step')} {_LEFT_OUT}*" if len(steps) > most else ""
    return "\n".join(blocks) + more


def step_block(number: int, step: Step, longest: int) -> str:
    does = f" *({inline(clip(risk(step), 200))})*" if risk(step) else ""
    parts = [f"{number}. {inline(clip(step.text, longest))}{does}"]
    parts += [indented(part, len(f"{number}. ")) for part in _means(step, longest)]
    return "\n\n".join(parts)


def _means(step: Step, longest: int) -> Iterator[str]:
    """The command and the link, whole or not at all: one that is cut would do something else."""
    written = [fence(step.command, "sh")] if step.command else []
    written += [link(step.url)] if step.url else []
    for text in written:
        yield text if len(text) <= 4 * longest + 20 else f"*({len(text):,} characters {_LEFT_OUT})*"


def _attempts(report: Report) -> list[str]:
    head = "| Begun | Ended | Worker | Outcome | Cause | In the log |\n|---|---|---|---|---|---|"
    return _cells(head, summary.attempts(report), _attempt_row, _ATTEMPTS, "attempt")


def _attempt_row(attempt: Attempt) -> str:
    cells = [summary.moment(attempt.started_at) or "–", summary.moment(attempt.ended_at) or "–", code(clip(attempt.worker, 100))]
    cells += [attempt.outcome.value, code(clip(attempt.cause or "", 100)) or "–", summary.lines(attempt)]
    return f"| {' | '.join(cells)} |"


def _versions(report: Report) -> list[str]:
    return _cells("| What | Version |\n|---|---|", versions(report), _version_row, _VERSIONS, "version")


def _version_row(version: tuple[str, str]) -> str:
    name, value = version
    return f"| {inline(clip(name, 100))} | {inline(clip(value, 300))} |"


def _cells(head: str, things: Sequence[T], row: Callable[[T], str], room: int, name: str) -> list[str]:
    """A table with a row for each thing, as many as there is room for, and how many were left out; nothing for no thing."""
    if not things:
        return []
    kept = _fit(things, row, room, name, separator=1)
    note = [kept.pop()] if kept[-1].startswith("*") else []
    return ["\n".join([head, *kept]), *note]


def _folded(summary: str, blocks: Sequence[str]) -> list[str]:
    return [f"<details>\n<summary>{summary}</summary>", *blocks, "</details>"] if blocks else []


def _fit(things: Sequence[T], write: Callable[[T], str], room: int, name: str, *, separator: int = 2) -> list[str]:
    """The first things as they are written, as many as ``room`` characters hold, and how many were left out."""
    blocks: list[str] = []
    for thing in things:
        block = write(thing)
        room -= len(block) + separator
        if room < 0:
            return [*blocks, f"*{summary.counted(len(things) - len(blocks), f'more {name}')} {_LEFT_OUT}*"]
        blocks.append(block)
    return blocks
