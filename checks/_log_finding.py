"""A cause from the log as a finding, judged by what is there now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from ot_doctor.check import Cause, Confidence, Finding, Seen, Status, Step, failed, warned
from ot_doctor.evidence import Attempt, Record

from ._log_remedies import WORDS, cut_off_remedy, not_had_remedy, remedy
from ._log_verdict import ACCESS, NETWORK, Verdict, judge, judge_unnamed
from ._present import Present
from ._remedies import recreate, run_again

PROVEN = "Token and agreements are proven good: do not create another token."
_NOT_HAD = "a model could not be had, and the log does not say why"
_THE_HUB = "huggingface.co"  # so that a GPU's failure is not taken for what it comes from
_LINES_SHOWN = 8
_LINE_LENGTH = 300


def finding(
    what: str,
    cause: str | None,
    subject: str | None,
    certain: bool,
    records: Iterable[tuple[str, Record]],
    now: Present,
    special: str = "",
    *,
    possible: bool = False,
) -> Finding:
    """What failed (a clause), and why: a failure, or a warning where it has been mended since.

    ``special`` is what the deciding signature says to do, in place of what helps against its cause in general. ``possible``:
    the log's text has other explanations that are about as good.
    """
    seen = [seen_record(worker, record) for worker, record in records]
    verdict = judge(known_cause(cause), subject, certain, now)
    if possible and verdict.cause in NETWORK and now.hub_reachable and not verdict.mended:
        verdict = replace(verdict, mended="The Hub can be reached now.")
    found = _of(what, verdict, certain, seen, now, possible=possible)
    if special and found.status is Status.FAIL and found.cause is known_cause(cause):
        restart = recreate(now.deployment, now.workers) if special.startswith("Restart the worker") else Step(special)
        return replace(found, remedy=(replace(restart, text=special), run_again()))
    return found


def unnamed(what: str, attempt: Attempt, now: Present) -> Finding:
    """The same for an attempt whose lines name no cause."""
    seen = [seen_record(attempt.worker, record) for record in attempt.decisive]
    verdict = judge_unnamed(attempt, now)
    if attempt.cut_off and verdict.cause is Cause.UNRECOGNISED and not verdict.mended:
        how = "was told to stop" if attempt.stopped else "stopped, or was started anew, without a line that says why,"
        proven = f" {PROVEN}" if now.access_proven else ""
        return failed(
            Cause.UNRECOGNISED,
            f"{what}: it was cut off. The worker {how} while it ran.{proven}",
            expected="a diarization that succeeds",
            evidence=seen,
            remedy=cut_off_remedy(attempt.worker, attempt.stopped, now),
            confidence=Confidence.POSSIBLE,
        )
    if attempt.about_the_hub and verdict.cause is Cause.UNRECOGNISED and not verdict.mended:
        proven = f" Access is fine now. {PROVEN}" if now.access_proven else ""
        return failed(
            Cause.UNRECOGNISED,
            f"{what}: {_NOT_HAD}.{proven}",
            subject=_THE_HUB,
            expected="a diarization that succeeds",
            evidence=seen,
            remedy=not_had_remedy(now),
            confidence=Confidence.POSSIBLE,
        )
    return _of(what, verdict, False, seen, now)


def _of(what: str, verdict: Verdict, certain: bool, seen: list[Seen], now: Present, *, possible: bool = False) -> Finding:
    words = WORDS.get(verdict.cause, verdict.cause.value)
    about = f" ({verdict.subject})" if verdict.subject else ""
    if verdict.mended:
        known = words if verdict.cause is not Cause.UNRECOGNISED else _NOT_HAD
        proven = f" {PROVEN}" if now.access_proven and verdict.cause in ACCESS | {Cause.UNRECOGNISED} else ""
        return warned(
            f"{what}: {known}{about}. {verdict.mended} Run the job again.{proven}",
            cause=verdict.cause,
            subject=verdict.subject,
            evidence=seen,
            remedy=[run_again()],
        )
    notes = ""
    if verdict.inferred:
        notes = " The log's own words could mean many things; this is what is wrong now."
    if now.hub_reachable and verdict.cause in NETWORK:
        notes += " This machine reaches the Hub now; the container may have another way out."
    if now.access_proven and verdict.cause not in ACCESS:
        notes += f" {PROVEN}"
    confidence = Confidence.CERTAIN if certain or verdict.confirmed else Confidence.LIKELY
    if verdict.cause is Cause.UNRECOGNISED or (possible and not verdict.confirmed):
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
