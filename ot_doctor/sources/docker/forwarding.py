"""A socket here that leads to an engine's socket on another machine, through the user's own ``ssh``.

The SDK's own way over ssh has no deadlines and may ask for a password. A socket has every deadline that the SDK knows.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import IO

from ot_doctor.core.printable import printable
from ot_doctor.core.receipt import note
from ot_doctor.evidence.base import Unavailable
from ot_doctor.sources.programs import run
from ot_doctor.sources.ssh import CONNECT, SshAddress, command, failed, last_line

_SOCKET = "/var/run/docker.sock"
_LONGEST_PATH = 90  # bytes; a socket's path may have 107, and fewer on some systems
_MOST_SAID = 20_000  # bytes
_LONGEST = CONNECT + 2.0  # seconds: ssh's own deadline, and its end
# Waits, however this process ends, until the pipe to it is closed; then the folder goes, and ssh with it. Detached, so that
# whoever ends this process and what it started does not end that first.
_GUARD = """
folder=$1; shift; exec 3<&0
(
    ("$@" 2>"$folder/said"; : >"$folder/ended") 3<&- &
    read -r nothing <&3
    command -p rm -rf -- "$folder"
    kill -9 0
) </dev/null >/dev/null 2>&1 &
"""
_ABSENT, _NOT_ALLOWED, _USABLE = 71, 72, 73  # exit codes
_LOOK = f'[ -S "$1" ] || exit {_ABSENT}; [ -w "$1" ] || exit {_NOT_ALLOWED}; exit {_USABLE}'
_OPTIONS = (
    "-n", "-N", "-S", "none", "-o", "ControlMaster=no", "-o", "StreamLocalBindMask=0177",
    "-o", "ExitOnForwardFailure=no",  # a forward of the user's own configuration may be in use already; ours is waited for
)  # fmt: skip


@dataclass(frozen=True)
class _Forward:
    folder: Path
    lifeline: IO[bytes]  # closed: the socket is no more

    @property
    def socket(self) -> Path:
        return self.folder / "d.sock"

    @property
    def ended(self) -> bool:
        return not self.folder.is_dir() or (self.folder / "ended").exists()

    def said(self) -> str:
        try:
            with open(self.folder / "said", "rb") as file:
                return printable(file.read(_MOST_SAID).decode("utf-8", "replace"))
        except OSError:
            return ""


_made: dict[SshAddress, _Forward] = {}
_lock = threading.Lock()


def forwarded(address: SshAddress, environ: Mapping[str, str], seconds: float) -> Path:
    """The socket, which is there as long as this process is; all who ask for one machine share it.

    Raises ``Unavailable`` where ``ssh`` does not get through within ``seconds``.
    """
    with _lock:
        forward = _made.get(address)
        if forward is None or forward.ended:
            forward = _made[address] = _begun(address, environ)
            _wait(address, forward, min(seconds, _LONGEST))
        return forward.socket


def trouble(address: SshAddress, environ: Mapping[str, str], seconds: float) -> Unavailable | None:
    """Why no answer came over a socket, as far as ``ssh`` can find it out within ``seconds``."""
    forward = _made.get(address)
    said = forward.said() if forward else ""
    if "open failed" not in said:
        return failed(address, said) if forward and forward.ended else None
    socket, there = address.folder or _SOCKET, f"{address.folder or _SOCKET} on {address.machine}"
    try:  # the server says the same of all that can be wrong
        code = run([*command(address), f"sh -c {quote(_LOOK)} look {quote(socket)}"], environ, "/", seconds).code
    except (OSError, TimeoutError):
        code = 0
    another = f"Name another one behind the machine: {address.machine}/path/to/docker.sock"
    if code == _ABSENT:
        return Unavailable(f"No Docker engine answers at {there}: there is no such socket.", hint=another)
    if code == _NOT_ALLOWED:
        who = address.user or "the account"
        return Unavailable(
            f"The Docker socket {there} cannot be used: {who} is not allowed to (permission denied).",
            hint="Log in as a member of the group docker. (Such a member has the rights of root.)",
        )
    if code == _USABLE:
        return Unavailable(
            f"The Docker socket {there} cannot be reached: the ssh server there does not allow it to be forwarded.",
            hint="Either allow it in its sshd_config (AllowStreamLocalForwarding yes), or run ot-doctor on that machine.",
        )
    return Unavailable(f"The Docker socket {there} cannot be reached: {last_line(said)}.", hint=another)


def _begun(address: SshAddress, environ: Mapping[str, str]) -> _Forward:
    folder = _private_folder()
    forward = f"{folder / 'd.sock'}:{address.folder or _SOCKET}"
    line = ["/bin/sh", "-c", _GUARD, "ot-doctor", str(folder), *command(address, *_OPTIONS, "-L", forward)]
    note("commands", "ssh on this machine")
    try:
        guard = subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(environ),
            start_new_session=True, cwd="/",
        )  # fmt: skip
    except OSError as error:
        os.rmdir(folder)
        raise Unavailable(f"ssh could not be started: {error.strerror}") from None
    guard.wait()
    assert guard.stdin
    return _Forward(folder, guard.stdin)


def _private_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ot-doctor-"))
    if len(os.fsencode(folder)) > _LONGEST_PATH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="ot-doctor-", dir="/tmp"))
    return folder


def _wait(address: SshAddress, forward: _Forward, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not forward.socket.exists():
        ended = forward.ended
        if ended or time.monotonic() > until:
            said = forward.said()
            _end(address)
            if ended:
                raise failed(address, said)
            raise Unavailable(
                f"ssh to {address.name} did not get through within {seconds:.0f} s.",
                hint="Try it by hand, or give it more time with --timeout 120.",
            )
        time.sleep(0.02)


def _end(address: SshAddress) -> None:
    with contextlib.suppress(OSError):
        _made.pop(address).lifeline.close()
