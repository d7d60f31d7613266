"""Every secret value that was met in this process, and where one of them stands in a text, however it was written there."""

from __future__ import annotations

import base64
import bisect
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote

_PIECE = 8  # characters in a row that may give a value away
_GRAM = 4  # every piece holds one such gram at a multiple of _STRIDE, wherever it stands
_STRIDE = _PIECE - _GRAM + 1
_CHUNKS = re.compile(rf"(?s)(.{{{_GRAM}}}).{{0,{_STRIDE - _GRAM}}}")
_SHORTEST = 4
_LONGEST_ENCODED = 1024  # a longer value is looked for as it is alone
_MOST_PIECES = 4096  # of one value; a match grows beyond them
# Bounds of the registry, about 150 MB; what is beyond them is told by ``KnownValues.bounded``.
_LONGEST = 1 << 16  # characters of a value; the rest of a longer one is not looked for
_MOST_VALUES = 100_000
_MOST_CHARACTERS = 1 << 23  # of all values together
_MOST_INDEXED = 150_000  # pieces of all values; later values are found as they are, whole, and neither encoded nor cut off
_MOST_ALIKE = 16  # values that share a piece; the others are found by their other pieces
_MOST_SHORT = 5_000
_LONGEST_SIMPLE = 64
_LEAST_ENCODED = {"base64": 12, "hex": 16}  # characters of a piece of an encoded value: 8 of the value itself
_PUBLIC_PART = re.compile(r"(?:\s*(?:export\s+)?[A-Za-z_]{3,40}\s*=\s*)?(?:hf_|api_org_|api_|sk-|gh[pousr]_|eyJ)?")
_CUT = ("…", "...", "[...", "***")
_CUT_BEFORE = re.compile(r"(?:…|\.\.\.\]?|\*\*\*)\s?$")
_ADDRESS = re.compile(r"://(?P<who>[^\s/?#]{1,1024})@")
_UNENCODED = re.compile(
    r"://[^\s/?#:@]{0,255}:(?P<password>(?!\d{1,5}[/?#])[^\s@]{1,1024}(?:@[^\s@/?#]{0,255})?)@(?=[\w.-]+(?:[:/]|$))"
)
_USER = re.compile(r"[A-Za-z][\w+.-]{0,30}://(?:[^\s/?#:@]{0,255}:)?")
_BARE_ADDRESS = re.compile(r"[A-Za-z][\w+.-]{0,30}://[^\s/?#@]*/?")

# Values that stay where they stand. Up to seven letters alone are a word or nearly one, and up to seven digits a number: line
# numbers, ports and half of the sentences would go with them, and the gap in a sentence that everybody knows gives the value away
# all the same. So it is with these: upstream's and usual defaults, and the longer words that names of checks, causes, outcomes
# and services are made of; commands and scripts live on them. Other values of four to seven characters are hidden where they
# stand alone, as words; shorter ones nowhere. Behind NAME= every value is hidden: that is told by its shape. In a text that came
# from outside, as a log's, a value of four letters or five digits is hidden where it stands as a word (``simple``).
_DEFAULTS = """
    changeme huggingface localhost minioadmin opensearch opentranscribe opentranscribe_user password postgres postgresql pyannote
    rabbitmq container containers settings
"""
_VOCABULARY = """
    accepted complete diarization diarize disabled explains exposure incomplete malformed mismatch permission permissions
    placeholder
    possible powerful reachable readable readonly recovered restarts settings shadowed speakers succeeded transcribe unavailable
    unfinished unreadable unrecognised unrelated
"""
WORDS = frozenset((_DEFAULTS + _VOCABULARY).split())
_ALL_WORDS = " ".join(sorted(WORDS))


@dataclass(frozen=True)
class Found:
    """A secret, or a telling piece of one, in ``text[start:end]``."""

    start: int
    end: int
    value: str  # the whole of it
    whole: bool


class _Needle:
    """One way in which a value may be written."""

    def __init__(self, text: str, value: str, encoding: str = "") -> None:
        self.text = text
        self.value = value
        self.encoding = encoding  # "base64", "hex"
        public = _PUBLIC_PART.match(text)
        self.own = public.end() if public and not encoding else 0  # where that begins which others do not know
        if (address := _USER.match(text)) and not encoding:
            self.own = address.end()

    @cached_property
    def _telling(self) -> tuple[int, ...]:
        """Where the pieces begin that tell something of the value; none of an encoded one and of an address."""
        if self.encoding or "://" in self.text:
            return ()
        pieces = range(self.own, min(len(self.text) - _PIECE + 1, _MOST_PIECES))
        return tuple(at for at in pieces if _is_mixed(self.text[at : at + _PIECE]))

    def tells(self, start: int, end: int) -> bool:
        """Whether some piece within ``text[start:end]`` tells something of the value."""
        at = bisect.bisect_left(self._telling, start)
        return at < len(self._telling) and self._telling[at] + _PIECE <= end


