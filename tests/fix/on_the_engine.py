"""A stack on which actions are carried out: a worker with Python and the Hub's client, a database, and the volume for audio."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub

from ot_doctor.evidence import Request, Unavailable, Worker
from ot_doctor.fix.procedure import Site
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.docker import alterations
from ot_doctor.sources.store import Store
from tests.fix import relay
from tests.parts import models
from tests.parts.engine import Engine
from tests.parts.hub import COMMUNITY_1
from tests.scenarios.fixing import EXTRA, POSTGRES, UP, WORKER
from tests.scenarios.scenario import APPUSER, Scenario, World, hub_for

SERVICE = "celery-worker"
MODEL = "models--" + COMMUNITY_1.replace("/", "--")
Facts = dict[str, tuple[int, int, int, bytes]]

# This Python, and what it is linked with, in an image that has neither.
_MOUNTED = {
    sys.base_prefix: "/home/appuser/.local", str(Path(huggingface_hub.__file__).parents[1]): "/site", "/lib": "/lib",
    "/lib64": "/lib64", relay.__file__: "/relay.py",
}  # fmt: skip
_ENVIRONMENT = "      - PYTHONPATH=/site\n      - LD_LIBRARY_PATH=/home/appuser/.local/lib\n"
_VOLUMES = "".join(f"      - {os.path.realpath(there)}:{here}:ro\n" for there, here in _MOUNTED.items() if os.path.exists(there))


@dataclass
class Somebody:
    """Whoever sits at the terminal, or nobody."""

    present: bool = False
    said: str = ""

    def tell(self, text: str) -> None:
        self.said += f"{text}\n"

    def waits(self, text: str) -> bool:
        return self.present

    def token(self, text: str) -> Secret | None:
        return None


def site(world: World, person: Somebody | None = None) -> Site:
    """With evidence of now."""
    request = Request(directory=world.folder, cwd=world.home, environ=world.shell(), timeout=90)
    return Site(Store(request), person or Somebody())


@contextmanager
def stack(engine: Engine, folder: Path) -> Iterator[World]:
    """The stack; it goes afterwards, with all containers, volumes and networks of the engine."""
    with _listening(folder) as listening, hub_for(None) as hub:
        yield _scenario(listening).build(engine, hub, folder)
    engine.clear()


def running(world: World) -> World:
    """The stack with its worker running, whatever the test before left behind: which one that was differs with each run."""
    world.engine.revive(WORKER)
    return world


@contextmanager
def _listening(folder: Path) -> Iterator[socket.socket]:
    """Where the worker, which has no network, asks for the Hub."""
    place = folder / "r"
    place.mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place / "hub.sock"))
        for path in (folder, place, place / "hub.sock"):
            path.chmod(0o777)
        made.listen()
        yield made
        made.shutdown(socket.SHUT_RDWR)


def _scenario(listening: socket.socket) -> Scenario:
    def carried_on(world: World) -> None:
        port = int(world.hub.url.rpartition(":")[2])
        threading.Thread(
            target=relay.relay, args=(listening, lambda: socket.create_connection(("127.0.0.1", port))), daemon=True
        ).start()

    folder = os.path.dirname(listening.getsockname())
    return Scenario(
        command='["sh", "-c", "cat /recorded.log >&2; exec python3 /relay.py"]', environment=_ENVIRONMENT, prepare=carried_on,
        extra=f"{EXTRA}    stop_grace_period: 0s\n", services=f"{POSTGRES}volumes:\n  audio:\n", up=UP,
        volumes=f"{Scenario.volumes}{_VOLUMES}      - {folder}:/relay\n      - audio:/scratch/opentranscribe\n",
    )  # fmt: skip


def standing(world: World, folder: str) -> None:
    """Start a container that works on the folder, or the volume, for as long as the stack is there."""
    kind = "bind" if folder.startswith("/") else "volume"
    mount = f"type={kind},source={folder},target={alterations.FOLDER}"
    image = world.engine.inspect(WORKER)["Image"]
    options = ("--name", _standing(folder), "--user", "0:0", "--network", "none", "--mount", mount, "--entrypoint", "sleep")
    world.engine.docker("run", "-d", *options, image, "9999")


def _standing(folder: str) -> str:
    return f"standing-{hashlib.sha256(folder.encode()).hexdigest()[:12]}"


def by_the_standing_one(
    request: Request, worker: Worker, folder: str, command: Sequence[str], rights: Sequence[str], *, writes: bool,
    seconds: float = 600.0,
) -> str:  # fmt: skip
    """In place of ``alterations.as_root``, which takes five times as long: the same commands, in the container that stands."""
    with alterations._engine(request, worker.engine, seconds, folder) as api:
        made = str(api.exec_create(_standing(folder), list(command), user="0:0")["Id"])
        out, err = api.exec_start(made, demux=True)
        code = api.exec_inspect(made)["ExitCode"]
    if code:
        raise Unavailable(f"'{command[0]}' did not succeed in {folder}: {(err or b'').decode()}")
    return bytes(out or b"").decode("utf-8", "surrogateescape")


def with_new_cache(world: World) -> Path:
    """Whole models in the place of whatever is in the cache; the folder with the models--… folders, which stays the same."""
    hub = world.models / "huggingface" / "hub"
    for path in (*hub.iterdir(), world.models / "old"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    models.v04_cache(world.models)
    models.own(world.models, APPUSER)
    return hub


def facts(folder: Path) -> Facts:
    """Owner, group, mode and content (of a link: where it leads) of everything below."""
    found = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (about.st_uid, about.st_gid, about.st_mode, content)
    return found


def owners(found: Facts) -> set[tuple[int, int]]:
    return {fact[:2] for fact in found.values()}


def state_of(world: World, name: str) -> str:
    """Of a container: running, paused, …"""
    return str(world.engine.inspect(name)["State"]["Status"])


def environment_of(world: World, name: str) -> list[str]:
    return sorted(world.engine.inspect(name)["Config"]["Env"])
