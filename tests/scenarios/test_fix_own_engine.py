"""``ot-doctor fix`` where the engine itself matters: its disk is full, or it has a GPU to give that the worker does not have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.fix.terminal import Terminal
from tests.parts import images
from tests.parts.engine import Engine, why_not
from tests.scenarios import logs
from tests.scenarios.fixing import POSTGRES, UP, WORKER, Fault, actions, containers, fix, holding_a_token
from tests.scenarios.forms import forms
from tests.scenarios.scenario import DOCTOR, Scenario, hub_for

pytestmark = pytest.mark.engine

_SIZE, _LEFT, _WASTE = 200, 20, 70  # MB: of the disk, that are free when it is full, and that an image without a name takes
_GPU = """\
    deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}
"""
_ON_CUDA = [line.replace("on cpu", "on cuda") for line in logs.v04_success()]
FAULTS: Mapping[str, Fault] = {
    "a full disk": Fault(
        Scenario(cache="absent", services=POSTGRES, up=UP), "disk-full", ("disk.free",), forms=("builder prune", "image prune")
    ),
    "a GPU that was forgotten": Fault(
        Scenario(env="HUGGINGFACE_TOKEN={token}\nTORCH_DEVICE=cuda\n", log=_ON_CUDA, services=POSTGRES, up=UP),
        "gpu-unavailable",
        ("guide.install-toolkit", "worker.recreate"),
    ),
}


class _WithGpu(Engine):
    """Docker gives GPUs where it finds NVIDIA's hook; this one does nothing."""

    def _engine_environment(self) -> dict[str, str]:
        environ = super()._engine_environment()
        hook = self.home / "bin" / "nvidia-container-runtime-hook"
        hook.write_text("#!/bin/sh\n")
        hook.chmod(0o755)
        return environ | {"PATH": f"{hook.parent}:{environ['PATH']}"}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small file system of its own."""
    if reason := why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SIZE}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def own_engine(disk: Path) -> Iterator[Engine]:
    """One whose data is on that disk."""
    with _WithGpu(place=disk) as engine:
        engine.import_image(f"{images.BACKEND}:v0.4.1", env=images.backend_image_env("v0.4"))
        engine.import_busybox()
        yield engine


def test_a_full_disk_is_given_room_by_what_docker_can_make_again(own_engine: Engine, disk: Path) -> None:
    fault = FAULTS["a full disk"]
    with hub_for(None) as hub:
        world = fault.scenario.build(own_engine, hub, disk)
        _an_image_without_a_name(own_engine)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        (disk / "filler").write_bytes(bytes(free - _LEFT * 1_000_000))
        report = world.report()
        assert report.causes == [fault.cause], report.summary()
        database, worker = containers(world, "postgres"), containers(world, "celery-worker")
        told = fix(world, "--yes", "--allow", "removes")
        assert actions(told)[-1:] == [(fault.cause, "disk.free")] and told["causes"][0]["state"] == "gone", told
        assert (told["left"], told["exit_code"]) == ([], 0) and holding_a_token(world) == []
        steps = report.diagnosis[0]["remedy"]["steps"]
        assert forms(step["command"] for step in steps if step["command"] and step["risk"] != "safe") == set(fault.forms)
        world.obey(report)
        world.obey(report)
        assert (containers(world, "postgres"), containers(world, "celery-worker")) == (database, worker)
        (disk / "filler").unlink()
    own_engine.clear()


def _an_image_without_a_name(engine: Engine) -> None:
    made = engine.docker(
        "create", f"{images.BACKEND}:v0.4.1", "dd", "if=/dev/urandom", "of=/tmp/waste", "bs=1M", f"count={_WASTE}"
    )
    engine.docker("start", "--attach", made)
    engine.docker("commit", made)
    engine.docker("rm", made)


def test_a_gpu_is_guided_to_and_given(own_engine: Engine, tmp_path: Path) -> None:
    """Somebody started the worker without the GPU's part of the Compose files, which asks for it now."""
    fault = FAULTS["a GPU that was forgotten"]
    with hub_for(None) as hub:
        world = fault.scenario.build(own_engine, hub, tmp_path)
        compose = world.folder / "docker-compose.yml"
        compose.write_text(compose.read_text().replace("    env_file: .env\n", f"    env_file: .env\n{_GPU}", 1))
        report = world.report()
        assert report.causes == [fault.cause], report.summary()
        database = containers(world, "postgres")
        told = fix(world, "--yes", "--allow", "restarts")
        assert [one["outcome"] for one in told["causes"][0]["actions"]] == ["by-hand"], "a driver is a person's to install"
        terminal = Terminal([str(DOCTOR), "fix"], world.shell(), world.folder)
        terminal.answer("Do it now? [y/N/d/s/q]", "y")
        terminal.answer("[Enter, or q to give up]", "")
        terminal.expect(f"{WORKER}, unexpected: GPUs: none becomes 1 of them")
        terminal.answer("Recreate it now? [y/N/d/s/q]", "y")
        terminal.expect("gpu-unavailable is gone")
        terminal.answer("Try it now with two generated voices? [y/N]", "n")
        assert terminal.end() == 0, terminal.shown
        assert containers(world, "postgres") == database
    own_engine.clear()
