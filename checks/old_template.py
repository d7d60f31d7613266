"""Lines of the ``.env`` from the template of an older release."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Deployment, EnvFile, Unavailable, Workers
from ot_doctor.evidence.releases import OldTemplateLine, release_of


@check("old-template", title="The .env fits the running release", family=Family.ENV)
def old_template(env: EnvFile, deployment: Deployment, workers: Workers | Unavailable) -> Iterator[Finding]:
    """A .env is copied once and then kept over many releases. Some of its lines mean something else to a newer release, or it
    lacks a line that is required by now.

    ENGINE_DIARIZER_BACKEND=pyannote, which an early template of v0.5 had, keeps the slower engine. DIAR_NATIVE_MODE=cuda on a
    machine without an NVIDIA GPU makes 'docker compose up' fail. Since v0.5 the service backend does not start without
    REDIS_PASSWORD, JWT_SECRET_KEY and ENCRYPTION_KEY, and no worker starts after it.

    These are warnings that say what each line does. What a line really breaks is found by another check.
    """
    release = release_of(deployment.line)
    if release is None or not release.old_template:
        yield skipped(f"Nothing is known of older templates for release line {deployment.line.value}.")
        return
    if env.problem is not None:
        yield skipped(f"{env.path} cannot be read.")
        return
    findings = [found for line in release.old_template if (found := _judged(line, env, workers))]
    yield from findings or [passed(f"No line of {env.path} is known to be from an older template.")]


def _judged(line: OldTemplateLine, env: EnvFile, workers: Workers | Unavailable) -> Finding | None:
    entry = env.entry(line.setting)
    if line.missing:
        if (entry is not None and not entry.empty) or line.setting in env.shell_wins or _done_without(line.setting, workers):
            return None
        seen = Seen(".env", str(env.path), f"{line.setting} is not set")
        message = f"{line.setting} is not set in {env.path}. It {line.does}"
    else:
        value = entry.value if entry and isinstance(entry.value, str) else ""
        if entry is None or value.strip().lower() not in line.values or (line.only_without_gpu and not _without_gpu(workers)):
            return None
        seen = Seen(".env", env.where(entry.line), f"{line.setting}={value}")
        message = f"{line.setting}={value} {line.does}"
    return warned(message, subject=line.setting, evidence=[seen], remedy=[Step(line.instead, risk=Risk.CHANGES_FILES)])


def _done_without(setting: str, workers: Workers | Unavailable) -> bool:
    """Whether a container has it from elsewhere, or the backend is healthy all the same."""
    if isinstance(workers, Unavailable):
        return False
    healthy = any(backend.running and backend.health == "healthy" for backend in workers.of("exporter"))
    return healthy or any(worker.env.get(setting) for worker in workers.containers)


def _without_gpu(workers: Workers | Unavailable) -> bool:
    """Whether there are workers, none of them has a GPU, and no native engine runs."""
    if isinstance(workers, Unavailable) or not workers.diarizers:
        return False
    return not any(w.gpu.requested for w in workers.diarizers) and not any(w.running for w in workers.of("engine"))
