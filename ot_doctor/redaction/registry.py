"""Every secret value that a run has read, and where one of them stands in a text, however it was written there."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ot_doctor.redaction.common_words import PIECE, hidden_by_value, simple
from ot_doctor.redaction.needles import Found, Needle, credentials, grown, is_mere_address, needles, pieces_of, without_overlaps

SHOWN_DIGITS = 4  # of a fingerprint
_GRAM = 4  # every piece holds one such gram at a multiple of _STRIDE, wherever it stands
_STRIDE = PIECE - _GRAM + 1
_CHUNKS = re.compile(rf"(?s)(.{{{_GRAM}}}).{{0,{_STRIDE - _GRAM}}}")
# Bounds of the registry, about 150 MB; ``Registry.bounded`` says whether there was more.
_LONGEST = 1 << 16  # characters of a value; the rest of a longer one is not looked for
_MOST_VALUES = 100_000
_MOST_CHARACTERS = 1 << 23  # of all values together
_MOST_INDEXED = 150_000  # pieces of all values; later values are found as they are, whole, and neither encoded nor cut off
_MOST_ALIKE = 16  # values that share a piece; the others are found by their other pieces
_MOST_SHORT = 5_000


class Registry:
    """The secret values of one run. They come from several threads; a search sees those that were added before it began.

    It takes no more memory than its bounds allow, whatever is added. Fingerprints compare values within one registry, and say
    nothing outside it: ``salt`` is drawn for each.
    """

    def __init__(self, salt: bytes = b"") -> None:
        self._salt = salt or os.urandom(16)
        self._masks: dict[str, str] = {}  # what a hidden value is called, by the digits of its fingerprint that are shown
        self._names: dict[str, str] = {}  # of the first variable with that value
        self._characters = 0
        self._waiting: list[str] = []  # not in the index yet
        self._lock = threading.Lock()  # the index only grows, so it is read without it
        self._pieces: dict[str, tuple[tuple[Needle, int], ...]] = {}
        self._grams: set[str] = set()
        self._short_values: list[str] = []
        self._simple_values: list[str] = []
        self._short: re.Pattern[str] | None = None
        self._simple: re.Pattern[str] | None = None
        self.bounded = False  # whether there were more or longer values than are looked for in every form

    def add(self, value: str, name: str = "") -> None:
        """Register a value, the name of the variable that it came from, and the credentials in it where it is an address."""
        value = value.strip()
        if len(value) > _LONGEST:
            value, self.bounded = value[:_LONGEST], True
        for part in (*credentials(value), *(() if is_mere_address(value) else (value,))):
            if self._names.get(part):
                continue
            with self._lock:
                if part in self._names:
                    self._names[part] = name
                elif len(self._names) >= _MOST_VALUES or self._characters + len(part) > _MOST_CHARACTERS:
                    self.bounded = True
                else:
                    if hidden_by_value(part) or simple(part):
                        self._waiting.append(part)
                    self._characters += len(part)
                    self._names[part] = name

    def fingerprint(self, value: str) -> str:
        """Eight hex digits, equal for equal values."""
        return hmac.new(self._salt, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:8]

    def name_mask(self, fingerprint: str, name: str, *, sure: bool = False) -> None:
        """What the value behind a mask is called. A name that is ``sure`` takes the place of an earlier one."""
        digits = fingerprint[:SHOWN_DIGITS]
        if sure or digits not in self._masks:
            self._masks[digits] = name

    def masked_name(self, digits: str) -> str:
        """What was hidden behind the mask with these digits; empty where that is not known."""
        return self._masks.get(digits, "")

    def name_of(self, value: str) -> str:
        """The variable that a value came from; empty where it is not known."""
        return self._names.get(value.strip(), "")

    def named(self) -> dict[str, str]:
        """The name of each value."""
        with self._lock:
            return dict(self._names)

    def find(self, text: str, *, outside: bool = False) -> list[Found]:
        """Where values stand, in order and without overlap: as they are, encoded, escaped, or cut off.

        ``outside``: the text is nobody's sentence here, so that simple values are looked for as well.
        """
        if self._waiting:
            self._index_new()
        found: list[Found] = []
        if outside and self._simple:
            found += (Found(m.start(), m.end(), m[0], True) for m in self._simple.finditer(text))
        if self._pieces or self._short:
            from ot_doctor.redaction.encodings import joined, variants, without_blanks

            looked_at = list(variants(text))
            if not self._grams.isdisjoint(_CHUNKS.findall(without_blanks(text))) and (grouped := joined(text)):
                looked_at.append(grouped)
            for variant in looked_at:
                for hit in self._in_variant(variant.text):
                    found.append(Found(variant.start(hit.start), variant.end(hit.end), hit.value, hit.whole))
        return without_overlaps(found)

    def _index_new(self) -> None:
        """Take up what waits; whoever searches meanwhile sees that something waits, and waits for it, too."""
        with self._lock:
            if not self._waiting:
                return
            short, plain = len(self._short_values), len(self._simple_values)
            for value in self._waiting:
                if not hidden_by_value(value):
                    self._simple_values.append(value)
                elif len(value) < PIECE:
                    self._short_values.append(value)
                else:
                    self._index(value)
            self.bounded |= max(len(self._short_values), len(self._simple_values)) > _MOST_SHORT
            if len(self._short_values) > short:
                self._short = _words(self._short_values[:_MOST_SHORT])
            if len(self._simple_values) > plain:
                self._simple = _words(self._simple_values[:_MOST_SHORT])
            self._waiting = []

    def _index(self, value: str) -> None:
        if len(self._pieces) < _MOST_INDEXED:
            for needle in needles(value):
                for piece, at in pieces_of(needle.text).items():
                    self._put(piece, needle, at)
            return
        self.bounded = True
        needle = Needle(value, value)
        for piece, at in pieces_of(needle.text).items():
            if self._put(piece, needle, at):
                return

    def _put(self, piece: str, needle: Needle, at: int) -> bool:
        there = self._pieces.get(piece, ())
        if len(there) >= _MOST_ALIKE:
            return False
        self._grams.update(piece[start : start + _GRAM] for start in range(PIECE - _GRAM + 1))
        self._pieces[piece] = (*there, (needle, at))
        return True

    def _in_variant(self, text: str) -> Iterator[Found]:
        # A text is looked at in chunks of five characters, of which the first four are a gram: ``log: Kq7vWz2LmR9x`` has "log:",
        # "Kq7v" and "z2Lm". Eight characters in a row hold the whole gram of one chunk at the least, wherever they begin. So
        # where no gram is one of a registered piece there is nothing to find. "Kq7v" is one: the pieces that may hold it begin at
        # one of the five places up to it, and ``text[5:13]`` is the piece "Kq7vWz2L" of the value "Kq7vWz2LmR9x".
        if self._short:
            yield from (Found(m.start(), m.end(), m[0], True) for m in self._short.finditer(text))
        grams, pieces = self._grams, self._pieces
        chunks = _CHUNKS.findall(text)
        if grams.isdisjoint(chunks):  # nearly always
            return
        done = 0
        for number, gram in enumerate(chunks):
            if gram not in grams:
                continue
            at = number * _STRIDE
            for start in range(max(at + _GRAM - PIECE, done, 0), at + 1):
                for needle, offset in pieces.get(text[start : start + PIECE], ()):
                    hit = grown(text, start, needle, offset)
                    if hit is not None:
                        yield hit
                        done = max(done, hit.end - PIECE + 1)


def _words(values: list[str]) -> re.Pattern[str]:
    """Any of the values, the longest that is there, where it stands as a word. Values with the same beginning share it."""
    tree: dict[str, Any] = {}
    for value in values:
        node = tree
        for char in value:
            node = node.setdefault(char, {})
        node[""] = {}
    return re.compile(rf"(?<!\w){_branches(tree)}(?!\w)")


def _branches(node: dict[str, Any]) -> str:
    parts = [re.escape(char) + _branches(after) for char, after in node.items() if char]
    both = f"(?:{'|'.join(parts)})" if len(parts) > 1 or "" in node else "".join(parts)
    return f"{both}?" if parts and "" in node else both if parts else ""


_OF_THE_PROCESS = Registry()
_CURRENT: ContextVar[Registry] = ContextVar("registry", default=_OF_THE_PROCESS)


def current() -> Registry:
    """The registry of this run: that of the innermost ``new_registry``, else that of the process."""
    return _CURRENT.get()


@contextmanager
def new_registry(salt: bytes = b"") -> Iterator[Registry]:
    """Inside, and in the threads that ot-doctor starts there, secrets are registered in a registry of its own.

    A program that makes several runs puts each into one, from ``prepare`` to the finished document.
    """
    token = _CURRENT.set(Registry(salt))
    try:
        yield current()
    finally:
        _CURRENT.reset(token)
