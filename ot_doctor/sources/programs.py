"""Starts another program, and ends it and what it started in time. Which programs those are is in ``.github/SECURITY.md``."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from ot_doctor.core.receipt import note

if TYPE_CHECKING:
    import subprocess

_MOST = 32 * 2**20  # bytes of output, and of errors
_AT_ONCE = getattr(select, "PIPE_BUF", 512)  # bytes that a pipe takes without a wait where it takes any
_FOLDERS = ("/usr/bin", "/bin", "/usr/local/bin", "/opt/homebrew/bin")


class TooMuchOutput(OSError):
    """A program was ended because it printed more than it was allowed to."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        return self.output.decode("utf-8", "replace")


def find(name: str) -> str | None:
    """The program in a system folder; the search path is not asked."""
    found = (os.path.join(folder, name) for folder in _FOLDERS)
    return next((path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def run(
    command: Sequence[str], environ: Mapping[str, str], folder: str, seconds: float, *, most: int = _MOST, data: bytes = b""
) -> Ended:
    """Run it without a terminal, with ``data`` on its standard input. It and what it started have ended afterwards.

    Raises ``OSError``: ``TimeoutError`` when it was ended because it took too long, ``TooMuchOutput`` beyond ``most`` bytes.
    """
    import subprocess

    note("commands", f"{os.path.basename(command[0])} on this machine")
    until = time.monotonic() + seconds
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE if data else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(environ), cwd=folder, start_new_session=True,
    )  # fmt: skip
    too_long = f"{command[0]} did not end within {seconds:g} s"
    try:
        output, errors = _exchanged(process, data, until, most, too_long)
        process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError(too_long) from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Ended(process.returncode, output, errors.decode("utf-8", "replace"))


def _exchanged(
    process: subprocess.Popen[bytes], data: bytes, until: float, most: int, too_long: str
) -> tuple[bytes, bytes]:
    """Standard output and standard error to their ends, in whatever order they come; ``data`` goes in meanwhile."""
    streams: list[IO[bytes]] = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    came = [bytearray() for _ in streams]
    rest = memoryview(data)
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as opened:
        for stream, into in zip(streams, came, strict=True):
            selector.register(opened.enter_context(stream), selectors.EVENT_READ, into)
        if process.stdin is not None:
            opened.callback(_close, process.stdin)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            ready = selector.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError(too_long)
            for key, _ in ready:
                if key.data is None:
                    rest = _written(key.fd, rest)
                    if not rest:
                        selector.unregister(key.fileobj)
                        _close(key.fileobj)
                    continue
                block = os.read(key.fd, 65_536)
                if not block:
                    selector.unregister(key.fileobj)
                key.data.extend(block)
                if len(key.data) > most:
                    raise TooMuchOutput(f"it printed more than {most:,} bytes")
    return bytes(came[0]), bytes(came[1])


def _written(descriptor: int, rest: memoryview) -> memoryview:
    """What is left to write; nothing where nobody reads any more."""
    try:
        return rest[os.write(descriptor, rest[:_AT_ONCE]) :]
    except BrokenPipeError:
        return rest[:0]


def _close(stream: Any) -> None:
    with contextlib.suppress(OSError):
        stream.close()