def hidden_by_value(value: str) -> bool:
    """Whether the value is hidden wherever it stands; see the comment on the words that stay."""
    if len(value) < _SHORTEST or value.casefold() in WORDS:
        return False
    return len(value) >= _PIECE or not (value.isdigit() or value.isalpha())


def simple(value: str) -> bool:
    """Whether a value that stays in the doctor's own sentences is hidden as a word in a text that came from outside.

    The usual words of logs stay there, too: without them no fault could be told.
    """
    if hidden_by_value(value) or not _SHORTEST + value.isdigit() <= len(value) <= _LONGEST_SIMPLE:
        return False
    from ot_doctor.redaction.patterns import common_words

    return value.casefold() not in WORDS and value.casefold() not in common_words()


def guessable(value: str) -> bool:
    """A word or a number that may stand in a document without having come from the secret."""
    if len(value) < _PIECE or (value.isdigit() and len(value) < 12):
        return True
    return value.isalpha() and (value.islower() or value.isupper() or value.istitle()) and len(value) < 16


class KnownValues:
    """The registry. Values come from several threads; a search sees those that were added before it began.

    It takes no more memory than its bounds allow, whatever is added.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # of the first variable with that value
        self._characters = 0
        self._waiting: list[str] = []  # not in the index yet
        self._lock = threading.Lock()  # the index only grows, so it is read without it
        self._pieces: dict[str, tuple[tuple[_Needle, int], ...]] = {}
        self._grams: set[str] = set()
        self._short_values: list[str] = []
        self._simple_values: list[str] = []
        self._short: re.Pattern[str] | None = None
        self._simple: re.Pattern[str] | None = None
        self.bounded = False  # whether there were more or longer values than are looked for in every form

    def add(self, value: str, name: str = "") -> None:
        """Remember a value, the name of the variable that it came from, and the credentials in it where it is an address."""
        value = value.strip()
        if len(value) > _LONGEST:
            value, self.bounded = value[:_LONGEST], True
        for part in (*credentials(value), *(() if _is_mere_address(value) else (value,))):
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

    def name_of(self, value: str) -> str:
        """The variable that a value came from; empty where it is not known."""
        return self._names.get(value.strip(), "")

    def find(self, text: str, *, outside: bool = False) -> list[Found]:
        """Where values stand, in order and without overlap: as they are, encoded, escaped, or cut off.

        ``outside``: the text is nobody's sentence here, so that simple values are looked for as well.
        """
        if self._waiting:
            self._learn()
        found: list[Found] = []
        if outside and self._simple:
            found += (Found(m.start(), m.end(), m[0], True) for m in self._simple.finditer(text))
        if self._pieces or self._short:
            from ot_doctor.redaction.encodings import joined, views, without_blanks

            looked_at = list(views(text))
            if not self._grams.isdisjoint(_CHUNKS.findall(without_blanks(text))) and (grouped := joined(text)):
                looked_at.append(grouped)
            for view in looked_at:
                for hit in self._in_view(view.text):
                    found.append(Found(view.start(hit.start), view.end(hit.end), hit.value, hit.whole))
        return _merged(found)

    def _learn(self) -> None:
        """Take up what waits; whoever searches meanwhile sees that something waits, and waits for it, too."""
        with self._lock:
            if not self._waiting:
                return
            short, plain = len(self._short_values), len(self._simple_values)
            for value in self._waiting:
                if not hidden_by_value(value):
                    self._simple_values.append(value)
                elif len(value) < _PIECE:
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
            for needle in _needles(value):
                for piece, at in _pieces_of(needle.text).items():
                    self._put(piece, needle, at)
            return
        self.bounded = True
        needle = _Needle(value, value)
        for piece, at in _pieces_of(needle.text).items():
            if self._put(piece, needle, at):
                return

    def _put(self, piece: str, needle: _Needle, at: int) -> bool:
        there = self._pieces.get(piece, ())
        if len(there) >= _MOST_ALIKE:
            return False
        self._grams.update(piece[start : start + _GRAM] for start in range(_PIECE - _GRAM + 1))
        self._pieces[piece] = (*there, (needle, at))
        return True

    def _in_view(self, text: str) -> Iterator[Found]:
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
            for start in range(max(at + _GRAM - _PIECE, done, 0), at + 1):
                for needle, offset in pieces.get(text[start : start + _PIECE], ()):
                    hit = _grown(text, start, needle, offset)
                    if hit is not None:
                        yield hit
                        done = max(done, hit.end - _PIECE + 1)


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


def credentials(text: str) -> Iterator[str]:
    """User names without a password, and passwords, of addresses such as ``redis://:password@host``; as they are and decoded."""
    for address in _ADDRESS.finditer(text):
        user, colon, password = address["who"].partition(":")
        part = password if colon else user
        yield part
        if "%" in part:
            yield unquote(part)
    for address in _UNENCODED.finditer(text):  # a '/' in a password that was not written as %2F
        if set("/?#") & set(address["password"]):
            yield address["password"]


