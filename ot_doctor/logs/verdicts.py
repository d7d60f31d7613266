"""What the rules over faults say where no signature knows the text: of attempts, and of errors outside any.

Nothing is passed over: an error after the newest success that neither a signature nor a rule explains is ``unrecognised``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from ot_doctor.core.printable import printable
from ot_doctor.evidence.worker_log import Attempt, Hit, Outcome, Record
from ot_doctor.logs.faults import Fault, FaultVerdict, decide, faults_in, is_error
from ot_doctor.logs.lines import MAX_LINE, head_of, unwrap
from ot_doctor.logs.open_attempt import ERROR_LEVELS, FILE_SYSTEM, HUBS_WORDING, UNRECOGNISED
from ot_doctor.logs.proof import (
    QUIET_LEVELS,
    evidence,
    goes_on_quoting,
    of_another_task,
    quotes,
    repeats_speech,
    spoken,
    without_media,
)

_GOOD = (Outcome.SUCCEEDED, Outcome.RECOVERED)
_LONGEST = 2_000  # characters of an error that are shown
_MOST_SHOWN = 5  # errors that nothing explains
_NEAR = 60  # lines in which the head of a record is looked for
_HEAD = "[2000-01-01 00:00:00,000: {}/MainProcess] "


@dataclass(frozen=True)
class _Kept:
    """A line that may tell an error."""

    number: int
    text: str  # as it stands in the log, cut where it is very long
    at: datetime | None
    begins: bool  # a record, or what was left out stands before it


class ErrorReader:
    """Judges the last lines of one log."""

    def __init__(self, lines: Iterable[tuple[int, bytes]], since: datetime | None = None) -> None:
        self.other_errors = False  # whether errors of other tasks than diarization were left out
        self._lines = list(self._kept(lines, since))

    def _kept(self, lines: Iterable[tuple[int, bytes]], since: datetime | None) -> Iterator[_Kept]:
        """The lines that may prove something, as they stand in the log."""
        others = quoting = speech = False  # the record is another task's, or says what somebody said
        quiet = False
        at: datetime | None = None
        for number, raw in lines:
            line = unwrap(raw, number)
            head = head_of(line.text)
            if head is not None:
                first = head.text.split("\n")[0]
                others, quoting, speech = of_another_task(head.text), quotes(first), repeats_speech(first)
                self.other_errors = self.other_errors or (others and head.level in ERROR_LEVELS)
                quiet = head.level in QUIET_LEVELS
            else:
                others = others and not quiet  # what stands behind a record at INFO is nobody's
                quoting = goes_on_quoting(line.text, quoting, speech=speech)
            at = line.stamp or (head.at if head else None) or at
            said = head.text if head else line.text
            if others or quoting or spoken(said) or (since is not None and at is not None and at < since):
                continue
            yield _Kept(number, without_media(_cut(raw.decode("utf-8", "replace"))), at, head is not None)

    def named(self, attempt: Attempt) -> Attempt:
        """The attempt, with the cause that a rule finds where it failed and no signature knows why."""
        if attempt.outcome is not Outcome.FAILED or attempt.cause != UNRECOGNISED:
            return attempt
        own = "\n".join(_HEAD.format(record.level) * bool(record.level) + evidence(record) for record in attempt.decisive)
        faults = faults_in(own)
        found = _likely(faults)
        plain = found is not None and found[1].cause.startswith(("network-", "hub-", "disk-"))
        if attempt.about_the_hub and not plain:  # what of its texts means many things, present evidence decides
            unknown = not faults or decide(faults) is not None
            return attempt if unknown else _with(attempt, _hit(None, attempt.decisive[-1]), attempt.decisive)
        if found is not None and any(hit.cause == found[1].cause and not hit.generic for hit in attempt.hits):
            return attempt  # a signature knows it, and it did not decide: a child that is killed on purpose lacks no memory
        if found is not None:
            return _with(attempt, _hit(found[1], attempt.decisive[-1]), attempt.decisive)
        first, last = attempt.lines
        within = [line for line in self._lines if first <= line.number <= last]
        found = _likely(faults_in(_joined(within)))
        if found is None:
            return attempt
        record = _record(found[0], within)
        return _with(attempt, _hit(found[1], record), (*attempt.decisive[1 - _MOST_SHOWN :], record))

    def outside(self, known: Iterable[tuple[int, int]], after: int) -> tuple[Hit, ...]:
        """What the errors tell that stand behind line ``after``, and not in the lines whose meaning is known."""
        begin = self._lines[0].number if self._lines else 1
        explained = {line for first, last in known if last >= begin for line in range(max(first, begin), last + 1)}
        left: list[_Kept] = []
        for line in self._lines:
            if line.number > after and line.number not in explained:
                gap = bool(left) and line.number != left[-1].number + 1
                left.append(replace(line, begins=line.begins or gap))
        faults = faults_in(_joined(left))
        found = decide(faults)
        if found is not None:
            return (_hit(found[1], _record(found[0], left)),)
        errors = {fault.last_line: fault for fault in faults if is_error(fault)}
        return tuple(_hit(None, _record(fault, left)) for fault in list(errors.values())[-_MOST_SHOWN:])


def _likely(faults: Iterable[Fault]) -> tuple[Fault, FaultVerdict] | None:
    found = decide(faults)
    return None if found is None or found[1].confidence == "possible" else found


def _with(attempt: Attempt, hit: Hit, shown: tuple[Record, ...]) -> Attempt:
    return replace(attempt, cause=hit.cause, subject=hit.subject, hits=(*attempt.hits, hit), decisive=shown)


def settled(stray: Iterable[Hit], unknown: tuple[Hit, ...], after: int) -> tuple[Hit, ...]:
    """The hits behind line ``after``; an error of the file system beats what the Hub's client made of it."""
    known = [hit for hit in stray if hit.record.lines[1] > after]
    causes = [hit for hit in known if hit.cause and not hit.generic]
    hits = [*known, *(hit for hit in unknown if hit.signature or not any(_near(hit, other) for other in causes))]
    if not any(hit.cause in FILE_SYSTEM and not hit.generic for hit in hits):
        return tuple(hits)
    return tuple(hit for hit in hits if not (hit.cause or "").startswith(HUBS_WORDING))


