from __future__ import annotations

import pytest

from ot_doctor.check import Cause, Status
from ot_doctor.evidence import Host, ModelCache, Purpose, Space, Unavailable
from ot_doctor_checks.disk_space import disk_space
from tests.checks.evidence import GIGABYTE, MODELS, cache, deployment, everything_said, host, only, statuses


def space(free: int, *, purpose: Purpose = Purpose.MODEL_CACHE, inodes_free: int = 1000, inodes_total: int = 1000) -> Space:
    return Space(MODELS, purpose, 100 * GIGABYTE, free, inodes_total, inodes_free)


def test_without_a_cache_to_look_at_its_reason_is_the_reason() -> None:
    with pytest.raises(Unavailable, match="only a log was given"):
        disk_space(Host(()), Unavailable("only a log was given", switched_off=True), deployment())


def test_space_that_could_not_be_read_is_unknown() -> None:
    assert only(disk_space, Host(()), cache(), deployment()).status is Status.UNKNOWN


def test_plenty_of_room_passes() -> None:
    assert set(statuses(disk_space(host(), cache(False), deployment()))) == {Status.PASS}


@pytest.mark.parametrize("full", [space(0), space(63_000_000), space(50 * GIGABYTE, inodes_free=0)])
def test_no_room_fails_when_a_model_must_be_downloaded(full: Space) -> None:
    finding = only(disk_space, Host((full,)), cache(False), deployment())
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.DISK_FULL, MODELS)
    assert any((step.command or "").startswith("df -") for step in finding.remedy)


def test_no_inodes_are_said_to_be_inodes() -> None:
    finding = only(disk_space, Host((space(50 * GIGABYTE, inodes_free=0),)), cache(False), deployment())
    assert "inodes" in finding.message
    assert f"df -i {MODELS}" in everything_said(finding)


def test_a_file_system_that_counts_no_inodes_is_not_full() -> None:
    finding = only(disk_space, Host((space(50 * GIGABYTE, inodes_free=0, inodes_total=0),)), cache(False), deployment())
    assert finding.status is Status.PASS


@pytest.mark.parametrize("given", [cache(), cache(False, offline="HF_HUB_OFFLINE=1"), Unavailable("not looked at")])
def test_no_room_is_a_warning_when_nothing_is_downloaded(given: ModelCache | Unavailable) -> None:
    assert only(disk_space, Host((space(0),)), given, deployment()).status is Status.WARN


def test_little_room_is_a_warning() -> None:
    finding = only(disk_space, Host((space(GIGABYTE),)), cache(False), deployment())
    assert (finding.status, finding.cause) == (Status.WARN, Cause.DISK_FULL)
    assert "1.0 GB free" in finding.message


def test_no_room_for_the_engines_data_is_a_warning() -> None:
    assert only(disk_space, Host((space(0, purpose=Purpose.ENGINE_DATA),)), cache(False), deployment()).status is Status.WARN


def test_what_could_not_be_read_is_unknown() -> None:
    finding = only(disk_space, Host(()), cache(), deployment())
    assert finding.status is Status.UNKNOWN
    assert finding.remedy


@pytest.mark.parametrize(
    ("podman", "commands"),
    [
        (False, ["docker system df", "docker builder prune -f", "docker image prune -f"]),
        (True, ["podman system df", "podman image prune -f"]),  # 4.3 knows no 'builder prune'
    ],
)
def test_what_the_engine_can_make_again(podman: bool, commands: list[str]) -> None:
    full = (space(0), space(0, purpose=Purpose.ENGINE_DATA))
    findings = disk_space(Host(full), cache(False), deployment(podman=podman))
    assert [step.command for step in findings[0].remedy if step.command and not step.command.startswith("df ")] == commands
