from __future__ import annotations

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import EnvFile, Unavailable, Workers
from ot_doctor_checks.env_workers_agree import env_workers_agree
from tests.checks.evidence import OTHER_TOKEN, TOKEN, celery, deployment, env_file, everything_said, only, worker, workers

OTHER = celery(env={"HUGGINGFACE_TOKEN": OTHER_TOKEN})


def judge(containers: Workers, env: EnvFile | Unavailable | None = None) -> Finding:
    return only(env_workers_agree, containers, env or env_file(), deployment())


def test_they_agree() -> None:
    finding = judge(workers(worker(), celery()))
    assert finding.status is Status.PASS and "2 Celery containers" in finding.message


def test_they_disagree_and_the_right_one_is_named() -> None:
    finding = judge(workers(worker(), OTHER))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.STALE_WORKER_ENV, "HUGGINGFACE_TOKEN")
    assert "opentranscribe-celery-worker one value, opentranscribe-celery-cpu-worker another" in finding.message
    assert "The .env has the value of opentranscribe-celery-worker" in finding.message
    assert "--no-deps --pull never --no-build celery-worker celery-cpu-worker" in (finding.remedy[0].command or "")
    assert TOKEN not in everything_said(finding) and OTHER_TOKEN not in everything_said(finding)
    assert len({seen.text for seen in finding.evidence}) == 2


def test_env_has_a_third_value() -> None:
    assert "a third value" in judge(workers(worker(), OTHER), env_file("HUGGINGFACE_TOKEN=\n")).message
    assert ".env" not in judge(workers(worker(), OTHER), Unavailable("none")).message


def test_one_is_nothing_to_compare() -> None:
    assert judge(workers()).status is Status.SKIP
    assert judge(workers(worker(), celery(env={}))).status is Status.SKIP


def test_a_stopped_leftover_does_not_count() -> None:
    assert (
        judge(workers(worker(), celery("cpu"), celery("old", env={"HUGGINGFACE_TOKEN": OTHER_TOKEN}, status="exited"))).status
        is Status.PASS
    )
