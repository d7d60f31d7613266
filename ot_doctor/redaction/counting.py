"""In how many places of a finished document something is hidden.

A mask and a numbered placeholder tell what they are. "~" and "user" do not, so the characters beside each are remembered.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

HOME_MARK, USER_MARK = "\x00", "\x01"  # no text that is shown has a control character
_BESIDE = 12  # characters on each side that tell a place from others
_FEWEST = 2  # of both sides together


class Stand(NamedTuple):
    """A placeholder with the characters before and after it."""

    before: str
    value: str
    after: str


def plain(text: str) -> str:
    """The text without what formats add to it: escapes of HTML, Markdown and JSON, and line ends of a terminal."""
    return " ".join(html.unescape(text).replace("\\", "").replace("`", "").split())


def stands(marked: str, mark: str, marks: Mapping[str, str]) -> Iterator[Stand]:
    """Each place of a text that has this mark; ``marks`` tells what it and others are to become."""
    for line in marked.splitlines() if mark in marked else ():
        before, *others = line.split(mark)
        for after in others:
            # The blank beside it stays: the mark holds it.
            left, right = plain(unmarked(before, marks) + mark)[:-1], plain(mark + unmarked(after, marks))[1:]
            stand = Stand(left[-_BESIDE:], marks[mark], right[:_BESIDE])
            if len(stand.before) + len(stand.after) >= _FEWEST:
                yield stand
            before = after


def unmarked(marked: str, marks: Mapping[str, str]) -> str:
    """The text with what the marks stand for."""
    for mark, value in marks.items():
        marked = marked.replace(mark, value)
    return marked


def places_of(known: Iterable[Stand], text: str) -> int:
    """In how many places of a plain text one of these stands."""
    found: set[int] = set()
    for before, value, after in known:
        needle = before + value + after
        at = text.find(needle)
        while at >= 0:
            found.add(at + len(before))
            at = text.find(needle, at + 1)
    return len(found)
