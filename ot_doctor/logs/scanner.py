"""From bytes to records: finds the telling places of a log quickly, and takes apart only what is around them."""

from __future__ import annotations

import bisect
import itertools
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from ot_doctor.evidence.worker_log import Record
from ot_doctor.logs.error_text import ErrorText, is_quiet
from ot_doctor.logs.last_lines import KEPT, LastLines
from ot_doctor.logs.lines import MAX_LINE, MAX_OBJECT, Line, is_head, time_before, unwrap
from ot_doctor.logs.multisearch import ManyWords, fewest, places
from ot_doctor.logs.records import MAX_LINES, drafts
from ot_doctor.redaction.secret import Secret

_MAX_CARRY = 1 << 20  # bytes that wait for the rest of their record
_MAX_AFTER_HEAD = 1_000  # lines in which a record's end is looked for
_MAX_UNPREFIXED = 40  # lines of a record without a prefix
_MAX_TOKEN_LINES = 20
_MAX_TOKENS = 100  # of one log that are remembered by their value
_FEW = 3  # different characters: a placeholder
_LOUD_KEPT = 5  # of the errors that no word tells of: at both ends of each stretch between records that tell something
_TELLING_KEPT = 25  # of the records that tell a cause and mark nothing: likewise; all that may be judged again are among them
_FIRST_READ = 100  # records that are passed on at once: where a worker says what it is
_NEWEST_READ = 600  # of what follows, the newest with a mark are passed on, and all between them: a dozen marks for each attempt
_NEWEST_KEPT = 1 << 24  # bytes of those
_OF_A_WORKER = (  # one of them is in every log of a worker
    b"elery", b"ranscri", b"iariz", b"yannote", b"hisper", b"MainProcess", b"ForkPool", b"uggingface", b"HuggingFace",
)  # fmt: skip

# A search costs by the number of words, so these stand for many.
_COARSE = (b"iariz", b"nnote", b"uggingFace", b"------", b"shutdown (", b"peaker identification")
_LEVELS = (b"DEBUG:", b"INFO:", b"WARNING:", b"ERROR:", b"CRITICAL:")
_LETTERS = re.compile(rb"[A-Za-z]+")
_NO_HEADS = re.compile(  # lines that begin no record
    rb"(?:(?:[ \t][^\n]*|Traceback \(most[^\n]*|The above exception[^\n]*|During handling[^\n]*)?\n){1,50}"
)
_MAY_BEGIN = re.compile(rb"^[^ \t\n]", re.MULTILINE)
_PIECE = 1 << 12  # bytes in which a head is looked for at a time
_TOKEN = re.compile(rb"hf_[A-Za-z0-9]{30,}")

_Region = tuple[bytes, int, "datetime | None"]  # a record, the number of its first line, and when the one before it was written


