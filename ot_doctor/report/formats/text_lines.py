"""Lines of the ``text`` format: its style, marks and colours, wrapped and cut texts, pieces of evidence and steps."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ot_doctor.check import Seen, Status, Step
from ot_doctor.report.advice import risk

MARKS = {Status.PASS: "✓", Status.WARN: "!", Status.FAIL: "✗", Status.SKIP: "-", Status.UNKNOWN: "?"}
_ASCII_MARKS = {Status.PASS: "ok", Status.WARN: "!!", Status.FAIL: "XX", Status.SKIP: "--", Status.UNKNOWN: "??"}
COLOURS = {Status.PASS: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIP: "2", Status.UNKNOWN: "35"}
LONG = 150  # characters of one piece of evidence without -v
_SPARE = 20  # columns that a line may lose so as not to be cut within a word
_PLAIN = str.maketrans({"…": "...", "—": "-", "–": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "·": "-", "≤": "<=", "→": "->"})


@dataclass(frozen=True)
class Style:
    """How the text is to look. ``width`` is in columns, ``height`` in lines; commands and links are never broken."""

    colour: bool = False
    ascii: bool = False
    width: int = 80
    verbose: bool = False
    quiet: bool = False  # only what is a problem
    height: int = 24  # where the report is longer, its verdict is its last line too
    redaction_summary: bool = False  # what was hidden is told without verbose, too

    @property
    def tells_what_is_hidden(self) -> bool:
        return self.verbose or self.redaction_summary

    def paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def mark(self, status: Status) -> str:
        return (_ASCII_MARKS if self.ascii else MARKS)[status]


def as_ascii(text: str) -> str:
    """``text`` in ASCII alone: typographic signs replaced, everything else escaped."""
    return text.translate(_PLAIN).encode("ascii", "backslashreplace").decode()


def title_lines(mark: str, text: str, names: str, style: Style, code: str) -> list[str]:
    """A cause's title with its name at the right; behind it where there is no room."""
    text = as_ascii(text) if style.ascii else text
    gap = style.width - len(mark) - 1 - len(text) - len(names)
    if gap < 2:
        return wrapped(f"({names})", style, hanging=len(mark) + 1, head=f"{mark} {text}", code=code)
    return [style.paint(f"{mark} {text}", code) + " " * gap + style.paint(names, "2")]


def item_lines(status: Status, text: str, style: Style) -> list[str]:
    return wrapped(text, style, hanging=2, head=style.mark(status), code=f"1;{COLOURS[status]}")


def first_line(status: Status, text: str, style: Style, indent: int = 0) -> list[str]:
    """The beginning of a text, as much as one line holds."""
    room = max(style.width, 40) - indent - len(style.mark(status)) - 1
    plain = _cut(" ".join((as_ascii(text) if style.ascii else text).split()), room, style)
    return [f"{' ' * indent}{style.paint(style.mark(status), COLOURS[status])} {plain}"]


def _cut(text: str, room: int, style: Style) -> str:
    """The text, or as many of its words as there is room for."""
    if len(text) <= room:
        return text
    ellipsis = "..." if style.ascii else "…"
    cut = text[: room - len(ellipsis)]
    words = cut.rsplit(" ", 1)[0].rstrip(" ,;:.(")
    return (words if len(words) > room - _SPARE else cut) + ellipsis


def seen_lines(
    evidence: Sequence[Seen], style: Style, indent: int, longest: int = LONG, rows: int = 0, more: str = ""
) -> Iterator[str]:
    """Pieces of evidence; without ``-v`` each of ``longest`` characters at most, and in at most so many ``rows`` (0: any)."""
    for number, item in enumerate(evidence, 1):
        head, left = f"Seen in {item.where}:", f" ({more})" if more and number == len(evidence) else ""
        for room in range(max(1, len(item.text)) if style.verbose else longest, 0, -_SPARE // 2):
            lines = wrapped(f"{head} {_cut(item.text, room, style)}{left}", style, indent=indent, hanging=indent + 2)
            if style.verbose or not rows or len(lines) <= rows:
                break
        yield from lines


def step_lines(steps: Sequence[Step], style: Style, indent: int, *, numbered: bool = False) -> Iterator[str]:
    """Steps in their order; a single one needs no number outside the diagnosis."""
    for number, step in enumerate(steps, 1):
        mark = f"{number}." if numbered or len(steps) > 1 else "→"
        within = " " * (indent + len(mark) + 1)
        does = f" ({risk(step)})" if risk(step) else ""
        yield from wrapped(f"{mark} {step.text}{does}", style, indent=indent, hanging=len(within))
        if step.command:
            yield within + style.paint(step.command, "1")
        if step.url:
            yield within + style.paint(step.url, "4")


def row_lines(status: Status, names: str, text: str, style: Style) -> list[str]:
    return wrapped(text, style, indent=2, hanging=4, head=f"{style.mark(status)} {names}:", code=COLOURS[status])


def wrapped(text: str, style: Style, *, indent: int = 0, hanging: int = 0, head: str = "", code: str = "") -> list[str]:
    """``text`` in lines of the style's width; ``head`` goes before it and is painted, with no effect on the width."""
    if style.ascii:  # before the lines are measured: an ellipsis becomes three dots
        text, head = as_ascii(text), as_ascii(head)
    lines = textwrap.wrap(
        f"{head} {text}" if head else text,
        max(style.width, 40),
        initial_indent=" " * indent,
        subsequent_indent=" " * (hanging or indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
    if head:  # one that is longer than the line is painted as far as the line goes
        first = lines[0][indent:]
        painted = min(len(head), len(first))
        lines[0] = " " * indent + style.paint(first[:painted], code) + first[painted:]
    return lines
