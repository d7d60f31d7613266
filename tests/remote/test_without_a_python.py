"""Machines that cannot run the doctor by themselves: in a container of the worker's image, or their engine alone from here.

A real sshd, a real engine, and a worker's image with a Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.remote.single_file import single_file
from tests.parts.engine import Engine
from tests.parts.python_image import TAG
from tests.remote.sshd import Sshd
from tests.remote.test_ssh import _SENDING, runs, until
from tests.scenarios.scenario import Scenario, World, hub_for

pytestmark = pytest.mark.engine

LAUNCHER = Path(__file__).parents[2] / "docs" / "ot-doctor.sh"
OPTIONS = ("--offline", "--format", "json")
# What only the machine itself knows: its files, its disks, its network.
NOT_SEEN = {
    "env-current", "env-lines", "env-readable", "env-shadowed", "network-settings", "old-template", "token-exposure",
    "weak-passwords",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(engine: Engine, python_worker: str, sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stack with faults, whose models and whose second Compose file are outside of its folder."""
    outside = tmp_path_factory.mktemp("outside")
    more = outside / "more.yml"
    more.write_text("services:\n  celery-worker:\n    environment:\n      MIN_SPEAKERS: '9'\n      MAX_SPEAKERS: '2'\n")

    def prepare(world: World) -> None:
        world.models.rename(outside / "models")
        for weights in (outside / "models").rglob("pytorch_model.bin"):
            weights.unlink()

    env = f"HUGGINGFACE_TOKEN={{token}}\nMODEL_CACHE_DIR={outside}/models\nMIN_SPEAKERS=1\n"
    up = ("-f", "docker-compose.yml", "-f", str(more), "up", "-d")
    with sshd.lent(engine), hub_for([]) as hub:
        scenario = Scenario(image=TAG.rpartition(":")[2], env=env, prepare=prepare, up=up)
        yield scenario.build(engine, hub, tmp_path_factory.mktemp("stack"))
    engine.clear()


@pytest.fixture(scope="module")
def here(world: World) -> dict[str, Any]:
    """The report of the machine itself."""
    document: dict[str, Any] = json.loads(world.doctor("--offline").stdout)
    assert {"cache-incomplete", "env-shadowed", "speakers-config"} <= causes(document)
    return document


@pytest.fixture(scope="module")
def from_outside(world: World) -> dict[str, Any]:
    """The same where nothing is run in the worker."""
    document: dict[str, Any] = json.loads(world.doctor("--offline", "--no-exec").stdout)
    return document


def causes(document: dict[str, Any]) -> set[str]:
    return {finding["cause"] for check in document["checks"] for finding in check["findings"] if finding["cause"]}


