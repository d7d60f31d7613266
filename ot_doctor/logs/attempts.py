"""Cuts a log's telling records into diarization attempts, and says what became of each, and why."""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from ot_doctor.core.debug_log import note
from ot_doctor.evidence.worker_log import Attempt, Hit, Outcome, Record
from ot_doctor.logs.open_attempt import ERROR_LEVELS, MAX_KEPT, OpenAttempt, same_child
from ot_doctor.logs.proof import (
    diarizes,
    evidence,
    result_failed,
    result_message,
    result_status,
    said,
    traceback_of,
    without_frames,
)
from ot_doctor.logs.signatures import Signature, SignatureCatalogue

TASK_WORDS = (
    b"transcribe_audio[", b"gpu_transcribe[", b"diarize_gpu[", b"rediarize[", b"Warm shutdown (", b"Cold shutdown (",
    b"-------------- [queues]",
)  # fmt: skip
ERROR_WORDS = (
    b": ERROR/", b": CRITICAL/", b"ERROR:", b"CRITICAL:", b'"ERROR', b'"CRITICAL', b"- ERROR -", b"- CRITICAL -", b"] ERROR ",
    b"] CRITICAL ", b"Traceback (most recent call last)",
)  # fmt: skip
_MAX_OPEN = 8
_MAX_EXPLAINED = 2_000
_NEAR = 200  # lines before an attempt's first understood one that may already tell of it
_TASK = re.compile(
    r"Task (?P<name>[\w.]+)\[(?P<id>[0-9a-fA-F-]{8,40})\] "
    r"(?P<what>received|succeeded in|raised unexpected:|retry:|rejected|revoked)(?P<rest>.*)",
    re.DOTALL,
)
_SPEAKS_OF_IT = re.compile(r"pyannote|diari[sz]|speaker", re.IGNORECASE)
_STOPS = re.compile(r"^worker: (?:Warm|Cold) shutdown \(", re.MULTILINE)
_BANNER = re.compile(r"^ ?-{6,} \S+@\S* v\d|^ -{6,} \[queues\]", re.MULTILINE)  # Celery prints it behind whatever was last
_COUNT = re.compile(r"[0-9]{1,4}")
_OF_THE_CONSUMER = re.compile(r"consumer: Cannot connect to ")
_DIARIZED_NOTHING = ("split_forwarded", "superseded", "cancelled")
_NOT_UP = re.compile(r"Timed out waiting for UP message from <ForkProcess\((ForkPoolWorker-\d+)")
_DELAY = re.compile(r" ?Retry in (\d{1,6}(?:\.\d+)?)s")
_EARLY = timedelta(milliseconds=100)  # the delay counts from a moment before the line that tells it
_CHILD = re.compile(r"Process '(ForkPoolWorker-\d+)' pid:\d+ exited with ")

# For an attempt in a thread pool: the end that lines without a task's name gave it, and what its task's last line says; and the
# end that another attempt beside it must have been given by mistake, the likeliest first. An example, with A older than B:
#   "Diarization failed"    goes to A, the oldest without an end                A failed,    B open
#   "Task …[A] succeeded"   (FAILED, SUCCEEDED): nobody has a success, so       A succeeded, B failed
#                           A's end and B's (none) change places, and A's errors go to B
_OWED_END: dict[tuple[Outcome | None, Outcome], tuple[Outcome | None, ...]] = {
    (None, Outcome.SUCCEEDED): (Outcome.SUCCEEDED,),
    (None, Outcome.FAILED): (Outcome.FAILED,),
    (Outcome.FAILED, Outcome.SUCCEEDED): (Outcome.SUCCEEDED, None),
    (Outcome.SUCCEEDED, Outcome.FAILED): (Outcome.FAILED, None),
}


