"""Many words at once are found exactly where each would be by itself."""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Callable

import pytest

from ot_doctor.logs.multisearch import ManyWords, fewest, places


def chances() -> list[tuple[set[bytes], bytes]]:
    chance = random.Random(7)
    found = []
    for _ in range(300):
        words = {"".join(chance.choices("ab'C[ ", k=chance.randint(1, 12))).encode() for _ in range(chance.randint(0, 12))}
        text = "".join(chance.choices("ab'C[ \n", weights=[4, 4, 2, 2, 1, 1, 1], k=600)).encode()
        found.append((words, text))
    return found


def line_numbers(text: bytes, found: list[int]) -> list[int]:
    starts = [0, *itertools.accumulate(len(line) + 1 for line in text.split(b"\n"))]
    return [bisect.bisect_right(starts, place) - 1 for place in found]


@pytest.mark.parametrize(
    "find", [lambda words, text: ManyWords(words).places(text), lambda words, text: places(text, sorted(words))]
)
def test_the_lines_that_hold_a_word(find: Callable[[set[bytes], bytes], list[int]]) -> None:
    for words, text in chances():
        holding = [number for number, line in enumerate(text.split(b"\n")) if any(word in line for word in words)]
        assert sorted(set(line_numbers(text, list(find(words, text))))) == holding


def test_one_place_a_line_at_most() -> None:
    for words, text in chances():
        found = line_numbers(text, list(ManyWords(words).places(text)))
        assert found == sorted(set(found))


def test_which_words_there_are() -> None:
    for words, text in chances():
        assert ManyWords(words).present(text) == {word for word in words if word in text}


def test_a_few_words_between_two_places() -> None:
    text = b"one two\none two\none"
    assert list(places(text, (b"one",), 1)) == [8, 16]
    assert list(places(text, (b"one",), 0, 11)) == [0, 8]


def test_the_fewest_hold_no_other() -> None:
    assert fewest([b"token", b"a token", b"tok", b"other"]) == (b"tok", b"other")
