"""From bytes to records: finds the telling places of a log quickly, and joins and cleans the lines around them."""

from __future__ import annotations

import bisect
import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ot_doctor.evidence.sources.log_words import ManyWords, fewest, places
from ot_doctor.evidence.worker_log import Record
from ot_doctor.secrets import Secret, printable, redact

MAX_LINES = 200  # of one record: what is longer keeps its first and last lines
MAX_LINE = 16_384  # bytes of one line that are kept: half at its start, half at its end
MAX_CARRY = 1 << 20  # bytes that wait for the rest of their record
_MAX_AFTER_HEAD = 1_000  # lines in which a record's end is looked for
_MAX_UNPREFIXED = 40  # lines of a record without a prefix
_MAX_TOKEN_LINES = 20
_LOUD_KEPT = 5  # of the errors that no word tells of: at both ends of each stretch between records that tell something
_SAMPLE = 1 << 16  # bytes of a block by which its kind is judged

# Lines at INFO and DEBUG prove nothing of a cause. All others are searched for every word, these for a few.
_NOT_QUIET = re.compile(rb"\n(?![^\[\n]{0,160}\[[\d :,-]{23}: (?:INFO|DEBUG)/)[^\n]+")
_QUIET = re.compile(rb"[^\[\n]{0,160}\[[\d :,-]{23}: (?:INFO|DEBUG)/")
# A search costs by the number of words, so these stand for many.
_COARSE = (b"iariz", b"nnote", b"uggingFace", b"------", b"shutdown (", b"peaker identification")
_JSON_LINE = b'{"log":"'
_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{30,}")
_WRAPPING = re.compile(
    r"(?:\x1b\[[0-9;]*m)*(?:(?P<service>[A-Za-z0-9][\w.-]*) +\| )?(?:\x1b\[[0-9;]*m)*"
    r"(?:(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) )?(?:\x1b\[[0-9;]*m)*"
)
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")
_HEAD = re.compile(
    r"\[(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}): (?P<level>[A-Z]+)/(?P<process>[^\]\n]{1,80})\] ?"
    r"|(?P<at2>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[,.]\d+)?)(?: ?- ?[\w.]{1,80})? ?[-|:]? ?\[?"
    r"(?P<level2>DEBUG|INFO|WARNING|ERROR|CRITICAL)\]?(?: ?[-|:] ?| +)"
)
_TASK = re.compile(r"\bTask [\w.]+\[(?P<id>[0-9a-fA-F-]{8,40})\]")
_ALONE = re.compile(  # lines without a prefix that begin a record of their own
    r"""Traceback \(most recent call last\): | [ ]?-{6,}[ ]celery@ | .{0,400}thrown[ ]while[ ]requesting[ ](?:HEAD|GET)[ ]
      | Retrying[ ]in[ ][\d.]+s[ ] | Rate[ ]limited\.[ ]Waiting | Could[ ]not[ ](?:download|load[ ]library)[ ]
      | Unable[ ]to[ ]load[ ]any[ ]of[ ] | (?:DEBUG|INFO|WARNING|ERROR|CRITICAL)(?::|[ ]-|\])""",
    re.VERBOSE,
)
_LEVEL_WORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL)(?:[:\s]|\])")


@dataclass(frozen=True)
class Line:
    """One line, unwrapped."""

    number: int
    text: str
    service: str = ""
    stamp: datetime | None = None
    goes_on: bool = False  # its end is in the next line: the engine cuts a long one into several entries


