"""A terminal for the doctor: waits for what is shown, and types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Mapping
from pathlib import Path

from tests.parts.ready_doctor import IN_ITS_TERMINAL, Started

_SECONDS = 60.0  # a loaded machine


class Terminal:
    def __init__(self, *arguments: str, environ: Mapping[str, str], folder: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 140, 0, 0))
        self.process = Started(*arguments, cwd=folder, env=environ, streams=(theirs,) * 3, before=IN_ITS_TERMINAL)
        os.close(theirs)
        self.shown = ""
        self._from = 0

    def expect(self, text: str) -> None:
        """Wait until the text is shown, behind what was waited for last."""
        until = time.monotonic() + _SECONDS
        while (at := self.shown.find(text, self._from)) < 0:
            assert self._read(until), f"{text!r} was never shown: {self.shown[self._from :]}"
        self._from = at + len(text)

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def answer(self, question: str, line: str) -> None:
        self.expect(question)
        self.type(line)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read(time.monotonic() + _SECONDS):
            pass
        os.close(self._ours)
        return self.process.wait(_SECONDS)

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._ours, 65_536)
        except OSError:  # the other side is closed
            return False
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
