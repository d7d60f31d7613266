from __future__ import annotations

from ot_doctor.check import Status
from ot_doctor.evidence import COMMUNITY_1, ReleaseLine, Role, Unavailable, Workers
from ot_doctor_checks.release_line import release_line
from tests.checks.evidence import ENGINE, deployment, everything_said, only, statuses, worker, workers


def test_known():
    finding = only(release_line, deployment(), workers())
    assert finding.status is Status.PASS
    assert "v0.4, v0.4.1" in finding.message and "TRANSFORMERS_CACHE" in finding.message


def test_unknown_line_warns_and_says_what_is_tested():
    finding = only(release_line, deployment(ReleaseLine.UNKNOWN, line_reason=""), workers())
    assert finding.status is Status.WARN and COMMUNITY_1 in finding.message and "speaker-diarization-3.1" in finding.message
    assert "image davidamacey/opentranscribe-backend:v0.4.1" in everything_said(finding)


def test_silent_upgrade():
    findings = release_line(deployment(checkout_version="v0.3.3"), workers())
    assert statuses(findings) == [Status.PASS, Status.WARN]
    said = everything_said(findings[1])
    assert "v0.3.3" in said and f"https://huggingface.co/{COMMUNITY_1}" in said and "/srv/ot/VERSION" in said


def test_no_silent_upgrade():
    for version in ("v0.4.0", "0.4.1", "v1.0", "v0.10.0", "main", None):
        assert statuses(release_line(deployment(checkout_version=version), workers())) == [Status.PASS]
    assert statuses(release_line(deployment(ReleaseLine.V0_3, checkout_version="v0.3.3"), workers())) == [Status.PASS]


def test_docker_unavailable_is_unknown_with_the_hint():
    finding = only(
        release_line, deployment(ReleaseLine.UNKNOWN), Unavailable("the socket is not there", "Start Docker.", "dockerd --help")
    )
    assert finding.status is Status.UNKNOWN and "the socket is not there" in finding.message
    assert (finding.remedy[0].text, finding.remedy[0].command) == ("Start Docker.", "dockerd --help")


def test_docker_switched_off_is_skipped():
    assert (
        only(release_line, deployment(ReleaseLine.UNKNOWN), Unavailable("--no-docker", switched_off=True)).status is Status.SKIP
    )


def test_the_log_may_have_told_without_docker():
    assert only(release_line, deployment(), Unavailable("no engine")).status is Status.PASS


def test_no_worker_and_lite():
    assert only(release_line, deployment(ReleaseLine.UNKNOWN), Workers(ENGINE, ())).status is Status.SKIP
    cloud = worker("cloud", service="celery-cloud-worker", role=Role.CELERY)
    assert only(release_line, deployment(), workers(cloud)).status is Status.SKIP


def test_told_by_other_containers():
    finding = only(release_line, deployment(), Workers(ENGINE, ()))
    assert finding.status is Status.PASS and finding.evidence[0].where == "the other containers"
