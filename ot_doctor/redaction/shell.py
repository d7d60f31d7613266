"""Putting a shell variable in the place of a text in a command, whatever quotes stand around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class _Char:
    """One character as the shell takes it."""

    text: str
    start: int  # where it is written, with the backslash before it
    end: int
    quote: str  # the quote that it stands in: "'", '"' or none


def in_command(command: str, pattern: re.Pattern[str], variable: str) -> tuple[str, int]:
    """The command with ``variable`` (``$HOME``, ``$(id -un)``) for what the pattern matches; and how often it did.

    The pattern sees the words as the shell does, without their quotes.
    """
    chars = list(_chars(command))
    parts: list[str] = []
    done = count = 0
    for match in pattern.finditer("".join(char.text for char in chars)):
        if match.start() == match.end():
            continue
        first, last = chars[match.start()], chars[match.end() - 1]
        before, after = command[done : first.start], command[last.end :]
        if first.quote == last.quote == '"':
            parts += (before, variable)
            done = last.end
        else:
            opened = first.quote == "'" and before.endswith("'")
            closed = last.quote == "'" and after.startswith("'")
            parts.append(before[:-1] if opened else before + first.quote)
            parts.append(f'"{variable}"')
            done = last.end + 1 if closed else last.end
            parts.append("" if closed else last.quote)
        count += 1
    return "".join((*parts, command[done:])), count


def _chars(command: str) -> Iterator[_Char]:
    quote, at = "", 0
    while at < len(command):
        char = command[at]
        escaped = char == "\\" and quote != "'" and at + 1 < len(command)
        if escaped and (not quote or command[at + 1] in '$`"\\\n'):
            yield _Char(command[at + 1], at, at + 2, quote)
            at += 2
            continue
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        else:
            yield _Char(char, at, at + 1, quote)
        at += 1
