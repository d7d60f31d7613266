"""The text of a log without what terminals, Compose, Docker, journald and syslog put around it, and unwrapped again."""

from __future__ import annotations

import itertools
import json
import re

from ot_doctor.logs.faults.loose_lines import exception, native, strong

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]{0,20}[@-~]|\][^\x07\x1b\n]{0,300}(?:\x07|\x1b\\)|[@-Z\\^_])")
_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_PREFIXES = re.compile(
    r"^(?:(?P<service>[A-Za-z0-9][\w.-]{0,80}) *\| ?)?"
    rf"(?:{_STAMP} [\w.-]{{1,80}} (?P<logged>[\w./@-]{{1,80}})\[\d{{1,8}}\]: ?|{_STAMP}:? (?=\S| |$)|{_STAMP}$)?"
    r"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)? [\w.-]{1,80} (?P<unit>[\w./@-]{1,80})(?:\[\d{1,8}\])?: ?)?"
)
_MARKS = re.compile(  # one of them begins a line: then the lines are worth the work
    rf"[A-Za-z0-9][\w.-]{{0,80}} *\| |{_STAMP}|[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d "
    rf"|\d{{4}}-\d\d-\d\dT[\d:.+-]{{8,24}} [\w.-]+ [\w./@-]+\["
)
_TIMES = re.compile(r"(?:#\d{1,3} )?\d{1,6}\.\d{1,3}(?: |$)")  # docker build
_DAYS = re.compile(  # a date and time, and neither a level nor a logger after it
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,6})? (?! ?[-|\[]|[A-Z]{4,8}\b)"
)
_GUARD = re.compile(  # begins something of its own, so it goes on with nothing
    r"^(?:$|Traceback \(most recent|  File \"|    \S|\[?\d{4}-\d\d-\d\d|\[\d\d/\d\d/\d\d|The above exception was"
    r"|During handling of the|\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\b"
    r"|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)\b|Caused by:|\{\")"
)
_WHOLE = re.compile(r"[\w.-]{1,80} (?:exited with code -?\d|exited: )|(?:Killed|Illegal instruction|Segmentation fault)\b")
_QUIET = re.compile(r"\b(?:INFO|DEBUG)\b")
_HEAD = 60  # characters in which a record tells its level
_WORD = re.compile(r"[^\s-]*-?")  # what is not broken: a word, to its first hyphen
_ENTRY = '{"log":'  # of the engine's json-file
_LONGEST_PREFIX = 120
_MOST_PREFIXES = 2  # Compose in front of the engine's time, journald in front of Compose
_NARROWEST, _WIDEST = 60, 132
_SHORTEST_WRAPPED = 20
_TERMINALS = (80, 100, 120, 132)
_FEWEST = 3  # lines that were broken, unless it was at a terminal's width: the longest line of any log has a next one
LONGEST_WRAPPED = 1 << 18  # bytes


