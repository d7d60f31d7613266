"""Whether a regular expression can take for ever: a match holds the interpreter, and no deadline ends it.

Python's engine tries one way to match after another, so what counts is in how many ways a text may be read. The pattern becomes
an automaton with one state for each character (Glushkov's). Two ways around a loop for one text make the number of ways grow
exponentially with the text; two loops that can take the same text make it grow with a power of its length.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_parser: Any = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

_LENGTH = 4_096  # characters of a line for which steps are counted
_MOST_STEPS = 10**10  # a fixed text, and two ".*" behind it that can take the same, are just below
_MOST_WAYS = 12  # powers of two, outside of all loops
_MOST_STATES = 2_000
_SHORT = 300  # characters of a pattern in which the part at fault is looked for
_MOST_COPIES = 100  # states: what is repeated a fixed number of times is written out up to here
_LONGEST_REFERENCE = 100  # characters of a group that is referred back to
_LONGEST = 2_000  # characters of a pattern
_BUDGET = 200_000  # steps of looking at one pattern
_MANY = 4  # ways; more are counted as so many
_OTHERS = "é…\u00a0\u0663"  # these stand for all characters beyond ASCII: of words, of none, blanks, digits
_SAMPLES = [*map(chr, range(128)), *_OTHERS]
_ALL = (1 << len(_SAMPLES)) - 1
_NEWLINE = 1 << ord("\n")


def fault(pattern: str) -> str:
    """What is wrong with a regular expression that can take very long, with the part at fault; empty where nothing is.

    Raises ``re.error``, ``RecursionError`` and ``OverflowError`` for one that is none.
    """
    what = _fault(pattern)
    if not what or what == _TOO_LARGE or len(pattern) > _SHORT:
        return what and f"it {what}"
    end = next((end for end in range(1, len(pattern)) if _is_faulty(pattern[:end])), len(pattern))
    begin = 0
    if what == _EXPONENTIAL:
        begin = next((begin for begin in range(end - 1, 0, -1) if _is_faulty(pattern[begin:end])), 0)
    return f"its part {pattern[begin:end]!r} {what}"


_EXPONENTIAL = (
    "can match one text in very many ways: let no '*', '+' or '{}' repeat what another inside it repeats, or alternatives that "
    "match the same"
)
_POLYNOMIAL = (
    "has too many repeats that can take the same text: begin with '^' or a longer fixed text, or bound them, for example with "
    "{0,200}"
)
_OPTIONAL = "has too many optional parts or alternatives that can match the same text"
_REFERENCE = "refers back to a group from inside a repeat, or to a long group, which can take for ever"
_TOO_LARGE = "is too complicated: make it several shorter patterns"


def _is_faulty(part: str) -> bool:
    try:
        return _fault(part) not in ("", _TOO_LARGE)
    except (re.error, RecursionError, OverflowError):
        return False


def _fault(pattern: str) -> str:
    if len(pattern) > _LONGEST:
        return _TOO_LARGE
    try:
        automaton = _Automaton(_parser.parse(pattern, re.MULTILINE))
        return automaton.fault()
    except _Refused as refused:
        return str(refused)


class _Refused(Exception):
    """The sentence's end that says what is wrong."""


@dataclass
class _Part:
    """A part of the pattern: the states that it can begin and end with, and how it can be empty."""

    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    empty: int = 1  # in how many ways it can be
    anchored: bool = False  # it begins at the beginning of a line


@dataclass(frozen=True)
class _Loop:
    states: range
    times: int  # at most; how many different numbers of them there are


