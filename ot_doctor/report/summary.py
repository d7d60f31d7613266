"""What every format says: the verdict, the counts, what a cause has to do with the last failure, reasons, what was hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ot_doctor import __version__
from ot_doctor.check import Cause, Confidence, Finding, Result, Status, Step
from ot_doctor.diagnosis.causes import title
from ot_doctor.diagnosis.fixable import offer
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relation, Relations
from ot_doctor.evidence import Attempt, Deployment, Outcome
from ot_doctor.report.advice import Planned, plan
from ot_doctor.report.model import Report
from ot_doctor.run.requirements import unmet

WORDS = {Status.PASS: "passed", Status.WARN: "warning", Status.FAIL: "failed", Status.SKIP: "skipped", Status.UNKNOWN: "unknown"}
LAST = "last-attempt"  # the check of the last diarization
SEE_ABOVE = "could not run, see above"  # of a check whose reason is given there
NAMED = 4  # checks that are named where the same is said of them; more are counted
_FEW = 3  # warnings are named where they are fewer
_ONE_ALLOWED = re.compile(r"(?i)(?:max|num)_speakers\W{1,4}1\b")
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_STAND_IN = re.compile(r"account-\d+")
_WORDS_OF_ITS_OWN = 20  # characters: a longer message inside another one is its reason


@dataclass(frozen=True)
class Shared:
    """What is said of several checks."""

    finding: Finding  # the one that says it in the fewest words
    checks: tuple[str, ...]  # their names

    @property
    def who(self) -> str:
        return ", ".join(self.checks) if len(self.checks) <= NAMED else counted(len(self.checks), "check")


def tool() -> str:
    """The tool's name and version."""
    return f"ot-doctor {__version__}"


def counted(number: int, thing: str) -> str:
    """``1 check``, ``2 checks``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Verdict:
    """The outcome of the run: a sentence without its full stop, the status that it amounts to, and what is said beside it."""

    status: Status
    text: str
    more: tuple[str, ...] = ()  # the counts, the last diarization

    @property
    def line(self) -> str:
        first, *others = self.more or ("",)
        return " · ".join([f"{self.text}: {first}" if first else self.text, *others])


def number(count: int, status: Status) -> str:
    """``1 passed``, ``2 warnings``."""
    return counted(count, WORDS[status]) if status is Status.WARN else f"{count:,} {WORDS[status]}"


def counts(report: Report) -> str:
    """``8 passed, 4 failed``."""
    found = [number(count, status) for status, count in report.summary.items() if count]
    return ", ".join(found) or "no check was run"


def heading(root: RootCause, report: Report) -> str:
    """A cause's title. What would keep another release from starting has not stopped the present one."""
    if report.upcoming and root.cause is Cause.WORKER_DOWN:
        return f"{report.upcoming.name} would not start here"
    return title(root.cause)


def steps(report: Report) -> tuple[Planned, ...]:
    """The steps of all causes, as one plan."""
    again = Step(f"Run 'ot-doctor preflight --for {report.upcoming.line.value}' again.") if report.upcoming else None
    return plan(report.diagnosis, again)


def nothing_was_checked(report: Report) -> bool:
    """Whether every check was skipped or could not run."""
    return not any(report.summary[status] for status in (Status.PASS, Status.WARN, Status.FAIL))


def verdict(report: Report) -> Verdict:
    """The outcome of the run in one sentence."""
    summary, missing = report.summary, unmet(report.results, report.required)
    if report.upcoming:
        return _of_another_release(report, report.upcoming.name)
    if len(report.diagnosis) == 1:
        return Verdict(Status.FAIL, heading(report.diagnosis[0], report))
    if report.diagnosis:
        return Verdict(Status.FAIL, f"{counted(len(report.diagnosis), 'problem')} found; fix them in this order")
    failed = _failed_last(report)
    also = f", and {failed}" if failed else ""
    if missing:
        families = ", ".join(f"{family.value} ({', '.join(names) or 'nothing'})" for family, names in missing.items())
        return Verdict(Status.FAIL, "Not everything that is required could be checked", (families,))
    if summary[Status.FAIL]:
        return Verdict(Status.FAIL, f"{counted(summary[Status.FAIL], 'check')} failed")
    if summary[Status.UNKNOWN]:
        left = f"{counted(summary[Status.UNKNOWN], 'check')} could not run"
        if nothing_was_checked(report):
            return Verdict(Status.UNKNOWN, f"Nothing could be checked: {left}")
        return Verdict(Status.UNKNOWN, f"Nothing failed, but {left}{also}")
    if nothing_was_checked(report):
        return Verdict(Status.UNKNOWN, "Nothing was checked")
    if report.notices:
        return Verdict(Status.UNKNOWN, f"Nothing failed, but not all checks could be loaded{also}")
    if failed:
        return Verdict(Status.WARN, f"No problem found now, but {failed}")
    return _nothing_is_wrong(report)


