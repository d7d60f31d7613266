"""A line of a log: without what Compose, Docker, a terminal or a progress bar put around it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ot_doctor.core.printable import printable

MAX_LINE = 16_384  # bytes of one line that are kept: half at its start, half at its end
MAX_OBJECT = 1 << 20  # bytes of a record in JSON: it is one line with its traceback
_LONGEST_HEAD = 300  # bytes
_SAMPLE = 1 << 16  # bytes in which a line with a prefix is looked for
_LITTLE_OFF = timedelta(minutes=2)  # time zones differ by 15 at least
_ENTRY = re.compile(rb'\{"log": ?"')  # of the json-file driver
_SYSLOG_DATE = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)"
_WRAPPING = (
    r"(?:\x1b\[[0-9;]*m)*(?:(?P<service>[A-Za-z0-9][\w.-]*) +\| )?(?:\x1b\[[0-9;]*m)*"
    rf"(?:<\d{{1,3}}>1 (?P<sent>\S{{10,40}}) \S{{1,255}} (?P<app>\S{{1,100}}) \S{{1,128}} \S{{1,32}} -? ?"  # RFC 5424
    rf"|(?:<\d{{1,3}}>)?(?P<noted>{_SYSLOG_DATE}) [\w.:-]{{1,255}} (?P<unit>[\w./@-]{{1,100}})\[\d+\]: ?)?"  # journald, syslog
    r"(?:(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) )?(?:\x1b\[[0-9;]*m)*"
)
_NO_HEAD = (b" ", b"\n", b"\t", b"Traceback ")
_LEVELS = "DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL"
_DATE = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[,.]\d+)?"
_PREFIX = (
    # Celery's: [time: LEVEL/process] message
    rf"\[(?P<at>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d,\d{{3}}): (?P<level>[A-Z]+)/(?P<process>[^\]\n]{{1,80}})\] ?"
    # time LEVEL:name:message · time - name - LEVEL - message · time LEVEL message · time [LEVEL] name: message
    rf"|(?P<at2>{_DATE})(?: ?- ?(?P<name2>[\w.]{{1,80}}))? ?[-|:]? ?\[?(?P<level2>{_LEVELS})\]?"
    r"(?::(?P<logger2>[A-Za-z_][\w.-]{0,99}):| \[(?P<origin2>[A-Za-z_][\w.-]{0,99})\] | ?[-|:] ?| +)"
    # [time] LEVEL [name] message · [time] LEVEL in name: message · [time] [LEVEL] message
    rf"|\[(?P<at3>{_DATE})(?: [+-]\d{{4}})?\] (?:\[\d+\] )?\[?(?P<level3>{_LEVELS})\]?:?"
    r"(?: \[(?P<logger3>[A-Za-z_][\w.-]{0,99})\]:?| in (?P<origin3>[A-Za-z_][\w.-]{0,99}):)? "
    # LEVEL:name:message
    rf"|(?P<level4>{_LEVELS}):(?P<logger4>[A-Za-z_][\w.-]{{0,99}}):"
)
_OBJECT = rb'\{\s?\\?"[@\w]{1,20}\\?":(?=[^\n]{0,250}?\\?"(?:level(?:name)?|severity)\\?": ?\\?"[A-Za-z])'  # a record in JSON
_HEAD = re.compile(_PREFIX)
_WRAPPED = re.compile(_WRAPPING)
_RAW_HEAD, _RAW_WRAPPED = re.compile(_PREFIX.encode() + b"|" + _OBJECT), re.compile(_WRAPPING.encode())
_RAW_TIME = (b"\n[20", b"\n20", b'\n{"timestamp": "20')  # what stands before a record's own time
_BEFORE = 1 << 16  # bytes in which the record before a place is looked for
_KEYS = {
    "level": ("level", "levelname", "severity"),
    "message": ("message", "msg", "event"),
    "traceback": ("exc_info", "exc_text", "exception", "traceback", "stack_info"),
    "logger": ("name", "logger", "logger_name"),
    "at": ("timestamp", "asctime", "time", "@timestamp", "ts"),
    "process": ("processName", "process_name"),
}
_CUT_OBJECT = re.compile(r'"(?P<key>level|name|timestamp|message)": ?"(?P<value>(?:[^"\\]|\\.)*)')
_SHORT_LEVELS = {"WARN": "WARNING", "FATAL": "CRITICAL"}


@dataclass(frozen=True)
class Head:
    """What the beginning of a record says of it, and what it says itself so far."""

    text: str
    at: datetime | None
    level: str
    logger: str = ""
    process: str = ""
    whole: bool = False  # a record in JSON: no line after it belongs to it


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
    if text.startswith(_NO_HEAD, begin):  # most lines of a traceback
        return False
    end = begin + _LONGEST_HEAD
    if text.startswith(b"[", begin):  # nothing is around it
        return _RAW_HEAD.match(text, begin, end) is not None
    if text.startswith(b"{", begin) and (entry := _ENTRY.match(text, begin)):
        begin = entry.end()
    wrapping = _RAW_WRAPPED.match(text, begin, end)
    return _RAW_HEAD.match(text, wrapping.end() if wrapping else begin, end) is not None


def head_of(text: str) -> Head | None:
    """The beginning of a record, in any format of Celery's, logging's or upstream's; ``None`` where the line begins none."""
    if text.startswith("{"):
        return _of_object(text)
    match = _HEAD.match(text)
    if match is None:
        return None
    part = match.groupdict()
    level = part["level"] or part["level2"] or part["level3"] or part["level4"]
    logger = next((part[key] for key in ("logger2", "name2", "origin2", "logger3", "origin3", "logger4") if part[key]), "")
    own = part["at"] or part["at2"] or part["at3"]
    at = parse_stamp(own) if own else None
    return Head(text[match.end() :], at, _SHORT_LEVELS.get(level, level), logger, part["process"] or "")


