"""Every secret value that was met in this process, and where one of them stands in a text, however it was written there."""

from __future__ import annotations

import base64
import bisect
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

_PIECE = 8  # characters in a row that may give a value away
_GRAM = 4  # every piece holds one such gram at a multiple of _STRIDE, wherever it stands
_STRIDE = _PIECE - _GRAM + 1
_CHUNKS = re.compile(rf"(?s)(.{{{_GRAM}}}).{{0,{_STRIDE - _GRAM}}}")
_SHORTEST = 4
_LONGEST_ENCODED = 1024  # a longer value is looked for as it is alone
_MOST_PIECES = 4096  # of one value; a match grows beyond them
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
# stand alone, as words; shorter ones nowhere. Behind NAME= every value is hidden: that is told by its shape.
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
        pieces = range(self.own, min(len(text) - _PIECE + 1, _MOST_PIECES)) if not encoding and "://" not in text else range(0)
        self._telling = tuple(at for at in pieces if _is_mixed(text[at : at + _PIECE]))

    def tells(self, start: int, end: int) -> bool:
        """Whether some piece within ``text[start:end]`` tells something of the value."""
        at = bisect.bisect_left(self._telling, start)
        return at < len(self._telling) and self._telling[at] + _PIECE <= end


def hidden_by_value(value: str) -> bool:
    """Whether the value is hidden wherever it stands; see the comment on the words that stay."""
    if len(value) < _SHORTEST or value.casefold() in WORDS:
        return False
    return len(value) >= _PIECE or not (value.isdigit() or value.isalpha())


def guessable(value: str) -> bool:
    """A word or a number that may stand in a document without having come from the secret."""
    if len(value) < _PIECE or (value.isdigit() and len(value) < 12):
        return True
    return value.isalpha() and (value.islower() or value.isupper() or value.istitle()) and len(value) < 16


class KnownValues:
    """The registry. Values come from several threads; a search sees those that were added before it began."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}  # of the first variable with that value
        self._waiting: list[str] = []
        self._lock = threading.Lock()
        self._pieces: dict[str, tuple[tuple[_Needle, int], ...]] = {}
        self._grams: frozenset[str] = frozenset()
        self._short: re.Pattern[str] | None = None

    def add(self, value: str, name: str = "") -> None:
        """Remember a value, the name of the variable that it came from, and the credentials in it where it is an address."""
        value = value.strip()
        for part in (*credentials(value), *(() if _is_mere_address(value) else (value,))):
            if self._names.get(part):
                continue
            with self._lock:
                if part not in self._names and hidden_by_value(part):
                    self._waiting.append(part)
                self._names[part] = name

    def name_of(self, value: str) -> str:
        """The variable that a value came from; empty where it is not known."""
        return self._names.get(value.strip(), "")

    def find(self, text: str) -> list[Found]:
        """Where values stand, in order and without overlap: as they are, encoded, escaped, or cut off."""
        if self._waiting:
            self._learn()
        found: list[Found] = []
        if self._pieces or self._short:
            from ot_doctor.text_views import views

            for view in views(text):
                for hit in self._in_view(view.text):
                    found.append(Found(view.start(hit.start), view.end(hit.end), hit.value, hit.whole))
        return _merged(found)

    def _learn(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            pieces, grams = dict(self._pieces), set(self._grams)
            for value in waiting:
                for needle in _needles(value):
                    grams.update(needle.text[at : at + _GRAM] for at in range(len(needle.text) - _GRAM + 1))
                    for piece, at in _pieces_of(needle.text).items():
                        pieces[piece] = (*pieces.get(piece, ()), (needle, at))
            self._pieces, self._grams = pieces, frozenset(grams)
            short = sorted((v for v in self._names if len(v) < _PIECE and hidden_by_value(v)), key=len, reverse=True)
            self._short = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, short))})(?!\w)") if short else None

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
