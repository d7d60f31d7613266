"""Tells the containers of a log apart, where Compose wrote several into one: ``name  | line``."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator

_SAMPLE = 1 << 16  # bytes
_COLOUR = rb"(?:\x1b\[[0-9;]*m)*"
_NAMED = re.compile(rb"%b([A-Za-z0-9][\w.-]{0,80}) +%b\| ?" % (_COLOUR, _COLOUR))
_NAMED_LINE = re.compile(rb"^" + _NAMED.pattern, re.MULTILINE)
_ENDED = re.compile(rb"([A-Za-z0-9][\w.-]{0,80}) exited with code -?\d")
_MOST = 50  # containers; a log that seems to hold more is something else
_WORKER = re.compile(r"celery|worker|diar|whisper|transcri|gpu", re.IGNORECASE)


def names_containers(block: bytes) -> bool:
    """Whether at least half of the first lines begin with a container's name."""
    sample = block[:_SAMPLE]
    named = _NAMED_LINE.findall(sample)
    return 0 < len(set(named)) <= _MOST and 2 * len(named) >= sum(1 for line in sample.split(b"\n") if line.strip())


def may_diarize(service: str) -> bool:
    """Whether a container's name sounds like that of a worker that diarizes."""
    return _WORKER.search(service) is not None


class Apart:
    """Gives each line to its container. One that names none belongs to the container of the line before."""

    def __init__(self) -> None:
        self.numbers: dict[str, array[int]] = {}  # of each container's lines, in the log
        self._last = ""
        self._count = 0

    def split(self, block: bytes) -> Iterator[tuple[str, bytes]]:
        """The lines of each container in a block of whole lines."""
        found: dict[str, list[bytes]] = {}
        for line in block.splitlines(keepends=True):
            self._count += 1
            match = _NAMED.match(line) or _ENDED.match(line)
            if match is not None and (len(self.numbers) < _MOST or match[1].decode() in self.numbers):
                self._last = match[1].decode()
            found.setdefault(self._last, []).append(line)
            self.numbers.setdefault(self._last, array("L")).append(self._count)
        return ((name, b"".join(lines)) for name, lines in found.items())

    def number(self, service: str, nth: int) -> int:
        """The number in the log of a container's line; both are counted from 1."""
        numbers = self.numbers[service]
        return numbers[min(max(nth, 1), len(numbers)) - 1]
