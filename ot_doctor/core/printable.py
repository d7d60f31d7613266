"""Text that may be shown on a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(
    r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u2028\u2029]"  # direction marks, and line ends that hardly anybody knows
    r"|[\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # invisible; emoji and Persian need the joiners
)


def printable(text: str) -> str:
    """``text`` without terminal escapes, control and invisible characters and direction marks; line ends and tabs stay."""
    return _CONTROL.sub("", text)


def clipped(text: str, longest: int) -> str:
    """At most ``longest`` characters and a "…", cut between two words: half a token would not be known for one later."""
    if len(text) <= longest:
        return text
    words = re.match(r"(?s).*(?=\s)", text[: longest + 1])
    return f"{words[0].rstrip() if words else ''}…"
