"""From findings to ranked root causes, and what each has to do with the failure that the log shows."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ot_doctor.check import Cause, Confidence, Finding, Seen, Status, Step
from ot_doctor.diagnosis.causes import BREAKS_NO_JOB, explains
from ot_doctor.run.runner import Result


@dataclass(frozen=True)
class RootCause:
    """One cause of failing findings, with everything that was seen of it."""

    cause: Cause
    subject: str | None
    message: str
    confidence: Confidence
    evidence: tuple[Seen, ...]
    remedy: tuple[Step, ...]
    explains: tuple[str, ...]  # names of the checks whose failures it accounts for


class Relation(enum.Enum):
    """What a finding has to do with the newest failed attempt."""

    EXPLAINS = "explains-the-failure"
    WOULD_BREAK = "would-break-the-next-run"
    UNRELATED = "unrelated"


class Caused(Protocol):
    """Whatever has a cause, and something that it is about."""

    @property
    def cause(self) -> Cause | None: ...

    @property
    def subject(self) -> str | None: ...


@dataclass(frozen=True)
class Failure:
    """The newest failed attempt, as far as findings are related to it."""

    symptoms: tuple[Caused, ...]  # what the log says that it was, and what that amounts to now
    able: frozenset[Cause] | None = None  # what can look like it where its lines name no cause; None: anything


def diagnose(results: Sequence[Result]) -> tuple[RootCause, ...]:
    """The causes of failing findings, each cause and subject once, the one to mend first in front.

    A cause that another one brings about (``ot_doctor.diagnosis.causes.explains``) is not listed beside it.
    """
    failures = [(r.check.name, f) for r in results for f in r.findings if f.status is Status.FAIL]
    roots: dict[tuple[Cause, str | None], list[tuple[str, Finding]]] = {}
    for name, finding in failures:
        if finding.cause and not any(_explains(other, finding) for _, other in failures):
            roots.setdefault((finding.cause, finding.subject or _subject(finding, failures)), []).append((name, finding))
    ordered = sorted(roots.items(), key=lambda item: item[0][0].rank)
    return tuple(_merge(cause, subject, found, failures) for (cause, subject), found in ordered)


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
    return _follows(symptom, finding, failures)


def _subject(finding: Finding, failures: Sequence[tuple[str, Finding]]) -> str | None:
    """A log often does not name what it is about: it is taken for what another failure with the same cause names."""
    return next((other.subject for _, other in failures if other.cause is finding.cause and other.subject), None)


def _explains(first: Caused, second: Caused) -> bool:
    """Whether the first finding's cause brings the second's about; of two that explain each other the one to mend first does."""
    if first.cause is None or second.cause is None or first.cause is second.cause:
        return False
    forth = explains(first.cause, second.cause, first.subject, second.subject)
    back = explains(second.cause, first.cause, second.subject, first.subject)
    return forth and (not back or first.cause.rank < second.cause.rank)


def _follows(finding: Caused, root: Finding, failures: Sequence[tuple[str, Finding]]) -> bool:
    """Whether the root brings the finding about, directly or through other failures. It ends: no cause explains in a circle."""
    return _explains(root, finding) or any(_explains(other, finding) and _follows(other, root, failures) for _, other in failures)


def _merge(
    cause: Cause, subject: str | None, found: Sequence[tuple[str, Finding]], failures: Sequence[tuple[str, Finding]]
) -> RootCause:
    """Findings with the same cause and subject as one: the surest of them speaks, the evidence of all is kept."""
    order = list(Confidence)
    surest = min((finding for _, finding in found), key=lambda finding: order.index(finding.confidence))
    evidence = tuple(dict.fromkeys(seen for _, finding in found for seen in finding.evidence))
    names = [name for name, _ in found]
    names += [name for name, finding in failures if _follows(finding, surest, failures)]
    return RootCause(
        cause, subject, surest.message, surest.confidence, evidence, surest.remedy, tuple(dict.fromkeys(names))
    )
