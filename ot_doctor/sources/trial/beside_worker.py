"""Diarizes a few seconds of generated voices in a container beside the worker, with its image, cache, token and settings."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from ot_doctor.core.deadline import within
from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import Deployment, ReleaseLine, models
from ot_doctor.evidence.releases import releases
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.sources.docker.beside import Confined, Json, gpu_of, marked, run_beside
from ot_doctor.sources.docker.transport import NotDockers, an_object

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
    stages = _stages(output, mark)
    if not stages and code in (126, 127):
        raise Unavailable(f"There is no Python in the image of {worker.name} ({worker.image}), so nothing can be tried with it.")
    return _trial(worker, model, device, stages, errors, code)


def _trial(worker: Worker, model: str, device: str, stages: list[Json], errors: str, code: int) -> Trial:
    last: Json = stages[-1] if stages else {}
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
) -> tuple[bytes, str, int]:
    """What it printed on standard output and standard error, and its exit code."""
    output, errors = bytearray(), bytearray()
    told: list[str] = []

    def heard(out: bytes, err: bytes) -> None:
        output.extend(out)
        errors.extend(err)
        if len(output) > _LARGEST_OUTPUT:
            raise NotDockers("the trial printed too much")
        del errors[: max(0, len(errors) - _LARGEST_OUTPUT)]
        for stage in _stages(bytes(output), mark)[len(told) :]:
            told.append(stage["stage"])
            reached(stage["stage"])

    code = run_beside(request, worker, command, lambda inspected: _confined(worker, inspected, gpu), heard)
    return bytes(output), errors.decode("utf-8", "replace"), code


def _confined(worker: Worker, inspected: Json, gpu: bool) -> Confined:
    """The worker's settings, mounts and network. Its environment goes from the engine to the engine."""
    config, had = an_object(inspected.get("Config")), an_object(inspected.get("HostConfig"))
    quiet = ["PYANNOTE_METRICS_ENABLED=false", "OTEL_SDK_DISABLED=true", f"HOME={worker.home}", "PYTHONUNBUFFERED=1"]
    network = f"container:{worker.id}" if worker.running else had.get("NetworkMode") or "bridge"
    host = {"pids_limit": 1024, "network_mode": network, **(gpu_of(inspected) if gpu else {})}
    return Confined("trial", MEMORY, [*(config.get("Env") or ()), *quiet], host, may_write=True, folder="/tmp")


def _stages(output: bytes, mark: str) -> list[Json]:
    return [found for found in marked(output, mark) if isinstance(found.get("stage"), str)]


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) and 0 <= value < 1e15 else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
