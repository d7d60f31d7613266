"""What checks of others may do by mistake to the process that they run in, and how it is undone.

Such a check runs in a thread of the doctor's process. It is no sandbox: a plug-in is code that the user installed.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO, cast

from ot_doctor.core import supervisor
from ot_doctor.core.deadline import NoResources, start

_KEPT = 64  # descriptors that foreign code cannot use up
_incoming = -1  # the descriptor by which comes what was written to 1 and 2


class _Document:
    """Standard output while foreign code is loaded: what is printed goes to standard error, the document through ``buffer``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        shown: TextIO | None = sys.stderr
        return shown.write(text) if shown else len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def contain() -> None:
    """Called before the first foreign module is imported: what it prints is redacted, and never in the document."""
    global _incoming
    if not supervisor.is_our_own():
        return
    if sys.stdout is not None and not isinstance(sys.stdout, _Document):
        sys.stdout = cast(TextIO, _Document(sys.stdout))
        _incoming = _lead_descriptors()


def _lead_descriptors() -> int:
    """Lead what is written to the descriptors 1 and 2, by a command for instance, through ``sys.stderr``, which hides secrets.

    Returns the descriptor that it comes in by; -1 where it cannot be done.
    """
    shown: Any = sys.stderr
    inner = getattr(shown, "_stream", None)
    if inner is None or inner.fileno() != 2:
        return -1
    try:
        kept = os.dup(2)
        readable, writable = os.pipe()
    except OSError:
        return -1

    def pass_on() -> None:
        while text := os.read(readable, 65536):
            with contextlib.suppress(OSError, ValueError):
                shown.write(text.decode("utf-8", "backslashreplace"))

    try:
        start(threading.Thread(target=pass_on, name="what plug-ins write", daemon=True))
    except NoResources:
        return -1
    shown._stream = os.fdopen(kept, "w", buffering=1, encoding=inner.encoding, errors="backslashreplace")
    os.dup2(writable, 1)
    os.dup2(writable, 2)
    os.close(writable)
    return readable


def _drain() -> None:
    """Wait, for a moment, until what was written to the descriptors has been passed on."""
    until = time.monotonic() + 0.1
    while _incoming >= 0 and time.monotonic() < until and select.select([_incoming], [], [], 0)[0]:
        time.sleep(0.001)


@contextlib.contextmanager
def unharmed() -> Iterator[None]:
    """Foreign code runs inside; what it changed of the interpreter is as before afterwards. For the main thread."""
    modules, streams = dict(sys.modules), (sys.stdin, sys.stdout, sys.stderr)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fewer = min(soft - _KEPT, 4096) if soft != resource.RLIM_INFINITY else 4096
    folder: int | None
    sys.stdout = sys.stderr or sys.stdout  # standard output is for the report alone
    try:
        folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        folder = None
    if fewer > 0:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fewer, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        _drain()
        for name, module in modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
        sys.stdin, sys.stdout, sys.stderr = streams
        if folder is not None:
            with contextlib.suppress(OSError):
                os.fchdir(folder)
                os.close(folder)