def pieces(text: str) -> list[tuple[str, list[str]]]:
    """The lines of each container of a log, by its name; an empty name where the log has none.

    Lines that stand between those of several containers are brought together again. The numbers of lines are lost with
    that, so each line of a log without containers stands where it stood.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if _ENTRY in text:
        lines = [_from_json(line[line.index(_ENTRY) :]) if _ENTRY in line[:_LONGEST_PREFIX] else line for line in lines]
    if not any(map(_MARKS.match, lines)):
        return [("", _unwrapped(_without_times(lines)))]
    found: dict[str, list[str]] = {}
    last = ""
    for line in lines:
        for _ in range(_MOST_PREFIXES):
            match = _PREFIXES.match(line)
            if match is None or not match.end():
                break
            last = match["service"] or match["logged"] or match["unit"] or last
            line = line[match.end() :]
        found.setdefault(last, []).append(line)
    return [(service, _unwrapped(_without_times(own))) for service, own in found.items()]


def rejoined(log: bytes) -> tuple[bytes, list[int]] | None:
    """A short log that a terminal or a mail program wrapped, with its lines joined again, and where each began, from 1.

    ``None`` where it is not wrapped.
    """
    if not 0 < len(log) <= LONGEST_WRAPPED or b"\x1b" in log or b"\r" in log:
        return None
    lines = log.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    goes_on = _wrapped(lines)
    if sum(goes_on) < _FEWEST and not (any(goes_on) and max(map(len, lines)) in _TERMINALS):
        return None
    begins = [nth for nth, wrapped in enumerate(goes_on, 1) if not wrapped]
    return ("\n".join(_joined(lines, goes_on)) + "\n").encode("utf-8", "surrogateescape"), begins


def _without_times(lines: list[str]) -> list[str]:
    """The lines without the seconds of ``docker build``, and without a date that stands before nearly every one of them."""
    if any(map(_TIMES.match, lines)):
        lines = [_TIMES.sub("", line, count=1) for line in lines]
    sample = [line for line in itertools.islice(lines, 40) if line.strip()]
    dated = sum(1 for line in sample if _DAYS.match(line))
    return [_DAYS.sub("", line, count=1) for line in lines] if dated and dated * 4 >= len(sample) * 3 else lines


def _from_json(line: str) -> str:
    try:
        return _ANSI.sub("", str(json.loads(line)["log"])).rstrip("\n")
    except (ValueError, KeyError, TypeError, RecursionError):
        return line


def _unwrapped(lines: list[str]) -> list[str]:
    """The lines, joined again where a terminal, ``fold`` or ``textwrap`` broke them at a width."""
    goes_on = _wrapped(lines)
    return _joined(lines, goes_on) if any(goes_on) else lines


def _wrapped(lines: list[str]) -> list[bool]:
    """Of each line, whether it is the rest of the one before."""
    width = max(map(len, lines), default=0)
    if not _NARROWEST <= width <= _WIDEST or len(lines) * width > LONGEST_WRAPPED:
        return []
    pairs = list(itertools.pairwise(lines))
    able = [_may_go_on(line, following, width) for line, following in pairs]
    loud = [_QUIET.search(line, 0, _HEAD) is None for line in lines]  # joined to what is not read, an error would be lost
    if not _by_terminal(lines, able, width):
        return [False, *(rest and heard for rest, heard in zip(able, loud, strict=False))]
    quiet = width in _TERMINALS and _most_go_on(pairs, width)
    return [False, *(
        rest and len(line) == width and (heard or (quiet and not strong(following) and not native(following)))
        for rest, heard, (line, following) in zip(able, loud, pairs, strict=False)
    )]  # fmt: skip


def _by_terminal(lines: list[str], able: list[bool], width: int) -> bool:
    """Whether lines were broken where they were full, by a terminal, and nowhere else; or between words."""
    broken = [line for line, rest in zip(lines, able, strict=False) if rest]
    full = sum(len(line) == width and line[-1] != "-" for line in broken)
    shorter = sum(len(line) < width for line in broken)
    return full >= max(shorter, 1) if width in _TERMINALS else full > max(shorter, 1)


def _most_go_on(pairs: list[tuple[str, str]], width: int) -> bool:
    """Whether nearly all full lines have a rest; else it is chance that they are as long as each other."""
    rests = [not _stands_alone(following) for line, following in pairs if len(line) == width]
    return sum(rests) * 5 >= len(rests) * 4


def _joined(lines: list[str], goes_on: list[bool]) -> list[str]:
    width = max(map(len, lines))
    before = [line for line, wrapped in zip(lines, goes_on[1:], strict=False) if wrapped]
    by_terminal = all(len(line) == width for line in before) and (width in _TERMINALS or len(before) > 1)
    found: list[str] = []
    before_it = ""
    for line, wrapped in zip(lines, goes_on, strict=True):
        if not wrapped:
            found.append(line)
        elif by_terminal:
            found[-1] += line
        else:
            hyphen = found[-1].endswith("-") and line[:1].isalnum()
            apart = not hyphen and not _broken_word(before_it, line, width)
            found[-1] = f"{found[-1].rstrip()}{' ' if apart else ''}{line.lstrip()}"
        before_it = line
    return found


def _broken_word(line: str, following: str, width: int) -> bool:
    """Whether a word that has no room in any line, such as an address, was broken between two of them."""
    return len(line) == width and len(line.rsplit(" ", 1)[-1]) + len(following.split(" ", 1)[0]) > width


def _may_go_on(line: str, following: str, width: int) -> bool:
    """Whether the second may be the rest of the first: it, or its first word, had no room there."""
    if len(line) < _SHORTEST_WRAPPED or _stands_alone(following):
        return False
    word = _WORD.match(following.lstrip())
    return len(line) == width or len(line.rstrip()) + (not line.endswith("-")) + len(word[0] if word else "") > width


def _stands_alone(line: str) -> bool:
    if not line.strip() or _GUARD.match(line) or exception(line):
        return True
    return _WHOLE.match(line) is not None or _MARKS.match(line) is not None
