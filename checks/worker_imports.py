"""Whether the worker's libraries can be imported."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import ImportTest, Unavailable, WorkerImports, Workers

_NEEDED = ("torch", "pyannote.audio")
_KILLED, _TOO_SLOW = 137, 142  # exit codes: SIGKILL, which memory that runs out sends; SIGALRM, the doctor's own


@check(
    "worker-imports", title="The worker's libraries can be imported", family=Family.WORKER,
    causes=(Cause.LIB_MISMATCH, Cause.WORKER_CRASHED, Cause.GPU_UNAVAILABLE),
)  # fmt: skip
def worker_imports(imports: WorkerImports | Unavailable, workers: Workers | Unavailable) -> Iterator[Finding]:
    """A library that cannot be imported ends each job, or the worker itself at its start.

    With --probe deep, torch, pyannote.audio and what belongs to them are imported in a container of its own, made of the worker's
    image without network and removed afterwards. So it also answers for a worker that restarts again and again, and what goes
    wrong harms no job. It takes up to a minute.

    To fix it, pull the image again and recreate the worker; where you build the image or add packages to it, look at what you
    changed.
    """
    if isinstance(imports, Unavailable):
        yield skipped(imports.reason) if imports.switched_off else unknown(imports.reason, remedy=[Step(imports.hint or _AGAIN)])
        return
    broken = [test for test in imports.tests if not test.ok and (not test.missing or test.name in _NEEDED)]
    for test in broken:
        message = f"{test.name} cannot be imported in {imports.image}: {test.text}"
        yield failed(Cause.LIB_MISMATCH, message, subject=test.name, evidence=[_seen(imports, test)], remedy=_steps())
    if imports.dying:
        yield _died(imports)
    torch = next((test for test in imports.tests if test.name == "torch" and test.ok), None)
    if torch is not None and torch.text == "no CUDA" and _wants_gpu(imports, workers):
        message = f"{imports.worker} was given a GPU, but torch {torch.version} of its image is built without CUDA."
        yield failed(
            Cause.GPU_UNAVAILABLE, message, subject=imports.worker, evidence=[_seen(imports, torch)], remedy=_steps()
        )
    elif not broken and not imports.dying:
        named = [f"{test.name} {test.version}".strip() for test in imports.tests if test.ok]
        yield passed(f"The worker's libraries can be imported: {', '.join(named)}.")


_AGAIN = "Run 'ot-doctor --probe deep --timeout 120'."


def _seen(imports: WorkerImports, test: ImportTest) -> Seen:
    return Seen("container", imports.image, f"import {test.name}: {test.text or test.version}")


def _died(imports: WorkerImports) -> Finding:
    """The process ended while it imported a module."""
    seen = [Seen("container", imports.image, f"import {imports.dying} ended the process with exit code {imports.exit_code}")]
    message = f"Importing {imports.dying} in {imports.image} ended the process (exit code {imports.exit_code})"
    if imports.exit_code == _TOO_SLOW:
        return unknown(f"{message}, because it took too long.", remedy=[Step(_AGAIN)], evidence=seen)
    if imports.exit_code == _KILLED:
        return warned(f"{message}, most probably for want of memory.", subject=imports.dying, evidence=seen)
    return failed(Cause.WORKER_CRASHED, f"{message}.", subject=imports.dying, evidence=seen, remedy=_steps())


def _wants_gpu(imports: WorkerImports, workers: Workers | Unavailable) -> bool:
    found = () if isinstance(workers, Unavailable) else workers.diarizers
    return any(worker.name == imports.worker and worker.gpu.requested for worker in found)


def _steps() -> tuple[Step, ...]:
    return (
        Step("Pull the image of the release again, and recreate the worker.", risk=Risk.RESTARTS),
        Step("Where you build the image, or install packages in the container, undo what you changed there."),
    )
