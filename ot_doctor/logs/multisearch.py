"""Finds any of many words in a text at once, at a speed that hardly depends on how many they are.

A search for one word after the other costs by their number, and an alternation of them all stops at every second byte to try
each. So every word is looked for by a part of it that begins with one of a few bytes, rare in logs, that all words together need.

An example, with the words ``CUDA out of memory``, ``out of memory`` and ``GatedRepoError``:

- fewest:   ``out of memory``, ``GatedRepoError``; whoever finds ``CUDA out of memory`` has found the first
- starts:   ``f`` and ``G``; every word has one of them, and few other places in a log do
- parts:    ``f memory`` (5 bytes into its word), ``GatedRepoError``
- pattern:  ``(?:GatedRepoError|f memory)``
- text:     ``torch.OutOfMemoryError: CUDA out of memory``
- hit:      ``f memory``; 5 bytes before it stands ``out of memory``, so it is present; then the longer word is looked for
"""

from __future__ import annotations

import functools
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

_SHORTEST, _TELLING, _LONGEST = 3, 9, 16  # bytes of a part; below the second it is found too often
_FREQUENT = b" eotarsni210:-cdlp3u/mhf456789,gT[]Ny.bOFvIkw_'WPq\"jCREMSAHx=UzGD"  # in logs, the most frequent first


def fewest(words: Iterable[bytes]) -> tuple[bytes, ...]:
    """The words without those that hold another one: whoever finds the shorter has found the longer."""
    return _fewest(frozenset(words))


@functools.lru_cache(maxsize=16)
def _fewest(words: frozenset[bytes]) -> tuple[bytes, ...]:
    kept: list[bytes] = []
    for word in sorted(words, key=lambda word: (len(word), word)):
        if not any(shorter in word for shorter in kept):
            kept.append(word)
    return tuple(kept)


def places(text: bytes, words: Sequence[bytes], begin: int = 0, end: int = sys.maxsize) -> Iterator[int]:
    """Where a few words are, one place a line for each at most."""
    for word in words:
        if _rarest(word) not in text:  # a single byte is looked for at many times the speed
            continue
        at = text.find(word, begin, end)
        while at >= 0:
            yield at
            line_end = text.find(b"\n", at)
            at = text.find(word, line_end, end) if line_end >= 0 else -1


class ManyWords:
    """Where many words are."""

    def __init__(self, words: Iterable[bytes]) -> None:
        self._words = tuple(words)
        self._pattern, self._whole = _compiled(self._words)

    def places(self, text: bytes) -> Iterator[int]:
        """One place a line at most."""
        search, whole = self._pattern.search, self._whole
        match = search(text)
        while match is not None:
            at = match.start()
            if any(at >= before and text.startswith(word, at - before) for word, before in whole[match[0]]):
                yield at
                at = text.find(b"\n", at)
                if at < 0:
                    return
            match = search(text, at + 1)

    def present(self, text: bytes) -> set[bytes]:
        """Which of the words are in the text."""
        search, whole = self._pattern.search, self._whole
        found: set[bytes] = set()
        match = search(text)
        while match is not None:
            at = match.start()
            found.update(word for word, before in whole[match[0]] if at >= before and text.startswith(word, at - before))
            match = search(text, at + 1)
        longer = _longer(self._words)
        return {whole for word in found for whole in longer[word] if whole in text}


_Whole = dict[bytes, list[tuple[bytes, int]]]  # the words that a part may belong to, and what stands before it in each


@functools.lru_cache(maxsize=16)
def _longer(words: tuple[bytes, ...]) -> dict[bytes, list[bytes]]:
    """The words that hold each of the fewest."""
    return {short: [word for word in words if short in word] for short in fewest(words)}


@functools.lru_cache(maxsize=16)
def _compiled(words: tuple[bytes, ...]) -> tuple[re.Pattern[bytes], _Whole]:
    least = fewest(words)
    starts = _starts(least)
    parts = {word: _part(word, starts) for word in least}
    whole: _Whole = {}
    for part in fewest_beginnings(parts.values()):
        whole[part] = [(word, word.index(longer)) for word, longer in parts.items() if longer.startswith(part)]
    return re.compile(_alternation(set(whole)) if whole else rb"(?!)"), whole


def fewest_beginnings(parts: Iterable[bytes]) -> list[bytes]:
    """The parts without those that begin with another one."""
    kept: list[bytes] = []
    for part in sorted(set(parts)):
        if not kept or not part.startswith(kept[-1]):
            kept.append(part)
    return kept


def _starts(words: Iterable[bytes]) -> set[int]:
    """Bytes of which every word has one, found greedily: those that many words share, and that are rare.

    A byte must leave at least three for the part: of ``GatedRepoError`` those up to its second ``r``.
    """
    left = [set(word[: max(1, len(word) - _SHORTEST + 1)]) for word in words]
    chosen: set[int] = set()
    while left:
        shared = Counter(byte for able in left for byte in able)
        chosen.add(min(sorted(shared), key=lambda byte: _frequency(byte) / shared[byte]))
        left = [able for able in left if not able & chosen]
    return chosen


@functools.cache
def _rarest(word: bytes) -> int:
    return min(word, key=_frequency)


def _frequency(byte: int) -> float:
    place = _FREQUENT.find(byte)
    return 1 / (1 + (place if place >= 0 else 2 * len(_FREQUENT)))


def _part(word: bytes, starts: set[int]) -> bytes:
    able = (at for at in range(max(1, len(word) - _SHORTEST + 1)) if word[at] in starts)
    at = min(able, key=lambda at: (len(word) - at < _TELLING, _frequency(word[at])))
    return word[at : at + _LONGEST]


def _alternation(parts: set[bytes]) -> bytes:
    """A pattern of them all that tries each byte once: what begins alike is written once.

    ``GatedRep``, ``Gateway`` and ``of memory`` become ``(?:Gate(?:dRep|way)|of memory)``.
    """
    if b"" in parts:
        return b""
    ends: dict[int, set[bytes]] = {}
    for part in parts:
        ends.setdefault(part[0], set()).add(part[1:])
    choices = [re.escape(bytes([byte])) + _alternation(rest) for byte, rest in sorted(ends.items())]
    return choices[0] if len(choices) == 1 else b"(?:" + b"|".join(choices) + b")"