def _of_another_release(report: Report, name: str) -> Verdict:
    """The outcome of ``preflight``."""
    summary, more = report.summary, (counts(report),)
    if missing := unmet(report.results, report.required):
        return Verdict(Status.FAIL, f"Not everything that {name} needs could be checked", (", ".join(f.value for f in missing),))
    if summary[Status.FAIL]:
        return Verdict(Status.FAIL, f"{name} would not work here yet", more)
    if summary[Status.UNKNOWN] or report.notices or nothing_was_checked(report):
        return Verdict(Status.UNKNOWN, f"Whether {name} would work here is not known", more)
    if summary[Status.WARN]:
        status = Status.FAIL if report.fail_on == "warn" else Status.WARN
        return Verdict(status, f"{name} can come; look at the warnings first", more)
    return Verdict(Status.PASS, f"{name} finds here what it needs", more)


def _nothing_is_wrong(report: Report) -> Verdict:
    summary, last = report.summary, _succeeded_last(report)
    warned = [result.check.name for result in report.results if result.status is Status.WARN]
    found = [f"{counted(summary[Status.PASS], 'check')} passed"]
    if warned:
        found.append(number(len(warned), Status.WARN) + (f" ({', '.join(warned)})" if len(warned) < _FEW else ""))
    found += [number(summary[Status.SKIP], Status.SKIP)] if summary[Status.SKIP] else []
    status = Status.WARN if warned else Status.PASS
    more: tuple[str, ...] = (", ".join(found),)
    if last:
        at = clock(last.ended_at or last.started_at, report)
        speakers = "" if last.speakers is None else counted(last.speakers, "speaker")
        more = (*more, "last diarization " + (", ".join(filter(None, (at, speakers))) or "succeeded"))
    if warned and report.fail_on == "warn":
        return Verdict(Status.FAIL, "Warnings count as failures", more)
    if _too_few_speakers(last):
        return Verdict(Status.WARN, "The last diarization found only one speaker", more)
    if report.deployment is None and report.log is not None:
        return Verdict(status, "The log shows no problem", more)
    if warned:
        return Verdict(status, "Nothing failed", more)
    if last:
        return Verdict(status, "Everything works", more)
    return Verdict(status, "No problem found", more) if summary[Status.SKIP] else Verdict(status, "All checks passed")


def _too_few_speakers(last: Attempt | None) -> bool:
    return last is not None and last.speakers == 1 and not _ONE_ALLOWED.search(last.settings)


def remark(report: Report) -> str:
    """What the check of the last diarization says of it where it found only one speaker of more that were allowed; else empty."""
    found = next((result for result in report.results if result.check.name == LAST), None)
    if found is None or found.status is not Status.PASS or not _too_few_speakers(_succeeded_last(report)):
        return ""
    return found.findings[0].message if found.findings else ""


def _failed_last(report: Report) -> str:
    """What to add where the newest diarization failed, and no failure is left."""
    newest = report.log.newest_ended if report.log else None
    if newest is None or newest.outcome is not Outcome.FAILED:
        return ""
    at = since(newest.ended_at or newest.started_at, report)
    return f"the last diarization failed{f' ({at})' if at else ''}"


def _succeeded_last(report: Report) -> Attempt | None:
    newest = report.log.newest_ended if report.log else None
    return newest if newest and newest.outcome in (Outcome.SUCCEEDED, Outcome.RECOVERED) else None


def clock(at: datetime | None, report: Report) -> str:
    """``15:50 UTC``, with the date where that is not the report's."""
    if at is None:
        return ""
    at, today = at.astimezone(timezone.utc), (report.recorded_at or report.started_at).astimezone(timezone.utc)
    return f"{at:%H:%M} UTC" if at.date() == today.date() else f"{at:%Y-%m-%d %H:%M} UTC"


