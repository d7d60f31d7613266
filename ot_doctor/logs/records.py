"""From lines to records: joins each with its continuation lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from ot_doctor.evidence.worker_log import Record
from ot_doctor.logs.lines import Head, Line, head_of
from ot_doctor.redaction.masking import redact_outside

MAX_LINES = 200  # of one record: what is longer keeps its first and last lines
_TASK = re.compile(r"\bTask [\w.]+\[(?P<id>[0-9a-fA-F-]{8,40})\]")
_ALONE = re.compile(  # lines without a prefix that begin a record of their own
    r"""[ ]?-{6,}[ ]celery@ | .{0,400}thrown[ ]while[ ]requesting[ ](?:HEAD|GET)[ ]
      | Retrying[ ]in[ ][\d.]+s[ ] | Rate[ ]limited\.[ ]Waiting | Could[ ]not[ ](?:download|load[ ]library)[ ]
      | Unable[ ]to[ ]load[ ]any[ ]of[ ] | (?:DEBUG|INFO|WARNING|ERROR|CRITICAL)(?::|[ ]-|\])""",
    re.VERBOSE,
)
_TRACEBACK = "Traceback (most recent call last):"
_LEVEL_WORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL)(?:[:\s]|\])")


def drafts(lines: Sequence[Line], begins: Callable[[str], bool]) -> list[PartialRecord]:
    """The records in some lines. A prefixed line begins one; so does an unprefixed one that cannot be a continuation."""
    found: list[PartialRecord] = []
    for line in lines:
        head = head_of(line.text)
        if head is not None:
            found.append(PartialRecord.headed(line, head))
            continue
        last = found[-1] if found else None
        if last is None or line.service != last.first.service or last.refuses(line.text, begins):
            found.append(PartialRecord.alone(line))
        else:
            last.add(line)
    return found


class PartialRecord:
    """A record that is being put together; ``lines`` is its text so far."""

    def __init__(self, line: Line, head: Head, *, prefixed: bool) -> None:
        self.first = self.last = line
        self.lines = head.text.split("\n")
        self.at, self.level, self.prefixed = line.stamp or head.at, head.level, prefixed
        self._head = head
        self.cut = 0
        self.in_traceback = head.text.startswith(_TRACEBACK)

    @classmethod
    def headed(cls, line: Line, head: Head) -> PartialRecord:
        return cls(line, head, prefixed=True)

    @classmethod
    def alone(cls, line: Line) -> PartialRecord:
        word = _LEVEL_WORD.match(line.text)
        level = word[1] if word else ""
        return cls(line, Head(line.text, None, level), prefixed=False)

    def refuses(self, text: str, begins: Callable[[str], bool]) -> bool:
        """Whether an unprefixed line cannot belong to this record."""
        if self._head.whole:
            return True
        alone = _ALONE.match(text) is not None
        if not self.prefixed:
            continues = self.in_traceback or not text.strip() or text[0] in " \t"
            return alone or not continues or begins(text)
        if self.level in ("INFO", "DEBUG"):  # what a library prints stands after whatever record was last
            return alone or text.startswith(_TRACEBACK)
        empty = not any(self.lines)  # a print that begins with a line end: the prefix stands above it
        return alone and not empty and not self.in_traceback and not text.startswith("Traceback")

    def add(self, line: Line) -> None:
        self.last = line
        self.in_traceback = self.in_traceback or line.text.startswith(_TRACEBACK)
        self.lines.append(line.text)
        if len(self.lines) > 2 * MAX_LINES:
            half = MAX_LINES // 2
            self.cut += len(self.lines) - 2 * half
            self.lines = self.lines[:half] + self.lines[-half:]

    def record(self) -> Record:
        lines = self.lines
        if self.cut or len(lines) > MAX_LINES:
            half = MAX_LINES // 2
            left_out = self.cut + len(lines) - 2 * half
            lines = [*lines[:half], f"[... {left_out} lines ...]", *lines[-half:]]
        text = redact_outside("\n".join(lines).strip("\n"))
        task = _TASK.search(text)
        numbers = (self.first.number, self.last.number)
        named = task["id"] if task else ""
        return Record(numbers, self.at, self.level, text, named, self._head.process, self._head.logger)


def shifted(record: Record, lines: int) -> Record:
    """The record with its line numbers counted from ``lines`` lines earlier."""
    first, last = record.lines
    return replace(record, lines=(first + lines, last + lines))
