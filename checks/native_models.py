"""Whether the native engine has its models."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Deployment, ModelCache, NativeEngine, NativeModels, Unavailable

from ._log_finding import seen_record
from ._native import nothing_to_check
from ._native_remedies import SIDECAR, export_again, provisioning_steps, stands_in, why


@check("native-models", title="The native engine has its models", family=Family.WORKER, causes=(Cause.NATIVE_UNAVAILABLE,))
def native_models(
    native: NativeEngine | Unavailable, deployment: Deployment | Unavailable, cache: ModelCache | Unavailable
) -> Iterator[Finding]:
    """The native engine loads models of its own, about 484 MB. The service backend exports them from the gated model community-1
    when it starts, with the token of its environment, and leaves a file diar-provision.json beside them that names every file and
    its size.

    Each file is held against that list. Where the export failed, the backend's log has a line with an exit code: 5 means that the
    Hub refused the token or that its account has not accepted the terms; 7 that the folder cannot be written.

    While PyAnnote stands in this is a warning. It is a failure where ENGINE_DIARIZER_REQUIRE_SIDECAR=true forbids that.
    """
    if isinstance(native, Unavailable):
        yield nothing_to_check(native, deployment)
        return
    if not native.configured:
        yield skipped(f"The native engine is not configured: {native.configured_by}.")
        return
    models, provisioning = native.models, native.provisioning
    if models is not None and models.complete:
        yield passed(
            f"The native engine's models are complete: {models.path} ({models.files} files).",
            evidence=[Seen("cache", models.path, "each file has the size that its list names")],
        )
        return
    if models is None and native.readiness is not None and native.readiness.ready:
        yield passed("The native engine says that its models are complete.")
        return
    works = isinstance(cache, ModelCache) and cache.suffices
    seen = [seen_record(provisioning.container, provisioning.record)] if provisioning and not provisioning.done else []
    if models is not None:
        seen.append(Seen("cache", models.path, _state(models)))
    if provisioning is not None and not provisioning.done and not provisioning.skipped:
        code = f" (exit code {provisioning.exit_code})" if provisioning.exit_code is not None else ""
        message = f"The export of the native engine's models failed{code}. {why(provisioning)}"
        steps = provisioning_steps(provisioning, models, deployment)
    elif models is None:
        if native.exec_left_out:
            yield skipped(f"The native engine's models were not looked at: {native.models_unseen}")
        else:
            yield unknown(
                f"The native engine's models could not be looked at: {native.models_unseen}",
                remedy=[Step("Start the service backend, and run ot-doctor again.")],
            )
        return
    else:
        message = f"The native engine's models are not complete: {_state(models)}."
        steps = [export_again(deployment)]
    message = f"{message} {stands_in(native, works)}"
    if native.required:
        yield failed(Cause.NATIVE_UNAVAILABLE, message, subject=SIDECAR, evidence=seen, remedy=steps)
    else:
        yield warned(message, cause=Cause.NATIVE_UNAVAILABLE, subject=SIDECAR, evidence=seen, remedy=steps)


def _state(models: NativeModels) -> str:
    if not models.marked:
        return f"there is no usable list diar-provision.json in {models.path}"
    if not models.tested:
        return f"the list in {models.path} says that the models did not pass their test"
    if models.wrong:
        return f"in {models.path} these are missing or have another size: {', '.join(models.wrong)}"
    return f"the list in {models.path} names no file"
