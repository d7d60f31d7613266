from __future__ import annotations

from ot_doctor.check import Status
from ot_doctor.evidence import Unavailable
from ot_doctor_checks.docker_engine import docker_engine
from tests.checks.evidence import only, workers


def test_it_answers() -> None:
    finding = only(docker_engine, workers())
    assert finding.status is Status.PASS
    assert "Docker 28.2.2" in finding.message and "unix:///var/run/docker.sock (the default socket)" in finding.message


def test_it_does_not() -> None:
    finding = only(docker_engine, Unavailable("permission denied on /var/run/docker.sock", "Join the group docker.", "id -nG"))
    assert finding.status is Status.UNKNOWN and "permission denied" in finding.message
    assert (finding.remedy[0].text, finding.remedy[0].command) == ("Join the group docker.", "id -nG")


def test_it_does_not_and_nobody_knows_why() -> None:
    finding = only(docker_engine, Unavailable("no answer"))
    assert finding.status is Status.UNKNOWN and "DOCKER_HOST" in finding.remedy[0].text


def test_switched_off() -> None:
    assert only(docker_engine, Unavailable("--no-docker", switched_off=True)).status is Status.SKIP
