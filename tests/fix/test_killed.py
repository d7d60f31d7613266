"""Killed before, in the middle of, and after what is done to containers and to the cache: then all of it can be taken back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ot_doctor.actions import Action, MoveCache, OwnCache, QuarantineModels, RecreateServices
from ot_doctor.fix import journal
from ot_doctor.fix.actions import container
from ot_doctor.fix.catalogue import to_json
from ot_doctor.fix.outcome import Became
from ot_doctor.fix.takeback import take_back, undoable
from tests.fix.on_the_engine import site
from tests.fix.test_cache_actions import facts
from tests.parts import ready_doctor
from tests.scenarios.conftest import bring_up  # noqa: F401
from tests.scenarios.scenario import Scenario, World
from tests.scenarios.test_remedies import EXTRA, POSTGRES, containers

pytestmark = pytest.mark.engine

WORKER = "opentranscribe-celery-worker"
BringUp = Callable[[Scenario], World]
POINTS = ("saved", "doing", "middle", "applied")

# One action as the loop does it. What the doctor has started dies with it in the middle, as where the power fails.
_RUN = """
import json, os, signal, sys, threading, time
from pathlib import Path
from ot_doctor.evidence import Request
from ot_doctor.fix import journal
from ot_doctor.fix.catalogue import from_json, procedure_of, to_json
from ot_doctor.fix.procedure import Site
from ot_doctor.sources.store import Store

folder, home, state, told, point, path = sys.argv[1:]

class Nobody:
    present = False

def here(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)

def as_it_was():
    if path == "container":
        return [one["Id"] for one in procedure.containers("celery-worker")]
    return os.path.lexists(path) and (os.lstat(path).st_uid, os.lstat(path).st_gid)

def watch(before):
    while as_it_was() == before:
        time.sleep(0.001)
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    here("middle")

action = from_json(json.loads(told))
place = Site(Store(Request(directory=Path(folder), cwd=Path(home), environ=dict(os.environ), timeout=90)), Nobody())
with journal.locked(Path(state), folder):
    log = journal.Journal.begin(Path(state), folder)
    procedure = procedure_of(action, place)
    assert procedure.precondition()
    entry = journal.Entry(1, to_json(action), procedure.preview().does)
    entry.saved = procedure.save(log.files(1))
    here("saved")
    log.doing(entry)
    here("doing")
    if point == "middle":
        threading.Thread(target=watch, args=(as_it_was(),), daemon=True).start()
    procedure.apply()
    if point == "middle":
        time.sleep(5)
    here("applied")
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends at once ends sooner here than a real worker."""
    monkeypatch.setattr(container, "_LASTS", 0.5)


def killed(world: World, state: Path, action: Action, point: str, path: str) -> journal.Run:
    """The run that was killed at the point; in the middle: as soon as the path, or the container, is not as it was."""
    words = (str(world.folder), str(world.home), str(state), json.dumps(to_json(action)), point, path)
    done = ready_doctor.run_code(_RUN, *words, cwd=world.folder, env=world.shell())
    assert done.returncode == -signal.SIGKILL, done.stderr
    until = time.monotonic() + 20
    while world.engine.docker("ps", "-q", "--filter=label=ot-doctor.helper"):  # it ends by itself
        assert time.monotonic() < until
    (run,) = journal.stored(state)
    assert run.cut_off is (point != "saved")
    return run


def taken_back(world: World, state: Path, run: journal.Run) -> list[Became]:
    with journal.locked(state, str(world.folder)):  # the lock of the dead is free
        found = [result.became for result in take_back(run, site(world), lambda entry: True)]
    assert set(found) <= {Became.UNDONE, Became.ALREADY}, found
    (after,) = journal.stored(state)
    assert not undoable(after) and not after.cut_off
    return found


def test_the_cache(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    world = bring_up(Scenario())
    hub = world.models / "huggingface" / "hub"
    (first,) = hub.glob("models--*")
    for name in ("models--a--second", "models--a--third"):
        shutil.copytree(first, hub / name, symlinks=True)
    models = (first.name, "models--a--second", "models--a--third")
    lost = world.models / "old"
    lost.mkdir()
    os.chown(lost, 1000, 998)
    for number in range(300):  # so that there is a middle
        (hub / models[-1] / f"{number:03}").touch()
        os.chown(hub / models[-1] / f"{number:03}", 0, 0)
    (hub / models[0]).rename(lost / models[0])
    before = facts(world.models)
    actions: list[tuple[Action, Path, tuple[str, ...]]] = [
        (OwnCache(str(world.models), WORKER, 1000, 1000), hub, ("middle",)),
        (QuarantineModels(str(hub), models[1:], WORKER), hub / models[1], POINTS),
        (MoveCache((str(lost / models[0]),), str(hub), WORKER, 1000, 1000), lost / models[0], ("middle",)),
    ]
    for action, path, points in actions:
        for point in points:
            state = tmp_path / f"{action.name}-{point}"
            run = killed(world, state, action, point, str(path))
            assert (facts(world.models) == before) is (point in ("saved", "doing")), (action.name, point)
            done = {"saved": [], "doing": [Became.ALREADY]}.get(point, [Became.UNDONE])
            assert taken_back(world, state, run) == done
            assert facts(world.models) == before, (action.name, point)


def test_a_container(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    world = bring_up(Scenario(extra=EXTRA, services=POSTGRES, up=("up", "-d", "--pull", "never")))
    database, old = containers(world, "postgres"), world.env_path.read_bytes()
    for point in POINTS[2:]:
        world.env_path.write_bytes(old + b"MAX_SPEAKERS=10\n")
        state = tmp_path / point
        run = killed(world, state, RecreateServices(("celery-worker",)), point, "container")
        world.env_path.write_bytes(old)
        taken_back(world, state, run)
        (worker,) = containers(world, "celery-worker").splitlines()
        shown = world.engine.docker("inspect", "--format={{.State.Status}} {{.Name}} {{.Config.Env}}", worker.split()[0])
        assert shown.startswith(f"running /{WORKER} ") and "MAX_SPEAKERS=20" in shown, (point, shown)
        assert containers(world, "postgres") == database
