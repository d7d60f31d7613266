"""Whether a diarization worker exists and is running."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from shlex import quote

from ot_doctor.actions import StartServices
from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import ComposeConfig, Deployment, Unavailable, Worker, Workers
from ot_doctor.evidence.releases import services
from ot_doctor.evidence.workers import SwarmTask, lite_image

from ._worker_remedies import gpu_steps, last_lines, run_tasks_again, start_again

_GPU_ERROR = re.compile(r"nvidia|unknown device|could not select device driver|\bCDI\b|gpu", re.IGNORECASE)
_MANY_RESTARTS = 3


@check(
    "worker-running",
    title="A diarization worker is running",
    family=Family.WORKER,
    causes=(Cause.WORKER_DOWN, Cause.GPU_UNAVAILABLE),
)
def worker_running(
    workers: Workers, deployment: Deployment | Unavailable, compose: ComposeConfig | Unavailable
) -> Iterator[Finding]:
    """Diarization runs in celery-worker, in celery-worker-gpu-scaled, or in celery-worker-gpu-diarize (profile gpu-split).

    Without one of them jobs wait forever. The engine is asked for the state of
    each such container: running, stopped (with its exit code), restarting,
    paused, unhealthy, or never started, with the engine's own reason. One
    running worker is enough. A lite install has none, because a cloud provider
    does the diarization there.

    To fix it, run 'docker compose up -d --no-recreate' for the service. If the
    worker stops again, its log says why. 'could not select device driver' or 'unknown
    device' mean that the engine cannot provide the GPU that the Compose files
    ask for.

    In a Swarm, a manager knows the node, the state and the error of the
    worker's task. What runs on another node can be examined there only.
    """
    if workers.lite or (not workers.diarizers and _lite_by_compose(compose)):
        yield skipped("In a lite install, a cloud provider does the diarization, and Hugging Face is not involved.")
        return
    if not workers.diarizers and not workers.tasks:
        yield _none(workers, deployment)
        return
    one_runs = any(not _problem(worker) for worker in workers.diarizers)
    for task in workers.tasks:
        yield _of_a_task(task, deployment, one_runs)
    for worker in workers.diarizers:
        problem = _problem(worker)
        if problem and one_runs:
            yield warned(
                f"{worker.name} {problem}. Another worker is running.",
                cause=Cause.WORKER_DOWN,
                subject=worker.name,
                evidence=_state(worker),
                remedy=start_again(worker, deployment),
            )
        elif problem:
            yield _down(worker, deployment, problem)
        elif worker.restart_count >= _MANY_RESTARTS:
            yield warned(
                f"{worker.name} is running, but {worker.engine.kind} had to restart it {worker.restart_count} times.",
                cause=Cause.WORKER_DOWN,
                subject=worker.name,
                evidence=_state(worker),
                remedy=[last_lines(worker, deployment)],
            )
        else:
            yield passed(
                f"{worker.name} has been running since {_at(worker.started_at)}.", subject=worker.name, evidence=_state(worker)
            )


def _problem(worker: Worker) -> str:
    """Why the worker takes no jobs; empty when it does."""
    if worker.has_just_started and worker.restart_count >= _MANY_RESTARTS:
        return f"keeps restarting ({worker.restart_count} times; it had just been started again)"
    if worker.status == "running":
        return "is running, but its health check fails" if worker.health == "unhealthy" else ""
    if worker.status == "restarting":
        return f"keeps restarting ({worker.restart_count} times, exit code {worker.exit_code})"
    if worker.status == "created":
        return "was created but never started"
    if worker.status == "exited":
        by_hand = ", killed or stopped by hand" if worker.exit_code == 137 else ""
        why = ", killed for lack of memory" if worker.oom_killed else by_hand
        return f"stopped at {_at(worker.finished_at)} (exit code {worker.exit_code}{why})"
    return f"is {worker.status}"


def _of_a_task(task: SwarmTask, deployment: Deployment | Unavailable, one_runs: bool) -> Finding:
    """What the Swarm's manager says of a task that has no container here."""
    again = run_tasks_again(task.service, deployment, failed=task.failures > 0)
    seen = [Seen("container", f"{task.service} task", f"{task.said} ({task.failures} failed tasks)")]
    if task.up:
        text = f"A task of {task.service} runs on {task.node}, and what is in its container is seen from there alone."
        there = Step(f"Run ot-doctor on {task.node}, too.", command=f"ot-doctor --host {quote(f'ssh://{task.node}')}")
        return unknown(text, subject=task.service, evidence=seen, remedy=[there])
    text = f"A task of the Swarm service {task.service} is not running: {task.said}."
    if one_runs:
        text += " Another worker is running."
        return warned(text, cause=Cause.WORKER_DOWN, subject=task.service, evidence=seen, remedy=again)
    return failed(
        Cause.WORKER_DOWN, text, subject=task.service, expected="a task that is running", evidence=seen, remedy=again
    )  # fmt: skip


def _none(workers: Workers, deployment: Deployment | Unavailable) -> Finding:
    seen = f"no container of the service celery-worker among the {len(workers.containers)} of this installation"
    if isinstance(deployment, Unavailable) or not deployment.compose_files:
        start = Step("Start OpenTranscribe in its folder, the way it was started before.", risk=Risk.RESTARTS)
    else:
        command = deployment.compose("up -d --no-recreate --pull missing --no-build celery-worker")
        start = Step("Start the worker.", command=command, risk=Risk.RESTARTS, action=StartServices(("celery-worker",)))
    return failed(
        Cause.WORKER_DOWN,
        "There is no diarization worker.",
        subject="celery-worker",
        expected="a running container of the service celery-worker",
        evidence=[Seen("container", workers.engine.endpoint, seen)],
        remedy=[start],
    )


def _down(worker: Worker, deployment: Deployment | Unavailable, problem: str) -> Finding:
    if worker.error and not worker.running and _GPU_ERROR.search(worker.error):
        return failed(
            Cause.GPU_UNAVAILABLE,
            f"{worker.engine.kind} cannot start {worker.name} with the configured GPU: {worker.error}",
            subject=worker.name,
            expected="a GPU that the engine can provide",
            evidence=_state(worker),
            remedy=[*gpu_steps(), start_again(worker, deployment)[0]],
        )
    reason = f": {worker.error}" if worker.error and not worker.running else "."
    return failed(
        Cause.WORKER_DOWN,
        f"{worker.name} {problem}{reason}",
        subject=worker.name,
        expected="a worker that is running",
        evidence=_state(worker),
        remedy=start_again(worker, deployment),
    )


def _state(worker: Worker) -> list[Seen]:
    state = f"{worker.status}, exit code {worker.exit_code}, restarted {worker.restart_count} times"
    seen = [Seen("container", f"{worker.name} State", state)]
    if worker.error:
        seen.append(Seen("container", f"{worker.name} State.Error", worker.error))
    if worker.health:
        seen.append(Seen("container", f"{worker.name} State.Health", worker.health))
    if worker.health == "unhealthy" and worker.health_output:
        seen.append(Seen("container", f"{worker.name} State.Health.Log", worker.health_output))
    return seen


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "an unknown time"


def _lite_by_compose(compose: ComposeConfig | Unavailable) -> bool:
    if isinstance(compose, Unavailable):
        return False
    local = compose.services.get("celery-worker")
    cloud = any(name in services("cloud") or lite_image(service.image) for name, service in compose.services.items())
    return cloud and (local is None or local.replicas == 0)