class _Automaton:
    def __init__(self, tree: Any) -> None:
        flags = tree.state.flags
        self._folds = bool(flags & re.IGNORECASE)
        self._any = _ALL if flags & re.DOTALL else _ALL & ~_NEWLINE
        self._chars: list[int] = []
        self._next: list[list[int]] = []  # twice the same is two ways
        self._loops: list[_Loop] = []  # the outermost ones
        self._depth = 0
        self._widths: dict[int, int] = {}
        self._budget = _BUDGET
        self._whole = self._sequence(tree)

    # -- from the pattern to the states ----------------------------------------------------------

    def _sequence(self, nodes: Iterable[tuple[Any, Any]]) -> _Part:
        whole = _Part()
        for name, value in nodes:
            part = self._node(str(name), value)
            if str(name) in ("AT", "ASSERT", "ASSERT_NOT"):
                whole.anchored = whole.anchored or (not whole.first and part.anchored)
                if not part.first:
                    continue
            whole = self._joined(whole, part)
        return whole

    def _joined(self, one: _Part, other: _Part) -> _Part:
        self._link(one.last, other.first)
        return _Part(
            [*one.first, *(other.first * one.empty)],
            [*other.last, *(one.last * other.empty)],
            min(one.empty * other.empty, _MANY),
            one.anchored or (not one.first and other.anchored),
        )

    def _link(self, last: list[int], first: list[int]) -> None:
        for state in last:
            self._spend(len(first))
            self._next[state].extend(first)

    def _node(self, name: str, value: Any) -> _Part:
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeat(*value)
        if name == "SUBPATTERN":
            group, add, remove, body = value
            if (add | remove) & re.IGNORECASE:
                self._folds = True
            if (add | remove) & re.DOTALL:
                self._any = _ALL
            if group is not None:
                self._widths[group] = body.getwidth()[1]
            return self._sequence(body)
        if name == "ATOMIC_GROUP":
            return self._sequence(value)
        if name == "BRANCH":
            return self._either([self._sequence(body) for body in value[1]])
        if name in ("ASSERT", "ASSERT_NOT"):  # looked at as something that may stand there or not
            body = self._sequence(value[1])
            return _Part(body.first, body.last, 1)
        if name == "AT":
            return _Part(anchored=str(value) in ("AT_BEGINNING", "AT_BEGINNING_STRING"))
        if name.startswith("GROUPREF_EXISTS"):
            return self._either([self._sequence(body or ()) for body in value[1:]])
        if name.startswith("GROUPREF"):
            if self._depth or self._widths.get(value, _LONGEST_REFERENCE + 1) > _LONGEST_REFERENCE:
                raise _Refused(_REFERENCE)
            return _Part()  # of any length; what is compared is short
        return self._state(self._class(name, value))

    @staticmethod
    def _either(parts: list[_Part]) -> _Part:
        return _Part(
            [state for part in parts for state in part.first],
            [state for part in parts for state in part.last],
            min(sum(part.empty for part in parts), _MANY),
            all(part.anchored for part in parts),
        )

    def _repeat(self, low: int, high: int, body: Any) -> _Part:
        begin = len(self._chars)
        if high <= 1:
            part = self._sequence(body)
            return _optional(part) if low == 0 else part
        self._depth += 1
        part = self._sequence(body)
        size = len(self._chars) - begin
        copies = low == high and size * high <= _MOST_COPIES
        for _ in range(high - 1 if copies else 0):
            part = self._joined(part, self._sequence(body))
        self._depth -= 1
        if copies:
            return part
        inside = [loop for loop in self._loops if loop.states.start >= begin]
        self._loops = [loop for loop in self._loops if loop.states.start < begin]
        times = high - low + 1
        for loop in inside:
            times *= loop.times
        self._link(part.last, part.first)
        self._loops.append(_Loop(range(begin, len(self._chars)), min(times, _LENGTH)))
        return _optional(part) if low == 0 else part

    def _state(self, chars: int) -> _Part:
        if len(self._chars) >= _MOST_STATES:
            raise _Refused(_TOO_LARGE)
        number = len(self._chars)
        self._chars.append(chars)
        self._next.append([])
        return _Part([number], [number], 0)

    def _class(self, name: str, value: Any) -> int:
        if name == "ANY":
            return self._any
        if name == "NOT_LITERAL":
            return _ALL & ~_literal(value) if value < 128 else _ALL
        if name == "IN":
            negated = bool(value) and str(value[0][0]) == "NEGATE"
            chars = 0
            for kind, item in value:
                if str(kind) != "NEGATE" and not (negated and str(kind) == "LITERAL" and item >= 128):
                    chars |= self._class(str(kind), item)
            return _ALL & ~chars if negated else chars
        if name == "RANGE":
            ascii_only = sum(1 << code for code in range(value[0], min(value[1], 127) + 1))
            chars = ascii_only | (_ALL >> 128 << 128 if value[1] >= 128 else 0)
        elif name == "CATEGORY":
            return _category(str(value))
        else:
            chars = _literal(value)
        return _folded(chars) if self._folds else chars

    # -- what they tell --------------------------------------------------------------------------

    def fault(self) -> str:
        if any(self._has_two_ways(loop.states) for loop in self._loops):
            return _EXPONENTIAL
        if self._ways() > _MOST_WAYS:
            return _OPTIONAL
        return _POLYNOMIAL if self._steps() > _MOST_STEPS else ""

    def _spend(self, steps: int = 1) -> None:
        self._budget -= steps
        if self._budget < 0:
            raise _Refused(_TOO_LARGE)

    def _has_two_ways(self, states: range) -> bool:
        """Whether some text leads from a state of a loop to another in two ways: each is reached again from there."""
        seen: set[tuple[int, int]] = set()
        for state in states:
            after = [after for after in self._next[state] if after in states]
            for pair in itertools.combinations(after, 2):
                self._spend()
                if self._chars[pair[0]] & self._chars[pair[1]]:
                    seen.add(pair)
        waiting = list(seen)
        while waiting:
            one, other = waiting.pop()
            if one == other:
                return True
            for pair in itertools.product(self._next[one], self._next[other]):
                self._spend()
                inside = pair[0] in states and pair[1] in states
                if inside and pair not in seen and self._chars[pair[0]] & self._chars[pair[1]]:
                    seen.add(pair)
                    waiting.append(pair)
        return False

    def _ways(self) -> float:
        """How many choices there are outside of loops, in powers of two: states from which one character leads to several."""
        looping = {state for loop in self._loops for state in loop.states}
        choices = 0.0
        for state, after in enumerate(self._next):
            if state not in looping and len(after) > 1:
                self._spend(len(after) ** 2)
                alike = max(sum(bool(self._chars[one] & self._chars[other]) for other in after) for one in after)
                choices += alike.bit_length() - 1
        return choices

    def _steps(self) -> float:
        """How many steps a search takes at most, roughly: loops that can take the same text multiply."""
        start = len(self._chars)  # a loop before the pattern: it is tried at each character
        self._chars.append(_ALL)
        self._next.append([*self._whole.first, start])
        loops = [_Loop(range(start, start + 1), 1 if self._whole.anchored else _LENGTH), *self._loops]
        most: list[float] = []
        for place, loop in enumerate(loops):
            before = [1.0]
            for former, steps in zip(loops[:place], most, strict=True):
                apart = self._apart(former.states, loop.states)
                if apart:
                    before.append(steps / min(apart, former.times))
            most.append(max(before) * loop.times)
        return max(most)

    def _apart(self, one: range, other: range) -> int:
        """The length of the shortest text that leads around one loop, around the other, and from the one to the other; or 0."""
        lengths = (self._shared(begin, end, one, other) for begin in one for end in other)
        return min((length for length in lengths if length), default=0)

    def _shared(self, begin: int, end: int, one: range, other: range) -> int:
        seen = {(begin, begin, end)}
        wave = seen
        for length in itertools.count(1):
            wave = {after for triple in wave for after in self._after(triple, one, other)} - seen
            if (begin, end, end) in wave:
                return length
            if not wave:
                return 0
            seen = seen | wave
        raise AssertionError

    def _after(self, triple: tuple[int, int, int], one: range, other: range) -> Iterator[tuple[int, int, int]]:
        for first in self._next[triple[0]]:
            if first not in one:
                continue
            for third in self._next[triple[2]]:
                chars = self._chars[first] & self._chars[third]
                if third not in other or not chars:
                    continue
                for second in self._next[triple[1]]:
                    self._spend()
                    if self._chars[second] & chars:
                        yield first, second, third


def _optional(part: _Part) -> _Part:
    return _Part(part.first, part.last, min(part.empty + 1, _MANY))


def _literal(code: int) -> int:
    if code < 128:
        return 1 << code
    char = chr(code)
    return 1 << 128 + (2 if char.isspace() else 3 if char.isdigit() else 0 if char.isalnum() else 1)


@functools.cache
def _category(name: str) -> int:
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rpartition("_")[2]]
    kind = re.compile("\\" + (letter.upper() if "_NOT_" in name else letter))
    return sum(1 << place for place, char in enumerate(_SAMPLES) if kind.match(char))


@functools.cache
def _folded(chars: int) -> int:
    letters = [char for place, char in enumerate(_SAMPLES[:128]) if chars >> place & 1]
    return chars | sum({1 << ord(char.swapcase()) for char in letters if char.isalpha()} - {1 << ord(char) for char in letters})
