"""``ot-doctor fix --yes`` on what is wrong with containers and the cache: healthy afterwards, and the database was left alone."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.fix.test_cache_actions import facts
from tests.scenarios.scenario import APPUSER, DOCTOR, Scenario, World
from tests.scenarios.test_fix import fix, outcomes
from tests.scenarios.test_remedies import EXTRA, POSTGRES, containers

pytestmark = pytest.mark.engine

WORKER = "opentranscribe-celery-worker"
FOLDER = "models--pyannote--speaker-diarization-community-1"


def _paused(world: World) -> None:
    world.engine.docker("pause", WORKER)


def _killed(world: World) -> None:
    world.engine.docker("kill", WORKER)


def _removed(world: World) -> None:
    world.engine.docker("rm", "-f", WORKER)


def _of_root(world: World) -> None:
    for path in world.models.rglob("*"):
        os.chown(path, 0, 0, follow_symlinks=False)
    for path in (world.models / "huggingface/hub" / FOLDER / "blobs").iterdir():
        path.chmod(0o600)


def _in_the_wrong_place(world: World) -> None:
    (world.models / "huggingface/hub" / FOLDER).rename(world.models / FOLDER)


def _cut_off(world: World) -> None:
    for path in (world.models / "huggingface/hub" / FOLDER / "blobs").iterdir():
        os.truncate(path, path.stat().st_size // 2)


# In this order: each is fixed before the next one comes.
FAULTS: list[tuple[Callable[[World], None], str, str, str]] = [
    (_paused, "worker-down", "restarts", "worker.unpause"),
    (_killed, "worker-down", "restarts", "worker.start"),
    (_removed, "worker-down", "restarts", "worker.start"),
    (_of_root, "cache-permission", "changes-files", "cache.own"),
    (_in_the_wrong_place, "cache-incomplete", "changes-files", "cache.move"),
    (_cut_off, "model-corrupt", "removes", "cache.quarantine"),
]


def test_each_fault_is_gone_afterwards_and_the_database_is_the_same(bring_up: Callable[[Scenario], World]) -> None:
    world = bring_up(Scenario(extra=EXTRA, services=POSTGRES, up=("up", "-d", "--pull", "never")))
    database = containers(world, "postgres")
    for broken, cause, allowed, action in FAULTS:
        if broken is _removed:  # as _killed
            continue
        broken(world)
        if cause == FAULTS[-1][1]:
            refused = fix(world, "--yes")
            assert outcomes(refused)[cause] == ["not-allowed"] and refused["exit_code"] == 1, refused
        told = fix(world, "--yes", "--allow", allowed)
        assert [one["name"] for entry in told["causes"] for one in entry["actions"]] == [action], told
        assert outcomes(told)[cause] == ["applied"] and told["exit_code"] == 0, told
        assert containers(world, "postgres") == database
    assert (world.models / "huggingface/hub/.ot-doctor-removed").stat().st_uid == APPUSER[0]
    done = world._run([str(DOCTOR), "undo", told["run"], "--yes"], world.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model-corrupt" in world.report().causes, "undo gives it back as it was"
    assert containers(world, "postgres") == database


def test_the_printed_commands_do_the_same_and_can_be_pasted_twice(bring_up: Callable[[Scenario], World]) -> None:
    world = bring_up(Scenario(extra=EXTRA, services=POSTGRES, up=("up", "-d", "--pull", "never")))
    database = containers(world, "postgres")
    for broken, cause, _, _ in FAULTS[2:]:
        broken(world)
        report = world.report()
        assert report.causes == [cause], report.summary()
        assert world.obey(report)
        worker, files = containers(world, "celery-worker"), facts(world.models)
        world.obey(report)
        assert (containers(world, "celery-worker"), facts(world.models)) == (worker, files), f"a second paste of {cause}"
        assert containers(world, "postgres") == database
    report = world.report()
    assert report.causes == [] and report.warned_causes() == {"cache-missing"}, report.summary()
