"""A small parent process that ends a run in time, whatever holds the interpreter of the working process.

``begin`` forks: the child goes on and does the work, the parent waits. The child tells it over a pipe what it is doing and until
when. A regular expression or a loop of a plug-in that never lets another thread run cannot be ended from inside; the parent
can end it, and then says so in the child's place. ``docs/decisions/0009-a-parent-that-ends-the-run.md`` has the reasons.

Where there is no supervision (another system than Linux, no process or descriptor left) every function here does nothing, but
that an alarm ends the process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn

GRACE = 0.8  # seconds after the run's own deadline; with start and document, less than 2
_WARM_UP = 0.8  # seconds before the end in which the parent gets ready to speak
_DEFAULT = 30.0  # seconds, where no --timeout is known
_FOR_FILES = 10.0  # seconds for what comes after the document: the files of --output
_INTERRUPTED = 1.0  # seconds that an interrupted child has to end
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_FORWARDED = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

_begun = False
_clean: Callable[[str], str] = str
_kept = -1  # a file in memory that parent and child share
_channel: int | None = None  # in the child: where the parent listens


@dataclass
class Stopped:
    """A run that did not end by itself, as its parent knows it."""

    why: str = ""  # "did not end within 30 s", "was ended by SIGKILL": the rest of a sentence about the run
    step: str = ""  # what it was doing: "the check site-mirror was running"
    advice: str = ""  # a sentence
    options: str = ""  # JSON, as the child told them with ``shown_as``
    kept: bytes = b""  # what the child gave with ``keep``
    written: bool = False  # whether the document is on standard output already
    interrupted: bool = False


def begin(last_word: Callable[[Stopped], int], get_ready: Callable[[], object], clean: Callable[[str], str] = str) -> None:
    """Fork. Returns in the child; the parent never returns, and ends as the child did.

    ``last_word`` is called in the parent when the child did not end properly: it writes the document, and returns the exit code.
    ``clean`` is put over what ``doing`` tells it: the child may know secrets that the parent does not.
    ``get_ready`` is called there shortly before that can be expected: it imports what ``last_word`` needs.
    """
    global _begun, _kept, _clean
    _begun, _clean = True, clean
    if not sys.platform.startswith("linux"):  # frameworks of macOS do not survive a fork without exec
        _alarm(_told_timeout() + GRACE)
        return
    previous = {number: signal.getsignal(number) for number in _FORWARDED}
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    try:
        ours, theirs, _kept = os.pipe(), os.pipe(), os.memfd_create("ot-doctor")
        parent, child = os.getpid(), os.fork()
    except OSError:  # no process or descriptor left
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        _alarm(_told_timeout() + GRACE)
        return
    if child:
        try:
            os.close(ours[1])
            os.close(theirs[0])
            _Parent(child, ours[0], last_word, get_ready).wait(previous)
        except Exception:  # then it is a process that waits, and no more
            status = os.waitpid(child, 0)[1]
            os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 3)
    os.close(ours[0])
    os.close(theirs[1])
    _become_the_child(parent, ours[1], theirs[0])
    if previous[signal.SIGINT] is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt_once)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)


def is_our_own() -> bool:
    """Whether this process is the command's, and not a program's or a test's that uses the package."""
    return _begun


def expect(seconds: float) -> None:
    """The run ends by itself within so many seconds from now. Infinite while a human is waited for."""
    if _channel is None:
        _alarm(seconds + GRACE)
    _tell("expect", repr(seconds))


def doing(step: str, advice: str = "") -> None:
    """What is done now, as half a sentence: what to name if it never ends."""
    _tell("doing", f"{_clean(step) if step else step}\t{advice}")


def shown_as(options: str) -> None:
    """How a document is wanted: the options as JSON."""
    _tell("options", options)


def keep(data: bytes) -> None:
    """What is known before code runs that may end the process: ``last_word`` gets it. Empty: what was kept is no longer so."""
    if _channel is not None:
        try:
            os.ftruncate(_kept, 0)
            os.pwrite(_kept, data, 0)
        except OSError:  # no memory left
            data = b""
        _tell("kept", str(len(data)))


def writing() -> None:
    """The document is being written from now on: however long its reader takes, there must not be a second one."""
    if _channel is None:
        _alarm(0)
    _tell("writing")


def written() -> None:
    """The document is on standard output, whole."""
    _tell("written")


def end() -> None:
    """The process ends properly now, with the exit code that it means."""
    _tell("end")


def _tell(word: str, text: str = "") -> None:
    if _channel is not None:
        line = f"{word}\t{text}".replace("\n", " ")
        with contextlib.suppress(OSError):  # a parent that is gone
            os.write(_channel, line.encode("utf-8", "replace") + b"\n")


