"""Killed after each line of the journal, and between two of them: then all can be taken back, and it can be gone on from there.

The next start tells of it and asks which of the two is wanted.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ot_doctor.actions import Action
from ot_doctor.fix.actions import container
from ot_doctor.fix.catalogue import procedure_of, to_json
from ot_doctor.fix.journal import Entry, Journal, Run, locked, state_folder, stored
from ot_doctor.fix.outcome import Became
from ot_doctor.fix.procedure import Site
from ot_doctor.fix.takeback import TakenBack, take_back, undoable
from ot_doctor.sources.docker import alterations
from tests.fix import on_the_engine
from tests.fix.cases import ENGINE
from tests.fix.on_the_engine import MODEL, SERVICE, by_the_standing_one, environment_of, site, standing, state_of
from tests.fix.terminal import Terminal
from tests.parts import ready_doctor
from tests.parts.engine import Engine
from tests.parts.hub import Fault
from tests.scenarios.fixing import WORKER, containers
from tests.scenarios.scenario import World

pytestmark = pytest.mark.engine

# What each changes first, so that the middle is seen; of a container its id.
FIRST: dict[str, Callable[[World], str]] = {
    "cache.own": lambda world: str(world.models / "huggingface/hub/link"),
    "cache.quarantine": lambda world: str(world.models / "huggingface/hub" / MODEL),
    "cache.move": lambda world: str(world.models / "old" / MODEL),
    "scratch.own": lambda world: str(world.engine.ask("GET", "/volumes/opentranscribe_audio")["Mountpoint"]),
    "models.fetch": lambda world: str(world.models / "huggingface/hub" / MODEL),
}
# The lines of the journal, and what is between them.
POINTS = ("begin", "saved", "doing", "middle", "applied", "done", "end")
UNCHANGED = ("begin", "saved", "doing")
CUT_OFF = ("doing", "middle", "applied")
# What is before the action's first line and behind its last is the same for all of them: it is tried with one.
OF_THE_ACTION = (*CUT_OFF, "done")

# One action as the loop does it. What the doctor has started dies with it in the middle, as where the power fails.
_RUN = """
import json, os, signal, sys, threading, time
from pathlib import Path
from ot_doctor.evidence import Request
from ot_doctor.fix import journal
from ot_doctor.fix.actions import container
from ot_doctor.fix.catalogue import from_json, procedure_of, to_json
from ot_doctor.fix.procedure import NotPossible, Site
from ot_doctor.sources.docker import alterations
from ot_doctor.sources.store import Store
from tests.fix.on_the_engine import by_the_standing_one

folder, home, state, told, point, path = sys.argv[1:]
container._LASTS = 0.3
alterations.as_root = by_the_standing_one

class Nobody:
    present = False
    def tell(self, text):
        pass

def here(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)

write = journal.Journal.note

def noted(self, event, **more):
    write(self, event, **more)
    here(event)

journal.Journal.note = noted

