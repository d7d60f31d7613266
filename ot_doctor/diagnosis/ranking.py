"""From findings to ranked root causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ot_doctor.check import Cause, Confidence, Finding, Result, Seen, Status, Step
from ot_doctor.diagnosis.causes import explains


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


class Caused(Protocol):
    """Whatever has a cause, and something that it is about."""

    @property
    def cause(self) -> Cause | None: ...

    @property
    def subject(self) -> str | None: ...


def diagnose(results: Sequence[Result]) -> tuple[RootCause, ...]:
    """The causes of failing findings, each cause and subject once, the one to fix first in front.

    A cause that another one brings about (``ot_doctor.diagnosis.causes.explains``) is not listed beside it.
    """
    failures = [(r.check.name, f) for r in results for f in r.findings if f.status is Status.FAIL]
    roots: dict[tuple[Cause, str | None], list[tuple[str, Finding]]] = {}
    for name, finding in failures:
        if finding.cause and not any(brings_about(other, finding) for _, other in failures):
            roots.setdefault((finding.cause, finding.subject or _subject(finding, failures)), []).append((name, finding))
    ordered = sorted(roots.items(), key=lambda item: item[0][0].rank)
    return tuple(_merge(cause, subject, found, failures) for (cause, subject), found in ordered)


def _subject(finding: Finding, failures: Sequence[tuple[str, Finding]]) -> str | None:
    """A log often does not name what it is about: it is taken for what another failure with the same cause names."""
    return next((other.subject for _, other in failures if other.cause is finding.cause and other.subject), None)


def brings_about(first: Caused, second: Caused) -> bool:
    """Whether the first finding's cause brings the second's about; of two that explain each other the one to fix first does."""
    if first.cause is None or second.cause is None or first.cause is second.cause:
        return False
    forth = explains(first.cause, second.cause, first.subject, second.subject)
    back = explains(second.cause, first.cause, second.subject, first.subject)
    return forth and (not back or first.cause.rank < second.cause.rank)


def follows(finding: Caused, root: Finding, failures: Sequence[tuple[str, Finding]]) -> bool:
    """Whether the root brings the finding about, directly or through other failures. It ends: no cause explains in a circle."""
    return brings_about(root, finding) or any(
        brings_about(other, finding) and follows(other, root, failures) for _, other in failures
    )


def _merge(
    cause: Cause, subject: str | None, found: Sequence[tuple[str, Finding]], failures: Sequence[tuple[str, Finding]]
) -> RootCause:
    """Findings with the same cause and subject as one: the surest of them speaks, the evidence of all is kept."""
    order = list(Confidence)
    surest = min((finding for _, finding in found), key=lambda finding: order.index(finding.confidence))
    evidence = tuple(dict.fromkeys(seen for _, finding in found for seen in finding.evidence))
    names = [name for name, _ in found]
    names += [name for name, finding in failures if follows(finding, surest, failures)]
    return RootCause(
        cause, subject, surest.message, surest.confidence, evidence, surest.remedy, tuple(dict.fromkeys(names))
    )