def _near(hit: Hit, other: Hit) -> bool:
    """Whether an error that nothing explains stands beside one whose cause is known: it is part of it."""
    return hit.record.lines[0] - other.record.lines[1] <= _NEAR and other.record.lines[0] - hit.record.lines[1] <= _NEAR


def newest_success(attempts: Iterable[Attempt]) -> int:
    """The last line of the newest attempt that ended well; 0 where none did."""
    return max((attempt.lines[1] for attempt in attempts if attempt.outcome in _GOOD), default=0)


def _cut(text: str) -> str:
    if len(text) <= MAX_LINE or text.lstrip().startswith("{"):
        return text
    return f"{text[: MAX_LINE // 2]} [...] {text[-MAX_LINE // 2 :]}"


def _joined(lines: Iterable[_Kept]) -> str:
    found: list[str] = []
    before = 0
    for line in lines:
        if before and line.number != before + 1 and not line.begins:
            found.append("")  # what stood between is not there, so neither goes on with the other
        found.append(line.text)
        before = line.number
    return "\n".join(found)


def _hit(verdict: FaultVerdict | None, record: Record) -> Hit:
    if verdict is None:
        return Hit("", UNRECOGNISED, None, False, False, record)
    return Hit(verdict.rule, verdict.cause, verdict.subject, False, False, record, possible=verdict.confidence == "possible")


def _record(fault: Fault, lines: list[_Kept]) -> Record:
    """The error as a record: where it stands, when it was written, and its messages."""
    text = "\n".join(dict.fromkeys(raised.text for raised in fault.chain if raised.text)) or fault.last_line
    text = printable(text[:_LONGEST])
    backwards = range(len(lines) - 1, -1, -1) if fault.last_line else ()
    where = next((nth for nth in backwards if _holds(lines[nth].text, fault.last_line)), None)
    if where is None:
        numbers = (lines[0].number, lines[-1].number) if lines else (1, 1)
        return Record(numbers, lines[-1].at if lines else None, fault.level, text)
    first = next((nth for nth in range(where, max(-1, where - _NEAR), -1) if lines[nth].begins), where)
    return Record((lines[first].number, lines[where].number), lines[where].at, fault.level, text)


def _holds(line: str, decisive: str) -> bool:
    line = line.strip()
    return decisive in line or (len(line) > 20 and decisive.startswith(line[-60:]))
