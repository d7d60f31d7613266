"""Whether CUDA works on the GPU that the worker was given."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ot_doctor.actions import InstallToolkit
from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown
from ot_doctor.evidence import SeenGpu, Unavailable, WorkerCuda

from ._worker_remedies import TOOLKIT

_ABOUT_A_GPU = re.compile(r"device driver|nvidia|\bcdi\b|\bgpu\b|error gathering device information", re.IGNORECASE)
_MEMORY = re.compile(r"out of memory", re.IGNORECASE)
_KILLED = 137


@check(
    "gpu-calculates", title="CUDA works on the worker's GPU", family=Family.WORKER,
    causes=(Cause.GPU_UNAVAILABLE, Cause.GPU_LIBRARY, Cause.LIB_MISMATCH),
)  # fmt: skip
def gpu_calculates(cuda: WorkerCuda | Unavailable) -> Iterator[Finding]:
    """NVIDIA's management library can answer where no CUDA context can be made: only a calculation shows that one can.

    With --probe gpu, two small matrices are multiplied on the GPU, in a container of its own that is made of the worker's image
    with the GPU that the worker was given, and is removed afterwards. It takes some hundred MB of the GPU's memory for some
    seconds. The GPU is left alone while a job runs, and where less than 2 GiB of its memory are free.

    To fix it, check the driver of this machine and NVIDIA's container toolkit, then the image: its torch must be built for a CUDA
    that the driver knows.
    """
    if isinstance(cuda, Unavailable):
        again = [Step(cuda.hint or "Run 'ot-doctor probe --probe gpu --timeout 180'.")]
        yield skipped(cuda.reason) if cuda.switched_off else unknown(cuda.reason, remedy=again)
        return
    seen = [Seen("container", cuda.image, f"{cuda.stage}: {cuda.text or cuda.device or f'exit code {cuda.exit_code}'}")]
    if cuda.before:
        seen.append(Seen("container", cuda.image, f"NVML: {_memory(cuda)}"))
    if cuda.ok:
        message = f"CUDA {cuda.built_for} works on {cuda.device} with torch {cuda.torch} ({_memory(cuda)})."
        yield passed(message, subject=cuda.worker, evidence=seen)
        return
    said = cuda.text or f"the process ended with exit code {cuda.exit_code}"
    driver = Step("Check that the driver of this machine works.", command="nvidia-smi -L")
    toolkit = Step("Install the NVIDIA container toolkit, if it is missing.", url=TOOLKIT, action=InstallToolkit())
    image = Step("Pull the image of the release again, and recreate the worker.", risk=Risk.RESTARTS)
    if cuda.stage == "start":
        if not _ABOUT_A_GPU.search(said):
            yield unknown(said, subject=cuda.worker, evidence=seen, remedy=[Step("Fix what the engine says, then look again.")])
            return
        yield failed(Cause.GPU_UNAVAILABLE, said, subject=cuda.worker, evidence=seen, remedy=[driver, toolkit])
    elif cuda.stage == "nvml":
        message = f"A new container with the GPU of {cuda.worker} does not reach it either: {said}."
        yield failed(Cause.GPU_UNAVAILABLE, message, subject=cuda.worker, evidence=seen, remedy=[driver, toolkit])
    elif cuda.exit_code == _KILLED or _MEMORY.search(said):
        message = f"Memory ran out before CUDA could be tried with the image of {cuda.worker}: {said}."
        yield unknown(message, subject=cuda.worker, evidence=seen, remedy=[Step("Look again when less memory is used.")])
    elif cuda.stage == "import":
        message = f"torch cannot be imported in {cuda.image}: {said}."
        yield failed(Cause.LIB_MISMATCH, message, subject="torch", evidence=seen, remedy=[image])
    elif cuda.stage == "context" and not cuda.built_for:
        message = f"{cuda.worker} was given a GPU, but torch {cuda.torch} of its image is built without CUDA."
        yield failed(Cause.GPU_UNAVAILABLE, message, subject=cuda.worker, evidence=seen, remedy=[image])
    else:
        message = f"torch {cuda.torch} (CUDA {cuda.built_for}) cannot calculate on the GPU of {cuda.worker}: {said}."
        yield failed(Cause.GPU_LIBRARY, message, subject=cuda.worker, evidence=seen, remedy=[driver, image])


def _memory(cuda: WorkerCuda) -> str:
    return f"{_used(cuda.before)} before, {_used(cuda.during) or 'not known'} during"


def _used(gpus: tuple[SeenGpu, ...]) -> str:
    return ", ".join(f"{one.used / 1e9:.1f} of {one.total / 1e9:.1f} GB used" for one in gpus)
