"""The workers' logs: from the files that were named, else from the engine, looked through backwards."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.env_file import ComposeConfig
from ot_doctor.evidence.worker_log import Attempt, Hit, LogSource, Outcome, Record, WorkerLog
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.logs.attempts import ERROR_WORDS, TASK_WORDS, AttemptBuilder
from ot_doctor.logs.containers_apart import Apart, may_diarize, names_containers
from ot_doctor.logs.lines import own_head, own_time_agrees, parse_stamp
from ot_doctor.logs.records import shifted
from ot_doctor.logs.scanner import RecordScan
from ot_doctor.logs.signatures import SignatureCatalogue, catalogue
from ot_doctor.logs.verdicts import ErrorReader, newest_success, settled
from ot_doctor.sources.docker.log_stream import LogProblem, container_lines, file_lines, moment, sdk_lines, stamp_of
from ot_doctor.sources.present_run import present_run
from ot_doctor.sources.wrapped_logs import unwrapped

_STEPS = (12_000, 240_000, 2_400_000, None)  # lines from the end; none is read twice, but each request costs the engine a search
_LONGEST_RECORD = 1 << 15  # characters
_LONGEST_ENTRY = 16_384  # bytes
_KEPT_OF_A_WINDOW = 200  # telling records of lines that are newer than the newest attempt's beginning
_HEAD = 50  # bytes of a line that hold the engine's stamp
_TURN = 0.0005  # seconds
_NO_COMPOSE = Unavailable("The Compose files were not looked at.")
_SHARE = 0.85  # of the time that is left: the rest is for judging and showing


@dataclass(frozen=True)
class _Read:
    """What one log gave."""

    source: LogSource
    attempts: tuple[Attempt, ...] = ()
    stray: tuple[Hit, ...] = ()


def gather(request: Request, workers: Workers | Unavailable, compose: ComposeConfig | Unavailable = _NO_COMPOSE) -> WorkerLog:
    """Read the logs and cut them into attempts. Raises ``Unavailable`` where neither a file was named nor an engine found.

    ``compose`` is only waited for: the secrets of the ``.env`` and of the Compose files are known then, and a log may quote them.

    A log that cannot be read is no reason to fail: its ``LogSource`` says why.
    """
    if not request.logs and isinstance(workers, Unavailable):
        raise workers
    reads: list[_Read] = []
    with _short_turns():
        if request.logs:
            for index, name in enumerate(dict.fromkeys(request.logs)):
                reads += _read_file(request, name, _until(request, len(request.logs) - index))
        elif isinstance(workers, Workers):
            for index, worker in enumerate(workers.diarizers):
                reads.append(_read_container(request, worker, _until(request, len(workers.diarizers) - index)))
    attempts = [attempt for read in reads for attempt in read.attempts]
    if len(reads) > 1:
        attempts.sort(key=_newness, reverse=True)
    return WorkerLog(
        sources=tuple(read.source for read in reads),
        attempts=tuple(attempts),
        stray=tuple(hit for read in reads for hit in read.stray),
    )


@contextmanager
def _short_turns() -> Iterator[None]:
    """The engine stands still while the reading thread waits for its turn behind the searching one."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _until(request: Request, logs_left: int) -> float:
    return time.monotonic() + max(0.2, _SHARE * request.remaining() / logs_left)


def _newness(attempt: Attempt) -> float:
    moment = attempt.ended_at or attempt.started_at
    return moment.timestamp() if moment else 0.0


def _scan(
    known: SignatureCatalogue, on_record: Callable[[Record], object], *, timed: bool = False,
    on_gap: Callable[[], object] | None = None,
) -> RecordScan:  # fmt: skip
    marking = [signature for signature in known.signatures if signature.marks]
    marks = [*known.marks(), *TASK_WORDS]
    return RecordScan(
        marks, known.words(), lambda record: on_record(_bounded(record)), error_words=ERROR_WORDS,
        begins=lambda text: any(mark.search(text) for mark in marking), timed=timed, on_gap=on_gap,
    )  # fmt: skip


