"""A CUDA context and a small calculation, in a container of its own beside the worker with the GPU that the worker was given."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ot_doctor.core.deadline import within
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.probe import WorkerCuda
from ot_doctor.evidence.worker_log import WorkerLog
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.sources.docker.beside import NotStarted, marked
from ot_doctor.sources.hub.answers import clean
from ot_doctor.sources.probe.calculation import ROOM
from ot_doctor.sources.probe.gathering import gpus_of, has_nvidia
from ot_doctor.sources.probe.sibling import run_without_network
from ot_doctor.sources.probe.worker_exec import program_of

_LONGEST = 90  # seconds


def gather(request: Request, workers: Workers, log: WorkerLog | Unavailable) -> WorkerCuda:
    """Calculate. Raises ``Unavailable`` unless ``--probe gpu`` asks for it, and where the GPU must be left alone."""
    if request.probe != "gpu" or request.no_exec:
        raise Unavailable("The GPU is calculated on with --probe gpu only.", switched_off=True)
    worker = next((one for one in workers.diarizers if has_nvidia(one)), None)
    if worker is None:
        raise Unavailable("No diarization worker was given a GPU of NVIDIA.", switched_off=True)
    if isinstance(log, Unavailable):
        raise Unavailable(f"Whether a job uses the GPU now is not known, so it was left alone: {log.reason}")
    if log.under_way:
        raise Unavailable("A job is running, so its GPU was left alone.", "Look again when it has ended.", switched_off=True)
    seconds = min(float(_LONGEST), request.remaining() * 0.8)
    mark = f"ot-doctor-{secrets.token_hex(16)}"
    command = ["-c", _program(), mark, str(max(1, int(seconds)))]
    try:
        output, code = within(seconds, lambda: run_without_network(request, worker, command, "gpu", gpu=True))
    except TimeoutError:
        hint = "Give it more time: --timeout 180."
        raise Unavailable(f"The calculation on the GPU of {worker.name} did not end within {seconds:.0f} s.", hint) from None
    except NotStarted as error:
        return WorkerCuda(worker.name, worker.image, False, "start", error.reason)
    return _told(worker, {found["stage"]: found for found in marked(output, mark) if isinstance(found.get("stage"), str)}, code)


def _program() -> str:
    texts = [
        (f"ot_doctor.sources.probe.{name}", files("ot_doctor.sources.probe").joinpath(f"{name}.py").read_text(encoding="utf-8"))
        for name in ("nvml", "calculation")
    ]  # fmt: skip
    return program_of(texts).decode("ascii")


def _told(worker: Worker, stages: Mapping[str, Mapping[str, Any]], code: int) -> WorkerCuda:
    nvml = stages.get("nvml")
    if nvml is None:
        raise Unavailable(f"Nothing could be run with the image of {worker.name} ({worker.image}; exit code {code}).")
    before, said = gpus_of(nvml), clean(nvml.get("text"))
    if nvml.get("library") is not True:
        raise Unavailable(f"How much of the GPU's memory is free is not known, so the GPU was left alone: {said}.")
    if nvml.get("code") != 0 or not before:
        return WorkerCuda(worker.name, worker.image, False, "nvml", said or "there is no GPU", exit_code=code)
    least = min(before, key=lambda one: one.total - one.used)
    if least.total - least.used < ROOM:
        raise Unavailable(
            f"Only {(least.total - least.used) / 2**30:.1f} GiB of {least.name} are free, so it was left alone: 2 GiB must be.",
            "Look again when less of its memory is used.", switched_off=True,
        )  # fmt: skip
    context, calculate, done = stages.get("context", {}), stages.get("calculate", {}), stages.get("done", {})
    ok = done.get("right") is True
    reached = next((name for name in ("done", "calculate", "context", "import") if name in stages), "nvml")
    text = clean(stages.get("error", {}).get("text"))
    if done and not ok:
        text = "the result is wrong"
    return WorkerCuda(
        worker.name, worker.image, ok, reached, text, clean(context.get("torch")), clean(context.get("built_for")),
        clean(calculate.get("device")), before, gpus_of({"gpus": done.get("during")}), code,
    )  # fmt: skip
