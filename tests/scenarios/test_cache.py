"""The model cache: where it is, what is in it, and what the worker's user may do there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.parts import hub, models
from tests.scenarios import logs
from tests.scenarios.scenario import APPUSER, TOKEN, BringUp, Report, Scenario, World

pytestmark = pytest.mark.engine

HUB = "/home/appuser/.cache/huggingface/hub"
DENIED = logs.v04_failure(*logs.permission_denied(f"{HUB}/models--pyannote--speaker-diarization-community-1"))
OFFLINE = "HUGGINGFACE_TOKEN={token}\nHF_HUB_OFFLINE=1\n"


def _community(world: World) -> Path:
    return world.models / "huggingface/hub/models--pyannote--speaker-diarization-community-1"


def _healthy_after_obeying(world: World, report: Report) -> None:
    (world.folder / "recorded.log").write_text("")
    world.obey(report)
    world.compose("restart")
    again = world.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


def test_folder_created_by_the_engine_as_root(bring_up: BringUp) -> None:
    world = bring_up(Scenario(cache="none", log=DENIED))
    report = world.report()
    assert report.causes == ["cache-permission"] and report.exit_code == 1, report.summary()
    assert "last-attempt" in report.diagnosis[0]["explains"]
    assert str(world.models) in report.remedy_text()
    _healthy_after_obeying(world, report)


def test_no_exec_comes_to_the_same_answer(bring_up: BringUp) -> None:
    report = bring_up(Scenario(cache="none", log=DENIED)).report("--no-exec")
    assert report.causes == ["cache-permission"], report.summary()


def test_locks_owned_by_root(bring_up: BringUp) -> None:
    def prepare(world: World) -> None:
        locks = world.models / "huggingface/hub/.locks"
        locks.mkdir(parents=True)
        models.own(world.models, APPUSER)
        os.chown(locks, 0, 0)

    world = bring_up(Scenario(cache="absent", log=DENIED, prepare=prepare))
    report = world.report()
    assert report.causes == ["cache-permission"], report.summary()
    assert ".locks" in str(report.diagnosis[0])
    _healthy_after_obeying(world, report)


def test_unreadable_cache_beats_the_gate(bring_up: BringUp) -> None:
    def prepare(world: World) -> None:
        models.own(world.models / "huggingface", (0, 0))
        os.chmod(world.models / "huggingface/hub", 0o700)

    log = logs.v04_failure(*logs.gated_403(hub.COMMUNITY_1))
    report = bring_up(Scenario(accepted=[], log=log, prepare=prepare)).report()
    assert report.causes == ["cache-permission", "gated-not-accepted"], report.summary()


def test_read_only_cache_with_a_download_needed(bring_up: BringUp) -> None:
    volumes = """\
      - ./models/huggingface:/home/appuser/.cache/huggingface:ro
      - ./models/torch:/home/appuser/.cache/torch
      - ./recorded.log:/recorded.log:ro
"""
    log = logs.v04_failure(*logs.os_error(30, "Read-only file system", HUB))
    report = bring_up(Scenario(cache="absent", volumes=volumes, log=log)).report()
    assert report.causes == ["cache-readonly"] and report.exit_code == 1, report.summary()


def test_read_only_but_complete_is_no_failure(bring_up: BringUp) -> None:
    volumes = """\
      - ./models/huggingface:/home/appuser/.cache/huggingface:ro
      - ./recorded.log:/recorded.log:ro
"""
    report = bring_up(Scenario(volumes=volumes)).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()


def test_disk_full(bring_up: BringUp) -> None:
    volumes = """\
      - small:/home/appuser/.cache/huggingface
      - ./recorded.log:/recorded.log:ro
"""
    small = """\
volumes:
  small:
    driver: local
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=2m,uid=1000,gid=998"}
"""

    def fill(world: World) -> None:
        script = "dd if=/dev/zero of=/home/appuser/.cache/huggingface/filler bs=64k 2>/dev/null; true"
        world.engine.execute("opentranscribe-celery-worker", "sh", "-c", script)

    log = logs.v04_failure(*logs.os_error(28, "No space left on device", f"{HUB}/blobs"))
    scenario = Scenario(cache="absent", volumes=volumes, log=log, after=fill)
    scenario.services = small
    report = bring_up(scenario).report()
    assert report.causes == ["disk-full"] and report.exit_code == 1, report.summary()


def test_models_where_the_guides_tar_recipe_puts_them(bring_up: BringUp) -> None:
    """`tar -xzf … -C models/torch/` of an archive of ~/.cache/torch/pyannote/."""

    def unpack(world: World) -> None:
        models.v03_cache(world.models / "torch/home/ada/.cache")
        models.own(world.models, APPUSER)

    scenario = Scenario(line="v0.3", cache="absent", log=[], prepare=unpack, env=OFFLINE)
    world = bring_up(scenario)
    report = world.report()
    assert report.causes == ["cache-incomplete"] and report.exit_code == 1, report.summary()
    assert "torch/home/ada/.cache/torch/pyannote" in str(report.diagnosis[0])
    _healthy_after_obeying(world, report)


def test_cache_not_mounted_warns(bring_up: BringUp) -> None:
    report = bring_up(Scenario(volumes="      - ./recorded.log:/recorded.log:ro\n")).report()
    assert report.causes == [] and "cache-not-mounted" in report.warned_causes(), report.summary()


def test_hf_home_outside_the_mount_warns(bring_up: BringUp) -> None:
    report = bring_up(Scenario(env="HUGGINGFACE_TOKEN={token}\nHF_HOME=/home/appuser/models\n")).report()
    assert report.causes == [] and "cache-not-mounted" in report.warned_causes(), report.summary()
    assert "HF_HOME" in report.text_of("cache-mounted")


def test_dangling_links_with_offline_mode(bring_up: BringUp) -> None:
    def dangle(world: World) -> None:
        for name in ("config.yaml", "segmentation/pytorch_model.bin"):
            models.make_dangling(_community(world), name)

    report = bring_up(Scenario(env=OFFLINE, prepare=dangle, log=[])).report()
    assert report.causes == ["offline-cache-missing"] and report.exit_code == 1, report.summary()
    assert "segmentation/pytorch_model.bin" in str(report.diagnosis[0])


def test_offline_with_an_empty_cache(bring_up: BringUp) -> None:
    report = bring_up(Scenario(env=OFFLINE, cache="absent", log=[])).report()
    assert report.causes == ["offline-cache-missing"], report.summary()


@pytest.mark.parametrize("damage", [models.make_lfs_pointer, models.make_html, models.truncate])
def test_file_that_is_no_model(bring_up: BringUp, damage: Callable[[Path, str], object]) -> None:
    def prepare(world: World) -> None:
        damage(_community(world), "segmentation/pytorch_model.bin")

    world = bring_up(Scenario(prepare=prepare, log=[]))
    report = world.report()
    assert report.causes == ["model-corrupt"] and report.exit_code == 1, report.summary()


def test_empty_torch_folder_is_normal_on_v04(bring_up: BringUp) -> None:
    report = bring_up(Scenario()).report()
    assert "torch/pyannote" not in str(report.diagnosis) and report.exit_code == 0


def test_revoked_token_and_unwritable_but_complete_cache(bring_up: BringUp) -> None:
    def revoke(local: hub.LocalHub) -> None:
        local.tokens[TOKEN].revoked = True

    world = bring_up(Scenario(hub_setup=revoke, prepare=lambda w: models.own(w.models, (0, 0))))
    report = world.report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
