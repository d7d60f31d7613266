"""How a log comes out of the ways in which people take it from the container."""

from __future__ import annotations

import json
import re

_STAMP = re.compile(rb"(?:\[|\{\"timestamp\": \")?(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d),(\d{3})")


def compose_logs(log: bytes) -> bytes:
    return b"".join(b"opentranscribe-celery-worker  | " + line for line in log.splitlines(keepends=True))


def _stamped(log: bytes) -> list[tuple[bytes, bytes]]:
    """Each line with the engine's stamp, which a continuation line has from its record."""
    stamp, lines = b"2026-11-21T00:00:00.000000000Z", []
    for line in log.splitlines(keepends=True):
        if match := _STAMP.match(line):
            stamp = match[1] + b"T" + match[2] + b"." + match[3] + b"000000Z"
        lines.append((stamp, line))
    return lines


def docker_logs_t(log: bytes) -> bytes:
    return b"".join(stamp + b" " + line for stamp, line in _stamped(log))


def json_file(log: bytes) -> bytes:
    return b"".join(
        json.dumps({"log": line.decode(errors="replace"), "stream": "stderr", "time": stamp.decode()}).encode() + b"\n"
        for stamp, line in _stamped(log)
    )


def coloured(log: bytes) -> bytes:
    """As Celery writes it to a terminal (`tty: true`): lines end in CR LF, and levels have colours."""
    red = re.sub(rb"(?m)^(\[[^\]\n]*: (?:ERROR|WARNING)/[^\]\n]*\] )(.*)$", b"\x1b[1;31m\\1\\2\x1b[0m", log)
    return red.replace(b"\n", b"\r\n")


def broken_bytes(log: bytes) -> bytes:
    """Cut in the middle of a character at both ends, and with the rubble of another encoding."""
    middle = log.replace(b"mingle: all alone", b"mingle: all \xff\xfe\x00alone")
    return b"\xb6\x80rest of a line\n" + middle + b"[2026-11-21 \xe2\x80"
