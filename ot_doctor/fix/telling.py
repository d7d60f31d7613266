"""What a run of ``fix`` says: in lines of text, and as the document ``ot-doctor/fix/1``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ot_doctor import __version__
from ot_doctor.actions import PutToken, RecreateServices, Risk
from ot_doctor.check import Status
from ot_doctor.diagnosis.causes import title
from ot_doctor.diagnosis.fixable import kind_of
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.fix.outcome import Attended, Became, Deed, State
from ot_doctor.report.model import Report, UsageError, exit_code
from ot_doctor.report.summary import counted, counts

SCHEMA = "ot-doctor/fix/1"
_BAD = (Became.PLANNED, Became.DECLINED, Became.NOT_ALLOWED, Became.REFUSED, Became.FAILED, Became.DID_NOT_HELP, Became.BY_HAND)
_RISKS = {
    Risk.RESTARTS: "restarts a container", Risk.CHANGES_FILES: "changes files", Risk.DOWNLOADS: "downloads",
    Risk.REMOVES: "removes", Risk.INTERRUPTS: "interrupts a job that runs",
}  # fmt: skip
_WORDS = {
    Became.APPLIED: "Done, and verified.", Became.ALREADY: "It is so already.", Became.DECLINED: "Left alone.",
    Became.DID_NOT_HELP: "Done, but the problem is still there.",
    Became.PLANNED: "", Became.UNDONE: "Taken back.",
}  # fmt: skip


@dataclass(frozen=True)
class Account:
    """All that is told of a run."""

    started_at: datetime
    duration: float  # seconds
    installation: str
    attended: Sequence[Attended]
    report: Report  # of the newest look
    run: str = ""  # the journal's name, where something was begun
    planned_only: bool = False
    hidden: Mapping[str, int] | None = None
    command: str = ""  # what would do it
    also: tuple[str, ...] = ()  # causes of warnings that could be fixed, were they selected

    @property
    def exit_code(self) -> int:
        bad = any(deed.became in _BAD for one in self.attended for deed in one.deeds)
        return 1 if bad else exit_code(self.report)


def cause_lines(attended: Attended, place: str) -> list[str]:
    new = " (new)" if attended.new else ""
    return ["", f"{place}  {title(attended.root.cause)} ({attended.root.cause.value}){new}", f"    {attended.root.message}"]


def deed_lines(deed: Deed) -> list[str]:
    risks = ", ".join(_RISKS[risk] for risk in Risk if risk in deed.risks and risk in _RISKS)
    head = f"  {deed.does or deed.action.name}"
    return [f"{head}  [{risks}]" if risks else head, *(f"      {line}" for line in deed.lines)]


def became_line(deed: Deed) -> str:
    """What became of it; empty where there is nothing to say."""
    if deed.became is Became.NOT_ALLOWED:
        said = f"Not done: that needs --allow {','.join(sorted(risk.value for risk in deed.risks if risk is not Risk.SAFE))}."
    else:
        said = deed.reason if deed.became in (Became.REFUSED, Became.FAILED, Became.BY_HAND) else _WORDS[deed.became]
    mark = "✓" if deed.became in (Became.APPLIED, Became.ALREADY) else "✗"
    return f"    {mark} {said}" if said else ""


def looked_line(attended: Sequence[Attended]) -> str:
    told = [f"{one.root.cause.value} {'is gone' if one.state is State.GONE else 'is still there'}" for one in attended]
    return f"  Looked again: {', '.join(told)}."


def account_lines(account: Account, *, whole: bool) -> list[str]:
    """The document for people; ``whole``: with each cause, where none was shown before."""
    lines: list[str] = []
    total = len(account.attended)
    shared: dict[int, tuple[Deed, list[Attended]]] = {}  # the one restart for several
    for number, one in enumerate(account.attended if whole else (), 1):
        lines += cause_lines(one, f"{number} of {total}")
        for deed in one.deeds:
            if isinstance(deed.action, RecreateServices):
                shared.setdefault(id(deed), (deed, []))[1].append(one)
            else:
                lines += _told(deed)
    for deed, concerned in shared.values():
        lines += ["", restart_line(concerned), *_told(deed)]
    return [*lines, "", *_end(account)]


def restart_line(attended: Sequence[Attended]) -> str:
    return f"One restart for {', '.join(dict.fromkeys(one.root.cause.value for one in attended))}"


def _told(deed: Deed) -> list[str]:
    return [*deed_lines(deed), *([told] if (told := became_line(deed)) else [])]


def _end(account: Account) -> list[str]:
    gone = [one for one in account.attended if one.state is State.GONE]
    lines = []
    if gone:
        lines.append(f"Fixed: {', '.join(dict.fromkeys(one.root.cause.value for one in gone))}.")
    still = [one for one in account.attended if one.state is not State.GONE]
    if still and not account.planned_only:
        lines.append(f"Not fixed: {', '.join(dict.fromkeys(one.root.cause.value for one in still))}.")
    if not account.attended:
        lines.append("There is nothing that ot-doctor fix can do." if account.report.diagnosis else "There is nothing to fix.")
    lines.append(f"Now: {counts(account.report)}.")
    lines += [f"You do the rest: {text}" for text in dict.fromkeys(text for one in gone for text in _rest(one.root))]
    left = [root for root in account.report.diagnosis if kind_of(root.remedy) == "words"]
    lines += [f"By hand: {title(root.cause)} ({root.cause.value}). 'ot-doctor' shows the steps." for root in left]
    if account.hidden:
        told = ", ".join(f"{counted(number, 'step')} ({name})" for name, number in account.hidden.items())
        lines.append(f"Not done, because it was not allowed: {told}.")
    if account.also:
        lines.append(f"Warnings that it can fix as well: ot-doctor fix {' '.join(f'--select {name}' for name in account.also)}")
    if account.planned_only and account.attended:
        lines.append("Nothing was changed.")
    if account.command:
        lines += ["To do it without questions:", f"  {account.command}"]
    if account.run:
        lines.append(f"To take it back: ot-doctor undo {account.run}")
    return lines


def _rest(root: RootCause) -> Iterator[str]:
    """The steps of a remedy that have no action; the token that is asked for was created already."""
    for step, after in zip(root.remedy, (*root.remedy[1:], None), strict=True):
        asked_for = after is not None and isinstance(after.action, PutToken)
        if step.action is None and not asked_for:
            yield f"{step.text} {step.url or step.command or ''}".strip()


def document(account: Account) -> dict[str, Any]:
    """The document for programs."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "ot-doctor", "version": __version__},
        "started_at": account.started_at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_ms": round(account.duration * 1000),
        "error": None,
        "error_kind": None,
        "exit_code": account.exit_code,
        "installation": account.installation,
        "run": account.run or None,
        "changed_nothing": account.planned_only or not account.run,
        "causes": [
            {
                "cause": one.root.cause.value,
                "subject": one.root.subject,
                "title": title(one.root.cause),
                "message": one.root.message,
                "state": one.state.value,
                "new": one.new,
                "actions": [
                    {
                        "name": deed.action.name,
                        "does": deed.does or None,
                        "lines": list(deed.lines),
                        "risks": sorted(risk.value for risk in deed.risks),
                        "outcome": deed.became.value,
                        "reason": deed.reason or None,
                    }
                    for deed in one.deeds
                ],
            }
            for one in account.attended
        ],
        "not_allowed": dict(account.hidden or {}),
        "command": account.command or None,
        "left": [
            {"cause": root.cause.value, "subject": root.subject, "message": root.message, "kind": kind_of(root.remedy)}
            for root in account.report.diagnosis
        ],
        "summary": {status.value: count for status, count in account.report.summary.items()},
    }


def error_document(error: UsageError) -> dict[str, Any]:
    """The document for exit codes 2 and 4: the same keys, and what was wrong in ``error``."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "ot-doctor", "version": __version__},
        "started_at": error.started_at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_ms": 0,
        "error": error.message,
        "error_kind": error.kind,
        "exit_code": error.exit_code,
        "installation": None,
        "run": None,
        "changed_nothing": True if error.kind == "usage" else None,  # where the doctor itself failed, the journal tells
        "causes": [],
        "not_allowed": {},
        "command": None,
        "left": [],
        "summary": {status.value: 0 for status in (Status.PASS, Status.WARN, Status.FAIL, Status.SKIP, Status.UNKNOWN)},
    }