def _alarm(seconds: float) -> None:
    """The last resort without a parent: the process ends by SIGALRM, without a document. 0 takes it back."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds if seconds < 1e6 else 0)


def _become_the_child(parent: int, channel: int, lifeline: int) -> None:
    global _channel
    import fcntl  # not on every system

    _channel = channel
    # The parent holds the other end and writes nothing: when it is gone, the kernel ends this process.
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if os.getppid() != parent:
        os._exit(1)
    atexit.register(end)


def _interrupt_once(number: int, frame: FrameType | None) -> None:
    """Ctrl-C reaches parent and child, and the parent passes it on: the first one counts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _told_timeout() -> float:
    """``--timeout`` as the command line or the environment tell it at first sight; the child tells more exactly later."""
    given = [os.environ.get("OT_DOCTOR_TIMEOUT", "")]
    for argument, after in zip(sys.argv[1:], [*sys.argv[1:], ""][1:], strict=True):
        if argument == "--timeout":
            given.append(after)
        elif argument.startswith("--timeout="):
            given.append(argument.partition("=")[2])
    seconds = _DEFAULT
    for text in given:
        with contextlib.suppress(ValueError):
            seconds = float(text)
    return seconds if 0 < seconds < 1e6 else _DEFAULT


@dataclass
class _Parent:
    child: int
    channel: int
    last_word: Callable[[Stopped], int]
    get_ready: Callable[[], object]
    known: Stopped = field(default_factory=Stopped)
    over: float | None = None  # on the monotonic clock
    expected: float = _DEFAULT  # seconds, as last told
    ended: bool = False  # the child said that it ends
    forwarded: set[int] = field(default_factory=set)  # signals that were sent to this process
    status: int | None = None
    _begun: bytes = b""

    def wait(self, previous: Mapping[signal.Signals, object]) -> NoReturn:
        awake, wake = os.pipe()
        for end in (awake, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in _FORWARDED:
            if previous[number] is not signal.SIG_IGN:
                signal.signal(number, self._forward)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        self.expected = _told_timeout()
        self.over = time.monotonic() + self.expected + GRACE
        ready = False
        while self.status is None:
            self._sleep(awake)
            pid, status = os.waitpid(self.child, os.WNOHANG)
            if pid:
                self.status = status
            elif self.over is not None and not ready and time.monotonic() >= self.over - _WARM_UP:
                self.get_ready()
                ready = True
            elif self.over is not None and time.monotonic() >= self.over:
                self._hear()
                if self.over is not None and time.monotonic() >= self.over:  # nothing that was told meanwhile changes that
                    self._kill()
        self._hear()
        self._finish()

    def _sleep(self, awake: int) -> None:
        """Until something happens, half a second at most. A process that was stopped (Ctrl-Z, suspend) gets that time back."""
        left = 0.5 if self.over is None else min(0.5, max(0.0, self.over - time.monotonic()))
        before = time.monotonic()
        readable = select.select([fd for fd in (awake, self.channel) if fd >= 0], [], [], left)[0]
        missed = time.monotonic() - before - left
        if self.over is not None and missed > 1.0:
            self.over += missed + GRACE
        if awake in readable:
            os.read(awake, 4096)
        if self.channel in readable:
            self._hear()

    def _hear(self) -> None:
        """Take in what the child has told so far."""
        while self.channel >= 0 and select.select([self.channel], [], [], 0)[0]:
            told = os.read(self.channel, 65536)
            if not told:  # its end is closed: by its end, or by a plug-in that closes what it did not open
                os.close(self.channel)
                self.channel = -1
                return
            *lines, self._begun = (self._begun + told).split(b"\n")
            for line in lines:
                self._take(*line.decode("utf-8", "replace").split("\t", 1))

    def _take(self, word: str, text: str = "") -> None:
        now = time.monotonic()
        if word == "expect":
            with contextlib.suppress(ValueError):
                self.expected = float(text)
                self.over = now + self.expected + GRACE if self.expected < 1e6 else None
        elif word == "doing":
            self.known.step, _, self.known.advice = text.partition("\t")
        elif word == "options":
            self.known.options = text
        elif word == "kept":
            self.known.kept = os.pread(_kept, int(text), 0)
        elif word == "writing":
            self.over, self.known.written = None, True
        elif word == "written":
            self.over = now + _FOR_FILES
        elif word == "end":
            self.ended = True

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self.forwarded.add(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.child, number)
        if number == signal.SIGINT:
            self.known.interrupted = True
            self.over = min(self.over or float("inf"), time.monotonic() + _INTERRUPTED)

    def _kill(self) -> None:
        self.known.why = f"did not end within {self.expected:g} s"
        for pid in [*reversed(_descendants(self.child)), self.child]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        self.status = os.waitpid(self.child, 0)[1]

    def _finish(self) -> NoReturn:
        status = self.status or 0
        by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if by in self.forwarded and not self.known.why:
            signal.signal(by, signal.SIG_DFL)
            os.kill(os.getpid(), by)
        if self.ended and not by:
            os._exit(os.WEXITSTATUS(status))
        if not self.known.why:
            how = f"by the signal {signal.Signals(by).name}" if by else f"before its end, with exit code {os.WEXITSTATUS(status)}"
            self.known.why = f"was ended {how}"
        # A file of --output may lie where writing hangs: the document has been written by then.
        signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
        signal.setitimer(signal.ITIMER_REAL, _FOR_FILES)
        code = 130 if self.known.interrupted else 3
        try:
            code = self.last_word(self.known)
        except Exception as error:
            os.write(2, f"ot-doctor: the run {self.known.why}, and no report could be written: {type(error).__name__}\n".encode())
        finally:
            os._exit(code)


def _descendants(pid: int) -> list[int]:
    """The processes that a process has started, and theirs: a git or ssh that hangs is not left behind."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for child in map(int, file.read().split()):
                    found += [child, *_descendants(child)]
    return found
