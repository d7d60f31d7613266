"""The list of what looks like an error and is none; the data is in ``harmless.toml``."""

from __future__ import annotations

import functools
import importlib.resources
import re
import sys
from dataclasses import dataclass

from ot_doctor.logs.faults.loose_lines import head

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

_LONGEST_REGION = 200  # lines


@dataclass(frozen=True)
class Harmless:
    """One entry of the list; the file's head tells the fields."""

    name: str
    pattern: str
    words: tuple[str, ...]
    why: str
    ignored: bool = False
    until: str = ""

    def found(self, text: str, lower: str) -> bool:
        return any(word in lower for word in self.words) and bool(_compiled(self.pattern).search(text))


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


@functools.cache
def entries() -> tuple[Harmless, ...]:
    """The whole list. Raises ``TypeError`` for an unknown key: it is ours, so that is a bug."""
    text = (importlib.resources.files("ot_doctor.logs.faults") / "harmless.toml").read_text(encoding="utf-8")
    return tuple(Harmless(**{**table, "words": tuple(table["words"])}) for table in tomllib.loads(text)["harmless"])


def harmless(text: str) -> str | None:
    """The name of the entry that knows the text; ``None`` where none does."""
    entry = entry_for(text)
    return entry.name if entry else None


@functools.lru_cache(maxsize=4096)
def entry_for(text: str) -> Harmless | None:
    """The entry that knows the text: one that is harmless in any case before one that is merely ignored."""
    lower = text.lower()
    found = [entry for entry in entries() if entry.found(text, lower)]
    return min(found, key=lambda entry: entry.ignored, default=None)


def region_end(lines: list[str], at: int) -> int | None:
    """Where a harmless text of many lines that begins at a line ends; ``None`` where none begins there."""
    if not any(word in lines[at].lower() for word in _region_words()):
        return None
    entry = next((one for one in entries() if one.until and one.found(lines[at], lines[at].lower())), None)
    if entry is None:
        return None
    within = range(at + 1, min(len(lines), at + _LONGEST_REGION))
    end = next((number for number in within if head(lines[number]) is not None), within.stop)
    return next((number + 1 for number in range(at, end) if entry.until in lines[number]), end)


@functools.cache
def _region_words() -> tuple[str, ...]:
    return tuple(word for entry in entries() if entry.until for word in entry.words)
