"""Whether the workers may use the volume through which they hand audio over."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Deployment, NativeEngine, Outcome, Unavailable, WorkerLog, Workers

from ._native import nothing_to_check
from ._remedies import run_again
from ._service_remedies import own_scratch


@check("scratch-volume", title="The volume for audio can be used", family=Family.WORKER, causes=(Cause.SCRATCH_PERMISSION,))
def scratch_volume(
    native: NativeEngine | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
    log: WorkerLog | Unavailable,
) -> Iterator[Finding]:
    """Since v0.5 the workers hand audio over, to each other and to the native engine, through the volume pipeline_scratch at
    /scratch/opentranscribe. It must belong to user id 1000 and group id 999, the worker's. A volume that an older image made
    belongs to root: the audio cannot be stored, and the native engine gets none.

    It is looked at in the worker's container, as the worker's own user; where nothing can be run there, the engine shows owner
    and mode. It is not the model cache, and neither token nor model terms have to do with it. Where the last job succeeded all
    the same, this is a warning.
    """
    if isinstance(native, Unavailable):
        yield nothing_to_check(native, deployment)
        return
    if native.scratch_unseen:
        reason = f"The volume for audio was not looked at: {native.scratch_unseen}"
        yield (
            skipped(reason)
            if native.exec_left_out
            else unknown(reason, remedy=[Step("Start the worker, and run ot-doctor again.")])
        )
        return
    if not native.scratch:
        yield skipped("No worker has the volume for audio.")
        return
    denied = [folder for folder in native.scratch if not folder.usable]
    if not denied:
        yield passed("The worker's user may use the volume for audio.", subject=native.scratch[0].path)
        return
    first = denied[0]
    message = f"The worker cannot use {first.path}, the volume for audio: it belongs to {first.owner} ({first.mode})."
    seen = [Seen("container", folder.worker, f"{folder.path}: owner {folder.owner}, {folder.mode}") for folder in denied]
    steps = [own_scratch(deployment, workers), run_again()]
    newest = None if isinstance(log, Unavailable) else log.newest_ended
    if newest is not None and newest.outcome in (Outcome.SUCCEEDED, Outcome.RECOVERED):
        yield warned(
            f"{message} The last job succeeded without it.", cause=Cause.SCRATCH_PERMISSION, subject=first.path,
            expected="owner 1000:999", evidence=seen, remedy=steps,
        )  # fmt: skip
    else:
        yield failed(
            Cause.SCRATCH_PERMISSION, message, subject=first.path, expected="owner 1000:999", evidence=seen, remedy=steps
        )