def as_it_was():
    if path == "container":
        try:
            return [one["Id"] for one in procedure.containers("celery-worker")]
        except NotPossible:  # gone since it was listed
            return None
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_uid, found.st_gid

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
    if point == "middle":
        threading.Thread(target=watch, args=(as_it_was(),), daemon=True).start()
    procedure.apply()
    if point == "middle":
        time.sleep(5)
    here("applied")
    procedure.verify()
    log.done(entry, "applied")
    log.end()
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends at once ends sooner here than a real worker."""
    monkeypatch.setattr(container, "_LASTS", 0.3)
    monkeypatch.setattr(alterations, "as_root", by_the_standing_one)


@pytest.fixture(scope="module")
def built(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with on_the_engine.stack(engine, tmp_path_factory.mktemp("stack")) as world:
        for folder in (str(world.models), str(world.models / "huggingface/hub"), "opentranscribe_audio"):
            standing(world, folder)
        yield world


@pytest.fixture
def stack(built: World) -> World:
    return on_the_engine.running(built)


def killed(world: World, state: Path, action: Action, point: str, path: str) -> Run:
    """The run that was killed at the point; in the middle: as soon as the path, or the container, is not as it was."""
    words = (str(world.folder), str(world.home), str(state), json.dumps(to_json(action)), point, path)
    done = ready_doctor.run_code(_RUN, *words, cwd=world.folder, env=world.shell())
    assert done.returncode == -signal.SIGKILL, done.stderr
    return next(iter(stored(state)))


def gone_on(world: World, state: Path, run: Run, action: Action) -> Run | None:
    """Looked at again, and done where that is still needed, as the loop does; the run that did it."""
    Journal(run).leave()
    doing = procedure_of(action, site(world))
    if not doing.precondition():
        return None
    log = Journal.begin(state, str(world.folder))
    entry = Entry(1, to_json(action), doing.preview().does)
    entry.saved = doing.save(log.files(1))
    log.doing(entry)
    doing.apply()
    doing.verify()
    log.done(entry, "applied")
    log.end()
    return log.run


def taken_back(here: Site, state: Path, run: Run) -> list[TakenBack]:
    with locked(state, run.installation):  # the lock of the dead is free
        results = take_back(run, here, lambda entry: True)
    assert {result.became for result in results if not result.for_good} <= {Became.UNDONE, Became.ALREADY}, results
    after = next(one for one in stored(state) if one.name == run.name)
    assert not undoable(after) and not after.cut_off
    return results


@pytest.mark.parametrize("name", FIRST)
def test_killed_anywhere_it_is_gone_on_from_and_taken_back(stack: World, name: str, tmp_path: Path) -> None:
    case, database = ENGINE[name], containers(stack, "postgres")
    action, first, state = case.breaks(stack), FIRST[name](stack), tmp_path / "state"
    before, here = case.state(stack), site(stack)
    for point in POINTS if name == "cache.own" else OF_THE_ACTION:
        run = killed(stack, state, action, point, first)
        assert run.cut_off is (point in CUT_OFF), point
        left = case.state(stack)
        assert (left == before) is (point in UNCHANGED), point
        if point in CUT_OFF and (resumed := gone_on(stack, state, run, action)) is not None:
            assert case.state(stack) != before, point
            kept = any(result.for_good for result in taken_back(here, state, resumed))  # a part of a model was completed
            assert kept or case.state(stack) == left, point
        found = [result.became for result in taken_back(here, state, run)]
        # In the middle the kill may come before the change or behind it.
        able = {"begin": set(), "saved": set(), "doing": {Became.ALREADY}, "middle": {Became.UNDONE, Became.ALREADY}}
        assert set(found) <= able.get(point, {Became.UNDONE}) and (found == []) is (point in ("begin", "saved")), point
        assert case.state(stack) == before, point
    assert containers(stack, "postgres") == database


def test_a_worker_that_was_being_recreated(stack: World) -> None:
    """In the middle there may be two containers, or one by another name. The next start of the command itself tells of it."""
    case, database = ENGINE["worker.recreate"], containers(stack, "postgres")
    state = state_folder({}, str(stack.home))
    for point in OF_THE_ACTION:
        action = case.breaks(stack)
        before = case.state(stack)
        run = killed(stack, state, action, point, "container")
        told = f"The run {run.name} was cut off in the middle of this: Recreates {WORKER}"
        if point == "middle":  # without a terminal it is told, and gone on from there
            done = ready_doctor.run("fix", "--yes", "--allow", "restarts", cwd=stack.folder, env=stack.shell())
            # Where Compose was between two names, the new container has the new values and is only to be started; or it runs.
            fixed = re.search(r"^Fixed: .*(?:stale-worker-env|worker-down)", done.stdout, re.M)
            assert told in done.stderr and (fixed or not re.search("stale-worker-env|worker-down", done.stdout)), done.stdout
            (number,) = (line.split()[0] for line in containers(stack, SERVICE).splitlines())
            assert state_of(stack, number) == "running" and "MAX_SPEAKERS=10" in environment_of(stack, number)
        case.before_undo(stack)
        if point == "applied":
            terminal = Terminal("fix", environ=stack.shell(), folder=stack.folder)
            terminal.expect(told)
            terminal.answer("or leave all as it is? [L/u/r]", "u")
            terminal.expect("✓ Taken back: Recreates")
            assert terminal.end() == 0, terminal.shown
        for one in stored(state):
            if undoable(one):
                taken_back(site(stack), state, one)
        assert case.state(stack) == before and containers(stack, "postgres") == database, point
        assert len(containers(stack, SERVICE).splitlines()) == 1 and state_of(stack, WORKER) == "running", point


def test_a_download_ends_with_the_doctor(stack: World, tmp_path: Path) -> None:
    """Else it went on in the worker, while what it downloads is taken back."""
    action = ENGINE["models.fetch"].breaks(stack)
    stack.hub.fault = Fault("blackhole")
    words = (str(stack.folder), str(stack.home), str(tmp_path / "state"), json.dumps(to_json(action)), "-", "-")
    with pytest.raises(subprocess.TimeoutExpired):
        ready_doctor.run_code(_RUN, *words, cwd=stack.folder, env=stack.shell(), timeout=2)
    stack.hub.fault = None
    until = time.monotonic() + 10
    while "hf_hub_download" in stack.engine.docker("top", WORKER, "-eo", "pid,args"):
        assert time.monotonic() < until, "it goes on"
        time.sleep(0.1)
