from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import ComposeConfig, ComposeService, Role, Unavailable, Worker, Workers
from ot_doctor.evidence.workers import SwarmTask
from ot_doctor_checks.worker_running import worker_running
from tests.checks.evidence import (
    COMPOSE_PATH,
    CREATED,
    ENGINE,
    WORKER,
    celery,
    compose,
    deployment,
    everything_said,
    only,
    statuses,
    worker,
    workers,
)

UP = "docker compose -p opentranscribe --project-directory /srv/ot -f /srv/ot/docker-compose.yml up -d"


def judged(*containers: Worker) -> Finding:
    return only(worker_running, workers(*containers), deployment(), compose())


def test_a_running_worker_passes() -> None:
    assert judged(worker()).status is Status.PASS
    assert judged(worker(health="starting")).status is Status.PASS


def test_no_container_fails_with_the_command_that_starts_one() -> None:
    finding = only(worker_running, Workers(ENGINE, ()), deployment(), compose())
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.WORKER_DOWN, "celery-worker")
    assert finding.remedy[0].command == f"{UP} --no-recreate --pull missing --no-build celery-worker"


def test_no_container_and_no_compose_file_fails_without_a_command() -> None:
    finding = only(worker_running, Workers(ENGINE, ()), deployment(compose_files=()), Unavailable("no Compose file"))
    assert finding.status is Status.FAIL
    assert finding.remedy[0].command is None


def test_a_stopped_worker_fails_with_its_exit_code_and_time() -> None:
    stopped = worker(status="exited", exit_code=137, finished_at=datetime(2026, 11, 20, 14, 0, tzinfo=timezone.utc))
    finding = judged(stopped)
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.WORKER_DOWN, WORKER)
    assert "2026-11-20 14:00:00 UTC (exit code 137, killed or stopped by hand)" in finding.message
    assert finding.remedy[0].command == f"{UP} --no-recreate --pull never --no-build celery-worker"


def test_a_worker_that_was_killed_for_memory_says_so() -> None:
    finding = judged(worker(status="exited", exit_code=137, oom_killed=True))
    assert finding.cause is Cause.WORKER_DOWN
    assert "killed for lack of memory" in finding.message


def test_a_restarting_worker_fails_and_shows_where_to_look() -> None:
    finding = judged(worker(status="restarting", exit_code=1, restart_count=7))
    assert finding.status is Status.FAIL
    assert "7 times, exit code 1" in finding.message
    assert f"docker logs --tail 50 {WORKER}" in everything_said(finding)


def test_an_unhealthy_worker_fails() -> None:
    finding = judged(worker(health="unhealthy"))
    assert finding.status is Status.FAIL
    assert "its health check fails" in everything_said(finding)
    assert "--force-recreate --no-deps --pull never --no-build celery-worker" in (finding.remedy[0].command or "")


def test_a_paused_worker_is_told_to_go_on() -> None:
    finding = judged(worker(status="paused"))
    assert finding.status is Status.FAIL
    paused = f"docker inspect --format '{{{{.State.Paused}}}}' {WORKER}"
    assert finding.remedy[0].command == f"{paused} | grep -q false || docker unpause {WORKER}", "it can be pasted twice"


def test_a_dead_worker_fails() -> None:
    assert judged(worker(status="dead")).status is Status.FAIL


def test_a_worker_that_could_not_be_started_shows_the_engines_reason() -> None:
    finding = judged(worker(status="created", error="error mounting /srv/ot/models: no such file or directory"))
    assert finding.cause is Cause.WORKER_DOWN
    assert "no such file or directory" in finding.message


@pytest.mark.parametrize(
    "error",
    [
        'could not select device driver "nvidia" with capabilities: [[gpu]]',
        "nvidia-container-cli: device error: 3: unknown device",
    ],
)
def test_a_gpu_that_the_engine_cannot_provide_is_its_own_cause(error: str) -> None:
    finding = judged(worker(status="created", error=error))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.GPU_UNAVAILABLE, WORKER)
    assert "GPU_SCALE_DEVICE_ID" in everything_said(finding)


