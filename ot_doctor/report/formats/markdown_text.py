"""Untrusted text as GitHub's Markdown: it makes no element of its own, no link, and calls nobody."""

from __future__ import annotations

import re

from ot_doctor.report.plain import writable

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_BACKTICKS = re.compile(r"`+")
_SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<![A-Za-z0-9])_")  # a '_' behind a letter or digit can open nothing
_STARTS_A_BLOCK = re.compile(r"^([#+=-])|^(\d{1,9})([.)])(?=\s|$)")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# What forges and forums make of plain words: links, mentions, references to issues and commits, formulas, emoji.
_MAGIC = re.compile(
    r"""//|www\.|[@$]|(?:mailto|xmpp):|[#!&%~]\d|\bGH-\d|\b[0-9a-f]{40}\b|:(?:[a-z_+-][\w+-]*|100|1234):
      |\.(?:[a-z]{2}|aero|asia|biz|com|coop|edu|gov|info|museum|name|net|org|pro|shop|web|xxx|рф)(?![\w.-]*\w)""",
    re.IGNORECASE | re.VERBOSE,
)
_OPENS, _CLOSES = "(\"'[{", ")\"']},.;:?"  # what may stand around a word without being of it
_LINK = re.compile(r"https?://[\w.:\[\]-]+(?:[/?#][^\s<>\\`]*)?", re.ASCII)


def clip(text: str, longest: int) -> str:
    """At most ``longest`` characters of the text, and how many were left out."""
    return text if len(text) <= longest else f"{text[:longest]} […{len(text) - longest:,} more characters]"


def inline(text: str) -> str:
    """The text on one line. Words that a forge would make more of (``@name``, ``#12``, addresses) become code."""
    line = " ".join(writable(text).split())
    line = " ".join(map(_code_where_magic, line.split(" "))) if _MAGIC.search(line) else _escaped(line)
    return _STARTS_A_BLOCK.sub(lambda m: rf"\{m[1]}" if m[1] else rf"{m[2]}\{m[3]}", line)


def code(text: str) -> str:
    """The text on one line as a code span; a ``|`` stands outside of it, so that it ends no cell of a table."""
    return r"\|".join(_span(part) for part in " ".join(writable(text).split()).split("|"))


def fence(text: str, language: str = "") -> str:
    """The text as a block of code that nothing in it can end."""
    marks = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    return "\n".join([marks + language, *_LINE_ENDS.split(writable(text)), marks])


def link(url: str) -> str:
    """The address as a link where it is one of the web, else as code."""
    return f"<{url}>" if _LINK.fullmatch(url) else code(url)


def indented(block: str, width: int) -> str:
    """The block inside a list item whose text begins at column ``width``."""
    return "\n".join(" " * width + line if line else "" for line in block.split("\n"))


def _code_where_magic(word: str) -> str:
    if not _MAGIC.search(word):
        return _escaped(word)
    core = word.lstrip(_OPENS).rstrip(_CLOSES)
    before, _, after = word.partition(core)
    return f"{_escaped(before)}{code(core)}{_escaped(after)}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).translate(_ENTITIES)


def _span(text: str) -> str:
    if not text.strip():
        return text
    marks = "`" * (1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{marks}{space}{text}{space}{marks}"
