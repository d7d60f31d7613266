"""How a value may be written, and what of it stands around a piece that was found.

An example. The value ``Kq7vWz2LmR9x`` has five pieces of eight characters: ``Kq7vWz2L``, ``q7vWz2Lm`` … ``Wz2LmR9x``. The last
one, whose offset in the value is 4, is found in ``refused: …Wz2LmR9x``. ``grown`` looks to both sides of it: the text has "…"
before it and the value "v", so the match begins at offset 4; it ends with the value. It tells something of the value, for it
stands behind a "…" and ends as the value does. In ``refused: …z2LmR9x`` seven characters are left, and nothing is found.
"""

from __future__ import annotations

import base64
import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from ot_doctor.redaction.common_words import ALL_WORDS, PIECE, WORDS, is_common

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


@dataclass(frozen=True)
class Found:
    """A secret, or a telling piece of one, in ``text[start:end]``."""

    start: int
    end: int
    value: str  # the whole of it
    whole: bool


class Needle:
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
        pieces = range(self.own, min(len(self.text) - PIECE + 1, _MOST_PIECES))
        return tuple(at for at in pieces if _is_mixed(self.text[at : at + PIECE]))

    def tells(self, start: int, end: int) -> bool:
        """Whether some piece within ``text[start:end]`` tells something of the value."""
        at = bisect.bisect_left(self._telling, start)
        return at < len(self._telling) and self._telling[at] + PIECE <= end


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


def is_mere_address(value: str) -> bool:
    """A variable called AUTH_URL may hold an address that anybody may know."""
    return bool(_BARE_ADDRESS.fullmatch(value))


def needles(value: str) -> Iterator[Needle]:
    """The ways in which a value of eight characters or more may be written that ``variants`` does not undo."""
    if len(value) < PIECE:
        return
    yield Needle(value, value)
    if len(value) > _LONGEST_ENCODED:
        return
    data = value.encode("utf-8", "surrogatepass")
    yield Needle(data.hex(), value, "hex")
    yield Needle(data.hex().upper(), value, "hex")
    for before in range(3):  # within a longer text that is encoded as a whole
        encoded = base64.b64encode(b"\0" * before + data).decode()
        own = encoded[-(-before * 4 // 3) : len(encoded) // 4 * 4 - (4 if (before + len(data)) % 3 else 0)]
        for text in dict.fromkeys((own, own.replace("+", "-").replace("/", "_"))):
            if len(text) >= PIECE:
                yield Needle(text, value, "base64")


def pieces_of(text: str) -> dict[str, int]:
    """Every piece of a text, and where it stands first."""
    pieces: dict[str, int] = {}
    for at in range(min(len(text) - PIECE + 1, _MOST_PIECES)):
        pieces.setdefault(text[at : at + PIECE], at)
    return pieces


def grown(text: str, start: int, needle: Needle, offset: int) -> Found | None:
    """What of the needle stands around ``text[start]``, its character ``offset``; ``None`` where that tells nothing."""
    whole = needle.text
    before = _alike(text[max(0, start - offset) : start][::-1], whole[max(0, offset - start) : offset][::-1])
    after = _alike(text[start : start + len(whole) - offset], whole[offset:])
    first, last, offset, end = start - before, start + after, offset - before, offset + after
    if end - offset == len(whole):
        return None if _part_of_a_number(text, first, last) else Found(first, last, needle.value, True)
    piece = text[first:last]
    if piece.casefold() in WORDS or (len(piece) == len(text) and is_common(piece)):
        return None  # a password may begin with a word that everybody uses
    if needle.encoding:
        told = last - first >= _LEAST_ENCODED[needle.encoding]
    else:
        begun = offset == 0 and end - needle.own >= PIECE // 2 and (last == len(text) or text.startswith(_CUT, last))
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
    return kinds > 1 and not (piece.isalpha() and piece.istitle()) and piece.casefold() not in ALL_WORDS


def without_overlaps(found: list[Found]) -> list[Found]:
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
