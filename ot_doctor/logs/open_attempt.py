"""An attempt while its log is still being read, and which of its hits names the cause."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ot_doctor.evidence.worker_log import Attempt, Hit, Outcome, Record
from ot_doctor.logs.proof import has_traceback, said, shown, states_an_error

UNRECOGNISED = "unrecognised"
MAX_KEPT = 50  # hits of one attempt: what a log repeats without end is not all kept
ERROR_LEVELS = ("ERROR", "CRITICAL")
_RETRIED = re.compile(r"thrown while requesting |Retrying in [\d.]+s |Rate limited\. Waiting ")
_RETRY_SECONDS, _RETRY_LINES = 60, 100  # how long before the error a request that was tried again still belongs to it
_TIME_LIMIT = re.compile(r"\bTimeLimitExceeded\(|^Hard time limit \(", re.MULTILINE)
_REFUSED = re.compile(r"Could not download '[^'\n]+' model\.")
_CRASHED = re.compile(r"'NoneType' object has no attribute 'eval'")
FILE_SYSTEM = frozenset({"cache-permission", "cache-readonly", "disk-full"})
HUBS_WORDING = ("token-", "gated-", "repo-", "network-", "hub-", "rate-", "offline-", "cache-missing", "cache-incomplete")


@dataclass
class OpenAttempt:
    """An attempt whose end is not known yet."""

    first: Record
    last: Record
    began: bool  # its first telling line was seen
    present: bool  # it began in the container's present run
    stage: int = 0
    task: str = ""
    task_named: bool = False  # by a line of its own; else it was the only one that waited
    process: str = ""
    hits: list[Hit] = field(default_factory=list)
    error_records: deque[Record] = field(default_factory=lambda: deque(maxlen=5))
    verdict: Outcome | None = None  # what the newest success or failure line says
    done_stage: int = 0  # of that success
    done_at: tuple[int, int] | None = None  # where the newest success stands: what goes wrong after it is another matter
    named: bool = False  # that line names the task
    among_others: bool = False  # a thread beside it ran another attempt: lines without a task's name may be either's
    task_ended: bool = False
    disabled: bool = False
    retried: bool = False  # it met an error and said that it tries again
    cut_off: bool = False
    stopped: bool = False  # the worker was told to stop
    speakers: int | None = None
    settings: str = ""
    engine: str = ""
    stood_in: bool = False  # for the native engine
    file: str = ""
    tries: int = 1
    retry: Record | None = None  # where Celery said that it runs the task again
    waits_until: datetime | None = None

    def take(self, record: Record, hits: Iterable[Hit]) -> None:
        self.last = record
        self.hits.extend(hits)
        if len(self.hits) > MAX_KEPT:  # the cause is among the first, the end among the last
            del self.hits[MAX_KEPT // 2 : -MAX_KEPT // 2 + 1]
        if record.level in ERROR_LEVELS or has_traceback(record):
            self.error_records.append(record)

    def waits(self, at: datetime | None) -> bool:
        """Whether its task is not running then: Celery runs it again later."""
        return self.waits_until is not None and at is not None and at < self.waits_until

    def swap_ends(self, other: OpenAttempt) -> None:
        """Give the other attempt what lines without a task's name said of this one's end, and take the other's."""
        self.verdict, other.verdict = other.verdict, self.verdict
        self.speakers, other.speakers = other.speakers, self.speakers
        self.done_at, other.done_at = other.done_at, self.done_at

    def pass_errors_to(self, other: OpenAttempt) -> None:
        """Give the other attempt the errors that name no task: this one succeeded, and never said that it met one."""
        other.hits = [*(hit for hit in self.hits if hit.cause and not hit.record.task), *other.hits]
        other.error_records.extend(record for record in self.error_records if not record.task)
        self.hits = [hit for hit in self.hits if not hit.cause or hit.record.task]
        self.error_records = deque((record for record in self.error_records if record.task), maxlen=self.error_records.maxlen)

    def outcome(self) -> Outcome:
        if self.cut_off:
            return Outcome.FAILED
        if self.retry is self.last:
            return Outcome.UNFINISHED
        if self.disabled and self.verdict is not Outcome.FAILED:
            return Outcome.DISABLED
        if self.verdict is Outcome.SUCCEEDED:
            return Outcome.RECOVERED if self._met_an_error() else Outcome.SUCCEEDED
        if self.verdict is Outcome.FAILED or self.error_records:
            return Outcome.FAILED
        plain = any(hit.cause and not hit.record.level and not _retried(hit) for hit in self.hits)
        return Outcome.FAILED if plain else Outcome.UNFINISHED

    def _met_an_error(self) -> Hit | None:
        on_the_way = (hit for hit in self.hits if self.done_at is None or hit.record.lines < self.done_at)
        return next((hit for hit in on_the_way if hit.cause and states_an_error(hit.record)), None)

    def _own_hits(self) -> list[Hit]:
        """The hits that are surely its own, where other attempts ran beside it and any of them names a cause."""
        own = [hit for hit in self.hits if self.among_others and hit.record.task == self.task]
        return own if any(hit.cause and not hit.generic for hit in own) else self.hits

    def finished(self, worker: str, *, present: bool, at_end: bool, running: bool) -> Attempt:
        """The attempt as it stands; ``at_end`` of the log, a worker that does not run has cut it off."""
        if at_end and not running and self.verdict is None and not self.disabled:
            self.cut_off = True
        outcome = self.outcome()
        wrong = outcome in (Outcome.FAILED, Outcome.RECOVERED)
        killed = self.stopped or any(_TIME_LIMIT.search(record.text) for record in self.error_records)
        decided = pick_cause(self._own_hits(), self.error_records, killed_on_purpose=killed) if wrong else None
        if outcome is Outcome.RECOVERED:
            decided = decided or self._met_an_error()
        cause = decided.cause if decided else UNRECOGNISED if outcome is Outcome.FAILED else None
        return Attempt(
            worker=worker,
            outcome=outcome,
            lines=(min(self.first.lines[0], self.last.lines[0]), max(self.first.lines[1], self.last.lines[1])),
            task=self.task,
            started_at=self.first.at if self.began else None,
            ended_at=None if outcome is Outcome.UNFINISHED else self.last.at,
            cause=cause,
            subject=decided.subject if decided else None,
            certain=bool(decided and decided.certain),
            hits=tuple(self.hits),
            decisive=_decisive(self, decided) if wrong else (),
            speakers=self.speakers,
            settings=self.settings,
            engine=self.engine,
            stood_in=self.stood_in,
            file=self.file,
            tries=self.tries,
            current=self.present or (self.cut_off and present),
            cut_off=self.cut_off,
            stopped=self.stopped,
        )


