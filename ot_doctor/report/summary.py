"""What the formats for people say alike: the verdict, what a cause has to do with the last failure, reasons, what was hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ot_doctor import __version__
from ot_doctor.check import Cause, Confidence, Finding, Result, Status
from ot_doctor.diagnosis.causes import title
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.diagnosis.relation import Relation, Relations
from ot_doctor.evidence import Attempt, Deployment, Outcome
from ot_doctor.report.model import Report
from ot_doctor.run.requirements import unmet

WORDS = {Status.PASS: "passed", Status.WARN: "warned", Status.FAIL: "failed", Status.SKIP: "skipped", Status.UNKNOWN: "unknown"}
SEE_ABOVE = "could not be checked, see above"  # of a check whose reason is given there
NAMED = 4  # checks that are named where the same is said of them; more are counted
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


def counts(report: Report) -> str:
    """``8 passed, 4 failed``."""
    found = [f"{count} {WORDS[status]}" for status, count in report.summary.items() if count]
    return ", ".join(found) or "no check was run"


def nothing_was_checked(report: Report) -> bool:
    """Whether every check was skipped or could not be made."""
    return not any(report.summary[status] for status in (Status.PASS, Status.WARN, Status.FAIL))


def verdict(report: Report) -> str:
    """The outcome of the run in one sentence."""
    summary = report.summary
    if len(report.diagnosis) == 1:
        return title(report.diagnosis[0].cause)
    if report.diagnosis:
        return f"{len(report.diagnosis)} causes were found, to be mended in this order"
    if unmet(report.results, report.required):
        return "Not everything that is required could be checked"
    if summary[Status.UNKNOWN]:
        return f"Nothing failed, but {counted(summary[Status.UNKNOWN], 'check')} could not be made"
    if nothing_was_checked(report):
        return "Nothing was checked"
    if summary[Status.WARN]:
        return f"Nothing failed; {counted(summary[Status.WARN], 'check')} deserve{'s' * (summary[Status.WARN] == 1)} attention"
    left = summary[Status.SKIP]
    skipped = f"; {counted(left, 'check')} {'was' if left == 1 else 'were'} skipped" if left else ""
    return f"Everything that was checked is as it should be{skipped}"


def moment(at: datetime | None) -> str:
    """The time in UTC, to the second; empty for ``None``."""
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def sureness(root: RootCause) -> str:
    """``likely`` or ``possible``; empty where the cause is certain."""
    return "" if root.confidence is Confidence.CERTAIN else root.confidence.value


def relation(root: RootCause, relations: Relations, *, granted: bool = False) -> str:
    """What the cause has to do with the last failure; empty where there is none to speak of.

    ``granted``: who reads it takes for granted that the cause explains the failure.
    """
    kind = relations.of_root(root)
    if not relations.any_failure or kind is None:
        return ""
    if kind is Relation.EXPLAINS:
        at = f" ({moment(relations.failed_at)})" if relations.failed_at else ""
        return "" if granted or root.cause is Cause.UNRECOGNISED else f"It explains the last failure{at}."
    if kind is Relation.WOULD_BREAK:
        return "The last failure did not come from it; it would break the next run too."
    return "It has nothing to do with the last failure."


def is_the_failure(root: RootCause) -> bool:
    """Whether the cause is what the log says of a failure, and nothing else."""
    return len(root.explains) == 1 and all(seen.source == "log" for seen in root.evidence)


def shared(report: Report, status: Status) -> list[Shared]:
    """The findings of a status: what says the same once, that of the most checks first."""
    groups: list[tuple[Finding, list[str]]] = []
    found = [(f, r.check.name) for r in report.results for f in r.findings if f.status is status]
    for finding, name in sorted(found, key=lambda item: len(item[0].message)):
        names = next((names for reason, names in groups if gives(finding.message, reason.message)), None)
        if names is None:
            groups.append((finding, names := []))
        if name not in names:
            names.append(name)
    return [Shared(reason, tuple(names)) for reason, names in sorted(groups, key=lambda group: -len(group[1]))]


def was_made(result: Result) -> bool:
    """Whether there is more to say of the check than why it could not be made or was skipped."""
    statuses = {finding.status for finding in result.findings}
    return statuses not in ({Status.SKIP}, {Status.UNKNOWN}) or any(finding.evidence for finding in result.findings)


def not_made(report: Report) -> list[Shared]:
    """Why checks could not be made (``UNKNOWN``), then why others were skipped (``SKIP``)."""
    others = replace(report, results=tuple(result for result in report.results if not was_made(result)))
    return [*shared(others, Status.UNKNOWN), *shared(others, Status.SKIP)]


def gives(message: str, reason: str) -> bool:
    """Whether a message gives that reason, alone or behind words of its own."""
    return message == reason or (len(reason) > _WORDS_OF_ITS_OWN and reason.rstrip(".") in message)


def worst(result: Result) -> Finding | None:
    """The finding that made the check's status."""
    return max(result.findings, key=lambda finding: finding.status.rank, default=None)


def roots_of(result: Result, report: Report) -> list[RootCause]:
    """The root causes that account for the check's failures."""
    return [root for root in report.diagnosis if result.check.name in root.explains]


def is_one_of(finding: Finding, roots: Sequence[RootCause]) -> bool:
    """Whether the diagnosis shows the finding itself as one of these."""
    return any(root.cause is finding.cause and finding.subject in (None, root.subject) for root in roots)


def follows_from(result: Result, finding: Finding, report: Report) -> RootCause | None:
    """The root cause that brought a failure about, where the diagnosis does not show the failure itself."""
    roots = roots_of(result, report)
    return roots[0] if roots and finding.status is Status.FAIL and not is_one_of(finding, roots) else None


def attempts(report: Report) -> tuple[Attempt, ...]:
    """The attempts, the newest first; a job with diarization switched off is none."""
    return tuple(attempt for attempt in report.attempts if attempt.outcome is not Outcome.DISABLED)


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
        found = [str(report.deployment.directory), release(report.deployment)]
    else:
        found = [source.name for source in (report.log.sources if report.log else ())]
    found += [f"recorded {moment(report.recorded_at)}"] if report.recorded_at else []
    return found + [worker.name for worker in (report.workers.diarizers if report.workers else ())]


def hidden_names(report: Report) -> str:
    """``HF_TOKEN (2), home folder (7)``: what was redacted, and how often; empty where nothing was."""
    return ", ".join(f"{item.name} ({item.count})" for item in report.hidden)


def hidden(report: Report) -> str:
    """How many values were redacted, by name, in a sentence."""
    total = sum(item.count for item in report.hidden)
    if not total:
        return "No value had to be hidden."
    return f"{counted(total, 'value')} {'was' if total == 1 else 'were'} hidden: {hidden_names(report)}."