def verdicts(document: dict[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Each check's status, with the statuses and causes of its findings."""
    return {
        check["name"]: (check["status"], tuple(sorted({f"{one['status']} {one['cause']}" for one in check["findings"]})))
        for check in document["checks"]
    }


def left_behind(engine: Engine) -> tuple[set[str], set[Path]]:
    """Containers, and files where the doctor puts what is for a moment."""
    places = (Path("/dev/shm"), Path("/tmp"))
    return set(engine.docker("ps", "-aq").split()), {path for place in places for path in place.glob("ot-doctor-*.pyz")}


def test_in_a_container_of_the_workers_image(world: World, from_outside: dict[str, Any], sshd: Sshd) -> None:
    """Nothing is run in the worker: what that would tell could hide that the container does not see a folder."""
    before, here = left_behind(world.engine), from_outside
    done = sshd.doctor("--host", sshd.address("image", world.folder), *OPTIONS, "--no-exec")
    there = json.loads(done.stdout)
    assert causes(there) == causes(here) != set()
    assert verdicts(there) == verdicts(here)
    assert (there["exit_code"], done.returncode, done.stderr) == (here["exit_code"], here["exit_code"], "")
    assert there["deployment"] == here["deployment"]
    assert left_behind(world.engine) == before


def test_the_launcher_sees_the_same_in_the_image(world: World, from_outside: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "ot-doctor.pyz").write_bytes(single_file())
    shutil.copy(LAUNCHER, tmp_path)
    line = ["sh", str(tmp_path / "ot-doctor.sh"), *OPTIONS, "--no-exec"]
    environ = world.shell() | {"OT_DOCTOR_WITH": "image"}
    done = subprocess.run(line, env=environ, cwd=world.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert verdicts(json.loads(done.stdout)) == verdicts(from_outside), done.stderr


def test_a_container_is_gone_when_the_connection_is(world: World, sshd: Sshd, tmp_path: Path) -> None:
    before = left_behind(world.engine)
    line = sshd.inside(sys.executable, "-c", _SENDING, sshd.address("image", world.folder), "/tmp/pid")
    with subprocess.Popen(line, env=sshd.environ(), stdout=subprocess.DEVNULL) as process:
        filtered = ("ps", "-q", "--filter", "label=ot-doctor.probe=run", "--filter", "status=running")
        until(lambda: world.engine.docker(*filtered))
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGKILL)
    until(lambda: left_behind(world.engine) == before, 10)


def engine_only(document: dict[str, Any], here: dict[str, Any], machine: str, not_seen: set[str]) -> None:
    """It says of containers, model cache and log what the machine itself says, and no pass of what was not seen."""
    found, known = verdicts(document), verdicts(here)
    unseen = {name for name, (status, _) in found.items() if status != known[name][0]}
    assert {name: found[name] for name in found.keys() - not_seen} == {name: known[name] for name in known.keys() - not_seen}
    assert unseen <= not_seen and all(found[name][0] in ("unknown", "skip") for name in not_seen)
    (readable,) = (check["findings"] for check in document["checks"] if check["name"] == "env-readable")
    assert f"The .env is on {machine}, of which only the Docker engine was reached." == readable[0]["message"]
    assert "run ot-doctor" in json.dumps(readable)
    assert document["deployment"] == here["deployment"]


@pytest.mark.parametrize("way", ["--host", "DOCKER_HOST", "--context"])
def test_its_engine_alone_from_here(
    world: World, here: dict[str, Any], from_outside: dict[str, Any], sshd: Sshd, tmp_path: Path, way: str
) -> None:
    """Through a forwarded socket. The folder that the doctor stands in is another one, and is not read.

    In one way the worker is looked at from inside as well: how the engine is reached makes no difference to that.
    """
    (tmp_path / "docker-compose.yml").write_text("services:\n  celery-worker:\n    image: x\n")
    (tmp_path / ".env").write_text("HUGGINGFACE_TOKEN=\n")
    for folder in ("tmp", "config"):
        (tmp_path / folder).mkdir()
    environ = {"TMPDIR": str(tmp_path / "tmp"), "DOCKER_CONFIG": str(tmp_path / "config")}
    arguments, machine, address = [*OPTIONS], sshd.address("bare"), sshd.address("bare", world.engine.socket)
    if way == "--host":
        arguments += ["--host", sshd.address("bare", world.folder)]
    elif way == "DOCKER_HOST":
        environ["DOCKER_HOST"] = address
    else:
        arguments += ["--context", "far"]
        meta = tmp_path / "config/contexts/meta" / hashlib.sha256(b"far").hexdigest()
        meta.mkdir(parents=True)
        (meta / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": address}}}))
    not_seen = NOT_SEEN
    if way != "--host":
        arguments, here, not_seen = [*arguments, "--no-exec"], from_outside, NOT_SEEN | {"disk-space"}
    done = sshd.doctor(*arguments, cwd=tmp_path, **environ)
    engine_only(json.loads(done.stdout), here, machine, not_seen)
    assert done.returncode == here["exit_code"] == 1
    assert ("Only its Docker engine was examined" in done.stderr) == (way == "--host")
    until(lambda: not list((tmp_path / "tmp").iterdir()), 5)


def test_a_folder_that_nothing_there_was_started_from(world: World, sshd: Sshd) -> None:
    done = sshd.doctor("--engine-of", sshd.address("bare", "/srv/other"), *OPTIONS)  # as --host does
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 3
    assert not document["summary"]["pass"] and not document["summary"]["fail"], "nothing is said of another one"
    assert f"was started from /srv/other. There are containers of {world.folder}." in done.stdout


def test_a_folder_of_this_machine_counts_if_the_stack_was_started_from_it(world: World, here: dict[str, Any], sshd: Sshd) -> None:
    """``docker compose`` with an engine elsewhere."""
    address = sshd.address("bare", world.engine.socket)
    done = sshd.doctor(*OPTIONS, "--dir", str(world.folder), DOCKER_HOST=address)
    assert verdicts(json.loads(done.stdout))["env-readable"] == verdicts(here)["env-readable"]
    done = sshd.doctor("fix", "--dry-run", "--offline", "--dir", str(world.folder), DOCKER_HOST=address)
    assert (done.returncode, done.stdout) == (2, "") and "Run 'ot-doctor fix' there" in done.stderr


@pytest.mark.parametrize(
    ("kind", "path", "said"),
    [
        ("closed", "", "the ssh server there does not allow it to be forwarded"),
        ("bare", "/nowhere/docker.sock", "there is no such socket"),
    ],
)
def test_a_socket_that_is_not_forwarded(world: World, sshd: Sshd, kind: str, path: str, said: str) -> None:
    done = sshd.doctor(*OPTIONS, DOCKER_HOST=sshd.address(kind, path or world.engine.socket))
    document = json.loads(done.stdout)
    assert done.returncode == document["exit_code"] == 3 and document["summary"]["pass"] == 0
    (reached,) = (check["findings"] for check in document["checks"] if check["name"] == "docker-engine")
    assert said in reached[0]["message"] and reached[0]["remedy"]["steps"]


# -- servers that are silent -------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[str]:
    """An address at which connections are accepted, and nothing is ever said."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"ssh://127.0.0.1:{listening.getsockname()[1]}"


def started(folder: Path, address: str) -> list[int]:
    """The programs that were started for a machine."""
    port = re.escape(address.rpartition(":")[2])
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(re.fullmatch(port, word) for word in words) and any(str(folder) in word for word in words):
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a name so short that a socket fits in: where it does not, the doctor takes another one."""
    with tempfile.TemporaryDirectory(prefix="otd-", dir="/tmp") as name:
        yield Path(name)


def test_the_deadline_of_a_run_holds_for_ssh(sshd: Sshd, silent: str, short: Path) -> None:
    began = time.monotonic()
    done = sshd.doctor("--offline", "--timeout", "3", DOCKER_HOST=silent, TMPDIR=str(short))
    assert time.monotonic() - began < 3 + 2
    assert done.returncode == 3 and "did not get through within" in done.stdout
    until(lambda: not list(short.iterdir()) and not started(short, silent), 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_run_that_is_ended(sshd: Sshd, silent: str, short: Path, number: signal.Signals) -> None:
    process = sshd.begin("--offline", DOCKER_HOST=silent, TMPDIR=str(short))
    programs = until(lambda: started(short, silent))
    process.send_signal(number)
    process.wait(10)
    until(lambda: not list(short.iterdir()) and not any(map(runs, programs)), 5)
