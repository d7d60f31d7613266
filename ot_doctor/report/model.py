"""The one value that every format is rendered from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from ot_doctor.check import Cause, Family, Result, Status
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.evidence import Attempt, Deployment, Hub, NextRelease, WorkerLog, Workers
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.run.requirements import CHECK, unmet


@dataclass(frozen=True)
class Section:
    """Facts about one thing. A fact is a name and what is so; ``missing`` says why there are none."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Facts:
    """The installation as it is, whether anything is wrong or not. ``ot_doctor.report.facts`` gathers them."""

    gathered_at: datetime  # aware, UTC
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Report:
    """A finished run."""

    started_at: datetime  # aware, UTC
    duration: float  # seconds
    results: tuple[Result, ...]
    diagnosis: tuple[RootCause, ...]
    deployment: Deployment | None = None
    workers: Workers | None = None
    hub: Hub | None = None
    log: WorkerLog | None = None
    facts: Callable[[], Facts] | None = field(default=None, compare=False, repr=False)  # made for the format that shows them
    upcoming: NextRelease | None = None  # the release that was asked about, for the report of ``preflight``
    notices: tuple[str, ...] = ()  # about the tool itself: broken plug-ins
    fail_on: str = "fail"  # "warn", "fail", "never"
    required: tuple[Family, ...] = ()  # what could not be checked there is a failure
    hidden: tuple[Hidden, ...] = ()  # what was redacted, and how often
    hidden_in: Callable[[str], tuple[Hidden, ...]] | None = field(default=None, compare=False, repr=False)  # of a document
    accessed: Mapping[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)  # engine calls, files, hosts, commands
    recorded_at: datetime | None = None  # aware, UTC: when the evidence was gathered, for the report on a bundle

    @cached_property
    def summary(self) -> dict[Status, int]:
        counted = Counter(counts_as(result) for result in self.results)
        return {status: counted[status] for status in (Status.PASS, Status.WARN, Status.FAIL, Status.SKIP, Status.UNKNOWN)}

    @property
    def elsewhere(self) -> str:
        """The machine that the steps are for, where that is not this one."""
        if self.recorded_at:
            return "the machine that was recorded"
        return self.deployment.machine if self.deployment else ""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return self.log.attempts if self.log else ()


@dataclass(frozen=True)
class UsageError:
    """A run that could not begin (``usage``), or in which ot-doctor itself failed (``internal``)."""

    message: str
    started_at: datetime = field(default_factory=lambda: datetime.now().astimezone())
    kind: str = "usage"  # or "internal"

    @property
    def exit_code(self) -> int:
        return 4 if self.kind == "internal" else 2

    @property
    def title(self) -> str:
        return "ot-doctor itself failed" if self.kind == "internal" else "ot-doctor could not begin"


def counts_as(result: Result) -> Status:
    """The status that the check counts with: what is required and could not be checked is a failure."""
    return Status.FAIL if result.check is CHECK and result.status is Status.UNKNOWN else result.status


# What can change by itself while one waits.
_PASSING = {
    Cause.WORKER_DOWN, Cause.BROKER_UNREACHABLE, Cause.NATIVE_UNAVAILABLE, Cause.RATE_LIMITED, Cause.HUB_UNAVAILABLE,
    Cause.NETWORK_DNS, Cause.NETWORK_PROXY, Cause.NETWORK_REFUSED, Cause.NETWORK_TIMEOUT, Cause.NETWORK_TLS, Cause.GATED_PENDING,
}  # fmt: skip


def exit_code(report: Report) -> int:
    """The exit code, for every format: 1 for a failure, 3 for what could not be checked, else 0. (2 is the command line's.)

    A run that checked nothing at all has not passed.
    """
    counts = report.summary
    if report.fail_on != "never" and (counts[Status.FAIL] or (report.fail_on == "warn" and counts[Status.WARN])):
        return 1
    missing = bool(unmet(report.results, report.required))
    if report.fail_on != "never" and missing:
        return 1
    nothing = not (counts[Status.PASS] or counts[Status.WARN] or counts[Status.FAIL])
    return 3 if counts[Status.UNKNOWN] or missing or nothing or report.notices else 0


def failure_summary(report: Report) -> str:
    """Which check did not pass, in a few words; empty for a report with exit code 0, and where waiting does not help.

    Only what can change by itself is waited for: a worker that starts, a network that comes back, what could not be checked.
    """
    if exit_code(report) == 0:
        return ""
    open_causes: list[Cause | None] = [root.cause for root in report.diagnosis]
    if report.fail_on == "warn":
        findings = (finding for result in report.results for finding in result.findings)
        open_causes += [finding.cause for finding in findings if finding.status is Status.WARN]
    if any(cause not in _PASSING for cause in open_causes):
        return ""
    words = {Status.FAIL: "failed", Status.UNKNOWN: "could not be checked", Status.WARN: "warned"}
    worst = [(result.check.name, words[s]) for s in words for result in report.results if result.status is s]
    if not worst:
        return "not everything could be checked"
    more = f" and {len(worst) - 1} more did not pass" if len(worst) > 1 else ""
    return " ".join(worst[0]) + more