class RecordScan:
    """Takes a log in blocks of whole lines, and passes on the records that hold one of the words.

    ``marks`` are looked for everywhere, ``words`` only in lines that are not at INFO or DEBUG. Records that only hold one of
    ``loud`` are passed on too, but of very many in a row only the first and the last. All else is counted and never parsed.
    ``on_record`` is called in the order of the log. Memory stays flat.
    """

    def __init__(
        self,
        marks: Sequence[bytes],
        words: Sequence[bytes],
        on_record: Callable[[Record], object],
        *,
        loud: Sequence[bytes] = (),
        begins: Callable[[str], bool] = lambda text: False,
    ) -> None:
        self._marks = tuple(marks)
        self._coarse = fewest([*marks, *_COARSE])
        self._words = ManyWords([*marks, *words])
        self._telling = tuple(word.decode() for word in fewest([*marks, *words, *loud]))
        self._loud = tuple(loud)
        self._on_record = on_record
        self._begins = begins  # whether an unprefixed line begins a record of its own
        self._carry = b""
        self._carry_from = 1  # the number of the carried text's first line
        self._first_left = _LOUD_KEPT
        self._last: deque[tuple[bytes, int]] = deque(maxlen=_LOUD_KEPT)
        self.lines = 0
        self.token_lines: list[int] = []

    def feed(self, block: bytes) -> None:
        """The next lines; every line is whole, the last of the log may lack its end."""
        if not block:
            return
        self._note_tokens(block)
        self.lines += _lines_in(block)
        text = self._carry + block if self._carry else block
        keep_from = self._begin_of_last(text)
        self._scan(text[:keep_from])
        self._carry = text[keep_from:]
        self._carry_from = self.lines - _lines_in(self._carry) + 1

    def close(self) -> None:
        """Nothing follows: pass on what waited for its continuation."""
        self._scan(self._carry)
        self._carry = b""
        self._pass_on_last()

    def _note_tokens(self, block: bytes) -> None:
        for match in _TOKEN.finditer(block):
            if len(self.token_lines) >= _MAX_TOKEN_LINES:
                return
            number = self.lines + 1 + block.count(b"\n", 0, match.start())
            placeholder = Secret(match[0].decode()).shape.placeholder
            if not placeholder and number not in self.token_lines:
                self.token_lines.append(number)

    def _begin_of_last(self, text: bytes) -> int:
        """Where the last record begins, whose continuation may be in the next block."""
        end = len(text)
        for _ in range(_MAX_AFTER_HEAD):
            begin = text.rfind(b"\n", 0, max(end - 1, 0)) + 1
            if len(text) - begin > MAX_CARRY:
                return end
            if begin == 0 or is_head(text[begin : begin + 300]):
                return begin
            end = begin
        return end

    def _scan(self, text: bytes) -> None:
        done = 0
        number, counted = self._carry_from, 0
        telling, others = self._places(text)
        for position in sorted(others.union(telling)):
            if position < done:
                continue
            begin, end = _bounds(text, position, done)
            number += text.count(b"\n", counted, begin)
            counted = begin
            tells = bisect.bisect_left(telling, begin) < bisect.bisect_left(telling, end)
            self._take(text[begin:end], number, tells=tells)
            done = end

    def _places(self, text: bytes) -> tuple[list[int], set[int]]:
        """Where something telling is, and where else to look closer."""
        loud = _Loud.of(text)
        if loud.is_all:
            found = {place for place in self._words.places(text) if not _is_quiet(text, place) or self._marked(text, place)}
        else:
            found = {place for place in places(text, self._coarse) if self._marked(text, place)}
            found |= {loud.origin(place) for place in self._words.places(loud.text)}
        telling = sorted(found)
        others: set[int] = set()
        for begin, end in itertools.pairwise([0, *telling, len(text)]):
            others |= loud.ends_of(self._loud, begin, end)
        return telling, others

    def _marked(self, text: bytes, place: int) -> bool:
        line_end = text.find(b"\n", place)
        line = text[text.rfind(b"\n", 0, place) + 1 : line_end if line_end >= 0 else len(text)]
        return any(mark in line for mark in self._marks)

    def _take(self, region: bytes, number: int, *, tells: bool) -> None:
        if tells:
            self._pass_on_last()
            self._first_left = _LOUD_KEPT
            self._pass_on(region, number)
        elif self._first_left:
            self._first_left -= 1
            self._pass_on(region, number)
        else:
            self._last.append((region, number))

    def _pass_on_last(self) -> None:
        while self._last:
            self._pass_on(*self._last.popleft())

    def _pass_on(self, region: bytes, number: int) -> None:
        lines: list[Line] = []
        for offset, raw in enumerate(region.rstrip(b"\n").split(b"\n")):
            line = unwrap(raw, number + offset)
            if lines and lines[-1].goes_on and len(lines[-1].text) < MAX_LINE:
                lines[-1] = replace(lines[-1], text=lines[-1].text + line.text, goes_on=line.goes_on)
            else:
                lines.append(line)
        for draft in drafts(lines, self._begins):
            if draft.level in ("ERROR", "CRITICAL") or any(word in line for line in draft.lines for word in self._telling):
                self._on_record(draft.record())