def _bounded(record: Record) -> Record:
    """The record without its middle where it is very long: a few hundred are kept."""
    text, half = record.text, _LONGEST_RECORD // 2
    return record if len(text) <= _LONGEST_RECORD else replace(record, text=f"{text[:half]}\n[...]\n{text[-half:]}")


# -- files ---------------------------------------------------------------------------------------


def _read_file(request: Request, name: str, until: float) -> list[_Read]:
    """What the file gave; of several containers in it, one after the other."""
    shown = "standard input" if name == "-" else str(request.cwd / name)
    known = catalogue(request.signatures)
    parts: dict[str, _OneContainer] = {}
    apart: Apart | None = None
    problem = ""
    begins: list[int] = []
    try:
        for nth, block in enumerate(unwrapped(file_lines(name if name == "-" else str(request.cwd / name), until), begins)):
            if nth == 0 and names_containers(block):
                apart = Apart()
            for service, lines in apart.split(block) if apart else (("", block),):
                if service not in parts:
                    parts[service] = _OneContainer(known, shown, service, apart, begins)
                parts[service].scan.feed(lines)
    except LogProblem as error:
        problem = str(error)
    parts = parts or {"": _OneContainer(known, shown, "", None, begins)}
    chosen = [part for service, part in parts.items() if may_diarize(service)] or list(parts.values())
    return [part.read(problem, judged=part in chosen, alone=len(parts) == 1) for part in parts.values()]


class _OneContainer:
    """The lines of one container in a file; all lines where it names none."""

    def __init__(self, known: SignatureCatalogue, file: str, service: str, apart: Apart | None, begins: Sequence[int]) -> None:
        self._file, self._service, self._apart, self._begins = file, service, apart, begins
        self._builder = AttemptBuilder(known, file)
        self.scan = _scan(known, self._take, on_gap=self._builder.forget)

    def _number(self, nth: int) -> int:
        nth = self._apart.number(self._service, nth) if self._apart else nth
        return self._begins[min(nth, len(self._begins)) - 1] if self._begins else nth

    def _take(self, record: Record) -> None:
        first, last = record.lines
        self._builder.add(replace(record, lines=(self._number(first), self._number(last))))

    def read(self, problem: str, *, judged: bool, alone: bool) -> _Read:
        """What it gave, with the errors that no signature knows where they are to be ``judged``."""
        self.scan.close()
        name = self._file if alone or not self._service else f"{self._service} in {self._file}"
        lines = [(self._number(nth), raw) for nth, raw in self.scan.last_lines] if judged else []
        tokens = [self._number(nth) for nth in self.scan.token_lines]
        count = self._begins[-1] if alone and self._begins else self.scan.lines
        read = _result(name, count, tokens, self._builder, lines, whole=not problem, problem=problem)
        of_a_worker = self.scan.of_a_worker or bool(read.attempts or read.stray)
        attempts = tuple(replace(attempt, worker=name) for attempt in read.attempts)
        source = replace(read.source, end_unread=bool(problem), of_a_worker=of_a_worker)
        return replace(read, source=source, attempts=attempts)


def _result(
    name: str,
    lines: int,
    token_lines: list[int],
    builder: AttemptBuilder,
    last_lines: Iterable[tuple[int, bytes]],
    *,
    whole: bool,
    problem: str = "",
    since: datetime | None = None,
) -> _Read:
    source = LogSource(
        name=name,
        lines_read=lines,
        whole=whole,
        since=since,
        problem=problem,
        token_lines=tuple(token_lines),
        release_signs=tuple(sorted(builder.release_signs)),
        device=builder.device,
    )
    reader = ErrorReader(last_lines, since)
    attempts = tuple(reader.named(attempt) for attempt, _ in builder.attempts())
    failed = [attempt.lines for attempt in attempts if attempt.outcome is Outcome.FAILED]
    after = newest_success(attempts)
    unknown = reader.outside([*failed, *builder.explained], after)
    return _Read(replace(source, other_errors=reader.other_errors), attempts, settled(builder.stray(), unknown, after))


# -- containers ----------------------------------------------------------------------------------