class RecordScan:
    """Takes a log in blocks of whole lines, and passes on the records that hold one of the words.

    ``marks`` are looked for everywhere, ``words`` only in lines that are not at INFO or DEBUG. Records that only hold one of
    ``error_words`` are passed on too. Of very many in a row without a mark only the first and the last are passed on. All else is
    counted and never parsed.
    ``on_record`` is called in the order of the log. Memory stays flat.
    With ``on_gap``, the middle of a log with very many records is left out, and ``on_gap`` is called where it would have been.
    """

    def __init__(
        self,
        marks: Sequence[bytes],
        words: Sequence[bytes],
        on_record: Callable[[Record], object],
        *,
        error_words: Sequence[bytes] = (),
        begins: Callable[[str], bool] = lambda text: False,
        timed: bool = False,
        on_gap: Callable[[], object] | None = None,
    ) -> None:
        self._marks = tuple(marks)
        self._coarse = fewest([*marks, *_COARSE])
        self._marking = ManyWords(marks)
        self._words = ManyWords([form for word in (*marks, *words) for form in _forms(word)])
        self._error_words = tuple(error_words)
        self._by_stem: dict[bytes, list[bytes]] = {}  # a search for what several share spares one for each
        for word in error_words:
            self._by_stem.setdefault(max(_LETTERS.findall(word), key=len), []).append(word)
        self._on_record = on_record
        self._begins = begins  # whether an unprefixed line begins a record of its own
        self._on_gap = on_gap
        self._first_read = 0
        self._newest: deque[tuple[_Region, bool]] = deque()  # each with whether it has a mark
        self._newest_marked = self._newest_size = 0
        self._gap = False  # whether records were left out
        self._timed = timed  # whether a record without a time gets that of the one before it
        self._carry = b""
        self._carry_from = 1  # the number of the carried text's first line
        self._first_left = _LOUD_KEPT
        self._last: deque[_Region] = deque(maxlen=_LOUD_KEPT)
        self._first_telling_left = _TELLING_KEPT
        self._last_telling: deque[_Region] = deque()
        self._last_size = 0  # bytes of those
        self.lines = 0
        self._met = 0
        self.last_lines = LastLines()  # those that may tell an error
        self.of_a_worker = False  # whether any line is such as workers write
        self.token_lines: list[int] = []

    def feed(self, block: bytes) -> None:
        """The next lines; every line is whole, the last of the log may lack its end."""
        if not block:
            return
        self._note_tokens(block)
        self.of_a_worker = self.of_a_worker or any(word in block for word in _OF_A_WORKER)
        self.lines += _lines_in(block)
        text = self._carry + block if self._carry else block
        keep_from = self._begin_of_last(text)
        self._scan(text[:keep_from])
        self._carry = text[keep_from:]
        self._carry_from = self.lines - _lines_in(self._carry) + 1

    def close(self) -> None:
        """Nothing follows: pass on what waited for its continuation."""
        self._scan(self._carry)
        self._carry = b""
        self._pass_on_last()
        if self._gap and self._on_gap is not None:
            self._on_gap()
        while self._newest:
            self._take_apart(*self._newest.popleft()[0])

    def _note_tokens(self, block: bytes) -> None:
        number, counted = self.lines + 1, 0
        for match in _TOKEN.finditer(block):
            if len(self.token_lines) >= _MAX_TOKEN_LINES:
                return
            if len(set(match[0][3:])) <= _FEW:
                continue
            if self._met < _MAX_TOKENS:  # the others are hidden by their shape
                self._met += 1
                Secret(match[0].decode())
            number += block.count(b"\n", counted, match.start())
            counted = match.start()
            if self.token_lines[-1:] != [number]:
                self.token_lines.append(number)

    def _begin_of_last(self, text: bytes) -> int:
        """Where the last record begins, whose continuation may be in the next block."""
        end = len(text)
        dash = text.rfind(b"-")  # without one, as in a date, a line is no head, or begins with its level
        for _ in range(_MAX_AFTER_HEAD):
            begin = text.rfind(b"\n", 0, max(end - 1, 0)) + 1
            if len(text) - begin > _MAX_CARRY:
                return end
            if begin == 0 or ((dash >= begin or text.startswith(_LEVELS, begin)) and is_head(text, begin)):
                return begin
            if dash >= begin:
                dash = text.rfind(b"-", 0, begin)
            end = begin
        return end

    def _scan(self, text: bytes) -> None:
        done = 0
        number, counted = self._carry_from, 0
        error_text = ErrorText.of(text)
        for begin, end in error_text.last(text):
            number += text.count(b"\n", counted, begin)
            counted = begin
            self.last_lines.add(number, text[begin:end])
        number, counted = self._carry_from, 0
        telling, marked = self._telling(text, error_text)
        for position in sorted(self._others(error_text, telling).union(telling)):
            if position < done:
                continue
            begin, end = _bounds(text, position, done)
            number += text.count(b"\n", counted, begin)
            counted = begin
            before = time_before(text, begin) if self._timed else None
            tells = _any_in(telling, begin, end)
            self._take(text[begin:end], number, before, tells=tells, marked=tells and _any_in(marked, begin, end))
            done = end

    def _telling(self, text: bytes, error_text: ErrorText) -> tuple[list[int], list[int]]:
        """Where something telling is, and where a mark is."""
        found = {error_text.origin(place) for place in self._words.places(error_text.text)}
        marked: set[int] = set()
        if error_text.has_quiet_lines:
            found = {place for place in found if not is_quiet(text, place) or self._marked(text, place)}
        else:
            marked = {place for place in places(text, self._coarse) if self._marked(text, place)}
            found |= marked
        if found:
            marked.update(error_text.origin(place) for place in self._marking.places(error_text.text))
        return sorted(found), sorted(marked)

    def _others(self, error_text: ErrorText, telling: Sequence[int]) -> set[int]:
        """Where else to look closer: at the first and the last errors between two telling places."""
        found: set[int] = set()
        for stem, words in self._by_stem.items():
            for word in words if stem in error_text.text else ():
                at = error_text.places(word)
                ends = [0, *(bisect.bisect_left(at, place) for place in telling), len(at)] if at else ()
                for first, last in itertools.pairwise(ends):
                    if first < last:
                        found.update(at[first:last][:_LOUD_KEPT], at[first:last][-_LOUD_KEPT:])
        return found

    def _marked(self, text: bytes, place: int) -> bool:
        line_end = text.find(b"\n", place)
        line = text[text.rfind(b"\n", 0, place) + 1 : line_end if line_end >= 0 else len(text)]
        for mark in self._marks:  # noqa: SIM110  (any() takes half as long again, in the innermost loop)
            if mark in line:
                return True
        return False

    def _take(self, region: bytes, number: int, before: datetime | None, *, tells: bool, marked: bool) -> None:
        if marked:
            self._pass_on_last()
            self._first_left, self._first_telling_left = _LOUD_KEPT, _TELLING_KEPT
            self._pass_on(region, number, before, marked=True)
        elif tells and self._first_telling_left:
            self._pass_on_last()
            self._first_left = _LOUD_KEPT
            self._first_telling_left -= 1
            self._pass_on(region, number, before)
        elif tells:
            self._last_telling.append((region, number, before))
            self._last_size += len(region)
            while len(self._last_telling) > _TELLING_KEPT and self._last_size - len(self._last_telling[0][0]) >= KEPT:
                self._last_size -= len(self._last_telling.popleft()[0])
        elif self._first_left and not self._last_telling:
            self._first_left -= 1
            self._pass_on(region, number, before)
        else:
            self._last.append((region, number, before))

    def _pass_on_last(self) -> None:
        for region in sorted((*self._last, *self._last_telling), key=lambda region: region[1]):
            self._pass_on(*region)
        self._last.clear()
        self._last_telling.clear()
        self._last_size = 0

    def _pass_on(self, region: bytes, number: int, before: datetime | None, *, marked: bool = False) -> None:
        if self._on_gap is None or self._first_read < _FIRST_READ:
            self._first_read += 1
            self._take_apart(region, number, before)
            return
        self._newest.append(((region, number, before), marked))
        self._newest_marked += marked
        self._newest_size += len(region)
        while self._newest_marked > _NEWEST_READ or self._newest_size > _NEWEST_KEPT:
            (oldest, _, _), had_mark = self._newest.popleft()
            self._newest_marked -= had_mark
            self._newest_size -= len(oldest)
            self._gap = True

    def _take_apart(self, region: bytes, number: int, before: datetime | None) -> None:
        lines: list[Line] = []
        for offset, raw in enumerate(region.rstrip(b"\n").split(b"\n")):
            line = unwrap(raw, number + offset)
            longest = MAX_OBJECT if lines and lines[-1].text.startswith("{") else MAX_LINE
            if lines and lines[-1].goes_on and len(lines[-1].text) < longest:
                lines[-1] = replace(lines[-1], text=lines[-1].text + line.text, goes_on=line.goes_on)
            else:
                lines.append(line)
        for draft in drafts(lines, self._begins):
            if self._timed:
                draft.at = before = draft.at or before
            if draft.level in ("ERROR", "CRITICAL") or self._tells("\n".join(draft.lines).encode("utf-8", "replace")):
                self._on_record(draft.record())

    def _tells(self, text: bytes) -> bool:
        return next(self._words.places(text), None) is not None or any(word in text for word in self._error_words)


