"""Cuts a log's telling records into diarization attempts, and says what became of each, and why."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ot_doctor.evidence.signatures import Catalogue, Signature
from ot_doctor.evidence.sources.log_evidence import evidence, said, shown
from ot_doctor.evidence.worker_log import Attempt, Hit, Outcome, Record

TASK_WORDS = (b"transcribe_audio[", b"gpu_transcribe[", b"rediarize[")
ERROR_WORDS = (b": ERROR/", b": CRITICAL/", b"- ERROR -", b"- CRITICAL -", b"Traceback (most recent call last)")
_MAX_KEPT = 50  # attempts, stray hits, hits of one attempt: what a log repeats without end is not all kept
_MAX_OPEN = 8
_TASK = re.compile(
    r"Task (?P<name>[\w.]+)\[(?P<id>[0-9a-fA-F-]{8,40})\] "
    r"(?P<what>received|succeeded in|raised unexpected:|retry:|rejected|revoked)(?P<rest>.*)",
    re.DOTALL,
)
_DIARIZING = re.compile(r"(?:^|\.)(?:transcribe_audio|gpu_transcribe|rediarize\w*)$")
_BAD_RESULT = re.compile(r"""['"]status['"]: ['"](?:error|failed)['"]""")
_SPEAKS_OF_IT = re.compile(r"pyannote|diari[sz]|speaker", re.IGNORECASE)
_RETRIED = re.compile(r"thrown while requesting |Retrying in [\d.]+s ")
_FILE_SYSTEM = ("cache-permission", "cache-readonly", "disk-full")
_LOUD = ("ERROR", "CRITICAL")
UNRECOGNISED = "unrecognised"


@dataclass
class _Draft:
    """An attempt whose end is not known yet."""

    first: Record
    last: Record
    began: bool  # its first telling line was seen
    present: bool  # it began in the container's present run
    stage: int = 0
    task: str = ""
    process: str = ""
    hits: list[Hit] = field(default_factory=list)
    loud: deque[Record] = field(default_factory=lambda: deque(maxlen=5))
    verdict: Outcome | None = None  # what the newest success or failure line says
    task_ended: bool = False
    disabled: bool = False
    cut_off: bool = False
    speakers: int | None = None
    settings: str = ""

    def take(self, record: Record, hits: Iterable[Hit]) -> None:
        self.last = record
        self.hits.extend(hits)
        if len(self.hits) > _MAX_KEPT:  # the cause is among the first, the end among the last
            del self.hits[_MAX_KEPT // 2 : -_MAX_KEPT // 2 + 1]
        if record.level in _LOUD or "Traceback (most recent call last)" in record.text:
            self.loud.append(record)

    @property
    def decided_by(self) -> Hit | None:
        return deciding(self.hits)

    def outcome(self) -> Outcome:
        if self.cut_off:
            return Outcome.FAILED
        if self.disabled and self.verdict is not Outcome.FAILED:
            return Outcome.DISABLED
        if self.verdict is Outcome.SUCCEEDED:
            return Outcome.RECOVERED if any(hit.cause for hit in self.hits) else Outcome.SUCCEEDED
        if self.verdict is Outcome.FAILED or self.loud:
            return Outcome.FAILED
        plain = any(hit.cause and not hit.record.level and not _RETRIED.search(hit.record.text) for hit in self.hits)
        return Outcome.FAILED if plain else Outcome.UNFINISHED


def deciding(hits: Iterable[Hit]) -> Hit | None:
    """The hit that names the cause, or ``None``: generic texts never decide.

    A file-system error beats everything that the Hub's client made of it. Else the first error counts, since what follows
    is its consequence; a failed request that was tried again counts only where nothing else does.
    """
    able = [hit for hit in hits if hit.cause is not None and not hit.generic]
    if not able:
        return None
    return min(
        enumerate(able),
        key=lambda item: (item[1].cause not in _FILE_SYSTEM, _RETRIED.search(item[1].record.text) is not None, item[0]),
    )[1]


class Cutter:
    """Takes the telling records of one log in their order."""

    def __init__(self, signatures: Catalogue, worker: str, *, since: datetime | None = None, running: bool = True) -> None:
        self._signatures = signatures
        self._worker = worker
        self._since = since  # what is older is history
        self._running = running
        self._present = since is None
        self._open: list[_Draft] = []
        self._closed: deque[tuple[Attempt, bool]] = deque(maxlen=_MAX_KEPT)
        self._stray: deque[Hit] = deque(maxlen=_MAX_KEPT)
        self._waiting: dict[str, None] = {}  # tasks that were received and have not ended
        self.release_signs: dict[str, None] = {}
        self.device = ""

    def add(self, record: Record) -> bool:
        """Take one record in; whether it told anything."""
        if not self._present and record.at is not None and self._since is not None and record.at >= self._since:
            self._present = True
            self._cut_off(record)
        hits = tuple(
            hit
            for hit in self._signatures.hits(record, said(record), evidence(record))
            if self._signatures.named[hit.signature].kind != "noise"
        )
        task = _TASK.match(said(record))
        for hit in hits:
            self._note(self._signatures.named[hit.signature], record)
        if task is not None and not _DIARIZING.search(task["name"]):
            self._stray.extend(hit for hit in hits if hit.cause and _SPEAKS_OF_IT.search(record.text))
            return bool(hits)
        marking = next((s for hit in hits if (s := self._signatures.named[hit.signature]).marks), None)
        if marking is not None and marking.marks == "restart":
            self._cut_off(record)
        elif task is not None:
            self._task(task, record, hits)
        elif marking is not None and marking.marks in ("start", "disabled"):
            self._begin(marking, record, hits)
        elif marking is not None and marking.marks in ("success", "failure"):
            self._end(marking, record, hits)
        else:
            self._middle(marking, record, hits)
        return bool(hits) or task is not None

    def attempts(self) -> list[tuple[Attempt, bool]]:
        """The attempts so far, the newest first, each with whether its beginning was seen."""
        still_open = [self._finished(draft, at_end=True) for draft in self._open]
        return sorted([*self._closed, *still_open], key=lambda pair: pair[0].lines[1], reverse=True)

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
        elif hits or record.level in _LOUD:
            draft.take(record, hits)
            if mark is not None and mark.marks == "retry":
                draft.stage = min(draft.stage, 1)

    def _end(self, mark: Signature, record: Record, hits: tuple[Hit, ...]) -> None:
        failed = mark.marks == "failure"
        open_ones = [d for d in reversed(self._belonging(record)) if not d.task_ended]
        draft = next((d for d in open_ones if d.verdict is None), open_ones[-1] if open_ones else None)
        if draft is None:
            draft = self._new(record, began=False)
        draft.take(record, hits)
        draft.verdict = Outcome.FAILED if failed else Outcome.SUCCEEDED
        match = mark.search(said(record))
        if match is not None and match.groupdict().get("speakers"):
            draft.speakers = int(match["speakers"])

    def _task(self, task: re.Match[str], record: Record, hits: tuple[Hit, ...]) -> None:
        if task["what"] == "received":
            self._waiting[task["id"]] = None
            if len(self._waiting) > _MAX_KEPT:
                del self._waiting[next(iter(self._waiting))]
            return
        self._waiting.pop(task["id"], None)
        failed = task["what"] != "succeeded in" or _BAD_RESULT.search(task["rest"].split("\n")[0]) is not None
        draft = self._ended_by(task["id"], record)
        if draft is None and failed and task["what"] != "revoked":
            draft = self._new(record, began=False)
        if draft is None:
            return
        draft.take(record, hits)
        draft.task = task["id"]
        draft.task_ended = True
        if failed:
            draft.verdict = Outcome.FAILED
        elif draft.verdict is not Outcome.SUCCEEDED:
            draft.verdict = Outcome.SUCCEEDED
        self._close(draft)

    def _ended_by(self, task: str, record: Record) -> _Draft | None:
        """The open attempt that a task's last line belongs to: its own, else one whose end was seen, else the oldest."""
        own = [d for d in self._open if d.task == task]
        if own:
            return own[-1]
        others = [d for d in self._open if not d.task and _same_child(d, record)]
        return next((d for d in others if d.verdict is not None), others[0] if others else None)

    def _belonging(self, record: Record) -> list[_Draft]:
        """The open attempts that a record may be about, the newest first."""
        if record.task:
            own = [d for d in self._open if d.task == record.task]
            if own:
                return own
        return [d for d in reversed(self._open) if _same_child(d, record)]

    def _tells_of_it(self, hit: Hit) -> bool:
        return self._signatures.named[hit.signature].opens or _SPEAKS_OF_IT.search(hit.record.text) is not None

    def _note(self, signature: Signature, record: Record) -> None:
        if signature.release:
            self.release_signs[signature.release] = None
        match = signature.search(said(record)) if signature.kind == "note" else None
        if match is not None and match.groupdict().get("device"):
            self.device = match["device"]

    # -- their lives -----------------------------------------------------------------------------

    def _new(self, record: Record, *, began: bool) -> _Draft:
        draft = _Draft(record, record, began, self._present, task=record.task, process=record.process)
        taken = {d.task for d in self._open}
        free = [task for task in self._waiting if task not in taken]
        if not draft.task and len(free) == 1:
            draft.task = free[0]
        if not began:  # what stood just before the first line that was understood
            near = [hit for hit in self._stray if record.lines[0] - hit.record.lines[1] <= 200 and _same_child(draft, hit.record)]
            draft.hits.extend(near)
            for hit in near:
                self._stray.remove(hit)
        self._open.append(draft)
        if len(self._open) > _MAX_OPEN:
            self._close(self._open[0])
        return draft

    def _cut_off(self, record: Record) -> None:
        """The worker was started anew: whatever ran has ended."""
        self._waiting.clear()
        for draft in list(self._open):
            if draft.verdict is None and not draft.disabled:
                draft.cut_off = True
                draft.last = record
            self._close(draft)

    def _close(self, draft: _Draft) -> None:
        self._open.remove(draft)
        self._closed.append(self._finished(draft))

    def _finished(self, draft: _Draft, *, at_end: bool = False) -> tuple[Attempt, bool]:
        if at_end and not self._running and draft.verdict is None and not draft.disabled:
            draft.cut_off = True
        outcome = draft.outcome()
        decided = draft.decided_by
        wrong = outcome in (Outcome.FAILED, Outcome.RECOVERED)
        cause = decided.cause if decided and wrong else UNRECOGNISED if outcome is Outcome.FAILED else None
        attempt = Attempt(
            worker=self._worker,
            outcome=outcome,
            lines=(draft.first.lines[0], draft.last.lines[1]),
            task=draft.task,
            started_at=draft.first.at if draft.began else None,
            ended_at=None if outcome is Outcome.UNFINISHED else draft.last.at,
            cause=cause,
            subject=decided.subject if decided and wrong else None,
            certain=bool(decided and wrong and decided.certain),
            hits=tuple(draft.hits),
            decisive=_decisive(draft, decided) if wrong else (),
            speakers=draft.speakers,
            settings=draft.settings,
            current=draft.present or (draft.cut_off and self._present),
        )
        return attempt, draft.began


def _same_child(draft: _Draft, record: Record) -> bool:
    """Whether both may stem from the same task: two children of a prefork pool never do."""
    children = draft.process.startswith("ForkPool") and record.process.startswith("ForkPool")
    return not children or draft.process == record.process


def _decisive(draft: _Draft, decided: Hit | None) -> tuple[Record, ...]:
    """At most five records to show: the one that decided, else what was logged as an error and generic texts."""
    chosen = [decided.record] if decided else [hit.record for hit in draft.hits if hit.cause][:2] + list(draft.loud)
    if not chosen:
        chosen = [draft.last]
    unique = {record.lines: record for record in sorted(chosen, key=lambda record: record.lines)}
    return tuple(shown(record) for record in list(unique.values())[-5:])
