"""A cause from the log as a finding, judged by what is there now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ot_doctor.check import Cause, Confidence, Finding, Seen, failed, warned
from ot_doctor.evidence import Record

from ._log_remedies import WORDS, remedy
from ._log_verdict import ACCESS, NETWORK, judge
from ._present import Present
from ._remedies import run_again

PROVEN = "Token and agreements are proven good: do not create another token."
_MISTAKEN_FOR_ACCESS = frozenset({Cause.LIB_MISMATCH, Cause.UNRECOGNISED, Cause.CACHE_PERMISSION, Cause.GPU_OUT_OF_MEMORY})
_LINES_SHOWN = 8
_LINE_LENGTH = 300


def finding(
    what: str, cause: str | None, subject: str | None, certain: bool, records: Iterable[tuple[str, Record]], now: Present
) -> Finding:
    """What failed (a clause), and why: a failure, or a warning where it has been mended since."""
    seen = [seen_record(worker, record) for worker, record in records]
    verdict = judge(known_cause(cause), subject, certain, now)
    words = WORDS.get(verdict.cause, verdict.cause.value)
    about = f" ({verdict.subject})" if verdict.subject else ""
    if verdict.mended:
        proven = f" {PROVEN}" if now.access_proven and verdict.cause in ACCESS else ""
        return warned(
            f"{what}: {words}{about}. {verdict.mended} Run the job again.{proven}",
            cause=verdict.cause,
            subject=verdict.subject,
            evidence=seen,
            remedy=[run_again()],
        )
    notes = ""
    if now.access_proven and verdict.cause in _MISTAKEN_FOR_ACCESS:
        notes = f" {PROVEN}"
    elif now.hub_reachable and verdict.cause in NETWORK:
        notes = " This machine reaches the Hub now; the container may have another way out."
    confidence = Confidence.CERTAIN if certain or verdict.confirmed else Confidence.LIKELY
    if verdict.cause is Cause.UNRECOGNISED:
        confidence = Confidence.POSSIBLE
    return failed(
        verdict.cause,
        f"{what}: {words}{about}.{notes}",
        subject=verdict.subject,
        expected="a diarization that succeeds",
        evidence=seen,
        remedy=remedy(verdict.cause, verdict.subject, now),
        confidence=confidence,
    )


def known_cause(name: str | None) -> Cause:
    """The cause of that name; a name outside the vocabulary (somebody's own signatures) explains nothing."""
    return next((cause for cause in Cause if cause.value == name), Cause.UNRECOGNISED)


def seen_record(worker: str, record: Record) -> Seen:
    """A log record as evidence: where it stands, when it was written, and its telling lines."""
    first, last = record.lines
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    at = f", {moment(record.at)}" if record.at else ""
    return Seen("log", f"{worker} {lines}{at}", _shortened(record.text))


def moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "a time that is not known"


def _shortened(text: str) -> str:
    """The beginning and the end: a traceback's cause stands last."""
    lines = [line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]}…" for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES_SHOWN:
        lines = [*lines[:3], "…", *lines[4 - _LINES_SHOWN :]]
    return "\n".join(lines)
