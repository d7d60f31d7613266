"""Whether the native diarization engine is there and ready."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import Deployment, ModelCache, NativeEngine, Outcome, Unavailable, Worker, WorkerLog

from ._log_finding import seen_record
from ._native import nothing_to_check
from ._native_remedies import SIDECAR, last_lines, stands_in, start_sidecar

_NO_MODELS = 8  # the exit code of an engine that finds no models


@check("native-engine", title="The native engine is ready", family=Family.WORKER, causes=(Cause.NATIVE_UNAVAILABLE,))
def native_engine(
    native: NativeEngine | Unavailable,
    deployment: Deployment | Unavailable,
    cache: ModelCache | Unavailable,
    log: WorkerLog | Unavailable,
) -> Iterator[Finding]:
    """Since v0.5 a container of its own, diar-native, does the diarization. That it is configured does not mean that it runs:
    where it is away, PyAnnote in the worker stands in without an error, and jobs only take longer.

    The container's state, restarts, exit code and health are read, and its address /readyz is asked inside the worker's
    container, as the worker does. Its health check is of no use for that: it passes without any models. Exit code 8 means that it
    found no models; they are exported by the service backend (see the check native-models).

    While PyAnnote stands in this is a warning. It is a failure where ENGINE_DIARIZER_REQUIRE_SIDECAR=true forbids that.
    """
    if isinstance(native, Unavailable):
        yield nothing_to_check(native, deployment)
        return
    if not native.configured:
        yield passed(f"PyAnnote in the worker is the configured engine: {native.configured_by}.")
        return
    problem = _problem(native)
    if problem:
        yield _away(native, problem, deployment, _works(cache, log))
    elif native.readiness is not None:
        yield passed(
            f"The native engine is ready ({native.configured_by}).",
            evidence=[Seen("container", native.readiness.asked_in, f"{native.readiness.url} answers {native.readiness.status}")],
        )
    elif native.exec_left_out:
        yield skipped("Whether the native engine is ready is asked inside a container, and nothing is run there (--no-exec).")
    else:
        yield unknown(
            f"The native engine runs. Whether it is ready could not be asked: {native.not_asked}",
            remedy=[Step("Start the worker, and run ot-doctor again without --no-exec.")],
        )
    mine, other = native.sidecar_version, native.worker_version
    if mine and other and mine != other:
        yield warned(
            f"The native engine is of {mine} and the worker of {other}. They are made for the same release.",
            subject=SIDECAR,
            expected="one release for both",
            evidence=[Seen("container", sidecar.name, f"image {sidecar.image}") for sidecar in native.sidecars[:1]],
            remedy=[Step("Pull the same release for both, and recreate them.")],
        )


def _problem(native: NativeEngine) -> str:
    """Why the engine takes no jobs; empty where nothing says so."""
    if not native.sidecars:
        return "There is no container of the service diar-native, although the native engine is configured."
    sidecar = native.sidecars[0]
    if not sidecar.running:
        return f"{sidecar.name} {_state(sidecar)}"
    if sidecar.health == "unhealthy":
        return f"{sidecar.name} runs, but its health check fails."
    answer = native.readiness
    if answer is None or answer.ready:
        return ""
    if sidecar.restart_count and not answer.status:
        models = " It finds no models." if native.models is not None and not native.models.complete else ""
        return f"{sidecar.name} starts and ends again and again ({sidecar.restart_count} times).{models}"
    if not answer.status:
        return f"{sidecar.name} runs, but {answer.url} gives no answer in {answer.asked_in}."
    state = f", models {answer.models_state}" if answer.models_state else ""
    return f"{sidecar.name} runs and is not ready (HTTP {answer.status}{state})."


def _state(sidecar: Worker) -> str:
    models = " It finds no models (exit code 8)." if sidecar.exit_code == _NO_MODELS else ""
    if sidecar.status == "restarting":
        return f"restarts again and again ({sidecar.restart_count} times, exit code {sidecar.exit_code}).{models}"
    if sidecar.status == "exited":
        return f"has stopped (exit code {sidecar.exit_code}).{models}"
    return f"is {sidecar.status}." if sidecar.status != "created" else f"was created and never started. {sidecar.error}".strip()


def _away(native: NativeEngine, problem: str, deployment: Deployment | Unavailable, works: bool) -> Finding:
    message = f"{problem} {stands_in(native, works)}"
    sidecar = next(iter(native.sidecars), None)
    seen = [Seen("container", "the worker", native.configured_by)]
    if sidecar:
        state = f"{sidecar.status}, exit code {sidecar.exit_code}, restarted {sidecar.restart_count} times"
        seen.append(Seen("container", f"{sidecar.name} State", state))
        if sidecar.health_output:
            seen.append(Seen("container", f"{sidecar.name} State.Health.Log", sidecar.health_output))
        seen += [seen_record(sidecar.name, record) for record in native.errors]
    if native.readiness is not None:
        said = f"{native.readiness.url} answers {native.readiness.status or 'nothing'}. {native.readiness.reason}".strip()
        seen.append(Seen("container", native.readiness.asked_in, said))
    steps = [start_sidecar(deployment)] if sidecar is None or not sidecar.running else []
    lacks_models = (sidecar is not None and sidecar.exit_code == _NO_MODELS) or (native.models and not native.models.complete)
    if lacks_models:
        steps = [Step("See the check native-models: the engine waits for its models."), *steps]
    elif sidecar is not None:
        steps.append(last_lines(sidecar, deployment))
    expected = f"a running container {SIDECAR} that is ready"
    if native.required:
        return failed(Cause.NATIVE_UNAVAILABLE, message, subject=SIDECAR, expected=expected, evidence=seen, remedy=steps)
    return warned(message, cause=Cause.NATIVE_UNAVAILABLE, subject=SIDECAR, expected=expected, evidence=seen, remedy=steps)


def _works(cache: ModelCache | Unavailable, log: WorkerLog | Unavailable) -> bool:
    """Whether PyAnnote is known to do the work: it has its models, or did the last job."""
    newest = None if isinstance(log, Unavailable) else log.newest_ended
    if newest is not None:
        return newest.outcome in (Outcome.SUCCEEDED, Outcome.RECOVERED)
    return isinstance(cache, ModelCache) and cache.suffices
