"""The doctor sent through a real ssh to a real sshd on the loopback, and what goes wrong on the way."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.evidence import Unavailable
from ot_doctor.sources.sent_file import run_there
from ot_doctor.sources.ssh import address_of
from ot_doctor.sources.there import NO_PYTHON, line_for
from tests.remote.sshd import Sshd, free_port

COMPOSE = "services:\n  celery-worker:\n    image: davidamacey/opentranscribe-backend:v0.4.1\n    env_file: .env\n"
SAME = ("exit_code", "summary", "diagnosis", "deployment")
# Sends what sleeps instead of the doctor, and says what came of it.
_SENDING = """
import io, os, sys, zipfile
from ot_doctor.evidence import Unavailable
from ot_doctor.sources.sent_file import run_there
from ot_doctor.sources.ssh import address_of
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w") as archive:
    archive.writestr("__main__.py", f"import os, time; open({sys.argv[2]!r}, 'w').write(str(os.getpid())); time.sleep(60)")
try:
    run_there(address_of(sys.argv[1]), buffer.getvalue(), ["run"], dict(os.environ), 50)
except Unavailable as error:
    print(error.reason)
"""


def until(found: Callable[[], Any], seconds: float = 15) -> Any:
    """What is found, within so many seconds."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return value


def number_in(path: Path) -> int:
    return int(path.read_text() or 0) if path.exists() else 0


def runs(pid: int) -> bool:
    """Whether it does; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def below(pid: int) -> list[int]:
    """What a process has started, from any thread, and what that has."""
    told = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    found = [int(child) for text in told for child in text.split()]
    return found + [one for child in found for one in below(child)]


def zipped(main: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__main__.py", main)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def folder(sshd: Sshd) -> Path:
    folder = sshd.folder / "open transcribe"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(COMPOSE)
    (folder / ".env").write_text("HUGGINGFACE_TOKEN=\n")
    return folder


def told(document: str) -> dict[str, Any]:
    content = json.loads(document)
    return {key: content[key] for key in SAME}


@pytest.mark.engine  # sshd comes with the engine's parts
def test_the_report_from_there_is_the_one_from_here(sshd: Sshd, folder: Path) -> None:
    options = ("--offline", "--no-docker", "--probe", "off", "--format", "json")
    left = set(Path("/dev/shm").iterdir())
    there = sshd.doctor("--host", sshd.address(path=folder), *options)
    here = sshd.doctor("--dir", str(folder), *options)
    assert there.stdout, there.stderr
    assert told(there.stdout) == told(here.stdout)
    assert (there.returncode, there.stderr) == (here.returncode, here.stderr)
    assert set(Path("/dev/shm").iterdir()) <= left


@pytest.mark.engine
@pytest.mark.parametrize(
    ("trouble", "said", "advice"),
    [
        ("no key", "Permission denied", "ssh-copy-id"),
        ("unknown host", "Host key verification failed", "accept it"),
        ("refused", "Connection refused", "Try it by hand"),
        ("old Python", "has no Python 3.10 or newer", "Install a Python 3.10"),
        ("no Python", "has no Python 3.10 or newer", "Install a Python 3.10"),
    ],
)
def test_what_goes_wrong_is_said_and_is_no_pass(sshd: Sshd, trouble: str, said: str, advice: str) -> None:
    address = {"old Python": sshd.address("old"), "no Python": sshd.address("bare")}.get(trouble, sshd.address())
    if trouble == "no key":
        address = address.replace("ssh://", "ssh://nobody@")
    elif trouble == "refused":
        address = f"ssh://127.0.0.1:{free_port()}"
    known = sshd.known.read_text()
    try:
        if trouble == "unknown host":
            sshd.known.write_text("")
        # Without Docker there is no other way to look at a machine that has no Python.
        done = sshd.doctor("--host", address, "--offline", "--no-docker", "--format", "json")
    finally:
        sshd.known.write_text(known)
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 3 and document["checks"] == []
    (notice,) = document["notices"]
    assert said in notice and advice in notice


@pytest.mark.engine
def test_a_connection_that_is_cut_in_the_middle(sshd: Sshd, tmp_path: Path) -> None:
    """Here it is said; there what was sent is ended."""
    left = set(Path("/dev/shm").iterdir())
    told_by = tmp_path / "pid"
    line = sshd.inside(sys.executable, "-c", _SENDING, sshd.address(), told_by)
    with subprocess.Popen(line, env=sshd.environ(), stdout=subprocess.PIPE, text=True) as here:
        there = until(lambda: number_in(told_by))
        everything = below(number_in(sshd.folder / "pid"))
        sessions = [pid for pid in everything if "sshd: root" in Path(f"/proc/{pid}/cmdline").read_text()]
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)
        said, _ = here.communicate(timeout=20)
    assert sessions and "ssh to 127.0.0.1 failed: " in said and "closed" in said
    until(lambda: not runs(there), 8)
    assert set(Path("/dev/shm").iterdir()) <= left


@pytest.mark.engine
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_here_ends_there(sshd: Sshd, tmp_path: Path, number: signal.Signals) -> None:
    """What stands in for Python there reads until its input ends."""
    told_by = tmp_path / "pid"
    cat = shutil.which("cat")
    sshd.program("old", "python3.10", f'#!/bin/sh\n[ "$3" ] || exit 0\necho $$ >{told_by}\nexec {cat} >/dev/null\n')
    try:
        here = sshd.begin("--host", sshd.address("old"), "--offline")
        there = until(lambda: number_in(told_by))
        ours = [here.pid, *below(here.pid)]
        here.send_signal(number)
        here.communicate(10)
        until(lambda: not any(map(runs, (there, *ours))), 8)
        assert here.returncode == {signal.SIGINT: 130}.get(number, -number)
    finally:
        (sshd.programs / "old" / "python3.10").unlink()


@pytest.mark.engine
@pytest.mark.parametrize(
    ("command", "number"), [("run", signal.SIGHUP), ("fleet", signal.SIGTERM), ("fleet", signal.SIGINT)]
)
def test_no_ssh_is_left_that_waits_for_a_silent_server(sshd: Sshd, command: str, number: signal.Signals) -> None:
    """It would give up by itself after 10 s."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        here = sshd.begin(command, "--host", f"ssh://127.0.0.1:{silent.getsockname()[1]}", "--offline")
        ssh = until(lambda: [pid for pid in below(here.pid) if Path(f"/proc/{pid}/comm").read_text() == "ssh\n"])
        here.send_signal(number)
        here.communicate(8)
        until(lambda: not any(map(runs, ssh)), 3)