def pick_cause(hits: Sequence[Hit], error_records: Iterable[Record] = (), *, killed_on_purpose: bool = False) -> Hit | None:
    """The hit that names the cause, or ``None``: generic texts never decide.

    An error counts before a warning, and the first before what follows from it: a chain prints its first exception first. A
    failed request that was tried again counts only where nothing else does, and shortly before the error. An error of the file
    system beats what the Hub's client made of it. A child that is killed while the worker is told to stop, or at its time limit,
    did not run out of memory.
    """
    able = [hit for hit in hits if hit.cause is not None and not hit.generic and _counts(hit, hits, error_records)]
    if killed_on_purpose:
        able = [hit for hit in able if hit.cause != "out-of-memory"]
    if not able:
        return _second_agreement(hits)
    first = min(enumerate(able), key=lambda item: (_weight(item[1]), item[0]))[1]
    if (first.cause or "").startswith(HUBS_WORDING):
        return next((hit for hit in able if hit.cause in FILE_SYSTEM), first)
    return first


def _second_agreement(hits: Sequence[Hit]) -> Hit | None:
    """Two generic texts that say more together: the pipeline was had, so the token is good, and one of its models was refused.

    Where the pipeline was cached and the token is bad by now, what the Hub says of the token corrects it: it is not certain.
    """
    crashed = next((hit for hit in reversed(hits) if hit.generic and _CRASHED.search(hit.record.text)), None)
    refused = next((hit for hit in hits if hit.generic and hit.subject and _REFUSED.search(hit.record.text)), None)
    if crashed is None or refused is None or crashed.record.lines < refused.record.lines:
        return None
    return replace(refused, cause="gated-not-accepted", certain=False, generic=False)


def _weight(hit: Hit) -> int:
    if _retried(hit):
        return 2
    return 0 if hit.record.level != "WARNING" or states_an_error(hit.record) else 1


def _retried(hit: Hit) -> bool:
    return not has_traceback(hit.record) and _RETRIED.search(said(hit.record)) is not None


def _counts(hit: Hit, hits: Iterable[Hit], error_records: Iterable[Record]) -> bool:
    """Whether a request that was tried again was so shortly before the error that follows it."""
    if not _retried(hit):
        return True
    errors = [*error_records, *(other.record for other in hits if other.generic and not _retried(other))]
    after = min((record for record in errors if record.lines > hit.record.lines), key=lambda record: record.lines, default=None)
    if after is None:
        return True
    if after.at and hit.record.at:
        return (after.at - hit.record.at).total_seconds() <= _RETRY_SECONDS
    return after.lines[0] - hit.record.lines[1] <= _RETRY_LINES


def same_child(process: str, record_process: str) -> bool:
    """Whether both may stem from the same task: two children of a prefork pool never do."""
    children = process.startswith("ForkPool") and record_process.startswith("ForkPool")
    return not children or process == record_process


def _decisive(draft: OpenAttempt, decided: Hit | None) -> tuple[Record, ...]:
    """At most five records to show: the one that decided, else what was logged as an error and generic texts."""
    generic = [hit.record for hit in draft.hits if hit.generic]
    chosen = [decided.record] if decided else generic[:2] + list(draft.error_records)
    if not chosen:
        chosen = [draft.last]
    unique = {record.lines: record for record in sorted(chosen, key=lambda record: record.lines)}
    return tuple(shown(record) for record in list(unique.values())[-5:])