def _forms(word: bytes) -> tuple[bytes, ...]:
    """A word as it stands in a log, and as it stands in JSON."""
    escaped = word.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    return (word,) if escaped == word else (word, escaped)


def _lines_in(text: bytes) -> int:
    return text.count(b"\n") + (text != b"" and not text.endswith(b"\n"))


def _any_in(places: Sequence[int], begin: int, end: int) -> bool:
    return bisect.bisect_left(places, begin) < bisect.bisect_left(places, end)


def _head_before(text: bytes, line: int, floor: int) -> int:
    """Where the record begins that a line belongs to; -1 where no line before it begins one."""
    if is_head(text, line):
        return line
    end, lines = line, 0
    while end > floor and lines < MAX_LINES:
        begin = text.rfind(b"\n", floor, max(floor, end - _PIECE)) + 1 or floor
        for match in reversed(list(_MAY_BEGIN.finditer(text, begin, end))):
            if is_head(text, match.start()):
                return match.start() if lines + text.count(b"\n", match.start(), end) <= MAX_LINES else -1
        lines += text.count(b"\n", begin, end)
        end = begin
    return -1


def _bounds(text: bytes, position: int, floor: int) -> tuple[int, int]:
    """The record around ``position``: from its head to the next one's.

    Where no line has a prefix, it is the line and some that follow: an error's text has several.
    """
    line = text.rfind(b"\n", floor, position) + 1 or floor
    begin = _head_before(text, line, floor)
    headed = begin >= 0
    end = text.find(b"\n", position) + 1 or len(text)
    left = _MAX_AFTER_HEAD if headed else _MAX_UNPREFIXED
    room = MAX_LINES  # a traceback without a prefix before it is long, and ends in the line that says most
    while left > 0 and end < len(text):
        skipped = _NO_HEADS.match(text, end)
        lines = text.count(b"\n", end, skipped.end()) if skipped else 0
        if skipped and (headed or lines <= room):
            end = skipped.end()
            left -= 1
            room -= lines
        if end >= len(text) or is_head(text, end):
            break
        end = text.find(b"\n", end) + 1 or len(text)
        left -= 1
    return (begin if headed else line), end
