"""Lines of the ``.env`` from the template of an older release."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Deployment, EnvFile, Unavailable, Workers
from ot_doctor.evidence.releases import OldTemplateLine, release_of

from ._template_lines import is_missing, reads_otherwise


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
    step = Step(line.instead, risk=Risk.CHANGES_FILES)
    if not line.missing:
        return reads_otherwise(line, env, workers, step)
    if not is_missing(line, env) or _done_without(line.setting, workers):
        return None
    return warned(
        f"{line.setting} is not set in {env.path}. It {line.does}", subject=line.setting,
        evidence=[Seen(".env", str(env.path), f"{line.setting} is not set")], remedy=[step],
    )  # fmt: skip


def _done_without(setting: str, workers: Workers | Unavailable) -> bool:
    """Whether a container has it from elsewhere, or the backend is healthy all the same."""
    if isinstance(workers, Unavailable):
        return False
    healthy = any(backend.running and backend.health == "healthy" for backend in workers.of("exporter"))
    return healthy or any(worker.env.get(setting) for worker in workers.containers)
