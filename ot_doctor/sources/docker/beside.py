"""A container of its own beside a worker, made of the worker's image: what goes wrong in it harms nobody.

It has the worker's user and mounts, no capabilities and a bound on its memory. It is removed in every case.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.containers import PROBE_LABEL
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.transport import an_object, objects_with_id, text_of
from ot_doctor.sources.hub.answers import clean

_LEFT_OVER = 600  # seconds

Json = Mapping[str, Any]


class NotStarted(Unavailable):
    """The engine made the container, and could not start it."""


@dataclass(frozen=True)
class Confined:
    """What one such container has that others have not."""

    purpose: str  # its label
    memory: int  # bytes at most; half of the machine's where it has less than twice as much
    environment: Any  # a mapping, or a list of NAME=value
    host: Mapping[str, Any]  # more of the engine's HostConfig, by the SDK's names
    may_write: bool = False  # to the mounts that the worker may write to
    folder: str | None = None  # the working folder; None: the image's own


def run_beside(
    request: Request,
    worker: Worker,
    command: list[str],
    confined: Callable[[Json], Confined],
    heard: Callable[[bytes, bytes], None],
) -> int:
    """Run the image's Python with the command, and return its exit code.

    ``confined`` is told what the engine says of the worker; ``heard`` gets each piece of standard output and standard error.
    Raises ``Unavailable``, ``NotStarted`` among them.
    """
    from docker.errors import NotFound

    client = reconnect(worker.engine, request)
    made = ""
    try:
        with asking(client, worker.engine, request):
            inspected = an_object(client.api.inspect_container(worker.id))
            _remove_leftovers(client)
            made = text_of(_create(client, worker, inspected, command, confined(inspected)), "Id")
            stream = client.api.attach(made, stdout=True, stderr=True, stream=True, logs=True, demux=True)
            _start(client, made, worker)
            for output, errors in stream:
                heard(output or b"", errors or b"")
            code = client.api.wait(made, timeout=5).get("StatusCode")
            return code if isinstance(code, int) else -1
    except NotFound:
        raise Unavailable(f"{worker.name}, or its image, no longer exists.") from None
    finally:
        _remove(client, made)
        client.close()


def gpu_of(inspected: Json) -> dict[str, Any]:
    """What gave the worker its GPU, as the engine takes it again."""
    had = an_object(inspected.get("HostConfig"))
    names = {"device_requests": "DeviceRequests", "runtime": "Runtime", "device_cgroup_rules": "DeviceCgroupRules"}
    given = {name: had[key] for name, key in names.items() if had.get(key)}
    devices = [
        ":".join(str(one.get(part)) for part in ("PathOnHost", "PathInContainer", "CgroupPermissions"))
        for one in had.get("Devices") or () if isinstance(one, dict)
    ]  # fmt: skip
    return {**given, **({"devices": devices} if devices else {})}


def marked(output: bytes, mark: str) -> list[Json]:
    """The JSON objects of the lines that begin with the run's mark; other lines are nobody's."""
    lines = output.decode("ascii", "replace").split("\n")
    return [found for line in lines if line.startswith(f"{mark} ") and (found := _object(line[len(mark) + 1 :])) is not None]


def _object(text: str) -> Json | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _create(client: Any, worker: Worker, inspected: Json, command: list[str], confined: Confined) -> Any:
    total = client.api.info().get("MemTotal")
    memory = min(confined.memory, total // 2) if isinstance(total, int) and total > 0 else confined.memory
    mounts = [
        {"Type": mount.kind, "Source": mount.name or mount.source, "Target": mount.destination,
         "ReadOnly": not (confined.may_write and mount.writable)}
        for mount in worker.mounts if mount.kind in ("bind", "volume")
    ]  # fmt: skip
    host = client.api.create_host_config(
        auto_remove=False, mem_limit=memory, memswap_limit=memory, cap_drop=["ALL"], security_opt=["no-new-privileges"],
        mounts=mounts, **confined.host,
    )  # fmt: skip
    if worker.own_users:
        host["UsernsMode"] = f"container:{worker.id}"
    return client.api.create_container(
        text_of(inspected, "Image"), command, user=worker.user or None, environment=confined.environment, entrypoint=["python3"],
        host_config=host, labels={PROBE_LABEL: confined.purpose}, healthcheck={"test": ["NONE"]}, working_dir=confined.folder,
        name=f"ot-doctor-{confined.purpose}-{secrets.token_hex(6)}",
    )  # fmt: skip


def _start(client: Any, made: str, worker: Worker) -> None:
    from docker.errors import APIError

    try:
        client.api.start(made)
    except APIError as error:
        if error.status_code not in (400, 409, 500):
            raise
        said = clean(error.explanation)
        raise NotStarted(f"The engine could not start a container beside {worker.name}: {said}") from None


def _remove_leftovers(client: Any) -> None:
    """Those of a doctor that was killed; they have long ended by themselves."""
    for entry in objects_with_id(client.api.containers(all=True, filters={"label": PROBE_LABEL, "status": "exited"})):
        created = entry.get("Created")
        if isinstance(created, int) and time.time() - created > _LEFT_OVER:
            _remove(client, text_of(entry, "Id"))


def _remove(client: Any, made: str) -> None:
    from docker.errors import DockerException
    from requests import RequestException

    if made:
        try:
            client.api.remove_container(made, force=True, v=True)
        except (DockerException, RequestException, OSError):
            return
