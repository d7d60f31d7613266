"""A cause from the log as a finding, judged by what is there now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from ot_doctor.check import Cause, Confidence, Finding, Risk, Seen, Status, Step, failed, unknown, warned
from ot_doctor.evidence import Attempt, Location, LogSource, Record, WorkerLog

from ._cache_verdict import LogVerdict
from ._log_remedies import WORDS, cut_off_remedy, remedy, unknown_remedy
from ._log_verdict import ACCESS, NETWORK, judge, judge_unnamed
from ._present import Present
from ._remedies import recreate, run_again

PROVEN = "The token and the access to the models work: you do not need a new token."
_NOT_LOADED = "a model could not be loaded"
_THE_HUB = "huggingface.co"  # so that a GPU's failure is not taken for what it comes from
_LINES_SHOWN = 8
_LINE_LENGTH = 300
_SAID = 200
_GET_THE_LOG = "docker logs opentranscribe-celery-worker > worker.log 2>&1"


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
    """What failed (a clause), and why: a failure, or a warning where it has been fixed since.

    ``special`` is what the deciding signature says to do, in place of what helps against its cause in general. ``possible``:
    the log's text has other explanations that are about as good.
    """
    seen = [seen_record(worker, record) for worker, record in records]
    verdict = judge(known_cause(cause), subject, certain, now)
    if possible and verdict.cause in NETWORK and now.hub_reachable and not verdict.fixed:
        verdict = replace(verdict, fixed="The Hub can be reached now.")
    found = _of(what, verdict, certain, seen, now, possible=possible)
    if special and found.status is Status.FAIL and found.cause is known_cause(cause):
        restart = recreate(now.deployment, now.workers) if special.startswith("Restart the worker") else Step(special)
        return replace(found, remedy=(replace(restart, text=special), run_again()))
    return found


def unnamed(what: str, attempt: Attempt, now: Present) -> Finding:
    """The same for an attempt whose lines name no cause."""
    seen = [seen_record(attempt.worker, record) for record in attempt.decisive]
    verdict = judge_unnamed(attempt, now)
    if attempt.cut_off and verdict.cause is Cause.UNRECOGNISED and not verdict.fixed:
        how = "was told to stop" if attempt.stopped else "stopped, or was started again, without a line that says why,"
        proven = f" {PROVEN}" if now.access_proven else ""
        return failed(
            Cause.UNRECOGNISED,
            f"{what}: it was cut off. The worker {how} while it ran.{proven}",
            expected="a diarization that succeeds",
            evidence=seen,
            remedy=cut_off_remedy(attempt.worker, attempt.stopped, now),
            confidence=Confidence.POSSIBLE,
        )
    if verdict.cause is Cause.UNRECOGNISED and not verdict.fixed:
        proven = f" {PROVEN}" if now.access_proven else ""
        line = _last_line(attempt)
        return failed(
            Cause.UNRECOGNISED,
            f"{what}, and ot-doctor does not know the reason.{f' The log says: {line}' if line else ''}{proven}",
            subject=_THE_HUB if attempt.about_the_hub else None,
            expected="a diarization that succeeds",
            evidence=seen,
            remedy=unknown_remedy(attempt.about_the_hub, now),
            confidence=Confidence.POSSIBLE,
        )
    return _of(what, verdict, False, seen, now)


def _of(what: str, verdict: LogVerdict, certain: bool, seen: list[Seen], now: Present, *, possible: bool = False) -> Finding:
    words = WORDS.get(verdict.cause, verdict.cause.value)
    about = f" ({verdict.subject})" if verdict.subject else ""
    if verdict.fixed:
        known = words if verdict.cause is not Cause.UNRECOGNISED else _NOT_LOADED
        again = " Run the job again." if now.running else ""
        proven = f" {PROVEN}" if now.access_proven and verdict.cause in ACCESS | {Cause.UNRECOGNISED} else ""
        return warned(
            f"{what}: {known}{about}. {verdict.fixed}{again}{proven}",
            cause=verdict.cause,
            subject=verdict.subject,
            evidence=seen,
            remedy=[run_again()] if again else [],
        )
    notes = ""
    if verdict.inferred:
        notes = " The log's message is ambiguous; this is what is wrong right now."
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


def not_a_worker_log(log: WorkerLog) -> Finding | None:
    """What to say of files in which nothing is a worker's; ``None`` where something is."""
    if not log.sources or any(source.of_a_worker for source in log.sources):
        return None
    return of_no_worker(log.sources)


def of_no_worker(sources: Sequence[LogSource]) -> Finding:
    """What to say of these files, in which nothing is a worker's."""
    names = " and ".join(source.name for source in sources)
    lines = sum(source.lines_read for source in sources)
    if lines:
        text = f"None of the {lines:,} lines of {names} was written by an OpenTranscribe worker."
        if lines == 1:
            text = f"The only line of {names} was not written by an OpenTranscribe worker."
    else:
        problem = next((f": {source.problem}" for source in sources if source.problem), "")
        text = f"There are no lines in {names}, so none was written by an OpenTranscribe worker{problem}."
    return unknown(
        text,
        remedy=[Step("Give ot-doctor the log of the worker's container.", command=_GET_THE_LOG, risk=Risk.CHANGES_FILES)],
    )


def known_cause(name: str | None) -> Cause:
    """The cause of that name; a name outside the vocabulary (somebody's own signatures) explains nothing."""
    return next((cause for cause in Cause if cause.value == name), Cause.UNRECOGNISED)


def seen_record(worker: str, record: Record) -> Seen:
    """A log record as evidence: where it is, when it was written, and its relevant lines."""
    first, last = record.lines
    lines = f"line {first}" if first == last else f"lines {first}-{last}"
    at = f", {moment(record.at)}" if record.at else ""
    return Seen("log", f"{worker} {lines}{at}", _shortened(record.text), location(worker, record))


def location(worker: str, record: Record) -> Location:
    """Where a record stands: in a file that was given, or in a container's log."""
    first, last = record.lines
    if worker.startswith("/"):
        return Location(path=worker, line=first, last_line=last, at=record.at)
    return Location(container=worker, line=first, last_line=last, at=record.at)


def _last_line(attempt: Attempt) -> str:
    """The line that says most: the last one of the last record."""
    texts = [record.text for record in attempt.decisive] or [hit.record.text for hit in attempt.hits]
    lines = [line.strip() for text in texts[-1:] for line in text.splitlines() if line.strip()]
    return next((line if len(line) <= _SAID else f"{line[:_SAID]}…" for line in reversed(lines)), "")


def moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "an unknown time"


def _shortened(text: str) -> str:
    """The beginning and the end: a traceback's cause comes last."""
    lines = [line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]}…" for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES_SHOWN:
        lines = [*lines[:3], "…", *lines[4 - _LINES_SHOWN :]]
    return "\n".join(lines)
