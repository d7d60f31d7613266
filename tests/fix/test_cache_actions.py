"""Files of the worker: given to it, opened, put out of the way, moved; and taken back, to the owner, the mode and the name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ot_doctor.actions import Action, DockerWaste, FreeDisk, MoveCache, OpenCache, OwnCache, OwnScratch, QuarantineModels
from ot_doctor.fix.catalogue import procedure, procedure_of
from ot_doctor.fix.procedure import NotPossible
from tests.fix.on_the_engine import Walk, site
from tests.scenarios.conftest import bring_up  # noqa: F401
from tests.scenarios.scenario import Scenario, World

pytestmark = pytest.mark.engine

WORKER = "opentranscribe-celery-worker"
BringUp = Callable[[Scenario], World]
Facts = dict[str, tuple[int, int, int, bytes]]


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


def test_a_cache_is_given_opened_emptied_and_moved_and_all_of_it_taken_back(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    mounts = f"{Scenario.volumes}      - audio:/scratch/opentranscribe\n"
    world = bring_up(Scenario(volumes=mounts, services="volumes:\n  audio:\n"))
    outside = tmp_path / "outside"
    outside.write_text("not the worker's")
    hub, lost = world.models / "huggingface" / "hub", world.models / "old"
    odd = hub / "a b's \udcff é\\\\n $(x)"
    odd.write_bytes(b"x")
    (hub / "a\nb").touch()
    with pytest.raises(NotPossible, match="line break"):
        procedure_of(OwnCache(str(world.models), WORKER), site(world))
    (hub / "a\nb").unlink()
    (hub / "link").symlink_to(outside)
    for path in (odd, hub / "link", next(hub.glob("models--*/blobs"))):
        os.chown(path, 0, 0, follow_symlinks=False)
    (hub / "version.txt").write_text("1")
    (hub / "version.txt").chmod(0o400)
    models = sorted(path.name for path in hub.glob("models--*"))
    before = facts(world.models)

    walk = Walk(world, OwnCache(str(world.models), WORKER, 1000, 1000), tmp_path / "own")
    preview = walk.applied()
    assert owners(facts(world.models)) == {(1000, 1000)} and any(str(odd.parent) in line for line in preview.lines)
    assert outside.stat().st_uid == os.geteuid(), "what a link leads to is left alone"
    walk.undone()
    assert facts(world.models) == before

    walk = Walk(world, OpenCache(str(hub), WORKER), tmp_path / "open")
    walk.applied()
    assert (hub / "version.txt").stat().st_mode & 0o777 == 0o600
    walk.undone()
    assert facts(world.models) == before

    walk = Walk(world, QuarantineModels(str(hub), (models[0],), WORKER), tmp_path / "away")
    walk.applied()
    assert not (hub / models[0]).exists() and (hub / ".ot-doctor-removed" / "20261128-1203-1-1" / models[0]).is_dir()
    walk.undone()
    assert facts(world.models) == before

    _scratch(world, tmp_path)
    lost.mkdir()
    (hub / models[0]).rename(lost / models[0])
    (hub / models[0]).mkdir()
    (hub / models[0] / "partial").write_text("x")
    before = facts(world.models)
    walk = Walk(world, MoveCache((str(lost / models[0]),), str(hub), WORKER, 1000, 1000), tmp_path / "move")
    walk.applied()
    assert (hub / models[0] / "snapshots").is_dir() and owners(facts(hub / models[0])) == {(1000, 1000)}
    walk.undone()
    assert facts(world.models) == before
    assert world.engine.docker("ps", "-aq", "--filter=label=ot-doctor.helper") == "", "no helper stays"


def _scratch(world: World, folder: Path) -> None:
    def owner() -> str:
        return world.engine.docker("exec", WORKER, "stat", "-c", "%u:%g", "/scratch/opentranscribe")

    before = owner()
    walk = Walk(world, OwnScratch("opentranscribe_audio", WORKER), folder / "scratch")
    walk.applied()
    assert owner() == "1000:999"
    walk.undone()
    assert owner() == before


def test_nothing_else_of_the_host_is_touched(bring_up: BringUp) -> None:  # noqa: F811
    world = bring_up(Scenario(cache="absent"))
    above = str(world.folder)
    actions: list[Action] = [
        OwnCache("/etc", WORKER), OwnCache("/", WORKER), OwnCache(above, WORKER), OpenCache(f"{above}/models/..", WORKER),
        QuarantineModels("/etc", ("models--a--b",), WORKER), OwnScratch("somebodys-volume", WORKER),
        MoveCache(("/etc/models--a--b",), "/etc/hub", WORKER), OwnCache(f"{above}/models", "somebodys-container"),
    ]  # fmt: skip
    for action in actions:
        with pytest.raises(NotPossible, match=r"left alone|not one of the containers"):
            procedure_of(action, site(world))


def test_what_came_back_meanwhile_is_not_overwritten(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    world = bring_up(Scenario())
    hub = world.models / "huggingface" / "hub"
    model = sorted(path.name for path in hub.glob("models--*"))[0]
    shutil.copytree(hub / model, tmp_path / "new", symlinks=True)
    walk = Walk(world, QuarantineModels(str(hub), (model,), WORKER), tmp_path)
    walk.applied()
    shutil.move(tmp_path / "new", hub / model)
    with pytest.raises(Exception, match="is there again"):
        walk.undone()
    models = tuple(sorted(path.name for path in hub.glob("models--*")))
    walk = Walk(world, QuarantineModels(str(hub), models, WORKER), tmp_path / "cut", 2)
    walk.saved = procedure_of(walk.action, site(world)).save(walk.files)
    assert not procedure(walk.action.name).undo(walk.saved, walk.files, site(world)), "it was cut off before anything was done"
    (hub / ".ot-doctor-removed" / "20261128-1203-1-2").mkdir(parents=True, exist_ok=True)
    (hub / model).rename(hub / ".ot-doctor-removed" / "20261128-1203-1-2" / model)
    walk.undone()
    assert tuple(sorted(path.name for path in hub.glob("models--*"))) == models, "it was cut off in the middle"
    for name in ("../models--x", "models--a/../b", "other"):
        with pytest.raises(NotPossible, match="not the folder of a model"):
            procedure_of(QuarantineModels(str(hub), (name,), WORKER), site(world))


def test_images_without_a_name_are_deleted_and_nothing_else(bring_up: BringUp, tmp_path: Path) -> None:  # noqa: F811
    world = bring_up(Scenario())
    world.engine.docker("volume", "create", "kept")
    everything = set(world.engine.docker("images", "-q", "--no-trunc").split())
    container = world.engine.docker("create", "busybox")
    used, unused = (world.engine.docker("commit", f"--message={n}", container) for n in (1, 2))
    world.engine.docker("create", used)
    walk = Walk(world, FreeDisk(DockerWaste.UNTAGGED_IMAGES), tmp_path)
    preview = walk.applied()
    assert [line[:12] for line in preview.lines] == [unused.partition(":")[2][:12]]
    assert set(world.engine.docker("images", "-q", "--no-trunc").split()) == {*everything, used}
    assert "kept" in world.engine.docker("volume", "ls", "-q")
    with pytest.raises(NotPossible, match="is gone"):
        walk.undone()
    assert not procedure_of(FreeDisk(DockerWaste.BUILD_CACHE), site(world)).precondition(), "nothing was built here"
    world.engine.clear()
    world.engine.docker("rmi", used)
