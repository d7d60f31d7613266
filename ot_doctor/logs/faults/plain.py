"""The text of a log without what terminals, Compose, Docker, journald and syslog put around it, and unwrapped again."""

from __future__ import annotations

import itertools
import json
import re

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[@-~]|\][^\x07\x1b\n]{0,300}(?:\x07|\x1b\\)|[@-Z\\^_])")
_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_PREFIXES = re.compile(
    r"^(?:(?P<service>[A-Za-z0-9][\w.-]{0,80}) *\| ?)?"
    rf"(?:{_STAMP}:? (?=\S| |$)|{_STAMP}$)?"
    r"(?:(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? |\d{4}-\d\d-\d\dT[\d:.+-]{8,24}Z? )(?P<host>[\w.-]{1,80}) "
    r"(?P<unit>[\w./@-]{1,80})(?:\[\d{1,8}\])?: ?)?"
)
_MARKS = re.compile(  # one of them begins a line: then the lines are worth the work
    rf"^(?:[A-Za-z0-9][\w.-]{{0,80}} *\| |{_STAMP}|[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d "
    rf"|\d{{4}}-\d\d-\d\dT[\d:.+-]{{8,24}} [\w.-]+ [\w./@-]+\[)",
    re.MULTILINE,
)
_TIMES = re.compile(r"^(?:#\d{1,3} )?(\d{1,6}\.\d{1,3}) ?", re.MULTILINE)  # docker build
_DAYS = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,6})? (?! ?[-|\[]"
    r"|[A-Z]{4,8}\b)", re.MULTILINE)  # a stamp and no level after it
_GUARD = re.compile(  # begins something of its own, so it goes on with nothing
    r"^(?:$|Traceback \(most recent|  File \"|    \S|\[?\d{4}-\d\d-\d\d|\[\d\d/\d\d/\d\d|The above exception was"
    r"|During handling of the|\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b"
    r"|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)\b|Caused by:|\{\")"
)
_NARROWEST, _WIDEST = 60, 132
_LONGEST_WRAPPED = 1 << 18


def pieces(text: str) -> list[tuple[str, list[str]]]:
    """The lines of each container of a log, by its name; an empty name where the log has none.

    Lines that stand between those of several containers are brought together again. The numbers of lines are lost with
    that, so each line of a log without containers stands where it stood.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith('{"log":"'):
        text = "\n".join(_from_json(line) for line in text.split("\n"))
    lines = text.split("\n")
    if not _MARKS.search(text):
        if sum(1 for _ in itertools.islice(_TIMES.finditer(text), 2)) and _all_begin(lines, _TIMES):
            lines = _TIMES.sub("", text).split("\n")
        elif _all_begin(lines, _DAYS):
            lines = _DAYS.sub("", text).split("\n")
        return [("", _unwrapped(lines))]
    found: dict[str, list[str]] = {}
    last = ""
    for line in lines:
        match = _PREFIXES.match(line)
        if match is not None and match.end():
            last = match["service"] or match["unit"] or ""
            line = line[match.end() :]
        found.setdefault(last, []).append(line)
    return [(service, _unwrapped(own)) for service, own in found.items()]


def _all_begin(lines: list[str], pattern: re.Pattern[str]) -> bool:
    """Whether of the first lines that are not empty all begin so, but one in four, which a wrapped line may be."""
    sample = [line for line in itertools.islice(lines, 40) if line.strip()]
    return len(sample) > 0 and sum(1 for line in sample if pattern.match(line)) * 4 >= len(sample) * 3


def _from_json(line: str) -> str:
    try:
        return str(json.loads(line)["log"]).rstrip("\n")
    except (ValueError, KeyError, TypeError, RecursionError):
        return line


def _unwrapped(lines: list[str]) -> list[str]:
    """The lines, joined again where a terminal, ``fold`` or ``textwrap`` broke them at a width."""
    width = max(map(len, lines), default=0)
    if not _NARROWEST <= width <= _WIDEST or len(lines) * width > _LONGEST_WRAPPED:
        return lines
    found: list[str] = []
    last = ""  # the line before, as it stands in the log
    for line in lines:
        glue = _glue(last, line, width) if found else None
        if glue is None:
            found.append(line)
        else:
            found[-1] = found[-1].rstrip() + glue + line.lstrip() if glue else found[-1] + line
        last = line
    return found


def _glue(line: str, following: str, width: int) -> str | None:
    """What stands between the two where the second goes on with the first; ``None`` where it does not."""
    if len(line) < _NARROWEST * 3 // 4 or not following.strip() or _GUARD.match(following):
        return None
    if len(line) == width:
        return ""
    first = len(following.split(None, 1)[0])
    return " " if len(line.rstrip()) + 1 + first > width else None