class AttemptBuilder:
    """Takes the telling records of one log in their order."""

    def __init__(
        self, signatures: SignatureCatalogue, worker: str, *, since: datetime | None = None, running: bool = True
    ) -> None:
        self._signatures = signatures
        self._worker = worker
        self._since = since  # what is older is history
        self._running = running
        self._present = since is None
        self._stopping = False  # the worker was told to stop
        self._open: list[OpenAttempt] = []
        self._closed: deque[tuple[Attempt, bool]] = deque(maxlen=MAX_KEPT)
        self._stray: deque[Hit] = deque(maxlen=MAX_KEPT)
        self.explained: deque[tuple[int, int]] = deque(maxlen=_MAX_EXPLAINED)  # lines of records whose cause a signature knows
        self._waiting: dict[str, None] = {}  # tasks that were received and have not ended
        self.release_signs: dict[str, None] = {}
        self.device = ""
        self._stands_in = False  # PyAnnote, for the native engine
        self._forgot = False  # whether what came just before is not known
        self._half: OpenAttempt | None = None  # an attempt whose beginning is not known for that reason
        self._not_up: deque[str] = deque(maxlen=MAX_KEPT)  # children that Celery killed because they did not become ready

    def add(self, record: Record) -> bool:
        """Take one record in; whether it told anything. One that raises is left out, and noted."""
        try:
            return self._take(record)
        except Exception as error:  # of a hostile log, one record must not cost all others
            note(f"line {record.lines[0]} of the log of {self._worker}", error)
            return False

    def _take(self, record: Record) -> bool:
        if not self._present and record.at is not None and self._since is not None and record.at >= self._since:
            self._present = True
            self._cut_off(record)
        started = _BANNER.search(record.text) is not None
        told = self._add(record)
        if started:
            self._cut_off(record)
        return told or started

    def _add(self, record: Record) -> bool:
        self._not_up.extend(_NOT_UP.findall(record.text))
        hits = self._telling(record, said(record), evidence(record))
        if any(hit.cause and not hit.generic for hit in hits):
            self.explained.append(record.lines)
        hits = tuple(hit for hit in hits if hit.cause != "out-of-memory" or hit.subject not in self._not_up)
        for hit in hits:
            self._note(self._signatures.named[hit.signature], record)
        stops = _STOPS.search(record.text) is not None
        self._stopping = self._stopping or stops
        task = _TASK.match(said(record))
        if task is not None and not diarizes(task["name"]):
            self._stray.extend(hit for hit in self._telling(record, "", traceback_of(record)) if self._of_another_task(hit))
            return bool(hits)
        marking = next((s for hit in hits if (s := self._signatures.named[hit.signature]).marks), None)
        if _OF_THE_CONSUMER.match(record.text):  # jobs that run meanwhile go on
            self._stray.extend(hit for hit in hits if hit.cause)
        elif marking is not None and marking.marks == "connected":
            self._stray = deque((hit for hit in self._stray if not _OF_THE_CONSUMER.match(hit.record.text)), maxlen=MAX_KEPT)
        elif marking is not None and marking.marks == "restart":
            self._cut_off(record)
        elif task is not None:
            self._task(task, record, hits)
        elif marking is not None and marking.marks in ("start", "disabled"):
            self._begin(marking, record, hits)
        elif marking is not None and marking.marks in ("success", "failure"):
            self._end(marking, record, hits)
        elif marking is not None and marking.marks == "stood-down":
            self._drop(next((d for d in self._belonging(record) if d.verdict is None), None))
        else:
            self._middle(marking, record, hits)
        self._tell_engine(record, hits)
        return bool(hits) or task is not None or stops

    def attempts(self) -> list[tuple[Attempt, bool]]:
        """The attempts so far, the newest first, each with whether its beginning was seen."""
        still_open = [self._finished(draft, at_end=True) for draft in self._open if draft is not self._half]
        return sorted([*self._closed, *still_open], key=lambda pair: pair[0].lines[1], reverse=True)

    def forget(self) -> None:
        """What follows does not follow on what came before: attempts that are much older are no longer of interest."""
        for kept in (self._open, self._stray, self._waiting):
            kept.clear()
        self._forgot = True

    def stray(self) -> tuple[Hit, ...]:
        return tuple(self._stray)

    # -- what records do -------------------------------------------------------------------------

    def _begin(self, mark: Signature, record: Record, hits: tuple[Hit, ...]) -> None:
        draft = next((d for d in self._belonging(record) if d.verdict is None and d.stage < mark.stage), None)
        if draft is None or mark.marks == "disabled":
            if record.process.startswith("ForkPool"):  # a child does one thing at a time
                for former in [d for d in self._open if d.process == record.process]:
                    self._close(former)
            draft = self._new(record, began=True)
        draft.process = draft.process or record.process  # of a task that runs again, in whichever child
        draft.stage = mark.stage
        draft.disabled = mark.marks == "disabled"
        draft.take(record, hits)
        match = mark.search(said(record))
        if match is not None and match.groupdict().get("settings"):
            draft.settings = match["settings"]

    def _middle(self, mark: Signature | None, record: Record, hits: tuple[Hit, ...]) -> None:
        draft = next((d for d in self._belonging(record) if not d.task_ended), None)
        about_it = any(hit.cause and self._tells_of_it(hit) for hit in hits)
        if draft is None and about_it and record.level != "WARNING":
            draft = self._new(record, began=False)
        if draft is None or (draft.verdict is Outcome.SUCCEEDED and hits and not about_it):
            self._stray.extend(hit for hit in hits if hit.cause)
        elif hits or record.level in ERROR_LEVELS:
            draft.take(record, hits)
            if mark is not None and mark.marks == "retry":
                draft.stage = min(draft.stage, 1)
                draft.retried = True

    def _end(self, mark: Signature, record: Record, hits: tuple[Hit, ...]) -> None:
        failed = mark.marks == "failure"
        open_ones = [d for d in reversed(self._belonging(record)) if not d.task_ended]
        going_on = (d for d in open_ones if d.verdict is Outcome.SUCCEEDED and 0 < d.done_stage < mark.stage)
        unended = (d for d in open_ones if d.verdict is None)
        draft = next(itertools.chain(going_on, unended), open_ones[-1] if open_ones else None)
        if draft is None:
            draft = self._new(record, began=False)
        draft.take(record, hits)
        if not failed and draft.verdict is not Outcome.SUCCEEDED:
            draft.done_at = record.lines
            draft.done_stage = mark.stage
        draft.verdict = Outcome.FAILED if failed else Outcome.SUCCEEDED
        draft.named = bool(record.task)
        match = mark.search(said(record))
        groups = match.groupdict() if match is not None else {}
        if groups.get("speakers"):
            draft.speakers = int(groups["speakers"]) if _COUNT.fullmatch(groups["speakers"]) else None
        draft.file = groups.get("file") or draft.file

    def _task(self, task: re.Match[str], record: Record, hits: tuple[Hit, ...]) -> None:
        if task["what"] == "received":
            self._waiting[task["id"]] = None
            if len(self._waiting) > MAX_KEPT:
                del self._waiting[next(iter(self._waiting))]
            return
        if task["what"] == "retry:":  # it was received again before this line already
            self._runs_again(task, record, hits)
            return
        self._waiting.pop(task["id"], None)
        result = task["rest"].split("\n")[0]
        if task["what"] == "succeeded in" and result_status(result) in _DIARIZED_NOTHING:
            self._drop(next((d for d in self._open if d.task == task["id"]), None))
            return
        failed = task["what"] != "succeeded in" or result_failed(result)
        verdict = Outcome.FAILED if failed else Outcome.SUCCEEDED
        draft = self._ended_by(task["id"], record, verdict)
        if draft is None and failed and task["what"] != "revoked":
            draft = self._new(record, began=False)
        if draft is None:
            return
        self._disentangle(draft, verdict)
        draft.take(record, hits)
        if failed and task["what"] == "succeeded in":  # Celery calls it a success, so it is logged at INFO
            draft.hits.extend(self._telling(record, "", result_message(result)))
        draft.task = task["id"]
        draft.task_ended = True
        draft.verdict = verdict
        self._close(draft)

    def _runs_again(self, task: re.Match[str], record: Record, hits: tuple[Hit, ...]) -> None:
        """Celery will run the task once more: the attempt goes on then, and nothing in between belongs to it."""
        draft = self._ended_by(task["id"], record, Outcome.FAILED) or self._new(record, began=False)
        draft.take(record, hits)
        draft.task, draft.task_named = task["id"], True
        draft.verdict = None
        draft.stage, draft.process = 0, ""
        draft.tries += 1
        draft.retried, draft.retry = True, record
        delay = _DELAY.match(task["rest"])
        draft.waits_until = record.at + timedelta(seconds=float(delay[1])) - _EARLY if record.at and delay else None

    def _drop(self, draft: OpenAttempt | None) -> None:
        """It was no attempt at diarization."""
        if draft is not None:
            self._open.remove(draft)

    def _ended_by(self, task: str, record: Record, verdict: Outcome) -> OpenAttempt | None:
        """The open attempt that a task's last line belongs to.

        Its own; else one without a task whose end was seen and agrees, or that is the oldest; else one whose task was guessed.
        """
        own = [d for d in self._open if d.task == task]
        if own:
            return own[-1]
        others = [d for d in self._open if not d.task_named and same_child(d.process, record.process)]
        return min(
            others, key=lambda d: (bool(d.task), d.verdict is not verdict, d.verdict is None), default=None
        )  # the first of those that are alike is the oldest

    def _disentangle(self, draft: OpenAttempt, verdict: Outcome) -> None:
        """A thread pool's lines name no task: what this task's last line disproves was another's."""
        others = [d for d in self._open if d is not draft and not d.task_ended and same_child(d.process, draft.process)]
        owed = () if draft.named else _OWED_END.get((draft.verdict, verdict), ())
        swapped = next((d for end in owed for d in others if d.verdict is end and not d.named), None)
        if swapped is not None:
            draft.swap_ends(swapped)
        if verdict is Outcome.SUCCEEDED and others and not draft.retried:
            draft.pass_errors_to(next((d for d in others if d.verdict is not Outcome.SUCCEEDED), others[0]))
        elif swapped is not None and not swapped.retried:
            swapped.pass_errors_to(draft)

    def _belonging(self, record: Record) -> list[OpenAttempt]:
        """The open attempts that a record may be about, the newest first."""
        if record.task:
            own = [d for d in self._open if d.task == record.task]
            if own:
                return own
        return [d for d in reversed(self._open) if not d.waits(record.at) and same_child(d.process, _process(record))]

    def _telling(self, record: Record, said: str, proof: str) -> tuple[Hit, ...]:
        hits = self._signatures.hits(record, said, proof)
        return tuple(hit for hit in hits if self._signatures.named[hit.signature].kind != "noise")

    def _tells_of_it(self, hit: Hit) -> bool:
        return self._signatures.named[hit.signature].opens or _SPEAKS_OF_IT.search(without_frames(hit.record.text)) is not None

    def _tell_engine(self, record: Record, hits: tuple[Hit, ...]) -> None:
        engine = next((s.engine for hit in hits if (s := self._signatures.named[hit.signature]).engine), "")
        draft = next((d for d in reversed(self._open) if d.last is record), None)
        if engine and draft is not None:
            draft.engine, draft.stood_in = engine, engine == "pyannote" and self._stands_in

    def _of_another_task(self, hit: Hit) -> bool:
        """Whether another task's failure tells of diarization too."""
        return hit.cause is not None and _SPEAKS_OF_IT.search(traceback_of(hit.record)) is not None

    def _note(self, signature: Signature, record: Record) -> None:
        if signature.release:  # v0.4's lines name no logger, and v0.5 took many of their texts over
            release = "v0.5" if record.logger and signature.release == "v0.4" else signature.release
            self.release_signs[release] = None
        if signature.marks == "fallback":
            self._stands_in = True
        elif signature.marks == "native" or signature.engine == "native":
            self._stands_in = False
        match = signature.search(said(record)) if signature.kind == "note" else None
        if match is not None and match.groupdict().get("device"):
            self.device = match["device"]

    # -- their lives -----------------------------------------------------------------------------

    def _new(self, record: Record, *, began: bool) -> OpenAttempt:
        process = _process(record)
        draft = OpenAttempt(record, record, began, self._present, task=record.task, task_named=bool(record.task), process=process)
        if self._forgot:
            self._forgot, self._half = False, None if began else draft
        taken = {d.task for d in self._open}
        free = [task for task in self._waiting if task not in taken]
        if not draft.task and len(free) == 1:
            draft.task = free[0]
        if not began:  # what stood just before the first line that was understood
            for hit in self._near(draft, record):
                draft.hits.append(hit)
                self._stray.remove(hit)
        for other in self._open:
            if same_child(other.process, process):
                draft.among_others = other.among_others = True
        self._open.append(draft)
        if len(self._open) > _MAX_OPEN:
            self._close(self._open[0])
        return draft

    def _near(self, draft: OpenAttempt, record: Record) -> Iterable[Hit]:
        return [
            hit
            for hit in self._stray
            if record.lines[0] - hit.record.lines[1] <= _NEAR and same_child(draft.process, hit.record.process)
        ]

    def _cut_off(self, record: Record) -> None:
        """The worker was started again: whatever ran has ended."""
        self._waiting.clear()
        self._stands_in = False
        for draft in list(self._open):
            if draft.verdict is None and not draft.disabled:
                draft.cut_off = True
                draft.last = record
            self._close(draft)
        self._stopping = False

    def _close(self, draft: OpenAttempt) -> None:
        self._open.remove(draft)
        if draft is not self._half:
            self._closed.append(self._finished(draft))

    def _finished(self, draft: OpenAttempt, *, at_end: bool = False) -> tuple[Attempt, bool]:
        draft.stopped = draft.stopped or self._stopping
        return draft.finished(self._worker, present=self._present, at_end=at_end, running=self._running), draft.began


def _process(record: Record) -> str:
    """The child that a record is about: the pool's parent names one that died."""
    died = _CHILD.match(record.text)
    return died[1] if died else record.process