# -- without sshd: what its shell is told ----------------------------------------------------------------------------------


def line(size: int, *arguments: str) -> list[str]:
    return ["/bin/sh", "-c", line_for(size, arguments, "")]


def sent(data: bytes, *arguments: str, **environ: str) -> tuple[int, str]:
    """Exit code and output; the input stays open, as a connection does."""
    with subprocess.Popen(line(len(data), *arguments), env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        process.stdin.write(data)
        process.stdin.flush()
        said = process.stdout.read().decode()
        return process.wait(20), said


def test_a_machine_without_a_python(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    done = subprocess.run(line(3, "run"), env={"PATH": str(tmp_path)}, input=b"abc", capture_output=True)
    assert (done.returncode, done.stdout) == (NO_PYTHON, b"")


def test_a_python_that_uv_has(tmp_path: Path) -> None:
    """Nothing is downloaded, and nothing is kept in a cache."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    data = zipped("print('ran')")
    uv = tmp_path / "uv"
    asked = '[ "$* $UV_PYTHON_DOWNLOADS $UV_NO_CACHE" = "python find --no-project >=3.10 never 1" ]'
    uv.write_text(f"#!/bin/sh\n{asked} && echo {sys.executable}\n")
    uv.chmod(0o755)
    assert sent(data, "run", PATH=str(tmp_path)) == (0, "ran\n")
    uv.write_text("#!/bin/sh\nexit 2\n")
    assert subprocess.run(line(3, "run"), env={"PATH": str(tmp_path)}, input=b"abc").returncode == NO_PYTHON


def test_what_is_sent_is_run_with_its_arguments_and_leaves_nothing(tmp_path: Path) -> None:
    data, words = zipped("import sys; print(sys.argv[1:]); sys.exit(5)"), ["run", "--dir", "/a b/$HOME", "it's"]
    environ = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(tmp_path)}
    assert sent(data, *words, **environ) == (5, f"{words}\n")
    assert list(tmp_path.iterdir()) == []
    cut = subprocess.run(line(len(data), *words), env=environ, input=data[:-9], capture_output=True)
    assert cut.returncode == 1 and b"the connection was cut" in cut.stderr


def test_a_server_that_never_answers() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="did not answer within 1 s"):
            run_there(address_of(f"ssh://127.0.0.1:{silent.getsockname()[1]}"), b"x", ["run"], dict(os.environ), 1)
        assert time.monotonic() - began < 8
