"""Diarizes a few seconds of generated voices in a container beside the worker, with its image, cache, token and settings."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from ot_doctor.core.deadline import within
from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import DIARIZATION_3_1, Deployment, ReleaseLine, models
from ot_doctor.evidence.releases import releases
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.redaction.secret import TOKEN_NAME
from ot_doctor.sources.docker.beside import Confined, Json, gpu_of, marked, run_beside
from ot_doctor.sources.docker.transport import NotDockers, an_object
from ot_doctor.sources.trial.agreement import FoundTurn, agreement

MEMORY = 4 * 2**30  # bytes; half of the machine's where it has less than twice as much
_LARGEST_OUTPUT = 4 * 2**20  # bytes
_LONGEST_TEXT = 60_000  # characters
_KILLED = 137
_MOST_TURNS = 1000
_WHERE = {"import": "while its libraries were imported", "load": "while the models were loaded", "diarize": "while it diarized"}
_TIME_IS_UP = re.compile(r"^Timeout \(\d+:\d\d:\d\d", re.MULTILINE)  # faulthandler's
_LIMITS = {"min_speakers": 1, "max_speakers": 20}  # the worker's own where .env says nothing


@dataclass(frozen=True)
class Trial:
    """How it went."""

    worker: str
    image: str
    model: str  # that was loaded; where none was: that should have been
    device: str  # "cpu", "cuda"
    memory: int  # bytes that it was allowed to use
    has_token: bool = True  # the worker has one
    refused: str = ""  # the model that should have been loaded, where another one took its place
    speakers: int | None = None  # None: it did not come to an end
    agreement: float = 0.0  # 0 to 1: the share of the spoken time in which the one who speaks was found
    took: float = 0.0  # seconds of the diarization alone
    in_all: float = 0.0  # seconds, with imports and loading
    peak: int = 0  # bytes of memory at most
    stage: str = ""  # where it ended, if it did not come to an end: "import", "load", "diarize"; empty: before all of that
    printed: str = ""  # on standard error: somebody else's text, printable
    traceback: str = ""  # of the exception that ended it, or that kept the first model from being loaded; printable
    exit_code: int = 0

    @property
    def killed(self) -> bool:
        """Whether it was killed; by far the most often for its memory."""
        return self.exit_code == _KILLED

    @property
    def where(self) -> str:
        """Where it ended, as a part of a sentence."""
        return _WHERE.get(self.stage, "before it began")


def gather(request: Request, deployment: Deployment, workers: Workers, gpu: bool, reached: Callable[[str], None]) -> Trial:
    """Try it. ``reached`` is called with each stage. Raises ``Unavailable`` where there is nothing to try with."""
    if workers.lite or not workers.diarizers:
        raise Unavailable("There is no diarization worker whose image could be tried.")
    worker = workers.diarizers[0]
    if gpu and not worker.gpu.requested:
        raise Unavailable(f"{worker.name} has no GPU.", hint="Try without --gpu.")
    seconds = max(10, int(request.remaining() * 0.9))
    as_worker = {**_as_worker(deployment), "device": "cuda" if gpu else "cpu", "seconds": seconds}
    mark = f"ot-doctor-{secrets.token_hex(16)}"
    command = ["-c", _program(), mark, json.dumps(as_worker)]
    memory = min(MEMORY, worker.engine.memory // 2 or MEMORY)
    has_token = bool(worker.env.get(TOKEN_NAME))
    tried = Trial(worker.name, worker.image, as_worker["models"][0], as_worker["device"], memory, has_token)
    more = f"Give it more time with --timeout {max(900, round(2 * request.timeout))}."
    try:
        output, errors, code = within(seconds + 5, lambda: _run(request, worker, command, gpu, mark, reached))
    except TimeoutError:
        raise Unavailable(f"It did not come to an end within {seconds} s.", hint=more) from None
    stages = _stages(output, mark)
    if not stages and code in (126, 127):
        raise Unavailable(f"There is no Python in the image of {worker.name} ({worker.image}), so nothing can be tried with it.")
    done = _ended(tried, stages, errors, code)
    if code == 1 and done.stage and _TIME_IS_UP.search(errors):
        raise Unavailable(f"It did not come to an end within {seconds} s: that was {done.where}.", hint=more)
    return done


def _as_worker(deployment: Deployment) -> dict[str, Any]:
    """What the worker's own code does about loading: it differs from release to release."""
    line = deployment.line if deployment.line is not ReleaseLine.UNKNOWN else releases()[-1].line
    older = line is ReleaseLine.V0_3
    fallback = [model.repo for model in models(line) if model.repo == DIARIZATION_3_1 and not model.required]
    return {
        "models": [next(model.repo for model in models(line) if model.required), *fallback],
        "keyword": "use_auth_token" if older else "token",
        "no_token": "" if older else None,
        "whole_objects": not deployment.v0_1,
        "limits": {} if deployment.v0_1 else _LIMITS,
    }


def _ended(tried: Trial, stages: list[Json], errors: str, code: int) -> Trial:
    last: Json = stages[-1] if stages else {}
    peak = int(max((_number(stage.get("peak")) for stage in stages), default=0)) * 1024
    traceback = _printable(_text(last.get("traceback")))
    tried = replace(tried, peak=peak, exit_code=code, printed=_printable(errors), traceback=traceback)
    turns, model = _turns(last.get("turns")), _text(last.get("model"))
    if last.get("stage") == "done" and turns is not None:
        took, in_all = float(_number(last.get("took"))), float(_number(last.get("all")))
        other = tried.model if model == DIARIZATION_3_1 != tried.model else ""
        return replace(
            tried, model=model if other else tried.model, refused=other, speakers=len({turn.speaker for turn in turns}),
            agreement=agreement(turns), took=took, in_all=in_all,
        )  # fmt: skip
    reached = [stage["stage"] for stage in stages if stage["stage"] in _WHERE]
    return replace(tried, stage=reached[-1] if reached else "")


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
    announced: list[str] = []

    def heard(out: bytes, err: bytes) -> None:
        output.extend(out)
        errors.extend(err)
        if len(output) > _LARGEST_OUTPUT:
            raise NotDockers("the trial printed too much")
        del errors[: max(0, len(errors) - _LARGEST_OUTPUT)]
        for stage in _stages(bytes(output), mark)[len(announced) :]:
            announced.append(stage["stage"])
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


def _printable(text: str) -> str:
    return clipped(printable(text), _LONGEST_TEXT)


def _turns(value: object) -> list[FoundTurn] | None:
    if not isinstance(value, list) or len(value) > _MOST_TURNS:
        return None
    try:
        return [FoundTurn(str(speaker)[:100], float(_number(begins)), float(_number(ends))) for speaker, begins, ends in value]
    except (TypeError, ValueError):
        return None


def _number(value: object) -> float:
    return value if isinstance(value, (int, float)) and 0 <= value < 1e15 else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
