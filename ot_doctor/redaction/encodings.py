"""The decoded variants of a text: what it says without its escapes, those of URLs, JSON, Python's ``repr``, the shell, HTML and
Markdown, and without characters that nobody sees."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_DEEPEST = 3  # an address in a JSON document in a log line
_MOST = 16
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_FORM = re.compile(r"(?:%[0-9A-Fa-f]{2})+|\+")
_BACKSLASH = re.compile(
    r"""(?:\\u[0-9A-Fa-f]{4})+|\\U[0-9A-Fa-f]{8}|(?:\\x[0-9A-Fa-f]{2})+|(?:\\[0-3][0-7]{2})+|(?s:\\.)|'"'"'"""
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060-\u2064\ufeff]+")
_ENTITY = re.compile(r"&(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
BLANKS = " \u00a0\u2007\u2009\u202f"
_BLANK = f"[{BLANKS}]"
_OF_A_VALUE = r"[\w.~+/=-]"
_GROUPED = re.compile(  # three groups and more of the same length, as a terminal, a log or a person groups a value
    "(?<![A-Za-z0-9_])(?:"
    + "|".join(f"(?:{_OF_A_VALUE}{{{n}}}{_BLANK}{{1,3}}){{{max(2, 7 // n)},}}{_OF_A_VALUE}{{1,{n}}}" for n in range(1, 13))
    + ")"
)
_BLANKS = re.compile(f"{_BLANK}+")
_LONGEST_GROUPED = 1 << 19  # characters of a text in which groups are looked for
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0"}


@dataclass(frozen=True)
class _Step:
    """One round of unescaping: where each escape stood in the text before, and what stands there now.

    An example: ``k=a%2Bb`` is ``k=a+b`` afterwards. The one escape was at 3 to 6 (``then``) and is at 3 to 4 (``now``). The
    place 2 stands before it and stays. The places 4 and 5 are behind it, and were at 6 + (4 - 4) = 6 and 6 + (5 - 4) = 7. So
    ``a+b``, which is found at 2 to 5, stood at 2 to 7. A place inside what an escape stands for is moved out of it: a start to
    where the escape begins, an end to where it ends.
    """

    now: tuple[int, ...]  # where what an escape stands for begins, in the unescaped text
    now_ends: tuple[int, ...]
    then: tuple[int, ...]
    then_ends: tuple[int, ...]

    def back(self, position: int, *, end: bool) -> int:
        """The place in the text before, of a place in the unescaped one."""
        look_up = bisect.bisect_left if end else bisect.bisect_right
        at = look_up(self.now, position) - 1
        if at < 0:
            return position
        if position < self.now_ends[at]:
            return self.then_ends[at] if end else self.then[at]
        return self.then_ends[at] + position - self.now_ends[at]


@dataclass(frozen=True)
class Variant:
    """The text, and the way back to the places in the original."""

    text: str
    steps: tuple[_Step, ...] = ()

    def start(self, position: int) -> int:
        for step in reversed(self.steps):
            position = step.back(position, end=False)
        return position

    def end(self, position: int) -> int:
        for step in reversed(self.steps):
            position = step.back(position, end=True)
        return position


def variants(text: str) -> Iterator[Variant]:
    """The text itself first, then what it says without its escapes, one kind after the other."""
    if not _ESCAPES.search(text):  # nearly always
        yield Variant(text)
        return
    seen = {text}
    waiting = [Variant(text)]
    while waiting:
        variant = waiting.pop(0)
        yield variant
        if len(variant.steps) >= _DEEPEST:
            continue
        for hint, pattern, decode in _KINDS:
            if len(seen) < _MOST and any(sign in variant.text for sign in hint):
                plain = _unescaped(variant, pattern, decode)
                if plain.text not in seen:
                    seen.add(plain.text)
                    waiting.append(plain)


def without_blanks(text: str) -> str:
    """A quick look at what ``joined`` may find; of a long text nothing."""
    if len(text) > _LONGEST_GROUPED:
        return ""
    for blank in BLANKS:
        text = text.replace(blank, "")
    return text


def joined(text: str) -> Variant | None:
    """What stands in groups of the same length, without the blanks between them, a line each; nothing where there is none."""
    parts: list[str] = []
    places: list[tuple[int, int, int, int]] = []
    length = done = 0

    def put(meant: str, start: int, end: int) -> None:
        nonlocal length
        parts.append(meant)
        places.append((length, length + len(meant), start, end))
        length += len(meant)

    for run in _GROUPED.finditer(text):
        put("\n", done, run.start())
        done = run.start()
        for blank in _BLANKS.finditer(text, run.start(), run.end()):
            parts.append(text[done : blank.start()])
            length += blank.start() - done
            put("", *blank.span())
            done = blank.end()
        parts.append(text[done : run.end()])
        length += run.end() - done
        done = run.end()
    return Variant("".join(parts), (_Step(*zip(*places, strict=True)),)) if parts else None


def _unescaped(variant: Variant, pattern: re.Pattern[str], decode: Callable[[str], str]) -> Variant:
    parts: list[str] = []
    places: list[tuple[int, int, int, int]] = []
    length = done = 0
    for escape in pattern.finditer(variant.text):
        meant = decode(escape[0])
        parts += (variant.text[done : escape.start()], meant)
        length += escape.start() - done
        places.append((length, length + len(meant), *escape.span()))
        length += len(meant)
        done = escape.end()
    parts.append(variant.text[done:])
    columns = tuple(zip(*places, strict=True)) if places else ((), (), (), ())
    return Variant("".join(parts), (*variant.steps, _Step(*columns)))


def _percent(escape: str) -> str:
    return " " if escape == "+" else bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")


def _backslash(escape: str) -> str:
    if not escape.startswith("\\"):
        return "'"
    kind = escape[1]
    if kind == "u" and len(escape) > 2:
        return bytes.fromhex(escape.replace("\\u", "")).decode("utf-16-be", "replace")
    if kind == "U" and len(escape) > 2:
        code = int(escape[2:], 16)
        return chr(code) if code < 0x110000 else escape
    if kind == "x" and len(escape) > 2:
        return _of_bytes(bytes.fromhex(escape.replace("\\x", "")))
    if len(escape) > 2:
        return _of_bytes(bytes(int(octal, 8) for octal in escape[1:].split("\\")))
    return _LETTERS.get(kind, kind)


def _of_bytes(data: bytes) -> str:
    """``repr`` writes the bytes of UTF-8 for bytes, and code points for a text."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _entity(escape: str) -> str:
    from html import unescape

    return unescape(escape)


_KINDS: tuple[tuple[tuple[str, ...], re.Pattern[str], Callable[[str], str]], ...] = (
    (("%",), _PERCENT, _percent),
    (("+",), _FORM, _percent),
    (("\\", "'\"'\"'"), _BACKSLASH, _backslash),
    (("&",), _ENTITY, _entity),
    (tuple("\u00ad\u200b\u200c\u200d\u2060\u2061\u2062\u2063\u2064\ufeff"), _INVISIBLE, lambda _: ""),
)
# A character of each hint: a text without any of them has no escape.
_ESCAPES = re.compile(f"[{re.escape(''.join(min(sign) for hint, _, _ in _KINDS for sign in hint))}]")