def _of_object(text: str) -> Head | None:
    """A record in JSON, with any keys beside those that are known; of one that is cut off, what is there."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        entry = _of_cut_object(text)
    if not isinstance(entry, dict):
        return None
    found = {part: next((v for key in keys if isinstance(v := entry.get(key), str)), "") for part, keys in _KEYS.items()}
    level = found["level"].upper()
    if not level or not any(isinstance(entry.get(key), str) for key in _KEYS["message"]):
        return None
    text = f"{found['message']}\n{found['traceback']}".encode("utf-8", "replace").decode()  # an escape may be half a character
    lines = text.rstrip("\n").split("\n")
    said = "\n".join(line if line.isprintable() else printable(line) for line in map(_shortened, lines))
    return Head(said, parse_stamp(found["at"]), _SHORT_LEVELS.get(level, level), found["logger"], found["process"], whole=True)


def _of_cut_object(text: str) -> dict[str, str]:
    """What can be read of a record in JSON whose end is not there."""
    found = {match["key"]: match["value"] for match in _CUT_OBJECT.finditer(text)}
    if "message" not in found:
        return {}
    try:
        said = json.loads(f'"{found["message"]}"', strict=False)
    except ValueError:  # cut within an escape
        said = found["message"].replace("\\n", "\n")
    return {**found, "message": said}


def _shortened(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE // 2]} [...] {line[-MAX_LINE // 2 :]}"


def own_time_agrees(text: bytes) -> bool:
    """Whether the first record tells the time of the engine's stamp before it, a little off at most."""
    for raw in text[:_SAMPLE].split(b"\n"):
        line = unwrap(raw, 0)
        head = head_of(line.text)
        if head and head.at and line.stamp:
            return abs(head.at - line.stamp) < _LITTLE_OFF
    return False


def own_head(text: bytes) -> bytes:
    """The first lines, where the first tells its time to the millisecond and stands there once: no others are like them.

    Else nothing.
    """
    head = text[: text.rfind(b"\n", 0, _SAMPLE) + 1]
    first = head[: head.find(b"\n") + 1]
    begins = head_of(unwrap(first.rstrip(b"\n"), 0).text)
    return head if begins and begins.at and head.count(first) == 1 else b""


def time_before(text: bytes, place: int) -> datetime | None:
    """When the last record before a place was written, by its own prefix."""
    begin = max(text.rfind(start, max(0, place - _BEFORE), place) for start in _RAW_TIME) + 1
    end = text.find(b"\n", begin)
    head = head_of(text[begin : end if end >= 0 else len(text)].decode("utf-8", "replace"))
    return head.at if head else None


def unwrap(raw: bytes, number: int) -> Line:
    """A line without what Compose, Docker, a terminal or a progress bar put around it; cut where it is very long."""
    json_stamp = None
    goes_on = False
    if _ENTRY.match(raw):
        raw, json_stamp, goes_on = _from_json(raw)
    if len(raw) > (MAX_OBJECT if is_head(raw) and b"{" in raw[:_LONGEST_HEAD] else MAX_LINE):
        raw = raw[: MAX_LINE // 2] + b" [...] " + raw[-MAX_LINE // 2 :]
    text = raw.decode("utf-8", "replace")
    wrapping = _WRAPPED.match(text)
    service = stamp = None
    if wrapping:
        service = wrapping["service"] or wrapping["unit"] or wrapping["app"]
        stamp = wrapping["stamp"] or wrapping["sent"] or wrapping["noted"]
        text = text[wrapping.end() :]
    text = text.rstrip("\r").rpartition("\r")[2]  # what a terminal would show of a progress bar
    stamp = stamp or json_stamp
    text = text if text.isprintable() else printable(text)
    return Line(number, text, service or "", parse_stamp(stamp) if stamp else None, goes_on)


def _from_json(raw: bytes) -> tuple[bytes, str | None, bool]:
    """The text and the time of a line of the engine's own json-file, and whether the next one goes on with it."""
    try:
        entry = json.loads(raw)
        text = entry["log"]
        return text.rstrip("\n").encode("utf-8", "replace"), str(entry.get("time", "")), not text.endswith("\n")
    except (ValueError, KeyError, AttributeError, RecursionError):  # the end of a file that was cut, or something else
        return _ENTRY.sub(b"", raw, count=1), None, False


def parse_stamp(stamp: str) -> datetime | None:
    """An RFC 3339 time with any number of fractional digits, in UTC."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:?\d\d)?", stamp)
    if match is None:
        return None
    zone = f"{match[3][:3]}:{match[3][-2:]}" if match[3] and match[3] != "Z" else "+00:00"
    micros = (match[2] or "0")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{match[1]}.{micros}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
