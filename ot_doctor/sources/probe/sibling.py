"""Imports the worker's libraries in a container of its own beside the worker: what goes wrong there harms nobody.

It is made of the worker's image with the worker's user, mounts (read-only) and settings without the secret ones, and has no
network. It is removed in every case, and ends in time even where nobody waits for it.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from ot_doctor.core.deadline import within
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.probe import ImportTest, WorkerImports
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.sources.docker.containers import PROBE_LABEL
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.transport import LARGEST_ANSWER, NotDockers, an_object, objects_with_id, text_of
from ot_doctor.sources.hub.answers import clean

_LONGEST = 60  # seconds
_LEFT_OVER = 600  # seconds
_MEMORY = 3 * 2**30  # bytes, where the machine has twice as much
_MODULES = ("huggingface_hub", "torch", "torchaudio", "pyannote.audio", "ctranslate2", "faster_whisper", "whisperx")
_PROGRAM = r"""
import faulthandler, importlib, json, os, sys, traceback
mark, seconds, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
# An alarm does not end the first process of a container.
faulthandler.dump_traceback_later(seconds, exit=True, file=open(os.devnull, "w"))
sys.path[:] = [path for path in sys.path if path not in ("", os.getcwd())]
said, silent = os.dup(1), os.open(os.devnull, os.O_WRONLY)
os.dup2(silent, 1)
os.dup2(silent, 2)
for name in names:
    found = {"name": name, "ok": True, "missing": False, "version": "", "text": ""}
    try:
        module = importlib.import_module(name)
        found["version"] = str(getattr(module, "__version__", ""))[:100]
        if name == "torch":
            found["text"] = "CUDA %s" % module.version.cuda if module.version.cuda else "no CUDA"
    except BaseException as error:
        frame = (traceback.extract_tb(error.__traceback__) or [None])[-1]
        where = " (%s:%s)" % (os.path.basename(frame.filename), frame.lineno) if frame else ""
        missing = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        found.update(ok=False, missing=missing, text=("%s: %s%s" % (type(error).__name__, error, where))[:300])
    os.write(said, ("%s %s\n" % (mark, json.dumps(found))).encode("ascii"))
