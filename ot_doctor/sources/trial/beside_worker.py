"""Diarizes a few seconds of generated voices in a container beside the worker, with its image, cache, token and settings."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from ot_doctor.core.deadline import within
from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import Deployment, ReleaseLine, models
from ot_doctor.evidence.releases import releases
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.sources.docker.containers import PROBE_LABEL
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.transport import NotDockers, an_object, text_of
from ot_doctor.sources.probe.sibling import exit_code_of, remove, remove_leftovers

MEMORY = 4 * 2**30  # bytes; half of the machine's where it has less than twice as much
_LARGEST_OUTPUT = 4 * 2**20  # bytes
_LONGEST_TEXT = 60_000  # characters
_KILLED = 137
_STAGES = ("import", "load", "diarize")


@dataclass(frozen=True)
class Trial:
    """How it went."""

    worker: str
    image: str
    model: str
    device: str  # "cpu", "cuda"
    speakers: int | None = None  # None: it did not come to an end
    took: float = 0.0  # seconds of the diarization alone
    in_all: float = 0.0  # seconds, with imports and loading
    peak: int = 0  # bytes of memory at most
    stage: str = ""  # where it ended, if it did not come to an end: "import", "load", "diarize"; empty: before all of that
    said: str = ""  # what was printed, and the exception's traceback: somebody else's text, printable
    exit_code: int = 0

    @property
    def killed(self) -> bool:
        """Whether it was killed; by far the most often for its memory."""
        return self.exit_code == _KILLED


def gather(request: Request, deployment: Deployment, workers: Workers, gpu: bool, reached: Callable[[str], None]) -> Trial:
    """Try it. ``reached`` is told each stage. Raises ``Unavailable`` where there is nothing to try with."""
    if workers.lite or not workers.diarizers:
        raise Unavailable("There is no diarization worker whose image could be tried.")
    worker = workers.diarizers[0]
    line = deployment.line if deployment.line is not ReleaseLine.UNKNOWN else releases()[-1].line
    model = next(model.repo for model in models(line) if model.required)
    keyword = "use_auth_token" if line is ReleaseLine.V0_3 else "token"
    if gpu and not worker.gpu.requested:
        raise Unavailable(f"{worker.name} has no GPU.", hint="Try without --gpu.")
    device = "cuda" if gpu else "cpu"
    seconds = max(10, int(request.remaining() * 0.9))
    mark = f"ot-doctor-{secrets.token_hex(16)}"
    command = ["-c", _program(), mark, model, keyword, device, str(seconds)]
    try:
        output, errors, code = within(seconds + 5, lambda: _run(request, worker, command, gpu, mark, reached))
    except TimeoutError:
        raise Unavailable(
            f"It did not come to an end within {seconds} s.", hint="Give it more time with --timeout 900."
        ) from None
    stages = [found for line in output.split("\n") if (found := _stage(line, mark))]
    if not stages and code in (126, 127):
        raise Unavailable(f"There is no Python in the image of {worker.name} ({worker.image}), so nothing can be tried with it.")
    return _trial(worker, model, device, stages, errors, code)


def _trial(worker: Worker, model: str, device: str, stages: list[Mapping[str, Any]], errors: str, code: int) -> Trial:
    last = stages[-1] if stages else {}
    peak = int(max((_number(stage.get("peak")) for stage in stages), default=0)) * 1024
    said = clipped(printable("\n".join(filter(None, [errors, _text(last.get("traceback"))]))), _LONGEST_TEXT)
    speakers = last.get("speakers")
    if last.get("stage") == "done" and isinstance(speakers, int) and 0 <= speakers < 1000:
        took, in_all = float(_number(last.get("took"))), float(_number(last.get("all")))
        return Trial(worker.name, worker.image, model, device, speakers, took, in_all, peak, said=said, exit_code=code)
    reached = [stage["stage"] for stage in stages if stage["stage"] in _STAGES]
    stage = reached[-1] if reached else ""
    return Trial(worker.name, worker.image, model, device, peak=peak, stage=stage, said=said, exit_code=code)


def _program() -> str:
    """The voices, the diarization and its call, as one text."""
    folder = files("ot_doctor.sources.trial")
    voices, inside = (folder.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in ("voices", "in_container"))
    made = f"import sys\nv, i = {{}}, {{}}\nexec({voices!r}, v)\nexec({inside!r}, i)\n"
    return f"{made}i['main'](v['samples'], v['RATE'], sys.argv[1:])\n"


def _run(
    request: Request, worker: Worker, command: list[str], gpu: bool, mark: str, reached: Callable[[str], None]
) -> tuple[str, str, int]:
    """What it printed on standard output and standard error, and its exit code."""
    from docker.errors import NotFound

    client = reconnect(worker.engine, request)
    made = ""
    output, errors = bytearray(), bytearray()
    told = 0
    try:
        with asking(client, worker.engine, request):
            inspected = an_object(client.api.inspect_container(worker.id))
            remove_leftovers(client)
            made = text_of(_create(client, worker, inspected, command, gpu), "Id")
            stream = client.api.attach(made, stdout=True, stderr=True, stream=True, logs=True, demux=True)
            client.api.start(made)
            for out, err in stream:
                output += out or b""
                errors += err or b""
                if len(output) > _LARGEST_OUTPUT:
                    raise NotDockers("the trial printed too much")
                del errors[: max(0, len(errors) - _LARGEST_OUTPUT)]
                stages = [found for line in output.decode("ascii", "replace").split("\n") if (found := _stage(line, mark))]
                for stage in stages[told:]:
                    reached(str(stage["stage"]))
                told = len(stages)
            return output.decode("ascii", "replace"), errors.decode("utf-8", "replace"), exit_code_of(client, made)
    except NotFound:
        raise Unavailable(f"{worker.name}, or its image, no longer exists.") from None
    finally:
        remove(client, made)
        client.close()


def _create(client: Any, worker: Worker, inspected: Mapping[str, Any], command: list[str], gpu: bool) -> Any:
    """The worker's image with its user, settings, mounts and network. Its environment goes from the engine to the engine."""
    config, had = an_object(inspected.get("Config")), an_object(inspected.get("HostConfig"))
    quiet = ["PYANNOTE_METRICS_ENABLED=false", "OTEL_SDK_DISABLED=true", f"HOME={worker.home}", "PYTHONUNBUFFERED=1"]
    total = client.api.info().get("MemTotal")
    memory = min(MEMORY, total // 2) if isinstance(total, int) and total > 0 else MEMORY
    mounts = [
        {"Type": m.kind, "Source": m.name or m.source, "Target": m.destination, "ReadOnly": not m.writable}
        for m in worker.mounts if m.kind in ("bind", "volume")
    ]  # fmt: skip
    more = {"device_requests": had.get("DeviceRequests"), "runtime": had.get("Runtime") or None} if gpu else {}
    host = client.api.create_host_config(
        auto_remove=False, mem_limit=memory, memswap_limit=memory, pids_limit=1024, cap_drop=["ALL"],
        security_opt=["no-new-privileges"], mounts=mounts, extra_hosts=None,
        network_mode=f"container:{worker.id}" if worker.running else had.get("NetworkMode") or "bridge", **more,
    )  # fmt: skip
    return client.api.create_container(
        text_of(inspected, "Image"), command, user=worker.user or None, environment=[*(config.get("Env") or ()), *quiet],
        entrypoint=["python3"], host_config=host, labels={PROBE_LABEL: "trial"}, healthcheck={"test": ["NONE"]},
        working_dir="/tmp", name=f"ot-doctor-trial-{secrets.token_hex(6)}",
    )  # fmt: skip


def _stage(line: str, mark: str) -> Mapping[str, Any] | None:
    if not line.startswith(f"{mark} "):
        return None
    try:
        found = json.loads(line[len(mark) + 1 :])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("stage"), str) else None


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) and 0 <= value < 1e15 else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
