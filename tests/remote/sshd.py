"""An sshd on the loopback in a mount namespace of its own: one account, and a port for each kind of machine."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.parts.engine import Engine, parts_folder
from tests.parts.ready_doctor import Started

#: What each port's machine is like.
KINDS = ("plain", "bare", "old", "image", "quick", "closed")
# What ``unshare -m`` and ``mount --bind`` do, for a fork of the loaded doctor.
_INSIDE = """
import ctypes
def done(failed):
    if failed:
        raise OSError(ctypes.get_errno(), "no passwords file of our own")
system = ctypes.CDLL(None, use_errno=True)
NEWNS, BIND, REC, PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
done(system.unshare(NEWNS))
done(system.mount(b"none", b"/", None, REC | PRIVATE, None))
done(system.mount({passwords!r}, b"/etc/passwd", None, BIND, None))
"""
# A Python that takes itself for 3.8, whatever it is asked to run.
_OLD = """#!/bin/sh
[ "$1" = -I ] && shift
shift; code=$1; shift
exec /usr/bin/python3 -I -c 'import sys; sys.version_info = (3, 8, 20); code = sys.argv.pop(1); exec(code)' "$code" "$@"
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Sshd:
    """Machines that are one: ``plain`` is as this one; ``bare`` has no Python, ``old`` an old one, ``image`` none, but Docker;
    ``closed`` has no Python either, and forwards nothing; in ``quick``, what stands in for a Python says what ``answer`` holds.
    The engine's usual socket is there while one is ``lent``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.programs = folder / "home", folder / "programs"
        self.ports = {kind: free_port() for kind in KINDS}
        (self.home / ".ssh").mkdir(parents=True)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized").write_text((folder / "user.pub").read_text())
        self.known = folder / "known"
        key = (folder / "host.pub").read_text()
        self.known.write_text("".join(f"[127.0.0.1]:{port} {key}" for port in self.ports.values()))
        self.config = self.home / ".ssh" / "config"
        self.config.write_text(f"Host *\n IdentityFile {folder / 'user'}\n UserKnownHostsFile {self.known}\n")
        entries = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith(("root:", "sshd:"))]
        entries += [f"root:x:0:0:root:{self.home}:/bin/sh", "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin"]
        (folder / "passwd").write_text("\n".join(entries) + "\n")
        for kind in KINDS[1:]:
            (self.programs / kind).mkdir(parents=True)
            for name in ("sh", "head"):
                (self.programs / kind / name).symlink_to(shutil.which(name) or name)
        self.program("old", "python3", _OLD)
        self.answer = folder / "answer"
        self.program("quick", "python3", f'#!/bin/sh\n[ "$3" ] || exit 0\nexec {shutil.which("cat")} {self.answer}\n')
        lines = [f"Port {port}" for port in self.ports.values()]
        lines += [
            "ListenAddress 127.0.0.1", f"HostKey {folder / 'host'}", f"AuthorizedKeysFile {folder / 'authorized'}",
            f"PidFile {folder / 'pid'}", "UsePAM no", "StrictModes no", "PasswordAuthentication no", "PermitRootLogin yes",
        ]  # fmt: skip
        for kind in KINDS[1:]:
            lines += [f"Match LocalPort {self.ports[kind]}", f" SetEnv PATH={self.programs / kind}"]
        lines += [" AllowStreamLocalForwarding no"]
        (folder / "conf").write_text("\n".join(lines) + "\n")

    def address(self, kind: str = "plain", path: Path | str = "") -> str:
        return f"ssh://127.0.0.1:{self.ports[kind]}{str(path).replace(' ', '%20')}"

    def program(self, kind: str, name: str, script: str) -> None:
        path = self.programs / kind / name
        path.write_text(script)
        path.chmod(0o755)

    @contextlib.contextmanager
    def lent(self, engine: Engine) -> Iterator[None]:
        """The engine is the machine's for so long."""
        usual = self.folder / "engine.sock"
        usual.unlink(missing_ok=True)
        usual.symlink_to(engine.socket)
        variables = f"DOCKER_HOST={engine.host} DOCKER_CONFIG={engine.home}/config"
        self.program("image", "docker", f'#!/bin/sh\nexport {variables}\nexec {engine.home}/bin/docker "$@"\n')
        yield
        usual.unlink()
        (self.programs / "image" / "docker").unlink()

    def inside(self, *command: str | Path) -> list[str]:
        """The command where the passwords file is ours: ssh takes the home folder from it, and sshd its users."""
        mount = f"mount --bind {shlex.quote(str(self.folder / 'passwd'))} /etc/passwd"
        return ["unshare", "-m", "sh", "-c", f'{mount}; exec "$@"', "sh", *map(str, command)]

    def start(self) -> subprocess.Popen[bytes]:
        root = parts_folder() / "root"
        libraries = os.pathsep.join(str(path.parent) for path in root.rglob("libwrap.so.0"))
        sshd = shlex.join([f"{root}/usr/sbin/sshd", "-D", "-f", f"{self.folder}/conf"])
        run = f"mount -t tmpfs none /run; mkdir /run/sshd; ln -s {self.folder}/engine.sock /run/docker.sock; exec {sshd}"
        server = subprocess.Popen(self.inside("sh", "-c", run), env={**os.environ, "LD_LIBRARY_PATH": libraries})
        until = time.monotonic() + 20
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.ports["plain"])) == 0:
                    return server
            assert server.poll() is None and time.monotonic() < until, "sshd did not start"
            time.sleep(0.05)

    def environ(self, **more: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **more}

    def begin(self, *arguments: str, cwd: Path | None = None, **environ: str) -> Started:
        before = _INSIDE.format(passwords=os.fsencode(self.folder / "passwd"))
        return Started(*arguments, cwd=cwd or self.folder, env=self.environ(**environ), before=before)

    def doctor(self, *arguments: str, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        running = self.begin(*arguments, cwd=cwd, **environ)
        try:
            out, err = running.communicate(90)
        finally:
            running.kill()
        return subprocess.CompletedProcess(["ot-doctor"], running.wait(0), out, err)