def test_only_the_gpu_scaled_worker_is_enough() -> None:
    scaled = worker("opentranscribe-celery-worker-gpu-scaled", service="celery-worker-gpu-scaled")
    assert judged(scaled).status is Status.PASS
    findings = worker_running(workers(scaled, worker(status="exited")), deployment(), compose())
    assert statuses(findings) == [Status.PASS, Status.WARN]


def test_a_lite_install_is_skipped() -> None:
    cloud = replace(celery("cloud", service="celery-cloud-worker"), role=Role.OTHER)
    finding = judged(cloud)
    assert finding.status is Status.SKIP
    assert "cloud provider" in finding.message


def test_a_lite_install_that_is_stopped_is_known_from_its_compose_files() -> None:
    services = {
        name: ComposeService(name, COMPOSE_PATH, 1, replicas=n) for name, n in (("celery-cloud-worker", 1), ("celery-worker", 0))
    }
    finding = only(worker_running, Workers(ENGINE, ()), deployment(), ComposeConfig((COMPOSE_PATH,), services))
    assert finding.status is Status.SKIP


def test_many_restarts_of_a_running_worker_are_a_warning() -> None:
    assert judged(worker(restart_count=3)).status is Status.WARN
    assert judged(worker(restart_count=1)).status is Status.PASS


def test_one_that_dies_at_its_start_is_not_running_because_it_was_seen_between_two_restarts() -> None:
    at = CREATED + timedelta(seconds=2)
    finding = judged(worker(restart_count=4, started_at=CREATED, seen_at=at))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.WORKER_DOWN)
    assert "keeps restarting (4 times" in finding.message
    later = CREATED + timedelta(minutes=2)
    assert judged(worker(restart_count=4, started_at=CREATED, seen_at=later)).status is Status.WARN
    assert judged(worker(restart_count=0, started_at=CREATED, seen_at=at)).status is Status.PASS


def test_a_worker_that_compose_did_not_make_is_restarted_by_its_name() -> None:
    finding = judged(worker(service="", status="exited"))
    assert finding.remedy[0].command == f"docker restart {WORKER}"
    alone = only(worker_running, workers(worker(status="exited")), Unavailable("nothing found"), compose())
    assert alone.status is Status.FAIL


@pytest.mark.parametrize(
    ("task", "status", "said"),
    [
        (SwarmTask("ot_celery-worker", "running", node="node-3", node_state="ready"), Status.UNKNOWN, "runs on node-3"),
        (SwarmTask("ot_celery-worker", "running", node="node-3", node_state="down"), Status.FAIL, "node-3, which is down"),
        (SwarmTask("ot_celery-worker", "pending", "no suitable node"), Status.FAIL, "pending, on no node: no suitable node"),
        (SwarmTask("ot_celery-worker", "ready", "exit (4)", 3, "node-3"), Status.FAIL, "ready on node-3: exit (4)"),
    ],
)
def test_a_task_that_a_swarm_has_no_container_of_here(task: SwarmTask, status: Status, said: str) -> None:
    finding = only(worker_running, Workers(ENGINE, (), (task,)), deployment(), compose())
    assert finding.status is status and said in finding.message
    commands = [step.command for step in finding.remedy]
    if status is Status.UNKNOWN:
        assert commands == ["ot-doctor --host ssh://node-3"]
    else:
        assert finding.cause is Cause.WORKER_DOWN and "docker service update --force --detach ot_celery-worker" in commands
        assert ("docker service logs --tail 50 ot_celery-worker" in commands) is (task.failures > 0)


def test_a_task_elsewhere_beside_one_that_runs_here() -> None:
    up = SwarmTask("ot_celery-worker", "running", node="node-3")
    down = SwarmTask("ot_celery-worker", "failed", node="node-4")
    found = worker_running(Workers(ENGINE, (worker(),), (up, down)), deployment(), compose())
    assert statuses(found) == [Status.UNKNOWN, Status.WARN, Status.PASS]
