"""What each finding has to do with the newest failed attempt: the same in every format, whichever checks were run."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ot_doctor.check import Cause, Finding, Result, Status
from ot_doctor.diagnosis.causes import BREAKS_NO_JOB, OF_THE_HUB
from ot_doctor.diagnosis.ranking import Caused, RootCause, follows
from ot_doctor.evidence import Attempt, Outcome, WorkerLog

_OF_THE_PROCESS = frozenset({
    Cause.OUT_OF_MEMORY, Cause.WORKER_DOWN, Cause.GPU_LIBRARY, Cause.GPU_UNAVAILABLE, Cause.HARDWARE_UNSUPPORTED,
    Cause.WORKER_CRASHED,
})  # fmt: skip
_NO_TOKEN_WAS_SENT = frozenset({Cause.TOKEN_MISSING, Cause.TOKEN_PLACEHOLDER, Cause.TOKEN_MALFORMED})
_TOKEN = _NO_TOKEN_WAS_SENT | {Cause.TOKEN_INVALID}
_ACCESS = _TOKEN | {Cause.TOKEN_SCOPE, Cause.GATED_NOT_ACCEPTED, Cause.GATED_PENDING, Cause.REPO_NOT_FOUND}
_STORING = frozenset({Cause.CACHE_PERMISSION, Cause.CACHE_READONLY})
_CONTENT = frozenset({Cause.CACHE_MISSING, Cause.CACHE_INCOMPLETE, Cause.OFFLINE_CACHE_MISSING})
# What else a failure can have been whose lines in the log name such a cause: clients and the application report a token that
# was not sent, one that was rejected and terms that are not accepted in the same words, and a cache that cannot be read as one
# that is empty.
_LOOKS_LIKE: Mapping[Cause, frozenset[Cause]] = {
    **dict.fromkeys(_ACCESS, _ACCESS),
    **dict.fromkeys(_STORING, _STORING),
    **dict.fromkeys(_CONTENT, _CONTENT | {Cause.MODEL_CORRUPT, Cause.CACHE_PERMISSION}),
}


class Relation(enum.Enum):
    """What a finding has to do with the newest failed attempt."""

    EXPLAINS = "explains-the-failure"
    WOULD_BREAK = "would-break-the-next-run"
    UNRELATED = "unrelated"


class Judged(Protocol):
    """A run's results, and the log that was read in it, if any: a ``Report``, for instance."""

    @property
    def results(self) -> tuple[Result, ...]: ...

    @property
    def log(self) -> WorkerLog | None: ...


@dataclass(frozen=True)
class Failure:
    """The newest failed attempt, as far as findings are related to it."""

    symptoms: tuple[Caused, ...]  # what the log says that it was, and the present failures that it can have meant
    able: frozenset[Cause] | None = None  # what can look like it where its lines name no cause; None: anything


@dataclass(frozen=True)
class _Symptom:
    cause: Cause | None
    subject: str | None


class Relations:
    """The relations of one run's findings."""

    def __init__(self, run: Judged) -> None:
        self._results = run.results
        attempt = run.log.newest_ended if run.log else None
        self._attempt = attempt if attempt and attempt.outcome is Outcome.FAILED else None
        self._failure = _failure(self._attempt, run.results) if self._attempt else None

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


def relation(finding: Finding, failure: Failure | None, results: Sequence[Result]) -> Relation | None:
    """What the finding has to do with ``failure``, the newest failed attempt; ``None`` for it: there is none that counts.

    A finding that fails or warns *explains* the failure when it has its cause (and speaks of no other repository), or brings
    that cause about, directly or through other failures. Where the log names no cause, each present failure does that can look
    like it. What else fails *would break the next run*, also where no attempt failed yet. What no job ever fails for, and each
    other warning beside a failure, is *unrelated*. Passes, skips and unknowns have no relation; nor has a warning without a
    failure to relate it to.
    """
    if finding.status not in (Status.FAIL, Status.WARN):
        return None
    if finding.cause in BREAKS_NO_JOB:
        return Relation.UNRELATED
    if failure and any(_accounts_for(finding, symptom, failure, results) for symptom in failure.symptoms):
        return Relation.EXPLAINS
    if finding.status is Status.FAIL:
        return Relation.WOULD_BREAK
    return Relation.UNRELATED if failure else None


def relation_of(root: RootCause, failure: Failure | None, results: Sequence[Result]) -> Relation | None:
    """The closest relation of the findings that the root cause stands for, or accounts for."""
    own = [f for r in results for f in r.findings if f.status is Status.FAIL and f.cause is root.cause and _agree(f, root)]
    found = {relation(finding, failure, results) for finding in own}
    return next((kind for kind in Relation if kind in found), None)


def _failure(attempt: Attempt, results: Sequence[Result]) -> Failure:
    cause = next((cause for cause in Cause if cause.value == attempt.cause), Cause.UNRECOGNISED)
    named = _Symptom(cause, attempt.subject)
    others = _LOOKS_LIKE.get(cause, frozenset()) - {cause}
    if attempt.certain and cause in _ACCESS - _TOKEN:  # the Hub knew the token, so there was one
        others -= _NO_TOKEN_WAS_SENT
    failures = [f for r in results for f in r.findings if f.status is Status.FAIL]
    if cause in _ACCESS and not any(f.cause in _ACCESS for f in failures):
        others |= {Cause.CACHE_PERMISSION}  # an unreadable cache hides the stored log-in: the client then asks without a token
    meant = (f for f in failures if f.cause in others and _agree(f, named))
    return Failure((named, *meant), _able(attempt))


def _able(attempt: Attempt) -> frozenset[Cause] | None:
    """What can look like a failure whose lines name no cause."""
    if attempt.about_the_hub:
        return OF_THE_HUB
    return _OF_THE_PROCESS if attempt.cut_off and not any(hit.cause for hit in attempt.hits) else None


_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def _agree(first: Caused, second: Caused) -> bool:
    """Whether both may speak of the same thing; only the names of repositories tell that they do not.

    A path differs inside and outside of the container, and a log often names nothing.
    """
    names = [subject for subject in (first.subject, second.subject) if subject and _REPOSITORY.fullmatch(subject)]
    return len(set(names)) < 2


def _accounts_for(finding: Finding, symptom: Caused, failure: Failure, results: Sequence[Result]) -> bool:
    if finding.cause is symptom.cause:
        return _agree(finding, symptom)
    if finding.status is not Status.FAIL:
        return False
    if symptom.cause is Cause.UNRECOGNISED and failure.able is not None and finding.cause not in failure.able:
        return False
    failures = [(r.check.name, f) for r in results for f in r.findings if f.status is Status.FAIL]
    return follows(symptom, finding, failures)
