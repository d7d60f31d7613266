from __future__ import annotations

from dataclasses import replace

from ot_doctor.check import Status
from ot_doctor.evidence import Unavailable, Workers
from ot_doctor_checks.docker_engine import docker_engine
from tests.checks.evidence import ENGINE, only, workers


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


def test_podman_is_called_by_its_name() -> None:
    finding = only(docker_engine, Workers(replace(ENGINE, podman=True, version="4.3.1"), ()))
    assert finding.message.startswith("Podman 4.3.1 answers")


def test_it_answers_and_the_worker_is_on_another_node() -> None:
    finding = only(docker_engine, Unavailable("It is on node-3.", elsewhere=True))
    assert (finding.status, finding.message) == (Status.PASS, "The Docker engine answers. It is on node-3.")
