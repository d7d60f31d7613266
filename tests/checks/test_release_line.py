from __future__ import annotations

from typing import Any

from ot_doctor.check import Finding, Status
from ot_doctor.evidence import COMMUNITY_1, Deployment, EnvFile, ReleaseLine, Role, Unavailable, WorkerLog, Workers
from ot_doctor_checks.release_line import release_line as check
from tests.checks.evidence import ENGINE, deployment, env_file, everything_said, statuses, worker, worker_log, workers

NOT_THERE = Unavailable("none")


def release_line(
    deployment: Deployment,
    containers: Workers | Unavailable,
    env: EnvFile | Unavailable = NOT_THERE,
    log: WorkerLog | Unavailable = NOT_THERE,
) -> list[Finding]:
    findings: list[Finding] = check(deployment, containers, env, log)
    return findings


def one(*evidence: Any) -> Finding:
    (finding,) = release_line(*evidence)
    return finding


def test_known() -> None:
    finding = one(deployment(), workers())
    assert finding.status is Status.PASS
    assert "v0.4, v0.4.1" in finding.message and "TRANSFORMERS_CACHE" in finding.message


def test_unknown_line_warns_and_says_what_is_tested() -> None:
    finding = one(deployment(ReleaseLine.UNKNOWN, line_reason=""), workers())
    assert finding.status is Status.WARN and COMMUNITY_1 in finding.message and "speaker-diarization-3.1" in finding.message
    assert "image davidamacey/opentranscribe-backend:v0.4.1" in everything_said(finding)


def test_silent_upgrade() -> None:
    findings = release_line(deployment(checkout_version="v0.3.3"), workers())
    assert statuses(findings) == [Status.PASS, Status.WARN]
    said = everything_said(findings[1])
    assert "v0.3.3" in said and f"https://huggingface.co/{COMMUNITY_1}" in said and "/srv/ot/VERSION" in said


def test_no_silent_upgrade() -> None:
    for version in ("v0.4.0", "0.4.1", "v1.0", "v0.10.0", "main", None):
        assert statuses(release_line(deployment(checkout_version=version), workers())) == [Status.PASS]
    assert statuses(release_line(deployment(ReleaseLine.V0_3, checkout_version="v0.3.3"), workers())) == [Status.PASS]


def test_docker_unavailable_is_unknown_with_the_hint() -> None:
    finding = one(deployment(ReleaseLine.UNKNOWN), Unavailable("the socket is not there", "Start Docker.", "dockerd --help"))
    assert finding.status is Status.UNKNOWN and "the socket is not there" in finding.message
    assert (finding.remedy[0].text, finding.remedy[0].command) == ("Start Docker.", "dockerd --help")


def test_docker_switched_off_is_skipped() -> None:
    assert one(deployment(ReleaseLine.UNKNOWN), Unavailable("--no-docker", switched_off=True)).status is Status.SKIP


def test_the_log_may_have_told_without_docker() -> None:
    assert one(deployment(), Unavailable("no engine")).status is Status.PASS


def test_no_worker_and_lite() -> None:
    assert one(deployment(ReleaseLine.UNKNOWN), Workers(ENGINE, ())).status is Status.SKIP
    cloud = worker("cloud", service="celery-cloud-worker", role=Role.CELERY)
    assert one(deployment(), workers(cloud)).status is Status.SKIP


def test_told_by_other_containers() -> None:
    finding = one(deployment(), Workers(ENGINE, ()))
    assert finding.status is Status.PASS and finding.evidence[0].where == "the other containers"


def test_without_containers_the_lines_of_the_log_tell() -> None:
    log = worker_log(source={"name": "/x/worker.log", "release_signs": ("v0.4",)})
    for there in (deployment(ReleaseLine.UNKNOWN), Unavailable("a log alone", switched_off=True)):
        finding = one(there, Unavailable("--no-docker", switched_off=True), Unavailable("none"), log)
        assert finding.status is Status.PASS
        assert "The release line is v0.4, by the log's own lines" in finding.message
    mixed = worker_log(source={"release_signs": ("v0.4", "v0.5")})
    assert one(there, Unavailable("--no-docker", switched_off=True), Unavailable("none"), mixed).status is Status.SKIP


def test_a_release_that_is_newer_than_all_is_read_with_the_newest_rules() -> None:
    passed, warned = release_line(deployment(ReleaseLine.V0_5, version="v0.6.0"), workers())
    assert (passed.status, warned.status) == (Status.PASS, Status.WARN)
    assert "v0.6.0 is newer than every release" in warned.message and "the rules of v0.5" in warned.message
    assert statuses(release_line(deployment(ReleaseLine.V0_5, version="v0.5.9"), workers())) == [Status.PASS]


def test_a_pin_explains_an_old_release() -> None:
    env = env_file("OT_IMAGE_TAG=v0.4.1\n")
    finding = one(deployment(), workers(), env)
    assert "OT_IMAGE_TAG in the .env keeps it there" in finding.message and "/srv/ot/.env:1" in everything_said(finding)
    assert "OT_IMAGE_TAG" not in everything_said(one(deployment(ReleaseLine.V0_5), workers(), env))
    assert "OT_IMAGE_TAG" not in everything_said(one(deployment(), workers(), env_file("OT_IMAGE_TAG=latest\n")))
