"""Whether the worker has the GPU that is configured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ot_doctor.actions import InstallToolkit
from ot_doctor.check import Cause, Confidence, Family, Finding, Seen, Step, check, failed, passed, skipped, warned
from ot_doctor.evidence import ComposeConfig, Deployment, Unavailable, Worker, WorkerLog, Workers

from ._remedies import recreate
from ._worker_remedies import TOOLKIT

_ON = ("true", "1", "yes", "on")
_OFF = ("false", "0", "no", "off")


@check("worker-gpu", title="The worker has the GPU that is configured", family=Family.WORKER, causes=(Cause.GPU_UNAVAILABLE,))
def worker_gpu(
    workers: Workers, compose: ComposeConfig | Unavailable, log: WorkerLog | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """Without its GPU the worker fails or is many times slower.

    What is configured (a GPU in the Compose files, TORCH_DEVICE, USE_GPU) is
    compared with what the engine gave to the container, and with the device
    that the diarizer names in its log.

    To fix it, install the NVIDIA container toolkit, start the stack with the
    GPU's Compose file, and recreate the worker. A container that was created
    without the GPU never gets it by a restart.
    """
    if not workers.diarizers:
        yield skipped("There is no diarization worker.")
    for worker in workers.diarizers:
        yield _one(worker, workers, compose, log, deployment)


def _one(
    worker: Worker,
    workers: Workers,
    compose: ComposeConfig | Unavailable,
    log: WorkerLog | Unavailable,
    deployment: Deployment | Unavailable,
) -> Finding:
    sign = _configured(worker, compose)
    device = _logged_device(worker, log)
    granted = worker.gpu.requested
    seen = [Seen("container", f"{worker.name} HostConfig", _grant(worker)), *([sign.seen] if sign else [])]
    if device:
        seen.append(Seen("log", worker.name, f"the diarizer runs on {device}"))
    remedy = [
        Step("Check that this machine has a GPU and that its driver works.", command="nvidia-smi -L"),
        Step("Install the NVIDIA container toolkit, if it is missing.", url=TOOLKIT, action=InstallToolkit()),
        recreate(deployment, workers),
    ]
    if granted and device == "cpu" and not _cpu_wanted(worker):
        return failed(
            Cause.GPU_UNAVAILABLE,
            f"{worker.name} has a GPU, but its log says that the diarizer runs on the CPU.",
            subject=worker.name,
            expected="a diarizer that runs on cuda",
            evidence=seen,
            remedy=remedy,
            confidence=Confidence.LIKELY,
        )
    if granted:
        return passed(f"{worker.name} has a GPU ({_grant(worker)}).", subject=worker.name, evidence=seen)
    if sign is None:
        slow = " Diarization runs on the CPU, which is slow." if device == "cpu" else ""
        return skipped(f"No GPU is configured.{slow}", subject=worker.name, evidence=seen)
    message = f"A GPU is configured, but {worker.name} has none."
    if not sign.demanded:  # the worker takes the CPU where it finds no GPU
        return warned(message, cause=Cause.GPU_UNAVAILABLE, subject=worker.name, evidence=seen, remedy=remedy)
    return failed(
        Cause.GPU_UNAVAILABLE, message, subject=worker.name, expected="a container with the GPU", evidence=seen, remedy=remedy
    )


@dataclass(frozen=True)
class _Sign:
    """Where a GPU is asked for."""

    seen: Seen
    demanded: bool = True  # the worker does not do without


def _configured(worker: Worker, compose: ComposeConfig | Unavailable) -> _Sign | None:
    service = None if isinstance(compose, Unavailable) else compose.services.get(worker.compose.service)
    if service is not None and service.gpu:
        return _Sign(Seen("compose", service.where, f"the service {service.name} asks for a GPU"))
    device = worker.setting("TORCH_DEVICE") or ""
    if device.lower().startswith("cuda"):
        return _Sign(Seen("container", worker.where, f"TORCH_DEVICE={device}"))
    use = worker.setting("USE_GPU") or ""
    return _Sign(Seen("container", worker.where, f"USE_GPU={use}"), demanded=False) if use.lower() in _ON else None


def _cpu_wanted(worker: Worker) -> bool:
    return (worker.setting("TORCH_DEVICE") or "").lower() == "cpu" or (worker.setting("USE_GPU") or "").lower() in _OFF


def _logged_device(worker: Worker, log: WorkerLog | Unavailable) -> str:
    if isinstance(log, Unavailable):
        return ""
    return next((source.device for source in log.sources if source.name == worker.name), "")


def _grant(worker: Worker) -> str:
    gpu = worker.gpu
    if not gpu.requested:
        return "no GPU"
    if gpu.device_ids:
        return f"GPU {', '.join(gpu.device_ids)}"
    return "all GPUs" if gpu.count < 0 else f"{gpu.count or 1} GPU"
