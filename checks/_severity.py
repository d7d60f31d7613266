"""When a fault of token, access or network matters: only while the worker needs the Hub."""

from __future__ import annotations

from collections.abc import Iterable

from ot_doctor.check import Cause, Confidence, Finding, Seen, Step, failed, unknown, warned
from ot_doctor.evidence import ModelCache, Unavailable


def hub_not_needed(cache: ModelCache | Unavailable) -> str:
    """Why the worker can do without the Hub; empty when it needs it."""
    if isinstance(cache, Unavailable):
        return ""
    if cache.native:
        return "The native engine does the work with its own complete models, so the worker does not need it now."
    if cache.suffices:
        return "The model cache is complete and readable, so the worker does not need the Hub now."
    if cache.offline:
        return f"{cache.offline} keeps the worker from asking the Hub, so this makes no difference now."
    return ""


def fault(
    cache: ModelCache | Unavailable,
    cause: Cause,
    message: str,
    *,
    remedy: Iterable[Step],
    subject: str | None = None,
    expected: str | None = None,
    evidence: Iterable[Seen] = (),
) -> Finding:
    """A failure; a warning when the worker does not need the Hub."""
    spared = hub_not_needed(cache)
    if spared:
        return warned(f"{message} {spared}", cause=cause, remedy=remedy, subject=subject, expected=expected, evidence=evidence)
    return failed(cause, message, remedy=remedy, subject=subject, expected=expected, evidence=evidence)


def unanswered(
    cache: ModelCache | Unavailable,
    message: str,
    *,
    cause: Cause | None,
    remedy: Iterable[Step],
    subject: str | None = None,
    evidence: Iterable[Seen] = (),
) -> Finding:
    """An unknown; a warning when the worker does not need the Hub."""
    spared = hub_not_needed(cache)
    if spared:
        return warned(
            f"{message} {spared}", cause=cause, remedy=remedy, subject=subject, evidence=evidence, confidence=Confidence.LIKELY
        )
    return unknown(message, cause=cause, remedy=remedy, subject=subject, evidence=evidence)
