"""A log of v0.4 or older as the v0.5 line would have written it: the same records, in its text and in its JSON.

The child's name is lost, as it is there. What Celery made a warning of, because it was printed, is printed there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from . import wraps

_HEAD = re.compile(
    rb"(?P<before>(?:[A-Za-z0-9][\w.-]* +\| )?(?:\d{4}-\d\d-\d\dT[\d:.]+Z )?)(?:\x1b\[[\d;]*m)*"
    rb"\[(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}): (?P<level>[A-Z]+)/(?P<process>[^\]\n]+)\] ?"
)
_TRACEBACK = b"Traceback (most recent call last):"
_CELERYS = re.compile(rb"Task [\w.]+\[|Process '|mingle|Connected to|\S+@\S+ ready")
# Of what follows a record: a line that cannot be the rest of its message.
_PRINTED = re.compile(
    rb"(?:\S* +\| )?(?:\S+Z )?(?: ?-{6,} |worker: |.{0,400}thrown while requesting |Retrying in |/\S+\.py:\d+: )"
)

Format = Callable[[str, str, str, bytes], bytes]


def text(at: str, level: str, logger: str, message: bytes) -> bytes:
    return f"{at} {level}:{logger}:".encode() + message


def in_json(at: str, level: str, logger: str, message: bytes) -> bytes:
    said, traceback, exc_info = message.decode("utf-8", "replace").partition(_TRACEBACK.decode())
    said = said.rstrip("\n") if traceback else said
    entry: dict[str, object] = {"timestamp": at, "level": level, "name": logger, "message": said}
    if logger == "celery.app.trace":
        entry["data"] = {"name": "x", "args": "[]", "runtime": 0.1}
    if traceback:
        entry["exc_info"] = traceback + exc_info
    return json.dumps({**entry, "request_id": "-"}).encode()


def rewritten(log: bytes, form: Format) -> bytes:
    """The log with each record in ``form``; lines that belong to none stay as they are."""
    if log.startswith(b'{"log"'):
        entries = [json.loads(line)["log"] for line in log.splitlines()]
        return wraps.json_file(rewritten("".join(entries).encode(), form))
    lines = log.split(b"\n")
    out: list[bytes] = []
    at = 0
    while at < len(lines):
        head = _HEAD.match(lines[at])
        end = at + 1
        if head is None:
            out.append(lines[at])
            at = end
            continue
        before = head["before"]
        message = [lines[at][head.end() :]]
        while end < len(lines) and _continues(lines[end], head):
            message.append(_without(lines[end], before))
            end += 1
        tail = []  # an empty last line is the log's end
        while end == len(lines) and len(message) > 1 and not message[-1].strip():
            tail.append(message.pop())
        level, said = head["level"].decode(), b"\n".join(message)
        logger = "celery.app.trace" if _CELERYS.match(said) else "app.transcription"
        printed = level == "WARNING" and not message[0].strip()
        new = said if printed else form(head["at"].decode(), level, logger, said)
        out += [before + line for line in new.split(b"\n")] + tail
        at = end
    return b"\n".join(out)


def _continues(line: bytes, head: re.Match[bytes]) -> bool:
    quiet = head["level"] in (b"INFO", b"DEBUG")  # what is printed stands after whatever record was last
    has_more = not quiet or head.string[head.end() :].startswith(b"Task ")
    return has_more and _HEAD.match(line) is None and _PRINTED.match(line) is None


def _without(line: bytes, before: bytes) -> bytes:
    service = before.partition(b"|")[0]
    if service and line.startswith(service + b"| "):
        line = line[len(service) + 2 :]
    return re.sub(rb"^\d{4}-\d\d-\d\dT[\d:.]+Z ", b"", line)
