"""The user's own ``ssh``: addresses, the options that keep it from asking anything, and what its errors mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Unavailable
from ot_doctor.sources.programs import find

CONNECT = 10  # seconds
_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:%\[\]-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,63}")


@dataclass(frozen=True)
class SshAddress:
    """Another machine, and a path on it: the folder of the installation, or the engine's socket."""

    host: str
    user: str = ""
    port: int = 0  # 0: as ssh is configured
    folder: str = ""  # absolute; empty: none was named
    text: str = ""  # as the user wrote it

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    @property
    def machine(self) -> str:
        """The address without a path."""
        return f"ssh://{self.name}{f':{self.port}' if self.port else ''}"


def address_of(text: str) -> SshAddress:
    """``ssh://me@server:2222/srv/opentranscribe``. Raises ``ValueError`` with the rest of a sentence about it."""
    if not text.isprintable() or text != text.strip():
        raise ValueError("has blanks around it, or holds what cannot be printed")
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


def command(address: SshAddress, *options: str) -> list[str]:
    """The beginning of a command line that never asks anything; what is done there follows.

    Raises ``Unavailable`` where there is no ``ssh``.
    """
    program = find("ssh")
    if program is None:
        raise Unavailable("There is no ssh on this machine.", hint="Install OpenSSH's client.")
    return [
        program, "-T", *(["-p", str(address.port)] if address.port else []), "-o", "BatchMode=yes",
        "-o", f"ConnectTimeout={CONNECT}", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3", *options,
        "--", address.name,
    ]  # fmt: skip


def failed(address: SshAddress, said: str) -> Unavailable:
    """What an ``ssh`` that ended by itself becomes, by what it said on standard error."""
    last = last_line(said) or "it ended without a word"
    return Unavailable(f"ssh to {address.name} failed: {last.rstrip('.')}.", hint=_hint(said, address))


def last_line(said: str) -> str:
    """The last that a program said; empty where it said nothing."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _hint(said: str, address: SshAddress) -> str:
    port = f"-p {address.port} " if address.port else ""
    if "Host key verification failed" in said:
        return f"Log in once by hand, look at the key, and accept it: ssh {port}{address.name}"
    if "Permission denied" in said:
        return f"ot-doctor never asks for a password. Put your key there: ssh-copy-id {port}{address.name}"
    return f"Try it by hand: ssh -o BatchMode=yes {port}{address.name} true"
