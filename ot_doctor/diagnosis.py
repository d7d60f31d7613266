"""From findings to ranked root causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ot_doctor.causes import explains
from ot_doctor.check import Cause, Confidence, Finding, Seen, Status, Step
from ot_doctor.runner import Result


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


def diagnose(results: Sequence[Result]) -> tuple[RootCause, ...]:
    """The causes of failing findings, each cause and subject once, the one to mend first in front.

    A cause that another one brings about (``ot_doctor.causes.explains``) is not listed beside it.
    """
    failures = [(r.check.name, f) for r in results for f in r.findings if f.status is Status.FAIL]
    causes = {f.cause for _, f in failures if f.cause}
    roots: dict[tuple[Cause, str | None], list[tuple[str, Finding]]] = {}
    for name, finding in failures:
        if finding.cause and not _explained(finding.cause, causes):
            roots.setdefault((finding.cause, finding.subject), []).append((name, finding))
    ordered = sorted(roots.items(), key=lambda item: item[0][0].rank)
    return tuple(_merge(cause, subject, found, failures) for (cause, subject), found in ordered)


def _explained(cause: Cause, present: set[Cause]) -> bool:
    """Whether a cause that is present brings it about; the one to mend first wins where two explain each other."""
    others = (other for other in present if other is not cause and explains(other, cause))
    return any(not explains(cause, other) or other.rank < cause.rank for other in others)


def _merge(
    cause: Cause, subject: str | None, found: Sequence[tuple[str, Finding]], failures: Sequence[tuple[str, Finding]]
) -> RootCause:
    """Findings with the same cause and subject as one: the surest of them speaks, the evidence of all is kept."""
    order = list(Confidence)
    surest = min((finding for _, finding in found), key=lambda finding: order.index(finding.confidence))
    evidence = tuple(dict.fromkeys(seen for _, finding in found for seen in finding.evidence))
    names = [name for name, _ in found]
    names += [name for name, finding in failures if finding.cause and explains(cause, finding.cause)]
    return RootCause(
        cause, subject, surest.message, surest.confidence, evidence, surest.remedy, tuple(dict.fromkeys(names))
    )
