from pathlib import Path

from ot_doctor_site_example.hub_mirror import MIRROR, hub_mirror

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import ComposeLabels, Deployment, Engine, Role, Worker, Workers
from ot_doctor.testing import assert_conforms, assert_findings_conform

HOME = Path("/srv/opentranscribe")
DEPLOYMENT = Deployment(HOME, "--dir", HOME / ".env", compose_files=(HOME / "docker-compose.yml",))
ENGINE = Engine("unix:///var/run/docker.sock", "the default socket")
SERVICE = ComposeLabels(service="celery-worker")


def judged(env: dict[str, str]) -> Finding:
    image = "davidamacey/opentranscribe-backend:v0.4.1"
    worker = Worker(ENGINE, "c0ffee", "worker", Role.DIARIZER, image, SERVICE, "running", env=env)
    findings = hub_mirror(Workers(ENGINE, (worker,)), DEPLOYMENT)
    assert_findings_conform(hub_mirror, findings)
    (finding,) = findings
    return finding


def test_it_keeps_to_the_rules() -> None:
    assert_conforms(hub_mirror)


def test_the_mirror_is_asked() -> None:
    assert judged({"HF_ENDPOINT": f"{MIRROR}/"}).status is Status.PASS


def test_another_hub_is_a_failure_that_says_how_to_mend_it() -> None:
    for env in ({}, {"HF_ENDPOINT": "https://huggingface.co"}):
        finding = judged(env)
        assert finding.cause is Cause.NETWORK_REFUSED
        assert finding.remedy[-1].command is not None
        assert finding.remedy[-1].command.endswith("up -d --force-recreate celery-worker")


def test_without_a_worker_there_is_nothing_to_check() -> None:
    (finding,) = hub_mirror(Workers(ENGINE, ()), DEPLOYMENT)
    assert finding.status is Status.SKIP
