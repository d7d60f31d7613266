"""A line of a log: without what Compose, Docker, a terminal or a progress bar put around it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ot_doctor.secrets import printable

MAX_LINE = 16_384  # bytes of one line that are kept: half at its start, half at its end
_LONGEST_HEAD = 300  # bytes
_SAMPLE = 1 << 16  # bytes in which a line with a prefix is looked for
_LITTLE_OFF = timedelta(minutes=2)  # time zones differ by 15 at least
_JSON_LINE = b'{"log":"'
_WRAPPING = (
    r"(?:\x1b\[[0-9;]*m)*(?:(?P<service>[A-Za-z0-9][\w.-]*) +\| )?(?:\x1b\[[0-9;]*m)*"
    r"(?:(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) )?(?:\x1b\[[0-9;]*m)*"
)
_PREFIX = (
    r"\[(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}): (?P<level>[A-Z]+)/(?P<process>[^\]\n]{1,80})\] ?"
    r"|(?P<at2>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[,.]\d+)?)(?: ?- ?[\w.]{1,80})? ?[-|:]? ?\[?"
    r"(?P<level2>DEBUG|INFO|WARNING|ERROR|CRITICAL)\]?(?: ?[-|:] ?| +)"
)
HEAD = re.compile(_PREFIX)  # Celery's or logging's prefix
_WRAPPED = re.compile(_WRAPPING)
_RAW_HEAD, _RAW_WRAPPED = re.compile(_PREFIX.encode()), re.compile(_WRAPPING.encode())


@dataclass(frozen=True)
class Line:
    """One line, unwrapped."""

    number: int
    text: str
    service: str = ""
    stamp: datetime | None = None
    goes_on: bool = False  # its end is in the next line: the engine cuts a long one into several entries


def is_head(text: bytes, begin: int = 0) -> bool:
    """Whether the line that begins there begins a record: it has Celery's or logging's prefix."""
    end = begin + _LONGEST_HEAD
    if text.startswith(_JSON_LINE, begin):
        begin += len(_JSON_LINE)
    wrapping = _RAW_WRAPPED.match(text, begin, end)
    return _RAW_HEAD.match(text, wrapping.end() if wrapping else begin, end) is not None


def own_time_agrees(text: bytes) -> bool:
    """Whether the first line with Celery's prefix tells the time of the engine's stamp before it, a little off at most."""
    for raw in text[:_SAMPLE].split(b"\n"):
        line = unwrap(raw, 0)
        head = HEAD.match(line.text)
        own = parse_stamp(head["at"]) if head and head["at"] else None
        if own and line.stamp:
            return abs(own - line.stamp) < _LITTLE_OFF
    return False


def own_head(text: bytes) -> bytes:
    """The first lines, where the first tells its time to the millisecond and stands there once: no others are like them.

    Else nothing.
    """
    head = text[: text.rfind(b"\n", 0, _SAMPLE) + 1]
    first = head[: head.find(b"\n") + 1]
    return head if is_head(first) and head.count(first) == 1 else b""


def time_before(text: bytes, place: int) -> datetime | None:
    """When the last record of Celery's before a place was written, by its own prefix."""
    begin = text.rfind(b"\n[20", 0, place) + 1
    head = HEAD.match(text[begin : begin + _LONGEST_HEAD].decode("ascii", "replace"))
    return parse_stamp(head["at"]) if head and head["at"] else None


def unwrap(raw: bytes, number: int) -> Line:
    """A line without what Compose, Docker, a terminal or a progress bar put around it; cut where it is very long."""
    json_stamp = None
    goes_on = False
    if raw.startswith(_JSON_LINE):
        raw, json_stamp, goes_on = _from_json(raw)
    if len(raw) > MAX_LINE:
        raw = raw[: MAX_LINE // 2] + b" [...] " + raw[-MAX_LINE // 2 :]
    text = raw.decode("utf-8", "replace")
    wrapping = _WRAPPED.match(text)
    service, stamp = (wrapping["service"] or "", wrapping["stamp"]) if wrapping else ("", None)
    text = text[wrapping.end() :] if wrapping else text
    text = text.rstrip("\r").rpartition("\r")[2]  # what a terminal would show of a progress bar
    stamp = stamp or json_stamp
    text = text if text.isprintable() else printable(text)
    return Line(number, text, service, parse_stamp(stamp) if stamp else None, goes_on)


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
