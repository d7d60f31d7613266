"""Texts that may be shown."""

from __future__ import annotations

import pytest

from ot_doctor.core.printable import clipped, printable


@pytest.mark.parametrize(
    ("text", "longest", "shown"),
    [
        ("short", 5, "short"), ("two words", 9, "two words"), ("two words", 8, "two…"), ("two words", 4, "two…"),
        ("two words", 3, "two…"), ("two\nlines here", 10, "two\nlines…"), ("twowords", 5, "…"), ("", 0, ""),
        ("bad token hf_AbCdEfGhIjKlMn", 20, "bad token…"),
    ],
)  # fmt: skip
def test_a_text_is_cut_between_words(text: str, longest: int, shown: str) -> None:
    assert clipped(text, longest) == shown


def test_what_steers_a_terminal_is_gone() -> None:
    assert printable("a\x1b[31mb\x1b]0;title\x07c\u202ed\x9be\tf\ng") == "abcde\tf\ng"
