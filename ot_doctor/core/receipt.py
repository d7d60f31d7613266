"""What a run touched: calls of the engine by kind, files, hosts and commands in containers; for those who want to know."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar

KINDS = ("engine", "files", "hosts", "commands")
_MOST = 500  # things of a kind that are kept
_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_NAMES = re.compile(
    r"(?<=/containers/)(?!json$|create$)[^/]+|(?<=/exec/)[^/]+|(?<=/images/)(?!json$).+(?=/json$)|(?<=/networks/)[^/]+"
)


class Receipt:
    """Counts, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}

    def add(self, kind: str, what: str) -> None:
        with self._lock:
            counts = self._counts[kind]
            if what in counts or len(counts) < _MOST:
                counts[what] += 1

    def counts(self) -> Mapping[str, tuple[tuple[str, int], ...]]:
        """Each thing with how often, by kind, in the order of their names."""
        with self._lock:
            return {kind: tuple(sorted(counts.items())) for kind, counts in self._counts.items()}


_CURRENT: ContextVar[Receipt | None] = ContextVar("receipt", default=None)


def begin() -> None:
    """A new receipt, which this thread and those that it starts write on."""
    _CURRENT.set(Receipt())


def so_far() -> Mapping[str, tuple[tuple[str, int], ...]]:
    """What was counted in this run; empty outside of one."""
    receipt = _CURRENT.get()
    return receipt.counts() if receipt else {}


def note(kind: str, what: str) -> None:
    """Count one more; outside a run nothing is counted."""
    if receipt := _CURRENT.get():
        receipt.add(kind, what)


def note_call(method: str, path: str) -> None:
    """One call of the engine's interface: without its version, its query and the names in it."""
    if _CURRENT.get():
        plain = _VERSION.sub("", path.partition("?")[0])
        note("engine", f"{method.upper()} {_NAMES.sub('{id}', plain)}")