def _is_mere_address(value: str) -> bool:
    """A variable called AUTH_URL may hold an address that anybody may know."""
    return bool(_BARE_ADDRESS.fullmatch(value))


def _needles(value: str) -> Iterator[_Needle]:
    """The ways in which a value of eight characters or more may be written that ``views`` does not undo."""
    if len(value) < _PIECE:
        return
    yield _Needle(value, value)
    if len(value) > _LONGEST_ENCODED:
        return
    data = value.encode("utf-8", "surrogatepass")
    yield _Needle(data.hex(), value, "hex")
    yield _Needle(data.hex().upper(), value, "hex")
    for before in range(3):  # within a longer text that is encoded as a whole
        encoded = base64.b64encode(b"\0" * before + data).decode()
        own = encoded[-(-before * 4 // 3) : len(encoded) // 4 * 4 - (4 if (before + len(data)) % 3 else 0)]
        for text in dict.fromkeys((own, own.replace("+", "-").replace("/", "_"))):
            if len(text) >= _PIECE:
                yield _Needle(text, value, "base64")


def _pieces_of(text: str) -> dict[str, int]:
    """Every piece of a text, and where it stands first."""
    pieces: dict[str, int] = {}
    for at in range(min(len(text) - _PIECE + 1, _MOST_PIECES)):
        pieces.setdefault(text[at : at + _PIECE], at)
    return pieces


def _grown(text: str, start: int, needle: _Needle, offset: int) -> Found | None:
    """What of the needle stands around ``text[start]``, its character ``offset``; ``None`` where that tells nothing."""
    whole = needle.text
    before = _alike(text[max(0, start - offset) : start][::-1], whole[max(0, offset - start) : offset][::-1])
    after = _alike(text[start : start + len(whole) - offset], whole[offset:])
    first, last, offset, end = start - before, start + after, offset - before, offset + after
    if end - offset == len(whole):
        return None if _part_of_a_number(text, first, last) else Found(first, last, needle.value, True)
    piece = text[first:last]
    if piece.casefold() in WORDS or (len(piece) == len(text) and guessable(piece)):
        return None  # a password may begin with a word that everybody uses
    if needle.encoding:
        told = last - first >= _LEAST_ENCODED[needle.encoding]
    else:
        begun = offset == 0 and end - needle.own >= _PIECE // 2 and (last == len(text) or text.startswith(_CUT, last))
        ended = end == len(whole) and (first == 0 or bool(_CUT_BEFORE.search(text, max(0, first - 6), first)))
        told = begun or ended or needle.tells(offset, end)
    return Found(first, last, needle.value, False) if told else None


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    if one == other:
        return len(one)
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _part_of_a_number(text: str, start: int, end: int) -> bool:
    return text[start:end].isdigit() and (text[start - 1 : start].isdigit() or text[end : end + 1].isdigit())


def _is_mixed(piece: str) -> bool:
    """Whether it looks like chance and not like a word or a path: small and capital letters and digits are mixed."""
    kinds = any(map(str.islower, piece)) + any(map(str.isupper, piece)) + any(map(str.isdigit, piece))
    return kinds > 1 and not (piece.isalpha() and piece.istitle()) and piece.casefold() not in _ALL_WORDS


def _merged(found: list[Found]) -> list[Found]:
    """The same without overlaps: what overlaps becomes one, for the value that was found whole if one was."""
    merged: list[Found] = []
    for hit in sorted(found, key=lambda hit: (hit.start, -hit.end)):
        last = merged[-1] if merged else None
        if last is None or hit.start >= last.end:
            merged.append(hit)
        elif hit.end > last.end or (hit.whole and not last.whole):
            told = max((last, hit), key=lambda one: (one.whole, one.end - one.start))
            merged[-1] = Found(last.start, max(last.end, hit.end), told.value, told.whole)
    return merged