def _lines_in(text: bytes) -> int:
    return text.count(b"\n") + (text != b"" and not text.endswith(b"\n"))


def _is_quiet(text: bytes, place: int) -> bool:
    return _QUIET.match(text, text.rfind(b"\n", 0, place) + 1) is not None


@dataclass(frozen=True)
class _Loud:
    """The lines of a text that are not at INFO or DEBUG, and where each begins in it; all lines where that is cheaper."""

    text: bytes
    begins: Sequence[int] = ()  # in the text that they come from
    offsets: Sequence[int] = ()  # in this one
    is_all: bool = False

    @classmethod
    def of(cls, text: bytes) -> _Loud:
        if 2 * text.count(b": INFO/", 0, _SAMPLE) < text.count(b"\n", 0, _SAMPLE):
            return cls(text, is_all=True)
        begins, lines = [], []
        if text and _QUIET.match(text) is None:
            begins.append(0)
            lines.append(text[: text.find(b"\n")] if b"\n" in text else text)
        for match in _NOT_QUIET.finditer(text):
            begins.append(match.start() + 1)
            lines.append(match[0][1:])
        return cls(b"\n".join(lines), begins, list(itertools.accumulate((len(line) + 1 for line in lines), initial=0)))

    def origin(self, place: int) -> int:
        if self.is_all:
            return place
        nth = bisect.bisect_right(self.offsets, place) - 1
        return self.begins[nth] + place - self.offsets[nth]

    def ends_of(self, words: Sequence[bytes], begin: int, end: int) -> set[int]:
        """Where the first and the last of the words are between two places."""
        if not self.is_all:
            begin, end = (self.offsets[bisect.bisect_left(self.begins, place)] for place in (begin, end))
        found: set[int] = set()
        for word in words:
            first = itertools.islice(places(self.text, (word,), begin, end), _LOUD_KEPT)
            found |= {self.origin(place) for place in first}
            at = end
            for _ in range(_LOUD_KEPT if len(found) >= _LOUD_KEPT else 0):
                at = self.text.rfind(word, begin, at)
                if at < 0:
                    break
                found.add(self.origin(at))
        return found


def _bounds(text: bytes, position: int, floor: int) -> tuple[int, int]:
    """The record around ``position``: from its head to the next one's.

    Where no line has a prefix, it is the line and some that follow: an error's text has several.
    """
    line = begin = text.rfind(b"\n", floor, position) + 1 or floor
    headed = is_head(text[begin : begin + 300])
    for _ in range(MAX_LINES):
        if headed or begin <= floor:
            break
        begin = text.rfind(b"\n", floor, begin - 1) + 1 or floor
        headed = is_head(text[begin : begin + 300])
    end = text.find(b"\n", position) + 1 or len(text)
    for _ in range(_MAX_AFTER_HEAD if headed else _MAX_UNPREFIXED):
        if end >= len(text) or is_head(text[end : end + 300]):
            break
        end = text.find(b"\n", end) + 1 or len(text)
    return (begin if headed else line), end


def is_head(raw: bytes) -> bool:
    """Whether a line begins a record: it has Celery's or logging's prefix."""
    if _DATE.search(raw) is None:
        return False
    text = raw.removeprefix(_JSON_LINE).decode("ascii", "replace")
    wrapping = _WRAPPING.match(text)
    return _HEAD.match(text, wrapping.end() if wrapping else 0) is not None