os.write(said, ("%s end\n" % mark).encode("ascii"))
os._exit(0)
"""


class NotStarted(Unavailable):
    """The engine made the container, and could not start it."""


def gather(request: Request, workers: Workers) -> WorkerImports:
    """Import them. Raises ``Unavailable`` unless ``--probe deep`` asks for it."""
    if request.probe != "deep" or request.no_exec:
        raise Unavailable("The worker's libraries are imported with --probe deep only.", switched_off=True)
    if workers.lite or not workers.diarizers:
        raise Unavailable("There is no diarization worker.", switched_off=True)
    worker = workers.diarizers[0]
    seconds = min(float(_LONGEST), request.remaining() * 0.8)
    mark = f"ot-doctor-{secrets.token_hex(16)}"
    command = ["-c", _PROGRAM, mark, str(max(1, int(seconds))), *_MODULES]
    try:
        output, code = within(seconds, lambda: run_beside(request, worker, command, "imports"))
    except TimeoutError:
        raise Unavailable(
            f"The libraries of {worker.name} were not imported within {seconds:.0f} s.", hint="Give it more time: --timeout 120."
        ) from None
    lines = [line.partition(" ")[2] for line in output.decode("ascii", "replace").split("\n") if line.startswith(f"{mark} ")]
    tests = tuple(test for line in lines if (test := _test(line)))
    dying = "" if "end" in lines else _MODULES[len(tests)] if len(tests) < len(_MODULES) else ""
    if not tests and not dying:
        raise Unavailable(f"The image of {worker.name} could not be tried (exit code {code}).")
    return WorkerImports(worker.name, worker.image, tests, dying, code)


def _test(line: str) -> ImportTest | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("name") not in _MODULES:
        return None
    text, version = clean(found.get("text")), clean(found.get("version"))
    return ImportTest(found["name"], found.get("ok") is True, found.get("missing") is True, version, text)


def run_beside(
    request: Request, worker: Worker, command: list[str], purpose: str, *, gpu: bool = False
) -> tuple[bytes, int]:
    """What the image's Python prints in a container of its own, and its exit code. ``gpu``: it is given the worker's."""
    from docker.errors import NotFound

    client = reconnect(worker.engine, request)
    made = ""
    try:
        with asking(client, worker.engine, request):
            inspected = an_object(client.api.inspect_container(worker.id))
            total = client.api.info().get("MemTotal")
            memory = min(_MEMORY, total // 2) if isinstance(total, int) and total > 0 else _MEMORY
            remove_leftovers(client)
            had = an_object(inspected.get("HostConfig")) if gpu else {}
            made = text_of(_create(client, worker, inspected, command, memory, purpose, _gpu_of(had)), "Id")
            stream = client.api.attach(made, stdout=True, stderr=False, stream=True, logs=True)
            _start(client, made, worker)
            output = bytearray()
            for piece in stream:
                output += piece
                if len(output) > LARGEST_ANSWER:
                    raise NotDockers("it printed too much")
            return bytes(output), exit_code_of(client, made)
    except NotFound:
        raise Unavailable(f"{worker.name}, or its image, no longer exists.") from None
    finally:
        remove(client, made)
        client.close()


def _start(client: Any, made: str, worker: Worker) -> None:
    from docker.errors import APIError

    try:
        client.api.start(made)
    except APIError as error:
        if error.status_code not in (400, 409, 500):
            raise
        said = clean(error.explanation)
        raise NotStarted(f"The engine could not start a container beside {worker.name}: {said}") from None


def _gpu_of(had: Mapping[str, Any]) -> dict[str, Any]:
    """What gave the worker its GPU, as the engine takes it again."""
    names = {"device_requests": "DeviceRequests", "runtime": "Runtime", "device_cgroup_rules": "DeviceCgroupRules"}
    given = {name: had[key] for name, key in names.items() if had.get(key)}
    devices = [
        ":".join(str(one.get(part)) for part in ("PathOnHost", "PathInContainer", "CgroupPermissions"))
        for one in had.get("Devices") or () if isinstance(one, dict)
    ]  # fmt: skip
    return {**given, **({"devices": devices} if devices else {})}


def _create(
    client: Any, worker: Worker, inspected: Mapping[str, Any], command: list[str], memory: int, purpose: str, more: dict[str, Any]
) -> Any:
    plain = {name: value for name, value in worker.env.items() if isinstance(value, str)}
    quiet = {"PYANNOTE_METRICS_ENABLED": "false", "OTEL_SDK_DISABLED": "true", "HF_HUB_OFFLINE": "1", "HOME": worker.home}
    mounts = [
        {"Type": m.kind, "Source": m.name or m.source, "Target": m.destination, "ReadOnly": True}
        for m in worker.mounts if m.kind in ("bind", "volume")
    ]  # fmt: skip
    host = client.api.create_host_config(
        auto_remove=False, mem_limit=memory, memswap_limit=memory, pids_limit=512, read_only=True, cap_drop=["ALL"],
        security_opt=["no-new-privileges"], network_mode="none", tmpfs={"/tmp": ""}, mounts=mounts, **more,
    )  # fmt: skip
    return client.api.create_container(
        text_of(inspected, "Image"), command, user=worker.user or None, environment={**plain, **quiet}, entrypoint=["python3"],
        host_config=host, labels={PROBE_LABEL: purpose}, healthcheck={"test": ["NONE"]},
        name=f"ot-doctor-probe-{secrets.token_hex(6)}",
    )  # fmt: skip


def remove_leftovers(client: Any) -> None:
    """Those of a doctor that was killed; they have long ended by themselves."""
    for entry in objects_with_id(client.api.containers(all=True, filters={"label": PROBE_LABEL, "status": "exited"})):
        created = entry.get("Created")
        if isinstance(created, int) and time.time() - created > _LEFT_OVER:
            remove(client, text_of(entry, "Id"))


def exit_code_of(client: Any, made: str) -> int:
    code = client.api.wait(made, timeout=5).get("StatusCode")
    return code if isinstance(code, int) else -1


def remove(client: Any, made: str) -> None:
    from docker.errors import DockerException
    from requests import RequestException

    if made:
        try:
            client.api.remove_container(made, force=True, v=True)
        except (DockerException, RequestException, OSError):
            return