def since(at: datetime | None, report: Report) -> str:
    """``15:50 UTC, 3 minutes ago``; for recorded evidence the time that had gone by when it was recorded."""
    if at is None:
        return ""
    seconds = ((report.recorded_at or report.started_at) - at).total_seconds()
    if seconds < 0:  # another machine's clock
        return clock(at, report)
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size or size == 1)
    gone = counted(int(seconds // size), unit)
    return f"{clock(at, report)}, {gone} {'before it was recorded' if report.recorded_at else 'ago'}"


def moment(at: datetime | None) -> str:
    """The time in UTC, to the second; empty for ``None``."""
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def confidence_text(root: RootCause) -> str:
    """``likely`` or ``possible``; empty where the cause is certain."""
    return "" if root.confidence is Confidence.CERTAIN else root.confidence.value


def relation(root: RootCause, relations: Relations, report: Report, *, granted: bool = False) -> str:
    """What the cause has to do with the last failure; empty where there is none to speak of.

    ``granted``: who reads it takes for granted that the cause explains the failure.
    """
    kind = relations.of_root(root)
    if not relations.any_failure or kind is None:
        return ""
    if kind is Relation.EXPLAINS:
        at = f" ({since(relations.failed_at, report)})" if relations.failed_at else ""
        return "" if granted or root.cause is Cause.UNRECOGNISED else f"It explains the last failure{at}."
    if kind is Relation.WOULD_BREAK:
        return "It would break the next run."
    return "It is unrelated to the last failure."


def is_the_failure(root: RootCause) -> bool:
    """Whether the cause is what the log says of a failure, and nothing else."""
    return len(root.explains) == 1 and all(seen.source == "log" for seen in root.evidence)


def shared(report: Report, status: Status) -> list[Shared]:
    """The findings of a status: what says the same once, that of the most checks first."""
    groups: list[tuple[Finding, list[str]]] = []
    found = [(f, r.check.name) for r in report.results for f in r.findings if f.status is status]
    for finding, name in sorted(found, key=lambda item: len(item[0].message)):
        names = next((names for reason, names in groups if same_reason(finding.message, reason.message)), None)
        if names is None:
            groups.append((finding, names := []))
        if name not in names:
            names.append(name)
    return [Shared(reason, tuple(names)) for reason, names in sorted(groups, key=lambda group: -len(group[1]))]


def not_known(report: Report) -> list[Shared]:
    """Why checks could not run: each reason once, and reasons with one cause and one remedy once."""
    groups: dict[object, Shared] = {}
    for number, one in enumerate(shared(report, Status.UNKNOWN)):
        key = (one.finding.cause, one.finding.remedy) if one.finding.cause and one.finding.remedy else number
        first = groups.get(key)
        checks = tuple(dict.fromkeys([*(first.checks if first else ()), *one.checks]))
        groups[key] = Shared(first.finding if first else one.finding, checks)
    return sorted(groups.values(), key=lambda one: -len(one.checks))


def was_run(result: Result) -> bool:
    """Whether there is more to say of the check than why it could not be made or was skipped."""
    statuses = {finding.status for finding in result.findings}
    return statuses not in ({Status.SKIP}, {Status.UNKNOWN}) or any(finding.evidence for finding in result.findings)


def not_run(report: Report) -> list[Shared]:
    """Why checks could not be made (``UNKNOWN``), then why others were skipped (``SKIP``)."""
    others = replace(report, results=tuple(result for result in report.results if not was_run(result)))
    return [*shared(others, Status.UNKNOWN), *shared(others, Status.SKIP)]


def same_reason(message: str, reason: str) -> bool:
    """Whether a message gives that reason, alone or behind words of its own."""
    return message == reason or (len(reason) > _WORDS_OF_ITS_OWN and reason.rstrip(".") in message)


def worst(result: Result) -> Finding | None:
    """The finding that made the check's status."""
    return max(result.findings, key=lambda finding: finding.status.rank, default=None)


def roots_of(result: Result, report: Report) -> list[RootCause]:
    """The root causes that account for the check's failures."""
    return [root for root in report.diagnosis if result.check.name in root.explains]


def leads(result: Result, root: RootCause) -> bool:
    """Whether the check is the one that a format shows for the root cause, where it shows one check for each fault."""
    return bool(root.explains) and root.explains[0] == result.check.name


def is_one_of(finding: Finding, roots: Sequence[RootCause]) -> bool:
    """Whether the diagnosis shows the finding itself as one of these."""
    return any(root.cause is finding.cause and finding.subject in (None, root.subject) for root in roots)


def follows_from(result: Result, finding: Finding, report: Report) -> RootCause | None:
    """The root cause that brought a failure about, where the diagnosis does not show the failure itself."""
    roots = roots_of(result, report)
    return roots[0] if roots and finding.status is Status.FAIL and not is_one_of(finding, roots) else None


def attempts(report: Report) -> tuple[Attempt, ...]:
    """The attempts, the newest first; a job with diarization switched off is none.

    The last failure has the cause of the diagnosis that explains it where its own lines are not recognised.
    """
    found = tuple(attempt for attempt in report.attempts if attempt.outcome is not Outcome.DISABLED)
    failed = report.log.newest_ended if report.log else None
    if failed is None or failed.outcome is not Outcome.FAILED or failed.cause not in (None, Cause.UNRECOGNISED.value):
        return found
    relations = Relations(report)
    causes = [root.cause.value for root in report.diagnosis if relations.of_root(root) is Relation.EXPLAINS]
    return tuple(replace(a, cause=causes[0]) if a is failed and causes else a for a in found)


def last_failure(report: Report) -> Attempt | None:
    """The newest attempt that ended, where it failed and the log shows why."""
    newest = report.log.newest_ended if report.log else None
    return newest if newest and newest.outcome is Outcome.FAILED and newest.decisive else None


def decisive(attempt: Attempt) -> str:
    """The log's records that decided what the attempt failed of."""
    return "\n".join(record.text for record in attempt.decisive)


def is_evidence(text: str, report: Report) -> bool:
    """Whether the diagnosis shows the text already."""
    return any(text in item.text for root in report.diagnosis for item in root.evidence)


def lines(attempt: Attempt) -> str:
    """``line 7`` or ``lines 7 to 9``, of the log."""
    first, last = attempt.lines
    return f"line {first}" if first == last else f"lines {first} to {last}"


def release(deployment: Deployment) -> str:
    """The release, or as much of it as is known."""
    return deployment.version or f"release line {deployment.line.value}"


def place(report: Report) -> list[str]:
    """What was examined: folder, release and workers, or logs alone; when the evidence was recorded if before the run."""
    if report.deployment:
        machine = [report.deployment.machine] if report.deployment.machine else []
        found = [*machine, str(report.deployment.directory), release(report.deployment)]
    else:
        found = [source.name for source in (report.log.sources if report.log else ())]
    found += [f"recorded {moment(report.recorded_at)}"] if report.recorded_at else []
    return found + [worker.name for worker in (report.workers.diarizers if report.workers else ())]


def offered(report: Report) -> str:
    """What ``ot-doctor fix`` would do about the diagnosis, in a sentence; empty where that is nothing."""
    said = offer(report.diagnosis).sentence
    return f"On {report.elsewhere}, {said}" if said and report.elsewhere else said


def how(report: Report) -> str:
    """The heading of the plan."""
    return f"How to fix it, on {report.elsewhere}" if report.elsewhere else "How to fix it"


def names_account(report: Report) -> str:
    """A sentence for those who pass the report on; empty where it names no account, or only a stand-in."""
    account = report.hub.identity.account if report.hub and report.hub.identity else ""
    if not account or _STAND_IN.fullmatch(account):
        return ""
    return f"This report names the Hugging Face account '{account}'; --redact strict hides it."


def hidden_names(report: Report) -> str:
    """``HF_TOKEN (2), home folder (7)``: what was redacted, and how often; empty where nothing was."""
    return ", ".join(f"{item.name} ({item.count})" for item in report.hidden)


def hidden(report: Report) -> str:
    """How many values were redacted, by name, in a sentence."""
    total = sum(item.count for item in report.hidden)
    if not total:
        return "No value had to be hidden."
    return f"{counted(total, 'value')} {'was' if total == 1 else 'were'} hidden: {hidden_names(report)}."