def _read_container(request: Request, worker: Worker, until: float) -> _Read:
    return _Backwards(request, worker, until).read()


class _Backwards:
    """Reads a container's log from its end, a larger window at each step, until the newest attempt is whole."""

    def __init__(self, request: Request, worker: Worker, until: float) -> None:
        self._request, self._worker, self._until = request, worker, until
        self._since = present_run(worker)
        self._known = catalogue(request.signatures)
        self._windows: list[_Window] = []  # in the order of the log
        self._builder = self._new_builder(self._since)

    def read(self) -> _Read:
        trouble = ""
        whole = cut_short = False
        for tail in _STEPS:
            window = self._older_window()
            try:
                self._fill(window, tail)
            except LogProblem as error:
                trouble = str(error)
                cut_short = self._keep_what_came(window)
                break
            self._windows = [window, *self._newer()]
            self._builder = window.followed_by(self._windows[1:])
            whole = self._holds_all(window, tail)
            if whole or _newest_is_whole(self._builder):
                break
        result = _result(
            self._worker.name, _lines_in(self._windows), self._token_lines(), self._builder, self._last_lines(),
            whole=whole, problem=self._problem(trouble, cut_short=cut_short), since=self._since,
        )  # fmt: skip
        return replace(result, source=replace(result.source, end_unread=cut_short))

    def _new_builder(self, since: datetime | None) -> AttemptBuilder:
        return AttemptBuilder(self._known, self._worker.name, since=since, running=self._worker.running)

    def _newer(self) -> list[_Window]:
        """The windows that an older one is put before; none where many lines have the same stamp, as Podman's have."""
        return [] if self._worker.engine.podman else self._windows

    def _older_window(self) -> _Window:
        """An empty window; without stamps where the lines' own times do."""
        windows = self._newer()
        unstamped = bool(windows) and _tells_the_time(windows[-1], self._worker, self._since)
        entries_after = windows[0].entries if windows else 0
        builder = self._new_builder(None if unstamped else self._since)
        return _Window(self._known, builder, entries_after, stamped=not unstamped)

    def _fill(self, window: _Window, tail: int | None) -> None:
        """Read the last ``tail`` lines, but those that newer windows hold. Raises ``LogProblem``."""
        windows = self._newer()
        if windows and not windows[-1].first_stamp:
            raise LogProblem("the engine's time stamps cannot be understood")
        if window.stamped:
            window.read(_lines(self._request, self._worker, tail, self._until), before=windows[0].first_stamp if windows else b"")
            return
        lines = container_lines(self._worker.engine, self._worker.id, tail, self._until, before=windows[-1].first_stamp)
        if not window.read_until(lines, windows[0].head if len(windows) > 1 else b""):
            del windows[:-1]  # the new window holds all lines before the last one

    def _keep_what_came(self, window: _Window) -> bool:
        """Count the lines that came before the first window broke off: the newest come last. Whether there were any."""
        if self._windows or not window.scan.lines:
            return False
        window.scan.close()
        self._windows.append(window)
        self._builder = window.followed_by(())
        return True

    def _holds_all(self, window: _Window, tail: int | None) -> bool:
        """Whether nothing of the log, or of the present run, is older than this window."""
        return tail is None or window.entries < tail or (self._since is not None and window.began_before(self._since))

    def _token_lines(self) -> list[int]:
        return [
            _lines_in(self._windows[:place]) + line for place, part in enumerate(self._windows) for line in part.scan.token_lines
        ]

    def _last_lines(self) -> list[tuple[int, bytes]]:
        return [
            (_lines_in(self._windows[:place]) + nth, raw)
            for place, part in enumerate(self._windows)
            for nth, raw in part.scan.last_lines
        ]

    def _problem(self, trouble: str, *, cut_short: bool) -> str:
        name = self._worker.name
        if trouble and not self._windows:
            command = f"{self._worker.engine.program} inspect -f '{{{{.HostConfig.LogConfig.Type}}}}' {name}"
            return f"The log of {name} cannot be read: {trouble}. Its log driver is '{self._worker.log_driver}'; see: {command}"
        if trouble and not cut_short:
            longer = max(120, round(4 * self._request.timeout))
            return f"no attempt in the last {_lines_in(self._windows):,} lines of {name}; --timeout {longer} looks further back"
        return trouble


