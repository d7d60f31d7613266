"""The lines of a block in which causes are looked for: without those at INFO and DEBUG, or without the frames of tracebacks."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ot_doctor.logs.last_lines import KEPT
from ot_doctor.logs.multisearch import places

_SAMPLE = 1 << 16  # bytes of a block by which its kind is judged
_CONTEXT = 5  # lines before one that is not at INFO: they may tell what it is about

# Lines at INFO and DEBUG prove nothing of a cause. All others are searched for every word, these for a few. Each format has a
# text that tells how many of its lines are quiet, and a pattern for those.
_QUIET_LINES = {
    b": INFO/": rb"[^\[\n]{0,160}(?:\[\d{1,9}\]: [^\[\n]{0,40})?\[[\d :,-]{23}: (?:INFO|DEBUG)/",  # Celery's
    b"INFO:": rb"(?:INFO|DEBUG):[A-Za-z_]"  # bare, tried first: nothing is cheaper
    rb"|(?:[^,\n]{0,160},\d{3} |(?:[\w.-]{1,80} +\| )?(?:[\d:.TZ-]{20,35} )?)(?:INFO|DEBUG):[A-Za-z_]",  # v0.5's
    b'"INFO': rb'[^{\n]{0,160}\{(?:"log": ?"\{)?(?:\\?"[@\w]{1,20}\\?": ?\\?"[^"\\\n]{0,60}\\?", ?){0,3}'
    rb'\\?"level(?:name)?\\?": ?\\?"(?:INFO|DEBUG)\\?"',  # v0.5's in JSON
    b" - INFO - ": rb"[^,\n]{0,160},\d{3} - [\w.]{1,80} - (?:INFO|DEBUG) - ",
    b"] INFO ": rb"[^\[\n]{0,160}(?:\[\d{1,9}\]: [^\[\n]{0,40})?\[[\d :,-]{23}\] (?:INFO|DEBUG) ",
}
_QUIET = re.compile(b"|".join(_QUIET_LINES.values()))
_BY_FORMAT = {
    sign: (re.compile(quiet), re.compile(rb"\n(?!%b)[^\n]+" % quiet)) for sign, quiet in _QUIET_LINES.items()
}  # fmt: skip

# What stands in the frames of a traceback proves nothing either, and it is most of one.
_FRAME = b'\n  File "'
_FRAMES = re.compile(rb'(?<=\n)(?:  File "[^\n]*\n(?:    [^\n]*\n)*)+')
_FEWEST_FRAMES = 50  # in the sample: with fewer it is not worth the copy


def is_quiet(text: bytes, place: int) -> bool:
    """Whether the line around a place is at INFO or DEBUG."""
    return _QUIET.match(text, text.rfind(b"\n", 0, place) + 1) is not None


@dataclass(frozen=True)
class ErrorText:
    """A block without the lines that prove nothing, and where what is left stood in the block."""

    text: bytes
    begins: Sequence[int]  # of each piece, in the block
    offsets: Sequence[int]  # of each piece in ``text``, and where the last one ends
    has_quiet_lines: bool = False  # those at INFO are in it, since the block has few of them

    @classmethod
    def of(cls, block: bytes) -> ErrorText:
        signs = {sign: block.count(sign, 0, _SAMPLE) for sign in _BY_FORMAT}
        most = max(signs, key=lambda sign: signs[sign])
        if 2 * signs[most] < block.count(b"\n", 0, _SAMPLE):
            return cls._without_frames(block)
        quiet, not_quiet = _BY_FORMAT[most]
        begins, lines = [], []
        if block and quiet.match(block) is None:
            begins.append(0)
            lines.append(block[: block.find(b"\n")] if b"\n" in block else block)
        for match in not_quiet.finditer(block):
            begins.append(match.start() + 1)
            lines.append(match[0][1:])
        return cls(b"\n".join(lines), begins, _offsets(len(line) + 1 for line in lines))

    @classmethod
    def _without_frames(cls, block: bytes) -> ErrorText:
        if block.count(_FRAME, 0, _SAMPLE) < _FEWEST_FRAMES:
            return cls(block, (0,), (0, len(block)), has_quiet_lines=True)
        begins, pieces, begin = [], [], 0
        for match in _FRAMES.finditer(block):
            begins.append(begin)
            pieces.append(block[begin : match.start()])
            begin = match.end()
        return cls(
            b"".join([*pieces, block[begin:]]), [*begins, begin], _offsets([*map(len, pieces), len(block) - begin]),
            has_quiet_lines=True,
        )  # fmt: skip

    def origin(self, place: int) -> int:
        """Where a place of ``text`` is in the block."""
        nth = bisect.bisect_right(self.offsets, place, hi=len(self.begins)) - 1
        return self.begins[nth] + place - self.offsets[nth]

    def last(self, block: bytes) -> list[tuple[int, int]]:
        """Where the last of these lines are in the block, those that stand together as one, with a few lines before them."""
        if self.has_quiet_lines:
            begin = block.rfind(b"\n", 0, len(block) - KEPT) + 1 if len(block) > KEPT else 0
            return [(begin, len(block))] if block else []
        found: list[tuple[int, int]] = []
        first = bisect.bisect_left(self.offsets, self.offsets[-1] - KEPT)
        for nth in range(first, len(self.begins)):
            begin = self.begins[nth]
            end = begin + self.offsets[nth + 1] - self.offsets[nth]
            floor = found[-1][1] if found else 0
            if begin > floor:
                for _ in range(_CONTEXT):
                    begin = block.rfind(b"\n", floor, begin - 1) + 1 or floor
                    if begin <= floor:
                        break
                else:
                    found.append((begin, end))
                    continue
            found[-1:] = [(found[-1][0], end)] if found else [(begin, end)]
        return found

    def places(self, word: bytes) -> list[int]:
        """Where a word is in the block, one place a line at most."""
        return [self.origin(place) for place in places(self.text, (word,))]


def _offsets(lengths: Iterable[int]) -> list[int]:
    return list(itertools.accumulate(lengths, initial=0))
