"""Standard output, standard error and report files: one whole document each, and nothing with a secret in it."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from ot_doctor.core import supervisor
from ot_doctor.core.deadline import start

if TYPE_CHECKING:
    from ot_doctor.sources.store import Store


_Value = TypeVar("_Value")
_Made = TypeVar("_Made")
_TRIES = 3  # before a document that holds a secret is given up


class WouldLeak(Exception):
    """A finished document holds a secret: it is not written. The text is a sentence that names the secret's variable."""


class CouldNotWrite(Exception):
    """A finished document could not be written. The text is a sentence that names the file, if it was one, and the reason."""

    def __init__(self, reason: str, *, standard_output: bool = False) -> None:
        super().__init__(f"the result could not be written: {reason}")
        self.standard_output = standard_output


class _Redacted:
    """A text stream that hides secrets, line by line: what a plug-in prints, a library warns of, or a thread raised."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        with self._lock:
            lines, end, self._begun = (self._begun + text).rpartition("\n")
            self._pass_on(lines + end)
        return len(text)

    def flush(self) -> None:
        with self._lock:
            begun, self._begun = self._begun, ""
            self._pass_on(begun)
            self._stream.flush()

    def _pass_on(self, text: str) -> None:
        if text:
            from ot_doctor.redaction.masking import redact

            self._stream.write(redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def keep_stdout_for_the_report() -> None:
    """Lead what else is written there, by a command that a plug-in runs for instance, to standard error.

    A stream that is closed (``>&-``) leads nowhere, instead of into a file that got its number.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    encoding = sys.stdout.encoding if sys.stdout else "utf-8"
    error = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    if isinstance(error, io.TextIOWrapper):
        error.reconfigure(errors="backslashreplace")  # whatever the locale cannot say, it shows
    sys.stderr = cast(TextIO, _Redacted(error))
    sys.stdout = open(os.dup(1), "w", encoding=encoding, errors="backslashreplace")  # noqa: SIM115
    os.dup2(2, 1)


def terminal_size() -> tuple[int, int]:
    """Columns and lines of standard output, wherever standard error leads; 80 and 24 where it does not tell."""
    try:
        seen = tuple(os.get_terminal_size(sys.stdout.fileno()))
    except (OSError, ValueError):
        seen = (0, 0)
    said = (os.environ.get(name, "") for name in ("COLUMNS", "LINES"))
    columns, lines = (int(s) if s.isdecimal() and len(s) < 6 and int(s) else n for s, n in zip(said, seen, strict=True))
    return columns or 80, lines or 24


def reading_width() -> int:
    """The columns of the terminal, 100 at most: longer lines are hard to read. 80 where there is none."""
    return max(40, min(terminal_size()[0], 100))


def checked(document: str | bytes) -> bytes:
    """The document's bytes, a text's in UTF-8. Raises ``WouldLeak`` when a known secret stands in them."""
    from ot_doctor.redaction.redactor import leaks

    data = document if isinstance(document, bytes) else document.encode("utf-8", "backslashreplace")
    names = leaks(data)
    if names:
        raise WouldLeak(f"Nothing was written: the report would have held {', '.join(names)}.")
    return data


def without_late_secrets(value: _Value, make: Callable[[_Value], _Made]) -> _Made:
    """What ``make`` makes of a redacted value: a document that is checked or written.

    A source that came late may have registered a secret after the redaction. Then the value is redacted again, and ``make``
    called again. Raises ``WouldLeak`` where that does not help.
    """
    for _ in range(_TRIES):
        try:
            return make(value)
        except WouldLeak:
            from ot_doctor.report.redacted import redacted_again

            value = redacted_again(value)
    return make(value)


