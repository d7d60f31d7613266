"""What each finding has to do with the newest failed attempt: the same in every format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.diagnosis.causes import OF_THE_HUB
from ot_doctor.diagnosis.ranking import Caused, Failure, Relation, RootCause, relation, relation_of
from ot_doctor.evidence import Attempt, Outcome
from ot_doctor.report.model import Report

_TELLS_OF_IT = "last-attempt"  # the check that judges the newest attempt by what is there now
_OF_THE_PROCESS = frozenset({
    Cause.OUT_OF_MEMORY, Cause.WORKER_DOWN, Cause.GPU_LIBRARY, Cause.GPU_UNAVAILABLE, Cause.HARDWARE_UNSUPPORTED,
    Cause.WORKER_CRASHED,
})  # fmt: skip


@dataclass(frozen=True)
class _Symptom:
    cause: Cause | None
    subject: str | None


class Relations:
    """The relations of one report's findings."""

    def __init__(self, report: Report) -> None:
        self._results = report.results
        attempt = report.log.newest_ended if report.log else None
        self._attempt = attempt if attempt and attempt.outcome is Outcome.FAILED else None
        self._failure = _failure(self._attempt, report) if self._attempt else None

    def of(self, finding: Finding) -> Relation | None:
        return relation(finding, self._failure, self._results)

    def of_root(self, root: RootCause) -> Relation | None:
        return relation_of(root, self._failure, self._results)

    @property
    def failed_at(self) -> datetime | None:
        """When the newest attempt failed; ``None`` where it did not, or where the log does not say when."""
        return (self._attempt.ended_at or self._attempt.started_at) if self._attempt else None

    @property
    def any_failure(self) -> bool:
        return self._failure is not None


def _failure(attempt: Attempt, report: Report) -> Failure:
    cause = next((cause for cause in Cause if cause.value == attempt.cause), Cause.UNRECOGNISED)
    judged: list[Caused] = [
        finding
        for result in report.results
        if result.check.name == _TELLS_OF_IT
        for finding in result.findings
        if finding.cause and finding.status in (Status.FAIL, Status.WARN)
    ]
    return Failure((_Symptom(cause, attempt.subject), *judged), _able(attempt))


def _able(attempt: Attempt) -> frozenset[Cause] | None:
    """What can look like a failure whose lines name no cause."""
    if attempt.about_the_hub:
        return OF_THE_HUB
    return _OF_THE_PROCESS if attempt.cut_off and not any(hit.cause for hit in attempt.hits) else None
