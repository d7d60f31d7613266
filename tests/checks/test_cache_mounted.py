from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import ModelCache, Mount, Unavailable, Workers
from ot_doctor_checks.cache_mounted import cache_mounted
from tests.checks.evidence import ENGINE, MODELS, cache, deployment, env_file, everything_said, only, sed, worker, workers

INSIDE = "/home/appuser/.cache/huggingface"


def mounted(mount: Mount | None, *, complete: bool = True, offline: str | None = None, **root: Any) -> ModelCache:
    usual = cache(complete, offline=offline)
    return replace(usual, root=replace(usual.root, mount=mount, **root))


def test_a_bind_mount_under_the_cache_folder_passes() -> None:
    finding = only(cache_mounted, cache(), deployment(), workers(), env_file())
    assert finding.status is Status.PASS
    assert MODELS in finding.message


def test_a_named_volume_passes() -> None:
    given = mounted(Mount("volume", "/var/lib/docker/volumes/ot-models/_data", INSIDE, True, "ot-models"))
    assert only(cache_mounted, given, deployment(), workers(), env_file()).status is Status.PASS


def test_no_mount_is_a_warning_with_the_line_to_add() -> None:
    finding = only(cache_mounted, mounted(None, path=None), deployment(), workers(), env_file())
    assert (finding.status, finding.cause) == (Status.WARN, Cause.CACHE_NOT_MOUNTED)
    assert "${MODEL_CACHE_DIR:-./models}/huggingface:/home/appuser/.cache/huggingface" in everything_said(finding)
    assert "--force-recreate" in everything_said(finding)


def test_a_tmpfs_is_a_warning() -> None:
    finding = only(cache_mounted, mounted(Mount("tmpfs", "", INSIDE, True)), deployment(), workers(), env_file())
    assert finding.status is Status.WARN
    assert "in memory" in finding.message


def test_an_anonymous_volume_is_a_warning() -> None:
    given = mounted(Mount("volume", "/var/lib/docker/volumes/x/_data", INSIDE, True, "0123456789abcdef" * 4))
    finding = only(cache_mounted, given, deployment(), workers(), env_file())
    assert finding.status is Status.WARN
    assert "anonymous volume" in finding.message


def test_a_variable_that_moves_the_cache_off_the_mount_is_named_with_its_line() -> None:
    given = mounted(None, path=None, container_path="/data/hf/hub", set_by="HF_HOME")
    finding = only(
        cache_mounted, given, deployment(), workers(worker(env={"HF_HOME": "/data/hf"})), env_file("A=1\nHF_HOME=/data/hf\n")
    )
    assert finding.status is Status.WARN
    assert "HF_HOME=/data/hf makes the worker keep its models" in finding.message
    assert finding.remedy[0].command == sed('2s/^[^#]*HF_HOME/# &/')
    assert "HF_HOME=/data/hf" in everything_said(finding)


def test_a_variable_that_is_not_in_the_env_file_is_sought_in_the_compose_file() -> None:
    given = mounted(None, path=None, container_path="/data/hf/hub", set_by="HF_HOME")
    finding = only(cache_mounted, given, deployment(), workers(worker(env={"HF_HOME": "/data/hf"})), env_file())
    assert "'environment:' in /srv/ot/docker-compose.yml" in finding.remedy[0].text


def test_a_mount_elsewhere_than_model_cache_dir_is_a_warning() -> None:
    given = replace(cache(), configured="/data/models")
    finding = only(cache_mounted, given, deployment(), workers(), env_file())
    assert finding.status is Status.WARN
    assert "still uses /srv/ot/models/huggingface" in finding.message
    assert "--force-recreate" in (finding.remedy[0].command or "")


def test_a_mount_elsewhere_fails_when_offline_and_not_complete() -> None:
    given = replace(cache(False, offline="HF_HUB_OFFLINE=1"), configured="/data/models")
    finding = only(cache_mounted, given, deployment(), workers(), env_file())
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_NOT_MOUNTED)


@pytest.mark.parametrize("engine", [{"operating_system": "Docker Desktop"}, {"platform": "darwin"}])
def test_a_virtual_machine_shows_other_paths_for_the_same_folder(engine: dict[str, Any]) -> None:
    given = mounted(Mount("bind", "/host_mnt/srv/ot/models/huggingface", INSIDE, True))
    desktop = Workers(replace(ENGINE, **engine), (worker(),))
    assert only(cache_mounted, given, deployment(), desktop, env_file()).status is Status.PASS


def test_without_a_container_there_is_nothing_to_compare() -> None:
    given = replace(mounted(None), worker="")
    assert only(cache_mounted, given, deployment(), Workers(ENGINE, ()), env_file()).status is Status.SKIP
    assert only(cache_mounted, given, deployment(), Unavailable("off", switched_off=True), env_file()).status is Status.SKIP
    assert only(cache_mounted, given, deployment(), Unavailable("no engine"), env_file()).status is Status.UNKNOWN