def unwrap(raw: bytes, number: int) -> Line:
    """A line without what Compose, Docker, a terminal or a progress bar put around it; cut where it is very long."""
    json_stamp = None
    goes_on = False
    if raw.startswith(_JSON_LINE):
        raw, json_stamp, goes_on = _from_json(raw)
    if len(raw) > MAX_LINE:
        raw = raw[: MAX_LINE // 2] + b" [...] " + raw[-MAX_LINE // 2 :]
    text = raw.decode("utf-8", "replace")
    wrapping = _WRAPPING.match(text)
    service, stamp = (wrapping["service"] or "", wrapping["stamp"]) if wrapping else ("", None)
    text = text[wrapping.end() :] if wrapping else text
    text = text.rstrip("\r").rpartition("\r")[2]  # what a terminal would show of a progress bar
    stamp = stamp or json_stamp
    return Line(number, printable(text), service, parse_stamp(stamp) if stamp else None, goes_on)


def _from_json(raw: bytes) -> tuple[bytes, str | None, bool]:
    """The text and the time of a line of the engine's own json-file, and whether the next one goes on with it."""
    try:
        entry = json.loads(raw)
        text = entry["log"]
        return text.rstrip("\n").encode("utf-8", "replace"), str(entry.get("time", "")), not text.endswith("\n")
    except (ValueError, KeyError, AttributeError, RecursionError):  # the end of a file that was cut, or something else
        return raw.removeprefix(_JSON_LINE), None, False


def parse_stamp(stamp: str) -> datetime | None:
    """An RFC 3339 time with any number of fractional digits, in UTC."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)?", stamp)
    if match is None:
        return None
    zone = match[3] if match[3] and match[3] != "Z" else "+00:00"
    micros = (match[2] or "0")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{match[1]}.{micros}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def drafts(lines: Sequence[Line], begins: Callable[[str], bool]) -> list[Draft]:
    """The records in some lines. A prefixed line begins one; so does an unprefixed one that cannot be a continuation."""
    found: list[Draft] = []
    for line in lines:
        head = _HEAD.match(line.text)
        if head is not None:
            found.append(Draft.headed(line, head))
            continue
        last = found[-1] if found else None
        if last is None or line.service != last.first.service or last.refuses(line.text, begins):
            found.append(Draft.alone(line))
        else:
            last.add(line)
    return found


class Draft:
    """A record that is being put together; ``lines`` is its text so far."""

    def __init__(self, line: Line, text: str, *, at: datetime | None, level: str, process: str, prefixed: bool) -> None:
        self.first = self.last = line
        self.lines = [text]
        self.at, self.level, self.process, self.prefixed = at, level, process, prefixed
        self.cut = 0
        self.in_traceback = text.startswith("Traceback (most recent call last):")

    @classmethod
    def headed(cls, line: Line, head: re.Match[str]) -> Draft:
        at = line.stamp or parse_stamp(head["at"] or head["at2"])
        level = head["level"] or head["level2"]
        return cls(line, line.text[head.end() :], at=at, level=level, process=head["process"] or "", prefixed=True)

    @classmethod
    def alone(cls, line: Line) -> Draft:
        word = _LEVEL_WORD.match(line.text)
        level = word[1] if word else ""
        return cls(line, line.text, at=line.stamp, level=level, process="", prefixed=False)

    def refuses(self, text: str, begins: Callable[[str], bool]) -> bool:
        """Whether an unprefixed line cannot belong to this record."""
        alone = _ALONE.match(text) is not None
        if not self.prefixed:
            continues = self.in_traceback or not text.strip() or text[0] in " \t"
            return alone or not continues or begins(text)
        if self.level in ("INFO", "DEBUG"):  # what a library prints stands after whatever record was last
            return alone
        return alone and not self.in_traceback and not text.startswith("Traceback")

    def add(self, line: Line) -> None:
        self.last = line
        self.in_traceback = self.in_traceback or line.text.startswith("Traceback (most recent call last):")
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
        text = redact("\n".join(lines).strip("\n"))
        task = _TASK.search(text)
        numbers = (self.first.number, self.last.number)
        return Record(numbers, self.at, self.level, text, task["id"] if task else "", self.process)


def shifted(record: Record, lines: int) -> Record:
    """The record with its line numbers counted from ``lines`` lines earlier."""
    first, last = record.lines
    return Record((first + lines, last + lines), record.at, record.level, record.text, record.task, record.process)