def _tells_the_time(last: _Window, worker: Worker, since: datetime | None) -> bool:
    """Whether older lines need no stamps: one run of the container wrote them all, and their own times are the engine's."""
    one_run = since is not None and since == worker.created_at
    return one_run and last.own_time_agrees and _at_a_socket(worker)


def _at_a_socket(worker: Worker) -> bool:
    return worker.engine.endpoint.startswith(("unix://", "http+unix://"))


def _lines(request: Request, worker: Worker, tail: int | None, until: float) -> Iterator[bytes]:
    if _at_a_socket(worker):
        return container_lines(worker.engine, worker.id, tail, until)
    return sdk_lines(worker.engine, worker.id, tail, request, until)


class _Window:
    """The lines between two places of a container's log."""

    def __init__(self, known: SignatureCatalogue, builder: AttemptBuilder, entries_after: int, *, stamped: bool = True) -> None:
        self.first_stamp = b""
        self.own_time_agrees = False
        self.head = b""  # of lines without stamps: what they begin with, where it stands nowhere else
        self.stamped = stamped
        self._after = entries_after
        self._bytes = 0
        self._builder = builder
        self._first: list[Record] = []
        self._last: deque[Record] = deque(maxlen=_KEPT_OF_A_WINDOW)
        self.scan = _scan(known, self._take, timed=not stamped)

    def _take(self, record: Record) -> None:
        if self._builder.add(record) or record.level == "ERROR":
            (self._first if len(self._first) < _KEPT_OF_A_WINDOW else self._last).append(record)

    def read(self, blocks: Iterator[bytes], *, before: bytes) -> None:
        """Take the lines in, up to the one that has the stamp ``before``."""
        end = moment(before) if before else None
        for block in blocks:
            if self.stamped and not self.first_stamp:
                self.first_stamp = stamp_of(block[:_HEAD])
                self.own_time_agrees = own_time_agrees(block)
            self._bytes += len(block)
            last_line = block.rfind(b"\n", 0, len(block) - 1) + 1
            if end is not None and (moment(block[last_line : last_line + _HEAD]) or 0) >= end:
                older = (line for line in block.splitlines(keepends=True) if (moment(line[:_HEAD]) or 0) < end)
                self.scan.feed(b"".join(older))
                break
            self.scan.feed(block)
        self.scan.close()

    def read_until(self, blocks: Iterator[bytes], head: bytes) -> bool:
        """Take in lines without stamps, up to those that the window after this one begins with; whether they were found."""
        held = b""
        found = False
        for block in blocks:
            self.head = self.head or own_head(block)
            self._bytes += len(block)
            at = (held + block).find(head) if head else -1
            if at >= 0:
                held, found = (held + block)[:at], True
                break
            self.scan.feed(held)
            held = block
        self.scan.feed(held)
        self.scan.close()
        return found

    def followed_by(self, newer: Sequence[_Window]) -> AttemptBuilder:
        """What this window tells, together with the windows after it: no attempt begins in those."""
        for place, window in enumerate(newer):
            offset = _lines_in([self, *newer[:place]])
            for record in (*window._first, *window._last):
                self._builder.add(shifted(record, offset))
        return self._builder

    @property
    def entries(self) -> int:
        """How many entries of the engine's log they can be at most: it keeps a long line in several."""
        return self._after + self.scan.lines + self._bytes // _LONGEST_ENTRY + 1

    def began_before(self, moment: datetime) -> bool:
        stamp = parse_stamp(self.first_stamp.decode("ascii", "replace"))
        return stamp is not None and stamp < moment


def _lines_in(windows: Iterable[_Window]) -> int:
    return sum(window.scan.lines for window in windows)


def _newest_is_whole(builder: AttemptBuilder) -> bool:
    telling = [pair for pair in builder.attempts() if pair[0].outcome is not Outcome.DISABLED]
    return bool(telling) and telling[0][1]
