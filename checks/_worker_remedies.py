"""Steps that start a worker again, or give it its GPU."""

from __future__ import annotations

from shlex import quote

from ot_doctor.actions import Action, RecreateServices, RestartContainer, StartServices, UnpauseContainer
from ot_doctor.check import Risk, Step
from ot_doctor.evidence import Deployment, Unavailable, Worker

from ._remedies import ALONE, engine_command

TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"


def start_again(worker: Worker, deployment: Deployment | Unavailable) -> list[Step]:
    """The command for the state that the worker is in, and where to look when it does not last."""
    if isinstance(deployment, Unavailable):
        return [Step(f"Start {worker.name} again.", risk=Risk.RESTARTS)]
    name = quote(worker.name)
    if worker.status == "paused":
        # By itself, 'unpause' fails where it is pasted a second time.
        paused = deployment.docker(f"inspect --format '{{{{.State.Paused}}}}' {name}")
        command = f"{paused} | grep -q false || {deployment.docker(f'unpause {name}')}"
        return [Step("Let the worker continue.", command=command, risk=Risk.RESTARTS, action=UnpauseContainer(worker.name))]
    if worker.compose.swarm_service:
        return run_tasks_again(worker.compose.swarm_service, deployment, failed=True)
    service = quote(worker.compose.service)
    # What else it needs is started too, and nothing that is there is replaced.
    how = "--no-recreate --pull never --no-build" if worker.status in ("exited", "created") else f"--force-recreate {ALONE}"
    action: Action
    if worker.compose.service and deployment.compose_files:
        command = deployment.compose(f"up -d {how} {service}")
        kind = StartServices if worker.status in ("exited", "created") else RecreateServices
        action = kind((worker.compose.service,))
    else:
        command, action = deployment.docker(f"restart {name}"), RestartContainer(worker.name)
    start = Step(f"Start {worker.name} again.", command=command, risk=Risk.RESTARTS, action=action)
    return [start, last_lines(worker, deployment)]


def run_tasks_again(service: str, deployment: Deployment | Unavailable, *, failed: bool) -> list[Step]:
    """Of a Swarm's service: no other command starts its tasks again. ``failed``: some have run, and have a log."""
    look = Step(
        f"On a manager, show what the Swarm says of {service}'s tasks, and fix what it names.",
        command=engine_command(deployment, f"service ps --no-trunc {quote(service)}"),
    )
    again = Step(
        f"Then let the Swarm start the tasks of {service} again.",
        command=engine_command(deployment, f"service update --force --detach {quote(service)}"),
        risk=Risk.RESTARTS,
    )
    if not failed:
        return [look, again]
    lines = engine_command(deployment, f"service logs --tail 50 {quote(service)}")
    return [look, again, Step("If they stop again, read their last lines, whatever their node.", command=lines)]


def last_lines(worker: Worker, deployment: Deployment | Unavailable) -> Step:
    command = None if isinstance(deployment, Unavailable) else deployment.docker(f"logs --tail 50 {quote(worker.name)}")
    return Step("If it stops again, read its last lines.", command=command)


def gpu_steps() -> list[Step]:
    """What to do when the engine cannot provide a GPU."""
    return [
        Step("List the GPUs of this machine.", command="nvidia-smi -L"),
        Step("If the error is 'could not select device driver', install the NVIDIA container toolkit.", url=TOOLKIT),
        Step(
            "If the error is 'unknown device', set GPU_DEVICE_ID (for celery-worker-gpu-scaled: GPU_SCALE_DEVICE_ID, 2 by "
            "default) in the .env to a number from that list.",
            risk=Risk.CHANGES_FILES,
        ),
    ]
