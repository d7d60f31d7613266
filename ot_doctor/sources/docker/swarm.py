"""What a Swarm's manager knows of the worker's tasks: their node, their state and their error.

No command runs in a container on another node, and no file of it is read from here, so such a task is examined there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shlex import quote
from typing import TYPE_CHECKING, Any

from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.releases import services
from ot_doctor.evidence.workers import Engine, Role, SwarmTask, Worker, fits
from ot_doctor.redaction.masking import redact_outside
from ot_doctor.sources.docker.engine import asking
from ot_doctor.sources.docker.transport import NotDockers, an_object, text_of

if TYPE_CHECKING:
    import docker

_IMAGE = "opentranscribe"
_LONGEST_ERROR = 300  # characters
_FAILED = ("failed", "rejected")

Json = Mapping[str, Any]


def seen_here(
    client: docker.DockerClient, engine: Engine, request: Request, workers: list[Worker]
) -> tuple[list[Worker], tuple[SwarmTask, ...]]:
    """The containers without those that a later task has replaced, and the tasks that have no container here.

    Raises ``Unavailable`` where the worker runs on another node.
    """
    diarizers = [worker for worker in workers if worker.role is Role.DIARIZER]
    if not engine.swarm or request.workers or any(not worker.compose.swarm_service for worker in diarizers):
        return workers, ()
    if engine.swarm == "worker":
        if workers:
            return workers, ()
        raise _ask_a_manager()
    try:
        tasks = _tasks(client, engine, request)
    except Unavailable as error:
        if not error.switched_off:
            raise
        if any(worker.running for worker in diarizers):
            return workers, ()
        raise Unavailable(error.reason, error.hint, elsewhere=True) from error  # the worker may be on another node
    current = {task.container for task in tasks}
    replaced = [worker for worker in diarizers if tasks and worker.id not in current]
    there = tuple(task for task in tasks if task.container not in {worker.id for worker in workers})
    elsewhere = [task for task in there if task.up]
    if elsewhere and len(replaced) == len(diarizers):
        raise unseen(elsewhere[0])
    return [worker for worker in workers if worker not in replaced], there


def unseen(task: SwarmTask) -> Unavailable:
    """Why nothing is known of a task but what the manager says."""
    return Unavailable(
        f"The worker's task of the Swarm service {task.service} runs on another node ({task.said}), and what is in its container "
        "is seen from there alone.",
        hint=f"Its node is {task.node}: run ot-doctor there.",
        command=f"ot-doctor --host {quote(f'ssh://{task.node}')}",
        elsewhere=True,
    )


def _ask_a_manager() -> Unavailable:
    return Unavailable(
        "This machine is a worker of a Swarm and has no container of OpenTranscribe; where one runs, only a manager knows.",
        hint="Run ot-doctor on a manager. 'docker info' lists the managers' addresses.",
        command="docker info --format '{{json .Swarm.RemoteManagers}}'",
        elsewhere=True,
    )


def _tasks(client: docker.DockerClient, engine: Engine, request: Request) -> list[SwarmTask]:
    """The newest task of each place in a service that diarizes; a place is a replica or, in a global service, a node."""
    with asking(client, engine, request):
        api: Any = client.api
        known = {text_of(one, "ID"): one for one in _objects(api.services()) if _diarizes(one)}
        if not known:
            return []
        tasks = _objects(api.tasks(filters={"service": list(known)}))
        nodes = {text_of(one, "ID"): one for one in _objects(api.nodes())}
    places: dict[tuple[str, str], list[Json]] = {}
    for task in sorted(tasks, key=lambda task: _text(task.get("CreatedAt")), reverse=True):
        service = _text(task.get("ServiceID"))
        if service in known and task.get("DesiredState") != "remove":
            places.setdefault((service, str(task.get("Slot") or _text(task.get("NodeID")))), []).append(task)
    return [_task(found, known[service], nodes) for (service, _), found in places.items()]


def _diarizes(service: Json) -> bool:
    name, spec = _name(service), _mapping(_mapping(_mapping(service.get("Spec")).get("TaskTemplate")).get("ContainerSpec"))
    return _IMAGE in _text(spec.get("Image")).lower() and any(fits("", name, one) for one in services("diarizer"))


def _task(found: list[Json], service: Json, nodes: Mapping[str, Json]) -> SwarmTask:
    """``found``: the tasks of one place, the newest first. An error is that of the last one that had one."""
    newest = found[0]
    status, node = _mapping(newest.get("Status")), nodes.get(_text(newest.get("NodeID")), {})
    errors = (_text(_mapping(one.get("Status")).get("Err")) for one in found)
    return SwarmTask(
        service=_name(service),
        state=_text(status.get("State")),
        error=clipped(redact_outside(next(filter(None, errors), "")), _LONGEST_ERROR),
        failures=sum(_text(_mapping(one.get("Status")).get("State")) in _FAILED for one in found),
        node=_text(_mapping(node.get("Description")).get("Hostname")),
        node_state=_text(_mapping(node.get("Status")).get("State")),
        container=_text(_mapping(status.get("ContainerStatus")).get("ContainerID")),
    )


def _name(service: Json) -> str:
    return _text(_mapping(service.get("Spec")).get("Name"))


def _objects(answer: object) -> Iterable[Json]:
    if not isinstance(answer, list):
        raise NotDockers("it is not a list, and a list was expected")
    return [an_object(entry) for entry in answer]


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return printable(value) if isinstance(value, str) else ""
