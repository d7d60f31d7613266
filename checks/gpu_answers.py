"""Whether the GPU that the worker was given still answers inside the container."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped
from ot_doctor.evidence import Deployment, NvmlAnswer, Unavailable, WorkerProbe, Workers

from ._remedies import recreate

_LOST = "https://github.com/NVIDIA/nvidia-container-toolkit/issues/48"
_OF_THE_DRIVER = (9, 12, 13, 18)  # not loaded, library or function not found, another version than the kernel's module


@check("gpu-answers", title="The worker's GPU answers", family=Family.WORKER, causes=(Cause.GPU_UNAVAILABLE, Cause.GPU_LIBRARY))
def gpu_answers(
    probe: WorkerProbe | Unavailable, workers: Workers | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """A running container can lose its GPU, for example by 'systemctl daemon-reload', while Docker still shows that it has one.

    NVIDIA's management library (NVML) is asked inside the worker's container: without CUDA, in some milliseconds. "Unknown Error"
    there means that the container is no longer allowed to use the device. A restart does not bring it back.

    To fix it, recreate the worker. Where it happens again and again, give the device nodes (/dev/nvidia0, …) to the container in
    the Compose file, or let Docker use cgroupfs instead of systemd.
    """
    if isinstance(probe, Unavailable):
        yield skipped(probe.reason)
    elif probe.gpu is None:
        yield skipped("No GPU of NVIDIA was given to the worker, or it was not asked.")
    elif not probe.gpu.library:
        yield skipped(f"{probe.worker} has no NVML library to ask the GPU with: {probe.gpu.text}.")
    elif probe.gpu.code == 0 and probe.gpu.gpus:
        seen = [Seen("container", probe.worker, _about(probe.gpu))]
        yield passed(f"{probe.worker} sees {_about(probe.gpu)}.", subject=probe.worker, evidence=seen)
    else:
        yield _lost(probe, probe.gpu, workers, deployment)


def _lost(probe: WorkerProbe, gpu: NvmlAnswer, workers: Workers | Unavailable, deployment: Deployment | Unavailable) -> Finding:
    said = gpu.text or f"error {gpu.code}" if gpu.code else "there is no GPU"
    devices = ", ".join(probe.devices) or "none"
    seen = [
        Seen("container", f"{probe.worker} HostConfig", "a GPU was requested"),
        Seen("container", probe.worker, f"NVML: {said}; devices in /dev: {devices}"),
    ]
    check_driver = Step("Check that the driver of this machine works.", command="nvidia-smi -L")
    cause = Cause.GPU_LIBRARY if gpu.code in _OF_THE_DRIVER else Cause.GPU_UNAVAILABLE
    message = f"{probe.worker} was given a GPU, but inside the container the GPU does not answer: {said}."
    lasting = Step("If it is lost again, read how to keep it.", url=_LOST, risk=Risk.CHANGES_FILES)
    remedy = [check_driver, recreate(deployment, workers), lasting]
    return failed(cause, message, subject=probe.worker, expected="a GPU that answers", evidence=seen, remedy=remedy)


def _about(gpu: NvmlAnswer) -> str:
    gigabytes = [f"{one.name} ({one.used / 1e9:.1f} of {one.total / 1e9:.1f} GB used)" for one in gpu.gpus]
    return f"{', '.join(gigabytes)}, driver {gpu.driver}"
