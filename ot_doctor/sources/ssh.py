"""Runs the doctor on another machine through the user's own ``ssh``: nothing is asked, nothing stays there."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ot_doctor.core.deadline import start
from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Unavailable
from ot_doctor.sources.programs import find

CONNECT = 10  # seconds
_MOST = 64 * 2**20  # bytes of a document
_MOST_SAID = 200_000  # bytes on standard error
_NO_PYTHON = 97  # an exit code that no doctor has
_NOT_SSHS = 255
_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:%\[\]-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}")
_PYTHONS = "python3 python3.14 python3.13 python3.12 python3.11 python3.10"
# Reads the single file from standard input into a file that has no name any more when it is run.
_LOADER = (
    "import os,subprocess,sys,tempfile;n=int(sys.argv[1]);b=sys.stdin.buffer.read(n);"
    'len(b)==n or sys.exit("ot-doctor: the connection was cut");'
    'd=[d for d in (os.environ.get("XDG_RUNTIME_DIR"),"/dev/shm",tempfile.gettempdir()) if d and os.access(d,os.W_OK)];'
    'f,p=tempfile.mkstemp(".pyz","ot-doctor-",d[0]);os.fdopen(os.dup(f),"wb").write(b);q="/proc/self/fd/%d"%f;'
    "k=os.path.exists(q);"
    "k and os.unlink(p);"
    'r=subprocess.call([sys.executable,"-I",q if k else p]+sys.argv[2:],pass_fds=[f],stdin=subprocess.DEVNULL);'
    "k or os.unlink(p);sys.exit(r)"
)


@dataclass(frozen=True)
class SshAddress:
    """Another machine, and the folder of the installation there."""

    host: str
    user: str = ""
    port: int = 0  # 0: as ssh is configured
    folder: str = ""  # absolute; empty: it is found there as it is found here
    text: str = ""  # as the user wrote it

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host


@dataclass(frozen=True)
class RemoteAnswer:
    """What the doctor said there."""

    document: bytes
    said: str  # on standard error, printable
    exit_code: int


def address_of(text: str) -> SshAddress:
    """``ssh://me@server:2222/srv/opentranscribe``. Raises ``ValueError`` with the rest of a sentence about it."""
    parts = urlsplit(text)
    if parts.scheme != "ssh":
        raise ValueError("does not begin with ssh://")
    if parts.password is not None:
        raise ValueError("holds a password: ot-doctor uses your keys alone")
    if parts.query or parts.fragment:
        raise ValueError("has more than a machine and a folder in it")
    host, user, port = parts.hostname or "", unquote(parts.username or ""), parts.port or 0
    if not _HOST.fullmatch(host) or (user and not _USER.fullmatch(user)):
        raise ValueError("names no machine, or no user")
    folder = unquote(parts.path)
    if folder in ("", "/"):
        folder = ""
    elif printable(folder) != folder:
        raise ValueError("names a folder that cannot be printed")
    return SshAddress(host, user, port, folder, text)


def run_there(
    address: SshAddress, single_file: bytes, arguments: Sequence[str], environ: Mapping[str, str], seconds: float
) -> RemoteAnswer:
    """Send the doctor there and run it. Raises ``Unavailable`` where it could not be run, or gave no document in time."""
    program = find("ssh")
    if program is None:
        raise Unavailable("There is no ssh on this machine.", hint="Install OpenSSH's client.")
    ended = _exchange([program, *_options(address), "--", address.name, _command(len(single_file), arguments)], single_file,
                      environ, seconds, address)  # fmt: skip
    if ended.exit_code == _NO_PYTHON:
        raise Unavailable(
            f"{address.name} has no Python 3.10 or newer.",
            hint="Put ot-doctor.pyz and ot-doctor.sh there: ot-doctor.sh also finds the Python in the worker's own image.",
        )
    if ended.exit_code == _NOT_SSHS:
        said = _last_line(ended.said) or "it ended without a word"
        raise Unavailable(f"ssh to {address.name} failed: {said.rstrip('.')}.", hint=_hint(ended.said, address))
    return ended


def _options(address: SshAddress) -> list[str]:
    return [
        "-T", *(["-p", str(address.port)] if address.port else []), "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT}",
        "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", "-o", "ClearAllForwardings=yes",
    ]  # fmt: skip


def _command(size: int, arguments: Sequence[str]) -> str:
    """One line for whatever shell the account has: everything is within the quotes of an ``sh -c``."""
    words = shlex.join([str(size), *arguments])
    script = (
        f"for p in {_PYTHONS}; do if command -v $p >/dev/null 2>&1 && $p -c 'import sys; sys.exit(sys.version_info < (3, 10))' "
        f"</dev/null >/dev/null 2>&1; then exec $p -I -c {shlex.quote(_LOADER)} {words}; fi; done; exit {_NO_PYTHON}"
    )
    return f"sh -c {shlex.quote(script)}"


def _exchange(
    command: Sequence[str], feed: bytes, environ: Mapping[str, str], seconds: float, address: SshAddress
) -> RemoteAnswer:
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environ),
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Unavailable(f"ssh could not be started: {error.strerror}") from None
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
    assert process.stdin
    with contextlib.suppress(OSError):
        process.stdin.write(data)
        process.stdin.close()


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _hint(said: str, address: SshAddress) -> str:
    port = f"-p {address.port} " if address.port else ""
    if "Host key verification failed" in said:
        return f"Log in once by hand, look at the key, and accept it: ssh {port}{address.name}"
    if "Permission denied" in said:
        return f"ot-doctor never asks for a password. Put your key there: ssh-copy-id {port}{address.name}"
    return f"Try it by hand: ssh -o BatchMode=yes {port}{address.name} true"