def write(text: str, *, machine: bool = False) -> None:
    """Put a finished document on standard output; a reader that has gone away is no error.

    What a ``machine`` reads is UTF-8 whatever the locale says; what people read is in the terminal's encoding. Raises
    ``WouldLeak`` and ``CouldNotWrite``.
    """
    data = checked(text)
    encoding = (sys.stdout.encoding or "utf-8").lower()
    if not machine and encoding not in ("utf-8", "utf8"):
        data = text.encode(encoding, "backslashreplace")
    supervisor.writing()
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise CouldNotWrite(error.strerror or str(error), standard_output=True) from error
    finally:
        supervisor.written()


def write_files(documents: Mapping[Path, str | bytes], *, private: bool = False) -> None:
    """Put finished documents into files: all of them, each whole, or none. Raises ``WouldLeak`` and ``CouldNotWrite``.

    ``private`` files can be read by their owner alone.
    """
    staged: list[tuple[str, Path]] = []
    try:
        for path, document in documents.items():
            data = checked(document)
            try:
                # What a link leads to is replaced, not the link.
                _stage(Path(os.path.realpath(path)), data, staged, private)
            except OSError as error:
                raise CouldNotWrite(f"{path}: {error.strerror or error}") from error
        while staged:
            try:
                os.replace(*staged[0])
            except OSError as error:
                raise CouldNotWrite(f"{staged[0][1]}: {error.strerror or error}") from error
            del staged[0]
    finally:
        for name, _ in staged:
            with contextlib.suppress(OSError):
                os.unlink(name)


def _stage(target: Path, data: bytes, staged: list[tuple[str, Path]], private: bool) -> None:
    """Write a file beside ``target`` that is to take its place."""
    if problem := not_to_be_written(target):
        raise CouldNotWrite(problem)
    usual = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(prefix=".ot-doctor-", dir=target.parent)  # the name may be as long as names may be
    staged.append((name, target))
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), 0o600 if private else usual)
        os.fsync(file.fileno())


def not_to_be_written(path: Path) -> str:
    """Why no file can be written there: a folder, a pipe, a device, a circle of links, a name that is too long."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return "" if os.path.isdir(path.parent) else f"there is no folder {path.parent}"
    except NotADirectoryError:
        return f"there is no folder {path.parent}"
    except (OSError, ValueError) as error:  # a ValueError: a null character
        return f"{path}: {getattr(error, 'strerror', None) or error}"
    if stat.S_ISDIR(kind):
        return f"{path} is a folder"
    return "" if stat.S_ISREG(kind) else f"{path} is not a regular file"


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def complain(text: str) -> None:
    """A sentence on standard error, where anybody can read it."""
    tell(f"ot-doctor: {text}")


def tell(text: str) -> None:
    """Lines on standard error; a reader that has gone away is no error. What holds a secret is hidden."""
    from ot_doctor.redaction.masking import shown

    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(shown(text) + "\n")
        sys.stderr.flush()


def tell_of_waiting(text: str) -> None:
    """One line a try on standard error. A job's log shows them too, so that it does not look like one that hangs."""
    from ot_doctor.redaction.masking import shown

    sys.stderr.write(f"{shown(text)}\n")
    sys.stderr.flush()


class Progress:
    """On a terminal, names on standard error what is waited for, once the wait is long enough to be noticed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> None:
        if sys.stderr.isatty():
            start(self._thread)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def _tell(self) -> None:
        shown = False
        while not self._over.wait(0.4):
            labels = self._store.waiting_for()
            if labels:
                request = self._store.request
                gone = f"{request.timeout - request.remaining():.0f} s of {request.timeout:.0f} s"
                self._show(f"Waiting for {' and '.join(labels[:2])}: {gone} (Ctrl-C stops)")
                shown = True
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    @staticmethod
    def _show(text: str) -> None:
        """In one line of the terminal: of a longer one only a part could be taken away again."""
        from ot_doctor.report.plain import shortened

        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            columns = 80
        sys.stderr.write(f"\r\x1b[K{shortened(text, columns - 1)}")
        sys.stderr.flush()
