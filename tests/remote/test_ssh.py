"""The doctor sent through a real ssh to a real sshd on the loopback."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import Unavailable
from ot_doctor.sources.ssh import _command, address_of, run_there
from tests.parts.engine import parts_folder

DOCTOR = Path(sys.executable).with_name("ot-doctor")
COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n    env_file: .env\n"
SAME = ("exit_code", "summary", "diagnosis", "deployment")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Machine:
    """An sshd in a mount namespace of its own, and a home folder with the key and the host's key for whoever logs in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized").write_text((folder / "user.pub").read_text())
        self.known = folder / "known"
        self.known.write_text(f"[127.0.0.1]:{self.port} {(folder / 'host.pub').read_text()}")
        (self.home / ".ssh" / "config").write_text(f"Host *\n IdentityFile {folder / 'user'}\n UserKnownHostsFile {self.known}\n")
        entries = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith(("root:", "sshd:"))]
        entries += [f"root:x:0:0:root:{self.home}:/bin/sh", "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin"]
        (folder / "passwd").write_text("\n".join(entries) + "\n")
        (folder / "conf").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nAuthorizedKeysFile {folder / 'authorized'}\n"
            f"PidFile {folder / 'pid'}\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        )

    def inside(self, *command: str | Path) -> list[str]:
        """The command where the passwords file is ours: ssh takes the home folder from it, and sshd its users."""
        mount = f"mount --bind {shlex.quote(str(self.folder / 'passwd'))} /etc/passwd"
        return ["unshare", "-m", "sh", "-c", f'{mount}; exec "$@"', "sh", *map(str, command)]

    def start(self) -> subprocess.Popen[bytes]:
        root = parts_folder() / "root"
        libraries = os.pathsep.join(str(path.parent) for path in root.rglob("libwrap.so.0"))
        sshd = shlex.join([f"{root}/usr/sbin/sshd", "-D", "-f", f"{self.folder}/conf"])
        run = f"mount -t tmpfs none /run; mkdir /run/sshd; exec {sshd}"
        server = subprocess.Popen(self.inside("sh", "-c", run), env={**os.environ, "LD_LIBRARY_PATH": libraries})
        until = time.monotonic() + 20
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return server
            assert server.poll() is None and time.monotonic() < until, "sshd did not start"
            time.sleep(0.05)

    def doctor(self, *arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8"}
        command = self.inside(DOCTOR, *arguments)
        return subprocess.run(command, env=environ, cwd=self.folder, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    found = Machine(tmp_path_factory.mktemp("ssh"))
    (found.folder / "open transcribe").mkdir()
    (found.folder / "open transcribe" / "docker-compose.yml").write_text(COMPOSE)
    (found.folder / "open transcribe" / ".env").write_text("HUGGINGFACE_TOKEN=\n")
    server = found.start()
    yield found
    server.terminate()
    server.wait(20)


def told(document: str) -> dict[str, Any]:
    content = json.loads(document)
    return {key: content[key] for key in SAME}


@pytest.mark.engine  # sshd comes with the engine's parts
def test_the_report_from_there_is_the_one_from_here(machine: Machine) -> None:
    folder = machine.folder / "open transcribe"
    options = ("--offline", "--no-docker", "--probe", "off", "--format", "json")
    left = set(Path("/dev/shm").iterdir())
    there = machine.doctor("--host", f"ssh://127.0.0.1:{machine.port}{str(folder).replace(' ', '%20')}", *options)
    here = machine.doctor("--dir", str(folder), *options)
    assert there.stdout, there.stderr
    assert told(there.stdout) == told(here.stdout)
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr)
    assert set(Path("/dev/shm").iterdir()) <= left


@pytest.mark.engine
def test_the_fleet_with_a_dead_host_an_unknown_key_and_no_key(machine: Machine) -> None:
    folder = str(machine.folder / "open transcribe").replace(" ", "%20")
    good, dead = f"ssh://127.0.0.1:{machine.port}{folder}", f"ssh://127.0.0.1:{free_port()}"
    done = machine.doctor("fleet", "--host", good, "--host", dead, "--offline", "--probe", "off", "--format", "json")
    fleet = json.loads(done.stdout)
    assert [(host["address"], host["reached"]) for host in fleet["hosts"] if not host["reached"]] == [(dead, False)]
    assert done.returncode == fleet["exit_code"] == 1, "a broken machine is worse than one that was not reached"
    known = machine.known.read_text()
    try:
        machine.known.write_text("")
        unknown = machine.doctor("--host", good, "--offline")
        assert (unknown.returncode, unknown.stdout) == (3, "")
        assert "Host key verification failed" in unknown.stderr and "accept it" in unknown.stderr
    finally:
        machine.known.write_text(known)
    refused = machine.doctor("--host", good.replace("ssh://", "ssh://nobody@"), "--offline")
    assert refused.returncode == 3 and "Permission denied" in refused.stderr and "ssh-copy-id" in refused.stderr


def test_a_machine_without_a_python(tmp_path: Path) -> None:
    done = subprocess.run(["/bin/sh", "-c", _command(3, ["run"])], env={"PATH": str(tmp_path)}, input=b"abc", capture_output=True)
    assert done.returncode != 0
    (tmp_path / "sh").symlink_to("/bin/sh")
    done = subprocess.run(["/bin/sh", "-c", _command(3, ["run"])], env={"PATH": str(tmp_path)}, input=b"abc", capture_output=True)
    assert (done.returncode, done.stdout) == (97, b"")


def test_what_is_sent_is_run_with_its_arguments_and_leaves_nothing(tmp_path: Path) -> None:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__main__.py", "import sys; print(sys.argv[1:]); sys.exit(5)")
    data, words = buffer.getvalue(), ["run", "--dir", "/a b/$HOME", "it's"]
    environ = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(["/bin/sh", "-c", _command(len(data), words)], env=environ, input=data, capture_output=True, text=False)
    assert (done.returncode, done.stdout.decode()) == (5, f"{words}\n"), done.stderr
    assert list(tmp_path.iterdir()) == []
    cut = subprocess.run(["/bin/sh", "-c", _command(len(data), words)], env=environ, input=data[:-9], capture_output=True)
    assert cut.returncode == 1 and b"the connection was cut" in cut.stderr


def test_a_server_that_never_answers(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="did not answer within 1 s"):
            run_there(address_of(f"ssh://127.0.0.1:{silent.getsockname()[1]}"), b"x", ["run"], dict(os.environ), 1)
        assert time.monotonic() - began < 8
