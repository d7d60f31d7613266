"""Runs the doctor elsewhere as one file that is sent: on another machine, or here for an engine there. Nothing stays behind.

What is sent to is kept alive by its standard input: when that ends, because this process has ended or the connection was cut,
the doctor there is ended, and with it the container that it may run in.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ot_doctor.core.deadline import start
from ot_doctor.core.printable import printable
from ot_doctor.core.receipt import note
from ot_doctor.evidence.base import Unavailable
from ot_doctor.sources.ssh import SshAddress, command, failed, last_line
from ot_doctor.sources.there import LOADER, NO_PYTHON, line_for

_MOST = 64 * 2**20  # bytes of a document
_MOST_SAID = 200_000  # bytes on standard error
_NOT_SSHS = 255
_OURS = ("OT_DOCTOR_", "DOCKER_")  # variables that say where to look, and are about this machine
_ended_too: set[subprocess.Popen[bytes]] = set()
_starting = threading.Lock()  # so that what is started is known before anybody ends all


@dataclass(frozen=True)
class RemoteAnswer:
    """What the doctor said there."""

    document: bytes
    said: str  # on standard error, printable
    exit_code: int
    note: str = ""  # a sentence about what was done instead


class NotRunThere(Unavailable):
    """The machine was reached, and has nothing that can run the doctor."""


def run_there(
    address: SshAddress, single_file: bytes, arguments: Sequence[str], environ: Mapping[str, str], seconds: float
) -> RemoteAnswer:
    """Send the doctor there and run it. Raises ``Unavailable`` where it could not be run, or gave no document in time."""
    there = line_for(len(single_file), arguments, address.folder)
    note("commands", "ssh on this machine")
    ended = _exchange([*command(address, "-o", "ClearAllForwardings=yes"), there], single_file, environ, seconds, address)
    if ended.exit_code == NO_PYTHON:
        raise NotRunThere(
            f"{address.name} has no Python 3.10 or newer, no uv that has one, and no worker's image that could run ot-doctor.",
            hint=f"Install a Python 3.10 or newer there. {last_line(ended.said)}".strip(),
        )
    if ended.exit_code == _NOT_SSHS:
        raise failed(address, ended.said)
    return ended


def run_here(
    address: SshAddress, single_file: bytes, arguments: Sequence[str], environ: Mapping[str, str], seconds: float
) -> RemoteAnswer:
    """Run the doctor on this machine for the engine of another one. Raises ``Unavailable`` as ``run_there`` does."""
    words = ["run", "--engine-of", f"{address.machine}{quote(address.folder)}", *arguments]
    own = {name: value for name, value in environ.items() if not name.startswith(_OURS)}
    loaded = [sys.executable, "-I", "-c", LOADER, str(len(single_file)), "-", *words]
    return _exchange(loaded, single_file, own, seconds, address)


def end_all() -> None:
    """End what is running, at once."""
    with _starting:
        running = list(_ended_too)
    for process in running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _exchange(
    line: Sequence[str], feed: bytes, environ: Mapping[str, str], seconds: float, address: SshAddress
) -> RemoteAnswer:
    try:
        with _starting:
            process = subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environ),
                start_new_session=True,
            )  # fmt: skip
            _ended_too.add(process)
    except OSError as error:
        raise Unavailable(f"{line[0]} could not be started: {error.strerror}") from None
    try:
        document, said = _Reader(process, process.stdout, _MOST), _Reader(process, process.stderr, _MOST_SAID)
        writer = threading.Thread(target=_feed, args=(process, feed), daemon=True)
        start(writer)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"{address.name} did not answer within {seconds:.0f} s.", hint="Give it more time with --timeout 120."
            ) from None
        return RemoteAnswer(document.all(), printable(said.all().decode("utf-8", "replace")), code)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _ended_too.discard(process)
        if process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.close()


class _Reader:
    """Reads a stream to its end, in a thread; more than ``most`` bytes end the program."""

    def __init__(self, process: subprocess.Popen[bytes], stream: object, most: int) -> None:
        self._process, self._stream, self._most = process, stream, most
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        start(self._thread)

    def all(self) -> bytes:
        self._thread.join(5)
        if len(self._data) > self._most:
            raise Unavailable(f"The other machine sent more than {self._most:,} bytes.")
        return bytes(self._data)

    def _read(self) -> None:
        read = getattr(self._stream, "read1", None)
        while read and (piece := read(65_536)):
            self._data += piece
            if len(self._data) > self._most:
                self._process.kill()
                return


def _feed(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Everything is sent, and the stream stays open: its end is what ends the doctor there."""
    assert process.stdin
    with contextlib.suppress(OSError, ValueError):
        process.stdin.write(data)
        process.stdin.flush()
